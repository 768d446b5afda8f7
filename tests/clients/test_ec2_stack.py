# SPDX-License-Identifier: Apache-2.0
"""EC2's resource types in a stack: made, changed, deleted without a trace."""
import json

WAIT = {"Delay": 1, "MaxAttempts": 40}


def template(cidr):
    def r(t, **p):
        return {"Type": "AWS::EC2::" + t, "Properties": p}
    ref = lambda x: {"Ref": x}  # noqa: E731
    return json.dumps({"Resources": {
        "V": r("VPC", CidrBlock="10.0.0.0/16", EnableDnsHostnames=True, Tags=[{"Key": "Name", "Value": "n"}]),
        "S": r("Subnet", VpcId=ref("V"), CidrBlock="10.0.0.0/24", AvailabilityZone={"Fn::Select": [0, {"Fn::GetAZs": ""}]}, MapPublicIpOnLaunch=True),
        "G": r("InternetGateway"),
        "A": r("VPCGatewayAttachment", VpcId=ref("V"), InternetGatewayId=ref("G")),
        "T": r("RouteTable", VpcId=ref("V")),
        "R": dict(r("Route", RouteTableId=ref("T"), DestinationCidrBlock="0.0.0.0/0", GatewayId=ref("G")), DependsOn="A"),
        "J": r("SubnetRouteTableAssociation", RouteTableId=ref("T"), SubnetId=ref("S")),
        "SG": r("SecurityGroup", GroupDescription="d", VpcId=ref("V"),
                SecurityGroupIngress=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": cidr}],
                SecurityGroupEgress=[{"IpProtocol": "icmp", "FromPort": 252, "ToPort": 86, "CidrIp": "255.255.255.255/32"}])},
        "Outputs": {"D": {"Value": {"Fn::GetAtt": ["V", "DefaultSecurityGroup"]}}, "Z": {"Value": {"Fn::GetAtt": ["S", "AvailabilityZone"]}}}})


def counts(ec2):
    return [len(ec2.describe_vpcs()["Vpcs"]), len(ec2.describe_subnets()["Subnets"]), len(ec2.describe_internet_gateways()["InternetGateways"]),
            len(ec2.describe_route_tables()["RouteTables"]), len(ec2.describe_security_groups()["SecurityGroups"]), len(ec2.describe_tags()["Tags"])]


def test_network_stack(cloud):
    cf, ec2 = cloud.client("cloudformation"), cloud.client("ec2")
    before = counts(ec2)
    cf.create_stack(StackName="net", TemplateBody=template("10.0.0.0/8"))
    cf.get_waiter("stack_create_complete").wait(StackName="net", WaiterConfig=WAIT)
    ids = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in cf.describe_stack_resources(StackName="net")["StackResources"]}
    assert ids["A"] == "IGW|" + ids["V"] and ids["R"] == ids["T"] + "|0.0.0.0/0" and ids["J"].startswith("rtbassoc-")
    outputs = {o["OutputKey"]: o["OutputValue"] for o in cf.describe_stacks(StackName="net")["Stacks"][0]["Outputs"]}
    own = [{"Name": "vpc-id", "Values": [ids["V"]]}, {"Name": "group-name", "Values": ["default"]}]
    assert outputs == {"D": ec2.describe_security_groups(Filters=own)["SecurityGroups"][0]["GroupId"], "Z": "us-east-1a"}
    g = ec2.describe_security_groups(Filters=[{"Name": "tag:aws:cloudformation:logical-id", "Values": ["SG"]}])["SecurityGroups"][0]
    assert g["GroupId"] == ids["SG"] and g["GroupName"].startswith("net-SG-")
    assert [(p["IpProtocol"], p["FromPort"], p["ToPort"]) for p in g["IpPermissionsEgress"]] == [("icmp", 252, 86)]
    t = ec2.describe_route_tables(RouteTableIds=[ids["T"]])["RouteTables"][0]
    assert [r["State"] for r in t["Routes"]] == ["active", "active"] and t["Associations"][0]["SubnetId"] == ids["S"]
    cf.update_stack(StackName="net", TemplateBody=template("11.0.0.0/8"))
    cf.get_waiter("stack_update_complete").wait(StackName="net", WaiterConfig=WAIT)
    g = ec2.describe_security_groups(GroupIds=[ids["SG"]])["SecurityGroups"][0]
    assert g["IpPermissions"][0]["IpRanges"] == [{"CidrIp": "11.0.0.0/8"}]
    cf.delete_stack(StackName="net")
    cf.get_waiter("stack_delete_complete").wait(StackName="net", WaiterConfig=WAIT)
    assert counts(ec2) == before


def endpoints_template(changed=False):
    def r(t, **p):
        return {"Type": "AWS::EC2::" + t, "Properties": p}
    ref = lambda x: {"Ref": x}  # noqa: E731
    policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt" if changed else "kms:*", "Resource": "*"}]}
    return json.dumps({"Resources": {
        "V": r("VPC", CidrBlock="10.0.0.0/16", EnableDnsHostnames=True),
        "A": r("Subnet", VpcId=ref("V"), CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1a"),
        "B": r("Subnet", VpcId=ref("V"), CidrBlock="10.0.2.0/24", AvailabilityZone="us-east-1b"),
        "T": r("RouteTable", VpcId=ref("V")),
        "P": r("PrefixList", PrefixListName="offices", AddressFamily="IPv4", MaxEntries=5,
               Entries=[{"Cidr": "10.9.0.0/16"}, {"Cidr": "10.8.0.0/16"}] if changed else [{"Cidr": "10.9.0.0/16", "Description": "d"}]),
        "G": r("SecurityGroup", GroupDescription="d", VpcId=ref("V"), SecurityGroupIngress=[
            {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "SourcePrefixListId": {"Fn::GetAtt": ["P", "PrefixListId"]}}]),
        "E": r("VPCEndpoint", VpcId=ref("V"), ServiceName={"Fn::Sub": "com.amazonaws.${AWS::Region}.kms"}, VpcEndpointType="Interface",
               SubnetIds=[ref("A"), ref("B")] if changed else [ref("A")], SecurityGroupIds=[ref("G")], PrivateDnsEnabled=True, PolicyDocument=policy),
        "S3": r("VPCEndpoint", VpcId=ref("V"), ServiceName={"Fn::Sub": "com.amazonaws.${AWS::Region}.s3"}, RouteTableIds=[] if changed else [ref("T")]),
        "I": r("NetworkInterface", SubnetId=ref("A"), GroupSet=[ref("G")], SourceDestCheck=changed, Description="x" if changed else "y"),
        "N": r("NetworkAcl", VpcId=ref("V"), Tags=[{"Key": "Name", "Value": "n"}]),
        "NE": r("NetworkAclEntry", NetworkAclId=ref("N"), RuleNumber=100, Protocol=6, RuleAction="deny" if changed else "allow", Egress=False,
                CidrBlock="0.0.0.0/0", PortRange={"From": 443, "To": 443}),
        "NA": r("SubnetNetworkAclAssociation", NetworkAclId=ref("N"), SubnetId=ref("A"))},
        "Outputs": {"Dns": {"Value": {"Fn::Select": [0, {"Fn::GetAtt": ["E", "DnsEntries"]}]}}, "Ip": {"Value": {"Fn::GetAtt": ["I", "PrimaryPrivateIpAddress"]}},
                    "Version": {"Value": {"Fn::GetAtt": ["P", "Version"]}}}})


def test_endpoints_stack(cloud):
    cf, ec2 = cloud.client("cloudformation"), cloud.client("ec2")
    before = counts(ec2)
    cf.create_stack(StackName="ends", TemplateBody=endpoints_template())
    cf.get_waiter("stack_create_complete").wait(StackName="ends", WaiterConfig=WAIT)
    ids = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in cf.describe_stack_resources(StackName="ends")["StackResources"]}
    outputs = {o["OutputKey"]: o["OutputValue"] for o in cf.describe_stacks(StackName="ends")["Stacks"][0]["Outputs"]}
    e = ec2.describe_vpc_endpoints(VpcEndpointIds=[ids["E"]])["VpcEndpoints"][0]
    assert outputs["Dns"] == "%s:%s" % (e["DnsEntries"][0]["HostedZoneId"], e["DnsEntries"][0]["DnsName"]) and outputs["Version"] == "1"
    assert e["PrivateDnsEnabled"] and e["SubnetIds"] == [ids["A"]] and json.loads(e["PolicyDocument"])["Statement"][0]["Action"] == "kms:*"
    i = ec2.describe_network_interfaces(NetworkInterfaceIds=[ids["I"]])["NetworkInterfaces"][0]
    assert i["PrivateIpAddress"] == outputs["Ip"] and not i["SourceDestCheck"] and i["Description"] == "y"
    acl = ec2.describe_network_acls(NetworkAclIds=[ids["N"]])["NetworkAcls"][0]
    assert [a["SubnetId"] for a in acl["Associations"]] == [ids["A"]]
    assert [(x["RuleNumber"], x["Egress"], x["RuleAction"], x["Protocol"]) for x in acl["Entries"]] == [
        (32767, True, "deny", "-1"), (100, False, "allow", "6"), (32767, False, "deny", "-1")]
    cf.update_stack(StackName="ends", TemplateBody=endpoints_template(True))
    cf.get_waiter("stack_update_complete").wait(StackName="ends", WaiterConfig=WAIT)
    e = ec2.describe_vpc_endpoints(VpcEndpointIds=[ids["E"]])["VpcEndpoints"][0]
    assert len(e["NetworkInterfaceIds"]) == 2 and json.loads(e["PolicyDocument"])["Statement"][0]["Action"] == "kms:Decrypt"
    assert ec2.describe_vpc_endpoints(VpcEndpointIds=[ids["S3"]])["VpcEndpoints"][0]["RouteTableIds"] == []
    assert [x["Cidr"] for x in ec2.get_managed_prefix_list_entries(PrefixListId=ids["P"])["Entries"]] == ["10.9.0.0/16", "10.8.0.0/16"]
    i = ec2.describe_network_interfaces(NetworkInterfaceIds=[ids["I"]])["NetworkInterfaces"][0]
    assert i["SourceDestCheck"] and i["Description"] == "x"
    assert "deny" in [x["RuleAction"] for x in ec2.describe_network_acls(NetworkAclIds=[ids["N"]])["NetworkAcls"][0]["Entries"] if x["RuleNumber"] == 100]
    cf.delete_stack(StackName="ends")
    cf.get_waiter("stack_delete_complete").wait(StackName="ends", WaiterConfig=WAIT)
    assert counts(ec2) == before and not ec2.describe_vpc_endpoints()["VpcEndpoints"] and not ec2.describe_network_interfaces()["NetworkInterfaces"]
