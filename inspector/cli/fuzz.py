"""`inspector fuzz`: mutants of programs, the prediction against the kernel's answer."""

from __future__ import annotations

import errno
import os
import random
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from inspector.cli.interrupt import Interrupted
from inspector.cli.options import (
    AnyPath,
    json_option,
    layout_option,
    machine_profile,
    profile_option,
    programs_argument,
)
from inspector.errors import CannotSave, InspectorError
from inspector.language import N_, tr
from inspector.model.program import Layout

if TYPE_CHECKING:
    from inspector.cli.output import Output
    from inspector.fuzz.campaign import Campaign, Case, Tally

_PIECE = 200
"""Mutants a worker process tries before it hands in what it found."""
_COUNT = 1000
_SEEDS = 1 << 32
_MOST = 10_000_000


@click.command(short_help="Mutants of programs: predicted and executed up to their first instruction.")
@programs_argument
@click.option(
    "--count",
    "-n",
    type=click.IntRange(1, _MOST),
    metavar="N",
    help="Mutants in all, the programs taking turns. [1000; 1 with --first]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="S", help="What they are made from. [a fresh one]"
)
@click.option(
    "--first",
    type=click.IntRange(min=0),
    metavar="NUMBER",
    help="Begin with this mutant; alone, show it. [0]",
)
@layout_option
@click.option("--keep", type=AnyPath(), metavar="DIR", help="Save the mutants that are shown in DIR.")
@profile_option
@click.option(
    "--jobs", "-j", type=click.IntRange(min=1), metavar="N", help="Processes at a time. [the cores]"
)
@json_option
def command(
    programs: tuple[str, ...],
    count: int | None,
    seed: int | None,
    first: int | None,
    layout: str,
    keep: str | None,
    profile: str | None,
    jobs: int | None,
    json: str | None,
) -> int:
    """Damage each PROGRAM in many ways, predict what execve makes of it, and ask the kernel.

    No mutant executes an instruction: each is stopped at exec and killed there. One whose verdict, areas,
    registers, auxiliary vector or brk are not as predicted is shown, with the fewest changed fields
    that do it, and the command that does it again.

    Example: inspector fuzz fixtures/build/hello --count 200 --seed 1
    """
    from inspector.cli.output import Output
    from inspector.fuzz.campaign import Campaign, Subject

    again: tuple[str, ...] = () if profile is None else (f"--profile={profile}",)
    if layout != Layout.DEFAULT.value:
        again += (f"--layout={layout}",)
    campaign = Campaign(
        subjects=tuple(map(Subject.read, programs)),
        profile=machine_profile(profile),
        seed=random.SystemRandom().randrange(_SEEDS) if seed is None else seed,
        first=first or 0,
        count=count or (_COUNT if first is None else 1),
        layout=Layout(layout),
        tells_all=first is not None and count in (None, 1),
    )
    return _run(campaign, Output(json), _Shown(keep, again), jobs)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What becomes of the mutants that are shown."""

    keep: str | None
    """The directory that they are saved in; it is made when there is one."""
    options: tuple[str, ...]
    """What the command that does it again takes besides seed and number."""


def _run(campaign: Campaign, output: Output, shown: _Shown, jobs: int | None) -> int:
    from inspector.cli.output import Progress
    from inspector.cli.workers import available_cores, side_by_side
    from inspector.fuzz.campaign import Tally
    from inspector.fuzz.document import fuzz_document
    from inspector.report.mutants import tally_lines, tally_text

    if shown.keep is not None:
        _require_directory(shown.keep)
    progress = Progress(campaign.count, N_("mutants"))
    total = Tally()
    progress.show(0)
    pieces = list(campaign.pieces(_PIECE))
    try:
        with closing(side_by_side(_try, pieces, jobs or available_cores())) as outcomes:
            for outcome in outcomes:
                if isinstance(outcome, InspectorError):
                    raise outcome
                total += outcome
                progress.clear()
                for case in outcome.cases:
                    _show(case, output, shown)
                progress.show(total.total)
    except Interrupted:
        progress.clear()
        click.echo(
            tr("{tally}; go on with --seed {seed} --first {first} --count {count}").format(
                tally=tally_text(campaign, total),
                seed=campaign.seed,
                first=campaign.first + total.total,
                count=campaign.count - total.total,
            ),
            err=True,
        )
        raise
    progress.clear()
    output.lines(tally_lines(campaign, total))
    output.json(fuzz_document(campaign, total))
    output.finish()
    return total.exit_code


def _try(piece: Campaign) -> Tally | InspectorError:
    """Run in a worker, where every error is an outcome."""
    try:
        return piece.run()
    except InspectorError as error:
        return error
    except Exception as error:  # noqa: BLE001 - the command says what it was
        from inspector.cli.internal import report_internal_error

        return report_internal_error(error)


def _show(case: Case, output: Output, shown: _Shown) -> None:
    from inspector.fuzz.document import mutant_document
    from inspector.report.mutants import case_line

    output.lines([case_line(case, shown.options, output.style)])
    output.json(mutant_document(case))
    if shown.keep is not None:
        name = f"{os.path.basename(case.program)}-{case.seed}-{case.number}"  # noqa: PTH119 - any bytes
        _save(shown.keep, name, case.contents)


def _require_directory(path: str) -> None:
    """Raise CannotSave for what is there and no directory; one that is not there is made when needed."""
    if os.path.lexists(path) and not os.path.isdir(path):  # noqa: PTH112
        raise CannotSave(f"{path}: {os.strerror(errno.ENOTDIR)}", help="give --keep a directory")


def _save(directory: str, name: str, contents: bytes) -> None:
    path = os.path.join(directory, name)  # noqa: PTH118 - any bytes
    try:
        os.makedirs(directory, exist_ok=True)  # noqa: PTH103
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(contents)
        os.chmod(path, 0o755)  # noqa: PTH101, S103 - programs, to be run by hand
    except OSError as error:
        raise CannotSave(f"{path}: {error.strerror}", help="give --keep a directory with room") from error
