/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_int.h - shared by the files of the CloudFormation service only. */
#pragma once
#include "cfn/engine/engine.h"
#include "cloud/front.h"
#include "gen_cloudformation.h"
#include "store/jobs.h"

#define PAGE_STACKS 100
#define PAGE_EVENTS 100
#define PAGE_EXPORTS 100
#define PAGE_CHANGES 100
#define STACKS_MAX 2000 /* quota of an account and region */
#define STACK_TAGS_MAX 50
#define STACK_NAME_MAX 128
#define LATER "{{changeSet:KNOWN_AFTER_APPLY}}" /* what Ref and Fn::GetAtt give before the resource is there */
#define NESTED_DEPTH_MAX 10                     /* stacks around a stack */
#define VIA "cloudformation.amazonaws.com"

#define CFN_HANDLER(name, Out)                                                                                                             \
	int cloudformation_##name(struct call *c, const struct cloudformation_##name##_input *in, struct cloudformation_##name##_##Out *out)
CFN_HANDLER(cancel_update_stack, response);
CFN_HANDLER(continue_update_rollback, output);
CFN_HANDLER(create_change_set, output);
CFN_HANDLER(create_stack, output);
CFN_HANDLER(delete_change_set, output);
CFN_HANDLER(delete_stack, response);
CFN_HANDLER(describe_change_set, output);
CFN_HANDLER(describe_events, output);
CFN_HANDLER(describe_stack_events, output);
CFN_HANDLER(describe_stack_drift_detection_status, output);
CFN_HANDLER(describe_stack_resource, output);
CFN_HANDLER(describe_stack_resource_drifts, output);
CFN_HANDLER(describe_stack_resources, output);
CFN_HANDLER(describe_stacks, output);
CFN_HANDLER(detect_stack_drift, output);
CFN_HANDLER(detect_stack_resource_drift, output);
CFN_HANDLER(execute_change_set, output);
CFN_HANDLER(get_stack_policy, output);
CFN_HANDLER(get_template, output);
CFN_HANDLER(get_template_summary, output);
CFN_HANDLER(list_change_sets, output);
CFN_HANDLER(list_exports, output);
CFN_HANDLER(list_hook_results, output);
CFN_HANDLER(list_imports, output);
CFN_HANDLER(list_stack_resources, output);
CFN_HANDLER(list_stacks, output);
CFN_HANDLER(rollback_stack, output);
CFN_HANDLER(set_stack_policy, response);
CFN_HANDLER(signal_resource, response);
CFN_HANDLER(update_stack, output);
CFN_HANDLER(update_termination_protection, output);
CFN_HANDLER(validate_template, output);

/* cfn_invalid refuses with ValidationError. */
int cfn_invalid(struct call *c, const char *fmt, ...) _printf_(2, 3);
/* cfn_stack finds a stack by name or ARN, or refuses as CloudFormation does. */
int cfn_stack(struct call *c, struct str name, struct cfn_rec_stack *ret);

/* --- input.c: what an operation is asked to make --- */
struct ask {
	struct str body, url;
	struct str text; /* the template itself, of any size: not from outside */
	bool later;      /* values may not be known yet */
	bool use_previous;
	const struct cloudformation_parameter_list *parameters;
	const struct str_list *capabilities, *resource_types, *notifications;
	const struct cloudformation_tag_list *tags; /* NULL: as before */
	struct str role;
	const struct cloudformation_rollback_configuration *rollback;
	struct str mode, policy;
};
/* What CreateStack, UpdateStack and CreateChangeSet have in common. */
#define ASK_OF(in)                                                                                                                         \
	.body = (in)->template_body, .url = (in)->template_url, .parameters = &(in)->parameters, .capabilities = &(in)->capabilities,      \
	.resource_types = &(in)->resource_types, .notifications = &(in)->notification_ar_ns, .tags = &(in)->tags, .role = (in)->role_arn,  \
	.rollback = (in)->rollback_configuration, .mode = (in)->deployment_config ? (in)->deployment_config->mode : STR_NONE
struct input {
	struct call *call;
	struct principal who;              /* who the stack acts as: it asks what the template wants to know */
	const struct cfn_rec_stack *stack; /* whose resources Ref and Fn::GetAtt see; NULL: there are none */
	struct resource_rows rows;
	struct json **attrs;  /* by row; NULL: not opened yet */
	const bool *replaced; /* by row; NULL: none. Their ids are not known yet */
	struct str text, arn;
	struct template *tpl;
	struct template_ctx ctx;
	struct template_summary summary;
	struct cfn_rec_settings set; /* to be stored; set.template is not set */
};
/* input_text fetches the template's text: given, from S3 as the caller, or the previous one. */
int input_text(struct call *c, struct str body, struct str url, struct str *ret);
int input_parse(struct call *c, struct str text, struct template **ret);
/* input_prepare does all that can be refused before anything is stored. old: the stack as it is, or NULL. arn, name: of
 * the stack. */
int input_prepare(struct call *c, const struct ask *q, const struct cfn_rec_stack *old, struct str name, struct str arn, struct input *ret);
/* input_previous is the stack as it is now, to compare with. */
int input_previous(struct call *c, const struct cfn_rec_stack *s, struct input *ret);
int input_capabilities(struct call *c, const struct template_summary *sum, const struct str_list *given);
int cfn_tags_check(struct call *c, const struct cloudformation_tag_list *in, struct str_map *ret);

/* --- start.c --- */
struct start {
	const char *kind, *phase, *status, *op_type;
	struct str reason, token, role; /* role absent: as the caller */
	const struct cfn_rec_settings *next;
	const struct str_map *imports;
	bool import, force;
	struct str on_failure, change_set; /* the change set's name */
	bool retain_except;
	struct str_list retain, skip;
	int64_t timeout_minutes;
};
/* cfn_start stores the operation and the stack's new status, and starts the engine after the commit. */
int cfn_start(struct call *c, struct cfn_rec_stack *s, const struct start *q);
int cfn_name_check(struct call *c, struct str name);
struct str cfn_arn(struct call *c, struct str name, struct str id);
int cfn_new_stack(struct call *c, struct str name, struct cfn_rec_stack *ret);
/* cfn_role checks that the caller may pass the role and that CloudFormation may take it on. */
int cfn_role(struct call *c, struct str role);
/* cfn_actor: who the operation acts as: the role, or the caller. */
int cfn_actor(struct call *c, struct str role, struct principal *ret);
int cfn_actor_text(struct call *c, struct str role, struct str *ret); /* as it is stored */
/* cfn_token: 1 when this token was seen with this operation (*ret: its answer), 0, or a refusal. */
int cfn_token(struct call *c, const char *op, struct str stack, struct str token, struct str *ret);
/* cfn_begin finds the stack of a changing operation and asks for its token: as cfn_token. */
int cfn_begin(struct call *c, const char *op, struct str name, struct str token, struct cfn_rec_stack *ret, struct str *ret_seen);
int cfn_token_put(struct call *c, const char *op, struct str stack, struct str token, struct str result);

/* --- stacks.c: may the stack be updated now, and is there anything to update? --- */
bool cfn_updatable(const struct cfn_rec_stack *s);
int cfn_paused(struct call *c, const struct cfn_rec_stack *s, bool disable_rollback);
int cfn_has_changes(struct call *c, const struct cfn_rec_stack *s, struct input *in, struct input *old, bool *ret);

/* --- policy.c --- */
/* cfn_policy_given: a stack policy, from the request or from behind a URL, checked. Absent where there is none. */
int cfn_policy_given(struct call *c, struct str body, struct str url, struct str *ret);

/* --- describe.c --- */
void cfn_parameters_out(struct call *c, const struct cfn_rec_parameter_list *l, struct cloudformation_parameter_list *ret);
void cfn_tags_out(struct call *c, const struct str_map *m, struct cloudformation_tag_list *ret);
struct cloudformation_rollback_configuration *cfn_rollback_out(struct call *c, struct str text);
int cfn_page(struct call *c, struct str token, struct str *ret_after);
int cfn_find_physical(struct call *c, struct str physical, struct cfn_rec_stack *ret); /* the stack that has it; -ENOENT */

/* --- drift.c --- */
#define PAGE_DRIFTS 100
/* cfn_drift_of: what is known of a resource's drift, and since when. "NOT_CHECKED" when nothing is. */
int cfn_drift_of(struct call *c, const struct cfn_rec_stack *s, struct str logical, struct str *ret_status, struct opt_time *ret_checked);

/* --- answers.c --- */
extern const struct front cfn_answers; /* where custom resources are answered */

/* --- changesets.c --- */
int change_set_store(struct call *c, struct cfn_rec_stack *s, bool new, const struct cfn_rec_change_set *cs, struct str text);
/* change_set_nested makes change sets for the stacks that are in a stack (nestedsets.c), and says so in its changes. depth: stacks
 * around it; *n counts them all. */
int change_set_nested(struct call *c, const struct cfn_rec_stack *outer, struct input *in, struct cfn_rec_change_set *cs, int depth,
		      size_t *n, struct json *changes);
int change_set_find(struct call *c, struct str name, struct str stack, struct cfn_rec_stack *ret_stack, struct cfn_rec_change_set *ret);
