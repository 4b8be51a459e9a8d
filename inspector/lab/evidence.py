"""The truth's source: what Linux did with a variant's files, live or from a recording.

A question never sees a prediction here. What the machine does not allow is asked of a recording made
elsewhere; what neither tells is not told (`NotTold`), and the question could not be judged.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from inspector.errors import InspectorError
from inspector.lab.needs import Needs, NotTold
from inspector.lab.variant import file_sha256
from inspector.model.observation import Observation
from inspector.model.prediction import FileIdentity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.model.fault import Fault
    from inspector.model.snapshot import Snapshot

PROGRAM_PATH = "/proc/self/fd/900"
"""What execve is given where a question is about the process at exec: the same path for everyone, so that
the strings on the stack, and with them the stack pointer, are too (observe/exec_stage.py)."""
RUN_PATH_BYTES = 64
"""How long the path is by which a program is run that is followed further: the same for everyone, too,
whatever the directory it is staged in."""
_SECONDS = 30.0


class Source(Protocol):
    """Where observations are to be had."""

    @property
    def name(self) -> str:
        """In words, for results: `this machine`."""
        ...

    def observation(self, contents: bytes, arguments: tuple[str, ...], needs: Needs) -> Observation:
        """Return what Linux did with a file. Raises InspectorError where that is not to be had."""


@dataclass(slots=True)
class Live:
    """This machine: each file is run, once for each thing that is asked."""

    name: str = "this machine"
    seconds: float = _SECONDS
    _seen: dict[tuple[str, tuple[str, ...], Needs], Observation] = field(default_factory=dict)

    def observation(self, contents: bytes, arguments: tuple[str, ...], needs: Needs) -> Observation:
        """Run the file, or return what was seen of it before. Raises InspectorError."""
        asked = (file_sha256(contents), arguments, needs)
        if asked not in self._seen:
            self._seen[asked] = observe_file(contents, arguments, needs, self.seconds)
        return self._seen[asked]


def observe_file(
    contents: bytes, arguments: tuple[str, ...], needs: Needs, seconds: float = _SECONDS
) -> Observation:
    """Run a file and return what was seen. Raises InspectorError where this machine does not allow it."""
    try:
        if needs is Needs.EXEC:
            return _at_exec(contents, arguments)
        return _followed(contents, arguments, needs, seconds)
    except (OSError, ImportError) as error:
        raise NotTold(f"this machine cannot run it: {error}", help="see `inspector doctor`") from error


def _at_exec(contents: bytes, arguments: tuple[str, ...]) -> Observation:
    from inspector.observe.exec_stage import ExecStage
    from inspector.observe.host import host_facts

    with ExecStage(contents, arguments=arguments) as stage:
        stage.set_file(contents)
        seen = stage.execute(stage.program)
    return Observation(
        program=stage.program,
        host=host_facts(gdb=None),
        verdict=seen.verdict,
        files=(_identity(contents),),
        snapshots=() if seen.snapshot is None else (seen.snapshot,),
    )


def _followed(contents: bytes, arguments: tuple[str, ...], needs: Needs, seconds: float) -> Observation:
    from inspector.observe.staging import prepare

    with tempfile.TemporaryDirectory(prefix="inspector-lab-") as directory:
        path = _written(Path(directory) / "prog", contents)
        with prepare(path) as tried:
            missing = RUN_PATH_BYTES - len(tried.path)
        if missing < 0 or tried.not_staged is not None:
            raise NotTold(f"the program cannot be staged: {tried.not_staged or tried.path}")
        path = _written(Path(directory) / f"prog{'-' * missing}", contents)
        with prepare(path, arguments=arguments) as program:
            if Needs.STOPS in needs:
                from inspector.observe import observe

                seen: Observation = observe(program, seconds=seconds, faults=Needs.FAULTS in needs)
                if seen.cut_short is not None:
                    raise NotTold(f"the run was cut short: {seen.cut_short}")
                return replace(seen, files=(_identity(contents),))
            from inspector.observe.host import host_facts
            from inspector.observe.perf.witness import record_faults

            trace = record_faults(program, seconds=seconds)
            if trace.faults is None:
                raise NotTold("; ".join(trace.notes) or "page faults were not recorded")
            return Observation(
                program=program,
                host=host_facts(gdb=None),
                verdict=trace.verdict,
                files=(_identity(contents),),
                ending=trace.ending,
                faults=trace.faults,
                fault_source=None if trace.source is None else trace.source.value,
                faults_lost=trace.lost,
                faults_complete=trace.complete,
                reclaim_at_faults=trace.reclaim,
            )


def _written(path: Path, contents: bytes) -> str:
    path.write_bytes(contents)
    path.chmod(0o755)
    return os.fspath(path)


def _identity(contents: bytes) -> FileIdentity:
    return FileIdentity(PROGRAM_PATH, (0, 0), 0, len(contents), file_sha256(contents))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is to be had of one variant: the sources in turn, the live process first."""

    sources: Sequence[Source]

    def observe(self, contents: bytes, arguments: tuple[str, ...], needs: Needs) -> tuple[Observation, str]:
        """Return what Linux did with a file, and the name of the source. Raises NotTold."""
        refusals = []
        for source in self.sources:
            try:
                return source.observation(contents, arguments, needs), source.name
            except InspectorError as error:
                refusals.append(f"{source.name}: {error}")
        raise NotTold("; ".join(refusals) or "there is no source of truth")


def snapshot_at(observation: Observation, checkpoint: str) -> Snapshot:
    """Return the process at a stop. Raises NotTold."""
    for each in observation.snapshots:
        if each.checkpoint == checkpoint:
            return each
    raise NotTold(f"the process was not seen at {checkpoint}")


def undisturbed(observation: Observation) -> Observation:
    """Return an observation of whose pages gdb has changed none. Raises NotTold."""
    if observation.perturbations:
        raise NotTold("gdb changed what is resident in the process")
    return observation


def faults_of(observation: Observation) -> Sequence[Fault]:
    """Return all page faults of the first process. Raises NotTold if any could be missing."""
    if observation.faults is None:
        raise NotTold("the page faults were not recorded")
    if observation.faults_lost or not observation.faults_complete:
        raise NotTold("some page faults were lost")
    return [fault for fault in observation.faults if fault.process == 0]
