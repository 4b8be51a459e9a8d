from __future__ import annotations

import struct
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from inspector.model.address import VirtAddr
from inspector.model.auxv import AuxEntry, AuxType
from inspector.model.snapshot import StackImage
from inspector.view.initial_stack import PartKind, StackPart, parts_of

SP = 0xFFFF_DE60


def built(argv: list[bytes], envp: list[bytes], execfn: bytes = b"/bin/a") -> StackImage:
    """Return a stack as create_elf_tables() leaves it."""
    words = 1 + len(argv) + 1 + len(envp) + 1 + 2 * 4
    tables = SP + 4 * words
    random, platform = tables + 4, tables + 20
    at = platform + 5 + 7
    pointers = []
    for text in (*argv, *envp):
        pointers.append(at)
        at += len(text) + 1
    auxv = (AuxType.AT_RANDOM, random, AuxType.AT_PLATFORM, platform, AuxType.AT_EXECFN, at, 0, 0)
    numbers = [len(argv), *pointers[: len(argv)], 0, *pointers[len(argv) :], 0, *auxv]
    strings = b"".join(text + b"\0" for text in (*argv, *envp, execfn))
    contents = struct.pack(f"<{words}I", *numbers) + bytes(4) + b"\xaa" * 16 + b"i686\0" + bytes(7)
    return StackImage(VirtAddr(SP), contents + strings + bytes(8))


def texts(parts: tuple[StackPart, ...], kind: PartKind) -> list[bytes]:
    return [part.contents for part in parts if part.kind is kind]


def test_every_part_of_an_ordinary_stack_has_its_name() -> None:
    parts = parts_of(built([b"./a", b""], [b"X=1"]))
    assert [part.kind.value for part in parts] == [
        "argc", "argv pointer", "argv pointer", "argv end", "envp pointer", "envp end",
        "auxv entry", "auxv entry", "auxv entry", "auxv entry", "padding", "random bytes", "platform string",
        "padding", "argument string", "argument string", "environment string", "execfn string", "top",
    ]  # fmt: skip
    assert parts[0].word == 2
    assert texts(parts, PartKind.ARGUMENT) == [b"./a\0", b"\0"]
    assert texts(parts, PartKind.ENVIRONMENT) == [b"X=1\0"]
    assert texts(parts, PartKind.EXECFN) == [b"/bin/a\0"]
    assert texts(parts, PartKind.RANDOM) == [b"\xaa" * 16]
    assert [part.entry for part in parts if part.kind is PartKind.AUXV][-1] == AuxEntry(0, 0)


def test_a_pointer_leads_to_the_string_of_its_number() -> None:
    parts = parts_of(built([b"a", b"bb"], [b"C=3"]))
    strings = {part.range.start: part for part in parts}
    for part in parts:
        if part.kind is PartKind.ARGV:
            assert (strings[VirtAddr(part.word)].kind, strings[VirtAddr(part.word)].index) == (
                PartKind.ARGUMENT,
                part.index,
            )


def test_bytes_that_nothing_points_to_are_not_taken_for_padding() -> None:
    stack = built([b"a"], [])
    spoilt = stack.contents[:-8] + b"\0\0\0\1\0\0\0\0"
    assert parts_of(StackImage(stack.sp, spoilt))[-1].kind is PartKind.OTHER


def test_an_argc_beyond_the_stack_ends_with_it() -> None:
    parts = parts_of(StackImage(VirtAddr(SP), struct.pack("<3I", 0xFFFF_FFFF, 1, 2)))
    assert [part.kind for part in parts] == [PartKind.ARGC, PartKind.ARGV, PartKind.ARGV]


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1))
def test_whatever_the_bytes_are_the_parts_follow_each_other(contents: bytes, sp: int) -> None:
    parts = parts_of(StackImage(VirtAddr(sp), contents))
    assert b"".join(part.contents for part in parts) == contents
    assert all(one.range.end == other.range.start for one, other in pairwise(parts))
    assert all(part.range.size_bytes == len(part.contents) > 0 for part in parts)


@given(
    st.lists(st.binary(max_size=8).filter(lambda text: b"\0" not in text), min_size=1, max_size=4),
    st.lists(st.binary(max_size=8).filter(lambda text: b"\0" not in text), max_size=4),
)
def test_strings_are_found_whatever_they_hold(argv: list[bytes], envp: list[bytes]) -> None:
    parts = parts_of(built(argv, envp))
    assert texts(parts, PartKind.ARGUMENT) == [text + b"\0" for text in argv]
    assert texts(parts, PartKind.ENVIRONMENT) == [text + b"\0" for text in envp]
    assert not texts(parts, PartKind.OTHER)
