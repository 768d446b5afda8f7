/* SPDX-License-Identifier: Apache-2.0 */
/* find.c - which service, operation and protocol a request means. */
#include "wire/impl.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>

#include "base/util.h"

#define S3_CONTROL_PATH "/v20180820/"

struct finder {
	const struct service_model *const *models;
	size_t n;
	struct http_request *r;
	struct str body, signing;
	struct wire_route *ret;
};

const struct op *wire_op(const struct service_model *m, struct str name)
{
	size_t lo = 0, hi = m->n_ops;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = str_cmp(str_c(m->ops[mid].name), name);

		if (c == 0)
			return &m->ops[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static const struct op_known *known_op(const struct service_model *m, struct str name)
{
	for (const struct op_known *k = m->known; k && k->name; k++)
		if (str_is(name, k->name))
			return k;
	return NULL;
}

static bool speaks(const struct service_model *m, enum wire_protocol p)
{
	for (size_t i = 0; i < m->n_protocols; i++)
		if (m->protocols[i] == p)
			return true;
	return false;
}

static bool signs_as(const struct service_model *m, struct str name)
{
	for (const char *const *s = m->signing; *s; s++)
		if (str_is(name, *s))
			return true;
	return false;
}

static int named(struct finder *f, const struct service_model *m, enum wire_protocol p, struct str name)
{
	f->ret->model = m;
	f->ret->protocol = p;
	f->ret->name = name;
	f->ret->op = name.p ? wire_op(m, name) : NULL;
	f->ret->known = name.p && !f->ret->op ? known_op(m, name) : NULL;
	return 0;
}

static bool content_type_is(const struct finder *f, const char *type)
{
	struct str t = header_of(f->r, "content-type"), base;

	str_cut(t, ';', &base, &(struct str){ 0 });
	return str_eq_ci(str_trim(base), str_c(type));
}

/* SDKs made from Smithy models write the last word of a dotted prefix alone: "CloudTrail_20131101". */
static bool target_is(const struct service_model *m, struct str prefix)
{
	const char *last = strrchr(m->target_prefix, '.');

	return str_is(prefix, m->target_prefix) || (last && str_is(prefix, last + 1));
}

/* awsJson: X-Amz-Target: Prefix.Operation. */
static int find_target(struct finder *f, struct str target)
{
	ptrdiff_t dot = str_rfind_char(target, '.');
	struct str prefix = dot >= 0 ? str_of(target.p, (size_t)dot) : STR_NONE;
	struct str name = dot >= 0 ? str_skip(target, (size_t)dot + 1) : target;

	for (int by_signing = 0; by_signing < 2; by_signing++)
		for (size_t i = 0; i < f->n; i++) {
			const struct service_model *m = f->models[i];

			if (!speaks(m, WIRE_JSON) || !m->target_prefix)
				continue;
			if (by_signing ? !f->signing.p || !signs_as(m, f->signing) : !prefix.p || !target_is(m, prefix))
				continue;
			f->ret->json_1_0 = content_type_is(f, "application/x-amz-json-1.0") ||
					   (!content_type_is(f, "application/x-amz-json-1.1") && m->json_version &&
					    strcmp(m->json_version, "1.0") == 0);
			return named(f, m, WIRE_JSON, by_signing && prefix.p && !target_is(m, prefix) ? target : name);
		}
	return -ENOENT;
}

/* The model that speaks query under the signature's service (any, when unsigned) and fits version and action best. */
static const struct service_model *query_model(const struct finder *f, struct str action, struct str version, enum wire_protocol *ret)
{
	const struct service_model *best = NULL;
	int best_score = 0;

	for (size_t i = 0; i < f->n; i++) {
		const struct service_model *m = f->models[i];
		bool ec2 = speaks(m, WIRE_EC2), known;
		int score = 1;

		if ((!ec2 && !speaks(m, WIRE_QUERY)) || (f->signing.p && !signs_as(m, f->signing)))
			continue;
		known = action.p && (wire_op(m, action) || known_op(m, action));
		if (!f->signing.p && !known)
			continue;
		score += 2 * known + 4 * (version.p && str_is(version, m->api_version));
		if (score > best_score) {
			best = m;
			best_score = score;
			*ret = ec2 ? WIRE_EC2 : WIRE_QUERY;
		}
	}
	return best;
}

/* awsQuery and ec2Query. -ENOENT: not such a request; -EAGAIN: the body is needed to tell. */
static int find_query(struct finder *f)
{
	const struct http_request *r = f->r;
	bool post = str_is(r->method, "POST"), form = content_type_is(f, "application/x-www-form-urlencoded");
	const struct service_model *m = NULL;
	struct str action, version;
	enum wire_protocol p = WIRE_QUERY;

	if ((r->path.n && !str_is(r->path, "/")) || (!post && !str_is(r->method, "GET")))
		return -ENOENT;
	if (f->signing.p && !(m = query_model(f, STR_NONE, STR_NONE, &p)))
		return -ENOENT;
	action = form_get(&f->r->arena, r->query, "Action");
	if (!action.p && post && (form || m)) {
		if (!f->body.p && (r->has_body || r->chunked || r->content_length))
			return -EAGAIN;
		action = form_get(&f->r->arena, f->body, "Action");
	}
	if (!action.p)
		return m && !speaks(m, WIRE_REST_JSON) && !speaks(m, WIRE_REST_XML) ? named(f, m, p, STR_NONE) : -ENOENT;
	version = form_get(&f->r->arena, r->query, "Version");
	if (!version.p)
		version = form_get(&f->r->arena, f->body, "Version");
	m = query_model(f, action, version, &p);
	return m ? named(f, m, p, action) : -ENOENT;
}

static bool is_address(struct str host)
{
	char t[64];
	struct in_addr a4;

	if (!host.n || *host.p == '[' || host.n >= sizeof t)
		return true;
	*(char *)mempcpy(t, host.p, host.n) = 0;
	return inet_pton(AF_INET, t, &a4) == 1;
}

/* The bucket in front of the longest suffix that the host ends with; absent when there is none. */
static struct str bucket_of(struct str host, const char *const *suffixes)
{
	ptrdiff_t colon;
	size_t best = 0;

	if (host.n && *host.p == '[')
		return STR_NONE;
	colon = str_rfind_char(host, ':');
	if (colon >= 0)
		host.n = (size_t)colon;
	if (is_address(host))
		return STR_NONE;
	for (; suffixes && *suffixes; suffixes++) {
		struct str s = str_c(*suffixes);

		if (s.n <= best || host.n < s.n || !str_eq_ci(str_skip(host, host.n - s.n), s))
			continue;
		if (host.n == s.n)
			return STR_NONE;
		if (host.p[host.n - s.n - 1] == '.' && host.n - s.n > 1)
			best = s.n;
	}
	return best ? str_of(host.p, host.n - best - 1) : STR_NONE;
}

/* S3 Control signs as S3 does; its requests name an account and have a path that begins with a version. */
static bool is_control(const struct service_model *m)
{
	return strcmp(m->id, "S3 Control") == 0;
}

static int find_rest(struct finder *f, const char *const *suffixes)
{
	const struct service_model *first = NULL;
	bool s3_control = str_is(f->signing, "s3") && header_of(f->r, "x-amz-account-id").p && str_starts(f->r->path, S(S3_CONTROL_PATH));

	for (size_t i = 0; i < f->n; i++) {
		const struct service_model *m = f->models[i];

		if (f->signing.p ? !signs_as(m, f->signing) : !is_s3(m))
			continue;
		if (s3_control != is_control(m))
			continue;
		f->ret->protocol = speaks(m, WIRE_REST_XML) ? WIRE_REST_XML : WIRE_REST_JSON;
		f->ret->path = f->r->path;
		if (!speaks(m, f->ret->protocol)) { /* no target: nothing is asked for */
			first = first ? first : m;
			continue;
		}
		if (is_s3(m)) {
			f->ret->bucket = bucket_of(f->r->host, suffixes);
			if (f->ret->bucket.p)
				f->ret->path = str_printf(&f->r->arena, "/%.*s%.*s", STR(f->ret->bucket), STR(f->r->path));
		}
		first = m;
		if (route_match(m, f->r, f->ret) == 0) {
			f->ret->model = m;
			return 0;
		}
	}
	if (!first)
		return -ENOENT;
	f->ret->model = first;
	f->ret->protocol = (enum wire_protocol)first->protocols[0];
	f->ret->json_1_0 = first->json_version && strcmp(first->json_version, "1.0") == 0;
	return 0;
}

/* Smithy's RPC protocols (CBOR), which we do not speak: the service is named so that the refusal is clear. */
static int find_rpc(struct finder *f)
{
	struct str rest = f->r->path, part, last = STR_NONE;

	while (str_next(&rest, '/', &part))
		last = part;
	for (size_t i = 0; i < f->n; i++)
		if (f->signing.p && signs_as(f->models[i], f->signing)) {
			named(f, f->models[i], WIRE_JSON, last);
			f->ret->op = NULL;
			return 0;
		}
	return -ENOENT;
}

int wire_find(const struct service_model *const *models, size_t n, struct http_request *r, struct str body, struct str signing,
	      const char *const *host_suffixes, struct wire_route *ret)
{
	struct finder f = { models, n, r, body, signing, ret };
	struct str target = header_of(r, "x-amz-target");
	int e;

	memset(ret, 0, sizeof *ret);
	ret->path = r->path;
	if (header_of(r, "smithy-protocol").p)
		return find_rpc(&f);
	if (target.n)
		return find_target(&f, target);
	e = find_query(&f);
	if (e != -ENOENT)
		return e;
	return find_rest(&f, host_suffixes);
}
