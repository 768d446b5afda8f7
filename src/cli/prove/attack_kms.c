/* SPDX-License-Identifier: Apache-2.0 */
/* attack_kms.c - keys: used by those whom the key policy does not let, with altered ciphertexts and contexts, from other
 * regions; rotation, deletion and the policy itself read back. */
#include "cli/prove/prove.h"

#define PLAINTEXT "c2VjcmV0" /* base64 */
#define TARGET "TrentService."

struct locked {
	struct prove *p;
	struct declared *key;
	const struct creds *user;   /* who may use it */
	struct str user_name, blob; /* blob: a ciphertext, base64 */
};

static struct json *context(struct arena *a, const char *purpose)
{
	return json_object(a, "cloudkeep-prove", str_c(purpose));
}

static struct json *encrypt_params(struct locked *l)
{
	struct arena *a = &l->p->arena;
	struct json *j = json_object(a, "KeyId", l->key->arn);

	json_set_str(a, j, "Plaintext", S(PLAINTEXT));
	json_set(a, j, S("EncryptionContext"), context(a, "right"));
	return j;
}

static struct json *decrypt_params(struct locked *l, struct str blob, const char *purpose)
{
	struct arena *a = &l->p->arena;
	struct json *j = json_object(a, "CiphertextBlob", blob);

	if (purpose)
		json_set(a, j, S("EncryptionContext"), context(a, purpose));
	return j;
}

static struct json *data_key_params(struct locked *l)
{
	struct json *j = json_object(&l->p->arena, "KeyId", l->key->arn);

	json_set_str(&l->p->arena, j, "KeySpec", S("AES_256"));
	return j;
}

/* What would change the key is asked for in a form that is refused after it was authorized. */
static struct json *change_params(struct locked *l, const char *op)
{
	struct arena *a = &l->p->arena;
	struct json *j = json_object(a, "KeyId", l->key->arn), *ops = json_new(a, JSON_ARRAY);

	if (strcmp(op, "PutKeyPolicy") == 0) {
		json_set_str(a, j, "Policy", S("no policy"));
		return j;
	}
	json_push(a, ops, json_new_str(a, S("Decrypt")));
	json_set(a, j, S("Operations"), ops);
	json_set_str(a, j, "GranteePrincipal", l->p->actors[ACTOR_NOBODY].arn);
	json_set_bool(a, j, "DryRun", true);
	return j;
}

static struct hit kms(struct locked *l, const char *op, const struct json *params, const struct creds *who)
{
	return hit_json(l->p, "kms", str_printf(&l->p->arena, TARGET "%s", op).p, l->p->stack->region, params, who);
}

/* The control: somebody may use the key. The insider where the key policy hands over to IAM, else whoever runs prove. */
static bool usable(struct locked *l)
{
	struct prove *p = l->p;
	struct promise m = { "control", str_printf(&p->arena, "%.*s works for those who may use it", STR(l->key->id)), l->key->id, l->key };
	struct hit h;
	struct answer a;
	struct proof *f;

	l->user = actor(p, ACTOR_INSIDER);
	l->user_name = who_name(ACTOR_INSIDER);
	h = kms(l, "Encrypt", encrypt_params(l), l->user);
	if (hit(p, &h, &a) == 0 && a.status == 400 && str_find(a.code, S("AccessDenied")) >= 0) {
		l->user = h.who = &p->caller;
		l->user_name = S("whoever runs this");
	}
	f = proof_allowed(p, &m, str_printf(&p->arena, "Encrypt, %.*s", STR(l->user_name)), &h, &a);
	if (f->verdict != VERDICT_HELD)
		return false;
	l->blob = json_get_str(a.json, "CiphertextBlob");
	h = kms(l, "Decrypt", decrypt_params(l, l->blob, "right"), l->user);
	f = proof_allowed(p, &m, str_printf(&p->arena, "Decrypt, %.*s", STR(l->user_name)), &h, &a);
	if (f->verdict == VERDICT_HELD)
		(void)proof_equal(p, &m, S("what was encrypted comes back"), S(PLAINTEXT), json_get_str(a.json, "Plaintext"));
	return true;
}

static void outsiders(struct locked *l)
{
	static const enum actor who[] = { ACTOR_NOBODY, ACTOR_NEIGHBOUR, ACTOR_KEYLESS };
	static const char *const ops[] = { "Encrypt", "Decrypt", "GenerateDataKey", "DescribeKey", "CreateGrant", "PutKeyPolicy" };
	struct prove *p = l->p;
	const struct json *doc = prop_get(l->key->props, "KeyPolicy");
	struct promise m = { "key use", str_printf(&p->arena, "%.*s is used only by those whom its policy lets", STR(l->key->id)),
			     l->key->id, l->key };
	struct answer a;

	m.declared = str_printf(&p->arena, "%.*s, KeyPolicy", STR(l->key->id));
	for (size_t i = 0; i < ELEMENTS(who); i++)
		for (size_t k = 0; k < ELEMENTS(ops); k++) {
			const struct json *params = k == 0   ? encrypt_params(l)
						    : k == 1 ? decrypt_params(l, l->blob, "right")
						    : k == 2 ? data_key_params(l)
						    : k == 3 ? json_object(&p->arena, "KeyId", l->key->arn)
							     : change_params(l, ops[k]);
			struct hit h = kms(l, ops[k], params, actor(p, who[i]));
			struct policy_ask ask = { .arn = p->actors[who[i]].arn,
						  .account = p->account,
						  .action = str_printf(&p->arena, "kms:%s", ops[k]),
						  .resource = S("*") };
			bool open = false;

			/* A policy that hands over to IAM allows the account's principals nothing by itself. */
			if (doc) {
				ask.resource = l->key->arn;
				open = policy_says(p, doc, POLICY_RESOURCE, &ask, NULL) == DECISION_ALLOW;
			}
			if (open)
				m.declared = BASELINE;
			if (!promise_owed(p, &m, !open))
				return;
			proof_event(proof_denied(p, &m, str_printf(&p->arena, "%s, %.*s", ops[k], STR(who_name(who[i]))), &h, DENIED, &a),
				    &a, ops[k]);
		}
	struct hit h = kms(l, "Decrypt", decrypt_params(l, l->blob, "right"), NULL);

	(void)proof_denied(p, &m, S("Decrypt, nobody signed"), &h, DENIED "|MissingAuthenticationToken|MissingAuthenticationTokenException",
			   &a);
}

static void altered(struct locked *l)
{
	struct prove *p = l->p;
	struct promise m = { "encryption", str_printf(&p->arena, "%.*s notices what was altered", STR(l->key->id)), l->key->id, l->key };
	struct str raw, bad;
	struct hit h;
	struct answer a;
	char *bytes;

	if (!promise_owed(p, &m, true) || base64_decode(&p->arena, l->blob, &raw) < 0 || raw.n < 2)
		return;
	for (size_t i = 0; i < 3; i++) {
		static const char *const where[] = { "in the middle", "at the end", "at the beginning" };

		bytes = arena_dup(&p->arena, raw.p, raw.n);
		bytes[i == 0 ? raw.n / 2 : i == 1 ? raw.n - 1 : 0] ^= 1;
		bad = base64_encode(&p->arena, str_of(bytes, raw.n));
		h = kms(l, "Decrypt", decrypt_params(l, bad, "right"), l->user);
		(void)proof_denied(p, &m, str_printf(&p->arena, "Decrypt with one bit changed %s, %.*s", where[i], STR(l->user_name)), &h,
				   "InvalidCiphertextException|" DENIED, &a);
	}
	h = kms(l, "Decrypt", decrypt_params(l, l->blob, "wrong"), l->user);
	(void)proof_denied(p, &m, str_printf(&p->arena, "Decrypt with another encryption context, %.*s", STR(l->user_name)), &h,
			   "InvalidCiphertextException", &a);
	h = kms(l, "Decrypt", decrypt_params(l, l->blob, NULL), l->user);
	(void)proof_denied(p, &m, str_printf(&p->arena, "Decrypt without encryption context, %.*s", STR(l->user_name)), &h,
			   "InvalidCiphertextException", &a);
}

static void elsewhere(struct locked *l)
{
	static const char codes[] =
		"NotFoundException|InvalidArnException|InvalidCiphertextException|IncorrectKeyException|ValidationException|" DENIED;
	struct prove *p = l->p;
	struct promise m = { "key use", str_printf(&p->arena, "%.*s stays in its region", STR(l->key->id)), l->key->id, l->key };
	struct str other = STR_NONE;
	struct hit h;
	struct answer a;

	for (size_t i = 0; i < p->n_regions && !other.p; i++)
		if (!str_eq(p->regions[i], p->stack->region))
			other = p->regions[i];
	if (str_is(prop_str(l->key->props, "MultiRegion"), "true")) {
		proof_skip(p, &m, S("it is a multi-region key"));
		return;
	}
	if (!other.p) {
		proof_skip(p, &m, S("there is no other region to try from"));
		return;
	}
	if (!promise_owed(p, &m, true))
		return;
	h = kms(l, "Encrypt", encrypt_params(l), l->user);
	h.region = other;
	(void)proof_denied(p, &m, str_printf(&p->arena, "Encrypt in %.*s, %.*s", STR(other), STR(l->user_name)), &h, codes, &a);
	h = kms(l, "Decrypt", decrypt_params(l, l->blob, "right"), l->user);
	h.region = other;
	(void)proof_denied(p, &m, str_printf(&p->arena, "Decrypt in %.*s, %.*s", STR(other), STR(l->user_name)), &h, codes, &a);
}

static void rotation(struct locked *l)
{
	struct prove *p = l->p;
	bool declared = str_is(prop_str(l->key->props, "EnableKeyRotation"), "true");
	struct str spec = prop_str(l->key->props, "KeySpec"), days = prop_str(l->key->props, "RotationPeriodInDays");
	struct promise m = { "rotation", str_printf(&p->arena, "%.*s is rotated", STR(l->key->id)), BASELINE, l->key };
	struct json *j;

	if (spec.p && !str_is(spec, "SYMMETRIC_DEFAULT"))
		return;
	if (declared)
		m.declared = str_printf(&p->arena, "%.*s, EnableKeyRotation", STR(l->key->id));
	if (!promise_owed(p, &m, declared))
		return;
	j = call_json(p, "kms", TARGET "GetKeyRotationStatus", p->stack->region, json_object(&p->arena, "KeyId", l->key->arn));
	if (!j) {
		(void)proof_add(p, &m, VERDICT_UNTRIED, S("GetKeyRotationStatus"), S("true"), p->trouble);
		return;
	}
	(void)proof_equal(p, &m, S("GetKeyRotationStatus"), S("true"), json_get_str(j, "KeyRotationEnabled"));
	if (days.p)
		(void)proof_equal(p, &m, S("days between rotations"), days, json_get_str(j, "RotationPeriodInDays"));
}

static void kept(struct locked *l)
{
	struct prove *p = l->p;
	struct arena *m = &p->arena;
	struct promise k = { "recovery", str_printf(m, "%.*s cannot vanish at once", STR(l->key->id)), l->key->id, l->key };
	struct json *params = json_object(m, "KeyId", l->key->arn), *d;
	const struct json *declared = prop_get(l->key->props, "KeyPolicy");
	struct str text;
	struct json *now = NULL;
	struct undo *u;
	struct hit h;
	struct answer a;

	if (promise_owed(p, &k, true)) {
		d = call_json(p, "kms", TARGET "DescribeKey", p->stack->region, params);
		(void)proof_equal(p, &k, S("its state"), str_is(prop_str(l->key->props, "Enabled"), "false") ? S("Disabled") : S("Enabled"),
				  d ? json_get_str(json_getz(d, "KeyMetadata"), "KeyState") : p->trouble);
		params = json_copy(m, params);
		json_set_int(m, params, "PendingWindowInDays", 1);
		u = undo_later(p, UNDO_KEY, p->stack->region, l->key->arn, STR_NONE);
		h = kms(l, "ScheduleKeyDeletion", params, l->user);
		if (proof_denied(p, &k, str_printf(m, "delete it in one day, %.*s", STR(l->user_name)), &h, "ValidationException|" DENIED,
				 &a)
			    ->verdict == VERDICT_HELD)
			u->done = true;
		else
			undo_one(p, u);
	}
	k = (struct promise){ "key use", str_printf(m, "%.*s has the policy that was declared", STR(l->key->id)),
			      str_printf(m, "%.*s, KeyPolicy", STR(l->key->id)), l->key };
	if (!declared || !promise_owed(p, &k, true))
		return;
	params = json_object(m, "KeyId", l->key->arn);
	json_set_str(m, params, "PolicyName", S("default"));
	d = call_json(p, "kms", TARGET "GetKeyPolicy", p->stack->region, params);
	text = json_get_str(d, "Policy");
	if (!text.p)
		(void)proof_add(p, &k, VERDICT_UNTRIED, S("GetKeyPolicy"), S("the declared policy"), p->trouble);
	else
		(void)proof_equal(p, &k, S("GetKeyPolicy"), S("the declared policy"),
				  json_parse(m, text, &now, NULL) == 0 && json_equal(now, declared) ? S("the declared policy")
												    : S("another policy"));
}

void attack_key(struct prove *p, struct declared *key)
{
	struct locked l = { .p = p, .key = key };
	struct str usage = prop_str(key->props, "KeyUsage");
	struct promise m = { "key use", str_printf(&p->arena, "%.*s is used only by those whom its policy lets", STR(key->id)), key->id,
			     key };

	if (usage.p && !str_is(usage, "ENCRYPT_DECRYPT")) {
		proof_skip(p, &m, S("only keys that encrypt are tried"));
		return;
	}
	if (usable(&l)) {
		outsiders(&l);
		altered(&l);
		elsewhere(&l);
	}
	rotation(&l);
	kept(&l);
}
