# SPDX-License-Identifier: Apache-2.0
"""API Gateway's data plane: what deployed REST APIs answer to plain HTTP."""
import base64
import gzip
import json
import re
import socket
import subprocess
import threading
import time

import pytest

from apigw import Api, Backend, send
from tests.conftest import binary


def patch(*ops):
    return [dict(zip(("op", "path", "value"), o)) for o in ops]


def clock(cloud, by):
    subprocess.run([str(binary()), "clock", "--data", str(cloud.data), by], check=True, capture_output=True)


@pytest.fixture(scope="module")
def backend():
    b = Backend()
    yield b
    b.close()


def test_routing(cloud):
    a = Api(cloud)
    for p in ("/", "/pets", "/pets/{id}", "/pets/{id}/toys", "/pets/all", "/{any+}", "/mixed/{x}/b", "/mixed/c"):
        a.mock(p, verb="GET", response='{"r":"$context.resourcePath","p":"$input.params().path"}')
    a.mock("/pets", verb="ANY", response='{"any":"$context.httpMethod"}')
    a.deploy()
    assert a.send("/").json["r"] == "/" == a.send("").json["r"]
    assert a.send("/pets").json["r"] == "/pets" == a.send("/pets/").json["r"]
    assert a.send("/pets/all").json["r"] == "/pets/all"
    assert a.send("/pets/7").json == {"r": "/pets/{id}", "p": "{id=7}"}
    assert a.send("/pets/7/toys").json == {"r": "/pets/{id}/toys", "p": "{id=7}"}
    assert a.send("/pets/7/nope").json == {"r": "/{any+}", "p": "{any=pets/7/nope}"}
    assert a.send("/mixed/c/b").json["r"] == "/mixed/{x}/b"
    assert a.send("/other").json == {"r": "/{any+}", "p": "{any=other}"}
    assert a.send("/pets", method="DELETE").json == {"any": "DELETE"}
    r = a.send("/pets/all", method="POST", body="x")
    assert (r.status, r.json, r.headers["x-amzn-ErrorType"]) == (403, {"message": "Missing Authentication Token"}, "MissingAuthenticationTokenException")
    assert r.headers["x-amzn-RequestId"] and r.headers["x-amz-apigw-id"].endswith("=")
    for r in (a.send("/pets", stage="/none"), a.send("/pets", host="zzzzzzzzzz.execute-api.us-east-1.amazonaws.com"),
              a.send("/pets", host="%s.execute-api.us-west-2.amazonaws.com" % a.id), a.send("/pets", host="%s.execute-api.xx-north-9.amazonaws.com" % a.id)):
        assert (r.status, r.json, r.headers["x-amzn-ErrorType"]) == (403, {"message": "Forbidden"}, "ForbiddenException")
    assert a.send("/pets", host="%s.execute-api.us-east-1.localhost:%d" % (a.id, cloud.port)).status == 200
    assert a.send("/pets", method="HEAD").body == b""


def test_deployments_are_immutable(cloud):
    a = Api(cloud)
    m = a.mock("/v", response="one")
    a.deploy()
    a.gw.update_integration_response(statusCode="200", patchOperations=patch(("replace", "/responseTemplates/application~1json", "two")), **m)
    a.mock("/new")
    assert a.send("/v").body == b"one" and a.send("/new").status == 403
    first = a.gw.get_stage(restApiId=a.id, stageName="s")["deploymentId"]
    a.deploy()
    assert a.send("/v").body == b"two" and a.send("/new").status == 200
    a.gw.update_stage(restApiId=a.id, stageName="s", patchOperations=patch(("replace", "/deploymentId", first)))
    assert a.send("/v").body == b"one"
    a.gw.delete_stage(restApiId=a.id, stageName="s")
    assert a.send("/v").json == {"message": "Forbidden"}


def test_canary_and_variables(cloud):
    a = Api(cloud)
    a.mock("/v", response="old $stageVariables.who $!stageVariables.none")
    a.deploy(variables={"who": "all"})
    m = dict(restApiId=a.id, resourceId=a.resource("/v"), httpMethod="GET")
    a.gw.update_integration_response(statusCode="200", patchOperations=patch(("replace", "/responseTemplates/application~1json", "new $stageVariables.who $context.isCanaryRequest")), **m)
    a.gw.create_deployment(restApiId=a.id, stageName="s", canarySettings={"percentTraffic": 50.0, "stageVariableOverrides": {"who": "few"}})
    seen = {a.send("/v").body for _ in range(60)}
    assert seen == {b"old all ", b"new few true"}


def test_mock_cors_and_overrides(cloud):
    a = Api(cloud)
    a.mock("/c", verb="OPTIONS", response="", headers={"method.response.header.Access-Control-Allow-Origin": "'*'", "method.response.header.Access-Control-Allow-Methods": "'GET,OPTIONS'"})
    a.mock("/c", request="#set($context.requestOverride.path.x = 'y'){\"statusCode\": 200}",
           response="#set($context.responseOverride.status = 418)#set($context.responseOverride.header['X-Tea'] = 'pot')"
                    "{\"ip\":\"$context.identity.sourceIp\",\"path\":\"$context.path\",\"api\":\"$context.apiId\",\"t\":\"$context.requestTime\",\"id\":\"$context.requestId\",\"v\":\"$context.none.at.all\"}")
    a.mock("/lenient", request="{statusCode: 200}", response="ok")
    a.mock("/broken", request="{}")
    a.mock("/bad", request="#if(")
    a.mock("/param", request='{"statusCode": 200}', response="$input.params('q')|$input.params('X-Thing')|$util.escapeJavaScript($input.params('q'))")
    a.deploy()
    r = a.send("/c", method="OPTIONS", headers={"Origin": "https://x"})
    assert r.status == 200 and r.headers["Access-Control-Allow-Origin"] == "*" and r.headers["Access-Control-Allow-Methods"] == "GET,OPTIONS"
    r = a.send("/c?q=1")
    assert r.status == 418 and r.headers["X-Tea"] == "pot"
    assert r.json["ip"] == "127.0.0.1" and r.json["path"] == "/s/c" and r.json["api"] == a.id and r.json["v"] == "" and r.json["id"] == r.headers["x-amzn-RequestId"]
    assert re.fullmatch(r"\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000", r.json["t"])
    assert a.send("/lenient").body == b"ok"
    for p in ("/broken", "/bad"):
        r = a.send(p)
        assert (r.status, r.json) == (500, {"message": "Internal server error"})
    assert a.send("/param?q=it%27s+x", headers={"x-thing": "h"}).body == b"it's x|h|it\\'s x"


def test_mock_selects_by_status(cloud):
    a = Api(cloud)
    m = a.mock("/s", request='{"statusCode": $input.params("code")}', response="default")
    a.gw.put_method_response(statusCode="404", **m)
    a.gw.put_integration_response(statusCode="404", selectionPattern="4\\d{2}", responseTemplates={"application/json": "lost"}, **m)
    a.deploy()
    assert [(r.status, r.body) for r in (a.send("/s?code=200"), a.send("/s?code=404"), a.send("/s?code=499"))] == [(200, b"default"), (404, b"lost"), (404, b"lost")]


def test_passthrough(cloud, backend):
    a = Api(cloud)
    for n in ("WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"):
        m = a.http("/" + n, backend.url + "/t", verb="POST", kind="HTTP",
                   integration={"passthroughBehavior": n, "requestTemplates": {"application/json": '{"got": $input.json("$.a")}'}})
        a.gw.put_method_response(statusCode="200", **m)
        a.gw.put_integration_response(statusCode="200", **m)
    a.deploy()
    sent = lambda n, t: a.send("/" + n, method="POST", body='{"a":[1]}', headers={"Content-Type": t})
    assert json.loads(sent("NEVER", "application/json; charset=utf-8").json["body"]) == {"got": [1]}
    assert sent("WHEN_NO_MATCH", "text/plain").json["body"] == '{"a":[1]}'
    for n in ("WHEN_NO_TEMPLATES", "NEVER"):
        r = sent(n, "text/plain")
        assert (r.status, r.json) == (415, {"message": "Unsupported Media Type"})


def test_http_proxy(cloud, backend):
    a = Api(cloud)
    a.http("/p/{proxy+}", backend.url + "/b/{proxy}", verb="ANY", requestParameters={"method.request.path.proxy": True},
           integration={"requestParameters": {"integration.request.path.proxy": "method.request.path.proxy", "integration.request.header.X-Stage": "context.stage"}})
    a.http("/var", "http://${stageVariables.where}/v")
    a.deploy(variables={"where": "127.0.0.1:%d" % backend.port})
    r = a.send("/p/x/y%20z?q=1&q=2&e=%26", method="POST", body="hello", headers=[("X-A", "1"), ("X-A", "2"), ("Connection", "keep-alive"), ("X-Forwarded-For", "9.9.9.9")])
    h = r.json["headers"]
    assert r.json["path"] == "/b/x/y%20z?q=1&q=2&e=%26" and r.json["body"] == "hello" and r.json["method"] == "POST"
    assert [v for k, v in h if k == "X-A"] == ["1", "2"] and ["X-Stage", "s"] in h and ["X-Forwarded-For", "9.9.9.9, 127.0.0.1"] in h
    assert ["Host", "127.0.0.1:%d" % backend.port] in h and ["x-amzn-apigateway-api-id", a.id] in h
    assert r.headers["x-amzn-Remapped-Server"].startswith("BaseHTTP") and r.headers["Content-Type"] == "application/json"
    assert a.send("/var").json["path"] == "/v"
    assert a.send("/p/x", method="HEAD").status == 200


def test_http_with_mappings(cloud):
    def answers(r):
        status = int(r["path"].rpartition("/")[2].partition("?")[0])
        return status, {"Content-Type": "application/json", "X-Back": "b"}, json.dumps({"items": [{"n": 1}, {"n": 2}], "sent": r})

    b = Backend(answers)
    a = Api(cloud)
    m = a.http("/m/{code}", b.url + "/{code}", verb="POST", kind="HTTP", requestParameters={"method.request.path.code": True, "method.request.querystring.q": False},
               integration={"requestParameters": {"integration.request.path.code": "method.request.path.code", "integration.request.querystring.from": "method.request.querystring.q",
                                                  "integration.request.header.X-Static": "'lit'", "integration.request.header.X-Body": "method.request.body.who.name"},
                            "requestTemplates": {"application/json": "#set($b = $input.path('$'))#set($context.requestOverride.header.X-Over = 'o'){\"n\": \"$b.who.name\"}"}})
    a.gw.put_method_response(statusCode="200", responseParameters={"method.response.header.X-Out": False, "method.response.header.X-First": False}, **m)
    a.gw.put_integration_response(statusCode="200", responseParameters={"method.response.header.X-Out": "integration.response.header.X-Back", "method.response.header.X-First": "integration.response.body.items[0].n"},
                                  responseTemplates={"application/json": "[#foreach($i in $input.path('$.items'))$i.n#if($foreach.hasNext),#end#end]"}, **m)
    a.gw.put_method_response(statusCode="502", **m)
    a.gw.put_integration_response(statusCode="502", selectionPattern="5\\d\\d", responseTemplates={"application/json": "{\"bad\": $input.json('$.items[1]')}"}, **m)
    a.deploy()
    r = a.send("/m/201?q=1%202", method="POST", body='{"who": {"name": "Ann"}}', headers={"Content-Type": "application/json"})
    assert r.status == 200 and r.json == [1, 2] and r.headers["X-Out"] == "b" and r.headers["X-First"] == "1"
    sent = b.seen[-1]
    h = dict(sent["headers"])
    assert sent["path"] == "/201?from=1%202" and json.loads(sent["body"]) == {"n": "Ann"}
    assert h["X-Static"] == "lit" and h["X-Body"] == "Ann" and h["X-Over"] == "o" and h["User-Agent"] == "AmazonAPIGateway_" + a.id
    r = a.send("/m/503", method="POST", body="{}")
    assert (r.status, r.json) == (502, {"bad": {"n": 2}})
    b.close()


def test_http_failures(cloud):
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(5)
    gone = socket.socket()
    gone.bind(("127.0.0.1", 0))
    port = gone.getsockname()[1]
    gone.close()
    junk = Backend(lambda r: (200, {"Transfer-Encoding": "chunked"}, "zz\r\nnope"))
    chunks = Backend(lambda r: (200, {"Transfer-Encoding": "chunked", "Content-Type": "text/plain"}, "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"))
    a = Api(cloud)
    a.http("/silent", "http://127.0.0.1:%d/" % silent.getsockname()[1], integration={"timeoutInMillis": 300})
    a.http("/gone", "http://127.0.0.1:%d/" % port)
    a.http("/junk", junk.url)
    a.http("/chunks", chunks.url)
    a.deploy()
    t = time.time()
    r = a.send("/silent")
    assert (r.status, r.json) == (504, {"message": "Endpoint request timed out"}) and time.time() - t < 5
    r = a.send("/gone")
    assert (r.status, r.json) == (504, {"message": "Network error communicating with endpoint"})
    assert a.send("/junk").status == 504
    r = a.send("/chunks")
    assert (r.status, r.body) == (200, b"hello world")
    for s in (junk, chunks):
        s.close()
    silent.close()


def test_binary_and_compression(cloud):
    png = bytes(range(256)) * 8
    b = Backend(lambda r: (200, {"Content-Type": "image/png"}, png) if r["method"] == "GET" else (200, {"Content-Type": "text/plain"}, r["body"].encode("latin-1")))
    a = Api(cloud, binaryMediaTypes=["image/*"], minimumCompressionSize=100)
    a.http("/i", b.url)
    m = a.http("/up", b.url, verb="POST", kind="HTTP", integration={"contentHandling": "CONVERT_TO_TEXT"})
    a.gw.put_method_response(statusCode="200", **m)
    a.gw.put_integration_response(statusCode="200", **m)
    a.mock("/big", response="x" * 5000)
    a.mock("/small", response="x")
    a.deploy()
    assert a.send("/i", headers={"Accept": "image/png"}).body == png
    assert base64.b64decode(a.send("/up", method="POST", body=png, headers={"Content-Type": "image/png"}).body) == png
    r = a.send("/big", headers={"Accept-Encoding": "deflate, gzip;q=0.5"})
    assert r.headers["Content-Encoding"] == "gzip" and gzip.decompress(r.body) == b"x" * 5000 and len(r.body) < 100
    assert a.send("/big").headers["Content-Encoding"] is None and a.send("/small", headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] is None
    body = gzip.compress(b"y" * 3000)
    r = a.send("/up", method="POST", body=body, headers={"Content-Type": "text/plain", "Content-Encoding": "gzip"})
    assert r.body == b"y" * 3000
    b.close()


def test_validation(cloud):
    a = Api(cloud)
    a.gw.create_model(restApiId=a.id, name="Toy", contentType="application/json", schema=json.dumps({"type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "minimum": 1}}}))
    a.gw.create_model(restApiId=a.id, name="Pet", contentType="application/json", schema=json.dumps(
        {"$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "required": ["name"], "additionalProperties": False,
         "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "toy": {"$ref": "https://apigateway.amazonaws.com/restapis/%s/models/Toy" % a.id}}}))
    v = a.gw.create_request_validator(restApiId=a.id, name="all", validateRequestBody=True, validateRequestParameters=True)["id"]
    a.mock("/v", verb="POST", requestValidatorId=v, requestModels={"application/json": "Pet"},
           requestParameters={"method.request.querystring.q": True, "method.request.header.X-Need": True, "method.request.querystring.opt": False})
    a.gw.put_gateway_response(restApiId=a.id, responseType="BAD_REQUEST_BODY", statusCode="422", responseParameters={"gatewayresponse.header.X-Why": "'body'", "gatewayresponse.header.X-Q": "method.request.querystring.q"},
                              responseTemplates={"application/json": '{"m":$context.error.messageString,"why":"$context.error.validationErrorString","t":"$context.error.responseType"}'})
    a.deploy()
    go = lambda body, q="?q=1", **h: a.send("/v" + q, method="POST", body=body, headers={"Content-Type": "application/json", "X-Need": "1", **h})
    assert go('{"name": "Rex"}').status == 200 and go('{"name": "Rex", "toy": {"n": 2}}').status == 200
    r = a.send("/v", method="POST", body="{}")
    assert (r.status, r.json) == (400, {"message": "Missing required request parameters: [q, X-Need]"}) or r.json == {"message": "Missing required request parameters: [X-Need, q]"}
    for bad in ('{}', '{"name": "rex"}', '{"name": "Rex", "x": 1}', '{"name": "Rex", "toy": {"n": 0}}', "nope", ""):
        r = go(bad)
        assert r.status == 422 and r.json["m"] == "Invalid request body" and r.json["t"] == "BAD_REQUEST_BODY" and r.json["why"].startswith("["), bad
        assert r.headers["X-Why"] == "body" and r.headers["X-Q"] == "1"
    assert go("anything", **{"Content-Type": "text/plain"}).status == 500  # no model for it; MOCK can't read it


def test_keys_plans_and_quotas(own_cloud):
    a = Api(own_cloud)
    a.mock("/k", apiKeyRequired=True, response="$context.identity.apiKeyId")
    a.mock("/other", apiKeyRequired=True)
    a.deploy()
    key = a.gw.create_api_key(name="k", enabled=True, value="0123456789abcdefghijKLMN")
    off = a.gw.create_api_key(name="off", enabled=False, value="off-456789abcdefghijKLMN")
    plan = a.gw.create_usage_plan(name="p", apiStages=[{"apiId": a.id, "stage": "s", "throttle": {"/other/GET": {"rateLimit": 1, "burstLimit": 2}}}], quota={"limit": 6, "period": "DAY"})["id"]
    for k in (key, off):
        a.gw.create_usage_plan_key(usagePlanId=plan, keyId=k["id"], keyType="API_KEY")
    free = a.gw.create_api_key(name="free", enabled=True, value="free-56789abcdefghijKLMN")
    go = lambda value, path="/k": a.send(path, headers={"x-api-key": value} if value else {})
    for v in (None, "wrong-key-0123456789abcdef", off["value"], free["value"]):
        r = go(v)
        assert (r.status, r.json) == (403, {"message": "Forbidden"}), v
    assert go(key["value"]).body.decode() == key["id"]
    assert [go(key["value"], "/other").status for _ in range(4)] == [200, 200, 429, 429]
    assert go(key["value"], "/other").json == {"message": "Too Many Requests"}
    assert [go(key["value"]).status for _ in range(4)] == [200, 200, 200, 429]
    r = go(key["value"])
    assert (r.status, r.json, r.headers["x-amzn-ErrorType"]) == (429, {"message": "Limit Exceeded"}, "LimitExceededException")
    clock(own_cloud, "+25h")
    assert go(key["value"]).status == 200
    time.sleep(2.5)  # what was counted is in the store
    own_cloud.kill()
    own_cloud.start()
    clock(own_cloud, "+25h")
    assert [go(key["value"]).status for _ in range(7)] in ([200] * 6 + [429], [200] * 5 + [429] * 2)


def test_stage_throttling(cloud):
    a = Api(cloud)
    a.mock("/t")
    a.mock("/u")
    a.deploy()
    a.gw.update_stage(restApiId=a.id, stageName="s", patchOperations=patch(("replace", "/~1t/GET/throttling/burstLimit", "3"), ("replace", "/~1t/GET/throttling/rateLimit", "0.01")))
    assert [a.send("/t").status for _ in range(5)] == [200, 200, 200, 429, 429]
    assert a.send("/t?x", headers={"X-Forwarded-For": "1.2.3.4"}).json == {"message": "Too Many Requests"}
    assert {a.send("/u").status for _ in range(5)} == {200}


def test_iam(cloud):
    a = Api(cloud)
    a.mock("/i/{x}", auth="AWS_IAM", response='{"arn":"$context.identity.userArn","acct":"$context.identity.accountId"}')
    a.mock("/i/{x}", auth="AWS_IAM", verb="POST")
    a.deploy()
    arn = "arn:aws:execute-api:us-east-1:%s:%s/s/GET/i/*" % (cloud.account, a.id)
    may = cloud.user("invoker", {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": arn}, {"Effect": "Deny", "Action": "execute-api:*", "Resource": arn.replace("/*", "/secret")})
    no = cloud.user("stranger")
    r = a.send("/i/1")
    assert (r.status, r.json) == (403, {"message": "Missing Authentication Token"})
    assert a.signed("/i/1").json == {"arn": "arn:aws:iam::%s:root" % cloud.account, "acct": cloud.account}
    assert a.signed("/i/1", creds=may).json["arn"] == may["Arn"]
    r = a.signed("/i/1", creds=no)
    assert r.status == 403 and r.message == "User: %s is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********%s:%s/s/GET/i/1" % (no["Arn"], cloud.account[-4:], a.id)
    assert "explicit deny" in a.signed("/i/secret", creds=may).message
    assert a.signed("/i/1", creds=may, method="POST", body="x").status == 403


def test_resource_policy(cloud):
    def api(*statements):
        a = Api(cloud, policy=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
        a.mock("/open")
        a.mock("/shut")
        a.mock("/iam", auth="AWS_IAM")
        a.deploy()
        return a

    allow = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
    a = api(allow, dict(allow, Effect="Deny", Resource="execute-api:/s/GET/shut"))
    assert a.send("/open").status == 200
    r = a.send("/shut")
    assert r.status == 403 and r.message.startswith("User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********")
    stranger = cloud.user("policy-stranger")
    assert a.signed("/iam", creds=stranger).status == 200  # the resource's policy suffices in the owner's account
    a = api(dict(allow, Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    assert a.send("/open").status == 403 and a.signed("/iam").status == 200 and a.signed("/iam", creds=stranger).status == 403
    a = api(dict(allow, Condition={"Bool": {"aws:SecureTransport": "true"}}))
    assert a.send("/open").status == 403 and a.send("/open", tls=True).status == 200
    a = api(allow, {"Effect": "Deny", "Principal": {"AWS": stranger["Arn"]}, "Action": "execute-api:Invoke", "Resource": "execute-api:/*"})
    assert a.signed("/iam", creds=stranger).status == 403 and a.signed("/iam").status == 200


def test_disabled_endpoint(cloud):
    a = Api(cloud)
    a.mock("/x")
    a.deploy()
    assert a.send("/x").status == 200
    a.gw.update_rest_api(restApiId=a.id, patchOperations=patch(("replace", "/disableExecuteApiEndpoint", "true")))
    a.deploy()
    assert a.send("/x").json == {"message": "Forbidden"}


def test_gateway_responses(cloud):
    a = Api(cloud)
    a.mock("/x")
    a.gw.put_gateway_response(restApiId=a.id, responseType="DEFAULT_4XX", responseParameters={"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"})
    a.gw.put_gateway_response(restApiId=a.id, responseType="MISSING_AUTHENTICATION_TOKEN", statusCode="404", responseTemplates={"application/json": '{"lost": "$context.path"}', "text/html": "<p>$context.error.message</p>"})
    a.deploy()
    r = a.send("/y")
    assert (r.status, r.json) == (404, {"lost": "/s/y"}) and r.headers["Access-Control-Allow-Origin"] is None
    r = a.send("/y", headers={"Accept": "text/html"})
    assert (r.headers["Content-Type"], r.body) == ("text/html", b"<p>Missing Authentication Token</p>")
    r = a.send("/%zz")
    assert r.status == 400 and r.headers["Access-Control-Allow-Origin"] == "*"


def test_private(cloud):
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    ep = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.execute-api", VpcEndpointType="Interface", SubnetIds=[subnet], PrivateDnsEnabled=False)["VpcEndpoint"]
    vpce = ep["VpcEndpointId"]
    a = Api(cloud, endpointConfiguration={"types": ["PRIVATE"], "vpcEndpointIds": [vpce]}, policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*", "Condition": {"StringEquals": {"aws:SourceVpce": vpce}}}]}))
    a.mock("/p", response='{"vpce":"$context.identity.vpceId","vpc":"$context.identity.vpcId"}')
    a.mock("/q", verb="POST")
    a.deploy()
    r = a.send("/p")
    assert (r.status, r.json) == (403, {"message": "Forbidden"})
    alias = "%s-%s.execute-api.us-east-1.amazonaws.com" % (a.id, vpce)
    assert a.send("/p", host=alias).json == {"vpce": vpce, "vpc": vpc}
    dns = ep["DnsEntries"][0]["DnsName"]
    assert a.send("/p", host=dns, headers={"x-apigw-api-id": a.id}).json["vpce"] == vpce
    assert a.send("/p", host=dns).json == {"message": "Forbidden"}
    ec2.modify_vpc_endpoint(VpcEndpointId=vpce, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:us-east-1:%s:%s/s/POST/*" % (cloud.account, a.id)}]}))
    assert a.send("/p", host=alias).status == 403 and a.send("/q", host=alias, method="POST", body="x").status == 200
    ec2.delete_vpc_endpoints(VpcEndpointIds=[vpce])
    assert a.send("/q", host=alias, method="POST", body="x").json == {"message": "Forbidden"}


def test_access_logs(cloud):
    logs, iam = cloud.client("logs"), cloud.client("iam")
    logs.create_log_group(logGroupName="/access")
    role = iam.create_role(RoleName="apigw-logs", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
    iam.attach_role_policy(RoleName="apigw-logs", PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs")
    a = Api(cloud)
    a.gw.update_account(patchOperations=patch(("replace", "/cloudwatchRoleArn", role)))
    a.mock("/x")
    a.deploy()
    a.gw.update_stage(restApiId=a.id, stageName="s", patchOperations=patch(("replace", "/accessLogSettings/destinationArn", "arn:aws:logs:us-east-1:%s:log-group:/access" % cloud.account),
                                                                          ("replace", "/accessLogSettings/format", '$context.identity.sourceIp "$context.httpMethod $context.resourcePath" $context.status $context.responseLength $context.requestId $context.error.message $context.authorizer.none')))
    r = [a.send("/x"), a.send("/nope")]
    lines = []
    for _ in range(50):
        lines = [e["message"] for e in logs.filter_log_events(logGroupName="/access")["events"]]
        if len(lines) >= 2:
            break
        time.sleep(0.2)
    assert sorted(lines) == sorted(['127.0.0.1 "GET /x" 200 12 %s - -' % r[0].headers["x-amzn-RequestId"],
                                    '127.0.0.1 "GET -" 403 42 %s Missing Authentication Token -' % r[1].headers["x-amzn-RequestId"]])
    a.gw.update_stage(restApiId=a.id, stageName="s", patchOperations=patch(("replace", "/accessLogSettings/format", '{"ua": "$context.identity.userAgent", "e": $context.error.messageString, "id": "$context.requestId"}')))
    r = a.send("/x/none", headers={"User-Agent": 'me", "id": "forged\\'})
    for _ in range(50):
        said = [json.loads(e["message"]) for e in logs.filter_log_events(logGroupName="/access")["events"] if e["message"].startswith("{")]
        if said:
            break
        time.sleep(0.2)
    assert said == [{"ua": 'me", "id": "forged\\', "e": "Missing Authentication Token", "id": r.headers["x-amzn-RequestId"]}]


def test_many_at_once(cloud, backend):
    a = Api(cloud)
    a.mock("/m", response="$input.params('n')")
    a.http("/h", backend.url + "/n")
    a.deploy()
    wrong = []

    def go(n):
        for i in range(20):
            if a.send("/m?n=%d" % (n * 100 + i)).body != b"%d" % (n * 100 + i) or a.send("/h?n=%d" % n).json["path"] != "/n?n=%d" % n:
                wrong.append(n)

    threads = [threading.Thread(target=go, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_invocations_are_not_in_the_trail(cloud):
    a = Api(cloud)
    a.mock("/x")
    a.deploy()
    assert a.send("/x").status == 200 and a.send("/none").status == 403
    time.sleep(0.2)
    text = "".join(p.read_text() for p in (cloud.data / "regions" / "us-east-1" / "trail").rglob("*") if p.is_file())
    assert "CreateRestApi" in text and "execute-api" not in text.replace("com.amazonaws.us-east-1.execute-api", "").replace("arn:aws:execute-api", "").replace("execute-api:", "").replace(".execute-api.", "")
