# SPDX-License-Identifier: Apache-2.0
"""What is left after operations that failed: stacks that stay as they are, updates made again after a failure, what is deleted with a
stack, and what a rollback keeps."""
import json

import pytest
from botocore.exceptions import ClientError

from stack_lib import command, create, delete, key, parameter, parked, physical, put, reasons, refused, settle, signal_ok, story, template, until, update, waiting


def names(ssm, prefix):
    """The parameters under a prefix, with their values."""
    return {p["Name"]: p["Value"] for p in ssm.get_parameters_by_path(Path=prefix, Recursive=True)["Parameters"]}


def bad(after, name="/fail/taken"):
    """A resource that can't be made, after others."""
    return {**parameter("x", Name=name), "DependsOn": after}


@pytest.fixture(scope="module", autouse=True)
def taken(ssm):
    ssm.put_parameter(Name="/fail/taken", Value="1", Type="String")


# --- stacks that stay as the failure left them ---
def test_a_stack_that_failed_goes_on(cf, ssm):
    create(cf, "on", template({"P": parameter("1", Name="/on/p"), "Bad": bad("P")}), want="CREATE_FAILED", DisableRollback=True)
    body = template({"P": parameter("2", Name="/on/p"), "Bad": {**parameter("x", Name="/on/free"), "DependsOn": "P"}})
    refused("ValidationError", "This stack is currently in a non-terminal [CREATE_FAILED] state", cf.update_stack, StackName="on", TemplateBody=body)
    update(cf, "on", body, DisableRollback=True)
    assert names(ssm, "/on") == {"/on/p": "2", "/on/free": "x"}
    assert story(cf, "on", "Bad")[-1][0] == "CREATE_COMPLETE"
    update(cf, "on", template({"P": parameter("3", Name="/on/p")}))
    delete(cf, "on")
    assert names(ssm, "/on") == {}


def test_a_stack_that_was_never_complete_is_rolled_back_to_nothing(cf, ssm):
    create(cf, "never", template({"P": parameter("1", Name="/never/p"), "Bad": bad("P")}), want="CREATE_FAILED", DisableRollback=True)
    update(cf, "never", template({"P": parameter("2", Name="/never/p"), "Q": parameter("1", Name="/never/q"), "Bad": bad(["P", "Q"])}), want="UPDATE_FAILED", DisableRollback=True)
    assert names(ssm, "/never") == {"/never/p": "2", "/never/q": "1"}
    cf.rollback_stack(StackName="never")
    assert settle(cf, "never")["StackStatus"] == "ROLLBACK_COMPLETE", reasons(cf, "never")
    assert names(ssm, "/never") == {}
    delete(cf, "never")


def test_a_failed_replacement_is_made_again(cf, ssm):
    create(cf, "again", template({"P": parameter("1", Name="/again/a")}))
    body = template({"P": parameter("1", Name="/fail/taken")})
    update(cf, "again", body, want="UPDATE_FAILED", DisableRollback=True)
    refused("ValidationError", "non-terminal [UPDATE_FAILED] state", cf.update_stack, StackName="again", TemplateBody=body)
    ssm.delete_parameter(Name="/fail/taken")
    update(cf, "again", body, DisableRollback=True)  # the same once more
    assert ssm.get_parameter(Name="/fail/taken")["Parameter"]["Value"] == "1"
    assert names(ssm, "/again") == {}, "what was replaced is deleted in the end"
    delete(cf, "again")
    ssm.put_parameter(Name="/fail/taken", Value="1", Type="String")


@pytest.mark.parametrize("end", ["update", "rollback", "delete"])
def test_what_failed_updates_replaced_is_not_left_behind(cf, ssm, end):
    stack, p = "twice-" + end, "/twice/" + end
    def body(name, ok=False):
        return template({"P": parameter(name, Name=p + "/" + name), "N": {**parameter("n", Name=p + "/n"), "DependsOn": "P"}, **({} if ok else {"Bad": bad(["P", "N"])})})
    create(cf, stack, template({"P": parameter("a", Name=p + "/a")}))
    update(cf, stack, body("b"), want="UPDATE_FAILED", DisableRollback=True)
    update(cf, stack, body("c"), want="UPDATE_FAILED", DisableRollback=True)
    assert set(names(ssm, p)) == {p + "/a", p + "/b", p + "/c", p + "/n"}
    if end == "update":
        update(cf, stack, body("c", True), DisableRollback=True)
        assert set(names(ssm, p)) == {p + "/c", p + "/n"}
    elif end == "rollback":
        cf.rollback_stack(StackName=stack)
        assert settle(cf, stack)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", reasons(cf, stack)
        assert names(ssm, p) == {p + "/a": "a"}
    delete(cf, stack)
    assert names(ssm, p) == {}


def test_a_failed_change_in_place_is_made_again(cloud, cf):
    """The second attempt asks for the same: the type must not take the first one's word for it."""
    kms = cloud.client("kms")
    create(cf, "inplace", template({"K": key(Description="one", Tags=[{"Key": "t", "Value": "1"}])}))
    k = physical(cf, "inplace", "K")
    body = template({"K": key(Description="two", Tags=[{"Key": "t", "Value": "2"}])})
    kms.schedule_key_deletion(KeyId=k, PendingWindowInDays=7)
    update(cf, "inplace", body, want="UPDATE_FAILED", DisableRollback=True)
    kms.cancel_key_deletion(KeyId=k)
    kms.enable_key(KeyId=k)
    update(cf, "inplace", body, DisableRollback=True)
    assert kms.describe_key(KeyId=k)["KeyMetadata"]["Description"] == "two"
    assert kms.list_resource_tags(KeyId=k)["Tags"][0]["TagValue"] == "2"
    delete(cf, "inplace")


def test_crash_in_an_update_after_a_failed_one(own_cloud):
    """What the failed update has made is changed by the next one, which is killed in between: it is not made anew."""
    cf, ssm = own_cloud.client("cloudformation"), own_cloud.client("ssm")
    ssm.put_parameter(Name="/fail/taken", Value="1", Type="String")
    create(cf, "kill", template({"A": parameter("a", Name="/kill/a")}))
    update(cf, "kill", template({"A": parameter("a", Name="/kill/b"), "P": parameter("1", Name="/kill/p"), "Bad": bad(["A", "P"])}), want="UPDATE_FAILED", DisableRollback=True)
    more = json.loads(waiting())["Resources"]
    handle = {"Fn::Sub": "${H}"}
    cf.update_stack(StackName="kill", DisableRollback=True, TemplateBody=template(
        {"A": parameter("a2", Name="/kill/b"), "P": parameter("2", Name="/kill/p"), **more, "Q": {**parameter(handle, Name="/kill/q"), "DependsOn": ["A", "P", "W"]}}))
    url = parked(cf, "kill")
    own_cloud.kill()
    own_cloud.start()
    cf, ssm = own_cloud.client("cloudformation"), own_cloud.client("ssm")
    assert put(own_cloud, url, signal_ok()) == 200
    assert settle(cf, "kill")["StackStatus"] == "UPDATE_COMPLETE", reasons(cf, "kill")
    assert names(ssm, "/kill") == {"/kill/b": "a2", "/kill/p": "2", "/kill/q": url}
    delete(cf, "kill")
    assert names(ssm, "/kill") == {}


# --- what a rollback keeps ---
def test_a_rollback_brings_the_policies_back(cf, ssm):
    create(cf, "pols", template({"P": parameter("1", Name="/pols/p"), "Q": parameter("1", Name="/pols/q")}))
    update(cf, "pols", template({"P": {**parameter("1", Name="/pols/p"), "DeletionPolicy": "Retain"}, "Q": {**parameter("1", Name="/pols/q"), "DependsOn": "P"}, "Bad": bad(["P", "Q"])}),
           want="UPDATE_ROLLBACK_COMPLETE")
    assert [x[0] for x in story(cf, "pols", "P")] == ["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"], "nothing was done to it"
    delete(cf, "pols")
    assert names(ssm, "/pols") == {}


def test_the_rollback_of_an_update_retains(cf, ssm):
    create(cf, "keep", template({"P": parameter("1", Name="/keep/p")}))
    body = template({"P": parameter("1", Name="/keep/p"), "R": {**parameter("r", Name="/keep/r"), "DeletionPolicy": "Retain"},
                     "E": {**parameter("e", Name="/keep/e"), "DeletionPolicy": "RetainExceptOnCreate"}, "Bad": bad(["R", "E"])})
    update(cf, "keep", body, want="UPDATE_ROLLBACK_COMPLETE")
    assert set(names(ssm, "/keep")) == {"/keep/p", "/keep/r"}
    ssm.delete_parameter(Name="/keep/r")
    update(cf, "keep", body, want="UPDATE_ROLLBACK_COMPLETE", RetainExceptOnCreate=True)
    assert set(names(ssm, "/keep")) == {"/keep/p"}
    delete(cf, "keep")


def test_what_was_imported_survives_a_later_rollback(cf, ssm):
    ssm.put_parameter(Name="/imp/old", Value="mine", Type="String")
    body = template({"I": {**parameter("mine", Name="/imp/old"), "DeletionPolicy": "Delete"}, "Bad": bad("I")})
    cs = cf.create_change_set(StackName="imp", ChangeSetName="c", ChangeSetType="CREATE", ImportExistingResources=True, DisableValidation=False,
                              TemplateBody=body.replace("/fail/taken", "/imp/{{resolve:ssm:/imp/none}}"))
    cf.execute_change_set(ChangeSetName=cs["Id"], DisableRollback=True)
    assert settle(cf, "imp")["StackStatus"] == "CREATE_FAILED", reasons(cf, "imp")
    cf.rollback_stack(StackName="imp")
    assert settle(cf, "imp")["StackStatus"] == "ROLLBACK_COMPLETE", reasons(cf, "imp")
    assert names(ssm, "/imp") == {"/imp/old": "mine"}
    delete(cf, "imp")


# --- who else is concerned ---
def test_change_sets_of_a_stack_that_changed_otherwise(cf):
    create(cf, "obs", template({"P": parameter("1")}))
    cs = cf.create_change_set(StackName="obs", ChangeSetName="c", TemplateBody=template({"P": parameter("2")}))["Id"]
    update(cf, "obs", template({"P": parameter("3")}))
    assert cf.describe_change_set(ChangeSetName=cs)["ExecutionStatus"] == "OBSOLETE"
    refused("InvalidChangeSetStatus", "cannot be executed in its current execution status of [OBSOLETE]", cf.execute_change_set, ChangeSetName=cs)
    cf.delete_change_set(ChangeSetName=cs)
    delete(cf, "obs")


def test_secrets_are_not_in_the_trail(cloud, cf, ssm):
    body = template({"P": parameter({"Ref": "S"}, Name="/trail/p")}, Parameters={"S": {"Type": "String", "NoEcho": True}})
    create(cf, "trail", body, Parameters=[{"ParameterKey": "S", "ParameterValue": "hush-hush-4711"}])
    cs = cf.create_change_set(StackName="trail", ChangeSetName="c", TemplateBody=body, Parameters=[{"ParameterKey": "S", "ParameterValue": "hush-hush-4712"}])["Id"]
    shown = json.dumps([cf.describe_change_set(ChangeSetName=cs, IncludePropertyValues=True), cf.describe_stacks(StackName="trail"),
                        cf.describe_stack_events(StackName="trail")], default=str)
    assert "hush-hush" not in shown
    trail = cloud.client("cloudtrail")
    def seen():
        e = [json.loads(x["CloudTrailEvent"]) for x in trail.lookup_events(LookupAttributes=[{"AttributeKey": "EventSource", "AttributeValue": "cloudformation.amazonaws.com"}])["Events"]]
        return [x for x in e if x["eventName"] in ("CreateStack", "CreateChangeSet") and x["requestParameters"].get("StackName") == "trail"]
    found = until(lambda: len(seen()) == 2 and seen())
    assert all(x["requestParameters"]["Parameters"][0]["ParameterKey"] == "S" for x in found)
    assert "hush-hush" not in json.dumps(found)
    delete(cf, "trail")


def test_deleted_stacks_can_be_looked_at_for_90_days(own_cloud):
    cf = own_cloud.client("cloudformation")
    create(cf, "gone", template({"P": parameter()}))
    arn = delete(cf, "gone")["StackId"]
    command(own_cloud, "clock", "+89d")
    assert cf.describe_stacks(StackName=arn)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE" and len(reasons(cf, arn)) == 9
    assert [s["StackId"] for s in cf.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]] == [arn]
    command(own_cloud, "clock", "+2d")
    def forgotten():
        try:
            cf.describe_stacks(StackName=arn)
        except ClientError as e:
            return "does not exist" in e.response["Error"]["Message"]
        return False
    until(forgotten)
    assert cf.list_stacks()["StackSummaries"] == []
    refused("ValidationError", "does not exist", cf.describe_stack_events, StackName=arn)


# --- time and cancelling, over a crash ---
def test_kill_after_a_cancel(own_cloud):
    """A cancelled update is rolled back after the crash, and what its steps had made goes, though nobody had written it down."""
    cf, ssm = own_cloud.client("cloudformation"), own_cloud.client("ssm")
    create(cf, "kc", template({"P": parameter("1", Name="/kc/p")}))
    more = {"N%02d" % i: parameter("n", Name="/kc/n%02d" % i) for i in range(30)}
    w = json.loads(waiting())["Resources"]
    cf.update_stack(StackName="kc", TemplateBody=template({"P": parameter("2", Name="/kc/p"), **w, **more}))
    cf.cancel_update_stack(StackName="kc")
    own_cloud.kill()
    own_cloud.start()
    cf, ssm = own_cloud.client("cloudformation"), own_cloud.client("ssm")
    assert settle(cf, "kc")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", reasons(cf, "kc")
    assert [x[2] for x in reasons(cf, "kc") if x[:2] == ("kc", "UPDATE_ROLLBACK_IN_PROGRESS")] == ["User Initiated"]
    assert names(ssm, "/kc") == {"/kc/p": "1"}


def test_kill_before_the_time_is_up(own_cloud):
    cf = own_cloud.client("cloudformation")
    arn = cf.create_stack(StackName="kt", TemplateBody=waiting(P=parameter("p", Name="/kt/p")), TimeoutInMinutes=5)["StackId"]
    parked(cf, arn)
    own_cloud.kill()
    own_cloud.start()
    command(own_cloud, "clock", "+6m")
    cf = own_cloud.client("cloudformation")
    assert settle(cf, arn)["StackStatus"] == "ROLLBACK_COMPLETE", reasons(cf, arn)
    assert any("Stack creation time exceeded the specified timeout" in (x[2] or "") for x in reasons(cf, arn))
    assert names(own_cloud.client("ssm"), "/kt") == {}


def test_kill_in_a_rollback_that_goes_on(own_cloud):
    """ContinueUpdateRollback was accepted: it comes to its end after the restart."""
    cf, kms = own_cloud.client("cloudformation"), own_cloud.client("kms")
    create(cf, "kr", template({"K": key(Description="one"), "P": parameter("1", Name="/kr/p")}))
    k = physical(cf, "kr", "K")
    more = json.loads(waiting())["Resources"]
    more["W"]["DependsOn"] = ["K", "P"]
    cf.update_stack(StackName="kr", TemplateBody=template({"K": key(Description="two"), "P": parameter("2", Name="/kr/p"), **more}))
    url = parked(cf, "kr")
    kms.schedule_key_deletion(KeyId=k, PendingWindowInDays=7)
    assert put(own_cloud, url, signal_ok(status="FAILURE")) == 200
    assert settle(cf, "kr")["StackStatus"] == "UPDATE_ROLLBACK_FAILED", reasons(cf, "kr")
    kms.cancel_key_deletion(KeyId=k)
    kms.enable_key(KeyId=k)
    cf.continue_update_rollback(StackName="kr", ClientRequestToken="once")
    own_cloud.kill()
    own_cloud.start()
    cf, kms = own_cloud.client("cloudformation"), own_cloud.client("kms")
    assert settle(cf, "kr")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", reasons(cf, "kr")
    assert kms.describe_key(KeyId=k)["KeyMetadata"]["Description"] == "one"
    assert names(own_cloud.client("ssm"), "/kr") == {"/kr/p": "1"}
    cf.continue_update_rollback(StackName="kr", ClientRequestToken="once")  # the same request again
    delete(cf, "kr")
