# SPDX-License-Identifier: Apache-2.0
"""The command `cloudkeep`: starting, stopping, state, help and bad input. Uses the supervisor, as users do."""
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest

from cli_tool import ROOT, alive, binary, data, run, state, up, wait  # noqa: F401

COMMANDS = ["up", "down", "status", "env", "region", "clock", "trail", "explain", "export", "import", "deploy", "destroy", "prove"]


# --- help and bad input ---
def test_help_of_the_program():
    p = run("--help", check=0)
    for c in COMMANDS:
        assert re.search(r"^  %s\b" % c, p.stdout, re.M)
    assert "cloudkeep up --detach" in p.stdout
    assert run(check=2).stdout == p.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_teaches_by_example(command):
    p = run(command, "--help", check=0)
    assert p.stdout.startswith("cloudkeep %s - " % command)
    assert "Examples:\n  " in p.stdout and "cloudkeep " + command in p.stdout.split("Examples:")[1]
    assert "--data DIR" in p.stdout
    assert run("help", command, check=0).stdout == p.stdout
    assert not p.stderr
    assert "\033" not in p.stdout


@pytest.mark.parametrize("args, said", [
    (["fly"], "there is no command fly"),
    (["help", "fly"], "there is no command fly"),
    (["--data", "x", "up"], "there is no command"),
    (["up", "--wings"], "there is no option --wings"),
    (["up", "-x"], "there is no option -x"),
    (["up", "now"], "one word too many"),
    (["up", "--listen"], "--listen needs a value"),
    (["up", "--detach=yes"], "takes no value"),
    (["up", "--regions", "us-east-1,moon-base-1"], "moon-base-1 is not the name of a region"),
    (["up", "--regions", ","], "names no region"),
    (["up", "--root-key", "short:key"], "--root-key takes ID:SECRET"),
    (["up", "--root-key", "AKIA0123456789AB-CD:0123456789abcdef"], "none of A-Z"),
    (["region"], "is missing"),
    (["region", "paint", "us-east-1"], "started, stopped or listed"),
    (["region", "start"], "which region"),
    (["clock", "tomorrow"], "no step forward"),
    (["clock", "+5parsecs"], "no step forward"),
    (["clock", "+99999999999999999999d"], "no step forward"),
    (["trail", "--last", "many"], "--last many"),
    (["explain", "--principal", "root"], "--principal, --action and --resource"),
    (["export"], "FILE is missing"),
    (["deploy", "web"], "which template"),
    (["deploy"], "STACK is missing"),
    (["destroy", "web", "--regions", "a,a"], "twice"),
    (["deploy", "web", "--template", "/dev/null", "--aws", "--endpoint-url", "http://127.0.0.1:1"], "two clouds"),
    (["deploy", "web", "--template", "/dev/null", "--parameter", "novalue"], "NAME=VALUE"),
])
def test_what_is_not_understood(args, said, data):
    p = run(*args, data=data, check=2)
    assert said in p.stderr and not p.stdout
    assert not data.exists()


@pytest.mark.parametrize("args", [["status"], ["env"], ["region", "list"], ["clock"], ["explain", "--principal", "user/a", "--action", "s3:X", "--resource", "*"],
                                  ["trail"], ["export", "f"], ["deploy", "s", "--template", "/dev/null"], ["destroy", "s"]])
def test_without_a_cloud(args, data):
    p = run(*args, data=data)
    assert p.returncode == (2 if args[0] == "explain" else 1)
    assert "there is no cloud in" in p.stderr
    assert not data.exists()


def test_down_is_fine_when_nothing_runs(data):
    assert "Nothing runs" in run("down", data=data, check=0).stdout


# --- starting ---
def test_detach_status_down(data):
    p = up(data)
    port = int(p.stdout.split("port=")[1].split()[0])
    assert "eval" in p.stdout and "https://localhost:%d" % port in p.stdout
    s = state(data)
    assert s["port"] == port and alive(s["pid"]) and alive(s["supervisor"])
    assert oct((data / "cloudkeep.json").stat().st_mode & 0o777) == "0o600"
    assert oct((data / "admin.sock").stat().st_mode & 0o777) == "0o600"
    assert oct(data.stat().st_mode & 0o777) == "0o700"
    st = json.loads(run("status", "--json", data=data, check=0).stdout)
    assert st["up"] and st["port"] == port and [r["name"] for r in st["regions"] if r["up"]] == ["us-east-1", "us-west-2", "eu-west-1"]
    assert "us-west-2" in run("status", data=data, check=0).stdout
    begin = time.monotonic()
    assert "Stopped" in run("down", data=data, check=0).stdout
    assert time.monotonic() - begin < 5
    assert not alive(s["pid"]) and not alive(s["supervisor"])
    assert not (data / "cloudkeep.json").exists() and not (data / "admin.sock").exists()
    assert run("status", data=data, check=1).stderr.count("is not running") == 1
    assert json.loads(run("status", "--json", data=data, check=1).stdout) == {"up": False}


def test_second_up_on_the_same_data_is_refused(data):
    up(data)
    s = state(data)
    p = up(data, check=1)
    assert "in use by process %d" % s["pid"] in p.stderr and "port=" not in p.stdout
    p = run("up", "--no-supervisor", "--listen", "127.0.0.1:0", data=data, check=1)
    assert "in use by process %d" % s["pid"] in p.stderr
    assert state(data) == s and alive(s["pid"])
    run("status", data=data, check=0)


def test_port_in_use(data):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        p = run("up", "--listen", "127.0.0.1:%d" % s.getsockname()[1], data=data, check=1)
    assert "another program uses this port" in p.stderr and "--listen" in p.stderr
    assert not (data / "cloudkeep.json").exists()


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:99999", "127.0.0.1:", "192.0.2.1:0", ":0"])
def test_bad_address(listen, data):
    p = run("up", "--listen", listen, data=data, check=1)
    assert "cannot listen on " + listen in p.stderr


def test_bad_directory(tmp_path):
    f = tmp_path / "file"
    f.write_text("")
    assert "not a directory" in run("up", "--data", f, check=1).stderr
    assert "cannot be made" in run("up", "--data", tmp_path / "a" / "b", check=1).stderr


def test_wrong_and_damaged_master_key(data, tmp_path):
    up(data)
    run("down", data=data, check=0)
    other = tmp_path / "other.key"
    other.write_bytes(os.urandom(32))
    p = up(data, "--master-key-file", str(other), check=1)
    assert "does not belong to the data" in p.stderr
    other.write_bytes(b"short")
    assert up(data, "--master-key-file", str(other), check=1).stderr
    up(data)


def test_damaged_root_and_store(data):
    up(data)
    run("down", data=data, check=0)
    root = (data / "root.json").read_text()
    (data / "root.json").write_text("{")
    assert "damaged" in up(data, check=1).stderr
    (data / "root.json").write_text(root)
    mdb = data / "regions" / "us-west-2" / "store" / "data.mdb"
    whole = mdb.read_bytes()
    mdb.write_bytes(os.urandom(len(whole)))
    p = up(data, check=1)
    assert p.stderr.strip() and "port=" not in p.stdout
    mdb.write_bytes(whole)
    up(data)


def test_kill_9_then_up(data):
    up(data)
    s = state(data)
    os.kill(s["supervisor"], signal.SIGKILL)
    wait(lambda: not alive(s["pid"]))  # the kernel ends the child with its parent
    assert (data / "cloudkeep.json").exists()
    assert "is not running" in run("status", data=data, check=1).stderr
    up(data)
    assert state(data)["pid"] != s["pid"]
    run("status", data=data, check=0)


def test_a_stale_state_that_names_a_living_process_is_not_believed(data):
    up(data)
    run("down", data=data, check=0)
    (data / "cloudkeep.json").write_text(json.dumps({"pid": os.getpid(), "port": 1, "listen": "x", "started": "x"}))
    assert "is not running" in run("status", data=data, check=1).stderr
    assert "Nothing runs" in run("down", data=data, check=0).stdout
    assert alive(os.getpid())
    up(data)


def test_a_crash_is_reported_and_the_same_port_serves_again(data):
    up(data)
    s = state(data)
    os.kill(s["pid"], signal.SIGSEGV)
    wait(lambda: state(data)["pid"] != s["pid"])
    t = state(data)
    assert t["port"] == s["port"] and t["supervisor"] == s["supervisor"]
    assert json.loads(run("status", "--json", data=data, check=0).stdout)["port"] == s["port"]
    log = (data / "log").read_text()
    assert "process %d" % s["pid"] in log and "crashed: Segmentation fault" in log and "started again" in log


def test_crashing_in_a_circle_ends(data):
    up(data)
    s = state(data)
    for _ in range(8):
        try:
            t = state(data)
        except FileNotFoundError:
            break
        try:
            os.kill(t["pid"], signal.SIGABRT)
        except ProcessLookupError:
            break
        wait(lambda: not alive(s["supervisor"]) or state(data)["pid"] != t["pid"])
        if not alive(s["supervisor"]):
            break
    wait(lambda: not alive(s["supervisor"]))
    assert "too often" in (data / "log").read_text()
    up(data)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("mode", [[], ["--no-supervisor"]])
def test_signals_stop_it_cleanly(how, mode, data):
    p = subprocess.Popen([str(binary()), "up", "--data", str(data), "--listen", "127.0.0.1:0", *mode], stdout=subprocess.PIPE, text=True)
    assert "port=" in p.stdout.readline()
    begin = time.monotonic()
    p.send_signal(how)
    assert p.wait(10) == 0
    assert time.monotonic() - begin < 3
    assert not (data / "cloudkeep.json").exists()
    p.stdout.close()


def test_ready_screen_only_on_a_terminal(data):
    import pty
    main, sub = pty.openpty()
    p = subprocess.Popen([str(binary()), "up", "--data", str(data), "--listen", "127.0.0.1:0"], stdout=sub, stdin=sub, start_new_session=True)
    os.close(sub)
    text = b""
    while b"port=" not in text or not text.endswith(b"\n"):
        text += os.read(main, 1000)
    assert b"Cloudkeep serves account" in text and b"cloudkeep env --data" in text
    p.send_signal(signal.SIGINT)
    assert p.wait(10) == 0
    os.close(main)


def test_regions_are_remembered(data):
    up(data, "--regions", "eu-central-1, ap-south-1")
    run("region", "start", "us-east-2", data=data, check=0)
    run("region", "stop", "ap-south-1", data=data, check=0)
    run("down", data=data, check=0)
    up(data)
    st = json.loads(run("region", "list", "--json", data=data, check=0).stdout)
    assert sorted(r["name"] for r in st if r["up"]) == ["eu-central-1", "us-east-2"]
    assert "is not the name" in run("region", "start", "mars-north-1", data=data, check=1).stderr
    assert "no region" in run("region", "stop", "sa-east-1", data=data, check=1).stderr


def test_root_key_and_env_quoting(tmp_path):
    d = tmp_path / "da'ta $HOME"
    try:
        run("up", "--detach", "--listen", "127.0.0.1:0", "--data", d, "--root-key", "AKIAROOTKEY012345678:se'cret/with+$signs-0123456789", check=0)
        p = run("env", "--data", d, "--region", "eu-west-1", check=0)
        q = subprocess.run(["bash", "-c", 'export AWS_SESSION_TOKEN=old AWS_PROFILE=old; eval "$1"; env', "-", p.stdout], capture_output=True, text=True, check=True)
        e = dict(line.split("=", 1) for line in q.stdout.splitlines() if "=" in line)
        assert e["AWS_ACCESS_KEY_ID"] == "AKIAROOTKEY012345678" and e["AWS_SECRET_ACCESS_KEY"] == "se'cret/with+$signs-0123456789"
        assert e["AWS_CA_BUNDLE"] == e["NODE_EXTRA_CA_CERTS"] == str(d / "tls" / "ca.pem")
        assert e["AWS_REGION"] == e["AWS_DEFAULT_REGION"] == "eu-west-1" and e["AWS_EC2_METADATA_DISABLED"] == "true"
        assert "AWS_SESSION_TOKEN" not in e and "AWS_PROFILE" not in e
        j = json.loads(run("env", "--data", d, "--json", check=0).stdout)
        assert j["AWS_ENDPOINT_URL"] == e["AWS_ENDPOINT_URL"]
    finally:
        run("down", "--data", d)


def test_env_works_with_the_aws_cli(data):
    up(data)
    account = json.loads((data / "root.json").read_text())["account"]
    env = run("env", data=data, check=0).stdout
    aws = ROOT / ".venv" / "bin" / "aws"
    q = subprocess.run(["bash", "-c", 'eval "$1"; "$2" sts get-caller-identity', "-", env, str(aws)], capture_output=True, text=True)
    assert q.returncode == 0, q.stderr
    assert json.loads(q.stdout) == {"UserId": account, "Account": account, "Arn": "arn:aws:iam::%s:root" % account}


# --- certificates and addresses ---
def names(data, port, host="localhost", address="127.0.0.1"):
    c = ssl.create_default_context(cafile=str(data / "tls" / "ca.pem"))
    with socket.create_connection((address, port)) as s, c.wrap_socket(s, server_hostname=host) as t:
        return [v for _, v in t.getpeercert()["subjectAltName"]]


def test_certificate_covers_every_name_and_is_kept(data):
    up(data)
    port = state(data)["port"]
    account = json.loads((data / "root.json").read_text())["account"]
    got = names(data, port)
    for n in ["localhost", "*.localhost", "s3.localhost", "*.s3.localhost", "127.0.0.1", account + ".localhost"]:
        assert n in got
    for host in ["bucket.s3.localhost", "127.0.0.1", account + ".localhost"]:
        names(data, port, host)
    pem, ca = (data / "tls" / "server.pem").read_bytes(), (data / "tls" / "ca.pem").read_bytes()
    assert oct((data / "tls" / "ca.key").stat().st_mode & 0o777) == "0o600"
    run("down", data=data, check=0)
    up(data)
    assert (data / "tls" / "server.pem").read_bytes() == pem
    run("down", data=data, check=0)
    (data / "tls" / "server.key").write_text("damaged")
    up(data)
    assert (data / "tls" / "server.pem").read_bytes() != pem and (data / "tls" / "ca.pem").read_bytes() == ca
    names(data, state(data)["port"])


def test_another_address_is_added_to_the_certificate(data):
    up(data)
    before = (data / "tls" / "server.pem").read_bytes()
    run("down", data=data, check=0)
    run("up", "--detach", "--listen", "127.0.0.9:0", data=data, check=0)
    assert "127.0.0.9" in names(data, state(data)["port"], "127.0.0.9", "127.0.0.9")
    assert (data / "tls" / "server.pem").read_bytes() != before


def test_beyond_loopback_only_tls_is_served(data):
    p = run("up", "--detach", "--listen", "0.0.0.0:0", data=data, check=0)
    assert "TLS only" in p.stdout
    port = state(data)["port"]
    names(data, port)
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.settimeout(10)
        s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try:
            answer = s.recv(1000)
        except ConnectionResetError:
            answer = b""
    assert b"200" not in answer.split(b"\r\n")[0] and b"MissingAuthentication" not in answer and b"AccessDenied" not in answer


# --- the admin socket ---
def ask(data, text, read=True):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        fd = os.open(data, os.O_PATH)
        s.connect("/proc/self/fd/%d/admin.sock" % fd)
        os.close(fd)
        s.sendall(text)
        out = b""
        while True:
            try:
                piece = s.recv(65536)
            except ConnectionResetError:
                break
            if not piece:
                return out
            out += piece
        return out


@pytest.mark.parametrize("text", [b"\n", b"hello\n", b"{}\n", b'{"do":"fly"}\n', b'{"do":["stop"]}\n', b'{"do":"status"}\n{"do":"stop"}\n', b"\xff\n",
                                  b"[" * 60000 + b"\n", b"x" * 70000, b'{"do":"clock","shift_ms":"x"}\n', b'{"do":"explain"}\n',
                                  b'{"do":"explain","principal":"root","action":"s3:X","resource":"*","region":"us-east-1","context":[]}\n'])
def test_admin_socket_closes_on_what_it_does_not_know(text, data):
    up(data)
    assert ask(data, text) == b""
    run("status", data=data, check=0)


def test_admin_socket_many_idle_clients(data):
    up(data)
    idle = []
    for _ in range(12):
        s = socket.socket(socket.AF_UNIX)
        fd = os.open(data, os.O_PATH)
        s.connect("/proc/self/fd/%d/admin.sock" % fd)
        os.close(fd)
        idle.append(s)
    for s in idle:
        s.close()
    wait(lambda: run("status", data=data).returncode == 0)


def test_long_data_path(tmp_path):
    d = tmp_path / ("x" * 120) / ("y" * 120)
    d.parent.mkdir()
    try:
        run("up", "--detach", "--listen", "127.0.0.1:0", "--data", d, check=0)
        run("status", "--data", d, check=0)
    finally:
        run("down", "--data", d, check=0)


def test_env_for_tools(data):
    """Each tool gets what it reads; the endpoint is an address, so that buckets go into the path and no name must resolve."""
    port = int(up(data).stdout.split("port=")[1].split()[0])
    everything = json.loads(run("env", "--json", data=data, check=0).stdout)
    assert everything["AWS_ENDPOINT_URL"] == "https://127.0.0.1:%d" % port
    cdk = json.loads(run("env", "--tool", "cdk", "--json", data=data, check=0).stdout)
    assert "NODE_EXTRA_CA_CERTS" in cdk and "AWS_ENDPOINT_URL_S3_CONTROL" not in cdk
    terraform = json.loads(run("env", "--tool", "terraform", "--json", data=data, check=0).stdout)
    assert "NODE_EXTRA_CA_CERTS" not in terraform and terraform["AWS_ENDPOINT_URL_S3_CONTROL"] == "https://localhost:%d" % port
    assert all(everything[k] == v for t in (cdk, terraform) for k, v in t.items())
    assert everything["CLOUDKEEP_DATA"] == str(data.resolve())  # `cloudkeep prove` works in the stack's folder too
    p = run("env", "--tool", "ansible", data=data)
    assert p.returncode == 2 and "cdk, terraform, pulumi, node" in p.stderr
    account = json.loads((data / "root.json").read_text())["account"]
    text = run("env", "--tool", "terraform", data=data, check=0).stdout
    assert "export AWS_CA_BUNDLE=" in text and (account + ".localhost" in text or resolves(account + ".localhost"))


def resolves(name):
    import socket
    try:
        socket.getaddrinfo(name, None)
        return True
    except OSError:
        return False
