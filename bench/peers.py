# SPDX-License-Identifier: Apache-2.0
"""What bench/run starts and how it asks: Cloudkeep, the bare echo, moto's server; requests signed by boto3 and replayed by wrk."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import boto3
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("CLOUDKEEP_BENCH_BUILD", ROOT / "build-release"))
MOTO = ROOT / ".venv/bin/moto_server"
REGIONS = "us-east-1,us-west-2,eu-west-1"
TICK = os.sysconf("SC_CLK_TCK")
CONNECTIONS = 64


class Failed(Exception):
    """A figure that could not be measured, and why."""


def children(pid):
    """The process and all below it."""
    out = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            for child in (task / "children").read_text().split():
                out += children(int(child))
        except FileNotFoundError:  # a thread that has ended
            continue
    return out


class Server:
    """A process that answers on a port of 127.0.0.1; ended by its pid."""

    def __init__(self, command, ready, log=None):
        self.command, self.ready, self.log, self.proc, self.port = [str(c) for c in command], ready, log, None, None

    def start(self):
        self.proc = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=open(self.log, "ab") if self.log else subprocess.DEVNULL, text=True)
        for line in self.proc.stdout:
            found = re.search(self.ready, line)
            if found:
                self.port = int(found[1])
                return self
        raise Failed(f"{self.command[0]} did not start")

    def stop(self):
        if self.proc:
            self.proc.send_signal(signal.SIGTERM)
            self.proc.wait(60)
            self.proc.stdout.close()
        self.proc = None

    def cpu(self):
        """Processor seconds used so far."""
        total = 0
        for pid in children(self.proc.pid):
            total += sum(map(int, pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
        return total / TICK

    def resident(self):
        """Resident bytes of all its processes; what they share with each other counts once."""
        sizes = []
        for pid in children(self.proc.pid):
            kb = dict(re.findall(r"^(\w+): +(\d+) kB", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M))
            sizes.append((int(kb["Rss"]), int(kb["Private_Clean"]) + int(kb["Private_Dirty"])))
        sizes.sort(reverse=True)
        return 1024 * (sizes[0][0] + sum(private for _, private in sizes[1:]))

    def client(self, service, region="us-east-1", key="AKIAIOSFODNN7EXAMPLE", secret="x" * 40):
        config = Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}, max_pool_connections=32)
        return boto3.session.Session(aws_access_key_id=key, aws_secret_access_key=secret, region_name=region).client(
            service, endpoint_url=f"http://127.0.0.1:{self.port}", config=config)


class Cloudkeep(Server):
    def __init__(self, data, port=0, binary=None):
        self.data = pathlib.Path(data)
        binary = binary or BUILD / "src/cli/cloudkeep"
        super().__init__([binary, "up", "--data", self.data, "--listen", f"127.0.0.1:{port}", "--regions", REGIONS], r"port=(\d+)", f"{data}.log")

    def root(self):
        return json.loads((self.data / "root.json").read_text())

    def client(self, service, region="us-east-1", key=None, secret=None):
        root = self.root()
        return super().client(service, region, key or root["access_key_id"], secret or root["secret_access_key"])


class Echo(Server):
    def __init__(self):
        super().__init__([BUILD / "bench/bench_echo", str(os.cpu_count())], r"PORT (\d+)")


class Moto(Server):
    """moto chooses no port of its own and does not say when it is ready: it is asked until it answers."""

    def __init__(self):
        import socket
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        super().__init__([MOTO, "-H", "127.0.0.1", "-p", port], "")
        self.port = port

    def start(self):
        self.proc = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        sts = self.client("sts")
        while True:
            try:
                sts.get_caller_identity()
                return self
            except Exception:
                if time.monotonic() > deadline:
                    raise Failed("moto's server did not start") from None
                time.sleep(0.02)


class Captured(Exception):
    pass


def raw(request):
    """The bytes of a prepared request. Expect is left out: wrk does not wait for a 100."""
    path = re.sub(r"^https?://[^/]+", "", request.url) or "/"
    head = {k: v.decode() if isinstance(v, bytes) else v for k, v in request.headers.items() if k.lower() != "expect"}
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else body.read()
    head.setdefault("Host", re.match(r"^https?://([^/]+)", request.url)[1])
    head["Content-Length"] = str(len(body))
    if request.method in ("GET", "HEAD"):
        del head["Content-Length"]
    return f"{request.method} {path} HTTP/1.1\r\n".encode() + "".join(f"{k}: {v}\r\n" for k, v in head.items()).encode() + b"\r\n" + body


def capture(client, operation, each):
    """What boto3 would send for operation(**parameters), for each parameters: signed, not sent."""
    out = []

    def grab(request, **_):
        out.append(raw(request))
        raise Captured()

    client.meta.events.register("before-send", grab)
    for parameters in each:
        try:
            getattr(client, operation)(**parameters)
        except Captured:
            pass
    client.meta.events.unregister("before-send", grab)
    return out


class Replay:
    """One call, ready to be replayed at a server by wrk."""

    def __init__(self, server, folder, name, requests, connections=CONNECTIONS):
        self.server, self.name, self.connections = server, name, connections
        self.file = pathlib.Path(folder) / f"{type(server).__name__}-{name}.requests"
        self.file.write_bytes(b"".join(b"%d\n%s" % (len(r), r) for r in requests))

    def at(self, server):
        """The same bytes, sent to another server."""
        other = object.__new__(Replay)
        other.server, other.name, other.file, other.connections = server, self.name, self.file, self.connections
        return other

    def run(self, seconds):
        """requests/s, processor microseconds of the server per request, p50 and p99 in microseconds."""
        before = self.server.cpu()
        out = subprocess.run(["wrk", "-t1", f"-c{self.connections}", f"-d{seconds}s", "--timeout", "10", "-s", ROOT / "bench/replay.lua",
                              f"http://127.0.0.1:{self.server.port}/", "--", self.file], capture_output=True, text=True)
        used = self.server.cpu() - before
        r = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", out.stdout)}
        if not r.get("requests"):
            raise Failed(f"{self.name}: no answer: {(out.stdout + out.stderr).strip()[-200:]}")
        if r["refused"] or r["broken"]:
            raise Failed(f"{self.name}: {r['refused']} refused and {r['broken']} broken of {r['requests']}")
        return {"rate": r["requests"] / (r["us"] / 1e6), "cpu_us": used * 1e6 / r["requests"], "p50_us": r["p50"], "p99_us": r["p99"]}


class Folder:
    """A temporary directory that goes away, and the servers that were started in it."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="cloudkeep-bench-"))
        self.servers = []

    def add(self, server):
        self.servers.append(server)
        return server.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for s in self.servers:
            s.stop()
        shutil.rmtree(self.path, ignore_errors=True)
