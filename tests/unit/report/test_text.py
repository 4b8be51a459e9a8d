from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.report.text import (
    counted,
    display_width,
    printable,
    short_size,
    shortened,
    size,
    wrapped,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/bin/plain", "/bin/plain"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\udcff\udc80", "\\xff\\x80"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x85", "\\x85"),
        ("é日本", "é日本"),
    ],
)
def test_what_a_terminal_would_act_on_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_printable_moves_a_cursor(text: str) -> None:
    assert not [letter for letter in printable(text) if letter < " " or "\x7f" <= letter <= "\x9f"]
    printable(text).encode("utf-8")


def test_width_counts_columns_not_letters() -> None:
    assert display_width("abc") == 3
    assert display_width("日本") == 4
    assert display_width("e\u0301") == 1


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (44, "/run/user/0/inspector-0/fc8bb5f18e05/hello"),
        (20, "/run/u…18e05/hello"),
        (14, "/run…05/hello"),
        (1, "…"),
    ],
)
def test_a_long_path_keeps_both_ends(width: int, shown: str) -> None:
    text = shortened("/run/user/0/inspector-0/fc8bb5f18e05/hello", width)
    assert display_width(text) <= width
    assert text[:2] == shown[:2]
    assert text[-4:] == shown[-4:]


@given(st.text(), st.integers(3, 40))
def test_shortened_text_fits(text: str, width: int) -> None:
    assert display_width(shortened(text, width)) <= width
    assert display_width(shortened(text, width, "...")) <= width


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"])), st.integers(1, 40))
def test_wrapping_loses_nothing_but_spaces(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(display_width(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_wrapping_breaks_at_words_and_keeps_runs_of_spaces_inside_a_line() -> None:
    assert wrapped("two  words and more", 12) == ["two  words", "and more"]
    assert wrapped("", 10) == [""]


def test_sizes_are_exact() -> None:
    assert [size(n) for n in (0, 1, 4096, 1028 << 10, 16 << 20, 3 << 30)] == [
        "0 B",
        "1 B",
        "4 KiB",
        "1028 KiB",
        "16 MiB",
        "3 GiB",
    ]
    assert [short_size(n) for n in (4096, 1028 << 10, 16 << 20)] == ["4K", "1028K", "16M"]
    assert [short_size(n) for n in (16396 << 10, 0xF7FF6000 - 0x8113000, 1 << 52)] == ["16.0M", "3.7G", "4P"]
    assert [short_size(n) for n in (0, 100, 10_001)] == ["0", "100", "9.8K"]


def test_nouns_are_counted() -> None:
    assert [counted(n, "page") for n in (0, 1, 2)] == ["0 pages", "1 page", "2 pages"]
