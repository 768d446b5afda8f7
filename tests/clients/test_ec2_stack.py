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
