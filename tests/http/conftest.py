# SPDX-License-Identifier: Apache-2.0
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from http_client import Server  # noqa: E402


@pytest.fixture(scope="session")
def server():
    """One server for all tests that need nothing special; it has to survive them and leave nothing open."""
    with Server() as s:
        yield s
        end = s.stop()
        assert end["waiting"] == "0" and end["sources"] == "0", end


@pytest.fixture(params=["plain", "tls"])
def tls(request):
    return request.param == "tls"
