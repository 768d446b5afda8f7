# SPDX-License-Identifier: Apache-2.0
"""IAM with boto3: every operation, its refusals, pages, and who is denied."""
import concurrent.futures
import json

from botocore.exceptions import ClientError

from refusals import allow, document, refused

DOC = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}


# --- users ---

def test_user_life(iam, cloud):
    u = iam.create_user(UserName="Ann", Path="/team/", Tags=[{"Key": "a", "Value": "1"}])["User"]
    assert u["Arn"] == "arn:aws:iam::%s:user/team/Ann" % cloud.account
    assert u["UserId"].startswith("AIDA") and len(u["UserId"]) == 21
    assert u["Tags"] == [{"Key": "a", "Value": "1"}]
    got = iam.get_user(UserName="ann")["User"]  # names are found without regard to case
    assert got["UserName"] == "Ann" and got["CreateDate"] == u["CreateDate"]
    assert refused("EntityAlreadyExists", iam.create_user, UserName="ANN") == "User with name ANN already exists."
    iam.update_user(UserName="Ann", NewUserName="Anna", NewPath="/other/")
    assert refused("NoSuchEntity", iam.get_user, UserName="Ann") == "The user with name Ann cannot be found."
    after = iam.get_user(UserName="Anna")["User"]
    assert after["UserId"] == u["UserId"] and after["Arn"].endswith(":user/other/Anna")
    iam.create_user(UserName="Bea")
    refused("EntityAlreadyExists", iam.update_user, UserName="Bea", NewUserName="anna")
    for n in ("Anna", "Bea"):
        iam.delete_user(UserName=n)
    refused("NoSuchEntity", iam.delete_user, UserName="Anna")
    refused("ValidationError", iam.create_user, UserName="not ok")
    refused("ValidationError", iam.create_user, UserName="x", Path="nopath")


def test_policies_follow_a_renamed_user(iam):
    iam.create_user(UserName="ren1")
    iam.put_user_policy(UserName="ren1", PolicyName="p", PolicyDocument=json.dumps(DOC))
    iam.attach_user_policy(UserName="ren1", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.update_user(UserName="ren1", NewUserName="ren2")
    assert iam.list_user_policies(UserName="ren2")["PolicyNames"] == ["p"]
    assert iam.list_entities_for_policy(PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")["PolicyUsers"][0]["UserName"] == "ren2"
    # the old name, made again, has nothing of it
    iam.create_user(UserName="ren1")
    assert iam.list_user_policies(UserName="ren1")["PolicyNames"] == []
    assert iam.list_attached_user_policies(UserName="ren1")["AttachedPolicies"] == []


def test_delete_conflicts_of_users(iam):
    iam.create_user(UserName="busy")
    iam.create_group(GroupName="busy-group")
    steps = [
        (lambda: iam.attach_user_policy(UserName="busy", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess"),
         lambda: iam.detach_user_policy(UserName="busy", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess"), "must detach all policies first"),
        (lambda: iam.put_user_policy(UserName="busy", PolicyName="p", PolicyDocument=json.dumps(DOC)),
         lambda: iam.delete_user_policy(UserName="busy", PolicyName="p"), "must delete policies first"),
        (lambda: iam.add_user_to_group(GroupName="busy-group", UserName="busy"),
         lambda: iam.remove_user_from_group(GroupName="busy-group", UserName="busy"), "must remove users from group first"),
        (lambda: iam.create_login_profile(UserName="busy", Password="Correct-horse-9"),
         lambda: iam.delete_login_profile(UserName="busy"), "must delete login profile first"),
    ]
    for on, off, words in steps:
        on()
        assert words in refused("DeleteConflict", iam.delete_user, UserName="busy")
        off()
    k = iam.create_access_key(UserName="busy")["AccessKey"]["AccessKeyId"]
    assert "must delete access keys first" in refused("DeleteConflict", iam.delete_user, UserName="busy")
    iam.delete_access_key(UserName="busy", AccessKeyId=k)
    iam.delete_user(UserName="busy")
    iam.delete_group(GroupName="busy-group")


def test_pages_and_path_prefix(iam):
    for i in range(12):
        iam.create_user(UserName="page%02d" % i, Path="/pages/%s/" % ("even" if i % 2 == 0 else "odd"))
    names, marker, pages = [], None, 0
    while True:
        kw = {"Marker": marker} if marker else {}
        r = iam.list_users(PathPrefix="/pages/", MaxItems=5, **kw)
        names += [u["UserName"] for u in r["Users"]]
        pages += 1
        assert len(r["Users"]) <= 5
        if not r["IsTruncated"]:
            assert "Marker" not in r
            break
        marker = r["Marker"]
    assert names == ["page%02d" % i for i in range(12)] and pages >= 3
    assert len(iam.list_users(PathPrefix="/pages/odd/")["Users"]) == 6
    refused("ValidationError", iam.list_users, Marker="forged")
    # a marker of one operation is no use in another
    refused("ValidationError", iam.list_roles, Marker=iam.list_users(MaxItems=1)["Marker"])
    assert len(list(iam.get_paginator("list_users").paginate(PathPrefix="/pages/", PaginationConfig={"PageSize": 3}).search("Users[]"))) == 12


# --- access keys ---

def test_access_keys(iam, cloud):
    iam.create_user(UserName="keys")
    k1 = iam.create_access_key(UserName="keys")["AccessKey"]
    assert k1["AccessKeyId"].startswith("AKIA") and len(k1["AccessKeyId"]) == 20 and len(k1["SecretAccessKey"]) == 40
    k2 = iam.create_access_key(UserName="keys")["AccessKey"]
    assert refused("LimitExceeded", iam.create_access_key, UserName="keys") == "Cannot exceed quota for AccessKeysPerUser: 2"
    assert {k["AccessKeyId"] for k in iam.list_access_keys(UserName="keys")["AccessKeyMetadata"]} == {k1["AccessKeyId"], k2["AccessKeyId"]}
    sts = cloud.client("sts", key=k1)
    assert sts.get_caller_identity()["Arn"].endswith(":user/keys")
    used = iam.get_access_key_last_used(AccessKeyId=k1["AccessKeyId"])
    assert used["UserName"] == "keys" and used["AccessKeyLastUsed"]["ServiceName"] == "sts" and "LastUsedDate" in used["AccessKeyLastUsed"]
    assert iam.get_access_key_last_used(AccessKeyId=k2["AccessKeyId"])["AccessKeyLastUsed"]["ServiceName"] == "N/A"
    iam.update_access_key(UserName="keys", AccessKeyId=k1["AccessKeyId"], Status="Inactive")
    assert refused("InvalidClientTokenId", sts.get_caller_identity) == "The security token included in the request is invalid."
    iam.update_access_key(UserName="keys", AccessKeyId=k1["AccessKeyId"], Status="Active")
    sts.get_caller_identity()
    iam.delete_access_key(UserName="keys", AccessKeyId=k1["AccessKeyId"])
    refused("InvalidClientTokenId", sts.get_caller_identity)
    refused("NoSuchEntity", iam.delete_access_key, UserName="keys", AccessKeyId=k1["AccessKeyId"])
    # a key can't be reached through another user
    iam.create_user(UserName="keys2")
    refused("NoSuchEntity", iam.update_access_key, UserName="keys2", AccessKeyId=k2["AccessKeyId"], Status="Inactive")
    refused("SignatureDoesNotMatch", cloud.client("sts", key=k2["AccessKeyId"], secret="x" * 40).get_caller_identity)


def test_secrets_are_not_in_the_store(iam, cloud):
    iam.create_user(UserName="sealed")
    secret = iam.create_access_key(UserName="sealed")["AccessKey"]["SecretAccessKey"].encode()
    files = [p for p in (cloud.data / "global").rglob("*") if p.is_file()]
    assert files and not any(secret in p.read_bytes() for p in files)


def test_deleted_user_is_nobody(iam, cloud):
    u = cloud.user("shortlived", allow("iam:*"))
    mine = cloud.client("iam", key=u)
    mine.list_users()
    iam.delete_user_policy(UserName="shortlived", PolicyName="p")
    refused("AccessDenied", mine.list_users)
    iam.delete_access_key(UserName="shortlived", AccessKeyId=u["AccessKeyId"])
    refused("InvalidClientTokenId", mine.list_users)


# --- groups ---

def test_groups(iam, cloud):
    g = iam.create_group(GroupName="Devs", Path="/g/")["Group"]
    assert g["GroupId"].startswith("AGPA") and g["Arn"].endswith(":group/g/Devs")
    refused("EntityAlreadyExists", iam.create_group, GroupName="devs")
    u = cloud.user("dev1")
    mine = cloud.client("iam", key=u)
    refused("AccessDenied", mine.list_groups)
    iam.add_user_to_group(GroupName="Devs", UserName="dev1")
    iam.add_user_to_group(GroupName="Devs", UserName="dev1")
    iam.put_group_policy(GroupName="Devs", PolicyName="look", PolicyDocument=document(allow("iam:ListGroups")))
    mine.list_groups()  # at once
    assert [x["UserName"] for x in iam.get_group(GroupName="Devs")["Users"]] == ["dev1"]
    assert [x["GroupName"] for x in iam.list_groups_for_user(UserName="dev1")["Groups"]] == ["Devs"]
    iam.update_group(GroupName="Devs", NewGroupName="Developers")
    assert [x["GroupName"] for x in iam.list_groups_for_user(UserName="dev1")["Groups"]] == ["Developers"]
    assert "must remove users" in refused("DeleteConflict", iam.delete_group, GroupName="Developers")
    iam.remove_user_from_group(GroupName="Developers", UserName="dev1")
    refused("AccessDenied", mine.list_groups)
    refused("DeleteConflict", iam.delete_group, GroupName="Developers")
    iam.delete_group_policy(GroupName="Developers", PolicyName="look")
    iam.delete_group(GroupName="Developers")
    refused("NoSuchEntity", iam.get_group, GroupName="Developers")


def test_groups_per_user(iam):
    iam.create_user(UserName="joiner")
    for i in range(11):
        iam.create_group(GroupName="join%d" % i)
        if i < 10:
            iam.add_user_to_group(GroupName="join%d" % i, UserName="joiner")
    assert refused("LimitExceeded", iam.add_user_to_group, GroupName="join10", UserName="joiner") == "Cannot exceed quota for GroupsPerUser: 10"


# --- roles ---

def test_role_life(iam, cloud):
    r = iam.create_role(RoleName="Worker", Path="/svc/", AssumeRolePolicyDocument=json.dumps(TRUST), Description="d", MaxSessionDuration=7200,
                        Tags=[{"Key": "k", "Value": "v"}])["Role"]
    assert r["RoleId"].startswith("AROA") and r["AssumeRolePolicyDocument"] == TRUST
    assert refused("EntityAlreadyExists", iam.create_role, RoleName="worker", AssumeRolePolicyDocument=json.dumps(TRUST)) == \
        "Role with name worker already exists."
    got = iam.get_role(RoleName="Worker")["Role"]
    assert got["Description"] == "d" and got["MaxSessionDuration"] == 7200 and got["Tags"] == [{"Key": "k", "Value": "v"}] and got["RoleLastUsed"] == {}
    iam.update_role(RoleName="Worker", Description="e", MaxSessionDuration=3600)
    assert iam.update_role_description(RoleName="Worker", Description="f")["Role"]["Description"] == "f"
    assert iam.get_role(RoleName="Worker")["Role"]["MaxSessionDuration"] == 3600
    changed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    iam.update_assume_role_policy(RoleName="Worker", PolicyDocument=json.dumps(changed))
    assert iam.get_role(RoleName="Worker")["Role"]["AssumeRolePolicyDocument"] == changed
    assert [x["RoleName"] for x in iam.list_roles(PathPrefix="/svc/")["Roles"]] == ["Worker"]
    for bad in ("{", json.dumps(DOC), json.dumps({"Version": "2012-10-17", "Statement": []}) + "x"):
        refused("MalformedPolicyDocument", iam.update_assume_role_policy, RoleName="Worker", PolicyDocument=bad)
    raw = cloud.client("iam", parameter_validation=False)
    refused("ValidationError", raw.create_role, RoleName="short", AssumeRolePolicyDocument=json.dumps(TRUST), MaxSessionDuration=60)
    refused("ValidationError", raw.create_role, RoleName="x" * 65, AssumeRolePolicyDocument=json.dumps(TRUST))
    refused("InvalidInput", iam.create_role, RoleName="fake", Path="/aws-service-role/x/", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.delete_role(RoleName="Worker")
    refused("NoSuchEntity", iam.delete_role, RoleName="Worker")


def test_trust_names_only_who_exists(iam, cloud):
    ghost = "arn:aws:iam::%s:user/ghost" % cloud.account
    t = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ghost}, "Action": "sts:AssumeRole"}]}
    assert refused("MalformedPolicyDocument", iam.create_role, RoleName="haunted", AssumeRolePolicyDocument=json.dumps(t)) == \
        'Invalid principal in policy: "AWS":"%s"' % ghost


def test_instance_profiles(iam, cloud):
    iam.create_role(RoleName="inst", AssumeRolePolicyDocument=json.dumps(TRUST))
    p = iam.create_instance_profile(InstanceProfileName="ip", Path="/p/")["InstanceProfile"]
    assert p["Roles"] == [] and p["InstanceProfileId"].startswith("AIPA") and p["Arn"].endswith(":instance-profile/p/ip")
    refused("EntityAlreadyExists", iam.create_instance_profile, InstanceProfileName="IP")
    iam.add_role_to_instance_profile(InstanceProfileName="ip", RoleName="inst")
    assert refused("LimitExceeded", iam.add_role_to_instance_profile, InstanceProfileName="ip", RoleName="inst") == \
        "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"
    assert iam.get_instance_profile(InstanceProfileName="ip")["InstanceProfile"]["Roles"][0]["RoleName"] == "inst"
    assert [x["InstanceProfileName"] for x in iam.list_instance_profiles_for_role(RoleName="inst")["InstanceProfiles"]] == ["ip"]
    assert "ip" in [x["InstanceProfileName"] for x in iam.list_instance_profiles(PathPrefix="/p/")["InstanceProfiles"]]
    assert "must remove roles from instance profile" in refused("DeleteConflict", iam.delete_role, RoleName="inst")
    refused("DeleteConflict", iam.delete_instance_profile, InstanceProfileName="ip")
    iam.tag_instance_profile(InstanceProfileName="ip", Tags=[{"Key": "x", "Value": "y"}])
    assert iam.list_instance_profile_tags(InstanceProfileName="ip")["Tags"] == [{"Key": "x", "Value": "y"}]
    iam.untag_instance_profile(InstanceProfileName="ip", TagKeys=["X"])
    assert iam.list_instance_profile_tags(InstanceProfileName="ip")["Tags"] == []
    iam.remove_role_from_instance_profile(InstanceProfileName="ip", RoleName="inst")
    refused("NoSuchEntity", iam.remove_role_from_instance_profile, InstanceProfileName="ip", RoleName="inst")
    iam.delete_instance_profile(InstanceProfileName="ip")
    refused("NoSuchEntity", iam.get_instance_profile, InstanceProfileName="ip")
    iam.delete_role(RoleName="inst")


def test_service_linked_roles(iam):
    r = iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="blue")["Role"]
    assert r["RoleName"] == "AWSServiceRoleForAutoScaling_blue" and r["Path"] == "/aws-service-role/autoscaling.amazonaws.com/"
    assert "has been taken in this account" in refused("InvalidInput", iam.create_service_linked_role,
                                                        AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="blue")
    refused("InvalidInput", iam.create_service_linked_role, AWSServiceName="nothing.amazonaws.com")
    n = r["RoleName"]
    assert iam.list_attached_role_policies(RoleName=n)["AttachedPolicies"][0]["PolicyName"] == "AutoScalingServiceRolePolicy"
    for call, kw in ((iam.delete_role, {}), (iam.put_role_policy, {"PolicyName": "x", "PolicyDocument": json.dumps(DOC)}),
                     (iam.attach_role_policy, {"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
                     (iam.update_assume_role_policy, {"PolicyDocument": json.dumps(TRUST)})):
        assert "protected role '%s'" % n in refused("UnmodifiableEntity", call, RoleName=n, **kw)
    iam.tag_role(RoleName=n, Tags=[{"Key": "a", "Value": "1"}])  # tags are the account's own
    assert iam.list_role_tags(RoleName=n)["Tags"] == [{"Key": "a", "Value": "1"}]
    task = iam.delete_service_linked_role(RoleName=n)["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    refused("NoSuchEntity", iam.get_role, RoleName=n)
    refused("NoSuchEntity", iam.get_service_linked_role_deletion_status, DeletionTaskId="task/aws-service-role/x/y/z")


# --- managed policies ---

def test_managed_policy_versions(iam, cloud):
    p = iam.create_policy(PolicyName="Mp", Path="/m/", PolicyDocument=json.dumps(DOC), Description="words", Tags=[{"Key": "a", "Value": "b"}])["Policy"]
    arn = p["Arn"]
    assert arn == "arn:aws:iam::%s:policy/m/Mp" % cloud.account and p["DefaultVersionId"] == "v1" and p["AttachmentCount"] == 0
    assert refused("EntityAlreadyExists", iam.create_policy, PolicyName="mp", PolicyDocument=json.dumps(DOC)) == \
        "A policy called mp already exists. Duplicate names are not allowed."
    got = iam.get_policy(PolicyArn=arn)["Policy"]
    assert got["Description"] == "words" and got["Tags"] == [{"Key": "a", "Value": "b"}]
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"] == DOC
    for i in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(allow("s3:List*")), SetAsDefault=i == 3)
    assert "up to 5 versions" in refused("LimitExceeded", iam.create_policy_version, PolicyArn=arn, PolicyDocument=json.dumps(DOC))
    v = {x["VersionId"]: x["IsDefaultVersion"] for x in iam.list_policy_versions(PolicyArn=arn)["Versions"]}
    assert v == {"v1": False, "v2": False, "v3": False, "v4": False, "v5": True}
    refused("DeleteConflict", iam.delete_policy_version, PolicyArn=arn, VersionId="v5")
    refused("DeleteConflict", iam.delete_policy, PolicyArn=arn)
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    refused("NoSuchEntity", iam.set_default_policy_version, PolicyArn=arn, VersionId="v9")
    refused("NoSuchEntity", iam.get_policy_version, PolicyArn=arn, VersionId="v9")
    for n in ("v1", "v3", "v4", "v5"):
        iam.delete_policy_version(PolicyArn=arn, VersionId=n)
    assert iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(DOC))["PolicyVersion"]["VersionId"] == "v6"  # numbers are not used twice
    iam.delete_policy_version(PolicyArn=arn, VersionId="v6")
    iam.delete_policy(PolicyArn=arn)
    assert refused("NoSuchEntity", iam.get_policy, PolicyArn=arn) == "Policy %s was not found." % arn
    refused("InvalidInput", iam.get_policy, PolicyArn="arn:aws:s3:::not-a-policy")


def test_documents_are_checked(iam):
    big = document(*[allow("s3:GetObject", "arn:aws:s3:::%s" % ("x" * 60)) for _ in range(80)])
    assert "PolicySize: 6144" in refused("LimitExceeded", iam.create_policy, PolicyName="big", PolicyDocument=big)
    iam.create_user(UserName="docs")
    assert "Maximum policy size of 2048 bytes exceeded for user docs" == refused(
        "LimitExceeded", iam.put_user_policy, UserName="docs", PolicyName="big", PolicyDocument=big)
    for bad in ("[]", "{}", '{"Version":"2012-10-17"}', document({"Effect": "Maybe", "Action": "*", "Resource": "*"}), document({"Effect": "Allow", "Action": "*"})):
        refused("MalformedPolicyDocument", iam.create_policy, PolicyName="bad", PolicyDocument=bad)
        refused("MalformedPolicyDocument", iam.put_user_policy, UserName="docs", PolicyName="bad", PolicyDocument=bad)


def test_inline_sizes_add_up(iam):
    iam.create_user(UserName="sums")
    doc = document(allow("s3:GetObject", "arn:aws:s3:::" + "y" * 900))
    iam.put_user_policy(UserName="sums", PolicyName="a", PolicyDocument=doc)
    iam.put_user_policy(UserName="sums", PolicyName="b", PolicyDocument=doc)
    refused("LimitExceeded", iam.put_user_policy, UserName="sums", PolicyName="c", PolicyDocument=doc)
    iam.put_user_policy(UserName="sums", PolicyName="b", PolicyDocument=doc)  # takes its own place
    iam.delete_user_policy(UserName="sums", PolicyName="a")
    iam.put_user_policy(UserName="sums", PolicyName="c", PolicyDocument=doc)
    assert iam.list_user_policies(UserName="sums")["PolicyNames"] == ["b", "c"]
    assert iam.get_user_policy(UserName="sums", PolicyName="c")["PolicyDocument"] == json.loads(doc)
    assert refused("NoSuchEntity", iam.get_user_policy, UserName="sums", PolicyName="a") == "The user policy with name a cannot be found."


def test_attach_detach(iam):
    arn = iam.create_policy(PolicyName="att", PolicyDocument=json.dumps(DOC))["Policy"]["Arn"]
    iam.create_user(UserName="att-u")
    iam.create_group(GroupName="att-g")
    iam.create_role(RoleName="att-r", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.attach_user_policy(UserName="att-u", PolicyArn=arn)
    iam.attach_user_policy(UserName="att-u", PolicyArn=arn)
    iam.attach_group_policy(GroupName="att-g", PolicyArn=arn)
    iam.attach_role_policy(RoleName="att-r", PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 3
    e = iam.list_entities_for_policy(PolicyArn=arn)
    assert [e["PolicyUsers"][0]["UserName"], e["PolicyGroups"][0]["GroupName"], e["PolicyRoles"][0]["RoleName"]] == ["att-u", "att-g", "att-r"]
    e = iam.list_entities_for_policy(PolicyArn=arn, EntityFilter="Role")
    assert (e["PolicyUsers"], e["PolicyGroups"], len(e["PolicyRoles"])) == ([], [], 1)
    assert iam.list_attached_role_policies(RoleName="att-r")["AttachedPolicies"] == [{"PolicyName": "att", "PolicyArn": arn}]
    assert iam.list_attached_group_policies(GroupName="att-g", PathPrefix="/none/")["AttachedPolicies"] == []
    assert refused("DeleteConflict", iam.delete_policy, PolicyArn=arn) == "Cannot delete a policy attached to entities."
    refused("DeleteConflict", iam.delete_role, RoleName="att-r")
    iam.detach_user_policy(UserName="att-u", PolicyArn=arn)
    iam.detach_group_policy(GroupName="att-g", PolicyArn=arn)
    iam.detach_role_policy(RoleName="att-r", PolicyArn=arn)
    assert refused("NoSuchEntity", iam.detach_role_policy, RoleName="att-r", PolicyArn=arn) == "Policy %s was not found." % arn
    iam.delete_policy(PolicyArn=arn)
    refused("NoSuchEntity", iam.attach_role_policy, RoleName="att-r", PolicyArn=arn)
    refused("NoSuchEntity", iam.attach_role_policy, RoleName="att-r", PolicyArn="arn:aws:iam::999999999999:policy/other")
    refused("NoSuchEntity", iam.attach_role_policy, RoleName="att-r", PolicyArn="arn:aws:iam::aws:policy/NoSuchThing")


def test_attachment_quota(iam):
    iam.create_role(RoleName="many", AssumeRolePolicyDocument=json.dumps(TRUST))
    names = [p["Arn"] for p in iam.list_policies(Scope="AWS", MaxItems=1000)["Policies"] if not p["Path"].startswith("/aws-service-role/")]
    for a in names[:10]:
        iam.attach_role_policy(RoleName="many", PolicyArn=a)
    assert refused("LimitExceeded", iam.attach_role_policy, RoleName="many", PolicyArn=names[10]) == "Cannot exceed quota for PoliciesPerRole: 10"
    for a in names[:10]:
        iam.detach_role_policy(RoleName="many", PolicyArn=a)
    iam.delete_role(RoleName="many")


def test_aws_policies(iam):
    admin = iam.get_policy(PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")["Policy"]
    assert admin["PolicyId"] == "ANPAIWMBCKSKIEE64ZLYK" and admin["DefaultVersionId"] == "v1" and admin["IsAttachable"]
    doc = iam.get_policy_version(PolicyArn=admin["Arn"], VersionId="v1")["PolicyVersion"]["Document"]
    assert doc["Statement"] == [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    core = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    doc = iam.get_policy_version(PolicyArn=core, VersionId="v2")["PolicyVersion"]["Document"]
    assert "ssm:UpdateInstanceInformation" in doc["Statement"][0]["Action"]
    lam = iam.get_policy(PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")["Policy"]
    assert lam["Path"] == "/service-role/"
    refused("NoSuchEntity", iam.get_policy, PolicyArn="arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole")  # the path is part of it
    for call, kw in ((iam.create_policy_version, {"PolicyDocument": json.dumps(DOC), "SetAsDefault": True}), (iam.delete_policy, {})):
        refused("AccessDenied", call, PolicyArn=admin["Arn"], **kw)
    names = {p["PolicyName"] for page in iam.get_paginator("list_policies").paginate(Scope="AWS", PaginationConfig={"PageSize": 7}) for p in page["Policies"]}
    assert {"ReadOnlyAccess", "PowerUserAccess", "IAMFullAccess", "AmazonS3FullAccess", "CloudWatchAgentServerPolicy"} <= names
    for p in iam.list_policies(Scope="AWS", MaxItems=1000)["Policies"]:  # each of them travels whole
        assert iam.get_policy_version(PolicyArn=p["Arn"], VersionId=p["DefaultVersionId"])["PolicyVersion"]["Document"]["Statement"]


def test_list_policies_spans_own_and_aws(iam):
    for i in range(3):
        iam.create_policy(PolicyName="own%d" % i, Path="/own/", PolicyDocument=json.dumps(DOC))
    assert {p["PolicyName"] for p in iam.list_policies(Scope="Local", PathPrefix="/own/")["Policies"]} == {"own0", "own1", "own2"}
    all_ = [p["Arn"] for page in iam.get_paginator("list_policies").paginate(PaginationConfig={"PageSize": 4}) for p in page["Policies"]]
    assert len(all_) == len(set(all_)) and any(":aws:policy/" in a for a in all_) and any("/own/own2" in a for a in all_)
    iam.create_role(RoleName="own-r", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.attach_role_policy(RoleName="own-r", PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess")
    assert "PowerUserAccess" in [p["PolicyName"] for p in iam.list_policies(OnlyAttached=True)["Policies"]]


# --- tags, account, login ---

def test_tags(iam):
    iam.create_role(RoleName="tags", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.tag_role(RoleName="tags", Tags=[{"Key": "A", "Value": "1"}, {"Key": "b", "Value": "2"}])
    iam.tag_role(RoleName="tags", Tags=[{"Key": "a", "Value": "3"}])
    assert sorted((t["Key"].lower(), t["Value"]) for t in iam.list_role_tags(RoleName="tags")["Tags"]) == [("a", "3"), ("b", "2")]
    refused("InvalidInput", iam.tag_role, RoleName="tags", Tags=[{"Key": "x", "Value": "1"}, {"Key": "X", "Value": "2"}])
    refused("InvalidInput", iam.tag_role, RoleName="tags", Tags=[{"Key": "aws:x", "Value": "1"}])
    iam.tag_role(RoleName="tags", Tags=[{"Key": "t%d" % i, "Value": ""} for i in range(48)])
    refused("LimitExceeded", iam.tag_role, RoleName="tags", Tags=[{"Key": "one-more", "Value": ""}])
    page = iam.list_role_tags(RoleName="tags", MaxItems=20)
    assert len(page["Tags"]) == 20 and page["IsTruncated"]
    assert len(iam.list_role_tags(RoleName="tags", MaxItems=40, Marker=page["Marker"])["Tags"]) == 30
    iam.untag_role(RoleName="tags", TagKeys=["B"] + ["t%d" % i for i in range(48)])
    assert [t["Value"] for t in iam.list_role_tags(RoleName="tags")["Tags"]] == ["3"]
    iam.create_user(UserName="tags")
    iam.tag_user(UserName="tags", Tags=[{"Key": "k", "Value": "v"}])
    iam.untag_user(UserName="tags", TagKeys=["k"])
    assert iam.list_user_tags(UserName="tags")["Tags"] == []
    arn = iam.create_policy(PolicyName="tags", PolicyDocument=json.dumps(DOC))["Policy"]["Arn"]
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    iam.untag_policy(PolicyArn=arn, TagKeys=["k"])


def test_alias(iam):
    assert iam.list_account_aliases()["AccountAliases"] == []
    iam.create_account_alias(AccountAlias="first-name")
    refused("EntityAlreadyExists", iam.create_account_alias, AccountAlias="first-name")
    iam.create_account_alias(AccountAlias="second-name")
    assert iam.list_account_aliases()["AccountAliases"] == ["second-name"]
    refused("NoSuchEntity", iam.delete_account_alias, AccountAlias="first-name")
    iam.delete_account_alias(AccountAlias="second-name")
    refused("ValidationError", iam.create_account_alias, AccountAlias="No_Good")


def test_passwords(iam, cloud):
    assert refused("NoSuchEntity", iam.get_account_password_policy) == "The Password Policy with domain name %s cannot be found." % cloud.account
    iam.create_user(UserName="pw")
    refused("PasswordPolicyViolation", iam.create_login_profile, UserName="pw", Password="short")
    iam.update_account_password_policy(MinimumPasswordLength=12, RequireSymbols=True, MaxPasswordAge=90, PasswordReusePrevention=24)
    p = iam.get_account_password_policy()["PasswordPolicy"]
    assert (p["MinimumPasswordLength"], p["RequireSymbols"], p["ExpirePasswords"], p["MaxPasswordAge"], p["PasswordReusePrevention"]) == (12, True, True, 90, 24)
    refused("PasswordPolicyViolation", iam.create_login_profile, UserName="pw", Password="abcdefghijklmnop")
    iam.create_login_profile(UserName="pw", Password="abcdefghijklmnop!", PasswordResetRequired=True)
    refused("EntityAlreadyExists", iam.create_login_profile, UserName="pw", Password="abcdefghijklmnop!")
    assert iam.get_login_profile(UserName="pw")["LoginProfile"]["PasswordResetRequired"]
    refused("PasswordPolicyViolation", iam.update_login_profile, UserName="pw", Password="abcdefghijklmnop!")
    iam.update_login_profile(UserName="pw", Password="another-good-one!", PasswordResetRequired=False)
    assert not iam.get_login_profile(UserName="pw")["LoginProfile"]["PasswordResetRequired"]
    iam.delete_login_profile(UserName="pw")
    refused("NoSuchEntity", iam.get_login_profile, UserName="pw")
    iam.delete_account_password_policy()
    refused("NoSuchEntity", iam.delete_account_password_policy)


def test_summary_counts(iam):
    a = iam.get_account_summary()["SummaryMap"]
    iam.create_user(UserName="count")
    arn = iam.create_policy(PolicyName="count", PolicyDocument=json.dumps(DOC))["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(DOC))
    b = iam.get_account_summary()["SummaryMap"]
    assert (b["Users"] - a["Users"], b["Policies"] - a["Policies"], b["PolicyVersionsInUse"] - a["PolicyVersionsInUse"]) == (1, 1, 2)
    assert b["AccessKeysPerUserQuota"] == 2 and b["VersionsPerPolicyQuota"] == 5


def test_authorization_details(iam):
    iam.create_user(UserName="det")
    iam.create_group(GroupName="det-g")
    iam.add_user_to_group(GroupName="det-g", UserName="det")
    iam.put_user_policy(UserName="det", PolicyName="in", PolicyDocument=json.dumps(DOC))
    iam.attach_user_policy(UserName="det", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    pages = list(iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 5}))
    users = [u for p in pages for u in p["UserDetailList"]]
    det = [u for u in users if u["UserName"] == "det"]
    assert len(det) == 1 and det[0]["GroupList"] == ["det-g"] and det[0]["UserPolicyList"] == [{"PolicyName": "in", "PolicyDocument": DOC}]
    assert len(users) == len({u["UserName"] for u in users}) == iam.get_account_summary()["SummaryMap"]["Users"]
    roles = iam.get_account_authorization_details(Filter=["Role"])
    assert roles["UserDetailList"] == [] and roles["Policies"] == []


# --- the root user and oneself ---

def test_get_user_without_a_name(iam, cloud):
    root = iam.get_user()["User"]
    assert root["Arn"] == "arn:aws:iam::%s:root" % cloud.account and root["UserId"] == cloud.account
    u = cloud.user("self", allow(["iam:GetUser", "iam:*AccessKey*"], "arn:aws:iam::*:user/${aws:username}"))
    mine = cloud.client("iam", key=u)
    assert mine.get_user()["User"]["UserName"] == "self"
    k = mine.create_access_key()["AccessKey"]
    assert k["UserName"] == "self" and len(mine.list_access_keys()["AccessKeyMetadata"]) == 2
    mine.delete_access_key(AccessKeyId=k["AccessKeyId"])
    refused("AccessDenied", mine.create_access_key, UserName="ann-other")


# --- simulation ---

def test_simulate(iam, cloud):
    u = cloud.user("sim", allow("s3:Get*", "arn:aws:s3:::b/*"), {"Effect": "Deny", "Action": "s3:GetObjectAcl", "Resource": "*"})
    r = iam.simulate_principal_policy(PolicySourceArn=u["Arn"], ActionNames=["s3:GetObject", "s3:GetObjectAcl", "s3:PutObject"],
                                      ResourceArns=["arn:aws:s3:::b/k"])["EvaluationResults"]
    assert [x["EvalDecision"] for x in r] == ["allowed", "explicitDeny", "implicitDeny"]
    assert r[0]["MatchedStatements"][0]["SourcePolicyType"] == "user"
    r = iam.simulate_custom_policy(PolicyInputList=[document(allow("ec2:*", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}))],
                                   ActionNames=["ec2:RunInstances"],
                                   ContextEntries=[{"ContextKeyName": "aws:RequestedRegion", "ContextKeyValues": ["eu-west-1"], "ContextKeyType": "string"}])
    assert r["EvaluationResults"][0]["EvalDecision"] == "allowed"
    r = iam.simulate_custom_policy(PolicyInputList=[document(allow("*"))], PermissionsBoundaryPolicyInputList=[document(allow("s3:*"))],
                                   ActionNames=["ec2:RunInstances"])["EvaluationResults"][0]
    assert r["EvalDecision"] == "implicitDeny" and not r["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"]
    refused("NoSuchEntity", iam.simulate_principal_policy, PolicySourceArn=u["Arn"] + "x", ActionNames=["s3:GetObject"])
    refused("InvalidInput", iam.simulate_custom_policy, PolicyInputList=["{"], ActionNames=["s3:GetObject"])


# --- attacks: ways up that must be closed ---

def test_no_rights_at_all(cloud):
    mine = cloud.client("iam", key=cloud.user("nobody"))
    calls = {
        "create_user": {"UserName": "x"}, "list_users": {}, "create_access_key": {"UserName": "nobody"}, "create_role": {"RoleName": "x", "AssumeRolePolicyDocument": json.dumps(TRUST)},
        "attach_user_policy": {"UserName": "nobody", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
        "put_user_policy": {"UserName": "nobody", "PolicyName": "p", "PolicyDocument": document(allow("*"))},
        "create_policy": {"PolicyName": "x", "PolicyDocument": json.dumps(DOC)}, "update_account_password_policy": {}, "get_account_summary": {},
        "create_login_profile": {"UserName": "nobody", "Password": "Abcdefgh1!"}, "list_policies": {}, "get_account_authorization_details": {},
        "delete_user_permissions_boundary": {"UserName": "nobody"}, "create_service_linked_role": {"AWSServiceName": "ecs.amazonaws.com"},
        "add_user_to_group": {"GroupName": "admins", "UserName": "nobody"}, "update_assume_role_policy": {"RoleName": "r", "PolicyDocument": json.dumps(TRUST)},
        "get_access_key_last_used": {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}, "simulate_custom_policy": {"PolicyInputList": [json.dumps(DOC)], "ActionNames": ["s3:GetObject"]},
        "get_user": {},
    }
    for name, kw in calls.items():
        assert "is not authorized to perform: iam:" in refused("AccessDenied", getattr(mine, name), **kw)


def test_new_version_needs_its_right(iam, cloud):
    u = cloud.user("esc1", allow(["iam:CreatePolicy", "iam:GetPolicy"]))
    arn = iam.create_policy(PolicyName="esc1", PolicyDocument=json.dumps(DOC))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="esc1", PolicyArn=arn)
    mine = cloud.client("iam", key=u)
    refused("AccessDenied", mine.create_policy_version, PolicyArn=arn, PolicyDocument=document(allow("*")), SetAsDefault=True)
    refused("AccessDenied", mine.set_default_policy_version, PolicyArn=arn, VersionId="v1")
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1"
    # with the right, it counts from the next call on
    iam.put_user_policy(UserName="esc1", PolicyName="p2", PolicyDocument=document(allow("iam:CreatePolicyVersion", arn)))
    refused("AccessDenied", mine.list_users)
    mine.create_policy_version(PolicyArn=arn, PolicyDocument=document(allow("iam:ListUsers")), SetAsDefault=True)
    mine.list_users()


def test_case_of_names_is_no_way_around(iam, cloud):
    iam.create_user(UserName="Admin-Protected")
    u = cloud.user("esc2", allow("iam:*"), {"Effect": "Deny", "Action": "iam:*", "Resource": "arn:aws:iam::*:user/Admin-*"})
    mine = cloud.client("iam", key=u)
    for n in ("Admin-Protected", "admin-protected", "ADMIN-PROTECTED"):
        refused("AccessDenied", mine.create_access_key, UserName=n)
        refused("AccessDenied", mine.update_user, UserName=n, NewUserName="free")
    iam.create_user(UserName="plain")
    refused("AccessDenied", mine.update_user, UserName="plain", NewUserName="Admin-new")  # nor by renaming into it


def test_paths_count_in_arns(iam, cloud):
    iam.create_user(UserName="boxed", Path="/box/")
    iam.create_user(UserName="free1")
    mine = cloud.client("iam", key=cloud.user("esc3", allow(["iam:TagUser", "iam:CreateUser"], "arn:aws:iam::*:user/box/*")))
    mine.tag_user(UserName="boxed", Tags=[{"Key": "k", "Value": "v"}])
    refused("AccessDenied", mine.tag_user, UserName="free1", Tags=[{"Key": "k", "Value": "v"}])
    mine.create_user(UserName="boxed2", Path="/box/")
    refused("AccessDenied", mine.create_user, UserName="free2")
    refused("AccessDenied", mine.create_user, UserName="free2", Path="/boxes/")


def test_pass_role(iam, cloud):
    iam.create_role(RoleName="power", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.create_instance_profile(InstanceProfileName="pp")
    mine = cloud.client("iam", key=cloud.user("esc4", allow("iam:AddRoleToInstanceProfile")))
    assert "iam:PassRole" in refused("AccessDenied", mine.add_role_to_instance_profile, InstanceProfileName="pp", RoleName="power")
    role = "arn:aws:iam::%s:role/power" % cloud.account
    iam.put_user_policy(UserName="esc4", PolicyName="pass", PolicyDocument=document(
        allow("iam:PassRole", role, Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}})))
    refused("AccessDenied", mine.add_role_to_instance_profile, InstanceProfileName="pp", RoleName="power")
    iam.put_user_policy(UserName="esc4", PolicyName="pass", PolicyDocument=document(
        allow("iam:PassRole", role, Condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}})))
    mine.add_role_to_instance_profile(InstanceProfileName="pp", RoleName="power")


def test_boundary_holds(iam, cloud):
    bound = iam.create_policy(PolicyName="bound", PolicyDocument=document(
        allow(["iam:List*", "iam:CreateUser", "iam:PutUserPolicy"]),
        {"Effect": "Deny", "Action": ["iam:DeleteUserPermissionsBoundary", "iam:DeleteRolePermissionsBoundary", "iam:CreatePolicyVersion"], "Resource": "*"}))["Policy"]["Arn"]
    u = cloud.user("esc5", allow("*"))
    mine = cloud.client("iam", key=u)
    mine.get_user()
    iam.put_user_permissions_boundary(UserName="esc5", PermissionsBoundary=bound)
    assert iam.get_user(UserName="esc5")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == bound
    assert iam.get_policy(PolicyArn=bound)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    mine.list_users()
    assert "no permissions boundary allows" in refused("AccessDenied", mine.get_user)
    refused("AccessDenied", mine.delete_user_permissions_boundary, UserName="esc5")
    refused("AccessDenied", mine.put_user_permissions_boundary, UserName="esc5", PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess")
    refused("AccessDenied", mine.create_policy_version, PolicyArn=bound, PolicyDocument=document(allow("*")), SetAsDefault=True)
    refused("DeleteConflict", iam.delete_policy, PolicyArn=bound)
    assert iam.list_entities_for_policy(PolicyArn=bound, PolicyUsageFilter="PermissionsBoundary")["PolicyUsers"][0]["UserName"] == "esc5"
    iam.delete_user_permissions_boundary(UserName="esc5")
    mine.get_user()
    refused("NoSuchEntity", iam.delete_user_permissions_boundary, UserName="esc5")


def test_delegated_admin_must_set_the_boundary(iam, cloud):
    bound = iam.create_policy(PolicyName="leash", PolicyDocument=document(allow("s3:*")))["Policy"]["Arn"]
    mine = cloud.client("iam", key=cloud.user("esc6", allow(
        ["iam:CreateRole", "iam:AttachRolePolicy", "iam:PutRolePolicy"], Condition={"StringEquals": {"iam:PermissionsBoundary": bound}})))
    refused("AccessDenied", mine.create_role, RoleName="loose", AssumeRolePolicyDocument=json.dumps(TRUST))
    refused("AccessDenied", mine.create_role, RoleName="loose", AssumeRolePolicyDocument=json.dumps(TRUST),
            PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess")
    mine.create_role(RoleName="leashed", AssumeRolePolicyDocument=json.dumps(TRUST), PermissionsBoundary=bound)
    mine.attach_role_policy(RoleName="leashed", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    iam.create_role(RoleName="unleashed", AssumeRolePolicyDocument=json.dumps(TRUST))
    refused("AccessDenied", mine.attach_role_policy, RoleName="unleashed", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    iam.delete_role_permissions_boundary(RoleName="leashed")
    refused("AccessDenied", mine.put_role_policy, RoleName="leashed", PolicyName="x", PolicyDocument=document(allow("*")))
    iam.put_role_permissions_boundary(RoleName="leashed", PermissionsBoundary=bound)
    mine.put_role_policy(RoleName="leashed", PolicyName="x", PolicyDocument=document(allow("*")))


def test_only_named_policies_may_be_attached(iam, cloud):
    iam.create_role(RoleName="arncheck", AssumeRolePolicyDocument=json.dumps(TRUST))
    mine = cloud.client("iam", key=cloud.user("esc7", allow("iam:AttachRolePolicy", Condition={
        "ArnEquals": {"iam:PolicyARN": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}})))
    mine.attach_role_policy(RoleName="arncheck", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    refused("AccessDenied", mine.attach_role_policy, RoleName="arncheck", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")


def test_tags_in_conditions(iam, cloud):
    iam.create_user(UserName="red", Tags=[{"Key": "team", "Value": "red"}])
    iam.create_user(UserName="blue", Tags=[{"Key": "team", "Value": "blue"}])
    u = cloud.user("esc8", allow("iam:CreateAccessKey", Condition={"StringEquals": {"iam:ResourceTag/team": "${aws:PrincipalTag/team}"}}),
                   allow(["iam:CreateUser", "iam:TagUser"], Condition={"StringEquals": {"aws:RequestTag/team": "red"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}))
    mine = cloud.client("iam", key=u)
    refused("AccessDenied", mine.create_access_key, UserName="red")
    iam.tag_user(UserName="esc8", Tags=[{"Key": "team", "Value": "red"}])
    mine.create_access_key(UserName="red")
    refused("AccessDenied", mine.create_access_key, UserName="blue")
    refused("AccessDenied", mine.create_user, UserName="untagged")
    refused("AccessDenied", mine.create_user, UserName="extra", Tags=[{"Key": "team", "Value": "red"}, {"Key": "x", "Value": "y"}])
    mine.create_user(UserName="tagged", Tags=[{"Key": "team", "Value": "red"}])


def test_creating_with_tags_needs_the_right_to_tag(iam, cloud):
    mine = cloud.client("iam", key=cloud.user("esc9", allow("iam:CreateUser")))
    mine.create_user(UserName="bare")
    assert "iam:TagUser" in refused("AccessDenied", mine.create_user, UserName="dressed", Tags=[{"Key": "a", "Value": "b"}])


def test_concurrent_creation_gives_one(cloud):
    def go(_):
        try:
            cloud.client("iam").create_role(RoleName="race", AssumeRolePolicyDocument=json.dumps(TRUST))
            return True
        except ClientError as e:
            assert e.response["Error"]["Code"] == "EntityAlreadyExists"
            return False
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(go, range(12))) == 1


def test_survives_a_kill(own_cloud):
    u = own_cloud.user("durable", allow("iam:ListUsers"))
    own_cloud.client("iam", key=u).list_users()
    own_cloud.kill()
    own_cloud.start()
    assert [x["UserName"] for x in own_cloud.client("iam", key=u).list_users()["Users"]] == ["durable"]


def test_not_built_says_so(iam):
    refused("NotImplemented", iam.create_service_specific_credential, UserName="x", ServiceName="codecommit.amazonaws.com")


def test_credentials_of_kinds_that_cannot_be_made_are_listed_as_none(iam):
    """Taking a user away begins with asking for them (Terraform's force_destroy)."""
    iam.create_user(UserName="unheld")
    for call, member in ((iam.list_ssh_public_keys, "SSHPublicKeys"), (iam.list_signing_certificates, "Certificates"),
                         (iam.list_service_specific_credentials, "ServiceSpecificCredentials")):
        assert call(UserName="unheld")[member] == []
        refused("NoSuchEntity", call, UserName="nobody-there")
    iam.delete_user(UserName="unheld")
