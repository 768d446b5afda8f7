# SPDX-License-Identifier: Apache-2.0
"""API Gateway and functions: proxy and custom integrations, authorizers."""
import base64
import io
import json
import subprocess
import time
import zipfile

import pytest

from apigw import Api
from tests.conftest import binary

BACKEND = """
let calls = 0;
exports.handler = async (e) => {
	const how = e.how || (e.queryStringParameters || {}).how;
	if (how === 'throw') throw new Error('broken: it is');
	if (how === 'sleep') await new Promise(r => setTimeout(r, 3000));
	if (how === 'binary') return { statusCode: 200, headers: { 'Content-Type': 'image/png' }, body: Buffer.from([1, 2, 255]).toString('base64'), isBase64Encoded: true };
	if (how === 'multi') return { statusCode: '202', headers: { 'X-One': 1, 'Set-Cookie': 'a=1' }, multiValueHeaders: { 'Set-Cookie': ['a=1', 'b=2'], 'Connection': ['close'] } };
	if (how === 'raw') return (e.queryStringParameters || {}).raw ? JSON.parse(e.queryStringParameters.raw) : e;
	if (how === 'inject') return { statusCode: 200, headers: { 'X-Bad': 'a\\r\\nX-Evil: 1', 'X Bad': '1', 'Content-Length': '5', 'Transfer-Encoding': 'chunked' }, body: 'ok' };
	if (!e.httpMethod) return { event: e };
	return { statusCode: 200, body: JSON.stringify(e) };
};
"""
AUTHORIZER = """
let calls = 0;
exports.handler = async (e) => {
	const t = e.authorizationToken || (e.headers || {})['X-Who'] || 'none';
	if (t === 'unauthorized') throw new Error('Unauthorized');
	if (t === 'throw') throw new Error('oops');
	if (t === 'garbage') return 'what';
	if (t === 'list') return { principalId: 'p', policyDocument: { Version: '2012-10-17', Statement: [{ Action: 'execute-api:Invoke', Effect: 'Allow', Resource: '*' }] }, context: { a: [1] } };
	const st = [];
	if (t !== 'neither') st.push({ Action: 'execute-api:Invoke', Effect: t === 'deny' ? 'Deny' : 'Allow', Resource: t === 'onlyget' ? e.methodArn.replace(/\\/GET\\/.*/, '/GET/*') : '*' });
	else st.push({ Action: 'execute-api:Invoke', Effect: 'Allow', Resource: 'arn:aws:execute-api:us-east-1:000000000000:none/*' });
	return { principalId: 'user-' + t, policyDocument: { Version: '2012-10-17', Statement: st }, context: { n: ++calls, ok: true, s: 'text', type: e.type, path: e.path || '' },
	         usageIdentifierKey: '0123456789abcdefghijKLMN' };
};
"""


def make_zip(text):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("index.js", text)
    return b.getvalue()


def clock(cloud, by):
    subprocess.run([str(binary()), "clock", "--data", str(cloud.data), by], check=True, capture_output=True)


class Functions:
    def __init__(self, cloud):
        self.cloud, self.fn = cloud, cloud.client("lambda")
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": ["lambda.amazonaws.com", "apigateway.amazonaws.com"]}, "Action": "sts:AssumeRole"}]}
        self.role = cloud.client("iam").create_role(RoleName="fn", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        self.backend, self.authorizer = self.make("backend", BACKEND), self.make("authorizer", AUTHORIZER)

    def make(self, name, text):
        return self.fn.create_function(FunctionName=name, Role=self.role, Runtime="nodejs20.x", Handler="index.handler", Timeout=10, Code={"ZipFile": make_zip(text)})["FunctionArn"]

    def permit(self, api, name="backend", what="*"):
        self.fn.add_permission(FunctionName=name, StatementId="s" + api.id + str(time.time_ns()), Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com",
                               SourceArn="arn:aws:execute-api:us-east-1:%s:%s/%s" % (self.cloud.account, api.id, what))


@pytest.fixture(scope="module")
def functions(cloud):
    f = Functions(cloud)
    try:
        f.fn.invoke(FunctionName="backend", Payload=b"{}")
    except Exception as e:
        pytest.skip("functions don't run here: %s" % e)
    return f


def test_proxy_event(cloud, functions):
    a = Api(cloud, binaryMediaTypes=["image/png"])
    a.function("/f/{x}/{rest+}", functions.backend, verb="ANY")
    a.deploy(variables={"v": "1"})
    functions.permit(a, what="*/*/f/*")
    e = a.send("/f/a%20b/c/d?q=1&q=2&e=", method="POST", body="hi", headers=[("X-A", "1"), ("x-a", "2"), ("User-Agent", "me")]).json
    assert e["resource"] == "/f/{x}/{rest+}" and e["path"] == "/f/a%20b/c/d" and e["httpMethod"] == "POST" and e["body"] == "hi" and e["isBase64Encoded"] is False
    assert e["headers"]["X-A"] == "2" and e["multiValueHeaders"]["X-A"] == ["1", "2"] and "x-a" not in e["headers"]
    assert e["queryStringParameters"] == {"q": "2", "e": ""} and e["multiValueQueryStringParameters"] == {"q": ["1", "2"], "e": [""]}
    assert e["pathParameters"] == {"x": "a b", "rest": "c/d"} and e["stageVariables"] == {"v": "1"}
    c = e["requestContext"]
    assert (c["accountId"], c["apiId"], c["stage"], c["resourcePath"], c["httpMethod"], c["protocol"], c["path"]) == (
        cloud.account, a.id, "s", "/f/{x}/{rest+}", "POST", "HTTP/1.1", "/s/f/a%20b/c/d")
    assert c["identity"]["sourceIp"] == "127.0.0.1" and c["identity"]["userAgent"] == "me" and c["identity"]["accessKey"] is None
    e = a.send("/f/1/2").json
    assert e["queryStringParameters"] is None is e["multiValueQueryStringParameters"] and e["body"] is None
    e = a.send("/f/1/2", method="POST", body=b"\x00\xff", headers={"Content-Type": "image/png"}).json
    assert e["isBase64Encoded"] is True and base64.b64decode(e["body"]) == b"\x00\xff"


def test_proxy_answers(cloud, functions):
    a = Api(cloud, binaryMediaTypes=["image/png"])
    a.function("/f", functions.backend)
    a.function("/slow", functions.backend, integration={"timeoutInMillis": 400})
    a.deploy()
    r = a.send("/f")
    assert (r.status, r.json) == (500, {"message": "Internal server error"})  # nobody has permitted it
    functions.permit(a, what="s/GET/f")
    functions.permit(a, what="s/GET/slow")
    assert a.send("/f?how=binary", headers={"Accept": "image/png, */*"}).body == b"\x01\x02\xff"
    assert a.send("/f?how=binary").body == b"AQL/"
    r = a.send("/f?how=multi")
    assert r.status == 202 and r.body == b"" and r.headers.get_all("Set-Cookie") == ["a=1", "b=2"] and r.headers["X-One"] == "1" and r.headers["x-amzn-Remapped-Connection"] == "close"
    assert r.headers["Content-Type"] == "application/json" and r.headers["X-Amzn-Trace-Id"].startswith("Root=1-")
    for raw in ('"text"', "[]", '{"hello":"world"}', '{"statusCode":"abc"}', '{"statusCode":99}', '{"statusCode":200,"body":{}}', '{"statusCode":200,"headers":[]}', '{"statusCode":200,"headers":{"a":{}}}'):
        r = a.send("/f?how=raw&raw=" + raw.replace('"', "%22").replace("{", "%7B").replace("}", "%7D"))
        assert (r.status, r.json) == (502, {"message": "Internal server error"}), raw
    assert a.send("/f?how=raw&raw=%7B%7D").status == 200
    r = a.send("/f?how=throw")
    assert (r.status, r.json) == (502, {"message": "Internal server error"})
    r = a.send("/f?how=inject")
    assert r.status == 200 and r.body == b"ok" and r.headers["X-Evil"] is None and r.headers["X-Bad"] is None
    t = time.time()
    r = a.send("/slow?how=sleep")
    assert (r.status, r.json) == (504, {"message": "Endpoint request timed out"}) and time.time() - t < 2.5


def test_proxy_with_role(cloud, functions):
    a = Api(cloud)
    a.function("/f", functions.backend, integration={"credentials": functions.role})
    a.deploy()
    iam = cloud.client("iam")
    assert a.send("/f").status == 500
    iam.put_role_policy(RoleName="fn", PolicyName="invoke", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": functions.backend}]}))
    assert a.send("/f").status == 200
    iam.delete_role_policy(RoleName="fn", PolicyName="invoke")
    assert a.send("/f").status == 500


def test_custom(cloud, functions):
    a = Api(cloud)
    m = a.function("/c", functions.backend, verb="POST", kind="AWS", integration={"requestTemplates": {"application/json": '{"how": $input.json("$.how"), "who": "$context.identity.sourceIp"}'}})
    a.gw.put_method_response(statusCode="200", **m)
    a.gw.put_method_response(statusCode="400", **m)
    a.gw.put_integration_response(statusCode="200", responseTemplates={"application/json": "#set($e = $input.path('$.event'))who=$e.who how=$!e.how"}, **m)
    a.gw.put_integration_response(statusCode="400", selectionPattern="broken: .*", responseTemplates={"application/json": '{"m": $input.json("$.errorMessage")}'}, **m)
    a.deploy()
    functions.permit(a)
    assert a.send("/c", method="POST", body='{"how":"x"}').body == b"who=127.0.0.1 how=x"
    r = a.send("/c", method="POST", body='{"how":"throw"}')
    assert (r.status, r.json) == (400, {"m": "broken: it is"})


def authorized(cloud, functions, kind="TOKEN", source="method.request.header.Authorization", api=None, **kw):
    a = Api(cloud, **(api or {}))
    z = a.gw.create_authorizer(restApiId=a.id, name="z", type=kind, authorizerUri=a.uri(functions.authorizer), **({"identitySource": source} if source else {}), **kw)["id"]
    for verb in ("GET", "POST"):
        a.mock("/a/{x}", verb=verb, auth="CUSTOM", authorizerId=z, response='{"who":"$context.authorizer.principalId","n":"$context.authorizer.n","ok":"$context.authorizer.ok","s":"$context.authorizer.s","type":"$context.authorizer.type","path":"$context.authorizer.path"}')
    a.function("/f", functions.backend, auth="CUSTOM", authorizerId=z)
    a.deploy()
    functions.permit(a, "authorizer", "authorizers/" + z)
    functions.permit(a)
    return a


def test_token_authorizer(cloud, functions):
    a = authorized(cloud, functions, identityValidationExpression="[a-z]+")
    go = lambda token, path="/a/1", **kw: a.send(path, headers={"Authorization": token}, **kw)
    r = a.send("/a/1")
    assert (r.status, r.json, r.headers["x-amzn-ErrorType"]) == (401, {"message": "Unauthorized"}, "UnauthorizedException")
    assert go("UPPER").status == 401 and go("").status == 401
    r = go("ann").json
    assert r["who"] == "user-ann" and r["ok"] == "true" and r["s"] == "text" and r["type"] == "TOKEN"
    assert go("ann").json["n"] == r["n"] == go("ann", "/a/2").json["n"]  # kept
    assert go("bob").json["who"] == "user-bob" and go("bob").json["n"] != r["n"]
    e = go("ann", "/f").json
    assert e["requestContext"]["authorizer"]["principalId"] == "user-ann" and e["requestContext"]["authorizer"]["n"] == r["n"]
    d = go("deny")
    assert (d.status, d.json) == (403, {"Message": "User is not authorized to access this resource with an explicit deny"})
    d = go("neither")
    assert (d.status, d.json) == (403, {"Message": "User is not authorized to access this resource"})
    assert go("unauthorized").status == 401
    for t in ("throw", "garbage", "list"):
        d = go(t)
        assert (d.status, d.json) == (500, {"message": None}), t
    assert go("onlyget").status == 200 and go("onlyget", method="POST", body="x").status == 403
    a.gw.flush_stage_authorizers_cache(restApiId=a.id, stageName="s")
    assert go("ann").json["n"] != r["n"]


def test_kept_answers_expire(own_cloud):
    f = Functions(own_cloud)
    a = authorized(own_cloud, f, authorizerResultTtlInSeconds=60)
    go = lambda: a.send("/a/1", headers={"Authorization": "ann"})
    if go().status == 500:
        pytest.skip("functions don't run here")
    first = go().json["n"]
    clock(own_cloud, "+50s")
    assert go().json["n"] == first
    clock(own_cloud, "+11s")
    assert go().json["n"] != first


def test_request_authorizer(cloud, functions):
    a = authorized(cloud, functions, "REQUEST", "method.request.header.X-Who, method.request.querystring.t")
    r = a.send("/a/1?t=1", headers={"X-Who": "ann"})
    assert r.json["who"] == "user-ann" and r.json["type"] == "REQUEST" and r.json["path"] == "/a/1"
    assert a.send("/a/1?t=1", headers={"X-Who": "ann"}).json["n"] == r.json["n"] != a.send("/a/1?t=2", headers={"X-Who": "ann"}).json["n"]
    for path, h in (("/a/1", {"X-Who": "ann"}), ("/a/1?t=1", {}), ("/a/1?t=", {"X-Who": "ann"})):
        assert a.send(path, headers=h).status == 401
    a = authorized(cloud, functions, "REQUEST", None, authorizerResultTtlInSeconds=0)
    assert a.send("/a/1").json["who"] == "user-none" and a.send("/a/1").json["n"] != a.send("/a/1").json["n"]


def test_authorizer_and_resource_policy(cloud, functions):
    allow = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
    pol = lambda *s: {"policy": json.dumps({"Version": "2012-10-17", "Statement": list(s)})}
    go = lambda a, t: a.send("/a/1", headers={"Authorization": t}).status
    a = authorized(cloud, functions, api=pol(allow))
    assert [go(a, t) for t in ("ann", "neither", "deny")] == [200, 200, 403]
    a = authorized(cloud, functions, api=pol(dict(allow, Resource="execute-api:/other/*")))
    assert [go(a, t) for t in ("ann", "neither", "deny")] == [200, 403, 403]
    a = authorized(cloud, functions, api=pol(allow, dict(allow, Effect="Deny")))
    assert [go(a, t) for t in ("ann", "neither", "deny")] == [403, 403, 403]


def test_key_from_authorizer(cloud, functions):
    a = Api(cloud, apiKeySource="AUTHORIZER")
    z = a.gw.create_authorizer(restApiId=a.id, name="z", type="TOKEN", authorizerUri=a.uri(functions.authorizer), identitySource="method.request.header.Authorization")["id"]
    a.mock("/k", auth="CUSTOM", authorizerId=z, apiKeyRequired=True)
    a.deploy()
    functions.permit(a, "authorizer", "authorizers/*")
    go = lambda: a.send("/k", headers={"Authorization": "ann", "x-api-key": "0123456789abcdefghijKLMN"})
    assert go().status == 403
    k = a.gw.create_api_key(name="k", enabled=True, value="0123456789abcdefghijKLMN")["id"]
    p = a.gw.create_usage_plan(name="p", apiStages=[{"apiId": a.id, "stage": "s"}])["id"]
    a.gw.create_usage_plan_key(usagePlanId=p, keyId=k, keyType="API_KEY")
    assert go().status == 200
