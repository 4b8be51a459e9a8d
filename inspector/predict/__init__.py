"""Wing 1: what Linux would do. It never imports `inspector.observe`, and cannot peek."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.errors import CannotObserve
from inspector.model.prediction import Assumption, NotModelledAt, Prediction
from inspector.model.registers import REGISTER_NAMES
from inspector.predict.kernel.exec import execve
from inspector.predict.kernel.kernel import Kernel
from inspector.predict.kernel.start_process import NativeProcess, Process
from inspector.predict.machine.alarm import Deadline
from inspector.predict.machine.rerun import Disturbed, Special, SpecialMet
from inspector.verb import Verb

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from inspector.model.ending import Ending
    from inspector.model.folio import FolioLayout
    from inspector.model.profile import MachineProfile, RandomBases
    from inspector.model.program import Program
    from inspector.model.registers import Registers
    from inspector.predict.machine.references import PageReferences

__all__ = ["name_random_registers", "predict", "second_opinion"]

sys.modules[__name__].__class__ = Verb


def predict(
    program: Program,
    profile: MachineProfile,
    *,
    bases: RandomBases | None = None,
    stops: Sequence[str] = (),
    until: str | None = None,
    seconds: float = 60.0,
    chance: int = 0,
    folios: FolioLayout | None = None,
    shared_descriptors: Collection[int] = (),
    references: PageReferences | None = None,
) -> Prediction:
    """Predict what the machine of `profile` does when it executes `program`, to its end.

    `bases` are ASLR's choices, needed when `program.randomize` is set. Snapshots are taken at exec, main,
    each of `stops` and exit; `until` names the last one wanted. What is not modelled ends the prediction
    there, named in `Prediction.not_modelled`; nothing is guessed. Raises UsageError where a
    stop does not exist. A simulation that takes more than `seconds` ends there as not
    modelled. `chance` chooses among assumptions about what is random. `folios` tells how the files that
    the program maps lie in the page cache; without it, page by page. `shared_descriptors` are those
    that the program has in common with this process, under the same numbers, beside its own 0, 1 and 2.
    `references`, if given, holds afterwards which pages the first process has referred to, from its
    first instruction on.
    """
    if program.randomize and bases is None:
        return Prediction(
            program=program,
            profile=profile,
            verdict=None,
            not_modelled=NotModelledAt("the random bases of ASLR"),
        )
    deadline = Deadline(seconds)
    first_of: dict[Special, int] = {}
    while True:
        with Kernel(
            profile,
            chance=chance,
            folios=folios,
            first_of=first_of,
            shared_descriptors=shared_descriptors,
            references=references,
        ) as kernel:
            try:
                return _predict(kernel, program, bases, stops, until, deadline)
            except Disturbed:
                continue
            except SpecialMet as met:
                first_of[met.kind] = met.number


def _predict(
    kernel: Kernel,
    program: Program,
    bases: RandomBases | None,
    stops: Sequence[str],
    until: str | None,
    deadline: Deadline,
) -> Prediction:
    """Predict on a machine just booted. Raises SpecialMet or Disturbed where it is to be done again."""
    assumptions: tuple[Assumption, ...] = ()
    if bases is not None:
        assumptions = tuple(Assumption(name, f"{value:#x}") for name, value in vars_of(bases))
    if program.path != program.requested:
        kernel.own_file = program.path
    result = execve(program, kernel, bases)
    if kernel.references is not None:
        kernel.references.clear()
    limit = result.not_modelled
    not_modelled = None if limit is None else NotModelledAt(limit.what, limit.ip, limit.help)
    if result.process is not None:
        assumptions += tuple(
            Assumption(f"contents of {file.path}", "what they were: too large to be hashed")
            for file in result.files
            if file.sha256 is None
        )
    snapshots = [result.process.snapshot()] if result.process is not None else []
    ending = faults = None
    children: tuple[Ending, ...] = ()
    unreached: tuple[str, ...] = ()
    if isinstance(result.process, NativeProcess) and result.executable is not None and until != "exec":
        from inspector.elf.stops import plan_stops

        plan_stops(result.executable, stops, until)  # a stop that does not exist is said to be
        not_modelled = NotModelledAt("64-bit program's instructions")
    if isinstance(result.process, Process) and result.executable is not None and until != "exec":
        from inspector.elf.stops import plan_stops, unreached_stops
        from inspector.predict.simulation import Simulation

        plan = plan_stops(result.executable, stops, until)
        simulation = Simulation(result.process, kernel, plan, deadline)
        simulation.run()
        snapshots += simulation.snapshots
        not_modelled, ending, faults = simulation.not_modelled, simulation.ending, kernel.faults
        if ending is not None:
            children = tuple(task.ending for task in kernel.tasks[1:] if task.ending is not None)
            unreached = unreached_stops(stops, until, (snapshot.checkpoint for snapshot in snapshots))
        assumptions += tuple(Assumption(name, text) for name, text in kernel.assumptions.items())
    return Prediction(
        program=program,
        profile=kernel.profile,
        verdict=result.verdict,
        files=result.files,
        script=result.script,
        snapshots=tuple(snapshots),
        not_modelled=not_modelled,
        bases=bases,
        assumptions=assumptions,
        faults=faults,
        ending=ending,
        children=children,
        unreached=unreached,
    )


def second_opinion(prediction: Prediction, until: str) -> Prediction:
    """Return the prediction once more, up to the checkpoint `until`, with everything random otherwise.

    What differs between the two depends on chance, and cannot be known (rule `register.random`).
    """
    from inspector.elf.stops import stop_at

    names = (stop_at(snapshot.checkpoint) for snapshot in prediction.snapshots)
    return predict(
        prediction.program,
        prediction.profile,
        bases=prediction.bases,
        stops=[name for name in names if name not in ("exec", "main", "exit")],
        until=stop_at(until),
        chance=0xFF,
    )


def name_random_registers(prediction: Prediction) -> Prediction:
    """Return `prediction` with every snapshot naming the registers that depend on chance.

    They are found by a second opinion, so the files it was made from must still be there, unchanged; later,
    or on another machine, nobody could tell. Raises InspectorError or OSError where they are not.
    """
    later = [snapshot.checkpoint for snapshot in prediction.snapshots if snapshot.checkpoint != "exec"]
    if not later:
        return prediction
    opinion = second_opinion(prediction, later[-1])
    if opinion.files != prediction.files:
        raise CannotObserve(f"{prediction.program.path} is not what it was", help="predict it again")
    others = {snapshot.checkpoint: snapshot.registers for snapshot in opinion.snapshots}
    return replace(
        prediction,
        snapshots=tuple(
            replace(snapshot, random_registers=_differing(snapshot.registers, others[snapshot.checkpoint]))
            if snapshot.checkpoint in others
            else snapshot
            for snapshot in prediction.snapshots
        ),
    )


def _differing(mine: Registers | None, other: Registers | None) -> tuple[str, ...] | None:
    if mine is None or other is None:
        return None
    return tuple(name for name in REGISTER_NAMES if getattr(mine, name) != getattr(other, name))


def vars_of(bases: RandomBases) -> list[tuple[str, int]]:
    """Return the named inputs ASLR leaves to chance."""
    return [(name, getattr(bases, name)) for name in bases.__dataclass_fields__]
