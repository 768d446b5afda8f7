/* SPDX-License-Identifier: Apache-2.0 */
/* registry.h - shared by the files of the OCI distribution API: one request to the registry. */
#pragma once
#include "cloud/front.h"
#include "svc/ecr/ecr_int.h"

#define REGISTRY_HEADERS_MAX 8

enum registry_what { REG_PING, REG_CATALOG, REG_URL, REG_BLOB, REG_UPLOADS, REG_UPLOAD, REG_MANIFEST, REG_TAGS, REG_REFERRERS };
struct registry_path { /* what a path means */
	enum registry_what what;
	struct str name; /* of the repository */
	struct str ref;  /* digest, tag, upload id or the secret of a URL */
};
/* registry_path_parse reads a decoded path. -ENOENT: not one of the API's; -EINVAL: the repository's name is not valid. Pure. */
int registry_path_parse(struct str path, struct registry_path *ret);
bool registry_name_valid(struct str name);
/* registry_range_parse reads a Range header for something of size bytes. 1: *from..*to (exclusive); 0: the whole; -ERANGE. Pure. */
int registry_range_parse(struct str range, uint64_t size, uint64_t *from, uint64_t *to);

struct visit {
	struct front_request *f;
	struct region *region; /* pinned until the answer */
	struct str account;
	struct registry_path path;
	struct principal who;
	struct http_header headers[REGISTRY_HEADERS_MAX];
	size_t n_headers;
	struct ecr_upload *upload; /* taken, while its body comes in */
	bool pending;              /* a call or nothing at all answers: gone() must not */
	void (*step)(struct visit *v);
	const void *in;
	void *out;
};
void registry_header(struct visit *v, const char *name, struct str value);
void registry_answer(struct visit *v, int status, const char *type, struct str body);
void registry_refuse(struct visit *v, int status, const char *code, struct str message); /* in the OCI error format */
/* registry_call makes a call of ECR's API as the visitor: authorized, in the trail. then runs with the answer in v->out; where it is
 * refused, the visitor is told so, unless spare (may be NULL) takes the error on itself by returning true. */
void registry_call(struct visit *v, const char *op, const void *in, void *out, void (*then)(struct visit *v),
		   bool (*spare)(struct visit *v, const struct call_error *e));
/* registry_may asks on the spot whether the visitor may do this to the repository; nothing is recorded. */
bool registry_may(struct visit *v, const char *action);
int registry_repo(struct visit *v, struct ecr_rec_repository *ret); /* read, without asking */
struct str registry_param(struct visit *v, const char *name);       /* of the query; absent */

/* --- push.c --- */
void registry_uploads(struct visit *v);        /* POST */
void registry_upload_headers(struct visit *v); /* PATCH, PUT: takes the body in; GET, DELETE: answers */
int registry_upload_body(struct visit *v, struct str piece);
void registry_upload_done(struct visit *v);
void registry_manifest_put(struct visit *v);
void registry_manifest_delete(struct visit *v);
