/* SPDX-License-Identifier: Apache-2.0 */
/* drift.c - asking for the detection of drift, and what it found. The engine detects (src/cfn/engine/detect.c). */
#include "svc/cloudformation/cfn_int.h"
#include <errno.h>

/* As documented, and what an import leaves. */
static bool detectable(const struct cfn_rec_stack *s)
{
	static const char *const ok[] = { "CREATE_COMPLETE",        "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE",
					  "UPDATE_ROLLBACK_FAILED", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE" };

	for (size_t i = 0; i < ELEMENTS(ok); i++)
		if (str_is(s->status, ok[i]))
			return true;
	return false;
}

/* The stack, when its drift may be detected now. */
static int ready(struct call *c, struct str name, struct cfn_rec_stack *ret)
{
	struct str running;
	int r = cfn_stack(c, name, ret);

	if (r < 0)
		return r;
	if (!detectable(ret))
		return cfn_invalid(c, "Drift detection cannot be performed on stack [%.*s] in %.*s state.", STR(ret->arn),
				   STR(ret->status));
	r = detection_of(c->txn, c->arena, ret->id, &running);
	if (r == 0)
		return cfn_invalid(c, "Drift detection is already in progress for stack %.*s", STR(ret->arn));
	return r == -ENOENT ? 0 : r;
}

/* --- a whole stack --- */
struct start_detection {
	struct str id;
};

static void launch(struct cloud *cl, struct region *r, void *arg)
{
	detection_run(cl, r, ((struct start_detection *)arg)->id);
}

static int known_resources(struct call *c, const struct cfn_rec_stack *s, const struct str_list *names)
{
	for (size_t i = 0; i < names->n; i++) {
		struct cfn_rec_resource row;
		struct keybuf k;
		int r;

		stack_key2(&k, s->account, "cfn.res", s->id, names->v[i]);
		r = record_get(c->txn, &cfn_records, CFN_REC_RESOURCE, c->arena, &k, &row);
		if (r < 0)
			return r == -ENOENT ? cfn_invalid(c, "Resource %.*s does not exist for stack %.*s", STR(names->v[i]), STR(s->name))
					    : r;
	}
	return 0;
}

CFN_HANDLER(detect_stack_drift, output)
{
	struct start_detection *go = arena_new(c->arena, struct start_detection);
	struct cfn_rec_detection d;
	struct cfn_rec_stack s;
	struct principal who;
	int r = ready(c, in->stack_name, &s);

	if (r == 0)
		r = known_resources(c, &s, &in->logical_resource_ids);
	if (r == 0)
		r = cfn_actor(c, s.now->role, &who);
	if (r < 0)
		return r;
	d = (struct cfn_rec_detection){ .id = random_uuid(c->arena),
					.stack = s.id,
					.stack_arn = s.arn,
					.account = s.account,
					.principal = principal_text(c->arena, &who),
					.op = s.op,
					.only = in->logical_resource_ids,
					.status = S("DETECTION_IN_PROGRESS"),
					.started = OPT_TIME(c->now_ms) };
	r = drift_begin(c->txn, c->arena, &s, c->now_ms);
	if (r == 0)
		r = detection_add(c->txn, &d);
	if (r == 0)
		r = job_put(c->txn, c->now_ms + DETECTION_KEEP_MS, S("cloudformation/detection"), d.id, S(""));
	if (r < 0)
		return r;
	out->stack_drift_detection_id = go->id = d.id;
	call_on_commit(c, launch, go);
	return 0;
}

CFN_HANDLER(describe_stack_drift_detection_status, output)
{
	struct cfn_rec_detection d;
	int r = detection_load(c->txn, c->arena, in->stack_drift_detection_id, &d);

	if (r == -ENOENT || (r == 0 && !str_eq(d.account, c->account)))
		return cfn_invalid(c, "Stack drift detection operation [%.*s] does not exist", STR(in->stack_drift_detection_id));
	if (r < 0)
		return r;
	out->stack_id = d.stack_arn;
	out->stack_drift_detection_id = d.id;
	out->stack_drift_status = d.drift;
	out->detection_status = d.status;
	out->detection_status_reason = d.reason;
	out->drifted_stack_resource_count = d.drifted;
	out->timestamp = d.started;
	return 0;
}

/* --- results --- */
static int differences_out(struct call *c, struct str sealed, struct cloudformation_property_difference_list *ret)
{
	struct json *l = NULL;
	int r = state_open_json(c->cloud, c->arena, sealed, &l);

	if (r < 0 || !l)
		return r;
	ret->v = arena_array(c->arena, struct cloudformation_property_difference, l->n + 1);
	for (size_t i = 0; i < l->n; i++)
		ret->v[ret->n++] = (struct cloudformation_property_difference){
			.property_path = json_get_str(&l->items[i], "path"),
			.expected_value = json_get_str(&l->items[i], "expected"),
			.actual_value = json_get_str(&l->items[i], "actual"),
			.difference_type = json_get_str(&l->items[i], "type"),
		};
	return 0;
}

static int drift_out(struct call *c, const struct cfn_rec_stack *s, const struct cfn_rec_drift *d,
		     struct cloudformation_stack_resource_drift *ret)
{
	int r = 0;

	*ret = (struct cloudformation_stack_resource_drift){
		.stack_id = s->arn,
		.logical_resource_id = d->logical,
		.physical_resource_id = d->physical,
		.resource_type = d->type,
		.stack_resource_drift_status = d->status,
		.drift_status_reason = d->reason,
		.timestamp = d->checked,
	};
	if (d->expected.p)
		r = state_open(c->cloud, c->arena, d->expected, &ret->expected_properties);
	if (r == 0 && d->actual.p)
		r = state_open(c->cloud, c->arena, d->actual, &ret->actual_properties);
	ret->property_differences.v = arena_array(c->arena, struct cloudformation_property_difference, 1);
	return r < 0 ? r : differences_out(c, d->differences, &ret->property_differences);
}

int cfn_drift_of(struct call *c, const struct cfn_rec_stack *s, struct str logical, struct str *ret_status, struct opt_time *ret_checked)
{
	struct cfn_rec_drift d;
	int r = drift_get(c->txn, c->arena, s, logical, &d);

	*ret_status = S("NOT_CHECKED");
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	*ret_status = d.status;
	*ret_checked = d.checked;
	return 0;
}

CFN_HANDLER(describe_stack_resource_drifts, output)
{
	size_t max = in->max_results.has ? (size_t)in->max_results.v : PAGE_DRIFTS;
	const struct str_list *only = &in->stack_resource_drift_status_filters;
	struct store_range range = { 0 };
	struct str key, value, after;
	struct cfn_rec_drift d;
	struct cfn_rec_stack s;
	struct keybuf k;
	int r = cfn_stack(c, in->stack_name, &s);

	if (r == 0)
		r = cfn_page(c, in->next_token, &after);
	if (r < 0)
		return r;
	out->stack_resource_drifts.v = arena_array(c->arena, struct cloudformation_stack_resource_drift, max);
	stack_key(&k, s.account, "cfn.drift", s.id);
	r = store_range_open(&range, c->txn, key_view(&k), after, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		r = record_decode(&cfn_records, CFN_REC_DRIFT, c->arena, value, &d);
		if (r < 0)
			break;
		if (str_eq(d.op, s.op) && (!only->n || str_list_has(only, d.status))) {
			if (out->stack_resource_drifts.n == max) {
				out->next_token = page_token(c, after);
				break;
			}
			r = drift_out(c, &s, &d, &out->stack_resource_drifts.v[out->stack_resource_drifts.n++]);
			if (r < 0)
				break;
		}
		after = str_dup(c->arena, key);
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

/* --- one resource, at once --- */
static int row_of(struct call *c, const struct drift_stack *s, struct str logical, size_t *ret)
{
	for (*ret = 0; *ret < s->rows.n; (*ret)++) {
		const struct cfn_rec_resource *row = &s->rows.v[*ret];
		const struct cfn_type *t = type_find(c->cloud, row->type);

		if (!str_eq(row->logical, logical))
			continue;
		if (!t || !t->reader)
			return cfn_invalid(c, "Drift detection is not supported for the specified ResourceType: %.*s", STR(row->type));
		if (!drift_checkable(c->cloud, row))
			return cfn_invalid(c, "Drift detection cannot be performed on resource %.*s in %.*s state.", STR(logical),
					   STR(row->status));
		return 0;
	}
	return cfn_invalid(c, "Resource %.*s does not exist for stack %.*s", STR(logical), STR(s->stack.name));
}

CFN_HANDLER(detect_stack_resource_drift, output)
{
	struct cloudformation_stack_resource_drift *x = arena_new(c->arena, struct cloudformation_stack_resource_drift);
	struct cfn_rec_drift d;
	struct cfn_rec_stack s;
	struct drift_stack st;
	struct principal who;
	int64_t drifted;
	size_t row;
	int r = ready(c, in->stack_name, &s);

	if (r == 0)
		r = drift_load(c->cloud, c->txn, c->arena, s.account, s.id, &st);
	if (r == 0)
		r = row_of(c, &st, in->logical_resource_id, &row);
	if (r == 0)
		r = cfn_actor(c, s.now->role, &who);
	if (r == 0)
		r = drift_check(c, &who, &st, row, &d);
	if (r == 0)
		r = drift_begin(c->txn, c->arena, &s, c->now_ms);
	if (r == 0)
		r = drift_put(c->txn, &s, &d);
	if (r == 0)
		r = drift_sum(c->txn, c->arena, &s, false, &drifted);
	out->stack_resource_drift = x;
	return r < 0 ? r : drift_out(c, &s, &d, x);
}
