# SPDX-License-Identifier: Apache-2.0
"""Fixtures: environments of functions, driven through fn_tool."""
import shutil

import pytest
from fn import TOOL, Tool, code, folder


@pytest.fixture(scope="module")
def tool():
    """One set of environments for a module's tests, with all rights that this user has."""
    if not TOOL.exists():
        pytest.fail("%s is not built" % TOOL)
    d = folder()
    t = Tool(d)
    words = t.ask(isolation=True)["isolation"]
    if words.startswith("functions cannot be isolated here"):
        t.close()
        pytest.skip(words)
    t.words = words
    yield t
    rc, err = t.close()
    shutil.rmtree(d, ignore_errors=True)
    assert rc == 0, err


@pytest.fixture
def make(tool, request):
    """Writes a function's code: make(text) for Node.js, make(text, py=True) for Python."""
    made = []

    def it(text, py=False, file=None):
        made.append(code(tool.folder, "%s%d%s" % (request.node.name.replace("[", "-").replace("]", ""), len(made), "_py" if py else ""), text, file))
        return made[-1]
    return it
