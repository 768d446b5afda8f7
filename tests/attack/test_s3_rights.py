# SPDX-License-Identifier: Apache-2.0
"""S3: what a caller may do with half a right. Every test takes a way around one statement of a policy."""
import json
import uuid

import pytest
from botocore.exceptions import ClientError

from refusals import allow, deny, document, refused


def fresh():
    return "u" + uuid.uuid4().hex[:12]


@pytest.fixture
def bucket(s3):
    name = "rights-" + uuid.uuid4().hex[:12]
    s3.create_bucket(Bucket=name)
    return name


def as_user(cloud, *statements):
    return cloud.client("s3", key=cloud.user(fresh(), *statements), signature_version="s3v4")


def arn(bucket, key="*"):
    return "arn:aws:s3:::%s/%s" % (bucket, key)


def test_an_old_version_is_not_read_by_the_right_to_the_newest(cloud, s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket=bucket, Key="k", Body=b"old secret")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"new")
    me = as_user(cloud, allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:GetObjectTagging", "s3:GetObjectAcl"], arn(bucket)))
    assert me.get_object(Bucket=bucket, Key="k")["Body"].read() == b"new"
    for call, kw in ((me.get_object, {}), (me.get_object_tagging, {}), (me.get_object_acl, {}), (me.delete_object, {}), (me.delete_object_tagging, {}),
                     (me.put_object_tagging, {"Tagging": {"TagSet": []}}), (me.get_object_attributes, {"ObjectAttributes": ["ETag"]})):
        refused("AccessDenied", call, Bucket=bucket, Key="k", VersionId=old, **kw)
    with pytest.raises(ClientError) as e:
        me.head_object(Bucket=bucket, Key="k", VersionId=old)
    assert e.value.response["Error"]["Code"] == "403"
    refused("AccessDenied", me.copy_object, Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k", "VersionId": old})
    r = me.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "VersionId": old}, {"Key": "k"}]})
    assert [(x["Key"], x["Code"]) for x in r["Errors"]] == [("k", "AccessDenied")] and r["Deleted"][0]["DeleteMarker"]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=old)["Body"].read() == b"old secret"


def test_an_old_private_version_is_not_copied_by_the_acl_of_the_newest(cloud, s3, bucket):
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket=bucket, Key="k", Body=b"private then")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"public now", ACL="public-read")
    mine = "mine-" + uuid.uuid4().hex[:8]
    s3.create_bucket(Bucket=mine)
    me = as_user(cloud, allow("s3:PutObject", arn(mine)))
    me.copy_object(Bucket=mine, Key="c", CopySource={"Bucket": bucket, "Key": "k"})
    refused("AccessDenied", me.copy_object, Bucket=mine, Key="c", CopySource={"Bucket": bucket, "Key": "k", "VersionId": old})
    u = me.create_multipart_upload(Bucket=mine, Key="m")["UploadId"]
    refused("AccessDenied", me.upload_part_copy, Bucket=mine, Key="m", UploadId=u, PartNumber=1,
            CopySource={"Bucket": bucket, "Key": "k", "VersionId": old})


def test_copy_sources_are_compared_as_what_they_mean(cloud, s3, bucket):
    for k in ("public/a", "secret/a"):
        s3.put_object(Bucket=bucket, Key=k, Body=b"x")
    me = as_user(cloud, allow(["s3:GetObject", "s3:PutObject"], arn(bucket)),
                 deny("s3:PutObject", arn(bucket), Condition={"StringLike": {"s3:x-amz-copy-source": bucket + "/secret/*"}}))
    me.copy_object(Bucket=bucket, Key="c", CopySource="/%s/public/a" % bucket)
    for spelling in ("%s/secret/a", "/%s/secret/a", "%s/%%73ecret/a", "/%s/s%%65cret%%2fa"):
        refused("AccessDenied", me.copy_object, Bucket=bucket, Key="c", CopySource=spelling % bucket)
    only = as_user(cloud, allow("s3:GetObject", arn(bucket)),
                   allow("s3:PutObject", arn(bucket), Condition={"StringLike": {"s3:x-amz-copy-source": bucket + "/public/*"}}))
    only.copy_object(Bucket=bucket, Key="c", CopySource="%s/public/a" % bucket)
    refused("AccessDenied", only.copy_object, Bucket=bucket, Key="c", CopySource="%s/secret/a" % bucket)


def test_a_copy_needs_the_right_to_its_source_and_its_tags(cloud, s3, bucket):
    s3.put_object(Bucket=bucket, Key="s", Body=b"x", Tagging="class=secret")
    put = as_user(cloud, allow("s3:PutObject", arn(bucket)))
    refused("AccessDenied", put.copy_object, Bucket=bucket, Key="c", CopySource="%s/s" % bucket)
    both = as_user(cloud, allow(["s3:PutObject", "s3:GetObject"], arn(bucket)))
    refused("AccessDenied", both.copy_object, Bucket=bucket, Key="c", CopySource="%s/s" % bucket)
    both.copy_object(Bucket=bucket, Key="c", CopySource="%s/s" % bucket, TaggingDirective="REPLACE")
    tagger = as_user(cloud, allow(["s3:PutObject", "s3:GetObject", "s3:GetObjectTagging"], arn(bucket)),
                     allow("s3:PutObjectTagging", arn(bucket), Condition={"StringEquals": {"s3:RequestObjectTag/class": "open"}}))
    tagger.copy_object(Bucket=bucket, Key="c", CopySource="%s/s" % bucket, TaggingDirective="REPLACE", Tagging="class=open")
    refused("AccessDenied", tagger.copy_object, Bucket=bucket, Key="d", CopySource="%s/s" % bucket)
    # The header says "open", the directive takes the tags of the source.
    with pytest.raises(ClientError):
        tagger.copy_object(Bucket=bucket, Key="d", CopySource="%s/s" % bucket, Tagging="class=open")


def test_conditional_writes_are_no_oracle(cloud, s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"guess me")["ETag"]
    blind = as_user(cloud, allow(["s3:PutObject", "s3:DeleteObject"], arn(bucket)))
    refused("AccessDenied", blind.put_object, Bucket=bucket, Key="k", Body=b"x", IfMatch=etag)
    refused("AccessDenied", blind.put_object, Bucket=bucket, Key="k", Body=b"x", IfMatch='"0"')
    refused("AccessDenied", blind.delete_object, Bucket=bucket, Key="k", IfMatch='"0"')
    r = blind.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "ETag": '"0"'}]})
    assert r["Errors"][0]["Code"] == "AccessDenied"
    sees = as_user(cloud, allow(["s3:PutObject", "s3:GetObject"], arn(bucket)))
    refused("PreconditionFailed", sees.put_object, Bucket=bucket, Key="k", Body=b"x", IfMatch='"0"')
    sees.put_object(Bucket=bucket, Key="k", Body=b"x", IfMatch=etag)


def test_tags_and_acls_with_a_write_need_their_own_rights(cloud, s3, bucket):
    put = as_user(cloud, allow("s3:PutObject", arn(bucket)))
    for kw in ({"Tagging": "a=b"}, {"ACL": "bucket-owner-full-control"}, {"GrantRead": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'}):
        refused("AccessDenied", put.put_object, Bucket=bucket, Key="k", Body=b"x", **kw)
        refused("AccessDenied", put.create_multipart_upload, Bucket=bucket, Key="k", **kw)


def test_versions_named_in_delete_objects_are_seen_by_conditions(cloud, s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    keep, go = (s3.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"] for _ in range(2))
    me = as_user(cloud, allow("s3:DeleteObjectVersion", arn(bucket)),
                 deny("s3:DeleteObjectVersion", arn(bucket), Condition={"StringEquals": {"s3:VersionId": keep}}))
    refused("AccessDenied", me.delete_object, Bucket=bucket, Key="k", VersionId=keep)
    r = me.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "VersionId": keep}, {"Key": "k", "VersionId": go}]})
    assert [x["VersionId"] for x in r["Errors"]] == [keep] and [x["VersionId"] for x in r["Deleted"]] == [go]


def test_parts_of_an_upload_need_the_right_to_its_object(cloud, s3, bucket):
    u = s3.create_multipart_upload(Bucket=bucket, Key="a/k")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="a/k", UploadId=u, PartNumber=1, Body=b"x")
    me = as_user(cloud, allow("s3:*", arn(bucket, "b/*")), allow("s3:ListBucket"))
    for call, kw in ((me.upload_part, {"PartNumber": 2, "Body": b"y"}), (me.list_parts, {}), (me.abort_multipart_upload, {}),
                     (me.complete_multipart_upload, {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}})):
        refused("AccessDenied", call, Bucket=bucket, Key="a/k", UploadId=u, **kw)
        refused("NoSuchUpload", call, Bucket=bucket, Key="b/k", UploadId=u, **kw)
    refused("AccessDenied", me.list_multipart_uploads, Bucket=bucket)


def test_a_policy_outlives_no_principal_however_it_is_written(cloud, s3, bucket):
    """The user is deleted and another one gets his name: a policy that named the first says nothing of the second."""
    iam, name = cloud.client("iam"), fresh()
    first = cloud.user(name)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    plain = document({"Effect": "Allow", "Principal": {"AWS": first["Arn"]}, "Action": "s3:GetObject", "Resource": arn(bucket)})
    for text in (plain, plain.replace(":user/", ":user\\/"), plain.replace(":user/", ":\\u0075ser/"), plain.replace('"AWS": "%s"' % first["Arn"], '"AWS": ["%s"]' % first["Arn"])):
        s3.put_bucket_policy(Bucket=bucket, Policy=text)
        assert cloud.client("s3", key=first).get_object(Bucket=bucket, Key="k")
        iam.delete_access_key(UserName=name, AccessKeyId=first["AccessKeyId"])
        iam.delete_user(UserName=name)
        first = cloud.user(name)
        refused("AccessDenied", cloud.client("s3", key=first).get_object, Bucket=bucket, Key="k")
        assert first["Arn"] not in json.dumps(json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]))


def test_a_denial_of_a_name_stays_when_the_principal_goes(cloud, s3, bucket):
    """Conditions compare names: they go on to mean whoever has the name."""
    iam, name = cloud.client("iam"), fresh()
    first = cloud.user(name)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_policy(Bucket=bucket, Policy=document(
        {"Effect": "Allow", "Principal": {"AWS": first["Arn"]}, "Action": "s3:PutObject", "Resource": arn(bucket)},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": arn(bucket), "Condition": {"ArnEquals": {"aws:PrincipalArn": first["Arn"]}}}))
    iam.delete_access_key(UserName=name, AccessKeyId=first["AccessKeyId"])
    iam.delete_user(UserName=name)
    again = cloud.user(name, allow("s3:GetObject"))
    refused("AccessDenied", cloud.client("s3", key=again).get_object, Bucket=bucket, Key="k")


def test_a_role_outlives_no_trusted_user_however_it_is_written(cloud):
    iam, name = cloud.client("iam"), fresh()
    first = cloud.user(name)
    text = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": first["Arn"]}, "Action": "sts:AssumeRole"}]})
    role = iam.create_role(RoleName=fresh(), AssumeRolePolicyDocument=text.replace(":user/", ":user\\/"))["Role"]["Arn"]
    cloud.client("sts", key=first).assume_role(RoleArn=role, RoleSessionName="session")
    iam.delete_access_key(UserName=name, AccessKeyId=first["AccessKeyId"])
    iam.delete_user(UserName=name)
    refused("AccessDenied", cloud.client("sts", key=cloud.user(name)).assume_role, RoleArn=role, RoleSessionName="session")


def test_root_is_never_locked_out_of_the_policy(cloud, s3, bucket):
    s3.put_bucket_policy(Bucket=bucket, Policy=document({"Effect": "Deny", "Principal": "*", "Action": "s3:*",
                                                         "Resource": ["arn:aws:s3:::" + bucket, arn(bucket)]}))
    refused("AccessDenied", s3.list_objects_v2, Bucket=bucket)
    admin = as_user(cloud, allow("s3:*"))
    refused("AccessDenied", admin.get_bucket_policy, Bucket=bucket)
    refused("AccessDenied", admin.delete_bucket_policy, Bucket=bucket)
    assert "Deny" in s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=bucket)
    s3.list_objects_v2(Bucket=bucket)


def test_kms_decides_on_every_way_to_a_body(cloud, s3, bucket):
    kms = cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"sealed", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    s3.put_object(Bucket=bucket, Key="plain", Body=b"open")
    me = as_user(cloud, allow("s3:*"))
    refused("AccessDenied", me.get_object, Bucket=bucket, Key="k")
    refused("AccessDenied", me.copy_object, Bucket=bucket, Key="c", CopySource="%s/k" % bucket, ServerSideEncryption="AES256")
    refused("AccessDenied", me.put_object, Bucket=bucket, Key="w", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    refused("AccessDenied", me.create_multipart_upload, Bucket=bucket, Key="w", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    u = me.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    refused("AccessDenied", me.upload_part_copy, Bucket=bucket, Key="m", UploadId=u, PartNumber=1, CopySource="%s/k" % bucket)
    refused("AccessDenied", me.get_object_attributes, Bucket=bucket, Key="k", ObjectAttributes=["Checksum"])
    with pytest.raises(ClientError) as e:
        me.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert e.value.response["Error"]["Code"] == "403"
    # A key that is disabled opens nothing, not even for root, whole or in part.
    kms.disable_key(KeyId=key)
    for kw in ({}, {"Range": "bytes=0-0"}, {"PartNumber": 1}):
        refused("KMS.DisabledException", s3.get_object, Bucket=bucket, Key="k", **kw)
    refused("KMS.DisabledException", s3.copy_object, Bucket=bucket, Key="c", CopySource="%s/k" % bucket, ServerSideEncryption="AES256")


def test_via_s3_only_keys_and_their_context(cloud, s3, bucket):
    """A right to decrypt through S3 for one object's context opens neither other objects nor the key itself."""
    kms = cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    for k in ("a", "b"):
        s3.put_object(Bucket=bucket, Key=k, Body=b"sealed", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    me = cloud.user(fresh(), allow("s3:GetObject"), allow("kms:Decrypt", key, Condition={"StringEquals": {
        "kms:ViaService": "s3.us-east-1.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": arn(bucket, "a")}}))
    c = cloud.client("s3", key=me)
    assert c.get_object(Bucket=bucket, Key="a")["Body"].read() == b"sealed"
    refused("AccessDenied", c.get_object, Bucket=bucket, Key="b")
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"aws:s3:arn": arn(bucket, "a")})["CiphertextBlob"]
    refused("AccessDeniedException", cloud.client("kms", key=me).decrypt, CiphertextBlob=blob, EncryptionContext={"aws:s3:arn": arn(bucket, "a")})


def test_head_bucket_and_missing_keys_tell_nothing_without_list(cloud, s3, bucket):
    me = as_user(cloud, allow("s3:GetObject"))
    with pytest.raises(ClientError) as e:
        me.head_bucket(Bucket=bucket)
    assert e.value.response["Error"]["Code"] == "403"
    refused("AccessDenied", me.get_object, Bucket=bucket, Key="nothing")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="was", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="was")
    with pytest.raises(ClientError) as e:
        me.get_object(Bucket=bucket, Key="was")
    assert e.value.response["Error"]["Code"] == "AccessDenied" and "x-amz-delete-marker" not in e.value.response["ResponseMetadata"]["HTTPHeaders"]
    lists = as_user(cloud, allow(["s3:GetObject", "s3:ListBucket"]))
    lists.head_bucket(Bucket=bucket)
    refused("NoSuchKey", lists.get_object, Bucket=bucket, Key="nothing")


def test_listing_conditions(cloud, s3, bucket):
    for k in ("home/me/a", "home/you/b"):
        s3.put_object(Bucket=bucket, Key=k, Body=b"")
    me = as_user(cloud, allow("s3:ListBucket", Condition={"StringEquals": {"s3:prefix": "home/me/"}}),
                 allow("s3:ListBucketVersions", Condition={"NumericLessThanEquals": {"s3:max-keys": "2"}}))
    assert [o["Key"] for o in me.list_objects_v2(Bucket=bucket, Prefix="home/me/")["Contents"]] == ["home/me/a"]
    for kw in ({}, {"Prefix": "home/"}, {"Prefix": ""}, {"Prefix": "home/me/../you/"}):
        refused("AccessDenied", me.list_objects_v2, Bucket=bucket, **kw)
        refused("AccessDenied", me.list_objects, Bucket=bucket, **kw)
    refused("AccessDenied", me.list_object_versions, Bucket=bucket)
    me.list_object_versions(Bucket=bucket, MaxKeys=2)


def test_presigned_urls_carry_only_what_was_signed(cloud, s3, bucket):
    import urllib.error
    import urllib.request
    import ssl
    ctx = ssl.create_default_context(cafile=cloud.ca)

    def send(url, method, body=None, **headers):
        req = urllib.request.Request(url, data=body, method=method, headers={k.replace("_", "-"): v for k, v in headers.items()})
        try:
            return urllib.request.urlopen(req, context=ctx).status
        except urllib.error.HTTPError as e:
            return e.code
    s3 = cloud.client("s3", signature_version="s3v4")
    s3.put_object(Bucket=bucket, Key="secret", Body=b"secret")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "drop"})
    assert send(url, "PUT", b"", x_amz_copy_source="%s/secret" % bucket) == 403
    assert send(url, "PUT", b"x", x_amz_acl="bucket-owner-full-control") == 403
    assert send(url, "PUT", b"x", x_amz_tagging="a=b") == 403
    assert send(url + "&acl", "PUT", b"x") == 403 and send(url + "&x-amz-acl=public-read", "PUT", b"x") == 403
    assert send(url, "GET") == 403 and send(url, "DELETE") == 403
    assert send(url, "PUT", b"x") == 200
    get = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "secret"})
    assert send(get + "&response-content-type=text/html", "GET") == 403
    assert send(get.replace("/secret?", "/drop?"), "GET") == 403 and send(get, "GET") == 200
    me = as_user(cloud, allow("s3:GetObject"), deny("s3:GetObject", Condition={"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}))
    assert send(me.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "secret"}), "GET") == 403
    assert me.get_object(Bucket=bucket, Key="secret")["Body"].read() == b"secret"
    aged = as_user(cloud, allow("s3:GetObject"), deny("s3:GetObject", Condition={"NumericGreaterThan": {"s3:signatureAge": "0"}}))
    import time
    url = aged.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "secret"})
    time.sleep(1.1)
    assert send(url, "GET") == 403


def test_a_policy_that_demands_encryption_holds_for_uploads_in_parts(cloud, s3, bucket):
    """The header comes with CreateMultipartUpload alone: parts of an upload that has it pass, others never begin."""
    s3.put_bucket_policy(Bucket=bucket, Policy=document(
        {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": arn(bucket), "Condition": {"Null": {"s3:x-amz-server-side-encryption": "true"}}},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": arn(bucket), "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}}}))
    refused("AccessDenied", s3.put_object, Bucket=bucket, Key="k", Body=b"")
    refused("AccessDenied", s3.create_multipart_upload, Bucket=bucket, Key="k")
    refused("AccessDenied", s3.create_multipart_upload, Bucket=bucket, Key="k", ServerSideEncryption="aws:kms")
    u = s3.create_multipart_upload(Bucket=bucket, Key="k", ServerSideEncryption="AES256")["UploadId"]
    e = s3.upload_part(Bucket=bucket, Key="k", UploadId=u, PartNumber=1, Body=b"x")["ETag"]
    s3.put_object(Bucket=bucket, Key="source", Body=b"y", ServerSideEncryption="AES256")
    s3.upload_part_copy(Bucket=bucket, Key="k", UploadId=u, PartNumber=2, CopySource="%s/source" % bucket)
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=u, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": e}]})
    refused("AccessDenied", s3.upload_part, Bucket=bucket, Key="k", UploadId=u, PartNumber=1, Body=b"x")  # there is no such upload any more
