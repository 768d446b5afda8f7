# SPDX-License-Identifier: Apache-2.0
"""VPC endpoints, prefix lists and network interfaces through boto3."""
import json
import re

import pytest

from test_ec2 import clean, refused

SERVICE = "com.amazonaws.us-west-2.%s"
ONLY_INVOKE = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": "*", "Action": ["execute-api:Invoke"], "Resource": "*"}]})


@pytest.fixture(scope="module")
def ec2(cloud):
    return cloud.client("ec2", region="us-west-2")


@pytest.fixture
def vpc(ec2):
    v = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=v, EnableDnsHostnames={"Value": True})
    yield v
    ids = [e["VpcEndpointId"] for e in ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [v]}])["VpcEndpoints"]]
    if ids:
        ec2.delete_vpc_endpoints(VpcEndpointIds=ids)
    for i in ec2.describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [v]}])["NetworkInterfaces"]:
        ec2.delete_network_interface(NetworkInterfaceId=i["NetworkInterfaceId"])
    clean(ec2, v)


@pytest.fixture
def subnets(ec2, vpc):
    return [ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.%d.0/24" % i, AvailabilityZone="us-west-2" + z)["Subnet"]["SubnetId"]
            for i, z in ((1, "a"), (2, "b"))]


def free(ec2, subnet):
    return ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"]


def group(ec2, vpc, name="g"):
    return ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc)["GroupId"]


# --- interface endpoints ---
def test_interface_endpoint(ec2, vpc, subnets, cloud):
    g = group(ec2, vpc)
    made = ec2.create_vpc_endpoint(VpcEndpointType="Interface", VpcId=vpc, ServiceName=SERVICE % "execute-api", SubnetIds=subnets,
                                   SecurityGroupIds=[g], PrivateDnsEnabled=True, PolicyDocument=ONLY_INVOKE, ClientToken="t-1",
                                   TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "Name", "Value": "e"}]}])["VpcEndpoint"]
    e = ec2.describe_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])["VpcEndpoints"][0]
    vid = e["VpcEndpointId"]
    assert re.fullmatch(r"vpce-[0-9a-f]{17}", vid) and made["State"] == "pending" and e["State"] == "available"
    assert e["VpcId"] == vpc and e["ServiceName"] == SERVICE % "execute-api" and e["OwnerId"] == cloud.account
    assert e["PolicyDocument"] == ONLY_INVOKE and e["PrivateDnsEnabled"] is True and e["RequesterManaged"] is False
    assert sorted(e["SubnetIds"]) == sorted(subnets) and e["Groups"] == [{"GroupId": g, "GroupName": "g"}] and e["RouteTableIds"] == []
    assert e["IpAddressType"] == "ipv4" and e["DnsOptions"]["DnsRecordIpType"] == "ipv4" and e["Tags"] == [{"Key": "Name", "Value": "e"}]
    names = [d["DnsName"] for d in e["DnsEntries"]]
    own = re.match(re.escape(vid) + "-[a-z0-9]{8}", names[0]).group(0)
    assert names == [own + ".execute-api.us-west-2.vpce.amazonaws.com", own + "-us-west-2a.execute-api.us-west-2.vpce.amazonaws.com",
                     own + "-us-west-2b.execute-api.us-west-2.vpce.amazonaws.com", "execute-api.us-west-2.amazonaws.com",
                     "*.execute-api.us-west-2.amazonaws.com"]
    assert e["DnsEntries"][0]["HostedZoneId"] == "Z1YSA3EXCYUU9Z" != e["DnsEntries"][3]["HostedZoneId"]
    nics = ec2.describe_network_interfaces(NetworkInterfaceIds=e["NetworkInterfaceIds"])["NetworkInterfaces"]
    assert len(nics) == 2 and all(n["RequesterManaged"] and n["InterfaceType"] == "vpc_endpoint" and n["Status"] == "in-use" for n in nics)
    assert all(n["Description"] == "VPC Endpoint Interface " + vid and n["Groups"] == [{"GroupId": g, "GroupName": "g"}] for n in nics)
    assert {n["SubnetId"] for n in nics} == set(subnets) and free(ec2, subnets[0]) == 250
    # What stands on it can't go.
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnets[0])
    refused("DependencyViolation", ec2.delete_security_group, "dependent object", GroupId=g)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc)
    refused("InvalidParameterValue", ec2.delete_network_interface, "in use", NetworkInterfaceId=nics[0]["NetworkInterfaceId"])
    refused("OperationNotPermitted", ec2.modify_network_interface_attribute, NetworkInterfaceId=nics[0]["NetworkInterfaceId"],
            Description={"Value": "x"})
    refused("OperationNotPermitted", ec2.detach_network_interface, "ela-attach", AttachmentId=nics[0]["Attachment"]["AttachmentId"])
    # The same token is the same endpoint; another request with it is refused.
    again = dict(VpcEndpointType="Interface", VpcId=vpc, ServiceName=SERVICE % "execute-api", ClientToken="t-1")
    assert ec2.create_vpc_endpoint(**again)["VpcEndpoint"]["VpcEndpointId"] == vid
    refused("IdempotentParameterMismatch", ec2.create_vpc_endpoint, **dict(again, ServiceName=SERVICE % "kms"))
    refused("InvalidParameter", ec2.create_vpc_endpoint, "conflicting DNS domain", VpcEndpointType="Interface", VpcId=vpc,
            ServiceName=SERVICE % "execute-api")
    assert ec2.delete_vpc_endpoints(VpcEndpointIds=[vid])["Unsuccessful"] == []
    refused("InvalidVpcEndpointId.NotFound", ec2.describe_vpc_endpoints, "The Vpc Endpoint Id '%s' does not exist" % vid, VpcEndpointIds=[vid])
    assert ec2.delete_vpc_endpoints(VpcEndpointIds=[vid])["Unsuccessful"][0]["Error"]["Code"] == "InvalidVpcEndpoint.NotFound"
    assert free(ec2, subnets[0]) == 251 and not ec2.describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkInterfaces"]


def test_modify_interface_endpoint(ec2, vpc, subnets):
    g, h = group(ec2, vpc), group(ec2, vpc, "h")
    e = ec2.create_vpc_endpoint(VpcEndpointType="Interface", VpcId=vpc, ServiceName=SERVICE % "kms", SubnetIds=subnets[:1],
                                SecurityGroupIds=[g], PrivateDnsEnabled=False)["VpcEndpoint"]["VpcEndpointId"]

    def look():
        return ec2.describe_vpc_endpoints(VpcEndpointIds=[e])["VpcEndpoints"][0]
    assert json.loads(look()["PolicyDocument"])["Statement"] == [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]
    ec2.modify_vpc_endpoint(VpcEndpointId=e, PolicyDocument=ONLY_INVOKE, AddSubnetIds=subnets[1:], AddSecurityGroupIds=[h],
                            RemoveSecurityGroupIds=[g], PrivateDnsEnabled=True)
    now = look()
    assert now["PolicyDocument"] == ONLY_INVOKE and sorted(now["SubnetIds"]) == sorted(subnets) and now["PrivateDnsEnabled"]
    assert [x["GroupId"] for x in now["Groups"]] == [h] and "kms.us-west-2.amazonaws.com" in [d["DnsName"] for d in now["DnsEntries"]]
    nics = ec2.describe_network_interfaces(Filters=[{"Name": "group-id", "Values": [h]}])["NetworkInterfaces"]
    assert {n["NetworkInterfaceId"] for n in nics} == set(now["NetworkInterfaceIds"])
    ec2.delete_security_group(GroupId=g)
    ec2.modify_vpc_endpoint(VpcEndpointId=e, ResetPolicy=True, RemoveSubnetIds=subnets[:1], PrivateDnsEnabled=False)
    now = look()
    assert now["SubnetIds"] == subnets[1:] and len(now["NetworkInterfaceIds"]) == 1 and not now["PrivateDnsEnabled"]
    assert json.loads(now["PolicyDocument"])["Statement"][0]["Action"] == "*"
    refused("InvalidPolicyDocument", ec2.modify_vpc_endpoint, VpcEndpointId=e, PolicyDocument='{"Statement": "no"}')
    refused("InvalidParameter", ec2.modify_vpc_endpoint, VpcEndpointId=e, RemoveSecurityGroupIds=[h])
    refused("InvalidParameterValue", ec2.modify_vpc_endpoint, VpcEndpointId=e, RemoveSubnetIds=subnets[:1])
    assert look() == now


def test_interface_endpoint_refusals(ec2, vpc, subnets):
    def make(code, message=None, **kw):
        refused(code, ec2.create_vpc_endpoint, message, **dict(dict(VpcEndpointType="Interface", VpcId=vpc, ServiceName=SERVICE % "kms"), **kw))
    same_zone = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.9.0/24", AvailabilityZone="us-west-2a")["Subnet"]["SubnetId"]
    make("InvalidServiceName", "does not exist", ServiceName=SERVICE % "nonsense")
    make("InvalidServiceName", ServiceName="com.amazonaws.us-east-1.kms")
    make("InvalidParameter", "Endpoint type (Gateway) does not match available service types ([Interface]).", VpcEndpointType="Gateway")
    make("DuplicateSubnetsInSameZone", SubnetIds=[subnets[0], same_zone])
    make("InvalidSubnetID.NotFound", SubnetIds=["subnet-0123456789abcdef0"])
    make("InvalidGroup.NotFound", SecurityGroupIds=["sg-0123456789abcdef0"])
    make("InvalidVpcID.NotFound", VpcId="vpc-0123456789abcdef0")
    make("InvalidParameter", "Route table", RouteTableIds=["rtb-0123456789abcdef0"])
    make("InvalidPolicyDocument", PolicyDocument="{")
    make("UnsupportedOperation", IpAddressType="dualstack")
    make("UnsupportedOperation", VpcEndpointType="GatewayLoadBalancer")
    make("DryRunOperation", DryRun=True)
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
    make("InvalidParameter", "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames")
    assert ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["VpcEndpoints"] == [] and free(ec2, subnets[0]) == 251


# --- gateway endpoints ---
def test_gateway_endpoint(ec2, vpc):
    main = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]["RouteTableId"]
    other = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    s3 = ec2.describe_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [SERVICE % "s3"]}])["PrefixLists"][0]
    assert s3["PrefixListId"] == "pl-68a54001" and s3["Cidrs"]
    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=SERVICE % "s3", RouteTableIds=[main])["VpcEndpoint"]
    e = made["VpcEndpointId"]
    assert made["State"] == "available" and made["VpcEndpointType"] == "Gateway" and made["DnsEntries"] == [] and made["Groups"] == []
    assert json.loads(made["PolicyDocument"])["Version"] == "2008-10-17"

    def led(t):
        return [(r["DestinationPrefixListId"], r["GatewayId"], r["State"]) for r in
                ec2.describe_route_tables(RouteTableIds=[t])["RouteTables"][0]["Routes"] if "DestinationPrefixListId" in r]
    assert led(main) == [("pl-68a54001", e, "active")] and led(other) == []
    refused("RouteAlreadyExists", ec2.create_vpc_endpoint, VpcId=vpc, ServiceName=SERVICE % "s3", RouteTableIds=[main])
    refused("InvalidParameterValue", ec2.delete_route, "VPC endpoint route", RouteTableId=main, DestinationPrefixListId="pl-68a54001")
    ec2.modify_vpc_endpoint(VpcEndpointId=e, AddRouteTableIds=[other], RemoveRouteTableIds=[main])
    assert led(main) == [] and led(other) == [("pl-68a54001", e, "active")]
    refused("InvalidParameter", ec2.modify_vpc_endpoint, VpcEndpointId=e, AddSubnetIds=["subnet-0123456789abcdef0"])
    ec2.delete_route_table(RouteTableId=other)
    assert ec2.describe_vpc_endpoints(VpcEndpointIds=[e])["VpcEndpoints"][0]["RouteTableIds"] == []
    ec2.modify_vpc_endpoint(VpcEndpointId=e, AddRouteTableIds=[main])
    ec2.delete_vpc_endpoints(VpcEndpointIds=[e])
    assert led(main) == []


def test_endpoint_services(ec2):
    got = ec2.describe_vpc_endpoint_services(ServiceNames=[SERVICE % "execute-api"])
    d = got["ServiceDetails"][0]
    assert got["ServiceNames"] == [SERVICE % "execute-api"] and d["PrivateDnsName"] == "*.execute-api.us-west-2.amazonaws.com"
    assert d["ServiceType"] == [{"ServiceType": "Interface"}] and d["VpcEndpointPolicySupported"] and len(d["AvailabilityZones"]) == 4
    types = [x["ServiceType"][0]["ServiceType"] for x in ec2.describe_vpc_endpoint_services(ServiceNames=[SERVICE % "s3"])["ServiceDetails"]]
    assert types == ["Gateway", "Interface"]
    gateways = ec2.describe_vpc_endpoint_services(Filters=[{"Name": "service-type", "Values": ["Gateway"]}])["ServiceNames"]
    assert gateways == [SERVICE % "dynamodb", SERVICE % "s3"]
    refused("InvalidServiceName", ec2.describe_vpc_endpoint_services, ServiceNames=["com.amazonaws.us-west-2.nonsense"])


# --- network interfaces ---
def test_network_interface(ec2, vpc, subnets):
    g = group(ec2, vpc)
    n = ec2.create_network_interface(SubnetId=subnets[0], PrivateIpAddress="10.0.1.77", Groups=[g], Description="mine",
                                     PrivateIpAddresses=[{"PrivateIpAddress": "10.0.1.78"}])["NetworkInterface"]
    i = n["NetworkInterfaceId"]
    assert n["Status"] == "pending" and n["PrivateIpAddress"] == "10.0.1.77" and n["SourceDestCheck"] and not n["RequesterManaged"]
    assert re.fullmatch("(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", n["MacAddress"]) and n["PrivateDnsName"] == "ip-10-0-1-77.us-west-2.compute.internal"
    assert [(a["PrivateIpAddress"], a["Primary"]) for a in n["PrivateIpAddresses"]] == [("10.0.1.77", True), ("10.0.1.78", False)]
    assert free(ec2, subnets[0]) == 249
    for name, value in (("subnet-id", subnets[0]), ("group-id", g), ("vpc-id", vpc), ("private-ip-address", "10.0.1.77"),
                        ("addresses.private-ip-address", "10.0.1.78"), ("description", "mine"), ("status", "available")):
        found = ec2.describe_network_interfaces(Filters=[{"Name": name, "Values": [value]}])["NetworkInterfaces"]
        assert [x["NetworkInterfaceId"] for x in found] == [i], name
    for address, code in (("10.0.1.77", "InvalidIPAddress.InUse"), ("10.0.2.9", "InvalidParameterValue"), ("10.0.1.3", "InvalidParameterValue"),
                          ("10.0.1.255", "InvalidParameterValue"), ("nonsense", "InvalidParameterValue")):
        refused(code, ec2.create_network_interface, SubnetId=subnets[0], PrivateIpAddress=address)
    got = ec2.assign_private_ip_addresses(NetworkInterfaceId=i, SecondaryPrivateIpAddressCount=2)["AssignedPrivateIpAddresses"]
    assert len(got) == 2 and free(ec2, subnets[0]) == 247
    ec2.unassign_private_ip_addresses(NetworkInterfaceId=i, PrivateIpAddresses=[a["PrivateIpAddress"] for a in got])
    refused("InvalidParameterValue", ec2.unassign_private_ip_addresses, NetworkInterfaceId=i, PrivateIpAddresses=["10.0.1.77"])
    ec2.modify_network_interface_attribute(NetworkInterfaceId=i, SourceDestCheck={"Value": False})
    ec2.modify_network_interface_attribute(NetworkInterfaceId=i, Description={"Value": "other"})
    default = [x["GroupId"] for x in ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"] if x["GroupName"] == "default"]
    ec2.modify_network_interface_attribute(NetworkInterfaceId=i, Groups=default)
    ec2.delete_security_group(GroupId=g)
    n = ec2.describe_network_interfaces(NetworkInterfaceIds=[i])["NetworkInterfaces"][0]
    assert not n["SourceDestCheck"] and n["Description"] == "other" and [x["GroupId"] for x in n["Groups"]] == default and n["Status"] == "available"
    assert ec2.describe_network_interface_attribute(NetworkInterfaceId=i, Attribute="sourceDestCheck")["SourceDestCheck"] == {"Value": False}
    ec2.reset_network_interface_attribute(NetworkInterfaceId=i, SourceDestCheck="x")
    assert ec2.describe_network_interface_attribute(NetworkInterfaceId=i, Attribute="sourceDestCheck")["SourceDestCheck"] == {"Value": True}
    refused("InvalidInstanceID.NotFound", ec2.attach_network_interface, NetworkInterfaceId=i, InstanceId="i-0123456789abcdef0", DeviceIndex=1)
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnets[0])
    ec2.delete_network_interface(NetworkInterfaceId=i)
    refused("InvalidNetworkInterfaceID.NotFound", ec2.delete_network_interface, "The networkInterface ID '%s' does not exist" % i, NetworkInterfaceId=i)
    assert free(ec2, subnets[0]) == 251


def test_a_full_subnet(ec2, vpc):
    s = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.3.0/28")["Subnet"]["SubnetId"]
    got = {ec2.create_network_interface(SubnetId=s)["NetworkInterface"]["PrivateIpAddress"] for _ in range(11)}
    assert got == {"10.0.3.%d" % n for n in range(4, 15)} and free(ec2, s) == 0
    refused("InsufficientFreeAddressesInSubnet", ec2.create_network_interface, SubnetId=s)
    one = ec2.describe_network_interfaces(Filters=[{"Name": "private-ip-address", "Values": ["10.0.3.9"]}])["NetworkInterfaces"][0]
    ec2.delete_network_interface(NetworkInterfaceId=one["NetworkInterfaceId"])
    assert ec2.create_network_interface(SubnetId=s)["NetworkInterface"]["PrivateIpAddress"] == "10.0.3.9"


# --- prefix lists ---
def test_managed_prefix_list(ec2, vpc):
    p = ec2.create_managed_prefix_list(PrefixListName="offices", MaxEntries=3, AddressFamily="IPv4", Entries=[
        {"Cidr": "10.1.0.0/16", "Description": "one"}, {"Cidr": "10.2.0.0/16"}])["PrefixList"]
    i = p["PrefixListId"]
    assert p["State"] == "create-in-progress" and p["Version"] == 1 and p["PrefixListArn"].endswith(":prefix-list/" + i)

    def entries(**kw):
        return [x["Cidr"] for x in ec2.get_managed_prefix_list_entries(PrefixListId=i, **kw)["Entries"]]
    assert entries() == ["10.1.0.0/16", "10.2.0.0/16"]
    refused("PrefixListVersionMismatch", ec2.modify_managed_prefix_list, PrefixListId=i, CurrentVersion=7, AddEntries=[{"Cidr": "10.3.0.0/16"}])
    ec2.modify_managed_prefix_list(PrefixListId=i, CurrentVersion=1, AddEntries=[{"Cidr": "10.3.0.0/16"}], RemoveEntries=[{"Cidr": "10.1.0.0/16"}])
    assert entries() == ["10.2.0.0/16", "10.3.0.0/16"] and entries(TargetVersion=1) == ["10.1.0.0/16", "10.2.0.0/16"]
    refused("PrefixListMaxEntriesExceeded", ec2.modify_managed_prefix_list, PrefixListId=i, CurrentVersion=2,
            AddEntries=[{"Cidr": "10.%d.0.0/16" % n} for n in (4, 5)])
    ec2.restore_managed_prefix_list_version(PrefixListId=i, PreviousVersion=1, CurrentVersion=2)
    assert entries() == ["10.1.0.0/16", "10.2.0.0/16"]
    now = [x for x in ec2.describe_managed_prefix_lists()["PrefixLists"] if x["PrefixListId"] == i][0]
    assert now["Version"] == 3 and now["State"] == "restore-complete"
    aws = ec2.describe_managed_prefix_lists(Filters=[{"Name": "owner-id", "Values": ["AWS"]}])["PrefixLists"]
    assert {x["PrefixListName"] for x in aws} == {SERVICE % "s3", SERVICE % "dynamodb"}
    # In a rule it counts as its size, and can't go while it is used.
    g = group(ec2, vpc)
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": [{"PrefixListId": i, "Description": "offices"}]}
    made = ec2.authorize_security_group_ingress(GroupId=g, IpPermissions=[rule])["SecurityGroupRules"][0]
    assert made["PrefixListId"] == i
    assert ec2.describe_security_groups(GroupIds=[g])["SecurityGroups"][0]["IpPermissions"][0]["PrefixListIds"] == rule["PrefixListIds"]
    refused("InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, GroupId=g, IpPermissions=[rule])
    assert ec2.get_managed_prefix_list_associations(PrefixListId=i)["PrefixListAssociations"] == [{"ResourceId": g, "ResourceOwner": ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["OwnerId"]}]
    refused("DependencyViolation", ec2.delete_managed_prefix_list, PrefixListId=i)
    many = [{"IpProtocol": "tcp", "FromPort": n, "ToPort": n, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]} for n in range(1, 59)]
    refused("RulesPerSecurityGroupLimitExceeded", ec2.authorize_security_group_ingress, GroupId=g, IpPermissions=many)
    ec2.authorize_security_group_ingress(GroupId=g, IpPermissions=many[:57])
    ec2.revoke_security_group_ingress(GroupId=g, SecurityGroupRuleIds=[made["SecurityGroupRuleId"]])
    ec2.delete_managed_prefix_list(PrefixListId=i)
    refused("InvalidPrefixListID.NotFound", ec2.get_managed_prefix_list_entries, PrefixListId=i)
    refused("OperationNotPermitted", ec2.delete_managed_prefix_list, PrefixListId="pl-68a54001")


def test_prefix_list_routes(ec2, vpc):
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    t = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    i = ec2.create_managed_prefix_list(PrefixListName="far", MaxEntries=2, AddressFamily="IPv4")["PrefixList"]["PrefixListId"]
    ec2.create_route(RouteTableId=t, DestinationPrefixListId=i, GatewayId=igw)
    refused("RouteAlreadyExists", ec2.create_route, RouteTableId=t, DestinationPrefixListId=i, GatewayId=igw)
    refused("DependencyViolation", ec2.delete_managed_prefix_list, PrefixListId=i)
    found = ec2.describe_route_tables(Filters=[{"Name": "route.destination-prefix-list-id", "Values": [i]}])["RouteTables"]
    assert [x["RouteTableId"] for x in found] == [t]
    ec2.delete_route(RouteTableId=t, DestinationPrefixListId=i)
    ec2.delete_managed_prefix_list(PrefixListId=i)


# --- who may ---
def test_endpoints_need_rights_on_what_they_use(cloud, ec2, vpc, subnets):
    arn = "arn:aws:ec2:us-west-2:%s:" % cloud.account
    u = cloud.user("endpoint-maker", {"Effect": "Allow", "Action": "ec2:CreateVpcEndpoint", "Resource": [
        arn + "vpc/" + vpc, arn + "vpc-endpoint/*", arn + "subnet/" + subnets[0], arn + "security-group/*"],
        "Condition": {"StringEqualsIfExists": {"ec2:VpceServiceName": SERVICE % "kms"}}})
    c = cloud.client("ec2", region="us-west-2", key=u)
    ok = dict(VpcEndpointType="Interface", VpcId=vpc, ServiceName=SERVICE % "kms", SubnetIds=subnets[:1], PrivateDnsEnabled=False)
    refused("UnauthorizedOperation", c.create_vpc_endpoint, **dict(ok, SubnetIds=subnets))
    refused("UnauthorizedOperation", c.create_vpc_endpoint, **dict(ok, ServiceName=SERVICE % "sts"))
    refused("UnauthorizedOperation", c.create_vpc_endpoint, **dict(ok, TagSpecifications=[
        {"ResourceType": "vpc-endpoint", "Tags": [{"Key": "a", "Value": "b"}]}]))
    e = c.create_vpc_endpoint(**ok)["VpcEndpoint"]["VpcEndpointId"]
    refused("UnauthorizedOperation", c.delete_vpc_endpoints, VpcEndpointIds=[e])
    refused("UnauthorizedOperation", c.modify_vpc_endpoint, VpcEndpointId=e, ResetPolicy=True)
    refused("UnauthorizedOperation", c.describe_vpc_endpoints)
