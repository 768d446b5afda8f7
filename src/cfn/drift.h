/* SPDX-License-Identifier: Apache-2.0 */
/* drift.h - comparing what a template asks for with what there is. Pure: no calls, no store.
 *
 * Expected are the properties that the template sets, resolved; actual is what a type's reader found, in the same form. What only
 * the actual side has is a default and no drift, except in maps, sets and documents. */
#pragma once
#include "base/json.h"

enum drift_as {
	DRIFT_TEXT,   /* the default: objects by the members expected, lists in order, the rest by its text */
	DRIFT_SET,    /* a list whose order says nothing (insertionOrder false) */
	DRIFT_MAP,    /* an object whose keys are the template's own: one more is drift */
	DRIFT_POLICY, /* a policy, given as object or as text: lists are sets, and one value is a list of one */
	DRIFT_JSON,   /* another document, given as object or as text */
	DRIFT_UNREAD, /* written and never read again (passwords, code): not compared, not shown */
};
/* How a property is compared. Tags need no rule. */
struct drift_rule {
	const char *path; /* members, joined with "."; "*" is every element of a list */
	enum drift_as as;
	const char *key;                                      /* DRIFT_SET: the member that says which element is which */
	bool (*same)(struct str expected, struct str actual); /* other spellings of one value */
};
struct drift_difference {
	struct str path;                      /* JSON pointer */
	const struct json *expected, *actual; /* NULL: it isn't there (ADD, REMOVE) */
};
struct drift_list {
	struct drift_difference *v;
	size_t n, cap;
};
/* drift_compare appends the differences of two objects. rules: ended by a NULL path, or NULL. */
void drift_compare(struct arena *a, const struct drift_rule *rules, const struct json *expected, const struct json *actual,
		   struct drift_list *ret);
/* drift_shown: the expected properties without those that nobody reads again. */
struct json *drift_shown(struct arena *a, const struct drift_rule *rules, const struct json *expected);
/* drift_value: as CloudFormation shows it: text as it is, the rest as JSON, "null" for what isn't there. */
struct str drift_value(struct arena *a, const struct json *v);
/* drift_secret: does a value hold one of these texts, or a dynamic reference? Below objects and lists, too. */
bool drift_secret(const struct json *v, const struct str_list *secrets);
/* drift_hide makes two trees fit to be shown: asterisks for secrets, and for what stands where a secret is expected. */
void drift_hide(struct arena *a, struct json *expected, struct json *actual, const struct str_list *secrets);
#define DRIFT_HIDDEN "****"
/* drift_tail: does an ARN end with this name or id? For drift_rule.same. */
bool drift_tail(struct str expected, struct str actual);
bool drift_account(struct str expected, struct str actual); /* an account's number, and its root user's ARN? */
