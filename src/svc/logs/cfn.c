/* SPDX-License-Identifier: Apache-2.0 */
/* cfn.c - AWS::Logs::LogGroup, LogStream, SubscriptionFilter, ResourcePolicy and QueryDefinition. */
#include "cfn/type.h"
#include "svc/logs/logs_int.h"
#include <errno.h>

static struct json *named(struct cfn_resource *r, struct str name)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);

	json_set_str(r->arena, p, "logGroupName", name);
	return p;
}

static struct str group_arn(struct cfn_resource *r, struct str name)
{
	return str_printf(r->arena, "arn:%.*s:logs:%.*s:%.*s:log-group:%.*s", STR(r->partition), STR(r->region), STR(r->account),
			  STR(name));
}

/* The group's tags as a map; those that CloudFormation itself sets are not for callers of this API. */
static struct json *tag_map(struct cfn_resource *r, const struct json *list)
{
	struct json *out = json_new(r->arena, JSON_OBJECT);

	for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->n; i++) {
		struct str key = json_get_str(&list->items[i], "Key");

		if (!str_starts(key, S("aws:")))
			json_set(r->arena, out, key, json_new_str(r->arena, json_get_str(&list->items[i], "Value")));
	}
	return out;
}

static int set_retention(struct cfn_resource *r, struct str name)
{
	const struct json *days = json_getz(r->props, "RetentionInDays");
	struct json *p = named(r, name);

	if (days)
		json_set(r->arena, p, S("retentionInDays"), days);
	if (!days && (!r->old_props || !json_getz(r->old_props, "RetentionInDays")))
		return 0;
	return cfn_call(r, "logs", days ? "PutRetentionPolicy" : "DeleteRetentionPolicy", p, NULL, NULL);
}

static void group_attributes(struct cfn_resource *r, struct str name)
{
	r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	json_set_str(r->arena, r->ret_attrs, "Arn", str_printf(r->arena, "%.*s:*", STR(group_arn(r, name))));
}

static int group_create(struct cfn_resource *r)
{
	struct str name = json_get_str(r->props, "LogGroupName"), code = STR_NONE;
	struct json *p, *tags = tag_map(r, cfn_tags(r));
	bool again = r->physical_id.p;
	int e;

	if (!name.p)
		name = cfn_name(r, 512, false);
	p = named(r, name);
	json_set_str(r->arena, p, "kmsKeyId", json_get_str(r->props, "KmsKeyId"));
	json_set_str(r->arena, p, "logGroupClass", json_get_str(r->props, "LogGroupClass"));
	if (json_getz(r->props, "DeletionProtectionEnabled"))
		json_set_bool(r->arena, p, "deletionProtectionEnabled",
			      json_to_bool(json_getz(r->props, "DeletionProtectionEnabled"), false));
	if (tags->n)
		json_set(r->arena, p, S("tags"), tags);
	e = cfn_note_physical(r, name); /* stored with the call's effect */
	if (e == 0)
		e = cfn_call(r, "logs", "CreateLogGroup", p, NULL, &code);
	if (e < 0 && !(again && str_is(code, "ResourceAlreadyExistsException")))
		return e;
	e = set_retention(r, name);
	r->ret_physical_id = name;
	group_attributes(r, name);
	return e;
}

static bool changed(struct cfn_resource *r, const char *name)
{
	return !json_equal(json_getz(r->props, name), json_getz(r->old_props, name));
}

static int retag(struct cfn_resource *r)
{
	struct json *old = tag_map(r, json_getz(r->old_props, "Tags")), *now = tag_map(r, cfn_tags(r)),
		    *gone = json_new(r->arena, JSON_ARRAY), *p = json_new(r->arena, JSON_OBJECT);
	int e = 0;

	json_set_str(r->arena, p, "resourceArn", group_arn(r, r->physical_id));
	for (size_t i = 0; i < old->n; i++)
		if (!json_get(now, old->members[i].key))
			json_push(r->arena, gone, json_new_str(r->arena, old->members[i].key));
	if (gone->n) {
		json_set(r->arena, p, S("tagKeys"), gone);
		e = cfn_call(r, "logs", "UntagResource", p, NULL, NULL);
		json_remove(p, S("tagKeys"));
	}
	if (e == 0 && now->n) {
		json_set(r->arena, p, S("tags"), now);
		e = cfn_call(r, "logs", "TagResource", p, NULL, NULL);
	}
	return e;
}

/* "Updates are not supported", and another group in its place would be an empty one. What counts is what the group is: a
 * rollback asks for what it has been all the time. */
static int same_class(struct cfn_resource *r)
{
	struct str want = json_get_str(r->props, "LogGroupClass");
	struct json *p = json_new(r->arena, JSON_OBJECT), *names = json_new(r->arena, JSON_ARRAY), *out;
	const struct json *groups;
	int e;

	json_push(r->arena, names, json_new_str(r->arena, r->physical_id));
	json_set(r->arena, p, S("logGroupIdentifiers"), names);
	e = cfn_call(r, "logs", "DescribeLogGroups", p, &out, NULL);
	if (e < 0)
		return e;
	groups = json_getz(out, "logGroups");
	if (groups && groups->n == 1 && str_eq(json_get_str(&groups->items[0], "logGroupClass"), want.p ? want : S("STANDARD")))
		return 0;
	return cfn_fail(r, "Resource handler returned message: \"LogGroupClass of a log group cannot be changed.\"");
}

static int group_update(struct cfn_resource *r)
{
	struct str key = json_get_str(r->props, "KmsKeyId");
	struct json *p = named(r, r->physical_id);
	int e = 0;

	if (changed(r, "LogGroupClass"))
		e = same_class(r);
	if (e == 0 && changed(r, "RetentionInDays"))
		e = set_retention(r, r->physical_id);
	if (e == 0 && changed(r, "KmsKeyId")) {
		json_set_str(r->arena, p, "kmsKeyId", key);
		e = cfn_call(r, "logs", key.p ? "AssociateKmsKey" : "DisassociateKmsKey", p, NULL, NULL);
	}
	if (e == 0 && changed(r, "DeletionProtectionEnabled")) {
		p = json_new(r->arena, JSON_OBJECT);
		json_set_str(r->arena, p, "logGroupIdentifier", r->physical_id);
		json_set_bool(r->arena, p, "deletionProtectionEnabled",
			      json_to_bool(json_getz(r->props, "DeletionProtectionEnabled"), false));
		e = cfn_call(r, "logs", "PutLogGroupDeletionProtection", p, NULL, NULL);
	}
	if (e == 0)
		e = retag(r);
	group_attributes(r, r->physical_id);
	return e;
}

static int group_delete(struct cfn_resource *r)
{
	struct str code = STR_NONE;
	int e = cfn_call(r, "logs", "DeleteLogGroup", named(r, r->physical_id), NULL, &code);

	return str_is(code, "ResourceNotFoundException") ? 0 : e;
}

static const struct cfn_property group_properties[] = {
	{ "DeletionProtectionEnabled", CFN_UPDATE, false },
	{ "KmsKeyId", CFN_UPDATE, false },
	{ "LogGroupClass", CFN_UPDATE, false },
	{ "LogGroupName", CFN_REPLACE, false },
	{ "RetentionInDays", CFN_UPDATE, false },
	{ "Tags", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const char *const group_attrs[] = { "Arn", NULL };
static const struct cfn_type group_type = {
	.name = "AWS::Logs::LogGroup",
	.properties = group_properties,
	.attributes = group_attrs,
	.name_property = "LogGroupName",
	.create = group_create,
	.update = group_update,
	.delete = group_delete,
	.reader = &logs_group_reader,
};

/* --- streams: "GROUP|STREAM" is the type's identifier, the stream's name its reference --- */
static int stream_create(struct cfn_resource *r)
{
	struct str name = json_get_str(r->props, "LogStreamName"), code = STR_NONE;
	struct json *p = named(r, json_get_str(r->props, "LogGroupName"));
	bool again = r->physical_id.p;
	int e;

	if (!name.p)
		name = cfn_name(r, 512, false);
	json_set_str(r->arena, p, "logStreamName", name);
	e = cfn_note_physical(r, name);
	if (e == 0)
		e = cfn_call(r, "logs", "CreateLogStream", p, NULL, &code);
	r->ret_physical_id = name;
	return again && str_is(code, "ResourceAlreadyExistsException") ? 0 : e;
}

static int stream_delete(struct cfn_resource *r)
{
	struct json *p = named(r, json_get_str(r->old_props, "LogGroupName"));
	struct str code = STR_NONE;
	int e;

	json_set_str(r->arena, p, "logStreamName", r->physical_id);
	e = cfn_call(r, "logs", "DeleteLogStream", p, NULL, &code);
	return str_is(code, "ResourceNotFoundException") ? 0 : e;
}

static const struct cfn_property stream_properties[] = {
	{ "LogGroupName", CFN_REPLACE, true },
	{ "LogStreamName", CFN_REPLACE, false },
	{ NULL, 0, false },
};
static const struct cfn_type stream_type = {
	.name = "AWS::Logs::LogStream",
	.properties = stream_properties,
	.name_property = "LogStreamName",
	.create = stream_create,
	.delete = stream_delete,
};

/* --- subscription filters --- */
static int filter_put(struct cfn_resource *r, struct str name)
{
	static const char *const same[][2] = { { "LogGroupName", "logGroupName" },
					       { "FilterPattern", "filterPattern" },
					       { "DestinationArn", "destinationArn" },
					       { "RoleArn", "roleArn" },
					       { "Distribution", "distribution" },
					       { "ApplyOnTransformedLogs", "applyOnTransformedLogs" },
					       { "FieldSelectionCriteria", "fieldSelectionCriteria" },
					       { "EmitSystemFields", "emitSystemFields" } };
	struct json *p = json_new(r->arena, JSON_OBJECT);

	for (size_t i = 0; i < ELEMENTS(same); i++)
		if (json_getz(r->props, same[i][0]))
			json_set(r->arena, p, str_c(same[i][1]), json_getz(r->props, same[i][0]));
	json_set_str(r->arena, p, "filterName", name);
	return cfn_call(r, "logs", "PutSubscriptionFilter", p, NULL, NULL);
}

static int filter_create(struct cfn_resource *r)
{
	struct str name = json_get_str(r->props, "FilterName");
	int e;

	if (!name.p)
		name = cfn_name(r, 512, false);
	e = cfn_note_physical(r, name);
	r->ret_physical_id = name;
	return e < 0 ? e : filter_put(r, name);
}

static int filter_update(struct cfn_resource *r)
{
	return filter_put(r, r->physical_id);
}

static int filter_delete(struct cfn_resource *r)
{
	struct json *p = named(r, json_get_str(r->old_props, "LogGroupName"));
	struct str code = STR_NONE;
	int e;

	json_set_str(r->arena, p, "filterName", r->physical_id);
	e = cfn_call(r, "logs", "DeleteSubscriptionFilter", p, NULL, &code);
	return str_is(code, "ResourceNotFoundException") ? 0 : e;
}

static const struct cfn_property filter_properties[] = {
	{ "ApplyOnTransformedLogs", CFN_UPDATE, false },
	{ "DestinationArn", CFN_UPDATE, true },
	{ "Distribution", CFN_UPDATE, false },
	{ "EmitSystemFields", CFN_UPDATE, false },
	{ "FieldSelectionCriteria", CFN_UPDATE, false },
	{ "FilterName", CFN_REPLACE, false },
	{ "FilterPattern", CFN_UPDATE, true },
	{ "LogGroupName", CFN_REPLACE, true },
	{ "RoleArn", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const struct cfn_type filter_type = {
	.name = "AWS::Logs::SubscriptionFilter",
	.properties = filter_properties,
	.name_property = "FilterName",
	.create = filter_create,
	.update = filter_update,
	.delete = filter_delete,
	.reader = &logs_filter_reader,
};

/* --- resource policies --- */
static int policy_put(struct cfn_resource *r)
{
	const struct json *doc = json_getz(r->props, "PolicyDocument");
	struct json *p = json_new(r->arena, JSON_OBJECT);

	json_set_str(r->arena, p, "policyName", json_get_str(r->props, "PolicyName"));
	json_set_str(r->arena, p, "policyDocument", json_is(doc, JSON_OBJECT) ? json_text(r->arena, doc) : json_str(doc));
	return cfn_call(r, "logs", "PutResourcePolicy", p, NULL, NULL);
}

static int policy_create(struct cfn_resource *r)
{
	r->ret_physical_id = json_get_str(r->props, "PolicyName");
	return cfn_note_physical(r, r->ret_physical_id) < 0 ? -EIO : policy_put(r);
}

static int policy_delete(struct cfn_resource *r)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);
	struct str code = STR_NONE;
	int e;

	json_set_str(r->arena, p, "policyName", r->physical_id);
	e = cfn_call(r, "logs", "DeleteResourcePolicy", p, NULL, &code);
	return str_is(code, "ResourceNotFoundException") ? 0 : e;
}

static const struct cfn_property policy_properties[] = {
	{ "PolicyDocument", CFN_UPDATE, true },
	{ "PolicyName", CFN_REPLACE, true },
	{ NULL, 0, false },
};
static const struct cfn_type policy_type = {
	.name = "AWS::Logs::ResourcePolicy",
	.properties = policy_properties,
	.name_property = "PolicyName",
	.create = policy_create,
	.update = policy_put,
	.delete = policy_delete,
	.reader = &logs_policy_reader,
};

/* --- query definitions: their id is their reference --- */
static int query_put(struct cfn_resource *r, struct json **ret)
{
	static const char *const same[][2] = { { "Name", "name" }, { "QueryString", "queryString" }, { "LogGroupNames", "logGroupNames" } };
	struct json *p = json_new(r->arena, JSON_OBJECT);

	for (size_t i = 0; i < ELEMENTS(same); i++)
		if (json_getz(r->props, same[i][0]))
			json_set(r->arena, p, str_c(same[i][1]), json_getz(r->props, same[i][0]));
	if (r->physical_id.p)
		json_set_str(r->arena, p, "queryDefinitionId", r->physical_id);
	else
		json_set_str(r->arena, p, "clientToken",
			     str_printf(r->arena, "cloudformation-query-definition-%.*s", STR(cfn_name(r, 64, false))));
	return cfn_call(r, "logs", "PutQueryDefinition", p, ret, NULL);
}

static int query_create(struct cfn_resource *r)
{
	struct json *out;
	int e = query_put(r, &out);

	if (e < 0)
		return e;
	r->ret_physical_id = r->physical_id.p ? r->physical_id : json_get_str(out, "queryDefinitionId");
	r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	json_set_str(r->arena, r->ret_attrs, "QueryDefinitionId", r->ret_physical_id);
	return 0;
}

static int query_update(struct cfn_resource *r)
{
	return query_put(r, NULL);
}

static int query_delete(struct cfn_resource *r)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);
	struct str code = STR_NONE;
	int e;

	json_set_str(r->arena, p, "queryDefinitionId", r->physical_id);
	e = cfn_call(r, "logs", "DeleteQueryDefinition", p, NULL, &code);
	return str_is(code, "ResourceNotFoundException") ? 0 : e;
}

static const struct cfn_property query_properties[] = {
	{ "LogGroupNames", CFN_UPDATE, false },
	{ "Name", CFN_UPDATE, true },
	{ "QueryString", CFN_UPDATE, true },
	{ NULL, 0, false },
};
static const char *const query_attrs[] = { "QueryDefinitionId", NULL };
static const struct cfn_type query_type = {
	.name = "AWS::Logs::QueryDefinition",
	.properties = query_properties,
	.attributes = query_attrs,
	.create = query_create,
	.update = query_update,
	.delete = query_delete,
};

const struct cfn_type *const logs_cfn[] = { &group_type, &stream_type, &filter_type, &policy_type, &query_type, NULL };
