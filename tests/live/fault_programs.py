"""Small i386 programs that fault where they say, one behaviour each."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

COMMON = """
    #define _GNU_SOURCE
    #include <pthread.h>
    #include <sched.h>
    #include <signal.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <sys/mman.h>
    #include <sys/wait.h>
    #include <unistd.h>
    #define PAGE 4096
    /* Where every program touches its pages, to be told from what the C library touches. */
    #define PLACE ((volatile char *)0x60000000)
    static void touch(int first, int count) {
        for (int i = first; i < first + count; i++) PLACE[i * PAGE] = 1;
    }
    static void map(int count) {
        if (mmap((void *)PLACE, (size_t)count * PAGE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != PLACE) _exit(99);
    }
"""

SOURCES = {
    # touches N pages, once each
    "touches": "int main(int c, char **v) { (void)c; map(atoi(v[1])); touch(0, atoi(v[1])); return 0; }",
    # the same, in ten bursts
    "bursts": """
        int main(int c, char **v) {
            int some = atoi(v[1]) / 10;
            (void)c;
            map(10 * some);
            for (int i = 0; i < 10; i++) { touch(i * some, some); usleep(50000); }
            return 0;
        }""",
    # N children, each touching M pages of its own
    "forks": """
        int main(int c, char **v) {
            (void)c;
            for (int i = 0; i < atoi(v[1]); i++)
                if (!fork()) { map(atoi(v[2])); touch(0, atoi(v[2])); _exit(0); }
            while (wait(0) > 0) {}
            return 0;
        }""",
    # 1 page itself; a child 2 pages; its child 4; a second child, by vfork, none; two threads 8 in all
    "family": """
        static void *work(void *first) { touch((int)first, 4); return 0; }
        int main(void) {
            pthread_t thread[2];
            map(64);
            touch(0, 1);
            if (!fork()) {
                touch(10, 2);
                if (!fork()) { touch(20, 4); _exit(0); }
                wait(0);
                _exit(0);
            }
            wait(0);
            if (!vfork()) _exit(0);
            wait(0);
            for (int i = 0; i < 2; i++) pthread_create(thread + i, 0, work, (void *)(30 + 4 * i));
            for (int i = 0; i < 2; i++) pthread_join(thread[i], 0);
            return 0;
        }""",
    # leaves a child behind, in a session of its own, which has a child in turn
    "leaves": """
        int main(void) {
            if (fork()) { char c; int end[2]; if (pipe(end)) return 1; (void)c; usleep(50000); return 3; }
            setsid();
            if (fork()) for (;;) pause();
            setsid();
            map(1);
            touch(0, 1);
            for (;;) pause();
        }""",
    "spins": "int main(void) { map(1); touch(0, 1); for (;;) {} }",
    "executes": """
        int main(int c, char **v) {
            if (c > 1) { if (!fork()) { execl(v[1], v[1], (char *)0); _exit(9); } wait(0); }
            return 0;
        }""",
    # on every CPU in turn, a page each
    "wanders": """
        int main(int c, char **v) {
            int cpus = atoi(v[1]);
            (void)c;
            map(100 * cpus);
            for (int i = 0; i < 100 * cpus; i++) {
                cpu_set_t one;
                CPU_ZERO(&one);
                CPU_SET(i % cpus, &one);
                if (sched_setaffinity(0, sizeof one, &one)) return 1;
                touch(i, 1);
            }
            return 0;
        }""",
    "kills_itself": "int main(int c, char **v) { (void)c; raise(atoi(v[1])); return 1; }",
    "prints": 'int main(void) { for (int i = 0; i < 300000; i++) puts("a line"); return 0; }',
    # ends otherwise every time but the first
    "once": 'int main(int c, char **v) { (void)c; return !fopen(v[1], "wx"); }',
    "creates": 'int main(int c, char **v) { (void)c; return !fopen(v[1], "w"); }',
}
PLACE = 0x60000000


def build(directory: Path, name: str) -> Path:
    """Return the program `name`, compiled in `directory`; skip the test where that is not possible."""
    program = directory / name
    if not program.exists():
        if shutil.which("gcc") is None:
            pytest.skip("there is no gcc")
        command = ["gcc", "-m32", "-static", "-O1", "-pthread", "-x", "c", "-", "-o", str(program)]
        source = COMMON + SOURCES[name]
        done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"gcc -m32 -static does not work: {done.stderr.strip()}")
    return program
