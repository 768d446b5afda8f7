/* SPDX-License-Identifier: Apache-2.0 */
/* openapi.h - Swagger 2.0 and OpenAPI 3.0 with API Gateway's extensions, read into records and written from them. Pure. */
#pragma once
#include "base/arena.h"
#include "base/json.h"
#include "gen_apigateway_rec.h"

#define OPENAPI_BYTES_MAX (6u << 20)
#define OPENAPI_RESOURCES_MAX 300 /* the same as APIGW_RESOURCES_MAX */

enum openapi_base { OPENAPI_BASE_IGNORE, OPENAPI_BASE_PREPEND, OPENAPI_BASE_SPLIT };
struct openapi_import {
	struct apigw_rec_snapshot s; /* what there was, with what the text adds; s.api is a copy */
	struct apigw_rec_doc_part_list docs;
	struct str_list warnings;
	bool has_policy;
};
/* openapi_read: base is the API as it is (at least its root resource). 0, or -EINVAL with *ret_err. What it says is not checked here
 * beyond its form. Strings may point into text. */
int openapi_read(struct arena *a, struct str text, const struct apigw_rec_snapshot *base, enum openapi_base how, struct openapi_import *ret,
		 struct str *ret_err);

enum { OPENAPI_INTEGRATIONS = 1, OPENAPI_AUTHORIZERS = 2, OPENAPI_GATEWAY = 4, OPENAPI_DOCUMENTATION = 8 };
struct openapi_export {
	bool v3;
	unsigned extensions;
	struct str host, stage;                   /* "ID.execute-api.REGION.amazonaws.com" */
	const struct apigw_rec_doc_version *docs; /* or NULL */
};
struct json *openapi_write(struct arena *a, const struct apigw_rec_snapshot *s, const struct openapi_export *o);
void openapi_yaml(struct buf *b, const struct json *j); /* the same tree as YAML */

/* --- shared by reader and writer --- */
struct openapi_verb {
	const char *name, *verb; /* "get", "GET" */
};
extern const struct openapi_verb openapi_verbs[]; /* ended by a NULL name */
/* openapi_fields copies members of an object into a record's members of the same name, and back: strings, numbers, booleans,
 * lists of strings and maps of scalars; others are left alone. */
void openapi_fields_read(struct arena *a, const struct json *j, uint16_t shape, void *rec);
void openapi_fields_write(struct arena *a, uint16_t shape, const void *rec, struct json *j);
