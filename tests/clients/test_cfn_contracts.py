# SPDX-License-Identifier: Apache-2.0
"""What the CDK's command line and other tools read from CloudFormation, word for word: sentences, codes, original texts, what can be
asked after the end."""
import json

import pytest
from botocore.exceptions import ClientError

from stack_lib import create, delete, events, key, parameter, physical, refused, settle, template, update


def error(fn, **kw):
    with pytest.raises(ClientError) as e:
        fn(**kw)
    r = e.value.response
    return r["ResponseMetadata"]["HTTPStatusCode"], r["Error"]["Code"], r["Error"]["Message"]


def test_what_is_not_there(cf):
    assert error(cf.describe_stacks, StackName="CDKToolkit") == (400, "ValidationError", "Stack with id CDKToolkit does not exist")
    assert error(cf.get_template, StackName="nope") == (400, "ValidationError", "Stack with id nope does not exist")
    assert error(cf.describe_stack_events, StackName="nope") == (400, "ValidationError", "Stack [nope] does not exist")
    create(cf, "there", template({"P": parameter()}))
    status, code, message = error(cf.describe_change_set, StackName="there", ChangeSetName="cdk-deploy-change-set")
    assert (status, code) == (404, "ChangeSetNotFound") and message == "ChangeSet [cdk-deploy-change-set] does not exist"
    cf.delete_change_set(StackName="there", ChangeSetName="cdk-deploy-change-set")  # what is absent is deleted
    assert error(cf.execute_change_set, StackName="there", ChangeSetName="nope")[1] == "ChangeSetNotFound"
    assert error(cf.describe_stack_resource, StackName="there", LogicalResourceId="Q")[2] == "Resource Q does not exist for stack there"
    assert error(cf.list_hook_results, TargetType="CHANGE_SET", TargetId="arn:aws:cloudformation:us-east-1:1:changeSet/x/1")[0] in (400, 404)
    status, code, message = error(cf.list_stack_sets)
    assert (status, code) == (501, "NotImplemented") and "ListStackSets" in message
    delete(cf, "there")


def test_nothing_to_change(cf):
    body = template({"P": parameter()}, Parameters={"V": {"Type": "String", "Default": "1"}})
    create(cf, "same", body)
    assert error(cf.update_stack, StackName="same", TemplateBody=body)[1:] == ("ValidationError", "No updates are to be performed.")
    cs = cf.create_change_set(StackName="same", ChangeSetName="c", TemplateBody=body, Parameters=[{"ParameterKey": "V", "UsePreviousValue": True}], ChangeSetType="UPDATE")
    d = cf.describe_change_set(ChangeSetName=cs["Id"])
    assert d["Status"] == "FAILED" and d["StatusReason"].startswith("The submitted information didn't contain changes.") and d["Changes"] == []
    assert [x["ChangeSetName"] for x in cf.list_change_sets(StackName="same")["Summaries"]] == ["c"]
    assert error(cf.execute_change_set, ChangeSetName=cs["Id"])[1] == "InvalidChangeSetStatus"
    cf.delete_change_set(ChangeSetName=cs["Id"])
    assert cf.list_change_sets(StackName="same")["Summaries"] == []
    delete(cf, "same")


def test_original_texts_and_the_time_after_the_end(cf):
    text = '# a comment\nResources:\n  Z:\n    Type: AWS::SSM::Parameter\n    Properties: {Value: "1", Type: String}\n  A: {Type: AWS::CDK::Metadata}\n'
    s = create(cf, "orig", text)
    arn = s["StackId"]
    assert cf.get_template(StackName="orig", TemplateStage="Original")["TemplateBody"] == text
    ordered = '{"Resources": {"Z": {"Type": "AWS::SSM::Parameter", "Properties": {"Value": "2", "Type": "String"}}, "A": {"Type": "AWS::CDK::Metadata"}}}'
    update(cf, "orig", ordered)
    got = cf.get_template(StackName="orig")["TemplateBody"]
    assert json.dumps(got) == json.dumps(json.loads(ordered))  # the order of the keys too
    delete(cf, "orig")
    assert cf.describe_stacks(StackName=arn)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    assert error(cf.describe_stacks, StackName="orig")[2] == "Stack with id orig does not exist"
    es = cf.describe_stack_events(StackName=arn)["StackEvents"]
    assert es[0]["ResourceStatus"] == "DELETE_COMPLETE" and es[0]["PhysicalResourceId"] == arn and len({e["EventId"] for e in es}) == len(es)
    for logical in ("orig", "Z", "A"):
        times = [e["Timestamp"] for e in es if e["LogicalResourceId"] == logical]
        assert len(times) > 3 and times == sorted(times, reverse=True)
    assert json.dumps(cf.get_template(StackName=arn)["TemplateBody"]) == json.dumps(json.loads(ordered))
    assert cf.list_stack_resources(StackName=arn)["StackResourceSummaries"][0]["ResourceStatus"] == "DELETE_COMPLETE"
    # the name is free, and means another stack
    other = create(cf, "orig", text)["StackId"]
    assert other != arn and cf.describe_stacks(StackName=arn)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    cf.delete_stack(StackName=arn)  # the deleted one, not the one of that name
    assert cf.describe_stacks(StackName="orig")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    delete(cf, "orig")


def test_parameters_of_the_parameter_store(cloud, cf):
    ssm = cloud.client("ssm")
    ssm.put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="33", Type="String")
    rules = {"CheckBootstrapVersion": {"Assertions": [{"Assert": {"Fn::Not": [{"Fn::Contains": [["1", "2", "3"], {"Ref": "BootstrapVersion"}]}]},
                                                       "AssertDescription": "CDK bootstrap stack version 6 required."}]}}
    def body(v):
        return template({"P": parameter(v)}, Parameters={"BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk-bootstrap/hnb659fds/version"}}, Rules=rules)
    s = create(cf, "ssm-value", body("1"))
    assert s["Parameters"] == [{"ParameterKey": "BootstrapVersion", "ParameterValue": "/cdk-bootstrap/hnb659fds/version", "ResolvedValue": "33"}]
    ssm.put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="2", Type="String", Overwrite=True)
    kw = dict(StackName="ssm-value", TemplateBody=body("2"), Parameters=[{"ParameterKey": "BootstrapVersion", "UsePreviousValue": True}])
    assert "CDK bootstrap stack version 6 required." in error(cf.update_stack, **kw)[2]
    ssm.put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="34", Type="String", Overwrite=True)
    cf.update_stack(**kw)
    assert settle(cf, "ssm-value")["Parameters"][0]["ResolvedValue"] == "34"
    delete(cf, "ssm-value")


def test_a_new_stack_is_only_planned(cf):
    cs = cf.create_change_set(StackName="plan", ChangeSetName="c", TemplateBody=template({"P": parameter()}), ChangeSetType="CREATE", IncludeNestedStacks=True,
                              ImportExistingResources=False, DeploymentConfig={"Mode": "STANDARD"}, Tags=[], Parameters=[])
    s = cf.describe_stacks(StackName="plan")["Stacks"][0]
    assert s["StackStatus"] == "REVIEW_IN_PROGRESS" and s["StackId"] == cs["StackId"]
    assert "TemplateBody" not in cf.get_template(StackName="plan")  # as the CDK needs it to ask for approval
    assert cf.get_template(ChangeSetName=cs["Id"])["TemplateBody"]["Resources"]["P"]
    d = cf.describe_change_set(ChangeSetName=cs["Id"], StackName=cs["StackId"], IncludePropertyValues=True)
    assert d["Status"] == "CREATE_COMPLETE" and d["Changes"][0]["ResourceChange"]["Action"] == "Add" and d["DeploymentConfig"] == {"Mode": "STANDARD"}
    cf.execute_change_set(ChangeSetName=cs["Id"], StackName="plan", ClientRequestToken="t")
    assert cf.describe_stacks(StackName="plan")["Stacks"][0]["StackStatus"] != "REVIEW_IN_PROGRESS"  # left at once
    assert settle(cf, "plan")["StackStatus"] == "CREATE_COMPLETE"
    cf.update_termination_protection(StackName="plan", EnableTerminationProtection=True)
    assert "TerminationProtection is enabled" in error(cf.delete_stack, StackName="plan")[2]
    cf.update_termination_protection(StackName="plan", EnableTerminationProtection=False)
    arn = cs["StackId"]
    cf.delete_stack(StackName=arn, ClientRequestToken="u", DeploymentConfig={"Mode": "STANDARD"})
    assert settle(cf, arn)["StackStatus"] == "DELETE_COMPLETE"
    assert {e["ClientRequestToken"] for e in events(cf, arn) if e["ResourceStatus"].startswith("DELETE")} == {"u"}


def test_templates_that_are_none(cloud, cf):
    a, b = {**parameter(), "DependsOn": "B"}, {**parameter({"Ref": "A"})}
    for fn, kw in ((cf.create_stack, {"StackName": "bad"}), (cf.validate_template, {}), (cf.create_change_set, {"StackName": "bad", "ChangeSetName": "c", "ChangeSetType": "CREATE"})):
        assert error(fn, TemplateBody=template({"A": a, "B": b}), **kw)[1:] == ("ValidationError", "Circular dependency between resources: [A, B]")
        assert error(fn, TemplateBody=template({"A": {"Type": "AWS::No::Such"}, "B": {"Type": "AWS::Nor::This"}}), **kw)[1:] == (
            "ValidationError", "Template format error: Unrecognized resource types: [AWS::No::Such, AWS::Nor::This]. This cloud does not implement them.")
        assert error(fn, TemplateBody="{", **kw)[1] == "ValidationError"
        assert "Unresolved resource dependencies [Nope] in the Resources block of the template" in error(fn, TemplateBody=template({"A": parameter({"Ref": "Nope"})}), **kw)[2]
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="big-templates")
    s3.put_object(Bucket="big-templates", Key="t.json", Body=template({"P": parameter()}) + " " * 1000000)
    url = "%s/big-templates/t.json" % cloud.https
    assert "may not exceed 1000000 bytes" in error(cf.create_stack, StackName="bad", TemplateURL=url)[2]
    assert "Circular" not in json.dumps(cf.describe_stacks()["Stacks"], default=str) and not [s for s in cf.describe_stacks()["Stacks"] if s["StackName"] == "bad"]
    # a plain-HTTP origin of the same cloud is its own too
    s3.put_object(Bucket="big-templates", Key="t.json", Body=template({"P": parameter()}))
    for origin in (cloud.http, cloud.https):
        assert cf.validate_template(TemplateURL=origin + "/big-templates/t.json")["Parameters"] == []
    refused("ValidationError", "is not a valid S3 domain", cf.validate_template, TemplateURL="https://example.com/big-templates/t.json")


def test_summaries_and_resources(cf):
    body = template({"P": parameter({"Ref": "V"}), "C": {"Type": "Custom::Thing", "Properties": {"ServiceToken": "x"}}, "N": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "x"}}},
                    Parameters={"V": {"Type": "String", "Default": "d", "Description": "a value", "AllowedValues": ["d", "e"]}, "S": {"Type": "String", "NoEcho": True}}, Description="what it is",
                    Metadata={"M": 1})
    s = cf.get_template_summary(TemplateBody=body)
    assert s["ResourceTypes"] == ["AWS::CloudFormation::Stack", "AWS::SSM::Parameter", "Custom::Thing"] and s["Description"] == "what it is" and json.loads(s["Metadata"]) == {"M": 1}
    v = {p["ParameterKey"]: p for p in s["Parameters"]}
    assert v["V"]["DefaultValue"] == "d" and v["V"]["ParameterConstraints"] == {"AllowedValues": ["d", "e"]} and v["S"]["NoEcho"] is True
    v = {p["ParameterKey"]: p for p in cf.validate_template(TemplateBody=body)["Parameters"]}
    assert v["V"]["Description"] == "a value" and v["S"]["NoEcho"] is True
    create(cf, "sum", template({"P": {**parameter(), "Metadata": {"k": "v"}}, "Q": parameter()}))
    assert cf.get_template_summary(StackName="sum")["ResourceTypes"] == ["AWS::SSM::Parameter"]
    p = physical(cf, "sum", "P")
    got = cf.describe_stack_resources(PhysicalResourceId=p)["StackResources"]
    assert [(r["LogicalResourceId"], r["StackName"]) for r in got] == [("P", "sum")]
    assert json.loads(cf.describe_stack_resource(StackName="sum", LogicalResourceId="P")["StackResourceDetail"]["Metadata"]) == {"k": "v"}
    assert error(cf.describe_stack_resources, PhysicalResourceId="nothing")[2] == "Stack for nothing does not exist"
    assert error(cf.describe_stack_resources)[1] == "ValidationError"
    assert error(cf.list_imports, ExportName="none")[2] == "Export 'none' is not imported by any stack."
    e = cf.describe_events(StackName="sum")["OperationEvents"]
    assert {x["OperationType"] for x in e} == {"CREATE_STACK"} and {x["EventType"] for x in e} == {"STACK_EVENT", "PROGRESS_EVENT"}
    assert cf.describe_events(StackName="sum", Filters={"FailedEvents": True})["OperationEvents"] == []
    delete(cf, "sum")


def test_what_could_be_imported(cf):
    s = cf.get_template_summary(TemplateBody=template({"A": parameter(), "B": parameter(), "K": key(), "R": {"Type": "AWS::S3::Bucket"}}))
    got = {x["ResourceType"]: x for x in s["ResourceIdentifierSummaries"]}
    assert got["AWS::SSM::Parameter"] == {"ResourceType": "AWS::SSM::Parameter", "LogicalResourceIds": ["A", "B"], "ResourceIdentifiers": ["Name"]}
    assert got["AWS::S3::Bucket"]["ResourceIdentifiers"] == ["BucketName"]
