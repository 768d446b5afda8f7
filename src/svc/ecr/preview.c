/* SPDX-License-Identifier: Apache-2.0 */
/* preview.c - what a lifecycle policy would expire, told without doing it. */
#include "svc/ecr/ecr_int.h"
#include <errno.h>

static void preview_key(struct keybuf *k, const struct ecr_rec_repository *p)
{
	ecr_key(k, p, "ecr.preview", STR_NONE, STR_NONE);
}

struct gather {
	struct call *c;
	struct ecr_rec_image *v;
	size_t n, cap;
};

static int take_image(void *arg, struct str last, struct str value, struct str key)
{
	struct gather *g = arg;

	return record_decode(&ecr_records, ECR_REC_IMAGE, g->c->arena, value, &vec_push(g->c->arena, g->v, g->n, g->cap));
}

static int evaluate(struct call *c, const struct ecr_rec_repository *p, const struct ecr_rules *rules, struct ecr_rec_preview *ret)
{
	struct gather g = { .c = c };
	size_t cap = 0;
	int *rule, r = ecr_each(c->txn, p, "ecr.image", STR_NONE, take_image, &g);

	if (r < 0)
		return r;
	rule = arena_array(c->arena, int, g.n + 1);
	ecr_lifecycle_apply(c->arena, rules, g.v, g.n, c->now_ms, rule);
	for (size_t i = 0; i < g.n; i++)
		if (rule[i] >= 0)
			vec_push(c->arena, ret->results.v, ret->results.n,
				 cap) = (struct ecr_rec_expiry){ .digest = g.v[i].digest,
								 .tags = g.v[i].tags,
								 .pushed = g.v[i].pushed,
								 .priority = OPT_INT(rules->v[rule[i]].priority) };
	return 0;
}

ECR_HANDLER(start_lifecycle_policy_preview)
{
	struct ecr_rec_repository p;
	struct ecr_rec_preview v = { .started = OPT_TIME(c->now_ms) };
	struct ecr_rules rules;
	struct keybuf k;
	struct str why;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	if (r < 0)
		return r;
	v.policy = in->lifecycle_policy_text.p ? in->lifecycle_policy_text : p.lifecycle;
	if (!v.policy.p)
		return call_fail(c, &ecr_err_lifecycle_policy_not_found,
				 "Lifecycle policy does not exist for the repository with name '%.*s' in the registry with id '%.*s'",
				 STR(p.name), STR(p.account));
	if (ecr_lifecycle_parse(c->arena, v.policy, &rules, &why) < 0)
		return call_fail(c, &ecr_err_invalid_parameter,
				 "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation "
				 "failure: %.*s'",
				 STR(why));
	r = evaluate(c, &p, &rules, &v);
	if (r < 0)
		return r;
	out->registry_id = p.account;
	out->repository_name = p.name;
	out->lifecycle_policy_text = v.policy;
	out->status = S("IN_PROGRESS");
	preview_key(&k, &p);
	return record_put(c->txn, &ecr_records, ECR_REC_PREVIEW, &k, &v);
}

static bool named(const struct ecr_get_lifecycle_policy_preview_request *in, const struct ecr_rec_expiry *e)
{
	if (in->filter && in->filter->tag_status.p && !str_is(in->filter->tag_status, "ANY") &&
	    str_is(in->filter->tag_status, "TAGGED") != (e->tags.n > 0))
		return false;
	for (size_t i = 0; i < in->image_ids.n; i++) {
		const struct ecr_image_identifier *id = &in->image_ids.v[i];

		if ((!id->image_digest.p || str_eq(id->image_digest, e->digest)) &&
		    (!id->image_tag.p || str_list_has(&e->tags, id->image_tag)))
			return true;
	}
	return in->image_ids.n == 0;
}

ECR_HANDLER(get_lifecycle_policy_preview)
{
	size_t limit = in->max_results.has ? (size_t)in->max_results.v : 100, cap = 0;
	struct ecr_rec_repository p;
	struct ecr_rec_preview v;
	struct str token;
	uint64_t from = 0;
	struct keybuf k;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	if (r < 0)
		return r;
	preview_key(&k, &p);
	r = record_get(c->txn, &ecr_records, ECR_REC_PREVIEW, c->arena, &k, &v);
	if (r == -ENOENT)
		return call_fail(
			c, &ecr_err_lifecycle_policy_preview_not_found,
			"Lifecycle policy preview does not exist for the repository with name '%.*s' in the registry with id '%.*s'",
			STR(p.name), STR(p.account));
	if (r < 0)
		return r;
	if (in->next_token.p && (page_parse(c, in->next_token, &token) < 0 || str_to_u64(token, &from) < 0))
		return call_fail(c, &ecr_err_invalid_parameter,
				 "Invalid parameter at 'nextToken' failed to satisfy constraint: 'The token is not valid'");
	out->registry_id = p.account;
	out->repository_name = p.name;
	out->lifecycle_policy_text = v.policy;
	out->status = S("COMPLETE");
	out->preview_results.v = arena_alloc(c->arena, 1);
	for (size_t i = (size_t)from; i < v.results.n; i++) {
		const struct ecr_rec_expiry *e = &v.results.v[i];
		struct ecr_lifecycle_policy_preview_result *o;

		if (!named(in, e))
			continue;
		if (out->preview_results.n == limit) {
			out->next_token = page_token(c, str_printf(c->arena, "%zu", i));
			break;
		}
		o = &vec_push(c->arena, out->preview_results.v, out->preview_results.n, cap);
		*o = (struct ecr_lifecycle_policy_preview_result){ .image_digest = e->digest,
								   .image_pushed_at = e->pushed,
								   .applied_rule_priority = e->priority };
		o->image_tags.v = e->tags.v;
		o->image_tags.n = e->tags.n;
		o->action = arena_new(c->arena, struct ecr_lifecycle_policy_rule_action);
		o->action->type = S("EXPIRE");
	}
	out->summary = arena_new(c->arena, struct ecr_lifecycle_policy_preview_summary);
	out->summary->expiring_image_total_count = OPT_INT((int64_t)v.results.n);
	return 0;
}
