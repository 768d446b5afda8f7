/* SPDX-License-Identifier: Apache-2.0 */
/* layers.c - layers: numbered versions of an archive that functions see under /opt. A version that is deleted stays with the
 * functions that use it already, since archives are counted. */
#include "svc/lambda/lambda_int.h"
#include <errno.h>

static struct str number_part(struct arena *a, int64_t number)
{
	return str_printf(a, "%012lld", (long long)number); /* sorts as numbers do */
}

/* A layer's name, or its ARN. */
static int layer_name(struct call *c, struct str text, struct str *ret_account, struct str *ret_name)
{
	struct lambda_ref ref;
	int64_t number;

	*ret_account = c->account;
	*ret_name = text;
	if (!str_starts(text, S("arn:")))
		return 0;
	if (lambda_layer_parse(text, &ref, &number) < 0 || number || !str_eq(ref.region, call_region(c)))
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "%.*s is not the ARN of a layer of this region", STR(text));
	*ret_account = ref.account;
	*ret_name = ref.name;
	return 0;
}

static struct str layer_arn(struct call *c, struct str account, struct str name, int64_t number)
{
	struct str region = call_region(c);
	struct str arn = str_printf(c->arena, "arn:%.*s:lambda:%.*s:%.*s:layer:%.*s", STR(region_partition(region)), STR(region),
				    STR(account), STR(name));

	return number ? str_printf(c->arena, "%.*s:%lld", STR(arn), (long long)number) : arn;
}

static int load(struct call *c, struct str text, int64_t number, struct lambda_rec_layer_version *ret)
{
	struct str account, name;
	int r = layer_name(c, text, &account, &name);

	if (r == 0)
		r = lambda_table_get(c->txn, c->arena, account, "lambda.layerver", name, number_part(c->arena, number),
				     LAMBDA_REC_LAYER_VERSION, ret);
	if (r == -ENOENT)
		return lambda_fail(c, &lambda_err_resource_not_found, "The resource you requested does not exist.");
	return r;
}

static int save(struct call *c, const struct lambda_rec_layer_version *l)
{
	return lambda_table_put(c->txn, l->account, "lambda.layerver", l->name, number_part(c->arena, l->version.v),
				LAMBDA_REC_LAYER_VERSION, l);
}

/* --- PublishLayerVersion --- */
struct publishing {
	const struct lambda_publish_layer_version_request *in;
	struct str account, name;
	struct lambda_source source;
	struct lambda_code code;
	struct lambda_rec_layer_version l;
};

static int write_layer(struct call *c, void *arg)
{
	struct publishing *p = arg;
	struct lambda_rec_layer head;
	int r = lambda_table_get(c->txn, c->arena, p->account, "lambda.layer", p->name, STR_NONE, LAMBDA_REC_LAYER, &head);

	if (r == -ENOENT)
		head = (struct lambda_rec_layer){ p->name, OPT_INT(1) };
	else if (r < 0)
		return r;
	p->l = (struct lambda_rec_layer_version){ .name = p->name,
						  .version = OPT_INT(head.next_version.v++),
						  .description = p->in->description,
						  .created = OPT_TIME(c->now_ms),
						  .architectures = p->in->compatible_architectures,
						  .runtimes = p->in->compatible_runtimes,
						  .license = p->in->license_info,
						  .code_sha256 = p->code.sha256,
						  .code_bytes = OPT_INT(p->code.bytes),
						  .code_file = p->code.file,
						  .unzipped_bytes = OPT_INT(p->code.unzipped),
						  .account = p->account };
	r = lambda_file_use(c, p->code.file, p->code.bytes, 1);
	if (r == 0)
		r = lambda_table_put(c->txn, p->account, "lambda.layer", p->name, STR_NONE, LAMBDA_REC_LAYER, &head);
	return r < 0 ? r : save(c, &p->l);
}

static int publish_step(struct call *w, void *arg)
{
	struct publishing *p = arg;
	int r = lambda_code_take(w, &p->source, &p->code);

	if (r < 0)
		return r;
	r = lambda_write(w, write_layer, p);
	if (r < 0)
		lambda_code_drop(w->region, p->code.file);
	return r;
}

static struct lambda_layer_version_content_output *content(struct call *c, const struct lambda_rec_layer_version *l)
{
	struct lambda_layer_version_content_output *o = arena_new(c->arena, struct lambda_layer_version_content_output);

	o->location = lambda_code_url(c, str_dup(c->arena, l->code_file));
	o->code_sha256 = str_dup(c->arena, l->code_sha256);
	o->code_size = l->code_bytes;
	return o;
}

static int publish_finish(struct call *c, void *arg)
{
	struct publishing *p = arg;
	struct lambda_publish_layer_version_response *out = c->out;

	*out = (struct lambda_publish_layer_version_response){ .content = content(c, &p->l),
							       .layer_arn = layer_arn(c, p->account, p->name, 0),
							       .layer_version_arn = layer_arn(c, p->account, p->name, p->l.version.v),
							       .description = p->in->description.p ? p->in->description : S(""),
							       .created_date = lambda_time(c->arena, p->l.created.ms),
							       .version = p->l.version,
							       .compatible_architectures = p->in->compatible_architectures,
							       .compatible_runtimes = p->in->compatible_runtimes,
							       .license_info = p->in->license_info };
	return 0;
}

LAMBDA_HANDLER(publish_layer_version, publish_layer_version_request, publish_layer_version_response)
{
	struct publishing *p = arena_new(c->arena, struct publishing);
	int r = layer_name(c, in->layer_name, &p->account, &p->name);

	p->in = in;
	p->source = (struct lambda_source){ in->content->zip_file, in->content->s3_bucket, in->content->s3_key,
					    in->content->s3_object_version };
	if (r == 0 && !str_eq(p->account, c->who->p.account))
		r = lambda_fail(c, &lambda_err_invalid_parameter_value, "A layer is published in the caller's own account.");
	if (r == 0 && !p->source.zip.p && (!p->source.bucket.p || !p->source.key.p))
		r = lambda_fail(c, &lambda_err_invalid_parameter_value, "Please provide a source for the layer's content.");
	if (r == 0 && str_is(in->content->s3_object_storage_mode, "REFERENCE"))
		r = call_fail(c, &aws_err_not_implemented, "S3ObjectStorageMode REFERENCE is not implemented by this cloud.");
	return r < 0 ? r : lambda_away(c, publish_step, publish_finish, p);
}

/* --- reading --- */
static void view(struct call *c, const struct lambda_rec_layer_version *l, struct lambda_get_layer_version_response *out)
{
	*out = (struct lambda_get_layer_version_response){ .content = content(c, l),
							   .layer_arn = layer_arn(c, l->account, l->name, 0),
							   .layer_version_arn = layer_arn(c, l->account, l->name, l->version.v),
							   .description = l->description.p ? l->description : S(""),
							   .created_date = lambda_time(c->arena, l->created.ms),
							   .version = l->version,
							   .compatible_architectures = l->architectures,
							   .compatible_runtimes = l->runtimes,
							   .license_info = l->license };
}

LAMBDA_HANDLER(get_layer_version, get_layer_version_request, get_layer_version_response)
{
	struct lambda_rec_layer_version l;
	int r = load(c, in->layer_name, in->version_number.v, &l);

	if (r == 0)
		view(c, &l, out);
	return r;
}

LAMBDA_HANDLER(get_layer_version_by_arn, get_layer_version_by_arn_request, get_layer_version_response)
{
	struct lambda_rec_layer_version l;
	struct lambda_ref ref;
	int64_t number;
	int r;

	if (lambda_layer_parse(in->arn, &ref, &number) < 0 || !number)
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "%.*s is not the ARN of a layer version", STR(in->arn));
	r = load(c, str_of(in->arn.p, (size_t)str_rfind_char(in->arn, ':')), number, &l);
	if (r == 0)
		view(c, &l, out);
	return r;
}

static struct lambda_layer_versions_list_item item(struct call *c, const struct lambda_rec_layer_version *l)
{
	return (struct lambda_layer_versions_list_item){ .layer_version_arn = layer_arn(c, l->account, l->name, l->version.v),
							 .version = l->version,
							 .description = l->description.p ? l->description : S(""),
							 .created_date = lambda_time(c->arena, l->created.ms),
							 .compatible_architectures = l->architectures,
							 .compatible_runtimes = l->runtimes,
							 .license_info = l->license };
}

static bool fits(const struct lambda_rec_layer_version *l, struct str runtime, struct str architecture)
{
	return (!runtime.p || str_list_has(&l->runtimes, runtime)) && (!architecture.p || str_list_has(&l->architectures, architecture));
}

/* All versions of a layer that fit, newest first. */
static int versions(struct call *c, struct str account, struct str name, struct str runtime, struct str architecture,
		    struct lambda_layer_versions_list_item_list *ret, size_t max)
{
	struct store_range range = { 0 };
	struct lambda_rec_layer_version l;
	struct str key, value;
	struct keybuf k;
	size_t cap = 0;
	int r;

	lambda_key(&k, account, "lambda.layerver", name);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, true);
	while (r >= 0 && ret->n < max && (r = store_range_next(&range, &key, &value)) == 1) {
		r = record_decode(&lambda_records, LAMBDA_REC_LAYER_VERSION, c->arena, value, &l);
		if (r == 0 && fits(&l, runtime, architecture))
			vec_push(c->arena, ret->v, ret->n, cap) = item(c, &l);
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

LAMBDA_HANDLER(list_layer_versions, list_layer_versions_request, list_layer_versions_response)
{
	struct lambda_layer_versions_list_item_list all = { 0 };
	struct str account, name, after = STR_NONE;
	int64_t from = 0, max = in->max_items.has ? in->max_items.v : LAMBDA_PAGE_MAX;
	int r = layer_name(c, in->layer_name, &account, &name);

	if (r == 0 && !str_eq(account, c->account)) /* the dispatcher has asked about no resource, as AWS does */
		r = call_authorize(c, "lambda:ListLayerVersions", str_printf(c->arena, "layerarn:%.*s", STR(in->layer_name)), NULL, 0);
	if (r == 0 && in->marker.n && (page_parse(c, in->marker, &after) < 0 || str_to_i64(after, &from) < 0))
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "Marker is not valid");
	if (r == 0)
		r = versions(c, account, name, in->compatible_runtime, in->compatible_architecture, &all, SIZE_MAX);
	if (r < 0)
		return r;
	for (size_t i = 0; from && i < all.n; i++) /* go on below the version that was shown last */
		if (all.v[i].version.v < from) {
			all.v += i;
			all.n -= i;
			break;
		} else if (i + 1 == all.n)
			all.n = 0;
	out->layer_versions.v = all.n ? all.v : arena_array(c->arena, struct lambda_layer_versions_list_item, 1);
	out->layer_versions.n = (int64_t)all.n > max ? (size_t)max : all.n;
	if ((int64_t)all.n > max)
		out->next_marker = page_token(c, lambda_version_text(c->arena, all.v[max - 1].version.v));
	return 0;
}

struct layers {
	const struct lambda_list_layers_request *in;
	struct lambda_layers_list_item_list *l;
	size_t cap;
};

static int list_layer(struct call *c, struct str key, struct str value, void *arg)
{
	struct layers *x = arg;
	struct lambda_layer_versions_list_item_list latest = { 0 };
	struct lambda_rec_layer head;
	struct lambda_layers_list_item *i;
	int r = record_decode(&lambda_records, LAMBDA_REC_LAYER, c->arena, value, &head);

	if (r == 0)
		r = versions(c, c->account, head.name, x->in->compatible_runtime, x->in->compatible_architecture, &latest, 1);
	if (r < 0 || latest.n == 0)
		return r < 0 ? r : 1;
	i = &(vec_push(c->arena, x->l->v, x->l->n, x->cap));
	*i = (struct lambda_layers_list_item){ head.name, layer_arn(c, c->account, head.name, 0), latest.v };
	return 0;
}

LAMBDA_HANDLER(list_layers, list_layers_request, list_layers_response)
{
	struct layers x = { .in = in, .l = &out->layers };
	struct keybuf k;

	x.l->v = arena_array(c->arena, struct lambda_layers_list_item, 1);
	lambda_key(&k, c->account, "lambda.layer", STR_NONE);
	return lambda_rows(c, &k, in->marker, in->max_items, &out->next_marker, list_layer, &x);
}

LAMBDA_HANDLER(delete_layer_version, delete_layer_version_request, delete_layer_version_response)
{
	struct lambda_rec_layer_version l;
	struct str account, name;
	int r = layer_name(c, in->layer_name, &account, &name);

	if (r == 0)
		r = lambda_table_get(c->txn, c->arena, account, "lambda.layerver", name, number_part(c->arena, in->version_number.v),
				     LAMBDA_REC_LAYER_VERSION, &l);
	if (r == -ENOENT)
		return 0; /* as on AWS: what is not there is deleted */
	if (r == 0)
		r = lambda_file_use(c, l.code_file, 0, -1);
	return r < 0 ? r : lambda_table_del(c->txn, account, "lambda.layerver", name, number_part(c->arena, in->version_number.v));
}

/* --- permissions --- */
LAMBDA_HANDLER(add_layer_version_permission, add_layer_version_permission_request, add_layer_version_permission_response)
{
	struct json *policy = lambda_policy_new(c->arena), *s = json_new(c->arena, JSON_OBJECT), *who, *when, *org;
	struct lambda_rec_layer_version l;
	int r = load(c, in->layer_name, in->version_number.v, &l);

	if (r == 0)
		r = lambda_revision_check(c, in->revision_id, l.policy_revision);
	if (r == 0 && l.policy.p)
		r = json_parse(c->arena, l.policy, &policy, NULL) < 0 ? -EBADMSG : 0;
	if (r == 0 && in->organization_id.p && !str_is(in->principal, "*"))
		r = lambda_fail(c, &lambda_err_invalid_parameter_value, "OrganizationId is only allowed when the principal is *.");
	if (r == 0)
		r = lambda_principal(c, in->principal, &who);
	if (r < 0)
		return r;
	json_set_str(c->arena, s, "Sid", in->statement_id);
	json_set_str(c->arena, s, "Effect", S("Allow"));
	json_set(c->arena, s, S("Principal"), who);
	json_set_str(c->arena, s, "Action", in->action);
	json_set_str(c->arena, s, "Resource", layer_arn(c, l.account, l.name, l.version.v));
	if (in->organization_id.p) {
		when = json_new(c->arena, JSON_OBJECT);
		org = json_new(c->arena, JSON_OBJECT);
		json_set_str(c->arena, org, "aws:PrincipalOrgID", in->organization_id);
		json_set(c->arena, when, S("StringEquals"), org);
		json_set(c->arena, s, S("Condition"), when);
	}
	r = lambda_policy_add(c, policy, in->statement_id, s, &l.policy);
	if (r < 0)
		return r;
	l.policy_revision = random_uuid(c->arena);
	out->statement = json_text(c->arena, s);
	out->revision_id = l.policy_revision;
	return save(c, &l);
}

LAMBDA_HANDLER(get_layer_version_policy, get_layer_version_policy_request, get_layer_version_policy_response)
{
	struct lambda_rec_layer_version l;
	int r = load(c, in->layer_name, in->version_number.v, &l);

	if (r == 0 && !l.policy.p)
		return lambda_fail(c, &lambda_err_resource_not_found, "No policy is associated with the given resource.");
	if (r == 0) {
		out->policy = l.policy;
		out->revision_id = l.policy_revision;
	}
	return r;
}

LAMBDA_HANDLER(remove_layer_version_permission, remove_layer_version_permission_request, remove_layer_version_permission_response)
{
	struct lambda_rec_layer_version l;
	struct json *policy;
	int r = load(c, in->layer_name, in->version_number.v, &l);

	if (r == 0 && !l.policy.p)
		return lambda_fail(c, &lambda_err_resource_not_found, "No policy is associated with the given resource.");
	if (r == 0)
		r = lambda_revision_check(c, in->revision_id, l.policy_revision);
	if (r == 0)
		r = json_parse(c->arena, l.policy, &policy, NULL) < 0 ? -EBADMSG : 0;
	if (r == 0)
		r = lambda_policy_remove(c, policy, in->statement_id, &l.policy);
	if (r < 0)
		return r;
	l.policy_revision = l.policy.p ? random_uuid(c->arena) : STR_NONE;
	return save(c, &l);
}
