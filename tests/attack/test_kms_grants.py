# SPDX-License-Identifier: Apache-2.0
"""Grants give what they say and no more: not through grants made under them, not to other grants of the same key."""

import pytest

from refusals import refused


@pytest.fixture
def key(kms):
    return kms.create_key()["KeyMetadata"]["KeyId"]


@pytest.fixture(scope="module")
def mallory(cloud):
    return cloud.user("mallory")


def test_a_granted_create_grant_hands_on_no_more_than_was_granted(cloud, kms, key, mallory):
    u = cloud.client("kms", key=mallory)
    blob = kms.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    kms.create_grant(KeyId=key, GranteePrincipal=mallory["Arn"], Operations=["CreateGrant", "Encrypt"])
    refused("AccessDeniedException", u.create_grant, KeyId=key, GranteePrincipal=mallory["Arn"], Operations=["Decrypt"])
    refused("AccessDeniedException", u.decrypt, CiphertextBlob=blob)
    u.create_grant(KeyId=key, GranteePrincipal=mallory["Arn"], Operations=["Encrypt"])


def test_a_granted_create_grant_keeps_the_constraints(cloud, kms, key, mallory):
    u = cloud.client("kms", key=mallory)
    ctx = {"dept": "a"}
    kms.create_grant(KeyId=key, GranteePrincipal=mallory["Arn"], Operations=["CreateGrant", "Encrypt", "DescribeKey"], Constraints={"EncryptionContextSubset": ctx})
    refused("AccessDeniedException", u.encrypt, KeyId=key, Plaintext=b"p")
    u.encrypt(KeyId=key, Plaintext=b"p", EncryptionContext=dict(ctx, x="y"))
    assert u.describe_key(KeyId=key)["KeyMetadata"]["KeyId"] == key  # constraints are for cryptographic operations
    refused("AccessDeniedException", u.create_grant, KeyId=key, GranteePrincipal=mallory["Arn"], Operations=["Encrypt"])
    refused("AccessDeniedException", u.create_grant, KeyId=key, GranteePrincipal=mallory["Arn"], Operations=["Encrypt"],
            Constraints={"EncryptionContextSubset": {"dept": "b"}})
    u.create_grant(KeyId=key, GranteePrincipal=mallory["Arn"], Operations=["Encrypt"], Constraints={"EncryptionContextEquals": dict(ctx, x="y")})


def test_retire_grant_retires_ones_own_grant_only(cloud, kms, key, mallory):
    u = cloud.client("kms", key=mallory)
    victim = cloud.user("grant-victim")
    other = kms.create_grant(KeyId=key, GranteePrincipal=victim["Arn"], Operations=["Encrypt"])
    own = kms.create_grant(KeyId=key, GranteePrincipal=mallory["Arn"], Operations=["Encrypt", "RetireGrant"])
    plain = kms.create_grant(KeyId=key, GranteePrincipal=mallory["Arn"], Operations=["DescribeKey"])
    refused("AccessDeniedException", u.retire_grant, GrantToken=other["GrantToken"])
    refused("AccessDeniedException", u.retire_grant, KeyId=key, GrantId=plain["GrantId"])
    u.retire_grant(GrantToken=own["GrantToken"])
    assert {g["GrantId"] for g in kms.list_grants(KeyId=key)["Grants"]} == {other["GrantId"], plain["GrantId"]}


def test_conditions_on_the_alias_of_the_request_deny(cloud, kms, key):
    kms.create_alias(AliasName="alias/forbidden", TargetKeyId=key)
    deny = {"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*"}
    allow = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    u = cloud.client("kms", key=cloud.user("alias-request", allow, dict(deny, Condition={"StringLike": {"kms:RequestAlias": "alias/forbid*"}})))
    refused("AccessDeniedException", u.encrypt, KeyId="alias/forbidden", Plaintext=b"p")
    u.encrypt(KeyId=key, Plaintext=b"p")
    u = cloud.client("kms", key=cloud.user("alias-resource", allow, dict(deny, Condition={"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/forbidden"}})))
    refused("AccessDeniedException", u.encrypt, KeyId=key, Plaintext=b"p")


def test_conditions_on_grants_deny(cloud, kms, key, mallory):
    allow = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": "kms:CreateGrant", "Resource": "*"}
    u = cloud.client("kms", key=cloud.user("grant-aws", allow, dict(deny, Condition={"Bool": {"kms:GrantIsForAWSResource": "false"}})))
    refused("AccessDeniedException", u.create_grant, KeyId=key, GranteePrincipal=mallory["Arn"], Operations=["Encrypt"])
    u = cloud.client("kms", key=cloud.user("grant-type", allow, dict(deny, Condition={"StringEquals": {"kms:GrantConstraintType": "EncryptionContextSubset"}})))
    refused("AccessDeniedException", u.create_grant, KeyId=key, GranteePrincipal=mallory["Arn"], Operations=["Encrypt"],
            Constraints={"EncryptionContextSubset": {"a": "b"}})
    u.create_grant(KeyId=key, GranteePrincipal=mallory["Arn"], Operations=["Encrypt"])


def test_defaults_count_in_conditions(cloud, kms, key):
    allow = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    u = cloud.client("kms", key=cloud.user("defaults", allow, {
        "Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*", "Condition": {"StringEquals": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}}}, {
        "Effect": "Deny", "Action": "kms:ScheduleKeyDeletion", "Resource": "*",
        "Condition": {"NumericGreaterThan": {"kms:ScheduleKeyDeletionPendingWindowInDays": "10"}}}))
    refused("AccessDeniedException", u.encrypt, KeyId=key, Plaintext=b"p")
    refused("AccessDeniedException", u.schedule_key_deletion, KeyId=key)
    u.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)


def test_keys_of_other_accounts_look_the_same_whether_they_exist_or_not(cloud, key):
    u = cloud.client("kms", key=cloud.user("peeker", {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}))
    far = "arn:aws:kms:us-east-1:999999999999:key/" + key
    assert "999999999999" in refused("AccessDeniedException", u.describe_key, KeyId=far)
    refused("AccessDeniedException", u.encrypt, KeyId="arn:aws:kms:us-east-1:999999999999:alias/x", Plaintext=b"p")
