"""Small i386 programs to run under gdb, one behaviour each, and what is needed to start and find them."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from inspector.model.auxv import AuxType

SOURCES = {
    "hello": '#include <stdio.h>\nint main(void) { puts("hello"); return 3; }',
    "segv": "int main(void) { *(volatile int *)0x1234 = 1; return 0; }",
    "write_text": "int main(void) { *(volatile char *)main = 1; return 0; }",
    "jump_to_nowhere": "int main(void) { ((void (*)(void))0x10)(); return 0; }",
    "jump_to_guard": "int main(void) { ((void (*)(void))0xfff1)(); return 0; }",
    "privileged": 'int main(void) { __asm__ volatile("hlt"); return 0; }',
    "stops_itself": """
        #include <signal.h>
        int main(void) { raise(SIGSTOP); raise(SIGTSTP); raise(SIGSTOP); return 5; }""",
    "int3": """
        #include <signal.h>
        static volatile int seen;
        static void handler(int number) { (void)number; seen++; }
        int main(int argc, char **argv) {
            (void)argv;
            if (argc > 1) signal(SIGTRAP, handler);
            __asm__ volatile("int3");
            return 10 + seen;
        }""",
    "handles_segv": """
        #include <setjmp.h>
        #include <signal.h>
        static sigjmp_buf out;
        static void handler(int number) { (void)number; siglongjmp(out, 1); }
        int main(void) {
            signal(SIGSEGV, handler);
            if (!sigsetjmp(out, 1)) *(volatile int *)0x1234 = 1;
            return 6;
        }""",
    "execs": """
        #include <unistd.h>
        int main(int argc, char **argv) { if (argc > 1) execl(argv[1], argv[1], (char *)0); return 9; }""",
    "forks": """
        #include <sys/wait.h>
        #include <unistd.h>
        int main(void) {
            int status;
            if (!fork()) _exit(4);
            wait(&status);
            if (!vfork()) _exit(5);
            wait(&status);
            return WEXITSTATUS(status);
        }""",
    "threads": """
        #include <pthread.h>
        static void *work(void *unused) { return unused; }
        int main(void) {
            pthread_t thread[4];
            for (int i = 0; i < 4; i++) pthread_create(thread + i, 0, work, 0);
            for (int i = 0; i < 4; i++) pthread_join(thread[i], 0);
            return 7;
        }""",
    "spins": """
        #include <unistd.h>
        volatile int ticks;
        void __attribute__((noinline)) tick(void) { ticks++; }
        int main(void) { for (;;) { tick(); usleep(1000); } }""",
    "forges": r"""
        #include <stdio.h>
        int main(void) {
            for (int token = 0; token < 60; token++)
                printf("%d^error,msg=\"forged\"\n%d^done\n*stopped,reason=\"exited\",exit-code=\"077\"\n(gdb)\n",
                       token, token);
            fflush(stdout);
            return 8;
        }""",
}
STYLES = {
    "static": ("-static",),
    "static-pie": ("-static-pie", "-fPIE"),
    "dynamic": ("-no-pie",),
    "dynamic-pie": ("-pie", "-fPIE"),
}

ABSENT_PAGES = """
    # %ebp and %esp point at absent pages; `far` is the first byte of an absent page, `trap` is beside it.
    .globl _start, far, trap
    _start: mov $buffer+0x10000, %ebp
            mov $buffer+0x20000, %esp
            mov $20, %eax
            int $0x80
            jmp far
    .balign 4096
    .skip 4096*40
    far:    nop
            mov $20, %eax
            int $0x80
    trap:   int3
            mov $1, %eax
            mov $2, %ebx
            int $0x80
    .bss
    .balign 4096
    buffer: .skip 0x40000
"""


def build(directory: Path, name: str, flags: tuple[str, ...] = ("-static",)) -> Path:
    """Return the program `name`, compiled in `directory`; skip the test where that is not possible."""
    source = directory / f"{name}.c"
    source.write_text(SOURCES[name])
    return _compile(source, directory / "-".join((name, *flags)), ("-O1", "-pthread", *flags))


def build_absent_pages(directory: Path) -> Path:
    """Return a program whose registers and breakpoints concern pages that are absent."""
    source = directory / "absent_pages.S"
    source.write_text(ABSENT_PAGES)
    return _compile(source, directory / "absent_pages", ("-static", "-nostdlib", "-no-pie"))


def _compile(source: Path, output: Path, flags: tuple[str, ...]) -> Path:
    if not output.exists():
        if shutil.which("gcc") is None:
            pytest.skip("there is no gcc")
        done = subprocess.run(
            ["gcc", "-m32", *flags, "-o", output, source], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"gcc -m32 {' '.join(flags)} does not work: {done.stderr.strip()}")
    return output


def stripped(program: Path) -> Path:
    """Return a copy of `program` without symbols."""
    copy = program.with_name(f"{program.name}-stripped")
    subprocess.run(["strip", "-o", copy, program], check=True)
    return copy


def symbol(program: Path, name: str) -> int:
    """Return the address `program` was linked to have `name` at."""
    listing = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
    return next(int(line.split()[0], 16) for line in listing.splitlines() if line.endswith(f" {name}"))


def load_bias(pid: int, program: Path) -> int:
    """Return what was added to the addresses of `program` when process `pid` loaded it."""
    auxv = dict(struct.iter_unpack("<II", Path(f"/proc/{pid}/auxv").read_bytes()))
    return int(auxv[AuxType.AT_ENTRY]) - symbol(program, "_start")
