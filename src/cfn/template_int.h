/* SPDX-License-Identifier: Apache-2.0 */
/* template_int.h - what the files of the template part share; not for others. */
#pragma once
#include "cfn/template.h"

#define EV_NOVALUE 1

/* A place in a template, which decides what may be named there and how a complaint reads. */
enum place { IN_RESOURCES, IN_OUTPUTS, IN_CONDITIONS, IN_RULES };

/* fn_of returns the function's name when j is a call ({"Ref": x}, {"Fn::Name": x}), with *ret_arg its argument; else an
 * absent str. {"Condition": x} isn't one: only boolean places read it so. */
struct str fn_of(const struct json *j, const struct json **ret_arg);

/* Pieces of a Fn::Sub text, one after another. */
enum sub_kind { SUB_END, SUB_TEXT, SUB_VAR };
struct sub_piece {
	enum sub_kind kind;
	struct str s; /* text (of ${!x}: ${x} without the mark, in two pieces) or the variable's name */
};
struct sub_piece sub_next(struct str *rest);

/* getatt_split takes Fn::GetAtt's argument apart (list or "Resource.Attribute"); false when it is neither. *ret_attr is the
 * attribute when it is written out, else absent with *ret_expr the function that says it. */
bool getatt_split(const struct json *arg, struct str *ret_res, struct str *ret_attr, const struct json **ret_expr);

/* refs_check validates every function of every section, what it names, the order of the conditions (which it sets), and
 * that no resources depend on each other in a circle whatever the conditions say. */
int refs_check(struct template *t, struct str *ret_err);

/* refs_walk reports what j names. */
struct refs {
	const struct template *tpl;
	const int8_t *conditions; /* follow the taken branch of Fn::If; NULL: see both */
	bool both;                /* with conditions NULL: follow both branches, else none */
	void (*see)(void *user, enum template_kind kind, size_t i, struct str attr); /* attr absent: Ref */
	void *user;
};
void refs_walk(const struct refs *r, const struct json *j);

/* nodes_link makes sorted lists without duplicates of n nodes' deps, and the dependents from them. order_of then sorts
 * those in use (NULL: all) topologically; returns how many could be placed, and marks what is on a circle when not all. */
void nodes_link(struct arena *a, struct template_node *nodes, size_t n);
size_t order_of(struct arena *a, const struct template_node *nodes, const bool *use, size_t n, size_t *order, bool *on_circle);
int complain_circle(const struct template *t, const bool *on_circle, struct arena *a, struct str *ret_err);
struct str names_text(struct arena *a, const struct str *v, size_t n); /* "A, B" */

/* read.c: read_check refuses duplicate keys, null values and too deep nesting. */
int read_check(struct arena *a, struct str text, bool yaml, const struct json *root, struct str *ret_err);

/* expand.c: AWS::LanguageExtensions' Fn::ForEach, replaced in the tree. */
int template_expand(struct arena *a, struct json *root, const struct str_map *params, struct str *ret_err);

/* eval.c: eval_list evaluates to a list, eval_text to a scalar's text; -EINVAL with sentence when it is neither. */
int eval_list(struct template_ctx *c, const struct json *j, struct json *ret, const char *sentence);
int eval_text(struct template_ctx *c, const struct json *j, struct str *ret, const char *sentence);
int eval_str(struct template_ctx *c, struct str s, struct json *ret); /* charges, makes a string */
int eval_list_str(struct template_ctx *c, const struct str *v, size_t n, struct json *ret);
/* value_split: "a, b" as a list of strings. */
struct str_list value_split(struct arena *a, struct str s);
int eval_bool(struct template_ctx *c, const struct json *j, bool *ret);
int eval_into(struct template_ctx *c, const struct json *j, struct json *ret); /* 0, EV_NOVALUE, negative */
int eval_charge(struct template_ctx *c, size_t bytes);
/* evalfn.c: one function call; same returns as eval_into. */
int eval_fn(struct template_ctx *c, struct str name, const struct json *arg, struct json *ret);
int eval_cidr(struct template_ctx *c, const struct json *arg, struct json *ret);

/* A complaint: formats into the arena and returns -EINVAL. */
int complain(struct arena *a, struct str *ret_err, const char *fmt, ...) _printf_(3, 4);

int condition_find(const struct template *t, struct str name); /* index, or -1 */
bool is_alnum_name(struct str s);
bool template_scalar(const struct json *j, struct str *ret);
