/* SPDX-License-Identifier: Apache-2.0 */
/* lambda_int.h - shared by the files of AWS Lambda. Sources: AWS Lambda Developer Guide and API Reference, Service
 * Authorization Reference.
 *
 * Where things are, in the region's store, below the owner's account:
 *   lambda.fn     NAME              struct lambda_rec_function: what all versions share
 *   lambda.ver    NAME NUMBER       struct lambda_rec_version: code and configuration; number 0 is $LATEST
 *   lambda.alias  NAME ALIAS        struct lambda_rec_alias
 *   lambda.policy NAME QUALIFIER    struct lambda_rec_policy; qualifier "" is the function itself
 *   lambda.event  NAME QUALIFIER    struct lambda_rec_event_config
 *   lambda.url    NAME QUALIFIER    struct lambda_rec_url
 *   lambda.layer  NAME, lambda.layerver NAME NUMBER
 *   lambda.csc    ID                struct lambda_rec_signing
 *   lambda.use                      struct lambda_rec_account: sums
 * Below the empty account:
 *   lambda.file   ID                how many versions and layers use an archive
 *   lambda.urlid  ID                the URL's account, function and qualifier
 *   lambda.prov   ACCOUNT NAME QUALIFIER   struct lambda_rec_provisioned: environments that are kept up
 *   lambda.queue  ID                struct lambda_rec_event: an asynchronous invocation, with a job of its own
 * Archives are files beside the store (REGION/lambda/objects), unpacked ones folders (REGION/lambda/code/ID). */
#pragma once
#include "cloud/cloud.h"
#include "gen_lambda.h"
#include "gen_lambda_rec.h"
#include "procd/functions.h"
#include "store/files.h"
#include "svc/lambda/names.h"

/* Quotas: "Lambda quotas" (Developer Guide). */
#define LAMBDA_ZIP_BYTES_MAX (50LL << 20)
#define LAMBDA_UNZIPPED_BYTES_MAX (250LL << 20)
#define LAMBDA_STORAGE_BYTES_MAX (75LL << 30)
#define LAMBDA_ENV_BYTES_MAX 4096
#define LAMBDA_LAYERS_MAX 5
#define LAMBDA_TAGS_MAX 50
#define LAMBDA_POLICY_BYTES_MAX 20480
#define LAMBDA_CONCURRENCY_MAX 1000
#define LAMBDA_UNRESERVED_MIN 100
#define LAMBDA_SYNC_BYTES_MAX 6291456
#define LAMBDA_ASYNC_BYTES_MAX 1048576
#define LAMBDA_RECURSION_MAX 16       /* visits of one function in one chain of requests */
#define LAMBDA_CONTEXT_BYTES_MAX 3583 /* in base64 */
#define LAMBDA_TIMEOUT_S_MAX 900
#define LAMBDA_MEMORY_MB_MAX 10240
#define LAMBDA_EPHEMERAL_MB_MAX 10240
#define LAMBDA_INIT_TIMEOUT_MS 10000
#define LAMBDA_LATEST "$LATEST"

#define LAMBDA_HANDLER(op, in_t, out_t) int lambda_##op(struct call *c, const struct lambda_##in_t *in, struct lambda_##out_t *out)

/* --- records.c --- */
void lambda_key(struct keybuf *k, struct str account, const char *table, struct str name);
int lambda_function_read(struct store_txn *t, struct arena *a, struct str account, struct str name, struct lambda_rec_function *ret);
int lambda_function_put(struct store_txn *t, const struct lambda_rec_function *f);
int lambda_version_read(struct store_txn *t, struct arena *a, struct str account, struct str name, int64_t number,
			struct lambda_rec_version *ret);
int lambda_version_put(struct store_txn *t, struct str account, const struct lambda_rec_version *v);
int lambda_version_del(struct store_txn *t, struct str account, struct str name, int64_t number);
int lambda_alias_read(struct store_txn *t, struct arena *a, struct str account, struct str name, struct str alias,
		      struct lambda_rec_alias *ret);
int lambda_alias_put(struct store_txn *t, struct str account, struct str name, const struct lambda_rec_alias *al);
int lambda_policy_read(struct store_txn *t, struct arena *a, struct str account, struct str name, struct str qualifier,
		       struct lambda_rec_policy *ret);
int lambda_policy_put(struct store_txn *t, struct str account, struct str name, struct str qualifier, const struct lambda_rec_policy *p);
/* lambda_table_put and _get: records of one kind below (account, table, name, part). */
int lambda_table_put(struct store_txn *t, struct str account, const char *table, struct str name, struct str part, uint16_t shape,
		     const void *rec);
int lambda_table_get(struct store_txn *t, struct arena *a, struct str account, const char *table, struct str name, struct str part,
		     uint16_t shape, void *ret); /* -ENOENT */
int lambda_table_del(struct store_txn *t, struct str account, const char *table, struct str name, struct str part);
int lambda_use_read(struct store_txn *t, struct arena *a, struct str account,
		    struct lambda_rec_account *ret); /* zeroes when there is none */
int lambda_use_put(struct store_txn *t, struct str account, const struct lambda_rec_account *u);
/* lambda_drop_all deletes every row whose key begins with (account, table, name). */
int lambda_drop_all(struct store_txn *t, struct arena *a, struct str account, const char *table, struct str name);
int lambda_drop_below(struct store_txn *t, struct arena *a, const struct keybuf *prefix);
/* lambda_rows gives the rows of a range to fn, a page of them: fn returns 0 (counts), 1 (does not) or negative. Refuses a marker
 * that is not ours. */
int lambda_rows(struct call *c, const struct keybuf *prefix, struct str marker, struct opt_int max, struct str *ret_marker,
		int (*fn)(struct call *c, struct str key, struct str value, void *arg), void *arg);
#define LAMBDA_PAGE_MAX 50

/* --- find.c: what a request names --- */
struct lambda_fn { /* a function as a request names it */
	struct str account, name;
	struct str qualifier; /* as asked; absent: none */
	bool exists;
	struct lambda_rec_function f;
};
/* lambda_name takes FunctionName and Qualifier apart: refuses what names no function of this region. */
int lambda_name(struct call *c, struct str function, struct str qualifier, struct lambda_fn *ret);
/* lambda_find: the function must exist (ResourceNotFoundException). */
int lambda_find(struct call *c, struct str function, struct str qualifier, struct lambda_fn *ret);
/* lambda_whole finds a function for what concerns all of it. Refuses a qualifier: the caller was asked about that version or alias. */
int lambda_whole(struct call *c, struct str function, struct lambda_fn *ret);
/* lambda_resolve gives the version that the qualifier means; an alias with weights chooses at random. */
int lambda_resolve(struct call *c, const struct lambda_fn *fn, struct lambda_rec_version *ret);
int lambda_no_function(struct call *c, const struct lambda_fn *fn);
struct str lambda_arn(struct call *c, struct str account, struct str name, struct str qualifier); /* qualifier may be absent */
struct str lambda_version_text(struct arena *a, int64_t number);
struct str lambda_runtime_arn(struct arena *a, struct str region, struct str runtime);
int lambda_revision_check(struct call *c, struct str asked, struct str now);

/* lambda_fail refuses, with the members that Lambda's errors have. Always -ECANCELED. */
int lambda_fail(struct call *c, const struct desc_error *e, const char *fmt, ...) _printf_(3, 4);

/* --- config.c --- */
struct lambda_settings { /* what CreateFunction and UpdateFunctionConfiguration have in common; absent: unchanged */
	struct str role, handler, runtime, description, kms_key;
	struct opt_int timeout, memory;
	const struct lambda_environment *environment;
	const struct lambda_tracing_config *tracing;
	const struct lambda_ephemeral_storage *ephemeral;
	const struct lambda_logging_config *logging;
	const struct lambda_dead_letter_config *dead_letter;
	struct str_list layers, architectures;
	bool has_layers;
};
/* lambda_settings_apply checks them and changes v; the environment is only checked here (lambda_env_seal). */
int lambda_settings_apply(struct call *c, const struct lambda_settings *s, struct lambda_rec_version *v);
int lambda_role_check(struct call *c, struct str role);
/* lambda_env_seal seals the variables into v as the caller, in the write transaction of c. */
int lambda_env_seal(struct call *c, struct str account, const struct lambda_environment *e, struct lambda_rec_version *v);
int lambda_env_open(struct call *c, struct str account, const struct lambda_rec_version *v, struct str_map *ret, struct call_error *err);
/* lambda_view fills an answer's configuration. qualified: the ARN names the version. */
void lambda_view(struct call *c, const struct lambda_fn *fn, const struct lambda_rec_version *v, struct str arn_qualifier,
		 struct lambda_function_configuration *out);
int lambda_update_function_configuration(struct call *c, const struct lambda_update_function_configuration_request *in,
					 struct lambda_function_configuration *out);
int lambda_size_check(struct call *c, const struct lambda_rec_version *v); /* code and layers unpacked together. Refuses */
/* lambda_layers_use counts the archives of v's layers as used, and those of old (may be NULL) no longer. */
int lambda_layers_use(struct call *c, const struct lambda_rec_version *old, const struct lambda_rec_version *v);
void lambda_forget(struct call *c, const struct lambda_fn *fn);                         /* after the commit, environments of $LATEST end */
void lambda_forget_version(struct call *c, const struct lambda_fn *fn, int64_t number); /* number < 0: all */
int lambda_version_copy(struct arena *a, const struct lambda_rec_version *v, struct lambda_rec_version *ret);
void lambda_touch(struct call *c, struct lambda_rec_version *v); /* new revision, modified now */

/* --- code.c: archives --- */
int lambda_create_function(struct call *c, const struct lambda_create_function_request *in, struct lambda_function_configuration *out);
int lambda_update_function_code(struct call *c, const struct lambda_update_function_code_request *in,
				struct lambda_function_configuration *out);
struct lambda_code {     /* an archive that was taken in */
	struct str file; /* its id */
	struct str sha256;
	int64_t bytes, unzipped;
};
struct lambda_source { /* where it comes from */
	struct str zip, bucket, key, object_version;
};
/* lambda_code_take reads, checks, stores and unpacks an archive. Blocks: on a worker thread, without a transaction. c: a call of
 * the caller; refuses in it. Whoever fails later gives it back with lambda_code_drop. */
int lambda_code_take(struct call *c, const struct lambda_source *s, struct lambda_code *ret);
void lambda_code_drop(struct region *r, struct str file);
/* lambda_file_use counts users of an archive; the last one's going removes it after the commit of c. */
int lambda_file_use(struct call *c, struct str file, int64_t bytes, int delta);
/* lambda_code_dir gives the folder of an unpacked archive, into a; unpacks it when it is not there (blocks). */
int lambda_code_dir(struct region *r, struct str file, struct arena *a, struct str *ret);
bool lambda_code_ready(struct region *r, struct str file, struct arena *a, struct str *ret); /* without blocking */
struct files *lambda_files(struct region *r);
int lambda_files_open(struct region *r, struct store_txn *t);
struct str lambda_code_url(struct call *c, struct str file); /* where the archive can be fetched for some minutes */
void lambda_code_tick(struct region *r);
/* lambda_away runs step(c2, arg) on a worker thread and parks c meanwhile. step works on a copy of the call with an arena and no
 * transaction of its own, and refuses there; when it succeeds, finish fills the answer in the call itself. */
int lambda_away(struct call *c, int (*step)(struct call *w, void *arg), int (*finish)(struct call *c, void *arg), void *arg);
/* lambda_write runs fn in a write transaction, with c->txn and c->global set for it; also the call's companion (call_also). */
int lambda_write(struct call *c, int (*fn)(struct call *c, void *arg), void *arg);

int lambda_write_code(struct call *c, void *arg);

/* --- versions.c --- */
/* lambda_publish makes the next version of $LATEST in v (v becomes it), or gives the last one when nothing changed since. f is
 * changed; the caller stores it. */
int lambda_publish(struct call *c, struct lambda_rec_function *f, struct lambda_rec_version *v, struct str description);

LAMBDA_HANDLER(publish_version, publish_version_request, function_configuration);
LAMBDA_HANDLER(list_versions_by_function, list_versions_by_function_request, list_versions_by_function_response);
LAMBDA_HANDLER(create_alias, create_alias_request, alias_configuration);
LAMBDA_HANDLER(update_alias, update_alias_request, alias_configuration);
LAMBDA_HANDLER(get_alias, get_alias_request, alias_configuration);
LAMBDA_HANDLER(delete_alias, delete_alias_request, delete_alias_response);
LAMBDA_HANDLER(list_aliases, list_aliases_request, list_aliases_response);

/* --- settings.c: what a function has besides its versions --- */
LAMBDA_HANDLER(put_function_concurrency, put_function_concurrency_request, concurrency);
LAMBDA_HANDLER(get_function_concurrency, get_function_concurrency_request, get_function_concurrency_response);
LAMBDA_HANDLER(delete_function_concurrency, delete_function_concurrency_request, delete_function_concurrency_response);
LAMBDA_HANDLER(get_account_settings, get_account_settings_request, get_account_settings_response);
LAMBDA_HANDLER(put_function_event_invoke_config, put_function_event_invoke_config_request, function_event_invoke_config);
LAMBDA_HANDLER(update_function_event_invoke_config, update_function_event_invoke_config_request, function_event_invoke_config);
LAMBDA_HANDLER(get_function_event_invoke_config, get_function_event_invoke_config_request, function_event_invoke_config);
LAMBDA_HANDLER(delete_function_event_invoke_config, delete_function_event_invoke_config_request,
	       delete_function_event_invoke_config_response);
LAMBDA_HANDLER(list_function_event_invoke_configs, list_function_event_invoke_configs_request, list_function_event_invoke_configs_response);
/* lambda_event_read: how events of a qualifier are handled; -ENOENT: by default. */
int lambda_event_read(struct store_txn *t, struct arena *a, struct str account, struct str name, struct str qualifier,
		      struct lambda_rec_event_config *ret);
LAMBDA_HANDLER(get_runtime_management_config, get_runtime_management_config_request, get_runtime_management_config_response);
LAMBDA_HANDLER(put_runtime_management_config, put_runtime_management_config_request, put_runtime_management_config_response);
LAMBDA_HANDLER(get_function_recursion_config, get_function_recursion_config_request, get_function_recursion_config_response);
LAMBDA_HANDLER(put_function_recursion_config, put_function_recursion_config_request, put_function_recursion_config_response);

/* --- provisioned.c: environments that are kept up --- */
LAMBDA_HANDLER(put_provisioned_concurrency_config, put_provisioned_concurrency_config_request, put_provisioned_concurrency_config_response);
LAMBDA_HANDLER(get_provisioned_concurrency_config, get_provisioned_concurrency_config_request, get_provisioned_concurrency_config_response);
LAMBDA_HANDLER(delete_provisioned_concurrency_config, delete_provisioned_concurrency_config_request,
	       delete_provisioned_concurrency_config_response);
LAMBDA_HANDLER(list_provisioned_concurrency_configs, list_provisioned_concurrency_configs_request,
	       list_provisioned_concurrency_configs_response);
/* lambda_provisioned_drop: a version or alias goes, and what is kept up for it; absent: all of the function. fn is changed and
 * stored. 0 when there is nothing. */
int lambda_provisioned_drop(struct call *c, struct lambda_fn *fn, struct str qualifier);
/* lambda_provisioned_alias: an alias was changed to al, which is stored; may what is kept up for it follow? Refuses. */
int lambda_provisioned_alias(struct call *c, const struct lambda_fn *fn, const struct lambda_rec_alias *al);
/* lambda_provisioned_places: how many invocations of a version have a place of their own. Negative errno. */
int64_t lambda_provisioned_places(struct call *c, const struct lambda_fn *fn, int64_t version);
void lambda_provisioned_tick(struct cloud *cl, struct region *r); /* starts and ends environments until all is as configured */

/* --- layers.c --- */
LAMBDA_HANDLER(publish_layer_version, publish_layer_version_request, publish_layer_version_response);
LAMBDA_HANDLER(get_layer_version, get_layer_version_request, get_layer_version_response);
LAMBDA_HANDLER(get_layer_version_by_arn, get_layer_version_by_arn_request, get_layer_version_response);
LAMBDA_HANDLER(delete_layer_version, delete_layer_version_request, delete_layer_version_response);
LAMBDA_HANDLER(list_layer_versions, list_layer_versions_request, list_layer_versions_response);
LAMBDA_HANDLER(list_layers, list_layers_request, list_layers_response);
LAMBDA_HANDLER(add_layer_version_permission, add_layer_version_permission_request, add_layer_version_permission_response);
LAMBDA_HANDLER(get_layer_version_policy, get_layer_version_policy_request, get_layer_version_policy_response);
LAMBDA_HANDLER(remove_layer_version_permission, remove_layer_version_permission_request, remove_layer_version_permission_response);

/* --- signing.c --- */
LAMBDA_HANDLER(create_code_signing_config, create_code_signing_config_request, create_code_signing_config_response);
LAMBDA_HANDLER(update_code_signing_config, update_code_signing_config_request, update_code_signing_config_response);
LAMBDA_HANDLER(get_code_signing_config, get_code_signing_config_request, get_code_signing_config_response);
LAMBDA_HANDLER(delete_code_signing_config, delete_code_signing_config_request, delete_code_signing_config_response);
LAMBDA_HANDLER(list_code_signing_configs, list_code_signing_configs_request, list_code_signing_configs_response);
LAMBDA_HANDLER(list_functions_by_code_signing_config, list_functions_by_code_signing_config_request,
	       list_functions_by_code_signing_config_response);
LAMBDA_HANDLER(put_function_code_signing_config, put_function_code_signing_config_request, put_function_code_signing_config_response);
LAMBDA_HANDLER(get_function_code_signing_config, get_function_code_signing_config_request, get_function_code_signing_config_response);
LAMBDA_HANDLER(delete_function_code_signing_config, delete_function_code_signing_config_request,
	       delete_function_code_signing_config_response);

int lambda_signing_load(struct call *c, struct str arn, struct lambda_rec_signing *ret);
int lambda_signing_put(struct call *c, const struct lambda_rec_signing *s);
int lambda_signing_check(struct call *c, struct str config_arn); /* may unsigned code be deployed under it? */

/* --- functions.c --- */
LAMBDA_HANDLER(get_function, get_function_request, get_function_response);
LAMBDA_HANDLER(get_function_configuration, get_function_configuration_request, function_configuration);
LAMBDA_HANDLER(list_functions, list_functions_request, list_functions_response);
LAMBDA_HANDLER(delete_function, delete_function_request, delete_function_response);
LAMBDA_HANDLER(list_tags, list_tags_request, list_tags_response);
LAMBDA_HANDLER(tag_resource, tag_resource_request, tag_resource_response);
LAMBDA_HANDLER(untag_resource, untag_resource_request, untag_resource_response);
int lambda_tags_check(struct call *c, const struct str_map *tags);

/* --- urls.c --- */
LAMBDA_HANDLER(create_function_url_config, create_function_url_config_request, create_function_url_config_response);
LAMBDA_HANDLER(update_function_url_config, update_function_url_config_request, update_function_url_config_response);
LAMBDA_HANDLER(get_function_url_config, get_function_url_config_request, get_function_url_config_response);
LAMBDA_HANDLER(delete_function_url_config, delete_function_url_config_request, delete_function_url_config_response);
LAMBDA_HANDLER(list_function_url_configs, list_function_url_configs_request, list_function_url_configs_response);
int lambda_url_drop(struct call *c, const struct lambda_fn *fn, struct str qualifier); /* 0 when there is none */
int lambda_urls_drop(struct call *c, const struct lambda_fn *fn);

/* --- policy.c --- */
LAMBDA_HANDLER(add_permission, add_permission_request, add_permission_response);
LAMBDA_HANDLER(get_policy, get_policy_request, get_policy_response);
LAMBDA_HANDLER(remove_permission, remove_permission_request, remove_permission_response);

/* Policies as JSON: also those of layers. lambda_policy_remove: an absent text when none is left. */
int lambda_principal(struct call *c, struct str text, struct json **ret);
struct json *lambda_policy_new(struct arena *a);
struct json *lambda_policy_statements(struct json *policy);
ptrdiff_t lambda_policy_find(const struct json *statements, struct str sid);
int lambda_policy_add(struct call *c, struct json *policy, struct str sid, const struct json *s, struct str *ret_text);
int lambda_policy_remove(struct call *c, struct json *policy, struct str sid, struct str *ret_text);

/* --- runtime.c: who may run --- */
/* lambda_enter counts an invocation of a version in: 0, or -EAGAIN with *ret_reason when no more may run. */
struct lambda_slot { /* a place among the concurrent invocations: provisioned, or of the function and perhaps of the account */
	struct lambda_count *provisioned, *function, *account; /* account NULL: a reserved place */
};
int lambda_enter(struct call *c, const struct lambda_fn *fn, int64_t version, struct lambda_slot *ret, const char **ret_reason);
void lambda_leave(struct cloud *cl, struct lambda_slot *s);

/* --- invoke.c --- */
LAMBDA_HANDLER(invoke, invocation_request, invocation_response);

/* What Invoke and InvokeWithResponseStream have in common. lambda_invoke_find: which version, and a payload (made "{}" when there
 * is none) and context (decoded into *ret_context) that may be. lambda_invoke_enter: how the invocation is traced, and a place among
 * those under way; refuses loops and crowds. */
struct lambda_invoking {
	struct lambda_fn fn;
	struct lambda_rec_version v;
	struct str payload, context, trace;
	struct lambda_slot slot;
};
int lambda_invoke_find(struct call *c, struct str function, struct str qualifier, struct str context64, size_t max,
		       struct lambda_invoking *x);
int lambda_invoke_enter(struct call *c, struct lambda_invoking *x);

/* --- stream.c: invocations whose answer is streamed --- */
#define LAMBDA_PIPE_BYTES (256u << 10)
LAMBDA_HANDLER(invoke_with_response_stream, invoke_with_response_stream_request, invoke_with_response_stream_response);

/* lambda_result_payload gives what the caller gets of a result; *ret_error: X-Amz-Function-Error, or NULL. */
struct str lambda_result_payload(struct arena *a, struct str request_id, int64_t timeout_s, const struct fn_result *r,
				 const char **ret_error);

struct http_request;
/* lambda_trace gives the tracing header that the request (may be NULL) brought, or a new one. */
struct str lambda_trace(struct arena *a, const struct http_request *http, int64_t now_ms);

/* lambda_loops: is this one visit too many in a chain of requests, and does the function not allow it? trace: with the visit. */
bool lambda_loops(const struct lambda_rec_function *f, struct str trace, struct str arn);

/* --- async.c: invocations that nobody waits for --- */
int lambda_enqueue(struct call *c, const struct lambda_fn *fn, struct str payload, struct str context, struct str trace);
int lambda_job(struct cloud *cl, struct region *r, struct str kind, struct str id, struct str payload);
int lambda_queue_open(struct store_txn *t, struct arena *a); /* after a crash: what was under way is due again */

/* --- runtime.c: environments, workers, what is under way --- */
struct lambda_runtime;
struct lambda_runtime *lambda_runtime(struct cloud *cl);
void lambda_runtime_close(struct cloud *cl);
void lambda_drain(struct cloud *cl);
void lambda_drain_region(struct cloud *cl, struct region *r);
bool lambda_draining(struct cloud *cl);
struct functions *lambda_environments(struct cloud *cl);    /* started when first asked for; NULL: there can be none */
struct functions *lambda_environments_if(struct cloud *cl); /* NULL: not started */
void lambda_work(struct cloud *cl, void (*fn)(void *arg), void *arg);
struct lambda_run { /* one invocation to make; everything is copied by lambda_run_start */
	const struct lambda_rec_version *v;
	struct str account, arn, request_id, payload, trace, context; /* arn: as invoked */
	const struct fn_sink *sink;                                   /* takes the answer while it comes, with done's arg; or NULL */
};
/* lambda_run_provision keeps n environments of run's version up (run: v, account and arn). Blocks while an archive is unpacked. */
int lambda_run_provision(struct cloud *cl, struct region *r, const struct lambda_run *run, uint32_t n);
/* lambda_run_key names the environments of a version: the same code and configuration. */
struct str lambda_run_key(struct arena *a, const struct lambda_rec_version *v);
/* lambda_run_fault: why environments of this version that are kept up cannot start, where Lambda knows it; else absent. */
struct str lambda_run_fault(struct arena *a, const struct lambda_rec_version *v);
/* lambda_run_start never blocks; done is called once, on any thread. */
void lambda_run_start(struct cloud *cl, struct region *r, const struct lambda_run *run,
		      void (*done)(void *arg, const struct fn_result *res, const struct call_error *refused), void *arg);

struct front;
extern const struct front lambda_front;
extern const struct cfn_type *const lambda_cfn[];
