"""The initial stack, and the registers at the first instruction and later."""

from inspector.rules.rule import Rule

RULES = (
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
    Rule(
        "register.random",
        "What the register holds was made from random bytes that no one can know.",
        "glibc mixes AT_RANDOM into stored pointers and stack canaries; two predictions that "
        "differ in nothing but those bytes differ here.",
        "fs/binfmt_elf.c:create_elf_tables()",
    ),
)
