/* SPDX-License-Identifier: Apache-2.0 */
/* reader.h - what the readers of resource types share (src/svc/NAME/cfn_read.c): asking, and putting answers into the form of
 * properties. */
#pragma once
#include "cfn/type.h"

/* cfn_ask makes a reading call. -ENOENT: it was refused with one of these codes (separated by blanks), which say that there is no
 * such thing; other refusals as cfn_call. */
int cfn_ask(struct cfn_resource *r, const char *service, const char *op, const struct json *params, const char *codes, struct json **ret);
/* cfn_ask_capitalized: the same, with a large first letter for every member of the answer, as properties have. */
int cfn_ask_capitalized(struct cfn_resource *r, const char *service, const char *op, const struct json *params, const char *codes,
			struct json **ret);
/* cfn_param: parameters with one member; more are set by json_set_str. */
struct json *cfn_param(struct cfn_resource *r, const char *name, struct str value);
/* cfn_wanted: does the template set one of these properties (separated by blanks)? */
bool cfn_wanted(const struct cfn_resource *r, const char *properties);

/* One property, or part of one, and where it is in an answer. */
struct cfn_member {
	const char *from;                                          /* members, joined with "."; "": the object itself */
	const char *to;                                            /* NULL: as the last one of from */
	const struct cfn_member *parts;                            /* of an object, or of each element of a list; NULL: taken as it is */
	struct json *(*as)(struct arena *a, const struct json *v); /* another form; NULL: the same */
};
/* cfn_take sets in to what a table, ended by a NULL from, finds in an answer. What isn't there is left out. */
void cfn_take(struct arena *a, const struct json *answer, const struct cfn_member *table, struct json *to);
/* cfn_is begins ret_props with what a table finds in an answer. */
void cfn_is(struct cfn_resource *r, const struct json *answer, const struct cfn_member *table);

/* --- forms --- */
struct json *cfn_as_document(struct arena *a, const struct json *v); /* a policy from its text, percent-encoded (IAM) or not */
struct json *cfn_as_tags(struct arena *a, const struct json *v);     /* a list of Key and Value from a map */
struct json *cfn_as_tag_map(struct arena *a, const struct json *v);  /* the other way round */
struct json *cfn_as_values(struct arena *a, const struct json *v);   /* a list of what is in a map */
