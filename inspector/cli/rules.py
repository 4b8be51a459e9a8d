"""`inspector rules`: the catalogue of reasons."""

from __future__ import annotations

import click

from inspector.errors import UsageError


def _ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Let the shell complete ids."""
    from inspector.rules import RULES

    del ctx, param
    return [rule_id for rule_id in RULES if rule_id.startswith(incomplete)]


@click.command(short_help="The catalogue of reasons.")
@click.argument("rule_id", metavar="[ID]", required=False, shell_complete=_ids)
@click.option("--questions", is_flag=True, help="List what people ask, each with the rule that answers.")
def command(rule_id: str | None, questions: bool) -> int:
    """List the rules of Linux that predictions rest on, or show the one named ID, and where it can be seen.

    An area, such as `vma`, lists its rules.

    Example: inspector rules vma.merge
    """
    from inspector.cli.output import Output
    from inspector.examples import EXAMPLES, QUESTIONS
    from inspector.report.rules import catalogue_document, questions_document, rule_document
    from inspector.rules import RULES, find_rule, rules_of_area

    if questions and rule_id is not None:
        raise UsageError("--questions goes without an ID", help=f"try `inspector rules {rule_id}`")
    if questions:
        document = questions_document(QUESTIONS)
    elif rule_id is None:
        document = catalogue_document(list(RULES.values()))
    elif area := rules_of_area(rule_id):
        document = catalogue_document(area)
    else:
        rule = find_rule(rule_id)
        document = rule_document(rule, EXAMPLES.get(rule.id))
    Output().document(document)
    return 0
