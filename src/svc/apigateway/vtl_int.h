/* SPDX-License-Identifier: Apache-2.0 */
/* vtl_int.h - the parsed form of a template, and what the parts of the interpreter share. */
#pragma once
#include "svc/apigateway/vtl.h"

enum vtl_expr_kind {
	EXPR_LITERAL,
	EXPR_REF,
	EXPR_INTERPOLATED, /* "text with $refs" */
	EXPR_LIST,
	EXPR_RANGE,
	EXPR_MAP, /* items: key, value, key, value */
	EXPR_NOT,
	EXPR_NEGATE,
	EXPR_OR,
	EXPR_AND,
	EXPR_EQ,
	EXPR_NE,
	EXPR_LT,
	EXPR_LE,
	EXPR_GT,
	EXPR_GE,
	EXPR_ADD,
	EXPR_SUB,
	EXPR_MUL,
	EXPR_DIV,
	EXPR_MOD,
};
enum vtl_step_kind { STEP_FIELD, STEP_CALL, STEP_INDEX };
struct vtl_expr;
struct vtl_step {
	enum vtl_step_kind kind;
	struct str name;
	struct vtl_expr **args; /* STEP_INDEX: one */
	size_t n;
	struct vtl_step *next;
};
struct vtl_ref {
	struct str name;
	struct vtl_step *steps;
};
struct vtl_expr {
	enum vtl_expr_kind kind;
	struct vtl_value literal;
	struct vtl_ref ref;
	struct vtl_node *text; /* EXPR_INTERPOLATED */
	struct vtl_expr *l, *r;
	struct vtl_expr **items;
	size_t n;
};
enum vtl_node_kind { NODE_TEXT, NODE_REF, NODE_SET, NODE_IF, NODE_FOREACH, NODE_BREAK, NODE_STOP, NODE_DEFINE, NODE_CALL };
struct vtl_node {
	enum vtl_node_kind kind;
	struct str text;        /* NODE_TEXT; variable of NODE_FOREACH, NODE_DEFINE; name of NODE_CALL */
	struct vtl_ref ref;     /* NODE_REF, target of NODE_SET */
	struct vtl_expr *expr;  /* value, condition (NULL: #else), what is looped over */
	struct vtl_node *body;  /* of NODE_IF, NODE_FOREACH, NODE_DEFINE */
	struct vtl_node *other; /* NODE_IF: the next branch */
	struct vtl_expr **args; /* NODE_CALL */
	size_t n_args;
	struct vtl_node *next;
};
struct vtl_macro {
	struct str name;
	struct str *params;
	size_t n_params;
	struct vtl_node *body; /* NULL until its #macro was read */
	struct vtl_macro *next;
};
struct vtl_template {
	struct vtl_node *body;
	struct vtl_macro *macros;
};

int vtl_charge(struct vtl_run *r, int64_t work, size_t bytes); /* -E2BIG when a limit is passed */
int vtl_block(struct vtl_run *r, const struct vtl_node *n, struct buf *out);
int vtl_eval(struct vtl_run *r, const struct vtl_expr *e, struct vtl_value *ret);
bool vtl_truth(const struct vtl_value *v);
bool vtl_equal(struct vtl_run *r, const struct vtl_value *a, const struct vtl_value *b);
int vtl_print(struct vtl_run *r, const struct vtl_value *v, struct buf *out);
/* vtl_property and vtl_call: $v.name and $v.name(args). What isn't there is null. */
int vtl_property(struct vtl_run *r, const struct vtl_value *v, struct str name, struct vtl_value *ret);
int vtl_call(struct vtl_run *r, const struct vtl_value *v, struct str name, const struct vtl_value *args, size_t n, struct vtl_value *ret);
int vtl_string_call(struct vtl_run *r, struct str s, struct str name, const struct vtl_value *args, size_t n, struct vtl_value *ret);
