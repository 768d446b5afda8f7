# SPDX-License-Identifier: Apache-2.0
"""SigV4 against botocore: what botocore signs is accepted; the same request with anything changed is refused.

botocore is an implementation of its own, so agreement on hundreds of random requests means something. The verdicts come
from the program sigv4_tool (tests/unit/auth); SIGV4_TOOL names it, else it is looked for in build/.
"""
import base64
import datetime
import hashlib
import hmac
import os
import pathlib
import random
import subprocess
import zlib
from unittest import mock

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOW = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.timezone.utc)
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
UNRESERVED = "ABCxyz019-_.~"
ODD = UNRESERVED + " /+%&=?#:@!$'()*,;[]\"<>|\\^`{}äπ語"


class Tool:
    def __init__(self):
        path = os.environ.get("SIGV4_TOOL", ROOT / "build/tests/unit/auth/sigv4_tool")
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, raw, s3, service, now=NOW, region="us-west-2", secret=SECRET, piece=1000):
        ms = int(now.timestamp() * 1000)
        self.process.stdin.write(f"{int(s3)} {ms} {region} {service} {secret} {piece} {len(raw)}\n".encode() + raw)
        self.process.stdin.flush()
        line = self.process.stdout.readline().decode("latin-1").rstrip("\n")
        assert line, "the tool died"
        fault, chunked, digest, detail = line.split("\t")
        return fault, int(chunked), digest, detail


@pytest.fixture(scope="module")
def tool():
    t = Tool()
    yield t
    t.process.stdin.close()
    assert t.process.wait(10) == 0


class Signed:
    """A request as it goes over the wire, in parts that tests can change."""

    def __init__(self, request, s3, service):
        prepared = request.prepare()
        _, _, rest = prepared.url.partition("://")
        self.host, slash, self.target = rest.partition("/")
        self.target = slash + self.target
        if not self.target.startswith("/"):
            self.target = "/" + self.target
        self.method = prepared.method
        self.headers = [(k, v.decode() if isinstance(v, bytes) else v) for k, v in prepared.headers.items()]
        if not any(k.lower() == "host" for k, _ in self.headers):
            self.headers.insert(0, ("Host", self.host))
        body = prepared.body or b""
        self.body = body.encode() if isinstance(body, str) else body
        self.s3, self.service = s3, service

    def copy(self):
        other = object.__new__(Signed)
        other.__dict__ = dict(self.__dict__)
        other.headers = list(self.headers)
        return other

    def raw(self):
        head = f"{self.method} {self.target} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in self.headers) + "\r\n"
        return head.encode() + self.body

    def header(self, name):
        return next((v for k, v in self.headers if k.lower() == name), None)


def text(rng, alphabet, low, high):
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(low, high)))


def quote(s, safe=""):
    return "".join(c if c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~" + safe else
                   "".join(f"%{b:02X}" for b in c.encode()) for c in s)


def random_request(rng, s3, presigned):
    path = "/" + quote(text(rng, ODD, 0, 30), "/")
    if s3 and "//" in path and rng.random() < 0.5:
        path = path.replace("//", "/")
    params = [(quote(text(rng, ODD, 1, 8)), quote(text(rng, ODD, 0, 12))) for _ in range(rng.randint(0, 6))]
    if params and rng.random() < 0.3:
        params.append((params[0][0], quote(text(rng, ODD, 0, 3))))
    query = "&".join(f"{k}={v}" if v or rng.random() < 0.5 else k for k, v in params)
    headers = HTTPHeaders()
    for _ in range(rng.randint(0, 4)):
        name = "X-" + text(rng, "abcDEF-", 1, 6).strip("-") + "q"
        value = " ".join(text(rng, UNRESERVED + ",;=\"", 1, 9) + " " * rng.randint(0, 3) for _ in range(rng.randint(1, 3)))
        if name not in headers:  # botocore's prepared requests keep one of a name
            headers[name] = value
    if rng.random() < 0.4:
        headers["X-Amz-Target"] = "Service_2014." + text(rng, "abc", 1, 9)
    if rng.random() < 0.4:
        headers["Content-Type"] = "application/x-amz-json-1.1"
    if rng.random() < 0.2:
        headers["User-Agent"] = "Boto3/1.0 md/x"
    method = rng.choice(["GET", "HEAD"] if presigned else ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"])
    body = rng.randbytes(rng.randint(0, 300)) if method in ("POST", "PUT", "PATCH") else b""
    url = f"http://{rng.choice(['localhost:4566', 'iam.us-west-2.amazonaws.com', '127.0.0.1:4566', 'b.s3.amazonaws.com'])}{path}"
    return AWSRequest(method=method, url=url + (f"?{query}" if query else ""), headers=headers, data=body)


KINDS = {
    "header": (botocore.auth.SigV4Auth, False),
    "s3-header": (botocore.auth.S3SigV4Auth, True),
    "query": (botocore.auth.SigV4QueryAuth, False),
    "s3-query": (botocore.auth.S3SigV4QueryAuth, True),
}


def sign(rng, kind, request=None, now=NOW):
    auth, s3 = KINDS[kind]
    service = "s3" if s3 else rng.choice(["iam", "service", "execute-api", "sts"])
    token = text(rng, "AbC019/+=", 20, 300) if rng.random() < 0.3 else None
    request = request or random_request(rng, s3, "query" in kind)
    extra = {"expires": rng.randint(1, 604800)} if "query" in kind else {}
    with mock.patch("botocore.auth.get_current_datetime", lambda remove_tzinfo=False: now.replace(tzinfo=None) if remove_tzinfo else now):
        auth(Credentials(KEY, SECRET, token), service, "us-west-2", **extra).add_auth(request)
    return Signed(request, s3, service)


def judge(tool, s, **kw):
    return tool(s.raw(), s.s3, s.service, **kw)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(150))
def test_botocore_signature_is_accepted(tool, kind, seed):
    s = sign(random.Random(f"{kind}{seed}"), kind)
    fault, _, digest, detail = judge(tool, s)
    assert (fault, detail) == ("OK", ""), s.raw()
    assert digest == hashlib.sha256(s.body).hexdigest()


def flip(rng, t):
    i = rng.randrange(len(t))
    return t[:i] + ("a" if t[i] != "a" else "b") + t[i + 1:]


def tampered(rng, s):
    """Every way to change the request, one at a time: (what, request)."""
    def with_(**kw):
        o = s.copy()
        o.__dict__.update(kw)
        return o

    def with_headers(headers):
        return with_(headers=headers)

    authorization = s.header("authorization")
    signed = (authorization.split("SignedHeaders=")[1].split(",")[0] if authorization else
              s.target.split("X-Amz-SignedHeaders=")[1].split("&")[0].replace("%3B", ";")).split(";")
    path, mark, query = s.target.partition("?")
    yield "method", with_(method="POST" if s.method != "POST" else "PUT")
    yield "path longer", with_(target=path + "x" + mark + query)
    core = path.rstrip("/")
    yield "path shorter", with_(target=(core[:-1] if len(core) > 1 else "/y") + mark + query)
    yield "new parameter", with_(target=s.target + ("&" if mark else "?") + "Action=DeleteUser")
    yield "new presign parameter", with_(target=s.target + ("&" if mark else "?") + "X-Amz-Credential=x")
    fields = query.split("&") if query else []
    for i, f in enumerate(fields):
        rest = fields[:i] + fields[i + 1:]
        yield f"without {f}", with_(target=path + "?" + "&".join(rest))
        name, eq, value = f.partition("=")
        plain = value if "%" not in value else ""
        yield f"value of {f}", with_(target=path + "?" + "&".join(rest + [name + eq + (flip(rng, plain) if plain else value + "1")]))
        yield f"name of {f}", with_(target=path + "?" + "&".join(rest + ["z" + f]))
        if name.startswith("X-Amz-"):
            yield f"twice {f}", with_(target=path + "?" + "&".join(fields + [f]))
    for i, (k, v) in enumerate(s.headers):
        rest = s.headers[:i] + s.headers[i + 1:]
        if k.lower() not in signed and k.lower() != "authorization":
            continue
        if k.lower() == "authorization":
            continue
        yield f"without header {k}", with_headers(rest)
        yield f"value of header {k}", with_headers(rest + [(k, v + "1")])
        yield f"header {k} twice", with_headers(s.headers + [(k, v)])
        yield f"header {k} under another name", with_headers(rest + [("Z" + k, v)])
    yield "new x-amz header", with_headers(s.headers + [("x-amz-acl", "public-read")])
    if not s.header("x-amz-security-token") and "X-Amz-Security-Token" not in query:
        yield "new token", with_headers(s.headers + [("X-Amz-Security-Token", "abc")])
    if authorization:
        others = [(k, v) for k, v in s.headers if k.lower() != "authorization"]
        signature = authorization.split("Signature=")[1]
        for bit in rng.sample(range(256), 12):
            wrong = f"{int(signature, 16) ^ (1 << bit):064x}"
            yield f"bit {bit} of the signature", with_headers(others + [("Authorization", authorization.replace(signature, wrong))])
        for what in (KEY, "us-west-2", s.service, "20260304", "aws4_request", "host"):
            wrong = authorization.replace(what, flip(rng, what), 1)
            if what != KEY:  # whose key it is, is the caller's question; the secret decides here
                yield f"{what} in Authorization", with_headers(others + [("Authorization", wrong)])
        yield "no Authorization but the same in the query", with_(
            headers=others, target=s.target + ("&" if mark else "?") + "X-Amz-Signature=" + signature)
    if not ("UNSIGNED-PAYLOAD" in (s.header("x-amz-content-sha256") or "") or (s.s3 and not authorization)):
        yield "longer body", with_(body=s.body + b"x")
        if s.body:
            yield "shorter body", with_(body=s.body[:-1])
            yield "changed body", with_(body=bytes([s.body[0] ^ 1]) + s.body[1:])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(25))
def test_every_change_is_refused(tool, kind, seed):
    rng = random.Random(f"tamper{kind}{seed}")
    s = sign(rng, kind)
    assert judge(tool, s)[0] == "OK"
    n = 0
    for what, other in tampered(rng, s):
        fault, _, _, detail = judge(tool, other)
        assert fault not in ("OK", "MISSING") or (fault == "MISSING" and "without X-Amz" in what), (what, s.raw(), other.raw())
        assert detail or fault == "MISSING", what
        n += 1
    assert n > 10
    assert judge(tool, s, secret=SECRET[:-1] + "x")[0] == "MISMATCH"
    assert judge(tool, s, region="eu-west-1")[0] == "BAD_SCOPE"
    assert judge(tool, s, now=NOW - datetime.timedelta(minutes=15, seconds=1))[0] in ("NOT_YET", "SKEWED")
    assert judge(tool, s, now=NOW + datetime.timedelta(days=7, seconds=1))[0] in ("EXPIRED", "SKEWED")
    assert judge(tool, s)[0] == "OK"


# --- streamed bodies ---


def signing_key(date="20260304", region="us-west-2", service="s3"):
    key = ("AWS4" + SECRET).encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def chunks(rng, data):
    out = []
    while data:
        n = len(data) if len(data) <= 8192 else rng.randint(8192, len(data))
        out.append(data[:n])
        data = data[n:]
    return out + [b""]


def streamed(rng, kind, data, path="/bucket/key"):
    headers = HTTPHeaders()
    headers["X-Amz-Content-SHA256"] = kind
    headers["X-Amz-Decoded-Content-Length"] = str(len(data))
    headers["Content-Encoding"] = "aws-chunked"
    if "TRAILER" in kind:
        headers["X-Amz-Trailer"] = "x-amz-checksum-crc32"
    request = AWSRequest(method="PUT", url="http://localhost:4566" + path, headers=headers)

    class Streaming(botocore.auth.S3SigV4Auth):
        def payload(self, _):
            return kind

        def _modify_request_before_signing(self, r):
            super()._modify_request_before_signing(r)
            r.headers.replace_header("X-Amz-Content-SHA256", kind)

    with mock.patch("botocore.auth.get_current_datetime", lambda remove_tzinfo=False: NOW.replace(tzinfo=None) if remove_tzinfo else NOW):
        Streaming(Credentials(KEY, SECRET), "s3", "us-west-2").add_auth(request)
    s = Signed(request, True, "s3")
    before = s.header("authorization").split("Signature=")[1]
    scope = "20260304T050607Z\n20260304/us-west-2/s3/aws4_request\n"
    body = []
    for chunk in chunks(rng, data):
        if kind.startswith("STREAMING-UNSIGNED"):
            body.append(b"%x\r\n" % len(chunk) + chunk + (b"\r\n" if chunk else b""))
            continue
        to_sign = ("AWS4-HMAC-SHA256-PAYLOAD\n" + scope + before + "\n" + hashlib.sha256(b"").hexdigest() + "\n" +
                   hashlib.sha256(chunk).hexdigest())
        before = hmac.new(signing_key(), to_sign.encode(), hashlib.sha256).hexdigest()
        body.append(b"%x;chunk-signature=%s\r\n" % (len(chunk), before.encode()) + chunk + (b"\r\n" if chunk else b""))
    if "TRAILER" in kind:
        line = "x-amz-checksum-crc32:" + base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
        body.append(line.encode() + b"\r\n")
        if "UNSIGNED" not in kind:
            to_sign = "AWS4-HMAC-SHA256-TRAILER\n" + scope + before + "\n" + hashlib.sha256((line + "\n").encode()).hexdigest()
            body.append(b"x-amz-trailer-signature:" + hmac.new(signing_key(), to_sign.encode(), hashlib.sha256).hexdigest().encode() + b"\r\n")
    body.append(b"\r\n")
    s.parts = body
    s.body = b"".join(body)
    return s


STREAMS = ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"]


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("size", [0, 1, 8191, 8192, 8193, 65536, 300000])
def test_streamed(tool, kind, size):
    rng = random.Random(f"{kind}{size}")
    data = rng.randbytes(size)
    s = streamed(rng, kind, data)
    for piece in (1, 7, 4096, 1 << 20):
        assert judge(tool, s, piece=piece) == ("OK", 0, hashlib.sha256(data).hexdigest(), "")


@pytest.mark.parametrize("kind", STREAMS)
def test_streamed_tampering(tool, kind):
    rng = random.Random(kind)
    data = rng.randbytes(40000)
    s = streamed(rng, kind, data)
    signed = "UNSIGNED" not in kind

    def refused(body):
        o = s.copy()
        o.body = body
        fault, chunked, digest, _ = judge(tool, o, piece=rng.choice([1, 100, 100000]))
        assert fault == "OK"  # the head is as it was
        if body.lower() == s.body.lower() and digest == hashlib.sha256(data).hexdigest():
            return  # a size's digit in the other case
        if signed or digest == hashlib.sha256(data).hexdigest():
            assert chunked < 0, body[:200]

    for _ in range(150 if signed else 0):  # any bit; what is not signed is for its checksum to find
        i = rng.randrange(len(s.body))
        refused(s.body[:i] + bytes([s.body[i] ^ (1 << rng.randrange(8))]) + s.body[i + 1:])
    for i in range(1, 40):
        refused(s.body[:-i])
    refused(s.body + b"\r\n")
    for i in range(len(s.parts)):
        refused(b"".join(s.parts[:i] + s.parts[i + 1:]))
    if signed:
        refused(b"".join([s.parts[0], s.parts[0]] + s.parts[1:]))
        refused(b"".join([s.parts[1], s.parts[0]] + s.parts[2:]))
        refused(streamed(random.Random(kind), kind, data, "/bucket/other").body)  # right chunks, of another upload
    for name in ("x-amz-decoded-content-length", "x-amz-content-sha256", "x-amz-trailer"):
        for what, o in tampered(rng, s):
            if what.lower() in (f"without header {name}", f"value of header {name}"):
                assert judge(tool, o)[0] != "OK", what


def test_botocore_chunked_wrapper(tool):
    """The body botocore itself makes for unsigned streams with a checksum at the end."""
    import io

    from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum

    data = random.Random(1).randbytes(3 << 20)
    s = streamed(random.Random(2), STREAMS[2], data)
    wrapper = AwsChunkedWrapper(io.BytesIO(data), checksum_cls=Crc32Checksum, checksum_name="x-amz-checksum-crc32")
    s.body = wrapper.read()
    assert judge(tool, s, piece=10000) == ("OK", 0, hashlib.sha256(data).hexdigest(), "")
