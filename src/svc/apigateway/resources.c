/* SPDX-License-Identifier: Apache-2.0 */
/* resources.c - the tree of resources of an API. A resource's record holds its methods and its whole path. */
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>

static const char *const bad_part = "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the "
				    "beginning and the end.";

static bool variable(struct str part)
{
	return part.n && part.p[0] == '{';
}

static const struct apigw_rec_resource *by_id(const struct apigw_rec_resource_list *l, struct str id)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].id, id))
			return &l->v[i];
	return NULL;
}

static int check_place(struct call *c, const struct apigw_rec_resource_list *all, const struct apigw_rec_resource *parent,
		       const struct apigw_rec_resource *res)
{
	if (!apigw_path_part_valid(res->path_part))
		return call_fail(c, &apigateway_err_bad_request, "%s", bad_part);
	if (str_ends(parent->path, S("+}")))
		return call_fail(c, &apigateway_err_bad_request, "Cannot create a child of a resource with a greedy path variable: %.*s",
				 STR(parent->path));
	for (size_t i = 0; i < all->n; i++) {
		const struct apigw_rec_resource *o = &all->v[i];

		if (str_eq(o->id, res->id) || !o->parent_id.p || !str_eq(o->parent_id, parent->id))
			continue;
		if (str_eq(o->path_part, res->path_part))
			return call_fail(c, &apigateway_err_conflict, "Another resource with the same parent already has this name: %.*s",
					 STR(res->path_part));
		if (variable(o->path_part) && variable(res->path_part))
			return call_fail(c, &apigateway_err_bad_request,
					 "A sibling (%.*s) of this resource already has a variable path part -- only one is allowed",
					 STR(o->path_part));
	}
	return 0;
}

APIGW_HANDLER(create_resource, create_resource_request, resource)
{
	struct apigw_rec_resource res = { .parent_id = in->parent_id, .path_part = in->path_part };
	struct apigw_rec_resource_list all;
	const struct apigw_rec_resource *parent;
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	if (r == 0)
		r = apigw_all(c, &apigw_resource_kind, api.id, &all);
	if (r < 0)
		return r;
	parent = by_id(&all, in->parent_id);
	if (!parent)
		return call_fail(c, &apigateway_err_not_found, "Invalid Resource identifier specified");
	if (all.n >= APIGW_RESOURCES_MAX)
		return call_fail(c, &apigateway_err_limit_exceeded, "Maximum number of resources for this API has been reached: %d",
				 APIGW_RESOURCES_MAX);
	r = check_place(c, &all, parent, &res);
	if (r < 0)
		return r;
	res.id = apigw_id(c, APIGW_PART_ID_CHARS);
	res.path = apigw_path_join(c->arena, parent->path, res.path_part);
	r = apigw_put(c, &apigw_resource_kind, api.id, res.id, &res);
	if (r == 0)
		apigw_out(c, APIGW_REC_RESOURCE, &res, out);
	return r;
}

/* Only the names of the methods, unless they are asked for. */
static void without_methods(struct call *c, struct apigw_rec_resource *res)
{
	struct apigw_rec_method_map_entry *v = arena_array(c->arena, struct apigw_rec_method_map_entry, res->resource_methods.n + 1);

	for (size_t i = 0; i < res->resource_methods.n; i++)
		v[i].key = res->resource_methods.v[i].key;
	if (res->resource_methods.n)
		res->resource_methods.v = v;
}

static bool embeds(const struct str_list *embed)
{
	for (size_t i = 0; i < embed->n; i++)
		if (str_is(embed->v[i], "methods"))
			return true;
	return false;
}

APIGW_HANDLER(get_resource, get_resource_request, resource)
{
	struct apigw_rec_resource res;
	int r = apigw_part(c, &apigw_resource_kind, in->rest_api_id, in->resource_id, &res);

	if (r < 0)
		return r;
	if (!embeds(&in->embed))
		without_methods(c, &res);
	if (!res.resource_methods.n)
		res.resource_methods.v = NULL;
	apigw_out(c, APIGW_REC_RESOURCE, &res, out);
	return 0;
}

static int listed(struct call *c, void *rec, void *arg)
{
	struct apigw_rec_resource *res = rec;

	if (!embeds(arg))
		without_methods(c, res);
	if (!res->resource_methods.n)
		res->resource_methods.v = NULL;
	return 1;
}

APIGW_HANDLER(get_resources, get_resources_request, resources)
{
	struct apigw_rec_api api;
	int r = apigw_api(c, in->rest_api_id, &api);

	return r < 0 ? r : apigw_list(c, &apigw_resource_kind, api.id, in->position, in->limit, listed, (void *)(uintptr_t)&in->embed, out);
}

/* The new paths of everything below a resource that moved. */
static int move_children(struct call *c, struct str api, struct apigw_rec_resource_list *all, const struct apigw_rec_resource *of,
			 unsigned depth)
{
	int r = depth > APIGW_RESOURCES_MAX ? -ELOOP : 0;

	for (size_t i = 0; r == 0 && i < all->n; i++) {
		struct apigw_rec_resource *o = &all->v[i];

		if (!o->parent_id.p || !str_eq(o->parent_id, of->id))
			continue;
		o->path = apigw_path_join(c->arena, of->path, o->path_part);
		r = apigw_put(c, &apigw_resource_kind, api, o->id, o);
		if (r == 0)
			r = move_children(c, api, all, o, depth + 1);
	}
	return r;
}

static const struct apigw_rule rules[] = { { "/parentId", APIGW_REPLACE }, { "/pathPart", APIGW_REPLACE }, { NULL } };

APIGW_HANDLER(update_resource, update_resource_request, resource)
{
	struct apigw_rec_resource_list all;
	const struct apigw_rec_resource *parent;
	struct apigw_rec_resource res;
	int r = apigw_part(c, &apigw_resource_kind, in->rest_api_id, in->resource_id, &res);

	if (r == 0)
		r = apigw_all(c, &apigw_resource_kind, in->rest_api_id, &all);
	if (r == 0 && !res.parent_id.p)
		return call_fail(c, &apigateway_err_bad_request, "Root resource cannot be updated");
	if (r == 0)
		r = apigw_patch(c, APIGW_REC_RESOURCE, &res, &in->patch_operations, rules);
	if (r < 0)
		return r;
	parent = by_id(&all, res.parent_id);
	if (!parent)
		return call_fail(c, &apigateway_err_not_found, "Invalid Resource identifier specified");
	for (const struct apigw_rec_resource *p = parent; p; p = p->parent_id.p ? by_id(&all, p->parent_id) : NULL)
		if (str_eq(p->id, res.id))
			return call_fail(c, &apigateway_err_bad_request, "Resources cannot be cyclical.");
	r = check_place(c, &all, parent, &res);
	if (r < 0)
		return r;
	res.path = apigw_path_join(c->arena, parent->path, res.path_part);
	r = apigw_put(c, &apigw_resource_kind, in->rest_api_id, res.id, &res);
	if (r == 0)
		r = move_children(c, in->rest_api_id, &all, &res, 0);
	without_methods(c, &res);
	apigw_out(c, APIGW_REC_RESOURCE, &res, out);
	return r;
}

static int drop(struct call *c, struct str api, const struct apigw_rec_resource_list *all, struct str id)
{
	int r = apigw_del(c, &apigw_resource_kind, api, id);

	for (size_t i = 0; r == 0 && i < all->n; i++)
		if (all->v[i].parent_id.p && str_eq(all->v[i].parent_id, id))
			r = drop(c, api, all, all->v[i].id);
	return r;
}

APIGW_HANDLER(delete_resource, delete_resource_request, delete_resource_response)
{
	struct apigw_rec_resource_list all;
	struct apigw_rec_resource res;
	int r = apigw_part(c, &apigw_resource_kind, in->rest_api_id, in->resource_id, &res);

	if (r == 0 && !res.parent_id.p)
		return call_fail(c, &apigateway_err_bad_request, "Cannot remove the root resource");
	if (r == 0)
		r = apigw_all(c, &apigw_resource_kind, in->rest_api_id, &all);
	return r == 0 ? drop(c, in->rest_api_id, &all, res.id) : r;
}
