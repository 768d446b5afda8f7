# SPDX-License-Identifier: Apache-2.0
"""Much at once: large uploads at flat memory, and thousands of connections that do nothing."""
import hashlib
import http.client
import resource
import socket
import time
import urllib.parse

import pytest
from cloud_load import env_int, status_kib

MIB = 1 << 20


def test_a_large_object_goes_through_at_flat_memory(own_cloud):
    """CLOUDKEEP_CHAOS_MIB=5120 for the largest that one PUT may carry."""
    size = env_int("CLOUDKEEP_CHAOS_MIB", 1024)
    s3 = own_cloud.client("s3", plain=True, signature_version="s3v4")
    s3.create_bucket(Bucket="large")
    s3.put_object(Bucket="large", Key="warm", Body=b"x" * MIB)
    before = status_kib(own_cloud, "VmHWM")
    block = hashlib.sha256(b"block").digest() * (MIB // 32)
    url = urllib.parse.urlsplit(s3.generate_presigned_url("put_object", Params={"Bucket": "large", "Key": "k"}, ExpiresIn=3600))
    c = http.client.HTTPConnection("127.0.0.1", own_cloud.port, timeout=120)
    c.putrequest("PUT", url.path + "?" + url.query)
    c.putheader("Content-Length", str(size * MIB))
    c.endheaders()
    for i in range(size):
        c.send(i.to_bytes(8, "big") + block[8:])
    r = c.getresponse()
    assert r.status == 200, r.read()
    r.read()
    c.close()
    body = s3.get_object(Bucket="large", Key="k")["Body"]
    for i in range(size):
        got = body.read(MIB)
        assert got[:8] == i.to_bytes(8, "big") and got[8:] == block[8:]
    assert body.read() == b""
    assert status_kib(own_cloud, "VmHWM") - before < 32 * 1024


def test_five_thousand_idle_connections_hinder_nobody(own_cloud):
    n = 5000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < n + 500:
        pytest.skip("only %d descriptors are allowed" % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, n + 500), hard))
    idle = []
    try:
        for i in range(n):
            s = socket.create_connection(("127.0.0.1", own_cloud.port), timeout=10)
            if i % 2:
                s.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Le")
            idle.append(s)
        kms = own_cloud.client("kms", plain=True)
        start = time.time()
        for _ in range(50):
            kms.create_key()
        assert time.time() - start < 10
        assert status_kib(own_cloud, "VmRSS") < 200 * 1024
    finally:
        for s in idle:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    own_cloud.client("kms").list_keys()
