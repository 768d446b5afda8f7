/* SPDX-License-Identifier: Apache-2.0 */
/* describe.c - looking at stacks: what they are, their events, resources, templates, exports. */
#include "svc/cloudformation/cfn_int.h"
#include <errno.h>

/* --- parts --- */
void cfn_parameters_out(struct call *c, const struct cfn_rec_parameter_list *l, struct cloudformation_parameter_list *ret)
{
	ret->v = arena_array(c->arena, struct cloudformation_parameter, l->n + 1);
	for (size_t i = 0; i < l->n; i++) {
		struct cloudformation_parameter *p = &ret->v[ret->n++];

		p->parameter_key = l->v[i].key;
		p->parameter_value = l->v[i].no_echo.v ? S("****") : l->v[i].value;
		if (l->v[i].ssm.v)
			p->resolved_value = l->v[i].no_echo.v ? S("****") : l->v[i].resolved;
	}
}

void cfn_tags_out(struct call *c, const struct str_map *m, struct cloudformation_tag_list *ret)
{
	ret->v = arena_array(c->arena, struct cloudformation_tag, m->n + 1);
	for (size_t i = 0; i < m->n; i++)
		ret->v[ret->n++] = (struct cloudformation_tag){ m->v[i].key, m->v[i].value };
}

struct cloudformation_rollback_configuration *cfn_rollback_out(struct call *c, struct str text)
{
	struct cloudformation_rollback_configuration *ret = arena_new(c->arena, struct cloudformation_rollback_configuration);
	struct json *j, *list;
	int64_t minutes;

	if (!text.p || json_parse(c->arena, text, &j, NULL) < 0)
		return ret;
	list = json_getz(j, "RollbackTriggers");
	if (list) {
		ret->rollback_triggers.v = arena_array(c->arena, struct cloudformation_rollback_trigger, list->n + 1);
		for (size_t i = 0; i < list->n; i++)
			ret->rollback_triggers.v[ret->rollback_triggers.n++] = (struct cloudformation_rollback_trigger){
				json_get_str(&list->items[i], "Arn"), json_get_str(&list->items[i], "Type")
			};
	}
	if (json_to_i64(json_getz(j, "MonitoringTimeInMinutes"), &minutes) == 0)
		ret->monitoring_time_in_minutes = OPT_INT(minutes);
	return ret;
}

static void outputs_out(struct call *c, const struct cfn_rec_output_list *l, struct cloudformation_output_list *ret)
{
	if (!l->n)
		return;
	ret->v = arena_array(c->arena, struct cloudformation_output, l->n);
	for (size_t i = 0; i < l->n; i++)
		ret->v[ret->n++] = (struct cloudformation_output){ .output_key = l->v[i].key,
								   .output_value = l->v[i].value,
								   .description = l->v[i].description,
								   .export_name = l->v[i].export };
}

static void stack_out(struct call *c, const struct cfn_rec_stack *s, struct cloudformation_stack *ret)
{
	const struct cfn_rec_settings *set = s->now;

	ret->stack_id = s->arn;
	ret->stack_name = s->name;
	ret->change_set_id = s->change_set;
	ret->description = set->description;
	if (set->parameters.n)
		cfn_parameters_out(c, &set->parameters, &ret->parameters);
	ret->creation_time = s->created;
	ret->deletion_time = s->deleted;
	ret->last_updated_time = s->updated;
	ret->rollback_configuration = cfn_rollback_out(c, set->rollback);
	ret->stack_status = s->status;
	ret->stack_status_reason = s->reason;
	ret->disable_rollback = OPT_BOOL(s->disable_rollback.v);
	if (set->mode.p) {
		ret->deployment_config = arena_new(c->arena, struct cloudformation_deployment_config);
		ret->deployment_config->mode = set->mode;
	}
	ret->notification_ar_ns = set->notifications;
	if (!ret->notification_ar_ns.v)
		ret->notification_ar_ns.v = arena_array(c->arena, struct str, 1);
	ret->timeout_in_minutes = s->timeout;
	ret->capabilities = set->capabilities;
	outputs_out(c, &s->outputs, &ret->outputs);
	ret->role_arn = set->role;
	ret->parent_id = s->parent;
	ret->root_id = s->root;
	cfn_tags_out(c, &set->tags, &ret->tags);
	ret->enable_termination_protection = OPT_BOOL(s->protected.v);
	ret->drift_information = arena_new(c->arena, struct cloudformation_stack_drift_information);
	ret->drift_information->stack_drift_status = drift_status(s);
	ret->drift_information->last_check_timestamp = s->drift_checked;
	ret->retain_except_on_create = s->retain_except;
	if (s->op.p) {
		ret->last_operations.v = arena_array(c->arena, struct cloudformation_operation_entry, 1);
		ret->last_operations.v[ret->last_operations.n++] = (struct cloudformation_operation_entry){ .operation_type = s->op_type,
													    .operation_id = s->op };
	}
}

int cfn_page(struct call *c, struct str token, struct str *ret_after)
{
	*ret_after = STR_NONE;
	return !token.p || page_parse(c, token, ret_after) == 0 ? 0 : cfn_invalid(c, "Invalid NextToken: %.*s", STR(token));
}

/* each_stack walks a list of stacks, newest first. fn returns 1 when it took one; the page ends after max of them. */
static int each_stack(struct call *c, const char *table, struct str token, size_t max,
		      bool (*fn)(struct call *c, const struct cfn_rec_stack *s, void *arg), void *arg, struct str *ret_token)
{
	struct store_range range = { 0 };
	struct str key, value, after;
	struct cfn_rec_stack s;
	struct keybuf k;
	size_t n = 0;
	int r = cfn_page(c, token, &after);

	if (r < 0)
		return r;
	key_begin(&k, c->account, table);
	r = store_range_open(&range, c->txn, key_view(&k), after, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		struct str last = str_dup(c->arena, key);

		if (n == max) {
			*ret_token = page_token(c, after);
			break;
		}
		r = stack_load(c->txn, c->arena, c->account, str_dup(c->arena, value), &s);
		if (r < 0)
			break;
		n += fn(c, &s, arg);
		after = last;
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

static bool describe_one(struct call *c, const struct cfn_rec_stack *s, void *arg)
{
	struct cloudformation_describe_stacks_output *out = arg;

	stack_out(c, s, &out->stacks.v[out->stacks.n++]);
	return true;
}

static int describe_named(struct call *c, struct str name, struct cloudformation_describe_stacks_output *out, struct cfn_rec_stack *ret)
{
	int r = cfn_stack(c, name, ret);

	out->stacks = (struct cloudformation_stack_list){ .v = arena_new(c->arena, struct cloudformation_stack) };
	if (r == 0)
		(void)describe_one(c, ret, out);
	return r;
}

/* A look at a stack that changes, while it waits for the end of the change. */
struct put_off {
	struct engine_look look; /* first */
	struct call_park *park;
	int64_t since_us;
};

static int look_again(struct call *c, void *arg)
{
	const struct cloudformation_describe_stacks_input *in = c->in;
	const struct put_off *p = arg;
	struct cfn_rec_stack s;
	int r;

	c->put_off_us = clock_mono_us() - p->since_us;
	if (!region_use(c->region))
		return 0; /* what was seen before stands */
	r = store_begin_read(c->region->store, &c->txn);
	if (r == 0) {
		r = describe_named(c, in->stack_name, c->out, &s);
		store_end(c->txn);
		c->txn = NULL;
	}
	region_unuse(c->region);
	return r;
}

static void looked(struct engine_look *l)
{
	call_unpark(((struct put_off *)l)->park, look_again, l);
}

CFN_HANDLER(describe_stacks, output)
{
	struct put_off *p;
	struct cfn_rec_stack s;
	int r;

	if (!in->stack_name.p) {
		out->stacks.v = arena_array(c->arena, struct cloudformation_stack, PAGE_STACKS);
		return each_stack(c, "cfn.live", in->next_token, PAGE_STACKS, describe_one, out, &out->next_token);
	}
	r = describe_named(c, in->stack_name, out, &s);
	if (r < 0 || status_is_final(s.status))
		return r;
	p = arena_new(c->arena, struct put_off);
	*p = (struct put_off){ .look = { .stack = s.id, .done = looked }, .park = call_park(c), .since_us = clock_mono_us() };
	if (p->park && engine_look(&p->look))
		return CALL_PARKED;
	c->park = NULL;
	return 0;
}

struct listing {
	const struct str_list *filter;
	struct cloudformation_list_stacks_output *out;
};

static bool list_one(struct call *c, const struct cfn_rec_stack *s, void *arg)
{
	struct listing *l = arg;
	struct cloudformation_stack_summary *x;

	if (l->filter->n && !str_list_has(l->filter, s->status))
		return false;
	x = &l->out->stack_summaries.v[l->out->stack_summaries.n++];
	x->stack_id = s->arn;
	x->stack_name = s->name;
	x->template_description = s->now->description;
	x->creation_time = s->created;
	x->last_updated_time = s->updated;
	x->deletion_time = s->deleted;
	x->stack_status = s->status;
	x->stack_status_reason = s->reason;
	x->parent_id = s->parent;
	x->root_id = s->root;
	x->drift_information = arena_new(c->arena, struct cloudformation_stack_drift_information_summary);
	x->drift_information->stack_drift_status = drift_status(s);
	x->drift_information->last_check_timestamp = s->drift_checked;
	return true;
}

CFN_HANDLER(list_stacks, output)
{
	struct listing l = { &in->stack_status_filter, out };

	out->stack_summaries.v = arena_array(c->arena, struct cloudformation_stack_summary, PAGE_STACKS);
	return each_stack(c, "cfn.all", in->next_token, PAGE_STACKS, list_one, &l, &out->next_token);
}

/* --- events --- */
static int each_event(struct call *c, const struct cfn_rec_stack *s, struct str token,
		      bool (*fn)(struct call *c, const struct cfn_rec_stack *s, const struct cfn_rec_event *e, void *arg), void *arg,
		      struct str *ret_token)
{
	struct store_range range = { 0 };
	struct str key, value, after;
	struct cfn_rec_event e;
	struct keybuf k;
	size_t n = 0;
	int r = cfn_page(c, token, &after);

	if (r < 0)
		return r;
	stack_key(&k, c->account, "cfn.event", s->id);
	r = store_range_open(&range, c->txn, key_view(&k), after, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		if (n == PAGE_EVENTS) {
			*ret_token = page_token(c, after);
			break;
		}
		r = record_decode(&cfn_records, CFN_REC_EVENT, c->arena, value, &e);
		if (r < 0)
			break;
		n += fn(c, s, &e, arg);
		after = str_dup(c->arena, key);
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

static bool event_one(struct call *c, const struct cfn_rec_stack *s, const struct cfn_rec_event *e, void *arg)
{
	struct cloudformation_describe_stack_events_output *out = arg;

	out->stack_events.v[out->stack_events.n++] = (struct cloudformation_stack_event){
		.stack_id = s->arn,
		.event_id = e->id,
		.stack_name = s->name,
		.operation_id = e->op,
		.logical_resource_id = e->logical,
		.physical_resource_id = e->physical.p ? e->physical : S(""),
		.resource_type = e->type,
		.timestamp = e->time,
		.resource_status = e->status,
		.resource_status_reason = e->reason,
		.resource_properties = e->properties,
		.client_request_token = e->token,
	};
	return true;
}

CFN_HANDLER(describe_stack_events, output)
{
	struct cfn_rec_stack s;
	int r = stack_lookup(c->txn, c->arena, c->account, call_region(c), in->stack_name, &s);

	if (r == -ENOENT)
		return cfn_invalid(c, "Stack [%.*s] does not exist", STR(in->stack_name));
	out->stack_events.v = arena_array(c->arena, struct cloudformation_stack_event, PAGE_EVENTS);
	return r < 0 ? r : each_event(c, &s, in->next_token, event_one, out, &out->next_token);
}

struct operation_events {
	const struct cloudformation_describe_events_input *in;
	struct cloudformation_describe_events_output *out;
};

static bool operation_event(struct call *c, const struct cfn_rec_stack *s, const struct cfn_rec_event *e, void *arg)
{
	struct operation_events *x = arg;
	bool stack = str_is(e->type, STACK_TYPE), failed = str_ends(e->status, S("_FAILED"));

	if ((x->in->operation_id.p && !str_eq(x->in->operation_id, e->op)) ||
	    (x->in->filters && x->in->filters->failed_events.v && !failed))
		return false;
	x->out->operation_events.v[x->out->operation_events.n++] = (struct cloudformation_operation_event){
		.event_id = e->id,
		.stack_id = s->arn,
		.operation_id = e->op,
		.operation_type = e->op_type,
		.event_type = failed && !stack ? S("PROVISIONING_ERROR")
			      : stack          ? S("STACK_EVENT")
					       : S("PROGRESS_EVENT"),
		.logical_resource_id = e->logical,
		.physical_resource_id = e->physical.p ? e->physical : S(""),
		.resource_type = e->type,
		.timestamp = e->time,
		.resource_status = e->status,
		.resource_status_reason = e->reason,
		.client_request_token = e->token,
	};
	return true;
}

/* What early validation found, as an event for each fault. */
static void fault_events(struct call *c, const struct cfn_rec_stack *s, const struct cfn_rec_change_set *cs,
			 struct cloudformation_describe_events_output *out)
{
	out->operation_events.v = arena_array(c->arena, struct cloudformation_operation_event, cs->faults.n + 1);
	for (size_t i = 0; i < cs->faults.n; i++) {
		const struct cfn_rec_fault *f = &cs->faults.v[i];

		out->operation_events.v[out->operation_events.n++] = (struct cloudformation_operation_event){
			.event_id = f->id,
			.stack_id = s->arn,
			.operation_id = cs->id,
			.operation_type = S("CREATE_CHANGESET"),
			.event_type = S("VALIDATION_ERROR"),
			.logical_resource_id = f->logical,
			.physical_resource_id = f->physical,
			.resource_type = f->type,
			.timestamp = cs->created,
			.validation_failure_mode = S("FAIL"),
			.validation_name = f->name,
			.validation_status = S("FAILED"),
			.validation_status_reason = f->reason,
			.validation_path = f->path,
		};
	}
}

CFN_HANDLER(describe_events, output)
{
	struct operation_events x = { in, out };
	struct cfn_rec_stack s;
	struct cfn_rec_change_set cs;
	int r;

	if (in->change_set_name.p)
		r = change_set_find(c, in->change_set_name, in->stack_name, &s, &cs);
	else if (in->stack_name.p)
		r = cfn_stack(c, in->stack_name, &s);
	else
		return cfn_invalid(c, "One of ChangeSetName, OperationId or StackName must be specified");
	if (r == 0 && in->change_set_name.p) {
		fault_events(c, &s, &cs, out);
		return 0;
	}
	out->operation_events.v = arena_array(c->arena, struct cloudformation_operation_event, PAGE_EVENTS);
	return r < 0 ? r : each_event(c, &s, in->next_token, operation_event, &x, &out->next_token);
}

/* --- resources --- */
static int resource_out(struct call *c, const struct cfn_rec_stack *s, const struct cfn_rec_resource *row,
			struct cloudformation_stack_resource *x)
{
	*x = (struct cloudformation_stack_resource){
		.stack_name = s->name,
		.stack_id = s->arn,
		.logical_resource_id = row->logical,
		.physical_resource_id = row->physical,
		.resource_type = row->type,
		.timestamp = row->updated,
		.resource_status = row->status,
		.resource_status_reason = row->reason,
	};
	x->drift_information = arena_new(c->arena, struct cloudformation_stack_resource_drift_information);
	return cfn_drift_of(c, s, row->logical, &x->drift_information->stack_resource_drift_status,
			    &x->drift_information->last_check_timestamp);
}

/* The stack that a physical id belongs to: its tables are looked through, as AWS says nothing of an index either. */
int cfn_find_physical(struct call *c, struct str physical, struct cfn_rec_stack *ret)
{
	struct store_range range = { 0 };
	struct cfn_rec_resource row;
	struct str key, value, id;
	struct keybuf k;
	bool found = false;
	int r;

	key_begin(&k, c->account, "cfn.res");
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r >= 0 && !found && (r = store_range_next(&range, &key, &value)) > 0) {
		r = record_decode(&cfn_records, CFN_REC_RESOURCE, c->arena, value, &row);
		if (r < 0 || !str_eq(row.physical, physical))
			continue;
		key = str_skip(key, k.n);
		r = key_take_str(&key, c->arena, &id);
		if (r == 0)
			r = stack_load(c->txn, c->arena, c->account, id, ret);
		found = r == 0 && !ret->deleted.has;
	}
	store_range_close(&range);
	return r < 0 ? r : found ? 0 : -ENOENT;
}

CFN_HANDLER(describe_stack_resources, output)
{
	struct resource_rows rows;
	struct cfn_rec_stack s;
	int r;

	if (in->stack_name.p && in->physical_resource_id.p)
		return cfn_invalid(c, "Stack name and physical resource id cannot be specified together");
	if (in->stack_name.p)
		r = cfn_stack(c, in->stack_name, &s);
	else if (!in->physical_resource_id.p)
		return cfn_invalid(c, "Either stack name or physical resource id must be specified");
	else {
		r = cfn_find_physical(c, in->physical_resource_id, &s);
		if (r == -ENOENT)
			return cfn_invalid(c, "Stack for %.*s does not exist", STR(in->physical_resource_id));
	}
	if (r == 0)
		r = resources_load(c->txn, c->arena, c->account, "cfn.res", s.id, &rows);
	if (r < 0)
		return r;
	out->stack_resources.v = arena_array(c->arena, struct cloudformation_stack_resource, rows.n + 1);
	for (size_t i = 0; i < rows.n && out->stack_resources.n < 100 && r == 0; i++)
		if ((!in->logical_resource_id.p || str_eq(rows.v[i].logical, in->logical_resource_id)) &&
		    (!in->physical_resource_id.p || str_eq(rows.v[i].physical, in->physical_resource_id)))
			r = resource_out(c, &s, &rows.v[i], &out->stack_resources.v[out->stack_resources.n++]);
	return r;
}

/* A resource's metadata is in the template; functions in it are shown as they are written. */
static struct str metadata(struct call *c, const struct cfn_rec_stack *s, struct str logical)
{
	struct template *t;
	struct str text, err;
	const struct json *m;
	size_t i;

	if (stack_template(c->txn, c->arena, s, s->now->template, &text) < 0 || template_parse(c->arena, text, NULL, &t, &err) < 0 ||
	    template_find(t, logical, &i) != TEMPLATE_RESOURCE)
		return S("{}");
	m = json_getz(t->resources[i].decl, "Metadata");
	return m ? json_text(c->arena, m) : S("{}");
}

CFN_HANDLER(describe_stack_resource, output)
{
	struct cloudformation_stack_resource_detail *d = arena_new(c->arena, struct cloudformation_stack_resource_detail);
	struct cfn_rec_resource row;
	struct cfn_rec_stack s;
	struct keybuf k;
	int r = cfn_stack(c, in->stack_name, &s);

	if (r < 0)
		return r;
	stack_key2(&k, c->account, "cfn.res", s.id, in->logical_resource_id);
	r = record_get(c->txn, &cfn_records, CFN_REC_RESOURCE, c->arena, &k, &row);
	if (r == -ENOENT)
		return cfn_invalid(c, "Resource %.*s does not exist for stack %.*s", STR(in->logical_resource_id), STR(in->stack_name));
	*d = (struct cloudformation_stack_resource_detail){
		.stack_name = s.name,
		.stack_id = s.arn,
		.logical_resource_id = row.logical,
		.physical_resource_id = row.physical,
		.resource_type = row.type,
		.last_updated_timestamp = row.updated,
		.resource_status = row.status,
		.resource_status_reason = row.reason,
		.metadata = metadata(c, &s, row.logical),
	};
	d->drift_information = arena_new(c->arena, struct cloudformation_stack_resource_drift_information);
	out->stack_resource_detail = d;
	return r < 0 ? r
		     : cfn_drift_of(c, &s, row.logical, &d->drift_information->stack_resource_drift_status,
				    &d->drift_information->last_check_timestamp);
}

CFN_HANDLER(list_stack_resources, output)
{
	struct store_range range = { 0 };
	struct cfn_rec_resource row;
	struct cfn_rec_stack s;
	struct str key, value, after;
	struct keybuf k;
	int r = cfn_stack(c, in->stack_name, &s);

	if (r == 0)
		r = cfn_page(c, in->next_token, &after);
	if (r < 0)
		return r;
	out->stack_resource_summaries.v = arena_array(c->arena, struct cloudformation_stack_resource_summary, PAGE_STACKS);
	stack_key(&k, c->account, "cfn.res", s.id);
	r = store_range_open(&range, c->txn, key_view(&k), after, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		struct cloudformation_stack_resource_summary *x;

		if (out->stack_resource_summaries.n == PAGE_STACKS) {
			out->next_token = page_token(c, after);
			break;
		}
		r = record_decode(&cfn_records, CFN_REC_RESOURCE, c->arena, value, &row);
		if (r < 0)
			break;
		x = &out->stack_resource_summaries.v[out->stack_resource_summaries.n++];
		*x = (struct cloudformation_stack_resource_summary){
			.logical_resource_id = row.logical,
			.physical_resource_id = row.physical,
			.resource_type = row.type,
			.last_updated_timestamp = row.updated,
			.resource_status = row.status,
			.resource_status_reason = row.reason,
		};
		x->drift_information = arena_new(c->arena, struct cloudformation_stack_resource_drift_information_summary);
		after = str_dup(c->arena, key);
		r = cfn_drift_of(c, &s, row.logical, &x->drift_information->stack_resource_drift_status,
				 &x->drift_information->last_check_timestamp);
		if (r < 0)
			break;
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

/* --- exports --- */
CFN_HANDLER(list_exports, output)
{
	struct store_range range = { 0 };
	struct cfn_rec_export e;
	struct str key, value, after;
	struct keybuf k;
	int r = cfn_page(c, in->next_token, &after);

	if (r < 0)
		return r;
	out->exports.v = arena_array(c->arena, struct cloudformation_export, PAGE_EXPORTS);
	key_begin(&k, c->account, "cfn.export");
	r = store_range_open(&range, c->txn, key_view(&k), after, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		if (out->exports.n == PAGE_EXPORTS) {
			out->next_token = page_token(c, after);
			break;
		}
		r = record_decode(&cfn_records, CFN_REC_EXPORT, c->arena, value, &e);
		if (r < 0)
			break;
		out->exports.v[out->exports.n++] =
			(struct cloudformation_export){ .exporting_stack_id = e.stack_arn, .name = e.name, .value = e.value };
		after = str_dup(c->arena, key);
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

CFN_HANDLER(list_imports, output)
{
	struct str_list users;
	struct str after;
	size_t first = 0;
	int64_t at = 0;
	int r = cfn_page(c, in->next_token, &after);

	if (r == 0)
		r = export_users(c->txn, c->arena, c->account, in->export_name, &users);
	if (r < 0)
		return r;
	if (!users.n)
		return cfn_invalid(c, "Export '%.*s' is not imported by any stack.", STR(in->export_name));
	if (after.p && str_to_i64(after, &at) == 0 && at > 0 && (size_t)at < users.n)
		first = (size_t)at;
	out->imports = (struct str_list){ users.v + first, users.n - first < PAGE_EXPORTS ? users.n - first : PAGE_EXPORTS };
	if (first + out->imports.n < users.n)
		out->next_token = page_token(c, str_printf(c->arena, "%zu", first + out->imports.n));
	return 0;
}

CFN_HANDLER(list_hook_results, output)
{
	return call_fail(c, &cloudformation_err_hook_result_not_found,
			 "No hook results were found for the target."); /* there are no hooks here */
}
