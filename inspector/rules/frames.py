"""Whose a frame is, and how often it is mapped."""

from inspector.rules.rule import Rule

RULES = (
    Rule(
        "frame.page-cache",
        "A page of a file that was not written to is the page cache's frame, the same for all who map it.",
        "The file's page is in memory once, and each page table that maps it counts once.",
        "mm/filemap.c:filemap_map_pages(), mm/memory.c:set_pte_range()",
    ),
    Rule(
        "frame.shared-memory",
        "A page of MAP_SHARED memory stays one frame for all who map it, whoever writes to it.",
        "It belongs to a file that lives in memory alone; fork passes the area on, and each process maps "
        "its pages anew.",
        "mm/shmem.c:shmem_fault(), mm/memory.c:do_shared_fault()",
    ),
    Rule(
        "frame.zero-page",
        "Memory that was only read is the zero page: one frame for all, and not counted.",
        "There is nothing in it to be told apart, and nobody owns it.",
        "mm/memory.c:do_anonymous_page()",
    ),
    Rule(
        "frame.private",
        "A write to private memory gives the process a frame of its own.",
        "It is a new one at the first touch, and a copy where the page was a file's, the zero page, or one "
        "that a relative maps as well.",
        "mm/memory.c:do_anonymous_page(), wp_page_copy()",
    ),
    Rule(
        "frame.copy-on-write",
        "After fork parent and child map the same anonymous frames, until one of them writes.",
        "fork copies page tables, not memory; each page table that maps the frame counts once.",
        "mm/memory.c:copy_present_ptes(), do_wp_page()",
    ),
    Rule(
        "frame.kernel",
        "A page of the vdso is the kernel's own frame, the same in all processes.",
        "It is part of the kernel's image; every process that uses it counts.",
        "arch/x86/entry/vdso/vma.c:vdso_fault()",
    ),
    Rule(
        "frame.others",
        "How often a frame is mapped cannot be known where strangers may map it, only the least it must be.",
        "A program staged for one run is no one else's; its libraries, what runs in place, and the vdso are "
        "everybody's.",
        "fs/proc/page.c:kpagecount_read()",
    ),
)
