/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - how a bucket is configured: versioning, encryption, ownership, public access, tags, CORS; and what AWS answers
 * for configurations that this cloud does not act on: an unconfigured bucket's answer, and only "off" is taken. */
#include "svc/s3/s3_int.h"
#include <errno.h>

#define CORS_RULES_MAX 100

static int load(struct call *c, struct str bucket, struct str owner, struct s3_rec_bucket **b)
{
	return s3_bucket_load(c, bucket, owner, b);
}

static int none(struct call *c, const struct s3_rec_bucket *b, const struct desc_error *e, const char *sentence)
{
	call_extra(c, "BucketName", b->name);
	return call_fail(c, e, "%s", sentence);
}

static int malformed(struct call *c)
{
	return call_fail(c, &s3_err_malformed_xml,
			 "The XML you provided was not well-formed or did not validate against our published schema");
}

static int store(struct call *c, const struct s3_rec_bucket *b)
{
	return s3_bucket_put(c->txn, b);
}

/* --- versioning --- */
S3_HANDLER(get_bucket_versioning, output)
{
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0)
		out->status = b->versioning;
	return r;
}

S3_HANDLER(put_bucket_versioning, response)
{
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	if (!in->versioning_configuration->status.p)
		return call_fail(c, &s3_err_illegal_versioning_configuration_exception, "The Versioning element must be specified");
	if (str_is(in->versioning_configuration->mfa_delete, "Enabled") || in->mfa.p)
		return call_fail(c, &s3_err_not_implemented, "MFA delete is not implemented by this cloud.");
	b->versioning = in->versioning_configuration->status;
	return store(c, b);
}

/* --- encryption --- */
S3_HANDLER(get_bucket_encryption, output)
{
	struct s3_server_side_encryption_by_default *d = arena_new(c->arena, struct s3_server_side_encryption_by_default);
	struct s3_server_side_encryption_rule *rule = arena_new(c->arena, struct s3_server_side_encryption_rule);
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	d->sse_algorithm = b->sse.p ? b->sse : S("AES256");
	d->kms_master_key_id = b->kms_key;
	rule->apply_server_side_encryption_by_default = d;
	rule->bucket_key_enabled = OPT_BOOL(b->bucket_key.v);
	if (b->blocked_types.n) {
		rule->blocked_encryption_types = arena_new(c->arena, struct s3_blocked_encryption_types);
		rule->blocked_encryption_types->encryption_type = b->blocked_types;
	}
	out->server_side_encryption_configuration = arena_new(c->arena, struct s3_server_side_encryption_configuration);
	out->server_side_encryption_configuration->rules.v = rule;
	out->server_side_encryption_configuration->rules.n = 1;
	return 0;
}

S3_HANDLER(put_bucket_encryption, response)
{
	const struct s3_server_side_encryption_configuration *conf = in->server_side_encryption_configuration;
	const struct s3_server_side_encryption_by_default *d;
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	if (conf->rules.n != 1)
		return malformed(c);
	d = conf->rules.v[0].apply_server_side_encryption_by_default;
	if (d && !str_is(d->sse_algorithm, "AES256") && !str_is(d->sse_algorithm, "aws:kms"))
		return call_fail(c, &s3_err_not_implemented, "The server-side encryption %.*s is not implemented by this cloud.",
				 STR(d->sse_algorithm));
	if (d && d->kms_master_key_id.p && str_is(d->sse_algorithm, "AES256"))
		return call_fail(c, &s3_err_invalid_argument,
				 "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse");
	b->sse = d ? d->sse_algorithm : S("AES256");
	b->kms_key = d && d->kms_master_key_id.n ? d->kms_master_key_id : STR_NONE;
	b->bucket_key = OPT_BOOL(conf->rules.v[0].bucket_key_enabled.v);
	b->blocked_types = (struct str_list){ 0 };
	if (conf->rules.v[0].blocked_encryption_types)
		b->blocked_types = conf->rules.v[0].blocked_encryption_types->encryption_type;
	return store(c, b);
}

S3_HANDLER(delete_bucket_encryption, response)
{
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	b->sse = b->kms_key = STR_NONE; /* SSE-S3 stays: there is no unencrypted bucket */
	b->bucket_key = (struct opt_bool){ 0 };
	c->status = 204;
	return store(c, b);
}

/* --- public access block --- */
S3_HANDLER(get_public_access_block, output)
{
	struct s3_public_access_block_configuration *p = arena_new(c->arena, struct s3_public_access_block_configuration);
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	if (b->no_public_block.v)
		return none(c, b, &s3_err_no_such_public_access_block_configuration, "The public access block configuration was not found");
	p->block_public_acls = OPT_BOOL(b->block_public_acls.v);
	p->ignore_public_acls = OPT_BOOL(b->ignore_public_acls.v);
	p->block_public_policy = OPT_BOOL(b->block_public_policy.v);
	p->restrict_public_buckets = OPT_BOOL(b->restrict_public_buckets.v);
	out->public_access_block_configuration = p;
	return 0;
}

static int set_block(struct call *c, struct s3_rec_bucket *b, const struct s3_public_access_block_configuration *p)
{
	b->no_public_block = OPT_BOOL(!p);
	b->block_public_acls = OPT_BOOL(p && p->block_public_acls.v);
	b->ignore_public_acls = OPT_BOOL(p && p->ignore_public_acls.v);
	b->block_public_policy = OPT_BOOL(p && p->block_public_policy.v);
	b->restrict_public_buckets = OPT_BOOL(p && p->restrict_public_buckets.v);
	return store(c, b);
}

S3_HANDLER(put_public_access_block, response)
{
	const struct s3_public_access_block_configuration *p = in->public_access_block_configuration;
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	if (!p->block_public_acls.has && !p->ignore_public_acls.has && !p->block_public_policy.has && !p->restrict_public_buckets.has)
		return call_fail(c, &s3_err_invalid_request, "Must specify at least one configuration.");
	return set_block(c, b, p);
}

S3_HANDLER(delete_public_access_block, response)
{
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	c->status = 204;
	return r < 0 ? r : set_block(c, b, NULL);
}

/* --- ownership --- */
S3_HANDLER(get_bucket_ownership_controls, output)
{
	struct s3_ownership_controls_rule *rule = arena_new(c->arena, struct s3_ownership_controls_rule);
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	if (!b->ownership.p || !b->ownership.n || str_is(b->ownership, "-"))
		return none(c, b, &s3_err_ownership_controls_not_found_error, "The bucket ownership controls were not found");
	rule->object_ownership = b->ownership;
	out->ownership_controls = arena_new(c->arena, struct s3_ownership_controls);
	out->ownership_controls->rules.v = rule;
	out->ownership_controls->rules.n = 1;
	return 0;
}

S3_HANDLER(put_bucket_ownership_controls, response)
{
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	if (in->ownership_controls->rules.n != 1)
		return malformed(c);
	if (str_is(in->ownership_controls->rules.v[0].object_ownership, "BucketOwnerEnforced") && b->acl.n)
		return call_fail(c, &s3_err_invalid_bucket_acl_with_object_ownership,
				 "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting");
	b->ownership = in->ownership_controls->rules.v[0].object_ownership;
	return store(c, b);
}

/* Without controls ACLs count, and objects belong to who writes them: what buckets were before there were controls. */
S3_HANDLER(delete_bucket_ownership_controls, response)
{
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	b->ownership = S("-");
	c->status = 204;
	return store(c, b);
}

/* --- tags --- */
S3_HANDLER(get_bucket_tagging, output)
{
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	if (!b->tags.n)
		return none(c, b, &s3_err_no_such_tag_set, "The TagSet does not exist");
	out->tag_set = s3_tags_out(c->arena, &b->tags);
	return 0;
}

/* Tags that a stack gave its bucket stay when its user sets tags; sending them along unchanged is fine. */
static void keep_system_tags(struct call *c, const struct s3_rec_tag_list *old, struct s3_tag_list *now, struct s3_rec_tag_list *ret)
{
	size_t n = 0, cap = 0;

	for (size_t i = 0; i < old->n; i++)
		if (str_starts(old->v[i].key, S("aws:")))
			vec_push(c->arena, ret->v, ret->n, cap) = old->v[i];
	for (size_t i = 0; i < now->n; i++) {
		bool same = false;

		for (size_t j = 0; j < ret->n; j++)
			same |= str_eq(ret->v[j].key, now->v[i].key) && str_eq(ret->v[j].value, now->v[i].value);
		if (!same)
			now->v[n++] = now->v[i];
	}
	now->n = n;
}

S3_HANDLER(put_bucket_tagging, response)
{
	struct s3_tag_list now = { arena_dup(c->arena, in->tagging->tag_set.v, in->tagging->tag_set.n * sizeof *now.v),
				   in->tagging->tag_set.n };
	struct s3_rec_tag_list system = { 0 };
	struct s3_rec_bucket *b;
	struct s3_rec_tag *all;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0 && !c->facts.invoked_by.p)
		keep_system_tags(c, &b->tags, &now, &system);
	if (r == 0)
		r = s3_tags_check(c, &now, S3_TAGS_MAX, false, &b->tags);
	if (r < 0)
		return r;
	if (system.n) {
		all = arena_array(c->arena, struct s3_rec_tag, b->tags.n + system.n);
		memcpy(all, b->tags.v, b->tags.n * sizeof *all);
		memcpy(all + b->tags.n, system.v, system.n * sizeof *all);
		b->tags = (struct s3_rec_tag_list){ all, b->tags.n + system.n };
	}
	c->status = 204;
	return store(c, b);
}

S3_HANDLER(delete_bucket_tagging, response)
{
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	if (c->facts.invoked_by.p) {
		b->tags = (struct s3_rec_tag_list){ 0 };
	} else {
		struct s3_rec_tag_list system = { 0 };

		keep_system_tags(c, &b->tags, &(struct s3_tag_list){ 0 }, &system);
		b->tags = system;
	}
	c->status = 204;
	return store(c, b);
}

/* --- CORS --- */
S3_HANDLER(get_bucket_cors, output)
{
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	if (!b->cors.n)
		return none(c, b, &s3_err_no_such_cors_configuration, "The CORS configuration does not exist");
	out->cors_rules.v = arena_array(c->arena, struct s3_cors_rule, b->cors.n);
	out->cors_rules.n = b->cors.n;
	for (size_t i = 0; i < b->cors.n; i++) {
		const struct s3_rec_cors *x = &b->cors.v[i];

		out->cors_rules.v[i] = (struct s3_cors_rule){ x->id, x->headers, x->methods, x->origins, x->expose, x->max_age };
	}
	return 0;
}

static bool one_star(struct str s)
{
	ptrdiff_t at = str_find_char(s, '*');

	return at < 0 || at == str_rfind_char(s, '*');
}

static int cors_rule(struct call *c, const struct s3_cors_rule *x)
{
	static const char *const methods[] = { "GET", "PUT", "HEAD", "POST", "DELETE" };

	if (!x->allowed_methods.n || !x->allowed_origins.n || x->id.n > 255)
		return malformed(c);
	for (size_t i = 0; i < x->allowed_methods.n; i++) {
		bool known = false;

		for (size_t j = 0; j < ELEMENTS(methods); j++)
			known |= str_is(x->allowed_methods.v[i], methods[j]);
		if (!known)
			return call_fail(c, &s3_err_invalid_request,
					 "Found unsupported HTTP method in CORS config. Unsupported method is %.*s",
					 STR(x->allowed_methods.v[i]));
	}
	for (size_t i = 0; i < x->allowed_origins.n; i++)
		if (!one_star(x->allowed_origins.v[i]))
			return call_fail(c, &s3_err_invalid_request, "AllowedOrigin \"%.*s\" can not have more than one wildcard.",
					 STR(x->allowed_origins.v[i]));
	for (size_t i = 0; i < x->allowed_headers.n; i++)
		if (!one_star(x->allowed_headers.v[i]))
			return call_fail(c, &s3_err_invalid_request, "AllowedHeader \"%.*s\" can not have more than one wildcard.",
					 STR(x->allowed_headers.v[i]));
	for (size_t i = 0; i < x->expose_headers.n; i++)
		if (str_find_char(x->expose_headers.v[i], '*') >= 0)
			return call_fail(c, &s3_err_invalid_request,
					 "ExposeHeader \"%.*s\" contains wildcard. We currently do not support wildcard for ExposeHeader.",
					 STR(x->expose_headers.v[i]));
	return 0;
}

S3_HANDLER(put_bucket_cors, response)
{
	const struct s3_cors_rule_list *rules = &in->cors_configuration->cors_rules;
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	if (!rules->n || rules->n > CORS_RULES_MAX)
		return malformed(c);
	b->cors.v = arena_array(c->arena, struct s3_rec_cors, rules->n);
	b->cors.n = rules->n;
	for (size_t i = 0; i < rules->n; i++) {
		const struct s3_cors_rule *x = &rules->v[i];

		r = cors_rule(c, x);
		if (r < 0)
			return r;
		b->cors.v[i] = (struct s3_rec_cors){
			x->id, x->allowed_headers, x->allowed_methods, x->allowed_origins, x->expose_headers, x->max_age_seconds
		};
	}
	return store(c, b);
}

S3_HANDLER(delete_bucket_cors, response)
{
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r < 0)
		return r;
	b->cors = (struct s3_rec_cors_list){ 0 };
	c->status = 204;
	return store(c, b);
}

bool s3_cors_fits(struct str pattern, struct str s)
{
	struct str head, tail;

	if (!str_cut(pattern, '*', &head, &tail))
		return str_eq(pattern, s);
	return s.n >= head.n + tail.n && str_starts(s, head) && str_ends(s, tail);
}

void s3_cors_headers(struct call *c, const struct s3_rec_bucket *b)
{
	struct str origin = c->http && b->cors.n ? http_header(c->http, "origin") : STR_NONE;

	if (!origin.n || c->n_headers + 4 > CALL_EXTRA_MAX)
		return;
	for (size_t i = 0; i < b->cors.n; i++) {
		const struct s3_rec_cors *x = &b->cors.v[i];

		if (!str_list_has(&x->methods, c->http->method))
			continue;
		for (size_t j = 0; j < x->origins.n; j++) {
			if (!s3_cors_fits(x->origins.v[j], origin))
				continue;
			call_header(c, "Access-Control-Allow-Origin", str_is(x->origins.v[j], "*") ? S("*") : origin);
			call_header(c, "Access-Control-Allow-Methods", str_join(c->arena, x->methods.v, x->methods.n, S(", ")));
			if (x->expose.n)
				call_header(c, "Access-Control-Expose-Headers", str_join(c->arena, x->expose.v, x->expose.n, S(", ")));
			call_header(c, "Vary", S("Origin, Access-Control-Request-Headers, Access-Control-Request-Method"));
			return;
		}
	}
}

/* --- what this cloud does not act on: read as an unconfigured bucket is, and only that may be written --- */
S3_HANDLER(get_bucket_website, output)
{
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	return r < 0 ? r : none(c, b, &s3_err_no_such_website_configuration, "The specified bucket does not have a website configuration");
}

S3_HANDLER(delete_bucket_website, response)
{
	struct s3_rec_bucket *b;

	c->status = 204;
	return load(c, in->bucket, in->expected_bucket_owner, &b);
}

S3_HANDLER(get_bucket_replication, output)
{
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	return r < 0 ? r : none(c, b, &s3_err_replication_configuration_not_found_error, "The replication configuration was not found");
}

S3_HANDLER(delete_bucket_replication, response)
{
	struct s3_rec_bucket *b;

	c->status = 204;
	return load(c, in->bucket, in->expected_bucket_owner, &b);
}

S3_HANDLER(get_object_lock_configuration, output)
{
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	return r < 0 ? r
		     : none(c, b, &s3_err_object_lock_configuration_not_found_error,
			    "Object Lock configuration does not exist for this bucket");
}

S3_HANDLER(get_bucket_logging, output)
{
	struct s3_rec_bucket *b;

	return load(c, in->bucket, in->expected_bucket_owner, &b);
}

S3_HANDLER(put_bucket_logging, response)
{
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0 && in->bucket_logging_status->logging_enabled)
		return call_fail(c, &s3_err_not_implemented, "Server access logging is not implemented by this cloud.");
	return r;
}

int s3_get_bucket_notification_configuration(struct call *c, const struct s3_get_bucket_notification_configuration_request *in,
					     struct s3_notification_configuration *out)
{
	struct s3_rec_bucket *b;

	return load(c, in->bucket, in->expected_bucket_owner, &b);
}

S3_HANDLER(put_bucket_notification_configuration, response)
{
	const struct s3_notification_configuration *n = in->notification_configuration;
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0 && (n->topic_configurations.n || n->queue_configurations.n || n->lambda_function_configurations.n ||
		       n->event_bridge_configuration))
		return call_fail(c, &s3_err_not_implemented, "Event notifications are not implemented by this cloud.");
	return r;
}

S3_HANDLER(get_bucket_accelerate_configuration, output)
{
	struct s3_rec_bucket *b;

	return load(c, in->bucket, in->expected_bucket_owner, &b);
}

S3_HANDLER(put_bucket_accelerate_configuration, response)
{
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0 && !str_is(in->accelerate_configuration->status, "Suspended"))
		return call_fail(c, &s3_err_not_implemented, "Transfer acceleration is not implemented by this cloud.");
	return r;
}

S3_HANDLER(get_bucket_request_payment, output)
{
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	out->payer = S("BucketOwner");
	return r;
}

S3_HANDLER(put_bucket_request_payment, response)
{
	struct s3_rec_bucket *b;
	int r = load(c, in->bucket, in->expected_bucket_owner, &b);

	if (r == 0 && !str_is(in->request_payment_configuration->payer, "BucketOwner"))
		return call_fail(c, &s3_err_not_implemented, "Requester pays buckets are not implemented by this cloud.");
	return r;
}
