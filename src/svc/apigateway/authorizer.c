/* SPDX-License-Identifier: Apache-2.0 */
/* authorizer.c - functions that authorize: TOKEN and REQUEST. What they have said is kept for a while by the values that identify
 * the caller; the policy they gave is evaluated anew for each method.
 *
 * The key of what is kept holds every identity value with its length, the stage, the deployment, the function and when the stage's
 * cache was flushed; a header that identifies may come once only, since who reads the first and who reads the last would see two callers.
 * Source: "Use API Gateway Lambda authorizers". */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "svc/apigateway/front.h"
#include <errno.h>
#include <pcre2.h>
#include <pthread.h>

#define KEPT_MAX 10000
#define KEPT_SLOTS 1024
#define TTL_DEFAULT_S 300
#define EXPRESSION_MATCH_LIMIT 50000

struct kept {
	struct kept *next;
	uint8_t key[32];
	int64_t expires_ms;
	size_t n;
	char text[]; /* the function's answer */
};
struct asking {
	uint8_t key[32];
	int64_t ttl_ms; /* 0: not kept */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept *table[KEPT_SLOTS];
static size_t n_kept;

static struct kept **slot(const uint8_t key[32])
{
	return &table[(key[0] | key[1] << 8) % KEPT_SLOTS];
}

static bool kept_get(struct arena *a, const uint8_t key[32], int64_t now, struct str *ret)
{
	bool found = false;

	pthread_mutex_lock(&lock);
	for (struct kept *k = *slot(key); k && !found; k = k->next)
		if (memcmp(k->key, key, 32) == 0 && k->expires_ms > now) {
			*ret = str_dup(a, str_of(k->text, k->n));
			found = true;
		}
	pthread_mutex_unlock(&lock);
	return found;
}

static void drop(struct kept **p)
{
	struct kept *k = *p;

	*p = k->next;
	mem_wipe(k->text, k->n);
	free(k);
	n_kept--;
}

static void kept_put(const uint8_t key[32], struct str text, int64_t expires_ms, int64_t now)
{
	struct kept *k = xmalloc(sizeof *k + text.n), **p;

	pthread_mutex_lock(&lock);
	for (p = slot(key); *p;) { /* this one's predecessor, and what has expired */
		if (memcmp((*p)->key, key, 32) == 0 || (*p)->expires_ms <= now)
			drop(p);
		else
			p = &(*p)->next;
	}
	if (n_kept >= KEPT_MAX)
		for (size_t i = 0; i < KEPT_SLOTS && n_kept >= KEPT_MAX; i++)
			while (table[i])
				drop(&table[i]);
	*k = (struct kept){ .next = *slot(key), .expires_ms = expires_ms, .n = text.n };
	memcpy(k->key, key, 32);
	memcpy(k->text, text.p, text.n);
	*slot(key) = k;
	n_kept++;
	pthread_mutex_unlock(&lock);
}

/* --- who is it? --- */
static size_t times(const struct visit *v, struct str header)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n_headers; i++)
		n += str_eq_ci(v->headers[i].key, header);
	return n;
}

static struct str source_value(struct visit *v, struct str from)
{
	if (str_starts(from, S("method.request.header."))) {
		struct str name = str_skip(from, 22);

		return times(v, name) == 1 ? visit_header(v, name) : STR_NONE;
	}
	if (str_starts(from, S("method.request.querystring."))) {
		struct str name = str_skip(from, 27);
		size_t n = 0;

		for (size_t i = 0; i < v->n_query; i++)
			n += str_eq(v->query[i].key, name);
		return n == 1 ? visit_query(v, name) : STR_NONE;
	}
	if (str_starts(from, S("stageVariables.")))
		return str_map_get(&v->variables, str_skip(from, 15));
	if (str_starts(from, S("context.")))
		return visit_context_text(v, str_skip(from, 8));
	return STR_NONE;
}

static void key_part(struct hash *h, struct str s)
{
	uint64_t n = s.n;

	hash_add(h, &n, sizeof n);
	hash_add(h, s.p, s.n);
}

/* identify reads all identity values: 0 with the key, -ENODATA one is missing. */
static int identify(struct visit *v, const struct apigw_rec_authorizer *z, uint8_t key[32], struct str *ret_first)
{
	struct str rest = z->identity_source.n ? z->identity_source : STR_NONE, one;
	struct hash *h = hash_new(HASH_SHA256);
	int64_t flushed = v->stage.authorizers_flushed.ms;
	int r = 0;

	key_part(h, v->region->name);
	key_part(h, v->api);
	key_part(h, v->stage_name);
	key_part(h, v->served->deployment);
	key_part(h, z->id);
	key_part(h, visit_variables(v, z->authorizer_uri)); /* a canary's variables may name another function */
	hash_add(h, &flushed, sizeof flushed);
	*ret_first = STR_NONE;
	while (rest.p && str_next(&rest, ',', &one)) {
		struct str value = source_value(v, str_trim(one));

		if (!value.n)
			r = -ENODATA;
		if (!ret_first->p)
			*ret_first = value;
		key_part(h, value.p ? value : S(""));
	}
	(void)hash_end(h, key);
	hash_free(h);
	return r;
}

/* valid: the whole token by the authorizer's expression. */
static bool valid(struct str expression, struct str token)
{
	pcre2_code *re;
	pcre2_match_data *data;
	pcre2_match_context *ctx;
	PCRE2_SIZE at;
	int code, n;

	if (!expression.n)
		return true;
	re = pcre2_compile((PCRE2_SPTR)expression.p, expression.n, PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_MATCH_INVALID_UTF, &code, &at,
			   NULL);
	if (!re)
		return false;
	data = pcre2_match_data_create(1, NULL);
	ctx = pcre2_match_context_create(NULL);
	if (!data || !ctx)
		abort();
	pcre2_set_match_limit(ctx, EXPRESSION_MATCH_LIMIT);
	n = pcre2_match(re, (PCRE2_SPTR)token.p, token.n, 0, 0, data, ctx);
	pcre2_match_context_free(ctx);
	pcre2_match_data_free(data);
	pcre2_code_free(re);
	return n >= 0;
}

/* --- what it said --- */
static bool good_context(const struct json *j)
{
	if (!j || j->type == JSON_NULL)
		return true;
	if (j->type != JSON_OBJECT)
		return false;
	for (size_t i = 0; i < j->n; i++)
		if (j->members[i].value.type >= JSON_ARRAY)
			return false;
	return true;
}

static int malformed(struct visit *v)
{
	visit_log(v, EXEC_ERROR, "Execution failed due to configuration error: Invalid JSON in response: not an authorizer's");
	return visit_refuse(v, GW_AUTHORIZER_CONFIGURATION_ERROR, STR_NONE);
}

/* apply reads the function's answer and decides. 0, or VISIT_ANSWERED. *ret_good: it may be kept. */
static int apply(struct visit *v, struct str text, bool *ret_good)
{
	const struct json *policy, *context;
	struct policy_result d;
	struct json *j;
	bool parsed;

	*ret_good = false;
	if (json_parse(v->a, text, &j, NULL) < 0 || j->type != JSON_OBJECT)
		return malformed(v);
	policy = json_getz(j, "policyDocument");
	context = json_getz(j, "context");
	if (!json_is(policy, JSON_OBJECT) || !json_get_str(j, "principalId").n || !good_context(context))
		return malformed(v);
	v->authorizer_policy = json_text(v->a, policy);
	d = visit_identity_policy(v, v->authorizer_policy, &parsed);
	if (!parsed)
		return malformed(v);
	*ret_good = true;
	v->principal_id = json_get_str(j, "principalId");
	visit_log(v, EXEC_INFO, "Using valid authorizer policy for principal: %.*s", STR(visit_log_masked(v, v->principal_id)));
	visit_log(v, EXEC_INFO, "Successfully completed authorizer execution");
	if (v->test_done) /* what it said was asked for, not what it means for a method */
		return visit_send(v);
	if (d.decision == DECISION_EXPLICIT_DENY)
		return visit_refuse(v, GW_ACCESS_DENIED, S("User is not authorized to access this resource with an explicit deny"));
	if (d.decision != DECISION_ALLOW && !(v->served->has_policy && visit_resource_policy(v) == DECISION_ALLOW))
		return visit_refuse(v, GW_ACCESS_DENIED, S("User is not authorized to access this resource"));
	v->authorizer_context = json_is(context, JSON_OBJECT) ? json_copy(v->a, context) : NULL;
	v->usage_identifier = json_get_str(j, "usageIdentifierKey");
	v->context = NULL; /* $context knows more now */
	return 0;
}

static int unauthorized(struct visit *v)
{
	visit_log(v, EXEC_INFO, "Unauthorized request: %.*s", STR(v->f->facts.request_id));
	return visit_refuse(v, GW_UNAUTHORIZED, STR_NONE);
}

static int keep_and_apply(struct visit *v, const struct asking *q, struct str text)
{
	int64_t now = v->now_ms;
	struct asking copy = *q;
	struct str kept = text;
	bool good;
	char *owned = NULL;
	int r;

	if (copy.ttl_ms > 0) { /* a refusal frees the visit: what is kept is taken before */
		owned = xmalloc(text.n + 1);
		memcpy(owned, text.p, text.n);
		kept = str_of(owned, text.n);
	}
	r = apply(v, text, &good);
	if (owned && good)
		kept_put(copy.key, kept, now + copy.ttl_ms, now);
	free(owned);
	return r;
}

static void said(struct visit *v, int result, struct str payload, bool is_error)
{
	const struct asking *q = v->wait;
	struct json *j = NULL;
	int r;

	v->authorizer_latency_ms = clock_mono_ms() - v->authorizer_mono_ms;
	if (result < 0)
		visit_log(v, EXEC_ERROR,
			  result == -ETIMEDOUT ? "Execution failed due to a timeout error"
					       : "Execution failed due to configuration error: Invalid permissions on Lambda function");
	else
		visit_log(v, EXEC_TRACE, "Authorizer result body before parsing: %.*s", STR(visit_log_body(v, payload)));
	if (result == -ETIMEDOUT)
		r = visit_refuse(v, GW_AUTHORIZER_FAILURE, STR_NONE);
	else if (result < 0)
		r = visit_refuse(v, GW_AUTHORIZER_CONFIGURATION_ERROR, STR_NONE);
	else if (is_error) {
		bool no = json_parse(v->a, payload, &j, NULL) == 0 && str_is(json_get_str(j, "errorMessage"), "Unauthorized");

		if (!no)
			visit_log(v, EXEC_ERROR, "Lambda execution failed with status 200 due to customer function error: %.*s.",
				  STR(json_get_str(j, "errorMessage")));
		r = no ? unauthorized(v) : visit_refuse(v, GW_AUTHORIZER_FAILURE, STR_NONE);
	} else
		r = keep_and_apply(v, q, payload);
	visit_step(v, r);
}

static struct str token_event(struct visit *v, struct str token)
{
	struct json *e = json_new(v->a, JSON_OBJECT);

	json_set_str(v->a, e, "type", S("TOKEN"));
	json_set_str(v->a, e, "methodArn", v->arn);
	json_set_str(v->a, e, "authorizationToken", token);
	return json_text(v->a, e);
}

static void log_start(struct visit *v, const struct apigw_rec_authorizer *z, struct str first)
{
	if (v->test_done)
		visit_log(v, EXEC_INFO, "Starting authorizer: %.*s", STR(z->id));
	else
		visit_log(v, EXEC_INFO, "Starting authorizer: %.*s for request: %.*s", STR(z->id), STR(v->f->facts.request_id));
	if (str_is(z->type, "TOKEN"))
		visit_log(v, EXEC_INFO, "Incoming identity: %.*s", STR(visit_log_masked(v, first)));
}

static void log_asking(struct visit *v, const struct apigw_rec_authorizer *z, struct str source, struct str event)
{
	struct http_header h[5];

	if (!(v->log.wants & EXEC_TRACE))
		return;
	visit_log(v, EXEC_TRACE, "Endpoint request URI: %.*s", STR(lambda_url(v, visit_variables(v, z->authorizer_uri))));
	visit_log(v, EXEC_TRACE, "Endpoint request headers: %.*s", STR(visit_log_headers(v, h, lambda_headers(v, source, h))));
	visit_log(v, EXEC_TRACE, "Endpoint request body after transformations: %.*s", STR(visit_log_body(v, event)));
}

int visit_authorizer(struct visit *v)
{
	const struct apigw_rec_authorizer *z = v->m->authorizer;
	struct asking *q = arena_new(v->a, struct asking);
	struct str first, kept, source, event;
	bool token, good;
	int r;

	if (!str_is(v->m->m->authorization_type, "CUSTOM"))
		return 0;
	if (!z || !(str_is(z->type, "TOKEN") || str_is(z->type, "REQUEST")))
		return visit_refuse(v, GW_AUTHORIZER_CONFIGURATION_ERROR, STR_NONE);
	token = str_is(z->type, "TOKEN");
	q->ttl_ms = (z->authorizer_result_ttl_in_seconds.has ? z->authorizer_result_ttl_in_seconds.v : TTL_DEFAULT_S) * 1000;
	r = identify(v, z, q->key, &first);
	if (!token && !z->identity_source.n)
		q->ttl_ms = 0;
	if ((r < 0 && (token || q->ttl_ms > 0)) || (token && (!first.n || !valid(z->identity_validation_expression, first))))
		return unauthorized(v);
	if (!v->test_done && q->ttl_ms > 0 && kept_get(v->a, q->key, v->now_ms, &kept))
		return apply(v, kept, &good);
	if (v->test_done)
		q->ttl_ms = 0;
	log_start(v, z, first);
	source = str_printf(v->a, "arn:%.*s:execute-api:%.*s:%.*s:%.*s/authorizers/%.*s", STR(region_partition(v->region->name)),
			    STR(v->region->name), STR(v->account), STR(v->api), STR(z->id));
	v->wait = q;
	v->authorizer_mono_ms = clock_mono_ms();
	event = token ? token_event(v, first) : visit_proxy_event(v, "REQUEST");
	log_asking(v, z, source, event);
	r = lambda_start(v, visit_variables(v, z->authorizer_uri), z->authorizer_credentials, source, event, false, said);
	if (r == 0)
		return VISIT_WAITS;
	visit_log(v, EXEC_ERROR, "Execution failed due to configuration error: Invalid permissions on Lambda function");
	return visit_refuse(v, GW_AUTHORIZER_CONFIGURATION_ERROR, STR_NONE);
}
