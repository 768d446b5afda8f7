/* SPDX-License-Identifier: Apache-2.0 */
/* lambda.c - registration of AWS Lambda, and what authorization needs to know of it. */
#include "svc/lambda/lambda_int.h"
#include "svc/services.h"
#include <errno.h>

const struct lambda_ops lambda_ops = {
	.add_layer_version_permission = lambda_add_layer_version_permission,
	.add_permission = lambda_add_permission,
	.create_alias = lambda_create_alias,
	.create_code_signing_config = lambda_create_code_signing_config,
	.create_function = lambda_create_function,
	.create_function_url_config = lambda_create_function_url_config,
	.delete_alias = lambda_delete_alias,
	.delete_code_signing_config = lambda_delete_code_signing_config,
	.delete_function = lambda_delete_function,
	.delete_function_code_signing_config = lambda_delete_function_code_signing_config,
	.delete_function_concurrency = lambda_delete_function_concurrency,
	.delete_function_event_invoke_config = lambda_delete_function_event_invoke_config,
	.delete_function_url_config = lambda_delete_function_url_config,
	.delete_layer_version = lambda_delete_layer_version,
	.delete_provisioned_concurrency_config = lambda_delete_provisioned_concurrency_config,
	.get_account_settings = lambda_get_account_settings,
	.get_alias = lambda_get_alias,
	.get_code_signing_config = lambda_get_code_signing_config,
	.get_function = lambda_get_function,
	.get_function_code_signing_config = lambda_get_function_code_signing_config,
	.get_function_concurrency = lambda_get_function_concurrency,
	.get_function_configuration = lambda_get_function_configuration,
	.get_function_event_invoke_config = lambda_get_function_event_invoke_config,
	.get_function_recursion_config = lambda_get_function_recursion_config,
	.get_function_url_config = lambda_get_function_url_config,
	.get_layer_version = lambda_get_layer_version,
	.get_layer_version_by_arn = lambda_get_layer_version_by_arn,
	.get_layer_version_policy = lambda_get_layer_version_policy,
	.get_policy = lambda_get_policy,
	.get_provisioned_concurrency_config = lambda_get_provisioned_concurrency_config,
	.get_runtime_management_config = lambda_get_runtime_management_config,
	.invoke = lambda_invoke,
	.invoke_with_response_stream = lambda_invoke_with_response_stream,
	.list_aliases = lambda_list_aliases,
	.list_code_signing_configs = lambda_list_code_signing_configs,
	.list_function_event_invoke_configs = lambda_list_function_event_invoke_configs,
	.list_function_url_configs = lambda_list_function_url_configs,
	.list_functions = lambda_list_functions,
	.list_functions_by_code_signing_config = lambda_list_functions_by_code_signing_config,
	.list_layer_versions = lambda_list_layer_versions,
	.list_layers = lambda_list_layers,
	.list_provisioned_concurrency_configs = lambda_list_provisioned_concurrency_configs,
	.list_tags = lambda_list_tags,
	.list_versions_by_function = lambda_list_versions_by_function,
	.publish_layer_version = lambda_publish_layer_version,
	.publish_version = lambda_publish_version,
	.put_function_code_signing_config = lambda_put_function_code_signing_config,
	.put_function_concurrency = lambda_put_function_concurrency,
	.put_function_event_invoke_config = lambda_put_function_event_invoke_config,
	.put_function_recursion_config = lambda_put_function_recursion_config,
	.put_provisioned_concurrency_config = lambda_put_provisioned_concurrency_config,
	.put_runtime_management_config = lambda_put_runtime_management_config,
	.remove_layer_version_permission = lambda_remove_layer_version_permission,
	.remove_permission = lambda_remove_permission,
	.tag_resource = lambda_tag_resource,
	.untag_resource = lambda_untag_resource,
	.update_alias = lambda_update_alias,
	.update_code_signing_config = lambda_update_code_signing_config,
	.update_function_code = lambda_update_function_code,
	.update_function_configuration = lambda_update_function_configuration,
	.update_function_event_invoke_config = lambda_update_function_event_invoke_config,
	.update_function_url_config = lambda_update_function_url_config,
};

static void first(struct str value, void *arg)
{
	struct str *s = arg;

	if (!s->p)
		*s = value;
}

/* Operations on aliases and versions as such are about the function; those that take a qualifier are about what it names. */
static struct str qualifier_of(struct call *c)
{
	struct str q = STR_NONE;

	if (c->op && c->op->in)
		(void)wire_path(c->svc->model, c->op->in, c->in, "Qualifier", c->arena, first, &q);
	return q;
}

static int function_resource(struct call *c, struct str id, struct authz_resource *ret)
{
	struct lambda_rec_policy p;
	struct lambda_fn fn;
	int r = lambda_name(c, id, qualifier_of(c), &fn);

	if (r < 0)
		return r;
	ret->arn = lambda_arn(c, fn.account, fn.name, fn.qualifier);
	ret->account = fn.account;
	ret->policy_name = "resource-based policy";
	r = lambda_function_read(c->txn, c->arena, fn.account, fn.name, &fn.f);
	if (r == 0)
		ret->tags = fn.f.tags;
	if (r == 0)
		r = lambda_policy_read(c->txn, c->arena, fn.account, fn.name, fn.qualifier, &p);
	if (r == 0)
		ret->policy = p.text;
	return r == -ENOENT ? 0 : r;
}

static int layer_resource(struct call *c, struct str arn, struct authz_resource *ret)
{
	struct lambda_rec_layer_version l;
	struct lambda_ref ref;
	int64_t number;
	int r;

	if (lambda_layer_parse(arn, &ref, &number) < 0)
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "%.*s is not the ARN of a layer", STR(arn));
	ret->arn = arn;
	ret->account = ref.account;
	if (!number)
		return 0;
	r = lambda_table_get(c->txn, c->arena, ref.account, "lambda.layerver", ref.name, str_printf(c->arena, "%012lld", (long long)number),
			     LAMBDA_REC_LAYER_VERSION, &l);
	if (r == 0)
		ret->policy = l.policy;
	return r == -ENOENT ? 0 : r;
}

/* "NAME" or "NAME/VERSION", where NAME may be an ARN. */
static int named_layer(struct call *c, struct str id, bool version, struct authz_resource *ret)
{
	struct str name = id, number = STR_NONE;

	if (version) {
		ptrdiff_t at = str_rfind_char(id, '/');

		name = str_of(id.p, at < 0 ? id.n : (size_t)at);
		number = at < 0 ? STR_NONE : str_skip(id, (size_t)at + 1);
	}
	if (!str_starts(name, S("arn:")))
		name = call_arn(c, "lambda", "layer:%.*s", STR(name));
	return layer_resource(c, number.p ? str_printf(c->arena, "%.*s:%.*s", STR(name), STR(number)) : name, ret);
}

static int taggable(struct call *c, struct str id, struct authz_resource *ret)
{
	struct lambda_rec_signing s;
	struct arn a;

	if (arn_parse(id, &a) == 0 && str_starts(a.resource, S("function:")))
		return function_resource(c, id, ret);
	ret->arn = id;
	if (arn_parse(id, &a) == 0) {
		ret->account = a.account;
		if (str_starts(a.resource, S("code-signing-config:")) &&
		    lambda_table_get(c->txn, c->arena, a.account, "lambda.csc", str_skip(a.resource, 20), STR_NONE, LAMBDA_REC_SIGNING,
				     &s) == 0)
			ret->tags = s.tags;
	}
	return 0;
}

static int resource(struct call *c, const char *action, struct str kind, struct str id, struct authz_resource *ret)
{
	if (str_is(kind, "function"))
		return function_resource(c, id, ret);
	if (str_is(kind, "layerarn"))
		return layer_resource(c, id, ret);
	if (str_is(kind, "layer") || str_is(kind, "layerversion"))
		return named_layer(c, id, str_is(kind, "layerversion"), ret);
	return taggable(c, id, ret);
}

static int service_open(struct cloud *cl, struct region *r, struct store_txn *t, struct arena *a)
{
	int e = r ? lambda_files_open(r, t) : 0;

	return e < 0 || !r ? e : lambda_queue_open(t, a);
}

static void tick(struct cloud *cl, struct region *r, int64_t now_ms)
{
	lambda_code_tick(r);
	lambda_provisioned_tick(cl, r);
}

const struct service lambda_service = {
	.model = &lambda_model,
	.principal = "lambda.amazonaws.com",
	.open = service_open,
	.close = lambda_runtime_close,
	.drain = lambda_drain,
	.drain_region = lambda_drain_region,
	.resource = resource,
	.tick = tick,
	.job = lambda_job,
	.cfn = lambda_cfn,
	.front = &lambda_front,
};
