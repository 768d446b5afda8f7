# SPDX-License-Identifier: Apache-2.0
"""EC2 security groups and their rules through boto3."""
import re

import pytest
from refusals import refused

ALL = "0.0.0.0/0"


@pytest.fixture(scope="module")
def ec2(cloud):
    return cloud.client("ec2", region="us-west-2")


@pytest.fixture(scope="module")
def vpc(ec2):
    return ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]


@pytest.fixture
def group(ec2, vpc, request):
    return ec2.create_security_group(GroupName=request.node.name[:200].replace("[", "(").replace("]", ")"), Description="d", VpcId=vpc)["GroupId"]


def perm(proto, lo=None, hi=None, cidr=ALL, **kw):
    p = {"IpProtocol": proto}
    if lo is not None:
        p.update(FromPort=lo, ToPort=lo if hi is None else hi)
    if cidr:
        p["IpRanges"] = [{"CidrIp": cidr}]
    p.update(kw)
    return p


def shown(ec2, g):
    s = ec2.describe_security_groups(GroupIds=[g])["SecurityGroups"][0]

    def flat(l):
        return sorted(((p["IpProtocol"], p.get("FromPort"), p.get("ToPort"), x.get("CidrIp") or x.get("CidrIpv6") or x.get("GroupId")) for p in l
                       for x in p["IpRanges"] + p["Ipv6Ranges"] + p["UserIdGroupPairs"]), key=repr)
    return flat(s["IpPermissions"]), flat(s["IpPermissionsEgress"])


def test_create_describe_delete(ec2, vpc, cloud):
    r = ec2.create_security_group(GroupName=" web tier ", Description="Web: 443", VpcId=vpc,
                                  TagSpecifications=[{"ResourceType": "security-group", "Tags": [{"Key": "a", "Value": "b"}]}])
    g = r["GroupId"]
    assert re.match("sg-[0-9a-f]{17}$", g) and r["Tags"] == [{"Key": "a", "Value": "b"}]
    assert r["SecurityGroupArn"] == "arn:aws:ec2:us-west-2:%s:security-group/%s" % (cloud.account, g)
    s = ec2.describe_security_groups(GroupIds=[g])["SecurityGroups"][0]
    assert s["GroupName"] == "web tier" and s["Description"] == "Web: 443" and s["VpcId"] == vpc and s["OwnerId"] == cloud.account
    assert s["IpPermissions"] == [] and s["IpPermissionsEgress"] == [
        {"IpProtocol": "-1", "IpRanges": [{"CidrIp": ALL}], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}]
    assert refused("InvalidGroup.Duplicate", ec2.create_security_group, GroupName="web tier", Description="x", VpcId=vpc) == \
        "The security group 'web tier' already exists for VPC '%s'" % vpc
    refused("DryRunOperation", ec2.delete_security_group, GroupId=g, DryRun=True)
    ec2.delete_security_group(GroupId=g)
    assert refused("InvalidGroup.NotFound", ec2.delete_security_group, GroupId=g) == "The security group '%s' does not exist" % g
    assert ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [g]}])["SecurityGroupRules"] == []
    assert ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [g]}])["Tags"] == []


@pytest.mark.parametrize("name", ["sg-mine", "default", "Default", "umlaut-ä", "x" * 256, "tab\there", " "])
def test_bad_names(ec2, vpc, name):
    refused("InvalidParameterValue", ec2.create_security_group, GroupName=name, Description="d", VpcId=vpc)


def test_bad_descriptions_and_ids(ec2, vpc):
    refused("InvalidParameterValue", ec2.create_security_group, GroupName="ok", Description="ä", VpcId=vpc)
    refused("InvalidParameterValue", ec2.create_security_group, GroupName="ok", Description="x" * 256, VpcId=vpc)
    refused("InvalidVpcID.NotFound", ec2.create_security_group, GroupName="ok", Description="x", VpcId="vpc-0123456789abcdef0")
    refused("InvalidGroupId.Malformed", ec2.describe_security_groups, GroupIds=["sg-x"])
    refused("MissingParameter", ec2.delete_security_group)


def test_groups_of_the_default_vpc_have_names(ec2):
    g = ec2.create_security_group(GroupName="by-name", Description="d")["GroupId"]
    assert ec2.describe_security_groups(GroupNames=["by-name"])["SecurityGroups"][0]["GroupId"] == g
    ec2.authorize_security_group_ingress(GroupName="by-name", IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="10.0.0.0/8")
    assert shown(ec2, g)[0] == [("tcp", 22, 22, "10.0.0.0/8")]
    gone = ec2.revoke_security_group_ingress(GroupName="by-name", IpPermissions=[perm("tcp", 23)])
    assert gone["UnknownIpPermissions"][0]["FromPort"] == 23 and gone["RevokedSecurityGroupRules"] == []
    ec2.revoke_security_group_ingress(GroupName="by-name", IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="10.0.0.0/8")
    ec2.delete_security_group(GroupName="by-name")
    assert "does not exist in default VPC" in refused("InvalidGroup.NotFound", ec2.describe_security_groups, GroupNames=["by-name"])


def test_default_group_stays(ec2, vpc):
    g = [x for x in ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"] if x["GroupName"] == "default"][0]
    assert 'name: "default" cannot be deleted by a user' in refused("CannotDelete", ec2.delete_security_group, GroupId=g["GroupId"])
    # What CDK's restriction of default groups does, and its way back.
    i, o = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"UserId": g["OwnerId"], "GroupId": g["GroupId"]}]}], [perm("-1")]
    ec2.revoke_security_group_ingress(GroupId=g["GroupId"], IpPermissions=i)
    ec2.revoke_security_group_egress(GroupId=g["GroupId"], IpPermissions=o)
    assert shown(ec2, g["GroupId"]) == ([], [])
    refused("InvalidPermission.NotFound", ec2.revoke_security_group_ingress, GroupId=g["GroupId"], IpPermissions=i)
    ec2.authorize_security_group_ingress(GroupId=g["GroupId"], IpPermissions=i)
    ec2.authorize_security_group_egress(GroupId=g["GroupId"], IpPermissions=o)
    assert shown(ec2, g["GroupId"]) == ([("-1", None, None, g["GroupId"])], [("-1", None, None, ALL)])


def test_rules(ec2, vpc, group, cloud):
    other = ec2.create_security_group(GroupName="peer", Description="d", VpcId=vpc)["GroupId"]
    r = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
        perm("tcp", 443, IpRanges=[{"CidrIp": "10.1.2.3/8", "Description": "office"}, {"CidrIp": "192.168.0.0/16"}],
             Ipv6Ranges=[{"CidrIpv6": "2001:DB8::1/32"}], UserIdGroupPairs=[{"GroupId": other}]),
        perm("17", 53), perm("icmp", 252, 86, "255.255.255.255/32"), perm("50", 1, 2), perm("58")],
        TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": [{"Key": "t", "Value": "v"}]}])
    assert r["Return"] and len(r["SecurityGroupRules"]) == 8
    first = r["SecurityGroupRules"][0]
    assert re.match("sgr-[0-9a-f]{17}$", first["SecurityGroupRuleId"]) and first["CidrIpv4"] == "10.0.0.0/8" and first["Description"] == "office"
    assert first["GroupId"] == group and first["GroupOwnerId"] == cloud.account and first["IsEgress"] is False and first["Tags"] == [{"Key": "t", "Value": "v"}]
    assert set(shown(ec2, group)[0]) == {("tcp", 443, 443, "10.0.0.0/8"), ("tcp", 443, 443, "192.168.0.0/16"), ("tcp", 443, 443, "2001:db8::/32"),
                                         ("tcp", 443, 443, other), ("udp", 53, 53, ALL), ("icmp", 252, 86, "255.255.255.255/32"), ("50", None, None, ALL),
                                         ("icmpv6", -1, -1, ALL)}
    every = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    assert len(every) == 9 and [x for x in every if x["IsEgress"]][0]["FromPort"] == -1
    peer = [x for x in every if "ReferencedGroupInfo" in x][0]
    assert peer["ReferencedGroupInfo"] == {"GroupId": other, "UserId": cloud.account}
    assert refused("DependencyViolation", ec2.delete_security_group, GroupId=other) == "resource %s has a dependent object" % other
    for f, v in (("ip-permission.cidr", "10.0.0.0/8"), ("ip-permission.group-id", other), ("ip-permission.group-name", "peer"), ("ip-permission.from-port", "443"),
                 ("ip-permission.protocol", "icmp"), ("ip-permission.ipv6-cidr", "2001:db8::/32"), ("egress.ip-permission.cidr", ALL)):
        found = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": f, "Values": [v]}])["SecurityGroups"]
        assert group in [x["GroupId"] for x in found], f
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[peer["SecurityGroupRuleId"]])
    ec2.delete_security_group(GroupId=other)
    ec2.create_tags(Resources=[first["SecurityGroupRuleId"]], Tags=[{"Key": "Name", "Value": "office"}])
    assert ec2.describe_security_group_rules(Filters=[{"Name": "tag:Name", "Values": ["office"]}])["SecurityGroupRules"][0]["CidrIpv4"] == "10.0.0.0/8"


def test_duplicates(ec2, group):
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[perm("tcp", 22, cidr="10.0.0.0/8")])
    m = refused("InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[perm("6", 80), perm("6", 22, cidr="10.9.9.9/8")])
    assert m == 'the specified rule "peer: 10.0.0.0/8, TCP, from port: 22, to port: 22, ALLOW" already exists'
    assert shown(ec2, group)[0] == [("tcp", 22, 22, "10.0.0.0/8")], "all or nothing"
    refused("InvalidPermission.Duplicate", ec2.authorize_security_group_egress, GroupId=group, IpPermissions=[perm("-1")])
    refused("InvalidParameterValue", ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[perm("udp", 1), perm("udp", 1)])


def test_revoke_v6_egress_says_not_found(ec2, group):
    """Terraform takes away the first rules of a group, IPv4 then IPv6; the second must be NotFound."""
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[perm("-1")])
    assert refused("InvalidPermission.NotFound", ec2.revoke_security_group_egress, GroupId=group,
                   IpPermissions=[perm("-1", cidr=None, Ipv6Ranges=[{"CidrIpv6": "::/0"}])]) == "The specified rule does not exist in this security group."


@pytest.mark.parametrize("p,code", [
    (perm("tcp"), "InvalidParameterValue"), (perm("tcp", 70000), "InvalidParameterValue"), (perm("tcp", 443, 80), "InvalidParameterValue"),
    (perm("tcp", -1), "InvalidParameterValue"), (perm("bogus", 1), "InvalidParameterValue"), (perm("256", 1), "InvalidParameterValue"),
    (perm("icmp"), "InvalidParameterValue"), (perm("icmp", 256, 0), "InvalidParameterValue"), (perm("icmp", -1, 3), "InvalidParameterValue"),
    (perm("tcp", 1, cidr="10.0.0.0"), "InvalidParameterValue"), (perm("tcp", 1, cidr="10.0.0.0/33"), "InvalidParameterValue"),
    (perm("tcp", 1, cidr="::/0"), "InvalidParameterValue"), (perm("tcp", 1, cidr=None), "MissingParameter"),
    (perm("tcp", 1, cidr=None, Ipv6Ranges=[{"CidrIpv6": "fe80::%eth0/64"}]), "InvalidParameterValue"),
    (perm("tcp", 1, cidr=None, PrefixListIds=[{"PrefixListId": "pl-12345678"}]), "InvalidPrefixListID.NotFound"),
    (perm("tcp", 1, cidr=None, UserIdGroupPairs=[{"GroupId": "sg-0123456789abcdef0"}]), "InvalidGroup.NotFound"),
    (perm("tcp", 1, cidr=None, UserIdGroupPairs=[{"GroupId": "sg-1"}]), "InvalidGroupId.Malformed"),
    (perm("tcp", 1, cidr=None, UserIdGroupPairs=[{"GroupId": "sg-0123456789abcdef0", "UserId": "999999999999"}]), "InvalidGroup.NotFound"),
    (perm("tcp", 1, IpRanges=[{"CidrIp": ALL, "Description": "<script>"}]), "InvalidParameterValue")])
def test_bad_rules(ec2, group, p, code):
    refused(code, ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[p])
    assert shown(ec2, group)[0] == []


def test_group_of_another_vpc(ec2, group):
    far = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]
    m = refused("InvalidGroup.NotFound", ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[perm("tcp", 1, cidr=None, UserIdGroupPairs=[{"GroupId": far}])])
    assert m == "You have specified two resources that belong to different networks."


def test_parameters_that_do_not_go_together(ec2, group):
    refused("MissingParameter", ec2.authorize_security_group_ingress, GroupId=group)
    refused("InvalidParameterCombination", ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[perm("tcp", 1)], IpProtocol="tcp", FromPort=1, ToPort=1, CidrIp=ALL)
    refused("InvalidParameterValue", ec2.authorize_security_group_ingress, GroupId=group, SourceSecurityGroupName="default")
    refused("MissingParameter", ec2.revoke_security_group_ingress, GroupId=group)
    refused("InvalidSecurityGroupRuleId.NotFound", ec2.revoke_security_group_ingress, GroupId=group, SecurityGroupRuleIds=["sgr-0123456789abcdef0"])
    egress = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    refused("InvalidSecurityGroupRuleId.NotFound", ec2.revoke_security_group_ingress, GroupId=group, SecurityGroupRuleIds=[egress])


def test_sixty_rules(ec2, group):
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[perm("tcp", i) for i in range(60)])
    refused("RulesPerSecurityGroupLimitExceeded", ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[perm("tcp", 99)])
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[perm("tcp", 99, cidr=None, Ipv6Ranges=[{"CidrIpv6": "::/0"}])])
    pages = list(ec2.get_paginator("describe_security_group_rules").paginate(Filters=[{"Name": "group-id", "Values": [group]}], PaginationConfig={"PageSize": 9}))
    ids = [r["SecurityGroupRuleId"] for p in pages for r in p["SecurityGroupRules"]]
    assert len(pages) == 7 and len(ids) == len(set(ids)) == 62


def test_modify(ec2, group):
    a, b = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[perm("tcp", 22), perm("tcp", 23)])["SecurityGroupRules"]
    a, b = a["SecurityGroupRuleId"], b["SecurityGroupRuleId"]
    ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[
        {"SecurityGroupRuleId": a, "SecurityGroupRule": {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "CidrIpv4": "10.0.0.0/8", "Description": "dns"}}])
    r = ec2.describe_security_group_rules(SecurityGroupRuleIds=[a])["SecurityGroupRules"][0]
    assert (r["IpProtocol"], r["FromPort"], r["CidrIpv4"], r["Description"]) == ("udp", 53, "10.0.0.0/8", "dns")
    refused("InvalidPermission.Duplicate", ec2.modify_security_group_rules, GroupId=group, SecurityGroupRules=[
        {"SecurityGroupRuleId": b, "SecurityGroupRule": {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "CidrIpv4": "10.0.0.0/8"}}])
    refused("MissingParameter", ec2.modify_security_group_rules, GroupId=group, SecurityGroupRules=[{"SecurityGroupRuleId": b, "SecurityGroupRule": {"IpProtocol": "tcp"}}])
    ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[{"SecurityGroupRuleId": b, "SecurityGroupRule": {"IpProtocol": "-1", "ReferencedGroupId": group}}])
    assert shown(ec2, group)[0] == [("-1", None, None, group), ("udp", 53, 53, "10.0.0.0/8")]
    ec2.delete_security_group(GroupId=group)  # a rule for itself holds nobody


def test_descriptions(ec2, group):
    i = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[perm("tcp", 22)])["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    ec2.update_security_group_rule_descriptions_ingress(GroupId=group, IpPermissions=[perm("tcp", 22, IpRanges=[{"CidrIp": ALL, "Description": "ssh"}])])
    assert ec2.describe_security_group_rules(SecurityGroupRuleIds=[i])["SecurityGroupRules"][0]["Description"] == "ssh"
    ec2.update_security_group_rule_descriptions_ingress(GroupId=group, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": i, "Description": "two"}])
    assert ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"][0]["IpRanges"] == [{"CidrIp": ALL, "Description": "two"}]
    refused("InvalidPermission.NotFound", ec2.update_security_group_rule_descriptions_ingress, GroupId=group, IpPermissions=[perm("tcp", 23)])
    refused("InvalidSecurityGroupRuleId.NotFound", ec2.update_security_group_rule_descriptions_egress, GroupId=group,
            SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": i, "Description": "x"}])
    ec2.update_security_group_rule_descriptions_egress(GroupId=group, IpPermissions=[perm("-1", IpRanges=[{"CidrIp": ALL, "Description": "out"}])])
    assert shown(ec2, group)[1] == [("-1", None, None, ALL)]
