"""`inspector layout`: link view beside execution view, and what merging sections saves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inspector.cli.foretell import foretell, require_file
from inspector.cli.options import (
    AnyPath,
    Launching,
    ProgramCommand,
    json_option,
    launching_options,
    machine_profile,
    profile_option,
)
from inspector.errors import InspectorError, UsageError

if TYPE_CHECKING:
    from inspector.layout.views import ElfImage


@click.command(cls=ProgramCommand, short_help="Link view beside execution view; what merging saves.")
@click.argument("program", metavar="PROGRAM", type=AnyPath())
@launching_options
@profile_option
@json_option
@click.option("--verbose", "-v", is_flag=True, help="Show every section, however many there are.")
def command(
    program: str,
    how: Launching,
    profile: str | None,
    json: str | None,
    verbose: bool,
) -> int:
    """Show every section of PROGRAM in its segment, in the area that execve makes of it.

    The areas are predicted; the program is not run. What merging sections by permission saves is counted in
    pages, against a mapping for each section.

    Example: inspector layout fixtures/build/hello
    """
    from inspector.cli.output import Output
    from inspector.layout.document import layout_json
    from inspector.layout.views import views_of
    from inspector.report.layout import layout_document
    from inspector.report.program import short_name

    output = Output(json)
    require_file(program)
    image = _image(program)
    with how.prepare(program) as prepared:
        prediction = foretell(prepared, machine_profile(profile), until="exec")
    views = views_of(image, prediction.snapshots[0] if prediction.snapshots else None)
    if output.wants_json:
        output.json(layout_json(program, prediction.verdict, views))
    if output.wants_text:
        shown = short_name(prediction.program)
        output.document(layout_document(shown, prediction.verdict, views, verbose=verbose))
    output.finish()
    return 0


def _image(path: str) -> ElfImage:
    from inspector.elf.file import ExecutableFile
    from inspector.elf.header import ELF_MAGIC
    from inspector.elf.script import interpreters
    from inspector.layout.views import read_image

    try:
        with ExecutableFile(path) as file:
            if file.read(0, len(ELF_MAGIC)) == ELF_MAGIC:
                return read_image(file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{path or ascii(path)}: {reason}", help="give the path of an ELF file") from error
    behind = interpreters(path, ".")
    advice = f"its interpreter may have some: inspector layout {behind[-1]}" if behind else "give an ELF file"
    raise InspectorError(f"{path}: not an ELF file, so it has no sections", help=advice)
