# SPDX-License-Identifier: Apache-2.0
"""The trail: every call, allowed or denied, is found again."""
import datetime
import json

from refusals import refused


def events(ct, **kw):
    return [e for p in ct.get_paginator("lookup_events").paginate(**kw) for e in p["Events"]]


def test_allowed_and_denied_calls_are_recorded(cloud):
    kms, ct = cloud.client("kms", region="us-west-2"), cloud.client("cloudtrail", region="us-west-2")
    k = kms.create_key(Description="trail")["KeyMetadata"]
    u = cloud.user("trail-user")
    refused("AccessDeniedException", cloud.client("kms", region="us-west-2", key=u).describe_key, KeyId=k["KeyId"])
    got = {e["EventName"]: json.loads(e["CloudTrailEvent"]) for e in events(ct)}
    made, denied = got["CreateKey"], got["DescribeKey"]
    assert made["userIdentity"]["type"] == "Root" and made["requestParameters"] == {"Description": "trail"} and made["readOnly"] is False
    assert made["responseElements"]["KeyMetadata"]["KeyId"] == k["KeyId"] and "errorCode" not in made
    assert denied["errorCode"] == "AccessDeniedException" and denied["userIdentity"]["userName"] == "trail-user"
    assert denied["resources"][0]["ARN"] == k["Arn"] and denied["sourceIPAddress"] == "127.0.0.1"
    assert made["recipientAccountId"] == cloud.account and made["awsRegion"] == "us-west-2"


def test_secrets_are_not_in_the_trail(cloud):
    kms = cloud.client("kms", region="us-west-2")
    k = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.encrypt(KeyId=k, Plaintext=b"needle-plaintext")
    cloud.client("ssm", region="us-west-2").put_parameter(Name="/trail/x", Value="needle-parameter", Type="SecureString")
    cloud.user("trail-secret")
    text = b"".join(f.read_bytes() for f in cloud.data.rglob("*.jsonl"))
    assert b"CreateAccessKey" in text
    for needle in (b"needle-plaintext", b"bmVlZGxlLXBsYWludGV4dA", b"needle-parameter"):
        assert needle not in text


def test_lookup_by_attribute_and_pages(cloud):
    ct, kms = cloud.client("cloudtrail", region="eu-west-1"), cloud.client("kms", region="eu-west-1")
    for _ in range(7):
        kms.create_key()
    kms.list_keys()
    by_name = [{"AttributeKey": "EventName", "AttributeValue": "CreateKey"}]
    got = events(ct, LookupAttributes=by_name, PaginationConfig={"PageSize": 3})
    assert [e["EventName"] for e in got] == ["CreateKey"] * 7 and len({e["EventId"] for e in got}) == 7
    assert [e["EventName"] for e in events(ct, LookupAttributes=[{"AttributeKey": "ReadOnly", "AttributeValue": "true"}])][-1] == "ListKeys"
    one = got[0]["EventId"]
    assert [e["EventId"] for e in events(ct, LookupAttributes=[{"AttributeKey": "EventId", "AttributeValue": one}])] == [one]
    future = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    assert ct.lookup_events(StartTime=future)["Events"] == []
    refused("InvalidTimeRangeException", ct.lookup_events, StartTime=future, EndTime=future - datetime.timedelta(hours=2))
    refused("InvalidNextTokenException", ct.lookup_events, NextToken="x")


def test_global_services_are_seen_in_us_east_1_only(cloud):
    cloud.client("iam").create_group(GroupName="trail-group")
    assert "CreateGroup" in {e["EventName"] for e in events(cloud.client("cloudtrail"))}
    assert "CreateGroup" not in {e["EventName"] for e in events(cloud.client("cloudtrail", region="us-west-2"))}


def test_reading_the_trail_needs_the_right(cloud):
    u = cloud.client("cloudtrail", key=cloud.user("trail-nobody"))
    refused("AccessDeniedException", u.lookup_events)


def test_the_short_target_of_smithy_sdks(cloud):
    """Go, Rust, JavaScript 3 and others write CloudTrail_20131101 where botocore writes the whole name of the interface."""
    ct = cloud.client("cloudtrail")
    def shorten(params, **kw):
        params["headers"]["X-Amz-Target"] = params["headers"]["X-Amz-Target"].rsplit("v20131101.", 1)[1]
    ct.meta.events.register("before-call.cloudtrail.*", shorten)
    assert "Events" in ct.lookup_events(MaxResults=1)
    assert "CreateTrail" in refused("NotImplemented", ct.create_trail, Name="trail", S3BucketName="bucket")
