"""Playing a string of references through a policy, a step at a time."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inspector.simulators.replacement.policy import Policy


class Step(NamedTuple):
    """One reference and what came of it."""

    page: int
    frame: int
    """The frame the page is in from here on."""
    fault: bool
    """Whether it had to be brought there."""
    evicted: int | None
    """The page that left, to make room or because its time was up; None: none did."""
    left_frame: int | None
    """The frame that page was in."""


def replay(references: Iterable[int], policy: Policy) -> Iterator[Step]:
    """Yield a step for each reference. Empty frames are filled first, the lowest first."""
    frame_of: dict[int, int] = {}
    contents: dict[int, int] = {}
    freed: list[int] = []
    limit = policy.frames
    for time, page in enumerate(references):
        evicted = left = None
        frame = frame_of.get(page)
        fault = frame is None
        if frame is not None:
            policy.used(frame, time)
        else:
            if freed:
                frame = heapq.heappop(freed)
            elif limit is None or len(contents) < limit:
                frame = len(contents)
            else:
                frame = left = policy.victim()
                evicted = contents[frame]
                del frame_of[evicted]
            contents[frame] = page
            frame_of[page] = frame
            policy.filled(frame, time)
        if limit is None and (gone := policy.expired(time)) is not None:
            evicted, left = contents[gone], gone
            del frame_of[evicted]
            heapq.heappush(freed, gone)
        yield Step(page, frame, fault, evicted, left)


def count_faults(references: Iterable[int], policy: Policy) -> int:
    """Return how many of the references are page faults."""
    return sum(step.fault for step in replay(references, policy))


@dataclass(frozen=True, slots=True)
class ProgramReferences:
    """What a string of references was taken from: a predicted run of a program."""

    path: str
    instructions: int
    accesses: int
    """Readings and writings."""
    not_modelled: str | None
    """What the run was not followed beyond; None: they are all."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """A whole replay, kept."""

    policy: str
    frames: int | None
    """None: as many as the policy fills."""
    window: int | None
    """Of working-set: how many references a page outlives its last use."""
    references: tuple[int, ...]
    steps: tuple[Step, ...]

    @property
    def faults(self) -> int:
        """How many references are page faults."""
        return sum(step.fault for step in self.steps)

    @property
    def resident(self) -> list[int]:
        """How many pages are in frames after each reference."""
        counts, now = [], 0
        for step in self.steps:
            now += step.fault - (step.evicted is not None)
            counts.append(now)
        return counts

    @property
    def most_resident(self) -> int:
        """The most frames that are taken at a time."""
        return max(self.resident)

    @property
    def frames_filled(self) -> int:
        """How many frames ever hold a page."""
        return 1 + max(step.frame for step in self.steps)

    @property
    def mean_resident(self) -> float:
        """How many frames are taken on average."""
        return sum(self.resident) / len(self.steps)
