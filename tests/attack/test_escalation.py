# SPDX-License-Identifier: Apache-2.0
"""Privilege escalation known from the field: each way is tried without the right it needs, and again where a policy really
gives it, so that a denial is known to come from the policy and not from a broken call."""
import json
import uuid

import pytest
from botocore.exceptions import ClientError

from refusals import allow, deny, document, refused

ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


def trust(principal, **kw):
    return document(dict({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}, **kw))


def fresh(prefix="e"):
    return prefix + uuid.uuid4().hex[:10]


@pytest.fixture(scope="module")
def root(cloud):
    return cloud.client("iam")


@pytest.fixture(scope="module")
def world(cloud, root):
    """What an attacker would like to have: an administrator, an admin role, a policy that is attached to the attacker."""
    admin = cloud.user(fresh("admin"), allow("*"))
    group = fresh("admins")
    root.create_group(GroupName=group)
    root.attach_group_policy(GroupName=group, PolicyArn=ADMIN)
    role = fresh("power")
    arn = root.create_role(RoleName=role, AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}))["Role"]["Arn"]
    root.attach_role_policy(RoleName=role, PolicyArn=ADMIN)
    return {"admin": admin, "group": group, "role": role, "role_arn": arn}


def ways(root, me, world):
    """(action, resource, call): each makes its caller an administrator."""
    policy = root.create_policy(PolicyName=fresh("p"), PolicyDocument=document(allow("sts:GetCallerIdentity")))["Policy"]["Arn"]
    dormant = root.create_policy(PolicyName=fresh("p"), PolicyDocument=EVERYTHING)["Policy"]["Arn"]
    root.create_policy_version(PolicyArn=dormant, PolicyDocument=document(allow("sts:GetCallerIdentity")), SetAsDefault=True)
    own = fresh("g")
    root.create_group(GroupName=own)
    for p in (policy, dormant):
        root.attach_user_policy(UserName=me["UserName"], PolicyArn=p)
    root.add_user_to_group(GroupName=own, UserName=me["UserName"])
    profile = fresh("prof")
    root.create_instance_profile(InstanceProfileName=profile)
    user, account = me["Arn"], me["Arn"].split(":")[4]
    garn = "arn:aws:iam::%s:group/" % account
    yield "iam:CreatePolicyVersion", policy, lambda c: c.create_policy_version(PolicyArn=policy, PolicyDocument=EVERYTHING, SetAsDefault=True)
    yield "iam:SetDefaultPolicyVersion", dormant, lambda c: c.set_default_policy_version(PolicyArn=dormant, VersionId="v1")
    yield "iam:AttachUserPolicy", user, lambda c: c.attach_user_policy(UserName=me["UserName"], PolicyArn=ADMIN)
    yield "iam:AttachGroupPolicy", garn + own, lambda c: c.attach_group_policy(GroupName=own, PolicyArn=ADMIN)
    yield "iam:PutUserPolicy", user, lambda c: c.put_user_policy(UserName=me["UserName"], PolicyName="x", PolicyDocument=EVERYTHING)
    yield "iam:PutGroupPolicy", garn + own, lambda c: c.put_group_policy(GroupName=own, PolicyName="x", PolicyDocument=EVERYTHING)
    yield "iam:AddUserToGroup", garn + world["group"], lambda c: c.add_user_to_group(GroupName=world["group"], UserName=me["UserName"])
    yield "iam:CreateAccessKey", world["admin"]["Arn"], lambda c: c.create_access_key(UserName=world["admin"]["UserName"])
    yield "iam:UpdateAssumeRolePolicy", world["role_arn"], lambda c: c.update_assume_role_policy(RoleName=world["role"], PolicyDocument=trust({"AWS": user}))
    yield "iam:CreateLoginProfile", world["admin"]["Arn"], lambda c: c.create_login_profile(UserName=world["admin"]["UserName"], Password="Correct-Horse-1")
    yield "iam:UpdateLoginProfile", world["admin"]["Arn"], lambda c: c.update_login_profile(UserName=world["admin"]["UserName"], Password="Correct-Horse-2")
    yield "iam:AttachRolePolicy", world["role_arn"], lambda c: c.attach_role_policy(RoleName=world["role"], PolicyArn=ADMIN)
    yield "iam:PutRolePolicy", world["role_arn"], lambda c: c.put_role_policy(RoleName=world["role"], PolicyName="x", PolicyDocument=EVERYTHING)
    yield "iam:PassRole", world["role_arn"], lambda c: c.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=world["role"])


def test_each_way_up_needs_exactly_its_right(cloud, root, world):
    names = [w[0] for w in ways(root, cloud.user(fresh()), world)]
    assert len(names) == 14
    for i, name in enumerate(names):
        me = cloud.user(fresh())
        action, resource, call = list(ways(root, me, world))[i]
        iam = cloud.client("iam", key=me)
        with_profile = [allow("iam:AddRoleToInstanceProfile")] if action == "iam:PassRole" else []
        # Every other right in IAM, but not this one; then this one, but for something else; then this one.
        root.put_user_policy(UserName=me["UserName"], PolicyName="p", PolicyDocument=document(allow("*"), deny(action)))
        refused("AccessDenied", lambda: call(iam))
        root.put_user_policy(UserName=me["UserName"], PolicyName="p", PolicyDocument=document(allow(action, resource + "x"), *with_profile))
        refused("AccessDenied", lambda: call(iam))
        root.put_user_policy(UserName=me["UserName"], PolicyName="p", PolicyDocument=document(allow(action, resource), *with_profile))
        call(iam)


def test_a_boundary_stops_each_way_up(cloud, root, world):
    """The same ways, by a user who has all rights in his policies and a boundary that leaves IAM out."""
    bound = root.create_policy(PolicyName=fresh("b"), PolicyDocument=document(allow(["s3:*", "sts:*"])))["Policy"]["Arn"]
    me = cloud.user(fresh(), allow("*"))
    every = list(ways(root, me, world))
    root.put_user_permissions_boundary(UserName=me["UserName"], PermissionsBoundary=bound)
    iam = cloud.client("iam", key=me)
    for action, _, call in every:
        refused("AccessDenied", lambda: call(iam))
    refused("AccessDenied", iam.delete_user_permissions_boundary, UserName=me["UserName"])
    refused("AccessDenied", iam.put_user_permissions_boundary, UserName=me["UserName"], PermissionsBoundary=ADMIN)
    refused("AccessDenied", iam.create_policy_version, PolicyArn=bound, PolicyDocument=EVERYTHING, SetAsDefault=True)
    # A role that trusts him has its own rights: the boundary is his, not the role's; assuming is still within it.
    role = root.create_role(RoleName=fresh("r"), AssumeRolePolicyDocument=trust({"AWS": me["Arn"]}))["Role"]["Arn"]
    s = cloud.client("sts", key=me).assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    refused("AccessDenied", cloud.client("iam", key=s).list_users)


def test_a_session_policy_stops_each_way_up(cloud, root, world):
    me = cloud.user(fresh())
    name = fresh("r")
    role = root.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"AWS": me["Arn"]}))["Role"]["Arn"]
    root.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=EVERYTHING)
    sts = cloud.client("sts", key=me)
    every = list(ways(root, me, world))
    for limit in ({"Policy": document(allow("s3:*"))}, {"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]},
                  {"Policy": EVERYTHING, "PolicyArns": [{"arn": root.create_policy(PolicyName=fresh("l"), PolicyDocument=document(deny("iam:*")))["Policy"]["Arn"]}]}):
        c = sts.assume_role(RoleArn=role, RoleSessionName="session", **limit)["Credentials"]
        for action, _, call in every:
            refused("AccessDenied", lambda: call(cloud.client("iam", key=c)))
    every[2][2](cloud.client("iam", key=sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]))


def test_session_policies_hold_for_what_resource_policies_give_the_role(cloud, root):
    s3, me, name, bucket = cloud.client("s3"), cloud.user(fresh()), fresh("r"), fresh("bkt")
    role = root.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"AWS": me["Arn"]}))["Role"]["Arn"]
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_policy(Bucket=bucket, Policy=document({"Effect": "Allow", "Principal": {"AWS": role}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::%s/*" % bucket}))
    sts = cloud.client("sts", key=me)
    free = sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    tied = sts.assume_role(RoleArn=role, RoleSessionName="session", Policy=document(allow("s3:ListBucket")))["Credentials"]
    cloud.client("s3", key=free).get_object(Bucket=bucket, Key="k")
    refused("AccessDenied", cloud.client("s3", key=tied).get_object, Bucket=bucket, Key="k")
    bound = root.create_policy(PolicyName=fresh("b"), PolicyDocument=document(allow("ec2:*")))["Policy"]["Arn"]
    root.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=bound)
    refused("AccessDenied", cloud.client("s3", key=free).get_object, Bucket=bucket, Key="k")


def test_delegated_administration_stays_inside_its_boundary(cloud, root):
    """The pattern that AWS recommends: create roles and users only with the boundary, never touch the boundary itself."""
    bound = root.create_policy(PolicyName=fresh("b"), PolicyDocument=document(allow(["s3:*", "iam:*"])))["Policy"]["Arn"]
    has = {"Condition": {"StringEquals": {"iam:PermissionsBoundary": bound}}}
    me = cloud.user(fresh(), allow(["iam:CreateUser", "iam:CreateRole", "iam:PutUserPolicy", "iam:PutRolePolicy", "iam:AttachUserPolicy", "iam:AttachRolePolicy",
                                    "iam:PutUserPermissionsBoundary", "iam:PutRolePermissionsBoundary"], **has), allow("iam:CreateAccessKey"),
                    deny(["iam:DeleteUserPermissionsBoundary", "iam:DeleteRolePermissionsBoundary"]),
                    deny(["iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeletePolicyVersion", "iam:DeletePolicy"], bound))
    iam = cloud.client("iam", key=me)
    u, r = fresh(), fresh("r")
    for kw in ({}, {"PermissionsBoundary": ADMIN}):
        refused("AccessDenied", iam.create_user, UserName=u, **kw)
        refused("AccessDenied", iam.create_role, RoleName=r, AssumeRolePolicyDocument=trust({"AWS": me["Arn"]}), **kw)
    iam.create_user(UserName=u, PermissionsBoundary=bound)
    iam.create_role(RoleName=r, AssumeRolePolicyDocument=trust({"AWS": me["Arn"]}), PermissionsBoundary=bound)
    iam.put_user_policy(UserName=u, PolicyName="p", PolicyDocument=EVERYTHING)
    iam.attach_role_policy(RoleName=r, PolicyArn=ADMIN)
    refused("AccessDenied", iam.put_user_permissions_boundary, UserName=u, PermissionsBoundary=ADMIN)
    refused("AccessDenied", iam.put_role_permissions_boundary, RoleName=r, PermissionsBoundary=ADMIN)
    refused("AccessDenied", iam.delete_user_permissions_boundary, UserName=u)
    refused("AccessDenied", iam.put_user_policy, UserName=me["UserName"], PolicyName="x", PolicyDocument=EVERYTHING)  # he has none himself
    refused("AccessDenied", iam.attach_user_policy, UserName=me["UserName"], PolicyArn=ADMIN)
    made = iam.create_access_key(UserName=u)["AccessKey"]
    k = {"AccessKeyId": made["AccessKeyId"], "SecretAccessKey": made["SecretAccessKey"]}
    cloud.client("s3", key=k).list_buckets()
    refused("AccessDeniedException", cloud.client("kms", key=k).list_keys)
    refused("UnauthorizedOperation", cloud.client("ec2", key=k).describe_vpcs)


def test_renaming_and_moving_is_no_way_into_others_rights(cloud, root):
    me = cloud.user(fresh(), allow("iam:UpdateUser", "arn:aws:iam::*:user/dev/*"))
    name, target = fresh(), fresh()
    root.create_user(UserName=name, Path="/dev/")
    iam = cloud.client("iam", key=me)
    refused("AccessDenied", iam.update_user, UserName=name, NewPath="/ops/")
    refused("AccessDenied", iam.update_user, UserName=target, NewUserName=name)
    iam.update_user(UserName=name, NewUserName=target, NewPath="/dev/x/")
    assert root.get_user(UserName=target)["User"]["Path"] == "/dev/x/"


def test_tagging_is_no_way_into_rights_by_tags(cloud, root):
    """Rights by tags: whoever may set the tag has the right. The right to tag others is not the right to tag oneself."""
    by_tag = allow("iam:ListUsers", Condition={"StringEquals": {"aws:PrincipalTag/team": "ops"}})
    other = fresh()
    root.create_user(UserName=other)
    me = cloud.user(fresh(), by_tag, allow("iam:TagUser", "arn:aws:iam::*:user/" + other), allow("iam:TagUser", Condition={
        "ForAllValues:StringEquals": {"aws:TagKeys": ["note"]}, "Null": {"aws:TagKeys": "false"}}))
    iam = cloud.client("iam", key=me)
    refused("AccessDenied", iam.list_users)
    refused("AccessDenied", iam.tag_user, UserName=me["UserName"], Tags=[{"Key": "team", "Value": "ops"}])
    refused("AccessDenied", iam.tag_user, UserName=me["UserName"], Tags=[{"Key": "note", "Value": "x"}, {"Key": "team", "Value": "ops"}])
    iam.tag_user(UserName=me["UserName"], Tags=[{"Key": "note", "Value": "x"}])
    iam.tag_user(UserName=other, Tags=[{"Key": "team", "Value": "ops"}])
    refused("AccessDenied", iam.list_users)
    # Session tags overlay a role's tags only where the trust policy lets the caller tag.
    name = fresh("r")
    role = root.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"AWS": me["Arn"]}))["Role"]["Arn"]
    root.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(by_tag))
    sts = cloud.client("sts", key=me)
    refused("AccessDenied", sts.assume_role, RoleArn=role, RoleSessionName="session", Tags=[{"Key": "team", "Value": "ops"}])
    c = sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    refused("AccessDenied", cloud.client("iam", key=c).list_users)


def test_chains_of_roles_gain_nothing(cloud, root):
    """a trusts the user; b trusts a only: the user reaches b by a alone, and keeps no rights of a there."""
    me = cloud.user(fresh())
    a, b = fresh("a"), fresh("b")
    a_arn = root.create_role(RoleName=a, AssumeRolePolicyDocument=trust({"AWS": me["Arn"]}))["Role"]["Arn"]
    b_arn = root.create_role(RoleName=b, AssumeRolePolicyDocument=trust({"AWS": a_arn}))["Role"]["Arn"]
    root.put_role_policy(RoleName=a, PolicyName="p", PolicyDocument=document(allow("iam:ListUsers")))
    root.put_role_policy(RoleName=b, PolicyName="p", PolicyDocument=document(allow("iam:ListRoles")))
    refused("AccessDenied", cloud.client("sts", key=me).assume_role, RoleArn=b_arn, RoleSessionName="session")
    ca = cloud.client("sts", key=me).assume_role(RoleArn=a_arn, RoleSessionName="session")["Credentials"]
    refused("AccessDenied", cloud.client("sts", key=ca).assume_role, RoleArn=a_arn, RoleSessionName="session")  # a role does not trust itself
    refused("ValidationError", cloud.client("sts", key=ca).assume_role, RoleArn=b_arn, RoleSessionName="session", DurationSeconds=3601)
    cb = cloud.client("sts", key=ca).assume_role(RoleArn=b_arn, RoleSessionName="session")["Credentials"]
    cloud.client("iam", key=cb).list_roles()
    refused("AccessDenied", cloud.client("iam", key=cb).list_users)
    # A session's policy goes with the session: a limited session of a cannot assume b when the limit leaves it out.
    tied = cloud.client("sts", key=me).assume_role(RoleArn=a_arn, RoleSessionName="session", Policy=document(allow("iam:ListUsers")))["Credentials"]
    refused("AccessDenied", cloud.client("sts", key=tied).assume_role, RoleArn=b_arn, RoleSessionName="session")


def test_get_session_token_is_no_way_around_anything(cloud, root):
    me = cloud.user(fresh(), allow("*"))
    c = cloud.client("sts", key=me).get_session_token()["Credentials"]
    for svc, call, kw in (("iam", "list_users", {}), ("iam", "create_access_key", {}), ("sts", "get_session_token", {}), ("sts", "get_access_key_info", {"AccessKeyId": me["AccessKeyId"]})):
        with pytest.raises(ClientError) as e:
            getattr(cloud.client(svc, key=c), call)(**kw)
        assert e.value.response["Error"]["Code"] in ("InvalidClientTokenId", "AccessDenied"), (svc, call, e.value)
    cloud.client("s3", key=c).list_buckets()
    # What the user loses, his session loses.
    root.put_user_policy(UserName=me["UserName"], PolicyName="p", PolicyDocument=document(deny("*")))
    refused("AccessDenied", cloud.client("s3", key=c).list_buckets)


def test_a_policy_simulated_for_others_needs_the_right(cloud, root):
    other = cloud.user(fresh(), allow("*"))
    me = cloud.user(fresh(), allow("iam:SimulatePrincipalPolicy", "arn:aws:iam::*:user/nobody"))
    iam = cloud.client("iam", key=me)
    refused("AccessDenied", iam.simulate_principal_policy, PolicySourceArn=other["Arn"], ActionNames=["s3:GetObject"])
    account = other["Arn"].split(":")[4]
    near = cloud.user(fresh(), allow("iam:SimulatePrincipalPolicy", ["arn:aws:iam::*:user/dev/*", "arn:aws:iam::999999999999:user/*"]))
    for arn in (other["Arn"].replace(":user/", ":user/dev/"), other["Arn"].replace(account, "999999999999")):
        refused("NoSuchEntity", cloud.client("iam", key=near).simulate_principal_policy, PolicySourceArn=arn, ActionNames=["s3:GetObject"])
    for odd in ("user:%s%s" % (other["UserName"], "x" * 20), "key:AKIAIOSFODNN7EXAMPLE", "nonsense:abcdefghijklmnop", "abcdefghijklmnopqrstuvw"):
        with pytest.raises(ClientError) as e:
            iam.simulate_principal_policy(PolicySourceArn=odd, ActionNames=["s3:GetObject"])
        assert e.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500, odd


# --- EC2: tags and networks ---
def test_network_rights_by_tag_cannot_be_taken_by_tagging(cloud):
    ec2 = cloud.client("ec2")
    mine, other = (ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in range(2))
    ec2.create_tags(Resources=[mine], Tags=[{"Key": "team", "Value": "net"}])
    has = {"Condition": {"StringEquals": {"aws:ResourceTag/team": "net"}}}
    me = cloud.user(fresh(), allow(["ec2:DeleteVpc", "ec2:ModifyVpcAttribute"], **has), allow("ec2:CreateVpc"),
                    allow("ec2:CreateTags", Condition={"StringEquals": {"ec2:CreateAction": "CreateVpc"}}), allow(["ec2:CreateTags", "ec2:DeleteTags"], **has))
    c = cloud.client("ec2", key=me)
    refused("UnauthorizedOperation", c.delete_vpc, VpcId=other)
    refused("UnauthorizedOperation", c.create_tags, Resources=[other], Tags=[{"Key": "team", "Value": "net"}])
    refused("UnauthorizedOperation", c.create_tags, Resources=[mine, other], Tags=[{"Key": "x", "Value": "y"}])
    refused("UnauthorizedOperation", c.delete_vpc, VpcId=other, DryRun=True)
    refused("DryRunOperation", c.delete_vpc, VpcId=mine, DryRun=True)
    c.create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "team", "Value": "net"}]}])
    c.delete_vpc(VpcId=mine)
    assert other in [v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"]]


def test_groups_in_the_default_vpc_need_the_right_to_that_vpc(cloud):
    ec2 = cloud.client("ec2")
    vpc = [v["VpcId"] for v in ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]][0]
    me = cloud.user(fresh(), allow("ec2:CreateSecurityGroup"), deny("ec2:CreateSecurityGroup", "arn:aws:ec2:*:*:vpc/" + vpc))
    c = cloud.client("ec2", key=me)
    refused("UnauthorizedOperation", c.create_security_group, GroupName=fresh(), Description="d", VpcId=vpc)
    refused("UnauthorizedOperation", c.create_security_group, GroupName=fresh(), Description="d")


def test_rules_of_others_groups(cloud):
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
    mine, other = (ec2.create_security_group(GroupName=fresh(), Description="d", VpcId=vpc)["GroupId"] for _ in range(2))
    rule = ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
                                                )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    me = cloud.user(fresh(), allow("ec2:*", "arn:aws:ec2:*:*:security-group/" + mine), allow("ec2:*", "arn:aws:ec2:*:*:security-group-rule/*"))
    c = cloud.client("ec2", key=me)
    world = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    refused("UnauthorizedOperation", c.authorize_security_group_ingress, GroupId=other, IpPermissions=[world])
    refused("UnauthorizedOperation", c.revoke_security_group_ingress, GroupId=other, SecurityGroupRuleIds=[rule])
    refused("InvalidSecurityGroupRuleId.NotFound", c.revoke_security_group_ingress, GroupId=mine, SecurityGroupRuleIds=[rule])
    refused("InvalidSecurityGroupRuleId.NotFound", c.modify_security_group_rules, GroupId=mine, SecurityGroupRules=[
        {"SecurityGroupRuleId": rule, "SecurityGroupRule": {"IpProtocol": "-1", "CidrIpv4": "0.0.0.0/0"}}])
    refused("InvalidSecurityGroupRuleId.NotFound", c.update_security_group_rule_descriptions_ingress, GroupId=mine,
            SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": rule, "Description": "x"}])
    c.authorize_security_group_ingress(GroupId=mine, IpPermissions=[world])
    assert ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"][0]["CidrIpv4"] == "10.0.0.0/8"


def test_conditions_see_the_caller_where_no_user_is_named(cloud, root):
    me = cloud.user(fresh(), allow("iam:*"), deny("iam:CreateAccessKey", Condition={"StringEquals": {"iam:ResourceTag/frozen": "yes"}}))
    iam = cloud.client("iam", key=me)
    key = iam.create_access_key()["AccessKey"]["AccessKeyId"]
    iam.delete_access_key(AccessKeyId=key)
    root.tag_user(UserName=me["UserName"], Tags=[{"Key": "frozen", "Value": "yes"}])
    refused("AccessDenied", iam.create_access_key, UserName=me["UserName"])
    refused("AccessDenied", iam.create_access_key)
