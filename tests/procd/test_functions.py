# SPDX-License-Identifier: Apache-2.0
"""Environments of functions as the Lambda service sees them: outcomes, reuse, errors and logs as AWS's runtimes give them."""
import json
import os
import time

import pytest

from fn import Tool, code, folder

BOTH = pytest.mark.parametrize("py", [False, True], ids=["node", "python"])


@BOTH
def test_answers_and_stays_warm(tool, make, py):
    c = make("import os\nn = 0\ndef handler(e, c):\n    global n\n    n += 1\n    return {'n': n, 'e': e, 'pid': os.getpid()}\n" if py else
             "let n = 0; exports.handler = async (e) => ({n: ++n, e, pid: process.pid});", py)
    a, b = tool.invoke(c, {"x": "ü"}), tool.invoke(c, [1])
    assert (a["outcome"], a["cold"], a["value"]["n"], a["value"]["e"]) == ("DONE", True, 1, {"x": "ü"})
    assert (b["outcome"], b["cold"], b["value"]["n"], b["value"]["e"]) == ("DONE", False, 2, [1])
    assert a["environment"] == b["environment"] and len(a["environment"]) == 32
    assert a["init_us"] > 0 and b["init_us"] == 0 and b["duration_us"] > 0


def test_at_once_needs_more_environments_and_keys_do_not_mix(tool, make):
    c = make("exports.handler = async () => { await new Promise((r) => setTimeout(r, 300)); return process.env.WHO; };")
    ids = [tool.start(c, env={"WHO": "a"}, key="mix-a"), tool.start(c, env={"WHO": "a"}, key="mix-a"), tool.start(c, env={"WHO": "b"}, key="mix-b")]
    got = [tool.wait(i) for i in ids]
    assert [r["value"] for r in got] == ["a", "a", "b"]
    assert len({r["environment"] for r in got}) == 3


def test_a_burst_starts_few_environments(tool, make):
    """More starts at once would only take the processors from each other, and none would come up in time."""
    n = 8 * (os.cpu_count() or 1) + 24
    c = make("exports.handler = async (e) => e;")
    ids = [tool.start(c, i, key="burst") for i in range(n)]
    got = [tool.wait(i) for i in ids]
    assert [r["value"] for r in got] == list(range(n))
    assert 1 <= sum(r["cold"] for r in got) <= n / 2


def test_forgotten_environments_are_not_used_again(tool, make):
    c = make("exports.handler = async () => 1;")
    a = tool.invoke(c, key="forget-1")
    tool.order(forget="forget-")
    b = tool.invoke(c, key="forget-1")
    assert b["cold"] and b["environment"] != a["environment"]


def test_credentials_that_end_soon_are_not_used_again(tool, make):
    c = make("exports.handler = async () => 1;")
    a, b = tool.invoke(c, expires_in=62000), tool.invoke(c, expires_in=3600000)
    assert b["cold"] and b["environment"] != a["environment"]
    assert not tool.invoke(c, expires_in=3600000)["cold"]


def test_log_stream_is_named_after_the_environment(tool, make):
    r = tool.invoke(make("exports.handler = async (e, c) => c.logStreamName;"), env={"AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/02/[$LATEST]{environment}"})
    assert r["value"] == "2026/01/02/[$LATEST]" + r["environment"]


def test_no_credentials_no_environment(tool, make):
    r = tool.invoke(make("exports.handler = async () => 1;"), no_credentials=True)
    assert r["outcome"] == "REFUSED" and "credentials" in r["exit_text"]


def test_unknown_runtimes_are_refused(tool, make):
    r = tool.invoke(make("x"), runtime="java21", handler="a.b")
    assert r["outcome"] == "REFUSED" and "runtime" in r["exit_text"]
    assert tool.ask(runtime_of="java21")["runtime_of"] is None
    assert tool.ask(runtime_of="python3.12")["runtime_of"] == "/usr/bin/python3"
    assert tool.ask(runtime_of="nodejs24.x")["runtime_of"].endswith("node")


# --- handlers ---
@pytest.mark.parametrize("file,text", [
    ("index.js", "exports.handler = async (e, c) => e.v + 1;"),
    ("index.mjs", "export const handler = async (e, c) => e.v + 1;"),
    ("index.cjs", "exports.handler = async (e, c) => e.v + 1;"),
    ("index.mjs", "import { readFileSync } from 'node:fs'; const x = await Promise.resolve(1); export const handler = async (e) => e.v + x;"),
    ("index.js", "exports.handler = (e, c) => Promise.resolve(e.v + 1);"),
])
def test_node_handler_styles(tool, make, file, text):
    assert tool.invoke(make(text, file=file), {"v": 41})["value"] == 42


@pytest.mark.parametrize("text,want", [
    ("exports.handler = (e, c, cb) => cb(null, e.v + 1);", 42),
    ("exports.handler = (e, c, cb) => { setTimeout(() => cb(null, e.v + 1), 20); };", 42),
    ("let late; exports.handler = (e, c, cb) => { setTimeout(() => { late = 1; }, 50); cb(null, late ?? 0); };", 0),
    ("exports.handler = (e, c) => { c.succeed(e.v + 1); };", 42),
    ("exports.handler = (e, c) => { };", None),
])
def test_node_callbacks(tool, make, text, want):
    c = make(text)
    r = tool.invoke(c, {"v": 41}, runtime="nodejs22.x")
    assert (r["outcome"], r["value"]) == ("DONE", want)


def test_node_callback_waits_for_what_is_left_to_do(tool, make):
    c = make("let late = 0; exports.handler = (e, c, cb) => { if (e) return cb(null, late); setTimeout(() => { late = 1; }, 200); cb(null, 'x'); };")
    a = tool.invoke(c, False, runtime="nodejs22.x")
    assert a["duration_us"] > 190000
    assert tool.invoke(c, True, runtime="nodejs22.x")["value"] == 1


def test_node_24_has_no_callbacks(tool, make):
    r = tool.invoke(make("exports.handler = (e, c, cb) => cb(null, 1);"), runtime="nodejs24.x")
    assert (r["outcome"], r["error_type"]) == ("FAILED", "Runtime.CallbackHandlerDeprecated")


def test_nested_handlers(tool, make):
    c = make("")
    (c / "src").mkdir()
    (c / "src" / "app.js").write_text("exports.a = { b: async () => 'deep' };")
    (c / "src" / "app.py").write_text("def run(e, c): return 'deep'\n")
    assert tool.invoke(c, handler="src/app.a.b")["value"] == "deep"
    assert tool.invoke(c, handler="src/app.run", runtime="python3.12", key="np")["value"] == "deep"
    assert tool.invoke(c, handler="src.app.run", runtime="python3.12", key="np2")["value"] == "deep"


def test_esm_by_package_json(tool, make):
    c = make("export const handler = async () => typeof require;")
    (c / "package.json").write_text('{"type": "module"}')
    assert tool.invoke(c)["value"] == "undefined"


CONTEXT = dict(AWS_LAMBDA_FUNCTION_NAME="f", AWS_LAMBDA_FUNCTION_VERSION="7", AWS_LAMBDA_FUNCTION_MEMORY_SIZE="256",
               AWS_LAMBDA_LOG_GROUP_NAME="/aws/lambda/f", AWS_LAMBDA_LOG_STREAM_NAME="s")


@BOTH
def test_context(tool, make, py):
    c = make("import os\ndef handler(e, c):\n    return [c.function_name, c.function_version, c.memory_limit_in_mb, c.log_group_name, c.log_stream_name,\n"
             "            c.invoked_function_arn, len(c.aws_request_id), 0 < c.get_remaining_time_in_millis() <= 5000, os.environ['_X_AMZN_TRACE_ID'],\n"
             "            c.client_context.custom['k']]\n" if py else
             "exports.handler = async (e, c) => [c.functionName, c.functionVersion, c.memoryLimitInMB, c.logGroupName, c.logStreamName,"
             " c.invokedFunctionArn, c.awsRequestId.length, 0 < c.getRemainingTimeInMillis() && c.getRemainingTimeInMillis() <= 5000,"
             " process.env._X_AMZN_TRACE_ID, c.clientContext.custom.k];", py)
    r = tool.invoke(c, env=CONTEXT, trace="Root=1-2-3;Sampled=1", client_context='{"custom": {"k": "v"}}')
    assert r["value"] == ["f", "7", "256", "/aws/lambda/f", "s", "arn:aws:lambda:us-east-1:123456789012:function:f", 36, True,
                          "Root=1-2-3;Sampled=1", "v"]


def test_variables_that_are_ours_cannot_be_set(tool, make):
    c = make("exports.handler = async () => [process.env._HANDLER, process.env.AWS_LAMBDA_RUNTIME_API, process.env.MINE, process.env.LAMBDA_TASK_ROOT];")
    r = tool.invoke(c, env={"_HANDLER": "evil.x", "AWS_LAMBDA_RUNTIME_API": "1.2.3.4:5", "MINE": "yes\n=", "LAMBDA_TASK_ROOT": "/"})
    assert r["value"] == ["index.handler", "127.0.0.1:9001", "yes\n=", "/var/task"]


# --- errors, as AWS's runtimes name them ---
@pytest.mark.parametrize("text,handler,kind,message", [
    ("exports.handler = async () => { class MyErr extends Error {} ; const e = new MyErr('boom'); e.name = 'MyErr'; throw e; };", None, "MyErr", "boom"),
    ("exports.handler = async () => { throw 'text'; };", None, "string", "text"),
    ("exports.handler = async () => null.x;", None, "TypeError", "Cannot read properties of null (reading 'x')"),
    ("exports.handler = async () => 1;", "index.other", "Runtime.HandlerNotFound", "index.other is undefined or not exported"),
    ("exports.handler = async () => 1;", "nothing.handler", "Runtime.ImportModuleError", "Error: Cannot find module 'nothing'"),
    ("require('no-such-module');", None, "Runtime.ImportModuleError", "Error: Cannot find module 'no-such-module'"),
    ("exports.handler = async () => { let let = 1; };", None, "Runtime.UserCodeSyntaxError", "SyntaxError: "),
    ("exports.handler = async () => 1;", "index", "Runtime.MalformedHandlerName", "Bad handler"),
    ("exports.handler = async () => { const a = {}; a.a = a; return a; };", None, "Runtime.MarshalError", "Unable to stringify response body"),
    ("throw new RangeError('at start');", None, "RangeError", "at start"),
])
def test_node_errors(tool, make, text, handler, kind, message):
    r = tool.invoke(make(text), **({"handler": handler} if handler else {}))
    assert (r["outcome"], r["error_type"], r["value"]["errorType"]) == ("FAILED", kind, kind)
    assert r["value"]["errorMessage"].startswith(message)
    assert isinstance(r["value"]["trace"], list)


def test_node_unhandled_rejection_fails_the_invocation_and_ends_the_environment(tool, make):
    c = make("exports.handler = async (e) => { if (!e) return 1; Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 3000)); };")
    a = tool.invoke(c, 0)
    r = tool.invoke(c, 1)
    assert (r["outcome"], r["error_type"]) == ("FAILED", "Runtime.UnhandledPromiseRejection")
    assert r["value"]["errorMessage"] == "Error: lost"
    b = tool.invoke(c, 0)
    assert b["cold"] and b["environment"] != a["environment"]


@pytest.mark.parametrize("text,handler,kind,message", [
    ("class MyErr(Exception): pass\ndef handler(e, c):\n    raise MyErr('boom')\n", None, "MyErr", "boom"),
    ("def handler(e, c): return 1\n", "app.other", "Runtime.HandlerNotFound", "Handler 'other' missing on module 'app'"),
    ("def handler(e, c): return 1\n", "nothing.handler", "Runtime.ImportModuleError", "Unable to import module 'nothing': No module named 'nothing'"),
    ("import no_such\n", None, "Runtime.ImportModuleError", "Unable to import module 'app': No module named 'no_such'"),
    ("def handler(e, c)\n  return\n", None, "Runtime.UserCodeSyntaxError", "Syntax error in module 'app': "),
    ("def handler(e, c): return 1\n", "handler", "Runtime.MalformedHandlerName", "Bad handler 'handler'"),
    ("def handler(e, c): return {1, 2}\n", None, "Runtime.MarshalError", "Unable to marshal response: Object of type set is not JSON serializable"),
    ("raise KeyError('at start')\n", None, "KeyError", "'at start'"),
])
def test_python_errors(tool, make, text, handler, kind, message):
    r = tool.invoke(make(text, True), **({"handler": handler} if handler else {}))
    assert (r["outcome"], r["error_type"], r["value"]["errorType"]) == ("FAILED", kind, kind)
    assert r["value"]["errorMessage"].startswith(message)
    assert isinstance(r["value"]["stackTrace"], list)
    if kind == "MyErr":
        assert 'File "/var/task/app.py", line 3, in handler' in r["value"]["stackTrace"][0]


# --- logs ---
def lines_of(tool, r):
    return [line for log in tool.logs if log["environment"] == r["environment"] for line in log["log"].splitlines()]


def test_node_console(tool, make):
    c = make("exports.handler = async (e, c) => { console.log('a', {b: 1}); console.error('two\\nlines'); return c.awsRequestId; };")
    r = tool.invoke(c)
    mine = [log for log in tool.logs if log["environment"] == r["environment"]]
    assert all(log["request_id"] == r["value"] for log in mine)
    text = "".join(log["log"] for log in mine).split("\n")
    when, rid, level, message = text[0].split("\t")
    assert (rid, level, message) == (r["value"], "INFO", "a { b: 1 }") and when.endswith("Z") and "T" in when
    assert text[1].split("\t")[2:] == ["ERROR", "two\rlines"]
    assert r["log_tail"].startswith(text[0])


def test_node_json_log(tool, make):
    c = make("exports.handler = async () => { console.debug('no'); console.warn('w', 1); console.info({k: 2}); };")
    r = tool.invoke(c, env={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"})
    got = [json.loads(line) for line in lines_of(tool, r)]
    assert [(g["level"], g["message"]) for g in got] == [("WARN", "w 1"), ("INFO", {"k": 2})]
    assert all(len(g["requestId"]) == 36 for g in got)


def test_python_print_and_logging(tool, make):
    c = make("import logging\nlogging.getLogger().setLevel('INFO')\ndef handler(e, c):\n    print('plain')\n    logging.info('hi %s', 'you')\n"
             "    logging.debug('no')\n    return c.aws_request_id\n", True)
    r = tool.invoke(c)
    got = lines_of(tool, r)
    assert got[0] == "plain"
    level, when, rid, message = got[1].split("\t")
    assert (level, rid, message) == ("[INFO]", r["value"], "hi you") and when.endswith("Z") and len(got) == 2


def test_python_json_log(tool, make):
    c = make("import logging\ndef handler(e, c):\n    logging.info('x', extra={'k': 1})\n    logging.debug('no')\n", True)
    r = tool.invoke(c, env={"AWS_LAMBDA_LOG_FORMAT": "JSON"})
    got = [json.loads(line) for line in lines_of(tool, r)]
    assert [(g["level"], g["message"], g["k"]) for g in got] == [("INFO", "x", 1)]


def test_log_tail_is_the_last_four_kilobytes_of_this_invocation(tool, make):
    c = make("exports.handler = async (e) => { for (let i = 0; i < e; i++) process.stdout.write(String(i).padStart(9, '0') + '\\n'); };")
    r = tool.invoke(c, 100000)
    assert len(r["log_tail"]) == 4096 and r["log_tail"].endswith("000099999\n")
    assert tool.invoke(c, 1)["log_tail"] == "000000000\n"


# --- bad input ---
@BOTH
def test_exit(tool, make, py):
    c = make("import os\ndef handler(e, c):\n    os._exit(e)\n" if py else "exports.handler = async (e) => process.exit(e);", py)
    r = tool.invoke(c, 3)
    assert (r["outcome"], r["exit_text"]) == ("EXITED", "exit status 3")
    assert tool.invoke(c, 0)["exit_text"] == "exit status 0"


def test_crash(tool, make):
    c = make("import ctypes\ndef handler(e, c):\n    ctypes.string_at(0)\n", True)
    assert tool.invoke(c)["exit_text"] == "signal: segmentation fault"
    c = make("exports.handler = async () => process.abort();")
    assert tool.invoke(c)["exit_text"] == "signal: aborted"
    c = make("exports.handler = async () => { process.kill(process.pid, 'SIGKILL'); await new Promise(() => {}); };")
    assert tool.invoke(c)["exit_text"] == "signal: killed"


def test_exit_while_starting(tool, make):
    r = tool.invoke(make("process.exit(5);"))
    assert (r["outcome"], r["exit_text"]) == ("EXITED", "exit status 5")


@BOTH
def test_endless_loop_is_ended_in_time(tool, make, py):
    c = make("def handler(e, c):\n    while e: pass\n" if py else "exports.handler = async (e) => { while (e); };", py)
    first = tool.invoke(c, 0)
    began = time.time()
    r = tool.invoke(c, 1, timeout=400)
    assert r["outcome"] == "TIMED_OUT" and 0.35 < time.time() - began < 3 and r["environment"] == first["environment"]
    assert tool.invoke(c, 0)["cold"]


def test_start_that_takes_too_long(tool, make):
    c = make("while (true);")
    began = time.time()
    r = tool.invoke(c, init_timeout=300, timeout=400)
    assert r["outcome"] == "TIMED_OUT" and 0.6 < time.time() - began < 5
    c = make("const until = Date.now() + 500; while (Date.now() < until); exports.handler = async () => 1;")
    assert tool.invoke(c, init_timeout=250, timeout=5000)["outcome"] == "DONE"  # once more, in the invocation's own time


def test_never_asks_for_work(tool, make):
    c = make("process.stdin.resume(); setInterval(() => {}, 1000); while (1) { require('child_process').execFileSync('sleep', ['1']); }")
    assert tool.invoke(c, init_timeout=300, timeout=300)["outcome"] == "TIMED_OUT"


def test_too_large_an_answer(tool, make):
    c = make("exports.handler = async (n) => 'x'.repeat(n);")
    assert tool.invoke(c, 6291556 - 2)["payload"] == "(6291556 bytes)"
    r = tool.invoke(c, 6291557)
    assert (r["outcome"], r["error_type"]) == ("FAILED", "Function.ResponseSizeTooLarge")
    assert tool.invoke(c, 5)["value"] == "xxxxx"
    c = make("def handler(n, c):\n    return 'x' * n\n", True)
    assert tool.invoke(c, 7000000)["error_type"] == "Function.ResponseSizeTooLarge"
    assert tool.invoke(c, 5)["value"] == "xxxxx"


def test_large_event(tool, make):
    for py in (False, True):
        c = make("def handler(e, c):\n    return len(e)\n" if py else "exports.handler = async (e) => e.length;", py)
        assert tool.invoke(c, "x" * 6000000)["value"] == 6000000


RAW = """
import socket, json, os
def talk(text):
    s = socket.create_connection(('127.0.0.1', 9001))
    s.sendall(text.encode())
    s.settimeout(2)
    got = b''
    try:
        while not got.endswith((b'}\\n', b'"}')):
            d = s.recv(65536)
            if not d: break
            got += d
    except TimeoutError:
        pass
    s.close()
    return got.decode().split('\\r\\n')[0] + ' ' + got.decode().split('\\r\\n\\r\\n')[-1].strip()
def post(path, body, more=''):
    return talk('POST /2018-06-01/runtime/%s HTTP/1.1\\r\\nHost: x\\r\\n%sContent-Length: %d\\r\\n\\r\\n%s' % (path, more, len(body), body))
"""


def test_answers_twice(tool, make):
    c = make(RAW + "def handler(e, c):\n"
             "    if e: return e2\n"
             "    globals()['e2'] = [post('invocation/%s/response' % c.aws_request_id, '\"first\"'), post('invocation/%s/response' % c.aws_request_id, '\"second\"'),\n"
             "          post('invocation/nonsense/response', '1'), post('init/error', '{}'), talk('GET /x HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')]\n", True)
    first = tool.invoke(c, 0)
    assert first["value"] == "first"
    time.sleep(0.5)  # it is still busy with the rest
    seen = tool.invoke(c, 1)["value"]
    assert seen[0].startswith("HTTP/1.1 202") and "OK" in seen[0]
    assert seen[1].startswith("HTTP/1.1 403") and "InvalidStateTransition" in seen[1]
    assert seen[2].startswith("HTTP/1.1 400") and "InvalidRequestID" in seen[2]
    assert seen[3].startswith("HTTP/1.1 403") and seen[4].startswith("HTTP/1.1 404")


def test_chunked_answers_and_nonsense(tool, make):
    c = make(RAW + "def handler(e, c):\n"
             "    talk('\\x00\\x01 garbage\\r\\n\\r\\n'); talk('GET / HTTP/1.1\\r\\nHost: a\\r\\nHost: b\\r\\n\\r\\n')\n"
             "    socket.create_connection(('127.0.0.1', 9001)).sendall(b'POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\\r\\n' + b'A: b\\r\\n' * 5000)\n"
             "    talk('POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n"
             "Lambda-Runtime-Function-Response-Mode: streaming\\r\\n\\r\\n3\\r\\n\"ab\\r\\n2\\r\\nc\"\\r\\n0\\r\\n\\r\\n' % c.aws_request_id)\n", True)
    assert tool.invoke(c)["value"] == "abc"


def test_idle_environments_end(tool, make):
    d = folder()
    t = Tool(d, env={"FN_IDLE_MS": "150"})
    c = code(d, "idle", "exports.handler = async () => 1;")
    a = t.invoke(c)
    time.sleep(0.6)
    assert t.invoke(c)["environment"] != a["environment"]
    assert t.close()[0] == 0


def test_frozen_between_invocations(tool, make):
    if "frozen between" not in tool.words or "not frozen" in tool.words:
        pytest.skip(tool.words)
    c = make("let n = 0; setInterval(() => n++, 5); exports.handler = async () => n;")
    tool.invoke(c)
    time.sleep(0.1)
    a = tool.invoke(c)["value"]
    time.sleep(0.7)
    assert tool.invoke(c)["value"] - a < 40


def test_closing_tells_every_invocation(make, tool):
    d = folder()
    t = Tool(d)
    c = code(d, "close", "exports.handler = async (e) => new Promise((r) => setTimeout(r, e));")
    t.invoke(c, 0)
    n = t.start(c, 20000, timeout=30000)
    time.sleep(0.3)
    rc, err = t.close()
    assert rc == 0, err
    assert t.wait(n)["outcome"] == "EXITED"


# --- layers, SDKs ---
def test_layers_are_merged(tool, make):
    c = make("const fs = require('fs'); exports.handler = async () => [fs.readFileSync('/opt/a', 'utf8'), fs.readFileSync('/opt/b', 'utf8'), require('lay')];")
    one, two = make("", file="b"), make("", file="a")
    (one / "a").write_text("one")
    (one / "b").write_text("one")
    (two / "a").write_text("two")
    m = one / "nodejs" / "node_modules" / "lay"
    m.mkdir(parents=True)
    (m / "index.js").write_text("module.exports = 'layer';")
    assert tool.invoke(c, layers=[str(one), str(two)])["value"] == ["two", "one", "layer"]
    assert tool.invoke(c, layers=[str(one)], key="one layer")["value"] == ["one", "one", "layer"]
    c = make("import lay from 'lay'; export const handler = async () => lay;", file="index.mjs")
    assert tool.invoke(c, layers=[str(one), str(two)])["value"] == "layer"


def test_aws_sdks_are_there(tool, make):
    if not os.path.isdir(os.path.join(os.path.dirname(__file__), "../../runtimes/node/node_modules")):
        pytest.skip("runtimes/ is not set up (scripts/setup --runtimes)")
    c = make("const { S3Client } = require('@aws-sdk/client-s3'); exports.handler = async () => [process.version.split('.')[0], typeof S3Client];")
    assert tool.invoke(c)["value"] == ["v24", "function"]
    c = make("import { S3 } from '@aws-sdk/client-s3'; import { EC2 } from '@aws-sdk/client-ec2'; export const handler = async () => [typeof S3, typeof EC2];", file="index.mjs")
    assert tool.invoke(c)["value"] == ["function", "function"]
    c = make("import boto3\ndef handler(e, c):\n    return [boto3.client('s3', region_name='us-east-1').meta.endpoint_url, boto3.__file__]\n", True)
    assert tool.invoke(c)["value"] == ["https://127.0.0.1", "/var/runtime/site/boto3/__init__.py"]
    assert tool.invoke(make("exports.handler = async () => process.version;"), runtime="nodejs22.x")["value"].startswith("v22.")


def test_the_cloud_is_reached_at_its_port_and_at_443(tool, make):
    c = make("""
const https = require('https');
const get = (options, body) => new Promise((ok, no) => { const r = https.request(options, (m) => { let t = ''; m.on('data', (d) => t += d); m.on('end', () => ok(t)); });
  r.on('error', (e) => ok(String(e))); r.end(body); });
exports.handler = async () => [await get({hostname: 'localhost', path: '/p?q', method: 'PUT', headers: {'content-type': ''}}, 'body'),
  await get({hostname: '127.0.0.1', path: '/'})];
""")
    r = tool.invoke(c)
    assert r["value"] == ["PUT /p?q tls=1 via=%s body=4" % r["environment"], "GET / tls=1 via=%s body=0" % r["environment"]]
    c = make("import urllib.request\ndef handler(e, c):\n    return urllib.request.urlopen('https://127.0.0.1/x').read().decode()\n", True)
    r = tool.invoke(c)
    assert r["value"] == "GET /x tls=1 via=%s body=0" % r["environment"]


def test_names_of_the_cloud(tool, make):
    c = make("import socket\ndef handler(e, c):\n    out = {}\n    for n in e:\n        try:\n            out[n] = sorted({a[4][0] for a in socket.getaddrinfo(n, 443)})\n"
             "        except OSError as x:\n            out[n] = type(x).__name__\n    return out\n", True)
    names = ["localhost", "bucket.s3.localhost", "A.Execute-Api.us-east-1.LOCALHOST"]
    got = tool.invoke(c, names + ["example.com", "localhost.example.com", "notlocalhost", "x" * 63 + ".org"])["value"]
    assert {n: got.pop(n) for n in names[1:]} == {n: ["127.0.0.1"] for n in names[1:]} and "127.0.0.1" in got.pop("localhost")
    assert set(got.values()) == {"gaierror"}
    c = make("const dns = require('dns/promises'); exports.handler = async (n) => [(await dns.lookup(n)).address, await dns.resolve4(n), await dns.resolve4('example.com').catch((e) => e.code)];")
    assert tool.invoke(c, "x.y.localhost")["value"] == ["127.0.0.1", ["127.0.0.1"], "ENOTFOUND"]


def test_many_at_once(tool, make):
    c = make("exports.handler = async (e) => e;")
    ids = [tool.start(c, i) for i in range(40)]
    assert [tool.wait(i)["value"] for i in ids] == list(range(40))


def test_a_burst_is_served_by_what_becomes_free(tool, make):
    """Few start at once; an invocation that waits for its turn takes an environment that has become idle."""
    n = 16 * os.cpu_count()
    if n > 100:
        pytest.skip("so many processors start them all at once")
    c = make("exports.handler = async (e) => e;")
    got = [tool.wait(i, timeout=60) for i in [tool.start(c, i) for i in range(n)]]
    assert [r["value"] for r in got] == list(range(n))
    assert len({r["environment"] for r in got}) < n
    assert sum(r["cold"] for r in got) == len({r["environment"] for r in got})


def test_a_burst_that_is_forgotten_while_it_waits(tool, make):
    c = make("exports.handler = async (e) => { await new Promise((r) => setTimeout(r, 50)); return e; };")
    ids = [tool.start(c, i, key="old") for i in range(12)]
    tool.order(forget="old")
    assert [tool.wait(i, timeout=60)["value"] for i in ids] == list(range(12))


def test_python_json_is_what_the_module_makes(tool, make):
    c = make("def handler(e, c):\n    return e if e != 'odd' else {1: 2.5, None: float('inf'), False: ('\\u00e4', '\\x01'), 'n': [10**30, -0.0, {}]}\n", True)
    assert tool.invoke(c, "odd")["payload"] == '{"1": 2.5, "null": Infinity, "false": ["\u00e4", "\\u0001"], "n": [1000000000000000000000000000000, -0.0, {}]}'
    for v in ({"a": [1, -2.5e300, None, True, "\u00e4\U0001f600\n\"\\"]}, [], "", "text", 0, None, {"deep": [[[[{}]]]]}):
        r = tool.invoke(c, v)
        assert r["value"] == v and r["payload"] == json.dumps(v, ensure_ascii=False)


def test_python_logging_is_set_up_when_it_is_loaded(tool, make):
    c = make("import sys\ndef handler(e, c):\n    before = 'logging' in sys.modules\n    import logging\n    logging.warning('late')\n"
             "    return [before, len(logging.getLogger().handlers)]\n", True)
    r = tool.invoke(c)
    assert r["value"] == [False, 1] and "late" in r["log_tail"] and r["log_tail"].startswith("[WARNING]\t")
