"""Page faults: what the kernel answers them with, how it counts them, and what is in the page cache."""

from inspector.rules.rule import Rule

RULES = (
    Rule(
        "fault.argument-pages",
        "Each page of strings counts as a minor fault but raises no fault event.",
        "execve writes them through get_user_pages() before the new address space is current.",
        "fs/exec.c:get_arg_page()",
    ),
    Rule(
        "fault.page-tables",
        "VmPTE counts every page table below the top level.",
        "Tables are allocated by the first fault in their span and freed with the last area there; one that "
        "maps nothing any more after MADV_DONTNEED is freed at once by kernels with CONFIG_PT_RECLAIM.",
        "mm/memory.c:__pte_alloc(), free_pgtables()",
    ),
    Rule(
        "fault.anonymous",
        "The first write to anonymous memory gets a frame of zeros.",
        "Memory is given when it is touched, not when it is mapped.",
        "mm/memory.c:do_anonymous_page()",
    ),
    Rule(
        "fault.zero-page",
        "The first reading of anonymous memory maps the shared zero page.",
        "All untouched memory reads as zeros; one page serves everyone until it is written.",
        "mm/memory.c:do_anonymous_page()",
    ),
    Rule(
        "fault.around",
        "Reading or executing a file's page maps those around it that are in the page cache, too.",
        "They lie in the same aligned window of fault_around_bytes, and in the area, page table and file.",
        "mm/memory.c:do_fault_around()",
    ),
    Rule(
        "fault.file-copy",
        "A first touch that writes to a private mapping copies the file's page, that page alone.",
        "The copy is the process's own; there is nothing to map around it.",
        "mm/memory.c:do_cow_fault()",
    ),
    Rule(
        "fault.major",
        "A fault on a file's page that is not in the page cache reads it from the disk: a major fault.",
        "After MADV_RANDOM it reads that page alone, and the program waits for it. What read-ahead would "
        "bring in besides, and when, is the disk's affair, and not predicted.",
        "mm/filemap.c:filemap_fault(), do_sync_mmap_readahead()",
    ),
    Rule(
        "cache.dropped",
        "POSIX_FADV_DONTNEED drops the whole pages of a range that nothing maps from the page cache.",
        "They are clean, and can be read again. Pages that someone maps stay, and a tmpfs, which has no "
        "disk, keeps every page.",
        "mm/fadvise.c:generic_fadvise(), mm/truncate.c:mapping_try_invalidate()",
    ),
    Rule(
        "cache.reclaimed",
        "MADV_PAGEOUT unmaps pages that no one else maps, and a clean one of a file leaves the page cache.",
        "It is what the kernel does when memory is short. Without swap, the process's own pages and those of "
        "a tmpfs have nowhere to go: the former stay as they are, the latter are only unmapped.",
        "mm/madvise.c:madvise_cold_or_pageout_pte_range(), mm/vmscan.c:shrink_folio_list()",
    ),
    Rule(
        "fault.shared",
        "The first touch of a shared page that writes maps the file's own page, that page alone.",
        "There is nothing to copy. If the first touch reads, the page may be written from then on all the "
        "same: a file in memory need not be told of the first write.",
        "mm/memory.c:do_shared_fault(), mm/vma.c:vma_wants_writenotify()",
    ),
    Rule(
        "fault.copy-on-write",
        "Writing to a page that is mapped read-only in a writable private area copies it.",
        "The page belongs to a file, to everyone (the zero page), or to a relative since fork as well.",
        "mm/memory.c:wp_page_copy()",
    ),
    Rule(
        "fault.reuse",
        "Writing to a page that nobody else maps any more makes it writable, without a copy.",
        "The other owners have exited, or have copied it for themselves.",
        "mm/memory.c:wp_page_reuse()",
    ),
    Rule(
        "fault.stack-growth",
        "A touch below the stack extends the stack down to it.",
        "The area is VM_GROWSDOWN; the stack limit and the guard gap bound it.",
        "mm/vma.c:expand_downwards()",
    ),
    Rule(
        "fault.populate",
        "MAP_POPULATE, mlock and mlockall make pages resident at once: counted as faults, seen as none.",
        "The kernel walks the area through get_user_pages(): private writable memory is copied as by a "
        "write, all else is mapped as by a read, and what may not be accessed is left out.",
        "mm/gup.c:populate_vma_page_range()",
    ),
    Rule(
        "fault.special",
        "A page of the vdso is the kernel's own, mapped one at a time.",
        "The special mapping has a fault handler of its own and knows no fault-around.",
        "arch/x86/entry/vdso/vma.c:vdso_fault()",
    ),
    Rule(
        "fault.refused",
        "A touch outside every area, or that its area forbids, ends in a signal.",
        "For the kernel's own accesses it ends in EFAULT from the system call instead.",
        "arch/x86/mm/fault.c:bad_area_nosemaphore()",
    ),
    Rule(
        "fault.minor-major",
        "A fault is major if its page had to be read from a disk, and minor if it was in memory.",
        "Programs here run from memory (tmpfs), so all their faults are minor; libraries are read in before.",
        "mm/memory.c:mm_account_fault(), mm/filemap.c:filemap_fault()",
    ),
    Rule(
        "fault.execute-twice",
        "Executing an absent page of memory that may not be executed faults twice.",
        "The first fault is taken for a read and maps the page; the second finds it there, and forbidden.",
        "arch/x86/mm/fault.c:access_error()",
    ),
    Rule(
        "fault.fork",
        "A child finds its parent's private pages, and takes faults of its own for the rest.",
        "Pages that a fault finds again, such as a program's code, are not worth copying.",
        "mm/memory.c:vma_needs_copy()",
    ),
    Rule(
        "fault.page-cache",
        "Which pages of a file on a disk are mapped around a fault depends on the page cache.",
        "A page that is not there, or marked by read-ahead, is left out. The files a program maps are read "
        "in before, and their large folios seen, which takes privileges; what was not seen may differ, as "
        "may what a prediction was told of another moment.",
        "mm/filemap.c:next_uptodate_folio()",
    ),
    Rule(
        "fault.passed-over",
        "A page that someone holds locked is not mapped around a fault, and takes a fault of its own later.",
        "DAMON locks pages of files for a moment, to see whether they are idle, or to page them out. It "
        "explains a difference only where it was seen at work while the program ran.",
        "mm/filemap.c:next_uptodate_folio(), mm/damon/paddr.c:damon_pa_pageout()",
    ),
    Rule(
        "fault.large-folio",
        "A large folio is mapped whole by the first fault that touches it.",
        "It must lie inside the area, the page table and the file; of any other, the pages in the window of "
        "fault-around are mapped. Linux before 6.18 maps no more than those of any folio.",
        "mm/filemap.c:filemap_map_folio_range()",
    ),
)
