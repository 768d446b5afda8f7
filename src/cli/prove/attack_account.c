/* SPDX-License-Identifier: Apache-2.0 */
/* attack_account.c - the account's password policy: read back, and tried with passwords that break one rule each, for a user
 * who was made for the proof and keeps none of them. */
#include "cli/prove/prove.h"

#define LENGTH_MAX 128
#define LENGTH_GOOD 14
#define LENGTH_DEFAULT 6 /* CreateLoginProfile takes no shorter one, whatever the policy says */

static const struct {
	const char *rule, *chars; /* what the rule asks for */
} classes[] = {
	{ "RequireUppercaseCharacters", "K" },
	{ "RequireLowercaseCharacters", "v" },
	{ "RequireNumbers", "7" },
	{ "RequireSymbols", "!" },
};

static bool asked(const struct declared *t, const char *rule)
{
	return str_is(prop_str(t->props, rule), "true");
}

/* A password of n characters that has every class but one (-1: all). */
static struct str password(struct prove *p, size_t n, int without)
{
	char *text = arena_alloc(&p->arena, n + 1);
	size_t at = 0;

	while (at < n)
		for (int i = 0; i < (int)ELEMENTS(classes) && at < n; i++)
			if (i != without) {
				text[at] = (char)(*classes[i].chars + (i < 2 ? at % 5 : 0));
				at++;
			}
	text[n] = 0;
	return str_of(text, n);
}

static struct hit profile(struct prove *p, const char *action, struct str secret)
{
	struct hit h = hit_query(p, "iam", p->stack->region, action, &p->caller);

	hit_param(p, &h, "UserName", p->actors[ACTOR_NOBODY].name);
	if (secret.p)
		hit_param(p, &h, "Password", secret);
	return h;
}

static void weak(struct prove *p, const struct promise *m, struct str attempt, struct str secret)
{
	struct hit h = profile(p, "CreateLoginProfile", secret), away = profile(p, "DeleteLoginProfile", STR_NONE);
	struct answer a;

	if (proof_denied(p, m, attempt, &h, "PasswordPolicyViolation", &a)->verdict != VERDICT_HELD)
		(void)hit(p, &away, &a); /* the user itself is removed at the end, with it */
}

static void read_back(struct prove *p, const struct promise *m, struct declared *t)
{
	struct hit h = hit_query(p, "iam", p->stack->region, "GetAccountPasswordPolicy", &p->caller);
	struct answer a;
	struct xml_node *live;

	if (call_hit(p, &h, "IAM GetAccountPasswordPolicy", &a) < 0 && !str_is(a.code, "NoSuchEntity")) {
		(void)proof_add(p, m, VERDICT_UNTRIED, S("GetAccountPasswordPolicy"), S("an answer"), p->trouble);
		return;
	}
	live = answer_ok(&a) ? xml_deep(a.xml, "PasswordPolicy") : NULL;
	for (size_t i = 0; i < t->props->n; i++) {
		struct str want = json_scalar(&t->props->members[i].value);
		struct str got = live ? xml_text(live, str_z(&p->arena, t->props->members[i].key)) : STR_NONE;

		if (!got.p && str_is(want, "false"))
			got = want; /* HardExpiry is left out when it is off */
		(void)proof_equal(p, m, t->props->members[i].key, want, got);
	}
}

void attack_passwords(struct prove *p, struct declared *t)
{
	struct promise m = { "passwords", S("passwords of the account obey the declared policy"), t->id, t };
	struct hit good, away = profile(p, "DeleteLoginProfile", STR_NONE);
	struct answer a;
	int64_t length;

	if (!promise_owed(p, &m, true))
		return;
	if (str_to_i64(prop_str(t->props, "MinimumPasswordLength"), &length) < 0 || length < LENGTH_DEFAULT || length > LENGTH_MAX)
		length = LENGTH_DEFAULT;
	read_back(p, &m, t);
	if (length < LENGTH_GOOD)
		promise_absent(p, &m, str_printf(&p->arena, "%lld characters suffice; %d are usual", (long long)length, LENGTH_GOOD));
	for (size_t i = 0; i < ELEMENTS(classes); i++)
		if (!asked(t, classes[i].rule))
			promise_absent(p, &m, str_printf(&p->arena, "%s is not asked for", classes[i].rule));
	good = profile(p, "CreateLoginProfile", password(p, (size_t)length + 4, -1));
	if (proof_allowed(p, &m, S("CreateLoginProfile with a password that obeys it"), &good, &a)->verdict != VERDICT_HELD)
		return;
	(void)hit(p, &away, &a);
	weak(p, &m, str_printf(&p->arena, "CreateLoginProfile with %lld characters", (long long)length - 1),
	     password(p, (size_t)length - 1, -1));
	for (int i = 0; i < (int)ELEMENTS(classes); i++)
		if (asked(t, classes[i].rule))
			weak(p, &m, str_printf(&p->arena, "CreateLoginProfile against %s", classes[i].rule),
			     password(p, (size_t)length + 4, i));
}
