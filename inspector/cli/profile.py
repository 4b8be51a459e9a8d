"""`inspector profile`: what predictions know of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inspector.cli.options import AnyPath, machine_profile, output_options

if TYPE_CHECKING:
    from inspector.cli.output import Output


@click.command(short_help="What predictions know of this machine.")
@click.option("--profile", type=AnyPath(), metavar="FILE", help="Show this profile, not this machine's.")
@click.option("--probe", is_flag=True, help="Probe the machine again, though it was probed since it booted.")
@click.option(
    "--output", "-o", type=AnyPath(), metavar="FILE", help="Save the profile, for --profile elsewhere."
)
@output_options
def command(profile: str | None, probe: bool, output: str | None, shown: Output) -> int:
    """Probe this machine, once a boot, and show what a prediction may know of it.

    Example: inspector profile -o machine.json
    """
    from inspector.model.document import profile_document as json_document
    from inspector.report.profile import profile_document

    if probe and profile is None:
        from inspector.observe.probe import probe_profile

        found = probe_profile()
    else:
        found = machine_profile(profile)
    if output is not None:
        from inspector.observe.profile_store import save_profile

        save_profile(output, found)
    if shown.wants_json:
        shown.json(json_document(found))
    shown.document(profile_document(found))
    shown.finish()
    return 0
