/* SPDX-License-Identifier: Apache-2.0 */
/* type.c - what resource types call: the services through the one door, names, tags. */
#include "cfn/actor.h"
#include <errno.h>

int cfn_fail(struct cfn_resource *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	r->error = str_vprintf(r->arena, fmt, ap);
	va_end(ap);
	return -ECANCELED;
}

int actor_ask(struct call *c, const struct principal *who, const char *service, const char *op_name, const struct json *params,
	      struct json **ret, struct call_error *ret_err)
{
	const struct service *svc = cloud_service(c->cloud, service);
	const struct op *op = svc ? wire_op(svc->model, str_c(op_name)) : NULL;
	struct wire_fault fault = { 0 };
	void *in, *out;
	int r;

	if (!op || op->txn == OP_WRITE)
		return op ? -EROFS : -ENOSYS;
	in = arena_zalloc(c->arena, svc->model->shapes[op->in].size);
	out = arena_zalloc(c->arena, svc->model->shapes[op->out].size);
	if (wire_from_json(svc->model, op->in, params, c->arena, in, &fault) < 0 ||
	    wire_validate(svc->model, svc->model->protocols[0], op->in, in, c->arena, &fault) < 0) {
		ret_err->message = fault.message;
		return -EINVAL;
	}
	r = call_invoke_by(c, who, svc->model, op_name, in, out, "cloudformation.amazonaws.com", ret_err);
	if (r == 0 && ret)
		*ret = wire_to_json(svc->model, op->out, out, c->arena, false);
	return r;
}

static int nested(struct cfn_resource *r, const char *service, const char *op, const struct json *params, struct json **ret_out,
		  struct str *ret_code)
{
	struct cfn_actor *x = r->engine;
	struct call_error err = { 0 };
	int e = actor_ask(x->call, x->who, service, op, params, ret_out, &err);

	x->code = err.err ? str_c(err.err->code) : STR_NONE;
	if (ret_code)
		*ret_code = x->code;
	if (e < 0)
		r->error = err.message;
	return e;
}

/* The words of a refusal in a resource's reason. */
static struct str refusal(struct arena *a, const struct call_error *err, const char *service, struct str request_id)
{
	return str_printf(a, "%.*s (Service: %s, Status Code: %u, Request ID: %.*s)", STR(err->message), service, err->err->status,
			  STR(request_id));
}

static int read_whole(struct cfn_resource *r, struct body *b, size_t max, struct str *ret)
{
	size_t n = 0, all = b->length > max ? max + 1 : (size_t)b->length;
	char *p = arena_alloc(r->arena, all + 1);
	ssize_t got = 1;

	while (n < all && (got = b->read(b, p + n, all - n)) > 0)
		n += (size_t)got;
	b->free(b);
	*ret = str_of(p, n);
	return got < 0 ? (int)got : n > max ? cfn_fail(r, "The object is larger than %zu bytes", max) : 0;
}

int cfn_object(struct cfn_resource *r, struct str bucket, struct str key, struct str version, size_t max, struct str *ret)
{
	struct cfn_actor *x = r->engine;
	const struct service *s3 = cloud_service(x->cloud, "s3");
	const struct op *op = wire_op(s3->model, S("GetObject"));
	const struct desc_shape *shape = &s3->model->shapes[op->out];
	struct json *p = json_new(r->arena, JSON_OBJECT);
	struct call_facts facts = x->facts;
	struct call_error err = { 0 };
	struct wire_fault fault = { 0 };
	void *in = arena_zalloc(r->arena, s3->model->shapes[op->in].size), *out = arena_zalloc(r->arena, shape->size);
	struct body *b;
	int e;

	json_set_str(r->arena, p, "Bucket", bucket);
	json_set_str(r->arena, p, "Key", key);
	if (version.n)
		json_set_str(r->arena, p, "VersionId", version);
	if (wire_from_json(s3->model, op->in, p, r->arena, in, &fault) < 0 ||
	    wire_validate(s3->model, s3->model->protocols[0], op->in, in, r->arena, &fault) < 0)
		return cfn_fail(r, "%.*s", STR(fault.message));
	facts.request_id = random_uuid(r->arena);
	e = cloud_invoke(x->cloud, x->region, x->who, &facts, s3->model, op, in, out, r->arena, &err);
	if (e < 0) {
		x->code = err.err ? str_c(err.err->code) : STR_NONE;
		r->error = err.err ? refusal(r->arena, &err, s3->model->id, facts.request_id)
				   : str_printf(r->arena, "s3 GetObject: %s", strerror(-e));
		return e;
	}
	b = *(struct body **)((char *)out + shape->members[shape->payload].offset);
	return b ? read_whole(r, b, max, ret) : -EIO;
}

int cfn_call(struct cfn_resource *r, const char *service, const char *op, const struct json *params, struct json **ret_out,
	     struct str *ret_code)
{
	struct cfn_actor *x = r->engine;
	const struct service *svc = cloud_service(x->cloud, service);
	struct call_facts facts = x->facts;
	struct call_error err = { 0 };
	struct json *out = NULL;
	int e;

	if (x->call)
		return nested(r, service, op, params, ret_out, ret_code);
	e = x->recall ? x->recall(x, service, op, r->arena, &out) : 0;

	if (e != 0) {
		if (ret_out)
			*ret_out = out;
		return e < 0 ? e : 0;
	}
	facts.request_id = random_uuid(r->arena);
	x->wrote = false;
	e = cloud_invoke_json_also(x->cloud, x->region, x->who, &facts, service, op, params, r->arena, ret_out, &err, x->remember, x);
	if (e == 0) {
		x->seq += x->wrote;
		return 0;
	}
	x->code = err.err ? str_c(err.err->code) : STR_NONE;
	if (ret_code)
		*ret_code = x->code;
	if (err.err)
		r->error = refusal(r->arena, &err, svc ? svc->model->id : service, facts.request_id);
	else
		r->error = str_printf(r->arena, "%s %s: %s", service, op, strerror(-e));
	return e;
}

int cfn_note_physical(struct cfn_resource *r, struct str physical_id)
{
	struct cfn_actor *x = r->engine;

	r->ret_physical_id = physical_id;
	return x->note ? x->note(r, physical_id) : 0;
}

/* The random part comes from the token, so that a step that runs again after a crash finds its own resource. */
struct str cfn_name(struct cfn_resource *r, size_t max, bool lower)
{
	static const char upper_set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", lower_set[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	const char *set = lower ? lower_set : upper_set;
	struct str id = str_printf(r->arena, "%.*s/%.*s", STR(r->token), STR(r->logical_id)), head, name;
	size_t room = max - 13, half;
	uint8_t h[32];
	char tail[13];

	hash_sha256(id.p, id.n, h);
	for (int i = 0; i < 12; i++)
		tail[i] = set[h[i] % 36];
	tail[12] = 0;
	head = str_printf(r->arena, "%.*s-%.*s", STR(r->stack_name), STR(r->logical_id));
	if (head.n > room) { /* both halves are shortened, as CloudFormation does */
		half = (room - 1) / 2;
		size_t a = r->stack_name.n < half ? r->stack_name.n : half, b = room - 1 - a;

		if (b > r->logical_id.n) {
			b = r->logical_id.n;
			a = room - 1 - b < r->stack_name.n ? room - 1 - b : r->stack_name.n;
		}
		head = str_printf(r->arena, "%.*s-%.*s", (int)a, r->stack_name.p, (int)b, r->logical_id.p);
	}
	name = str_printf(r->arena, "%.*s-%s", STR(head), tail);
	return lower ? str_lower(r->arena, name) : name;
}

static void add_tag(struct arena *a, struct json *out, struct str key, struct str value)
{
	struct json *t;

	for (size_t i = 0; i < out->n; i++)
		if (str_eq(json_get_str(&out->items[i], "Key"), key))
			return; /* the resource's own tag wins over the stack's */
	t = json_new(a, JSON_OBJECT);
	json_set_str(a, t, "Key", key);
	json_set_str(a, t, "Value", value);
	json_push(a, out, t);
}

static void add_tags(struct arena *a, struct json *out, const struct json *tags)
{
	if (!json_is(tags, JSON_ARRAY))
		return;
	for (size_t i = 0; i < tags->n; i++)
		add_tag(a, out, json_get_str(&tags->items[i], "Key"), json_get_str(&tags->items[i], "Value"));
}

struct json *cfn_tags(struct cfn_resource *r)
{
	struct json *out = json_new(r->arena, JSON_ARRAY);

	add_tags(r->arena, out, json_getz(r->props, "Tags"));
	add_tags(r->arena, out, r->stack_tags);
	add_tag(r->arena, out, S("aws:cloudformation:stack-name"), r->stack_name);
	add_tag(r->arena, out, S("aws:cloudformation:stack-id"), r->stack_id);
	add_tag(r->arena, out, S("aws:cloudformation:logical-id"), r->logical_id);
	return out;
}
