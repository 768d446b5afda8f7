/* SPDX-License-Identifier: Apache-2.0 */
/* copy.c - moving values between requests, records and answers by the names of their members.
 *
 * Records of this service have the API's member names, so that one walk over two descriptor tables does what would be a
 * function per structure. Members that the other side does not have are left alone; strings are borrowed. */
#include "svc/apigateway/apigateway_int.h"
#include <assert.h>

#define MAP_VALUE_OFFSET 16 /* desc.h's promise */

struct array {
	char *v;
	size_t n;
};
struct side {
	const struct desc_shape *shapes;
	const struct desc_shape *s;
};

static bool present(const struct desc_shape *s, const void *slot)
{
	switch ((enum desc_kind)s->kind) {
	case DK_BOOL:
	case DK_INT:
	case DK_LONG:
	case DK_FLOAT:
	case DK_DOUBLE:
	case DK_TIME:
		return *(const bool *)slot;
	default:
		return *(void *const *)slot;
	}
}

static bool alike(uint8_t a, uint8_t b) /* the same type in memory */
{
	static const uint8_t class[] = {
		[DK_STRING] = 0, [DK_BLOB] = 0, [DK_BOOL] = 1, [DK_INT] = 2,  [DK_LONG] = 2, [DK_FLOAT] = 3,   [DK_DOUBLE] = 3,
		[DK_STRUCT] = 4, [DK_LIST] = 5, [DK_MAP] = 6,  [DK_TIME] = 7, [DK_BODY] = 8, [DK_DOCUMENT] = 9
	};

	return class[a] == class[b];
}

static size_t stride(const struct desc_shape *list, const struct desc_shape *element)
{
	return list->kind == DK_MAP ? (MAP_VALUE_OFFSET + (size_t)element->size + 7) / 8 * 8 : element->size;
}

static void copy_struct(struct arena *a, struct side from, const char *src, struct side to, char *dst);

static void copy_array(struct arena *a, struct side from, const struct array *src, struct side to, struct array *dst)
{
	struct side fe = { from.shapes, &from.shapes[from.s->element] }, te = { to.shapes, &to.shapes[to.s->element] };
	size_t fs = stride(from.s, fe.s), ts = stride(to.s, te.s), off = from.s->kind == DK_MAP ? MAP_VALUE_OFFSET : 0;

	if (!alike(fe.s->kind, te.s->kind))
		return;
	if (fe.s->kind < DK_STRUCT || fe.s->kind == DK_TIME) {
		*dst = *src;
		return;
	}
	dst->n = src->n;
	dst->v = arena_zalloc(a, arena_mul(ts, src->n + 1));
	for (size_t i = 0; i < src->n; i++) {
		if (off)
			memcpy(dst->v + i * ts, src->v + i * fs, off);
		if (fe.s->kind == DK_STRUCT)
			copy_struct(a, fe, src->v + i * fs + off, te, dst->v + i * ts + off);
		else
			copy_array(a, fe, (const void *)(src->v + i * fs + off), te, (void *)(dst->v + i * ts + off));
	}
}

static void copy_struct(struct arena *a, struct side from, const char *src, struct side to, char *dst)
{
	for (size_t i = 0; i < to.s->n_members; i++) {
		const struct desc_member *t = &to.s->members[i], *f = NULL;
		struct side fm, tm = { to.shapes, &to.shapes[t->shape] };

		for (size_t j = 0; j < from.s->n_members && !f; j++)
			if (strcmp(from.s->members[j].name, t->name) == 0)
				f = &from.s->members[j];
		if (!f)
			continue;
		fm = (struct side){ from.shapes, &from.shapes[f->shape] };
		if (!alike(fm.s->kind, tm.s->kind) || !present(fm.s, src + f->offset))
			continue;
		switch ((enum desc_kind)tm.s->kind) {
		case DK_STRUCT: {
			void *v = arena_zalloc(a, tm.s->size);

			copy_struct(a, fm, *(char *const *)(src + f->offset), tm, v);
			*(void **)(dst + t->offset) = v;
			break;
		}
		case DK_LIST:
		case DK_MAP:
			copy_array(a, fm, (const void *)(src + f->offset), tm, (void *)(dst + t->offset));
			break;
		default:
			memcpy(dst + t->offset, src + f->offset, tm.s->size);
		}
	}
}

void apigw_in(struct call *c, const void *in, uint16_t shape, void *rec)
{
	copy_struct(c->arena, (struct side){ c->svc->model->shapes, &c->svc->model->shapes[c->op->in] }, in,
		    (struct side){ apigw_records.shapes, &apigw_records.shapes[shape] }, rec);
}

void apigw_out(struct call *c, uint16_t shape, const void *rec, void *out)
{
	copy_struct(c->arena, (struct side){ apigw_records.shapes, &apigw_records.shapes[shape] }, rec,
		    (struct side){ c->svc->model->shapes, &c->svc->model->shapes[c->op->out] }, out);
}

/* The member of the answer with this name. */
static const struct desc_member *out_member(struct call *c, const char *name)
{
	const struct desc_shape *s = &c->svc->model->shapes[c->op->out];

	for (size_t i = 0; i < s->n_members; i++)
		if (strcmp(s->members[i].name, name) == 0)
			return &s->members[i];
	return NULL;
}

void apigw_out_item(struct call *c, uint16_t shape, const void *rec, void *out)
{
	const struct desc_shape *shapes = c->svc->model->shapes, *e;
	const struct desc_member *m = out_member(c, "items");
	struct array *l;

	if (!m)
		m = out_member(c, "item");
	assert(m && shapes[m->shape].kind == DK_LIST);
	e = &shapes[shapes[m->shape].element];
	l = (struct array *)(void *)((char *)out + m->offset);
	if (!rec) { /* present, if empty */
		l->v = l->v ? l->v : arena_alloc(c->arena, e->size);
		return;
	}
	l->v = arena_grow(c->arena, l->v, l->n * e->size, (l->n + 1) * e->size);
	memset(l->v + l->n * e->size, 0, e->size);
	copy_struct(c->arena, (struct side){ apigw_records.shapes, &apigw_records.shapes[shape] }, rec, (struct side){ shapes, e },
		    l->v + l->n++ * e->size);
}

void apigw_out_position(struct call *c, struct str position, void *out)
{
	const struct desc_member *m = out_member(c, "position");

	if (m)
		*(struct str *)(void *)((char *)out + m->offset) = position;
}
