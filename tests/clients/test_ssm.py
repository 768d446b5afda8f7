# SPDX-License-Identifier: Apache-2.0
"""Parameter Store through boto3."""
import pytest
from botocore.exceptions import ClientError

from refusals import refused


def test_put_get_versions(ssm, cloud):
    assert ssm.put_parameter(Name="/v/a", Value="1", Type="String")["Version"] == 1
    refused("ParameterAlreadyExists", ssm.put_parameter, Name="/v/a", Value="2", Type="String")
    assert ssm.put_parameter(Name="/v/a", Value="2", Overwrite=True)["Version"] == 2
    p = ssm.get_parameter(Name="/v/a")["Parameter"]
    assert (p["Value"], p["Version"], p["Type"], p["DataType"]) == ("2", 2, "String", "text")
    assert p["ARN"] == "arn:aws:ssm:us-east-1:%s:parameter/v/a" % cloud.account
    old = ssm.get_parameter(Name="/v/a:1")["Parameter"]
    assert (old["Value"], old["Selector"]) == ("1", ":1")
    assert ssm.get_parameter(Name=p["ARN"])["Parameter"]["Value"] == "2"
    refused("ParameterVersionNotFound", ssm.get_parameter, Name="/v/a:9")
    refused("ParameterNotFound", ssm.get_parameter, Name="/v/none")
    assert [h["Value"] for h in ssm.get_parameter_history(Name="/v/a")["Parameters"]] == ["1", "2"]
    refused("HierarchyTypeMismatchException", ssm.put_parameter, Name="/v/a", Value="x", Type="StringList", Overwrite=True)


def test_names_values_patterns(ssm):
    for bad in ("a/b", "/a//b", "/a/", "/a b", "/aws/x", "ssm-x"):
        with pytest.raises(ClientError):
            ssm.put_parameter(Name=bad, Value="1", Type="String")
    refused("HierarchyLevelLimitExceededException", ssm.put_parameter, Name="/x" * 16, Value="1", Type="String")
    refused("ValidationException", ssm.put_parameter, Name="/big", Value="x" * 4097, Type="String")
    assert ssm.put_parameter(Name="/big", Value="x" * 8192, Type="String", Tier="Advanced")["Tier"] == "Advanced"
    ssm.put_parameter(Name="/pat", Value="123", Type="String", AllowedPattern="^\\d+$")
    refused("ParameterPatternMismatchException", ssm.put_parameter, Name="/pat", Value="abc", Overwrite=True)
    refused("ValidationException", ssm.put_parameter, Name="/notype", Value="abc")
    refused("UnsupportedOperationException", ssm.put_parameter, Name="/pol", Value="abc", Type="String", Policies='[{"Type":"Expiration"}]')


def test_get_many_and_delete(ssm):
    for i in range(3):
        ssm.put_parameter(Name="/m/%d" % i, Value=str(i), Type="String")
    r = ssm.get_parameters(Names=["/m/0", "/m/2", "/m/9"])
    assert sorted(p["Value"] for p in r["Parameters"]) == ["0", "2"] and r["InvalidParameters"] == ["/m/9"]
    d = ssm.delete_parameters(Names=["/m/0", "/m/9"])
    assert (d["DeletedParameters"], d["InvalidParameters"]) == (["/m/0"], ["/m/9"])
    ssm.delete_parameter(Name="/m/1")
    refused("ParameterNotFound", ssm.delete_parameter, Name="/m/1")
    assert ssm.put_parameter(Name="/m/1", Value="again", Type="String")["Version"] == 1


def test_paths(ssm):
    names = ["/p/a", "/p/b/c", "/p/b/d/e", "/p/z", "/pp/no"] + ["/p/m/%03d" % i for i in range(25)]
    for n in names:
        ssm.put_parameter(Name=n, Value="v", Type="String")
    flat = [p["Name"] for page in ssm.get_paginator("get_parameters_by_path").paginate(Path="/p") for p in page["Parameters"]]
    assert flat == ["/p/a", "/p/z"]
    deep = [p["Name"] for page in ssm.get_paginator("get_parameters_by_path").paginate(Path="/p/", Recursive=True, PaginationConfig={"PageSize": 7}) for p in page["Parameters"]]
    assert sorted(deep) == sorted(n for n in names if n.startswith("/p/")) and len(deep) == len(set(deep))
    refused("ValidationException", ssm.get_parameters_by_path, Path="p")
    got = [p["Name"] for page in ssm.get_paginator("describe_parameters").paginate(ParameterFilters=[{"Key": "Name", "Option": "BeginsWith", "Values": ["/p/b"]}]) for p in page["Parameters"]]
    assert got == ["/p/b/c", "/p/b/d/e"]
    refused("ValidationException", ssm.describe_parameters, ParameterFilters=[{"Key": "Nope", "Values": ["x"]}])


def test_secure_string_is_sealed_by_kms(cloud, ssm):
    k = cloud.client("kms").create_key()["KeyMetadata"]
    ssm.put_parameter(Name="/s/own", Value="hidden-value", Type="SecureString", KeyId=k["KeyId"])
    assert "hidden-value" not in ssm.get_parameter(Name="/s/own")["Parameter"]["Value"]
    assert ssm.get_parameter(Name="/s/own", WithDecryption=True)["Parameter"]["Value"] == "hidden-value"
    ssm.put_parameter(Name="/s/own", Value="hidden-again", Type="SecureString", Overwrite=True)  # stays under its key
    kept = ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": ["/s/own"]}])["Parameters"][0]
    assert kept["KeyId"] == k["KeyId"] and kept["Version"] == 2
    u = cloud.client("ssm", key=cloud.user("ssm-no-kms", {"Effect": "Allow", "Action": "ssm:*", "Resource": "*"}))
    assert u.get_parameter(Name="/s/own")["Parameter"]["Type"] == "SecureString"
    assert "kms:Decrypt" in refused("AccessDeniedException", u.get_parameter, Name="/s/own", WithDecryption=True)
    cloud.client("kms").disable_key(KeyId=k["KeyId"])
    refused("InvalidKeyId", ssm.get_parameter, Name="/s/own", WithDecryption=True)
    ssm.put_parameter(Name="/s/default", Value="x", Type="SecureString")
    assert ssm.get_parameter(Name="/s/default", WithDecryption=True)["Parameter"]["Value"] == "x"


def test_the_services_key_serves_only_the_service(cloud, ssm):
    ssm.put_parameter(Name="/s/managed", Value="x", Type="SecureString")
    u = cloud.user("ssm-managed", {"Effect": "Allow", "Action": ["kms:*", "ssm:*"], "Resource": "*"})
    assert cloud.client("ssm", key=u).get_parameter(Name="/s/managed", WithDecryption=True)["Parameter"]["Value"] == "x"
    refused("AccessDeniedException", cloud.client("kms", key=u).encrypt, KeyId="alias/aws/ssm", Plaintext=b"direct")


def test_rights_follow_the_path(cloud, ssm):
    for n in ("/r/mine/a", "/r/theirs/a"):
        ssm.put_parameter(Name=n, Value="v", Type="String", Tags=[{"Key": "k", "Value": "v"}])
    arn = "arn:aws:ssm:us-east-1:%s:parameter/r/mine/*" % cloud.account
    u = cloud.client("ssm", key=cloud.user("ssm-path", {"Effect": "Allow", "Action": ["ssm:GetParameter", "ssm:GetParameters"], "Resource": arn}))
    u.get_parameter(Name="/r/mine/a")
    refused("AccessDeniedException", u.get_parameter, Name="/r/theirs/a")
    refused("AccessDeniedException", u.get_parameters, Names=["/r/mine/a", "/r/theirs/a"])
    refused("AccessDeniedException", u.put_parameter, Name="/r/mine/a", Value="x", Overwrite=True)
    refused("AccessDeniedException", u.get_parameters_by_path, Path="/r")


def test_tags(ssm):
    ssm.put_parameter(Name="/t/a", Value="v", Type="String", Tags=[{"Key": "a", "Value": "1"}])
    ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId="/t/a", Tags=[{"Key": "b", "Value": "2"}])
    ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId="/t/a", TagKeys=["a"])
    assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/t/a")["TagList"] == [{"Key": "b", "Value": "2"}]
    refused("InvalidResourceId", ssm.list_tags_for_resource, ResourceType="Parameter", ResourceId="/t/none")


def test_labels_name_versions_and_move(cloud, ssm):
    for v in "123":
        ssm.put_parameter(Name="/l/a", Value=v, Type="String", Overwrite=v != "1")
    assert ssm.label_parameter_version(Name="/l/a", ParameterVersion=1, Labels=["prod", "1bad", "aws-no"])["InvalidLabels"] == ["1bad", "aws-no"]
    p = ssm.get_parameter(Name="/l/a:prod")["Parameter"]
    assert (p["Value"], p["Selector"], p["Version"]) == ("1", ":prod", 1)
    assert ssm.label_parameter_version(Name="/l/a", Labels=["prod"])["ParameterVersion"] == 3
    assert ssm.get_parameters(Names=["/l/a:prod"])["Parameters"][0]["Value"] == "3"
    assert [h["Labels"] for h in ssm.get_parameter_history(Name="/l/a")["Parameters"]] == [[], [], ["prod"]]
    refused("ParameterVersionNotFound", ssm.get_parameter, Name="/l/a:none")
    refused("ParameterVersionNotFound", ssm.label_parameter_version, Name="/l/a", ParameterVersion=9, Labels=["x"])
    refused("ParameterNotFound", ssm.label_parameter_version, Name="/l/none", Labels=["x"])
    refused("ParameterVersionLabelLimitExceeded", ssm.label_parameter_version, Name="/l/a", Labels=["l%d" % i for i in range(10)])
    ssm.delete_parameter(Name="/l/a")
    ssm.put_parameter(Name="/l/a", Value="new", Type="String")
    refused("ParameterVersionNotFound", ssm.get_parameter, Name="/l/a:prod")
    u = cloud.client("ssm", key=cloud.user("ssm-labels", {"Effect": "Allow", "Action": "ssm:Get*", "Resource": "*"}))
    refused("AccessDeniedException", u.label_parameter_version, Name="/l/a", Labels=["x"])
