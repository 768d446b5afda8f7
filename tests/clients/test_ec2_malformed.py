# SPDX-License-Identifier: Apache-2.0
"""Attempts on endpoints, interfaces and prefix lists: malformed ids, what is another's, limits, policies that say nothing."""
import json

import pytest

from test_ec2 import refused


@pytest.fixture(scope="module")
def ec2(cloud):
    return cloud.client("ec2", region="us-west-2")


@pytest.fixture(scope="module")
def vpc(ec2):
    return ec2.describe_vpcs()["Vpcs"][0]["VpcId"]


def test_malformed_ids(ec2):
    for bad in ("vpce-", "vpce-xyz", "vpc-0123456789abcdef0", "", "vpce-0123456789abcdef01", "vpce-0123456789ABCDEF0", "../../x", "vpce-0123456789abcde\0"):
        refused("InvalidVpcEndpointId.Malformed", ec2.describe_vpc_endpoints, VpcEndpointIds=[bad])
        refused("InvalidVpcEndpointId.Malformed", ec2.delete_vpc_endpoints, VpcEndpointIds=[bad])
    refused("InvalidNetworkInterfaceId.Malformed", ec2.delete_network_interface, NetworkInterfaceId="eni-1")
    refused("InvalidPrefixListId.Malformed", ec2.delete_managed_prefix_list, PrefixListId="pl-1")
    refused("InvalidNetworkAclId.Malformed", ec2.delete_network_acl, NetworkAclId="acl-1")
    for f, k in ((ec2.describe_vpc_endpoints, "VpcEndpoints"), (ec2.describe_managed_prefix_lists, "PrefixLists"),
                 (ec2.describe_network_interfaces, "NetworkInterfaces"), (ec2.describe_prefix_lists, "PrefixLists")):
        refused("InvalidParameterValue", f, Filters=[{"Name": "nonsense", "Values": ["x"]}])
        refused("InvalidNextToken", f, NextToken="nonsense")


@pytest.mark.parametrize("policy", ["", "{", "[]", '"x"', '{"Statement": []} trailing', json.dumps({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}),
                                    json.dumps({"Statement": [{"Effect": "Maybe", "Principal": "*", "Action": "*", "Resource": "*"}]}),
                                    json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Extra": 1}]}),
                                    json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "a" * 21000, "Resource": "*"}]})])
def test_policies_that_do_not_parse_make_nothing(ec2, vpc, policy):
    refused("InvalidPolicyDocument", ec2.create_vpc_endpoint, VpcId=vpc, ServiceName="com.amazonaws.us-west-2.s3", PolicyDocument=policy)
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"] == []


def test_limits(ec2, vpc):
    made = [ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-west-2.s3")["VpcEndpoint"]["VpcEndpointId"] for _ in range(20)]
    refused("VpcEndpointLimitExceeded", ec2.create_vpc_endpoint, VpcId=vpc, ServiceName="com.amazonaws.us-west-2.s3")
    page = ec2.describe_vpc_endpoints(MaxResults=7)
    got = [e["VpcEndpointId"] for e in page["VpcEndpoints"]]
    while "NextToken" in page:
        page = ec2.describe_vpc_endpoints(MaxResults=7, NextToken=page["NextToken"])
        got += [e["VpcEndpointId"] for e in page["VpcEndpoints"]]
    assert sorted(got) == sorted(made) and len(got) == len(set(got))
    assert ec2.delete_vpc_endpoints(VpcEndpointIds=made + made[:1])["Unsuccessful"][0]["ResourceId"] == made[0]
    s = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    refused("PrivateIpAddressLimitExceeded", ec2.create_network_interface, SubnetId=s, SecondaryPrivateIpAddressCount=50)
    refused("SecurityGroupsPerInterfaceLimitExceeded", ec2.create_network_interface, SubnetId=s, Groups=[
        ec2.create_security_group(GroupName="limit%d" % n, Description="d", VpcId=vpc)["GroupId"] for n in range(6)])
    refused("InvalidParameterValue", ec2.create_managed_prefix_list, PrefixListName="com.amazonaws.x", MaxEntries=1, AddressFamily="IPv4")
    refused("InvalidParameterValue", ec2.create_managed_prefix_list, PrefixListName="x", MaxEntries=1001, AddressFamily="IPv4")
    refused("InvalidParameterValue", ec2.create_managed_prefix_list, PrefixListName="x", MaxEntries=5, AddressFamily="IPv6", Entries=[{"Cidr": "10.0.0.0/8"}])
    refused("PrefixListMaxEntriesExceeded", ec2.create_managed_prefix_list, PrefixListName="x", MaxEntries=1, AddressFamily="IPv4", Entries=[
        {"Cidr": "10.0.0.0/8"}, {"Cidr": "11.0.0.0/8"}])
    assert not ec2.describe_network_interfaces()["NetworkInterfaces"]


def test_what_was_made_survives_a_crash(own_cloud):
    ec2 = own_cloud.client("ec2")
    s = ec2.describe_subnets()["Subnets"][0]
    e = ec2.create_vpc_endpoint(VpcEndpointType="Interface", VpcId=s["VpcId"], ServiceName="com.amazonaws.us-east-1.sts", SubnetIds=[s["SubnetId"]])
    before = ec2.describe_vpc_endpoints()["VpcEndpoints"], ec2.describe_network_interfaces()["NetworkInterfaces"]
    own_cloud.kill()
    own_cloud.start()
    ec2 = own_cloud.client("ec2")
    assert (ec2.describe_vpc_endpoints()["VpcEndpoints"], ec2.describe_network_interfaces()["NetworkInterfaces"]) == before
    assert len(before[1]) == 1 and e["VpcEndpoint"]["VpcEndpointId"] == before[0][0]["VpcEndpointId"]
