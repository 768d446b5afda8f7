# SPDX-License-Identifier: Apache-2.0
"""Requests that botocore writes are read by us, answers that we write are read by botocore: every operation of every model.

wire_tool has the operations in models/, wire_tool_wide all operations of the services named in tests/wire/meson.build."""
import os

import pytest

import tool as t

ROUNDS = int(os.environ.get("WIRE_ORACLE_ROUNDS", "3"))
BOTO_NAMES = {"mediastore_data": "mediastore-data", "workspaces_web": "workspaces-web"}
# GET "/" of ListDirectoryBuckets goes to an endpoint of its own; the others are older twins that nothing is routed to.
SAME_ROUTE = {("s3", o) for o in ("ListDirectoryBuckets", "GetBucketLifecycle", "PutBucketLifecycle", "GetBucketNotification", "PutBucketNotification")}
SAME_ROUTE.add(("s3control", "CreateBucket"))  # names no account: only its endpoint (Outposts) tells it from S3
# The first has its own test; in the second two members have one name on the wire.
ODD_ANSWERS = {("S3", "GetBucketLocation"), ("S3", "GetBucketNotification")}


@pytest.fixture(scope="module", params=["wire_tool", "wire_tool_wide"])
def tool(request):
    x = t.Tool(request.param)
    yield x
    assert x.close() == 0


def cases(tool):
    for m in tool.ask("list")["models"]:
        model = t.service_model(BOTO_NAMES.get(m["name"], m["name"]))
        for p in m["protocols"]:
            for op in m["ops"]:
                yield m, model, p, op


def has_events(shape):
    return shape is not None and any(x.serialization.get("eventstream") for x in shape.members.values())


def is_added(shape, name, value):
    """What every answer has: a status, a content type, a body that may be empty."""
    s = shape.members[name].serialization
    return s.get("location") == "statusCode" or s.get("name", "").lower() == "content-type" or value == ""


def check_all(tool, one):
    """Runs one(m, model, protocol, op, seed) for all; reports all failures at once."""
    bad, done, unfit = [], 0, []
    for m, model, p, op in cases(tool):
        for seed in range(ROUNDS):
            try:
                e = one(m, model, p, op, seed)
            except t.Unfit as u:
                unfit.append("%s.%s: %s" % (m["name"], op, u))
                continue
            except Exception as x:
                e = "%s: %s" % (type(x).__name__, x)
            done += 1
            if e:
                bad.append("%s %s.%s seed %d: %s" % (p, m["name"], op, seed, e))
                break
    print("%d exchanges, %d without a fitting value" % (done, len(unfit)))
    assert not bad, "%d failures\n%s" % (len(bad), "\n".join(bad[:25]))
    assert done > 0 and len(unfit) <= done // 20, unfit[:20]


def test_requests(tool):
    def one(m, model, p, op, seed):
        o = model.operation_model(op)
        if has_events(o.input_shape):
            return None
        params = t.Maker("%s/%s/%d" % (m["name"], op, seed)).struct(o.input_shape) if o.input_shape else {}
        r = tool.ask("request", signing=m["signing"], **t.request_of(model, op, p, params))
        want = t.clean(t.to_ours(o.input_shape, params), o.input_shape) if o.input_shape else {}
        if (m["name"], op) in SAME_ROUTE:
            return None
        if r.get("op") != op or r.get("protocol") != p:
            return "found %s" % r
        if r.get("decode") != 0:
            return "decode: %s" % r
        got = t.clean(r["in"], o.input_shape)
        if "ContentLength" not in want:  # a member of S3's that every request with a body has
            got.pop("ContentLength", None)
        if got != want:
            return t.difference(want, got)
        if r["validate"] != 0:
            return "validate: %s in %s" % (r["message"], want)
        return None

    check_all(tool, one)


def test_responses(tool):
    def one(m, model, p, op, seed):
        o = model.operation_model(op)
        if has_events(o.output_shape) or (m["id"], op) in ODD_ANSWERS:
            return None
        out = t.Maker("%s/%s/%d" % (m["name"], op, seed), times_ms=True).struct(o.output_shape) if o.output_shape else {}
        ours = t.to_ours(o.output_shape, out) if o.output_shape else {}
        want = t.clean(ours, o.output_shape)
        for json_1_0 in ([False, True] if p == "json" else [False]):
            r = tool.ask("response", model=m["name"], op=op, protocol=p, json_1_0=json_1_0, out=ours)
            if r.get("encode") != 0:
                return "encode: %s" % r
            got = t.parse(model, op, p, r)
            got.pop("ResponseMetadata", None)
            if o.output_shape:
                got = t.clean(t.to_ours(o.output_shape, got), o.output_shape)
                got = {k: v for k, v in got.items() if k in want or not is_added(o.output_shape, k, v)}
            if got != want:
                return "%s\n    %s" % (t.difference(want, got), t.base64.b64decode(r["body"])[:1000])
        return None

    check_all(tool, one)


def test_errors(tool):
    seen = set()
    for m, model, p, op in cases(tool):
        o = model.operation_model(op)
        if o.http.get("method") == "HEAD" or (p, m["name"], len(seen) // 40) in seen:
            continue
        for sender, status in ((True, 400), (False, 503)):
            r = tool.ask("error", model=m["name"], op=op, protocol=p, code="Some.Code", status=status, sender=sender, message="Why & <how> ä")
            got = t.parse(model, op, p, r)
            assert got["Error"]["Code"] == "Some.Code", (op, r)
            assert got["Error"]["Message"] == "Why & <how> ä", (op, r)
            assert got["ResponseMetadata"]["HTTPStatusCode"] == status
            assert got["ResponseMetadata"]["RequestId"] == "7a62c49f-347e-4fc4-9331-6e8eEXAMPLE", (op, r)
            if p == "query":
                assert got["Error"]["Type"] == ("Sender" if sender else "Receiver")
        for e in o.error_shapes:
            code = e.metadata.get("error", {}).get("code", e.name)
            r = tool.ask("error", model=m["name"], op=op, protocol=p, code=code, status=400, sender=True, message="told")
            got = t.parse(model, op, p, r)
            want = {code, e.name} if p in ("json", "rest-json") else {code}
            assert got["Error"]["Code"] in want, (op, code, got)
            assert got["Error"]["Message"] == "told"
            seen.add((op, code))
    assert seen or m
