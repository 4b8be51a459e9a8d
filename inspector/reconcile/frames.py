"""Frames: whose each is, how often it is mapped, and which pages are in the same one.

That the program's own pages are there at all is told by the aspect of pages, of its relatives' here. Of a
frame that others may map too, the prediction has the least count there can be.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

from inspector.model.address import address_of
from inspector.model.finding import Finding, Verdict
from inspector.model.frame import FrameOwner

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.model.frame import FrameRun

_ABSENT, _UNKNOWN = "absent", "unknown"
_RULES = {
    FrameOwner.PAGE_CACHE: "frame.page-cache",
    FrameOwner.SHARED_MEMORY: "frame.shared-memory",
    FrameOwner.ZERO: "frame.zero-page",
    FrameOwner.PRIVATE: "frame.private",
    FrameOwner.COPY_ON_WRITE: "frame.copy-on-write",
    FrameOwner.KERNEL: "frame.kernel",
}
"""The rule by which an owner was predicted."""

Explanation = Callable[[str | None], str | None]
"""Which rule explains that a page of the file at a path is in the page tables of one side alone."""
SameFile = Callable[[str | None, str | None], bool]
"""Whether two paths, predicted and observed, are of the same file."""


def compare_frames(
    at: str,
    predicted: Sequence[FrameRun],
    observed: Sequence[FrameRun],
    explanation: Explanation = lambda _: None,
    same_file: SameFile = lambda mine, seen: mine == seen,
) -> Iterator[Finding]:
    """Yield a finding for each run of pages that differ alike."""
    for mine, seen in opposite(predicted, observed):
        run = mine or seen
        if run is None or (run.process == 0 and (mine is None or seen is None)):
            continue
        verdict = _verdict(mine, seen, same_file)
        if verdict is Verdict.AGREES:
            continue
        rule = explanation(run.file) if verdict is Verdict.DIFFERS else None
        if rule is not None:
            verdict = Verdict.EXPLAINED
        elif mine is not None and mine.owner is not None and verdict is Verdict.DIFFERS:
            rule = _RULES[mine.owner]
        more = f" and {run.count - 1} more" if run.count > 1 else ""
        yield Finding(at, "frames", place_name(run) + more, _text(mine), _text(seen), verdict, rule)


def frame_count(runs: Sequence[FrameRun]) -> int:
    """Return of how many pages `runs` tell the frames."""
    return sum(run.count for run in runs)


def opposite(
    predicted: Sequence[FrameRun], observed: Sequence[FrameRun]
) -> Iterator[tuple[FrameRun | None, FrameRun | None]]:
    """Yield what the two sides say of the same pages, cut so that each is one run on either; None: absent."""
    edges = {
        (run.process, edge) for run in (*predicted, *observed) for edge in (run.start, run.start + run.count)
    }
    sides = [(runs, [(run.process, run.start) for run in runs]) for runs in (predicted, observed)]
    for (process, start), (of, end) in pairwise(sorted(edges)):
        if process == of:
            mine, seen = (_cut(runs, starts, process, start, end) for runs, starts in sides)
            if mine is not None or seen is not None:
                yield mine, seen


def _cut(
    runs: Sequence[FrameRun], starts: Sequence[tuple[int, int]], process: int, start: int, end: int
) -> FrameRun | None:
    """Return the part of one of `runs` that is the pages from `start` to `end`; None if none has them."""
    position = bisect_right(starts, (process, start)) - 1
    if position < 0:
        return None
    run = runs[position]
    if run.process != process or not run.start <= start < run.start + run.count:
        return None
    return run.part(start - run.start, end - start)


def place_name(run: FrameRun) -> str:
    """Return what a finding calls the first page of `run`."""
    return (f"process {run.process} " if run.process else "") + f"{address_of(run.start):#x}"


def _verdict(mine: FrameRun | None, seen: FrameRun | None, same_file: SameFile) -> Verdict:
    if mine is None or seen is None:
        return Verdict.DIFFERS
    if mine.owner is None:
        return Verdict.NOT_PREDICTED
    if seen.owner is None:
        return Verdict.UNOBSERVED
    if (mine.owner, mine.offset, mine.same_as) != (seen.owner, seen.offset, seen.same_as):
        return Verdict.DIFFERS
    if not same_file(mine.file, seen.file):
        return Verdict.DIFFERS
    return _judge_count(mine, seen)


def _judge_count(mine: FrameRun, seen: FrameRun) -> Verdict:
    if mine.mapped is None or mine.mapped == seen.mapped:
        return Verdict.AGREES
    if mine.or_more:
        return Verdict.AGREES if seen.mapped is None or seen.mapped > mine.mapped else Verdict.DIFFERS
    return Verdict.UNOBSERVED if seen.mapped is None else Verdict.DIFFERS


def _text(run: FrameRun | None) -> str:
    """Return what is compared: `page cache 0x1000, mapped 2 times, in the frame of process 0 0x8049000`."""
    if run is None:
        return _ABSENT
    words = [_UNKNOWN if run.owner is None else run.owner.value]
    if run.offset is not None:
        words[0] += f" {run.offset:#x}"
    if run.file is not None:
        words[0] += f" of {run.file}"
    if run.mapped is not None:
        least = "at least " if run.or_more else ""
        words.append(f"mapped {least}{run.mapped} time" + ("s" if run.mapped != 1 else ""))
    if run.same_as is not None:
        words.append(f"in the frame of process {run.same_as.process}'s {address_of(run.same_as.vpn):#x}")
    return ", ".join(words)
