/* SPDX-License-Identifier: Apache-2.0 */
/* input.c - what an operation is asked to make: the template's text, its parameters, capabilities, tags. All refusals that
 * need no action come from here. Calls of other services are nested ones, made as the caller. */
#include "cfn/actor.h"
#include "gen_s3.h"
#include "gen_ssm.h"
#include "svc/cloudformation/cfn_int.h"
#include <errno.h>

/* --- the text --- */
static int read_body(struct call *c, struct body *b, struct str *ret)
{
	char *p = arena_alloc(c->arena, TEMPLATE_BYTES_MAX + 1);
	size_t n = 0;
	ssize_t r = 1;

	while (r > 0 && n <= TEMPLATE_BYTES_MAX) {
		r = b->read(b, p + n, TEMPLATE_BYTES_MAX + 1 - n);
		if (r > 0)
			n += (size_t)r;
	}
	b->free(b);
	if (r < 0)
		return (int)r;
	if (n > TEMPLATE_BYTES_MAX)
		return cfn_invalid(c, "Template may not exceed %d bytes in size.", TEMPLATE_BYTES_MAX);
	*ret = str_of(p, n);
	return 0;
}

/* own_host: does the URL's host mean this cloud's S3? *ret_bucket is set when the bucket is in front. */
static bool own_host(struct call *c, struct str host, struct str *ret_bucket)
{
	struct str own = c->facts.host, name, port, own_name, own_port;
	ptrdiff_t at;

	*ret_bucket = STR_NONE;
	if (str_eq_ci(host, own))
		return true;
	(void)str_cut(host, ':', &name, &port);
	(void)str_cut(own, ':', &own_name, &own_port);
	if (str_ends(name, S(".amazonaws.com"))) { /* s3.amazonaws.com, s3.REGION..., s3-REGION..., BUCKET.s3... */
		if (str_starts(name, S("s3.")) || str_starts(name, S("s3-")))
			return true;
		at = str_find(name, S(".s3."));
		if (at < 0)
			at = str_find(name, S(".s3-"));
		if (at > 0)
			*ret_bucket = str_of(name.p, (size_t)at);
		return at > 0;
	}
	/* Other names of the endpoint: the loopback's, and those under which buckets are found. */
	if (port.p && own_port.p && !str_eq(port, own_port))
		return false;
	if (str_is(name, "localhost") || str_is(name, "127.0.0.1") || str_is(name, "s3.localhost"))
		return true;
	if (str_ends(name, S(".s3.localhost")))
		*ret_bucket = str_of(name.p, name.n - 13);
	else if (str_ends(name, S(".localhost")))
		*ret_bucket = str_of(name.p, name.n - 10);
	else if (own_name.n && name.n > own_name.n + 1 && str_ends(name, own_name) && name.p[name.n - own_name.n - 1] == '.')
		*ret_bucket = str_of(name.p, name.n - own_name.n - 1);
	return ret_bucket->p != NULL;
}

static int from_s3(struct call *c, struct str url, struct str *ret)
{
	struct s3_get_object_request q = { 0 };
	struct s3_get_object_output out = { 0 };
	struct call_error err = { 0 };
	struct str rest, host, path, query = STR_NONE;
	int r;

	if (str_starts(url, S("https://")))
		rest = str_skip(url, 8);
	else if (str_starts(url, S("http://")))
		rest = str_skip(url, 7);
	else
		return cfn_invalid(c, "S3 error: Domain name specified in %.*s is not a valid S3 domain", STR(url));
	if (!str_cut(rest, '/', &host, &path) || !own_host(c, host, &q.bucket))
		return cfn_invalid(c, "S3 error: Domain name specified in %.*s is not a valid S3 domain", STR(host));
	(void)str_cut(path, '?', &path, &query);
	if (!q.bucket.p && !str_cut(path, '/', &q.bucket, &path))
		path = STR_NONE;
	if (!q.bucket.n || !path.n || uri_decode(c->arena, path, false, &q.key) < 0)
		return cfn_invalid(c, "S3 error: The specified URL %.*s does not name an object", STR(url));
	if (query.p && str_starts(query, S("versionId=")))
		q.version_id = str_skip(query, 10);
	r = call_invoke(c, &s3_model, "GetObject", &q, &out, VIA, &err);
	if (r < 0 && err.err)
		return cfn_invalid(
			c, "S3 error: %.*s\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
			STR(err.message));
	if (r < 0)
		return r;
	return out.body ? read_body(c, out.body, ret) : -EIO;
}

int input_text(struct call *c, struct str body, struct str url, struct str *ret)
{
	if (body.p && url.p)
		return cfn_invalid(c, "Either Template URL or Template Body must be specified.");
	if (url.p)
		return from_s3(c, url, ret);
	if (!body.p)
		return cfn_invalid(c, "Either Template URL or Template Body must be specified.");
	if (body.n > TEMPLATE_INLINE_BYTES_MAX)
		return cfn_invalid(c,
				   "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have "
				   "length less than or equal to %d",
				   TEMPLATE_INLINE_BYTES_MAX);
	*ret = body;
	return 0;
}

int input_parse(struct call *c, struct str text, struct template **ret)
{
	struct str err = STR_NONE;
	int r = template_parse(c->arena, text, NULL, ret, &err);

	return r == -EINVAL ? cfn_invalid(c, "%.*s", STR(err)) : r;
}

/* --- what templates ask --- */
static struct cfn_rec_resource *row_of(struct input *in, size_t resource, size_t *ret_i)
{
	for (size_t i = 0; i < in->rows.n; i++)
		if (str_eq(in->rows.v[i].logical, in->tpl->resources[resource].id)) {
			*ret_i = i;
			return in->rows.v[i].physical.p && !str_starts(in->rows.v[i].status, S("DELETE_")) ? &in->rows.v[i] : NULL;
		}
	return NULL;
}

static struct json *row_attrs(struct input *in, size_t i)
{
	if (!in->attrs)
		in->attrs = arena_array(in->call->arena, struct json *, in->rows.n + 1);
	if (!in->attrs[i] && state_open_json(in->call->cloud, in->call->arena, in->rows.v[i].attrs, &in->attrs[i]) < 0)
		in->attrs[i] = NULL;
	return in->attrs[i];
}

static int ref(void *user, size_t resource, struct str *ret)
{
	struct input *in = user;
	size_t i;
	const struct cfn_rec_resource *row = row_of(in, resource, &i);
	const struct cfn_type *t;

	*ret = S(LATER);
	if (!row || (in->replaced && in->replaced[i]))
		return 0;
	*ret = row->physical;
	t = type_find(in->call->cloud, row->type);
	if (t && t->ref_attribute && json_getz(row_attrs(in, i), t->ref_attribute))
		*ret = json_get_str(row_attrs(in, i), t->ref_attribute);
	return 0;
}

static int getatt(void *user, size_t resource, struct str attribute, struct json **ret)
{
	struct input *in = user;
	size_t i;
	const struct cfn_rec_resource *row = row_of(in, resource, &i);
	struct json *j = row && !(in->replaced && in->replaced[i]) ? json_get(row_attrs(in, i), attribute) : NULL;

	if (j && row->no_echo.v)
		j = json_new_str(in->call->arena, S("*****"));

	*ret = j ? j : json_new_str(in->call->arena, S(LATER));
	return 0;
}

static int import(void *user, struct str name, struct str *ret)
{
	struct input *in = user;
	struct cfn_rec_export e;
	struct keybuf k;
	int r;

	key_begin(&k, in->call->account, "cfn.export");
	key_str(&k, name);
	r = record_get(in->call->txn, &cfn_records, CFN_REC_EXPORT, in->call->arena, &k, &e);
	if (r == -ENOENT)
		return template_fail(&in->ctx, "No export named %.*s found.", STR(name));
	*ret = e.value;
	return r;
}

/* A nested call with parameters by name, as whoever the stack acts as. */
static int ask_service(struct input *in, const char *service, const char *op_name, const struct json *params, struct json **ret,
		       struct call_error *err)
{
	int r = actor_ask(in->call, &in->who, service, op_name, params, ret, err);

	return r == -EINVAL && !err->err ? template_fail(&in->ctx, "%.*s", STR(err->message)) : r;
}

static int zones(void *user, struct str region, struct str_list *ret)
{
	struct input *in = user;
	struct call *c = in->call;
	struct call_error err = { 0 };
	struct json *out, *list;
	int r;

	if (!str_eq(region, call_region(c)))
		return template_fail(&in->ctx, "Template error: Fn::GetAZs gives the zones of the stack's region only: %.*s",
				     STR(call_region(c)));
	r = ask_service(in, "ec2", "DescribeAvailabilityZones", json_new(c->arena, JSON_OBJECT), &out, &err);
	if (r < 0)
		return err.err ? template_fail(&in->ctx, "%.*s", STR(err.message)) : r;
	list = json_getz(out, "AvailabilityZones");
	*ret = (struct str_list){ arena_array(c->arena, struct str, (list ? list->n : 0) + 1), 0 };
	for (size_t i = 0; list && i < list->n; i++)
		ret->v[ret->n++] = json_get_str(&list->items[i], "ZoneName");
	return 0;
}

static int ssm(void *user, struct str name, struct str *ret)
{
	struct input *in = user;
	struct ssm_get_parameter_request q = { .name = name };
	struct ssm_get_parameter_result out = { 0 };
	struct call_error err = { 0 };
	int r = call_invoke_by(in->call, &in->who, &ssm_model, "GetParameter", &q, &out, VIA, &err);

	if (r < 0 && err.err)
		return str_is(str_c(err.err->code), "ParameterNotFound") ? -ENOENT : template_fail(&in->ctx, "%.*s", STR(err.message));
	if (r < 0)
		return r;
	if (str_is(out.parameter->type, "SecureString"))
		return template_fail(&in->ctx, "Parameters [%.*s] referenced by template have types not supported by CloudFormation.",
				     STR(name));
	*ret = out.parameter->value;
	return 0;
}

/* AWS-specific parameter types; what this cloud has no service for is taken as it is. */
static int exists(void *user, struct str type, struct str value)
{
	static const struct {
		const char *type, *op, *member;
	} t[] = {
		{ "AWS::EC2::VPC::Id", "DescribeVpcs", "VpcIds" },
		{ "AWS::EC2::Subnet::Id", "DescribeSubnets", "SubnetIds" },
		{ "AWS::EC2::SecurityGroup::Id", "DescribeSecurityGroups", "GroupIds" },
		{ "AWS::EC2::AvailabilityZone::Name", "DescribeAvailabilityZones", "ZoneNames" },
	};
	struct input *in = user;
	struct call *c = in->call;
	struct json *p = json_new(c->arena, JSON_OBJECT), *ids = json_new(c->arena, JSON_ARRAY), *out;
	struct call_error err = { 0 };
	int r;

	for (size_t i = 0; i < ELEMENTS(t); i++) {
		if (!str_is(type, t[i].type))
			continue;
		json_push(c->arena, ids, json_new_str(c->arena, value));
		json_set(c->arena, p, str_c(t[i].member), ids);
		r = ask_service(in, "ec2", t[i].op, p, &out, &err);
		if (r < 0 && err.err &&
		    (str_find(str_c(err.err->code), S("NotFound")) >= 0 || str_find(str_c(err.err->code), S("Malformed")) >= 0 ||
		     str_starts(str_c(err.err->code), S("InvalidParameter"))))
			return -ENOENT;
		return r < 0 && err.err ? template_fail(&in->ctx, "%.*s", STR(err.message)) : r;
	}
	return 0;
}

static const struct template_calls calls = { .ref = ref, .getatt = getatt, .import = import, .zones = zones, .ssm = ssm, .exists = exists };

static void context(struct input *in, struct str name)
{
	struct call *c = in->call;
	struct str region = call_region(c);

	in->ctx = (struct template_ctx){
		.arena = c->arena,
		.tpl = in->tpl,
		.calls = &calls,
		.user = in,
		.env = { .account = c->account,
			 .region = region,
			 .partition = region_partition(region),
			 .url_suffix = str_starts(region, S("cn-")) ? S("amazonaws.com.cn") : S("amazonaws.com"),
			 .stack_id = in->arn,
			 .stack_name = name,
			 .notification_arns = in->set.notifications },
	};
}

/* --- checks --- */
int input_capabilities(struct call *c, const struct template_summary *sum, const struct str_list *given)
{
	struct str *missing = arena_array(c->arena, struct str, sum->capabilities.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < sum->capabilities.n; i++) {
		struct str need = sum->capabilities.v[i];

		if (!str_list_has(given, need) && !(str_is(need, "CAPABILITY_IAM") && str_list_has(given, S("CAPABILITY_NAMED_IAM"))))
			missing[n++] = need;
	}
	return n ? call_fail(c, &cloudformation_err_insufficient_capabilities, "Requires capabilities : [%.*s]",
			     STR(str_join(c->arena, missing, n, S(", "))))
		 : 0;
}

static void add_once(struct arena *a, struct str_list *l, size_t *cap, struct str s)
{
	if (!str_list_has(l, s))
		vec_push(a, l->v, l->n, *cap) = s;
}

/* Types that nobody knows, and those that are CloudFormation's but not built here. */
static int check_types(struct call *c, const struct template *t, const struct str_list *allowed)
{
	static const char *const policies[] = { "CreationPolicy", "UpdatePolicy" };
	static const char *const snapshots[] = { "DeletionPolicy", "UpdateReplacePolicy" }; /* no type here has snapshots */
	struct str_list unknown = { 0 };
	size_t cap = 0;

	for (size_t i = 0; i < t->n_resources; i++) {
		struct str type = t->resources[i].type;

		for (size_t k = 0; k < ELEMENTS(policies); k++)
			if (json_getz(t->resources[i].decl, policies[k]) && !(k == 0 && type_find(c->cloud, type) == &type_wait))
				return cfn_invalid(c, "%s (resource %.*s) is not implemented by this cloud.", policies[k],
						   STR(t->resources[i].id));
		if (!type_find(c->cloud, type))
			add_once(c->arena, &unknown, &cap, type);
		for (size_t k = 0; k < ELEMENTS(snapshots); k++)
			if (str_is(json_str(json_getz(t->resources[i].decl, snapshots[k])), "Snapshot"))
				return cfn_invalid(c, "Template error: resource type %.*s does not support deletion policy Snapshot",
						   STR(type));
	}
	if (unknown.n)
		return cfn_invalid(c, "Template format error: Unrecognized resource types: [%.*s]. This cloud does not implement them.",
				   STR(str_join(c->arena, unknown.v, unknown.n, S(", "))));
	for (size_t i = 0; allowed && allowed->n && i < t->n_resources; i++) {
		bool ok = false;

		for (size_t j = 0; j < allowed->n; j++) {
			struct str pattern = allowed->v[j];

			ok |= str_eq(pattern, t->resources[i].type) ||
			      (str_ends(pattern, S("*")) && str_starts(t->resources[i].type, str_of(pattern.p, pattern.n - 1)));
		}
		if (!ok)
			return cfn_invalid(c, "Resource type %.*s is not allowed by parameter ResourceTypes [%.*s]",
					   STR(t->resources[i].type), STR(str_join(c->arena, allowed->v, allowed->n, S(", "))));
	}
	return 0;
}

int cfn_tags_check(struct call *c, const struct cloudformation_tag_list *in, struct str_map *ret)
{
	*ret = (struct str_map){ arena_array(c->arena, struct str_pair, in->n + 1), 0 };
	if (in->n > STACK_TAGS_MAX)
		return cfn_invalid(c, "Number of tags exceeds the limit of %d", STACK_TAGS_MAX);
	for (size_t i = 0; i < in->n; i++) {
		if (str_starts(str_lower(c->arena, in->v[i].key), S("aws:")))
			return cfn_invalid(c, "Tag keys starting with 'aws:' are reserved for system use");
		if (str_map_get(ret, in->v[i].key).p)
			return cfn_invalid(c, "Duplicate tag keys found: %.*s", STR(in->v[i].key));
		ret->v[ret->n++] = (struct str_pair){ in->v[i].key, in->v[i].value };
	}
	return 0;
}

static struct str rollback_text(struct call *c, const struct cloudformation_rollback_configuration *in)
{
	struct json *j = json_new(c->arena, JSON_OBJECT), *list = json_new(c->arena, JSON_ARRAY);

	for (size_t i = 0; i < in->rollback_triggers.n; i++) {
		struct json *t = json_new(c->arena, JSON_OBJECT);

		json_set_str(c->arena, t, "Arn", in->rollback_triggers.v[i].arn);
		json_set_str(c->arena, t, "Type", in->rollback_triggers.v[i].type);
		json_push(c->arena, list, t);
	}
	json_set(c->arena, j, S("RollbackTriggers"), list);
	if (in->monitoring_time_in_minutes.has)
		json_set_int(c->arena, j, "MonitoringTimeInMinutes", in->monitoring_time_in_minutes.v);
	return json_text(c->arena, j);
}

/* What nobody would act on. */
static int check_promises(struct call *c, const struct ask *q)
{
	if (q->notifications->n)
		return cfn_invalid(c, "NotificationARNs are not implemented by this cloud: there are no topics to notify.");
	if (q->rollback && (q->rollback->rollback_triggers.n || q->rollback->monitoring_time_in_minutes.v))
		return cfn_invalid(c, "RollbackConfiguration is not implemented by this cloud: there are no alarms to watch.");
	return 0;
}

static int settings(struct call *c, const struct ask *q, const struct cfn_rec_stack *old, struct input *in)
{
	struct cfn_rec_settings *s = &in->set;
	int r = check_promises(c, q);

	if (r < 0)
		return r;
	if (old)
		*s = *old->now;
	if (q->tags && (q->tags->v || !old)) {
		r = cfn_tags_check(c, q->tags, &s->tags);
		if (r < 0)
			return r;
	}
	s->capabilities = *q->capabilities;
	if (q->notifications->v || !old)
		s->notifications = *q->notifications;
	if (q->role.p)
		s->role = q->role;
	if (q->rollback)
		s->rollback = rollback_text(c, q->rollback);
	if (q->mode.p)
		s->mode = q->mode;
	if (q->policy.p)
		s->policy = q->policy;
	return 0;
}

static int values(struct call *c, const struct ask *q, const struct cfn_rec_stack *old, struct input *in)
{
	struct template_supplied *given = arena_array(c->arena, struct template_supplied, q->parameters->n + 1);
	struct str_map texts = { 0 }, resolved;
	int r = old ? parameters_open(c->cloud, c->arena, &old->now->parameters, &texts, &resolved) : 0;

	for (size_t i = 0; i < q->parameters->n; i++) {
		const struct cloudformation_parameter *p = &q->parameters->v[i];

		given[i] = (struct template_supplied){ p->parameter_key, p->parameter_value, p->use_previous_value.v };
	}
	if (r == 0)
		r = template_values(&in->ctx, given, q->parameters->n, old ? &texts : NULL);
	return r;
}

static int refused(struct call *c, const struct input *in, int r)
{
	return r == -EINVAL && in->ctx.err.p && !c->err ? cfn_invalid(c, "%.*s", STR(in->ctx.err)) : r;
}

int input_prepare(struct call *c, const struct ask *q, const struct cfn_rec_stack *old, struct str name, struct str arn, struct input *in)
{
	struct template_graph g;
	int r;

	*in = (struct input){ .call = c, .stack = old, .arn = arn };
	if (q->use_previous) {
		if (q->body.p || q->url.p || !old)
			return cfn_invalid(c, "Either Template URL or Template Body must be specified.");
		r = stack_template(c->txn, c->arena, old, old->now->template, &in->text);
	} else {
		in->text = q->text;
		r = q->text.p ? 0 : input_text(c, q->body, q->url, &in->text);
	}
	if (r == 0)
		r = input_parse(c, in->text, &in->tpl);
	if (r == 0)
		r = settings(c, q, old, in);
	if (r == 0)
		r = cfn_actor(c, in->set.role, &in->who);
	if (r == 0)
		r = check_types(c, in->tpl, q->resource_types);
	if (r < 0)
		return r;
	template_summary(c->arena, in->tpl, &in->summary);
	r = input_capabilities(c, &in->summary, q->capabilities);
	if (r == 0 && old)
		r = resources_load(c->txn, c->arena, c->account, "cfn.res", old->id, &in->rows);
	if (r < 0)
		return r;
	context(in, name);
	if (q->later)
		in->ctx.unknown = S(LATER);
	r = values(c, q, old, in);
	if (r == 0)
		r = template_begin(&in->ctx);
	if (r == 0)
		r = template_check_rules(&in->ctx);
	if (r == 0)
		r = template_graph(&in->ctx, &g);
	if (r < 0)
		return refused(c, in, r);
	in->set.description = in->tpl->description;
	parameters_store(c->cloud, c->arena, &in->ctx, &in->set.parameters);
	return 0;
}

/* SSM parameters of the previous operation count with the values that were found then. */
static int ssm_then(void *user, struct str name, struct str *ret)
{
	struct input *in = user;
	struct str_map texts, resolved;

	if (parameters_open(in->call->cloud, in->call->arena, &in->stack->now->parameters, &texts, &resolved) < 0)
		return -EBADMSG;
	*ret = str_map_get(&resolved, name);
	return ret->p ? 0 : -ENOENT;
}

static const struct template_calls calls_then = { .ref = ref, .getatt = getatt, .import = import, .zones = zones, .ssm = ssm_then };

int input_previous(struct call *c, const struct cfn_rec_stack *s, struct input *in)
{
	struct template_supplied *given;
	struct str_map texts, resolved;
	int r;

	*in = (struct input){ .call = c, .who = *c->who, .stack = s, .arn = s->arn, .set = *s->now };
	r = stack_template(c->txn, c->arena, s, s->now->template, &in->text);
	if (r == 0)
		r = input_parse(c, in->text, &in->tpl);
	if (r == 0)
		r = resources_load(c->txn, c->arena, c->account, "cfn.res", s->id, &in->rows);
	if (r == 0)
		r = parameters_open(c->cloud, c->arena, &s->now->parameters, &texts, &resolved);
	if (r < 0)
		return r;
	context(in, s->name);
	in->ctx.calls = &calls_then;
	given = arena_array(c->arena, struct template_supplied, texts.n + 1);
	for (size_t i = 0; i < texts.n; i++)
		given[i] = (struct template_supplied){ texts.v[i].key, texts.v[i].value, false };
	r = template_values(&in->ctx, given, texts.n, NULL);
	if (r == 0)
		r = template_begin(&in->ctx);
	return refused(c, in, r);
}
