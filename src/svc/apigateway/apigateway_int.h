/* SPDX-License-Identifier: Apache-2.0 */
/* apigateway_int.h - shared by the files of API Gateway (REST APIs). Sources: API Gateway Developer Guide, REST API Reference.
 *
 * What is edited (apigw.api, .res, .model...) and what is served are two things: a deployment is an immutable copy of all of
 * an API (struct apigw_rec_snapshot), and a stage names one. The data plane reads stages and snapshots, never what is edited.
 * Records carry the API's own member names, so that requests, records and answers are copied by name (copy.c) and
 * patched by path (patch.c). */
#pragma once
#include "cloud/cloud.h"
#include "gen_apigateway.h"
#include "gen_apigateway_rec.h"

#define APIGW_ID_CHARS "abcdefghijklmnopqrstuvwxyz0123456789"
#define APIGW_API_ID_CHARS 10
#define APIGW_PART_ID_CHARS 6
#define APIGW_APIS_MAX 600
#define APIGW_RESOURCES_MAX 300
#define APIGW_STAGES_MAX 10
#define APIGW_AUTHORIZERS_MAX 10
#define APIGW_PLANS_MAX 300
#define APIGW_KEYS_MAX 10000
#define APIGW_CERTIFICATES_MAX 60
#define APIGW_KEY_VALUE_MIN 20
#define APIGW_KEY_VALUE_MAX 128
#define APIGW_ACCOUNT_RATE 10000.0 /* requests a second, of an account in a region */
#define APIGW_ACCOUNT_BURST 5000

/* --- load.c: for the data plane. Everything is copied into the arena. --- */
/* apigw_find_api: whose API is it? Also says whether there is one. -ENOENT. */
int apigw_find_api(struct store_txn *t, struct arena *a, struct str api, struct str *ret_account);
int apigw_load_api(struct store_txn *t, struct arena *a, struct str account, struct str api, struct apigw_rec_api *ret); /* -ENOENT */
int apigw_load_stage(struct store_txn *t, struct arena *a, struct str account, struct str api, struct str stage,
		     struct apigw_rec_stage *ret); /* -ENOENT */
/* apigw_load_snapshot: what a deployment serves. Never changes while it exists, so it may be cached by (API, deployment). */
int apigw_load_snapshot(struct store_txn *t, struct arena *a, struct str account, struct str api, struct str deployment,
			struct apigw_rec_snapshot *ret); /* -ENOENT */
/* apigw_load_draft: the same picture of the API as it is being edited, for TestInvokeMethod. */
int apigw_load_draft(struct store_txn *t, struct arena *a, struct str account, struct str api, struct apigw_rec_snapshot *ret);
/* apigw_load_key: the API key (enabled or not) with this value. -ENOENT. */
int apigw_load_key(struct cloud *cl, struct store_txn *t, struct arena *a, struct str account, struct str value,
		   struct apigw_rec_api_key *ret);
/* apigw_load_plan: the usage plan of the key that has this stage. -ENOENT: none, so the key opens nothing here. */
int apigw_load_plan(struct store_txn *t, struct arena *a, struct str account, struct str key_id, struct str api, struct str stage,
		    struct apigw_rec_usage_plan *ret);
int apigw_load_account(struct store_txn *t, struct arena *a, struct str account, struct apigw_rec_account *ret); /* empty when never set */
/* Usage is kept a day: day is "YYYY-MM-DD" (UTC). used counts requests, extension is what UpdateUsage granted on top of the
 * quota (counted on the first day of the quota's period). */
void apigw_usage_key(struct keybuf *k, struct str account, struct str plan, struct str key_id, struct str day);
int apigw_load_usage(struct store_txn *t, struct arena *a, struct str account, struct str plan, struct str key_id, struct str day,
		     struct apigw_rec_usage *ret); /* zeros when there is none */

void apigw_key_index(struct cloud *cl, struct keybuf *k, struct str account, struct str value);

/* --- keys of records: apigw.TABLE / API / part; part absent: the prefix of all --- */
void apigw_key(struct keybuf *k, struct str account, const char *table, struct str a, struct str b);
/* apigw_load_all: all parts of an API that are in one table, decoded one behind the other into *ret_list, a generated list of shape. */
int apigw_load_all(struct store_txn *t, struct arena *a, struct str account, struct str api, const char *table, uint16_t shape,
		   void *ret_list);

/* --- copy.c: by member names --- */
void apigw_in(struct call *c, const void *in, uint16_t shape, void *rec);   /* the call's input to a record */
void apigw_out(struct call *c, uint16_t shape, const void *rec, void *out); /* a record to the call's answer */
void apigw_out_item(struct call *c, uint16_t shape, const void *rec,
		    void *out); /* ... to its list of items; rec NULL: which may be empty */
void apigw_out_position(struct call *c, struct str position, void *out);

/* --- patch.c --- */
enum apigw_patch_op { APIGW_ADD = 1, APIGW_REPLACE = 2, APIGW_REMOVE = 4, APIGW_COPY = 8 };
struct apigw_rule {
	const char *path; /* "/variables/{name}"; the table ends with NULL */
	uint8_t ops;
	/* for what is not plainly a member of the record: does the path belong here, and what does it do? */
	bool (*fits)(struct str path);
	int (*special)(struct call *c, void *rec, enum apigw_patch_op op, const struct apigateway_patch_operation *o);
};
int apigw_patch(struct call *c, uint16_t shape, void *rec, const struct apigateway_patch_operation_list *ops,
		const struct apigw_rule *rules);
bool apigw_patched(const struct apigateway_patch_operation_list *ops, const char *path); /* is this path among them? */
struct str apigw_unescape(struct arena *a, struct str s);                                /* "~1" and "~0" */

/* --- parts.c --- */
#define APIGW_PAGE 25
#define APIGW_PAGE_MAX 500
#define APIGW_TAGS_MAX 50
struct apigw_kind {
	const char *table;
	uint16_t shape;
	const char *missing; /* AWS's sentence when it is not there */
};
extern const struct apigw_kind apigw_api_kind, apigw_resource_kind, apigw_model_kind, apigw_validator_kind, apigw_authorizer_kind,
	apigw_response_kind, apigw_deployment_kind, apigw_stage_kind, apigw_docpart_kind, apigw_docversion_kind, apigw_key_kind,
	apigw_plan_kind, apigw_cert_kind;
int apigw_api(struct call *c, struct str id, struct apigw_rec_api *ret); /* refuses what is not there */
/* apigw_part: a part of an API, refusing when either is not there; id absent: "api" is the id of what belongs to no API. */
int apigw_part(struct call *c, const struct apigw_kind *kind, struct str api, struct str id, void *ret);
int apigw_get(struct call *c, const struct apigw_kind *kind, struct str a, struct str b, void *ret); /* -ENOENT */
int apigw_put(struct call *c, const struct apigw_kind *kind, struct str a, struct str b, const void *rec);
int apigw_del(struct call *c, const struct apigw_kind *kind, struct str a, struct str b);
int apigw_drop_all(struct call *c, const char *table, struct str a);
int apigw_all(struct call *c, const struct apigw_kind *kind, struct str api, void *ret_list);
int apigw_count(struct call *c, const struct apigw_kind *kind, struct str api, size_t max); /* stops behind max */
/* apigw_list fills a page of the answer's items. each (may be NULL) returns 1 to take the record, which it may change, 0 not. */
int apigw_list(struct call *c, const struct apigw_kind *kind, struct str api, struct str position, struct opt_int limit,
	       int (*each)(struct call *c, void *rec, void *arg), void *arg, void *out);
struct str apigw_id(struct call *c, size_t n);
struct str apigw_arn(struct call *c, const char *fmt, ...) _printf_(2, 3); /* of a path: "/restapis/ID" */
int apigw_pass_role(struct call *c, struct str role);                      /* may the caller hand this role to API Gateway? */
int apigw_check_tags(struct call *c, const struct str_map *tags);

/* --- apis.c --- */
void apigw_api_out(struct call *c, const struct apigw_rec_api *api, struct apigateway_rest_api *out);
int apigw_api_check(struct call *c, struct apigw_rec_api *api); /* refuses what is wrong, fills in what was left out */
int apigw_api_new(struct call *c, struct apigw_rec_api *api);   /* gives it ids, a root and the default models, and stores it */
int apigw_parts_put(struct call *c, struct str api, const struct apigw_rec_snapshot *s);
int apigw_parts_drop(struct call *c, struct str api); /* all but deployments, stages and documentation */

/* --- resources.c --- */
bool apigw_path_part_valid(struct str s);
struct str apigw_path_join(struct arena *a, struct str parent, struct str part);

/* --- methods.c, integrations.c: checks that the import makes, too --- */
/* apigw_map_value: the value of a key in a generated map whose values take size bytes; made (zeroed) when it is not there. */
void *apigw_map_value(struct arena *a, void *map, size_t size, struct str key, bool make);
bool apigw_map_remove(void *map, size_t size, struct str key);
bool apigw_verb_valid(struct str verb);
int apigw_method_check(struct call *c, struct str api, struct apigw_rec_method *m);
int apigw_method_response_check(struct call *c, struct str api, const struct apigw_rec_method_response *m);
/* apigw_method finds a method in its resource; what it points at is changed in ret_res. Refuses what is not there. */
int apigw_method(struct call *c, struct str api, struct str resource, struct str verb, struct apigw_rec_resource *ret_res,
		 struct apigw_rec_method **ret);
int apigw_bad_mapping(struct call *c, struct str what); /* refuses a parameter mapping */
int apigw_integration_check(struct call *c, struct str resource_id, struct apigw_rec_integration *g);
int apigw_integration_pass_role(struct call *c, const struct apigw_rec_integration *g);
int apigw_integration_response_check(struct call *c, const struct apigw_rec_method *m, const struct apigw_rec_integration_response *g);
/* apigw_service_of: the service that an integration's ARN names ("kms", "bucket.s3"), and its name for signatures; *ret_front is the
 * bucket in front, absent when there is none. NULL: this cloud has no such service. */
const struct service_model *apigw_service_of(struct cloud *cl, struct str name, struct str *ret_signing, struct str *ret_front);
/* apigw_function_of: the function (ARN, or what stage variables make one) that an integration's or authorizer's uri names. -EINVAL. */
int apigw_function_of(struct str uri, struct str *ret_region, struct str *ret_function);

/* --- definitions.c, authorizers.c --- */
int apigw_model_check(struct call *c, const struct apigw_rec_model *m);
int apigw_authorizer_check(struct call *c, struct apigw_rec_authorizer *a);
int apigw_response_check(struct call *c, struct apigw_rec_gateway_response *g);

int apigw_authorizer_pass_role(struct call *c, const struct apigw_rec_authorizer *a);
/* apigw_response_default: what the gateway says where nothing else was configured; false: there is no such type. */
bool apigw_response_default(struct arena *a, struct str type, struct apigw_rec_gateway_response *ret);
/* apigw_user_of: the first method ("GET /path") that uses(method, id); absent when there is none. */
int apigw_user_of(struct call *c, struct str api, bool (*uses)(const struct apigw_rec_method *m, struct str id), struct str id,
		  struct str *ret);

/* --- stages.c --- */
struct apigw_rec_stage_list {
	struct apigw_rec_stage *v;
	size_t n;
};
int apigw_stage_check(struct call *c, struct str api, struct apigw_rec_stage *st);
int apigw_stage_room(struct call *c, struct str api); /* refuses one more than may be */
/* apigw_method_key: the name under which a stage or usage plan keeps settings of a method; path as in a patch or a record. */
struct str apigw_method_key(struct arena *a, struct str path, struct str verb);

/* --- keys.c, plans.c --- */
int apigw_key_value(struct call *c, const struct apigw_rec_api_key *k, struct str *ret); /* in the clear */
/* apigw_members: the ids at the other end of "apigw.plankey" (of a plan) or "apigw.keyplan" (of a key). */
int apigw_members(struct call *c, const char *table, struct str of, struct str_list *ret);
int apigw_set_member(struct call *c, struct str plan, struct str key, bool in);
int apigw_plan_join(struct call *c, const struct apigw_rec_usage_plan *p, struct str key); /* refuses a second plan for one stage */
/* apigw_quota_left: how many requests the key may still make in the quota's period; INT64_MAX without a quota. */
int apigw_quota_left(struct store_txn *t, struct arena *a, struct str account, const struct apigw_rec_usage_plan *p, struct str key_id,
		     int64_t now_ms, int64_t *ret);
int64_t apigw_period_start(const struct apigw_rec_quota *q, int64_t now_ms); /* of the period that now is in, UTC */

/* --- certificates.c, tags.c --- */
struct apigw_tagged { /* what can have tags, by the path in its ARN */
	const struct apigw_kind *kind;
	struct str a, b;
	void *rec;
	struct str_map *tags; /* in rec */
};
int apigw_tagged(struct call *c, struct str path, struct apigw_tagged *ret); /* -EINVAL: cannot have tags; -ENOENT (kind is set) */

/* --- conditions.c --- */
int apigateway_conditions(struct call *c, const char *action, struct key_set *k);
void apigw_import_keys(struct call *c, const struct apigw_rec_snapshot *s, struct key_set *k);
void apigw_resource_keys(struct call *c, struct str path, struct key_set *k);

#define APIGW_HANDLER(op, I, O) int apigateway_##op(struct call *c, const struct apigateway_##I *in, struct apigateway_##O *out)
#include "svc/apigateway/handlers.h"
extern const struct cfn_type *const apigateway_cfn[];
