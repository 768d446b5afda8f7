#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""modelgen - writes typed C structs and descriptor tables from the AWS service models and our overlay.

    modelgen.py service --data DIR --overlay models/kms.json --out-h kms.h --out-c kms.c
    modelgen.py records --records models/records/kms.json --out-h kms_rec.h --out-c kms_rec.c
    modelgen.py coverage --data DIR --overlay-dir models --out docs/coverage.md [--check]

DIR is botocore's data directory (the pinned wheel). Only Python's standard library is used. Output is deterministic:
everything is sorted or in the model's own order, nothing holds a date. See src/base/desc.h for what is written and
docs/adding-an-operation.md for the overlay's format. Mistakes in an overlay are reported as FILE:LINE: sentence.
"""
import argparse
import gzip
import json
import os
import re
import sys

C_WORDS = set("""auto break case char const continue default do double else enum extern float for goto if inline int long
register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while bool true
false errno stdin stdout stderr major minor unix linux NULL assert""".split())

KINDS = {  # model type -> (descriptor kind, C member type)
    "string": ("DK_STRING", "struct str"), "character": ("DK_STRING", "struct str"),
    "blob": ("DK_BLOB", "struct str"), "boolean": ("DK_BOOL", "struct opt_bool"),
    "integer": ("DK_INT", "struct opt_int"), "long": ("DK_LONG", "struct opt_int"), "short": ("DK_INT", "struct opt_int"),
    "float": ("DK_FLOAT", "struct opt_double"), "double": ("DK_DOUBLE", "struct opt_double"),
    "timestamp": ("DK_TIME", "struct opt_time"),
}
LIST_TYPES = {"struct str": "struct str_list", "struct opt_int": "struct opt_int_list", "struct opt_bool": "struct opt_bool_list",
              "struct opt_double": "struct opt_double_list", "struct opt_time": "struct opt_time_list"}
TIMES = {None: "DT_DEFAULT", "unixTimestamp": "DT_EPOCH", "iso8601": "DT_ISO", "rfc822": "DT_HTTP"}
LOCATIONS = {None: "DL_BODY", "header": "DL_HEADER", "headers": "DL_HEADERS", "querystring": "DL_QUERY", "uri": "DL_URI",
             "statusCode": "DL_STATUS"}
PROTOCOLS = {"query": "WIRE_QUERY", "ec2": "WIRE_EC2", "json": "WIRE_JSON", "rest-json": "WIRE_REST_JSON", "rest-xml": "WIRE_REST_XML"}


class Bad(Exception):
    pass


def fail(path, text, needle, sentence):
    """Raises the error for the line of the file where the keys (or values) of needle follow each other; a needle that is
    not there leaves the line of the one before it, line 1 at worst."""
    at = 0
    for k in [needle] if isinstance(needle, str) else needle:
        m = re.compile(r'"%s"\s*:' % re.escape(k)).search(text, at) or re.compile(r'"[^"\n]*%s[^"\n]*"' % re.escape(k)).search(text, at)
        if not m:
            break
        at = m.start()
    raise Bad("%s:%d: %s" % (path, text.count("\n", 0, at) + 1, sentence))


def load_overlay(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    try:
        return json.loads(text), text
    except json.JSONDecodeError as e:
        raise Bad("%s:%d: not JSON: %s" % (path, e.lineno, e.msg))


def load_model(data, name):
    """The newest version of a service's model in botocore's data directory."""
    d = os.path.join(data, name)
    if not os.path.isdir(d):
        raise Bad("no service %r in the model directory" % name)
    v = sorted(os.listdir(d))[-1]
    p = os.path.join(d, v, "service-2.json")
    if os.path.exists(p):
        with open(p, encoding="utf-8") as f:
            return json.load(f)
    with gzip.open(p + ".gz", "rt", encoding="utf-8") as f:
        return json.load(f)


def snake(name):
    s = re.sub(r"[^A-Za-z0-9]+", "_", name)
    s = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", s)
    s = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", s)
    s = s.strip("_").lower()
    return "_" + s if s[0].isdigit() else s + "_" if s in C_WORDS else s


def cstr(s):
    if s is None:
        return "NULL"
    out = []
    for b in s.encode():
        c = chr(b)
        out.append("\\" + c if c in '"\\' else c if 32 <= b < 127 and c != "?" else "\\%03o" % b)
    return '"' + "".join(out) + '"'


# What Java's and ECMAScript's expressions write differently from PCRE2. Applied in this order, without regard to case.
REWRITES = [
    (r"\\ud800\\udc00-\\udbff\\udfff|\\ud800\\udbff-\\udc00\\udfff", lambda m: r"\x{10000}-\x{10ffff}"),  # pairs are code points
    (r"\\u\{([0-9a-f]+)\}", lambda m: r"\x{%s}" % m["x"]),
    (r"\\u([0-9a-f]{4})", lambda m: r"\x{%s}" % m["x"]),
    (r"(\\[wds]|\\p\{\w+\})-(?!\])", lambda m: m["x"] + r"\-"),  # a class is no end of a range
]
PROPERTIES = {"isalphabetic": r"\p{L}", "iswhitespace": r"\s", "ld": r"\p{L}\p{Nd}", "all": r"\p{Any}"}
PROPERTIES.update((c, "[:%s:]" % c) for c in "alpha digit alnum upper lower punct graph print blank cntrl xdigit space ascii".split())
SKIPPED_PATTERNS = {  # pattern: why it is not checked, mostly since PCRE2 cannot
    "^[-_a-zA-Z0-9]*${2,64}$": "a quantifier behind an anchor",
    "[^-A-Za-z0-9+/=]|=[^=]|={3,}${1,4096}": "a quantifier behind an anchor",
    r"([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)${1,128}": "a quantifier behind an anchor",
    r"([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)${1,256}": "a quantifier behind an anchor",
    r"^arn:\S+:rbin:[a-z\-0-9]{0,63}:[0-9]{12}:rule/[0-9a-zA-Z]{11}{0,1011}$": "a quantifier behind a quantifier",
    "^.{1,100000}$": "a count above PCRE2's 65535; the shape's length says the same",
    r"([a-zA-Z0-9_\-=/]|\{satellite_id\}|\{config\-name}|\{s3\-config-id}|\{year\}|\{month\}|\{day\}){1,900}": "too large compiled",
    r"\/?.+\/.+": "S3's CopySource may be encoded as a whole, its slash too; the service reads it itself",
}


def pcre_of(pattern):
    """The pattern in PCRE2's words; "" when it is not checked."""
    if pattern in SKIPPED_PATTERNS:
        return ""
    for old, new in REWRITES:
        pattern = re.sub(r"(?<!\\)(?P<bs>(?:\\\\)*)(?:%s)" % re.sub(r"\((?!\?)", "(?P<x>", old, count=1), lambda m: m["bs"] + new(m), pattern, flags=re.I)
    out, i, in_class = [], 0, False
    while i < len(pattern):
        m = re.match(r"\\p\{(\w+)\}", pattern[i:])
        if m and m[1].lower() in PROPERTIES:
            p = PROPERTIES[m[1].lower()]
            out.append(p if in_class else "[" + p + "]")
            i += m.end()
        elif pattern[i] == "\\":
            out.append(pattern[i:i + 2])
            i += 2
        else:
            in_class = pattern[i] == "[" or (in_class and pattern[i] != "]")
            out.append(pattern[i])
            i += 1
    return "".join(out)


class Emitter:
    """Structs and tables for a set of shapes; shared by service models and records."""

    def __init__(self, prefix, shapes, ec2=False, records=False):
        self.prefix, self.shapes, self.ec2, self.records = prefix, shapes, ec2, records
        self.order, self.index = [], {}
        self.names, used = {}, set()  # of the whole model, so that a new operation renames nothing
        for n in sorted(shapes):
            c = snake(n)
            while c in used and shapes[n]["type"] == "structure":
                c += "_"
            self.names[n] = c
            if shapes[n]["type"] == "structure":
                used.add(c)
        self.struct_names = {"struct %s_%s" % (prefix, c) for c in used}
        self.fields = {}

    def need(self, name):
        if name in self.index:
            return self.index[name]
        self.index[name] = len(self.order)
        self.order.append(name)
        s = self.shapes[name]
        if s["type"] == "structure":
            for m in s.get("members", {}).values():
                self.need(m["shape"])
        elif s["type"] == "list":
            self.need(s["member"]["shape"])
        elif s["type"] == "map":
            self.need(s["key"]["shape"])
            self.need(s["value"]["shape"])
        return self.index[name]

    def struct_name(self, name):
        if name not in self.names:  # an empty input or output that the model does not have
            self.names[name] = snake(name)
        return "struct %s_%s" % (self.prefix, self.names[name])

    def field(self, struct, member):
        """The C name of a member."""
        if struct not in self.fields:
            self.fields[struct], used = {}, set()
            for m in self.members(struct):
                c = snake(m)
                while c in used:
                    c += "_"
                used.add(c)
                self.fields[struct][m] = c
        return self.fields[struct][member]

    def free_name(self, t):
        """t, unless a structure of the model has that name."""
        return t + "_" if t in self.struct_names else t

    def is_body(self, name):
        s = self.shapes[name]
        return bool(s["type"] == "blob" and s.get("streaming") or s.get("eventstream"))

    def is_document(self, name):
        return self.shapes[name].get("document", False)

    def value_type(self, name):
        """C type of a value inside a list or map."""
        s = self.shapes[name]
        t = s["type"]
        if self.is_document(name):
            return "struct json *"
        if t == "structure":
            return self.struct_name(name)
        if t == "list":
            return self.list_type(name)
        if t == "map":
            return self.map_type(name)
        return KINDS[t][1]

    def list_type(self, name):
        v = self.value_type(self.shapes[name]["member"]["shape"])
        if v in LIST_TYPES:
            return LIST_TYPES[v]
        return self.free_name(v.rstrip(" *") + "_list")

    def map_type(self, name):
        v = self.value_type(self.shapes[name]["value"]["shape"])
        if v == "struct str":
            return "struct str_map"
        return self.free_name(self.struct_name(name) if self.struct_name(name).endswith("_map") else self.struct_name(name) + "_map")

    def member_type(self, name):
        if self.is_body(name):
            return "struct body *"
        if self.is_document(name):
            return "struct json *"
        if self.shapes[name]["type"] == "structure":
            return self.struct_name(name) + " *"
        return self.value_type(name)

    def members(self, name):
        return self.shapes[name].get("members", {})

    def emit_types(self, out):
        structs = [n for n in self.order if self.shapes[n]["type"] == "structure" and not self.is_document(n) and not self.is_body(n)]
        for n in structs:
            out.append("%s;" % self.struct_name(n))
        seen = set(LIST_TYPES.values()) | {"struct str_map"}
        lists, maps = [], []
        for n in self.order:
            s = self.shapes[n]
            if s["type"] == "list" and self.list_type(n) not in seen:
                seen.add(self.list_type(n))
                lists.append((self.list_type(n), self.value_type(s["member"]["shape"])))
            elif s["type"] == "map" and self.map_type(n) not in seen:
                seen.add(self.map_type(n))
                maps.append((self.map_type(n), self.value_type(s["value"]["shape"])))
        for t, v in lists:
            out.append("%s {\n\t%s *v;\n\tsize_t n;\n};" % (t, v))
        for t, v in maps:
            out.append("%s_entry;\n%s {\n\t%s_entry *v;\n\tsize_t n;\n};" % (t, t, t))
        for n in structs:
            out.append("%s {" % self.struct_name(n))
            ms = self.members(n)
            for m, d in ms.items():
                t = self.member_type(d["shape"])
                note = self.note(n, m, d)
                out.append("\t%s%s%s;%s" % (t, "" if t.endswith("*") else " ", self.field(n, m), note))
            if not ms:
                out.append("\tchar empty_;")
            out.append("};")
        for t, v in maps:
            out.append("%s_entry {\n\tstruct str key;\n\t%s value;\n};" % (t, v))

    def note(self, struct, m, d):
        s = self.shapes[d["shape"]]
        parts = []
        if m in self.shapes[struct].get("required", []):
            parts.append("required")
        if "min" in s or "max" in s:
            parts.append("%s..%s" % (s.get("min", ""), s.get("max", "")))
        if s.get("enum"):
            e = s["enum"]
            parts.append("|".join(e) if len(e) <= 4 else "one of %d" % len(e))
        if s.get("sensitive"):
            parts.append("sensitive")
        return " /* %s */" % ", ".join(parts) if parts else ""

    def emit_tables(self, out, recorded=()):
        p = self.prefix + ("_rec" if self.records else "")
        for n in self.order:
            e = self.shapes[n].get("enum")
            if e:
                out.append("static const char *const %s_enum_%d[] = { %s, NULL };" % (p, self.index[n], ", ".join(cstr(x) for x in sorted(set(e)))))
        for n in self.order:
            ms = self.members(n)
            if self.shapes[n]["type"] == "structure" and ms and not self.is_document(n) and not self.is_body(n):
                out.append("static const struct desc_member %s_members_%d[] = {" % (p, self.index[n]))
                for m, d in ms.items():
                    out.append("\t" + self.member_row(n, m, d, recorded))
                out.append("};")
        out.append("static const struct desc_shape %s_shapes[] = {" % p)
        for n in self.order:
            out.append("\t" + self.shape_row(p, n))
        if not self.order:
            out.append("\t{ .kind = DK_STRUCT, .payload = -1 },")
        out.append("};")

    def member_row(self, struct, m, d, recorded):
        s, st = self.shapes[d["shape"]], self.shapes[struct]
        flags = []
        if m in st.get("required", []):
            flags.append("DM_REQUIRED")
        if d.get("idempotencyToken"):
            flags.append("DM_IDEMPOTENCY")
        if d.get("xmlAttribute"):
            flags.append("DM_XML_ATTRIBUTE")
        if d.get("flattened") or s.get("flattened"):
            flags.append("DM_FLATTENED")
        if d.get("sensitive") or s.get("sensitive"):
            flags.append("DM_SENSITIVE")
        if (struct, m) in recorded:
            flags.append("DM_RECORDED")
        if d.get("hostLabel"):
            flags.append("DM_HOST_LABEL")
        if d.get("jsonvalue") or s.get("jsonvalue"):
            flags.append("DM_JSON_VALUE")
        wire = d.get("locationName") or s.get("locationName")
        if s["type"] == "list" and (d.get("flattened") or s.get("flattened")) and "locationName" in s["member"] and not self.ec2:
            wire = s["member"]["locationName"]
        f = [".name = " + cstr(m), ".wire = " + cstr(wire or m)]
        if self.ec2:
            q = d.get("queryName") or (lambda x: x[:1].upper() + x[1:])(d.get("locationName") or m)
            f.append(".ec2 = " + cstr(q))
        ns = (d.get("xmlNamespace") or {})
        if isinstance(ns, dict) and ns.get("uri"):
            f.append(".xmlns = " + cstr(ns["uri"]))
        f.append(".shape = %d" % self.index[d["shape"]])
        f.append(".offset = offsetof(%s, %s)" % (self.struct_name(struct), self.field(struct, m)))
        if "id" in d:
            f.append(".id = %d" % d["id"])
        if d.get("location"):
            f.append(".location = " + LOCATIONS[d["location"]])
        if flags:
            f.append(".flags = " + " | ".join(flags))
        tf = d.get("timestampFormat") or s.get("timestampFormat")
        if tf:
            f.append(".time = " + TIMES[tf])
        return "{ " + ", ".join(f) + " },"

    def shape_row(self, p, n):
        s = self.shapes[n]
        t = s["type"]
        f = [".name = " + cstr(n), ".payload = -1"]
        flags = []
        if self.is_document(n):
            f += [".kind = DK_DOCUMENT", ".size = sizeof(struct json *)"]
        elif t == "structure" and not self.is_body(n):
            f += [".kind = DK_STRUCT", ".size = sizeof(%s)" % self.struct_name(n)]
            ms = list(self.members(n))
            if ms:
                f += [".members = %s_members_%d" % (p, self.index[n]), ".n_members = %d" % len(ms)]
            if s.get("payload"):
                f[1] = ".payload = %d" % ms.index(s["payload"])
            if s.get("locationName"):
                f.append(".xml_name = " + cstr(s["locationName"]))
            ns = s.get("xmlNamespace")
            if ns:
                f.append(".xml_value = " + cstr(ns["uri"] if isinstance(ns, dict) else ns))
            if s.get("union"):
                flags.append("DS_UNION")
        elif t == "list":
            e = s["member"]
            f += [".kind = DK_LIST", ".size = sizeof(struct str_list)", ".element = %d" % self.index[e["shape"]],
                  ".xml_name = " + cstr(e.get("locationName", "member"))]
        elif t == "map":
            f += [".kind = DK_MAP", ".size = sizeof(struct str_map)", ".key = %d" % self.index[s["key"]["shape"]],
                  ".element = %d" % self.index[s["value"]["shape"]], ".xml_name = " + cstr(s["key"].get("locationName", "key")),
                  ".xml_value = " + cstr(s["value"].get("locationName", "value"))]
        elif self.is_body(n):
            f += [".kind = DK_BODY", ".size = sizeof(struct body *)"]
        else:
            f += [".kind = " + KINDS[t][0], ".size = sizeof(%s)" % KINDS[t][1]]
        if s.get("flattened"):
            flags.append("DS_FLATTENED")
        if s.get("sensitive"):
            flags.append("DS_SENSITIVE")
        if s.get("jsonvalue"):
            flags.append("DS_JSONVALUE")
        for k in ("min", "max"):
            if k in s:
                flags.append("DS_HAS_" + k.upper())
                f.append(".%s = %r" % (k, float(s[k])))
        if s.get("pattern"):
            f.append(".pattern = " + cstr(s["pattern"]))
            pcre = pcre_of(s["pattern"])
            if pcre != s["pattern"]:
                f.append(".pcre = " + cstr(pcre))
        if s.get("enum"):
            f.append(".enums = %s_enum_%d" % (p, self.index[n]))
        if flags:
            f.append(".flags = " + " | ".join(flags))
        if s.get("timestampFormat"):
            f.append(".time = " + TIMES[s["timestampFormat"]])
        return "{ " + ", ".join(f) + " },"


def error_names(model, overlay, prefix):
    """(C name, shape, code, status, sender) of every error of the service, the model's and the overlay's, sorted."""
    rows, used = [], set()
    for name in sorted(model["shapes"]):
        s = model["shapes"][name]
        if not s.get("exception"):
            continue
        e = s.get("error", {})
        fault = bool(s.get("fault")) or bool(e.get("fault"))
        c = snake(re.sub(r"(Exception|Fault)$", "", name) or name)
        if c in used:
            c = snake(name)
        used.add(c)
        message = next((d.get("locationName", m) for m, d in s.get("members", {}).items() if m.lower() == "message"), None)
        rows.append((c, name, e.get("code", name), e.get("httpStatusCode", 500 if fault else 400), not fault,
                     None if message == "message" else message))
    for code in sorted(overlay.get("errors", {})):
        v = overlay["errors"][code]
        status = v if isinstance(v, int) else v["status"]
        c = snake(code)
        if c in used and not (isinstance(v, dict) and "shape" in v):
            old = [r for r in rows if r[0] == c]
            if old and old[0][2] == code:
                rows.remove(old[0])
            else:
                c += "_code"
        shape = v.get("shape") if isinstance(v, dict) else None
        if shape:  # the code that an error shape of the model has in the query protocol
            rows = [r[:2] + (code, status, status < 500) + r[5:] if r[1] == shape else r for r in rows]
            continue
        used.add(c)
        rows.append((c, code, code, status, status < 500, None))
    return sorted((("%s_err_%s" % (prefix, r[0])),) + r[1:] for r in rows)


class Service:
    def __init__(self, data, path, tables_only=False):
        self.path, self.tables_only = path, tables_only
        self.overlay, self.text = load_overlay(path)
        o = self.overlay
        self.prefix = o.get("prefix", os.path.splitext(os.path.basename(path))[0])
        self.model = load_model(data, o.get("model", self.prefix))
        self.meta = self.model["metadata"]
        for s, v in o.get("shapes+", {}).items():
            self.model["shapes"].setdefault(s, {}).update(v)
        self.split_streams()
        self.check_errors()
        self.check()

    def split_streams(self):
        """A blob that only some members stream (S3's Body) becomes a shape of its own for these."""
        shapes = self.model["shapes"]
        for n in sorted(shapes):
            for m in shapes[n].get("members", {}).values():
                s = m["shape"]
                if m.get("streaming") and shapes[s]["type"] == "blob" and not shapes[s].get("streaming"):
                    shapes.setdefault("Streaming" + s, dict(shapes[s], streaming=True))
                    m["shape"] = "Streaming" + s

    def bad(self, needle, sentence):
        fail(self.path, self.text, needle, sentence)

    def check(self):
        ops = self.model["operations"]
        known = {"operations", "model", "prefix", "protocols", "signing", "global", "errors", "invalid", "shapes+", "note"}
        for k in self.overlay:
            if k not in known:
                self.bad(k, "unknown key %r" % k)
        self.protocols()
        for name, v in self.overlay.get("operations", {}).items():
            if name not in ops:
                self.bad(("operations", name), "%s has no operation %s" % (self.prefix, name))
            self.check_operation(name, v)

    def check_operation(self, name, v):
        known = {"txn", "auth", "keys", "tags", "anonymous", "recorded", "resource_policy", "note", "errors", "body"}
        here = ("operations", name)
        for k in v:
            if k not in known:
                self.bad(here + (k,), "%s: unknown key %r" % (name, k))
        if v.get("txn") not in ("read", "write", "none"):
            self.bad(here + ("txn",), '%s: "txn" is "read", "write" or "none"' % name)
        if "auth" not in v:
            self.bad(here, '%s: "auth" is missing; an operation without one does not build' % name)
        if not isinstance(v.get("body", 1), int) or not 0 < v.get("body", 1) < 1 << 30:
            self.bad(here + ("body",), '%s: "body" is the most bytes of a request' % name)
        if v["auth"] != "none":
            if not isinstance(v["auth"], list) or not v["auth"]:
                self.bad(here + ("auth",), '%s: "auth" is "none" or a list of checks' % name)
            for a in v["auth"]:
                if not isinstance(a, dict) or not re.fullmatch(r"[a-z0-9-]+:[A-Za-z0-9*]+", a.get("action", "")):
                    self.bad(here + ("auth",), '%s: an "auth" entry needs an "action" such as "kms:Encrypt"' % name)
                for k in a:
                    if k not in ("action", "resource", "if"):
                        self.bad(here + ("auth", k), "%s: unknown key %r of an \"auth\" entry" % (name, k))
                self.check_template(name, a.get("resource", "*"))
                if "if" in a:
                    self.check_path(name, a["if"].lstrip("!"))
        for k, p in v.get("keys", {}).items():
            self.check_path(name, p)
        if "tags" in v:
            self.check_path(name, v["tags"])
        for p in v.get("recorded", []):
            self.check_path(name, p)

    def check_errors(self):
        for code, v in self.overlay.get("errors", {}).items():
            status = v.get("status") if isinstance(v, dict) else v
            if not isinstance(status, int) or not 300 <= status <= 599:
                self.bad(("errors", code), "error %s: wants an HTTP status" % code)
            if isinstance(v, dict) and "shape" in v and not self.model["shapes"].get(v["shape"], {}).get("exception"):
                self.bad(("errors", code), "error %s: %r is no error shape" % (code, v["shape"]))

    def check_template(self, name, t):
        for r in t if isinstance(t, list) else [t]:
            for p in re.findall(r"\{([^}]*)\}", r):
                if p not in ("account", "region", "partition"):
                    self.check_path(name, p)

    def check_path(self, name, path):
        shape = self.model["operations"][name].get("input", {}).get("shape")
        for part in path.split("."):
            lst = part.endswith("[]")
            part = part[:-2] if lst else part
            s = self.model["shapes"].get(shape, {})
            if s.get("type") != "structure" or part not in s.get("members", {}):
                self.bad(("operations", name, path), "%s: no input member %r" % (name, path))
            shape = s["members"][part]["shape"]
            if lst:
                if self.model["shapes"][shape]["type"] != "list":
                    self.bad(("operations", name, path), "%s: %r is not a list" % (name, path))
                shape = self.model["shapes"][shape]["member"]["shape"]

    def built(self):
        return sorted(self.overlay.get("operations", {}))

    def protocols(self):
        ps = self.overlay.get("protocols")
        if not ps:
            ps = [self.meta["protocol"]] if self.meta["protocol"] in PROTOCOLS else [p for p in self.meta.get("protocols", []) if p in PROTOCOLS][:1]
        for p in ps:
            if p not in PROTOCOLS:
                self.bad(("protocols", p), "unknown protocol %r" % p)
        return ps

    def in_out(self, em, name):
        op = self.model["operations"][name]
        r = []
        for d, suffix in (("input", "Request"), ("output", "Response")):
            s = op.get(d, {}).get("shape")
            if s is None:
                s = name + suffix
                while s in self.model["shapes"] and self.model["shapes"][s].get("members"):
                    s += "Empty"
                self.model["shapes"].setdefault(s, {"type": "structure", "members": {}})
            em.need(s)
            r.append(s)
        return r

    def emit(self, header):
        p = self.prefix
        em = Emitter(p, self.model["shapes"], ec2=self.meta["protocol"] == "ec2")
        ops = [(n, self.overlay["operations"][n]) + tuple(self.in_out(em, n)) for n in self.built()]
        errors = error_names(self.model, self.overlay, p)
        head = "/* GENERATED by tools/modelgen from the AWS model of %s and %s - do not edit. */\n" % (
            self.overlay.get("model", p), "models/" + os.path.basename(self.path))
        h = [head, "#pragma once", '#include "wire/model.h"', ""]
        em.emit_types(h)
        h.append("")
        for e in errors:
            h.append("extern const struct desc_error %s; /* %s, %d */" % (e[0], e[2], e[3]))
        h.append("\nstruct %s_ops {" % p)
        for n, _, i, o in ops:
            h.append("\tint (*%s)(struct call *c, const %s *in, %s *out);" % (snake(n), em.struct_name(i), em.struct_name(o)))
        if not ops:
            h.append("\tchar empty_;")
        h.append("};\nextern const struct %s_ops %s_ops; /* written by hand in src/svc/%s */" % (p, p, p))
        h.append("extern const struct service_model %s_model;" % p)
        h.append("enum %s_op {" % p)
        for i, (n, *_ ) in enumerate(ops):
            h.append("\t%s_OP_%s = %d," % (p.upper(), snake(n).upper().rstrip("_"), i))
        h.append("\t%s_OPS = %d\n};" % (p.upper(), len(ops)))
        c = [head, '#include "%s"' % header, "#include <stddef.h>", ""]
        recorded = set()
        for n, v, i, o in ops:
            for path in v.get("recorded", []):
                recorded.add(self.leaf(i, path))
        em.emit_tables(c, recorded)
        for e in errors:
            c.append("const struct desc_error %s = { %s, %s, %d, %s, %s };" % (
                e[0], cstr(e[1]), cstr(e[2]), e[3], "true" if e[4] else "false", cstr(e[5])))
        by_shape = {e[1]: e[0] for e in errors}
        for idx, (n, v, i, o) in enumerate(ops):
            self.emit_op_parts(c, em, idx, n, v, i, o, by_shape)
        c.append("static const struct op ops[] = {")
        for idx, (n, v, i, o) in enumerate(ops):
            c.append("\t" + self.op_row(em, idx, n, v, i, o))
        if not ops:
            c.append("\t{ .name = NULL },")
        c.append("};")
        c.append("static const struct op_known known[] = { /* of the model, not built */")
        for n in sorted(set(self.model["operations"]) - set(self.built())):
            method, uri, need = self.route(n)
            c.append("\t{ %s, %s, %s, %s }," % (cstr(n), cstr(method), cstr(uri), cstr(need)))
        c.append("\t{ NULL, NULL, NULL, NULL },\n};")
        c += self.model_row(len(ops), len(em.order))
        return "\n".join(h) + "\n", "\n".join(c) + "\n"

    def route(self, name):
        """(method, URI template or None, required query parameters and headers or None) of an operation."""
        def parts(n):
            op = self.model["operations"][n]
            ht, s = op.get("http", {}), self.model["shapes"].get(op.get("input", {}).get("shape"), {})
            need = []
            for m in s.get("required", []):
                d = s["members"][m]
                if d.get("location") in ("querystring", "header"):
                    need.append(("?" if d["location"] == "querystring" else "@") + d.get("locationName", m))
            return ht.get("method", "POST"), ht.get("requestUri", "/"), " ".join(sorted(need)) or None

        ops, r = self.model["operations"], parts(name)
        if ops[name].get("deprecated") and any(n != name and not ops[n].get("deprecated") and parts(n) == r for n in ops):
            return r[0], None, r[2]
        return r

    def leaf(self, shape, path):
        st = shape
        for part in path.split("."):
            st, shape = shape, self.model["shapes"][shape]["members"][part.rstrip("[]")]["shape"]
            last = part
            if part.endswith("[]"):
                shape = self.model["shapes"][shape]["member"]["shape"]
        return st, last.rstrip("[]")

    def emit_op_parts(self, c, em, idx, n, v, i, o, by_shape):
        p = self.prefix
        if not self.tables_only:
            c.append("static int run_%d(struct call *c, const void *in, void *out) { return %s_ops.%s ? %s_ops.%s(c, in, out) : call_not_built(c); }" % (
                idx, p, snake(n), p, snake(n)))
        auth = [] if v["auth"] == "none" else v["auth"]
        rows = []
        for a in auth:
            rs = a.get("resource", "*")
            for r in rs if isinstance(rs, list) else [rs]:
                rows.append("{ %s, %s, %s }" % (cstr(a["action"]), cstr(r), cstr(a.get("if"))))
        if rows:
            c.append("static const struct op_auth auth_%d[] = { %s };" % (idx, ", ".join(rows)))
        if v.get("keys"):
            c.append("static const struct op_key keys_%d[] = { %s };" % (
                idx, ", ".join("{ %s, %s }" % (cstr(k), cstr(x)) for k, x in sorted(v["keys"].items()))))
        errs = [by_shape[e["shape"]] for e in self.model["operations"][n].get("errors", []) if e["shape"] in by_shape]
        errs += [by_shape[e] for e in v.get("errors", []) if e in by_shape]
        if errs:
            c.append("static const struct desc_error *const errors_%d[] = { %s, NULL };" % (idx, ", ".join("&" + e for e in errs)))

    def op_row(self, em, idx, n, v, i, o):
        op = self.model["operations"][n]
        ht = op.get("http", {})
        method, uri, need = self.route(n)
        f = [".name = " + cstr(n), ".txn = OP_" + v["txn"].upper(), ".in = %d" % em.index[i], ".out = %d" % em.index[o],
             ".method = " + cstr(method), ".uri = " + cstr(uri),
             ".status = %d" % ht.get("responseCode", 200)]
        if not self.tables_only:
            f.append(".run = run_%d" % idx)
        flags = []
        if v["auth"] == "none":
            flags.append("OP_NO_AUTHORIZATION")
        else:
            rows = sum(len(a["resource"]) if isinstance(a.get("resource"), list) else 1 for a in v["auth"])
            f += [".auth = auth_%d" % idx, ".n_auth = %d" % rows]
        if v.get("anonymous"):
            flags.append("OP_ANONYMOUS")
        ins = self.model["shapes"][i]
        outs = self.model["shapes"][o]
        for s, fl in ((ins, "OP_STREAM_IN"), (outs, "OP_STREAM_OUT")):
            if s.get("payload") and em.is_body(s["members"][s["payload"]]["shape"]):
                flags.append(fl)
        if (op.get("httpChecksum") or {}).get("requestChecksumRequired") or op.get("httpChecksumRequired"):
            flags.append("OP_CHECKSUM_REQUIRED")
        if flags:
            f.append(".flags = " + " | ".join(flags))
        if v.get("keys"):
            f += [".keys = keys_%d" % idx, ".n_keys = %d" % len(v["keys"])]
        if v.get("tags"):
            f.append(".tags = " + cstr(v["tags"]))
        if v.get("body"):
            f.append(".body_max = %d" % v["body"])
        wrapper = op.get("output", {}).get("resultWrapper")
        if wrapper:
            f.append(".wrapper = " + cstr(wrapper))
        if need:
            f.append(".need = " + cstr(need))
        if self.meta["serviceId"] == "S3" and n in S3_ROOTS:
            f.append(".out_xml = " + cstr(S3_ROOTS[n]))
        ild = op.get("input", {})
        if ild.get("locationName"):
            f.append(".in_xml = " + cstr(ild["locationName"]))
        ns = ild.get("xmlNamespace")
        if ns:
            f.append(".in_xmlns = " + cstr(ns["uri"] if isinstance(ns, dict) else ns))
        if self.model["operations"][n].get("errors") or v.get("errors"):
            f.append(".errors = errors_%d" % idx)
        return "{ " + ", ".join(f) + " },"

    def xmlns(self):
        """The namespace of answers: the model's, S3's known one, else the one that most requests have."""
        ns = self.meta.get("xmlNamespace")
        if ns:
            return ns if isinstance(ns, str) else ns["uri"]
        if self.meta["serviceId"] == "S3":
            return "http://s3.amazonaws.com/doc/2006-03-01/"
        uris = [op["input"]["xmlNamespace"]["uri"] for op in self.model["operations"].values() if "xmlNamespace" in op.get("input", {})]
        uris += [d["xmlNamespace"]["uri"] for s in self.model["shapes"].values() if s.get("payload")
                 for d in s.get("members", {}).values() if "uri" in (d.get("xmlNamespace") or {})]
        return max(sorted(set(uris)), key=uris.count) if uris else None

    def model_row(self, n_ops, n_shapes):
        m, o, p = self.meta, self.overlay, self.prefix
        ps = self.protocols()
        signing = o.get("signing", [m.get("signingName", m["endpointPrefix"])])
        return ["static const char *const signing[] = { %s, NULL };" % ", ".join(cstr(s) for s in signing),
                "static const uint8_t protocols[] = { %s };" % ", ".join(PROTOCOLS[x] for x in ps),
                "const struct service_model %s_model = {" % p,
                "\t.name = %s, .id = %s, .api_version = %s, .endpoint_prefix = %s," % (cstr(p), cstr(m["serviceId"]), cstr(m["apiVersion"]), cstr(m["endpointPrefix"])),
                "\t.target_prefix = %s, .json_version = %s, .xmlns = %s," % (cstr(m.get("targetPrefix")), cstr(m.get("jsonVersion")), cstr(self.xmlns())),
                "\t.signing = signing, .protocols = protocols, .n_protocols = %d, .global = %s, .query_compatible = %s," % (
                    len(ps), "true" if o.get("global") else "false", "true" if "awsQueryCompatible" in m else "false"),
                "\t.shapes = %s_shapes, .n_shapes = %d, .ops = ops, .n_ops = %d, .known = known," % (p, n_shapes, n_ops)] + (
                    ["\t.invalid = %s," % cstr(o["invalid"])] if o.get("invalid") else []) + ["};"]


S3_ROOTS = {  # root elements of S3's answers, which botocore's model leaves out
    "ListBuckets": "ListAllMyBucketsResult", "ListDirectoryBuckets": "ListAllMyDirectoryBucketsResult", "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult", "ListObjectVersions": "ListVersionsResult", "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListParts": "ListPartsResult", "CreateMultipartUpload": "InitiateMultipartUploadResult", "CreateSession": "CreateSessionResult",
    "CompleteMultipartUpload": "CompleteMultipartUploadResult", "DeleteObjects": "DeleteResult", "GetBucketAcl": "AccessControlPolicy",
    "GetObjectAcl": "AccessControlPolicy", "GetBucketCors": "CORSConfiguration", "GetBucketTagging": "Tagging", "GetObjectTagging": "Tagging",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration", "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration", "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketLogging": "BucketLoggingStatus", "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration", "GetObjectAttributes": "GetObjectAttributesResponse",
    "ListBucketAnalyticsConfigurations": "ListBucketAnalyticsConfigurationResult",
    "ListBucketInventoryConfigurations": "ListInventoryConfigurationsResult", "ListBucketMetricsConfigurations": "ListMetricsConfigurationsResult",
}
RECORD_TYPES = {"string": "string", "blob": "blob", "bool": "boolean", "int": "long", "double": "double", "time": "timestamp"}


def records(path):
    """A records file as (prefix, shapes, names). Types: string blob bool int double time map NAME list:TYPE map:TYPE."""
    o, text = load_overlay(path)
    prefix = o["prefix"]
    shapes = {t: {"type": v} for t, v in RECORD_TYPES.items()}
    shapes["map"] = {"type": "map", "key": {"shape": "string"}, "value": {"shape": "string"}}

    def shape_of(t, rec, field):
        if t in RECORD_TYPES or t == "map":
            return t
        if t.startswith("list:"):
            e = shape_of(t[5:], rec, field)
            shapes.setdefault("List" + e, {"type": "list", "member": {"shape": e}})
            return "List" + e
        if t.startswith("map:"):
            e = shape_of(t[4:], rec, field)
            shapes.setdefault(e + "Map", {"type": "map", "key": {"shape": "string"}, "value": {"shape": e}})
            return e + "Map"
        if t in o["records"]:
            return "Rec" + t
        fail(path, text, ("records", rec, field), "%s.%s: unknown type %r" % (rec, field, t))

    for rec, fields in o["records"].items():
        ids, members = set(), {}
        for f, spec in fields.items():
            if not isinstance(spec, list) or len(spec) != 2 or not isinstance(spec[0], int) or not 0 < spec[0] < 65536:
                fail(path, text, ("records", rec, f), "%s.%s: wants [number, type]" % (rec, f))
            if spec[0] in ids:
                fail(path, text, ("records", rec, f), "%s.%s: field number %d is taken" % (rec, f, spec[0]))
            ids.add(spec[0])
            members[f] = {"shape": shape_of(spec[1], rec, f), "id": spec[0]}
        shapes["Rec" + rec] = {"type": "structure", "members": members}
    return prefix, shapes, list(o["records"])


def emit_records(path, header):
    prefix, shapes, names = records(path)
    em = Emitter(prefix, shapes, records=True)
    for n in names:
        em.need("Rec" + n)
    head = "/* GENERATED by tools/modelgen from models/records/%s - do not edit. */\n" % os.path.basename(path)
    h = [head, "#pragma once", '#include "store/record.h"', ""]
    em.emit_types(h)
    h.append("enum { /* shape indexes */")
    for n in names:
        h.append("\t%s_REC_%s = %d," % (prefix.upper(), snake(n).upper().rstrip("_"), em.index["Rec" + n]))
    h.append("\t%s_RECS = %d, /* shapes */" % (prefix.upper(), len(em.order)))
    h.append("};\nextern const struct record_model %s_records;" % prefix)
    c = [head, '#include "%s"' % header, "#include <stddef.h>"]
    em.emit_tables(c)
    c.append("const struct record_model %s_records = { %s_rec_shapes, %d };" % (prefix, prefix, len(em.order)))
    return "\n".join(h) + "\n", "\n".join(c) + "\n"


def coverage(data, d):
    out = ["# Coverage", "", "Generated by `tools/modelgen` from `models/`; do not edit. An operation that is not listed answers",
           "`NotImplemented`-style errors that name it. *Recorded only* names parameters that are stored and returned but not acted on.", ""]
    files = sorted(f for f in os.listdir(d) if f.endswith(".json"))
    out += ["| service | built | of | protocols |", "|---|---|---|---|"]
    svcs = [Service(data, os.path.join(d, f)) for f in files]
    for s in svcs:
        out.append("| [%s](#%s) | %d | %d | %s |" % (s.prefix, s.prefix, len(s.built()), len(s.model["operations"]), ", ".join(s.protocols())))
    for s in svcs:
        out += ["", "## %s" % s.prefix, "", "| operation | IAM action | transaction | recorded only |", "|---|---|---|---|"]
        for n in s.built():
            v = s.overlay["operations"][n]
            acts = "none" if v["auth"] == "none" else ", ".join("`%s`" % a for a in sorted({a["action"] for a in v["auth"]}))
            out.append("| %s | %s | %s | %s |" % (n, acts, v["txn"], ", ".join(v.get("recorded", []))))
        rest = sorted(set(s.model["operations"]) - set(s.built()))
        if rest:
            out += ["", "Not built: " + ", ".join(rest) + "."]
    return "\n".join(out) + "\n"


def write(path, text):
    try:
        with open(path, encoding="utf-8") as f:
            if f.read() == text:
                os.utime(path)
                return
    except FileNotFoundError:
        pass
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = ap.add_subparsers(dest="cmd", required=True)
    a = sub.add_parser("service")
    a.add_argument("--data", required=True)
    a.add_argument("--overlay", required=True)
    a.add_argument("--tables-only", action="store_true", help="no references to handlers, for tests of the protocols")
    b = sub.add_parser("records")
    b.add_argument("--records", required=True)
    for x in (a, b):
        x.add_argument("--out-h", required=True)
        x.add_argument("--out-c", required=True)
    c = sub.add_parser("coverage")
    c.add_argument("--data", required=True)
    c.add_argument("--overlay-dir", required=True)
    c.add_argument("--out", required=True)
    c.add_argument("--check", action="store_true", help="fail when the page is stale instead of writing it")
    o = ap.parse_args()
    try:
        if o.cmd == "coverage":
            text = coverage(o.data, o.overlay_dir)
            if o.check:
                with open(o.out, encoding="utf-8") as f:
                    if f.read() != text:
                        raise Bad("%s is stale: run `make coverage`" % o.out)
            else:
                write(o.out, text)
            return 0
        header = os.path.basename(o.out_h)
        h, s = Service(o.data, o.overlay, o.tables_only).emit(header) if o.cmd == "service" else emit_records(o.records, header)
        write(o.out_h, h)
        write(o.out_c, s)
        return 0
    except Bad as e:
        print("modelgen: %s" % e, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
