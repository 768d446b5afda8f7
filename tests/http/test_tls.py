# SPDX-License-Identifier: Apache-2.0
"""TLS 1.3 and plain HTTP on one port, and the certificates of the own authority."""
import os
import shutil
import socket
import ssl
import subprocess

import pytest

from http_client import Reader, Server, converse, request


def test_version(server):
    with server.connect(tls=True) as s:
        assert s.version() == "TLSv1.3"


def test_older_versions_are_refused(server):
    context = server.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with server.connect() as s, pytest.raises(ssl.SSLError):
        context.wrap_socket(s, server_hostname="localhost")


@pytest.mark.parametrize("offer,chosen", [(["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "http/1.1"), (["h2"], None), ([], None)])
def test_alpn(server, offer, chosen):
    context = server.context()
    if offer:
        context.set_alpn_protocols(offer)
    with server.connect() as raw, context.wrap_socket(raw, server_hostname="localhost") as s:
        assert s.selected_alpn_protocol() == chosen
        assert converse(s, request("GET", "/"))[0][0].status == 200


@pytest.mark.parametrize("name", ["localhost", "bucket.s3.localhost", "127.0.0.1", "::1"])
def test_certificate_names(server, name):
    context = server.context()
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with server.connect() as raw, context.wrap_socket(raw, server_hostname=name) as s:
        assert s.getpeercert()["subjectAltName"]


@pytest.mark.parametrize("name", ["example.com", "a.b.s3.localhost", "127.0.0.2"])
def test_certificate_is_for_nothing_else(server, name):
    with server.connect() as raw, pytest.raises(ssl.SSLCertVerificationError):
        server.context().wrap_socket(raw, server_hostname=name)


def test_authority_is_not_public(server):
    with server.connect() as raw, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(raw, server_hostname="localhost")


def test_openssl_strict(server):
    if not shutil.which("openssl"):
        pytest.skip("no openssl command")
    r = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", server.ca, "-verify_return_error",
         "-x509_strict", "-verify_hostname", "localhost", "-purpose", "sslserver", "-brief"],
        input="", capture_output=True, text=True, timeout=20,
    )
    assert r.returncode == 0 and "Verification: OK" in r.stderr, r.stderr


def test_node(server):
    if not shutil.which("node"):
        pytest.skip("no node command")
    script = "fetch('https://localhost:%d/').then(r => r.text()).then(t => console.log(t.length))" % server.port
    r = subprocess.run(["node", "-e", script], capture_output=True, text=True, timeout=30,
                       env={**os.environ, "NODE_EXTRA_CA_CERTS": server.ca})
    assert r.stdout == "300\n", r.stderr


def test_resumed_session(server):
    context = server.context()
    session = None
    for resumed in (False, True):
        with server.connect() as raw, context.wrap_socket(raw, server_hostname="localhost", session=session) as s:
            assert converse(s, request("GET", "/"))[0][0].status == 200
            assert s.session_reused == resumed
            session = s.session


GARBAGE = [b"\x16", b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x16" * 1000, b"\x16\x03\x01\x00\x00" * 50,
           b"\x16" + bytes(70000)]


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage(server, data):
    with server.connect() as s:
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused already
        r = Reader(s)
        with pytest.raises(EOFError):
            while True:
                r.more()
        assert b"HTTP" not in r.left
    assert server.stat()["headers"] > 0  # alive


def test_garbage_inside_tls(server):
    """Records broken after the handshake end the connection, and only it."""
    with server.connect() as raw:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        s = server.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        while True:
            try:
                s.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(65536))
        s.write(request("GET", "/"))
        data = bytearray(outgoing.read())
        data[-1] ^= 1
        raw.sendall(data)
        with pytest.raises(EOFError):
            r = Reader(raw)
            while True:
                r.more()
    assert server.stat()["headers"] > 0


def test_no_tls_without_certificate():
    with Server(tls=False) as server, server.connect() as s:
        with pytest.raises((ssl.SSLError, OSError)):
            ssl.create_default_context().wrap_socket(s, server_hostname="localhost")


def test_tls_only():
    with Server("--tls-only") as server:
        with server.connect() as s:
            out, closed = converse(s, request("GET", "/info"))
            assert [r.status for r in out] == [400] and closed
        with server.connect(tls=True) as s:
            assert b"tls=1\n" in converse(s, request("GET", "/info"))[0][0].body


def test_handler_sees_the_difference(server, tls):
    with server.connect(tls) as s:
        assert f"tls={int(tls)}\n".encode() in converse(s, request("GET", "/info"))[0][0].body
