"""The SDKs cost hundreds of milliseconds of cold start; a function that only wires an adapter must not pay them."""

from __future__ import annotations

import subprocess
import sys

import pytest

SDKS = ("alibabacloud_vpc20160428", "alibabacloud_tea_openapi", "darabonba", "Tea", "requests", "stamina", "mns",
        "alibabacloud_fc20230330")  # fmt: skip
WIRE = {
    "vpc": "from crossport.adapters.vpc import VpcCloud; VpcCloud(credentials=print, endpoint=None, clock=None)",
    "fc": "from crossport.adapters.fc import FunctionCompute as C; C(region='x', endpoint=None, credentials=print)",
    "mns": "from crossport.adapters.mns import MnsQueue; MnsQueue(endpoint='https://x', credentials=print)",
}


@pytest.mark.parametrize("name", WIRE)
def test_an_adapter_that_is_not_called_imports_no_sdk(name: str) -> None:
    code = f"import sys; {WIRE[name]}; print(*sorted(set({SDKS!r}) & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
