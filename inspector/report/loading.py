"""Ways of loading: each program's memory from stop to stop, and the programs beside each other."""

from __future__ import annotations

import shlex
from itertools import zip_longest
from typing import TYPE_CHECKING

from inspector.language import N_, tr, tr_error
from inspector.report.document import Column, Document, Mark, Paragraph, Row, Section, Table
from inspector.report.text import counted, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from inspector.loading import Loading, Moment, Ways

_UNSEEN = "?"
_COLUMNS = (
    Column("at", flexible=True),
    Column("resident", right=True),
    Column("file", right=True),
    Column("copied", right=True),
    Column("own", right=True),
    Column("read", right=True),
    Column("minor", right=True),
    Column("major", right=True),
)
_LEGEND = (
    (Mark.GOOD, N_("predicted and observed agree")),
    (Mark.BAD, N_("predicted")),
    (Mark.INSTEAD, N_("observed instead")),
    (Mark.UNKNOWN, N_("not observed")),
    (Mark.UNJUDGED, N_("not predicted")),
)


def loading_document(number: int, ways: Ways) -> Document:
    """Return one program's memory from stop to stop."""
    blocks: list[Table | Paragraph] = [Table(_COLUMNS, tuple(_rows(ways)))]
    if ways.not_modelled is not None:
        blocks.append(
            Paragraph(
                tr("From there on it is not modelled: {what}.").format(what=ways.not_modelled), Mark.UNKNOWN
            )
        )
    if ways.unobserved is not None:
        blocks.append(
            Paragraph(tr("Not observed: {reason}.").format(reason=tr_error(ways.unobserved)), Mark.UNKNOWN)
        )
    return Document(f"{number}. {_name(ways)}", (Section("", tuple(blocks)),), legend=_LEGEND)


def _name(ways: Ways) -> str:
    return shlex.join((ways.program, *ways.arguments))


def _rows(ways: Ways) -> Iterator[Row]:
    """Yield the predicted moments, and where they differ what was observed below."""
    if ways.observed is None:
        for moment in ways.predicted.moments:
            yield Row(_cells(moment), Mark.UNKNOWN)
        return
    for mine, seen in zip_longest(ways.predicted.moments, ways.observed.moments):
        if mine is None or seen is None:
            yield Row(_cells(mine or seen), Mark.UNJUDGED if mine is None else Mark.UNKNOWN)
        elif mine.agrees(seen):
            yield Row(_cells(mine), Mark.GOOD)
        else:
            yield Row(_cells(mine), Mark.BAD)
            yield Row(_cells(seen), Mark.INSTEAD)


def _cells(moment: Moment) -> tuple[str, ...]:
    numbers = (
        moment.resident_pages,
        moment.file_pages,
        moment.copied_pages,
        moment.own_pages,
        moment.read_bytes,
        moment.minor_faults,
        moment.major_faults,
    )
    return moment.checkpoint, *map(_number, numbers)


def _number(value: int | None) -> str:
    return _UNSEEN if value is None else str(value)


def comparison_document(programs: Sequence[Ways]) -> Document:
    """Return the programs beside each other, by what there is at their ends."""
    rows = [row for label, value in _ASPECTS for row in _compared(label, value, programs)]
    columns = (Column(""), *(Column(f"{number}.", right=True) for number in range(1, len(programs) + 1)))
    title = tr("{ways} of loading").format(ways=counted(len(programs), "way"))
    return Document(title, (Section("", (Table(columns, tuple(rows)),)),), legend=_LEGEND)


def _compared(label: str, value: Callable[[Loading], str], programs: Sequence[Ways]) -> Iterator[Row]:
    predicted = tuple(value(ways.predicted) for ways in programs)
    observed = tuple(_UNSEEN if ways.observed is None else value(ways.observed) for ways in programs)
    if predicted == observed:
        yield Row((tr(label), *predicted), Mark.GOOD)
    elif any(each not in (mine, _UNSEEN) for mine, each in zip(predicted, observed, strict=True)):
        yield Row((tr(label), *predicted), Mark.BAD)
        yield Row(("", *observed), Mark.INSTEAD)
    else:
        yield Row((tr(label), *predicted), Mark.UNKNOWN)


def _last(read: Callable[[Moment], int | None], show: Callable[[int], str] = str) -> Callable[[Loading], str]:
    """Return what shows a number of a run's last moment."""

    def shown(run: Loading) -> str:
        value = read(run.moments[-1]) if run.moments else None
        return _UNSEEN if value is None else show(value)

    return shown


_ASPECTS: tuple[tuple[str, Callable[[Loading], str]], ...] = (
    (N_("most pages resident"), lambda run: _number(run.peak_pages)),
    (N_("brought in from files"), _last(lambda moment: moment.brought_bytes, size)),
    (N_("read by itself"), _last(lambda moment: moment.read_bytes, size)),
    (N_("own pages"), _last(lambda moment: moment.own_pages)),
    (N_("page tables"), _last(lambda moment: moment.page_table_bytes, size)),
    (N_("minor faults counted"), _last(lambda moment: moment.minor_faults)),
    (N_("major faults counted"), _last(lambda moment: moment.major_faults)),
    (N_("page faults that trap"), lambda run: _number(run.traps)),
)
