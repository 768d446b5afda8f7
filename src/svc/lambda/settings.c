/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - what a function has besides its versions: reserved concurrency, how its events are retried and where their outcome
 * goes, when its runtime is updated, what happens in a loop. */
#include "svc/lambda/lambda_int.h"
#include <errno.h>

/* --- concurrency --- */
static int set_reserved(struct call *c, struct lambda_fn *fn, struct opt_int reserved)
{
	int64_t provisioned = fn->f.provisioned.has ? fn->f.provisioned.v : 0;
	struct lambda_rec_account use;
	int r = lambda_use_read(c->txn, c->arena, fn->account, &use);

	if (r < 0)
		return r;
	if (reserved.has && reserved.v < provisioned)
		return lambda_fail(
			c, &lambda_err_invalid_parameter_value,
			"ReservedConcurrentExecutions %lld should not be lower than function's total provisioned concurrency [%lld].",
			(long long)reserved.v, (long long)provisioned);
	use.reserved.v += (reserved.has ? reserved.v : 0) - (fn->f.reserved.has ? fn->f.reserved.v : 0);
	/* What is provisioned is a part of what is reserved, or of what nobody has reserved. */
	use.provisioned = OPT_INT(use.provisioned.v + (reserved.has ? 0 : provisioned) - (fn->f.reserved.has ? 0 : provisioned));
	if (reserved.has && use.reserved.v + use.provisioned.v > LAMBDA_CONCURRENCY_MAX - LAMBDA_UNRESERVED_MIN)
		return lambda_fail(
			c, &lambda_err_invalid_parameter_value,
			"Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its "
			"minimum value of [%d].",
			LAMBDA_UNRESERVED_MIN);
	fn->f.reserved = reserved;
	r = lambda_use_put(c->txn, fn->account, &use);
	return r < 0 ? r : lambda_function_put(c->txn, &fn->f);
}

LAMBDA_HANDLER(put_function_concurrency, put_function_concurrency_request, concurrency)
{
	struct lambda_fn fn;
	int r = lambda_whole(c, in->function_name, &fn);

	if (r < 0)
		return r;
	out->reserved_concurrent_executions = in->reserved_concurrent_executions;
	return set_reserved(c, &fn, in->reserved_concurrent_executions);
}

LAMBDA_HANDLER(get_function_concurrency, get_function_concurrency_request, get_function_concurrency_response)
{
	struct lambda_fn fn;
	int r = lambda_whole(c, in->function_name, &fn);

	if (r == 0)
		out->reserved_concurrent_executions = fn.f.reserved;
	return r;
}

LAMBDA_HANDLER(delete_function_concurrency, delete_function_concurrency_request, delete_function_concurrency_response)
{
	struct lambda_fn fn;
	int r = lambda_whole(c, in->function_name, &fn);

	return r < 0 ? r : set_reserved(c, &fn, (struct opt_int){ 0 });
}

LAMBDA_HANDLER(get_account_settings, get_account_settings_request, get_account_settings_response)
{
	struct lambda_rec_account use;
	int r = lambda_use_read(c->txn, c->arena, c->account, &use);

	if (r < 0)
		return r;
	out->account_limit = arena_new(c->arena, struct lambda_account_limit);
	*out->account_limit = (struct lambda_account_limit){ OPT_INT(LAMBDA_STORAGE_BYTES_MAX), OPT_INT(LAMBDA_UNZIPPED_BYTES_MAX),
							     OPT_INT(LAMBDA_ZIP_BYTES_MAX), OPT_INT(LAMBDA_CONCURRENCY_MAX),
							     OPT_INT(LAMBDA_CONCURRENCY_MAX - use.reserved.v) };
	out->account_usage = arena_new(c->arena, struct lambda_account_usage);
	*out->account_usage = (struct lambda_account_usage){ use.code_bytes, use.functions };
	return 0;
}

/* --- events: retries and destinations --- */
static int check_destination(struct call *c, const struct lambda_fn *fn, struct str arn)
{
	struct lambda_fn to;
	struct arn a;
	int r;

	if (arn.n == 0)
		return 0;
	if (arn_parse(arn, &a) < 0)
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "The destination ARN %.*s is invalid.", STR(arn));
	if (!str_is(a.service, "lambda"))
		return call_fail(c, &aws_err_not_implemented, "Destinations of %.*s are not implemented by this cloud, only functions.",
				 STR(a.service));
	r = lambda_find(c, arn, STR_NONE, &to);
	if (r == 0 && str_eq(to.name, fn->name) && str_eq(to.account, fn->account))
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "The destination of a function cannot be the function itself.");
	return r;
}

static void view_event(struct call *c, const struct lambda_fn *fn, const struct lambda_rec_event_config *e,
		       struct lambda_function_event_invoke_config *out)
{
	struct lambda_destination_config *d = arena_new(c->arena, struct lambda_destination_config);

	d->on_success = arena_new(c->arena, struct lambda_on_success);
	d->on_failure = arena_new(c->arena, struct lambda_on_failure);
	d->on_success->destination = e->on_success;
	d->on_failure->destination = e->on_failure;
	*out = (struct lambda_function_event_invoke_config){ .last_modified = e->modified,
							     .function_arn = lambda_arn(c, fn->account, fn->name,
											e->qualifier.n ? e->qualifier : S(LAMBDA_LATEST)),
							     .maximum_retry_attempts = e->retries,
							     .maximum_event_age_in_seconds = e->age_s,
							     .destination_config = d };
}

static int no_event(struct call *c, const struct lambda_fn *fn)
{
	return lambda_fail(c, &lambda_err_resource_not_found, "The function %.*s doesn't have an EventInvokeConfig",
			   STR(lambda_arn(c, fn->account, fn->name, fn->qualifier.p ? fn->qualifier : S(LAMBDA_LATEST))));
}

int lambda_event_read(struct store_txn *t, struct arena *a, struct str account, struct str name, struct str qualifier,
		      struct lambda_rec_event_config *ret)
{
	bool latest = !qualifier.n || str_is(qualifier, LAMBDA_LATEST);

	return lambda_table_get(t, a, account, "lambda.event", name, latest ? S("") : qualifier, LAMBDA_REC_EVENT_CONFIG, ret);
}

static int put_event(struct call *c, const struct lambda_put_function_event_invoke_config_request *in, bool update,
		     struct lambda_function_event_invoke_config *out)
{
	struct lambda_rec_event_config e = { 0 };
	struct lambda_rec_version v;
	struct lambda_fn fn;
	int r = lambda_find(c, in->function_name, in->qualifier, &fn);

	if (r == 0)
		r = lambda_resolve(c, &fn, &v);
	if (r == 0 && update) {
		r = lambda_event_read(c->txn, c->arena, fn.account, fn.name, fn.qualifier, &e);
		if (r == -ENOENT)
			return no_event(c, &fn);
	}
	if (r < 0)
		return r;
	e.name = fn.name;
	e.qualifier = fn.qualifier.n && !str_is(fn.qualifier, LAMBDA_LATEST) ? fn.qualifier : S("");
	e.retries = in->maximum_retry_attempts.has ? in->maximum_retry_attempts : e.retries;
	e.age_s = in->maximum_event_age_in_seconds.has ? in->maximum_event_age_in_seconds : e.age_s;
	if (in->destination_config && in->destination_config->on_success)
		e.on_success = in->destination_config->on_success->destination;
	if (in->destination_config && in->destination_config->on_failure)
		e.on_failure = in->destination_config->on_failure->destination;
	r = check_destination(c, &fn, e.on_success);
	if (r == 0)
		r = check_destination(c, &fn, e.on_failure);
	if (r < 0)
		return r;
	e.modified = OPT_TIME(c->now_ms);
	view_event(c, &fn, &e, out);
	return lambda_table_put(c->txn, fn.account, "lambda.event", fn.name, e.qualifier, LAMBDA_REC_EVENT_CONFIG, &e);
}

LAMBDA_HANDLER(put_function_event_invoke_config, put_function_event_invoke_config_request, function_event_invoke_config)
{
	return put_event(c, in, false, out);
}

LAMBDA_HANDLER(update_function_event_invoke_config, update_function_event_invoke_config_request, function_event_invoke_config)
{
	struct lambda_put_function_event_invoke_config_request same = { in->function_name, in->qualifier, in->maximum_retry_attempts,
									in->maximum_event_age_in_seconds, in->destination_config };

	return put_event(c, &same, true, out);
}

LAMBDA_HANDLER(get_function_event_invoke_config, get_function_event_invoke_config_request, function_event_invoke_config)
{
	struct lambda_rec_event_config e;
	struct lambda_fn fn;
	int r = lambda_find(c, in->function_name, in->qualifier, &fn);

	if (r == 0)
		r = lambda_event_read(c->txn, c->arena, fn.account, fn.name, fn.qualifier, &e);
	if (r == -ENOENT)
		return no_event(c, &fn);
	if (r == 0)
		view_event(c, &fn, &e, out);
	return r;
}

LAMBDA_HANDLER(delete_function_event_invoke_config, delete_function_event_invoke_config_request,
	       delete_function_event_invoke_config_response)
{
	struct lambda_fn fn;
	int r = lambda_find(c, in->function_name, in->qualifier, &fn);

	if (r == 0)
		r = lambda_table_del(c->txn, fn.account, "lambda.event", fn.name,
				     fn.qualifier.n && !str_is(fn.qualifier, LAMBDA_LATEST) ? fn.qualifier : S(""));
	return r == -ENOENT ? no_event(c, &fn) : r;
}

struct events {
	const struct lambda_fn *fn;
	struct lambda_function_event_invoke_config_list *l;
	size_t cap;
};

static int list_event(struct call *c, struct str key, struct str value, void *arg)
{
	struct events *x = arg;
	struct lambda_rec_event_config e;
	int r = record_decode(&lambda_records, LAMBDA_REC_EVENT_CONFIG, c->arena, value, &e);

	if (r == 0)
		view_event(c, x->fn, &e, &(vec_push(c->arena, x->l->v, x->l->n, x->cap)));
	return r;
}

LAMBDA_HANDLER(list_function_event_invoke_configs, list_function_event_invoke_configs_request, list_function_event_invoke_configs_response)
{
	struct lambda_fn fn;
	struct events x = { .fn = &fn, .l = &out->function_event_invoke_configs };
	struct keybuf k;
	int r = lambda_whole(c, in->function_name, &fn);

	if (r < 0)
		return r;
	x.l->v = arena_array(c->arena, struct lambda_function_event_invoke_config, 1);
	lambda_key(&k, fn.account, "lambda.event", fn.name);
	return lambda_rows(c, &k, in->marker, in->max_items, &out->next_marker, list_event, &x);
}

/* --- the runtime: there is one version of each here, so that nothing ever needs to be pinned --- */
LAMBDA_HANDLER(get_runtime_management_config, get_runtime_management_config_request, get_runtime_management_config_response)
{
	struct lambda_rec_version v;
	struct lambda_fn fn;
	int r = lambda_find(c, in->function_name, in->qualifier, &fn);

	if (r == 0)
		r = lambda_resolve(c, &fn, &v);
	if (r < 0)
		return r;
	out->update_runtime_on = v.runtime_update.p ? v.runtime_update : S("Auto");
	out->function_arn = lambda_arn(c, fn.account, fn.name, fn.qualifier.p ? fn.qualifier : S(LAMBDA_LATEST));
	return 0;
}

LAMBDA_HANDLER(put_runtime_management_config, put_runtime_management_config_request, put_runtime_management_config_response)
{
	struct lambda_rec_version v;
	struct lambda_fn fn;
	int r = lambda_find(c, in->function_name, in->qualifier, &fn);

	if (r == 0)
		r = lambda_resolve(c, &fn, &v);
	if (r == 0 && (in->runtime_version_arn.n || str_is(in->update_runtime_on, "Manual")))
		r = call_fail(c, &aws_err_not_implemented,
			      "UpdateRuntimeOn Manual is not implemented by this cloud: it has one version of a runtime.");
	if (r < 0)
		return r;
	v.runtime_update = in->update_runtime_on;
	out->update_runtime_on = in->update_runtime_on;
	out->function_arn = lambda_arn(c, fn.account, fn.name, fn.qualifier.p ? fn.qualifier : S(LAMBDA_LATEST));
	return lambda_version_put(c->txn, fn.account, &v);
}

LAMBDA_HANDLER(get_function_recursion_config, get_function_recursion_config_request, get_function_recursion_config_response)
{
	struct lambda_fn fn;
	int r = lambda_whole(c, in->function_name, &fn);

	if (r == 0)
		out->recursive_loop = fn.f.recursion.p ? fn.f.recursion : S("Terminate");
	return r;
}

LAMBDA_HANDLER(put_function_recursion_config, put_function_recursion_config_request, put_function_recursion_config_response)
{
	struct lambda_fn fn;
	int r = lambda_whole(c, in->function_name, &fn);

	if (r < 0)
		return r;
	fn.f.recursion = out->recursive_loop = in->recursive_loop;
	return lambda_function_put(c->txn, &fn.f);
}
