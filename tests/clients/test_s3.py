# SPDX-License-Identifier: Apache-2.0
"""Amazon S3 through boto3: buckets, objects, versions, listings, multipart uploads, encryption, configuration."""
import base64
import binascii
import datetime
import hashlib
import os
import pathlib
import subprocess
import time
import urllib.request
import uuid

import pytest

from refusals import refused

MB = 1 << 20


@pytest.fixture
def bucket(s3):
    name = "t-" + uuid.uuid4().hex
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def versioned(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def files(cloud, region="us-east-1"):
    return [p for p in (cloud.data / "regions" / region / "objects").rglob("*") if p.is_file()]


def keys(page):
    return [o["Key"] for o in page.get("Contents", [])]


# --- buckets ---
def test_bucket_life(s3, cloud):
    name = "life-" + uuid.uuid4().hex
    out = s3.create_bucket(Bucket=name)
    assert (out["Location"], out["BucketArn"]) == ("/" + name, "arn:aws:s3:::" + name)
    head = s3.head_bucket(Bucket=name)
    assert (head["BucketRegion"], head["BucketArn"]) == ("us-east-1", "arn:aws:s3:::" + name)
    assert s3.get_bucket_location(Bucket=name).get("LocationConstraint") is None
    assert name in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    s3.create_bucket(Bucket=name)  # us-east-1 alone answers its owner so
    s3.put_object(Bucket=name, Key="k", Body=b"")
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=name)
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    refused("NoSuchBucket", s3.list_objects_v2, Bucket=name)
    refused("404", s3.head_bucket, Bucket=name)
    assert name not in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    s3.create_bucket(Bucket=name)  # the name is free again


def test_names_and_places(s3, cloud, bucket):
    for bad in ("UPPER-case", "ab", "a" * 64, "dots..dots", "-dash", "10.0.0.1", "xn--x", "under_score"):
        refused("InvalidBucketName", raw_s3(cloud).create_bucket, Bucket=bad)
    west = cloud.client("s3", region="us-west-2")
    refused("IllegalLocationConstraintException", west.create_bucket, Bucket=bucket + "w")
    refused("IllegalLocationConstraintException", west.create_bucket, Bucket=bucket + "w",
            CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    west.create_bucket(Bucket=bucket + "w", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    refused("BucketAlreadyOwnedByYou", west.create_bucket, Bucket=bucket + "w", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    refused("BucketAlreadyOwnedByYou", west.create_bucket, Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    refused("BucketAlreadyOwnedByYou", s3.create_bucket, Bucket=bucket + "w")
    assert west.get_bucket_location(Bucket=bucket + "w")["LocationConstraint"] == "us-west-2"


def raw_s3(cloud):
    """Without the client's own checks of bucket names."""
    c = cloud.client("s3")
    for name in ("before-parameter-build.s3", "provide-client-params.s3"):
        c.meta.events.unregister(name)
    from botocore.handlers import validate_bucket_name
    c.meta.events.unregister("before-parameter-build.s3", validate_bucket_name)
    return c


def test_wrong_region_is_told(cloud, bucket):
    west = cloud.client("s3", region="us-west-2")
    seen = []
    west.meta.events.register_first("needs-retry.s3", lambda response, **kw: seen.append((response[0].status_code, dict(response[0].headers), response[1])))
    west.list_objects_v2(Bucket=bucket)  # the client follows to the right region by itself
    status, headers, parsed = seen[0]
    assert status == 301 and headers["x-amz-bucket-region"] == "us-east-1"
    assert parsed["Error"]["Code"] == "PermanentRedirect" and parsed["Error"]["Endpoint"] == bucket + ".s3.us-east-1.amazonaws.com"


def test_list_buckets_pages_over_all_regions(own_cloud):
    for region, n in (("us-east-1", 3), ("us-west-2", 2)):
        c = own_cloud.client("s3", region=region)
        for i in range(n):
            kw = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            c.create_bucket(Bucket="%s-%d" % (region, i), **kw)
    c = own_cloud.client("s3", region="eu-west-1")
    want = ["us-east-1-0", "us-east-1-1", "us-east-1-2", "us-west-2-0", "us-west-2-1"]
    assert [b["Name"] for b in c.list_buckets()["Buckets"]] == want
    pages = list(c.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 2}))
    assert [[b["Name"] for b in p["Buckets"]] for p in pages] == [want[:2], want[2:4], want[4:]]
    assert [b["Name"] for b in c.list_buckets(Prefix="us-w")["Buckets"]] == want[3:]
    assert [b["Name"] for b in c.list_buckets(BucketRegion="us-west-2")["Buckets"]] == want[3:]
    refused("InvalidArgument", c.list_buckets, ContinuationToken="nonsense", MaxBuckets=2)
    own_cloud.stop()
    own_cloud.start()  # names survive, and are still taken in every region
    refused("BucketAlreadyOwnedByYou", own_cloud.client("s3", region="us-west-2").create_bucket, Bucket="us-east-1-0",
            CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    assert [b["Name"] for b in own_cloud.client("s3").list_buckets()["Buckets"]] == want


# --- objects ---
@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 131072, 200001])
def test_bodies_of_every_frame_size(s3, bucket, cloud, size):
    body = os.urandom(size)
    put = s3.put_object(Bucket=bucket, Key="k", Body=body)
    assert put["ETag"] == '"%s"' % hashlib.md5(body).hexdigest()
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == body and got["ContentLength"] == size
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == size
    for lo, hi in ((0, 0), (0, size - 1), (65535, 65536), (65536, 65536), (size - 1, size + 100), (size // 2, size - 1)):
        if 0 <= lo < size and hi >= lo:
            r = s3.get_object(Bucket=bucket, Key="k", Range="bytes=%d-%d" % (lo, hi))
            assert r["Body"].read() == body[lo:hi + 1]
            assert r["ContentRange"] == "bytes %d-%d/%d" % (lo, min(hi, size - 1), size)
            assert r["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_metadata_and_headers(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"one": "1", "two": "zwei"}, ContentType="text/plain", CacheControl="no-cache",
                  ContentDisposition="attachment", ContentEncoding="gzip", ContentLanguage="de", Tagging="a=1&b=%20x", StorageClass="STANDARD_IA",
                  Expires=datetime.datetime(2030, 1, 1))
    for got in (s3.get_object(Bucket=bucket, Key="k"), s3.head_object(Bucket=bucket, Key="k")):
        assert got["Metadata"] == {"one": "1", "two": "zwei"} and got["ContentType"] == "text/plain" and got["CacheControl"] == "no-cache"
        assert got["ContentDisposition"] == "attachment" and got["ContentEncoding"] == "gzip" and got["ContentLanguage"] == "de"
        assert got["StorageClass"] == "STANDARD_IA" and got["TagCount"] == 2 and "VersionId" not in got and got["ServerSideEncryption"] == "AES256"
    over = s3.get_object(Bucket=bucket, Key="k", ResponseContentType="a/b", ResponseCacheControl="c", ResponseContentDisposition="d",
                         ResponseContentEncoding="e", ResponseContentLanguage="f")
    assert (over["ContentType"], over["CacheControl"], over["ContentDisposition"], over["ContentEncoding"], over["ContentLanguage"]) == ("a/b", "c", "d", "e", "f")
    s3.put_object(Bucket=bucket, Key="plain", Body=b"x")
    assert s3.head_object(Bucket=bucket, Key="plain")["ContentType"] == "binary/octet-stream"
    refused("MetadataTooLarge", s3.put_object, Bucket=bucket, Key="m", Body=b"", Metadata={"a": "x" * 2048})
    refused("KeyTooLongError", s3.put_object, Bucket=bucket, Key="k" * 1025, Body=b"")
    s3.put_object(Bucket=bucket, Key="k" * 1024, Body=b"")
    refused("InvalidStorageClass", s3.put_object, Bucket=bucket, Key="m", Body=b"", StorageClass="NONSENSE")


def test_odd_keys(s3, bucket):
    odd = ["a b", "a+b", "ü/ö", "%41", "a//b", "/lead", "trail/", "..", "a?b&c=d", "<x>&\"'", "tab\tx", "\u2028", "emoji\U0001f600"]
    for k in odd:
        s3.put_object(Bucket=bucket, Key=k, Body=k.encode())
    assert sorted(keys(s3.list_objects_v2(Bucket=bucket)), key=str.encode) == sorted(odd, key=str.encode)
    for k in odd:
        assert s3.get_object(Bucket=bucket, Key=k)["Body"].read() == k.encode()
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in odd]})
    assert keys(s3.list_objects_v2(Bucket=bucket)) == []


def test_conditions(s3, bucket):
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    past, future = datetime.datetime(2001, 1, 1), datetime.datetime(2100, 1, 1)
    refused("304", s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=tag)
    refused("304", s3.head_object, Bucket=bucket, Key="k", IfModifiedSince=future)
    refused("PreconditionFailed", s3.get_object, Bucket=bucket, Key="k", IfMatch='"other"')
    refused("PreconditionFailed", s3.get_object, Bucket=bucket, Key="k", IfUnmodifiedSince=past)
    refused("412", s3.head_object, Bucket=bucket, Key="k", IfMatch='"other"')
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=tag, IfUnmodifiedSince=past)["Body"].read() == b"1"
    assert s3.get_object(Bucket=bucket, Key="k", IfNoneMatch='"x"', IfModifiedSince=future)["Body"].read() == b"1"
    refused("PreconditionFailed", s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    refused("PreconditionFailed", s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfMatch='"other"')
    refused("NoSuchKey", s3.put_object, Bucket=bucket, Key="new", Body=b"2", IfMatch=tag)
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=tag)
    s3.put_object(Bucket=bucket, Key="new", Body=b"2", IfNoneMatch="*")
    refused("PreconditionFailed", s3.delete_object, Bucket=bucket, Key="k", IfMatch=tag)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"


def test_ranges(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    get = lambda r: s3.get_object(Bucket=bucket, Key="k", Range=r)["Body"].read()
    assert get("bytes=2-4") == b"234" and get("bytes=7-") == b"789" and get("bytes=-3") == b"789" and get("bytes=-100") == b"0123456789"
    assert get("bytes=0-1,4-5") == b"0123456789" and get("chapters=1-2") == b"0123456789"
    refused("InvalidRange", s3.get_object, Bucket=bucket, Key="k", Range="bytes=10-")
    refused("416", s3.head_object, Bucket=bucket, Key="k", Range="bytes=10-20")
    head = s3.head_object(Bucket=bucket, Key="k", Range="bytes=2-4")
    assert head["ContentLength"] == 3 and head["ContentRange"] == "bytes 2-4/10"
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    refused("InvalidRange", s3.get_object, Bucket=bucket, Key="empty", Range="bytes=0-")


@pytest.mark.parametrize("alg,value", [
    ("CRC32", lambda b: binascii.crc32(b).to_bytes(4, "big")), ("SHA1", lambda b: hashlib.sha1(b).digest()),
    ("SHA256", lambda b: hashlib.sha256(b).digest())])
def test_checksums(s3, bucket, alg, value):
    body = os.urandom(70000)
    want = base64.b64encode(value(body)).decode()
    name = "Checksum" + alg
    assert s3.put_object(Bucket=bucket, Key="k", Body=body, ChecksumAlgorithm=alg)[name] == want
    s3.put_object(Bucket=bucket, Key="k", Body=body, **{name: want})
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got[name] == want and got["ChecksumType"] == "FULL_OBJECT" and got["Body"].read() == body
    assert name not in s3.head_object(Bucket=bucket, Key="k", Range="bytes=0-1", ChecksumMode="ENABLED")
    attrs = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ETag", "ObjectSize", "StorageClass"])
    assert attrs["Checksum"][name] == want and attrs["ObjectSize"] == 70000 and attrs["StorageClass"] == "STANDARD" and attrs["ETag"] == hashlib.md5(body).hexdigest()
    wrong = base64.b64encode(value(b"other")).decode()
    assert "did not match" in refused("BadDigest", s3.put_object, Bucket=bucket, Key="bad", Body=body, **{name: wrong})
    refused("NoSuchKey", s3.get_object, Bucket=bucket, Key="bad")


def test_md5_and_streams(s3, cloud, bucket, tmp_path):
    md5 = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentMD5=md5)
    refused("BadDigest", s3.put_object, Bucket=bucket, Key="k", Body=b"y", ContentMD5=md5)
    refused("InvalidDigest", s3.put_object, Bucket=bucket, Key="k", Body=b"y", ContentMD5="eA==")
    (tmp_path / "f").write_bytes(os.urandom(3 * MB + 17))
    with open(tmp_path / "f", "rb") as f:  # trailing checksum in aws-chunked
        s3.put_object(Bucket=bucket, Key="f", Body=f)
    assert s3.get_object(Bucket=bucket, Key="f")["Body"].read() == (tmp_path / "f").read_bytes()
    assert "ContentEncoding" not in s3.head_object(Bucket=bucket, Key="f")
    plain = cloud.client("s3", plain=True)
    with open(tmp_path / "f", "rb") as f:  # signed chunks over plain HTTP
        plain.put_object(Bucket=bucket, Key="g", Body=f)
    assert s3.head_object(Bucket=bucket, Key="g")["ETag"] == s3.head_object(Bucket=bucket, Key="f")["ETag"]


def test_missing_keys(s3, bucket):
    refused("NoSuchKey", s3.get_object, Bucket=bucket, Key="nope")
    refused("404", s3.head_object, Bucket=bucket, Key="nope")
    refused("NoSuchBucket", s3.get_object, Bucket="no-such-" + bucket, Key="nope")
    s3.delete_object(Bucket=bucket, Key="nope")
    refused("InvalidArgument", s3.get_object, Bucket=bucket, Key="nope", VersionId="nonsense")


def test_presigned_urls(s3, cloud, bucket):
    import ssl
    ctx = ssl.create_default_context(cafile=cloud.ca)
    s3 = cloud.client("s3", signature_version="s3v4")
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "p"}, ExpiresIn=60)
    urllib.request.urlopen(urllib.request.Request(put, data=b"by url", method="PUT"), context=ctx).read()
    get = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "p"}, ExpiresIn=60)
    assert urllib.request.urlopen(get, context=ctx).read() == b"by url"
    with pytest.raises(urllib.error.HTTPError) as e:
        urllib.request.urlopen(get.replace("/p?", "/q?"), context=ctx)
    assert e.value.code == 403


# --- listings ---
def test_listing_with_prefix_and_delimiter(s3, bucket):
    names = ["a/1", "a/2", "a/b/3", "b", "c/1", "c/2", "d"]
    for k in names:
        s3.put_object(Bucket=bucket, Key=k, Body=b"x")
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert keys(page) == ["b", "d"] and [p["Prefix"] for p in page["CommonPrefixes"]] == ["a/", "c/"] and page["KeyCount"] == 4
    page = s3.list_objects_v2(Bucket=bucket, Prefix="a/", Delimiter="/")
    assert keys(page) == ["a/1", "a/2"] and [p["Prefix"] for p in page["CommonPrefixes"]] == ["a/b/"]
    assert keys(s3.list_objects_v2(Bucket=bucket, StartAfter="b")) == ["c/1", "c/2", "d"]
    assert keys(s3.list_objects_v2(Bucket=bucket, Prefix="a/", StartAfter="b")) == []
    assert keys(s3.list_objects_v2(Bucket=bucket, Prefix="c/", StartAfter="a")) == ["c/1", "c/2"]
    for n in (1, 2, 3):
        flat = [k for p in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": n}) for k in keys(p)]
        assert flat == names
        got = []
        for p in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": n}):
            got += keys(p) + [x["Prefix"] for x in p.get("CommonPrefixes", [])]
            assert p["KeyCount"] <= n
        assert sorted(got) == ["a/", "b", "c/", "d"]
        got = []
        for p in s3.get_paginator("list_objects").paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": n}):
            got += keys(p) + [x["Prefix"] for x in p.get("CommonPrefixes", [])]
        assert sorted(got) == ["a/", "b", "c/", "d"]
    first = s3.list_objects(Bucket=bucket, MaxKeys=2)
    assert first["IsTruncated"] and "NextMarker" not in first and first["Contents"][0]["Owner"]["ID"]
    assert keys(s3.list_objects(Bucket=bucket, Marker="a/2"))[0] == "a/b/3"
    assert "Owner" not in s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"][0]["Owner"]["ID"]
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["IsTruncated"] is False
    refused("InvalidArgument", s3.list_objects_v2, Bucket=bucket, ContinuationToken="nonsense")
    refused("InvalidArgument", s3.list_objects_v2, Bucket=bucket, MaxKeys=-1)


# --- versions ---
def test_versions(s3, versioned):
    v1 = s3.put_object(Bucket=versioned, Key="k", Body=b"1")["VersionId"]
    v2 = s3.put_object(Bucket=versioned, Key="k", Body=b"2")["VersionId"]
    assert s3.get_object(Bucket=versioned, Key="k")["VersionId"] == v2
    assert s3.get_object(Bucket=versioned, Key="k", VersionId=v1)["Body"].read() == b"1"
    gone = s3.delete_object(Bucket=versioned, Key="k")
    assert gone["DeleteMarker"] is True
    refused("NoSuchKey", s3.get_object, Bucket=versioned, Key="k")
    refused("MethodNotAllowed", s3.get_object, Bucket=versioned, Key="k", VersionId=gone["VersionId"])
    refused("405", s3.head_object, Bucket=versioned, Key="k", VersionId=gone["VersionId"])
    assert keys(s3.list_objects_v2(Bucket=versioned)) == []
    page = s3.list_object_versions(Bucket=versioned)
    assert [(v["VersionId"], v["IsLatest"]) for v in page["Versions"]] == [(v2, False), (v1, False)]
    assert [(m["VersionId"], m["IsLatest"]) for m in page["DeleteMarkers"]] == [(gone["VersionId"], True)]
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=versioned)
    assert s3.delete_object(Bucket=versioned, Key="k", VersionId=gone["VersionId"])["DeleteMarker"] is True
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"2"
    s3.delete_object(Bucket=versioned, Key="k", VersionId=v2)
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"1"
    refused("NoSuchVersion", s3.get_object, Bucket=versioned, Key="k", VersionId=v2)
    s3.delete_object(Bucket=versioned, Key="k", VersionId=v1)
    s3.delete_bucket(Bucket=versioned)


def test_null_versions(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == "null"
    v = s3.put_object(Bucket=bucket, Key="k", Body=b"enabled")["VersionId"]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"before"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
    s3.put_object(Bucket=bucket, Key="k", Body=b"suspended")
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"suspended"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=v)["Body"].read() == b"enabled"
    assert [x["VersionId"] for x in s3.list_object_versions(Bucket=bucket)["Versions"]] == ["null", v]
    assert s3.delete_object(Bucket=bucket, Key="k")["VersionId"] == "null"  # a null marker takes the null version's place
    page = s3.list_object_versions(Bucket=bucket)
    assert [x["VersionId"] for x in page["Versions"]] == [v] and [x["VersionId"] for x in page["DeleteMarkers"]] == ["null"]
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"enabled"


def test_version_listing_pages(s3, versioned):
    want = []
    for k in ("a", "b/1", "b/2", "c"):
        ids = [s3.put_object(Bucket=versioned, Key=k, Body=b"%d" % i)["VersionId"] for i in range(3)]
        if k == "c":
            ids.append(s3.delete_object(Bucket=versioned, Key=k)["VersionId"])
        want += [(k, v) for v in reversed(ids)]
    for n in (1, 2, 5, 100):
        got = []
        for p in s3.get_paginator("list_object_versions").paginate(Bucket=versioned, PaginationConfig={"PageSize": n}):
            both = p.get("Versions", []) + p.get("DeleteMarkers", [])
            assert len(both) <= n
            got += [(x["Key"], x["VersionId"], x["IsLatest"]) for x in both]
        assert sorted((k, v) for k, v, _ in got) == sorted(want) and len(got) == len(want)
        assert sorted(k for k, _, latest in got if latest) == ["a", "b/1", "b/2", "c"]
    page = s3.list_object_versions(Bucket=versioned, Delimiter="/", MaxKeys=4)
    assert [p["Prefix"] for p in page["CommonPrefixes"]] == ["b/"] and [v["Key"] for v in page["Versions"]] == ["a"] * 3 and page["IsTruncated"]
    rest = s3.list_object_versions(Bucket=versioned, Delimiter="/", KeyMarker=page["NextKeyMarker"])
    assert "CommonPrefixes" not in rest and [v["Key"] for v in rest["Versions"]] == ["c"] * 3
    assert [v["Key"] for v in s3.list_object_versions(Bucket=versioned, Prefix="b/2")["Versions"]] == ["b/2"] * 3


def test_delete_objects(s3, versioned):
    v = s3.put_object(Bucket=versioned, Key="a", Body=b"1")["VersionId"]
    s3.put_object(Bucket=versioned, Key="b", Body=b"1")
    out = s3.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": "a", "VersionId": v}, {"Key": "b"}, {"Key": "none", "VersionId": "bad"}]})
    by = {d["Key"]: d for d in out["Deleted"]}
    assert by["a"]["VersionId"] == v and by["b"]["DeleteMarker"] is True and by["b"]["DeleteMarkerVersionId"]
    assert [(e["Key"], e["Code"]) for e in out["Errors"]] == [("none", "NoSuchVersion")]
    quiet = s3.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": "b"}], "Quiet": True})
    assert "Deleted" not in quiet and "Errors" not in quiet
    refused("MalformedXML", s3.delete_objects, Bucket=versioned, Delete={"Objects": []})
    refused("MalformedXML", s3.delete_objects, Bucket=versioned, Delete={"Objects": [{"Key": str(i)} for i in range(1001)]})


# --- multipart ---
def upload(s3, bucket, key, parts, **kw):
    u = s3.create_multipart_upload(Bucket=bucket, Key=key, **kw)["UploadId"]
    done = []
    for i, body in enumerate(parts, 1):
        extra = {"ChecksumAlgorithm": kw["ChecksumAlgorithm"]} if "ChecksumAlgorithm" in kw else {}
        r = s3.upload_part(Bucket=bucket, Key=key, UploadId=u, PartNumber=i, Body=body, **extra)
        done.append({"PartNumber": i, "ETag": r["ETag"]})
    return u, done


def test_multipart(s3, cloud, bucket):
    parts = [os.urandom(5 * MB), os.urandom(5 * MB + 3), b"end"]  # the last one is small enough to be kept in the store
    u, done = upload(s3, bucket, "big", parts, Metadata={"a": "b"}, ContentType="x/y")
    listed = s3.list_parts(Bucket=bucket, Key="big", UploadId=u)
    assert [(p["PartNumber"], p["Size"], p["ETag"]) for p in listed["Parts"]] == [(i + 1, len(p), done[i]["ETag"]) for i, p in enumerate(parts)]
    assert [p["PartNumber"] for p in s3.list_parts(Bucket=bucket, Key="big", UploadId=u, MaxParts=1, PartNumberMarker=1)["Parts"]] == [2]
    assert [x["UploadId"] for x in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [u]
    refused("NoSuchKey", s3.get_object, Bucket=bucket, Key="big")
    out = s3.complete_multipart_upload(Bucket=bucket, Key="big", UploadId=u, MultipartUpload={"Parts": done})
    assert out["ETag"] == '"%s-3"' % hashlib.md5(b"".join(hashlib.md5(p).digest() for p in parts)).hexdigest()
    whole = b"".join(parts)
    got = s3.get_object(Bucket=bucket, Key="big", ChecksumMode="ENABLED")
    assert got["Body"].read() == whole and got["Metadata"] == {"a": "b"} and got["ContentType"] == "x/y"
    assert got["ChecksumType"] == "FULL_OBJECT"
    across = s3.get_object(Bucket=bucket, Key="big", Range="bytes=%d-%d" % (5 * MB - 10, 10 * MB + 4))["Body"].read()
    assert across == whole[5 * MB - 10:10 * MB + 5]
    second = s3.get_object(Bucket=bucket, Key="big", PartNumber=2)
    assert second["Body"].read() == parts[1] and second["PartsCount"] == 3
    assert s3.head_object(Bucket=bucket, Key="big", PartNumber=3)["ContentLength"] == 3
    refused("InvalidPartNumber", s3.get_object, Bucket=bucket, Key="big", PartNumber=4)
    refused("NoSuchUpload", s3.list_parts, Bucket=bucket, Key="big", UploadId=u)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    before = len(files(cloud))
    s3.delete_object(Bucket=bucket, Key="big")
    assert len(files(cloud)) == before - 2


def test_multipart_checksums(s3, bucket):
    parts = [os.urandom(5 * MB), os.urandom(1234)]
    whole = b"".join(parts)
    u, done = upload(s3, bucket, "full", parts, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    want = base64.b64encode(binascii.crc32(whole).to_bytes(4, "big")).decode()
    refused("BadDigest", s3.complete_multipart_upload, Bucket=bucket, Key="full", UploadId=u, MultipartUpload={"Parts": done}, ChecksumCRC32="AAAAAA==")
    out = s3.complete_multipart_upload(Bucket=bucket, Key="full", UploadId=u, MultipartUpload={"Parts": done}, ChecksumCRC32=want)
    assert out["ChecksumCRC32"] == want and out["ChecksumType"] == "FULL_OBJECT"
    u, done = upload(s3, bucket, "comp", parts, ChecksumAlgorithm="SHA256")
    out = s3.complete_multipart_upload(Bucket=bucket, Key="comp", UploadId=u, MultipartUpload={"Parts": done})
    sums = b"".join(hashlib.sha256(p).digest() for p in parts)
    assert out["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(sums).digest()).decode() + "-2" and out["ChecksumType"] == "COMPOSITE"
    attrs = s3.get_object_attributes(Bucket=bucket, Key="comp", ObjectAttributes=["ObjectParts"])["ObjectParts"]
    assert attrs["TotalPartsCount"] == 2 and [p["Size"] for p in attrs["Parts"]] == [5 * MB, 1234]
    refused("InvalidRequest", s3.create_multipart_upload, Bucket=bucket, Key="x", ChecksumAlgorithm="SHA256", ChecksumType="FULL_OBJECT")


def test_multipart_refusals(s3, cloud, bucket):
    u, done = upload(s3, bucket, "k", [b"small" * 5000, b"small too" * 5000])
    fin = lambda parts: dict(Bucket=bucket, Key="k", UploadId=u, MultipartUpload={"Parts": parts})
    refused("EntityTooSmall", s3.complete_multipart_upload, **fin(done))
    refused("InvalidPartOrder", s3.complete_multipart_upload, **fin(done[::-1]))
    refused("InvalidPart", s3.complete_multipart_upload, **fin([{"PartNumber": 1, "ETag": '"00"'}]))
    refused("InvalidPart", s3.complete_multipart_upload, **fin([{"PartNumber": 9, "ETag": done[0]["ETag"]}]))
    refused("MalformedXML", s3.complete_multipart_upload, **fin([]))
    refused("InvalidArgument", s3.upload_part, Bucket=bucket, Key="k", UploadId=u, PartNumber=10001, Body=b"")
    refused("NoSuchUpload", s3.upload_part, Bucket=bucket, Key="k", UploadId="x", PartNumber=1, Body=b"")
    refused("NoSuchUpload", s3.upload_part, Bucket=bucket, Key="other", UploadId=u, PartNumber=1, Body=b"")
    before = len(files(cloud))
    s3.upload_part(Bucket=bucket, Key="k", UploadId=u, PartNumber=1, Body=b"again" * 5000)
    assert len(files(cloud)) == before  # the replaced part's file went
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=u)
    assert len(files(cloud)) == before - 2
    refused("NoSuchUpload", s3.abort_multipart_upload, Bucket=bucket, Key="k", UploadId=u)


def test_uploads_listing(s3, bucket):
    ids = {k: s3.create_multipart_upload(Bucket=bucket, Key=k)["UploadId"] for k in ("a/1", "a/2", "b", "c")}
    page = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [x["Key"] for x in page["Uploads"]] == ["b", "c"] and [p["Prefix"] for p in page["CommonPrefixes"]] == ["a/"]
    got = [x["UploadId"] for p in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1}) for x in p["Uploads"]]
    assert got == [ids[k] for k in ("a/1", "a/2", "b", "c")]
    s3.delete_bucket(Bucket=bucket)  # uploads do not hold a bucket


def test_transfer_of_a_large_file(s3, bucket, tmp_path):
    src = tmp_path / "src"
    src.write_bytes(os.urandom(20 * MB + 5))
    s3.upload_file(str(src), bucket, "f")
    s3.download_file(bucket, "f", str(tmp_path / "dst"))
    assert (tmp_path / "dst").read_bytes() == src.read_bytes()


# --- copies ---
@pytest.mark.parametrize("body, in_files", [(b"body", 0), (b"body" * 5000, 1)], ids=["in the store", "in a file"])
def test_copy(s3, cloud, bucket, body, in_files):
    s3.put_object(Bucket=bucket, Key="a", Body=body, Metadata={"m": "1"}, ContentType="x/y", Tagging="t=1")
    before = len(files(cloud))
    out = s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"})
    assert out["CopyObjectResult"]["ETag"] == '"%s"' % hashlib.md5(body).hexdigest() and len(files(cloud)) == before
    b = s3.get_object(Bucket=bucket, Key="b")
    assert b["Body"].read() == body and b["Metadata"] == {"m": "1"} and b["ContentType"] == "x/y" and b["TagCount"] == 1
    s3.copy_object(Bucket=bucket, Key="c", CopySource=bucket + "/a", MetadataDirective="REPLACE", Metadata={"n": "2"}, TaggingDirective="REPLACE", Tagging="")
    c = s3.get_object(Bucket=bucket, Key="c")
    assert c["Metadata"] == {"n": "2"} and c["ContentType"] == "binary/octet-stream" and "TagCount" not in c
    refused("InvalidRequest", s3.copy_object, Bucket=bucket, Key="a", CopySource=bucket + "/a")
    s3.copy_object(Bucket=bucket, Key="a", CopySource=bucket + "/a", MetadataDirective="REPLACE", Metadata={"self": "1"})
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == body
    s3.delete_object(Bucket=bucket, Key="a")  # copies live on
    s3.delete_object(Bucket=bucket, Key="b")
    assert s3.get_object(Bucket=bucket, Key="c")["Body"].read() == body
    s3.delete_object(Bucket=bucket, Key="c")
    assert len(files(cloud)) == before - in_files
    refused("NoSuchKey", s3.copy_object, Bucket=bucket, Key="x", CopySource=bucket + "/a")
    refused("NoSuchBucket", s3.copy_object, Bucket=bucket, Key="x", CopySource="none-%s/a" % bucket)


def test_copy_source_may_be_encoded_with_its_slash(cloud, bucket):
    """As Go programs send it that escape it as one word (Terraform's aws_s3_object_copy)."""
    s3, source = cloud.client("s3"), None
    s3.meta.events.register("before-call.s3.CopyObject", lambda params, **kw: params["headers"].update({"x-amz-copy-source": source}))
    s3.put_object(Bucket=bucket, Key="dir/a b", Body=b"body")
    source = bucket + "%2Fdir%2Fa%20b"
    assert s3.copy_object(Bucket=bucket, Key="c", CopySource="given/below")["CopyObjectResult"]["ETag"] == '"%s"' % hashlib.md5(b"body").hexdigest()
    source = bucket
    refused("InvalidArgument", s3.copy_object, Bucket=bucket, Key="x", CopySource="given/below")


def test_copy_conditions_versions_and_classes(s3, versioned):
    v1 = s3.put_object(Bucket=versioned, Key="k ü", Body=b"1")
    s3.put_object(Bucket=versioned, Key="k ü", Body=b"2")
    out = s3.copy_object(Bucket=versioned, Key="old", CopySource={"Bucket": versioned, "Key": "k ü", "VersionId": v1["VersionId"]}, StorageClass="GLACIER_IR")
    assert out["CopySourceVersionId"] == v1["VersionId"] and out["VersionId"]
    got = s3.get_object(Bucket=versioned, Key="old")
    assert got["Body"].read() == b"1" and got["StorageClass"] == "GLACIER_IR"
    src = {"Bucket": versioned, "Key": "k ü"}
    refused("PreconditionFailed", s3.copy_object, Bucket=versioned, Key="x", CopySource=src, CopySourceIfMatch=v1["ETag"])
    refused("PreconditionFailed", s3.copy_object, Bucket=versioned, Key="old", CopySource=src, IfNoneMatch="*")
    s3.put_object(Bucket=versioned, Key="cold", Body=b"x", StorageClass="GLACIER")
    refused("InvalidObjectState", s3.get_object, Bucket=versioned, Key="cold")


def test_copy_into_parts_and_of_multipart(s3, cloud, bucket):
    parts = [os.urandom(5 * MB), os.urandom(6 * MB), os.urandom(77)]
    whole = b"".join(parts)
    u, done = upload(s3, bucket, "src", parts)
    s3.complete_multipart_upload(Bucket=bucket, Key="src", UploadId=u, MultipartUpload={"Parts": done})
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=bucket + "/src")
    u = s3.create_multipart_upload(Bucket=bucket, Key="spliced")["UploadId"]
    cut = 3 * MB
    done = []
    for i, (lo, hi) in enumerate(((cut, 9 * MB - 1), (0, len(whole) - 1)), 1):  # over the borders of the source's parts
        r = s3.upload_part_copy(Bucket=bucket, Key="spliced", UploadId=u, PartNumber=i, CopySource=bucket + "/src", CopySourceRange="bytes=%d-%d" % (lo, hi))
        assert r["CopyPartResult"]["ETag"] == '"%s"' % hashlib.md5(whole[lo:hi + 1]).hexdigest()
        done.append({"PartNumber": i, "ETag": r["CopyPartResult"]["ETag"]})
    refused("InvalidArgument", s3.upload_part_copy, Bucket=bucket, Key="spliced", UploadId=u, PartNumber=3, CopySource=bucket + "/src",
            CopySourceRange="bytes=0-%d" % len(whole))
    s3.complete_multipart_upload(Bucket=bucket, Key="spliced", UploadId=u, MultipartUpload={"Parts": done})
    s3.delete_object(Bucket=bucket, Key="src")
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == whole
    want = whole[cut:9 * MB] + whole
    assert s3.get_object(Bucket=bucket, Key="spliced")["Body"].read() == want
    assert s3.get_object(Bucket=bucket, Key="spliced", Range="bytes=%d-%d" % (6 * MB - 5, 6 * MB + 5))["Body"].read() == want[6 * MB - 5:6 * MB + 6]


def test_copy_between_regions_is_refused_by_name(s3, cloud, bucket):
    west = cloud.client("s3", region="us-west-2")
    west.create_bucket(Bucket=bucket + "w", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    assert "between regions" in refused("NotImplemented", west.copy_object, Bucket=bucket + "w", Key="x", CopySource=bucket + "/a")


# --- encryption ---
def test_bodies_are_encrypted_in_their_files(s3, cloud, bucket):
    secret = b"find me if you can " * 5000
    s3.put_object(Bucket=bucket, Key="k", Body=secret, Metadata={"x": "y"})
    for p in files(cloud):
        assert b"find me" not in p.read_bytes()


def test_small_bodies_are_encrypted_in_the_store(own_cloud):
    s3 = own_cloud.client("s3")
    s3.create_bucket(Bucket="small")
    for size in (1, 16383, 16384):
        body = (b"find me if you can " * 1000)[:size]
        s3.put_object(Bucket="small", Key=str(size), Body=body)
        assert s3.get_object(Bucket="small", Key=str(size))["Body"].read() == body
        assert s3.get_object(Bucket="small", Key=str(size), Range="bytes=%d-" % (size // 2))["Body"].read() == body[size // 2:]
    assert files(own_cloud) == []
    s3.put_object(Bucket="small", Key="file", Body=b"x" * 16385)
    assert len(files(own_cloud)) == 1
    store = own_cloud.data / "regions" / "us-east-1" / "store" / "data.mdb"
    assert b"find me" not in store.read_bytes()
    own_cloud.kill()
    own_cloud.start()
    assert own_cloud.client("s3").get_object(Bucket="small", Key="16384")["Body"].read() == (b"find me if you can " * 1000)[:16384]


def test_deleted_small_bodies_leave_the_store(own_cloud):
    s3 = own_cloud.client("s3")
    s3.create_bucket(Bucket="leave")
    store = own_cloud.data / "regions" / "us-east-1" / "store" / "data.mdb"
    names, sizes = [str(i) for i in range(40)], []
    for _ in range(6):
        for k in names:
            s3.put_object(Bucket="leave", Key=k, Body=os.urandom(16000))
            s3.put_object(Bucket="leave", Key=k, Body=os.urandom(16000))
        s3.delete_objects(Bucket="leave", Delete={"Objects": [{"Key": k} for k in names]})
        sizes.append(store.stat().st_size)
    assert sizes[-1] - sizes[1] < 2 * 40 * 16000  # what was freed is used again


def test_damage_is_noticed(own_cloud):
    s3 = own_cloud.client("s3")
    s3.create_bucket(Bucket="damage")
    body = os.urandom(200000)
    s3.put_object(Bucket="damage", Key="k", Body=body)
    path, = files(own_cloud)
    good = path.read_bytes()
    frame = 65536 + 16
    for bad in (good[:100] + b"\xff" + good[101:] if good[100] != 255 else good[:100] + b"\0" + good[101:], good[:-20], good[frame:2 * frame] + good[:frame] + good[2 * frame:],
                good[:frame] + good[2 * frame:]):
        path.write_bytes(bad)
        with pytest.raises(Exception):
            assert s3.get_object(Bucket="damage", Key="k")["Body"].read() == body
    path.write_bytes(good)
    assert s3.get_object(Bucket="damage", Key="k")["Body"].read() == body


def test_sse_kms(s3, cloud, bucket):
    kms = cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"secret", ServerSideEncryption="aws:kms", SSEKMSKeyId=key["KeyId"], BucketKeyEnabled=True)
    assert put["ServerSideEncryption"] == "aws:kms" and put["SSEKMSKeyId"] == key["Arn"] and put["BucketKeyEnabled"] is True
    assert put["ETag"] != '"%s"' % hashlib.md5(b"secret").hexdigest()
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"secret" and got["SSEKMSKeyId"] == key["Arn"]
    s3.copy_object(Bucket=bucket, Key="plain", CopySource=bucket + "/k", ServerSideEncryption="AES256")
    kms.disable_key(KeyId=key["KeyId"])
    refused("KMS.DisabledException", s3.get_object, Bucket=bucket, Key="k")
    refused("KMS.DisabledException", s3.put_object, Bucket=bucket, Key="k2", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key["KeyId"])
    refused("KMS.DisabledException", s3.copy_object, Bucket=bucket, Key="c", CopySource=bucket + "/k")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 6
    assert s3.get_object(Bucket=bucket, Key="plain")["Body"].read() == b"secret"
    kms.enable_key(KeyId=key["KeyId"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"secret"
    kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    refused("KMS.KMSInvalidStateException", s3.get_object, Bucket=bucket, Key="k")
    refused("KMS.NotFoundException", s3.put_object, Bucket=bucket, Key="k", Body=b"", ServerSideEncryption="aws:kms",
            SSEKMSKeyId="00000000-0000-0000-0000-000000000000")
    refused("NotImplemented", s3.put_object, Bucket=bucket, Key="k", Body=b"", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32)
    refused("InvalidArgument", s3.put_object, Bucket=bucket, Key="k", Body=b"", ServerSideEncryption="AES256", SSEKMSKeyId=key["KeyId"])


def test_default_encryption(s3, cloud, bucket):
    rule = lambda: s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule() == {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
    key = cloud.client("kms").create_key()["KeyMetadata"]
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [
        {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]}, "BucketKeyEnabled": True}]})
    assert rule()["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]}
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"x")["SSEKMSKeyId"] == key["Arn"]
    u, done = upload(s3, bucket, "m", [b"part"])
    assert s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=u, MultipartUpload={"Parts": done})["SSEKMSKeyId"] == key["Arn"]
    assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == b"part"
    s3.delete_bucket_encryption(Bucket=bucket)
    assert rule()["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    managed = s3.put_object(Bucket=bucket, Key="managed", Body=b"x", ServerSideEncryption="aws:kms")["SSEKMSKeyId"]
    assert cloud.client("kms").describe_key(KeyId=managed)["KeyMetadata"]["KeyManager"] == "AWS"
    assert s3.get_object(Bucket=bucket, Key="managed")["Body"].read() == b"x"


# --- configuration ---
def test_an_unconfigured_bucket(s3, bucket):
    for code, call in (("NoSuchBucketPolicy", s3.get_bucket_policy), ("NoSuchBucketPolicy", s3.get_bucket_policy_status),
                       ("NoSuchCORSConfiguration", s3.get_bucket_cors), ("NoSuchTagSet", s3.get_bucket_tagging),
                       ("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration), ("NoSuchWebsiteConfiguration", s3.get_bucket_website),
                       ("ReplicationConfigurationNotFoundError", s3.get_bucket_replication),
                       ("ObjectLockConfigurationNotFoundError", s3.get_object_lock_configuration)):
        refused(code, call, Bucket=bucket)
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket) and "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    assert set(s3.get_bucket_notification_configuration(Bucket=bucket)) == {"ResponseMetadata"}
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    acl = s3.get_bucket_acl(Bucket=bucket)
    assert [(g["Permission"], g["Grantee"]["ID"]) for g in acl["Grants"]] == [("FULL_CONTROL", acl["Owner"]["ID"])]


def test_what_is_not_acted_on_is_refused(s3, bucket):
    refused("NotImplemented", s3.put_bucket_logging, Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": bucket, "TargetPrefix": ""}})
    refused("NotImplemented", s3.put_bucket_notification_configuration, Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    refused("NotImplemented", s3.put_bucket_request_payment, Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"})
    refused("NotImplemented", s3.put_bucket_accelerate_configuration, Bucket=bucket, AccelerateConfiguration={"Status": "Enabled"})
    refused("NotImplemented", s3.put_bucket_website, Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "i"}})
    refused("NotImplemented", s3.create_bucket, Bucket=bucket + "-l", ObjectLockEnabledForBucket=True)
    refused("InvalidRequest", s3.put_object, Bucket=bucket, Key="k", Body=b"", ObjectLockLegalHoldStatus="ON")
    for call, kw in ((s3.put_bucket_logging, {"BucketLoggingStatus": {}}), (s3.put_bucket_notification_configuration, {"NotificationConfiguration": {}}),
                     (s3.put_bucket_request_payment, {"RequestPaymentConfiguration": {"Payer": "BucketOwner"}})):
        call(Bucket=bucket, **kw)


def test_tags(s3, bucket):
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
    refused("InvalidTag", s3.put_bucket_tagging, Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]})
    refused("InvalidTag", s3.put_bucket_tagging, Bucket=bucket, Tagging={"TagSet": [{"Key": "aws:x", "Value": "1"}]})
    s3.delete_bucket_tagging(Bucket=bucket)
    refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "x", "Value": "y"}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "x", "Value": "y"}]
    refused("BadRequest", s3.put_object_tagging, Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": str(i), "Value": ""} for i in range(11)]})
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


def test_cors(s3, cloud, bucket):
    rules = [{"ID": "r", "AllowedMethods": ["GET"], "AllowedOrigins": ["https://*.example.com"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60}]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = cloud.client("s3", signature_version="s3v4").generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    import ssl
    ctx = ssl.create_default_context(cafile=cloud.ca)
    open_ = lambda origin: urllib.request.urlopen(urllib.request.Request(url, headers={"Origin": origin}), context=ctx).headers
    assert open_("https://a.example.com")["Access-Control-Allow-Origin"] == "https://a.example.com"
    assert "Access-Control-Allow-Origin" not in open_("https://evil.com")
    # What a browser asks before it sends the request itself.
    def preflight(path, **h):
        r = urllib.request.Request(url.split("/" + bucket)[0] + path, method="OPTIONS", headers={k.replace("_", "-"): v for k, v in h.items()})
        try:
            with urllib.request.urlopen(r, context=ctx) as answer:
                return answer.status, answer.headers, ""
        except urllib.error.HTTPError as e:
            return e.code, e.headers, e.read().decode()
    ask = {"Origin": "https://a.example.com", "Access_Control_Request_Method": "GET"}
    status, h, _ = preflight("/%s/k" % bucket, Access_Control_Request_Headers="X-One, authorization", **ask)
    assert status == 200 and h["Access-Control-Allow-Origin"] == "https://a.example.com" and h["Access-Control-Allow-Methods"] == "GET"
    assert h["Access-Control-Allow-Headers"] == "x-one, authorization" and h["Access-Control-Max-Age"] == "60" and h["Access-Control-Expose-Headers"] == "ETag"
    for path, wanted, changed in (("/%s/k" % bucket, "not whitelisted", {"Origin": "https://evil.com"}),
                                  ("/%s/k" % bucket, "not whitelisted", {"Access_Control_Request_Method": "PUT"}),
                                  ("/none-%s/k" % bucket, "not enabled", {}), ("/", "not enabled", {})):
        status, h, text = preflight(path, **{**ask, **changed})
        assert status == 403 and "<Code>AccessForbidden</Code>" in text and wanted in text and "Access-Control-Allow-Origin" not in h
    assert preflight("/%s/k" % bucket, Origin="https://a.example.com")[0] == 400
    refused("InvalidRequest", s3.put_bucket_cors, Bucket=bucket, CORSConfiguration={"CORSRules": [{"AllowedMethods": ["PATCH"], "AllowedOrigins": ["*"]}]})
    s3.delete_bucket_cors(Bucket=bucket)
    refused("NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket=bucket)


def test_ownership_and_acls(s3, bucket):
    refused("AccessControlListNotSupported", s3.put_bucket_acl, Bucket=bucket, ACL="public-read")
    refused("AccessControlListNotSupported", s3.put_object, Bucket=bucket, Key="k", Body=b"", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="k", Body=b"", ACL="bucket-owner-full-control")
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    refused("AccessDenied", s3.put_object_acl, Bucket=bucket, Key="k", ACL="public-read")  # BlockPublicAcls
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="private")
    s3.delete_public_access_block(Bucket=bucket)
    refused("NoSuchPublicAccessBlockConfiguration", s3.get_public_access_block, Bucket=bucket)
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    grants = s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]
    assert [(g["Permission"], g["Grantee"]["Type"]) for g in grants] == [("FULL_CONTROL", "CanonicalUser"), ("READ", "Group")]
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    refused("InvalidBucketAclWithObjectOwnership", s3.put_bucket_ownership_controls, Bucket=bucket,
            OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    refused("OwnershipControlsNotFoundError", s3.get_bucket_ownership_controls, Bucket=bucket)
    refused("InvalidBucketAclWithObjectOwnership", s3.create_bucket, Bucket=bucket + "-p", ACL="public-read")


# --- lifecycle ---
def shift(cloud, days):
    binary = os.path.join(os.environ.get("CLOUDKEEP_BUILD", str(pathlib.Path(__file__).resolve().parents[2] / "build")), "src", "cli", "cloudkeep")
    subprocess.run([binary, "clock", "--data", str(cloud.data), "+%dd" % days], check=True, capture_output=True)


def until(what, seconds=15):
    end = time.time() + seconds
    while not what():
        assert time.time() < end, "did not happen"
        time.sleep(0.1)


def test_lifecycle_configuration(s3, bucket):
    rules = [{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 100},
              "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}]},
             {"ID": "b", "Status": "Disabled", "Filter": {"And": {"Prefix": "x", "Tags": [{"Key": "t", "Value": "1"}], "ObjectSizeGreaterThan": 5}},
              "NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2}},
             {"ID": "c", "Status": "Enabled", "Filter": {"Prefix": ""}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}]
    put = lambda rules: s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    put(rules)
    got = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert got["Rules"] == rules and got["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    assert 'rule-id="a"' in s3.put_object(Bucket=bucket, Key="logs/1", Body=b"x")["Expiration"]
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="other", Body=b"x")
    base = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}}
    for code, change in (("InvalidRequest", {}), ("InvalidArgument", {"Expiration": {"Days": 0}}),
                         ("InvalidArgument", {"Transitions": [{"Days": 5, "StorageClass": "STANDARD_IA"}]}),
                         ("InvalidArgument", {"Expiration": {"Days": 30}, "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]}),
                         ("MalformedXML", {"Prefix": "x", "Expiration": {"Days": 1}}),
                         ("InvalidArgument", {"Expiration": {"Date": datetime.datetime(2030, 1, 1, 5)}})):
        refused(code, put, rules=[dict(base, **change)])
    refused("InvalidArgument", put, rules=[dict(base, Expiration={"Days": 1}), dict(base, Expiration={"Days": 2})])
    s3.delete_bucket_lifecycle(Bucket=bucket)
    refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket=bucket)


def test_lifecycle_is_carried_out(own_cloud):
    s3 = own_cloud.client("s3")
    s3.create_bucket(Bucket="plain")
    s3.create_bucket(Bucket="versions")
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    for k in ("old/1", "old/2", "keep"):
        s3.put_object(Bucket="plain", Key=k, Body=b"x")
    s3.put_object(Bucket="plain", Key="large", Body=b"x" * 200000)
    upload(s3, "plain", "unfinished", [b"part"])
    first = s3.put_object(Bucket="versions", Key="k", Body=b"1")["VersionId"]
    second = s3.put_object(Bucket="versions", Key="k", Body=b"2")["VersionId"]
    third = s3.put_object(Bucket="versions", Key="k", Body=b"3")["VersionId"]
    s3.put_bucket_lifecycle_configuration(Bucket="plain", LifecycleConfiguration={"Rules": [
        {"ID": "e", "Status": "Enabled", "Filter": {"Prefix": "old/"}, "Expiration": {"Days": 10}},
        {"ID": "t", "Status": "Enabled", "Filter": {"Prefix": ""}, "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}]},
        {"ID": "u", "Status": "Enabled", "Filter": {"Prefix": ""}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 10}}]})
    s3.put_bucket_lifecycle_configuration(Bucket="versions", LifecycleConfiguration={"Rules": [
        {"ID": "n", "Status": "Enabled", "Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": {"NoncurrentDays": 5, "NewerNoncurrentVersions": 1}},
        {"ID": "e", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 40}}]})
    time.sleep(1.5)
    assert len(keys(s3.list_objects_v2(Bucket="plain"))) == 4
    shift(own_cloud, 12)
    until(lambda: keys(s3.list_objects_v2(Bucket="plain")) == ["keep", "large"])
    until(lambda: "Uploads" not in s3.list_multipart_uploads(Bucket="plain"))
    until(lambda: [v["VersionId"] for v in s3.list_object_versions(Bucket="versions")["Versions"]] == [third, second])
    refused("NoSuchVersion", s3.get_object, Bucket="versions", Key="k", VersionId=first)
    shift(own_cloud, 30)
    until(lambda: {o["Key"]: o["StorageClass"] for o in s3.list_objects_v2(Bucket="plain")["Contents"]} == {"keep": "STANDARD", "large": "STANDARD_IA"})
    until(lambda: keys(s3.list_objects_v2(Bucket="versions")) == [])
    assert [m["IsLatest"] for m in s3.list_object_versions(Bucket="versions")["DeleteMarkers"]] == [True]
    until(lambda: len(files(own_cloud)) <= 4)


# --- durability ---
def test_kill_and_sweep(own_cloud):
    s3 = own_cloud.client("s3")
    s3.create_bucket(Bucket="durable")
    body = os.urandom(300000)
    s3.put_object(Bucket="durable", Key="k", Body=body)
    objects = own_cloud.data / "regions" / "us-east-1" / "objects"
    orphan = objects / "00" / ("f" * 32)
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"a body that was never committed")
    own_cloud.kill()
    own_cloud.start()
    s3 = own_cloud.client("s3")
    assert s3.get_object(Bucket="durable", Key="k")["Body"].read() == body
    assert not orphan.exists() and len(files(own_cloud)) == 1
