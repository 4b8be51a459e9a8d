"""A replay of references as the table that students draw by hand, and the curve of faults over frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.language import tr, tr_not_modelled
from inspector.report.document import Column, Document, Fact, Facts, Mark, Paragraph, Row, Section, Table
from inspector.report.text import counted, display_width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from inspector.simulators.replacement import ProgramReferences, Replacement

_ROOM = 77
_LABEL = 9
_GAP = 2
LONGEST_DRAWN = 400
"""Longer strings are told in numbers only."""


def replacement_document(
    replacement: Replacement, run: ProgramReferences | None = None, *, solve: bool
) -> Document:
    """Return the table of one replay, empty where it is a question, filled where it is to be solved."""
    length = len(replacement.references)
    pages = len(set(replacement.references))
    blocks: list[Table | Facts | Paragraph] = list(_source(run))
    if length <= LONGEST_DRAWN:
        blocks += _grids(replacement, str if run is None else "{:x}".format, solve=solve)
    else:
        blocks.append(
            Paragraph(tr("A string of over {count} references is not drawn.").format(count=LONGEST_DRAWN))
        )
    if solve:
        blocks.append(Facts(_answers(replacement)))
    else:
        blocks.append(
            Paragraph("Which page is in which frame? Which references are faults (*), and which page leaves?")
        )
        blocks.append(Paragraph("The answers: the same again with --solve."))
    title = tr("{policy}: {count} references to {pages}").format(
        policy=_name(replacement), count=length, pages=counted(pages, "page")
    )
    return Document(title, (Section("", tuple(blocks)),))


def _source(run: ProgramReferences | None) -> Iterator[Facts | Paragraph]:
    """Yield what the references were taken from, where that is a program."""
    if run is None:
        return
    yield Facts(
        (
            Fact("references of", tr("{path}, predicted").format(path=run.path)),
            Fact(
                "instructions",
                tr("{instructions}, with {accesses} readings and writings").format(
                    instructions=run.instructions, accesses=run.accesses
                ),
            ),
            Fact("one is", tr("a change of page, in what is fetched, read and written")),
        )
    )
    if run.not_modelled is not None:
        limit = tr("These are not all: what comes after is not modelled: {what}.")
        yield Paragraph(limit.format(what=tr_not_modelled(run.not_modelled)), Mark.BAD)


def _name(replacement: Replacement) -> str:
    frames = replacement.frames
    if frames is None:
        return tr("{policy} with a window of {count} references").format(
            policy=replacement.policy, count=replacement.window
        )
    return tr("{policy} with {frames}").format(policy=replacement.policy, frames=counted(frames, "frame"))


def _answers(replacement: Replacement) -> tuple[Fact, ...]:
    length, faults = len(replacement.references), replacement.faults
    facts = [
        Fact("faults", tr("{number} of {count}").format(number=faults, count=length)),
        Fact(
            "hits",
            tr("{hits}, a rate of {rate}").format(
                hits=length - faults, rate=f"{(length - faults) / length:.1%}"
            ),
        ),
    ]
    if replacement.frames is None:
        facts.append(
            Fact(
                "frames",
                tr("{most} at most, {mean} on average").format(
                    most=replacement.most_resident, mean=f"{replacement.mean_resident:.2f}"
                ),
            )
        )
    return tuple(facts)


def _grids(replacement: Replacement, name: Callable[[int], str], *, solve: bool) -> list[Table]:
    """Return the table in pieces that fit the page, a column for each reference."""
    width = max(len(name(page)) for page in replacement.references)
    frames = (tr("frame {number}").format(number=number) for number in range(replacement.frames_filled))
    labels = [*frames, tr("fault"), tr("leaves")]
    per_piece = max((_ROOM - max(_LABEL, *map(display_width, labels))) // (width + _GAP), 1)
    columns = _columns(replacement, len(labels), name) if solve else None
    pieces = []
    for start in range(0, len(replacement.references), per_piece):
        piece = replacement.references[start : start + per_piece]
        cells = columns[start : start + per_piece] if columns else [("",) * len(labels)] * len(piece)
        pieces.append(
            Table(
                (Column("page"), *(Column(name(page), right=True) for page in piece)),
                tuple(
                    Row((label, *(column[index] for column in cells))) for index, label in enumerate(labels)
                ),
            )
        )
    return pieces


def _columns(replacement: Replacement, height: int, name: Callable[[int], str]) -> list[tuple[str, ...]]:
    columns = []
    frames = [""] * (height - 2)
    for step in replacement.steps:
        if step.left_frame is not None:
            frames[step.left_frame] = ""
        frames[step.frame] = name(step.page)
        leaves = "" if step.evicted is None else name(step.evicted)
        columns.append((*frames, "*" if step.fault else "", leaves))
    return columns


def curve_document(
    curves: dict[str, Sequence[int]],
    length: int,
    anomalies: dict[str, list[int]],
    run: ProgramReferences | None = None,
    *,
    solve: bool,
) -> Document:
    """Return the faults of each policy with 1, 2, 3, ... frames.

    `anomalies` names, by policy, the numbers of frames that fault more than one frame less does.
    """
    names = list(curves)
    most = max(len(curve) for curve in curves.values())
    rows = []
    for index in range(most):
        odd = any(index + 1 in anomalies[name] for name in names)
        faults = [str(curves[name][index]) if solve else "" for name in names]
        rows.append(Row((str(index + 1), *faults), Mark.EXPLAINED if odd and solve else None))
    table = Table((Column("frames", right=True), *(Column(name, right=True) for name in names)), tuple(rows))
    blocks: list[Table | Facts | Paragraph] = [*_source(run), table]
    if solve:
        for name, places in anomalies.items():
            blocks += [
                Paragraph(
                    tr(
                        "Belady's anomaly: {policy} faults {more} times with {frames} frames, "
                        "but {less} times with {fewer}."
                    ).format(
                        policy=name,
                        more=curves[name][at - 1],
                        frames=at,
                        less=curves[name][at - 2],
                        fewer=at - 1,
                    ),
                    Mark.EXPLAINED,
                )
                for at in places
            ]
    else:
        blocks.append(Paragraph("Does every frame more mean fewer faults? The answers: again with --solve."))
    title = tr("Faults of {count} references by number of frames").format(count=length)
    return Document(title, (Section("", tuple(blocks)),))
