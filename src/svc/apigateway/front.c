/* SPDX-License-Identifier: Apache-2.0 */
/* front.c - requests to execute-api host names: whose they are, the steps they go through.
 *
 * Names: "API.execute-api.REGION"; of private APIs "API-VPCE.execute-api.REGION", and the endpoint's own
 * "VPCE-....execute-api.REGION.vpce", where the header x-apigw-api-id names the API. A private API answers under the names of an
 * endpoint only, any other only under its own. Sources: "Invoke a private API", "Private REST APIs in API Gateway". */
#include "svc/apigateway/front.h"
#include <assert.h>
#include <errno.h>

#define LABELS_MAX 6

static bool id_valid(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9'))
			return false;
	return s.n > 0 && s.n <= 64;
}

/* labels cuts host at its dots: 0, or -EINVAL with too many. */
static size_t labels(struct str host, struct str *v)
{
	size_t n = 0;

	while (n < LABELS_MAX && str_next(&host, '.', &v[n]))
		n++;
	return host.p ? 0 : n;
}

static bool claims(struct cloud *cl, const struct http_request *r, struct str host)
{
	struct str v[LABELS_MAX];
	size_t n = host.p ? labels(host, v) : 0;

	if (n == 3)
		return str_is(v[1], "execute-api");
	if (n == 4 && str_is(v[3], "vpce"))
		return str_is(v[1], "execute-api");
	return n == 5 && str_is(v[4], "vpce") && str_is(v[2], "execute-api");
}

/* name reads the host's name: API, endpoint, region. -EINVAL: such names there are none. */
static int read_name(struct visit *v, struct str *ret_region)
{
	struct str l[LABELS_MAX], rest;
	size_t n = labels(v->f->host, l);

	v->domain_prefix = l[0];
	*ret_region = n == 5 ? l[3] : l[2];
	if (n >= 4) {
		v->vpce_id = ec2_endpoint_of_host(v->f->host);
		v->through_endpoint = true;
		v->api = http_header(v->http, "x-apigw-api-id");
		if (http_header_count(v->http, "x-apigw-api-id") > 1)
			return -EINVAL;
		if (v->api.n)
			v->api = str_lower(v->a, v->api);
		return v->vpce_id.p && id_valid(v->api) ? 0 : -EINVAL;
	}
	if (str_cut(l[0], '-', &v->api, &rest)) {
		v->through_endpoint = v->api_in_host = true;
		v->vpce_id = rest;
		if (!str_starts(rest, S("vpce-")))
			return -EINVAL;
	}
	return id_valid(v->api) ? 0 : -EINVAL;
}

/* way_in: may this API be reached under this name at all? The kind of endpoint counts as it is now, not as it was deployed. */
static bool way_in(struct visit *v, struct call *c, const struct apigw_rec_api *now)
{
	const struct apigw_rec_endpoints *e = now->endpoint_configuration;
	bool is_private = e && str_list_has(&e->types, S("PRIVATE")), disabled = v->served->snap.api->disable_execute_api_endpoint.v;

	if (!v->through_endpoint)
		return !is_private && !disabled;
	if (!is_private || disabled || ec2_endpoint_find(c, v->vpce_id, &v->endpoint) < 0)
		return false;
	if (!str_is(v->endpoint.state, "available") || !str_ends(v->endpoint.service, S(".execute-api")))
		return false;
	if (v->api_in_host) /* the alias exists for the endpoints that the API names */
		return e && str_list_has(&e->vpc_endpoint_ids, v->vpce_id);
	for (size_t i = 0; i < v->endpoint.dns_names.n; i++) {
		struct str host = front_host(v->cl, v->endpoint.dns_names.v[i], v->a);

		if (str_eq(host, v->f->host))
			return true;
	}
	return false;
}

/* canary takes its share of the visits, with its own deployment and variables. */
static struct str choose_deployment(struct visit *v)
{
	const struct apigw_rec_canary *k = v->stage.canary_settings;
	uint32_t roll;

	v->variables = v->stage.variables;
	if (!k || !k->percent_traffic.has || k->percent_traffic.v <= 0)
		return v->stage.deployment_id;
	random_bytes(&roll, sizeof roll);
	if ((double)roll / 4294967296.0 * 100 >= k->percent_traffic.v)
		return v->stage.deployment_id;
	v->canary = true;
	if (k->stage_variable_overrides.n) {
		const struct str_map *over = &k->stage_variable_overrides, *base = &v->stage.variables;
		struct str_map m = { arena_array(v->a, struct str_pair, base->n + over->n), 0 };

		for (size_t i = 0; i < over->n; i++)
			m.v[m.n++] = over->v[i];
		for (size_t i = 0; i < base->n; i++)
			if (!str_map_get(over, base->v[i].key).p)
				m.v[m.n++] = base->v[i];
		v->variables = m;
	}
	return k->deployment_id.n ? k->deployment_id : v->stage.deployment_id;
}

static int load(struct visit *v)
{
	static const struct principal nobody = { .p = { .type = PRINCIPAL_ANONYMOUS } };
	struct apigw_rec_api now;
	struct call c;
	int r = front_call(v->f, v->region, &apigateway_service, &nobody, &c);

	if (r < 0)
		return visit_refuse_as(v, GW_DEFAULT_5XX, 503, S("Service Unavailable"));
	r = apigw_find_api(c.txn, v->a, v->api, &v->account);
	if (r == 0 && v->stage_name.n)
		r = apigw_load_stage(c.txn, v->a, v->account, v->api, v->stage_name, &v->stage);
	else if (r == 0)
		r = -ENOENT;
	if (r == 0)
		v->served = served_get(v, &c, choose_deployment(v));
	if (r == 0)
		r = apigw_load_api(c.txn, v->a, v->account, v->api, &now);
	if (r == 0 && v->served && !way_in(v, &c, &now))
		r = -ENOENT;
	front_call_end(&c);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r < 0 || !v->served)
		return visit_forbidden(v);
	return v->too_large ? visit_refuse(v, GW_REQUEST_TOO_LARGE, STR_NONE) : 0;
}

/* --- steps --- */
static int step_find(struct visit *v)
{
	struct str region, path = v->http->path, stage;
	ptrdiff_t slash;

	if (read_name(v, &region) < 0)
		return visit_forbidden(v);
	v->region = front_region(v->cl, region);
	if (!v->region)
		return visit_forbidden(v);
	path = path.n && path.p[0] == '/' ? str_skip(path, 1) : path;
	slash = str_find_char(path, '/');
	stage = slash < 0 ? path : str_of(path.p, (size_t)slash);
	v->raw_path = slash < 0 ? S("/") : str_skip(path, (size_t)slash);
	v->stage_name = stage;
	return load(v);
}

static const struct served_method *method_of(const struct served_node *n, struct str method)
{
	const struct served_method *any = NULL;

	for (size_t i = 0; i < n->n_methods; i++) {
		if (str_eq(n->methods[i].name, method))
			return &n->methods[i];
		if (str_is(n->methods[i].name, "ANY"))
			any = &n->methods[i];
	}
	return any;
}

/* match walks the tree: a fixed part before a parameter before the rest of the path. What has no such method isn't a match. */
static bool match(struct visit *v, const struct served_node *n, size_t at)
{
	for (int kind = NODE_STATIC; at < v->n_segments && kind <= NODE_GREEDY; kind++)
		for (size_t i = 0; i < n->n_children; i++) {
			const struct served_node *k = n->children[i];

			if ((int)k->kind != kind || (kind == NODE_STATIC && !str_eq(k->part, v->segments[at])) || !v->segments[at].n)
				continue;
			if (match(v, k, kind == NODE_GREEDY ? v->n_segments : at + 1))
				return true;
		}
	if (at < v->n_segments)
		return false;
	v->m = method_of(n, v->method);
	v->node = v->m ? n : NULL;
	return v->m != NULL;
}

static const struct served_node *parent_of(const struct served_node *top, const struct served_node *n)
{
	for (size_t i = 0; i < top->n_children; i++) {
		const struct served_node *found = top->children[i] == n ? top : parent_of(top->children[i], n);

		if (found)
			return found;
	}
	return NULL;
}

/* parameters takes the path's parameters from the segments that the matched resource stands for. */
void visit_route_parameters(struct visit *v)
{
	const struct served_node *chain[VISIT_SEGMENTS_MAX + 1];
	size_t n = 0, at = 0;

	for (const struct served_node *k = v->node; k && k != v->served->root && n <= VISIT_SEGMENTS_MAX; k = parent_of(v->served->root, k))
		chain[n++] = k;
	v->path_params.v = arena_array(v->a, struct str_pair, n);
	v->path_raw.v = arena_array(v->a, struct str_pair, n);
	while (n-- > 0) {
		size_t to = chain[n]->kind == NODE_GREEDY ? v->n_segments : at + 1;
		struct str raw = str_join(v->a, v->segments + at, to - at, S("/")), text = raw;

		if (chain[n]->kind != NODE_STATIC) {
			(void)uri_decode(v->a, raw, false, &text);
			v->path_raw.v[v->path_raw.n++] = (struct str_pair){ chain[n]->name, raw };
			v->path_params.v[v->path_params.n++] = (struct str_pair){ chain[n]->name, text };
		}
		at = to;
	}
}

static int step_route(struct visit *v)
{
	int r = visit_parse(v);

	if (r != 0)
		return r;
	v->arn = str_printf(v->a, "arn:%.*s:execute-api:%.*s:%.*s:%.*s/%.*s/%.*s%.*s", STR(region_partition(v->region->name)),
			    STR(v->region->name), STR(v->account), STR(v->api), STR(v->stage_name), STR(v->method), STR(v->path));
	if (v->through_endpoint && !v->served->has_policy) /* a private API without a policy is nobody's */
		return visit_denied(v, false);
	if (!v->served->root || !match(v, v->served->root, 0) || !v->m->m->method_integration)
		return visit_refuse(v, GW_MISSING_AUTHENTICATION_TOKEN, STR_NONE);
	visit_route_parameters(v);
	visit_log_open(v);
	return 0;
}

static int (*const steps[])(struct visit *) = { step_find, step_route,     visit_authorize, visit_authorizer,
						visit_key, visit_validate, visit_integrate, visit_respond };

const size_t visit_step_validate = 5;

void visit_run(struct visit *v)
{
	while (v->step < ELEMENTS(steps)) {
		int r = steps[v->step](v);

		if (r < 0)
			r = visit_refuse(v, GW_DEFAULT_5XX, S("Internal server error"));
		if (r == VISIT_WAITS || r == VISIT_ANSWERED) /* answered: v is gone */
			return;
		v->step++;
	}
	assert(!"the last step answers");
}

void visit_step(struct visit *v, int r)
{
	if (r < 0)
		r = visit_refuse(v, GW_DEFAULT_5XX, S("Internal server error"));
	if (r == VISIT_ANSWERED)
		return;
	v->step++;
	visit_run(v);
}

void visit_go_on(struct visit *v)
{
	visit_step(v, 0);
}

/* --- the front's callbacks --- */
/* The other id of a visit, as random as its first one and made from it. */
struct str visit_extended_id(struct visit *v)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint64_t h = 1469598103934665603ull;
	char id[16];

	for (size_t i = 0; i < v->f->facts.request_id.n; i++)
		h = (h ^ (unsigned char)v->f->facts.request_id.p[i]) * 1099511628211ull;
	for (size_t i = 0; i < 15; i++) {
		h = h * 6364136223846793005ull + 1442695040888963407ull;
		id[i] = letters[h >> 58];
	}
	id[15] = '=';
	return str_dup(v->a, str_of(id, sizeof id));
}

static struct visit *visit_new(struct front_request *f)
{
	struct visit *v = arena_new(&f->http->arena, struct visit);

	v->f = f;
	v->a = &f->http->arena;
	v->cl = f->cloud;
	v->http = f->http;
	v->method = f->http->method;
	v->body = f->http->body;
	v->now_ms = clock_now_ms();
	v->started_mono_ms = clock_mono_ms();
	v->source_ip = f->facts.source_ip;
	v->extended_id = visit_extended_id(v);
	f->user = v;
	return v;
}

static void headers(struct front_request *f)
{
	struct http_request *r = f->http;
	struct visit *v;

	r->body_mode = HTTP_BODY_MEMORY;
	r->body_max = VISIT_BODY_BYTES_MAX;
	if (r->chunked || r->content_length <= VISIT_BODY_BYTES_MAX)
		return;
	r->body_mode = HTTP_BODY_REFUSE; /* the API may have an answer of its own for it */
	v = visit_new(f);
	v->begun = v->too_large = true;
	visit_run(v);
}

static void done(struct front_request *f)
{
	struct visit *v = visit_new(f);

	v->begun = true;
	visit_run(v);
}

/* A visit that has begun answers by itself. One whose body never became complete is answered here: that frees it. */
static void gone(struct front_request *f)
{
	static const struct http_reply reply = { .status = 400, .close = true };

	if (!f->user)
		http_reply(f->http, &reply);
}

const struct front apigateway_front = { .claims = claims, .headers = headers, .done = done, .gone = gone };

void apigateway_front_tick(struct cloud *cl, struct region *r, int64_t now_ms)
{
	throttle_flush(cl, r);
}

void apigateway_front_close(struct cloud *cl)
{
	integration_http_close();
	access_log_close();
	struct region *regions[64];
	size_t n = cloud_regions(cl, regions, ELEMENTS(regions));
	for (size_t i = 0; i < n; i++)
		if (region_use(regions[i])) {
			throttle_flush(cl, regions[i]);
			region_unuse(regions[i]);
		}
	throttle_close();
	cache_close();
	served_forget_all();
}
