# SPDX-License-Identifier: Apache-2.0
"""wire_tool as a Python object, and random values that fit botocore's shapes."""
import base64
import datetime
import json
import math
import os
import pathlib
import random
import re
import re._parser as sre
import string
import subprocess
import sys

import botocore.awsrequest
import botocore.model
import botocore.parsers
import botocore.serialize

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools" / "modelgen"))
import modelgen  # noqa: E402

BUILD = pathlib.Path(os.environ.get("CLOUDKEEP_BUILD", ROOT / "build")).resolve()
DEPTH_MAX = 5


class Tool:
    def __init__(self, name):
        subprocess.run(["ninja", "-C", str(BUILD), "tests/wire/" + name], check=True, stdout=subprocess.DEVNULL)
        self.proc = subprocess.Popen([str(BUILD / "tests" / "wire" / name)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, cmd, **args):
        self.proc.stdin.write(json.dumps(dict(args, cmd=cmd), ensure_ascii=True) + "\n")
        self.proc.stdin.flush()
        line = self.proc.stdout.readline()
        if not line:
            raise RuntimeError("the tool has gone: exit code %s" % self.proc.wait(10))
        return json.loads(line)

    def close(self):
        self.proc.stdin.close()
        return self.proc.wait(30)


_models = {}


def service_model(name):
    if name not in _models:
        data = os.path.join(os.path.dirname(botocore.__file__), "data")
        _models[name] = botocore.model.ServiceModel(modelgen.load_model(data, name), name)  # without what only SDKs add
    return _models[name]


# --- random values ---

TEXT = string.ascii_letters + string.digits + " -_./:=+@,;%&?#'\"<>()[]{}|\\~!$*^`äßπЖ漢🙂"
NAME = string.ascii_letters + string.digits + "-_"
CATEGORIES = {sre.CATEGORY_DIGIT: string.digits, sre.CATEGORY_WORD: NAME[:-2] + "_", sre.CATEGORY_SPACE: " ",
              sre.CATEGORY_NOT_SPACE: NAME, sre.CATEGORY_NOT_WORD: "-", sre.CATEGORY_NOT_DIGIT: string.ascii_letters}


class Unfit(Exception):
    """No value that fits was found."""


def from_pattern(rnd, pattern, lo, hi):
    """A text that Python's re says matches the pattern, of a length that fits."""
    p = re.sub(r"\\p\{(Is)?\w+\}", lambda m: "a-z" , pattern)
    try:
        tree = sre.parse(p)
        full = re.compile(p)
    except (re.error, OverflowError):
        raise Unfit(pattern)
    for many in (1, 3, 12, 40):
        for _ in range(6):
            try:
                s = "".join(grow(rnd, tree, many))
            except Unfit:
                continue
            if lo <= len(s) <= hi and full.fullmatch(s):
                return s
    raise Unfit(pattern)


def grow(rnd, tree, many):
    for op, arg in tree:
        if op is sre.LITERAL:
            yield chr(arg)
        elif op is sre.NOT_LITERAL:
            yield rnd.choice([c for c in NAME if ord(c) != arg])
        elif op is sre.ANY:
            yield rnd.choice(NAME)
        elif op is sre.IN:
            yield from_class(rnd, arg)
        elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            lo, hi, sub = arg
            for _ in range(rnd.randint(lo, max(lo, min(hi, lo + many)))):
                yield from grow(rnd, sub, many)
        elif op is sre.SUBPATTERN:
            yield from grow(rnd, arg[3], many)
        elif op is sre.BRANCH:
            yield from grow(rnd, rnd.choice(arg[1]), many)
        elif op in (sre.AT, sre.ASSERT, sre.ASSERT_NOT):
            pass
        else:
            raise Unfit(str(op))


def from_class(rnd, items):
    negate = items[0][0] is sre.NEGATE
    chars = set()
    for op, arg in items[negate:]:
        if op is sre.LITERAL:
            chars.add(chr(arg))
        elif op is sre.RANGE:
            chars.update(chr(c) for c in range(arg[0], min(arg[1], arg[0] + 120) + 1))
        elif op is sre.CATEGORY:
            chars.update(CATEGORIES[arg])
    if negate:
        chars = {c for c in NAME if c not in chars}
    chars = {c for c in chars if c.isprintable() and not 0xD800 <= ord(c) <= 0xDFFF}
    if not chars:
        raise Unfit("class")
    return rnd.choice(sorted(chars))


class Maker:
    """Random values. where: "body", "header", "uri", "query"; xml: characters that XML 1.0 cannot hold are left out."""

    def __init__(self, seed, times_ms=False):
        self.rnd = random.Random(seed)
        self.times_ms = times_ms

    def bounds(self, shape, default):
        lo = int(shape.metadata.get("min", 0))
        hi = int(shape.metadata.get("max", max(lo, 1) + default))
        return lo, max(lo, min(hi, lo + default))

    def string(self, shape, where="body"):
        if shape.enum:
            return self.rnd.choice(shape.enum)
        lo, hi = self.bounds(shape, 12)
        if where in ("uri", "header", "headers"):
            lo = max(lo, 1)
            hi = max(lo, hi)
        if shape.metadata.get("pattern"):
            return from_pattern(self.rnd, shape.metadata["pattern"], lo, int(shape.metadata.get("max", 10**6)))
        alphabet = NAME if where in ("header", "headers") else TEXT
        s = "".join(self.rnd.choice(alphabet) for _ in range(self.rnd.randint(lo, hi)))
        return s

    def value(self, shape, where="body", depth=0, time=None):
        t, rnd = shape.type_name, self.rnd
        if t in ("string", "character"):
            return self.string(shape, where)
        if t == "boolean":
            return rnd.random() < 0.5
        if t in ("integer", "long", "short"):
            top = 2**31 - 1 if t != "long" else 2**53 - 1
            lo = int(shape.metadata.get("min", -1000 if not shape.metadata.get("max") else 0))
            hi = int(shape.metadata.get("max", top))
            return rnd.choice([lo, hi, rnd.randint(lo, hi)])
        if t in ("float", "double"):
            lo, hi = float(shape.metadata.get("min", 0)), float(shape.metadata.get("max", 1e6))
            v = rnd.choice([lo, hi, rnd.uniform(lo, hi)])
            return float("%.5g" % v) if t == "float" else v
        if t == "timestamp":
            ms = rnd.randrange(0, 4102444800) * 1000
            fmt = time or shape.serialization.get("timestampFormat")
            if self.times_ms and where == "body" and fmt != "rfc822":
                ms += rnd.randrange(1000)
            return datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc).replace(microsecond=ms % 1000 * 1000)
        if t == "blob":
            lo, hi = self.bounds(shape, 20)
            return rnd.randbytes(rnd.randint(max(lo, 1), max(hi, 1)))
        if t == "list":
            lo, hi = self.bounds(shape, 3)
            if depth > DEPTH_MAX and lo == 0:
                return []
            return [self.value(shape.member, where, depth + 1) for _ in range(rnd.randint(max(lo, 1), max(hi, 1)))]
        if t == "map":
            lo, hi = self.bounds(shape, 3)
            if depth > DEPTH_MAX and lo == 0:
                return {}
            keys = []
            for _ in range(rnd.randint(max(lo, 1), max(hi, 1))):
                k = self.string(shape.key, where)
                keys.append(k.lower() if where == "headers" else k)
            return {k: self.value(shape.value, "header" if where == "headers" else where, depth + 1) for k in keys}
        if t == "structure":
            return self.struct(shape, depth + 1)
        raise Unfit(t)

    def struct(self, shape, depth=0):
        rnd, out = self.rnd, {}
        if shape.is_document_type:
            return {"a": [1, "x", None, {"b": True}], "n": rnd.randint(0, 9)}
        names = list(shape.members)
        if shape.is_tagged_union and names:
            names = [rnd.choice(names)]
        for n in names:
            m = shape.members[n]
            need = n in shape.required_members or shape.is_tagged_union
            loc = m.serialization.get("location", "body")
            if m.serialization.get("eventstream") or not need and (depth > DEPTH_MAX or rnd.random() < 0.3 and n != names[0]):
                continue
            where = {"uri": "uri", "header": "header", "headers": "headers", "querystring": "query"}.get(loc, "body")
            try:
                if loc == "statusCode":
                    out[n] = rnd.choice([200, 201, 202])
                elif m.serialization.get("hostLabel") and not m.metadata.get("pattern"):
                    out[n] = "label-%d" % rnd.randrange(1000)
                elif m.type_name == "blob" and shape.serialization.get("payload") == n:
                    out[n] = b"text that botocore may decode"
                elif m.serialization.get("jsonvalue"):
                    out[n] = {"k": [1, "ä"]}
                else:
                    out[n] = self.value(m, where, depth)
            except Unfit:
                if need:
                    raise
        return out


# --- our internal JSON ---

def iso(d):
    d = d.astimezone(datetime.timezone.utc)
    return d.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (d.microsecond // 1000) if d.microsecond else d.strftime("%Y-%m-%dT%H:%M:%SZ")


def to_ours(shape, v):
    """A value of botocore's as our internal JSON; what is streamed is left out."""
    t = shape.type_name
    if v is None:
        return None
    if t == "structure":
        if shape.is_document_type:
            return v
        out = {}
        for n, m in shape.members.items():
            if n not in v or (m.type_name == "blob" and m.serialization.get("streaming")) or m.serialization.get("eventstream"):
                continue
            if m.serialization.get("jsonvalue"):
                x = v[n] if isinstance(v[n], str) else json.dumps(v[n])
                out[n] = json.dumps(json.loads(x), sort_keys=True)
                continue
            out[n] = to_ours(m, v[n])
        return out
    if t == "list":
        return [to_ours(shape.member, x) for x in v]
    if t == "map":
        return {k: to_ours(shape.value, x) for k, x in v.items()}
    if t == "timestamp":
        return iso(v)
    if t == "blob":
        return base64.b64encode(v if isinstance(v, bytes) else v.encode()).decode()
    if t in ("float", "double") and (math.isinf(v) or math.isnan(v)):
        return "NaN" if math.isnan(v) else "Infinity" if v > 0 else "-Infinity"
    return v


def clean(v, shape=None):
    """Our internal JSON without what is empty (not every protocol can tell it from absent); jsonvalue texts in one form."""
    if isinstance(v, dict):
        out = {}
        for k, x in v.items():
            m = shape.members.get(k) if shape is not None and shape.type_name == "structure" and not shape.is_document_type else None
            if m is not None and m.serialization.get("jsonvalue") and isinstance(x, str):
                x = json.dumps(json.loads(x), sort_keys=True)
            else:
                x = clean(x, m if m is not None else shape.value if shape is not None and shape.type_name == "map" else None)
            if x not in ({}, []) and x is not None:
                out[k] = x
        return out
    if isinstance(v, list):
        v = [clean(x, shape.member if shape is not None and shape.type_name == "list" else None) for x in v]
        return [x for x in v if x not in ({}, [])]
    return v


def difference(want, got, path=""):
    """The first place where two values differ, as text; None when they are equal."""
    if isinstance(want, dict) and isinstance(got, dict):
        for k in sorted(set(want) | set(got)):
            if k not in got or k not in want:
                return "%s.%s: want %r, got %r" % (path, k, want.get(k), got.get(k))
            d = difference(want[k], got[k], path + "." + k)
            if d:
                return d
        return None
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for i, (a, b) in enumerate(zip(want, got)):
            d = difference(a, b, "%s[%d]" % (path, i))
            if d:
                return d
        return None
    return None if want == got else "%s: want %r, got %r" % (path, want, got)


def request_of(model, op, protocol, params):
    """The HTTP request that botocore writes, as wire_tool wants it."""
    o = model.operation_model(op)
    d = botocore.serialize.create_serializer(protocol, include_validation=False).serialize_to_request(params, o)
    botocore.awsrequest.prepare_request_dict(d, endpoint_url="http://127.0.0.1:4566")
    r = botocore.awsrequest.create_request_object(d).prepare()
    body = r.body if r.body is not None else b""
    if hasattr(body, "read"):
        body = body.read()
    if isinstance(body, str):
        body = body.encode()
    headers = [[k, v.decode("latin-1") if isinstance(v, bytes) else str(v)] for k, v in r.headers.items()]
    target = r.url.split("127.0.0.1:4566", 1)[1] or "/"
    return dict(method=r.method, target=target, headers=headers, body=base64.b64encode(body).decode(), host="127.0.0.1:4566")


def parse(model, op, protocol, reply):
    o = model.operation_model(op)
    parser = botocore.parsers.create_parser(protocol)
    headers = botocore.awsrequest.HeadersDict()
    for k, v in reply["headers"]:
        headers[k] = v
    return parser.parse({"headers": headers, "status_code": reply["status"], "body": base64.b64decode(reply["body"])}, o.output_shape)
