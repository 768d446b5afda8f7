# SPDX-License-Identifier: Apache-2.0
"""Provisioned concurrency: environments that are up before anybody invokes, with their limits, their failures, and a cloud that is killed."""
import concurrent.futures
import json

import pytest
from botocore.exceptions import ClientError
from stack_lib import create as create_stack, delete as delete_stack, physical, reasons, template, update as update_stack
from test_lambda import ECHO, TRUST, code_of, create, fn, make_zip, name, role  # noqa: F401 (fixtures)
from test_lambda_invoke import body, move_clock, until

ENV = "exports.handler = async (e) => { if (e.ms) await new Promise(r => setTimeout(r, e.ms)); return {type: process.env.AWS_LAMBDA_INITIALIZATION_TYPE, stream: process.env.AWS_LAMBDA_LOG_STREAM_NAME}; };"


def get(fn, name, qualifier):
    return fn.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)


def is_ready(fn, name, qualifier, n):
    def check():
        p = get(fn, name, qualifier)
        return p["Status"] == "READY" and p["AllocatedProvisionedConcurrentExecutions"] == p["AvailableProvisionedConcurrentExecutions"] == n
    return until(check, 60)


def kept(fn, name, n=1, text=ENV, **kw):
    create(fn, name, role=kw.pop("role"), text=text, Publish=True, **kw)
    p = fn.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=n)
    assert (p["ResponseMetadata"]["HTTPStatusCode"], p["Status"], p["RequestedProvisionedConcurrentExecutions"]) == (202, "IN_PROGRESS", n)


def refused(call, code, text, **kw):
    with pytest.raises(ClientError) as e:
        call(**kw)
    assert code_of(e) == code and text in e.value.response["Error"]["Message"], e.value


def test_up_before_anybody_invokes(cloud, fn, role, name):
    cloud.client("iam").put_role_policy(RoleName="fn", PolicyName="logs", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]}))
    kept(fn, name, 2, role=role, LoggingConfig={"LogFormat": "JSON"})
    is_ready(fn, name, "1", 2)
    logs = cloud.client("logs")

    def lines():
        try:
            return [e["message"] for e in logs.filter_log_events(logGroupName="/aws/lambda/" + name)["events"]]
        except ClientError:
            return []
    until(lambda: sum('"platform.initReport"' in x for x in lines()) == 2)
    told = [json.loads(x) for x in lines()]
    assert {x["record"]["initializationType"] for x in told} == {"provisioned-concurrency"}
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        got = [body(r) for r in pool.map(lambda _: fn.invoke(FunctionName=name, Qualifier="1", Payload=b'{"ms": 1500}'), range(3))]
    assert sorted(x["type"] for x in got) == ["on-demand", "provisioned-concurrency", "provisioned-concurrency"]
    assert len({x["stream"] for x in got}) == 3
    assert body(fn.invoke(FunctionName=name, Payload=b"{}"))["type"] == "on-demand"  # $LATEST has none of it
    item, = fn.list_provisioned_concurrency_configs(FunctionName=name)["ProvisionedConcurrencyConfigs"]
    assert item["FunctionArn"].endswith(":function:%s:1" % name) and item["Status"] == "READY"
    assert fn.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert fn.list_provisioned_concurrency_configs(FunctionName=name)["ProvisionedConcurrencyConfigs"] == []
    refused(fn.get_provisioned_concurrency_config, "ProvisionedConcurrencyConfigNotFoundException", "No Provisioned", FunctionName=name, Qualifier="1")


def test_only_versions_and_aliases_within_limits(fn, role, name):
    put = fn.put_provisioned_concurrency_config
    create(fn, name, role, Publish=True)
    fn.update_function_code(FunctionName=name, ZipFile=make_zip({"index.js": ECHO + "// 2\n"}), Publish=True)
    fn.create_alias(FunctionName=name, Name="latest", FunctionVersion="$LATEST")
    fn.create_alias(FunctionName=name, Name="two", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
    fn.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    bad = "InvalidParameterValueException"
    for q in ("$LATEST", "latest"):
        refused(put, bad, "cannot be applied to unpublished function versions", FunctionName=name, Qualifier=q, ProvisionedConcurrentExecutions=1)
    refused(put, bad, "Alias with weights", FunctionName=name, Qualifier="two", ProvisionedConcurrentExecutions=1)
    refused(put, "ResourceNotFoundException", "", FunctionName=name, Qualifier="7", ProvisionedConcurrentExecutions=1)
    refused(put, "ResourceNotFoundException", "", FunctionName=name, Qualifier="none", ProvisionedConcurrentExecutions=1)
    refused(put, bad, "minimum value of [100]", FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=901)
    refused(fn.get_provisioned_concurrency_config, bad, "alias or a published version", FunctionName=name, Qualifier="$LATEST")
    fn.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    refused(put, bad, "reservedConcurrentExecution", FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=3)
    put(FunctionName=name, Qualifier="live", ProvisionedConcurrentExecutions=1)
    refused(put, "ResourceConflictException", "", FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1)
    put(FunctionName=name, Qualifier="2", ProvisionedConcurrentExecutions=1)
    refused(put, bad, "reservedConcurrentExecution", FunctionName=name, Qualifier="live", ProvisionedConcurrentExecutions=2)
    refused(fn.put_function_concurrency, bad, "total provisioned concurrency [2]", FunctionName=name, ReservedConcurrentExecutions=1)
    refused(fn.update_alias, "ResourceConflictException", "already Provisioned version", FunctionName=name, Name="live", FunctionVersion="2")
    refused(fn.update_alias, bad, "unpublished", FunctionName=name, Name="live", FunctionVersion="$LATEST")
    refused(fn.invoke, "TooManyRequestsException", "", FunctionName=name)  # all that is reserved is provisioned: none is left for $LATEST
    assert body(fn.invoke(FunctionName=name, Qualifier="live", Payload=b"3")) == {"got": 3}
    assert len(fn.list_provisioned_concurrency_configs(FunctionName=name, MaxItems=1)["ProvisionedConcurrencyConfigs"]) == 1
    fn.delete_alias(FunctionName=name, Name="two")
    fn.delete_function(FunctionName=name, Qualifier="2")  # and what it kept with it
    fn.delete_alias(FunctionName=name, Name="live")
    assert fn.list_provisioned_concurrency_configs(FunctionName=name)["ProvisionedConcurrencyConfigs"] == []
    fn.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    assert body(fn.invoke(FunctionName=name, Payload=b"4")) == {"got": 4}


def test_an_alias_takes_it_along(fn, role, name):
    create(fn, name, role, text=ENV + "// 1", Publish=True)
    fn.update_function_code(FunctionName=name, ZipFile=make_zip({"index.js": ENV}), Publish=True)
    fn.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    fn.put_provisioned_concurrency_config(FunctionName=name, Qualifier="live", ProvisionedConcurrentExecutions=1)
    is_ready(fn, name, "live", 1)
    fn.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    assert get(fn, name, "live")["Status"] == "IN_PROGRESS"
    is_ready(fn, name, "live", 1)
    assert "[2]" in body(fn.invoke(FunctionName=name, Qualifier="live", Payload=b"{}"))["stream"]


def test_what_cannot_start_is_failed(cloud, fn, role, name):
    kept(fn, name, 1, "throw new Error('never');", role=role)
    other = cloud.client("iam").create_role(RoleName="leaves", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    create(fn, name + "2", other, Publish=True)
    cloud.client("iam").delete_role(RoleName="leaves")
    fn.put_provisioned_concurrency_config(FunctionName=name + "2", Qualifier="1", ProvisionedConcurrentExecutions=1)
    until(lambda: get(fn, name, "1")["Status"] == get(fn, name + "2", "1")["Status"] == "FAILED", 60)
    p = get(fn, name, "1")
    assert p["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE" and p["AllocatedProvisionedConcurrentExecutions"] == 0
    assert "cannot be assumed" in get(fn, name + "2", "1")["StatusReason"]
    fn.delete_function(FunctionName=name + "2")


def test_renewed_and_back_after_a_kill(own_cloud):
    cloud = own_cloud
    fn = cloud.client("lambda")
    arn = cloud.client("iam").create_role(RoleName="fn", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    kept(fn, "keep", 2, role=arn)
    is_ready(fn, "keep", "1", 2)
    streams = {body(fn.invoke(FunctionName="keep", Qualifier="1", Payload=b"{}"))["stream"]}
    move_clock(cloud, 3600)  # their credentials have ended
    is_ready(fn, "keep", "1", 2)

    def renewed():
        got = body(fn.invoke(FunctionName="keep", Qualifier="1", Payload=b"{}"))
        return got["type"] == "provisioned-concurrency" and got["stream"] not in streams
    until(renewed, 60)
    assert cloud.kill() is not None
    cloud.start()
    fn = cloud.client("lambda")
    is_ready(fn, "keep", "1", 2)
    assert body(fn.invoke(FunctionName="keep", Qualifier="1", Payload=b"{}"))["type"] == "provisioned-concurrency"


def test_stacks_wait_for_it(cloud, fn, role):
    cf = cloud.client("cloudformation")

    def stack(text, n_version=None, n_alias=None):
        two = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "F"}, "Description": text[-2:]}}
        alias = {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "F"}, "Name": "live", "FunctionVersion": {"Fn::GetAtt": ["V", "Version"]}}}
        for res, n in ((two, n_version), (alias, n_alias)):
            if n:
                res["Properties"]["ProvisionedConcurrencyConfig"] = {"ProvisionedConcurrentExecutions": n}
        return template({"F": {"Type": "AWS::Lambda::Function", "Properties": {"Role": role, "Runtime": "nodejs20.x", "Handler": "index.handler", "Code": {"ZipFile": text}}},
                         "V": two, "A": alias})
    create_stack(cf, "prov", stack(ECHO + "//1", n_version=1))
    f = physical(cf, "prov", "F")
    assert get(fn, f, "1")["Status"] == "READY"
    update_stack(cf, "prov", stack(ECHO + "//1", n_alias=2))
    assert get(fn, f, "live")["AllocatedProvisionedConcurrentExecutions"] == 2
    refused(fn.get_provisioned_concurrency_config, "ProvisionedConcurrencyConfigNotFoundException", "", FunctionName=f, Qualifier="1")
    update_stack(cf, "prov", stack("throw new Error('no');//2", n_alias=2), want="UPDATE_ROLLBACK_COMPLETE")
    assert any("failed to be applied. Reason: FUNCTION_ERROR_INIT_FAILURE" in str(x) for x in reasons(cf, "prov"))
    is_ready(fn, f, "live", 2)
    delete_stack(cf, "prov")


def test_who_may(cloud, fn, role, name):
    create(fn, name, role, Publish=True)
    arn = "arn:aws:lambda:us-east-1:%s:function:%s:1" % (cloud.account, name)
    user = cloud.user("only-two", {"Effect": "Allow", "Action": "lambda:*ProvisionedConcurrencyConfig*", "Resource": arn[:-1] + "2"},
                      {"Effect": "Allow", "Action": "lambda:UpdateAlias", "Resource": "*"})
    theirs = cloud.client("lambda", key=user)
    for call in (theirs.get_provisioned_concurrency_config, theirs.delete_provisioned_concurrency_config):
        refused(call, "AccessDeniedException", "", FunctionName=name, Qualifier="1")
    refused(theirs.put_provisioned_concurrency_config, "AccessDeniedException", "", FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1)
    refused(theirs.list_provisioned_concurrency_configs, "AccessDeniedException", "", FunctionName=name)
    refused(theirs.get_provisioned_concurrency_config, "ResourceNotFoundException", "", FunctionName=name, Qualifier="2")
