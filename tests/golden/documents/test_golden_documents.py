"""Documents of a real run, and the schemas: a change of either shows in the diff.

The documents were written by a first version of each kind and must stay readable. What cannot be read any
more, or would be written otherwise, needs a new version number in its `schema`; `make golden` only writes
anew what is still understood.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from inspector.model import document

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
KINDS: tuple[document.Kind, ...] = get_args(document.Kind)


def written_anew(kind: document.Kind, data: bytes) -> bytes:
    match kind:
        case "prediction":
            return document.prediction_document(document.parse_prediction(data))
        case "observation":
            return document.observation_document(document.parse_observation(data))
        case "profile":
            return document.profile_document(document.parse_profile(data))
        case "check":
            check = document.parse_check(data)
            return document.check_document(
                check.prediction, check.observation, check.findings, check.exit_code
            )


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_is_read_and_written_the_same(
    kind: document.Kind, golden: Callable[[str, str], None]
) -> None:
    name = f"{kind}.json"
    golden(name, written_anew(kind, (HERE / name).read_bytes()).decode() + "\n")


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_stays(kind: document.Kind, golden: Callable[[str, str], None]) -> None:
    golden(f"{kind}.schema.json", json.dumps(document.schema(kind), indent=1) + "\n")
