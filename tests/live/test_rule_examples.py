"""Each question people ask leads to a rule, and its example shows what the rule says: run, and looked at."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.examples import EXAMPLES, QUESTIONS
from inspector.model.address import PAGE_SIZE
from inspector.model.document import parse_prediction
from inspector.model.fault import FaultKind
from inspector.model.page import PageKind
from inspector.model.vma import Access, FileBacking, Special
from inspector.rules import RULES
from inspector.view.areas import AreaKind, areas_of, bss_of, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inspector.model.prediction import Prediction
    from inspector.model.snapshot import Snapshot
    from inspector.model.vma import Vma

ROOT = Path(__file__).parents[2]
HELLO = "predict fixtures/build/hello"

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not (ROOT / "fixtures" / "build" / "hello").exists(), reason="fixtures not built"),
]


def run(command: str) -> subprocess.CompletedProcess[str]:
    verb, _, rest = command.partition(" ")
    line = f"{shlex.quote(sys.executable)} -m inspector {verb} {rest}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False, env=environment
    )


@cache
def predicted(command: str) -> Prediction:
    verb, _, rest = command.partition(" ")
    for word in rest.split(" -- ")[0].split():
        if word.startswith("fixtures/build/") and not (ROOT / word).exists():
            pytest.skip(f"this compiler does not build {word}")
    document = json.loads(run(f"{verb} --json - {rest}").stdout)
    return parse_prediction(json.dumps(document.get("prediction", document)).encode())


def at(prediction: Prediction, checkpoint: str) -> Snapshot:
    return next(each for each in prediction.snapshots if each.checkpoint == checkpoint)


def vmas(prediction: Prediction, checkpoint: str = "exec") -> tuple[Vma, ...]:
    found = at(prediction, checkpoint).vmas
    assert found
    return found


def own(prediction: Prediction, checkpoint: str = "exec") -> list[Vma]:
    """Return the areas of the program's own file."""
    return [vma for vma in vmas(prediction, checkpoint) if vma.name == prediction.program.path]


def kinds(prediction: Prediction, process: int = 0) -> list[FaultKind | None]:
    return [fault.kind for fault in prediction.faults or () if fault.process == process]


def stack_pages(prediction: Prediction) -> int:
    return vmas(prediction)[-1].range.size_bytes // PAGE_SIZE


def repeated(prediction: Prediction, first: FaultKind, second: FaultKind) -> bool:
    """Whether some page faulted by one kind, and then by another."""
    faults = [fault for fault in prediction.faults or () if fault.process == 0]
    pages = {fault.page for fault in faults if fault.kind is first}
    return any(fault.page in pages and fault.kind is second for fault in faults)


def a_page_of_the_file_is_in_two_areas(prediction: Prediction) -> bool:
    before, after = own(prediction)[:2]
    return after.offset < before.offset + before.range.size_bytes


def data_are_split(prediction: Prediction) -> bool:
    before = [vma.access for vma in own(prediction) if vma.start >= own(prediction)[-1].start]
    after = [vma.access for vma in own(prediction, "main") if vma.start >= own(prediction)[-1].start]
    return before == [Access.READ | Access.WRITE] and after == [Access.READ, Access.READ | Access.WRITE]


def all_executable(prediction: Prediction) -> bool:
    mine = [vma for vma in vmas(prediction) if not isinstance(vma.backing, Special)]
    return all(Access.EXECUTE in vma.access for vma in mine)


def cleared_page_is_a_copy(prediction: Prediction) -> bool:
    pages = {page.address: page.kind for page in at(prediction, "exec").pages or ()}
    return pages.get(own(prediction)[-1].end - PAGE_SIZE) is PageKind.ANONYMOUS  # type: ignore[call-overload]


def last_fault_is_refused(prediction: Prediction, start: int, end: int) -> bool:
    assert prediction.faults
    last = prediction.faults[-1]
    return last.kind is FaultKind.REFUSED and start <= last.address < end


def resident(prediction: Prediction) -> int:
    return len(at(prediction, "exit").pages or ())


def esp(prediction: Prediction) -> int:
    registers = at(prediction, "exec").registers
    assert registers is not None
    return registers.esp


SHOWN: dict[str, Callable[[Prediction], bool]] = {
    "exec.no-permission": lambda p: p.verdict is not None and p.verdict.errno == "EACCES",
    "exec.path": lambda p: p.verdict is not None and p.verdict.rule == "exec.path",
    "exec.not-regular": lambda p: p.verdict is not None and p.verdict.rule == "exec.not-regular",
    "vma.more-than-segments": lambda p: len(own(p)) == 4 and len(bss_of(areas_of(vmas(p), None))) == 1,
    "vma.segment-file": a_page_of_the_file_is_in_two_areas,
    "vma.segment-bss": lambda p: bool(bss_of(areas_of(vmas(p), None))),
    "elf.padzero": cleared_page_is_a_copy,
    "vma.relro": data_are_split,
    "vma.read-implies-exec": all_executable,
    "vma.vdso": lambda p: [v.name for v in vmas(p) if kind_of(v) is AreaKind.VDSO][-1] == "[vdso]",
    "vma.stack": lambda p: stack_pages(p) == 32 + -(-pages_of_strings(p) // PAGE_SIZE) > 33,
    "vma.heap": lambda p: heaps(p, "exec") == [] and heaps(p, "main") == [at(p, "exec").brk],
    "layout.default-base": lambda p: (
        own(p)[0].start == 0x10000000 and own(predicted(HELLO))[0].start == 0x08048000
    ),
    "layout.brk": lambda p: at(p, "exec").brk == 0x56555000 < own(p)[0].start,
    "layout.aslr": lambda p: vmas(p) != vmas(predicted.__wrapped__(EXAMPLES["layout.aslr"].command)),
    "layout.static-pie": lambda p: own(p)[0].start > 0xF0000000,
    "layout.et-dyn": lambda p: own(p)[0].start == 0x56555000,
    "layout.task-size": lambda p: vmas(p)[-1].end == 0xC0000000 < vmas(predicted(HELLO))[-1].end,
    "layout.null-page": lambda p: last_fault_is_refused(p, 0, PAGE_SIZE),
    "layout.kernel-space": lambda p: last_fault_is_refused(p, 0xC0000000, 1 << 32),
    "fault.around": lambda p: resident(p) > 3 * len(p.faults or ()),
    "fault.zero-page": lambda p: repeated(p, FaultKind.ZERO_PAGE, FaultKind.COPY_ON_WRITE),
    "fault.copy-on-write": lambda p: FaultKind.COPY_ON_WRITE in kinds(p, process=1),
    "fault.file-copy": lambda p: all(
        f.mapped is not None and f.mapped.size_bytes == PAGE_SIZE
        for f in p.faults or ()
        if f.kind is FaultKind.FILE_COPY
    ),
    "fault.stack-growth": lambda p: FaultKind.STACK_GROWTH in kinds(p),
    "fault.refused": lambda p: bool(p.faults and p.faults[-1].protection),
    "fault.minor-major": lambda p: at(p, "exit").major_faults == 0 < (at(p, "exit").minor_faults or 0),
    "fault.populate": lambda p: (
        resident(p) > resident(predicted("predict fixtures/build/whole_load -- demand"))
    ),
    "observe.gdb-start": lambda p: esp(p) < esp(predicted(HELLO)),
}
"""What each example's prediction must show; the others are looked at as text."""
SAID = {"elf.separate-code": "r-x", "observe.pfn-hidden": "page frames"}


def pages_of_strings(prediction: Prediction) -> int:
    """Return the bytes from argv[0] to the top of the stack, from the page in which it begins."""
    stack = at(prediction, "exec").stack
    assert stack is not None
    lowest = int.from_bytes(stack.contents[4:8], "little")
    return stack.sp + len(stack.contents) - lowest // PAGE_SIZE * PAGE_SIZE


def heaps(prediction: Prediction, checkpoint: str) -> list[int]:
    return [vma.start for vma in vmas(prediction, checkpoint) if kind_of(vma) is AreaKind.HEAP]


def test_every_question_leads_to_a_rule_that_says_all_there_is() -> None:
    asked: Sequence[tuple[str, str]] = (
        ("third mapping", "vma.relro"),
        ("two areas for .bss", "vma.segment-bss"),
        ("five areas, where four segments", "vma.more-than-segments"),
        ("one page of the file in two areas", "vma.segment-file"),
        ("0x08048000", "layout.default-base"),
        ("heap not begin behind .bss", "layout.brk"),
        ("[vvar] and [vdso]", "vma.vdso"),
        ("differ from run to run", "layout.aslr"),
        ("gdb change", "observe.gdb-start"),
        ("fewer faults than resident pages", "fault.around"),
        ("fault twice", "fault.zero-page"),
        ("PFN 0", "observe.pfn-hidden"),
        ("minor and a major", "fault.minor-major"),
        ("size of the stack at exec", "vma.stack"),
        ("READ_IMPLIES_EXEC", "vma.read-implies-exec"),
    )
    for words, rule_id in asked:
        assert [found for question, found in QUESTIONS.items() if words in question] == [rule_id]
        rule, example = RULES[rule_id], EXAMPLES[rule_id]
        assert rule.statement.endswith(".")
        assert rule.reason.endswith(".")
        assert ":" in rule.source
        assert example.command
        assert example.look_for.endswith(".")


def test_no_example_goes_unlooked_at() -> None:
    assert SHOWN.keys() | SAID.keys() == EXAMPLES.keys()


@pytest.mark.parametrize("rule_id", SHOWN)
def test_an_example_shows_its_rule_at_work(rule_id: str) -> None:
    assert SHOWN[rule_id](predicted(EXAMPLES[rule_id].command))


@pytest.mark.parametrize("rule_id", SAID)
def test_an_example_says_what_to_look_for(rule_id: str) -> None:
    shown = run(EXAMPLES[rule_id].command)
    assert shown.returncode == 0, shown.stderr
    assert SAID[rule_id] in shown.stdout


def test_read_implies_exec_is_not_said_of_others() -> None:
    assert not all_executable(predicted(HELLO))


def test_a_file_s_page_is_not_in_two_areas_everywhere() -> None:
    assert not a_page_of_the_file_is_in_two_areas(predicted(HELLO))
    assert isinstance(own(predicted(HELLO))[0].backing, FileBacking)
