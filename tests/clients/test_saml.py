# SPDX-License-Identifier: Apache-2.0
"""SAML providers, and roles for whose users they vouch."""
import base64
import json
import pathlib
import sys

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from idp import Idp, stamp  # noqa: E402
from issuer import certificate  # noqa: E402

WAIT = {"Delay": 1, "MaxAttempts": 60}


def refused(code, call, **kw):
    with pytest.raises(ClientError) as e:
        call(**kw)
    assert e.value.response["Error"]["Code"] == code, e.value
    return e.value.response["Error"]["Message"]


@pytest.fixture(scope="module")
def iam(cloud):
    return cloud.client("iam")


@pytest.fixture(scope="module")
def idp():
    return Idp()


def test_provider_life(cloud, iam, idp):
    r = iam.create_saml_provider(Name="life.cycle_1", SAMLMetadataDocument=idp.metadata(), Tags=[{"Key": "team", "Value": "x"}])
    arn = r["SAMLProviderArn"]
    assert arn == "arn:aws:iam::%s:saml-provider/life.cycle_1" % cloud.account and r["Tags"] == [{"Key": "team", "Value": "x"}]
    refused("EntityAlreadyExists", iam.create_saml_provider, Name="Life.cycle_1", SAMLMetadataDocument=idp.metadata())
    g = iam.get_saml_provider(SAMLProviderArn=arn)
    assert (g["SAMLMetadataDocument"], g["Tags"]) == (idp.metadata(), [{"Key": "team", "Value": "x"}])
    assert g["ValidUntil"].year - g["CreateDate"].year in (99, 100) and len(g["SAMLProviderUUID"]) >= 22
    second = Idp().metadata(until=stamp(86400 * 30))
    assert iam.update_saml_provider(SAMLProviderArn=arn, SAMLMetadataDocument=second)["SAMLProviderArn"] == arn
    n = iam.get_saml_provider(SAMLProviderArn=arn)
    assert n["SAMLMetadataDocument"] == second and (n["ValidUntil"] - n["CreateDate"]).days in (29, 30)
    assert (n["SAMLProviderUUID"], n["CreateDate"]) == (g["SAMLProviderUUID"], g["CreateDate"])
    assert {"Arn": arn, "ValidUntil": n["ValidUntil"], "CreateDate": n["CreateDate"]} in iam.list_saml_providers()["SAMLProviderList"]
    assert "updates" in refused("InvalidInput", iam.update_saml_provider, SAMLProviderArn=arn)
    iam.tag_saml_provider(SAMLProviderArn=arn, Tags=[{"Key": "stage", "Value": "y"}])
    iam.untag_saml_provider(SAMLProviderArn=arn, TagKeys=["team"])
    assert iam.list_saml_provider_tags(SAMLProviderArn=arn)["Tags"] == [{"Key": "stage", "Value": "y"}]
    assert iam.get_account_summary()["SummaryMap"]["Providers"] >= 1
    iam.delete_saml_provider(SAMLProviderArn=arn)
    for call in (iam.get_saml_provider, iam.delete_saml_provider, iam.list_saml_provider_tags):
        assert "not found" in refused("NoSuchEntity", call, SAMLProviderArn=arn)
    assert arn not in [p["Arn"] for p in iam.list_saml_providers()["SAMLProviderList"]]


def test_metadata_is_read(iam, idp):
    weak = certificate("weak", rsa.generate_private_key(public_exponent=65537, key_size=1024))
    assert weak.public_key().key_size == 1024
    text, cert = idp.metadata(), idp.cert_text()
    pad = "<!--%s-->" % ("x" * 1000)
    bad = {"not XML": "x" * 1000, "another root": text.replace("EntityDescriptor", "EntitiesDescriptor"), "no entity": text.replace("entityID", "id"),
           "another namespace": text.replace("SAML:2.0:metadata", "SAML:3.0:metadata"), "no provider": text.replace("IDPSSODescriptor", "SPSSODescriptor"),
           "SAML 1": text.replace('"urn:oasis:names:tc:SAML:2.0:protocol"', '"urn:oasis:names:tc:SAML:1.1:protocol"'),
           "no certificate": idp.metadata([], extra=pad), "only for encryption": idp.metadata(use=' use="encryption"'), "no use that is known": idp.metadata(use=' use="x"'),
           "broken certificate": idp.metadata([cert.replace("MII", "AAA", 1)]), "a key for a certificate": idp.metadata(["TUlJ" + "A" * 800]),
           "no sign-on service": text.replace("md:SingleSignOnService", "md:SingleLogoutService"),
           "document type": text.replace("<md:Entity", '<!DOCTYPE a [<!ENTITY e "x">]><md:Entity', 1), "ended": idp.metadata(until=stamp(-10)),
           "no time": idp.metadata(until="soon"), "an instruction": text.replace("<md:IDP", "<?php x?><md:IDP", 1)}
    for why, document in bad.items():
        assert "Could not parse metadata" in refused("InvalidInput", iam.create_saml_provider, Name="bad", SAMLMetadataDocument=document), why
    many = [Idp(kind=ec.SECP256R1()).cert_text() for _ in range(11)]
    refused("LimitExceeded", iam.create_saml_provider, Name="bad", SAMLMetadataDocument=idp.metadata(many))
    refused("ValidationError", iam.create_saml_provider, Name="b/d", SAMLMetadataDocument=text)
    der = base64.b64encode(weak.public_bytes(serialization.Encoding.DER)).decode()
    good = iam.create_saml_provider(Name="good", SAMLMetadataDocument=idp.metadata(many[:9] + [der], use=""))["SAMLProviderArn"]
    iam.delete_saml_provider(SAMLProviderArn=good)


def test_encryption_is_refused_by_name(iam, idp):
    for kw in ({"AssertionEncryptionMode": "Required"}, {"AddPrivateKey": "x"}):
        assert next(iter(kw)) in refused("NotImplemented", iam.create_saml_provider, Name="enc", SAMLMetadataDocument=idp.metadata(), **kw)
    arn = idp.provider(iam, "enc")
    assert "RemovePrivateKey" in refused("NotImplemented", iam.update_saml_provider, SAMLProviderArn=arn, RemovePrivateKey="A" * 22)
    iam.delete_saml_provider(SAMLProviderArn=arn)


def test_provider_rights(cloud, iam, idp):
    mine, other = idp.provider(iam, "mine", Tags=[{"Key": "team", "Value": "me"}]), idp.provider(iam, "other")
    his = cloud.client("iam", key=cloud.user("saml-admin", {"Effect": "Allow", "Action": "iam:*", "Resource": mine},
                                             {"Effect": "Allow", "Action": "iam:GetSAMLProvider", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "me"}}}))
    his.get_saml_provider(SAMLProviderArn=mine)
    his.update_saml_provider(SAMLProviderArn=mine, SAMLMetadataDocument=idp.metadata())
    for op in (his.get_saml_provider, his.delete_saml_provider, his.list_saml_provider_tags):
        refused("AccessDenied", op, SAMLProviderArn=other)
    refused("AccessDenied", his.update_saml_provider, SAMLProviderArn=other, SAMLMetadataDocument=idp.metadata())
    refused("AccessDenied", his.create_saml_provider, Name="third", SAMLMetadataDocument=idp.metadata())
    refused("AccessDenied", his.list_saml_providers)


def test_stack(cloud, iam, idp):
    cf, other = cloud.client("cloudformation"), Idp()

    def template(name, metadata, team):
        provider = {"Name": name, "SamlMetadataDocument": metadata, "Tags": [{"Key": "team", "Value": team}]}
        return json.dumps({"Resources": {"P": {"Type": "AWS::IAM::SAMLProvider", "Properties": provider},
                                         "Q": {"Type": "AWS::IAM::SAMLProvider", "Properties": {"SamlMetadataDocument": idp.metadata()}}},
                           "Outputs": {"R": {"Value": {"Ref": "P"}}, "A": {"Value": {"Fn::GetAtt": ["P", "Arn"]}}, "U": {"Value": {"Fn::GetAtt": ["P", "SamlProviderUUID"]}},
                                       "Q": {"Value": {"Ref": "Q"}}}})

    def outputs():
        return {o["OutputKey"]: o["OutputValue"] for o in cf.describe_stacks(StackName="saml")["Stacks"][0]["Outputs"]}

    cf.create_stack(StackName="saml", TemplateBody=template("stacked", idp.metadata(), "x"))
    cf.get_waiter("stack_create_complete").wait(StackName="saml", WaiterConfig=WAIT)
    o = outputs()
    arn = "arn:aws:iam::%s:saml-provider/stacked" % cloud.account
    assert (o["R"], o["A"], o["U"]) == (arn, arn, iam.get_saml_provider(SAMLProviderArn=arn)["SAMLProviderUUID"])
    assert o["Q"].split("/")[1].startswith("saml-Q-")
    cf.update_stack(StackName="saml", TemplateBody=template("stacked", other.metadata(), "y"))
    cf.get_waiter("stack_update_complete").wait(StackName="saml", WaiterConfig=WAIT)
    g = iam.get_saml_provider(SAMLProviderArn=arn)
    assert (g["SAMLMetadataDocument"], g["Tags"], outputs()) == (other.metadata(), [{"Key": "team", "Value": "y"}], o)
    cf.update_stack(StackName="saml", TemplateBody=template("renamed", other.metadata(), "y"))
    cf.get_waiter("stack_update_complete").wait(StackName="saml", WaiterConfig=WAIT)
    assert outputs()["R"] == arn.replace("stacked", "renamed") and outputs()["U"] != o["U"]
    refused("NoSuchEntity", iam.get_saml_provider, SAMLProviderArn=arn)
    cf.delete_stack(StackName="saml")
    cf.get_waiter("stack_delete_complete").wait(StackName="saml", WaiterConfig=WAIT)
    assert not {p["Arn"] for p in iam.list_saml_providers()["SAMLProviderList"]} & {arn, o["Q"], arn.replace("stacked", "renamed")}
