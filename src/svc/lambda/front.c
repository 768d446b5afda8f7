/* SPDX-License-Identifier: Apache-2.0 */
/* front.c - data planes of Lambda on the cloud's port: function URLs (ID.lambda-url.REGION...), and archives by a signed link.
 *
 * A function URL invokes through the same environments and limits as Invoke. Who may is decided by lambda:InvokeFunctionUrl and
 * lambda:InvokeFunction, both, on the function or alias: also with AuthType NONE the resource policy must allow it. Sources:
 * "Control access to Lambda function URLs", "Invoking Lambda function URLs" (Developer Guide). */
#include "svc/lambda/front_int.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CODE_PATH "/_lambda/code/"
#define CODE_LINK_MS 600000

void lambda_visit_header(struct visit *v, const char *name, struct str value)
{
	if (value.p && v->n_headers < VISIT_HEADERS_MAX)
		v->headers[v->n_headers++] = (struct http_header){ str_c(name), value };
}

/* reply ends the visit; v and the request are gone after it. */
static void lambda_visit_reply(struct visit *v, int status, struct str body)
{
	struct region *r = v->region;

	v->region = NULL;
	lambda_visit_header(v, "x-amzn-requestid", v->request_id);
	http_reply(v->f->http, &(struct http_reply){ .status = status,
						     .headers = v->headers,
						     .n_headers = v->n_headers,
						     .body = body,
						     .head = str_is(v->f->http->method, "HEAD") });
	if (r)
		region_unuse(r);
}

void lambda_visit_refuse(struct visit *v, int status, const char *type, struct str text)
{
	lambda_visit_header(v, "content-type", S("application/json"));
	if (type)
		lambda_visit_header(v, "x-amzn-errortype", str_c(type));
	lambda_visit_reply(v, status, text);
}

/* --- archives --- */
static struct str code_signature(struct cloud *cl, struct arena *a, struct str region, struct str file, struct str expires)
{
	struct str text = str_printf(a, "%.*s/%.*s/%.*s", STR(region), STR(file), STR(expires));
	uint8_t key[32], mac[32];

	cloud_master_key(cl, "lambda-code", key);
	hmac_sha256(key, sizeof key, text.p, text.n, mac);
	mem_wipe(key, sizeof key);
	return hex_encode(a, mac, sizeof mac);
}

struct str lambda_code_url(struct call *c, struct str file)
{
	struct str host = c->http && c->http->host.n ? c->http->host : str_printf(c->arena, "localhost:%d", cloud_port(c->cloud));
	struct str expires = str_printf(c->arena, "%lld", (long long)(c->now_ms + CODE_LINK_MS));

	return str_printf(c->arena, "%s://%.*s" CODE_PATH "%.*s/%.*s/%.*s/%.*s", c->http && !c->http->tls ? "http" : "https", STR(host),
			  STR(call_region(c)), STR(file), STR(expires),
			  STR(code_signature(c->cloud, c->arena, call_region(c), file, expires)));
}

static ssize_t read_file(void *arg, char *buf, size_t n)
{
	ssize_t got = read((int)(intptr_t)arg, buf, n);

	return got < 0 ? -errno : got;
}

static void close_file(void *arg)
{
	(void)close((int)(intptr_t)arg);
}

static void send_code(struct visit *v)
{
	struct str rest = str_skip(v->f->http->path, sizeof CODE_PATH - 1), region, file, expires, sig = STR_NONE;
	struct http_header type = { S("content-type"), S("application/zip") };
	struct http_source source = { .read = read_file, .close = close_file };
	int64_t until = 0;
	struct region *r;
	uint64_t bytes;
	struct str want;
	int fd = -1;

	if (!str_next(&rest, '/', &region) || !str_next(&rest, '/', &file) || !str_next(&rest, '/', &expires) ||
	    !str_next(&rest, '/', &sig) || str_to_i64(expires, &until) < 0 || until < clock_now_ms()) {
		lambda_visit_refuse(v, 403, "AccessDenied", S("{\"Message\":\"Request has expired\"}"));
		return;
	}
	want = code_signature(v->f->cloud, v->arena, region, file, expires);
	if (sig.n != want.n || !mem_equal_ct(sig.p, want.p, want.n)) {
		lambda_visit_refuse(v, 403, "AccessDenied", S("{\"Message\":\"The signature does not match\"}"));
		return;
	}
	r = front_region(v->f->cloud, region);
	if (r && file_open_read(lambda_files(r), file, &fd, &bytes) < 0)
		fd = -1;
	if (r)
		region_unuse(r);
	if (fd < 0) {
		lambda_visit_refuse(v, 404, "NotFound", S("{\"Message\":\"Not found\"}"));
		return;
	}
	source.arg = (void *)(intptr_t)fd;
	http_reply(v->f->http,
		   &(struct http_reply){ .status = 200, .headers = &type, .n_headers = 1, .source = &source, .source_bytes = bytes });
}

/* --- the event --- */
/* What has no type, and forms, come in base64: clients of payload format 2.0 have learned to decode them. */
static bool is_text(struct str type, struct str body)
{
	static const char *const kinds[] = { "text/", "application/json", "application/javascript", "application/xml" };

	if (!type.p || !utf8_valid(body))
		return false;
	if (str_find(type, S("+json")) >= 0 || str_find(type, S("+xml")) >= 0)
		return true;
	for (size_t i = 0; i < ELEMENTS(kinds); i++)
		if (str_starts(type, str_c(kinds[i])))
			return true;
	return false;
}

static void add_headers(struct arena *a, const struct http_request *r, struct json *event)
{
	struct json *all = json_new(a, JSON_OBJECT), *cookies = json_new(a, JSON_ARRAY);

	for (size_t i = 0; i < r->n_headers; i++) {
		struct str name = str_lower(a, r->headers[i].name), value = r->headers[i].value, rest = value, one;
		struct str old = json_str(json_get(all, name));

		if (str_is(name, "cookie")) {
			while (str_next(&rest, ';', &one))
				if (str_trim(one).n)
					json_push(a, cookies, json_new_str(a, str_trim(one)));
			continue;
		}
		if (!utf8_valid(value))
			continue;
		json_set(a, all, name, json_new_str(a, old.p ? str_printf(a, "%.*s,%.*s", STR(old), STR(value)) : value));
	}
	if (cookies->n)
		json_set(a, event, S("cookies"), cookies);
	json_set(a, event, S("headers"), all);
}

static void add_query(struct arena *a, struct str query, struct json *event)
{
	struct json *all = json_new(a, JSON_OBJECT);
	struct str one, name, value;

	while (query.p && str_next(&query, '&', &one)) {
		struct str old;

		if (!one.n)
			continue;
		if (!str_cut(one, '=', &name, &value))
			value = S("");
		if (uri_decode(a, name, true, &name) < 0 || uri_decode(a, value, true, &value) < 0 || !utf8_valid(name) ||
		    !utf8_valid(value))
			continue;
		old = json_str(json_get(all, name));
		json_set(a, all, name, json_new_str(a, old.p ? str_printf(a, "%.*s,%.*s", STR(old), STR(value)) : value));
	}
	if (all->n)
		json_set(a, event, S("queryStringParameters"), all);
}

static struct json *authorizer(struct arena *a, const struct principal *who)
{
	struct json *outer = json_new(a, JSON_OBJECT), *iam = json_new(a, JSON_OBJECT);

	json_set_str(a, iam, "accessKey", who->key_id);
	json_set_str(a, iam, "accountId", who->p.account);
	json_set_str(a, iam, "callerId", who->p.unique_id);
	json_set(a, iam, S("cognitoIdentity"), json_new(a, JSON_NULL));
	json_set(a, iam, S("principalOrgId"), json_new(a, JSON_NULL));
	json_set_str(a, iam, "userArn", who->p.arn);
	json_set_str(a, iam, "userId", who->p.unique_id);
	json_set(a, outer, S("iam"), iam);
	return outer;
}

/* 12/Mar/2020:19:03:58 +0000 */
static struct str common_log_time(struct arena *a, int64_t ms)
{
	struct str t = time_http(a, ms); /* Thu, 12 Mar 2020 19:03:58 GMT */

	return str_printf(a, "%.2s/%.3s/%.4s:%.8s +0000", t.p + 5, t.p + 8, t.p + 12, t.p + 17);
}

static struct str event_text(struct visit *v, const struct principal *who)
{
	struct http_request *r = v->f->http;
	struct arena *a = v->arena;
	struct json *e = json_new(a, JSON_OBJECT), *x = json_new(a, JSON_OBJECT), *h = json_new(a, JSON_OBJECT);
	bool text = is_text(http_header(r, "content-type"), r->body);
	int64_t now = clock_now_ms();

	json_set_str(a, e, "version", S("2.0"));
	json_set_str(a, e, "routeKey", S("$default"));
	json_set_str(a, e, "rawPath", r->path);
	json_set_str(a, e, "rawQueryString", r->query.p ? r->query : S(""));
	add_headers(a, r, e);
	add_query(a, r->query, e);
	json_set_str(a, x, "accountId", who->p.account.p ? who->p.account : S("anonymous"));
	json_set_str(a, x, "apiId", v->url.id);
	if (who->p.account.p)
		json_set(a, x, S("authorizer"), authorizer(a, who));
	json_set_str(a, x, "domainName", str_printf(a, "%.*s.lambda-url.%.*s.on.aws", STR(v->url.id), STR(v->region->name)));
	json_set_str(a, x, "domainPrefix", v->url.id);
	json_set_str(a, h, "method", r->method);
	json_set_str(a, h, "path", r->path);
	json_set_str(a, h, "protocol", S("HTTP/1.1"));
	json_set_str(a, h, "sourceIp", v->f->facts.source_ip);
	json_set_str(a, h, "userAgent", v->f->facts.user_agent);
	json_set(a, x, S("http"), h);
	json_set_str(a, x, "requestId", v->request_id);
	json_set_str(a, x, "routeKey", S("$default"));
	json_set_str(a, x, "stage", S("$default"));
	json_set_str(a, x, "time", common_log_time(a, now));
	json_set_int(a, x, "timeEpoch", now);
	json_set(a, e, S("requestContext"), x);
	if (r->body.n)
		json_set_str(a, e, "body", text ? r->body : base64_encode(a, r->body));
	json_set_bool(a, e, "isBase64Encoded", r->body.n && !text);
	return json_text(a, e);
}

/* --- CORS: "Function URL CORS": the function's own headers of that kind are overridden --- */
static bool listed(const struct str_list *l, struct str s)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_is(l->v[i], "*") || str_eq_ci(l->v[i], s))
			return true;
	return false;
}

static struct str joined(struct arena *a, const struct str_list *l)
{
	return l->n ? str_join(a, l->v, l->n, S(",")) : STR_NONE;
}

/* cors adds the headers that the configuration gives this origin. Returns true when the answer is complete: a preflight. */
static bool cors(struct visit *v)
{
	const struct lambda_rec_cors *k = v->url.cors;
	struct http_request *r = v->f->http;
	struct str origin = http_header(r, "origin"), method = http_header(r, "access-control-request-method");
	bool preflight = k && origin.p && method.p && str_is(r->method, "OPTIONS");

	if (!k || !origin.p || !listed(&k->origins, origin))
		return preflight;
	lambda_visit_header(v, "access-control-allow-origin", str_list_has(&k->origins, S("*")) && !k->credentials.v ? S("*") : origin);
	lambda_visit_header(v, "vary", S("Origin"));
	if (k->credentials.v)
		lambda_visit_header(v, "access-control-allow-credentials", S("true"));
	lambda_visit_header(v, "access-control-expose-headers", joined(v->arena, &k->expose));
	if (preflight) {
		lambda_visit_header(v, "access-control-allow-methods", joined(v->arena, &k->methods));
		lambda_visit_header(v, "access-control-allow-headers", joined(v->arena, &k->headers));
		if (k->max_age.has)
			lambda_visit_header(v, "access-control-max-age", str_printf(v->arena, "%lld", (long long)k->max_age.v));
	}
	return preflight;
}

static bool cors_header(struct str name)
{
	return name.n > 15 && str_eq_ci(str_of(name.p, 15), S("access-control-"));
}

/* --- the answer --- */
void lambda_visit_answer_headers(struct visit *v, const struct json *answer)
{
	const struct json *h = json_getz(answer, "headers"), *cookies = json_getz(answer, "cookies");
	bool typed = false;

	for (size_t i = 0; json_is(h, JSON_OBJECT) && i < h->n; i++) {
		struct str name = h->members[i].key, value = json_scalar(&h->members[i].value);

		if (!value.p || name.n == 0 || str_eq_ci(name, S("content-length")) || str_eq_ci(name, S("connection")) ||
		    str_eq_ci(name, S("transfer-encoding")) || str_eq_ci(name, S("date")) || (v->url.cors && cors_header(name)))
			continue;
		typed |= str_eq_ci(name, S("content-type"));
		lambda_visit_header(v, str_z(v->arena, name), value);
	}
	if (!typed)
		lambda_visit_header(v, "content-type", S("application/json"));
	for (size_t i = 0; json_is(cookies, JSON_ARRAY) && i < cookies->n; i++)
		lambda_visit_header(v, "set-cookie", json_str(&cookies->items[i]));
}

static void answer(struct visit *v, struct str payload)
{
	struct json *j;
	struct str body, plain;
	int64_t status;

	if (json_parse(v->arena, payload, &j, NULL) < 0) {
		lambda_visit_refuse(v, 502, NULL, S("{\"Message\":\"Internal Server Error\"}"));
		return;
	}
	if (!json_is(j, JSON_OBJECT) || !json_getz(j, "statusCode")) { /* the answer itself is the body */
		lambda_visit_header(v, "content-type", S("application/json"));
		lambda_visit_reply(v, 200, json_is(j, JSON_STRING) ? json_str(j) : payload);
		return;
	}
	body = json_get_str(j, "body");
	if (json_to_i64(json_getz(j, "statusCode"), &status) < 0 || status < 200 || status > 599 ||
	    (json_to_bool(json_getz(j, "isBase64Encoded"), false) && body.p && base64_decode(v->arena, body, &plain) < 0)) {
		lambda_visit_refuse(v, 502, NULL, S("{\"Message\":\"Internal Server Error\"}"));
		return;
	}
	if (json_to_bool(json_getz(j, "isBase64Encoded"), false) && body.p)
		body = plain;
	lambda_visit_answer_headers(v, j);
	lambda_visit_reply(v, (int)status, body.p ? body : S(""));
}

/* An answer that has its status and headers in front of it, from a function that streams, where nobody takes a stream. */
static void answer_ahead(struct visit *v, struct str payload)
{
	ptrdiff_t end = lambda_visit_prelude_end(payload, 0);
	int status;

	if (end < 0 || lambda_visit_prelude(v, str_of(payload.p, (size_t)end), &status) < 0)
		lambda_visit_refuse(v, 502, NULL, S("{\"Message\":\"Internal Server Error\"}"));
	else
		lambda_visit_reply(v, status, str_skip(payload, (size_t)end + VISIT_PRELUDE_END_BYTES));
}

static void came_back(void *arg, const struct fn_result *res, const struct call_error *refused)
{
	struct visit *v = arg;
	const char *error = NULL;
	struct str payload;

	lambda_leave(v->f->cloud, &v->slot);
	if (refused) {
		lambda_visit_refuse(v, refused->err == &lambda_err_service ? 500 : 502, refused->err->code,
				    S("{\"Message\":\"Internal Server Error\"}"));
		return;
	}
	payload = lambda_result_payload(v->arena, v->request_id, v->timeout_s, res, &error);
	if (error) {
		lambda_visit_header(v, "x-amz-function-error", str_c(error));
		lambda_visit_refuse(v, 502, NULL, S("Internal Server Error"));
		return;
	}
	if (str_is(res->content_type, VISIT_PRELUDE_TYPE))
		answer_ahead(v, payload);
	else
		answer(v, payload);
}

/* --- the request --- */
static int allowed(struct call *c, const struct visit *v)
{
	struct str auth = v->url.auth, yes = S("true");
	struct policy_key keys[] = { { S("lambda:FunctionUrlAuthType"), &auth, 1, false },
				     { S("lambda:InvokedViaFunctionUrl"), &yes, 1, false } };
	struct str target = str_printf(c->arena, "function:%.*s",
				       STR(lambda_arn(c, v->url.account, v->url.name, v->url.qualifier.n ? v->url.qualifier : STR_NONE)));
	int r = call_may(c, "lambda:InvokeFunctionUrl", target, keys, ELEMENTS(keys));

	return r == 1 ? call_may(c, "lambda:InvokeFunction", target, keys, ELEMENTS(keys)) : r;
}

/* 1: the invocation has begun; 0: refused, replied. */
static int begin(struct visit *v, struct call *c, const struct principal *who)
{
	struct lambda_fn fn = { .account = v->url.account, .name = v->url.name };
	struct lambda_rec_version version;
	struct lambda_run run = { .v = &version };
	const char *reason;
	int r;

	fn.qualifier = v->url.qualifier.n ? v->url.qualifier : STR_NONE;
	r = lambda_function_read(c->txn, c->arena, fn.account, fn.name, &fn.f);
	if (r == 0)
		r = lambda_resolve(c, &fn, &version);
	if (r < 0) {
		lambda_visit_refuse(v, 404, "ResourceNotFoundException", S("{\"Message\":null}"));
		return 0;
	}
	if (lambda_enter(c, &fn, version.version.v, &v->slot, &reason) < 0) {
		lambda_visit_refuse(v, 429, "TooManyRequestsException",
				    str_printf(v->arena, "{\"Reason\":\"%s\",\"Type\":\"User\",\"message\":\"Rate Exceeded.\"}", reason));
		return 0;
	}
	v->timeout_s = version.timeout_s.v;
	run.account = fn.account;
	run.arn = lambda_arn(c, fn.account, fn.name, fn.qualifier);
	run.request_id = v->request_id;
	run.trace = lambda_trace(v->arena, v->f->http, clock_now_ms());
	run.payload = event_text(v, who);
	if (str_is(v->url.mode, "RESPONSE_STREAM"))
		lambda_visit_stream(v, &run);
	else
		lambda_run_start(v->f->cloud, v->region, &run, came_back, v);
	return 1;
}

static void serve(struct visit *v, const struct service *svc)
{
	struct principal who = { .p = { .type = PRINCIPAL_ANONYMOUS } };
	struct str reason;
	struct call c;
	int r = 0;

	if (str_is(v->url.auth, "AWS_IAM")) {
		r = front_authenticate(v->f, "lambda", v->region->name, v->f->http->body, &who, &reason);
		if (r < 0) {
			lambda_visit_refuse(v, 403, "AccessDeniedException", S("{\"Message\":\"Forbidden\"}"));
			return;
		}
	}
	r = front_call(v->f, v->region, svc, &who, &c);
	if (r < 0) {
		lambda_visit_refuse(v, 503, "ServiceUnavailable", S("{\"Message\":\"Service Unavailable\"}"));
		return;
	}
	if (allowed(&c, v) == 1)
		(void)begin(v, &c, &who); /* v may be gone */
	else
		lambda_visit_refuse(v, 403, "AccessDeniedException", S("{\"Message\":\"Forbidden\"}"));
	front_call_end(&c);
}

static int find_url(struct visit *v, struct str id)
{
	struct store_txn *t;
	int r = store_begin_read(v->region->store, &t);

	if (r < 0)
		return r;
	r = lambda_table_get(t, v->arena, S(""), "lambda.urlid", id, STR_NONE, LAMBDA_REC_URL, &v->url);
	store_end(t);
	return r;
}

static bool claims(struct cloud *cl, const struct http_request *r, struct str host)
{
	return (host.p && str_find(host, S(".lambda-url.")) > 0) || str_starts(r->path, S(CODE_PATH));
}

static void headers(struct front_request *f)
{
	struct visit *v = arena_new(&f->http->arena, struct visit);

	v->f = f;
	v->arena = &f->http->arena;
	v->request_id = f->facts.request_id;
	f->user = v;
	f->http->body_mode = HTTP_BODY_MEMORY;
	f->http->body_max = LAMBDA_SYNC_BYTES_MAX;
}

static void done(struct front_request *f)
{
	struct visit *v = f->user;
	struct str id, rest, kind, region;

	v->begun = true;
	if (str_starts(f->http->path, S(CODE_PATH))) {
		send_code(v);
		return;
	}
	if (str_cut(f->host, '.', &id, &rest) && str_cut(rest, '.', &kind, &region))
		v->region = front_region(f->cloud, region);
	if (!v->region || find_url(v, id) < 0) {
		lambda_visit_refuse(v, 403, "AccessDeniedException",
				    S("{\"Message\":\"Forbidden\"}")); /* as for one that exists and is not allowed */
		return;
	}
	if (cors(v))
		lambda_visit_reply(v, 200, S(""));
	else
		serve(v, cloud_service(f->cloud, "lambda"));
}

static void gone(struct front_request *f)
{
	struct visit *v = f->user;

	if (v && !v->begun)
		lambda_visit_reply(v, 400, S(""));
}

const struct front lambda_front = { .claims = claims, .headers = headers, .done = done, .gone = gone };
