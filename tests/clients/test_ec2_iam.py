# SPDX-License-Identifier: Apache-2.0
"""Who may do what in EC2: resource ARNs, tags, condition keys, and attempts to get around them."""
import re

import pytest
from botocore.exceptions import ClientError
from refusals import refused

REGION = "us-west-2"


@pytest.fixture(scope="module")
def ec2(cloud):
    return cloud.client("ec2", region=REGION)


@pytest.fixture(scope="module")
def vpc(ec2):
    v = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[v], Tags=[{"Key": "team", "Value": "a"}])
    return v


@pytest.fixture
def who(cloud, request):
    n = [0]

    def make(*statements, region=REGION):
        n[0] += 1
        name = "%s-%d" % (re.sub("[^a-zA-Z0-9]", "-", request.node.name)[:50], n[0])
        u = cloud.user(name, *statements)
        return cloud.client("ec2", region=region, key=u["AccessKeyId"], secret=u["SecretAccessKey"])
    return make


def allow(*actions, resource="*", **cond):
    s = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    if cond:
        s["Condition"] = cond
    return s


def deny(*actions, resource="*", **cond):
    return dict(allow(*actions, resource=resource, **cond), Effect="Deny")


def denied(fn, **kw):
    with pytest.raises(ClientError) as e:
        fn(**kw)
    err = e.value.response
    assert err["Error"]["Code"] == "UnauthorizedOperation" and err["ResponseMetadata"]["HTTPStatusCode"] == 403, err
    return err["Error"]["Message"]


def arn(cloud, what):
    return "arn:aws:ec2:%s:%s:%s" % (REGION, cloud.account, what)


READS = ["describe_vpcs", "describe_subnets", "describe_route_tables", "describe_internet_gateways", "describe_security_groups", "describe_security_group_rules",
         "describe_network_acls", "describe_availability_zones", "describe_regions", "describe_network_interfaces", "describe_addresses",
         "describe_account_attributes", "describe_tags", "describe_dhcp_options"]


def test_without_a_policy_nothing(who, vpc):
    c = who()
    for r in READS:
        assert "not authorized to perform" in denied(getattr(c, r))
    denied(c.create_vpc, CidrBlock="10.0.0.0/16")
    denied(c.delete_vpc, VpcId=vpc)
    denied(c.create_security_group, GroupName="x", Description="x")
    denied(c.create_internet_gateway)
    denied(c.create_tags, Resources=[vpc], Tags=[{"Key": "a", "Value": "b"}])


def test_describe_is_for_everything_or_nothing(who, cloud, vpc):
    every = who(allow("ec2:Describe*"))
    for r in READS:
        getattr(every, r)()
    c = who(allow("ec2:DescribeVpcs"))
    assert c.describe_vpcs()["Vpcs"]
    denied(c.describe_subnets)
    denied(who(allow("ec2:DescribeVpcs", resource=arn(cloud, "vpc/" + vpc))).describe_vpcs)


def test_one_vpc_only(who, cloud, ec2, vpc):
    c = who(allow("ec2:ModifyVpcAttribute", "ec2:DeleteVpc", "ec2:CreateSubnet", "ec2:CreateRouteTable", resource=[arn(cloud, "vpc/" + vpc), arn(cloud, "subnet/*")]))
    other = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    c.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": True})
    denied(c.modify_vpc_attribute, VpcId=other, EnableDnsSupport={"Value": True})
    denied(c.delete_vpc, VpcId=other)
    denied(c.create_subnet, VpcId=other, CidrBlock="172.31.240.0/28")
    denied(c.create_route_table, VpcId=vpc)  # route-table/* is missing
    s = c.create_subnet(VpcId=vpc, CidrBlock="10.0.9.0/24")["Subnet"]["SubnetId"]
    denied(c.delete_subnet, SubnetId=s)
    denied(c.modify_vpc_attribute, VpcId="vpc-*", EnableDnsSupport={"Value": True})
    ec2.delete_subnet(SubnetId=s)


def test_existence_is_told_to_those_who_may(who, vpc):
    c = who(allow("ec2:DescribeVpcs"))
    denied(c.delete_vpc, VpcId="vpc-0123456789abcdef0")
    denied(c.delete_vpc, VpcId="garbage")
    refused("InvalidVpcID.NotFound", who(allow("ec2:DeleteVpc")).delete_vpc, VpcId="vpc-0123456789abcdef0")


def test_dry_run_needs_the_right_too(who):
    denied(who().create_vpc, CidrBlock="10.0.0.0/16", DryRun=True)
    refused("DryRunOperation", who(allow("ec2:CreateVpc")).create_vpc, CidrBlock="10.0.0.0/16", DryRun=True)


@pytest.mark.parametrize("key", ["aws:ResourceTag/team", "ec2:ResourceTag/team"])
def test_resource_tags(who, ec2, vpc, key):
    c = who(allow("ec2:ModifyVpcAttribute", StringEquals={key: "a"}))
    d = who(deny("ec2:*", StringEquals={key: "a"}), allow("ec2:*"))
    other = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    c.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": True})
    denied(c.modify_vpc_attribute, VpcId=other, EnableDnsSupport={"Value": True})
    denied(d.modify_vpc_attribute, VpcId=vpc, EnableDnsSupport={"Value": True})
    d.modify_vpc_attribute(VpcId=other, EnableDnsSupport={"Value": True})
    denied(d.delete_tags, Resources=[vpc], Tags=[{"Key": "team"}])


def test_only_in_one_vpc(who, cloud, ec2, vpc):
    c = who(allow("ec2:*", ArnEquals={"ec2:Vpc": arn(cloud, "vpc/" + vpc)}), allow("ec2:CreateSecurityGroup", resource=arn(cloud, "vpc/*")))
    g = c.create_security_group(GroupName="mine", Description="d", VpcId=vpc)["GroupId"]
    denied(c.create_security_group, GroupName="mine", Description="d")
    p = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
    r = c.authorize_security_group_ingress(GroupId=g, IpPermissions=p)["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    far = ec2.create_security_group(GroupName="far", Description="d")["GroupId"]
    denied(c.authorize_security_group_ingress, GroupId=far, IpPermissions=p)
    denied(c.authorize_security_group_ingress, GroupName="far", IpPermissions=p)
    denied(c.delete_security_group, GroupName="far")
    theirs = ec2.authorize_security_group_ingress(GroupId=far, IpPermissions=p)["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    denied(c.revoke_security_group_ingress, GroupId=g, SecurityGroupRuleIds=[r, theirs])
    c.revoke_security_group_ingress(GroupId=g, SecurityGroupRuleIds=[r])
    c.delete_security_group(GroupId=g)
    ec2.delete_security_group(GroupId=far)


def test_region_key(who):
    c = who(allow("ec2:DescribeVpcs", StringEquals={"ec2:Region": REGION}))
    d = who(allow("ec2:DescribeVpcs", StringEquals={"ec2:Region": REGION}), region="us-east-1")
    assert c.describe_vpcs()["Vpcs"]
    denied(d.describe_vpcs)


def tagged(**tags):
    return [{"ResourceType": "internet-gateway", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]


def test_tags_at_creation_need_their_own_right(who, cloud, ec2):
    c = who(allow("ec2:CreateInternetGateway"))
    made = c.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    denied(c.create_internet_gateway, TagSpecifications=tagged(a="b"))
    d = who(allow("ec2:CreateInternetGateway"), allow("ec2:CreateTags", StringEquals={"ec2:CreateAction": "CreateInternetGateway"}))
    two = d.create_internet_gateway(TagSpecifications=tagged(a="b"))["InternetGateway"]["InternetGatewayId"]
    denied(d.create_tags, Resources=[made], Tags=[{"Key": "a", "Value": "b"}])
    for g in (made, two):
        ec2.delete_internet_gateway(InternetGatewayId=g)


def test_required_tags(who, ec2):
    c = who(allow("ec2:CreateInternetGateway", "ec2:CreateTags", StringEquals={"aws:RequestTag/env": "dev"},
                  **{"ForAllValues:StringEquals": {"aws:TagKeys": ["env", "other"]}}))
    denied(c.create_internet_gateway)
    denied(c.create_internet_gateway, TagSpecifications=tagged(env="prod"))
    denied(c.create_internet_gateway, TagSpecifications=tagged(env="dev", stray="x"))
    # A tag without a value must not be taken to have the value of the next one.
    denied(c.create_internet_gateway, TagSpecifications=[{"ResourceType": "internet-gateway", "Tags": [{"Key": "env"}, {"Key": "other", "Value": "dev"}]}])
    g = c.create_internet_gateway(TagSpecifications=tagged(env="dev"))["InternetGateway"]["InternetGatewayId"]
    ec2.delete_internet_gateway(InternetGatewayId=g)


def test_create_tags_on_each_resource(who, cloud, ec2, vpc):
    g = ec2.describe_internet_gateways()["InternetGateways"][0]["InternetGatewayId"]
    c = who(allow("ec2:CreateTags", "ec2:DeleteTags", resource=arn(cloud, "vpc/*")))
    c.create_tags(Resources=[vpc], Tags=[{"Key": "x", "Value": "y"}])
    denied(c.create_tags, Resources=[vpc, g], Tags=[{"Key": "x", "Value": "y"}])
    denied(c.delete_tags, Resources=[g], Tags=[{"Key": "x"}])
    denied(c.create_tags, Resources=["i-0123456789abcdef0"], Tags=[{"Key": "x", "Value": "y"}])
    k = who(allow("ec2:DeleteTags", **{"ForAllValues:StringEquals": {"aws:TagKeys": ["x"]}}), deny("ec2:DeleteTags", Null={"aws:TagKeys": "true"}))
    denied(k.delete_tags, Resources=[vpc], Tags=[{"Key": "team"}])
    denied(k.delete_tags, Resources=[vpc])
    k.delete_tags(Resources=[vpc], Tags=[{"Key": "x"}])


def test_associations_are_checked_on_table_and_subnet(who, cloud, ec2, vpc):
    s = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.8.0/24")["Subnet"]["SubnetId"]
    t, u = (ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(2))
    a = ec2.associate_route_table(RouteTableId=t, SubnetId=s)["AssociationId"]
    tables = arn(cloud, "route-table/*")
    half = who(allow("ec2:*RouteTable*", resource=tables))
    denied(half.disassociate_route_table, AssociationId=a)
    denied(half.replace_route_table_association, AssociationId=a, RouteTableId=u)
    denied(half.associate_route_table, RouteTableId=u, SubnetId=s)
    one = who(allow("ec2:*RouteTable*", resource=[arn(cloud, "route-table/" + u), arn(cloud, "subnet/*")]))
    denied(one.replace_route_table_association, AssociationId=a, RouteTableId=u)  # the old table is touched too
    denied(one.create_route, RouteTableId=u, DestinationCidrBlock="0.0.0.0/0", GatewayId="igw-0123456789abcdef0")
    who(allow("ec2:DisassociateRouteTable")).disassociate_route_table(AssociationId=a)
    b = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlockAssociationSet"][0]["AssociationId"]
    denied(who(allow("ec2:DisassociateVpcCidrBlock", resource=arn(cloud, "vpc/vpc-0123456789abcdef0"))).disassociate_vpc_cidr_block, AssociationId=b)
