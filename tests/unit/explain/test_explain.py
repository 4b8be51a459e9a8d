"""One address through every view, of a program of a few instructions."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inspector.elf.symbols import resolve_stop
from inspector.errors import UnknownSymbol, UsageError
from inspector.explain.document import explanation_json
from inspector.explain.find import explain
from inspector.explain.reasons import stack_floor
from inspector.explain.subject import address_asked_for, file_address
from inspector.explain.tell import tell, title_of
from inspector.model.address import AddressRange, VirtAddr
from inspector.model.fault import FaultKind
from inspector.model.finding import Verdict
from inspector.model.prediction import NotModelledAt
from inspector.model.program import Limits
from inspector.model.vma import Access, Anonymous, Sharing, Vma
from inspector.observe.tiny_elf import Assembler, Segment, link
from inspector.report.explain import explanation_document
from inspector.report.terminal import Style, render
from inspector.rules import RULES
from inspector.story.evidence import Evidence, read_files
from tests.elfwriter import symbol_table_file
from tests.unit.story.told import BASE, DATA, observed, predicted, touching

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.explain import Explanation
    from inspector.story import Step


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    prediction = predicted(tmp_path, touching())
    return Evidence(prediction, observed(prediction), read_files(prediction.program))


def at(evidence: Evidence, address: int) -> Explanation:
    return explain(evidence, hex(address), VirtAddr(address))


def told(found: Explanation, title: str) -> dict[str, str]:
    """Return what a step tells, by label; the last of those with one label."""
    return {each.label: each.text for each in step(found, title).told}


def step(found: Explanation, title: str) -> Step:
    return next(each for each in tell(found) if each.title.startswith(title))


def test_a_byte_of_the_file_is_followed_to_its_page(evidence: Evidence) -> None:
    found = at(evidence, DATA + 0x123)
    assert found.place is not None
    assert found.place.segment is not None
    assert (found.place.offset, found.place.segment[0]) == (0x123, 1)
    assert found.rules[0] == "vma.segment-file"
    kinds = [each.fault.kind for each in found.faults]
    assert kinds == [FaultKind.FILE_READ, FaultKind.COPY_ON_WRITE]
    assert found.mapped_by == found.faults[0]
    assert found.entry is not None
    assert found.entry.writable
    assert told(found, "In the address space")["in the file"].endswith("= byte 0x123, page 0")
    assert told(found, "The page")["then"].startswith("by page fault")


def test_the_way_through_the_tables_is_that_of_the_bits(evidence: Evidence) -> None:
    found = at(evidence, DATA + 0x123)
    assert [str(each) for each in found.way] == ["PGD[0]", "PUD[0]", "PMD[64]", f"PTE[{DATA >> 12 & 0x1FF}]"]


def test_what_was_added_to_the_file_s_address_is_told(evidence: Evidence) -> None:
    found = at(evidence, DATA + 0x123)
    assert "load bias" not in told(found, "In the file")
    moved = replace(found, address=VirtAddr(found.address + 0x10000))
    assert told(moved, "In the file")["load bias"] == "0x8060123 - 0x10000 = 0x8050123, as linked"


def test_the_tail_of_the_file_s_last_page_is_cleared(evidence: Evidence) -> None:
    found = at(evidence, DATA + 0x1900)
    assert "elf.padzero" in found.rules
    assert "behind p_filesz: cleared, for it is .bss" in told(found, "In the file")["in the file"]
    assert found.stops[0].predicted_page is not None


def test_zeros_behind_the_file_have_no_byte_in_it(evidence: Evidence) -> None:
    found = at(evidence, DATA + 0x2010)
    assert found.place is not None
    assert found.place.offset is None
    assert found.rules[0] == "vma.segment-bss"
    assert [each.fault.kind for each in found.faults] == [FaultKind.ANONYMOUS]
    assert found.stops[0].predicted_page is None


def test_a_page_that_came_with_another_says_with_which(tmp_path: Path) -> None:
    assembler = Assembler(BASE)
    assembler.read_byte(DATA + 0x123)
    assembler.exit(0)
    data = Segment(DATA, memsz=0x3000, filesz=0x3000, offset=0)
    image = link(assembler, entry=assembler.start, segments=(data,)).ljust(0x3000, b"\0")
    prediction = predicted(tmp_path, image)
    found = at(Evidence(prediction, None, read_files(prediction.program)), DATA + 0x1123)
    assert found.faults == ()
    assert found.mapped_by is not None
    assert found.mapped_by.fault.address == DATA + 0x123
    assert told(found, "The page")["made resident"].startswith("with another page, by page fault")


def test_a_page_of_strings_is_there_without_a_fault(evidence: Evidence) -> None:
    top = evidence.prediction.snapshots[0].vmas or ()
    found = at(evidence, top[-1].end - 8)
    assert found.mapped_by is None
    assert "fault.argument-pages" in told(found, "The page")["made resident"]
    assert found.entry is None


def test_who_may_touch_it_follows_from_area_and_entry(evidence: Evidence) -> None:
    code = told(at(evidence, BASE), "Who may touch it")
    assert (code["write"], code["execute"]) == ("no: SIGSEGV, si_code 2 (SEGV_ACCERR)", "yes, at once")
    data = told(at(evidence, DATA + 0x123), "Who may touch it")
    assert (data["write"], data["execute"]) == ("yes, at once", "no: SIGSEGV, si_code 2 (SEGV_ACCERR)")
    stack = (evidence.prediction.snapshots[0].vmas or ())[-1]
    untouched = told(at(evidence, stack.start), "Who may touch it")
    assert untouched["write"] == "yes, with a page fault first"


def test_a_debugger_reaches_what_has_a_struct_page(evidence: Evidence) -> None:
    areas = {area.name: area for area in evidence.prediction.snapshots[0].vmas or ()}
    vvar = told(at(evidence, areas["[vvar]"].start), "Who may touch it")
    assert vvar["a debugger"] == "may not even read it: the area is VM_IO"
    vdso = told(at(evidence, areas["[vdso]"].start), "Who may touch it")
    assert vdso["a debugger"] == "may read and write it whatever the permissions (FOLL_FORCE)"


@pytest.mark.parametrize(
    ("sharing", "access", "words"),
    [
        (Sharing.SHARED, Access.READ, "may read it; a shared page is written only where the area allows"),
        (Sharing.SHARED, Access.READ | Access.WRITE, "may read and write it, as everyone who maps it"),
    ],
)
def test_a_debugger_forces_no_write_on_shared_memory(
    evidence: Evidence, sharing: Sharing, access: Access, words: str
) -> None:
    found = at(evidence, DATA + 0x123)
    assert found.area is not None
    shared = replace(found, area=replace(found.area, sharing=sharing, access=access))
    assert told(shared, "Who may touch it")["a debugger"] == words


def test_what_lies_at_the_very_border_has_no_bytes_between(evidence: Evidence) -> None:
    stack = (evidence.prediction.snapshots[0].vmas or ())[-1]
    assert told(at(evidence, stack.end), "In no area")["next below"].endswith("[stack], ends right before it")


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        (0x10, "layout.null-page"),
        (0x20000000, "vma.gap"),
        (0xFFFFFFFF, "layout.kernel-space"),
    ],
)
def test_an_address_in_no_area_has_a_reason(evidence: Evidence, address: int, rule: str) -> None:
    found = at(evidence, address)
    assert found.area is None
    assert found.rules[0] == rule
    assert "SEGV_MAPERR" in told(found, "What happens")["the program"]
    assert title_of(found) == f"{address:#x}: in no area"


def test_the_nearest_areas_are_named(evidence: Evidence) -> None:
    found = at(evidence, DATA + 0x4000)
    assert told(found, "In no area")["next below"].endswith("ends 0x1000 bytes before")
    assert found.above is not None


def test_below_the_stack_a_touch_extends_it_as_far_as_its_limit_lets_it(evidence: Evidence) -> None:
    stack = (evidence.prediction.snapshots[0].vmas or ())[-1]
    floor = stack.end - evidence.prediction.program.limits.stack
    words = f"grows down to {floor:#x} at most: its limit is 0x800000 bytes (RLIMIT_STACK)"
    lowest = at(evidence, floor)
    assert lowest.stack_may_grow
    assert lowest.rules == ("fault.stack-growth",)
    assert told(lowest, "What happens")["the program"] == "a page fault, and the stack is extended down to it"
    assert told(lowest, "What happens")["the stack"] == words
    assert step(lowest, "What happens").text == "The page fault finds the stack above, which grows down."
    too_far = at(evidence, floor - 1)
    assert not too_far.stack_may_grow
    assert too_far.rules[:2] == ("vma.gap", "fault.stack-growth")
    assert told(too_far, "What happens")["the program"].startswith("SIGSEGV")
    assert told(too_far, "What happens")["the stack"] == words


def test_far_from_the_stack_nothing_is_said_of_it(evidence: Evidence) -> None:
    found = at(evidence, 0x20000000)
    assert "the stack" not in told(found, "What happens")
    assert found.rules == ("vma.gap", "fault.refused")


def test_the_stack_s_limit_counts_whole_pages(evidence: Evidence) -> None:
    stack = (evidence.prediction.snapshots[0].vmas or ())[-1]
    program = replace(evidence.prediction.program, limits=Limits(stack=0x40800))
    prediction = replace(evidence.prediction, program=program)
    assert stack_floor(prediction, None, stack) == stack.end - 0x40000


def test_the_guard_gap_keeps_the_stack_from_its_neighbour(evidence: Evidence) -> None:
    stack = (evidence.prediction.snapshots[0].vmas or ())[-1]
    gap = evidence.prediction.profile.stack_guard_gap
    end = VirtAddr(stack.start - 0x1000 - gap)
    below = Vma(AddressRange(VirtAddr(end - 0x1000), end), Access.READ, Sharing.PRIVATE, Anonymous())
    assert stack_floor(evidence.prediction, below, stack) == end + gap
    assert stack_floor(evidence.prediction, replace(below, access=Access.NONE), stack) == end
    found = replace(at(evidence, stack.start - 0x1000), below=below, stack_floor=VirtAddr(end + gap))
    assert told(found, "What happens")["the stack"].endswith("it keeps the guard gap to the next area below")


def test_every_rule_is_in_the_catalogue_and_every_value_agrees(evidence: Evidence) -> None:
    for vma in evidence.prediction.snapshots[-1].vmas or ():
        for address in (vma.start, vma.end - 1, vma.end):
            steps = tell(at(evidence, min(address, 0xFFFFFFFF)))
            assert {rule for each in steps for rule in each.rules} <= RULES.keys()
            assert {value.verdict for each in steps for value in each.values} == {Verdict.AGREES}


def test_an_area_that_was_observed_otherwise_differs(evidence: Evidence) -> None:
    assert evidence.observation is not None
    first = evidence.observation.snapshots[0]
    gone = replace(first, vmas=tuple(vma for vma in first.vmas or () if DATA not in vma.range))
    seen = replace(evidence.observation, snapshots=(gone, *evidence.observation.snapshots[1:]))
    values = step(at(replace(evidence, observation=seen), DATA), "In the address space").values
    assert values[0].verdict is Verdict.DIFFERS


def test_a_page_that_may_be_there_otherwise_is_no_difference(evidence: Evidence) -> None:
    assert evidence.observation is not None
    last = evidence.observation.snapshots[-1]
    without = replace(last, pages=tuple(page for page in last.pages or () if page.vpn != DATA >> 12))
    seen = replace(evidence.observation, snapshots=(*evidence.observation.snapshots[:-1], without))
    for rule, verdict in ((None, Verdict.DIFFERS), ("fault.page-cache", Verdict.EXPLAINED)):
        found = at(replace(evidence, observation=seen, fault_rule=rule), DATA)
        assert step(found, "The page").values[-1].verdict is verdict


def test_where_the_prediction_ends_is_said(evidence: Evidence) -> None:
    limit = replace(evidence.prediction, ending=None, not_modelled=NotModelledAt("AVX", 0x08049000))
    found = at(replace(evidence, prediction=limit), DATA)
    assert found.not_modelled == "AVX"
    text = "\n".join(render(explanation_document(found, tell(found)), Style()))
    assert "?  ends here  not modelled: AVX" in text


def test_json_says_the_same(evidence: Evidence) -> None:
    found = at(evidence, DATA + 0x123)
    document = json.loads(explanation_json(found, tell(found)))
    assert document["schema"] == "inspector.explanation/1"
    assert (document["address"], document["page"]) == (hex(DATA + 0x123), hex(DATA >> 12))
    assert document["file"]["offset"] == "0x123"
    assert document["stops"][0]["predicted"]["area"]["perms"] == "rw-p"
    assert [each["kind"] for each in document["faults"]] == ["file read", "copy on write"]
    assert document["mapped_by"] == document["faults"][0]["number"]
    assert document["entry"] == ["present", "user", "writable", "no-execute"]


def test_addresses_are_written_with_0x_or_in_decimal() -> None:
    assert address_asked_for("0x8048000") == address_asked_for("134512640") == 0x8048000
    assert address_asked_for("main") is None
    with pytest.raises(UsageError, match="no address of an i386 program"):
        address_asked_for("0x100000000")


def test_a_file_without_names_says_why(tmp_path: Path) -> None:
    source = tmp_path / "a.c"
    source.write_text("int main(void) {}")
    wide = tmp_path / "wide"
    wide.write_bytes(b"\x7fELF\2" + bytes(60))
    stripped = symbol_table_file(tmp_path, {})
    for path, why, advice in (
        (str(tmp_path), "is a directory", "the path of a program"),
        (str(source), "is not an ELF file", "the path of a program"),
        (str(wide), "is not a 32-bit ELF file", "an address"),
        (str(tmp_path / "gone"), "cannot be read: No such file or directory", "the path of a program"),
        (stripped, "has no symbols at all", "an address"),
    ):
        with pytest.raises(UnknownSymbol, match=f"^x {why}$") as caught:
            file_address(path, "main", "x")
        assert advice in caught.value.help
    with pytest.raises(UnknownSymbol, match=r"has no symbols at all$"):
        resolve_stop(stripped, "main")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("08049000", 0x8049000),
        ("080ED2B8", 0x80ED2B8),
        ("f7ffc000", 0xF7FFC000),
        ("12345678", 0x12345678),
        ("0", 0),
        ("010", 0x10),
        ("134512640", 0x8048000),
        ("4096", 4096),
    ],
)
def test_an_address_may_be_written_as_maps_prints_it(text: str, address: int, tmp_path: Path) -> None:
    assert address_asked_for(text) == resolve_stop(symbol_table_file(tmp_path, {}), text) == address


@pytest.mark.parametrize(
    "text", ["main", "abc", "f7ffc00", "-1", "0x", "1_000", " 12", "\N{ARABIC-INDIC DIGIT ONE}"]
)
def test_a_word_that_is_no_address_is_a_symbol(text: str) -> None:
    assert address_asked_for(text) is None


def test_a_symbol_may_have_an_offset(tmp_path: Path) -> None:
    path = symbol_table_file(tmp_path, {"table": 0x8050000, "table_end": 0x8051000})
    assert file_address(path, "table") == 0x8050000
    assert file_address(path, "table+0x20") == 0x8050020


def test_an_unknown_symbol_is_one_line_with_near_names(tmp_path: Path) -> None:
    path = symbol_table_file(tmp_path, {"table": 0x8050000, "main": 0x8051000})
    with pytest.raises(UnknownSymbol, match="fixture has no symbol 'tabel'") as caught:
        file_address(path, "tabel", "fixture")
    assert caught.value.help == "did you mean table?"
    with pytest.raises(UnknownSymbol) as caught:
        file_address(path, "zzz")
    assert "nm PROGRAM" in caught.value.help
