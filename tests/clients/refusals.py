# SPDX-License-Identifier: Apache-2.0
"""What tests of clients share."""
import pytest
from botocore.exceptions import ClientError


def refused(code, fn, **kw):
    """Calls fn, expects AWS's error code, and returns the message."""
    with pytest.raises(ClientError) as e:
        fn(**kw)
    assert e.value.response["Error"]["Code"] == code, e.value
    return e.value.response["Error"]["Message"]
