/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - a version's configuration: what may be set, how it is sealed and shown. */
#include "gen_kms.h"
#include "svc/lambda/lambda_int.h"
#include <errno.h>

#define SEALED_KEY_BYTES_MAX 4096

/* --- checks --- */
int lambda_role_check(struct call *c, struct str role)
{
	struct str service = S("lambda.amazonaws.com");
	struct policy_key to = { S("iam:PassedToService"), &service, 1, false };
	struct principal p;
	int r = call_authorize(c, "iam:PassRole", role, &to, 1);

	if (r < 0)
		return r;
	r = cloud_identity(c->cloud)->role_principal(c, role, S("lambda"), &p);
	if (r == -ENOENT || r == -EACCES)
		return lambda_fail(c, &lambda_err_invalid_parameter_value,
				   "The role defined for the function cannot be assumed by Lambda.");
	return r;
}

/* Source: "Reserved environment variables" (Developer Guide). */
static bool reserved(struct str key)
{
	static const char *const names[] = { "_HANDLER",
					     "_X_AMZN_TRACE_ID",
					     "AWS_DEFAULT_REGION",
					     "AWS_REGION",
					     "AWS_EXECUTION_ENV",
					     "AWS_LAMBDA_FUNCTION_NAME",
					     "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
					     "AWS_LAMBDA_FUNCTION_VERSION",
					     "AWS_LAMBDA_INITIALIZATION_TYPE",
					     "AWS_LAMBDA_LOG_GROUP_NAME",
					     "AWS_LAMBDA_LOG_STREAM_NAME",
					     "AWS_ACCESS_KEY",
					     "AWS_ACCESS_KEY_ID",
					     "AWS_SECRET_ACCESS_KEY",
					     "AWS_SESSION_TOKEN",
					     "AWS_LAMBDA_RUNTIME_API",
					     "LAMBDA_TASK_ROOT",
					     "LAMBDA_RUNTIME_DIR" };

	for (size_t i = 0; i < ELEMENTS(names); i++)
		if (str_is(key, names[i]))
			return true;
	return false;
}

static int check_environment(struct call *c, const struct lambda_environment *e)
{
	size_t bytes = 0;

	for (size_t i = 0; i < e->variables.n; i++) {
		struct str key = e->variables.v[i].key, value = e->variables.v[i].value;

		if (reserved(key))
			return lambda_fail(
				c, &lambda_err_invalid_parameter_value,
				"Lambda was unable to configure your environment variables because the environment variables you "
				"have provided contains reserved keys that are currently not supported for modification. "
				"Reserved keys used in this request: %.*s",
				STR(key));
		if (value.n && memchr(value.p, 0, value.n))
			return lambda_fail(c, &lambda_err_invalid_parameter_value, "The value of %.*s has a NUL character", STR(key));
		bytes += key.n + value.n + 6; /* as JSON: quotes, colon, comma */
	}
	if (e->variables.n && bytes + 1 > LAMBDA_ENV_BYTES_MAX)
		return lambda_fail(c, &lambda_err_invalid_parameter_value,
				   "Lambda was unable to configure your environment variables because the environment variables you have "
				   "provided exceeded the 4KB limit.");
	return 0;
}

static int too_much(struct call *c, const char *member, int64_t value, int64_t max)
{
	return call_fail(c, &aws_err_validation_exception,
			 "1 validation error detected: Value '%lld' at '%s' failed to satisfy constraint: Member must have value less than "
			 "or equal to %lld",
			 (long long)value, member, (long long)max);
}

static int check_runtime(struct call *c, struct str runtime)
{
	struct functions *f = lambda_environments(c->cloud);

	if (f && functions_runtime(f, runtime, c->arena).p)
		return 0;
	if (!f && lambda_runtime_family(runtime).p)
		return 0; /* there can be no environments here: invocations say so */
	return lambda_fail(c, &lambda_err_invalid_parameter_value,
			   "The runtime parameter of %.*s is not supported on this cloud: functions run on the versions of Node.js and "
			   "Python that are installed on its machine.",
			   STR(runtime));
}

/* --- layers --- */
static int use_layer(struct call *c, struct str arn, struct lambda_rec_layer_use *ret)
{
	struct lambda_rec_layer_version l;
	struct lambda_ref ref;
	int64_t number;
	int r = call_authorize(c, "lambda:GetLayerVersion", str_printf(c->arena, "layerarn:%.*s", STR(arn)), NULL, 0);

	if (r < 0)
		return r;
	if (lambda_layer_parse(arn, &ref, &number) < 0 || number == 0)
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "%.*s is not the ARN of a layer version", STR(arn));
	r = str_eq(ref.region, call_region(c))
		    ? lambda_table_get(c->txn, c->arena, ref.account, "lambda.layerver", str_printf(c->arena, "%.*s", STR(ref.name)),
				       str_printf(c->arena, "%012lld", (long long)number), LAMBDA_REC_LAYER_VERSION, &l)
		    : -ENOENT;
	if (r == -ENOENT)
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "Layer version %.*s does not exist.", STR(arn));
	*ret = (struct lambda_rec_layer_use){ arn, l.code_bytes, l.code_file, l.unzipped_bytes };
	return r;
}

static struct str layer_of(struct str version_arn)
{
	return str_of(version_arn.p, (size_t)(str_rfind_char(version_arn, ':') + 1));
}

int lambda_size_check(struct call *c, const struct lambda_rec_version *v)
{
	int64_t bytes = v->unzipped_bytes.v;

	for (size_t i = 0; i < v->layers.n; i++)
		bytes += v->layers.v[i].unzipped_bytes.v;
	if (bytes <= LAMBDA_UNZIPPED_BYTES_MAX)
		return 0;
	return lambda_fail(
		c, &lambda_err_invalid_parameter_value,
		"Function code combined with layers exceeds the maximum allowed size of %lld bytes. The actual size is %lld bytes.",
		(long long)LAMBDA_UNZIPPED_BYTES_MAX, (long long)bytes);
}

static int set_layers(struct call *c, const struct str_list *arns, struct lambda_rec_version *v)
{
	int r = 0;

	if (arns->n > LAMBDA_LAYERS_MAX)
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "You cannot reference more than %d layers.", LAMBDA_LAYERS_MAX);
	v->layers.v = arena_array(c->arena, struct lambda_rec_layer_use, arns->n + 1);
	v->layers.n = 0;
	for (size_t i = 0; i < arns->n && r == 0; i++) {
		for (size_t j = 0; j < i; j++)
			if (str_eq(layer_of(arns->v[i]), layer_of(arns->v[j])))
				return lambda_fail(c, &lambda_err_invalid_parameter_value,
						   "Two different versions of the same layer are not allowed to be referenced in the same "
						   "function. %.*s and %.*s",
						   STR(arns->v[j]), STR(arns->v[i]));
		r = use_layer(c, arns->v[i], &v->layers.v[v->layers.n++]);
	}
	return r < 0 ? r : lambda_size_check(c, v);
}

static int set_logging(struct call *c, const struct lambda_logging_config *l, struct lambda_rec_version *v)
{
	bool json = l->log_format.p ? str_is(l->log_format, "JSON") : str_is(v->log_format, "JSON");

	if (!json && (l->application_log_level.p || l->system_log_level.p))
		return lambda_fail(c, &lambda_err_invalid_parameter_value,
				   "ApplicationLogLevel and SystemLogLevel are only supported with the JSON log format.");
	v->log_format = json ? S("JSON") : S("Text");
	v->log_application = json ? (l->application_log_level.p ? l->application_log_level : S("INFO")) : STR_NONE;
	v->log_system = json ? (l->system_log_level.p ? l->system_log_level : S("INFO")) : STR_NONE;
	if (l->log_group.p)
		v->log_group = l->log_group;
	return 0;
}

/*
 * Both names of processors mean this machine's: what Node.js and Python run is, but for modules that were compiled, the same on both.
 * A program of the function's own is not: there the other name would be a promise that nobody keeps.
 */
static int set_architecture(struct call *c, const struct str_list *l, struct lambda_rec_version *v)
{
	if (l->n)
		v->architecture = l->v[0];
	if (str_is(v->architecture, "arm64") && str_starts(v->runtime, S("provided")))
		return call_fail(
			c, &aws_err_not_implemented,
			"The architecture arm64 is not implemented by this cloud for functions that bring their own runtime (%.*s).",
			STR(v->runtime));
	return 0;
}

int lambda_settings_apply(struct call *c, const struct lambda_settings *s, struct lambda_rec_version *v)
{
	int r = 0;

	if (s->timeout.has && s->timeout.v > LAMBDA_TIMEOUT_S_MAX)
		return too_much(c, "timeout", s->timeout.v, LAMBDA_TIMEOUT_S_MAX);
	if (s->memory.has && s->memory.v > LAMBDA_MEMORY_MB_MAX)
		return too_much(c, "memorySize", s->memory.v, LAMBDA_MEMORY_MB_MAX);
	if (s->ephemeral && s->ephemeral->size.v > LAMBDA_EPHEMERAL_MB_MAX)
		return too_much(c, "ephemeralStorage.size", s->ephemeral->size.v, LAMBDA_EPHEMERAL_MB_MAX);
	if (s->dead_letter && s->dead_letter->target_arn.n)
		return call_fail(c, &aws_err_not_implemented,
				 "DeadLetterConfig is not implemented by this cloud: it has neither SQS queues nor SNS topics.");
	if (s->runtime.p)
		r = check_runtime(c, s->runtime);
	if (r == 0 && s->environment)
		r = check_environment(c, s->environment);
	if (r == 0 && s->role.p)
		r = lambda_role_check(c, s->role);
	if (r == 0 && s->has_layers)
		r = set_layers(c, &s->layers, v);
	if (r == 0 && s->logging)
		r = set_logging(c, s->logging, v);
	if (r < 0)
		return r;
	v->role = s->role.p ? s->role : v->role;
	v->handler = s->handler.p ? s->handler : v->handler;
	v->runtime = s->runtime.p ? s->runtime : v->runtime;
	v->description = s->description.p ? s->description : v->description;
	v->kms_key = s->kms_key.p ? (s->kms_key.n ? s->kms_key : STR_NONE) : v->kms_key;
	v->timeout_s = s->timeout.has ? s->timeout : v->timeout_s;
	v->memory_mb = s->memory.has ? s->memory : v->memory_mb;
	v->ephemeral_mb = s->ephemeral && s->ephemeral->size.has ? s->ephemeral->size : v->ephemeral_mb;
	v->tracing = s->tracing && s->tracing->mode.p ? s->tracing->mode : v->tracing;
	return set_architecture(c, &s->architectures, v);
}

void lambda_touch(struct call *c, struct lambda_rec_version *v)
{
	v->modified = OPT_TIME(c->now_ms);
	v->revision = random_uuid(c->arena);
}

/* --- the environment, sealed --- */
static struct str_map context(struct call *c, struct str account, const struct lambda_rec_version *v)
{
	struct str_pair *p = arena_new(c->arena, struct str_pair);

	*p = (struct str_pair){ S("aws:lambda:FunctionArn"), lambda_arn(c, account, v->name, STR_NONE) };
	return (struct str_map){ p, 1 };
}

static int key_refused(struct call *c, int r, const struct call_error *e, const char *what)
{
	if (!e->err)
		return r;
	return lambda_fail(
		c, &lambda_err_invalid_parameter_value,
		"Lambda was unable to configure access to your environment variables because the KMS key is invalid for %s. Please "
		"check your KMS key settings. KMS Exception: %s KMS Message: %.*s",
		what, e->err->code, STR(e->message));
}

/* The execution role may open what was sealed for its function, and nothing else, with a customer's key. */
static int grant_role(struct call *c, struct str account, const struct lambda_rec_version *v)
{
	struct str decrypt = S("Decrypt");
	struct kms_grant_constraints only = { .encryption_context_equals = context(c, account, v) };
	struct kms_create_grant_request in = { .key_id = v->kms_key,
					       .grantee_principal = v->role,
					       .operations = { &decrypt, 1 },
					       .constraints = &only,
					       .name = str_printf(c->arena, "lambda-%.*s", STR(v->function_id)) };
	struct kms_create_grant_response out = { 0 };
	struct call_error e = { 0 };
	int r = call_invoke(c, &kms_model, "CreateGrant", &in, &out, "lambda.amazonaws.com", &e);

	return r < 0 ? key_refused(c, r, &e, "CreateGrant") : 0;
}

static struct str variables_text(struct arena *a, const struct str_map *m)
{
	struct json *j = json_new(a, JSON_OBJECT);

	for (size_t i = 0; i < m->n; i++)
		json_set(a, j, m->v[i].key, json_new_str(a, m->v[i].value));
	return json_text(a, j);
}

/* Sealed: two bytes length of the wrapped key, the key wrapped by KMS, nonce, ciphertext and tag. */
int lambda_env_seal(struct call *c, struct str account, const struct lambda_environment *e, struct lambda_rec_version *v)
{
	struct kms_encrypt_request in = { .key_id = v->kms_key.p ? v->kms_key : S("alias/aws/lambda"),
					  .encryption_context = context(c, account, v) };
	struct kms_encrypt_response out = { 0 };
	struct call_error err = { 0 };
	struct str text;
	uint8_t key[32], *p;
	size_t n;
	int r = check_environment(c, e);

	v->env_sealed = STR_NONE;
	v->env_bytes = OPT_INT(0);
	if (r < 0 || e->variables.n == 0)
		return r;
	random_bytes(key, sizeof key);
	in.plaintext = str_of((char *)key, sizeof key);
	r = call_invoke(c, &kms_model, "Encrypt", &in, &out, "lambda.amazonaws.com", &err);
	if (r == 0 && v->kms_key.p)
		r = grant_role(c, account, v);
	else if (r < 0)
		r = key_refused(c, r, &err, "Encrypt");
	if (r < 0 || out.ciphertext_blob.n > SEALED_KEY_BYTES_MAX) {
		mem_wipe(key, sizeof key);
		return r < 0 ? r : -EBADMSG;
	}
	text = variables_text(c->arena, &e->variables);
	n = 2 + out.ciphertext_blob.n + SEAL_NONCE_BYTES + text.n + SEAL_TAG_BYTES;
	p = arena_alloc(c->arena, n);
	p[0] = (uint8_t)(out.ciphertext_blob.n >> 8);
	p[1] = (uint8_t)out.ciphertext_blob.n;
	memcpy(p + 2, out.ciphertext_blob.p, out.ciphertext_blob.n);
	random_bytes(p + 2 + out.ciphertext_blob.n, SEAL_NONCE_BYTES);
	r = aes_gcm_seal(key, p + 2 + out.ciphertext_blob.n, in.encryption_context.v[0].value, text,
			 p + 2 + out.ciphertext_blob.n + SEAL_NONCE_BYTES);
	mem_wipe(key, sizeof key);
	mem_wipe((char *)(uintptr_t)text.p, text.n);
	v->env_sealed = str_of((char *)p, n);
	v->env_bytes = OPT_INT((int64_t)text.n);
	return r;
}

/* open_sealed opens what KMS has given the key for. */
static int open_sealed(struct arena *a, struct str sealed, size_t wrapped, struct str arn, struct str key, struct str_map *ret)
{
	struct str body = str_skip(sealed, 2 + wrapped), text;
	struct json *j = NULL;
	char *p;

	if (key.n != 32 || body.n < SEAL_NONCE_BYTES + SEAL_TAG_BYTES)
		return -EBADMSG;
	p = arena_alloc(a, body.n);
	if (aes_gcm_open((const uint8_t *)key.p, (const uint8_t *)body.p, arn, str_skip(body, SEAL_NONCE_BYTES), (uint8_t *)p) < 0)
		return -EBADMSG;
	text = str_of(p, body.n - SEAL_NONCE_BYTES - SEAL_TAG_BYTES);
	if (json_parse(a, text, &j, NULL) < 0 || !json_is(j, JSON_OBJECT))
		return -EBADMSG;
	ret->v = arena_array(a, struct str_pair, j->n + 1);
	for (ret->n = 0; ret->n < j->n; ret->n++)
		ret->v[ret->n] = (struct str_pair){ j->members[ret->n].key, json_str(&j->members[ret->n].value) };
	return 0;
}

int lambda_env_open(struct call *c, struct str account, const struct lambda_rec_version *v, struct str_map *ret, struct call_error *err)
{
	struct kms_decrypt_request in = { .encryption_context = context(c, account, v) };
	struct kms_decrypt_response out = { 0 };
	struct call_facts facts = c->facts;
	size_t wrapped;
	int r;

	*ret = (struct str_map){ 0 };
	if (!v->env_sealed.n)
		return 0;
	wrapped = v->env_sealed.n < 2 ? 0 : (size_t)((uint8_t)v->env_sealed.p[0] << 8 | (uint8_t)v->env_sealed.p[1]);
	if (wrapped == 0 || wrapped + 2 > v->env_sealed.n)
		return -EBADMSG;
	in.ciphertext_blob = str_of(v->env_sealed.p + 2, wrapped);
	if (c->txn)
		r = call_invoke(c, &kms_model, "Decrypt", &in, &out, "lambda.amazonaws.com", err);
	else {
		facts.invoked_by = S("lambda.amazonaws.com");
		r = cloud_invoke(c->cloud, c->region, c->who, &facts, &kms_model, wire_op(&kms_model, S("Decrypt")), &in, &out, c->arena,
				 err);
	}
	if (r == 0)
		r = open_sealed(c->arena, v->env_sealed, wrapped, in.encryption_context.v[0].value, out.plaintext, ret);
	if (out.plaintext.p)
		mem_wipe((char *)(uintptr_t)out.plaintext.p, out.plaintext.n);
	return r;
}

/* --- showing --- */
static void view_environment(struct call *c, struct str account, const struct lambda_rec_version *v,
			     struct lambda_function_configuration *out)
{
	struct lambda_environment_response *e = arena_new(c->arena, struct lambda_environment_response);
	struct call_error err = { 0 };

	if (!v->env_sealed.n)
		return;
	out->environment = e;
	if (lambda_env_open(c, account, v, &e->variables, &err) == 0)
		return;
	e->error = arena_new(c->arena, struct lambda_environment_error);
	e->error->error_code = err.err ? str_c(err.err->code) : S("ServiceException");
	e->error->message = err.err ? str_printf(c->arena,
						 "Lambda was unable to decrypt your environment variables because the KMS access "
						 "was denied. Please check your KMS permissions. KMS Exception: %s KMS Message: %.*s",
						 err.err->code, STR(err.message))
				    : S("Lambda was unable to decrypt your environment variables.");
}

static void view_parts(struct call *c, const struct lambda_rec_version *v, struct lambda_function_configuration *out)
{
	out->tracing_config = arena_new(c->arena, struct lambda_tracing_config_response);
	out->tracing_config->mode = v->tracing.p ? v->tracing : S("PassThrough");
	out->ephemeral_storage = arena_new(c->arena, struct lambda_ephemeral_storage);
	out->ephemeral_storage->size = v->ephemeral_mb;
	out->snap_start = arena_new(c->arena, struct lambda_snap_start_response);
	out->snap_start->apply_on = S("None");
	out->snap_start->optimization_status = S("Off");
	out->runtime_version_config = arena_new(c->arena, struct lambda_runtime_version_config);
	out->runtime_version_config->runtime_version_arn = lambda_runtime_arn(c->arena, call_region(c), v->runtime);
	out->logging_config = arena_new(c->arena, struct lambda_logging_config);
	*out->logging_config = (struct lambda_logging_config){ v->log_format, v->log_application, v->log_system,
							       v->log_group.p ? v->log_group
									      : str_printf(c->arena, "/aws/lambda/%.*s", STR(v->name)) };
	if (v->layers.n) {
		out->layers.v = arena_array(c->arena, struct lambda_layer, v->layers.n);
		for (out->layers.n = 0; out->layers.n < v->layers.n; out->layers.n++)
			out->layers.v[out->layers.n] = (struct lambda_layer){ .arn = v->layers.v[out->layers.n].arn,
									      .code_size = v->layers.v[out->layers.n].code_bytes };
	}
}

struct str lambda_runtime_arn(struct arena *a, struct str region, struct str runtime)
{
	return str_printf(a, "arn:%.*s:lambda:%.*s::runtime:%.*s", STR(region_partition(region)), STR(region),
			  STR(hex_encode(a, runtime.p, runtime.n)));
}

void lambda_view(struct call *c, const struct lambda_fn *fn, const struct lambda_rec_version *v, struct str arn_qualifier,
		 struct lambda_function_configuration *out)
{
	struct str *architecture = arena_new(c->arena, struct str);

	out->function_name = v->name;
	out->function_arn = lambda_arn(c, fn->account, v->name, arn_qualifier);
	out->runtime = v->runtime;
	out->role = v->role;
	out->handler = v->handler;
	out->code_size = v->code_bytes;
	out->description = v->description.p ? v->description : S("");
	out->timeout = v->timeout_s;
	out->memory_size = v->memory_mb;
	out->last_modified = lambda_time(c->arena, v->modified.ms);
	out->code_sha256 = v->code_sha256;
	out->version = lambda_version_text(c->arena, v->version.v);
	out->kms_key_arn = v->kms_key;
	out->revision_id = v->revision;
	out->state = S("Active");
	out->last_update_status = S("Successful");
	out->package_type = S("Zip");
	*architecture = v->architecture.p ? v->architecture : S("x86_64");
	out->architectures = (struct str_list){ architecture, 1 };
	view_environment(c, fn->account, v, out);
	view_parts(c, v, out);
}

/* --- UpdateFunctionConfiguration --- */
static int refuse_unbuilt(struct call *c, const struct lambda_update_function_configuration_request *in)
{
	const char *what = in->vpc_config && (in->vpc_config->subnet_ids.n || in->vpc_config->security_group_ids.n) ? "VpcConfig"
			   : in->file_system_configs.n                                                              ? "FileSystemConfigs"
			   : in->image_config                                                                       ? "ImageConfig"
			   : in->snap_start && str_is(in->snap_start->apply_on, "PublishedVersions")                ? "SnapStart"
			   : in->capacity_provider_config ? "CapacityProviderConfig"
			   : in->durable_config           ? "DurableConfig"
			   : in->accelerator_config       ? "AcceleratorConfig"
			   : in->runtime_config           ? "RuntimeConfig"
							  : NULL;

	return what ? call_fail(c, &aws_err_not_implemented, "%s is not implemented by this cloud.", what) : 0;
}

/* A customer's key is changed, or the role that opens with it: what is sealed is opened and sealed again. */
static int reseal(struct call *c, struct str account, const struct lambda_environment *given, struct lambda_rec_version *old,
		  struct lambda_rec_version *v)
{
	struct lambda_environment e = { 0 };
	struct call_error err = { 0 };
	int r;

	if (given)
		return lambda_env_seal(c, account, given, v);
	if (!v->env_sealed.n || (str_eq(old->kms_key, v->kms_key) && (str_eq(old->role, v->role) || !v->kms_key.p)))
		return 0;
	r = lambda_env_open(c, account, old, &e.variables, &err);
	if (r < 0)
		return err.err ? key_refused(c, r, &err, "Decrypt") : r;
	return lambda_env_seal(c, account, &e, v);
}

int lambda_update_function_configuration(struct call *c, const struct lambda_update_function_configuration_request *in,
					 struct lambda_function_configuration *out)
{
	struct lambda_settings s = { .role = in->role,
				     .handler = in->handler,
				     .runtime = in->runtime,
				     .description = in->description,
				     .kms_key = in->kms_key_arn,
				     .timeout = in->timeout,
				     .memory = in->memory_size,
				     .environment = in->environment,
				     .tracing = in->tracing_config,
				     .ephemeral = in->ephemeral_storage,
				     .logging = in->logging_config,
				     .dead_letter = in->dead_letter_config,
				     .layers = in->layers,
				     .has_layers = in->layers.v != NULL };
	struct lambda_rec_version v, old;
	struct lambda_fn fn;
	int r = refuse_unbuilt(c, in);

	if (r == 0)
		r = lambda_whole(c, in->function_name, &fn);
	if (r == 0)
		r = lambda_version_read(c->txn, c->arena, fn.account, fn.name, 0, &v);
	if (r == 0)
		r = lambda_revision_check(c, in->revision_id, v.revision);
	if (r < 0)
		return r;
	old = v;
	r = lambda_settings_apply(c, &s, &v);
	if (r == 0)
		r = reseal(c, fn.account, in->environment, &old, &v);
	if (r == 0)
		r = lambda_layers_use(c, &old, &v);
	if (r < 0)
		return r;
	lambda_touch(c, &v);
	r = lambda_version_put(c->txn, fn.account, &v);
	if (r < 0)
		return r;
	lambda_forget(c, &fn);
	lambda_view(c, &fn, &v, STR_NONE, out);
	return 0;
}
