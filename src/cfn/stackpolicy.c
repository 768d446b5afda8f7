/* SPDX-License-Identifier: Apache-2.0 */
/* stackpolicy.c - see stackpolicy.h. */
#include "cfn/stackpolicy.h"
#include "base/arena.h"
#include "base/glob.h"
#include <errno.h>

/* A string, or a list of strings: the i-th; absent after the last. */
static struct str nth(const struct json *j, size_t i)
{
	if (json_is(j, JSON_STRING))
		return i == 0 ? j->s : STR_NONE;
	return json_is(j, JSON_ARRAY) && i < j->n ? json_str(&j->items[i]) : STR_NONE;
}

static bool strings(const struct json *j)
{
	if (json_is(j, JSON_STRING))
		return true;
	if (!json_is(j, JSON_ARRAY) || j->n == 0)
		return false;
	for (size_t i = 0; i < j->n; i++)
		if (!json_is(&j->items[i], JSON_STRING))
			return false;
	return true;
}

static bool known_action(struct str s)
{
	return str_is(s, "Update:*") || str_is(s, "Update:Modify") || str_is(s, "Update:Replace") || str_is(s, "Update:Delete");
}

static bool actions(const struct json *j)
{
	if (!strings(j))
		return false;
	for (size_t i = 0; nth(j, i).p; i++)
		if (!known_action(nth(j, i)))
			return false;
	return true;
}

static bool principal(const struct json *j)
{
	return json_is(j, JSON_OBJECT) ? str_is(json_get_str(j, "AWS"), "*") : str_is(json_str(j), "*");
}

/* Only the type of a resource can be asked for. */
static bool condition(const struct json *c)
{
	if (!c)
		return true;
	if (!json_is(c, JSON_OBJECT))
		return false;
	for (size_t i = 0; i < c->n; i++) {
		const struct json *keys = &c->members[i].value;

		if (!str_is(c->members[i].key, "StringEquals") && !str_is(c->members[i].key, "StringLike"))
			return false;
		if (!json_is(keys, JSON_OBJECT) || keys->n != 1 || !str_is(keys->members[0].key, "ResourceType") ||
		    !strings(&keys->members[0].value))
			return false;
	}
	return true;
}

static bool statement(const struct json *s)
{
	const struct json *action = json_getz(s, "Action"), *not_action = json_getz(s, "NotAction"), *resource = json_getz(s, "Resource"),
			  *not_resource = json_getz(s, "NotResource");
	struct str effect = json_get_str(s, "Effect");

	if (!json_is(s, JSON_OBJECT) || (!str_is(effect, "Allow") && !str_is(effect, "Deny")) || !principal(json_getz(s, "Principal")))
		return false;
	if (!action == !not_action || !actions(action ? action : not_action))
		return false;
	if ((resource && not_resource) || ((resource || not_resource) && !strings(resource ? resource : not_resource)))
		return false;
	for (size_t i = 0; i < s->n; i++) {
		static const char *const known[] = { "Sid",       "Effect",   "Principal",   "Action",
						     "NotAction", "Resource", "NotResource", "Condition" };
		bool ok = false;

		for (size_t k = 0; k < ELEMENTS(known); k++)
			ok |= str_is(s->members[i].key, known[k]);
		if (!ok)
			return false;
	}
	return condition(json_getz(s, "Condition"));
}

static struct json *statements(const struct json *policy)
{
	return json_getz(policy, "Statement");
}

int stack_policy_parse(struct arena *a, struct str text, struct json **ret)
{
	struct json *list;

	if (text.n > STACK_POLICY_BYTES_MAX || json_parse(a, text, ret, NULL) < 0 || !json_is(*ret, JSON_OBJECT))
		return -EINVAL;
	list = statements(*ret);
	if (json_is(list, JSON_OBJECT))
		return statement(list) ? 0 : -EINVAL;
	if (!json_is(list, JSON_ARRAY) || list->n == 0)
		return -EINVAL;
	for (size_t i = 0; i < list->n; i++)
		if (!statement(&list->items[i]))
			return -EINVAL;
	return 0;
}

static bool any_matches(const struct json *patterns, struct str s)
{
	for (size_t i = 0; nth(patterns, i).p; i++)
		if (glob_match(nth(patterns, i), s))
			return true;
	return false;
}

/* Without a resource a statement says nothing. */
static bool applies(const struct json *s, const char *action, struct str resource, struct str type)
{
	const struct json *a = json_getz(s, "Action"), *r = json_getz(s, "Resource"), *not_r = json_getz(s, "NotResource"),
			  *c = json_getz(s, "Condition");

	if (a ? !any_matches(a, str_c(action)) : any_matches(json_getz(s, "NotAction"), str_c(action)))
		return false;
	if ((!r && !not_r) || (r ? !any_matches(r, resource) : any_matches(not_r, resource)))
		return false;
	for (size_t i = 0; c && i < c->n; i++) {
		const struct json *want = &c->members[i].value.members[0].value;
		bool like = str_is(c->members[i].key, "StringLike"), ok = false;

		for (size_t k = 0; nth(want, k).p; k++)
			ok |= like ? glob_match(nth(want, k), type) : str_eq(nth(want, k), type);
		if (!ok)
			return false;
	}
	return true;
}

static struct str shown(struct arena *a, const struct json *j)
{
	struct str out = nth(j, 0);

	for (size_t i = 1; nth(j, i).p; i++)
		out = str_printf(a, "%.*s, %.*s", STR(out), STR(nth(j, i)));
	return out.p ? out : S("*");
}

bool stack_policy_allows(struct arena *a, const struct json *policy, const char *action, struct str logical, struct str type,
			 struct str *ret_why)
{
	struct str resource = str_printf(a, "LogicalResourceId/%.*s", STR(logical));
	const struct json *list = statements(policy);
	size_t n = json_is(list, JSON_ARRAY) ? list->n : 1;
	bool allowed = false;

	if (!policy)
		return true;
	for (size_t i = 0; i < n; i++) {
		const struct json *s = json_is(list, JSON_ARRAY) ? &list->items[i] : list;

		if (!applies(s, action, resource, type))
			continue;
		if (str_is(json_get_str(s, "Effect"), "Deny")) {
			*ret_why = str_printf(a,
					      "Action denied by stack policy: Statement [#%zu] does not allow [%.*s] for resource [%.*s]",
					      i + 1, STR(json_getz(s, "Action") ? shown(a, json_getz(s, "Action")) : str_c(action)),
					      STR(json_getz(s, "Resource") ? shown(a, json_getz(s, "Resource")) : resource));
			return false;
		}
		allowed = true;
	}
	if (!allowed)
		*ret_why = str_printf(a, "Action denied by stack policy: no statement allows [%s] for resource [%.*s]", action,
				      STR(resource));
	return allowed;
}
