/* SPDX-License-Identifier: Apache-2.0 */
/* vtl.h - mapping templates: the Velocity Template Language as API Gateway speaks it. Pure functions, no I/O.
 *
 * A template is parsed once and may then be rendered by many threads. Rendering takes only memory of the run's arena, and is
 * bounded: by work (VTL_WORK_MAX), by memory made (VTL_BYTES_MAX), by nesting and by the iterations of a loop. What isn't
 * defined renders as nothing, as API Gateway does it.
 * Sources: "Velocity User Guide" (1.7), "API Gateway mapping template and access logging variable reference", "Amazon API
 * Gateway quotas". */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"

#define VTL_TEXT_BYTES_MAX (300u << 10) /* a template; AWS's quota */
#define VTL_OUT_BYTES_MAX (10u << 20)   /* AWS's payload limit */
#define VTL_LOOP_MAX 1000               /* iterations of one #foreach; AWS's quota */
#define VTL_WORK_MAX 2000000            /* steps of one rendering */
#define VTL_BYTES_MAX (48u << 20)       /* memory that the values of one rendering may take */
#define VTL_DEPTH_MAX 64                /* of nested expressions, blocks, macros */

enum vtl_type { VTL_NULL, VTL_BOOL, VTL_INT, VTL_DOUBLE, VTL_STR, VTL_LIST, VTL_MAP, VTL_BLOCK, VTL_NATIVE };
struct vtl_node;
struct vtl_run;
struct vtl_value;
struct vtl_native {                                                                       /* an object of ours: $input, $util */
	int (*get)(struct vtl_run *r, void *arg, struct str name, struct vtl_value *ret); /* leaves *ret null when there is none */
	int (*call)(struct vtl_run *r, void *arg, struct str name, const struct vtl_value *args, size_t n, struct vtl_value *ret);
	void *arg;
};
struct vtl_value {
	enum vtl_type type;
	union {
		bool b;
		int64_t i;
		double d;
		struct str s;
		struct vtl_list *list; /* shared by all that hold it, as in Java */
		struct vtl_map *map;
		const struct vtl_node *block; /* of #define */
		const struct vtl_native *native;
	};
};
struct vtl_list {
	struct vtl_value *v;
	size_t n, cap;
	bool json; /* read from JSON: prints as JSON */
};
struct vtl_entry {
	struct str key;
	struct vtl_value value;
};
struct vtl_map { /* in the order of insertion */
	struct vtl_entry *v;
	size_t n, cap;
	bool json;
};

struct vtl_template;
/* vtl_parse: 0, or -EINVAL with *ret_error telling what and where (memory of a). Keeps views of text, which must live as long
 * as the template. */
int vtl_parse(struct arena *a, struct str text, struct vtl_template **ret, struct str *ret_error);

struct vtl_run { /* one rendering; zero it, set arena, define variables */
	struct arena *arena;
	struct vtl_map vars;
	int64_t work;     /* used so far; may be carried on to the next rendering of the same request */
	size_t bytes;     /* likewise */
	struct str error; /* why it failed */
	/* private */
	const struct vtl_template *t;
	int depth;
	bool breaking, stopping;
};
void vtl_define(struct vtl_run *r, const char *name, struct vtl_value v);
/* vtl_render appends to out (made by the caller with its maximum). 0; -E2BIG a limit; -EINVAL the template asked for what can't
 * be: r->error tells. */
int vtl_render(struct vtl_run *r, const struct vtl_template *t, struct buf *out);

/* --- values --- */
static inline struct vtl_value vtl_null(void)
{
	return (struct vtl_value){ VTL_NULL, { 0 } };
}
static inline struct vtl_value vtl_bool(bool b)
{
	return (struct vtl_value){ VTL_BOOL, { .b = b } };
}
static inline struct vtl_value vtl_int(int64_t i)
{
	return (struct vtl_value){ VTL_INT, { .i = i } };
}
static inline struct vtl_value vtl_str(struct str s) /* absent s: null */
{
	return s.p ? (struct vtl_value){ VTL_STR, { .s = s } } : vtl_null();
}
struct vtl_value vtl_map_new(struct arena *a);
struct vtl_value vtl_list_new(struct arena *a);
void vtl_map_set(struct arena *a, struct vtl_map *m, struct str key, struct vtl_value v);
struct vtl_value *vtl_map_get(const struct vtl_map *m, struct str key); /* NULL: none */
void vtl_list_add(struct arena *a, struct vtl_list *l, struct vtl_value v);
/* vtl_from_json: the value of a JSON tree; strings are borrowed. Counts as work of r (may be NULL). */
int vtl_from_json(struct vtl_run *r, struct arena *a, const struct json *j, struct vtl_value *ret);
/* vtl_to_json: the other way. Blocks and natives become null. */
struct json *vtl_to_json(struct arena *a, const struct vtl_value *v);
/* vtl_text: what a reference to v prints, in r's arena. Negative on limits. */
int vtl_text(struct vtl_run *r, const struct vtl_value *v, struct str *ret);

/* --- JSONPath (vtl_path.c) --- */
/* json_path evaluates a JSONPath over a tree: members, indices, slices, unions, wildcards, descent, filters, length(), min(),
 * max(), sum(), avg(). 0 with *ret the value, or NULL when a definite path leads nowhere; paths that may match several give an
 * array. -EINVAL: not a path we understand. -E2BIG: too much work. */
int json_path(struct arena *a, const struct json *root, struct str path, struct json **ret);

/* --- $input and $util (vtl_input.c) --- */
struct vtl_input {
	struct str body; /* absent or empty: no body */
	struct vtl_map *path, *querystring, *header;
	/* private */
	struct json *parsed;
	bool tried;
	struct vtl_native native, util;
};
/* vtl_define_input makes $input and $util. in must live as long as the run. */
void vtl_define_input(struct vtl_run *r, struct vtl_input *in);
