# SPDX-License-Identifier: Apache-2.0
"""Lambda's resource types in stacks: made, changed in place, replaced, deleted without a trace, and what Ref and Fn::GetAtt give."""
import re

import pytest
from botocore.exceptions import ClientError
from stack_lib import create, delete, physical, reasons, template, update
from test_lambda import ECHO, TRUST, make_zip

PROFILE = "arn:aws:signer:us-east-1:%s:/signing-profiles/p%d/AbCdEfGhIj"


@pytest.fixture(scope="module")
def fn(cloud):
    return cloud.client("lambda")


@pytest.fixture(scope="module")
def role(cloud):
    return cloud.client("iam").create_role(RoleName="fn", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]


def r(kind, **props):
    return {"Type": "AWS::Lambda::" + kind, "Properties": props}


def ref(x):
    return {"Ref": x}


def att(x, name):
    return {"Fn::GetAtt": [x, name]}


def function(role, text=ECHO, **kw):
    return r("Function", Role=role, Runtime="nodejs20.x", Handler="index.handler", Code={"ZipFile": text}, **kw)


def outputs(stack):
    return {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}


def shown(**kw):
    return {k: {"Value": v} for k, v in kw.items()}


def code_of(e):
    return e.value.response["Error"]["Code"]


def test_versions_and_aliases(cf, fn, role):
    def body(text, versions, alias, weights=None, **kw):
        res = {"F": function(role, text), "A": r("Alias", FunctionName=ref("F"), Name="live", FunctionVersion=att(alias, "Version"), **kw)}
        for v in versions:
            res[v] = dict(r("Version", FunctionName=ref("F"), Description=v), DeletionPolicy="Delete")
        if weights:
            res["A"]["Properties"]["RoutingConfig"] = {"AdditionalVersionWeights": [{"FunctionVersion": att(weights, "Version"), "FunctionWeight": 0.25}]}
        return template(res, Outputs=shown(V=ref(alias), N=att(alias, "Version"), VA=att(alias, "FunctionArn"), A=ref("A"), AA=att("A", "AliasArn")))
    s = create(cf, "ver", body(ECHO, ["V1"], "V1", Description="first"))
    f = physical(cf, "ver", "F")
    o = outputs(s)
    assert o["V"].endswith(":function:%s:1" % f) and o["N"] == "1" and o["VA"] == o["V"]
    assert o["A"].endswith(":function:%s:live" % f) and o["AA"] == o["A"]
    assert fn.get_alias(FunctionName=f, Name="live")["Description"] == "first"
    s = update(cf, "ver", body(ECHO + "// 2\n", ["V1", "V2"], "V2", "V1"))
    a = fn.get_alias(FunctionName=f, Name="live")
    assert (a["FunctionVersion"], a["Description"], a["RoutingConfig"]) == ("2", "", {"AdditionalVersionWeights": {"1": 0.25}})
    assert outputs(s)["A"] == o["A"] and outputs(s)["V"].endswith(":2")
    update(cf, "ver", body(ECHO + "// 2\n", ["V2"], "V2"))  # the first version goes, and the weights with it
    assert [v["Version"] for v in fn.list_versions_by_function(FunctionName=f)["Versions"]] == ["$LATEST", "2"]
    assert not fn.get_alias(FunctionName=f, Name="live").get("RoutingConfig", {}).get("AdditionalVersionWeights")
    update(cf, "ver", body(ECHO + "// 2\n", ["V2", "V3"], "V2"), want="UPDATE_ROLLBACK_COMPLETE")  # nothing changed: no new version
    assert any("A version for this Lambda function exists ( 2 )" in str(x) for x in reasons(cf, "ver"))
    assert [v["Version"] for v in fn.list_versions_by_function(FunctionName=f)["Versions"]] == ["$LATEST", "2"]
    delete(cf, "ver")
    with pytest.raises(ClientError) as e:
        fn.get_function(FunctionName=f)
    assert code_of(e) == "ResourceNotFoundException"


def test_layers(cloud, cf, fn):
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="layers")
    for k in ("a", "b"):
        s3.put_object(Bucket="layers", Key=k, Body=make_zip({"nodejs/%s.js" % k: "1"}))

    def body(key, principal):
        return template({"L": r("LayerVersion", Content={"S3Bucket": "layers", "S3Key": key}, LayerName="lib", CompatibleRuntimes=["nodejs20.x"]),
                         "P": r("LayerVersionPermission", LayerVersionArn=ref("L"), Action="lambda:GetLayerVersion", Principal=principal)},
                        Outputs=shown(L=ref("L"), LA=att("L", "LayerVersionArn"), P=ref("P"), I=att("P", "Id")))
    o = outputs(create(cf, "lay", body("a", "*")))
    assert o["L"].endswith(":layer:lib:1") and o["LA"] == o["L"] and o["P"].startswith(o["L"] + "#") and o["I"] == o["P"]
    assert '"Principal":"*"' in fn.get_layer_version_policy(LayerName="lib", VersionNumber=1)["Policy"]
    o = outputs(update(cf, "lay", body("b", cloud.account)))
    assert o["L"].endswith(":layer:lib:2") and [v["Version"] for v in fn.list_layer_versions(LayerName="lib")["LayerVersions"]] == [2]
    assert cloud.account in fn.get_layer_version_policy(LayerName="lib", VersionNumber=2)["Policy"]
    delete(cf, "lay")
    assert not fn.list_layer_versions(LayerName="lib")["LayerVersions"]


def test_urls_and_events(cf, fn, role):
    def body(auth, retries, **url):
        return template({"F": function(role), "U": r("Url", TargetFunctionArn=att("F", "Arn"), AuthType=auth, **url),
                         "E": r("EventInvokeConfig", FunctionName=ref("F"), Qualifier="$LATEST", MaximumRetryAttempts=retries)},
                        Outputs=shown(U=att("U", "FunctionUrl"), A=att("U", "FunctionArn"), R=ref("U"), E=ref("E")))
    s = create(cf, "url", body("AWS_IAM", 0, Cors={"AllowOrigins": ["*"], "MaxAge": 5}))
    f, o = physical(cf, "url", "F"), outputs(s)
    u = fn.get_function_url_config(FunctionName=f)
    assert o["U"] == u["FunctionUrl"] and o["A"] == o["R"] == u["FunctionArn"] and re.match(r"https://\w+\.lambda-url\.us-east-1\.", o["U"])
    assert (u["AuthType"], u["Cors"]["MaxAge"], o["E"]) == ("AWS_IAM", 5, f + "|$LATEST")
    assert fn.get_function_event_invoke_config(FunctionName=f)["MaximumRetryAttempts"] == 0
    s = update(cf, "url", body("NONE", 1))
    u = fn.get_function_url_config(FunctionName=f)
    assert u["AuthType"] == "NONE" and not u.get("Cors") and outputs(s)["U"] == o["U"]  # in place: the same host
    assert fn.get_function_event_invoke_config(FunctionName=f)["MaximumRetryAttempts"] == 1
    delete(cf, "url")
    for op in (fn.get_function_url_config, fn.get_function_event_invoke_config):
        with pytest.raises(ClientError) as e:
            op(FunctionName=f)
        assert code_of(e) == "ResourceNotFoundException"


def test_signing(cloud, cf, fn):
    def body(n, tags, **kw):
        return template({"C": r("CodeSigningConfig", AllowedPublishers={"SigningProfileVersionArns": [PROFILE % (cloud.account, n)]}, Tags=tags, **kw)},
                        Outputs=shown(R=ref("C"), A=att("C", "CodeSigningConfigArn"), I=att("C", "CodeSigningConfigId")))
    o = outputs(create(cf, "sig", body(1, [{"Key": "a", "Value": "1"}], CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"}, Description="d")))
    assert o["A"] == o["R"] and o["I"].startswith("csc-") and o["R"].endswith(":" + o["I"])
    c = fn.get_code_signing_config(CodeSigningConfigArn=o["R"])["CodeSigningConfig"]
    assert (c["Description"], c["CodeSigningPolicies"]["UntrustedArtifactOnDeployment"]) == ("d", "Enforce")
    assert fn.list_tags(Resource=o["R"])["Tags"]["a"] == "1"
    assert outputs(update(cf, "sig", body(2, [{"Key": "b", "Value": "2"}]))) == o
    c = fn.get_code_signing_config(CodeSigningConfigArn=o["R"])["CodeSigningConfig"]
    assert (c["Description"], c["CodeSigningPolicies"]["UntrustedArtifactOnDeployment"]) == ("", "Warn")
    assert c["AllowedPublishers"]["SigningProfileVersionArns"] == [PROFILE % (cloud.account, 2)]
    tags = fn.list_tags(Resource=o["R"])["Tags"]
    assert tags["b"] == "2" and "a" not in tags
    delete(cf, "sig")
    with pytest.raises(ClientError) as e:
        fn.get_code_signing_config(CodeSigningConfigArn=o["R"])
    assert code_of(e) == "ResourceNotFoundException"


def test_what_leaves_the_template_gets_its_default(cf, fn, role):
    more = {"LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "WARN", "LogGroup": "/own"}, "RecursiveLoop": "Allow",
            "RuntimeManagementConfig": {"UpdateRuntimeOn": "FunctionUpdate"}, "ReservedConcurrentExecutions": 3, "Description": "d", "Timeout": 9}
    create(cf, "lam-defaults", template({"F": function(role, **more)}))
    name = physical(cf, "lam-defaults", "F")
    assert fn.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Allow"
    update(cf, "lam-defaults", template({"F": function(role)}))
    assert physical(cf, "lam-defaults", "F") == name
    c = fn.get_function(FunctionName=name)
    assert c["Configuration"]["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/" + name}
    assert (c["Configuration"]["Timeout"], c["Configuration"]["Description"]) == (3, "") and "Concurrency" not in c
    assert fn.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Terminate"
    assert fn.get_runtime_management_config(FunctionName=name)["UpdateRuntimeOn"] == "Auto"
    delete(cf, "lam-defaults")
