# SPDX-License-Identifier: Apache-2.0
"""The command `cloudkeep` on a cloud with something in it: regions, clock, trail, explain, export and import."""
import json
import os
import signal
import subprocess
import time

import pytest

from cli_tool import alive, binary, data, run, state, up, wait  # noqa: F401


class Here:
    """Clients of the cloud of a data directory."""

    def __init__(self, path):
        self.data = path
        root = json.loads((path / "root.json").read_text())
        self.account, self.key, self.secret = root["account"], root["access_key_id"], root["secret_access_key"]

    def client(self, service, region="us-east-1", key=None, secret=None):
        import boto3
        from botocore.config import Config
        return boto3.client(service, region_name=region, aws_access_key_id=key or self.key, aws_secret_access_key=secret or self.secret,
                            endpoint_url="https://localhost:%d" % state(self.data)["port"], verify=str(self.data / "tls" / "ca.pem"),
                            config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}))

    def user(self, name, *statements):
        iam = self.client("iam")
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="mine", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
        k = iam.create_access_key(UserName=name)["AccessKey"]
        return k["AccessKeyId"], k["SecretAccessKey"]


@pytest.fixture
def here(data):
    up(data)
    return Here(data)


def code(fn, **kw):
    from botocore.exceptions import ClientError
    with pytest.raises(ClientError) as e:
        fn(**kw)
    return e.value.response["Error"]["Code"]


# --- regions ---
def test_a_stopped_region_serves_nothing_and_loses_nothing(here, data):
    key = here.client("kms", "us-west-2").create_key()["KeyMetadata"]["KeyId"]
    run("region", "stop", "us-west-2", data=data, check=0)
    assert "stopped" in [line for line in run("status", data=data, check=0).stdout.splitlines() if "us-west-2" in line][0]
    assert "ServiceUnavailable" in code(here.client("kms", "us-west-2").list_keys)
    here.client("kms", "us-east-1").list_keys()
    run("region", "start", "us-west-2", data=data, check=0)
    assert [k["KeyId"] for k in here.client("kms", "us-west-2").list_keys()["Keys"]] == [key]
    st = json.loads(run("status", "--json", data=data, check=0).stdout)
    assert [r["resources"]["kms"]["keys"] for r in st["regions"] if r["name"] == "us-west-2"] == [1]
    assert "kms 1 keys" in run("status", data=data, check=0).stdout


def test_a_killed_cloud_keeps_what_it_acknowledged(here, data):
    key = here.client("kms").create_key()["KeyMetadata"]["KeyId"]
    os.kill(state(data)["supervisor"], signal.SIGKILL)
    up(data)
    assert here.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyId"] == key


# --- the clock ---
def test_the_clock_moves_forward_and_keys_rotate(here, data):
    kms = here.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"before")["CiphertextBlob"]
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    before = json.loads(run("clock", "--json", data=data, check=0).stdout)
    assert before["clock_offset_ms"] == 0
    p = run("clock", "+91d", data=data, check=0)
    assert "91 d 0 h 0 min ahead" in p.stdout
    assert json.loads(run("clock", "--json", data=data, check=0).stdout)["clock_offset_ms"] == 91 * 86400000
    wait(lambda: kms.list_key_rotations(KeyId=key)["Rotations"])  # clients go on without knowing of the shift
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"before"
    run("down", data=data, check=0)
    up(data)
    assert json.loads(run("clock", "--json", data=data, check=0).stdout)["clock_offset_ms"] == 91 * 86400000
    assert len(here.client("kms").list_key_rotations(KeyId=key)["Rotations"]) == 1


def test_the_clock_never_goes_back_nor_too_far(here, data):
    assert run("clock", "-1d", data=data).returncode == 2
    assert "only goes forward" in run("clock", "+101y", data=data, check=1).stderr
    run("clock", "+1h30m", data=data, check=0)
    assert json.loads(run("clock", "--json", data=data, check=0).stdout)["clock_offset_ms"] == 5400000
    run("down", data=data, check=0)
    (data / "clock.json").write_text("[]")
    assert "clock.json is damaged" in up(data, check=1).stderr
    (data / "clock.json").unlink()


# --- the trail ---
def test_trail_shows_who_was_denied_and_why(here, data):
    key = here.client("kms").create_key()["KeyMetadata"]["Arn"]
    k, s = here.user("mallory", {"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"}, {"Effect": "Allow", "Action": "kms:*", "Resource": "*"})
    mallory = here.client("kms", key=k, secret=s)
    sealed = here.client("kms").encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert code(mallory.decrypt, CiphertextBlob=sealed) == "AccessDeniedException"
    line = wait(lambda: [x for x in run("trail", "--denied", data=data, check=0).stdout.splitlines() if "kms:Decrypt" in x])[0]
    assert "user/mallory" in line and "DENIED" in line and key in line and "us-east-1" in line and "explicit deny" in line
    assert "[decided by inline policy mine of user mallory, statement 0]" in line or "decided by" in line
    p = run("trail", data=data, check=0)
    assert "iam:CreateUser" in p.stdout and "root" in p.stdout and len(p.stdout.splitlines()) > len(run("trail", "--denied", data=data).stdout.splitlines())
    assert run("trail", "--region", "eu-west-1", data=data, check=0).stdout == ""
    assert len(run("trail", "--last", "2", data=data, check=0).stdout.splitlines()) == 2
    records = [json.loads(x) for x in run("trail", "--json", "--denied", data=data, check=0).stdout.splitlines()]
    assert {r["eventName"] for r in records} == {"Decrypt"} and records[0]["userIdentity"]["userName"] == "mallory"
    run("down", data=data, check=0)
    assert "kms:Decrypt" in run("trail", "--denied", data=data, check=0).stdout  # files are enough


def test_trail_follows(here, data):
    p = subprocess.Popen([str(binary()), "trail", "--follow", "--data", str(data)], stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.3)
        here.client("ssm", "eu-west-1").put_parameter(Name="/a", Value="secret-value", Type="String")
        line = p.stdout.readline()
        while "ssm:PutParameter" not in line:
            line = p.stdout.readline()
        assert "eu-west-1" in line and " ok " in line + " "
    finally:
        p.terminate()
        p.wait(10)
        p.stdout.close()


def test_trail_shows_no_control_characters(here, data):
    assert code(here.client("iam").get_user, UserName="x\x1b[31mred") in ("ValidationError", "NoSuchEntity", "ValidationException")
    time.sleep(0.2)
    assert "\x1b" not in run("trail", data=data, check=0).stdout


# --- explain ---
def explain(data, who, action, resource, *more, check=None):
    p = run("explain", "--principal", who, "--action", action, "--resource", resource, "--json", *more, data=data, check=check)
    return json.loads(p.stdout)


def test_explain_identity_policies(here, data):
    here.user("ann", {"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"},
              {"Sid": "NoSecrets", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::data/secret/*"})
    ok = explain(data, "user/ann", "s3:GetObject", "arn:aws:s3:::data/a", check=0)
    assert ok["allowed"] and ok["decision"] == "allowed" and ok["layer"] == "identity-based policies" and ok["sid"] == "Read" and ok["statement"] == 0
    no = explain(data, "user/ann", "s3:PutObject", "arn:aws:s3:::data/a", check=1)
    assert not no["allowed"] and no["decision"] == "implicitly denied" and "no identity-based policy allows" in no["explanation"]
    deny = explain(data, "user/ann", "s3:GetObject", "arn:aws:s3:::data/secret/b", check=1)
    assert deny["decision"] == "explicitly denied" and deny["sid"] == "NoSecrets" and "explicit deny" in deny["explanation"]
    text = run("explain", "--principal", "user/ann", "--action", "s3:GetObject", "--resource", "arn:aws:s3:::data/secret/b", data=data, check=1).stdout
    assert text.startswith("denied: User: arn:aws:iam::%s:user/ann is not authorized to perform: s3:GetObject" % here.account) and "Sid NoSecrets" in text
    assert explain(data, "root", "s3:GetObject", "arn:aws:s3:::data/a", check=0)["layer"] == "root of the account"


def test_explain_agrees_with_the_call_itself(here, data):
    """A key policy that leaves IAM out: the identity policy alone does not help, whoever asks."""
    kms = here.client("kms")
    k, s = here.user("bob", {"Effect": "Allow", "Action": "kms:*", "Resource": "*"})
    me = "arn:aws:iam::%s:root" % here.account
    policy = {"Version": "2012-10-17", "Statement": [
        {"Sid": "OnlyRoot", "Effect": "Allow", "Principal": {"AWS": me}, "Action": "kms:*", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalType": "Account"}}},
        {"Sid": "BobMayDescribe", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::%s:user/bob" % here.account}, "Action": "kms:DescribeKey", "Resource": "*"}]}
    arn = kms.create_key(Policy=json.dumps(policy), BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]["Arn"]
    bob = here.client("kms", key=k, secret=s)
    bob.describe_key(KeyId=arn)
    yes = explain(data, "user/bob", "kms:DescribeKey", arn, check=0)
    assert yes["resource_found"] and yes["allowed"]
    assert code(bob.encrypt, KeyId=arn, Plaintext=b"x") == "AccessDeniedException"
    for action in ("kms:Encrypt", "kms:Decrypt", "kms:ScheduleKeyDeletion"):
        no = explain(data, "user/bob", action, arn, check=1)
        assert no["resource_found"] and not no["allowed"] and "resource-based policy" in no["explanation"]


def test_explain_conditions_and_roles(here, data):
    iam = here.client("iam")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName="app", PolicyName="office", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}]}))
    here.client("ssm").put_parameter(Name="p", Value="v", Type="String")
    arn = "arn:aws:ssm:us-east-1:%s:parameter/p" % here.account
    explain(data, "role/app", "ssm:GetParameter", arn, "--context", "aws:SourceIp=10.1.2.3", check=0)
    explain(data, "role/app", "ssm:GetParameter", arn, "--context", "aws:SourceIp=192.0.2.1", check=1)
    explain(data, "role/app", "ssm:GetParameter", arn, "--context", "AWS:sourceip=192.0.2.1", check=1)
    explain(data, "arn:aws:sts::%s:assumed-role/app/one" % here.account, "ssm:GetParameter", arn, "--context", "aws:SourceIp=10.1.2.3", check=0)
    assert "RoleLastUsed" not in iam.get_role(RoleName="app")["Role"] or not iam.get_role(RoleName="app")["Role"]["RoleLastUsed"]
    assert explain(data, "lambda.amazonaws.com", "sts:AssumeRole", "arn:aws:iam::%s:role/app" % here.account, check=0)["resource_found"]
    explain(data, "ec2.amazonaws.com", "sts:AssumeRole", "arn:aws:iam::%s:role/app" % here.account, check=1)


@pytest.mark.parametrize("args, said", [
    (["user/nobody", "s3:GetObject", "*"], "there is no principal"),
    (["arn:aws:iam::999999999999:user/x", "s3:GetObject", "*"], "there is no principal"),
    (["root", "GetObject", "*"], "is not an action"),
    (["root", "s3:*", "*"], "is not an action"),
    (["root", "teapot:Brew", "*"], "no service whose actions begin with teapot"),
    (["root", "s3:GetObject", "bucket"], "is not a resource"),
    (["nonsense", "s3:GetObject", "*"], "give an ARN"),
])
def test_explain_has_no_answer(args, said, here, data):
    p = run("explain", "--principal", args[0], "--action", args[1], "--resource", args[2], data=data, check=2)
    assert said in p.stderr


def test_explain_survives_every_action_of_every_service(here, data):
    """The resource hooks are asked with inputs that no client sends: nothing may fall over."""
    arns = ["*", "arn:aws:s3:::b/k", "arn:aws:kms:us-east-1:%s:key/12345678-1234-1234-1234-123456789012" % here.account,
            "arn:aws:iam::%s:user/none" % here.account, "arn:aws:ec2:us-east-1:%s:vpc/vpc-1" % here.account, "arn:aws:sts:::", "arn:aws:ssm:us-east-1:1:parameter/x",
            "arn:aws:cloudformation:us-east-1:%s:stack/s/1" % here.account, "arn:::::"]
    pid = state(data)["pid"]
    for service in ("s3", "kms", "iam", "ec2", "sts", "ssm", "cloudformation", "cloudtrail"):
        for action in ("Get", "Decrypt", "GetObject", "AssumeRole", "RunInstances", "CreateStack", "LookupEvents"):
            for arn in arns:
                p = run("explain", "--principal", "root", "--action", "%s:%s" % (service, action), "--resource", arn, data=data)
                assert p.returncode in (0, 1, 2) and "did not answer" not in p.stderr, (service, action, arn, p)
    assert state(data)["pid"] == pid


# --- export and import ---
def fill(here):
    key = here.client("kms").create_key()["KeyMetadata"]["KeyId"]
    sealed = here.client("kms").encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    here.client("ssm", "eu-west-1").put_parameter(Name="/x", Value="y" * 1000, Type="SecureString")
    k, s = here.user("eve", {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"})
    return key, sealed, k, s


def check_filled(there, what):
    key, sealed, k, s = what
    assert there.client("kms", key=k, secret=s).decrypt(CiphertextBlob=sealed)["Plaintext"] == b"kept"
    assert there.client("ssm", "eu-west-1").get_parameter(Name="/x", WithDecryption=True)["Parameter"]["Value"] == "y" * 1000


@pytest.mark.parametrize("running", [True, False])
def test_export_and_import(running, here, data, tmp_path):
    what = fill(here)
    s3 = here.client("s3")
    s3.create_bucket(Bucket="exported-bucket")
    body = os.urandom(300000)
    s3.put_object(Bucket="exported-bucket", Key="a/b", Body=body)
    run("region", "stop", "us-west-2", data=data, check=0)
    if not running:
        run("down", data=data, check=0)
    f = tmp_path / "cloud.export"
    p = run("export", f, data=data, check=0)
    assert "records" in p.stdout and oct(f.stat().st_mode & 0o777) == "0o600"
    assert "is there already" in run("export", f, data=data, check=1).stderr
    copy = tmp_path / "copy"
    try:
        assert "records" in run("import", f, "--data", copy, check=0).stdout
        assert oct(copy.stat().st_mode & 0o777) == "0o700" and oct((copy / "master.key").stat().st_mode & 0o777) == "0o600"
        assert not list(tmp_path.glob("*.importing")) and not (copy / "cloudkeep.json").exists()
        run("up", "--detach", "--listen", "127.0.0.1:0", "--data", copy, check=0)
        there = Here(copy)
        check_filled(there, what)
        assert there.client("s3").get_object(Bucket="exported-bucket", Key="a/b")["Body"].read() == body
        assert "kms:Encrypt" in run("trail", "--data", copy, check=0).stdout
        assert "us-west-2" not in [r["name"] for r in json.loads(run("region", "list", "--json", "--data", copy, check=0).stdout) if r["up"]]
        run("region", "start", "us-west-2", "--data", copy, check=0)
        assert "is not empty" in run("import", f, "--data", copy, check=1).stderr
    finally:
        run("down", "--data", copy)
    if running:
        assert not (data / "export.tmp").exists()
        check_filled(here, what)


def test_export_of_a_cloud_whose_functions_ran(here, data, tmp_path):
    """What is unpacked for functions is made again from their archives: no name in it keeps an export from being made."""
    import io
    import zipfile
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as z:
        z.writestr("index.py", "def handler(event, context):\n    return open('store/.kept/1/2/3/4/5/6/7/8/x').read()\n")
        z.writestr("store/.kept/1/2/3/4/5/6/7/8/x", "found")
        z.writestr(".hidden", "")
    iam, fn = here.client("iam"), here.client("lambda")
    trust = {"Statement": {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}}
    role = iam.create_role(RoleName="runs", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    fn.create_function(FunctionName="ran", Role=role, Runtime="python3.12", Handler="index.handler", Code={"ZipFile": packed.getvalue()})
    assert json.loads(fn.invoke(FunctionName="ran")["Payload"].read()) == "found"
    run("export", tmp_path / "running", data=data, check=0)
    run("down", data=data, check=0)
    run("export", tmp_path / "stopped", data=data, check=0)
    for name in ("running", "stopped"):
        copy = tmp_path / ("copy-" + name)
        run("import", tmp_path / name, "--data", copy, check=0)
        try:
            run("up", "--detach", "--listen", "127.0.0.1:0", "--data", copy, check=0)
            assert json.loads(Here(copy).client("lambda").invoke(FunctionName="ran")["Payload"].read()) == "found", name
        finally:
            run("down", "--data", copy)


def test_a_damaged_export_is_refused_and_leaves_nothing(here, data, tmp_path):
    fill(here)
    f = tmp_path / "x"
    run("export", f, data=data, check=0)
    whole = f.read_bytes()
    bad = {"empty": b"", "other": b"hello world, this is no export at all", "cut": whole[:-1], "half": whole[:len(whole) // 2], "longer": whole + b"x",
           "flipped": whole[:len(whole) // 3] + bytes([whole[len(whole) // 3] ^ 1]) + whole[len(whole) // 3 + 1:],
           "version": whole.replace(b"EXPORT 1", b"EXPORT 2", 1), "no end": whole[:-45]}
    for at in range(40, len(whole), len(whole) // 40):
        bad["at %d" % at] = whole[:at] + bytes([whole[at] ^ 0x80]) + whole[at + 1:]
    for name, content in bad.items():
        g = tmp_path / "bad"
        g.write_bytes(content)
        p = run("import", g, "--data", tmp_path / "new", check=1)
        assert "cannot be imported" in p.stderr, name
        assert not (tmp_path / "new").exists() and not (tmp_path / "new.importing").exists(), name
    assert run("import", tmp_path / "none", "--data", tmp_path / "new", check=1).stderr


def frame(kind, name, content):
    return kind + len(name).to_bytes(4, "big") + len(content).to_bytes(8, "big") + name + content


@pytest.mark.parametrize("path", [b"../evil", b"/etc/evil", b"tls/../../evil", b"tls//evil", b".evil", b"evil", b"global/store/data.mdb", b"tls/\0evil", b"", b"regions/.x/y",
                                  b"log", b"cloudkeep.json"])
def test_an_export_never_writes_outside(path, tmp_path):
    """The sum is right; the names are not."""
    import hashlib
    text = b"CLOUDKEEP EXPORT 1\n" + frame(b"H", b"", b'{"account":"123456789012"}') + frame(b"F", path, b"evil")
    f = tmp_path / "f"
    f.write_bytes(text + frame(b"E", b"", hashlib.sha256(text).digest()))
    assert "damaged" in run("import", f, "--data", tmp_path / "d", check=1).stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f"]


def test_export_while_it_writes_is_whole(here, data, tmp_path):
    """Parameters are written in pairs while exports run: an export never holds one without the other before it."""
    import threading
    stop, ssm = threading.Event(), here.client("ssm")

    def write():
        n = 0
        while not stop.is_set():
            ssm.put_parameter(Name="/n/%06d" % n, Value="v", Type="String")
            n += 1
    t = threading.Thread(target=write)
    t.start()
    try:
        wait(lambda: ssm.describe_parameters()["Parameters"])
        run("export", tmp_path / "f", data=data, check=0)
    finally:
        stop.set()
        t.join()
    copy = tmp_path / "copy"
    run("import", tmp_path / "f", "--data", copy, check=0)
    try:
        run("up", "--detach", "--listen", "127.0.0.1:0", "--data", copy, check=0)
        names = [p["Name"] for page in Here(copy).client("ssm").get_paginator("describe_parameters").paginate() for p in page["Parameters"]]
        assert names and sorted(names) == ["/n/%06d" % i for i in range(len(names))]
    finally:
        run("down", "--data", copy)
