/* SPDX-License-Identifier: Apache-2.0 */
/* attack_api.c - APIs that should be private, and the endpoints they are reached through.
 *
 * The API itself may have no method that is safe to call. So its policy and its endpoint configuration are tried on a twin: an
 * API made for the proof with one mock method, which answers through the declared endpoint, and neither from outside nor
 * through another endpoint in the same network. Both are removed again. */
#include "cli/prove/prove.h"

#define STAGE "prove"
#define REFUSED "ForbiddenException|AccessDeniedException|HTTP 403|MissingAuthenticationTokenException"

/* From outside: the name that every API has. */
static struct hit outside(struct prove *p, struct str api)
{
	struct hit h = { .service = "execute-api", .region = p->stack->region, .method = S("GET"), .path = S("/" STAGE "/") };

	h.host = str_printf(&p->arena, "%.*s.execute-api.%.*s.amazonaws.com", STR(api), STR(p->stack->region));
	return h;
}

/* Through an endpoint: its own name, and the API's id beside it ("Invoke a private API", API Gateway Developer Guide). */
static struct hit through(struct prove *p, struct str api, struct str endpoint)
{
	struct hit h = outside(p, api), q = hit_query(p, "ec2", p->stack->region, "DescribeVpcEndpoints", &p->caller);
	struct answer a;

	hit_param(p, &q, "VpcEndpointId.1", endpoint);
	h.host = S("unknown.invalid");
	if (call_hit(p, &q, "EC2 DescribeVpcEndpoints", &a) == 0 && xml_deep(a.xml, "dnsEntrySet"))
		h.host = xml_text(xml_deep(a.xml, "dnsEntrySet"), "item/dnsName");
	hit_header(&h, "x-apigw-api-id", api);
	return h;
}

/* The endpoint that the API names, or the only one that the stack has for APIs. */
static struct str endpoint_of(struct prove *p, const struct declared *api)
{
	const struct json *ids = prop_get(api->props, "EndpointConfiguration.VpcEndpointIds");
	struct str service = str_printf(&p->arena, "com.amazonaws.%.*s.execute-api", STR(p->stack->region));

	if (list_len(ids))
		return json_scalar(list_at(ids, 0));
	for (size_t i = 0; i < p->stack->n; i++)
		if (declared_is(&p->stack->v[i], "AWS::EC2::VPCEndpoint") && str_eq(prop_str(p->stack->v[i].props, "ServiceName"), service))
			return p->stack->v[i].physical;
	return STR_NONE;
}

/* --- the twin --- */
static struct json *put(struct prove *p, struct str path, struct json *body)
{
	return call_rest(p, "apigateway", p->stack->region, "PUT", path, body);
}

static struct str make_twin(struct prove *p, const struct declared *api)
{
	struct arena *a = &p->arena;
	struct json *body = json_object(a, "name", str_printf(a, PROVE_NAME "-%.*s", STR(p->run))), *e = json_new(a, JSON_OBJECT), *types,
		    *j, *mock, *templates;
	const struct json *ids = prop_get(api->props, "EndpointConfiguration.VpcEndpointIds"), *policy = prop_get(api->props, "Policy");
	struct str id, base, root;
	struct hit away;

	types = json_new(a, JSON_ARRAY);
	json_push(a, types, json_new_str(a, S("PRIVATE")));
	json_set(a, e, S("types"), types);
	if (list_len(ids))
		json_set(a, e, S("vpcEndpointIds"), ids);
	json_set(a, body, S("endpointConfiguration"), e);
	if (policy)
		json_set_str(a, body, "policy", json_is(policy, JSON_OBJECT) ? json_text(a, policy) : json_scalar(policy));
	j = call_rest(p, "apigateway", p->stack->region, "POST", S("/restapis"), body);
	id = json_get_str(j, "id");
	if (!id.n)
		return STR_NONE;
	base = str_printf(a, "/restapis/%.*s", STR(id));
	away = hit_rest(p, "apigateway", p->stack->region, "DELETE", base, NULL, &p->caller);
	(void)undo_hit(p, str_printf(a, "the API %.*s", STR(id)), &away);
	root = json_get_str(j, "rootResourceId");
	if (!root.n) {
		j = call_rest(p, "apigateway", p->stack->region, "GET", str_printf(a, "%.*s/resources", STR(base)), NULL);
		root = json_get_str(list_at(json_getz(j, "item"), 0), "id");
	}
	base = str_printf(a, "%.*s/resources/%.*s/methods/GET", STR(base), STR(root));
	mock = json_object(a, "type", S("MOCK"));
	templates = json_object(a, "application/json", S("{\"statusCode\":200}"));
	json_set(a, mock, S("requestTemplates"), templates);
	if (!put(p, base, json_object(a, "authorizationType", S("NONE"))) || !put(p, str_printf(a, "%.*s/integration", STR(base)), mock) ||
	    !put(p, str_printf(a, "%.*s/responses/200", STR(base)), json_new(a, JSON_OBJECT)) ||
	    !put(p, str_printf(a, "%.*s/integration/responses/200", STR(base)), json_new(a, JSON_OBJECT)) ||
	    !call_rest(p, "apigateway", p->stack->region, "POST", str_printf(a, "/restapis/%.*s/deployments", STR(id)),
		       json_object(a, "stageName", S(STAGE))))
		return STR_NONE;
	return id;
}

/* Another endpoint for APIs in the network of the declared one; absent: p->trouble. */
static struct str other_endpoint(struct prove *p, struct str endpoint)
{
	struct hit h = hit_query(p, "ec2", p->stack->region, "DescribeVpcEndpoints", &p->caller), away;
	struct answer a;
	struct str vpc, id;

	hit_param(p, &h, "VpcEndpointId.1", endpoint);
	if (call_hit(p, &h, "EC2 DescribeVpcEndpoints", &a) < 0)
		return STR_NONE;
	vpc = xml_text(xml_deep(a.xml, "vpcEndpointSet"), "item/vpcId");
	h = hit_query(p, "ec2", p->stack->region, "CreateVpcEndpoint", &p->caller);
	hit_param(p, &h, "VpcId", vpc);
	hit_param(p, &h, "ServiceName", str_printf(&p->arena, "com.amazonaws.%.*s.execute-api", STR(p->stack->region)));
	hit_param(p, &h, "VpcEndpointType", S("Interface"));
	hit_param(p, &h, "PrivateDnsEnabled", S("false"));
	hit_param(p, &h, "TagSpecification.1.ResourceType", S("vpc-endpoint")); /* so that it is found should this run be killed */
	hit_param(p, &h, "TagSpecification.1.Tag.1.Key", S("Name"));
	hit_param(p, &h, "TagSpecification.1.Tag.1.Value", str_printf(&p->arena, PROVE_NAME "-%.*s", STR(p->run)));
	if (call_hit(p, &h, "EC2 CreateVpcEndpoint", &a) < 0)
		return STR_NONE;
	id = xml_text(xml_deep(a.xml, "vpcEndpoint"), "vpcEndpointId");
	away = hit_query(p, "ec2", p->stack->region, "DeleteVpcEndpoints", &p->caller);
	hit_param(p, &away, "VpcEndpointId.1", id);
	(void)undo_hit(p, str_printf(&p->arena, "the endpoint %.*s", STR(id)), &away);
	return id;
}

/* --- policies as they are now --- */
static bool same_document(struct prove *p, const struct json *declared, struct str live)
{
	struct json *d = NULL, *l = NULL;
	struct str text = json_is(declared, JSON_STRING) ? json_str(declared) : STR_NONE;

	if (json_is(declared, JSON_OBJECT))
		d = json_copy(&p->arena, declared);
	else if (!text.n || json_parse(&p->arena, text, &d, NULL) < 0)
		return false;
	/* API Gateway gives its policy with escaped quotes. */
	if (json_parse(&p->arena, live.p ? live : S(""), &l, NULL) < 0 &&
	    json_parse(&p->arena, str_replace(&p->arena, live, S("\\\""), S("\"")), &l, NULL) < 0)
		return false;
	return json_equal(json_getz(d, "Statement"), json_getz(l, "Statement"));
}

static void api_policy(struct prove *p, const struct promise *m, struct declared *api)
{
	struct json *j = call_rest(p, "apigateway", p->stack->region, "GET", str_printf(&p->arena, "/restapis/%.*s", STR(api->physical)),
				   NULL);

	if (!j)
		(void)proof_add(p, m, VERDICT_UNTRIED, S("GetRestApi"), S("an answer"), p->trouble);
	else if (prop_get(api->props, "Policy"))
		(void)proof_equal(p, m, S("the API's policy"), S("as declared"),
				  same_document(p, prop_get(api->props, "Policy"), json_get_str(j, "policy")) ? S("as declared")
													      : S("another"));
}

void attack_api(struct prove *p, struct declared *api)
{
	const struct json *types = prop_get(api->props, "EndpointConfiguration.Types");
	struct promise m = { "private API", str_printf(&p->arena, "%.*s answers through its endpoint only", STR(api->id)), api->id, api };
	struct str endpoint = endpoint_of(p, api), twin, other;
	struct hit h = outside(p, api->physical);
	struct answer a;

	if (!list_len(types) || !str_is(json_scalar(list_at(types, 0)), "PRIVATE")) {
		promise_absent(p, &m, S("its endpoint is not PRIVATE"));
		return;
	}
	if (!promise_owed(p, &m, true))
		return;
	api_policy(p, &m, api);
	(void)proof_denied(p, &m, S("GET from outside"), &h, REFUSED, &a);
	if (!endpoint.n || !prop_get(api->props, "Policy")) {
		proof_skip(p, &m, endpoint.n ? S("it has no policy, so nobody gets in") : S("the stack has no endpoint for it"));
		return;
	}
	twin = make_twin(p, api);
	if (!twin.n) {
		(void)proof_add(p, &m, VERDICT_UNTRIED, S("make a twin of the API"), S("an API"), p->trouble);
		return;
	}
	h = through(p, twin, endpoint);
	(void)proof_allowed(p, &m, S("GET of its twin through the endpoint"), &h, &a);
	h = outside(p, twin);
	(void)proof_denied(p, &m, S("GET of its twin from outside"), &h, REFUSED, &a);
	other = other_endpoint(p, endpoint);
	if (!other.n) {
		(void)proof_add(p, &m, VERDICT_UNTRIED, S("make another endpoint"), S("an endpoint"), p->trouble);
		return;
	}
	h = through(p, twin, other);
	(void)proof_denied(p, &m, S("GET of its twin through another endpoint"), &h, REFUSED, &a);
}

/* An endpoint without a policy, or with a statement that allows every action on everything. */
static bool lets_all(const struct json *doc)
{
	const struct json *list = json_getz(doc, "Statement");

	for (size_t i = 0; i < list_len(list); i++) {
		const struct json *s = list_at(list, i), *actions = json_getz(s, "Action");

		for (size_t k = 0; k < list_len(actions); k++)
			if (str_is(json_get_str(s, "Effect"), "Allow") && str_is(json_str(list_at(actions, k)), "*") &&
			    !json_getz(s, "Condition"))
				return true;
	}
	return !doc;
}

void attack_endpoint(struct prove *p, struct declared *e)
{
	const struct json *doc = prop_get(e->props, "PolicyDocument");
	struct promise m = { "network", str_printf(&p->arena, "%.*s lets through what its policy says", STR(e->id)), e->id, e };
	struct hit h = hit_query(p, "ec2", p->stack->region, "DescribeVpcEndpoints", &p->caller);
	struct answer a;

	if (lets_all(doc))
		promise_absent(p, &m, doc ? S("its policy lets everything through") : S("it has no policy, so everything passes"));
	if (!doc || !promise_owed(p, &m, true))
		return;
	hit_param(p, &h, "VpcEndpointId.1", e->physical);
	if (call_hit(p, &h, "EC2 DescribeVpcEndpoints", &a) < 0) {
		(void)proof_add(p, &m, VERDICT_UNTRIED, S("DescribeVpcEndpoints"), S("an answer"), p->trouble);
		return;
	}
	(void)proof_equal(p, &m, S("the endpoint's policy"), S("as declared"),
			  same_document(p, doc, xml_text(xml_deep(a.xml, "vpcEndpointSet"), "item/policyDocument")) ? S("as declared")
														    : S("another"));
}

/* --- who is asked who it is --- */
static const struct declared *stage_of(struct prove *p, struct str api)
{
	for (size_t i = 0; i < p->stack->n; i++)
		if (declared_is(&p->stack->v[i], "AWS::ApiGateway::Stage") && str_eq(prop_str(p->stack->v[i].props, "RestApiId"), api))
			return &p->stack->v[i];
	return NULL;
}

/* Does the API's own policy let this one in? arn absent: one who has not signed. */
static bool policy_lets_in(struct prove *p, const struct declared *api, struct str arn)
{
	struct policy_ask ask = { .arn = arn,
				  .account = p->account,
				  .action = S("execute-api:Invoke"),
				  .resource = str_printf(&p->arena, "arn:%.*s:execute-api:%.*s:%.*s:%.*s/prove/GET/",
							 STR(p->stack->partition), STR(p->stack->region), STR(p->account),
							 STR(api->physical)) };
	const struct json *doc = prop_get(api->props, "Policy");

	return doc && policy_says(p, doc, POLICY_RESOURCE, &ask, NULL) == DECISION_ALLOW;
}

/* A GET of the deployed method as it stands: it should change nothing, whoever gets in. */
static void visit(struct prove *p, const struct promise *m, const struct declared *t, const struct declared *api, struct str path)
{
	const struct declared *stage = stage_of(p, api->physical);
	struct hit h = outside(p, api->physical);
	struct buf b;
	struct answer a;
	bool signs = str_is(prop_str(t->props, "AuthorizationType"), "AWS_IAM"), open;
	struct promise user = *m;

	if (!stage || !path.n) {
		proof_skip(p, m, S("the stack has no stage of it: only read back"));
		return;
	}
	buf_init(&b, 4096);
	buf_printf(&b, "/%.*s", STR(prop_str(stage->props, "StageName")));
	for (size_t i = 0, deep = 0; i < path.n; i++) { /* any value for a {parameter} */
		deep += path.p[i] == '{';
		if (path.p[i] == '{')
			buf_str(&b, S(PROVE_NAME));
		else if (!deep)
			buf_c(&b, path.p[i]);
		deep -= path.p[i] == '}';
	}
	h.path = str_dup(&p->arena, buf_view(&b));
	buf_done(&b);
	(void)proof_denied(p, m, S("GET, nobody signed"), &h, REFUSED "|UnauthorizedException|HTTP 401", &a);
	h.who = actor(p, ACTOR_NOBODY);
	open = policy_lets_in(p, api, p->actors[ACTOR_NOBODY].arn);
	if (open)
		user.declared = BASELINE;
	if (signs && promise_owed(p, &user, !open))
		(void)proof_denied(p, &user, str_printf(&p->arena, "GET, %.*s", STR(who_name(ACTOR_NOBODY))), &h, REFUSED, &a);
}

void attack_method(struct prove *p, struct declared *t)
{
	struct arena *a = &p->arena;
	struct str auth = prop_str(t->props, "AuthorizationType"), verb = prop_str(t->props, "HttpMethod"),
		   resource = prop_str(t->props, "ResourceId");
	struct declared *api = stack_physical(p->stack, "AWS::ApiGateway::RestApi", prop_str(t->props, "RestApiId"));
	struct promise m = { "access", str_printf(a, "%.*s asks who is calling", STR(t->id)), BASELINE, t };
	bool private = api && str_is(json_scalar(list_at(prop_get(api->props, "EndpointConfiguration.Types"), 0)), "PRIVATE");
	struct json *live, *at;

	if (!api || !verb.p || str_is(verb, "OPTIONS")) /* browsers ask that before they say who they are */
		return;
	if (!auth.n || str_is(auth, "NONE")) {
		if (private || str_is(prop_str(t->props, "ApiKeyRequired"), "true") ||
		    (prop_get(api->props, "Policy") && !policy_lets_in(p, api, STR_NONE)))
			promise_absent(p, &m,
				       S("AuthorizationType NONE: only the API's policy, its endpoint or an API key stand in the way"));
		else if (promise_owed(p, &m, false))
			(void)proof_equal(p, &m, S("its authorization"), S("any"), S("NONE"));
		return;
	}
	m.declared = str_printf(a, "%.*s, AuthorizationType", STR(t->id));
	if (!promise_owed(p, &m, true))
		return;
	live = call_rest(p, "apigateway", p->stack->region, "GET",
			 str_printf(a, "/restapis/%.*s/resources/%.*s/methods/%.*s", STR(api->physical), STR(resource), STR(verb)), NULL);
	at = live ? call_rest(p, "apigateway", p->stack->region, "GET",
			      str_printf(a, "/restapis/%.*s/resources/%.*s", STR(api->physical), STR(resource)), NULL)
		  : NULL;
	if (!at) {
		(void)proof_add(p, &m, VERDICT_UNTRIED, S("GetMethod"), auth, p->trouble);
		return;
	}
	(void)proof_equal(p, &m, S("its authorization"), auth, json_get_str(live, "authorizationType"));
	if (private)
		proof_skip(p, &m, S("the API is private: only read back"));
	else if (str_is(verb, "GET") || str_is(verb, "ANY"))
		visit(p, &m, t, api, json_get_str(at, "path"));
	else
		proof_skip(p, &m, str_printf(a, "%.*s is not tried, since it could change something: only read back", STR(verb)));
}
