/* SPDX-License-Identifier: Apache-2.0 */
/* EC2's resource types: made, changed by difference, deleted, against a cloud without a stack engine. */
#include "test.h"

#include "cfn/actor.h"
#include "svc/ec2/ec2_int.h"
#include "svc/services.h"
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

static const struct service *const some[] = { &ec2_service, NULL };
static struct cloud *cl;
static struct arena arena;
static char dir[] = "/tmp/cloudkeep-ec2-XXXXXX";

static int drop(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	return remove(path);
}

static int setup(void **state)
{
	static const char *const regions[] = { "us-east-1", NULL };
	const struct cloud_opts o = { .data_dir = dir, .regions = regions, .no_sync = true };

	assert_non_null(mkdtemp(dir));
	return cloud_open(&o, some, &cl);
}

static int teardown(void **state)
{
	cloud_close(cl);
	arena_done(&arena);
	return nftw(dir, drop, 16, FTW_DEPTH | FTW_PHYS);
}

static struct principal *root(void)
{
	struct principal *w = arena_new(&arena, struct principal);

	w->name = S("root");
	w->p = (struct policy_principal){ .type = PRINCIPAL_ROOT, .account = cloud_account(cl), .unique_id = cloud_account(cl) };
	w->p.arn = str_printf(&arena, "arn:aws:iam::%.*s:root", STR(cloud_account(cl)));
	return w;
}

static struct json *parse(struct str text)
{
	struct json *j;

	assert_int_equal(json_parse(&arena, text, &j, NULL), 0);
	return j;
}

/* A call as the account itself; describes what the types have made. */
static struct json *call(const char *op, struct str params, const char *invoked_by)
{
	struct call_facts facts = { .request_id = S("r"), .secure_transport = true, .invoked_by = str_c(invoked_by) };
	struct call_error err = { 0 };
	struct json *out = NULL;

	if (cloud_invoke_json(cl, cloud_region(cl, S("us-east-1")), root(), &facts, "ec2", op, parse(params), &arena, &out, &err) < 0)
		fail_msg("%s: %.*s", op, STR(err.message));
	return out;
}

static const struct cfn_type *type_of(const char *name)
{
	for (const struct cfn_type *const *t = ec2_cfn; *t; t++)
		if (strcmp((*t)->name, name) == 0)
			return *t;
	fail_msg("no type %s", name);
	return NULL;
}

static struct cfn_resource *resource(const char *type, const char *logical)
{
	struct cfn_resource *r = arena_new(&arena, struct cfn_resource);
	struct cfn_actor *x = arena_new(&arena, struct cfn_actor);

	x->cloud = cl;
	x->region = cloud_region(cl, S("us-east-1"));
	x->who = root();
	x->facts = (struct call_facts){ .secure_transport = true, .invoked_by = S("cloudformation.amazonaws.com") };
	*r = (struct cfn_resource){ .arena = &arena,
				    .logical_id = str_c(logical),
				    .type = str_c(type),
				    .stack_name = S("stack"),
				    .stack_id = S("arn:stack"),
				    .region = S("us-east-1"),
				    .account = cloud_account(cl),
				    .partition = S("aws"),
				    .token = S("token"),
				    .engine = x };
	return r;
}

static struct cfn_resource *make(const char *type, const char *logical, struct str props)
{
	struct cfn_resource *r = resource(type, logical);

	r->props = parse(props);
	if (type_of(type)->create(r) < 0)
		fail_msg("%s: %.*s", logical, STR(r->error));
	assert_true(r->ret_physical_id.n > 0);
	return r;
}

static void update(struct cfn_resource *was, struct str props)
{
	struct cfn_resource *r = resource(was->type.p, was->logical_id.p);

	r->physical_id = was->ret_physical_id;
	r->old_props = was->props;
	r->props = parse(props);
	if (type_of(was->type.p)->update(r) < 0)
		fail_msg("update: %.*s", STR(r->error));
	was->props = r->props;
	if (r->ret_physical_id.p)
		was->ret_physical_id = r->ret_physical_id;
}

/* Deleting twice is deleting once. */
static void delete (struct cfn_resource *was)
{
	for (int i = 0; i < 2; i++) {
		struct cfn_resource *r = resource(was->type.p, was->logical_id.p);

		r->physical_id = was->ret_physical_id;
		r->old_props = was->props;
		if (type_of(was->type.p)->delete (r) < 0)
			fail_msg("delete %.*s: %.*s", STR(was->physical_id), STR(r->error));
	}
}

#define P(...) str_printf(&arena, __VA_ARGS__)

static void network(void **state)
{
	struct cfn_resource *v = make(
		"AWS::EC2::VPC", "V",
		S("{\"CidrBlock\":\"10.0.0.0/"
		  "16\",\"EnableDnsHostnames\":\"true\",\"EnableDnsSupport\":true,\"InstanceTenancy\":\"default\",\"Tags\":[{\"Key\":"
		  "\"Name\",\"Value\":\"v\"}]}"));
	struct str id = v->ret_physical_id;
	struct cfn_resource *s, *g, *a, *t, *r, *j, *b;
	const struct json *x;

	assert_str(json_get_str(v->ret_attrs, "VpcId"), id.p);
	assert_true(str_starts(json_get_str(v->ret_attrs, "DefaultSecurityGroup"), S("sg-")));
	assert_true(str_starts(json_get_str(v->ret_attrs, "DefaultNetworkAcl"), S("acl-")));
	assert_int_equal(json_getz(v->ret_attrs, "CidrBlockAssociations")->n, 1);
	x = call("DescribeVpcAttribute", P("{\"VpcId\":\"%.*s\",\"Attribute\":\"enableDnsHostnames\"}", STR(id)), NULL);
	assert_true(json_to_bool(json_getz(json_getz(x, "EnableDnsHostnames"), "Value"), false));
	x = json_getz(call("DescribeTags",
			   P("{\"Filters\":[{\"Name\":\"resource-id\",\"Values\":[\"%.*s\"]},{\"Name\":\"key\",\"Values\":[\"aws:*\"]}]}",
			     STR(id)),
			   NULL),
		      "Tags");
	assert_int_equal(x->n, 3); /* aws:cloudformation:... */

	s = make("AWS::EC2::Subnet", "S",
		 P("{\"VpcId\":\"%.*s\",\"CidrBlock\":\"10.0.1.0/24\",\"AvailabilityZone\":\"us-east-1b\",\"MapPublicIpOnLaunch\":true}",
		   STR(id)));
	assert_str(json_get_str(s->ret_attrs, "AvailabilityZone"), "us-east-1b");
	assert_true(str_starts(json_get_str(s->ret_attrs, "NetworkAclAssociationId"), S("aclassoc-")));
	g = make("AWS::EC2::InternetGateway", "G", S("{}"));
	a = make("AWS::EC2::VPCGatewayAttachment", "A",
		 P("{\"VpcId\":\"%.*s\",\"InternetGatewayId\":\"%.*s\"}", STR(id), STR(g->ret_physical_id)));
	assert_str(a->ret_physical_id, P("IGW|%.*s", STR(id)).p);
	t = make("AWS::EC2::RouteTable", "T", P("{\"VpcId\":\"%.*s\"}", STR(id)));
	assert_str(make("AWS::EC2::RouteTable", "T", P("{\"VpcId\":\"%.*s\"}", STR(id)))->ret_physical_id,
		   t->ret_physical_id.p); /* same token */
	r = make("AWS::EC2::Route", "R",
		 P("{\"RouteTableId\":\"%.*s\",\"DestinationCidrBlock\":\"0.0.0.0/0\",\"GatewayId\":\"%.*s\"}", STR(t->ret_physical_id),
		   STR(g->ret_physical_id)));
	assert_str(r->ret_physical_id, P("%.*s|0.0.0.0/0", STR(t->ret_physical_id)).p);
	update(r, P("{\"RouteTableId\":\"%.*s\",\"DestinationCidrBlock\":\"0.0.0.0/0\",\"GatewayId\":\"%.*s\"}", STR(t->ret_physical_id),
		    STR(g->ret_physical_id)));
	j = make("AWS::EC2::SubnetRouteTableAssociation", "J",
		 P("{\"RouteTableId\":\"%.*s\",\"SubnetId\":\"%.*s\"}", STR(t->ret_physical_id), STR(s->ret_physical_id)));
	assert_true(str_starts(j->ret_physical_id, S("rtbassoc-")));
	b = make("AWS::EC2::VPCCidrBlock", "B", P("{\"VpcId\":\"%.*s\",\"CidrBlock\":\"10.1.0.0/16\"}", STR(id)));
	update(v, S("{\"CidrBlock\":\"10.0.0.0/16\",\"Tags\":[{\"Key\":\"Other\",\"Value\":\"v\"}]}"));
	x = call("DescribeVpcAttribute", P("{\"VpcId\":\"%.*s\",\"Attribute\":\"enableDnsHostnames\"}", STR(id)), NULL);
	assert_false(json_to_bool(json_getz(json_getz(x, "EnableDnsHostnames"), "Value"), true));
	x = json_getz(call("DescribeTags", P("{\"Filters\":[{\"Name\":\"resource-id\",\"Values\":[\"%.*s\"]}]}", STR(id)), NULL), "Tags");
	assert_int_equal(x->n, 4);
	assert_str(json_get_str(&x->items[0], "Key"), "Other");

	delete (b);
	delete (j);
	delete (r);
	delete (t);
	delete (a);
	delete (g);
	delete (s);
	delete (v);
}

static struct json *rules(struct str group, bool egress)
{
	const struct json *all = json_getz(
		call("DescribeSecurityGroupRules", P("{\"Filters\":[{\"Name\":\"group-id\",\"Values\":[\"%.*s\"]}]}", STR(group)), NULL),
		"SecurityGroupRules");
	struct json *out = json_new(&arena, JSON_ARRAY);

	for (size_t i = 0; i < all->n; i++)
		if (json_to_bool(json_getz(&all->items[i], "IsEgress"), false) == egress)
			json_push(&arena, out, &all->items[i]);
	return out;
}

static bool has(const struct json *l, const char *cidr, const char *description)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_is(json_get_str(&l->items[i], "CidrIpv4"), cidr) &&
		    (description ? str_is(json_get_str(&l->items[i], "Description"), description)
				 : !json_get_str(&l->items[i], "Description").p))
			return true;
	return false;
}

#define RULE(cidr, more) "{\"IpProtocol\":\"tcp\",\"FromPort\":\"443\",\"ToPort\":443,\"CidrIp\":\"" cidr "\"" more "}"
#define GROUP "{\"GroupDescription\":\"d\",\"VpcId\":\"%.*s\",\"SecurityGroupIngress\":["

/* The egress rule that CDK writes to forbid all egress has to be kept as it is. */
static void group(void **state)
{
	struct cfn_resource *v = make("AWS::EC2::VPC", "V2", S("{\"CidrBlock\":\"10.0.0.0/16\"}")), *g, *i, *e;
	struct str id = v->ret_physical_id;

	g = make("AWS::EC2::SecurityGroup", "G",
		 P(GROUP RULE("10.0.0.0/8", ",\"Description\":\"old\"") "," RULE(
			   "11.0.0.0/8", "") "],\"SecurityGroupEgress\":[{\"IpProtocol\":\"icmp\",\"FromPort\":252,"
					     "\"ToPort\":86,\"CidrIp\":\"255.255.255.255/32\"}]}",
		   STR(id)));
	assert_str(json_get_str(g->ret_attrs, "VpcId"), id.p);
	assert_str(json_get_str(g->ret_attrs, "GroupId"), g->ret_physical_id.p);
	assert_int_equal(rules(g->ret_physical_id, true)->n, 1);
	assert_true(has(rules(g->ret_physical_id, true), "255.255.255.255/32", NULL));
	assert_str(make("AWS::EC2::SecurityGroup", "G", P("{\"GroupDescription\":\"d\",\"VpcId\":\"%.*s\"}", STR(id)))->ret_physical_id,
		   g->ret_physical_id.p);

	i = make("AWS::EC2::SecurityGroupIngress", "I",
		 P("{\"GroupId\":\"%.*s\",\"IpProtocol\":\"-1\",\"SourceSecurityGroupId\":\"%.*s\"}", STR(g->ret_physical_id),
		   STR(g->ret_physical_id)));
	e = make("AWS::EC2::SecurityGroupEgress", "E",
		 P("{\"GroupId\":\"%.*s\",\"IpProtocol\":\"udp\",\"FromPort\":53,\"ToPort\":53,\"CidrIp\":\"10.0.0.2/32\"}",
		   STR(g->ret_physical_id)));
	assert_true(str_starts(i->ret_physical_id, S("sgr-")));
	update(g, P(GROUP RULE("10.0.0.0/8", ",\"Description\":\"new\"") "," RULE("12.0.0.0/8", "") "]}", STR(id)));
	assert_true(has(rules(g->ret_physical_id, false), "10.0.0.0/8", "new"));
	assert_true(has(rules(g->ret_physical_id, false), "12.0.0.0/8", NULL));
	assert_false(has(rules(g->ret_physical_id, false), "11.0.0.0/8", NULL));
	assert_int_equal(rules(g->ret_physical_id, false)->n, 3);             /* the other resource's rule stays */
	assert_true(has(rules(g->ret_physical_id, true), "0.0.0.0/0", NULL)); /* no egress named any more: all may leave */
	assert_true(has(rules(g->ret_physical_id, true), "10.0.0.2/32", NULL));
	assert_int_equal(rules(g->ret_physical_id, true)->n, 2);
	update(e, P("{\"GroupId\":\"%.*s\",\"IpProtocol\":\"udp\",\"FromPort\":53,\"ToPort\":53,\"CidrIp\":\"10.0.0.2/"
		    "32\",\"Description\":\"dns\"}",
		    STR(g->ret_physical_id)));
	assert_true(has(rules(g->ret_physical_id, true), "10.0.0.2/32", "dns"));
	delete (e);
	delete (i);
	delete (g);
	delete (v);
}

static void options(void **state)
{
	struct cfn_resource *v = make("AWS::EC2::VPC", "V3", S("{\"CidrBlock\":\"10.0.0.0/16\"}"));
	struct cfn_resource *d = make("AWS::EC2::DHCPOptions", "D",
				      S("{\"DomainName\":\"corp.example\",\"NtpServers\":[\"10.0.0.5\"],\"NetbiosNodeType\":2}"));
	struct cfn_resource *a = make(
		"AWS::EC2::VPCDHCPOptionsAssociation", "A",
		P("{\"VpcId\":\"%.*s\",\"DhcpOptionsId\":\"%.*s\"}", STR(v->ret_physical_id), STR(d->ret_physical_id)));
	const struct json *x = call("DescribeVpcs", P("{\"VpcIds\":[\"%.*s\"]}", STR(v->ret_physical_id)), NULL);

	assert_str(json_get_str(&json_getz(x, "Vpcs")->items[0], "DhcpOptionsId"), d->ret_physical_id.p);
	delete (a);
	delete (d);
	delete (v);
}

/* What this cloud does not act on fails the resource; nothing is left behind. */
static void refusals(void **state)
{
	struct cfn_resource *v = make("AWS::EC2::VPC", "V4", S("{\"CidrBlock\":\"10.0.0.0/16\"}"));
	struct cfn_resource *r = resource("AWS::EC2::Subnet", "S6");

	r->props = parse(
		P("{\"VpcId\":\"%.*s\",\"CidrBlock\":\"10.0.0.0/24\",\"Ipv6CidrBlock\":\"2001:db8::/64\"}", STR(v->ret_physical_id)));
	assert_true(type_of("AWS::EC2::Subnet")->create(r) < 0);
	assert_true(str_find(r->error, S("IPv6 in subnets is not implemented by this cloud.")) >= 0);
	assert_false(r->ret_physical_id.p != NULL);
	r = resource("AWS::EC2::VPCGatewayAttachment", "A");
	r->props = parse(P("{\"VpcId\":\"%.*s\",\"VpnGatewayId\":\"vgw-1\"}", STR(v->ret_physical_id)));
	assert_true(type_of("AWS::EC2::VPCGatewayAttachment")->create(r) < 0);
	delete (v);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(network), cmocka_unit_test(group), cmocka_unit_test(options),
					    cmocka_unit_test(refusals) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
