"""A tree of overlaid modules with their addresses, and what a sequence of calls loads and overwrites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.report.document import Column, Document, Fact, Facts, Mark, Paragraph, Row, Section, Table
from inspector.simulators.overlay import calls_text

if TYPE_CHECKING:
    from inspector.simulators.overlay import OverlayRun, Tree

LONGEST_SHOWN = 400
"""Longer sequences are told in numbers only."""
_NOT_SHOWN = Paragraph(f"A sequence of over {LONGEST_SHOWN} calls is not shown.")


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
    count = len(tree.modules)
    return Document(f"Overlays: {count} module{'s' * (count != 1)}", tuple(sections))


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
        Fact("with overlays", f"{tree.memory_bytes} bytes, for the path {' '.join(tree.longest.path)}"),
        Fact("without", f"{tree.whole_bytes} bytes"),
    )


def _asked(overlay_run: OverlayRun) -> Facts | Paragraph:
    calls = overlay_run.calls
    return Facts((Fact("calls", calls_text(calls)),)) if len(calls) <= LONGEST_SHOWN else _NOT_SHOWN


def _solved(overlay_run: OverlayRun) -> tuple[Table | Facts | Paragraph, ...]:
    answers = Facts(
        (
            Fact("loads", f"{len(overlay_run.loads)}, of {overlay_run.bytes_read} bytes"),
            Fact("evictions", f"{overlay_run.evictions}"),
            Fact("hits", f"{overlay_run.hits} of {len(overlay_run.outcomes)} calls"),
        )
    )
    shown = _events(overlay_run) if len(overlay_run.outcomes) <= LONGEST_SHOWN else _NOT_SHOWN
    if overlay_run.refusal is None:
        return shown, answers
    return shown, answers, Paragraph(f"{overlay_run.refusal}.", Mark.BAD)


def _events(overlay_run: OverlayRun) -> Table:
    rows = []
    for outcome in overlay_run.outcomes:
        caller = outcome.caller or ""
        for index, load in enumerate(outcome.loads):
            who = ("", "") if index else (caller, outcome.callee)
            rows.append(Row((*who, load.module.name, " ".join(gone.name for gone in load.evicted))))
        if outcome.is_hit:
            rows.append(Row((caller, outcome.callee, "(hit)", "")))
        if outcome.refusal is not None:
            rows.append(Row((caller, outcome.callee, "(refused)", ""), Mark.BAD))
    return Table(
        (Column("caller"), Column("calls"), Column("loads"), Column("overwrites", flexible=True)), tuple(rows)
    )
