/* SPDX-License-Identifier: Apache-2.0 */
/* vtl_input.c - what API Gateway adds to templates: $input and $util. */
#include "svc/apigateway/vtl_int.h"
#include "base/util.h"
#include <errno.h>

static int root_of(struct vtl_run *r, struct vtl_input *in, struct json **ret)
{
	if (!in->tried) {
		int e = vtl_charge(r, (int64_t)(in->body.n >> 4), in->body.n * 4);

		if (e < 0)
			return e;
		in->tried = true;
		if (in->body.n == 0)
			in->parsed = json_new(r->arena, JSON_OBJECT);
		else if (json_parse(r->arena, in->body, &in->parsed, NULL) < 0)
			in->parsed = json_new_str(r->arena, in->body); /* what isn't JSON is a text */
	}
	*ret = in->parsed;
	return 0;
}

static int at_path(struct vtl_run *r, struct vtl_input *in, const struct vtl_value *args, size_t n, struct json **ret)
{
	struct json *root;
	struct str path = S("$");
	int e = root_of(r, in, &root);

	if (e == 0 && n)
		e = vtl_text(r, &args[0], &path);
	if (e == 0 && str_is(path, "$")) {
		*ret = root;
		return 0;
	}
	if (e == 0)
		e = vtl_charge(r, 20, 0);
	if (e == 0)
		e = json_path(r->arena, root, path, ret);
	if (e < 0 && !r->error.p)
		r->error = str_printf(r->arena, "Invalid JSON path: %.*s", STR(path));
	return e;
}

static struct vtl_value param(const struct vtl_input *in, struct str name)
{
	const struct vtl_map *maps[] = { in->path, in->querystring, in->header };

	for (size_t i = 0; i < ELEMENTS(maps); i++)
		for (size_t k = 0; maps[i] && k < maps[i]->n; k++)
			if (i == 2 ? str_eq_ci(maps[i]->v[k].key, name) : str_eq(maps[i]->v[k].key, name))
				return maps[i]->v[k].value;
	return vtl_str(S(""));
}

static struct vtl_value map_or_empty(struct arena *a, struct vtl_map *m)
{
	return m ? (struct vtl_value){ VTL_MAP, { .map = m } } : vtl_map_new(a);
}

static int params(struct vtl_run *r, struct vtl_input *in, const struct vtl_value *args, size_t n, struct vtl_value *ret)
{
	struct str name;
	int e;

	if (n) {
		e = vtl_text(r, &args[0], &name);
		if (e == 0)
			*ret = param(in, name);
		return e;
	}
	*ret = vtl_map_new(r->arena);
	vtl_map_set(r->arena, ret->map, S("path"), map_or_empty(r->arena, in->path));
	vtl_map_set(r->arena, ret->map, S("querystring"), map_or_empty(r->arena, in->querystring));
	vtl_map_set(r->arena, ret->map, S("header"), map_or_empty(r->arena, in->header));
	return 0;
}

static int input_call(struct vtl_run *r, void *arg, struct str name, const struct vtl_value *args, size_t n, struct vtl_value *ret)
{
	struct vtl_input *in = arg;
	struct json *j;
	int e;

	if (str_is(name, "params"))
		return params(r, in, args, n, ret);
	if (str_is(name, "json")) {
		e = at_path(r, in, args, n, &j);
		if (e < 0)
			return e;
		*ret = vtl_str(j ? json_text(r->arena, j) : S("\"\""));
		return vtl_charge(r, 1 + (int64_t)(ret->s.n >> 6), ret->s.n);
	}
	if (str_is(name, "path")) {
		e = at_path(r, in, args, n, &j);
		return e < 0 || !j ? e : vtl_from_json(r, r->arena, j, ret);
	}
	return 0;
}

static int input_get(struct vtl_run *r, void *arg, struct str name, struct vtl_value *ret)
{
	struct vtl_input *in = arg;

	if (str_is(name, "body"))
		*ret = vtl_str(in->body.n ? in->body : S("{}"));
	return 0;
}

/* escape_js: Apache Commons' escapeJavaScript, of which API Gateway's templates say "'" becomes "\'". */
static struct str escape_js(struct arena *a, struct str s)
{
	static const char plain[] = "\b\t\n\f\r", letter[] = "btnfr";
	struct buf b;
	struct str ret;

	buf_init(&b, s.n * 6 + 16);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		const char *at = c ? strchr(plain, c) : NULL;

		if (at)
			buf_printf(&b, "\\%c", letter[at - plain]);
		else if (c < 0x20)
			buf_printf(&b, "\\u%04X", c);
		else if (c == '"' || c == '\'' || c == '\\' || c == '/')
			buf_printf(&b, "\\%c", c);
		else if (c < 0x80)
			buf_c(&b, (char)c);
		else {
			size_t k = utf8_len(s.p + i, s.n - i);
			uint32_t u = k == 2 ? c & 0x1Fu : k == 3 ? c & 0x0Fu : k == 4 ? c & 0x07u : 0xFFFD;

			for (size_t j = 1; j < k; j++)
				u = u << 6 | ((unsigned char)s.p[i + j] & 0x3Fu);
			if (u >= 0x10000)
				buf_printf(&b, "\\u%04X\\u%04X", 0xD800 + ((u - 0x10000) >> 10), 0xDC00 + ((u - 0x10000) & 0x3FF));
			else
				buf_printf(&b, "\\u%04X", u);
			i += k ? k - 1 : 0;
		}
	}
	ret = str_dup(a, buf_view(&b));
	buf_done(&b);
	return ret;
}

/* url_encode: Java's URLEncoder: blanks become '+', "*-._" stay. */
static struct str url_encode(struct arena *a, struct str s)
{
	struct str e = uri_encode(a, s, false);

	e = str_replace(a, e, S("%20"), S("+"));
	e = str_replace(a, e, S("~"), S("%7E"));
	return str_replace(a, e, S("%2A"), S("*"));
}

static int util_call(struct vtl_run *r, void *arg, struct str name, const struct vtl_value *args, size_t n, struct vtl_value *ret)
{
	struct str s, out = STR_NONE;
	struct json *j;
	int e;

	if (n != 1)
		return 0;
	e = vtl_text(r, &args[0], &s);
	if (e == 0)
		e = vtl_charge(r, 2 + (int64_t)(s.n >> 4), s.n * 4);
	if (e < 0)
		return e;
	if (str_is(name, "escapeJavaScript"))
		out = args[0].type == VTL_NULL ? STR_NONE : escape_js(r->arena, s);
	else if (str_is(name, "urlEncode"))
		out = url_encode(r->arena, s);
	else if (str_is(name, "urlDecode"))
		e = uri_decode(r->arena, s, true, &out);
	else if (str_is(name, "base64Encode"))
		out = base64_encode(r->arena, s);
	else if (str_is(name, "base64Decode"))
		e = base64_decode(r->arena, s, &out);
	else if (str_is(name, "toJson"))
		out = json_text(r->arena, vtl_to_json(r->arena, &args[0]));
	else if (str_is(name, "parseJson")) {
		e = json_parse(r->arena, s, &j, NULL);
		if (e == 0)
			return vtl_from_json(r, r->arena, j, ret);
	}
	if (e < 0) {
		r->error = str_printf(r->arena, "$util.%.*s: bad input", STR(name));
		return e;
	}
	*ret = vtl_str(out);
	return 0;
}

static int util_get(struct vtl_run *r, void *arg, struct str name, struct vtl_value *ret)
{
	return 0;
}

void vtl_define_input(struct vtl_run *r, struct vtl_input *in)
{
	in->native = (struct vtl_native){ input_get, input_call, in };
	in->util = (struct vtl_native){ util_get, util_call, NULL };
	vtl_define(r, "input", (struct vtl_value){ VTL_NATIVE, { .native = &in->native } });
	vtl_define(r, "util", (struct vtl_value){ VTL_NATIVE, { .native = &in->util } });
}
