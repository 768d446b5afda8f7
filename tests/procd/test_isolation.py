# SPDX-License-Identifier: Apache-2.0
"""Functions that try to get out, or to take the machine with them: as root, and as an ordinary user."""
import os
import pathlib
import shutil
import signal
import time

import pytest
from fn import TOOL, Tool, code, eventually, folder

NOBODY = 65534


def make_tool(rights):
    if rights == "root" and os.geteuid() != 0:
        pytest.skip("not root: user ids of their own and control groups cannot be given")
    if not TOOL.exists():
        pytest.fail("%s is not built" % TOOL)
    d = folder()
    user = None
    if rights == "user" and os.geteuid() == 0:
        user = NOBODY
        os.chown(d, NOBODY, NOBODY)
        # A copy that this user may run, wherever the build folder is.
        shutil.copy(TOOL, d / "fn_tool")
        t = Tool(d, user=user, tool=d / "fn_tool", env={"FN_RUNTIMES": "/nonexistent"})
    else:
        t = Tool(d)
    words = t.ask(isolation=True)["isolation"]
    if words.startswith("functions cannot be isolated here"):
        t.close()
        pytest.skip(words)
    t.words = words
    return t


@pytest.fixture(scope="module", params=["root", "user"])
def tool(request):
    t = make_tool(request.param)
    t.rights = request.param
    yield t
    rc, err = t.close()
    shutil.rmtree(t.folder, ignore_errors=True)
    assert rc == 0, err


PRELUDE = """
import os, socket, ctypes, errno, sys, mmap, time
libc = ctypes.CDLL(None, use_errno=True)
def err(f, *a):
    try:
        return ['ok', str(f(*a))]
    except OSError as e:
        return errno.errorcode[e.errno]
def call(nr, *a):
    ctypes.set_errno(0)
    r = libc.syscall(ctypes.c_long(nr), *a)
    return 'ok' if r >= 0 else errno.errorcode[ctypes.get_errno()]
"""


def run(tool, body, payload=None, **o):
    """Runs Python statements as a handler; `e` is the event."""
    tool.n_code = getattr(tool, "n_code", 0) + 1
    c = code(tool.folder, "i%d_py" % tool.n_code, PRELUDE + "def handler(e, c):\n" + "".join("    %s\n" % line for line in body.strip().split("\n")))
    r = tool.invoke(c, payload, **o)
    r["code"] = c
    return r


def test_says_what_is_in_force(tool):
    if tool.rights == "root":
        assert "own user id" in tool.words and "cgroup" in tool.words
    else:
        assert "user namespace" in tool.words and "no user id of its own" in tool.words and "cgroup" not in tool.words


def test_no_rights(tool):
    r = run(tool, """
status = dict(line.split(':', 1) for line in open('/proc/self/status').read().splitlines())
return [{k: status[k].strip() for k in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp', 'Groups')}, os.getuid(), os.getgid(), os.getpid()]
""")["value"]
    zero = "0" * 16
    groups = r[0].pop("Groups")
    assert r[0] == {"CapInh": zero, "CapPrm": zero, "CapEff": zero, "CapBnd": zero, "CapAmb": zero, "NoNewPrivs": "1", "Seccomp": "2"}
    assert r[1] == r[2] != 0 and r[3] == 2
    if tool.rights == "root":
        assert groups == "" and r[1] >= 1 << 30


def test_every_environment_is_another_user(tool):
    if tool.rights != "root":
        pytest.skip("an ordinary user has no other user ids to give")
    c = code(tool.folder, "uids_py", "import os, time\ndef handler(e, c):\n    time.sleep(1)\n    return os.getuid()\n")
    ids = [tool.start(c) for _ in range(4)]
    assert len({tool.wait(i)["value"] for i in ids}) == 4


def test_setuid_and_new_rights(tool):
    r = run(tool, """
import subprocess
su = subprocess.run(['/bin/su', '-c', 'id'], capture_output=True) if os.path.exists('/bin/su') else None
return [err(os.setuid, 0), err(os.setgid, 0), err(os.setgroups, [0]), su.returncode if su else 1, os.statvfs('/usr').f_flag & os.ST_NOSUID, err(os.chown, '/tmp', 0, 0)]
""")["value"]
    assert r[0] in ("EPERM", "EINVAL") and r[1] in ("EPERM", "EINVAL") and r[2] in ("EPERM", "EINVAL")
    assert r[3] != 0 and r[4] and r[5] in ("EPERM", "EINVAL")


def test_nothing_but_tmp_is_writable(tool):
    r = run(tool, """
import pathlib
open('/tmp/mine', 'w').write('x')
out = {}
for top in ['/', '/var/task', '/var/runtime', '/opt', '/usr', '/usr/bin', '/etc', '/dev', '/var', '/etc/passwd', '/etc/hosts', '/proc/sys/kernel', '/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/var/runtime/bootstrap.py', '/var/task/app.py']:
    p = top if os.path.isfile(top) else top + '/x'
    out[top] = err(os.open, p, os.O_WRONLY | (0 if os.path.isfile(top) else os.O_CREAT))
out['flags'] = [os.statvfs(p).f_flag & os.ST_RDONLY for p in ('/', '/var/task', '/usr', '/opt', '/var/runtime')]
return out
""")["value"]
    assert r.pop("flags") == [1] * 5
    assert {k: v for k, v in r.items() if v not in ("EROFS", "EACCES", "EPERM", "ENOENT")} == {}


def test_the_hosts_files_are_not_there(tool):
    secret = tool.folder / "master.key"
    secret.write_text("secret")
    other = code(tool.folder, "other%s_py" % tool.rights, "x = 1\n")
    r = run(tool, """
seen = [p for p in e if os.path.exists(p)]
return [seen, sorted(os.listdir('/')), sorted(os.listdir('/proc/1/root') if os.access('/proc/1/root', os.R_OK) else []), sorted(os.listdir('/dev')), open('/proc/self/mountinfo').read()]
""", [str(secret), str(other), str(tool.folder), "/etc/shadow", "/root", "/home", "/boot", "/sys", "/run", "/var/run", "/var/lib", "/mnt", "/etc/ssl/private"])["value"]
    assert r[0] == []
    assert set(r[1]) <= {"bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "opt", "proc", "sbin", "tmp", "usr", "var"}
    assert r[2] in ([], r[1])
    assert r[3] == ["fd", "full", "null", "random", "stderr", "stdin", "stdout", "urandom", "zero"]
    assert "secret" not in r[4]


def test_only_its_own_processes(tool):
    r = run(tool, """
pids = [int(p) for p in os.listdir('/proc') if p.isdigit()]
return [pids, err(os.kill, 1, 9), err(open, '/proc/1/environ'), err(open, '/proc/1/mem', 'rb'), err(os.readlink, '/proc/1/fd/3')]
""")["value"]
    assert r[0] == [1, 2] and r[2] in ("EACCES", "EPERM") and r[3] in ("EACCES", "EPERM") and r[4] in ("EACCES", "EPERM", "ENOENT")


def test_calls_that_are_refused(tool):
    r = run(tool, """
return {
 'mount': call(165, b'none', b'/tmp', b'tmpfs', 0, None), 'umount': call(166, b'/tmp', 0), 'pivot_root': call(155, b'/', b'/tmp'), 'chroot': call(161, b'/tmp'),
 'unshare user': call(272, 0x10000000), 'unshare net': call(272, 0x40000000), 'setns': call(308, 0, 0), 'clone newuser': call(56, 0x10000000 | 17, None, None, None, None),
 'clone3': call(435, None, 88), 'ptrace': call(101, 0, 0, None, None), 'process_vm_readv': call(310, 1, None, 0, None, 0, 0), 'bpf': call(321, 0, None, 0), 'keyctl': call(250, 0, 0, 0),
 'add_key': call(248, b'user', b'x', b'y', 1, -1), 'io_uring': call(425, 1, None), 'userfaultfd': call(323, 0), 'perf': call(298, None, 0, -1, -1, 0), 'init_module': call(175, None, 0, None),
 'kexec': call(246, 0, 0, None, 0), 'open_by_handle_at': call(304, 0, None, 0), 'reboot': call(169, 0xfee1dead, 672274793, 0x1234567, None), 'swapon': call(167, b'/tmp/x', 0),
 'fsopen': call(430, b'tmpfs', 0), 'open_tree': call(428, -100, b'/', 1), 'mknod': call(133, b'/tmp/dev', 0o20666, 0x101), 'settimeofday': call(164, None, None), 'seccomp': call(317, 0, 0, None),
 'sethostname': call(170, b'x', 1), 'personality': call(135, 0x0040000), 'unknown': call(999),
}
""")["value"]
    want = {k: "EPERM" for k in r}
    want["unknown"] = want["clone3"] = "ENOSYS"
    want["clone newuser"] = r["clone newuser"] if r["clone newuser"] in ("ENOSYS", "EPERM") else "refused"
    assert r == want


def test_sockets(tool):
    r = run(tool, """
def sock(f, t, p=0):
    return err(lambda: socket.socket(f, t, p).close())
return {'raw': sock(2, 3, 1), 'packet': sock(17, 3, 768), 'netlink audit': sock(16, 3, 9), 'netlink generic': sock(16, 3, 16), 'vsock': sock(40, 1), 'alg': sock(38, 5),
        'bluetooth': sock(31, 3), 'xdp': sock(44, 3), 'netlink route': sock(16, 3, 0), 'tcp': sock(2, 1), 'udp6': sock(10, 2), 'unix': sock(1, 1)}
""")["value"]
    allowed = {k for k, v in r.items() if v == ["ok", "None"]}
    assert allowed == {"netlink route", "tcp", "udp6", "unix"}, r


def test_no_other_network(tool):
    """Nor the port of a service of this machine, which listens on the host's loopback."""
    import socket
    host = socket.create_server(("127.0.0.1", 0))
    r = run(tool, """
def conn(ip, port, f=socket.AF_INET):
    s = socket.socket(f)
    s.settimeout(1)
    return err(s.connect, (ip, port))
import socket as so
u = so.socket(so.AF_INET, so.SOCK_DGRAM)
return [conn('10.0.0.1', 80), conn('8.8.8.8', 53), conn('169.254.169.254', 80), conn('127.0.0.1', e), conn('127.0.0.1', 22), conn('::1', 443, so.AF_INET6), conn('2001:db8::1', 80, so.AF_INET6),
        err(u.sendto, b'x', ('8.8.8.8', 53)), sorted(n for _, n in so.if_nameindex() if n == 'lo' or not n.startswith(('tunl', 'sit', 'ip6', 'gre', 'erspan', 'ip_vti')))]
""", host.getsockname()[1])["value"]
    host.close()
    assert r[:3] == ["ENETUNREACH"] * 3 and r[3:5] == ["ECONNREFUSED"] * 2
    assert r[5] in ("ECONNREFUSED", "EADDRNOTAVAIL", "ENETUNREACH", "EAFNOSUPPORT") and r[6] in ("ENETUNREACH", "EAFNOSUPPORT", "EADDRNOTAVAIL")
    assert r[7] == "ENETUNREACH" and r[8] == ["lo"]


def test_another_functions_runtime_api_is_out_of_reach(tool):
    """Each has its own 127.0.0.1:9001: what one answers is only ever its own invocation's."""
    c = code(tool.folder, "victim_py", "import time\ndef handler(e, c):\n    time.sleep(1)\n    return c.aws_request_id\n")
    victim = tool.start(c)
    time.sleep(0.5)
    r = run(tool, """
import http.client
c9 = http.client.HTTPConnection('127.0.0.1', 9001)
out = []
for i in range(3):
    c9.request('POST', '/2018-06-01/runtime/invocation/%s/response' % ('0' * 8), '"stolen"')
    out.append(c9.getresponse().status)
    c9.close()
return out
""")
    assert r["value"] == [400] * 3
    v = tool.wait(victim)
    assert v["outcome"] == "DONE" and v["value"] != "stolen" and v["environment"] != r["environment"]


def test_files_of_another_environment_are_not_seen(tool):
    a = run(tool, "open('/tmp/secret', 'w').write('s')\nopen('/dev/null', 'w').write('x')\nreturn os.listdir('/tmp')")
    b = run(tool, "return [os.listdir('/tmp'), os.path.exists('/dev/shm'), os.listdir('/dev/mqueue') if os.path.exists('/dev/mqueue') else []]")
    assert a["value"] == ["secret"] and b["value"] == [[], False, []]


# --- taking too much ---
def test_nothing_is_inherited(tool):
    """Neither procd's descriptors nor limits by which one would take the machine from others."""
    r = run(tool, """
import fcntl
fds = {}
for n in os.listdir('/proc/self/fd'):
    try:
        fds[int(n)] = os.readlink('/proc/self/fd/' + n).split(':')[0]
    except OSError:
        pass
score = os.open('/proc/self/oom_score_adj', os.O_WRONLY)
return {'0': fds.pop(0), '1': fds.pop(1), '2': fds.pop(2), 'others': sorted(set(fds.values())), 'nice': err(os.nice, -5), 'fifo': err(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1)),
        'oom': err(os.write, score, b'-500'), 'tty': err(lambda: fcntl.ioctl(0, 0x5412, b'x')), 'keys': open('/proc/keys').read() if os.path.exists('/proc/keys') else '',
        'kallsyms': open('/proc/kallsyms').readline().split()[0].strip('0') if os.access('/proc/kallsyms', os.R_OK) else ''}
""")["value"]
    assert set(r.pop("others")) <= {"socket"}  # the connection to its own Runtime API
    assert r == {"0": "/dev/null", "1": "pipe", "2": "pipe", "nice": "EPERM", "fifo": "EPERM", "oom": "EACCES", "tty": "ENOTTY", "keys": "", "kallsyms": ""}


def test_two_environments_share_no_names(tool):
    """Neither System V memory nor abstract sockets lead from one to the other."""
    body = """
shm = libc.shmget(0x4b4b, 4096, 0o1666)
s = socket.socket(socket.AF_UNIX)
bound = err(s.bind, '\\0cloudkeep')
s.listen(1)
time.sleep(1)
return [shm >= 0, bound]
"""
    c = code(tool.folder, "names_py", PRELUDE + "def handler(e, c):\n" + "".join("    %s\n" % line for line in body.strip().split("\n")))
    first = tool.start(c)
    time.sleep(0.3)
    r = run(tool, "s = socket.socket(socket.AF_UNIX)\nreturn [libc.shmget(0x4b4b, 4096, 0) >= 0, err(s.connect, '\\0cloudkeep')]")["value"]
    assert tool.wait(first)["value"] == [True, ["ok", "None"]]
    assert r == [False, "ECONNREFUSED"]


@pytest.mark.parametrize("way", ["int80", "x32"])
def test_no_other_way_to_call_the_kernel(tool, way):
    """The filter knows the numbers of one architecture: calls by those of another must end the program, not pass."""
    if os.uname().machine != "x86_64":
        pytest.skip("x86-64's")
    r = run(tool, """
codes = {'int80': b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3', 'x32': b'\\xb8\\x27\\x00\\x00\\x40\\x0f\\x05\\xc3'}  # getpid
pid = os.fork()
if pid == 0:
    m = mmap.mmap(-1, 4096, prot=7)
    m.write(codes[e])
    f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))
    os._exit(0 if f() > 0 else 1)
return os.waitpid(pid, 0)[1]
""", way)["value"]
    assert r != 0


def test_memory_hog(tool):
    body = "global hog\nhog = []\nfor i in range(e):\n    hog.append(b'x' * (1 << 20))\nreturn len(hog)"
    if tool.rights == "root":
        r = run(tool, body, 400, memory=128, timeout=20000)
        assert (r["outcome"], r["exit_text"]) == ("NO_MEMORY", "signal: killed")
        assert 100 <= r["memory_mb"] <= 129
        assert run(tool, body, 40, memory=128)["value"] == 40
    else:
        r = run(tool, body, 4000, memory=128, timeout=20000)
        assert (r["outcome"], r["error_type"]) == ("FAILED", "MemoryError")


def test_disk_filler(tool):
    r = run(tool, """
n = 0
try:
    with open('/tmp/fill', 'wb') as f:
        for i in range(e):
            f.write(b'x' * (1 << 20)); f.flush(); n += 1
except OSError as x:
    return [n, errno.errorcode[x.errno]]
return [n, 'none']
""", 64, tmp=16, memory=512)["value"]
    assert r[0] in (15, 16) and r[1] in ("ENOSPC", "EFBIG")


def test_inode_filler(tool):
    r = run(tool, """
n = 0
try:
    for n in range(200000):
        os.close(os.open('/tmp/%d' % n, os.O_CREAT | os.O_WRONLY))
except OSError as x:
    return [n, errno.errorcode[x.errno]]
""", memory=1024, timeout=20000)["value"]
    assert r == [99999, "ENOSPC"] or r[0] < 100000 and r[1] == "ENOSPC"


def test_fork_bomb(tool):
    r = run(tool, """
n = 0
try:
    while n < 5000:
        if os.fork() == 0:
            time.sleep(60); os._exit(0)
        n += 1
except OSError as x:
    return [n, errno.errorcode[x.errno]]
return [n, 'none']
""", memory=2048, timeout=30000)
    assert r["value"][1] == "EAGAIN" and r["value"][0] < 1024
    tool.order(forget="")
    again = run(tool, "return 'alive'")
    assert again["value"] == "alive"


def test_open_files(tool):
    r = run(tool, "fds = []\ntry:\n    while True: fds.append(os.open('/dev/null', 0))\nexcept OSError as x:\n    return [len(fds) < 1024, errno.errorcode[x.errno]]")
    assert r["value"] == [True, "EMFILE"]


def test_connections_to_the_runtime_api(tool):
    r = run(tool, """
held = []
for i in range(200):
    s = socket.create_connection(('127.0.0.1', 9001)); held.append(s)
    s.sendall(b'POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 6000000\\r\\n\\r\\n' + b'x' * 1000)
return len(held)
""", timeout=10000)
    assert r["outcome"] in ("DONE", "FAILED")
    assert run(tool, "return 1")["value"] == 1


def resident_mb(t):
    line = next(x for x in pathlib.Path("/proc/%d/status" % t.proc.pid).read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


def test_the_runtime_api_keeps_nothing_that_nobody_asked_for(tool):
    """Bodies of answers to no invocation, and replies that are never read: the memory would be the serving process's."""
    assert run(tool, "return 1")["value"] == 1
    before = resident_mb(tool)
    r = run(tool, """
held = []
for i in range(8):
    s = socket.create_connection(('127.0.0.1', 9001)); held.append(s)
    s.settimeout(0.5)
    try:
        if i % 2:
            s.sendall(b'POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 6000000\\r\\n\\r\\n' + b'x' * 5999999)
        else:
            for k in range(200):
                s.sendall(b'GET /nothing HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' * 1000)
    except OSError:
        pass
return e
""", 7, timeout=20000)
    assert r["value"] == 7
    assert resident_mb(tool) - before < 16


def test_connections_to_the_cloud(tool):
    """One function cannot take the connections that others need."""
    r = run(tool, """
held, ended = [], 0
for i in range(600):
    s = socket.create_connection(('127.0.0.1', 443)); held.append(s)
time.sleep(0.5)
for s in held:
    s.setblocking(False)
    try:
        ended += s.recv(1) == b''
    except BlockingIOError:
        pass
    except OSError:
        ended += 1
return [len(held), ended]
""", timeout=10000)
    assert r["value"][0] == 600 and r["value"][1] >= 600 - 256
    ok = run(tool, "import http.client\nc = http.client.HTTPConnection('127.0.0.1', 443)\nc.request('GET', '/')\nreturn c.getresponse().status")
    assert ok["value"] == 200


def test_output_flood_harms_only_itself(tool):
    flood = code(tool.folder, "flood_py", "import sys\ndef handler(e, c):\n    while True: sys.stdout.write('x' * 65536)\n")
    n = tool.start(flood, timeout=1500)
    time.sleep(0.3)
    began = time.time()
    assert run(tool, "return 1")["value"] == 1
    assert time.time() - began < 3
    r = tool.wait(n)
    assert r["outcome"] == "TIMED_OUT"
    del tool.logs[:]


def processes_of(name):
    found = []
    for p in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (p / "environ").read_bytes().find(name.encode()) >= 0 or (p / "cmdline").read_bytes().find(name.encode()) >= 0:
                found.append(int(p.name))
        except OSError:
            pass
    return found


def groups(tool):
    import hashlib
    tag = "cloudkeep-" + hashlib.sha256(str((tool.folder / "fn").resolve()).encode()).hexdigest()[:12]
    return list(pathlib.Path("/sys/fs/cgroup").glob("*/%s*" % tag)) + list(pathlib.Path("/sys/fs/cgroup").glob(tag))


@pytest.mark.parametrize("victim", ["serving", "procd"])
@pytest.mark.parametrize("rights", ["root", "user"])
def test_kill_9_leaves_nothing(rights, victim):
    t = make_tool(rights)
    mark = "mark-%s-%d" % (victim, os.getpid())
    c = code(t.folder, "k_py", "import subprocess, time\ndef handler(e, c):\n    if e == 0: return 1\n    subprocess.Popen(['sleep', '300'])\n    time.sleep(300)\n")
    assert t.invoke(c, 0, env={"MARK": mark})["value"] == 1
    n = t.start(c, 1, env={"MARK": mark}, timeout=60000)
    eventually(lambda: len(processes_of(mark)) >= 2)
    if victim == "serving":
        t.proc.kill()
        t.proc.wait()
    else:
        procd = [p for p in processes_of(str(t.folder / "fn" / "root")) if p != t.proc.pid and pathlib.Path("/proc/%d/comm" % p).read_text().startswith("cloudkeep-procd")
                 and "NSpid:\t%d\n" % p in pathlib.Path("/proc/%d/status" % p).read_text()]
        assert procd
        os.kill(procd[0], signal.SIGKILL)
        assert t.wait(n)["outcome"] == "EXITED"
        time.sleep(1.1)
        assert t.invoke(c, 0, key="again")["value"] == 1  # it is started again
    eventually(lambda: processes_of(mark) == [])
    if victim == "procd":
        assert t.close()[0] == 0
    else:
        eventually(lambda: groups(t) == [])
    assert str(t.folder) not in pathlib.Path("/proc/self/mountinfo").read_text()
    eventually(lambda: groups(t) == [])
    shutil.rmtree(t.folder, ignore_errors=True)


def test_groups_of_a_crash_are_removed_at_the_next_start():
    t = make_tool("root")
    c = code(t.folder, "g", "exports.handler = async () => 1;")
    assert t.invoke(c)["value"] == 1
    procd = [p for p in processes_of(str(t.folder / "fn" / "root")) if p != t.proc.pid and "NSpid:\t%d\n" % p in pathlib.Path("/proc/%d/status" % p).read_text()]
    t.proc.send_signal(signal.SIGSTOP)
    for p in procd:
        os.kill(p, signal.SIGKILL)
    t.proc.kill()
    t.proc.wait()
    left = [g for top in groups(t) for g in top.iterdir() if g.is_dir()]
    assert left != []
    again = Tool(t.folder)
    assert "own user id" in again.ask(isolation=True)["isolation"]
    assert [g for g in left if g.exists()] == []
    assert again.close()[0] == 0
    assert groups(t) == []
    shutil.rmtree(t.folder, ignore_errors=True)


def test_what_cannot_be_set_up_makes_the_start_fail(tool):
    c = code(tool.folder, "f", "exports.handler = async () => 1;")
    r = tool.invoke(c, layers=[str(tool.folder / "is-not-there")])
    assert r["outcome"] == "REFUSED" and "is-not-there" in r["exit_text"]
    r = tool.invoke(tool.folder / "no-code", runtime="nodejs24.x", handler="index.handler")
    assert r["outcome"] == "REFUSED" and "no-code" in r["exit_text"]


# --- what is made ahead ---
def children(pid):
    return [int(p) for p in pathlib.Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split()]


def procd_of(t):
    return next(p for p in children(t.proc.pid) if pathlib.Path("/proc/%d/comm" % p).read_text().startswith("cloudkeep-procd"))


def spares(t):
    """First processes of sandboxes that have no program yet."""
    return {p for p in children(procd_of(t)) if not children(p)}


LOOK = """
import os
def handler(e, c):
    return {'fds': [os.readlink('/proc/self/fd/%s' % f).split(':')[0] for f in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/%s' % f)],
            'env': dict(os.environ), 'tmp': os.listdir('/tmp'), 'pids': [p for p in os.listdir('/proc') if p.isdigit()], 'host': os.uname().nodename,
            'mounts': open('/proc/self/mountinfo').read()}
"""


@pytest.mark.parametrize("rights", ["root", "user"])
def test_what_is_made_ahead_is_used_once_and_knows_nobody(rights):
    t = make_tool(rights)
    eventually(lambda: len(spares(t)) == 2)
    before, seen = spares(t), []
    one, two = code(t.folder, "one_py", LOOK), code(t.folder, "two_py", LOOK)
    for c, mark in ((one, "first"), (two, "second")):
        r = t.invoke(c, env={"MARK": mark})["value"]
        seen.append(r)
        assert sorted(r["fds"])[:1] == ["/dev/null"] and sorted(r["fds"])[1:] == ["pipe", "pipe", "socket"]
        assert r["env"]["MARK"] == mark and r["tmp"] == [] and len(r["pids"]) == 2
        assert "master:" not in r["mounts"] and "shared:" not in r["mounts"]
    assert seen[0]["host"] != seen[1]["host"] and "one_py" not in seen[1]["mounts"]
    used = {p for p in children(procd_of(t)) if children(p)}
    assert used & before and len(used) == 2
    eventually(lambda: len(spares(t)) == 2 and not spares(t) & used)
    t.order(forget="")
    eventually(lambda: not used & set(children(procd_of(t))))
    dead = spares(t)
    for p in dead:  # what dies by itself is missed by nobody
        os.kill(p, signal.SIGKILL)
    eventually(lambda: not dead & set(children(procd_of(t))))
    assert t.invoke(one, env={"MARK": "third"})["value"]["env"]["MARK"] == "third"
    assert t.close()[0] == 0
    eventually(lambda: groups(t) == [] if rights == "root" else True)
    shutil.rmtree(t.folder, ignore_errors=True)
