/* SPDX-License-Identifier: Apache-2.0 */
/* record_tables.h - a record with every kind of field, and its tables written by hand as the generator would. An older
 * and a newer version of the same record share the numbers. Used by the test and the fuzz target. */
#pragma once
#include "store/record.h"

struct t_sub;
struct t_sub_list {
	struct t_sub *v;
	size_t n;
};
struct t_sub_map_entry;
struct t_sub_map {
	struct t_sub_map_entry *v;
	size_t n;
};
struct str_list_list {
	struct str_list *v;
	size_t n;
};
struct t_sub {
	struct str name;
	struct opt_int count;
	struct t_sub *child;        /* recursion through a pointer */
	struct t_sub_list children; /* and through a list */
};
struct t_sub_map_entry {
	struct str key;
	struct t_sub value;
};
struct t_rec {
	struct str text, blob;
	struct opt_bool flag;
	struct opt_int small, large;
	struct opt_double single, full;
	struct opt_time created;
	struct t_sub *sub;
	struct str_list names;
	struct opt_int_list numbers;
	struct opt_bool_list flags;
	struct str_list_list grid;
	struct t_sub_list subs;
	struct str_map tags;
	struct t_sub_map by_name;
	struct json *doc;
};
struct t_old { /* what an older program knew */
	struct str text;
	struct opt_int large;
};
enum {
	T_STR,
	T_BLOB,
	T_BOOL,
	T_INT,
	T_LONG,
	T_FLOAT,
	T_DOUBLE,
	T_TIME,
	T_SUB,
	T_STRS,
	T_INTS,
	T_BOOLS,
	T_GRID,
	T_SUBS,
	T_TAGS,
	T_SUBMAP,
	T_DOC,
	T_REC,
	T_OLD,
	T_COUNT
};

#define T_FIELD(st, f, s, num)                                                                                                             \
	{                                                                                                                                  \
		.name = #f, .wire = #f, .shape = (s), .offset = offsetof(struct st, f), .id = (num)                                        \
	}
static const struct desc_member t_sub_members[] = {
	T_FIELD(t_sub, name, T_STR, 1),
	T_FIELD(t_sub, count, T_INT, 2),
	T_FIELD(t_sub, child, T_SUB, 3),
	T_FIELD(t_sub, children, T_SUBS, 4),
};
static const struct desc_member t_rec_members[] = {
	T_FIELD(t_rec, text, T_STR, 1),        T_FIELD(t_rec, blob, T_BLOB, 2),     T_FIELD(t_rec, flag, T_BOOL, 3),
	T_FIELD(t_rec, small, T_INT, 4),       T_FIELD(t_rec, large, T_LONG, 5),    T_FIELD(t_rec, single, T_FLOAT, 6),
	T_FIELD(t_rec, full, T_DOUBLE, 7),     T_FIELD(t_rec, created, T_TIME, 8),  T_FIELD(t_rec, sub, T_SUB, 9),
	T_FIELD(t_rec, names, T_STRS, 10),     T_FIELD(t_rec, numbers, T_INTS, 11), T_FIELD(t_rec, flags, T_BOOLS, 12),
	T_FIELD(t_rec, grid, T_GRID, 13),      T_FIELD(t_rec, subs, T_SUBS, 14),    T_FIELD(t_rec, tags, T_TAGS, 15),
	T_FIELD(t_rec, by_name, T_SUBMAP, 16), T_FIELD(t_rec, doc, T_DOC, 300),
};
static const struct desc_member t_old_members[] = {
	T_FIELD(t_old, large, T_LONG, 5),
	T_FIELD(t_old, text, T_STR, 1),
};
static const struct desc_shape t_shapes[T_COUNT] = {
	[T_STR] = { .name = "Str", .kind = DK_STRING, .size = sizeof(struct str) },
	[T_BLOB] = { .name = "Blob", .kind = DK_BLOB, .size = sizeof(struct str) },
	[T_BOOL] = { .name = "Bool", .kind = DK_BOOL, .size = sizeof(struct opt_bool) },
	[T_INT] = { .name = "Int", .kind = DK_INT, .size = sizeof(struct opt_int) },
	[T_LONG] = { .name = "Long", .kind = DK_LONG, .size = sizeof(struct opt_int) },
	[T_FLOAT] = { .name = "Float", .kind = DK_FLOAT, .size = sizeof(struct opt_double) },
	[T_DOUBLE] = { .name = "Double", .kind = DK_DOUBLE, .size = sizeof(struct opt_double) },
	[T_TIME] = { .name = "Time", .kind = DK_TIME, .size = sizeof(struct opt_time) },
	[T_SUB] = { .name = "Sub",
		    .kind = DK_STRUCT,
		    .size = sizeof(struct t_sub),
		    .members = t_sub_members,
		    .n_members = ELEMENTS(t_sub_members) },
	[T_STRS] = { .name = "Strs", .kind = DK_LIST, .size = sizeof(struct str_list), .element = T_STR },
	[T_INTS] = { .name = "Ints", .kind = DK_LIST, .size = sizeof(struct str_list), .element = T_INT },
	[T_BOOLS] = { .name = "Bools", .kind = DK_LIST, .size = sizeof(struct str_list), .element = T_BOOL },
	[T_GRID] = { .name = "Grid", .kind = DK_LIST, .size = sizeof(struct str_list), .element = T_STRS },
	[T_SUBS] = { .name = "Subs", .kind = DK_LIST, .size = sizeof(struct str_list), .element = T_SUB },
	[T_TAGS] = { .name = "Tags", .kind = DK_MAP, .size = sizeof(struct str_map), .key = T_STR, .element = T_STR },
	[T_SUBMAP] = { .name = "SubMap", .kind = DK_MAP, .size = sizeof(struct str_map), .key = T_STR, .element = T_SUB },
	[T_DOC] = { .name = "Doc", .kind = DK_DOCUMENT, .size = sizeof(struct json *) },
	[T_REC] = { .name = "Rec",
		    .kind = DK_STRUCT,
		    .size = sizeof(struct t_rec),
		    .members = t_rec_members,
		    .n_members = ELEMENTS(t_rec_members) },
	[T_OLD] = { .name = "Old",
		    .kind = DK_STRUCT,
		    .size = sizeof(struct t_old),
		    .members = t_old_members,
		    .n_members = ELEMENTS(t_old_members) },
};
static const struct record_model t_records = { t_shapes, T_COUNT };
