# SPDX-License-Identifier: Apache-2.0
"""Network ACLs through boto3: entries, associations, refusals."""
import pytest

from test_ec2 import clean, refused


@pytest.fixture(scope="module")
def ec2(cloud):
    return cloud.client("ec2", region="us-west-2")


@pytest.fixture
def vpc(ec2):
    v = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    yield v
    clean(ec2, v)


def entry(acl, number, **kw):
    return dict(dict(NetworkAclId=acl, RuleNumber=number, Protocol="6", RuleAction="allow", Egress=False, CidrBlock="10.0.0.0/8",
                     PortRange={"From": 443, "To": 443}), **kw)


def test_network_acl(ec2, vpc):
    s = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    made = ec2.create_network_acl(VpcId=vpc, ClientToken="a", TagSpecifications=[
        {"ResourceType": "network-acl", "Tags": [{"Key": "k", "Value": "v"}]}])["NetworkAcl"]
    acl = made["NetworkAclId"]
    assert ec2.create_network_acl(VpcId=vpc, ClientToken="a")["NetworkAcl"]["NetworkAclId"] == acl
    assert not made["IsDefault"] and made["Associations"] == [] and made["Tags"] == [{"Key": "k", "Value": "v"}]
    assert [(e["Egress"], e["RuleNumber"], e["RuleAction"]) for e in made["Entries"]] == [(True, 32767, "deny"), (False, 32767, "deny")]
    ec2.create_network_acl_entry(**entry(acl, 200))
    ec2.create_network_acl_entry(**entry(acl, 100, Protocol="tcp", PortRange={"From": 80, "To": 90}))
    ec2.create_network_acl_entry(**entry(acl, 100, Egress=True, Protocol="-1", RuleAction="deny"))
    ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=300, Protocol="icmp", RuleAction="allow", Egress=False, CidrBlock="10.0.0.0/8",
                                 IcmpTypeCode={"Type": 8, "Code": -1})

    def shown():
        entries = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]
        return [(e["Egress"], e["RuleNumber"], e["Protocol"], e["RuleAction"], e.get("PortRange"), e.get("IcmpTypeCode")) for e in entries]
    assert shown() == [(True, 100, "-1", "deny", None, None), (True, 32767, "-1", "deny", None, None),
                       (False, 100, "6", "allow", {"From": 80, "To": 90}, None), (False, 200, "6", "allow", {"From": 443, "To": 443}, None),
                       (False, 300, "1", "allow", None, {"Type": 8, "Code": -1}), (False, 32767, "-1", "deny", None, None)]
    ec2.replace_network_acl_entry(**entry(acl, 200, RuleAction="deny"))
    assert (False, 200, "6", "deny", {"From": 443, "To": 443}, None) in shown()
    ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Egress=True)
    assert len(shown()) == 5
    before = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [s]}])["NetworkAcls"][0]
    assert before["IsDefault"]
    old = [a["NetworkAclAssociationId"] for a in before["Associations"] if a["SubnetId"] == s][0]
    new = ec2.replace_network_acl_association(AssociationId=old, NetworkAclId=acl)["NewAssociationId"]
    now = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]
    assert now["Associations"] == [{"NetworkAclAssociationId": new, "NetworkAclId": acl, "SubnetId": s}]
    refused("InvalidAssociationID.NotFound", ec2.replace_network_acl_association, AssociationId=old, NetworkAclId=acl)
    refused("DependencyViolation", ec2.delete_network_acl, NetworkAclId=acl)
    refused("InvalidParameterValue", ec2.delete_network_acl, "default", NetworkAclId=before["NetworkAclId"])
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc)
    ec2.replace_network_acl_association(AssociationId=new, NetworkAclId=before["NetworkAclId"])
    ec2.delete_network_acl(NetworkAclId=acl)
    refused("InvalidNetworkAclID.NotFound", ec2.delete_network_acl, NetworkAclId=acl)


def test_refused_entries(ec2, vpc):
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    for code, change in (("InvalidParameterValue", {"RuleNumber": 0}), ("InvalidParameterValue", {"RuleNumber": 32767}),
                         ("InvalidParameterValue", {"Protocol": "nonsense"}), ("InvalidParameterValue", {"CidrBlock": "10.0.0.0/40"}),
                         ("InvalidParameterValue", {"PortRange": {"From": 9, "To": 8}}), ("MissingParameter", {"Protocol": "1"}),
                         ("InvalidParameterCombination", {"Ipv6CidrBlock": "::/0"})):
        refused(code, ec2.create_network_acl_entry, **entry(acl, 10, **{k: v for k, v in change.items() if k != "RuleNumber"})
                if "RuleNumber" not in change else entry(acl, change["RuleNumber"]))
    ec2.create_network_acl_entry(**entry(acl, 10))
    refused("NetworkAclEntryAlreadyExists", ec2.create_network_acl_entry, **entry(acl, 10))
    refused("InvalidNetworkAclEntry.NotFound", ec2.replace_network_acl_entry, **entry(acl, 11))
    refused("InvalidNetworkAclEntry.NotFound", ec2.delete_network_acl_entry, NetworkAclId=acl, RuleNumber=32767, Egress=False)
    for n in range(11, 30):
        ec2.create_network_acl_entry(**entry(acl, n))
    refused("NetworkAclEntryLimitExceeded", ec2.create_network_acl_entry, **entry(acl, 30))
    ec2.delete_network_acl(NetworkAclId=acl)
