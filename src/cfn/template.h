/* SPDX-License-Identifier: Apache-2.0 */
/* template.h - CloudFormation templates as values: read, checked, evaluated, ordered, compared.
 *
 * Nothing here does I/O or knows the clock. A template is read once into an arena (template_parse); a context binds it
 * to one stack, its parameter values and the outside world (struct template_calls); then resources are evaluated one by
 * one, as late as their inputs allow. Everything can be done again after a crash from the template's text, the stored
 * parameter values, and what the calls answer from the store (physical ids and attributes).
 *
 * The usual way of a stack operation:
 *   template_parse -> template_values -> template_begin (conditions, references to what is not there)
 *   -> template_check_rules -> template_graph -> for each resource whose dependencies are done:
 *   template_eval_resource, template_resolve_dynamic just before the call that needs the secrets.
 *
 * Functions that can be refused return -EINVAL with the sentence CloudFormation says, without its error code; other
 * negative errnos come from the calls. Memory is in the arena given; strings are borrowed from the template's text. */
#pragma once
#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"

#define TEMPLATE_INLINE_BYTES_MAX 51200 /* TemplateBody */
#define TEMPLATE_BYTES_MAX 1000000      /* TemplateURL */
#define TEMPLATE_DEPTH_MAX 64
#define TEMPLATE_RESOURCES_MAX 500
#define TEMPLATE_PARAMETERS_MAX 200
#define TEMPLATE_OUTPUTS_MAX 200
#define TEMPLATE_MAPPINGS_MAX 200
#define TEMPLATE_MAPPING_ATTRIBUTES_MAX 200
#define TEMPLATE_NAME_MAX 255
#define TEMPLATE_DESCRIPTION_BYTES_MAX 1024
#define TEMPLATE_PARAMETER_BYTES_MAX 4096
#define TEMPLATE_EVAL_BYTES_MAX (32u << 20)  /* what one context may build, in all */
#define TEMPLATE_EXPAND_BYTES_MAX (4u << 20) /* what Fn::ForEach may build */
#define TEMPLATE_PATTERN_STEPS_MAX 50000     /* match limit of AllowedPattern */

enum template_kind { TEMPLATE_NONE, TEMPLATE_PARAMETER, TEMPLATE_RESOURCE, TEMPLATE_CONDITION };
enum template_policy { TEMPLATE_DELETE, TEMPLATE_RETAIN, TEMPLATE_RETAIN_EXCEPT_ON_CREATE, TEMPLATE_SNAPSHOT };

struct template_parameter {
	struct str name;
	struct str type; /* as written */
	struct str item; /* inside List<> and AWS::SSM::Parameter::Value<>: "String", "Number", "AWS::EC2::Subnet::Id"... */
	bool list, ssm;  /* ssm: the value names a parameter of SSM, whose value counts */
	bool no_echo;
	struct str dflt; /* absent: a value must be given */
	struct str description, constraint_description, pattern;
	const struct json *allowed; /* array or NULL */
	struct opt_int min_length, max_length;
	struct str min_value, max_value; /* numbers as written, or absent */
};
struct template_condition {
	struct str name;
	const struct json *body;
};
struct template_resource {
	struct str id, type;
	const struct json *decl;       /* the whole member */
	const struct json *properties; /* NULL: none */
	int condition;                 /* index, or -1 */
	size_t *depends_on;            /* explicit, as resource indexes */
	size_t n_depends_on;
};
struct template_output {
	struct str name, description;
	const struct json *value, *export_name; /* export_name NULL: not exported */
	int condition;
};
struct template_rule {
	struct str name;
	const struct json *condition;  /* NULL: always */
	const struct json *assertions; /* array */
};
struct template_name {
	struct str name;
	enum template_kind kind;
	size_t i;
};
struct template
{
	struct arena *arena;
	const struct json *root; /* after transforms; key order of the text */
	bool yaml;
	struct str description; /* absent: none */
	bool language_extensions;
	struct str_list transforms;
	struct template_parameter *parameters;
	struct template_condition *conditions;
	struct template_resource *resources;
	struct template_output *outputs;
	struct template_rule *rules;
	size_t n_parameters, n_conditions, n_resources, n_outputs, n_rules;
	const struct json *mappings, *metadata; /* objects or NULL */
	size_t *condition_order;                /* each after those it names */
	struct template_name *names;            /* sorted */
	size_t n_names;
};

/* template_read turns JSON or YAML text into one tree without judging it: short forms become long forms (json.tag tells),
 * duplicate keys, aliases, null values and nesting beyond TEMPLATE_DEPTH_MAX are refused. */
int template_read(struct arena *a, struct str text, struct json **ret, bool *ret_yaml, struct str *ret_err);

/* template_parse reads and checks a whole template. params (may be NULL) are the values given so far; only Fn::ForEach
 * over a list parameter looks at them. The text must live as long as the template. */
int template_parse(struct arena *a, struct str text, const struct str_map *params, struct template **ret, struct str *ret_err);

/* template_find returns what a logical name means. */
enum template_kind template_find(const struct template *t, struct str name, size_t *ret_i);

/* --- what the outside world answers --- */

enum template_dynamic_kind { TEMPLATE_SSM, TEMPLATE_SSM_SECURE, TEMPLATE_SECRETSMANAGER };
struct template_dynamic { /* one {{resolve:...}}; parts not given are absent */
	enum template_dynamic_kind kind;
	struct str text;            /* as written, with its braces */
	struct str name;            /* parameter's name, secret's name or ARN */
	struct str version;         /* ssm: number; secretsmanager: version id */
	struct str json_key, stage; /* secretsmanager */
};
/* Every call may be NULL: what needs it is refused then. They return 0, -ENOENT (there is no such thing; the sentence
 * is made here), -EINVAL after template_fail, or another negative errno that is passed on (-EAGAIN: not known yet). */
struct template_calls {
	int (*ref)(void *user, size_t resource, struct str *ret); /* physical id, or what Ref gives */
	int (*getatt)(void *user, size_t resource, struct str attribute, struct json **ret);
	int (*import)(void *user, struct str name, struct str *ret);
	int (*zones)(void *user, struct str region, struct str_list *ret);
	int (*dynamic)(void *user, const struct template_dynamic *d, struct str *ret);
	int (*ssm)(void *user, struct str name, struct str *ret);     /* AWS::SSM::Parameter::Value<> */
	int (*exists)(void *user, struct str type, struct str value); /* AWS-specific parameter types; NULL: not checked */
	int (*value_of)(void *user, struct str type, struct str value, struct str attribute, struct str *ret); /* Fn::ValueOf */
};
struct template_env { /* pseudo parameters */
	struct str account, region, partition, url_suffix, stack_id, stack_name;
	struct str_list notification_arns;
};
struct template_value {
	struct str text;         /* as given, previous, or default; for SSM types the name */
	struct str resolved;     /* SSM types: the value found; else equal to text */
	const struct json *json; /* what Ref gives: a string, or a list of strings */
};
struct template_ctx {
	struct arena *arena;
	const struct template *tpl;
	struct template_env env;
	const struct template_calls *calls;
	void *user;
	const struct template_value *values; /* by parameter */
	struct str unknown;                  /* a parameter whose value holds this is not known yet, and not judged; absent: all are */
	struct str err;                      /* the sentence, after -EINVAL */
	/* from here on private */
	int8_t *conditions; /* by condition; -1: not yet evaluated */
	size_t used_bytes;
	bool in_rule;
};
/* template_fail sets the context's sentence and returns -EINVAL; for the calls. */
int template_fail(struct template_ctx *c, const char *fmt, ...) _printf_(2, 3);

/* --- parameters --- */

struct template_supplied {
	struct str key, value;
	bool use_previous;
};
/* template_values decides each parameter's value (given, previous, default), resolves SSM types, checks constraints and
 * sets c->values. previous maps names to texts of the last operation (NULL: there was none). */
int template_values(struct template_ctx *c, const struct template_supplied *given, size_t n_given, const struct str_map *previous);

/* --- evaluation --- */

/* template_begin evaluates all conditions and refuses references to resources whose condition is false. */
int template_begin(struct template_ctx *c);
bool template_active(const struct template_ctx *c, size_t resource);
bool template_output_active(const struct template_ctx *c, size_t output);
int template_check_rules(struct template_ctx *c);

/* template_eval resolves all functions in j. 0, 1 when the whole is AWS::NoValue (*ret untouched), or negative.
 * Dynamic references stay as they are. */
int template_eval(struct template_ctx *c, const struct json *j, struct json **ret);
/* template_eval_resource: the resolved Properties, always an object. */
int template_eval_resource(struct template_ctx *c, size_t resource, struct json **ret);
/* template_eval_attribute: another attribute of a resource (Metadata, UpdatePolicy...); *ret NULL when not given. */
int template_eval_attribute(struct template_ctx *c, size_t resource, const char *attribute, struct json **ret);
int template_eval_output(struct template_ctx *c, size_t output, struct str *ret_value, struct str *ret_export);
/* template_policies: DeletionPolicy and UpdateReplacePolicy in effect. */
int template_policies(struct template_ctx *c, size_t resource, enum template_policy *ret_delete, enum template_policy *ret_replace);
/* template_resolve_dynamic returns a copy of j with each {{resolve:...}} replaced by what calls->dynamic says. The copy
 * may hold secrets. Values are not looked at again. */
int template_resolve_dynamic(struct template_ctx *c, const struct json *j, struct json **ret);

/* --- order --- */

struct template_node {
	size_t *deps, n_deps; /* what must exist before; sorted, no duplicates, only active ones */
	size_t *dependents, n_dependents;
};
struct template_graph {
	struct template_node *nodes; /* by resource */
	size_t n;
	size_t *order; /* the active ones, each after its dependencies; go backwards to delete */
	size_t n_order;
};
/* template_graph: dependencies through Ref, Fn::GetAtt, Fn::Sub (taken branches of Fn::If only) and DependsOn. */
int template_graph(struct template_ctx *c, struct template_graph *ret);

/* --- changes --- */

enum template_action { TEMPLATE_ADD, TEMPLATE_MODIFY, TEMPLATE_REMOVE };
enum template_scope {
	TEMPLATE_SCOPE_PROPERTIES = 1,
	TEMPLATE_SCOPE_METADATA = 2,
	TEMPLATE_SCOPE_CREATION_POLICY = 4,
	TEMPLATE_SCOPE_UPDATE_POLICY = 8,
	TEMPLATE_SCOPE_DELETION_POLICY = 16,
	TEMPLATE_SCOPE_UPDATE_REPLACE_POLICY = 32,
	TEMPLATE_SCOPE_TAGS = 64,
};
enum template_source { TEMPLATE_DIRECT, TEMPLATE_BY_PARAMETER, TEMPLATE_BY_RESOURCE, TEMPLATE_BY_ATTRIBUTE };
struct template_detail { /* one changed property, or another attribute */
	enum template_scope scope;
	struct str property;               /* absent outside Properties */
	const struct json *before, *after; /* evaluated; NULL: not there */
	enum template_source source;
	struct str cause; /* parameter, resource, or Resource.Attribute; absent when direct */
};
struct template_change {
	enum template_action action;
	struct str id, type;
	bool type_changed; /* MODIFY that must replace, whatever the type says */
	int before, after; /* resource index in the old and new template, or -1 */
	unsigned scopes;   /* of enum template_scope */
	struct template_detail *details;
	size_t n_details;
};
/* template_changes compares two begun contexts, each evaluated against its own calls; in the new template's order, what
 * is removed last. Unchanged resources are not listed. from may be NULL: everything is added. The arena is to's. */
int template_changes(struct template_ctx *from, struct template_ctx *to, struct template_change **ret, size_t *ret_n);
/* template_property_changes lists the names of members that differ between two objects (each may be NULL). */
size_t template_property_changes(struct arena *a, const struct json *before, const struct json *after, struct str **ret);

/* --- summary, for ValidateTemplate and GetTemplateSummary --- */

struct template_summary {
	struct str_list resource_types; /* sorted, each once */
	struct str_list capabilities;   /* CAPABILITY_NAMED_IAM or CAPABILITY_IAM; CAPABILITY_AUTO_EXPAND */
	struct str capabilities_reason; /* absent: none needed */
};
void template_summary(struct arena *a, const struct template *t, struct template_summary *ret);
