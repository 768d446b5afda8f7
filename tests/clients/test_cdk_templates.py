# SPDX-License-Identifier: Apache-2.0
"""What templates of the CDK ask for, reduced to the resources in question: each was found by deploying an app."""
import json

import pytest
from botocore.exceptions import ClientError

from stack_lib import create, delete, physical, reasons, refused, settle, template, update
from test_lambda import make_zip

API = {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "cdk"}}
MOCK = {"Type": "AWS::ApiGateway::Method", "Properties": {
    "RestApiId": {"Ref": "Api"}, "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]}, "HttpMethod": "GET", "AuthorizationType": "NONE", "Integration": {"Type": "MOCK"}}}
# The CDK's layer with the AWS CLI holds programs that name AWS's place of Python.
AS_IN_A_LAYER = """import os, subprocess
def h(e, c):
    with open("/tmp/program", "w") as f:
        f.write("#!/var/lang/bin/python\\nimport json\\nprint('a program')\\n")
    os.chmod("/tmp/program", 0o755)
    with open("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem") as f, open(os.environ["AWS_CA_BUNDLE"]) as ours:
        assert f.read() == ours.read()
    return [os.environ["NPM_CONFIG_FETCH_RETRIES"], subprocess.run(["/tmp/program"], capture_output=True, text=True).stdout.strip()]
"""


def trust(service):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]})


def test_functions_for_arm64(cloud, cf):
    """BucketDeployment's function is one. Code for Node.js and Python runs on either processor, a program of the function's own does not."""
    fn, role = cloud.client("lambda"), cloud.client("iam").create_role(RoleName="arm", AssumeRolePolicyDocument=trust("lambda.amazonaws.com"))["Role"]["Arn"]
    f = {"Type": "AWS::Lambda::Function", "Properties": {"Role": role, "Runtime": "python3.13", "Handler": "index.h", "Architectures": ["arm64"],
                                                         "Code": {"ZipFile": AS_IN_A_LAYER}}}
    create(cf, "arm", template({"F": f}))
    name = physical(cf, "arm", "F")
    assert fn.get_function_configuration(FunctionName=name)["Architectures"] == ["arm64"]
    assert json.load(fn.invoke(FunctionName=name)["Payload"]) == ["0", "a program"]
    f["Properties"]["Architectures"] = ["x86_64"]
    update(cf, "arm", template({"F": f}))
    assert fn.get_function_configuration(FunctionName=name)["Architectures"] == ["x86_64"]
    own = make_zip({"bootstrap": "#!/bin/sh\n", "index.py": "\n"})
    assert fn.update_function_code(FunctionName=name, ZipFile=own, Architectures=["arm64"])["Architectures"] == ["arm64"]
    assert fn.update_function_code(FunctionName=name, ZipFile=own)["Architectures"] == ["arm64"]  # it stays
    with pytest.raises(ClientError) as e:
        fn.update_function_configuration(FunctionName=name, Runtime="provided.al2023")
    assert e.value.response["Error"]["Code"] == "NotImplemented" and "arm64" in str(e.value)
    fn.update_function_code(FunctionName=name, ZipFile=own, Architectures=["x86_64"])
    assert fn.update_function_configuration(FunctionName=name, Runtime="provided.al2023")["Runtime"] == "provided.al2023"
    with pytest.raises(ClientError):
        fn.update_function_code(FunctionName=name, ZipFile=own, Architectures=["arm64"])
    delete(cf, "arm")


def test_parameters_are_read_as_the_role(cloud):
    """The CDK's deploy role may read no parameter of the app; the role it hands over may. The other way round nothing is read."""
    iam, ssm = cloud.client("iam"), cloud.client("ssm")
    ssm.put_parameter(Name="/cdk/role/read", Value="it", Type="String")
    read = {"Effect": "Allow", "Action": ["ssm:GetParameter*"], "Resource": "*"}
    roles = {}
    for name, statements in (("reader", [read]), ("blind", [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}])):
        roles[name] = iam.create_role(RoleName="cdk-" + name, AssumeRolePolicyDocument=trust("cloudformation.amazonaws.com"))["Role"]["Arn"]
        iam.put_role_policy(RoleName="cdk-" + name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    deploy = {"Effect": "Allow", "Action": ["cloudformation:*", "iam:PassRole"], "Resource": "*"}
    body = json.dumps({"Parameters": {"P": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk/role/read"}},
                       "Resources": {"W": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}, "Outputs": {"O": {"Value": {"Ref": "P"}}}})
    poor = cloud.client("cloudformation", key=cloud.user("cdk-deployer", deploy))
    rich = cloud.client("cloudformation", key=cloud.user("cdk-rich", deploy, read))
    create(poor, "as-role", body, RoleARN=roles["reader"])
    assert poor.describe_stacks(StackName="as-role")["Stacks"][0]["Outputs"][0]["OutputValue"] == "it"
    refused("ValidationError", "not authorized to perform: ssm:GetParameter", poor.create_stack, StackName="as-self", TemplateBody=body)
    refused("ValidationError", "assumed-role/cdk-blind/AWSCloudFormation is not authorized", rich.create_stack, StackName="as-blind", TemplateBody=body, RoleARN=roles["blind"])
    refused("ValidationError", "ssm:GetParameter", rich.create_change_set, StackName="as-blind", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=body, RoleARN=roles["blind"])
    noone = cloud.client("cloudformation", key=cloud.user("cdk-noone", {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"}))
    with pytest.raises(ClientError) as e:  # reading through a role takes the right to pass it
        noone.create_stack(StackName="as-noone", TemplateBody=body, RoleARN=roles["reader"])
    assert e.value.response["Error"]["Code"] == "AccessDenied" and "iam:PassRole" in str(e.value)
    delete(cloud.client("cloudformation"), "as-role")


def test_keys_with_stages(cloud, cf):
    """RestApi.addApiKey names stages, from before there were usage plans: kept and told."""
    gw = cloud.client("apigateway")
    body = {"Api": API, "M": MOCK, "D": {"Type": "AWS::ApiGateway::Deployment", "DependsOn": "M", "Properties": {"RestApiId": {"Ref": "Api"}}},
            **{n: {"Type": "AWS::ApiGateway::Stage", "Properties": {"RestApiId": {"Ref": "Api"}, "DeploymentId": {"Ref": "D"}, "StageName": n}} for n in ("one", "two")},
            "K": {"Type": "AWS::ApiGateway::ApiKey", "Properties": {"Enabled": True, "StageKeys": [{"RestApiId": {"Ref": "Api"}, "StageName": {"Ref": "one"}}]}}}
    create(cf, "stage-keys", template(body))
    api, key = physical(cf, "stage-keys", "Api"), physical(cf, "stage-keys", "K")
    assert gw.get_api_key(apiKey=key)["stageKeys"] == [api + "/one"]
    body["K"]["Properties"]["StageKeys"][0]["StageName"] = {"Ref": "two"}
    update(cf, "stage-keys", template(body))
    assert physical(cf, "stage-keys", "K") == key and gw.get_api_key(apiKey=key)["stageKeys"] == [api + "/two"]
    with pytest.raises(ClientError) as e:
        gw.create_api_key(stageKeys=[{"restApiId": api, "stageName": "three"}])
    assert e.value.response["Error"]["Code"] == "NotFoundException"
    delete(cf, "stage-keys")


def test_api_from_a_file(cloud, cf):
    """SpecRestApi with an asset: the definition comes from S3, as the stack's role reads it."""
    s3, gw = cloud.client("s3"), cloud.client("apigateway")
    s3.create_bucket(Bucket="cdk-definitions")

    def put(key, path):
        answer = {"200": {"description": "ok"}}
        s3.put_object(Bucket="cdk-definitions", Key=key, Body=json.dumps({
            "openapi": "3.0.1", "info": {"title": "filed", "version": "1"},
            "paths": {path: {"get": {"responses": answer, "x-amazon-apigateway-integration": {"type": "mock"}}}}}))
        return {"Type": "AWS::ApiGateway::RestApi", "Properties": {"BodyS3Location": {"Bucket": "cdk-definitions", "Key": key}}}
    create(cf, "filed", template({"Api": put("a.json", "/first")}))
    api = physical(cf, "filed", "Api")
    assert gw.get_rest_api(restApiId=api)["name"] == "filed"
    assert {r["path"] for r in gw.get_resources(restApiId=api)["items"]} == {"/", "/first"}
    update(cf, "filed", template({"Api": put("b.json", "/second")}))
    assert physical(cf, "filed", "Api") == api
    assert {r["path"] for r in gw.get_resources(restApiId=api)["items"]} == {"/", "/second"}
    delete(cf, "filed")
    missing = {"Type": "AWS::ApiGateway::RestApi", "Properties": {"BodyS3Location": {"Bucket": "cdk-definitions", "Key": "none"}}}
    arn = cf.create_stack(StackName="filed", TemplateBody=template({"Api": missing}))["StackId"]
    assert settle(cf, arn)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any("key does not exist" in str(r) for r in reasons(cf, arn)), reasons(cf, arn)
    delete(cf, "filed")


def test_what_is_not_there_is_said(cf):
    """Types and properties that are not built: CloudFormation's words, and that it is this cloud which lacks them."""
    refused("ValidationError", "Unrecognized resource types: [AWS::SQS::Queue]. This cloud does not implement them.", cf.create_change_set, StackName="not-built",
            ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=template({"Q": {"Type": "AWS::SQS::Queue"}}))
