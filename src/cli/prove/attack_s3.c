/* SPDX-License-Identifier: Apache-2.0 */
/* attack_s3.c - buckets: who gets at the objects, and over what. Everything aims at objects below a prefix of this run's
 * own, which are removed with all their versions. */
#include "cli/prove/prove.h"

#define CANARY_TEXT "put here to be attacked"

static struct str object_arn(struct prove *p, const struct declared *b, struct str key)
{
	return str_printf(&p->arena, "%.*s/%.*s", STR(b->arn), STR(key));
}

static struct str own_key(struct prove *p, const char *name)
{
	return str_printf(&p->arena, PROVE_NAME "-%.*s/%s", STR(p->run), name);
}

void bucket_ask(const struct declared *b, struct hit *h)
{
	const struct json *rule = list_at(prop_get(b->props, "BucketEncryption.ServerSideEncryptionConfiguration"), 0);
	struct str alg = prop_str(rule, "ServerSideEncryptionByDefault.SSEAlgorithm"),
		   key = prop_str(rule, "ServerSideEncryptionByDefault.KMSMasterKeyID");

	if (!b->asks || !alg.p)
		return;
	hit_header(h, "x-amz-server-side-encryption", alg);
	if (key.p)
		hit_header(h, "x-amz-server-side-encryption-aws-kms-key-id", key);
}

/* A policy that lets only certain principals in shuts the proof's users out: that is no broken promise, but most cannot be tried.
 * Absent: it does not, or the cloud does not obey it. */
static struct str shut_out(struct prove *p, const struct declared *b, const struct hit *put, struct str key)
{
	static const char *const actions[] = { "s3:PutObject", "s3:GetObject" };
	struct policy_ask ask = { .arn = p->actors[ACTOR_INSIDER].arn, .account = p->account, .resource = object_arn(p, b, key) };
	struct answer a;
	struct str sid;

	for (size_t i = 0; i < ELEMENTS(actions); i++) {
		ask.action = str_c(actions[i]);
		if (policy_says(p, b->policy, POLICY_RESOURCE, &ask, &sid) == DECISION_EXPLICIT_DENY && hit(p, put, &a) == 0 &&
		    a.status == 403)
			return str_printf(&p->arena, "its policy denies the proof's users: %.*s", STR(sid));
	}
	return STR_NONE;
}

static bool put_canary(struct prove *p, struct declared *b)
{
	struct promise m = { "control", str_printf(&p->arena, "%.*s works for those who may use it", STR(b->id)), b->id, b };
	struct str key = own_key(p, "canary");
	struct hit h = hit_s3(p, p->stack->region, "PUT", b->physical, key, STR_NONE, actor(p, ACTOR_INSIDER));
	struct answer a;
	struct undo *u;
	struct str shut;

	u = undo_later(p, UNDO_OBJECTS, p->stack->region, b->physical, own_key(p, ""));
	h.body = S(CANARY_TEXT);
	b->asks = hit(p, &h, &a) == 0 && a.status == 403; /* the policy may demand that writers ask for it */
	bucket_ask(b, &h);
	shut = shut_out(p, b, &h, key);
	if (shut.p) {
		u->done = true; /* nothing was put; and who may not write may not be able to look, either */
		(void)proof_add(p, &m, VERDICT_UNTRIED, S("PUT an object over TLS, as a user with all rights"), S("allowed"), shut);
		return false;
	}
	if (proof_allowed(p, &m, S("PUT an object over TLS, as a user with all rights"), &h, &a)->verdict != VERDICT_HELD) {
		u->done = a.status == 403;
		return false;
	}
	h = hit_s3(p, p->stack->region, "GET", b->physical, key, STR_NONE, actor(p, ACTOR_INSIDER));
	if (proof_allowed(p, &m, S("GET it back over TLS"), &h, &a)->verdict != VERDICT_HELD)
		return false;
	(void)proof_equal(p, &m, S("what comes back is what was put"), S(CANARY_TEXT), a.reply.body);
	b->canary = key;
	return true;
}

/* --- who gets at it --- */
struct act {
	const char *method, *name, *action, *query;
	bool object, body;
};
static const struct act acts[] = {
	{ "GET", "GET an object", "s3:GetObject", NULL, true, false },
	{ "PUT", "PUT an object", "s3:PutObject", NULL, true, true },
	{ "GET", "LIST the bucket", "s3:ListBucket", "list-type=2", false, false },
	{ "DELETE", "DELETE an object", "s3:DeleteObject", NULL, true, false },
	{ "GET", "read the bucket's policy", "s3:GetBucketPolicy", "policy=", false, false },
	{ "GET", "LIST old versions", "s3:ListBucketVersions", "versions=", false, false },
	{ "GET", "read the bucket's ACL", "s3:GetBucketAcl", "acl=", false, false },
};

static struct hit act_hit(struct prove *p, const struct declared *b, const struct act *x, const struct creds *who)
{
	/* What a successful DELETE or PUT hits is of no use to anybody. */
	struct str key = strcmp(x->method, "GET") == 0 ? b->canary : own_key(p, "victim");
	struct hit h = hit_s3(p, p->stack->region, x->method, b->physical, x->object ? key : STR_NONE, str_c(x->query), who);

	if (x->body) {
		h.body = S("written by somebody who may not");
		bucket_ask(b, &h);
	}
	return h;
}

void attack_access(struct prove *p, struct declared *b)
{
	static const enum actor who[] = { ACTOR_COUNT, ACTOR_NOBODY, ACTOR_NEIGHBOUR };
	struct promise m = { "access", str_printf(&p->arena, "%.*s lets no outsider in", STR(b->id)), b->policy ? b->policy_id : b->id, b };
	bool shut = !put_canary(p, b);
	struct answer a;

	if (!promise_owed(p, &m, true))
		return;
	if (shut)
		b->canary = own_key(p, "canary"); /* whether it is there or not: an outsider is refused before that is seen */
	for (size_t i = 0; i < ELEMENTS(who); i++)
		for (size_t k = 0; k < ELEMENTS(acts); k++) {
			const struct act *x = &acts[k];
			bool anonymous = who[i] == ACTOR_COUNT;
			struct policy_ask ask = { .arn = anonymous ? STR_NONE : p->actors[who[i]].arn,
						  .account = anonymous ? STR_NONE : p->account,
						  .action = str_c(x->action),
						  .resource = x->object ? object_arn(p, b, b->canary) : b->arn };
			struct hit h = act_hit(p, b, x, anonymous ? NULL : actor(p, who[i]));
			struct promise open = m;
			bool declared_open = policy_says(p, b->policy, POLICY_RESOURCE, &ask, NULL) == DECISION_ALLOW;
			struct proof *f;

			open.declared = BASELINE;
			if (declared_open && !promise_owed(p, &open, false))
				continue;
			f = proof_denied(p, declared_open ? &open : &m, str_printf(&p->arena, "%s, %.*s", x->name, STR(who_name(who[i]))),
					 &h, DENIED, &a);
			if (f->verdict == VERDICT_BROKEN && shut)
				undo_later(p, UNDO_OBJECTS, p->stack->region, b->physical, own_key(p, ""));
			if (f->verdict == VERDICT_HELD && anonymous)
				f->decided = S("no statement of the bucket's policy lets it in");
			if (f->verdict == VERDICT_HELD && declared_open) /* something else stood in its way, such as the key */
				(void)proof_equal(p, &open,
						  str_printf(&p->arena, "the policy alone: %s, %.*s", x->name, STR(who_name(who[i]))),
						  S("not let in"), S("let in"));
		}
	if (shut)
		b->canary = STR_NONE;
}

/* --- over what --- */
void attack_transport(struct prove *p, struct declared *b)
{
	struct promise m = { "transport", str_printf(&p->arena, "%.*s takes no plain HTTP", STR(b->id)), BASELINE, b };
	struct policy_ask ask = { .arn = p->actors[ACTOR_INSIDER].arn, .account = p->account, .action = S("s3:GetObject"), .plain = true };
	bool declared, denies;
	struct answer a;
	struct str sid;

	ask.resource = object_arn(p, b, S("x"));
	declared = policy_says(p, b->policy, POLICY_RESOURCE, &ask, &sid) == DECISION_EXPLICIT_DENY;
	if (declared)
		m.declared = str_printf(&p->arena, "%.*s, %.*s", STR(b->policy_id), STR(sid));
	if (!promise_owed(p, &m, declared) || !b->canary.p)
		return;
	for (size_t k = 0; k <= ELEMENTS(acts); k++) {
		const struct act *x = &acts[k < ELEMENTS(acts) ? k : 0];
		struct hit h = act_hit(p, b, x, actor(p, ACTOR_INSIDER));
		const char *how = k < ELEMENTS(acts) ? "over plain HTTP" : "by presigned URL over plain HTTP";
		struct proof *f;

		ask.action = str_c(x->action);
		ask.resource = x->object ? object_arn(p, b, b->canary) : b->arn;
		denies = policy_says(p, b->policy, POLICY_RESOURCE, &ask, &sid) == DECISION_EXPLICIT_DENY;
		m.declared = denies ? str_printf(&p->arena, "%.*s, %.*s", STR(b->policy_id), STR(sid)) : BASELINE;
		if (!denies && p->declared_only) {
			promise_absent(p, &m, str_printf(&p->arena, "%s over plain HTTP is denied by no statement", x->name));
			continue;
		}
		h.plain = true;
		h.presign_s = k < ELEMENTS(acts) ? 0 : 60;
		f = proof_denied(p, &m, str_printf(&p->arena, "%s %s, a user with all rights", x->name, how), &h, DENIED, &a);
		if (f->verdict == VERDICT_HELD && denies)
			f->decided = str_printf(&p->arena, "%.*s: %.*s", STR(f->decided), STR(sid));
	}
}

/* --- at rest --- */
/* The ARN of the key that the template names by id, ARN or alias. */
static struct str key_arn(struct prove *p, struct str name)
{
	struct declared *t = stack_physical(p->stack, "AWS::KMS::Key", name);
	struct json *d;

	if (t)
		return t->arn;
	d = call_json(p, "kms", "TrentService.DescribeKey", p->stack->region, json_object(&p->arena, "KeyId", name));
	return json_get_str(json_getz(d, "KeyMetadata"), "Arn");
}

static void under_the_key(struct prove *p, const struct declared *b)
{
	struct promise m = { "encryption", str_printf(&p->arena, "%.*s is of no use without its key", STR(b->id)), b->id, b };
	struct hit h = hit_s3(p, p->stack->region, "GET", b->physical, b->canary, STR_NONE, actor(p, ACTOR_KEYLESS));
	struct answer a;

	m.declared = str_printf(&p->arena, "%.*s, BucketEncryption", STR(b->id));
	(void)proof_denied(p, &m, S("GET an object, a user with all of S3 but no rights on the key"), &h, DENIED, &a);
	h = hit_s3(p, p->stack->region, "PUT", b->physical, own_key(p, "keyless"), STR_NONE, actor(p, ACTOR_KEYLESS));
	h.body = S("x");
	bucket_ask(b, &h);
	(void)proof_denied(p, &m, S("PUT an object, a user with all of S3 but no rights on the key"), &h, DENIED, &a);
}

static void without_key(struct prove *p, const struct declared *b, struct str alg)
{
	struct promise m = { "encryption", str_printf(&p->arena, "%.*s is of no use without its key", STR(b->id)), b->id, b };

	promise_absent(p, &m,
		       str_starts(alg.p ? alg : S(""), S("aws:kms")) ? S("KMSMasterKeyID names no key, so it is AWS's own")
								     : S("BucketEncryption names no key, so who may read may decrypt"));
}

/* Writes that a policy demands to ask for encryption: without asking, and asking for less. */
static void demanded(struct prove *p, const struct declared *b)
{
	static const char *const asks[][2] = { { NULL, "asking for no encryption" }, { "AES256", "asking for AES256" } };
	struct answer a;

	for (size_t i = 0; i < ELEMENTS(asks); i++) {
		struct str v = str_c(asks[i][0]), sid;
		struct policy_key k = { .name = S("s3:x-amz-server-side-encryption"), .values = &v, .n = 1 };
		struct policy_ask ask = { .arn = p->actors[ACTOR_INSIDER].arn,
					  .account = p->account,
					  .action = S("s3:PutObject"),
					  .resource = object_arn(p, b, b->canary),
					  .keys = &k,
					  .n_keys = v.p ? 1 : 0 };
		struct promise m = { "encryption", str_printf(&p->arena, "%.*s takes no write without the demanded encryption", STR(b->id)),
				     b->policy_id, b };
		struct hit h = hit_s3(p, p->stack->region, "PUT", b->physical, own_key(p, "unencrypted"), STR_NONE,
				      actor(p, ACTOR_INSIDER));

		if (policy_says(p, b->policy, POLICY_RESOURCE, &ask, &sid) != DECISION_EXPLICIT_DENY)
			continue;
		m.declared = str_printf(&p->arena, "%.*s, %.*s", STR(b->policy_id), STR(sid));
		if (!promise_owed(p, &m, true))
			return;
		h.body = S("x");
		if (v.p)
			hit_header(&h, "x-amz-server-side-encryption", v);
		(void)proof_denied(p, &m, str_printf(&p->arena, "PUT an object %s, a user with all rights", asks[i][1]), &h, DENIED, &a);
	}
}

void attack_encryption(struct prove *p, struct declared *b)
{
	const struct json *rule = list_at(prop_get(b->props, "BucketEncryption.ServerSideEncryptionConfiguration"), 0);
	struct str alg = prop_str(rule, "ServerSideEncryptionByDefault.SSEAlgorithm"),
		   key = prop_str(rule, "ServerSideEncryptionByDefault.KMSMasterKeyID");
	struct promise m = { "encryption", str_printf(&p->arena, "%.*s encrypts what is put there", STR(b->id)), BASELINE, b };
	struct hit h = hit_s3(p, p->stack->region, "GET", b->physical, b->canary, STR_NONE, actor(p, ACTOR_INSIDER));
	struct answer a;
	struct str arn;

	if (alg.p)
		m.declared = str_printf(&p->arena, "%.*s, BucketEncryption", STR(b->id));
	if (!b->canary.p || !promise_owed(p, &m, alg.p != NULL))
		return;
	/* A write that asks for nothing comes back under the bucket's default. */
	if (proof_allowed(p, &m, S("GET an object that was put without asking for encryption"), &h, &a)->verdict != VERDICT_HELD)
		return;
	(void)proof_equal(p, &m, S("the algorithm it is encrypted with"), alg.p ? alg : S("AES256"),
			  answer_header(&a, "x-amz-server-side-encryption"));
	if (key.p) {
		struct declared *k = stack_physical(p->stack, "AWS::KMS::Key", key);
		struct str got = answer_header(&a, "x-amz-server-side-encryption-aws-kms-key-id");

		arn = key_arn(p, key);
		if (k) /* as the template calls it */
			(void)proof_equal(p, &m, S("the key it is encrypted under"), k->id, str_eq(got, arn) ? k->id : got);
		else
			(void)proof_equal(p, &m, S("the key it is encrypted under"), arn.p ? arn : key, got);
		under_the_key(p, b);
	} else
		without_key(p, b, alg);
	demanded(p, b);
}

/* --- old versions --- */
void attack_versions(struct prove *p, struct declared *b)
{
	bool declared = str_is(prop_str(b->props, "VersioningConfiguration.Status"), "Enabled");
	struct promise m = { "recovery", str_printf(&p->arena, "%.*s keeps what is overwritten or deleted", STR(b->id)), BASELINE, b };
	struct promise full = { "recovery", str_printf(&p->arena, "%.*s cannot be deleted with objects in it", STR(b->id)), b->id, b };
	struct str key = own_key(p, "versions"), region = p->stack->region, v;
	struct hit put = hit_s3(p, region, "PUT", b->physical, key, STR_NONE, actor(p, ACTOR_INSIDER)), h;
	struct answer a, b2;

	if (!b->canary.p)
		return;
	h = hit_s3(p, region, "DELETE", b->physical, STR_NONE, STR_NONE, actor(p, ACTOR_DELETER));
	if (promise_owed(p, &full, true))
		(void)proof_denied(p, &full, S("delete the bucket, a user who may"), &h, "BucketNotEmpty", &a);
	if (declared)
		m.declared = str_printf(&p->arena, "%.*s, VersioningConfiguration", STR(b->id));
	if (!promise_owed(p, &m, declared))
		return;
	put.body = S("first");
	bucket_ask(b, &put);
	(void)hit(p, &put, &a);
	v = answer_header(&a, "x-amz-version-id");
	if (!answer_ok(&a) || !v.p || str_is(v, "null")) {
		(void)proof_add(p, &m, a.status ? VERDICT_BROKEN : VERDICT_UNTRIED, S("PUT an object"), S("a version id"),
				answer_ok(&a) ? S("none")
				: a.status    ? a.code
					      : a.error);
		return;
	}
	put.body = S("second");
	(void)hit(p, &put, &b2);
	h = hit_s3(p, region, "DELETE", b->physical, key, STR_NONE, actor(p, ACTOR_INSIDER));
	(void)hit(p, &h, &b2);
	h = hit_s3(p, region, "GET", b->physical, key, str_printf(&p->arena, "versionId=%.*s", STR(uri_encode(&p->arena, v, false))),
		   actor(p, ACTOR_INSIDER));
	if (proof_allowed(p, &m, S("GET the first version after an overwrite and a DELETE"), &h, &a)->verdict == VERDICT_HELD)
		(void)proof_equal(p, &m, S("what the first version holds"), S("first"), a.reply.body);
}
