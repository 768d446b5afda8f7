# SPDX-License-Identifier: Apache-2.0
"""`cloudkeep deploy` and `destroy`: on our own cloud, and on moto's server, which neither of us wrote."""
import json
import re
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cli_tool import ROOT, data, run, up, wait  # noqa: F401

TEMPLATE = """
Parameters:
  Name: {Type: String}
  Kind: {Type: String, Default: plain}
Resources:
  Parameter:
    Type: AWS::SSM::Parameter
    Properties: {Name: !Ref Name, Type: String, Value: !Ref Kind}
  Key:
    Type: AWS::KMS::Key
    Properties:
      KeyPolicy: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {AWS: !Sub 'arn:aws:iam::${AWS::AccountId}:root'}, Action: 'kms:*', Resource: '*'}]}
Outputs:
  KeyArn: {Value: !GetAtt Key.Arn}
  Named: {Value: !Ref Parameter}
"""
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.fixture
def template(tmp_path):
    f = tmp_path / "t.yaml"
    f.write_text(TEMPLATE)
    return f


@pytest.fixture(scope="module")
def moto():
    p = subprocess.Popen([str(ROOT / ".venv" / "bin" / "moto_server"), "-p", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    url = None
    for line in p.stdout:
        m = re.search(r"Running on (http://127\.0\.0\.1:\d+)", line)
        if m:
            url = m.group(1)
            break
    threading.Thread(target=p.stdout.read, daemon=True).start()
    assert url
    yield url
    p.terminate()
    p.wait(10)


def deploy(url, stack, template, *args, check=None):
    return run("deploy", stack, "--template", template, "--endpoint-url", url, *args, env=KEYS, check=check)


# --- another cloud ---
def test_moto_create_update_nothing_destroy(moto, template):
    regions = ["--regions", "us-east-1,eu-west-1"]
    p = deploy(moto, "web", template, *regions, "--parameter", "Name=first", "--parameter", "Kind=plain", check=0)
    assert "deployed: CREATE_COMPLETE" in p.stdout and p.stdout.count("Named = first") == 2 and "\033" not in p.stdout
    p = deploy(moto, "web", template, *regions, "--parameter", "Name=first", "--parameter", "Kind=plain", check=0)
    assert p.stdout.count("no changes") == 2
    p = deploy(moto, "web", template, *regions, "--parameter", "Name=second", "--json", check=0)
    j = json.loads(p.stdout)
    assert [r["outputs"]["Named"] for r in j["regions"]] == ["second", "second"] and {r["outcome"] for r in j["regions"]} == {"done"}
    assert run("destroy", "web", *regions, "--endpoint-url", moto, env=KEYS, check=0).stdout.count("destroyed") == 2
    assert run("destroy", "web", *regions, "--endpoint-url", moto, env=KEYS, check=0).stdout.count("there was no such stack") == 2


def test_moto_failures_are_told(moto, template, tmp_path):
    p = deploy(moto, "bad", template, check=1)
    assert "Missing parameter Name" in p.stdout
    broken = tmp_path / "broken.yaml"
    broken.write_text("Resources: [")
    assert "is refused" in deploy(moto, "bad", broken, check=1).stderr


def test_large_templates_go_through_a_bucket(moto, tmp_path):
    import boto3
    big = tmp_path / "big.json"
    big.write_text(json.dumps({"Description": "x" * 1000, "Resources": {
        "P%03d" % i: {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/p/%d" % i, "Type": "String", "Value": "v" * 300}} for i in range(150)}}))
    assert big.stat().st_size > 51200
    moto = moto.replace("127.0.0.1", "localhost")  # moto reads buckets from a path only on this host
    p = deploy(moto, "big", big, check=1)
    assert "--s3-bucket" in p.stderr and "51200" in p.stderr
    assert "cannot be put into nowhere" in deploy(moto, "big", big, "--s3-bucket", "nowhere", check=1).stderr
    boto3.client("s3", endpoint_url=moto, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test").create_bucket(Bucket="staging")
    assert "CREATE_COMPLETE" in deploy(moto, "big", big, "--s3-bucket", "staging", check=0).stdout
    run("destroy", "big", "--endpoint-url", moto, env=KEYS, check=0)


# --- our own ---
def test_our_cloud(data, template):
    up(data)
    regions = ["--regions", "us-east-1,us-west-2,eu-west-1"]
    p = run("deploy", "web", "--template", template, *regions, "--parameter", "Name=/web/one", data=data, check=0)
    assert p.stdout.count("deployed: CREATE_COMPLETE") == 3 and p.stdout.count("Named = /web/one") == 3
    assert re.search(r"eu-west-1 +CREATE_COMPLETE +AWS::KMS::Key +Key", p.stdout)
    p = run("deploy", "web", "--template", template, *regions, data=data, check=0)  # what is not given stays
    assert p.stdout.count("no changes") == 3
    p = run("deploy", "web", "--template", template, *regions, "--parameter", "Kind=other", "--json", data=data, check=0)
    j = json.loads(p.stdout)
    assert {r["status"] for r in j["regions"]} == {"UPDATE_COMPLETE"} and all(r["outputs"]["Named"] == "/web/one" for r in j["regions"])
    assert "stack web: UPDATE_COMPLETE" in run("status", data=data, check=0).stdout
    p = run("destroy", "web", *regions, data=data, check=0)
    assert p.stdout.count("destroyed: DELETE_COMPLETE") == 3
    assert "stack web" not in run("status", data=data, check=0).stdout
    assert run("destroy", "web", *regions, data=data, check=0).stdout.count("there was no such stack") == 3


def test_our_cloud_tells_the_resource_that_failed(data, template, tmp_path):
    up(data)
    run("deploy", "one", "--template", template, "--parameter", "Name=/taken", data=data, check=0)
    p = run("deploy", "two", "--template", template, "--parameter", "Name=/taken", data=data, check=1)
    last = p.stdout.split("us-east-1  failed")[1]
    assert "Parameter (AWS::SSM::Parameter)" in last and "exists" in last
    p = run("deploy", "two", "--template", template, "--parameter", "Name=/free", data=data, check=1)
    assert "cloudkeep destroy two" in p.stdout
    run("destroy", "two", data=data, check=0)
    run("deploy", "two", "--template", template, "--parameter", "Name=/free", data=data, check=0)
    assert "has no parameter Nome" in run("deploy", "x", "--template", template, "--parameter", "Nome=1", data=data, check=1).stderr
    bad = tmp_path / "bad.yaml"
    bad.write_text("Resources: {A: {Type: 'AWS::Moon::Base'}}")
    p = run("deploy", "x", "--template", bad, data=data, check=1)
    assert "AWS::Moon::Base" in p.stdout + p.stderr


def test_one_region_may_fail_alone(data, template):
    up(data)
    run("region", "stop", "us-west-2", data=data, check=0)
    p = run("deploy", "web", "--template", template, "--parameter", "Name=/x", "--regions", "us-east-1,us-west-2", "--json", data=data, check=1)
    j = {r["region"]: r for r in json.loads(p.stdout)["regions"]}
    assert j["us-east-1"]["outcome"] == "done" and j["us-west-2"]["outcome"] == "failed" and "ServiceUnavailable" in j["us-west-2"]["reason"]


def test_the_reference_stack_goes_everywhere(data):
    up(data)
    begin = time.monotonic()
    p = run("deploy", "secure-baseline", "--template", ROOT / "stacks/secure-multi-region/template.yaml", "--regions", "us-east-1,us-west-2,eu-west-1", data=data)
    assert p.returncode == 0, p.stdout[-3000:] + p.stderr
    assert p.stdout.count("deployed: CREATE_COMPLETE") == 3
    assert time.monotonic() - begin < 60


# --- the client against servers that misbehave ---
class Odd(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer = b""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.wfile.write(self.answer)
        self.close_connection = True

    def log_message(self, *a):
        pass


XML = b"<ValidateTemplateResponse><ValidateTemplateResult/></ValidateTemplateResponse>"


@pytest.mark.parametrize("answer, said", [
    (b"", "the connection broke"),
    (b"hello\r\n\r\n", "the connection broke"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "the connection broke"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "the connection broke"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\nx", "the connection broke"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "the connection broke"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffff\r\nx", "the connection broke"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "the connection broke"),
    (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "the connection broke"),
    (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n", "the connection broke"),
    (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100000, "the connection broke"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "something that is not XML"),
    (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\n<x>", "something that is not XML"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n" + b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>' + b" " * 50, "something that is not XML"),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n" + b"59\r\n<ErrorResponse><Error><Code>Nope</Code><Message>why not</Message></Error></ErrorResponse>\r\n0\r\nX: y\r\n\r\n", "Nope: why not"),
    (b"HTTP/1.0 400 Bad\r\n\r\n<ErrorResponse><Error><Code>Nope</Code><Message>why not</Message></Error></ErrorResponse>", "Nope: why not"),
])
def test_odd_answers(answer, said, template):
    class H(Odd):
        pass
    H.answer = answer
    s = HTTPServer(("127.0.0.1", 0), H)
    t = threading.Thread(target=s.serve_forever, daemon=True)
    t.start()
    try:
        p = deploy("http://127.0.0.1:%d" % s.server_port, "x", template, check=1)
        assert p.stderr.startswith("cloudkeep: ")
        assert said in p.stderr
    finally:
        s.shutdown()
        s.server_close()


def test_untrusted_certificates_and_wrong_urls(data, template):
    up(data)
    port = json.loads((data / "cloudkeep.json").read_text())["port"]
    p = run("deploy", "x", "--template", template, "--endpoint-url", "https://localhost:%d" % port, env=KEYS, check=1)
    assert "is not trusted" in p.stderr
    p = run("deploy", "x", "--template", template, "--endpoint-url", "https://localhost:%d" % port, env=dict(KEYS, AWS_CA_BUNDLE=str(data / "tls" / "ca.pem")), check=1)
    assert "InvalidClientTokenId" in p.stderr  # trusted; "test" is nobody there
    for url in ("localhost:4566", "ftp://localhost", "http://", "http://localhost:x", "http://localhost/path"):
        assert "is no endpoint" in run("deploy", "x", "--template", template, "--endpoint-url", url, env=KEYS, check=1).stderr
    assert "no credentials" in run("deploy", "x", "--template", template, "--aws", check=1).stderr
