# SPDX-License-Identifier: Apache-2.0
"""Golden tests of modelgen: made-up models in data/ and overlays in overlays/ must give, byte for byte, what expected/
holds. MODELGEN_UPDATE=1 writes expected/ anew; read the difference before committing it."""
import ctypes
import ctypes.util
import os
import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
sys.path.insert(0, str(HERE.parent))
import modelgen  # noqa: E402


def run(*args, seed="0"):
    return subprocess.run([sys.executable, str(HERE.parent / "modelgen.py"), *map(str, args)], capture_output=True, text=True,
                          env=dict(os.environ, PYTHONHASHSEED=seed))


def generate(name, d, seed="0"):
    if name.endswith("_records"):
        r = run("records", "--records", HERE / "overlays" / (name + ".json"), "--out-h", d / (name + ".h"), "--out-c", d / (name + ".c"), seed=seed)
    else:
        r = run("service", "--data", HERE / "data", "--overlay", HERE / "overlays" / (name + ".json"), "--out-h", d / (name + ".h"),
                "--out-c", d / (name + ".c"), seed=seed)
    assert r.returncode == 0, r.stderr
    return {s: (d / (name + s)).read_bytes() for s in (".h", ".c")}


@pytest.mark.parametrize("name", ["toy", "toyec2", "toyxml", "toy_records"])
def test_golden(name, tmp_path):
    got = generate(name, tmp_path)
    for seed in ("1", "77"):
        d = tmp_path / seed
        d.mkdir()
        assert generate(name, d, seed) == got, "output depends on the hash seed"
    for s, text in got.items():
        e = HERE / "expected" / (name + s + ".txt")
        if os.environ.get("MODELGEN_UPDATE"):
            e.write_bytes(text)
        assert text.decode() == e.read_text(), "%s differs" % e


@pytest.mark.parametrize("name", ["toy", "toyec2", "toyxml", "toy_records"])
def test_output_compiles(name, tmp_path):
    generate(name, tmp_path)
    r = subprocess.run(["cc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-fsyntax-only", "-include", str(ROOT / "src/base/banned.h"),
                        "-I", str(ROOT / "src"), str(tmp_path / (name + ".c"))], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr[:3000]


def test_unchanged_output_is_not_written(tmp_path):
    generate("toy", tmp_path)
    os.chmod(tmp_path / "toy.c", 0o444)
    ino = os.stat(tmp_path / "toy.c").st_ino
    generate("toy", tmp_path)
    assert os.stat(tmp_path / "toy.c").st_ino == ino


OP = '''{
  "model": "toy",
  "operations": {
    "ListThings": {"txn": "read", "auth": "none"},
    "CreateThing": {
      %s
    }
  }
}
'''


@pytest.mark.parametrize("text,line,sentence", [
    ('{\n "model": "toy",\n "operations" {}\n}\n', 3, "not JSON"),
    ('{"model": "toy",\n "operashuns": {}}\n', 2, "unknown key 'operashuns'"),
    ('{"model": "toy",\n "protocols": [\n "json",\n "soap"], "operations": {}}\n', 4, "unknown protocol 'soap'"),
    ('{"model": "toy",\n "errors": {\n "Bad": 12}, "operations": {}}\n', 3, "error Bad: wants an HTTP status"),
    ('{"model": "toy",\n "errors": {\n "Bad": {"status": 400, "shape": "Tag"}}, "operations": {}}\n', 3, "error Bad: 'Tag' is no error shape"),
    ('{"model": "toy",\n "operations": {\n  "MakeThing": {"txn": "read", "auth": "none"}}}\n', 3, "toy has no operation MakeThing"),
    (OP % '"auth": "none",\n "txn": "rw"', 7, 'CreateThing: "txn" is "read", "write" or "none"'),
    (OP % '"auth": "none"', 5, 'CreateThing: "txn" is "read", "write" or "none"'),
    (OP % '"txn": "write"', 5, 'CreateThing: "auth" is missing; an operation without one does not build'),
    (OP % '"txn": "write",\n"auth": []', 7, 'CreateThing: "auth" is "none" or a list of checks'),
    (OP % '"txn": "write",\n"auth": [{"action": "CreateThing"}]', 7, 'CreateThing: an "auth" entry needs an "action" such as "kms:Encrypt"'),
    (OP % '"txn": "write",\n"auth": [{"action": "toy:X",\n"when": "Name"}]', 8, "CreateThing: unknown key 'when' of an \"auth\" entry"),
    (OP % '"txn": "write",\n"auth": [{"action": "toy:X",\n"resource": "arn:{Nmae}"}]', 8, "CreateThing: no input member 'Nmae'"),
    (OP % '"txn": "write", "auth": [\n{"action": "toy:X", "if": "Name"},\n{"action": "toy:X", "if": "!Tree.Left.Lief"}]', 8, "CreateThing: no input member 'Tree.Left.Lief'"),
    (OP % '"txn": "write", "auth": "none",\n"tags": "Tag"', 7, "CreateThing: no input member 'Tag'"),
    (OP % '"txn": "write", "auth": "none",\n"keys": {\n"toy:K": "Name[]"}', 8, "CreateThing: 'Name[]' is not a list"),
    (OP % '"txn": "write", "auth": "none",\n"recorded": ["Name",\n"Tags[].Kee"]', 8, "CreateThing: no input member 'Tags[].Kee'"),
    (OP % '"txn": "write", "auth": "none",\n"quick": true', 7, "CreateThing: unknown key 'quick'"),
])
def test_wrong_overlays_are_told_by_line(text, line, sentence, tmp_path):
    p = tmp_path / "toy.json"
    p.write_text(text)
    r = run("service", "--data", HERE / "data", "--overlay", p, "--out-h", tmp_path / "x.h", "--out-c", tmp_path / "x.c")
    assert r.returncode == 1
    assert r.stderr.startswith("modelgen: %s:%d: %s" % (p, line, sentence)), r.stderr
    assert not (tmp_path / "x.h").exists() and not (tmp_path / "x.c").exists()


@pytest.mark.parametrize("fields,line,sentence", [
    ('"a": [1, "string"],\n"b": [1, "int"]', 5, "r.b: field number 1 is taken"),
    ('"a": [1, "string"],\n"b": [2, "ink"]', 5, "r.b: unknown type 'ink'"),
    ('"a": [1, "list:list:nothing"]', 4, "r.a: unknown type 'nothing'"),
    ('"a": [0, "string"]', 4, "r.a: wants [number, type]"),
    ('"a": "string"', 4, "r.a: wants [number, type]"),
])
def test_wrong_records_are_told_by_line(fields, line, sentence, tmp_path):
    p = tmp_path / "r.json"
    p.write_text('{"prefix": "x",\n "records": {"other": {"b": [1, "int"], "a": [2, "int"]},\n "r": {\n%s}}}\n' % fields)
    r = run("records", "--records", p, "--out-h", tmp_path / "x.h", "--out-c", tmp_path / "x.c")
    assert r.returncode == 1
    assert r.stderr.startswith("modelgen: %s:%d: %s" % (p, line, sentence)), r.stderr


def test_unknown_model(tmp_path):
    p = tmp_path / "nix.json"
    p.write_text('{"model": "nix", "operations": {}}')
    r = run("service", "--data", HERE / "data", "--overlay", p, "--out-h", tmp_path / "x.h", "--out-c", tmp_path / "x.c")
    assert r.returncode == 1 and "no service 'nix'" in r.stderr


# --- patterns ---

PCRE2_UTF = 0x00080000


@pytest.fixture(scope="module")
def pcre():
    name = ctypes.util.find_library("pcre2-8")
    if not name:
        pytest.skip("libpcre2-8 is not installed")
    lib = ctypes.CDLL(name)
    lib.pcre2_compile_8.restype = ctypes.c_void_p
    lib.pcre2_compile_8.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint32, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_size_t),
                                    ctypes.c_void_p]

    def compiles(pattern):
        e, at, b = ctypes.c_int(), ctypes.c_size_t(), pattern.encode()
        code = lib.pcre2_compile_8(b, len(b), PCRE2_UTF, e, at, None)
        if code:
            lib.pcre2_code_free_8(ctypes.c_void_p(code))
        return bool(code)

    return compiles


def test_every_pattern_of_every_model_compiles(pcre):
    import botocore
    data = pathlib.Path(botocore.__file__).parent / "data"
    bad, n, skipped = [], 0, set()
    for d in sorted(x.name for x in data.iterdir() if x.is_dir() and list(x.glob("*/service-2.json*"))):
        for name, s in modelgen.load_model(str(data), d)["shapes"].items():
            if not s.get("pattern"):
                continue
            n += 1
            p = modelgen.pcre_of(s["pattern"])
            if not p:
                skipped.add(s["pattern"])
            elif not pcre(p):
                bad.append((d, name, s["pattern"], p))
    assert not bad, bad[:10]
    assert n > 5000
    assert skipped == set(modelgen.SKIPPED_PATTERNS), "a reason for a pattern that no model has"


@pytest.mark.parametrize("pattern,pcre_pattern", [
    ("[a-z]+", "[a-z]+"),
    (r"[\u0009\u000A\u0020-\u00FF]*", r"[\x{0009}\x{000A}\x{0020}-\x{00FF}]*"),
    (r"[\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF]", r"[\x{E000}-\x{FFFD}\x{10000}-\x{10ffff}]"),
    (r"\p{XDigit}{8}", "[[:xdigit:]]{8}"),
    (r"[^\p{ASCII}\]x]\p{Print}", r"[^[:ascii:]\]x][[:print:]]"),
    (r"[\w-.]+", r"[\w\-.]+"),
    (r"[\w-]+", r"[\w-]+"),
    (r"\\u0041", r"\\u0041"),
])
def test_pattern_rewriting(pattern, pcre_pattern):
    assert modelgen.pcre_of(pattern) == pcre_pattern


def test_coverage_page(tmp_path):
    out = tmp_path / "coverage.md"
    overlays = tmp_path / "models"
    overlays.mkdir()
    for n in ("toy.json", "toyec2.json"):
        (overlays / n).write_text((HERE / "overlays" / n).read_text())
    args = ("coverage", "--data", HERE / "data", "--overlay-dir", overlays, "--out", out)
    assert run(*args).returncode == 0
    text = out.read_text()
    assert "| [toy](#toy) | 3 | 4 | json, query |" in text and "Not built: UnbuiltThing." in text
    assert re.search(r"\| CreateThing \| `toy:CreateThing`, `toy:Plain`, `toy:TagThing` \| write \| Labels, Tags\[\]\.Value \|", text)
    assert run(*args, "--check").returncode == 0
    out.write_text(text + "x")
    r = run(*args, "--check")
    assert r.returncode == 1 and "stale" in r.stderr
