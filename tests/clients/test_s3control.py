# SPDX-License-Identifier: Apache-2.0
"""S3 Control: tags of buckets by ARN, which are those of GetBucketTagging. boto3 puts the account in front of the host name."""
import http.client
import json
import socket
import ssl

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from refusals import code


@pytest.fixture
def local_names(monkeypatch):
    """Names below .localhost lead to this machine whatever the resolver says."""
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: real("127.0.0.1" if str(host).endswith(".localhost") else host, *a, **k))


def test_one_set_of_tags(cloud, local_names):
    s3, ctl = cloud.client("s3"), cloud.client("s3control")
    s3.create_bucket(Bucket="control-tags")
    who = {"AccountId": cloud.account, "ResourceArn": "arn:aws:s3:::control-tags"}
    assert ctl.list_tags_for_resource(**who)["Tags"] == []
    ctl.tag_resource(Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}], **who)
    ctl.tag_resource(Tags=[{"Key": "a", "Value": "3"}, {"Key": "c", "Value": ""}], **who)
    ctl.untag_resource(TagKeys=["b", "none"], **who)
    want = [{"Key": "a", "Value": "3"}, {"Key": "c", "Value": ""}]
    assert ctl.list_tags_for_resource(**who)["Tags"] == want and s3.get_bucket_tagging(Bucket="control-tags")["TagSet"] == want
    s3.put_bucket_tagging(Bucket="control-tags", Tagging={"TagSet": [{"Key": "z", "Value": "y"}]})
    assert ctl.list_tags_for_resource(**who)["Tags"] == [{"Key": "z", "Value": "y"}]
    assert code(ctl.tag_resource, Tags=[{"Key": "aws:x", "Value": "1"}], **who) == "InvalidTag"
    assert code(ctl.tag_resource, Tags=[{"Key": "d", "Value": "1"}, {"Key": "d", "Value": "2"}], **who) == "InvalidTag"
    assert code(ctl.tag_resource, Tags=[{"Key": "k%d" % i, "Value": ""} for i in range(50)], **who) == "BadRequest"
    assert code(ctl.list_tags_for_resource, AccountId=cloud.account, ResourceArn="arn:aws:s3:::not-there-at-all") == "NoSuchBucket"
    assert code(ctl.get_public_access_block, AccountId=cloud.account) == "NotImplemented"


def test_rights(cloud, local_names):
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="control-rights")
    who = {"AccountId": cloud.account, "ResourceArn": "arn:aws:s3:::control-rights"}
    mine = cloud.client("s3control", key=cloud.user("ctl-reader", {"Effect": "Allow", "Action": "s3:ListTagsForResource", "Resource": "arn:aws:s3:::control-rights"}))
    assert mine.list_tags_for_resource(**who)["Tags"] == []
    assert code(mine.tag_resource, Tags=[{"Key": "a", "Value": "1"}], **who) == "AccessDenied"
    assert code(mine.untag_resource, TagKeys=["a"], **who) == "AccessDenied"
    only = cloud.client("s3control", key=cloud.user("ctl-bucket", {"Effect": "Allow", "Action": ["s3:PutBucketTagging", "s3:GetBucketTagging"], "Resource": "*"}))
    assert code(only.list_tags_for_resource, **who) == "AccessDenied"
    s3.put_bucket_policy(Bucket="control-rights", Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "s3:ListTagsForResource", "Resource": "arn:aws:s3:::control-rights"}]}))
    assert code(mine.list_tags_for_resource, **who) == "AccessDenied"
    root = cloud.client("s3control")
    assert code(root.tag_resource, AccountId="000000000000", ResourceArn=who["ResourceArn"], Tags=[{"Key": "a", "Value": "1"}]) == "AccessDenied"


@pytest.mark.parametrize("host", ["localhost", "{account}.localhost", "{account}.s3-control.us-east-1.amazonaws.com"])
def test_every_host_name(cloud, host):
    """The header names the account; the host may or may not."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="control-hosts")
    s3.put_bucket_tagging(Bucket="control-hosts", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    host = host.format(account=cloud.account)
    path = "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Acontrol-hosts"
    r = AWSRequest("GET", "https://%s%s" % (host, path), headers={"x-amz-account-id": cloud.account, "Host": host})
    S3SigV4Auth(Credentials(cloud.key, cloud.secret), "s3", "us-east-1").add_auth(r)
    context = ssl.create_default_context(cafile=cloud.ca)
    c = http.client.HTTPConnection(host)
    c.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", cloud.port)), server_hostname="localhost")
    c.request("GET", path, headers=dict(r.headers))
    a = c.getresponse()
    text = a.read().decode()
    assert a.status == 200 and "<Key>k</Key><Value>v</Value>" in text, text
