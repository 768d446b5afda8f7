# SPDX-License-Identifier: Apache-2.0
"""`cloudkeep prove` on a private API with its endpoint, and on functions: held as declared, caught when weakened."""
import io
import json
import zipfile

import pytest

from test_prove_terraform import promises, prove, shown

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": ["execute-api:Invoke"], "Resource": "*"}]}


def only_through(endpoint):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
                                                    "Resource": "arn:aws:execute-api:*:*:*", "Condition": {"StringEquals": {"aws:SourceVpce": endpoint}}}]}


@pytest.fixture(scope="module")
def api(cloud):
    ec2, gw = cloud.client("ec2"), cloud.client("apigateway")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    e = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.execute-api", VpcEndpointType="Interface", SubnetIds=[subnet],
                                PrivateDnsEnabled=False, PolicyDocument=json.dumps(POLICY))["VpcEndpoint"]["VpcEndpointId"]
    policy = json.dumps(only_through(e))
    a = gw.create_rest_api(name="private", endpointConfiguration={"types": ["PRIVATE"], "vpcEndpointIds": [e]}, policy=policy)["id"]
    return {"id": a, "endpoint": e, "state": {
        "aws_vpc_endpoint.e": {"id": e, "arn": "arn:aws:ec2:us-east-1:%s:vpc-endpoint/%s" % (cloud.account, e), "vpc_id": vpc, "policy": json.dumps(POLICY),
                               "service_name": "com.amazonaws.us-east-1.execute-api", "vpc_endpoint_type": "Interface"},
        "aws_api_gateway_rest_api.a": {"id": a, "arn": "arn:aws:apigateway:us-east-1::/restapis/" + a, "name": "private", "policy": policy,
                                       "endpoint_configuration": [{"types": ["PRIVATE"], "vpc_endpoint_ids": [e]}]}}}


def left(cloud):
    gw, ec2, fn = cloud.client("apigateway"), cloud.client("ec2"), cloud.client("lambda")
    return ([a["name"] for a in gw.get_rest_apis()["items"] if "prove" in a["name"]] + [f["FunctionName"] for f in fn.list_functions()["Functions"]
            if "prove" in f["FunctionName"]], len([e for e in ec2.describe_vpc_endpoints()["VpcEndpoints"] if e["State"] != "deleted"]))


def test_private_api(cloud, api):
    code, report, err = prove(cloud, shown({"m": api["state"]}))
    assert report, err
    bad = [(p["promise"], p["attempt"], p["got"]) for p in report["proofs"] if p["verdict"] in ("broken", "untried")]
    assert bad == [] and code == 0
    tried = {p["attempt"] for p in report["proofs"] if p["family"] == "private API" and p["verdict"] == "held"}
    assert {"GET from outside", "GET of its twin through the endpoint", "GET of its twin from outside", "GET of its twin through another endpoint"} <= tried
    assert report["leftBehind"] == 0 and left(cloud) == ([], 1)


def test_catches_an_api_that_any_endpoint_reaches(cloud, api):
    """The declaration itself is weak: any endpoint may ask."""
    weak = json.loads(json.dumps(api["state"]))
    weak["aws_api_gateway_rest_api.a"]["policy"] = json.dumps(POLICY)
    weak["aws_api_gateway_rest_api.a"]["endpoint_configuration"][0]["vpc_endpoint_ids"] = []
    code, report, _ = prove(cloud, shown({"m": weak}))
    assert code == 1
    bad = {p["attempt"] for p in report["proofs"] if p["verdict"] == "broken"}
    assert "GET of its twin through another endpoint" in bad and "the API's policy" in bad
    assert left(cloud) == ([], 1)


def test_catches_policies_changed_behind_its_back(cloud, api):
    gw, ec2 = cloud.client("apigateway"), cloud.client("ec2")
    gw.update_rest_api(restApiId=api["id"], patchOperations=[{"op": "replace", "path": "/policy", "value": json.dumps(POLICY)}])
    ec2.modify_vpc_endpoint(VpcEndpointId=api["endpoint"], PolicyDocument=json.dumps(only_through("vpce-0")))
    code, report, _ = prove(cloud, shown({"m": api["state"]}))
    gw.update_rest_api(restApiId=api["id"], patchOperations=[{"op": "replace", "path": "/policy", "value": api["state"]["aws_api_gateway_rest_api.a"]["policy"]}])
    ec2.modify_vpc_endpoint(VpcEndpointId=api["endpoint"], PolicyDocument=json.dumps(POLICY))
    assert code == 1
    bad = {p["attempt"] for p in report["proofs"] if p["verdict"] == "broken"}
    assert "the API's policy" in bad and "the endpoint's policy" in bad


@pytest.fixture(scope="module")
def function(cloud):
    iam, fn = cloud.client("iam"), cloud.client("lambda")
    role = iam.create_role(RoleName="f", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
    z = io.BytesIO()
    with zipfile.ZipFile(z, "w") as f:
        f.writestr("index.py", "def handler(event, context):\n    return 1\n")
    arn = fn.create_function(FunctionName="f", Runtime="python3.12", Role=role, Handler="index.handler", Code={"ZipFile": z.getvalue()})["FunctionArn"]
    return {"aws_lambda_function.f": {"id": "f", "function_name": "f", "arn": arn, "role": role, "runtime": "python3.12", "handler": "index.handler"}}


def test_function(cloud, function):
    code, report, err = prove(cloud, shown({"m": function}))
    assert report, err
    bad = [(p["promise"], p["attempt"], p["got"]) for p in report["proofs"] if p["verdict"] in ("broken", "untried")]
    assert bad == [] and code == 0
    held = {p["attempt"] for p in report["proofs"] if p["verdict"] == "held" and p["family"] == "functions"}
    assert {"read /etc/shadow", "write its own code", "reach another host", "use rights that its role does not have"} <= held
    assert any("AddPermission" in a for a in held)
    assert report["leftBehind"] == 0 and left(cloud)[0] == []


def test_catches_a_function_that_everybody_may_call(cloud, function):
    fn = cloud.client("lambda")
    fn.add_permission(FunctionName="f", StatementId="open", Action="lambda:InvokeFunction", Principal=cloud.account)
    fn.add_permission(FunctionName="f", StatementId="wide", Action="lambda:InvokeFunction", Principal="*")
    code, report, _ = prove(cloud, shown({"m": function}))
    for s in ("open", "wide"):
        fn.remove_permission(FunctionName="f", StatementId=s)
    assert code == 1 and any("is run, read and changed by no outsider" in p for p in promises(report))


def test_status_counts_them(cloud, api, function):
    from cli_tool import run
    held = {r["name"]: r["resources"] for r in json.loads(run("status", "--json", data=cloud.data, check=0).stdout)["regions"]}["us-east-1"]
    assert held["apigateway"] == {"APIs": 1} and held["lambda"] == {"functions": 1} and held["ec2"]["endpoints"] == 1
