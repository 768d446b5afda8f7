# SPDX-License-Identifier: Apache-2.0
"""STS with boto3: who am I, roles and their trust policies, sessions and what they may not do."""
import base64
import time

import pytest

from refusals import allow, document, refused


def trust(principal, action="sts:AssumeRole", **kw):
    return document(dict({"Effect": "Allow", "Principal": principal, "Action": action}, **kw))


counter = [0]


@pytest.fixture
def user(cloud):
    """A fresh user without any rights."""
    counter[0] += 1
    return cloud.user("u%d" % counter[0])


def role(iam, name, doc, *statements, **kw):
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=doc, **kw)["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
    return arn


def assume(cloud, creds, arn, session="s1", **kw):
    return cloud.client("sts", key=creds).assume_role(RoleArn=arn, RoleSessionName=session, **kw)


def test_who_am_i(cloud, user):
    r = cloud.client("sts").get_caller_identity()
    assert (r["Arn"], r["UserId"], r["Account"]) == ("arn:aws:iam::%s:root" % cloud.account, cloud.account, cloud.account)
    r = cloud.client("sts", key=user, region="eu-west-1").get_caller_identity()
    assert r["Arn"] == user["Arn"] and r["UserId"].startswith("AIDA")
    assert refused("InvalidClientTokenId", cloud.client("sts", key="AKIAIOSFODNN7EXAMPLE", secret="x").get_caller_identity) == \
        "The security token included in the request is invalid."


def test_assume_role(cloud, iam, user):
    arn = role(iam, "plain", trust({"AWS": user["Arn"]}), allow("iam:ListUsers"), Path="/p/")
    r = assume(cloud, user, arn)
    c = r["Credentials"]
    assert c["AccessKeyId"].startswith("ASIA") and len(c["SecretAccessKey"]) == 40
    assert 3590 < c["Expiration"].timestamp() - time.time() < 3610
    who = cloud.client("sts", key=c).get_caller_identity()
    assert who["Arn"] == r["AssumedRoleUser"]["Arn"] == "arn:aws:sts::%s:assumed-role/plain/s1" % cloud.account
    assert who["UserId"] == r["AssumedRoleUser"]["AssumedRoleId"] and "PackedPolicySize" not in r
    cloud.client("iam", key=c).list_users()
    refused("AccessDenied", cloud.client("iam", key=c).list_roles)
    used = iam.get_role(RoleName="plain")["Role"]["RoleLastUsed"]
    assert used["Region"] == "us-east-1" and "LastUsedDate" in used
    assert cloud.client("sts").get_access_key_info(AccessKeyId=c["AccessKeyId"])["Account"] == cloud.account


def test_trust_decides(cloud, iam, user):
    other = cloud.user("other-user", allow("sts:*"))
    arn = role(iam, "named", trust({"AWS": user["Arn"]}))
    # naming the caller in the trust policy suffices in one account; having the right oneself does not
    assume(cloud, user, arn)
    assert refused("AccessDenied", cloud.client("sts", key=other).assume_role, RoleArn=arn, RoleSessionName="s1") == \
        "User: %s is not authorized to perform: sts:AssumeRole on resource: %s" % (other["Arn"], arn)
    # the account in the trust policy hands over to IAM: then the caller needs the right as well
    arn = role(iam, "account", trust({"AWS": "arn:aws:iam::%s:root" % cloud.account}))
    assume(cloud, other, arn)
    refused("AccessDenied", cloud.client("sts", key=user).assume_role, RoleArn=arn, RoleSessionName="s1")
    arn = role(iam, "account2", trust({"AWS": cloud.account}))
    assume(cloud, other, arn)
    refused("AccessDenied", cloud.client("sts", key=user).assume_role, RoleArn=arn, RoleSessionName="s1")
    # a denial in the caller's policies wins over being named
    iam.put_user_policy(UserName=user["UserName"], PolicyName="no", PolicyDocument=document({"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"}))
    assert "explicit deny" in refused("AccessDenied", cloud.client("sts", key=user).assume_role, RoleArn=iam.get_role(RoleName="named")["Role"]["Arn"],
                                      RoleSessionName="s1")


def test_others_principals_get_nothing(cloud, iam, user):
    for i, p in enumerate(({"AWS": "arn:aws:iam::111122223333:root"}, {"AWS": "arn:aws:iam::111122223333:user/%s" % user["UserName"]}, {"Service": "ec2.amazonaws.com"})):
        arn = role(iam, "foreign%d" % i, trust(p))
        iam.put_user_policy(UserName=user["UserName"], PolicyName="p", PolicyDocument=document(allow("sts:AssumeRole")))
        refused("AccessDenied", cloud.client("sts", key=user).assume_role, RoleArn=arn, RoleSessionName="s1")


def test_unknown_role_looks_like_a_refusal(cloud, iam, user):
    arn = "arn:aws:iam::%s:role/nothing-here" % cloud.account
    assert refused("AccessDenied", cloud.client("sts", key=user).assume_role, RoleArn=arn, RoleSessionName="s1") == \
        "User: %s is not authorized to perform: sts:AssumeRole on resource: %s" % (user["Arn"], arn)
    refused("ValidationError", cloud.client("sts", key=user).assume_role, RoleArn="this-is-no-arn-at-all", RoleSessionName="s1")


def test_root_assumes_nothing(cloud, iam):
    arn = role(iam, "forroot", trust({"AWS": cloud.account}))
    assert refused("AccessDenied", cloud.client("sts").assume_role, RoleArn=arn, RoleSessionName="s1") == "Roles may not be assumed by root accounts."


def test_external_id(cloud, iam, user):
    arn = role(iam, "ext", trust({"AWS": user["Arn"]}, Condition={"StringEquals": {"sts:ExternalId": "secret-42"}}))
    sts = cloud.client("sts", key=user)
    refused("AccessDenied", sts.assume_role, RoleArn=arn, RoleSessionName="s1")
    refused("AccessDenied", sts.assume_role, RoleArn=arn, RoleSessionName="s1", ExternalId="secret-43")
    sts.assume_role(RoleArn=arn, RoleSessionName="s1", ExternalId="secret-42")
    # CDK's bootstrap roles refuse whoever brings one
    arn = role(iam, "noext", trust({"AWS": user["Arn"]}, Condition={"Null": {"sts:ExternalId": "true"}}))
    sts.assume_role(RoleArn=arn, RoleSessionName="s1")
    refused("AccessDenied", sts.assume_role, RoleArn=arn, RoleSessionName="s1", ExternalId="x1")


def test_session_name_and_mfa_conditions(cloud, iam, user):
    sts = cloud.client("sts", key=user)
    arn = role(iam, "sn", trust({"AWS": user["Arn"]}, Condition={"StringLike": {"sts:RoleSessionName": "${aws:username}"}}))
    refused("AccessDenied", sts.assume_role, RoleArn=arn, RoleSessionName="somebody-else")
    sts.assume_role(RoleArn=arn, RoleSessionName=user["UserName"])
    arn = role(iam, "mfa", trust({"AWS": user["Arn"]}, Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}))
    refused("AccessDenied", sts.assume_role, RoleArn=arn, RoleSessionName="s1")
    assert "MultiFactorAuthentication failed" in refused("AccessDenied", sts.assume_role, RoleArn=iam.get_role(RoleName="sn")["Role"]["Arn"],
                                                         RoleSessionName=user["UserName"], SerialNumber="arn:aws:iam::1:mfa/x", TokenCode="123456")


def test_durations(cloud, iam, user):
    arn = role(iam, "dur", trust({"AWS": user["Arn"]}), MaxSessionDuration=7200)
    sts = cloud.client("sts", key=user)
    c = sts.assume_role(RoleArn=arn, RoleSessionName="s1", DurationSeconds=7200)["Credentials"]
    assert 7190 < c["Expiration"].timestamp() - time.time() < 7210
    assert "exceeds the MaxSessionDuration" in refused("ValidationError", sts.assume_role, RoleArn=arn, RoleSessionName="s1", DurationSeconds=7201)
    raw = cloud.client("sts", key=user, parameter_validation=False)
    refused("ValidationError", raw.assume_role, RoleArn=arn, RoleSessionName="s1", DurationSeconds=899)
    # chaining: an hour at most
    second = role(iam, "dur2", trust({"AWS": arn}), MaxSessionDuration=7200)
    assume(cloud, c, second)
    assert "role chaining" in refused("ValidationError", cloud.client("sts", key=c).assume_role, RoleArn=second, RoleSessionName="s1", DurationSeconds=3601)


def test_session_policies_only_take_away(cloud, iam, user):
    arn = role(iam, "sess", trust({"AWS": user["Arn"]}), allow(["iam:ListUsers", "iam:ListRoles"]))
    r = assume(cloud, user, arn, Policy=document(allow(["iam:ListUsers", "iam:ListGroups"])))
    assert 0 < r["PackedPolicySize"] <= 100
    c = cloud.client("iam", key=r["Credentials"])
    c.list_users()
    assert "session policy" in refused("AccessDenied", c.list_roles)
    refused("AccessDenied", c.list_groups)  # in the session policy, not the role's
    # managed policies as session policies
    arns = [{"arn": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}]
    refused("AccessDenied", cloud.client("iam", key=assume(cloud, user, arn, PolicyArns=arns)["Credentials"]).list_users)
    arns.append({"arn": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"})
    c = cloud.client("iam", key=assume(cloud, user, arn, PolicyArns=arns)["Credentials"])
    c.list_users()
    refused("AccessDenied", c.list_groups)
    # one that is deleted later allows nothing any more
    own = iam.create_policy(PolicyName="sessp", PolicyDocument=document(allow("iam:*")))["Policy"]["Arn"]
    c = cloud.client("iam", key=assume(cloud, user, arn, PolicyArns=[{"arn": own}])["Credentials"])
    c.list_users()
    iam.delete_policy(PolicyArn=own)
    refused("AccessDenied", c.list_users)
    sts = cloud.client("sts", key=user)
    refused("MalformedPolicyDocument", sts.assume_role, RoleArn=arn, RoleSessionName="s1", Policy="{")
    refused("ValidationError", sts.assume_role, RoleArn=arn, RoleSessionName="s1", PolicyArns=[{"arn": "arn:aws:iam::aws:policy/Nothing"}])
    refused("ValidationError", sts.assume_role, RoleArn=arn, RoleSessionName="s1", Policy=document(allow("s3:GetObject", "arn:aws:s3:::" + "x" * 2048)))


def test_session_tags(cloud, iam, user):
    sts = cloud.client("sts", key=user)
    arn = role(iam, "tagless", trust({"AWS": user["Arn"]}))
    tags = [{"Key": "team", "Value": "red"}]
    refused("AccessDenied", sts.assume_role, RoleArn=arn, RoleSessionName="s1", Tags=tags)  # no sts:TagSession in the trust policy
    arn = role(iam, "tagged", trust({"AWS": user["Arn"]}, ["sts:AssumeRole", "sts:TagSession"],
                                    Condition={"StringEqualsIfExists": {"aws:RequestTag/team": ["red", "blue"]}}),
               allow("iam:ListUsers", Condition={"StringEquals": {"aws:PrincipalTag/team": "red"}}), Tags=[{"Key": "team", "Value": "of-the-role"}])
    refused("AccessDenied", cloud.client("iam", key=assume(cloud, user, arn)["Credentials"]).list_users)
    cloud.client("iam", key=assume(cloud, user, arn, Tags=tags)["Credentials"]).list_users()
    refused("AccessDenied", cloud.client("iam", key=assume(cloud, user, arn, Tags=[{"Key": "team", "Value": "blue"}])["Credentials"]).list_users)
    refused("AccessDenied", sts.assume_role, RoleArn=arn, RoleSessionName="s1", Tags=[{"Key": "team", "Value": "admin"}])
    refused("InvalidParameterValue", sts.assume_role, RoleArn=arn, RoleSessionName="s1", Tags=tags + [{"Key": "TEAM", "Value": "blue"}])
    refused("InvalidParameterValue", sts.assume_role, RoleArn=arn, RoleSessionName="s1", Tags=tags, TransitiveTagKeys=["other"])
    many = [{"Key": "k%02d" % i + "x" * 100, "Value": "v" * 200} for i in range(40)]
    refused("PackedPolicyTooLarge", sts.assume_role, RoleArn=role(iam, "packed", trust({"AWS": user["Arn"]}, ["sts:AssumeRole", "sts:TagSession"])),
            RoleSessionName="s1", Tags=many)


def test_transitive_tags_stay(cloud, iam, user):
    first = role(iam, "tr1", trust({"AWS": user["Arn"]}, ["sts:AssumeRole", "sts:TagSession"]))
    second = role(iam, "tr2", trust({"AWS": first}, ["sts:AssumeRole", "sts:TagSession"]),
                  allow("iam:ListUsers", Condition={"StringEquals": {"aws:PrincipalTag/team": "red"}}))
    third = role(iam, "tr3", trust({"AWS": first}))
    c = assume(cloud, user, first, Tags=[{"Key": "team", "Value": "red"}, {"Key": "plain", "Value": "x"}], TransitiveTagKeys=["team"])["Credentials"]
    cloud.client("iam", key=assume(cloud, c, second)["Credentials"]).list_users()
    refused("InvalidParameterValue", cloud.client("sts", key=c).assume_role, RoleArn=second, RoleSessionName="s1", Tags=[{"Key": "Team", "Value": "blue"}])
    refused("AccessDenied", cloud.client("sts", key=c).assume_role, RoleArn=third, RoleSessionName="s1")  # they need sts:TagSession there too


def test_source_identity(cloud, iam, user):
    sts = cloud.client("sts", key=user)
    arn = role(iam, "si0", trust({"AWS": user["Arn"]}))
    refused("AccessDenied", sts.assume_role, RoleArn=arn, RoleSessionName="s1", SourceIdentity="ann")
    both = ["sts:AssumeRole", "sts:SetSourceIdentity"]
    first = role(iam, "si1", trust({"AWS": user["Arn"]}, both))
    second = role(iam, "si2", trust({"AWS": first}, both), allow("iam:ListUsers", Condition={"StringEquals": {"aws:SourceIdentity": "ann"}}))
    third = role(iam, "si3", trust({"AWS": first}))
    r = assume(cloud, user, first, SourceIdentity="ann")
    assert r["SourceIdentity"] == "ann"
    r2 = assume(cloud, r["Credentials"], second)
    assert r2["SourceIdentity"] == "ann"
    cloud.client("iam", key=r2["Credentials"]).list_users()
    chained = cloud.client("sts", key=r["Credentials"])
    refused("AccessDenied", chained.assume_role, RoleArn=second, RoleSessionName="s1", SourceIdentity="bob")
    refused("AccessDenied", chained.assume_role, RoleArn=third, RoleSessionName="s1")


def test_session_ends_with_its_role(cloud, iam, user):
    doc = trust({"AWS": user["Arn"]})
    arn = role(iam, "mortal", doc, allow("iam:ListUsers"))
    c = cloud.client("iam", key=assume(cloud, user, arn)["Credentials"])
    c.list_users()
    iam.delete_role_policy(RoleName="mortal", PolicyName="p")
    iam.delete_role(RoleName="mortal")
    assert refused("InvalidClientTokenId", c.list_users) == "The security token included in the request is invalid."
    role(iam, "mortal", doc, allow("iam:ListUsers"))  # the same name again: another role
    refused("InvalidClientTokenId", c.list_users)


def test_trust_means_the_one_user_not_his_name(cloud, iam):
    u = cloud.user("phoenix")
    arn = role(iam, "nest", trust({"AWS": u["Arn"]}), allow("iam:ListUsers"))
    assume(cloud, u, arn)
    old = iam.get_user(UserName="phoenix")["User"]["UserId"]
    iam.delete_access_key(UserName="phoenix", AccessKeyId=u["AccessKeyId"])
    iam.delete_user(UserName="phoenix")
    shown = iam.get_role(RoleName="nest")["Role"]["AssumeRolePolicyDocument"]
    assert shown["Statement"][0]["Principal"] == {"AWS": old}
    again = cloud.user("phoenix", allow("iam:ListUsers"))
    refused("AccessDenied", cloud.client("sts", key=again).assume_role, RoleArn=arn, RoleSessionName="s1")


def test_altered_and_foreign_tokens(cloud, iam, user):
    arn = role(iam, "tok", trust({"AWS": user["Arn"]}), allow("iam:ListUsers"))
    a, b = assume(cloud, user, arn)["Credentials"], assume(cloud, user, arn, "s2")["Credentials"]

    def call(key, secret, token):
        cloud.client("iam", key=key, secret=secret, token=token).list_users()

    call(a["AccessKeyId"], a["SecretAccessKey"], a["SessionToken"])
    raw = bytearray(base64.b64decode(a["SessionToken"]))
    for at in (0, 1, 13, len(raw) // 2, len(raw) - 1):
        bad = bytearray(raw)
        bad[at] ^= 1
        refused("InvalidClientTokenId", lambda: call(a["AccessKeyId"], a["SecretAccessKey"], base64.b64encode(bytes(bad)).decode()))
    for token in ("", "AAAA", a["SessionToken"][:-4], a["SessionToken"] + "AAAA", "!" * 50):
        refused("InvalidClientTokenId", lambda: call(a["AccessKeyId"], a["SecretAccessKey"], token or None))
    refused("InvalidClientTokenId", lambda: call(a["AccessKeyId"], a["SecretAccessKey"], b["SessionToken"]))  # another session's token
    refused("SignatureDoesNotMatch", lambda: call(a["AccessKeyId"], b["SecretAccessKey"], a["SessionToken"]))
    refused("InvalidClientTokenId", lambda: call(user["AccessKeyId"], user["SecretAccessKey"], a["SessionToken"]))  # a long-term key with a token
    refused("InvalidClientTokenId", lambda: call(cloud.key, cloud.secret, a["SessionToken"]))


def test_another_clouds_token(cloud, own_cloud, iam, user):
    arn = role(iam, "tok2", trust({"AWS": user["Arn"]}), allow("iam:ListUsers"))
    c = assume(cloud, user, arn)["Credentials"]
    refused("InvalidClientTokenId", own_cloud.client("iam", key=c).list_users)


def test_revoked_sessions(cloud, iam, user):
    arn = role(iam, "revoked", trust({"AWS": user["Arn"]}), allow("iam:ListUsers"))
    c = cloud.client("iam", key=assume(cloud, user, arn)["Credentials"])
    c.list_users()
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    iam.put_role_policy(RoleName="revoked", PolicyName="AWSRevokeOlderSessions", PolicyDocument=document(
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"DateLessThan": {"aws:TokenIssueTime": later}}}))
    assert "explicit deny" in refused("AccessDenied", c.list_users)


def test_boundary_of_a_role(cloud, iam, user):
    arn = role(iam, "bounded", trust({"AWS": user["Arn"]}), allow("iam:*"), PermissionsBoundary="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    c = cloud.client("iam", key=assume(cloud, user, arn)["Credentials"])
    c.list_users()
    refused("AccessDenied", c.create_user, UserName="escaped")
    refused("AccessDenied", c.delete_role_permissions_boundary, RoleName="bounded")


def test_get_session_token(cloud, iam):
    u = cloud.user("gst", allow("*"))
    sts = cloud.client("sts", key=u)
    c = sts.get_session_token(DurationSeconds=900)["Credentials"]
    assert 890 < c["Expiration"].timestamp() - time.time() < 910
    s = cloud.client("sts", key=c)
    assert s.get_caller_identity()["Arn"] == u["Arn"]
    assert refused("AccessDenied", s.get_session_token) == "Cannot call GetSessionToken with session credentials"
    refused("InvalidClientTokenId", cloud.client("iam", key=c).list_users)  # IAM needs MFA for such sessions
    iam.update_access_key(UserName="gst", AccessKeyId=u["AccessKeyId"], Status="Inactive")
    s.get_caller_identity()  # a session outlives the key that made it, not the user
    iam.delete_access_key(UserName="gst", AccessKeyId=u["AccessKeyId"])
    iam.delete_user_policy(UserName="gst", PolicyName="p")
    iam.delete_user(UserName="gst")
    refused("InvalidClientTokenId", s.get_caller_identity)
    c = cloud.client("sts").get_session_token(DurationSeconds=43200)["Credentials"]
    assert c["Expiration"].timestamp() - time.time() < 3610  # the root user: an hour at most
    assert cloud.client("sts", key=c).get_caller_identity()["Arn"].endswith(":root")


def test_role_session_cannot_get_session_token(cloud, iam, user):
    c = assume(cloud, user, role(iam, "nogst", trust({"AWS": user["Arn"]}), allow("*")))["Credentials"]
    refused("AccessDenied", cloud.client("sts", key=c).get_session_token)
    assert refused("ValidationError", cloud.client("iam", key=c).get_user) == "Must specify userName when calling with non-User credentials"


def test_sessions_survive_a_restart(own_cloud):
    iam = own_cloud.client("iam")
    u = own_cloud.user("rs")
    c = assume(own_cloud, u, role(iam, "rs", trust({"AWS": u["Arn"]}), allow("iam:ListUsers")))["Credentials"]
    own_cloud.kill()
    own_cloud.start()
    own_cloud.client("iam", key=c).list_users()


def test_access_key_info(cloud, user):
    sts = cloud.client("sts")
    assert sts.get_access_key_info(AccessKeyId=user["AccessKeyId"])["Account"] == cloud.account
    assert sts.get_access_key_info(AccessKeyId=cloud.key)["Account"] == cloud.account
    refused("AccessDenied", cloud.client("sts", key=user).get_access_key_info, AccessKeyId=user["AccessKeyId"])


def test_not_built_says_so(cloud):
    refused("NotImplemented", cloud.client("sts").get_federation_token, Name="someone")


def test_any_region_answers(cloud, iam, user):
    arn = role(iam, "regions", trust({"AWS": user["Arn"]}))
    for region in ("us-west-2", "eu-west-1"):
        c = cloud.client("sts", key=user, region=region).assume_role(RoleArn=arn, RoleSessionName="s1")["Credentials"]
        cloud.client("sts", key=c, region="us-east-1").get_caller_identity()
