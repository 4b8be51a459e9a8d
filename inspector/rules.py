"""The catalogue of rules: every fact about Linux that a prediction or a tolerance rests on.

The same id stands in the code that applies a rule, in the finding it explains and in the report.
Ids read `area.fact`; sources name a file and function of the Linux tree, version 6.18.
"""

from __future__ import annotations

from dataclasses import dataclass

from inspector.errors import UnknownRule


@dataclass(frozen=True, slots=True)
class Rule:
    """A fact about Linux, the CPU or gdb that a prediction, a tolerance or an explanation rests on."""

    id: str
    statement: str
    """One sentence."""
    reason: str
    source: str
    """Where Linux says so: `fs/binfmt_elf.c:load_elf_binary()`."""


_CATALOGUE = (
    # --- execve's verdict -------------------------------------------------------------------------
    Rule(
        "exec.runs",
        "execve succeeds and the program starts at its entry point.",
        "Every check of the handler passed and every segment could be mapped.",
        "fs/binfmt_elf.c:load_elf_binary()",
    ),
    Rule(
        "exec.path",
        "The path does not lead to a file.",
        "Path resolution stops at the first component that is missing, not a directory or not searchable, at"
        " a name of more than 255 bytes, and at the 41st symbolic link; a path of 4096 bytes is not tried.",
        "fs/namei.c:link_path_walk()",
    ),
    Rule(
        "exec.not-regular",
        "Only a regular file can be executed.",
        "A directory, FIFO, socket or device gives EACCES before its contents are looked at.",
        "fs/namei.c:may_open()",
    ),
    Rule(
        "exec.no-permission",
        "The file's mode does not let the caller execute it.",
        "The first match of owner, access control list, group, others decides; root needs one x bit at all.",
        "fs/namei.c:generic_permission()",
    ),
    Rule(
        "exec.noexec-mount",
        "The file lies on a file system mounted noexec.",
        "execve refuses such a file whatever its mode says.",
        "fs/exec.c:do_open_execat()",
    ),
    Rule(
        "exec.open-for-writing",
        "Someone has the file open for writing.",
        "What runs may not change meanwhile; the profile says whether this kernel minds.",
        "fs/exec.c:do_open_execat()",
    ),
    Rule(
        "exec.first-bytes",
        "execve reads the first 256 bytes of a file for the handlers to judge by.",
        "It was 128 until Linux 5.1, which made room for longer #! lines.",
        "include/uapi/linux/binfmts.h:BINPRM_BUF_SIZE, fs/exec.c:prepare_binprm()",
    ),
    Rule(
        "exec.handlers",
        "The handlers are asked one after the other, each by its load_binary function.",
        "binfmt_misc comes first; then load_script for #! files, and load_elf_binary for ELF files, which a "
        "64-bit kernel has twice: once for its own programs, and once more for 32-bit ones.",
        "fs/exec.c:search_binary_handler(), fs/compat_binfmt_elf.c",
    ),
    Rule(
        "exec.no-handler",
        "No handler knows the first 256 bytes of the file.",
        "Every registered format looks at the magic number; when none takes the file the answer is ENOEXEC.",
        "fs/exec.c:search_binary_handler()",
    ),
    Rule(
        "exec.argument-too-long",
        "One argument or environment string is longer than 32 pages.",
        "MAX_ARG_STRLEN bounds every single string.",
        "fs/exec.c:copy_strings()",
    ),
    Rule(
        "exec.arguments-too-big",
        "Arguments and environment exceed a quarter of the stack limit (at least 128 KiB, at most 6 MiB).",
        "The strings are the first thing on the new stack, which must keep room to work.",
        "fs/exec.c:bprm_stack_limits()",
    ),
    Rule(
        "exec.stack-full",
        "The strings fit on the stack, but not the tables below them.",
        "The limit of the stack is tried again when auxiliary vector and pointers are stored; by then there"
        " is no program left to be told of E2BIG.",
        "fs/binfmt_elf.c:create_elf_tables()",
    ),
    Rule(
        "exec.no-room-for-vdso",
        "The segments leave no gap large enough for the kernel's own areas.",
        "vvar and vdso are mapped behind them, where there is room.",
        "arch/x86/entry/vdso/vma.c:map_vdso()",
    ),
    Rule(
        "script.no-interpreter",
        "The #! line names no interpreter.",
        "Between #! and the end of the line there is nothing but blanks.",
        "fs/binfmt_script.c:load_script()",
    ),
    Rule(
        "script.truncated",
        "The name of the interpreter does not end within the file's first 256 bytes.",
        "The kernel reads no more of it, and half a path must not be executed; a cut argument is let pass.",
        "fs/binfmt_script.c:load_script()",
    ),
    Rule(
        "script.interpreter-unusable",
        "The interpreter that the #! line names cannot be opened for execution.",
        "It is opened as execve opens any program, and may be refused for the same reasons; the name is taken"
        " as it stands, a carriage return at its end included.",
        "fs/binfmt_script.c:load_script()",
    ),
    Rule(
        "script.nesting",
        "An interpreter may be a script itself, but not more than five deep.",
        "Each script makes execve start again with its interpreter; it does so five times.",
        "fs/exec.c:exec_binprm()",
    ),
    Rule(
        "script.arguments",
        "A script's argv[0] gives way to the interpreter's name, its argument and the script's path.",
        "The strings are on the stack by then, argv[0] lowest, so it is cut off and the new ones put there;"
        " what they do not cover stays in memory. AT_EXECFN and comm stay the script's.",
        "fs/binfmt_script.c:load_script()",
    ),
    Rule(
        "elf.type",
        "Only ET_EXEC and ET_DYN files can be executed.",
        "A relocatable object or a core file has nothing to start.",
        "fs/binfmt_elf.c:load_elf_binary()",
    ),
    Rule(
        "elf.machine",
        "The file is for another processor.",
        "A 32-bit x86 handler takes e_machine 3 (EM_386) and 6 (EM_486) only.",
        "arch/x86/include/asm/elf.h:elf_check_arch_ia32()",
    ),
    Rule(
        "elf.program-headers",
        "The program headers cannot be read.",
        "They must be 32 bytes each, at least one, lie inside the file and be no more than 64 KiB together; "
        "a page on kernels that still have that limit (the profile says which).",
        "fs/binfmt_elf.c:load_elf_phdrs()",
    ),
    Rule(
        "elf.interpreter-string",
        "PT_INTERP does not hold a path.",
        "It must be 2 to 4096 bytes long, lie inside the file and end in a zero byte.",
        "fs/binfmt_elf.c:load_elf_binary()",
    ),
    Rule(
        "elf.interpreter-missing",
        "The interpreter named by PT_INTERP cannot be opened for execution.",
        "It is opened like a program, before the old program is given up.",
        "fs/exec.c:open_exec()",
    ),
    Rule(
        "elf.interpreter-bad",
        "The interpreter is not an ELF file for this processor.",
        "The loader itself must be an i386 ELF file with readable program headers.",
        "fs/binfmt_elf.c:load_elf_binary()",
    ),
    Rule(
        "elf.segment-size",
        "A segment is larger in the file than in memory, or does not fit below the task size.",
        "p_filesz <= p_memsz and p_vaddr + p_memsz <= task size are checked once the segment is mapped.",
        "fs/binfmt_elf.c:load_elf_binary()",
    ),
    Rule(
        "elf.segment-unmappable",
        "A segment cannot be mapped where it asks to be.",
        "Its offset and address differ modulo the page, it lies outside the task, or on top of the stack.",
        "fs/binfmt_elf.c:elf_load()",
    ),
    Rule(
        "elf.no-load",
        "A position-independent file has no byte to load.",
        "There is nothing to reserve address space for; the failure comes after the old program is gone.",
        "fs/binfmt_elf.c:total_mapping_size()",
    ),
    Rule(
        "elf.total-size",
        "The room reserved for a position-independent file is added up in 32 bits, and may wrap.",
        "The sum is an elf_addr_t; a segment that ends beyond 4 GiB then seems to end near 0.",
        "fs/binfmt_elf.c:total_mapping_size()",
    ),
    Rule(
        "elf.entry",
        "The entry point lies outside the task.",
        "A start address at or above the task size can never be fetched from.",
        "fs/binfmt_elf.c:load_elf_binary()",
    ),
    Rule(
        "elf.padzero",
        "The rest of a segment's last file page is cleared by the kernel.",
        "Those bytes belong to .bss; the write is a page fault taken in kernel mode, which copies the page.",
        "fs/binfmt_elf.c:padzero()",
    ),
    Rule(
        "elf.whole-file-bss",
        "On a kernel without elf_load() the file gets one .bss, behind its last segment.",
        "It is the difference of the farthest ends in file and memory; the profile says which rule holds.",
        "fs/binfmt_elf.c:set_brk() of Linux 6.1",
    ),
    Rule(
        "elf.file-too-short",
        "The file ends before the last page of a segment, which the kernel has to clear.",
        "A mapping may reach beyond its file, but there is no page behind it to write to.",
        "mm/filemap.c:filemap_fault()",
    ),
    # --- the address space ------------------------------------------------------------------------
    Rule(
        "elf.separate-code",
        "Headers, code, constants and data are a PT_LOAD each, where the texts have two segments.",
        "GNU ld's -z separate-code, the default on Linux since binutils 2.31, lets nothing be executable "
        "that is not code; the kernel maps each PT_LOAD by itself. -z noseparate-code makes two of them.",
        "fs/binfmt_elf.c:elf_load(); binutils ld/configure.ac:ac_default_ld_z_separate_code",
    ),
    Rule(
        "vma.segment-file",
        "Each PT_LOAD maps its file pages, from the page of p_vaddr to the end of p_filesz.",
        "mmap works in whole pages, so a segment's first and last page also show its neighbours in the file.",
        "fs/binfmt_elf.c:elf_map()",
    ),
    Rule(
        "vma.segment-bss",
        "What p_memsz exceeds the file pages by is mapped as anonymous memory.",
        "The file has no bytes for it; it is readable and writable, executable only if the segment is.",
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
        "A new mapping is merged with its neighbours; memory added by brk only with the area below it.",
        "mm/vma.c:vma_merge_new_range()",
    ),
    Rule(
        "vma.anon-vma",
        "Areas that each had a page copied on their own are two areas for good, whatever lies between them.",
        "The first private page gives an area its anon_vma, or a neighbour's; merging two would mix them up.",
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
        "An area made from writable memory is charged, and keeps that mark when it becomes read-only.",
        "Two areas with different VM_ACCOUNT never merge: RELRO stays apart from .rodata.",
        "mm/mmap.c:accountable_mapping()",
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
        "vma.gap",
        "Addresses that nobody has mapped are in no area.",
        "execve maps segments, stack and vdso, and the program the rest. Most of an address space is the gap "
        "that heap and mmap area grow into, towards each other.",
        "mm/mmap.c:find_vma()",
    ),
    Rule(
        "vma.read-implies-exec",
        "Without PT_GNU_STACK every readable mapping of an i386 program is executable.",
        "Old toolchains did not say whether they need executable data, so Linux assumes they do.",
        "arch/x86/include/asm/elf.h:elf_read_implies_exec()",
    ),
    Rule(
        "vma.vdso",
        "The vdso and its data pages lie at the top of the mmap area, or below what was mapped first.",
        "They are placed by get_unmapped_area() after the program and its interpreter.",
        "arch/x86/entry/vdso/vma.c:map_vdso()",
    ),
    Rule(
        "vma.stack",
        "At exec the stack has the pages of its strings and 128 KiB of room below.",
        "The kernel extends it at once so that the first pushes need no further extension.",
        "fs/exec.c:setup_arg_pages()",
    ),
    Rule(
        "layout.task-size",
        "A program's addresses end at 0xc0000000 under a 32-bit kernel, at 0xffffe000 under a 64-bit one.",
        "A 64-bit kernel needs no room for itself there; the personality ADDR_LIMIT_3GB gives the old limit.",
        "arch/x86/include/asm/page_64_types.h:IA32_PAGE_OFFSET",
    ),
    Rule(
        "layout.default-base",
        "A program that is not position-independent lies where its linker put it, for i386 at 0x08048000.",
        "p_vaddr says so, and the kernel obeys (MAP_FIXED_NOREPLACE). The i386 ABI left 128 MiB below "
        "for the stack, which Linux has elsewhere; GNU ld kept the number, and -Ttext-segment changes it.",
        "fs/binfmt_elf.c:load_elf_binary(); binutils ld/emulparams/elf_i386.sh:TEXT_START_ADDR",
    ),
    Rule(
        "layout.aslr",
        "Stack, mmap area, heap and position-independent programs begin at random addresses at each execve.",
        "An attacker must not know them. For an i386 program the stack moves by up to 8 MiB, the mmap area "
        "by vm.mmap_rnd_compat_bits (8) bits of pages, brk by up to 32 MiB; offsets within each stay.",
        "mm/util.c:randomize_stack_top(), arch/x86/mm/mmap.c:arch_mmap_rnd(), "
        "arch/x86/kernel/process.c:arch_randomize_brk()",
    ),
    Rule(
        "layout.null-page",
        "Nothing may be mapped below vm.mmap_min_addr, so that a null pointer points at nothing.",
        "An offset into a structure at address 0 stays within these pages, and is caught with it.",
        "security/min_addr.c:update_mmap_min_addr(), mm/mmap.c:round_hint_to_min()",
    ),
    Rule(
        "layout.kernel-space",
        "Addresses at and above the task size are the kernel's, or nobody's: a program has no area there.",
        "A 32-bit kernel lives there itself, in pages that forbid access from user mode. Under a 64-bit one "
        "there is nothing up to 4 GiB, and no area is found. Both answer with SIGSEGV, SEGV_MAPERR.",
        "arch/x86/mm/fault.c:do_kern_addr_fault(), do_user_addr_fault(), bad_area_nosemaphore()",
    ),
    Rule(
        "layout.mmap-base",
        "The mmap area ends below the stack limit and the guard gap, but at least 128 MiB below the top.",
        "The gap is clamped between 128 MiB and five sixths of the task size.",
        "arch/x86/mm/mmap.c:mmap_base()",
    ),
    Rule(
        "layout.et-dyn",
        "A position-independent program with an interpreter starts at ELF_ET_DYN_BASE.",
        "It lies a third of the task up, where libraries in the mmap area cannot collide with it.",
        "arch/x86/include/asm/elf.h:COMPAT_ELF_ET_DYN_BASE",
    ),
    Rule(
        "layout.static-pie",
        "A position-independent program without an interpreter lies at the top of the mmap area.",
        "It is its own loader, and loaders are placed like libraries.",
        "fs/binfmt_elf.c:load_elf_binary()",
    ),
    Rule(
        "layout.brk",
        "The heap starts at the page after the highest p_vaddr + p_memsz.",
        "A static position-independent program's heap is moved to ELF_ET_DYN_BASE, with room to grow.",
        "fs/binfmt_elf.c:load_elf_binary()",
    ),
    # --- the initial stack ------------------------------------------------------------------------
    Rule(
        "stack.strings",
        "From the top down: a zero word, the path given to execve, the environment, the arguments.",
        "They are copied before the old program is given up, the last string first.",
        "fs/exec.c:copy_strings()",
    ),
    Rule(
        "stack.tables",
        "Below the strings: platform, 16 random bytes, auxv, envp, argv, argc; esp is aligned to 16.",
        "The System V ABI fixes the order from esp upwards.",
        "fs/binfmt_elf.c:create_elf_tables()",
    ),
    Rule(
        "stack.at-random",
        "AT_RANDOM points at sixteen bytes that no one can predict.",
        "They seed the stack protector and pointer guard of the C library.",
        "fs/binfmt_elf.c:create_elf_tables()",
    ),
    Rule(
        "stack.overlaid",
        "A segment may lie over the initial stack; the tables then go there, if it may be written.",
        "The kernel measures the strings where they should be, and finds what the segment has there.",
        "fs/binfmt_elf.c:create_elf_tables(), lib/strnlen_user.c:strnlen_user()",
    ),
    Rule(
        "register.at-entry",
        "Every general register but esp is 0 at the first instruction, EDX too.",
        "The System V ABI has EDX hold a function for atexit. The kernel knows none; a dynamic loader puts "
        "its own there before it goes on to the program, and the C library takes 0 for none.",
        "arch/x86/include/asm/elf.h:ELF_PLAT_INIT(), elf_common_init()",
    ),
    # --- pages and counters at exec ---------------------------------------------------------------
    Rule(
        "fault.argument-pages",
        "Each page of strings counts as a minor fault but raises no fault event.",
        "execve writes them through get_user_pages() before the new address space is current.",
        "fs/exec.c:get_arg_page()",
    ),
    Rule(
        "fault.page-tables",
        "VmPTE counts every page table below the top level.",
        "Tables are allocated by the first fault in their span and freed with the last area there.",
        "mm/memory.c:__pte_alloc()",
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
        "mm/memory.c:do_shared_fault(), mm/mmap.c:vma_wants_writenotify()",
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
    # --- whose a frame is ---------------------------------------------------------------------------
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
    # --- tolerances and explanations --------------------------------------------------------------
    Rule(
        "observe.vvar-hidden",
        "pagemap shows no page of [vvar].",
        "These areas are VM_PFNMAP: the walker skips them.",
        "fs/proc/task_mmu.c:pagemap_read()",
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
    # --- page faults ------------------------------------------------------------------------------
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
        "fault.large-folio",
        "A large folio is mapped whole by the first fault that touches it.",
        "It must lie inside the area, the page table and the file; of any other, the pages in the window of "
        "fault-around are mapped. Linux before 6.18 maps no more than those of any folio.",
        "mm/filemap.c:filemap_map_folio_range()",
    ),
    Rule(
        "register.random",
        "What the register holds was made from random bytes that no one can know.",
        "glibc mixes AT_RANDOM into stored pointers and stack canaries; two predictions that "
        "differ in nothing but those bytes differ here.",
        "fs/binfmt_elf.c:create_elf_tables()",
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

RULES: dict[str, Rule] = {rule.id: rule for rule in _CATALOGUE}
"""Every rule by its id."""


def find_rule(rule_id: str) -> Rule:
    """Return the rule of that id. Raises UnknownRule, which names the one whose id is closest."""
    rule = RULES.get(rule_id)
    if rule is None:
        from difflib import get_close_matches

        close = get_close_matches(rule_id.lower(), RULES, n=1)
        advice = f"did you mean {close[0]}?" if close else "`inspector rules` lists them"
        raise UnknownRule(f"there is no rule {rule_id!a}", help=advice)
    return rule


def rules_of_area(area: str) -> list[Rule]:
    """Return the rules whose ids start with `area` and a dot, in the catalogue's order."""
    return [rule for rule in RULES.values() if rule.id.partition(".")[0] == area]
