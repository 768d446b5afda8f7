# SPDX-License-Identifier: Apache-2.0
"""Stacks in stacks: made, changed, rolled back and deleted with the stack around them."""
import json

import pytest

from stack_lib import create, delete, key, parameter, parked, physical, put, reasons, refused, settle, signal_ok, story, template, until, update, waiting


@pytest.fixture(scope="module")
def bucket(cloud):
    cloud.client("s3").create_bucket(Bucket="nested-templates")
    return "nested-templates"


def upload(cloud, bucket, key, text):
    cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=text)
    return "%s/%s/%s" % (cloud.https, bucket, key)


def inner(value_expr=None, **kw):
    return template({"P": parameter(value_expr or {"Ref": "V"}), **kw}, Parameters={"V": {"Type": "String"}, "L": {"Type": "CommaDelimitedList", "Default": "a,b"}},
                    Outputs={"Name": {"Value": {"Ref": "P"}}, "First": {"Value": {"Fn::Select": [0, {"Ref": "L"}]}}})


def nested(url, **props):
    return {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url, **props}}


def outer(url, value="one", **kw):
    return template({"N": nested(url, Parameters={"V": value, "L": ["x", "y"]}, Tags=[{"Key": "inner", "Value": "1"}]),
                     "Q": parameter({"Fn::Sub": "name=${N.Outputs.Name}"}), **kw},
                    Outputs={"First": {"Value": {"Fn::GetAtt": ["N", "Outputs.First"]}}})


def child(cf, name, logical="N"):
    return cf.describe_stacks(StackName=physical(cf, name, logical))["Stacks"][0]


def value(cf, ssm, stack, logical="P"):
    return ssm.get_parameter(Name=physical(cf, stack, logical))["Parameter"]["Value"]


def test_create_update_delete(cloud, cf, ssm, bucket):
    url = upload(cloud, bucket, "a.json", inner())
    s = create(cf, "n-one", outer(url), Tags=[{"Key": "outer", "Value": "2"}])
    c = child(cf, "n-one")
    assert c["ParentId"] == s["StackId"] and c["RootId"] == s["StackId"] and c["StackName"].startswith("n-one-N-")
    assert {t["Key"]: t["Value"] for t in c["Tags"]} == {"inner": "1", "outer": "2"}
    assert s["Outputs"][0]["OutputValue"] == "x"
    assert value(cf, ssm, "n-one", "Q") == "name=" + physical(cf, c["StackId"], "P")
    assert [x[0] for x in story(cf, "n-one", "N")] == ["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
    update(cf, "n-one", outer(url, "two"))
    assert value(cf, ssm, c["StackId"]) == "two"
    # the text behind the same address has changed
    upload(cloud, bucket, "a.json", inner({"Fn::Sub": "${V}-new"}))
    update(cf, "n-one", outer(url, "two", R=parameter()))
    assert value(cf, ssm, c["StackId"]) == "two-new"
    assert [x["ParentId"] for x in cf.list_stacks()["StackSummaries"] if x["StackId"] == c["StackId"]] == [s["StackId"]]
    delete(cf, "n-one")
    assert cf.describe_stacks(StackName=c["StackId"])["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"


def test_failure_inside_rolls_back_outside(cloud, cf, ssm, bucket):
    bad = upload(cloud, bucket, "bad.json", inner(B={**parameter(Type="Nonsense"), "DependsOn": "P"}))
    s = create(cf, "n-bad", outer(bad), want="ROLLBACK_COMPLETE")
    why = [x[1] for x in story(cf, s["StackId"], "N") if x[0] == "CREATE_FAILED"][0]
    assert why.startswith("Embedded stack arn:aws:cloudformation:") and "was not successfully created: The following resource(s) failed to create: [B]" in why
    delete(cf, "n-bad")

    good = upload(cloud, bucket, "good.json", inner())
    create(cf, "n-up", outer(good))
    c = child(cf, "n-up")["StackId"]
    update(cf, "n-up", outer(bad, "two"), want="UPDATE_ROLLBACK_COMPLETE")
    assert "was not successfully updated: The following resource(s) failed to create: [B]" in str(story(cf, "n-up", "N"))
    assert value(cf, ssm, c) == "one" and cf.describe_stacks(StackName=c)["Stacks"][0]["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    # the inner one is done, something else fails: it goes back too
    update(cf, "n-up", outer(good, "three", Z={**parameter(Type="Nonsense"), "DependsOn": "N"}), want="UPDATE_ROLLBACK_COMPLETE")
    assert value(cf, ssm, c) == "one"
    delete(cf, "n-up")


def test_refusals(cloud, cf, bucket):
    s = create(cf, "n-none", template({"N": nested("%s/%s/none.json" % (cloud.https, bucket))}), want="ROLLBACK_COMPLETE")
    assert "S3 error" in str(story(cf, s["StackId"], "N"))
    delete(cf, "n-none")
    url = upload(cloud, bucket, "out.json", inner())
    s = create(cf, "n-out", template({"N": nested(url, Parameters={"V": "1"}), "Q": parameter({"Fn::GetAtt": ["N", "Outputs.Nope"]})}), want="ROLLBACK_COMPLETE")
    assert "Output 'Nope' not found in stack" in str(reasons(cf, s["StackId"]))
    delete(cf, "n-out")


def test_a_stack_that_nests_itself_ends(cloud, cf, bucket):
    url = "%s/%s/self.json" % (cloud.https, bucket)
    upload(cloud, bucket, "self.json", template({"N": nested(url)}))
    s = create(cf, "n-self", template({"N": nested(url)}), want="ROLLBACK_COMPLETE")
    delete(cf, "n-self")
    assert not [x for x in cf.describe_stacks()["Stacks"] if x.get("RootId") == s["StackId"]]


def test_inner_stack_waits_and_outer_is_cancelled(cloud, cf, ssm, bucket):
    plain = upload(cloud, bucket, "plain.json", template({"P": parameter("one")}))
    slow = upload(cloud, bucket, "slow.json", waiting(P=parameter("two")))
    arn = cf.create_stack(StackName="n-wait", TemplateBody=template({"N": nested(slow)}))["StackId"]
    c = until(lambda: [r.get("PhysicalResourceId") for r in cf.describe_stack_resources(StackName=arn)["StackResources"] if r.get("PhysicalResourceId")])[0]
    assert put(cloud, parked(cf, c), signal_ok()) == 200
    assert settle(cf, arn)["StackStatus"] == "CREATE_COMPLETE"
    delete(cf, "n-wait")

    create(cf, "n-cancel", template({"N": nested(plain)}))
    c = child(cf, "n-cancel")["StackId"]
    cf.update_stack(StackName="n-cancel", TemplateBody=template({"N": nested(slow)}))
    parked(cf, c)
    cf.cancel_update_stack(StackName="n-cancel")
    assert settle(cf, "n-cancel")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", reasons(cf, "n-cancel")
    assert value(cf, ssm, c) == "one"

    arn = cf.create_stack(StackName="n-gone", TemplateBody=template({"N": nested(slow)}))["StackId"]
    c = until(lambda: [r.get("PhysicalResourceId") for r in cf.describe_stack_resources(StackName=arn)["StackResources"] if r.get("PhysicalResourceId")])[0]
    parked(cf, c)
    cf.delete_stack(StackName=arn)
    assert settle(cf, arn)["StackStatus"] == "DELETE_COMPLETE", reasons(cf, arn)
    assert cf.describe_stacks(StackName=c)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    delete(cf, "n-cancel")


def test_inner_stacks_need_the_callers_rights(cloud, cf, bucket):
    url = upload(cloud, bucket, "rights.json", template({"P": parameter()}))
    who = cloud.user("nester", {"Effect": "Allow", "Action": ["s3:GetObject", "ssm:*"], "Resource": "*"},
                     {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "arn:aws:cloudformation:*:*:stack/n-rights/*"})
    mine = cloud.client("cloudformation", key=who)
    s = create(mine, "n-rights", template({"N": nested(url)}), want="ROLLBACK_COMPLETE")
    assert "is not authorized to perform: cloudformation:CreateStack" in str(story(mine, s["StackId"], "N"))


def test_kill_while_the_inner_stack_works(own_cloud):
    cf = own_cloud.client("cloudformation")
    own_cloud.client("s3").create_bucket(Bucket="nested-kill")
    url = upload(own_cloud, "nested-kill", "slow.json", waiting(P=parameter()))
    arn = cf.create_stack(StackName="k", TemplateBody=template({"N": nested(url), "Q": {**parameter(), "DependsOn": "N"}}))["StackId"]
    c = until(lambda: [r.get("PhysicalResourceId") for r in cf.describe_stack_resources(StackName=arn)["StackResources"] if r.get("PhysicalResourceId")])[0]
    handle = parked(cf, c)
    own_cloud.kill()
    own_cloud.start()
    cf = own_cloud.client("cloudformation")
    assert put(own_cloud, handle, signal_ok()) == 200
    assert settle(cf, arn)["StackStatus"] == "CREATE_COMPLETE", reasons(cf, arn)
    assert len(cf.describe_stacks()["Stacks"]) == 2
    assert json.loads(cf.get_template(StackName=c)["TemplateBody"] if isinstance(cf.get_template(StackName=c)["TemplateBody"], str)
                      else json.dumps(cf.get_template(StackName=c)["TemplateBody"]))["Resources"]["W"]


# --- change sets ---
def plan(cf, stack, body, kind, name="c", **kw):
    arn = cf.create_change_set(StackName=stack, ChangeSetName=name, ChangeSetType=kind, TemplateBody=body, IncludeNestedStacks=True, **kw)["Id"]
    return cf.describe_change_set(ChangeSetName=arn)


def nested_change(d, logical="N"):
    return [c["ResourceChange"] for c in d["Changes"] if c["ResourceChange"]["LogicalResourceId"] == logical][0]


def run_plan(cf, d):
    cf.execute_change_set(ChangeSetName=d["ChangeSetId"])
    return settle(cf, d["StackId"])


def test_change_sets_of_nested_stacks(cloud, cf, ssm, bucket):
    leaf = upload(cloud, bucket, "cs-leaf.json", inner())
    mid = upload(cloud, bucket, "cs-mid.json", template({"L": nested(leaf, Parameters={"V": {"Ref": "V"}})}, Parameters={"V": {"Type": "String", "AllowedPattern": "[a-z]+"}},
                                                        Outputs={"O": {"Value": {"Fn::GetAtt": ["L", "Outputs.Name"]}}}))
    def body(v="one"):
        return template({"P": parameter("x"), "N": nested(mid, Parameters={"V": v}), "K": nested(leaf, Parameters={"V": {"Ref": "P"}})})
    d = plan(cf, "ncs", body(), "CREATE")
    assert d["Status"] == "CREATE_COMPLETE" and d["IncludeNestedStacks"] and "ParentChangeSetId" not in d
    n = nested_change(d)
    kid = cf.describe_change_set(ChangeSetName=n["ChangeSetId"])
    assert kid["ParentChangeSetId"] == d["ChangeSetId"] == kid["RootChangeSetId"] and kid["Status"] == "CREATE_COMPLETE"
    assert kid["StackName"].startswith("ncs-N-") and kid["Parameters"] == [{"ParameterKey": "V", "ParameterValue": "one"}]
    grand = cf.describe_change_set(ChangeSetName=nested_change(kid, "L")["ChangeSetId"])
    assert grand["ParentChangeSetId"] == kid["ChangeSetId"] and grand["RootChangeSetId"] == d["ChangeSetId"]
    assert [c["ResourceChange"]["Action"] for c in grand["Changes"]] == ["Add"]
    later = cf.describe_change_set(ChangeSetName=nested_change(d, "K")["ChangeSetId"])
    assert later["Parameters"][0]["ParameterValue"] == "{{changeSet:KNOWN_AFTER_APPLY}}"
    s = cf.describe_stacks(StackName=kid["StackId"])["Stacks"][0]
    assert s["StackStatus"] == "REVIEW_IN_PROGRESS" and s["ParentId"] == d["StackId"] == s["RootId"]
    for fn in (cf.execute_change_set, cf.delete_change_set):
        refused("ValidationError", "by itself", fn, ChangeSetName=kid["ChangeSetId"])
    upload(cloud, bucket, "cs-leaf.json", inner("not what was planned"))
    assert run_plan(cf, d)["StackStatus"] == "CREATE_COMPLETE", reasons(cf, d["StackId"])
    assert child(cf, "ncs")["StackId"] == kid["StackId"]
    assert value(cf, ssm, grand["StackId"]) == "one", "the text that was described is the one that is used"
    assert cf.describe_change_set(ChangeSetName=grand["ChangeSetId"])["ExecutionStatus"] == "EXECUTE_COMPLETE"
    # nothing to change, then something far inside only
    upload(cloud, bucket, "cs-leaf.json", inner())
    again = plan(cf, "ncs", body(), "UPDATE", "c2")
    assert again["Status"] == "FAILED" and again["StatusReason"].startswith("The submitted information didn't contain changes.")
    cf.delete_change_set(ChangeSetName=again["ChangeSetId"])
    upload(cloud, bucket, "cs-leaf.json", inner(Q=parameter("new")))
    d = plan(cf, "ncs", body(), "UPDATE", "c3")
    n = nested_change(d)
    assert n["Action"] == "Modify" and n["Details"][0]["ChangeSource"] == "Automatic"
    kid = cf.describe_change_set(ChangeSetName=n["ChangeSetId"])
    grand = cf.describe_change_set(ChangeSetName=nested_change(kid, "L")["ChangeSetId"])
    assert [(c["ResourceChange"]["LogicalResourceId"], c["ResourceChange"]["Action"]) for c in grand["Changes"]] == [("Q", "Add")]
    assert run_plan(cf, d)["StackStatus"] == "UPDATE_COMPLETE", reasons(cf, d["StackId"])
    assert value(cf, ssm, grand["StackId"], "Q") == "new"
    # without looking inside every stack in the stack is a change
    d = cf.describe_change_set(ChangeSetName=cf.create_change_set(StackName="ncs", ChangeSetName="auto", TemplateBody=body())["Id"])
    assert {c["ResourceChange"]["LogicalResourceId"] for c in d["Changes"]} == {"N", "K"} and d["Status"] == "CREATE_COMPLETE"
    delete(cf, "ncs")


def test_planned_stacks_go_with_their_change_set(cloud, cf, bucket):
    leaf = upload(cloud, bucket, "pl-leaf.json", inner())
    body = template({"N": nested(leaf, Parameters={"V": "one"})})
    d = plan(cf, "ncd", body, "CREATE")
    kid = cf.describe_change_set(ChangeSetName=nested_change(d)["ChangeSetId"])
    cf.delete_change_set(ChangeSetName=d["ChangeSetId"])
    assert cf.describe_stacks(StackName=kid["StackId"])["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    refused("ChangeSetNotFound", "does not exist", cf.describe_change_set, ChangeSetName=kid["ChangeSetId"])
    # with the whole stack
    d = plan(cf, "ncd", body, "CREATE")
    kid = cf.describe_change_set(ChangeSetName=nested_change(d)["ChangeSetId"])
    delete(cf, "ncd")
    assert cf.describe_stacks(StackName=kid["StackId"])["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    # when the turn of the inner one never comes, and what is wrong in it is found before
    ssm = cloud.client("ssm")
    ssm.put_parameter(Name="/ncd/taken", Value="1", Type="String")
    d = plan(cf, "ncf", template({"B": parameter("{{resolve:ssm:/no/such}}"), "N": {**nested(leaf, Parameters={"V": "one"}), "DependsOn": "B"}}), "CREATE")
    kid = cf.describe_change_set(ChangeSetName=nested_change(d)["ChangeSetId"])
    assert run_plan(cf, d)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert cf.describe_stacks(StackName=kid["StackId"])["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    delete(cf, "ncf")
    taken = upload(cloud, bucket, "pl-taken.json", template({"P": parameter("x", Name="/ncd/taken")}))
    d = plan(cf, "ncv", template({"N": nested(taken)}), "CREATE")
    assert d["Status"] == "FAILED" and d["StatusReason"] == "Nested change set %s was not successfully created: Currently in FAILED." % nested_change(d)["ChangeSetId"]
    assert d["ExecutionStatus"] == "UNAVAILABLE"
    delete(cf, "ncv")
    # an inner one that fails takes the outer one back
    d = plan(cf, "ncb", template({"N": nested(upload(cloud, bucket, "pl-bad.json", template({"P": parameter("{{resolve:ssm:/no/such}}")})))}), "CREATE")
    assert run_plan(cf, d)["StackStatus"] == "ROLLBACK_COMPLETE"
    delete(cf, "ncb")


def test_kill_while_a_planned_stack_is_made(own_cloud):
    cloud, cf = own_cloud, own_cloud.client("cloudformation")
    cloud.client("s3").create_bucket(Bucket="plans")
    leaf = upload(cloud, "plans", "leaf.json", waiting(P=parameter()))
    d = plan(cf, "kp", template({"N": nested(leaf)}), "CREATE")
    kid = cf.describe_change_set(ChangeSetName=nested_change(d)["ChangeSetId"])
    cf.execute_change_set(ChangeSetName=d["ChangeSetId"])
    url = parked(cf, kid["StackId"])
    cloud.kill()
    cloud.start()
    assert put(cloud, url, signal_ok()) == 200
    cf = cloud.client("cloudformation")
    assert settle(cf, d["StackId"])["StackStatus"] == "CREATE_COMPLETE", reasons(cf, d["StackId"])
    assert {s["StackName"] for s in cf.list_stacks()["StackSummaries"]} == {kid["StackName"], "kp"}


def test_the_rollback_of_an_inner_stack_goes_on(cloud, cf, ssm, bucket):
    """An inner rollback that failed is continued from outside, with what is to be left out named in it."""
    kms = cloud.client("kms")
    def leaf(name, description, bad):
        more = {"Bad": {**parameter("{{resolve:ssm:/no/such}}"), "DependsOn": ["K", "W"]}} if bad else {}
        wait = json.loads(waiting())["Resources"] if bad else {}
        if bad:
            wait["W"]["DependsOn"] = "K"
        return upload(cloud, bucket, name, template({"K": key(Description=description), **wait, **more}))
    good, bad = leaf("back-good.json", "one", False), leaf("back-bad.json", "two", True)
    for end in ("mended", "skipped"):
        stack = "nback-" + end
        create(cf, stack, template({"N": nested(good), "P": parameter("1")}))
        kid = physical(cf, stack, "N")
        k = physical(cf, kid, "K")
        cf.update_stack(StackName=stack, TemplateBody=template({"N": nested(bad), "P": parameter("2")}))
        url = parked(cf, kid)
        kms.schedule_key_deletion(KeyId=k, PendingWindowInDays=7)
        assert put(cloud, url, signal_ok()) == 200
        assert settle(cf, stack)["StackStatus"] == "UPDATE_ROLLBACK_FAILED", reasons(cf, stack)
        assert cf.describe_stacks(StackName=kid)["Stacks"][0]["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
        skip = {}
        if end == "mended":
            kms.cancel_key_deletion(KeyId=k)
            kms.enable_key(KeyId=k)
        else:
            skip = {"ResourcesToSkip": ["N.K"]}
        cf.continue_update_rollback(StackName=stack, **skip)
        assert settle(cf, stack)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", reasons(cf, stack)
        assert cf.describe_stacks(StackName=kid)["Stacks"][0]["StackStatus"] in ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE")
        if end == "mended":
            assert kms.describe_key(KeyId=k)["KeyMetadata"]["Description"] == "one"
        delete(cf, stack)


def test_protection_reaches_inside(cloud, cf, bucket):
    url = upload(cloud, bucket, "prot.json", template({"P": parameter()}))
    create(cf, "nprot", template({"N": nested(url)}), EnableTerminationProtection=True)
    refused("ValidationError", "TerminationProtection is enabled", cf.delete_stack, StackName=physical(cf, "nprot", "N"))
    cf.update_termination_protection(StackName="nprot", EnableTerminationProtection=False)
    delete(cf, "nprot")
