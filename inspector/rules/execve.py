"""execve's verdict: the path, the handlers, scripts, and what ELF files must be."""

from inspector.rules.rule import Rule

RULES = (
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
        "MAX_ARG_STRLEN bounds every single string, its final zero byte included.",
        "fs/exec.c:copy_strings()",
    ),
    Rule(
        "exec.arguments-too-big",
        "Arguments and environment exceed a quarter of the stack limit (at least 128 KiB, at most 6 MiB).",
        "The strings are the first thing on the new stack, which must keep room to work. The pointers to "
        "them count as well, 8 bytes each under a 64-bit kernel.",
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
        "vvar and vdso are mapped after them, where there is room.",
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
        "The handler of 32-bit files takes e_machine 3 (EM_386) and 6 (EM_486), and where x32 is enabled 62 "
        "(EM_X86_64).",
        "arch/x86/include/asm/elf.h:elf_check_arch_ia32(), compat_elf_check_arch()",
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
    Rule(
        "elf.separate-code",
        "Headers, code, constants and data are a PT_LOAD each, where the texts have two segments.",
        "GNU ld's -z separate-code, the default on Linux since binutils 2.31, lets nothing be executable "
        "that is not code; the kernel maps each PT_LOAD by itself. -z noseparate-code makes two of them.",
        "fs/binfmt_elf.c:elf_load(); binutils ld/configure.ac:ac_default_ld_z_separate_code",
    ),
)
