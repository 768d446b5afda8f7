/* SPDX-License-Identifier: Apache-2.0 */
/* drift.c - comparing what a template asks for with what there is. */
#include "cfn/drift.h"
#include "base/arena.h"

struct comparison {
	struct arena *arena;
	const struct drift_rule *rules;
	struct drift_list *out;
};
/* One pair of values: where it is, and how it is compared. */
struct place {
	struct str path, /* as it is shown */
		rule;    /* as rules name it */
	enum drift_as as;
};

static void compare(struct comparison *x, const struct place *p, const struct json *expected, const struct json *actual);

static const struct drift_rule tags_rule = { "Tags", DRIFT_SET, "Key", NULL };

static const struct drift_rule *rule_of(const struct comparison *x, struct str path)
{
	for (const struct drift_rule *r = x->rules; r && r->path; r++)
		if (str_is(path, r->path))
			return r;
	return str_is(path, tags_rule.path) ? &tags_rule : NULL;
}

static bool document(enum drift_as as)
{
	return as == DRIFT_POLICY || as == DRIFT_JSON;
}

/* Below a document everything is of the document, whatever rules say. */
static struct place below(const struct comparison *x, const struct place *p, struct str member, const char *rule_member)
{
	struct str escaped = str_replace(x->arena, str_replace(x->arena, member, S("~"), S("~0")), S("/"), S("~1"));
	struct place q = { .path = str_printf(x->arena, "%.*s/%.*s", STR(p->path), STR(escaped)), .as = p->as };
	const struct drift_rule *r;

	if (document(p->as))
		return q;
	q.rule = str_printf(x->arena, "%.*s%s%s", STR(p->rule), p->rule.n ? "." : "", rule_member);
	r = rule_of(x, q.rule);
	q.as = r ? r->as : DRIFT_TEXT;
	return q;
}

static struct place element(const struct comparison *x, const struct place *p, size_t i)
{
	return below(x, p, str_printf(x->arena, "%zu", i), "*");
}

static void differ(struct comparison *x, struct str path, const struct json *expected, const struct json *actual)
{
	vec_push(x->arena, x->out->v, x->out->n, x->out->cap) = (struct drift_difference){ path, expected, actual };
}

static bool nothing(const struct json *j)
{
	return !j || j->type == JSON_NULL || ((j->type == JSON_ARRAY || j->type == JSON_OBJECT) && j->n == 0) ||
	       (j->type == JSON_STRING && j->s.n == 0);
}

/* --- scalars --- */
static bool root_of(struct str account, struct str arn)
{
	struct str tail = S(":root");

	return account.n == 12 && arn.n > account.n + tail.n && str_ends(arn, tail) &&
	       str_eq(str_of(arn.p + arn.n - tail.n - account.n, account.n), account);
}

/* Templates write numbers and booleans as text, too; texts that happen to look like numbers are texts. */
static bool same_scalar(const struct comparison *x, const struct place *p, const struct json *expected, const struct json *actual)
{
	const struct drift_rule *r = document(p->as) ? NULL : rule_of(x, p->rule);
	struct str a = json_scalar(expected), b = json_scalar(actual);
	double u, v;

	if (!a.p || !b.p)
		return false;
	if (str_eq(a, b) || (r && r->same && r->same(a, b)))
		return true;
	if (p->as == DRIFT_POLICY && (drift_account(a, b)))
		return true;
	return (json_is(expected, JSON_NUMBER) || json_is(actual, JSON_NUMBER)) && str_to_double(a, &u) == 0 && str_to_double(b, &v) == 0 &&
	       u == v;
}

bool drift_account(struct str expected, struct str actual)
{
	return root_of(expected, actual) || root_of(actual, expected);
}

bool drift_tail(struct str expected, struct str actual)
{
	struct str whole = expected.n > actual.n ? expected : actual, part = expected.n > actual.n ? actual : expected;
	char before = part.n && whole.n > part.n ? whole.p[whole.n - part.n - 1] : 0;

	return (before == '/' || before == ':') && str_ends(whole, part);
}

/* --- objects --- */
static void compare_objects(struct comparison *x, const struct place *p, const struct json *expected, const struct json *actual)
{
	bool open = p->as != DRIFT_TEXT;

	for (size_t i = 0; i < expected->n; i++) {
		struct str key = expected->members[i].key;
		struct place q = below(x, p, key, str_z(x->arena, key));

		compare(x, &q, &expected->members[i].value, json_get(actual, key));
	}
	for (size_t i = 0; open && i < actual->n; i++)
		if (!json_get(expected, actual->members[i].key)) {
			struct place q = below(x, p, actual->members[i].key, "");

			differ(x, q.path, NULL, &actual->members[i].value);
		}
}

/* --- lists --- */
static void compare_lists(struct comparison *x, const struct place *p, const struct json *expected, const struct json *actual)
{
	for (size_t i = 0; i < expected->n || i < actual->n; i++) {
		struct place q = element(x, p, i);

		if (i < expected->n && i < actual->n)
			compare(x, &q, &expected->items[i], &actual->items[i]);
		else
			differ(x, q.path, i < expected->n ? &expected->items[i] : NULL, i < actual->n ? &actual->items[i] : NULL);
	}
}

static bool equal(struct comparison *x, const struct place *p, const struct json *expected, const struct json *actual)
{
	struct drift_list none = { 0 };
	struct comparison y = { x->arena, x->rules, &none };

	compare(&y, p, expected, actual);
	return none.n == 0;
}

/* Are they two states of one element? */
static bool one_element(const struct comparison *x, const struct place *p, const struct json *a, const struct json *b)
{
	const struct drift_rule *r = document(p->as) ? NULL : rule_of(x, p->rule);
	const char *key = p->as == DRIFT_POLICY ? "Sid" : r ? r->key : NULL;

	return key && json_getz(a, key) && json_getz(b, key) && str_eq(json_get_str(a, key), json_get_str(b, key));
}

enum pairing { PAIR_EQUAL, PAIR_KEY, PAIR_STATEMENTS };

/* Pairs what isn't paired yet: partner[i] is the expected element's place in actual. */
static void pair(struct comparison *x, const struct place *p, const struct json *expected, const struct json *actual, enum pairing by,
		 ptrdiff_t *partner, bool *taken)
{
	for (size_t i = 0; i < expected->n; i++) {
		struct place q = element(x, p, i);

		for (size_t j = 0; partner[i] < 0 && j < actual->n; j++) {
			const struct json *e = &expected->items[i], *f = &actual->items[j];
			bool fits = by == PAIR_EQUAL ? equal(x, &q, e, f)
				    : by == PAIR_KEY ? one_element(x, p, e, f)
						     : json_is(e, JSON_OBJECT) && json_is(f, JSON_OBJECT);

			if (taken[j] || !fits)
				continue;
			partner[i] = (ptrdiff_t)j;
			taken[j] = true;
		}
	}
}

/* What is equal is paired first, then what has one name, then the statements of a policy that are left, in their order. */
static void compare_sets(struct comparison *x, const struct place *p, const struct json *expected, const struct json *actual)
{
	ptrdiff_t *partner = arena_array(x->arena, ptrdiff_t, expected->n + 1);
	bool *taken = arena_zalloc(x->arena, actual->n + 1);

	for (size_t i = 0; i < expected->n; i++)
		partner[i] = -1;
	pair(x, p, expected, actual, PAIR_EQUAL, partner, taken);
	pair(x, p, expected, actual, PAIR_KEY, partner, taken);
	if (p->as == DRIFT_POLICY)
		pair(x, p, expected, actual, PAIR_STATEMENTS, partner, taken);
	for (size_t i = 0; i < expected->n; i++) {
		struct place q = element(x, p, i);

		if (partner[i] < 0)
			differ(x, q.path, &expected->items[i], NULL);
		else
			compare(x, &q, &expected->items[i], &actual->items[partner[i]]);
	}
	for (size_t j = 0; j < actual->n; j++)
		if (!taken[j])
			differ(x, element(x, p, j).path, NULL, &actual->items[j]);
}

/* --- values --- */
/* A document that is given as text is what the text says. */
static const struct json *parsed(struct comparison *x, const struct json *j)
{
	struct json *doc;

	return json_is(j, JSON_STRING) && j->s.n && (j->s.p[0] == '{' || j->s.p[0] == '[') && json_parse(x->arena, j->s, &doc, NULL) == 0
		       ? doc
		       : j;
}

static const struct json *listed(struct comparison *x, const struct json *j)
{
	struct json *l;

	if (json_is(j, JSON_ARRAY))
		return j;
	l = json_new(x->arena, JSON_ARRAY);
	json_push(x->arena, l, j);
	return l;
}

/* A principal that is everybody: "*", or {"AWS": "*"}. */
static bool everybody(const struct json *j)
{
	const struct json *aws = json_getz(j, "AWS");

	if (json_is(j, JSON_OBJECT) && j->n == 1)
		j = json_is(aws, JSON_ARRAY) && aws->n == 1 ? &aws->items[0] : aws;
	return str_is(json_str(j), "*");
}

/* Dynamic references are not followed: what they stand for isn't the template's. */
static bool reference(const struct json *j)
{
	return json_is(j, JSON_STRING) && str_find(j->s, S("{{resolve:")) >= 0;
}

static void compare(struct comparison *x, const struct place *p, const struct json *expected, const struct json *actual)
{
	if (p->as == DRIFT_UNREAD || reference(expected) || (nothing(expected) && nothing(actual)))
		return;
	if (!actual || actual->type == JSON_NULL) {
		differ(x, p->path, expected, NULL);
		return;
	}
	if (document(p->as)) {
		expected = parsed(x, expected);
		actual = parsed(x, actual);
	}
	if (p->as == DRIFT_POLICY && everybody(expected) && everybody(actual))
		return;
	if (p->as == DRIFT_POLICY && (json_is(expected, JSON_ARRAY) != json_is(actual, JSON_ARRAY))) {
		expected = listed(x, expected);
		actual = listed(x, actual);
	}
	if (json_is(expected, JSON_OBJECT) && json_is(actual, JSON_OBJECT))
		compare_objects(x, p, expected, actual);
	else if (json_is(expected, JSON_ARRAY) && json_is(actual, JSON_ARRAY)) {
		if (p->as == DRIFT_SET || p->as == DRIFT_POLICY)
			compare_sets(x, p, expected, actual);
		else
			compare_lists(x, p, expected, actual);
	} else if (!same_scalar(x, p, expected, actual))
		differ(x, p->path, expected, actual);
}

void drift_compare(struct arena *a, const struct drift_rule *rules, const struct json *expected, const struct json *actual,
		   struct drift_list *ret)
{
	struct comparison x = { a, rules, ret };
	struct place top = { .path = S(""), .rule = S(""), .as = DRIFT_TEXT };

	compare(&x, &top, expected, actual);
}

/* --- what is shown --- */
static struct json *shown(const struct comparison *x, const struct place *p, const struct json *j)
{
	struct json *out;

	if ((!json_is(j, JSON_OBJECT) && !json_is(j, JSON_ARRAY)) || document(p->as))
		return json_copy(x->arena, j);
	out = json_new(x->arena, j->type);
	for (size_t i = 0; i < j->n; i++) {
		bool object = json_is(j, JSON_OBJECT);
		struct place q = object ? below(x, p, j->members[i].key, str_z(x->arena, j->members[i].key)) : element(x, p, i);
		const struct json *v = object ? &j->members[i].value : &j->items[i];

		if (q.as == DRIFT_UNREAD)
			continue;
		if (object)
			json_set(x->arena, out, j->members[i].key, shown(x, &q, v));
		else
			json_push(x->arena, out, shown(x, &q, v));
	}
	return out;
}

struct json *drift_shown(struct arena *a, const struct drift_rule *rules, const struct json *expected)
{
	struct comparison x = { a, rules, NULL };
	struct place top = { .path = S(""), .rule = S(""), .as = DRIFT_TEXT };

	return expected ? shown(&x, &top, expected) : json_new(a, JSON_OBJECT);
}

struct str drift_value(struct arena *a, const struct json *v)
{
	return !v ? S("null") : json_is(v, JSON_STRING) ? v->s : json_text(a, v);
}

static bool holds(struct str s, const struct str_list *secrets)
{
	for (size_t i = 0; i < secrets->n; i++)
		if (secrets->v[i].n && str_find(s, secrets->v[i]) >= 0)
			return true;
	return false;
}

bool drift_secret(const struct json *v, const struct str_list *secrets)
{
	if (json_is(v, JSON_STRING))
		return reference(v) || holds(v->s, secrets);
	for (size_t i = 0; json_is(v, JSON_ARRAY) && i < v->n; i++)
		if (drift_secret(&v->items[i], secrets))
			return true;
	for (size_t i = 0; json_is(v, JSON_OBJECT) && i < v->n; i++)
		if (drift_secret(&v->members[i].value, secrets))
			return true;
	return false;
}

/* Asterisks for the secrets themselves. */
static void blot(struct arena *a, struct json *j, const struct str_list *secrets)
{
	for (size_t i = 0; json_is(j, JSON_STRING) && i < secrets->n; i++)
		if (secrets->v[i].n)
			j->s = str_replace(a, j->s, secrets->v[i], S(DRIFT_HIDDEN));
	for (size_t i = 0; json_is(j, JSON_ARRAY) && i < j->n; i++)
		blot(a, &j->items[i], secrets);
	for (size_t i = 0; json_is(j, JSON_OBJECT) && i < j->n; i++)
		blot(a, &j->members[i].value, secrets);
}

/* In a list nobody can say which element stands for which: it is covered as a whole. */
static void cover(struct arena *a, const struct json *expected, struct json *actual, const struct str_list *secrets)
{
	if (!actual || !drift_secret(expected, secrets))
		return;
	if (!json_is(expected, JSON_OBJECT) || !json_is(actual, JSON_OBJECT)) {
		*actual = *json_new_str(a, S(DRIFT_HIDDEN));
		return;
	}
	for (size_t i = 0; i < expected->n; i++)
		cover(a, &expected->members[i].value, json_get(actual, expected->members[i].key), secrets);
}

void drift_hide(struct arena *a, struct json *expected, struct json *actual, const struct str_list *secrets)
{
	cover(a, expected, actual, secrets);
	blot(a, expected, secrets);
	blot(a, actual, secrets);
}
