# SPDX-License-Identifier: Apache-2.0
"""Answers that are streamed: handed on while they are made, held back where nobody takes them, and broken ones are nobody's harm."""
import base64
import json

import pytest

from fn import eventually

NODE = "exports.handler = awslambda.streamifyResponse(async (event, out, context) => { %s });"


def pieces(tool, n):
    return [x for x in tool.logs if x.get("wrote") == n]


def text(tool, n):
    return "".join(x.get("text", "") for x in pieces(tool, n))


def taken(tool, n):
    return sum(x["n"] for x in pieces(tool, n))


def run(tool, c, payload=None, stream=0, **o):
    n = tool.start(c, payload, stream=stream, **o)
    return n, tool.wait(n)


def raw(make, lines):
    """A runtime of our own that sends what a test wants, in Python without any library."""
    c = make("#!/usr/bin/python3\nimport socket, time, sys\ns = socket.create_connection(('127.0.0.1', 9001))\n"
             "s.sendall(b'GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')\n"
             "head = b''\nwhile b'\\r\\n\\r\\n' not in head:\n    head += s.recv(65536)\n"
             "id = [x.split(b': ')[1] for x in head.split(b'\\r\\n') if x.lower().startswith(b'lambda-runtime-aws-request-id')][0]\n"
             "def begin(more=b''):\n    s.sendall(b'POST /2018-06-01/runtime/invocation/' + id + b'/response HTTP/1.1\\r\\nHost: x\\r\\n"
             "Lambda-Runtime-Function-Response-Mode: streaming\\r\\nTransfer-Encoding: chunked\\r\\n' + more + b'\\r\\n')\n" + lines + "\ntime.sleep(30)\n", file="bootstrap")
    (c / "bootstrap").chmod(0o755)
    return c


OWN = {"runtime": "provided.al2023", "handler": "x"}


def test_pieces_come_as_they_are_written(tool, make):
    c = make(NODE % "out.setContentType('text/x'); out.write('one'); await new Promise((r) => setTimeout(r, 300)); out.write({two: event}); out.end('three');")
    n, r = run(tool, c, 2)
    assert (r["outcome"], r["streamed"], r["payload"], r["content_type"], r.get("error_type")) == ("DONE", True, "", "text/x", None)
    assert text(tool, n) == 'one{"two":2}three' and len(pieces(tool, n)) >= 2
    n, r = run(tool, c, 3)  # the environment is as good as before
    assert not r["cold"] and text(tool, n) == 'one{"two":3}three'
    assert tool.invoke(c, 4)["payload"] == 'one{"two":4}three'  # collected, where nobody takes a stream


def test_an_ordinary_handler_answers_as_ever(tool, make):
    n, r = run(tool, make("exports.handler = async (e) => ({e});"), 1)
    assert (r["outcome"], r["streamed"], r["value"], r["content_type"]) == ("DONE", False, {"e": 1}, "application/json") and not pieces(tool, n)
    n, r = run(tool, make("def handler(e, c):\n    return e\n", py=True), [1])
    assert (r["outcome"], r["streamed"], r["value"]) == ("DONE", False, [1])


def test_metadata_goes_ahead(tool, make):
    c = make(NODE % "const o = awslambda.HttpResponseStream.from(out, {statusCode: 201, headers: {a: 'b'}}); if (event) o.write(event); o.end();")
    for body in ("hello", ""):
        n, r = run(tool, c, body)
        assert r["content_type"] == "application/vnd.awslambda.http-integration-response"
        assert text(tool, n) == '{"statusCode":201,"headers":{"a":"b"}}' + "\0" * 8 + body


def test_errors_before_and_after_the_beginning(tool, make):
    c = make(NODE % "if (event) out.write('begun'); throw new TypeError('no');")
    n, r = run(tool, c)
    assert (r["outcome"], r["streamed"], r["error_type"], r["value"]["errorMessage"]) == ("FAILED", False, "TypeError", "no")
    n, r = run(tool, c, 1)
    assert (r["outcome"], r["streamed"], r["error_type"], r["value"]["errorMessage"]) == ("DONE", True, "TypeError", "no") and text(tool, n) == "begun"
    assert tool.invoke(c, 1)["outcome"] == "FAILED"
    n, r = run(tool, make(NODE % "out.write('begun'); setTimeout(() => { throw new RangeError('late'); }, 10); await new Promise(() => {});"))
    assert (r["outcome"], r["error_type"]) == ("DONE", "RangeError") and text(tool, n) == "begun"
    n, r = run(tool, make(NODE % "out.write('begun'); process.exit(7);"), timeout=3000)
    assert (r["outcome"], r["exit_text"]) == ("EXITED", "exit status 7")
    n, r = run(tool, make(NODE % "out.write('begun'); out.destroy();"), timeout=3000)
    assert r["error_type"] == "Error" and "destroyed" in r["value"]["errorMessage"]


def test_never_written_and_never_ended(tool, make):
    n, r = run(tool, make(NODE % "await new Promise(() => setInterval(() => 0, 1000));"), timeout=700)
    assert (r["outcome"], r["streamed"]) == ("TIMED_OUT", False)
    n, r = run(tool, make(NODE % "out.write('x');"), timeout=700)
    assert (r["outcome"], r["streamed"]) == ("TIMED_OUT", True) and text(tool, n) == "x"


def test_nobody_takes_it_then_the_function_waits(tool, make):
    c = make("const b = Buffer.alloc(1 << 20, 'x'); let n = 0; exports.handler = awslambda.streamifyResponse(async (event, out) => {"
             "const t = setInterval(() => console.log('written ' + n), 50);"
             "for (; n < 40; n++) if (!out.write(b)) await new Promise((r) => out.once('drain', r)); clearInterval(t); out.end(); });")
    n = tool.start(c, stream=100000, timeout=20000, memory=512)
    eventually(lambda: taken(tool, n) == 100000)
    eventually(lambda: len([x for x in tool.logs if "written " in x["log"]]) > 8)
    assert max(int(x["log"].split("written ")[1].split()[0]) for x in tool.logs if "written " in x["log"]) < 20  # what the kernel holds, and no more
    assert tool.invoke(make("exports.handler = async () => 1;"))["value"] == 1  # others do not wait for it
    tool.order(resume=n)
    assert tool.wait(n)["outcome"] == "DONE" and taken(tool, n) == 40 << 20


def test_too_much(tool, make):
    c = make("const b = Buffer.alloc(1 << 20, 'x'); exports.handler = awslambda.streamifyResponse(async (e, out) => {"
             "for (let n = 0; n < 220; n++) if (!out.write(b)) await new Promise((r) => out.once('drain', r)); out.end(); });")
    n, r = run(tool, c, timeout=20000)
    assert (r["outcome"], r["error_type"]) == ("FAILED", "Function.ResponseSizeTooLarge") and taken(tool, n) <= 200 << 20
    assert run(tool, c, timeout=20000)[1]["cold"]


@pytest.mark.parametrize("lines,error", [
    ("begin(); s.sendall(b'5\\r\\nhello\\r\\nnonsense\\r\\n')", "Runtime.TruncatedResponse"),
    ("begin(); s.sendall(b'5\\r\\nhello'); s.close()", "Runtime.TruncatedResponse"),
    ("begin(); s.sendall(b'5\\r\\nhello\\r\\nffffffffffffffffffff\\r\\n')", "Runtime.TruncatedResponse"),
    ("begin(); s.sendall(b'5\\r\\nhello\\r\\n0\\r\\nbad trailer\\r\\n\\r\\n')", "Runtime.TruncatedResponse"),
    ("begin(); s.sendall(b'5\\r\\nhello\\r\\n0\\r\\nLambda-Runtime-Function-Error-Type: Own.Error\\r\\nLambda-Runtime-Function-Error-Body: !!\\r\\n\\r\\n')", "Own.Error"),
], ids=["garbage", "cut", "overflow", "trailer", "body"])
def test_hostile_runtimes(tool, make, lines, error):
    n, r = run(tool, raw(make, lines), timeout=5000, **OWN)
    assert r["error_type"] == error and r["streamed"] and text(tool, n) == "hello"


def test_trailers_of_a_custom_runtime(tool, make):
    told = base64.b64encode(json.dumps({"errorMessage": "m"}).encode()).decode()
    n, r = run(tool, raw(make, "begin(b'Content-Type: a/b\\r\\n'); s.sendall(b'2\\r\\nok\\r\\n0\\r\\nlambda-runtime-function-error-type: T\\r\\n"
                               "lambda-runtime-function-error-body: %s\\r\\n\\r\\n')" % told), **OWN)
    assert (r["outcome"], r["content_type"], r["error_type"], r["value"]) == ("DONE", "a/b", "T", {"errorMessage": "m"})
