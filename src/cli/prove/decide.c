/* SPDX-License-Identifier: Apache-2.0 */
/* decide.c - which statement decided. The cloud says which kind of policy it was; which statement of it, is found by
 * evaluating the same document here. */
#include "cli/prove/prove.h"

struct str decided_by(struct arena *a, struct str message)
{
	ptrdiff_t at;

	if (!message.p)
		return STR_NONE;
	at = str_find(message, S(" with an explicit deny in "));
	if (at >= 0)
		return str_printf(a, "explicit deny in %.*s", STR(str_skip(message, (size_t)at + 26)));
	at = str_find(message, S(" because no "));
	if (at >= 0)
		return str_printf(a, "no %.*s", STR(str_skip(message, (size_t)at + 12)));
	at = str_find(message, S(" because "));
	if (at >= 0)
		return str_skip(message, (size_t)at + 9);
	if (str_starts(message, S("User: ")) && str_find(message, S(" is not authorized to perform: ")) >= 0)
		return S("nothing allows it"); /* the caller's own name is no reason */
	return STR_NONE;
}

struct str statement_name(struct arena *a, const struct json *doc, size_t i)
{
	const struct json *list = json_getz(doc, "Statement");
	struct str sid;

	if (i >= list_len(list))
		return STR_NONE;
	sid = json_get_str(list_at(list, i), "Sid");
	return sid.n ? str_printf(a, "statement %.*s", STR(sid)) : str_printf(a, "statement %zu", i + 1);
}

#define KEYS_MAX 12
#define ALLOW_ALL "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}"

/* What a document is asked, in memory of the run: evaluation borrows from it. */
static struct policy_request request_of(struct prove *p, const struct policy_ask *ask)
{
	struct policy_principal *who = arena_new(&p->arena, struct policy_principal);
	struct policy_key *keys = arena_array(&p->arena, struct policy_key, KEYS_MAX);
	struct {
		const char *name;
		struct str value;
	} own[] = { { "aws:SecureTransport", ask->plain ? S("false") : S("true") },
		    { "aws:PrincipalAccount", ask->arn.p ? ask->account : STR_NONE },
		    { "kms:CallerAccount", ask->arn.p ? ask->account : STR_NONE },
		    { "aws:PrincipalArn", ask->arn } };
	size_t n = 0;

	*who = (struct policy_principal){ .type = ask->service.p ? PRINCIPAL_SERVICE
						  : ask->arn.p   ? PRINCIPAL_USER
								 : PRINCIPAL_ANONYMOUS,
					  .account = ask->service.p ? STR_NONE : ask->account,
					  .arn = ask->arn,
					  .service = ask->service };
	for (size_t i = 0; i < ELEMENTS(own); i++)
		if (own[i].value.p)
			keys[n++] = (struct policy_key){ .name = str_c(own[i].name),
							 .values = arena_dup(&p->arena, &own[i].value, sizeof own[i].value),
							 .n = 1 };
	for (size_t i = 0; i < ask->n_keys && n < KEYS_MAX; i++)
		keys[n++] = ask->keys[i];
	return (struct policy_request){ .action = ask->action,
					.resource = ask->resource,
					.resource_account = ask->account,
					.principal = who,
					.keys = keys,
					.n_keys = n };
}

enum policy_decision policy_says(struct prove *p, const struct json *doc, enum policy_kind kind, const struct policy_ask *ask,
				 struct str *ret_sid)
{
	struct policy_request r = request_of(p, ask);
	struct policy *parsed, *own;
	struct str err;
	struct policy_result d;

	if (ret_sid)
		*ret_sid = STR_NONE;
	if (!doc || policy_parse(&p->arena, json_text(&p->arena, doc), kind, &parsed, &err) < 0)
		return DECISION_IMPLICIT_DENY;
	r.resource_policy = (struct policy_named){ parsed, S("policy") };
	r.rule = RESOURCE_POLICY_REQUIRED;
	if (ask->entitled && policy_parse(&p->arena, S(ALLOW_ALL), POLICY_IDENTITY, &own, &err) == 0)
		r.identity = (struct policy_set){
			arena_dup(&p->arena, &(struct policy_named){ own, S("own") }, sizeof(struct policy_named)), 1
		};
	d = policy_evaluate(&r, &p->arena);
	if (ret_sid && d.statement >= 0)
		*ret_sid = statement_name(&p->arena, doc, (size_t)d.statement);
	return d.decision;
}

bool policies_allow(struct prove *p, const struct json *const *docs, size_t n, const struct json *boundary, const struct policy_ask *ask)
{
	struct policy_request r = request_of(p, ask);
	struct policy *parsed;
	struct str err;

	r.identity.v = arena_array(&p->arena, struct policy_named, n + 1);
	for (size_t i = 0; i < n; i++)
		if (docs[i] && policy_parse(&p->arena, json_text(&p->arena, docs[i]), POLICY_IDENTITY, &parsed, &err) == 0)
			r.identity.v[r.identity.n++] = (struct policy_named){ parsed, S("policy") };
	if (boundary && policy_parse(&p->arena, json_text(&p->arena, boundary), POLICY_IDENTITY, &parsed, &err) == 0) {
		r.boundary.v = arena_new(&p->arena, struct policy_named);
		r.boundary.v[r.boundary.n++] = (struct policy_named){ parsed, S("boundary") };
	}
	return policy_evaluate(&r, &p->arena).decision == DECISION_ALLOW;
}
