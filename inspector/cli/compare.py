"""`inspector compare`: hold a saved prediction against a recording; needs no gdb and no privileges."""

from __future__ import annotations

import click

from inspector.cli.options import AnyPath, output_options


@click.command(short_help="Hold a saved prediction against a recording.")
@click.argument("prediction", type=AnyPath())
@click.argument("recording", type=AnyPath())
@output_options
def command(prediction: str, recording: str, json: str | None, verbose: bool) -> int:
    """Hold a PREDICTION (predict --json) against a RECORDING (observe -o)."""
    from inspector.cli.output import Output, load
    from inspector.model.document import check_document as json_document
    from inspector.model.document import parse_observation, parse_prediction
    from inspector.reconcile import reconcile
    from inspector.report.check import check_document

    output = Output(json, verbose=verbose)
    reconciliation = reconcile(
        parse_prediction(load(prediction), prediction), parse_observation(load(recording), recording)
    )
    if output.wants_json:
        findings, code = reconciliation.findings, reconciliation.exit_code
        output.json(json_document(reconciliation.prediction, reconciliation.observation, findings, code))
    output.document(check_document(reconciliation, verbose=verbose))
    output.finish()
    return reconciliation.exit_code
