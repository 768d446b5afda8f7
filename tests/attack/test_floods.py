# SPDX-License-Identifier: Apache-2.0
"""Who has no key gets no memory, and who is slow stops nobody."""
import hashlib
import socket
import subprocess
import threading
import time

import pytest

from tests.conftest import binary
from refusals import refused

BODY = 7 << 20
MIB = 1024


def peak_kib(cloud):
    for line in open("/proc/%d/status" % cloud.proc.pid):
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    raise AssertionError("no VmHWM")


def send_most(cloud, head, n):
    """Opens n connections that each send a body but for its last byte; returns them and the bytes that were taken."""
    conns, sent = [], [0] * n

    def one(i):
        s = socket.create_connection(("127.0.0.1", cloud.port), timeout=3)
        conns.append(s)
        try:
            s.sendall(head)
            block = b" " * 65536
            while sent[i] < BODY - 65536:
                sent[i] += s.send(block)
        except OSError:
            pass

    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return conns


def head(headers):
    lines = ["POST / HTTP/1.1"] + ["%s: %s" % kv for kv in dict(headers, **{"Content-Length": BODY}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def flood(cloud, headers, n, allowed_mib):
    before = peak_kib(cloud)
    conns = send_most(cloud, head(headers), n)
    grown = peak_kib(cloud) - before
    if "asan" in open("/proc/%d/maps" % cloud.proc.pid).read():
        allowed_mib += 512  # what is freed stays in quarantine
    for s in conns:
        s.close()
    assert grown < allowed_mib * MIB, "%d KiB more" % grown
    cloud.client("kms").list_keys()


def test_bodies_that_nobody_signed_are_not_collected(own_cloud):
    flood(own_cloud, {"Host": "localhost", "X-Amz-Target": "TrentService.Encrypt", "Content-Type": "application/x-amz-json-1.1"}, 40, 40)


def fake(cloud, key=None):
    return {"Host": "localhost", "X-Amz-Target": "TrentService.Encrypt", "Content-Type": "application/x-amz-json-1.1", "X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
            "Authorization": "AWS4-HMAC-SHA256 Credential=%s/%s/us-east-1/kms/aws4_request, SignedHeaders=host;x-amz-date, Signature=%s"
            % (key or "AKIANOBODYKNOWSTHISX", time.strftime("%Y%m%d", time.gmtime()), hashlib.sha256(b"x").hexdigest())}


def test_bodies_under_an_unknown_key_are_not_collected(own_cloud):
    flood(own_cloud, fake(own_cloud), 40, 40)
    s = socket.create_connection(("127.0.0.1", own_cloud.port), timeout=5)
    s.sendall(head(fake(own_cloud)))
    assert b"UnrecognizedClientException" in s.recv(65536)
    s.close()


def test_bodies_under_a_known_key_have_a_bound_in_all(own_cloud):
    """The id of a key is no secret."""
    flood(own_cloud, fake(own_cloud, own_cloud.key), 60, 300)


def test_a_slow_upload_does_not_keep_a_region_from_stopping(own_cloud):
    s3 = own_cloud.client("s3", region="us-west-2", signature_version="s3v4")
    s3.create_bucket(Bucket="slow-upload", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "slow-upload", "Key": "k"})
    path = url[url.index("/slow-upload"):]
    s = socket.create_connection(("127.0.0.1", own_cloud.port), timeout=5)
    s.sendall(("PUT %s HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 1000000\r\n\r\n" % (path, own_cloud.port)).encode() + b"x" * 1000)
    time.sleep(0.2)
    stop = subprocess.Popen([str(binary()), "region", "stop", "us-west-2", "--data", str(own_cloud.data)], stdout=subprocess.DEVNULL)
    end = time.time() + 10
    try:
        while stop.poll() is None and time.time() < end:
            s.send(b"x")
            time.sleep(0.1)
    except OSError:
        pass
    assert stop.wait(5) == 0
    s.settimeout(5)
    assert b"ServiceUnavailable" in s.recv(65536)
    s.close()
    refused("ServiceUnavailable", own_cloud.client("kms", region="us-west-2").list_keys)


def test_regions_started_and_stopped_by_many_at_once(own_cloud):
    """Each request to the admin socket is a thread of its own."""
    for _ in range(3):
        procs = [subprocess.Popen([str(binary()), "region", verb, "us-west-2", "--data", str(own_cloud.data)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                 for verb in ("stop", "start", "stop", "start", "stop", "start")]
        for p in procs:
            assert p.wait(30) in (0, 1)
    assert own_cloud.proc.poll() is None
    subprocess.run([str(binary()), "region", "start", "us-west-2", "--data", str(own_cloud.data)], stdout=subprocess.DEVNULL, check=True)
    own_cloud.client("kms", region="us-west-2").list_keys()


def test_a_missing_master_key_is_not_made_anew(own_cloud):
    own_cloud.stop()
    key = own_cloud.data / "master.key"
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(RuntimeError):
        own_cloud.start()
    assert not key.exists()
    key.write_bytes(kept)
    own_cloud.start()
