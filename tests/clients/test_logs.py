# SPDX-License-Identifier: Apache-2.0
"""CloudWatch Logs through boto3: groups, streams, events in and out."""
import time

import pytest
from botocore.exceptions import ClientError

from refusals import refused

DAY = 86400000


def now():
    return int(time.time() * 1000)


@pytest.fixture
def stream(logs, request):
    group = "/t/" + request.node.name.replace("[", "-").replace("]", "")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    yield {"logGroupName": group, "logStreamName": "s"}
    logs.delete_log_group(logGroupName=group)


def test_group_life(cloud, logs):
    refused("InvalidParameterException", logs.create_log_group, logGroupName="aws/mine")
    m = refused("InvalidParameterException", logs.create_log_group, logGroupName="a b")
    assert m.startswith("1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint")
    logs.create_log_group(logGroupName="/app/one", tags={"team": "a"})
    m = refused("ResourceAlreadyExistsException", logs.create_log_group, logGroupName="/app/one")
    assert m == "The specified log group already exists"
    g = logs.describe_log_groups(logGroupNamePrefix="/app/one")["logGroups"][0]
    arn = "arn:aws:logs:us-east-1:%s:log-group:/app/one" % cloud.account
    assert (g["arn"], g["logGroupArn"], g["metricFilterCount"], g["storedBytes"], g["logGroupClass"]) == (arn + ":*", arn, 0, 0, "STANDARD")
    assert "retentionInDays" not in g and "kmsKeyId" not in g and abs(g["creationTime"] - now()) < 60000
    for bad in (0, 2, 31, 4000):
        refused("InvalidParameterException", logs.put_retention_policy, logGroupName="/app/one", retentionInDays=bad)
    logs.put_retention_policy(logGroupName="/app/one", retentionInDays=14)
    assert logs.describe_log_groups(logGroupNamePrefix="/app/one")["logGroups"][0]["retentionInDays"] == 14
    logs.delete_retention_policy(logGroupName="/app/one")
    assert "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix="/app/one")["logGroups"][0]
    logs.put_log_group_deletion_protection(logGroupIdentifier=arn, deletionProtectionEnabled=True)
    refused("ValidationException", logs.delete_log_group, logGroupName="/app/one")
    logs.put_log_group_deletion_protection(logGroupIdentifier="/app/one", deletionProtectionEnabled=False)
    logs.delete_log_group(logGroupName="/app/one")
    m = refused("ResourceNotFoundException", logs.delete_log_group, logGroupName="/app/one")
    assert m == "The specified log group does not exist."


def test_tags_by_both_apis(cloud, logs):
    logs.create_log_group(logGroupName="/tags", tags={"a": "1"})
    arn = "arn:aws:logs:us-east-1:%s:log-group:/tags" % cloud.account
    logs.tag_log_group(logGroupName="/tags", tags={"b": "2"})
    logs.tag_resource(resourceArn=arn, tags={"a": "9", "c": "3"})
    assert logs.list_tags_log_group(logGroupName="/tags")["tags"] == {"a": "9", "b": "2", "c": "3"}
    logs.untag_log_group(logGroupName="/tags", tags=["a"])
    logs.untag_resource(resourceArn=arn, tagKeys=["b"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"c": "3"}
    refused("InvalidParameterException", logs.tag_resource, resourceArn=arn, tags={"aws:x": "1"})
    refused("TooManyTagsException", logs.tag_resource, resourceArn=arn, tags={"k%d" % i: "v" for i in range(50)})
    refused("ResourceNotFoundException", logs.list_tags_for_resource, resourceArn=arn + "none")
    logs.delete_log_group(logGroupName="/tags")


def test_listing_groups(logs):
    names = ["/list/%03d" % i for i in range(60)]
    for n in names:
        logs.create_log_group(logGroupName=n, **({"logGroupClass": "INFREQUENT_ACCESS"} if n.endswith("7") else {}))
    page = logs.describe_log_groups(logGroupNamePrefix="/list/")
    assert len(page["logGroups"]) == 50
    got = [g["logGroupName"] for p in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/list/", PaginationConfig={"PageSize": 7})
           for g in p["logGroups"]]
    assert got == names
    assert [g["logGroupName"] for g in logs.describe_log_groups(logGroupNamePattern="st/05")["logGroups"]] == names[50:60]
    assert len(logs.describe_log_groups(logGroupNamePrefix="/list/", logGroupClass="INFREQUENT_ACCESS")["logGroups"]) == 6
    assert [g["logGroupName"] for g in logs.list_log_groups(logGroupNamePattern="^/list/001|st/002")["logGroups"]] == ["/list/001", "/list/002"]
    refused("InvalidParameterException", logs.describe_log_groups, logGroupNamePrefix="a", logGroupNamePattern="b")
    refused("InvalidParameterException", logs.describe_log_groups, nextToken="x")
    assert [g["logGroupName"] for g in logs.describe_log_groups(logGroupIdentifiers=["/list/003", "/none"])["logGroups"]] == ["/list/003"]
    for n in names:
        logs.delete_log_group(logGroupName=n)


def test_streams(cloud, logs):
    g = "/streams"
    logs.create_log_group(logGroupName=g)
    for i in range(5):
        logs.create_log_stream(logGroupName=g, logStreamName="s%d" % i)
    m = refused("ResourceAlreadyExistsException", logs.create_log_stream, logGroupName=g, logStreamName="s0")
    assert m == "The specified log stream already exists"
    refused("ResourceNotFoundException", logs.create_log_stream, logGroupName="/nowhere", logStreamName="s0")
    t = now()
    for i in (3, 1, 4):
        logs.put_log_events(logGroupName=g, logStreamName="s%d" % i, logEvents=[{"timestamp": t - i * 1000, "message": "x"}])
    by_time = logs.describe_log_streams(logGroupName=g, orderBy="LastEventTime", descending=True)["logStreams"]
    assert [s["logStreamName"] for s in by_time][:3] == ["s1", "s3", "s4"] and len(by_time) == 5
    s1 = by_time[0]
    assert (s1["firstEventTimestamp"], s1["lastEventTimestamp"], s1["storedBytes"]) == (t - 1000, t - 1000, 0) and s1["uploadSequenceToken"]
    assert s1["arn"] == "arn:aws:logs:us-east-1:%s:log-group:/streams:log-stream:s1" % cloud.account
    assert "lastEventTimestamp" not in by_time[-1]
    for kw in ({"orderBy": "LastEventTime"}, {"descending": True}, {}):
        got = [s["logStreamName"] for p in logs.get_paginator("describe_log_streams").paginate(logGroupName=g, PaginationConfig={"PageSize": 2}, **kw)
               for s in p["logStreams"]]
        assert sorted(got) == ["s%d" % i for i in range(5)]
        if not kw.get("orderBy"):
            assert got == sorted(got, reverse=bool(kw))
    assert [s["logStreamName"] for s in logs.describe_log_streams(logGroupIdentifier=g, logStreamNamePrefix="s2")["logStreams"]] == ["s2"]
    refused("InvalidParameterException", logs.describe_log_streams, logGroupName=g, orderBy="LastEventTime", logStreamNamePrefix="s")
    logs.delete_log_stream(logGroupName=g, logStreamName="s2")
    refused("ResourceNotFoundException", logs.delete_log_stream, logGroupName=g, logStreamName="s2")
    logs.delete_log_group(logGroupName=g)


def test_a_group_made_again_is_empty(logs, stream):
    logs.put_log_events(logEvents=[{"timestamp": now(), "message": "old"}], **stream)
    logs.delete_log_group(logGroupName=stream["logGroupName"])
    logs.create_log_group(logGroupName=stream["logGroupName"])
    assert logs.describe_log_streams(logGroupName=stream["logGroupName"])["logStreams"] == []
    logs.create_log_stream(**stream)
    assert logs.get_log_events(**stream)["events"] == []


def test_put_and_get(logs, stream):
    t = now() - 100000
    r = logs.put_log_events(logEvents=[{"timestamp": t + i, "message": "line %d \u00e9" % i} for i in range(100)], sequenceToken="ignored", **stream)
    assert r["nextSequenceToken"] and "rejectedLogEventsInfo" not in r
    e = logs.get_log_events(startFromHead=True, **stream)
    assert [x["message"] for x in e["events"]] == ["line %d \u00e9" % i for i in range(100)]
    assert e["events"][5]["timestamp"] == t + 5 and abs(e["events"][5]["ingestionTime"] - now()) < 60000
    tail = logs.get_log_events(limit=10, **stream)
    assert [x["timestamp"] for x in tail["events"]] == [t + i for i in range(90, 100)]
    back = logs.get_log_events(limit=10, nextToken=tail["nextBackwardToken"], **stream)
    assert [x["timestamp"] for x in back["events"]] == [t + i for i in range(80, 90)]
    again = logs.get_log_events(limit=10, nextToken=back["nextForwardToken"], startFromHead=True, **stream)
    assert again["events"] == tail["events"]
    some = logs.get_log_events(startTime=t + 10, endTime=t + 20, startFromHead=True, **stream)["events"]
    assert [x["timestamp"] for x in some] == [t + i for i in range(10, 20)]
    refused("InvalidParameterException", logs.get_log_events, unmask=True, **stream)
    size = logs.describe_log_groups(logGroupNamePrefix=stream["logGroupName"])["logGroups"][0]["storedBytes"]
    assert size == sum(len(x["message"].encode()) + 26 for x in e["events"])


def test_tokens_stay_the_same_at_the_ends(logs, stream):
    empty = logs.get_log_events(startFromHead=True, **stream)
    assert empty["events"] == []
    r = logs.get_log_events(nextToken=empty["nextForwardToken"], startFromHead=True, **stream)
    assert r["nextForwardToken"] == empty["nextForwardToken"]
    t = now()
    logs.put_log_events(logEvents=[{"timestamp": t, "message": "a"}], **stream)
    r = logs.get_log_events(nextToken=empty["nextForwardToken"], startFromHead=True, **stream)
    assert [x["message"] for x in r["events"]] == ["a"]
    end = logs.get_log_events(nextToken=r["nextForwardToken"], startFromHead=True, **stream)
    assert end["events"] == [] and end["nextForwardToken"] == r["nextForwardToken"]
    start = logs.get_log_events(nextToken=r["nextBackwardToken"], **stream)
    assert start["events"] == [] and start["nextBackwardToken"] == r["nextBackwardToken"]
    logs.put_log_events(logEvents=[{"timestamp": t, "message": "b"}], **stream)  # the same instant, later in order
    assert [x["message"] for x in logs.get_log_events(nextToken=r["nextForwardToken"], startFromHead=True, **stream)["events"]] == ["b"]


def test_batches_that_overlap_come_out_in_order(logs, stream):
    t = now() - 3600000
    want = []
    for b in range(20):
        events = [{"timestamp": t + b + i * 7001, "message": "%d-%d" % (b, i)} for i in range(30)]
        logs.put_log_events(logEvents=events, **stream)
        want += [(e["timestamp"], e["message"]) for e in events]
    want.sort(key=lambda x: x[0])
    for size in (1000, 37):
        got, token = [], None
        while True:
            r = logs.get_log_events(limit=size, startFromHead=True, **({"nextToken": token} if token else {}), **stream)
            if r["nextForwardToken"] == token:
                break
            got += [(e["timestamp"], e["message"]) for e in r["events"]]
            token = r["nextForwardToken"]
        assert got == want
        got, token = [], None
        while True:
            r = logs.get_log_events(limit=size, **({"nextToken": token} if token else {}), **stream)
            if r["nextBackwardToken"] == token:
                break
            got = [(e["timestamp"], e["message"]) for e in r["events"]] + got
            token = r["nextBackwardToken"]
        assert got == want


def test_what_a_batch_may_be(logs, stream):
    t = now()
    refused("InvalidParameterException", logs.put_log_events, logEvents=[{"timestamp": t, "message": "a"}, {"timestamp": t - 1, "message": "b"}], **stream)
    m = refused("InvalidParameterException", logs.put_log_events, logEvents=[{"timestamp": t, "message": "x" * 524275}, {"timestamp": t, "message": "x" * 524250}], **stream)
    assert m == "Upload too large: 1048577 bytes exceeds limit of 1048576"
    logs.put_log_events(logEvents=[{"timestamp": t, "message": "x" * 524274}, {"timestamp": t, "message": "x" * 524250}], **stream)
    assert len(logs.get_log_events(startFromHead=True, **stream)["events"]) == 2
    refused("InvalidParameterException", logs.put_log_events, logEvents=[{"timestamp": t - DAY - 1, "message": "a"}, {"timestamp": t, "message": "b"}], **stream)
    logs.put_log_events(logEvents=[{"timestamp": t - DAY, "message": "a"}, {"timestamp": t, "message": "b"}], **stream)
    refused("ResourceNotFoundException", logs.put_log_events, logGroupName="/none", logStreamName="s", logEvents=[{"timestamp": t, "message": "a"}])
    m = refused("ResourceNotFoundException", logs.put_log_events, logGroupName=stream["logGroupName"], logStreamName="none",
                logEvents=[{"timestamp": t, "message": "a"}])
    assert m == "The specified log stream does not exist."


def test_rejected_events_are_told(logs, stream):
    t = now()
    logs.put_retention_policy(logGroupName=stream["logGroupName"], retentionInDays=3)
    ev = [(t - 15 * DAY, "old"), (t - 4 * DAY, "expired"), (t - 3600000, "good"), (t, "good"), (t + 3 * 3600000, "new")]
    r = logs.put_log_events(logEvents=[{"timestamp": a, "message": b} for a, b in ev], **stream)
    assert r["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 2, "tooNewLogEventStartIndex": 4}
    assert [e["message"] for e in logs.get_log_events(startFromHead=True, **stream)["events"]] == ["good", "good"]
    r = logs.put_log_events(logEvents=[{"timestamp": t + 5 * 3600000, "message": "new"}], **stream)
    assert r["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 0}


def test_pages_hold_a_megabyte(logs, stream):
    t = now()
    for i in range(3):
        logs.put_log_events(logEvents=[{"timestamp": t + i, "message": chr(97 + i) * 600000}], **stream)
    r = logs.get_log_events(startFromHead=True, **stream)
    assert [e["message"][0] for e in r["events"]] == ["a"]
    assert [e["message"][0] for e in logs.get_log_events(startFromHead=True, nextToken=r["nextForwardToken"], **stream)["events"]] == ["b"]
    assert [e["message"][0] for e in logs.get_log_events(**stream)["events"]] == ["c"]


def test_query_definitions(cloud):
    """Saved queries are kept and given back; running one is refused by name."""
    logs = cloud.client("logs")
    token = "t" * 36
    one = logs.put_query_definition(name="errors/a", queryString="fields @message | limit 5", logGroupNames=["/x", "/y"], clientToken=token)["queryDefinitionId"]
    assert logs.put_query_definition(name="errors/a", queryString="fields @message | limit 5", clientToken=token)["queryDefinitionId"] == one
    two = logs.put_query_definition(name="other", queryString="stats count(*)")["queryDefinitionId"]
    got = logs.describe_query_definitions(queryDefinitionNamePrefix="errors/")["queryDefinitions"]
    assert [(g["queryDefinitionId"], g["name"], g["queryString"], g["logGroupNames"]) for g in got] == [(one, "errors/a", "fields @message | limit 5", ["/x", "/y"])]
    logs.put_query_definition(queryDefinitionId=one, name="errors/b", queryString="limit 1")
    first = logs.describe_query_definitions(maxResults=1)
    rest = logs.describe_query_definitions(maxResults=1, nextToken=first["nextToken"])
    assert {q["queryDefinitionId"]: (q["name"], q.get("logGroupNames")) for q in first["queryDefinitions"] + rest["queryDefinitions"]} == \
        {one: ("errors/b", None), two: ("other", None)} and "nextToken" not in rest
    for call in (lambda: logs.put_query_definition(queryDefinitionId="none", name="n", queryString="q"), lambda: logs.delete_query_definition(queryDefinitionId="none")):
        with pytest.raises(ClientError) as e:
            call()
        assert e.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert logs.delete_query_definition(queryDefinitionId=one)["success"] and logs.delete_query_definition(queryDefinitionId=two)["success"]
    assert logs.describe_query_definitions()["queryDefinitions"] == []
    with pytest.raises(ClientError) as e:
        logs.start_query(logGroupName="/x", startTime=0, endTime=1, queryString="limit 1")
    assert e.value.response["Error"]["Code"] == "NotImplemented"
    poor = cloud.user("q-poor", {"Effect": "Allow", "Action": "logs:Describe*", "Resource": "*"})
    with pytest.raises(ClientError) as e:
        cloud.client("logs", key=poor).put_query_definition(name="n", queryString="q")
    assert e.value.response["Error"]["Code"] == "AccessDeniedException"
