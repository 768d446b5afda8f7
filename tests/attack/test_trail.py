# SPDX-License-Identifier: Apache-2.0
"""Nobody keeps out of the trail: not by size, not by odd bytes, not by what a crash left behind."""
import datetime
import json

import pytest


def events(ct, **kw):
    return [json.loads(e["CloudTrailEvent"]) for p in ct.get_paginator("lookup_events").paginate(**kw) for e in p["Events"]]


def records(cloud, region="us-east-1"):
    out = []
    for f in sorted((cloud.data / "regions" / region / "trail").glob("*.jsonl")):
        out += [json.loads(line) for line in f.read_bytes().splitlines()]
    return out


def settle(client):
    """A writing call is in the trail's file when it is answered, and all before it."""
    client.put_parameter(Name="/settle", Value="x", Type="String", Overwrite=True)


def test_deleting_a_thousand_long_keys_is_on_record(cloud):
    s3, ssm = cloud.client("s3"), cloud.client("ssm")
    s3.create_bucket(Bucket="trail-long")
    keys = [{"Key": "%04d" % i + "k" * 1000} for i in range(1000)]
    assert len(s3.delete_objects(Bucket="trail-long", Delete={"Objects": keys})["Deleted"]) == 1000
    settle(ssm)
    all_records = records(cloud)  # every line parses
    assert [r["eventSource"] for r in all_records if r["eventName"] == "DeleteObjects"] == ["s3.amazonaws.com"]
    assert all_records[-1]["eventName"] == "PutParameter"


@pytest.mark.parametrize("agent", ["\xff" * 60000, '"' * 60000, "\\" * 60000])
def test_a_strange_user_agent_hides_nothing(cloud, agent):
    ssm = cloud.client("ssm")

    def dress(request, **kw):
        request.headers["User-Agent"] = agent.encode("latin-1")

    ssm.meta.events.register("before-send.ssm.*", dress)
    name = "/agent/%d" % ord(agent[0])
    ssm.put_parameter(Name=name, Value="x", Type="String")
    got = [r for r in records(cloud) if (r["requestParameters"] or {}).get("Name") == name]
    assert len(got) == 1 and 0 < len(got[0]["userAgent"]) <= 1024


def test_what_a_crash_cut_short_hides_no_later_record(own_cloud):
    ssm = own_cloud.client("ssm")
    settle(ssm)
    own_cloud.kill()
    f = max((own_cloud.data / "regions" / "us-east-1" / "trail").glob("*.jsonl"))
    f.write_bytes(f.read_bytes() + b'{"eventVersion":"1.11","userIdent')
    own_cloud.start()
    own_cloud.client("ssm").put_parameter(Name="/after", Value="x", Type="String")
    got = events(own_cloud.client("cloudtrail"), LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "PutParameter"}])
    assert [r["requestParameters"]["Name"] for r in got] == ["/after", "/settle"]


def line(at, name, **more):
    base = {"eventVersion": "1.11", "userIdentity": {"type": "Root"}, "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "eventSource": "kms.amazonaws.com",
            "eventName": name, "awsRegion": "us-west-2", "requestID": "r", "eventID": "e", "readOnly": True, "managementEvent": True}
    return json.dumps(dict(base, **more)) + "\n"


def test_lookup_at_the_border_of_a_day(own_cloud):
    """A record is in the file of the moment it was written, which may be just after its own day."""
    own_cloud.stop()
    day = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0) - datetime.timedelta(days=3)
    trail = own_cloud.data / "regions" / "us-west-2" / "trail"
    trail.mkdir(parents=True, exist_ok=True)
    mine = {"recipientAccountId": own_cloud.account}
    late = day - datetime.timedelta(seconds=1)
    (trail / (day - datetime.timedelta(days=1)).strftime("%Y-%m-%d.jsonl")).write_text(line(late - datetime.timedelta(seconds=9), "Early", **mine))
    (trail / day.strftime("%Y-%m-%d.jsonl")).write_text(line(late, "Late", **mine) + line(day + datetime.timedelta(seconds=5), "Next", **mine))
    own_cloud.start()
    ct = own_cloud.client("cloudtrail", region="us-west-2")
    window = {"StartTime": late - datetime.timedelta(seconds=60), "EndTime": late + datetime.timedelta(milliseconds=500)}
    assert [r["eventName"] for r in events(ct, **window)] == ["Late", "Early"]
    assert [r["eventName"] for r in events(ct, StartTime=late, EndTime=day + datetime.timedelta(seconds=60))] == ["Next", "Late"]


def test_a_long_upload_hides_no_other_event_from_lookup(own_cloud):
    """Records are in the order in which calls ended; a call that took an hour stands among younger ones."""
    own_cloud.stop()
    noon = datetime.datetime.now(datetime.timezone.utc).replace(hour=12, minute=0, second=0, microsecond=0) - datetime.timedelta(days=3)
    mine = {"recipientAccountId": own_cloud.account}
    trail = own_cloud.data / "regions" / "us-west-2" / "trail"
    trail.mkdir(parents=True, exist_ok=True)
    h = datetime.timedelta(hours=1)
    (trail / noon.strftime("%Y-%m-%d.jsonl")).write_text(
        line(noon, "Hidden", **mine) + line(noon - 2 * h, "PutObject", managementEvent=False, **mine) +
        line(noon - datetime.timedelta(minutes=2), "Slow", **mine) + line(noon + datetime.timedelta(seconds=30), "Seen", **mine))
    own_cloud.start()
    ct = own_cloud.client("cloudtrail", region="us-west-2")
    got = events(ct, StartTime=noon - datetime.timedelta(minutes=1), EndTime=noon + h)
    assert [r["eventName"] for r in got] == ["Seen", "Hidden"]
