/* SPDX-License-Identifier: Apache-2.0 */
/* impl.h - what the codecs share; included by src/wire only.
 *
 * A "slot" is the place of a value in its parent: a struct's field, a list's element, a map entry's value. A "value" is
 * what the kind says in desc.h; only DK_STRUCT differs between the two, its slot in a struct being a pointer. */
#pragma once
#include "wire/wire.h"

#define WIRE_DEPTH_MAX 100 /* nesting of decoded values */
#define WIRE_REPLY_BYTES_MAX (64u << 20)
#define WIRE_REPLY_BYTES_USUAL 1024
#define XML_DEPTH_MAX 64
#define XML_ATTRIBUTES_MAX 32

struct codec {
	const struct service_model *m;
	const struct desc_shape *shapes;
	struct arena *a;
	struct wire_fault *fault;
	enum wire_protocol p;
	unsigned depth;
	bool own; /* our own JSON: model names, lenient scalars, ISO times */
	bool redact;
};

/* --- values.c --- */
bool value_present(const struct desc_shape *s, const void *slot); /* slot of a struct member */
/* slot_value returns the value in a struct member's slot, NULL when absent. */
const void *slot_value(const struct desc_shape *s, const void *slot);
/* slot_make returns the place to decode a struct member's value into (allocates a DK_STRUCT). */
void *slot_make(struct arena *a, const struct desc_shape *s, void *slot);
void value_empty(struct arena *a, void *list_or_map);                                      /* present without elements */
size_t entry_size(const struct desc_shape *value);                                         /* of a map whose values have this shape */
void *list_add(struct arena *a, const struct desc_shape *element, void *list);             /* the new, zeroed element */
void *map_add(struct arena *a, const struct desc_shape *value, void *map, struct str key); /* the new, zeroed value */
/* scalar_read parses text into a scalar value (blobs: base64). -EINVAL when it is none. */
int scalar_read(struct arena *a, const struct desc_shape *s, struct str text, void *v);
/* scalar_text writes a scalar as text; time says how a DK_TIME is written. Absent for other kinds and absent values. */
struct str scalar_text(struct arena *a, const struct desc_shape *s, enum desc_time time, const void *v);
struct str number_text(struct arena *a, double d, bool single);
struct str epoch_text(struct arena *a, int64_t ms); /* seconds, with a fraction only where there is one */
enum desc_time time_format(const struct desc_member *m, const struct desc_shape *s, enum desc_time dflt);
static inline bool is_scalar(const struct desc_shape *s)
{
	return s->kind <= DK_TIME;
}
/* fault_bad refuses a value that cannot be read, in the words of the protocol; -EINVAL. name: the parameter's. */
int fault_bad(struct codec *c, const char *name, struct str text);
int fault_set(struct codec *c, const char *code, int status, struct str message); /* -EINVAL */
bool is_s3(const struct service_model *m);

/* --- json_codec.c --- */
int json_decode(struct codec *c, const struct desc_shape *s, const struct json *j, void *v);               /* s: any kind */
int json_decode_body(struct codec *c, const struct desc_shape *s, struct str body, void *v, bool located); /* of a structure */
/* json_encode_struct writes a structure's members as an object; located: only those that travel in the body. */
void json_encode_struct(struct codec *c, struct buf *b, const struct desc_shape *s, const void *v, bool located);
void json_encode(struct codec *c, struct buf *b, const struct desc_shape *s, enum desc_time time, const void *v);

/* --- query.c --- */
int query_decode(struct codec *c, const struct desc_shape *s, struct str query, struct str body, void *v);
/* form_get finds the first value of a parameter in a query string or form body, decoded; absent when it is not there. */
struct str form_get(struct arena *a, struct str form, const char *name);

/* --- xml_codec.c --- */
int xml_decode_struct(struct codec *c, const struct desc_shape *s, const struct xml_node *n, void *v, bool located);
void xml_encode_struct(struct codec *c, struct buf *b, const struct desc_shape *s, const void *v, bool located);
void xml_open(struct buf *b, const char *name, const char *xmlns);
void xml_close(struct buf *b, const char *name);
void xml_leaf(struct buf *b, const char *name, struct str text);

/* --- rest.c --- */
int rest_decode(struct codec *c, const struct wire_route *route, struct http_request *r, void *in);
void rest_encode(struct codec *c, const struct wire_route *route, const void *out, struct buf *b, struct wire_reply *ret);
void reply_header(struct wire_reply *r, struct arena *a, struct str name, struct str value);
struct str header_of(const struct http_request *r, const char *name);

/* --- routes.c --- */
/* route_match fills op or known, name and labels of the best matching template; -ENOENT. */
int route_match(const struct service_model *m, struct http_request *r, struct wire_route *route);

/* --- pattern.c --- */
/* pattern_check: 1 matches (or the pattern cannot be checked), 0 does not. */
int pattern_check(const struct service_model *m, const struct desc_shape *s, struct str text);
