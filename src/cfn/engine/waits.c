/* SPDX-License-Identifier: Apache-2.0 */
/* waits.c - AWS::CloudFormation::WaitConditionHandle and WaitCondition: an address that is signalled from outside, and a resource that
 * is made when enough signals have come. */
#include "cfn/custom.h"
#include "cfn/actor.h"
#include "cfn/engine/engine.h"
#include <errno.h>

#define WAIT_SECONDS_MAX 43200

struct wait {
	struct cfn_resource *r;
	struct cfn_actor *actor;
	struct str handle; /* the handle's request id */
	struct cfn_rec_ask own, ask;
	int64_t seconds;
};

/* --- the handle --- */
static int handle_txn(struct store_txn *t, void *arg)
{
	struct wait *w = arg;
	struct cfn_rec_ask now;
	int r = ask_load(t, w->r->arena, w->ask.id, &now);

	return r == 0 ? 0 : r != -ENOENT ? r : ask_put(t, &w->ask);
}

static int handle_create(struct cfn_resource *r)
{
	struct wait w = { .r = r, .actor = r->engine };
	int e;

	w.ask = (struct cfn_rec_ask){ .id = r->token,
				      .stack = w.actor->stack,
				      .stack_arn = r->stack_id,
				      .logical = r->logical_id,
				      .account = r->account,
				      .handle = OPT_BOOL(true) };
	e = store_write(w.actor->region->store, handle_txn, &w);
	r->ret_physical_id = ask_url(w.actor->cloud, r->arena, &w.ask, r->region);
	r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	return e;
}

/* The address of a handle says its request. */
static int handle_of(struct cfn_resource *r, struct str url, struct str *ret)
{
	struct cfn_actor *x = r->engine;
	struct str path = STR_NONE, query = STR_NONE;
	struct custom_place p;
	ptrdiff_t at = str_find(url, S(CUSTOM_PATH));
	uint8_t key[32];
	int e;

	if (at < 0 || !str_cut(str_skip(url, (size_t)at), '?', &path, &query))
		return -EINVAL;
	ask_key_bytes(x->cloud, key);
	e = custom_target_parse(r->arena, key, path, query, clock_now_ms(), &p);
	mem_wipe(key, sizeof key);
	*ret = p.request_id;
	return e == -ETIME ? 0 : e;
}

static int handle_drop(struct store_txn *t, void *arg)
{
	struct wait *w = arg;

	return ask_delete(t, w->handle);
}

static int handle_delete(struct cfn_resource *r)
{
	struct wait w = { .r = r, .actor = r->engine };

	return handle_of(r, r->physical_id, &w.handle) < 0 ? 0 : store_write(w.actor->region->store, handle_drop, &w);
}

static int handle_update(struct cfn_resource *r)
{
	return 0;
}

/* --- the condition --- */
/* Under the step's own id: its time wakes it. */
static struct cfn_rec_ask own_ask(const struct wait *w)
{
	return (struct cfn_rec_ask){ .id = w->r->token,
				     .op = w->actor->op,
				     .stack = w->actor->stack,
				     .stack_arn = w->r->stack_id,
				     .logical = w->r->logical_id,
				     .account = w->r->account,
				     .sent = OPT_BOOL(true),
				     .deadline = OPT_TIME(clock_now_ms() + w->seconds * 1000) };
}

/* The handle's signals wake this step from now on; the time runs from the first run. */
static int wait_txn(struct store_txn *t, void *arg)
{
	struct wait *w = arg;
	struct cfn_resource *r = w->r;
	int e = ask_load(t, r->arena, w->handle, &w->ask);

	if (e < 0)
		return e;
	if (!w->ask.handle.v || !str_eq(w->ask.stack, w->actor->stack)) /* who sees another stack's address doesn't take its signals over */
		return -EACCES;
	e = ask_load(t, r->arena, r->token, &w->own);
	if (e != -ENOENT)
		return e;
	w->own = own_ask(w);
	w->own.answered = OPT_TIME(clock_now_ms()); /* it takes no answer itself */
	w->ask.op = w->actor->op;
	w->ask.waiter = r->logical_id;
	e = ask_put(t, &w->own);
	return e < 0 ? e : ask_put(t, &w->ask);
}

static int64_t number(struct cfn_resource *r, const char *name, int64_t dflt)
{
	int64_t v = dflt;

	return json_getz(r->props, name) && json_to_i64(json_getz(r->props, name), &v) < 0 ? -1 : v;
}

/* How many have signalled success; negative when one has failed. */
static int count(struct wait *w, struct json *data)
{
	struct cfn_resource *r = w->r;
	int n = 0;

	for (size_t i = 0; i < w->ask.signals.n; i++) {
		struct json *j;

		if (json_parse(r->arena, w->ask.signals.v[i].value, &j, NULL) < 0)
			continue;
		if (!str_is(json_get_str(j, "Status"), "SUCCESS"))
			return cfn_fail(r, "WaitCondition received failed message: '%.*s' for uniqueId: %.*s",
					STR(json_get_str(j, "Reason")), STR(w->ask.signals.v[i].key));
		json_set(r->arena, data, w->ask.signals.v[i].key, json_new_str(r->arena, json_get_str(j, "Data")));
		n++;
	}
	return n;
}

/* --- without a handle: signalled by SignalResource --- */
/* A duration as ISO 8601 writes it, in hours, minutes and seconds; -1: none. */
static int64_t duration(struct str s)
{
	static const char units[] = "HMS";
	static const int64_t seconds[] = { 3600, 60, 1 };
	int64_t sum = 0, v;
	size_t from = 0, n;

	if (!str_starts(s, S("PT")) || s.n == 2)
		return -1;
	for (s = str_skip(s, 2); s.n; s = str_skip(s, n + 1)) {
		const char *unit;

		for (n = 0; n < s.n && s.p[n] >= '0' && s.p[n] <= '9'; n++)
			continue;
		unit = n < s.n ? strchr(units + from, s.p[n]) : NULL;
		if (!n || n > 6 || !unit || !*unit || str_to_i64(str_of(s.p, n), &v) < 0)
			return -1;
		sum += v * seconds[unit - units];
		from = (size_t)(unit - units) + 1;
	}
	return sum;
}

static int policy_txn(struct store_txn *t, void *arg)
{
	struct wait *w = arg;
	struct cfn_resource *r = w->r;
	int e = ask_load(t, r->arena, r->token, &w->ask);

	if (e != -ENOENT)
		return e;
	w->ask = own_ask(w);
	w->ask.handle = OPT_BOOL(true);
	return ask_put(t, &w->ask);
}

static int wait_done(struct cfn_resource *r, const struct json *data)
{
	r->ret_physical_id = str_printf(r->arena, "%.*s/%.*s", STR(r->stack_id), STR(r->logical_id));
	r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	json_set_str(r->arena, r->ret_attrs, "Data", json_text(r->arena, data));
	return 0;
}

static int policy_create(struct cfn_resource *r)
{
	const struct json *signal = json_getz(r->creation_policy, "ResourceSignal");
	struct wait w = { .r = r, .actor = r->engine };
	struct str timeout = json_get_str(signal, "Timeout");
	int64_t want = 1, n = 0;
	int e;

	w.seconds = duration(timeout.p ? timeout : S("PT5M"));
	if (r->props->n)
		return cfn_fail(r, "A WaitCondition with a CreationPolicy has no properties.");
	if (w.seconds < 0 || w.seconds > WAIT_SECONDS_MAX)
		return cfn_fail(r, "CreationPolicy Timeout must be an ISO 8601 duration up to PT12H");
	if (json_getz(signal, "Count") && (json_to_i64(json_getz(signal, "Count"), &want) < 0 || want < 0))
		return cfn_fail(r, "CreationPolicy Count must be a number");
	e = store_write(w.actor->region->store, policy_txn, &w);
	if (e < 0)
		return e;
	for (size_t i = 0; i < w.ask.signals.n; i++, n++)
		if (!str_is(w.ask.signals.v[i].value, "SUCCESS"))
			return cfn_fail(r, "Received FAILURE signal with UniqueId %.*s", STR(w.ask.signals.v[i].key));
	if (n < want && clock_now_ms() <= w.ask.deadline.ms)
		return CFN_WAIT;
	if (n < want)
		return cfn_fail(r, "Failed to receive %lld resource signal(s) within the specified duration", (long long)(want - n));
	return wait_done(r, json_new(r->arena, JSON_OBJECT));
}

static int wait_create(struct cfn_resource *r)
{
	struct wait w = { .r = r, .actor = r->engine };
	struct json *data = json_new(r->arena, JSON_OBJECT);
	int64_t want = number(r, "Count", 1);
	int e = handle_of(r, json_get_str(r->props, "Handle"), &w.handle), n;

	if (r->creation_policy)
		return policy_create(r);
	if (!json_getz(r->props, "Handle") || !json_getz(r->props, "Timeout"))
		return cfn_fail(r, "Property %s cannot be empty.", json_getz(r->props, "Handle") ? "Timeout" : "Handle");
	w.seconds = number(r, "Timeout", WAIT_SECONDS_MAX);
	if (w.seconds < 0 || w.seconds > WAIT_SECONDS_MAX)
		return cfn_fail(r, "Value of property Timeout must be a number of seconds up to %d", WAIT_SECONDS_MAX);
	if (want < 1)
		return cfn_fail(r, "Value of property Count must be a number greater than 0");
	if (e == 0)
		e = store_write(w.actor->region->store, wait_txn, &w);
	if (e == -ENOENT || e == -EINVAL || e == -EACCES)
		return cfn_fail(
			r, "Invalid handle for WaitCondition: it must refer to an AWS::CloudFormation::WaitConditionHandle of the stack");
	if (e < 0)
		return e;
	n = count(&w, data);
	if (n < 0)
		return n;
	if (n < want && clock_now_ms() <= w.own.deadline.ms)
		return CFN_WAIT;
	if (n < want)
		return cfn_fail(r, "WaitCondition timed out. Received %d conditions when expecting %d", n, (int)want);
	return wait_done(r, data);
}

static int wait_update(struct cfn_resource *r)
{
	return cfn_fail(r, "Update to resource type AWS::CloudFormation::WaitCondition is not supported.");
}

static int wait_delete(struct cfn_resource *r)
{
	return 0;
}

static const struct cfn_property no_properties[] = { { NULL, 0, false } };
static const char *const no_attributes[] = { NULL };
const struct cfn_type type_wait_handle = {
	.name = "AWS::CloudFormation::WaitConditionHandle",
	.properties = no_properties,
	.attributes = no_attributes,
	.create = handle_create,
	.update = handle_update,
	.delete = handle_delete,
};
static const struct cfn_property wait_properties[] = {
	{ "Count", CFN_UPDATE, false },
	{ "Handle", CFN_UPDATE, false }, /* both needed without a CreationPolicy */
	{ "Timeout", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const char *const wait_attributes[] = { "Data", NULL };
const struct cfn_type type_wait = {
	.name = "AWS::CloudFormation::WaitCondition",
	.properties = wait_properties,
	.attributes = wait_attributes,
	.create = wait_create,
	.update = wait_update,
	.delete = wait_delete,
	.waits = true,
};
