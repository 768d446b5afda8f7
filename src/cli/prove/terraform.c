/* SPDX-License-Identifier: Apache-2.0 */
/* terraform.c - what a Terraform configuration has deployed, told as a stack: its resources under the names that
 * CloudFormation has for them, with their values as literals, so that every attack finds what it looks for.
 *
 * Read is the output of `terraform show -json` ("Terraform: JSON Output Format") or a state file of version 4. A provider
 * writes no region into most resources: it is taken from an ARN, else from what the resource belongs to, else from the
 * other resources of its module. What has no counterpart here is counted and named, never taken for proved. */
#include "cli/cli.h"
#include "cli/prove/prove.h"
#include <errno.h>

#define MODULES_DEEP_MAX 32
#define WAIVE_TAG "cloudkeep:waive:"

struct tf_resource {
	struct str address, module, type, region;
	const struct json *values;
	bool used;
};
struct tf {
	struct prove *p;
	struct arena *a;
	struct tf_resource *v;
	size_t n, cap;
};
/* A row of the mapping below. */
enum tf_kind { TF_COPY, TF_JSON, TF_TAGS, TF_SCALAR };
struct tf_attr {
	const char *from, *to;
	enum tf_kind kind;
};
struct tf_type {
	const char *type, *cfn, *physical;
	struct tf_attr attrs[12];
};

static const struct tf_type types[] = {
	{ "aws_vpc", "AWS::EC2::VPC", "id", { { "cidr_block", "CidrBlock", TF_COPY }, { "tags", "Tags", TF_TAGS } } },
	{ "aws_subnet",
	  "AWS::EC2::Subnet",
	  "id",
	  { { "vpc_id", "VpcId", TF_COPY },
	    { "cidr_block", "CidrBlock", TF_COPY },
	    { "availability_zone", "AvailabilityZone", TF_COPY },
	    { "map_public_ip_on_launch", "MapPublicIpOnLaunch", TF_COPY },
	    { "tags", "Tags", TF_TAGS } } },
	{ "aws_internet_gateway", "AWS::EC2::InternetGateway", "id", { { "tags", "Tags", TF_TAGS } } },
	{ "aws_route_table", "AWS::EC2::RouteTable", "id", { { "vpc_id", "VpcId", TF_COPY }, { "tags", "Tags", TF_TAGS } } },
	{ "aws_route",
	  "AWS::EC2::Route",
	  "id",
	  { { "route_table_id", "RouteTableId", TF_SCALAR },
	    { "destination_cidr_block", "DestinationCidrBlock", TF_SCALAR },
	    { "destination_ipv6_cidr_block", "DestinationIpv6CidrBlock", TF_SCALAR },
	    { "gateway_id", "GatewayId", TF_SCALAR },
	    { "nat_gateway_id", "NatGatewayId", TF_SCALAR } } },
	{ "aws_route_table_association",
	  "AWS::EC2::SubnetRouteTableAssociation",
	  "id",
	  { { "subnet_id", "SubnetId", TF_SCALAR }, { "route_table_id", "RouteTableId", TF_SCALAR } } },
	{ "aws_security_group",
	  "AWS::EC2::SecurityGroup",
	  "id",
	  { { "description", "GroupDescription", TF_COPY },
	    { "name", "GroupName", TF_COPY },
	    { "vpc_id", "VpcId", TF_COPY },
	    { "tags", "Tags", TF_TAGS } } },
	{ "aws_vpc_endpoint",
	  "AWS::EC2::VPCEndpoint",
	  "id",
	  { { "service_name", "ServiceName", TF_COPY },
	    { "vpc_id", "VpcId", TF_COPY },
	    { "vpc_endpoint_type", "VpcEndpointType", TF_COPY },
	    { "subnet_ids", "SubnetIds", TF_COPY },
	    { "security_group_ids", "SecurityGroupIds", TF_COPY },
	    { "private_dns_enabled", "PrivateDnsEnabled", TF_COPY },
	    { "policy", "PolicyDocument", TF_JSON } } },
	{ "aws_kms_key",
	  "AWS::KMS::Key",
	  "key_id",
	  { { "description", "Description", TF_COPY },
	    { "enable_key_rotation", "EnableKeyRotation", TF_COPY },
	    { "policy", "KeyPolicy", TF_JSON },
	    { "tags", "Tags", TF_TAGS } } },
	{ "aws_kms_alias", "AWS::KMS::Alias", "name", { { "name", "AliasName", TF_COPY }, { "target_key_id", "TargetKeyId", TF_COPY } } },
	{ "aws_iam_role",
	  "AWS::IAM::Role",
	  "name",
	  { { "name", "RoleName", TF_COPY },
	    { "path", "Path", TF_COPY },
	    { "description", "Description", TF_COPY },
	    { "permissions_boundary", "PermissionsBoundary", TF_SCALAR },
	    { "assume_role_policy", "AssumeRolePolicyDocument", TF_JSON },
	    { "tags", "Tags", TF_TAGS } } },
	{ "aws_iam_policy",
	  "AWS::IAM::ManagedPolicy",
	  "arn",
	  { { "name", "ManagedPolicyName", TF_COPY }, { "path", "Path", TF_COPY }, { "policy", "PolicyDocument", TF_JSON } } },
	{ "aws_s3_bucket", "AWS::S3::Bucket", "id", { { "bucket", "BucketName", TF_COPY }, { "tags", "Tags", TF_TAGS } } },
	{ "aws_s3_bucket_policy",
	  "AWS::S3::BucketPolicy",
	  "id",
	  { { "bucket", "Bucket", TF_COPY }, { "policy", "PolicyDocument", TF_JSON } } },
	{ "aws_cloudwatch_log_group",
	  "AWS::Logs::LogGroup",
	  "name",
	  { { "name", "LogGroupName", TF_COPY },
	    { "kms_key_id", "KmsKeyId", TF_SCALAR },
	    { "retention_in_days", "RetentionInDays", TF_COPY },
	    { "tags", "Tags", TF_TAGS } } },
	{ "aws_ssm_parameter",
	  "AWS::SSM::Parameter",
	  "name",
	  { { "name", "Name", TF_COPY }, { "type", "Type", TF_COPY }, { "key_id", "KeyId", TF_SCALAR }, { "tags", "Tags", TF_TAGS } } },
	{ "aws_api_gateway_rest_api",
	  "AWS::ApiGateway::RestApi",
	  "id",
	  { { "name", "Name", TF_COPY },
	    { "description", "Description", TF_COPY },
	    { "policy", "Policy", TF_JSON },
	    { "tags", "Tags", TF_TAGS } } },
	{ "aws_lambda_function",
	  "AWS::Lambda::Function",
	  "function_name",
	  { { "function_name", "FunctionName", TF_COPY },
	    { "role", "Role", TF_COPY },
	    { "runtime", "Runtime", TF_COPY },
	    { "handler", "Handler", TF_COPY } } },
	{ "aws_lambda_permission",
	  "AWS::Lambda::Permission",
	  "id",
	  { { "function_name", "FunctionName", TF_COPY },
	    { "action", "Action", TF_COPY },
	    { "principal", "Principal", TF_COPY },
	    { "source_arn", "SourceArn", TF_SCALAR },
	    { "source_account", "SourceAccount", TF_SCALAR } } },
	{ "aws_iam_account_password_policy",
	  PROVE_PASSWORD_POLICY,
	  "id",
	  { { "minimum_password_length", "MinimumPasswordLength", TF_COPY },
	    { "require_symbols", "RequireSymbols", TF_COPY },
	    { "require_numbers", "RequireNumbers", TF_COPY },
	    { "require_uppercase_characters", "RequireUppercaseCharacters", TF_COPY },
	    { "require_lowercase_characters", "RequireLowercaseCharacters", TF_COPY },
	    { "allow_users_to_change_password", "AllowUsersToChangePassword", TF_COPY },
	    { "hard_expiry", "HardExpiry", TF_COPY },
	    { "password_reuse_prevention", "PasswordReusePrevention", TF_COPY },
	    { "max_password_age", "MaxPasswordAge", TF_COPY } } },
};

/* Attributes that name what a resource belongs to: it is in the same region. */
static const char *const owners[] = { "bucket",    "vpc_id",        "subnet_id",   "route_table_id", "security_group_id", "role",
				      "user",      "target_key_id", "rest_api_id", "function_name",  "vpc_endpoint_id",   "group_name",
				      "api_key_id" };

static struct str value(const struct tf_resource *r, const char *name)
{
	return json_get_str(r->values, name);
}

/* --- reading the file --- */
static void add_resource(struct tf *t, struct str address, struct str module, struct str type, const struct json *values)
{
	struct tf_resource r = { address, module, type, STR_NONE, values, false };

	if (type.p && json_is(values, JSON_OBJECT))
		vec_push(t->a, t->v, t->n, t->cap) = r;
}

static int read_module(struct tf *t, const struct json *m, int deep)
{
	const struct json *list = json_getz(m, "resources"), *children = json_getz(m, "child_modules");
	struct str module = json_get_str(m, "address");

	if (deep > MODULES_DEEP_MAX)
		return -E2BIG;
	for (size_t i = 0; i < (json_is(list, JSON_ARRAY) ? list->n : 0); i++)
		if (str_is(json_get_str(&list->items[i], "mode"), "managed"))
			add_resource(t, json_get_str(&list->items[i], "address"), module.p ? module : S(""),
				     json_get_str(&list->items[i], "type"), json_getz(&list->items[i], "values"));
	for (size_t i = 0; i < (json_is(children, JSON_ARRAY) ? children->n : 0); i++) {
		int r = read_module(t, &children->items[i], deep + 1);

		if (r < 0)
			return r;
	}
	return 0;
}

static void read_state(struct tf *t, const struct json *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct json *r = &list->items[i], *many = json_getz(r, "instances");
		struct str module = json_get_str(r, "module"), type = json_get_str(r, "type");

		if (!str_is(json_get_str(r, "mode"), "managed"))
			continue;
		if (!module.p)
			module = S("");
		for (size_t k = 0; k < (json_is(many, JSON_ARRAY) ? many->n : 0); k++) {
			struct str index = json_text(t->a, json_getz(&many->items[k], "index_key") ? json_getz(&many->items[k], "index_key")
												   : json_new_str(t->a, S("")));
			bool indexed = json_getz(&many->items[k], "index_key") != NULL;

			add_resource(t,
				     str_printf(t->a, "%.*s%s%.*s.%.*s%s%.*s%s", STR(module), module.n ? "." : "", STR(type),
						STR(json_get_str(r, "name")), indexed ? "[" : "", indexed ? (int)index.n : 0, index.p,
						indexed ? "]" : ""),
				     module, type, json_getz(&many->items[k], "attributes"));
		}
	}
}

/* --- regions --- */
static struct str arn_region(struct str arn)
{
	struct str rest = arn, f[4];

	for (size_t i = 0; i < ELEMENTS(f); i++)
		if (!str_starts(arn, S("arn:")) || !str_next(&rest, ':', &f[i]))
			return STR_NONE;
	return f[3].n ? f[3] : STR_NONE;
}

static bool is_id_of(const struct tf_resource *r, struct str id)
{
	static const char *const names[] = { "id", "arn", "name", "key_id", "bucket" };

	for (size_t i = 0; i < ELEMENTS(names); i++)
		if (str_eq(value(r, names[i]), id))
			return true;
	return false;
}

static struct str owner_region(const struct tf *t, const struct tf_resource *r)
{
	for (size_t k = 0; k < ELEMENTS(owners); k++) {
		struct str id = value(r, owners[k]);

		for (size_t i = 0; id.n && i < t->n; i++)
			if (&t->v[i] != r && t->v[i].region.p && is_id_of(&t->v[i], id))
				return t->v[i].region;
	}
	return STR_NONE;
}

static struct str module_region(const struct tf *t, const struct tf_resource *r)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].region.p && str_eq(t->v[i].module, r->module))
			return t->v[i].region;
	return STR_NONE;
}

static void find_regions(struct tf *t)
{
	for (size_t i = 0; i < t->n; i++) {
		t->v[i].region = arn_region(value(&t->v[i], "arn"));
		if (!t->v[i].region.p && str_is(t->v[i].type, "aws_s3_bucket"))
			t->v[i].region = value(&t->v[i], "region");
	}
	for (size_t i = 0; i < t->n; i++)
		if (!t->v[i].region.p)
			t->v[i].region = owner_region(t, &t->v[i]);
	for (size_t i = 0; i < t->n; i++)
		if (!t->v[i].region.p)
			t->v[i].region = module_region(t, &t->v[i]);
	for (size_t i = 0; i < t->n; i++) /* what is global and stands alone: where the first of all is */
		for (size_t k = 0; k < t->n && !t->v[i].region.p; k++)
			t->v[i].region = t->v[k].region;
}

/* --- properties --- */
static struct json *parsed(struct tf *t, struct str text)
{
	struct json *j = NULL;

	return text.n && json_parse(t->a, text, &j, NULL) == 0 ? j : NULL;
}

static void copy_attr(struct tf *t, struct json *props, const struct tf_attr *m, const struct json *v)
{
	struct json *out = NULL;

	if (!v || json_is(v, JSON_NULL))
		return;
	switch (m->kind) {
	case TF_COPY:
		out = json_copy(t->a, v);
		break;
	case TF_SCALAR: /* a provider's "not set" is an empty text */
		out = json_scalar(v).n ? json_copy(t->a, v) : NULL;
		break;
	case TF_JSON:
		out = parsed(t, json_str(v));
		break;
	case TF_TAGS:
		out = json_new(t->a, JSON_ARRAY);
		for (size_t i = 0; json_is(v, JSON_OBJECT) && i < v->n; i++) {
			struct json *tag = json_new(t->a, JSON_OBJECT);

			json_set_str(t->a, tag, "Key", v->members[i].key);
			json_set_str(t->a, tag, "Value", json_scalar(&v->members[i].value));
			json_push(t->a, out, tag);
		}
		break;
	}
	if (out)
		json_set(t->a, props, str_c(m->to), out);
}

static void add_rules(struct tf *t, struct json *list, const struct json *rule, bool ingress)
{
	static const struct {
		const char *from, *in, *out;
	} peers[] = { { "cidr_blocks", "CidrIp", "CidrIp" },
		      { "ipv6_cidr_blocks", "CidrIpv6", "CidrIpv6" },
		      { "security_groups", "SourceSecurityGroupId", "DestinationSecurityGroupId" },
		      { "prefix_list_ids", "SourcePrefixListId", "DestinationPrefixListId" },
		      { "cidr_ipv4", "CidrIp", "CidrIp" },
		      { "cidr_ipv6", "CidrIpv6", "CidrIpv6" },
		      { "source_security_group_id", "SourceSecurityGroupId", "DestinationSecurityGroupId" },
		      { "referenced_security_group_id", "SourceSecurityGroupId", "DestinationSecurityGroupId" },
		      { "prefix_list_id", "SourcePrefixListId", "DestinationPrefixListId" } };
	struct str proto = json_get_str(rule, "protocol");

	if (!proto.p)
		proto = json_get_str(rule, "ip_protocol");
	for (size_t i = 0; i < ELEMENTS(peers); i++) {
		const struct json *v = json_getz(rule, peers[i].from);

		for (size_t k = 0; k < list_len(v); k++) {
			struct json *out = json_new(t->a, JSON_OBJECT);

			if (!json_scalar(list_at(v, k)).n)
				continue;
			json_set_str(t->a, out, "IpProtocol", proto);
			if (!str_is(proto, "-1")) {
				json_set_str(t->a, out, "FromPort", json_get_str(rule, "from_port"));
				json_set_str(t->a, out, "ToPort", json_get_str(rule, "to_port"));
			}
			json_set_str(t->a, out, ingress ? peers[i].in : peers[i].out, json_scalar(list_at(v, k)));
			json_push(t->a, list, out);
		}
	}
	if (json_to_bool(json_getz(rule, "self"), false)) {
		struct json *out = json_new(t->a, JSON_OBJECT);

		json_set_str(t->a, out, "IpProtocol", proto);
		json_set_str(t->a, out, ingress ? "SourceSecurityGroupId" : "DestinationSecurityGroupId",
			     json_get_str(rule, "security_group_id"));
		json_push(t->a, list, out);
	}
}

/* Rules inside a group, and those that stand beside it. */
static void group_props(struct tf *t, const struct tf_resource *g, struct json *props)
{
	struct json *lists[2] = { json_new(t->a, JSON_ARRAY), json_new(t->a, JSON_ARRAY) };

	for (int in = 0; in < 2; in++) {
		const struct json *v = json_getz(g->values, in ? "ingress" : "egress");

		for (size_t i = 0; i < list_len(v); i++)
			add_rules(t, lists[in], list_at(v, i), in);
	}
	for (size_t i = 0; i < t->n; i++) {
		struct tf_resource *r = &t->v[i];
		bool classic = str_is(r->type, "aws_security_group_rule"), in = str_is(r->type, "aws_vpc_security_group_ingress_rule");

		if ((!classic && !in && !str_is(r->type, "aws_vpc_security_group_egress_rule")) ||
		    !str_eq(value(r, "security_group_id"), value(g, "id")))
			continue;
		r->used = true;
		if (classic)
			in = str_is(value(r, "type"), "ingress");
		add_rules(t, lists[in], r->values, in);
	}
	json_set(t->a, props, S("SecurityGroupIngress"), lists[1]);
	json_set(t->a, props, S("SecurityGroupEgress"), lists[0]);
}

static void role_props(struct tf *t, const struct tf_resource *role, struct json *props)
{
	struct json *arns = json_new(t->a, JSON_ARRAY), *inline_list = json_new(t->a, JSON_ARRAY);

	for (size_t i = 0; i < t->n; i++) {
		struct tf_resource *r = &t->v[i];
		bool attached = str_is(r->type, "aws_iam_role_policy_attachment");

		if ((!attached && !str_is(r->type, "aws_iam_role_policy")) || !str_eq(value(r, "role"), value(role, "name")))
			continue;
		r->used = true;
		if (attached)
			json_push(t->a, arns, json_new_str(t->a, value(r, "policy_arn")));
		else if (parsed(t, value(r, "policy"))) {
			struct json *one = json_new(t->a, JSON_OBJECT);

			json_set_str(t->a, one, "PolicyName", value(r, "name"));
			json_set(t->a, one, S("PolicyDocument"), parsed(t, value(r, "policy")));
			json_push(t->a, inline_list, one);
		}
	}
	json_set(t->a, props, S("ManagedPolicyArns"), arns);
	json_set(t->a, props, S("Policies"), inline_list);
}

/* The first block of a list of blocks. */
static const struct json *block(const struct json *values, const char *name)
{
	const struct json *v = json_getz(values, name);

	return json_is(v, JSON_ARRAY) ? v->n ? &v->items[0] : NULL : v;
}

static void encryption_props(struct tf *t, const struct tf_resource *r, struct json *props)
{
	const struct json *rule = block(r->values, "rule"), *by = block(rule, "apply_server_side_encryption_by_default");
	struct json *dflt = json_new(t->a, JSON_OBJECT), *one = json_new(t->a, JSON_OBJECT), *all = json_new(t->a, JSON_ARRAY),
		    *enc = json_new(t->a, JSON_OBJECT);
	struct str key = json_get_str(by, "kms_master_key_id");

	json_set_str(t->a, dflt, "SSEAlgorithm", json_get_str(by, "sse_algorithm"));
	if (key.n)
		json_set_str(t->a, dflt, "KMSMasterKeyID", key);
	json_set(t->a, one, S("ServerSideEncryptionByDefault"), dflt);
	if (json_getz(rule, "bucket_key_enabled"))
		json_set_bool(t->a, one, "BucketKeyEnabled", json_to_bool(json_getz(rule, "bucket_key_enabled"), false));
	json_push(t->a, all, one);
	json_set(t->a, enc, S("ServerSideEncryptionConfiguration"), all);
	json_set(t->a, props, S("BucketEncryption"), enc);
}

static void block_props(struct tf *t, const struct tf_resource *r, struct json *props)
{
	static const struct tf_attr four[] = { { "block_public_acls", "BlockPublicAcls", TF_COPY },
					       { "block_public_policy", "BlockPublicPolicy", TF_COPY },
					       { "ignore_public_acls", "IgnorePublicAcls", TF_COPY },
					       { "restrict_public_buckets", "RestrictPublicBuckets", TF_COPY } };
	struct json *out = json_new(t->a, JSON_OBJECT);

	for (size_t i = 0; i < ELEMENTS(four); i++)
		copy_attr(t, out, &four[i], json_getz(r->values, four[i].from));
	json_set(t->a, props, S("PublicAccessBlockConfiguration"), out);
}

/* The parts of a bucket that Terraform declares beside it. */
static void bucket_props(struct tf *t, const struct tf_resource *b, struct json *props)
{
	for (size_t i = 0; i < t->n; i++) {
		struct tf_resource *r = &t->v[i];

		if (!str_starts(r->type, S("aws_s3_bucket_")) || !str_eq(value(r, "bucket"), value(b, "id")))
			continue;
		if (str_is(r->type, "aws_s3_bucket_server_side_encryption_configuration"))
			encryption_props(t, r, props);
		else if (str_is(r->type, "aws_s3_bucket_public_access_block"))
			block_props(t, r, props);
		else if (str_is(r->type, "aws_s3_bucket_versioning")) {
			struct json *v = json_new(t->a, JSON_OBJECT);

			json_set_str(t->a, v, "Status", json_get_str(block(r->values, "versioning_configuration"), "status"));
			json_set(t->a, props, S("VersioningConfiguration"), v);
		} else
			continue;
		r->used = true;
	}
}

static void api_props(struct tf *t, const struct tf_resource *r, struct json *props)
{
	const struct json *e = block(r->values, "endpoint_configuration");
	struct json *out = json_new(t->a, JSON_OBJECT);

	if (json_getz(e, "types"))
		json_set(t->a, out, S("Types"), json_getz(e, "types"));
	if (json_is(json_getz(e, "vpc_endpoint_ids"), JSON_ARRAY))
		json_set(t->a, out, S("VpcEndpointIds"), json_getz(e, "vpc_endpoint_ids"));
	json_set(t->a, props, S("EndpointConfiguration"), out);
}

/* --- the stack of one region --- */
struct telling {
	struct stack *s;
	struct json *resources; /* of the template */
};

/* A tag "cloudkeep:waive:FAMILY" is what Metadata is in a template: its value says why. */
static struct json *waived(struct tf *t, const struct tf_resource *r)
{
	const struct json *tags = json_getz(r->values, "tags");
	struct json *families = json_new(t->a, JSON_OBJECT), *waive = json_new(t->a, JSON_OBJECT), *meta = json_new(t->a, JSON_OBJECT);

	for (size_t i = 0; json_is(tags, JSON_OBJECT) && i < tags->n; i++)
		if (str_starts(tags->members[i].key, S(WAIVE_TAG)))
			json_set(t->a, families, str_skip(tags->members[i].key, sizeof WAIVE_TAG - 1), &tags->members[i].value);
	if (families->n == 0)
		return NULL;
	json_set(t->a, waive, S("Waive"), families);
	json_set(t->a, meta, S("Cloudkeep::Prove"), waive);
	return meta;
}

static void tell(struct tf *t, struct telling *to, const char *cfn, struct str address, struct str physical, const struct json *props,
		 const struct json *metadata)
{
	struct declared d = { .id = address, .type = str_c(cfn), .physical = physical };
	struct json *r = json_new(t->a, JSON_OBJECT);

	json_set_str(t->a, r, "Type", str_c(cfn));
	json_set(t->a, r, S("Properties"), props);
	if (metadata)
		json_set(t->a, r, S("Metadata"), metadata);
	json_set(t->a, to->resources, str_printf(t->a, "R%zu", to->s->n), r);
	vec_push(t->a, to->s->v, to->s->n, to->s->cap) = d;
}

static void tell_routes(struct tf *t, struct telling *to, const struct tf_resource *table)
{
	static const struct tf_attr attrs[] = { { "cidr_block", "DestinationCidrBlock", TF_SCALAR },
						{ "ipv6_cidr_block", "DestinationIpv6CidrBlock", TF_SCALAR },
						{ "gateway_id", "GatewayId", TF_SCALAR },
						{ "nat_gateway_id", "NatGatewayId", TF_SCALAR } };
	const struct json *list = json_getz(table->values, "route");

	for (size_t i = 0; i < list_len(list); i++) {
		struct json *props = json_new(t->a, JSON_OBJECT);

		json_set_str(t->a, props, "RouteTableId", value(table, "id"));
		for (size_t k = 0; k < ELEMENTS(attrs); k++)
			copy_attr(t, props, &attrs[k], json_getz(list_at(list, i), attrs[k].from));
		tell(t, to, "AWS::EC2::Route", str_printf(t->a, "%.*s.route[%zu]", STR(table->address), i), STR_NONE, props, NULL);
	}
}

static void tell_resource(struct tf *t, struct telling *to, struct tf_resource *r)
{
	for (size_t i = 0; i < ELEMENTS(types); i++) {
		const struct tf_type *m = &types[i];
		struct json *props;

		if (!str_is(r->type, m->type))
			continue;
		r->used = true;
		props = json_new(t->a, JSON_OBJECT);
		for (const struct tf_attr *x = m->attrs; x < m->attrs + ELEMENTS(m->attrs) && x->from; x++)
			copy_attr(t, props, x, json_getz(r->values, x->from));
		if (str_is(r->type, "aws_security_group"))
			group_props(t, r, props);
		else if (str_is(r->type, "aws_iam_role"))
			role_props(t, r, props);
		else if (str_is(r->type, "aws_s3_bucket"))
			bucket_props(t, r, props);
		else if (str_is(r->type, "aws_api_gateway_rest_api"))
			api_props(t, r, props);
		tell(t, to, m->cfn, r->address, value(r, m->physical), props, waived(t, r));
		if (str_is(r->type, "aws_route_table"))
			tell_routes(t, to, r);
		if (str_is(r->type, "aws_internet_gateway") && value(r, "vpc_id").n) {
			struct json *att = json_new(t->a, JSON_OBJECT);

			json_set_str(t->a, att, "VpcId", value(r, "vpc_id"));
			json_set_str(t->a, att, "InternetGatewayId", value(r, "id"));
			tell(t, to, "AWS::EC2::VPCGatewayAttachment", r->address, STR_NONE, att, NULL);
		}
		return;
	}
}

static int tell_region(struct tf *t, struct str region, struct stack **ret)
{
	struct stack *s = arena_new(t->a, struct stack);
	struct telling to = { s, json_new(t->a, JSON_OBJECT) };
	struct json *tpl = json_new(t->a, JSON_OBJECT);
	struct str err = STR_NONE;

	*s = (struct stack){ .name = S("terraform"), .region = region, .account = t->p->account, .partition = S("aws") };
	/* of no stack, but of the form that policies want */
	s->id = str_printf(t->a, "arn:aws:cloudformation:%.*s:%.*s:stack/terraform/none", STR(region), STR(s->account));
	for (size_t i = 0; i < t->n; i++)
		if (str_eq(t->v[i].region, region))
			tell_resource(t, &to, &t->v[i]);
	json_set(t->a, tpl, S("Resources"), to.resources);
	if (template_parse(t->a, json_text(t->a, tpl), NULL, &s->tpl, &err) < 0) {
		t->p->trouble = str_printf(t->a, "what Terraform made in %.*s cannot be told as a stack: %.*s", STR(region), STR(err));
		return -EIO;
	}
	for (size_t i = 0; i < s->n; i++)
		if (template_find(s->tpl, str_printf(t->a, "R%zu", i), &s->v[i].index) != TEMPLATE_RESOURCE)
			return -EIO;
	if (stack_open(t->p, s) < 0)
		return -EIO;
	*ret = s;
	return 0;
}

int terraform_read(struct prove *p, const char *file, struct stack **ret, size_t *ret_n)
{
	struct tf t = { .p = p, .a = &p->arena };
	struct json *j = NULL, *list;
	struct str text;
	int r = cli_read_file(t.a, strcmp(file, "-") == 0 ? "/dev/stdin" : file, &text);

	*ret_n = 0;
	if (r < 0) {
		p->trouble = str_printf(t.a, "%s: %s", file, strerror(-r));
		return r;
	}
	if (json_parse(t.a, text, &j, NULL) < 0)
		r = -EBADMSG;
	else if (json_is(json_getz(json_getz(j, "values"), "root_module"), JSON_OBJECT))
		r = read_module(&t, json_getz(json_getz(j, "values"), "root_module"), 0);
	else if ((list = json_getz(j, "resources")) && json_is(list, JSON_ARRAY) && str_is(json_get_str(j, "version"), "4"))
		read_state(&t, list);
	else
		r = -EBADMSG;
	if (r < 0 || t.n == 0) {
		p->trouble = str_printf(t.a, "%s is %s", file,
					r < 0 ? "neither what `terraform show -json` prints nor a state file of version 4"
					      : "a state without resources");
		return -EBADMSG;
	}
	find_regions(&t);
	for (size_t i = 0; i < t.n; i++) {
		bool seen = !t.v[i].region.p;

		for (size_t k = 0; k < p->n_regions && !seen; k++)
			seen = str_eq(p->regions[k], t.v[i].region);
		if (!seen && p->n_regions < PROVE_REGIONS_MAX)
			p->regions[p->n_regions++] = t.v[i].region;
	}
	for (size_t i = 0; i < p->n_regions; i++) {
		r = tell_region(&t, p->regions[i], &ret[i]);
		if (r < 0)
			return r;
	}
	*ret_n = p->n_regions;
	for (size_t i = 0; i < t.n; i++)
		if (!t.v[i].used) {
			vec_push(&p->arena, p->unlooked, p->n_unlooked, p->cap_unlooked) = (struct unlooked){ t.v[i].region, t.v[i].address,
													      t.v[i].type };
			fprintf(stderr, "not looked at: %.*s\n", STR(t.v[i].address));
		}
	return p->n_regions ? 0 : -EBADMSG;
}
