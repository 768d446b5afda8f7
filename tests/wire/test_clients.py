# SPDX-License-Identifier: Apache-2.0
"""Whole botocore clients (endpoint rules, handlers, retries off) against the wire layer: the request a client would send is
read, and a scripted output is written back."""
import base64
import datetime
import io
import re

import botocore.awsrequest
import botocore.exceptions
import botocore.session
import pytest
from botocore.config import Config

import tool as t


@pytest.fixture(scope="module")
def tool():
    x = t.Tool("wire_tool_wide")
    yield x
    assert x.close() == 0


class Answers:
    """Sends what a client sends to the tool and answers with out, or an error."""

    def __init__(self, tool, model, out=None, error=None):
        self.tool, self.model, self.out, self.error, self.seen = tool, model, out or {}, error, None

    def __call__(self, request, **kw):
        body = request.body or b""
        body = body.read() if hasattr(body, "read") else body.encode() if isinstance(body, str) else body
        m = re.match(r"https?://([^/]+)(.*)", request.url)
        headers = {k: v.decode() if isinstance(v, bytes) else v for k, v in request.headers.items()}
        scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers.get("Authorization", ""))
        self.seen = self.tool.ask("request", method=request.method, target=m[2] or "/", host=m[1], headers=[list(x) for x in headers.items()],
                                  body=base64.b64encode(body).decode(), signing=scope[1], suffixes=["localhost", "s3.eu-west-1.localhost"])
        assert self.seen["find"] == 0 and self.seen["model"] == self.model, self.seen
        a = dict(model=self.model, op=self.seen["op"], protocol=self.seen["protocol"], json_1_0=self.seen["json_1_0"])
        r = self.tool.ask("error", **a, **self.error) if self.error else self.tool.ask("response", out=self.out, **a)
        raw = io.BytesIO(base64.b64decode(r["body"]))
        raw.stream = lambda *_, **__: iter([raw.getvalue()])
        answer = botocore.awsrequest.AWSResponse(request.url, r["status"], botocore.awsrequest.HeadersDict(), raw)
        for k, v in r["headers"]:
            answer.headers[k] = v
        return answer


def client(tool, service, model=None, out=None, error=None, endpoint="http://localhost:4566", **config):
    s = botocore.session.get_session()
    c = s.create_client(service, region_name="eu-west-1", aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret", endpoint_url=endpoint,
                        config=Config(retries={"max_attempts": 0}, **config))
    a = Answers(tool, model or service, out, error)
    c.meta.events.register("before-send", a)
    return c, a


@pytest.mark.parametrize("style,host", [("path", "http://localhost:4566"), ("virtual", "http://localhost:4566"), ("virtual", "http://s3.eu-west-1.localhost")])
def test_s3_addressing(tool, style, host):
    c, a = client(tool, "s3", endpoint=host, s3={"addressing_style": style})
    c.put_object(Bucket="bkt", Key="a b/ä+%.txt", Body=b"abc", Metadata={"X": "y"}, ContentType="text/plain", Tagging="a=b")
    i = a.seen["in"]
    assert a.seen["op"] == "PutObject" and (i["Bucket"], i["Key"], i["Metadata"], i["Tagging"]) == ("bkt", "a b/ä+%.txt", {"x": "y"}, "a=b")
    assert a.seen.get("bucket") == (None if style == "path" else "bkt")
    c.copy_object(Bucket="bkt", Key="k", CopySource={"Bucket": "from", "Key": "x/ä"})
    assert a.seen["op"] == "CopyObject" and a.seen["in"]["CopySource"] == "from/x/%C3%A4"
    c.upload_part(Bucket="bkt", Key="k", PartNumber=2, UploadId="u", Body=b"x")
    assert a.seen["op"] == "UploadPart" and a.seen["in"]["PartNumber"] == 2
    c.delete_objects(Bucket="bkt", Delete={"Objects": [{"Key": "a"}, {"Key": "b\n&"}]})
    assert [o["Key"] for o in a.seen["in"]["Delete"]["Objects"]] == ["a", "b\n&"]
    c.complete_multipart_upload(Bucket="bkt", Key="k", UploadId="u", MultipartUpload={"Parts": [{"ETag": '"e"', "PartNumber": 1}]})
    assert a.seen["op"] == "CompleteMultipartUpload" and a.seen["in"]["MultipartUpload"] == {"Parts": [{"ETag": '"e"', "PartNumber": 1}]}


def test_s3_answers(tool):
    when = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    c, _ = client(tool, "s3", out={"LocationConstraint": "eu-west-1"})
    assert c.get_bucket_location(Bucket="b")["LocationConstraint"] == "eu-west-1"
    c, _ = client(tool, "s3", out={"LocationConstraint": "us-east-1"})
    assert c.get_bucket_location(Bucket="b")["LocationConstraint"] is None
    c, _ = client(tool, "s3", out={"ContentLength": 5, "LastModified": "2026-01-02T03:04:05Z", "Metadata": {"a": "b"}, "ETag": '"x"'})
    r = c.head_object(Bucket="b", Key="k")
    assert (r["ContentLength"], r["LastModified"], r["Metadata"], r["ETag"]) == (5, when, {"a": "b"}, '"x"')
    c, _ = client(tool, "s3", out={"Contents": [{"Key": "a%2Bb", "Size": 1, "LastModified": "2026-01-02T03:04:05Z"}], "EncodingType": "url", "IsTruncated": False})
    assert c.list_objects_v2(Bucket="b")["Contents"][0]["Key"] == "a+b"


def test_s3_errors(tool):
    c, _ = client(tool, "s3", error=dict(code="NoSuchKey", status=404, message="The specified key does not exist.", extra={"Key": "k"}))
    with pytest.raises(c.exceptions.NoSuchKey) as e:
        c.get_object(Bucket="b", Key="k")
    assert e.value.response["Error"]["Key"] == "k" and e.value.response["ResponseMetadata"]["HostId"]
    with pytest.raises(botocore.exceptions.ClientError) as e:
        c.head_object(Bucket="b", Key="k")
    assert e.value.response["Error"]["Code"] == "404"


def test_other_services(tool):
    c, a = client(tool, "kms", error=dict(code="NotFoundException", status=400, message="Key 'x' does not exist"))
    with pytest.raises(c.exceptions.NotFoundException, match="Key 'x' does not exist"):
        c.encrypt(KeyId="x", Plaintext=b"\0\1", EncryptionContext={"a": "b"})
    assert a.seen["in"] == {"KeyId": "x", "Plaintext": "AAE=", "EncryptionContext": {"a": "b"}}
    c, a = client(tool, "ec2", out={"Instances": [{"InstanceId": "i-1", "LaunchTime": "2026-01-02T03:04:05Z", "Tags": []}]})
    r = c.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, InstanceType="t3.micro", UserData="#!/bin/sh",
                        NetworkInterfaces=[{"DeviceIndex": 0, "Groups": ["sg-1", "sg-2"], "Ipv6Addresses": [{"Ipv6Address": "::1"}]}],
                        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": ""}]}])
    assert r["Instances"][0]["InstanceId"] == "i-1" and a.seen["validate"] == 0
    i = a.seen["in"]
    assert i["NetworkInterfaces"] == [{"DeviceIndex": 0, "Groups": ["sg-1", "sg-2"], "Ipv6Addresses": [{"Ipv6Address": "::1"}]}]
    assert i["TagSpecifications"] == [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": ""}]}] and base64.b64decode(i["UserData"]) == b"#!/bin/sh"
    assert re.fullmatch("[0-9a-f-]{36}", i["ClientToken"])  # the client fills idempotency tokens in
    c, a = client(tool, "iam", out={"Users": [{"Path": "/", "UserName": "u", "UserId": "A", "Arn": "arn", "CreateDate": "2026-01-02T03:04:05Z"}], "IsTruncated": False})
    assert [u["UserName"] for u in c.list_users()["Users"]] == ["u"]
    c, a = client(tool, "sqs", out={"QueueUrl": "u"})
    assert c.get_queue_url(QueueName="q")["QueueUrl"] == "u" and a.seen["json_1_0"]
    c, a = client(tool, "lambda", error=dict(code="ResourceNotFoundException", status=404, message="Function not found"))
    with pytest.raises(c.exceptions.ResourceNotFoundException, match="Function not found"):
        c.get_function(FunctionName="arn:aws:lambda:eu-west-1:1:function:f", Qualifier="v 1")
    assert a.seen["in"] == {"FunctionName": "arn:aws:lambda:eu-west-1:1:function:f", "Qualifier": "v 1"}
    c, a = client(tool, "route53", out={"HostedZones": [], "Marker": "", "IsTruncated": False, "MaxItems": "1"})
    assert c.list_hosted_zones(MaxItems="1")["HostedZones"] == []
    c, a = client(tool, "sts", error=dict(code="AccessDenied", status=403, message="no"))
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied.*no"):
        c.assume_role(RoleArn="arn:aws:iam::123456789012:role/r", RoleSessionName="me", Tags=[])
    assert a.seen["in"]["Tags"] == []
