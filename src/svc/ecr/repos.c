/* SPDX-License-Identifier: Apache-2.0 */
/* repos.c - repositories: create, describe, delete, tags, mutability of image tags, scanning (recorded only). */
#include "svc/ecr/ecr_int.h"
#include <errno.h>

#define HOST_BYTES_MAX 253

static void repo_key(struct keybuf *k, struct str account, struct str name)
{
	key_begin(k, account, "ecr.repo");
	if (name.p)
		key_str(k, name);
}

int ecr_repo_read(struct store_txn *t, struct arena *a, struct str account, struct str name, struct ecr_rec_repository *ret)
{
	struct keybuf k;

	repo_key(&k, account, name);
	return record_get(t, &ecr_records, ECR_REC_REPOSITORY, a, &k, ret);
}

int ecr_repo_put(struct store_txn *t, const struct ecr_rec_repository *p)
{
	struct keybuf k;

	repo_key(&k, p->account, p->name);
	return record_put(t, &ecr_records, ECR_REC_REPOSITORY, &k, p);
}

struct str ecr_registry(const struct call *c, struct str registry)
{
	return registry.n ? registry : c->who->p.account.p ? c->who->p.account : c->account;
}

static int not_found(struct call *c, struct str account, struct str name)
{
	return call_fail(c, &ecr_err_repository_not_found, "The repository with name '%.*s' does not exist in the registry with id '%.*s'",
			 STR(name), STR(account));
}

int ecr_repo_load(struct call *c, struct str registry, struct str name, struct ecr_rec_repository *ret)
{
	struct str account = ecr_registry(c, registry);
	int r = ecr_repo_read(c->txn, c->arena, account, name, ret);

	return r == -ENOENT ? not_found(c, account, name) : r;
}

struct str ecr_arn(struct call *c, struct str account, struct str name)
{
	return str_printf(c->arena, "arn:%.*s:ecr:%.*s:%.*s:repository/%.*s", STR(region_partition(call_region(c))), STR(call_region(c)),
			  STR(account), STR(name));
}

int ecr_arn_parse(struct call *c, struct str s, struct str *ret_account, struct str *ret_name)
{
	struct arn arn;

	if (arn_parse(s, &arn) < 0 || !str_is(arn.service, "ecr") || !str_eq(arn.region, call_region(c)) || arn.account.n != 12 ||
	    !str_starts(arn.resource, S("repository/")) || arn.resource.n == 11)
		return -EINVAL;
	*ret_account = arn.account;
	*ret_name = str_skip(arn.resource, 11);
	return 0;
}

/* Clients push to the name they are given: it must lead back to this cloud. Who came by AWS's own names, and callers from
 * inside, who have no host at all, get AWS's. */
struct str ecr_host(struct call *c, struct str account)
{
	struct str host = c->facts.host, port = STR_NONE, name;
	const char *suffix = str_is(region_partition(call_region(c)), "aws-cn") ? "amazonaws.com.cn" : "amazonaws.com";
	ptrdiff_t colon = str_rfind_char(host, ':');

	name = host;
	if (colon >= 0 && (!host.n || host.p[host.n - 1] != ']')) {
		name = str_of(host.p, (size_t)colon);
		port = str_skip(host, (size_t)colon);
	}
	if (!host.n || str_ends(name, S("amazonaws.com")) || host.n > HOST_BYTES_MAX)
		return str_printf(c->arena, "%.*s.dkr.ecr.%.*s.%s", STR(account), STR(call_region(c)), suffix);
	return str_printf(c->arena, "%.*s.dkr.ecr.%.*s.localhost%.*s", STR(account), STR(call_region(c)), STR(port));
}

static struct ecr_image_tag_mutability_exclusion_filter_list filters(struct call *c, const struct ecr_rec_repository *p)
{
	struct ecr_image_tag_mutability_exclusion_filter_list l = { 0 };

	if (!p->exclusions.n)
		return l;
	l.v = arena_array(c->arena, struct ecr_image_tag_mutability_exclusion_filter, p->exclusions.n);
	for (; l.n < p->exclusions.n; l.n++)
		l.v[l.n] = (struct ecr_image_tag_mutability_exclusion_filter){ S("WILDCARD"), p->exclusions.v[l.n] };
	return l;
}

static void describe(struct call *c, const struct ecr_rec_repository *p, struct ecr_repository *out)
{
	*out = (struct ecr_repository){ .repository_arn = ecr_arn(c, p->account, p->name),
					.registry_id = p->account,
					.repository_name = p->name,
					.created_at = p->created,
					.image_tag_mutability = p->mutability };
	out->repository_uri = str_printf(c->arena, "%.*s/%.*s", STR(ecr_host(c, p->account)), STR(p->name));
	out->image_tag_mutability_exclusion_filters = filters(c, p);
	out->image_scanning_configuration = arena_new(c->arena, struct ecr_image_scanning_configuration);
	out->image_scanning_configuration->scan_on_push = OPT_BOOL(p->scan_on_push.v);
	out->encryption_configuration = arena_new(c->arena, struct ecr_encryption_configuration);
	out->encryption_configuration->encryption_type = p->encryption;
	out->encryption_configuration->kms_key = p->kms_key;
}

static int add_tags(struct call *c, struct str_map *m, const struct ecr_tag_list *in)
{
	struct str_pair *v = arena_array(c->arena, struct str_pair, m->n + in->n + 1);
	size_t n = m->n, i;

	if (n)
		memcpy(v, m->v, n * sizeof *v);
	for (size_t j = 0; j < in->n; j++) {
		struct str key = in->v[j].key, value = in->v[j].value.p ? in->v[j].value : S("");

		if (!key.n || key.n > 512 || utf8_chars(key) > 128 || utf8_chars(value) > 256)
			return call_fail(c, &ecr_err_invalid_tag_parameter,
					 "Invalid tag: keys have 1 to 128 characters, values at most 256.");
		if (str_starts(key, S("aws:")))
			return call_fail(c, &ecr_err_invalid_tag_parameter,
					 "Invalid tag: keys that begin with 'aws:' are reserved for system use");
		for (i = 0; i < j; i++)
			if (str_eq(in->v[i].key, key))
				return call_fail(c, &ecr_err_invalid_tag_parameter, "Duplicate tag keys found: %.*s", STR(key));
		for (i = 0; i < n && !str_eq(v[i].key, key); i++)
			continue;
		v[i] = (struct str_pair){ key, value };
		n += i == n;
	}
	if (n > ECR_TAGS_MAX)
		return call_fail(c, &ecr_err_too_many_tags, "The number of tags exceeds the limit of %d.", ECR_TAGS_MAX);
	*m = (struct str_map){ v, n };
	return 0;
}

static int load_by_arn(struct call *c, struct str arn, struct ecr_rec_repository *ret)
{
	struct str account, name;

	if (ecr_arn_parse(c, arn, &account, &name) < 0)
		return call_fail(c, &ecr_err_invalid_parameter,
				 "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'");
	return ecr_repo_load(c, account, name, ret);
}

ECR_HANDLER(tag_resource)
{
	struct ecr_rec_repository p;
	int r = load_by_arn(c, in->resource_arn, &p);

	if (r == 0)
		r = add_tags(c, &p.tags, &in->tags);
	return r < 0 ? r : ecr_repo_put(c->txn, &p);
}

ECR_HANDLER(untag_resource)
{
	struct ecr_rec_repository p;
	size_t n = 0;
	int r = load_by_arn(c, in->resource_arn, &p);

	if (r < 0)
		return r;
	for (size_t i = 0; i < p.tags.n; i++)
		if (!str_list_has(&(struct str_list){ in->tag_keys.v, in->tag_keys.n }, p.tags.v[i].key))
			p.tags.v[n++] = p.tags.v[i];
	p.tags.n = n;
	return ecr_repo_put(c->txn, &p);
}

ECR_HANDLER(list_tags_for_resource)
{
	struct ecr_rec_repository p;
	int r = load_by_arn(c, in->resource_arn, &p);

	if (r < 0)
		return r;
	out->tags.v = arena_array(c->arena, struct ecr_tag, p.tags.n + 1);
	for (; out->tags.n < p.tags.n; out->tags.n++)
		out->tags.v[out->tags.n] = (struct ecr_tag){ p.tags.v[out->tags.n].key, p.tags.v[out->tags.n].value };
	return 0;
}

/* --- settings --- */
/* Exclusion filters go with the two modes that have them. Source: PutImageTagMutability, "Preventing image tags from being
 * overwritten": at most 5 filters, 2 wildcards each. */
static int set_mutability(struct call *c, struct ecr_rec_repository *p, struct str mode,
			  const struct ecr_image_tag_mutability_exclusion_filter_list *in)
{
	bool with = str_ends(mode, S("_WITH_EXCLUSION"));

	if (with != (in->n > 0))
		return call_fail(
			c, &ecr_err_invalid_parameter,
			"Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'exclusion filters must "
			"be given with IMMUTABLE_WITH_EXCLUSION and MUTABLE_WITH_EXCLUSION, and only then'");
	p->mutability = mode;
	p->exclusions = (struct str_list){ arena_array(c->arena, struct str, in->n + 1), 0 };
	for (size_t i = 0; i < in->n; i++) {
		struct str f = in->v[i].filter;
		size_t stars = 0;

		for (size_t j = 0; j < f.n; j++)
			stars += f.p[j] == '*';
		if (stars > 2)
			return call_fail(
				c, &ecr_err_invalid_parameter,
				"Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'a filter can "
				"have at most 2 wildcards'");
		p->exclusions.v[p->exclusions.n++] = f;
	}
	return 0;
}

ECR_HANDLER(put_image_tag_mutability)
{
	struct ecr_rec_repository p;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	if (r == 0)
		r = set_mutability(c, &p, in->image_tag_mutability, &in->image_tag_mutability_exclusion_filters);
	if (r < 0)
		return r;
	out->registry_id = p.account;
	out->repository_name = p.name;
	out->image_tag_mutability = p.mutability;
	out->image_tag_mutability_exclusion_filters = filters(c, &p);
	return ecr_repo_put(c->txn, &p);
}

ECR_HANDLER(put_image_scanning_configuration)
{
	struct ecr_rec_repository p;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	if (r < 0)
		return r;
	p.scan_on_push = OPT_BOOL(in->image_scanning_configuration->scan_on_push.v);
	out->registry_id = p.account;
	out->repository_name = p.name;
	out->image_scanning_configuration = arena_new(c->arena, struct ecr_image_scanning_configuration);
	out->image_scanning_configuration->scan_on_push = p.scan_on_push;
	return ecr_repo_put(c->txn, &p);
}

/* --- create, describe, delete --- */
ECR_HANDLER(create_repository)
{
	struct ecr_rec_repository p = { .account = ecr_registry(c, in->registry_id),
					.name = in->repository_name,
					.created = OPT_TIME(c->now_ms),
					.encryption = S("AES256") },
				  old;
	int r = ecr_repo_read(c->txn, c->arena, p.account, p.name, &old);

	if (r == 0)
		return call_fail(c, &ecr_err_repository_already_exists,
				 "The repository with name '%.*s' already exists in the registry with id '%.*s'", STR(p.name),
				 STR(p.account));
	if (r != -ENOENT)
		return r;
	r = set_mutability(c, &p, in->image_tag_mutability.p ? in->image_tag_mutability : S("MUTABLE"),
			   &in->image_tag_mutability_exclusion_filters);
	if (r == 0)
		r = add_tags(c, &p.tags, &in->tags);
	if (r < 0)
		return r;
	p.id = random_hex(c->arena, 24);
	p.scan_on_push = OPT_BOOL(in->image_scanning_configuration && in->image_scanning_configuration->scan_on_push.v);
	if (in->encryption_configuration) {
		p.encryption = in->encryption_configuration->encryption_type;
		p.kms_key = in->encryption_configuration->kms_key;
		if (str_is(p.encryption, "AES256") && p.kms_key.p)
			return call_fail(c, &ecr_err_invalid_parameter,
					 "Invalid parameter at 'encryptionConfiguration' failed to satisfy constraint: 'kmsKey must not be "
					 "specified with the encryption type AES256'");
		if (str_is(p.encryption, "KMS_DSSE"))
			return call_fail(c, &ecr_err_invalid_parameter, "The encryption type KMS_DSSE is not implemented by this cloud.");
	}
	if (str_is(p.encryption, "KMS")) {
		r = ecr_key_attach(c, &p);
		if (r < 0)
			return r;
	}
	out->repository = arena_new(c->arena, struct ecr_repository);
	describe(c, &p, out->repository);
	return ecr_repo_put(c->txn, &p);
}

ECR_HANDLER(describe_repositories)
{
	struct str account = ecr_registry(c, in->registry_id), after = STR_NONE, key, value;
	size_t limit = in->max_results.has ? (size_t)in->max_results.v : 100, cap = 0;
	struct store_range range = { 0 };
	struct ecr_rec_repository p;
	struct keybuf prefix;
	int r = 0;

	if (in->repository_names.n) {
		if (in->next_token.p || in->max_results.has)
			return call_fail(
				c, &ecr_err_invalid_parameter,
				"Invalid parameter at 'repositoryNames' failed to satisfy constraint: 'nextToken and maxResults cannot "
				"be used with repositoryNames'");
		out->repositories.v = arena_array(c->arena, struct ecr_repository, in->repository_names.n);
		for (size_t i = 0; i < in->repository_names.n && r == 0; i++) {
			r = ecr_repo_load(c, account, in->repository_names.v[i], &p);
			if (r == 0)
				describe(c, &p, &out->repositories.v[out->repositories.n++]);
		}
		return r;
	}
	if (in->next_token.p && page_parse(c, in->next_token, &after) < 0)
		return call_fail(c, &ecr_err_invalid_parameter,
				 "Invalid parameter at 'nextToken' failed to satisfy constraint: "
				 "'The token is not valid'");
	repo_key(&prefix, account, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&prefix), after, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		if (out->repositories.n == limit) {
			out->next_token = page_token(c, after);
			r = 0;
			break;
		}
		after = str_dup(c->arena, key);
		r = record_decode(&ecr_records, ECR_REC_REPOSITORY, c->arena, value, &p);
		if (r == 0)
			describe(c, &p, &vec_push(c->arena, out->repositories.v, out->repositories.n, cap));
	}
	store_range_close(&range);
	if (!out->repositories.v)
		out->repositories.v = arena_alloc(c->arena, 1);
	return r;
}

/* Everything that hangs on the repository goes with it; its jobs find it gone and end. */
static int drop_all(struct ecr_change *ch)
{
	static const char *const tables[] = { "ecr.image",  "ecr.text", "ecr.tag",   "ecr.use",
					      "ecr.parent", "ecr.ref",  "ecr.layer", "ecr.preview" };
	struct str key, value;
	int r = 0;

	for (size_t i = 0; i < ELEMENTS(tables) && r == 0; i++) {
		struct store_range range = { 0 };
		bool layers = strcmp(tables[i], "ecr.layer") == 0;
		struct ecr_rec_layer *v = NULL;
		size_t n = 0, cap = 0;
		struct keybuf prefix;

		ecr_key(&prefix, ch->repo, tables[i], STR_NONE, STR_NONE);
		r = store_range_open(&range, ch->txn, key_view(&prefix), STR_NONE, false);
		while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
			r = layers ? record_decode(&ecr_records, ECR_REC_LAYER, ch->arena, value, &vec_push(ch->arena, v, n, cap))
				   : store_del(ch->txn, key);
		}
		store_range_close(&range);
		for (size_t j = 0; j < n && r == 0; j++)
			r = ecr_layer_drop(ch, &v[j]);
	}
	return r;
}

ECR_HANDLER(delete_repository)
{
	struct ecr_rec_repository p;
	struct ecr_change ch = { .txn = c->txn, .arena = c->arena, .repo = &p };
	struct keybuf k;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	if (r < 0)
		return r;
	if (p.images.v && !in->force.v)
		return call_fail(
			c, &ecr_err_repository_not_empty,
			"The repository with name '%.*s' in registry with id '%.*s' cannot be deleted because it still contains images",
			STR(p.name), STR(p.account));
	r = drop_all(&ch);
	if (r < 0)
		return r;
	ecr_key_detach(c, &p);
	ecr_change_on_commit(c, &ch);
	out->repository = arena_new(c->arena, struct ecr_repository);
	describe(c, &p, out->repository);
	repo_key(&k, p.account, p.name);
	return store_del(c->txn, key_view(&k));
}
