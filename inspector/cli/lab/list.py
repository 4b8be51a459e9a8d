"""`inspector lab list`: the exercises that come with inspector."""

from __future__ import annotations

import click


@click.command(short_help="The exercises there are, or one in full.")
@click.argument("name", required=False)
@click.option("--teacher", is_flag=True, help="Show the note for teachers, too.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of exercises instead.")
def command(name: str | None, teacher: bool, schema: bool) -> int:
    """List the ready exercises, or show the one of a NAME or of a FILE.toml.

    Example: inspector lab list address-space --teacher
    """
    from inspector.cli.output import Output
    from inspector.lab.exercise import exercise_schema, load_exercise, ready_names
    from inspector.report.lab.table import exercise_document, exercises_document

    output = Output()
    if schema:
        import json

        output.lines(json.dumps(exercise_schema(), indent=1).splitlines())
    elif name is None:
        output.document(exercises_document([load_exercise(each) for each in ready_names()]))
    else:
        output.document(exercise_document(load_exercise(name), note=teacher))
    return 0
