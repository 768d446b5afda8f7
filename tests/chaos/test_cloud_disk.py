# SPDX-License-Identifier: Apache-2.0
"""A disk that is full: calls fail cleanly, reads go on, and it works again when there is room."""
import os
import shutil
import subprocess
import tempfile
import time

import pytest
from botocore.exceptions import ClientError
from cloud_load import command
from tests.conftest import Cloud


@pytest.fixture
def small_disk():
    d = tempfile.mkdtemp(prefix="cloudkeep-disk-")
    r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "cloudkeep-test", d], capture_output=True, text=True)
    if r.returncode:
        os.rmdir(d)
        pytest.skip("a small disk cannot be mounted: " + r.stderr.strip())
    yield d
    subprocess.run(["umount", d], check=True)
    os.rmdir(d)


def fill(cloud, acked):
    """Puts until nothing more goes in; everything refused says so in the right words."""
    s3, ssm = cloud.client("s3"), cloud.client("ssm")
    for size in (1 << 20, 65536, 1000):
        for i in range(400):
            body = os.urandom(16) * (size // 16)
            try:
                s3.put_object(Bucket="full", Key="%d-%d" % (size, i), Body=body)
            except ClientError as e:
                assert (e.response["Error"]["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"]) == ("ServiceUnavailable", 503)
                break
            acked["%d-%d" % (size, i)] = body
    for i in range(3000):
        try:
            ssm.put_parameter(Name="/full/%d" % i, Value="v" * 4000, Type="String")
        except ClientError as e:
            assert (e.response["Error"]["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"]) == ("ServiceUnavailable", 503)
            return i
    raise AssertionError("the disk does not fill")


def check(cloud, acked, params):
    s3, ssm = cloud.client("s3"), cloud.client("ssm")
    for k, body in acked.items():
        assert s3.get_object(Bucket="full", Key=k)["Body"].read() == body
    for i in range(params):
        assert ssm.get_parameter(Name="/full/%d" % i)["Parameter"]["Value"] == "v" * 4000


def cpu_seconds(cloud):
    f = open("/proc/%d/stat" % cloud.proc.pid).read().rsplit(")", 1)[1].split()
    return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")


def test_full_disk(small_disk):
    log_dir = tempfile.mkdtemp()
    ballast = os.path.join(small_disk, "ballast")
    cloud = Cloud(os.path.join(small_disk, "data"))
    with open(ballast, "wb") as f:
        f.write(b"x" * (8 << 20))
    try:
        cloud.start()
        cloud.client("s3").create_bucket(Bucket="full")
        key = cloud.client("kms").create_key()["KeyMetadata"]["KeyId"]
        cloud.client("kms").enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        acked = {}
        params = fill(cloud, acked)
        assert len(acked) > 20
        check(cloud, acked, params)
        assert cloud.client("kms").describe_key(KeyId=key)["KeyMetadata"]["Enabled"]
        busy = cpu_seconds(cloud)
        time.sleep(1.5)
        assert cpu_seconds(cloud) - busy < 0.7, "it spins while the disk is full"
        os.unlink(ballast)
        cloud.client("ssm").put_parameter(Name="/full/again", Value="1", Type="String")
        cloud.client("s3").put_object(Bucket="full", Key="again", Body=b"again")
        acked["again"] = b"again"
        check(cloud, acked, params)
        names = {r["Name"] for p in cloud.client("ssm").get_paginator("describe_parameters").paginate() for r in p["Parameters"]}
        assert names == {"/full/%d" % i for i in range(params)} | {"/full/again"}
        cloud.kill()
        cloud.start()
        check(cloud, acked, params)
        command(cloud, "clock", "+91d")
        end = time.time() + 10
        while not cloud.client("kms").list_key_rotations(KeyId=key)["Rotations"] and time.time() < end:
            time.sleep(0.1)
        assert cloud.client("kms").list_key_rotations(KeyId=key)["Rotations"]
        log = open(str(cloud.data) + ".log").read()
        assert len(log) < 1 << 20
    finally:
        cloud.stop()
        shutil.rmtree(log_dir)
