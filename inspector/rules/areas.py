"""The areas of an address space: what they are made from, where they are parted, how much there may be."""

from inspector.rules.rule import Rule

RULES = (
    Rule(
        "vma.segment-file",
        "Each PT_LOAD maps its file pages, from the page of p_vaddr to the end of p_filesz.",
        "mmap works in whole pages, so a segment's first and last page also show its neighbours in the file.",
        "fs/binfmt_elf.c:elf_map()",
    ),
    Rule(
        "vma.segment-bss",
        "What p_memsz exceeds the file pages by is mapped as anonymous memory.",
        "The file has no bytes for it; it is readable and writable, and executable only if the segment is, "
        "or if everything readable is (vma.read-implies-exec).",
        "fs/binfmt_elf.c:elf_load()",
    ),
    Rule(
        "vma.more-than-segments",
        "A program has more areas than PT_LOADs: an area has one backing, and one set of permissions.",
        "The zeros of .bss that reach beyond the file's last page are anonymous, so the data are two areas; "
        "once start-up has protected RELRO, they are three.",
        "fs/binfmt_elf.c:elf_load(), mm/mprotect.c:mprotect_fixup()",
    ),
    Rule(
        "vma.relro",
        "Start-up makes the first pages of the data read-only (PT_GNU_RELRO), which splits their area.",
        "What only the dynamic linker has to write may not change afterwards. No PT_LOAD is behind the "
        "split: the C library calls mprotect, and the area is cut where permissions change.",
        "mm/mprotect.c:mprotect_fixup(); glibc elf/dl-reloc.c:_dl_protect_relro()",
    ),
    Rule(
        "vma.heap",
        "The heap has no area before the first brk that asks for memory, and then one named [heap].",
        "execve only notes where it is to start (mm->start_brk); brk makes an anonymous area there, or "
        "extends it.",
        "mm/mmap.c:SYSCALL_DEFINE1(brk), mm/vma.c:do_brk_flags()",
    ),
    Rule(
        "vma.mmap",
        "What a program maps without saying where lies in the highest large enough gap below mmap_base.",
        "A loader maps the libraries that way, malloc what is large, and a thread's creator its stack.",
        "mm/mmap.c:do_mmap(), mm/vma.c:unmapped_area_topdown()",
    ),
    Rule(
        "vma.merge",
        "Adjacent areas with equal flags and contiguous backing are one area.",
        "A new mapping is merged with its neighbours, and one whose permissions change; memory added by brk "
        "only with the area below it.",
        "mm/vma.c:vma_merge_new_range(), vma_merge_existing_range()",
    ),
    Rule(
        "vma.anon-vma",
        "Areas that got private pages each on its own stay apart for good, even once the gap between is "
        "filled.",
        "The first private page gives an area its anon_vma, or a neighbour's where it can be shared. The "
        "kernel finds a page's areas by its anon_vma, and an area has but one for its new pages.",
        "mm/vma.c:is_mergeable_anon_vma(), find_mergeable_anon_vma()",
    ),
    Rule(
        "vma.shared-inode",
        "The inode number of a memfd, or of shared anonymous memory, cannot be known beforehand.",
        "Each processor gives out numbers of its own, to whoever asks there. What is one file in the "
        "prediction must be one file in the process, though, and two must be two.",
        "mm/shmem.c:shmem_reserve_inode()",
    ),
    Rule(
        "vma.account",
        "A private area that was writable is charged for, and keeps that mark when it becomes read-only.",
        "Two areas with different VM_ACCOUNT never merge: RELRO stays apart from .rodata. Only anonymous "
        "memory that nobody has written to loses the mark, on kernels that uncharge it (the profile says "
        "which).",
        "mm/vma.c:accountable_mapping(), mm/mprotect.c:mprotect_fixup()",
    ),
    Rule(
        "memory.commit",
        "A private writable mapping larger than RAM and swap together is refused.",
        "The heuristic (vm.overcommit_memory 0) refuses at once only what could never be backed.",
        "mm/util.c:__vm_enough_memory()",
    ),
    Rule(
        "memory.limit",
        "The program would have more memory mapped than its limits allow.",
        "RLIMIT_AS (ulimit -v) bounds all that is mapped, RLIMIT_DATA (ulimit -d) what of it is private and"
        " writable; a segment's zeros count, touched or not.",
        "mm/mmap.c:may_expand_vm()",
    ),
    Rule(
        "memory.map-count",
        "The program would have more areas than vm.max_map_count allows.",
        "mmap and brk are refused once there are too many; whatever cuts an area in two, one area earlier.",
        "mm/mmap.c:do_mmap(), mm/vma.c:split_vma()",
    ),
    Rule(
        "vma.gap",
        "Addresses that nobody has mapped are in no area.",
        "execve maps segments, stack and vdso, and the program the rest. Most of an address space is the gap "
        "that heap and mmap area grow into, towards each other.",
        "mm/mmap.c:find_vma()",
    ),
    Rule(
        "vma.read-implies-exec",
        "Without PT_GNU_STACK every readable mapping of an i386 program is executable.",
        "Old toolchains did not say whether they need executable data, so Linux assumes they do: the "
        "personality READ_IMPLIES_EXEC adds PROT_EXEC to PROT_READ. [vvar] is the kernel's own, and stays "
        "r--p.",
        "arch/x86/include/asm/elf.h:elf_read_implies_exec(), mm/mmap.c:do_mmap()",
    ),
    Rule(
        "vma.vdso",
        "The kernel maps [vdso], a small library of its own, and [vvar], the data it reads, into every "
        "process.",
        "A program enters the kernel through [vdso] the fastest way the processor has, and asks the time "
        "there without entering it. They are mapped after the program and its interpreter, where "
        "get_unmapped_area() finds room: at the top of the mmap area, or below what lies there.",
        "arch/x86/entry/vdso/vma.c:map_vdso()",
    ),
    Rule(
        "vma.stack",
        "At exec the stack has the pages of its strings and 128 KiB of room below.",
        "The kernel extends it at once, by what it calls randomly 32 pages, so that tables and first pushes "
        "need no further extension; never beyond the stack limit.",
        "fs/exec.c:setup_arg_pages()",
    ),
)
