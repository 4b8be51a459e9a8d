"""A tree of overlaid modules with their addresses, and what a sequence of calls loads and overwrites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.language import N_in, tr, tr_filled
from inspector.report.document import Column, Document, Fact, Facts, Mark, Paragraph, Row, Section, Table
from inspector.report.text import counted
from inspector.simulators.overlay import calls_text

if TYPE_CHECKING:
    from inspector.simulators.overlay import OverlayRun, Tree

LONGEST_SHOWN = 400
"""Longer sequences are told in numbers only."""
_REFUSAL = N_in("error", "{0} must not call {1}: it would break the path {2}")
"""What an overlay manager says that refuses a call."""


def overlay_document(overlay_run: OverlayRun, *, solve: bool) -> Document:
    """Return the tables of modules and of calls, without addresses and loads where they are asked for."""
    tree = overlay_run.tree
    blocks: list[Table | Facts | Paragraph] = [_modules(tree, solve=solve)]
    if solve:
        sections = [Section("", (*blocks, Facts(_memory(tree)))), Section("Calls", _solved(overlay_run))]
    else:
        blocks.append(_asked(overlay_run))
        blocks.append(
            Paragraph(
                "Where does each module begin, and how much memory does the program need? What does each "
                "call load, and what does that overwrite? Is there a call that must not be made?"
            )
        )
        blocks.append(Paragraph("The answers: the same again with --solve."))
        sections = [Section("", tuple(blocks))]
    title = tr("Overlays: {modules}").format(modules=counted(len(tree.modules), "module"))
    return Document(title, tuple(sections))


def _not_shown() -> Paragraph:
    return Paragraph(tr("A sequence of over {count} calls is not shown.").format(count=LONGEST_SHOWN))


def _modules(tree: Tree, *, solve: bool) -> Table:
    columns = (
        Column("module"),
        Column("called by"),
        Column("size", right=True),
        Column("first address", right=True),
        Column("end", right=True),
    )
    rows = []
    # A path is greater than its beginning, so a module comes after its parent and before what follows that.
    order = {name: index for index, name in enumerate(tree.modules)}
    for module in sorted(tree.modules.values(), key=lambda each: [order[name] for name in each.path]):
        places = (f"{module.address:#x}", f"{module.end:#x}") if solve else ("", "")
        rows.append(Row((module.name, module.parent or "", f"{module.size}", *places)))
    return Table(columns, tuple(rows))


def _memory(tree: Tree) -> tuple[Fact, ...]:
    return (
        Fact(
            "with overlays",
            tr("{count} bytes, for the path {path}").format(
                count=tree.memory_bytes, path=" ".join(tree.longest.path)
            ),
        ),
        Fact("without", tr("{count} bytes").format(count=tree.whole_bytes)),
    )


def _asked(overlay_run: OverlayRun) -> Facts | Paragraph:
    calls = overlay_run.calls
    return Facts((Fact("calls", calls_text(calls)),)) if len(calls) <= LONGEST_SHOWN else _not_shown()


def _solved(overlay_run: OverlayRun) -> tuple[Table | Facts | Paragraph, ...]:
    answers = Facts(
        (
            Fact(
                "loads",
                tr("{loads}, of {count} bytes").format(
                    loads=len(overlay_run.loads), count=overlay_run.bytes_read
                ),
            ),
            Fact("evictions", f"{overlay_run.evictions}"),
            Fact(
                "hits",
                tr("{hits} of {count} calls").format(hits=overlay_run.hits, count=len(overlay_run.outcomes)),
            ),
        )
    )
    shown = _events(overlay_run) if len(overlay_run.outcomes) <= LONGEST_SHOWN else _not_shown()
    if overlay_run.refusal is None:
        return shown, answers
    refusal = tr("{sentence}.").format(sentence=tr_filled("error", str(overlay_run.refusal)))
    return shown, answers, Paragraph(refusal, Mark.BAD)


def _events(overlay_run: OverlayRun) -> Table:
    rows = []
    for outcome in overlay_run.outcomes:
        caller = outcome.caller or ""
        for index, load in enumerate(outcome.loads):
            who = ("", "") if index else (caller, outcome.callee)
            rows.append(Row((*who, load.module.name, " ".join(gone.name for gone in load.evicted))))
        if outcome.is_hit:
            rows.append(Row((caller, outcome.callee, tr("(hit)"), "")))
        if outcome.refusal is not None:
            rows.append(Row((caller, outcome.callee, tr("(refused)"), ""), Mark.BAD))
    return Table(
        (Column("caller"), Column("calls"), Column("loads"), Column("overwrites", flexible=True)), tuple(rows)
    )
