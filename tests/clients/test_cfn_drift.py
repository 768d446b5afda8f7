# SPDX-License-Identifier: Apache-2.0
"""Drift: what was changed behind CloudFormation's back is found and told exactly, and nothing else is."""
import json
import time


from stack_lib import create, delete, parameter, parked, physical, put, refused, settle, template, update, waiting

IAM = {"Capabilities": ["CAPABILITY_NAMED_IAM"]}


def resource(kind, **props):
    return {"Type": "AWS::" + kind, "Properties": props}


def allow(action, what="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": what, **more}


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(service):
    return policy({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})


def login(cloud, name, *statements):
    made = cloud.user(name, *statements)
    return {"key": made["AccessKeyId"], "secret": made["SecretAccessKey"]}


def finish(cf, detection):
    until = time.monotonic() + 120
    while True:
        d = cf.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        if d["DetectionStatus"] != "DETECTION_IN_PROGRESS":
            return d
        assert time.monotonic() < until, d
        time.sleep(0.05)


def results(cf, stack, **more):
    found, token = {}, {}
    while True:
        page = cf.describe_stack_resource_drifts(StackName=stack, **more, **token)
        found.update({d["LogicalResourceId"]: d for d in page["StackResourceDrifts"]})
        if "NextToken" not in page:
            return found
        token = {"NextToken": page["NextToken"]}


def detect(cf, stack, **more):
    """The end of a new detection, and its results by resource."""
    return finish(cf, cf.detect_stack_drift(StackName=stack, **more)["StackDriftDetectionId"]), results(cf, stack)


def in_sync(cf, stack, *resources):
    d, found = detect(cf, stack)
    wrong = {n: x for n, x in found.items() if x["StackResourceDriftStatus"] != "IN_SYNC"}
    assert not wrong and d["DetectionStatus"] == "DETECTION_COMPLETE" and d["StackDriftStatus"] == "IN_SYNC", (d, wrong)
    assert d["DriftedStackResourceCount"] == 0 and (not resources or set(found) == set(resources)), sorted(found)
    return found


def told(drift):
    """Its differences: (path, expected, actual)."""
    return sorted((p["PropertyPath"], p["ExpectedValue"], p["ActualValue"]) for p in drift.get("PropertyDifferences", []))


def drifted(cf, stack, want):
    """want: what each resource that drifted tells, or "DELETED"; the others are in sync."""
    d, found = detect(cf, stack)
    got = {n: "DELETED" if x["StackResourceDriftStatus"] == "DELETED" else told(x) for n, x in found.items() if x["StackResourceDriftStatus"] != "IN_SYNC"}
    assert got == {n: w if isinstance(w, str) else sorted(w) for n, w in want.items()}, found
    assert d["DetectionStatus"] == "DETECTION_COMPLETE" and d["StackDriftStatus"] == "DRIFTED" and d["DriftedStackResourceCount"] == len(want), d
    return found


def test_what_is_told(cloud, cf):
    """Where the state of drift shows, pages, filters, kinds of differences, and that an update begins anew."""
    ssm = cloud.client("ssm")
    body = {"A": parameter("a", Tags={"own": "1"}), "B": parameter("b"), "C": parameter("c"), "M": resource("CDK::Metadata")}
    stack = create(cf, "told", template(body), Tags=[{"Key": "team", "Value": "x"}])
    assert stack["DriftInformation"] == {"StackDriftStatus": "NOT_CHECKED"}
    assert cf.describe_stack_resource(StackName="told", LogicalResourceId="A")["StackResourceDetail"]["DriftInformation"] == {"StackResourceDriftStatus": "NOT_CHECKED"}
    assert results(cf, "told") == {}
    found = in_sync(cf, "told", "A", "B", "C")
    a = found["A"]
    assert (a["StackId"], a["ResourceType"], a["PhysicalResourceId"]) == (stack["StackId"], "AWS::SSM::Parameter", physical(cf, "told", "A"))
    assert json.loads(a["ExpectedProperties"]) == json.loads(a["ActualProperties"]) == {"Type": "String", "Value": "a", "Tags": {"own": "1"}}
    assert "PropertyDifferences" not in a or a["PropertyDifferences"] == []
    names = {n: physical(cf, "told", n) for n in "ABC"}
    ssm.put_parameter(Name=names["A"], Value="other", Overwrite=True)
    ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=names["A"], Tags=[{"Key": "new", "Value": "2"}])
    ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId=names["A"], TagKeys=["own"])
    ssm.delete_parameter(Name=names["B"])
    found = drifted(cf, "told", {"A": [("/Value", "a", "other"), ("/Tags/own", "1", "null"), ("/Tags/new", "null", "2")], "B": "DELETED"})
    assert {p["PropertyPath"]: p["DifferenceType"] for p in found["A"]["PropertyDifferences"]} == {"/Value": "NOT_EQUAL", "/Tags/own": "REMOVE", "/Tags/new": "ADD"}
    assert "ExpectedProperties" not in found["B"] and "ActualProperties" not in found["B"]
    # filters and pages
    assert set(results(cf, "told", StackResourceDriftStatusFilters=["DELETED", "MODIFIED"])) == {"A", "B"}
    assert set(results(cf, "told", StackResourceDriftStatusFilters=["IN_SYNC"], MaxResults=1)) == {"C"}
    page = cf.describe_stack_resource_drifts(StackName="told", MaxResults=2)
    assert len(page["StackResourceDrifts"]) == 2 and set(results(cf, "told", MaxResults=2)) == {"A", "B", "C"}
    refused("ValidationError", "Invalid NextToken", cf.describe_stack_resource_drifts, StackName="told", NextToken=page["NextToken"][:-2] + "xx")
    # wherever stacks and resources are described
    at = cf.describe_stacks(StackName="told")["Stacks"][0]["DriftInformation"]
    assert at["StackDriftStatus"] == "DRIFTED" and at["LastCheckTimestamp"]
    assert [s["DriftInformation"] for s in cf.list_stacks()["StackSummaries"] if s["StackId"] == stack["StackId"]] == [at]
    want = {"A": "MODIFIED", "B": "DELETED", "C": "IN_SYNC", "M": "NOT_CHECKED"}
    for list_of in (cf.describe_stack_resources(StackName="told")["StackResources"], cf.list_stack_resources(StackName="told")["StackResourceSummaries"]):
        assert {r["LogicalResourceId"]: r["DriftInformation"]["StackResourceDriftStatus"] for r in list_of} == want
    detail = cf.describe_stack_resource(StackName="told", LogicalResourceId="A")["StackResourceDetail"]["DriftInformation"]
    assert detail == {"StackResourceDriftStatus": "MODIFIED", "LastCheckTimestamp": found["A"]["Timestamp"]}
    # put right: in sync again; one resource at a time
    ssm.put_parameter(Name=names["A"], Value="a", Overwrite=True)
    ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=names["A"], Tags=[{"Key": "own", "Value": "1"}])
    ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId=names["A"], TagKeys=["new"])
    one = cf.detect_stack_resource_drift(StackName="told", LogicalResourceId="A")["StackResourceDrift"]
    assert one["StackResourceDriftStatus"] == "IN_SYNC" and results(cf, "told")["A"] == one
    d, found = detect(cf, "told", LogicalResourceIds=["C"])
    assert d["StackDriftStatus"] == "DRIFTED" and found["B"]["StackResourceDriftStatus"] == "DELETED" and found["A"] == one
    # what an update made is another state
    update(cf, "told", template({**body, "B": parameter("b", Name="/told/b")}), Tags=[{"Key": "team", "Value": "x"}])
    assert results(cf, "told") == {} and cf.describe_stacks(StackName="told")["Stacks"][0]["DriftInformation"]["StackDriftStatus"] == "NOT_CHECKED"
    in_sync(cf, "told", "A", "B", "C")
    delete(cf, "told")


def test_refusals(cloud, cf):
    refused("ValidationError", "Stack with id never-was does not exist", cf.detect_stack_drift, StackName="never-was")
    refused("ValidationError", "does not exist", cf.describe_stack_drift_detection_status, StackDriftDetectionId="0a0a0a0a-0000-4000-8000-000000000000")
    arn = create(cf, "ref", template({"P": parameter(), "M": resource("CDK::Metadata")}))["StackId"]
    refused("ValidationError", "Drift detection is not supported for the specified ResourceType", cf.detect_stack_resource_drift, StackName="ref", LogicalResourceId="M")
    refused("ValidationError", "Resource Q does not exist", cf.detect_stack_resource_drift, StackName="ref", LogicalResourceId="Q")
    refused("ValidationError", "Resource Q does not exist", cf.detect_stack_drift, StackName="ref", LogicalResourceIds=["P", "Q"])
    # not while the stack is changing, nor when it is gone
    cf.update_stack(StackName="ref", TemplateBody=waiting(P=parameter()))
    url = parked(cf, "ref")
    refused("ValidationError", "UPDATE_IN_PROGRESS", cf.detect_stack_drift, StackName="ref")
    refused("ValidationError", "UPDATE_IN_PROGRESS", cf.detect_stack_resource_drift, StackName="ref", LogicalResourceId="P")
    put(cloud, url, {"Status": "SUCCESS", "UniqueId": "1", "Data": "", "Reason": ""})
    assert settle(cf, "ref")["StackStatus"] == "UPDATE_COMPLETE"
    delete(cf, "ref")
    refused("ValidationError", "DELETE_COMPLETE", cf.detect_stack_drift, StackName=arn)


def test_rights(cloud, cf):
    """Whoever asks needs the rights to read, or the stack's role does; what may not be read is not in sync."""
    create(cf, "rights", template({"P": parameter("v"), "Q": parameter("w")}))
    arn = "arn:aws:ssm:us-east-1:%s:parameter/%s" % (cloud.account, physical(cf, "rights", "P"))
    theirs = cloud.client("cloudformation", **login(cloud, "drift-reader", allow("cloudformation:*"), allow("ssm:*", arn)))
    d, found = detect(theirs, "rights")
    assert (d["DetectionStatus"], d["StackDriftStatus"], d["DriftedStackResourceCount"]) == ("DETECTION_FAILED", "UNKNOWN", 0)
    reason = json.loads(d["DetectionStatusReason"])
    assert reason["Summary"] == "Failed to detect drift on resources [Q]" and [f["Resource"] for f in reason["Failures"]] == ["Q"]
    assert "is not authorized to perform: ssm:GetParameter" in reason["Failures"][0]["FailureReason"]
    assert found["P"]["StackResourceDriftStatus"] == "IN_SYNC" and found["Q"]["StackResourceDriftStatus"] == "UNKNOWN"
    assert found["Q"]["DriftStatusReason"] == reason["Failures"][0]["FailureReason"] and "ActualProperties" not in found["Q"]
    one = theirs.detect_stack_resource_drift(StackName="rights", LogicalResourceId="Q")["StackResourceDrift"]
    assert one["StackResourceDriftStatus"] == "UNKNOWN" and "not authorized" in one["DriftStatusReason"]
    in_sync(cf, "rights", "P", "Q")
    # and the operations themselves are asked for
    nobody = cloud.client("cloudformation", **login(cloud, "drift-nobody", allow("ssm:*")))
    for fn, kw in ((nobody.detect_stack_drift, {"StackName": "rights"}), (nobody.describe_stack_resource_drifts, {"StackName": "rights"}),
                   (nobody.detect_stack_resource_drift, {"StackName": "rights", "LogicalResourceId": "P"}),
                   (nobody.describe_stack_drift_detection_status, {"StackDriftDetectionId": "x"})):
        refused("AccessDenied", "not authorized", fn, **kw)
    delete(cf, "rights")


def test_secrets_are_not_shown(cloud, cf):
    ssm = cloud.client("ssm")
    body = template({"P": parameter({"Fn::Sub": "user:${Word}"}), "R": parameter("{{resolve:ssm:/drift/word}}")}, Parameters={"Word": {"Type": "String", "NoEcho": True}})
    ssm.put_parameter(Name="/drift/word", Value="looked-up", Type="String")
    create(cf, "secret", body, Parameters=[{"ParameterKey": "Word", "ParameterValue": "hunter2"}])
    found = in_sync(cf, "secret", "P", "R")
    assert "hunter2" not in json.dumps(found, default=str) and json.loads(found["P"]["ExpectedProperties"])["Value"] == "user:****"
    assert "looked-up" not in found["R"]["ActualProperties"]
    ssm.put_parameter(Name=physical(cf, "secret", "P"), Value="hunter3", Overwrite=True)
    found = drifted(cf, "secret", {"P": [("/Value", "****", "****")]})
    assert "hunter" not in json.dumps(found, default=str)
    delete(cf, "secret")


def test_s3(cloud, cf):
    s3 = cloud.client("s3")
    bucket = resource(
        "S3::Bucket", BucketName="drift-bucket", AccessControl="Private", VersioningConfiguration={"Status": "Enabled"},
        BucketEncryption={"ServerSideEncryptionConfiguration": [{"BucketKeyEnabled": True, "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Fn::GetAtt": ["K", "Arn"]}}}]},
        PublicAccessBlockConfiguration={"BlockPublicAcls": True, "BlockPublicPolicy": "true", "IgnorePublicAcls": True, "RestrictPublicBuckets": True},
        OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}, Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}],
        CorsConfiguration={"CorsRules": [{"Id": "c", "AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://a.test"], "AllowedHeaders": ["*"], "ExposedHeaders": ["ETag"], "MaxAge": 60}]},
        LifecycleConfiguration={"Rules": [
            {"Id": "one", "Status": "Enabled", "Prefix": "logs/", "ExpirationInDays": 30, "NoncurrentVersionExpirationInDays": 7, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3}},
            {"Id": "two", "Status": "Disabled", "TagFilters": [{"Key": "x", "Value": "y"}], "ExpirationInDays": "90", "NoncurrentVersionExpiration": {"NoncurrentDays": 9, "NewerNoncurrentVersions": 2}},
            {"Id": "three", "Status": "Enabled", "ExpirationDate": "2099-01-01T00:00:00Z"}]})
    allowed = policy({"Effect": "Deny", "Principal": "*", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": [{"Fn::GetAtt": ["B", "Arn"]}, {"Fn::Sub": "${B.Arn}/*"}],
                      "Condition": {"Bool": {"aws:SecureTransport": False}}})
    create(cf, "s3", template({"K": resource("KMS::Key", PendingWindowInDays=7), "B": bucket, "P": resource("S3::BucketPolicy", Bucket={"Ref": "B"}, PolicyDocument=allowed),
                               "Plain": resource("S3::Bucket")}))
    in_sync(cf, "s3", "B", "K", "P", "Plain")
    s3.put_bucket_versioning(Bucket="drift-bucket", VersioningConfiguration={"Status": "Suspended"})
    s3.put_public_access_block(Bucket="drift-bucket", PublicAccessBlockConfiguration={"BlockPublicAcls": True, "BlockPublicPolicy": False, "IgnorePublicAcls": True, "RestrictPublicBuckets": True})
    s3.put_bucket_tagging(Bucket="drift-bucket", Tagging={"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "3"}, {"Key": "c", "Value": "4"}]})
    s3.delete_bucket_cors(Bucket="drift-bucket")
    s3.put_bucket_encryption(Bucket="drift-bucket", ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]})
    s3.put_bucket_lifecycle_configuration(Bucket="drift-bucket", LifecycleConfiguration={"Rules": [
        {"ID": "two", "Status": "Disabled", "Filter": {"Tag": {"Key": "x", "Value": "y"}}, "Expiration": {"Days": 91}, "NoncurrentVersionExpiration": {"NoncurrentDays": 9, "NewerNoncurrentVersions": 2}},
        {"ID": "one", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}, "NoncurrentVersionExpiration": {"NoncurrentDays": 7}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3}}]})
    s3.put_bucket_policy(Bucket="drift-bucket", Policy=json.dumps(policy({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::drift-bucket/*"})))
    found = detect(cf, "s3")[1]
    b = {p: (e, a) for p, e, a in told(found["B"])}
    assert b.pop("/CorsConfiguration")[1] == "null" and json.loads(b.pop("/LifecycleConfiguration/Rules/2")[0])["Id"] == "three"
    b = {p: v for p, v in b.items() if not p.startswith("/BucketEncryption")}
    assert b == {"/VersioningConfiguration/Status": ("Enabled", "Suspended"), "/PublicAccessBlockConfiguration/BlockPublicPolicy": ("true", "false"), "/Tags/0/Value": ("2", "3"),
                 "/Tags/2": ("null", '{"Key":"c","Value":"4"}'), "/LifecycleConfiguration/Rules/1/ExpirationInDays": ("90", "91")}
    assert found["P"]["StackResourceDriftStatus"] == "MODIFIED" and found["Plain"]["StackResourceDriftStatus"] == "IN_SYNC"
    s3.delete_bucket_policy(Bucket="drift-bucket")
    s3.delete_bucket(Bucket=physical(cf, "s3", "Plain"))
    found = detect(cf, "s3")[1]
    assert [found[n]["StackResourceDriftStatus"] for n in ("P", "Plain")] == ["DELETED", "DELETED"]
    delete(cf, "s3")


def test_kms(cloud, cf):
    kms = cloud.client("kms")
    document = policy({"Sid": "own", "Effect": "Allow", "Principal": {"AWS": {"Ref": "AWS::AccountId"}}, "Action": "kms:*", "Resource": "*"},
                      {"Sid": "logs", "Effect": "Allow", "Principal": {"Service": "logs.us-east-1.amazonaws.com"}, "Action": ["kms:Decrypt", "kms:Encrypt"], "Resource": "*"})
    create(cf, "kms", template({
        "K": resource("KMS::Key", Description="d", EnableKeyRotation=True, RotationPeriodInDays="180", Enabled=True, KeySpec="SYMMETRIC_DEFAULT", KeyUsage="ENCRYPT_DECRYPT", KeyPolicy=document,
                      PendingWindowInDays=7, MultiRegion=False, Tags=[{"Key": "t", "Value": "1"}]),
        "L": resource("KMS::Key"), "A": resource("KMS::Alias", AliasName="alias/drift", TargetKeyId={"Fn::GetAtt": ["K", "Arn"]})}))
    in_sync(cf, "kms", "A", "K", "L")
    k = physical(cf, "kms", "K")
    # said in another way, it is the same policy
    account = "arn:aws:iam::%s:root" % cloud.account
    said = [{"Sid": "logs", "Effect": "Allow", "Principal": {"Service": ["logs.us-east-1.amazonaws.com"]}, "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": ["*"]},
            {"Sid": "own", "Effect": "Allow", "Principal": {"AWS": [account]}, "Action": ["kms:*"], "Resource": "*"}]
    kms.put_key_policy(KeyId=k, PolicyName="default", Policy=json.dumps(policy(*said)))
    in_sync(cf, "kms", "A", "K", "L")
    said[0]["Action"] = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]
    kms.put_key_policy(KeyId=k, PolicyName="default", Policy=json.dumps(policy(*said)))
    kms.update_key_description(KeyId=k, Description="e")
    kms.disable_key_rotation(KeyId=k)
    kms.tag_resource(KeyId=k, Tags=[{"TagKey": "t", "TagValue": "2"}])
    kms.update_alias(AliasName="alias/drift", TargetKeyId=physical(cf, "kms", "L"))
    arn = "arn:aws:kms:us-east-1:%s:key/" % cloud.account
    drifted(cf, "kms", {"A": [("/TargetKeyId", arn + k, physical(cf, "kms", "L"))],
                        "K": [("/KeyPolicy/Statement/1/Action/2", "null", "kms:GenerateDataKey"), ("/Description", "d", "e"), ("/EnableKeyRotation", "true", "false"),
                              ("/RotationPeriodInDays", "180", "null"), ("/Tags/0/Value", "1", "2")]})
    kms.delete_alias(AliasName="alias/drift")
    kms.schedule_key_deletion(KeyId=physical(cf, "kms", "L"), PendingWindowInDays=7)
    found = detect(cf, "kms")[1]
    assert [found[n]["StackResourceDriftStatus"] for n in "AL"] == ["DELETED", "DELETED"]
    delete(cf, "kms")


def test_iam(cloud, cf):
    """What resources of one stack attach to each other is no drift."""
    iam = cloud.client("iam")
    create(cf, "iam", template({
        "R": resource("IAM::Role", RoleName="drift-role", AssumeRolePolicyDocument=trust("lambda.amazonaws.com"), Description="d", MaxSessionDuration=7200, Path="/d/",
                      ManagedPolicyArns=["arn:aws:iam::aws:policy/ReadOnlyAccess", {"Ref": "M"}], Policies=[{"PolicyName": "in", "PolicyDocument": policy(allow(["s3:Get*", "s3:List*"]))}],
                      PermissionsBoundary={"Ref": "M"}, Tags=[{"Key": "a", "Value": "1"}]),
        "M": resource("IAM::ManagedPolicy", ManagedPolicyName="drift-managed", Description="m", Path="/d/", PolicyDocument=policy(allow("*")), Users=[{"Ref": "U"}]),
        "U": resource("IAM::User", UserName="drift-user", Groups=[{"Ref": "G"}], LoginProfile={"Password": "Pa55word!Pa55word", "PasswordResetRequired": True}, ManagedPolicyArns=[],
                      Policies=[{"PolicyName": "own", "PolicyDocument": policy(allow("sqs:*"))}]),
        "G": resource("IAM::Group", GroupName="drift-group", Path="/g/", ManagedPolicyArns=["arn:aws:iam::aws:policy/ReadOnlyAccess"]),
        "P": resource("IAM::Policy", PolicyName="put", PolicyDocument=policy(allow("kms:*")), Roles=[{"Ref": "R"}], Users=[{"Ref": "U"}], Groups=[{"Ref": "G"}]),
        "RP": resource("IAM::RolePolicy", PolicyName="rp", RoleName={"Ref": "R"}, PolicyDocument=policy(allow("ec2:*"))),
        "UP": resource("IAM::UserPolicy", PolicyName="up", UserName={"Ref": "U"}, PolicyDocument=json.dumps(policy(allow("ec2:*")))),
        "IP": resource("IAM::InstanceProfile", InstanceProfileName="drift-profile", Path="/p/", Roles=[{"Ref": "R"}]), "U2": resource("IAM::User", Path="/two/"),
        "UG": resource("IAM::UserToGroupAddition", GroupName={"Ref": "G"}, Users=[{"Ref": "U2"}, {"Ref": "U"}]),
        "GP": resource("IAM::GroupPolicy", PolicyName="gp", GroupName={"Ref": "G"}, PolicyDocument=policy(allow("ec2:*")))}), **IAM)
    found = in_sync(cf, "iam", "G", "GP", "IP", "M", "P", "R", "RP", "U", "U2", "UG", "UP")
    assert "Pa55word" not in json.dumps(found, default=str)
    managed = physical(cf, "iam", "M")
    iam.update_role(RoleName="drift-role", Description="e", MaxSessionDuration=3600)
    iam.update_assume_role_policy(RoleName="drift-role", PolicyDocument=json.dumps(trust("ec2.amazonaws.com")))
    iam.detach_role_policy(RoleName="drift-role", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.attach_role_policy(RoleName="drift-role", PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess")
    iam.put_role_policy(RoleName="drift-role", PolicyName="in", PolicyDocument=json.dumps(policy(allow(["s3:List*"]))))
    iam.put_role_policy(RoleName="drift-role", PolicyName="back-door", PolicyDocument=json.dumps(policy(allow("*"))))
    iam.delete_role_permissions_boundary(RoleName="drift-role")
    iam.tag_role(RoleName="drift-role", Tags=[{"Key": "a", "Value": "2"}])
    iam.delete_login_profile(UserName="drift-user")
    iam.remove_user_from_group(UserName="drift-user", GroupName="drift-group")
    iam.put_user_policy(UserName="drift-user", PolicyName="put", PolicyDocument=json.dumps(policy(allow("*"))))
    iam.delete_group_policy(GroupName="drift-group", PolicyName="gp")
    iam.delete_role_policy(RoleName="drift-role", PolicyName="rp")
    iam.put_user_policy(UserName="drift-user", PolicyName="up", PolicyDocument=json.dumps(policy(allow("ec2:Describe*"))))
    iam.create_policy_version(PolicyArn=managed, SetAsDefault=True, PolicyDocument=json.dumps(policy(allow("*", Condition={"Bool": {"aws:SecureTransport": "true"}}))))
    iam.attach_group_policy(GroupName="drift-group", PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess")
    iam.remove_role_from_instance_profile(InstanceProfileName="drift-profile", RoleName="drift-role")
    door = json.dumps({"PolicyName": "back-door", "PolicyDocument": policy(allow("*"))}, separators=(",", ":"))
    found = detect(cf, "iam")[1]
    r = {p: (e, a) for p, e, a in told(found["R"])}
    assert json.loads(next(a for p, (e, a) in r.items() if p.startswith("/Policies/") and e == "null")) == json.loads(door)
    r = {p: v for p, v in r.items() if v[1] == "null" or not p.startswith("/Policies/") or "Action" in p}
    assert r == {"/Description": ("d", "e"), "/MaxSessionDuration": ("7200", "3600"), "/AssumeRolePolicyDocument/Statement/0/Principal/Service": ("lambda.amazonaws.com", "ec2.amazonaws.com"),
                 "/ManagedPolicyArns/0": r["/ManagedPolicyArns/0"], **{p: v for p, v in r.items() if p == "/ManagedPolicyArns/1"},
                 "/Policies/0/PolicyDocument/Statement/0/Action/0": ("s3:Get*", "null"), "/PermissionsBoundary": (managed, "null"), "/Tags/0/Value": ("1", "2")}
    both = {(e, a) for p, e, a in told(found["R"]) if p.startswith("/ManagedPolicyArns/")}
    assert both == {("arn:aws:iam::aws:policy/ReadOnlyAccess", "null"), ("null", "arn:aws:iam::aws:policy/PowerUserAccess")}
    assert told(found["U"]) == [("/Groups/0", "drift-group", "null"), ("/LoginProfile", '{"PasswordResetRequired":true}', "null")]
    assert told(found["P"]) == [("/PolicyDocument/Statement/0/Action", "kms:*", "*")] and told(found["UP"]) == [("/PolicyDocument/Statement/0/Action", "ec2:*", "ec2:Describe*")]
    assert told(found["M"]) == [("/PolicyDocument/Statement/0/Condition", "null", '{"Bool":{"aws:SecureTransport":"true"}}')]
    assert [x[1:] for x in told(found["G"])] == [("null", "arn:aws:iam::aws:policy/PowerUserAccess")]
    assert told(found["IP"]) == [("/Roles/0", "drift-role", "null")] and told(found["UG"]) == [("/Users/1", "drift-user", "null")]
    assert {n for n, x in found.items() if x["StackResourceDriftStatus"] == "DELETED"} == {"GP", "RP"}
    assert found["U2"]["StackResourceDriftStatus"] == "IN_SYNC"
    iam.detach_group_policy(GroupName="drift-group", PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess")
    iam.detach_role_policy(RoleName="drift-role", PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess")
    iam.delete_role_policy(RoleName="drift-role", PolicyName="back-door")
    delete(cf, "iam")


def test_one_at_a_time_and_through_a_crash(own_cloud):
    """On a stack whose detection takes a while: a second one is refused, an update makes it void, kill -9 does not stop it."""
    cf = own_cloud.client("cloudformation")  # noqa: F811
    body = {"P%d" % i: parameter("v", Description="d", Tags={"a": "1"}) for i in range(200)}
    create(cf, "long", template(body))

    def race(overtake):
        """Tries until it was faster than a detection; what came of that detection."""
        for i in range(20):
            d = cf.detect_stack_drift(StackName="long")["StackDriftDetectionId"]
            won = overtake(d, i)
            end = finish(cf, d)
            if won(end) if callable(won) else won:
                return end
        raise AssertionError("a detection of 200 resources was over before the next call, 20 times")

    def second(d, i):
        try:
            finish(cf, cf.detect_stack_drift(StackName="long")["StackDriftDetectionId"])
            return False
        except cf.exceptions.ClientError as e:
            assert "Drift detection is already in progress for stack arn:" in str(e)
            return True

    def changed(d, i):
        update(cf, "long", template({**body, "Q": parameter(str(i))}))
        return lambda end: end["DetectionStatus"] == "DETECTION_FAILED"

    assert race(second)["DetectionStatus"] == "DETECTION_COMPLETE"
    assert "changed while its drift was being detected" in race(changed)["DetectionStatusReason"]
    assert cf.describe_stacks(StackName="long")["Stacks"][0]["DriftInformation"]["StackDriftStatus"] == "NOT_CHECKED"
    d = cf.detect_stack_drift(StackName="long")["StackDriftDetectionId"]
    own_cloud.kill()
    own_cloud.start()
    cf = own_cloud.client("cloudformation")
    end = finish(cf, d)
    assert (end["DetectionStatus"], end["StackDriftStatus"]) == ("DETECTION_COMPLETE", "IN_SYNC") and len(results(cf, "long")) == 201
    in_sync(cf, "long")
