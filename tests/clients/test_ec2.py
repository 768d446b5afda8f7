# SPDX-License-Identifier: Apache-2.0
"""EC2's network control plane through boto3: VPCs, subnets, gateways, route tables, security groups, tags."""
import re

import pytest
from botocore.exceptions import ClientError

HEX17 = r"[0-9a-f]{17}$"


@pytest.fixture(scope="module")
def ec2(cloud):
    return cloud.client("ec2", region="us-west-2")


def refused(code, f, message=None, **kw):
    with pytest.raises(ClientError) as e:
        f(**kw)
    err = e.value.response["Error"]
    assert err["Code"] == code, err
    if message is not None:
        assert message in err["Message"], err
    return err["Message"]


@pytest.fixture
def vpc(ec2):
    """A VPC of its own for one test; everything in it goes afterwards."""
    v = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    yield v
    clean(ec2, v)


def clean(ec2, v):
    own = [{"Name": "vpc-id", "Values": [v]}]
    for g in ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [v]}])["InternetGateways"]:
        ec2.detach_internet_gateway(InternetGatewayId=g["InternetGatewayId"], VpcId=v)
        ec2.delete_internet_gateway(InternetGatewayId=g["InternetGatewayId"])
    for s in ec2.describe_subnets(Filters=own)["Subnets"]:
        ec2.delete_subnet(SubnetId=s["SubnetId"])
    groups = [g for g in ec2.describe_security_groups(Filters=own)["SecurityGroups"] if g["GroupName"] != "default"]
    for g in groups:
        if g["IpPermissions"]:
            ec2.revoke_security_group_ingress(GroupId=g["GroupId"], IpPermissions=g["IpPermissions"])
        if g["IpPermissionsEgress"]:
            ec2.revoke_security_group_egress(GroupId=g["GroupId"], IpPermissions=g["IpPermissionsEgress"])
    for g in groups:
        ec2.delete_security_group(GroupId=g["GroupId"])
    for t in ec2.describe_route_tables(Filters=own)["RouteTables"]:
        if not any(a["Main"] for a in t["Associations"]):
            ec2.delete_route_table(RouteTableId=t["RouteTableId"])
    ec2.delete_vpc(VpcId=v)


# --- the default VPC ---
def test_default_vpc_is_there_in_each_region(cloud):
    for region, zones in (("us-east-1", 6), ("us-west-2", 4), ("eu-west-1", 3)):
        c = cloud.client("ec2", region=region)
        v = c.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
        assert len(v) == 1 and v[0]["CidrBlock"] == "172.31.0.0/16" and v[0]["IsDefault"] and v[0]["OwnerId"] == cloud.account
        subnets = c.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [v[0]["VpcId"]]}])["Subnets"]
        assert len(subnets) == zones and all(s["DefaultForAz"] and s["MapPublicIpOnLaunch"] for s in subnets)
        assert {s["AvailableIpAddressCount"] for s in subnets} == {4091}
        assert len({s["AvailabilityZone"] for s in subnets}) == zones
        igw = c.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [v[0]["VpcId"]]}])["InternetGateways"]
        assert igw[0]["Attachments"] == [{"State": "available", "VpcId": v[0]["VpcId"]}]
        t = c.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [v[0]["VpcId"]]}, {"Name": "association.main", "Values": ["true"]}])["RouteTables"]
        assert [(r["DestinationCidrBlock"], r["GatewayId"], r["State"]) for r in t[0]["Routes"]] == [
            ("172.31.0.0/16", "local", "active"), ("0.0.0.0/0", igw[0]["InternetGatewayId"], "active")]
        attrs = {a["AttributeName"]: [x["AttributeValue"] for x in a["AttributeValues"]] for a in c.describe_account_attributes()["AccountAttributes"]}
        assert attrs["default-vpc"] == [v[0]["VpcId"]] and attrs["supported-platforms"] == ["VPC"]
        options = c.describe_dhcp_options(DhcpOptionsIds=[v[0]["DhcpOptionsId"]])["DhcpOptions"][0]["DhcpConfigurations"]
        names = {o["Key"]: o["Values"][0]["Value"] for o in options}
        assert names["domain-name"] == ("ec2.internal" if region == "us-east-1" else region + ".compute.internal")


def test_deleted_default_vpc_stays_deleted_and_can_be_made_again(own_cloud):
    c = own_cloud.client("ec2")
    v = c.describe_vpcs()["Vpcs"][0]["VpcId"]
    refused("DefaultVpcAlreadyExists", c.create_default_vpc)
    refused("DefaultSubnetAlreadyExistsInAvailabilityZone", c.create_default_subnet, AvailabilityZone="us-east-1a")
    gone = c.describe_subnets(Filters=[{"Name": "availability-zone", "Values": ["us-east-1b"]}])["Subnets"][0]
    c.delete_subnet(SubnetId=gone["SubnetId"])
    again = c.create_default_subnet(AvailabilityZone="us-east-1b")["Subnet"]
    assert again["CidrBlock"] == gone["CidrBlock"] and again["DefaultForAz"]
    clean(c, v)
    own_cloud.stop()
    own_cloud.start()
    c = own_cloud.client("ec2")
    assert c.describe_vpcs()["Vpcs"] == []
    refused("VPCIdNotSpecified", c.create_security_group, GroupName="x", Description="x")
    refused("InvalidVpcID.NotFound", c.create_default_subnet, AvailabilityZone="us-east-1a")
    made = c.create_default_vpc()["Vpc"]
    assert made["IsDefault"] and made["VpcId"] != v
    assert len(c.describe_subnets()["Subnets"]) == 6


# --- VPCs ---
def test_vpc_fields(ec2, cloud):
    v = ec2.create_vpc(CidrBlock="10.9.255.1/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "one"}]}])["Vpc"]
    assert re.match("vpc-" + HEX17, v["VpcId"]) and v["State"] == "pending"
    assert v["CidrBlock"] == "10.9.0.0/16", "host bits are cleared"
    got = ec2.describe_vpcs(VpcIds=[v["VpcId"]])["Vpcs"][0]
    assert got["State"] == "available" and got["OwnerId"] == cloud.account and got["InstanceTenancy"] == "default" and not got["IsDefault"]
    assert got["Tags"] == [{"Key": "Name", "Value": "one"}]
    (a,) = got["CidrBlockAssociationSet"]
    assert re.match("vpc-cidr-assoc-" + HEX17, a["AssociationId"]) and a["CidrBlock"] == "10.9.0.0/16" and a["CidrBlockState"] == {"State": "associated"}
    own = [{"Name": "vpc-id", "Values": [v["VpcId"]]}]
    (sg,) = ec2.describe_security_groups(Filters=own)["SecurityGroups"]
    assert sg["GroupName"] == "default" and sg["Description"] == "default VPC security group"
    assert sg["IpPermissions"] == [{"IpProtocol": "-1", "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [],
                                    "UserIdGroupPairs": [{"UserId": cloud.account, "GroupId": sg["GroupId"]}]}]
    assert sg["IpPermissionsEgress"][0]["IpRanges"] == [{"CidrIp": "0.0.0.0/0"}]
    (acl,) = ec2.describe_network_acls(Filters=own + [{"Name": "default", "Values": ["true"]}])["NetworkAcls"]
    assert sorted((e["Egress"], e["RuleNumber"], e["RuleAction"], e["Protocol"]) for e in acl["Entries"]) == [
        (False, 100, "allow", "-1"), (False, 32767, "deny", "-1"), (True, 100, "allow", "-1"), (True, 32767, "deny", "-1")]
    (t,) = ec2.describe_route_tables(Filters=own)["RouteTables"]
    assert t["Associations"][0]["Main"] and t["PropagatingVgws"] == []
    ec2.delete_vpc(VpcId=v["VpcId"])
    refused("InvalidVpcID.NotFound", ec2.describe_vpcs, "The vpc ID '%s' does not exist" % v["VpcId"], VpcIds=[v["VpcId"]])
    refused("InvalidGroup.NotFound", ec2.describe_security_groups, GroupIds=[sg["GroupId"]])
    refused("InvalidRouteTableID.NotFound", ec2.describe_route_tables, RouteTableIds=[t["RouteTableId"]])
    refused("InvalidNetworkAclID.NotFound", ec2.describe_network_acls, NetworkAclIds=[acl["NetworkAclId"]])


def test_vpc_attributes(ec2, vpc):
    def get(a):
        return {k: v for k, v in ec2.describe_vpc_attribute(VpcId=vpc, Attribute=a).items() if k != "ResponseMetadata"}
    assert get("enableDnsSupport") == {"VpcId": vpc, "EnableDnsSupport": {"Value": True}}
    assert get("enableDnsHostnames") == {"VpcId": vpc, "EnableDnsHostnames": {"Value": False}}
    assert get("enableNetworkAddressUsageMetrics") == {"VpcId": vpc, "EnableNetworkAddressUsageMetrics": {"Value": False}}
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": False})
    assert get("enableDnsSupport")["EnableDnsSupport"] == {"Value": False} and get("enableDnsHostnames")["EnableDnsHostnames"] == {"Value": True}
    refused("InvalidParameterCombination", ec2.modify_vpc_attribute, VpcId=vpc, EnableDnsHostnames={"Value": True}, EnableDnsSupport={"Value": True})
    refused("MissingParameter", ec2.modify_vpc_attribute, VpcId=vpc)
    refused("InvalidParameterValue", ec2.describe_vpc_attribute, VpcId=vpc, Attribute="bogus")
    assert ec2.modify_vpc_tenancy(VpcId=vpc, InstanceTenancy="default")["ReturnValue"]


@pytest.mark.parametrize("cidr,code", [
    ("10.0.0.0", "InvalidParameterValue"), ("10.0.0.0/x", "InvalidParameterValue"), ("256.0.0.0/16", "InvalidParameterValue"),
    ("010.0.0.0/16", "InvalidParameterValue"), ("10.0.0.0/8", "InvalidVpc.Range"), ("10.0.0.0/29", "InvalidVpc.Range"),
    ("127.0.0.0/16", "InvalidVpc.Range"), ("169.254.0.0/16", "InvalidVpc.Range"), ("224.0.0.0/16", "InvalidVpc.Range")])
def test_vpc_blocks_refused(ec2, cidr, code):
    refused(code, ec2.create_vpc, CidrBlock=cidr)


def test_vpc_refusals(ec2):
    refused("MissingParameter", ec2.create_vpc)
    refused("UnsupportedOperation", ec2.create_vpc, "IPv6", CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)
    refused("UnsupportedOperation", ec2.create_vpc, "IPAM", Ipv4IpamPoolId="ipam-pool-1", Ipv4NetmaskLength=16)
    refused("InvalidVpcID.Malformed", ec2.describe_vpcs, VpcIds=["vpc-zzz"])
    refused("InvalidVpcID.Malformed", ec2.delete_vpc, 'Invalid id: "subnet-0123456789abcdef0" (expecting "vpc-...")', VpcId="subnet-0123456789abcdef0")
    refused("InvalidVpcID.NotFound", ec2.delete_vpc, VpcId="vpc-0123456789abcdef0")
    refused("InvalidParameterValue", ec2.create_vpc, CidrBlock="10.0.0.0/16", InstanceTenancy="host")


def test_vpc_quota(ec2):
    have = len(ec2.describe_vpcs()["Vpcs"])
    made = [ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in range(5 - have)]
    refused("VpcLimitExceeded", ec2.create_vpc, "The maximum number of VPCs has been reached.", CidrBlock="10.0.0.0/16")
    for v in made:
        ec2.delete_vpc(VpcId=v)


def test_dry_run_checks_everything_and_changes_nothing(ec2):
    before = len(ec2.describe_vpcs()["Vpcs"])
    with pytest.raises(ClientError) as e:
        ec2.create_vpc(CidrBlock="10.0.0.0/16", DryRun=True)
    assert e.value.response["Error"]["Code"] == "DryRunOperation" and e.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    refused("InvalidVpc.Range", ec2.create_vpc, CidrBlock="10.0.0.0/8", DryRun=True)
    assert len(ec2.describe_vpcs()["Vpcs"]) == before
    refused("DryRunOperation", ec2.describe_vpcs, DryRun=True)


def test_further_blocks(ec2, vpc):
    a = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.1.0.0/16")["CidrBlockAssociation"]
    assert a["CidrBlockState"]["State"] == "associating"
    assert {x["CidrBlock"] for x in ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlockAssociationSet"]} == {"10.0.0.0/16", "10.1.0.0/16"}
    refused("InvalidVpc.Range", ec2.associate_vpc_cidr_block, VpcId=vpc, CidrBlock="10.1.128.0/17")
    refused("InvalidVpc.Range", ec2.associate_vpc_cidr_block, "is restricted", VpcId=vpc, CidrBlock="192.168.0.0/16")
    refused("UnsupportedOperation", ec2.associate_vpc_cidr_block, VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    t = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]
    assert {r["DestinationCidrBlock"] for r in t["Routes"]} == {"10.0.0.0/16", "10.1.0.0/16"}
    s = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.3.0/24")["Subnet"]["SubnetId"]
    refused("DependencyViolation", ec2.disassociate_vpc_cidr_block, AssociationId=a["AssociationId"])
    ec2.delete_subnet(SubnetId=s)
    assert ec2.disassociate_vpc_cidr_block(AssociationId=a["AssociationId"])["CidrBlockAssociation"]["CidrBlockState"]["State"] == "disassociating"
    refused("InvalidVpcCidrBlockAssociationID.NotFound", ec2.disassociate_vpc_cidr_block, AssociationId=a["AssociationId"])
    first = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlockAssociationSet"][0]["AssociationId"]
    refused("OperationNotPermitted", ec2.disassociate_vpc_cidr_block, AssociationId=first)
    for i in range(1, 5):
        ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.%d.0.0/16" % i)
    refused("VpcCidrBlockLimitExceeded", ec2.associate_vpc_cidr_block, VpcId=vpc, CidrBlock="10.9.0.0/16")


# --- subnets ---
def test_subnets(ec2, vpc, cloud):
    s = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-west-2b",
                          TagSpecifications=[{"ResourceType": "subnet", "Tags": [{"Key": "tier", "Value": "db"}]}])["Subnet"]
    assert re.match("subnet-" + HEX17, s["SubnetId"]) and s["State"] == "available" and s["AvailableIpAddressCount"] == 251
    assert s["SubnetArn"] == "arn:aws:ec2:us-west-2:%s:subnet/%s" % (cloud.account, s["SubnetId"])
    assert s["AvailabilityZone"] == "us-west-2b" and re.match("usw2-az[1-4]$", s["AvailabilityZoneId"]) and s["Tags"] == [{"Key": "tier", "Value": "db"}]
    assert s["Ipv6CidrBlockAssociationSet"] == [] and s["PrivateDnsNameOptionsOnLaunch"]["HostnameType"] == "ip-name"
    assert not s["MapPublicIpOnLaunch"] and not s["DefaultForAz"] and s["OwnerId"] == cloud.account
    ec2.modify_subnet_attribute(SubnetId=s["SubnetId"], MapPublicIpOnLaunch={"Value": True})
    assert ec2.describe_subnets(SubnetIds=[s["SubnetId"]])["Subnets"][0]["MapPublicIpOnLaunch"]
    by_id = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.2.0/28", AvailabilityZoneId=s["AvailabilityZoneId"])["Subnet"]
    assert by_id["AvailabilityZone"] == "us-west-2b" and by_id["AvailableIpAddressCount"] == 11
    acl = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [s["SubnetId"]]}])["NetworkAcls"]
    assert len(acl) == 1 and acl[0]["IsDefault"]
    ec2.delete_subnet(SubnetId=s["SubnetId"])
    refused("InvalidSubnetID.NotFound", ec2.delete_subnet, "The subnet ID '%s' does not exist" % s["SubnetId"], SubnetId=s["SubnetId"])
    acl = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"][0]
    assert [a["SubnetId"] for a in acl["Associations"]] == [by_id["SubnetId"]]


def test_subnet_refusals(ec2, vpc):
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.4.0/22")
    for cidr in ("10.0.4.0/22", "10.0.5.0/24", "10.0.0.0/16", "10.0.7.240/28"):
        refused("InvalidSubnet.Conflict", ec2.create_subnet, "The CIDR '%s' conflicts with another subnet" % cidr, VpcId=vpc, CidrBlock=cidr)
    for cidr in ("10.1.0.0/24", "10.0.0.0/15", "10.0.0.0/29", "0.0.0.0/0"):
        refused("InvalidSubnet.Range", ec2.create_subnet, "The CIDR '%s' is invalid." % cidr, VpcId=vpc, CidrBlock=cidr)
    refused("InvalidParameterValue", ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.0.0/24/24")
    refused("InvalidParameterValue", ec2.create_subnet, "us-west-2a, us-west-2b", VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1a")
    refused("InvalidVpcID.NotFound", ec2.create_subnet, VpcId="vpc-0123456789abcdef0", CidrBlock="10.0.0.0/24")
    refused("MissingParameter", ec2.create_subnet, VpcId=vpc)
    refused("UnsupportedOperation", ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.0.0/24", OutpostArn="arn:aws:outposts:us-west-2:1:outpost/op-1")
    s = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    refused("UnsupportedOperation", ec2.modify_subnet_attribute, SubnetId=s, AssignIpv6AddressOnCreation={"Value": True})
    refused("DependencyViolation", ec2.delete_vpc, "The vpc '%s' has dependencies and cannot be deleted." % vpc, VpcId=vpc)


def test_two_hundred_subnets_and_no_more(ec2, vpc):
    for i in range(200):
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.%d.0/28" % i)
    refused("SubnetLimitExceeded", ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.250.0/28")
    seen = [s["SubnetId"] for p in ec2.get_paginator("describe_subnets").paginate(
        Filters=[{"Name": "vpc-id", "Values": [vpc]}], PaginationConfig={"PageSize": 7}) for s in p["Subnets"]]
    assert len(seen) == len(set(seen)) == 200
    every = [s["SubnetId"] for p in ec2.get_paginator("describe_subnets").paginate(PaginationConfig={"PageSize": 50}) for s in p["Subnets"]]
    assert set(seen) < set(every) and len(every) == len(set(every))
    some = ec2.describe_subnets(SubnetIds=seen[:12], MaxResults=5)
    rest = ec2.describe_subnets(SubnetIds=seen[:12], MaxResults=10, NextToken=some["NextToken"])
    assert sorted(s["SubnetId"] for s in some["Subnets"] + rest["Subnets"]) == sorted(seen[:12]) and "NextToken" not in rest


# --- gateways, route tables ---
def test_internet_gateways(ec2, vpc, cloud):
    g = ec2.create_internet_gateway()["InternetGateway"]
    assert re.match("igw-" + HEX17, g["InternetGatewayId"]) and g["Attachments"] == [] and g["Tags"] == [] and g["OwnerId"] == cloud.account
    i = g["InternetGatewayId"]
    refused("Gateway.NotAttached", ec2.detach_internet_gateway, "resource %s is not attached to network %s" % (i, vpc), InternetGatewayId=i, VpcId=vpc)
    ec2.attach_internet_gateway(InternetGatewayId=i, VpcId=vpc)
    refused("Resource.AlreadyAssociated", ec2.attach_internet_gateway, InternetGatewayId=i, VpcId=vpc)
    refused("DependencyViolation", ec2.delete_internet_gateway, InternetGatewayId=i)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc)
    other = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    refused("InvalidParameterValue", ec2.attach_internet_gateway, "Network %s already has an internet gateway attached" % vpc, InternetGatewayId=other, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=other)
    refused("InvalidInternetGatewayID.NotFound", ec2.delete_internet_gateway, InternetGatewayId=other)
    refused("InvalidInternetGatewayId.Malformed", ec2.delete_internet_gateway, InternetGatewayId="igw-1")
    ec2.detach_internet_gateway(InternetGatewayId=i, VpcId=vpc)
    assert ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])["InternetGateways"] == []
    ec2.delete_internet_gateway(InternetGatewayId=i)


def test_there_are_no_vpn_gateways(ec2, vpc, cloud):
    """CDK's Vpc.fromLookup asks for those of the network it found."""
    assert ec2.describe_vpn_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}, {"Name": "state", "Values": ["available"]}])["VpnGateways"] == []
    refused("InvalidVpnGatewayID.NotFound", ec2.describe_vpn_gateways, VpnGatewayIds=["vgw-0123456789abcdef0"])
    nobody = cloud.client("ec2", key=cloud.user("sees-no-vpn"))
    refused("UnauthorizedOperation", nobody.describe_vpn_gateways)


def test_internet_gateway_quota(ec2):
    have = len(ec2.describe_internet_gateways()["InternetGateways"])
    made = [ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"] for _ in range(5 - have)]
    refused("InternetGatewayLimitExceeded", ec2.create_internet_gateway)
    for g in made:
        ec2.delete_internet_gateway(InternetGatewayId=g)


@pytest.fixture
def gateway(ec2, vpc):
    g = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=g, VpcId=vpc)
    return g


def routes(ec2, t):
    return {r.get("DestinationCidrBlock") or r["DestinationIpv6CidrBlock"]: (r["GatewayId"], r["State"], r["Origin"])
            for r in ec2.describe_route_tables(RouteTableIds=[t])["RouteTables"][0]["Routes"]}


def test_routes(ec2, vpc, gateway):
    t = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    assert ec2.create_route(RouteTableId=t, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)["Return"]
    ec2.create_route(RouteTableId=t, DestinationIpv6CidrBlock="::/0", GatewayId=gateway)
    ec2.create_route(RouteTableId=t, DestinationCidrBlock="100.68.0.18/18", GatewayId=gateway)
    assert routes(ec2, t) == {"10.0.0.0/16": ("local", "active", "CreateRouteTable"), "0.0.0.0/0": (gateway, "active", "CreateRoute"),
                              "::/0": (gateway, "active", "CreateRoute"), "100.68.0.0/18": (gateway, "active", "CreateRoute")}
    refused("RouteAlreadyExists", ec2.create_route, "The route identified by 0.0.0.0/0 already exists.", RouteTableId=t, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    refused("RouteAlreadyExists", ec2.create_route, RouteTableId=t, DestinationCidrBlock="10.0.0.0/16", GatewayId=gateway)
    refused("InvalidParameterValue", ec2.create_route, "more specific", RouteTableId=t, DestinationCidrBlock="10.0.3.0/24", GatewayId=gateway)
    refused("InvalidGatewayID.NotFound", ec2.create_route, RouteTableId=t, DestinationCidrBlock="1.0.0.0/8", GatewayId="igw-0123456789abcdef0")
    refused("InvalidParameterValue", ec2.create_route, RouteTableId=t, DestinationCidrBlock="x", GatewayId=gateway)
    refused("MissingParameter", ec2.create_route, RouteTableId=t, GatewayId=gateway)
    refused("MissingParameter", ec2.create_route, RouteTableId=t, DestinationCidrBlock="1.0.0.0/8")
    refused("InvalidParameterCombination", ec2.create_route, RouteTableId=t, DestinationCidrBlock="1.0.0.0/8", GatewayId=gateway, NatGatewayId="nat-1")
    refused("UnsupportedOperation", ec2.create_route, "NAT gateway", RouteTableId=t, DestinationCidrBlock="1.0.0.0/8", NatGatewayId="nat-0123456789abcdef0")
    lone = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    refused("InvalidParameterValue", ec2.create_route, "belong to different networks", RouteTableId=t, DestinationCidrBlock="1.0.0.0/8", GatewayId=lone)
    refused("InvalidParameterValue", ec2.replace_route, "Use CreateRoute instead", RouteTableId=t, DestinationCidrBlock="1.0.0.0/8", GatewayId=gateway)
    ec2.replace_route(RouteTableId=t, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    refused("InvalidParameterValue", ec2.delete_route, "cannot remove local route 10.0.0.0/16 in route table " + t, RouteTableId=t, DestinationCidrBlock="10.0.0.0/16")
    ec2.delete_route(RouteTableId=t, DestinationIpv6CidrBlock="::/0")
    refused("InvalidRoute.NotFound", ec2.delete_route, RouteTableId=t, DestinationIpv6CidrBlock="::/0")
    ec2.delete_internet_gateway(InternetGatewayId=lone)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert routes(ec2, t)["0.0.0.0/0"][1] == "blackhole"
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert routes(ec2, t)["0.0.0.0/0"][1] == "active"
    main = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "route.gateway-id", "Values": ["igw-*"]}])["RouteTables"]
    assert [x["RouteTableId"] for x in main] == [t]


def test_route_quota(ec2, vpc, gateway):
    t = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    for i in range(500):
        ec2.create_route(RouteTableId=t, DestinationCidrBlock="11.%d.%d.0/24" % (i // 256, i % 256), GatewayId=gateway)
    refused("RouteLimitExceeded", ec2.create_route, RouteTableId=t, DestinationCidrBlock="12.0.0.0/24", GatewayId=gateway)


def test_route_table_associations(ec2, vpc):
    s = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    t, u = (ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(2))
    a = ec2.associate_route_table(RouteTableId=t, SubnetId=s)
    assert a["AssociationState"] == {"State": "associated"} and re.match("rtbassoc-" + HEX17, a["AssociationId"])
    assert ec2.associate_route_table(RouteTableId=t, SubnetId=s)["AssociationId"] == a["AssociationId"]
    refused("Resource.AlreadyAssociated", ec2.associate_route_table, RouteTableId=u, SubnetId=s)
    for f in ("association.route-table-association-id", "association.subnet-id"):
        found = ec2.describe_route_tables(Filters=[{"Name": f, "Values": [a["AssociationId"] if "route" in f else s]}])["RouteTables"]
        assert [x["RouteTableId"] for x in found] == [t] and found[0]["Associations"][0]["SubnetId"] == s
    refused("DependencyViolation", ec2.delete_route_table, RouteTableId=t)
    n = ec2.replace_route_table_association(AssociationId=a["AssociationId"], RouteTableId=u)["NewAssociationId"]
    assert n != a["AssociationId"]
    refused("InvalidAssociationID.NotFound", ec2.disassociate_route_table, AssociationId=a["AssociationId"])
    assert ec2.describe_route_tables(RouteTableIds=[t])["RouteTables"][0]["Associations"] == []
    ec2.disassociate_route_table(AssociationId=n)
    ec2.associate_route_table(RouteTableId=t, SubnetId=s)
    ec2.delete_subnet(SubnetId=s)
    assert ec2.describe_route_tables(RouteTableIds=[t])["RouteTables"][0]["Associations"] == []
    ec2.delete_route_table(RouteTableId=t)
    refused("UnsupportedOperation", ec2.associate_route_table, RouteTableId=u, GatewayId="igw-0123456789abcdef0")


def test_main_route_table(ec2, vpc):
    (m,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    a = m["Associations"][0]["RouteTableAssociationId"]
    refused("InvalidParameterValue", ec2.disassociate_route_table, "cannot disassociate the main route table association", AssociationId=a)
    refused("DependencyViolation", ec2.delete_route_table, RouteTableId=m["RouteTableId"])
    t = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    n = ec2.replace_route_table_association(AssociationId=a, RouteTableId=t)["NewAssociationId"]
    found = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}])["RouteTables"]
    assert [x["RouteTableId"] for x in found] == [t] and found[0]["Associations"][0]["RouteTableAssociationId"] == n
    ec2.delete_route_table(RouteTableId=m["RouteTableId"])


def test_route_table_token(ec2, vpc):
    a = ec2.create_route_table(VpcId=vpc, ClientToken="once")["RouteTable"]["RouteTableId"]
    assert ec2.create_route_table(VpcId=vpc, ClientToken="once")["RouteTable"]["RouteTableId"] == a
    other = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    refused("IdempotentParameterMismatch", ec2.create_route_table, VpcId=other, ClientToken="once")


# --- DHCP options ---
def test_dhcp_options(ec2, vpc):
    d = ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["corp.example"]}, {"Key": "ntp-servers", "Values": ["10.0.0.5", "10.0.0.6"]}],
                                TagSpecifications=[{"ResourceType": "dhcp-options", "Tags": [{"Key": "a", "Value": "b"}]}])["DhcpOptions"]
    i = d["DhcpOptionsId"]
    assert {x["Key"]: [v["Value"] for v in x["Values"]] for x in d["DhcpConfigurations"]} == {"domain-name": ["corp.example"], "ntp-servers": ["10.0.0.5", "10.0.0.6"]}
    ec2.associate_dhcp_options(DhcpOptionsId=i, VpcId=vpc)
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["DhcpOptionsId"] == i
    refused("DependencyViolation", ec2.delete_dhcp_options, DhcpOptionsId=i)
    ec2.associate_dhcp_options(DhcpOptionsId="default", VpcId=vpc)
    assert [x["DhcpOptionsId"] for x in ec2.describe_dhcp_options(Filters=[{"Name": "value", "Values": ["corp.*"]}])["DhcpOptions"]] == [i]
    ec2.delete_dhcp_options(DhcpOptionsId=i)
    refused("InvalidDhcpOptionID.NotFound", ec2.delete_dhcp_options, DhcpOptionsId=i)
    refused("InvalidParameterValue", ec2.create_dhcp_options, DhcpConfigurations=[{"Key": "bogus", "Values": ["x"]}])
    refused("InvalidParameterValue", ec2.create_dhcp_options, DhcpConfigurations=[{"Key": "ntp-servers", "Values": ["x; rm -rf /"]}])


# --- tags ---
def test_tags(ec2, vpc):
    s = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    ec2.create_tags(Resources=[vpc, s], Tags=[{"Key": "env", "Value": "dev"}, {"Key": "empty", "Value": ""}])
    ec2.create_tags(Resources=[s], Tags=[{"Key": "env", "Value": "prod"}])
    tags = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [s]}])["Tags"]
    assert tags == [{"Key": "empty", "ResourceId": s, "ResourceType": "subnet", "Value": ""}, {"Key": "env", "ResourceId": s, "ResourceType": "subnet", "Value": "prod"}]
    assert [x["ResourceId"] for x in ec2.describe_tags(Filters=[{"Name": "key", "Values": ["env"]}, {"Name": "value", "Values": ["d?v"]}])["Tags"]] == [vpc]
    assert [x["SubnetId"] for x in ec2.describe_subnets(Filters=[{"Name": "tag:env", "Values": ["pr*"]}])["Subnets"]] == [s]
    assert [x["SubnetId"] for x in ec2.describe_subnets(Filters=[{"Name": "tag-key", "Values": ["env"]}])["Subnets"]] == [s]
    ec2.delete_tags(Resources=[s], Tags=[{"Key": "env", "Value": "other"}])
    assert len(ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [s]}])["Tags"]) == 2
    ec2.delete_tags(Resources=[s], Tags=[{"Key": "env"}])
    assert [x["Key"] for x in ec2.describe_subnets(SubnetIds=[s])["Subnets"][0]["Tags"]] == ["empty"]
    ec2.delete_tags(Resources=[s])
    assert ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [s]}])["Tags"] == []
    refused("InvalidParameterValue", ec2.create_tags, "reserved for internal use", Resources=[vpc], Tags=[{"Key": "aws:cloudformation:stack-name", "Value": "x"}])
    refused("InvalidParameterValue", ec2.create_tags, Resources=[vpc], Tags=[{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}])
    refused("InvalidParameterValue", ec2.create_tags, Resources=[vpc], Tags=[{"Key": "k" * 129, "Value": "1"}])
    refused("InvalidParameterValue", ec2.create_tags, Resources=[vpc], Tags=[{"Key": "k", "Value": "v" * 257}])
    refused("InvalidID", ec2.create_tags, Resources=["nothing"], Tags=[{"Key": "k", "Value": "v"}])
    refused("InvalidSubnetID.NotFound", ec2.create_tags, Resources=[vpc, "subnet-0123456789abcdef0"], Tags=[{"Key": "half", "Value": "v"}])
    assert "half" not in [t["Key"] for t in ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"]], "all or nothing"
    refused("TagLimitExceeded", ec2.create_tags, Resources=[vpc], Tags=[{"Key": "k%d" % i, "Value": ""} for i in range(50)])
    refused("InvalidParameterValue", ec2.create_subnet, "'vpc' is not a valid taggable resource type for this operation.", VpcId=vpc, CidrBlock="10.0.1.0/24",
            TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}])
    ec2.delete_subnet(SubnetId=s)
    assert ec2.describe_tags(Filters=[{"Name": "resource-type", "Values": ["subnet"]}])["Tags"] == []


def test_tag_pages(ec2, vpc):
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "k%02d" % i, "Value": "v"} for i in range(13)])
    keys = [t["Key"] for p in ec2.get_paginator("describe_tags").paginate(Filters=[{"Name": "value", "Values": ["v"]}], PaginationConfig={"PageSize": 5}) for t in p["Tags"]]
    assert keys == ["k%02d" % i for i in range(13)]
    refused("InvalidNextToken", ec2.describe_tags, NextToken="bogus")


# --- filters ---
def test_filters(ec2, vpc):
    refused("InvalidParameterValue", ec2.describe_vpcs, "The filter 'bogus' is invalid", Filters=[{"Name": "bogus", "Values": ["x"]}])
    for f in (ec2.describe_subnets, ec2.describe_internet_gateways, ec2.describe_route_tables, ec2.describe_security_groups, ec2.describe_network_acls,
              ec2.describe_security_group_rules, ec2.describe_dhcp_options, ec2.describe_tags, ec2.describe_regions, ec2.describe_availability_zones,
              ec2.describe_network_interfaces, ec2.describe_addresses):
        refused("InvalidParameterValue", f, "The filter 'bogus' is invalid", Filters=[{"Name": "bogus", "Values": ["x"]}])
    refused("FilterLimitExceeded", ec2.describe_vpcs, Filters=[{"Name": "cidr", "Values": ["x%d" % i for i in range(201)]}])
    assert [v["VpcId"] for v in ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.0.*", "nothing"]}])["Vpcs"]] == [vpc]
    assert ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.0.\\*"]}])["Vpcs"] == []
    assert ec2.describe_vpcs(Filters=[{"Name": "vpc-id", "Values": ["vpc-0123456789abcdef0"]}])["Vpcs"] == []
    assert ec2.describe_vpcs(Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "is-default", "Values": ["true"]}])["Vpcs"] == []
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "a*b", "Value": "x*y"}])
    assert [v["VpcId"] for v in ec2.describe_vpcs(Filters=[{"Name": "tag:a*b", "Values": ["x\\*y"]}])["Vpcs"]] == [vpc]
    refused("InvalidParameterValue", ec2.describe_vpcs, MaxResults=1001)
    refused("InvalidNextToken", ec2.describe_vpcs, NextToken="AAAA")
    assert len(ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": ["vpc-*"]}])["Subnets"]) >= 4


def test_token_of_another_operation_is_refused(ec2):
    t = ec2.describe_subnets(MaxResults=5, Filters=[{"Name": "state", "Values": ["available"]}]).get("NextToken")
    if t is None:
        t = ec2.describe_security_group_rules(MaxResults=5).get("NextToken")
    assert t is None or refused("InvalidNextToken", ec2.describe_vpcs, NextToken=t)


# --- zones and regions ---
def test_zones(cloud):
    c = cloud.client("ec2", region="us-east-1")
    z = c.describe_availability_zones()["AvailabilityZones"]
    assert [x["ZoneName"] for x in z] == ["us-east-1" + x for x in "abcdef"]
    assert sorted(x["ZoneId"] for x in z) == ["use1-az%d" % i for i in range(1, 7)]
    assert all(x["State"] == "available" and x["RegionName"] == "us-east-1" and x["ZoneType"] == "availability-zone" and x["Messages"] == [] for x in z)
    assert len(c.describe_availability_zones(ZoneNames=["us-east-1b"])["AvailabilityZones"]) == 1
    assert len(c.describe_availability_zones(Filters=[{"Name": "zone-name", "Values": ["*-1a", "*-1b"]}])["AvailabilityZones"]) == 2
    refused("InvalidParameterValue", c.describe_availability_zones, ZoneNames=["us-west-2a"])


def test_regions(ec2):
    have = {r["RegionName"]: r["OptInStatus"] for r in ec2.describe_regions()["Regions"]}
    assert have == {"us-east-1": "opt-in-not-required", "us-west-2": "opt-in-not-required", "eu-west-1": "opt-in-not-required"}
    every = {r["RegionName"]: r for r in ec2.describe_regions(AllRegions=True)["Regions"]}
    assert every["eu-central-1"]["OptInStatus"] == "not-opted-in" and every["us-east-1"]["Endpoint"] == "ec2.us-east-1.amazonaws.com"
    assert "cn-north-1" not in every
    refused("InvalidParameterValue", ec2.describe_regions, RegionNames=["nowhere-1"])


def test_what_does_not_exist(ec2):
    assert ec2.describe_network_interfaces(Filters=[{"Name": "group-id", "Values": ["sg-1"]}, {"Name": "tag:a", "Values": ["b"]}])["NetworkInterfaces"] == []
    assert ec2.describe_addresses()["Addresses"] == []
    refused("InvalidNetworkInterfaceID.NotFound", ec2.describe_network_interfaces, NetworkInterfaceIds=["eni-0123456789abcdef0"])
    refused("InvalidAllocationID.NotFound", ec2.describe_addresses, AllocationIds=["eipalloc-0123456789abcdef0"])


def test_everything_survives_a_crash(own_cloud):
    c = own_cloud.client("ec2")
    v = c.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    g = c.create_security_group(GroupName="g", Description="d", VpcId=v)["GroupId"]
    c.authorize_security_group_ingress(GroupId=g, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}])
    before = [c.describe_vpcs()["Vpcs"], c.describe_subnets()["Subnets"], c.describe_security_groups()["SecurityGroups"], c.describe_route_tables()["RouteTables"]]
    own_cloud.kill()
    own_cloud.start()
    c = own_cloud.client("ec2")
    assert [c.describe_vpcs()["Vpcs"], c.describe_subnets()["Subnets"], c.describe_security_groups()["SecurityGroups"], c.describe_route_tables()["RouteTables"]] == before
