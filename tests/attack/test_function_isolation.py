# SPDX-License-Identifier: Apache-2.0
"""A function of the cloud as the attacker: what it reaches, what it sees, what it may do with what it has. (What one
environment can do to another and to the machine is tried in tests/procd/test_isolation.py, nearer to the kernel.)"""
import io
import json
import os
import socket
import time
import zipfile

import pytest

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
CODE = """
import errno, os, socket, json
def err(f, *a):
    try:
        f(*a)
        return 'ok'
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))
def connect(ip, port):
    s = socket.socket()
    s.settimeout(2)
    s.connect((ip, port))
    s.close()
def handler(e, c):
    if 'connect' in e:
        return [err(connect, ip, port) for ip, port in e['connect']]
    if 'read' in e:
        return [err(open, p) for p in e['read']]
    if 'write' in e:
        return [err(open, p, 'w') for p in e['write']]
    import boto3
    from botocore.exceptions import ClientError
    out = []
    for service, call, args in e['aws']:
        try:
            r = getattr(boto3.client(service), call)(**args)
            out.append(r.get('Arn', 'ok'))
        except ClientError as x:
            out.append(x.response['Error']['Code'])
    return out
"""


def package(text, name="app.py"):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w") as z:
        info = zipfile.ZipInfo(name)
        info.external_attr = 0o644 << 16
        z.writestr(info, text)
    return b.getvalue()


@pytest.fixture(scope="module")
def function(cloud):
    iam, lam = cloud.client("iam"), cloud.client("lambda")
    role = iam.create_role(RoleName="isolated", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.put_role_policy(RoleName="isolated", PolicyName="p", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]}))
    for name in ("isolated", "other"):
        lam.create_function(FunctionName=name, Runtime="python3.12", Role=role, Handler="app.handler", Code={"ZipFile": package(CODE)}, Timeout=20,
                            MemorySize=256, Environment={"Variables": {"OWN": name}})
        lam.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})

    def invoke(event, name="isolated"):
        r = lam.invoke(FunctionName=name, Payload=json.dumps(event))
        payload = r["Payload"].read()
        assert "FunctionError" not in r, payload
        return json.loads(payload)
    try:
        invoke({"read": []})
    except lam.exceptions.ServiceException as e:
        pytest.skip("functions do not run here: %s" % e)
    return invoke


def test_reaches_the_cloud_and_nothing_else(cloud, function):
    host = socket.create_server(("127.0.0.1", 0))
    got = function({"connect": [["127.0.0.1", 443], ["127.0.0.1", cloud.port], ["127.0.0.1", host.getsockname()[1]], ["127.0.0.1", 22],
                                ["192.0.2.1", 80], ["169.254.169.254", 80], ["8.8.8.8", 53]]})
    host.close()
    assert got == ["ok", "ok", "ECONNREFUSED", "ECONNREFUSED", "ENETUNREACH", "ENETUNREACH", "ENETUNREACH"]


def test_sees_nothing_of_the_clouds_data(cloud, function):
    data = str(cloud.data)
    paths = [data, data + "/master.key", data + "/root.json", data + "/admin.sock", data + "/tls/ca-key.pem", data + "/functions", "/proc/1/environ", "/proc/1/root/etc/shadow",
             "/etc/shadow", "/root/.ssh/id_rsa", "/sys/kernel/security"]
    assert set(function({"read": paths})) <= {"ENOENT", "EACCES", "EPERM"}
    assert function({"write": ["/var/task/app.py", "/var/task/x", "/etc/passwd", "/x", "/var/runtime/bootstrap.py", "/usr/bin/python3"]}) and \
        set(function({"write": ["/var/task/app.py", "/var/task/x", "/etc/passwd", "/x", "/var/runtime/bootstrap.py"]})) <= {"EROFS", "EACCES"}
    assert function({"write": ["/tmp/x"]}) == ["ok"]


def test_has_its_roles_rights_and_no_more(cloud, function):
    if not os.path.isdir(os.path.join(os.path.dirname(__file__), "../../runtimes/python/site")):
        pytest.skip("runtimes/ is not set up (scripts/setup --runtimes)")
    who, ok, *denied = function({"aws": [["sts", "get_caller_identity", {}], ["s3", "list_buckets", {}], ["s3", "create_bucket", {"Bucket": "stolen"}],
                                         ["iam", "list_users", {}], ["lambda", "list_functions", {}], ["sts", "assume_role", {"RoleArn": "arn:aws:iam::%s:role/isolated" % cloud.account, "RoleSessionName": "again"}]]})
    assert ":assumed-role/isolated/" in who and ok == "ok"
    assert all("AccessDenied" in d for d in denied), denied


def test_kill_9_and_again(own_cloud):
    """After a crash in mid-invocation nothing of the function is left, and the next start runs it again."""
    iam, lam = own_cloud.client("iam"), own_cloud.client("lambda")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    mark = "mark-%d-%d" % (os.getpid(), int(time.time()))
    lam.create_function(FunctionName="f", Runtime="python3.12", Role=role, Handler="app.handler", Timeout=60, MemorySize=256, Environment={"Variables": {"MARK": mark}},
                        Code={"ZipFile": package("import time\ndef handler(e, c):\n    time.sleep(e)\n    return 'ran'\n")})
    lam.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})

    def alive():
        n = 0
        for p in os.listdir("/proc"):
            try:
                with open("/proc/%s/environ" % p, "rb") as f:
                    n += mark.encode() in f.read()
            except OSError:
                continue
        return n
    assert json.loads(lam.invoke(FunctionName="f", Payload="0")["Payload"].read()) == "ran"
    if alive() == 0 and os.geteuid() != 0:
        pytest.skip("the environment's processes cannot be seen by this user")
    assert alive() > 0
    own_cloud.kill()
    end = time.time() + 10
    while alive() and time.time() < end:
        time.sleep(0.05)
    assert alive() == 0
    own_cloud.start()
    assert json.loads(own_cloud.client("lambda").invoke(FunctionName="f", Payload="0")["Payload"].read()) == "ran"
