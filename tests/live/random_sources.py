"""Random C programs from a seed, a statement a line; any of them can be left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

HEADER = Path(__file__).with_name("random_source.h")

OPTIMIZATIONS = ("-O0", "-O1", "-O2", "-O3", "-Os")
STYLES = (
    ("-static",),
    ("-static", "-Wl,-z,noseparate-code"),
    ("-static-pie", "-fPIE"),
    ("-static", "-Wl,-z,norelro"),
)
_SLOTS = 6
_PROTECTIONS = (0, 1, 3, 3, 3, 5, 7)
_STEPS = (1, 61, 512, 4095, 4096, 4097, 9000, 70_000)


@dataclass(frozen=True)
class CProgram:
    """A program: how it is compiled, how large its static arrays are, and what its main does."""

    flags: tuple[str, ...]
    sizes: tuple[int, int, int]
    """Bytes of .bss, .data and .rodata."""
    statements: tuple[str, ...]

    @property
    def text(self) -> str:
        """The source; the file to read is its first argument."""
        zeros, data, constants = self.sizes
        body = "\n".join(f"    {statement}" for statement in self.statements)
        return (
            f"#define ZEROS {zeros}\n#define DATA {data}\n#define CONSTANTS {constants}\n"
            f'#include "{HEADER.name}"\n'
            f"int main(int count, char **arguments)\n{{\n{body}\n    return (int)(sum & 0x7F);\n}}\n"
        )

    @property
    def command(self) -> list[str]:
        """The compiler and its arguments but for -o and the source."""
        return ["gcc", "-m32", "-w", "-I", str(HEADER.parent), *self.flags]


def random_program(source: random.Random) -> CProgram:
    """Return a random program of some dozens of statements."""
    sizes = source.randrange(1, 1 << 18), source.randrange(16, 1 << 16), source.randrange(16, 1 << 16)
    flags = (source.choice(OPTIMIZATIONS), *source.choice(STYLES))
    statements = _statements(source, source.randrange(5, 40), children=2)
    return CProgram(flags, sizes, tuple(statements))


def shrunk(program: CProgram, fails: Callable[[CProgram], bool]) -> CProgram:
    """Return `program` with as many statements left out as can be while it still fails."""
    length = len(program.statements) // 2
    while length:
        at = 0
        while at < len(program.statements):
            rest = program.statements[:at] + program.statements[at + length :]
            candidate = replace(program, statements=rest)
            if fails(candidate):
                program = candidate
            else:
                at += length
        length //= 2
    return program


def _statements(source: random.Random, count: int, *, children: int) -> list[str]:
    made = []
    for _ in range(count):
        if children and source.random() < 0.06:
            body = " ".join(_statements(source, source.randrange(1, 8), children=children - 1))
            made.append(
                f"if (!fork()) {{ {body} _exit(sum & 0x3F); }} "
                "{ int status; wait(&status); sum += status; }"
            )
        else:
            made.append(source.choice(_KINDS)(source))
    return made


def _bytes(source: random.Random) -> int:
    return source.randrange(1 << source.choice((5, 8, 12, 14, 17, 18, 21)))


def _heap(source: random.Random) -> str:
    slot, other, size = source.randrange(_SLOTS), source.randrange(_SLOTS), _bytes(source)
    return source.choice(
        (
            f"allocate({slot}, {size});",
            f"allocate({slot}, {size}); fill({slot}, {size % 251});",
            f"allocate_cleared({slot}, {size});",
            f"reallocate({slot}, {size});",
            f"reallocate({slot}, {size}); step_through({slot}, {source.choice(_STEPS)});",
            f"release({slot});",
            f"fill({slot}, {size % 251});",
            f"copy({slot}, {other});",
            f"measure({slot});",
            f"step_through({slot}, {source.choice(_STEPS)});",
            f"sort({size % 5000 + 1});",
            f"move_break({source.randrange(-4096, 1 << 16)});",
        )
    )


def _own_memory(source: random.Random) -> str:
    step = source.choice(_STEPS)
    return source.choice(
        (
            f"read_through(zeros, sizeof zeros, {step});",
            f"write_through(zeros, sizeof zeros, {step});",
            f"change_through(zeros, sizeof zeros, {step});",
            f"read_through(data, sizeof data, {step});",
            f"change_through(data, sizeof data, {step});",
            f"read_through(constants, sizeof constants, {step});",
            f"sum += recurse({source.randrange(1, 200)}, {source.randrange(1, 5000)});",
        )
    )


def _mapping(source: random.Random) -> str:
    """Return a mapping, most often touched at once; what is done to it later may end the program."""
    slot, other, first = source.randrange(3), source.randrange(3), source.randrange(24)
    pages, now, step = source.randrange(1, 12), source.randrange(1, 16), source.choice((512, 4096, 8192))
    protection = source.choice(_PROTECTIONS)
    start, size = f"PLACE({slot}) + {first} * PAGE", f"{pages} * PAGE"
    if source.random() < 0.1:
        first, pages, now = first * 100, pages * 100, now * 100
    touches = {
        1: f"read_through({start}, {size}, {step});",
        3: f"change_through({start}, {size}, {step});",
        7: f"write_through({start}, {size}, {step});",
    }.get(protection, "")
    mapped = f"map({slot}, {first}, {pages}, {protection});"
    protected = f"protect({slot}, {first}, {pages}, {protection});"
    flags, at = source.choice((0, 1, 3)), source.randrange(32)
    remapped = f"remap({slot}, {first}, {pages}, {now}, {flags}, {other}, {at});"
    # Several areas moved at once are not modelled: only what was just written moves without a change of size.
    resized = f"remap({slot}, {first}, {pages}, {now + (now == pages)}, {flags}, {other}, {at});"
    written = f"map({slot}, {first}, {pages}, 3); write_through({start}, {size}, {step});"
    from_file = f"map_file({slot}, {first}, {pages}, {protection}, arguments[1], {source.randrange(4)});"
    return source.choice(
        (
            f"{mapped} {touches}",
            f"{mapped} {touches}",
            mapped,
            f"{mapped} read_through({start}, {size}, {step});" if protection else mapped,
            f"map_anywhere({pages});",
            f"unmap({slot}, {first}, {pages});",
            protected,
            f"map({slot}, {first}, {now}, 3); {protected} {touches if pages <= now else ''}",
            resized,
            f"{written} {remapped}",
            f"forget({slot}, {first}, {pages});",
            from_file,
            f"map_file({slot}, {first}, 8, 3, arguments[1], 0); change_through({start}, 8 * PAGE, {step});",
        )
    )


def _input_output(source: random.Random) -> str:
    number, real = source.randrange(-(1 << 31), 1 << 31), source.uniform(-1e6, 1e6)
    slot = source.randrange(_SLOTS)
    return source.choice(
        (
            f"say_numbers({number}, {real!r});",
            f"say_much({source.randrange(1, 120)});",
            f"format({slot}, {real!r});",
            "puts(constants);",
            f"read_file(arguments[1], {source.randrange(40_000)}, {_bytes(source) + 1});",
            f"read_lines(arguments[1], {source.randrange(1, 300)});",
            f"read_lines(NULL, {source.randrange(1, 300)});",
            f"allocate({slot}, {_bytes(source)}); read_descriptor(0, {slot});",
            "look_around(count, arguments);",
        )
    )


def _signals(source: random.Random) -> str:
    """Return something about signals; a default action may end the program.

    Not of SIGCHLD: when a child's end interrupts its parent, the scheduler decides.
    """
    number = source.choice(("SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGTERM", "SIGRTMIN"))
    flags = source.choice(("0", "SA_RESTART", "SA_NODEFER", "SA_RESETHAND", "SA_ONSTACK"))
    place = f"PLACE({source.randrange(3)}) + {source.randrange(32)} * PAGE"
    handled = f"handle({number}, {source.choice((1, 2, 2, 3))}, {flags});"
    return source.choice(
        (
            f"{handled} raise({number});",
            f"{handled} raise({number});",
            f"{handled} kill(getpid(), {number});",
            f"mask(SIG_BLOCK, SIGUSR1); handle(SIGUSR1, 2, {flags}); raise(SIGUSR1);",
            f"handle(SIGUSR1, 2, {flags}); mask(SIG_UNBLOCK, SIGUSR1);",
            f"survive({place}, {flags});",
            f"survive({source.choice(('NULL', '(char *)-1', '(char *)0xc0000000'))}, {flags});",
            f"alternate_stack({source.choice((1024, 2048, 8192, 1 << 16))});",
            f"signal_deeply(SIGUSR2, {source.randrange(40)});",
            f"handle({number}, 0, 0);",
        )
    )


_KINDS = (_heap, _heap, _own_memory, _mapping, _mapping, _input_output, _signals)
