/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - reading and writing what is stored about stacks. */
#include "cfn/engine/engine.h"
#include <errno.h>

/* --- keys --- */
void stack_key(struct keybuf *k, struct str account, const char *table, struct str id)
{
	key_begin(k, account, table);
	key_str(k, id);
}

void stack_key2(struct keybuf *k, struct str account, const char *table, struct str id, struct str second)
{
	stack_key(k, account, table, id);
	key_str(k, second);
}

void stack_key3(struct keybuf *k, struct str account, const char *table, struct str id, struct str second, struct str third)
{
	stack_key2(k, account, table, id, second);
	key_str(k, third);
}

void op_key(struct keybuf *k, struct str stack, struct str op)
{
	stack_key2(k, S(""), "cfn.op", stack, op);
}

/* Newest first; two stacks of one millisecond are told apart by their ids. */
static void list_key(struct keybuf *k, const char *table, const struct cfn_rec_stack *s)
{
	key_begin(k, s->account, table);
	key_u64(k, UINT64_MAX - (uint64_t)s->created.ms);
	key_str(k, s->id);
}

/* --- stacks --- */
int stack_load(struct store_txn *t, struct arena *a, struct str account, struct str id, struct cfn_rec_stack *ret)
{
	struct keybuf k;
	int r;

	stack_key(&k, account, "cfn.stack", id);
	r = record_get(t, &cfn_records, CFN_REC_STACK, a, &k, ret);
	if (r == 0 && !ret->now)
		ret->now = arena_new(a, struct cfn_rec_settings);
	return r;
}

int stack_lookup(struct store_txn *t, struct arena *a, struct str account, struct str region, struct str name, struct cfn_rec_stack *ret)
{
	struct keybuf k;
	struct str id, kind, rest, parts[2];
	struct arn arn;
	int r;

	if (!str_starts(name, S("arn:"))) {
		stack_key(&k, account, "cfn.name", name);
		r = store_get(t, key_view(&k), &id);
		return r < 0 ? r : stack_load(t, a, account, str_dup(a, id), ret);
	}
	if (arn_parse(name, &arn) < 0 || !str_is(arn.service, "cloudformation") || !str_eq(arn.region, region) ||
	    !str_eq(arn.account, account))
		return -ENOENT;
	if (!str_cut(arn.resource, '/', &kind, &rest) || !str_is(kind, "stack") || !str_cut(rest, '/', &parts[0], &parts[1]))
		return -ENOENT;
	r = stack_load(t, a, account, parts[1], ret);
	return r == 0 && !str_eq(ret->name, parts[0]) ? -ENOENT : r;
}

int stack_save(struct store_txn *t, const struct cfn_rec_stack *s)
{
	struct keybuf k;

	stack_key(&k, s->account, "cfn.stack", s->id);
	return record_put(t, &cfn_records, CFN_REC_STACK, &k, s);
}

int stack_add(struct store_txn *t, const struct cfn_rec_stack *s)
{
	struct keybuf k;
	int r;

	stack_key(&k, s->account, "cfn.name", s->name);
	r = store_put(t, key_view(&k), s->id);
	list_key(&k, "cfn.live", s);
	if (r == 0)
		r = store_put(t, key_view(&k), s->id);
	list_key(&k, "cfn.all", s);
	if (r == 0)
		r = store_put(t, key_view(&k), s->id);
	return r < 0 ? r : stack_save(t, s);
}

int stack_unlist(struct store_txn *t, const struct cfn_rec_stack *s)
{
	struct keybuf k;
	struct str id;
	int r = 0;

	stack_key(&k, s->account, "cfn.name", s->name);
	if (store_get(t, key_view(&k), &id) == 0 && str_eq(id, s->id))
		r = store_del(t, key_view(&k));
	list_key(&k, "cfn.live", s);
	if (r == 0)
		r = store_del(t, key_view(&k));
	return r == -ENOENT ? 0 : r;
}

int stack_forget(struct store_txn *t, struct arena *a, const struct cfn_rec_stack *s)
{
	static const char *const tables[] = {
		"cfn.res", "cfn.prev", "cfn.old", "cfn.event", "cfn.tpl", "cfn.cs", "cfn.drift", "cfn.stack"
	};
	struct keybuf k;
	int r;

	list_key(&k, "cfn.all", s);
	r = store_del(t, key_view(&k));
	for (size_t i = 0; i < ELEMENTS(tables) && (r == 0 || r == -ENOENT); i++) {
		stack_key(&k, s->account, tables[i], s->id);
		r = rows_delete(t, &k);
	}
	return r == -ENOENT ? 0 : r;
}

int stack_template(struct store_txn *t, struct arena *a, const struct cfn_rec_stack *s, struct str id, struct str *ret)
{
	struct keybuf k;
	struct str v;
	int r;

	stack_key2(&k, s->account, "cfn.tpl", s->id, id);
	r = store_get(t, key_view(&k), &v);
	if (r == 0)
		*ret = str_dup(a, v);
	return r;
}

/* Names and ids of a stack's change sets. */
static int change_sets(struct store_txn *t, struct arena *a, const struct cfn_rec_stack *s, struct str_map *ret)
{
	struct store_range range = { 0 };
	struct cfn_rec_change_set cs;
	struct str key, value;
	struct keybuf k;
	size_t cap = 0;
	int r;

	*ret = (struct str_map){ 0 };
	stack_key(&k, s->account, "cfn.cs", s->id);
	r = store_range_open(&range, t, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		r = record_decode(&cfn_records, CFN_REC_CHANGE_SET, a, value, &cs);
		if (r < 0)
			break;
		vec_push(a, ret->v, ret->n, cap) = (struct str_pair){ str_dup(a, cs.name), str_dup(a, cs.id) };
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

int change_sets_outdate(struct store_txn *t, struct arena *a, const struct cfn_rec_stack *s)
{
	struct cfn_rec_change_set cs;
	struct str_map sets;
	struct keybuf k;
	int r = change_sets(t, a, s, &sets);

	for (size_t i = 0; i < sets.n && r == 0; i++) {
		stack_key2(&k, s->account, "cfn.cs", s->id, sets.v[i].key);
		r = record_get(t, &cfn_records, CFN_REC_CHANGE_SET, a, &k, &cs);
		if (r < 0 || !str_is(cs.execution, "AVAILABLE"))
			continue;
		cs.execution = S("OBSOLETE");
		r = record_put(t, &cfn_records, CFN_REC_CHANGE_SET, &k, &cs);
	}
	return r;
}

int change_sets_drop(struct store_txn *t, struct arena *a, const struct cfn_rec_stack *s, struct str keep)
{
	struct cfn_rec_change_set cs;
	struct keybuf k;
	struct str_map sets;
	int r = change_sets(t, a, s, &sets);

	for (size_t i = 0; i < sets.n && r == 0; i++) {
		if (keep.p && str_eq(sets.v[i].key, keep))
			continue;
		stack_key2(&k, s->account, "cfn.cs", s->id, sets.v[i].key);
		r = record_get(t, &cfn_records, CFN_REC_CHANGE_SET, a, &k, &cs);
		if (r == 0)
			r = plans_drop(t, a, s->account, &cs.children, clock_now_ms());
		stack_key2(&k, s->account, "cfn.cs", s->id, sets.v[i].key);
		if (r == 0)
			r = store_del(t, key_view(&k));
		stack_key(&k, s->account, "cfn.csid", sets.v[i].value);
		if (r == 0)
			r = store_del(t, key_view(&k));
		r = r == -ENOENT ? 0 : r;
	}
	return r;
}

int stack_sweep(struct store_txn *t, struct arena *a, const struct cfn_rec_stack *s)
{
	struct store_range range = { 0 };
	struct str key, value, id, *old = NULL;
	size_t n = 0, cap = 0;
	struct str_map sets;
	struct keybuf k;
	int r = change_sets(t, a, s, &sets);

	if (r < 0)
		return r;
	stack_key(&k, s->account, "cfn.tpl", s->id);
	r = store_range_open(&range, t, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		struct str rest = str_skip(key, k.n);
		bool used;

		r = key_take_str(&rest, a, &id);
		if (r < 0)
			break;
		used = str_eq(id, s->now->template);
		for (size_t i = 0; i < sets.n; i++)
			used |= str_eq(id, sets.v[i].value); /* its text has its id */
		if (!used)
			vec_push(a, old, n, cap) = id;
	}
	store_range_close(&range);
	for (size_t i = 0; i < n && r >= 0; i++) {
		stack_key2(&k, s->account, "cfn.tpl", s->id, old[i]);
		r = store_del(t, key_view(&k));
	}
	return r < 0 ? r : 0;
}

int stack_put_template(struct store_txn *t, const struct cfn_rec_stack *s, struct str id, struct str text)
{
	struct keybuf k;

	stack_key2(&k, s->account, "cfn.tpl", s->id, id);
	return store_put(t, key_view(&k), text);
}

int stack_status(struct store_txn *t, struct arena *a, struct cfn_rec_stack *s, const char *status, struct str reason, struct str token,
		 int64_t now_ms)
{
	struct cfn_rec_event e = {
		.id = random_uuid(a),
		.logical = s->name,
		.physical = s->arn,
		.type = S(STACK_TYPE),
		.time = OPT_TIME(now_ms),
		.status = str_c(status),
		.reason = reason,
		.token = token,
		.op = s->op,
		.op_type = s->op_type,
	};
	int r;

	s->status = e.status;
	s->reason = reason;
	r = stack_save(t, s);
	return r < 0 ? r : event_put(t, a, s->account, s->id, &e);
}

bool status_is_final(struct str status)
{
	return !str_ends(status, S("_IN_PROGRESS"));
}

/* --- rows --- */
int resources_load(struct store_txn *t, struct arena *a, struct str account, const char *table, struct str id, struct resource_rows *ret)
{
	struct store_range range = { 0 };
	struct cfn_rec_resource row;
	struct str key, value;
	struct keybuf k;
	size_t cap = 0;
	int r;

	*ret = (struct resource_rows){ 0 };
	stack_key(&k, account, table, id);
	r = store_range_open(&range, t, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		r = record_decode(&cfn_records, CFN_REC_RESOURCE, a, value, &row);
		if (r < 0)
			break;
		vec_push(a, ret->v, ret->n, cap) = row;
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

int resource_put(struct store_txn *t, struct str account, const char *table, struct str id, const struct cfn_rec_resource *row)
{
	struct keybuf k;

	stack_key2(&k, account, table, id, row->logical);
	if (strcmp(table, "cfn.old") == 0)
		key_str(&k, row->physical);
	return record_put(t, &cfn_records, CFN_REC_RESOURCE, &k, row);
}

int event_put(struct store_txn *t, struct arena *a, struct str account, struct str stack, const struct cfn_rec_event *e)
{
	struct buf b;
	int r;

	buf_init(&b, STORE_VALUE_BYTES_MAX);
	r = record_encode(&cfn_records, CFN_REC_EVENT, e, &b);
	if (r == 0)
		r = event_put_text(t, account, stack, buf_view(&b));
	buf_done(&b);
	return r;
}

int event_put_text(struct store_txn *t, struct str account, struct str stack, struct str event)
{
	struct store_range range = { 0 };
	struct str key, value;
	uint64_t at = UINT64_MAX;
	struct keybuf k;
	int r;

	stack_key(&k, account, "cfn.event", stack);
	r = store_range_open(&range, t, key_view(&k), STR_NONE, false);
	if (r == 0)
		r = store_range_next(&range, &key, &value);
	if (r > 0) {
		struct str rest = str_skip(key, k.n);

		r = key_take_u64(&rest, &at);
	}
	store_range_close(&range);
	if (r < 0)
		return r;
	key_u64(&k, at - 1);
	return store_put(t, key_view(&k), event);
}

int rows_delete(struct store_txn *t, const struct keybuf *prefix)
{
	struct store_range range = { 0 };
	struct str key, value;
	struct keybuf k;
	int r = store_range_open(&range, t, key_view(prefix), STR_NONE, false);

	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		memcpy(k.b, key.p, key.n);
		r = store_del(t, str_of(k.b, key.n));
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

/* --- secrets --- */
struct str state_seal(struct cloud *cl, struct arena *a, struct str plain)
{
	size_t n = SEAL_NONCE_BYTES + plain.n + SEAL_TAG_BYTES;
	uint8_t key[32], *p = arena_alloc(a, n);

	cloud_master_key(cl, "cloudformation", key);
	random_bytes(p, SEAL_NONCE_BYTES);
	(void)aes_gcm_seal(key, p, S("cfn"), plain, p + SEAL_NONCE_BYTES);
	mem_wipe(key, sizeof key);
	return str_of((char *)p, n);
}

int state_open(struct cloud *cl, struct arena *a, struct str sealed, struct str *ret)
{
	uint8_t key[32], *p;
	int r;

	if (sealed.n < SEAL_NONCE_BYTES + SEAL_TAG_BYTES)
		return -EBADMSG;
	p = arena_alloc(a, sealed.n);
	cloud_master_key(cl, "cloudformation", key);
	r = aes_gcm_open(key, (const uint8_t *)sealed.p, S("cfn"), str_skip(sealed, SEAL_NONCE_BYTES), p);
	mem_wipe(key, sizeof key);
	*ret = str_of((char *)p, sealed.n - SEAL_NONCE_BYTES - SEAL_TAG_BYTES);
	return r;
}

struct str state_seal_json(struct cloud *cl, struct arena *a, const struct json *j)
{
	return j ? state_seal(cl, a, json_text(a, j)) : STR_NONE;
}

int state_open_json(struct cloud *cl, struct arena *a, struct str sealed, struct json **ret)
{
	struct str text;
	int r;

	*ret = NULL;
	if (!sealed.p)
		return 0;
	r = state_open(cl, a, sealed, &text);
	if (r == 0 && json_parse(a, text, ret, NULL) < 0)
		r = -EBADMSG;
	return r;
}

void parameters_store(struct cloud *cl, struct arena *a, const struct template_ctx *c, struct cfn_rec_parameter_list *ret)
{
	const struct template *t = c->tpl;

	ret->v = arena_array(a, struct cfn_rec_parameter, t->n_parameters + 1);
	ret->n = t->n_parameters;
	for (size_t i = 0; i < t->n_parameters; i++) {
		bool hide = t->parameters[i].no_echo;

		ret->v[i] = (struct cfn_rec_parameter){
			.key = t->parameters[i].name,
			.value = hide ? state_seal(cl, a, c->values[i].text) : c->values[i].text,
			.ssm = OPT_BOOL(t->parameters[i].ssm),
			.no_echo = OPT_BOOL(hide),
		};
		if (t->parameters[i].ssm)
			ret->v[i].resolved = hide ? state_seal(cl, a, c->values[i].resolved) : c->values[i].resolved;
	}
}

int parameters_open(struct cloud *cl, struct arena *a, const struct cfn_rec_parameter_list *l, struct str_map *texts,
		    struct str_map *resolved)
{
	*texts = (struct str_map){ arena_array(a, struct str_pair, l->n + 1), 0 };
	*resolved = (struct str_map){ arena_array(a, struct str_pair, l->n + 1), 0 };
	for (size_t i = 0; i < l->n; i++) {
		const struct cfn_rec_parameter *p = &l->v[i];
		struct str v = p->value, s = p->resolved;

		if (p->no_echo.v && (state_open(cl, a, p->value, &v) < 0 || (s.p && state_open(cl, a, p->resolved, &s) < 0)))
			return -EBADMSG;
		texts->v[texts->n++] = (struct str_pair){ p->key, v };
		if (s.p)
			resolved->v[resolved->n++] = (struct str_pair){ v, s };
	}
	return 0;
}
