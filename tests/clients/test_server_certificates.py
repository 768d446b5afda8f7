# SPDX-License-Identifier: Apache-2.0
"""Server certificates: taken with the key that is theirs, given out without it."""
import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from issuer import certificate, pem

from refusals import refused

WAIT = {"Delay": 1, "MaxAttempts": 60}


def text(cert):
    return cert.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="module")
def pair():
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = certificate("A CA", ca_key, ca=True)
    leaf = certificate("site", key, ca, ca_key, hosts=["site.example.test"])
    return {"CertificateBody": text(leaf), "PrivateKey": pem(key).decode(), "CertificateChain": text(ca)}, leaf, key


def test_certificate_life(cloud, pair):
    iam, (parts, leaf, _) = cloud.client("iam"), pair
    r = iam.upload_server_certificate(ServerCertificateName="site", Path="/web/", Tags=[{"Key": "a", "Value": "b"}], **parts)
    m = r["ServerCertificateMetadata"]
    assert m["Arn"] == "arn:aws:iam::%s:server-certificate/web/site" % cloud.account and m["ServerCertificateId"].startswith("ASCA")
    assert m["Expiration"] == leaf.not_valid_after_utc and r["Tags"] == [{"Key": "a", "Value": "b"}]
    refused("EntityAlreadyExists", iam.upload_server_certificate, ServerCertificateName="SITE", **parts)
    g = iam.get_server_certificate(ServerCertificateName="site")["ServerCertificate"]
    assert (g["CertificateBody"].strip(), g["CertificateChain"].strip()) == (parts["CertificateBody"].strip(), parts["CertificateChain"].strip())
    assert "PRIVATE" not in json.dumps(g, default=str)
    assert [c["ServerCertificateName"] for c in iam.list_server_certificates(PathPrefix="/web/")["ServerCertificateMetadataList"]] == ["site"]
    assert iam.list_server_certificates(PathPrefix="/other/")["ServerCertificateMetadataList"] == []
    iam.update_server_certificate(ServerCertificateName="site", NewServerCertificateName="site2", NewPath="/")
    refused("NoSuchEntity", iam.get_server_certificate, ServerCertificateName="site")
    assert iam.list_server_certificate_tags(ServerCertificateName="site2")["Tags"] == [{"Key": "a", "Value": "b"}]
    assert iam.get_account_summary()["SummaryMap"]["ServerCertificates"] == 1
    other = cloud.client("iam", key=cloud.user("certs", {"Effect": "Allow", "Action": "iam:*", "Resource": "arn:aws:iam::*:server-certificate/web/*"}))
    refused("AccessDenied", other.get_server_certificate, ServerCertificateName="site2")
    iam.delete_server_certificate(ServerCertificateName="site2")
    refused("NoSuchEntity", iam.delete_server_certificate, ServerCertificateName="site2")


def test_what_is_refused(cloud, pair):
    iam, (parts, _, key) = cloud.client("iam"), pair
    other = pem(ec.generate_private_key(ec.SECP256R1())).decode()
    sealed = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")).decode()
    broken = parts["CertificateChain"].replace("MII", "AAA", 1)
    for change, code in (({"PrivateKey": other}, "KeyPairMismatch"), ({"PrivateKey": sealed}, "MalformedCertificate"), ({"CertificateBody": "x"}, "MalformedCertificate"),
                         ({"CertificateBody": parts["PrivateKey"]}, "MalformedCertificate"), ({"CertificateChain": broken}, "MalformedCertificate"),
                         ({"CertificateChain": parts["CertificateChain"] + broken}, "MalformedCertificate")):
        refused(code, iam.upload_server_certificate, ServerCertificateName="no", **{**parts, **change})
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []


def der(tag, *parts):
    body = b"".join(parts)
    n = bytes([len(body)]) if len(body) < 128 else b"\x81" + bytes([len(body)])
    return bytes([tag]) + n + body


def sealed_key(rounds):
    """A private key under a passphrase, which says itself how often the passphrase is to be hashed (PBES2, RFC 8018)."""
    pbes2, pbkdf2, sha256, aes = (bytes.fromhex(x) for x in ("2a864886f70d01050d", "2a864886f70d01050c", "2a864886f70d0209", "60864801650304012a"))
    kdf = der(0x30, der(6, pbkdf2), der(0x30, der(4, b"saltsalt"), der(2, rounds.to_bytes(4, "big")), der(0x30, der(6, sha256), der(5))))
    info = der(0x30, der(0x30, der(6, pbes2), der(0x30, kdf, der(0x30, der(6, aes), der(4, b"i" * 16)))), der(4, b"c" * 64))
    return "-----BEGIN ENCRYPTED PRIVATE KEY-----\n%s-----END ENCRYPTED PRIVATE KEY-----\n" % base64.encodebytes(info).decode()


def test_a_sealed_key_is_not_tried(own_cloud, pair):
    """Two thousand million rounds would keep IAM's one writer for half an hour."""
    iam, parts = own_cloud.client("iam", read_timeout=20), pair[0]
    refused("MalformedCertificate", iam.upload_server_certificate, ServerCertificateName="x", **dict(parts, PrivateKey=sealed_key(0x7fffffff)))
    iam.create_user(UserName="next")


def test_the_key_is_sealed(own_cloud, pair):
    own_cloud.client("iam").upload_server_certificate(ServerCertificateName="site", **pair[0])
    e = own_cloud.client("cloudtrail").lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "UploadServerCertificate"}])["Events"]
    assert "PRIVATE" not in json.dumps(e, default=str)
    own_cloud.stop()
    middle = pair[0]["PrivateKey"].splitlines()[2][:40].encode()
    for f in own_cloud.data.rglob("*"):
        assert not f.is_file() or middle not in f.read_bytes(), f


def test_in_a_stack(cloud, pair):
    cf, iam = cloud.client("cloudformation"), cloud.client("iam")

    def body(path):
        return json.dumps({"Resources": {"C": {"Type": "AWS::IAM::ServerCertificate", "Properties": {"Path": path, **pair[0]}}},
                           "Outputs": {"N": {"Value": {"Ref": "C"}}, "A": {"Value": {"Fn::GetAtt": ["C", "Arn"]}}}})

    for what, path in (("create", "/one/"), ("update", "/two/")):
        getattr(cf, what + "_stack")(StackName="cert", TemplateBody=body(path), Capabilities=["CAPABILITY_IAM"])
        cf.get_waiter("stack_%s_complete" % what).wait(StackName="cert", WaiterConfig=WAIT)
        out = {o["OutputKey"]: o["OutputValue"] for o in cf.describe_stacks(StackName="cert")["Stacks"][0]["Outputs"]}
        assert out["N"].startswith("cert-C-") and out["A"] == "arn:aws:iam::%s:server-certificate%s%s" % (cloud.account, path, out["N"])
    cf.delete_stack(StackName="cert")
    cf.get_waiter("stack_delete_complete").wait(StackName="cert", WaiterConfig=WAIT)
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []
