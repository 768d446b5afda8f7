# SPDX-License-Identifier: Apache-2.0
"""What was told in confidence is found in no file of the cloud afterwards: not in its stores, its trail, nor its log."""
import base64
import pathlib
import uuid

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from issuer import Issuer, Key, certificate, pem
from registry import Registry, sha
from stack_lib import settle, template


def inside(text):
    """A piece from the middle of a longer secret, so that a cut one is found as well."""
    return text[len(text) // 3:len(text) // 3 + 24]


def tell_iam(cloud, told):
    iam, key = cloud.client("iam"), ec.generate_private_key(ec.SECP256R1())
    told["server key"] = inside(pem(key).decode().split("\n")[2])  # the first line begins alike in every key
    iam.upload_server_certificate(ServerCertificateName="c", PrivateKey=pem(key).decode(),
                                  CertificateBody=certificate("c", key, hosts=["c.test"]).public_bytes(serialization.Encoding.PEM).decode())
    seed = iam.create_virtual_mfa_device(VirtualMFADeviceName="d")["VirtualMFADevice"]["Base32StringSeed"]
    seed = seed if isinstance(seed, str) else seed.decode()
    told["seed"], told["seed's bytes"] = inside(seed), base64.b32decode(seed)[8:24]
    told["password"] = "Pw-" + uuid.uuid4().hex
    iam.create_user(UserName="u")
    iam.create_login_profile(UserName="u", Password=told["password"])
    told["new access key"] = iam.create_access_key(UserName="u")["AccessKey"]["SecretAccessKey"]


def tell_sts(cloud, told):
    iam = cloud.client("iam")
    with Issuer() as issuer:
        issuer.keys = [Key("k1")]
        arn = issuer.role(iam, "web", issuer.provider(iam))
        token = issuer.token()
        got = cloud.client("sts", anonymous=True).assume_role_with_web_identity(RoleArn=arn, RoleSessionName="web", WebIdentityToken=token)["Credentials"]
    told["identity token"] = inside(token.split(".")[2])
    told["session key"], told["session token"] = got["SecretAccessKey"], inside(got["SessionToken"])
    cloud.client("sts", key=got).get_caller_identity()


def tell_ecr(cloud, told):
    e, reg = cloud.client("ecr"), Registry(cloud)
    told["registry password"] = inside(reg.password)
    e.create_repository(repositoryName="xx")
    told["layer"] = "layer-" + uuid.uuid4().hex
    reg.push_image("xx", told["layer"], "v1")
    at = reg("POST", "/v2/xx/blobs/uploads/").headers["location"]
    told["layer under way"] = "under-way-" + uuid.uuid4().hex
    reg("PATCH", at, body=told["layer under way"].encode())
    reg.push_layer("xx", b"more")
    told["address of a layer"] = inside(e.get_download_url_for_layer(repositoryName="xx", layerDigest=sha(b"more"))["downloadUrl"].rsplit("/", 1)[1])


def tell_stack(cloud, told):
    """A hidden parameter in a resource's properties, in a description of a change, in an update and in what fails."""
    cf = cloud.client("cloudformation")
    may = {"Capabilities": ["CAPABILITY_IAM"]}
    told["hidden parameter"], told["its next value"] = "Hush-1-" + uuid.uuid4().hex, "Hush-2-" + uuid.uuid4().hex
    user = {"Type": "AWS::IAM::User", "Properties": {"LoginProfile": {"Password": {"Ref": "P"}}}}
    bad = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": {"Fn::Sub": "x${P}"}, "Value": "v"}}
    params = {"P": {"Type": "String", "NoEcho": True}, "Q": {"Type": "String", "Default": "1"}}
    cf.create_stack(StackName="s", TemplateBody=template({"U": user}, Parameters=params), Parameters=[{"ParameterKey": "P", "ParameterValue": told["hidden parameter"]}], **may)
    assert settle(cf, "s")["StackStatus"] == "CREATE_COMPLETE"
    given = [{"ParameterKey": "P", "ParameterValue": told["its next value"]}]
    cf.create_change_set(StackName="s", ChangeSetName="c", TemplateBody=template({"U": user}, Parameters=params), Parameters=given, **may)
    cf.update_stack(StackName="s", TemplateBody=template({"U": user, "B": bad}, Parameters=params), Parameters=given, **may)
    assert settle(cf, "s")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"


def test_no_file_holds_what_was_told(own_cloud):
    told = {}  # what to look for, by what it is
    for tell in (tell_iam, tell_sts, tell_ecr, tell_stack):
        tell(own_cloud, told)
    own_cloud.client("ssm").put_parameter(Name="/settle", Value="found-" + "x" * 20, Type="String")
    own_cloud.stop()
    files = {f: f.read_bytes() for f in pathlib.Path(own_cloud.data).rglob("*") if f.is_file()}
    files["log"] = pathlib.Path(str(own_cloud.data) + ".log").read_bytes()
    assert any(b"found-" + b"x" * 20 in data for data in files.values())  # they are the files
    found = {(what, str(f)) for what, secret in told.items() for f, data in files.items() if (secret if isinstance(secret, bytes) else secret.encode()) in data}
    assert not found, found
