/* SPDX-License-Identifier: Apache-2.0 */
/* layers.c - layers by the API: are they there, where to fetch them, and the three steps of pushing one. */
#include "store/jobs.h"
#include "store/sealed.h"
#include "svc/ecr/ecr_int.h"
#include <errno.h>

#define PURPOSE "ecr"
#define SWEEP_MS (7 * ECR_DAY_MS)

/* --- reading --- */
ECR_HANDLER(batch_check_layer_availability)
{
	struct ecr_rec_repository p;
	struct ecr_rec_layer l;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	out->layers.v = arena_array(c->arena, struct ecr_layer, in->layer_digests.n + 1);
	out->failures.v = arena_array(c->arena, struct ecr_layer_failure, in->layer_digests.n + 1);
	for (size_t i = 0; i < in->layer_digests.n && r == 0; i++) {
		struct str d = in->layer_digests.v[i];

		if (!ecr_digest_valid(d)) {
			out->failures.v[out->failures.n++] =
				d.n ? (struct ecr_layer_failure){ d, S("InvalidLayerDigest"),
								  S("Invalid layer digest. It should satisfy the regex "
								    "'[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'") }
				    : (struct ecr_layer_failure){ d, S("MissingLayerDigest"), S("Layer digest is missing") };
			continue;
		}
		r = ecr_layer_read(c->txn, c->arena, &p, d, &l);
		if (r == 0)
			out->layers.v[out->layers.n++] = (struct ecr_layer){ .layer_digest = d,
									     .layer_availability = S("AVAILABLE"),
									     .layer_size = l.size,
									     .media_type = S("application/octet-stream") };
		else if (r == -ENOENT) {
			out->layers.v[out->layers.n++] = (struct ecr_layer){ .layer_digest = d, .layer_availability = S("UNAVAILABLE") };
			r = 0;
		}
	}
	return r;
}

static int layer_missing(struct call *c, const struct ecr_rec_repository *p, struct str digest)
{
	return call_fail(c, &ecr_err_layers_not_found,
			 "The layer with digest '%.*s' does not exist in the repository with name '%.*s' in the registry with id '%.*s'",
			 STR(digest), STR(p->name), STR(p->account));
}

/* The secret part of a download URL: what may be fetched and until when, sealed. It names no key and no caller. */
static struct str url_secret(struct call *c, const struct ecr_rec_repository *p, struct str digest)
{
	struct str plain = str_printf(c->arena, "%lld %.*s %.*s %.*s %.*s", (long long)(c->now_ms + ECR_URL_MS), STR(call_region(c)),
				      STR(p->account), STR(digest), STR(p->name)),
		   sealed;
	uint8_t key[32];

	cloud_master_key(c->cloud, "ecr-url", key);
	sealed = ecr_wrap(c->arena, key, S("url"), plain);
	mem_wipe(key, sizeof key);
	return hex_encode(c->arena, sealed.p, sealed.n);
}

int ecr_url_open(struct call *c, struct str secret, struct str *ret_account, struct str *ret_repo, struct str *ret_digest)
{
	struct str raw, plain, expires, region;
	uint8_t key[32];
	int64_t ms;
	int r;

	if (hex_decode(c->arena, secret, &raw) < 0)
		return -EACCES;
	cloud_master_key(c->cloud, "ecr-url", key);
	r = ecr_unwrap(c->arena, key, S("url"), raw, &plain);
	mem_wipe(key, sizeof key);
	if (r < 0 || !str_next(&plain, ' ', &expires) || !str_next(&plain, ' ', &region) || !str_next(&plain, ' ', ret_account) ||
	    !str_next(&plain, ' ', ret_digest) || !plain.p || str_to_i64(expires, &ms) < 0)
		return -EACCES;
	*ret_repo = plain;
	return ms <= c->now_ms || !str_eq(region, call_region(c)) ? -EACCES : 0;
}

ECR_HANDLER(get_download_url_for_layer)
{
	struct ecr_rec_repository p;
	struct ecr_rec_layer l;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	if (r == 0) {
		r = ecr_layer_read(c->txn, c->arena, &p, in->layer_digest, &l);
		if (r == -ENOENT)
			return layer_missing(c, &p, in->layer_digest);
	}
	if (r < 0)
		return r;
	out->layer_digest = l.digest;
	out->download_url = str_printf(c->arena, "http%s://%.*s/-/layers/%.*s", c->facts.host.p && !c->facts.secure_transport ? "" : "s",
				       STR(ecr_host(c, p.account)), STR(url_secret(c, &p, l.digest)));
	return 0;
}

struct source {
	struct body b;
	struct sealed_reader *reader;
};

static ssize_t source_read(struct body *b, char *buf, size_t n)
{
	ssize_t r = sealed_read(((struct source *)b)->reader, buf, n);

	if (r < 0)
		log_line(LOG_ERROR, "ecr: a layer cannot be read: %s",
			 r == -EBADMSG ? "damaged: a frame does not authenticate" : strerror((int)-r));
	return r;
}

static void source_free(struct body *b)
{
	sealed_close(((struct source *)b)->reader);
	free(b);
}

static int inaccessible(struct call *c, struct str digest, struct str why)
{
	return call_fail(c, &ecr_err_layer_inaccessible, "The layer with digest '%.*s' is not accessible: %.*s", STR(digest), STR(why));
}

static int file_key(struct call *c, const struct ecr_rec_repository *p, const struct ecr_rec_layer *l, uint8_t key[32])
{
	struct str why = STR_NONE, plain;
	uint8_t kek[32];
	int r = ecr_seal_open(c, p, l->data_key, kek, &why);

	if (r == -EACCES)
		return inaccessible(c, l->digest, why);
	if (r < 0)
		return r;
	r = ecr_unwrap(c->arena, kek, l->digest, l->file_key, &plain);
	mem_wipe(kek, sizeof kek);
	if (r < 0 || plain.n != 32)
		return -EBADMSG;
	memcpy(key, plain.p, 32);
	mem_wipe((char *)(uintptr_t)plain.p, 32);
	return 0;
}

int ecr_layer_open(struct call *c, const struct ecr_rec_repository *p, const struct ecr_rec_layer *l, uint64_t from, uint64_t to,
		   struct body **ret)
{
	struct source *s;
	struct sealed_reader *reader;
	uint8_t key[32];
	int r = file_key(c, p, l, key);

	if (r < 0)
		return r;
	r = sealed_open(ecr_files(c->region), l->file, key, PURPOSE, (uint64_t)l->size.v, from, to, &reader);
	mem_wipe(key, sizeof key);
	if (r < 0)
		return r;
	s = xzalloc(sizeof *s);
	s->b = (struct body){ .read = source_read, .free = source_free, .length = to - from };
	s->reader = reader;
	*ret = &s->b;
	return 0;
}

/* --- pushing --- */
static int upload_missing(struct call *c, const struct ecr_rec_repository *p, struct str id)
{
	return call_fail(c, &ecr_err_upload_not_found,
			 "The upload with id '%.*s' does not exist in the repository with name '%.*s' in the registry with id '%.*s'",
			 STR(id), STR(p->name), STR(p->account));
}

static int take(struct call *c, const struct ecr_rec_repository *p, struct str id, struct ecr_upload **ret)
{
	int r = ecr_upload_take(c->region, p, c->who, id, ret);

	if (r == -ENOENT)
		return upload_missing(c, p, id);
	return r == -EBUSY ? call_fail(c, &ecr_err_invalid_parameter, "The upload with id '%.*s' is in use by another request", STR(id))
			   : r;
}

ECR_HANDLER(initiate_layer_upload)
{
	struct ecr_rec_repository p;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	if (r == 0)
		r = ecr_upload_begin(c, &p, &out->upload_id);
	out->part_size = OPT_INT(ECR_PART_BYTES_MIN);
	return r == -EBUSY ? call_fail(c, &aws_err_throttling, "Rate exceeded: too many uploads are under way") : r;
}

ECR_HANDLER(upload_layer_part)
{
	struct ecr_rec_repository p;
	struct ecr_upload *u;
	uint64_t have;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	if (r == 0)
		r = take(c, &p, in->upload_id, &u);
	if (r < 0)
		return r;
	have = ecr_upload_bytes(u);
	out->registry_id = p.account;
	out->repository_name = p.name;
	out->upload_id = in->upload_id;
	/* The registry's own way in streams the bytes into the upload, then tells of them here with no bytes. */
	if (in->layer_part_blob.n || !c->facts.host.p || !str_is(c->facts.auth_type, "ecr-registry")) {
		if (in->part_first_byte.v != (int64_t)have ||
		    in->part_last_byte.v + 1 - in->part_first_byte.v != (int64_t)in->layer_part_blob.n) {
			ecr_upload_give(u);
			call_extra(c, "lastValidByteReceived", str_printf(c->arena, "%lld", (long long)have - 1));
			return call_fail(
				c, &ecr_err_invalid_layer_part,
				"The layer part is not as expected: part's first byte %lld, last byte %lld, %zu bytes; last valid byte "
				"received is %lld",
				(long long)in->part_first_byte.v, (long long)in->part_last_byte.v, in->layer_part_blob.n,
				(long long)have - 1);
		}
		r = ecr_upload_write(u, in->layer_part_blob);
	}
	out->last_byte_received = OPT_INT((int64_t)ecr_upload_bytes(u) - 1);
	ecr_upload_give(u);
	if (r == -EFBIG)
		return call_fail(c, &ecr_err_limit_exceeded, "The layer is larger than the maximum of %llu bytes", ECR_LAYER_BYTES_MAX);
	if (r == -EINVAL)
		return call_fail(c, &ecr_err_invalid_layer_part, "The upload is complete already");
	return r;
}

static int add_layer(struct call *c, const struct ecr_rec_repository *p, struct str digest, struct str file, const uint8_t key[32],
		     int64_t size)
{
	struct ecr_rec_layer l = { .digest = digest, .size = OPT_INT(size), .file = file, .pushed = OPT_TIME(c->now_ms) };
	uint8_t kek[32];
	int r = ecr_seal_new(c, p, kek, &l.data_key);

	if (r < 0)
		return r;
	l.file_key = ecr_wrap(c->arena, kek, digest, str_of((const char *)key, 32));
	mem_wipe(kek, sizeof kek);
	r = ecr_layer_put(c->txn, p, &l);
	return r < 0 ? r : ecr_job_put(c->txn, ECR_JOB_SWEEP, p, c->now_ms + SWEEP_MS);
}

/* A layer of another repository of the registry, whose file is shared. Who mounts has been asked whether it may read it. */
static int mount_layer(struct call *c, const struct ecr_rec_repository *p, struct str from, struct str digest)
{
	struct ecr_rec_repository src;
	struct ecr_rec_layer l;
	uint8_t key[32];
	int r = call_authorize(c, "ecr:GetDownloadUrlForLayer", str_printf(c->arena, "repo:%.*s/%.*s", STR(p->account), STR(from)), NULL,
			       0);

	if (r == 0)
		r = ecr_repo_load(c, p->account, from, &src);
	if (r == 0) {
		r = ecr_layer_read(c->txn, c->arena, &src, digest, &l);
		if (r == -ENOENT)
			return layer_missing(c, &src, digest);
	}
	if (r == 0)
		r = file_key(c, &src, &l, key);
	if (r < 0)
		return r;
	r = add_layer(c, p, l.digest, l.file, key, l.size.v);
	mem_wipe(key, sizeof key);
	return r;
}

static int complete(struct call *c, const struct ecr_rec_repository *p, struct ecr_upload *u, struct str digest)
{
	const struct ecr_uploaded *done;
	struct ecr_rec_layer old;
	struct str from = STR_NONE, mounted;
	int r = 0;

	if (ecr_upload_mounted(u, &from, &mounted) && !str_eq(mounted, digest))
		from = STR_NONE;
	if (from.p)
		r = 0;
	else if (ecr_upload_bytes(u) == 0)
		return call_fail(c, &ecr_err_empty_upload, "No layer parts were uploaded for the upload");
	else
		r = ecr_upload_finish(u, &done);
	if (r < 0)
		return r;
	if (!from.p && !str_is(digest, done->digest))
		return call_fail(c, &ecr_err_invalid_layer, "The layer's digest '%s' does not match the digest '%.*s' of the request",
				 done->digest, STR(digest));
	r = ecr_layer_read(c->txn, c->arena, p, digest, &old);
	if (r == 0)
		return call_fail(
			c, &ecr_err_layer_already_exists,
			"The layer with digest '%.*s' already exists in the repository with name '%.*s' in the registry with id '%.*s'",
			STR(digest), STR(p->name), STR(p->account));
	if (r != -ENOENT)
		return r;
	return from.p ? mount_layer(c, p, from, digest)
		      : add_layer(c, p, str_dup(c->arena, str_c(done->digest)), str_dup(c->arena, str_c(done->file)), done->key,
				  (int64_t)done->bytes);
}

ECR_HANDLER(complete_layer_upload)
{
	struct ecr_rec_repository p;
	struct ecr_upload *u;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	if (r == 0 && in->layer_digests.n != 1)
		return call_fail(c, &ecr_err_invalid_parameter,
				 "Invalid parameter at 'layerDigests' failed to satisfy constraint: 'exactly one digest must be given'");
	if (r == 0 && !ecr_digest_valid(in->layer_digests.v[0]))
		return call_fail(c, &ecr_err_invalid_layer, "The digest '%.*s' is not a SHA-256 digest", STR(in->layer_digests.v[0]));
	if (r == 0)
		r = take(c, &p, in->upload_id, &u);
	if (r < 0)
		return r;
	r = complete(c, &p, u, in->layer_digests.v[0]);
	out->registry_id = p.account;
	out->repository_name = p.name;
	out->upload_id = in->upload_id;
	out->layer_digest = in->layer_digests.v[0];
	if (r == 0)
		ecr_upload_keep(c, u);
	if (r == -ECANCELED && (c->err == &ecr_err_invalid_layer || c->err == &ecr_err_layer_already_exists))
		ecr_upload_drop(u); /* nothing that could still be done with it */
	else
		ecr_upload_give(u);
	return r;
}
