/* SPDX-License-Identifier: Apache-2.0 */
/* create.c - CreateFunction and UpdateFunctionCode: checked on the event loop, the archive taken in on a worker thread,
 * written in one transaction that checks again what may have changed meanwhile. */
#include "svc/lambda/lambda_int.h"
#include <errno.h>

struct making {
	const struct lambda_create_function_request *create; /* or */
	const struct lambda_update_function_code_request *update;
	struct lambda_source source;
	struct lambda_code code;
	struct lambda_fn fn;
	struct lambda_rec_version v;
	bool published;
};

static int refuse_unbuilt(struct call *c, const struct lambda_create_function_request *in)
{
	const char *what = in->vpc_config && (in->vpc_config->subnet_ids.n || in->vpc_config->security_group_ids.n) ? "VpcConfig"
			   : in->file_system_configs.n                                                              ? "FileSystemConfigs"
			   : in->image_config || str_is(in->package_type, "Image")                                  ? "PackageType Image"
			   : in->snap_start && str_is(in->snap_start->apply_on, "PublishedVersions")                ? "SnapStart"
			   : in->tenancy_config                                                                     ? "TenancyConfig"
			   : in->capacity_provider_config ? "CapacityProviderConfig"
			   : in->durable_config           ? "DurableConfig"
			   : in->accelerator_config       ? "AcceleratorConfig"
			   : in->runtime_config           ? "RuntimeConfig"
			   : in->publish_to.p             ? "PublishTo"
							  : NULL;

	return what ? call_fail(c, &aws_err_not_implemented, "%s is not implemented by this cloud.", what) : 0;
}

static int check_source(struct call *c, const struct lambda_source *s, struct str image, struct str mode, struct str kms)
{
	if (image.p)
		return call_fail(c, &aws_err_not_implemented, "ImageUri is not implemented by this cloud.");
	if (str_is(mode, "REFERENCE"))
		return call_fail(c, &aws_err_not_implemented, "S3ObjectStorageMode REFERENCE is not implemented by this cloud.");
	if (kms.n)
		return call_fail(c, &aws_err_not_implemented, "SourceKMSKeyArn is not implemented by this cloud.");
	if (s->zip.p && (s->bucket.p || s->key.p))
		return lambda_fail(c, &lambda_err_invalid_parameter_value,
				   "Please do not provide other FunctionCode parameters when providing a ZipFile.");
	if (!s->zip.p && (!s->bucket.p || !s->key.p))
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "Please provide a source for function code.");
	return 0;
}

int lambda_tags_check(struct call *c, const struct str_map *tags)
{
	if (tags->n > LAMBDA_TAGS_MAX)
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "The number of tags exceeds the limit of %d", LAMBDA_TAGS_MAX);
	for (size_t i = 0; i < tags->n; i++) {
		struct str k = tags->v[i].key, v = tags->v[i].value;

		if (k.n == 0 || k.n > 128 || v.n > 256)
			return lambda_fail(c, &lambda_err_invalid_parameter_value,
					   "A tag's key has 1 to 128 characters, its value up to 256");
		if (k.n >= 4 && str_eq_ci(str_of(k.p, 4), S("aws:")) && !c->facts.invoked_by.p)
			return lambda_fail(c, &lambda_err_invalid_parameter_value,
					   "System tags cannot be added/updated/removed: aws: prefixed tag key names are not allowed for "
					   "external use.");
	}
	return 0;
}

/* --- CreateFunction --- */
static struct lambda_settings settings_of(const struct lambda_create_function_request *in)
{
	return (struct lambda_settings){ .role = in->role,
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
					 .architectures = in->architectures,
					 .has_layers = in->layers.n > 0 };
}

static struct lambda_rec_version fresh(struct str name)
{
	return (struct lambda_rec_version){ .name = name,
					    .version = OPT_INT(0),
					    .timeout_s = OPT_INT(3),
					    .memory_mb = OPT_INT(128),
					    .ephemeral_mb = OPT_INT(512),
					    .tracing = S("PassThrough"),
					    .log_format = S("Text") };
}

static int conflict(struct call *c, struct str name)
{
	return lambda_fail(c, &lambda_err_resource_conflict, "Function already exist: %.*s", STR(name));
}

static void use_code(struct lambda_rec_version *v, const struct lambda_code *code)
{
	v->code_file = code->file;
	v->code_sha256 = code->sha256;
	v->code_bytes = OPT_INT(code->bytes);
	v->unzipped_bytes = OPT_INT(code->unzipped);
}

static int write_new(struct call *c, void *arg)
{
	struct making *m = arg;
	const struct lambda_create_function_request *in = m->create;
	struct lambda_settings s = settings_of(in);
	struct lambda_rec_account use;
	int r = lambda_function_read(c->txn, c->arena, m->fn.account, m->fn.name, &m->fn.f);

	if (r != -ENOENT)
		return r == 0 ? conflict(c, m->fn.name) : r;
	m->fn.f = (struct lambda_rec_function){ .id = random_hex(c->arena, 24),
						.name = m->fn.name,
						.account = m->fn.account,
						.next_version = OPT_INT(1),
						.tags = in->tags,
						.signing = in->code_signing_config_arn };
	m->v = fresh(m->fn.name);
	m->v.function_id = m->fn.f.id;
	use_code(&m->v, &m->code);
	r = lambda_settings_apply(c, &s, &m->v);
	if (r == 0 && in->environment)
		r = lambda_env_seal(c, m->fn.account, in->environment, &m->v);
	if (r == 0)
		r = lambda_file_use(c, m->v.code_file, m->v.code_bytes.v, 1);
	if (r == 0)
		r = lambda_layers_use(c, NULL, &m->v);
	if (r == 0)
		r = lambda_use_read(c->txn, c->arena, m->fn.account, &use);
	if (r < 0)
		return r;
	use.functions.v++;
	lambda_touch(c, &m->v);
	r = lambda_use_put(c->txn, m->fn.account, &use);
	if (r == 0)
		r = lambda_version_put(c->txn, m->fn.account, &m->v);
	if (r == 0 && in->publish.v)
		r = lambda_publish(c, &m->fn.f, &m->v, STR_NONE);
	return r < 0 ? r : lambda_function_put(c->txn, &m->fn.f);
}

static int create_step(struct call *w, void *arg)
{
	struct making *m = arg;
	int r = lambda_code_take(w, &m->source, &m->code);

	if (r < 0)
		return r;
	r = lambda_write(w, m->create ? write_new : lambda_write_code, m);
	if (r < 0)
		lambda_code_drop(w->region, m->code.file);
	return r;
}

/* CreateFunction tells the function's own ARN even when it has published a version; UpdateFunctionCode the version's. */
static int create_finish(struct call *c, void *arg)
{
	struct making *m = arg;
	struct lambda_rec_version v;
	int r = lambda_version_copy(c->arena, &m->v, &v);

	if (r == 0)
		lambda_view(c, &m->fn, &v, m->update && v.version.v ? lambda_version_text(c->arena, v.version.v) : STR_NONE, c->out);
	return r;
}

int lambda_create_function(struct call *c, const struct lambda_create_function_request *in, struct lambda_function_configuration *out)
{
	struct making *m = arena_new(c->arena, struct making);
	struct lambda_settings s = settings_of(in);
	struct lambda_rec_version v;
	int r = refuse_unbuilt(c, in);

	m->create = in;
	m->source = (struct lambda_source){ in->code->zip_file, in->code->s3_bucket, in->code->s3_key, in->code->s3_object_version };
	if (r == 0)
		r = lambda_name(c, in->function_name, STR_NONE, &m->fn);
	if (r == 0 && m->fn.qualifier.p)
		r = lambda_fail(c, &lambda_err_invalid_parameter_value, "The function name must not have a qualifier.");
	if (r == 0 && !str_eq(m->fn.account, c->who->p.account))
		r = lambda_fail(c, &lambda_err_invalid_parameter_value, "The function must be created in the caller's account.");
	if (r == 0)
		r = check_source(c, &m->source, in->code->image_uri, in->code->s3_object_storage_mode, in->code->source_kms_key_arn);
	if (r == 0 && (!in->runtime.p || !in->handler.p))
		r = lambda_fail(c, &lambda_err_invalid_parameter_value,
				"Runtime and Handler are mandatory parameters for functions created with deployment packages.");
	if (r == 0)
		r = lambda_tags_check(c, &in->tags);
	if (r == 0)
		r = lambda_signing_check(c, in->code_signing_config_arn);
	if (r < 0)
		return r;
	r = lambda_function_read(c->txn, c->arena, m->fn.account, m->fn.name, &m->fn.f);
	if (r != -ENOENT)
		return r == 0 ? conflict(c, m->fn.name) : r;
	v = fresh(m->fn.name);
	r = lambda_settings_apply(c, &s, &v); /* before anything is uploaded; again when it is written */
	return r < 0 ? r : lambda_away(c, create_step, create_finish, m);
}

/* --- UpdateFunctionCode --- */
int lambda_write_code(struct call *c, void *arg)
{
	struct making *m = arg;
	const struct lambda_update_function_code_request *in = m->update;
	struct lambda_settings s = { .architectures = in->architectures };
	struct str old;
	int r = lambda_whole(c, in->function_name, &m->fn);

	if (r == 0)
		r = lambda_version_read(c->txn, c->arena, m->fn.account, m->fn.name, 0, &m->v);
	if (r == 0)
		r = lambda_revision_check(c, in->revision_id, m->v.revision);
	if (r < 0)
		return r;
	old = m->v.code_file;
	use_code(&m->v, &m->code);
	lambda_touch(c, &m->v);
	r = lambda_signing_check(c, m->fn.f.signing); /* it may have come meanwhile */
	if (r == 0)
		r = lambda_settings_apply(c, &s, &m->v);
	if (r == 0)
		r = lambda_size_check(c, &m->v);
	if (r == 0)
		r = lambda_file_use(c, m->v.code_file, m->v.code_bytes.v, 1);
	if (r == 0)
		r = lambda_file_use(c, old, 0, -1);
	if (r == 0)
		r = lambda_version_put(c->txn, m->fn.account, &m->v);
	if (r == 0 && in->publish.v) {
		r = lambda_publish(c, &m->fn.f, &m->v, STR_NONE);
		if (r == 0)
			r = lambda_function_put(c->txn, &m->fn.f);
	}
	if (r == 0)
		lambda_forget(c, &m->fn);
	return r;
}

/* DryRun: the archive is checked as ever, and given back. */
static int dry_step(struct call *w, void *arg)
{
	struct making *m = arg;
	int r = lambda_code_take(w, &m->source, &m->code);

	if (r < 0)
		return r;
	use_code(&m->v, &m->code);
	lambda_code_drop(w->region, m->code.file);
	return lambda_size_check(w, &m->v);
}

int lambda_update_function_code(struct call *c, const struct lambda_update_function_code_request *in,
				struct lambda_function_configuration *out)
{
	struct making *m = arena_new(c->arena, struct making);
	int r;

	m->update = in;
	m->source = (struct lambda_source){ in->zip_file, in->s3_bucket, in->s3_key, in->s3_object_version };
	r = lambda_whole(c, in->function_name, &m->fn);
	if (r == 0 && in->publish_to.p)
		r = call_fail(c, &aws_err_not_implemented, "PublishTo is not implemented by this cloud.");
	if (r == 0)
		r = check_source(c, &m->source, in->image_uri, in->s3_object_storage_mode, in->source_kms_key_arn);
	if (r == 0)
		r = lambda_signing_check(c, m->fn.f.signing);
	if (r == 0)
		r = lambda_version_read(c->txn, c->arena, m->fn.account, m->fn.name, 0, &m->v);
	if (r == 0)
		r = lambda_revision_check(c, in->revision_id, m->v.revision);
	return r < 0 ? r : lambda_away(c, in->dry_run.v ? dry_step : create_step, create_finish, m);
}
