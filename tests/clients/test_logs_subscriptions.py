# SPDX-License-Identifier: Apache-2.0
"""Subscription filters: whose function they may feed, and what reaches it."""
import base64
import gzip
import io
import json
import pathlib
import time
import zipfile

import pytest
from botocore.exceptions import ClientError

from refusals import refused
from stack_lib import create as create_stack, delete as delete_stack, template

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
PRINT = "exports.handler = async (event) => { console.log('GOT ' + JSON.stringify(event)); };\n"


def now():
    return int(time.time() * 1000)


def make_zip(text):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w") as z:
        z.writestr("index.js", text)
    return b.getvalue()


@pytest.fixture(scope="module")
def fn(cloud):
    """A function that prints what it is given, and that the Logs service may invoke for groups below /sub."""
    iam, lam = cloud.client("iam"), cloud.client("lambda")
    role = iam.create_role(RoleName="fn", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.put_role_policy(RoleName="fn", PolicyName="logs", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}}))
    arn = lam.create_function(FunctionName="taker", Role=role, Runtime="nodejs20.x", Handler="index.handler", Code={"ZipFile": make_zip(PRINT)})["FunctionArn"]
    lam.get_waiter("function_active_v2").wait(FunctionName="taker")
    lam.add_permission(FunctionName="taker", StatementId="logs", Action="lambda:InvokeFunction", Principal="logs.amazonaws.com",
                       SourceArn="arn:aws:logs:us-east-1:%s:log-group:/sub/*:*" % cloud.account, SourceAccount=cloud.account)
    return arn


def group(logs, name):
    logs.create_log_group(logGroupName=name)
    for s in ("a", "b"):
        logs.create_log_stream(logGroupName=name, logStreamName=s)
    return name


def test_only_a_function_that_allows_it(cloud, logs, fn):
    g, other = group(logs, "/sub/one"), group(logs, "/elsewhere")
    kw = {"filterName": "f", "filterPattern": "ERROR", "destinationArn": fn}
    m = refused("InvalidParameterException", logs.put_subscription_filter, logGroupName=other, **kw)
    assert m == "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function."
    refused("InvalidParameterException", logs.put_subscription_filter, logGroupName=g, **dict(kw, destinationArn=fn + "-none"))
    for bad in ("arn:aws:kinesis:us-east-1:%s:stream/s" % cloud.account, "nothing", fn.replace("us-east-1", "eu-west-1"), fn.replace(cloud.account, "999999999999")):
        refused("InvalidParameterException", logs.put_subscription_filter, logGroupName=g, **dict(kw, destinationArn=bad))
    refused("InvalidParameterException", logs.put_subscription_filter, logGroupName=g, **dict(kw, filterPattern="{ $.a"))
    refused("InvalidParameterException", logs.put_subscription_filter, logGroupName=g, roleArn="arn:aws:iam::%s:role/fn" % cloud.account, **kw)
    refused("ResourceNotFoundException", logs.put_subscription_filter, logGroupName="/sub/none", **kw)
    logs.put_subscription_filter(logGroupName=g, **kw)
    logs.put_subscription_filter(logGroupName=g, **dict(kw, filterName="a", filterPattern=""))
    refused("LimitExceededException", logs.put_subscription_filter, logGroupName=g, **dict(kw, filterName="third"))
    logs.put_subscription_filter(logGroupName=g, **dict(kw, filterPattern="WARN"))
    got = logs.describe_subscription_filters(logGroupName=g)["subscriptionFilters"]
    assert [(f["filterName"], f["filterPattern"], f["destinationArn"], f["distribution"]) for f in got] == [
        ("a", "", fn, "ByLogStream"), ("f", "WARN", fn, "ByLogStream")]
    page = logs.describe_subscription_filters(logGroupName=g, limit=1)
    assert [f["filterName"] for f in logs.describe_subscription_filters(logGroupName=g, nextToken=page["nextToken"])["subscriptionFilters"]] == ["f"]
    assert logs.describe_subscription_filters(logGroupName=g, filterNamePrefix="f")["subscriptionFilters"][0]["filterName"] == "f"
    logs.delete_subscription_filter(logGroupName=g, filterName="a")
    refused("ResourceNotFoundException", logs.delete_subscription_filter, logGroupName=g, filterName="a")
    logs.create_log_group(logGroupName="/sub/rare", logGroupClass="INFREQUENT_ACCESS")
    refused("InvalidOperationException", logs.put_subscription_filter, logGroupName="/sub/rare", **kw)


def delivered(logs, n, seconds=40):
    """The messages that the function printed, decoded, once there are events for n."""
    end = time.time() + seconds
    while True:
        out = []
        try:
            for e in logs.filter_log_events(logGroupName="/aws/lambda/taker", filterPattern="GOT")["events"]:
                data = json.loads(e["message"][e["message"].index("GOT ") + 4:])["awslogs"]["data"]
                message = json.loads(gzip.decompress(base64.b64decode(data)))
                if message["logEvents"]:
                    out.append(message)
        except ClientError as e:
            assert e.response["Error"]["Code"] == "ResourceNotFoundException"
        if sum(len(m["logEvents"]) for m in out) >= n or time.time() > end:
            return out
        time.sleep(0.1)


def invoked(cloud, principal):
    """Asynchronous invocations that the Logs service made, as the trail has them: their errors."""
    out = []
    for f in pathlib.Path(cloud.data).glob("regions/us-east-1/trail/*"):
        for line in f.read_text().splitlines():
            e = json.loads(line)
            if e["eventName"] == "Invoke" and e["userIdentity"].get("invokedBy") == principal and "\"Event\"" in line:
                out.append(e.get("errorCode"))
    return out


def test_what_matches_is_sent_after_it_is_durable(cloud, logs, fn):
    g = group(logs, "/sub/three")
    logs.put_subscription_filter(logGroupName=g, filterName="errors", filterPattern="ERROR", destinationArn=fn)
    before = len(invoked(cloud, "logs.amazonaws.com"))
    logs.put_log_events(logGroupName=g, logStreamName="a", logEvents=[{"timestamp": now(), "message": "INFO only"}])
    time.sleep(1)
    assert len(invoked(cloud, "logs.amazonaws.com")) == before
    logs.put_log_events(logGroupName=g, logStreamName="a", logEvents=[{"timestamp": now(), "message": "an ERROR"}])
    end = time.time() + 10
    while len(invoked(cloud, "logs.amazonaws.com")) == before and time.time() < end:
        time.sleep(0.1)
    assert len(invoked(cloud, "logs.amazonaws.com")) > before
    logs.delete_log_group(logGroupName=g)


def test_what_matches_reaches_the_function(cloud, logs, fn):
    lam = cloud.client("lambda")
    empty = json.dumps({"awslogs": {"data": base64.b64encode(gzip.compress(b'{"logEvents":[]}')).decode()}})
    lam.invoke(FunctionName="taker", InvocationType="Event", Payload=empty)
    end = time.time() + 10
    while not logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/taker")["logGroups"]:
        assert time.time() < end, "the function writes no log"
        time.sleep(0.1)
    g = group(logs, "/sub/two")
    logs.put_subscription_filter(logGroupName=g, filterName="errors", filterPattern="ERROR", destinationArn=fn)
    t = now()
    for s in ("a", "b"):
        logs.put_log_events(logGroupName=g, logStreamName=s, logEvents=[{"timestamp": t + i, "message": "%s %d %s" % ("ERROR" if i % 2 else "INFO", i, s)} for i in range(10)])
    got = [m for m in delivered(logs, 10) if m["logGroup"] == g]
    assert {(m["messageType"], m["owner"], m["logGroup"], tuple(m["subscriptionFilters"])) for m in got} == {("DATA_MESSAGE", cloud.account, g, ("errors",))}
    for s in ("a", "b"):
        events = [e for m in got if m["logStream"] == s for e in m["logEvents"]]
        assert [(e["timestamp"], e["message"]) for e in events] == [(t + i, "ERROR %d %s" % (i, s)) for i in range(1, 10, 2)]
    ids = {e["eventId"] for e in logs.filter_log_events(logGroupName=g, filterPattern="ERROR")["events"]}
    assert {e["id"] for m in got for e in m["logEvents"]} == ids


def test_template(cloud, logs, fn):
    cf = cloud.client("cloudformation")
    body = template({"G": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/sub/stack"}},
                     "F": {"Type": "AWS::Logs::SubscriptionFilter", "Properties": {"LogGroupName": {"Ref": "G"}, "FilterPattern": "x", "DestinationArn": fn}}},
                    Outputs={"F": {"Value": {"Ref": "F"}}})
    s = create_stack(cf, "sub", body)
    assert [f["filterName"] for f in logs.describe_subscription_filters(logGroupName="/sub/stack")["subscriptionFilters"]] == [s["Outputs"][0]["OutputValue"]]
    delete_stack(cf, "sub")
    refused("ResourceNotFoundException", logs.describe_subscription_filters, logGroupName="/sub/stack")
