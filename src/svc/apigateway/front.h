/* SPDX-License-Identifier: Apache-2.0 */
/* front.h - the data plane of REST APIs: one visit is one request of a client to a deployed stage.
 *
 * A visit goes through steps (front.c): find the stage, route to a method, authorize, take the API key, throttle, validate,
 * integrate, answer. All steps run on the loop of the client's connection. A step that waits (a function, a backend) comes back
 * there with http_post. What a deployment serves is read once and shared by all visits (struct served). */
#pragma once
#include "cloud/front.h"
#include "svc/apigateway/apigateway_int.h"
#include "svc/apigateway/vtl.h"
#include "svc/ec2/ec2.h"
#include "svc/services.h"
#include <stdatomic.h>

struct visit;

#define VISIT_BODY_BYTES_MAX (10u << 20) /* AWS's payload quota */
#define VISIT_HEADERS_MAX 200
#define VISIT_SEGMENTS_MAX 100

/* What a step says: 0 go on with the next one; negative errno: 500. */
#define VISIT_ANSWERED 1
#define VISIT_WAITS 2

/* --- what a deployment serves (front_served.c); immutable --- */
struct tmpl {
	struct str type;              /* content type it is for */
	const struct vtl_template *t; /* NULL: it doesn't parse */
	bool context;                 /* may speak of $context */
};
struct tmpl_list {
	struct tmpl *v;
	size_t n;
};
struct served_response {
	const struct apigw_rec_integration_response *r;
	struct tmpl_list templates;
	void *pattern; /* compiled selection pattern; NULL: none, the default */
	bool broken;   /* its pattern doesn't compile */
};
struct served_method {
	struct str name; /* "GET", "ANY" */
	const struct apigw_rec_method *m;
	const struct apigw_rec_resource *resource;
	const struct apigw_rec_authorizer *authorizer;
	const struct apigw_rec_validator *validator;
	struct tmpl_list templates;
	struct served_response *responses;
	size_t n_responses;
};
struct served_node {           /* one resource: the tree that requests are routed by */
	struct str part, name; /* name: of the parameter */
	enum { NODE_STATIC, NODE_PARAM, NODE_GREEDY } kind;
	const struct apigw_rec_resource *resource;
	struct served_node **children;
	size_t n_children, cap_children;
	struct served_method *methods;
	size_t n_methods;
};
struct served_model {
	struct str name;
	const struct json *schema; /* NULL: doesn't parse */
};
struct served_gateway_response {
	const struct apigw_rec_gateway_response *r;
	struct tmpl_list templates;
};
struct served {
	atomic_int refs;
	struct arena arena;
	struct str region, api, deployment, account;
	struct apigw_rec_snapshot snap;
	struct served_node *root;
	struct served_model *models;
	struct served_gateway_response *responses;
	bool has_policy;
	struct str policy_text; /* with whole ARNs */
	struct policy *policy;  /* NULL with has_policy: doesn't parse, denies all */
	struct served *next;
	int64_t used_ms;
};
struct served *served_get(struct visit *v, struct call *c, struct str deployment); /* counted; NULL: no such deployment */
struct served *served_draft(struct call *c, struct str api); /* of what is edited, shared with nobody; NULL: no such API */
void served_put(struct served *s);                           /* accepts NULL */
void served_forget_all(void);

/* --- a visit --- */
struct visit_answer { /* of an integration, then of the method */
	int status;
	struct http_header *headers;
	size_t n, cap;
	struct str body;
	bool has_type;
};
enum exec_kind { EXEC_ERROR = 1, EXEC_INFO = 2, EXEC_TRACE = 4 };
struct exec_line {
	int64_t at_ms;
	struct str text;
};
struct exec_log {  /* the execution log (front_log.c) */
	int wants; /* kinds */
	struct exec_line *v;
	size_t n, cap;
	bool completes;
};
struct visit {
	struct front_request *f;
	struct arena *a; /* the request's */
	struct cloud *cl;
	struct http_request *http;
	struct region *region; /* pinned */
	size_t step;
	bool begun, answered, too_large;
	int64_t now_ms, started_mono_ms, integration_mono_ms, integration_latency_ms, authorizer_mono_ms, authorizer_latency_ms;
	struct str extended_id, source_ip, trace;
	struct exec_log log;
	struct {
		uint8_t key[32];
		int64_t ttl_s; /* > 0: the answer is to be kept */
		bool warn;     /* the client may not ask for a new one */
	} cache;
	void (*test_done)(struct visit *v); /* of a test (test_invoke.c): takes the answer that nobody waits for on a connection */

	/* whose */
	struct str api, stage_name, account, domain_prefix;
	struct str vpce_id; /* from the host's name; absent: from outside */
	struct ec2_endpoint endpoint;
	bool through_endpoint, api_in_host;
	struct apigw_rec_stage stage;
	struct served *served;
	bool canary;
	struct str_map variables;

	/* what */
	struct str method;   /* of the client */
	struct str path;     /* canonical, without the stage, for routing and ARNs */
	struct str raw_path; /* as sent, without the stage */
	struct str segments[VISIT_SEGMENTS_MAX];
	size_t n_segments;
	const struct served_node *node;
	const struct served_method *m;
	struct str arn;                   /* arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH */
	struct str_map path_params;       /* decoded */
	struct str_map path_raw;          /* canonical, for URIs */
	struct str_pair *query, *headers; /* in order, decoded, repeated ones too */
	size_t n_query, n_headers;
	struct str body;
	bool body_binary; /* by the API's binary media types */

	/* who */
	struct principal who;
	struct str principal_id; /* from the authorizer */
	struct json *authorizer_context;
	struct str authorizer_policy; /* of a test */
	struct str usage_identifier;  /* from the authorizer */
	struct apigw_rec_api_key key;
	struct str key_value;

	/* answer */
	struct visit_answer integration, out;
	struct vtl_map *context; /* made when asked for */
	struct vtl_input *input;
	int64_t work;
	struct str error_type, error_message, error_validation, authorizer_error, integration_error;
	int integration_status;
	void *wait; /* of the step that waits */
};

void visit_run(struct visit *v); /* loop only: does the steps from v->step on */
struct str visit_extended_id(struct visit *v);
void visit_route_parameters(struct visit *v);
extern const size_t visit_step_validate;
void visit_go_on(struct visit *v);       /* loop only: the waiting step is over */
void visit_step(struct visit *v, int r); /* loop only: the waiting step ended so */

/* --- front_request.c --- */
int visit_parse(struct visit *v);                                       /* path, query, headers; 0 or VISIT_ANSWERED */
struct str visit_header(const struct visit *v, struct str name);        /* last value; absent */
struct str visit_query(const struct visit *v, struct str name);         /* last value; absent */
bool visit_binary_type(const struct visit *v, struct str content_type); /* is it one of the API's binary media types? */
struct str media_type(struct str content_type);                         /* without parameters */

/* --- front_context.c: $context --- */
struct vtl_map *visit_context(struct visit *v);
struct str visit_context_text(struct visit *v, struct str name); /* "identity.sourceIp"; absent */
void visit_context_error(struct visit *v);
struct str visit_variables(struct visit *v, struct str text);                              /* with ${stageVariables.name} replaced */
int visit_render(struct visit *v, const struct tmpl *t, struct str body, struct str *ret); /* -E2BIG, -EINVAL */
const struct tmpl *tmpl_find(const struct tmpl_list *l, struct str content_type);

/* visit_proxy_event (front_event.c): what functions get; with the type of an authorizer, or NULL. */
struct str visit_proxy_event(struct visit *v, const char *authorizer_type);

/* --- front_reply.c: gateway responses and answers --- */
enum gateway_error {
	GW_ACCESS_DENIED,
	GW_API_CONFIGURATION_ERROR,
	GW_AUTHORIZER_CONFIGURATION_ERROR,
	GW_AUTHORIZER_FAILURE,
	GW_BAD_REQUEST_BODY,
	GW_BAD_REQUEST_PARAMETERS,
	GW_EXPIRED_TOKEN,
	GW_INTEGRATION_FAILURE,
	GW_INTEGRATION_TIMEOUT,
	GW_INVALID_API_KEY,
	GW_INVALID_SIGNATURE,
	GW_MISSING_AUTHENTICATION_TOKEN,
	GW_QUOTA_EXCEEDED,
	GW_REQUEST_TOO_LARGE,
	GW_RESOURCE_NOT_FOUND,
	GW_THROTTLED,
	GW_UNAUTHORIZED,
	GW_UNSUPPORTED_MEDIA_TYPE,
	GW_DEFAULT_4XX,
	GW_DEFAULT_5XX,
};
/* visit_refuse answers with a gateway response; always VISIT_ANSWERED. message absent: the type's own. status 0: the type's. */
int visit_refuse(struct visit *v, enum gateway_error e, struct str message);
int visit_refuse_as(struct visit *v, enum gateway_error e, int status, struct str message);
int visit_forbidden(struct visit *v); /* no such API, or not for this way in */
void visit_header_out(struct visit *v, struct visit_answer *w, struct str name, struct str value);
int visit_send(struct visit *v); /* sends v->out; VISIT_ANSWERED */

/* --- steps --- */
int visit_authorize(struct visit *v);  /* front_policy.c: endpoint, resource policy, IAM */
int visit_authorizer(struct visit *v); /* authorizer.c */
int visit_key(struct visit *v);        /* throttle.c: API key, plan, quota, rates */
int visit_validate(struct visit *v);   /* front_validate.c */
int visit_integrate(struct visit *v);  /* integration.c */
int visit_respond(struct visit *v);    /* integration.c */

struct policy_result visit_identity_policy(struct visit *v, struct str policy_text, bool *ret_parsed);
enum policy_decision visit_resource_policy(struct visit *v); /* as an anonymous caller; ALLOW where there is none */
int visit_denied(struct visit *v, bool explicitly);

bool visit_may(struct visit *v, const char *action); /* may the signed caller do this with the method? Nobody may who didn't sign */

/* --- front_cache.c --- */
int visit_cache_get(struct visit *v, bool *ret_hit); /* 0 or VISIT_ANSWERED; hit: the integration's answer is there */
void visit_cache_put(struct visit *v);
void cache_close(void);

/* --- integrations --- */
struct integration_request {
	struct str method, uri;
	struct http_header *headers;
	size_t n, cap;
	struct str body;
	int timeout_ms;
	bool insecure; /* no verification of the backend's certificate */
	bool abroad;   /* not to this machine's loopback */
	struct str authority;
};
struct str visit_source_arn(struct visit *v);                     /* the method as resource policies of functions and services name it */
struct str visit_request_value(struct visit *v, struct str from); /* of a parameter mapping's source; absent */
int visit_timeout(const struct visit *v);                         /* of the method's integration, in ms */

/* --- errands (front_errand.c): calls into the cloud that a visit waits for --- */
struct errand {          /* the first member of what is made with errand_new; zeroed behind it */
	struct visit *v; /* NULL: nobody waits any more */
	struct http_loop *loop;
	void *timer;
	struct arena arena;    /* for the call: freed when it is over */
	struct arena *more;    /* likewise, where there is another one */
	struct region *region; /* where it is made; pinned */
	struct principal who;
	struct call_facts facts;
	int result;
	void (*over)(struct errand *e, struct visit *v, int result);
};
struct errand_for {
	struct str region, credentials; /* a role's ARN; "user" and a star: the caller; absent: API Gateway itself */
	struct str source_arn;
	int timeout_ms;
	/* On the loop, once: what the call gave to errand_end; or -ETIMEDOUT, then e is not to be looked at (its call goes on). */
	void (*over)(struct errand *e, struct visit *v, int result);
};
int errand_new(struct visit *v, size_t size, const struct errand_for *f, struct errand **ret); /* -EACCES, -ENOENT: the credentials */
void errand_end(struct errand *e, int result);                                                 /* on any thread: the call is over */

/* integration_aws_start (integration_aws.c): a request to a service of this cloud; q->uri is the integration's ARN, complete. */
int integration_aws_start(struct visit *v, const struct integration_request *q);

/* integration_http_start (integration_http.c): sends to a backend, on a thread of its own, and ends the step with visit_step. */
int integration_http_start(struct visit *v, const struct integration_request *q);
int integration_lambda_start(struct visit *v, const struct integration_request *q); /* integration_lambda.c */
int integration_proxy_answer(struct visit *v, struct str payload);                  /* a function's proxy answer into v->out */
void integration_http_close(void);
/* lambda_start (integration_lambda.c): invokes a function; done(v, result, payload, is_error) comes on the loop; the payload
 * lives as long as the visit. */
int lambda_start(struct visit *v, struct str uri, struct str credentials, struct str source_arn, struct str payload, bool event,
		 void (*done)(struct visit *v, int result, struct str payload, bool is_error));
struct str lambda_url(struct visit *v, struct str uri);                                   /* where AWS would reach the function, for logs */
size_t lambda_headers(struct visit *v, struct str source_arn, struct http_header ret[5]); /* likewise */
struct str lambda_of_uri(struct visit *v, struct str uri); /* the function's ARN, absent: not a function's URI */

/* --- front_log.c --- */
void visit_log_open(struct visit *v); /* routed: does the stage log this method? */
void visit_log(struct visit *v, int kind, const char *fmt, ...) _printf_(3, 4);
struct str visit_log_masked(struct visit *v, struct str s); /* all but the end in stars */
struct str visit_log_pairs(struct visit *v, const struct str_pair *p, size_t n);
struct str visit_log_headers(struct visit *v, const struct http_header *h, size_t n);
struct str visit_log_body(struct visit *v, struct str body);
void visit_log_begin(struct visit *v);
void visit_log_sending(struct visit *v, struct str uri, const struct http_header *h, size_t n, struct str body);
void visit_log_received(struct visit *v, int status, const struct http_header *h, size_t n, struct str body);
void visit_log_transformed(struct visit *v);
void visit_log_end(struct visit *v);
struct str visit_log_text(struct visit *v);
void visit_log_send(struct visit *v); /* to CloudWatch Logs */

/* --- throttle.c --- */
const struct apigw_rec_method_setting *visit_setting(struct visit *v); /* the stage's, of the visit's method; NULL: none */
void throttle_flush(struct cloud *cl, struct region *r);               /* usage into the store */
void throttle_close(void);

/* --- accesslog.c --- */
void access_log(struct visit *v);
/* log_enqueue: a line for a log group, written as the account's role soon; make: the group too, where there is none. */
void log_enqueue(struct visit *v, struct str group, int64_t at_ms, struct str text, bool make);
void access_log_close(void);

extern const struct front apigateway_front;
void apigateway_front_close(struct cloud *cl);
void apigateway_front_tick(struct cloud *cl, struct region *r, int64_t now_ms);
