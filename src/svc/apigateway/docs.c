/* SPDX-License-Identifier: Apache-2.0 */
/* docs.c - documentation of an API: parts that say something of a place in it, and published versions of them all. */
#include "svc/apigateway/apigateway_int.h"
#include "svc/apigateway/openapi.h"
#include <errno.h>

#define PARTS_MAX 2000

static bool same(struct str a, struct str b)
{
	return str_eq(a, b) || (!a.n && !b.n);
}

static bool same_place(const struct apigw_rec_doc_location *a, const struct apigw_rec_doc_location *b)
{
	return same(a->type, b->type) && same(a->path, b->path) && same(a->method, b->method) && same(a->status_code, b->status_code) &&
	       same(a->name, b->name);
}

static void fill(struct apigw_rec_doc_location *l)
{
	bool response = str_starts(l->type, S("RESPONSE"));

	if (str_is(l->type, "API") || str_is(l->type, "AUTHORIZER") || str_is(l->type, "MODEL"))
		return;
	if (!l->path.n)
		l->path = S("/");
	if (!str_is(l->type, "RESOURCE") && !l->method.n)
		l->method = S("*");
	if (response && !l->status_code.n)
		l->status_code = S("*");
}

static int check(struct call *c, const struct apigw_rec_doc_part *p)
{
	struct json *j;

	if (json_parse(c->arena, p->properties, &j, NULL) < 0 || !json_is(j, JSON_OBJECT))
		return call_fail(c, &apigateway_err_bad_request, "Invalid Documentation properties: must be a JSON object");
	return 0;
}

APIGW_HANDLER(create_documentation_part, create_documentation_part_request, documentation_part)
{
	struct apigw_rec_doc_part_list all;
	struct apigw_rec_doc_part p = { 0 };
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	if (r < 0)
		return r;
	apigw_in(c, in, APIGW_REC_DOC_PART, &p);
	fill(p.location);
	r = check(c, &p);
	if (r == 0)
		r = apigw_all(c, &apigw_docpart_kind, api.id, &all);
	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n; i++)
		if (same_place(all.v[i].location, p.location))
			return call_fail(c, &apigateway_err_conflict,
					 "Documentation part already exists for the specified location: type "
					 "'%.*s'",
					 STR(p.location->type));
	if (all.n >= PARTS_MAX)
		return call_fail(c, &apigateway_err_limit_exceeded,
				 "Maximum number of documentation parts for this API has been reached: %d", PARTS_MAX);
	p.id = apigw_id(c, APIGW_PART_ID_CHARS);
	r = apigw_put(c, &apigw_docpart_kind, api.id, p.id, &p);
	if (r == 0)
		apigw_out(c, APIGW_REC_DOC_PART, &p, out);
	return r;
}

APIGW_HANDLER(get_documentation_part, get_documentation_part_request, documentation_part)
{
	struct apigw_rec_doc_part p;
	int r = apigw_part(c, &apigw_docpart_kind, in->rest_api_id, in->documentation_part_id, &p);

	if (r == 0)
		apigw_out(c, APIGW_REC_DOC_PART, &p, out);
	return r;
}

static int want(struct call *c, void *rec, void *arg)
{
	const struct apigateway_get_documentation_parts_request *in = arg;
	const struct apigw_rec_doc_part *p = rec;

	return !(in->type.n && !str_eq(in->type, p->location->type)) && !(in->path.n && !str_eq(in->path, p->location->path)) &&
	       !(in->name_query.n && str_find(p->location->name, in->name_query) < 0) && !str_is(in->location_status, "UNDOCUMENTED");
}

APIGW_HANDLER(get_documentation_parts, get_documentation_parts_request, documentation_parts)
{
	struct apigateway_get_documentation_parts_request filter = *in;
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	return r < 0 ? r : apigw_list(c, &apigw_docpart_kind, api.id, in->position, in->limit, want, &filter, out);
}

static const struct apigw_rule part_rules[] = { { "/properties", APIGW_REPLACE }, { NULL } };

APIGW_HANDLER(update_documentation_part, update_documentation_part_request, documentation_part)
{
	struct apigw_rec_doc_part p;
	int r = apigw_part(c, &apigw_docpart_kind, in->rest_api_id, in->documentation_part_id, &p);

	if (r == 0)
		r = apigw_patch(c, APIGW_REC_DOC_PART, &p, &in->patch_operations, part_rules);
	if (r == 0)
		r = check(c, &p);
	if (r == 0)
		r = apigw_put(c, &apigw_docpart_kind, in->rest_api_id, p.id, &p);
	if (r == 0)
		apigw_out(c, APIGW_REC_DOC_PART, &p, out);
	return r;
}

APIGW_HANDLER(delete_documentation_part, delete_documentation_part_request, delete_documentation_part_response)
{
	struct apigw_rec_doc_part p;
	int r = apigw_part(c, &apigw_docpart_kind, in->rest_api_id, in->documentation_part_id, &p);

	return r == 0 ? apigw_del(c, &apigw_docpart_kind, in->rest_api_id, p.id) : r;
}

/* merge: parts for a place that has one take its id; overwrite: only the new ones are left. */
APIGW_HANDLER(import_documentation_parts, import_documentation_parts_request, documentation_part_ids)
{
	struct apigw_rec_doc_part_list old = { 0 };
	struct apigw_rec_snapshot draft;
	struct openapi_import doc;
	struct apigw_rec_api api;
	struct str err;
	int r = apigw_api(c, in->rest_api_id, &api);

	if (r == 0)
		r = apigw_load_draft(c->txn, c->arena, c->account, api.id, &draft);
	if (r < 0)
		return r;
	if (openapi_read(c->arena, in->body, &draft, OPENAPI_BASE_IGNORE, &doc, &err) < 0)
		return call_fail(c, &apigateway_err_bad_request, "%.*s", STR(err));
	if (doc.docs.n > PARTS_MAX)
		return call_fail(c, &apigateway_err_limit_exceeded,
				 "Maximum number of documentation parts for this API has been reached: %d", PARTS_MAX);
	r = str_is(in->mode, "overwrite") ? apigw_drop_all(c, "apigw.docpart", api.id) : apigw_all(c, &apigw_docpart_kind, api.id, &old);
	out->ids.v = arena_array(c->arena, struct str, doc.docs.n + 1);
	for (size_t i = 0; r == 0 && i < doc.docs.n; i++) {
		struct apigw_rec_doc_part *p = &doc.docs.v[i];

		if (!p->location->type.n)
			return call_fail(c, &apigateway_err_bad_request, "Invalid Documentation part: its location has no type");
		fill(p->location);
		for (size_t k = 0; k < old.n; k++)
			if (same_place(old.v[k].location, p->location))
				p->id = old.v[k].id;
		r = apigw_put(c, &apigw_docpart_kind, api.id, p->id, p);
		out->ids.v[out->ids.n++] = p->id;
	}
	return r;
}

/* --- versions --- */
APIGW_HANDLER(create_documentation_version, create_documentation_version_request, documentation_version)
{
	struct apigw_rec_doc_version v = { .version = in->documentation_version,
					   .description = in->description,
					   .created_date = OPT_TIME(c->now_ms / 1000 * 1000) };
	struct apigw_rec_doc_version old;
	struct apigw_rec_stage st;
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	if (r == 0)
		r = apigw_get(c, &apigw_docversion_kind, api.id, v.version, &old);
	if (r == 0)
		return call_fail(c, &apigateway_err_conflict, "Documentation version already exists: '%.*s'", STR(v.version));
	if (r == -ENOENT)
		r = apigw_all(c, &apigw_docpart_kind, api.id, &v.parts);
	if (r == 0)
		r = apigw_put(c, &apigw_docversion_kind, api.id, v.version, &v);
	if (r == 0 && in->stage_name.n) {
		r = apigw_part(c, &apigw_stage_kind, api.id, in->stage_name, &st);
		st.documentation_version = v.version;
		if (r == 0)
			r = apigw_put(c, &apigw_stage_kind, api.id, st.stage_name, &st);
	}
	if (r == 0)
		apigw_out(c, APIGW_REC_DOC_VERSION, &v, out);
	return r;
}

APIGW_HANDLER(get_documentation_version, get_documentation_version_request, documentation_version)
{
	struct apigw_rec_doc_version v;
	int r = apigw_part(c, &apigw_docversion_kind, in->rest_api_id, in->documentation_version, &v);

	if (r == 0)
		apigw_out(c, APIGW_REC_DOC_VERSION, &v, out);
	return r;
}

APIGW_HANDLER(get_documentation_versions, get_documentation_versions_request, documentation_versions)
{
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	return r < 0 ? r : apigw_list(c, &apigw_docversion_kind, api.id, in->position, in->limit, NULL, NULL, out);
}

static const struct apigw_rule version_rules[] = { { "/description", APIGW_REPLACE }, { NULL } };

APIGW_HANDLER(update_documentation_version, update_documentation_version_request, documentation_version)
{
	struct apigw_rec_doc_version v;
	int r = apigw_part(c, &apigw_docversion_kind, in->rest_api_id, in->documentation_version, &v);

	if (r == 0)
		r = apigw_patch(c, APIGW_REC_DOC_VERSION, &v, &in->patch_operations, version_rules);
	if (r == 0)
		r = apigw_put(c, &apigw_docversion_kind, in->rest_api_id, v.version, &v);
	if (r == 0)
		apigw_out(c, APIGW_REC_DOC_VERSION, &v, out);
	return r;
}

APIGW_HANDLER(delete_documentation_version, delete_documentation_version_request, delete_documentation_version_response)
{
	struct apigw_rec_doc_version v;
	struct apigw_rec_stage_list stages;
	int r = apigw_part(c, &apigw_docversion_kind, in->rest_api_id, in->documentation_version, &v);

	if (r == 0)
		r = apigw_all(c, &apigw_stage_kind, in->rest_api_id, &stages);
	for (size_t i = 0; r == 0 && i < stages.n; i++)
		if (str_eq(stages.v[i].documentation_version, v.version)) {
			stages.v[i].documentation_version = STR_NONE;
			r = apigw_put(c, &apigw_stage_kind, in->rest_api_id, stages.v[i].stage_name, &stages.v[i]);
		}
	return r == 0 ? apigw_del(c, &apigw_docversion_kind, in->rest_api_id, v.version) : r;
}
