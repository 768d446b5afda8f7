# SPDX-License-Identifier: Apache-2.0
"""fn_tool as a fixture: functions.h driven by orders, one JSON object a line."""
import json
import os
import pathlib
import queue
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TOOL = pathlib.Path(os.environ.get("CLOUDKEEP_BUILD", ROOT / "build")).resolve() / "tests" / "procd" / "fn_tool"


class Tool:
    def __init__(self, folder, user=None, tool=TOOL, env=None):
        self.folder, self.n, self.logs, self.waiting = pathlib.Path(folder), 0, [], {}
        cmd = [str(tool), str(self.folder / "fn"), "serve"]
        if user is not None:
            cmd = ["setpriv", "--reuid=%d" % user, "--regid=%d" % user, "--clear-groups", "--"] + cmd
        self.proc = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.folder / "err", "ab"), text=True,
                                     env={**os.environ, **(env or {})})
        self.other = queue.Queue()
        self.lock = threading.Lock()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.proc.stdout:
            j = json.loads(line)
            if "log" in j:
                self.logs.append(j)
            elif "id" in j:
                self.waiting[j["id"]].put(j)
            else:
                self.other.put(j)

    def order(self, **o):
        with self.lock:
            self.proc.stdin.write(json.dumps(o) + "\n")
            self.proc.stdin.flush()

    def start(self, code, payload=None, **o):
        """Begins an invocation; the result is wait()'s."""
        with self.lock:
            self.n += 1
            n = self.n
        self.waiting[n] = queue.Queue()
        o.setdefault("runtime", "python3.12" if str(code).endswith("_py") else "nodejs24.x")
        o.setdefault("handler", "app.handler" if o["runtime"].startswith("python") else "index.handler")
        o.setdefault("key", str(code))
        self.order(invoke=n, code=str(code), payload=json.dumps(payload), **o)
        return n

    def provision(self, code, n, **o):
        """Keeps n environments up; give every invocation that may use them the same key."""
        o.setdefault("runtime", "python3.12" if str(code).endswith("_py") else "nodejs24.x")
        o.setdefault("handler", "app.handler" if o["runtime"].startswith("python") else "index.handler")
        o.setdefault("key", str(code))
        self.order(provision=n, code=str(code), **o)

    def wait(self, n, timeout=30):
        r = self.waiting[n].get(timeout=timeout)
        if r["outcome"] in ("DONE", "FAILED"):
            try:
                r["value"] = json.loads(r["payload"])
            except ValueError:
                pass
        return r

    def invoke(self, code, payload=None, **o):
        return self.wait(self.start(code, payload, **o))

    def ask(self, **o):
        self.order(**o)
        return self.other.get(timeout=20)

    def close(self):
        self.proc.stdin.close()
        code = self.proc.wait(20)
        return code, (self.folder / "err").read_text()


def code(folder, name, text, file=None):
    d = pathlib.Path(folder) / name
    d.mkdir(mode=0o755)
    (d / (file or ("app.py" if name.endswith("_py") else "index.js"))).write_text(text)
    return d


def folder():
    d = pathlib.Path(tempfile.mkdtemp(prefix="cloudkeep-fn-"))
    d.chmod(0o755)
    return d


def eventually(what, seconds=10):
    end = time.time() + seconds
    while not what():
        assert time.time() < end, "it did not come true"
        time.sleep(0.02)
