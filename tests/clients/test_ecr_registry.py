# SPDX-License-Identifier: Apache-2.0
"""The registry: skopeo pushes, looks, copies, pulls and deletes; and the OCI distribution API piece by piece."""
import json
import os
import shutil
import urllib.parse

import pytest

from tests.registry import Proxy, Registry, oci_layout, sha, skopeo


@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")
def test_skopeo(cloud, tmp_path):
    e = cloud.client("ecr")
    uri = e.create_repository(repositoryName="team/hello")["repository"]["repositoryUri"]
    e.create_repository(repositoryName="copy")
    creds = ["--creds", "AWS:" + Registry(cloud).password]
    digest = oci_layout(tmp_path / "image", {"hello": os.urandom(3 << 20)})
    with Proxy() as proxy:
        run = lambda *a, **k: skopeo(cloud, proxy, *a, home=tmp_path, **k)
        run("copy", "--preserve-digests", "--dest-creds", creds[1], "oci:%s:v1" % (tmp_path / "image"), "docker://%s:v1" % uri)
        assert e.describe_images(repositoryName="team/hello")["imageDetails"][0]["imageDigest"] == digest
        seen = json.loads(run("inspect", *creds, "docker://%s:v1" % uri).stdout)
        assert seen["Digest"] == digest and seen["RepoTags"] == ["v1"] and seen["Os"] == "linux"
        assert json.loads(run("list-tags", *creds, "docker://" + uri).stdout)["Tags"] == ["v1"]
        host = uri.split("/")[0]
        run("copy", "--preserve-digests", "--src-creds", creds[1], "--dest-creds", creds[1], "docker://%s:v1" % uri, "docker://%s/copy:v2" % host)
        run("copy", "--preserve-digests", "--src-creds", creds[1], "docker://%s/copy:v2" % host, "oci:%s:back" % (tmp_path / "back"))
        for blob in (tmp_path / "image/blobs/sha256").iterdir():
            assert (tmp_path / "back/blobs/sha256" / blob.name).read_bytes() == blob.read_bytes()
        run("delete", *creds, "docker://%s/copy:v2" % host)
        assert e.list_images(repositoryName="copy")["imageIds"] == []
        assert run("inspect", "--creds", "AWS:wrong", "docker://%s:v1" % uri, check=False).returncode != 0


def test_ping_and_passwords(cloud):
    r = Registry(cloud)("GET", "/v2/")
    assert r.status == 200 and r.headers["docker-distribution-api-version"] == "registry/2.0"
    for password in (None, "x", "eA=="):
        r = Registry(cloud, password=password)("GET", "/v2/")
        assert r.status == 401 and r.headers["www-authenticate"].startswith("Basic ") and r.code == "UNAUTHORIZED"
    assert Registry(cloud)("GET", "/v2/_catalog").status == 405


def test_chunks_status_cancel_and_ranges(cloud):
    cloud.client("ecr").create_repository(repositoryName="chunks")
    reg, data = Registry(cloud), os.urandom(300000)
    r = reg("POST", "/v2/chunks/blobs/uploads/")
    at = r.headers["location"]
    assert r.status == 202 and r.headers["docker-upload-uuid"] in at
    r = reg("PATCH", at, body=data[:100000], Content_Range="0-99999")
    assert r.status == 202 and r.headers["range"] == "0-99999"
    assert reg("PATCH", at, body=b"x", Content_Range="5-5").status == 416
    r = reg("PATCH", at, body=iter([data[100000:150000], data[150000:200000]]), Transfer_Encoding="chunked")
    assert r.status == 202 and r.headers["range"] == "0-199999"
    assert reg("GET", at).headers["range"] == "0-199999"
    r = reg("PUT", at + "?digest=" + urllib.parse.quote(sha(data)), body=data[200000:])
    assert r.status == 201 and r.headers["docker-content-digest"] == sha(data)
    blob = "/v2/chunks/blobs/" + sha(data)
    assert reg("GET", blob).body == data
    h = reg("HEAD", blob)
    assert h.status == 200 and h.headers["content-length"] == str(len(data)) and h.body == b""
    for text, want in (("bytes=0-9", data[:10]), ("bytes=65530-65545", data[65530:65546]), ("bytes=299990-", data[-10:]), ("bytes=-7", data[-7:])):
        r = reg("GET", blob, Range=text)
        assert r.status == 206 and r.body == want, text
    assert reg("GET", blob, Range="bytes=300000-").status == 416
    assert reg("GET", "/v2/chunks/blobs/" + sha(b"no")).code == "BLOB_UNKNOWN"
    assert reg("HEAD", "/v2/chunks/blobs/" + sha(b"no")).status == 404
    at = reg("POST", "/v2/chunks/blobs/uploads/").headers["location"]
    assert reg("DELETE", at).status == 204 and reg("GET", at).code == "BLOB_UPLOAD_UNKNOWN"
    at = reg("POST", "/v2/chunks/blobs/uploads/").headers["location"]
    assert reg("PUT", at + "?digest=" + sha(b"other"), body=b"data").code == "DIGEST_INVALID"
    assert reg("PUT", at + "?digest=md5:00", body=b"data").code == "DIGEST_INVALID"


def test_manifests_tags_and_mount(cloud):
    e = cloud.client("ecr")
    for n in ("one", "two"):
        e.create_repository(repositoryName=n)
    reg = Registry(cloud)
    m, layer = reg.push_image("one", "a", "t1")
    reg.push_image("one", "a", "t1")  # again: no failure for a registry's clients
    for i in range(2, 6):
        assert reg("PUT", "/v2/one/manifests/t%d" % i, body=m, Content_Type="application/vnd.oci.image.manifest.v1+json").status == 201
    for ref in ("t1", sha(m)):
        r = reg("GET", "/v2/one/manifests/" + ref)
        assert r.body == m and r.headers["docker-content-digest"] == sha(m) and r.headers["content-type"] == "application/vnd.oci.image.manifest.v1+json"
    r = reg("HEAD", "/v2/one/manifests/t1")
    assert r.status == 200 and r.headers["content-length"] == str(len(m))
    assert reg("GET", "/v2/one/manifests/no").code == "MANIFEST_UNKNOWN" and reg("GET", "/v2/none/manifests/x").code == "NAME_UNKNOWN"
    assert reg("GET", "/v2/one/tags/list").json() == {"name": "one", "tags": ["t1", "t2", "t3", "t4", "t5"]}
    r = reg("GET", "/v2/one/tags/list?n=2&last=t1")
    assert r.json()["tags"] == ["t2", "t3"] and 'rel="next"' in r.headers["link"] and "last=t3" in r.headers["link"]
    assert reg("PUT", "/v2/two/manifests/t", body=m).code == "MANIFEST_BLOB_UNKNOWN"
    assert reg("PUT", "/v2/one/manifests/" + sha(b"x"), body=m).code == "DIGEST_INVALID"
    assert reg("PUT", "/v2/one/manifests/t9", body=b"{").code == "MANIFEST_INVALID"
    r = reg("POST", "/v2/two/blobs/uploads/?mount=%s&from=one" % sha(layer))
    assert r.status == 201 and reg("GET", r.headers["location"]).body == layer
    r = reg("POST", "/v2/two/blobs/uploads/?mount=%s&from=one" % sha(b"no"))
    assert r.status == 202 and reg("PUT", r.headers["location"] + "?digest=" + sha(b"no"), body=b"no").status == 201
    sub = json.loads(m)
    sub.update(subject={"mediaType": sub["mediaType"], "size": len(m), "digest": sha(m)}, artifactType="application/x.sbom")
    sub = json.dumps(sub).encode()
    r = reg("PUT", "/v2/one/manifests/" + sha(sub), body=sub)
    assert r.status == 201 and r.headers["oci-subject"] == sha(m)
    assert [x["digest"] for x in reg("GET", "/v2/one/referrers/" + sha(m)).json()["manifests"]] == [sha(sub)]
    assert reg("GET", "/v2/one/referrers/%s?artifactType=x" % sha(m)).json()["manifests"] == []
    assert reg("DELETE", "/v2/one/manifests/t2").status == 202 and reg("DELETE", "/v2/one/manifests/" + sha(m)).status == 202
    assert reg("GET", "/v2/one/tags/list").json()["tags"] == []
    # the layer that was mounted is still whole in the other repository
    assert reg("GET", "/v2/two/blobs/" + sha(layer)).body == layer


def test_immutable_tag_is_said_in_the_registrys_words(cloud):
    cloud.client("ecr").create_repository(repositoryName="fixed", imageTagMutability="IMMUTABLE")
    reg = Registry(cloud)
    reg.push_image("fixed", "a", "v1")
    m, _ = reg.push_image("fixed", "b", "v2")
    assert reg("PUT", "/v2/fixed/manifests/v1", body=m).code == "TAG_INVALID"


def test_download_url(cloud):
    e = cloud.client("ecr")
    e.create_repository(repositoryName="urls")
    reg = Registry(cloud)
    reg.push_layer("urls", b"0123456789")
    url = e.get_download_url_for_layer(repositoryName="urls", layerDigest=sha(b"0123456789"))["downloadUrl"]
    path = urllib.parse.urlsplit(url).path
    nobody = Registry(cloud, password=None)
    assert nobody("GET", path).body == b"0123456789" and nobody("GET", path, Range="bytes=2-3").body == b"23"
    assert nobody("GET", path[:-2] + ("00" if path[-2:] != "00" else "11")).status == 403


def test_calls_are_in_the_trail(cloud):
    e = cloud.client("ecr")
    e.create_repository(repositoryName="trailed")
    reg = Registry(cloud)
    reg.push_image("trailed", "a", "v1")
    reg("GET", "/v2/trailed/manifests/v1")
    names = [x["EventName"] for x in cloud.client("cloudtrail").lookup_events(MaxResults=50)["Events"]]
    assert {"InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage"} <= set(names)


def test_a_kms_key_decides_in_the_registry_too(cloud):
    e, k = cloud.client("ecr"), cloud.client("kms")
    key = k.create_key()["KeyMetadata"]["Arn"]
    e.create_repository(repositoryName="sealed-reg", encryptionConfiguration={"encryptionType": "KMS", "kmsKey": key})
    e.create_repository(repositoryName="plain-reg")
    reg = Registry(cloud)
    m, layer = reg.push_image("sealed-reg", "a", "v1")
    assert reg("GET", "/v2/sealed-reg/blobs/" + sha(layer)).body == layer
    mounted = reg("POST", "/v2/plain-reg/blobs/uploads/?mount=%s&from=sealed-reg" % sha(layer))
    assert mounted.status == 201  # its key is wrapped anew: the other repository has no KMS key
    k.disable_key(KeyId=key)
    assert reg("GET", "/v2/sealed-reg/blobs/" + sha(layer)).code == "DENIED" and reg("GET", "/v2/sealed-reg/manifests/v1").code == "DENIED"
    at = reg("POST", "/v2/sealed-reg/blobs/uploads/").headers["location"]
    assert reg("PUT", at + "?digest=" + sha(b"more"), body=b"more").code == "DENIED"
    assert reg("GET", "/v2/plain-reg/blobs/" + sha(layer)).body == layer
    e.delete_repository(repositoryName="sealed-reg", force=True)
    assert reg("GET", "/v2/plain-reg/blobs/" + sha(layer)).body == layer  # the file stays while a layer refers to it


def test_a_restart_keeps_images_and_forgets_uploads(own_cloud):
    own_cloud.client("ecr").create_repository(repositoryName="kept")
    reg = Registry(own_cloud)
    m, layer = reg.push_image("kept", "a", "v1")
    at = reg("POST", "/v2/kept/blobs/uploads/").headers["location"]
    assert reg("PATCH", at, body=b"half").status == 202
    own_cloud.kill()
    own_cloud.start()
    assert reg("GET", "/v2/kept/manifests/v1").body == m and reg("GET", "/v2/kept/blobs/" + sha(layer)).body == layer
    assert reg("PUT", at + "?digest=" + sha(b"half")).code == "BLOB_UPLOAD_UNKNOWN"
    left = [f for f in (own_cloud.data / "regions" / "us-east-1" / "ecr" / "tmp").iterdir()]
    assert left == []
