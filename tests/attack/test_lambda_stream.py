# SPDX-License-Identifier: Apache-2.0
"""Streams made to harm: who may not, readers that read nothing, streams without end, functions that answer with nonsense, clients that leave."""
import http.client
import json
import pathlib
import socket
import ssl
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "clients"))
from refusals import refused  # noqa: E402
from test_lambda import create, fn, make_zip, name, role  # noqa: E402,F401 (fixtures)
from test_lambda_invoke import ask, body, permit, until  # noqa: E402
from test_lambda_stream import events  # noqa: E402

ENDLESS = """const piece = Buffer.alloc(1 << 16, 'x');
exports.handler = awslambda.streamifyResponse(async (event, out) => {
	out.write('begun');
	for (;;) if (!out.write(piece)) await new Promise((r) => out.once('drain', r));
});"""
# A runtime of our own: it sends what the event says as the body of its answer, byte for byte.
RAW = """#!/usr/bin/python3
import json, socket, time
s = socket.create_connection(('127.0.0.1', 9001))
s.sendall(b'GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
d = b''
while b'\\r\\n\\r\\n' not in d or not d.endswith(b'}'):
    d += s.recv(65536)
head, event = d.split(b'\\r\\n\\r\\n', 1)
id = [x.split(b': ')[1] for x in head.split(b'\\r\\n') if x.lower().startswith(b'lambda-runtime-aws-request-id')][0]
event = json.loads(event)
raw = event.get('raw') or json.loads(event['body'])['raw']
s.sendall(b'POST /2018-06-01/runtime/invocation/' + id + b'/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: text/plain\\r\\n'
          b'Lambda-Runtime-Function-Response-Mode: streaming\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n' + raw.encode())
time.sleep(20)
"""


def memory_kb(cloud):
    return next(int(x.split()[1]) for x in open("/proc/%d/status" % cloud.proc.pid) if x.startswith("VmRSS"))


def test_who_may_not(cloud, fn, role, name):
    arn = create(fn, name, role)["FunctionArn"]
    users = [cloud.user("stream-" + str(i), s) for i, s in enumerate((
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn + "-other"},
        {"Effect": "Allow", "Action": ["lambda:InvokeFunctionUrl", "lambda:InvokeAsync", "lambda:InvokeWithResponseStream"], "Resource": "*"}))]
    for u in users:
        refused("AccessDeniedException", cloud.client("lambda", key=u).invoke_with_response_stream, FunctionName=name)
        refused("AccessDeniedException", cloud.client("lambda", key=u).invoke_with_response_stream, FunctionName=name, InvocationType="DryRun")
    forged = cloud.client("lambda", key=dict(users[0], SecretAccessKey="x" * 40))
    refused("InvalidSignatureException", forged.invoke_with_response_stream, FunctionName=name)
    url = fn.create_function_url_config(FunctionName=name, AuthType="NONE", InvokeMode="RESPONSE_STREAM")["FunctionUrl"]
    assert ask(cloud, url)[0] == 403  # nobody has allowed it yet


def test_readers_that_do_not_read_hold_nobody(cloud, fn, role, name):
    create(fn, name, role, text=ENDLESS, Timeout=8, MemorySize=256)
    create(fn, name + "-2", role)
    url = fn.create_function_url_config(FunctionName=name, AuthType="NONE", InvokeMode="RESPONSE_STREAM")["FunctionUrl"]
    permit(fn, name, "*", "NONE")
    before = memory_kb(cloud)
    idle = []
    for _ in range(4):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(20)
        s.connect(("127.0.0.1", cloud.port))
        t = ssl.create_default_context(cafile=cloud.ca).wrap_socket(s, server_hostname="localhost")
        t.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % url.split("/")[2].encode())
        assert t.recv(1).startswith(b"H")
        idle.append(t)
    for _ in range(5):  # a byte now and then: not a reason to keep more for them
        for t in idle:
            assert len(t.recv(1)) == 1
        assert body(fn.invoke(FunctionName=name + "-2", Payload=b"1")) == {"got": 1}
        time.sleep(0.2)
    assert memory_kb(cloud) < before + (40 << 10)
    for t in idle:
        t.close()
    fn.delete_function(FunctionName=name + "-2")


def test_a_client_that_leaves_frees_its_place(cloud, fn, role, name):
    create(fn, name, role, text=ENDLESS, Timeout=3, MemorySize=256)
    fn.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    stream = fn.invoke_with_response_stream(FunctionName=name)["EventStream"]
    assert next(iter(stream))["PayloadChunk"]["Payload"].startswith(b"begun")
    stream.close()  # the function goes on until its time is over, as on AWS, and takes nobody's memory
    refused("TooManyRequestsException", fn.invoke_with_response_stream, FunctionName=name)
    fn.update_function_code(FunctionName=name, ZipFile=make_zip({"index.js": "exports.handler = async () => 1;"}))

    def free():
        try:
            return body(fn.invoke(FunctionName=name)) == 1
        except fn.exceptions.TooManyRequestsException:
            return False
    until(free, 40)


def test_a_stream_without_end_has_one(cloud, fn, role, name):
    create(fn, name, role, text=ENDLESS.replace("1 << 16", "4 << 20"), Timeout=60, MemorySize=512)
    n, end = 0, None
    for e in fn.invoke_with_response_stream(FunctionName=name)["EventStream"]:
        n += len(e.get("PayloadChunk", {}).get("Payload", b""))
        end = e.get("InvokeComplete")
    assert n <= 200 << 20 and end["ErrorCode"] == "Function.ResponseSizeTooLarge"


@pytest.mark.parametrize("raw,code", [
    ("4\r\nsome\r\nnot a chunk\r\n", "Runtime.TruncatedResponse"),
    ("4\r\nsome\r\n0\r\nLambda-Runtime-Function-Error-Type: Bad\u00e9\r\nLambda-Runtime-Function-Error-Body: ////\r\n\r\n", None),
    ("4\r\nsome\r\n0\r\nHTTP/1.1 200 OK\r\n\r\n", "Runtime.TruncatedResponse"),
], ids=["garbage", "trailers", "smuggled"])
def test_runtimes_that_answer_nonsense(cloud, fn, role, name, raw, code):
    z = make_zip({"bootstrap": RAW})
    create(fn, name, role, Runtime="provided.al2023", Handler="x", Code={"ZipFile": executable(z)}, Timeout=5)
    got, end = events(fn.invoke_with_response_stream(FunctionName=name, Payload=json.dumps({"raw": raw}).encode()))
    assert got == b"some" and (end["ErrorCode"] == code if code else "ErrorDetails" not in end or end["ErrorCode"])
    url = fn.create_function_url_config(FunctionName=name, AuthType="NONE", InvokeMode="RESPONSE_STREAM")["FunctionUrl"]
    permit(fn, name, "*", "NONE")
    with pytest.raises((http.client.IncompleteRead, ConnectionError, ssl.SSLError)):
        ask(cloud, url, "POST", "/", json.dumps({"raw": raw}).encode(), **{"Content-Type": "application/json"})


def executable(z):
    """The same archive with a bootstrap that may be run."""
    import io
    import zipfile
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(z)) as old, zipfile.ZipFile(out, "w") as new:
        for i in old.infolist():
            i.external_attr = 0o755 << 16
            new.writestr(i, old.read(i.filename))
    return out.getvalue()
