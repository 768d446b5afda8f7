/* SPDX-License-Identifier: Apache-2.0 */
/* attack_logs.c - log groups: who reads and writes them, how long and under which key they keep what they hold, and that the
 * key is lent to the logs service for its own group only. */
#include "cli/prove/prove.h"

#define TARGET "Logs_20140328."

static struct hit group_hit(struct prove *p, const char *op, struct str group, const struct creds *who)
{
	struct json *params = json_object(&p->arena, "logGroupName", group);

	if (strcmp(op, "PutLogEvents") == 0) { /* into a stream that is not there: nothing is written by who gets past the door */
		struct json *events = json_new(&p->arena, JSON_ARRAY), *one = json_object(&p->arena, "message", S("x"));

		json_set_int(&p->arena, one, "timestamp", clock_now_ms());
		json_push(&p->arena, events, one);
		json_set(&p->arena, params, S("logEvents"), events);
		json_set_str(&p->arena, params, "logStreamName", S(PROVE_NAME));
	}
	return hit_json(p, "logs", str_printf(&p->arena, TARGET "%s", op).p, p->stack->region, params, who);
}

static void readers(struct prove *p, struct declared *g)
{
	static const char *const ops[] = { "FilterLogEvents", "DescribeLogStreams", "PutLogEvents" };
	static const enum actor who[] = { ACTOR_NOBODY, ACTOR_NEIGHBOUR, ACTOR_COUNT };
	struct promise m = { "access", str_printf(&p->arena, "%.*s is read and written by no outsider", STR(g->id)), g->id, g };
	struct hit h = group_hit(p, ops[0], g->physical, actor(p, ACTOR_INSIDER));
	struct answer a;

	if (!promise_owed(p, &m, true) ||
	    proof_allowed(p, &m, S("FilterLogEvents, a user with all rights"), &h, &a)->verdict != VERDICT_HELD)
		return;
	for (size_t i = 0; i < ELEMENTS(ops); i++)
		for (size_t k = 0; k < ELEMENTS(who); k++) {
			bool anonymous = who[k] == ACTOR_COUNT;

			h = group_hit(p, ops[i], g->physical, anonymous ? NULL : actor(p, who[k]));
			(void)proof_denied(p, &m, str_printf(&p->arena, "%s, %.*s", ops[i], STR(who_name(who[k]))), &h,
					   DENIED "|MissingAuthenticationTokenException|MissingAuthenticationToken", &a);
		}
}

static const struct json *described(struct prove *p, struct str group)
{
	struct json *j = call_json(p, "logs", TARGET "DescribeLogGroups", p->stack->region,
				   json_object(&p->arena, "logGroupNamePrefix", group));
	const struct json *list = json_getz(j, "logGroups");

	for (size_t i = 0; j && i < list_len(list); i++)
		if (str_eq(json_get_str(list_at(list, i), "logGroupName"), group))
			return list_at(list, i);
	return NULL;
}

/* Does a policy of the stack lend this key to the logs service by the group's name, and not to a group of that other name, too? */
static bool lent_by_name(struct prove *p, struct str key_arn, struct str other)
{
	struct arena *a = &p->arena;
	struct declared *key = stack_physical(p->stack, "AWS::KMS::Key", key_arn);
	const struct json *doc = key ? prop_get(key->props, "KeyPolicy") : NULL;
	struct str arn = str_printf(a, "arn:%.*s:logs:%.*s:%.*s:log-group:%.*s", STR(p->stack->partition), STR(p->stack->region),
				    STR(p->account), STR(other));
	struct policy_key k = { .name = S("kms:EncryptionContext:aws:logs:arn"), .values = &arn, .n = 1 };
	struct policy_ask ask = { .account = p->account,
				  .action = S("kms:GenerateDataKey"),
				  .resource = key ? key->arn : S("*"),
				  .service = str_printf(a, "logs.%.*s.amazonaws.com", STR(p->stack->region)),
				  .keys = &k,
				  .n_keys = 1 };

	return doc && str_find(json_text(a, doc), k.name) >= 0 && policy_says(p, doc, POLICY_RESOURCE, &ask, NULL) != DECISION_ALLOW;
}

/* Another group asks for the same key. It is made for the proof, and removed should it come to be. */
static void another_group(struct prove *p, struct declared *g, struct str key)
{
	struct arena *a = &p->arena;
	struct promise m = { "encryption", str_printf(a, "the key of %.*s seals no other log group", STR(g->id)),
			     str_printf(a, "%.*s, KmsKeyId", STR(g->id)), g };
	struct str name = str_printf(a, PROVE_PATH "%.*s", STR(p->run));
	struct json *params = json_object(a, "logGroupName", name);
	struct hit h, away = group_hit(p, "DeleteLogGroup", name, &p->caller);
	struct answer ans;
	struct proof *f;
	struct undo *u;

	if (!lent_by_name(p, key, name)) {
		promise_absent(p, &m, S("the key's policy names no log group, or any (or the key is of another stack)"));
		return;
	}
	json_set_str(a, params, "kmsKeyId", key);
	h = hit_json(p, "logs", TARGET "CreateLogGroup", p->stack->region, params, actor(p, ACTOR_INSIDER));
	u = undo_hit(p, name, &away);
	f = proof_denied(p, &m, S("CreateLogGroup with that key, a user with all rights"), &h, "InvalidParameterException|" DENIED, &ans);
	if (f->verdict == VERDICT_HELD)
		u->done = true;
	else
		undo_one(p, u);
}

void attack_logs(struct prove *p, struct declared *g)
{
	struct str key = prop_str(g->props, "KmsKeyId"), days = prop_str(g->props, "RetentionInDays");
	struct promise m = { "encryption", str_printf(&p->arena, "%.*s is sealed with the declared key", STR(g->id)),
			     str_printf(&p->arena, "%.*s, KmsKeyId", STR(g->id)), g };
	const struct json *live = described(p, g->physical);

	if (!live) {
		(void)proof_add(p, &m, VERDICT_BROKEN, S("DescribeLogGroups"), S("the group"),
				p->trouble.p ? p->trouble : S("it is not there"));
		return;
	}
	readers(p, g);
	if (key.n && promise_owed(p, &m, true)) {
		(void)proof_equal(p, &m, S("the group's key"), key, json_get_str(live, "kmsKeyId"));
		another_group(p, g, key);
	}
	if (!key.n)
		promise_absent(p, &m, S("no KmsKeyId, so who may read the group needs no key"));
	m = (struct promise){ "recovery", str_printf(&p->arena, "%.*s keeps events as long as declared", STR(g->id)),
			      str_printf(&p->arena, "%.*s, RetentionInDays", STR(g->id)), g };
	if (!days.n)
		promise_absent(p, &m, S("no RetentionInDays, so they are kept for ever"));
	if (days.n && promise_owed(p, &m, true))
		(void)proof_equal(p, &m, S("the group's retention in days"), days, json_get_str(live, "retentionInDays"));
}
