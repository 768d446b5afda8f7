# SPDX-License-Identifier: Apache-2.0
"""What functions write, in CloudWatch Logs: lines in order with Lambda's own around them, formats and levels, groups, rights, floods."""
import json
import re
import time

import pytest
from botocore.exceptions import ClientError
from test_lambda import TRUST, create, fn, make_zip, name  # noqa: F401 (fixtures)

LOGS = {"Effect": "Allow", "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}


def new_role(cloud, name, *statements):
    iam = cloud.client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
    return arn


@pytest.fixture(scope="module")
def role(cloud):
    return new_role(cloud, "fn-logs", LOGS)


def events(logs, group, last="REPORT", n=1, seconds=20):
    """All events of a group in order, once n of them have the text last."""
    end, got = time.time() + seconds, []
    while time.time() < end:
        try:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
            got = [e for p in pages for e in p["events"]]
        except ClientError as e:
            assert e.response["Error"]["Code"] == "ResourceNotFoundException"
        if sum(last in e["message"] for e in got) >= n:
            return got
        time.sleep(0.1)
    pytest.fail("no %r in %s: %s" % (last, group, got[-5:]))


def texts(*a, **kw):
    return [e["message"] for e in events(*a, **kw)]


def test_lines_of_node(fn, logs, role, name):
    create(fn, name, role, text="console.log('starting'); exports.handler = async (e) => { for (let i = 0; i < 5; i++) console.log('line', i, e.a); console.error('two\\nlines'); };")
    rid = fn.invoke(FunctionName=name, Payload=b'{"a": "first"}')["ResponseMetadata"]["RequestId"]
    got = events(logs, "/aws/lambda/" + name)
    m = [e["message"] for e in got]
    assert m[0].startswith("INIT_START Runtime Version: nodejs:20\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:")
    assert "starting" in m[1]
    assert m[2] == "START RequestId: %s Version: $LATEST\n" % rid
    for i in range(5):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z\t%s\tINFO\tline %d first\n" % (rid, i), m[3 + i])
    assert m[8].endswith("\t%s\tERROR\ttwo\nlines\n" % rid)  # one event
    assert m[9] == "END RequestId: %s\n" % rid
    assert re.fullmatch(r"REPORT RequestId: %s\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t\n" % rid, m[10])
    assert len(m) == 11
    stream = got[0]["logStreamName"]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream) and {e["logStreamName"] for e in got} == {stream}
    fn.invoke(FunctionName=name, Payload=b'{"a": "second"}')
    again = texts(logs, "/aws/lambda/" + name, n=2)[11:]
    assert again[0].startswith("START") and "line 0 second" in again[1] and "Init Duration" not in again[-1] and len(again) == 9  # warm


def test_stream_is_the_one_the_function_is_told(fn, logs, role, name):
    create(fn, name, role, Runtime="python3.11", Handler="a.run", Code={"ZipFile": make_zip(
        {"a.py": "import os\nimport logging\ndef run(e, c):\n    print('printed')\n    logging.getLogger().warning('warned')\n    return [os.environ['AWS_LAMBDA_LOG_GROUP_NAME'], os.environ['AWS_LAMBDA_LOG_STREAM_NAME'], c.log_stream_name]\n"})})
    r = fn.invoke(FunctionName=name)
    group, stream, told = json.load(r["Payload"])
    assert group == "/aws/lambda/" + name and told == stream
    events(logs, group)
    m = [e["message"] for e in logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]]
    assert m[2] == "printed\n" and re.fullmatch(r"\[WARNING\]\t\S+Z\t%s\twarned\n" % r["ResponseMetadata"]["RequestId"], m[3])


def test_json_and_levels(fn, logs, role, name):
    text = "exports.handler = async () => { console.debug('small'); console.info('plain'); console.warn('big'); };"
    create(fn, name, role, text=text, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "LogGroup": "/own/group"})
    rid = fn.invoke(FunctionName=name)["ResponseMetadata"]["RequestId"]
    m = [json.loads(t) for t in texts(logs, "/own/group", "platform.report")]
    assert [x.get("type") or x["message"] for x in m] == ["platform.initStart", "platform.start", "big", "platform.report"]
    assert (m[2]["level"], m[2]["requestId"]) == ("WARN", rid) and m[1]["record"] == {"requestId": rid, "version": "$LATEST"}
    r = m[3]["record"]
    assert r["requestId"] == rid and r["status"] == "success" and r["metrics"]["memorySizeMB"] == 128 and r["metrics"]["initDurationMs"] > 0
    fn.update_function_configuration(FunctionName=name, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "WARN", "LogGroup": "/own/quiet"})
    fn.invoke(FunctionName=name)
    m = [json.loads(t) for t in texts(logs, "/own/quiet", "big")]
    time.sleep(0.5)
    assert [json.loads(t).get("message") for t in texts(logs, "/own/quiet", "big")] == ["plain", "big"] and len(m) == 2


def test_what_failed_is_said(fn, logs, role, name):
    create(fn, name, role, text="exports.handler = async (e) => { if (e.exit) process.exit(3); for (;;); };", Timeout=1)
    fn.invoke(FunctionName=name)
    m = texts(logs, "/aws/lambda/" + name)
    assert any(t.endswith("Task timed out after 1.00 seconds\n\n") for t in m) and m[-1].endswith("\tStatus: timeout\t\n")
    fn.invoke(FunctionName=name, Payload=b'{"exit": true}')
    m = texts(logs, "/aws/lambda/" + name, n=2)
    assert any("Runtime exited with error: exit status 3\nRuntime.ExitError" in t for t in m)
    assert any("Status: error\tError Type: Runtime.ExitError" in t for t in m)


def test_role_without_rights_writes_nothing(cloud, fn, logs, name):
    poor = new_role(cloud, "fn-poor")
    create(fn, name, poor, text="exports.handler = async () => console.log('unseen');")
    assert fn.invoke(FunctionName=name)["StatusCode"] == 200
    time.sleep(1)
    assert not logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/" + name)["logGroups"]
    partly = new_role(cloud, "fn-partly", dict(LOGS, Action=["logs:CreateLogStream", "logs:PutLogEvents"]))  # may not make the group
    fn.update_function_configuration(FunctionName=name, Role=partly)
    fn.invoke(FunctionName=name)
    time.sleep(1)
    assert not logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/" + name)["logGroups"]
    logs.create_log_group(logGroupName="/aws/lambda/" + name)
    time.sleep(0.5)
    fn.invoke(FunctionName=name)
    assert any("unseen" in t for t in texts(logs, "/aws/lambda/" + name))


def test_sealed_group(cloud, fn, logs, role, name):
    kms, group = cloud.client("kms"), "/sealed/" + name
    key = kms.create_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::%s:root" % cloud.account}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"Service": "logs.us-east-1.amazonaws.com"}, "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"], "Resource": "*",
         "Condition": {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:us-east-1:%s:log-group:%s" % (cloud.account, group)}}}]}))["KeyMetadata"]["Arn"]
    logs.create_log_group(logGroupName=group, kmsKeyId=key)
    create(fn, name, role, text="exports.handler = async () => console.log('hushed');", LoggingConfig={"LogGroup": group})
    fn.invoke(FunctionName=name)
    assert any("hushed" in t for t in texts(logs, group))


def test_group_deleted_under_a_warm_function(fn, logs, role, name):
    create(fn, name, role, text="exports.handler = async (e) => console.log('n' + e.n);")
    fn.invoke(FunctionName=name, Payload=b'{"n": 1}')
    events(logs, "/aws/lambda/" + name)
    logs.delete_log_group(logGroupName="/aws/lambda/" + name)
    fn.invoke(FunctionName=name, Payload=b'{"n": 2}')
    m = texts(logs, "/aws/lambda/" + name)
    assert any("\tn2\n" in t for t in m) and not any("\tn1\n" in t for t in m)


def test_flood_is_bounded_and_counted(fn, logs, role, name):
    create(fn, name, role, Runtime="python3.11", Handler="a.run", Timeout=30, Code={"ZipFile": make_zip(
        {"a.py": "import sys\ndef run(e, c):\n    for i in range(e['n']):\n        sys.stdout.write('%08d ' % i + 'x' * 1000 + '\\n')\n    print('the end')\n"})})
    n = 20000  # 20 MB: several times what waits at most
    r = fn.invoke(FunctionName=name, Payload=json.dumps({"n": n}).encode())
    assert "FunctionError" not in r
    m = texts(logs, "/aws/lambda/" + name, seconds=40)
    lines = [int(t[:8]) for t in m if t[8:10] == " x"]
    lost = sum(int(t.split()[2]) for t in m if t.startswith("LOGS_DROPPED"))
    own = [t for t in m if t.startswith(("INIT_START", "START"))]
    assert lines == sorted(lines) and "the end\n" in m
    assert len(lines) + lost + len(own) == n + 2  # each line is there, or counted
