# SPDX-License-Identifier: Apache-2.0
"""Searching log groups: patterns, streams, time, pages; trying patterns; resource policies. The pattern language itself is
tested in tests/unit/svc/logs."""
import json
import os
import pathlib
import random
import subprocess
import time

import pytest

from refusals import refused


def binary():
    return pathlib.Path(os.environ.get("CLOUDKEEP_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build")) / "src/cli/cloudkeep"


def now():
    return int(time.time() * 1000)


def everything(logs, **kw):
    out = []
    while True:
        r = logs.filter_log_events(**kw)
        out.append(r["events"])
        if "nextToken" not in r:
            return out
        kw["nextToken"] = r["nextToken"]


@pytest.fixture(scope="module")
def app(logs):
    """Three streams whose events lie between each other."""
    logs.create_log_group(logGroupName="/app")
    t = now() - 3600000
    events = {}
    rnd = random.Random(7)
    for s in ("web/1", "web/2", "db/1"):
        logs.create_log_stream(logGroupName="/app", logStreamName=s)
        times = sorted(rnd.randrange(0, 600000) for _ in range(300))
        events[s] = [(t + x, json.dumps({"level": rnd.choice(["INFO", "ERROR"]), "n": i, "stream": s})) for i, x in enumerate(times)]
        for i in range(0, 300, 50):
            logs.put_log_events(logGroupName="/app", logStreamName=s, logEvents=[{"timestamp": a, "message": m} for a, m in events[s][i:i + 50]])
    return t, events


def test_all_streams_interleave(logs, app):
    t, events = app
    want = sorted(a for s in events.values() for a, _ in s)
    for limit in (10000, 77):
        pages = everything(logs, logGroupName="/app", limit=limit)
        got = [e for p in pages for e in p]
        assert [e["timestamp"] for e in got] == want and all(len(p) <= limit for p in pages)
        assert len({e["eventId"] for e in got}) == 900 and all(len(e["eventId"]) == 56 for e in got)
        for s in events:
            assert [(e["timestamp"], e["message"]) for e in got if e["logStreamName"] == s] == events[s]
    newest = [e["timestamp"] for p in everything(logs, logGroupName="/app", limit=100, startFromHead=False) for e in p]
    assert newest == want[::-1]
    assert logs.filter_log_events(logGroupName="/app", limit=1)["searchedLogStreams"] == []


def test_patterns_streams_and_times(logs, app):
    t, events = app
    flat = sorted((a, s, m) for s, l in events.items() for a, m in l)
    errors = [a for a, s, m in flat if '"ERROR"' in m]
    for pattern in ("ERROR", '{ $.level = "ERROR" }', "%ERR.R%", "-INFO"):
        for limit in (10000, 13):
            got = [e["timestamp"] for p in everything(logs, logGroupName="/app", filterPattern=pattern, limit=limit) for e in p]
            assert got == errors, pattern
    got = [e for p in everything(logs, logGroupName="/app", filterPattern="{ $.n >= 100 && $.n < 103 }", logStreamNamePrefix="web/") for e in p]
    assert sorted((json.loads(e["message"])["n"], e["logStreamName"]) for e in got) == sorted((n, s) for n in (100, 101, 102) for s in ("web/1", "web/2"))
    got = [e for p in everything(logs, logGroupName="/app", logStreamNames=["db/1", "web/2", "db/1"], limit=50) for e in p]
    assert len(got) == 600 and {e["logStreamName"] for e in got} == {"db/1", "web/2"}
    low, high = flat[200][0], flat[400][0]
    got = [e["timestamp"] for p in everything(logs, logGroupName="/app", startTime=low, endTime=high) for e in p]
    assert got == [a for a, _, _ in flat if low <= a <= high]
    assert everything(logs, logGroupName="/app", filterPattern="nowhere-at-all".replace("-", "_")) == [[]]


def test_search_is_refused(logs, app):
    for kw in ({"filterPattern": "{ $.a = "}, {"filterPattern": "a:b"}, {"nextToken": "x"}, {"unmask": True}, {"limit": 10001},
               {"logStreamNames": ["web/1"], "logStreamNamePrefix": "w"}, {"startFromHead": False, "startTime": 1}):
        refused("InvalidParameterException", logs.filter_log_events, logGroupName="/app", **kw)
    refused("ResourceNotFoundException", logs.filter_log_events, logGroupName="/none")
    refused("ResourceNotFoundException", logs.filter_log_events, logGroupName="/app", logStreamNames=["none"])
    refused("InvalidParameterException", logs.filter_log_events)
    refused("InvalidParameterException", logs.filter_log_events, logGroupName="/app", logGroupIdentifier="/app")


def test_metric_filter_trial(logs):
    r = logs.test_metric_filter(filterPattern="[ip, identity, user_id, timestamp, request, status_code, size]", logEventMessages=[
        '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /apache_pb.gif HTTP/1.0" 200 1534',
        '127.0.0.1 - frank [10/Oct/2000:13:35:22 -0700] "GET /apache_pb.gif HTTP/1.0" 500 5324', "no"])
    assert [m["eventNumber"] for m in r["matches"]] == [1, 2]
    assert r["matches"][0]["extractedValues"] == {"$ip": "127.0.0.1", "$identity": "-", "$user_id": "frank", "$timestamp": "10/Oct/2000:13:25:15 -0700",
                                                  "$request": "GET /apache_pb.gif HTTP/1.0", "$status_code": "200", "$size": "1534"}
    r = logs.test_metric_filter(filterPattern="{ $.a = 1* }", logEventMessages=['{"a":12}', '{"a":2}'])
    assert [(m["eventMessage"], m["extractedValues"]) for m in r["matches"]] == [('{"a":12}', {"$.a": "12"})]
    refused("InvalidParameterException", logs.test_metric_filter, filterPattern="[a", logEventMessages=["x"])


def test_what_nothing_acts_on_is_refused_by_name(logs):
    m = refused("NotImplemented", logs.put_metric_filter, logGroupName="/app", filterName="f", filterPattern="x",
                metricTransformations=[{"metricName": "m", "metricNamespace": "n", "metricValue": "1"}])
    assert "PutMetricFilter" in m
    assert "StartQuery" in refused("NotImplemented", logs.start_query, logGroupName="/app", startTime=0, endTime=1, queryString="fields @message")


def policy(action="logs:PutLogEvents", service="delivery.logs.amazonaws.com"):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": "A", "Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": "*"}]})


def test_resource_policies(cloud, logs, app):
    for i in range(10):
        r = logs.put_resource_policy(policyName="p%d" % i, policyDocument=policy())["resourcePolicy"]
        assert (r["policyName"], r["policyScope"], r["policyDocument"]) == ("p%d" % i, "ACCOUNT", policy())
    refused("LimitExceededException", logs.put_resource_policy, policyName="p10", policyDocument=policy())
    logs.put_resource_policy(policyName="p3", policyDocument=policy("logs:CreateLogStream"))
    got = [p for page in logs.get_paginator("describe_resource_policies").paginate(PaginationConfig={"PageSize": 3}) for p in page["resourcePolicies"]]
    assert [p["policyName"] for p in got] == ["p%d" % i for i in range(10)] and got[3]["policyDocument"] == policy("logs:CreateLogStream")
    refused("InvalidParameterException", logs.put_resource_policy, policyName="p1", policyDocument="{}")
    refused("LimitExceededException", logs.put_resource_policy, policyName="p1", policyDocument=policy() + " " * 6000)
    for i in range(10):
        logs.delete_resource_policy(policyName="p%d" % i)
    refused("ResourceNotFoundException", logs.delete_resource_policy, policyName="p0")
    arn = "arn:aws:logs:us-east-1:%s:log-group:/app" % cloud.account
    r = logs.put_resource_policy(policyName="g", policyDocument=policy(), resourceArn=arn)
    assert r["resourcePolicy"]["resourceArn"] == arn and r["resourcePolicy"]["policyScope"] == "RESOURCE"
    refused("OperationAbortedException", logs.put_resource_policy, policyName="g", policyDocument=policy(), resourceArn=arn)
    r = logs.put_resource_policy(policyName="g", policyDocument=policy(), resourceArn=arn, expectedRevisionId=r["revisionId"])
    assert logs.describe_resource_policies(resourceArn=arn)["resourcePolicies"][0]["revisionId"] == r["revisionId"]
    assert logs.describe_resource_policies()["resourcePolicies"] == []
    logs.delete_resource_policy(resourceArn=arn, expectedRevisionId=r["revisionId"])
    assert logs.describe_resource_policies(resourceArn=arn)["resourcePolicies"] == []


def test_a_search_that_finds_nothing_comes_back_in_time(own_cloud):
    """A call looks at a limited amount, and hands back a token where it stopped; nothing is missed and nothing comes twice."""
    logs = own_cloud.client("logs")
    logs.create_log_group(logGroupName="/big")
    t = now() - 3600000
    marks = []
    for s in range(4):
        logs.create_log_stream(logGroupName="/big", logStreamName="s%d" % s)
        for b in range(15):
            at = t + b * 1000 + s
            events = [{"timestamp": at, "message": "x" * 100000} for _ in range(10)]
            if b % 7 == s:
                events.append({"timestamp": at, "message": "MARK"})
                marks.append(at)
            logs.put_log_events(logGroupName="/big", logStreamName="s%d" % s, logEvents=events)
    for head in (True, False):
        pages = everything(logs, logGroupName="/big", filterPattern="MARK", startFromHead=head)
        assert [e["timestamp"] for p in pages for e in p] == sorted(marks, reverse=not head)
    assert len(everything(logs, logGroupName="/big", filterPattern="MARK")) > 2


def test_resource_policies_count_for_services_only(cloud, logs, app):
    """The same question that the dispatcher asks, for principals that no client can be."""
    arn = "arn:aws:logs:us-east-1:%s:log-group:/app:log-stream:web/1" % cloud.account

    def may(principal, action="logs:PutLogEvents"):
        r = subprocess.run([binary(), "explain", "--data", str(cloud.data), "--principal", principal, "--action", action, "--resource", arn],
                           capture_output=True, text=True)
        assert r.returncode in (0, 1), r.stderr
        return r.returncode == 0

    user = cloud.user("plain")
    assert not may("delivery.logs.amazonaws.com") and not may("user/plain")
    logs.put_resource_policy(policyName="one", policyDocument=policy())
    assert may("delivery.logs.amazonaws.com") and not may("route53.amazonaws.com") and not may("delivery.logs.amazonaws.com", "logs:CreateLogStream")
    anyone = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "logs:*", "Resource": "*"}})
    logs.put_resource_policy(policyName="two", policyDocument=anyone)
    assert may("route53.amazonaws.com") and not may("route53.amazonaws.com", "logs:GetLogEvents")
    assert not may("user/plain")  # not for IAM principals, whatever it says
    refused("AccessDeniedException", cloud.client("logs", key=user).put_log_events, logGroupName="/app", logStreamName="web/1",
            logEvents=[{"timestamp": now(), "message": "x"}])
    for p in ("one", "two"):
        logs.delete_resource_policy(policyName=p)
    assert not may("delivery.logs.amazonaws.com")
