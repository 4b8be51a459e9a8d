"""`inspector rules`: the catalogue of reasons."""

from __future__ import annotations

import click


@click.command(short_help="The catalogue of reasons.")
@click.argument("rule_id", metavar="[ID]", required=False)
def command(rule_id: str | None) -> int:
    """List the rules of Linux that predictions rest on, or show the one named ID.

    An area, such as `vma`, lists its rules.
    """
    from inspector.cli.output import Output
    from inspector.report.rules import catalogue_document, rule_document
    from inspector.rules import RULES, find_rule, rules_of_area

    if rule_id is None:
        document = catalogue_document(list(RULES.values()))
    elif area := rules_of_area(rule_id):
        document = catalogue_document(area)
    else:
        document = rule_document(find_rule(rule_id))
    Output().document(document)
    return 0
