/* SPDX-License-Identifier: Apache-2.0 */
/* urls.c - function URLs: their configuration. Requests to them are front.c's. */
#include "svc/lambda/lambda_int.h"
#include <errno.h>

#define URL_ID_CHARS 32

static struct str address(struct call *c, const struct lambda_rec_url *u)
{
	return str_printf(c->arena, "https://%.*s.lambda-url.%.*s.on.aws/", STR(u->id), STR(call_region(c)));
}

static struct lambda_cors *view_cors(struct call *c, const struct lambda_rec_cors *k)
{
	struct lambda_cors *o;

	if (!k)
		return NULL;
	o = arena_new(c->arena, struct lambda_cors);
	*o = (struct lambda_cors){ k->credentials, k->headers, k->methods, k->origins, k->expose, k->max_age };
	return o;
}

static void view(struct call *c, const struct lambda_rec_url *u, struct lambda_function_url_config *o)
{
	*o = (struct lambda_function_url_config){ .function_url = address(c, u),
						  .function_arn = lambda_arn(c, u->account, u->name,
									     u->qualifier.n ? u->qualifier : STR_NONE),
						  .creation_time = lambda_time(c->arena, u->created.ms),
						  .last_modified_time = lambda_time(c->arena, u->modified.ms),
						  .cors = view_cors(c, u->cors),
						  .auth_type = u->auth,
						  .invoke_mode = u->mode };
}

static struct lambda_rec_cors *take_cors(struct call *c, const struct lambda_cors *in)
{
	struct lambda_rec_cors *k;

	if (!in)
		return NULL;
	k = arena_new(c->arena, struct lambda_rec_cors);
	*k = (struct lambda_rec_cors){ in->allow_credentials, in->allow_headers,  in->allow_methods,
				       in->allow_origins,     in->expose_headers, in->max_age };
	return k;
}

/* A URL belongs to the function ($LATEST) or to an alias. */
static int target(struct call *c, struct str function, struct str qualifier, struct lambda_fn *fn)
{
	struct lambda_rec_version v;
	int r = lambda_find(c, function, qualifier, fn);

	if (r == 0 && str_is(fn->qualifier, LAMBDA_LATEST))
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "A function URL cannot have the qualifier $LATEST.");
	if (r == 0 && lambda_is_version(fn->qualifier))
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "A function URL needs the function or an alias, not a version.");
	return r == 0 && fn->qualifier.p ? lambda_resolve(c, fn, &v) : r;
}

static int url_read(struct call *c, const struct lambda_fn *fn, struct lambda_rec_url *ret)
{
	return lambda_table_get(c->txn, c->arena, fn->account, "lambda.url", fn->name, fn->qualifier.p ? fn->qualifier : S(""),
				LAMBDA_REC_URL, ret);
}

static int url_put(struct call *c, const struct lambda_rec_url *u)
{
	int r = lambda_table_put(c->txn, u->account, "lambda.url", u->name, u->qualifier, LAMBDA_REC_URL, u);

	return r < 0 ? r : lambda_table_put(c->txn, S(""), "lambda.urlid", u->id, STR_NONE, LAMBDA_REC_URL, u);
}

int lambda_url_drop(struct call *c, const struct lambda_fn *fn, struct str qualifier)
{
	struct lambda_fn at = *fn;
	struct lambda_rec_url u;
	int r;

	at.qualifier = qualifier;
	r = url_read(c, &at, &u);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = lambda_table_del(c->txn, S(""), "lambda.urlid", u.id, STR_NONE);
	return r < 0 ? r : lambda_table_del(c->txn, u.account, "lambda.url", u.name, u.qualifier);
}

int lambda_urls_drop(struct call *c, const struct lambda_fn *fn)
{
	struct store_range range = { 0 };
	struct lambda_rec_url u;
	struct str key, value, *names = NULL;
	struct keybuf k;
	size_t n = 0, cap = 0;
	int r;

	lambda_key(&k, fn->account, "lambda.url", fn->name);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		r = record_decode(&lambda_records, LAMBDA_REC_URL, c->arena, value, &u);
		vec_push(c->arena, names, n, cap) = u.qualifier.p ? u.qualifier : S("");
	}
	store_range_close(&range);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = lambda_url_drop(c, fn, names[i]);
	return r < 0 ? r : 0;
}

static int no_url(struct call *c)
{
	return lambda_fail(c, &lambda_err_resource_not_found, "The resource you requested does not exist.");
}

LAMBDA_HANDLER(create_function_url_config, create_function_url_config_request, create_function_url_config_response)
{
	struct lambda_function_url_config o;
	struct lambda_rec_url u;
	struct lambda_fn fn;
	int r = target(c, in->function_name, in->qualifier, &fn);

	if (r < 0)
		return r;
	r = url_read(c, &fn, &u);
	if (r == 0)
		return lambda_fail(c, &lambda_err_resource_conflict, "FunctionUrlConfig exists for this Lambda function");
	if (r != -ENOENT)
		return r;
	u = (struct lambda_rec_url){ .id = random_from(c->arena, S("abcdefghijklmnopqrstuvwxyz234567"), URL_ID_CHARS),
				     .account = fn.account,
				     .name = fn.name,
				     .qualifier = fn.qualifier.p ? fn.qualifier : S(""),
				     .auth = in->auth_type,
				     .created = OPT_TIME(c->now_ms),
				     .modified = OPT_TIME(c->now_ms),
				     .cors = take_cors(c, in->cors),
				     .mode = in->invoke_mode.p ? in->invoke_mode : S("BUFFERED") };
	view(c, &u, &o);
	*out = (struct lambda_create_function_url_config_response){ o.function_url, o.function_arn,  o.auth_type,
								    o.cors,         o.creation_time, o.invoke_mode };
	return url_put(c, &u);
}

LAMBDA_HANDLER(update_function_url_config, update_function_url_config_request, update_function_url_config_response)
{
	struct lambda_function_url_config o;
	struct lambda_rec_url u;
	struct lambda_fn fn;
	int r = target(c, in->function_name, in->qualifier, &fn);

	if (r == 0)
		r = url_read(c, &fn, &u);
	if (r < 0)
		return r == -ENOENT ? no_url(c) : r;
	u.auth = in->auth_type.p ? in->auth_type : u.auth;
	u.cors = in->cors ? take_cors(c, in->cors) : u.cors;
	u.mode = in->invoke_mode.p ? in->invoke_mode : u.mode;
	u.modified = OPT_TIME(c->now_ms);
	view(c, &u, &o);
	*out = (struct lambda_update_function_url_config_response){ o.function_url,  o.function_arn,       o.auth_type,  o.cors,
								    o.creation_time, o.last_modified_time, o.invoke_mode };
	return url_put(c, &u);
}

LAMBDA_HANDLER(get_function_url_config, get_function_url_config_request, get_function_url_config_response)
{
	struct lambda_function_url_config o;
	struct lambda_rec_url u;
	struct lambda_fn fn;
	int r = target(c, in->function_name, in->qualifier, &fn);

	if (r == 0)
		r = url_read(c, &fn, &u);
	if (r < 0)
		return r == -ENOENT ? no_url(c) : r;
	view(c, &u, &o);
	*out = (struct lambda_get_function_url_config_response){ o.function_url,  o.function_arn,       o.auth_type,  o.cors,
								 o.creation_time, o.last_modified_time, o.invoke_mode };
	return 0;
}

LAMBDA_HANDLER(delete_function_url_config, delete_function_url_config_request, delete_function_url_config_response)
{
	struct lambda_rec_url u;
	struct lambda_fn fn;
	int r = target(c, in->function_name, in->qualifier, &fn);

	if (r == 0)
		r = url_read(c, &fn, &u);
	if (r < 0)
		return r == -ENOENT ? no_url(c) : r;
	return lambda_url_drop(c, &fn, u.qualifier.p ? u.qualifier : S(""));
}

struct urls {
	struct lambda_function_url_config_list *l;
	size_t cap;
};

static int list_url(struct call *c, struct str key, struct str value, void *arg)
{
	struct urls *x = arg;
	struct lambda_rec_url u;
	int r = record_decode(&lambda_records, LAMBDA_REC_URL, c->arena, value, &u);

	if (r < 0)
		return r;
	view(c, &u, &(vec_push(c->arena, x->l->v, x->l->n, x->cap)));
	return 0;
}

LAMBDA_HANDLER(list_function_url_configs, list_function_url_configs_request, list_function_url_configs_response)
{
	struct urls x = { .l = &out->function_url_configs };
	struct lambda_fn fn;
	struct keybuf k;
	int r = lambda_whole(c, in->function_name, &fn);

	if (r < 0)
		return r;
	x.l->v = arena_array(c->arena, struct lambda_function_url_config, 1);
	lambda_key(&k, fn.account, "lambda.url", fn.name);
	return lambda_rows(c, &k, in->marker, in->max_items, &out->next_marker, list_url, &x);
}
