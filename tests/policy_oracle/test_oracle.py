# SPDX-License-Identifier: Apache-2.0
"""Our decisions against an independent implementation of AWS's evaluation logic, on the same generated cases.

Needs node and tests/node/node_modules (npm ci in tests/node); skips with the reason where they are missing.
POLICY_ORACLE_CASES and POLICY_ORACLE_SEED choose other cases, CLOUDKEEP_BUILD another build folder."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
MODULES = HERE.parent / "node" / "node_modules"
ORACLE = pathlib.Path(os.environ.get("CLOUDKEEP_BUILD", TOP / "build")) / "tests/unit/policy/policy_oracle"
CASES = int(os.environ.get("POLICY_ORACLE_CASES", "24000"))
SEED = os.environ.get("POLICY_ORACLE_SEED", "20261120")
REFUSED_MAX = 0.02  # of the generated documents, a few aren't well formed on purpose or by chance


def test_same_decisions_as_iam_simulate(tmp_path):
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    if not (MODULES / "@cloud-copilot/iam-simulate").is_dir():
        pytest.skip(f"@cloud-copilot/iam-simulate is not in {MODULES}: run npm ci there")
    if not ORACLE.exists():
        pytest.skip(f"{ORACLE} is not built")
    cases, decisions = tmp_path / "cases.jsonl", tmp_path / "decisions.txt"
    with cases.open("w") as out:
        subprocess.run([sys.executable, HERE / "generate.py", SEED, str(CASES)], stdout=out, check=True)
    with cases.open() as inp, decisions.open("w") as out:
        subprocess.run([ORACLE], stdin=inp, stdout=out, check=True)
    done = subprocess.run(["node", HERE / "compare.cjs", MODULES, cases, decisions], capture_output=True, text=True)
    print(done.stdout, done.stderr)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert report["cases"] == CASES >= 20000
    assert report["unexplained"] == 0, done.stderr
    assert report["refused"] < CASES * REFUSED_MAX
    # The cases have to be worth something: all three decisions often, most differences none at all.
    assert all(report["decisions"][d] > CASES * 0.1 for d in ("allow", "implicit", "explicit"))
    assert report["explained"] < CASES * 0.08
