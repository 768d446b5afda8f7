# SPDX-License-Identifier: Apache-2.0
"""SAML providers, and roles for whose users they vouch."""
import base64
import hashlib
import json
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree

from idp import ATTRIBUTES, DS, NS, SIGN_IN, Idp, encode, stamp
from issuer import certificate

from refusals import refused

WAIT = {"Delay": 1, "MaxAttempts": 60}


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


# --- sts:AssumeRoleWithSAML ---


@pytest.fixture(scope="module")
def sts(cloud):
    return cloud.client("sts", anonymous=True)


@pytest.fixture(scope="module")
def provider(iam, idp):
    return idp.provider(iam, "corp")


def assume(sts, role, provider, response, **kw):
    return sts.assume_role_with_saml(RoleArn=role, PrincipalArn=provider, SAMLAssertion=encode(response), **kw)


def test_a_response_is_enough(cloud, iam, sts, idp, provider):
    role = idp.role(iam, "sso", provider, statements=[{"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}], StringEquals={"SAML:aud": SIGN_IN})
    r = assume(sts, role, provider, idp.response([("arn:aws:iam::%s:role/else" % cloud.account, provider), (role, provider)]))
    qualifier = base64.b64encode(hashlib.sha1((idp.entity + cloud.account + "/corp").encode()).digest()).decode()
    assert (r["Subject"], r["SubjectType"], r["Issuer"], r["Audience"], r["NameQualifier"]) == ("alice", "persistent", idp.entity, SIGN_IN, qualifier)
    assert r["AssumedRoleUser"]["Arn"] == "arn:aws:sts::%s:assumed-role/sso/alice@example.test" % cloud.account
    c = r["Credentials"]
    assert 3500 < c["Expiration"].timestamp() - time.time() < 3610
    assert cloud.client("sts", key=c).get_caller_identity()["Arn"] == r["AssumedRoleUser"]["Arn"]
    cloud.client("iam", key=c).list_users()
    refused("AccessDenied", cloud.client("iam", key=c).list_roles)
    e = next(json.loads(e["CloudTrailEvent"]) for e in cloud.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "AssumeRoleWithSAML"}])["Events"])
    assert e["userIdentity"] == {"type": "SAMLUser", "principalId": qualifier + ":alice", "userName": "alice", "identityProvider": qualifier}
    assert role in e["requestParameters"].values() and idp.cert_text()[:40] not in json.dumps(e)


@pytest.mark.parametrize("parts", ["assertion", "response", "both"])
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_signatures(iam, sts, idp, provider, parts, digest):
    role = idp.role(iam, "sig-%s-%s" % (parts, digest), provider)
    assert assume(sts, role, provider, idp.response([(role, provider)], parts, digest))["Subject"] == "alice"
    assert assume(sts, role, provider, idp.response([(role, provider)], parts, digest, prefixes="xs"))["Subject"] == "alice"


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda c: c.name)
def test_elliptic_curves(iam, sts, curve):
    idp = Idp("urn:ec:" + curve.name, curve)
    provider = idp.provider(iam, curve.name)
    role = idp.role(iam, curve.name, provider)
    assert assume(sts, role, provider, idp.response([(role, provider)], digest="sha512"))["Issuer"] == "urn:ec:" + curve.name


def test_signed_by_a_library(iam, sts, idp, provider):
    """signxml, as programs use it."""
    import signxml
    role = idp.role(iam, "library", provider)
    doc = idp.document([(role, provider)], subject="J&#252;rgen &amp; &lt;Co&gt;")
    assertion = doc.find("a:Assertion", NS)
    assertion.insert(1, etree.fromstring('<ds:Signature xmlns:ds="%s" Id="placeholder"/>' % DS))
    signer = signxml.XMLSigner(c14n_algorithm=signxml.CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    signed = signer.sign(assertion, key=idp.key, cert=[idp.certificate], reference_uri=assertion.get("ID"))
    doc.replace(assertion, signed)
    assert assume(sts, role, provider, doc)["Subject"] == "J\u00fcrgen & <Co>"


def test_what_documents_look_like(iam, sts, idp, provider):
    """Pretty-printed, with comments, with blanks around URIs, other prefixes, line ends in the base64 text."""
    role = idp.role(iam, "looks", provider)
    doc = idp.document([(" " + role, "\n" + provider + " ")])
    doc.find("a:Assertion/a:Issuer", NS).text = "\n  %s\n" % idp.entity
    etree.indent(doc)
    idp.sign(doc.find("a:Assertion", NS))
    doc.find("a:Assertion", NS).insert(3, etree.Comment("not signed, and not read"))
    text = '<?xml version="1.0"?>\n<!-- x -->' + etree.tostring(doc).decode() + "\n"
    lines = base64.encodebytes(text.encode()).decode()
    assert sts.assume_role_with_saml(RoleArn=role, PrincipalArn=provider, SAMLAssertion=lines)["Subject"] == "alice"
    other = etree.tostring(idp.document([(role, provider)])).decode().replace("saml:", "").replace("xmlns:saml=", "xmlns=")
    doc = etree.fromstring(other)
    assert doc.find("a:Assertion", NS).prefix is None
    assert assume(sts, role, provider, idp.sign(doc))["Subject"] == "alice"


def test_subject_types(iam, sts, idp, provider):
    role = idp.role(iam, "types", provider)
    email = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
    for given, shown in (("urn:oasis:names:tc:SAML:2.0:nameid-format:transient", "transient"), (email, email)):
        assert assume(sts, role, provider, idp.response([(role, provider)], name_format=given))["SubjectType"] == shown


def test_where_it_was_presented(iam, sts, idp, provider):
    regional = "https://eu-west-1.signin.aws.amazon.com/saml"
    role = idp.role(iam, "where", provider, StringEquals={"saml:aud": regional})
    assert assume(sts, role, provider, idp.response([(role, provider)], recipient=regional, audience=SIGN_IN))["Audience"] == regional
    refused("AccessDenied", assume, sts=sts, role=role, provider=provider, response=idp.response([(role, provider)]))


def test_conditions_decide(cloud, iam, sts, idp, provider):
    oid = "urn:oid:1.3.6.1.4.1.5923.1.1.1.1"
    role = idp.role(iam, "cond", provider, **{
        "StringEquals": {"saml:iss": idp.entity, "saml:sub": "alice", "saml:sub_type": "persistent", "saml:doc": cloud.account + "/corp", "sts:RoleSessionName": "alice@example.test",
                         "saml:mail": "a@example.test"}, "ForAnyValue:StringEquals": {"saml:edupersonaffiliation": ["staff"]}})
    good = [(oid, ["member", "staff"]), ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", ["a@example.test"])]
    assume(sts, role, provider, idp.response([(role, provider)], attributes=good))
    for change in ({"attributes": [(oid, ["student"]), good[1]]}, {"attributes": good[1:]}, {"attributes": good, "subject": "bob"}, {"attributes": good, "session_name": "other"}):
        assert refused("AccessDenied", assume, sts=sts, role=role, provider=provider, response=idp.response([(role, provider)], **change)) == \
            "Not authorized to perform sts:AssumeRoleWithSAML"


def test_who_is_let_in_is_the_role_s_to_say(iam, sts, idp, provider):
    second = idp.provider(iam, "second")
    role = idp.role(iam, "only-corp", provider)
    refused("AccessDenied", assume, sts=sts, role=role, provider=second, response=idp.response([(role, second)]))
    for name, actions in (("web", "sts:AssumeRoleWithWebIdentity"), ("plain", "sts:AssumeRole")):
        other = idp.role(iam, name, provider, actions=actions)
        refused("AccessDenied", assume, sts=sts, role=other, provider=provider, response=idp.response([(other, provider)]))
    everyone = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRoleWithSAML"}]}
    arn = iam.create_role(RoleName="saml-everyone", AssumeRolePolicyDocument=json.dumps(everyone))["Role"]["Arn"]
    refused("AccessDenied", assume, sts=sts, role=arn, provider=provider, response=idp.response([(arn, provider)]))  # "*" are AWS's principals


def test_keys_go_with_the_session(cloud, iam, sts, idp, provider):
    home = "arn:aws:s3:::saml-homes/${saml:namequalifier}/${saml:sub}/*"
    role = idp.role(iam, "homes", provider, statements=[{"Effect": "Allow", "Action": "s3:PutObject", "Resource": home, "Condition": {"StringEquals": {"saml:sub_type": "persistent"}}}])
    cloud.client("s3").create_bucket(Bucket="saml-homes")
    r = assume(sts, role, provider, idp.response([(role, provider)]))
    s3 = cloud.client("s3", key=r["Credentials"])
    s3.put_object(Bucket="saml-homes", Key="%s/alice/x" % r["NameQualifier"], Body=b"1")
    refused("AccessDenied", s3.put_object, Bucket="saml-homes", Key="%s/bob/x" % r["NameQualifier"], Body=b"1")
    transient = idp.response([(role, provider)], name_format="urn:oasis:names:tc:SAML:2.0:nameid-format:transient")
    s3 = cloud.client("s3", key=assume(sts, role, provider, transient)["Credentials"])
    refused("AccessDenied", s3.put_object, Bucket="saml-homes", Key="%s/alice/x" % r["NameQualifier"], Body=b"1")


def test_how_long(iam, sts, idp, provider):
    role = idp.role(iam, "long", provider)

    def lasts(sent=None, **kw):
        kw = {"response": idp.response([(role, provider)], **kw)}
        if sent:
            kw["DurationSeconds"] = sent
        return assume(sts, role, provider, **kw)["Credentials"]["Expiration"].timestamp() - time.time()

    duration = [(ATTRIBUTES + "SessionDuration", ["1800"])]
    assert 3500 < lasts(attributes=[(ATTRIBUTES + "SessionDuration", ["7200"])]) < 3610
    assert 1700 < lasts(attributes=duration) < 1810 and 800 < lasts(900, attributes=duration) < 910
    assert 1000 < lasts(session=1200) < 1210
    refused("ValidationError", assume, sts=sts, role=role, provider=provider, response=idp.response([(role, provider)]), DurationSeconds=7200)
    bad = idp.response([(role, provider)], attributes=[(ATTRIBUTES + "SessionDuration", ["10"])])
    refused("InvalidIdentityToken", assume, sts=sts, role=role, provider=provider, response=bad)


def test_tags_and_source_identity(cloud, iam, sts, idp, provider):
    said = [(ATTRIBUTES + "PrincipalTag:team", ["blue"]), (ATTRIBUTES + "PrincipalTag:cost", ["1"]), (ATTRIBUTES + "TransitiveTagKeys", ["team"]),
            (ATTRIBUTES + "SourceIdentity", ["alice.a"])]
    all3 = ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"]
    may = {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalTag/team": "blue", "aws:SourceIdentity": "alice.a"}}}
    role = idp.role(iam, "saml-tagged", provider, actions=all3, statements=[may], StringEquals={"SAML:aud": SIGN_IN, "aws:RequestTag/cost": "1"})
    r = assume(sts, role, provider, idp.response([(role, provider)], attributes=said))
    assert r["SourceIdentity"] == "alice.a" and r["PackedPolicySize"] > 0
    cloud.client("iam", key=r["Credentials"]).list_users()
    for name, actions in (("a", all3[:1]), ("b", all3[:2]), ("c", [all3[0], all3[2]])):
        less = idp.role(iam, "saml-less-" + name, provider, actions=actions)
        refused("AccessDenied", assume, sts=sts, role=less, provider=provider, response=idp.response([(less, provider)], attributes=said))
    refused("AccessDenied", assume, sts=sts, role=role, provider=provider, response=idp.response([(role, provider)], attributes=said[:1]))  # without the tag it asks for
    two = [(ATTRIBUTES + "PrincipalTag:team", ["blue", "red"])]
    refused("IDPRejectedClaim", assume, sts=sts, role=role, provider=provider, response=idp.response([(role, provider)], attributes=two))
    missing = [(ATTRIBUTES + "TransitiveTagKeys", ["team"])]
    open_role = idp.role(iam, "saml-open", provider, actions=all3)
    refused("InvalidParameterValue", assume, sts=sts, role=open_role, provider=provider, response=idp.response([(open_role, provider)], attributes=missing))


def test_session_is_bounded(cloud, iam, sts, idp, provider):
    role = idp.role(iam, "saml-bounds", provider, statements=[{"Effect": "Allow", "Action": "*", "Resource": "*"}])
    only = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}]})
    c = assume(sts, role, provider, idp.response([(role, provider)]), Policy=only)["Credentials"]
    cloud.client("iam", key=c).list_users()
    refused("AccessDenied", cloud.client("iam", key=c).list_roles)


def test_names_are_checked(iam, sts, idp, provider):
    role = idp.role(iam, "names", provider)
    for change, sentence in (({"session_name": None}, "RoleSessionName is required in AuthnResponse"),
                             ({"session_name": "John Doe"}, "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"),
                             ({"attributes": [(ATTRIBUTES + "SourceIdentity", ["aws:x"])]}, 'Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"')):
        assert refused("InvalidIdentityToken", assume, sts=sts, role=role, provider=provider, response=idp.response([(role, provider)], **change)) == sentence


def test_keys_change_with_the_metadata(iam, sts):
    old, new = Idp("urn:rotating"), Idp("urn:rotating")
    provider = old.provider(iam, "rotating")
    role = old.role(iam, "rotating", provider)
    assume(sts, role, provider, old.response([(role, provider)]))
    iam.update_saml_provider(SAMLProviderArn=provider, SAMLMetadataDocument=old.metadata([old.cert_text(), new.cert_text()]))
    for i in (old, new):
        assume(sts, role, provider, i.response([(role, provider)]))
    iam.update_saml_provider(SAMLProviderArn=provider, SAMLMetadataDocument=new.metadata())
    assume(sts, role, provider, new.response([(role, provider)]))
    assert refused("InvalidIdentityToken", assume, sts=sts, role=role, provider=provider, response=old.response([(role, provider)])) == "Response signature invalid"
    iam.delete_saml_provider(SAMLProviderArn=provider)
    assert refused("InvalidIdentityToken", assume, sts=sts, role=role, provider=provider, response=new.response([(role, provider)])) == "Specified provider doesn't exist"


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
