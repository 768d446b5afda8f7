/* SPDX-License-Identifier: Apache-2.0 */
/* functions.c - functions as they are: shown, listed, deleted, tagged. */
#include "svc/lambda/lambda_int.h"
#include <errno.h>

static struct str shown_qualifier(const struct lambda_fn *fn)
{
	return fn->qualifier;
}

LAMBDA_HANDLER(get_function_configuration, get_function_configuration_request, function_configuration)
{
	struct lambda_rec_version v;
	struct lambda_fn fn;
	int r = lambda_find(c, in->function_name, in->qualifier, &fn);

	if (r == 0)
		r = lambda_resolve(c, &fn, &v);
	if (r == 0)
		lambda_view(c, &fn, &v, shown_qualifier(&fn), out);
	return r;
}

LAMBDA_HANDLER(get_function, get_function_request, get_function_response)
{
	struct lambda_rec_version v;
	struct lambda_fn fn;
	int r = lambda_find(c, in->function_name, in->qualifier, &fn);

	if (r == 0)
		r = lambda_resolve(c, &fn, &v);
	if (r < 0)
		return r;
	out->configuration = arena_new(c->arena, struct lambda_function_configuration);
	lambda_view(c, &fn, &v, shown_qualifier(&fn), out->configuration);
	out->code = arena_new(c->arena, struct lambda_function_code_location);
	out->code->repository_type = S("S3");
	out->code->location = lambda_code_url(c, v.code_file);
	if (fn.f.tags.n)
		out->tags = fn.f.tags;
	if (fn.f.reserved.has) {
		out->concurrency = arena_new(c->arena, struct lambda_concurrency);
		out->concurrency->reserved_concurrent_executions = fn.f.reserved;
	}
	return 0;
}

/* --- listing --- */
static int list_one(struct call *c, struct str value, bool every, struct lambda_function_configuration *ret)
{
	struct lambda_rec_version v;
	struct lambda_fn fn = { .account = c->account };
	int r = record_decode(&lambda_records, LAMBDA_REC_VERSION, c->arena, value, &v);

	if (r < 0)
		return r;
	fn.name = v.name;
	lambda_view(c, &fn, &v, every ? lambda_version_text(c->arena, v.version.v) : STR_NONE, ret);
	ret->state = ret->last_update_status = STR_NONE; /* lists don't tell */
	return 0;
}

struct listing {
	struct lambda_function_configuration_list *l;
	size_t cap;
	bool only_latest;
};

static int list_row(struct call *c, struct str key, struct str value, void *arg)
{
	struct listing *x = arg;

	if (x->only_latest && memcmp(key.p + key.n - 8, "\0\0\0\0\0\0\0\0", 8) != 0)
		return 1;
	vec_push(c->arena, x->l->v, x->l->n, x->cap) = (struct lambda_function_configuration){ 0 };
	return list_one(c, value, !x->only_latest, &x->l->v[x->l->n - 1]);
}

static int list_versions(struct call *c, const struct keybuf *prefix, struct str marker, struct opt_int max, bool only_latest,
			 struct lambda_function_configuration_list *ret, struct str *ret_marker)
{
	struct listing x = { .l = ret, .only_latest = only_latest };

	ret->v = arena_array(c->arena, struct lambda_function_configuration, 1);
	return lambda_rows(c, prefix, marker, max, ret_marker, list_row, &x);
}

LAMBDA_HANDLER(list_functions, list_functions_request, list_functions_response)
{
	struct keybuf k;

	lambda_key(&k, c->account, "lambda.ver", STR_NONE);
	return list_versions(c, &k, in->marker, in->max_items, !str_is(in->function_version, "ALL"), &out->functions, &out->next_marker);
}

LAMBDA_HANDLER(list_versions_by_function, list_versions_by_function_request, list_versions_by_function_response)
{
	struct lambda_fn fn;
	struct keybuf k;
	int r = lambda_whole(c, in->function_name, &fn);

	if (r < 0)
		return r;
	lambda_key(&k, fn.account, "lambda.ver", fn.name);
	return list_versions(c, &k, in->marker, in->max_items, false, &out->versions, &out->next_marker);
}

/* --- DeleteFunction --- */
static int delete_version(struct call *c, const struct lambda_fn *fn, const struct lambda_rec_version *v)
{
	int r = lambda_file_use(c, v->code_file, 0, -1);

	if (r == 0)
		r = lambda_layers_use(c, v, NULL);
	return r < 0 ? r : lambda_version_del(c->txn, fn->account, fn->name, v->version.v);
}

static int delete_one(struct call *c, struct lambda_fn *fn)
{
	static const char *const of_versions[] = { "lambda.policy", "lambda.event" };
	struct lambda_rec_version v;
	struct store_range range = { 0 };
	struct lambda_rec_alias al;
	struct str key, value;
	struct keybuf k;
	int r;

	if (str_is(fn->qualifier, LAMBDA_LATEST))
		return lambda_fail(c, &lambda_err_invalid_parameter_value,
				   "$LATEST version cannot be deleted without deleting the function.");
	if (!lambda_is_version(fn->qualifier))
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "Deletion of aliases is not currently supported.");
	r = lambda_resolve(c, fn, &v);
	if (r < 0)
		return r;
	lambda_key(&k, fn->account, "lambda.alias", fn->name);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		r = record_decode(&lambda_records, LAMBDA_REC_ALIAS, c->arena, value, &al);
		if (r == 0 && (str_eq(al.version, fn->qualifier) || str_eq(al.other_version, fn->qualifier)))
			r = lambda_fail(c, &lambda_err_resource_conflict, "An alias points to function version %.*s: %.*s",
					STR(fn->qualifier), STR(al.name));
	}
	store_range_close(&range);
	if (r < 0)
		return r;
	lambda_forget_version(c, fn, v.version.v);
	for (size_t i = 0; i < ELEMENTS(of_versions) && r >= 0; i++) {
		r = lambda_table_del(c->txn, fn->account, of_versions[i], fn->name, fn->qualifier);
		r = r == -ENOENT ? 0 : r;
	}
	if (r >= 0)
		r = lambda_provisioned_drop(c, fn, fn->qualifier);
	return r < 0 ? r : delete_version(c, fn, &v);
}

static int delete_all(struct call *c, struct lambda_fn *fn)
{
	static const char *const tables[] = { "lambda.alias", "lambda.policy", "lambda.event" };
	struct store_range range = { 0 };
	struct lambda_rec_version *v = NULL;
	struct lambda_rec_account use;
	struct str key, value;
	struct keybuf k;
	size_t n = 0, cap = 0;
	int r;

	lambda_key(&k, fn->account, "lambda.ver", fn->name);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		vec_push(c->arena, v, n, cap) = (struct lambda_rec_version){ 0 };
		r = record_decode(&lambda_records, LAMBDA_REC_VERSION, c->arena, value, &v[n - 1]);
	}
	store_range_close(&range);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = delete_version(c, fn, &v[i]);
	for (size_t i = 0; i < ELEMENTS(tables) && r >= 0; i++)
		r = lambda_drop_all(c->txn, c->arena, fn->account, tables[i], fn->name);
	if (r >= 0)
		r = lambda_urls_drop(c, fn);
	if (r >= 0)
		r = lambda_provisioned_drop(c, fn, STR_NONE);
	if (r >= 0)
		r = lambda_use_read(c->txn, c->arena, fn->account, &use);
	if (r < 0)
		return r;
	use.functions.v--;
	use.reserved.v -= fn->f.reserved.has ? fn->f.reserved.v : 0;
	r = lambda_use_put(c->txn, fn->account, &use);
	lambda_forget_version(c, fn, -1);
	return r < 0 ? r : lambda_table_del(c->txn, fn->account, "lambda.fn", fn->name, STR_NONE);
}

LAMBDA_HANDLER(delete_function, delete_function_request, delete_function_response)
{
	struct lambda_fn fn;
	int r = lambda_find(c, in->function_name, in->qualifier, &fn);

	if (r < 0)
		return r;
	out->status_code = OPT_INT(204);
	return fn.qualifier.p ? delete_one(c, &fn) : delete_all(c, &fn);
}

/* --- tags --- */
struct tagged {
	struct lambda_fn fn;
	struct lambda_rec_signing csc;
	bool signing;
};

static int tagged_load(struct call *c, struct str arn, struct tagged *ret)
{
	struct arn a;
	int r;

	*ret = (struct tagged){ 0 };
	if (arn_parse(arn, &a) < 0)
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "%.*s is not a valid ARN", STR(arn));
	if (str_starts(a.resource, S("code-signing-config:"))) {
		ret->signing = true;
		return lambda_signing_load(c, arn, &ret->csc);
	}
	if (!str_starts(a.resource, S("function:")))
		return call_fail(c, &aws_err_not_implemented, "Tags of %.*s are not implemented by this cloud.", STR(arn));
	r = lambda_find(c, arn, STR_NONE, &ret->fn);
	if (r == 0 && ret->fn.qualifier.p)
		return lambda_fail(c, &lambda_err_invalid_parameter_value,
				   "Tags on function aliases and versions are not supported. Please specify a function ARN.");
	return r;
}

static int tagged_save(struct call *c, struct tagged *x)
{
	return x->signing ? lambda_signing_put(c, &x->csc) : lambda_function_put(c->txn, &x->fn.f);
}

LAMBDA_HANDLER(list_tags, list_tags_request, list_tags_response)
{
	struct tagged x;
	int r = tagged_load(c, in->resource, &x);

	if (r < 0)
		return r;
	out->tags = x.signing ? x.csc.tags : x.fn.f.tags;
	if (!out->tags.v)
		out->tags.v = arena_array(c->arena, struct str_pair, 1);
	return 0;
}

LAMBDA_HANDLER(tag_resource, tag_resource_request, tag_resource_response)
{
	struct tagged x;
	struct str_map *m, all = { 0 };
	size_t cap = 0;
	int r = tagged_load(c, in->resource, &x);

	if (r < 0)
		return r;
	m = x.signing ? &x.csc.tags : &x.fn.f.tags;
	for (size_t i = 0; i < m->n; i++)
		if (!str_map_get(&in->tags, m->v[i].key).p)
			vec_push(c->arena, all.v, all.n, cap) = m->v[i];
	for (size_t i = 0; i < in->tags.n; i++)
		vec_push(c->arena, all.v, all.n, cap) = in->tags.v[i];
	*m = all;
	r = lambda_tags_check(c, &in->tags);
	if (r == 0 && all.n > LAMBDA_TAGS_MAX)
		r = lambda_tags_check(c, &all);
	return r < 0 ? r : tagged_save(c, &x);
}

LAMBDA_HANDLER(untag_resource, untag_resource_request, untag_resource_response)
{
	struct tagged x;
	struct str_map *m;
	size_t n = 0;
	int r = tagged_load(c, in->resource, &x);

	if (r < 0)
		return r;
	m = x.signing ? &x.csc.tags : &x.fn.f.tags;
	for (size_t i = 0; i < m->n; i++)
		if (!str_list_has(&in->tag_keys, m->v[i].key))
			m->v[n++] = m->v[i];
	m->n = n;
	return tagged_save(c, &x);
}
