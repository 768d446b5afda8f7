# SPDX-License-Identifier: Apache-2.0
"""Every way to make something public, against the public access block; and what an unsigned caller may do at all."""
import itertools
import json
import uuid

import pytest
from botocore.exceptions import ClientError

from refusals import document, refused

ALL = "http://acs.amazonaws.com/groups/global/AllUsers"
SIGNED = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def grant(bucket, principal="*", action="s3:GetObject", effect="Allow", **kw):
    return dict({"Effect": effect, "Principal": principal, "Action": action, "Resource": ["arn:aws:s3:::" + bucket, "arn:aws:s3:::%s/*" % bucket]}, **kw)


def block(s3, bucket, *on):
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={f: f in on for f in FLAGS})


@pytest.fixture(scope="module")
def nobody(cloud):
    return cloud.client("s3", anonymous=True)


@pytest.fixture(scope="module")
def stranger(cloud):
    """Signed, without any right."""
    return cloud.client("s3", key=cloud.user("stranger"))


@pytest.fixture
def fresh(s3):
    """As CreateBucket leaves it, with one object."""
    name = "pub-" + uuid.uuid4().hex[:12]
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"body")
    return name


@pytest.fixture
def bucket(s3, fresh):
    """Nothing blocked, ACLs count."""
    block(s3, fresh)
    s3.put_bucket_ownership_controls(Bucket=fresh, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    return fresh


def reads(client, bucket, key="k"):
    try:
        return client.get_object(Bucket=bucket, Key=key)["Body"].read() == b"body"
    except ClientError as e:
        assert e.response["Error"]["Code"] == "AccessDenied", e
        return False


def test_a_new_bucket_cannot_be_made_public(s3, nobody, fresh):
    assert s3.get_public_access_block(Bucket=fresh)["PublicAccessBlockConfiguration"] == {f: True for f in FLAGS}
    refused("AccessDenied", s3.put_bucket_policy, Bucket=fresh, Policy=document(grant(fresh)))
    for kw in ({"ACL": "public-read"}, {"ACL": "authenticated-read"}, {"GrantRead": 'uri="%s"' % ALL}, {"GrantFullControl": 'uri="%s"' % SIGNED}):
        refused("AccessControlListNotSupported", s3.put_bucket_acl, Bucket=fresh, **kw)
        refused("AccessControlListNotSupported", s3.put_object_acl, Bucket=fresh, Key="k", **kw)
        refused("AccessControlListNotSupported", s3.put_object, Bucket=fresh, Key="n", Body=b"", **kw)
        refused("AccessControlListNotSupported", s3.create_multipart_upload, Bucket=fresh, Key="n", **kw)
        refused("AccessControlListNotSupported", s3.copy_object, Bucket=fresh, Key="n", CopySource="%s/k" % fresh, **kw)
    with pytest.raises(ClientError):
        s3.create_bucket(Bucket="pub-" + uuid.uuid4().hex[:8], ACL="public-read")
    with pytest.raises(ClientError):
        s3.create_bucket(Bucket="pub-" + uuid.uuid4().hex[:8], ACL="public-read", ObjectOwnership="ObjectWriter")
    assert not reads(nobody, fresh)


@pytest.mark.parametrize("kw", [{"ACL": "public-read"}, {"ACL": "public-read-write"}, {"ACL": "authenticated-read"}, {"GrantRead": 'uri="%s"' % ALL},
                                {"GrantReadACP": 'uri="%s"' % SIGNED}, {"GrantFullControl": 'uri="%s"' % ALL}, {"GrantWriteACP": 'uri="%s"' % ALL}])
def test_block_public_acls(s3, bucket, kw):
    block(s3, bucket, "BlockPublicAcls")
    refused("AccessDenied", s3.put_bucket_acl, Bucket=bucket, **kw)
    refused("AccessDenied", s3.put_object_acl, Bucket=bucket, Key="k", **kw)
    refused("AccessDenied", s3.put_object, Bucket=bucket, Key="n", Body=b"", **kw)
    refused("AccessDenied", s3.create_multipart_upload, Bucket=bucket, Key="n", **kw)
    refused("AccessDenied", s3.copy_object, Bucket=bucket, Key="n", CopySource="%s/k" % bucket, **kw)
    refused("NoSuchKey", s3.get_object, Bucket=bucket, Key="n")


def test_block_public_acls_in_bodies(s3, bucket):
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]
    block(s3, bucket, "BlockPublicAcls")
    for uri in (ALL, SIGNED):
        acl = {"Owner": owner, "Grants": [{"Grantee": {"Type": "Group", "URI": uri}, "Permission": "READ"}]}
        refused("AccessDenied", s3.put_bucket_acl, Bucket=bucket, AccessControlPolicy=acl)
        refused("AccessDenied", s3.put_object_acl, Bucket=bucket, Key="k", AccessControlPolicy=acl)
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    s3.put_object(Bucket=bucket, Key="n", Body=b"", ACL="bucket-owner-full-control")


def test_ignore_public_acls(s3, nobody, stranger, bucket):
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    assert reads(nobody, bucket) and reads(stranger, bucket)
    nobody.list_objects_v2(Bucket=bucket)
    nobody.put_object(Bucket=bucket, Key="dropped", Body=b"")
    block(s3, bucket, "IgnorePublicAcls")
    assert not reads(nobody, bucket) and not reads(stranger, bucket)
    for c in (nobody, stranger):
        refused("AccessDenied", c.list_objects_v2, Bucket=bucket)
        refused("AccessDenied", c.put_object, Bucket=bucket, Key="n", Body=b"")
        refused("AccessDenied", c.delete_object, Bucket=bucket, Key="k")
    assert reads(s3, bucket)
    block(s3, bucket)
    assert reads(nobody, bucket)


def test_bucket_owner_enforced_switches_acls_off(s3, nobody, bucket):
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    assert reads(nobody, bucket)
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
    assert not reads(nobody, bucket)
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]})
    assert reads(nobody, bucket)
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    refused("InvalidBucketAclWithObjectOwnership", s3.put_bucket_ownership_controls, Bucket=bucket,
            OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})


def test_an_upload_begun_before_the_block_does_not_end_public(s3, nobody, bucket):
    u = s3.create_multipart_upload(Bucket=bucket, Key="k", ACL="public-read")["UploadId"]
    p = s3.upload_part(Bucket=bucket, Key="k", UploadId=u, PartNumber=1, Body=b"body")["ETag"]
    block(s3, bucket, *FLAGS)
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=u, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": p}]})
    assert not reads(nobody, bucket)


# What is public, by S3's words: an Allow for everyone that no condition holds to fixed values.
def conditions(account):
    ip = "aws:SourceIp"
    return [
        (True, {}), (True, {"Condition": {"IpAddress": {ip: "0.0.0.0/0"}}}), (True, {"Condition": {"IpAddress": {ip: ["10.0.0.0/8", "0.0.0.0/1"]}}}),
        (True, {"Condition": {"StringLike": {"aws:PrincipalArn": "*"}}}), (True, {"Condition": {"StringLike": {"aws:userid": "*"}}}),
        (True, {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}), (True, {"Condition": {"StringEquals": {"aws:UserAgent": "x"}}}),
        (True, {"Condition": {"StringLike": {"aws:Referer": "https://example.com/*"}}}), (True, {"Condition": {"StringNotEquals": {"aws:PrincipalAccount": account}}}),
        (True, {"Condition": {"StringEqualsIfExists": {"aws:PrincipalAccount": account}}}), (True, {"Condition": {"NotIpAddress": {ip: "10.0.0.0/8"}}}),
        (True, {"Condition": {"StringEquals": {"aws:PrincipalAccount": "${aws:PrincipalAccount}"}}}),
        (True, {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}}),
        (False, {"Condition": {"IpAddress": {ip: "10.0.0.0/8"}}}), (False, {"Condition": {"StringEquals": {"aws:PrincipalAccount": account}}}),
        (False, {"Condition": {"StringEquals": {"aws:SourceVpce": "vpce-12345678"}}}), (False, {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}}}),
        (False, {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:cloudfront::%s:distribution/*" % account}}}),
    ]


def test_block_public_policy(s3, cloud, bucket):
    for public, kw in conditions(cloud.account):
        for principal in ("*", {"AWS": "*"}, {"AWS": [cloud.user("p" + uuid.uuid4().hex[:10])["Arn"], "*"]}):
            policy = document(grant(bucket, principal, **kw))
            block(s3, bucket)
            s3.put_bucket_policy(Bucket=bucket, Policy=policy)
            assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] == public, policy
            s3.delete_bucket_policy(Bucket=bucket)
            block(s3, bucket, "BlockPublicPolicy")
            if public:
                refused("AccessDenied", s3.put_bucket_policy, Bucket=bucket, Policy=policy)
            else:
                s3.put_bucket_policy(Bucket=bucket, Policy=policy)
                s3.delete_bucket_policy(Bucket=bucket)
    for policy in (document(grant(bucket, effect="Deny")), document(grant(bucket, {"AWS": cloud.account}))):
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)
        assert not s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
    refused("MalformedPolicy", s3.put_bucket_policy, Bucket=bucket, Policy=document(
        {"Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::%s:root" % cloud.account}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::%s/*" % bucket}))


def test_restrict_public_buckets(s3, cloud, nobody, stranger, bucket):
    s3.put_bucket_policy(Bucket=bucket, Policy=document(grant(bucket)))
    assert reads(nobody, bucket) and reads(stranger, bucket)
    block(s3, bucket, "RestrictPublicBuckets")
    assert not reads(nobody, bucket)
    assert reads(stranger, bucket) and reads(s3, bucket)  # the bucket's own account
    # A denial in the policy goes on to count for those who still may.
    s3.put_bucket_policy(Bucket=bucket, Policy=document(grant(bucket), grant(bucket, effect="Deny", action="s3:DeleteObject")))
    refused("AccessDenied", cloud.client("s3", key=cloud.user("d" + uuid.uuid4().hex[:8], {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})).delete_object,
            Bucket=bucket, Key="k")


def test_restriction_does_not_lift_denials_for_acl_readers(s3, nobody, bucket):
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="d", Body=b"body", ACL="public-read")
    s3.put_bucket_policy(Bucket=bucket, Policy=document(grant(bucket, action="s3:ListBucket"), dict(
        grant(bucket, effect="Deny"), Resource="arn:aws:s3:::%s/d" % bucket)))
    block(s3, bucket, "RestrictPublicBuckets")
    assert reads(nobody, bucket, "k") and not reads(nobody, bucket, "d")
    refused("AccessDenied", nobody.list_objects_v2, Bucket=bucket)


# --- the unsigned caller ---
def calls(bucket, key="k"):
    b, k = {"Bucket": bucket}, {"Bucket": bucket, "Key": key}
    return [
        ("s3:GetObject", "get_object", k), ("s3:GetObjectAcl", "get_object_acl", k), ("s3:GetObjectTagging", "get_object_tagging", k),
        ("s3:PutObject", "put_object", dict(b, Key="n", Body=b"")), ("s3:DeleteObject", "delete_object", dict(b, Key="n")),
        ("s3:PutObjectAcl", "put_object_acl", dict(k, ACL="private")), ("s3:PutObjectTagging", "put_object_tagging", dict(k, Tagging={"TagSet": []})),
        ("s3:DeleteObjectTagging", "delete_object_tagging", k), ("s3:ListBucket", "list_objects_v2", b), ("s3:ListBucket", "list_objects", b),
        ("s3:ListBucketVersions", "list_object_versions", b), ("s3:ListBucketMultipartUploads", "list_multipart_uploads", b),
        ("s3:GetBucketAcl", "get_bucket_acl", b), ("s3:GetBucketVersioning", "get_bucket_versioning", b), ("s3:GetBucketLocation", "get_bucket_location", b),
        ("s3:GetEncryptionConfiguration", "get_bucket_encryption", b), ("s3:GetBucketPolicyStatus", "get_bucket_policy_status", b),
        ("s3:GetBucketPublicAccessBlock", "get_public_access_block", b),
        ("s3:PutObject", "create_multipart_upload", dict(b, Key="m")),
        ("s3:PutBucketVersioning", "put_bucket_versioning", dict(b, VersioningConfiguration={"Status": "Suspended"})),
        ("s3:PutBucketTagging", "put_bucket_tagging", dict(b, Tagging={"TagSet": []})),
    ]


def outcome(client, name, kw):
    try:
        getattr(client, name)(**kw)
        return None
    except ClientError as e:
        return e.response["Error"]["Code"]


def test_unsigned_calls_need_a_grant_for_exactly_that_action(s3, nobody, bucket):
    for action, name, kw in calls(bucket):
        s3.delete_bucket_policy(Bucket=bucket)
        assert outcome(nobody, name, kw) == "AccessDenied", name
        s3.put_bucket_policy(Bucket=bucket, Policy=document(grant(bucket, action=[a for a in {x[0] for x in calls(bucket)} if a != action])))
        assert outcome(nobody, name, kw) == "AccessDenied", "%s by the right to anything else" % name
        s3.put_bucket_policy(Bucket=bucket, Policy=document(grant(bucket, action=action)))
        assert outcome(nobody, name, kw) is None, name


def test_a_policy_for_everyone_makes_nobody_its_owner(s3, nobody, bucket):
    """Bucket policies are read and written by the bucket's own account only, whatever they grant."""
    s3.put_bucket_policy(Bucket=bucket, Policy=document(grant(bucket, action="s3:*")))
    for name, kw in (("get_bucket_policy", {}), ("put_bucket_policy", {"Policy": document(grant(bucket))}), ("delete_bucket_policy", {})):
        assert outcome(nobody, name, dict(kw, Bucket=bucket)) == "MethodNotAllowed", name
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]["Action"] == "s3:*"


def test_unsigned_calls_of_other_kinds(cloud, s3, nobody, bucket):
    with pytest.raises(ClientError):
        nobody.list_buckets()
    with pytest.raises(ClientError):
        nobody.create_bucket(Bucket="pub-" + uuid.uuid4().hex[:8])
    r = nobody.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
    assert [e["Code"] for e in r["Errors"]] == ["AccessDenied"] and "Deleted" not in r
    assert reads(s3, bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=document(grant(bucket)))
    refused("InvalidRequest", nobody.get_object, Bucket=bucket, Key="k", ResponseContentType="text/html")
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"body", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    refused("InvalidArgument", nobody.get_object, Bucket=bucket, Key="k")


@pytest.mark.parametrize("perm,bucket_level", list(itertools.product(["READ", "WRITE", "READ_ACP", "WRITE_ACP"], [True, False])))
def test_acl_permissions_mean_what_they_say(s3, nobody, bucket, perm, bucket_level):
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]
    acl = {"Owner": owner, "Grants": [{"Grantee": {"Type": "Group", "URI": ALL}, "Permission": perm}]}
    if bucket_level:
        s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=acl)
        may = {"READ": {"list_objects_v2", "list_objects", "list_object_versions", "list_multipart_uploads"}, "READ_ACP": {"get_bucket_acl"},
               "WRITE": {"put_object", "delete_object", "create_multipart_upload"}, "WRITE_ACP": {"put_bucket_acl"}}[perm]
    else:
        s3.put_object_acl(Bucket=bucket, Key="k", AccessControlPolicy=acl)
        may = {"READ": {"get_object"}, "READ_ACP": {"get_object_acl"}, "WRITE": set(), "WRITE_ACP": {"put_object_acl"}}[perm]
    every = [(n, kw) for _, n, kw in calls(bucket) if n != "put_object_acl"]
    every += [("put_bucket_acl", {"Bucket": bucket, "AccessControlPolicy": acl}), ("put_object_acl", {"Bucket": bucket, "Key": "k", "AccessControlPolicy": dict(acl)})]
    for name, kw in every:
        if name == "put_object_acl" and name in may:
            kw = dict(kw, AccessControlPolicy={"Owner": owner, "Grants": acl["Grants"]})
        assert outcome(nobody, name, kw) == (None if name in may else "AccessDenied"), name
