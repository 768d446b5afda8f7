/* SPDX-License-Identifier: Apache-2.0 */
/* custom.c - see custom.h. */
#include "cfn/custom.h"
#include "base/arena.h"
#include "base/util.h"
#include <errno.h>
#include <inttypes.h>

/* --- requests --- */
static void to_strings(struct arena *a, struct json *j)
{
	switch (j->type) {
	case JSON_NUMBER:
	case JSON_BOOL:
		*j = *json_new_str(a, json_scalar(j));
		break;
	case JSON_ARRAY:
		for (size_t i = 0; i < j->n; i++)
			to_strings(a, &j->items[i]);
		break;
	case JSON_OBJECT:
		for (size_t i = 0; i < j->n; i++)
			to_strings(a, &j->members[i].value);
		break;
	case JSON_NULL:
	case JSON_STRING:
		break;
	}
}

struct json *custom_strings(struct arena *a, const struct json *j)
{
	struct json *out = j ? json_copy(a, j) : json_new(a, JSON_OBJECT);

	to_strings(a, out);
	return out;
}

struct str custom_event(struct arena *a, const struct custom_request *q)
{
	struct json *e = json_new(a, JSON_OBJECT);

	json_set_str(a, e, "RequestType", str_c(q->type));
	json_set_str(a, e, "ServiceToken", q->service_token);
	json_set_str(a, e, "ResponseURL", q->url);
	json_set_str(a, e, "StackId", q->stack_id);
	json_set_str(a, e, "RequestId", q->request_id);
	json_set_str(a, e, "LogicalResourceId", q->logical);
	json_set_str(a, e, "PhysicalResourceId", q->physical);
	json_set_str(a, e, "ResourceType", q->resource_type);
	json_set(a, e, S("ResourceProperties"), custom_strings(a, q->props));
	if (q->old_props)
		json_set(a, e, S("OldResourceProperties"), custom_strings(a, q->old_props));
	return json_text(a, e);
}

int custom_timeout(struct arena *a, const struct json *props, int64_t *ret, struct str *ret_err)
{
	const struct json *j = json_getz(props, "ServiceTimeout");

	*ret = CUSTOM_TIMEOUT_SECONDS_MAX;
	if (!j)
		return 0;
	if (json_to_i64(j, ret) == 0 && *ret >= 1 && *ret <= CUSTOM_TIMEOUT_SECONDS_MAX)
		return 0;
	*ret_err = str_printf(a, "Invalid ServiceTimeout value: it must be between 1 and %d seconds.", CUSTOM_TIMEOUT_SECONDS_MAX);
	return -EINVAL;
}

/* --- answers --- */
static int invalid(struct arena *a, struct str *ret_err, const char *fmt, ...) _printf_(3, 4);
static int invalid(struct arena *a, struct str *ret_err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	*ret_err = str_vprintf(a, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* Events are shown in XML, which has no place for most control characters. */
static struct str printable(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		p[i] = (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f ? '?' : (char)c;
	}
	return str_of(p, s.n);
}

/* One that must be there, as it was in the request. */
static int same(struct arena *a, const struct json *j, const char *name, struct str want, struct str *ret_err)
{
	const struct json *m = json_getz(j, name);

	if (!json_is(m, JSON_STRING))
		return invalid(a, ret_err, "Invalid response object: %s must be a string", name);
	if (!str_eq(m->s, want))
		return invalid(a, ret_err, "Invalid response object: Value of %s does not match the request", name);
	return 0;
}

static int text_of(struct arena *a, const struct json *j, const char *name, struct str *ret, struct str *ret_err)
{
	const struct json *m = json_getz(j, name);

	*ret = STR_NONE;
	if (!m || m->type == JSON_NULL)
		return 0;
	if (m->type != JSON_STRING)
		return invalid(a, ret_err, "Invalid response object: %s must be a string", name);
	*ret = printable(a, m->s);
	return 0;
}

int custom_answer_parse(struct arena *a, struct str body, const struct custom_request *q, struct custom_answer *ret, struct str *ret_err)
{
	struct json *j, *data;
	struct str status;
	int r;

	*ret = (struct custom_answer){ 0 };
	if (body.n > CUSTOM_ANSWER_BYTES_MAX)
		return invalid(a, ret_err, "Response object is too long.");
	if (json_parse(a, body, &j, NULL) < 0)
		return invalid(a, ret_err, "Response is not valid JSON");
	if (j->type != JSON_OBJECT)
		return invalid(a, ret_err, "Invalid response object");
	r = same(a, j, "StackId", q->stack_id, ret_err);
	if (r == 0)
		r = same(a, j, "RequestId", q->request_id, ret_err);
	if (r == 0)
		r = same(a, j, "LogicalResourceId", q->logical, ret_err);
	if (r == 0)
		r = text_of(a, j, "Status", &status, ret_err);
	if (r == 0)
		r = text_of(a, j, "Reason", &ret->reason, ret_err);
	if (r == 0)
		r = text_of(a, j, "PhysicalResourceId", &ret->physical, ret_err);
	if (r < 0)
		return r;
	ret->success = str_is(status, "SUCCESS");
	if (!ret->success && !str_is(status, "FAILED"))
		return invalid(a, ret_err, "Invalid Response object: '%.*s' is not a valid ResponseStatus", STR(status));
	if (ret->physical.n > CUSTOM_ID_BYTES_MAX || (ret->success && !ret->physical.n))
		return invalid(a, ret_err, "Invalid PhysicalResourceId");
	if (!ret->physical.n)
		ret->physical = STR_NONE;
	data = json_getz(j, "Data");
	if (data && data->type != JSON_OBJECT && data->type != JSON_NULL)
		return invalid(a, ret_err, "Invalid response object: Data must be an object");
	ret->data = custom_strings(a, json_is(data, JSON_OBJECT) ? data : NULL);
	ret->no_echo = json_to_bool(json_getz(j, "NoEcho"), false);
	return 0;
}

/* --- places --- */
static struct str signature(struct arena *a, const uint8_t key[32], struct str path, struct str query)
{
	struct str text = str_printf(a, "PUT\n%.*s\n%.*s", STR(path), STR(query));
	uint8_t h[32];

	hmac_sha256(key, 32, text.p, text.n, h);
	return hex_encode(a, h, sizeof h);
}

struct str custom_target(struct arena *a, const uint8_t key[32], const struct custom_place *p, int64_t now_ms, int64_t expires_ms)
{
	char *region = arena_alloc(a, p->region.n + 1);
	struct str name, path, query, now = time_basic(a, now_ms);
	size_t n = 0;

	for (size_t i = 0; i < p->region.n; i++)
		if (p->region.p[i] != '-')
			region[n++] = p->region.p[i];
	name = str_printf(a, "%.*s|%.*s|%.*s", STR(p->stack_id), STR(p->logical), STR(p->request_id));
	path = str_printf(a, CUSTOM_PATH "%.*s/%.*s", (int)n, region, STR(uri_encode(a, name, true)));
	query = str_printf(a,
			   "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=cloudformation%%2F%.8s%%2F%.*s%%2Fs3%%2Faws4_request&"
			   "X-Amz-Date=%.*s&X-Amz-Expires=%" PRId64 "&X-Amz-SignedHeaders=host",
			   now.p, STR(p->region), STR(now), (expires_ms - now_ms + 999) / 1000);
	return str_printf(a, "%.*s?%.*s&X-Amz-Signature=%.*s", STR(path), STR(query), STR(signature(a, key, path, query)));
}

static struct str query_value(struct str query, const char *name)
{
	struct str part, rest = query, key, value;

	while (rest.n) {
		if (!str_cut(rest, '&', &part, &rest)) {
			part = rest;
			rest = S("");
		}
		if (str_cut(part, '=', &key, &value) && str_is(key, name))
			return value;
	}
	return STR_NONE;
}

int custom_target_parse(struct arena *a, const uint8_t key[32], struct str path, struct str query, int64_t now_ms, struct custom_place *ret)
{
	static const char mark[] = "&X-Amz-Signature=";
	ptrdiff_t at = query.p ? str_find(query, S("&X-Amz-Signature=")) : -1;
	struct str signed_part, given, want, region, name, expires;
	int64_t begin, seconds;

	if (!str_starts(path, S(CUSTOM_PATH)) || at < 0)
		return -EACCES;
	signed_part = str_of(query.p, (size_t)at);
	given = str_skip(query, (size_t)at + sizeof mark - 1);
	want = signature(a, key, path, signed_part);
	if (given.n != want.n || !mem_equal_ct(given.p, want.p, want.n))
		return -EACCES;
	/* From here on it is our own text. */
	if (time_parse_basic(query_value(signed_part, "X-Amz-Date"), &begin) < 0)
		return -EACCES;
	expires = query_value(signed_part, "X-Amz-Expires");
	if (str_to_i64(expires, &seconds) < 0 || !str_cut(str_skip(path, sizeof CUSTOM_PATH - 1), '/', &region, &name) ||
	    uri_decode(a, name, false, &name) < 0 || !str_cut(name, '|', &ret->stack_id, &name) ||
	    !str_cut(name, '|', &ret->logical, &ret->request_id))
		return -EACCES;
	ret->region = region;
	for (int i = 0; i < 3; i++) /* arn:PARTITION:cloudformation:REGION:... */
		if (!str_cut(i ? ret->region : ret->stack_id, ':', &region, &ret->region))
			return -EACCES;
	if (!str_cut(ret->region, ':', &ret->region, &region))
		return -EACCES;
	return now_ms > begin + seconds * 1000 ? -ETIME : 0;
}
