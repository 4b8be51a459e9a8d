"""Who owns each frame, as tables: one for each process, pages whose frames are alike on one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.language import N_, tr
from inspector.model.address import address_of
from inspector.model.frame import PagePlace
from inspector.reconcile.frames import opposite, place_name
from inspector.report.document import Block, Column, Mark, Paragraph, Row, Table
from inspector.report.text import counted, process_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inspector.model.frame import FrameRun
    from inspector.report.judge import Judge

_COLUMNS = (
    Column("pages"),
    Column("count", right=True),
    Column("owner"),
    Column("offset", right=True),
    Column("file", flexible=True, optional=True),
    Column("mapped", right=True),
    Column("with"),
)
_ABSENT, _UNKNOWN = N_("absent"), N_("unknown")
_OR_MORE = N_("+: others may map it too, and how many do is not predicted (rule frame.others).")


def frame_blocks(
    predicted: Sequence[FrameRun] | None,
    observed: Sequence[FrameRun] | None,
    judge: Judge,
    *,
    verbose: bool,
) -> tuple[Block, ...]:
    """Return the tables of one checkpoint.

    They are left out where there is nothing to see that the resident pages do not tell: of a process that is
    alone, unless the two sides differ or `verbose` asks for them.
    """
    processes = sorted({run.process for run in (*(predicted or ()), *(observed or ()))})
    if not processes or (len(processes) == 1 and judge.aspect("frames") is not Mark.BAD and not verbose):
        return ()
    blocks: list[Block] = []
    for process in processes:
        if len(processes) > 1:
            runs = observed if predicted is None else predicted
            pages = sum(run.count for run in runs or () if run.process == process)
            blocks.append(Paragraph(f"{process_name(process)}{tr(', ')}{counted(pages, 'page')}"))
        blocks.append(Table(_COLUMNS, tuple(_rows(process, predicted, observed, judge))))
    if any(run.or_more for run in predicted or ()):
        blocks.append(Paragraph(_OR_MORE))
    return tuple(blocks)


def _rows(
    process: int, predicted: Sequence[FrameRun] | None, observed: Sequence[FrameRun] | None, judge: Judge
) -> Iterator[Row]:
    if predicted is not None and observed is not None and judge.aspect("frames") is Mark.GOOD:
        observed = predicted  # where strangers map a file's pages unevenly, that is no reason to cut its run
    for mine, seen in opposite(predicted or (), observed or ()):
        run = mine or seen
        if run is None or run.process != process:
            continue
        mark = judge.place("frames", place_name(run))
        left, right = (
            _absent(run) if page is None else _cells(page, side or ())
            for page, side in ((mine, predicted), (seen, observed))
        )
        if predicted is None or observed is None:
            yield Row(right if predicted is None else left, mark)
            continue
        yield Row(left, mark)
        if mark is not Mark.GOOD and left != right:
            cells = ("" if one == other else other for one, other in zip(left, right, strict=True))
            yield Row(tuple(cells), Mark.INSTEAD)


def _span(run: FrameRun) -> tuple[str, str]:
    return f"{address_of(run.start):08x}-{address_of(run.start + run.count):08x}", str(run.count)


def _absent(run: FrameRun) -> tuple[str, ...]:
    return (*_span(run), tr(_ABSENT), *[""] * (len(_COLUMNS) - 3))


def _cells(run: FrameRun, side: Sequence[FrameRun]) -> tuple[str, ...]:
    return (
        *_span(run),
        tr(_UNKNOWN if run.owner is None else run.owner.value),
        "" if run.offset is None else f"{run.offset:#x}",
        "" if run.file is None else run.file.rpartition("/")[2],
        "" if run.mapped is None else f"{run.mapped}{'+' if run.or_more else ''}",
        tr(", ").join(dict.fromkeys(_company(run, side))),
    )


def _company(run: FrameRun, side: Sequence[FrameRun]) -> Iterator[str]:
    """Yield what else `side` has in the same frames: `process 1`; and where, if at another address."""
    first = _first(run)
    for other in side:
        theirs = _first(other)
        shift = theirs.vpn - first.vpn
        if theirs.process != first.process or not -other.count < shift < run.count:
            continue
        here = other.start - shift
        if other.process != run.process:
            where = "" if here == run.start else tr(" at {address:#x}").format(address=address_of(here))
            yield f"{process_name(other.process)}{where}"
        elif here != run.start:
            yield f"{address_of(here):#x}"


def _first(run: FrameRun) -> PagePlace:
    return run.same_as or PagePlace(run.process, run.start)
