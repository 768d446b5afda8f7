/* SPDX-License-Identifier: Apache-2.0 */
/* attack_policy.c - whom the resource policies of the stack let in, read from the documents. There is no principal of another
 * account to try it with, and no service that acts for one; so a statement that lets them in without a condition is what breaks
 * the promise. Everybody ("*") without a condition is tried by other attacks as well, as far as what they try goes. */
#include "cli/prove/prove.h"

static const struct guarded {
	const char *type, *document;
	const char *family, *text; /* of the promise; %s: the resource */
	bool services;             /* a service must say for whom it acts (roles trust services, and that is usual) */
} guarded[] = {
	{ "AWS::KMS::Key", "KeyPolicy", "key use", "%s is used only by those whom its policy lets", true },
	{ "AWS::IAM::Role", "AssumeRolePolicyDocument", "trust", "%s is assumed only by those whom it trusts", false },
	{ "AWS::S3::BucketPolicy", "PolicyDocument", "access", "%s lets no outsider in", true },
	{ "AWS::ECR::Repository", "RepositoryPolicyText", "access", "%s lets no outsider in", true },
	{ "AWS::Logs::ResourcePolicy", "PolicyDocument", "access", "%s lets no outsider in", true },
};

/* The account of a principal: of its ARN, or the number itself; absent: it names none. */
static struct str account_of(struct str principal)
{
	struct str rest = principal, f[5];

	if (principal.n == 12 && principal.p[0] >= '0' && principal.p[0] <= '9')
		return principal;
	for (size_t i = 0; i < ELEMENTS(f); i++)
		if (!str_next(&rest, ':', &f[i]))
			return STR_NONE;
	return str_is(f[0], "arn") ? f[4] : STR_NONE;
}

/* Who of a statement's principals comes from outside; absent: nobody. */
static struct str outsider(struct prove *p, const struct json *principal, bool services)
{
	struct arena *a = &p->arena;
	const struct json *aws = json_getz(principal, "AWS"), *service = json_getz(principal, "Service"),
			  *federated = json_getz(principal, "Federated");

	if (str_is(json_str(principal), "*"))
		return S("anybody");
	for (size_t i = 0; i < list_len(aws); i++) {
		struct str one = json_str(list_at(aws, i)), account = account_of(one);

		if (str_is(one, "*"))
			return S("anybody");
		if (account.n && !str_eq(account, p->account))
			return str_printf(a, "account %.*s", STR(account));
	}
	if (list_len(federated))
		return str_printf(a, "anybody of %.*s", STR(json_str(list_at(federated, 0))));
	return services && list_len(service) ? str_printf(a, "%.*s for any account", STR(json_str(list_at(service, 0)))) : STR_NONE;
}

/* A document may be given as text. */
static const struct json *document(struct prove *p, const struct json *j)
{
	struct json *doc;

	return json_is(j, JSON_STRING) ? json_parse(&p->arena, json_str(j), &doc, NULL) == 0 ? doc : NULL : j;
}

void policy_outsiders(struct prove *p, const char *family, struct str text, const struct declared *owner, const struct json *doc,
		      bool services)
{
	struct promise m = { family, text, BASELINE, owner };
	const struct json *list = json_getz(doc, "Statement");
	const struct str expected = S("nobody from outside");
	size_t found = 0;

	for (size_t i = 0; i < list_len(list); i++) {
		const struct json *s = list_at(list, i);
		struct str who = outsider(p, json_getz(s, "Principal"), services);

		if (json_getz(s, "NotPrincipal"))
			who = S("anybody but some");
		if (!who.p || !str_is(json_get_str(s, "Effect"), "Allow") || json_getz(s, "Condition"))
			continue;
		found++;
		if (promise_owed(p, &m, false))
			(void)proof_equal(
				p, &m, str_printf(&p->arena, "let in without a condition by %.*s", STR(statement_name(&p->arena, doc, i))),
				expected, who);
	}
	if (!found && !p->declared_only && promise_owed(p, &m, false))
		(void)proof_equal(p, &m, S("let in without a condition, by its policy"), expected, expected);
}

void attack_policies(struct prove *p)
{
	struct stack *s = p->stack;

	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < ELEMENTS(guarded); k++) {
			struct declared *t = &s->v[i], *owner = t;
			const struct json *doc = document(p, prop_get(t->props, guarded[k].document));

			if (!declared_is(t, guarded[k].type) || !doc)
				continue;
			if (declared_is(t, "AWS::S3::BucketPolicy"))
				owner = stack_physical(s, "AWS::S3::Bucket", prop_str(t->props, "Bucket"));
			owner = owner ? owner : t;
			policy_outsiders(p, guarded[k].family, str_replace(&p->arena, str_c(guarded[k].text), S("%s"), owner->id), owner,
					 doc, guarded[k].services);
		}
}
