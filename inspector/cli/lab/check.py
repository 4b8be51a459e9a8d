"""`inspector lab check`: what a student is told of their own answers."""

from __future__ import annotations

import click

from inspector.cli.lab import recordings_option
from inspector.cli.lab.reports import parse_reports, report_option, save_reports
from inspector.cli.options import AnyPath

_WANTED = "give the folder that `inspector lab new` made"


@click.command(short_help="For students: which rows are right, hints, the score so far.")
@click.argument("directory", metavar="[DIR]", default=".", type=AnyPath())
@click.option("--exercise", metavar="FILE", help="An exercise that is not one of inspector's own.")
@recordings_option
@click.option("--unsafe", is_flag=True, help="Run your own loader without a sandbox.")
@report_option
def command(
    directory: str, exercise: str | None, recordings: str | None, unsafe: bool, reports: tuple[str, ...]
) -> int:
    """Say which rows of the answers in DIR are right, the folder that `lab new` made.

    The files of the folder are run to know. Hints come with the attempts. Exit code 0: all is right; 1: not
    yet; 3: something could not be judged here.

    Example: inspector lab check address-space/alice
    """
    from inspector.cli.output import Output
    from inspector.errors import UsageError
    from inspector.lab.assess import assess
    from inspector.lab.attempts import unlocked_hints
    from inspector.lab.exercise import load_exercise, ready_names
    from inspector.lab.folder import BadSubmission, Folder
    from inspector.lab.grounds import Grounds
    from inspector.lab.loader import SandboxedLoader
    from inspector.lab.pace import machine_pace
    from inspector.lab.result import result_of, without_truth
    from inspector.lab.sheet import BadSheet, read_sheet
    from inspector.model.document import profile_document
    from inspector.report.lab.table import check_document
    from inspector.report.text import counted

    wanted = parse_reports(reports)
    folder = Folder(directory)
    try:
        manifest = folder.manifest()
        if manifest is None:
            raise UsageError(
                f"{directory} has no lab.json", help="give the folder that `inspector lab new` made"
            )
        if exercise is None and manifest.exercise not in ready_names():
            raise UsageError(
                f"{directory} was made for the exercise {manifest.exercise!r:.80}, a teacher's own",
                help="give its file: --exercise FILE.toml",
            )
        lab = load_exercise(exercise or manifest.exercise)
        variant = folder.variant()
        written = read_sheet(*folder.sheet(), lab)
        pace = machine_pace()
        grounds = Grounds.here(recordings, lab.seconds * pace)
        profile = b"{}\n" if grounds.profile is None else profile_document(grounds.profile)
        loader = SandboxedLoader(directory, pace, unsafe, profile)
        verdicts, notes = assess(lab, variant, written, grounds.evidence(manifest.machine), loader)
    except (BadSubmission, BadSheet) as error:
        raise UsageError(f"{directory}: {error}", help=error.help or _WANTED) from error
    visible = [verdict for verdict in verdicts if verdict.visibility == "visible"]
    if len(visible) < len(verdicts):
        notes.append(f"{counted(len(verdicts) - len(visible), 'question')} will be graded later")
    said = [*written.notes, *notes]
    result = result_of(lab, visible, submission=directory, student=manifest.student, notes=said)
    hints = unlocked_hints(directory, lab, written, result)
    if not save_reports(wanted, [without_truth(result)], single=True):
        Output().document(check_document(result, hints, truth=False))
    return result.exit_code
