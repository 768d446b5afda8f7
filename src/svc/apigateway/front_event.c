/* SPDX-License-Identifier: Apache-2.0 */
/* front_event.c - the event that functions get: of proxy integrations and of REQUEST authorizers (payload format 1.0). */
#include "svc/apigateway/front.h"

static void set_or_null(struct visit *v, struct json *o, const char *key, struct str s)
{
	if (s.p)
		json_set_str(v->a, o, key, s);
	else
		json_set(v->a, o, str_c(key), json_new(v->a, JSON_NULL));
}

static const struct str *known_key(const struct json *o, struct str key) /* header names, without case */
{
	for (size_t i = 0; i < o->n; i++)
		if (str_eq_ci(o->members[i].key, key))
			return &o->members[i].key;
	return NULL;
}

/* pairs: {"name": last value} and {"name": [all values]}, null when there are none. */
static void pairs(struct visit *v, struct json *event, const char *single, const char *multi, const struct str_pair *p, size_t n, bool ci)
{
	struct json *one = json_new(v->a, JSON_OBJECT), *all = json_new(v->a, JSON_OBJECT);

	for (size_t i = 0; i < n; i++) {
		const struct str *other = ci ? known_key(one, p[i].key) : NULL;
		struct str key = other ? *other : p[i].key;
		struct json *list = json_get(all, key);

		json_set(v->a, one, key, json_new_str(v->a, p[i].value));
		if (!list)
			list = json_set(v->a, all, key, json_new(v->a, JSON_ARRAY));
		json_push(v->a, list, json_new_str(v->a, p[i].value));
	}
	json_set(v->a, event, str_c(single), n ? one : json_new(v->a, JSON_NULL));
	json_set(v->a, event, str_c(multi), n ? all : json_new(v->a, JSON_NULL));
}

static void map(struct visit *v, struct json *event, const char *key, const struct str_map *m)
{
	struct json *o = json_new(v->a, m->n ? JSON_OBJECT : JSON_NULL);

	for (size_t i = 0; i < m->n; i++)
		json_set(v->a, o, m->v[i].key, json_new_str(v->a, m->v[i].value));
	json_set(v->a, event, str_c(key), o);
}

static struct json *identity(struct visit *v)
{
	static const char *const never[] = { "cognitoIdentityPoolId", "cognitoIdentityId", "principalOrgId", "cognitoAuthenticationType",
					     "cognitoAuthenticationProvider" };
	static const char *const maybe[] = { "accountId", "caller", "sourceIp", "accessKey", "userArn", "userAgent", "user" };
	static const char *const extra[] = { "apiKey", "apiKeyId", "vpceId", "vpcId" };
	struct json *o = json_new(v->a, JSON_OBJECT);

	for (size_t i = 0; i < ELEMENTS(never); i++)
		set_or_null(v, o, never[i], STR_NONE);
	for (size_t i = 0; i < ELEMENTS(maybe); i++)
		set_or_null(v, o, maybe[i], visit_context_text(v, str_printf(v->a, "identity.%s", maybe[i])));
	for (size_t i = 0; i < ELEMENTS(extra); i++)
		json_set_str(v->a, o, extra[i], visit_context_text(v, str_printf(v->a, "identity.%s", extra[i])));
	return o;
}

static struct json *context(struct visit *v)
{
	static const char *const names[] = { "resourceId",   "resourcePath", "operationName", "httpMethod",   "extendedRequestId",
					     "requestTime",  "path",         "accountId",     "protocol",     "stage",
					     "domainPrefix", "requestId",    "domainName",    "deploymentId", "apiId" };
	struct json *o = json_new(v->a, JSON_OBJECT), *a;

	for (size_t i = 0; i < ELEMENTS(names); i++)
		json_set_str(v->a, o, names[i], visit_context_text(v, str_c(names[i])));
	json_set_int(v->a, o, "requestTimeEpoch", v->now_ms);
	json_set(v->a, o, S("identity"), identity(v));
	if (v->principal_id.p || v->authorizer_context) {
		a = json_new(v->a, JSON_OBJECT);
		json_set_str(v->a, a, "principalId", v->principal_id);
		for (size_t i = 0; v->authorizer_context && i < v->authorizer_context->n; i++) /* scalars, as texts */
			json_set(v->a, a, v->authorizer_context->members[i].key,
				 json_new_str(v->a, json_scalar(&v->authorizer_context->members[i].value)));
		json_set_int(v->a, a, "integrationLatency", v->authorizer_latency_ms);
		json_set(v->a, o, S("authorizer"), a);
	}
	return o;
}

struct str visit_proxy_event(struct visit *v, const char *authorizer_type)
{
	struct json *e = json_new(v->a, JSON_OBJECT);

	if (authorizer_type) {
		json_set_str(v->a, e, "type", str_c(authorizer_type));
		json_set_str(v->a, e, "methodArn", v->arn);
	}
	json_set_str(v->a, e, "resource", v->m->resource->path);
	json_set_str(v->a, e, "path", v->raw_path);
	json_set_str(v->a, e, "httpMethod", v->method);
	pairs(v, e, "headers", "multiValueHeaders", v->headers, v->n_headers, true);
	pairs(v, e, "queryStringParameters", "multiValueQueryStringParameters", v->query, v->n_query, false);
	map(v, e, "pathParameters", &v->path_params);
	map(v, e, "stageVariables", &v->variables);
	json_set(v->a, e, S("requestContext"), context(v));
	if (!authorizer_type) {
		bool binary = v->body.n && (v->body_binary || !utf8_valid(v->body));

		set_or_null(v, e, "body", v->body.n ? binary ? base64_encode(v->a, v->body) : v->body : STR_NONE);
		json_set_bool(v->a, e, "isBase64Encoded", binary);
	}
	return json_text(v->a, e);
}
