"""`inspector replace`: which page leaves when one comes and every frame is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inspector.cli.options import AnyPath, ProgramCommand, json_option, predicting_option
from inspector.errors import UsageError
from inspector.language import N_in, tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.cli.output import Output
    from inspector.simulators.replacement import ProgramReferences, Replacement

_NOT_MODELLED = 3
_DRAWN_LENGTH, _ANOMALOUS_LENGTH = 12, 24
_DRAWN_PAGES = 6
_WORKING_SET = "working-set"
_MOST_CURVE_FRAMES = 64
_MOST_TRIES = 10_000


@click.command(cls=ProgramCommand, short_help="Page replacement: who leaves when every frame is taken.")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="NAME",
    help="fifo, lru, clock, lfu, random, opt or working-set; may be repeated. [fifo]",
)
@click.option("--frames", type=int, default=3, metavar="N", help="How many frames there are. [3]")
@click.option("--window", type=int, default=4, metavar="N", help="Of working-set: its references. [4]")
@click.option("--refs", metavar="PAGES", help='The string of references: "1 2 3 4 1 2 5".')
@click.option(
    "--program",
    type=AnyPath(),
    metavar="FILE",
    help="Take the references of a predicted run of it [-- ARG...].",
)
@click.option("--length", type=int, metavar="N", help="Without --refs: how many. [12; 24 with --anomaly]")
@click.option(
    "--pages", type=int, default=_DRAWN_PAGES, metavar="N", help="Without --refs: of how many pages. [6]"
)
@click.option(
    "--locality", type=float, default=0.5, metavar="P", help="Without --refs: how often to stay near. [0.5]"
)
@click.option("--seed", type=int, metavar="S", help="What random strings and random victims are drawn from.")
@click.option("--curve", is_flag=True, help="The faults for every number of frames instead.")
@click.option(
    "--anomaly", is_flag=True, help="Draw strings until fifo faults more with more frames; implies --curve."
)
@click.option("--solve", is_flag=True, help="Show the answers.")
@predicting_option
@json_option
def command(
    policies: tuple[str, ...],
    frames: int,
    window: int,
    refs: str | None,
    program: str | None,
    length: int | None,
    pages: int,
    locality: float,
    seed: int | None,
    curve: bool,
    anomaly: bool,
    solve: bool,
    seconds: float,
    json: str | None,
) -> int:
    """Play a string of page references through a replacement policy.

    The table is a question; --solve fills it in. Without --refs the string is drawn at random, and the seed
    shown.

    Of a program, a reference is every change of page in what the simulated processor does: the page an
    instruction is fetched from, then those it reads and writes, the kernel's accesses for it among them.

    Example: inspector replace --policy lru --frames 3 --refs "1 2 3 4 1 2 5"
    """
    from inspector.cli.output import Output

    if length is None:
        length = _ANOMALOUS_LENGTH if anomaly else _DRAWN_LENGTH
    names = policies or ("fifo",)
    output = Output(json)
    drawn = (refs is None and program is None) or "random" in names
    asked = seed
    if seed is None:
        import secrets

        seed = secrets.randbelow(1 << 32)
    _check_source(refs, program, anomaly=anomaly)
    run = None
    if program is not None:
        run, references = _program_references(program, seconds)
    elif anomaly:
        seed, references = _anomalous(length, pages, seed, locality)
    else:
        references = _given_or_drawn(refs, length, pages, seed, locality)
    if curve or anomaly:
        _show_curves(output, names, references, run, seed=seed, solve=solve)
    else:
        for name in names:
            _show(output, _played(name, references, frames, window, seed), run, solve=solve)
    if drawn:
        found = anomaly and asked not in (None, seed)
        words = (
            tr("drawn with --seed {seed}, the first from {asked} on whose string shows the anomaly")
            if found
            else tr("drawn with --seed {seed}")
        )
        output.lines(["", words.format(seed=seed, asked=asked)])
    output.finish()
    return 0 if run is None or run.not_modelled is None else _NOT_MODELLED


def _check_source(refs: str | None, program: str | None, *, anomaly: bool) -> None:
    """Raise UsageError where there are two sources of references, or arguments for no program."""
    from inspector.cli.options import arguments

    if anomaly and (refs is not None or program is not None):
        raise UsageError(
            "--anomaly draws strings of its own", help="leave out the references, or ask for their --curve"
        )
    if refs is not None and program is not None:
        raise UsageError("--refs and --program are two strings of references", help="give one of them")
    if program is None and arguments():
        raise UsageError("what follows -- is meant for a program", help="name it with --program FILE")


def _given_or_drawn(refs: str | None, length: int, pages: int, seed: int, locality: float) -> list[int]:
    from inspector.simulators.replacement import parse_references, random_references

    if refs is not None:
        return parse_references(refs)
    return random_references(length, pages, seed, locality)


def _program_references(path: str, seconds: float) -> tuple[ProgramReferences, Sequence[int]]:
    """Return what is known of a predicted run, and its references. Raises InspectorError if it has none."""
    from inspector.cli.foretell import foretell, nothing_to_show, require_file
    from inspector.cli.options import launching_of, machine_profile
    from inspector.predict.machine.references import PageReferences
    from inspector.simulators.replacement import ProgramReferences

    require_file(path)
    found = PageReferences()
    with launching_of().prepare(path) as program:
        prediction = foretell(program, machine_profile(None), seconds=seconds, references=found)
    limit = prediction.not_modelled
    if not found.pages:
        raise nothing_to_show(path, prediction, N_in("error", "there are no references"))
    return ProgramReferences(
        path, found.instructions, found.accesses, None if limit is None else limit.what
    ), found.pages


def _played(name: str, references: Sequence[int], frames: int, window: int, seed: int) -> Replacement:
    from inspector.simulators.replacement import Replacement, make_policy, replay

    policy = make_policy(name, frames=frames, references=references, seed=seed, window=window)
    steps = tuple(replay(references, policy))
    return Replacement(
        name, policy.frames, window if name == _WORKING_SET else None, tuple(references), steps
    )


def _show(output: Output, replacement: Replacement, run: ProgramReferences | None, *, solve: bool) -> None:
    from inspector.report.replacement import replacement_document
    from inspector.simulators.replacement.document import replacement_json

    if output.wants_json:
        output.json(replacement_json(replacement, run, solve=solve))
    output.document(replacement_document(replacement, run, solve=solve))


def _show_curves(
    output: Output,
    names: Sequence[str],
    references: Sequence[int],
    run: ProgramReferences | None,
    *,
    seed: int,
    solve: bool,
) -> None:
    from inspector.report.replacement import curve_document
    from inspector.simulators.replacement import anomalies, fault_curve
    from inspector.simulators.replacement.document import curve_json

    if _WORKING_SET in names:
        raise UsageError("working-set takes as many frames as it needs", help="leave it out of --curve")
    most = min(len(set(references)) + 1, _MOST_CURVE_FRAMES)
    curves = {name: fault_curve(name, references, most, seed) for name in names}
    if output.wants_json:
        output.json(curve_json(references, curves, run, solve=solve))
    odd = {name: anomalies(curve) for name, curve in curves.items()}
    output.document(curve_document(dict(curves), len(references), odd, run, solve=solve))


def _anomalous(length: int, pages: int, seed: int, locality: float) -> tuple[int, list[int]]:
    """Return the first seed from `seed` on whose string shows Belady's anomaly, and the string."""
    from inspector.simulators.replacement import anomalies, fault_curve, random_references

    for tried in range(seed, seed + _MOST_TRIES):
        references = random_references(length, pages, tried, locality)
        if anomalies(fault_curve("fifo", references, min(pages, _MOST_CURVE_FRAMES))):
            return tried, references
    raise UsageError(
        f"none of {_MOST_TRIES} strings shows the anomaly",
        help="draw longer ones, of 5 pages or more: --length 20",
    )
