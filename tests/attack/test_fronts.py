# SPDX-License-Identifier: Apache-2.0
"""Routing by host name: names written otherwise, headers that claim another name or method, requests in bodies of refused requests. What
is routed must be what was asked and signed, and nobody is let in by it."""
import base64
import concurrent.futures
import datetime
import hashlib
import hmac
import json
import socket
import ssl
import uuid

import pytest

from tests.registry import Registry, sha


@pytest.fixture(scope="module")
def world(cloud):
    ecr = cloud.client("ecr")
    name = "r" + uuid.uuid4().hex[:10]
    ecr.create_repository(repositoryName=name)
    reg = Registry(cloud)
    reg.push_image(name, "secret", "v1")
    reg.name, reg.auth = name, "Basic " + base64.b64encode(("AWS:" + reg.password).encode()).decode()
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"object")
    return reg


def connect(cloud, sni="localhost"):
    s = socket.create_connection(("127.0.0.1", cloud.port), timeout=20)
    return ssl.create_default_context(cafile=cloud.ca).wrap_socket(s, server_hostname=sni)


def answers(cloud, raw, sni="localhost"):
    """Sends bytes and returns the statuses of all answers until the server closes, and all that it sent."""
    data = b""
    with connect(cloud, sni) as s:
        s.sendall(raw)
        try:
            while got := s.recv(65536):
                data += got
        except ConnectionError:
            pass
    return [int(part[:3]) for part in data.split(b"HTTP/1.1 ")[1:]], data


def get(host, path="/v2/", *headers, method="GET", close=True):
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: " + host] + list(headers) + (["Connection: close"] if close else [])
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_names_in_other_clothes(cloud, world):
    """Case and port don't matter; whatever isn't the registry's name is not let in by the registry's password."""
    auth = "Authorization: " + world.auth
    path = "/v2/%s/manifests/v1" % world.name
    for host in (world.host, world.host.upper(), world.host + ":443", world.host + ":%d" % cloud.port, world.host.replace(".localhost", ".amazonaws.com")):
        assert answers(cloud, get(host, path, auth))[0] == [200], host
        assert answers(cloud, get(host, path))[0] == [401], host
    for host in (world.host + ".", world.host + ".:1", "x." + world.host, world.host.replace("dkr", "dkr.x"), world.host.replace(world.account, "0" * 11), "localhost", "[::1]", world.host + ".evil.com",
                 world.host.replace(".localhost", ".localhost.localhost"), world.host.replace("us-east-1", "us-east-1.s3"), world.host + "%00", world.host.replace(".", "%2e"), "..localhost", ".localhost", ":", "a:b:c"):
        status, data = answers(cloud, get(host, path, auth))
        assert status and status[0] >= 400 and b"secret" not in data, (host, status)
    assert answers(cloud, get(world.host.replace(world.account, "111122223333"), path, auth))[0][0] in (403, 404)


def test_claims_of_another_host_path_or_method(cloud, world):
    auth = "Authorization: " + world.auth
    path = "/v2/%s/manifests/v1" % world.name
    lies = ["X-Forwarded-Host: " + world.host, "Forwarded: host=" + world.host, "X-Host: " + world.host, "X-Original-URL: " + path, "X-Rewrite-URL: " + path]
    status, data = answers(cloud, get("localhost", "/", auth, *lies))
    assert status[0] >= 400 and b"schemaVersion" not in data
    assert answers(cloud, get(world.host, path, auth, "X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE"))[0] == [200]
    assert answers(cloud, get(world.host, path, auth))[0] == [200]  # and is still there
    # an absolute target names what Host names, or is refused; two Hosts are one too many
    assert answers(cloud, get(world.host, "http://%s%s" % (world.host, path), auth))[0] == [200]
    for target in ("http://localhost" + path, "http://%s.evil.com%s" % (world.host, path), "http://x@%s%s" % (world.host, path), "http://%s:1%s" % (world.host, path), "//%s%s" % (world.host, path),
                   "ftp://%s%s" % (world.host, path), "http://%s" % world.host.upper() + path):
        assert answers(cloud, get(world.host, target, auth))[0][0] >= 400, target
    assert answers(cloud, get(world.host, path, auth, "Host: localhost"))[0] == [400]
    assert answers(cloud, get(world.host, path, auth, "hOST : localhost"))[0] == [400]


def test_the_name_of_the_connection_decides_nothing(cloud, world):
    """TLS may have been for another name of this cloud: the request's Host counts, and so does its password."""
    path = "/v2/%s/manifests/v1" % world.name
    assert answers(cloud, get(world.host, path), sni="localhost")[0] == [401]
    assert answers(cloud, get(world.host, path, "Authorization: " + world.auth), sni="localhost")[0] == [200]
    status, data = answers(cloud, get("localhost", path, "Authorization: " + world.auth), sni=world.host)
    assert status[0] >= 400 and b"schemaVersion" not in data


def test_two_passwords_and_two_ways_of_signing(cloud, world):
    path = "/v2/%s/manifests/v1" % world.name
    good, bad = "Authorization: " + world.auth, "Authorization: Basic " + base64.b64encode(b"AWS:x").decode()
    assert answers(cloud, get(world.host, path, good, bad))[0] == [401] and answers(cloud, get(world.host, path, bad, good))[0] == [401]
    assert answers(cloud, get(world.host, path + "?X-Amz-Signature=00&X-Amz-Credential=x", bad))[0] == [401]


def inner(world):
    return get(world.host, "/v2/%s/tags/list" % world.name, "Authorization: " + world.auth)


@pytest.mark.parametrize("kind", ["length", "chunked"])
def test_a_refused_body_is_no_request(cloud, world, kind):
    """Bodies are refused before they were read: what is in them is never taken for the next request of the connection."""
    hidden = inner(world)
    body = hidden if kind == "length" else b"%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden)
    frame = "Content-Length: %d" % len(hidden) if kind == "length" else "Transfer-Encoding: chunked"
    starts = [("PUT", world.host, "/v2/%s/manifests/v2" % world.name, []), ("PATCH", world.host, "/v2/%s/blobs/uploads/%s" % (world.name, uuid.uuid4()), ["Authorization: " + world.auth]),
              ("PUT", world.host, "/v2/%s/blobs/uploads/%s?digest=bad" % (world.name, uuid.uuid4()), ["Authorization: " + world.auth]), ("POST", world.host, "/nowhere", []),
              ("PUT", "localhost:%d" % cloud.port, "/cloudformation-custom-resource-response-useast1/x?y", []), ("PUT", "localhost:%d" % cloud.port, "/%s/k" % world.name, []),
              ("POST", "abcdefghij.execute-api.us-east-1.localhost", "/x", []), ("POST", "abc.lambda-url.us-east-1.on.aws", "/x", []), ("OPTIONS", "localhost", "/" + world.name, [])]

    def send(start):
        method, host, path, more = start
        last = get("localhost", "/no-such-bucket-of-ours/last")  # where the connection is kept
        return answers(cloud, get(host, path, frame, *more, method=method, close=False) + body + last)
    with concurrent.futures.ThreadPoolExecutor(len(starts)) as pool:
        for start, (status, data) in zip(starts, pool.map(send, starts)):
            assert len(status) <= 2 and min(status) >= 400 and b'"tags"' not in data, (start, status)


def test_a_signature_holds_for_its_host(cloud, world):
    """Signed for S3 at one name, sent to another: a bucket's name in the host is part of what was signed."""
    now = datetime.datetime.now(datetime.timezone.utc)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    nothing = hashlib.sha256(b"").hexdigest()

    def signed(host, path):
        names = "host;x-amz-content-sha256;x-amz-date"
        canonical = "\n".join(["GET", path, "", "host:" + host, "x-amz-content-sha256:" + nothing, "x-amz-date:" + stamp, "", names, nothing])
        scope = day + "/us-east-1/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        k = ("AWS4" + cloud.secret).encode()
        for part in (day, "us-east-1", "s3", "aws4_request"):
            k = hmac.new(k, part.encode(), hashlib.sha256).digest()
        sig = hmac.new(k, text.encode(), hashlib.sha256).hexdigest()
        return ["x-amz-date: " + stamp, "x-amz-content-sha256: " + nothing,
                "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (cloud.key, scope, names, sig)]
    own, virtual = "localhost:%d" % cloud.port, "%s.s3.localhost:%d" % (world.name, cloud.port)
    assert b"object" in answers(cloud, get(virtual, "/k", *signed(virtual, "/k")))[1]
    assert b"object" in answers(cloud, get(own, "/%s/k" % world.name, *signed(own, "/%s/k" % world.name)))[1]
    for host, path, headers in ((virtual, "/k", signed(own, "/k")), (own, "/%s/k" % world.name, signed(virtual, "/%s/k" % world.name)),
                                (virtual.upper(), "/k", signed(own, "/k")), (virtual, "/%2e/k", signed(virtual, "/k")), (virtual, "//k", signed(virtual, "/k")), (virtual, "/k?acl", signed(virtual, "/k"))):
        status, data = answers(cloud, get(host, path, *headers))
        assert status == [403] and b"SignatureDoesNotMatch" in data, (host, path, status)


def test_preflights_tell_nothing_of_buckets(cloud, world):
    ask = ["Origin: https://evil.example", "Access-Control-Request-Method: GET"]
    there = answers(cloud, get("localhost", "/%s/k" % world.name, *ask, method="OPTIONS"))[1]
    not_there = answers(cloud, get("localhost", "/no-such-bucket-of-ours/k", *ask, method="OPTIONS"))[1]

    def bare(answer):
        return [line for line in answer.split(b"<RequestId>")[0].split(b"\r\n") if not line.startswith((b"Date:", b"x-amz"))]
    assert bare(there) == bare(not_there) and there.startswith(b"HTTP/1.1 403")


def test_ranges_of_layers(cloud, world):
    data = b"0123456789"
    digest = sha(data)
    at = world("POST", "/v2/%s/blobs/uploads/" % world.name).headers["location"]
    assert world("PUT", at + "?digest=" + digest, body=data).status == 201
    blob = "/v2/%s/blobs/%s" % (world.name, digest)
    for text, want in (("bytes=0-0", b"0"), ("bytes=9-", b"9"), ("bytes=-1", b"9"), ("bytes=-99", data), ("bytes=0-18446744073709551615", data), ("bytes=5-18446744073709551616", data), ("bytes=9-0", data),
                       ("bytes=0-1,3-4", data), ("bytes=a-b", data), ("bytes= 1-2", data), ("bits=0-1", data)):
        r = world("GET", blob, Range=text)
        assert r.status in (200, 206) and r.body == want, (text, r.status, r.body)
    for text in ("bytes=10-", "bytes=-0", "bytes=18446744073709551615-", "bytes=10-18446744073709551615"):
        assert world("GET", blob, Range=text).status == 416, text


def test_chunks_that_lie_about_their_place(cloud, world):
    at = world("POST", "/v2/%s/blobs/uploads/" % world.name).headers["location"]
    assert world("PATCH", at, body=b"01234", Content_Range="0-4").status == 202
    for text in ("0-4", "4-8", "6-10", "18446744073709551615-1", "-5", "x", ""):
        assert world("PATCH", at, body=b"56789", Content_Range=text).status == 416, text
    assert world("PATCH", at, body=b"56789", Content_Range="5-9").status == 202
    assert world("PUT", at + "?digest=" + sha(b"0123456789")).status == 201


def test_layers_of_another_repository_are_not_borrowed_by_a_manifest(cloud, world):
    """A digest that is known is no right to it: what an image is made of must have been pushed to, or mounted in, its own repository."""
    e = cloud.client("ecr")
    other = "r" + uuid.uuid4().hex[:10]
    arn = e.create_repository(repositoryName=other)["repository"]["repositoryArn"]
    thief = cloud.user("u" + uuid.uuid4().hex[:10], {"Effect": "Allow", "Action": "ecr:*", "Resource": arn}, {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"})
    me = Registry(cloud, thief)
    manifest = world("GET", "/v2/%s/manifests/v1" % world.name).body
    layers = [d["digest"] for d in json.loads(manifest)["layers"]]
    assert me("PUT", "/v2/%s/manifests/v1" % other, body=manifest).code == "MANIFEST_BLOB_UNKNOWN"
    doubled = manifest.rstrip()[:-1] + b',"layers":[]}'  # two readings of one text
    r = me("PUT", "/v2/%s/manifests/v1" % other, body=doubled)
    assert r.status == 400, r.body
    for d in layers:
        assert me("GET", "/v2/%s/blobs/%s" % (other, d)).status == 404 and me("HEAD", "/v2/%s/blobs/%s" % (other, d)).status == 404
        assert me("GET", "/v2/%s/blobs/%s" % (world.name, d)).status == 403


def test_an_upload_ends_with_its_repository(cloud, world):
    e = cloud.client("ecr")
    name = "r" + uuid.uuid4().hex[:10]
    e.create_repository(repositoryName=name)
    at = world("POST", "/v2/%s/blobs/uploads/" % name).headers["location"]
    assert world("PATCH", at, body=b"old").status == 202
    e.delete_repository(repositoryName=name, force=True)
    assert world("PUT", at + "?digest=" + sha(b"old")).status == 404
    e.create_repository(repositoryName=name)
    assert world("PUT", at + "?digest=" + sha(b"old")).status == 404 and world("GET", at).status == 404  # nothing of the old one is in the new one
