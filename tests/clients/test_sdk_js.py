# SPDX-License-Identifier: Apache-2.0
"""The AWS SDK for JavaScript against a running cloud."""
import json
import pathlib
import shutil
import subprocess

import pytest

NODE = pathlib.Path(__file__).resolve().parent.parent / "node"


def test_sts_kms_and_s3(cloud):
    if not shutil.which("node") or not (NODE / "node_modules" / "@aws-sdk" / "client-s3").exists():
        pytest.skip("node or the AWS SDK for JavaScript is not installed (scripts/setup)")
    r = subprocess.run(["node", "sdk.mjs", "js-bucket"], cwd=NODE, env=cloud.env(), capture_output=True, text=True, timeout=120)
    assert r.returncode == 0, r.stderr
    out = json.loads(r.stdout)
    assert out["identity"] == "arn:aws:iam::%s:root" % cloud.account
    assert (out["plain"], out["tampered"]) == ("from javascript", "InvalidCiphertextException")
    assert (out["body"], out["metadata"], out["size"]) == ("body", {"who": "js"}, 3 << 20)
    assert out["keys"] == ["a key/with ünicode+plus", "stream"] and out["missing"] == "NoSuchKey"
