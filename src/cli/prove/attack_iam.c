/* SPDX-License-Identifier: Apache-2.0 */
/* attack_iam.c - roles, users, groups and parameters of the stack. Roles are asked for by those whom their trust policies do not name.
 * What a role may do is tried by a copy of it: the same policies as the live role has now, trusted by a user of ours,
 * since the roles themselves trust services. Acts beyond the declared policies aim at what exists already or ask for a
 * dry run, so that one that goes through harms nothing. */
#include "cli/prove/prove.h"

#define DOCS_MAX 40

/* Where a principal's policies are declared. */
struct kind {
	const char *type, *plural, *inline_type, *inline_name;
};
static const struct kind kinds[] = { { "AWS::IAM::Role", "Roles", "AWS::IAM::RolePolicy", "RoleName" },
				     { "AWS::IAM::User", "Users", "AWS::IAM::UserPolicy", "UserName" },
				     { "AWS::IAM::Group", "Groups", "AWS::IAM::GroupPolicy", "GroupName" } };

struct copied { /* a user or a group has no copy: only what is declared of it counts */
	struct prove *p;
	struct declared *role;
	struct str name;                   /* of the live role */
	const struct json *docs[DOCS_MAX]; /* declared */
	struct str arns[DOCS_MAX];         /* declared attachments */
	size_t n_docs, n_arns;
	struct str copy_name, copy_arn;
	struct creds session;
	const struct json *boundary; /* declared; NULL: none */
	struct xml_node *live;       /* of GetRole; NULL: it did not answer */
};

static struct hit iam(struct prove *p, const char *action, const char *name, struct str value, const struct creds *who)
{
	struct hit h = hit_query(p, "iam", S("us-east-1"), action, who);

	hit_param(p, &h, name, value);
	return h;
}

static const struct json *document(struct prove *p, struct str text)
{
	struct json *doc;

	if (text.p && text.n && text.p[0] == '%' && uri_decode(&p->arena, text, false, &text) < 0)
		return NULL;
	return text.p && json_parse(&p->arena, text, &doc, NULL) == 0 ? doc : NULL;
}

static const struct json *managed_document(struct prove *p, struct str arn)
{
	struct hit h = iam(p, "GetPolicy", "PolicyArn", arn, &p->caller);
	struct answer a;

	if (call_hit(p, &h, "IAM GetPolicy", &a) < 0)
		return NULL;
	h = iam(p, "GetPolicyVersion", "PolicyArn", arn, &p->caller);
	hit_param(p, &h, "VersionId", xml_text(xml_deep(a.xml, "Policy"), "DefaultVersionId"));
	return call_hit(p, &h, "IAM GetPolicyVersion", &a) < 0 ? NULL : document(p, xml_text(xml_deep(a.xml, "PolicyVersion"), "Document"));
}

/* --- what is declared --- */
static void declare_doc(struct copied *c, const struct json *doc)
{
	if (doc && c->n_docs < DOCS_MAX)
		c->docs[c->n_docs++] = doc;
}

/* What the stack declares for a managed policy of its own, else what the policy says. */
static const struct json *attached_document(struct prove *p, struct str arn)
{
	struct declared *t = stack_physical(p->stack, "AWS::IAM::ManagedPolicy", arn);

	return t ? prop_get(t->props, "PolicyDocument") : managed_document(p, arn);
}

static void declare_arn(struct copied *c, struct str arn)
{
	if (c->n_arns < DOCS_MAX)
		c->arns[c->n_arns++] = arn;
	declare_doc(c, attached_document(c->p, arn));
}

static bool names(const struct json *list, struct str name)
{
	for (size_t i = 0; i < list_len(list); i++)
		if (str_eq(json_str(list_at(list, i)), name))
			return true;
	return false;
}

static void declared(struct copied *c)
{
	struct stack *s = c->p->stack;
	const struct kind *k = &kinds[0];
	const struct json *j = prop_get(c->role->props, "ManagedPolicyArns");
	struct str boundary = prop_str(c->role->props, "PermissionsBoundary");

	for (size_t i = 0; i < ELEMENTS(kinds); i++)
		if (declared_is(c->role, kinds[i].type))
			k = &kinds[i];
	for (size_t i = 0; i < list_len(j); i++)
		declare_arn(c, json_str(list_at(j, i)));
	j = prop_get(c->role->props, "Policies");
	for (size_t i = 0; i < list_len(j); i++)
		declare_doc(c, prop_get(list_at(j, i), "PolicyDocument"));
	for (size_t i = 0; i < s->n; i++) {
		const struct declared *t = &s->v[i];
		bool named = names(prop_get(t->props, k->plural), c->name);

		if ((declared_is(t, "AWS::IAM::Policy") && named) ||
		    (declared_is(t, k->inline_type) && str_eq(prop_str(t->props, k->inline_name), c->name)))
			declare_doc(c, prop_get(t->props, "PolicyDocument"));
		else if (declared_is(t, "AWS::IAM::ManagedPolicy") && named)
			declare_arn(c, t->physical);
	}
	if (boundary.p)
		c->boundary = attached_document(c->p, boundary);
}

/* --- the copy --- */
/* A policy of the stack must also still say what was declared. */
static struct str judge_arn(const struct copied *c, struct str arn)
{
	struct prove *p = c->p;

	for (size_t i = 0; i < c->n_arns; i++) {
		if (!str_eq(c->arns[i], arn))
			continue;
		if (!stack_physical(p->stack, "AWS::IAM::ManagedPolicy", arn))
			return S("declared");
		return json_equal(attached_document(p, arn), managed_document(p, arn)) ? S("declared") : S("another document");
	}
	return S("not declared");
}

static bool is_declared_doc(const struct copied *c, const struct json *doc)
{
	for (size_t i = 0; i < c->n_docs; i++)
		if (doc && json_equal(doc, c->docs[i]))
			return true;
	return false;
}

static int copy_attached(struct copied *c, const struct promise *m, bool judge)
{
	struct prove *p = c->p;
	struct hit h = iam(p, "ListAttachedRolePolicies", "RoleName", c->name, &p->caller);
	struct answer a, b;

	if (call_hit(p, &h, "IAM ListAttachedRolePolicies", &a) < 0)
		return -1;
	for (struct xml_node *n = xml_deep(a.xml, "AttachedPolicies") ? xml_deep(a.xml, "AttachedPolicies")->children : NULL; n;
	     n = n->next) {
		struct str arn = xml_text(n, "PolicyArn");

		if (judge)
			(void)proof_equal(p, m, str_printf(&p->arena, "attached: %.*s", STR(arn)), S("declared"), judge_arn(c, arn));
		h = iam(p, "AttachRolePolicy", "RoleName", c->copy_name, &p->caller);
		hit_param(p, &h, "PolicyArn", arn);
		if (call_hit(p, &h, "IAM AttachRolePolicy", &b) < 0)
			return -1;
	}
	return 0;
}

static int copy_inline(struct copied *c, const struct promise *m, bool judge)
{
	struct prove *p = c->p;
	struct hit h = iam(p, "ListRolePolicies", "RoleName", c->name, &p->caller);
	struct answer a, b;

	if (call_hit(p, &h, "IAM ListRolePolicies", &a) < 0)
		return -1;
	for (struct xml_node *n = xml_deep(a.xml, "PolicyNames") ? xml_deep(a.xml, "PolicyNames")->children : NULL; n; n = n->next) {
		struct str name = str_trim(n->text);
		const struct json *doc;

		h = iam(p, "GetRolePolicy", "RoleName", c->name, &p->caller);
		hit_param(p, &h, "PolicyName", name);
		if (call_hit(p, &h, "IAM GetRolePolicy", &b) < 0)
			return -1;
		doc = document(p, xml_text(xml_deep(b.xml, "GetRolePolicyResult"), "PolicyDocument"));
		if (judge)
			(void)proof_equal(p, m, str_printf(&p->arena, "inline: %.*s", STR(name)), S("declared"),
					  is_declared_doc(c, doc) ? S("declared") : S("not declared"));
		h = iam(p, "PutRolePolicy", "RoleName", c->copy_name, &p->caller);
		hit_param(p, &h, "PolicyName", name);
		hit_param(p, &h, "PolicyDocument", doc ? json_text(&p->arena, doc) : S("{}"));
		if (call_hit(p, &h, "IAM PutRolePolicy", &b) < 0)
			return -1;
	}
	return 0;
}

static int copy_role(struct copied *c)
{
	struct prove *p = c->p;
	struct promise m = { "privilege", str_printf(&p->arena, "%.*s has no policies but the declared ones", STR(c->role->id)),
			     c->role->id, c->role };
	bool judge = promise_owed(p, &m, true);
	struct str boundary = xml_text(xml_find(c->live, "PermissionsBoundary"), "PermissionsBoundaryArn");
	struct xml_node *k;
	struct answer a;
	struct hit h;

	if (actor_role(p, str_printf(&p->arena, "%.*s-%zu", (int)(c->role->id.n < 24 ? c->role->id.n : 24), c->role->id.p, p->n_undo).p,
		       &c->copy_name, &c->copy_arn) < 0)
		return -1;
	if (copy_attached(c, &m, judge) < 0 || copy_inline(c, &m, judge) < 0)
		return -1;
	if (boundary.p) {
		h = iam(p, "PutRolePermissionsBoundary", "RoleName", c->copy_name, &p->caller);
		hit_param(p, &h, "PermissionsBoundary", boundary);
		if (call_hit(p, &h, "IAM PutRolePermissionsBoundary", &a) < 0)
			return -1;
	}
	h = hit_query(p, "sts", p->stack->region, "AssumeRole", actor(p, ACTOR_ASSUMER));
	hit_param(p, &h, "RoleArn", c->copy_arn);
	hit_param(p, &h, "RoleSessionName", c->copy_name);
	if (call_hit(p, &h, "STS AssumeRole", &a) < 0)
		return -1;
	k = xml_deep(a.xml, "Credentials");
	c->session = (struct creds){ xml_text(k, "AccessKeyId"), xml_text(k, "SecretAccessKey"), xml_text(k, "SessionToken") };
	return 0;
}

/* --- beyond its policies --- */
struct deed {
	const char *action, *event;
	const char *what;
	bool grave; /* no role of a stack should have this right, declared or not */
	bool real;  /* would really be done: only where nothing declared allows it, and taken back */
	enum deed_on { ON_NOTHING, ON_OBJECT, ON_BUCKET, ON_KEY, ON_GROUP, ON_COPY } on;
};
static const struct deed deeds[] = {
	{ "s3:PutObject", NULL, "put an object into %s", false, false, ON_OBJECT },
	{ "s3:DeleteObject", NULL, "delete an object of %s", false, false, ON_OBJECT },
	{ "s3:PutBucketPolicy", NULL, "change the policy of %s", true, false, ON_BUCKET },
	{ "kms:Encrypt", "Encrypt", "encrypt with %s", false, false, ON_KEY },
	{ "kms:PutKeyPolicy", "PutKeyPolicy", "change the policy of %s", true, false, ON_KEY },
	{ "kms:ScheduleKeyDeletion", "ScheduleKeyDeletion", "delete %s", true, true, ON_KEY },
	{ "iam:CreateUser", NULL, "create a user", true, false, ON_NOTHING },
	{ "iam:PutRolePolicy", NULL, "widen its own policies", true, false, ON_COPY },
	{ "ec2:CreateVpc", "CreateVpc", "create a VPC", true, false, ON_NOTHING },
	{ "ec2:AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupIngress", "open %s", true, false, ON_GROUP },
};

static struct declared *deed_target(struct copied *c, const struct deed *d)
{
	static const char *const types[] = { [ON_OBJECT] = "AWS::S3::Bucket",
					     [ON_BUCKET] = "AWS::S3::Bucket",
					     [ON_KEY] = "AWS::KMS::Key",
					     [ON_GROUP] = "AWS::EC2::SecurityGroup",
					     [ON_COPY] = NULL };
	struct stack *s = c->p->stack;

	for (size_t i = 0; types[d->on] && i < s->n; i++)
		if (declared_is(&s->v[i], types[d->on]) && s->v[i].arn.p)
			return &s->v[i];
	return NULL;
}

/* The request, and in *ret_arn what it is about. */
static struct hit deed_hit(struct copied *c, const struct deed *d, const struct declared *t, struct str *ret_arn)
{
	struct prove *p = c->p;
	struct arena *m = &p->arena;
	struct str region = p->stack->region, key = str_printf(m, PROVE_NAME "-%.*s/victim", STR(p->run));
	struct json *j = t ? json_object(m, "KeyId", t->arn) : NULL;
	struct hit h;

	*ret_arn = t ? t->arn : S("*");
	if (d->on == ON_OBJECT || d->on == ON_BUCKET) {
		bool object = d->on == ON_OBJECT;

		h = hit_s3(p, region, strcmp(d->action, "s3:DeleteObject") == 0 ? "DELETE" : "PUT", t->physical, object ? key : STR_NONE,
			   object ? STR_NONE : S("policy="), &c->session);
		if (strcmp(d->action, "s3:DeleteObject") != 0)
			h.body = S("no policy"); /* authorized first, then refused as malformed */
		if (object && h.body.n)
			bucket_ask(t, &h);
		if (object)
			*ret_arn = str_printf(m, "%.*s/%.*s", STR(t->arn), STR(key));
		return h;
	}
	if (d->on == ON_KEY) {
		if (strcmp(d->action, "kms:Encrypt") == 0)
			json_set_str(m, j, "Plaintext", S("eA=="));
		else if (strcmp(d->action, "kms:PutKeyPolicy") == 0)
			json_set_str(m, j, "Policy", S("no policy"));
		else
			json_set_int(m, j, "PendingWindowInDays", 30);
		return hit_json(p, "kms", str_printf(m, "TrentService.%s", d->action + 4).p, region, j, &c->session);
	}
	if (d->on == ON_COPY) {
		*ret_arn = c->copy_arn;
		h = iam(p, "PutRolePolicy", "RoleName", c->copy_name, &c->session);
		hit_param(p, &h, "PolicyName", S("wide"));
		hit_param(p, &h, "PolicyDocument", S("no policy"));
		return h;
	}
	if (strcmp(d->action, "iam:CreateUser") == 0) { /* one that exists */
		*ret_arn = p->actors[ACTOR_NOBODY].arn;
		h = iam(p, "CreateUser", "UserName", p->actors[ACTOR_NOBODY].name, &c->session);
		hit_param(p, &h, "Path", S(PROVE_PATH));
		return h;
	}
	h = hit_query(p, "ec2", region, d->action + 4, &c->session);
	hit_param(p, &h, "DryRun", S("true"));
	if (d->on == ON_GROUP) {
		hit_param(p, &h, "GroupId", t->physical);
		hit_param(p, &h, "IpPermissions.1.IpProtocol", S("tcp"));
		hit_param(p, &h, "IpPermissions.1.FromPort", S("22"));
		hit_param(p, &h, "IpPermissions.1.ToPort", S("22"));
		hit_param(p, &h, "IpPermissions.1.IpRanges.1.CidrIp", S("0.0.0.0/0"));
	} else {
		*ret_arn = str_printf(m, "arn:%.*s:ec2:%.*s:%.*s:vpc/*", STR(p->stack->partition), STR(region), STR(p->account));
		hit_param(p, &h, "CidrBlock", S("10.99.0.0/16"));
	}
	return h;
}

static void beyond(struct copied *c)
{
	struct prove *p = c->p;
	struct promise within = { "privilege", str_printf(&p->arena, "%.*s does nothing beyond its declared policies", STR(c->role->id)),
				  c->role->id, c->role };
	struct promise modest = { "privilege", str_printf(&p->arena, "%.*s has no rights of an administrator", STR(c->role->id)), BASELINE,
				  c->role };

	for (size_t i = 0; i < ELEMENTS(deeds); i++) {
		const struct deed *d = &deeds[i];
		struct declared *t = deed_target(c, d);
		struct policy_ask ask = { .arn = c->copy_arn, .account = p->account, .action = str_c(d->action) };
		struct undo *u = NULL;
		struct answer a;
		struct proof *f;
		struct hit h;
		bool may;

		if (!t && d->on != ON_NOTHING && d->on != ON_COPY)
			continue;
		h = deed_hit(c, d, t, &ask.resource);
		may = policies_allow(p, c->docs, c->n_docs, c->boundary, &ask);
		if (may && (!d->grave || d->real))
			continue;
		if (!promise_owed(p, may ? &modest : &within, !may))
			continue;
		if (d->real)
			u = undo_later(p, UNDO_KEY, p->stack->region, t->arn, STR_NONE);
		f = proof_denied(p, may ? &modest : &within,
				 str_printf(&p->arena, "%s: %.*s", d->action,
					    STR(str_replace(&p->arena, str_c(d->what), S("%s"), t ? t->id : S("")))),
				 &h, DENIED, &a);
		if (u && f->verdict == VERDICT_HELD)
			u->done = true;
		else if (u)
			undo_one(p, u);
		if (d->event)
			proof_event(f, &a, d->event);
	}
}

/* Rights that make an administrator of who has them on everything, whatever they are called; and of these services, all rights
 * together: asked for is an action that none has, so that only a pattern as wide as the service allows it. */
static const char *const powers[] = {
	"iam:AttachGroupPolicy",
	"iam:AttachRolePolicy",
	"iam:AttachUserPolicy",
	"iam:CreateAccessKey",
	"iam:CreateLoginProfile",
	"iam:CreatePolicyVersion",
	"iam:PassRole",
	"iam:PutGroupPolicy",
	"iam:PutRolePolicy",
	"iam:PutUserPolicy",
	"iam:SetDefaultPolicyVersion",
	"iam:UpdateAssumeRolePolicy",
	"iam:UpdateLoginProfile",
	"iam:AddUserToGroup",
	"sts:AssumeRole",
	"kms:CreateGrant",
	"kms:Decrypt",
	"kms:PutKeyPolicy",
	"lambda:AddPermission",
	"lambda:UpdateFunctionCode",
	"s3:PutBucketPolicy",
	"secretsmanager:GetSecretValue",
	"cloudtrail:StopLogging",
	"apigateway:All",
	"cloudformation:All",
	"cloudtrail:All",
	"dynamodb:All",
	"ec2:All",
	"ecr:All",
	"iam:All",
	"kms:All",
	"lambda:All",
	"logs:All",
	"rds:All",
	"s3:All",
	"secretsmanager:All",
	"sns:All",
	"sqs:All",
	"ssm:All",
	"sts:All",
};
#define POWERS_SHOWN 6

/* What the declared policies allow on everything, within the boundary: decided here, since most of it cannot be tried without harm. */
static void modest(struct copied *c)
{
	struct prove *p = c->p;
	struct arena *m = &p->arena;
	struct promise k = { "privilege", str_printf(m, "%.*s has no rights of an administrator", STR(c->role->id)), BASELINE, c->role };
	struct str some = STR_NONE;
	size_t n = 0;

	for (size_t i = 0; i < ELEMENTS(powers); i++) {
		struct str action = str_c(powers[i]);
		struct policy_ask ask = { .arn = c->role->arn.p ? c->role->arn : c->role->id, /* a group has none, and it does not matter */
					  .account = p->account,
					  .action = action,
					  .resource = S("arn:aws:x:::any") };

		if (str_ends(action, S(":All")))
			action = str_printf(m, "%.*s:*", (int)action.n - 4, action.p);
		if (!policies_allow(p, c->docs, c->n_docs, c->boundary, &ask) || ++n > POWERS_SHOWN)
			continue;
		some = some.p ? str_printf(m, "%.*s, %.*s", STR(some), STR(action)) : action;
	}
	if (n > POWERS_SHOWN)
		some = str_printf(m, "%.*s and %zu more", STR(some), n - POWERS_SHOWN);
	if ((n || !p->declared_only) && promise_owed(p, &k, false))
		(void)proof_equal(p, &k, S("what its policies allow on everything"), S("nothing grave"), n ? some : S("nothing grave"));
}

/* One thing that it may do, so that a role that may do nothing at all is no proof. */
static void control(struct copied *c)
{
	struct prove *p = c->p;
	struct promise m = { "control", str_printf(&p->arena, "%.*s does what it may", STR(c->role->id)), c->role->id, c->role };
	struct hit h = hit_query(p, "sts", p->stack->region, "GetCallerIdentity", &c->session);
	struct str what = S("sts:GetCallerIdentity");
	struct policy_ask ask = { .arn = c->copy_arn, .account = p->account };
	struct stack *s = p->stack;
	struct answer a;

	for (size_t i = 0; i < s->n; i++) {
		const struct declared *t = &s->v[i];

		ask.resource = t->arn;
		ask.action = S("kms:DescribeKey");
		if (declared_is(t, "AWS::KMS::Key") && policies_allow(p, c->docs, c->n_docs, c->boundary, &ask)) {
			h = hit_json(p, "kms", "TrentService.DescribeKey", s->region, json_object(&p->arena, "KeyId", t->arn), &c->session);
			what = str_printf(&p->arena, "kms:DescribeKey: %.*s", STR(t->id));
			break;
		}
		ask.action = S("s3:ListBucket");
		if (declared_is(t, "AWS::S3::Bucket") && policies_allow(p, c->docs, c->n_docs, c->boundary, &ask)) {
			h = hit_s3(p, s->region, "GET", t->physical, STR_NONE, S("list-type=2"), &c->session);
			what = str_printf(&p->arena, "s3:ListBucket: %.*s", STR(t->id));
			break;
		}
		ask.action = S("ssm:GetParameter");
		if (declared_is(t, "AWS::SSM::Parameter") && policies_allow(p, c->docs, c->n_docs, c->boundary, &ask)) {
			h = hit_json(p, "ssm", "AmazonSSM.GetParameter", s->region, json_object(&p->arena, "Name", t->physical),
				     &c->session);
			what = str_printf(&p->arena, "ssm:GetParameter: %.*s", STR(t->id));
			break;
		}
	}
	(void)proof_allowed(p, &m, what, &h, &a);
}

/* --- who may be it --- */
static void assumed(struct copied *c)
{
	static const enum actor who[] = { ACTOR_COUNT, ACTOR_NOBODY, ACTOR_NEIGHBOUR };
	struct prove *p = c->p;
	struct promise m = { "trust", str_printf(&p->arena, "%.*s is assumed only by those whom it trusts", STR(c->role->id)), c->role->id,
			     c->role };
	const struct json *trust = prop_get(c->role->props, "AssumeRolePolicyDocument");
	struct answer a;

	m.declared = str_printf(&p->arena, "%.*s, AssumeRolePolicyDocument", STR(c->role->id));
	for (size_t i = 0; i < ELEMENTS(who); i++) {
		bool anonymous = who[i] == ACTOR_COUNT;
		struct hit h = hit_query(p, "sts", p->stack->region, "AssumeRole", anonymous ? NULL : actor(p, who[i]));
		struct policy_ask ask = { .arn = anonymous ? STR_NONE : p->actors[who[i]].arn,
					  .account = anonymous ? STR_NONE : p->account,
					  .action = S("sts:AssumeRole") };
		struct proof *f;

		ask.resource = c->role->arn;
		if (!promise_owed(p, &m, policy_says(p, trust, POLICY_TRUST, &ask, NULL) != DECISION_ALLOW))
			return;
		ask.entitled = who[i] == ACTOR_NEIGHBOUR;
		if (ask.entitled && policy_says(p, trust, POLICY_TRUST, &ask, NULL) == DECISION_ALLOW) {
			proof_skip(p, &m, S("it trusts the account: whoever has the right to assume it there may"));
			continue;
		}
		hit_param(p, &h, "RoleArn", c->role->arn);
		hit_param(p, &h, "RoleSessionName", S(PROVE_NAME));
		f = proof_denied(
			p, &m,
			str_printf(&p->arena, "AssumeRole, %.*s",
				   STR(who[i] == ACTOR_NEIGHBOUR ? S("a user with sts:AssumeRole on all roles") : who_name(who[i]))),
			&h, DENIED "|MissingAuthenticationToken", &a);
		proof_event(f, &a, anonymous ? "" : "AssumeRole");
		if (f->verdict == VERDICT_HELD && !anonymous)
			f->decided = S("no statement of the role's trust policy names it");
	}
}

/* The trust policy and the boundary, read back. */
static void as_declared(struct copied *c)
{
	struct prove *p = c->p;
	struct promise trust = { "trust", str_printf(&p->arena, "%.*s trusts those who were declared", STR(c->role->id)), c->role->id,
				 c->role };
	struct promise within = { "privilege", str_printf(&p->arena, "%.*s stays within its boundary", STR(c->role->id)), c->role->id,
				  c->role };
	struct str boundary = prop_str(c->role->props, "PermissionsBoundary"), got;
	const struct json *want = prop_get(c->role->props, "AssumeRolePolicyDocument"), *now;

	trust.declared = str_printf(&p->arena, "%.*s, AssumeRolePolicyDocument", STR(c->role->id));
	within.declared = str_printf(&p->arena, "%.*s, PermissionsBoundary", STR(c->role->id));
	if (!c->live) {
		(void)proof_add(p, &trust, VERDICT_UNTRIED, S("GetRole"), S("the declared trust policy"), p->trouble);
		return;
	}
	if (promise_owed(p, &trust, true)) {
		now = document(p, xml_text(c->live, "AssumeRolePolicyDocument"));
		(void)proof_equal(p, &trust, S("GetRole"), S("the declared trust policy"),
				  now && json_equal(now, want) ? S("the declared trust policy") : S("another trust policy"));
	}
	if (boundary.p && promise_owed(p, &within, true)) {
		got = xml_text(xml_find(c->live, "PermissionsBoundary"), "PermissionsBoundaryArn");
		(void)proof_equal(p, &within, S("GetRole"), S("the declared boundary"),
				  str_eq(got, boundary) ? S("the declared boundary")
				  : got.p               ? S("another boundary")
							: S("no boundary"));
	}
}

void attack_role(struct prove *p, struct declared *role)
{
	struct copied c = { .p = p, .role = role, .name = role->physical };
	struct promise m = { "privilege", str_printf(&p->arena, "%.*s does nothing beyond its declared policies", STR(role->id)), role->id,
			     role };

	struct hit h = iam(p, "GetRole", "RoleName", c.name, &p->caller);
	struct answer a;

	if (call_hit(p, &h, "IAM GetRole", &a) == 0)
		c.live = xml_deep(a.xml, "Role");
	declared(&c);
	assumed(&c);
	as_declared(&c);
	if (copy_role(&c) < 0) {
		(void)proof_add(p, &m, VERDICT_UNTRIED, S("make a copy of the role"), S("a session"), p->trouble);
		return;
	}
	beyond(&c);
	modest(&c);
	control(&c);
}

void attack_principal(struct prove *p, struct declared *t)
{
	struct copied c = { .p = p, .role = t, .name = t->physical };
	struct promise m = { "privilege", str_printf(&p->arena, "%.*s has no key that lasts", STR(t->id)), BASELINE, t };

	declared(&c);
	modest(&c);
	for (size_t i = 0; i < p->stack->n; i++) {
		const struct declared *k = &p->stack->v[i];

		if (declared_is(k, "AWS::IAM::AccessKey") && str_eq(prop_str(k->props, "UserName"), c.name) && promise_owed(p, &m, false))
			(void)proof_equal(p, &m, S("its access keys"), S("none"), k->id);
	}
}

static bool sounds_secret(struct prove *p, struct str name)
{
	static const char *const words[] = { "secret", "password", "passwd", "token", "credential", "apikey", "api-key", "private-key" };

	for (size_t i = 0; i < ELEMENTS(words); i++)
		if (str_find(str_lower(&p->arena, name), str_c(words[i])) >= 0)
			return true;
	return false;
}

void attack_parameter(struct prove *p, struct declared *t)
{
	static const enum actor who[] = { ACTOR_NOBODY, ACTOR_NEIGHBOUR };
	struct promise m = { "access", str_printf(&p->arena, "%.*s is read by no outsider", STR(t->id)), t->id, t };
	struct promise sealed = { "encryption", str_printf(&p->arena, "%.*s is sealed", STR(t->id)), t->id, t };
	struct json *params = json_object(&p->arena, "Name", t->physical);
	struct hit h = hit_json(p, "ssm", "AmazonSSM.GetParameter", p->stack->region, params, actor(p, ACTOR_INSIDER));
	struct answer a;

	if (str_is(prop_str(t->props, "Type"), "String") && sounds_secret(p, t->physical)) {
		promise_absent(p, &sealed, S("by its name it is a secret, and of type String (CloudFormation makes no SecureString)"));
	}
	if (!promise_owed(p, &m, true) || proof_allowed(p, &m, S("GetParameter, a user with all rights"), &h, &a)->verdict != VERDICT_HELD)
		return;
	if (str_is(prop_str(t->props, "Type"), "SecureString") && promise_owed(p, &sealed, true)) /* Terraform, Pulumi */
		(void)proof_equal(p, &sealed, S("its type"), S("SecureString"), json_get_str(json_getz(a.json, "Parameter"), "Type"));
	for (size_t i = 0; i < ELEMENTS(who); i++) {
		h.who = actor(p, who[i]);
		proof_event(proof_denied(p, &m, str_printf(&p->arena, "GetParameter, %.*s", STR(who_name(who[i]))), &h, DENIED, &a), &a,
			    "GetParameter");
	}
}
