# SPDX-License-Identifier: Apache-2.0
"""A SAML identity provider for tests: metadata, assertions, and signatures made with lxml's canonicalization, which is not ours."""
import base64
import datetime
import hashlib
import json
import uuid

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from issuer import certificate
from lxml import etree

P, A, MD, DS = ("urn:oasis:names:tc:SAML:2.0:protocol", "urn:oasis:names:tc:SAML:2.0:assertion", "urn:oasis:names:tc:SAML:2.0:metadata",
                "http://www.w3.org/2000/09/xmldsig#")
NS = {"p": P, "a": A, "ds": DS, "md": MD}
SIGN_IN = "https://signin.aws.amazon.com/saml"
ATTRIBUTES = "https://aws.amazon.com/SAML/Attributes/"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
DIGESTS = {"sha1": DS + "sha1", "sha256": "http://www.w3.org/2001/04/xmlenc#sha256", "sha384": MORE + "sha384", "sha512": "http://www.w3.org/2001/04/xmlenc#sha512"}
HASHES = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


def c14n(element):
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def b64(data):
    return base64.b64encode(data).decode()


def stamp(seconds=0):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")[:-4] + "Z"


def new_id():
    return "_" + uuid.uuid4().hex


def encode(xml):
    return b64(xml if isinstance(xml, bytes) else etree.tostring(xml))


def escape(s):
    return s.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


class Idp:
    def __init__(self, entity="https://idp.example.test/saml", kind="RSA"):
        self.entity = entity
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048) if kind == "RSA" else ec.generate_private_key(kind)
        self.certificate = certificate("idp", self.key)

    def cert_text(self):
        return base64.encodebytes(self.certificate.public_bytes(serialization.Encoding.DER)).decode()

    def metadata(self, certs=None, use=' use="signing"', until="", extra=""):
        keys = "".join('<md:KeyDescriptor%s><ds:KeyInfo><ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>'
                       % (use, c) for c in (certs if certs is not None else [self.cert_text()]))
        return ('<?xml version="1.0" encoding="UTF-8"?>\n<!-- of a test -->\n<md:EntityDescriptor xmlns:md="%s" xmlns:ds="%s" entityID="%s"%s>%s'
                '<md:IDPSSODescriptor WantAuthnRequestsSigned="false" protocolSupportEnumeration="%s">%s'
                '<md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>'
                '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example.test/sso"/>'
                '</md:IDPSSODescriptor></md:EntityDescriptor>\n' % (MD, DS, escape(self.entity), ' validUntil="%s"' % until if until else "", extra, P, keys))

    def provider(self, iam, name, **kw):
        return iam.create_saml_provider(Name=name, SAMLMetadataDocument=self.metadata(), **kw)["SAMLProviderArn"]

    def role(self, iam, name, provider, actions="sts:AssumeRoleWithSAML", statements=(), **conditions):
        trust = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": actions}
        if conditions:
            trust["Condition"] = conditions
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
        return arn

    def document(self, roles, subject="alice", name_format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent", recipient=SIGN_IN,
                 audience="urn:amazon:webservices", issued=0, start=-60, end=240, session=None, attributes=(), session_name="alice@example.test", login=""):
        """An unsigned response. roles: (role, provider) pairs; attributes: (name, [values]) pairs; subject: XML text."""
        pairs = [(ATTRIBUTES + "Role", ["%s,%s" % p for p in roles])] + ([(ATTRIBUTES + "RoleSessionName", [session_name])] if session_name else []) + list(attributes)
        statements = "".join('<saml:Attribute Name="%s">%s</saml:Attribute>' % (escape(n), "".join(
            '<saml:AttributeValue xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">%s</saml:AttributeValue>'
            % escape(v) for v in vs)) for n, vs in pairs)
        session = ' SessionNotOnOrAfter="%s"' % stamp(session) if session is not None else ""
        restriction = "<saml:AudienceRestriction><saml:Audience>%s</saml:Audience></saml:AudienceRestriction>" % audience if audience else ""
        return etree.fromstring(
            '<samlp:Response xmlns:samlp="%s" ID="%s" Version="2.0" IssueInstant="%s" Destination="%s"><saml:Issuer xmlns:saml="%s">%s</saml:Issuer>'
            '<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>'
            '<saml:Assertion xmlns:saml="%s" ID="%s" Version="2.0" IssueInstant="%s"><saml:Issuer>%s</saml:Issuer>'
            '<saml:Subject><saml:NameID Format="%s">%s</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
            '<saml:SubjectConfirmationData NotOnOrAfter="%s" Recipient="%s"/></saml:SubjectConfirmation></saml:Subject>'
            '<saml:Conditions NotBefore="%s" NotOnOrAfter="%s">%s</saml:Conditions>'
            '<saml:AuthnStatement AuthnInstant="%s"%s><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password'
            '</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>%s</saml:AttributeStatement></saml:Assertion></samlp:Response>'
            % (P, new_id(), stamp(issued), SIGN_IN, A, escape(self.entity), A, new_id(), stamp(issued), escape(self.entity), name_format, subject,
               stamp(end), recipient, stamp(start), stamp(end), restriction, stamp(issued), session, statements))

    def value(self, data, digest):
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), HASHES[digest])
        r, s = utils.decode_dss_signature(self.key.sign(data, ec.ECDSA(HASHES[digest])))
        size = (self.key.curve.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def sign(self, element, digest="sha256", prefixes=None, reference=None):
        """Signs an element in place, as SAML wants it: behind its Issuer."""
        method = (DS if digest == "sha1" else MORE) + ("rsa-" if isinstance(self.key, rsa.RSAPrivateKey) else "ecdsa-") + digest
        inclusive = '<ec:InclusiveNamespaces xmlns:ec="%s" PrefixList="%s"/>' % (EXC, prefixes) if prefixes else ""
        digested = element
        if prefixes:
            digested = etree.tostring(element, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=prefixes.split())
        value = hashlib.new(digest, digested if prefixes else c14n(element)).digest()
        signature = etree.fromstring(
            '<ds:Signature xmlns:ds="%s"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="%s"/><ds:SignatureMethod Algorithm="%s"/>'
            '<ds:Reference URI="%s"><ds:Transforms><ds:Transform Algorithm="%senveloped-signature"/><ds:Transform Algorithm="%s">%s</ds:Transform></ds:Transforms>'
            '<ds:DigestMethod Algorithm="%s"/><ds:DigestValue>%s</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue/>'
            '<ds:KeyInfo><ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>'
            % (DS, EXC, method, reference if reference is not None else "#" + element.get("ID"), DS, EXC, inclusive, DIGESTS[digest], b64(value), self.cert_text()))
        element.insert(1, signature)
        self.resign(signature, digest)
        return element

    def resign(self, signature, digest="sha256"):
        signature.find("ds:SignatureValue", NS).text = base64.encodebytes(self.value(c14n(signature.find("ds:SignedInfo", NS)), digest)).decode()

    def response(self, roles, parts="assertion", digest="sha256", prefixes=None, **kw):
        """A signed response: parts "assertion", "response" or "both"."""
        doc = self.document(roles, **kw)
        if parts in ("assertion", "both"):
            self.sign(doc.find("a:Assertion", NS), digest, prefixes)
        if parts in ("response", "both"):
            self.sign(doc, digest, prefixes)
        return doc
