/* SPDX-License-Identifier: Apache-2.0 */
/* list.c - images read: ListImages, DescribeImages, BatchGetImage, ListImageReferrers, and scans, of which there are none. */
#include "svc/ecr/ecr_int.h"
#include <errno.h>

static int bad_token(struct call *c)
{
	return call_fail(c, &ecr_err_invalid_parameter,
			 "Invalid parameter at 'nextToken' failed to satisfy constraint: 'The token is not valid'");
}

/* Images have no state but ACTIVE here: nothing is archived. */
static bool wanted(struct str tag_status, struct str image_status, const struct ecr_rec_image *i)
{
	if (image_status.p && !str_is(image_status, "ACTIVE") && !str_is(image_status, "ANY"))
		return false;
	return !tag_status.p || str_is(tag_status, "ANY") || str_is(tag_status, "TAGGED") == (i->tags.n > 0);
}

/* --- ListImages: one entry a tag, or one for an image without --- */
struct listing {
	struct call *c;
	const struct ecr_list_images_request *in;
	struct ecr_list_images_response *out;
	size_t limit, cap, skip; /* skip: entries of the first image that an earlier page had */
	struct str resume;       /* the first image's key */
};

static int list_one(void *arg, struct str last, struct str value, struct str key)
{
	struct listing *l = arg;
	struct call *c = l->c;
	struct ecr_rec_image i;
	size_t from = 0, n;
	int r = record_decode(&ecr_records, ECR_REC_IMAGE, c->arena, value, &i);

	if (r < 0)
		return r;
	if (l->resume.p) { /* a page may have ended between two tags of an image, or the image may be gone */
		from = str_eq(key, l->resume) ? l->skip : 0;
		l->resume = STR_NONE;
	}
	if (!wanted(l->in->filter ? l->in->filter->tag_status : STR_NONE, l->in->filter ? l->in->filter->image_status : STR_NONE, &i))
		return 0;
	n = i.tags.n ? i.tags.n : 1;
	for (size_t t = from; t < n; t++) {
		if (l->out->image_ids.n == l->limit) {
			struct str count = str_printf(c->arena, "%08zu", t); /* a key may have any bytes */
			char *token = arena_alloc(c->arena, count.n + key.n);

			memcpy(token, count.p, count.n);
			memcpy(token + count.n, key.p, key.n);
			l->out->next_token = page_token(c, str_of(token, count.n + key.n));
			return 1;
		}
		vec_push(c->arena, l->out->image_ids.v, l->out->image_ids.n,
			 l->cap) = (struct ecr_image_identifier){ i.digest, i.tags.n ? i.tags.v[t] : STR_NONE };
	}
	return 0;
}

/* The key just below k, so that a range that starts behind it begins with k: a shorter one with the same beginning. */
static struct str just_before(struct str k)
{
	return str_of(k.p, k.n - 1);
}

ECR_HANDLER(list_images)
{
	struct listing l = { .c = c, .in = in, .out = out, .limit = in->max_results.has ? (size_t)in->max_results.v : 100 };
	struct ecr_rec_repository p;
	struct str token;
	uint64_t skip;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	if (r < 0)
		return r;
	out->image_ids.v = arena_alloc(c->arena, 1);
	if (in->next_token.p) {
		if (page_parse(c, in->next_token, &token) < 0 || token.n < 10 || str_to_u64(str_of(token.p, 8), &skip) < 0)
			return bad_token(c);
		l.skip = (size_t)skip;
		l.resume = str_skip(token, 8);
	}
	return ecr_each(c->txn, &p, "ecr.image", l.resume.p ? just_before(l.resume) : STR_NONE, list_one, &l);
}

/* --- DescribeImages --- */
static void describe(const struct ecr_rec_repository *p, const struct ecr_rec_image *i, struct ecr_image_detail *out)
{
	*out = (struct ecr_image_detail){ .registry_id = p->account,
					  .repository_name = p->name,
					  .image_digest = i->digest,
					  .image_size_in_bytes = i->size,
					  .image_pushed_at = i->pushed,
					  .image_manifest_media_type = i->media_type,
					  .artifact_media_type = i->artifact_type,
					  .subject_manifest_digest = i->subject,
					  .image_status = S("ACTIVE") };
	if (i->tags.n) {
		out->image_tags.v = i->tags.v;
		out->image_tags.n = i->tags.n;
	}
}

static struct str id_text(struct arena *a, const struct ecr_image_identifier *id)
{
	return str_printf(a, "{imageDigest:'%.*s', imageTag:'%.*s'}", STR(id->image_digest.p ? id->image_digest : S("null")),
			  STR(id->image_tag.p ? id->image_tag : S("null")));
}

static int image_missing(struct call *c, const struct ecr_rec_repository *p, const struct ecr_image_identifier *id)
{
	return call_fail(c, &ecr_err_image_not_found,
			 "The image with imageId %.*s does not exist within the repository with name '%.*s' in the registry with id '%.*s'",
			 STR(id_text(c->arena, id)), STR(p->name), STR(p->account));
}

static int find_or_refuse(struct call *c, const struct ecr_rec_repository *p, const struct ecr_image_identifier *id,
			  struct ecr_rec_image *ret)
{
	const char *code, *reason = "";
	int r = ecr_image_find(c, p, id, ret, &code, &reason);

	if (r < 0 || !code)
		return r;
	if (strcmp(code, "ImageNotFound") == 0 || strcmp(code, "ImageTagDoesNotMatchDigest") == 0)
		return image_missing(c, p, id);
	return call_fail(c, &ecr_err_invalid_parameter, "%s", reason);
}

struct details {
	struct call *c;
	const struct ecr_rec_repository *repo;
	const struct ecr_describe_images_request *in;
	struct ecr_describe_images_response *out;
	size_t limit, cap;
	struct str after;
};

static int describe_one(void *arg, struct str last, struct str value, struct str key)
{
	struct details *d = arg;
	struct ecr_rec_image i;
	int r;

	if (d->out->image_details.n == d->limit) {
		d->out->next_token = page_token(d->c, d->after);
		return 1;
	}
	d->after = str_dup(d->c->arena, key);
	r = record_decode(&ecr_records, ECR_REC_IMAGE, d->c->arena, value, &i);
	if (r == 0 &&
	    wanted(d->in->filter ? d->in->filter->tag_status : STR_NONE, d->in->filter ? d->in->filter->image_status : STR_NONE, &i))
		describe(d->repo, &i, &vec_push(d->c->arena, d->out->image_details.v, d->out->image_details.n, d->cap));
	return r;
}

ECR_HANDLER(describe_images)
{
	struct ecr_rec_repository p;
	struct details d = {
		.c = c, .repo = &p, .in = in, .out = out, .limit = in->max_results.has ? (size_t)in->max_results.v : 100, .after = STR_NONE
	};
	struct ecr_rec_image i;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	if (r < 0)
		return r;
	if (in->image_ids.n) {
		if (in->next_token.p || in->max_results.has)
			return call_fail(
				c, &ecr_err_invalid_parameter,
				"Invalid parameter at 'imageIds' failed to satisfy constraint: 'nextToken and maxResults cannot be used "
				"with imageIds'");
		out->image_details.v = arena_array(c->arena, struct ecr_image_detail, in->image_ids.n);
		for (size_t n = 0; n < in->image_ids.n && r == 0; n++) {
			r = find_or_refuse(c, &p, &in->image_ids.v[n], &i);
			if (r == 0)
				describe(&p, &i, &out->image_details.v[out->image_details.n++]);
		}
		return r;
	}
	if (in->next_token.p && page_parse(c, in->next_token, &d.after) < 0)
		return bad_token(c);
	r = ecr_each(c->txn, &p, "ecr.image", d.after, describe_one, &d);
	if (!out->image_details.v)
		out->image_details.v = arena_alloc(c->arena, 1);
	return r;
}

/* --- BatchGetImage --- */
ECR_HANDLER(batch_get_image)
{
	struct ecr_rec_repository p;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	out->images.v = arena_array(c->arena, struct ecr_image, in->image_ids.n + 1);
	out->failures.v = arena_array(c->arena, struct ecr_image_failure, in->image_ids.n + 1);
	for (size_t n = 0; n < in->image_ids.n && r == 0; n++) {
		struct ecr_image_identifier *id = &in->image_ids.v[n];
		const char *code, *reason = "";
		struct ecr_image *o = &out->images.v[out->images.n];
		struct ecr_rec_image i;

		r = ecr_image_find(c, &p, id, &i, &code, &reason);
		if (r == 0 && !code) {
			r = ecr_image_text(c, &p, &i, &o->image_manifest);
			if (r == -EACCES) {
				code = "KmsError";
				reason = "The image's KMS key does not open it";
				r = 0;
			}
		}
		if (r == 0 && code) {
			out->failures.v[out->failures.n++] = (struct ecr_image_failure){ id, str_c(code), str_c(reason) };
			continue;
		}
		o->registry_id = p.account;
		o->repository_name = p.name;
		o->image_manifest_media_type = i.media_type;
		o->image_id = arena_new(c->arena, struct ecr_image_identifier);
		*o->image_id = (struct ecr_image_identifier){ i.digest, id->image_tag };
		out->images.n++;
	}
	return r;
}

/* --- ListImageReferrers --- */
ECR_HANDLER(list_image_referrers)
{
	size_t limit = in->max_results.has ? (size_t)in->max_results.v : 50, cap = 0;
	struct store_range range = { 0 };
	struct str key, value, after = STR_NONE, digest = STR_NONE, part, account, table;
	struct ecr_rec_repository p;
	struct ecr_rec_image i;
	struct keybuf prefix;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	if (r < 0)
		return r;
	if (!ecr_digest_valid(in->subject_id->image_digest))
		return call_fail(c, &ecr_err_invalid_parameter,
				 "Invalid parameter at 'subjectId' failed to satisfy constraint: 'not a digest'");
	if (in->next_token.p && page_parse(c, in->next_token, &after) < 0)
		return bad_token(c);
	out->referrers.v = arena_alloc(c->arena, 1);
	ecr_key(&prefix, &p, "ecr.ref", in->subject_id->image_digest, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&prefix), after, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		struct str rest = key;

		if (out->referrers.n == limit) {
			out->next_token = page_token(c, after);
			r = 0;
			break;
		}
		after = str_dup(c->arena, key);
		r = key_take_begin(&rest, &account, &table);
		while (r == 0 && rest.n) {
			r = key_take_str(&rest, c->arena, &part);
			digest = part;
		}
		if (r == 0)
			r = ecr_image_read(c->txn, c->arena, &p, str_dup(c->arena, digest), &i);
		if (r < 0)
			break;
		if (in->filter && in->filter->artifact_types.n &&
		    !str_list_has(&(struct str_list){ in->filter->artifact_types.v, in->filter->artifact_types.n }, i.artifact_type))
			continue;
		vec_push(c->arena, out->referrers.v, out->referrers.n, cap) = (struct ecr_image_referrer){ .digest = i.digest,
													   .media_type = i.media_type,
													   .artifact_type = i.artifact_type,
													   .size = i.bytes,
													   .annotations = i.annotations,
													   .artifact_status = S("ACTIVE") };
	}
	store_range_close(&range);
	return r;
}

/* Nothing scans images here; so there is never a scan to be found. */
ECR_HANDLER(describe_image_scan_findings)
{
	struct ecr_rec_repository p;
	struct ecr_rec_image i;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	if (r == 0)
		r = find_or_refuse(c, &p, in->image_id, &i);
	if (r < 0)
		return r;
	return call_fail(
		c, &ecr_err_scan_not_found,
		"Image scan does not exist for the image with '%.*s' in the repository with name '%.*s' in the registry with id '%.*s' "
		"(this cloud has no image scanner)",
		STR(id_text(c->arena, in->image_id)), STR(p.name), STR(p.account));
}
