"""An address space behaves as a map from each page to what backs it; its list is always in normal form."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from inspector.model.address import PAGE_SIZE, VirtAddr
from inspector.model.program import Limits
from inspector.model.vma import Access, Anonymous, FileBacking
from inspector.predict.kernel.areas import is_data_mapping
from inspector.predict.kernel.commit import CommitPolicy
from inspector.predict.kernel.errno import KernelError
from inspector.predict.kernel.files import FileTable
from inspector.predict.kernel.kernel import Kernel
from inspector.predict.kernel.mm import AddressSpace
from inspector.predict.kernel.pagecache import PageCache
from inspector.predict.kernel.rlimit import MemoryLimits
from inspector.predict.kernel.task import Task
from inspector.predict.kernel.uaccess import copy_to_user
from inspector.predict.kernel.unmapped_area import UnmappedAreaInfo
from inspector.predict.kernel.vma import MappedFile
from inspector.predict.machine.memory import PhysicalMemory
from inspector.predict.machine.pagetable import PageTables
from tests.machines import PROFILE, USER, X86_64, Zeros

TOP = 64
LEGACY_BASE = 22


FILES = tuple(MappedFile(f"/{name}", (8, 1), number, 1 << 20, Zeros()) for number, name in enumerate("ab"))
PROCESSOR_MEMORY = PhysicalMemory(1 << 26)


def address_space() -> AddressSpace:
    return AddressSpace(
        search=UnmappedAreaInfo(
            task_size=VirtAddr((TOP + 1) * PAGE_SIZE),
            mmap_base=VirtAddr(TOP * PAGE_SIZE),
            legacy_base=VirtAddr(LEGACY_BASE * PAGE_SIZE),
            bottom_up=False,
            stack_guard_gap=0,
            lowest_fixed=0,
            mmap_floor=PAGE_SIZE,
            hint_floor=PAGE_SIZE,
        ),
        read_implies_exec=False,
        page_tables=PageTables(X86_64),
        memory=PROCESSOR_MEMORY,
        page_cache=PageCache(PROCESSOR_MEMORY),
        fault_around_bytes=16 * PAGE_SIZE,
        special_pages={},
        commit=CommitPolicy(overcommit_memory=1, memory_bytes=0),
        limits=MemoryLimits(),
    )


def write(mm: AddressSpace, start: int, pages: int) -> None:
    """Let the kernel write to memory."""
    kernel = Kernel(PROFILE)
    task = Task(kernel, 0, mm, Limits(), USER, "/", "/a", FileTable({}), b"a", 1, 1, 1)
    copy_to_user(task, start, bytes(pages * PAGE_SIZE))


accesses = st.sampled_from([Access.READ, Access.READ | Access.EXECUTE, Access.READ | Access.WRITE])
actions = st.one_of(
    st.tuples(
        st.just("mmap"),
        st.integers(1, TOP),
        st.integers(1, 8),
        st.sampled_from(FILES),
        accesses,
        st.integers(0, 4),
    ),
    st.tuples(st.just("brk"), st.integers(1, TOP), st.integers(1, 8)),
    st.tuples(st.just("munmap"), st.integers(1, TOP), st.integers(1, 8)),
    st.tuples(st.just("write"), st.integers(1, TOP), st.integers(1, 3)),
)

PageBacking = tuple[str, Access, int]


def apply(mm: AddressSpace, model: dict[int, PageBacking], action: tuple[object, ...]) -> None:
    kind, start, length, *rest = action
    assert isinstance(start, int)
    assert isinstance(length, int)
    at, size = VirtAddr(start * PAGE_SIZE), length * PAGE_SIZE
    pages = range(start, start + length)
    try:
        if kind == "mmap":
            file, access, page_offset = rest
            assert isinstance(file, MappedFile)
            assert isinstance(access, Access)
            assert isinstance(page_offset, int)
            mm.mmap(file, at, size, access, page_offset * PAGE_SIZE, fixed=True)
            model.update({p: (file.path, access, page_offset + p - start) for p in pages})
        elif kind == "brk":
            mm.brk_flags(at, size, execute=False)
            model.update(dict.fromkeys(pages, ("", Access.READ | Access.WRITE, 0)))
        elif kind == "write":
            write(mm, at, length)
            assert all(page in model and Access.WRITE in model[page][1] for page in pages)
            assert {page for page, _ in mm.page_tables.entries()} >= set(pages)
        else:
            mm.munmap(at, size)
            for page in pages:
                model.pop(page, None)
    except KernelError:
        writable = [page in model and Access.WRITE in model[page][1] for page in pages]
        assert start + length > TOP + 1 or (kind == "write" and not all(writable))


@given(st.lists(actions, max_size=30))
def test_same_as_a_map_of_pages(steps: list[tuple[object, ...]]) -> None:
    mm, model = address_space(), dict[int, PageBacking]()
    for step in steps:
        apply(mm, model, step)
    seen: dict[int, PageBacking] = {}
    for vma in mm.vmas:
        for number, vpn in enumerate(vma.range.vpns()):
            match vma.backing:
                case FileBacking(path=path, offset=offset):
                    seen[vpn] = (path, vma.access, offset // PAGE_SIZE + number)
                case Anonymous():
                    seen[vpn] = ("", vma.access, 0)
    assert seen == model
    assert all(low.end <= high.start for low, high in zip(mm.vmas, mm.vmas[1:], strict=False))
    assert mm.areas.total_bytes == sum(area.range.size_bytes for area in mm.areas)
    assert mm.areas.data_bytes == sum(area.range.size_bytes for area in mm.areas if is_data_mapping(area))


@given(st.lists(actions, max_size=30))
def test_file_areas_that_continue_each_other_are_one_but_for_their_private_pages(
    steps: list[tuple[object, ...]],
) -> None:
    mm, model = address_space(), dict[int, PageBacking]()
    for step in steps:
        apply(mm, model, step)
    for low, high in itertools.pairwise(mm.areas):
        pages = (high.start - low.start) // PAGE_SIZE
        if (
            low.end == high.start
            and isinstance(low.origin, MappedFile)
            and low.origin is high.origin
            and low.access == high.access
            and low.page_offset + pages == high.page_offset
        ):
            assert low.anon_vma is not None
            assert high.anon_vma is not None
            assert low.anon_vma is not high.anon_vma


@given(st.lists(actions, max_size=20), st.integers(1, 6))
def test_first_fit_is_the_highest_free_place(steps: list[tuple[object, ...]], length: int) -> None:
    mm, model = address_space(), dict[int, PageBacking]()
    for step in steps:
        apply(mm, model, step)
    free = [
        start for start in range(1, TOP - length + 1) if not any(start + i in model for i in range(length))
    ]
    if free:
        assert mm.get_unmapped_area(VirtAddr(0), length * PAGE_SIZE) == max(free) * PAGE_SIZE
