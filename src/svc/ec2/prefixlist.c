/* SPDX-License-Identifier: Apache-2.0 */
/* prefixlist.c - customer-managed prefix lists.
 *
 * Every change of entries makes a version, and all versions are kept ("ec2.plversion": list, version). Security groups and
 * route tables that use a list are in "ec2.plref"; for their quotas a list counts as its MaxEntries. AWS's own lists
 * (endpointsvc.c) are shown beside them and can't be changed. Source: "Group CIDR blocks using managed prefix lists". */
#include "svc/ec2/ec2_int.h"
#include <errno.h>

/* Quotas. Source: "Amazon VPC quotas". */
#define LISTS_MAX 100
#define ENTRIES_MAX 1000
#define CHANGES_MAX 100 /* entries added and removed in one request */
#define AWS_LIST_WEIGHT 1
#define NAME_CHARS_MAX 255
#define ENTRIES_PAGE 100

static bool is_aws(struct call *c, struct str id, struct ec2_aws_list *ret)
{
	struct ec2_aws_list all[8];
	size_t n = ec2_aws_lists(c, all);

	for (size_t i = 0; i < n; i++)
		if (str_eq(all[i].id, id)) {
			*ret = all[i];
			return true;
		}
	return false;
}

int ec2_prefix_list_find(struct call *c, struct str id, int64_t *ret_max)
{
	struct ec2_rec_prefix_list l;
	struct ec2_aws_list aws;
	int r;

	*ret_max = AWS_LIST_WEIGHT;
	if (is_aws(c, id, &aws))
		return 0;
	r = ec2_load(c, EC2_PREFIX_LIST, id, &l);
	if (r == 0)
		*ret_max = l.max.v;
	return r;
}

int ec2_prefix_list_use(struct call *c, struct str id, struct str user, bool add)
{
	return add ? ec2_map_put(c, "ec2.plref", id, user, S("1")) : ec2_map_del(c, "ec2.plref", id, user);
}

/* A list that may be changed: the customer's own. */
static int load_own(struct call *c, struct str id, struct ec2_rec_prefix_list *ret)
{
	struct ec2_aws_list aws;

	if (is_aws(c, id, &aws))
		return call_fail(c, &ec2_err_operation_not_permitted, "The prefix list '%.*s' is managed by AWS and can't be changed.",
				 STR(id));
	return ec2_load(c, EC2_PREFIX_LIST, id, ret);
}

static void list_out(struct call *c, const struct ec2_rec_prefix_list *l, struct ec2_managed_prefix_list *ret)
{
	*ret = (struct ec2_managed_prefix_list){ .prefix_list_id = l->id,
						 .address_family = l->family,
						 .state = l->state,
						 .prefix_list_arn = ec2_arn(c, EC2_PREFIX_LIST, l->id),
						 .prefix_list_name = l->name,
						 .max_entries = l->max,
						 .version = l->version,
						 .owner_id = c->account };
	ec2_tags_out(c, &l->tags, &ret->tags);
}

static struct ec2_managed_prefix_list *answer(struct call *c, const struct ec2_rec_prefix_list *l, const char *state)
{
	struct ec2_managed_prefix_list *m = arena_new(c->arena, struct ec2_managed_prefix_list);

	list_out(c, l, m);
	m->state = str_c(state);
	return m;
}

/* --- versions --- */
static void version_key(struct call *c, struct keybuf *k, struct str id, int64_t version)
{
	key_begin(k, c->account, "ec2.plversion");
	key_str(k, id);
	key_u64(k, (uint64_t)version);
}

static int version_put(struct call *c, const struct ec2_rec_prefix_list *l)
{
	struct ec2_rec_prefix_version v = { .entries = l->entries };
	struct keybuf k;

	version_key(c, &k, l->id, l->version.v);
	return record_put(c->txn, &ec2_records, EC2_REC_PREFIX_VERSION, &k, &v);
}

static int version_get(struct call *c, const struct ec2_rec_prefix_list *l, int64_t version, struct ec2_rec_prefix_entry_list *ret)
{
	struct ec2_rec_prefix_version v = { 0 };
	struct keybuf k;
	int r;

	version_key(c, &k, l->id, version);
	r = record_get(c->txn, &ec2_records, EC2_REC_PREFIX_VERSION, c->arena, &k, &v);
	*ret = v.entries;
	return r == -ENOENT ? call_fail(c, &aws_err_invalid_parameter_value, "The prefix list '%.*s' has no version %lld.", STR(l->id),
					(long long)version)
			    : r;
}

/* --- entries --- */
static int read_cidr(struct call *c, const struct ec2_rec_prefix_list *l, struct str text, struct str *ret)
{
	struct cidr4 four;
	struct cidr6 six;

	if (str_is(l->family, "IPv4") ? cidr4_parse(text, &four) < 0 : cidr6_parse(text, &six) < 0)
		return call_fail(c, &aws_err_invalid_parameter_value, "The CIDR (%.*s) is invalid for the %.*s address family.", STR(text),
				 STR(l->family));
	*ret = str_is(l->family, "IPv4") ? cidr4_text(c->arena, four) : cidr6_text(c->arena, &six);
	return 0;
}

static ptrdiff_t entry_of(const struct ec2_rec_prefix_list *l, struct str cidr)
{
	for (size_t i = 0; i < l->entries.n; i++)
		if (str_eq(l->entries.v[i].cidr, cidr))
			return (ptrdiff_t)i;
	return -1;
}

/* Entries that are there already get their new description. */
static int add_entries(struct call *c, struct ec2_rec_prefix_list *l, const struct ec2_add_prefix_list_entry_list *add)
{
	struct ec2_rec_prefix_entry_list now = { arena_array(c->arena, struct ec2_rec_prefix_entry, l->entries.n + add->n + 1),
						 l->entries.n };
	ptrdiff_t at;
	int r = 0;

	for (size_t i = 0; i < now.n; i++)
		now.v[i] = l->entries.v[i];
	l->entries = now;
	for (size_t i = 0; i < add->n && r == 0; i++) {
		struct ec2_rec_prefix_entry e = { .description = add->v[i].description };

		if (e.description.n > NAME_CHARS_MAX)
			return call_fail(c, &aws_err_invalid_parameter_value, "The description is longer than %d characters",
					 NAME_CHARS_MAX);
		r = read_cidr(c, l, add->v[i].cidr, &e.cidr);
		at = r == 0 ? entry_of(l, e.cidr) : 0;
		if (r == 0)
			l->entries.v[at >= 0 ? (size_t)at : l->entries.n++] = e;
	}
	return r;
}

static int remove_entries(struct call *c, struct ec2_rec_prefix_list *l, const struct ec2_remove_prefix_list_entry_list *remove)
{
	struct ec2_rec_prefix_entry_list left = { arena_array(c->arena, struct ec2_rec_prefix_entry, l->entries.n + 1), 0 };
	struct str_list gone = { 0 };
	struct str cidr;
	int r = 0;

	for (size_t i = 0; i < remove->n && r == 0; i++) {
		r = read_cidr(c, l, remove->v[i].cidr, &cidr);
		if (r == 0 && entry_of(l, cidr) < 0)
			return call_fail(c, &aws_err_invalid_parameter_value, "The prefix list '%.*s' has no entry '%.*s'.", STR(l->id),
					 STR(cidr));
		gone = ec2_ids_with(c, &gone, cidr);
	}
	for (size_t i = 0; i < l->entries.n; i++)
		if (!str_list_has(&gone, l->entries.v[i].cidr))
			left.v[left.n++] = l->entries.v[i];
	l->entries = left;
	return r;
}

static int fits(struct call *c, const struct ec2_rec_prefix_list *l)
{
	return (int64_t)l->entries.n > l->max.v
		       ? call_fail(c, &ec2_err_prefix_list_max_entries_exceeded,
				   "The prefix list can have at most %lld entries, but would have %zu.", (long long)l->max.v, l->entries.n)
		       : 0;
}

static int name_check(struct call *c, struct str name)
{
	if (name.n == 0 || name.n > NAME_CHARS_MAX || str_starts(name, S("com.amazonaws")))
		return call_fail(c, &aws_err_invalid_parameter_value, "The prefix list name '%.*s' is invalid.", STR(name));
	return 0;
}

static int max_check(struct call *c, int64_t max)
{
	return max < 1 || max > ENTRIES_MAX ? call_fail(c, &aws_err_invalid_parameter_value,
							"The maximum number of entries must be between 1 and %d.", ENTRIES_MAX)
					    : 0;
}

/* --- creating, deleting --- */
static int make(struct call *c, const struct ec2_create_managed_prefix_list_request *in, struct ec2_rec_prefix_list *l)
{
	int64_t n;
	int r;

	if (!str_is(in->address_family, "IPv4") && !str_is(in->address_family, "IPv6"))
		return call_fail(c, &aws_err_invalid_parameter_value, "The address family '%.*s' is invalid. Valid values: IPv4 | IPv6",
				 STR(in->address_family));
	*l = (struct ec2_rec_prefix_list){ .name = in->prefix_list_name,
					   .family = in->address_family,
					   .max = in->max_entries,
					   .version = OPT_INT(1),
					   .state = S("create-complete"),
					   .created = OPT_TIME(c->now_ms) };
	r = name_check(c, l->name);
	if (r == 0)
		r = max_check(c, l->max.v);
	if (r == 0 && in->entries.n > CHANGES_MAX)
		return call_fail(c, &aws_err_invalid_parameter_value, "At most %d entries can be given in one request.", CHANGES_MAX);
	if (r == 0)
		r = ec2_tags_take(c, &in->tag_specifications, "prefix-list", &l->tags);
	if (r == 0)
		r = ec2_count(c, EC2_PREFIX_LIST, S(""), &n);
	if (r == 0 && n >= LISTS_MAX)
		return call_fail(c, &ec2_err_operation_not_permitted, "The maximum number of prefix lists has been reached.");
	if (r == 0)
		r = add_entries(c, l, &in->entries);
	if (r == 0)
		r = fits(c, l);
	l->id = ec2_new_id(c, "pl");
	if (r == 0)
		r = ec2_insert(c, EC2_PREFIX_LIST, l);
	return r < 0 ? r : version_put(c, l);
}

EC2_HANDLER(create_managed_prefix_list)
{
	struct ec2_rec_prefix_list l;
	struct str id;
	int r = in->client_token.p ? ec2_map_get(c, "ec2.token", S("CreateManagedPrefixList"), in->client_token, &id) : -ENOENT;

	if (r == 0)
		r = ec2_read(c, EC2_PREFIX_LIST, id, &l);
	if (r == 0 && !str_eq(l.name, in->prefix_list_name))
		return call_fail(c, &ec2_err_idempotent_parameter_mismatch, "The client token '%.*s' was used with other parameters",
				 STR(in->client_token));
	if (r == -ENOENT) {
		r = make(c, in, &l);
		if (r == 0 && in->client_token.p)
			r = ec2_map_put(c, "ec2.token", S("CreateManagedPrefixList"), in->client_token, l.id);
	}
	if (r < 0)
		return r;
	out->prefix_list = answer(c, &l, "create-in-progress");
	return ec2_end(c, in->dry_run);
}

EC2_HANDLER(delete_managed_prefix_list)
{
	struct ec2_rec_prefix_list l;
	struct str_list users;
	struct keybuf k;
	int r = load_own(c, in->prefix_list_id, &l);

	if (r == 0)
		r = ec2_map_list(c, "ec2.plref", l.id, &users);
	if (r == 0 && users.n)
		return call_fail(c, &ec2_err_dependency_violation, "The prefix list '%.*s' has dependencies and cannot be deleted.",
				 STR(l.id));
	for (int64_t v = 1; v <= l.version.v && r == 0; v++) {
		version_key(c, &k, l.id, v);
		r = store_del(c->txn, key_view(&k));
	}
	if (r == 0)
		r = ec2_remove(c, EC2_PREFIX_LIST, &l);
	if (r < 0)
		return r;
	out->prefix_list = answer(c, &l, "delete-in-progress");
	return ec2_end(c, in->dry_run);
}

/* --- changing --- */
static int current(struct call *c, const struct ec2_rec_prefix_list *l, struct opt_int claimed)
{
	if (!claimed.has)
		return call_fail(c, &aws_err_missing_parameter, "The request must contain the parameter CurrentVersion");
	return claimed.v == l->version.v
		       ? 0
		       : call_fail(c, &ec2_err_prefix_list_version_mismatch, "The prefix list has the incorrect version number: it is %lld",
				   (long long)l->version.v);
}

static int change_entries(struct call *c, const struct ec2_modify_managed_prefix_list_request *in, struct ec2_rec_prefix_list *l)
{
	int r = current(c, l, in->current_version);

	if (r == 0 && in->add_entries.n + in->remove_entries.n > CHANGES_MAX)
		return call_fail(c, &aws_err_invalid_parameter_value, "At most %d entries can be changed in one request.", CHANGES_MAX);
	for (size_t i = 0; i < in->add_entries.n; i++)
		for (size_t j = 0; j < in->remove_entries.n; j++)
			if (str_eq(in->add_entries.v[i].cidr, in->remove_entries.v[j].cidr))
				return call_fail(c, &aws_err_invalid_parameter_value,
						 "The entry '%.*s' can't be added and removed in one request.",
						 STR(in->add_entries.v[i].cidr));
	if (r == 0)
		r = remove_entries(c, l, &in->remove_entries);
	if (r == 0)
		r = add_entries(c, l, &in->add_entries);
	if (r == 0)
		r = fits(c, l);
	l->version.v++;
	return r < 0 ? r : version_put(c, l);
}

EC2_HANDLER(modify_managed_prefix_list)
{
	struct ec2_rec_prefix_list l;
	bool entries = in->add_entries.n || in->remove_entries.n;
	int r = load_own(c, in->prefix_list_id, &l);

	if (r < 0)
		return r;
	if (in->ipam_prefix_list_resolver_sync_enabled.v)
		return ec2_not_built(c, "IPAM");
	if (in->max_entries.has && entries)
		return call_fail(c, &ec2_err_invalid_parameter_combination, "The size and the entries can't be modified in one request.");
	if (in->prefix_list_name.p) {
		r = name_check(c, in->prefix_list_name);
		l.name = in->prefix_list_name;
	}
	if (r == 0 && in->max_entries.has) {
		l.max = in->max_entries;
		r = max_check(c, l.max.v);
		if (r == 0)
			r = fits(c, &l);
	}
	if (r == 0 && entries)
		r = change_entries(c, in, &l);
	l.state = S("modify-complete");
	if (r == 0)
		r = ec2_store(c, EC2_PREFIX_LIST, &l);
	if (r < 0)
		return r;
	out->prefix_list = answer(c, &l, "modify-in-progress");
	return ec2_end(c, in->dry_run);
}

EC2_HANDLER(restore_managed_prefix_list_version)
{
	struct ec2_rec_prefix_list l;
	int r = load_own(c, in->prefix_list_id, &l);

	if (r == 0)
		r = current(c, &l, in->current_version);
	if (r == 0)
		r = version_get(c, &l, in->previous_version.v, &l.entries);
	if (r == 0)
		r = fits(c, &l);
	l.version.v++;
	l.state = S("restore-complete");
	if (r == 0)
		r = version_put(c, &l);
	if (r == 0)
		r = ec2_store(c, EC2_PREFIX_LIST, &l);
	if (r < 0)
		return r;
	out->prefix_list = answer(c, &l, "restore-in-progress");
	return ec2_end(c, in->dry_run);
}

/* --- describing --- */
static const struct ec2_field list_fields[] = {
	{ "owner-id", EC2_OWNER },
	{ "prefix-list-id", EC2_ID, offsetof(struct ec2_rec_prefix_list, id) },
	EC2_FIELD_STR("prefix-list-name", struct ec2_rec_prefix_list, name),
	{ 0 },
};
static const struct ec2_field aws_fields[] = {
	{ "owner-id", EC2_CONST, .constant = "AWS" },
	EC2_FIELD_STR("prefix-list-id", struct ec2_aws_list, id),
	EC2_FIELD_STR("prefix-list-name", struct ec2_aws_list, name),
	{ 0 },
};

struct list_page {
	struct ec2_describe_managed_prefix_lists_result *out;
	size_t cap;
};

static int emit_list(struct call *c, const void *rec, void *arg)
{
	struct list_page *p = arg;

	list_out(c, rec, &vec_push(c->arena, p->out->prefix_lists.v, p->out->prefix_lists.n, p->cap));
	return 0;
}

static void emit_aws(struct call *c, const struct ec2_aws_list *l, struct list_page *p)
{
	struct ec2_managed_prefix_list *m = &vec_push(c->arena, p->out->prefix_lists.v, p->out->prefix_lists.n, p->cap);

	*m = (struct ec2_managed_prefix_list){ .prefix_list_id = l->id,
					       .prefix_list_name = l->name,
					       .address_family = S("IPv4"),
					       .state = S("create-complete"),
					       .owner_id = S("AWS") };
	m->prefix_list_arn = str_printf(c->arena, "arn:%.*s:ec2:%.*s:aws:prefix-list/%.*s", STR(region_partition(call_region(c))),
					STR(call_region(c)), STR(l->id));
	EC2_EMPTY(c, m->tags);
}

/* AWS's come first, on the first page. */
EC2_HANDLER(describe_managed_prefix_lists)
{
	struct str_list own = { 0 };
	struct ec2_query q = { &in->filters, &own, in->next_token, in->max_results };
	struct list_page page = { out, 0 };
	struct ec2_aws_list all[8], aws;
	size_t n = in->next_token.p ? 0 : ec2_aws_lists(c, all);
	int r = ec2_filters_check(c, aws_fields, &in->filters, true);
	struct str_map none = { 0 };

	for (size_t i = 0; i < in->prefix_list_ids.n; i++)
		if (!is_aws(c, in->prefix_list_ids.v[i], &aws))
			own = ec2_ids_with(c, &own, in->prefix_list_ids.v[i]);
	for (size_t i = 0; i < n && r == 0; i++)
		if ((!in->prefix_list_ids.n || str_list_has(&in->prefix_list_ids, all[i].id)) &&
		    ec2_filters_match(c, aws_fields, &none, &in->filters, &all[i]))
			emit_aws(c, &all[i], &page);
	if (r == 0 && (own.n || !in->prefix_list_ids.n))
		r = ec2_list(c, EC2_PREFIX_LIST, list_fields, &q, emit_list, &page, &out->next_token);
	EC2_EMPTY(c, out->prefix_lists);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}

static int aws_entries(struct call *c, struct str id, struct ec2_prefix_list_entry_list *ret, int *found)
{
	struct ec2_aws_list l;
	size_t cap = 0;

	*found = is_aws(c, id, &l);
	if (*found)
		vec_push(c->arena, ret->v, ret->n, cap) = (struct ec2_prefix_list_entry){ .cidr = l.cidr };
	return 0;
}

/* A page's token is the number of the first entry of the next one. */
EC2_HANDLER(get_managed_prefix_list_entries)
{
	size_t limit = in->max_results.has ? (size_t)in->max_results.v : ENTRIES_PAGE, cap = 0;
	struct ec2_rec_prefix_entry_list l = { 0 };
	struct ec2_rec_prefix_list rec;
	struct str from;
	uint64_t first = 0;
	int r, found;

	r = aws_entries(c, in->prefix_list_id, &out->entries, &found);
	if (found || r < 0)
		return r < 0 ? r : ec2_end(c, in->dry_run);
	if (in->next_token.p && (page_parse(c, in->next_token, &from) < 0 || str_to_u64(from, &first) < 0))
		return call_fail(c, &ec2_err_invalid_next_token, "The token '%.*s' is invalid", STR(in->next_token));
	r = ec2_load(c, EC2_PREFIX_LIST, in->prefix_list_id, &rec);
	if (r == 0)
		r = version_get(c, &rec, in->target_version.has ? in->target_version.v : rec.version.v, &l);
	if (r < 0)
		return r;
	for (size_t i = (size_t)first; i < l.n; i++) {
		if (out->entries.n == limit) {
			out->next_token = page_token(c, str_printf(c->arena, "%zu", i));
			break;
		}
		vec_push(c->arena, out->entries.v, out->entries.n,
			 cap) = (struct ec2_prefix_list_entry){ .cidr = l.v[i].cidr, .description = l.v[i].description };
	}
	EC2_EMPTY(c, out->entries);
	return ec2_end(c, in->dry_run);
}

EC2_HANDLER(get_managed_prefix_list_associations)
{
	struct ec2_rec_prefix_list l;
	struct str_list users;
	size_t limit = in->max_results.has ? (size_t)in->max_results.v : ENTRIES_PAGE, cap = 0;
	struct str from = STR_NONE;
	int r = load_own(c, in->prefix_list_id, &l);

	if (r == 0 && in->next_token.p && page_parse(c, in->next_token, &from) < 0)
		return call_fail(c, &ec2_err_invalid_next_token, "The token '%.*s' is invalid", STR(in->next_token));
	if (r == 0)
		r = ec2_map_list(c, "ec2.plref", l.id, &users);
	for (size_t i = 0; i < users.n && r == 0; i++) {
		if (from.p && str_cmp(users.v[i], from) <= 0)
			continue;
		if (out->prefix_list_associations.n == limit) {
			out->next_token = page_token(c, out->prefix_list_associations.v[limit - 1].resource_id);
			break;
		}
		vec_push(c->arena, out->prefix_list_associations.v, out->prefix_list_associations.n,
			 cap) = (struct ec2_prefix_list_association){ .resource_id = users.v[i], .resource_owner = c->account };
	}
	EC2_EMPTY(c, out->prefix_list_associations);
	return r < 0 ? r : ec2_end(c, in->dry_run);
}
