# SPDX-License-Identifier: Apache-2.0
"""A registry's clients for tests: names below .localhost lead to this machine whatever the resolver says."""
import base64
import hashlib
import http.client
import json
import os
import pathlib
import socket
import ssl
import subprocess
import threading


def sha(b):
    return "sha256:" + hashlib.sha256(b).hexdigest()


class Answer:
    def __init__(self, r):
        self.status, self.headers, self.body = r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()

    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json()["errors"][0]["code"]


class Registry:
    """Plain requests to ACCOUNT.dkr.ecr.REGION.localhost with a password of GetAuthorizationToken, or none."""

    def __init__(self, cloud, creds=None, region="us-east-1", account=None, password="ask"):
        self.cloud, self.account = cloud, account or cloud.account
        self.host = "%s.dkr.ecr.%s.localhost" % (self.account, region)
        if password == "ask":
            data = cloud.client("ecr", region=region, key=creds).get_authorization_token()["authorizationData"][0]
            user, password = base64.b64decode(data["authorizationToken"]).decode().split(":", 1)
            assert user == "AWS"
        self.password = password
        self.tls = ssl.create_default_context(cafile=cloud.ca)

    def __call__(self, method, path, body=None, **headers):
        s = self.tls.wrap_socket(socket.create_connection(("127.0.0.1", self.cloud.port), 20), server_hostname=self.host)
        c = http.client.HTTPConnection(self.host)
        c.sock = s
        h = {"Host": "%s:%d" % (self.host, self.cloud.port)}
        if self.password is not None:
            h["Authorization"] = "Basic " + base64.b64encode(("AWS:" + self.password).encode()).decode()
        h.update({k.replace("_", "-"): v for k, v in headers.items() if v is not None})
        c.request(method, path, body=body, headers=h, encode_chunked=not isinstance(body, (bytes, str, type(None))))
        try:
            return Answer(c.getresponse())
        finally:
            c.close()

    def push_layer(self, repo, data):
        r = self("POST", "/v2/%s/blobs/uploads/" % repo)
        assert r.status == 202, r.body
        r = self("PUT", r.headers["location"] + "?digest=" + sha(data), body=data)
        assert r.status == 201, r.body
        return r

    def push_image(self, repo, what, tag):
        config, layer = json.dumps({"what": what}).encode(), (what * 500).encode()
        for b in (config, layer):
            self.push_layer(repo, b)
        d = lambda b, t: {"mediaType": t, "size": len(b), "digest": sha(b)}
        m = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                        "config": d(config, "application/vnd.oci.image.config.v1+json"),
                        "layers": [d(layer, "application/vnd.oci.image.layer.v1.tar")]}).encode()
        r = self("PUT", "/v2/%s/manifests/%s" % (repo, tag), body=m, Content_Type="application/vnd.oci.image.manifest.v1+json")
        assert r.status == 201, r.body
        return m, layer


class Proxy:
    """An HTTP proxy (CONNECT only) that leads every name to 127.0.0.1, for clients that cannot resolve *.localhost."""

    def __enter__(self):
        self.s = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.s.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *a):
        self.s.close()

    def accept(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = c.recv(4096)
            if not piece:
                return
            head += piece
        port = int(head.split()[1].rsplit(b":", 1)[1])
        up = socket.create_connection(("127.0.0.1", port))
        c.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        other = threading.Thread(target=self.copy, args=(up, c), daemon=True)
        other.start()
        self.copy(c, up)

    @staticmethod
    def copy(a, b):
        try:
            while True:
                d = a.recv(65536)
                if not d:
                    break
                b.sendall(d)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def skopeo(cloud, proxy, *args, home, check=True):
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and not k.startswith("AWS_")}
    env.update(HTTPS_PROXY=proxy.url, SSL_CERT_FILE=cloud.ca, HOME=str(home), XDG_RUNTIME_DIR=str(home))
    r = subprocess.run(["skopeo", *args], env=env, capture_output=True, text=True, timeout=60)
    assert not check or r.returncode == 0, r.stderr
    return r


def oci_layout(folder, files):
    """An OCI image of one layer with these files, as a layout directory; returns the digest of its manifest."""
    import io
    import tarfile
    folder = pathlib.Path(folder)
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data, media):
        (blobs / sha(data)[7:]).write_bytes(data)
        return {"mediaType": media, "size": len(data), "digest": sha(data)}
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as t:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    layer = tar.getvalue()
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/hello"]}, "rootfs": {"type": "layers", "diff_ids": [sha(layer)]}}).encode()
    m = put(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                        "config": put(config, "application/vnd.oci.image.config.v1+json"),
                        "layers": [put(layer, "application/vnd.oci.image.layer.v1.tar")]}).encode(), "application/vnd.oci.image.manifest.v1+json")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [dict(m, annotations={"org.opencontainers.image.ref.name": "v1"})]}))
    return m["digest"]
