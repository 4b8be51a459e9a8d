"""Expected outputs as files beside the tests; `make golden` writes them anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-golden", action="store_true", help="write the expected outputs anew")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str | Path, str], None]:
    """Return what holds a text against the file of that name beside the test, or of that path."""
    # The option is known only where pytest was pointed at this directory.
    rewrite = bool(request.config.getoption("--rewrite-golden", default=False))

    def compare(name: str | Path, text: str) -> None:
        file = request.path.parent / name
        if rewrite:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert file.exists(), f"{file} is missing: run `make golden` and look at what it wrote"
        assert text == file.read_text(encoding="utf-8"), f"not as in {file}; `make golden` writes it anew"

    return compare
