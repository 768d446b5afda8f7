# SPDX-License-Identifier: Apache-2.0
"""API Gateway's control plane through boto3: what is edited, what is deployed, who may."""
import json

import pytest

from refusals import refused

LAMBDA = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:%s:function:f/invocations"


@pytest.fixture(scope="module")
def gw(cloud):
    return cloud.client("apigateway")


def patch(*ops):
    return [dict(zip(("op", "path", "value"), o)) for o in ops]


def api(gw, name="t", **kw):
    r = gw.create_rest_api(name=name, **kw)
    return r["id"], r["rootResourceId"]


def mock(gw, a, res, verb="GET"):
    gw.put_method(restApiId=a, resourceId=res, httpMethod=verb, authorizationType="NONE")
    gw.put_method_response(restApiId=a, resourceId=res, httpMethod=verb, statusCode="200", responseParameters={"method.response.header.X": False})
    gw.put_integration(restApiId=a, resourceId=res, httpMethod=verb, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    gw.put_integration_response(restApiId=a, resourceId=res, httpMethod=verb, statusCode="200", responseParameters={"method.response.header.X": "'1'"},
                                responseTemplates={"application/json": '{"ok": true}'})


def test_rest_api_and_patches(cloud, gw):
    pol = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:*:*:*"}]})
    r = gw.create_rest_api(name="private", description="d", endpointConfiguration={"types": ["PRIVATE"], "vpcEndpointIds": ["vpce-0123456789abcdef0"]},
                           policy=pol, tags={"team": "a"}, binaryMediaTypes=["image/png"])
    a = r["id"]
    assert len(a) == 10 and r["rootResourceId"] and r["apiKeySource"] == "HEADER" and r["disableExecuteApiEndpoint"] is False
    g = gw.get_rest_api(restApiId=a)
    assert json.loads(json.loads('"%s"' % g["policy"])) == json.loads(pol)
    assert g["endpointConfiguration"] == {"types": ["PRIVATE"], "vpcEndpointIds": ["vpce-0123456789abcdef0"], "ipAddressType": "dualstack"}
    assert g["tags"] == {"team": "a"}
    u = gw.update_rest_api(restApiId=a, patchOperations=patch(
        ("replace", "/name", "p2"), ("replace", "/minimumCompressionSize", "1024"), ("add", "/binaryMediaTypes/image~1gif"), ("remove", "/binaryMediaTypes/image~1png"),
        ("add", "/endpointConfiguration/vpcEndpointIds", "vpce-2"), ("remove", "/endpointConfiguration/vpcEndpointIds", "vpce-0123456789abcdef0"),
        ("replace", "/apiKeySource", "AUTHORIZER"), ("replace", "/disableExecuteApiEndpoint", "true")))
    assert (u["name"], u["minimumCompressionSize"], u["binaryMediaTypes"], u["apiKeySource"], u["disableExecuteApiEndpoint"]) == ("p2", 1024, ["image/gif"], "AUTHORIZER", True)
    assert u["endpointConfiguration"]["vpcEndpointIds"] == ["vpce-2"]
    assert "minimumCompressionSize" not in gw.update_rest_api(restApiId=a, patchOperations=patch(("replace", "/minimumCompressionSize", "")))
    assert "policy" not in gw.update_rest_api(restApiId=a, patchOperations=patch(("replace", "/policy", "")))
    assert "Must be one of: [/apiKeySource" in refused("BadRequestException", gw.update_rest_api, restApiId=a, patchOperations=patch(("replace", "/id", "x")))
    assert "Please choose supported operations" in refused("BadRequestException", gw.update_rest_api, restApiId=a, patchOperations=patch(("copy", "/name", "x")))
    refused("BadRequestException", gw.update_rest_api, restApiId=a, patchOperations=patch(("replace", "/policy", "{not a policy")))
    refused("BadRequestException", gw.update_rest_api, restApiId=a, patchOperations=patch(("replace", "/disableExecuteApiEndpoint", "perhaps")))
    refused("BadRequestException", gw.create_rest_api, name="x", endpointConfiguration={"types": ["EDGE"], "vpcEndpointIds": ["vpce-1"]})
    refused("BadRequestException", gw.create_rest_api, name="x", endpointConfiguration={"types": ["EDGE", "REGIONAL"]})
    assert "PRIVATE" in refused("BadRequestException", gw.update_rest_api, restApiId=a, patchOperations=patch(("replace", "/endpointConfiguration/types/PRIVATE", "REGIONAL")))
    gw.update_rest_api(restApiId=a, patchOperations=patch(("remove", "/endpointConfiguration/vpcEndpointIds", "vpce-2"), ("replace", "/endpointConfiguration/types/PRIVATE", "REGIONAL")))
    assert gw.get_rest_api(restApiId=a)["endpointConfiguration"] ["ipAddressType"] == "ipv4"
    gw.delete_rest_api(restApiId=a)
    assert refused("NotFoundException", gw.get_rest_api, restApiId=a).endswith("Invalid API identifier specified %s:%s" % (cloud.account, a))


def test_pages_and_tags(gw):
    made = {api(gw, "page%d" % i)[0] for i in range(5)}
    seen = [i["id"] for p in gw.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 2}) for i in p["items"]]
    assert made <= set(seen) and len(seen) == len(set(seen))
    refused("BadRequestException", gw.get_rest_apis, position="nonsense")
    a = made.pop()
    arn = "arn:aws:apigateway:us-east-1::/restapis/" + a
    gw.tag_resource(resourceArn=arn, tags={"k": "v", "x": "y"})
    gw.untag_resource(resourceArn=arn, tagKeys=["x"])
    assert gw.get_tags(resourceArn=arn)["tags"] == {"k": "v"} == gw.get_rest_api(restApiId=a)["tags"]
    refused("BadRequestException", gw.tag_resource, resourceArn=arn, tags={"aws:x": "v"})
    refused("NotFoundException", gw.get_tags, resourceArn="arn:aws:apigateway:us-east-1::/restapis/none")
    refused("BadRequestException", gw.get_tags, resourceArn="arn:aws:s3:::b")
    for a in made:
        gw.delete_rest_api(restApiId=a)


def test_resources(gw):
    a, root = api(gw)
    pets = gw.create_resource(restApiId=a, parentId=root, pathPart="pets")
    assert (pets["path"], pets["parentId"]) == ("/pets", root)
    one = gw.create_resource(restApiId=a, parentId=pets["id"], pathPart="{id}")
    rest = gw.create_resource(restApiId=a, parentId=one["id"], pathPart="{proxy+}")
    assert rest["path"] == "/pets/{id}/{proxy+}"
    refused("ConflictException", gw.create_resource, restApiId=a, parentId=root, pathPart="pets")
    assert "sibling ({id})" in refused("BadRequestException", gw.create_resource, restApiId=a, parentId=pets["id"], pathPart="{other}")
    refused("BadRequestException", gw.create_resource, restApiId=a, parentId=rest["id"], pathPart="x")
    for bad in ("a/b", "{a", "a b", "{}", "{+}", ""):
        refused("BadRequestException", gw.create_resource, restApiId=a, parentId=root, pathPart=bad)
    refused("NotFoundException", gw.create_resource, restApiId=a, parentId="nothere", pathPart="x")
    mock(gw, a, pets["id"])
    assert gw.get_resource(restApiId=a, resourceId=pets["id"])["resourceMethods"] == {"GET": {}}
    assert gw.get_resource(restApiId=a, resourceId=pets["id"], embed=["methods"])["resourceMethods"]["GET"]["methodIntegration"]["type"] == "MOCK"
    assert {r["path"] for r in gw.get_resources(restApiId=a)["items"]} == {"/", "/pets", "/pets/{id}", "/pets/{id}/{proxy+}"}
    gw.update_resource(restApiId=a, resourceId=pets["id"], patchOperations=patch(("replace", "/pathPart", "animals")))
    assert gw.get_resource(restApiId=a, resourceId=rest["id"])["path"] == "/animals/{id}/{proxy+}"
    refused("BadRequestException", gw.update_resource, restApiId=a, resourceId=pets["id"], patchOperations=patch(("replace", "/parentId", rest["id"])))
    refused("BadRequestException", gw.delete_resource, restApiId=a, resourceId=root)
    gw.delete_resource(restApiId=a, resourceId=pets["id"])
    assert [r["path"] for r in gw.get_resources(restApiId=a)["items"]] == ["/"]
    refused("NotFoundException", gw.get_resource, restApiId=a, resourceId=rest["id"])


def test_methods_and_integrations(cloud, gw):
    a, root = api(gw)
    uri = LAMBDA % cloud.account
    put = dict(restApiId=a, resourceId=root)
    m = gw.put_method(**put, httpMethod="POST", authorizationType="AWS_IAM", apiKeyRequired=True, requestParameters={"method.request.querystring.q": True}, requestModels={"application/json": "Empty"}, operationName="op")
    assert (m["httpMethod"], m["apiKeyRequired"], m["requestParameters"]) == ("POST", True, {"method.request.querystring.q": True})
    refused("ConflictException", gw.put_method, **put, httpMethod="POST", authorizationType="NONE")
    refused("BadRequestException", gw.put_method, **put, httpMethod="FETCH", authorizationType="NONE")
    refused("BadRequestException", gw.put_method, **put, httpMethod="GET", authorizationType="CUSTOM")
    assert "not implemented" in refused("BadRequestException", gw.put_method, **put, httpMethod="GET", authorizationType="COGNITO_USER_POOLS", authorizerId="x")
    refused("BadRequestException", gw.put_method, **put, httpMethod="GET", authorizationType="NONE", requestModels={"application/json": "None"})
    refused("BadRequestException", gw.put_method, **put, httpMethod="GET", authorizationType="NONE", requestValidatorId="nope")
    refused("BadRequestException", gw.put_method, **put, httpMethod="GET", authorizationType="NONE", requestParameters={"method.request.cookie.x": True})
    refused("NotFoundException", gw.get_method, **put, httpMethod="GET")
    refused("NotFoundException", gw.get_integration, **put, httpMethod="POST")
    i = gw.put_integration(**put, httpMethod="POST", type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    assert (i["type"], i["httpMethod"], i["uri"], i["passthroughBehavior"], i["timeoutInMillis"], i["cacheNamespace"], i["cacheKeyParameters"]) == ("AWS_PROXY", "POST", uri, "WHEN_NO_MATCH", 29000, root, [])
    for bad in (dict(type="HTTP", uri="https://x"), dict(type="HTTP", integrationHttpMethod="GET", uri="ftp://x"), dict(type="AWS_PROXY", integrationHttpMethod="POST", uri="arn:aws:apigateway:us-east-1:sqs:path/x"),
                dict(type="AWS", integrationHttpMethod="POST", uri="arn:aws:apigateway:us-east-1:dynamodb:action/GetItem"), dict(type="MOCK", timeoutInMillis=10),
                dict(type="HTTP_PROXY", integrationHttpMethod="GET", uri="https://x", connectionType="VPC_LINK", connectionId="v"),
                dict(type="MOCK", requestParameters={"integration.request.header.a": "nowhere"}), dict(type="MOCK", passthroughBehavior="SOMETIMES")):
        refused("BadRequestException", gw.put_integration, **put, httpMethod="POST", **bad)
    refused("NotFoundException", gw.put_integration_response, **put, httpMethod="POST", statusCode="200")
    gw.put_method_response(**put, httpMethod="POST", statusCode="200", responseParameters={"method.response.header.A": True}, responseModels={"application/json": "Error"})
    refused("ConflictException", gw.put_method_response, **put, httpMethod="POST", statusCode="200")
    refused("BadRequestException", gw.put_integration_response, **put, httpMethod="POST", statusCode="200", responseParameters={"method.response.header.B": "'x'"})
    gw.put_integration_response(**put, httpMethod="POST", statusCode="200", selectionPattern=".*", responseParameters={"method.response.header.A": "integration.response.header.a"})
    full = gw.get_method(**put, httpMethod="POST")
    assert full["methodIntegration"]["integrationResponses"]["200"]["selectionPattern"] == ".*" and full["methodResponses"]["200"]["responseModels"] == {"application/json": "Error"}
    u = gw.update_integration(**put, httpMethod="POST", patchOperations=patch(("replace", "/timeoutInMillis", "3000"), ("add", "/requestTemplates/application~1json", "$input.body"), ("add", "/requestParameters/integration.request.header.h", "'v'")))
    assert (u["timeoutInMillis"], u["requestTemplates"], u["requestParameters"]) == (3000, {"application/json": "$input.body"}, {"integration.request.header.h": "'v'"})
    refused("BadRequestException", gw.update_integration, **put, httpMethod="POST", patchOperations=patch(("replace", "/timeoutInMillis", "99999")))
    m = gw.update_method(**put, httpMethod="POST", patchOperations=patch(("replace", "/authorizationType", "NONE"), ("replace", "/apiKeyRequired", "false"), ("remove", "/requestParameters/method.request.querystring.q")))
    assert (m["authorizationType"], m["apiKeyRequired"], m.get("requestParameters", {})) == ("NONE", False, {})
    gw.update_method_response(**put, httpMethod="POST", statusCode="200", patchOperations=patch(("remove", "/responseModels/application~1json")))
    r = gw.update_integration_response(**put, httpMethod="POST", statusCode="200", patchOperations=patch(("replace", "/selectionPattern", "5..")))
    assert r["selectionPattern"] == "5.."
    gw.delete_integration_response(**put, httpMethod="POST", statusCode="200")
    gw.delete_integration(**put, httpMethod="POST")
    gw.delete_method_response(**put, httpMethod="POST", statusCode="200")
    gw.delete_method(**put, httpMethod="POST")
    refused("NotFoundException", gw.delete_method, **put, httpMethod="POST")
    gw.delete_rest_api(restApiId=a)


def test_models_validators_authorizers_responses(cloud, gw):
    a, root = api(gw)
    assert {m["name"] for m in gw.get_models(restApiId=a)["items"]} == {"Empty", "Error"}
    schema = '{"type": "object", "properties": {"n": {"type": "number"}, "s": {"type": "string"}}}'
    gw.create_model(restApiId=a, name="M", contentType="application/json", schema=schema)
    refused("ConflictException", gw.create_model, restApiId=a, name="M", contentType="application/json", schema="{}")
    refused("BadRequestException", gw.create_model, restApiId=a, name="M-x", contentType="application/json", schema="{}")
    refused("BadRequestException", gw.create_model, restApiId=a, name="Bad", contentType="application/json", schema="{")
    assert '"n" : $inputRoot.n' in gw.get_model_template(restApiId=a, modelName="M")["value"]
    v = gw.create_request_validator(restApiId=a, name="both", validateRequestBody=True, validateRequestParameters=True)["id"]
    assert gw.update_request_validator(restApiId=a, requestValidatorId=v, patchOperations=patch(("replace", "/validateRequestParameters", "false")))["validateRequestParameters"] is False
    uri = LAMBDA % cloud.account
    z = gw.create_authorizer(restApiId=a, name="z", type="TOKEN", authorizerUri=uri, identitySource="method.request.header.Auth")
    assert (z["authorizerResultTtlInSeconds"], z["authType"]) == (300, "custom")
    refused("ConflictException", gw.create_authorizer, restApiId=a, name="z", type="TOKEN", authorizerUri=uri)
    refused("BadRequestException", gw.create_authorizer, restApiId=a, name="y", type="TOKEN", authorizerUri="arn:aws:lambda:us-east-1:1:function:f")
    refused("BadRequestException", gw.create_authorizer, restApiId=a, name="y", type="REQUEST", authorizerUri=uri)
    assert "COGNITO" in refused("BadRequestException", gw.create_authorizer, restApiId=a, name="y", type="COGNITO_USER_POOLS", providerARNs=["arn:aws:cognito-idp:us-east-1:1:userpool/x"])
    gw.put_method(restApiId=a, resourceId=root, httpMethod="POST", authorizationType="CUSTOM", authorizerId=z["id"], requestValidatorId=v, requestModels={"application/json": "M"})
    assert "POST /" in refused("ConflictException", gw.delete_model, restApiId=a, modelName="M")
    refused("ConflictException", gw.delete_authorizer, restApiId=a, authorizerId=z["id"])
    refused("ConflictException", gw.delete_request_validator, restApiId=a, requestValidatorId=v)
    gw.delete_method(restApiId=a, resourceId=root, httpMethod="POST")
    gw.delete_model(restApiId=a, modelName="M")
    gw.delete_authorizer(restApiId=a, authorizerId=z["id"])
    gw.delete_request_validator(restApiId=a, requestValidatorId=v)
    assert gw.get_gateway_response(restApiId=a, responseType="THROTTLED")["statusCode"] == "429"
    gw.put_gateway_response(restApiId=a, responseType="THROTTLED", statusCode="418", responseParameters={"gatewayresponse.header.A": "'b'"})
    every = gw.get_gateway_responses(restApiId=a, limit=500)["items"]
    assert len(every) == 21 and [g["statusCode"] for g in every if not g["defaultResponse"]] == ["418"]
    gw.delete_gateway_response(restApiId=a, responseType="THROTTLED")
    refused("NotFoundException", gw.delete_gateway_response, restApiId=a, responseType="THROTTLED")
    gw.delete_rest_api(restApiId=a)


def test_deployments_and_stages(cloud, gw):
    a, root = api(gw)
    assert "doesn't contain any methods" in refused("BadRequestException", gw.create_deployment, restApiId=a)
    gw.put_method(restApiId=a, resourceId=root, httpMethod="GET", authorizationType="NONE")
    assert "No integration defined" in refused("BadRequestException", gw.create_deployment, restApiId=a)
    gw.delete_method(restApiId=a, resourceId=root, httpMethod="GET")
    mock(gw, a, root)
    d1 = gw.create_deployment(restApiId=a, stageName="prod", stageDescription="s", variables={"v": "1"})["id"]
    d2 = gw.create_deployment(restApiId=a, description="two")["id"]
    assert gw.get_deployment(restApiId=a, deploymentId=d1, embed=["apisummary"])["apiSummary"] == {"/": {"GET": {"authorizationType": "NONE", "apiKeyRequired": False}}}
    st = gw.get_stage(restApiId=a, stageName="prod")
    assert (st["deploymentId"], st["variables"], st["cacheClusterStatus"], st["methodSettings"]) == (d1, {"v": "1"}, "NOT_AVAILABLE", {})
    refused("BadRequestException", gw.delete_deployment, restApiId=a, deploymentId=d1)
    refused("ConflictException", gw.create_stage, restApiId=a, stageName="prod", deploymentId=d1)
    refused("BadRequestException", gw.create_stage, restApiId=a, stageName="x", deploymentId="nope")
    refused("BadRequestException", gw.create_stage, restApiId=a, stageName="a b", deploymentId=d1)
    assert "cacheClusterSize" in refused("ValidationException", gw.create_stage, restApiId=a, stageName="x", deploymentId=d1, cacheClusterEnabled=True, cacheClusterSize="0.7")
    up = gw.update_stage(restApiId=a, stageName="prod", patchOperations=patch(
        ("replace", "/*/*/throttling/rateLimit", "5"), ("replace", "/~1/GET/metrics/enabled", "true"), ("replace", "/variables/w", "2"), ("remove", "/variables/v"), ("replace", "/tracingEnabled", "true")))
    assert up["methodSettings"]["*/*"]["throttlingRateLimit"] == 5.0 and up["methodSettings"]["/GET"]["metricsEnabled"] is True
    assert up["variables"] == {"w": "2"} and up["tracingEnabled"] is True
    up = gw.update_stage(restApiId=a, stageName="prod", patchOperations=patch(("remove", "/~1/GET")))
    assert set(up["methodSettings"]) == {"*/*"}
    log = "arn:aws:logs:us-east-1:%s:log-group:lg" % cloud.account
    assert "CloudWatch Logs role ARN" in refused("BadRequestException", gw.update_stage, restApiId=a, stageName="prod", patchOperations=patch(("replace", "/accessLogSettings/destinationArn", log), ("replace", "/accessLogSettings/format", "$context.requestId")))
    up = gw.update_stage(restApiId=a, stageName="prod", patchOperations=patch(("replace", "/canarySettings/percentTraffic", "10"), ("replace", "/canarySettings/deploymentId", d2), ("replace", "/canarySettings/stageVariableOverrides/w", "3")))
    assert up["canarySettings"]["deploymentId"] == d2 and up["canarySettings"]["percentTraffic"] == 10.0
    up = gw.update_stage(restApiId=a, stageName="prod", patchOperations=[{"op": "copy", "from": "/canarySettings/deploymentId", "path": "/deploymentId"}, {"op": "copy", "from": "/canarySettings/stageVariableOverrides", "path": "/variables"}, {"op": "remove", "path": "/canarySettings"}])
    assert up["deploymentId"] == d2 and up["variables"] == {"w": "3"} and "canarySettings" not in up
    gw.delete_deployment(restApiId=a, deploymentId=d1)
    gw.flush_stage_authorizers_cache(restApiId=a, stageName="prod")
    assert [s["stageName"] for s in gw.get_stages(restApiId=a)["item"]] == ["prod"]
    gw.delete_stage(restApiId=a, stageName="prod")
    refused("NotFoundException", gw.get_stage, restApiId=a, stageName="prod")
    for i in range(10):
        gw.create_stage(restApiId=a, stageName="s%d" % i, deploymentId=d2)
    refused("LimitExceededException", gw.create_stage, restApiId=a, stageName="s10", deploymentId=d2)
    b, _ = api(gw, "priv", endpointConfiguration={"types": ["PRIVATE"]}, cloneFrom=a)
    assert len(gw.get_resources(restApiId=b)["items"]) == 1
    assert "resource policy" in refused("BadRequestException", gw.create_deployment, restApiId=b)
    for x in (a, b):
        gw.delete_rest_api(restApiId=x)


def test_keys_and_plans(gw):
    a, root = api(gw)
    mock(gw, a, root)
    gw.create_deployment(restApiId=a, stageName="s")
    k = gw.create_api_key(name="one", enabled=True, tags={"t": "1"})
    assert len(k["value"]) == 40 and "value" not in gw.get_api_key(apiKey=k["id"])
    assert gw.get_api_key(apiKey=k["id"], includeValue=True)["value"] == k["value"]
    given = gw.create_api_key(name="two", value="x" * 20)
    refused("ConflictException", gw.create_api_key, name="three", value="x" * 20)
    refused("BadRequestException", gw.create_api_key, name="short", value="x")
    assert [i["value"] for i in gw.get_api_keys(nameQuery="tw", includeValues=True)["items"]] == ["x" * 20]
    assert gw.update_api_key(apiKey=k["id"], patchOperations=patch(("replace", "/enabled", "false")))["enabled"] is False
    p = gw.create_usage_plan(name="p", apiStages=[{"apiId": a, "stage": "s"}], throttle={"rateLimit": 1.5, "burstLimit": 2}, quota={"limit": 10, "period": "DAY"})
    assert p["throttle"] == {"rateLimit": 1.5, "burstLimit": 2} and p["quota"]["period"] == "DAY"
    refused("NotFoundException", gw.create_usage_plan, name="q", apiStages=[{"apiId": a, "stage": "none"}])
    refused("BadRequestException", gw.create_usage_plan, name="q", quota={"limit": 0, "period": "DAY"})
    pk = gw.create_usage_plan_key(usagePlanId=p["id"], keyId=k["id"], keyType="API_KEY")
    assert pk["name"] == "one" and pk["type"] == "API_KEY"
    refused("ConflictException", gw.create_usage_plan_key, usagePlanId=p["id"], keyId=k["id"], keyType="API_KEY")
    q = gw.create_usage_plan(name="q", apiStages=[{"apiId": a, "stage": "s"}])
    refused("ConflictException", gw.create_usage_plan_key, usagePlanId=q["id"], keyId=k["id"], keyType="API_KEY")
    assert [i["id"] for i in gw.get_usage_plans(keyId=k["id"])["items"]] == [p["id"]]
    assert [i["id"] for i in gw.get_usage_plan_keys(usagePlanId=p["id"])["items"]] == [k["id"]]
    u = gw.update_usage_plan(usagePlanId=p["id"], patchOperations=patch(("replace", "/quota/limit", "20"), ("replace", "/apiStages/%s:s/throttle/~1/GET/rateLimit" % a, "9"), ("remove", "/throttle")))
    assert u["quota"]["limit"] == 20 and "throttle" not in u and u["apiStages"][0]["throttle"]["//GET"]["rateLimit"] == 9.0
    usage = gw.get_usage(usagePlanId=p["id"], startDate="2026-01-01", endDate="2026-01-03")
    assert usage["items"] == {k["id"]: [[0, 20]] * 3}
    left = gw.update_usage(usagePlanId=p["id"], keyId=k["id"], patchOperations=patch(("replace", "/remaining", "5")))
    assert left["items"][k["id"]] == [[0, 5]]
    refused("BadRequestException", gw.delete_usage_plan, usagePlanId=p["id"])
    gw.delete_api_key(apiKey=k["id"])
    assert gw.get_usage_plan_keys(usagePlanId=p["id"])["items"] == []
    for x in (p, q):
        gw.update_usage_plan(usagePlanId=x["id"], patchOperations=patch(("remove", "/apiStages", a + ":s")))
        gw.delete_usage_plan(usagePlanId=x["id"])
    gw.delete_api_key(apiKey=given["id"])
    gw.delete_rest_api(restApiId=a)


def test_documentation_certificates_account(cloud, gw):
    a, _ = api(gw)
    d = gw.create_documentation_part(restApiId=a, location={"type": "METHOD", "path": "/", "method": "GET"}, properties='{"description": "x"}')
    refused("ConflictException", gw.create_documentation_part, restApiId=a, location={"type": "METHOD", "path": "/", "method": "GET"}, properties="{}")
    refused("BadRequestException", gw.create_documentation_part, restApiId=a, location={"type": "API"}, properties="[")
    gw.create_documentation_version(restApiId=a, documentationVersion="1")
    refused("ConflictException", gw.create_documentation_version, restApiId=a, documentationVersion="1")
    gw.delete_documentation_part(restApiId=a, documentationPartId=d["id"])
    assert gw.get_documentation_versions(restApiId=a)["items"][0]["version"] == "1"
    gw.delete_documentation_version(restApiId=a, documentationVersion="1")
    c = gw.generate_client_certificate(description="c")
    assert c["pemEncodedCertificate"].startswith("-----BEGIN CERTIFICATE-----")
    assert gw.update_client_certificate(clientCertificateId=c["clientCertificateId"], patchOperations=patch(("replace", "/description", "e")))["description"] == "e"
    gw.delete_client_certificate(clientCertificateId=c["clientCertificateId"])
    iam = cloud.client("iam")
    arns = []
    for name, service in (("gw-logs", "apigateway.amazonaws.com"), ("not-gw", "lambda.amazonaws.com")):
        arns.append(iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]}))["Role"]["Arn"])
    refused("BadRequestException", gw.update_account, patchOperations=patch(("replace", "/cloudwatchRoleArn", arns[1])))
    assert gw.update_account(patchOperations=patch(("replace", "/cloudwatchRoleArn", arns[0])))["cloudwatchRoleArn"] == arns[0]
    assert gw.get_account()["throttleSettings"] == {"burstLimit": 5000, "rateLimit": 10000.0}
    gw.delete_rest_api(restApiId=a)


def test_who_may(cloud, gw):
    a, root = api(gw, tags={"team": "red"})
    b, _ = api(gw, tags={"team": "blue"})
    arn = "arn:aws:apigateway:us-east-1::/restapis/"
    u = cloud.client("apigateway", key=cloud.user("gw-one", {"Effect": "Allow", "Action": ["apigateway:GET", "apigateway:PUT", "apigateway:PATCH"], "Resource": [arn + a, arn + a + "/*"]}))
    assert u.get_rest_api(restApiId=a)["id"] == a
    refused("AccessDeniedException", u.get_rest_api, restApiId=b)
    refused("AccessDeniedException", u.get_rest_apis)
    refused("AccessDeniedException", u.delete_rest_api, restApiId=a)
    refused("AccessDeniedException", u.tag_resource, resourceArn=arn + a, tags={"x": "y"})
    u.put_method(restApiId=a, resourceId=root, httpMethod="GET", authorizationType="NONE")
    assert "UpdateRestApiPolicy" in refused("AccessDeniedException", u.update_rest_api, restApiId=a, patchOperations=patch(("replace", "/policy", "")))
    role = cloud.client("iam").create_role(RoleName="gw-integration", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
    body = dict(restApiId=a, resourceId=root, httpMethod="GET", type="AWS_PROXY", integrationHttpMethod="POST", uri=LAMBDA % cloud.account, credentials=role)
    assert "iam:PassRole" in refused("AccessDeniedException", u.put_integration, **body)
    gw.put_integration(**body)
    maker = [{"Effect": "Allow", "Action": "apigateway:POST", "Resource": arn.rstrip("/")}]
    assert "apigateway:GET" in refused("AccessDeniedException", cloud.client("apigateway", key=cloud.user("gw-clone", *maker)).create_rest_api, name="x", cloneFrom=a)
    maker += [{"Effect": "Allow", "Action": "apigateway:GET", "Resource": "*"}]
    assert "iam:PassRole" in refused("AccessDeniedException", cloud.client("apigateway", key=cloud.user("gw-clone2", *maker)).create_rest_api, name="x", cloneFrom=a)
    refused("BadRequestException", gw.put_integration, **dict(body, credentials="arn:aws:iam::999999999999:role/other"))
    t = cloud.client("apigateway", key=cloud.user("gw-tag", {"Effect": "Allow", "Action": "apigateway:*", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "red"}}}))
    assert t.get_resources(restApiId=a)["items"]
    refused("AccessDeniedException", t.get_resources, restApiId=b)
    other = cloud.client("apigateway", region="eu-west-1")
    refused("NotFoundException", other.get_rest_api, restApiId=a)
    for x in (a, b):
        gw.delete_rest_api(restApiId=x)


def document(cloud):
    """A document with everything that this gateway knows."""
    uri = LAMBDA % cloud.account
    return {
        "openapi": "3.0.1", "info": {"title": "pets", "version": "1.0", "description": "all"},
        "servers": [{"url": "https://x.example/{basePath}", "variables": {"basePath": {"default": "v1"}}}],
        "x-amazon-apigateway-request-validators": {"all": {"validateRequestBody": True, "validateRequestParameters": True}},
        "x-amazon-apigateway-gateway-responses": {"ACCESS_DENIED": {"statusCode": "401", "responseParameters": {"gatewayresponse.header.x": "'y'"}, "responseTemplates": {"application/json": "{}"}}},
        "x-amazon-apigateway-binary-media-types": ["image/png"], "x-amazon-apigateway-minimum-compression-size": 100, "x-amazon-apigateway-api-key-source": "AUTHORIZER",
        "x-amazon-apigateway-policy": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}]},
        "components": {
            "schemas": {"Pet": {"type": "object", "properties": {"name": {"type": "string"}, "owner": {"$ref": "#/components/schemas/Owner"}}}, "Owner": {"type": "object"}},
            "securitySchemes": {"api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}, "sigv4": {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"},
                                "mine": {"type": "apiKey", "name": "Auth", "in": "header", "x-amazon-apigateway-authtype": "custom", "x-amazon-apigateway-authorizer": {"type": "token", "authorizerUri": uri, "authorizerResultTtlInSeconds": 60}}}},
        "paths": {
            "/": {"get": {"operationId": "root", "responses": {"200": {"description": "ok", "headers": {"X": {"schema": {"type": "string"}}}, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}},
                          "x-amazon-apigateway-integration": {"type": "mock", "requestTemplates": {"application/json": '{"statusCode": 200}'}, "passthroughBehavior": "never",
                                                              "responses": {"default": {"statusCode": "200", "responseParameters": {"method.response.header.X": "'1'"}, "responseTemplates": {"application/json": "{}"}}, "4..": {"statusCode": "200"}}}}},
            "/pets/{id}": {"parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                           "post": {"security": [{"mine": []}, {"api_key": []}], "x-amazon-apigateway-request-validator": "all", "parameters": [{"name": "q", "in": "query", "required": True, "schema": {"type": "string"}}],
                                    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}, "responses": {"default": {"description": "d"}},
                                    "x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": uri, "timeoutInMillis": 1000}}},
            "/pets/{id}/{proxy+}": {"x-amazon-apigateway-any-method": {"security": [{"sigv4": []}], "responses": {}, "x-amazon-apigateway-integration": {"type": "http_proxy", "httpMethod": "ANY", "uri": "https://example.com/{p}", "requestParameters": {"integration.request.path.p": "method.request.path.proxy"}}}}}}


def picture(gw, a):
    """The whole of an API without its ids."""
    def clean(x):
        if isinstance(x, dict):
            return {k: clean(v) for k, v in x.items() if k not in ("id", "parentId", "authorizerId", "requestValidatorId", "cacheNamespace", "ResponseMetadata", "createdDate", "rootResourceId") and v != {} and v != []}
        return [clean(i) for i in x] if isinstance(x, list) else x.replace(a, "ID") if isinstance(x, str) else x
    parts = [gw.get_resources(restApiId=a, embed=["methods"], limit=500), gw.get_models(restApiId=a), gw.get_authorizers(restApiId=a), gw.get_request_validators(restApiId=a), gw.get_gateway_responses(restApiId=a)]
    keys = ("path", "name", "name", "name", "responseType")
    for p in parts[1]["items"]:
        p["schema"] = json.loads(p["schema"])
    return [clean(gw.get_rest_api(restApiId=a))] + [sorted((clean(i) for i in p["items"]), key=lambda i, k=k: i[k]) for p, k in zip(parts, keys)]


def test_import(cloud, gw):
    doc = document(cloud)
    r = gw.import_rest_api(body=json.dumps(doc))
    a = r["id"]
    assert r["name"] == "pets" and r["minimumCompressionSize"] == 100 and any("default" in w for w in r["warnings"])
    res = {i["path"]: i for i in gw.get_resources(restApiId=a, embed=["methods"])["items"]}
    assert set(res) == {"/", "/pets", "/pets/{id}", "/pets/{id}/{proxy+}"}
    post = res["/pets/{id}"]["resourceMethods"]["POST"]
    assert (post["authorizationType"], post["apiKeyRequired"], post["requestModels"]) == ("CUSTOM", True, {"application/json": "Pet"})
    assert post["requestParameters"] == {"method.request.path.id": True, "method.request.querystring.q": True}
    assert post["methodIntegration"]["type"] == "AWS_PROXY" and post["methodIntegration"]["timeoutInMillis"] == 1000
    get = res["/"]["resourceMethods"]["GET"]["methodIntegration"]
    assert get["passthroughBehavior"] == "NEVER" and get["integrationResponses"]["200"]["statusCode"] == "200"
    assert res["/pets/{id}/{proxy+}"]["resourceMethods"]["ANY"]["authorizationType"] == "AWS_IAM"
    assert "/restapis/%s/models/Owner" % a in gw.get_model(restApiId=a, modelName="Pet")["schema"]
    z = gw.get_authorizers(restApiId=a)["items"][0]
    assert (z["name"], z["type"], z["identitySource"], z["authorizerResultTtlInSeconds"]) == ("mine", "TOKEN", "method.request.header.Auth", 60)
    # merge keeps what is not named, overwrite does not
    small = {"swagger": "2.0", "info": {"title": "small", "version": "2"}, "basePath": "/base", "paths": {"/new": {"get": {"responses": {"200": {"description": "x"}}, "x-amazon-apigateway-integration": {"type": "mock"}}}}}
    gw.put_rest_api(restApiId=a, mode="merge", body=json.dumps(small))
    assert {i["path"] for i in gw.get_resources(restApiId=a)["items"]} == set(res) | {"/new"}
    p = gw.put_rest_api(restApiId=a, mode="overwrite", parameters={"basepath": "prepend"}, body=json.dumps(small))
    assert p["name"] == "small" and {i["path"] for i in gw.get_resources(restApiId=a)["items"]} == {"/", "/base", "/base/new"}
    assert gw.get_authorizers(restApiId=a)["items"] == []
    y = "swagger: '2.0'\ninfo:\n  title: yaml\n  version: '1'\npaths:\n  /a:\n    get:\n      responses:\n        '200':\n          description: ok\n      x-amazon-apigateway-integration:\n        type: mock\n"
    b = gw.import_rest_api(body=y, parameters={"endpointConfigurationTypes": "REGIONAL"})
    assert b["endpointConfiguration"]["types"] == ["REGIONAL"] and {i["path"] for i in gw.get_resources(restApiId=b["id"])["items"]} == {"/", "/a"}
    for x in (a, b["id"]):
        gw.delete_rest_api(restApiId=x)


def test_bad_imports(cloud, gw):
    count = len(gw.get_rest_apis(limit=500)["items"])
    doc = document(cloud)
    for change in (lambda d: d.pop("openapi"), lambda d: d.pop("paths"), lambda d: d["info"].pop("title"), lambda d: d["paths"].update(nope={}),
                   lambda d: d["paths"].update({"/a b": {"get": {}}}), lambda d: d["paths"]["/"]["get"]["x-amazon-apigateway-integration"].update(type="magic"),
                   lambda d: d["components"]["securitySchemes"]["mine"]["x-amazon-apigateway-authorizer"].update(type="cognito_user_pools"),
                   lambda d: d["paths"]["/pets/{id}"]["post"].update({"x-amazon-apigateway-request-validator": "none"}),
                   lambda d: d["paths"].update({"/p%d" % i: {"get": {}} for i in range(400)}), lambda d: d.update({"x-amazon-apigateway-policy": {"Statement": "x"}})):
        d = json.loads(json.dumps(doc))
        change(d)
        refused("BadRequestException", gw.import_rest_api, body=json.dumps(d))
    for text in ("{", "[]", "", "a: [", "{" * 5000, "x: &a [*a]"):
        refused("BadRequestException", gw.import_rest_api, body=text or " ")
    assert "Warnings found" in refused("BadRequestException", gw.import_rest_api, body=json.dumps(doc), failOnWarnings=True)
    assert len(gw.get_rest_apis(limit=500)["items"]) == count


@pytest.mark.parametrize("kind,accepts", [("oas30", "application/json"), ("oas30", "application/yaml"), ("swagger", "application/json"), ("swagger", "application/yaml")])
def test_export_round_trip(cloud, gw, kind, accepts):
    a = gw.import_rest_api(body=json.dumps(document(cloud)))["id"]
    gw.create_deployment(restApiId=a, stageName="s")
    e = gw.get_export(restApiId=a, stageName="s", exportType=kind, accepts=accepts, parameters={"extensions": "apigateway"})
    text = e["body"].read()
    assert e["contentType"] == accepts and "attachment" in e["contentDisposition"]
    b = gw.import_rest_api(body=text)["id"]
    assert picture(gw, b) == picture(gw, a)
    plain = gw.get_export(restApiId=a, stageName="s", exportType=kind, accepts="application/json")["body"].read()
    assert b"x-amazon-apigateway-integration" not in plain
    refused("BadRequestException", gw.get_export, restApiId=a, stageName="s", exportType="raml")
    for x in (a, b):
        gw.delete_rest_api(restApiId=x)


def test_conditions_hold_on_every_way(cloud, gw):
    """Methods without authorization are denied: put, patched, or imported; other kinds of endpoints, too."""
    allow = {"Effect": "Allow", "Action": "apigateway:*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": "apigateway:*", "Resource": "*", "Condition": {"ForAnyValue:StringEquals": {"apigateway:Request/RouteAuthorizationType": "NONE"}}}
    shape = {"Effect": "Deny", "Action": "apigateway:*", "Resource": "*", "Condition": {"ForAnyValue:StringNotEquals": {"apigateway:Request/EndpointType": "PRIVATE"}}}
    u = cloud.client("apigateway", key=cloud.user("gw-strict", allow, deny, shape))
    refused("AccessDeniedException", u.create_rest_api, name="x")
    refused("AccessDeniedException", u.create_rest_api, name="x", endpointConfiguration={"types": ["REGIONAL"]})
    r = u.create_rest_api(name="x", endpointConfiguration={"types": ["PRIVATE"]})
    a, root = r["id"], r["rootResourceId"]
    refused("AccessDeniedException", u.update_rest_api, restApiId=a, patchOperations=patch(("replace", "/endpointConfiguration/types/PRIVATE", "EDGE")))
    m = dict(restApiId=a, resourceId=root, httpMethod="GET")
    refused("AccessDeniedException", u.put_method, **m, authorizationType="NONE")
    u.put_method(**m, authorizationType="AWS_IAM")
    refused("AccessDeniedException", u.update_method, **m, patchOperations=patch(("replace", "/authorizationType", "NONE")))
    doc = {"openapi": "3.0.1", "info": {"title": "x", "version": "1"}, "paths": {"/a": {"get": {"responses": {}, "x-amazon-apigateway-integration": {"type": "mock"}}}}}
    refused("AccessDeniedException", u.put_rest_api, restApiId=a, mode="merge", body=json.dumps(doc))
    refused("AccessDeniedException", u.import_rest_api, body=json.dumps(doc), parameters={"endpointConfigurationTypes": "PRIVATE"})
    doc["paths"]["/a"]["get"]["x-amazon-apigateway-auth"] = {"type": "AWS_IAM"}
    refused("AccessDeniedException", u.import_rest_api, body=json.dumps(doc), parameters={"endpointConfigurationTypes": "REGIONAL"})
    u.put_rest_api(restApiId=a, mode="merge", body=json.dumps(doc))
    closed = cloud.client("apigateway", key=cloud.user("gw-closed", allow, {"Effect": "Deny", "Action": "apigateway:*", "Resource": "*", "Condition": {"ForAnyValue:StringEquals": {"apigateway:Resource/EndpointType": "PRIVATE"}}}))
    refused("AccessDeniedException", closed.get_resources, restApiId=a)
    gw.delete_rest_api(restApiId=a)


def test_keys_and_documentation_from_files(gw):
    a, root = api(gw)
    mock(gw, a, root)
    gw.create_deployment(restApiId=a, stageName="s")
    p = gw.create_usage_plan(name="p", apiStages=[{"apiId": a, "stage": "s"}])["id"]
    ids = gw.import_api_keys(format="csv", body="Name,key,description,Enabled,usageplanIds\none,%s,\"a, \"\"b\"\"\",TRUE,%s\ntwo,%s,,false,\n" % ("k" * 20, p, "l" * 20))["ids"]
    keys = {i: gw.get_api_key(apiKey=i, includeValue=True) for i in ids}
    assert [(k["name"], k["value"], k.get("description"), k["enabled"]) for k in keys.values()] == [("one", "k" * 20, 'a, "b"', True), ("two", "l" * 20, "", False)]
    assert [k["id"] for k in gw.get_usage_plan_keys(usagePlanId=p)["items"]] == ids[:1]
    before = len(gw.get_api_keys(limit=500)["items"])
    refused("BadRequestException", gw.import_api_keys, format="csv", body="name\nx")
    refused("ConflictException", gw.import_api_keys, format="csv", body="name,key\nnew,%s\nagain,%s" % ("n" * 20, "k" * 20))
    refused("NotFoundException", gw.import_api_keys, format="csv", body="name,key,usageplanids\nnew,%s,nope" % ("n" * 20))
    assert len(gw.get_api_keys(limit=500)["items"]) == before
    doc = {"openapi": "3.0.1", "info": {"title": "x"}, "paths": {}, "x-amazon-apigateway-documentation": {"version": "1", "documentationParts": [{"location": {"type": "API"}, "properties": {"description": "d"}}]}}
    one = gw.import_documentation_parts(restApiId=a, body=json.dumps(doc))["ids"]
    doc["x-amazon-apigateway-documentation"]["documentationParts"][0]["properties"]["description"] = "e"
    assert gw.import_documentation_parts(restApiId=a, mode="merge", body=json.dumps(doc))["ids"] == one
    assert gw.get_documentation_part(restApiId=a, documentationPartId=one[0])["properties"] == '{"description":"e"}'
    gw.update_usage_plan(usagePlanId=p, patchOperations=patch(("remove", "/apiStages", a + ":s")))
    gw.delete_usage_plan(usagePlanId=p)
    for i in ids:
        gw.delete_api_key(apiKey=i)
    gw.delete_rest_api(restApiId=a)


def test_key_values_are_not_written_down(cloud, gw):
    """Neither the store nor the trail has a value in the clear."""
    k = gw.create_api_key(name="quiet", value="very-secret-value-of-a-key")
    p = gw.create_usage_plan(name="quiet")
    gw.create_usage_plan_key(usagePlanId=p["id"], keyId=k["id"], keyType="API_KEY")
    gw.delete_usage_plan(usagePlanId=p["id"])
    seen = 0
    for f in cloud.data.rglob("*"):
        if f.is_file():
            text = f.read_bytes()
            assert b"very-secret-value-of-a-key" not in text, f
            seen += b"CreateUsagePlanKey" in text
    assert seen
    gw.delete_api_key(apiKey=k["id"])
