# SPDX-License-Identifier: Apache-2.0
"""Killed, stopped, and restarted under load: what was acknowledged stays, and others go on."""
import http.client
import signal
import socket
import time
import urllib.parse

from cloud_load import Load, command, env_int


def test_kill_9_under_mixed_load_loses_nothing(own_cloud):
    load = Load(own_cloud)
    for _ in range(env_int("CLOUDKEEP_CHAOS_ROUNDS", 3)):
        load.start()
        time.sleep(1.2)
        own_cloud.kill()
        load.join()
        own_cloud.start()
    assert len(load.keys) > 10 and load.users and load.objects and load.refused == []
    load.check()
    load.check_trail()


def test_sigterm_under_load_ends_cleanly(own_cloud):
    load = Load(own_cloud)
    load.start()
    time.sleep(1)
    assert own_cloud.stop() == 0
    load.join()
    own_cloud.start()
    assert load.keys and load.refused == []
    load.check()
    load.check_trail()


def test_sigterm_answers_what_is_in_flight(own_cloud):
    s3 = own_cloud.client("s3", plain=True, signature_version="s3v4")
    s3.create_bucket(Bucket="in-flight")
    url = urllib.parse.urlsplit(s3.generate_presigned_url("put_object", Params={"Bucket": "in-flight", "Key": "k"}))
    c = http.client.HTTPConnection("127.0.0.1", own_cloud.port, timeout=10)
    c.putrequest("PUT", url.path + "?" + url.query)
    c.putheader("Content-Length", "200000")
    c.endheaders()
    c.send(b"a" * 100000)
    time.sleep(0.2)
    own_cloud.proc.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    c.send(b"b" * 100000)
    assert c.getresponse().status == 200
    assert own_cloud.proc.wait(20) == 0
    own_cloud.start()
    assert own_cloud.client("s3").get_object(Bucket="in-flight", Key="k")["Body"].read() == b"a" * 100000 + b"b" * 100000


def made(load, region):
    return len([k for k, (r, _) in list(load.keys.items()) if r == region])


def test_regions_stop_and_start_while_others_go_on(own_cloud):
    load = Load(own_cloud)
    load.start(a_region=1)
    for _ in range(3):
        time.sleep(0.5)
        command(own_cloud, "region", "stop", "us-west-2")
        before, end = made(load, "eu-west-1"), time.time() + 20
        time.sleep(0.5)
        while made(load, "eu-west-1") == before and time.time() < end:
            time.sleep(0.05)
        assert made(load, "eu-west-1") > before
        command(own_cloud, "region", "start", "us-west-2")
    time.sleep(0.5)
    load.join()
    assert {x for x in load.refused} <= {("us-west-2", "ServiceUnavailable")}
    assert ("us-west-2", "ServiceUnavailable") in load.refused
    load.check()
    load.check_trail()


def test_clients_that_vanish_in_mid_upload_leave_nothing(own_cloud):
    s3 = own_cloud.client("s3", plain=True, signature_version="s3v4")
    s3.create_bucket(Bucket="vanish")
    before = {f for f in (own_cloud.data / "regions" / "us-east-1").rglob("*") if f.is_file() and "store" not in f.parts}
    for i in range(20):
        url = urllib.parse.urlsplit(s3.generate_presigned_url("put_object", Params={"Bucket": "vanish", "Key": "k%d" % i}))
        s = socket.create_connection(("127.0.0.1", own_cloud.port))
        s.sendall(("PUT %s?%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 500000\r\n\r\n" % (url.path, url.query, own_cloud.port)).encode() + b"x" * (i * 20000))
        s.close()
    end = time.time() + 10
    while time.time() < end:
        left = {f for f in (own_cloud.data / "regions" / "us-east-1").rglob("*") if f.is_file() and "store" not in f.parts} - before
        if not [f for f in left if f.suffix != ".jsonl"]:
            break
        time.sleep(0.2)
    assert not [f for f in left if f.suffix != ".jsonl"]
    assert s3.list_objects_v2(Bucket="vanish")["KeyCount"] == 0
