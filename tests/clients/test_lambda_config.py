# SPDX-License-Identifier: Apache-2.0
"""AWS Lambda: versions, aliases, layers, concurrency, event configuration, URLs' configuration, code signing."""
import io
import json
import os
import ssl
import time
import urllib.request
import zipfile

import pytest
from botocore.exceptions import ClientError
from test_lambda import ECHO, TRUST, code_of, create, fn, make_zip, name, role  # noqa: F401 (fixtures)
from test_lambda_invoke import move_clock, until


def test_versions_are_immutable(fn, role, name):
    first = create(fn, name, role, Publish=True)
    assert first["Version"] == "1" and first["FunctionArn"].endswith(":function:" + name)  # the function's own ARN, as AWS answers
    assert fn.publish_version(FunctionName=name)["Version"] == "1"  # nothing changed since
    fn.update_function_configuration(FunctionName=name, Timeout=9)
    with pytest.raises(ClientError) as e:
        fn.publish_version(FunctionName=name, CodeSha256="other")
    assert code_of(e) == "InvalidParameterValueException"
    second = fn.publish_version(FunctionName=name, Description="second")
    assert (second["Version"], second["Timeout"], second["Description"]) == ("2", 9, "second")
    assert fn.get_function_configuration(FunctionName=name, Qualifier="1")["Timeout"] == 3
    code = fn.update_function_code(FunctionName=name, ZipFile=make_zip({"index.js": "// 3"}), Publish=True)
    assert code["FunctionArn"] == first["FunctionArn"] + ":3"
    assert code["Version"] == "3"
    listed = fn.list_versions_by_function(FunctionName=name)["Versions"]
    assert [v["Version"] for v in listed] == ["$LATEST", "1", "2", "3"]
    fn.delete_function(FunctionName=name, Qualifier="2")
    with pytest.raises(ClientError) as e:
        fn.get_function(FunctionName=name, Qualifier="2")
    assert code_of(e) == "ResourceNotFoundException"
    with pytest.raises(ClientError) as e:
        fn.delete_function(FunctionName=name, Qualifier="$LATEST")
    assert code_of(e) == "InvalidParameterValueException"


def test_aliases(fn, role, name):
    create(fn, name, role, Publish=True)
    fn.update_function_configuration(FunctionName=name, Timeout=9)
    fn.publish_version(FunctionName=name)
    a = fn.create_alias(FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.25}})
    assert a["AliasArn"].endswith(name + ":live") and a["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.25}}
    with pytest.raises(ClientError) as e:
        fn.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert code_of(e) == "ResourceConflictException"
    with pytest.raises(ClientError) as e:
        fn.create_alias(FunctionName=name, Name="bad", FunctionVersion="7")
    assert code_of(e) == "ResourceNotFoundException"
    with pytest.raises(ClientError) as e:
        fn.delete_function(FunctionName=name, Qualifier="1")
    assert code_of(e) == "ResourceConflictException"
    u = fn.update_alias(FunctionName=name, Name="live", FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {}})
    assert u["FunctionVersion"] == "2" and "RoutingConfig" not in u and u["RevisionId"] != a["RevisionId"]
    assert fn.get_function_configuration(FunctionName=name + ":live")["Version"] == "2"
    with pytest.raises(ClientError) as e:
        fn.update_alias(FunctionName=name, Name="live", FunctionVersion="1", RevisionId=a["RevisionId"])
    assert code_of(e) == "PreconditionFailedException"
    fn.add_permission(FunctionName=name, Qualifier="live", StatementId="s", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com")
    assert json.loads(fn.get_policy(FunctionName=name, Qualifier="live")["Policy"])["Statement"][0]["Resource"].endswith(":live")
    assert [x["Name"] for x in fn.list_aliases(FunctionName=name, FunctionVersion="2")["Aliases"]] == ["live"]
    assert fn.list_aliases(FunctionName=name, FunctionVersion="1")["Aliases"] == []
    fn.delete_alias(FunctionName=name, Name="live")
    with pytest.raises(ClientError) as e:
        fn.get_alias(FunctionName=name, Name="live")
    assert code_of(e) == "ResourceNotFoundException"


def test_concurrency_and_account(fn, role, name):
    create(fn, name, role)
    before = fn.get_account_settings()
    assert before["AccountLimit"]["ConcurrentExecutions"] == 1000 and before["AccountUsage"]["FunctionCount"] >= 1
    assert fn.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=100)["ReservedConcurrentExecutions"] == 100
    assert fn.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 900
    assert fn.get_function(FunctionName=name)["Concurrency"] == {"ReservedConcurrentExecutions": 100}
    with pytest.raises(ClientError) as e:
        fn.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=901)
    assert code_of(e) == "InvalidParameterValueException" and "below its minimum value of [100]" in str(e.value)
    fn.delete_function_concurrency(FunctionName=name)
    assert "ReservedConcurrentExecutions" not in fn.get_function_concurrency(FunctionName=name)
    assert fn.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 1000


def test_event_invoke_config(fn, role, name):
    arn = create(fn, name, role)["FunctionArn"]
    other = create(fn, name[:50] + "-to", role)["FunctionArn"]
    with pytest.raises(ClientError) as e:
        fn.get_function_event_invoke_config(FunctionName=name)
    assert code_of(e) == "ResourceNotFoundException"
    c = fn.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": other}})
    assert c["FunctionArn"] == arn + ":$LATEST" and c["DestinationConfig"]["OnFailure"] == {"Destination": other}
    u = fn.update_function_event_invoke_config(FunctionName=name, MaximumEventAgeInSeconds=60)
    assert u["MaximumRetryAttempts"] == 1 and u["MaximumEventAgeInSeconds"] == 60
    assert len(fn.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"]) == 1
    with pytest.raises(ClientError) as e:
        fn.put_function_event_invoke_config(FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": "arn:aws:sqs:us-east-1:123456789012:q"}})
    assert code_of(e) == "NotImplemented"
    fn.delete_function_event_invoke_config(FunctionName=name)
    fn.delete_function(FunctionName=other)


def test_layers(cloud, fn, role, name):
    one = fn.publish_layer_version(LayerName="tools", Content={"ZipFile": make_zip({"nodejs/a.js": "1"})}, CompatibleRuntimes=["nodejs20.x"],
                                   LicenseInfo="MIT", Description="first")
    assert one["Version"] == 1 and one["LayerVersionArn"] == one["LayerArn"] + ":1" and one["Content"]["CodeSize"] > 0
    two = fn.publish_layer_version(LayerName="tools", Content={"ZipFile": make_zip({"nodejs/a.js": "2"})})
    assert [v["Version"] for v in fn.list_layer_versions(LayerName="tools")["LayerVersions"]] == [2, 1]
    page = fn.list_layer_versions(LayerName="tools", MaxItems=1)
    assert [v["Version"] for v in fn.list_layer_versions(LayerName="tools", Marker=page["NextMarker"])["LayerVersions"]] == [1]
    assert [x["LatestMatchingVersion"]["Version"] for x in fn.list_layers(CompatibleRuntime="nodejs20.x")["Layers"]] == [1]
    c = create(fn, name, role, Layers=[one["LayerVersionArn"]])
    assert c["Layers"][0]["Arn"] == one["LayerVersionArn"]
    fn.delete_layer_version(LayerName="tools", VersionNumber=1)
    with pytest.raises(ClientError) as e:
        fn.get_layer_version(LayerName="tools", VersionNumber=1)
    assert code_of(e) == "ResourceNotFoundException"
    assert fn.get_function_configuration(FunctionName=name)["Layers"]  # it keeps what it has
    p = fn.add_layer_version_permission(LayerName="tools", VersionNumber=2, StatementId="all", Action="lambda:GetLayerVersion", Principal="*")
    assert json.loads(p["Statement"])["Principal"] == "*"
    assert fn.get_layer_version_policy(LayerName="tools", VersionNumber=2)["RevisionId"] == p["RevisionId"]
    fn.remove_layer_version_permission(LayerName="tools", VersionNumber=2, StatementId="all")
    with pytest.raises(ClientError) as e:
        fn.get_layer_version_policy(LayerName="tools", VersionNumber=2)
    assert code_of(e) == "ResourceNotFoundException"
    assert fn.get_layer_version_by_arn(Arn=two["LayerVersionArn"])["Version"] == 2
    fn.update_function_configuration(FunctionName=name, Layers=[])
    assert "Layers" not in fn.get_function_configuration(FunctionName=name)


def test_url_configuration(fn, role, name):
    create(fn, name, role)
    u = fn.create_function_url_config(FunctionName=name, AuthType="NONE", Cors={"AllowOrigins": ["*"], "MaxAge": 5})
    assert u["FunctionUrl"].endswith(".lambda-url.us-east-1.on.aws/") and u["Cors"] == {"AllowOrigins": ["*"], "MaxAge": 5}
    with pytest.raises(ClientError) as e:
        fn.create_function_url_config(FunctionName=name, AuthType="NONE")
    assert code_of(e) == "ResourceConflictException"
    assert fn.update_function_url_config(FunctionName=name, AuthType="AWS_IAM")["AuthType"] == "AWS_IAM"
    assert fn.get_function_url_config(FunctionName=name)["FunctionUrl"] == u["FunctionUrl"]
    assert len(fn.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]) == 1
    fn.delete_function_url_config(FunctionName=name)
    with pytest.raises(ClientError) as e:
        fn.get_function_url_config(FunctionName=name)
    assert code_of(e) == "ResourceNotFoundException"


def test_code_signing(fn, role, name):
    profile = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/p/abcdefghij"
    pub = {"SigningProfileVersionArns": [profile]}
    warn = fn.create_code_signing_config(AllowedPublishers=pub, Tags={"a": "b"})["CodeSigningConfig"]
    assert warn["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Warn"}
    assert fn.list_tags(Resource=warn["CodeSigningConfigArn"])["Tags"] == {"a": "b"}
    create(fn, name, role, CodeSigningConfigArn=warn["CodeSigningConfigArn"])
    assert fn.get_function_code_signing_config(FunctionName=name)["CodeSigningConfigArn"] == warn["CodeSigningConfigArn"]
    assert fn.list_functions_by_code_signing_config(CodeSigningConfigArn=warn["CodeSigningConfigArn"])["FunctionArns"][0].endswith(name)
    with pytest.raises(ClientError) as e:
        fn.delete_code_signing_config(CodeSigningConfigArn=warn["CodeSigningConfigArn"])
    assert code_of(e) == "ResourceConflictException"
    fn.update_code_signing_config(CodeSigningConfigArn=warn["CodeSigningConfigArn"],
                                  CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"})
    with pytest.raises(ClientError) as e:
        fn.update_function_code(FunctionName=name, ZipFile=make_zip({"index.js": ECHO}))
    assert code_of(e) == "CodeVerificationFailedException"
    fn.delete_function_code_signing_config(FunctionName=name)
    fn.update_function_code(FunctionName=name, ZipFile=make_zip({"index.js": ECHO}))
    fn.delete_code_signing_config(CodeSigningConfigArn=warn["CodeSigningConfigArn"])
    with pytest.raises(ClientError) as e:
        fn.get_code_signing_config(CodeSigningConfigArn=warn["CodeSigningConfigArn"])
    assert code_of(e) == "ResourceNotFoundException"


def test_code_can_be_fetched(cloud, fn, role, name):
    z = make_zip({"index.js": ECHO})
    create(fn, name, role, Code={"ZipFile": z})
    url = fn.get_function(FunctionName=name)["Code"]["Location"]
    ctx = ssl.create_default_context(cafile=cloud.ca)
    got = urllib.request.urlopen(url, context=ctx, timeout=10).read()
    assert got == z and zipfile.ZipFile(io.BytesIO(got)).namelist() == ["index.js"]
    with pytest.raises(urllib.error.HTTPError) as e:
        urllib.request.urlopen(url[:-1] + ("0" if url[-1] != "0" else "1"), context=ctx, timeout=10)
    assert e.value.code == 403


def test_runtime_and_recursion(fn, role, name):
    create(fn, name, role)
    assert fn.get_runtime_management_config(FunctionName=name)["UpdateRuntimeOn"] == "Auto"
    assert fn.put_runtime_management_config(FunctionName=name, UpdateRuntimeOn="FunctionUpdate")["UpdateRuntimeOn"] == "FunctionUpdate"
    assert fn.get_runtime_management_config(FunctionName=name)["UpdateRuntimeOn"] == "FunctionUpdate"
    assert fn.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Terminate"
    fn.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert fn.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Allow"
    with pytest.raises(ClientError) as e:
        fn.create_event_source_mapping(FunctionName=name, EventSourceArn="arn:aws:sqs:us-east-1:123456789012:q")
    assert code_of(e) == "NotImplemented"


def test_what_belongs_to_a_version_goes_with_it(fn, role, name):
    create(fn, name, role, Publish=True)
    fn.add_permission(FunctionName=name, Qualifier="1", StatementId="s", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com")
    fn.put_function_event_invoke_config(FunctionName=name, Qualifier="1", MaximumRetryAttempts=0)
    fn.delete_function(FunctionName=name, Qualifier="1")
    for call in (fn.get_policy, fn.get_function_event_invoke_config):
        with pytest.raises(ClientError) as e:
            call(FunctionName=name, Qualifier="1")
        assert code_of(e) == "ResourceNotFoundException"
    assert fn.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"] == []


def test_an_alias_keeps_two_different_versions(fn, role, name):
    create(fn, name, role, Publish=True)
    fn.update_function_code(FunctionName=name, ZipFile=make_zip({"index.js": "2"}), Publish=True)
    fn.create_alias(FunctionName=name, Name="a", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
    for version in ("2", "$LATEST"):  # the routing stays as it is, and no longer fits
        with pytest.raises(ClientError) as e:
            fn.update_alias(FunctionName=name, Name="a", FunctionVersion=version)
        assert code_of(e) == "InvalidParameterValueException"
    assert fn.update_alias(FunctionName=name, Name="a", FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {}})["FunctionVersion"] == "2"


def big_zip(mb):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        with z.open("data", "w") as f:
            for _ in range(mb):
                f.write(bytes(1 << 20))
    return b.getvalue()


def test_code_and_layers_together_have_a_limit(fn, role, name):
    big = big_zip(130)
    layer = fn.publish_layer_version(LayerName=name[:40] + "-big", Content={"ZipFile": big})["LayerVersionArn"]
    other = fn.publish_layer_version(LayerName=name[:40] + "-big", Content={"ZipFile": make_zip({"a": "b"})})["LayerVersionArn"]
    c = create(fn, name, role, Layers=[layer])
    for dry in (True, False):
        with pytest.raises(ClientError) as e:
            fn.update_function_code(FunctionName=name, ZipFile=big, DryRun=dry)
        assert code_of(e) == "InvalidParameterValueException" and "Function code combined with layers exceeds" in str(e.value)
    assert fn.get_function_configuration(FunctionName=name)["CodeSha256"] == c["CodeSha256"]
    with pytest.raises(ClientError) as e:
        fn.update_function_configuration(FunctionName=name, Layers=[layer, other])
    assert code_of(e) == "InvalidParameterValueException" and "Two different versions of the same layer" in str(e.value)


def test_folders_of_old_code_go_in_every_region(own_cloud):
    cloud = own_cloud
    role = cloud.client("iam").create_role(RoleName="fn", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    for region in ("us-east-1", "us-west-2", "eu-west-1"):
        fn = cloud.client("lambda", region=region)
        create(fn, "f", role)
        fn.update_function_code(FunctionName="f", ZipFile=make_zip({"index.js": "// new"}))
    folders = [p for p in cloud.data.rglob("lambda/code/*") if p.is_dir()]
    assert len(folders) == 6  # what was replaced stays as long as an invocation may last
    for p in folders:
        os.utime(p, (time.time() - 3600, time.time() - 3600))
    move_clock(cloud, 120)
    until(lambda: sum(p.exists() for p in folders) == 3)
    assert all(len([p for p in folders if p.exists() and p.parts[-4] == f.parts[-4]]) == 1 for f in folders)
