/* SPDX-License-Identifier: Apache-2.0 */
/* lifecycle.c - lifecycle policies: read strictly, and what they say of a set of images. Pure functions. Source: "Lifecycle policy
 * properties in Amazon ECR", "Examples of lifecycle policies" (Amazon ECR User Guide). */
#include "base/glob.h"
#include "svc/ecr/ecr_int.h"
#include <errno.h>
#include <stdlib.h>

#define RULES_MAX 50
#define WILDCARDS_MAX 4
#define LIST_MAX 50
#define TAG_BYTES_MAX 128

static int wrong(struct arena *a, struct str *ret, const char *fmt, ...) _printf_(3, 4);
static int wrong(struct arena *a, struct str *ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	*ret = str_vprintf(a, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int only_members(struct arena *a, const struct json *j, const char *const *names, struct str *err)
{
	for (size_t i = 0; i < j->n; i++) {
		bool known = false;

		for (const char *const *n = names; *n; n++)
			known |= str_is(j->members[i].key, *n);
		if (!known)
			return wrong(a, err, "object has unknown properties: \"%.*s\"", STR(j->members[i].key));
	}
	return 0;
}

static int read_list(struct arena *a, const struct json *j, const char *name, struct str_list *ret, struct str *err)
{
	const struct json *l = json_getz(j, name);

	*ret = (struct str_list){ 0 };
	if (!l)
		return 0;
	if (!json_is(l, JSON_ARRAY) || l->n == 0 || l->n > LIST_MAX)
		return wrong(a, err, "%s must be an array of 1 to %d strings", name, LIST_MAX);
	ret->v = arena_array(a, struct str, l->n);
	for (size_t i = 0; i < l->n; i++) {
		struct str s = json_str(&l->items[i]);
		size_t stars = 0;

		if (!s.n || s.n > TAG_BYTES_MAX)
			return wrong(a, err, "%s must hold strings of 1 to %d characters", name, TAG_BYTES_MAX);
		for (size_t k = 0; k < s.n; k++)
			stars += s.p[k] == '*';
		if (stars > WILDCARDS_MAX)
			return wrong(a, err, "%s: a string can have at most %d wildcards (*)", name, WILDCARDS_MAX);
		ret->v[ret->n++] = s;
	}
	return 0;
}

static int positive(const struct json *j, int64_t *ret)
{
	return !json_is(j, JSON_NUMBER) || json_to_i64(j, ret) < 0 || *ret < 1 || *ret > INT32_MAX ? -EINVAL : 0;
}

static int read_selection(struct arena *a, const struct json *s, struct ecr_rule *u, struct str *err)
{
	static const char *const names[] = { "tagStatus", "tagPrefixList", "tagPatternList", "countType",
					     "countUnit", "countNumber",   "storageClass",   NULL };
	struct str status = json_str(json_getz(s, "tagStatus")), type = json_str(json_getz(s, "countType"));
	const struct json *unit = json_getz(s, "countUnit");

	if (!json_is(s, JSON_OBJECT))
		return wrong(a, err, "object has missing required properties ([\"selection\"])");
	if (only_members(a, s, names, err) < 0 || read_list(a, s, "tagPrefixList", &u->prefixes, err) < 0 ||
	    read_list(a, s, "tagPatternList", &u->patterns, err) < 0)
		return -EINVAL;
	if (json_getz(s, "storageClass") && !str_is(json_str(json_getz(s, "storageClass")), "standard"))
		return wrong(a, err, "the storage class archive is not implemented by this cloud");
	if (!str_is(status, "tagged") && !str_is(status, "untagged") && !str_is(status, "any"))
		return wrong(a, err, "tagStatus must be one of tagged, untagged, any");
	u->status = str_is(status, "tagged") ? ECR_TAGGED : str_is(status, "untagged") ? ECR_UNTAGGED : ECR_ANY;
	if (u->status == ECR_TAGGED && (u->prefixes.n > 0) == (u->patterns.n > 0))
		return wrong(a, err, "tagStatus tagged needs either tagPrefixList or tagPatternList");
	if (u->status != ECR_TAGGED && (u->prefixes.n || u->patterns.n))
		return wrong(a, err, "tagPrefixList and tagPatternList go with the tagStatus tagged only");
	if (str_is(type, "sinceImagePulled") || str_is(type, "sinceImageTransitioned"))
		return wrong(a, err, "the countType %.*s is not implemented by this cloud", STR(type));
	if (!str_is(type, "imageCountMoreThan") && !str_is(type, "sinceImagePushed"))
		return wrong(a, err, "countType must be one of imageCountMoreThan, sinceImagePushed");
	u->by_count = str_is(type, "imageCountMoreThan");
	if (u->by_count ? unit != NULL : !str_is(json_str(unit), "days"))
		return wrong(a, err, "countUnit must be days with sinceImagePushed, and is not given with imageCountMoreThan");
	return positive(json_getz(s, "countNumber"), &u->number) < 0 ? wrong(a, err, "countNumber must be a positive integer") : 0;
}

static int read_rule(struct arena *a, const struct json *j, struct ecr_rule *u, struct str *err)
{
	static const char *const names[] = { "rulePriority", "description", "selection", "action", NULL };
	static const char *const action_names[] = { "type", "targetStorageClass", NULL };
	const struct json *action = json_getz(j, "action");

	*u = (struct ecr_rule){ 0 };
	if (!json_is(j, JSON_OBJECT))
		return wrong(a, err, "a rule must be an object");
	if (only_members(a, j, names, err) < 0)
		return -EINVAL;
	if (positive(json_getz(j, "rulePriority"), &u->priority) < 0)
		return wrong(a, err, "rulePriority must be a positive integer");
	if (json_getz(j, "description") && !json_is(json_getz(j, "description"), JSON_STRING))
		return wrong(a, err, "description must be a string");
	if (!json_is(action, JSON_OBJECT))
		return wrong(a, err, "object has missing required properties ([\"action\"])");
	if (only_members(a, action, action_names, err) < 0)
		return -EINVAL;
	if (str_is(json_str(json_getz(action, "type")), "transition"))
		return wrong(a, err, "the action transition is not implemented by this cloud");
	if (!str_is(json_str(json_getz(action, "type")), "expire") || json_getz(action, "targetStorageClass"))
		return wrong(a, err, "the action's type must be expire");
	return read_selection(a, json_getz(j, "selection"), u, err);
}

static int by_priority(const void *x, const void *y)
{
	const struct ecr_rule *a = x, *b = y;

	return a->priority < b->priority ? -1 : a->priority > b->priority;
}

/* What no rule can see by itself. */
static int read_together(struct arena *a, const struct ecr_rules *r, struct str *err)
{
	size_t untagged = 0;

	for (size_t i = 0; i < r->n; i++) {
		untagged += r->v[i].status == ECR_UNTAGGED;
		if (i && r->v[i].priority == r->v[i - 1].priority)
			return wrong(a, err, "rulePriority %lld is used more than once", (long long)r->v[i].priority);
		if (r->v[i].status == ECR_ANY && i + 1 < r->n)
			return wrong(a, err, "a rule with the tagStatus any must have the highest rulePriority");
	}
	return untagged > 1 ? wrong(a, err, "only one rule can select untagged images") : 0;
}

int ecr_lifecycle_parse(struct arena *a, struct str text, struct ecr_rules *ret, struct str *err)
{
	static const char *const names[] = { "rules", NULL };
	struct json *j;
	const struct json *rules;

	if (json_parse(a, text, &j, NULL) < 0 || !json_is(j, JSON_OBJECT))
		return wrong(a, err, "the policy is not a JSON object");
	if (only_members(a, j, names, err) < 0)
		return -EINVAL;
	rules = json_getz(j, "rules");
	if (!json_is(rules, JSON_ARRAY) || rules->n < 1 || rules->n > RULES_MAX)
		return wrong(a, err, "rules must be an array of 1 to %d rules", RULES_MAX);
	*ret = (struct ecr_rules){ arena_array(a, struct ecr_rule, rules->n), 0 };
	for (; ret->n < rules->n; ret->n++)
		if (read_rule(a, &rules->items[ret->n], &ret->v[ret->n], err) < 0)
			return -EINVAL;
	qsort(ret->v, ret->n, sizeof *ret->v, by_priority);
	return read_together(a, ret, err);
}

/* --- what rules say of images --- */
/* Every prefix, or every pattern, must match some tag of the image. */
static bool tags_match(const struct ecr_rule *u, const struct str_list *tags)
{
	const struct str_list *want = u->prefixes.n ? &u->prefixes : &u->patterns;

	for (size_t i = 0; i < want->n; i++) {
		bool hit = false;

		for (size_t j = 0; j < tags->n && !hit; j++)
			hit = u->prefixes.n ? str_starts(tags->v[j], want->v[i]) : glob_match(want->v[i], tags->v[j]);
		if (!hit)
			return false;
	}
	return true;
}

static bool selects(const struct ecr_rule *u, const struct ecr_rec_image *i)
{
	return u->status == ECR_ANY ? true : u->status == ECR_UNTAGGED ? i->tags.n == 0 : i->tags.n > 0 && tags_match(u, &i->tags);
}

struct aged {
	const struct ecr_rec_image *image;
	size_t at;
};

static int newest_first(const void *x, const void *y)
{
	const struct aged *a = x, *b = y;

	if (a->image->pushed.ms != b->image->pushed.ms)
		return a->image->pushed.ms > b->image->pushed.ms ? -1 : 1;
	return str_cmp(a->image->digest, b->image->digest);
}

void ecr_lifecycle_apply(struct arena *a, const struct ecr_rules *rules, const struct ecr_rec_image *images, size_t n, int64_t now_ms,
			 int *ret_rule)
{
	struct aged *v = arena_array(a, struct aged, n + 1);
	int *first = arena_array(a, int, n + 1); /* the rule that an image belongs to: no later one can expire it */

	for (size_t i = 0; i < n; i++) {
		v[i] = (struct aged){ &images[i], i };
		ret_rule[i] = first[i] = -1;
		for (size_t u = 0; u < rules->n && first[i] < 0; u++)
			if (selects(&rules->v[u], &images[i]))
				first[i] = (int)u;
	}
	qsort(v, n, sizeof *v, newest_first);
	for (size_t u = 0; u < rules->n; u++) {
		const struct ecr_rule *rule = &rules->v[u];
		int64_t seen = 0;

		for (size_t i = 0; i < n; i++) {
			if (!selects(rule, v[i].image))
				continue;
			if (rule->by_count ? ++seen > rule->number : v[i].image->pushed.ms + rule->number * ECR_DAY_MS <= now_ms)
				if (first[v[i].at] == (int)u)
					ret_rule[v[i].at] = (int)u;
		}
	}
}
