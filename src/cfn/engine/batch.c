/* SPDX-License-Identifier: Apache-2.0 */
/* batch.c - what a step stores: encoded at once, written by the region's writer in the order of submission. Nobody waits:
 * what is lost in a crash is found again by running the step again over its journal. */
#include "cfn/engine/run.h"
#include <errno.h>

enum item_kind { ITEM_PUT, ITEM_DEL, ITEM_PREFIX, ITEM_EVENT, ITEM_ASK };
struct item {
	enum item_kind kind;
	struct str key, value;
};
struct batch {
	struct store_job job; /* first */
	struct run *run;
	struct arena arena;
	struct item *v;
	size_t n, cap;
};

static int apply(struct store_job *j, struct store_txn *t)
{
	struct batch *b = (struct batch *)j;
	struct run *u = b->run;
	int r = 0;

	for (size_t i = 0; i < b->n && r == 0; i++) {
		struct item *x = &b->v[i];
		struct keybuf k;

		switch (x->kind) {
		case ITEM_PUT:
			r = store_put(t, x->key, x->value);
			break;
		case ITEM_DEL:
			r = store_del(t, x->key);
			r = r == -ENOENT ? 0 : r;
			break;
		case ITEM_PREFIX:
			memcpy(k.b, x->key.p, x->key.n);
			k.n = x->key.n;
			k.overflow = false;
			r = rows_delete(t, &k);
			break;
		case ITEM_ASK:
			r = ask_delete(t, x->value);
			break;
		case ITEM_EVENT:
			r = event_put_text(t, u->stack.account, u->stack_id, x->value);
			break;
		}
	}
	return r;
}

static void applied(struct store_job *j, int result)
{
	struct batch *b = (struct batch *)j;
	struct run *u = b->run;

	arena_done(&b->arena);
	free(b);
	pthread_mutex_lock(&u->lock);
	u->broken |= result < 0;
	if (--u->writing == 0)
		pthread_cond_broadcast(&u->cond);
	pthread_mutex_unlock(&u->lock);
}

struct batch *batch_new(struct run *u)
{
	struct batch *b = xzalloc(sizeof *b);

	b->job.run = apply;
	b->job.done = applied;
	b->run = u;
	return b;
}

static void add(struct batch *b, enum item_kind kind, const struct keybuf *k, struct str value)
{
	struct str key = k ? str_dup(&b->arena, key_view(k)) : STR_NONE;

	vec_push(&b->arena, b->v, b->n, b->cap) = (struct item){ kind, key, value };
}

static struct str encode(struct batch *b, uint16_t shape, const void *rec)
{
	struct str s;
	struct buf out;

	buf_init(&out, STORE_VALUE_BYTES_MAX);
	(void)record_encode(&cfn_records, shape, rec, &out);
	s = str_dup(&b->arena, buf_view(&out));
	buf_done(&out);
	return s;
}

void batch_row(struct batch *b, const char *table, const struct cfn_rec_resource *row)
{
	struct keybuf k;

	stack_key2(&k, b->run->stack.account, table, b->run->stack_id, row->logical);
	if (strcmp(table, "cfn.old") == 0)
		key_str(&k, row->physical);
	add(b, ITEM_PUT, &k, encode(b, CFN_REC_RESOURCE, row));
}

void batch_row_del(struct batch *b, const char *table, struct str logical, struct str physical)
{
	struct keybuf k;

	stack_key2(&k, b->run->stack.account, table, b->run->stack_id, logical);
	if (physical.p)
		key_str(&k, physical);
	add(b, ITEM_DEL, &k, STR_NONE);
}

void batch_event(struct batch *b, struct node *n, struct str type, struct str physical, const char *status, struct str reason)
{
	struct run *u = b->run;
	int64_t now = clock_now_ms();
	struct cfn_rec_event e = {
		.logical = n->logical,
		.physical = physical,
		.type = type,
		.status = str_c(status),
		.reason = reason,
		.token = u->op.token,
		.op = u->op_id,
		.op_type = u->stack.op_type,
	};

	n->last_ms = now > n->last_ms ? now : n->last_ms + 1; /* an event's id holds its time */
	e.time = OPT_TIME(n->last_ms);
	e.id = str_printf(&b->arena, "%.*s-%s-%.*s", STR(n->logical), status, STR(time_iso_ms(&b->arena, n->last_ms)));
	add(b, ITEM_EVENT, NULL, encode(b, CFN_REC_EVENT, &e));
}

void journal_key(struct keybuf *k, struct str op, const struct node *n)
{
	key_begin(k, S(""), "cfn.journal");
	key_str(k, op);
	key_str(k, n->logical);
	key_u64(k, n->action);
	if (n->action == NODE_DELETE) /* there may be several of one name */
		key_str(k, n->row.physical);
}

void batch_journal_del(struct batch *b, const struct node *n)
{
	struct keybuf k;

	journal_key(&k, b->run->op_id, n);
	add(b, ITEM_PREFIX, &k, STR_NONE);
}

void batch_ask_del(struct batch *b, struct str id)
{
	add(b, ITEM_ASK, NULL, str_dup(&b->arena, id));
}

void batch_submit(struct batch *b)
{
	struct run *u = b->run;

	pthread_mutex_lock(&u->lock);
	u->writing++;
	pthread_mutex_unlock(&u->lock);
	store_submit(u->region->store, &b->job);
}
