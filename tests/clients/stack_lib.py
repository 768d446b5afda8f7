# SPDX-License-Identifier: Apache-2.0
"""What tests of stacks share: templates, operations that are waited for, what the events tell, and stacks that wait."""
import json
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

from tests.conftest import binary

KEY_POLICY = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}}, "Action": "kms:*", "Resource": "*"}]}

ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}}


def key(**props):
    return {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": KEY_POLICY, **props}}


def parameter(value="v", **props):
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value, **props}}


def template(resources, **sections):
    return json.dumps({"Resources": resources, **sections})


def settle(cf, name, seconds=30):
    end = time.time() + seconds
    while time.time() < end:
        s = cf.describe_stacks(StackName=name)["Stacks"][0]
        if not s["StackStatus"].endswith("_IN_PROGRESS"):
            return s
        time.sleep(0.02)
    raise AssertionError("%s stays in %s" % (name, s["StackStatus"]))


def create(cf, name, body, want="CREATE_COMPLETE", **kw):
    arn = cf.create_stack(StackName=name, TemplateBody=body, **kw)["StackId"]
    s = settle(cf, arn)
    assert s["StackStatus"] == want, (s.get("StackStatusReason"), reasons(cf, arn))
    return s


def update(cf, name, body=None, want="UPDATE_COMPLETE", **kw):
    if body:
        kw["TemplateBody"] = body
    cf.update_stack(StackName=name, **kw)
    s = settle(cf, name)
    assert s["StackStatus"] == want, (s.get("StackStatusReason"), reasons(cf, name))
    return s


def delete(cf, name, want="DELETE_COMPLETE", **kw):
    arn = cf.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    cf.delete_stack(StackName=name, **kw)
    s = settle(cf, arn)
    assert s["StackStatus"] == want, (s.get("StackStatusReason"), reasons(cf, arn))
    return s


def events(cf, name):
    out, token = [], {}
    while True:
        r = cf.describe_stack_events(StackName=name, **token)
        out += r["StackEvents"]
        if "NextToken" not in r:
            return out[::-1]
        token = {"NextToken": r["NextToken"]}


def reasons(cf, name):
    return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason")) for e in events(cf, name)]


def story(cf, name, logical):
    return [(e["ResourceStatus"], e.get("ResourceStatusReason")) for e in events(cf, name) if e["LogicalResourceId"] == logical]


def physical(cf, name, logical):
    return cf.describe_stack_resource(StackName=name, LogicalResourceId=logical)["StackResourceDetail"]["PhysicalResourceId"]


def refused(code, text, fn, **kw):
    with pytest.raises(ClientError) as e:
        fn(**kw)
    assert e.value.response["Error"]["Code"] == code, e.value
    assert text in e.value.response["Error"]["Message"], e.value


def change_set(cf, stack, name, body, kind, **kw):
    r = cf.create_change_set(StackName=stack, ChangeSetName=name, TemplateBody=body, ChangeSetType=kind, **kw)
    return r, cf.describe_change_set(ChangeSetName=r["Id"], StackName=r["StackId"], IncludePropertyValues=True)


def command(cloud, *args):
    return subprocess.run([str(binary()), *args, "--data", str(cloud.data)], check=True, stdout=subprocess.PIPE, text=True).stdout


def put(cloud, url, body, method="PUT"):
    """Answers as the handlers do: a PUT with an empty content type. Returns the status."""
    ctx = ssl.create_default_context(cafile=cloud.ca)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    req = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": ""})
    try:
        return urllib.request.urlopen(req, context=ctx).status
    except urllib.error.HTTPError as e:
        print(e.code, e.read())
        return e.code


def waiting(count=1, timeout=3000, **more):
    return template({"H": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
                     "W": {"Type": "AWS::CloudFormation::WaitCondition", "Properties": {"Handle": {"Ref": "H"}, "Timeout": str(timeout), "Count": count}}, **more},
                    Outputs={"Data": {"Value": {"Fn::GetAtt": ["W", "Data"]}}, "Url": {"Value": {"Ref": "H"}}})


def until(what, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        got = what()
        if got:
            return got
        time.sleep(0.02)
    raise AssertionError("it does not happen")


def parked(cf, name, logical="W"):
    """The stack waits; returns the handle's address."""
    def both():
        r = {x["LogicalResourceId"]: x for x in cf.describe_stack_resources(StackName=name)["StackResources"]}
        return "H" in r and r["H"]["ResourceStatus"] == "CREATE_COMPLETE" and logical in r and r["H"]["PhysicalResourceId"]
    return until(both)


def signal_ok(uid="a", status="SUCCESS", **kw):
    return {"Status": status, "UniqueId": uid, "Data": "d-" + uid, "Reason": "why", **kw}


def clock(cloud, by):
    command(cloud, "clock", by)
