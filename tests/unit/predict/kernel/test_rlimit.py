"""The number of areas a process may have, where it is reached and where it is not known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inspector.errors import NotModelled
from inspector.model.address import AddressRange, VirtAddr
from inspector.model.vma import Access, Anonymous, VmFlag
from inspector.predict.kernel.areas import Areas
from inspector.predict.kernel.errno import Errno, KernelError
from inspector.predict.kernel.rlimit import MemoryLimits
from inspector.predict.kernel.vma import VmArea
from tests.machines import PROFILE
from tests.unit.predict.kernel.test_run import DATA, call, exit_with_result, run

if TYPE_CHECKING:
    from pathlib import Path

_ENOMEM, _EAGAIN = 12, 11


def _areas(count: int) -> Areas:
    first = VmArea(AddressRange(VirtAddr(0), VirtAddr(4096)), Access.READ, VmFlag.NONE, Anonymous(), 0)
    starts = range(0, count * 8192, 8192)
    return Areas(replace(first, range=AddressRange(VirtAddr(at), VirtAddr(at + 4096))) for at in starts)


def test_one_more_may_be_mapped_when_the_number_is_reached_but_none_be_split() -> None:
    limits = MemoryLimits(max_map_count=10)
    limits.require_another(_areas(10))
    limits.require_split(_areas(9))
    with pytest.raises(KernelError) as mapping:
        limits.require_another(_areas(11))
    with pytest.raises(KernelError) as splitting:
        limits.require_split(_areas(10))
    for error in (mapping, splitting):
        assert (error.value.errno, error.value.rule) == (Errno.ENOMEM, "memory.map-count")


def test_where_the_number_is_not_known_the_default_is_surely_granted_and_no_more() -> None:
    limits = MemoryLimits()
    limits.require_another(_areas(65524))
    with pytest.raises(NotModelled, match="max_map_count"):
        limits.require_another(_areas(65530))


@pytest.mark.parametrize(
    ("number", "arguments", "error"),
    [
        (192, (0, 4096, 1, 0x22, -1, 0), _ENOMEM),  # mmap2 of anonymous memory
        (125, (DATA, 4096, 1), _ENOMEM),  # mprotect of half of .bss
        (219, (DATA, 4096, 2), _EAGAIN),  # madvise, MADV_SEQUENTIAL
        (163, (DATA, 4096, 0x4000, 1), _ENOMEM),  # mremap, MREMAP_MAYMOVE
    ],
    ids=["mmap2", "mprotect", "madvise", "mremap"],
)
def test_calls_that_would_make_an_area_too_many_fail(
    tmp_path: Path, number: int, arguments: tuple[int, ...], error: int
) -> None:
    code = call(number, *arguments) + exit_with_result()
    for most, refused in ((3, True), (100, False)):
        ending = run(tmp_path, code, replace(PROFILE, max_map_count=most)).ending
        assert ending is not None
        assert (ending.status == 256 - error) is refused
