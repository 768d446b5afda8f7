# SPDX-License-Identifier: Apache-2.0
"""Log groups under a KMS key: the key's policy decides, when the key is associated and whenever events are read. Retention
by the clock. Log groups in templates."""
import json
import os
import pathlib
import subprocess
import time

import pytest

from refusals import refused
from stack_lib import create, delete, settle, template, update

DAY = 86400000


def now():
    return int(time.time() * 1000)


def key_policy(cloud, statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::%s:root" % cloud.account}, "Action": "kms:*", "Resource": "*"}] + ([statement] if statement else [])})


def for_logs(cloud, group, service="logs.us-east-1.amazonaws.com", op="ArnEquals"):
    return {"Effect": "Allow", "Principal": {"Service": service}, "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
            "Resource": "*", "Condition": {op: {"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:us-east-1:%s:log-group:%s" % (cloud.account, group)}}}


def advance(cloud, by):
    binary = pathlib.Path(os.environ.get("CLOUDKEEP_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build")) / "src/cli/cloudkeep"
    subprocess.run([binary, "clock", "--data", str(cloud.data), by], check=True, capture_output=True)


def cloud_now(cloud):
    """The cloud's own time, from what it stores."""
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="/clock")
    t = logs.describe_log_groups(logGroupNamePrefix="/clock")["logGroups"][0]["creationTime"]
    logs.delete_log_group(logGroupName="/clock")
    return t


@pytest.fixture
def sealed(own_cloud):
    logs, kms = own_cloud.client("logs"), own_cloud.client("kms")
    key = kms.create_key(Policy=key_policy(own_cloud, for_logs(own_cloud, "/sealed")))["KeyMetadata"]
    logs.create_log_group(logGroupName="/sealed", kmsKeyId=key["Arn"])
    logs.create_log_stream(logGroupName="/sealed", logStreamName="s")
    logs.put_log_events(logGroupName="/sealed", logStreamName="s", logEvents=[{"timestamp": now(), "message": "secret-sentence"}])
    return own_cloud, logs, kms, key


def read(logs):
    return [e["message"] for e in logs.get_log_events(logGroupName="/sealed", logStreamName="s", startFromHead=True)["events"]]


def test_the_key_policy_decides_at_association(cloud):
    logs, kms = cloud.client("logs"), cloud.client("kms")
    words = "The specified KMS key does not exist or is not allowed to be used with Arn 'arn:aws:logs:us-east-1:%s:log-group:/k/one'" % cloud.account
    none = kms.create_key()["KeyMetadata"]["Arn"]
    for bad in (none, none[:-3] + "000", "alias/x", "not-an-arn"):
        assert refused("InvalidParameterException", logs.create_log_group, logGroupName="/k/one", kmsKeyId=bad) == words
    other = kms.create_key(Policy=key_policy(cloud, for_logs(cloud, "/k/other")))["KeyMetadata"]["Arn"]
    assert refused("InvalidParameterException", logs.create_log_group, logGroupName="/k/one", kmsKeyId=other) == words
    assert logs.describe_log_groups(logGroupNamePrefix="/k/")["logGroups"] == []
    wild = kms.create_key(Policy=key_policy(cloud, for_logs(cloud, "/k/*", op="ArnLike")))["KeyMetadata"]["Arn"]
    logs.create_log_group(logGroupName="/k/one", kmsKeyId=wild)
    assert logs.describe_log_groups(logGroupNamePrefix="/k/one")["logGroups"][0]["kmsKeyId"] == wild
    refused("InvalidParameterException", logs.associate_kms_key, logGroupName="/k/one", kmsKeyId=none)
    plain = kms.create_key(Policy=key_policy(cloud, for_logs(cloud, "/k/one", service="logs.amazonaws.com")))["KeyMetadata"]
    logs.associate_kms_key(resourceIdentifier="arn:aws:logs:us-east-1:%s:log-group:/k/one" % cloud.account, kmsKeyId=plain["Arn"])
    assert logs.describe_log_groups(logGroupNamePrefix="/k/one")["logGroups"][0]["kmsKeyId"] == plain["Arn"]
    kms.disable_key(KeyId=plain["KeyId"])
    refused("InvalidParameterException", logs.associate_kms_key, logGroupName="/k/one", kmsKeyId=plain["Arn"])
    logs.disassociate_kms_key(logGroupName="/k/one")
    assert "kmsKeyId" not in logs.describe_log_groups(logGroupNamePrefix="/k/one")["logGroups"][0]
    refused("InvalidParameterException", logs.associate_kms_key, kmsKeyId=wild)


def test_what_was_written_under_an_earlier_key_still_opens(sealed):
    cloud, logs, kms, key = sealed
    second = kms.create_key(Policy=key_policy(cloud, for_logs(cloud, "/sealed")))["KeyMetadata"]
    logs.associate_kms_key(logGroupName="/sealed", kmsKeyId=second["Arn"])
    logs.put_log_events(logGroupName="/sealed", logStreamName="s", logEvents=[{"timestamp": now(), "message": "two"}])
    logs.disassociate_kms_key(logGroupName="/sealed")
    logs.put_log_events(logGroupName="/sealed", logStreamName="s", logEvents=[{"timestamp": now(), "message": "three"}])
    assert read(logs) == ["secret-sentence", "two", "three"]
    kms.disable_key(KeyId=key["KeyId"])
    advance(cloud, "+6m")
    refused("InvalidParameterException", logs.get_log_events, logGroupName="/sealed", logStreamName="s", startFromHead=True)
    assert [e["message"] for e in logs.get_log_events(logGroupName="/sealed", logStreamName="s", limit=1)["events"]] == ["three"]


def test_a_disabled_key_ends_reading_and_writing(sealed):
    cloud, logs, kms, key = sealed
    assert read(logs) == ["secret-sentence"]
    kms.disable_key(KeyId=key["KeyId"])
    assert read(logs) == ["secret-sentence"]  # opened a moment ago: kept for five minutes at most
    advance(cloud, "+5m")
    refused("InvalidParameterException", logs.get_log_events, logGroupName="/sealed", logStreamName="s")
    refused("InvalidParameterException", logs.put_log_events, logGroupName="/sealed", logStreamName="s", logEvents=[{"timestamp": now(), "message": "x"}])
    kms.enable_key(KeyId=key["KeyId"])
    assert read(logs) == ["secret-sentence"]


def test_a_key_policy_that_changes_ends_reading(sealed):
    cloud, logs, kms, key = sealed
    kms.put_key_policy(KeyId=key["KeyId"], Policy=key_policy(cloud, for_logs(cloud, "/sealed-not")))
    advance(cloud, "+5m")
    refused("InvalidParameterException", logs.get_log_events, logGroupName="/sealed", logStreamName="s")
    kms.put_key_policy(KeyId=key["KeyId"], Policy=key_policy(cloud, for_logs(cloud, "/sealed")))
    assert read(logs) == ["secret-sentence"]


def test_nothing_lies_in_the_clear_and_the_trail_shows_the_service(sealed):
    cloud, logs, kms, key = sealed
    logs.create_log_group(logGroupName="/plain")
    logs.create_log_stream(logGroupName="/plain", logStreamName="s")
    logs.put_log_events(logGroupName="/plain", logStreamName="s", logEvents=[{"timestamp": now(), "message": "plain-sentence"}])
    cloud.stop()
    for f in pathlib.Path(cloud.data).rglob("*"):
        if f.is_file():
            data = f.read_bytes()
            assert b"secret-sentence" not in data and b"plain-sentence" not in data, f
    trail = "".join(f.read_text(errors="replace") for f in pathlib.Path(cloud.data).glob("regions/us-east-1/trail/*"))
    assert '"GenerateDataKey"' in trail and "logs.us-east-1.amazonaws.com" in trail
    cloud.start()
    assert read(cloud.client("logs")) == ["secret-sentence"]


def test_retention_by_the_clock(own_cloud):
    logs = own_cloud.client("logs")
    logs.create_log_group(logGroupName="/r")
    for s in ("a", "b"):
        logs.create_log_stream(logGroupName="/r", logStreamName=s)
        logs.put_log_events(logGroupName="/r", logStreamName=s, logEvents=[{"timestamp": now() + i, "message": "m" * 100} for i in range(50)])
    logs.put_retention_policy(logGroupName="/r", retentionInDays=5)
    size = 2 * 50 * 126
    assert logs.describe_log_groups(logGroupNamePrefix="/r")["logGroups"][0]["storedBytes"] == size
    advance(own_cloud, "+4d")
    assert len(logs.get_log_events(logGroupName="/r", logStreamName="a")["events"]) == 50
    logs.put_log_events(logGroupName="/r", logStreamName="b", logEvents=[{"timestamp": now() + 4 * DAY, "message": "young"}])
    advance(own_cloud, "+25h")
    assert logs.get_log_events(logGroupName="/r", logStreamName="a", startFromHead=True)["events"] == []
    assert [e["message"] for e in logs.get_log_events(logGroupName="/r", logStreamName="b", startFromHead=True)["events"]] == ["young"]
    for _ in range(100):
        left = logs.describe_log_groups(logGroupNamePrefix="/r")["logGroups"][0]["storedBytes"]
        if left == 31:
            break
        time.sleep(0.05)
    assert left == 31
    logs.delete_retention_policy(logGroupName="/r")  # what is gone stays gone
    assert logs.get_log_events(logGroupName="/r", logStreamName="a", startFromHead=True)["events"] == []


def test_templates(cloud):
    cf, logs = cloud.client("cloudformation"), cloud.client("logs")
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7, "Tags": [{"Key": "a", "Value": "1"}]}}
    stream = {"Type": "AWS::Logs::LogStream", "Properties": {"LogGroupName": {"Ref": "G"}, "LogStreamName": "main"}}
    out = {"Arn": {"Value": {"Fn::GetAtt": ["G", "Arn"]}}, "Ref": {"Value": {"Ref": "G"}}, "Stream": {"Value": {"Ref": "S"}}}
    s = create(cf, "lg", template({"G": group, "S": stream}, Outputs=out))
    o = {x["OutputKey"]: x["OutputValue"] for x in s["Outputs"]}
    assert o["Ref"].startswith("lg-G-") and o["Stream"] == "main"
    assert o["Arn"] == "arn:aws:logs:us-east-1:%s:log-group:%s:*" % (cloud.account, o["Ref"])
    g = logs.describe_log_groups(logGroupNamePrefix=o["Ref"])["logGroups"][0]
    assert g["retentionInDays"] == 7 and logs.list_tags_log_group(logGroupName=o["Ref"])["tags"]["a"] == "1"
    del group["Properties"]["RetentionInDays"]
    group["Properties"]["Tags"] = [{"Key": "b", "Value": "2"}]
    update(cf, "lg", template({"G": group, "S": stream}, Outputs=out))
    assert "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix=o["Ref"])["logGroups"][0]
    assert logs.list_tags_log_group(logGroupName=o["Ref"])["tags"] == {"b": "2"}
    delete(cf, "lg")
    assert logs.describe_log_groups(logGroupNamePrefix="lg-")["logGroups"] == []


def test_template_of_a_resource_policy(cloud):
    cf, logs = cloud.client("cloudformation"), cloud.client("logs")
    doc = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "es.amazonaws.com"}, "Action": "logs:PutLogEvents", "Resource": "*"}]}
    res = {"P": {"Type": "AWS::Logs::ResourcePolicy", "Properties": {"PolicyName": "es", "PolicyDocument": json.dumps(doc)}}}
    create(cf, "rp", template(res))
    assert json.loads(logs.describe_resource_policies()["resourcePolicies"][0]["policyDocument"]) == doc
    doc["Statement"][0]["Principal"]["Service"] = "route53.amazonaws.com"
    res["P"]["Properties"]["PolicyDocument"] = json.dumps(doc)
    update(cf, "rp", template(res))
    assert json.loads(logs.describe_resource_policies()["resourcePolicies"][0]["policyDocument"]) == doc
    delete(cf, "rp")
    assert logs.describe_resource_policies()["resourcePolicies"] == []


def test_a_group_that_exists_fails_the_stack_and_stays(cloud):
    cf, logs = cloud.client("cloudformation"), cloud.client("logs")
    logs.create_log_group(logGroupName="/mine")
    body = template({"G": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/mine"}}})
    arn = cf.create_stack(StackName="lg2", TemplateBody=body)["StackId"]
    assert settle(cf, arn)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert len(logs.describe_log_groups(logGroupNamePrefix="/mine")["logGroups"]) == 1
    delete(cf, "lg2")
    assert len(logs.describe_log_groups(logGroupNamePrefix="/mine")["logGroups"]) == 1


def test_template_of_a_query_definition(cloud):
    cf, logs = cloud.client("cloudformation"), cloud.client("logs")
    q = {"Type": "AWS::Logs::QueryDefinition", "Properties": {"Name": "n/one", "QueryString": "limit 1", "LogGroupNames": ["/a"]}}
    out = {"Ref": {"Value": {"Ref": "Q"}}, "Id": {"Value": {"Fn::GetAtt": ["Q", "QueryDefinitionId"]}}}
    s = create(cf, "qd", template({"Q": q}, Outputs=out))
    o = {x["OutputKey"]: x["OutputValue"] for x in s["Outputs"]}
    got = logs.describe_query_definitions()["queryDefinitions"]
    assert o["Ref"] == o["Id"] == got[0]["queryDefinitionId"] and got[0]["logGroupNames"] == ["/a"]
    q["Properties"] = {"Name": "n/two", "QueryString": "limit 2"}
    update(cf, "qd", template({"Q": q}, Outputs=out))
    got = logs.describe_query_definitions()["queryDefinitions"]
    assert [(g["queryDefinitionId"], g["name"], g["queryString"]) for g in got] == [(o["Ref"], "n/two", "limit 2")] and "logGroupNames" not in got[0]
    delete(cf, "qd")
    assert logs.describe_query_definitions()["queryDefinitions"] == []


def test_the_class_of_a_group_does_not_change_by_losing_its_events(cloud):
    cf, logs = cloud.client("cloudformation"), cloud.client("logs")
    g = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupClass": "STANDARD"}}
    create(cf, "lg-class", template({"G": g}))
    before = logs.describe_log_groups(logGroupNamePrefix="lg-class")["logGroups"]
    g["Properties"]["LogGroupClass"] = "INFREQUENT_ACCESS"
    update(cf, "lg-class", template({"G": g}), want="UPDATE_ROLLBACK_COMPLETE")
    assert logs.describe_log_groups(logGroupNamePrefix="lg-class")["logGroups"] == before and len(before) == 1
    delete(cf, "lg-class")
