/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - JSON (RFC 8259) read into a tree in an arena, and written.
 *
 * Strict: valid UTF-8, no duplicate decisions (duplicate members are kept in order; json_get returns the last, as
 * AWS's parsers do), bounded depth, numbers kept as their text so that nothing is lost. Strings without escapes point
 * into the input, which must live as long as the tree. Member order is kept. */
#pragma once
#include "base/buf.h"
#include "base/str.h"

#define JSON_DEPTH_MAX 128
#define JSON_VALUES_MAX 1000000 /* in one text: two bytes can cost a hundred in memory */

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
struct json_member;
struct json {
	enum json_type type;
	bool b;
	struct str s; /* JSON_STRING: the text; JSON_NUMBER: as written */
	union {
		struct json *items;          /* JSON_ARRAY */
		struct json_member *members; /* JSON_OBJECT */
	};
	size_t n;        /* items or members */
	size_t cap;      /* of what is built by json_set and json_push */
	const char *tag; /* YAML short form that made this value (reader of templates), else NULL */
	uint32_t line;   /* 1-based line in the source text, 0 when built */
};
struct json_member {
	struct str key;
	struct json value;
};

/* json_parse: 0, or -EINVAL with *ret_error (may be NULL) set to the offset of the first bad byte. */
int json_parse(struct arena *a, struct str text, struct json **ret, size_t *ret_error);

/* Reading. All accept j == NULL and answer NULL or "absent" then. */
struct json *json_get(const struct json *j, struct str key); /* member of an object, else NULL */
struct json *json_getz(const struct json *j, const char *key);
struct str json_str(const struct json *j);                      /* text of a string; absent for anything else */
struct str json_scalar(const struct json *j);                   /* text of string, number or bool ("true"); absent otherwise */
struct str json_get_str(const struct json *j, const char *key); /* json_scalar of a member */
bool json_is(const struct json *j, enum json_type t);
bool json_equal(const struct json *a, const struct json *b); /* object members in any order */
int json_to_i64(const struct json *j, int64_t *ret);         /* number or numeric string; -EINVAL */
bool json_to_bool(const struct json *j, bool dflt);          /* bool or "true"/"false" */

/* Building; everything is in the arena, strings are borrowed. Values are copied (shallow) into their container: finish a
 * child before adding it, or go on with the pointer json_set and json_push return, which is good until the next one is
 * added to the same container. */
struct json *json_new(struct arena *a, enum json_type t);
struct json *json_new_str(struct arena *a, struct str s);
struct json *json_new_int(struct arena *a, int64_t v);
struct json *json_new_bool(struct arena *a, bool v);
struct json *json_set(struct arena *a, struct json *obj, struct str key,
		      const struct json *value); /* adds or replaces; returns the stored value */
struct json *json_set_str(struct arena *a, struct json *obj, const char *key, struct str s); /* absent s: nothing is set */
struct json *json_set_int(struct arena *a, struct json *obj, const char *key, int64_t v);
struct json *json_set_bool(struct arena *a, struct json *obj, const char *key, bool v);
struct json *json_push(struct arena *a, struct json *arr, const struct json *value);
bool json_remove(struct json *obj, struct str key);
struct json *json_copy(struct arena *a, const struct json *j); /* deep, strings copied */

/* Writing, without blanks. */
void json_write(struct buf *b, const struct json *j);
void json_write_str(struct buf *b, struct str s); /* with quotes and escapes */
struct str json_text(struct arena *a, const struct json *j);
