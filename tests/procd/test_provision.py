# SPDX-License-Identifier: Apache-2.0
"""Environments that are kept up: started ahead, used first, renewed, started again, and honest about what cannot be."""
import os
import signal

from fn import eventually


def ready(tool, key, n):
    eventually(lambda: tool.ask(provisioned=str(key))["ready"] == n, 30)


def test_started_ahead_and_used_first(tool, make):
    c = make("const t = Date.now(); exports.handler = async (e) => { await new Promise((r) => setTimeout(r, e || 0)); return {pid: process.pid, t}; };")
    tool.provision(c, 2)
    ready(tool, c, 2)
    assert tool.ask(provisioned=str(c)) == {"kept": True, "wanted": 2, "ready": 2, "failed": False, "init": False, "why": ""}
    a = tool.invoke(c)
    assert a["ahead"] and a["cold"] and a["init_us"] > 0
    ids = [tool.start(c, 700) for _ in range(3)]
    got = [tool.wait(i) for i in ids]
    assert sorted(r["ahead"] for r in got) == [False, True, True]  # the third had to start one of its own
    assert len({r["environment"] for r in got}) == 3
    tool.provision(c, 0)
    eventually(lambda: not tool.ask(provisioned=str(c))["kept"])
    assert not tool.invoke(c)["ahead"]


def test_started_again_after_an_end(tool, make):
    c = make("exports.handler = async (e) => { if (e) process.exit(1); return process.pid; };")
    tool.provision(c, 1)
    ready(tool, c, 1)
    first = tool.invoke(c)
    assert tool.invoke(c, 1)["outcome"] == "EXITED"
    ready(tool, c, 1)
    eventually(lambda: tool.invoke(c)["ahead"], 20)
    assert tool.invoke(c)["environment"] != first["environment"]


def test_renewed_before_credentials_end(tool, make):
    """Good for a second beyond the margins: then the next one is there before the first one goes."""
    c = make("exports.handler = async () => 1;")
    tool.provision(c, 1, expires_in=5000 + 60000 + 60000 + 1500)
    ready(tool, c, 1)
    first = tool.invoke(c)["environment"]
    eventually(lambda: len([x for x in tool.logs if x.get("up")]) >= 2, 20)
    eventually(lambda: tool.invoke(c)["environment"] != first, 20)
    assert tool.ask(provisioned=str(c))["ready"] == 1
    tool.provision(c, 0)


def test_what_cannot_start_is_failed(tool, make):
    bad = make("throw new Error('start');")
    big = make("exports.handler = async () => 1;")
    refused = make("exports.handler = async () => 2;")
    tool.provision(bad, 1)
    tool.provision(big, 1, memory=4000000)
    tool.provision(refused, 1, no_credentials=True)
    eventually(lambda: all(tool.ask(provisioned=str(c))["failed"] for c in (bad, big, refused)), 30)
    assert tool.ask(provisioned=str(bad))["init"]
    assert "4000000 MB" in tool.ask(provisioned=str(big))["why"]
    assert "credentials" in tool.ask(provisioned=str(refused))["why"]
    assert tool.ask(provisioned=str(big))["ready"] == 0
    for c in (bad, big, refused):
        tool.provision(c, 0)


def test_procd_that_dies_is_survived(tool, make):
    c = make("exports.handler = async () => 1;")
    tool.provision(c, 2)
    ready(tool, c, 2)
    before = len([x for x in tool.logs if x.get("up")])
    for task in os.listdir("/proc/%d/task" % tool.proc.pid):
        for pid in open("/proc/%d/task/%s/children" % (tool.proc.pid, task)).read().split():
            os.kill(int(pid), signal.SIGKILL)
    eventually(lambda: len([x for x in tool.logs if x.get("up")]) >= before + 2, 30)
    ready(tool, c, 2)
    assert tool.invoke(c)["ahead"]
