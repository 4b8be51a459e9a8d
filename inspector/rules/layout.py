"""Where things lie in an address space."""

from inspector.rules.rule import Rule

RULES = (
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
        "by vm.mmap_rnd_compat_bits (8) bits of pages, brk by up to 32 MiB; offsets within each stay, but "
        "that up to 8 KiB are skipped between the stack's strings and its tables.",
        "mm/util.c:randomize_stack_top(), arch/x86/mm/mmap.c:arch_mmap_rnd(), "
        "arch/x86/kernel/process.c:arch_randomize_brk(), arch_align_stack()",
    ),
    Rule(
        "layout.null-page",
        "Below vm.mmap_min_addr no one but root may map anything, so that a null pointer points at nothing.",
        "An offset into a structure at address 0 stays within these pages, and is caught with it. It takes "
        "CAP_SYS_RAWIO and MAP_FIXED to map something there: else a hint is moved up.",
        "security/commoncap.c:cap_mmap_addr(), mm/mmap.c:round_hint_to_min()",
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
        "Under a 64-bit kernel that is 16 MiB above a third of the task, under a 32-bit one 0x00400000: far "
        "from the mmap area, whose libraries cannot collide with it, and with room for its heap.",
        "arch/x86/include/asm/elf.h:COMPAT_ELF_ET_DYN_BASE, ELF_ET_DYN_BASE",
    ),
    Rule(
        "layout.static-pie",
        "A position-independent program without an interpreter lies at the top of the mmap area.",
        "It is its own loader, and loaders are placed like libraries.",
        "fs/binfmt_elf.c:load_elf_binary()",
    ),
    Rule(
        "layout.huge-page",
        "A 64-bit file of 2 MiB or more, put where there is room, begins at a multiple of 2 MiB on ext4, "
        "xfs and others.",
        "So its huge pages could be mapped whole. A tmpfs without huge pages does not ask for it, and an "
        "i386 program never gets it.",
        "mm/huge_memory.c:__thp_get_unmapped_area(), fs/ext4/file.c:ext4_file_operations",
    ),
    Rule(
        "layout.brk",
        "The heap starts at the page after the highest p_vaddr + p_memsz.",
        "That is behind .bss, but ASLR moves it on by up to 32 MiB. A static position-independent program "
        "lies below other mappings, where no heap could grow: its heap is moved to ELF_ET_DYN_BASE.",
        "fs/binfmt_elf.c:load_elf_binary()",
    ),
)
