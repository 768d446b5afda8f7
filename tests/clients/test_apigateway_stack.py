# SPDX-License-Identifier: Apache-2.0
"""API Gateway in stacks: everything made, changed in place, and gone again."""
import json
import time

import pytest

from refusals import refused


@pytest.fixture(scope="module")
def cfn(cloud):
    return cloud.client("cloudformation")


@pytest.fixture(scope="module")
def gw(cloud):
    return cloud.client("apigateway")


def settle(cfn, name, want):
    for _ in range(400):
        try:
            s = cfn.describe_stacks(StackName=name)["Stacks"][0]
        except cfn.exceptions.ClientError:
            return None
        if not s["StackStatus"].endswith("IN_PROGRESS"):
            break
        time.sleep(0.05)
    why = [e.get("ResourceStatusReason") for e in cfn.describe_stack_events(StackName=s["StackId"])["StackEvents"] if "FAILED" in e["ResourceStatus"]]
    assert s["StackStatus"] == want, why
    return {o["OutputKey"]: o["OutputValue"] for o in s.get("Outputs", [])}


def template(cloud, **change):
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}}
    uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:%s:function:f/invocations" % cloud.account
    api = {"Ref": "Api"}
    t = {"Resources": {
        "Role": role,
        "Account": {"Type": "AWS::ApiGateway::Account", "Properties": {"CloudWatchRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}}},
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "stacked", "Description": "one", "EndpointConfiguration": {"Types": ["REGIONAL"]}, "BinaryMediaTypes": ["image/png"], "Tags": [{"Key": "k", "Value": "v"}]}},
        "Pets": {"Type": "AWS::ApiGateway::Resource", "Properties": {"RestApiId": api, "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]}, "PathPart": "pets"}},
        "Auth": {"Type": "AWS::ApiGateway::Authorizer", "Properties": {"RestApiId": api, "Name": "z", "Type": "TOKEN", "AuthorizerUri": uri, "IdentitySource": "method.request.header.A", "AuthorizerResultTtlInSeconds": 30}},
        "Model": {"Type": "AWS::ApiGateway::Model", "Properties": {"RestApiId": api, "Name": "Pet", "ContentType": "application/json", "Schema": {"type": "object"}}},
        "Validator": {"Type": "AWS::ApiGateway::RequestValidator", "Properties": {"RestApiId": api, "Name": "all", "ValidateRequestBody": True}},
        "Get": {"Type": "AWS::ApiGateway::Method", "Properties": {
            "RestApiId": api, "ResourceId": {"Ref": "Pets"}, "HttpMethod": "GET", "AuthorizationType": "CUSTOM", "AuthorizerId": {"Ref": "Auth"}, "ApiKeyRequired": True,
            "RequestValidatorId": {"Ref": "Validator"}, "RequestModels": {"application/json": {"Ref": "Model"}}, "RequestParameters": {"method.request.querystring.Q": False},
            "Integration": {"Type": "MOCK", "RequestTemplates": {"application/json": '{"statusCode": 200}'}, "IntegrationResponses": [{"StatusCode": "200", "ResponseParameters": {"method.response.header.X-A": "'1'"}, "ResponseTemplates": {"application/json": "{}"}}]},
            "MethodResponses": [{"StatusCode": "200", "ResponseParameters": {"method.response.header.X-A": True}, "ResponseModels": {"application/json": "Empty"}}]}},
        "Denied": {"Type": "AWS::ApiGateway::GatewayResponse", "Properties": {"RestApiId": api, "ResponseType": "ACCESS_DENIED", "StatusCode": "401", "ResponseParameters": {"gatewayresponse.header.X": "'y'"}}},
        "Deployment": {"Type": "AWS::ApiGateway::Deployment", "DependsOn": ["Get"], "Properties": {"RestApiId": api, "Description": "d"}},
        "Stage": {"Type": "AWS::ApiGateway::Stage", "DependsOn": ["Account"], "Properties": {
            "RestApiId": api, "DeploymentId": {"Ref": "Deployment"}, "StageName": "prod", "Variables": {"a": "1", "b": "2"}, "TracingEnabled": True,
            "AccessLogSetting": {"DestinationArn": "arn:aws:logs:us-east-1:%s:log-group:lg" % cloud.account, "Format": "$context.requestId"},
            "MethodSettings": [{"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": 10, "ThrottlingBurstLimit": 5}, {"ResourcePath": "/~1pets", "HttpMethod": "GET", "MetricsEnabled": True}]}},
        "Key": {"Type": "AWS::ApiGateway::ApiKey", "Properties": {"Enabled": True}},
        "Plan": {"Type": "AWS::ApiGateway::UsagePlan", "Properties": {"UsagePlanName": "p", "Quota": {"Limit": 10, "Period": "DAY"}, "Throttle": {"RateLimit": 1.5, "BurstLimit": 2}, "ApiStages": [{"ApiId": api, "Stage": {"Ref": "Stage"}, "Throttle": {"/pets/GET": {"RateLimit": 3}}}]}},
        "PlanKey": {"Type": "AWS::ApiGateway::UsagePlanKey", "Properties": {"KeyId": {"Ref": "Key"}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": "Plan"}}},
        "Doc": {"Type": "AWS::ApiGateway::DocumentationPart", "Properties": {"RestApiId": api, "Location": {"Type": "METHOD", "Path": "/pets", "Method": "GET"}, "Properties": '{"description": "d"}'}},
        "DocVersion": {"Type": "AWS::ApiGateway::DocumentationVersion", "DependsOn": ["Doc"], "Properties": {"RestApiId": api, "DocumentationVersion": "1"}},
        "Cert": {"Type": "AWS::ApiGateway::ClientCertificate", "Properties": {"Description": "c"}}},
        "Outputs": {"Api": {"Value": api}, "Root": {"Value": {"Fn::GetAtt": ["Api", "RootResourceId"]}}, "Pets": {"Value": {"Ref": "Pets"}}, "Stage": {"Value": {"Ref": "Stage"}}, "Key": {"Value": {"Fn::GetAtt": ["Key", "APIKeyId"]}},
                    "Plan": {"Value": {"Fn::GetAtt": ["Plan", "Id"]}}, "Deployment": {"Value": {"Fn::GetAtt": ["Deployment", "DeploymentId"]}}, "Cert": {"Value": {"Ref": "Cert"}}}}
    for name, props in change.items():
        for k, v in props.items():
            if v is None:
                t["Resources"][name]["Properties"].pop(k, None)
            else:
                t["Resources"][name]["Properties"][k] = v
    return json.dumps(t)


def test_everything_in_a_stack(cloud, cfn, gw):
    cfn.create_stack(StackName="gw", TemplateBody=template(cloud), Capabilities=["CAPABILITY_IAM"])
    o = settle(cfn, "gw", "CREATE_COMPLETE")
    a = o["Api"]
    assert gw.get_rest_api(restApiId=a)["tags"]["k"] == "v" and o["Root"] == gw.get_rest_api(restApiId=a)["rootResourceId"]
    m = gw.get_method(restApiId=a, resourceId=o["Pets"], httpMethod="GET")
    assert (m["authorizationType"], m["apiKeyRequired"], m["requestModels"], m["requestParameters"]) == ("CUSTOM", True, {"application/json": "Pet"}, {"method.request.querystring.Q": False})
    assert m["methodIntegration"]["integrationResponses"]["200"]["responseParameters"] == {"method.response.header.X-A": "'1'"}
    st = gw.get_stage(restApiId=a, stageName="prod")
    assert st["variables"] == {"a": "1", "b": "2"} and st["accessLogSettings"]["format"] == "$context.requestId" and st["deploymentId"] == o["Deployment"]
    assert st["methodSettings"]["*/*"]["throttlingRateLimit"] == 10.0 and st["methodSettings"]["pets/GET"]["metricsEnabled"] is True
    p = gw.get_usage_plan(usagePlanId=o["Plan"])
    assert p["apiStages"][0]["throttle"]["/pets/GET"]["rateLimit"] == 3.0 and p["quota"]["limit"] == 10
    assert [k["id"] for k in gw.get_usage_plan_keys(usagePlanId=o["Plan"])["items"]] == [o["Key"]]
    assert gw.get_gateway_response(restApiId=a, responseType="ACCESS_DENIED")["statusCode"] == "401"
    with pytest.raises(cfn.exceptions.ClientError, match="No updates"):
        cfn.update_stack(StackName="gw", TemplateBody=template(cloud), Capabilities=["CAPABILITY_IAM"])
    cfn.update_stack(StackName="gw", Capabilities=["CAPABILITY_IAM"], TemplateBody=template(
        cloud, Api={"Description": "two", "BinaryMediaTypes": ["image/gif"], "Tags": [{"Key": "n", "Value": "w"}]}, Get={"AuthorizationType": "NONE", "AuthorizerId": None, "ApiKeyRequired": False},
        Stage={"Variables": {"b": "3"}, "MethodSettings": [{"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": 20}], "AccessLogSetting": None},
        Plan={"Quota": None, "Throttle": {"RateLimit": 9, "BurstLimit": 2}}, Auth={"AuthorizerResultTtlInSeconds": 0}, Model={"Schema": {"type": "string"}}, Denied={"StatusCode": "418"}, Key={"Enabled": False}, Cert={"Description": "e"}))
    assert settle(cfn, "gw", "UPDATE_COMPLETE")["Api"] == a
    g = gw.get_rest_api(restApiId=a)
    assert g["description"] == "two" and g["binaryMediaTypes"] == ["image/gif"] and g["tags"] == {"n": "w"}
    assert gw.get_method(restApiId=a, resourceId=o["Pets"], httpMethod="GET")["authorizationType"] == "NONE"
    st = gw.get_stage(restApiId=a, stageName="prod")
    assert st["variables"] == {"b": "3"} and set(st["methodSettings"]) == {"*/*"} and st["methodSettings"]["*/*"]["throttlingRateLimit"] == 20.0 and "accessLogSettings" not in st
    p = gw.get_usage_plan(usagePlanId=o["Plan"])
    assert "quota" not in p and p["throttle"]["rateLimit"] == 9.0
    assert gw.get_gateway_response(restApiId=a, responseType="ACCESS_DENIED")["statusCode"] == "418"
    assert gw.get_client_certificate(clientCertificateId=o["Cert"])["description"] == "e"
    cfn.delete_stack(StackName="gw")
    assert settle(cfn, "gw", "DELETE_COMPLETE") is None
    refused("NotFoundException", gw.get_rest_api, restApiId=a)
    assert gw.get_api_keys()["items"] == [] and gw.get_usage_plans()["items"] == [] and gw.get_client_certificates()["items"] == []


def test_body_deployment_stage_and_rollback(cloud, cfn, gw):
    body = {"openapi": "3.0.1", "info": {"title": "b", "version": "1"}, "paths": {"/a": {"get": {"responses": {"200": {"description": "x"}}, "x-amazon-apigateway-integration": {"type": "mock"}}}}}
    t = {"Resources": {"Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "named", "Body": body, "EndpointConfiguration": {"Types": ["PRIVATE"], "VpcEndpointIds": ["vpce-1"]}, "Policy": {
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}]}}},
        "D": {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": "Api"}, "StageName": "s", "StageDescription": {"Description": "sd", "Variables": {"v": "1"}, "ThrottlingRateLimit": 7}}}},
        "Outputs": {"Api": {"Value": {"Ref": "Api"}}}}
    cfn.create_stack(StackName="gwb", TemplateBody=json.dumps(t))
    a = settle(cfn, "gwb", "CREATE_COMPLETE")["Api"]
    g = gw.get_rest_api(restApiId=a)
    assert g["name"] == "named" and g["endpointConfiguration"]["vpcEndpointIds"] == ["vpce-1"] and "execute-api:/*" in g["policy"]
    st = gw.get_stage(restApiId=a, stageName="s")
    assert (st["description"], st["variables"], st["methodSettings"]["*/*"]["throttlingRateLimit"]) == ("sd", {"v": "1"}, 7.0)
    body["paths"]["/b"] = body["paths"].pop("/a")
    cfn.update_stack(StackName="gwb", TemplateBody=json.dumps(t))
    settle(cfn, "gwb", "UPDATE_COMPLETE")
    assert {r["path"] for r in gw.get_resources(restApiId=a)["items"]} == {"/", "/b"}
    t["Resources"]["Bad"] = {"Type": "AWS::ApiGateway::Resource", "Properties": {"RestApiId": {"Ref": "Api"}, "ParentId": "nope", "PathPart": "x"}}
    cfn.update_stack(StackName="gwb", TemplateBody=json.dumps(t))
    settle(cfn, "gwb", "UPDATE_ROLLBACK_COMPLETE")
    cfn.delete_stack(StackName="gwb")
    settle(cfn, "gwb", "DELETE_COMPLETE")
    refused("NotFoundException", gw.get_rest_api, restApiId=a)


def test_a_body_in_a_bucket_and_a_cache(cloud, cfn, gw):
    """What CDK's SpecRestApi makes of an asset; and a cache whose size changes in place."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="api-bodies")
    mock = {"x-amazon-apigateway-integration": {"type": "mock", "requestTemplates": {"application/json": '{"statusCode": 200}'}, "responses": {"default": {"statusCode": "200"}}}, "responses": {"200": {"description": "ok"}}}
    spec = lambda *paths: json.dumps({"openapi": "3.0.1", "info": {"title": "from-s3", "version": "1"}, "paths": {p: {"get": mock} for p in paths}})
    s3.put_object(Bucket="api-bodies", Key="one.json", Body=spec("/a"))
    s3.put_object(Bucket="api-bodies", Key="two.json", Body=spec("/a", "/b"))

    def stack(key, size):
        return json.dumps({"Resources": {
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "spec", "BodyS3Location": {"Bucket": "api-bodies", "Key": key}}},
            "Deployment": {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": "Api"}}},
            "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": {"RestApiId": {"Ref": "Api"}, "DeploymentId": {"Ref": "Deployment"}, "StageName": "p", "CacheClusterEnabled": True, "CacheClusterSize": size,
                                                                       "MethodSettings": [{"ResourcePath": "/*", "HttpMethod": "*", "CachingEnabled": True, "CacheTtlInSeconds": 30}]}}},
            "Outputs": {"Id": {"Value": {"Ref": "Api"}}}})

    cfn.create_stack(StackName="from-s3", TemplateBody=stack("one.json", "0.5"))
    api = settle(cfn, "from-s3", "CREATE_COMPLETE")["Id"]
    paths = lambda: sorted(r["path"] for r in gw.get_resources(restApiId=api)["items"])
    assert gw.get_rest_api(restApiId=api)["name"] == "spec" and paths() == ["/", "/a"]
    st = gw.get_stage(restApiId=api, stageName="p")
    assert (st["cacheClusterEnabled"], st["cacheClusterSize"]) == (True, "0.5") and st["methodSettings"]["*/*"]["cacheTtlInSeconds"] == 30
    cfn.update_stack(StackName="from-s3", TemplateBody=stack("two.json", "1.6"))
    settle(cfn, "from-s3", "UPDATE_COMPLETE")
    assert paths() == ["/", "/a", "/b"] and gw.get_stage(restApiId=api, stageName="p")["cacheClusterSize"] == "1.6"
    cfn.delete_stack(StackName="from-s3")
    settle(cfn, "from-s3", "DELETE_COMPLETE")
    cfn.create_stack(StackName="no-object", TemplateBody=stack("none.json", "0.5"))
    for _ in range(400):
        s = cfn.describe_stacks(StackName="no-object")["Stacks"][0]["StackStatus"]
        if not s.endswith("IN_PROGRESS"):
            break
        time.sleep(0.05)
    why = [e.get("ResourceStatusReason", "") for e in cfn.describe_stack_events(StackName="no-object")["StackEvents"]]
    assert s == "ROLLBACK_COMPLETE" and any("The specified key does not exist" in w for w in why), why
    cfn.delete_stack(StackName="no-object")
    settle(cfn, "no-object", "DELETE_COMPLETE")
