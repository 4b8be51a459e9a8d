"""A stretch of mutants, tried one after the other; what is not as predicted comes back shrunk."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from inspector.elf.file import ExecutableFile
from inspector.errors import CannotObserve, UsageError
from inspector.fuzz.fields import changes
from inspector.fuzz.mutation import mutant
from inspector.fuzz.shrink import shrink
from inspector.fuzz.surroundings import Role, Surroundings, role, surroundings
from inspector.fuzz.trial import Standing, Trial, try_file
from inspector.model.program import Layout
from inspector.observe.exec_stage import ExecStage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inspector.fuzz.fields import Change
    from inspector.model.profile import MachineProfile

_LARGEST_BYTES = 64 << 20
_UNJUDGED = (Standing.NOT_MODELLED, Standing.UNOBSERVED)
_GRAVEST_FIRST = (
    (Standing.BROKEN, 4),
    (Standing.DIFFERS, 1),
    (Standing.NOT_MODELLED, 3),
    (Standing.UNOBSERVED, 3),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A program that mutants are made of."""

    name: str
    """As the user named it."""
    contents: bytes

    @classmethod
    def read(cls, path: str) -> Subject:
        """Read the program at `path`. Raises UsageError for what cannot be one."""
        try:
            with ExecutableFile(path) as file:
                contents = file.read(0, _LARGEST_BYTES + 1)
        except (OSError, ValueError, CannotObserve) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error).removeprefix(f"{path}: ")
            raise UsageError(f"{path}: {reason}", help="give a program that can be read") from error
        if len(contents) > _LARGEST_BYTES:
            raise UsageError(
                f"{path}: more than {_LARGEST_BYTES >> 20} MiB, which each mutant would copy",
                help="give a smaller program",
            )
        if not contents:
            raise UsageError(f"{path}: it is empty", help="give a program, for there is nothing to mutate")
        return cls(path, contents)


@dataclass(frozen=True, slots=True)
class Campaign:
    """Mutants `first` to `first + count - 1` of one seed; the subjects take turns, by number."""

    subjects: tuple[Subject, ...]
    profile: MachineProfile
    seed: int
    first: int
    count: int
    layout: Layout = Layout.DEFAULT
    tells_all: bool = False
    """Whether a mutant that agrees, or cannot be judged, is a case as well."""

    def pieces(self, size: int) -> Iterator[Campaign]:
        """Yield it in pieces of at most `size` mutants."""
        end = self.first + self.count
        for first in range(self.first, end, size):
            yield replace(self, first=first, count=min(size, end - first))

    def run(self) -> Tally:
        """Try every mutant. Raises LaunchFailed where the stage cannot be set."""
        tally = Tally()
        for index, subject in enumerate(self.subjects):
            numbers = [
                n for n in range(self.first, self.first + self.count) if n % len(self.subjects) == index
            ]
            if not numbers:
                continue
            with ExecStage(subject.contents, layout=self.layout) as stage:
                for number in numbers:
                    tally += self._try(subject, number, stage)
        return replace(tally, cases=tuple(sorted(tally.cases, key=lambda case: case.number)))

    def _try(self, subject: Subject, number: int, stage: ExecStage) -> Tally:
        contents = mutant(subject.contents, self.seed, number)
        tried_as, around = role(self.seed, number), surroundings(self.seed, number)

        def tried(contents: bytes, around: Surroundings) -> Trial:
            return try_file(contents, stage, self.profile, tried_as, around)

        trial = tried(contents, around)
        why = trial.reason if trial.standing in _UNJUDGED else ", ".join(trial.compared)
        tally = Tally(Counter([trial.standing]), Counter([(trial.standing, why)]))
        if trial.standing in (Standing.DIFFERS, Standing.BROKEN):
            around = _plainest(around, lambda plainer: tried(contents, plainer).kind == trial.kind)
            contents = shrink(
                subject.contents, contents, lambda smaller: tried(smaller, around).kind == trial.kind
            )
            # Shown as it was seen last, with the addresses that it has now.
            last = tried(contents, around)
            trial = last if last.kind == trial.kind else trial
        elif not self.tells_all:
            return tally
        changed = changes(subject.contents, contents)
        case = Case(subject.name, self.seed, number, tried_as, around, changed, trial, contents)
        return replace(tally, cases=(case,))


def _plainest(around: Surroundings, still_shows: Callable[[Surroundings], bool]) -> Surroundings:
    """Return the surroundings with everything as it ordinarily is that what is to be seen does not need."""
    while (found := next(filter(still_shows, around.plainer()), None)) is not None:
        around = found
    return around


@dataclass(frozen=True, slots=True)
class Case:
    """A mutant to be shown; one that did not come out as predicted is reduced to what matters."""

    program: str
    seed: int
    number: int
    role: Role
    surroundings: Surroundings
    changes: tuple[Change, ...]
    trial: Trial
    contents: bytes


@dataclass(frozen=True, slots=True)
class Tally:
    """How many mutants came out how, and those that were not as predicted."""

    standings: Counter[Standing] = field(default_factory=Counter)
    reasons: Counter[tuple[Standing, str]] = field(default_factory=Counter)
    """Of those that could not be judged, why; of others the aspects that agree, joined by commas."""
    cases: tuple[Case, ...] = ()

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.standings + other.standings, self.reasons + other.reasons, self.cases + other.cases)

    @property
    def total(self) -> int:
        """How many there are."""
        return self.standings.total()

    def reasons_of(self, standing: Standing) -> dict[str, int]:
        """Return why mutants have a standing, the most frequent reason first."""
        return {reason: count for (each, reason), count in self.reasons.most_common() if each is standing}

    @property
    def exit_code(self) -> int:
        """4: the prediction broke; 1: some differ; 3: some were not judged; 0: all agree."""
        return next((code for standing, code in _GRAVEST_FIRST if self.standings[standing]), 0)
