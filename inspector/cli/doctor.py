"""`inspector doctor`: what this machine allows."""

from __future__ import annotations

import click

_CANNOT_CHECK = 3


@click.command(short_help="What this machine allows, with the fix for what it does not.")
def command() -> int:
    """Say what this machine allows, and how to mend each thing it does not.

    Example: inspector doctor
    """
    from inspector.cli.output import Output
    from inspector.observe.doctor import can_check, examine
    from inspector.report.doctor import doctor_document

    checks = list(examine())
    Output().document(doctor_document(checks))
    return 0 if can_check(checks) else _CANNOT_CHECK
