# SPDX-License-Identifier: Apache-2.0
"""CloudWatch Logs: reading what is not one's own, writing without the right, tokens that were made elsewhere, patterns that are
to take forever."""
import pathlib
import time

import pytest

from refusals import refused


def now():
    return int(time.time() * 1000)


def allow(action, resource, **kw):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **kw}


@pytest.fixture(scope="module")
def groups(cloud):
    logs = cloud.client("logs")
    for g in ("/one", "/two"):
        logs.create_log_group(logGroupName=g, tags={"team": g[1:]})
        for s in ("a", "b"):
            logs.create_log_stream(logGroupName=g, logStreamName=s)
            logs.put_log_events(logGroupName=g, logStreamName=s, logEvents=[{"timestamp": now() + i, "message": g + s} for i in range(5)])
    return "arn:aws:logs:us-east-1:%s:log-group:" % cloud.account


def test_a_right_to_one_group_is_none_to_another(cloud, groups):
    c = cloud.client("logs", key=cloud.user("reader", allow(["logs:GetLogEvents", "logs:FilterLogEvents", "logs:DescribeLogStreams"], groups + "/one:*")))
    assert len(c.get_log_events(logGroupName="/one", logStreamName="a")["events"]) == 5
    assert len(c.filter_log_events(logGroupName="/one")["events"]) == 10
    for name in ("/two", groups + "/two"):
        key = "logGroupIdentifier" if name.startswith("arn") else "logGroupName"
        m = refused("AccessDeniedException", c.get_log_events, logStreamName="a", **{key: name})
        assert "logs:GetLogEvents on resource: %s/two:log-stream:a" % groups in m
        refused("AccessDeniedException", c.filter_log_events, **{key: name})
        refused("AccessDeniedException", c.describe_log_streams, **{key: name})
    refused("AccessDeniedException", c.describe_log_groups)
    # a name and an ARN that disagree: the name is what is authorized, so the ARN must not be what is read
    refused("InvalidParameterException", c.get_log_events, logGroupName="/one", logGroupIdentifier=groups + "/two", logStreamName="a")
    refused("InvalidParameterException", c.filter_log_events, logGroupName="/one", logGroupIdentifier=groups + "/two")
    refused("InvalidParameterException", c.describe_log_streams, logGroupName="/one", logGroupIdentifier=groups + "/two")


def test_a_right_to_one_stream_is_none_to_its_neighbours(cloud, groups):
    c = cloud.client("logs", key=cloud.user("streamer", allow(["logs:GetLogEvents", "logs:PutLogEvents", "logs:FilterLogEvents"], groups + "/one:log-stream:a")))
    assert len(c.get_log_events(logGroupName="/one", logStreamName="a")["events"]) == 5
    c.put_log_events(logGroupName="/one", logStreamName="a", logEvents=[{"timestamp": now(), "message": "mine"}])
    refused("AccessDeniedException", c.get_log_events, logGroupName="/one", logStreamName="b")
    refused("AccessDeniedException", c.put_log_events, logGroupName="/one", logStreamName="b", logEvents=[{"timestamp": now(), "message": "x"}])
    refused("AccessDeniedException", c.filter_log_events, logGroupName="/one", logStreamNames=["a"])


def test_a_writer_neither_reads_nor_removes(cloud, groups):
    c = cloud.client("logs", key=cloud.user("writer", allow(["logs:CreateLogStream", "logs:PutLogEvents"], groups + "/one:*")))
    c.create_log_stream(logGroupName="/one", logStreamName="w")
    c.put_log_events(logGroupName="/one", logStreamName="w", logEvents=[{"timestamp": now(), "message": "x"}])
    refused("AccessDeniedException", c.get_log_events, logGroupName="/one", logStreamName="w")
    for fn, kw in ((c.delete_log_stream, {"logStreamName": "w"}), (c.delete_log_group, {}), (c.put_retention_policy, {"retentionInDays": 1}),
                   (c.disassociate_kms_key, {}), (c.delete_retention_policy, {}), (c.tag_log_group, {"tags": {"a": "b"}}),
                   (c.put_subscription_filter, {"filterName": "f", "filterPattern": "", "destinationArn": "arn:aws:lambda:us-east-1:1:function:f"})):
        refused("AccessDeniedException", fn, logGroupName="/one", **kw)
    refused("AccessDeniedException", c.put_resource_policy, policyName="p", policyDocument="{}")
    refused("AccessDeniedException", c.put_log_group_deletion_protection, logGroupIdentifier="/one", deletionProtectionEnabled=True)
    # without the right nobody learns whether there is such a group
    refused("AccessDeniedException", c.put_log_events, logGroupName="/two", logStreamName="none", logEvents=[{"timestamp": now(), "message": "x"}])
    refused("AccessDeniedException", c.put_log_events, logGroupName="/not-there", logStreamName="none", logEvents=[{"timestamp": now(), "message": "x"}])


def test_tags_of_the_group_decide(cloud, groups):
    c = cloud.client("logs", key=cloud.user("tagged", allow("logs:*", "*", Condition={"StringEquals": {"aws:ResourceTag/team": "one"}})))
    assert c.get_log_events(logGroupName="/one", logStreamName="a")["events"]
    refused("AccessDeniedException", c.get_log_events, logGroupName="/two", logStreamName="a")
    refused("AccessDeniedException", c.tag_resource, resourceArn=groups + "/two", tags={"team": "one"})
    refused("AccessDeniedException", c.tag_log_group, logGroupName="/two", tags={"team": "one"})


def test_tagging_at_birth_needs_its_right_and_its_tags(cloud, groups):
    c = cloud.client("logs", key=cloud.user("maker", allow("logs:CreateLogGroup", "*")))
    c.create_log_group(logGroupName="/made/plain")
    refused("AccessDeniedException", c.create_log_group, logGroupName="/made/tagged", tags={"team": "one"})
    c = cloud.client("logs", key=cloud.user("maker2", allow(["logs:CreateLogGroup", "logs:TagResource"], "*"),
                                            {"Effect": "Deny", "Action": "logs:*", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestTag/team": "one"}}}))
    refused("AccessDeniedException", c.create_log_group, logGroupName="/made/one", tags={"team": "one"})
    c.create_log_group(logGroupName="/made/two", tags={"team": "two"})


def test_other_accounts_and_regions_are_not_reached_by_arn(cloud, groups):
    logs = cloud.client("logs")
    for arn in (groups.replace(cloud.account, "999999999999") + "/one", groups.replace("us-east-1", "eu-west-1") + "/one",
                groups.replace(":logs:", ":s3:") + "/one"):
        for fn, kw in ((logs.get_log_events, {"logStreamName": "a", "logGroupIdentifier": arn}), (logs.filter_log_events, {"logGroupIdentifier": arn}),
                       (logs.list_tags_for_resource, {"resourceArn": arn})):
            with pytest.raises(Exception) as e:
                fn(**kw)
            assert e.value.response["Error"]["Code"] in ("ResourceNotFoundException", "AccessDeniedException")


def test_tokens_belong_to_where_they_were_made(cloud, groups):
    logs = cloud.client("logs")
    t = logs.get_log_events(logGroupName="/one", logStreamName="a", limit=2, startFromHead=True)["nextForwardToken"]
    for bad in (t[:-4] + "AAAA", "f/" + "0" * 56, t[2:], "x" + t[1:], "f/", "f"):
        refused("InvalidParameterException", logs.get_log_events, logGroupName="/one", logStreamName="a", nextToken=bad)
    for g, s in (("/one", "b"), ("/two", "a")):
        refused("InvalidParameterException", logs.get_log_events, logGroupName=g, logStreamName=s, nextToken=t)
    refused("InvalidParameterException", logs.filter_log_events, logGroupName="/one", nextToken=t[2:])
    f = logs.filter_log_events(logGroupName="/one", limit=2)["nextToken"]
    refused("InvalidParameterException", logs.filter_log_events, logGroupName="/two", nextToken=f)
    refused("InvalidParameterException", logs.get_log_events, logGroupName="/one", logStreamName="a", nextToken="f/" + f)
    d = logs.describe_log_streams(logGroupName="/one", limit=1)["nextToken"]
    refused("InvalidParameterException", logs.describe_log_streams, logGroupName="/two", nextToken=d)
    refused("InvalidParameterException", logs.describe_log_streams, logGroupName="/one", orderBy="LastEventTime", nextToken=d)
    refused("InvalidParameterException", logs.describe_log_groups, nextToken=d)


def test_patterns_that_are_to_take_forever(cloud, groups):
    logs = cloud.client("logs")
    message = "a" * 100000
    logs.create_log_group(logGroupName="/bomb")
    logs.create_log_stream(logGroupName="/bomb", logStreamName="s")
    logs.put_log_events(logGroupName="/bomb", logStreamName="s", logEvents=[{"timestamp": now(), "message": message}] * 10)
    before = time.time()
    for p in ("%a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b%", "%a{1,500}b%", "%.*.*.*.*.*.*.*.*.*x%"):
        assert logs.filter_log_events(logGroupName="/bomb", filterPattern=p)["events"] == []
    deep = '{"a":' * 20000 + "1" + "}" * 20000
    assert logs.test_metric_filter(filterPattern="{ $.a.a.a = 1 }", logEventMessages=[deep])["matches"] == []
    for p in ("{ " + "(" * 400 + "$.a = 1" + ")" * 400 + " }", "%" + "[a-z]{1000}" * 50 + "%", "%(a+)+$%", "{ $.a[*].b[*] = 1 }", "[" + "a," * 400 + "b]"):
        refused("InvalidParameterException", logs.test_metric_filter, filterPattern=p, logEventMessages=["x"])
    assert time.time() - before < 30
    refused("InvalidParameterException", logs.test_metric_filter, filterPattern="x" * 1025, logEventMessages=["x"])


def test_what_is_logged_comes_back_as_it_was(cloud, groups):
    logs = cloud.client("logs")
    logs.create_log_stream(logGroupName="/one", logStreamName="odd")
    odd = ["line\nbreak", "nul \x00 inside", '","message":"x', "\x01\x1b[2J", "\u202e\U0001f600", "\\u0000", "<b>&amp;"]
    logs.put_log_events(logGroupName="/one", logStreamName="odd", logEvents=[{"timestamp": now() + i, "message": m} for i, m in enumerate(odd)])
    assert [e["message"] for e in logs.get_log_events(logGroupName="/one", logStreamName="odd", startFromHead=True)["events"]] == odd
    trail = "".join(f.read_text(errors="replace") for f in pathlib.Path(cloud.data).glob("regions/us-east-1/trail/*"))
    assert "line\\nbreak" not in trail and "PutLogEvents" in trail


def test_many_events_cost_little_memory(own_cloud):
    """Very many events in one stream: writing keeps its pace, a page is a page, and memory is that of a page."""
    logs = own_cloud.client("logs")
    logs.create_log_group(logGroupName="/m")
    logs.create_log_stream(logGroupName="/m", logStreamName="s")
    t = now() - 3600000
    spent = []
    for b in range(40):
        before = time.time()
        logs.put_log_events(logGroupName="/m", logStreamName="s", logEvents=[{"timestamp": t + b * 1000, "message": "%d %d" % (b, i)} for i in range(10000)])
        spent.append(time.time() - before)
    assert sum(spent[-10:]) < 5 * sum(spent[:10]) + 1
    open("/proc/%d/clear_refs" % own_cloud.proc.pid, "w").write("5")
    base = resident_kib(own_cloud)
    tail = logs.get_log_events(logGroupName="/m", logStreamName="s", limit=3)["events"]
    assert [e["message"] for e in tail] == ["39 9997", "39 9998", "39 9999"]
    head = logs.get_log_events(logGroupName="/m", logStreamName="s", startFromHead=True)
    assert len(head["events"]) == 10000 and head["events"][-1]["message"] == "0 9999"
    middle = logs.get_log_events(logGroupName="/m", logStreamName="s", startFromHead=True, startTime=t + 20000, limit=2)["events"]
    assert [e["message"] for e in middle] == ["20 0", "20 1"]
    found, token = [], {}
    while True:
        r = logs.filter_log_events(logGroupName="/m", filterPattern='"37 7777"', **token)
        found += [e["message"] for e in r["events"]]
        if "nextToken" not in r:
            break
        token = {"nextToken": r["nextToken"]}
    assert found == ["37 7777"]
    assert resident_kib(own_cloud) - base < 120 * 1024  # the store's own mapped pages are in it


def resident_kib(cloud):
    for line in open("/proc/%d/status" % cloud.proc.pid):
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    raise AssertionError("no VmHWM")
