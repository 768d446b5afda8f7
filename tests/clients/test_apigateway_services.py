# SPDX-License-Identifier: Apache-2.0
"""API Gateway in front of services of this cloud: requests in their own protocols, as the integration's role and by its policies."""
import base64
import json

import pytest
from botocore.exceptions import ClientError

from apigw import Api

ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}


def role(cloud, name, *statements, service="apigateway.amazonaws.com"):
    iam = cloud.client("iam")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
    return arn


class Services(Api):
    def service(self, path, uri, role, verb="GET", http=None, params=None, template=None, answers=None, auth="NONE", **kw):
        m = self.method(path, verb, auth, **kw)
        self.gw.put_integration(type="AWS", integrationHttpMethod=http or verb, uri="arn:aws:apigateway:us-east-1:" + uri, credentials=role, requestParameters=params or {},
                                requestTemplates={"application/json": template} if template is not None else {}, **m)
        for status, pattern, out in answers or [("200", None, None), ("400", "4\\d{2}", None)]:
            self.gw.put_method_response(statusCode=status, responseParameters={"method.response.header.ETag": False}, **m)
            self.gw.put_integration_response(statusCode=status, **({"selectionPattern": pattern} if pattern else {}), **({"responseTemplates": {"application/json": out}} if out else {}),
                                             responseParameters={"method.response.header.ETag": "integration.response.header.ETag"}, **m)
        return m


def test_s3_objects(cloud):
    s3 = cloud.client("s3")
    for b in ("gate-way", "other-one"):
        s3.create_bucket(Bucket=b)
    r = role(cloud, "s3-gate", {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::gate-way/*"})
    a = Services(cloud, binaryMediaTypes=["image/png"])
    take = {"integration.request.path.b": "method.request.path.b", "integration.request.path.key": "method.request.path.key"}
    want = {"method.request.path.b": True, "method.request.path.key": True}
    a.service("/{b}/{key}", "s3:path/{b}/{key}", r, params=take, requestParameters=want)
    a.service("/{b}/{key}", "s3:path/{b}/{key}", r, verb="PUT", params=dict(take, **{"integration.request.header.x-amz-meta-who": "context.stage"}), requestParameters=want)
    a.service("/host", "gate-way.s3:path/one", r)
    a.deploy()
    put = a.send("/gate-way/one", method="PUT", body=b"hello", headers={"Content-Type": "text/plain"})
    assert put.status == 200 and put.headers["ETag"]
    o = s3.get_object(Bucket="gate-way", Key="one")
    assert o["Body"].read() == b"hello" and o["Metadata"] == {"who": "s"} and o["ContentType"] == "text/plain"
    assert a.send("/gate-way/one").body == b"hello" == a.send("/host").body
    picture = bytes(range(256)) * 40
    assert a.send("/gate-way/a%2Fb.png", method="PUT", body=picture, headers={"Content-Type": "image/png"}).status == 200
    assert s3.get_object(Bucket="gate-way", Key="a/b.png")["Body"].read() == picture == a.send("/gate-way/a%2Fb.png").body
    assert a.send("/gate-way/none").status == 400  # 403 or 404 of S3, by the pattern
    denied = a.send("/other-one/one")
    assert denied.status == 400 and b"AccessDenied" in denied.body and b"assumed-role/s3-gate" in denied.body
    assert a.send("/gate-way/..%2Fother-one%2Fx").status == 400


def test_named_actions_and_queries(cloud):
    ssm, kms = cloud.client("ssm"), cloud.client("kms")
    ssm.put_parameter(Name="/app/one", Value="eins", Type="String")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    r = role(cloud, "call-gate", {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "arn:aws:ssm:us-east-1:%s:parameter/app/*" % cloud.account},
             {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": key})
    a = Services(cloud)
    a.service("/param", "ssm:action/GetParameter", r, verb="POST", template='{"Name": $input.json("$.name")}', answers=[("200", None, "$input.path('$.Parameter.Value')"), ("403", "4\\d{2}", None)])
    a.service("/target", "ssm:path//", r, verb="POST", params={"integration.request.header.X-Amz-Target": "'AmazonSSM.GetParameter'", "integration.request.header.Content-Type": "'application/x-amz-json-1.1'"})
    a.service("/seal", "kms:action/Encrypt", r, verb="POST", template='{"KeyId": "%s", "Plaintext": "$util.base64Encode($input.body)"}' % key)
    a.service("/who", "sts:action/GetCallerIdentity", r)
    a.service("/form", "sts:path/", r, verb="POST", params={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"}, template="Action=GetCallerIdentity&Version=2011-06-15")
    a.deploy()
    assert a.send("/param", method="POST", body='{"name": "/app/one"}').body == b"eins"
    assert a.send("/param", method="POST", body='{"name": "/other"}').status == 403
    assert a.send("/target", method="POST", body='{"Name": "/app/one"}').json["Parameter"]["Value"] == "eins"
    sealed = a.send("/seal", method="POST", body="secret").json
    assert kms.decrypt(CiphertextBlob=base64.b64decode(sealed["CiphertextBlob"]))["Plaintext"] == b"secret"
    for p, m in (("/who", "GET"), ("/form", "POST")):
        r = a.send(p, method=m, body=None if m == "GET" else "{}")
        assert r.status == 200 and b"assumed-role/call-gate/BackplaneAssumeRoleSession" in r.body, r


def test_the_callers_own_rights(cloud):
    ssm = cloud.client("ssm")
    ssm.put_parameter(Name="/own/one", Value="mine", Type="String")
    a = Services(cloud)
    a.service("/p", "ssm:action/GetParameter", "arn:aws:iam::*:user/*", verb="POST", auth="AWS_IAM", template='{"Name": "/own/one"}', answers=[("200", None, "$input.path('$.Parameter.Value')"), ("403", "4\\d{2}", None)])
    a.service("/open", "ssm:action/GetParameter", "arn:aws:iam::*:user/*", verb="POST", template='{"Name": "/own/one"}')
    a.deploy()
    invoke = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
    able, unable = cloud.user("able", invoke, {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"}), cloud.user("unable", invoke)
    assert a.signed("/p", method="POST", body="{}", creds=able).body == b"mine"
    assert a.signed("/p", method="POST", body="{}", creds=unable).status == 403
    assert a.send("/p", method="POST", body="{}").status == 403
    assert a.send("/open", method="POST", body="{}").status == 500  # nobody's rights are no rights


def test_what_is_refused(cloud):
    a = Services(cloud)
    m = a.method("/x")
    ok = role(cloud, "refuse-gate")
    stranger = role(cloud, "not-for-us", {"Effect": "Allow", "Action": "*", "Resource": "*"}, service="lambda.amazonaws.com")
    for uri, why, more in (("nonesuch:action/Do", "AWS service of type nonesuch not supported", {}), ("s3:action/GetObject", "not implemented", {}), ("ssm:GetParameter", "must contain path or action", {}),
                           ("ssm:action/GetParameter", "Role ARN must be specified", {"credentials": ""}), ("ssm:action/GetParameter", "Cross-account", {"credentials": "arn:aws:iam::999999999999:role/x"})):
        with pytest.raises(ClientError, match=why) as e:
            a.gw.put_integration(type="AWS", integrationHttpMethod="POST", uri="arn:aws:apigateway:us-east-1:" + uri, **dict({"credentials": ok}, **more), **m)
        assert e.value.response["Error"]["Code"] == "BadRequestException"
    user = cloud.user("no-pass", {"Effect": "Allow", "Action": "apigateway:*", "Resource": "*"})
    with pytest.raises(ClientError, match="iam:PassRole"):
        cloud.client("apigateway", key=user).put_integration(type="AWS", integrationHttpMethod="POST", uri="arn:aws:apigateway:us-east-1:ssm:action/GetParameter", credentials=ok, **m)
    a.service("/stranger", "ssm:action/DescribeParameters", stranger, verb="POST")
    a.service("/none", "ssm:action/NoSuchThing", ok, verb="POST")
    a.service("/away", "sts:action/GetCallerIdentity", "arn:aws:iam::%s:role/${stageVariables.r}" % cloud.account)
    a.gw.delete_method(**m)
    a.deploy(variables={"r": "not-for-us"})
    assert a.send("/stranger", method="POST", body="{}").status == 500 == a.send("/away").status  # a role that doesn't trust us is never assumed
    assert a.send("/none", method="POST", body="{}").status == 400
