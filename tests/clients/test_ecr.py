# SPDX-License-Identifier: Apache-2.0
"""ECR through boto3: repositories, their policies, tags and settings, and AWS::ECR::Repository."""
import json


from refusals import code


LIFECYCLE = json.dumps({"rules": [{"rulePriority": 1, "description": "few", "selection": {
    "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 2}, "action": {"type": "expire"}}]})


def test_repository_comes_and_goes(cloud):
    e = cloud.client("ecr")
    r = e.create_repository(repositoryName="team/app", tags=[{"Key": "a", "Value": "1"}],
                            imageScanningConfiguration={"scanOnPush": True})["repository"]
    assert r["repositoryArn"] == "arn:aws:ecr:us-east-1:%s:repository/team/app" % cloud.account
    assert r["registryId"] == cloud.account and r["imageTagMutability"] == "MUTABLE"
    assert r["repositoryUri"] == "%s.dkr.ecr.us-east-1.localhost:%d/team/app" % (cloud.account, cloud.port)
    assert r["encryptionConfiguration"] == {"encryptionType": "AES256"} and r["imageScanningConfiguration"] == {"scanOnPush": True}
    assert code(e.create_repository, repositoryName="team/app") == "RepositoryAlreadyExistsException"
    assert e.describe_repositories(repositoryNames=["team/app"])["repositories"] == [r]
    assert code(e.describe_repositories, repositoryNames=["nope"]) == "RepositoryNotFoundException"
    assert cloud.client("ecr", region="us-west-2").describe_repositories()["repositories"] == []
    e.put_image_scanning_configuration(repositoryName="team/app", imageScanningConfiguration={"scanOnPush": False})
    e.put_image_tag_mutability(repositoryName="team/app", imageTagMutability="IMMUTABLE")
    now = e.describe_repositories(repositoryNames=["team/app"])["repositories"][0]
    assert now["imageTagMutability"] == "IMMUTABLE" and now["imageScanningConfiguration"] == {"scanOnPush": False}
    assert code(e.put_image_tag_mutability, repositoryName="team/app", imageTagMutability="MUTABLE_WITH_EXCLUSION") == "InvalidParameterException"
    e.put_image_tag_mutability(repositoryName="team/app", imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
                               imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "dev-*"}])
    assert e.delete_repository(repositoryName="team/app")["repository"]["repositoryName"] == "team/app"
    assert code(e.delete_repository, repositoryName="team/app") == "RepositoryNotFoundException"


def test_names_are_checked(cloud):
    e = cloud.client("ecr")
    for name in ("Aa", "-x", "../x", "a//b", "a/", "a..b", "ü-x"):
        assert code(e.create_repository, repositoryName=name) in ("InvalidParameterException", "ValidationException"), name


def test_pages(cloud):
    e = cloud.client("ecr", region="eu-west-1")
    for i in range(5):
        e.create_repository(repositoryName="page-%d" % i)
    seen = [r["repositoryName"] for p in e.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 2}) for r in p["repositories"]]
    assert seen == ["page-%d" % i for i in range(5)]
    assert code(e.describe_repositories, nextToken="x") == "InvalidParameterException"


def test_tags(cloud):
    e = cloud.client("ecr")
    arn = e.create_repository(repositoryName="tagged", tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])["repository"]["repositoryArn"]
    e.tag_resource(resourceArn=arn, tags=[{"Key": "a", "Value": "3"}, {"Key": "c", "Value": ""}])
    e.untag_resource(resourceArn=arn, tagKeys=["b"])
    assert e.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "a", "Value": "3"}, {"Key": "c", "Value": ""}]
    assert code(e.tag_resource, resourceArn=arn, tags=[{"Key": "aws:x", "Value": "1"}]) == "InvalidTagParameterException"
    assert code(e.tag_resource, resourceArn=arn, tags=[{"Key": "k%d" % i, "Value": ""} for i in range(49)]) == "TooManyTagsException"
    assert code(e.list_tags_for_resource, resourceArn=arn + "x") == "RepositoryNotFoundException"
    assert code(e.list_tags_for_resource, resourceArn="arn:aws:s3:::x") == "InvalidParameterException"


def test_repository_policy(cloud):
    e = cloud.client("ecr")
    e.create_repository(repositoryName="shared")
    assert code(e.get_repository_policy, repositoryName="shared") == "RepositoryPolicyNotFoundException"
    u = cloud.user("ecr-policy")
    text = json.dumps({"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": u["Arn"]}, "Action": "ecr:DescribeImages"}]})
    mine = cloud.client("ecr", key=u)
    assert code(mine.describe_repositories, repositoryNames=["shared"]) == "AccessDeniedException"
    assert e.set_repository_policy(repositoryName="shared", policyText=text.replace("DescribeImages", "DescribeRepositories"))["registryId"] == cloud.account
    assert len(mine.describe_repositories(repositoryNames=["shared"])["repositories"]) == 1
    for bad in ("{", text.replace("ecr-policy", "nobody"), text.replace('"Action"', '"Resource": "*", "Action"')):
        assert code(e.set_repository_policy, repositoryName="shared", policyText=bad) == "InvalidParameterException", bad
    assert json.loads(e.get_repository_policy(repositoryName="shared")["policyText"])["Version"] == "2008-10-17"
    e.delete_repository_policy(repositoryName="shared")
    assert code(mine.describe_repositories, repositoryNames=["shared"]) == "AccessDeniedException"
    assert code(e.delete_repository_policy, repositoryName="shared") == "RepositoryPolicyNotFoundException"


def test_lifecycle_policy_is_read_strictly(cloud):
    e = cloud.client("ecr")
    e.create_repository(repositoryName="aging")
    assert code(e.get_lifecycle_policy, repositoryName="aging") == "LifecyclePolicyNotFoundException"
    assert e.put_lifecycle_policy(repositoryName="aging", lifecyclePolicyText=LIFECYCLE)["lifecyclePolicyText"] == LIFECYCLE
    got = e.get_lifecycle_policy(repositoryName="aging")
    assert got["lifecyclePolicyText"] == LIFECYCLE and got["lastEvaluatedAt"].year == 1970
    good = json.loads(LIFECYCLE)["rules"][0]

    def refused(**change):
        rule = json.loads(json.dumps(good))
        for path, v in change.items():
            at = rule
            *head, last = path.split("__")
            for p in head:
                at = at[p]
            at[last] = v
        text = json.dumps({"rules": [rule]}, indent=8)
        return code(e.put_lifecycle_policy, repositoryName="aging", lifecyclePolicyText=text) == "InvalidParameterException"
    assert refused(rulePriority=0) and refused(selection__tagStatus="tagged") and refused(selection__countUnit="days")
    assert refused(selection__countType="sinceImagePushed") and refused(action__type="archive") and refused(extra=1)
    assert refused(selection__countNumber="2") and refused(selection__tagPrefixList=["a"]) and refused(action__type="transition")
    both = json.dumps({"rules": [good, good]})
    assert code(e.put_lifecycle_policy, repositoryName="aging", lifecyclePolicyText=both) == "InvalidParameterException"
    assert e.delete_lifecycle_policy(repositoryName="aging")["lifecyclePolicyText"] == LIFECYCLE
    assert code(e.delete_lifecycle_policy, repositoryName="aging") == "LifecyclePolicyNotFoundException"


TEMPLATE = {"Resources": {"Repo": {"Type": "AWS::ECR::Repository", "Properties": {
    "RepositoryName": "from-stack", "ImageTagMutability": "IMMUTABLE", "ImageScanningConfiguration": {"ScanOnPush": True}, "EmptyOnDelete": True,
    "LifecyclePolicy": {"LifecyclePolicyText": LIFECYCLE}, "Tags": [{"Key": "k", "Value": "v"}],
    "RepositoryPolicyText": {"Version": "2012-10-17", "Statement": [{
        "Sid": "Lambda", "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "Condition": {"StringLike": {"aws:sourceArn": {"Fn::Sub": "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:*"}}}}]}}},
    "Plain": {"Type": "AWS::ECR::Repository"}},
    "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Repo", "Arn"]}}, "Uri": {"Value": {"Fn::GetAtt": ["Repo", "RepositoryUri"]}},
                "Name": {"Value": {"Ref": "Repo"}}, "Plain": {"Value": {"Ref": "Plain"}}}}


def test_cloudformation(cloud):
    cfn, e = cloud.client("cloudformation"), cloud.client("ecr")

    def wait(name):
        cfn.get_waiter(name).wait(StackName="ecr", WaiterConfig={"Delay": 0.2, "MaxAttempts": 100})
    cfn.create_stack(StackName="ecr", TemplateBody=json.dumps(TEMPLATE))
    wait("stack_create_complete")
    out = {o["OutputKey"]: o["OutputValue"] for o in cfn.describe_stacks(StackName="ecr")["Stacks"][0]["Outputs"]}
    assert out["Name"] == "from-stack" and out["Arn"].endswith(":repository/from-stack")
    assert out["Uri"] == "%s.dkr.ecr.us-east-1.amazonaws.com/from-stack" % cloud.account
    assert out["Plain"].startswith("ecr-plain-") and len(e.describe_repositories(repositoryNames=[out["Plain"]])["repositories"]) == 1
    assert "aws:sourceArn" in e.get_repository_policy(repositoryName="from-stack")["policyText"]
    assert e.get_lifecycle_policy(repositoryName="from-stack")["lifecyclePolicyText"] == LIFECYCLE
    assert {"Key": "k", "Value": "v"} in e.list_tags_for_resource(resourceArn=out["Arn"])["tags"]
    t = json.loads(json.dumps(TEMPLATE))
    p = t["Resources"]["Repo"]["Properties"]
    del p["LifecyclePolicy"], p["RepositoryPolicyText"]
    p["ImageTagMutability"], p["Tags"] = "MUTABLE", [{"Key": "l", "Value": "w"}]
    cfn.update_stack(StackName="ecr", TemplateBody=json.dumps(t))
    wait("stack_update_complete")
    assert code(e.get_repository_policy, repositoryName="from-stack") == "RepositoryPolicyNotFoundException"
    assert code(e.get_lifecycle_policy, repositoryName="from-stack") == "LifecyclePolicyNotFoundException"
    assert e.describe_repositories(repositoryNames=["from-stack"])["repositories"][0]["imageTagMutability"] == "MUTABLE"
    assert [x["Key"] for x in e.list_tags_for_resource(resourceArn=out["Arn"])["tags"]] == ["l"]
    cfn.delete_stack(StackName="ecr")
    wait("stack_delete_complete")
    assert code(e.describe_repositories, repositoryNames=["from-stack"]) == "RepositoryNotFoundException"
