# SPDX-License-Identifier: Apache-2.0
"""An OpenID Connect issuer for tests: HTTPS on the loopback address, with a certificate authority of its own, which nobody's system trusts."""
import base64
import datetime
import hashlib
import hmac
import http.server
import ipaddress
import json
import os
import ssl
import tempfile
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


def number(n, size=None):
    return b64(n.to_bytes(size or (n.bit_length() + 7) // 8, "big"))


def pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def san(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def certificate(name, key, issuer=None, issuer_key=None, ca=False, hosts=()):
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    b = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.subject if issuer else subject).public_key(key.public_key())
         .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
         .not_valid_after(now + datetime.timedelta(days=2)).add_extension(x509.BasicConstraints(ca, None), True))
    if hosts:
        b = b.add_extension(x509.SubjectAlternativeName([san(h) for h in hosts]), False)
    return b.sign(issuer_key or key, hashes.SHA256())


def thumbprint(cert):
    return cert.fingerprint(hashes.SHA1()).hex()


class Key:
    """A signing key. kind: "RSA" or a curve of the cryptography package."""

    def __init__(self, kid, kind="RSA"):
        self.kid = kid
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048) if kind == "RSA" else ec.generate_private_key(kind)

    def jwk(self, **more):
        p = self.key.public_key().public_numbers()
        if isinstance(self.key, rsa.RSAPrivateKey):
            k = {"kty": "RSA", "n": number(p.n), "e": number(p.e)}
        else:
            size = (self.key.key_size + 7) // 8
            k = {"kty": "EC", "crv": "P-%d" % self.key.key_size, "x": number(p.x, size), "y": number(p.y, size)}
        return {**k, "kid": self.kid, "use": "sig", **more}

    def sign(self, alg, text):
        h = HASHES[alg[2:]]
        if alg.startswith("RS"):
            return self.key.sign(text, padding.PKCS1v15(), h)
        r, s = utils.decode_dss_signature(self.key.sign(text, ec.ECDSA(h)))
        size = (self.key.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


class Issuer:
    """with Issuer() as i: tokens of i.token() verify by what i.url publishes. keys, configuration and cache may be changed at any time;
    hang makes the key set never come."""

    def __init__(self, host="localhost", address="127.0.0.1"):
        self.keys = [Key("k1")]
        self.configuration, self.hang, self.cache, self.asked = {}, threading.Event(), None, []
        ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self.ca = certificate("Test issuer CA", ca_key, ca=True)
        self.certificate = certificate("Test issuer", key, self.ca, ca_key, hosts=[host])
        self.thumbprint = thumbprint(self.ca)
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                if self.path.endswith("/jwks") and issuer.hang.is_set():
                    issuer.released.wait(30)
                    return
                body = issuer.answer(self.path)
                self.send_response(200 if body is not None else 404)
                if issuer.cache:
                    self.send_header("Cache-Control", issuer.cache)
                body = body or b"no"
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *a):
                pass

        self.released = threading.Event()
        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *a: None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "pem")
            with open(path, "wb") as f:
                f.write(pem(key) + self.certificate.public_bytes(serialization.Encoding.PEM) + self.ca.public_bytes(serialization.Encoding.PEM))
            context.load_cert_chain(path)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.name = "%s:%d" % ("localhost" if address == "127.0.0.1" else address, self.server.server_port)
        self.url = "https://" + self.name

    def answer(self, path):
        if path == "/.well-known/openid-configuration":
            return json.dumps({"issuer": self.url, "jwks_uri": self.url + "/jwks", **self.configuration}).encode()
        if path == "/jwks":
            return json.dumps({"keys": [k if isinstance(k, dict) else k.jwk() for k in self.keys]}).encode()
        return None

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *a):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def claims(self, **more):
        now = int(time.time())
        c = {"iss": self.url, "aud": "sts.amazonaws.com", "sub": "repo:octo/app:ref:refs/heads/main", "iat": now, "nbf": now - 5, "exp": now + 600, **more}
        return {k: v for k, v in c.items() if v is not None}

    def token(self, key=None, alg="RS256", header=None, **claims):
        key = key or self.keys[0]
        head = {"typ": "JWT", "alg": alg, "kid": key.kid, **(header or {})}
        text = b64({k: v for k, v in head.items() if v is not None}) + "." + b64(self.claims(**claims))
        return text + "." + b64(key.sign(alg, text.encode()))

    def hmac_token(self, secret, kid="k1", **claims):
        text = b64({"typ": "JWT", "alg": "HS256", "kid": kid}) + "." + b64(self.claims(**claims))
        return text + "." + b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())

    def provider(self, iam, **kw):
        kw.setdefault("ThumbprintList", [self.thumbprint])
        kw.setdefault("ClientIDList", ["sts.amazonaws.com"])
        return iam.create_open_id_connect_provider(Url=self.url, **kw)["OpenIDConnectProviderArn"]

    def role(self, iam, name, provider, actions="sts:AssumeRoleWithWebIdentity", statements=(), **conditions):
        """A role that trusts the provider; conditions: StringEquals={"sub": ...}, with keys named by their claim."""
        c = {op: {"%s:%s" % (self.name, k) if ":" not in k else k: v for k, v in m.items()} for op, m in conditions.items()}
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Federated": provider}, "Action": actions, "Condition": c}]}
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
        return arn
