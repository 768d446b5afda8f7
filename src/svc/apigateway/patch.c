/* SPDX-License-Identifier: Apache-2.0 */
/* patch.c - patch operations: a path names a place in a record, by the API's member names.
 *
 * Each kind of record has a table of the paths that may be changed and how ("Patch operations", REST API Reference); the
 * walk itself is one for all. "~1" in a path is '/', "~0" is '~'. Elements of lists of strings are named by their value. */
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>

#define SEGMENTS_MAX 8
#define PATCHES_MAX 200

struct patch {
	struct call *c;
	const struct apigateway_patch_operation *o;
	enum apigw_patch_op op;
	struct str seg[SEGMENTS_MAX];
	size_t n;
	struct str value;
};

static int bad_value(struct patch *p)
{
	return call_fail(p->c, &apigateway_err_bad_request, "Invalid value '%.*s' specified for patch path '%.*s'", STR(p->value),
			 STR(p->o->path));
}

static int set_scalar(struct patch *p, const struct desc_shape *s, void *slot)
{
	struct opt_bool b = { true, false };
	struct opt_int i = { true, 0 };
	struct opt_double d = { true, 0 };

	if (p->op == APIGW_REMOVE) {
		memset(slot, 0, s->size);
		return 0;
	}
	switch ((enum desc_kind)s->kind) {
	case DK_STRING:
		*(struct str *)slot = p->value;
		return 0;
	case DK_BOOL:
		b.v = str_eq_ci(p->value, S("true"));
		if (!b.v && !str_eq_ci(p->value, S("false")))
			return bad_value(p);
		*(struct opt_bool *)slot = b;
		return 0;
	case DK_LONG:
	case DK_INT:
		if (str_to_i64(p->value, &i.v) < 0 || i.v > INT32_MAX || i.v < INT32_MIN)
			return bad_value(p);
		*(struct opt_int *)slot = i;
		return 0;
	case DK_DOUBLE:
		if (str_to_double(p->value, &d.v) < 0)
			return bad_value(p);
		*(struct opt_double *)slot = d;
		return 0;
	default:
		return bad_value(p);
	}
}

static int change_map(struct patch *p, const struct desc_shape *e, void *map, size_t at)
{
	struct {
		char *v;
		size_t n;
	} *m = map;
	size_t size = (16 + (size_t)e->size + 7) / 8 * 8, i;
	struct str key;

	if (p->n == at) {
		if (p->op != APIGW_REMOVE)
			return bad_value(p);
		m->n = 0;
		return 0;
	}
	if (p->n != at + 1 || e->kind >= DK_STRUCT)
		return bad_value(p);
	key = p->seg[at];
	for (i = 0; i < m->n; i++)
		if (str_eq(*(struct str *)(void *)(m->v + i * size), key))
			break;
	if (p->op == APIGW_REMOVE) {
		if (i < m->n) {
			memmove(m->v + i * size, m->v + (i + 1) * size, (m->n - i - 1) * size);
			m->n--;
		}
		return 0;
	}
	if (i == m->n) {
		char *v = arena_zalloc(p->c->arena, (m->n + 1) * size);

		if (m->n)
			memcpy(v, m->v, m->n * size);
		m->v = v;
		*(struct str *)(void *)(m->v + m->n++ * size) = key;
	}
	if (!p->value.p)
		p->value = e->kind == DK_BOOL ? S("false") : S("");
	return set_scalar(p, e, m->v + i * size + 16);
}

static int change_list(struct patch *p, struct str_list *l, size_t at)
{
	struct str what = p->n > at ? p->seg[at] : p->value, *v;
	uint64_t index;
	size_t i;

	if (p->n > at + 1 || (p->n == at && !p->value.p && p->op != APIGW_REMOVE))
		return bad_value(p);
	if (!what.p) { /* remove all */
		l->n = 0;
		return 0;
	}
	for (i = 0; i < l->n; i++)
		if (str_eq(l->v[i], what))
			break;
	if (i == l->n && p->n > at && p->op != APIGW_ADD && str_to_u64(what, &index) == 0 && index < l->n)
		i = (size_t)index;
	switch (p->op) {
	case APIGW_REMOVE:
		if (i < l->n) {
			memmove(l->v + i, l->v + i + 1, (l->n - i - 1) * sizeof *l->v);
			l->n--;
		}
		return 0;
	case APIGW_REPLACE:
		if (p->n == at) { /* the whole list: comma-separated */
			struct str rest = p->value, one;
			size_t cap = 0;

			*l = (struct str_list){ 0 };
			while (str_next(&rest, ',', &one))
				vec_push(p->c->arena, l->v, l->n, cap) = str_trim(one);
			return 0;
		}
		if (i == l->n || !p->value.p)
			return bad_value(p);
		l->v[i] = p->value;
		return 0;
	default:
		if (i < l->n)
			return 0;
		v = arena_array(p->c->arena, struct str, l->n + 1);
		if (l->n)
			memcpy(v, l->v, l->n * sizeof *v);
		l->v = v;
		l->v[l->n++] = what;
		return 0;
	}
}

static int change(struct patch *p, const struct desc_shape *s, char *rec, size_t at)
{
	for (size_t i = 0; i < s->n_members; i++) {
		const struct desc_member *m = &s->members[i];
		const struct desc_shape *ms = &apigw_records.shapes[m->shape];
		void **slot = (void **)(void *)(rec + m->offset);

		if (!str_eq(str_c(m->name), p->seg[at]))
			continue;
		if (ms->kind == DK_STRUCT) {
			if (p->n == at + 1) {
				if (p->op != APIGW_REMOVE)
					return bad_value(p);
				*slot = NULL;
				return 0;
			}
			if (!*slot)
				*slot = arena_zalloc(p->c->arena, ms->size);
			return change(p, ms, *slot, at + 1);
		}
		if (ms->kind == DK_MAP)
			return change_map(p, &apigw_records.shapes[ms->element], slot, at + 1);
		if (ms->kind == DK_LIST && apigw_records.shapes[ms->element].kind == DK_STRING)
			return change_list(p, (struct str_list *)(void *)slot, at + 1);
		if (p->n == at + 1)
			return set_scalar(p, ms, slot);
	}
	return bad_value(p);
}

static const char *const op_names[] = {
	[APIGW_ADD] = "add", [APIGW_REPLACE] = "replace", [APIGW_REMOVE] = "remove", [APIGW_COPY] = "copy"
};

static int not_allowed(struct call *c, const struct apigateway_patch_operation *o, enum apigw_patch_op op, const struct apigw_rule *rules)
{
	struct buf b = { 0 };
	int r;

	buf_init(&b, 8192);
	for (const struct apigw_rule *u = rules; u->path; u++)
		if (u->ops & op) {
			if (b.n)
				buf_str(&b, S(", "));
			buf_str(&b, str_c(u->path));
		}
	if (b.n)
		r = call_fail(c, &apigateway_err_bad_request, "Invalid patch path  '%.*s' specified for op '%s'. Must be one of: [%.*s]",
			      STR(o->path), op_names[op], STR(buf_view(&b)));
	else
		r = call_fail(c, &apigateway_err_bad_request,
			      "Invalid patch path  '%.*s' specified for op '%s'. Please choose supported operations", STR(o->path),
			      op_names[op]);
	buf_done(&b);
	return r;
}

/* Does the path fit "/a/{x}/b"? A segment in braces stands for any one. */
static bool fits(const char *rule, struct str path)
{
	struct str r = str_skip(str_c(rule), 1), p, a, b;

	if (!path.n || path.p[0] != '/')
		return false;
	p = str_skip(path, 1);
	while (r.p && p.p) {
		(void)str_next(&r, '/', &a);
		(void)str_next(&p, '/', &b);
		if (a.n && a.p[0] == '{' ? b.n == 0 : !str_eq(a, b))
			return false;
	}
	return !r.p && !p.p;
}

static int one(struct call *c, uint16_t shape, void *rec, const struct apigateway_patch_operation *o, const struct apigw_rule *rules)
{
	struct patch p = { .c = c, .o = o, .value = o->value };
	const struct apigw_rule *u;
	struct str rest, seg;

	if (!o->op.p || !o->path.p)
		return call_fail(c, &apigateway_err_bad_request, "Invalid patch operation specified: op and path must be given");
	for (size_t i = APIGW_ADD; i < ELEMENTS(op_names); i <<= 1)
		if (str_is(o->op, op_names[i]))
			p.op = (enum apigw_patch_op)i;
	if (!p.op)
		return call_fail(c, &apigateway_err_bad_request,
				 "Invalid patch operation specified. Must be 'add'|'remove'|'replace'|'copy'");
	for (u = rules; u->path; u++)
		if ((u->ops & p.op) && (u->special ? u->fits(o->path) : fits(u->path, o->path)))
			break;
	if (!u->path)
		return not_allowed(c, o, p.op, rules);
	if (u->special)
		return u->special(c, rec, p.op, o);
	rest = str_skip(o->path, 1);
	while (str_next(&rest, '/', &seg)) {
		if (p.n == SEGMENTS_MAX)
			return bad_value(&p);
		p.seg[p.n++] = apigw_unescape(c->arena, seg);
	}
	if (p.op == APIGW_REPLACE && !p.value.p)
		p.value = S("");
	return change(&p, &apigw_records.shapes[shape], rec, 0);
}

int apigw_patch(struct call *c, uint16_t shape, void *rec, const struct apigateway_patch_operation_list *ops,
		const struct apigw_rule *rules)
{
	int r = 0;

	if (ops->n > PATCHES_MAX)
		return call_fail(c, &apigateway_err_bad_request, "Too many patch operations specified: at most %d are allowed",
				 PATCHES_MAX);
	for (size_t i = 0; r == 0 && i < ops->n; i++)
		r = one(c, shape, rec, &ops->v[i], rules);
	return r;
}

bool apigw_patched(const struct apigateway_patch_operation_list *ops, const char *path)
{
	for (size_t i = 0; i < ops->n; i++)
		if (fits(path, ops->v[i].path))
			return true;
	return false;
}
