# SPDX-License-Identifier: Apache-2.0
"""ECR: ways around it. Passwords that are forged, old or for another place; pulls and pushes without the right; other people's
uploads; layers borrowed from repositories one may not read; names and bodies that are not what they should be."""
import base64
import json
import socket
import ssl
import subprocess
import time
import uuid

import pytest

from tests.conftest import binary
from tests.registry import Registry, sha

from refusals import code

PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
PUSH = ["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage", "ecr:BatchCheckLayerAvailability"]


def allow(action, resource="*"):
    return {"Effect": "Allow", "Action": action, "Resource": resource}


TOKEN = allow("ecr:GetAuthorizationToken")


def user(cloud, *statements):
    return cloud.user("u" + uuid.uuid4().hex[:12], TOKEN, *statements)


@pytest.fixture(scope="module")
def root(cloud):
    return Registry(cloud), cloud.client("ecr")


@pytest.fixture
def repo(root):
    name = "r" + uuid.uuid4().hex[:12]
    arn = root[1].create_repository(repositoryName=name)["repository"]["repositoryArn"]
    m, layer = root[0].push_image(name, "secret", "v1")
    return type("Repo", (), {"name": name, "arn": arn, "manifest": m, "layer": layer, "path": "/v2/" + name})


def test_nothing_without_rights(cloud, repo):
    me = Registry(cloud, user(cloud))
    assert me("GET", "/v2/").status == 200  # who one is, and nothing more
    for method, path in (("GET", "/manifests/v1"), ("HEAD", "/manifests/v1"), ("GET", "/blobs/" + sha(repo.layer)), ("HEAD", "/blobs/" + sha(repo.layer)),
                         ("GET", "/tags/list"), ("GET", "/referrers/" + sha(repo.manifest)), ("POST", "/blobs/uploads/"),
                         ("DELETE", "/manifests/v1"), ("PUT", "/manifests/v2")):
        r = me(method, repo.path + path, body=repo.manifest if method == "PUT" else None)
        assert r.status == 403 and repo.layer not in r.body, (method, path, r.status)
        r = me(method, "/v2/not-there" + path, body=repo.manifest if method == "PUT" else None)
        assert r.status == 403, "whether a repository exists is not told to those who may not know"
    e = cloud.client("ecr")
    assert len(e.list_images(repositoryName=repo.name)["imageIds"]) == 1
    assert code(cloud.client("ecr", key=cloud.user("u" + uuid.uuid4().hex[:12])).get_authorization_token) == "AccessDeniedException"


def test_who_may_pull_may_not_push(cloud, repo):
    me = Registry(cloud, user(cloud, allow(PULL, repo.arn)))
    assert me("GET", repo.path + "/manifests/v1").body == repo.manifest and me("GET", repo.path + "/blobs/" + sha(repo.layer)).body == repo.layer
    assert me("POST", repo.path + "/blobs/uploads/").status == 403
    assert me("PUT", repo.path + "/manifests/v2", body=repo.manifest).status == 403
    assert me("DELETE", repo.path + "/manifests/v1").status == 403


def test_one_missing_right_stops_a_push(cloud, repo):
    for missing in PUSH[:4]:
        me = Registry(cloud, user(cloud, allow([a for a in PUSH if a != missing], repo.arn)))
        r = me("POST", repo.path + "/blobs/uploads/")
        if missing == "ecr:InitiateLayerUpload":
            assert r.status == 403
            continue
        at, data = r.headers["location"], missing.encode()
        r = me("PATCH", at, body=data)
        if missing == "ecr:UploadLayerPart":
            assert r.status == 403 and me("PUT", at + "?digest=" + sha(data), body=data).status == 403 and me("GET", at).status == 403
            continue
        assert r.status == 202
        r = me("PUT", at + "?digest=" + sha(data))
        if missing == "ecr:CompleteLayerUpload":
            assert r.status == 403
            continue
        assert r.status == 201 and me("PUT", repo.path + "/manifests/x", body=repo.manifest).status == 403


def test_a_denial_in_the_repository_policy_counts(cloud, repo):
    who = user(cloud, allow("ecr:*"))
    me = Registry(cloud, who)
    assert me("GET", repo.path + "/manifests/v1").status == 200
    cloud.client("ecr").set_repository_policy(repositoryName=repo.name, policyText=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": {"AWS": who["Arn"]}, "Action": "ecr:BatchGetImage"}]}))
    assert me("GET", repo.path + "/manifests/v1").status == 403
    assert me("GET", repo.path + "/blobs/" + sha(repo.layer)).status == 200


def test_a_policy_for_one_who_is_gone_is_not_for_a_successor(cloud, repo):
    name = "u" + uuid.uuid4().hex[:12]
    first = cloud.user(name, TOKEN)
    cloud.client("ecr").set_repository_policy(repositoryName=repo.name, policyText=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": first["Arn"]}, "Action": PULL}]}))
    old = Registry(cloud, first)
    assert old("GET", repo.path + "/manifests/v1").status == 200
    iam = cloud.client("iam")
    iam.delete_access_key(UserName=name, AccessKeyId=first["AccessKeyId"])
    assert old("GET", repo.path + "/manifests/v1").status == 401  # the password dies with the key
    iam.delete_user_policy(UserName=name, PolicyName="p")
    iam.delete_user(UserName=name)
    assert Registry(cloud, cloud.user(name, TOKEN))("GET", repo.path + "/manifests/v1").status == 403


def test_another_accounts_registry(cloud, repo):
    """The account in the host name decides whose repository it is; nobody of this account has rights in another one's."""
    other = Registry(cloud, account="111122223333")
    assert other("GET", repo.path + "/manifests/v1").status in (403, 404)
    assert other("POST", repo.path + "/blobs/uploads/").status in (403, 404)
    me = cloud.client("ecr", key=user(cloud, allow("ecr:*")))
    assert code(me.create_repository, registryId="111122223333", repositoryName="theirs") == "AccessDeniedException"
    assert code(me.describe_repositories, registryId="111122223333") == "AccessDeniedException"


def test_forged_and_foreign_passwords(cloud, repo):
    good = Registry(cloud).password
    raw = bytearray(base64.b64decode(good))
    for at in (0, len(raw) // 2, len(raw) - 1):
        bad = bytearray(raw)
        bad[at] ^= 1
        assert Registry(cloud, password=base64.b64encode(bytes(bad)).decode())("GET", repo.path + "/manifests/v1").status == 401
    for text in ("", good[:-4], good + good, good[4:], "A" * 20000, "\x00"):
        assert Registry(cloud, password=text)("GET", "/v2/").status == 401
    assert Registry(cloud, region="us-west-2", password=good)("GET", "/v2/").status == 401  # each region has its own
    secret = cloud.secret.encode()
    assert secret not in bytes(raw) and secret not in good.encode()
    r = Registry(cloud, password=None)
    for header in ("Bearer " + good, "Basic", "Basic !!!", "Basic " + base64.b64encode(b"root:" + good.encode()).decode()):
        assert r("GET", "/v2/", Authorization=header).status == 401


def test_password_of_an_inactive_key(cloud, repo):
    who = user(cloud, allow("ecr:*"))
    me = Registry(cloud, who)
    iam = cloud.client("iam")
    iam.update_access_key(UserName=who["UserName"], AccessKeyId=who["AccessKeyId"], Status="Inactive")
    assert me("GET", repo.path + "/manifests/v1").status == 401
    iam.update_access_key(UserName=who["UserName"], AccessKeyId=who["AccessKeyId"], Status="Active")
    assert me("GET", repo.path + "/manifests/v1").status == 200
    iam.delete_user_policy(UserName=who["UserName"], PolicyName="p")
    assert me("GET", repo.path + "/manifests/v1").status == 403  # what it may do is looked up at each use


def test_a_sessions_password_keeps_the_sessions_limits(cloud, repo):
    iam = cloud.client("iam")
    name = "role" + uuid.uuid4().hex[:8]
    who = user(cloud, allow("sts:AssumeRole"))
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": who["Arn"]}, "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow("ecr:*")]}))
    only = json.dumps({"Version": "2012-10-17", "Statement": [TOKEN, allow("ecr:BatchGetImage", repo.arn)]})
    cred = cloud.client("sts", key=who).assume_role(RoleArn=arn, RoleSessionName="short", Policy=only, DurationSeconds=900)["Credentials"]
    data = cloud.client("ecr", key=cred).get_authorization_token()["authorizationData"][0]
    assert abs((data["expiresAt"] - cred["Expiration"]).total_seconds()) < 2  # never outlives the session
    me = Registry(cloud, cred)
    assert me("GET", repo.path + "/manifests/v1").status == 200 and me("GET", repo.path + "/blobs/" + sha(repo.layer)).status == 403
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    assert me("GET", repo.path + "/manifests/v1").status == 403
    iam.delete_role(RoleName=name)
    assert me("GET", repo.path + "/manifests/v1").status == 401  # nor does it go over to a new role of that name


def test_passwords_and_urls_expire(own_cloud):
    e = own_cloud.client("ecr")
    e.create_repository(repositoryName="xx")
    reg = Registry(own_cloud)
    reg.push_layer("xx", b"data")
    path = "/-" + e.get_download_url_for_layer(repositoryName="xx", layerDigest=sha(b"data"))["downloadUrl"].split("/-", 1)[1]
    nobody = Registry(own_cloud, password=None)
    assert nobody("GET", path).body == b"data"
    assert Registry(own_cloud, password=None, account="111122223333")("GET", path).status == 403
    assert Registry(own_cloud, password=None, region="us-west-2")("GET", path).status == 403

    def move(by):
        subprocess.run([str(binary()), "clock", "--data", str(own_cloud.data), "+" + by], check=True, capture_output=True)
    move("61m")
    assert nobody("GET", path).status == 403 and reg("GET", "/v2/").status == 200
    at = reg("POST", "/v2/xx/blobs/uploads/").headers["location"]
    assert reg("PATCH", at, body=b"abc").status == 202
    move("11h")
    assert reg("GET", "/v2/").code == "DENIED" and b"expired" in reg("GET", "/v2/").body
    again = Registry(own_cloud)
    assert again("GET", at).status == 204
    move("25h")
    again = Registry(own_cloud)
    for _ in range(50):
        if again("GET", at).status == 404:
            break
        time.sleep(0.1)
    assert again("GET", at).status == 404  # abandoned
    own_cloud.stop()


def test_another_ones_upload(cloud, repo):
    mine = Registry(cloud, user(cloud, allow("ecr:*")))
    at = mine("POST", repo.path + "/blobs/uploads/").headers["location"]
    assert mine("PATCH", at, body=b"mine").status == 202
    other = Registry(cloud, user(cloud, allow("ecr:*")))
    for method, body in (("GET", None), ("PATCH", b"evil"), ("DELETE", None)):
        assert other(method, at, body=body).status == 404, method
    assert other("PUT", at + "?digest=" + sha(b"mine")).status == 404
    cloud.client("ecr").create_repository(repositoryName=repo.name + "-b")
    elsewhere = at.replace(repo.name, repo.name + "-b")
    assert mine("PATCH", elsewhere, body=b"x").status == 404
    assert mine("PUT", at + "?digest=" + sha(b"mine")).status == 201


def test_mounting_asks_for_the_right_to_read(cloud, repo):
    e = cloud.client("ecr")
    target = e.create_repository(repositoryName=repo.name + "-target")["repository"]
    me = Registry(cloud, user(cloud, allow(PUSH + PULL, target["repositoryArn"])))
    path = "/v2/%s-target/blobs/uploads/?mount=%s&from=%s" % (repo.name, sha(repo.layer), repo.name)
    r = me("POST", path)
    assert r.status == 202  # as if there were no such layer
    assert me("GET", "/v2/%s-target/blobs/%s" % (repo.name, sha(repo.layer))).status == 404
    no_layer = me("POST", path.replace(sha(repo.layer), sha(b"none")))
    assert no_layer.status == 202 and set(no_layer.headers) == set(r.headers)
    both = Registry(cloud, user(cloud, allow(PUSH + PULL, [target["repositoryArn"], repo.arn])))
    assert both("POST", path).status == 201


def test_digests_are_checked(cloud, repo):
    reg = Registry(cloud)
    at = reg("POST", repo.path + "/blobs/uploads/").headers["location"]
    assert reg("PUT", at + "?digest=" + sha(b"good"), body=b"evil").code == "DIGEST_INVALID"
    assert reg("HEAD", repo.path + "/blobs/" + sha(b"good")).status == 404 and reg("HEAD", repo.path + "/blobs/" + sha(b"evil")).status == 404
    assert reg("PUT", repo.path + "/manifests/" + sha(b"x"), body=repo.manifest).code == "DIGEST_INVALID"


@pytest.mark.parametrize("name", ["..", "../..", "a/../b", "a//b", "A", "a%2f..%2fb", "a%00b", "-a", "a-", "%2e%2e/x", "a" * 300, "a/blobs/uploads/../../x"])
def test_names(root, name):
    reg = root[0]
    for path in ("/v2/%s/manifests/v1" % name, "/v2/%s/blobs/%s" % (name, sha(b"")), "/v2/%s/tags/list" % name):
        r = reg("GET", path)
        assert r.status in (400, 404), (path, r.status, r.body)
    assert reg("POST", "/v2/%s/blobs/uploads/" % name).status in (400, 404)


def test_bodies_that_are_too_large_or_strange(cloud, repo):
    reg = Registry(cloud)
    assert reg("PUT", repo.path + "/manifests/big", body=b" " * (4 << 20) + b"{}").status in (400, 413)
    for body in (b"", b"\xff", b"null", b'{"schemaVersion":2,"config":1,"layers":[]}', b"[" * 100000,
                 b'{"schemaVersion":2,"mediaType":"text/plain","config":{},"layers":[]}',
                 json.dumps({"schemaVersion": 2, "config": {"digest": sha(b""), "size": -1}, "layers": []}).encode(),
                 json.dumps({"schemaVersion": 2, "manifests": [{"digest": "sha256:" + "g" * 64, "size": 1}]}).encode()):
        assert reg("PUT", repo.path + "/manifests/odd", body=body).status == 400, body[:40]
    assert reg("PUT", repo.path + "/manifests/..", body=repo.manifest).status in (400, 404)
    assert len(cloud.client("ecr").list_images(repositoryName=repo.name)["imageIds"]) == 1


def test_a_client_that_goes_away_leaves_the_upload_usable(cloud, repo):
    reg = Registry(cloud)
    at = reg("POST", repo.path + "/blobs/uploads/").headers["location"]
    s = ssl.create_default_context(cafile=cloud.ca).wrap_socket(socket.create_connection(("127.0.0.1", cloud.port)), server_hostname=reg.host)
    auth = base64.b64encode(("AWS:" + reg.password).encode()).decode()
    s.sendall(("PATCH %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s\r\nContent-Length: 1000000\r\n\r\n" % (at, reg.host, auth)).encode() + b"x" * 1000)
    s.close()
    for _ in range(50):
        r = reg("GET", at)
        if r.status == 204:
            break
    assert r.status == 204 and reg("DELETE", at).status == 204


def test_slow_bodies_keep_no_region_from_stopping(own_cloud):
    """Neither a layer nor a manifest that comes in drop by drop, the latter from whoever has a password."""
    own_cloud.client("ecr", region="us-west-2").create_repository(repositoryName="xx")
    reg = Registry(own_cloud, region="us-west-2")
    at = reg("POST", "/v2/xx/blobs/uploads/").headers["location"]
    auth = base64.b64encode(("AWS:" + reg.password).encode()).decode()
    tls, slow = ssl.create_default_context(cafile=own_cloud.ca), []
    for method, path in (("PATCH", at), ("PUT", "/v2/xx/manifests/v1")):
        s = tls.wrap_socket(socket.create_connection(("127.0.0.1", own_cloud.port), 20), server_hostname=reg.host)
        s.sendall(("%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s\r\nContent-Length: 10000\r\n\r\n" % (method, path, reg.host, auth)).encode() + b"x")
        slow.append(s)
    for _ in range(200):  # the upload is under way
        if reg("GET", at).status == 409:
            break
    stop = subprocess.Popen([str(binary()), "region", "stop", "us-west-2", "--data", str(own_cloud.data)], stdout=subprocess.DEVNULL)
    end = time.time() + 30
    while stop.poll() is None and time.time() < end:
        for s in slow:
            try:
                s.send(b"x")
            except OSError:
                pass
        time.sleep(0.1)
    assert stop.wait(5) == 0
    try:
        slow[1].sendall(b"x" * 10000)
    except OSError:
        pass
    for s in slow:
        assert s.recv(65536).startswith(b"HTTP/1.1 503")
        s.close()
