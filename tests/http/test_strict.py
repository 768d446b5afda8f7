# SPDX-License-Identifier: Apache-2.0
"""Whatever two parsers could read differently is refused, and the connection closed (request smuggling)."""
import pytest

from http_client import converse, request

CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"
AFTER = request("GET", "/stat")  # must never be answered behind a refused request


def post(*headers, body=b"hello", **kw):
    return request("POST", "/upload", *headers, body=body, **kw)


TE = "Transfer-Encoding: chunked"
CL = "Content-Length: 5"
REFUSED = {
    "two different lengths": (post(CL, "Content-Length: 6", body=b"hello!"), 400),
    "two same lengths": (post(CL, CL), 400),
    "length list": (post("Content-Length: 5, 6"), 400),
    "length list of same": (post("Content-Length: 5, 5"), 400),
    "length +5": (post("Content-Length: +5"), 400),
    "length 5 x": (post("Content-Length: 5 x"), 400),
    "length 0x5": (post("Content-Length: 0x5"), 400),
    "length -1": (post("Content-Length: -1", body=b""), 400),
    "length empty": (post("Content-Length:", body=b""), 400),
    "length 2^64+5": (post("Content-Length: 18446744073709551621"), 400),
    "length and coding": (post("Content-Length: 3", TE, body=CHUNKED), 400),
    "coding and length": (post(TE, "Content-Length: 3", body=CHUNKED), 400),
    "coding twice": (post(TE, TE, body=CHUNKED), 400),
    "coding xchunked": (post("Transfer-Encoding: xchunked", body=CHUNKED), 501),
    "coding chunked, identity": (post("Transfer-Encoding: chunked, identity", body=CHUNKED), 501),
    "coding gzip, chunked": (post("Transfer-Encoding: gzip, chunked", body=CHUNKED), 501),
    "coding identity": (post("Transfer-Encoding: identity", body=CHUNKED), 501),
    "coding empty": (post("Transfer-Encoding:", body=CHUNKED), 501),
    "coding quoted": (post('Transfer-Encoding: "chunked"', body=CHUNKED), 501),
    "coding with vertical tab": (post("Transfer-Encoding: \x0bchunked", body=CHUNKED), 400),
    "coding in HTTP/1.0": (post(TE, body=CHUNKED, version="HTTP/1.0"), 400),
    "blank before colon, coding": (post("Transfer-Encoding : chunked", body=CHUNKED), 400),
    "blank before colon, length": (post("Content-Length : 5"), 400),
    "blank in name": (post("X A: b", CL), 400),
    "empty name": (post(": b", CL), 400),
    "no colon": (post("X-A", CL), 400),
    "folded line": (post("X-A: b\r\n c", CL), 400),
    "folded first line": (request("POST", "/upload", host=None).replace(b"\r\n\r\n", b"\r\n Host: x\r\n\r\n"), 400),
    "bare LF": (post(CL).replace(b"\r\n", b"\n"), 400),
    "one bare LF": (post("X-A: b\nX-B: c", CL), 400),
    "bare CR in value": (post("X-A: b\rContent-Length: 5"), 400),
    "bare CR before coding": (post("X-Abc:\rTransfer-Encoding: chunked", body=CHUNKED), 400),
    "CR CR LF": (post("X-A: b\r\r\nX-B: c", CL), 400),
    "NUL in value": (post("X-A: b\0c", CL), 400),
    "DEL in value": (post("X-A: b\x7fc", CL), 400),
    "control in value": (post("X-A: 12345678\x01c", CL), 400),
    "control in name": (post("X\x01A: b", CL), 400),
    "high byte in name": (post("X\xe9: b", CL), 400),
    "no Host": (post(CL, host=None), 400),
    "two Hosts": (post("Host: y", CL), 400),
    "two same Hosts": (post("Host: x", CL), 400),
    "empty Host": (post(CL, host=None).replace(b"\r\n", b"\r\nHost:\r\n", 1), 400),
    "Host with path": (post(CL, host="x/y"), 400),
    "Host with user": (post(CL, host="u@x"), 400),
    "Host list": (post(CL, host="x, y"), 400),
    "chunk size 0x5": (post(TE, body=b"0x5\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk size too large": (post(TE, body=b"10000000000000005\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk size -1": (post(TE, body=b"-1\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk size +5": (post(TE, body=b"+5\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk size empty": (post(TE, body=b"\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk size blank": (post(TE, body=b"5 \r\nhello\r\n0\r\n\r\n"), 400),
    "chunk ends late": (post(TE, body=b"5\r\nhelloX\r\n0\r\n\r\n"), 400),
    "chunks with LF": (post(TE, body=b"5\nhello\n0\n\n"), 400),
    "chunk size with LF": (post(TE, body=b"5\nhello\r\n0\r\n\r\n"), 400),
    "chunk data with LF": (post(TE, body=b"5\r\nhello\n0\r\n\r\n"), 400),
    "chunk extension with LF": (post(TE, body=b"5;a\nhello\r\n0\r\n\r\n"), 400),
    "chunk extension with CR": (post(TE, body=b"5;a\rb\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk extensions endless": (post(TE, body=b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n"), 400),
    "trailer with LF": (post(TE, body=b"0\r\nX: y\n\r\n"), 400),
    "trailer that frames": (post(TE, body=b"0\r\nContent-Length: 5\r\n\r\n"), 400),
    "trailer that authorizes": (post(TE, body=b"0\r\nAuthorization: y\r\n\r\n"), 400),
    "trailer folded": (post(TE, body=b"0\r\nX: y\r\n z\r\n\r\n"), 400),
    "trailers too large": (post(TE, body=b"0\r\nX: " + b"y" * 20000 + b"\r\n\r\n"), 431),
    "trailers too many": (post(TE, body=b"0\r\n" + b"X: y\r\n" * 65 + b"\r\n"), 431),
    "version 2.0": (post(CL, version="HTTP/2.0"), 505),
    "version 1.2": (post(CL, version="HTTP/1.2"), 505),
    "version 1.10": (post(CL, version="HTTP/1.10"), 400),
    "version lower case": (post(CL, version="http/1.1"), 400),
    "HTTP/0.9": (b"GET /upload\r\n\r\n", 400),
    "two blanks": (request("GET", " /upload"), 400),
    "blank behind": (request("GET", "/upload", version="HTTP/1.1 "), 400),
    "tab for blank": (b"GET\t/upload\tHTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "fragment": (request("GET", "/upload#x"), 400),
    "high byte in target": (request("GET", "/\xe9"), 400),
    "control in target": (request("GET", "/\x01"), 400),
    "relative target": (request("GET", "upload"), 400),
    "star": (request("GET", "*"), 400),
    "CONNECT": (request("CONNECT", "x:80"), 501),
    "CONNECT with a path": (request("CONNECT", "/upload"), 501),
    "authority": (request("GET", "x:80"), 400),
    "absolute for another host": (request("GET", "http://y/upload"), 400),
    "absolute for a longer host": (request("GET", "http://xy/upload"), 400),
    "expects the unexpected": (post(CL, "Expect: 200-ok"), 417),
    "long target": (request("GET", "/" + "u" * 17000), 414),
    "long target, endless": (b"GET /" + b"u" * 20000, 414),
    "long header": (request("GET", "/", "X-B: " + "h" * 70000), 431),
    "long header, endless": (b"GET / HTTP/1.1\r\nX: " + b"h" * 70000, 431),
    "many headers": (request("GET", "/", *["X-%d: v" % i for i in range(210)]), 431),
    "no method": (b" / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "long method": (b"A" * 40, 400),
    "garbage": (b"\x00\x01\x02\x03", 400),
    "three empty lines first": (b"\r\n\r\n\r\n" + request("GET", "/"), 400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(server, tls, name):
    data, status = REFUSED[name]
    with server.connect(tls) as s:
        out, closed = converse(s, data + (b"" if "endless" in name else AFTER))
    assert [r.status for r in out] == [status]
    assert out[0].header("Connection") == "close"
    assert closed


@pytest.mark.parametrize("name", [n for n in REFUSED if len(REFUSED[n][0]) < 400])
def test_refused_byte_by_byte(server, name):
    """Where a message is cut must not matter."""
    data, status = REFUSED[name]
    with server.connect() as s:
        try:
            for i in range(len(data)):
                s.sendall(data[i : i + 1])
        except OSError:
            pass  # refused before the end
        out, closed = converse(s, b"")
    assert [r.status for r in out] == [status] and closed


ACCEPTED = {
    "length": (post(CL), b"5\n"),
    "chunked": (post(TE, body=CHUNKED), b"5\n"),
    "chunked, any case": (post("transfer-ENCODING:chunkED", body=CHUNKED), b"5\n"),
    "chunked, hex": (post(TE, body=b"00A\r\n0123456789\r\nb\r\n0123456789a\r\n000\r\n\r\n"), b"21\n"),
    "chunk extension and trailer": (
        post(TE, "Trailer: x-amz-checksum-crc32", body=b"5;a=b\r\nhello\r\n0\r\nx-amz-checksum-crc32: abc\r\n\r\n"),
        b"5\n",
    ),
    "other methods": (request("PATCH", "/upload", CL, body=b"hello"), b"5\n"),
    "unknown method": (request("FOO", "/upload", CL, body=b"hello"), b"5\n"),
    "body with GET": (request("GET", "/upload", CL, body=b"hello"), b"5\n"),
    "length 0": (post("Content-Length: 0", body=b""), b"0\n"),
    "absolute target": (request("POST", "http://x/upload", CL, body=b"hello"), b"5\n"),
    "16000 byte query": (request("POST", "/upload?" + "u" * 16000, CL, body=b"hello"), b"5\n"),
    "60 KB header": (post("X-B: " + "h" * 60000, CL), b"5\n"),
    "150 headers": (post(*["X-%d: v" % i for i in range(150)], CL), b"5\n"),
    "an empty line first": (b"\r\n" + post(CL), b"5\n"),
    "Host with port": (post(CL, host="a-b.c:4566"), b"5\n"),
    "Host IPv6": (post(CL, host="[::1]:4566"), b"5\n"),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(server, tls, name):
    data, body = ACCEPTED[name]
    with server.connect(tls) as s:
        out, closed = converse(s, data + data)
    assert [r.status for r in out] == [200, 200] and not closed
    assert [r.body for r in out] == [body, body]


@pytest.mark.parametrize("name", [n for n in ACCEPTED if len(ACCEPTED[n][0]) < 2000])
def test_accepted_byte_by_byte(server, tls, name):
    data, body = ACCEPTED[name]
    with server.connect(tls) as s:
        for i in range(len(data)):
            s.sendall(data[i : i + 1])
        out, closed = converse(s, b"")
    assert [(r.status, r.body) for r in out] == [(200, body)] and not closed


def test_fields_as_sent(server, tls):
    with server.connect(tls) as s:
        out, _ = converse(
            s,
            request(
                "POST", "/info?a=%2F&b", "X-CaSe:  \t padded value\t ", "X-Empty:", "X-High: \xe9\xff", "x-tab: a\tb", TE,
                body=CHUNKED.replace(b"0\r\n\r\n", b"0\r\nx-one:  1 \r\nx-two: 2\r\n\r\n"),
            ),
        )
    text = out[0].body.decode("latin-1")
    assert f"method=POST\npath=/info\nquery=a=%2F&b\nhost=x\ntls={int(tls)}\nbody=5\n" in text
    for line in ("X-CaSe=[padded value]", "X-Empty=[]", "X-High=[\xe9\xff]", "x-tab=[a\tb]", "trailer x-one=[1]", "trailer x-two=[2]"):
        assert line + "\n" in text


def test_answer_fields_cannot_be_split(server):
    with server.connect() as s:
        out, closed = converse(s, request("GET", "/evil"))
    assert out[0].header("X-Injected") is None and out[0].header("X-A") == "1  X-Injected: 2"
    assert out[0].header("Content-Length") == "2" and out[0].header("Connection") is None and not closed
