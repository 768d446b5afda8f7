/* SPDX-License-Identifier: Apache-2.0 */
/* registry.c - the OCI distribution API on ACCOUNT.dkr.ecr.REGION: who comes, what it wants, and reading.
 *
 * A visitor shows a password that GetAuthorizationToken gave out. What it asks for is then done by calls of ECR's API as the
 * principal behind the password, through the one door: identity and repository policies decide, and the trail holds what ECR's
 * would. Sources: OCI Distribution Specification 1.1, "Private registry authentication" (Amazon ECR User Guide). */
#include "svc/ecr/registry.h"
#include "svc/services.h"
#include <errno.h>

#define TAGS_PAGE_MAX 1000
#define SMALL_BODY_MAX 65536

static const char json_type[] = "application/json; charset=utf-8";

/* --- answers --- */
void registry_header(struct visit *v, const char *name, struct str value)
{
	if (v->n_headers < REGISTRY_HEADERS_MAX - 2)
		v->headers[v->n_headers++] = (struct http_header){ str_c(name), value };
}

static void leave(struct visit *v, struct http_reply *reply)
{
	struct region *r = v->region;

	reply->headers = v->headers;
	reply->n_headers = v->n_headers;
	reply->head = str_is(v->f->http->method, "HEAD");
	if (v->upload)
		ecr_upload_give(v->upload);
	v->upload = NULL;
	http_reply(v->f->http, reply); /* v is in the request's memory: not touched after this */
	if (r)
		region_unuse(r);
}

void registry_answer(struct visit *v, int status, const char *type, struct str body)
{
	struct http_reply reply = { .status = status, .body = body };

	if (type)
		v->headers[v->n_headers++] = (struct http_header){ S("Content-Type"), str_c(type) };
	v->headers[v->n_headers++] = (struct http_header){ S("Docker-Distribution-Api-Version"), S("registry/2.0") };
	leave(v, &reply);
}

void registry_refuse(struct visit *v, int status, const char *code, struct str message)
{
	struct arena *a = &v->f->http->arena;
	struct json *j = json_new(a, JSON_OBJECT), *l = json_new(a, JSON_ARRAY), *e = json_new(a, JSON_OBJECT);

	json_set_str(a, e, "code", str_c(code));
	json_set_str(a, e, "message", message);
	json_push(a, l, e);
	json_set(a, j, S("errors"), l);
	registry_answer(v, status, json_type, json_text(a, j));
}

/* ECR's errors in the registry's words. */
static void refuse_call(struct visit *v, const struct call_error *e)
{
	static const struct {
		const char *code, *as;
		int status;
	} t[] = {
		{ "AccessDeniedException", "DENIED", 403 },
		{ "RepositoryNotFoundException", "NAME_UNKNOWN", 404 },
		{ "ImageNotFoundException", "MANIFEST_UNKNOWN", 404 },
		{ "ReferencedImagesNotFoundException", "MANIFEST_BLOB_UNKNOWN", 400 },
		{ "UploadNotFoundException", "BLOB_UPLOAD_UNKNOWN", 404 },
		{ "InvalidLayerException", "DIGEST_INVALID", 400 },
		{ "InvalidLayerPartException", "BLOB_UPLOAD_INVALID", 416 },
		{ "EmptyUploadException", "BLOB_UPLOAD_INVALID", 400 },
		{ "ImageTagAlreadyExistsException", "TAG_INVALID", 400 },
		{ "ImageDigestDoesNotMatchException", "DIGEST_INVALID", 400 },
		{ "LimitExceededException", "DENIED", 403 },
		{ "KmsException", "DENIED", 403 },
		{ "LayerInaccessibleException", "DENIED", 403 },
		{ "Throttling", "TOOMANYREQUESTS", 429 },
	};
	const char *code = e->err ? e->err->code : "";

	if (strcmp(code, "LayersNotFoundException") == 0) {
		bool pushing = v->path.what == REG_MANIFEST;

		registry_refuse(v, pushing ? 400 : 404, pushing ? "MANIFEST_BLOB_UNKNOWN" : "BLOB_UNKNOWN", e->message);
		return;
	}
	for (size_t i = 0; i < ELEMENTS(t); i++)
		if (strcmp(code, t[i].code) == 0) {
			registry_refuse(v, t[i].status, t[i].as, e->message);
			return;
		}
	if (!e->err || e->err->status >= 500)
		registry_refuse(v, e->err ? e->err->status : 500, "UNKNOWN", e->err ? e->message : S("internal error"));
	else
		registry_refuse(v, 400, v->path.what == REG_MANIFEST ? "MANIFEST_INVALID" : "NAME_INVALID", e->message);
}

/* --- calls --- */
struct calling {
	struct visit *v;
	void (*then)(struct visit *v);
	bool (*spare)(struct visit *v, const struct call_error *e);
	struct call_facts facts;
};

static void called(void *arg, int result, const struct call_error *error)
{
	struct calling *k = arg;
	struct call_error none = { 0 };

	if (result == 0)
		k->then(k->v);
	else if (!k->spare || !k->spare(k->v, error ? error : &none))
		refuse_call(k->v, error ? error : &none);
}

void registry_call(struct visit *v, const char *op, const void *in, void *out, void (*then)(struct visit *v),
		   bool (*spare)(struct visit *v, const struct call_error *e))
{
	struct arena *a = &v->f->http->arena;
	struct calling *k = arena_new(a, struct calling);

	*k = (struct calling){ v, then, spare, v->f->facts };
	k->facts.auth_type = S("ecr-registry");
	v->pending = true;
	v->in = in;
	v->out = out;
	cloud_invoke_start(v->f->cloud, v->region, &v->who, &k->facts, &ecr_model, wire_op(&ecr_model, str_c(op)), in, out, a, called, k);
}

bool registry_may(struct visit *v, const char *action)
{
	struct call c;
	bool yes;

	if (front_call(v->f, v->region, &ecr_service, &v->who, &c) < 0)
		return false;
	yes = call_may(&c, action, str_printf(c.arena, "repo:%.*s/%.*s", STR(v->account), STR(v->path.name)), NULL, 0) == 1;
	front_call_end(&c);
	return yes;
}

int registry_repo(struct visit *v, struct ecr_rec_repository *ret)
{
	struct call c;
	int r = front_call(v->f, v->region, &ecr_service, &v->who, &c);

	if (r < 0)
		return r;
	r = ecr_repo_read(c.txn, c.arena, v->account, v->path.name, ret);
	front_call_end(&c);
	return r;
}

struct str registry_param(struct visit *v, const char *name)
{
	struct str rest = v->f->http->query, one, key, value, text;

	while (str_next(&rest, '&', &one)) {
		(void)str_cut(one, '=', &key, &value);
		if (str_is(key, name) && value.p && uri_decode(&v->f->http->arena, value, true, &text) == 0)
			return text;
	}
	return STR_NONE;
}

/* --- layers --- */
static ssize_t body_read(void *arg, char *buf, size_t n)
{
	struct body *b = arg;

	return b->read(b, buf, n);
}

static void body_close(void *arg)
{
	struct body *b = arg;

	b->free(b);
}

static void send_layer(struct visit *v, struct call *c, const struct ecr_rec_repository *p, const struct ecr_rec_layer *l)
{
	struct http_reply reply = { .status = 200 };
	struct http_source src = { .read = body_read, .close = body_close };
	struct body *b = NULL;
	uint64_t from, to;
	int part = registry_range_parse(http_header(v->f->http, "range"), (uint64_t)l->size.v, &from, &to), r;

	if (part < 0) {
		front_call_end(c);
		registry_header(v, "Content-Range", str_printf(&v->f->http->arena, "bytes */%lld", (long long)l->size.v));
		registry_refuse(v, 416, "RANGE_INVALID", S("The range is not satisfiable"));
		return;
	}
	r = ecr_layer_open(c, p, l, from, to, &b);
	front_call_end(c);
	if (r < 0) {
		if (r == -ECANCELED)
			refuse_call(v, &(struct call_error){ c->err, c->message });
		else if (r == -ENOENT)
			registry_refuse(v, 404, "BLOB_UNKNOWN", S("The layer was deleted"));
		else
			registry_refuse(v, 500, "UNKNOWN", S("internal error"));
		return;
	}
	if (part) {
		reply.status = 206;
		registry_header(v, "Content-Range",
				str_printf(&v->f->http->arena, "bytes %llu-%llu/%lld", (unsigned long long)from, (unsigned long long)to - 1,
					   (long long)l->size.v));
	}
	registry_header(v, "Docker-Content-Digest", l->digest);
	registry_header(v, "Content-Type", S("application/octet-stream"));
	registry_header(v, "Accept-Ranges", S("bytes"));
	src.arg = b;
	reply.source = &src;
	reply.source_bytes = b->length;
	leave(v, &reply);
}

static void open_layer(struct visit *v, struct str account, struct str repo, struct str digest, struct call *c)
{
	struct ecr_rec_repository *p = arena_new(c->arena, struct ecr_rec_repository);
	struct ecr_rec_layer *l = arena_new(c->arena, struct ecr_rec_layer);
	int r = ecr_repo_read(c->txn, c->arena, account, repo, p);

	if (r == 0)
		r = ecr_layer_read(c->txn, c->arena, p, digest, l);
	if (r == 0) {
		send_layer(v, c, p, l);
		return;
	}
	front_call_end(c);
	registry_refuse(v, r == -ENOENT ? 404 : 500, r == -ENOENT ? "BLOB_UNKNOWN" : "UNKNOWN", S("The layer does not exist"));
}

/* What GetDownloadUrlForLayer has allowed is sent at once, instead of sending the client to that URL. */
static void blob_allowed(struct visit *v)
{
	struct call *c = arena_new(&v->f->http->arena, struct call);

	if (front_call(v->f, v->region, &ecr_service, &v->who, c) < 0) {
		registry_refuse(v, 503, "UNAVAILABLE", S("The region is stopped"));
		return;
	}
	open_layer(v, v->account, v->path.name, v->path.ref, c);
}

static void by_url(struct visit *v)
{
	struct call *c = arena_new(&v->f->http->arena, struct call);
	struct str account, repo, digest;

	v->who.p.type = PRINCIPAL_ANONYMOUS;
	v->who.name = S("anonymous");
	if (front_call(v->f, v->region, &ecr_service, &v->who, c) < 0) {
		registry_refuse(v, 503, "UNAVAILABLE", S("The region is stopped"));
		return;
	}
	if (ecr_url_open(c, v->path.ref, &account, &repo, &digest) < 0 || !str_eq(account, v->account)) {
		front_call_end(c);
		registry_refuse(v, 403, "DENIED", S("Request has expired"));
		return;
	}
	open_layer(v, account, repo, digest, c);
}

static void blob_looked(struct visit *v)
{
	const struct ecr_batch_check_layer_availability_response *out = v->out;
	struct http_reply reply = { .status = 200 };

	if (!out->layers.n || !str_is(out->layers.v[0].layer_availability, "AVAILABLE")) {
		registry_refuse(v, 404, "BLOB_UNKNOWN", S("The layer does not exist"));
		return;
	}
	registry_header(v, "Docker-Content-Digest", v->path.ref);
	registry_header(v, "Content-Type", S("application/octet-stream"));
	reply.source_bytes = (uint64_t)out->layers.v[0].layer_size.v;
	leave(v, &reply);
}

static void get_blob(struct visit *v)
{
	struct arena *a = &v->f->http->arena;

	if (!ecr_digest_valid(v->path.ref)) {
		registry_refuse(v, 400, "DIGEST_INVALID", S("The digest is not a SHA-256 digest"));
	} else if (str_is(v->f->http->method, "HEAD")) {
		struct ecr_batch_check_layer_availability_request *in = arena_new(a, struct ecr_batch_check_layer_availability_request);

		in->registry_id = v->account;
		in->repository_name = v->path.name;
		in->layer_digests.v = &v->path.ref;
		in->layer_digests.n = 1;
		registry_call(v, "BatchCheckLayerAvailability", in, arena_new(a, struct ecr_batch_check_layer_availability_response),
			      blob_looked, NULL);
	} else {
		struct ecr_get_download_url_for_layer_request *in = arena_new(a, struct ecr_get_download_url_for_layer_request);

		*in = (struct ecr_get_download_url_for_layer_request){ v->account, v->path.name, v->path.ref };
		registry_call(v, "GetDownloadUrlForLayer", in, arena_new(a, struct ecr_get_download_url_for_layer_response), blob_allowed,
			      NULL);
	}
}

/* --- manifests --- */
static void manifest_got(struct visit *v)
{
	const struct ecr_batch_get_image_response *out = v->out;
	struct http_reply reply = { .status = 200 };

	if (!out->images.n) {
		bool kms = out->failures.n && str_is(out->failures.v[0].failure_code, "KmsError");

		registry_refuse(v, kms ? 403 : 404, kms ? "DENIED" : "MANIFEST_UNKNOWN",
				out->failures.n ? out->failures.v[0].failure_reason : S("Requested image not found"));
		return;
	}
	registry_header(v, "Docker-Content-Digest", out->images.v[0].image_id->image_digest);
	registry_header(v, "Content-Type", out->images.v[0].image_manifest_media_type);
	reply.body = out->images.v[0].image_manifest;
	leave(v, &reply);
}

static void get_manifest(struct visit *v)
{
	struct arena *a = &v->f->http->arena;
	struct ecr_batch_get_image_request *in = arena_new(a, struct ecr_batch_get_image_request);
	struct ecr_image_identifier *id = arena_new(a, struct ecr_image_identifier);

	if (str_find_char(v->path.ref, ':') >= 0)
		id->image_digest = v->path.ref;
	else
		id->image_tag = v->path.ref;
	in->registry_id = v->account;
	in->repository_name = v->path.name;
	in->image_ids.v = id;
	in->image_ids.n = 1;
	registry_call(v, "BatchGetImage", in, arena_new(a, struct ecr_batch_get_image_response), manifest_got, NULL);
}

/* --- tags --- */
struct tags {
	struct arena *arena;
	struct json *list;
	size_t limit;
	struct str last;
	bool more;
};

static int take_tag(void *arg, struct str last, struct str value, struct str key)
{
	struct tags *t = arg;

	if (t->list->n == t->limit) {
		t->more = true;
		return 1;
	}
	t->last = str_dup(t->arena, last);
	json_push(t->arena, t->list, json_new_str(t->arena, t->last));
	return 0;
}

static void tags_allowed(struct visit *v)
{
	struct arena *a = &v->f->http->arena;
	struct json *j = json_new(a, JSON_OBJECT);
	struct str n = registry_param(v, "n"), last = registry_param(v, "last");
	struct tags t = { .arena = a, .list = json_new(a, JSON_ARRAY), .limit = TAGS_PAGE_MAX };
	struct ecr_rec_repository p;
	struct keybuf after;
	uint64_t limit;
	struct call c;
	int r = front_call(v->f, v->region, &ecr_service, &v->who, &c);

	if (n.p && str_to_u64(n, &limit) == 0 && limit < TAGS_PAGE_MAX)
		t.limit = (size_t)limit;
	if (r == 0) {
		r = ecr_repo_read(c.txn, a, v->account, v->path.name, &p);
		if (r == 0) {
			ecr_key(&after, &p, "ecr.tag", last, STR_NONE);
			r = t.limit ? ecr_each(c.txn, &p, "ecr.tag", last.n && last.n <= 128 ? key_view(&after) : STR_NONE, take_tag, &t)
				    : 0;
		}
		front_call_end(&c);
	}
	if (r < 0) {
		registry_refuse(v, r == -ENOENT ? 404 : 500, r == -ENOENT ? "NAME_UNKNOWN" : "UNKNOWN", S("The repository cannot be read"));
		return;
	}
	json_set_str(a, j, "name", v->path.name);
	json_set(a, j, S("tags"), t.list);
	if (t.more)
		registry_header(
			v, "Link",
			str_printf(a, "</v2/%.*s/tags/list?n=%zu&last=%.*s>; rel=\"next\"", STR(v->path.name), t.limit, STR(t.last)));
	registry_answer(v, 200, json_type, json_text(a, j));
}

/* --- referrers --- */
static void referrers_got(struct visit *v)
{
	const struct ecr_list_image_referrers_response *out = v->out;
	struct arena *a = &v->f->http->arena;
	struct json *j = json_new(a, JSON_OBJECT), *l = json_new(a, JSON_ARRAY);

	json_set_int(a, j, "schemaVersion", 2);
	json_set_str(a, j, "mediaType", S("application/vnd.oci.image.index.v1+json"));
	for (size_t i = 0; i < out->referrers.n; i++) {
		const struct ecr_image_referrer *r = &out->referrers.v[i];
		struct json *d = json_new(a, JSON_OBJECT), *notes = json_new(a, JSON_OBJECT);

		json_set_str(a, d, "mediaType", r->media_type);
		json_set_str(a, d, "digest", r->digest);
		json_set_int(a, d, "size", r->size.v);
		json_set_str(a, d, "artifactType", r->artifact_type);
		for (size_t k = 0; k < r->annotations.n; k++)
			json_set(a, notes, r->annotations.v[k].key, json_new_str(a, r->annotations.v[k].value));
		if (notes->n)
			json_set(a, d, S("annotations"), notes);
		json_push(a, l, d);
	}
	json_set(a, j, S("manifests"), l);
	if (registry_param(v, "artifactType").n)
		registry_header(v, "OCI-Filters-Applied", S("artifactType"));
	registry_answer(v, 200, "application/vnd.oci.image.index.v1+json", json_text(a, j));
}

static void get_referrers(struct visit *v)
{
	struct arena *a = &v->f->http->arena;
	struct ecr_list_image_referrers_request *in = arena_new(a, struct ecr_list_image_referrers_request);
	struct str *type = arena_new(a, struct str);

	if (!ecr_digest_valid(v->path.ref)) {
		registry_refuse(v, 400, "DIGEST_INVALID", S("The digest is not a SHA-256 digest"));
		return;
	}
	in->registry_id = v->account;
	in->repository_name = v->path.name;
	in->subject_id = arena_new(a, struct ecr_subject_identifier);
	in->subject_id->image_digest = v->path.ref;
	*type = registry_param(v, "artifactType");
	if (type->n) {
		in->filter = arena_new(a, struct ecr_list_image_referrers_filter);
		in->filter->artifact_types.v = type;
		in->filter->artifact_types.n = 1;
	}
	registry_call(v, "ListImageReferrers", in, arena_new(a, struct ecr_list_image_referrers_response), referrers_got, NULL);
}

static void get_tags(struct visit *v)
{
	struct arena *a = &v->f->http->arena;
	struct ecr_list_images_request *in = arena_new(a, struct ecr_list_images_request);

	in->registry_id = v->account;
	in->repository_name = v->path.name;
	in->max_results = OPT_INT(1);
	registry_call(v, "ListImages", in, arena_new(a, struct ecr_list_images_response), tags_allowed, NULL);
}

/* --- who comes --- */
static void not_authorized(struct visit *v, struct str why)
{
	registry_header(
		v, "WWW-Authenticate",
		str_printf(&v->f->http->arena, "Basic realm=\"https://%.*s/\",service=\"ecr.amazonaws.com\"", STR(v->f->http->host)));
	registry_refuse(v, 401, "UNAUTHORIZED", why);
}

/* 0; else the visitor was answered. */
static int authenticate(struct visit *v)
{
	struct arena *a = &v->f->http->arena;
	struct str header = http_header(v->f->http, "authorization"), plain, user, password;
	struct store_txn *g = NULL;
	int r = -EACCES;

	if (http_header_count(v->f->http, "authorization") != 1 || header.n < 6 || !str_eq_ci(str_of(header.p, 6), S("basic "))) {
		not_authorized(v, S("authentication required"));
		return -EACCES;
	}
	if (base64_decode(a, str_trim(str_skip(header, 6)), &plain) == 0 && str_cut(plain, ':', &user, &password) && str_is(user, "AWS") &&
	    store_begin_read(cloud_global(v->f->cloud), &g) == 0)
		r = ecr_token_open(v->f->cloud, v->region, g, password, clock_now_ms(), a, &v->who);
	store_end(g);
	if (r == -ESTALE)
		registry_refuse(v, 403, "DENIED", S("Your authorization token has expired. Reauthenticate and try again."));
	else if (r < 0)
		not_authorized(v, S("Your Authorization Token is invalid."));
	return r;
}

static bool host_parse(struct str host, struct str *account, struct str *region)
{
	if (host.n < 22 || !str_starts(str_skip(host, 12), S(".dkr.ecr.")))
		return false;
	*account = str_of(host.p, 12);
	if (!str_digits(*account))
		return false;
	*region = str_skip(host, 21);
	return true;
}

static bool claims(struct cloud *cl, const struct http_request *r, struct str host)
{
	struct str account, region;

	return host_parse(host, &account, &region);
}

static void unsupported(struct visit *v)
{
	registry_refuse(v, 405, "UNSUPPORTED", S("The operation is unsupported."));
}

/* true: it goes on when the body is there. Else it was answered, or takes the body itself. */
static bool route(struct visit *v, bool get)
{
	switch (v->path.what) {
	case REG_PING:
		if (get)
			registry_answer(v, 200, json_type, S("{}"));
		else
			unsupported(v);
		return false;
	case REG_BLOB:
		v->step = get ? get_blob : NULL;
		break;
	case REG_MANIFEST:
		if (str_is(v->f->http->method, "PUT")) {
			v->f->http->body_max = ECR_MANIFEST_BYTES_MAX;
			v->step = registry_manifest_put;
		} else
			v->step = get ? get_manifest : str_is(v->f->http->method, "DELETE") ? registry_manifest_delete : NULL;
		break;
	case REG_TAGS:
		v->step = get ? get_tags : NULL;
		break;
	case REG_REFERRERS:
		v->step = get ? get_referrers : NULL;
		break;
	case REG_UPLOADS:
		v->step = str_is(v->f->http->method, "POST") ? registry_uploads : NULL;
		break;
	case REG_UPLOAD:
		registry_upload_headers(v);
		return false;
	default:
		break;
	}
	if (!v->step)
		unsupported(v); /* _catalog, too: as ECR, which tells of its repositories by its API alone */
	return v->step != NULL;
}

static void not_running(struct visit *v, struct str region)
{
	registry_refuse(v, 503, "UNAVAILABLE", str_printf(&v->f->http->arena, "The region %.*s is not running in this cloud", STR(region)));
}

static void headers(struct front_request *f)
{
	struct visit *v = arena_new(&f->http->arena, struct visit);
	struct str region, path;
	bool get = str_is(f->http->method, "GET") || str_is(f->http->method, "HEAD");
	int r;

	v->f = f;
	f->user = v;
	f->http->body_mode = HTTP_BODY_MEMORY;
	f->http->body_max = SMALL_BODY_MAX;
	(void)host_parse(f->host, &v->account, &region);
	v->region = front_region(f->cloud, region);
	v->pending = true; /* whatever answers within headers() */
	if (!v->region) {
		not_running(v, region);
		return;
	}
	r = uri_decode(&f->http->arena, f->http->path, false, &path) < 0 ? -ENOENT : registry_path_parse(path, &v->path);
	if (r == 0 && v->path.what == REG_URL) {
		if (get)
			by_url(v);
		else
			unsupported(v);
		return;
	}
	if (authenticate(v) < 0)
		return;
	if (r < 0) {
		registry_refuse(v, r == -EINVAL ? 400 : 404, r == -EINVAL ? "NAME_INVALID" : "UNSUPPORTED",
				S("The path is not one of the registry's"));
		return;
	}
	v->pending = false;
	if (route(v, get)) { /* a body that is slow to come keeps no region from stopping */
		region_unuse(v->region);
		v->region = NULL;
	}
}

static int body(struct front_request *f, struct str piece)
{
	return registry_upload_body(f->user, piece);
}

static void done(struct front_request *f)
{
	struct visit *v = f->user;
	struct str region;

	v->pending = true;
	if (v->path.what == REG_UPLOAD) {
		registry_upload_done(v);
		return;
	}
	(void)host_parse(f->host, &v->account, &region);
	v->region = front_region(f->cloud, region);
	if (v->region)
		v->step(v);
	else
		not_running(v, region);
}

/* The client went away, or its body was too large, before the request was complete: only then does nobody else answer. */
static void gone(struct front_request *f)
{
	struct visit *v = f->user;

	if (v->pending)
		return;
	v->pending = true;
	registry_refuse(v, 400, "SIZE_INVALID", S("The request did not become complete"));
}

const struct front ecr_front = { .claims = claims, .headers = headers, .body = body, .done = done, .gone = gone };
