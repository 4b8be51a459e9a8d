"""The ring, read from a file that plays the kernel's side."""

from __future__ import annotations

import errno
import mmap
import os
import random
from typing import TYPE_CHECKING

import pytest

from inspector.observe.perf import ring as module
from inspector.observe.perf.ring import Ring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = mmap.PAGESIZE
HEAD, TAIL = 1024, 1032


class Kernel:
    """Writes records into the ring as perf does: never over what has not been read."""

    def __init__(self, pages: int) -> None:
        self.descriptor = os.memfd_create("ring")
        os.ftruncate(self.descriptor, (1 + pages) * PAGE)
        self.map = mmap.mmap(self.descriptor, 0)
        self.size = pages * PAGE

    def counter(self, offset: int) -> int:
        return int.from_bytes(self.map[offset : offset + 8], "little")

    def write(self, data: bytes) -> None:
        head = self.counter(HEAD)
        assert head + len(data) - self.counter(TAIL) <= self.size
        for place, byte in enumerate(data, head):
            self.map[PAGE + place % self.size] = byte
        self.map[HEAD : HEAD + 8] = (head + len(data)).to_bytes(8, "little")


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    kernel = Kernel(2)
    yield kernel
    kernel.map.close()
    os.close(kernel.descriptor)


@pytest.fixture
def ring(kernel: Kernel) -> Iterator[Ring]:
    ring = Ring(kernel.descriptor, 2)
    yield ring
    ring.close()


def test_an_empty_ring_has_nothing(ring: Ring, kernel: Kernel) -> None:
    assert ring.take() == b""
    assert kernel.counter(TAIL) == 0


def test_what_was_taken_makes_room_and_is_not_taken_again(ring: Ring, kernel: Kernel) -> None:
    kernel.write(b"first...")
    assert ring.take() == b"first..."
    assert kernel.counter(TAIL) == 8
    assert ring.take() == b""


def test_a_full_ring_is_not_an_empty_one(ring: Ring, kernel: Kernel) -> None:
    data = random.Random(1).randbytes(kernel.size)  # noqa: S311 - any bytes will do
    for _ in range(2):
        kernel.write(data)
        assert ring.take() == data
    kernel.write(data[:8])
    assert ring.take() == data[:8]
    kernel.write(data)  # begins in the middle
    assert ring.take() == data


def test_any_sequence_comes_out_as_it_went_in(ring: Ring, kernel: Kernel) -> None:
    source = random.Random(2)  # noqa: S311 - the same each time
    written = taken = b""
    for _ in range(300):
        room = kernel.size - (len(written) - len(taken))
        data = source.randbytes(8 * source.randrange(room // 8 + 1))
        kernel.write(data)
        written += data
        if source.random() < 0.6:
            taken += ring.take()
    assert taken + ring.take() == written
    assert len(written) > 10 * kernel.size


def mapping(allowed: int, refusal: int) -> Callable[[int, int], mmap.mmap]:
    """Return an mmap that refuses more than `allowed` pages of ring."""

    def map_some(_descriptor: int, length: int) -> mmap.mmap:
        if length > (1 + allowed) * PAGE:
            raise OSError(refusal, os.strerror(refusal))
        return mmap.mmap(-1, length)

    return map_some


class Mmap:
    """The module mmap with another `mmap`."""

    PAGESIZE = PAGE

    def __init__(self, mmap: Callable[[int, int], mmap.mmap]) -> None:
        self.mmap = mmap


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.ENOMEM])
def test_a_ring_too_large_for_this_user_is_halved(refusal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "mmap", Mmap(mapping(200, refusal)))
    ring = Ring(-1, 1024)
    assert ring.pages == 128
    ring.close()


@pytest.mark.parametrize(("allowed", "refusal"), [(0, errno.EPERM), (200, errno.EINVAL), (200, errno.EACCES)])
def test_a_ring_that_is_refused_for_good_is_an_error(
    allowed: int, refusal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "mmap", Mmap(mapping(allowed, refusal)))
    with pytest.raises(OSError, match=os.strerror(refusal)):
        Ring(-1, 1024)
