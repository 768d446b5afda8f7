/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.h - the filter pattern language of CloudWatch Logs: terms, JSON conditions, fields between blanks, regular
 * expressions. Pure functions. Matching takes time linear in message times pattern, whatever either of them is.
 *
 * Source: "Filter pattern syntax for metric filters, subscription filters, filter log events, and Live Tail" (CloudWatch
 * Logs User Guide). What the guide leaves open, and how it is answered here: a term is found anywhere in the message, not
 * only as a whole word; a comparison with a property that isn't there does not hold, "!=" included. */
#pragma once
#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"

#define PATTERN_BYTES_MAX 1024
#define PATTERN_DEPTH_MAX 32     /* of parentheses */
#define PATTERN_REGEX_MAX 2      /* in one pattern */
#define PATTERN_WILDCARDS_MAX 3  /* of property selectors, in one pattern */
#define PATTERN_REGEX_STATES 512 /* of one expression, repetitions written out */
#define PATTERN_FIELDS_MAX 256

struct logs_pattern;
/* logs_pattern_compile: 0, or -EINVAL with a sentence. The pattern lives in the arena; text is copied. */
int logs_pattern_compile(struct arena *a, struct str text, struct logs_pattern **ret, struct str *ret_error);
/* scratch is reset by each call. */
bool logs_pattern_matches(const struct logs_pattern *p, struct str message, struct arena *scratch);
/* logs_pattern_extract: what the pattern's fields or selectors stand for in a message that matches: "$name" or "$.selector". */
void logs_pattern_extract(const struct logs_pattern *p, struct str message, struct arena *a, struct str_map *ret);
bool logs_pattern_has_regex(const struct logs_pattern *p);

/* --- shared by the files of the language --- */
struct pattern_regex;
/* The text between the percent signs. -EINVAL: not what the language supports, or too large. */
int pattern_regex_compile(struct arena *a, struct str text, struct pattern_regex **ret);
bool pattern_regex_matches(const struct pattern_regex *x, struct str s);

struct pattern_value { /* what is compared with */
	struct str text;
	double number;
	bool is_number, quoted;
	struct pattern_regex *regex; /* NULL: text, with '*' for any characters */
};
enum pattern_op { OP_EQ, OP_NE, OP_GT, OP_GE, OP_LT, OP_LE, OP_NULL, OP_TRUE, OP_FALSE, OP_ABSENT };
struct pattern_step { /* of a property selector */
	struct str name;
	int64_t index;
	enum { STEP_NAME, STEP_INDEX, STEP_ANY_NAME, STEP_ANY_INDEX } kind;
};
struct pattern_node {
	enum { NODE_AND, NODE_OR, NODE_TEST } kind;
	struct pattern_node *left, *right;
	enum pattern_op op;
	struct pattern_value value;
	struct pattern_step *steps;
	size_t n_steps;
	struct str selector; /* as written */
};
struct pattern_in { /* the text being read */
	struct arena *a;
	struct str text;
	size_t at;
	unsigned depth, wildcards, regexes;
	struct str field; /* conditions are on this field; absent: on property selectors */
	const char *error;
};
static inline bool pattern_is(char c, const char *set) /* NUL, which events may hold, is in no set */
{
	return c && strchr(set, c);
}
void pattern_blanks(struct pattern_in *in);
bool pattern_take(struct pattern_in *in, const char *word); /* after blanks */
int pattern_quoted(struct pattern_in *in, struct str *ret); /* from its opening mark, which is next */
int pattern_fail(struct pattern_in *in, const char *error);
int pattern_expression(struct pattern_in *in, struct pattern_node **ret);
bool pattern_test(const struct pattern_node *t, struct str scalar, bool is_number);
bool pattern_field_holds(const struct pattern_node *n, struct str field);
bool pattern_json_holds(const struct pattern_node *n, const struct json *j);
void pattern_json_extract(const struct pattern_node *n, const struct json *j, struct arena *a, struct str_map *ret);
