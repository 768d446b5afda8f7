/* SPDX-License-Identifier: Apache-2.0 */
/* subscriptions.c - subscription filters: kept with their group, checked against the function that they feed, and asked about
 * every chunk that is written. What matches is noted in the same transaction; deliver.c brings it. Source: PutSubscriptionFilter,
 * "Log group-level subscription filters" (CloudWatch Logs User Guide). */
#include "store/jobs.h"
#include "svc/logs/logs_int.h"
#include "svc/logs/pattern.h"
#include <errno.h>

#define FILTERS_MAX 2 /* of a group */

void logs_out_key(struct keybuf *k, struct str account, int64_t group, int64_t filter)
{
	key_begin(k, account, "logs.out");
	key_u64(k, (uint64_t)group);
	key_u64(k, (uint64_t)filter);
}

struct call_facts logs_facts_for(struct arena *a, struct call_facts facts, struct str group_arn, struct str account)
{
	facts.source_arn = str_printf(a, "%.*s:*", STR(group_arn));
	facts.source_account = account;
	facts.invoked_by = S("logs.amazonaws.com");
	return facts;
}

/* Would the function take an invocation by this principal for this group? */
static int dry_run(struct call *c, const struct service *lambda, const char *principal, struct str function, struct call_error *e)
{
	struct json *p = json_new(c->arena, JSON_OBJECT);
	const struct op *op = wire_op(lambda->model, S("Invoke"));
	struct wire_fault fault = { 0 };
	void *in, *out;

	if (!op)
		return -ENOSYS;
	json_set_str(c->arena, p, "FunctionName", function);
	json_set_str(c->arena, p, "InvocationType", S("DryRun"));
	in = arena_zalloc(c->arena, lambda->model->shapes[op->in].size);
	out = arena_zalloc(c->arena, lambda->model->shapes[op->out].size);
	if (wire_from_json(lambda->model, op->in, p, c->arena, in, &fault) < 0)
		return -EINVAL;
	return call_invoke_as(c, principal, lambda->model, "Invoke", in, out, e);
}

/* As AWS does, a test invocation says whether the function may be invoked. */
static int function_allows(struct call *c, const struct logs_rec_group *g, struct str function)
{
	const struct service *lambda = cloud_service(c->cloud, "lambda");
	struct call_facts before = c->facts;
	struct call_error e = { 0 };
	int r;

	if (!lambda)
		return call_fail(c, &logs_err_invalid_parameter, "Functions are not implemented by this cloud.");
	c->facts = logs_facts_for(c->arena, c->facts, logs_group_arn(c, g->name), c->account);
	r = dry_run(c, lambda, "logs.amazonaws.com", function, &e);
	if (r < 0)
		r = dry_run(c, lambda, str_z(c->arena, str_printf(c->arena, "logs.%.*s.amazonaws.com", STR(call_region(c)))), function, &e);
	c->facts = before;
	if (r < 0)
		return call_fail(
			c, &logs_err_invalid_parameter,
			"Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your "
			"function.");
	return 0;
}

static int check_destination(struct call *c, const struct logs_put_subscription_filter_request *in)
{
	struct arn arn;

	if (arn_parse(in->destination_arn, &arn) < 0)
		return call_fail(c, &logs_err_invalid_parameter, "destinationArn is not a valid ARN: %.*s", STR(in->destination_arn));
	if (!str_is(arn.service, "lambda"))
		return call_fail(c, &logs_err_invalid_parameter, "Destinations of %.*s are not implemented by this cloud: %.*s",
				 STR(arn.service), STR(in->destination_arn));
	if (!str_starts(arn.resource, S("function:")) || !str_eq(arn.account, c->account) || !str_eq(arn.region, call_region(c)))
		return call_fail(c, &logs_err_invalid_parameter, "The destination is no function of this account and region: %.*s",
				 STR(in->destination_arn));
	if (in->role_arn.p)
		return call_fail(c, &logs_err_invalid_parameter, "destinationArn for vendor lambda cannot be used with roleArn");
	if (in->apply_on_transformed_logs.v || in->field_selection_criteria.n || in->emit_system_fields.n)
		return call_fail(c, &logs_err_invalid_parameter,
				 "Transformed logs and system fields in subscription filters are not implemented by this cloud.");
	return 0;
}

/* The filters in the order of their names, with this one among them. */
static int merge(struct call *c, struct logs_rec_group *g, const struct logs_rec_filter *f)
{
	struct logs_rec_filter *v = arena_array(c->arena, struct logs_rec_filter, g->filters.n + 1);
	size_t n = 0, at = 0;

	for (size_t i = 0; i < g->filters.n; i++)
		if (!str_eq(g->filters.v[i].name, f->name))
			v[n++] = g->filters.v[i];
	if (n >= FILTERS_MAX)
		return call_fail(c, &logs_err_limit_exceeded, "Resource limit exceeded.");
	while (at < n && str_cmp(v[at].name, f->name) < 0)
		at++;
	memmove(&v[at + 1], &v[at], (n - at) * sizeof *v);
	v[at] = *f;
	g->filters.v = v;
	g->filters.n = n + 1;
	return 0;
}

static struct logs_rec_filter *find(const struct logs_rec_group *g, struct str name)
{
	for (size_t i = 0; i < g->filters.n; i++)
		if (str_eq(g->filters.v[i].name, name))
			return &g->filters.v[i];
	return NULL;
}

LOGS_HANDLER(put_subscription_filter)
{
	const struct logs_rec_filter *old;
	struct logs_rec_filter f;
	struct logs_pattern *p;
	struct logs_rec_group g;
	int r = logs_group_load(c, in->log_group_name, &g);

	if (r == 0 && str_is(g.class, "INFREQUENT_ACCESS"))
		return call_fail(c, &logs_err_invalid_operation,
				 "Subscription filters are not supported for log groups of the INFREQUENT_ACCESS log class.");
	if (r == 0)
		r = logs_pattern_read(c, in->filter_pattern, &p);
	if (r == 0)
		r = check_destination(c, in);
	if (r == 0)
		r = function_allows(c, &g, in->destination_arn);
	if (r < 0)
		return r;
	old = find(&g, in->filter_name);
	f = (struct logs_rec_filter){ .name = in->filter_name,
				      .pattern = in->filter_pattern,
				      .destination = in->destination_arn,
				      .distribution = in->distribution.p ? in->distribution : S("ByLogStream"),
				      .created = old ? old->created : OPT_TIME(c->now_ms),
				      .id = old ? old->id : OPT_INT(logs_new_id()) };
	r = merge(c, &g, &f);
	return r < 0 ? r : logs_group_put(c, &g);
}

LOGS_HANDLER(delete_subscription_filter)
{
	struct logs_rec_filter *f;
	struct logs_rec_group g;
	int r = logs_group_load(c, in->log_group_name, &g);

	if (r < 0)
		return r;
	f = find(&g, in->filter_name);
	if (!f)
		return call_fail(c, &logs_err_resource_not_found, "The specified subscription filter does not exist.");
	memmove(f, f + 1, (size_t)(g.filters.v + g.filters.n - (f + 1)) * sizeof *f);
	g.filters.n--;
	return logs_group_put(c, &g); /* what waits for delivery finds no filter any more, and is dropped */
}

LOGS_HANDLER(describe_subscription_filters)
{
	size_t max = in->limit.has ? (size_t)in->limit.v : 50;
	struct str after = STR_NONE;
	struct logs_rec_group g;
	int r = logs_group_load(c, in->log_group_name, &g);

	if (r < 0)
		return r;
	if (in->next_token.p && page_parse(c, in->next_token, &after) < 0)
		return call_fail(c, &logs_err_invalid_parameter, "The specified nextToken is invalid.");
	out->subscription_filters.v = arena_array(c->arena, struct logs_subscription_filter, g.filters.n + 1);
	for (size_t i = 0; i < g.filters.n; i++) {
		const struct logs_rec_filter *f = &g.filters.v[i];

		if ((in->filter_name_prefix.p && !str_starts(f->name, in->filter_name_prefix)) || (after.p && str_cmp(f->name, after) <= 0))
			continue;
		if (out->subscription_filters.n == max) {
			out->next_token = page_token(c, out->subscription_filters.v[max - 1].filter_name);
			break;
		}
		out->subscription_filters.v[out->subscription_filters.n++] =
			(struct logs_subscription_filter){ .filter_name = f->name,
							   .log_group_name = g.name,
							   .filter_pattern = f->pattern,
							   .destination_arn = f->destination,
							   .distribution = f->distribution,
							   .apply_on_transformed_logs = OPT_BOOL(false),
							   .creation_time = OPT_INT(f->created.ms) };
	}
	return 0;
}

/* --- what is written --- */
static bool any_matches(struct call *c, const struct logs_rec_filter *f, const struct logs_event *v, size_t n)
{
	struct arena a = { 0 }, scratch = { 0 };
	struct logs_pattern *p;
	struct str error;
	bool any = false;

	if (logs_pattern_compile(&a, f->pattern, &p, &error) == 0)
		for (size_t i = 0; i < n && !any; i++)
			any = logs_pattern_matches(p, v[i].message, &scratch);
	arena_done(&scratch);
	arena_done(&a);
	return any;
}

/* One job a filter; one that waits for its next attempt is left as it is. */
static int plan_delivery(struct call *c, const struct logs_rec_group *g, const struct logs_rec_filter *f)
{
	struct str id = str_printf(c->arena, "%.*s/%lld/%lld", STR(c->account), (long long)g->id.v, (long long)f->id.v);
	struct job j;
	int r = job_get(c->txn, c->arena, LOGS_JOB_DELIVER, id, &j);

	if (r != -ENOENT)
		return r;
	r = job_put(c->txn, c->now_ms, LOGS_JOB_DELIVER, id, str_printf(c->arena, "0 %.*s", STR(g->name)));
	if (r == 0)
		call_on_commit(c, logs_wake, NULL);
	return r;
}

int logs_subscriptions_feed(struct call *c, const struct logs_rec_group *g, const struct logs_rec_stream *s, int64_t first, int64_t seq,
			    const struct logs_event *v, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < g->filters.n; i++) {
		const struct logs_rec_filter *f = &g->filters.v[i];
		struct keybuf k;

		if (!any_matches(c, f, v, n))
			continue;
		logs_out_key(&k, c->account, g->id.v, f->id.v);
		key_u64(&k, (uint64_t)c->now_ms);
		key_u64(&k, (uint64_t)s->id.v);
		key_u64(&k, (uint64_t)seq);
		r = store_put(c->txn, key_view(&k), str_printf(c->arena, "%lld %.*s", (long long)first, STR(s->name)));
		if (r == 0)
			r = plan_delivery(c, g, f);
	}
	return r;
}
