/* SPDX-License-Identifier: Apache-2.0 */
/* vtl_eval.c - renders parsed templates. Every node, step and operand counts as work. */
#include "svc/apigateway/vtl_int.h"
#include <assert.h>
#include <errno.h>
#include <math.h>

static int eval_ref(struct vtl_run *r, const struct vtl_ref *ref, struct vtl_value *ret);

static int deeper(struct vtl_run *r)
{
	if (++r->depth <= VTL_DEPTH_MAX * 4)
		return vtl_charge(r, 1, 0);
	r->error = S("the template is nested too deeply");
	return -E2BIG;
}

static int eval_args(struct vtl_run *r, struct vtl_expr *const *v, size_t n, struct vtl_value **ret)
{
	struct vtl_value *args = arena_array(r->arena, struct vtl_value, n);
	int e = vtl_charge(r, 1, n * sizeof *args);

	for (size_t i = 0; i < n && e == 0; i++)
		e = vtl_eval(r, v[i], &args[i]);
	*ret = args;
	return e;
}

static int index_of(struct vtl_run *r, const struct vtl_value *v, const struct vtl_value *key, struct vtl_value *ret)
{
	const struct vtl_value *found;
	struct str s;
	int e;

	*ret = vtl_null();
	if (v->type == VTL_LIST && key->type == VTL_INT) {
		int64_t i = key->i < 0 ? key->i + (int64_t)v->list->n : key->i;

		if (i >= 0 && (size_t)i < v->list->n)
			*ret = v->list->v[i];
		return 0;
	}
	if (v->type != VTL_MAP)
		return 0;
	e = vtl_text(r, key, &s);
	found = e < 0 ? NULL : vtl_map_get(v->map, s);
	if (found)
		*ret = *found;
	return e < 0 ? e : vtl_charge(r, (int64_t)(v->map->n / 16), 0);
}

static int eval_step(struct vtl_run *r, const struct vtl_step *s, struct vtl_value *v)
{
	struct vtl_value *args, from = *v;
	int e = vtl_charge(r, 1, 0);

	if (e < 0)
		return e;
	if (s->kind == STEP_FIELD)
		return vtl_property(r, &from, s->name, v);
	e = eval_args(r, s->args, s->n, &args);
	if (e < 0)
		return e;
	return s->kind == STEP_INDEX ? index_of(r, &from, &args[0], v) : vtl_call(r, &from, s->name, args, s->n, v);
}

/* walk follows steps up to (not with) last; last NULL: all. */
static int walk(struct vtl_run *r, const struct vtl_ref *ref, const struct vtl_step *last, struct vtl_value *ret)
{
	const struct vtl_value *v = vtl_map_get(&r->vars, ref->name);
	int e = vtl_charge(r, 1 + (int64_t)(r->vars.n / 16), 0);

	*ret = v ? *v : vtl_null();
	for (const struct vtl_step *s = ref->steps; s && s != last && e == 0; s = s->next)
		e = ret->type == VTL_NULL ? 0 : eval_step(r, s, ret);
	return e;
}

static int eval_ref(struct vtl_run *r, const struct vtl_ref *ref, struct vtl_value *ret)
{
	return walk(r, ref, NULL, ret);
}

/* --- operators --- */
static bool both_int(const struct vtl_value *a, const struct vtl_value *b)
{
	return a->type == VTL_INT && b->type == VTL_INT;
}

static bool to_double(const struct vtl_value *v, double *ret)
{
	*ret = v->type == VTL_INT ? (double)v->i : v->d;
	return v->type == VTL_INT || v->type == VTL_DOUBLE;
}

static struct vtl_value arith_int(enum vtl_expr_kind k, int64_t a, int64_t b)
{
	uint64_t x = (uint64_t)a, y = (uint64_t)b; /* wraps, as Java does */

	switch (k) {
	case EXPR_ADD:
		return vtl_int((int64_t)(x + y));
	case EXPR_SUB:
		return vtl_int((int64_t)(x - y));
	case EXPR_MUL:
		return vtl_int((int64_t)(x * y));
	default:
		break;
	}
	if (b == 0)
		return vtl_null();
	if (b == -1)
		return vtl_int(k == EXPR_DIV ? (int64_t)(0 - x) : 0);
	return vtl_int(k == EXPR_DIV ? a / b : a % b);
}

static int arith(struct vtl_run *r, enum vtl_expr_kind k, const struct vtl_value *a, const struct vtl_value *b, struct vtl_value *ret)
{
	double x, y;
	struct str s, t;
	int e;

	*ret = vtl_null();
	if (both_int(a, b)) {
		*ret = arith_int(k, a->i, b->i);
		return 0;
	}
	if (to_double(a, &x) && to_double(b, &y)) {
		if ((k == EXPR_DIV || k == EXPR_MOD) && y == 0)
			return 0;
		*ret = (struct vtl_value){ VTL_DOUBLE,
					   { .d = k == EXPR_ADD   ? x + y
						  : k == EXPR_SUB ? x - y
						  : k == EXPR_MUL ? x * y
						  : k == EXPR_DIV ? x / y
								  : fmod(x, y) } };
		return 0;
	}
	if (k != EXPR_ADD || (a->type != VTL_STR && b->type != VTL_STR))
		return 0;
	e = vtl_text(r, a, &s);
	if (e == 0)
		e = vtl_text(r, b, &t);
	if (e == 0)
		e = vtl_charge(r, (int64_t)((s.n + t.n) >> 6), s.n + t.n);
	if (e == 0)
		*ret = vtl_str(str_printf(r->arena, "%.*s%.*s", STR(s), STR(t)));
	return e;
}

static bool compare(enum vtl_expr_kind k, const struct vtl_value *a, const struct vtl_value *b)
{
	double x, y;
	int c;

	if (both_int(a, b))
		c = (a->i > b->i) - (a->i < b->i);
	else if (to_double(a, &x) && to_double(b, &y)) {
		if (isnan(x) || isnan(y))
			return false;
		c = (x > y) - (x < y);
	} else if (a->type == VTL_STR && b->type == VTL_STR)
		c = str_cmp(a->s, b->s);
	else
		return false;
	return k == EXPR_LT ? c < 0 : k == EXPR_LE ? c <= 0 : k == EXPR_GT ? c > 0 : c >= 0;
}

static int eval_binary(struct vtl_run *r, const struct vtl_expr *x, struct vtl_value *ret)
{
	struct vtl_value a, b;
	int e = vtl_eval(r, x->l, &a);

	if (e < 0)
		return e;
	if ((x->kind == EXPR_AND && !vtl_truth(&a)) || (x->kind == EXPR_OR && vtl_truth(&a))) {
		*ret = vtl_bool(x->kind == EXPR_OR);
		return 0;
	}
	e = vtl_eval(r, x->r, &b);
	if (e < 0)
		return e;
	switch (x->kind) {
	case EXPR_AND:
	case EXPR_OR:
		*ret = vtl_bool(vtl_truth(&b));
		return 0;
	case EXPR_EQ:
	case EXPR_NE:
		*ret = vtl_bool(vtl_equal(r, &a, &b) == (x->kind == EXPR_EQ));
		return r->error.p ? -E2BIG : 0;
	case EXPR_LT:
	case EXPR_LE:
	case EXPR_GT:
	case EXPR_GE:
		*ret = vtl_bool(compare(x->kind, &a, &b));
		return 0;
	default:
		return arith(r, x->kind, &a, &b, ret);
	}
}

static int eval_range(struct vtl_run *r, const struct vtl_expr *x, struct vtl_value *ret)
{
	struct vtl_value a, b;
	int e = vtl_eval(r, x->l, &a);

	if (e == 0)
		e = vtl_eval(r, x->r, &b);
	*ret = vtl_null();
	if (e < 0 || a.type != VTL_INT || b.type != VTL_INT)
		return e;
	*ret = vtl_list_new(r->arena);
	for (int64_t i = a.i;; i += a.i <= b.i ? 1 : -1) {
		e = vtl_charge(r, 1, sizeof(struct vtl_value));
		if (e < 0)
			return e;
		vtl_list_add(r->arena, ret->list, vtl_int(i));
		if (i == b.i)
			return 0;
	}
}

static int eval_items(struct vtl_run *r, const struct vtl_expr *x, struct vtl_value *ret)
{
	struct vtl_value *v;
	int e = eval_args(r, x->items, x->n, &v);

	if (e < 0)
		return e;
	if (x->kind == EXPR_LIST) {
		*ret = vtl_list_new(r->arena);
		ret->list->v = v;
		ret->list->n = ret->list->cap = x->n;
		return 0;
	}
	*ret = vtl_map_new(r->arena);
	for (size_t i = 0; i + 1 < x->n; i += 2) {
		struct str key;

		e = vtl_text(r, &v[i], &key);
		if (e == 0)
			e = vtl_charge(r, 1 + (int64_t)(i / 16), sizeof(struct vtl_entry));
		if (e < 0)
			return e;
		vtl_map_set(r->arena, ret->map, key, v[i + 1]);
	}
	return 0;
}

static int interpolate(struct vtl_run *r, const struct vtl_node *n, struct vtl_value *ret)
{
	struct buf b;
	int e;

	buf_init(&b, VTL_OUT_BYTES_MAX);
	e = vtl_block(r, n, &b);
	if (e == 0)
		e = buf_ok(&b) ? vtl_charge(r, 1, b.n) : -E2BIG;
	if (e == 0)
		*ret = vtl_str(str_dup(r->arena, buf_view(&b)));
	buf_done(&b);
	return e;
}

static int eval(struct vtl_run *r, const struct vtl_expr *x, struct vtl_value *ret)
{
	const struct vtl_value zero = vtl_int(0);
	struct vtl_value v;
	int e;

	switch (x->kind) {
	case EXPR_LITERAL:
		*ret = x->literal;
		return 0;
	case EXPR_REF:
		return eval_ref(r, &x->ref, ret);
	case EXPR_INTERPOLATED:
		return interpolate(r, x->text, ret);
	case EXPR_LIST:
	case EXPR_MAP:
		return eval_items(r, x, ret);
	case EXPR_RANGE:
		return eval_range(r, x, ret);
	case EXPR_NOT:
		e = vtl_eval(r, x->l, ret);
		*ret = vtl_bool(!vtl_truth(ret));
		return e;
	case EXPR_NEGATE:
		e = vtl_eval(r, x->l, &v);
		return e < 0 ? e : arith(r, EXPR_SUB, &zero, &v, ret);
	default:
		return eval_binary(r, x, ret);
	}
}

int vtl_eval(struct vtl_run *r, const struct vtl_expr *x, struct vtl_value *ret)
{
	int e = deeper(r);

	*ret = vtl_null();
	if (e == 0)
		e = eval(r, x, ret);
	r->depth--;
	return e;
}

/* --- nodes --- */
/* assign: #set of a variable, a property, an element. Setting to null takes away. */
static int assign(struct vtl_run *r, const struct vtl_ref *ref, struct vtl_value v)
{
	const struct vtl_step *last = ref->steps;
	struct vtl_value target, key = vtl_null();
	struct str name;
	int e = vtl_charge(r, 1 + (int64_t)(r->vars.n / 16), sizeof(struct vtl_entry));

	if (e < 0)
		return e;
	if (!last) {
		vtl_map_set(r->arena, &r->vars, ref->name, v);
		return 0;
	}
	while (last->next)
		last = last->next;
	e = walk(r, ref, last, &target);
	if (e == 0 && last->kind == STEP_INDEX)
		e = vtl_eval(r, last->args[0], &key);
	if (e < 0 || last->kind == STEP_CALL)
		return e;
	if (target.type == VTL_LIST && key.type == VTL_INT) {
		if (key.i >= 0 && (size_t)key.i < target.list->n)
			target.list->v[key.i] = v;
		return 0;
	}
	if (target.type != VTL_MAP)
		return 0;
	name = last->name;
	if (last->kind == STEP_INDEX)
		e = vtl_text(r, &key, &name);
	if (e == 0)
		e = vtl_charge(r, (int64_t)(target.map->n / 16), sizeof(struct vtl_entry));
	if (e == 0)
		vtl_map_set(r->arena, target.map, name, v);
	return e;
}

static int items_of(struct vtl_run *r, const struct vtl_value *v, const struct vtl_value **ret, size_t *ret_n)
{
	struct vtl_value *values;

	*ret = NULL;
	*ret_n = 0;
	if (v->type == VTL_LIST) {
		*ret = arena_dup(r->arena, v->list->v, v->list->n * sizeof *v->list->v); /* the body may change the list */
		*ret_n = v->list->n;
		return vtl_charge(r, 1, v->list->n * sizeof *v->list->v);
	}
	if (v->type != VTL_MAP)
		return 0;
	values = arena_array(r->arena, struct vtl_value, v->map->n);
	for (size_t i = 0; i < v->map->n; i++)
		values[i] = v->map->v[i].value;
	*ret = values;
	*ret_n = v->map->n;
	return vtl_charge(r, 1, v->map->n * sizeof *values);
}

static struct vtl_value get_var(struct vtl_run *r, struct str name)
{
	const struct vtl_value *v = vtl_map_get(&r->vars, name);

	return v ? *v : vtl_null();
}

static void loop_state(struct vtl_run *r, struct vtl_map *m, size_t i, size_t n)
{
	vtl_map_set(r->arena, m, S("index"), vtl_int((int64_t)i));
	vtl_map_set(r->arena, m, S("count"), vtl_int((int64_t)i + 1));
	vtl_map_set(r->arena, m, S("hasNext"), vtl_bool(i + 1 < n));
	vtl_map_set(r->arena, m, S("first"), vtl_bool(i == 0));
	vtl_map_set(r->arena, m, S("last"), vtl_bool(i + 1 == n));
}

static int foreach (struct vtl_run *r, const struct vtl_node *n, struct buf * out)
{
	struct vtl_value over, saved = get_var(r, n->text), parent = get_var(r, S("foreach")), state = vtl_map_new(r->arena);
	const struct vtl_value *v = NULL;
	size_t count = 0;
	int e = vtl_eval(r, n->expr, &over);

	if (e == 0)
		e = items_of(r, &over, &v, &count);
	if (e < 0)
		return e;
	if (count > VTL_LOOP_MAX) {
		r->error = S("#foreach runs more than 1000 times");
		return -E2BIG;
	}
	vtl_map_set(r->arena, state.map, S("parent"), parent);
	for (size_t i = 0; i < count && e == 0 && !r->breaking && !r->stopping; i++) {
		loop_state(r, state.map, i, count);
		vtl_define(r, "foreach", state);
		vtl_define(r, "velocityCount", vtl_int((int64_t)i + 1));
		vtl_map_set(r->arena, &r->vars, n->text, v[i]);
		e = vtl_block(r, n->body, out);
	}
	r->breaking = false;
	vtl_map_set(r->arena, &r->vars, n->text, saved);
	vtl_define(r, "foreach", parent);
	return e;
}

static int branches(struct vtl_run *r, const struct vtl_node *n, struct buf *out)
{
	for (; n; n = n->other) {
		struct vtl_value v = vtl_bool(true);
		int e = n->expr ? vtl_eval(r, n->expr, &v) : 0;

		if (e < 0)
			return e;
		if (vtl_truth(&v))
			return vtl_block(r, n->body, out);
	}
	return 0;
}

static int call_macro(struct vtl_run *r, const struct vtl_node *n, struct buf *out)
{
	const struct vtl_macro *m = r->t->macros;
	struct vtl_value *args, *saved;
	int e = eval_args(r, n->args, n->n_args, &args);

	while (m && !str_eq(m->name, n->text))
		m = m->next;
	if (e < 0 || !m || !m->body)
		return e;
	saved = arena_array(r->arena, struct vtl_value, m->n_params);
	e = vtl_charge(r, 1, m->n_params * sizeof *saved);
	for (size_t i = 0; i < m->n_params; i++) {
		saved[i] = get_var(r, m->params[i]);
		vtl_map_set(r->arena, &r->vars, m->params[i], i < n->n_args ? args[i] : vtl_null());
	}
	if (e == 0)
		e = vtl_block(r, m->body, out);
	for (size_t i = m->n_params; i > 0; i--)
		vtl_map_set(r->arena, &r->vars, m->params[i - 1], saved[i - 1]);
	return e;
}

static int node(struct vtl_run *r, const struct vtl_node *n, struct buf *out)
{
	struct vtl_value v;
	int e;

	switch (n->kind) {
	case NODE_TEXT:
		buf_str(out, n->text);
		return vtl_charge(r, (int64_t)(n->text.n >> 6), 0);
	case NODE_REF:
		e = eval_ref(r, &n->ref, &v);
		return e < 0 ? e : vtl_print(r, &v, out);
	case NODE_SET:
		e = vtl_eval(r, n->expr, &v);
		return e < 0 ? e : assign(r, &n->ref, v);
	case NODE_IF:
		return branches(r, n, out);
	case NODE_FOREACH:
		return foreach (r, n, out);
	case NODE_BREAK:
		r->breaking = true;
		return 0;
	case NODE_STOP:
		r->stopping = true;
		return 0;
	case NODE_DEFINE:
		vtl_map_set(r->arena, &r->vars, n->text, (struct vtl_value){ VTL_BLOCK, { .block = n->body } });
		return vtl_charge(r, 1, sizeof(struct vtl_entry));
	case NODE_CALL:
		return call_macro(r, n, out);
	}
	return 0;
}

int vtl_block(struct vtl_run *r, const struct vtl_node *n, struct buf *out)
{
	int e = deeper(r);

	for (; n && e == 0 && !r->breaking && !r->stopping; n = n->next) {
		e = vtl_charge(r, 1, 0);
		if (e == 0)
			e = node(r, n, out);
		if (e == 0 && !buf_ok(out)) {
			r->error = S("the template's output is too large");
			e = -E2BIG;
		}
	}
	r->depth--;
	return e;
}

int vtl_render(struct vtl_run *r, const struct vtl_template *t, struct buf *out)
{
	int e;

	assert(r->arena);
	r->t = t;
	r->depth = 0;
	r->breaking = r->stopping = false;
	e = vtl_block(r, t->body, out);
	return e;
}
