/* SPDX-License-Identifier: Apache-2.0 */
/* tags.c - CreateTags, DeleteTags, DescribeTags, and the tags of what is being created. Tags are kept with their
 * resource, and by resource and key in "ec2.tag" for DescribeTags. Sources: "Tag restrictions", "CreateTags". */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

#define TAG_KEY_CHARS_MAX 128
#define TAG_VALUE_CHARS_MAX 256
#define TAG_RESOURCES_MAX 1000 /* in one call */
#define TAGS_PAGE_DEFAULT 1000

void ec2_tags_out(struct call *c, const struct str_map *tags, struct ec2_tag_list *ret)
{
	ret->n = tags->n;
	ret->v = arena_array(c->arena, struct ec2_tag, tags->n + 1);
	for (size_t i = 0; i < tags->n; i++)
		ret->v[i] = (struct ec2_tag){ tags->v[i].key, tags->v[i].value };
}

int ec2_tags_index(struct call *c, const struct ec2_kind *k, struct str id, const struct str_map *tags, bool add)
{
	int r = 0;

	for (size_t i = 0; i < tags->n && r == 0; i++)
		r = add ? ec2_map_put(c, "ec2.tag", id, tags->v[i].key, tags->v[i].value) : ec2_map_del(c, "ec2.tag", id, tags->v[i].key);
	return r;
}

/* Tags that begin with "aws:" are CloudFormation's to set and to take away. */
static bool may_reserve(struct call *c)
{
	return str_is(c->facts.invoked_by, "cloudformation.amazonaws.com");
}

static int tag_check(struct call *c, const struct ec2_tag *t)
{
	if (!t->key.p || t->key.n == 0)
		return call_fail(c, &aws_err_invalid_parameter_value, "Tag key cannot be null or empty");
	if (str_starts(t->key, S("aws:")) && !may_reserve(c))
		return call_fail(c, &aws_err_invalid_parameter_value, "Tag keys starting with 'aws:' are reserved for internal use");
	if (utf8_chars(t->key) > TAG_KEY_CHARS_MAX)
		return call_fail(c, &aws_err_invalid_parameter_value, "Tag key exceeds the maximum length of %d characters",
				 TAG_KEY_CHARS_MAX);
	if (utf8_chars(t->value) > TAG_VALUE_CHARS_MAX)
		return call_fail(c, &aws_err_invalid_parameter_value, "Tag value exceeds the maximum length of %d characters",
				 TAG_VALUE_CHARS_MAX);
	return 0;
}

static void set(struct arena *a, struct str_map *m, size_t *cap, struct str key, struct str value)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].key, key)) {
			m->v[i].value = value;
			return;
		}
	vec_push(a, m->v, m->n, *cap) = ((struct str_pair){ key, value });
}

static int count_check(struct call *c, const struct str_map *m)
{
	size_t own = 0;

	for (size_t i = 0; i < m->n; i++)
		own += !str_starts(m->v[i].key, S("aws:"));
	return own > EC2_TAGS_MAX ? call_fail(c, &ec2_err_tag_limit_exceeded, "The maximum number of Tags for a resource has been reached.")
				  : 0;
}

static int take(struct call *c, const struct ec2_tag_list *tags, struct str_map *m, size_t *cap)
{
	size_t before = m->n;
	int r = 0;

	for (size_t i = 0; i < tags->n && r == 0; i++) {
		for (size_t j = 0; j < i; j++)
			if (str_eq(tags->v[i].key, tags->v[j].key))
				return call_fail(c, &aws_err_invalid_parameter_value, "Duplicate tag key '%.*s' specified.",
						 STR(tags->v[i].key));
		r = tag_check(c, &tags->v[i]);
		if (r == 0)
			set(c->arena, m, cap, tags->v[i].key, tags->v[i].value.p ? tags->v[i].value : S(""));
	}
	return r < 0 || before == m->n ? r : count_check(c, m);
}

int ec2_tags_take(struct call *c, const struct ec2_tag_specification_list *specs, const char *type, struct str_map *ret)
{
	size_t cap = 0;
	int r = 0;

	*ret = (struct str_map){ 0 };
	for (size_t i = 0; i < specs->n && r == 0; i++) {
		const struct ec2_tag_specification *s = &specs->v[i];

		if (!s->resource_type.p)
			return call_fail(c, &aws_err_invalid_parameter_value, "Tag specification resource type must have a value");
		if (!str_is(s->resource_type, type))
			return call_fail(c, &aws_err_invalid_parameter_value,
					 "'%.*s' is not a valid taggable resource type for this operation.", STR(s->resource_type));
		for (size_t j = 0; j < s->tags.n; j++)
			if (s->tags.v[j].key.p && str_map_get(ret, s->tags.v[j].key).p)
				return call_fail(c, &aws_err_invalid_parameter_value, "Duplicate tag key '%.*s' specified.",
						 STR(s->tags.v[j].key));
		r = take(c, &s->tags, ret, &cap);
	}
	return r;
}

/* Loads any resource that has tags; *ret_k is its kind. */
static int load_any(struct call *c, struct str id, enum ec2_kinds *ret_k, void **ret)
{
	const struct ec2_kind *d = ec2_kind_of_id(id);

	if (!d)
		return call_fail(c, &ec2_err_invalid_id, "The ID '%.*s' is not valid", STR(id));
	*ret_k = (enum ec2_kinds)(d - ec2_kinds);
	*ret = arena_zalloc(c->arena, d->size);
	return ec2_load(c, *ret_k, id, *ret);
}

static int count_resources(struct call *c, size_t n)
{
	return n > TAG_RESOURCES_MAX ? call_fail(c, &aws_err_invalid_parameter_value, "The maximum number of resources in one call is %d",
						 TAG_RESOURCES_MAX)
				     : 0;
}

EC2_ACTION(create_tags)
{
	int r = count_resources(c, in->resources.n);

	for (size_t i = 0; i < in->resources.n && r == 0; i++) {
		struct str_map *m, copy;
		enum ec2_kinds k;
		void *rec;
		size_t cap;

		r = load_any(c, in->resources.v[i], &k, &rec);
		if (r < 0)
			return r;
		m = (void *)((char *)rec + ec2_kinds[k].tags);
		copy = (struct str_map){ 0 };
		cap = 0;
		for (size_t j = 0; j < m->n; j++)
			vec_push(c->arena, copy.v, copy.n, cap) = m->v[j];
		r = take(c, &in->tags, &copy, &cap);
		if (r < 0)
			return r;
		*m = copy;
		r = ec2_store(c, k, rec);
		if (r == 0)
			r = ec2_tags_index(c, &ec2_kinds[k], in->resources.v[i], m, true);
	}
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* A tag named with a value goes only when it has that value; without any named, all but AWS's own go. */
static bool goes(struct call *c, const struct ec2_delete_tags_request *in, const struct str_pair *t)
{
	if (in->tags.n == 0)
		return !str_starts(t->key, S("aws:"));
	for (size_t i = 0; i < in->tags.n; i++)
		if (str_eq(in->tags.v[i].key, t->key) && (!in->tags.v[i].value.p || str_eq(in->tags.v[i].value, t->value)))
			return true;
	return false;
}

EC2_ACTION(delete_tags)
{
	int r = count_resources(c, in->resources.n);

	for (size_t i = 0; i < in->tags.n && r == 0; i++)
		r = tag_check(c, &in->tags.v[i]);
	for (size_t i = 0; i < in->resources.n && r == 0; i++) {
		struct str_map *m;
		enum ec2_kinds k;
		size_t n = 0;
		void *rec;

		r = load_any(c, in->resources.v[i], &k, &rec);
		if (r < 0)
			return r;
		m = (void *)((char *)rec + ec2_kinds[k].tags);
		for (size_t j = 0; j < m->n && r == 0; j++) {
			if (goes(c, in, &m->v[j]))
				r = ec2_map_del(c, "ec2.tag", in->resources.v[i], m->v[j].key);
			else
				m->v[n++] = m->v[j];
		}
		m->n = n;
		if (r == 0)
			r = ec2_store(c, k, rec);
	}
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

/* --- DescribeTags --- */
static const struct ec2_field tag_fields[] = {
	EC2_FIELD_STR("key", struct ec2_tag_description, key),
	EC2_FIELD_STR("resource-id", struct ec2_tag_description, resource_id),
	EC2_FIELD_STR("resource-type", struct ec2_tag_description, resource_type),
	EC2_FIELD_STR("value", struct ec2_tag_description, value),
	{ 0 },
};

static int read_tag(struct call *c, struct str key, struct str value, struct ec2_tag_description *t)
{
	const struct ec2_kind *d;
	struct str account, table;
	int r = key_take_begin(&key, &account, &table);

	if (r == 0)
		r = key_take_str(&key, c->arena, &t->resource_id);
	if (r == 0)
		r = key_take_str(&key, c->arena, &t->key);
	if (r < 0)
		return r;
	d = ec2_kind_of_id(t->resource_id);
	t->resource_type = d ? str_c(d->type) : STR_NONE;
	t->value = str_dup(c->arena, value);
	return 0;
}

/* The one resource that a filter names exactly, so that only its tags are walked. */
static struct str one_resource(const struct ec2_filter_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_is(l->v[i].name, "resource-id") && l->v[i].values.n == 1 && ec2_kind_of_id(l->v[i].values.v[0]) &&
		    str_find_char(l->v[i].values.v[0], '*') < 0 && str_find_char(l->v[i].values.v[0], '?') < 0 &&
		    str_find_char(l->v[i].values.v[0], '\\') < 0)
			return l->v[i].values.v[0];
	return STR_NONE;
}

EC2_HANDLER(describe_tags)
{
	struct store_range range = { 0 };
	struct str after = STR_NONE, last = STR_NONE, key, value, only = one_resource(&in->filters);
	size_t limit = in->max_results.has ? (size_t)in->max_results.v : TAGS_PAGE_DEFAULT, cap = 0;
	struct keybuf prefix;
	int r = ec2_filters_check(c, tag_fields, &in->filters, true);

	if (r < 0)
		return r;
	if (in->max_results.has && (in->max_results.v < 5 || in->max_results.v > 1000))
		return call_fail(c, &aws_err_invalid_parameter_value,
				 "Value ( %lld ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.",
				 (long long)in->max_results.v);
	if (in->next_token.p && page_parse(c, in->next_token, &after) < 0)
		return call_fail(c, &ec2_err_invalid_next_token, "The token '%.*s' is invalid", STR(in->next_token));
	key_begin(&prefix, c->account, "ec2.tag");
	if (only.p)
		key_str(&prefix, only);
	r = store_range_open(&range, c->txn, key_view(&prefix), after, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		struct ec2_tag_description t = { 0 };
		struct str_map own = { 0 };

		r = read_tag(c, key, value, &t);
		if (r < 0)
			break;
		own = (struct str_map){ arena_dup(c->arena, &(struct str_pair){ t.key, t.value }, sizeof(struct str_pair)), 1 };
		if (!ec2_filters_match(c, tag_fields, &own, &in->filters, &t))
			continue;
		if (out->tags.n == limit) {
			out->next_token = page_token(c, last);
			break;
		}
		vec_push(c->arena, out->tags.v, out->tags.n, cap) = t;
		last = str_dup(c->arena, key);
	}
	store_range_close(&range);
	EC2_EMPTY(c, out->tags);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}
