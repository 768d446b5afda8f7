/* SPDX-License-Identifier: Apache-2.0 */
/* actors.c - the principals that attack, and everything else that is made for the proof. Each thing is registered for
 * removal before it is made, so that an interrupted or failed run leaves nothing; what a killed run left is swept by the
 * next one. Secrets stay in memory. */
#include "cli/prove/prove.h"
#include <errno.h>

#define SWEEP_PAGES_MAX 10

struct undo *undo_later(struct prove *p, enum undo_kind kind, struct str region, struct str a, struct str b)
{
	struct undo u = { .kind = kind, .region = region, .a = a, .b = b };

	return &(vec_push(&p->arena, p->undo, p->n_undo, p->cap_undo) = u, p->undo)[p->n_undo - 1];
}

struct undo *undo_hit(struct prove *p, struct str what, const struct hit *h)
{
	struct undo *u = undo_later(p, UNDO_HIT, h->region, what, STR_NONE);

	u->hit = arena_dup(&p->arena, h, sizeof *h);
	return u;
}

static int iam(struct prove *p, const char *action, struct answer *ret, const char *n1, struct str v1, const char *n2, struct str v2,
	       const char *n3, struct str v3)
{
	struct hit h = hit_query(p, "iam", S("us-east-1"), action, &p->caller);

	hit_param(p, &h, n1, v1);
	if (n2)
		hit_param(p, &h, n2, v2);
	if (n3)
		hit_param(p, &h, n3, v3);
	return call_hit(p, &h, str_printf(&p->arena, "IAM %s", action).p, ret);
}

static bool gone(const struct answer *a)
{
	struct str code = a->code.p ? a->code : S("");

	return a->status == 404 || str_starts(code, S("NoSuch")) || str_find(code, S("NotFound")) >= 0;
}

/* Calls action(KIND=name, member=value) for each value listed by list. */
static int each(struct prove *p, const char *kind, struct str name, const char *list, const char *value_in, const char *action,
		const char *member)
{
	struct answer a, b;
	struct xml_node *root;
	int r = iam(p, list, &a, kind, name, NULL, STR_NONE, NULL, STR_NONE);

	if (r < 0)
		return gone(&a) ? 0 : r;
	for (root = a.xml ? a.xml->children : NULL; root; root = root->next) {
		if (!str_ends(root->name, S("Result")) || !root->children)
			continue;
		for (struct xml_node *l = root->children; l; l = l->next)
			for (struct xml_node *m = str_is(l->name, "IsTruncated") ? NULL : l->children; m; m = m->next) {
				struct str v = *value_in ? xml_text(m, value_in) : str_trim(m->text);

				if (v.n && iam(p, action, &b, kind, name, member, v, NULL, STR_NONE) < 0 && !gone(&b))
					r = -EIO;
			}
	}
	return r;
}

static int remove_user(struct prove *p, struct str name)
{
	struct answer a;

	(void)each(p, "UserName", name, "ListAccessKeys", "AccessKeyId", "DeleteAccessKey", "AccessKeyId");
	(void)each(p, "UserName", name, "ListUserPolicies", "", "DeleteUserPolicy", "PolicyName");
	(void)iam(p, "DeleteLoginProfile", &a, "UserName", name, NULL, STR_NONE, NULL, STR_NONE);
	return iam(p, "DeleteUser", &a, "UserName", name, NULL, STR_NONE, NULL, STR_NONE) < 0 && !gone(&a) ? -EIO : 0;
}

static int remove_role(struct prove *p, struct str name)
{
	struct answer a;

	(void)each(p, "RoleName", name, "ListAttachedRolePolicies", "PolicyArn", "DetachRolePolicy", "PolicyArn");
	(void)each(p, "RoleName", name, "ListRolePolicies", "", "DeleteRolePolicy", "PolicyName");
	return iam(p, "DeleteRole", &a, "RoleName", name, NULL, STR_NONE, NULL, STR_NONE) < 0 && !gone(&a) ? -EIO : 0;
}

/* Is what was made then (ISO 8601) of a run that was killed? */
static bool is_old(const struct prove *p, struct str made)
{
	int64_t ms;

	return time_parse_iso(made, &ms) == 0 && p->started_ms - ms > PROVE_SWEEP_AGE_MS;
}

/* All versions below a prefix; old_only: only what killed runs have left. */
static int remove_objects(struct prove *p, const struct undo *u, bool old_only)
{
	struct arena *m = &p->arena;

	for (int page = 0; page < SWEEP_PAGES_MAX; page++) {
		struct hit h = hit_s3(p, u->region, "GET", u->a, STR_NONE,
				      str_printf(m, "prefix=%.*s&versions=", STR(uri_encode(m, u->b, false))), &p->caller);
		struct answer a, b;
		size_t n = 0;

		if (call_hit(p, &h, "S3 ListObjectVersions", &a) < 0)
			return gone(&a) ? 0 : -EIO;
		for (struct xml_node *v = a.xml ? a.xml->children : NULL; v; v = v->next) {
			if (!str_is(v->name, "Version") && !str_is(v->name, "DeleteMarker"))
				continue;
			if (old_only && !is_old(p, xml_text(v, "LastModified")))
				continue;
			h = hit_s3(p, u->region, "DELETE", u->a, xml_text(v, "Key"),
				   str_printf(m, "versionId=%.*s", STR(uri_encode(m, xml_text(v, "VersionId"), false))), &p->caller);
			if (call_hit(p, &h, "S3 DeleteObject", &b) < 0)
				return -EIO;
			n++;
		}
		if (n == 0)
			return 0;
	}
	return -EIO;
}

static int restore_policy(struct prove *p, const struct undo *u)
{
	struct hit h = hit_s3(p, u->region, u->b.p ? "PUT" : "DELETE", u->a, STR_NONE, S("policy="), &p->caller);
	struct answer a;

	h.body = u->b.p ? u->b : S("");
	return call_hit(p, &h, "S3 PutBucketPolicy", &a);
}

static int restore_key(struct prove *p, const struct undo *u)
{
	struct json *params = json_object(&p->arena, "KeyId", u->a),
		    *d = call_json(p, "kms", "TrentService.DescribeKey", u->region, params);

	if (!d)
		return -EIO;
	if (!str_is(json_get_str(json_getz(d, "KeyMetadata"), "KeyState"), "PendingDeletion"))
		return 0;
	return call_json(p, "kms", "TrentService.CancelKeyDeletion", u->region, params) &&
			       call_json(p, "kms", "TrentService.EnableKey", u->region, params)
		       ? 0
		       : -EIO;
}

void undo_one(struct prove *p, struct undo *u)
{
	struct answer a;
	int r = -EIO;

	if (u->done)
		return;
	switch (u->kind) {
	case UNDO_USER:
		r = remove_user(p, u->a);
		break;
	case UNDO_ROLE:
		r = remove_role(p, u->a);
		break;
	case UNDO_OBJECTS:
		r = remove_objects(p, u, false);
		break;
	case UNDO_BUCKET_POLICY:
		r = restore_policy(p, u);
		break;
	case UNDO_KEY:
		r = restore_key(p, u);
		break;
	case UNDO_HIT:
		r = call_hit(p, u->hit, "removing", &a) < 0 && !gone(&a) ? -EIO : 0;
		break;
	}
	u->done = r == 0;
}

size_t undo_all(struct prove *p)
{
	size_t left = 0;

	p->cleaning = true;
	for (size_t i = p->n_undo; i-- > 0;) {
		undo_one(p, &p->undo[i]);
		if (p->undo[i].done)
			continue;
		left++;
		fprintf(stderr, "cloudkeep prove: could not remove %.*s: %.*s\n", STR(p->undo[i].a), STR(p->trouble));
	}
	p->cleaning = false;
	for (size_t i = 0; i < ACTOR_COUNT; i++) {
		struct str *s = &p->actors[i].creds.secret;

		if (s->n)
			mem_wipe((void *)(uintptr_t)s->p, s->n);
		*s = STR_NONE;
	}
	return left;
}

/* --- making --- */
static int make_user(struct prove *p, enum actor who, const char *suffix, struct json *statements)
{
	struct arena *a = &p->arena;
	struct principal_made *u = &p->actors[who];
	struct json *doc;
	struct answer ans;
	struct xml_node *k;

	u->name = str_printf(a, PROVE_NAME "-%.*s-%s", STR(p->run), suffix);
	undo_later(p, UNDO_USER, STR_NONE, u->name, STR_NONE);
	if (iam(p, "CreateUser", &ans, "UserName", u->name, "Path", S(PROVE_PATH), NULL, STR_NONE) < 0)
		return -EIO;
	u->arn = xml_text(xml_deep(ans.xml, "User"), "Arn");
	if (!p->started_ms)
		(void)time_parse_iso(xml_text(xml_deep(ans.xml, "User"), "CreateDate"), &p->started_ms);
	if (statements) {
		doc = json_object(a, "Version", S("2012-10-17"));
		json_set(a, doc, S("Statement"), statements);
		if (iam(p, "PutUserPolicy", &ans, "UserName", u->name, "PolicyName", S("prove"), "PolicyDocument", json_text(a, doc)) < 0)
			return -EIO;
	}
	if (iam(p, "CreateAccessKey", &ans, "UserName", u->name, NULL, STR_NONE, NULL, STR_NONE) < 0)
		return -EIO;
	k = xml_deep(ans.xml, "AccessKey");
	u->creds = (struct creds){ .key_id = xml_text(k, "AccessKeyId"), .secret = xml_text(k, "SecretAccessKey") };
	u->ready = u->creds.secret.n > 0;
	return u->ready ? 0 : -EIO;
}

static struct json *allow(struct arena *a, struct json *list, struct json *resources, const char *first, ...)
{
	struct json *s = json_object(a, "Effect", S("Allow")), *actions = json_new(a, JSON_ARRAY);
	va_list ap;

	va_start(ap, first);
	for (const char *x = first; x; x = va_arg(ap, const char *))
		json_push(a, actions, json_new_str(a, str_c(x)));
	va_end(ap);
	json_set(a, s, S("Action"), actions);
	json_set(a, s, S("Resource"), resources);
	if (resources->n)
		json_push(a, list, s);
	return list;
}

int actors_make(struct prove *p, struct stack *const *stacks, size_t n_stacks)
{
	struct arena *a = &p->arena;
	struct json *buckets = json_new(a, JSON_ARRAY), *keys = json_new(a, JSON_ARRAY), *params = json_new(a, JSON_ARRAY),
		    *groups = json_new(a, JSON_ARRAY), *functions = json_new(a, JSON_ARRAY), *others = json_new(a, JSON_ARRAY),
		    *ids = json_new(a, JSON_ARRAY), *roles = json_new(a, JSON_ARRAY), *anything = json_new(a, JSON_ARRAY),
		    *repositories = json_new(a, JSON_ARRAY);
	struct json *insider = json_new(a, JSON_ARRAY), *keyless = json_new(a, JSON_ARRAY), *neighbour = json_new(a, JSON_ARRAY),
		    *deleter = json_new(a, JSON_ARRAY), *assumer = json_new(a, JSON_ARRAY);

	for (size_t k = 0; k < n_stacks; k++) {
		json_push(a, ids, json_new_str(a, stacks[k]->id));
		for (size_t i = 0; i < stacks[k]->n; i++) {
			const struct declared *t = &stacks[k]->v[i];

			if (declared_is(t, "AWS::S3::Bucket") && t->arn.p) {
				json_push(a, buckets, json_new_str(a, t->arn));
				json_push(a, buckets, json_new_str(a, str_printf(a, "%.*s/*", STR(t->arn))));
			} else if (declared_is(t, "AWS::KMS::Key") && t->arn.p)
				json_push(a, keys, json_new_str(a, t->arn));
			else if (declared_is(t, "AWS::SSM::Parameter") && t->arn.p)
				json_push(a, params, json_new_str(a, t->arn));
			else if (declared_is(t, "AWS::Logs::LogGroup") && t->arn.p)
				json_push(a, groups, json_new_str(a, t->arn));
			else if (declared_is(t, "AWS::Lambda::Function") && t->arn.p)
				json_push(a, functions, json_new_str(a, t->arn));
			else if (declared_is(t, "AWS::ECR::Repository") && t->arn.p)
				json_push(a, repositories, json_new_str(a, t->arn));
		}
	}
	json_push(a, others, json_new_str(a, str_printf(a, "arn:*:s3:::" PROVE_NAME "-%.*s-*", STR(p->run))));
	json_push(a, others, json_new_str(a, str_printf(a, "arn:*:kms:*:%.*s:key/" PROVE_NAME "-*", STR(p->account))));
	json_push(a, roles, json_new_str(a, str_printf(a, "arn:*:iam::%.*s:role" PROVE_PATH "*", STR(p->account))));
	json_push(a, anything, json_new_str(a, S("*")));
	allow(a, insider, buckets, "s3:*", NULL);
	allow(a, insider, keys, "kms:*", NULL);
	allow(a, insider, params, "ssm:*", NULL);
	allow(a, insider, functions, "lambda:*", NULL);
	allow(a, insider, repositories, "ecr:*", NULL);
	if (groups->n)
		json_push(a, groups, json_new_str(a, str_printf(a, "arn:*:logs:*:*:log-group:" PROVE_PATH "*")));
	allow(a, insider, groups, "logs:*", NULL);
	allow(a, keyless, buckets, "s3:*", NULL);
	/* The neighbour may do much, but elsewhere; and may ask for every role, so that only trust policies stand in its way. */
	json_push(a, others, json_new_str(a, str_printf(a, "arn:*:logs:*:%.*s:log-group:" PROVE_PATH "*", STR(p->account))));
	json_push(a, others, json_new_str(a, str_printf(a, "arn:*:lambda:*:%.*s:function:" PROVE_NAME "-*", STR(p->account))));
	allow(a, neighbour, others, "s3:*", "kms:*", "logs:*", "lambda:*", NULL);
	allow(a, neighbour, anything, "sts:AssumeRole", NULL);
	/* May ask for the stack's deletion but delete nothing that is in it: what stands in the way of the first is what is tried. */
	allow(a, deleter, ids, "cloudformation:DeleteStack", "cloudformation:DescribeStacks", NULL);
	allow(a, deleter, buckets, "s3:DeleteBucket", NULL);
	allow(a, assumer, roles, "sts:AssumeRole", NULL);
	if (make_user(p, ACTOR_NOBODY, "nobody", NULL) < 0 || make_user(p, ACTOR_INSIDER, "insider", insider->n ? insider : NULL) < 0 ||
	    make_user(p, ACTOR_KEYLESS, "keyless", keyless->n ? keyless : NULL) < 0 ||
	    make_user(p, ACTOR_NEIGHBOUR, "neighbour", neighbour) < 0 || make_user(p, ACTOR_DELETER, "deleter", deleter) < 0 ||
	    make_user(p, ACTOR_ASSUMER, "assumer", assumer) < 0)
		return -EIO;
	return 0;
}

int actor_role(struct prove *p, const char *suffix, struct str *ret_name, struct str *ret_arn)
{
	struct arena *a = &p->arena;
	struct str name = str_printf(a, PROVE_NAME "-%.*s-%s", STR(p->run), suffix);
	struct str trust = str_printf(a,
				      "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"%.*s\"},"
				      "\"Action\":\"sts:AssumeRole\"}]}",
				      STR(p->actors[ACTOR_ASSUMER].arn));
	struct answer ans;

	undo_later(p, UNDO_ROLE, STR_NONE, name, STR_NONE);
	if (iam(p, "CreateRole", &ans, "RoleName", name, "Path", S(PROVE_PATH), "AssumeRolePolicyDocument", trust) < 0)
		return -EIO;
	*ret_name = name;
	*ret_arn = xml_text(xml_deep(ans.xml, "Role"), "Arn");
	return 0;
}

int actor_service_role(struct prove *p, const char *suffix, const char *service, struct str *ret_arn)
{
	struct arena *a = &p->arena;
	struct str name = str_printf(a, PROVE_NAME "-%.*s-%s", STR(p->run), suffix);
	struct str trust = str_printf(a,
				      "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"%s\"},"
				      "\"Action\":\"sts:AssumeRole\"}]}",
				      service);
	struct answer ans;

	undo_later(p, UNDO_ROLE, STR_NONE, name, STR_NONE);
	if (iam(p, "CreateRole", &ans, "RoleName", name, "Path", S(PROVE_PATH), "AssumeRolePolicyDocument", trust) < 0)
		return -EIO;
	*ret_arn = xml_text(xml_deep(ans.xml, "Role"), "Arn");
	return 0;
}

/* --- what killed runs left --- */
static void sweep(struct prove *p, const char *list, const char *name_member, int (*away)(struct prove *, struct str))
{
	struct answer a;
	struct xml_node *l;

	if (iam(p, list, &a, "PathPrefix", S(PROVE_PATH), NULL, STR_NONE, NULL, STR_NONE) < 0)
		return;
	l = a.xml ? a.xml->children : NULL;
	while (l && !str_ends(l->name, S("Result")))
		l = l->next;
	for (l = l ? l->children : NULL; l; l = l->next)
		for (struct xml_node *m = l->children; m; m = m->next)
			if (str_starts(xml_text(m, name_member), S(PROVE_NAME "-")) && is_old(p, xml_text(m, "CreateDate")))
				(void)away(p, xml_text(m, name_member));
}

/* Functions and APIs of one region: listed by name, with the time they were made (API Gateway: seconds). */
static void sweep_named(struct prove *p, struct str region, const char *service, const char *path, const char *list, const char *name,
			const char *made, const char *id)
{
	struct arena *a = &p->arena;
	struct hit h = hit_rest(p, service, region, "GET", str_c(path), NULL, &p->caller);
	struct answer ans, gone_too;
	const struct json *all;

	if (hit(p, &h, &ans) < 0 || !answer_ok(&ans))
		return;
	all = json_getz(ans.json, list);
	for (size_t i = 0; i < list_len(all); i++) {
		const struct json *one = list_at(all, i);
		struct str when = json_scalar(json_getz(one, made));
		int64_t s;
		bool old = str_to_i64(when, &s) == 0 ? p->started_ms - s * 1000 > PROVE_SWEEP_AGE_MS : is_old(p, when);

		if (!old || !str_starts(json_get_str(one, name), S(PROVE_NAME "-")))
			continue;
		h = hit_rest(p, service, region, "DELETE", str_printf(a, "%s/%.*s", path, STR(json_get_str(one, id))), NULL, &p->caller);
		(void)hit(p, &h, &gone_too);
	}
}

static void sweep_endpoints(struct prove *p, struct str region)
{
	struct hit h = hit_query(p, "ec2", region, "DescribeVpcEndpoints", &p->caller);
	struct answer a, b;
	struct xml_node *set;

	hit_param(p, &h, "Filter.1.Name", S("tag:Name"));
	hit_param(p, &h, "Filter.1.Value.1", S(PROVE_NAME "-*"));
	if (hit(p, &h, &a) < 0 || !answer_ok(&a))
		return;
	set = xml_deep(a.xml, "vpcEndpointSet");
	for (struct xml_node *e = set ? set->children : NULL; e; e = e->next) {
		if (!is_old(p, xml_text(e, "creationTimestamp")))
			continue;
		h = hit_query(p, "ec2", region, "DeleteVpcEndpoints", &p->caller);
		hit_param(p, &h, "VpcEndpointId.1", xml_text(e, "vpcEndpointId"));
		(void)hit(p, &h, &b);
	}
}

void actors_sweep(struct prove *p, struct stack *const *stacks, size_t n)
{
	sweep(p, "ListUsers", "UserName", remove_user);
	sweep(p, "ListRoles", "RoleName", remove_role);
	for (size_t k = 0; k < n; k++) {
		struct undo u = { .region = stacks[k]->region, .b = S(PROVE_NAME "-") };

		for (size_t i = 0; i < stacks[k]->n; i++) {
			u.a = stacks[k]->v[i].physical;
			if (declared_is(&stacks[k]->v[i], "AWS::S3::Bucket"))
				(void)remove_objects(p, &u, true);
		}
		sweep_named(p, u.region, "lambda", "/2015-03-31/functions", "Functions", "FunctionName", "LastModified", "FunctionName");
		sweep_named(p, u.region, "apigateway", "/restapis", "item", "name", "createdDate", "id");
		sweep_endpoints(p, u.region);
	}
}
