"""The ways in which an answer may be written."""

from __future__ import annotations

from typing import Any

import pytest

from inspector.lab.kinds.areas import read_area
from inspector.lab.kinds.book import OverlayLoads, ReplacementTable
from inspector.lab.kinds.faults import FaultSequence, IllegalAccess
from inspector.lab.kinds.files import read_verdict
from inspector.lab.kinds.loader import Loader
from inspector.lab.kinds.memory import ResidentPages, read_bytes
from inspector.lab.table import BadAnswer, read_address, read_number

ASKED: dict[str, Any] = {"id": "q", "ask": "?", "points": 1}


@pytest.mark.parametrize("text", ["0x8048000", "134512640", "08048000", "0X08048000", " 0x0804_8000 "])
def test_one_address_in_many_forms(text: str) -> None:
    assert read_address(text) == 0x8048000


def test_eight_digits_are_those_of_maps_and_others_decimal() -> None:
    assert read_address("16777216") == 0x16777216
    assert read_address("4096") == 4096
    assert read_address("fffdd000") == 0xFFFDD000
    assert read_number("16777216") == 1 << 24


@pytest.mark.parametrize(
    "text", ["", "x", "0x", "1.5", "-1", "0x" + "f" * 17, "9" * 5000, "٣", "1e3", "0b1", "0x-1"]
)
def test_what_is_no_number_is_said(text: str) -> None:
    with pytest.raises(BadAnswer):
        read_number(text)


@pytest.mark.parametrize(
    "line",
    [
        "0804c000-0804e000 rw-p 00003000 08:02 412489                     /home/me/prog",
        "0804c000-0804e000 rw-p 00003000 prog",
        "0x804c000-0x804e000 rw-p 0x3000 ./prog",
        "804c000 - 804e000 rw-p 3000 00:01 99 /memfd:launcher (deleted)",
    ],
)
def test_one_area_in_many_forms(line: str) -> None:
    assert read_area(line) == (0x804C000, 0x804E000, "rw-p", 0x3000, "prog")


def test_areas_without_a_file() -> None:
    assert read_area("0804e000-08050000 rw-p 00000000 00:00 0")[-1] == ""
    assert read_area("0804e000-08050000 rw-p")[3:] == (0, "")
    assert read_area("fffdd000-ffffe000 rw-p 00000000 00:00 0   [stack]")[-1] == "[stack]"
    for bad in ("", "0804e000 rw-p", "0804e000-08050000 rw", "0804e000-08050000 rwxpp"):
        with pytest.raises(BadAnswer):
            read_area(bad)


def test_faults_name_a_page_by_any_address_in_it() -> None:
    question = FaultSequence(**ASKED)
    assert question.line("0x8049fff write") == question.line("08049000,  W") == (0x8049000, "write")
    assert question.line("0x8049000 x")[1] == "execute"
    for bad in ("0x8049000", "write 0x8049000", "0x8049000 touch", "0x8049000 write now"):
        with pytest.raises(BadAnswer):
            question.line(bad)


def test_pages_come_alone_or_in_ranges_and_count_once() -> None:
    rows = ResidentPages(**ASKED).read_lines("0x8049000-0x804b000\n0x804a123 # again\n\n").rows
    assert [row.cells for row in rows] == [(0x8049000,), (0x804A000,)]
    unread = ResidentPages(**ASKED).read_lines("0x804b000-0x8049000\n0-0xffffffff\n1-2-3").unread
    assert len(unread) == 3


@pytest.mark.parametrize(
    ("text", "size"),
    [("8192", 8192), ("0x2000", 8192), ("8 KiB", 8192), ("8k", 8192), ("4 MiB", 4 << 20), ("0x2b", 43)],
)
def test_sizes(text: str, size: int) -> None:
    assert read_bytes(text) == size


def test_verdicts_signals_and_steps() -> None:
    assert read_verdict("refused: enoexec") == read_verdict("ENOEXEC") == "ENOEXEC"
    assert read_verdict("killed: SIGSEGV") == "SIGSEGV"
    assert read_verdict("Runs") == "runs"
    ending = IllegalAccess(**ASKED)
    assert ending.line("SEGV_ACCERR") == ending.line("2") == ending.line("0x2") == (2,)
    assert ending.line("sigsegv") == ("SIGSEGV",)
    steps = ReplacementTable(**ASKED, policy="fifo", frames=3)
    assert (
        steps.line("fault 3")
        == steps.line("Fault, page 3 leaves")
        == steps.line("miss 0x3")
        == (("fault", 3),)
    )
    assert steps.line("hit") == (("hit",),)
    loads = OverlayLoads(**ASKED)
    assert loads.line("A, C") == (("A", "C"),)
    assert loads.line("none") == loads.line("hit") == ((),)
    for read, bad in (
        (read_verdict, "perhaps"),
        (ending.line, "SIGFOO"),
        (steps.line, "hit 3"),
        (steps.line, ""),
    ):
        with pytest.raises(BadAnswer):
            read(bad)


def test_a_loader_may_print_maps_a_verdict_or_json() -> None:
    question = Loader(**ASKED)
    maps = (
        "08048000-08049000 r-xp 00000000 00:01 5 /x\nf7ffc000-f7ffe000 r-xp 00000000 00:00 0 [vdso]\nwhat?\n"
    )
    answer = question.read_output("f", maps)
    assert [row.cells for row in answer.rows] == [(0x8048000, 0x8049000, "r-xp", 0, "prog")]
    assert [each.key for each in answer.unread] == ["f: line 3"]
    as_json = '{"vmas": [{"start": "0x8048000", "end": 134516736, "perms": "r-xp", "name": "/x"}]}'
    assert question.read_output("f", as_json).rows[0].cells == answer.rows[0].cells
    predicted = f'{{"verdict": {{"outcome": "runs", "errno": null}}, "snapshots": [{as_json}]}}'
    assert question.read_output("f", predicted).rows[0].cells == answer.rows[0].cells
    for refused in ("refused: ENOEXEC\n", '{"verdict": "ENOEXEC"}', '{"verdict": {"errno": "ENOEXEC"}}'):
        assert question.read_output("f", refused).rows[0].cells[0] == "ENOEXEC"
    for bad in ("{", "{}", '{"vmas": [1]}', '{"vmas": [{}]}', "{" * 100_000, '{"vmas": [{"start": true}]}'):
        assert not question.read_output("f", bad).rows
