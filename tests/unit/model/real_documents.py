"""Documents of a real run, as they stand in tests/golden/documents."""

from __future__ import annotations

from pathlib import Path

DIRECTORY = Path(__file__).parents[2] / "golden" / "documents"


def _golden(kind: str) -> bytes:
    return (DIRECTORY / f"{kind}.json").read_bytes().rstrip()


PREDICTION = _golden("prediction")
OBSERVATION = _golden("observation")
PROFILE = _golden("profile")
CHECK = _golden("check")
