# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command share: running it, and a data directory whose cloud is gone when the test is over."""
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def binary():
    return pathlib.Path(os.environ.get("CLOUDKEEP_BUILD", ROOT / "build")).resolve() / "src" / "cli" / "cloudkeep"


def run(*args, data=None, env=None, check=None, **kw):
    e = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and k != "CLOUDKEEP_DATA"}
    if data:
        e["CLOUDKEEP_DATA"] = str(data)
    e.update(env or {})
    p = subprocess.run([str(binary()), *map(str, args)], capture_output=True, text=True, env=e, timeout=120, **kw)
    if check is not None:
        assert p.returncode == check, p
    return p


def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


def wait(what, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        v = what()
        if v:
            return v
        time.sleep(0.01)
    pytest.fail("it did not happen in %s s" % seconds)


@pytest.fixture
def data(tmp_path):
    d = tmp_path / "data"
    yield d
    state = d / "cloudkeep.json"
    run("down", data=d)
    if state.exists():
        s = json.loads(state.read_text())
        for pid in (s.get("supervisor"), s["pid"]):
            if pid and alive(pid):
                os.kill(pid, signal.SIGKILL)


def up(data, *args, check=0):
    return run("up", "--detach", "--listen", "127.0.0.1:0", *args, data=data, check=check)


def state(data):
    return json.loads((data / "cloudkeep.json").read_text())
