# SPDX-License-Identifier: Apache-2.0
"""Raw HTTP over sockets, and the echo server as a child process. Standard library only."""
import os
import re
import socket
import ssl
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("CLOUDKEEP_BUILD", os.path.join(ROOT, "build"))
SLOW = bool(os.environ.get("CLOUDKEEP_SLOW"))


class Server:
    """echo_server, with TLS unless tls=False; a context manager."""

    def __init__(self, *args, tls=True):
        self.dir = tempfile.TemporaryDirectory(prefix="cloudkeep-http-")
        self.ca = os.path.join(self.dir.name, "ca.pem") if tls else None
        command = [os.path.join(BUILD, "tests/http/echo_server"), *(["--tls", self.ca] if tls else []), *args]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("PORT "), line
        self.port = int(line.split()[1])
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()
        self.dir.cleanup()

    def stop(self, timeout=20):
        """Returns what the server says at its end; it has to end well."""
        self.process.terminate()
        out, _ = self.process.communicate(timeout=timeout)
        assert self.process.returncode == 0, f"exit {self.process.returncode}"
        return dict(x.split("=") for x in out.split() if "=" in x)

    def connect(self, tls=False, timeout=5, source=None, rcvbuf=None, host="127.0.0.1"):
        s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        s.settimeout(timeout)
        if rcvbuf:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if source:
            s.bind((source, 0))
        s.connect((host, self.port))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.context().wrap_socket(s, server_hostname="localhost") if tls else s

    def context(self):
        return ssl.create_default_context(cafile=self.ca)

    def status(self, key):
        text = open(f"/proc/{self.pid}/status").read()
        return int(re.search(key + r":\s+(\d+)", text).group(1))

    def cpu_ticks(self):
        return sum(map(int, open(f"/proc/{self.pid}/stat").read().rsplit(")", 1)[1].split()[11:13]))

    def stat(self):
        with self.connect() as s:
            s.sendall(request("GET", "/stat", "Connection: close"))
            body = Reader(s).response().body.decode()
        return {k: int(v) for k, v in (x.split("=") for x in body.split())}

    def wait_stat(self, key, value, seconds=10, at_least=False):
        end = time.monotonic() + seconds
        while not (self.stat()[key] >= value if at_least else self.stat()[key] == value):
            assert time.monotonic() < end, f"{key} is {self.stat()[key]}, not {value}"
            time.sleep(0.05)


def request(method, target, *headers, body=b"", version="HTTP/1.1", host="x"):
    lines = [f"{method} {target} {version}", *([f"Host: {host}"] if host else []), *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        found = [v for k, v in self.headers if k.lower() == name.lower()]
        assert len(found) <= 1, (name, found)
        return found[0] if found else None


class Reader:
    """Reads responses off a socket, keeping what belongs to the next one."""

    def __init__(self, s):
        self.s, self.left = s, b""

    def more(self):
        try:
            d = self.s.recv(1 << 16)
        except ConnectionResetError:
            d = b""
        if not d:
            raise EOFError(self.left)
        self.left += d

    def response(self, head=False):
        while b"\r\n\r\n" not in self.left:
            self.more()
        top, self.left = self.left.split(b"\r\n\r\n", 1)
        first, *lines = top.decode("latin-1").split("\r\n")
        status = int(re.fullmatch(r"HTTP/1\.1 (\d\d\d) [\w ]+", first).group(1))
        headers = [tuple(x.split(": ", 1)) for x in lines]
        r = Response(status, headers, b"")
        n = 0 if head or status in (100, 204, 304) else int(r.header("Content-Length"))
        while len(self.left) < n:
            self.more()
        r.body, self.left = self.left[:n], self.left[n:]
        return r

    def at_end(self):
        """True when the server closes now, without another byte."""
        try:
            self.more()
        except EOFError:
            return self.left == b""
        return False


def converse(s, data):
    """Sends data, returns the responses until the server closes (closed=True) or is silent for a moment."""
    out, r = [], Reader(s)
    s.sendall(data)
    try:
        while True:
            out.append(r.response())
            s.settimeout(0.15 if out[-1].status < 400 else 5)
    except EOFError:
        return out, True
    except TimeoutError:
        return out, False
