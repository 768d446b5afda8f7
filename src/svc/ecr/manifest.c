/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.c - image manifests, read as far as a registry must: what an image is made of. Pure functions. Sources: "Image Manifest
 * V 2, Schema 2" (Docker), OCI Image Specification 1.1 (manifest.md, image-index.md). */
#include "svc/ecr/ecr_int.h"
#include <errno.h>

#define PARTS_MAX 4200 /* quota "Layers per image" is far below it */
#define ANNOTATIONS_MAX 256

static const char docker_manifest[] = "application/vnd.docker.distribution.manifest.v2+json";
static const char docker_list[] = "application/vnd.docker.distribution.manifest.list.v2+json";
static const char oci_manifest[] = "application/vnd.oci.image.manifest.v1+json";
static const char oci_index[] = "application/vnd.oci.image.index.v1+json";

static int wrong(struct str *ret, const char *why)
{
	*ret = str_c(why);
	return -EINVAL;
}

bool ecr_digest_valid(struct str d)
{
	if (d.n != 71 || !str_starts(d, S("sha256:")))
		return false;
	for (size_t i = 7; i < d.n; i++)
		if (!((d.p[i] >= '0' && d.p[i] <= '9') || (d.p[i] >= 'a' && d.p[i] <= 'f')))
			return false;
	return true;
}

/* [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127} */
bool ecr_tag_valid(struct str t)
{
	if (!t.n || t.n > 128 || t.p[0] == '.' || t.p[0] == '-')
		return false;
	for (size_t i = 0; i < t.n; i++)
		if (!memchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", t.p[i], 65))
			return false;
	return true;
}

static int read_descriptor(struct arena *a, const struct json *j, struct ecr_rec_part *ret, struct str *err)
{
	struct str digest = json_str(json_getz(j, "digest"));
	int64_t size;

	if (!json_is(j, JSON_OBJECT) || !ecr_digest_valid(digest))
		return wrong(err, "Invalid image manifest: a descriptor has no valid digest");
	if (!json_is(json_getz(j, "size"), JSON_NUMBER) || json_to_i64(json_getz(j, "size"), &size) < 0 || size < 0)
		return wrong(err, "Invalid image manifest: a descriptor has no valid size");
	*ret = (struct ecr_rec_part){ .digest = str_dup(a, digest), .size = OPT_INT(size) };
	if (json_is(json_getz(j, "mediaType"), JSON_STRING))
		ret->media_type = str_dup(a, json_str(json_getz(j, "mediaType")));
	return 0;
}

/* Layers that are fetched from elsewhere are not in the registry. */
static bool foreign(const struct ecr_rec_part *p)
{
	return str_find(p->media_type, S("foreign")) >= 0 || str_find(p->media_type, S("nondistributable")) >= 0;
}

static bool has_part(const struct ecr_rec_part_list *l, struct str digest)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].digest, digest))
			return true;
	return false;
}

static int read_image(struct arena *a, const struct json *j, struct ecr_manifest *m, struct str *err)
{
	const struct json *config = json_getz(j, "config"), *layers = json_getz(j, "layers");
	struct ecr_rec_part p;

	if (!config || !json_is(layers, JSON_ARRAY) || layers->n > PARTS_MAX)
		return wrong(err, "Invalid image manifest: config and layers are required");
	m->layers.v = arena_array(a, struct ecr_rec_part, layers->n + 1);
	if (read_descriptor(a, config, &m->layers.v[0], err) < 0)
		return -EINVAL;
	m->layers.n = 1;
	m->size = m->layers.v[0].size.v;
	if (!m->artifact_type.p)
		m->artifact_type = m->layers.v[0].media_type;
	for (size_t i = 0; i < layers->n; i++) {
		if (read_descriptor(a, &layers->items[i], &p, err) < 0)
			return -EINVAL;
		if (p.size.v > (int64_t)ECR_LAYER_BYTES_MAX || m->size > INT64_MAX - p.size.v)
			return wrong(err, "Invalid image manifest: a layer is too large");
		if (foreign(&p) || has_part(&m->layers, p.digest))
			continue;
		m->size += p.size.v;
		m->layers.v[m->layers.n++] = p;
	}
	return 0;
}

static int read_index(struct arena *a, const struct json *j, struct ecr_manifest *m, struct str *err)
{
	const struct json *l = json_getz(j, "manifests");
	struct ecr_rec_part p;

	if (!json_is(l, JSON_ARRAY) || l->n > PARTS_MAX)
		return wrong(err, "Invalid image manifest: manifests are required");
	m->children.v = arena_array(a, struct str, l->n + 1);
	for (size_t i = 0; i < l->n; i++) {
		if (read_descriptor(a, &l->items[i], &p, err) < 0)
			return -EINVAL;
		if (!str_list_has(&m->children, p.digest))
			m->children.v[m->children.n++] = p.digest;
	}
	return 0;
}

static int read_annotations(struct arena *a, const struct json *j, struct ecr_manifest *m, struct str *err)
{
	if (!j)
		return 0;
	if (!json_is(j, JSON_OBJECT) || j->n > ANNOTATIONS_MAX)
		return wrong(err, "Invalid image manifest: annotations must be a map of strings");
	m->annotations.v = arena_array(a, struct str_pair, j->n + 1);
	for (size_t i = 0; i < j->n; i++) {
		if (!json_is(&j->members[i].value, JSON_STRING))
			return wrong(err, "Invalid image manifest: annotations must be a map of strings");
		m->annotations.v[m->annotations.n++] = (struct str_pair){ str_dup(a, j->members[i].key),
									  str_dup(a, json_str(&j->members[i].value)) };
	}
	return 0;
}

int ecr_manifest_parse(struct arena *a, struct str text, struct str media_type, struct ecr_manifest *ret, struct str *err)
{
	struct str own, type;
	struct ecr_rec_part p;
	struct json *j;
	int64_t version;

	*ret = (struct ecr_manifest){ 0 };
	if (text.n > ECR_MANIFEST_BYTES_MAX || json_parse(a, text, &j, NULL) < 0 || !json_is(j, JSON_OBJECT))
		return wrong(err, "Invalid JSON syntax");
	if (json_to_i64(json_getz(j, "schemaVersion"), &version) < 0 || version != 2)
		return wrong(err, "Unsupported manifest: only schema version 2 is taken");
	own = json_str(json_getz(j, "mediaType"));
	if (own.p && media_type.p && !str_eq(own, media_type))
		return wrong(err, "The media type of the manifest and that of the request differ");
	type = own.p ? own : media_type.p ? media_type : json_getz(j, "manifests") ? str_c(oci_index) : str_c(oci_manifest);
	ret->media_type = str_dup(a, type);
	if (json_is(json_getz(j, "artifactType"), JSON_STRING))
		ret->artifact_type = str_dup(a, json_str(json_getz(j, "artifactType")));
	if (read_annotations(a, json_getz(j, "annotations"), ret, err) < 0)
		return -EINVAL;
	if (json_getz(j, "subject")) {
		if (read_descriptor(a, json_getz(j, "subject"), &p, err) < 0)
			return -EINVAL;
		ret->subject = p.digest;
	}
	if (str_is(type, docker_manifest) || str_is(type, oci_manifest))
		return read_image(a, j, ret, err);
	if (str_is(type, docker_list) || str_is(type, oci_index))
		return read_index(a, j, ret, err);
	return wrong(err, "Unsupported manifest media type");
}
