/* SPDX-License-Identifier: Apache-2.0 */
/* groups.c - log groups: made, found, listed, kept for a time, protected, deleted. What a deleted group held is removed by a
 * job; nobody can reach it any more. Source: CloudWatch Logs API Reference. */
#include "svc/logs/logs_int.h"
#include <errno.h>

#define GROUPS_SCANNED_MAX 5000 /* groups one call looks at before it hands back a token */

struct str logs_group_name(struct call *c, struct str id)
{
	struct arn arn;

	if (!str_starts(id, S("arn:")))
		return id;
	if (arn_parse(id, &arn) < 0 || !str_is(arn.service, "logs") || !str_eq(arn.region, call_region(c)) ||
	    !str_eq(arn.account, c->account) || !str_starts(arn.resource, S("log-group:")))
		return STR_NONE;
	arn.resource = str_skip(arn.resource, 10);
	if (str_ends(arn.resource, S(":*")))
		arn.resource.n -= 2;
	return str_find_char(arn.resource, ':') >= 0 ? STR_NONE : arn.resource;
}

struct str logs_group_arn(struct call *c, struct str name)
{
	return call_arn(c, "logs", "log-group:%.*s", STR(name));
}

void logs_group_key(struct keybuf *k, struct str account, struct str name)
{
	key_begin(k, account, "logs.group");
	key_raw(k, name);
}

int64_t logs_new_id(void)
{
	uint64_t id;

	random_bytes(&id, sizeof id);
	return (int64_t)(id >> 1) + 1;
}

int logs_group_read(struct call *c, struct str name, struct logs_rec_group *ret)
{
	struct keybuf k;

	if (!name.p || !name.n)
		return -ENOENT;
	logs_group_key(&k, c->account, name);
	return record_get(c->txn, &logs_records, LOGS_REC_GROUP, c->arena, &k, ret);
}

int logs_group_load(struct call *c, struct str id, struct logs_rec_group *ret)
{
	const struct logs_rec_group *memo = c->memo;
	struct str name = logs_group_name(c, id);
	int r;

	if (memo && name.p && str_eq(memo->name, name)) { /* authorization has just read it, on this snapshot */
		*ret = *memo;
		return 0;
	}
	r = logs_group_read(c, name, ret);
	if (r == -ENOENT)
		return call_fail(c, &logs_err_resource_not_found, "The specified log group does not exist.");
	return r;
}

int logs_group_either(struct call *c, struct str name, struct str identifier, struct logs_rec_group *ret)
{
	if (name.p && identifier.p)
		return call_fail(c, &logs_err_invalid_parameter, "LogGroup name and LogGroup ARN are mutually exclusive parameters.");
	if (!name.p && !identifier.p)
		return call_fail(c, &logs_err_invalid_parameter, "At least one of logGroupName or logGroupIdentifier must be provided.");
	return logs_group_load(c, name.p ? name : identifier, ret);
}

int logs_group_put(struct call *c, const struct logs_rec_group *g)
{
	struct keybuf k;

	logs_group_key(&k, c->account, g->name);
	return record_put(c->txn, &logs_records, LOGS_REC_GROUP, &k, g);
}

int64_t logs_cutoff_ms(const struct logs_rec_group *g, int64_t now_ms)
{
	return g->retention.has ? now_ms - g->retention.v * LOGS_DAY_MS : INT64_MIN;
}

static void size_key(struct keybuf *k, struct str account, int64_t group)
{
	key_begin(k, account, "logs.size");
	key_u64(k, (uint64_t)group);
}

int64_t logs_size(struct store_txn *t, struct str account, int64_t group)
{
	struct keybuf k;
	struct str v;
	int64_t n;

	size_key(&k, account, group);
	if (store_get(t, key_view(&k), &v) < 0 || v.n != sizeof n)
		return 0;
	memcpy(&n, v.p, sizeof n);
	return n;
}

int logs_size_add(struct store_txn *t, struct str account, int64_t group, int64_t bytes)
{
	int64_t n = logs_size(t, account, group) + bytes;
	struct keybuf k;

	n = n < 0 ? 0 : n;
	size_key(&k, account, group);
	return store_put(t, key_view(&k), str_of((const char *)&n, sizeof n));
}

/* What this cloud cannot do with a group is refused. Sources: "Log classes", CreateLogGroup. */
static int acceptable(struct call *c, const struct logs_create_log_group_request *in)
{
	if (str_starts(in->log_group_name, S("aws/")))
		return call_fail(c, &logs_err_invalid_parameter, "Log groups starting with AWS/ are reserved for AWS.");
	if (in->log_group_class.p && !str_is(in->log_group_class, "STANDARD") && !str_is(in->log_group_class, "INFREQUENT_ACCESS"))
		return call_fail(c, &logs_err_invalid_parameter, "The log group class %.*s is not implemented by this cloud.",
				 STR(in->log_group_class));
	return 0;
}

LOGS_HANDLER(create_log_group)
{
	struct logs_rec_group g;
	int r = acceptable(c, in);

	if (r < 0)
		return r;
	r = logs_group_read(c, in->log_group_name, &g);
	if (r == 0)
		return call_fail(c, &logs_err_resource_already_exists, "The specified log group already exists");
	if (r != -ENOENT)
		return r;
	g = (struct logs_rec_group){ .name = in->log_group_name,
				     .id = OPT_INT(logs_new_id()),
				     .created = OPT_TIME(c->now_ms),
				     .kms_key = in->kms_key_id,
				     .class = in->log_group_class.p ? in->log_group_class : S("STANDARD") };
	if (in->deletion_protection_enabled.v)
		g.protected = OPT_BOOL(true);
	r = logs_tags_merge(c, &g, &in->tags);
	if (r == 0 && g.kms_key.p)
		r = logs_kms_check(c, &g);
	return r < 0 ? r : logs_group_put(c, &g);
}

LOGS_HANDLER(delete_log_group)
{
	struct logs_rec_group g;
	struct keybuf k;
	int r = logs_group_load(c, in->log_group_name, &g);

	if (r < 0)
		return r;
	if (g.protected.v)
		return call_fail(
			c, &logs_err_validation,
			"The specified log group cannot be deleted because deletion protection is enabled. Disable deletion protection "
			"and try again.");
	logs_group_key(&k, c->account, g.name);
	r = store_del(c->txn, key_view(&k));
	if (r == 0)
		r = logs_plan_retention(c, &(struct logs_rec_group){ .id = g.id, .name = g.name });
	return r < 0 ? r : logs_plan_drop(c, g.id.v, 0);
}

/* Sources: PutRetentionPolicy (possible values of retentionInDays). */
LOGS_HANDLER(put_retention_policy)
{
	static const int days[] = {
		1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
	};
	struct logs_rec_group g;
	bool known = false;
	int r;

	for (size_t i = 0; i < ELEMENTS(days); i++)
		known |= in->retention_in_days.v == days[i];
	if (!known)
		return call_fail(
			c, &logs_err_invalid_parameter,
			"1 validation error detected: Value '%lld' at 'retentionInDays' failed to satisfy constraint: Member must "
			"satisfy enum value set: [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, "
			"2557, 2922, 3288, 3653]",
			(long long)in->retention_in_days.v);
	r = logs_group_load(c, in->log_group_name, &g);
	if (r < 0)
		return r;
	g.retention = in->retention_in_days;
	r = logs_plan_retention(c, &g);
	return r < 0 ? r : logs_group_put(c, &g);
}

LOGS_HANDLER(delete_retention_policy)
{
	struct logs_rec_group g;
	int r = logs_group_load(c, in->log_group_name, &g);

	if (r < 0)
		return r;
	g.retention.has = false;
	r = logs_plan_retention(c, &g);
	return r < 0 ? r : logs_group_put(c, &g);
}

LOGS_HANDLER(put_log_group_deletion_protection)
{
	struct logs_rec_group g;
	int r = logs_group_load(c, in->log_group_identifier, &g);

	if (r < 0)
		return r;
	g.protected = in->deletion_protection_enabled;
	return logs_group_put(c, &g);
}

/* The group of the two KMS operations; what else a resource identifier could name is not built. */
static int kms_group(struct call *c, struct str name, struct str identifier, struct logs_rec_group *ret)
{
	if (!!name.p == !!identifier.p)
		return call_fail(c, &logs_err_invalid_parameter,
				 "You must specify either the resourceIdentifier parameter or the logGroup parameter, but not both.");
	if (identifier.p && str_find(identifier, S(":query-result:")) >= 0)
		return call_fail(c, &logs_err_invalid_parameter, "Encryption of query results is not implemented by this cloud.");
	return logs_group_load(c, name.p ? name : identifier, ret);
}

LOGS_HANDLER(associate_kms_key)
{
	struct logs_rec_group g;
	int r = kms_group(c, in->log_group_name, in->resource_identifier, &g);

	if (r < 0)
		return r;
	g.kms_key = in->kms_key_id;
	r = logs_kms_check(c, &g);
	return r < 0 ? r : logs_group_put(c, &g);
}

LOGS_HANDLER(disassociate_kms_key)
{
	struct logs_rec_group g;
	int r = kms_group(c, in->log_group_name, in->resource_identifier, &g);

	if (r < 0)
		return r;
	g.kms_key = STR_NONE;
	return logs_group_put(c, &g);
}

/* --- listings --- */
struct listing {
	struct call *c;
	struct str prefix, pattern, class, token;
	bool regex; /* the pattern is words between bars, each perhaps after a '^' */
	size_t max;
	struct logs_rec_group *v;
	size_t n, cap;
	struct str next;
};

static bool named_like(const struct listing *l, struct str name)
{
	struct str rest = l->pattern, word;

	if (!l->pattern.p || !l->pattern.n)
		return true;
	if (!l->regex)
		return str_find(name, l->pattern) >= 0;
	while (str_next(&rest, '|', &word))
		if (word.n && *word.p == '^' ? str_starts(name, str_skip(word, 1)) : str_find(name, word) >= 0)
			return true;
	return false;
}

static int list_groups(struct listing *l)
{
	struct store_range range = { 0 };
	struct str key, value, after = STR_NONE;
	char last[STORE_KEY_BYTES_MAX];
	struct keybuf k;
	size_t seen = 0;
	int r;

	if (l->token.p && page_parse(l->c, l->token, &after) < 0)
		return call_fail(l->c, &logs_err_invalid_parameter, "The specified nextToken is invalid.");
	logs_group_key(&k, l->c->account, l->prefix.p ? l->prefix : S(""));
	r = store_range_open(&range, l->c->txn, key_view(&k), after, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		struct logs_rec_group g;

		if (l->n == l->max || ++seen > GROUPS_SCANNED_MAX) {
			l->next = page_token(l->c, after);
			r = 0;
			break;
		}
		memcpy(last, key.p, key.n);
		after = str_of(last, key.n);
		r = record_decode(&logs_records, LOGS_REC_GROUP, l->c->arena, value, &g);
		if (r == 0 && named_like(l, g.name) && (!l->class.p || str_eq(l->class, g.class)))
			vec_push(l->c->arena, l->v, l->n, l->cap) = g;
	}
	store_range_close(&range);
	return r;
}

static void describe(struct call *c, const struct logs_rec_group *g, struct logs_log_group *ret)
{
	struct str arn = logs_group_arn(c, g->name);

	*ret = (struct logs_log_group){ .log_group_name = g->name,
					.creation_time = OPT_INT(g->created.ms),
					.retention_in_days = g->retention,
					.metric_filter_count = OPT_INT(0),
					.arn = str_printf(c->arena, "%.*s:*", STR(arn)),
					.stored_bytes = OPT_INT(logs_size(c->txn, c->account, g->id.v)),
					.kms_key_id = g->kms_key,
					.log_group_class = g->class,
					.log_group_arn = arn,
					.deletion_protection_enabled = OPT_BOOL(g->protected.v) };
}

static int no_other_accounts(struct call *c, bool linked, const struct str_list *accounts)
{
	for (size_t i = 0; i < accounts->n; i++)
		if (!str_eq(accounts->v[i], c->account))
			linked = true;
	return linked ? call_fail(c, &logs_err_invalid_parameter, "Linked accounts are not implemented by this cloud.") : 0;
}

static int describe_named(struct call *c, const struct logs_describe_log_groups_request *in, struct logs_describe_log_groups_response *out)
{
	out->log_groups.v = arena_array(c->arena, struct logs_log_group, in->log_group_identifiers.n);
	for (size_t i = 0; i < in->log_group_identifiers.n; i++) {
		struct logs_rec_group g;
		int r = logs_group_read(c, logs_group_name(c, in->log_group_identifiers.v[i]), &g);

		if (r == 0)
			describe(c, &g, &out->log_groups.v[out->log_groups.n++]);
		else if (r != -ENOENT)
			return r;
	}
	return 0;
}

LOGS_HANDLER(describe_log_groups)
{
	struct listing l = { .c = c,
			     .prefix = in->log_group_name_prefix,
			     .pattern = in->log_group_name_pattern,
			     .class = in->log_group_class,
			     .token = in->next_token,
			     .max = in->limit.has ? (size_t)in->limit.v : 50 };
	int r = no_other_accounts(c, in->include_linked_accounts.v, &in->account_identifiers);

	if (r < 0)
		return r;
	if (l.prefix.p && l.pattern.p)
		return call_fail(c, &logs_err_invalid_parameter,
				 "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.");
	if (in->log_group_identifiers.n)
		return l.prefix.p || l.pattern.p || l.class.p || l.token.p
			       ? call_fail(c, &logs_err_invalid_parameter,
					   "When logGroupIdentifiers is given, no other filter can be specified.")
			       : describe_named(c, in, out);
	r = list_groups(&l);
	if (r < 0)
		return r;
	out->next_token = l.next;
	out->log_groups.v = arena_array(c->arena, struct logs_log_group, l.n + 1);
	for (size_t i = 0; i < l.n; i++)
		describe(c, &l.v[i], &out->log_groups.v[out->log_groups.n++]);
	return 0;
}

LOGS_HANDLER(list_log_groups)
{
	struct listing l = { .c = c,
			     .pattern = in->log_group_name_pattern,
			     .regex = true,
			     .class = in->log_group_class,
			     .token = in->next_token,
			     .max = in->limit.has ? (size_t)in->limit.v : 50 };
	int r = no_other_accounts(c, in->include_linked_accounts.v, &in->account_identifiers);

	if (r < 0)
		return r;
	if (in->data_sources.n || in->field_index_names.n || in->log_group_tags.n)
		return call_fail(c, &logs_err_invalid_parameter,
				 "Listing log groups by data source, field index or tags is not implemented by this cloud.");
	r = list_groups(&l);
	if (r < 0)
		return r;
	out->next_token = l.next;
	out->log_groups.v = arena_array(c->arena, struct logs_log_group_summary, l.n + 1);
	for (size_t i = 0; i < l.n; i++)
		out->log_groups.v[out->log_groups.n++] = (struct logs_log_group_summary){
			.log_group_name = l.v[i].name,
			.log_group_arn = logs_group_arn(c, l.v[i].name),
			.log_group_class = l.v[i].class,
		};
	return 0;
}
