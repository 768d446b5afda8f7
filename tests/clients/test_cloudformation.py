# SPDX-License-Identifier: Apache-2.0
"""CloudFormation through boto3: stacks, updates, replacements, rollbacks, change sets as the CDK uses them, exports,
capabilities, and who may do what."""
import json

import pytest
from botocore.exceptions import ClientError

from stack_lib import ROLE, change_set, create, delete, events, key, parameter, physical, reasons, refused, settle, story, template, update


# --- create, look, delete ---
def test_create_and_delete(cf, kms):
    body = template({"K": key(Description="first"), "A": {"Type": "AWS::KMS::Alias", "Properties": {"AliasName": "alias/cfn-one", "TargetKeyId": {"Fn::GetAtt": ["K", "Arn"]}}}},
                    Outputs={"Arn": {"Value": {"Fn::GetAtt": "K.Arn"}, "Description": "the key"}}, Description="one key")
    s = create(cf, "one", body, Tags=[{"Key": "team", "Value": "a"}], ClientRequestToken="tok-1")
    assert s["Description"] == "one key" and s["Tags"] == [{"Key": "team", "Value": "a"}]
    assert s["Outputs"] == [{"OutputKey": "Arn", "OutputValue": s["Outputs"][0]["OutputValue"], "Description": "the key"}]
    assert kms.describe_key(KeyId="alias/cfn-one")["KeyMetadata"]["Arn"] == s["Outputs"][0]["OutputValue"]
    assert {"TagKey": "team", "TagValue": "a"} in kms.list_resource_tags(KeyId="alias/cfn-one" if False else physical(cf, "one", "K"))["Tags"]
    assert story(cf, "one", "K") == [("CREATE_IN_PROGRESS", None), ("CREATE_IN_PROGRESS", "Resource creation Initiated"), ("CREATE_COMPLETE", None)]
    assert story(cf, "one", "one") == [("CREATE_IN_PROGRESS", "User Initiated"), ("CREATE_COMPLETE", None)]
    ev = events(cf, "one")
    assert ev[0]["LogicalResourceId"] == ev[-1]["LogicalResourceId"] == "one" and ev[0]["PhysicalResourceId"] == s["StackId"]
    assert len({e["EventId"] for e in ev}) == len(ev) and all(e["ClientRequestToken"] == "tok-1" for e in ev)
    assert cf.get_template(StackName="one")["TemplateBody"] == json.loads(body)
    assert {r["LogicalResourceId"] for r in cf.list_stack_resources(StackName="one")["StackResourceSummaries"]} == {"K", "A"}
    res = cf.describe_stack_resources(PhysicalResourceId="alias/cfn-one")["StackResources"]
    assert [r["LogicalResourceId"] for r in res] == ["A"] and res[0]["StackName"] == "one"
    assert cf.create_stack(StackName="one", TemplateBody=body, ClientRequestToken="tok-1")["StackId"] == s["StackId"]
    refused("AlreadyExistsException", "Stack [one] already exists", cf.create_stack, StackName="one", TemplateBody=body)
    k = physical(cf, "one", "K")
    delete(cf, "one")
    assert kms.describe_key(KeyId=k)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    refused("ValidationError", "Stack with id one does not exist", cf.describe_stacks, StackName="one")
    assert cf.describe_stacks(StackName=s["StackId"])["Stacks"][0]["DeletionTime"]
    assert story(cf, s["StackId"], "one")[-2:] == [("DELETE_IN_PROGRESS", "User Initiated"), ("DELETE_COMPLETE", None)]
    order = [e["LogicalResourceId"] for e in events(cf, s["StackId"]) if e["ResourceStatus"] == "DELETE_COMPLETE"]
    assert order == ["A", "K", "one"]
    assert any(x["StackId"] == s["StackId"] for x in cf.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"])
    assert all(x["StackId"] != s["StackId"] for x in cf.describe_stacks()["Stacks"])
    cf.delete_stack(StackName="never-was")  # nothing to do


def test_names_and_templates_are_checked(cf):
    ok = template({"P": parameter()})
    refused("ValidationError", "[a-zA-Z][-a-zA-Z0-9]*", cf.create_stack, StackName="1x", TemplateBody=ok)
    refused("ValidationError", "Member must have length less than or equal to 128", cf.create_stack, StackName="x" * 129, TemplateBody=ok)
    refused("ValidationError", "At least one Resources member must be defined", cf.create_stack, StackName="x", TemplateBody="{}")
    refused("ValidationError", "Template format error: Unrecognized resource types: [AWS::No::Thing]", cf.create_stack, StackName="x",
            TemplateBody=template({"X": {"Type": "AWS::No::Thing"}}))
    refused("ValidationError", "51200", cf.create_stack, StackName="x", TemplateBody=ok + " " * 51200)
    refused("ValidationError", "Either Template URL or Template Body", cf.create_stack, StackName="x")
    refused("ValidationError", "is not a valid S3 domain", cf.create_stack, StackName="x", TemplateURL="https://example.com/b/t.json")
    refused("ValidationError", "aws:", cf.create_stack, StackName="x", TemplateBody=ok, Tags=[{"Key": "aws:x", "Value": "1"}])
    refused("ValidationError", "must have values", cf.create_stack, StackName="x", TemplateBody=template({"P": parameter()}, Parameters={"N": {"Type": "String"}}))
    refused("ValidationError", "do not exist in the template", cf.create_stack, StackName="x", TemplateBody=ok, Parameters=[{"ParameterKey": "N", "ParameterValue": "1"}])
    refused("ValidationError", "Invalid NextToken", cf.list_stacks, NextToken="bogus")
    refused("ValidationError", "Stack with id nope does not exist", cf.update_stack, StackName="nope", TemplateBody=ok)


def test_unknown_and_missing_properties_fail_the_resource(cf):
    s = create(cf, "props", template({"P": parameter(Bogus="1")}), want="ROLLBACK_COMPLETE")
    assert ("CREATE_FAILED", "Encountered unsupported property Bogus. This cloud does not implement it.") in story(cf, "props", "P")
    assert ("ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [P]. Rollback requested by user.") in story(cf, "props", "props")
    refused("ValidationError", "is in ROLLBACK_COMPLETE state and can not be updated", cf.update_stack, StackName="props", TemplateBody=template({"P": parameter()}))
    delete(cf, "props")
    create(cf, "props2", template({"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String"}}}), want="ROLLBACK_COMPLETE")
    assert any("Value" in (r or "") for st, r in story(cf, "props2", "P") if st == "CREATE_FAILED")
    delete(cf, "props2")


def test_failed_create_rolls_back_what_was_made(cf, kms, ssm):
    ssm.put_parameter(Name="taken", Value="1", Type="String")
    body = template({"K": key(), "A": {"Type": "AWS::KMS::Alias", "Properties": {"AliasName": "alias/rolled", "TargetKeyId": {"Ref": "K"}}},
                     "P": parameter(Name="taken", Description={"Ref": "A"})})
    create(cf, "rolled", body, want="ROLLBACK_COMPLETE")
    why = [r for st, r in story(cf, "rolled", "P") if st == "CREATE_FAILED"][0]
    assert why.startswith('Resource handler returned message: "') and "HandlerErrorCode: AlreadyExists)" in why
    assert ("DELETE_COMPLETE", None) in story(cf, "rolled", "K") and ("DELETE_COMPLETE", None) in story(cf, "rolled", "A")
    assert all(a["AliasName"] != "alias/rolled" for a in kms.list_aliases()["Aliases"])
    assert ssm.get_parameter(Name="taken")["Parameter"]["Value"] == "1"
    delete(cf, "rolled")


def test_on_failure(cf, kms):
    bad = template({"K": key(), "P": parameter(Name="/aws/no", Description={"Ref": "K"})})
    s = create(cf, "kept", bad, want="CREATE_FAILED", OnFailure="DO_NOTHING")
    assert s["StackStatusReason"].startswith("The following resource(s) failed to create: [P].") and s["DisableRollback"]
    assert kms.describe_key(KeyId=physical(cf, "kept", "K"))["KeyMetadata"]["Enabled"]
    cf.rollback_stack(StackName="kept")
    assert settle(cf, "kept")["StackStatus"] == "ROLLBACK_COMPLETE"
    delete(cf, "kept")
    arn = cf.create_stack(StackName="gone", TemplateBody=bad, OnFailure="DELETE")["StackId"]
    assert settle(cf, arn)["StackStatus"] == "DELETE_COMPLETE"
    refused("ValidationError", "not both", cf.create_stack, StackName="x", TemplateBody=bad, OnFailure="DELETE", DisableRollback=True)


# --- parameters ---
def test_parameters_no_echo_and_previous_values(cf, ssm):
    ssm.put_parameter(Name="/base/version", Value="7", Type="String")
    body = template({"P": parameter({"Fn::Join": ["-", [{"Ref": "A"}, {"Ref": "Secret"}, {"Ref": "V"}]]}, Name="/param/p")},
                    Parameters={"A": {"Type": "String", "Default": "a"}, "Secret": {"Type": "String", "NoEcho": True},
                                "V": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/base/version"}})
    s = create(cf, "params", body, Parameters=[{"ParameterKey": "Secret", "ParameterValue": "hush"}])
    p = {x["ParameterKey"]: x for x in s["Parameters"]}
    assert p["Secret"]["ParameterValue"] == "****" and p["V"]["ResolvedValue"] == "7" and p["V"]["ParameterValue"] == "/base/version"
    assert ssm.get_parameter(Name="/param/p")["Parameter"]["Value"] == "a-hush-7"
    assert "hush" not in json.dumps([reasons(cf, "params"), cf.describe_stack_resources(StackName="params")["StackResources"]], default=str)
    refused("ValidationError", "No updates are to be performed.", cf.update_stack, StackName="params", UsePreviousTemplate=True,
            Parameters=[{"ParameterKey": "Secret", "UsePreviousValue": True}])
    update(cf, "params", UsePreviousTemplate=True, Parameters=[{"ParameterKey": "Secret", "UsePreviousValue": True}, {"ParameterKey": "A", "ParameterValue": "b"}])
    assert ssm.get_parameter(Name="/param/p")["Parameter"]["Value"] == "b-hush-7"
    refused("ValidationError", "Unable to fetch parameters [/no/such] from parameter store for this account.", cf.create_stack, StackName="x",
            TemplateBody=template({"P": parameter()}, Parameters={"V": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/no/such"}}))
    delete(cf, "params")


def test_dynamic_references(cf, ssm):
    ssm.put_parameter(Name="/dyn/a", Value="one", Type="String")
    create(cf, "dyn", template({"P": parameter("{{resolve:ssm:/dyn/a}}!", Name="/dyn/p")}))
    assert ssm.get_parameter(Name="/dyn/p")["Parameter"]["Value"] == "one!"
    delete(cf, "dyn")
    create(cf, "dyn2", template({"P": parameter("{{resolve:secretsmanager:x}}")}), want="ROLLBACK_COMPLETE")
    assert any("not implemented" in (r or "") for _, r in story(cf, "dyn2", "P"))


# --- updates ---
def test_update_in_place_add_and_remove(cf, kms, ssm):
    create(cf, "up", template({"K": key(Description="a"), "P": parameter("1", Name="/up/p"), "Old": parameter("x", Name="/up/old")}))
    k = physical(cf, "up", "K")
    s = update(cf, "up", template({"K": key(Description="b"), "P": parameter("1", Name="/up/p"), "New": parameter({"Ref": "K"}, Name="/up/new")}))
    assert s["LastUpdatedTime"] and physical(cf, "up", "K") == k
    assert kms.describe_key(KeyId=k)["KeyMetadata"]["Description"] == "b"
    assert story(cf, "up", "K")[3:] == [("UPDATE_IN_PROGRESS", None), ("UPDATE_COMPLETE", None)]
    assert len(story(cf, "up", "P")) == 3  # untouched
    assert story(cf, "up", "Old")[-2:] == [("DELETE_IN_PROGRESS", None), ("DELETE_COMPLETE", None)]
    assert story(cf, "up", "up")[2:] == [("UPDATE_IN_PROGRESS", "User Initiated"), ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None), ("UPDATE_COMPLETE", None)]
    assert ssm.get_parameter(Name="/up/new")["Parameter"]["Value"] == k
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name="/up/old")
    refused("ValidationError", "No updates are to be performed.", cf.update_stack, StackName="up", UsePreviousTemplate=True)
    delete(cf, "up")


def test_replacement_and_its_dependents(cf, kms, ssm):
    create(cf, "repl", template({"P": parameter("1"), "R": parameter({"Ref": "P"}, Name="/repl/r")}))
    old = physical(cf, "repl", "P")
    update(cf, "repl", template({"P": parameter("1", Name="/repl/named"), "R": parameter({"Ref": "P"}, Name="/repl/r")}))
    assert physical(cf, "repl", "P") == "/repl/named" and ssm.get_parameter(Name="/repl/r")["Parameter"]["Value"] == "/repl/named"
    assert ("UPDATE_IN_PROGRESS", "Requested update requires the creation of a new physical resource; hence creating one.") in story(cf, "repl", "P")
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name=old)
    delete(cf, "repl")


def test_custom_named_resource_is_not_replaced(cf, kms):
    iam_body = lambda path: template({"R": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "cfn-named", "Path": path, "AssumeRolePolicyDocument": {
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}}})
    create(cf, "named", iam_body("/a/"), Capabilities=["CAPABILITY_NAMED_IAM"])
    update(cf, "named", iam_body("/b/"), want="UPDATE_ROLLBACK_COMPLETE", Capabilities=["CAPABILITY_NAMED_IAM"])
    assert any("CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename" in (r or "") for _, r in story(cf, "named", "R"))
    delete(cf, "named")


def test_failed_update_rolls_back(cf, kms, ssm):
    ssm.put_parameter(Name="/ur/taken", Value="1", Type="String")
    create(cf, "ur", template({"K": key(Description="a"), "P": parameter("1", Name="/ur/p"), "Gen": parameter("g")}))
    k, gen = physical(cf, "ur", "K"), physical(cf, "ur", "Gen")
    s = update(cf, "ur", template({"K": key(Description="b"), "P": parameter("2", Name="/ur/p", Description={"Ref": "K"}), "Gen": parameter("g", Name="/ur/gen"),
                                   "Extra": parameter("e", Name="/ur/extra"),
                                   "Bad": parameter("x", Name="/ur/taken", Description={"Fn::Join": ["", [{"Ref": "P"}, {"Ref": "Gen"}, {"Ref": "Extra"}]]})}),
               want="UPDATE_ROLLBACK_COMPLETE")
    why = [r for st, r in story(cf, "ur", "ur") if st == "UPDATE_ROLLBACK_IN_PROGRESS"][0]
    assert why.startswith("The following resource(s) failed to create: [Bad].")
    assert [st for st, _ in story(cf, "ur", "ur")][-3:] == ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]
    assert kms.describe_key(KeyId=k)["KeyMetadata"]["Description"] == "a"
    assert ssm.get_parameter(Name="/ur/p")["Parameter"]["Value"] == "1"
    assert physical(cf, "ur", "Gen") == gen and ssm.get_parameter(Name=gen)["Parameter"]["Value"] == "g"
    for n in ("/ur/gen", "/ur/extra"):
        with pytest.raises(ssm.exceptions.ParameterNotFound):
            ssm.get_parameter(Name=n)
    assert {r["LogicalResourceId"] for r in cf.list_stack_resources(StackName="ur")["StackResourceSummaries"]} == {"K", "P", "Gen"}
    assert json.loads(json.dumps(cf.get_template(StackName="ur")["TemplateBody"]))["Resources"]["K"]["Properties"]["Description"] == "a"
    # and it can be updated again
    update(cf, "ur", template({"K": key(Description="c"), "P": parameter("1", Name="/ur/p"), "Gen": parameter("g")}))
    delete(cf, "ur")


def test_update_without_rollback_then_rollback(cf, ssm):
    ssm.put_parameter(Name="/nr/taken", Value="1", Type="String")
    create(cf, "nr", template({"P": parameter("1", Name="/nr/p")}))
    update(cf, "nr", template({"P": parameter("2", Name="/nr/p"), "Bad": parameter("x", Name="/nr/taken", Description={"Ref": "P"})}), want="UPDATE_FAILED", DisableRollback=True)
    assert ssm.get_parameter(Name="/nr/p")["Parameter"]["Value"] == "2"
    cf.rollback_stack(StackName="nr")
    assert settle(cf, "nr")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert ssm.get_parameter(Name="/nr/p")["Parameter"]["Value"] == "1"
    delete(cf, "nr")


def test_stack_tags_reach_resources(cf, kms):
    create(cf, "tags", template({"K": key(Tags=[{"Key": "own", "Value": "1"}])}), Tags=[{"Key": "team", "Value": "a"}])
    k = physical(cf, "tags", "K")
    update(cf, "tags", UsePreviousTemplate=True, Tags=[{"Key": "team", "Value": "b"}])
    tags = {t["TagKey"]: t["TagValue"] for t in kms.list_resource_tags(KeyId=k)["Tags"]}
    assert tags["own"] == "1" and tags["team"] == "b"
    delete(cf, "tags")


# --- policies and protection ---
def test_deletion_policies(cf, kms, ssm):
    create(cf, "ret", template({"K": {**key(), "DeletionPolicy": "Retain"}, "P": {**parameter("1"), "UpdateReplacePolicy": "Retain"}}))
    k, p = physical(cf, "ret", "K"), physical(cf, "ret", "P")
    update(cf, "ret", template({"K": {**key(), "DeletionPolicy": "Retain"}, "P": {**parameter("1", Name="/ret/p"), "UpdateReplacePolicy": "Retain"}}))
    assert ssm.get_parameter(Name=p)["Parameter"]["Value"] == "1" and ("DELETE_SKIPPED", None) in story(cf, "ret", "P")
    s = delete(cf, "ret")
    assert kms.describe_key(KeyId=k)["KeyMetadata"]["KeyState"] == "Enabled" and ("DELETE_SKIPPED", None) in story(cf, s["StackId"], "K")
    ssm.put_parameter(Name="/roc/taken", Value="1", Type="String")
    body = template({"K": {**key(), "DeletionPolicy": "RetainExceptOnCreate"}, "P": parameter("1", Name="/roc/taken", Description={"Ref": "K"})})
    s = create(cf, "roc", body, want="ROLLBACK_COMPLETE")
    assert ("DELETE_COMPLETE", None) in story(cf, "roc", "K")


def test_termination_protection(cf):
    create(cf, "prot", template({"P": parameter()}), EnableTerminationProtection=True)
    refused("ValidationError", "cannot be deleted while TerminationProtection is enabled", cf.delete_stack, StackName="prot")
    cf.update_termination_protection(StackName="prot", EnableTerminationProtection=False)
    delete(cf, "prot")


def test_delete_failed_and_retain_resources(cloud, cf):
    iam = cloud.client("iam")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    create(cf, "stuck", template({"R": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}}, "P": parameter()}), Capabilities=["CAPABILITY_IAM"])
    role = physical(cf, "stuck", "R")
    iam.put_role_policy(RoleName=role, PolicyName="mine", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}))
    refused("ValidationError", "only when the stack is in the DELETE_FAILED state", cf.delete_stack, StackName="stuck", RetainResources=["R"])
    s = delete(cf, "stuck", want="DELETE_FAILED")
    assert "The following resource(s) failed to delete: [R]." in s["StackStatusReason"]
    delete(cf, "stuck", RetainResources=["R"])
    iam.delete_role_policy(RoleName=role, PolicyName="mine")
    iam.delete_role(RoleName=role)


# --- exports ---
def test_exports_and_imports(cf, ssm):
    out = {"Outputs": {"O": {"Value": "shared", "Export": {"Name": "exp-a"}}}}
    create(cf, "exp", template({"P": parameter()}, **out))
    assert {"Name": "exp-a", "Value": "shared"}.items() <= [e for e in cf.list_exports()["Exports"] if e["Name"] == "exp-a"][0].items()
    s = create(cf, "exp2", template({"P": parameter()}, **out), want="ROLLBACK_COMPLETE")
    assert any("Export with name exp-a is already exported by stack exp." in (r or "") for _, r in story(cf, "exp2", "exp2"))
    create(cf, "imp", template({"P": parameter({"Fn::ImportValue": "exp-a"}, Name="/imp/p")}))
    assert ssm.get_parameter(Name="/imp/p")["Parameter"]["Value"] == "shared"
    assert cf.list_imports(ExportName="exp-a")["Imports"] == ["imp"]
    refused("ValidationError", "is not imported by any stack", cf.list_imports, ExportName="exp-zzz")
    refused("ValidationError", "exp-a as it is in use by imp", cf.delete_stack, StackName="exp")
    update(cf, "exp", template({"P": parameter("2")}), want="UPDATE_ROLLBACK_COMPLETE")
    assert any("Export exp-a cannot be deleted as it is in use by imp" in (r or "") for _, r in story(cf, "exp", "exp"))
    create(cf, "imp2", template({"P": parameter({"Fn::ImportValue": "exp-none"})}), want="ROLLBACK_COMPLETE")
    assert any("No export named exp-none found." in (r or "") for _, _, r in reasons(cf, "imp2"))
    delete(cf, "imp")
    delete(cf, "exp")
    assert all(e["Name"] != "exp-a" for e in cf.list_exports()["Exports"])


# --- capabilities, roles, rights ---


def test_capabilities(cf):
    named = json.loads(json.dumps(ROLE))
    named["Properties"]["RoleName"] = "cfn-capable"
    refused("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]", cf.create_stack, StackName="cap", TemplateBody=template({"R": ROLE}))
    refused("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]", cf.create_stack, StackName="cap", TemplateBody=template({"R": named}),
            Capabilities=["CAPABILITY_IAM"])
    s = create(cf, "cap", template({"R": named}), Capabilities=["CAPABILITY_NAMED_IAM"])
    assert s["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    delete(cf, "cap")
    v = cf.validate_template(TemplateBody=template({"R": ROLE}, Parameters={"A": {"Type": "String", "Default": "1", "NoEcho": True}}))
    assert v["Capabilities"] == ["CAPABILITY_IAM"] and v["Parameters"][0]["NoEcho"] is True
    g = cf.get_template_summary(TemplateBody=template({"R": ROLE, "P": parameter()}))
    assert g["ResourceTypes"] == ["AWS::IAM::Role", "AWS::SSM::Parameter"]


ALL_CFN = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"}


def test_a_stack_may_do_what_its_caller_may(cloud, cf):
    user = cloud.user("cfn-weak", ALL_CFN, {"Effect": "Allow", "Action": "ssm:*", "Resource": "*"})
    weak = cloud.client("cloudformation", key=user)
    create(weak, "weak", template({"P": parameter()}))
    create(weak, "weak2", template({"P": parameter(), "K": key()}), want="ROLLBACK_COMPLETE")
    why = [r for st, r in story(cf, "weak2", "K") if st == "CREATE_FAILED"][0]
    assert "is not authorized to perform: kms:CreateKey" in why and "HandlerErrorCode: AccessDenied" in why
    delete(weak, "weak")
    delete(weak, "weak2")


def test_denied_without_rights(cloud, cf):
    body = template({"P": parameter()})
    create(cf, "private", body)
    nobody = cloud.client("cloudformation", key=cloud.user("cfn-nobody"))
    for op, kw in [("create_stack", {"StackName": "x", "TemplateBody": body}), ("update_stack", {"StackName": "private", "TemplateBody": body}),
                   ("delete_stack", {"StackName": "private"}), ("describe_stacks", {"StackName": "private"}), ("describe_stacks", {}), ("list_stacks", {}),
                   ("describe_stack_events", {"StackName": "private"}), ("describe_stack_resources", {"StackName": "private"}),
                   ("describe_stack_resource", {"StackName": "private", "LogicalResourceId": "P"}), ("list_stack_resources", {"StackName": "private"}),
                   ("get_template", {"StackName": "private"}), ("get_template_summary", {"StackName": "private"}), ("validate_template", {"TemplateBody": body}),
                   ("create_change_set", {"StackName": "private", "ChangeSetName": "c", "TemplateBody": body}), ("list_exports", {}),
                   ("list_imports", {"ExportName": "e"}), ("update_termination_protection", {"StackName": "private", "EnableTerminationProtection": True}),
                   ("list_change_sets", {"StackName": "private"}), ("describe_change_set", {"StackName": "private", "ChangeSetName": "c"}),
                   ("execute_change_set", {"StackName": "private", "ChangeSetName": "c"}), ("delete_change_set", {"StackName": "private", "ChangeSetName": "c"}),
                   ("cancel_update_stack", {"StackName": "private"}), ("continue_update_rollback", {"StackName": "private"}), ("rollback_stack", {"StackName": "private"}),
                   ("set_stack_policy", {"StackName": "private", "StackPolicyBody": "{}"}), ("get_stack_policy", {"StackName": "private"}),
                   ("describe_events", {"StackName": "private"})]:
        with pytest.raises(ClientError) as e:
            getattr(nobody, op)(**kw)
        assert e.value.response["Error"]["Code"] == "AccessDenied", (op, e.value)
    only = cloud.client("cloudformation", key=cloud.user("cfn-one-stack", {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "arn:aws:cloudformation:*:*:stack/mine-*/*"}))
    refused("AccessDenied", "cloudformation:DescribeStacks", only.describe_stacks, StackName="private")
    refused("ValidationError", "does not exist", only.describe_stacks, StackName="mine-1")
    delete(cf, "private")


def test_role_of_a_stack(cloud, cf):
    iam = cloud.client("iam")
    trust = lambda svc: json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": svc}, "Action": "sts:AssumeRole"}]})
    good = iam.create_role(RoleName="cfn-exec", AssumeRolePolicyDocument=trust("cloudformation.amazonaws.com"))["Role"]["Arn"]
    iam.put_role_policy(RoleName="cfn-exec", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ssm:*", "Resource": "*"}]}))
    other = iam.create_role(RoleName="cfn-other", AssumeRolePolicyDocument=trust("ec2.amazonaws.com"))["Role"]["Arn"]
    body = template({"P": parameter("r", Name="/role/p")})
    user = cloud.user("cfn-passer", ALL_CFN, {"Effect": "Allow", "Action": "iam:PassRole", "Resource": good,
                                              "Condition": {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}})
    c = cloud.client("cloudformation", key=user)
    refused("AccessDenied", "iam:PassRole", c.create_stack, StackName="role", TemplateBody=body, RoleARN=other)
    refused("ValidationError", "is invalid or cannot be assumed", cf.create_stack, StackName="role", TemplateBody=body, RoleARN=other)
    s = create(c, "role", body, RoleARN=good)  # the caller has no right to ssm
    assert s["RoleARN"] == good
    update(c, "role", template({"P": parameter("r2", Name="/role/p")}))  # the stack's role stays
    create(c, "role2", template({"K": key()}), want="ROLLBACK_COMPLETE", RoleARN=good)
    assert any("assumed-role/cfn-exec/AWSCloudFormation is not authorized to perform: kms:CreateKey" in (r or "") for _, _, r in reasons(cf, "role2"))
    delete(c, "role")
    delete(c, "role2")


def test_session_credentials_and_calling_service(cloud, cf, ssm):
    iam, sts = cloud.client("iam"), cloud.client("sts")
    arn = iam.create_role(RoleName="cfn-session", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::%s:root" % cloud.account}, "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
    iam.put_role_policy(RoleName="cfn-session", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        ALL_CFN, {"Effect": "Allow", "Action": "ssm:*", "Resource": "*", "Condition": {"ForAnyValue:StringEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}}}]}))
    user = cloud.user("cfn-assumer", {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": arn})
    cred = cloud.client("sts", key=user).assume_role(RoleArn=arn, RoleSessionName="sess")["Credentials"]
    with pytest.raises(ClientError):
        cloud.client("ssm", key=cred).put_parameter(Name="/direct", Value="1", Type="String")
    create(cloud.client("cloudformation", key=cred), "sess", template({"P": parameter("1", Name="/sess/p")}))
    narrow = cloud.client("sts", key=user).assume_role(RoleArn=arn, RoleSessionName="narrow", Policy=json.dumps({"Version": "2012-10-17", "Statement": [ALL_CFN]}))["Credentials"]
    create(cloud.client("cloudformation", key=narrow), "sess2", template({"P": parameter("1")}), want="ROLLBACK_COMPLETE")
    assert any("session policy" in (r or "") for _, _, r in reasons(cf, "sess2"))
    delete(cf, "sess")
    delete(cf, "sess2")


# --- change sets, as the CDK uses them ---
def test_change_set_create_execute_update(cf, ssm):
    refused("ValidationError", "Stack with id cdk does not exist", cf.describe_stacks, StackName="cdk")
    body = template({"P": parameter("1", Name="/cdk/p")}, Parameters={"BootstrapVersion": {"Type": "String", "Default": "21"}})
    r, d = change_set(cf, "cdk", "cdk-deploy-change-set", body, "CREATE", Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
                      ClientToken="t1", IncludeNestedStacks=True, ImportExistingResources=False, Description="d", Parameters=[], Tags=[])
    assert d["Status"] == "CREATE_COMPLETE" and d["ExecutionStatus"] == "AVAILABLE"
    assert [c["ResourceChange"]["Action"] for c in d["Changes"]] == ["Add"]
    assert cf.describe_stacks(StackName="cdk")["Stacks"][0]["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert cf.create_change_set(StackName="cdk", ChangeSetName="cdk-deploy-change-set", TemplateBody=body, ChangeSetType="CREATE", ClientToken="t1")["Id"] == r["Id"]
    refused("AlreadyExistsException", "already exists", cf.create_change_set, StackName="cdk", ChangeSetName="cdk-deploy-change-set", TemplateBody=body, ChangeSetType="CREATE")
    assert cf.get_template(StackName="cdk", ChangeSetName="cdk-deploy-change-set")["TemplateBody"] == json.loads(body)
    cf.execute_change_set(ChangeSetName=r["Id"], StackName="cdk", ClientRequestToken="e1")
    assert settle(cf, r["StackId"])["StackStatus"] == "CREATE_COMPLETE"
    cf.execute_change_set(ChangeSetName=r["Id"], StackName="cdk", ClientRequestToken="e1")  # the same request again
    assert cf.describe_change_set(ChangeSetName=r["Id"])["ExecutionStatus"] == "EXECUTE_COMPLETE"
    refused("InvalidChangeSetStatus", "cannot be executed", cf.execute_change_set, ChangeSetName=r["Id"])
    cf.delete_change_set(ChangeSetName="cdk-deploy-change-set", StackName="cdk")
    cf.delete_change_set(ChangeSetName="cdk-deploy-change-set", StackName="cdk")  # gone already
    refused("ChangeSetNotFound", "does not exist", cf.describe_change_set, ChangeSetName="cdk-deploy-change-set", StackName="cdk")
    # nothing changes
    _, d = change_set(cf, "cdk", "same", body, "UPDATE", Parameters=[{"ParameterKey": "BootstrapVersion", "UsePreviousValue": True}])
    assert d["Status"] == "FAILED" and d["StatusReason"].startswith("The submitted information didn't contain changes.")
    refused("InvalidChangeSetStatus", "[FAILED]", cf.execute_change_set, ChangeSetName="same", StackName="cdk")
    # something does
    body2 = template({"P": parameter("2", Name="/cdk/p2"), "K": key()}, Parameters={"BootstrapVersion": {"Type": "String", "Default": "21"}})
    r, d = change_set(cf, "cdk", "cdk-deploy-change-set", body2, "UPDATE", Parameters=[{"ParameterKey": "BootstrapVersion", "UsePreviousValue": True}])
    by = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in d["Changes"]}
    assert by["K"]["Action"] == "Add" and by["P"]["Action"] == "Modify" and by["P"]["Replacement"] == "True" and by["P"]["PolicyAction"] == "ReplaceAndDelete"
    name = [x for x in by["P"]["Details"] if x["Target"]["Name"] == "Name"][0]
    assert name["Target"]["RequiresRecreation"] == "Always" and name["Target"]["BeforeValue"] == "/cdk/p" and name["Target"]["AfterValue"] == "/cdk/p2"
    assert json.loads(by["P"]["AfterContext"])["Properties"]["Value"] == "2"
    assert "BeforeContext" not in cf.describe_change_set(ChangeSetName=r["Id"])["Changes"][0]["ResourceChange"]
    assert {x["ChangeSetName"] for x in cf.list_change_sets(StackName="cdk")["Summaries"]} == {"same", "cdk-deploy-change-set"}
    cf.execute_change_set(ChangeSetName="cdk-deploy-change-set", StackName="cdk")
    assert settle(cf, "cdk")["StackStatus"] == "UPDATE_COMPLETE"
    assert ssm.get_parameter(Name="/cdk/p2")["Parameter"]["Value"] == "2"
    delete(cf, "cdk")


def test_change_set_replacement_reaches_dependents_and_hides_secrets(cf):
    ps = {"S": {"Type": "String", "NoEcho": True}}
    body = lambda v, **kw: template({"A": parameter(v, **kw), "B": parameter({"Ref": "A"}, Name="/csd/b"), "C": parameter({"Ref": "S"}, Name="/csd/c")}, Parameters=ps)
    create(cf, "csd", body("1"), Parameters=[{"ParameterKey": "S", "ParameterValue": "hush-hush"}])
    _, d = change_set(cf, "csd", "c", body("1", Name="/csd/a"), "UPDATE", Parameters=[{"ParameterKey": "S", "ParameterValue": "new-hush"}])
    by = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in d["Changes"]}
    assert by["A"]["Replacement"] == "True" and by["B"]["Replacement"] == "False"
    assert by["B"]["Details"][0]["ChangeSource"] == "ResourceReference" and by["B"]["Details"][0]["CausingEntity"] == "A"
    assert by["C"]["Details"][0]["ChangeSource"] == "ParameterReference" and by["C"]["Details"][0]["Target"]["AfterValue"] == "****"
    assert "hush" not in json.dumps(d, default=str)
    delete(cf, "csd")


def test_change_set_of_a_stack_that_is_given_up(cf):
    r, _ = change_set(cf, "review", "c", template({"P": parameter()}), "CREATE")
    refused("ValidationError", "REVIEW_IN_PROGRESS state and can not be updated", cf.update_stack, StackName="review", TemplateBody=template({"P": parameter()}))
    cf.delete_change_set(ChangeSetName="c", StackName="review")
    cf.delete_stack(StackName="review")
    assert settle(cf, r["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    refused("ValidationError", "does not exist", cf.create_change_set, StackName="review", ChangeSetName="c", TemplateBody=template({"P": parameter()}), ChangeSetType="UPDATE")
    refused("ValidationError", "ResourcesToImport must be specified", cf.create_change_set, StackName="review", ChangeSetName="c", TemplateBody=template({"P": parameter()}), ChangeSetType="IMPORT")


def test_template_from_s3(cloud, cf):
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="cfn-templates")
    s3.put_object(Bucket="cfn-templates", Key="a/t.json", Body=template({"P": parameter("s3", Name="/s3/p")}).encode() + b" " * 60000)
    for i, url in enumerate([cloud.http + "/cfn-templates/a/t.json", cloud.https + "/cfn-templates/a/t.json", "https://s3.us-east-1.amazonaws.com/cfn-templates/a/t.json",
                             "https://cfn-templates.s3.amazonaws.com/a/t.json"]):
        assert cf.validate_template(TemplateURL=url)["Parameters"] == []
    create(cf, "from-s3", None, TemplateURL=cloud.http + "/cfn-templates/a/t.json") if False else None
    arn = cf.create_stack(StackName="from-s3", TemplateURL=cloud.http + "/cfn-templates/a/t.json")["StackId"]
    assert settle(cf, arn)["StackStatus"] == "CREATE_COMPLETE"
    refused("ValidationError", "S3 error", cf.create_stack, StackName="x", TemplateURL=cloud.http + "/cfn-templates/none.json")
    user = cloud.user("cfn-no-s3", ALL_CFN)
    refused("ValidationError", "S3 error", cloud.client("cloudformation", key=user).create_stack, StackName="x", TemplateURL=cloud.http + "/cfn-templates/a/t.json")
    delete(cf, "from-s3")


def test_no_op_types_and_conditions(cf):
    body = template({"M": {"Type": "AWS::CDK::Metadata", "Properties": {"Analytics": "v2:deflate64:x"}, "Condition": "On"},
                     "H": {"Type": "AWS::CloudFormation::WaitConditionHandle"}, "P": {**parameter(), "Condition": "Off"}},
                    Conditions={"On": {"Fn::Equals": [1, 1]}, "Off": {"Fn::Equals": [1, 2]}})
    create(cf, "noop", body)
    assert {r["LogicalResourceId"] for r in cf.describe_stack_resources(StackName="noop")["StackResources"]} == {"M", "H"}
    delete(cf, "noop")


def test_many_stacks_page(cf):
    for i in range(3):
        create(cf, "page-%d" % i, template({"H": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}))
    names = [s["StackName"] for s in cf.describe_stacks()["Stacks"]]
    assert names[:3] == ["page-2", "page-1", "page-0"]
    for i in range(3):
        delete(cf, "page-%d" % i)
