# SPDX-License-Identifier: Apache-2.0
"""Images by ECR's own API: layers pushed in parts, manifests, tags, listings, deletion, KMS, lifecycle rules by the clock."""
import hashlib
import json
import subprocess
import time

import pytest
from botocore.exceptions import ClientError

from tests.conftest import binary

from refusals import code

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def sha(b):
    return "sha256:" + hashlib.sha256(b).hexdigest()


def push_layer(e, repo, data, part=3 << 20):
    up = e.initiate_layer_upload(repositoryName=repo)["uploadId"]
    for at in range(0, len(data), part):
        piece = data[at:at + part]
        r = e.upload_layer_part(repositoryName=repo, uploadId=up, partFirstByte=at, partLastByte=at + len(piece) - 1, layerPartBlob=piece)
        assert r["lastByteReceived"] == at + len(piece) - 1
    return e.complete_layer_upload(repositoryName=repo, uploadId=up, layerDigests=[sha(data)])["layerDigest"]


def image(config, layers, media=MANIFEST, **more):
    d = lambda b, t: {"mediaType": t, "size": len(b), "digest": sha(b)}
    return json.dumps({"schemaVersion": 2, "mediaType": media, "config": d(config, "application/vnd.docker.container.image.v1+json"),
                       "layers": [d(x, "application/vnd.docker.image.rootfs.diff.tar.gzip") for x in layers], **more})


def push(e, repo, what, tag=None):
    config, layer = json.dumps({"what": what}).encode(), (what * 100).encode()
    for b in (config, layer):
        try:
            push_layer(e, repo, b)
        except e.exceptions.LayerAlreadyExistsException:
            pass
    m = image(config, [layer])
    kw = {"imageTag": tag} if tag else {}
    return e.put_image(repositoryName=repo, imageManifest=m, **kw)["image"]


def test_layers_in_parts(cloud):
    e = cloud.client("ecr")
    e.create_repository(repositoryName="layers")
    data = bytes(range(256)) * 30000
    d = push_layer(e, "layers", data)
    got = e.batch_check_layer_availability(repositoryName="layers", layerDigests=[d, sha(b"no"), "md5:00", "x"])
    assert [(x["layerAvailability"], x.get("layerSize")) for x in got["layers"]] == [("AVAILABLE", len(data)), ("UNAVAILABLE", None)]
    assert [x["failureCode"] for x in got["failures"]] == ["InvalidLayerDigest"] * 2
    assert code(e.complete_layer_upload, repositoryName="layers", uploadId="00000000-0000-4000-8000-000000000000", layerDigests=[d]) == "UploadNotFoundException"
    up = e.initiate_layer_upload(repositoryName="layers")
    assert up["partSize"] >= 5 << 20
    up = up["uploadId"]
    assert code(e.complete_layer_upload, repositoryName="layers", uploadId=up, layerDigests=[d]) == "EmptyUploadException"
    kw = dict(repositoryName="layers", uploadId=up)
    assert code(e.upload_layer_part, partFirstByte=1, partLastByte=3, layerPartBlob=b"abc", **kw) == "InvalidLayerPartException"
    e.upload_layer_part(partFirstByte=0, partLastByte=2, layerPartBlob=b"abc", **kw)
    assert code(e.upload_layer_part, partFirstByte=0, partLastByte=2, layerPartBlob=b"abc", **kw) == "InvalidLayerPartException"
    assert code(e.complete_layer_upload, layerDigests=[sha(b"abd")], **kw) == "InvalidLayerException"
    assert code(e.complete_layer_upload, layerDigests=[sha(b"abc")], **kw) == "UploadNotFoundException"
    with pytest.raises(ClientError) as x:
        push_layer(e, "layers", data)
    assert x.value.response["Error"]["Code"] == "LayerAlreadyExistsException"
    assert code(e.get_download_url_for_layer, repositoryName="layers", layerDigest=sha(b"no")) == "LayersNotFoundException"
    assert "/-/layers/" in e.get_download_url_for_layer(repositoryName="layers", layerDigest=d)["downloadUrl"]


def test_images_and_tags(cloud):
    e = cloud.client("ecr")
    e.create_repository(repositoryName="images")
    config, layer = b'{"a": 1}', b"layer" * 1000
    m = image(config, [layer])
    assert code(e.put_image, repositoryName="images", imageManifest=m) == "LayersNotFoundException"
    push_layer(e, "images", config)
    push_layer(e, "images", layer)
    assert code(e.put_image, repositoryName="images", imageManifest=m, imageDigest=sha(b"x")) == "ImageDigestDoesNotMatchException"
    for bad in ("{", "[]", json.dumps({"schemaVersion": 1}), json.dumps({"schemaVersion": 2, "layers": []}), m.replace("sha256:", "sha256:../")):
        assert code(e.put_image, repositoryName="images", imageManifest=bad) == "InvalidParameterException", bad
    assert code(e.put_image, repositoryName="images", imageManifest=m, imageTag="../x") == "InvalidParameterException"
    i = e.put_image(repositoryName="images", imageManifest=m, imageTag="v1")["image"]
    assert i["imageId"] == {"imageDigest": sha(m.encode()), "imageTag": "v1"} and i["imageManifestMediaType"] == MANIFEST
    assert code(e.put_image, repositoryName="images", imageManifest=m, imageTag="v1") == "ImageAlreadyExistsException"
    assert code(e.put_image, repositoryName="images", imageManifest=m) == "ImageAlreadyExistsException"
    e.put_image(repositoryName="images", imageManifest=m, imageTag="v2")
    d = e.describe_images(repositoryName="images")["imageDetails"]
    assert len(d) == 1 and sorted(d[0]["imageTags"]) == ["v1", "v2"] and d[0]["imageSizeInBytes"] == len(config) + len(layer)
    got = e.batch_get_image(repositoryName="images", imageIds=[{"imageTag": "v1"}, {"imageTag": "no"}, {"imageDigest": "sha256:1"},
                                                               {"imageTag": "v1", "imageDigest": sha(b"x")}])
    assert got["images"][0]["imageManifest"] == m
    assert [f["failureCode"] for f in got["failures"]] == ["ImageNotFound", "InvalidImageDigest", "ImageTagDoesNotMatchDigest"]
    other = push(e, "images", "other", "v1")["imageId"]["imageDigest"]
    tags = {x["imageTag"]: x["imageDigest"] for x in e.list_images(repositoryName="images")["imageIds"]}
    assert tags == {"v1": other, "v2": sha(m.encode())}
    assert code(e.describe_images, repositoryName="images", imageIds=[{"imageTag": "no"}]) == "ImageNotFoundException"
    assert code(e.describe_image_scan_findings, repositoryName="images", imageId={"imageTag": "v1"}) == "ScanNotFoundException"
    gone = e.batch_delete_image(repositoryName="images", imageIds=[{"imageTag": "v2"}, {"imageTag": "zz"}])
    assert gone["imageIds"] == [{"imageDigest": sha(m.encode()), "imageTag": "v2"}] and gone["failures"][0]["failureCode"] == "ImageNotFound"
    left = e.batch_check_layer_availability(repositoryName="images", layerDigests=[sha(layer)])["layers"][0]
    assert left["layerAvailability"] == "UNAVAILABLE"  # nothing is made of it any more
    assert code(e.delete_repository, repositoryName="images") == "RepositoryNotEmptyException"
    e.delete_repository(repositoryName="images", force=True)


def test_pages_of_images_and_filters(cloud):
    e = cloud.client("ecr")
    e.create_repository(repositoryName="many")
    for i in range(3):
        m = push(e, "many", "i%d" % i, "t%d" % i)["imageManifest"]
        e.put_image(repositoryName="many", imageManifest=m, imageTag="u%d" % i)
    push(e, "many", "bare")
    pages = list(e.get_paginator("list_images").paginate(repositoryName="many", PaginationConfig={"PageSize": 2}))
    ids = [x.get("imageTag") for p in pages for x in p["imageIds"]]
    assert sorted(x for x in ids if x) == ["t0", "t1", "t2", "u0", "u1", "u2"] and len(ids) == 7 and len(pages) == 4
    assert len(e.list_images(repositoryName="many", filter={"tagStatus": "UNTAGGED"})["imageIds"]) == 1
    assert len(e.describe_images(repositoryName="many", filter={"tagStatus": "TAGGED"})["imageDetails"]) == 3
    assert sum(len(p["imageDetails"]) for p in e.get_paginator("describe_images").paginate(repositoryName="many", PaginationConfig={"PageSize": 1})) == 4


def test_immutable_tags(cloud):
    e = cloud.client("ecr")
    e.create_repository(repositoryName="fixed", imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
                        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "dev*"}])
    push(e, "fixed", "one", "v1")
    push(e, "fixed", "one", "dev1")
    with pytest.raises(ClientError) as x:
        push(e, "fixed", "two", "v1")
    assert x.value.response["Error"]["Code"] == "ImageTagAlreadyExistsException"
    assert e.describe_images(repositoryName="fixed")["imageDetails"][0]["imageTags"] == ["v1", "dev1"]
    push(e, "fixed", "two", "dev1")


def test_indexes_and_referrers(cloud):
    e = cloud.client("ecr")
    e.create_repository(repositoryName="multi")
    a, b = (push(e, "multi", x) for x in ("amd", "arm"))
    entry = lambda i, arch: {"mediaType": MANIFEST, "size": len(i["imageManifest"]), "digest": i["imageId"]["imageDigest"],
                             "platform": {"os": "linux", "architecture": arch}}
    idx = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry(a, "amd64"), entry(b, "arm64")]})
    bad = idx.replace(a["imageId"]["imageDigest"], sha(b"none"))
    assert code(e.put_image, repositoryName="multi", imageManifest=bad) == "ReferencedImagesNotFoundException"
    top = e.put_image(repositoryName="multi", imageManifest=idx, imageTag="all")["image"]["imageId"]["imageDigest"]
    f = e.batch_delete_image(repositoryName="multi", imageIds=[{"imageDigest": a["imageId"]["imageDigest"]}])["failures"][0]
    assert f["failureCode"] == "ImageReferencedByManifestList" and top in f["failureReason"]
    config = json.dumps({"what": "amd"}).encode()
    sig = image(config, [], media="application/vnd.oci.image.manifest.v1+json", artifactType="application/x.sig", annotations={"k": "v"},
                subject={"mediaType": INDEX, "size": len(idx), "digest": top})
    e.put_image(repositoryName="multi", imageManifest=sig)
    r = e.list_image_referrers(repositoryName="multi", subjectId={"imageDigest": top})["referrers"]
    assert [(x["digest"], x["artifactType"], x["annotations"]) for x in r] == [(sha(sig.encode()), "application/x.sig", {"k": "v"})]
    everything = [{"imageDigest": d["imageDigest"]} for d in e.describe_images(repositoryName="multi")["imageDetails"]]
    assert not e.batch_delete_image(repositoryName="multi", imageIds=everything)["failures"]
    e.delete_repository(repositoryName="multi")


def test_kms(cloud):
    e, k = cloud.client("ecr"), cloud.client("kms")
    key = k.create_key()["KeyMetadata"]["Arn"]
    r = e.create_repository(repositoryName="sealed", encryptionConfiguration={"encryptionType": "KMS", "kmsKey": key})["repository"]
    assert r["encryptionConfiguration"] == {"encryptionType": "KMS", "kmsKey": key}
    grant = k.list_grants(KeyId=key)["Grants"][0]
    assert grant["GranteePrincipal"] == "ecr.amazonaws.com" and "Decrypt" in grant["Operations"]
    pusher = cloud.user("ecr-kms", {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"})
    mine = cloud.client("ecr", key=pusher)
    push(mine, "sealed", "secret", "v1")
    assert len(mine.batch_get_image(repositoryName="sealed", imageIds=[{"imageTag": "v1"}])["images"]) == 1
    k.disable_key(KeyId=key)
    assert mine.batch_get_image(repositoryName="sealed", imageIds=[{"imageTag": "v1"}])["failures"][0]["failureCode"] == "KmsError"
    with pytest.raises(ClientError) as x:
        push(mine, "sealed", "more", "v2")
    assert x.value.response["Error"]["Code"] == "KmsException"
    k.enable_key(KeyId=key)
    assert code(mine.create_repository, repositoryName="not-mine", encryptionConfiguration={"encryptionType": "KMS", "kmsKey": key}) == "KmsException"
    assert code(e.create_repository, repositoryName="no-key", encryptionConfiguration={"encryptionType": "KMS", "kmsKey": "alias/none"}) == "KmsException"
    e.delete_repository(repositoryName="sealed", force=True)
    assert k.list_grants(KeyId=key)["Grants"] == []
    own = e.create_repository(repositoryName="aws-key", encryptionConfiguration={"encryptionType": "KMS"})["repository"]
    assert own["encryptionConfiguration"]["kmsKey"].startswith("arn:aws:kms:")
    push(e, "aws-key", "x", "v1")


def rules(*r):
    return json.dumps({"rules": [{"rulePriority": i + 1, "selection": s, "action": {"type": "expire"}} for i, s in enumerate(r)]}, indent=4)


def test_lifecycle_by_the_clock(own_cloud):
    e = own_cloud.client("ecr")

    def move(by):
        subprocess.run([str(binary()), "clock", "--data", str(own_cloud.data), "+" + by], check=True, capture_output=True)
    e.create_repository(repositoryName="aging")
    assert code(e.get_lifecycle_policy_preview, repositoryName="aging") == "LifecyclePolicyPreviewNotFoundException"
    for t in ("prod-1", "prod-2", "beta-1"):
        push(e, "aging", t, t)
    push(e, "aging", "bare")
    text = rules({"tagStatus": "tagged", "tagPrefixList": ["prod"], "countType": "imageCountMoreThan", "countNumber": 1},
                 {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 2},
                 {"tagStatus": "tagged", "tagPatternList": ["*eta-*"], "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 30})
    assert e.start_lifecycle_policy_preview(repositoryName="aging", lifecyclePolicyText=text)["status"] == "IN_PROGRESS"
    p = e.get_lifecycle_policy_preview(repositoryName="aging")
    assert p["status"] == "COMPLETE" and [x["appliedRulePriority"] for x in p["previewResults"]] == [1]
    assert p["previewResults"][0]["imageTags"] == ["prod-1"] and p["summary"]["expiringImageTotalCount"] == 1
    e.put_lifecycle_policy(repositoryName="aging", lifecyclePolicyText=text)

    def left(want):
        for _ in range(100):
            got = sorted(x.get("imageTag", "-") for x in e.list_images(repositoryName="aging")["imageIds"])
            if got == want:
                break
            time.sleep(0.1)
        assert got == want
    left(["-", "beta-1", "prod-1", "prod-2"])
    move("24h")
    left(["-", "beta-1", "prod-2"])
    assert e.get_lifecycle_policy(repositoryName="aging")["lastEvaluatedAt"].year > 2000
    move("48h")
    left(["beta-1", "prod-2"])
    own_cloud.stop()
    own_cloud.start()
    e = own_cloud.client("ecr")
    move("720h")
    left(["prod-2"])
