"""`inspector.predict(...)` works whatever has been imported before."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "before", ["pass", "import inspector.predict.kernel.exec", "from inspector import predict"]
)
def test_a_verb_can_be_called(before: str) -> None:
    script = f"{before}\nimport inspector\ntry: inspector.predict()\nexcept TypeError as error: print(error)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "predict() missing 2 required positional arguments: 'program' and 'profile'\n"


def test_no_other_name_is_invented() -> None:
    import inspector

    with pytest.raises(AttributeError, match="no attribute 'prophesy'"):
        inspector.prophesy  # noqa: B018
