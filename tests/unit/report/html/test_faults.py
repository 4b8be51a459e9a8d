from __future__ import annotations

import json
from dataclasses import replace

from inspector.model.address import Pfn, VirtAddr, Vpn
from inspector.model.fault import FaultKind
from inspector.model.page import PageKind, PageState
from inspector.report.document import Mark
from inspector.report.html.faults import Timeline, timeline_of
from tests.golden.report import hello, scenes
from tests.unit.report.html.test_columns import read


def timeline(most: int = 1000) -> Timeline:
    both = scenes.faulting()
    found = timeline_of(both.prediction, both.observation, both.findings, most)
    assert found is not None
    return found


def numbers(made: Timeline, name: str) -> list[int]:
    return read(made.data["columns"][name])


def test_a_fault_is_a_number_in_each_column() -> None:
    made = timeline()
    faults = made.faults
    assert numbers(made, "page") == [fault.address >> 12 for fault in faults]
    assert numbers(made, "offset") == [fault.address & 0xFFF for fault in faults]
    assert numbers(made, "process") == [fault.process for fault in faults]
    assert numbers(made, "present") == [int(bool(fault.protection)) for fault in faults]
    kinds = [made.data["kinds"][number - 1]["name"] for number in numbers(made, "kind")]
    assert kinds == [fault.kind.value for fault in faults if fault.kind is not None]
    assert numbers(made, "before")[1] == 0
    assert numbers(made, "count")[1] == 15


def test_a_fault_that_is_refused_writes_no_entry() -> None:
    made = timeline()
    refused = [fault.kind is FaultKind.REFUSED for fault in made.faults]
    assert [entry == 0 for entry in numbers(made, "entry")] == refused


def test_a_table_is_new_to_the_first_page_under_it_and_to_no_other() -> None:
    # Levels PGD, PUD, PMD, PTE: bit n is the table of depth n. The strings need those of the stack's end.
    made = timeline()
    assert numbers(made, "tables") == [0b1100, 0, 0, 0, 0, 0, 0, 0]


def test_what_is_left_out_is_said_in_numbers() -> None:
    assert timeline().left_out == ""
    made = timeline(5)
    assert (made.data["count"], made.total) == (5, 8)
    assert made.left_out == (
        "These are the first 5 of 8 faults. The other 3 faults are left out; --json FILE writes them all."
    )


def test_a_frame_is_told_only_where_the_fault_is_the_last_on_its_page() -> None:
    both = scenes.faulting()
    pages = (
        PageState(Vpn(0x08049), PageKind.FILE, Pfn(0x111)),
        PageState(Vpn(0x080EE), PageKind.ANONYMOUS, Pfn(0x222)),
    )
    exit_ = replace(hello.MAIN, checkpoint="exit", pages=pages)
    observation = replace(both.observation, snapshots=(*both.observation.snapshots, exit_))
    made = timeline_of(both.prediction, observation, both.findings)
    assert made is not None
    # 080ee000 is read first (the zero page) and then written: only the second is what is there at exit.
    assert numbers(made, "frame")[:4] == [0, 0x111, 0, 0x222]
    assert made.data["frameSeenAt"] == "exit"


def test_a_page_of_another_kind_by_the_end_tells_no_frame() -> None:
    both = scenes.faulting()
    exit_ = replace(
        hello.MAIN, checkpoint="exit", pages=(PageState(Vpn(0x08049), PageKind.ANONYMOUS, Pfn(7)),)
    )
    observation = replace(both.observation, snapshots=(exit_,))
    made = timeline_of(both.prediction, observation, both.findings)
    assert made is not None
    assert not any(numbers(made, "frame"))


def test_a_fault_that_differs_carries_what_was_seen() -> None:
    both = scenes.faulting_otherwise()
    made = timeline_of(both.prediction, both.observation, [f for f in both.findings if f.checkpoint == "run"])
    assert made is not None
    marks = [(None, *Mark)[number] for number in numbers(made, "mark")]
    assert marks[:5] == [Mark.GOOD, Mark.GOOD, Mark.GOOD, Mark.BAD, Mark.BAD]
    assert made.data["findings"][3]["observed"].startswith("user write 0x80ee000 by")
    assert made.data["findings"][4]["observed"] == "no fault"


def test_the_function_of_an_instruction_is_named() -> None:
    fault, other = hello.FAULTS[3], replace(hello.FAULTS[3], ip=VirtAddr(0x1234))
    prediction = replace(hello.PREDICTION, faults=(fault, other, hello.FAULTS[1], hello.FAULTS[0]))
    made = timeline_of(prediction, None, (), function_at=lambda ip: "touch\n+0x3" if ip == fault.ip else "")
    assert made is not None
    # What the fault tells itself comes first; of the kernel's instruction nothing is told.
    assert made.data["symbols"] == ["touch\\n+0x3", "_start"]
    assert numbers(made, "symbol") == [1, 0, 2, 0]


def test_addresses_of_64_bits_are_exact() -> None:
    high = replace(hello.FAULTS[5], address=VirtAddr(0xFFFF_FFFF_FF60_0123))
    made = timeline_of(replace(hello.PREDICTION, faults=(high,)), None, ())
    assert made is not None
    assert (numbers(made, "page"), numbers(made, "offset")) == ([0xFFFF_FFFF_FF600], [0x123])


def test_without_faults_there_is_no_timeline() -> None:
    assert timeline_of(hello.PREDICTION, None, ()) is None
    assert timeline_of(replace(hello.PREDICTION, faults=()), hello.OBSERVATION, ()) is None


def test_fifty_thousand_faults_take_fifty_bytes_each() -> None:
    faults = tuple(replace(hello.FAULTS[2], address=VirtAddr(0x10000000 + (n << 12))) for n in range(50_000))
    prediction = replace(hello.PREDICTION, faults=faults)
    made = timeline_of(prediction, None, ())
    assert made is not None
    assert len(json.dumps(made.data)) < 50 * len(faults)
