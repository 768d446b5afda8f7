# SPDX-License-Identifier: Apache-2.0
"""CloudFormation as a confused deputy: change sets and templates of stacks one has no right to, roles that were not handed over,
executing what somebody else has prepared, secrets in what stacks tell of themselves, template addresses that lead elsewhere."""
import json
import time
import uuid

import pytest
from botocore.exceptions import ClientError

from stack_lib import create, delete, parameter, settle, template
from refusals import allow, code

TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}]}


def fresh(prefix):
    return prefix + uuid.uuid4().hex[:10]


def own_stacks(cloud, name):
    return "arn:aws:cloudformation:us-east-1:%s:stack/%s*/*" % (cloud.account, name)


@pytest.fixture(scope="module")
def power(cloud):
    """A role that CloudFormation may use, and that may do everything."""
    iam = cloud.client("iam")
    name = fresh("power")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow("*")]}))
    return arn


@pytest.fixture(scope="module")
def mine(cloud, cf):
    """A user with all rights to stacks whose names begin as his own stack's, and to nothing else."""
    name = fresh("mine")
    create(cf, name, template({"P": parameter("p", Name="/" + name)}))
    who = cloud.user(fresh("u"), allow("cloudformation:*", own_stacks(cloud, name)), allow("ssm:*", "arn:aws:ssm:*:*:parameter/%s*" % name))
    return name, cloud.client("cloudformation", key=who)


def test_a_change_set_of_another_stack_by_ones_own_stacks_name(cf, ssm, mine, power):
    """Rights are asked for the stack that is named; the change set that is named must be that stack's."""
    victim, param = fresh("victim"), "/" + fresh("victim")
    create(cf, victim, template({"P": parameter("old", Name=param)}, Parameters={"X": {"Type": "String", "Default": "x"}}))
    arn = cf.create_change_set(StackName=victim, ChangeSetName="cs", RoleARN=power, TemplateBody=template({"P": parameter("new", Name=param)}))["Id"]
    name, me = mine
    for fn in (me.describe_change_set, me.get_template, me.describe_events, me.execute_change_set):
        assert code(fn, StackName=name, ChangeSetName=arn) in ("ChangeSetNotFound", "ChangeSetNotFoundException", "ValidationError"), fn
        assert code(fn, ChangeSetName=arn) == "AccessDenied", fn
        assert code(fn, StackName=victim, ChangeSetName=arn) == "AccessDenied", fn
    me.delete_change_set(StackName=name, ChangeSetName=arn)  # nothing there to delete, as for any that is gone
    assert code(me.delete_change_set, ChangeSetName=arn) == "AccessDenied"
    assert cf.describe_change_set(ChangeSetName=arn)["ExecutionStatus"] == "AVAILABLE"
    assert ssm.get_parameter(Name=param)["Parameter"]["Value"] == "old"
    cf.execute_change_set(StackName=victim, ChangeSetName=arn)  # who may does so by both names
    assert settle(cf, victim)["StackStatus"] == "UPDATE_COMPLETE"
    delete(cf, victim)


def test_no_role_without_passing_it(cloud, cf, ssm, mine, power):
    name, me = mine
    body = template({"P": parameter("x", Name="/" + fresh("elsewhere"))})
    assert code(me.create_stack, StackName=name + "-a", TemplateBody=body, RoleARN=power) == "AccessDenied"
    assert code(me.update_stack, StackName=name, TemplateBody=body, RoleARN=power) == "AccessDenied"
    assert code(me.delete_stack, StackName=name, RoleARN=power) == "AccessDenied"
    assert code(me.create_change_set, StackName=name, ChangeSetName="cs", TemplateBody=body, RoleARN=power) == "AccessDenied"
    me.create_stack(StackName=name + "-b", TemplateBody=body, OnFailure="DO_NOTHING")  # without the role: with his own rights
    assert settle(cf, name + "-b")["StackStatus"] == "CREATE_FAILED"
    assert code(me.rollback_stack, StackName=name + "-b", RoleARN=power) == "AccessDenied"
    assert cf.describe_stacks(StackName=name + "-b")["Stacks"][0].get("RoleARN") is None
    delete(cf, name + "-b")
    # PassRole for another service is none for this one
    who = cloud.user(fresh("u"), allow("cloudformation:*"), allow("iam:PassRole", power, Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}))
    assert code(cloud.client("cloudformation", key=who).create_stack, StackName=fresh("s"), TemplateBody=body, RoleARN=power) == "AccessDenied"


def test_what_an_administrator_prepared_runs_with_the_rights_of_who_executes_it(cf, ssm, mine):
    name, me = mine
    param = "/" + fresh("forbidden")
    stack = name + "-exec"
    arn = cf.create_change_set(StackName=stack, ChangeSetName="cs", ChangeSetType="CREATE", TemplateBody=template({"P": parameter("x", Name=param)}))["Id"]
    me.execute_change_set(StackName=stack, ChangeSetName=arn)
    assert settle(cf, stack)["StackStatus"] in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
    assert code(ssm.get_parameter, Name=param) == "ParameterNotFound"
    delete(cf, stack)


def test_a_session_takes_its_limits_along(cloud, cf, ssm):
    """The session's policy and its provider count for what its stack does, too; a session without MFA changes nothing in IAM by a stack."""
    who = cloud.user(fresh("u"), allow("*"))
    weak = cloud.client("sts", key=who).get_session_token()["Credentials"]
    name = fresh("weak")
    cloud.client("cloudformation", key=weak).create_stack(StackName=name, Capabilities=["CAPABILITY_NAMED_IAM"], TemplateBody=template(
        {"U": {"Type": "AWS::IAM::User", "Properties": {"UserName": name}}}))
    assert settle(cf, name)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert code(cloud.client("iam").get_user, UserName=name) == "NoSuchEntity"
    delete(cf, name)


def test_secrets_do_not_show(cf, mine):
    """Who may only look at a stack sees no NoEcho parameter: not in the stack, its events, its change sets nor its template."""
    name, _ = mine
    stack, secret = name + "-echo", fresh("hush")
    params = {"S": {"Type": "String", "NoEcho": True}, "D": {"Type": "String", "NoEcho": True, "Default": secret + "-default"}}
    body = template({"P": parameter({"Ref": "S"}, Name="/" + stack), "Q": parameter({"Fn::Sub": "a-${S}-${D}"}, Name="/" + stack + "-q", Type={"Fn::Sub": "not-${S}-${D}"})},
                    Parameters=params)
    given = [{"ParameterKey": "S", "ParameterValue": secret}]
    cf.create_stack(StackName=stack, TemplateBody=body, Parameters=given, OnFailure="DO_NOTHING")
    assert settle(cf, stack)["StackStatus"] == "CREATE_FAILED"
    seen = [cf.describe_stacks(StackName=stack), cf.describe_stack_events(StackName=stack), cf.describe_events(StackName=stack),
            cf.describe_stack_resources(StackName=stack), cf.list_stack_resources(StackName=stack)]
    assert secret not in json.dumps(seen, default=str) and "Value 'not-****-****' at 'type'" in json.dumps(seen, default=str)  # the service quotes what it was given
    delete(cf, stack)
    cf.create_change_set(StackName=stack, ChangeSetName="cs", ChangeSetType="CREATE", TemplateBody=body, Parameters=given)
    seen = [cf.describe_change_set(StackName=stack, ChangeSetName="cs", IncludePropertyValues=True), cf.describe_events(StackName=stack, ChangeSetName="cs")]
    assert secret + '"' not in json.dumps(seen, default=str) and "a-" + secret not in json.dumps(seen, default=str)
    delete(cf, stack)


def test_templates_come_from_this_clouds_s3_alone(cloud, cf, mine):
    name, me = mine
    for url in ("http://169.254.169.254/latest/meta-data", "https://example.com/t.json", "http://127.0.0.1:1/t.json", "file:///etc/passwd", "https://user@s3.amazonaws.com.example.com/b/k",
                "https://localhost:%d/" % cloud.port, "https://localhost:%d/b" % cloud.port, "gopher://127.0.0.1/", "//etc/passwd", "https://s3.amazonaws.com.evil.com/b/k"):
        assert code(cf.validate_template, TemplateURL=url) == "ValidationError", url
    bucket = fresh("templates")
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="t.json", Body=b"hush: [")
    with pytest.raises(ClientError) as e:  # with his own rights, and the text isn't told
        me.create_stack(StackName=name + "-url", TemplateURL="%s/%s/t.json" % (cloud.https, bucket))
    assert "hush" not in str(e.value) and "is not authorized to perform: s3:GetObject" in str(e.value)


def test_a_handle_of_another_stack(cloud, cf, mine):
    """The address of a wait condition handle is told by its stack to who may look; waiting for it is the stack's own affair."""
    victim, (name, me) = fresh("victim"), mine
    handle = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    wait = {"Type": "AWS::CloudFormation::WaitCondition", "Properties": {"Handle": {"Ref": "H"}, "Timeout": "600"}}
    cf.create_stack(StackName=victim, TemplateBody=template({"H": handle, "W": dict(wait, DependsOn="H")}))
    url, end = None, time.time() + 30
    while not url and time.time() < end:
        rows = {r["LogicalResourceId"]: r for r in cf.describe_stack_resources(StackName=victim)["StackResources"]}
        url = rows.get("W") and rows["W"]["ResourceStatus"] == "CREATE_IN_PROGRESS" and rows["H"].get("PhysicalResourceId")
    thief = dict(wait, Properties=dict(wait["Properties"], Handle=url))
    me.create_stack(StackName=name + "-thief", TemplateBody=template({"W": thief}))
    assert settle(cf, name + "-thief")["StackStatus"] == "ROLLBACK_COMPLETE"
    delete(cf, name + "-thief")
    assert cf.describe_stacks(StackName=victim)["Stacks"][0]["StackStatus"] == "CREATE_IN_PROGRESS"
    delete(cf, victim)


def test_signals_need_the_right_for_that_stack(cloud, cf, mine):
    victim, (name, me) = fresh("victim"), mine
    wait = {"Type": "AWS::CloudFormation::WaitCondition", "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT10M"}}}
    arn = cf.create_stack(StackName=victim, TemplateBody=template({"W": wait}))["StackId"]
    for n in (victim, arn, arn.replace(victim, name)):
        assert code(me.signal_resource, StackName=n, LogicalResourceId="W", UniqueId="1", Status="SUCCESS") in ("AccessDenied", "ValidationError"), n
    assert code(me.delete_stack, StackName=victim) == "AccessDenied" and code(me.describe_stack_resources, StackName=victim) == "AccessDenied"
    assert code(me.describe_stack_resources, PhysicalResourceId="anything") == "AccessDenied"
    cf.delete_stack(StackName=victim)
    assert settle(cf, arn)["StackStatus"] == "DELETE_COMPLETE"


def test_page_tokens_of_another_stack(cf, mine):
    name, me = mine
    many = {"P%03d" % i: parameter("x", Name="/%s/%d" % (name, i)) for i in range(60)}
    create(cf, name + "-many", template(many))
    other = fresh("other")
    create(cf, other, template({k: parameter("x", Name="/%s/%s" % (other, k)) for k in many}))
    token = cf.describe_stack_events(StackName=other).get("NextToken")
    assert token
    try:
        page = me.describe_stack_events(StackName=name + "-many", NextToken=token)["StackEvents"]
    except ClientError:
        page = []
    assert all(e["StackName"] == name + "-many" for e in page)
    delete(cf, other)
    delete(cf, name + "-many")
