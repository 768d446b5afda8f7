# SPDX-License-Identifier: Apache-2.0
"""A running cloud for tests that use real clients. Every process is ended by its pid; every port is the kernel's choice."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def build_dir():
    return pathlib.Path(os.environ.get("CLOUDKEEP_BUILD", ROOT / "build")).resolve()


def binary():
    return build_dir() / "src" / "cli" / "cloudkeep"


class Cloud:
    """One `cloudkeep up` on a directory of its own. start() may be called again after stop() or kill()."""

    def __init__(self, data, regions="us-east-1,us-west-2,eu-west-1", args=()):
        self.data, self.regions, self.args, self.proc, self.port = pathlib.Path(data), regions, list(args), None, None

    def start(self):
        cmd = [str(binary()), "up", "--no-supervisor", "--data", str(self.data), "--listen", "127.0.0.1:%d" % (self.port or 0)]
        if self.regions:
            cmd += ["--regions", self.regions]
        self.log = open(str(self.data) + ".log", "ab")
        self.proc = subprocess.Popen(cmd + self.args, stdout=subprocess.PIPE, stderr=self.log, text=True)
        for line in self.proc.stdout:
            if "port=" in line:
                self.port = int(line.split("port=")[1].split()[0])
                break
        else:
            raise RuntimeError("cloudkeep up did not start: " + pathlib.Path(str(self.data) + ".log").read_text()[-2000:])
        root = json.loads((self.data / "root.json").read_text())
        self.account, self.key, self.secret = root["account"], root["access_key_id"], root["secret_access_key"]
        return self

    @property
    def https(self):
        return "https://localhost:%d" % self.port

    @property
    def http(self):
        return "http://127.0.0.1:%d" % self.port

    @property
    def ca(self):
        return str(self.data / "tls" / "ca.pem")

    def stop(self, sig=signal.SIGTERM):
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(sig)
            self.proc.wait(30)
        code = self.proc.returncode if self.proc else None
        self.proc = None
        self.log.close()
        return code

    def kill(self):
        return self.stop(signal.SIGKILL)

    def session(self, key=None, secret=None, token=None, region="us-east-1"):
        import boto3
        return boto3.session.Session(aws_access_key_id=key or self.key, aws_secret_access_key=secret or self.secret,
                                     aws_session_token=token, region_name=region)

    def client(self, service, region="us-east-1", key=None, secret=None, token=None, plain=False, anonymous=False, **config):
        """A boto3 client; creds given as key/secret/token, or a dict from AssumeRole as key."""
        from botocore import UNSIGNED
        from botocore.config import Config
        if isinstance(key, dict):
            key, secret, token = key["AccessKeyId"], key["SecretAccessKey"], key.get("SessionToken")
        config.setdefault("retries", {"max_attempts": 0})
        if service == "s3":
            config.setdefault("s3", {"addressing_style": "path"})
        if anonymous:
            config["signature_version"] = UNSIGNED
        return self.session(key, secret, token, region).client(
            service, endpoint_url=self.http if plain else self.https, verify=False if plain else self.ca, config=Config(**config))

    def user(self, name, *statements):
        """A fresh IAM user with these allow/deny statements inline; returns {AccessKeyId, SecretAccessKey, Arn}."""
        iam = self.client("iam")
        arn = iam.create_user(UserName=name)["User"]["Arn"]
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
        k = iam.create_access_key(UserName=name)["AccessKey"]
        return {"AccessKeyId": k["AccessKeyId"], "SecretAccessKey": k["SecretAccessKey"], "Arn": arn, "UserName": name}

    def env(self, region="us-east-1", creds=None):
        """Environment for command-line clients."""
        c = creds or {"AccessKeyId": self.key, "SecretAccessKey": self.secret}
        e = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        e.update(AWS_ACCESS_KEY_ID=c["AccessKeyId"], AWS_SECRET_ACCESS_KEY=c["SecretAccessKey"], AWS_DEFAULT_REGION=region, AWS_REGION=region,
                 AWS_ENDPOINT_URL=self.https, AWS_CA_BUNDLE=self.ca, AWS_EC2_METADATA_DISABLED="true", NODE_EXTRA_CA_CERTS=self.ca)
        if c.get("SessionToken"):
            e["AWS_SESSION_TOKEN"] = c["SessionToken"]
        return e


def make_cloud(**kw):
    d = tempfile.mkdtemp(prefix="cloudkeep-test-")
    return Cloud(os.path.join(d, "data"), **kw), d


@pytest.fixture(scope="module")
def cloud():
    """A cloud shared by the tests of one module."""
    if not binary().exists():
        pytest.fail("%s is not built" % binary())
    c, d = make_cloud()
    c.start()
    yield c
    code = c.stop()
    log = pathlib.Path(str(c.data) + ".log").read_text(errors="replace")
    shutil.rmtree(d, ignore_errors=True)
    assert code == 0, "cloudkeep ended with %r: %s" % (code, log[-4000:])


@pytest.fixture
def own_cloud():
    """A cloud for one test alone: it may be killed and started again."""
    c, d = make_cloud()
    c.start()
    yield c
    code = c.stop()
    log = pathlib.Path(str(c.data) + ".log").read_text(errors="replace")
    shutil.rmtree(d, ignore_errors=True)
    assert code in (0, None), "cloudkeep ended with %r: %s" % (code, log[-4000:])


# Clients of the module's cloud, as its root user in its first region.
@pytest.fixture(scope="module")
def cf(cloud):
    return cloud.client("cloudformation")


@pytest.fixture(scope="module")
def iam(cloud):
    return cloud.client("iam")


@pytest.fixture(scope="module")
def kms(cloud):
    return cloud.client("kms")


@pytest.fixture(scope="module")
def logs(cloud):
    return cloud.client("logs")


@pytest.fixture(scope="module")
def s3(cloud):
    return cloud.client("s3")


@pytest.fixture(scope="module")
def ssm(cloud):
    return cloud.client("ssm")
