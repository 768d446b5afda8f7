# SPDX-License-Identifier: Apache-2.0
"""Time moves: sessions end, keys rotate, what was scheduled happens, also after a crash."""
import json
import time
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError
from cloud_load import command


def code_of(fn, **kw):
    with pytest.raises(ClientError) as e:
        fn(**kw)
    return e.value.response["Error"]["Code"]


def soon(what):
    end = time.time() + 10
    while time.time() < end:
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("it does not happen")


def test_sessions_end(own_cloud):
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::%s:root" % own_cloud.account}, "Action": "sts:AssumeRole"}]}
    iam = own_cloud.client("iam")
    iam.create_role(RoleName="short", AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName="short", PolicyName="p", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["kms:ListKeys", "s3:*"], "Resource": "*"}]}))
    u = own_cloud.user("assumer", {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})
    creds = own_cloud.client("sts", key=u).assume_role(RoleArn="arn:aws:iam::%s:role/short" % own_cloud.account, RoleSessionName="session", DurationSeconds=900)["Credentials"]
    kms = own_cloud.client("kms", key=creds)
    own_cloud.client("s3").create_bucket(Bucket="clock")
    own_cloud.client("s3").put_object(Bucket="clock", Key="k", Body=b"x")
    url = own_cloud.client("s3", key=creds, plain=True, signature_version="s3v4").generate_presigned_url("get_object", Params={"Bucket": "clock", "Key": "k"}, ExpiresIn=3600)
    command(own_cloud, "clock", "+14m")
    kms.list_keys()
    assert urllib.request.urlopen(url).read() == b"x"
    command(own_cloud, "clock", "+2m")
    assert code_of(kms.list_keys) == "ExpiredTokenException"
    with pytest.raises(urllib.error.HTTPError) as e:  # a URL lives no longer than the session that signed it
        urllib.request.urlopen(url)
    assert e.value.code == 400 and b"ExpiredToken" in e.value.read()


def test_presigned_urls_expire(own_cloud):
    """They are stamped with the client's time, so it is the client's time that ends them."""
    s3 = own_cloud.client("s3", plain=True, signature_version="s3v4")
    s3.create_bucket(Bucket="clock")
    s3.put_object(Bucket="clock", Key="k", Body=b"x")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "clock", "Key": "k"}, ExpiresIn=1)
    assert urllib.request.urlopen(url).read() == b"x"
    time.sleep(2.1)
    with pytest.raises(urllib.error.HTTPError) as e:
        urllib.request.urlopen(url)
    assert e.value.code == 403


def test_rotation_and_deletion_survive_a_crash(own_cloud):
    kms = own_cloud.client("kms")
    turn, doomed, kept = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(3))
    kms.create_alias(AliasName="alias/doomed", TargetKeyId=doomed)
    kms.enable_key_rotation(KeyId=turn, RotationPeriodInDays=90)
    old = kms.encrypt(KeyId=turn, Plaintext=b"old")["CiphertextBlob"]
    lost = kms.encrypt(KeyId=doomed, Plaintext=b"lost")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=doomed, PendingWindowInDays=7)
    kms.schedule_key_deletion(KeyId=kept, PendingWindowInDays=7)
    kms.cancel_key_deletion(KeyId=kept)
    kms.schedule_key_deletion(KeyId=kept, PendingWindowInDays=30)
    own_cloud.kill()
    own_cloud.start()
    kms = own_cloud.client("kms")
    command(own_cloud, "clock", "+6d")
    time.sleep(0.3)
    assert kms.describe_key(KeyId=doomed)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    command(own_cloud, "clock", "+25h")
    soon(lambda: doomed not in {k["KeyId"] for k in kms.list_keys()["Keys"]})
    assert kms.describe_key(KeyId=kept)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert code_of(kms.describe_key, KeyId="alias/doomed") == "NotFoundException"
    assert code_of(kms.decrypt, CiphertextBlob=lost) == "InvalidCiphertextException"
    own_cloud.kill()
    own_cloud.start()
    kms = own_cloud.client("kms")
    command(own_cloud, "clock", "+84d")
    soon(lambda: kms.list_key_rotations(KeyId=turn)["Rotations"])
    assert [r["RotationType"] for r in kms.list_key_rotations(KeyId=turn)["Rotations"]] == ["AUTOMATIC"]
    assert kms.decrypt(CiphertextBlob=old)["Plaintext"] == b"old"
    new = kms.encrypt(KeyId=turn, Plaintext=b"new")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=new)["KeyMaterialId"] != kms.decrypt(CiphertextBlob=old)["KeyMaterialId"]
    soon(lambda: kept not in {k["KeyId"] for k in kms.list_keys()["Keys"]})
