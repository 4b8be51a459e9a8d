"""The result of the first wing."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from inspector.model.ending import Ending
from inspector.model.fault import Fault
from inspector.model.notebook import ShownInNotebooks
from inspector.model.profile import MachineProfile, RandomBases
from inspector.model.program import Program
from inspector.model.snapshot import Snapshot


class Outcome(enum.Enum):
    """What execve did."""

    RUNS = "runs"
    REFUSED = "refused"
    """It returned an errno; the old program goes on."""
    KILLED = "killed"
    """It failed after the point of no return: the process is killed by a signal."""


@dataclass(frozen=True, slots=True)
class ExecVerdict:
    """The kernel's answer to execve, predicted or observed."""

    outcome: Outcome
    errno: str | None = None
    """`ENOEXEC`; only with REFUSED."""
    signal: str | None = None
    """`SIGSEGV`; only with KILLED."""
    rule: str | None = None
    """What decided; None when observed, for the kernel gives no reason."""

    def __str__(self) -> str:
        """`runs`, `refused: ENOEXEC` or `killed: SIGSEGV`."""
        detail = self.errno or self.signal
        return f"{self.outcome.value}: {detail}" if detail else self.outcome.value


@dataclass(frozen=True, slots=True)
class ScriptChain:
    """How execve came from a script to the program that runs it, as far as it came."""

    interpreters: tuple[str, ...]
    """What each `#!` line names, in turn; the last is the program, and may be a path that leads nowhere."""
    argv: tuple[str, ...]
    """The arguments that the program is started with."""


@dataclass(frozen=True, slots=True)
class NotModelledAt:
    """Where the simulation stopped, and what it would have needed."""

    what: str
    ip: int | None = None
    help: str = ""
    """What to do about it, if there is something."""


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """A file a prediction was made from."""

    path: str
    device: tuple[int, int]
    inode: int
    size: int
    sha256: str | None
    """None: a file so large that it was not read as a whole (elf/file.py)."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """Something the prediction was told rather than derived."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Prediction(ShownInNotebooks):
    """What Linux will do with `program` on the machine of `profile`."""

    program: Program
    profile: MachineProfile
    verdict: ExecVerdict | None
    """None: the simulation stopped before execve had an answer (see `not_modelled`)."""
    files: tuple[FileIdentity, ...] = ()
    """Every file execve opens: scripts, the program, its interpreter."""
    snapshots: tuple[Snapshot, ...] = ()
    not_modelled: NotModelledAt | None = None
    """Where the simulation stopped. Invariant: with it, there is no `ending`."""
    bases: RandomBases | None = None
    """Only with ASLR on."""
    assumptions: tuple[Assumption, ...] = ()
    faults: Sequence[Fault] | None = None
    """In the order they are taken. None: the sequence is not predicted."""
    ending: Ending | None = None
    """None: not predicted to its end."""
    children: tuple[Ending, ...] = ()
    """How each process that it forked ends, from process 1 on; only with an ending of its own."""
    script: ScriptChain | None = None
    """None: it is not a script that execve is given."""
    unreached: tuple[str, ...] = ()
    """The checkpoints of stops that were asked for, and that it never comes to."""

    def __post_init__(self) -> None:
        """Check the invariant of `not_modelled`."""
        if self.not_modelled is not None and self.ending is not None:
            raise ValueError("a prediction that stopped has no ending")
