# SPDX-License-Identifier: Apache-2.0
"""What tests of clients share: calls that must be refused, and the policies that refuse them."""
import json

import pytest
from botocore.exceptions import ClientError


def refused(code, fn, **kw):
    """Calls fn, expects AWS's error code, and returns the message."""
    with pytest.raises(ClientError) as e:
        fn(**kw)
    assert e.value.response["Error"]["Code"] == code, e.value
    return e.value.response["Error"]["Message"]


def code(fn, **kw):
    """Calls fn, expects that it is refused, and returns AWS's error code."""
    with pytest.raises(ClientError) as e:
        fn(**kw)
    return e.value.response["Error"]["Code"]


def allow(action, resource="*", **kw):
    return dict({"Effect": "Allow", "Action": action, "Resource": resource}, **kw)


def deny(action, resource="*", **kw):
    return dict(allow(action, resource, **kw), Effect="Deny")


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
