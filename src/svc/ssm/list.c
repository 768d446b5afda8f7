/* SPDX-License-Identifier: Apache-2.0 */
/* list.c - many parameters: by path, and described with filters. */
#include "base/glob.h"
#include "svc/ssm/ssm_int.h"
#include <errno.h>

/* One filter against one parameter. Sources: "ParameterStringFilter", DescribeParameters. */
static bool path_holds(struct str path, bool recursive, struct str name)
{
	struct str rest;

	if (!str_is(path, "/")) {
		if (!str_starts(name, path) || name.n <= path.n || name.p[path.n] != '/')
			return false;
		rest = str_skip(name, path.n + 1);
	} else
		rest = name.n && name.p[0] == '/' ? str_skip(name, 1) : name;
	return recursive || str_find_char(rest, '/') < 0;
}

static bool one_value(struct str key, struct str option, struct str v, const struct ssm_rec_parameter *p)
{
	struct str have;

	if (str_is(key, "Path"))
		return path_holds(v, str_is(option, "Recursive"), p->name);
	if (str_starts(key, S("tag:"))) {
		have = str_map_get(&p->tags, str_skip(key, 4));
		if (!have.p)
			return false;
	} else
		have = str_is(key, "Name")    ? p->name
		       : str_is(key, "Type")  ? p->type
		       : str_is(key, "KeyId") ? p->key_id
		       : str_is(key, "Tier")  ? p->tier
					      : p->data_type;
	if (str_is(key, "Name") && (!v.n || v.p[0] != '/') && have.n && have.p[0] == '/')
		have = str_skip(have, 1);
	if (str_is(option, "BeginsWith"))
		return str_starts(have, v);
	if (str_is(option, "Contains"))
		return str_find(have, v) >= 0;
	return str_eq(have, v);
}

static bool holds(const struct ssm_parameter_string_filter *f, const struct ssm_rec_parameter *p)
{
	if (str_starts(f->key, S("tag:")) && f->values.n == 0)
		return str_map_get(&p->tags, str_skip(f->key, 4)).p;
	for (size_t i = 0; i < f->values.n; i++)
		if (one_value(f->key, f->option, f->values.v[i], p))
			return true;
	return false;
}

static int check_filters(struct call *c, const struct ssm_parameter_string_filter_list *l)
{
	static const char *const keys[] = { "Name", "Type", "KeyId", "Path", "Tier", "DataType" };
	static const char *const options[] = { "Equals", "BeginsWith", "Contains", "Recursive", "OneLevel" };

	for (size_t i = 0; i < l->n; i++) {
		bool key = str_starts(l->v[i].key, S("tag:")), option = !l->v[i].option.p;

		for (size_t j = 0; j < ELEMENTS(keys); j++)
			key |= str_is(l->v[i].key, keys[j]);
		for (size_t j = 0; j < ELEMENTS(options); j++)
			option |= str_is(l->v[i].option, options[j]);
		if (!key)
			return call_fail(c, &ssm_err_invalid_filter_key,
					 "The following filter key is not valid: %.*s. Valid filter keys include: [Path, Name, Type, "
					 "KeyId, Tier, DataType].",
					 STR(l->v[i].key));
		if (!option)
			return call_fail(c, &ssm_err_invalid_filter_option,
					 "The following filter option is not valid: %.*s. Valid options include: [BeginsWith, Equals].",
					 STR(l->v[i].option));
	}
	return 0;
}

struct page {
	struct call *c;
	struct str prefix; /* of names */
	struct str path;   /* one level below this only; absent: all */
	struct str token;
	size_t max;
	const struct ssm_parameter_string_filter_list *filters;
	struct ssm_rec_parameter *v;
	size_t n, cap;
	struct str next;
};

static bool wanted(const struct page *g, const struct ssm_rec_parameter *p)
{
	for (size_t i = 0; i < g->filters->n; i++)
		if (!holds(&g->filters->v[i], p))
			return false;
	return true;
}

/* The key behind everything below the sub-path that this name is in: a level that isn't asked for is skipped whole. */
static bool skip_level(const struct page *g, struct str name, struct arena *scratch, struct keybuf *ret)
{
	struct str rest;
	ptrdiff_t slash;

	if (!g->path.p)
		return false;
	rest = str_skip(name, g->prefix.n);
	slash = str_find_char(rest, '/');
	if (slash < 0)
		return false;
	ssm_key(ret, g->c->account, str_printf(scratch, "%.*s%.*s/\xff", STR(g->prefix), (int)slash, rest.p)); /* names are ASCII */
	return true;
}

static struct str keep(char *to, struct str key)
{
	memcpy(to, key.p, key.n);
	return str_of(to, key.n);
}

static int read_page(struct page *g)
{
	struct store_range range = { 0 };
	struct arena scratch = { 0 }; /* of those that are looked at and not wanted */
	char last[STORE_KEY_BYTES_MAX];
	size_t seen = 0;
	struct str after = STR_NONE, key, value;
	struct keybuf k, skip;
	int r;

	if (g->token.p && page_parse(g->c, g->token, &after) < 0)
		return call_fail(g->c, &ssm_err_invalid_next_token, "The specified token isn't valid.");
	ssm_key(&k, g->c->account, g->prefix);
	r = store_range_open(&range, g->c->txn, key_view(&k), after, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		struct ssm_rec_parameter p;

		if (g->n == g->max) {
			g->next = page_token(g->c, after);
			r = 0;
			break;
		}
		if (++seen > SSM_SCANNED_MAX) { /* an early end of a page is AWS's way, too */
			g->next = page_token(g->c, after);
			r = 0;
			break;
		}
		arena_reset(&scratch);
		r = record_decode(&ssm_records, SSM_REC_PARAMETER, &scratch, value, &p);
		if (r < 0)
			break;
		if (skip_level(g, p.name, &scratch, &skip)) {
			after = keep(last, key_view(&skip));
			store_range_close(&range);
			r = store_range_open(&range, g->c->txn, key_view(&k), after, false);
			continue;
		}
		after = keep(last, key);
		if (!wanted(g, &p))
			continue;
		r = record_decode(&ssm_records, SSM_REC_PARAMETER, g->c->arena, value, &p);
		if (r == 0)
			vec_push(g->c->arena, g->v, g->n, g->cap) = p;
	}
	store_range_close(&range);
	arena_done(&scratch);
	return r;
}

SSM_HANDLER(get_parameters_by_path)
{
	struct page g = { .c = c,
			  .max = in->max_results.has ? (size_t)in->max_results.v : 10,
			  .token = in->next_token,
			  .filters = &in->parameter_filters };
	int r = check_filters(c, &in->parameter_filters);

	if (r < 0)
		return r;
	if (in->path.p[0] != '/')
		return call_fail(c, &aws_err_validation_exception,
				 "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward "
				 "slash \"/\".");
	g.prefix = str_ends(in->path, S("/")) ? in->path : str_printf(c->arena, "%.*s/", STR(in->path));
	if (!in->recursive.v)
		g.path = g.prefix;
	r = read_page(&g);
	if (r < 0)
		return r;
	out->next_token = g.next;
	out->parameters.v = arena_array(c->arena, struct ssm_parameter, g.n + 1);
	for (size_t i = 0; i < g.n; i++) {
		struct ssm_parameter *p = &out->parameters.v[out->parameters.n++];

		r = ssm_value(c, &g.v[i], in->with_decryption.v, &p->value);
		if (r < 0)
			return r;
		p->name = g.v[i].name;
		p->type = g.v[i].type;
		p->version = g.v[i].version;
		p->last_modified_date = g.v[i].modified;
		p->arn = ssm_arn(c, g.v[i].name);
		p->data_type = g.v[i].data_type;
	}
	return 0;
}

/* The older form of filters means the same with fewer words. */
static struct ssm_parameter_string_filter_list all_filters(struct call *c, const struct ssm_describe_parameters_request *in)
{
	struct ssm_parameter_string_filter_list l = {
		arena_array(c->arena, struct ssm_parameter_string_filter, in->filters.n + in->parameter_filters.n + 1), 0
	};

	for (size_t i = 0; i < in->filters.n; i++)
		l.v[l.n++] = (struct ssm_parameter_string_filter){ in->filters.v[i].key,
								   str_is(in->filters.v[i].key, "Name") ? S("BeginsWith") : S("Equals"),
								   in->filters.v[i].values };
	for (size_t i = 0; i < in->parameter_filters.n; i++)
		l.v[l.n++] = in->parameter_filters.v[i];
	return l;
}

SSM_HANDLER(describe_parameters)
{
	struct ssm_parameter_string_filter_list filters = all_filters(c, in);
	struct page g = { .c = c,
			  .prefix = S(""),
			  .max = in->max_results.has ? (size_t)in->max_results.v : 50,
			  .token = in->next_token,
			  .filters = &filters };
	int r = check_filters(c, &in->parameter_filters);

	if (r < 0)
		return r;
	if (in->filters.n && in->parameter_filters.n)
		return call_fail(c, &aws_err_validation_exception, "You can use either Filters or ParameterFilters in a single request.");
	r = read_page(&g);
	if (r < 0)
		return r;
	out->next_token = g.next;
	out->parameters.v = arena_array(c->arena, struct ssm_parameter_metadata, g.n + 1);
	for (size_t i = 0; i < g.n; i++) {
		struct ssm_parameter_metadata *m = &out->parameters.v[out->parameters.n++];
		const struct ssm_rec_parameter *p = &g.v[i];

		*m = (struct ssm_parameter_metadata){ .name = p->name,
						      .arn = ssm_arn(c, p->name),
						      .type = p->type,
						      .key_id = p->key_id,
						      .last_modified_date = p->modified,
						      .last_modified_user = p->modified_by,
						      .description = p->description,
						      .allowed_pattern = p->allowed_pattern,
						      .version = p->version,
						      .tier = p->tier,
						      .data_type = p->data_type };
		m->policies.v = arena_alloc(c->arena, 1);
	}
	return 0;
}
