/* SPDX-License-Identifier: Apache-2.0 */
/* export.c - GetExport: what a stage serves, as a document. */
#include "svc/apigateway/apigateway_int.h"
#include "svc/apigateway/openapi.h"
#include <errno.h>

#define EXPORT_BYTES_MAX (32u << 20)

static int extensions(struct call *c, struct str list, unsigned *ret)
{
	struct str one;

	while (list.n && str_next(&list, ',', &one)) {
		one = str_trim(one);
		if (str_is(one, "integrations"))
			*ret |= OPENAPI_INTEGRATIONS;
		else if (str_is(one, "authorizers"))
			*ret |= OPENAPI_AUTHORIZERS;
		else if (str_is(one, "apigateway"))
			*ret |= OPENAPI_INTEGRATIONS | OPENAPI_AUTHORIZERS | OPENAPI_GATEWAY;
		else if (str_is(one, "documentation"))
			*ret |= OPENAPI_DOCUMENTATION;
		else if (!str_is(one, "postman"))
			return call_fail(c, &apigateway_err_bad_request, "Invalid extension specified: %.*s", STR(one));
		else
			return call_fail(c, &apigateway_err_bad_request, "The extension postman is not implemented by this cloud.");
	}
	return 0;
}

APIGW_HANDLER(get_export, get_export_request, export_response)
{
	bool yaml = str_find(in->accepts, S("yaml")) >= 0, v3 = str_is(in->export_type, "oas30");
	struct openapi_export o = { .v3 = v3 };
	struct apigw_rec_doc_version docs;
	struct apigw_rec_snapshot s;
	struct apigw_rec_stage st;
	struct buf b;
	int r = apigw_part(c, &apigw_stage_kind, in->rest_api_id, in->stage_name, &st);

	if (r == 0 && !v3 && !str_is(in->export_type, "swagger"))
		return call_fail(c, &apigateway_err_bad_request, "No API exporter for type '%.*s'", STR(in->export_type));
	if (r == 0)
		r = extensions(c, str_map_get(&in->parameters, S("extensions")), &o.extensions);
	if (r == 0)
		r = apigw_load_snapshot(c->txn, c->arena, c->account, in->rest_api_id, st.deployment_id, &s);
	if (r == 0 && st.documentation_version.n &&
	    apigw_get(c, &apigw_docversion_kind, in->rest_api_id, st.documentation_version, &docs) == 0)
		o.docs = &docs;
	if (r < 0)
		return r;
	o.host = str_printf(c->arena, "%.*s.execute-api.%.*s.amazonaws.com", STR(in->rest_api_id), STR(call_region(c)));
	o.stage = st.stage_name;
	buf_init(&b, EXPORT_BYTES_MAX);
	if (yaml)
		openapi_yaml(&b, openapi_write(c->arena, &s, &o));
	else
		json_write(&b, openapi_write(c->arena, &s, &o));
	r = buf_ok(&b) ? 0 : -EFBIG;
	out->body = str_dup(c->arena, buf_view(&b));
	buf_done(&b);
	out->content_type = yaml ? S("application/yaml") : S("application/json");
	out->content_disposition = str_printf(c->arena, "attachment; filename=\"%s_%.*s.%s\"", v3 ? "oas30" : "swagger",
					      STR(time_basic(c->arena, c->now_ms)), yaml ? "yaml" : "json");
	return r;
}
