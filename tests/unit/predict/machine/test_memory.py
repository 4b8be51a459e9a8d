from __future__ import annotations

import pytest

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SIZE
from inspector.predict.machine.memory import ZERO_FRAME, PhysicalMemory


def test_a_frame_is_zero_when_it_is_allocated_again() -> None:
    memory = PhysicalMemory(1 << 20)
    frame = memory.allocate()
    memory.write(frame, 100, b"remnant")
    memory.release(frame)
    assert memory.allocate() == frame
    assert memory.read(frame) == bytes(PAGE_SIZE)


def test_a_shared_frame_stays_until_its_last_user_goes() -> None:
    memory = PhysicalMemory(1 << 20)
    frame = memory.allocate()
    memory.share(frame)
    memory.release(frame)
    assert memory.users(frame) == 1
    assert memory.allocate() != frame


def test_the_zero_page_is_never_given_away() -> None:
    memory = PhysicalMemory(1 << 20)
    memory.release(ZERO_FRAME)
    assert memory.allocate() != ZERO_FRAME
    assert memory.read(ZERO_FRAME) == bytes(PAGE_SIZE)


def test_a_copy_is_a_frame_of_its_own() -> None:
    memory = PhysicalMemory(1 << 20)
    frame = memory.allocate()
    memory.write(frame, 0, b"before")
    copy = memory.copy(frame)
    memory.write(frame, 0, b"after!")
    assert memory.read(copy, 0, 6) == b"before"


def test_more_than_there_is_is_not_modelled() -> None:
    memory = PhysicalMemory(4 * PAGE_SIZE)
    for _ in range(3):
        memory.allocate()
    with pytest.raises(NotModelled, match="MiB of memory in use"):
        memory.allocate()
