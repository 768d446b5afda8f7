/* SPDX-License-Identifier: Apache-2.0 */
/* authorize.c - may this caller do this? Builds the policy request of a call from the overlay's entry, the service's
 * hooks and the facts of the call, on the snapshot that the handler will work on. No entry, no answer from a hook, no
 * policy that allows: denied. */
#include "cloud/cloud_int.h"
#include <errno.h>

static void keys_add(struct call *c, struct key_set *k, struct str name, struct str *values, size_t n, bool multi)
{
	struct policy_key key = { .name = name, .values = values, .n = n, .multi = multi };

	vec_push(c->arena, k->v, k->n, k->cap) = key;
}

void key_add(struct call *c, struct key_set *k, struct str name, struct str value)
{
	if (value.p)
		keys_add(c, k, name, arena_dup(c->arena, &value, sizeof value), 1, false);
}

void key_add_list(struct call *c, struct key_set *k, struct str name, const struct str *values, size_t n)
{
	keys_add(c, k, name, arena_dup(c->arena, values, n * sizeof *values), n, true);
}

static void key_z(struct call *c, struct key_set *k, const char *name, struct str value)
{
	key_add(c, k, str_c(name), value);
}

static void key_tags(struct call *c, struct key_set *k, const char *prefix, const struct str_map *tags)
{
	for (size_t i = 0; i < tags->n; i++)
		key_add(c, k, str_printf(c->arena, "%s%.*s", prefix, STR(tags->v[i].key)), tags->v[i].value);
}

static struct str principal_type(const struct principal *w)
{
	switch (w->p.type) {
	case PRINCIPAL_ROOT:
		return S("Account");
	case PRINCIPAL_USER:
		return S("User");
	case PRINCIPAL_ROLE_SESSION:
		return S("AssumedRole");
	case PRINCIPAL_FEDERATED:
		return S("FederatedUser");
	default:
		return S("Anonymous");
	}
}

/* Keys of the principal. Source: "AWS global condition context keys" (IAM User Guide). */
static void principal_keys(struct call *c, struct key_set *k)
{
	const struct principal *w = c->who;

	if (w->p.type == PRINCIPAL_SERVICE) {
		key_z(c, k, "aws:PrincipalIsAWSService", S("true"));
		key_z(c, k, "aws:PrincipalServiceName", w->p.service);
		key_add_list(c, k, S("aws:PrincipalServiceNamesList"), &w->p.service, 1);
		return;
	}
	key_z(c, k, "aws:PrincipalIsAWSService", S("false"));
	key_z(c, k, "aws:PrincipalType", principal_type(w));
	if (w->p.type == PRINCIPAL_ANONYMOUS || (w->p.type == PRINCIPAL_FEDERATED && !w->p.account.p))
		return; /* without an identity of ours */
	key_z(c, k, "aws:FederatedProvider", w->federated);
	key_tags(c, k, "", &w->said_keys);
	key_z(c, k, "aws:PrincipalArn", w->p.type == PRINCIPAL_ROLE_SESSION ? w->p.role_arn : w->p.arn);
	key_z(c, k, "aws:PrincipalAccount", w->p.account);
	key_z(c, k, "aws:userid", w->p.unique_id);
	if (w->p.type == PRINCIPAL_USER)
		key_z(c, k, "aws:username", w->name);
	key_tags(c, k, "aws:PrincipalTag/", &w->tags);
	key_z(c, k, "aws:SourceIdentity", w->source_identity);
	if (w->temporary) {
		key_z(c, k, "aws:TokenIssueTime", time_iso(c->arena, w->issued_ms));
		key_z(c, k, "aws:MultiFactorAuthPresent", w->mfa ? S("true") : S("false"));
		if (w->mfa)
			key_z(c, k, "aws:MultiFactorAuthAge", str_printf(c->arena, "%lld", (long long)((c->now_ms - w->issued_ms) / 1000)));
	}
}

static void request_keys(struct call *c, struct key_set *k)
{
	const struct call_facts *f = &c->facts;

	key_z(c, k, "aws:CurrentTime", time_iso(c->arena, c->now_ms));
	key_z(c, k, "aws:EpochTime", str_printf(c->arena, "%lld", (long long)(c->now_ms / 1000)));
	key_z(c, k, "aws:RequestedRegion", c->region->name);
	key_z(c, k, "aws:SecureTransport", f->secure_transport ? S("true") : S("false"));
	key_z(c, k, "aws:UserAgent", f->user_agent);
	if (f->invoked_by.p) {
		/* Calls that a service makes with the caller's rights carry no client address. */
		key_z(c, k, "aws:ViaAWSService", c->who->p.type == PRINCIPAL_SERVICE ? S("false") : S("true"));
		if (c->who->p.type != PRINCIPAL_SERVICE) {
			key_add_list(c, k, S("aws:CalledVia"), &f->invoked_by, 1);
			key_z(c, k, "aws:CalledViaFirst", f->invoked_by);
			key_z(c, k, "aws:CalledViaLast", f->invoked_by);
		}
	} else {
		key_z(c, k, "aws:ViaAWSService", S("false"));
		key_z(c, k, "aws:SourceIp", f->source_ip);
	}
	key_z(c, k, "aws:SourceArn", f->source_arn);
	key_z(c, k, "aws:SourceAccount", f->source_account);
	key_z(c, k, "aws:SourceVpce", f->source_vpce);
	key_z(c, k, "aws:SourceVpc", f->source_vpc);
	if (c->http)
		key_z(c, k, "aws:Referer", http_header(c->http, "referer"));
}

struct value_list {
	struct call *c;
	struct str *v;
	size_t n, cap;
};

static void collect_value(struct str value, void *arg)
{
	struct value_list *l = arg;

	vec_push(l->c->arena, l->v, l->n, l->cap) = value;
}

static struct value_list input_values(struct call *c, const char *path)
{
	struct value_list l = { .c = c };

	(void)wire_path(c->svc->model, c->op->in, c->in, path, c->arena, collect_value, &l);
	return l;
}

/* Tags of what is being created: aws:RequestTag/KEY and aws:TagKeys. The member is a list of {Key, Value} (TagKey,
 * TagValue in KMS), a list of tag specifications that hold such lists (EC2), or a map. Key and value are paired by their
 * element: a tag without a value must not take the value of the next one. */
static void collect_tags(struct call *c, struct key_set *k, const struct json *tags, struct value_list *names)
{
	static const char *const words[][2] = { { "Key", "Value" }, { "TagKey", "TagValue" }, { "key", "value" } };

	for (size_t i = 0; json_is(tags, JSON_OBJECT) && i < tags->n; i++) {
		vec_push(c->arena, names->v, names->n, names->cap) = tags->members[i].key;
		key_add(c, k, str_printf(c->arena, "aws:RequestTag/%.*s", STR(tags->members[i].key)), json_scalar(&tags->members[i].value));
	}
	for (size_t i = 0; json_is(tags, JSON_ARRAY) && i < tags->n; i++) {
		const struct json *t = &tags->items[i];

		collect_tags(c, k, json_getz(t, "Tags"), names);
		for (size_t j = 0; j < ELEMENTS(words); j++) {
			struct str name = json_get_str(t, words[j][0]), value = json_get_str(t, words[j][1]);

			if (!name.p)
				continue;
			vec_push(c->arena, names->v, names->n, names->cap) = name;
			key_add(c, k, str_printf(c->arena, "aws:RequestTag/%.*s", STR(name)), value.p ? value : S(""));
		}
	}
}

static void request_tag_keys(struct call *c, struct key_set *k)
{
	struct value_list names = { .c = c };
	struct str path = str_c(c->op->tags), part;
	const struct json *j;

	if (!path.p)
		return;
	j = wire_to_json(c->svc->model, c->op->in, c->in, c->arena, false);
	while (str_next(&path, '.', &part))
		j = json_get(j, part);
	collect_tags(c, k, j, &names);
	if (names.n)
		key_add_list(c, k, S("aws:TagKeys"), names.v, names.n);
}

void call_keys(struct call *c, const char *action, struct key_set *k)
{
	principal_keys(c, k);
	request_keys(c, k);
	request_tag_keys(c, k);
	for (size_t i = 0; i < c->op->n_keys; i++) {
		struct value_list l = input_values(c, c->op->keys[i].member);

		if (l.n == 1 && !strstr(c->op->keys[i].member, "[]"))
			key_add(c, k, str_c(c->op->keys[i].key), l.v[0]);
		else if (l.n)
			key_add_list(c, k, str_c(c->op->keys[i].key), l.v, l.n);
	}
	if (c->svc->conditions)
		(void)c->svc->conditions(c, action, k);
}

/* The refusal in the service's protocol. */
int authorize_denied(struct call *c, const char *action, struct str resource, struct str sentence)
{
	enum wire_protocol p = c->svc->model->protocols[0];
	static const struct desc_error rest_json = { "AccessDeniedException", "AccessDeniedException", 403, true };

	if (c->svc->denied)
		return c->svc->denied(c, action, resource, sentence);
	switch (p) {
	case WIRE_EC2:
		return call_fail(c, &aws_err_unauthorized_operation, "You are not authorized to perform this operation. %.*s",
				 STR(sentence));
	case WIRE_JSON:
		return call_fail(c, &aws_err_access_denied_exception, "%.*s", STR(sentence));
	case WIRE_REST_JSON:
		return call_fail(c, &rest_json, "%.*s", STR(sentence));
	default:
		return call_fail(c, &aws_err_access_denied, "%.*s", STR(sentence));
	}
}

static bool is_kind(struct str resource)
{
	return !str_starts(resource, S("arn:")) && !str_is(resource, "*");
}

/* Resolves one resource and decides. keys: those of the call; the resource's own are put behind them while it decides.
 * 0 allowed, 1 denied with *ret_sentence, negative: refused or failed. */
static int check_one(struct call *c, const char *action, struct str resource, struct key_set *keys, const struct policy_request *who,
		     struct str *ret_sentence, struct str *ret_arn)
{
	struct authz_resource res = { .arn = resource };
	struct policy_request r = *who;
	size_t base = keys->n;
	struct str kind, id;
	int e;

	if (is_kind(resource)) {
		if (!str_cut(resource, ':', &kind, &id) || !c->svc->resource)
			return -EINVAL; /* an overlay that names a kind needs the hook: our own mistake, denied as a 500 */
		e = c->svc->resource(c, action, kind, id, &res);
		if (e < 0)
			return e;
	}
	key_tags(c, keys, "aws:ResourceTag/", &res.tags);
	for (size_t i = 0; i < res.keys.n; i++)
		vec_push(c->arena, keys->v, keys->n, keys->cap) = res.keys.v[i];
	if (!str_is(res.arn, "*"))
		key_z(c, keys, "aws:ResourceAccount", res.account.p ? res.account : c->who->p.account);
	r.action = str_c(action);
	r.resource = res.arn;
	r.resource_account = res.account;
	r.keys = keys->v;
	r.n_keys = keys->n;
	keys->n = base; /* the next resource starts without them; r still counts them */
	r.rule = res.rule;
	if (res.policy.p) {
		r.resource_policy.policy = cloud_policy(c, res.policy, res.policy_kind ? res.policy_kind : POLICY_RESOURCE);
		r.resource_policy.name = str_c(res.policy_name ? res.policy_name : "resource-based policy");
		if (!r.resource_policy.policy)
			return -EBADMSG; /* a stored policy that does not parse denies, loudly */
	}
	c->decision = policy_evaluate(&r, c->arena);
	*ret_arn = res.arn;
	if (c->decision.decision == DECISION_ALLOW || (res.granted && c->decision.decision == DECISION_IMPLICIT_DENY))
		return 0;
	*ret_sentence = policy_explain(c->arena, &r, &c->decision);
	return 1;
}

static int caller_policies(struct call *c, struct policy_request *r)
{
	*r = (struct policy_request){ .principal = &c->who->p };
	if (c->who->p.type != PRINCIPAL_USER && c->who->p.type != PRINCIPAL_ROLE_SESSION && c->who->p.type != PRINCIPAL_ROOT)
		return 0;
	if (!c->cloud->identity)
		return 0; /* nothing gives rights: everything but root is denied */
	return c->cloud->identity->policies(c, c->who, r);
}

/* Expands "{A}" of a template; a "{X[]}" makes one resource an element. Appends to out. */
static int expand(struct call *c, const char *tmpl, struct value_list *out)
{
	struct str parts[16], t = str_c(tmpl);
	struct value_list multi = { .c = c };
	int multi_at = -1, n = 0;

	while (t.n > 0) {
		ptrdiff_t open = str_find_char(t, '{'), close;

		if (n >= (int)ELEMENTS(parts) - 1)
			return -E2BIG;
		if (open != 0) {
			parts[n++] = str_of(t.p, open < 0 ? t.n : (size_t)open);
			t = str_skip(t, parts[n - 1].n);
			continue;
		}
		close = str_find_char(t, '}');
		if (close < 0)
			return -EINVAL;
		struct str name = str_of(t.p + 1, (size_t)close - 1);
		t = str_skip(t, (size_t)close + 1);
		if (str_is(name, "account"))
			parts[n++] = c->account;
		else if (str_is(name, "region"))
			parts[n++] = c->region->name;
		else if (str_is(name, "partition"))
			parts[n++] = region_partition(c->region->name);
		else {
			struct value_list l = input_values(c, str_z(c->arena, name));

			if (str_find(name, S("[]")) >= 0) {
				multi = l;
				multi_at = n;
				parts[n++] = S("");
			} else
				parts[n++] = l.n ? l.v[0] : S("");
		}
	}
	if (multi_at >= 0 && multi.n == 0) { /* nothing named: the right to do it to anything is asked for */
		vec_push(c->arena, out->v, out->n, out->cap) = S("*");
		return 0;
	}
	for (size_t i = 0; i < (multi_at < 0 ? 1 : multi.n); i++) {
		if (multi_at >= 0)
			parts[multi_at] = multi.v[i];
		vec_push(c->arena, out->v, out->n, out->cap) = str_join(c->arena, parts, (size_t)n, S(""));
	}
	return 0;
}

static bool applies(struct call *c, const struct op_auth *a)
{
	const char *m = a->only_if;

	if (!m)
		return true;
	if (*m == '!')
		return !wire_present(c->svc->model, c->op->in, c->in, m + 1);
	return wire_present(c->svc->model, c->op->in, c->in, m);
}

static void note_resource(struct call *c, struct str arn)
{
	if (!str_starts(arn, S("arn:")))
		return;
	if (!c->trail_resources)
		c->trail_resources = json_new(c->arena, JSON_ARRAY);
	json_push(c->arena, c->trail_resources, json_new_str(c->arena, arn));
}

/* One entry of the overlay, over all the resources it names. */
static int authorize_entry(struct call *c, const char *action, const char *tmpl, const struct policy_request *who)
{
	struct value_list res = { .c = c };
	struct key_set keys = { 0 };
	int r;

	call_keys(c, action, &keys);
	r = expand(c, tmpl, &res);
	if (r < 0)
		return r;
	for (size_t j = 0; j < res.n; j++) {
		struct str sentence, arn;

		r = check_one(c, action, res.v[j], &keys, who, &sentence, &arn);
		if (r < 0)
			return r;
		note_resource(c, arn);
		if (r == 1)
			return authorize_denied(c, action, arn, sentence);
	}
	return 0;
}

int authorize_call(struct call *c)
{
	struct policy_request who;
	size_t checked = 0;
	int r;

	if (c->op->flags & OP_NO_AUTHORIZATION)
		return 0;
	r = caller_policies(c, &who);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->op->n_auth; i++) {
		if (!applies(c, &c->op->auth[i]))
			continue;
		r = authorize_entry(c, c->op->auth[i].action, c->op->auth[i].resource, &who);
		if (r < 0)
			return r;
		checked++;
	}
	/* No entry applied to these parameters: never a way in. */
	return checked ? 0 : authorize_entry(c, c->op->auth[0].action, "*", &who);
}

static void key_drop(struct key_set *k, struct str name)
{
	size_t n = 0;

	for (size_t i = 0; i < k->n; i++)
		if (!str_eq_ci(k->v[i].name, name))
			k->v[n++] = k->v[i];
	k->n = n;
}

/* authorize_ask decides as a call would be decided, with its keys and further ones; the decision is in c->decision. */
int authorize_ask(struct call *c, const char *action, struct str resource, const struct policy_key *extra, size_t n, bool service_keys,
		  struct str *sentence, struct str *arn)
{
	struct policy_request who;
	struct key_set base = { 0 };
	int r = caller_policies(c, &who);

	if (r < 0)
		return r;
	if (service_keys)
		call_keys(c, action, &base);
	else {
		principal_keys(c, &base);
		request_keys(c, &base);
		for (size_t i = 0; i < n; i++)
			key_drop(&base, extra[i].name);
	}
	for (size_t i = 0; i < n; i++)
		vec_push(c->arena, base.v, base.n, base.cap) = extra[i];
	return check_one(c, action, resource, &base, &who, sentence, arn);
}

static int check_extra(struct call *c, const char *action, struct str resource, const struct policy_key *extra, size_t n,
		       struct str *sentence, struct str *arn)
{
	return authorize_ask(c, action, resource, extra, n, true, sentence, arn);
}

int call_authorize(struct call *c, const char *action, struct str resource, const struct policy_key *extra, size_t n_extra)
{
	struct str sentence, arn;
	int r = check_extra(c, action, resource, extra, n_extra, &sentence, &arn);

	return r == 1 ? authorize_denied(c, action, arn, sentence) : r;
}

int call_may(struct call *c, const char *action, struct str resource, const struct policy_key *extra, size_t n_extra)
{
	struct str sentence, arn;
	int r = check_extra(c, action, resource, extra, n_extra, &sentence, &arn);

	return r < 0 ? r : r == 0;
}
