/* SPDX-License-Identifier: Apache-2.0 */
/* policies.c - resource policies: which AWS services may write to log groups. They count for service principals only, and for two
 * actions. Source: PutResourcePolicy (API Reference). */
#include "svc/logs/logs_int.h"
#include <errno.h>

#define ACCOUNT_POLICIES_MAX 10
#define DOCUMENT_BYTES_MAX 5120 /* of an account's policy */

static void policy_key(struct keybuf *k, struct str account, struct str name)
{
	key_begin(k, account, "logs.policy");
	key_raw(k, name);
}

/* The policies of the account, at most ACCOUNT_POLICIES_MAX, in the order of their names. */
static int account_policies(struct call *c, struct logs_rec_resource_policy *v, size_t *ret_n)
{
	struct store_range range = { 0 };
	struct str key, value;
	struct keybuf k;
	size_t n = 0;
	int r;

	policy_key(&k, c->account, S(""));
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r == 0 && n < ACCOUNT_POLICIES_MAX && (r = store_range_next(&range, &key, &value)) == 1)
		r = record_decode(&logs_records, LOGS_REC_RESOURCE_POLICY, c->arena, value, &v[n++]);
	store_range_close(&range);
	*ret_n = n;
	return r < 0 ? r : 0;
}

static int add_statements(struct call *c, struct json *all, struct str document)
{
	const struct json *st;
	struct json *j;

	if (json_parse(c->arena, document, &j, NULL) < 0)
		return -EBADMSG;
	st = json_getz(j, "Statement");
	for (size_t i = 0; json_is(st, JSON_ARRAY) && i < st->n; i++) {
		json_remove(&st->items[i], S("Sid")); /* unique within one document only */
		json_push(c->arena, all, &st->items[i]);
	}
	if (json_is(st, JSON_OBJECT))
		json_push(c->arena, all, st);
	return 0;
}

/* Only what services write is theirs to allow. */
int logs_policy_text(struct call *c, const char *action, const struct logs_rec_group *g, struct str *ret)
{
	struct logs_rec_resource_policy v[ACCOUNT_POLICIES_MAX];
	struct json *doc, *all;
	size_t n;
	int r;

	*ret = STR_NONE;
	if (c->who->p.type != PRINCIPAL_SERVICE ||
	    (strcmp(action, "logs:PutLogEvents") != 0 && strcmp(action, "logs:CreateLogStream") != 0))
		return 0;
	r = account_policies(c, v, &n);
	doc = json_new(c->arena, JSON_OBJECT);
	json_set_str(c->arena, doc, "Version", S("2012-10-17"));
	all = json_new(c->arena, JSON_ARRAY);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_statements(c, all, v[i].document);
	if (r == 0 && g && g->policy)
		r = add_statements(c, all, g->policy->document);
	if (r == 0 && all->n) {
		json_set(c->arena, doc, S("Statement"), all);
		*ret = json_text(c->arena, doc);
	}
	return r;
}

static int check_document(struct call *c, struct str text, bool of_account)
{
	struct policy *p;
	struct str why;

	if (of_account && text.n > DOCUMENT_BYTES_MAX)
		return call_fail(c, &logs_err_limit_exceeded, "Resource limit exceeded.");
	if (policy_parse(c->arena, text, POLICY_RESOURCE, &p, &why) < 0)
		return call_fail(c, &logs_err_invalid_parameter, "Unsupported policy document: %.*s", STR(why));
	return 0;
}

static struct logs_resource_policy *described(struct call *c, const struct logs_rec_resource_policy *p, struct str arn)
{
	struct logs_resource_policy *d = arena_new(c->arena, struct logs_resource_policy);

	*d = (struct logs_resource_policy){ .policy_name = p->name,
					    .policy_document = p->document,
					    .last_updated_time = OPT_INT(p->updated.ms),
					    .policy_scope = arn.p ? S("RESOURCE") : S("ACCOUNT"),
					    .resource_arn = arn,
					    .revision_id = p->revision };
	return d;
}

/* The policy of one group. A change names the revision that it replaces. */
static int expected(struct call *c, const struct logs_rec_group *g, struct str revision)
{
	if (g->policy ? !revision.p || !str_eq(revision, g->policy->revision) : !!revision.p)
		return call_fail(c, &logs_err_operation_aborted, "The expected revision id does not match the current one.");
	return 0;
}

static int put_group_policy(struct call *c, const struct logs_put_resource_policy_request *in,
			    struct logs_put_resource_policy_response *out)
{
	struct logs_rec_resource_policy p = {
		.name = in->policy_name, .document = in->policy_document, .updated = OPT_TIME(c->now_ms), .revision = random_uuid(c->arena)
	};
	struct logs_rec_group g;
	int r = check_document(c, in->policy_document, false);

	if (r == 0)
		r = logs_group_load(c, in->resource_arn, &g);
	if (r == 0)
		r = expected(c, &g, in->expected_revision_id);
	if (r < 0)
		return r;
	g.policy = &p;
	out->resource_policy = described(c, &p, logs_group_arn(c, g.name));
	out->revision_id = p.revision;
	return logs_group_put(c, &g);
}

LOGS_HANDLER(put_resource_policy)
{
	struct logs_rec_resource_policy v[ACCOUNT_POLICIES_MAX],
		p = { .name = in->policy_name, .document = in->policy_document, .updated = OPT_TIME(c->now_ms) };
	struct keybuf k;
	bool known = false;
	size_t n;
	int r;

	if (!in->policy_document.p)
		return call_fail(c, &logs_err_invalid_parameter, "A policyDocument is required.");
	if (in->resource_arn.p)
		return put_group_policy(c, in, out);
	if (!in->policy_name.p || !in->policy_name.n || in->policy_name.n > 255)
		return call_fail(c, &logs_err_invalid_parameter, "A policyName is required.");
	r = check_document(c, in->policy_document, true);
	if (r == 0)
		r = account_policies(c, v, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		known |= str_eq(v[i].name, p.name);
	if (!known && n >= ACCOUNT_POLICIES_MAX)
		return call_fail(c, &logs_err_limit_exceeded, "Resource limit exceeded.");
	policy_key(&k, c->account, p.name);
	out->resource_policy = described(c, &p, STR_NONE);
	return record_put(c->txn, &logs_records, LOGS_REC_RESOURCE_POLICY, &k, &p);
}

LOGS_HANDLER(describe_resource_policies)
{
	struct logs_rec_resource_policy v[ACCOUNT_POLICIES_MAX];
	struct logs_rec_group g;
	struct str after = STR_NONE;
	size_t n, max = in->limit.has ? (size_t)in->limit.v : 50;
	int r;

	out->resource_policies.v = arena_array(c->arena, struct logs_resource_policy, ACCOUNT_POLICIES_MAX);
	if (in->resource_arn.p) {
		r = logs_group_load(c, in->resource_arn, &g);
		if (r == 0 && g.policy)
			out->resource_policies.v[out->resource_policies.n++] = *described(c, g.policy, logs_group_arn(c, g.name));
		return r;
	}
	if (str_is(in->policy_scope, "RESOURCE"))
		return call_fail(c, &logs_err_invalid_parameter, "A resourceArn is required to describe policies of resources.");
	if (in->next_token.p && page_parse(c, in->next_token, &after) < 0)
		return call_fail(c, &logs_err_invalid_parameter, "The specified nextToken is invalid.");
	r = account_policies(c, v, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (after.p && str_cmp(v[i].name, after) <= 0)
			continue;
		if (out->resource_policies.n == max) {
			out->next_token = page_token(c, out->resource_policies.v[max - 1].policy_name);
			break;
		}
		out->resource_policies.v[out->resource_policies.n++] = *described(c, &v[i], STR_NONE);
	}
	return r;
}

LOGS_HANDLER(delete_resource_policy)
{
	struct logs_rec_group g;
	struct keybuf k;
	int r;

	if (in->resource_arn.p) {
		r = logs_group_load(c, in->resource_arn, &g);
		if (r == 0 && !g.policy)
			return call_fail(c, &logs_err_resource_not_found, "Policy does not exist.");
		if (r == 0)
			r = expected(c, &g, in->expected_revision_id);
		g.policy = NULL;
		return r < 0 ? r : logs_group_put(c, &g);
	}
	if (!in->policy_name.p)
		return call_fail(c, &logs_err_invalid_parameter, "A policyName is required.");
	policy_key(&k, c->account, in->policy_name);
	r = store_del(c->txn, key_view(&k));
	if (r == -ENOENT)
		return call_fail(c, &logs_err_resource_not_found, "Policy with name [%.*s] does not exist.", STR(in->policy_name));
	return r;
}
