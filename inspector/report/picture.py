"""Which stops a picture shows, and the small form of a result for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from inspector.language import tr, tr_in
from inspector.model.observation import Observation
from inspector.model.prediction import Prediction
from inspector.report.check import conclusion
from inspector.report.judge import Judge
from inspector.report.program import run_text, short_name
from inspector.report.svg import Panel, svg_picture
from inspector.report.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.reconcile import Reconciliation

    Result = Prediction | Observation | Reconciliation


def picture_of(result: Result) -> str:
    """Return map and page grid of every stop as an SVG document."""
    return svg_picture(title_of(result), _panels(result))


def html_of(result: Result) -> str:
    """Return a result for a notebook: how it came out, and the picture of its last stop."""
    title = title_of(result)
    panels = _panels(result)[-1:]
    stops = tr("stops: {stops}").format(stops=tr(", ").join(_checkpoints(result)) or tr("none"))
    return f"<p><strong>{escape(printable(title))}</strong><br>{escape(printable(stops))}</p>" + svg_picture(
        title, panels
    )


def title_of(result: Result) -> str:
    """Return how a result came out, in one line."""
    if isinstance(result, Prediction):
        verdict = tr_in("verdict", "not modelled") if result.verdict is None else run_text(result.verdict)
        return f"{short_name(result.program)}: {tr('predicted: {verdict}').format(verdict=verdict)}"
    if isinstance(result, Observation):
        verdict = tr("observed while running") if result.verdict is None else run_text(result.verdict)
        return f"{short_name(result.program)}: {tr('observed: {verdict}').format(verdict=verdict)}"
    return f"{short_name(result.prediction.program)}: {conclusion(result)[1]}"


def _checkpoints(result: Result) -> Sequence[str]:
    return [panel.checkpoint for panel in _panels(result)]


def _panels(result: Result) -> list[Panel]:
    if isinstance(result, Prediction):
        return [Panel(snapshot, None, Judge()) for snapshot in result.snapshots]
    if isinstance(result, Observation):
        return [Panel(None, snapshot, Judge()) for snapshot in result.snapshots]
    predicted = {snapshot.checkpoint: snapshot for snapshot in result.prediction.snapshots}
    return [
        Panel(predicted.get(seen.checkpoint), seen, Judge.of(seen.checkpoint, result.findings))
        for seen in (result.observation.snapshots if result.of_one_run else ())
    ]
