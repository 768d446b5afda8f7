# SPDX-License-Identifier: Apache-2.0
"""KMS through boto3: every operation, its refusals, and who is denied."""
import json

import pytest

from refusals import refused

ALLOW_ALL_KMS = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}


@pytest.fixture
def key(kms):
    return kms.create_key(Description="test")["KeyMetadata"]


def test_create_and_describe(kms, cloud):
    m = kms.create_key(Description="d", Tags=[{"TagKey": "team", "TagValue": "a"}])["KeyMetadata"]
    assert m["Arn"] == "arn:aws:kms:us-east-1:%s:key/%s" % (cloud.account, m["KeyId"])
    assert (m["KeyState"], m["Enabled"], m["KeySpec"], m["Origin"], m["KeyManager"]) == ("Enabled", True, "SYMMETRIC_DEFAULT", "AWS_KMS", "CUSTOMER")
    assert kms.describe_key(KeyId=m["Arn"])["KeyMetadata"] == m
    assert kms.list_resource_tags(KeyId=m["KeyId"])["Tags"] == [{"TagKey": "team", "TagValue": "a"}]
    assert json.loads(kms.get_key_policy(KeyId=m["KeyId"], PolicyName="default")["Policy"])["Statement"][0]["Action"] == "kms:*"
    assert kms.list_key_policies(KeyId=m["KeyId"])["PolicyNames"] == ["default"]


def test_a_key_lives_in_its_region_only(kms, key, cloud):
    west = cloud.client("kms", region="us-west-2")
    refused("NotFoundException", west.describe_key, KeyId=key["KeyId"])
    refused("NotFoundException", west.describe_key, KeyId=key["Arn"])


def test_what_is_not_built_says_so(kms):
    assert "not implemented" in refused("UnsupportedOperationException", kms.create_key, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    assert "CreateCustomKeyStore" in refused("NotImplemented", kms.create_custom_key_store, CustomKeyStoreName="x")


def test_encrypt_decrypt_binds_key_and_context(kms, key):
    ctx = {"purpose": "test", "b": ""}
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"secret", EncryptionContext=ctx)["CiphertextBlob"]
    assert b"secret" not in blob
    out = kms.decrypt(CiphertextBlob=blob, EncryptionContext=dict(reversed(ctx.items())))
    assert (out["Plaintext"], out["KeyId"]) == (b"secret", key["Arn"])
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob)
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob, EncryptionContext={"purpose": "testb", "": ""})
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    refused("IncorrectKeyException", kms.decrypt, CiphertextBlob=blob, EncryptionContext=ctx, KeyId=other)


def test_every_changed_byte_is_noticed(kms, key):
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x" * 40)["CiphertextBlob"]
    for i in list(range(0, len(blob), 7)) + [len(blob) - 1]:
        bad = blob[:i] + bytes([blob[i] ^ 1]) + blob[i + 1:]
        refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=bad)
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob[:-1])
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=b"nonsense")


def test_plaintext_limits(kms, key):
    assert kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x" * 4096)["CiphertextBlob"]
    refused("ValidationException", kms.encrypt, KeyId=key["KeyId"], Plaintext=b"x" * 4097)


def test_data_keys(kms, key):
    d = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256", EncryptionContext={"a": "b"})
    assert len(d["Plaintext"]) == 32
    assert kms.decrypt(CiphertextBlob=d["CiphertextBlob"], EncryptionContext={"a": "b"})["Plaintext"] == d["Plaintext"]
    assert len(kms.decrypt(CiphertextBlob=kms.generate_data_key_without_plaintext(KeyId=key["KeyId"], NumberOfBytes=17)["CiphertextBlob"])["Plaintext"]) == 17
    refused("ValidationException", kms.generate_data_key, KeyId=key["KeyId"])
    refused("ValidationException", kms.generate_data_key, KeyId=key["KeyId"], KeySpec="AES_128", NumberOfBytes=16)
    assert len(kms.generate_random(NumberOfBytes=99)["Plaintext"]) == 99


def test_re_encrypt(kms, key):
    to = kms.create_key()["KeyMetadata"]
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"p", EncryptionContext={"a": "1"})["CiphertextBlob"]
    out = kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext={"a": "1"}, DestinationKeyId=to["KeyId"], DestinationEncryptionContext={"a": "2"})
    assert (out["SourceKeyId"], out["KeyId"]) == (key["Arn"], to["Arn"])
    assert kms.decrypt(CiphertextBlob=out["CiphertextBlob"], EncryptionContext={"a": "2"})["KeyId"] == to["Arn"]


def test_rotation_keeps_old_ciphertexts_readable(kms, key):
    k = key["KeyId"]
    old = kms.encrypt(KeyId=k, Plaintext=b"old")["CiphertextBlob"]
    before = kms.describe_key(KeyId=k)["KeyMetadata"]["CurrentKeyMaterialId"]
    kms.rotate_key_on_demand(KeyId=k)
    assert kms.describe_key(KeyId=k)["KeyMetadata"]["CurrentKeyMaterialId"] != before
    assert kms.decrypt(CiphertextBlob=old)["KeyMaterialId"] == before
    r = kms.list_key_rotations(KeyId=k)["Rotations"]
    assert [x["RotationType"] for x in r] == ["ON_DEMAND"]
    kms.enable_key_rotation(KeyId=k, RotationPeriodInDays=90)
    s = kms.get_key_rotation_status(KeyId=k)
    assert (s["KeyRotationEnabled"], s["RotationPeriodInDays"]) == (True, 90)
    kms.disable_key_rotation(KeyId=k)
    assert not kms.get_key_rotation_status(KeyId=k)["KeyRotationEnabled"]


def test_states(kms, key):
    k = key["KeyId"]
    blob = kms.encrypt(KeyId=k, Plaintext=b"p")["CiphertextBlob"]
    kms.disable_key(KeyId=k)
    refused("DisabledException", kms.encrypt, KeyId=k, Plaintext=b"p")
    refused("DisabledException", kms.decrypt, CiphertextBlob=blob)
    kms.enable_key(KeyId=k)
    kms.decrypt(CiphertextBlob=blob)
    refused("ValidationException", kms.schedule_key_deletion, KeyId=k, PendingWindowInDays=6)
    d = kms.schedule_key_deletion(KeyId=k, PendingWindowInDays=7)
    assert d["KeyState"] == "PendingDeletion"
    refused("KMSInvalidStateException", kms.decrypt, CiphertextBlob=blob)
    refused("KMSInvalidStateException", kms.enable_key, KeyId=k)
    kms.cancel_key_deletion(KeyId=k)
    assert kms.describe_key(KeyId=k)["KeyMetadata"]["KeyState"] == "Disabled"
    refused("KMSInvalidStateException", kms.cancel_key_deletion, KeyId=k)


def test_aliases(kms, key):
    kms.create_alias(AliasName="alias/app", TargetKeyId=key["KeyId"])
    refused("AlreadyExistsException", kms.create_alias, AliasName="alias/app", TargetKeyId=key["KeyId"])
    refused("InvalidAliasNameException", kms.create_alias, AliasName="alias/aws/x", TargetKeyId=key["KeyId"])
    refused("ValidationException", kms.create_alias, AliasName="app", TargetKeyId=key["KeyId"])
    assert kms.describe_key(KeyId="alias/app")["KeyMetadata"]["Arn"] == key["Arn"]
    assert [a["AliasName"] for a in kms.list_aliases(KeyId=key["KeyId"])["Aliases"]] == ["alias/app"]
    new = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.update_alias(AliasName="alias/app", TargetKeyId=new)
    assert kms.describe_key(KeyId="alias/app")["KeyMetadata"]["KeyId"] == new
    assert kms.list_aliases(KeyId=key["KeyId"])["Aliases"] == []
    kms.delete_alias(AliasName="alias/app")
    refused("NotFoundException", kms.delete_alias, AliasName="alias/app")
    refused("NotFoundException", kms.encrypt, KeyId="alias/app", Plaintext=b"p")


def test_second_page_of_everything(kms, key):
    ids = {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(5)}
    names = ["alias/page/%02d" % i for i in range(7)]
    for n in names:
        kms.create_alias(AliasName=n, TargetKeyId=key["KeyId"])
    pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}))
    seen = [k["KeyId"] for p in pages for k in p["Keys"]]
    assert len(pages) > 2 and ids <= set(seen) and len(seen) == len(set(seen))
    got = [a["AliasName"] for p in kms.get_paginator("list_aliases").paginate(KeyId=key["KeyId"], PaginationConfig={"PageSize": 3}) for a in p["Aliases"]]
    assert got == names
    refused("InvalidMarkerException", kms.list_keys, Marker="not-a-marker")


def test_tags(kms, key):
    k = key["KeyId"]
    kms.tag_resource(KeyId=k, Tags=[{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": "2"}])
    kms.tag_resource(KeyId=k, Tags=[{"TagKey": "a", "TagValue": "3"}])
    kms.untag_resource(KeyId=k, TagKeys=["b"])
    assert kms.list_resource_tags(KeyId=k)["Tags"] == [{"TagKey": "a", "TagValue": "3"}]
    refused("TagException", kms.tag_resource, KeyId=k, Tags=[{"TagKey": "aws:x", "TagValue": "1"}])


def test_malformed_and_locking_policies_are_refused(kms, key):
    refused("MalformedPolicyDocumentException", kms.put_key_policy, KeyId=key["KeyId"], PolicyName="default", Policy="{")
    lock = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}]}
    msg = refused("MalformedPolicyDocumentException", kms.put_key_policy, KeyId=key["KeyId"], PolicyName="default", Policy=json.dumps(lock))
    assert "will not allow you to update the key policy" in msg


def test_whether_a_policy_locks_out_depends_on_its_conditions(kms, key, cloud):
    """The policy of "everybody in this account" is written with kms:CallerAccount."""
    for account, locks in ((cloud.account, False), ("111122223333", True)):
        text = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*",
                           "Condition": {"StringEquals": {"kms:CallerAccount": account}}}]})
        if locks:
            refused("MalformedPolicyDocumentException", kms.put_key_policy, KeyId=key["KeyId"], PolicyName="default", Policy=text)
        else:
            kms.put_key_policy(KeyId=key["KeyId"], PolicyName="default", Policy=text)
            assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyId"] == key["KeyId"]


# --- who is denied ---
def policy_for(cloud, *more):
    root = {"Sid": "admin", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::%s:root" % cloud.account}, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [root, *more]})


def test_a_user_without_rights_is_denied_everything(cloud, key):
    u = cloud.client("kms", key=cloud.user("kms-nobody"))
    msg = refused("AccessDeniedException", u.encrypt, KeyId=key["KeyId"], Plaintext=b"p")
    assert "is not authorized to perform: kms:Encrypt on resource: " + key["Arn"] in msg
    for fn, kw in ((u.list_keys, {}), (u.create_key, {}), (u.describe_key, {"KeyId": key["KeyId"]}), (u.schedule_key_deletion, {"KeyId": key["KeyId"]}),
                   (u.get_key_policy, {"KeyId": key["KeyId"]}), (u.create_grant, {"KeyId": key["KeyId"], "GranteePrincipal": "arn:aws:iam::%s:user/kms-nobody" % cloud.account, "Operations": ["Decrypt"]})):
        refused("AccessDeniedException", fn, **kw)


def test_identity_policy_counts_only_where_the_key_policy_hands_over(cloud, kms):
    u = cloud.user("kms-identity", ALLOW_ALL_KMS)
    mine = cloud.client("kms", key=u)
    handed = kms.create_key(Policy=policy_for(cloud))["KeyMetadata"]["KeyId"]
    mine.encrypt(KeyId=handed, Plaintext=b"p")
    owner = cloud.user("kms-owner", ALLOW_ALL_KMS)
    closed = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": owner["Arn"]}, "Action": "kms:*", "Resource": "*"}]})
    k = cloud.client("kms", key=owner).create_key(Policy=closed)["KeyMetadata"]["KeyId"]
    msg = refused("AccessDeniedException", mine.encrypt, KeyId=k, Plaintext=b"p")
    assert "because no resource-based policy allows the kms:Encrypt action" in msg
    refused("AccessDeniedException", kms.encrypt, KeyId=k, Plaintext=b"p")  # not even the account's root


def test_explicit_deny_in_the_key_policy_wins(cloud, kms):
    u = cloud.user("kms-denied", ALLOW_ALL_KMS)
    deny = {"Sid": "no", "Effect": "Deny", "Principal": {"AWS": u["Arn"]}, "Action": "kms:Decrypt", "Resource": "*"}
    k = kms.create_key(Policy=policy_for(cloud, deny))["KeyMetadata"]["KeyId"]
    c = cloud.client("kms", key=u)
    blob = c.encrypt(KeyId=k, Plaintext=b"p")["CiphertextBlob"]
    assert "with an explicit deny in a resource-based policy" in refused("AccessDeniedException", c.decrypt, CiphertextBlob=blob)


def test_encryption_context_condition_decides(cloud, kms):
    u = cloud.user("kms-context")
    allow = {"Effect": "Allow", "Principal": {"AWS": u["Arn"]}, "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*",
             "Condition": {"StringEquals": {"kms:EncryptionContext:team": "red"}}}
    k = kms.create_key(Policy=policy_for(cloud, allow))["KeyMetadata"]["KeyId"]
    c = cloud.client("kms", key=u)
    blob = c.encrypt(KeyId=k, Plaintext=b"p", EncryptionContext={"team": "red"})["CiphertextBlob"]
    c.decrypt(CiphertextBlob=blob, EncryptionContext={"team": "red"})
    refused("AccessDeniedException", c.encrypt, KeyId=k, Plaintext=b"p", EncryptionContext={"team": "blue"})
    refused("AccessDeniedException", c.encrypt, KeyId=k, Plaintext=b"p")


def test_grants(cloud, kms, key):
    u = cloud.user("kms-grantee")
    c = cloud.client("kms", key=u)
    g = kms.create_grant(KeyId=key["KeyId"], GranteePrincipal=u["Arn"], Operations=["Encrypt", "Decrypt"], Name="g", RetiringPrincipal=u["Arn"],
                         Constraints={"EncryptionContextSubset": {"a": "1"}})
    same = kms.create_grant(KeyId=key["KeyId"], GranteePrincipal=u["Arn"], Operations=["Decrypt", "Encrypt"], Name="g", RetiringPrincipal=u["Arn"],
                            Constraints={"EncryptionContextSubset": {"a": "1"}})
    assert same["GrantId"] == g["GrantId"]
    blob = c.encrypt(KeyId=key["KeyId"], Plaintext=b"p", EncryptionContext={"a": "1", "b": "2"})["CiphertextBlob"]
    assert c.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "1", "b": "2"}, GrantTokens=[g["GrantToken"]])["Plaintext"] == b"p"
    refused("AccessDeniedException", c.encrypt, KeyId=key["KeyId"], Plaintext=b"p", EncryptionContext={"a": "2"})
    refused("AccessDeniedException", c.generate_data_key, KeyId=key["KeyId"], KeySpec="AES_256", EncryptionContext={"a": "1"})
    assert [x["GrantId"] for x in kms.list_grants(KeyId=key["KeyId"])["Grants"]] == [g["GrantId"]]
    assert [x["GrantId"] for x in kms.list_retirable_grants(RetiringPrincipal=u["Arn"])["Grants"]] == [g["GrantId"]]
    c.retire_grant(GrantToken=g["GrantToken"])
    refused("AccessDeniedException", c.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "1", "b": "2"})
    g = kms.create_grant(KeyId=key["KeyId"], GranteePrincipal=u["Arn"], Operations=["DescribeKey"])
    c.describe_key(KeyId=key["KeyId"])
    kms.revoke_grant(KeyId=key["KeyId"], GrantId=g["GrantId"])
    refused("AccessDeniedException", c.describe_key, KeyId=key["KeyId"])


def test_key_material_is_nowhere_on_disk_in_the_clear(cloud, kms, key):
    """What was encrypted, and data keys, never appear in any file of the cloud."""
    plain = b"needle-in-the-data-directory"
    kms.encrypt(KeyId=key["KeyId"], Plaintext=plain)
    data = kms.generate_data_key(KeyId=key["KeyId"], NumberOfBytes=32)["Plaintext"]
    for f in cloud.data.rglob("*"):
        if f.is_file() and f.stat().st_blocks * 512 < 64 << 20:
            with open(f, "rb") as h:
                got = h.read(64 << 20)
            assert plain not in got and data not in got, f
