/* SPDX-License-Identifier: Apache-2.0 */
/* parse.c - from the JSON document to the compiled policy.
 *
 * AWS has two parsers with two sets of sentences: IAM's own for identity policies, and the one for documents that have a
 * principal (trust and resource policies). AWS Organizations answers every fault with one sentence. The order of the
 * checks is AWS's, because clients see only the first fault. */
#include <errno.h>
#include "base/json.h"
#include "policy/internal.h"

#define MEMBERS_MAX 1024 /* of one JSON object; bounds the search for duplicates */
#define ORGANIZATION_FAULT "The provided policy document does not meet the requirements of the specified policy type."

struct parser {
	struct arena *a;
	enum policy_kind kind;
	const struct json *st; /* the statements */
	size_t n_st;
	bool modern; /* Version is 2012-10-17 */
	struct str error;
};

__attribute__((format(printf, 2, 3))) static int fail(struct parser *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	p->error = str_vprintf(p->a, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* --- a string or a list of strings, seen as a list --- */

static size_t list_n(const struct json *j)
{
	if (!j)
		return 0;
	return j->type == JSON_ARRAY ? j->n : 1;
}

static const struct json *list_at(const struct json *j, size_t i)
{
	return j->type == JSON_ARRAY ? &j->items[i] : j;
}

static bool is_scalar(const struct json *j)
{
	return j->type == JSON_STRING || j->type == JSON_NUMBER || j->type == JSON_BOOL;
}

static bool list_is(const struct json *j, bool strings_only)
{
	if (!j)
		return true;
	if (j->type == JSON_OBJECT)
		return false;
	for (size_t i = 0; i < list_n(j); i++) {
		const struct json *v = list_at(j, i);

		if (strings_only ? v->type != JSON_STRING : !is_scalar(v))
			return false;
	}
	return true;
}

static bool has(const struct json *s, const char *key)
{
	return json_getz(s, key) != NULL;
}

static const struct json *either(const struct json *s, const char *key, const char *other)
{
	const struct json *j = json_getz(s, key);

	return j ? j : json_getz(s, other);
}

/* --- shape --- */

/* members_ok: an object without duplicate members, all of them named in the NULL-terminated list (NULL: any name);
 * *ret_bad gets the first other one. */
static bool members_ok(const struct json *j, const char *const *names, struct str *ret_bad)
{
	if (!json_is(j, JSON_OBJECT) || j->n > MEMBERS_MAX)
		return false;
	for (size_t i = 0; i < j->n; i++) {
		const char *const *name = names;

		while (name && *name && !str_is(j->members[i].key, *name))
			name++;
		if (name && !*name) {
			*ret_bad = j->members[i].key;
			return false;
		}
		for (size_t k = 0; k < i; k++) {
			if (str_eq(j->members[i].key, j->members[k].key))
				return false;
		}
	}
	return true;
}

static const char *const document_members[] = { "Version", "Id", "Statement", NULL };
static const char *const statement_members[] = {
	"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition", NULL,
};

/* condition_shape_ok: {operator: {key: value or values}}. AWS takes an unknown operator when nothing is under it. */
static bool condition_shape_ok(const struct json *j, struct str *ret_operator)
{
	struct str bad;

	if (!j)
		return true;
	if (!members_ok(j, NULL, &bad))
		return false;
	for (size_t i = 0; i < j->n; i++) {
		const struct json *keys = &j->members[i].value;
		struct condition c;

		if (!members_ok(keys, NULL, &bad))
			return false;
		for (size_t k = 0; k < keys->n; k++) {
			if (keys->members[k].value.type == JSON_NULL || !list_is(&keys->members[k].value, false))
				return false;
		}
		if (keys->n && operator_parse(j->members[i].key, &c) < 0) {
			*ret_operator = j->members[i].key;
			return false;
		}
	}
	return true;
}

static bool version_ok(const struct json *doc)
{
	const struct json *v = json_getz(doc, "Version");

	return !v || (v->type == JSON_STRING && (str_is(v->s, "2008-10-17") || str_is(v->s, "2012-10-17")));
}

static bool take_statements(struct parser *p, const struct json *doc)
{
	const struct json *st = json_getz(doc, "Statement");

	if (!json_is(st, JSON_OBJECT) && !(json_is(st, JSON_ARRAY) && st->n))
		return false;
	p->st = st->type == JSON_ARRAY ? st->items : st;
	p->n_st = st->type == JSON_ARRAY ? st->n : 1;
	p->modern = str_is(json_get_str(doc, "Version"), "2012-10-17");
	return true;
}

static bool lists_shape_ok(const struct json *s)
{
	static const char *const lists[] = { "Action", "NotAction", "Resource", "NotResource" };

	for (size_t i = 0; i < ELEMENTS(lists); i++) {
		const struct json *j = json_getz(s, lists[i]);

		if (j && (j->type == JSON_NULL || !list_is(j, true)))
			return false;
	}
	return !(has(s, "Action") && has(s, "NotAction")) && !(has(s, "Resource") && has(s, "NotResource")) &&
	       !(has(s, "Principal") && has(s, "NotPrincipal"));
}

static bool effect_is(const struct json *s, const char *effect)
{
	return str_is(json_str(json_getz(s, "Effect")), effect);
}

static bool sids_unique(const struct parser *p)
{
	for (size_t i = 0; i < p->n_st; i++) {
		struct str sid = json_str(json_getz(&p->st[i], "Sid"));

		for (size_t k = 0; sid.n && k < i; k++) {
			if (str_eq(sid, json_str(json_getz(&p->st[k], "Sid"))))
				return false;
		}
	}
	return true;
}

/* --- identity policies --- */

static bool identity_statement_shape_ok(const struct json *s)
{
	struct str bad, effect = json_str(json_getz(s, "Effect"));

	if (!members_ok(s, statement_members, &bad) || !lists_shape_ok(s))
		return false;
	if (!str_eq_ci(effect, S("Allow")) && !str_eq_ci(effect, S("Deny")))
		return false;
	if (has(s, "Sid") && !json_is(json_getz(s, "Sid"), JSON_STRING))
		return false;
	return condition_shape_ok(json_getz(s, "Condition"), &bad);
}

static bool identity_shape_ok(struct parser *p, const struct json *doc)
{
	struct str bad;

	if (!members_ok(doc, document_members, &bad) || !version_ok(doc))
		return false;
	if ((has(doc, "Id") && !json_is(json_getz(doc, "Id"), JSON_STRING)) || !take_statements(p, doc))
		return false;
	for (size_t i = 0; i < p->n_st; i++) {
		if (!identity_statement_shape_ok(&p->st[i]))
			return false;
	}
	return true;
}

/* dates_ok: IAM reads the dates of a policy when it is stored. */
static bool dates_ok(const struct json *condition)
{
	for (size_t i = 0; condition && i < condition->n; i++) {
		const struct json *keys = &condition->members[i].value;
		struct condition c;

		if (operator_parse(condition->members[i].key, &c) < 0 || c.op->class != OP_DATE)
			continue;
		for (size_t k = 0; k < keys->n; k++) {
			const struct json *v = &keys->members[k].value;
			int64_t ms;

			for (size_t n = 0; n < list_n(v); n++) {
				if (policy_date_parse(json_scalar(list_at(v, n)), &ms) < 0)
					return false;
			}
		}
	}
	return true;
}

static bool partition_known(struct str s)
{
	static const char *const known[] = { "aws",       "aws-cn",    "aws-us-gov", "aws-iso", "aws-iso-b",
					     "aws-iso-e", "aws-iso-f", "aws-eusc",   "*" };

	for (size_t i = 0; i < ELEMENTS(known); i++) {
		if (str_is(s, known[i]))
			return true;
	}
	return false;
}

static const char *const iam_paths[] = {
	"user/",   "federated-user/", "role/",          "group/",         "instance-profile/", "mfa/",           "server-certificate/",
	"policy/", "sms-mfa/",        "saml-provider/", "oidc-provider/", "report/",           "access-report/",
};

static bool iam_path_ok(struct str path)
{
	if (!path.n || str_is(path, "root") || path.p[0] == '*' || path.p[0] == '$')
		return path.n != 0;
	for (size_t i = 0; i < ELEMENTS(iam_paths); i++) {
		if (str_starts(path, str_c(iam_paths[i])))
			return true;
	}
	return false;
}

static struct str or_star(struct str s)
{
	return s.p ? s : S("*");
}

/* resource_fault returns AWS's sentence about one resource of an identity policy, absent when it is well formed. */
static struct str resource_fault(struct arena *a, struct str r)
{
	struct str rest, partition, head, f[4] = { 0 };
	size_t n = 0;

	if (str_is(r, "*"))
		return STR_NONE;
	if (!str_cut(r, ':', &head, &rest))
		return str_printf(a, "Resource %.*s must be in ARN format or \"*\".", STR(r));
	bool more = str_cut(rest, ':', &partition, &rest);

	while (more && rest.p && n < 3)
		(void)str_next(&rest, ':', &f[n++]);
	f[3] = n == 3 ? rest : STR_NONE;
	if (!partition_known(partition)) {
		for (size_t i = 0; i < 4; i++)
			f[i] = or_star(f[i]);
		return str_printf(a, "Partition \"%.*s\" is not valid for resource \"arn:%.*s:%.*s:%.*s:%.*s:%.*s\".", STR(partition),
				  STR(partition), STR(f[0]), STR(f[1]), STR(f[2]), STR(f[3]));
	}
	if (!more)
		return str_printf(a, "Resource vendor must be fully qualified and cannot contain regexes.");
	if (str_is(f[0], "iam") && f[1].n && !str_is(f[1], "*"))
		return str_printf(a, "IAM resource %.*s cannot contain region information.", STR(r));
	if (str_is(f[0], "s3") && f[1].n && f[2].p && !f[2].n && str_find_char(f[1], '*') < 0)
		return str_printf(a, "Resource %.*s can not contain region information.", STR(r));
	if (str_is(f[0], "iam") && f[3].p && !iam_path_ok(f[3])) {
		struct str v[ELEMENTS(iam_paths)];

		for (size_t i = 0; i < ELEMENTS(iam_paths); i++)
			v[i] = str_c(iam_paths[i]);
		head = str_join(a, v, ELEMENTS(iam_paths), S(", "));
		return str_printf(a, "IAM resource path must either be \"*\", root, or start with %.*s.", STR(head));
	}
	return STR_NONE;
}

/* legacy_resource_ok: "arn:aws:s3::bucket", a segment short, is what IAM's older parser still refuses. */
static bool legacy_resource_ok(struct str r)
{
	size_t colons = 0;
	struct str f, rest = r;

	for (size_t i = 0; i < r.n; i++)
		colons += r.p[i] == ':';
	if (str_is(r, "*"))
		return true;
	if (colons < 5 && str_find(r, S("::")) >= 0)
		return false;
	for (int i = 0; i < 3 && str_next(&rest, ':', &f); i++) {
		if (i == 2 && !f.n)
			return false;
	}
	return colons >= 2;
}

/* identity_legacy_ok checks effects, dates and resources; a resource fault that has a sentence of its own is kept in
 * *ret_fault and said later. */
static bool identity_legacy_ok(struct parser *p, struct str *ret_fault)
{
	*ret_fault = STR_NONE;
	for (size_t i = 0; i < p->n_st; i++) {
		if ((!effect_is(&p->st[i], "Allow") && !effect_is(&p->st[i], "Deny")) || !dates_ok(json_getz(&p->st[i], "Condition")))
			return false;
	}
	for (size_t i = 0; i < p->n_st; i++) {
		const struct json *r = either(&p->st[i], "Resource", "NotResource");

		for (size_t k = 0; k < list_n(r); k++) {
			struct str text = list_at(r, k)->s;

			if (!ret_fault->p)
				*ret_fault = resource_fault(p->a, text);
			if (!ret_fault->p && !legacy_resource_ok(text))
				return false;
		}
	}
	return true;
}

static bool vendor_ok(struct str s)
{
	if (str_is(s, "*"))
		return true;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.'))
			return false;
	}
	return s.n > 0;
}

static int identity_action_check(struct parser *p, struct str action)
{
	struct str vendor, name;

	if (str_is(action, "*"))
		return 0;
	if (!str_cut(action, ':', &vendor, &name))
		return fail(p, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
	if (str_find_char(name, ':') >= 0)
		return fail(p, "Actions/Condition can contain only one colon.");
	if (!vendor_ok(vendor))
		return fail(p, "Vendor %.*s is not valid", STR(vendor));
	return 0;
}

static bool sid_text_ok(struct str sid)
{
	for (size_t i = 0; i < sid.n; i++) {
		char c = sid.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))
			return false;
	}
	return true;
}

static int identity_statements_check(struct parser *p, struct str resource_error)
{
	int r = 0;

	for (size_t i = 0; i < p->n_st; i++) {
		if (!list_n(either(&p->st[i], "Action", "NotAction")))
			return fail(p, "Policy statement must contain actions.");
	}
	for (size_t i = 0; i < p->n_st; i++) {
		if (!list_n(either(&p->st[i], "Resource", "NotResource")))
			return fail(p, "Policy statement must contain resources.");
	}
	if (resource_error.p)
		return fail(p, "%.*s", STR(resource_error));
	for (size_t i = 0; i < p->n_st && r == 0; i++) {
		const struct json *actions = either(&p->st[i], "Action", "NotAction");

		for (size_t k = 0; k < list_n(actions) && r == 0; k++)
			r = identity_action_check(p, list_at(actions, k)->s);
	}
	for (size_t i = 0; i < p->n_st && r == 0; i++) {
		if (!sid_text_ok(json_str(json_getz(&p->st[i], "Sid"))))
			return fail(p, "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
				       "[0-9A-Za-z]*");
	}
	return r;
}

static int identity_check(struct parser *p, const struct json *doc)
{
	struct str resource_error;

	if (!doc || !identity_shape_ok(p, doc))
		return fail(p, "Syntax errors in policy.");
	if (!p->modern)
		return fail(p, "Policy document must be version 2012-10-17 or greater.");
	if (!identity_legacy_ok(p, &resource_error))
		return fail(p, "The policy failed legacy parsing");
	if (!sids_unique(p))
		return fail(p, "Statement IDs (SID) in a single policy must be unique.");
	for (size_t i = 0; i < p->n_st; i++) {
		if (p->kind != POLICY_RESOURCE_CONTROL && either(&p->st[i], "Principal", "NotPrincipal"))
			return fail(p, "Policy document should not specify a principal.");
	}
	return identity_statements_check(p, resource_error);
}

/* --- principals --- */

static bool account_ok(struct str s)
{
	return s.n == 12 && str_digits(s);
}

static bool unique_id_ok(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!((s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9')))
			return false;
	}
	return s.n >= 16 && s.n <= 128 && s.p[0] == 'A';
}

/* aws_principal_parse: "*", an account, an ARN without wildcards, or a unique id. */
static bool aws_principal_parse(struct arena *a, struct str s, struct named_principal *ret)
{
	static const char *const kinds[] = { "user/", "role/", "assumed-role/", "federated-user/" };
	struct str f[ARN_SEGMENTS];

	*ret = (struct named_principal){ .raw = str_dup(a, s) };
	ret->value = ret->raw;
	if (str_is(s, "*")) {
		ret->kind = NAMED_ANYONE;
		return true;
	}
	if (account_ok(s)) {
		ret->kind = NAMED_ACCOUNT;
		return true;
	}
	if (unique_id_ok(s)) {
		ret->kind = NAMED_ID;
		return true;
	}
	if (arn_split(ret->raw, false, f) != ARN_SEGMENTS || !str_is(f[0], "arn") || !str_starts(f[1], S("aws")) || f[3].n || !f[4].n)
		return false;
	if (str_find_char(s, '*') >= 0 || str_find_char(s, '?') >= 0 || (!str_is(f[2], "iam") && !str_is(f[2], "sts")))
		return false;
	if (str_is(f[5], "root")) {
		ret->kind = NAMED_ACCOUNT;
		ret->value = f[4];
		return str_is(f[2], "iam") && account_ok(f[4]);
	}
	ret->kind = NAMED_ARN;
	for (size_t i = 0; i < ELEMENTS(kinds); i++) {
		if (str_starts(f[5], str_c(kinds[i])) && f[5].n > strlen(kinds[i]))
			return str_is(f[2], i < 2 ? "iam" : "sts");
	}
	return false;
}

static bool service_principal_ok(struct str s)
{
	static const char *const suffixes[] = { ".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".amazon.com", ".aws.internal" };

	for (size_t i = 0; i < ELEMENTS(suffixes); i++) {
		if (str_ends(s, str_c(suffixes[i])) && s.n > strlen(suffixes[i]))
			return str_find_char(s, '*') < 0;
	}
	return false;
}

static bool principal_parse(struct arena *a, struct str type, struct str s, struct named_principal *ret)
{
	if (str_is(type, "AWS"))
		return aws_principal_parse(a, s, ret);
	*ret = (struct named_principal){ .raw = str_dup(a, s) };
	ret->value = ret->raw;
	if (str_is(type, "Service")) {
		ret->kind = NAMED_SERVICE;
		return service_principal_ok(s);
	}
	ret->kind = str_is(type, "Federated") ? NAMED_FEDERATED : NAMED_CANONICAL;
	return s.n && str_find_char(s, '*') < 0;
}

static int principal_fail(struct parser *p, struct str type, struct str value)
{
	struct arena *a = p->a;
	char *upper;

	if (p->kind != POLICY_TRUST)
		return fail(p, "Invalid principal in policy");
	upper = arena_dup(a, type.p, type.n);
	for (size_t i = 0; i < type.n; i++)
		upper[i] = upper[i] >= 'a' && upper[i] <= 'z' ? (char)(upper[i] - 32) : upper[i];
	return fail(p, "Invalid principal in policy: \"%.*s\":\"%.*s\"", (int)type.n, upper, STR(value));
}

/* principals_parse reads Principal or NotPrincipal into s. */
static int principals_parse(struct parser *p, const struct json *j, struct statement *s)
{
	static const char *const types[] = { "AWS", "Service", "Federated", "CanonicalUser", NULL };
	size_t cap = 0;
	struct str bad = S("");

	if (json_is(j, JSON_STRING)) {
		if (!str_is(j->s, "*"))
			return principal_fail(p, S("AWS"), j->s);
		vec_push(p->a, s->principals, s->n_principals,
			 cap) = (struct named_principal){ .kind = NAMED_ANYONE, .value = S("*"), .raw = S("*") };
		return 0;
	}
	if (!members_ok(j, types, &bad))
		return principal_fail(p, bad, S(""));
	for (size_t i = 0; i < j->n; i++) {
		struct str type = j->members[i].key;
		const struct json *v = &j->members[i].value;

		if (v->type == JSON_NULL || !list_is(v, true))
			return principal_fail(p, type, S(""));
		for (size_t k = 0; k < list_n(v); k++) {
			struct named_principal named;

			if (!principal_parse(p->a, type, list_at(v, k)->s, &named))
				return principal_fail(p, type, list_at(v, k)->s);
			vec_push(p->a, s->principals, s->n_principals, cap) = named;
		}
	}
	return s->n_principals ? 0 : fail(p, "Missing required field Principal cannot be empty!");
}

/* --- trust and resource policies --- */

static bool trust_action_ok(struct str action)
{
	struct str vendor, name;

	return str_cut(action, ':', &vendor, &name) && str_eq_ci(vendor, S("sts")) && name.n && str_find_char(name, '*') < 0 &&
	       str_find_char(name, '?') < 0;
}

static int resource_action_check(struct parser *p, struct str action)
{
	struct str vendor, name;

	if (p->kind == POLICY_TRUST)
		return trust_action_ok(action) ? 0 : fail(p, "AssumeRole policy may only specify STS AssumeRole actions.");
	if (str_is(action, "*"))
		return 0;
	if (!str_cut(action, ':', &vendor, &name) || !vendor_ok(vendor) || !name.n || str_find_char(name, ':') >= 0)
		return fail(p, "Policy has invalid action");
	return 0;
}

static int resource_resources_check(struct parser *p, const struct json *s)
{
	const struct json *r = either(s, "Resource", "NotResource");

	if (p->kind == POLICY_TRUST || p->kind == POLICY_RESOURCE_SELF) {
		if (!r)
			return 0;
		if (p->kind == POLICY_TRUST && has(s, "NotResource"))
			return fail(p, "AssumeRole policy must not contain resources.");
		return fail(p, "Has prohibited field Resource");
	}
	if (!list_n(r))
		return fail(p, "Missing required field Resource");
	for (size_t i = 0; i < list_n(r); i++) {
		struct str text = list_at(r, i)->s;

		if (!str_is(text, "*") && !str_starts(text, S("arn:")))
			return fail(p, "Policy has invalid resource");
	}
	return 0;
}

static int resource_principal_check(struct parser *p, const struct json *s)
{
	struct statement ignored = { 0 };

	if (has(s, "NotPrincipal")) {
		if (effect_is(s, "Allow"))
			return fail(p, "Allow with NotPrincipal is not allowed.");
		if (p->kind == POLICY_TRUST)
			return fail(p, "AssumeRole policy must not contain NotPrincipal field.");
	} else if (!has(s, "Principal")) {
		return fail(p, "Missing required field Principal");
	}
	return principals_parse(p, either(s, "Principal", "NotPrincipal"), &ignored);
}

static int resource_statement_check(struct parser *p, const struct json *s)
{
	struct str bad = STR_NONE;
	const struct json *effect = json_getz(s, "Effect"), *actions = either(s, "Action", "NotAction");
	int r;

	if (!members_ok(s, statement_members, &bad))
		return bad.p ? fail(p, "Unknown field %.*s", STR(bad)) : fail(p, "Syntax error in policy.");
	if (!effect)
		return fail(p, "Missing required field Effect");
	if (!effect_is(s, "Allow") && !effect_is(s, "Deny"))
		return fail(p, "Invalid effect: %.*s", STR(or_star(json_scalar(effect))));
	r = resource_principal_check(p, s);
	if (r < 0)
		return r;
	if (!lists_shape_ok(s) || (has(s, "Sid") && !json_is(json_getz(s, "Sid"), JSON_STRING)))
		return fail(p, "Syntax error in policy.");
	bad = STR_NONE;
	if (!condition_shape_ok(json_getz(s, "Condition"), &bad)) {
		if (bad.p && p->kind != POLICY_TRUST)
			return fail(p, "Invalid Condition type : %.*s", STR(bad));
		return fail(p, "Syntax error in policy.");
	}
	if (!list_n(actions))
		return fail(p, "Missing required field Action");
	for (size_t i = 0; i < list_n(actions); i++) {
		r = resource_action_check(p, list_at(actions, i)->s);
		if (r < 0)
			return r;
	}
	return resource_resources_check(p, s);
}

static int resource_check(struct parser *p, const struct json *doc)
{
	struct str bad = STR_NONE;

	if (!doc || !json_is(doc, JSON_OBJECT))
		return fail(p, "This policy contains invalid Json");
	if (!members_ok(doc, document_members, &bad))
		return bad.p ? fail(p, "Unknown field %.*s", STR(bad)) : fail(p, "Syntax error in policy.");
	if (!version_ok(doc))
		return fail(p, "The policy must contain a valid version string");
	if (!has(doc, "Statement"))
		return fail(p, "Missing required field Statement");
	if (!take_statements(p, doc))
		return fail(p, "Could not parse the policy: Statement is empty!");
	for (size_t i = 0; i < p->n_st; i++) {
		int r = resource_statement_check(p, &p->st[i]);

		if (r < 0)
			return r;
	}
	return sids_unique(p) ? 0 : fail(p, "The Statement Ids in the policy are not unique");
}

/* --- organization policies --- */

static bool list_is_just_star(const struct json *j)
{
	return list_n(j) == 1 && str_is(list_at(j, 0)->s, "*");
}

/* A resource control policy only denies, to everyone; the one that allows is AWS's own RCPFullAWSAccess. */
static bool resource_control_ok(const struct json *s)
{
	const struct json *principal = json_getz(s, "Principal"), *actions = json_getz(s, "Action");

	if (has(s, "NotPrincipal") || has(s, "NotAction") || !str_is(json_str(principal), "*"))
		return false;
	if (effect_is(s, "Allow"))
		return list_is_just_star(actions) && list_is_just_star(json_getz(s, "Resource")) && !has(s, "Condition");
	for (size_t i = 0; i < list_n(actions); i++) {
		if (str_is(list_at(actions, i)->s, "*"))
			return false;
	}
	return true;
}

static bool short_arn_ok(const struct parser *p, const struct json *s)
{
	const struct json *r = either(s, "Resource", "NotResource");

	for (size_t i = 0; i < list_n(r); i++) {
		struct str text = list_at(r, i)->s, f[ARN_SEGMENTS];

		if (str_is(text, "*") || arn_split(text, true, f) == ARN_SEGMENTS)
			continue;
		if (p->kind == POLICY_RESOURCE_CONTROL || !str_ends(text, S("*")))
			return false;
	}
	return true;
}

static int organization_check(struct parser *p, const struct json *doc)
{
	if (identity_check(p, doc) < 0)
		return fail(p, ORGANIZATION_FAULT);
	for (size_t i = 0; i < p->n_st; i++) {
		if (!short_arn_ok(p, &p->st[i]) || (p->kind == POLICY_RESOURCE_CONTROL && !resource_control_ok(&p->st[i])))
			return fail(p, ORGANIZATION_FAULT);
	}
	return 0;
}

/* --- compiling --- */

static bool stars_only(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '*')
			return false;
	}
	return s.n > 0;
}

/* resource_compile: an ARN with too few segments is filled up with "*", in resource policies only when it has a
 * wildcard. */
static void resource_compile(const struct parser *p, struct str text, struct resource_pattern *ret)
{
	struct str seg[ARN_SEGMENTS];
	size_t n = arn_split(text, p->modern, seg);
	bool resource_policy = p->kind == POLICY_RESOURCE;

	*ret = (struct resource_pattern){ .kind = RESOURCE_ARN };
	if (stars_only(text)) {
		ret->kind = RESOURCE_ANY;
		return;
	}
	if (n < ARN_SEGMENTS && resource_policy && str_find_char(text, '*') < 0) {
		ret->kind = RESOURCE_NEVER;
		return;
	}
	while (n < ARN_SEGMENTS)
		seg[n++] = S("*");
	ret->segments = arena_array(p->a, struct pattern, ARN_SEGMENTS);
	for (size_t i = 0; i < ARN_SEGMENTS; i++)
		pattern_compile(p->a, seg[i], PATTERN_WILDCARDS | (p->modern ? PATTERN_VARS : 0), &ret->segments[i]);
}

static void conditions_compile(const struct parser *p, const struct json *j, struct statement *s)
{
	size_t cap = 0;

	for (size_t i = 0; j && i < j->n; i++) {
		const struct json *keys = &j->members[i].value;

		for (size_t k = 0; k < keys->n; k++) {
			const struct json *values = &keys->members[k].value;
			struct condition c = { 0 };

			if (operator_parse(j->members[i].key, &c) < 0)
				continue; /* nothing under it, see condition_shape_ok */
			c.key = str_lower(p->a, keys->members[k].key);
			c.n = list_n(values);
			c.v = arena_array(p->a, struct condition_value, c.n);
			for (size_t v = 0; v < c.n; v++)
				condition_value_compile(p->a, c.op, p->modern, json_scalar(list_at(values, v)), &c.v[v]);
			vec_push(p->a, s->conditions, s->n_conditions, cap) = c;
		}
	}
}

static int statement_compile(struct parser *p, const struct json *j, struct statement *s)
{
	const struct json *actions = either(j, "Action", "NotAction"), *resources = either(j, "Resource", "NotResource");
	struct str sid = json_str(json_getz(j, "Sid"));

	*s = (struct statement){
		.deny = effect_is(j, "Deny"),
		.not_action = has(j, "NotAction"),
		.not_resource = has(j, "NotResource"),
		.not_principal = has(j, "NotPrincipal"),
		.has_resource = resources != NULL,
		.has_principal = either(j, "Principal", "NotPrincipal") != NULL,
		.sid = sid.p ? str_dup(p->a, sid) : STR_NONE,
		.n_actions = list_n(actions),
		.n_resources = list_n(resources),
	};
	s->actions = arena_array(p->a, struct pattern, s->n_actions);
	for (size_t i = 0; i < s->n_actions; i++)
		pattern_compile(p->a, list_at(actions, i)->s, PATTERN_WILDCARDS | PATTERN_LOWER, &s->actions[i]);
	s->resources = arena_array(p->a, struct resource_pattern, s->n_resources);
	for (size_t i = 0; i < s->n_resources; i++)
		resource_compile(p, list_at(resources, i)->s, &s->resources[i]);
	conditions_compile(p, json_getz(j, "Condition"), s);
	return s->has_principal ? principals_parse(p, either(j, "Principal", "NotPrincipal"), s) : 0;
}

static int document_check(struct parser *p, const struct json *doc)
{
	switch (p->kind) {
	case POLICY_IDENTITY:
		return identity_check(p, doc);
	case POLICY_ORGANIZATION:
	case POLICY_RESOURCE_CONTROL:
		return organization_check(p, doc);
	case POLICY_RESOURCE:
	case POLICY_RESOURCE_SELF:
	case POLICY_TRUST:
		break;
	}
	return resource_check(p, doc);
}

int policy_parse(struct arena *a, struct str text, enum policy_kind kind, struct policy **ret, struct str *ret_error)
{
	struct parser p = { .a = a, .kind = kind };
	struct json *doc = NULL;
	struct policy *policy;
	int r;

	if (text.n > POLICY_TEXT_BYTES_MAX || json_parse(a, text, &doc, NULL) < 0)
		doc = NULL;
	r = document_check(&p, doc);
	policy = arena_new(a, struct policy);
	policy->kind = kind;
	if (r == 0) {
		policy->v = arena_array(a, struct statement, p.n_st);
		policy->n = p.n_st;
	}
	for (size_t i = 0; r == 0 && i < p.n_st; i++)
		r = statement_compile(&p, &p.st[i], &policy->v[i]);
	if (r < 0) {
		*ret_error = p.error;
		return r;
	}
	*ret = policy;
	return 0;
}
