# SPDX-License-Identifier: Apache-2.0
"""Connections: keeping and closing them, pipelining, HEAD, 100-continue, bodies both ways, replies from other threads."""
import re
import threading
import time

import pytest

from http_client import Reader, Server, converse, request

CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"
PATTERN = b"abcdefghijklmnopqrstuvw"


def pattern(n):
    return (PATTERN * (n // len(PATTERN) + 1))[:n]


# --- keeping and closing ---


def test_kept(server, tls):
    with server.connect(tls) as s:
        r = Reader(s)
        for _ in range(100):
            s.sendall(request("POST", "/echo", "Content-Length: 5", body=b"hello"))
            a = r.response()
            assert (a.status, a.body, a.header("Connection")) == (200, b"hello", None)


@pytest.mark.parametrize("value", ["close", "Close", "keep-alive, close", " x ,close"])
def test_close_asked_for(server, tls, value):
    with server.connect(tls) as s:
        s.sendall(request("GET", "/", f"Connection: {value}"))
        r = Reader(s)
        assert r.response().header("Connection") == "close" and r.at_end()


def test_close_by_handler(server, tls):
    with server.connect(tls) as s:
        s.sendall(request("GET", "/close"))
        r = Reader(s)
        assert r.response().header("Connection") == "close" and r.at_end()


def test_http10(server, tls):
    with server.connect(tls) as s:
        s.sendall(request("GET", "/", version="HTTP/1.0", host=None))
        r = Reader(s)
        assert r.response().header("Connection") == "close" and r.at_end()
    with server.connect(tls) as s:
        r = Reader(s)
        for _ in range(2):
            s.sendall(request("GET", "/", "Connection: Keep-Alive", version="HTTP/1.0"))
            assert r.response().header("Connection") == "keep-alive"


def test_date(server):
    with server.connect() as s:
        out, _ = converse(s, request("GET", "/"))
    date = time.strptime(out[0].header("Date"), "%a, %d %b %Y %H:%M:%S GMT")
    import calendar

    assert abs(calendar.timegm(date) - time.time()) < 3


def test_head_has_lengths_and_no_body(server, tls):
    with server.connect(tls) as s:
        r = Reader(s)
        for target, n in (("/", "300"), ("/stream?123456789", "123456789"), ("/big?1000", "1000")):
            s.sendall(request("HEAD", target))
            a = r.response(head=True)
            assert a.header("Content-Length") == n
        s.sendall(request("GET", "/204"))
        a = r.response()
        assert a.status == 204 and a.header("Content-Length") is None
        s.sendall(request("GET", "/"))
        assert len(r.response().body) == 300 and r.left == b""
    server.wait_stat("sources", 0)


def test_pipelined(server, tls):
    n = 500
    with server.connect(tls) as s:
        r = Reader(s)
        s.sendall(b"".join(request("POST", f"/info?{i}", "Content-Length: 5", body=b"%05d" % i) for i in range(n)))
        for i in range(n):
            assert f"query={i}\n" in r.response().body.decode()
        assert r.left == b""


@pytest.mark.parametrize("target", ["/later?20", "/thread", "/stream?100000"])
def test_pipelined_behind_a_late_answer(server, tls, target):
    with server.connect(tls) as s:
        r = Reader(s)
        s.sendall((request("GET", target) + request("GET", "/info?after")) * 5)
        for _ in range(5):
            first, second = r.response(), r.response()
            assert len(first.body) in (300, 100000) and b"query=after\n" in second.body


def test_bytes_while_waiting_use_no_cpu(server, tls):
    """A client that goes on sending while its request waits is left alone, not polled."""
    with server.connect(tls) as s:
        s.sendall(request("GET", "/later?800") + request("GET", "/info?next"))
        s.sendall(b"GET /info?x")
        ticks = server.cpu_ticks()
        r = Reader(s)
        r.response()
        assert server.cpu_ticks() - ticks <= 10  # of about 80
        assert b"query=next" in r.response().body
        s.sendall(b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"query=x\n" in r.response().body


def test_replies_from_other_threads(server, tls):
    def client():
        with server.connect(tls) as s:
            r = Reader(s)
            for _ in range(50):
                s.sendall(request("GET", "/thread"))
                ok.append(len(r.response().body))

    ok = []
    threads = [threading.Thread(target=client) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert ok == [300] * 400


@pytest.mark.parametrize("n", [127, 128, 129, 256, 257, 512])
def test_many_ready_at_once(n):
    """As many ready connections as the loop takes events at once, and one less and more: none is forgotten."""
    with Server("--loops", "1", tls=False) as server:
        clients = [Reader(server.connect()) for _ in range(n)]
        for _ in range(3):
            for r in clients:
                r.s.sendall(request("GET", "/"))
            for r in clients:
                assert r.response().status == 200
        for r in clients:
            r.s.close()


# --- Expect ---


def test_continue(server, tls):
    with server.connect(tls) as s:
        r = Reader(s)
        for _ in range(2):
            s.sendall(request("POST", "/echo", "Content-Length: 5", "Expect: 100-Continue"))
            assert r.response().status == 100
            s.sendall(b"hello")
            assert r.response().body == b"hello"


def test_no_continue_when_refused(server, tls):
    for target in ("/refuse", "/refuse-thread"):
        with server.connect(tls) as s:
            s.sendall(request("POST", target, "Content-Length: 5", "Expect: 100-continue"))
            r = Reader(s)
            a = r.response()
            assert a.status == 200 and a.header("Connection") == "close" and r.at_end()


def test_no_continue_when_too_large(server, tls):
    with server.connect(tls) as s:
        s.sendall(request("POST", "/echo", "Content-Length: 2000000", "Expect: 100-continue"))
        r = Reader(s)
        assert r.response().status == 413 and r.at_end()


def test_no_continue_in_http10(server):
    with server.connect() as s:
        s.sendall(request("POST", "/echo", "Content-Length: 5", "Expect: 100-continue", body=b"hello", version="HTTP/1.0"))
        assert Reader(s).response().body == b"hello"


# --- bodies of requests ---


@pytest.mark.parametrize("n", [0, 1, 1000, 16384, 16385, 100_000, 1 << 20])
@pytest.mark.parametrize("chunk", [0, 1000, 70_000])
def test_body_in_memory(server, tls, n, chunk):
    body = pattern(n)
    with server.connect(tls) as s:
        r = Reader(s)
        for _ in range(2):
            if chunk:
                pieces = [body[i : i + chunk] for i in range(0, n, chunk)]
                data = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
                s.sendall(request("POST", "/echo", "Transfer-Encoding: chunked", body=data))
            else:
                s.sendall(request("POST", "/echo", f"Content-Length: {n}", body=body))
            assert r.response().body == body


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_body_too_large(server, tls, how):
    n = (1 << 20) + 1
    headers = [f"Content-Length: {n}"] if how == "length" else ["Transfer-Encoding: chunked"]
    body = pattern(n) if how == "length" else b"%x\r\n%s\r\n0\r\n\r\n" % (n, pattern(n))
    with server.connect(tls) as s:
        s.sendall(request("POST", "/echo", *headers, body=body))
        r = Reader(s)
        a = r.response()
        assert a.status == 413 and a.header("Connection") == "close" and r.at_end()


def test_refused_body_is_not_read_as_a_request(server, tls):
    inner = request("GET", "/info")
    for target in ("/refuse", "/refuse-thread", "/upload-stop"):
        with server.connect(tls) as s:
            out, closed = converse(s, request("POST", target, f"Content-Length: {len(inner) + 1}", body=inner))
        assert len(out) == 1 and closed and out[0].header("Connection") == "close"
        assert out[0].status == (403 if target == "/upload-stop" else 200)


def test_refusal_is_seen_by_a_client_that_still_sends(server, tls):
    """The answer must not be lost to a reset while the client pushes 8 MiB that nobody wants."""
    for target in ("/refuse", "/upload-stop"):
        with server.connect(tls) as s:
            s.settimeout(10)
            s.sendall(request("PUT", target, f"Content-Length: {8 << 20}"))
            try:
                for _ in range(128):
                    s.sendall(b"x" * 65536)
            except OSError:
                pass
            assert Reader(s).response().status in (200, 403)


@pytest.mark.parametrize("target", ["/upload-pause", "/upload-pause-thread"])
def test_paused_and_resumed(server, tls, target):
    n = 5_000_000
    with server.connect(tls) as s:
        s.settimeout(30)
        r = Reader(s)
        for _ in range(2):
            s.sendall(request("PUT", target, f"Content-Length: {n}", body=pattern(n)))
            assert r.response().body == b"%d\n" % n
        s.sendall(request("PUT", target, "Transfer-Encoding: chunked", body=b"186a0\r\n" + pattern(100_000) + b"\r\n0\r\nx-a: b\r\n\r\n"))
        assert r.response().body == b"100000\n"


def test_pause_holds_the_client_back(server):
    """While the handler has paused, the client can only send what fits into the kernel's buffers."""
    with server.connect() as s:
        s.settimeout(1)
        s.sendall(request("PUT", "/upload-hold", f"Content-Length: {1 << 30}"))
        sent, rss = 0, server.status("VmRSS")
        try:
            while sent < 1 << 28:
                sent += s.send(b"x" * 65536)
        except TimeoutError:
            pass
        assert 0 < sent < 1 << 26
        assert server.status("VmRSS") - rss < 4096
        gone = server.stat()["gone"]
        s.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER 0: a reset, which is noticed even now
    server.wait_stat("gone", gone + 1)


# --- answers ---


@pytest.mark.parametrize("n", [1, 65536, 1_000_003, 50_000_000])
@pytest.mark.parametrize("path", ["/stream", "/big"])
def test_large_answers(server, tls, path, n):
    with server.connect(tls) as s:
        s.settimeout(30)
        r = Reader(s)
        for _ in range(2):
            s.sendall(request("GET", f"{path}?{n}"))
            a, got = None, 0
            while b"\r\n\r\n" not in r.left:
                r.more()
            top, r.left = r.left.split(b"\r\n\r\n", 1)
            assert int(re.search(rb"Content-Length: (\d+)", top).group(1)) == n
            while got < n:
                if not r.left:
                    r.more()
                take = r.left[: n - got]
                if path == "/stream":
                    shift = got % len(PATTERN)
                    assert take == pattern(len(take) + shift)[shift:]
                got += len(take)
                r.left = r.left[len(take) :]
    server.wait_stat("sources", 0)


def test_source_that_ends_early_is_a_cut(server, tls):
    with server.connect(tls) as s:
        s.sendall(request("GET", "/short?100000"))
        with pytest.raises(EOFError):
            Reader(s).response()
    server.wait_stat("sources", 0)


def test_client_leaves_in_the_middle_of_an_answer(server, tls):
    gone = server.stat()["gone"]
    for _ in range(5):
        with server.connect(tls) as s:
            s.sendall(request("GET", "/stream?1000000000"))
            s.recv(1000)
    server.wait_stat("sources", 0)
    server.wait_stat("gone", gone + 5)


# --- listening ---


def test_ipv6():
    with Server("--listen", "[::1]:0", tls=False) as server:
        with server.connect(host="::1") as s:
            out, _ = converse(s, request("GET", "/info", host=f"[::1]:{server.port}"))
            assert out[0].status == 200


def test_any_address_takes_both():
    """And the handler sees a client's address in its own family."""
    with Server("--listen", ":0", tls=False) as server:
        for host in ("::1", "127.0.0.1"):
            with server.connect(host=host) as s:
                assert f"peer={host}\n".encode() in converse(s, request("GET", "/info"))[0][0].body


def test_taken_port_is_refused(server):
    """SO_REUSEPORT must not let a second server take half of the first one's clients."""
    with pytest.raises(AssertionError):
        Server("--listen", f"127.0.0.1:{server.port}", tls=False)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "::1:80", "300.0.0.1:0"])
def test_bad_address(address):
    with pytest.raises(AssertionError):
        Server("--listen", address, tls=False)


def test_every_loop_listens_on_the_port():
    with Server("--loops", "4", tls=False) as server:
        assert len([1 for line in open(f"/proc/{server.pid}/net/tcp") if f":{server.port:04X} 00000000:0000 0A" in line]) == 4
        for _ in range(40):
            with server.connect() as s:
                assert converse(s, request("GET", "/", "Connection: close"))[0][0].status == 200
