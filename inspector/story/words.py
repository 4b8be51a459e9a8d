"""How the story writes down areas, counts and the numbers of both wings."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from inspector.language import tr, tr_in
from inspector.model.address import PAGE_SIZE, page_down
from inspector.story import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inspector.model.prediction import ExecVerdict
    from inspector.model.snapshot import Snapshot
    from inspector.model.vma import Vma
    from inspector.story.evidence import Evidence

T = TypeVar("T")
_WORD = 4
_FULL_STOP = "\u3002"
"""Of Chinese."""


def area_words(vma: Vma) -> str:
    """Return an area's range and permissions."""
    return f"{vma.start:08x}-{vma.end:08x} {vma.perms}"


def area_values(evidence: Evidence, vma: Vma, label: str = "area") -> Iterator[Value]:
    """Yield an area beside what was observed at exec where it begins; of a file's, the offset, too."""
    if evidence.seen_at_exec is None or evidence.seen_at_exec.vmas is None:
        seen = offset = None
    else:
        other = evidence.seen_area(vma)
        seen = tr("absent") if other is None else area_words(other)
        offset = tr("absent") if other is None else f"{other.offset:#x}"
    yield Value(label, area_words(vma), seen)
    if vma.inode:
        yield Value("its file offset", f"{vma.offset:#x}", offset)


def exec_value(evidence: Evidence, label: str, of: Callable[[Snapshot], T | None], form: str = "{}") -> Value:
    """Return something of the process at exec, predicted and observed. There is such a prediction."""
    mine = of(evidence.at_exec) if evidence.at_exec is not None else None
    seen = of(evidence.seen_at_exec) if evidence.seen_at_exec is not None else None
    return Value(
        label,
        tr("not known") if mine is None else form.format(mine),
        None if seen is None else form.format(seen),
    )


def auxiliary(kind: int) -> Callable[[Snapshot], int | None]:
    """Return what reads the entry of type `kind` from a snapshot's auxiliary vector."""
    return lambda snapshot: next((each.value for each in snapshot.auxv or () if each.type == kind), None)


def pages_of_strings(snapshot: Snapshot) -> int | None:
    """Return how many pages at the top of the stack hold strings, of which argv[0] is the lowest."""
    if snapshot.stack is None:
        return None
    end = snapshot.stack.sp + len(snapshot.stack.contents)
    lowest = int.from_bytes(snapshot.stack.contents[_WORD : 2 * _WORD], "little")
    return (end - page_down(lowest)) // PAGE_SIZE


def counted(number: int, noun: str) -> str:
    """Return `1 page`, `2 pages`; in Chinese the noun has its measure word, and no plural."""
    measured = tr_in("counted", noun)
    return f"{number} {measured}" if measured != noun or number == 1 else f"{number} {noun}s"


def verdict_words(verdict: ExecVerdict) -> str:
    """Return `runs`, `refused: ENOEXEC` or `killed: SIGSEGV`."""
    detail, outcome = verdict.errno or verdict.signal, tr(verdict.outcome.value)
    return f"{outcome}{tr(': ')}{detail}" if detail else outcome


def joined(*sentences: str) -> str:
    """Return sentences as running text; Chinese leaves no blank between them."""
    text = ""
    for sentence in filter(None, sentences):
        text += ("" if text.endswith(_FULL_STOP) or not text else " ") + sentence
    return text
