# SPDX-License-Identifier: Apache-2.0
"""Attacks on deployed REST APIs: ways into private ones, around policies, signatures, authorizers and limits, and out to what backends must not be."""
import http.client
import json
import socket
import threading
import time

import pytest

from apigw import Api, Backend, send

ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def endpoint(ec2, cidr, service="execute-api"):
    vpc = ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr.replace("/16", "/24"))["Subnet"]["SubnetId"]
    return ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1." + service, VpcEndpointType="Interface", SubnetIds=[subnet], PrivateDnsEnabled=False)["VpcEndpoint"]


@pytest.fixture(scope="module")
def private(cloud):
    ec2 = cloud.client("ec2")
    ours, theirs, kms = endpoint(ec2, "10.1.0.0/16"), endpoint(ec2, "10.2.0.0/16"), endpoint(ec2, "10.3.0.0/16", "kms")
    a = Api(cloud, "private", endpointConfiguration={"types": ["PRIVATE"], "vpcEndpointIds": [ours["VpcEndpointId"]]},
            policy=policy(ALLOW, dict(ALLOW, Effect="Deny", Condition={"StringNotEquals": {"aws:SourceVpce": ours["VpcEndpointId"]}})))
    a.mock("/p", response="inner")
    a.deploy()
    public = Api(cloud, "public")
    public.mock("/p")
    public.deploy()
    return a, public, ours, theirs, kms


def test_private_from_outside(cloud, private):
    a, public, ours, theirs, kms = private
    host = "%s.execute-api.us-east-1.amazonaws.com"
    alias = lambda api, e: host % (api + "-" + e["VpcEndpointId"])
    assert a.send("/p", host=alias(a.id, ours)).body == b"inner"
    assert a.send("/p", host=host % public.id, headers={"x-apigw-api-id": a.id}).json == {"ok": True}  # under its own name an API is itself
    closed = [
        (host % a.id, {}), (host % a.id.upper(), {}), (host % a.id + ":443", {}), (host % a.id + ".", {}),
        (host % a.id, {"x-apigw-api-id": a.id}),
        (host % a.id, {"X-Forwarded-Host": alias(a.id, ours)}), (host % a.id, {"x-amzn-vpce-id": ours["VpcEndpointId"]}), (host % a.id, {"aws-SourceVpce": ours["VpcEndpointId"]}),
        (alias(a.id, theirs), {}), (alias(a.id, kms), {}), (alias(public.id, ours), {}), (host % (a.id + "-vpce-00000000000000000"), {}), (host % (a.id + "-" + ours["VpcEndpointId"] + "x"), {}),
        (host % (a.id + "-" + ours["VpcEndpointId"][:-1]), {}), (host % (public.id + "-" + a.id), {}), (host % (a.id + "-"), {}),
        (kms["DnsEntries"][0]["DnsName"], {"x-apigw-api-id": a.id}), (ours["DnsEntries"][0]["DnsName"], {"x-apigw-api-id": public.id}),
        (ours["VpcEndpointId"] + "-forged00.execute-api.us-east-1.vpce.amazonaws.com", {"x-apigw-api-id": a.id}),
        (ours["VpcEndpointId"] + ".execute-api.us-east-1.vpce.amazonaws.com", {"x-apigw-api-id": a.id}),
        (ours["DnsEntries"][0]["DnsName"].replace("us-east-1", "us-west-2"), {"x-apigw-api-id": a.id}),
        (ours["DnsEntries"][0]["DnsName"], [("x-apigw-api-id", a.id), ("x-apigw-api-id", public.id)]),
        (ours["DnsEntries"][0]["DnsName"], {"x-apigw-api-id": a.id + "/../" + a.id}),
    ]
    for h, headers in closed:
        r = a.send("/p", host=h, headers=headers)
        assert r.status in (400, 403, 404) and b"inner" not in r.body, (h, headers, r)
    r = a.send("/p", host=theirs["DnsEntries"][0]["DnsName"], headers={"x-apigw-api-id": a.id})
    assert r.status == 403 and r.message.endswith("with an explicit deny")


def test_private_without_policy_is_nobodys(cloud, private):
    ours = private[2]
    a = Api(cloud, endpointConfiguration={"types": ["PRIVATE"], "vpcEndpointIds": [ours["VpcEndpointId"]]})
    a.mock("/p")
    try:
        a.deploy()
    except Exception as e:
        assert "policy" in str(e)
        return
    assert a.send("/p", host="%s-%s.execute-api.us-east-1.amazonaws.com" % (a.id, ours["VpcEndpointId"])).status == 403


def test_two_hosts(cloud, private):
    """Whose host counts must not depend on who reads."""
    a, public, ours, _, _ = private
    s = socket.create_connection(("127.0.0.1", cloud.port))
    s.sendall(("GET /s/p HTTP/1.1\r\nHost: %s\r\nHost: %s-%s.execute-api.us-east-1.amazonaws.com\r\n\r\n" % (public.host, a.id, ours["VpcEndpointId"])).encode())
    assert s.recv(64).startswith(b"HTTP/1.1 400")
    s.close()


def test_paths_around_policies(cloud):
    a = Api(cloud, policy=policy(ALLOW, dict(ALLOW, Effect="Deny", Resource=["execute-api:/s/*/admin", "execute-api:/s/*/admin/*"])))
    a.mock("/{any+}", verb="ANY", response="ok $context.path")
    a.mock("/admin", verb="ANY", response="ok admin")
    a.deploy()
    assert a.send("/free").status == 200
    for p in ("/admin", "/admin/", "/%61dmin", "/%61%64%6d%69%6e/x", "/admin/x", "/./admin", "/x/../admin", "/%2e%2e/s/admin", "/x/%2e%2e/admin", "/admin%2f..%2fx", "/x%2f..%2fadmin",
              "/..%2fadmin", "/admin%00", "/admin/%2e", "/x\\..\\admin", "/x%5c..%5cadmin"):
        r = a.send(p)
        assert r.status in (400, 403) and not r.body.startswith(b"ok"), (p, r)
    for p in ("//admin", "///admin/x"):  # an empty part is a part
        assert a.send(p).status == 403
    assert a.send("/admin", stage="/s/").status == 403 and a.send("/admin", stage="//s").status == 403 and a.send("/admin", stage="/S").status == 403
    for verb in ("get", "GeT", "TRACE", "X-Y"):
        assert a.send("/admin", method=verb).status in (400, 403, 405, 501)


def test_backend_paths(cloud):
    b = Backend()
    a = Api(cloud)
    a.http("/p/{proxy+}", b.url + "/base/{proxy}", verb="ANY", requestParameters={"method.request.path.proxy": True}, integration={"requestParameters": {"integration.request.path.proxy": "method.request.path.proxy"}})
    a.http("/h/{host}", "http://{host}/x", requestParameters={"method.request.path.host": True, "method.request.querystring.h": False}, integration={"requestParameters": {"integration.request.path.host": "method.request.querystring.h"}})
    a.deploy()
    for p in ("/p/../up", "/p/%2e%2e/up", "/p/a%2f..%2f..%2fup", "/p/..%2f..%2fetc"):
        assert a.send(p).status in (400, 403)
    assert a.send("/p/a%2Fb%3Fx%23y").json["path"] == "/base/a%2Fb%3Fx%23y"
    assert all(r["path"].startswith("/base/") for r in b.seen)
    n = len(b.seen)
    r = a.send("/h/x?h=127.0.0.1:%d/evil%%3F@" % b.port)  # a value stays a value: no slash, no user, no query
    assert r.status in (500, 504) and len(b.seen) == n
    b.close()


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/meta-data/", "http://169.254.170.2/v2/credentials", "http://[fe80::1]/", "http://[fd00:ec2::254]/", "http://[::ffff:169.254.169.254]/",
                                    "http://2852039166/", "http://0xa9fea9fe/", "http://0.0.0.0:%d/", "http://[::]:%d/", "http://224.0.0.1/", "http://100.100.100.200/"])
def test_addresses_that_are_no_backends(cloud, target):
    a = Api(cloud)
    a.http("/x", "http://${stageVariables.t}", integration={"timeoutInMillis": 1500})
    target = target % cloud.port if "%d" in target else target
    a.deploy(variables={"t": "placeholder"})
    a.gw.update_integration(restApiId=a.id, resourceId=a.resource("/x"), httpMethod="GET", patchOperations=[{"op": "replace", "path": "/uri", "value": target}])
    a.deploy()
    r = a.send("/x")
    assert r.status == 504 and r.json["message"] != "Endpoint request timed out", r  # it wasn't even tried


def test_no_way_to_the_admin_socket_nor_by_redirect(cloud):
    secret = Backend(lambda r: (200, {"X-Secret": "1"}, "secret"))
    b = Backend(lambda r: (302, {"Location": secret.url + "/secret"}, ""))
    a = Api(cloud)
    a.http("/r", b.url)
    a.deploy()
    r = a.send("/r")
    assert r.status == 302 and not secret.seen
    sockets = [p for p in cloud.data.rglob("*") if p.is_socket()]
    assert sockets
    m = dict(restApiId=a.id, resourceId=a.resource("/r"), httpMethod="GET")
    for uri in ("unix://%s" % sockets[0], "http+unix://%s" % str(sockets[0]).replace("/", "%2F"), "file://%s" % sockets[0], "file:///etc/passwd", "gopher://127.0.0.1/", "http://unix:%s" % sockets[0]):
        try:
            a.gw.update_integration(patchOperations=[{"op": "replace", "path": "/uri", "value": uri}], **m)
        except Exception:
            continue
        a.deploy()
        assert a.send("/r").status in (500, 504), uri
    for s in (b, secret):
        s.close()


def test_signatures(cloud):
    a = Api(cloud)
    a.mock("/i", auth="AWS_IAM", verb="ANY")
    a.deploy()
    other = Api(cloud)
    other.mock("/i", auth="AWS_IAM")
    other.deploy()
    user = cloud.user("signer", {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:us-east-1:%s:%s/s/GET/i" % (cloud.account, a.id)})

    def set_header(name, value):
        def change(r):
            del r.headers[name]
            r.headers[name] = value
        return change

    assert a.signed("/i", creds=user).status == 200
    bad = [dict(region="us-west-2"), dict(service="apigateway"), dict(service="lambda"), dict(method="POST", body="x"), dict(creds=dict(user, SecretAccessKey="x" * 40)), dict(creds=dict(user, AccessKeyId="AKIA0000000000000000")),
           dict(creds=dict(user, SessionToken="forged")), dict(change=set_header("X-Amz-Date", "20200101T000000Z")), dict(change=lambda r: r.headers.__setitem__("Authorization", r.headers["Authorization"][:-4] + "0000"))]
    for kw in bad:
        r = a.signed("/i", **dict(dict(creds=user), **kw))
        assert r.status == 403, (kw, r)
    assert other.signed("/i", creds=user).status == 403
    # a signature for one host or path is none for another
    r = a.signed("/i", change=lambda r: None, host=other.host)
    assert r.status == 200  # root, signed for the other API
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    req = AWSRequest("GET", "https://%s/s/i" % other.host, headers={"Host": other.host})
    SigV4Auth(Credentials(cloud.key, cloud.secret), "execute-api", "us-east-1").add_auth(req)
    for host, path in ((a.host, "/s/i"), (other.host, "/s/i?x=1"), (other.host, "/s/%69")):
        r = send(cloud, host, path, headers=[(k, v) for k, v in req.headers.items() if k != "Host"], tls=True)
        assert r.status == 403, (host, path, r)
    sts = cloud.client("sts", key=user["AccessKeyId"], secret=user["SecretAccessKey"])
    temp = sts.get_session_token()["Credentials"]
    assert a.signed("/i", creds=temp).status == 200
    assert a.signed("/i", creds=dict(temp, SessionToken=temp["SessionToken"][:-6] + "AAAAAA")).status == 403


def test_header_injection(cloud):
    a = Api(cloud)
    b = Backend()
    a.mock("/o", verb="POST", response="#set($context.responseOverride.header.X-Over = \"$input.params('v')\")ok")
    m = a.http("/b", b.url, verb="POST", kind="HTTP", requestParameters={"method.request.querystring.v": False},
               integration={"requestParameters": {"integration.request.header.X-V": "method.request.querystring.v", "integration.request.header.X-J": "method.request.body.v"},
                            "requestTemplates": {"application/json": "#set($context.requestOverride.header['X-O'] = $input.path('$.v'))#set($context.requestOverride.header[$input.path('$.k')] = 'k'){}"}})
    a.gw.put_method_response(statusCode="200", **m)
    a.gw.put_integration_response(statusCode="200", **m)
    a.deploy()
    r = a.send("/o?v=a%0d%0aX-Evil:%201", method="POST", body="{}")
    assert r.status == 200 and r.headers["X-Evil"] is None and r.headers["X-Over"] is None
    r = a.send("/b?v=a%0d%0aX-Evil:%201", method="POST", body=json.dumps({"v": "x\r\nX-Evil: 2", "k": "Y: 1\r\nX-Evil"}))
    assert r.status == 200
    names = [k.lower() for k, _ in b.seen[-1]["headers"]]
    assert "x-evil" not in names and "y" not in names and names.count("content-length") == 1
    for k in ("Content-Length", "Transfer-Encoding", "Connection"):
        a.send("/b?v=1", method="POST", body=json.dumps({"v": "1", "k": k}))
        h = [(n.lower(), v) for n, v in b.seen[-1]["headers"]]
        assert (k.lower(), "k") not in h
    b.close()


BOMBS = [
    "#foreach($a in [1..1000])#foreach($b in [1..1000])#foreach($c in [1..1000])x#end#end#end",
    "#set($s='xxxxxxxxxxxxxxxx')#foreach($i in [1..60])#set($s=\"$s$s\")#end$s",
    "#macro(m)#m()#m()#end#m()",
    "#set($m={})#set($m.m=$m)$m",
    "#set($x=$input.body)$x.matches('(a*)*(a*)*(a*)*b')",
    "#set($l=[1..1000])#foreach($i in [1..1000])#set($d=$l.addAll($l))#end",
    "$input.json('$..*..*..*..*..*..*')",
    "#define($d)$d$d#end$d",
]


def test_template_bombs(cloud):
    a = Api(cloud)
    for i, t in enumerate(BOMBS):
        a.mock("/b%d" % i, verb="POST", request=t)
    a.mock("/fine")
    a.deploy()
    body = json.dumps({"a": [[[[[i] * 10] * 10] * 10] for i in range(10)], "b": "a" * 60})
    for i in range(len(BOMBS)):
        t = time.time()
        r = a.send("/b%d" % i, method="POST", body=body)
        assert r.status == 500 and r.json == {"message": "Internal server error"}, (BOMBS[i], r)
        assert time.time() - t < 8, BOMBS[i]
    assert a.send("/fine").status == 200


def test_compressed_bomb(cloud):
    import gzip
    a = Api(cloud, minimumCompressionSize=0)
    a.mock("/x", verb="POST")
    a.deploy()
    r = a.send("/x", method="POST", body=gzip.compress(b"\0" * (40 << 20)), headers={"Content-Encoding": "gzip"})
    assert r.status == 400
    assert a.send("/x", method="POST", body=b"not gzip", headers={"Content-Encoding": "gzip"}).status == 400


def test_too_large(cloud):
    a = Api(cloud)
    a.mock("/x", verb="POST")
    a.deploy()
    c = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=20)
    c.putrequest("POST", "/s/x", skip_host=True)
    c.putheader("Host", a.host)
    c.putheader("Content-Length", str(11 << 20))
    c.endheaders()
    assert c.getresponse().status == 413
    c.close()


def test_throttle_is_one_for_all_ways(cloud):
    a = Api(cloud)
    a.mock("/t/{x}")
    a.deploy()
    a.gw.update_stage(restApiId=a.id, stageName="s", patchOperations=[
        {"op": "replace", "path": "/~1t~1{x}/GET/throttling/burstLimit", "value": "4"}, {"op": "replace", "path": "/~1t~1{x}/GET/throttling/rateLimit", "value": "0.01"}])
    seen, lock = [], threading.Lock()

    def go(i):
        r = a.send("/t/%d%s" % (i, "/" if i % 2 else ""), host=a.host if i % 3 else a.host.upper(), headers={"X-Forwarded-For": "10.0.0.%d" % i, "Connection": "close"}, tls=i % 4 == 0)
        with lock:
            seen.append(r.status)

    threads = [threading.Thread(target=go, args=(i,)) for i in range(24)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(seen) == [200] * 4 + [429] * 20


def test_key_quota_from_many_connections(cloud):
    a = Api(cloud)
    a.mock("/k", apiKeyRequired=True)
    a.deploy()
    k = a.gw.create_api_key(name="k", enabled=True)
    value = a.gw.get_api_key(apiKey=k["id"], includeValue=True)["value"]
    plan = a.gw.create_usage_plan(name="q", apiStages=[{"apiId": a.id, "stage": "s"}], quota={"limit": 10, "period": "MONTH"})["id"]
    a.gw.create_usage_plan_key(usagePlanId=plan, keyId=k["id"], keyType="API_KEY")
    seen = []

    def go():
        for _ in range(5):
            seen.append(a.send("/k", headers={"X-API-Key": value}).status)

    threads = [threading.Thread(target=go) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert seen.count(200) == 10 and set(seen) == {200, 429}
    for h in ([("x-api-key", value + "x")], [("x-api-key", value[:-1])], [("x-api-key", "")], [("x-api-key", value.upper() + "-")]):
        assert a.send("/k", headers=h).status == 403
    assert a.send("/k?x-api-key=" + value).status == 403


def test_authorizer_headers_that_come_twice(cloud):
    """One caller's token next to another's: never two readings of one request. The function itself isn't asked."""
    a = Api(cloud)
    z = a.gw.create_authorizer(restApiId=a.id, name="z", type="TOKEN", authorizerUri=a.uri("arn:aws:lambda:us-east-1:%s:function:none" % cloud.account), identitySource="method.request.header.Authorization")["id"]
    y = a.gw.create_authorizer(restApiId=a.id, name="y", type="REQUEST", authorizerUri=a.uri("arn:aws:lambda:us-east-1:%s:function:none" % cloud.account), identitySource="method.request.querystring.t")["id"]
    a.mock("/a", auth="CUSTOM", authorizerId=z)
    a.mock("/q", auth="CUSTOM", authorizerId=y)
    a.deploy()
    assert a.send("/a", headers=[("Authorization", "good"), ("authorization", "bad")]).status == 401
    assert a.send("/a", headers=[("Authorization", "good"), ("AUTHORIZATION", "good")]).status == 401
    assert a.send("/q?t=1&t=2").status == 401 and a.send("/q?T=1").status == 401
    r = a.send("/a", headers={"Authorization": "good"})
    assert (r.status, r.json) == (500, {"message": None})  # no such function: nobody gets in
    assert a.send("/q?t=1").status == 500


def test_a_dead_client_costs_nothing(cloud):
    hang = socket.socket()
    hang.bind(("127.0.0.1", 0))
    hang.listen(50)
    a = Api(cloud)
    a.http("/h", "http://127.0.0.1:%d/" % hang.getsockname()[1], integration={"timeoutInMillis": 600})
    a.mock("/m")
    a.deploy()
    for i in range(30):
        s = socket.create_connection(("127.0.0.1", cloud.port))
        s.sendall(("POST /s/h HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\nab" % (a.host, 2 if i % 2 else 100)).encode().replace(b"POST", b"GET" if i % 3 else b"POST"))
        s.close()
    assert a.send("/m").status == 200
    time.sleep(0.8)
    assert a.send("/m").status == 200
    hang.close()


def test_another_accounts_names(cloud):
    """A stage, an API or a path that isn't there tells nothing about whether it might be."""
    a = Api(cloud)
    a.mock("/x")
    a.deploy()
    answers = {(r.status, r.body, r.headers["x-amzn-ErrorType"]) for r in (a.send("/x", stage="/other"), a.send("/x", stage=""), a.send("/x", host="a" * 10 + ".execute-api.us-east-1.amazonaws.com"),
                                                                        a.send("/x", host="%s.execute-api.eu-west-1.amazonaws.com" % a.id))}
    assert len(answers) == 1


def test_a_header_that_the_api_sets_is_never_the_clients(cloud):
    """Backends read the first or the last of a repeated header or parameter: whichever it is, it must be the API's."""
    b = Backend()
    a = Api(cloud)
    a.http("/h", b.url + "/x", integration={"requestParameters": {
        "integration.request.header.X-User": "context.stage", "integration.request.header.X-Principal": "context.authorizer.principalId",
        "integration.request.querystring.role": "'reader'", "integration.request.querystring.group": "stageVariables.none"}})
    a.deploy()
    r = a.send("/h?role=admin&role=root&group=admin&mine=1", headers=[("X-User", "admin"), ("x-user", "root"), ("X-USER", "you"), ("X-Principal", "admin"),
                                                                     ("x-amzn-apigateway-api-id", "other000"), ("X-Amzn-Apigateway-Api-Id", "other111")])
    assert r.status == 200
    got = [(k.lower(), v) for k, v in b.seen[-1]["headers"]]
    assert [v for k, v in got if k == "x-user"] == ["s"] and [v for k, v in got if k == "x-amzn-apigateway-api-id"] == [a.id]
    assert [v for k, v in got if k == "x-principal"] == []
    query = b.seen[-1]["path"].partition("?")[2].split("&")
    assert sorted(query) == ["mine=1", "role=reader"]
    b.close()


def test_private_counts_before_the_next_deployment(cloud, private):
    """Who makes an API private means now: it is not open to all until somebody deploys."""
    a = Api(cloud, policy=policy(ALLOW))
    a.mock("/p", response="inner")
    a.deploy()
    ours = private[2]
    assert a.send("/p").body == b"inner"
    a.gw.update_rest_api(restApiId=a.id, patchOperations=[{"op": "replace", "path": "/endpointConfiguration/types/REGIONAL" if "REGIONAL" in a.gw.get_rest_api(restApiId=a.id)["endpointConfiguration"]["types"]
                                                           else "/endpointConfiguration/types/EDGE", "value": "PRIVATE"},
                                                          {"op": "add", "path": "/endpointConfiguration/vpcEndpointIds", "value": ours["VpcEndpointId"]}])
    r = a.send("/p")
    assert (r.status, r.json) == (403, {"message": "Forbidden"})
    assert a.send("/p", host="%s-%s.execute-api.us-east-1.amazonaws.com" % (a.id, ours["VpcEndpointId"])).body == b"inner"


def test_a_signed_body_that_is_compressed(cloud):
    """The signature is for the bytes that were sent, not for what they unpack to."""
    import gzip
    a = Api(cloud, minimumCompressionSize=0)
    a.mock("/i", verb="POST", auth="AWS_IAM", request='{"statusCode": $input.path("$.n")}')
    a.deploy()
    packed = gzip.compress(b'{"n": 200}')
    assert a.signed("/i", method="POST", body=packed, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"}).status == 200


def test_too_large_is_answered_as_the_api_says(cloud):
    a = Api(cloud)
    a.mock("/x", verb="POST")
    a.gw.put_gateway_response(restApiId=a.id, responseType="REQUEST_TOO_LARGE", responseParameters={"gatewayresponse.header.X-Why": "'large'"})
    a.deploy()
    c = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=20)
    c.putrequest("POST", "/s/x", skip_host=True)
    c.putheader("Host", a.host)
    c.putheader("Content-Length", str(11 << 20))
    c.endheaders()
    r = c.getresponse()
    assert (r.status, r.headers["X-Why"], json.loads(r.read())) == (413, "large", {"message": "Request Too Long"})
    c.close()


def test_the_machines_loopback_is_not_behind_the_gateway():
    """A cloud that others reach over the network doesn't lend them its own machine's 127.0.0.1."""
    import shutil
    from tests.conftest import make_cloud
    c, d = make_cloud(args=["--listen", "0.0.0.0:0"])
    b = Backend()
    try:
        c.start()
        a = Api(c)
        for i, host in enumerate(("127.0.0.1", "localhost", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]")):
            a.http("/%d" % i, "http://%s:%d/" % (host, b.port), integration={"timeoutInMillis": 2000})
        a.deploy()
        for i in range(5):
            r = a.send("/%d" % i, tls=True)
            assert r.status == 504 and not b.seen, r
    finally:
        b.close()
        c.stop()
        shutil.rmtree(d, ignore_errors=True)
