/* SPDX-License-Identifier: Apache-2.0 */
/* desc.h - descriptor tables that describe generated C structs to the codecs.
 *
 * tools/modelgen writes, for each service model and each file of records, typed structs and these tables. One
 * interpreter per protocol (src/wire) and one for stored records (src/store/record.c) walks them; no code is generated
 * per structure. Memory layout by kind:
 *
 *   DK_STRING, DK_BLOB      struct str        (p == NULL: absent)
 *   DK_BOOL                 struct opt_bool
 *   DK_INT, DK_LONG         struct opt_int
 *   DK_FLOAT, DK_DOUBLE     struct opt_double
 *   DK_TIME                 struct opt_time
 *   DK_STRUCT               a pointer to the struct (NULL: absent); inside a list or map: the struct itself
 *   DK_LIST                 { T *v; size_t n; }                     (v == NULL: absent; empty: v != NULL, n == 0)
 *   DK_MAP                  { struct { struct str key; T value; } *v; size_t n; }   (value at offset 16)
 *   DK_BODY                 struct body *     a streaming payload
 *   DK_DOCUMENT             struct json *
 *
 * Recursion only goes through pointers, lists and maps. Enumerations are strings, checked against desc_shape.enums. */
#pragma once
#include "base/str.h"

enum desc_kind {
	DK_STRING,
	DK_BLOB,
	DK_BOOL,
	DK_INT,
	DK_LONG,
	DK_FLOAT,
	DK_DOUBLE,
	DK_TIME,
	DK_STRUCT,
	DK_LIST,
	DK_MAP,
	DK_BODY,
	DK_DOCUMENT,
};
enum desc_location { DL_BODY, DL_HEADER, DL_HEADERS, DL_QUERY, DL_URI, DL_STATUS };
enum desc_time { DT_DEFAULT, DT_EPOCH, DT_ISO, DT_HTTP }; /* DT_DEFAULT: the protocol's rule for that place */

enum desc_member_flags {
	DM_REQUIRED = 1,    /* in requests */
	DM_IDEMPOTENCY = 2, /* idempotencyToken */
	DM_XML_ATTRIBUTE = 4,
	DM_FLATTENED = 8, /* member-level "flattened" */
	DM_SENSITIVE = 16,
	DM_RECORDED = 32, /* "recorded only" on the coverage page */
	DM_HOST_LABEL = 64,
	DM_JSON_VALUE = 128, /* a string of JSON; base64 in a header */
};
struct desc_member {
	const char *name;  /* member name in the model; for records the field's name */
	const char *wire;  /* locationName (JSON key, XML element, header, query parameter, URI label) or name */
	const char *ec2;   /* ec2Query request name (queryName, or locationName/name capitalized); NULL outside ec2 */
	const char *xmlns; /* xmlNamespace uri of the member, or NULL */
	uint16_t shape;    /* index into desc_model.shapes */
	uint16_t offset;
	uint16_t id;      /* records: the field's number, never reused; else 0 */
	uint8_t location; /* enum desc_location */
	uint8_t flags;
	uint8_t time; /* enum desc_time */
};
enum desc_shape_flags {
	DS_FLATTENED = 1,
	DS_SENSITIVE = 2,
	DS_UNION = 4,
	DS_WRAPPER = 8,
	DS_HAS_MIN = 16,
	DS_HAS_MAX = 32,
	DS_JSONVALUE = 128
};
struct desc_shape {
	const char *name; /* shape name in the model */
	const char
		*xml_name; /* DK_STRUCT: own locationName; DK_LIST: the element's name ("member" by default); DK_MAP: key's name ("key") */
	const char *xml_value;    /* DK_MAP: value's name ("value"); DK_STRUCT: own xmlNamespace uri */
	const char *pattern;      /* regular expression as the model has it, or NULL */
	const char *pcre;         /* the same in PCRE2's words where they differ; "": not checked; NULL: pattern */
	const char *const *enums; /* NULL-terminated, sorted; or NULL */
	const struct desc_member *members;
	double min, max; /* see DS_HAS_MIN, DS_HAS_MAX; lengths, counts or values by kind */
	uint32_t size;   /* sizeof the C representation of a value inside a list (struct size for DK_STRUCT) */
	uint16_t n_members;
	uint16_t element; /* DK_LIST, DK_MAP: the element's or value's shape */
	uint16_t key;     /* DK_MAP */
	int16_t payload;  /* DK_STRUCT: index of the payload member, or -1 */
	uint8_t kind;
	uint8_t flags;
	uint8_t time;
};
struct desc_error {        /* an error shape of a service, or one added by the overlay */
	const char *shape; /* model name, e.g. "NotFoundException" */
	const char *code;  /* on the wire, e.g. query error code */
	uint16_t status;
	bool sender;         /* fault: the client's */
	const char *message; /* wire name of its message member; NULL: "message" */
};
