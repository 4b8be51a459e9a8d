"""`inspector rules`: the catalogue of reasons."""

from __future__ import annotations

import click

from inspector.errors import UsageError


@click.command(short_help="The catalogue of reasons.")
@click.argument("rule_id", metavar="[ID]", required=False)
def command(rule_id: str | None) -> int:
    """List the rules of Linux that predictions rest on, or show the one named ID.

    An area, such as `vma`, lists its rules.
    """
    from inspector.cli.output import Output
    from inspector.report.rules import catalogue_document, rule_document
    from inspector.rules import RULES

    output = Output()
    if rule_id in RULES:
        output.document(rule_document(RULES[rule_id]))
        return 0
    chosen = [rule for rule in RULES.values() if rule_id in (None, rule.id.partition(".")[0])]
    if not chosen:
        from difflib import get_close_matches

        close = get_close_matches(rule_id or "", RULES, n=1)
        msg = f"there is no rule {rule_id!r}"
        raise UsageError(msg, help=f"did you mean {close[0]}?" if close else "`inspector rules` lists them")
    output.document(catalogue_document(chosen))
    return 0
