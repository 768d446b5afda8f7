# SPDX-License-Identifier: Apache-2.0
"""Answers for custom resources from those who were not asked: the address is the only credential, and is good for one answer to one
request in its time. What is refused changes nothing."""
import json
import pathlib
import socket
import ssl
import time
import urllib.parse
import uuid

import pytest

from test_cfn_custom import answer, asked, begin, custom, keeper, reply, status
from stack_lib import put, settle, template


@pytest.fixture(scope="module")
def fn(cloud):
    return keeper(cloud)


def still_waits(cf, arn):
    time.sleep(0.1)
    rows = cf.describe_stack_resources(StackName=arn)["StackResources"]
    assert status(cf, arn) == "CREATE_IN_PROGRESS" and rows[0]["ResourceStatus"] == "CREATE_IN_PROGRESS", rows


def finish(cloud, cf, arn, q):
    answer(cloud, q)
    assert settle(cf, arn)["StackStatus"] == "CREATE_COMPLETE"
    name = arn.split("/")[1]
    cf.delete_stack(StackName=arn)
    answer(cloud, asked(cloud, name, kind="Delete")[0])
    assert settle(cf, arn)["StackStatus"] == "DELETE_COMPLETE"


def test_forged_addresses(cloud, cf, fn):
    arn = begin(cf, "forged", template({"C": custom(fn)}))
    q = asked(cloud, "forged")[0]
    url = q["ResponseURL"]
    base, sig = url.rsplit("=", 1)
    other = sig[:-1] + ("0" if sig[-1] != "0" else "1")
    parts = urllib.parse.urlsplit(url)
    forged = [base + "=" + other, base + "=", base + "=" + sig.upper() if sig.upper() != sig else base + "=" + other, base + "=" + sig + "0", url.split("?")[0],
              url.replace("X-Amz-Expires=", "X-Amz-Expires=9"), url.replace("useast1", "uswest2"), url.replace(q["RequestId"], str(uuid.uuid4())),
              url.replace("%7CC%7C", "%7CD%7C"), url.replace("us-east-1", "us-west-2"), url + "&X-Amz-Signature=" + sig,
              urllib.parse.urlunsplit(parts._replace(query="X-Amz-Signature=" + sig)), urllib.parse.urlunsplit(parts._replace(path=parts.path + "/x")),
              urllib.parse.urlunsplit(parts._replace(path="/cloudformation-custom-resource-response-", query=""))]
    for f in forged:
        assert put(cloud, f, reply(q)) == 403, f
    for method in ("POST", "DELETE", "GET"):
        assert put(cloud, url, reply(q), method) == 405
    still_waits(cf, arn)
    finish(cloud, cf, arn, q)


def test_answers_for_somebody_else(cloud, cf, fn):
    """With the address of one request nothing can be said about another: it fails only what it is for."""
    one, two = begin(cf, "one", template({"C": custom(fn)})), begin(cf, "two", template({"C": custom(fn)}))
    q1, q2 = asked(cloud, "one")[0], asked(cloud, "two")[0]
    assert put(cloud, q1["ResponseURL"], reply(q2)) == 200
    d = asked(cloud, "one", kind="Delete")[0]
    still_waits(cf, two)
    answer(cloud, d)
    assert settle(cf, one)["StackStatus"] == "ROLLBACK_COMPLETE"
    finish(cloud, cf, two, q2)


def test_replays_and_answers_after_the_end(cloud, cf, fn):
    arn = begin(cf, "replay", template({"C": custom(fn)}, Outputs={"V": {"Value": {"Fn::GetAtt": ["C", "V"]}}}))
    q = asked(cloud, "replay")[0]
    answer(cloud, q, Data={"V": "first"})
    answer(cloud, q, want=403, Data={"V": "second"})
    answer(cloud, q, "FAILED", want=403, Reason="late")
    s = settle(cf, arn)
    assert s["StackStatus"] == "CREATE_COMPLETE" and s["Outputs"][0]["OutputValue"] == "first"
    answer(cloud, q, want=403, Data={"V": "third"})
    cf.delete_stack(StackName=arn)
    d = asked(cloud, "replay", kind="Delete")[0]
    assert put(cloud, q["ResponseURL"], reply(d)) == 403  # the old address doesn't answer the new question
    answer(cloud, d)
    assert settle(cf, arn)["StackStatus"] == "DELETE_COMPLETE"
    answer(cloud, d, want=403)


def raw(cloud):
    s = socket.create_connection(("127.0.0.1", cloud.port), timeout=10)
    return ssl.create_default_context(cafile=cloud.ca).wrap_socket(s, server_hostname="localhost")


def test_bodies_that_are_too_large_too_slow_or_cut(cloud, cf, fn):
    arn = begin(cf, "bodies", template({"C": custom(fn)}))
    q = asked(cloud, "bodies")[0]
    u = urllib.parse.urlsplit(q["ResponseURL"])
    assert put(cloud, q["ResponseURL"], b"x" * 70000) == 400
    head = "PUT %s?%s HTTP/1.1\r\nHost: localhost:%d\r\nContent-Type: \r\n" % (u.path, u.query, cloud.port)
    body = json.dumps(reply(q)).encode()
    with raw(cloud) as s:  # without a length, more than fits
        s.sendall((head + "Transfer-Encoding: chunked\r\n\r\n").encode())
        try:
            for _ in range(100):
                s.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        except OSError:
            pass
    with raw(cloud) as s:  # cut in the middle
        s.sendall((head + "Content-Length: %d\r\n\r\n" % len(body)).encode() + body[:20])
    with raw(cloud) as s:  # half of it, and waiting
        s.sendall((head + "Content-Length: %d\r\n\r\n" % len(body)).encode() + body[:20])
        still_waits(cf, arn)
        s.sendall(body[20:])
        assert s.recv(12) == b"HTTP/1.1 200"
    assert settle(cf, arn)["StackStatus"] == "CREATE_COMPLETE"
    cf.delete_stack(StackName=arn)
    answer(cloud, asked(cloud, "bodies", kind="Delete")[0])
    assert settle(cf, arn)["StackStatus"] == "DELETE_COMPLETE"


def test_addresses_are_not_told_to_others(cloud, cf, fn):
    """Who may look at everything in CloudFormation, and at the trail, doesn't learn where a request is to be answered."""
    arn = begin(cf, "secret", template({"C": custom(fn)}))
    q = asked(cloud, "secret")[0]
    sig = q["ResponseURL"].rsplit("=", 1)[1]
    seen = [cf.describe_stacks(StackName=arn), cf.describe_stack_events(StackName=arn), cf.describe_stack_resources(StackName=arn), cf.describe_events(StackName=arn)]
    assert sig not in json.dumps(seen, default=str)
    for f in pathlib.Path(cloud.data).glob("regions/us-east-1/trail/*"):
        assert sig not in f.read_text(errors="replace")
    finish(cloud, cf, arn, q)
