# SPDX-License-Identifier: Apache-2.0
"""Who may do what in S3: policies, ACLs, public access, encryption keys, and attempts to get around them."""
import json
import uuid

import pytest
from botocore.exceptions import ClientError

from refusals import refused

ALLOW = lambda *actions, **kw: dict({"Effect": "Allow", "Action": list(actions), "Resource": "*"}, **kw)
DENY = lambda *actions, **kw: dict({"Effect": "Deny", "Action": list(actions), "Resource": "*"}, **kw)


@pytest.fixture
def bucket(s3):
    name = "a-" + uuid.uuid4().hex
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"data", Tagging="class=secret")
    return name


@pytest.fixture
def as_user(cloud):
    def make(*statements):
        u = cloud.user("u-" + uuid.uuid4().hex[:12], *statements)
        c = cloud.client("s3", key=u["AccessKeyId"], secret=u["SecretAccessKey"])
        c.arn, c.creds = u["Arn"], u
        return c
    return make


def policy(s3, bucket, *statements):
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def statement(effect, principal, action, bucket, path="/*", **condition):
    s = {"Effect": effect, "Principal": principal, "Action": action, "Resource": "arn:aws:s3:::%s%s" % (bucket, path)}
    if condition:
        s["Condition"] = condition
    return s


def public(s3, bucket):
    s3.delete_public_access_block(Bucket=bucket)


# --- identity policies ---
def test_nothing_is_allowed_by_default(s3, bucket, as_user):
    u = as_user()
    for call, kw in ((u.get_object, {"Key": "k"}), (u.put_object, {"Key": "x", "Body": b""}), (u.delete_object, {"Key": "k"}), (u.list_objects_v2, {}),
                     (u.get_bucket_policy, {}), (u.delete_bucket, {}), (u.put_bucket_policy, {"Policy": "{}"}), (u.get_bucket_acl, {}),
                     (u.create_multipart_upload, {"Key": "k"}), (u.get_object_tagging, {"Key": "k"}), (u.list_object_versions, {}),
                     (u.put_bucket_versioning, {"VersioningConfiguration": {"Status": "Enabled"}}), (u.put_bucket_encryption, {
                         "ServerSideEncryptionConfiguration": {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}}),
                     (u.delete_public_access_block, {}), (u.copy_object, {"Key": "c", "CopySource": bucket + "/k"}),
                     (u.put_bucket_lifecycle_configuration, {"LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]}})):
        message = refused("AccessDenied", call, Bucket=bucket, **kw)
        assert u.arn in message and "because no identity-based policy allows" in message
    refused("403", u.head_object, Bucket=bucket, Key="k")
    refused("403", u.head_bucket, Bucket=bucket)
    refused("AccessDenied", u.list_buckets)
    refused("AccessDenied", u.create_bucket, Bucket=bucket + "x")
    out = u.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
    assert out["Errors"][0]["Code"] == "AccessDenied" and "Deleted" not in out
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"data"


def test_the_sentence_quotes_the_arn(bucket, as_user):
    u = as_user()
    assert 'on resource: "arn:aws:s3:::%s/k" because' % bucket in refused("AccessDenied", u.get_object, Bucket=bucket, Key="k")


def test_missing_keys_are_hidden_from_who_may_not_list(bucket, as_user):
    refused("AccessDenied", as_user(ALLOW("s3:GetObject")).get_object, Bucket=bucket, Key="nope")
    refused("NoSuchKey", as_user(ALLOW("s3:GetObject", "s3:ListBucket")).get_object, Bucket=bucket, Key="nope")


def test_versions_need_their_own_rights(s3, bucket, as_user):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    v = s3.put_object(Bucket=bucket, Key="k", Body=b"v")["VersionId"]
    u = as_user(ALLOW("s3:GetObject", "s3:DeleteObject", "s3:PutObject", "s3:GetObjectTagging"))
    assert u.get_object(Bucket=bucket, Key="k")["Body"].read() == b"v"
    refused("AccessDenied", u.get_object, Bucket=bucket, Key="k", VersionId=v)
    refused("AccessDenied", u.delete_object, Bucket=bucket, Key="k", VersionId=v)
    refused("AccessDenied", u.get_object_tagging, Bucket=bucket, Key="k", VersionId=v)
    refused("AccessDenied", u.copy_object, Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k", "VersionId": v})
    out = u.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "VersionId": v}]})
    assert out["Errors"][0]["Code"] == "AccessDenied"
    assert as_user(ALLOW("s3:GetObjectVersion")).get_object(Bucket=bucket, Key="k", VersionId=v)["Body"].read() == b"v"


def test_writing_tags_or_acls_along_needs_their_rights(bucket, as_user):
    u = as_user(ALLOW("s3:PutObject", "s3:GetObject"))
    u.put_object(Bucket=bucket, Key="x", Body=b"")
    refused("AccessDenied", u.put_object, Bucket=bucket, Key="x", Body=b"", Tagging="a=b")
    refused("AccessDenied", u.put_object, Bucket=bucket, Key="x", Body=b"", ACL="private")
    refused("AccessDenied", u.create_multipart_upload, Bucket=bucket, Key="x", Tagging="a=b")
    refused("AccessDenied", u.copy_object, Bucket=bucket, Key="x", CopySource=bucket + "/k")  # its tags would come along
    refused("AccessDenied", u.copy_object, Bucket=bucket, Key="x", CopySource=bucket + "/k", TaggingDirective="REPLACE", Tagging="a=b")
    u.copy_object(Bucket=bucket, Key="x", CopySource=bucket + "/k", TaggingDirective="REPLACE")


def test_copying_needs_to_read_the_source(s3, bucket, as_user):
    s3.create_bucket(Bucket=bucket + "-t")
    u = as_user(ALLOW("s3:PutObject", Resource="arn:aws:s3:::%s-t/*" % bucket))
    refused("AccessDenied", u.copy_object, Bucket=bucket + "-t", Key="x", CopySource=bucket + "/k")
    up = u.create_multipart_upload(Bucket=bucket + "-t", Key="x")["UploadId"]
    refused("AccessDenied", u.upload_part_copy, Bucket=bucket + "-t", Key="x", UploadId=up, PartNumber=1, CopySource=bucket + "/k")
    # a source that tries to be another key than the one that is checked
    for trick in ("%s/../%s/k" % (bucket, bucket), "/%s//k" % bucket, "%s/k?versionId=" % bucket, "%s%%2Fk" % bucket, bucket, "/" + bucket + "/"):
        with pytest.raises(ClientError) as e:
            u.copy_object(Bucket=bucket + "-t", Key="x", CopySource=trick)
        assert e.value.response["Error"]["Code"] in ("AccessDenied", "InvalidArgument", "NoSuchBucket"), trick


@pytest.mark.parametrize("condition,good,bad", [
    ({"StringEquals": {"s3:prefix": "home/"}}, {"Prefix": "home/"}, {"Prefix": "other/"}),
    ({"StringLike": {"s3:prefix": "home/*"}}, {"Prefix": "home/x"}, {}),
    ({"StringEquals": {"s3:delimiter": "/"}}, {"Delimiter": "/"}, {"Delimiter": "x"}),
    ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, {"MaxKeys": 10}, {"MaxKeys": 11}),
])
def test_listing_conditions(bucket, as_user, condition, good, bad):
    u = as_user(ALLOW("s3:ListBucket", Condition=condition))
    u.list_objects_v2(Bucket=bucket, **good)
    refused("AccessDenied", u.list_objects_v2, Bucket=bucket, **bad)
    refused("AccessDenied", u.list_objects, Bucket=bucket, **bad)


def test_tag_conditions(s3, bucket, as_user):
    s3.put_object(Bucket=bucket, Key="open", Body=b"o", Tagging="class=open")
    s3.put_object(Bucket=bucket, Key="bare", Body=b"b")
    u = as_user(ALLOW("s3:GetObject", Condition={"StringEquals": {"s3:ExistingObjectTag/class": "open"}}), ALLOW("s3:PutObject"))
    assert u.get_object(Bucket=bucket, Key="open")["Body"].read() == b"o"
    refused("AccessDenied", u.get_object, Bucket=bucket, Key="k")
    refused("AccessDenied", u.get_object, Bucket=bucket, Key="bare")
    refused("AccessDenied", u.copy_object, Bucket=bucket, Key="open", CopySource=bucket + "/k", TaggingDirective="REPLACE")  # the source's tag counts
    w = as_user(ALLOW("s3:PutObject"), ALLOW("s3:PutObjectTagging", Condition={"StringEquals": {"s3:RequestObjectTag/class": "open"}}))
    w.put_object(Bucket=bucket, Key="x", Body=b"", Tagging="class=open")
    refused("AccessDenied", w.put_object, Bucket=bucket, Key="x", Body=b"", Tagging="class=secret")
    refused("AccessDenied", w.put_object_tagging, Bucket=bucket, Key="x", Tagging={"TagSet": [{"Key": "class", "Value": "secret"}]})
    w.put_object_tagging(Bucket=bucket, Key="x", Tagging={"TagSet": [{"Key": "class", "Value": "open"}]})


def test_encryption_conditions(bucket, as_user):
    u = as_user(ALLOW("s3:PutObject"), DENY("s3:PutObject", Condition={"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}}))
    u.put_object(Bucket=bucket, Key="x", Body=b"", ServerSideEncryption="AES256")
    assert "explicit deny" in refused("AccessDenied", u.put_object, Bucket=bucket, Key="x", Body=b"")
    refused("AccessDenied", u.put_object, Bucket=bucket, Key="x", Body=b"", ServerSideEncryption="aws:kms")


def test_presigned_can_be_denied(cloud, bucket, as_user):
    import ssl
    import urllib.error
    import urllib.request
    u = as_user(ALLOW("s3:GetObject"), DENY("s3:GetObject", Condition={"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}))
    signer = cloud.client("s3", key=u.creds["AccessKeyId"], secret=u.creds["SecretAccessKey"], signature_version="s3v4")
    assert u.get_object(Bucket=bucket, Key="k")["Body"].read() == b"data"
    with pytest.raises(urllib.error.HTTPError) as e:
        urllib.request.urlopen(signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}), context=ssl.create_default_context(cafile=cloud.ca))
    assert e.value.code == 403


# --- bucket policies ---
def test_a_bucket_policy_grants_and_denies(s3, bucket, as_user, cloud):
    u = as_user()
    policy(s3, bucket, statement("Allow", {"AWS": u.arn}, "s3:GetObject", bucket))
    assert u.get_object(Bucket=bucket, Key="k")["Body"].read() == b"data"
    refused("AccessDenied", u.put_object, Bucket=bucket, Key="k", Body=b"")
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]["Principal"]["AWS"] == u.arn
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is False
    policy(s3, bucket, statement("Deny", "*", "s3:GetObject", bucket))
    assert "explicit deny in a resource-based policy" in refused("AccessDenied", as_user(ALLOW("s3:*")).get_object, Bucket=bucket, Key="k")
    refused("AccessDenied", s3.get_object, Bucket=bucket, Key="k")  # root, too; but it can always take the policy away
    policy(s3, bucket, statement("Deny", "*", "s3:*", bucket, ""), statement("Deny", "*", "s3:*", bucket))
    s3.delete_bucket_policy(Bucket=bucket)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"data"


def test_plain_http_is_denied_where_the_policy_says_so(s3, bucket, cloud):
    plain = cloud.client("s3", plain=True)
    assert plain.get_object(Bucket=bucket, Key="k")["Body"].read() == b"data"
    policy(s3, bucket, statement("Deny", {"AWS": "*"}, "s3:*", bucket, "", Bool={"aws:SecureTransport": "false"}),
           statement("Deny", {"AWS": "*"}, "s3:*", bucket, Bool={"aws:SecureTransport": "false"}))
    refused("AccessDenied", plain.get_object, Bucket=bucket, Key="k")
    refused("AccessDenied", plain.list_objects_v2, Bucket=bucket)
    refused("AccessDenied", plain.put_object, Bucket=bucket, Key="k", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"data"


def test_a_successor_of_the_same_name_gets_nothing(s3, bucket, cloud):
    iam = cloud.client("iam")
    name = "heir-" + uuid.uuid4().hex[:8]
    first = cloud.user(name)
    policy(s3, bucket, statement("Allow", {"AWS": first["Arn"]}, "s3:GetObject", bucket))
    iam.delete_access_key(UserName=name, AccessKeyId=first["AccessKeyId"])
    iam.delete_user(UserName=name)
    second = cloud.user(name)
    refused("AccessDenied", cloud.client("s3", key=second["AccessKeyId"], secret=second["SecretAccessKey"]).get_object, Bucket=bucket, Key="k")
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]["Principal"]["AWS"].startswith("AIDA")


@pytest.mark.parametrize("doc,message", [
    ("not json", "Policies must be valid JSON"), ("{}", None), ('{"Version":"2012-10-17","Statement":[]}', None),
    ({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::other/*"}, "Policy has invalid resource"),
    ({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}, "Policy has invalid resource"),
    ({"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "arn:aws:s3:::BUCKET"}, "Policy has invalid action"),
    ({"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::ACCOUNT:user/nobody"}, "Action": "s3:*", "Resource": "arn:aws:s3:::BUCKET"}, "Invalid principal in policy"),
    ({"Effect": "Deny", "Principal": {"AWS": "nonsense"}, "Action": "s3:*", "Resource": "arn:aws:s3:::BUCKET"}, "Invalid principal in policy"),
    ({"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::BUCKET"}, None),
])
def test_malformed_policies(s3, bucket, cloud, doc, message):
    text = doc if isinstance(doc, str) else json.dumps({"Version": "2012-10-17", "Statement": [doc]})
    got = refused("MalformedPolicy", s3.put_bucket_policy, Bucket=bucket, Policy=text.replace("BUCKET", bucket).replace("ACCOUNT", cloud.account))
    assert message is None or message in got
    refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=bucket)


# --- public access ---
def test_public_policies_are_blocked_and_restricted(s3, bucket, cloud):
    nobody = cloud.client("s3", anonymous=True)
    everyone = statement("Allow", "*", "s3:GetObject", bucket)
    assert refused("AccessDenied", nobody.get_object, Bucket=bucket, Key="k") == "Access Denied"
    assert "BlockPublicPolicy" in refused("AccessDenied", policy_call(s3), Bucket=bucket, Statement=everyone)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
    policy(s3, bucket, everyone)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True
    refused("AccessDenied", nobody.get_object, Bucket=bucket, Key="k")
    public(s3, bucket)
    assert nobody.get_object(Bucket=bucket, Key="k")["Body"].read() == b"data"
    refused("InvalidRequest", nobody.get_object, Bucket=bucket, Key="k", ResponseContentType="text/html")
    for call, kw in ((nobody.put_object, {"Key": "k", "Body": b""}), (nobody.list_objects_v2, {}), (nobody.delete_object, {"Key": "k"}), (nobody.get_bucket_policy, {})):
        assert refused("AccessDenied", call, Bucket=bucket, **kw) == "Access Denied"
    out = nobody.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
    assert out["Errors"][0]["Code"] == "AccessDenied"


def policy_call(s3):
    return lambda Bucket, Statement: policy(s3, Bucket, Statement)


def test_anonymous_requests_find_the_bucket_in_its_region(cloud):
    west = cloud.client("s3", region="us-west-2")
    name = "w-" + uuid.uuid4().hex
    west.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    west.put_object(Bucket=name, Key="k", Body=b"west")
    west.delete_public_access_block(Bucket=name)
    policy(west, name, statement("Allow", "*", "s3:GetObject", name))
    assert cloud.client("s3", anonymous=True).get_object(Bucket=name, Key="k")["Body"].read() == b"west"


def test_public_acls(s3, bucket, cloud):
    nobody = cloud.client("s3", anonymous=True)
    public(s3, bucket)
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    s3.put_object(Bucket=bucket, Key="pub", Body=b"pub", ACL="public-read")
    assert nobody.get_object(Bucket=bucket, Key="pub")["Body"].read() == b"pub"
    refused("AccessDenied", nobody.get_object, Bucket=bucket, Key="k")
    refused("AccessDenied", nobody.list_objects_v2, Bucket=bucket)
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    nobody.list_objects_v2(Bucket=bucket)
    nobody.put_object(Bucket=bucket, Key="mine", Body=b"x")
    policy(s3, bucket, statement("Deny", "*", "s3:GetObject", bucket, "/pub"))
    refused("AccessDenied", nobody.get_object, Bucket=bucket, Key="pub")  # a deny outweighs the grant
    s3.delete_bucket_policy(Bucket=bucket)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
    refused("AccessDenied", nobody.get_object, Bucket=bucket, Key="pub")
    refused("AccessDenied", nobody.put_object, Bucket=bucket, Key="mine", Body=b"x")
    public(s3, bucket)
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
    refused("AccessDenied", nobody.get_object, Bucket=bucket, Key="pub")  # ACLs are off


# --- keys ---
def test_key_policies_decide(s3, bucket, as_user, cloud):
    kms = cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]
    s3.put_object(Bucket=bucket, Key="s", Body=b"secret", ServerSideEncryption="aws:kms", SSEKMSKeyId=key["Arn"])
    u = as_user(ALLOW("s3:*"))
    assert "kms:Decrypt" in refused("AccessDenied", u.get_object, Bucket=bucket, Key="s")
    assert "kms:GenerateDataKey" in refused("AccessDenied", u.put_object, Bucket=bucket, Key="t", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId=key["Arn"])
    refused("AccessDenied", u.copy_object, Bucket=bucket, Key="t", CopySource=bucket + "/s", ServerSideEncryption="AES256")
    refused("AccessDenied", u.create_multipart_upload, Bucket=bucket, Key="t", ServerSideEncryption="aws:kms", SSEKMSKeyId=key["Arn"])
    via = as_user(ALLOW("s3:*"), ALLOW("kms:Decrypt", "kms:GenerateDataKey", Condition={"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}))
    assert via.get_object(Bucket=bucket, Key="s")["Body"].read() == b"secret"
    direct = cloud.client("kms", key=via.creds["AccessKeyId"], secret=via.creds["SecretAccessKey"])
    refused("AccessDeniedException", direct.generate_data_key, KeyId=key["KeyId"], KeySpec="AES_256")
    only = as_user(ALLOW("s3:*"), ALLOW("kms:Decrypt", Condition={"StringEquals": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::%s/s" % bucket}}))
    assert only.get_object(Bucket=bucket, Key="s")["Body"].read() == b"secret"
    s3.copy_object(Bucket=bucket, Key="other", CopySource=bucket + "/s", ServerSideEncryption="aws:kms", SSEKMSKeyId=key["Arn"])
    refused("AccessDenied", only.get_object, Bucket=bucket, Key="other")  # bound to its own object
    public(s3, bucket)
    policy(s3, bucket, statement("Allow", "*", "s3:GetObject", bucket))
    nobody = cloud.client("s3", anonymous=True)
    assert nobody.get_object(Bucket=bucket, Key="k")["Body"].read() == b"data"
    refused("InvalidArgument", nobody.get_object, Bucket=bucket, Key="s")


def test_expected_owner(s3, bucket, cloud):
    s3.get_object(Bucket=bucket, Key="k", ExpectedBucketOwner=cloud.account)
    refused("AccessDenied", s3.get_object, Bucket=bucket, Key="k", ExpectedBucketOwner="000000000000")
    refused("AccessDenied", s3.put_object, Bucket=bucket, Key="k", Body=b"", ExpectedBucketOwner="000000000000")
    refused("AccessDenied", s3.delete_bucket, Bucket=bucket, ExpectedBucketOwner="000000000000")


def test_refused_uploads_leave_nothing(own_cloud):
    s3 = own_cloud.client("s3")
    s3.create_bucket(Bucket="nothing")
    u = own_cloud.user("intruder", {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"})
    intruder = own_cloud.client("s3", key=u["AccessKeyId"], secret=u["SecretAccessKey"])
    for i in range(3):
        refused("AccessDenied", intruder.put_object, Bucket="nothing", Key="k", Body=b"x" * 100000)
    refused("BadDigest", s3.put_object, Bucket="nothing", Key="k", Body=b"x" * 100000, ChecksumCRC32="AAAAAA==")
    s3.put_object(Bucket="nothing", Key="k", Body=b"y" * 100000)
    refused("PreconditionFailed", s3.put_object, Bucket="nothing", Key="k", Body=b"x" * 100000, IfNoneMatch="*")
    left = [p for d in ("objects", "tmp") for p in (own_cloud.data / "regions" / "us-east-1" / d).rglob("*") if p.is_file()]
    assert len(left) == 1  # the one object
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="nothing")["Contents"]] == ["k"]


def test_a_private_acl_needs_no_right_of_its_own(cloud):
    u = cloud.user("bucket-maker", {"Effect": "Allow", "Action": "s3:CreateBucket", "Resource": "*"})
    s3 = cloud.client("s3", key=u)
    s3.create_bucket(Bucket="acl-private", ACL="private")
    with pytest.raises(ClientError) as e:
        s3.create_bucket(Bucket="acl-public", ACL="public-read", ObjectOwnership="ObjectWriter")
    assert e.value.response["Error"]["Code"] == "AccessDenied"
    may = cloud.user("acl-maker", {"Effect": "Allow", "Action": ["s3:CreateBucket", "s3:PutBucketOwnershipControls"], "Resource": "*"})
    with pytest.raises(ClientError) as e:
        cloud.client("s3", key=may).create_bucket(Bucket="acl-public", ACL="public-read", ObjectOwnership="ObjectWriter")
    assert e.value.response["Error"]["Code"] == "AccessDenied" and "s3:PutBucketAcl" in e.value.response["Error"]["Message"]
    assert "acl-public" not in [b["Name"] for b in cloud.client("s3").list_buckets()["Buckets"]]
