# SPDX-License-Identifier: Apache-2.0
"""Invocations in real environments: answers, failures, limits, versions, layers, events and their retries, function URLs."""
import base64
import concurrent.futures
import http.client
import json
import re
import ssl
import time

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from test_lambda import ECHO, TRUST, code_of, create, fn, make_zip, name, role  # noqa: F401 (fixtures)


def body(r):
    return json.loads(r["Payload"].read() or b"null")


def until(check, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        got = check()
        if got:
            return got
        time.sleep(0.1)
    pytest.fail("it did not happen in %d s" % seconds)


def test_answer_environment_and_log(cloud, fn, role, name):
    create(fn, name, role, text="exports.handler = async (e, c) => { console.log('said'); return {e, arn: c.invokedFunctionArn, env: process.env}; };",
           Environment={"Variables": {"SECRET": "hush"}}, MemorySize=256)
    r = fn.invoke(FunctionName=name, Payload=b'{"a": [1, "\xc3\xa9"]}', LogType="Tail")
    got = body(r)
    assert r["StatusCode"] == 200 and r["ExecutedVersion"] == "$LATEST" and "FunctionError" not in r
    assert got["e"] == {"a": [1, "\u00e9"]} and got["arn"].endswith(":function:" + name)
    env = got["env"]
    assert env["SECRET"] == "hush" and env["AWS_REGION"] == "us-east-1" and env["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256" and env["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    log = base64.b64decode(r["LogResult"]).decode()
    rid = r["ResponseMetadata"]["RequestId"]
    assert "START RequestId: %s Version: $LATEST" % rid in log and "said" in log and "END RequestId: " + rid in log
    assert re.search(r"REPORT RequestId: \S+\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB\tMax Memory Used: \d+ MB\tInit Duration", log)
    who = cloud.client("sts", key=env["AWS_ACCESS_KEY_ID"], secret=env["AWS_SECRET_ACCESS_KEY"], token=env["AWS_SESSION_TOKEN"]).get_caller_identity()
    assert who["Arn"] == "arn:aws:sts::%s:assumed-role/fn/%s" % (cloud.account, name)


def test_python(fn, role, name):
    create(fn, name, role, Runtime="python3.11", Handler="app.run", Code={"ZipFile": make_zip({"app.py": "def run(event, ctx):\n    return event['n'] + 1\n"})})
    assert body(fn.invoke(FunctionName=name, Payload=b'{"n": 41}')) == 42


@pytest.mark.parametrize("text,check", [
    ("exports.handler = async () => { throw new TypeError('no'); };", lambda e: (e["errorType"], e["errorMessage"]) == ("TypeError", "no")),
    ("exports.handler = async () => { process.exit(3); };", lambda e: e["errorType"] == "Runtime.ExitError" and e["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")),
    ("exports.handler = () => new Promise(() => setInterval(() => 0, 1000));", lambda e: e["errorType"] == "Sandbox.Timedout" and e["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")),
    ("exports.handler = async () => { for (;;); };", lambda e: e["errorMessage"].endswith("Task timed out after 1.00 seconds")),
    ("throw new Error('start');", lambda e: e["errorMessage"] == "start"),
], ids=["throws", "exits", "waits", "loops", "init"])
def test_failures(fn, role, name, text, check):
    create(fn, name, role, text=text, Timeout=1)
    r = fn.invoke(FunctionName=name)
    e = body(r)
    assert r["StatusCode"] == 200 and r["FunctionError"] == "Unhandled" and check(e), e
    fn.update_function_code(FunctionName=name, ZipFile=make_zip({"index.js": ECHO}))
    assert body(fn.invoke(FunctionName=name, Payload=b"1")) == {"got": 1}  # the next version is not hurt


def test_bad_requests(fn, role, name):
    create(fn, name, role)
    with pytest.raises(ClientError) as e:
        fn.invoke(FunctionName=name, Payload=b"{no json")
    assert code_of(e) == "InvalidRequestContentException"
    with pytest.raises(ClientError) as e:
        fn.invoke(FunctionName=name, ClientContext=base64.b64encode(b"{" + b" " * 3000 + b"}").decode())
    assert code_of(e) == "InvalidRequestContentException"
    with pytest.raises(ClientError) as e:
        fn.invoke(FunctionName=name, Payload=b'"%s"' % (b"x" * 6291456))
    assert code_of(e) == "RequestTooLargeException"
    with pytest.raises(ClientError) as e:
        fn.invoke(FunctionName=name, Payload=b'"%s"' % (b"x" * (9 << 20)))
    assert code_of(e) == "RequestTooLargeException" and e.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    with pytest.raises(ClientError) as e:
        fn.invoke(FunctionName=name, Qualifier="7")
    assert code_of(e) == "ResourceNotFoundException"
    assert fn.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204
    assert body(fn.invoke(FunctionName=name)) == {"got": {}}


def test_versions_aliases_and_layers(fn, role, name):
    layer = fn.publish_layer_version(LayerName="lib", Content={"ZipFile": make_zip({"nodejs/node_modules/lib/index.js": "module.exports = 'from the layer';"})})
    create(fn, name, role, text="exports.handler = async () => require('lib') + ' 1';", Layers=[layer["LayerVersionArn"]], Publish=True)
    fn.update_function_code(FunctionName=name, ZipFile=make_zip({"index.js": "exports.handler = async () => require('lib') + ' 2';"}), Publish=True)
    fn.create_alias(FunctionName=name, Name="half", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
    assert body(fn.invoke(FunctionName=name + ":1")) == "from the layer 1"
    assert body(fn.invoke(FunctionName=name, Qualifier="2")) == "from the layer 2"
    seen = {fn.invoke(FunctionName=name, Qualifier="half")["ExecutedVersion"] for _ in range(30)}
    assert seen == {"1", "2"}


def test_reserved_concurrency(fn, role, name):
    create(fn, name, role, text="exports.handler = async () => { await new Promise(r => setTimeout(r, 1500)); return 1; };", Timeout=10)
    fn.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        slow = pool.submit(fn.invoke, FunctionName=name)
        time.sleep(0.5)
        with pytest.raises(ClientError) as e:
            fn.invoke(FunctionName=name)
        assert code_of(e) == "TooManyRequestsException" and e.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
        assert body(slow.result()) == 1
    fn.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError) as e:
        fn.invoke(FunctionName=name)
    assert code_of(e) == "TooManyRequestsException"


def test_environment_key_is_asked(cloud, fn, role, name):
    kms = cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    create(fn, name, role, text="exports.handler = async () => process.env.SECRET;", Environment={"Variables": {"SECRET": "sealed"}}, KMSKeyArn=key)
    assert body(fn.invoke(FunctionName=name)) == "sealed"
    kms.disable_key(KeyId=key)
    assert fn.get_function_configuration(FunctionName=name)["Environment"]["Error"]["ErrorCode"] == "DisabledException"
    fn.update_function_code(FunctionName=name, ZipFile=make_zip({"index.js": "exports.handler = async () => 1;"}))
    with pytest.raises(ClientError) as e:
        fn.invoke(FunctionName=name)
    assert code_of(e) == "KMSDisabledException"


# --- events ---
def move_clock(cloud, seconds):
    import subprocess
    from cli_tool import binary
    subprocess.run([str(binary()), "clock", "+%ds" % seconds, "--data", str(cloud.data)], check=True, capture_output=True)


def test_event_retries_and_destination(own_cloud):
    """Each try leaves a mark that the next one sees only through the destination: its record tells how many there were."""
    cloud = own_cloud
    role = cloud.client("iam").create_role(RoleName="ev", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    cloud.client("iam").put_role_policy(RoleName="ev", PolicyName="p", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}]}))
    fn = cloud.client("lambda")
    create(fn, "bad", role, text="exports.handler = async (e) => { throw new Error('always'); };")
    # the sink keeps what it got in its memory: one environment, asked later
    sink = create(fn, "sink", role, text="let got = null; exports.handler = async (e) => { if (e && e.requestContext) got = e; return got; };")
    fn.put_function_concurrency(FunctionName="sink", ReservedConcurrentExecutions=1)
    fn.put_function_event_invoke_config(FunctionName="bad", DestinationConfig={"OnFailure": {"Destination": sink["FunctionArn"]}})
    assert fn.invoke(FunctionName="bad", InvocationType="Event", Payload=b'{"k": 1}')["StatusCode"] == 202
    time.sleep(1.5)
    assert cloud.kill() is not None  # what was accepted is there again after a kill
    cloud.start()
    fn = cloud.client("lambda")
    for _ in range(2):
        time.sleep(1.5)
        move_clock(cloud, 130)

    def arrived():
        try:
            return body(fn.invoke(FunctionName="sink", Payload=b"{}"))
        except ClientError as e:
            assert e.response["Error"]["Code"] == "TooManyRequestsException"
            return None
    got = until(arrived)
    assert got["requestContext"]["condition"] == "RetriesExhausted" and got["requestContext"]["approximateInvokeCount"] == 3
    assert got["requestPayload"] == {"k": 1} and got["responsePayload"]["errorMessage"] == "always"
    assert got["responseContext"]["functionError"] == "Unhandled"


def a_sink(fn, name, role):
    """Keeps in the memory of its one environment what was delivered to it, and tells who asks."""
    c = create(fn, name, role, text="let got = null; exports.handler = async (e) => { if (e && e.requestContext) got = e; return got; };")
    fn.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    return c


def what_came(fn, name):
    try:
        return body(fn.invoke(FunctionName=name, Payload=b"{}"))
    except ClientError as e:
        assert e.response["Error"]["Code"] == "TooManyRequestsException"
        return None


def test_events_of_a_function_that_may_not_run(cloud, fn, role, name):
    """With nothing reserved no try is made: the event goes where failures go, at once."""
    cloud.client("iam").put_role_policy(RoleName="fn", PolicyName="invoke", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}]}))
    sink = a_sink(fn, name + "-sink", role)
    create(fn, name, role)
    fn.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    fn.put_function_event_invoke_config(FunctionName=name, DestinationConfig={"OnFailure": {"Destination": sink["FunctionArn"]}})
    assert fn.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"k": 2}')["StatusCode"] == 202

    got = until(lambda: what_came(fn, name + "-sink"))
    assert got["requestContext"]["condition"] == "ZeroReservedConcurrency" and got["requestContext"]["approximateInvokeCount"] == 0
    assert got["requestPayload"] == {"k": 2} and "responseContext" not in got
    fn.delete_function(FunctionName=name + "-sink")


def test_a_loop_is_stopped(cloud, fn, role, name):
    """A function that sends an event to itself for ever: the SDK hands the tracing header on, which counts its visits."""
    cloud.client("iam").put_role_policy(RoleName="fn", PolicyName="invoke", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}]}))
    sink = a_sink(fn, name + "-sink", role)
    create(fn, name, role, Timeout=30, MemorySize=256, text="""const { LambdaClient, InvokeCommand } = require('@aws-sdk/client-lambda');
        const client = new LambdaClient({});
        exports.handler = async (e, c) => { await client.send(new InvokeCommand({ FunctionName: c.functionName, InvocationType: 'Event',
            Payload: JSON.stringify({ n: e.n + 1 }) })); };""")
    fn.put_function_event_invoke_config(FunctionName=name, DestinationConfig={"OnFailure": {"Destination": sink["FunctionArn"]}})
    fn.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"n": 1}')
    got = until(lambda: what_came(fn, name + "-sink"), 60)
    assert got["requestContext"]["condition"] == "RecursiveInvocation" and got["requestPayload"] == {"n": 17}
    assert got["requestContext"]["approximateInvokeCount"] == 0
    fn.delete_function(FunctionName=name + "-sink")


def test_visits_are_counted_by_function(cloud, fn, role, name):
    create(fn, name, role, text="exports.handler = async () => process.env._X_AMZN_TRACE_ID;")
    create(fn, name + "-2", role, text="exports.handler = async () => process.env._X_AMZN_TRACE_ID;")
    c, trace = cloud.client("lambda"), [None]
    c.meta.events.register("before-sign.lambda.Invoke", lambda request, **kw: trace[0] and request.headers.add_header("X-Amzn-Trace-Id", trace[0]))
    for _ in range(16):
        trace[0] = body(c.invoke(FunctionName=name))
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=[0-9a-f]{8}:16", trace[0])
    with pytest.raises(ClientError) as e:
        c.invoke(FunctionName=name)
    assert code_of(e) == "RecursiveInvocationException" and e.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert re.search(r";Lineage=[0-9a-f]{8}:16\|[0-9a-f]{8}:1$", body(c.invoke(FunctionName=name + "-2")))  # another one may
    fn.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert body(c.invoke(FunctionName=name)).endswith(":17")
    for odd in ("Lineage=", "Lineage=zz:1", "Root=x;Lineage=aaaaaaaa:-1", "Lineage=aaaaaaaa:99999999999999999999", "Lineage=" + "|".join("%08x:1" % i for i in range(30))):
        trace[0] = odd
        assert body(c.invoke(FunctionName=name + "-2")).endswith(":1"), odd
    fn.delete_function(FunctionName=name + "-2")


# --- URLs ---
def ask(cloud, url, method="GET", path="/", data=None, creds=None, **headers):
    host = url.split("/")[2]
    c = http.client.HTTPSConnection("localhost", cloud.port, context=ssl.create_default_context(cafile=cloud.ca), timeout=20)
    if creds:
        q = AWSRequest(method, "https://" + host + path, data=data or "", headers=dict(headers))
        SigV4Auth(Credentials(creds["AccessKeyId"], creds["SecretAccessKey"]), "lambda", "us-east-1").add_auth(q)
        headers = dict(q.headers)
    headers["Host"] = host
    c.request(method, path, body=data, headers=headers)
    r = c.getresponse()
    got = (r.status, dict((k.lower(), v) for k, v in r.getheaders()), r.read())
    c.close()
    return got


def permit(fn, name, principal, auth):
    fn.add_permission(FunctionName=name, StatementId="u", Action="lambda:InvokeFunctionUrl", Principal=principal, FunctionUrlAuthType=auth)
    fn.add_permission(FunctionName=name, StatementId="i", Action="lambda:InvokeFunction", Principal=principal, InvokedViaFunctionUrl=True)


def test_public_url(cloud, fn, role, name):
    create(fn, name, role, text="""exports.handler = async (e) => e.rawPath === '/plain' ? {plain: true} :
        ({statusCode: 201, headers: {'X-A': 'b', 'content-type': 'text/x'}, cookies: ['a=1', 'b=2'],
          body: Buffer.from(JSON.stringify(e)).toString('base64'), isBase64Encoded: true});""")
    url = fn.create_function_url_config(FunctionName=name, AuthType="NONE", Cors={"AllowOrigins": ["https://a.example"], "AllowMethods": ["PUT"]})["FunctionUrl"]
    assert ask(cloud, url)[0] == 403  # the policy must allow it
    permit(fn, name, "*", "NONE")
    status, headers, data = ask(cloud, url, "POST", "/x/y?q=1&q=2&r=%20", b"\x00\x01", Cookie="s=1; t=2", Origin="https://a.example")
    e = json.loads(data)
    assert status == 201 and headers["x-a"] == "b" and headers["access-control-allow-origin"] == "https://a.example"
    assert (e["version"], e["rawPath"], e["rawQueryString"]) == ("2.0", "/x/y", "q=1&q=2&r=%20")
    assert e["queryStringParameters"] == {"q": "1,2", "r": " "} and e["cookies"] == ["s=1", "t=2"]
    assert e["isBase64Encoded"] and base64.b64decode(e["body"]) == b"\x00\x01" and e["requestContext"]["http"]["method"] == "POST"
    status, headers, data = ask(cloud, url, path="/plain")
    assert (status, headers["content-type"], json.loads(data)) == (200, "application/json", {"plain": True})
    status, headers, _ = ask(cloud, url, "OPTIONS", Origin="https://a.example", **{"Access-Control-Request-Method": "PUT"})
    assert status == 200 and headers["access-control-allow-methods"] == "PUT"


def test_signed_url(cloud, fn, role, name):
    create(fn, name, role, text="exports.handler = async (e) => e.requestContext.authorizer.iam.userArn;")
    url = fn.create_function_url_config(FunctionName=name, AuthType="AWS_IAM")["FunctionUrl"]
    may = cloud.user(name[:40] + "-may", {"Effect": "Allow", "Action": ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"], "Resource": "*"})
    mayn = cloud.user(name[:40] + "-mayn", {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"})
    assert ask(cloud, url)[0] == 403
    assert ask(cloud, url, creds=mayn)[0] == 403
    assert ask(cloud, url, creds=dict(may, SecretAccessKey="x" * 40))[0] == 403
    status, _, data = ask(cloud, url, creds=may)
    assert status == 200 and data.decode() == may["Arn"]
