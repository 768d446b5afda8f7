/* SPDX-License-Identifier: Apache-2.0 */
/* attack_public.c - the public access block: attempts to make something public, and its four switches read back. What is
 * made public, should it succeed, is one object of this run, and is taken back at once. */
#include "cli/prove/prove.h"

static const char *const flags[] = { "BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets" };

/* The policy that the bucket has now, with a statement that opens this run's prefix to everyone. */
static struct str opened(struct prove *p, const struct declared *b, struct str now)
{
	struct arena *a = &p->arena;
	struct json *doc = NULL, *list, *s = json_object(a, "Sid", S("CloudkeepProve"));
	const struct json *old;

	if (!now.p || json_parse(a, now, &doc, NULL) < 0 || !json_is(doc, JSON_OBJECT))
		doc = json_object(a, "Version", S("2012-10-17"));
	json_set_str(a, s, "Effect", S("Allow"));
	json_set_str(a, s, "Principal", S("*"));
	json_set_str(a, s, "Action", S("s3:GetObject"));
	json_set_str(a, s, "Resource", str_printf(a, "%.*s/" PROVE_NAME "-%.*s/*", STR(b->arn), STR(p->run)));
	list = json_new(a, JSON_ARRAY);
	old = json_getz(doc, "Statement");
	for (size_t i = 0; i < list_len(old); i++)
		json_push(a, list, list_at(old, i));
	json_push(a, list, s);
	doc = json_copy(a, doc);
	json_set(a, doc, S("Statement"), list);
	return json_text(a, doc);
}

static void open_policy(struct prove *p, const struct promise *m, const struct declared *b)
{
	struct hit h = hit_s3(p, p->stack->region, "GET", b->physical, STR_NONE, S("policy="), &p->caller);
	struct answer a;
	struct proof *f;
	struct undo *u;
	struct str now;

	(void)hit(p, &h, &a);
	if (!answer_ok(&a) && !str_is(a.code, "NoSuchBucketPolicy")) {
		(void)proof_add(p, m, VERDICT_UNTRIED, S("put a public bucket policy"), S("AccessDenied"), a.status ? a.code : a.error);
		return;
	}
	now = answer_ok(&a) ? a.reply.body : STR_NONE;
	h = hit_s3(p, p->stack->region, "PUT", b->physical, STR_NONE, S("policy="), actor(p, ACTOR_INSIDER));
	h.body = opened(p, b, now);
	u = undo_later(p, UNDO_BUCKET_POLICY, p->stack->region, b->physical, now);
	f = proof_denied(p, m, S("put a public bucket policy, a user with all rights"), &h, DENIED, &a);
	if (f->verdict == VERDICT_HELD)
		u->done = true; /* nothing was changed */
	else
		undo_one(p, u);
}

static void open_acl(struct prove *p, const struct promise *m, const struct declared *b)
{
	struct hit h = hit_s3(p, p->stack->region, "PUT", b->physical, str_printf(&p->arena, PROVE_NAME "-%.*s/public", STR(p->run)),
			      STR_NONE, actor(p, ACTOR_INSIDER));
	struct answer a;

	h.body = S("x");
	bucket_ask(b, &h);
	hit_header(&h, "x-amz-acl", S("public-read"));
	(void)proof_denied(p, m, S("put an object with a public ACL, a user with all rights"), &h, DENIED "|AccessControlListNotSupported",
			   &a);
}

void attack_public(struct prove *p, struct declared *b)
{
	const struct json *block = prop_get(b->props, "PublicAccessBlockConfiguration");
	struct promise m = { "public", str_printf(&p->arena, "%.*s cannot be made public", STR(b->id)), BASELINE, b };
	struct hit h = hit_s3(p, p->stack->region, "GET", b->physical, STR_NONE, S("publicAccessBlock="), &p->caller);
	struct str owner = prop_str(list_at(prop_get(b->props, "OwnershipControls.Rules"), 0), "ObjectOwnership");
	bool declared[ELEMENTS(flags)], all = true;
	struct answer a;
	struct xml_node *conf;

	for (size_t i = 0; i < ELEMENTS(flags); i++) {
		declared[i] = str_is(prop_str(block, flags[i]), "true");
		all = all && declared[i];
	}
	if (all)
		m.declared = str_printf(&p->arena, "%.*s, PublicAccessBlockConfiguration", STR(b->id));
	if (!b->canary.p || !promise_owed(p, &m, declared[0] || declared[1] || declared[2] || declared[3]))
		return;
	if (owner.n && !str_is(owner, "BucketOwnerEnforced"))
		promise_absent(p, &m, str_printf(&p->arena, "ObjectOwnership is %.*s, so ACLs count", STR(owner)));
	if (declared[1] || !p->declared_only)
		open_policy(p, &m, b);
	if (declared[0] || !p->declared_only)
		open_acl(p, &m, b);
	(void)hit(p, &h, &a);
	if (!answer_ok(&a) && !str_is(a.code, "NoSuchPublicAccessBlockConfiguration")) {
		(void)proof_add(p, &m, VERDICT_UNTRIED, S("read the public access block"), S("an answer"), a.status ? a.code : a.error);
		return;
	}
	conf = answer_ok(&a) ? xml_deep(a.xml, "PublicAccessBlockConfiguration") : NULL;
	for (size_t i = 0; i < ELEMENTS(flags); i++)
		if (declared[i] || !p->declared_only)
			(void)proof_equal(p, &m, str_c(flags[i]), S("true"),
					  conf && xml_text(conf, flags[i]).n ? xml_text(conf, flags[i]) : S("not set"));
	h = hit_s3(p, p->stack->region, "GET", b->physical, STR_NONE, S("policyStatus="), &p->caller);
	(void)hit(p, &h, &a);
	if (answer_ok(&a))
		(void)proof_equal(p, &m, S("is its policy public?"), S("false"),
				  str_lower(&p->arena, xml_text(xml_deep(a.xml, "PolicyStatus"), "IsPublic")));
}
