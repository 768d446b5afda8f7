# SPDX-License-Identifier: Apache-2.0
"""SAML responses that must not become sessions: wrapped, unsigned, somebody else's, too old, not for us, or made to hurt the parser."""
import copy
import time

import pytest
from botocore.exceptions import ClientError
from lxml import etree

from idp import A, ATTRIBUTES, DS, EXC, NS, SIGN_IN, Idp, b64, encode, new_id, stamp


@pytest.fixture(scope="module")
def idp():
    return Idp()


@pytest.fixture(scope="module")
def provider(iam, idp):
    return idp.provider(iam, "target")


@pytest.fixture(scope="module")
def role(iam, idp, provider):
    return idp.role(iam, "saml-target", provider, actions=["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"])


@pytest.fixture(scope="module")
def send(cloud, role, provider):
    sts = cloud.client("sts", anonymous=True, parameter_validation=False)

    def call(response, role=role, provider=provider, raw=False):
        try:
            return sts.assume_role_with_saml(RoleArn=role, PrincipalArn=provider, SAMLAssertion=response if raw else encode(response))["Subject"]
        except ClientError as e:
            return e.response["Error"]["Code"]
    return call


@pytest.fixture
def good(idp, role, provider):
    return lambda **kw: idp.response([(role, provider)], **kw)


def part(doc):
    return doc.find("a:Assertion", NS)


def evil_copy(element, same_id):
    """A copy that names somebody else, without a signature."""
    e = copy.deepcopy(element)
    for s in e.findall(".//ds:Signature", NS):
        s.getparent().remove(s)
    e.find(".//a:NameID", NS).text = "mallory"
    if not same_id:
        for x in [e] + e.findall(".//*[@ID]"):
            x.set("ID", new_id())
    return e


def ds_object(content):
    o = etree.Element("{%s}Object" % DS)
    o.append(content)
    return o


def xsw1(doc, same):  # the signed response inside the signature of the evil one
    evil, original = evil_copy(doc, same), copy.deepcopy(doc)
    signature = original.find("ds:Signature", NS)
    original.remove(signature)
    signature.append(original)
    evil.insert(1, signature)
    return evil


def xsw2(doc, same):  # beside the signature
    evil, original = evil_copy(doc, same), copy.deepcopy(doc)
    signature = original.find("ds:Signature", NS)
    original.remove(signature)
    evil.insert(1, original)
    evil.insert(2, signature)
    return evil


def xsw3(doc, same):  # an assertion before the signed one
    doc.insert(list(doc).index(part(doc)), evil_copy(part(doc), same))
    return doc


def xsw4(doc, same):  # around the signed one
    original, evil = part(doc), evil_copy(part(doc), same)
    doc.replace(original, evil)
    evil.append(original)
    return doc


def xsw5(doc, same):  # the evil one has the signature, the signed one follows without
    original, evil = part(doc), evil_copy(part(doc), same)
    signature = original.find("ds:Signature", NS)
    original.remove(signature)
    evil.insert(1, signature)
    doc.replace(original, evil)
    doc.append(original)
    return doc


def xsw6(doc, same, wrapper=lambda e: e):  # the evil one has the signature, which has the signed one
    original, evil = part(doc), evil_copy(part(doc), same)
    doc.replace(original, evil)
    signature = original.find("ds:Signature", NS)
    original.remove(signature)
    signature.append(wrapper(original))
    evil.insert(1, signature)
    return doc


def xsw7(doc, same):  # in an extension before it
    extension = etree.Element("Extensions")
    extension.append(evil_copy(part(doc), same))
    doc.insert(list(doc).index(part(doc)), extension)
    return doc


def xsw8(doc, same):  # the same in an object of the signature
    return xsw6(doc, same, ds_object)


@pytest.mark.parametrize("same_id", [False, True], ids=["other id", "same id"])
@pytest.mark.parametrize("wrap", [xsw1, xsw2, xsw3, xsw4, xsw5, xsw6, xsw7, xsw8], ids=lambda f: f.__name__)
def test_wrapping(send, good, wrap, same_id):
    parts = "response" if wrap in (xsw1, xsw2) else "assertion"
    assert send(good(parts=parts)) == "alice"
    assert send(wrap(good(parts=parts), same_id)) == "InvalidIdentityToken"


def test_wrapping_where_both_are_signed(send, good, idp, role, provider):
    for wrap in (xsw3, xsw4, xsw5, xsw6, xsw7, xsw8):
        assert send(wrap(good(parts="both"), False)) == "InvalidIdentityToken"
    doc = good(parts="both")  # a good outer signature does not help a bad inner one, nor the other way round
    part(doc).find("ds:Signature/ds:SignatureValue", NS).text = b64(b"x" * 256)
    assert send(doc) == "InvalidIdentityToken"
    doc = good(parts="both")
    doc.find("p:Status", NS).set("x", "y")
    assert send(doc) == "InvalidIdentityToken"
    doc = idp.document([(role, provider)])
    Idp().sign(part(doc))
    assert send(idp.sign(doc)) == "InvalidIdentityToken"


def test_the_signed_assertion_of_somebody_else_in_a_foreign_response(send, good):
    """Only the assertion is believed, whatever stands around it."""
    doc = good()
    doc.find("a:Issuer", NS).text = "urn:mallory"
    doc.set("InResponseTo", "_x")
    assert send(doc) == "alice"


def change_subject(doc):
    doc.find(".//a:NameID", NS).text = "mallory"


def change_role(doc):
    doc.find(".//a:AttributeValue", NS).text += " "


def change_audience(doc):
    doc.find(".//a:Audience", NS).text = SIGN_IN


def change_time(doc):
    doc.find(".//a:Conditions", NS).set("NotOnOrAfter", stamp(86400))


def no_signature(doc):
    s = doc.find(".//ds:Signature", NS)
    s.getparent().remove(s)


def second_signature(doc):
    s = doc.find(".//ds:Signature", NS)
    s.addnext(copy.deepcopy(s))


def moved_signature(doc):
    s = doc.find(".//ds:Signature", NS)
    part(doc).find("a:Subject", NS).append(s)


@pytest.mark.parametrize("change", [change_subject, change_role, change_audience, change_time, no_signature, second_signature, moved_signature],
                         ids=lambda f: f.__name__)
@pytest.mark.parametrize("parts", ["assertion", "response"])
def test_changed(send, good, change, parts):
    doc = good(parts=parts)
    assert send(doc) == "alice"
    change(doc)
    assert send(doc) == "InvalidIdentityToken"


def resigned(idp, doc, change):
    """A signature of the right key, over a SignedInfo that is not SAML's."""
    signature = part(doc).find("ds:Signature", NS)
    change(signature.find("ds:SignedInfo", NS))
    idp.resign(signature)
    return doc


def test_unusual_signatures(send, good, idp):
    def no_uri(info):
        info.find("ds:Reference", NS).set("URI", "")

    def outside(info):
        info.find("ds:Reference", NS).set("URI", "http://127.0.0.1:9/x")

    def xpointer(info):
        info.find("ds:Reference", NS).set("URI", "#xpointer(id('x'))")

    def xpath(info):
        t = info.find(".//ds:Transform", NS)
        t.set("Algorithm", "http://www.w3.org/TR/1999/REC-xpath-19991116")
        etree.SubElement(t, "{%s}XPath" % DS).text = "false()"

    def xslt(info):
        info.find(".//ds:Transform", NS).set("Algorithm", "http://www.w3.org/TR/1999/REC-xslt-19991116")

    def another_transform(info):
        etree.SubElement(info.find(".//ds:Transforms", NS), "{%s}Transform" % DS, Algorithm=EXC)

    def no_transform(info):
        ref = info.find("ds:Reference", NS)
        ref.remove(ref.find("ds:Transforms", NS))

    def two_references(info):
        info.append(copy.deepcopy(info.find("ds:Reference", NS)))

    def hmac(info):
        info.find("ds:SignatureMethod", NS).set("Algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")

    def other_key(info):
        info.find("ds:SignatureMethod", NS).set("Algorithm", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256")

    def inclusive(info):
        info.find("ds:CanonicalizationMethod", NS).set("Algorithm", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315")

    def nothing(info):
        pass

    for change in (no_uri, outside, xpointer, xpath, xslt, another_transform, no_transform, two_references, hmac, other_key, inclusive):
        assert send(resigned(idp, good(), change)) == "InvalidIdentityToken", change.__name__
    assert send(resigned(idp, good(), nothing)) == "alice"
    assert send(good(digest="sha1")) == "InvalidIdentityToken"


def test_somebody_elses(send, iam, idp, role, provider):
    """Another provider of the same account, which says that it is the first one; its key comes along in KeyInfo."""
    mallory = Idp(idp.entity)
    assert send(mallory.response([(role, provider)])) == "InvalidIdentityToken"
    other = Idp("urn:other")
    theirs = other.provider(iam, "other")
    assert send(other.response([(role, theirs)]), provider=theirs) == "AccessDenied"  # good, but not for this role
    assert send(other.response([(role, provider)])) == "InvalidIdentityToken"
    own = Idp(idp.entity).metadata([idp.cert_text()]).replace(idp.entity, "urn:claims-other")
    claimed = iam.create_saml_provider(Name="claimed", SAMLMetadataDocument=own)["SAMLProviderArn"]
    assert send(idp.response([(role, claimed)]), provider=claimed) == "InvalidIdentityToken"  # the right key, another issuer
    only = iam.create_saml_provider(Name="encrypts", SAMLMetadataDocument=other.metadata().replace(
        "<md:KeyDescriptor", '<md:KeyDescriptor use="encryption"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo>'
        "</md:KeyDescriptor><md:KeyDescriptor" % idp.cert_text(), 1).replace("urn:other", idp.entity))["SAMLProviderArn"]
    assert send(idp.response([(role, only)]), provider=only) == "InvalidIdentityToken"  # a key for encryption does not sign


def test_roles_and_providers(cloud, send, iam, idp, role, provider):
    assert send(idp.response([(role + "x", provider)])) == "AccessDenied"
    assert send(idp.response([(role, provider + "x")])) == "AccessDenied"
    assert send(idp.response([])) == "AccessDenied"
    for value in (role, provider, "%s %s" % (role, provider), "%s,%s,x" % (role, provider), "x%s,%s" % (role, provider)):
        doc = idp.sign(part(idp.document([], attributes=[(ATTRIBUTES + "Role", [value])]))).getparent()
        assert send(doc) == "AccessDenied", value
    assert send(idp.response([(role, provider)]), provider=provider.replace("target", "nobody")) == "InvalidIdentityToken"
    assert send(idp.response([(role, provider)]), provider=provider.replace("target", "TARGET")) == "InvalidIdentityToken"
    foreign = provider.replace(cloud.account, "210987654321")
    assert send(idp.response([(role, foreign)]), provider=foreign) == "AccessDenied"
    assert send(idp.response([(role, provider)]), provider=role) == "ValidationError"
    assert send(idp.response([(role, provider)]), role=provider.replace(":iam:", ":s3:")) == "ValidationError"
    # whether a role exists is told to nobody whose response is not good
    gone = role + "-gone"
    assert send(Idp().response([(gone, provider)]), role=gone) == send(Idp().response([(role, provider)])) == "InvalidIdentityToken"
    assert send(idp.response([(gone, provider)]), role=gone) == "AccessDenied"


def until(ends, ask, before, after):
    """The answer is before up to that time, and after from then on; however slow the machine is."""
    while True:
        asked = time.time()
        got = ask()
        assert got in (before, after)
        if got == after:
            assert time.time() > ends - 1
            return
        assert asked < ends + 1
        time.sleep(0.1)


def test_times(send, good):
    assert send(good(start=-600, end=60)) == "alice"
    for kw in ({"end": -1}, {"issued": -301, "start": -600}, {"session": -1}):
        assert send(good(**kw)) == "ExpiredTokenException", kw
    for kw in ({"start": 600}, {"issued": 600, "end": 900}):
        assert send(good(**kw)) == "InvalidIdentityToken", kw
    short, ends = good(end=3), time.time() + 3
    until(ends, lambda: send(short), "alice", "ExpiredTokenException")
    doc = good()
    assert [send(doc) for _ in range(3)] == ["alice"] * 3  # as often as one likes, while it is good


def test_for_whom(send, good, idp, role, provider):
    for recipient in ("https://signin.aws.amazon.com/saml/", "http://signin.aws.amazon.com/saml", "https://evil.example/.signin.aws.amazon.com/saml",
                      "https://.signin.aws.amazon.com/saml", "https://a.b.signin.aws.amazon.com/saml", "https://signin.aws.amazon.com.evil.example/saml", "https://sp.example.test/acs"):
        assert send(good(recipient=recipient)) == "InvalidIdentityToken", recipient
    for audience in (None, "urn:amazon:webservices:else", "https://sp.example.test", ""):
        assert send(good(audience=audience)) == "InvalidIdentityToken", audience

    def changed(change):
        doc = idp.document([(role, provider)])
        change(part(doc))
        return send(idp.sign(part(doc)).getparent())

    def two_restrictions(a):  # of which one does not mean us
        a.find("a:Conditions", NS).append(etree.fromstring('<s:AudienceRestriction xmlns:s="%s"><s:Audience>urn:else</s:Audience></s:AudienceRestriction>' % A))

    def unknown_condition(a):
        a.find("a:Conditions", NS).append(etree.fromstring('<s:Condition xmlns:s="%s"/>' % A))

    def no_end(a):
        del a.find(".//a:SubjectConfirmationData", NS).attrib["NotOnOrAfter"]

    def holder_of_key(a):
        a.find(".//a:SubjectConfirmation", NS).set("Method", "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key")

    def two_confirmations(a):
        c = a.find(".//a:SubjectConfirmation", NS)
        c.addnext(copy.deepcopy(c))

    def two_subjects(a):
        s = a.find("a:Subject", NS)
        s.addnext(copy.deepcopy(s))

    def old_version(a):
        a.set("Version", "1.1")

    for change in (two_restrictions, unknown_condition, no_end, holder_of_key, two_confirmations, two_subjects, old_version):
        assert changed(change) == "InvalidIdentityToken", change.__name__
    assert changed(lambda a: None) == "alice"


def test_comments_do_not_cut_names(send, good):
    """The text of a name is all of it, wherever a comment or a section stands, before signing or after."""
    assert send(good(subject="admin@example.test<!-- -->.evil.example")) == "admin@example.test.evil.example"
    assert send(good(subject="<![CDATA[admin]]>@example.test")) == "admin@example.test"
    text = etree.tostring(good(subject="admin@example.test.evil.example")).decode()
    for inserted in ("<!---->", "<!-- x --><!-- y -->"):
        assert send(text.replace("example.test.evil", "example.test%s.evil" % inserted).encode()) == "admin@example.test.evil.example"
    for inserted in ("<?x y?>", "<x/>", "&#0;", "&x;"):
        assert send(text.replace("example.test.evil", "example.test%s.evil" % inserted).encode()) == "InvalidIdentityToken", inserted
    inner = etree.tostring(good(subject="admin<b>x</b>")).decode()
    assert send(inner.encode()) == "InvalidIdentityToken"
    prefixed = text.replace("saml:NameID", "x:NameID").replace("<x:NameID", '<x:NameID xmlns:x="%s"' % A)
    assert send(prefixed.encode()) == "InvalidIdentityToken"  # means the same, but is not what was signed
    commented = etree.tostring(good()).decode().replace(",arn:aws:iam", "<!-- -->,arn:aws:iam")
    assert send(commented.encode()) == "alice"


def test_hostile_documents(send, good, cloud):
    text = etree.tostring(good()).decode()
    laughs = "<!DOCTYPE a [<!ENTITY a0 'ha'>%s]>" % "".join("<!ENTITY a%d '%s'>" % (i + 1, ("&a%d;" % i) * 10) for i in range(9))
    outside = "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
    for prefix in (laughs, outside, "<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/x.dtd'>", "<!DOCTYPE samlp:Response [<!ATTLIST saml:Assertion ID ID #IMPLIED>]>"):
        for document in (prefix + text, prefix + text.replace("alice", "&x;"), prefix + text.replace("alice", "&a9;")):
            assert send(document.encode()) == "InvalidIdentityToken"
    for document in (b"", b"<", b"x", text.encode("utf-16")[:-1], b"\xff\xfe", text.encode() + b"<x/>", text[:-1].encode(), text.replace("samlp:Response", "Response").encode(),
                     b"<a>" * 20000, b"<a>" * 60 + b"</a>" * 60, ("<a %s/>" % " ".join('a%d=""' % i for i in range(5000))).encode(),
                     b'<a xmlns:x="urn:x"><x:b/><y:c/></a>'):
        assert send(document) in ("InvalidIdentityToken", "ValidationError"), document[:60]
    for raw in ("====", "a b c", "!!!!", "PA==" * 3, "\x00" * 8):
        assert send(raw, raw=True) in ("InvalidIdentityToken", "ValidationError"), raw
    assert send("A" * 100001, raw=True) == "ValidationError"
    # long names of namespaces, used again and again: what is to be digested has a limit
    doc = good()
    part(doc).append(etree.fromstring("<x>%s</x>" % ('<n:a xmlns:n="%s"/>' % ("u" * 60) * 500)))
    assert send(doc) == "InvalidIdentityToken"
    assert send(good()) == "alice"


def test_what_the_provider_itself_refuses(send, idp, role, provider):
    doc = idp.document([(role, provider)])
    doc.find("p:Status/p:StatusCode", NS).set("Value", "urn:oasis:names:tc:SAML:2.0:status:Requester")
    idp.sign(part(doc))
    assert send(doc) == "IDPRejectedClaim"
    doc = idp.document([(role, provider)])
    doc.replace(part(doc), etree.fromstring('<s:EncryptedAssertion xmlns:s="%s"/>' % A))
    assert send(idp.sign(doc)) == "NotImplemented"


def test_metadata_that_have_ended(iam, send, idp):
    ends = time.time() + 4
    arn = iam.create_saml_provider(Name="short", SAMLMetadataDocument=idp.metadata(until=stamp(4)))["SAMLProviderArn"]
    own = idp.role(iam, "saml-short", arn)
    until(ends, lambda: send(idp.response([(own, arn)]), role=own, provider=arn), "alice", "InvalidIdentityToken")


def test_attributes_cannot_be_smuggled(send, idp, role, provider):
    """Two session names, a value with elements in it, too many tags, tags of ours, keys that only differ in case."""
    def said(*attributes, **kw):
        return send(idp.response([(role, provider)], attributes=attributes, **kw))
    tag = ATTRIBUTES + "PrincipalTag:"
    assert said((ATTRIBUTES + "RoleSessionName", ["mallory"])) == "InvalidIdentityToken"
    assert said((ATTRIBUTES + "SourceIdentity", ["aa", "bb"])) == "InvalidIdentityToken"
    assert said(*((tag + "k%d" % i, ["v"]) for i in range(51))) == "IDPRejectedClaim"
    assert said((tag, ["v"])) == said((tag + "k", [])) == said((tag + "k" * 129, ["v"])) == said((tag + "k", ["v" * 257])) == "IDPRejectedClaim"
    assert said((tag + "aws:x", ["v"])) == "ValidationError"
    assert said((tag + "Team", ["a"]), (tag + "team", ["b"])) == "InvalidParameterValue"
    assert said(subject="x" * 1025) == "InvalidIdentityToken"
    doc = idp.document([(role, provider)], session_name=None, attributes=[(ATTRIBUTES + "RoleSessionName", ["x"])])
    value = doc.findall(".//a:AttributeValue", NS)[-1]
    value.text = None
    etree.SubElement(value, "b").text = "mallory"
    assert send(idp.sign(part(doc)).getparent()) == "InvalidIdentityToken"
