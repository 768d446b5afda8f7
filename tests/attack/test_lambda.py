# SPDX-License-Identifier: Apache-2.0
"""AWS Lambda: invoking, reading and changing without the right, roles that aren't one's own to give, archives made to harm,
secrets of an environment, throttles and limits, and a cloud that goes away below an invocation."""
import concurrent.futures
import io
import json
import os
import pathlib
import stat
import struct
import subprocess
import time
import uuid
import zipfile
import zlib

import pytest
from botocore.exceptions import ClientError

from refusals import refused
from test_lambda import ECHO, TRUST, create, fn, make_zip, name, role  # noqa: F401 (fixtures)
from test_lambda_invoke import ask, body, permit, until

DENIED = "AccessDeniedException"


def cli(cloud, *words):
    """The program itself, on this cloud's directory."""
    build = pathlib.Path(os.environ.get("CLOUDKEEP_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build")).resolve()
    return subprocess.run([str(build / "src" / "cli" / "cloudkeep"), *words, "--data", str(cloud.data)], capture_output=True, text=True, check=True, timeout=30).stdout


def allow(action, resource="*", **kw):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **kw}


def as_user(cloud, *statements):
    return cloud.client("lambda", key=cloud.user("u" + uuid.uuid4().hex[:12], *statements))


# --- who may ---
def test_a_right_to_one_function_is_none_to_another(cloud, fn, role, name):
    arn = create(fn, name, role, Environment={"Variables": {"SECRET": "mine"}})["FunctionArn"]
    create(fn, name + "-2", role, Environment={"Variables": {"SECRET": "theirs"}})
    c = as_user(cloud, allow("lambda:*", arn))
    assert c.get_function_configuration(FunctionName=name)["Environment"]["Variables"] == {"SECRET": "mine"}
    assert body(c.invoke(FunctionName=name, Payload=b"1")) == {"got": 1}
    for ref in (name + "-2", arn + "-2", "%s:function:%s-2" % (cloud.account, name)):
        assert "lambda:InvokeFunction on resource: %s-2" % arn in refused(DENIED, c.invoke, FunctionName=ref)
        refused(DENIED, c.invoke, FunctionName=ref, InvocationType="Event")
        refused(DENIED, c.invoke, FunctionName=ref, InvocationType="DryRun")
        m = refused(DENIED, c.get_function_configuration, FunctionName=ref)
        assert "theirs" not in m
        refused(DENIED, c.get_function, FunctionName=ref)
        refused(DENIED, c.update_function_code, FunctionName=ref, ZipFile=make_zip({"index.js": "1"}))
        refused(DENIED, c.update_function_configuration, FunctionName=ref, Timeout=9)
        refused(DENIED, c.add_permission, FunctionName=ref, StatementId="s", Action="lambda:InvokeFunction", Principal="*")
        refused(DENIED, c.delete_function, FunctionName=ref)
        refused(DENIED, c.create_function_url_config, FunctionName=ref, AuthType="NONE")
        refused(DENIED, c.publish_version, FunctionName=ref)
        refused(DENIED, c.put_function_concurrency, FunctionName=ref, ReservedConcurrentExecutions=0)
    assert fn.get_function_configuration(FunctionName=name + "-2")["Timeout"] == 3
    fn.delete_function(FunctionName=name + "-2")


def test_a_right_to_an_alias_is_none_to_the_function(cloud, fn, role, name):
    arn = create(fn, name, role, Publish=True)["FunctionArn"]
    fn.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    c = as_user(cloud, allow("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:%s:function:%s:live" % (cloud.account, name)))
    assert c.invoke(FunctionName=name, Qualifier="live")["ExecutedVersion"] == "1"
    assert c.invoke(FunctionName=name + ":live")["ExecutedVersion"] == "1"
    for kw in ({"FunctionName": name}, {"FunctionName": name, "Qualifier": "1"}, {"FunctionName": name + ":$LATEST"}, {"FunctionName": name + ":1"}):
        refused(DENIED, c.invoke, **kw)
    # a name that carries one qualifier and a parameter that says another
    with pytest.raises(ClientError):
        c.invoke(FunctionName=name + ":live", Qualifier="1")
    assert arn


def test_a_right_to_an_alias_does_not_change_the_function(cloud, fn, role, name):
    """What concerns the whole function takes no qualifier: a name that carries one was authorized as that alias only."""
    create(fn, name, role, Publish=True)
    arn = "arn:aws:lambda:us-east-1:%s:function:%s" % (cloud.account, name)
    fn.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    c = as_user(cloud, allow(["lambda:*", "iam:PassRole"], [arn + ":live", role]))
    before = fn.get_function_configuration(FunctionName=name)
    ref = name + ":live"
    for call, kw in (("update_function_code", {"ZipFile": make_zip({"index.js": "1"})}), ("update_function_configuration", {"Timeout": 9}),
                     ("publish_version", {}), ("put_function_concurrency", {"ReservedConcurrentExecutions": 0}),
                     ("create_alias", {"Name": "mine", "FunctionVersion": "1"}), ("delete_alias", {"Name": "live"}),
                     ("update_alias", {"Name": "live", "FunctionVersion": "$LATEST"}),
                     ("list_versions_by_function", {}), ("list_aliases", {})):
        m = refused("InvalidParameterValueException", getattr(c, call), FunctionName=ref, **kw)
        assert "permitted on Lambda functions only" in m, call
        refused(DENIED, getattr(c, call), FunctionName=name, **kw)
    refused("InvalidParameterValueException", c.tag_resource, Resource=arn + ":live", Tags={"a": "b"})
    after = fn.get_function_configuration(FunctionName=name)
    assert (after["RevisionId"], after["CodeSha256"]) == (before["RevisionId"], before["CodeSha256"])
    assert "Tags" not in fn.get_function(FunctionName=name) and [a["Name"] for a in fn.list_aliases(FunctionName=name)["Aliases"]] == ["live"]


def test_nothing_of_other_accounts_is_shown_or_used(cloud, fn, role):
    other = "arn:aws:lambda:us-east-1:999999999999:layer:theirs"
    assert "lambda:ListLayerVersions on resource: " + other in refused(DENIED, as_user(cloud, allow("lambda:*")).list_layer_versions, LayerName=other)
    theirs = "arn:aws:lambda:us-east-1:999999999999:code-signing-config:csc-0123456789abcdef0"
    refused("CodeSigningConfigNotFoundException", lambda: create(fn, "csc-of-others", role, CodeSigningConfigArn=theirs))


def test_who_is_nobody_learns_nothing(cloud, fn, role, name):
    create(fn, name, role)
    c = as_user(cloud)
    there, missing = (refused(DENIED, c.get_function, FunctionName=n) for n in (name, name + "-none"))
    assert there.replace(name, "") == missing.replace(name + "-none", "")
    # what a policy says of one doesn't open the others
    with pytest.raises(ClientError) as e:
        cloud.client("lambda", anonymous=True).invoke(FunctionName=name)
    assert 400 <= e.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500
    fn.add_permission(FunctionName=name, StatementId="other", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
                      SourceArn="arn:aws:s3:::some", SourceAccount=cloud.account)
    refused(DENIED, c.invoke, FunctionName=name)
    # a deny in a user's own policy is stronger than what the function allows
    u = cloud.user("u" + uuid.uuid4().hex[:12], {"Effect": "Deny", "Action": "lambda:*", "Resource": "*"})
    fn.add_permission(FunctionName=name, StatementId="all", Action="lambda:InvokeFunction", Principal=u["Arn"])
    refused(DENIED, cloud.client("lambda", key=u).invoke, FunctionName=name)


def invoke_by_subscription(cloud, name, arn):
    """CloudWatch Logs asks to invoke the function when a filter is put: as its principal, with the group as the source."""
    logs = cloud.client("logs")
    group = "/src/" + uuid.uuid4().hex[:8]
    logs.create_log_group(logGroupName=group)
    return logs, group, dict(logGroupName=group, filterName="f", filterPattern="", destinationArn=arn)


def test_a_service_is_bound_to_its_source(cloud, fn, role, name):
    arn = create(fn, name, role)["FunctionArn"]
    logs, group, kw = invoke_by_subscription(cloud, name, arn)
    source = "arn:aws:logs:us-east-1:%s:log-group:%s:*" % (cloud.account, group)

    def refused_with(**condition):
        fn.add_permission(FunctionName=name, StatementId="s", Action="lambda:InvokeFunction", Principal="logs.amazonaws.com", **condition)
        with pytest.raises(ClientError) as e:
            logs.put_subscription_filter(**kw)
        assert e.value.response["Error"]["Code"] == "InvalidParameterException", e.value
        fn.remove_permission(FunctionName=name, StatementId="s")
    with pytest.raises(ClientError):
        logs.put_subscription_filter(**kw)
    refused_with(SourceArn=source.replace(group, "/other"))
    refused_with(SourceArn=source.replace("us-east-1", "us-west-2"))
    refused_with(SourceAccount="999999999999")
    refused_with(SourceArn=source, SourceAccount="999999999999")
    fn.add_permission(FunctionName=name, StatementId="s", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com", SourceArn=source)
    with pytest.raises(ClientError):
        logs.put_subscription_filter(**kw)
    fn.add_permission(FunctionName=name, StatementId="t", Action="lambda:InvokeFunction", Principal="logs.amazonaws.com", SourceArn=source, SourceAccount=cloud.account)
    logs.put_subscription_filter(**kw)


# --- roles ---
def test_a_role_is_given_only_by_who_may_pass_it(cloud, fn, role, name):
    iam = cloud.client("iam")
    other = iam.create_role(RoleName=name[:50] + "-adm", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    c = as_user(cloud, allow("lambda:*"), allow("iam:PassRole", role))
    m = refused(DENIED, lambda: create(c, name, other))
    assert "iam:PassRole on resource: " + other in m
    refused("ResourceNotFoundException", fn.get_function, FunctionName=name)
    create(c, name, role)
    assert "iam:PassRole on resource: " + other in refused(DENIED, c.update_function_configuration, FunctionName=name, Role=other)
    assert fn.get_function_configuration(FunctionName=name)["Role"] == role
    # the right to pass to another service isn't the right to pass to this one
    c = as_user(cloud, allow("lambda:*"), allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}))
    refused(DENIED, c.update_function_configuration, FunctionName=name, Role=other)
    c = as_user(cloud, allow("lambda:*"), allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}))
    assert c.update_function_configuration(FunctionName=name, Role=other)["Role"] == other
    # one that doesn't trust Lambda, from the start or by now
    doc = TRUST.replace("lambda", "ec2")
    foreign = iam.create_role(RoleName=name[:50] + "-ec2", AssumeRolePolicyDocument=doc)["Role"]["Arn"]
    assert "cannot be assumed by Lambda" in refused("InvalidParameterValueException", fn.update_function_configuration, FunctionName=name, Role=foreign)
    iam.update_assume_role_policy(RoleName=name[:50] + "-adm", PolicyDocument=doc)
    with pytest.raises(ClientError) as e:
        fn.invoke(FunctionName=name)
    assert "cannot be assumed by Lambda" in str(e.value)


def test_credentials_are_the_role_and_end(own_cloud):
    cloud = own_cloud
    iam, s3, fn = cloud.client("iam"), cloud.client("s3"), cloud.client("lambda")
    arn = iam.create_role(RoleName="narrow", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    s3.create_bucket(Bucket="fn-mine")
    s3.create_bucket(Bucket="fn-theirs")
    s3.put_object(Bucket="fn-mine", Key="k", Body=b"1")
    iam.put_role_policy(RoleName="narrow", PolicyName="p", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [allow("s3:GetObject", "arn:aws:s3:::fn-mine/*")]}))
    create(fn, "tells", arn, text="exports.handler = async () => process.env;")
    env = body(fn.invoke(FunctionName="tells"))
    creds = {"AccessKeyId": env["AWS_ACCESS_KEY_ID"], "SecretAccessKey": env["AWS_SECRET_ACCESS_KEY"], "SessionToken": env["AWS_SESSION_TOKEN"]}
    mine = cloud.client("s3", key=creds)
    assert mine.get_object(Bucket="fn-mine", Key="k")["Body"].read() == b"1"
    refused("AccessDenied", mine.put_object, Bucket="fn-mine", Key="k", Body=b"2")
    refused("AccessDenied", mine.list_objects_v2, Bucket="fn-mine")
    refused("AccessDenied", mine.get_object, Bucket="fn-theirs", Key="k")
    refused(DENIED, cloud.client("lambda", key=creds).invoke, FunctionName="tells")
    refused(DENIED, cloud.client("lambda", key=creds).get_function_configuration, FunctionName="tells")
    refused("AccessDenied", cloud.client("iam", key=creds).create_user, UserName="more")
    refused("AccessDenied", cloud.client("sts", key=creds).assume_role, RoleArn=arn, RoleSessionName="more")
    # without the token, or with another's, they are nothing
    with pytest.raises(ClientError):
        cloud.client("s3", key=creds["AccessKeyId"], secret=creds["SecretAccessKey"]).get_object(Bucket="fn-mine", Key="k")
    cli(cloud, "clock", "+62m")
    with pytest.raises(ClientError) as e:
        mine.get_object(Bucket="fn-mine", Key="k")
    assert e.value.response["Error"]["Code"] == "ExpiredToken"
    fresh = body(fn.invoke(FunctionName="tells"))  # an environment whose credentials are over isn't used again
    assert fresh["AWS_ACCESS_KEY_ID"] != creds["AccessKeyId"]
    cloud.client("s3", key=fresh["AWS_ACCESS_KEY_ID"], secret=fresh["AWS_SECRET_ACCESS_KEY"], token=fresh["AWS_SESSION_TOKEN"]).get_object(Bucket="fn-mine", Key="k")


# --- secrets ---
def test_a_function_sees_nothing_of_another(cloud, fn, role, name):
    secret, code = "env-" + uuid.uuid4().hex, "code-" + uuid.uuid4().hex
    create(fn, name, role, text="const mark = '%s'; exports.handler = async () => 1;" % code, Environment={"Variables": {"SECRET": secret}})
    assert body(fn.invoke(FunctionName=name)) == 1  # it is warm, and sits there
    spy = """const fs = require('fs'), path = require('path');
exports.handler = async (e) => {
  const found = []; let seen = 0;
  const look = (f) => { try { const t = fs.readFileSync(f, 'latin1'); seen++; for (const m of e.marks) if (t.includes(m)) found.push(f); } catch (x) {} };
  for (const p of fs.readdirSync('/proc')) if (/^[0-9]+$/.test(p)) for (const f of ['environ', 'cmdline', 'maps']) look('/proc/' + p + '/' + f);
  const walk = (d, n) => { let v = []; try { v = fs.readdirSync(d, {withFileTypes: true}); } catch (x) {}
    for (const f of v) { const p = path.join(d, f.name); if (f.isDirectory() && n) walk(p, n - 1); else if (f.isFile()) look(p); } };
  for (const d of ['/var/task/..', '/var/task', '/opt', '/tmp', '/run', '/home', '/root', e.data]) walk(d, 4);
  return {found, seen, data: fs.existsSync(e.data)};
};"""
    create(fn, name + "-spy", role, text=spy, Timeout=20, MemorySize=512)
    got = body(fn.invoke(FunctionName=name + "-spy", Payload=json.dumps({"marks": [secret, code], "data": str(cloud.data)})))
    fn.delete_function(FunctionName=name + "-spy")
    assert got["seen"] > 0 and got["found"] == [] and not got["data"], got


def test_environment_values_are_nowhere_in_clear(own_cloud):
    cloud = own_cloud
    fn = cloud.client("lambda")
    role = cloud.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    secrets = ["first" + uuid.uuid4().hex, "second" + uuid.uuid4().hex]
    create(fn, "sealed", role, text="exports.handler = async () => process.env.SECRET.length;", Environment={"Variables": {"SECRET": secrets[0]}})
    assert body(fn.invoke(FunctionName="sealed")) == len(secrets[0])
    fn.update_function_configuration(FunctionName="sealed", Environment={"Variables": {"SECRET": secrets[1]}})
    assert body(fn.invoke(FunctionName="sealed")) == len(secrets[1])
    fn.publish_version(FunctionName="sealed")
    trail = cli(cloud, "trail", "--json")
    assert "CreateFunction" in trail and "UpdateFunctionConfiguration" in trail

    def leaks():
        places = [("trail", trail.encode())]
        for top, _, names in os.walk(cloud.data):
            for n in names:
                p = os.path.join(top, n)
                if stat.S_ISREG(os.lstat(p).st_mode):
                    try:
                        places.append((p, pathlib.Path(p).read_bytes()))
                    except FileNotFoundError:
                        pass
        places.append(("log", pathlib.Path(str(cloud.data) + ".log").read_bytes()))
        return [(where, s) for where, data in places for s in secrets if s.encode() in data]
    assert leaks() == []
    assert cloud.stop() == 0
    assert leaks() == []
    cloud.start()
    assert cloud.client("lambda").get_function_configuration(FunctionName="sealed")["Environment"]["Variables"] == {"SECRET": secrets[1]}


def test_reading_a_configuration_does_not_open_its_key(cloud, fn, role, name):
    kms = cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    create(fn, name, role, Environment={"Variables": {"SECRET": "hush"}}, KMSKeyArn=key)
    c = as_user(cloud, allow("lambda:GetFunction*"))
    env = c.get_function_configuration(FunctionName=name)["Environment"]
    assert "Variables" not in env and env["Error"]["ErrorCode"] == DENIED
    assert "hush" not in json.dumps(c.get_function(FunctionName=name)["Configuration"], default=str)
    assert "kms:Encrypt" in refused("InvalidParameterValueException", as_user(cloud, allow("lambda:*")).update_function_configuration,
                                    FunctionName=name, Environment={"Variables": {"AB": "c"}}, KMSKeyArn=key)


# --- archives ---
def raw_zip(entries, tail=b""):
    """Archives as no honest tool writes them: (name, data, {field of the headers: value})."""
    out, directory = b"", b""
    for n, data, odd in entries:
        n = n if isinstance(n, bytes) else n.encode()
        crc = odd.get("crc", zlib.crc32(data))
        size, packed, flags, method = odd.get("size", len(data)), odd.get("packed", len(data)), odd.get("flags", 0), odd.get("method", 0)
        at = odd.get("at", len(out))
        inner = odd.get("inner", n)
        out += struct.pack("<4s5H3I2H", b"PK\3\4", 20, flags, method, 0, 0, crc, packed, size, len(inner), 0) + inner + data
        directory += struct.pack("<4s6H3I5H2I", b"PK\1\2", 3 << 8 | 20, 20, flags, method, 0, 0, crc, packed, size, len(n), 0, 0, 0, 0,
                                 odd.get("mode", 0o100644) << 16, at) + n
    return out + directory + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(entries), len(entries), len(directory), len(out), 0) + tail


def deflated(size):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        with z.open("index.js", "w", force_zip64=False) as f:
            for _ in range(size >> 20):
                f.write(bytes(1 << 20))
    return b.getvalue()


def lying_bomb():
    """Says that it is a kilobyte, and is eight megabytes."""
    z = bytearray(deflated(8 << 20))
    for sign, off in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        at = bytes(z).rfind(sign)
        z[at + off:at + off + 4] = struct.pack("<I", 1024)
    return bytes(z)


def overlapping():
    big = raw_zip([("a", b"x" * 1000, {})])
    assert big
    return raw_zip([("a", b"x" * 1000, {}), ("b", b"", {"at": 0, "size": 1000, "packed": 1000, "crc": zlib.crc32(b"x" * 1000)})])


LINK = {"mode": 0o120777}
ARCHIVES = {
    "folders": lambda: raw_zip([("%d/%sx" % (i, "d/" * 61), b"", {}) for i in range(1100)]),  # a few hundred KB of names, 68,200 inodes
    "up": lambda: raw_zip([("../evil.js", b"1", {})]),
    "up-inside": lambda: raw_zip([("a/../../evil.js", b"1", {})]),
    "up-and-back": lambda: raw_zip([("a/../index.js", b"1", {})]),
    "absolute": lambda: raw_zip([("/tmp/evil.js", b"1", {})]),
    "backslash": lambda: raw_zip([("..\\evil.js", b"1", {})]),
    "drive": lambda: raw_zip([("a//b", b"1", {})]),
    "nul": lambda: raw_zip([(b"index.js\0.txt", b"1", {})]),
    "no-name": lambda: raw_zip([("", b"1", {})]),
    "link-up": lambda: raw_zip([("l", b"../../../../etc/passwd", LINK)]),
    "link-absolute": lambda: raw_zip([("l", b"/etc/passwd", LINK)]),
    "link-then-through": lambda: raw_zip([("d", b"sub", LINK), ("d/evil.js", b"1", {})]),
    "link-deep": lambda: raw_zip([("a/b/l", b"../../../x", LINK)]),
    "link-chain": lambda: raw_zip([("a/b/c/f", b"1", {}), ("l", b"a/b/c", LINK), ("m", b"l/../../../../x", LINK)]),
    "device": lambda: raw_zip([("null", b"", {"mode": 0o020666})]),
    "fifo": lambda: raw_zip([("pipe", b"", {"mode": 0o010666})]),
    "twice": lambda: raw_zip([("index.js", b"1", {}), ("index.js", b"2", {})]),
    "file-and-folder": lambda: raw_zip([("a", b"1", {}), ("a/b", b"2", {})]),
    "two-names": lambda: raw_zip([("index.js", b"1", {"inner": b"other.js"})]),
    "says-less": lying_bomb,
    "says-more": lambda: raw_zip([("index.js", b"12345", {"size": 900, "packed": 5, "method": 8})]),
    "stored-lie": lambda: raw_zip([("index.js", b"12345", {"size": 5000})]),
    "past-the-end": lambda: raw_zip([("index.js", b"12345", {"size": 1 << 20, "packed": 1 << 20})]),
    "checksum": lambda: raw_zip([("index.js", b"12345", {"crc": 1})]),
    "encrypted": lambda: raw_zip([("index.js", b"12345", {"flags": 1})]),
    "method": lambda: raw_zip([("index.js", b"12345", {"method": 14})]),
    "zip64": lambda: raw_zip([("index.js", b"", {"size": 0xffffffff, "packed": 0xffffffff})]),
    "overlap": overlapping,
    "cut": lambda: make_zip({"index.js": ECHO * 50})[:-10],
    "head-cut": lambda: make_zip({"index.js": ECHO * 50})[20:],
    "more-behind": lambda: raw_zip([("index.js", b"1", {})], tail=b"rest"),
    "bomb": lambda: deflated(251 << 20),
    "deep": lambda: raw_zip([("a/" * 200 + "b", b"1", {})]),
    "long": lambda: raw_zip([("a" * 300, b"1", {})]),
}


def kept(cloud):
    """Every archive, and every folder that one was unpacked into."""
    top = cloud.data / "regions" / "us-east-1" / "lambda"
    assert (top / "objects").is_dir()
    return sorted(str(p) for p in top.rglob("*") if p.is_file() or p.parent == top / "code")


@pytest.mark.parametrize("what", sorted(ARCHIVES))
def test_an_archive_made_to_harm(cloud, fn, role, name, what):
    z = ARCHIVES[what]()
    before, size = kept(cloud), fn.get_account_settings()["AccountUsage"]
    with pytest.raises(ClientError) as e:
        create(fn, name, role, Code={"ZipFile": z})
    assert e.value.response["Error"]["Code"] == "InvalidParameterValueException", e.value
    message = e.value.response["Error"]["Message"]
    assert ("Unzipped size must be smaller" if what == "bomb" else "Could not unzip uploaded file") in message
    refused("ResourceNotFoundException", fn.get_function, FunctionName=name)
    assert kept(cloud) == before and fn.get_account_settings()["AccountUsage"] == size
    assert not pathlib.Path("/tmp/evil.js").exists()


def test_what_is_refused_harms_no_function(cloud, fn, role, name):
    sha = create(fn, name, role)["CodeSha256"]
    before = kept(cloud)
    for what in ("up", "says-less", "bomb", "cut"):
        refused("InvalidParameterValueException", fn.update_function_code, FunctionName=name, ZipFile=ARCHIVES[what]())
        refused("InvalidParameterValueException", fn.publish_layer_version, LayerName="bad-layer", Content={"ZipFile": ARCHIVES[what]()})
    assert fn.list_layer_versions(LayerName="bad-layer")["LayerVersions"] == []
    assert kept(cloud) == before and fn.get_function_configuration(FunctionName=name)["CodeSha256"] == sha
    assert body(fn.invoke(FunctionName=name, Payload=b"1")) == {"got": 1}
    # links that stay inside are what layers are made of, and work
    z = raw_zip([("real.js", b"exports.handler = async () => 'linked';", {}), ("index.js", b"real.js", LINK)])
    fn.update_function_code(FunctionName=name, ZipFile=z)
    assert body(fn.invoke(FunctionName=name)) == "linked"


def test_enforced_signatures_take_no_unsigned_code(cloud, fn, role, name):
    profile = "arn:aws:signer:us-east-1:%s:/signing-profiles/p/abcdefghij" % cloud.account
    csc = fn.create_code_signing_config(AllowedPublishers={"SigningProfileVersionArns": [profile]},
                                        CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"})["CodeSigningConfig"]["CodeSigningConfigArn"]
    before = kept(cloud)
    refused("CodeVerificationFailedException", lambda: create(fn, name, role, CodeSigningConfigArn=csc))
    refused("ResourceNotFoundException", fn.get_function, FunctionName=name)
    sha = create(fn, name, role)["CodeSha256"]
    fn.put_function_code_signing_config(FunctionName=name, CodeSigningConfigArn=csc)
    after = kept(cloud)
    refused("CodeVerificationFailedException", fn.update_function_code, FunctionName=name, ZipFile=make_zip({"index.js": "// unsigned"}))
    assert fn.get_function_configuration(FunctionName=name)["CodeSha256"] == sha and kept(cloud) == after and len(after) > len(before)
    # who may change code may not lift the rule
    c = as_user(cloud, allow(["lambda:UpdateFunctionCode", "lambda:GetFunction"]))
    refused(DENIED, c.delete_function_code_signing_config, FunctionName=name)
    refused(DENIED, c.update_code_signing_config, CodeSigningConfigArn=csc, CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Warn"})


# --- URLs ---
def test_urls_let_in_only_whom_the_policy_says(cloud, fn, role, name):
    create(fn, name, role)
    url = fn.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    assert ask(cloud, url)[0] == 403  # no policy
    fn.add_permission(FunctionName=name, StatementId="u", Action="lambda:InvokeFunctionUrl", Principal="*", FunctionUrlAuthType="NONE")
    assert ask(cloud, url)[0] == 403  # half of it
    fn.remove_permission(FunctionName=name, StatementId="u")
    permit(fn, name, "*", "AWS_IAM")  # for another kind of URL
    assert ask(cloud, url)[0] == 403
    fn.remove_permission(FunctionName=name, StatementId="u")
    fn.remove_permission(FunctionName=name, StatementId="i")
    permit(fn, name, "*", "NONE")
    assert ask(cloud, url)[0] == 200
    # opened to all by URL is not opened to all by Invoke
    refused(DENIED, as_user(cloud).invoke, FunctionName=name)
    fn.update_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    assert ask(cloud, url)[0] == 403
    wrong = cloud.user("u" + uuid.uuid4().hex[:12])
    assert ask(cloud, url, creds=dict(wrong, SecretAccessKey="A" * 40))[0] == 403
    assert ask(cloud, url, creds=wrong)[0] == 403
    other = url.replace(url.split("//")[1].split(".")[0], "a" * 32)
    assert ask(cloud, other)[0] == 403 and ask(cloud, other)[2] == ask(cloud, url)[2]  # one that is none looks the same
    fn.delete_function_url_config(FunctionName=name)
    assert ask(cloud, url, creds={"AccessKeyId": cloud.key, "SecretAccessKey": cloud.secret})[0] in (403, 404)


# --- limits ---
def test_limits(cloud, fn, role, name):
    create(fn, name, role, text="exports.handler = async (e) => JSON.stringify(e).length;", Timeout=20, MemorySize=512)
    fill = lambda n: b'"' + b"x" * (n - 2) + b'"'  # noqa: E731
    assert body(fn.invoke(FunctionName=name, Payload=fill(6291456))) == 6291456
    assert "must be smaller than 6291456 bytes" in refused("RequestTooLargeException", fn.invoke, FunctionName=name, Payload=fill(6291457))
    assert fn.invoke(FunctionName=name, InvocationType="Event", Payload=fill(1048576))["StatusCode"] == 202
    refused("RequestTooLargeException", fn.invoke, FunctionName=name, InvocationType="Event", Payload=fill(1048577))
    fn.update_function_code(FunctionName=name, ZipFile=make_zip({"index.js": "exports.handler = async () => 'x'.repeat(6300000);"}))
    r = fn.invoke(FunctionName=name)
    assert r["FunctionError"] == "Unhandled" and body(r)["errorType"] == "Function.ResponseSizeTooLarge"
    v = {"K%d" % i: "y" * 1000 for i in range(5)}
    m = refused("InvalidParameterValueException", fn.update_function_configuration, FunctionName=name, Environment={"Variables": v})
    assert "4KB" in m or "4096" in m
    assert "Environment" not in fn.get_function_configuration(FunctionName=name)


def test_throttles_hold_every_way_in(cloud, fn, role, name):
    create(fn, name, role, text="exports.handler = async () => { await new Promise(r => setTimeout(r, 1500)); return 1; };", Timeout=10)
    url = fn.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    permit(fn, name, "*", "NONE")
    fn.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    refused("TooManyRequestsException", fn.invoke, FunctionName=name)
    assert ask(cloud, url)[0] == 429
    fn.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: ask(cloud, url)[0], range(8)))
    assert sorted(got) == [200] + [429] * 7
    assert body(fn.invoke(FunctionName=name)) == 1  # what was throttled holds no place


# --- a cloud that goes away ---
def test_an_accepted_event_outlives_a_kill(own_cloud):
    cloud = own_cloud
    iam, fn = cloud.client("iam"), cloud.client("lambda")
    role = iam.create_role(RoleName="ev", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    cloud.client("s3").create_bucket(Bucket="did")
    iam.put_role_policy(RoleName="ev", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow("s3:PutObject")]}))
    create(fn, "once", role, Timeout=20, MemorySize=512, text="""const { S3Client, PutObjectCommand } = require('@aws-sdk/client-s3');
exports.handler = async (e) => { await new Promise(r => setTimeout(r, 1500)); await new S3Client({forcePathStyle: true}).send(new PutObjectCommand({Bucket: 'did', Key: e.n})); };""")
    want = sorted("n%d" % n for n in range(4))
    for n in want:
        assert fn.invoke(FunctionName="once", InvocationType="Event", Payload=json.dumps({"n": n}))["StatusCode"] == 202
    cloud.kill()
    assert cloud.start().client("s3").list_objects_v2(Bucket="did").get("Contents", []) == []  # none was through
    until(lambda: sorted(o["Key"] for o in cloud.client("s3").list_objects_v2(Bucket="did").get("Contents", [])) == want, 40)


LONG = "exports.handler = async () => { await new Promise(r => setTimeout(r, 60000)); return 1; };"


def begin_long(cloud, pool, count=3):
    fn = cloud.client("lambda", read_timeout=90)
    role = cloud.client("iam").create_role(RoleName="long", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    create(fn, "long", role, text=LONG, Timeout=80)
    url = fn.create_function_url_config(FunctionName="long", AuthType="NONE")["FunctionUrl"]
    permit(fn, "long", "*", "NONE")
    calls = [pool.submit(cloud.client("lambda", read_timeout=90).invoke, FunctionName="long") for _ in range(count)]
    visit = pool.submit(ask, cloud, url)
    fn.invoke(FunctionName="long", InvocationType="Event")
    time.sleep(2)
    assert not any(c.done() for c in calls + [visit])
    return fn, calls, visit


def ended_clearly(calls, visit, seconds):
    end = time.time() + seconds
    for c in calls:
        try:
            r = c.result(max(0.1, end - time.time()))
            assert r.get("FunctionError"), r  # its environment was ended below it
        except ClientError as e:
            assert e.response["ResponseMetadata"]["HTTPStatusCode"] >= 500, e
    assert visit.result(max(0.1, end - time.time()))[0] >= 500


def test_a_region_stops_below_an_invocation(own_cloud):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        fn, calls, visit = begin_long(own_cloud, pool)
        start = time.time()
        cli(own_cloud, "region", "stop", "us-east-1")
        assert time.time() - start < 8
        ended_clearly(calls, visit, 8)
        refused("ServiceUnavailable", fn.get_function, FunctionName="long")
        assert own_cloud.client("lambda", region="us-west-2").list_functions()["Functions"] == []  # the others go on
        cli(own_cloud, "region", "start", "us-east-1")
        fn.update_function_code(FunctionName="long", ZipFile=make_zip({"index.js": ECHO}))
        assert body(fn.invoke(FunctionName="long", Payload=b"1")) == {"got": 1}


def test_the_cloud_goes_down_below_an_invocation(own_cloud):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        _, calls, visit = begin_long(own_cloud, pool)
        start = time.time()
        assert own_cloud.stop() == 0
        assert time.time() - start < 8
        ended_clearly(calls, visit, 8)
    own_cloud.start()
    own_cloud.client("lambda").get_function(FunctionName="long")
