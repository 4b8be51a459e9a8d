"""The policies: each keeps what it must know of the pages in the frames, and names the one to leave.

A policy speaks of frames by number, from 0. It is told of every use: `filled` when a page comes into a frame,
`used` when the page in a frame is referenced again. Time counts references, from 0.
"""

from __future__ import annotations

import heapq
import random
from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from inspector.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_FRAMES = 1 << 20


class Policy(ABC):
    """What a replacement policy is asked and told."""

    def __init__(self, frames: int | None) -> None:
        """`frames` is how many there are; None: as many as the policy cares to fill."""
        self.frames = frames

    @abstractmethod
    def filled(self, frame: int, time: int) -> None:
        """A page has come into `frame`, for the reference at `time`."""

    @abstractmethod
    def used(self, frame: int, time: int) -> None:
        """The page in `frame` was referenced at `time`."""

    @abstractmethod
    def victim(self) -> int:
        """Return the frame whose page leaves; every frame is taken. The policy forgets that page."""

    def expired(self, time: int) -> int | None:
        """Return the frame whose page leaves, after the reference at `time`, though no other needs it."""
        del time
        return None


class Fifo(Policy):
    """First in, first out: the page that has been there longest leaves."""

    def __init__(self, frames: int) -> None:
        """Start with empty frames."""
        super().__init__(frames)
        self._queue: deque[int] = deque()

    def filled(self, frame: int, time: int) -> None:
        """Put the frame at the end of the queue."""
        del time
        self._queue.append(frame)

    def used(self, frame: int, time: int) -> None:
        """Use changes nothing."""

    def victim(self) -> int:
        """Return the head of the queue."""
        return self._queue.popleft()


class Lru(Policy):
    """Least recently used: the page whose last use is longest ago leaves."""

    def __init__(self, frames: int) -> None:
        """Start with empty frames."""
        super().__init__(frames)
        self._order: OrderedDict[int, None] = OrderedDict()

    def filled(self, frame: int, time: int) -> None:
        """Put the frame last."""
        del time
        self._order[frame] = None

    def used(self, frame: int, time: int) -> None:
        """Put the frame last."""
        del time
        self._order.move_to_end(frame)

    def victim(self) -> int:
        """Return the first in the order of use."""
        return self._order.popitem(last=False)[0]


class Clock(Policy):
    """Second chance: the hand passes over a page that was used since it last came by, and takes its bit.

    A page's bit is set when it comes and whenever it is used; the hand goes on to the frame behind the one
    filled.
    """

    def __init__(self, frames: int) -> None:
        """Start with empty frames and the hand at frame 0."""
        super().__init__(frames)
        self._referenced = bytearray(frames)
        self._hand = 0

    def filled(self, frame: int, time: int) -> None:
        """Set the bit and move the hand on."""
        del time
        self._referenced[frame] = 1
        self._hand = (frame + 1) % len(self._referenced)

    def used(self, frame: int, time: int) -> None:
        """Set the bit."""
        del time
        self._referenced[frame] = 1

    def victim(self) -> int:
        """Return the first frame from the hand on whose bit is not set."""
        while self._referenced[self._hand]:
            self._referenced[self._hand] = 0
            self._hand = (self._hand + 1) % len(self._referenced)
        return self._hand


class Lfu(Policy):
    """Least frequently used: the page with the fewest uses since it came leaves.

    Of several, it is the least recently used.
    """

    def __init__(self, frames: int) -> None:
        """Start with empty frames."""
        super().__init__(frames)
        self._standing = [(0, -1)] * frames
        self._heap: list[tuple[int, int, int]] = []

    def filled(self, frame: int, time: int) -> None:
        """Count one use."""
        self._stand(frame, 1, time)

    def used(self, frame: int, time: int) -> None:
        """Count one use more."""
        self._stand(frame, self._standing[frame][0] + 1, time)

    def victim(self) -> int:
        """Return the frame with the fewest uses."""
        while True:
            uses, last, frame = heapq.heappop(self._heap)
            if self._standing[frame] == (uses, last):
                return frame

    def _stand(self, frame: int, uses: int, time: int) -> None:
        self._standing[frame] = (uses, time)
        heapq.heappush(self._heap, (uses, time, frame))


class Random(Policy):
    """Any page, each as likely as the others."""

    def __init__(self, frames: int, seed: int) -> None:
        """`seed` decides all choices."""
        super().__init__(frames)
        self._draw = random.Random(seed)  # noqa: S311 - a simulation that can be repeated
        self._count = frames

    def filled(self, frame: int, time: int) -> None:
        """It keeps nothing."""

    def used(self, frame: int, time: int) -> None:
        """It keeps nothing."""

    def victim(self) -> int:
        """Draw a frame."""
        return self._draw.randrange(self._count)


class Optimal(Policy):
    """Belady's: the page whose next use lies farthest ahead leaves; of those not used again, the oldest.

    No real system can know it; it is what the others are measured by.
    """

    def __init__(self, frames: int, references: Sequence[int]) -> None:
        """`references` is the future."""
        super().__init__(frames)
        never = len(references)
        self._next_use = [never] * never
        seen: dict[int, int] = {}
        for time in range(never - 1, -1, -1):
            self._next_use[time] = seen.get(references[time], never)
            seen[references[time]] = time
        self._came = [0] * frames
        self._next = [-1] * frames
        self._heap: list[tuple[int, int, int]] = []

    def filled(self, frame: int, time: int) -> None:
        """Note the page's age, and its next use."""
        self._came[frame] = time
        self.used(frame, time)

    def used(self, frame: int, time: int) -> None:
        """Note the page's next use."""
        self._next[frame] = self._next_use[time]
        heapq.heappush(self._heap, (-self._next[frame], self._came[frame], frame))

    def victim(self) -> int:
        """Return the frame whose page is needed last."""
        while True:
            next_use, came, frame = heapq.heappop(self._heap)
            if (-next_use, came) == (self._next[frame], self._came[frame]):
                return frame


class WorkingSet(Policy):
    """Denning's: a page stays for `window` references after its last use, in as many frames as that takes."""

    def __init__(self, window: int) -> None:
        """`window` counts references."""
        super().__init__(None)
        self._window = window
        self._uses: deque[int] = deque()
        self._last: dict[int, int] = {}

    def filled(self, frame: int, time: int) -> None:
        """Note the use."""
        self.used(frame, time)

    def used(self, frame: int, time: int) -> None:
        """Note the use."""
        self._uses.append(frame)
        self._last[frame] = time

    def victim(self) -> int:
        """Never asked: there is always a frame."""
        raise AssertionError

    def expired(self, time: int) -> int | None:
        """Return the frame last used `window` references ago."""
        if time < self._window:
            return None
        frame = self._uses.popleft()
        if self._last.get(frame) != time - self._window:
            return None
        del self._last[frame]
        return frame


POLICIES: dict[str, type[Policy]] = {
    "fifo": Fifo,
    "lru": Lru,
    "clock": Clock,
    "lfu": Lfu,
    "random": Random,
    "opt": Optimal,
    "working-set": WorkingSet,
}


def make_policy(
    name: str, *, frames: int, references: Sequence[int], seed: int = 0, window: int = 4
) -> Policy:
    """Return the policy of that name, new, for one replay of `references`.

    `seed` is for random, `window` for working-set, which takes no number of frames. Raises UsageError.
    """
    if name not in POLICIES:
        raise UsageError(f"there is no policy {name!r}", help=f"choose one of {', '.join(POLICIES)}")
    if not 0 < frames <= MOST_FRAMES:
        raise UsageError(f"{frames} frames", help=f"give --frames a number from 1 to {MOST_FRAMES}")
    if window < 1:
        raise UsageError(f"a window of {window} references", help="give --window a number from 1 on")
    makers: dict[str, Callable[[], Policy]] = {
        "fifo": lambda: Fifo(frames),
        "lru": lambda: Lru(frames),
        "clock": lambda: Clock(frames),
        "lfu": lambda: Lfu(frames),
        "random": lambda: Random(frames, seed),
        "opt": lambda: Optimal(frames, references),
        "working-set": lambda: WorkingSet(window),
    }
    return makers[name]()
