/* SPDX-License-Identifier: Apache-2.0 */
/* push.c - the OCI distribution API: layers and manifests come in.
 *
 * Bytes of a layer go straight into its upload, whoever sends them having been asked for ecr:UploadLayerPart first; when they
 * are in, UploadLayerPart is called without bytes, so that the trail has it. */
#include "svc/ecr/registry.h"
#include <errno.h>

static void upload_place(struct visit *v, struct str id)
{
	registry_header(v, "Location", str_printf(&v->f->http->arena, "/v2/%.*s/blobs/uploads/%.*s", STR(v->path.name), STR(id)));
	registry_header(v, "Docker-Upload-UUID", id);
}

static void range_header(struct visit *v, uint64_t bytes)
{
	registry_header(v, "Range", str_printf(&v->f->http->arena, "0-%llu", (unsigned long long)(bytes ? bytes - 1 : 0)));
}

static void created(struct visit *v, const char *kind, struct str digest)
{
	registry_header(v, "Location", str_printf(&v->f->http->arena, "/v2/%.*s/%s/%.*s", STR(v->path.name), kind, STR(digest)));
	registry_header(v, "Docker-Content-Digest", digest);
	registry_answer(v, 201, NULL, S(""));
}

/* The visitor's own upload of this repository, taken. Else it was answered. */
static int take(struct visit *v, struct str id)
{
	struct ecr_rec_repository p;
	int r = registry_repo(v, &p);

	if (r == 0)
		r = ecr_upload_take(v->region, &p, &v->who, id, &v->upload);
	if (r == -EBUSY)
		registry_refuse(v, 409, "BLOB_UPLOAD_INVALID", S("The upload is in use by another request"));
	else if (r < 0)
		registry_refuse(v, 404, "BLOB_UPLOAD_UNKNOWN", S("The upload is not known"));
	return r;
}

static void give(struct visit *v)
{
	if (v->upload)
		ecr_upload_give(v->upload);
	v->upload = NULL;
}

/* --- POST: begin, or mount --- */
static void begun(struct visit *v)
{
	const struct ecr_initiate_layer_upload_response *out = v->out;

	upload_place(v, out->upload_id);
	range_header(v, 0);
	registry_answer(v, 202, NULL, S(""));
}

static void mounted(struct visit *v)
{
	created(v, "blobs", registry_param(v, "mount"));
}

/* The specification lets a registry answer with a plain upload instead: so nobody learns what another repository holds. */
static bool not_mounted(struct visit *v, const struct call_error *e)
{
	const struct ecr_complete_layer_upload_request *in = v->in;
	struct str id = in->upload_id;

	if (e->err && strcmp(e->err->code, "LayerAlreadyExistsException") == 0) {
		mounted(v);
		return true;
	}
	if (take(v, id) < 0)
		return true;
	ecr_upload_mount(v->upload, STR_NONE, STR_NONE);
	give(v);
	upload_place(v, id);
	range_header(v, 0);
	registry_answer(v, 202, NULL, S(""));
	return true;
}

static void begun_to_mount(struct visit *v)
{
	struct arena *a = &v->f->http->arena;
	const struct ecr_initiate_layer_upload_response *begin = v->out;
	struct ecr_complete_layer_upload_request *in = arena_new(a, struct ecr_complete_layer_upload_request);
	struct str *digest = arena_new(a, struct str);

	*digest = registry_param(v, "mount");
	if (take(v, begin->upload_id) < 0)
		return;
	ecr_upload_mount(v->upload, registry_param(v, "from"), *digest);
	give(v);
	in->registry_id = v->account;
	in->repository_name = v->path.name;
	in->upload_id = begin->upload_id;
	in->layer_digests.v = digest;
	in->layer_digests.n = 1;
	registry_call(v, "CompleteLayerUpload", in, arena_new(a, struct ecr_complete_layer_upload_response), mounted, not_mounted);
}

void registry_uploads(struct visit *v)
{
	struct arena *a = &v->f->http->arena;
	struct ecr_initiate_layer_upload_request *in = arena_new(a, struct ecr_initiate_layer_upload_request);
	bool mount = ecr_digest_valid(registry_param(v, "mount")) && registry_name_valid(registry_param(v, "from"));

	in->registry_id = v->account;
	in->repository_name = v->path.name;
	registry_call(v, "InitiateLayerUpload", in, arena_new(a, struct ecr_initiate_layer_upload_response), mount ? begun_to_mount : begun,
		      NULL);
}

/* --- PATCH and PUT of an upload --- */
static void completed(struct visit *v)
{
	const struct ecr_complete_layer_upload_response *out = v->out;

	created(v, "blobs", out->layer_digest);
}

static bool there_already(struct visit *v, const struct call_error *e)
{
	const struct ecr_complete_layer_upload_request *in = v->in;

	if (!e->err || strcmp(e->err->code, "LayerAlreadyExistsException") != 0)
		return false;
	created(v, "blobs", in->layer_digests.v[0]);
	return true;
}

static void complete(struct visit *v)
{
	struct arena *a = &v->f->http->arena;
	struct ecr_complete_layer_upload_request *in = arena_new(a, struct ecr_complete_layer_upload_request);
	struct str *digest = arena_new(a, struct str);

	*digest = registry_param(v, "digest");
	in->registry_id = v->account;
	in->repository_name = v->path.name;
	in->upload_id = v->path.ref;
	in->layer_digests.v = digest;
	in->layer_digests.n = 1;
	registry_call(v, "CompleteLayerUpload", in, arena_new(a, struct ecr_complete_layer_upload_response), completed, there_already);
}

static void part_taken(struct visit *v)
{
	const struct ecr_upload_layer_part_response *out = v->out;

	if (str_is(v->f->http->method, "PUT")) {
		complete(v);
		return;
	}
	upload_place(v, v->path.ref);
	range_header(v, (uint64_t)(out->last_byte_received.v + 1));
	registry_answer(v, 202, NULL, S(""));
}

static void tell_part(struct visit *v)
{
	struct arena *a = &v->f->http->arena;
	struct ecr_upload_layer_part_request *in = arena_new(a, struct ecr_upload_layer_part_request);

	in->registry_id = v->account;
	in->repository_name = v->path.name;
	in->upload_id = v->path.ref;
	in->layer_part_blob = S("");
	registry_call(v, "UploadLayerPart", in, arena_new(a, struct ecr_upload_layer_part_response), part_taken, NULL);
}

static void status_or_cancel(struct visit *v, bool cancel)
{
	uint64_t bytes;

	v->pending = true;
	if (!registry_may(v, "ecr:UploadLayerPart")) {
		registry_refuse(v, 403, "DENIED", S("Not authorized to perform: ecr:UploadLayerPart"));
		return;
	}
	if (take(v, v->path.ref) < 0)
		return;
	bytes = ecr_upload_bytes(v->upload);
	if (cancel) {
		ecr_upload_drop(v->upload);
		v->upload = NULL;
	} else {
		give(v);
		upload_place(v, v->path.ref);
		range_header(v, bytes);
	}
	registry_answer(v, 204, NULL, S(""));
}

/* "Content-Range: FIRST-LAST" of a chunk must go on where the upload is. */
static bool follows(struct visit *v)
{
	struct str range = http_header(v->f->http, "content-range"), first;
	uint64_t at;

	if (!range.p)
		return true;
	if (str_starts(range, S("bytes ")))
		range = str_skip(range, 6);
	return str_cut(range, '-', &first, &(struct str){ 0 }) && str_to_u64(first, &at) == 0 && at == ecr_upload_bytes(v->upload);
}

void registry_upload_headers(struct visit *v)
{
	struct http_request *r = v->f->http;
	bool put = str_is(r->method, "PUT");

	if (str_is(r->method, "GET") || str_is(r->method, "DELETE")) {
		status_or_cancel(v, str_is(r->method, "DELETE"));
		return;
	}
	v->pending = true;
	if (!put && !str_is(r->method, "PATCH")) {
		registry_refuse(v, 405, "UNSUPPORTED", S("The operation is unsupported."));
		return;
	}
	if (put && !ecr_digest_valid(registry_param(v, "digest"))) {
		r->body_mode = HTTP_BODY_REFUSE;
		registry_refuse(v, 400, "DIGEST_INVALID", S("The digest is not a SHA-256 digest"));
		return;
	}
	if (!registry_may(v, "ecr:UploadLayerPart") && (r->has_body || !put)) {
		r->body_mode = HTTP_BODY_REFUSE;
		tell_part(v); /* is refused, and recorded */
		return;
	}
	if (take(v, v->path.ref) < 0) {
		r->body_mode = HTTP_BODY_REFUSE;
		return;
	}
	if (!follows(v)) {
		r->body_mode = HTTP_BODY_REFUSE;
		range_header(v, ecr_upload_bytes(v->upload));
		registry_refuse(v, 416, "BLOB_UPLOAD_INVALID", S("The chunk does not follow what was received"));
		return;
	}
	v->pending = false;
	r->body_mode = HTTP_BODY_STREAM;
	r->body_max = ECR_LAYER_BYTES_MAX;
}

int registry_upload_body(struct visit *v, struct str piece)
{
	int r = v->upload ? 0 : -EINVAL;

	if (r == 0 && !cloud_region(v->f->cloud, v->region->name))
		r = -EHOSTDOWN; /* a slow upload must not keep the region from stopping */
	if (r == 0)
		r = ecr_upload_write(v->upload, piece);
	if (r < 0 && !v->pending) {
		v->pending = true;
		if (r == -EHOSTDOWN)
			registry_refuse(v, 503, "UNAVAILABLE", S("The region is stopped"));
		else
			registry_refuse(v, r == -ENOSPC ? 503 : 400, r == -EFBIG ? "SIZE_INVALID" : "BLOB_UPLOAD_INVALID",
					r == -ENOSPC ? S("There is no space left on the device") : S("The chunk cannot be taken"));
	}
	return r;
}

void registry_upload_done(struct visit *v)
{
	const struct ecr_uploaded *done;
	bool put = str_is(v->f->http->method, "PUT");

	/* Made durable here rather than on the region's one writer thread. A failure shows again in CompleteLayerUpload. */
	if (put && ecr_upload_bytes(v->upload) > 0)
		(void)ecr_upload_finish(v->upload, &done);
	give(v);
	if (put && !v->f->http->has_body)
		complete(v);
	else
		tell_part(v);
}

/* --- manifests --- */
static void manifest_taken(struct visit *v)
{
	const struct ecr_put_image_response *out = v->out;
	struct ecr_manifest m;
	struct str why;

	if (ecr_manifest_parse(&v->f->http->arena, out->image->image_manifest, out->image->image_manifest_media_type, &m, &why) == 0 &&
	    m.subject.p)
		registry_header(v, "OCI-Subject", m.subject);
	created(v, "manifests", out->image->image_id->image_digest);
}

/* Pushing what is there already is no failure for clients of a registry. */
static bool same_manifest(struct visit *v, const struct call_error *e)
{
	const struct ecr_put_image_request *in = v->in;
	uint8_t d[32];

	if (!e->err || strcmp(e->err->code, "ImageAlreadyExistsException") != 0)
		return false;
	hash_sha256(in->image_manifest.p, in->image_manifest.n, d);
	created(v, "manifests", str_printf(&v->f->http->arena, "sha256:%.*s", STR(hex_encode(&v->f->http->arena, d, sizeof d))));
	return true;
}

void registry_manifest_put(struct visit *v)
{
	struct arena *a = &v->f->http->arena;
	struct ecr_put_image_request *in = arena_new(a, struct ecr_put_image_request);
	struct str type = http_header(v->f->http, "content-type"), base;

	in->registry_id = v->account;
	in->repository_name = v->path.name;
	in->image_manifest = v->f->http->body.p ? v->f->http->body : S("");
	if (type.n) {
		(void)str_cut(type, ';', &base, &(struct str){ 0 });
		in->image_manifest_media_type = str_trim(base);
	}
	if (str_find_char(v->path.ref, ':') >= 0)
		in->image_digest = v->path.ref;
	else
		in->image_tag = v->path.ref;
	registry_call(v, "PutImage", in, arena_new(a, struct ecr_put_image_response), manifest_taken, same_manifest);
}

static void manifest_deleted(struct visit *v)
{
	const struct ecr_batch_delete_image_response *out = v->out;

	if (out->failures.n) {
		bool unknown = str_is(out->failures.v[0].failure_code, "ImageNotFound");

		registry_refuse(v, unknown ? 404 : 405, unknown ? "MANIFEST_UNKNOWN" : "UNSUPPORTED", out->failures.v[0].failure_reason);
		return;
	}
	registry_answer(v, 202, NULL, S(""));
}

void registry_manifest_delete(struct visit *v)
{
	struct arena *a = &v->f->http->arena;
	struct ecr_batch_delete_image_request *in = arena_new(a, struct ecr_batch_delete_image_request);
	struct ecr_image_identifier *id = arena_new(a, struct ecr_image_identifier);

	if (str_find_char(v->path.ref, ':') >= 0)
		id->image_digest = v->path.ref;
	else
		id->image_tag = v->path.ref;
	in->registry_id = v->account;
	in->repository_name = v->path.name;
	in->image_ids.v = id;
	in->image_ids.n = 1;
	registry_call(v, "BatchDeleteImage", in, arena_new(a, struct ecr_batch_delete_image_response), manifest_deleted, NULL);
}
