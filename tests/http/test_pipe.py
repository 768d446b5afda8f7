# SPDX-License-Identifier: Apache-2.0
"""Answers whose length nobody knows when they begin: sent in chunks while another thread makes them, no faster than the client reads."""
import http.client
import time

import pytest

from http_client import Reader, request

PATTERN = b"abcdefghijklmnopqrstuvw"


def pattern(n):
    return (PATTERN * (n // len(PATTERN) + 1))[:n] + b".end"


def connection(server, tls):
    return http.client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=20) if tls \
        else http.client.HTTPConnection("localhost", server.port, timeout=20)


@pytest.mark.parametrize("n", [0, 1, 65536, 3000000])
def test_whole_and_kept(server, tls, n):
    c = connection(server, tls)
    for _ in range(3):
        c.request("GET", "/pipe?%d" % n)
        r = c.getresponse()
        assert (r.status, r.getheader("Transfer-Encoding"), r.getheader("Content-Length")) == (200, "chunked", None)
        assert r.read() == pattern(n)
    c.request("HEAD", "/pipe?%d" % n)
    assert c.getresponse().read() == b""
    c.request("GET", "/")
    assert c.getresponse().status == 200
    c.close()
    server.wait_stat("sources", 0)


def test_cut_is_seen(server, tls):
    c = connection(server, tls)
    c.request("GET", "/pipe-cut?100000")
    with pytest.raises((http.client.IncompleteRead, ConnectionError, OSError)):
        c.getresponse().read()
    server.wait_stat("sources", 0)


def test_http10_has_no_chunks(server, tls):
    with server.connect(tls) as s:
        s.sendall(request("GET", "/pipe?50000", version="HTTP/1.0"))
        data = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"chunked" not in head.lower() and body == pattern(50000)


def test_a_slow_client_holds_the_writer(server):
    """A hundred megabytes for somebody who reads nothing yet: the server keeps a few hundred kilobytes of them."""
    before = server.status("VmRSS")
    with server.connect(rcvbuf=4096) as s:
        s.sendall(request("GET", "/pipe?%d" % (100 << 20)))
        time.sleep(0.5)
        assert server.stat()["sources"] == 1 and server.status("VmRSS") < before + 20000
        assert len(s.recv(1000)) > 0
        with server.connect() as t:  # and nobody else waits for it
            t.sendall(request("GET", "/"))
            assert Reader(t).response().status == 200
    server.wait_stat("sources", 0)  # it went away: its writer comes to its end
