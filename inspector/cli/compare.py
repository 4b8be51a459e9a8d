"""`inspector compare`: hold a saved prediction against a recording; needs no gdb and no privileges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inspector.cli.options import AnyPath, html_option, picture_options

if TYPE_CHECKING:
    from inspector.cli.output import Output


@click.command(short_help="Hold a saved prediction against a recording.")
@click.argument("prediction", type=AnyPath())
@click.argument("recording", type=AnyPath())
@html_option
@picture_options
def command(prediction: str, recording: str, html: str | None, shown: Output) -> int:
    """Hold a PREDICTION (predict --json) against a RECORDING (observe -o).

    Example: inspector compare prediction.json hello.json
    """
    from inspector.cli.output import load
    from inspector.cli.pages import PageFile, program_page
    from inspector.model.document import check_document as json_document
    from inspector.model.document import parse_observation, parse_prediction
    from inspector.reconcile import reconcile
    from inspector.report.check import check_document

    page = None if html is None else PageFile(html)
    reconciliation = reconcile(
        parse_prediction(load(prediction), prediction), parse_observation(load(recording), recording)
    )
    if shown.wants_json:
        findings, code = reconciliation.findings, reconciliation.exit_code
        shown.json(json_document(reconciliation.prediction, reconciliation.observation, findings, code))
    shown.picture(reconciliation)
    if page is not None:
        page.save(
            program_page(
                reconciliation.prediction,
                reconciliation.observation if reconciliation.of_one_run else None,
                reconciliation.findings,
                check_document(reconciliation),
            )
        )
    shown.document(check_document(reconciliation, detail=shown.detail))
    shown.finish()
    return reconciliation.exit_code
