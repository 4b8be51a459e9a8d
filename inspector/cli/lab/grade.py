"""`inspector lab grade`: many submissions, side by side, and what is known already not again."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inspector.cli.lab import recordings_option, secret_option
from inspector.cli.lab.reports import parse_reports, report_option, save_reports
from inspector.cli.options import AnyPath
from inspector.errors import UsageError
from inspector.language import N_, tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.lab.exercise import Exercise
    from inspector.lab.grader import Grader
    from inspector.lab.journal import Journal
    from inspector.lab.result import ResultJson

_JOURNAL = ".inspector-grades.jsonl"
_SHEETS = ("answers.toml", "answers.csv")


@dataclass(frozen=True, slots=True)
class Submission:
    """A folder that was handed in, and whose it is."""

    path: Path
    student: str


@dataclass(slots=True)
class Grading:
    """All submissions of a directory, graded or to be graded."""

    grader: Grader
    submissions: Sequence[Submission]
    journal: Journal | None
    results: dict[int, ResultJson] = field(default_factory=dict)

    def run(self, jobs: int) -> list[ResultJson]:
        """Grade what is not known yet, and return all results in order."""
        from inspector.cli.output import Progress
        from inspector.cli.workers import WorkerDied, side_by_side
        from inspector.lab.result import unjudged

        keys = [self.grader.key(each.path, each.student) for each in self.submissions]
        if self.journal is not None:
            known = self.journal.known
            self.results |= {index: known[key] for index, key in enumerate(keys) if key in known}
        left = [index for index in range(len(keys)) if index not in self.results]
        progress = Progress(len(keys), N_("submissions"))
        progress.show(len(self.results))
        todo = [self.submissions[index] for index in left]
        with closing(side_by_side(partial(_graded, self.grader), todo, jobs)) as outcomes:
            for index, outcome in zip(left, outcomes, strict=True):
                result = outcome
                if isinstance(result, WorkerDied):
                    one = self.submissions[index]
                    result = unjudged(self.grader.exercise, one.path.name, one.student, str(result))
                self.results[index] = result
                if self.journal is not None:
                    self.journal.add(keys[index], result)
                progress.show(len(self.results))
        progress.clear()
        return [self.results[index] for index in range(len(keys))]


@click.command(short_help="For teachers: grade all submissions of a directory.")
@click.argument("directory", metavar="DIR", type=AnyPath())
@click.option(
    "--exercise", "name", required=True, metavar="NAME", help="What was to be done: its name, or FILE.toml."
)
@click.option("--student", metavar="ID", help="DIR is the one submission of this student.")
@secret_option
@recordings_option
@click.option("--recordings-only", is_flag=True, help="Run no program here; only recordings tell.")
@click.option("--unsafe", is_flag=True, help="Run loaders without a sandbox, as far as limits go.")
@click.option(
    "--jobs", "-j", type=click.IntRange(min=1), metavar="N", help="Submissions at a time. [the cores]"
)
@click.option("--again", is_flag=True, help="Grade anew what has been graded.")
@click.option(
    "--journal",
    "journal_file",
    type=AnyPath(),
    metavar="FILE",
    help="Where grading goes on from. [DIR/.inspector-grades.jsonl]",
)
@report_option
@click.option("--verbose", "-v", is_flag=True, help="Show what is wrong in each submission.")
def command(
    directory: str,
    name: str,
    student: str | None,
    secret: str | None,
    recordings: str | None,
    recordings_only: bool,
    unsafe: bool,
    jobs: int | None,
    again: bool,
    journal_file: str | None,
    reports: tuple[str, ...],
    verbose: bool,
) -> int:
    """Grade every folder of DIR; its name is the student's ID.

    A grading that was interrupted goes on where it was; a submission that changed is graded anew. Exit code
    0: all was judged, whatever it earned; 3: something could not be.

    Example: inspector lab grade handed-in --exercise address-space --report csv=grades.csv
    """
    from inspector.cli.output import Output
    from inspector.cli.workers import available_cores
    from inspector.lab.exercise import load_exercise
    from inspector.lab.journal import Journal
    from inspector.lab.result import ALL_RIGHT, NOT_JUDGED
    from inspector.report.lab.table import grade_document

    wanted = parse_reports(reports)
    exercise = load_exercise(name)
    top = Path(directory).resolve()
    submissions = [Submission(top, student)] if student else submissions_in(top)
    _tell_what_is_left_out(top, submissions)
    journal = None
    if not student or journal_file:
        place = Path(journal_file) if journal_file else top / _JOURNAL
        journal = Journal(place) if again else Journal.open(place)
    grader = _grader(exercise, secret, recordings, recordings_only=recordings_only, unsafe=unsafe)
    # Without a sandbox loaders run as one user, and could end each other.
    jobs = 1 if unsafe and exercise.loader else jobs or available_cores()
    results = Grading(grader, submissions, journal).run(jobs)
    if not save_reports(wanted, results, single=student is not None):
        Output().document(grade_document(results, verbose=verbose))
    return ALL_RIGHT if all(result.is_judged for result in results) else NOT_JUDGED


def submissions_in(directory: Path) -> list[Submission]:
    """Return the folders of a directory by name; links too, to be refused by name.

    Raises UsageError.
    """
    try:
        entries = sorted(directory.iterdir())
    except OSError as error:
        raise UsageError(
            f"{directory}: {error.strerror}", help="give the directory of the submissions"
        ) from error
    if any(entry.name in _SHEETS for entry in entries):
        raise UsageError(
            f"{directory} is one submission", help="name whose with --student, or give the directory above"
        )
    found = [
        Submission(entry, entry.name)
        for entry in entries
        if not entry.name.startswith(".") and (entry.is_dir() or entry.is_symlink())
    ]
    if not found:
        raise UsageError(
            f"there is no submission in {directory}", help="each is a folder in it, named for its student"
        )
    return found


def _tell_what_is_left_out(top: Path, submissions: Sequence[Submission]) -> None:
    """Say on stderr what lies beside the submissions and is no folder: an archive that nobody unpacked."""
    from inspector.report.text import printable

    paths = {each.path for each in submissions}
    if top in paths:
        return
    names = sorted(each.name for each in top.iterdir() if each not in paths and each.name != _JOURNAL)
    if names:
        shown = ", ".join([*map(printable, names[:10]), *["..."] * (len(names) > 10)])  # noqa: PLR2004 - a line
        click.echo(
            tr("inspector: left out, for they are no folders of students: {names}").format(names=shown),
            err=True,
        )


def _grader(
    exercise: Exercise, secret: str | None, recordings: str | None, *, recordings_only: bool, unsafe: bool
) -> Grader:
    from inspector.lab.grader import Grader
    from inspector.lab.grounds import Grounds, Nothing
    from inspector.lab.pace import machine_pace
    from inspector.lab.secret import read_secret
    from inspector.model.document import profile_document

    pace = machine_pace()
    grounds = Grounds.here(recordings, exercise.seconds * pace)
    if recordings_only:
        grounds = Grounds(Nothing("no program is run here (--recordings-only)"), None, grounds.recordings)
    profile = b"{}\n" if grounds.profile is None else profile_document(grounds.profile)
    return Grader(exercise, read_secret(secret), grounds, pace, unsafe, profile)


def _graded(grader: Grader, submission: Submission) -> ResultJson:
    """Grade one submission, in a worker, where every error is a result."""
    from inspector.lab.result import unjudged

    try:
        return grader.grade(submission.path, submission.student)
    except Exception as error:  # noqa: BLE001 - a bug met by one submission is not the end of the others
        from inspector.cli.internal import report_internal_error

        failure = report_internal_error(error)
        return unjudged(grader.exercise, submission.path.name, submission.student, str(failure))
