#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""all_operations.py --data DIR --tools DIR MODEL OUT [PROTOCOL...]: an overlay with every operation of a model, for tests of the protocols."""
import json
import sys

data, tools, model, out = sys.argv[2], sys.argv[4], sys.argv[5], sys.argv[6]
sys.path.insert(0, tools)
import modelgen  # noqa: E402

m = modelgen.load_model(data, model)
prefix = model.replace("-", "_")
o = {"model": model, "prefix": prefix, "operations": {n: {"txn": "none", "auth": "none"} for n in sorted(m["operations"])}}
if sys.argv[7:]:
    o["protocols"] = sys.argv[7:]
modelgen.write(out, json.dumps(o, indent=1) + "\n")
