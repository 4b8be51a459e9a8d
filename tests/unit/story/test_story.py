"""The story as data: what is told, what is held against what, and where it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inspector.elf.header import ElfHeader
from inspector.model.address import AddressRange, FileOffset, VirtAddr
from inspector.model.ending import Ending
from inspector.model.fault import FaultKind
from inspector.model.fault_trace import FaultSource
from inspector.model.finding import Verdict
from inspector.model.program import Layout
from inspector.model.vma import FileBacking
from inspector.report.story import story_documents
from inspector.report.terminal import Style, render
from inspector.report.text import display_width
from inspector.rules import RULES
from inspector.story.document import story_json
from inspector.story.faults import WORDS_OF_KINDS
from tests.elfwriter import Elf, Phdr
from tests.machines import I386, PROFILE
from tests.unit.layout.sectioned import ALLOC, PROGBITS, sectioned
from tests.unit.story.told import BASE, DATA, observed, predicted, step, story_of, told, touching, values

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction
    from inspector.story import Story


@pytest.fixture
def prediction(tmp_path: Path) -> Prediction:
    return predicted(tmp_path, touching())


def titles(story: Story) -> list[str]:
    return [each.title.partition(":")[0] for each in story.steps]


def notes(story: Story) -> list[str]:
    return [note.texts for each in story.steps for note in each.notes]


def test_the_steps_are_in_the_kernels_order(prediction: Prediction) -> None:
    assert titles(story_of(prediction)) == [
        "fork",
        "execve",
        "The first 256 bytes, and the magic number",
        "The search for a handler",
        "The program headers",
        "A new address space",
        "The stack's area",
        "Program header 00",
        "Program header 01",
        "The kernel's own pages",
        "The initial stack",
        "The heap",
        "The first instruction",
        "Page fault 1",
        "Page fault 2",
        "Page fault 3",
        "Page fault 4",
        "And so on",
    ]


def test_a_segment_is_worked_out_before_the_readers_eyes(prediction: Prediction) -> None:
    mapped = step(story_of(prediction), "Program header 01")
    assert told(mapped) == {
        "from": "p_vaddr 0x8050000, rounded down: 0x8050000",
        "file pages": "to 0x8050000 + p_filesz 0x1800, rounded up: 0x8052000, 2 pages",
        "file offset": "p_offset 0x0 - 0x0 = 0x0",
        "cleared": "0x8051800-0x8052000, the rest of the last file page: a write, so a page fault",
        "zeros behind": "0x8052000-0x8053000, anonymous, 1 page",
        "sections": "none; the file's headers alone",
    }
    assert [(each.label, each.predicted) for each in mapped.values] == [
        ("area", "08050000-08052000 rw-p"),
        ("its file offset", "0x0"),
        ("area", "08052000-08053000 rw-p"),
        ("page 0x8051000", "anonymous"),
    ]


def test_a_fault_is_followed_to_its_place_in_the_file_and_to_its_entry(prediction: Prediction) -> None:
    """The first instruction's page; PMD 64 and PTE 72 are bits 21-29 and 12-20 of 0x8048000."""
    fault = step(story_of(prediction), "Page fault 1")
    assert fault.title == f"Page fault 1: execute at {BASE + 0x100:#x}"
    assert told(fault)["in the file"] == "0x8048100 - 0x8048000 + 0x0 = byte 0x100"
    assert told(fault)["its page"] == "bytes 0x0-0x1000"
    assert told(fault)["table entry"] == "PGD[0] > PUD[0] > PMD[64] > PTE[72]"
    assert told(fault)["it says"] == "present, user, read-only"
    assert fault.rules == ("fault.around",)


def test_a_page_that_is_read_and_then_written_is_told_twice(prediction: Prediction) -> None:
    story = story_of(prediction)
    read, written, zeros = (step(story, f"Page fault {number}") for number in (2, 3, 4))
    assert values(read)["the fault"] == "user, read, absent"
    assert told(read)["it says"] == "present, user, read-only, no-execute"
    assert values(written)["the fault"] == "user, write, present"
    assert told(written)["it says"] == "present, user, writable, no-execute"
    assert written.rules == ("fault.copy-on-write",)
    assert values(zeros)["page"] == f"{DATA + 0x2000:#x}"
    assert zeros.rules == ("fault.anonymous",)


def test_execves_own_faults_are_not_the_programs(prediction: Prediction) -> None:
    """The tail of the data is cleared by the kernel: that fault is the first of all, and told of as such."""
    assert prediction.faults is not None
    assert prediction.faults[0].page == DATA + 0x1000
    end = step(story_of(prediction), "And so on")
    assert "1 fault came before the first instruction" in end.text
    assert values(end) == {"ending": "exit 7", "page faults in all": "5"}


@pytest.mark.parametrize(
    ("number", "shown", "more"),
    [(0, 0, "4 more faults follow"), (3, 3, "1 more fault follows"), (9, 4, None)],
)
def test_as_many_faults_are_told_as_are_asked_for(
    number: int, shown: int, more: str | None, prediction: Prediction
) -> None:
    story = story_of(prediction, faults=number)
    assert sum(title.startswith("Page fault") for title in titles(story)) == shown
    assert (more or "tried again") in step(story, "And so on").text
    assert more is not None or "follow" not in step(story, "And so on").text


def test_what_agrees_agrees_in_every_step(prediction: Prediction) -> None:
    story = story_of(prediction, observed(prediction))
    verdicts = [(value.label, value.verdict) for each in story.steps for value in each.values]
    assert len(verdicts) > 40
    assert [label for label, verdict in verdicts if verdict is not Verdict.AGREES] == []
    assert (story.differs, story.ends, story.is_whole) == (False, None, True)


def _with_exec(observation: Observation, **fields: object) -> Observation:
    first, *rest = observation.snapshots
    return replace(observation, snapshots=(replace(first, **fields), *rest))  # type: ignore[arg-type]


def _moved(observation: Observation) -> Observation:
    vmas = observation.snapshots[0].vmas or ()
    wider = replace(vmas[0], range=AddressRange(vmas[0].start, VirtAddr(vmas[0].end + 0x1000)))
    return _with_exec(observation, vmas=(wider, *vmas[1:]))


def _other_offset(observation: Observation) -> Observation:
    first, *rest = observation.snapshots[0].vmas or ()
    assert isinstance(first.backing, FileBacking)
    return _with_exec(
        observation, vmas=(replace(first, backing=replace(first.backing, offset=FileOffset(0x1000))), *rest)
    )


def _other_fault(observation: Observation) -> Observation:
    faults = list(observation.faults or ())
    faults[2] = replace(faults[2], address=VirtAddr(faults[2].address + 0x1000))
    return replace(observation, faults=tuple(faults))


@pytest.mark.parametrize(
    ("change", "title", "label"),
    [
        (_moved, "Program header 00", "area"),
        (_other_offset, "Program header 00", "its file offset"),
        (lambda seen: _with_exec(seen, brk=VirtAddr(0x1000)), "The heap", "heap starts at"),
        (lambda seen: _with_exec(seen, page_table_bytes=4096), "The first instruction", "page tables"),
        (
            lambda seen: _with_exec(seen, registers=replace(seen.snapshots[0].registers, edx=0x8049000)),
            "The first instruction",
            "edx",
        ),
        (
            lambda seen: _with_exec(seen, registers=replace(seen.snapshots[0].registers, esi=1)),
            "The first instruction",
            "the other registers",
        ),
        (_other_fault, "Page fault 2", "page"),
        (lambda seen: replace(seen, ending=Ending(status=8)), "And so on", "ending"),
        (lambda seen: replace(seen, faults=seen.faults[:-1]), "And so on", "page faults in all"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_differs_is_seen_where_it_is_told(
    change: Callable[[Observation], Observation], title: str, label: str, prediction: Prediction
) -> None:
    story = story_of(prediction, change(observed(prediction)))
    assert story.differs
    wrong = [value.label for value in step(story, title).values if value.verdict is Verdict.DIFFERS]
    assert label in wrong


def test_an_area_that_no_stop_shows_is_not_observed(prediction: Prediction) -> None:
    """It may have been made, changed and gone between two of them."""
    seen = observed(prediction)
    none = tuple(replace(snapshot, vmas=snapshot.vmas and snapshot.vmas[1:]) for snapshot in seen.snapshots)
    fault = step(story_of(prediction, replace(seen, snapshots=none)), "Page fault 1")
    verdicts = {value.label: value.verdict for value in fault.values}
    assert verdicts["area"] is verdicts["page's file offset"] is Verdict.UNOBSERVED
    assert verdicts["page"] is Verdict.AGREES


def test_a_byte_of_the_stack_that_differs_is_counted(prediction: Prediction) -> None:
    seen = observed(prediction)
    stack = seen.snapshots[0].stack
    assert stack is not None
    broken = replace(stack, contents=stack.contents[:0x20] + b"\xff" + stack.contents[0x21:])
    story = story_of(prediction, _with_exec(seen, stack=broken))
    (value,) = [each for each in step(story, "The initial stack").values if each.label == "known beforehand"]
    assert (value.verdict, value.observed) == (Verdict.DIFFERS, "1 run of them differ")


def test_a_difference_by_a_rule_is_no_difference(prediction: Prediction) -> None:
    from inspector.story.evidence import Evidence, read_files
    from inspector.story.tell import tell

    seen = _other_fault(observed(prediction))
    evidence = Evidence(prediction, seen, read_files(prediction.program), "fault.page-cache")
    story = tell(evidence, faults=5, unobserved=None)
    assert not story.differs
    assert Verdict.EXPLAINED in {value.verdict for value in step(story, "Page fault 2").values}


def test_who_sees_no_kernel_faults_counts_the_programs_own(prediction: Prediction) -> None:
    seen = observed(prediction)
    own = tuple(
        replace(fault, access=None, protection=None) for fault in seen.faults or () if fault.ip is not None
    )
    story = story_of(prediction, replace(seen, faults=own, fault_source=FaultSource.SOFTWARE_USER.value))
    assert not story.differs
    assert {value.verdict for value in step(story, "Page fault 1").values} == {Verdict.AGREES}
    last = step(story, "And so on").values[-1]
    assert (last.label, last.verdict) == ("page faults in all", Verdict.UNOBSERVED)


def test_what_is_only_predicted_is_not_observed(prediction: Prediction) -> None:
    story = story_of(prediction)
    verdicts = {value.verdict for each in story.steps for value in each.values}
    assert (verdicts, story.differs, story.unobserved) == ({Verdict.UNOBSERVED}, False, "--predict-only")


def test_every_rule_that_is_named_is_in_the_catalogue(prediction: Prediction) -> None:
    story = story_of(prediction)
    named = {rule for each in story.steps for rule in each.rules}
    named |= {note.rule for each in story.steps for note in each.notes if note.rule is not None}
    assert len(named) > 12
    assert named <= RULES.keys()


def test_a_note_stands_where_this_kernel_differs_from_the_texts(
    prediction: Prediction, tmp_path: Path
) -> None:
    """Not where it does as they say: a 32-bit kernel's two levels, the 3 GB layout."""
    everywhere = [
        "128 bytes are read",
        "load_script loads ELF files",
        "the vdso lies below 0x08048000",
        "EDX holds the address of DT_FINI's function",
        "a frame is taken, and the page read into it from the disk",
    ]
    levels, three_gb = "a page directory and page tables: two levels", "a program has 3 GB, up to 0xc0000000"
    assert sorted(notes(story_of(prediction))) == sorted([*everywhere, levels, three_gb])
    texts = predicted(tmp_path, touching(), replace(PROFILE, page_tables=I386), Layout.THREE_GB)
    story = story_of(texts)
    assert sorted(notes(story)) == sorted(everywhere)
    assert told(step(story, "Page fault 1"))["table entry"] == "PD[32] > PT[72]"


def test_three_segments_are_more_than_the_texts_have(tmp_path: Path) -> None:
    phdrs = [Phdr(vaddr=BASE + (number << 16), flags=4 + number % 2) for number in range(3)]
    assert "two PT_LOAD, of code and of data" in notes(story_of(predicted(tmp_path, Elf(phdrs).build())))


def test_a_refused_file_ends_at_its_handler(tmp_path: Path) -> None:
    prediction = predicted(tmp_path, Elf(type=1).build())
    story = story_of(prediction, observed(prediction))
    assert titles(story)[-2:] == ["The search for a handler", "The story ends here"]
    assert told(step(story, "The search"))["load_elf_binary"].endswith("refuses it: -ENOEXEC")
    assert values(story.steps[-1]) == {"execve": "refused: ENOEXEC"}
    assert story.steps[-1].rules == ("elf.type",)
    assert (story.ends or "").startswith("refused: ENOEXEC, by rule elf.type")


def test_a_killed_program_ends_past_the_point_of_no_return(tmp_path: Path) -> None:
    story = story_of(predicted(tmp_path, Elf([Phdr(filesz=0x1000, memsz=0x800)]).build()))
    assert titles(story)[-2:] == ["A new address space", "The story ends here"]
    assert "the process is killed" in story.steps[-1].text
    assert story.steps[-1].rules == ("elf.segment-size",)


def test_a_file_that_is_not_there_is_not_read(tmp_path: Path) -> None:
    prediction = predicted(tmp_path, b"")
    (tmp_path / "program").unlink()
    from inspector.predict import predict

    story = story_of(predict(prediction.program, PROFILE))
    assert titles(story) == ["fork", "execve", "The story ends here"]
    assert story.steps[-1].rules == ("exec.path",)


def test_a_script_leads_to_its_interpreter(tmp_path: Path) -> None:
    (tmp_path / "interpreter").write_bytes(touching())
    (tmp_path / "interpreter").chmod(0o755)
    story = story_of(predicted(tmp_path, f"#!{tmp_path}/interpreter -x\n".encode()))
    assert titles(story)[2:7] == [
        "The first 256 bytes, and the magic number",
        "The search for a handler",
        "The first 256 bytes, and the magic number",
        "The search for a handler",
        "The program headers",
    ]
    line, asked = told(story.steps[2]), told(story.steps[3])
    assert (line["interpreter"], line["its argument"]) == (f"{tmp_path}/interpreter", "-x")
    assert asked["load_script"].startswith("takes it")
    assert "load_elf_binary" not in asked
    assert notes(story).count("128 bytes are read") == 1
    assert story.ends is None


def test_damaged_section_headers_are_no_concern_of_the_kernels(tmp_path: Path) -> None:
    image = sectioned([Phdr()], [(".text", PROGBITS, ALLOC, BASE + 0x100, 0x100, 0x10)])
    whole = story_of(predicted(tmp_path, image))
    assert told(step(whole, "Program header 00"))["sections"] == ".text"
    damaged = replace(ElfHeader.parse(image), shnum=99).pack() + image[52:]
    assert titles(story_of(predicted(tmp_path, damaged))) == titles(whole)


def test_two_thousand_segments_are_not_told_one_by_one(tmp_path: Path) -> None:
    phdrs = [Phdr(vaddr=BASE + (number << 12)) for number in range(100)]
    story = story_of(predicted(tmp_path, Elf(phdrs).build()))
    assert sum(title.startswith("Program header ") for title in titles(story)) == 24
    assert "76 PT_LOADs more" in step(story, "More of them").text


def test_the_document_has_every_step(prediction: Prediction) -> None:
    story = story_of(prediction, observed(prediction))
    document = json.loads(story_json(story))
    assert document["schema"] == "inspector.story/1"
    assert [each["title"] for each in document["steps"]] == [each.title for each in story.steps]
    eip = next(value for each in document["steps"] for value in each["values"] if value["label"] == "eip")
    assert eip == {
        "label": "eip",
        "predicted": "0x8048100",
        "observed": "0x8048100",
        "verdict": "agrees",
        "rule": None,
    }


@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("width", [72, 80, 132])
def test_no_line_is_wider_than_the_terminal(width: int, unicode: bool, prediction: Prediction) -> None:
    for story in (story_of(prediction), story_of(prediction, _moved(observed(prediction)))):
        for document in story_documents(story):
            for line in render(document, Style(width=width, unicode=unicode)):
                assert display_width(line) <= width
                assert unicode or line.isascii()


def test_every_kind_of_fault_has_its_words() -> None:
    assert set(WORDS_OF_KINDS) == set(FaultKind)
