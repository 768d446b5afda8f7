# SPDX-License-Identifier: Apache-2.0
"""Answers that are streamed: InvokeWithResponseStream by boto3 and the SDK for JavaScript, and function URLs with RESPONSE_STREAM."""
import base64
import http.client
import json
import pathlib
import shutil
import ssl
import subprocess

import pytest
from botocore.exceptions import ClientError
from test_lambda import ECHO, code_of, create, fn, make_zip, name, role  # noqa: F401 (fixtures)
from test_lambda_invoke import ask, body, permit

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
STREAM = "exports.handler = awslambda.streamifyResponse(async (event, out, context) => { %s });"
# Writes a piece, and the next one only when whoever reads has answered the first one through S3.
TWO = """const { S3Client, HeadObjectCommand } = require('@aws-sdk/client-s3');
exports.handler = awslambda.streamifyResponse(async (event, out) => {
	out.write('first');
	const s3 = new S3Client({});
	for (;;) try { await s3.send(new HeadObjectCommand({ Bucket: event.bucket, Key: 'seen' })); break; } catch { await new Promise((r) => setTimeout(r, 50)); }
	out.end('second');
});"""
URL = """exports.handler = awslambda.streamifyResponse(async (event, out) => {
	const how = event.rawPath;
	if (how === '/plain') { out.setContentType('text/plain'); out.write('pl'); return out.end('ain'); }
	if (how === '/never') return new Promise(() => setInterval(() => 0, 1000));
	if (how === '/before') throw new Error('before');
	if (how === '/bad') { out.setContentType('application/vnd.awslambda.http-integration-response'); out.write('{"statusCode": 9'); return out.end(); }
	out = awslambda.HttpResponseStream.from(out, { statusCode: 201, headers: { 'X-Own': 'yes', 'Content-Type': 'text/css', 'Content-Length': '3' }, cookies: ['a=1', 'b=2'] });
	out.write('body {}');
	if (how === '/after') { await new Promise((r) => setTimeout(r, 50)); throw new Error('after'); }
	out.end(event.body ?? '');
});"""


def events(r):
    """(all chunks as one, what InvokeComplete says); nothing comes behind that."""
    all_ = list(r["EventStream"])
    assert all("PayloadChunk" in e for e in all_[:-1]) and "InvokeComplete" in all_[-1]
    return b"".join(e["PayloadChunk"]["Payload"] for e in all_[:-1]), all_[-1]["InvokeComplete"]


def test_pieces_come_while_it_works(cloud, fn, role, name):
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="handshake")
    cloud.client("iam").put_role_policy(RoleName="fn", PolicyName="s3", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}))
    create(fn, name, role, text=TWO, Timeout=30, MemorySize=512, Publish=True)
    r = fn.invoke_with_response_stream(FunctionName=name, Qualifier="1", Payload=b'{"bucket": "handshake"}', LogType="Tail")
    assert (r["StatusCode"], r["ExecutedVersion"], r["ResponseStreamContentType"]) == (200, "1", "application/vnd.amazon.eventstream")
    stream = iter(r["EventStream"])
    assert next(stream) == {"PayloadChunk": {"Payload": b"first"}}
    s3.put_object(Bucket="handshake", Key="seen")
    assert next(stream) == {"PayloadChunk": {"Payload": b"second"}}
    end = next(stream)["InvokeComplete"]
    assert list(stream) == [] and set(end) == {"LogResult"}
    log = base64.b64decode(end["LogResult"]).decode()
    assert "START RequestId: %s Version: 1" % r["ResponseMetadata"]["RequestId"] in log and "REPORT" in log


@pytest.mark.parametrize("text,data,code,details", [
    ("throw new TypeError('no');", b"", "TypeError", '"errorMessage":"no"'),
    ("out.write('some'); throw new TypeError('no');", b"some", "TypeError", '"errorMessage":"no"'),
    ("out.write('some'); await new Promise((r) => setTimeout(r, 50)); process.exit(3);", b"some", "Runtime.ExitError", "exit status 3"),
    ("out.write('some'); setInterval(() => 0, 1000); await new Promise(() => {});", b"some", "Sandbox.Timedout", "timed out after 1.00 seconds"),
    ("setInterval(() => 0, 1000); await new Promise(() => {});", b"", "Sandbox.Timedout", "timed out after 1.00 seconds"),
], ids=["before", "after", "exits", "stops", "never"])
def test_errors_are_in_the_last_event(fn, role, name, text, data, code, details):
    create(fn, name, role, text=STREAM % text, Timeout=1)
    got, end = events(fn.invoke_with_response_stream(FunctionName=name))
    assert got == data and end["ErrorCode"] == code and details in end["ErrorDetails"], end
    if code != "TypeError":
        return
    r = fn.invoke(FunctionName=name)  # where nothing is streamed, an error is the whole answer
    assert r["FunctionError"] == "Unhandled" and body(r)["errorMessage"] == "no"


def test_ordinary_functions(fn, role, name):
    create(fn, name, role)
    assert events(fn.invoke_with_response_stream(FunctionName=name, Payload=b'[1, 2]')) == (b'{"got":[1,2]}', {})
    assert events(fn.invoke_with_response_stream(FunctionName=name, Payload=b'"%s"' % (b"x" * 3000000)))[0] == b'{"got":"%s"}' % (b"x" * 3000000)
    create(fn, name + "-py", role, Runtime="python3.11", Handler="app.run", Code={"ZipFile": make_zip({"app.py": "def run(event, ctx):\n    return event\n"})})
    assert events(fn.invoke_with_response_stream(FunctionName=name + "-py", Payload=b'[1]'))[0] == b"[1]"
    fn.delete_function(FunctionName=name + "-py")
    create(fn, name + "-s", role, text=STREAM % "out.write('{\"a\":'); out.end('1}');")
    assert body(fn.invoke(FunctionName=name + "-s")) == {"a": 1}
    fn.delete_function(FunctionName=name + "-s")


def test_refusals(cloud, fn, role, name):
    create(fn, name, role)
    call = fn.invoke_with_response_stream
    assert call(FunctionName=name, InvocationType="DryRun")["ResponseMetadata"]["HTTPStatusCode"] == 204
    for kw, code in (({"FunctionName": name, "Qualifier": "7"}, "ResourceNotFoundException"), ({"FunctionName": "nobody"}, "ResourceNotFoundException"),
                     ({"FunctionName": name, "Payload": b"{no"}, "InvalidRequestContentException")):
        with pytest.raises(ClientError) as e:
            call(**kw)
        assert code_of(e) == code
    user = cloud.user("streamer", {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"})
    other = cloud.user("reader", {"Effect": "Allow", "Action": ["lambda:Get*", "lambda:InvokeFunctionUrl", "lambda:InvokeWithResponseStream"], "Resource": "*"})
    assert events(cloud.client("lambda", key=user).invoke_with_response_stream(FunctionName=name, Payload=b"1"))[0] == b'{"got":1}'
    with pytest.raises(ClientError) as e:
        cloud.client("lambda", key=other).invoke_with_response_stream(FunctionName=name)
    assert code_of(e) == "AccessDeniedException"
    fn.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError) as e:
        call(FunctionName=name)
    assert code_of(e) == "TooManyRequestsException"


def test_sdk_for_javascript(cloud, fn, role, name):
    sdk = ROOT / "runtimes" / "node"
    if not shutil.which("node") or not (sdk / "node_modules" / "@aws-sdk" / "client-lambda").exists():
        pytest.skip("node or the AWS SDK for JavaScript is not installed (scripts/setup)")
    create(fn, name, role, text=STREAM % "for (let i = 0; i < 3; i++) out.write('piece ' + i + event.end); out.end();")
    text = """const { LambdaClient, InvokeWithResponseStreamCommand } = require('@aws-sdk/client-lambda');
(async () => {
	const r = await new LambdaClient({}).send(new InvokeWithResponseStreamCommand({ FunctionName: process.argv[1], Payload: '{"end": ";"}', LogType: 'Tail' }));
	let text = '', end;
	for await (const e of r.EventStream) { if (e.PayloadChunk) text += Buffer.from(e.PayloadChunk.Payload).toString(); else end = e.InvokeComplete; }
	console.log(JSON.stringify({ text, end }));
})();"""
    r = subprocess.run(["node", "-e", text, name], cwd=sdk, env=cloud.env(), capture_output=True, text=True, timeout=120)
    assert r.returncode == 0, r.stderr
    out = json.loads(r.stdout)
    assert out["text"] == "piece 0;piece 1;piece 2;" and "REPORT" in base64.b64decode(out["end"]["LogResult"]).decode() and "ErrorCode" not in out["end"]


# --- function URLs ---
@pytest.fixture
def url(fn, role, name):
    create(fn, name, role, text=URL, Timeout=2)
    u = fn.create_function_url_config(FunctionName=name, AuthType="NONE", InvokeMode="RESPONSE_STREAM")
    assert u["InvokeMode"] == "RESPONSE_STREAM"
    permit(fn, name, "*", "NONE")
    return u["FunctionUrl"]


def test_url_status_headers_and_body(cloud, fn, name, url):
    status, h, got = ask(cloud, url, "POST", "/x", b"tail", **{"Content-Type": "text/plain"})
    assert (status, got) == (201, b"body {}tail")
    assert (h["x-own"], h["content-type"], h["transfer-encoding"]) == ("yes", "text/css", "chunked") and "content-length" not in h and h["x-amzn-requestid"]
    assert h["set-cookie"] == "b=2"  # the last of two fields of that name
    status, h, got = ask(cloud, url, path="/plain")
    assert (status, h["content-type"], got) == (200, "text/plain", b"plain")
    assert ask(cloud, url, "HEAD", "/plain")[2] == b""
    for path in ("/bad", "/before", "/never"):
        assert ask(cloud, url, path=path)[0] == 502, path
    with pytest.raises((http.client.IncompleteRead, ConnectionError, ssl.SSLError)):
        ask(cloud, url, path="/after")
    assert ask(cloud, url, path="/plain")[2] == b"plain"
    fn.update_function_url_config(FunctionName=name, InvokeMode="BUFFERED")
    status, h, got = ask(cloud, url, path="/x")  # what goes ahead of the body is understood there, too
    assert (status, h["x-own"], h["content-length"], got) == (201, "yes", "7", b"body {}")
    fn.update_function_code(FunctionName=name, ZipFile=make_zip({"index.js": ECHO}))
    assert fn.update_function_url_config(FunctionName=name, InvokeMode="RESPONSE_STREAM")["InvokeMode"] == "RESPONSE_STREAM"
    status, h, got = ask(cloud, url)  # an ordinary handler's answer is the body, as it is
    assert status == 200 and h["content-type"] == "application/json" and json.loads(got)["got"]["version"] == "2.0"


def test_url_signed(cloud, fn, role, name):
    create(fn, name, role, text=URL)
    url = fn.create_function_url_config(FunctionName=name, AuthType="AWS_IAM", InvokeMode="RESPONSE_STREAM")["FunctionUrl"]
    may = cloud.user("url-may", {"Effect": "Allow", "Action": ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"], "Resource": "*"})
    half = cloud.user("url-half", {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"})
    assert ask(cloud, url, path="/plain", creds=may)[::2] == (200, b"plain")
    assert ask(cloud, url, path="/plain", creds=half)[0] == 403 and ask(cloud, url, path="/plain")[0] == 403


def test_stacks_make_streaming_urls(cloud, fn, role):
    from test_cloudformation import create as create_stack
    from test_cloudformation import delete as delete_stack
    from test_cloudformation import physical, template
    from test_cloudformation import update as update_stack

    def stack(**mode):
        return template({"F": {"Type": "AWS::Lambda::Function", "Properties": {"Role": role, "Runtime": "nodejs20.x", "Handler": "index.handler", "Code": {"ZipFile": ECHO}}},
                         "U": {"Type": "AWS::Lambda::Url", "Properties": {"TargetFunctionArn": {"Ref": "F"}, "AuthType": "NONE", **mode}}})
    cf = cloud.client("cloudformation")
    create_stack(cf, "url", stack(InvokeMode="RESPONSE_STREAM"))
    f = physical(cf, "url", "F")
    assert fn.get_function_url_config(FunctionName=f)["InvokeMode"] == "RESPONSE_STREAM"
    update_stack(cf, "url", stack())
    assert fn.get_function_url_config(FunctionName=f)["InvokeMode"] == "BUFFERED"
    delete_stack(cf, "url")
