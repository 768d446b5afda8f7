# SPDX-License-Identifier: Apache-2.0
"""Change sets beyond plain changes: early validation, existing resources that are imported, change sets of type IMPORT."""
import uuid


from stack_lib import ROLE, create, delete, parameter, physical, reasons, refused, settle, story, template, update


def bucket(name, **kw):
    return {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}, **kw}


def describe(cf, arn):
    return cf.describe_change_set(ChangeSetName=arn)


def actions(d):
    return {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"]["Action"] for c in d["Changes"]}


def test_names_that_are_taken_are_found_early(cloud, cf, s3, ssm):
    s3.create_bucket(Bucket="early-taken")
    ssm.put_parameter(Name="/early/taken", Value="v", Type="String")
    body = template({"B": bucket("early-taken"), "C": bucket("early-free"), "P": parameter(Name="/early/taken")})
    cs = cf.create_change_set(StackName="early", ChangeSetName="c", TemplateBody=body, ChangeSetType="CREATE")
    d = describe(cf, cs["Id"])
    assert d["Status"] == "FAILED" and d["ExecutionStatus"] == "UNAVAILABLE"
    assert d["StatusReason"] == ("The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot Early Validation "
                                 "errors, use the DescribeEvents API for detailed failure information.")
    found = {e["LogicalResourceId"]: e for e in cf.describe_events(StackName="early", ChangeSetName=cs["Id"], Filters={"FailedEvents": True})["OperationEvents"]}
    assert set(found) == {"B", "P"}
    b = found["B"]
    assert (b["EventType"], b["ValidationName"], b["ValidationPath"], b["ResourceType"]) == ("VALIDATION_ERROR", "NAME_CONFLICT_VALIDATION", "/Resources/B/Properties/BucketName", "AWS::S3::Bucket")
    assert b["ValidationStatusReason"] == "Resource of type 'AWS::S3::Bucket' with identifier 'early-taken' already exists."
    refused("InvalidChangeSetStatus", "cannot be executed", cf.execute_change_set, ChangeSetName=cs["Id"])
    cf.delete_change_set(ChangeSetName=cs["Id"])
    delete(cf, "early")
    # asked not to look: the operation itself finds out
    cs = cf.create_change_set(StackName="early", ChangeSetName="c", TemplateBody=body, ChangeSetType="CREATE", DisableValidation=True)
    assert describe(cf, cs["Id"])["Status"] == "CREATE_COMPLETE"
    cf.delete_stack(StackName="early")


def test_properties_are_checked_early(cf):
    body = template({"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Nonsense": 1}}})
    cs = cf.create_change_set(StackName="early-props", ChangeSetName="c", TemplateBody=body, ChangeSetType="CREATE")
    d = describe(cf, cs["Id"])
    assert d["Status"] == "FAILED" and "[AWS::EarlyValidation::PropertyValidation]" in d["StatusReason"]
    found = [(e["ValidationName"], e["ValidationPath"], e["ValidationStatusReason"]) for e in cf.describe_events(ChangeSetName=cs["Id"])["OperationEvents"]]
    assert ("PROPERTY_VALIDATION", "/Resources/P/Properties", "Required property [Value] not found") in found
    assert ("PROPERTY_VALIDATION", "/Resources/P/Properties/Nonsense", "Unsupported property [Nonsense]. This cloud does not implement it.") in found
    cf.delete_stack(StackName="early-props")


def run(cf, stack, body, kind="CREATE", want=None, **kw):
    cs = cf.create_change_set(StackName=stack, ChangeSetName="c" + uuid.uuid4().hex, TemplateBody=body, ChangeSetType=kind, **kw)
    d = describe(cf, cs["Id"])
    assert d["Status"] == "CREATE_COMPLETE", d
    cf.execute_change_set(ChangeSetName=cs["Id"])
    s = settle(cf, cs["StackId"])
    assert s["StackStatus"] == (want or kind + "_COMPLETE"), reasons(cf, cs["StackId"])
    return d, s


def test_a_retained_bucket_comes_back(cf, s3, ssm):
    """As `cdk bootstrap`, deleting its stack, and `cdk bootstrap` again."""
    body = template({"B": bucket("staging-retained", DeletionPolicy="Retain", UpdateReplacePolicy="Retain"),
                     "Y": {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": {"Ref": "B"}, "PolicyDocument": {"Version": "2012-10-17", "Statement": [
                         {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": {"Fn::Sub": "${B.Arn}/*"}, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}}},
                     "V": parameter("1", Name="/staging/version")}, Outputs={"Arn": {"Value": {"Fn::GetAtt": ["B", "Arn"]}}})
    d, _ = run(cf, "staging", body, ImportExistingResources=True)
    assert actions(d) == {"B": "Add", "Y": "Add", "V": "Add"}
    s3.put_object(Bucket="staging-retained", Key="asset", Body=b"kept")
    delete(cf, "staging")
    d, s = run(cf, "staging", body, ImportExistingResources=True)
    assert actions(d) == {"B": "Import", "Y": "Add", "V": "Add"} and d["ImportExistingResources"] is True
    assert [x[0] for x in story(cf, s["StackId"], "B")] == ["IMPORT_IN_PROGRESS", "IMPORT_COMPLETE"]
    assert s["Outputs"][0]["OutputValue"] == "arn:aws:s3:::staging-retained"
    assert s3.get_object(Bucket="staging-retained", Key="asset")["Body"].read() == b"kept"
    # it is the stack's now: no other stack may take it, an update changes it, a deletion retains it
    cs = cf.create_change_set(StackName="thief", ChangeSetName="c", TemplateBody=template({"B": bucket("staging-retained")}), ChangeSetType="CREATE", ImportExistingResources=True)
    assert describe(cf, cs["Id"])["Status"] == "FAILED"
    cf.delete_stack(StackName="thief")
    delete(cf, "staging")
    assert s3.list_objects_v2(Bucket="staging-retained")["KeyCount"] == 1


def test_what_was_imported_survives_a_rollback(cf, s3, ssm):
    s3.create_bucket(Bucket="survivor")
    bad = template({"B": bucket("survivor"), "P": {**parameter(Type="Nonsense"), "DependsOn": "B"}})
    _, s = run(cf, "surv", bad, want="ROLLBACK_COMPLETE", ImportExistingResources=True)
    assert ("DELETE_SKIPPED", None) in story(cf, s["StackId"], "B")
    s3.head_bucket(Bucket="survivor")
    delete(cf, "surv")
    create(cf, "surv", template({"Q": parameter()}))
    run(cf, "surv", template({"Q": parameter(), "B": bucket("survivor"), "P": {**parameter(Type="Nonsense"), "DependsOn": "B"}}), "UPDATE", "UPDATE_ROLLBACK_COMPLETE", ImportExistingResources=True)
    s3.head_bucket(Bucket="survivor")
    assert {x["LogicalResourceId"] for x in cf.list_stack_resources(StackName="surv")["StackResourceSummaries"]} == {"Q"}
    run(cf, "surv", template({"Q": parameter(), "B": bucket("survivor")}), "UPDATE", ImportExistingResources=True)
    assert physical(cf, "surv", "B") == "survivor"
    delete(cf, "surv")
    assert "survivor" not in [b["Name"] for b in s3.list_buckets()["Buckets"]]


def test_import_change_sets(cloud, cf, s3, ssm):
    s3.create_bucket(Bucket="import-me")
    ssm.put_parameter(Name="/import/me", Value="as it was", Type="String")
    b, p = bucket("import-me", DeletionPolicy="Retain"), {**parameter("as it was", Name="/import/me"), "DeletionPolicy": "Delete"}
    want = [{"ResourceType": "AWS::S3::Bucket", "LogicalResourceId": "B", "ResourceIdentifier": {"BucketName": "import-me"}},
            {"ResourceType": "AWS::SSM::Parameter", "LogicalResourceId": "P", "ResourceIdentifier": {"Name": "/import/me"}}]
    def ask(body, imports, **kw):
        return dict(StackName="imp", ChangeSetName="c", ChangeSetType="IMPORT", TemplateBody=template(body), ResourcesToImport=imports, **kw)
    refused("ValidationError", "ResourcesToImport must be specified", cf.create_change_set, StackName="imp", ChangeSetName="c", ChangeSetType="IMPORT", TemplateBody=template({"B": b}))
    refused("ValidationError", "you cannot modify or add [P]", cf.create_change_set, **ask({"B": b, "P": p}, want[:1]))
    refused("ValidationError", "must have DeletionPolicy attribute", cf.create_change_set, **ask({"B": bucket("import-me")}, want[:1]))
    refused("ValidationError", "was not found", cf.create_change_set, **ask({"B": b}, [{**want[0], "ResourceIdentifier": {"BucketName": "no-such-bucket"}}]))
    refused("ValidationError", "is not implemented by this cloud", cf.create_change_set,
            **ask({"M": {"Type": "AWS::CDK::Metadata", "DeletionPolicy": "Retain"}}, [{"ResourceType": "AWS::CDK::Metadata", "LogicalResourceId": "M", "ResourceIdentifier": {"Id": "x"}}]))
    d, s = run(cf, "imp", template({"B": b}), "IMPORT", ResourcesToImport=want[:1])
    assert actions(d) == {"B": "Import"}
    assert [x[1] for x in reasons(cf, s["StackId"]) if x[0] == "imp"] == ["REVIEW_IN_PROGRESS", "IMPORT_IN_PROGRESS", "IMPORT_COMPLETE"]
    d, s = run(cf, "imp", template({"B": b, "P": p}), "IMPORT", ResourcesToImport=want[1:])
    assert actions(d) == {"P": "Import"} and physical(cf, "imp", "P") == "/import/me"
    assert ssm.get_parameter(Name="/import/me")["Parameter"]["Version"] == 1
    refused("ValidationError", "is already managed by stack", cf.create_change_set,
            StackName="imp2", ChangeSetName="c", ChangeSetType="IMPORT", TemplateBody=template({"B": b}), ResourcesToImport=want[:1])
    p["Properties"]["Value"] = "changed"
    update(cf, "imp", template({"B": b, "P": p}))
    assert ssm.get_parameter(Name="/import/me")["Parameter"]["Value"] == "changed"
    delete(cf, "imp")
    s3.head_bucket(Bucket="import-me")


def test_who_may_not_look_does_not_learn(cloud, cf, s3):
    """The existence of what the caller may not see is no answer of CreateChangeSet."""
    s3.create_bucket(Bucket="unseen-bucket")
    who = cloud.user("blind", {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"})
    mine = cloud.client("cloudformation", key=who)
    for name in ("unseen-bucket", "not-there-at-all"):
        cs = mine.create_change_set(StackName="blind", ChangeSetName="c", TemplateBody=template({"B": bucket(name)}), ChangeSetType="CREATE", ImportExistingResources=True)
        d = describe(mine, cs["Id"])
        assert d["Status"] == "CREATE_COMPLETE" and actions(d) == {"B": "Add"}
        cf.delete_stack(StackName="blind")
        settle(cf, cs["StackId"])


def test_roles_are_found_by_their_name(cf):
    role = {"Type": "AWS::IAM::Role", "Properties": {**ROLE["Properties"], "RoleName": "early-role"}}
    create(cf, "role-one", template({"R": role}), Capabilities=["CAPABILITY_NAMED_IAM"])
    cs = cf.create_change_set(StackName="role-two", ChangeSetName="c", TemplateBody=template({"R": role}), ChangeSetType="CREATE", Capabilities=["CAPABILITY_NAMED_IAM"])
    d = describe(cf, cs["Id"])
    assert d["Status"] == "FAILED" and "ResourceExistenceCheck" in d["StatusReason"]
    cf.delete_stack(StackName="role-two")
    delete(cf, "role-one")
