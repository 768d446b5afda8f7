# SPDX-License-Identifier: Apache-2.0
"""The template reader against PyYAML, an implementation of YAML 1.1 of other hands: random trees in random styles, random
plain scalars, and every short form. What CloudFormation does differently (dates stay text, no merge keys, no infinity)
is taught to the oracle."""
import json
import math
import os
import pathlib
import random
import re
import subprocess

import pytest

BUILD = pathlib.Path(os.environ.get("CLOUDKEEP_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build")).resolve()
yaml = pytest.importorskip("yaml")

FORMS = ["Base64", "Cidr", "FindInMap", "GetAZs", "If", "ImportValue", "Join", "Select", "Split", "Sub", "And", "Or", "Not", "Equals", "Transform"]


class Oracle(yaml.SafeLoader):
    pass


Oracle.yaml_implicit_resolvers = {
    k: [(tag, exp) for tag, exp in v if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")]
    for k, v in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def long_form(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = node.value
        if suffix == "GetAtt" and "." in value:
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else "Fn::" + suffix: value}


Oracle.add_multi_constructor("!", long_form)


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


class Form:
    def __init__(self, name, value):
        self.name, self.value = name, value


def dump_form(dumper, form):
    if isinstance(form.value, list):
        return dumper.represent_sequence("!" + form.name, form.value)
    if isinstance(form.value, dict):
        return dumper.represent_mapping("!" + form.name, form.value)
    return dumper.represent_scalar("!" + form.name, form.value)


Dumper.add_representer(Form, dump_form)


def read_trees(texts):
    data = b"".join(b"%d\n%s" % (len(t), t) for t in texts)
    out = subprocess.run([str(BUILD / "tests" / "unit" / "cfn" / "read_trees")], input=data, stdout=subprocess.PIPE, check=True, timeout=60)
    lines = out.stdout.decode().split("\n")
    assert lines.pop() == "" and len(lines) == len(texts)
    return lines


def same(a, b):
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return a == b or math.isclose(a, b, rel_tol=1e-15)
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def random_text(r):
    return "".join(r.choice("abcXYZ019 _-:.,#'\"{}[]&*!|>%@\\/$\n\té✓") for _ in range(r.randrange(0, 24)))


def random_tree(r, depth):
    kind = r.randrange(10)
    if depth <= 0 or kind < 4:
        return r.choice([random_text(r), r.randrange(-10**6, 10**12), r.random() * 1000, True, False, "yes", "012", "1:30", "2010-09-09", "null", ""])
    if kind < 6:
        return [random_tree(r, depth - 1) for _ in range(r.randrange(0, 4))]
    if kind < 8:
        return {r.choice(["k", "Fn::Sub", "Resources", "a b", "x-y"]) + str(i): random_tree(r, depth - 1) for i in range(r.randrange(0, 4))}
    if kind == 8:
        return Form(r.choice(["Ref", "Condition", "Sub", "GetAtt", "Base64", "ImportValue"]), r.choice(["A", "A.B", "A.B.C", "x y", "12", "yes"]))
    return Form(r.choice(FORMS), [random_tree(r, depth - 1) for _ in range(r.randrange(1, 4))])


def test_random_trees():
    r = random.Random(20240607)
    texts = []
    for _ in range(500):
        tree = {"T": random_tree(r, r.randrange(1, 7)), "Resources": {"A": random_tree(r, 3)}}
        texts.append(yaml.dump(tree, Dumper=Dumper, default_flow_style=r.choice([True, False, None]), width=r.choice([20, 80, 1000]),
                               allow_unicode=r.choice([True, False]), indent=r.choice([2, 4]), sort_keys=False, explicit_start=True).encode())
    for text, line in zip(texts, read_trees(texts)):
        assert not line.startswith("!"), (text, line)
        assert same(json.loads(line), yaml.load(text, Oracle)), (text, line)


def test_plain_scalars():
    """Everything short over the characters that numbers, booleans and dates are made of."""
    r = random.Random(7)
    scalars = set()
    while len(scalars) < 8000:
        scalars.add("".join(r.choice("0123456789012345670011._:+-xbeEaF") for _ in range(r.randrange(1, 9))))
    scalars |= {"yes", "No", "ON", "off", "y", "n", "True", "FALSE", "tRUE", "0o17", "1e5", "190:20:30", "0.", "685_230.15", "0b1010_0111"}
    texts, wants = [], []
    for s in sorted(scalars):
        try:
            want = yaml.load("A: " + s, Oracle)
        except (yaml.YAMLError, ValueError, IndexError):
            continue
        if not isinstance(want, dict) or want["A"] is None:
            continue
        if isinstance(want["A"], float) and (":" in s or not math.isfinite(want["A"]) or not re.search(r"\d", s)):
            want["A"] = s  # sexagesimal fractions and what JSON has no number for stay text
        texts.append(b"A: " + s.encode())
        wants.append(want)
    assert len(texts) > 4000
    bad = [(t, line, w) for t, line, w in zip(texts, read_trees(texts), wants) if line.startswith("!") or not same(json.loads(line), w)]
    assert not bad, bad[:20]


def test_json_and_yaml_of_the_same_tree():
    r = random.Random(11)
    trees = []
    for _ in range(300):
        t = yaml.load(yaml.dump({"T": random_tree(r, 5)}, Dumper=Dumper), Oracle)
        trees.append(t)
    as_json = read_trees([json.dumps(t).encode() for t in trees])
    as_yaml = read_trees([yaml.dump(t, Dumper=Dumper, sort_keys=False, explicit_start=True).encode() for t in trees])
    for t, j, y in zip(trees, as_json, as_yaml):
        assert same(json.loads(j), t) and same(json.loads(y), t), (t, j, y)
