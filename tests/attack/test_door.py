# SPDX-License-Identifier: Apache-2.0
"""Attacks on the one door: who comes in without a right signature, with an old one, with another's, or with nonsense."""
import datetime
import http.client
import json
import os
import signal
import socket
import ssl
import threading

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest


def request(cloud, body, headers, path="/", method="POST", tls=True):
    if tls:
        c = http.client.HTTPSConnection("localhost", cloud.port, context=ssl.create_default_context(cafile=cloud.ca), timeout=20)
    else:
        c = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=20)
    c.request(method, path, body, headers)
    r = c.getresponse()
    out = r.status, r.read().decode(), dict(r.getheaders())
    c.close()
    return out


def signed(cloud, service="kms", region="us-east-1", body=b"{}", target="TrentService.ListKeys", key=None, secret=None, token=None, when=None, path="/",
           ctype="application/x-amz-json-1.1"):
    url = "https://localhost:%d%s" % (cloud.port, path)
    req = botocore.awsrequest.AWSRequest("POST", url, data=body, headers={"Content-Type": ctype})
    if target:
        req.headers["X-Amz-Target"] = target
    creds = botocore.credentials.Credentials(key or cloud.key, secret or cloud.secret, token)
    auth = botocore.auth.SigV4Auth(creds, service, region)
    if when:
        real = botocore.auth.get_current_datetime if hasattr(botocore.auth, "get_current_datetime") else None
        if real:
            botocore.auth.get_current_datetime = lambda *a, **k: when.replace(tzinfo=None)
        try:
            auth.add_auth(req)
        finally:
            if real:
                botocore.auth.get_current_datetime = real
    else:
        auth.add_auth(req)
    h = dict(req.headers.items())
    h.setdefault("Host", "localhost:%d" % cloud.port)
    return h


def test_a_right_signature_is_let_in(cloud):
    assert request(cloud, b"{}", signed(cloud))[0] == 200


def test_no_signature(cloud):
    s, b, _ = request(cloud, b"{}", {"X-Amz-Target": "TrentService.ListKeys", "Content-Type": "application/x-amz-json-1.1"})
    assert s == 400 and "MissingAuthenticationToken" in b
    s, b, _ = request(cloud, b"Action=GetCallerIdentity&Version=2011-06-15", {"Content-Type": "application/x-www-form-urlencoded"})
    assert s == 403 and "MissingAuthenticationToken" in b


@pytest.mark.parametrize("header,value", [("X-Amz-Target", "TrentService.CreateKey"), ("Host", "127.0.0.1:1"), ("X-Amz-Date", "20260101T000000Z"),
                                          ("X-Amz-Security-Token", "x")])
def test_every_signed_part_is_bound(cloud, header, value):
    h = signed(cloud)
    h[header] = value
    s, b, _ = request(cloud, b"{}", h)
    assert s in (400, 403) and "KeyId" not in b


def test_the_body_is_bound(cloud):
    s, b, _ = request(cloud, b'{"Limit":1}', signed(cloud))
    assert s == 400 and "InvalidSignatureException" in b


def test_a_signature_for_another_service_region_or_day(cloud):
    for kw in ({"service": "sts"}, {"region": "us-west-2"}):
        h = signed(cloud, **kw)
        h["Authorization"] = h["Authorization"].replace("/sts/", "/kms/").replace("/us-west-2/", "/us-east-1/")
        s, b, _ = request(cloud, b"{}", h)
        assert s == 400 and "InvalidSignatureException" in b


def test_global_services_take_signatures_for_regions_of_this_cloud_only(cloud):
    body = b"Action=ListUsers&Version=2010-05-08"

    def ask(region, **kw):
        return request(cloud, body, signed(cloud, "iam", region, body, None, ctype="application/x-www-form-urlencoded", **kw))
    for region in ("us-east-1", "us-west-2", "eu-west-1"):
        assert ask(region)[0] == 200, region
        s, b, _ = ask(region, secret="x" * 40)
        assert s == 403 and "SignatureDoesNotMatch" in b
    for region in ("eu-south-1", "nowhere"):
        s, b, _ = ask(region)
        assert s == 403 and "SignatureDoesNotMatch" in b and "scoped to a valid region" in b
    h = signed(cloud, "iam", "us-west-2", body, None, ctype="application/x-www-form-urlencoded")
    h["Authorization"] = h["Authorization"].replace("/us-west-2/", "/us-east-1/")
    assert request(cloud, body, h)[0] == 403


def test_bit_flips_in_the_signature(cloud):
    h = signed(cloud)
    good = h["Authorization"]
    for i in (-1, -17, -64):
        c = good[i]
        h["Authorization"] = good[:i] + ("0" if c != "0" else "1") + (good[i + 1:] if i != -1 else "")
        assert request(cloud, b"{}", h)[0] == 400


def test_old_and_future_signatures(cloud):
    if not hasattr(botocore.auth, "get_current_datetime"):
        pytest.skip("this botocore has no clock to set")
    now = datetime.datetime.now(datetime.timezone.utc)
    assert request(cloud, b"{}", signed(cloud, when=now - datetime.timedelta(minutes=10)))[0] == 200
    for d in (-20, 20, -60 * 24):
        s, b, _ = request(cloud, b"{}", signed(cloud, when=now + datetime.timedelta(minutes=d)))
        assert s == 400 and "InvalidSignatureException" in b, (d, b)


def test_unknown_and_wrong_keys_look_alike_from_outside(cloud):
    s, b, _ = request(cloud, b"{}", signed(cloud, key="AKIA" + "X" * 16))
    assert s == 400 and "UnrecognizedClientException" in b
    s, b, _ = request(cloud, b"{}", signed(cloud, secret="x" * 40))
    assert s == 400 and "InvalidSignatureException" in b
    assert cloud.secret not in b


def test_well_known_default_credentials_open_nothing(cloud):
    """No magic key: what other emulators accept is refused."""
    for key, secret in (("test", "test"), ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), ("mock", "mock"), ("000000000000", "x"), ("LSIAQAAAAAAVNCBMPNSG", "test")):
        assert request(cloud, b"{}", signed(cloud, key=key, secret=secret))[0] in (400, 403)


def test_operations_nobody_built_or_knows(cloud):
    s, b, _ = request(cloud, b"{}", signed(cloud, target="TrentService.ConnectCustomKeyStore"))
    assert s == 501 and "ConnectCustomKeyStore" in b
    s, b, _ = request(cloud, b"{}", signed(cloud, target="TrentService.NoSuchThing"))
    assert s == 400 and "UnknownOperationException" in b
    s, b, _ = request(cloud, b"Action=Nope&Version=2011-06-15", signed(cloud, service="sts", target=None, body=b"Action=Nope&Version=2011-06-15",
                                                                      ctype="application/x-www-form-urlencoded"))
    assert s == 400 and "InvalidAction" in b


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"Limit":"x"}', b'{"Limit":99999999999999999999}', b"{" * 5000, b"\xff\xfe", b'{"a":' * 300 + b"1" + b"}" * 300,
                                  b'{"KeyId":"' + b"A" * 100000 + b'"}'])
def test_malformed_json_is_refused_and_changes_nothing(cloud, body):
    s, b, _ = request(cloud, body, signed(cloud, body=body, target="TrentService.ListKeys"))
    assert s in (200, 400), b
    s, b, _ = request(cloud, body, signed(cloud, body=body, target="TrentService.DescribeKey"))
    assert s == 400, b


def test_oversize_bodies_are_refused(cloud):
    body = b"{" + b" " * (9 << 20) + b"}"
    try:
        s, _, _ = request(cloud, body, signed(cloud, body=body))
        assert s == 413
    except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
        pass  # the connection was closed while the body was still being sent
    assert request(cloud, b"{}", signed(cloud))[0] == 200


def test_a_stopped_region_name_and_a_wrong_one(cloud):
    s, b, _ = request(cloud, b"{}", signed(cloud, region="ap-south-1"))
    assert s == 403 and "ap-south-1" in b
    s, b, _ = request(cloud, b"{}", signed(cloud, region="nowhere"))
    assert s in (400, 403)


def test_clients_that_leave_do_no_harm(cloud):
    ctx = ssl.create_default_context(cafile=cloud.ca)
    h = signed(cloud)
    head = "POST / HTTP/1.1\r\n" + "".join("%s: %s\r\n" % kv for kv in h.items()) + "Content-Length: 1000\r\n\r\n{"

    def leave():
        s = ctx.wrap_socket(socket.create_connection(("127.0.0.1", cloud.port), 10), server_hostname="localhost")
        s.sendall(head.encode())
        s.close()

    threads = [threading.Thread(target=leave) for _ in range(50)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert request(cloud, b"{}", signed(cloud))[0] == 200


def test_kill_9_loses_nothing_acknowledged(own_cloud):
    kms = own_cloud.client("kms")
    ids = [kms.create_key(Description="k%d" % i)["KeyMetadata"]["KeyId"] for i in range(20)]
    blob = kms.encrypt(KeyId=ids[0], Plaintext=b"kept")["CiphertextBlob"]
    own_cloud.kill()
    own_cloud.start()
    kms = own_cloud.client("kms")
    assert {k["KeyId"] for p in kms.get_paginator("list_keys").paginate() for k in p["Keys"]} == set(ids)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
    names = b"".join(f.read_bytes() for f in (own_cloud.data / "regions" / "us-east-1").rglob("*.jsonl")).count(b'"eventName":"CreateKey"')
    assert names == 20


def test_files_of_the_cloud_are_the_owners_only(cloud):
    for f in [cloud.data, *cloud.data.rglob("*")]:
        assert f.stat().st_mode & 0o077 == 0 or f.suffix in (".sock", ".pem"), f  # certificates are public; keys end in .key


def test_a_wrong_master_key_opens_nothing(own_cloud, tmp_path):
    own_cloud.stop(signal.SIGTERM)
    other = tmp_path / "other.key"
    other.write_bytes(os.urandom(32))
    own_cloud.args = ["--master-key-file", str(other)]
    with pytest.raises(RuntimeError) as e:
        own_cloud.start()
    assert "master key" in str(e.value)
    own_cloud.proc.wait(10)
    own_cloud.args = []
    own_cloud.start()
    own_cloud.client("kms").list_keys()


def test_json_answer_is_json(cloud):
    s, b, h = request(cloud, b"{}", signed(cloud))
    assert s == 200 and json.loads(b)["Keys"] is not None and h["Content-Type"] == "application/x-amz-json-1.1"
