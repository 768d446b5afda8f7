/* SPDX-License-Identifier: Apache-2.0 */
/* images.c - images come and go: PutImage, BatchDeleteImage. */
#include "base/glob.h"
#include "svc/ecr/ecr_int.h"
#include <errno.h>

struct push { /* an image on its way in */
	struct call *c;
	struct ecr_rec_repository *repo;
	const struct ecr_put_image_request *in;
	struct ecr_manifest m;
	struct ecr_rec_image image;
	struct ecr_change ch;
	bool exists; /* the same manifest was pushed before */
};

static struct str digest_of(struct arena *a, struct str text)
{
	uint8_t d[32];

	hash_sha256(text.p, text.n, d);
	return str_printf(a, "sha256:%.*s", STR(hex_encode(a, d, sizeof d)));
}

static int bad_manifest(struct call *c, struct str why)
{
	return call_fail(c, &ecr_err_invalid_parameter, "Invalid parameter at 'ImageManifest' failed to satisfy constraint: '%.*s'",
			 STR(why));
}

/* What the image is made of must be in the repository already. */
static int check_parts(struct push *w)
{
	struct str missing[8];
	size_t n = 0;
	int64_t size = 0;
	int r = 0;

	for (size_t i = 0; i < w->m.layers.n && (r == 0 || r == -ENOENT); i++) {
		struct ecr_rec_layer l;

		r = ecr_layer_read(w->c->txn, w->c->arena, w->repo, w->m.layers.v[i].digest, &l);
		if (r == -ENOENT && n < ELEMENTS(missing))
			missing[n++] = w->m.layers.v[i].digest;
		else if (r == 0)
			size += l.size.v;
	}
	if (n)
		return call_fail(
			w->c, &ecr_err_layers_not_found,
			"Layers with digests '%.*s' required for pushing image into repository with name '%.*s' in the registry with id "
			"'%.*s' do not exist",
			STR(str_join(w->c->arena, missing, n, S(", "))), STR(w->repo->name), STR(w->repo->account));
	for (size_t i = 0; i < w->m.children.n && r == 0; i++) {
		struct ecr_rec_image child;

		r = ecr_image_read(w->c->txn, w->c->arena, w->repo, w->m.children.v[i], &child);
		if (r == -ENOENT)
			return call_fail(
				w->c, &ecr_err_referenced_images_not_found,
				"Images with digests '%.*s' required for pushing image into repository with name '%.*s' in the registry "
				"with id '%.*s' do not exist",
				STR(w->m.children.v[i]), STR(w->repo->name), STR(w->repo->account));
		if (r == 0)
			size += child.size.v;
	}
	w->image.size = OPT_INT(size);
	return r;
}

/* May a tag that stands for another image be moved? Source: "Preventing image tags from being overwritten". */
static bool immutable(const struct ecr_rec_repository *p, struct str tag)
{
	bool excluded = false, on = str_starts(p->mutability, S("IMMUTABLE"));

	for (size_t i = 0; i < p->exclusions.n; i++)
		excluded |= glob_match(p->exclusions.v[i], tag);
	return on != excluded;
}

static int set_tag(struct push *w, struct str tag)
{
	struct call *c = w->c;
	struct str *v, held;
	int r = ecr_tag_read(c->txn, c->arena, w->repo, tag, &held);

	if (r == 0 && str_eq(held, w->image.digest))
		return call_fail(
			c, &ecr_err_image_already_exists,
			"Image with digest '%.*s' and tag '%.*s' already exists in the repository with name '%.*s' in registry with id "
			"'%.*s'",
			STR(held), STR(tag), STR(w->repo->name), STR(w->repo->account));
	if (r == 0 && immutable(w->repo, tag))
		return call_fail(
			c, &ecr_err_image_tag_already_exists,
			"The image tag '%.*s' already exists in the '%.*s' repository and cannot be overwritten because the tag is "
			"immutable.",
			STR(tag), STR(w->repo->name));
	if (r == 0)
		r = ecr_tag_drop(&w->ch, tag);
	if (r < 0 && r != -ENOENT)
		return r;
	if (w->image.tags.n >= ECR_IMAGE_TAGS_MAX)
		return call_fail(c, &ecr_err_limit_exceeded, "The image already has the maximum number of tags (%d)", ECR_IMAGE_TAGS_MAX);
	v = arena_array(c->arena, struct str, w->image.tags.n + 1);
	if (w->image.tags.n)
		memcpy(v, w->image.tags.v, w->image.tags.n * sizeof *v);
	v[w->image.tags.n++] = tag;
	w->image.tags.v = v;
	return ecr_tag_put(c->txn, w->repo, tag, w->image.digest);
}

static int mark(struct push *w, const char *table, struct str a, struct str b)
{
	struct keybuf k;

	ecr_key(&k, w->repo, table, a, b);
	return store_put(w->c->txn, key_view(&k), S("1"));
}

static int store_text(struct push *w)
{
	struct call *c = w->c;
	uint8_t kek[32];
	struct str sealed;
	struct keybuf k;
	int r = ecr_seal_new(c, w->repo, kek, &w->image.data_key);

	if (r < 0)
		return r;
	sealed = ecr_wrap(c->arena, kek, w->image.digest, w->in->image_manifest);
	mem_wipe(kek, sizeof kek);
	ecr_key(&k, w->repo, "ecr.text", w->image.digest, STR_NONE);
	return store_put(c->txn, key_view(&k), sealed);
}

static int store_new(struct push *w)
{
	int r;

	if (w->repo->images.v >= ECR_IMAGES_MAX)
		return call_fail(w->c, &ecr_err_limit_exceeded, "The repository already has the maximum number of images (%d)",
				 ECR_IMAGES_MAX);
	w->image.media_type = w->m.media_type;
	w->image.artifact_type = w->m.artifact_type;
	w->image.bytes = OPT_INT((int64_t)w->in->image_manifest.n);
	w->image.pushed = OPT_TIME(w->c->now_ms);
	w->image.layers = w->m.layers;
	w->image.children = w->m.children;
	w->image.subject = w->m.subject;
	w->image.annotations = w->m.annotations;
	r = store_text(w);
	for (size_t i = 0; i < w->m.layers.n && r == 0; i++)
		r = mark(w, "ecr.use", w->m.layers.v[i].digest, w->image.digest);
	for (size_t i = 0; i < w->m.children.n && r == 0; i++)
		r = mark(w, "ecr.parent", w->m.children.v[i], w->image.digest);
	if (r == 0 && w->m.subject.p)
		r = mark(w, "ecr.ref", w->m.subject, w->image.digest);
	w->repo->images = OPT_INT(w->repo->images.v + 1);
	return r < 0 ? r : ecr_repo_put(w->c->txn, w->repo);
}

static int push_image(struct push *w)
{
	struct call *c = w->c;
	struct str digest = digest_of(c->arena, w->in->image_manifest), why;
	int r;

	if (w->in->image_digest.p && !str_eq(w->in->image_digest, digest))
		return call_fail(c, &ecr_err_image_digest_does_not_match,
				 "The provided digest '%.*s' does not match the image's digest '%.*s'", STR(w->in->image_digest),
				 STR(digest));
	if (w->in->image_tag.p && !ecr_tag_valid(w->in->image_tag))
		return call_fail(c, &ecr_err_invalid_parameter,
				 "Invalid parameter at 'imageTag' failed to satisfy constraint: 'must satisfy regular expression "
				 "'[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}''");
	if (ecr_manifest_parse(c->arena, w->in->image_manifest, w->in->image_manifest_media_type, &w->m, &why) < 0)
		return bad_manifest(c, why);
	r = ecr_image_read(c->txn, c->arena, w->repo, digest, &w->image);
	if (r < 0 && r != -ENOENT)
		return r;
	w->exists = r == 0;
	if (w->exists && !w->in->image_tag.p)
		return call_fail(
			c, &ecr_err_image_already_exists,
			"Image with digest '%.*s' and tag 'null' already exists in the repository with name '%.*s' in registry with id "
			"'%.*s'",
			STR(digest), STR(w->repo->name), STR(w->repo->account));
	if (!w->exists) {
		w->image = (struct ecr_rec_image){ .digest = digest };
		r = check_parts(w);
		if (r == 0)
			r = store_new(w);
	}
	if (r == 0 && w->in->image_tag.p)
		r = set_tag(w, w->in->image_tag);
	return r < 0 ? r : ecr_image_put(c->txn, w->repo, &w->image);
}

ECR_HANDLER(put_image)
{
	struct ecr_rec_repository p;
	struct push w = { .c = c, .repo = &p, .in = in, .ch = { .txn = c->txn, .arena = c->arena, .repo = &p } };
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	if (r == 0)
		r = push_image(&w);
	if (r < 0)
		return r;
	out->image = arena_new(c->arena, struct ecr_image);
	*out->image = (struct ecr_image){ .registry_id = p.account,
					  .repository_name = p.name,
					  .image_manifest = in->image_manifest,
					  .image_manifest_media_type = w.image.media_type };
	out->image->image_id = arena_new(c->arena, struct ecr_image_identifier);
	*out->image->image_id = (struct ecr_image_identifier){ w.image.digest, in->image_tag };
	return 0;
}

int ecr_image_text(struct call *c, const struct ecr_rec_repository *p, const struct ecr_rec_image *i, struct str *ret)
{
	struct str sealed, why;
	uint8_t kek[32];
	struct keybuf k;
	int r;

	ecr_key(&k, p, "ecr.text", i->digest, STR_NONE);
	r = store_get(c->txn, key_view(&k), &sealed);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	r = ecr_seal_open(c, p, i->data_key, kek, &why);
	if (r == 0)
		r = ecr_unwrap(c->arena, kek, i->digest, sealed, ret);
	mem_wipe(kek, sizeof kek);
	return r;
}

/* --- finding by what a request says --- */
int ecr_image_find(struct call *c, const struct ecr_rec_repository *p, const struct ecr_image_identifier *id, struct ecr_rec_image *ret,
		   const char **ret_code, const char **ret_reason)
{
	struct str digest = id->image_digest;
	int r = 0;

	*ret_code = NULL;
	if (!id->image_digest.p && !id->image_tag.p) {
		*ret_code = "MissingDigestAndTag";
		*ret_reason = "Invalid request parameters: both tag and digest cannot be null";
	} else if (id->image_digest.p && !ecr_digest_valid(id->image_digest)) {
		*ret_code = "InvalidImageDigest";
		*ret_reason = "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'";
	} else if (id->image_tag.p && !ecr_tag_valid(id->image_tag)) {
		*ret_code = "InvalidImageTag";
		*ret_reason = "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9-_.]+'";
	}
	if (*ret_code)
		return 0;
	if (id->image_tag.p) {
		r = ecr_tag_read(c->txn, c->arena, p, id->image_tag, &digest);
		if (r == 0 && id->image_digest.p && !str_eq(digest, id->image_digest)) {
			*ret_code = "ImageTagDoesNotMatchDigest";
			*ret_reason = "Tag does not map to provided digest";
			return 0;
		}
	}
	if (r == 0)
		r = ecr_image_read(c->txn, c->arena, p, digest, ret);
	if (r == -ENOENT) {
		*ret_code = "ImageNotFound";
		*ret_reason = "Requested image not found";
		r = 0;
	}
	return r;
}

/* --- deleting --- */
struct removal {
	struct ecr_change ch;
	struct ecr_batch_delete_image_response *out;
	size_t ids, failures;
};

static void deleted(struct removal *d, struct str digest, struct str tag)
{
	vec_push(d->ch.arena, d->out->image_ids.v, d->out->image_ids.n, d->ids) = (struct ecr_image_identifier){ digest, tag };
}

/* A tag goes alone; with its last one, or by digest, the image goes. */
static int delete_one(struct call *c, struct removal *d, struct ecr_rec_repository *p, struct ecr_image_identifier *id)
{
	const char *code, *reason = NULL;
	struct ecr_rec_image i;
	struct str parent = STR_NONE, why = STR_NONE;
	int r = ecr_image_find(c, p, id, &i, &code, &reason);

	if (r < 0)
		return r;
	if (!code && id->image_tag.p && i.tags.n > 1) {
		deleted(d, i.digest, id->image_tag);
		return ecr_tag_drop(&d->ch, id->image_tag);
	}
	if (!code) {
		r = ecr_any_key(c->txn, c->arena, p, "ecr.parent", i.digest, &parent);
		if (r < 0)
			return r;
		if (r == 1) {
			code = "ImageReferencedByManifestList";
			why = str_printf(c->arena, "Requested image referenced by manifest list: [%.*s]", STR(parent));
		}
	}
	if (code) {
		vec_push(c->arena, d->out->failures.v, d->out->failures.n,
			 d->failures) = (struct ecr_image_failure){ id, str_c(code), why.p ? why : str_c(reason) };
		return 0;
	}
	for (size_t t = 0; t < i.tags.n; t++)
		deleted(d, i.digest, i.tags.v[t]);
	if (!i.tags.n)
		deleted(d, i.digest, STR_NONE);
	p->images.v--;
	return ecr_image_drop(&d->ch, &i);
}

ECR_HANDLER(batch_delete_image)
{
	struct ecr_rec_repository p;
	struct removal d = { .ch = { .txn = c->txn, .arena = c->arena, .repo = &p }, .out = out };
	bool *index;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	index = arena_array(c->arena, bool, in->image_ids.n + 1);
	for (size_t i = 0; i < in->image_ids.n && r == 0; i++) {
		struct ecr_rec_image img = { 0 };
		const char *code, *reason;

		r = ecr_image_find(c, &p, &in->image_ids.v[i], &img, &code, &reason);
		index[i] = img.children.n > 0;
	}
	for (int pass = 0; pass < 2; pass++) /* indexes first, so that one call may delete them with what they hold */
		for (size_t i = 0; i < in->image_ids.n && r == 0; i++)
			if (index[i] == (pass == 0))
				r = delete_one(c, &d, &p, &in->image_ids.v[i]);
	if (r < 0)
		return r;
	if (!out->image_ids.v)
		out->image_ids.v = arena_alloc(c->arena, 1);
	if (!out->failures.v)
		out->failures.v = arena_alloc(c->arena, 1);
	ecr_change_on_commit(c, &d.ch);
	return ecr_repo_put(c->txn, &p);
}
