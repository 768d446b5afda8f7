# SPDX-License-Identifier: Apache-2.0
"""AWS Lambda: functions and their configuration, versions, aliases, permissions; invocations where this machine can run them."""
import base64
import concurrent.futures
import hashlib
import io
import json
import os
import pathlib
import re
import time
import zipfile

import pytest
from botocore.exceptions import ClientError

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
ECHO = "exports.handler = async (event) => ({ got: event });\n"


def make_zip(files):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", zipfile.ZIP_DEFLATED) as z:
        for name, text in files.items():
            z.writestr(name, text)
    return b.getvalue()


def code_of(e):
    return e.value.response["Error"]["Code"]


@pytest.fixture(scope="module")
def role(cloud):
    return cloud.client("iam").create_role(RoleName="fn", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]


@pytest.fixture(scope="module")
def fn(cloud):
    return cloud.client("lambda")


@pytest.fixture
def name(fn, request):
    n = request.node.name.replace("[", "-").replace("]", "")[:60]
    yield n
    try:
        fn.delete_function(FunctionName=n)
    except ClientError:
        pass


def create(fn, name, role, text=ECHO, **kw):
    kw.setdefault("Runtime", "nodejs20.x")
    kw.setdefault("Handler", "index.handler")
    kw.setdefault("Code", {"ZipFile": make_zip({"index.js": text})})
    return fn.create_function(FunctionName=name, Role=role, **kw)


def test_create_get_update_delete(cloud, fn, role, name):
    z = make_zip({"index.js": ECHO})
    c = create(fn, name, role, Code={"ZipFile": z}, Description="d", Timeout=10, MemorySize=256, Tags={"team": "a"})
    assert c["FunctionArn"] == "arn:aws:lambda:us-east-1:%s:function:%s" % (cloud.account, name)
    assert c["CodeSha256"] == base64.b64encode(hashlib.sha256(z).digest()).decode() and c["CodeSize"] == len(z)
    assert (c["Version"], c["PackageType"], c["Architectures"], c["EphemeralStorage"]) == ("$LATEST", "Zip", ["x86_64"], {"Size": 512})
    assert c["TracingConfig"] == {"Mode": "PassThrough"} and c["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}
    assert c["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/" + name}
    fn.get_waiter("function_active_v2").wait(FunctionName=name)
    g = fn.get_function(FunctionName=name)
    assert g["Tags"] == {"team": "a"} and g["Code"]["RepositoryType"] == "S3" and g["Configuration"]["State"] == "Active"
    for ref in (c["FunctionArn"], "%s:function:%s" % (cloud.account, name), name + ":$LATEST"):
        assert fn.get_function_configuration(FunctionName=ref)["FunctionName"] == name
    u = fn.update_function_configuration(FunctionName=name, Timeout=20, Environment={"Variables": {"AB": "1"}}, RevisionId=c["RevisionId"])
    assert u["Timeout"] == 20 and u["Environment"] == {"Variables": {"AB": "1"}} and u["RevisionId"] != c["RevisionId"]
    fn.get_waiter("function_updated_v2").wait(FunctionName=name)
    with pytest.raises(ClientError) as e:
        fn.update_function_configuration(FunctionName=name, Timeout=21, RevisionId=c["RevisionId"])
    assert code_of(e) == "PreconditionFailedException"
    v = fn.update_function_code(FunctionName=name, ZipFile=make_zip({"index.js": "// new"}))
    assert v["CodeSha256"] != c["CodeSha256"] and v["Environment"] == {"Variables": {"AB": "1"}}
    dry = fn.update_function_code(FunctionName=name, ZipFile=make_zip({"index.js": "// other"}), DryRun=True)
    assert dry["CodeSha256"] not in (v["CodeSha256"], c["CodeSha256"])
    assert fn.get_function_configuration(FunctionName=name)["CodeSha256"] == v["CodeSha256"]
    with pytest.raises(ClientError) as e:
        create(fn, name, role)
    assert code_of(e) == "ResourceConflictException" and e.value.response["Error"]["Message"] == "Function already exist: " + name
    fn.delete_function(FunctionName=name)
    with pytest.raises(ClientError) as e:
        fn.get_function(FunctionName=name)
    assert code_of(e) == "ResourceNotFoundException" and e.value.response["Error"]["Message"] == "Function not found: " + c["FunctionArn"]


def test_code_from_s3(cloud, fn, role, name):
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="lambda-code")
    s3.put_object(Bucket="lambda-code", Key="a/b.zip", Body=make_zip({"index.js": ECHO}))
    create(fn, name, role, Code={"S3Bucket": "lambda-code", "S3Key": "a/b.zip"})
    with pytest.raises(ClientError) as e:
        fn.update_function_code(FunctionName=name, S3Bucket="lambda-code", S3Key="nothing")
    assert code_of(e) == "InvalidParameterValueException" and "NoSuchKey" in str(e.value)
    poor = cloud.user("lambda-poor", {"Effect": "Allow", "Action": ["lambda:*", "iam:PassRole"], "Resource": "*"})
    with pytest.raises(ClientError) as e:
        cloud.client("lambda", key=poor).update_function_code(FunctionName=name, S3Bucket="lambda-code", S3Key="a/b.zip")
    assert code_of(e) == "AccessDeniedException"


@pytest.mark.parametrize("what,kw", [
    ("InvalidParameterValueException", {"Runtime": "java21"}),
    ("InvalidParameterValueException", {"Code": {"ZipFile": b"no zip"}}),
    ("InvalidParameterValueException", {"Code": {"S3Bucket": "only-bucket"}}),
    ("InvalidParameterValueException", {"Environment": {"Variables": {"AWS_REGION": "x"}}}),
    ("InvalidParameterValueException", {"Environment": {"Variables": {"BIG": "x" * 4096}}}),
    ("ValidationException", {"Timeout": 901}),
    ("ValidationException", {"MemorySize": 10241}),
    ("NotImplemented", {"PackageType": "Image"}),
    ("NotImplemented", {"Architectures": ["arm64"], "Runtime": "provided.al2023"}),
    ("ValidationException", {"Architectures": ["arm64", "x86_64"]}),
    ("NotImplemented", {"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}),
    ("AccessDeniedException", {"Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:none:1"]}),
])
def test_refusals(fn, role, name, what, kw):
    with pytest.raises(ClientError) as e:
        create(fn, name, role, **kw)
    assert code_of(e) == what
    with pytest.raises(ClientError):
        fn.get_function(FunctionName=name)


def test_role_must_trust_lambda(cloud, fn, name):
    other = TRUST.replace("lambda", "ec2")
    arn = cloud.client("iam").create_role(RoleName="not-lambda", AssumeRolePolicyDocument=other)["Role"]["Arn"]
    for role in (arn, arn + "-missing"):
        with pytest.raises(ClientError) as e:
            create(fn, name, role)
        assert e.value.response["Error"]["Message"] == "The role defined for the function cannot be assumed by Lambda."


def test_list_pages(fn, role):
    names = ["page-%d" % i for i in range(5)]
    for n in names:
        create(fn, n, role)
    seen = [f["FunctionName"] for p in fn.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2}) for f in p["Functions"]]
    assert [n for n in seen if n.startswith("page-")] == names
    every = fn.list_functions(FunctionVersion="ALL")["Functions"]
    assert any(f["FunctionArn"].endswith(":page-0:$LATEST") for f in every)
    for n in names:
        fn.delete_function(FunctionName=n)


def test_permissions(cloud, fn, role, name):
    create(fn, name, role)
    with pytest.raises(ClientError) as e:
        fn.get_policy(FunctionName=name)
    assert code_of(e) == "ResourceNotFoundException"
    s = json.loads(fn.add_permission(FunctionName=name, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com",
                                     SourceArn="arn:aws:execute-api:us-east-1:%s:abc/*" % cloud.account, SourceAccount=cloud.account)["Statement"])
    assert s["Principal"] == {"Service": "apigateway.amazonaws.com"} and s["Condition"]["ArnLike"]["AWS:SourceArn"].endswith(":abc/*")
    assert s["Resource"] == "arn:aws:lambda:us-east-1:%s:function:%s" % (cloud.account, name)
    with pytest.raises(ClientError) as e:
        fn.add_permission(FunctionName=name, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com")
    assert code_of(e) == "ResourceConflictException"
    for who in ("nobody", "arn:aws:iam::%s:role/missing" % cloud.account):
        with pytest.raises(ClientError) as e:
            fn.add_permission(FunctionName=name, StatementId="x", Action="lambda:InvokeFunction", Principal=who)
        assert code_of(e) == "InvalidParameterValueException"
    p = fn.get_policy(FunctionName=name)
    assert json.loads(p["Policy"])["Statement"] == [s]
    with pytest.raises(ClientError) as e:
        fn.remove_permission(FunctionName=name, StatementId="api", RevisionId="00000000-0000-0000-0000-000000000000")
    assert code_of(e) == "PreconditionFailedException"
    fn.remove_permission(FunctionName=name, StatementId="api", RevisionId=p["RevisionId"])
    with pytest.raises(ClientError) as e:
        fn.get_policy(FunctionName=name)
    assert code_of(e) == "ResourceNotFoundException"


def test_tags(fn, role, name):
    arn = create(fn, name, role, Tags={"a": "1", "b": "2"})["FunctionArn"]
    fn.tag_resource(Resource=arn, Tags={"b": "3", "c": "4"})
    assert fn.list_tags(Resource=arn)["Tags"] == {"a": "1", "b": "3", "c": "4"}
    fn.untag_resource(Resource=arn, TagKeys=["a", "c"])
    assert fn.list_tags(Resource=arn)["Tags"] == {"b": "3"}
    with pytest.raises(ClientError) as e:
        fn.tag_resource(Resource=arn, Tags={"k%d" % i: "" for i in range(51)})
    assert code_of(e) == "InvalidParameterValueException"


def heavy_zip(mb):
    """An archive that does not pack."""
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", zipfile.ZIP_STORED) as z:
        z.writestr("index.js", ECHO)
        z.writestr("data", os.urandom(mb << 20))
    return b.getvalue()


def test_an_archive_of_50_mb_in_a_request(cloud, fn, role, name):
    """As Terraform's "filename" sends it: 70 MB of JSON. Several at once are taken one after the other, in little memory."""
    z = heavy_zip(49)
    c = create(fn, name, role, Code={"ZipFile": z})
    assert c["CodeSize"] == len(z) and c["CodeSha256"] == base64.b64encode(hashlib.sha256(z).digest()).decode()
    other = heavy_zip(8)
    sums = set()
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for u in pool.map(lambda i: cloud.client("lambda").update_function_code(FunctionName=name, ZipFile=other), range(3)):
            sums.add(u["CodeSha256"])
    assert sums == {base64.b64encode(hashlib.sha256(other).digest()).decode()}
    proc = pathlib.Path("/proc/%d" % cloud.proc.pid)
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", (proc / "status").read_text())[1])
    assert peak < 1 << 20 or "libasan" in (proc / "maps").read_text(), peak  # KB: the archive, its text and what the program is otherwise; not one of each
    with pytest.raises(ClientError) as e:
        fn.update_function_code(FunctionName=name, ZipFile=heavy_zip(51))
    assert code_of(e) == "RequestEntityTooLargeException" and "smaller than 70167211 bytes for the UpdateFunctionCode operation" in str(e.value)
    # who is nobody sends no large body, and a signature that is wrong is found out
    with pytest.raises(ClientError) as e:
        cloud.client("lambda", secret="x" * 40).update_function_code(FunctionName=name, ZipFile=other)
    assert code_of(e) in ("InvalidSignatureException", "SignatureDoesNotMatch")
    with pytest.raises(ClientError) as e:
        cloud.client("lambda", key="AKIANOBODYNOBODYNOBO").update_function_code(FunctionName=name, ZipFile=other)
    assert code_of(e) == "UnrecognizedClientException"
    assert fn.get_function_configuration(FunctionName=name)["CodeSize"] == len(other)
