# SPDX-License-Identifier: Apache-2.0
"""S3: who began to read reads to the end, whatever is deleted or overwritten meanwhile; and then nothing stays behind."""
import concurrent.futures
import os
import time

import pytest

PART = 5 << 20


@pytest.fixture(scope="module")
def s3(cloud):
    s3 = cloud.client("s3", max_pool_connections=16)
    s3.create_bucket(Bucket="readers")
    return s3


def upload(s3, key, marks):
    u = s3.create_multipart_upload(Bucket="readers", Key=key)["UploadId"]
    parts = [{"PartNumber": i + 1, "ETag": s3.upload_part(Bucket="readers", Key=key, UploadId=u, PartNumber=i + 1, Body=m * PART)["ETag"]} for i, m in enumerate(marks)]
    s3.complete_multipart_upload(Bucket="readers", Key=key, UploadId=u, MultipartUpload={"Parts": parts})


def files(cloud):
    return sum(len(f) for d, _, f in os.walk(cloud.data) if "/objects" in d)


@pytest.mark.parametrize("end", ["delete", "overwrite", "copies"])
def test_readers_of_many_parts_read_to_the_end(s3, cloud, end):
    upload(s3, end, [b"a", b"b", b"c"])
    bodies = [s3.get_object(Bucket="readers", Key=end)["Body"] for _ in range(2)]
    tail = s3.get_object(Bucket="readers", Key=end, Range="bytes=%d-" % (2 * PART - 1))["Body"]
    heads = [b.read(1) for b in bodies + [tail]]
    if end == "delete":
        s3.delete_object(Bucket="readers", Key=end)
    elif end == "overwrite":
        s3.put_object(Bucket="readers", Key=end, Body=b"new")
    else:
        s3.copy_object(Bucket="readers", Key="copy", CopySource="readers/" + end)
        s3.delete_object(Bucket="readers", Key=end)
    for head, b in zip(heads, bodies):
        assert head + b.read() == b"a" * PART + b"b" * PART + b"c" * PART
    assert heads[2] + tail.read() == b"b" + b"c" * PART
    for key in (end, "copy"):
        s3.delete_object(Bucket="readers", Key=key)
    for _ in range(50):
        if files(cloud) == 0:
            break
        time.sleep(0.1)
    assert files(cloud) == 0


def test_a_reader_that_leaves_frees_what_was_deleted(s3, cloud):
    upload(s3, "left", [b"a", b"b", b"c"])
    body = s3.get_object(Bucket="readers", Key="left")["Body"]
    body.read(1)
    s3.delete_object(Bucket="readers", Key="left")
    body.close()
    for _ in range(100):
        if files(cloud) == 0:
            break
        time.sleep(0.1)
    assert files(cloud) == 0


def test_readers_never_see_half_of_an_overwrite(s3):
    """Overwritten all the time, each read is one of the bodies in full, and no read fails."""
    marks = [bytes([65 + i]) for i in range(8)]
    s3.put_object(Bucket="readers", Key="hot", Body=marks[0] * 200000)

    def write(m):
        for _ in range(6):
            s3.put_object(Bucket="readers", Key="hot", Body=m * 200000)

    def read(_):
        for _ in range(25):
            b = s3.get_object(Bucket="readers", Key="hot")["Body"].read()
            assert len(b) == 200000 and b == b[:1] * 200000
    with concurrent.futures.ThreadPoolExecutor(8) as ex:
        for f in [ex.submit(write, m) for m in marks[:4]] + [ex.submit(read, i) for i in range(4)]:
            f.result()
    s3.delete_object(Bucket="readers", Key="hot")
