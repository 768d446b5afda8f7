/* SPDX-License-Identifier: Apache-2.0 */
/* vtl_string.c - methods of strings. Positions count UTF-16 units, as in Java. Regular expressions run under PCRE2's limits. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "svc/apigateway/vtl_int.h"
#include <ctype.h>
#include <errno.h>
#include <pcre2.h>

#define REGEX_MATCH_LIMIT 100000
#define REGEX_DEPTH_LIMIT 5000
#define REGEX_HEAP_KIB 4096
#define REGEX_WORK 200 /* of compiling one */

static size_t char_bytes(const char *p, size_t n)
{
	size_t k = utf8_len(p, n);

	return k ? k : 1;
}

static int64_t units(struct str s)
{
	int64_t n = 0;

	for (size_t i = 0, k; i < s.n; i += k) {
		k = char_bytes(s.p + i, s.n - i);
		n += k == 4 ? 2 : 1;
	}
	return n;
}

static int offset(struct str s, int64_t unit, size_t *ret) /* -ERANGE */
{
	size_t i = 0, k;

	for (; unit > 0 && i < s.n; i += k) {
		k = char_bytes(s.p + i, s.n - i);
		unit -= k == 4 ? 2 : 1;
	}
	*ret = i;
	return unit <= 0 ? 0 : -ERANGE;
}

static int arg_text(struct vtl_run *r, const struct vtl_value *args, size_t n, size_t i, struct str *ret)
{
	*ret = S("");
	return i < n ? vtl_text(r, &args[i], ret) : 0;
}

static int give(struct vtl_run *r, struct str s, struct vtl_value *ret)
{
	*ret = vtl_str(s.p ? s : S(""));
	return vtl_charge(r, 1 + (int64_t)(s.n >> 6), s.n);
}

static int substring(struct vtl_run *r, struct str s, const struct vtl_value *args, size_t n, struct vtl_value *ret)
{
	size_t from, to = s.n;

	if (n < 1 || args[0].type != VTL_INT || args[0].i < 0 || offset(s, args[0].i, &from) < 0)
		return 0;
	if (n > 1 && (args[1].type != VTL_INT || args[1].i < args[0].i || offset(s, args[1].i, &to) < 0))
		return 0;
	*ret = vtl_str(str_of(s.p + from, to - from));
	return vtl_charge(r, 1 + (int64_t)(s.n >> 6), 0);
}

/* --- regular expressions --- */
struct regex {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *ctx;
};

static void regex_done(struct regex *x)
{
	pcre2_code_free(x->code);
	pcre2_match_data_free(x->data);
	pcre2_match_context_free(x->ctx);
}

static int regex_init(struct vtl_run *r, struct regex *x, struct str pattern)
{
	int code, e = vtl_charge(r, REGEX_WORK + (int64_t)pattern.n, 0);
	PCRE2_SIZE at;

	if (e < 0)
		return e;
	x->code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
	if (!x->code) {
		r->error = S("not a regular expression");
		return -EINVAL;
	}
	x->data = pcre2_match_data_create_from_pattern(x->code, NULL);
	x->ctx = pcre2_match_context_create(NULL);
	if (!x->data || !x->ctx)
		abort();
	pcre2_set_match_limit(x->ctx, REGEX_MATCH_LIMIT);
	pcre2_set_depth_limit(x->ctx, REGEX_DEPTH_LIMIT);
	pcre2_set_heap_limit(x->ctx, REGEX_HEAP_KIB);
	return 0;
}

/* next finds a match at or behind from: 1 found, 0 none. */
static int regex_next(struct vtl_run *r, struct regex *x, struct str s, size_t from, uint32_t options, size_t *ret_from, size_t *ret_to)
{
	int n, e = vtl_charge(r, 20 + (int64_t)((s.n - from) >> 4), 0);

	if (e < 0)
		return e;
	n = pcre2_match(x->code, (PCRE2_SPTR)s.p, s.n, from, options, x->data, x->ctx);
	if (n == PCRE2_ERROR_NOMATCH)
		return 0;
	if (n < 0) {
		r->error = S("a regular expression takes too much work");
		return -E2BIG;
	}
	*ret_from = pcre2_get_ovector_pointer(x->data)[0];
	*ret_to = pcre2_get_ovector_pointer(x->data)[1];
	if (*ret_to < *ret_from) /* \K in a lookahead */
		*ret_to = *ret_from;
	return 1;
}

static void replacement(struct regex *x, struct str s, struct str with, struct buf *out)
{
	PCRE2_SIZE *v = pcre2_get_ovector_pointer(x->data);
	uint32_t groups = pcre2_get_ovector_count(x->data);

	for (size_t i = 0; i < with.n; i++) {
		if (with.p[i] == '\\' && i + 1 < with.n)
			buf_c(out, with.p[++i]);
		else if (with.p[i] == '$' && i + 1 < with.n && isdigit((unsigned char)with.p[i + 1])) {
			uint32_t g = (uint32_t)(with.p[++i] - '0');

			if (g < groups && v[2 * g] != PCRE2_UNSET && v[2 * g + 1] >= v[2 * g])
				buf_put(out, s.p + v[2 * g], v[2 * g + 1] - v[2 * g]);
		} else
			buf_c(out, with.p[i]);
	}
}

static int replace_regex(struct vtl_run *r, struct str s, struct str pattern, struct str with, bool all, struct vtl_value *ret)
{
	_cleanup_(regex_done) struct regex x = { 0 };
	_cleanup_(buf_done) struct buf b = { 0 };
	size_t pos = 0, from, to;
	int e = regex_init(r, &x, pattern);

	buf_init(&b, VTL_OUT_BYTES_MAX);
	while (e == 0 && pos <= s.n && (e = regex_next(r, &x, s, pos, 0, &from, &to)) == 1) {
		if (from < pos)
			from = pos;
		buf_put(&b, s.p + pos, from - pos);
		replacement(&x, s, with, &b);
		e = 0;
		if (to <= from) { /* an empty match: go on behind the next character */
			size_t k = from < s.n ? char_bytes(s.p + from, s.n - from) : 1;

			if (from < s.n)
				buf_put(&b, s.p + from, k);
			to = from + k;
		}
		pos = to;
		if (!all || !buf_ok(&b))
			break;
	}
	if (e < 0)
		return e;
	if (pos < s.n)
		buf_put(&b, s.p + pos, s.n - pos);
	if (!buf_ok(&b)) {
		r->error = S("a text becomes too large");
		return -E2BIG;
	}
	return give(r, str_dup(r->arena, buf_view(&b)), ret);
}

static int matches(struct vtl_run *r, struct str s, struct str pattern, struct vtl_value *ret)
{
	_cleanup_(regex_done) struct regex x = { 0 };
	size_t from, to;
	int e = regex_init(r, &x, pattern);

	if (e == 0)
		e = regex_next(r, &x, s, 0, PCRE2_ANCHORED | PCRE2_ENDANCHORED, &from, &to);
	*ret = vtl_bool(e == 1);
	return e < 0 ? e : 0;
}

static int split(struct vtl_run *r, struct str s, struct str pattern, struct vtl_value *ret)
{
	_cleanup_(regex_done) struct regex x = { 0 };
	size_t pos = 0, search = 0, from, to;
	int e = regex_init(r, &x, pattern);

	*ret = vtl_list_new(r->arena);
	while (e == 0 && search <= s.n && (e = regex_next(r, &x, s, search, 0, &from, &to)) == 1) {
		e = vtl_charge(r, 1, sizeof(struct vtl_value));
		if (to <= from) { /* an empty match divides characters */
			if (from >= s.n)
				break;
			search = from + char_bytes(s.p + from, s.n - from);
			if (from == 0)
				continue;
		} else {
			search = to;
		}
		if (from >= pos && to > 0)
			vtl_list_add(r->arena, ret->list, vtl_str(str_of(s.p + pos, from - pos)));
		pos = to;
	}
	if (e < 0)
		return e;
	vtl_list_add(r->arena, ret->list, vtl_str(str_of(s.p + pos, s.n - pos)));
	while (ret->list->n > 1 && ret->list->v[ret->list->n - 1].s.n == 0) /* Java drops empty ones at the end */
		ret->list->n--;
	return 0;
}

static struct str upper(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	for (size_t i = 0; i < s.n; i++)
		p[i] = (char)((unsigned char)s.p[i] < 0x80 ? toupper((unsigned char)s.p[i]) : s.p[i]);
	p[s.n] = 0;
	return str_of(p, s.n);
}

static ptrdiff_t last_find(struct str s, struct str needle)
{
	for (size_t i = s.n + 1; i-- > 0;)
		if (i + needle.n <= s.n && memcmp(s.p + i, needle.p, needle.n) == 0)
			return (ptrdiff_t)i;
	return -1;
}

static int replace_text(struct vtl_run *r, struct str s, struct str from, struct str to, struct vtl_value *ret)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	const char *p = s.p, *end = s.p + s.n, *q;
	int e = vtl_charge(r, 1 + (int64_t)(s.n >> 4), 0);

	buf_init(&b, VTL_OUT_BYTES_MAX);
	for (; e == 0 && from.n && (size_t)(end - p) >= from.n && buf_ok(&b); e = vtl_charge(r, 1, 0)) {
		q = memchr(p, from.p[0], (size_t)(end - p) - from.n + 1);
		if (!q)
			break;
		buf_put(&b, p, (size_t)(q - p));
		if (memcmp(q, from.p, from.n) == 0) {
			buf_str(&b, to);
			p = q + from.n;
		} else {
			buf_c(&b, *q);
			p = q + 1;
		}
	}
	buf_put(&b, p, (size_t)(end - p));
	if (e == 0 && !buf_ok(&b)) {
		r->error = S("a text becomes too large");
		return -E2BIG;
	}
	return e < 0 ? e : give(r, str_dup(r->arena, buf_view(&b)), ret);
}

static int find_call(struct vtl_run *r, struct str s, struct str name, struct str a, struct vtl_value *ret)
{
	ptrdiff_t at;
	int e = vtl_charge(r, 1 + (int64_t)(s.n >> 4), 0);

	if (e < 0)
		return e;
	if (str_is(name, "contains"))
		*ret = vtl_bool(str_find(s, a) >= 0);
	else if (str_is(name, "startsWith"))
		*ret = vtl_bool(str_starts(s, a));
	else if (str_is(name, "endsWith"))
		*ret = vtl_bool(str_ends(s, a));
	else if (str_is(name, "equalsIgnoreCase"))
		*ret = vtl_bool(str_eq_ci(s, a));
	else if (str_is(name, "compareTo"))
		*ret = vtl_int(str_cmp(s, a));
	else if (str_is(name, "indexOf") || str_is(name, "lastIndexOf")) {
		if (str_is(name, "lastIndexOf"))
			e = vtl_charge(r, (int64_t)(s.n * (a.n + 1) >> 8), 0);
		at = str_is(name, "indexOf") ? str_find(s, a) : e < 0 ? -1 : last_find(s, a);
		*ret = vtl_int(at < 0 ? -1 : units(str_of(s.p, (size_t)at)));
	}
	return e;
}

int vtl_string_call(struct vtl_run *r, struct str s, struct str name, const struct vtl_value *args, size_t n, struct vtl_value *ret)
{
	struct str a, b;
	int e = arg_text(r, args, n, 0, &a);

	if (e == 0)
		e = arg_text(r, args, n, 1, &b);
	if (e < 0)
		return e;
	if (str_is(name, "length"))
		*ret = vtl_int(units(s));
	else if (str_is(name, "isEmpty"))
		*ret = vtl_bool(s.n == 0);
	else if (str_is(name, "isBlank"))
		*ret = vtl_bool(str_trim(s).n == 0);
	else if (str_is(name, "trim") || str_is(name, "strip"))
		*ret = vtl_str(str_trim(s).p ? str_trim(s) : S(""));
	else if (str_is(name, "toLowerCase"))
		return give(r, str_lower(r->arena, s), ret);
	else if (str_is(name, "toUpperCase"))
		return give(r, upper(r->arena, s), ret);
	else if (str_is(name, "substring"))
		return substring(r, s, args, n, ret);
	else if (str_is(name, "charAt") && n == 1 && args[0].type == VTL_INT && args[0].i < INT64_MAX) {
		struct vtl_value range[2] = { args[0], vtl_int(args[0].i + 1) };

		return substring(r, s, range, 2, ret);
	} else if (str_is(name, "concat") && n == 1) {
		e = vtl_charge(r, 1, s.n + a.n);
		return e < 0 ? e : give(r, str_printf(r->arena, "%.*s%.*s", STR(s), STR(a)), ret);
	} else if (str_is(name, "replace") && n == 2)
		return replace_text(r, s, a, b, ret);
	else if ((str_is(name, "replaceAll") || str_is(name, "replaceFirst")) && n == 2)
		return replace_regex(r, s, a, b, str_is(name, "replaceAll"), ret);
	else if (str_is(name, "matches") && n == 1)
		return matches(r, s, a, ret);
	else if (str_is(name, "split") && n >= 1)
		return split(r, s, a, ret);
	else if (n >= 1)
		return find_call(r, s, name, a, ret);
	return 0;
}
