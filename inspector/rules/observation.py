"""What observing shows, hides or changes: tolerances and explanations."""

from inspector.rules.rule import Rule

RULES = (
    Rule(
        "observe.vvar-hidden",
        "pagemap shows no page of [vvar] where the kernel maps it VM_PFNMAP.",
        "Then no struct page is asked for its frames, and the walker skips the area. Linux 7.2 maps [vvar] "
        "VM_MIXEDMAP: what is touched of it is shown, as of [vdso]; [vvar_vclock] stays VM_PFNMAP. The "
        "profile says which, from a look at our own process.",
        "mm/pagewalk.c:walk_page_test(), lib/vdso/datastore.c:vdso_install_vvar_mapping()",
    ),
    Rule(
        "observe.gdb-reads",
        "gdb made pages resident by reading them.",
        "Attaching reads the program headers and the vdso; every read of absent memory is a fault.",
        "mm/gup.c:get_user_pages_remote()",
    ),
    Rule(
        "observe.gdb-start",
        "A program that gdb starts is not the one that a shell starts: other strings, other pages.",
        "gdb adds LINES and COLUMNS to the environment, which moves esp; it switches ASLR off, makes pages "
        "resident by reading them, and copies each page that a software breakpoint is written to. So here "
        "gdb starts nothing, reads nothing and uses the processor's breakpoints.",
        "kernel/ptrace.c:ptrace_access_vm() with FOLL_FORCE; readline shell.c:sh_set_lines_and_columns()",
    ),
    Rule(
        "observe.pfn-hidden",
        "Without CAP_SYS_ADMIN pagemap says that a page is there, and 0 for its frame's number.",
        "Knowing frames helps to flip bits in memory that is not one's own (rowhammer). No prediction knows "
        "the number either: any free frame serves.",
        "fs/proc/task_mmu.c:pagemap_read(), which asks file_ns_capable(CAP_SYS_ADMIN)",
    ),
    Rule(
        "observe.staged-copy",
        "The prediction was made from another copy of the same file.",
        "Path, device and inode name the copy; its SHA-256 shows that the contents are equal.",
        "fs/proc/task_mmu.c:show_map_vma()",
    ),
    Rule(
        "observe.first-read-major",
        "The first reading of a file page from a disk is a major fault, later ones are minor.",
        "Whether the page cache holds the file is not part of the program. A page it lacks is not mapped "
        "around an earlier fault either, so that the sum of both may differ too.",
        "mm/filemap.c:filemap_fault()",
    ),
    Rule(
        "observe.profile-of-another-machine",
        "The prediction was made for another machine or another boot.",
        "Sizes of the vdso, auxiliary values and task size belong to the machine that was probed.",
        "inspector profile",
    ),
)
