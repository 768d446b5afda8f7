# SPDX-License-Identifier: Apache-2.0
"""Updates that must not be, and updates that go wrong twice: stack policies, ContinueUpdateRollback."""
import json

import pytest

from stack_lib import command, create, delete, key, parameter, parked, physical, put, reasons, refused, settle, signal_ok, story, template, until, update, waiting


ALLOW = {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}


def policy(*deny):
    return json.dumps({"Statement": [ALLOW, *[{"Effect": "Deny", "Principal": "*", "Resource": "*", **d} for d in deny]]})


def value(cf, ssm, stack, logical):
    return ssm.get_parameter(Name=physical(cf, stack, logical))["Parameter"]["Value"]


def test_stack_policies_are_enforced(cloud, cf, ssm):
    create(cf, "pol", template({"P": parameter("one"), "Q": parameter("one")}), StackPolicyBody=policy({"Action": "Update:Modify", "Resource": "LogicalResourceId/P"}))
    assert json.loads(cf.get_stack_policy(StackName="pol")["StackPolicyBody"])["Statement"][0] == ALLOW
    update(cf, "pol", template({"P": parameter("one"), "Q": parameter("two")}))
    update(cf, "pol", template({"P": parameter("two"), "Q": parameter("three")}), want="UPDATE_ROLLBACK_COMPLETE")
    assert ("UPDATE_FAILED", "Action denied by stack policy: Statement [#2] does not allow [Update:Modify] for resource [LogicalResourceId/P]") in story(cf, "pol", "P")
    assert value(cf, ssm, "pol", "P") == "one" and value(cf, ssm, "pol", "Q") == "two"
    # for one update only
    update(cf, "pol", template({"P": parameter("two"), "Q": parameter("two")}), StackPolicyDuringUpdateBody=policy())
    assert value(cf, ssm, "pol", "P") == "two"
    update(cf, "pol", template({"P": parameter("three"), "Q": parameter("two")}), want="UPDATE_ROLLBACK_COMPLETE")
    # removal and replacement
    cf.set_stack_policy(StackName="pol", StackPolicyBody=policy({"Action": "Update:Delete", "Condition": {"StringEquals": {"ResourceType": ["AWS::SSM::Parameter"]}}}))
    update(cf, "pol", template({"P": parameter("three")}), want="UPDATE_ROLLBACK_COMPLETE")
    assert any("does not allow [Update:Delete] for resource [*]" in (x[2] or "") for x in reasons(cf, "pol"))
    assert value(cf, ssm, "pol", "Q") == "two"
    cf.set_stack_policy(StackName="pol", StackPolicyBody=policy({"Action": "Update:Replace"}))
    update(cf, "pol", template({"P": parameter("three", Name="/pol/new"), "Q": parameter("two")}), want="UPDATE_ROLLBACK_COMPLETE")
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name="/pol/new")
    # change sets are updates too; a policy given with an update counts after it
    cf.set_stack_policy(StackName="pol", StackPolicyBody=policy({"Action": "Update:*"}))
    cs = cf.create_change_set(StackName="pol", ChangeSetName="c", TemplateBody=template({"P": parameter("nine"), "Q": parameter("two")}))
    cf.execute_change_set(ChangeSetName=cs["Id"])
    assert settle(cf, "pol")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    update(cf, "pol", template({"P": parameter("nine"), "Q": parameter("two")}), StackPolicyBody=policy(), want="UPDATE_ROLLBACK_COMPLETE")
    delete(cf, "pol")


def test_stack_policies_are_checked(cloud, cf):
    create(cf, "polv", template({"P": parameter()}))
    assert "StackPolicyBody" not in cf.get_stack_policy(StackName="polv")
    for bad in ("{}", "nonsense", json.dumps({"Statement": [{**ALLOW, "Action": "Delete:*"}]}), json.dumps({"Statement": [{**ALLOW, "Principal": "me"}]})):
        refused("ValidationError", "Error validating stack policy: Invalid stack policy", cf.set_stack_policy, StackName="polv", StackPolicyBody=bad)
    refused("ValidationError", "You cannot specify both", cf.set_stack_policy, StackName="polv", StackPolicyBody=policy(), StackPolicyURL=cloud.https + "/b/k")
    cloud.client("s3").create_bucket(Bucket="stack-policies")
    cloud.client("s3").put_object(Bucket="stack-policies", Key="p.json", Body=policy())
    cf.set_stack_policy(StackName="polv", StackPolicyURL=cloud.https + "/stack-policies/p.json")
    assert json.loads(cf.get_stack_policy(StackName="polv")["StackPolicyBody"])["Statement"] == [ALLOW]
    delete(cf, "polv")


def test_a_policy_set_during_an_update_stays(cloud, cf):
    create(cf, "polu", template({"P": parameter("1")}))
    cf.update_stack(StackName="polu", TemplateBody=waiting(P=parameter("1")))
    url = parked(cf, "polu")
    cf.set_stack_policy(StackName="polu", StackPolicyBody=policy({"Action": "Update:Delete"}))
    assert put(cloud, url, signal_ok()) == 200
    assert settle(cf, "polu")["StackStatus"] == "UPDATE_COMPLETE"
    assert len(json.loads(cf.get_stack_policy(StackName="polu")["StackPolicyBody"])["Statement"]) == 2
    delete(cf, "polu")


def rollback_fails(cloud, cf, name):
    """An update that fails, whose rollback fails too: the key is to be deleted by then."""
    create(cf, name, template({"K": key(Description="one"), "P": parameter("one")}))
    k = physical(cf, name, "K")
    more = json.loads(waiting())["Resources"]
    more["W"]["DependsOn"] = ["K", "P"]
    cf.update_stack(StackName=name, TemplateBody=template({"K": key(Description="two"), "P": parameter("two"), **more}))
    url = parked(cf, name)
    cloud.client("kms").schedule_key_deletion(KeyId=k, PendingWindowInDays=7)
    assert put(cloud, url, signal_ok(status="FAILURE")) == 200
    assert settle(cf, name)["StackStatus"] == "UPDATE_ROLLBACK_FAILED", reasons(cf, name)
    return k


def test_continue_update_rollback(cloud, cf, ssm):
    kms = cloud.client("kms")
    k = rollback_fails(cloud, cf, "cont")
    refused("ValidationError", "can not be updated", cf.update_stack, StackName="cont", TemplateBody=template({"P": parameter("x")}))
    cf.continue_update_rollback(StackName="cont")
    assert settle(cf, "cont")["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    kms.cancel_key_deletion(KeyId=k)
    kms.enable_key(KeyId=k)
    cf.continue_update_rollback(StackName="cont")
    assert settle(cf, "cont")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", reasons(cf, "cont")
    assert kms.describe_key(KeyId=k)["KeyMetadata"]["Description"] == "one" and value(cf, ssm, "cont", "P") == "one"
    assert {x["LogicalResourceId"] for x in cf.list_stack_resources(StackName="cont")["StackResourceSummaries"]} == {"K", "P"}
    refused("ValidationError", "can not continue the rollback", cf.continue_update_rollback, StackName="cont")
    update(cf, "cont", template({"K": key(Description="three"), "P": parameter("three")}))
    delete(cf, "cont")


def test_resources_to_skip(cloud, cf, ssm):
    k = rollback_fails(cloud, cf, "skip")
    refused("ValidationError", "does not exist", cf.continue_update_rollback, StackName="skip", ResourcesToSkip=["Nope"])
    cf.continue_update_rollback(StackName="skip", ResourcesToSkip=["K"])
    assert settle(cf, "skip")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", reasons(cf, "skip")
    assert value(cf, ssm, "skip", "P") == "one"
    assert cloud.client("kms").describe_key(KeyId=k)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    delete(cf, "skip")


def test_delete_of_a_stack_whose_rollback_failed(cloud, cf):
    rollback_fails(cloud, cf, "doomed")
    delete(cf, "doomed")


def test_role_of_later_operations(cloud, cf):
    """The role given with an operation is the stack's from then on; passing it needs iam:PassRole."""
    iam = cloud.client("iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
    arn = iam.create_role(RoleName="cfn-later", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName="cfn-later", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ssm:*", "Resource": "*"}]}))
    who = cloud.user("later", {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"})
    mine = cloud.client("cloudformation", key=who)
    create(cf, "later", template({"P": parameter("one")}))
    refused("AccessDenied", "iam:PassRole", mine.update_stack, StackName="later", TemplateBody=template({"P": parameter("two")}), RoleARN=arn)
    refused("AccessDenied", "iam:PassRole", mine.delete_stack, StackName="later", RoleARN=arn)
    update(cf, "later", template({"P": parameter("two")}), RoleARN=arn)
    update(mine, "later", template({"P": parameter("three")}))  # as the role, which it may not pass itself but the stack has
    assert cf.describe_stacks(StackName="later")["Stacks"][0]["RoleARN"] == arn
    iam.delete_role_policy(RoleName="cfn-later", PolicyName="p")
    delete(mine, "later", want="DELETE_FAILED")
    iam.put_role_policy(RoleName="cfn-later", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ssm:*", "Resource": "*"}]}))
    delete(mine, "later")
    until(lambda: True)


def test_force_delete(cloud, cf):
    s3 = cloud.client("s3")
    create(cf, "force", template({"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "force-deleted"}}, "P": parameter()}))
    refused("ValidationError", "DELETE_FAILED state", cf.delete_stack, StackName="force", DeletionMode="FORCE_DELETE_STACK")
    s3.put_object(Bucket="force-deleted", Key="k", Body=b"x")
    delete(cf, "force", want="DELETE_FAILED")
    s = delete(cf, "force", DeletionMode="FORCE_DELETE_STACK")
    assert story(cf, s["StackId"], "B")[-1][0] == "DELETE_SKIPPED"
    assert s3.list_objects_v2(Bucket="force-deleted")["KeyCount"] == 1


def test_what_nobody_acts_on_is_refused(cf):
    refused("ValidationError", "CreationPolicy (resource P) is not implemented", cf.create_stack, StackName="cp",
            TemplateBody=template({"P": {**parameter(), "CreationPolicy": {"ResourceSignal": {"Count": 1}}}}))
    refused("ValidationError", "UpdatePolicy (resource P) is not implemented", cf.create_stack, StackName="cp",
            TemplateBody=template({"P": {**parameter(), "UpdatePolicy": {"UseOnlineResharding": True}}}))
    body = template({"P": parameter()})
    refused("ValidationError", "NotificationARNs are not implemented", cf.create_stack, StackName="cp", TemplateBody=body, NotificationARNs=["arn:aws:sns:us-east-1:123456789012:t"])
    trigger = {"RollbackTriggers": [{"Arn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a", "Type": "AWS::CloudWatch::Alarm"}]}
    refused("ValidationError", "RollbackConfiguration is not implemented", cf.create_change_set, StackName="cp", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=body,
            RollbackConfiguration=trigger)
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        refused("ValidationError", "resource type AWS::SSM::Parameter does not support deletion policy Snapshot", cf.create_stack, StackName="cp",
                TemplateBody=template({"P": {**parameter(), policy: "Snapshot"}}))
    refused("ValidationError", "OnStackFailure DELETE", cf.create_change_set, StackName="cp", ChangeSetName="c", ChangeSetType="UPDATE", OnStackFailure="DELETE", TemplateBody=body)
    refused("ValidationError", "No transform named AWS::Serverless-2016-10-31 found.", cf.create_stack, StackName="cp", TemplateBody=template({"P": parameter()}, Transform="AWS::Serverless-2016-10-31"))


def test_tokens_are_forgotten_and_old_texts_go(own_cloud):
    cf = own_cloud.client("cloudformation")
    create(cf, "tok", template({"P": parameter("0")}))
    kw = dict(ClientRequestToken="token-1")
    update(cf, "tok", template({"P": parameter("1")}), **kw)
    events = len(cf.describe_stack_events(StackName="tok")["StackEvents"])
    cf.update_stack(StackName="tok", TemplateBody=template({"P": parameter("2")}), **kw)  # the same request again
    assert len(cf.describe_stack_events(StackName="tok")["StackEvents"]) == events
    command(own_cloud, "clock", "+8d")
    def forgotten():
        update(cf, "tok", template({"P": parameter("3")}), **kw)
        return len(cf.describe_stack_events(StackName="tok")["StackEvents"]) > events
    until(forgotten)
    filler = "x" * 40000
    s3 = own_cloud.client("s3")
    s3.create_bucket(Bucket="old-texts")
    def url(i):  # by address, as the trail keeps what is sent
        s3.put_object(Bucket="old-texts", Key="t.json", Body=template({"P": parameter(str(i))}, Metadata={"F": filler, "I": i}))
        return own_cloud.https + "/old-texts/t.json"
    update(cf, "tok", TemplateURL=url(0))
    def size():
        out = own_cloud.data.parent / "out.export"
        command(own_cloud, "export", str(out))
        n = out.stat().st_size
        out.unlink()
        return n
    before = size()
    for i in range(1, 11):
        update(cf, "tok", TemplateURL=url(i))
        cf.create_change_set(StackName="tok", ChangeSetName="c%d" % i, TemplateURL=url(i + 100))
        cf.delete_change_set(StackName="tok", ChangeSetName="c%d" % i)
    assert size() - before < 10 * len(filler) / 2
