from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from inspector.cli.listing import Listed, listed_programs
from inspector.cli.options import Launching
from inspector.errors import UsageError
from inspector.model.program import Layout

if TYPE_CHECKING:
    from pathlib import Path

HOW = Launching(("last",), ("A=1",), "/dev/null", Layout.DEFAULT, randomize=False, in_place=False)


def listed(tmp_path: Path, text: str) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    return [
        (each.requested, each.launching.environment, each.launching.arguments)
        for each in listed_in(tmp_path, text)
    ]


def listed_in(tmp_path: Path, text: str) -> list[Listed]:
    file = tmp_path / "list"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    return listed_programs(str(file), HOW)


def test_a_line_is_what_a_shell_would_be_given(tmp_path: Path) -> None:
    text = "# none\n\n./a\nEMPTY= 'B=two  words' /b '' x=y \"q'\" # comment\n./c=d caf\udce9\n"
    assert listed(tmp_path, text) == [
        ("./a", ("A=1",), ("last",)),
        ("/b", ("A=1", "EMPTY=", "B=two  words"), ("last", "", "x=y", "q'")),
        ("./c=d", ("A=1",), ("last", "caf\udce9")),
    ]


def test_a_line_may_begin_with_stops_of_its_own(tmp_path: Path) -> None:
    first, second = listed_in(tmp_path, "--stop f --stop 'syscall:brk#2' A=b ./a --stop g\n./b\n")
    assert (first.requested, first.stops) == ("./a", ("f", "syscall:brk#2"))
    assert first.launching.arguments == ("last", "--stop", "g")
    assert second.stops == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "list lists no program"),
        ("# only a comment\n", "list lists no program"),
        ("./a\n./b 'open\n", "list:2: no closing quotation"),
        ("A=1 B=2\n", "list:1: there is no program"),
        ("--stop main\n", "list:1: there is no program"),
        ("--stop main --stop\n", r"list:1: --stop where\?"),
    ],
)
def test_what_is_no_list_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        listed(tmp_path, text)
    assert caught.value.help


@pytest.mark.parametrize("path", ["/nonexistent", "/", "a\0b"])
def test_a_list_that_cannot_be_read_is_one_line(path: str) -> None:
    with pytest.raises(UsageError) as caught:
        listed_programs(path, HOW)
    assert caught.value.help == "give --list a readable file"


def test_a_fifo_is_no_list_and_its_writer_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UsageError, match=r"--list .*/fifo: not a regular file"):
        listed_programs(str(tmp_path / "fifo"), HOW)
