/* SPDX-License-Identifier: Apache-2.0 */
/* queries.c - query definitions: saved texts of Logs Insights, which this cloud keeps and gives back; it runs no queries.
 * Source: PutQueryDefinition, DescribeQueryDefinitions (API Reference), "CloudWatch Logs quotas". */
#include "svc/logs/logs_int.h"
#include <errno.h>

#define DEFINITIONS_MAX 1000 /* of an account, in a region */

static void query_key(struct keybuf *k, struct str account, struct str id)
{
	key_begin(k, account, "logs.query");
	key_raw(k, id);
}

/* each gives every definition to fn until it returns other than 0; that is returned. */
static int each(struct call *c, struct str after, int (*fn)(struct call *c, const struct logs_rec_query *q, void *arg), void *arg)
{
	struct store_range range = { 0 };
	struct str key, value;
	struct keybuf k, from;
	int r, got = 0;

	query_key(&k, c->account, S(""));
	query_key(&from, c->account, after.p ? after : S(""));
	r = store_range_open(&range, c->txn, key_view(&k), after.p ? key_view(&from) : STR_NONE, false);
	while (r == 0 && got == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		struct logs_rec_query *q = arena_new(c->arena, struct logs_rec_query);

		r = record_decode(&logs_records, LOGS_REC_QUERY, c->arena, value, q);
		if (r == 0)
			got = fn(c, q, arg);
	}
	store_range_close(&range);
	return r < 0 ? r : got;
}

struct making {
	struct str token, id;
	size_t n;
};

static int same_token(struct call *c, const struct logs_rec_query *q, void *arg)
{
	struct making *m = arg;

	m->n++;
	if (!m->token.p || !str_eq(q->token, m->token))
		return 0;
	m->id = q->id;
	return 1;
}

LOGS_HANDLER(put_query_definition)
{
	struct logs_rec_query q = { .id = in->query_definition_id, .token = in->client_token };
	struct making m = { .token = in->client_token };
	struct keybuf k;
	int r;

	if (in->parameters.n)
		return call_fail(c, &logs_err_invalid_parameter, "Parameters of query definitions are not implemented by this cloud.");
	if (q.id.p) {
		query_key(&k, c->account, q.id);
		r = record_get(c->txn, &logs_records, LOGS_REC_QUERY, c->arena, &k, &q);
		if (r == -ENOENT)
			return call_fail(c, &logs_err_resource_not_found, "The specified query definition does not exist.");
	} else {
		r = each(c, STR_NONE, same_token, &m);
		if (r == 1) {
			out->query_definition_id = m.id; /* the same request once more */
			return 0;
		}
		if (r == 0 && m.n >= DEFINITIONS_MAX)
			return call_fail(c, &logs_err_limit_exceeded, "Resource limit exceeded.");
		q.id = random_uuid(c->arena);
	}
	if (r < 0)
		return r;
	q.name = in->name;
	q.text = in->query_string;
	q.language = in->query_language.p ? in->query_language : S("CWLI");
	q.groups = in->log_group_names;
	q.modified = OPT_TIME(c->now_ms);
	out->query_definition_id = q.id;
	query_key(&k, c->account, q.id);
	return record_put(c->txn, &logs_records, LOGS_REC_QUERY, &k, &q);
}

struct listing {
	const struct logs_describe_query_definitions_request *in;
	struct logs_describe_query_definitions_response *out;
	size_t max, cap;
};

static int list_one(struct call *c, const struct logs_rec_query *q, void *arg)
{
	struct listing *l = arg;
	struct logs_query_definition_list *v = &l->out->query_definitions;

	if ((l->in->query_definition_name_prefix.p && !str_starts(q->name, l->in->query_definition_name_prefix)) ||
	    (l->in->query_language.p && !str_eq(q->language, l->in->query_language)))
		return 0;
	if (v->n == l->max) {
		l->out->next_token = page_token(c, v->v[v->n - 1].query_definition_id);
		return 1;
	}
	vec_push(c->arena, v->v, v->n, l->cap) = (struct logs_query_definition){ .query_language = q->language,
										 .query_definition_id = q->id,
										 .name = q->name,
										 .query_string = q->text,
										 .last_modified = OPT_INT(q->modified.ms),
										 .log_group_names = q->groups };
	return 0;
}

LOGS_HANDLER(describe_query_definitions)
{
	struct listing l = { .in = in, .out = out, .max = in->max_results.has ? (size_t)in->max_results.v : DEFINITIONS_MAX };
	struct str after = STR_NONE;
	int r;

	if (in->next_token.p && page_parse(c, in->next_token, &after) < 0)
		return call_fail(c, &logs_err_invalid_parameter, "The specified nextToken is invalid.");
	r = each(c, after, list_one, &l);
	if (!out->query_definitions.v)
		out->query_definitions.v = arena_array(c->arena, struct logs_query_definition, 1);
	return r < 0 ? r : 0;
}

LOGS_HANDLER(delete_query_definition)
{
	struct keybuf k;
	int r;

	query_key(&k, c->account, in->query_definition_id);
	r = store_del(c->txn, key_view(&k));
	if (r == -ENOENT)
		return call_fail(c, &logs_err_resource_not_found, "The specified query definition does not exist.");
	out->success = OPT_BOOL(true);
	return r;
}
