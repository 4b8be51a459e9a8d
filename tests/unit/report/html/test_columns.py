from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.report.html.columns import Column, Numbering, column

FORMATS = {"u8": "B", "u16": "H", "u32": "I", "f64": "d"}


def read(written: Column) -> list[int]:
    """Read a column as a browser does: little-endian."""
    data = base64.b64decode(written["data"])
    letter = FORMATS[written["type"]]
    return [int(number) for (number,) in struct.iter_unpack(f"<{letter}", data)]


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [([], "u8"), ([0, 255], "u8"), ([256], "u16"), ([65536, 1], "u32"), ([1 << 32], "f64")],
)
def test_numbers_take_as_few_bytes_as_the_largest_needs(numbers: list[int], kind: str) -> None:
    assert column(numbers)["type"] == kind


@given(st.lists(st.integers(0, (1 << 53) - 1)))
def test_a_browser_reads_what_was_written(numbers: list[int]) -> None:
    assert read(column(numbers)) == numbers


def test_a_number_that_a_browser_would_round_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        column([1 << 53])


def test_equal_things_have_one_number() -> None:
    names: Numbering[str] = Numbering()
    assert [names.of(name) for name in ("a", "b", "a", "c")] == [0, 1, 0, 2]
    assert names.all() == ["a", "b", "c"]
