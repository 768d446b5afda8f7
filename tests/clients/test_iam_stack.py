# SPDX-License-Identifier: Apache-2.0
"""IAM's identity providers and devices as resources of a stack: made, changed in place, deleted without a trace."""
import json

WAIT = {"Delay": 1, "MaxAttempts": 60}


def resource(kind, **p):
    return {"Type": "AWS::IAM::" + kind, "Properties": p}


def template(clients, prints, team, **more):
    tags = [{"Key": "team", "Value": team}]
    return json.dumps({"Resources": {
        "O": resource("OIDCProvider", Url="https://ci.example.test", ClientIdList=clients, ThumbprintList=prints, Tags=tags),
        "M": resource("VirtualMFADevice", VirtualMfaDeviceName="stack-device", Path="/s/", Users=[], Tags=tags), **more},
        "Outputs": {"O": {"Value": {"Ref": "O"}}, "A": {"Value": {"Fn::GetAtt": ["O", "Arn"]}},
                    "M": {"Value": {"Ref": "M"}}, "S": {"Value": {"Fn::GetAtt": ["M", "SerialNumber"]}}}})


def wait(cf, what):
    cf.get_waiter("stack_%s_complete" % what).wait(StackName="ids", WaiterConfig=WAIT)


def test_identity_stack(cloud):
    cf, iam = cloud.client("cloudformation"), cloud.client("iam")
    cf.create_stack(StackName="ids", TemplateBody=template(["a", "b"], ["a" * 40], "x"), Capabilities=["CAPABILITY_IAM"])
    wait(cf, "create")
    arn, serial = "arn:aws:iam::%s:oidc-provider/ci.example.test" % cloud.account, "arn:aws:iam::%s:mfa/s/stack-device" % cloud.account
    outputs = {o["OutputKey"]: o["OutputValue"] for o in cf.describe_stacks(StackName="ids")["Stacks"][0]["Outputs"]}
    assert outputs == {"O": arn, "A": arn, "M": serial, "S": serial}
    g = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (g["ClientIDList"], g["ThumbprintList"], g["Tags"]) == (["a", "b"], ["a" * 40], [{"Key": "team", "Value": "x"}])
    made = g["CreateDate"]
    cf.update_stack(StackName="ids", TemplateBody=template(["b", "c"], ["b" * 40], "y"), Capabilities=["CAPABILITY_IAM"])
    wait(cf, "update")
    g = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (g["ClientIDList"], g["ThumbprintList"], g["Tags"], g["CreateDate"]) == (["b", "c"], ["b" * 40], [{"Key": "team", "Value": "y"}], made)
    assert iam.list_mfa_device_tags(SerialNumber=serial)["Tags"] == [{"Key": "team", "Value": "y"}]
    cf.delete_stack(StackName="ids")
    wait(cf, "delete")
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []
