/* SPDX-License-Identifier: Apache-2.0 */
/* lifecycle.c - lifecycle rules: checked, read back, and which objects they are due for. lifejob.c carries them out. */
#include "svc/s3/lifecycle.h"
#include <errno.h>

#define RULES_MAX 1000
#define NEWER_MAX 100

int64_t s3_due_ms(int64_t from_ms, int64_t days)
{
	return ((from_ms + days * S3_DAY_MS) / S3_DAY_MS + 1) * S3_DAY_MS; /* rounded to the next midnight UTC */
}

bool s3_rule_matches(const struct s3_rec_rule *u, struct str key, const struct s3_rec_object *o)
{
	if (!u->enabled.v || (u->prefix.p && !str_starts(key, u->prefix)))
		return false;
	if ((u->larger.has && o->size.v <= u->larger.v) || (u->smaller.has && o->size.v >= u->smaller.v))
		return false;
	for (size_t i = 0; i < u->tags.n; i++) {
		bool has = false;

		for (size_t j = 0; j < o->tags.n && !has; j++)
			has = str_eq(u->tags.v[i].key, o->tags.v[j].key) && str_eq(u->tags.v[i].value, o->tags.v[j].value);
		if (!has)
			return false;
	}
	return true;
}

int64_t s3_rule_expires(const struct s3_rec_rule *u, const struct s3_rec_object *o)
{
	if (u->expire_days.has)
		return s3_due_ms(o->modified.ms, u->expire_days.v);
	return u->expire_date.has ? u->expire_date.ms : INT64_MAX;
}

struct str s3_expiration(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o)
{
	const struct s3_rec_rule *first = NULL;
	int64_t at = INT64_MAX;

	for (size_t i = 0; i < b->lifecycle.n; i++) {
		const struct s3_rec_rule *u = &b->lifecycle.v[i];

		if (s3_rule_matches(u, key, o) && s3_rule_expires(u, o) < at) {
			at = s3_rule_expires(u, o);
			first = u;
		}
	}
	if (!first)
		return STR_NONE;
	return str_printf(c->arena, "expiry-date=\"%.*s\", rule-id=\"%.*s\"", STR(time_http(c->arena, at)),
			  STR(uri_encode(c->arena, first->id, false)));
}

/* --- configuration --- */
static int malformed(struct call *c)
{
	return call_fail(c, &s3_err_malformed_xml,
			 "The XML you provided was not well-formed or did not validate against our published schema");
}

static int invalid(struct call *c, const char *sentence)
{
	return call_fail(c, &s3_err_invalid_argument, "%s", sentence);
}

static int put_tags(struct call *c, const struct s3_tag *v, size_t n, struct s3_rec_rule *u)
{
	u->tags.v = arena_array(c->arena, struct s3_rec_tag, n + 1);
	u->tags.n = n;
	for (size_t i = 0; i < n; i++)
		u->tags.v[i] = (struct s3_rec_tag){ v[i].key, v[i].value };
	return 0;
}

/* Either the old Prefix, or a Filter of exactly one kind. */
static int take_filter(struct call *c, const struct s3_lifecycle_rule *x, struct s3_rec_rule *u)
{
	const struct s3_lifecycle_rule_filter *f = x->filter;
	int kinds;

	if (!f == !x->prefix.p)
		return malformed(c);
	if (!f) {
		u->prefix = x->prefix;
		u->old_prefix = OPT_BOOL(true);
		return 0;
	}
	kinds = (f->prefix.p != NULL) + (f->tag != NULL) + f->object_size_greater_than.has + f->object_size_less_than.has +
		(f->and != NULL);
	if (kinds > 1)
		return malformed(c);
	u->filter = kinds == 0 ? S("none") : f->prefix.p ? S("prefix") : f->tag ? S("tag") : f->and ? S("and") : S("size");
	u->prefix = f->and ? f->and->prefix : f->prefix;
	u->larger = f->and ? f->and->object_size_greater_than : f->object_size_greater_than;
	u->smaller = f->and ? f->and->object_size_less_than : f->object_size_less_than;
	if (f->and)
		return put_tags(c, f->and->tags.v, f->and->tags.n, u);
	return f->tag ? put_tags(c, f->tag, 1, u) : 0;
}

static int take_expiration(struct call *c, const struct s3_lifecycle_expiration *e, struct s3_rec_rule *u)
{
	if (!e)
		return 0;
	if (e->days.has + e->date.has + e->expired_object_delete_marker.has != 1)
		return malformed(c);
	if (e->days.has && e->days.v <= 0)
		return invalid(c, "'Days' for Expiration action must be a positive integer");
	if (e->date.has && e->date.ms % S3_DAY_MS)
		return invalid(c, "'Date' must be at midnight GMT");
	u->expire_days = e->days;
	u->expire_date = e->date;
	u->expire_marker = e->expired_object_delete_marker;
	return 0;
}

static int transition_days(struct call *c, struct str class, struct opt_int days)
{
	if (days.has && days.v < 0)
		return invalid(c, "'Days' for Transition action must be a positive integer");
	if (days.has && days.v < 30 && (str_is(class, "STANDARD_IA") || str_is(class, "ONEZONE_IA")))
		return call_fail(c, &s3_err_invalid_argument,
				 "'Days' in Transition action must be greater than or equal to 30 for storageClass '%.*s'", STR(class));
	return 0;
}

static int take_transitions(struct call *c, const struct s3_lifecycle_rule *x, struct s3_rec_rule *u)
{
	u->transitions.v = arena_array(c->arena, struct s3_rec_transition, x->transitions.n + 1);
	u->noncurrent_transitions.v = arena_array(c->arena, struct s3_rec_transition, x->noncurrent_version_transitions.n + 1);
	u->transitions.n = x->transitions.n;
	u->noncurrent_transitions.n = x->noncurrent_version_transitions.n;
	for (size_t i = 0; i < x->transitions.n; i++) {
		const struct s3_transition *t = &x->transitions.v[i];

		if (t->days.has == t->date.has || !t->storage_class.p)
			return malformed(c);
		if (transition_days(c, t->storage_class, t->days) < 0)
			return -ECANCELED;
		if (t->date.has && t->date.ms % S3_DAY_MS)
			return invalid(c, "'Date' must be at midnight GMT");
		if (t->days.has && u->expire_days.has && u->expire_days.v <= t->days.v)
			return call_fail(c, &s3_err_invalid_argument,
					 "'Days' in the Expiration action for filter '(prefix=%.*s)' must be greater than 'Days' in the "
					 "Transition action",
					 STR(u->prefix.p ? u->prefix : S("")));
		u->transitions.v[i] = (struct s3_rec_transition){ .days = t->days, .date = t->date, .storage_class = t->storage_class };
	}
	for (size_t i = 0; i < x->noncurrent_version_transitions.n; i++) {
		const struct s3_noncurrent_version_transition *t = &x->noncurrent_version_transitions.v[i];

		if (!t->noncurrent_days.has || !t->storage_class.p)
			return malformed(c);
		if (transition_days(c, t->storage_class, t->noncurrent_days) < 0)
			return -ECANCELED;
		u->noncurrent_transitions.v[i] = (struct s3_rec_transition){ .days = t->noncurrent_days,
									     .storage_class = t->storage_class,
									     .keep = t->newer_noncurrent_versions };
	}
	return 0;
}

static int take_rule(struct call *c, const struct s3_lifecycle_rule *x, struct s3_rec_rule *u)
{
	const struct s3_noncurrent_version_expiration *n = x->noncurrent_version_expiration;
	int r;

	*u = (struct s3_rec_rule){ .id = x->id.n ? x->id : random_uuid(c->arena), .enabled = OPT_BOOL(str_is(x->status, "Enabled")) };
	if (u->id.n > 255)
		return invalid(c, "ID length should not exceed allowed limit of 255");
	r = take_filter(c, x, u);
	if (r == 0)
		r = take_expiration(c, x->expiration, u);
	if (r == 0)
		r = take_transitions(c, x, u);
	if (r < 0)
		return r;
	if (n) {
		if (!n->noncurrent_days.has || n->noncurrent_days.v <= 0)
			return n->noncurrent_days.has
				       ? invalid(c, "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer")
				       : malformed(c);
		if (n->newer_noncurrent_versions.has && (n->newer_noncurrent_versions.v < 1 || n->newer_noncurrent_versions.v > NEWER_MAX))
			return invalid(c, "'NewerNoncurrentVersions' must be a positive integer up to 100");
		u->noncurrent_days = n->noncurrent_days;
		u->noncurrent_keep = n->newer_noncurrent_versions;
	}
	if (x->abort_incomplete_multipart_upload) {
		u->abort_days = x->abort_incomplete_multipart_upload->days_after_initiation;
		if (!u->abort_days.has)
			return malformed(c);
		if (u->abort_days.v <= 0)
			return invalid(c, "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer");
		if (u->tags.n)
			return call_fail(c, &s3_err_invalid_request, "AbortIncompleteMultipartUpload cannot be specified with Tags.");
	}
	if (!x->expiration && !n && !x->abort_incomplete_multipart_upload && !u->transitions.n && !u->noncurrent_transitions.n)
		return call_fail(c, &s3_err_invalid_request, "At least one action needs to be specified in a rule");
	return 0;
}

static void wake(struct cloud *cl, struct region *r, void *arg)
{
	cloud_jobs_wake(cl);
}

S3_HANDLER(put_bucket_lifecycle_configuration, output)
{
	const struct s3_lifecycle_rule_list *rules = in->lifecycle_configuration ? &in->lifecycle_configuration->rules : NULL;
	struct s3_rec_bucket *b;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	if (!rules || !rules->n || rules->n > RULES_MAX)
		return malformed(c);
	b->lifecycle.v = arena_array(c->arena, struct s3_rec_rule, rules->n);
	b->lifecycle.n = rules->n;
	for (size_t i = 0; i < rules->n; i++) {
		r = take_rule(c, &rules->v[i], &b->lifecycle.v[i]);
		if (r < 0)
			return r;
		for (size_t j = 0; j < i; j++)
			if (str_eq(b->lifecycle.v[j].id, b->lifecycle.v[i].id))
				return invalid(c, "Rule ID must be unique. Found same ID for more than one rule");
	}
	b->transition_minimum = in->transition_default_minimum_object_size.p ? in->transition_default_minimum_object_size
									     : S("all_storage_classes_128K");
	out->transition_default_minimum_object_size = b->transition_minimum;
	r = s3_bucket_put(c->txn, b);
	if (r == 0)
		r = job_put(c->txn, c->now_ms, S3_JOB_LIFECYCLE, b->name, S(""));
	call_on_commit(c, wake, NULL);
	return r;
}

S3_HANDLER(delete_bucket_lifecycle, response)
{
	struct s3_rec_bucket *b;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	b->lifecycle = (struct s3_rec_rule_list){ 0 };
	c->status = 204;
	r = job_del(c->txn, S3_JOB_LIFECYCLE, b->name);
	return r < 0 && r != -ENOENT ? r : s3_bucket_put(c->txn, b);
}

static struct s3_lifecycle_rule_filter *filter_out(struct arena *a, const struct s3_rec_rule *u)
{
	struct s3_lifecycle_rule_filter *f = arena_new(a, struct s3_lifecycle_rule_filter);

	if (str_is(u->filter, "and")) {
		f->and = arena_new(a, struct s3_lifecycle_rule_and_operator);
		f->and->prefix = u->prefix;
		f->and->object_size_greater_than = u->larger;
		f->and->object_size_less_than = u->smaller;
		if (u->tags.n)
			f->and->tags = s3_tags_out(a, &u->tags);
		return f;
	}
	f->prefix = u->prefix;
	f->object_size_greater_than = u->larger;
	f->object_size_less_than = u->smaller;
	if (u->tags.n)
		f->tag = s3_tags_out(a, &u->tags).v;
	return f;
}

static void rule_out(struct arena *a, const struct s3_rec_rule *u, struct s3_lifecycle_rule *x)
{
	*x = (struct s3_lifecycle_rule){ .id = u->id, .status = u->enabled.v ? S("Enabled") : S("Disabled") };
	if (u->old_prefix.v)
		x->prefix = u->prefix.p ? u->prefix : S("");
	else
		x->filter = filter_out(a, u);
	if (u->expire_days.has || u->expire_date.has || u->expire_marker.has) {
		x->expiration = arena_new(a, struct s3_lifecycle_expiration);
		*x->expiration = (struct s3_lifecycle_expiration){ u->expire_date, u->expire_days, u->expire_marker };
	}
	if (u->noncurrent_days.has) {
		x->noncurrent_version_expiration = arena_new(a, struct s3_noncurrent_version_expiration);
		*x->noncurrent_version_expiration = (struct s3_noncurrent_version_expiration){ u->noncurrent_days, u->noncurrent_keep };
	}
	if (u->abort_days.has) {
		x->abort_incomplete_multipart_upload = arena_new(a, struct s3_abort_incomplete_multipart_upload);
		x->abort_incomplete_multipart_upload->days_after_initiation = u->abort_days;
	}
	if (u->transitions.n) {
		x->transitions.v = arena_array(a, struct s3_transition, u->transitions.n);
		x->transitions.n = u->transitions.n;
	}
	for (size_t i = 0; i < u->transitions.n; i++)
		x->transitions.v[i] = (struct s3_transition){ u->transitions.v[i].date, u->transitions.v[i].days,
							      u->transitions.v[i].storage_class };
	if (u->noncurrent_transitions.n) {
		x->noncurrent_version_transitions.v = arena_array(a, struct s3_noncurrent_version_transition, u->noncurrent_transitions.n);
		x->noncurrent_version_transitions.n = u->noncurrent_transitions.n;
	}
	for (size_t i = 0; i < u->noncurrent_transitions.n; i++)
		x->noncurrent_version_transitions.v[i] = (struct s3_noncurrent_version_transition){
			u->noncurrent_transitions.v[i].days, u->noncurrent_transitions.v[i].storage_class,
			u->noncurrent_transitions.v[i].keep
		};
}

S3_HANDLER(get_bucket_lifecycle_configuration, output)
{
	struct s3_rec_bucket *b;
	int r = s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	if (!b->lifecycle.n) {
		call_extra(c, "BucketName", b->name);
		return call_fail(c, &s3_err_no_such_lifecycle_configuration, "The lifecycle configuration does not exist");
	}
	out->rules.v = arena_array(c->arena, struct s3_lifecycle_rule, b->lifecycle.n);
	out->rules.n = b->lifecycle.n;
	for (size_t i = 0; i < b->lifecycle.n; i++)
		rule_out(c->arena, &b->lifecycle.v[i], &out->rules.v[i]);
	out->transition_default_minimum_object_size = b->transition_minimum;
	return 0;
}
