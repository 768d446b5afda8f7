# SPDX-License-Identifier: Apache-2.0
"""What a random exchange does not show: routes that resemble each other, hostile bytes, wording of refusals, odd answers."""
import base64

import pytest

import tool as t


@pytest.fixture(scope="module")
def tool():
    x = t.Tool("wire_tool_wide")
    yield x
    assert x.close() == 0


def ask(tool, method="GET", target="/", headers=(), body=b"", **kw):
    return tool.ask("request", method=method, target=target, headers=[list(h) for h in headers], body=base64.b64encode(body).decode(), **kw)


def json_call(tool, target, body, version="1.1", **kw):
    return ask(tool, "POST", "/", [("X-Amz-Target", target), ("Content-Type", "application/x-amz-json-" + version)], body, **kw)


def form(tool, body, **kw):
    return ask(tool, "POST", "/", [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")], body.encode(), **kw)


# --- routes ---

@pytest.mark.parametrize("method,target,headers,op", [
    ("GET", "/", {}, "ListBuckets"),
    ("GET", "/b", {}, "ListObjects"),
    ("GET", "/b/", {}, "ListObjects"),
    ("GET", "/b/?list-type=2&max-keys=1&prefix=x", {}, "ListObjectsV2"),
    ("GET", "/b?list-type=1", {}, "ListObjects"),
    ("GET", "/b?versions", {}, "ListObjectVersions"),
    ("GET", "/b/?location=", {}, "GetBucketLocation"),
    ("GET", "/b?%6cocation", {}, "GetBucketLocation"),
    ("GET", "/b?lifecycle", {}, "GetBucketLifecycleConfiguration"),
    ("PUT", "/b?notification", {}, "PutBucketNotificationConfiguration"),
    ("GET", "/b?analytics", {}, "ListBucketAnalyticsConfigurations"),
    ("GET", "/b?analytics&id=1", {}, "GetBucketAnalyticsConfiguration"),
    ("PUT", "/b?analytics", {}, "PutBucketAnalyticsConfiguration"),
    ("DELETE", "/b?tagging", {}, "DeleteBucketTagging"),
    ("DELETE", "/b", {}, "DeleteBucket"),
    ("POST", "/b?delete", {}, "DeleteObjects"),
    ("POST", "/b?delete=", {}, "DeleteObjects"),
    ("GET", "/b/k", {}, "GetObject"),
    ("GET", "/b/k/", {}, "GetObject"),
    ("GET", "/b//", {}, "GetObject"),
    ("GET", "/b/k?x-id=GetObject", {}, "GetObject"),
    ("GET", "/b/k?uploadId=u", {}, "ListParts"),
    ("GET", "/b/k?acl&versionId=1", {}, "GetObjectAcl"),
    ("GET", "/b/k?attributes", {"x-amz-object-attributes": "ETag"}, "GetObjectAttributes"),
    ("HEAD", "/b", {}, "HeadBucket"),
    ("HEAD", "/b/k", {}, "HeadObject"),
    ("PUT", "/b", {}, "CreateBucket"),
    ("PUT", "/b/k", {}, "PutObject"),
    ("PUT", "/b/k?x-id=PutObject", {}, "PutObject"),
    ("PUT", "/b/k", {"x-amz-copy-source": "/a/b"}, "CopyObject"),
    ("PUT", "/b/k?partNumber=1&uploadId=u", {}, "UploadPart"),
    ("PUT", "/b/k?partNumber=1&uploadId=u", {"X-Amz-Copy-Source": "/a/b"}, "UploadPartCopy"),
    ("PUT", "/b/k?partNumber=1", {}, "PutObject"),
    ("POST", "/b/k?uploads", {}, "CreateMultipartUpload"),
    ("POST", "/b/k?uploads=", {}, "CreateMultipartUpload"),
    ("POST", "/b/k?uploadId=u", {}, "CompleteMultipartUpload"),
    ("POST", "/b/k?select&select-type=2", {}, "SelectObjectContent"),
    ("DELETE", "/b/k?uploadId=u", {}, "AbortMultipartUpload"),
    ("DELETE", "/b/k", {}, "DeleteObject"),
    ("POST", "/b", {}, None),
    ("PATCH", "/b/k", {}, None),
])
def test_s3_routes(tool, method, target, headers, op):
    for signing in ("s3", None):
        r = ask(tool, method, target, list(headers.items()), **({"signing": signing} if signing else {}))
        assert (r["find"], r["model"], r.get("op")) == (0, "s3", op)


@pytest.mark.parametrize("host,target,bucket,op,key", [
    ("bkt.localhost:4566", "/", "bkt", "ListObjects", None),
    ("BKT.LocalHost", "/a%2Fb/c", "BKT", "GetObject", "a/b/c"),
    ("a.b.s3.us-east-1.amazonaws.com", "/k", "a.b", "GetObject", "k"),
    ("s3.us-east-1.amazonaws.com", "/b/k", None, "GetObject", "k"),
    ("localhost:4566", "/b/k", None, "GetObject", "k"),
    (".localhost", "/b/k", None, "GetObject", "k"),
    ("notlocalhost", "/b/k", None, "GetObject", "k"),
    ("127.0.0.1:4566", "/b/k", None, "GetObject", "k"),
    ("10.1.2.3", "/b/k", None, "GetObject", "k"),
    ("[::1]:4566", "/b/k", None, "GetObject", "k"),
])
def test_buckets_in_the_host(tool, host, target, bucket, op, key):
    r = ask(tool, target=target, host=host, signing="s3", suffixes=["localhost", "s3.us-east-1.amazonaws.com", "1", "3"])
    assert (r.get("bucket"), r["op"]) == (bucket, op)
    if key:
        assert r["in"]["Key"] == key
        assert r["in"]["Bucket"] == (bucket or "b")


def test_keys_keep_their_bytes(tool):
    for raw, key in (("a//b", "a//b"), ("/lead", "/lead"), ("a/../b", "a/../b"), ("a+b", "a+b"), ("a%2Bb%20c", "a+b c"), ("trail/", "trail/"),
                     ("%E6%BC%A2", "漢"), ("%00", "\0")):
        r = ask(tool, target="/b/" + raw, signing="s3")
        assert r["in"]["Key"] == key, raw
    assert ask(tool, target="/b/%zz", signing="s3")["code"] == "InvalidURI"
    assert ask(tool, target="/b/%ff", signing="s3")["decode"] < 0  # not UTF-8


def test_scope_and_target_decide(tool):
    assert json_call(tool, "TrentService.ListKeys", b"{}", signing="kms")["op"] == "ListKeys"
    assert json_call(tool, "TrentService.Nothing", b"{}", signing="kms").get("op") is None
    assert json_call(tool, "Unknown.ListKeys", b"{}")["find"] < 0
    r = json_call(tool, "Unknown.ListKeys", b"{}", signing="kms")
    assert r["find"] == 0 and r.get("op") is None and r["name"] == "Unknown.ListKeys"
    assert ask(tool, target="/", signing="nowhere")["find"] < 0
    assert form(tool, "Action=GetCallerIdentity&Version=2011-06-15")["model"] == "sts"
    assert form(tool, "Action=GetCallerIdentity&Version=2011-06-15", signing="sts")["op"] == "GetCallerIdentity"
    assert form(tool, "Action=DescribeVpcs&Version=2016-11-15", signing="ec2")["protocol"] == "ec2"
    assert ask(tool, target="/?Action=DescribeVpcs&Version=2016-11-15", signing="ec2")["op"] == "DescribeVpcs"
    r = form(tool, "Action=NoSuchThing", signing="iam")
    assert (r["find"], r["model"], r.get("op"), r["name"]) == (0, "iam", None, "NoSuchThing")
    assert form(tool, "Version=1", signing="iam").get("op") is None
    assert form(tool, "Action=ListUsers", signing="iam", no_body=True)["find"] == -11  # the body is needed
    # an Action parameter does not take a request away from S3
    assert ask(tool, target="/?Action=ListUsers", signing="s3")["model"] == "s3"
    assert ask(tool, target="/b/k?Action=ListUsers")["op"] == "GetObject"


def test_sqs_speaks_two_protocols(tool):
    a = json_call(tool, "AmazonSQS.GetQueueUrl", b'{"QueueName":"q"}', "1.0", signing="sqs")
    b = form(tool, "Action=GetQueueUrl&Version=2012-11-05&QueueName=q", signing="sqs")
    assert (a["protocol"], a["json_1_0"], b["protocol"]) == ("json", True, "query")
    assert a["in"] == b["in"] == {"QueueName": "q"}


def test_json_version_is_answered(tool):
    for v in (True, False):
        r = tool.ask("response", model="kms", op="ListKeys", protocol="json", json_1_0=v, out={"Keys": []})
        assert dict(r["headers"])["Content-Type"] == "application/x-amz-json-1.%d" % (not v)
        assert base64.b64decode(r["body"]) == b'{"Keys":[]}'


def test_rpc_cbor_is_refused_by_name(tool):
    r = ask(tool, "POST", "/service/GraniteServiceVersion20100801/operation/PutMetricData", [("smithy-protocol", "rpc-v2-cbor")], signing="monitoring")
    assert (r["find"], r.get("op"), r["name"]) == (0, None, "PutMetricData")


# --- decoding ---

def test_query_lists(tool):
    r = form(tool, "Action=CreateStack&StackName=s&Parameters=&Tags=", signing="cloudformation")["in"]
    assert r == {"StackName": "s", "Parameters": [], "Tags": []}
    r = form(tool, "Action=CreateStack&StackName=s&Tags.member.10.Key=j&Tags.member.2.Key=b&Tags.member.1.Key=a&Tags.member.10.Value=", signing="cloudformation")["in"]
    assert r["Tags"] == [{"Key": "a"}, {"Key": "b"}, {"Key": "j", "Value": ""}]
    r = form(tool, "Action=DescribeVpcs&Filter.1.Name=a&Filter.1.Value.1=x&Filter.1.Value.2=y&Filter.2.Name=b&VpcId.1=v", signing="ec2")["in"]
    assert r == {"Filters": [{"Name": "a", "Values": ["x", "y"]}, {"Name": "b"}], "VpcIds": ["v"]}
    r = form(tool, "Action=SetQueueAttributes&QueueUrl=u&Attributes.1.key=Policy&Attributes.1.value=b", signing="sqs")["in"]
    assert r["Attributes"] == {"Policy": "b"}
    r = form(tool, "Action=ListUsers&&=&.=&Unknown=1&PathPrefix=/&MaxItems=5", signing="iam")
    assert r["in"] == {"PathPrefix": "/", "MaxItems": 5}


def test_hostile_forms(tool):
    assert form(tool, "Action=ListUsers&PathPrefix=%zz", signing="iam")["code"] == "MalformedQueryString"
    assert form(tool, "Action=ListUsers&PathPrefix=%ff", signing="iam")["decode"] < 0
    assert form(tool, "Action=ListUsers&MaxItems=99999999999999999999", signing="iam")["code"] == "MalformedInput"
    assert form(tool, "Action=DescribeVpcs&MaxResults=x", signing="ec2")["code"] == "InvalidParameterValue"
    assert form(tool, "Action=DescribeVpcs&DryRun=maybe", signing="ec2")["code"] == "InvalidParameterValue"
    many = "Action=DescribeVpcs&" + "&".join("VpcId.%d=v%d" % (i, i) for i in range(20000, 0, -1))
    r = form(tool, many, signing="ec2")["in"]["VpcIds"]
    assert len(r) == 20000 and r[0] == "v1" and r[-1] == "v20000"
    form(tool, "Action=DescribeVpcs&VpcId." + "1." * 5000 + "=x", signing="ec2")
    form(tool, "Action=DescribeVpcs" + "&VpcId" * 20000, signing="ec2")


@pytest.mark.parametrize("body,message", [
    (b'{"KeyId":5}', "NUMBER_VALUE cannot be converted to String"),
    (b'{"KeyId":true}', "TRUE_VALUE cannot be converted to String"),
    (b'{"KeyId":[]}', "Start of list found where not expected"),
    (b'{"KeyId":{}}', "Start of structure or map found where not expected"),
    (b'[]', "Start of list found where not expected"),
    (b'{"KeyId"', "The request body is not valid JSON"),
    (b'{"KeyId":"\xff"}', "The request body is not valid JSON"),
    (b'[' * 200, "The request body is not valid JSON"),
    (b'{"GrantTokens":"x"}', "Unexpected field type"),
])
def test_json_types(tool, body, message):
    r = json_call(tool, "TrentService.DescribeKey", body, signing="kms")
    assert (r["code"], r["status"], r["message"]) == ("SerializationException", 400, message)


def test_json_oddities(tool):
    r = json_call(tool, "TrentService.DescribeKey", b'{"KeyId":null,"keyid":"x","KeyId":"a","Unknown":[{}],"KeyId":"b","K\\u0000":1}', signing="kms")
    assert r["in"] == {"KeyId": "b"}
    r = json_call(tool, "TrentService.ListKeys", b'{"Limit":5.0}', signing="kms")
    assert r["in"] == {"Limit": 5}
    for bad in (b"5.5", b"3e10", b'"5"', b"1e400"):
        assert json_call(tool, "TrentService.ListKeys", b'{"Limit":' + bad + b'}', signing="kms")["decode"] < 0, bad
    r = json_call(tool, "TrentService.Encrypt", b'{"KeyId":"k","Plaintext":"!!"}', signing="kms")
    assert r["code"] == "SerializationException"
    assert json_call(tool, "TrentService.ListKeys", b"", signing="kms")["in"] == {}


def deep(n):
    return b'{"TableName":"t","Item":{"a":' + b'{"M":{"a":' * n + b'{"S":"x"}' + b"}}" * n + b"}}"


def test_recursion_is_bounded(tool):
    assert json_call(tool, "DynamoDB_20120810.PutItem", deep(20), "1.0", signing="dynamodb")["decode"] == 0
    assert json_call(tool, "DynamoDB_20120810.PutItem", deep(60), "1.0", signing="dynamodb")["code"] == "SerializationException"


@pytest.mark.parametrize("xml", [
    b"<Tagging><TagSet></Tagging>",
    b"not xml",
    b"<Other><TagSet/></Other>",
    b"<Tagging><TagSet><Tug/></TagSet></Tagging>",
    b"<Tagging><TagSet><Tag><Key><x/></Key><Value/></Tag></TagSet></Tagging>",
    b'<!DOCTYPE Tagging [<!ENTITY a "b">]><Tagging><TagSet/></Tagging>',
    b'<!DOCTYPE Tagging SYSTEM "file:///etc/passwd"><Tagging><TagSet/></Tagging>',
    b"<Tagging>" + b"<a>" * 100 + b"</a>" * 100 + b"</Tagging>",
    b"<Tagging><TagSet " + b" ".join(b'a%d="1"' % i for i in range(40)) + b"/></Tagging>",
    b"<Tagging><TagSet><Tag><Key>\xff</Key><Value/></Tag></TagSet></Tagging>",
    b"<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>",
    b"<Tagging/>",
    b"<Tagging><k:/></Tagging>",
    b'<Tagging k:="1"><TagSet/></Tagging>',
])
def test_bad_xml(tool, xml):
    r = ask(tool, "PUT", "/b?tagging", body=xml, signing="s3")
    assert (r["code"], r["status"]) == ("MalformedXML", 400)


def test_xml_forms(tool):
    ns = b'<?xml version="1.0"?>\n<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/">\n <TagSet>\n  <Tag><Value>a&amp;<![CDATA[<b>]]>&#x41;</Value><Key>k</Key><More/></Tag>\n </TagSet></Tagging>'
    r = ask(tool, "PUT", "/b?tagging", body=ns, signing="s3")
    assert r["in"]["Tagging"] == {"TagSet": [{"Key": "k", "Value": "a&<b>A"}]} and r["validate"] == 0
    acl = (b'<AccessControlPolicy><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group">'
           b"<URI>u</URI></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>")
    r = ask(tool, "PUT", "/b?acl", body=acl, signing="s3")
    assert r["in"]["AccessControlPolicy"]["Grants"] == [{"Grantee": {"Type": "Group", "URI": "u"}, "Permission": "READ"}]
    r = ask(tool, "PUT", "/b?tagging", body=b"<Tagging><TagSet/></Tagging>", signing="s3")
    assert r["in"]["Tagging"] == {"TagSet": []} and r["validate"] == 0


def test_headers_in(tool):
    r = ask(tool, "PUT", "/b/k", [("X-AMZ-META-Foo", "1"), ("x-amz-meta-bar", ""), ("x-amz-meta-", "no"), ("Expires", "Thu, 01 Dec 2044 16:00:00 GMT"),
                                  ("x-amz-server-side-encryption-bucket-key-enabled", "TRUE"), ("x-amz-checksum-sha256", "abc=")], signing="s3")["in"]
    assert r["Metadata"] == {"foo": "1", "bar": ""}
    assert r["BucketKeyEnabled"] is True and r["ChecksumSHA256"] == "abc="
    r = ask(tool, target="/b?max-keys=x", signing="s3")
    assert (r["code"], r["message"]) == ("InvalidArgument", "Provided max-keys not an integer or within integer range")
    assert ask(tool, target="/b?max-keys=", signing="s3")["in"] == {"Bucket": "b"}
    r = ask(tool, target="/b/k?attributes", headers=[("x-amz-object-attributes", 'ETag, "Checksum" ,ObjectSize')], signing="s3")["in"]
    assert r["ObjectAttributes"] == ["ETag", "Checksum", "ObjectSize"]


# --- validation ---

def kms(tool, op, body):
    return json_call(tool, "TrentService." + op, body, signing="kms")


def test_validation_messages(tool):
    r = kms(tool, "DescribeKey", b"{}")
    assert (r["code"], r["message"]) == ("ValidationException", "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
    r = kms(tool, "DescribeKey", b'{"KeyId":"' + b"a" * 2049 + b'"}')
    assert r["message"] == "1 validation error detected: Value '%s' at 'keyId' failed to satisfy constraint: Member must have length less than or equal to 2048" % ("a" * 2049)
    r = kms(tool, "ListKeys", b'{"Limit":0}')
    assert r["message"] == "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"
    r = kms(tool, "ListKeys", b'{"Limit":1001,"Marker":""}')
    assert r["message"].startswith("2 validation errors detected: Value '1001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 1000; ")
    r = kms(tool, "DescribeKey", b'{"KeyId":"a","GrantTokens":["", "x"]}')
    assert r["message"] == ("1 validation error detected: Value '[, x]' at 'grantTokens' failed to satisfy constraint: Member must satisfy constraint: "
                            "[Member must have length less than or equal to 8192, Member must have length greater than or equal to 1]")
    r = kms(tool, "Encrypt", b'{"KeyId":"k","Plaintext":""}')
    assert "Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1" in r["message"]
    r = kms(tool, "TagResource", b'{"KeyId":"k","Tags":[{"TagKey":"a","TagValue":"b"},{"TagKey":"","TagValue":"b"}]}')
    assert "Value '' at 'tags.2.member.tagKey' failed" in r["message"]
    r = kms(tool, "CreateKey", '{"Description":"%s"}'.replace("%s", "漢" * 8192).encode())
    assert r["validate"] == 0  # characters count, not bytes
    r = kms(tool, "CreateKey", b'{"KeyUsage":"NO"}')
    assert "Member must satisfy enum value set: [ENCAPSULATE_DECAPSULATE, ENCRYPT_DECRYPT, GENERATE_VERIFY_MAC, KEY_AGREEMENT, SIGN_VERIFY]" in r["message"]


def test_validation_words_of_others(tool):
    r = form(tool, "Action=CreateUser&UserName=a/b", signing="iam")
    assert (r["code"], r["message"]) == ("ValidationError", "The specified value for userName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-")
    r = form(tool, "Action=GetRole", signing="iam")
    assert (r["code"], r["message"]) == ("ValidationError", "1 validation error detected: Value null at 'roleName' failed to satisfy constraint: Member must not be null")
    r = form(tool, "Action=DeleteVpc", signing="ec2")
    assert (r["code"], r["message"]) == ("MissingParameter", "The request must contain the parameter VpcId")
    r = form(tool, "Action=RunInstances&MinCount=1&MaxCount=1&InstanceType=x9.nano", signing="ec2")
    assert (r["code"], r["message"]) == ("InvalidParameterValue", "Value (x9.nano) for parameter instanceType is invalid.")
    r = ask(tool, "PUT", "/b/k", [("x-amz-storage-class", "COLD")], signing="s3")
    assert r["code"] == "InvalidStorageClass"


def test_patterns_are_bounded(tool):
    r = form(tool, "Action=CreateUser&UserName=" + "a" * 64 + "&Path=/" + "a/" * 200, signing="iam")
    assert r["validate"] == 0
    r = form(tool, "Action=CreateUser&UserName=ok&Path=x", signing="iam")
    assert r["code"] == "ValidationError"


# --- answers ---

def body_of(r):
    return base64.b64decode(r["body"])


def test_bucket_location(tool):
    r = tool.ask("response", model="s3", op="GetBucketLocation", protocol="rest-xml", out={"LocationConstraint": "eu-west-1"})
    assert body_of(r).endswith(b'<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1</LocationConstraint>')
    r = tool.ask("response", model="s3", op="GetBucketLocation", protocol="rest-xml", out={"LocationConstraint": "us-east-1"})
    assert body_of(r).endswith(b'2006-03-01/"></LocationConstraint>')


def test_roots_and_namespaces(tool):
    r = tool.ask("response", model="s3", op="ListObjectsV2", protocol="rest-xml", out={"Name": "b", "Contents": [{"Key": "a&b"}, {"Key": "c"}], "KeyCount": 2})
    assert body_of(r) == (b'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                          b"<Contents><Key>a&amp;b</Key></Contents><Contents><Key>c</Key></Contents><Name>b</Name><KeyCount>2</KeyCount></ListBucketResult>")
    r = tool.ask("response", model="s3", op="GetBucketAcl", protocol="rest-xml", out={"Grants": [{"Grantee": {"Type": "Group", "URI": "u"}, "Permission": "READ"}]})
    assert b'<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>u</URI></Grantee>' in body_of(r)
    r = tool.ask("response", model="ec2", op="DescribeVpcs", protocol="ec2", out={"Vpcs": []})
    assert body_of(r) == (b'<?xml version="1.0" encoding="UTF-8"?>\n<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15">'
                          b"<requestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</requestId><vpcSet></vpcSet></DescribeVpcsResponse>")
    r = tool.ask("response", model="iam", op="DeleteUser", protocol="query", out={})
    assert body_of(r) == (b'<DeleteUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ResponseMetadata>'
                          b"<RequestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</RequestId></ResponseMetadata></DeleteUserResponse>")


def test_header_values_stay_in_their_line(tool):
    r = tool.ask("response", model="s3", op="GetObject", protocol="rest-xml", out={
        "ContentType": "text/plain\r\nX-Evil: 1", "Metadata": {"a": "b\nc", "bad name": "x", "c\r\nX-Evil": "y", "d:e": "z"}})
    h = [tuple(x) for x in r["headers"]]
    assert ("Content-Type", "text/plain  X-Evil: 1") in h and ("x-amz-meta-a", "b c") in h
    assert not any("\r" in x or "\n" in x for p in h for x in p)
    assert not any("bad" in n or "evil" in n.lower() or "d:e" in n for n, _ in h)


def test_times_by_place(tool):
    r = tool.ask("response", model="s3", op="HeadObject", protocol="rest-xml", out={"LastModified": "2026-01-02T03:04:05.678Z"})
    assert dict(r["headers"])["Last-Modified"] == "Fri, 02 Jan 2026 03:04:05 GMT" and body_of(r) == b""
    r = tool.ask("response", model="s3", op="ListBuckets", protocol="rest-xml", out={"Buckets": [{"Name": "b", "CreationDate": "2026-01-02T03:04:05.678Z"}]})
    assert b"<CreationDate>2026-01-02T03:04:05.678Z</CreationDate>" in body_of(r)
    r = tool.ask("response", model="kms", op="CreateKey", protocol="json", out={"KeyMetadata": {"KeyId": "k", "CreationDate": "2026-01-02T03:04:05.678Z"}})
    assert b'"CreationDate":1767323045.678' in body_of(r)


def test_error_forms(tool):
    e = dict(code="NoSuchKey", status=404, message="The specified key does not exist.")
    r = tool.ask("error", model="s3", op="GetObject", protocol="rest-xml", extra={"Key": "a<b"}, **e)
    assert b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>a&lt;b</Key><RequestId>" in body_of(r)
    assert {"x-amz-request-id", "x-amz-id-2"} <= set(dict(r["headers"]))
    r = tool.ask("error", model="s3", op="HeadObject", protocol="rest-xml", **e)
    assert body_of(r) == b"" and r["status"] == 404
    model, tried = t.service_model("cloudwatch"), 0
    for op in model.operation_names:
        for shape in model.operation_model(op).error_shapes:
            wire = shape.metadata.get("error", {}).get("code", shape.name)
            for code in {wire, shape.name} if wire != shape.name else ():  # the query protocol's code, and the shape
                r = tool.ask("error", model="cloudwatch", op=op, protocol="json", code=code, status=404, message="m")
                assert dict(r["headers"])["x-amzn-query-error"] == wire + ";Sender"
                assert ('"__type":"%s"' % shape.name).encode() in body_of(r)
                tried += 1
    assert tried
    r = tool.ask("error", model="lambda", op="GetFunction", protocol="rest-json", code="ResourceNotFoundException", status=404, message="m")
    assert dict(r["headers"])["x-amzn-errortype"] == "ResourceNotFoundException" and b'"Message":"m"' in body_of(r)
    r = tool.ask("error", model="cloudfront", op="GetDistribution", protocol="rest-xml", **dict(e, code="NoSuchDistribution"))
    assert b"<ErrorResponse xmlns=" in body_of(r) and b"<Error><Type>Sender</Type><Code>NoSuchDistribution</Code>" in body_of(r)
    r = tool.ask("error", model="ec2", op="DescribeVpcs", protocol="ec2", **dict(e, code="InvalidVpcID.NotFound"))
    assert b"<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code>" in body_of(r) and body_of(r).endswith(b"</RequestID></Response>")


# --- our own JSON, paths, redaction ---

def test_paths(tool):
    tags = {"KeyId": "k", "Tags": [{"TagKey": "a", "TagValue": "b"}, {"TagKey": "c", "TagValue": "d"}]}
    def path(p, v=tags, op="TagResource"):
        r = tool.ask("path", model="kms", op=op, protocol="json", path=p, **{"in": v})
        return r["count"], r["values"], r["present"]
    assert path("KeyId") == (1, ["k"], True)
    assert path("Tags[].TagKey") == (2, ["a", "c"], True)
    assert path("Tags") == (2, [], True)
    assert path("Tags", {"Tags": []}) == (0, [], False)
    assert path("KeyId", {}) == (0, [], False)
    assert path("GrantTokens[]", {"GrantTokens": ["x", "y"]}, "Encrypt") == (2, ["x", "y"], True)
    assert path("EncryptionContext", {"EncryptionContext": {}}, "Encrypt") == (0, [], False)


def test_own_json_is_lenient_about_text(tool):
    r = tool.ask("path", model="kms", op="CreateKey", protocol="json", path="MultiRegion", **{"in": {"MultiRegion": "true"}})
    assert r["values"] == ["true"]
    r = tool.ask("path", model="kms", op="ListKeys", protocol="json", path="Limit", **{"in": {"Limit": "5"}})
    assert r["values"] == ["5"]
    r = tool.ask("path", model="kms", op="ListKeys", protocol="json", path="Limit", **{"in": {"Limit": "x"}})
    assert "wrong type" in r["refused"]


def test_trail_hides_secrets(tool):
    r = tool.ask("redact", model="kms", op="Encrypt", protocol="json", **{"in": {"KeyId": "k", "Plaintext": "c2VjcmV0", "EncryptionContext": {"a": "b"}}})
    assert r["in"] == {"KeyId": "k", "Plaintext": "HIDDEN_DUE_TO_SECURITY_REASONS", "EncryptionContext": {"a": "b"}}
    r = tool.ask("redact", model="kms", op="Decrypt", protocol="json", **{"in": {"CiphertextBlob": "AAAA"}})
    assert r["in"] == {}
    r = tool.ask("redact", model="ssm", op="PutParameter", protocol="json", **{"in": {"Name": "n", "Value": "s3cret"}})
    assert r["in"] == {"Name": "n", "Value": "HIDDEN_DUE_TO_SECURITY_REASONS"}
