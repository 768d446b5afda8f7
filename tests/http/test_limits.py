# SPDX-License-Identifier: Apache-2.0
"""Time, numbers and memory: slow clients, many clients, large bodies, and the server's end."""
import resource
import socket
import threading
import time

import pytest

from http_client import SLOW, Reader, Server, request


@pytest.fixture(scope="module")
def hasty():
    with Server("--header-ms", "400", "--idle-ms", "700", "--stall-ms", "400") as s:
        yield s
        end = s.stop()
        assert end["waiting"] == "0" and end["sources"] == "0"


def closed_within(s, low, high):
    t = time.monotonic()
    s.settimeout(high + 5)
    r = Reader(s)
    while True:
        try:
            r.more()
        except EOFError:
            break
    took = time.monotonic() - t
    assert low <= took <= high, took
    return r.left


# --- slow clients ---


def test_half_a_head(hasty, tls):
    with hasty.connect(tls) as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-")
        assert closed_within(s, 0.3, 1.5).startswith(b"HTTP/1.1 408 ")


def test_slowloris(hasty, tls):
    """Sending on doesn't move the limit: it is for the whole head."""
    with hasty.connect(tls) as s:
        start = time.monotonic()
        s.settimeout(0.1)
        out = b""
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        while time.monotonic() - start < 5:
            try:
                s.sendall(b"X: y\r\n")
                d = s.recv(1000)
                out += d
                if not d:
                    break
            except TimeoutError:
                pass
            except OSError:
                break
        assert time.monotonic() - start < 2 and out.startswith(b"HTTP/1.1 408 ")


def test_idle(hasty, tls):
    with hasty.connect(tls) as s:
        s.sendall(request("GET", "/"))
        Reader(s).response()
        assert closed_within(s, 0.5, 1.5) == b""


def test_nothing_sent(hasty):
    with hasty.connect() as s:
        assert closed_within(s, 0.5, 1.5) == b""


def test_half_a_handshake(hasty):
    with hasty.connect() as s:
        s.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert closed_within(s, 0.3, 1.5) == b""


def test_body_stalls(hasty, tls):
    for target, headers in (
        ("/echo", ["Content-Length: 10"]),
        ("/upload", ["Content-Length: 10"]),
        ("/upload", ["Transfer-Encoding: chunked"]),
    ):
        gone = hasty.stat()["gone"]
        with hasty.connect(tls) as s:
            s.sendall(request("POST", target, *headers, body=b"5\r\nhe"))
            assert closed_within(s, 0.3, 1.5).startswith(b"HTTP/1.1 408 ")
        hasty.wait_stat("gone", gone + 1)


def test_slow_but_steady_body_is_fine(hasty, tls):
    with hasty.connect(tls) as s:
        s.sendall(request("POST", "/upload", "Content-Length: 8"))
        for _ in range(8):
            time.sleep(0.15)
            s.sendall(b"x")
        assert Reader(s).response().body == b"8\n"


def test_reader_stalls(hasty, tls):
    gone = hasty.stat()["gone"]
    with hasty.connect(tls, rcvbuf=4096) as s:
        s.sendall(request("GET", "/stream?100000000"))
        hasty.wait_stat("gone", gone + 1, seconds=5)
    hasty.wait_stat("sources", 0)


def test_waiting_is_not_limited(hasty, tls):
    with hasty.connect(tls) as s:
        s.sendall(request("GET", "/later?1500"))
        assert Reader(s).response().status == 200


# --- clients that leave ---


def test_waiting_client_leaves(server, tls):
    before = server.stat()
    clients = [server.connect(tls) for _ in range(20)]
    for s in clients:
        s.sendall(request("GET", "/wait"))
    server.wait_stat("wait", before["wait"] + 20)
    for i, s in enumerate(clients):
        if i % 4 == 0:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
        if i % 4 == 1:
            s.shutdown(socket.SHUT_WR)  # counts as gone: http.h
        else:
            s.close()
    server.wait_stat("wait", before["wait"])
    server.wait_stat("gone", before["gone"] + 20)
    for s in clients:
        s.close()


def test_client_leaves_before_a_late_reply(server, tls):
    gone = server.stat()["gone"]
    for target in ("/later?300", "/thread") * 5:
        with server.connect(tls) as s:
            s.sendall(request("GET", target))
    server.wait_stat("gone", gone + 5, at_least=True)


def test_client_leaves_in_the_middle_of_a_body(server, tls):
    before = server.stat()
    for target in ("/upload", "/echo", "/upload-pause"):
        with server.connect(tls) as s:
            s.sendall(request("POST", target, "Content-Length: 100000", body=b"x" * 50000))
            time.sleep(0.05)
    server.wait_stat("gone", before["gone"] + 3)


def test_half_close_behind_a_request_is_answered_when_it_can_be(server):
    with server.connect() as s:
        s.sendall(request("GET", "/"))
        s.shutdown(socket.SHUT_WR)
        assert Reader(s).response().status == 200


def need_files(n):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < n:
        pytest.skip(f"needs {n} open files, the hard limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, n), hard))


def test_ten_thousand_wait(tls):
    n = 1000 if tls and not SLOW else 10_000  # the handshakes take Python a minute
    need_files(n + 1000)
    with Server(*(() if tls else ("--listen", "127.0.0.1:0"))) as server:
        rss, clients = server.status("VmRSS"), []
        context = server.context()
        for i in range(n):
            s = socket.create_connection(("127.0.0.1", server.port), 5)
            if tls:
                s = context.wrap_socket(s, server_hostname="localhost")
            s.sendall(request("GET", "/wait", "Authorization: " + "a" * 500))
            clients.append(s)
        server.wait_stat("wait", n)
        each = (server.status("VmRSS") - rss) / n
        ticks = server.cpu_ticks()
        time.sleep(1)
        assert server.cpu_ticks() - ticks <= 10  # nobody polls
        t = time.monotonic()
        server.stat()
        assert time.monotonic() - t < 1
        for s in clients:
            s.close()
        server.wait_stat("wait", 0, seconds=30)
        assert server.stat()["gone"] == n
        assert each < (40 if tls else 10), f"{each:.1f} KB for each"
        print(f"{each:.1f} KB each", end=" ")


def test_connection_limit_makes_room():
    """At the limit the longest idle connection goes, and one in use doesn't."""
    with Server("--connections", "10", "--loops", "1", tls=False) as server:
        busy = server.connect()
        busy.sendall(request("GET", "/wait"))
        server.wait_stat("wait", 1)
        idle = []
        for _ in range(30):
            s = server.connect()
            s.sendall(request("GET", "/"))
            assert Reader(s).response().status == 200
            idle.append(s)
        assert server.stat()["wait"] == 1
        for s in (*idle, busy):
            s.close()


def test_all_connections_in_use():
    """With nobody idle, the next client waits, without the server spinning, until there is room."""
    with Server("--connections", "5", "--loops", "1", tls=False) as server:
        clients = [server.connect() for _ in range(5)]
        for s in clients:
            s.sendall(request("GET", "/wait"))
        time.sleep(0.2)
        late = server.connect()
        late.sendall(request("GET", "/"))
        late.settimeout(1)
        ticks = server.cpu_ticks()
        with pytest.raises(TimeoutError):
            late.recv(1)
        assert server.cpu_ticks() - ticks <= 10
        clients.pop().close()
        assert Reader(late).response().status == 200
        for s in (*clients, late):
            s.close()


def test_out_of_descriptors():
    with Server("--loops", "1", tls=False) as server:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (20, 20))
        clients = [server.connect() for _ in range(40)]
        for s in clients[:10]:
            s.sendall(request("GET", "/wait"))
        ticks = server.cpu_ticks()
        time.sleep(1)
        assert server.cpu_ticks() - ticks <= 10
        for s in clients:
            s.close()
        with server.connect() as s:
            s.sendall(request("GET", "/"))
            assert Reader(s).response().status == 200


# --- memory ---


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_large_upload_at_flat_memory(tls, how):
    n = (5 if SLOW else 1) << 30
    piece = bytes(1 << 20)
    with Server() as server:
        with server.connect(tls) as s:
            s.settimeout(30)
            s.sendall(request("PUT", "/upload", f"Content-Length: {n}" if how == "length" else "Transfer-Encoding: chunked"))
            for i in range(n // len(piece)):
                s.sendall(piece if how == "length" else b"100000\r\n" + piece + b"\r\n")
                if i == 32:
                    rss = server.status("VmHWM")
            if how == "chunked":
                s.sendall(b"0\r\n\r\n")
            assert Reader(s).response().body == b"%d\n" % n
        assert server.status("VmHWM") - rss < 2048


def test_large_download_at_flat_memory(tls):
    n = 1 << 28
    with Server() as server:
        with server.connect(tls) as s:
            s.settimeout(30)
            s.sendall(request("GET", f"/stream?{n}"))
            got = 0
            while got < n:
                got += len(s.recv(1 << 18))
                if got < 1 << 24:
                    rss = server.status("VmHWM")
        assert server.status("VmHWM") - rss < 2048


def test_kept_connections_cost_no_more_memory(server, tls):
    def many(n):
        with server.connect(tls) as s:
            r = Reader(s)
            for _ in range(n):
                s.sendall(request("POST", "/echo", "Content-Length: 5", body=b"hello"))
                r.response()

    many(500)
    rss = server.status("VmRSS")
    many(5000)
    assert server.status("VmRSS") - rss < 512


# --- the end ---


def test_graceful_stop(tls):
    with Server("--grace-ms", "5000") as server:
        idle, late = server.connect(tls), server.connect(tls)
        for s in (idle, late):
            s.sendall(request("GET", "/"))
            Reader(s).response()
        late.sendall(request("GET", "/later?700") + request("GET", "/"))
        time.sleep(0.1)
        out = {}
        t = threading.Thread(target=lambda: out.update(server.stop()))
        start = time.monotonic()
        t.start()
        assert Reader(idle).at_end()
        assert time.monotonic() - start < 0.5
        time.sleep(0.1)
        with pytest.raises(OSError):
            server.connect()
        r = Reader(late)
        a = r.response()
        assert a.status == 200 and a.header("Connection") == "close"
        assert r.at_end()  # what was pipelined behind it isn't begun
        t.join()
        assert out["gone"] == "0" and time.monotonic() - start < 4


def test_stop_closes_what_does_not_end(tls):
    with Server("--grace-ms", "300") as server:
        s = server.connect(tls)
        s.sendall(request("GET", "/wait"))
        server.wait_stat("wait", 1)
        start = time.monotonic()
        end = server.stop()
        assert 0.2 < time.monotonic() - start < 2
        assert end["gone"] == "1" and end["waiting"] == "0"
        s.close()


def test_stop_while_other_threads_reply():
    with Server("--grace-ms", "0", tls=False) as server:
        clients = [server.connect() for _ in range(50)]
        for s in clients:
            s.sendall(request("GET", "/thread"))
        server.stop()
        for s in clients:
            s.close()
