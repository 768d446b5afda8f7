/* SPDX-License-Identifier: Apache-2.0 */
/* custom.c - AWS::CloudFormation::CustomResource and Custom::*: a function is asked, and answers when it is done. The request's id
 * is the step's token, so a step that runs again finds its request: it is sent again only when it isn't known to have been
 * sent. Between question and answer no thread waits. */
#include "cfn/custom.h"
#include "cfn/actor.h"
#include "cfn/engine/engine.h"
#include <errno.h>

struct question {
	struct cfn_resource *r;
	struct cfn_actor *actor;
	struct cfn_rec_ask ask;
	struct custom_request text;
	bool sent; /* to be stored */
};

static int question_txn(struct store_txn *t, void *arg)
{
	struct question *q = arg;
	struct cfn_rec_ask now;
	int r = ask_load(t, q->r->arena, q->ask.id, &now);

	if (r == 0) { /* an answer may have come in the meantime */
		q->ask.answer = now.answer;
		q->ask.answered = now.answered;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	q->ask.sent = OPT_BOOL(q->sent);
	return ask_put(t, &q->ask);
}

static int question_load(struct question *q)
{
	struct store_txn *t;
	int r = store_begin_read(q->actor->region->store, &t);

	if (r < 0)
		return r;
	r = ask_load(t, q->r->arena, q->r->token, &q->ask);
	store_end(t);
	return r;
}

static int question_new(struct question *q)
{
	struct cfn_resource *r = q->r;
	int64_t seconds = 0;

	if (custom_timeout(r->arena, q->text.props, &seconds, &r->error) < 0)
		return -EINVAL;
	q->ask = (struct cfn_rec_ask){ .id = r->token,
				       .op = q->actor->op,
				       .stack = q->actor->stack,
				       .stack_arn = r->stack_id,
				       .logical = r->logical_id,
				       .account = r->account,
				       .deadline = OPT_TIME(clock_now_ms() + seconds * 1000) };
	return store_write(q->actor->region->store, question_txn, q);
}

/* The function's region must be the stack's; topics can't be asked here. */
static int token_check(struct cfn_resource *r, struct str token)
{
	struct arn arn;

	if (arn_parse(token, &arn) < 0)
		return cfn_fail(r, "Invalid service token.");
	if (str_is(arn.service, "sns"))
		return cfn_fail(r, "Custom resources behind SNS topics are not implemented by this cloud: %.*s", STR(token));
	if (!str_is(arn.service, "lambda") || !str_starts(arn.resource, S("function:")))
		return cfn_fail(r, "Invalid service token.");
	if (!str_eq(arn.region, r->region))
		return cfn_fail(r, "Invalid service token: the function must be in the stack's region %.*s", STR(r->region));
	return 0;
}

static int question_send(struct question *q)
{
	struct cfn_resource *r = q->r;
	struct json *p = json_new(r->arena, JSON_OBJECT);
	int e;

	q->text.url = ask_url(q->actor->cloud, r->arena, &q->ask, r->region);
	json_set_str(r->arena, p, "FunctionName", q->text.service_token);
	json_set_str(r->arena, p, "InvocationType", S("Event"));
	json_set_str(r->arena, p, "Payload", base64_encode(r->arena, custom_event(r->arena, &q->text)));
	e = cfn_call(r, "lambda", "Invoke", p, NULL, NULL);
	if (e < 0)
		return e;
	q->sent = true;
	return store_write(q->actor->region->store, question_txn, q);
}

/* The resource exists as far as anybody knows: it was asked for. It is deleted under this name. */
static int failed(struct question *q, struct str physical, struct str error)
{
	struct cfn_resource *r = q->r;

	if (strcmp(q->text.type, "Create") == 0) {
		q->actor->seq++; /* the request was sent */
		(void)cfn_note_physical(r, physical.p ? physical : cfn_name(r, 255, false));
	}
	r->error = error;
	return -ECANCELED;
}

static int answered(struct question *q)
{
	struct cfn_resource *r = q->r;
	struct custom_answer x;
	struct str body, err;
	int e = state_open(q->actor->cloud, r->arena, q->ask.answer, &body);

	if (e < 0)
		return e;
	if (custom_answer_parse(r->arena, body, &q->text, &x, &err) < 0)
		return failed(q, STR_NONE, err);
	if (!x.success)
		return failed(q, x.physical,
			      str_printf(r->arena,
					 "Received response status [FAILED] from custom resource. Message returned: %.*s (RequestId: %.*s)",
					 STR(x.reason), STR(r->token)));
	r->ret_physical_id = x.physical;
	r->ret_attrs = x.data;
	r->ret_no_echo = x.no_echo;
	return 0;
}

static int ask(struct cfn_resource *r, const char *type)
{
	const struct json *props = r->props ? r->props : r->old_props;
	struct question q = { .r = r, .actor = r->engine };
	int e;

	q.text = (struct custom_request){ .type = type,
					  .service_token = json_get_str(props, "ServiceToken"),
					  .stack_id = r->stack_id,
					  .request_id = r->token,
					  .logical = r->logical_id,
					  .resource_type = r->type,
					  .physical = strcmp(type, "Create") == 0 ? STR_NONE : r->physical_id,
					  .props = props,
					  .old_props = strcmp(type, "Update") == 0 ? r->old_props : NULL };
	e = token_check(r, q.text.service_token);
	if (e == 0)
		e = question_load(&q);
	if (e == -ENOENT)
		e = question_new(&q);
	if (e == 0 && !q.ask.sent.v && !q.ask.answered.has)
		e = question_send(&q);
	if (e < 0)
		return e;
	if (q.ask.answered.has)
		return answered(&q);
	if (clock_now_ms() <= q.ask.deadline.ms)
		return CFN_WAIT;
	return failed(
		&q, STR_NONE,
		str_printf(r->arena,
			   "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId "
			   "[%.*s]. If you are using the Python cfn-response module, you may need to update your Lambda function code "
			   "so that CloudFormation can attach the updated version.",
			   STR(r->token)));
}

static int custom_create(struct cfn_resource *r)
{
	return ask(r, "Create");
}

static int custom_update(struct cfn_resource *r)
{
	if (!str_eq(json_get_str(r->props, "ServiceToken"), json_get_str(r->old_props, "ServiceToken")))
		return cfn_fail(r, "Modifying service token is not allowed.");
	return ask(r, "Update");
}

static int custom_delete(struct cfn_resource *r)
{
	return ask(r, "Delete");
}

static const struct cfn_property properties[] = {
	{ "ServiceToken", CFN_UPDATE, true },
	{ "ServiceTimeout", CFN_UPDATE, false },
	{ NULL, 0, false },
};
const struct cfn_type type_custom = {
	.name = "AWS::CloudFormation::CustomResource",
	.properties = properties,
	.create = custom_create,
	.update = custom_update,
	.delete = custom_delete,
	.waits = true,
	.open = true,
};
