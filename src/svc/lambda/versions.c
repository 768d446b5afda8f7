/* SPDX-License-Identifier: Apache-2.0 */
/* versions.c - published versions, which never change, and aliases. */
#include "svc/lambda/lambda_int.h"
#include <errno.h>

/* Two versions are the same when all that counts of them is. */
static bool same(const struct lambda_rec_version *a, const struct lambda_rec_version *b)
{
	struct lambda_rec_version x[2] = { *a, *b };
	struct buf out[2];
	bool equal;

	for (int i = 0; i < 2; i++) {
		x[i].version = (struct opt_int){ 0 };
		x[i].modified = (struct opt_time){ 0 };
		x[i].revision = x[i].description = STR_NONE;
		x[i].code_file = STR_NONE; /* the digest tells */
		buf_init(&out[i], 1 << 20);
		(void)record_encode(&lambda_records, LAMBDA_REC_VERSION, &x[i], &out[i]);
	}
	equal = str_eq(buf_view(&out[0]), buf_view(&out[1]));
	buf_done(&out[0]);
	buf_done(&out[1]);
	return equal;
}

int lambda_publish(struct call *c, struct lambda_rec_function *f, struct lambda_rec_version *v, struct str description)
{
	struct lambda_rec_version last;
	int r = -ENOENT;

	if (f->next_version.v > 1)
		r = lambda_version_read(c->txn, c->arena, f->account, f->name, f->next_version.v - 1, &last);
	if (r == 0 && same(&last, v)) {
		*v = last;
		return 0;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	v->version = OPT_INT(f->next_version.v++);
	v->revision = random_uuid(c->arena);
	v->description = description.p ? description : v->description;
	r = lambda_file_use(c, v->code_file, v->code_bytes.v, 1);
	if (r == 0)
		r = lambda_layers_use(c, NULL, v);
	return r < 0 ? r : lambda_version_put(c->txn, f->account, v);
}

LAMBDA_HANDLER(publish_version, publish_version_request, function_configuration)
{
	struct lambda_rec_version v;
	struct lambda_fn fn;
	int r = lambda_whole(c, in->function_name, &fn);

	if (r == 0 && in->publish_to.p)
		r = call_fail(c, &aws_err_not_implemented, "PublishTo is not implemented by this cloud.");
	if (r == 0)
		r = lambda_version_read(c->txn, c->arena, fn.account, fn.name, 0, &v);
	if (r == 0)
		r = lambda_revision_check(c, in->revision_id, v.revision);
	if (r == 0 && in->code_sha256.n && !str_eq(in->code_sha256, v.code_sha256))
		r = lambda_fail(
			c, &lambda_err_invalid_parameter_value,
			"CodeSHA256 (%.*s) is different from current CodeSHA256 in $LATEST (%.*s). Please try again with the CodeSHA256 "
			"in $LATEST.",
			STR(in->code_sha256), STR(v.code_sha256));
	if (r == 0)
		r = lambda_publish(c, &fn.f, &v, in->description);
	if (r == 0)
		r = lambda_function_put(c->txn, &fn.f);
	if (r == 0)
		lambda_view(c, &fn, &v, lambda_version_text(c->arena, v.version.v), out);
	return r;
}

/* --- aliases --- */
static int check_version(struct call *c, struct lambda_fn fn, struct str version)
{
	struct lambda_rec_version v;

	fn.qualifier = version;
	return lambda_resolve(c, &fn, &v);
}

static int set_routing(struct call *c, const struct lambda_fn *fn, const struct lambda_alias_routing_configuration *routing,
		       struct lambda_rec_alias *al)
{
	size_t n = routing ? routing->additional_version_weights.n : 0;

	if (!routing)
		return 0;
	al->other_version = STR_NONE;
	al->other_weight = (struct opt_double){ 0 };
	if (n == 0)
		return 0;
	if (n > 1)
		return lambda_fail(c, &lambda_err_invalid_parameter_value,
				   "Number of items in AdditionalVersionWeights cannot be greater than 1");
	al->other_version = routing->additional_version_weights.v[0].key;
	al->other_weight = routing->additional_version_weights.v[0].value;
	if (!(al->other_weight.v >= 0 && al->other_weight.v <= 1))
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "Weight must be between 0 and 1");
	return check_version(c, *fn, al->other_version);
}

/* What holds of an alias whichever part of it was changed. */
static int check_routing(struct call *c, const struct lambda_rec_alias *al)
{
	if (!al->other_version.p)
		return 0;
	if (str_eq(al->other_version, al->version))
		return lambda_fail(c, &lambda_err_invalid_parameter_value,
				   "Invalid function version %.*s. Function version %.*s is already included in routing configuration.",
				   STR(al->version), STR(al->version));
	if (str_is(al->version, LAMBDA_LATEST) || str_is(al->other_version, LAMBDA_LATEST))
		return lambda_fail(c, &lambda_err_invalid_parameter_value,
				   "$LATEST is not supported for an alias pointing to more than 1 version");
	return 0;
}

static void view_alias(struct call *c, const struct lambda_fn *fn, const struct lambda_rec_alias *al,
		       struct lambda_alias_configuration *out)
{
	*out = (struct lambda_alias_configuration){ .alias_arn = lambda_arn(c, fn->account, fn->name, al->name),
						    .name = al->name,
						    .function_version = al->version,
						    .description = al->description.p ? al->description : S(""),
						    .revision_id = al->revision };
	if (!al->other_version.p)
		return;
	out->routing_config = arena_new(c->arena, struct lambda_alias_routing_configuration);
	out->routing_config->additional_version_weights.v = arena_alloc(c->arena,
									sizeof *out->routing_config->additional_version_weights.v);
	out->routing_config->additional_version_weights.v[0].key = al->other_version;
	out->routing_config->additional_version_weights.v[0].value = al->other_weight;
	out->routing_config->additional_version_weights.n = 1;
}

static int no_alias(struct call *c, const struct lambda_fn *fn, struct str name)
{
	return lambda_fail(c, &lambda_err_resource_not_found, "Cannot find alias arn: %.*s",
			   STR(lambda_arn(c, fn->account, fn->name, name)));
}

LAMBDA_HANDLER(create_alias, create_alias_request, alias_configuration)
{
	struct lambda_rec_alias al = { .name = in->name, .version = in->function_version, .description = in->description }, old;
	struct lambda_fn fn;
	int r = lambda_whole(c, in->function_name, &fn);

	if (r < 0)
		return r;
	r = lambda_alias_read(c->txn, c->arena, fn.account, fn.name, in->name, &old);
	if (r == 0)
		return lambda_fail(c, &lambda_err_resource_conflict, "Alias already exists: %.*s",
				   STR(lambda_arn(c, fn.account, fn.name, in->name)));
	if (r != -ENOENT)
		return r;
	r = check_version(c, fn, in->function_version);
	if (r == 0)
		r = set_routing(c, &fn, in->routing_config, &al);
	if (r == 0)
		r = check_routing(c, &al);
	if (r < 0)
		return r;
	al.revision = random_uuid(c->arena);
	view_alias(c, &fn, &al, out);
	return lambda_alias_put(c->txn, fn.account, fn.name, &al);
}

LAMBDA_HANDLER(update_alias, update_alias_request, alias_configuration)
{
	struct lambda_rec_alias al;
	struct lambda_fn fn;
	int r = lambda_whole(c, in->function_name, &fn);

	if (r == 0)
		r = lambda_alias_read(c->txn, c->arena, fn.account, fn.name, in->name, &al);
	if (r == -ENOENT)
		return no_alias(c, &fn, in->name);
	if (r == 0)
		r = lambda_revision_check(c, in->revision_id, al.revision);
	if (r == 0 && in->function_version.p) {
		al.version = in->function_version;
		r = check_version(c, fn, al.version);
	}
	if (r == 0)
		r = set_routing(c, &fn, in->routing_config, &al);
	if (r == 0)
		r = check_routing(c, &al);
	if (r < 0)
		return r;
	r = lambda_provisioned_alias(c, &fn, &al);
	if (r < 0)
		return r;
	al.description = in->description.p ? in->description : al.description;
	al.revision = random_uuid(c->arena);
	view_alias(c, &fn, &al, out);
	return lambda_alias_put(c->txn, fn.account, fn.name, &al);
}

LAMBDA_HANDLER(get_alias, get_alias_request, alias_configuration)
{
	struct lambda_rec_alias al;
	struct lambda_fn fn;
	int r = lambda_whole(c, in->function_name, &fn);

	if (r == 0)
		r = lambda_alias_read(c->txn, c->arena, fn.account, fn.name, in->name, &al);
	if (r == -ENOENT)
		return no_alias(c, &fn, in->name);
	if (r == 0)
		view_alias(c, &fn, &al, out);
	return r;
}

/* An alias takes its policy, its event configuration, its URL and what is kept up for it along. */
LAMBDA_HANDLER(delete_alias, delete_alias_request, delete_alias_response)
{
	static const char *const tables[] = { "lambda.alias", "lambda.policy", "lambda.event" };
	struct lambda_fn fn;
	int r = lambda_whole(c, in->function_name, &fn);

	for (size_t i = 0; i < ELEMENTS(tables) && r == 0; i++) {
		r = lambda_table_del(c->txn, fn.account, tables[i], fn.name, in->name);
		r = r == -ENOENT ? 0 : r;
	}
	if (r == 0)
		r = lambda_provisioned_drop(c, &fn, in->name);
	return r < 0 ? r : lambda_url_drop(c, &fn, in->name);
}

struct aliases {
	const struct lambda_fn *fn;
	struct lambda_alias_configuration_list *l;
	size_t cap;
	struct str version;
};

static int list_alias(struct call *c, struct str key, struct str value, void *arg)
{
	struct aliases *x = arg;
	struct lambda_rec_alias al;
	int r = record_decode(&lambda_records, LAMBDA_REC_ALIAS, c->arena, value, &al);

	if (r < 0)
		return r;
	if (x->version.p && !str_eq(x->version, al.version) && !str_eq(x->version, al.other_version))
		return 1;
	view_alias(c, x->fn, &al, &(vec_push(c->arena, x->l->v, x->l->n, x->cap)));
	return 0;
}

LAMBDA_HANDLER(list_aliases, list_aliases_request, list_aliases_response)
{
	struct lambda_fn fn;
	struct aliases x = { .fn = &fn, .l = &out->aliases, .version = in->function_version };
	struct keybuf k;
	int r = lambda_whole(c, in->function_name, &fn);

	if (r < 0)
		return r;
	out->aliases.v = arena_array(c->arena, struct lambda_alias_configuration, 1);
	lambda_key(&k, fn.account, "lambda.alias", fn.name);
	return lambda_rows(c, &k, in->marker, in->max_items, &out->next_marker, list_alias, &x);
}
