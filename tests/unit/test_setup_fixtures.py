"""Each fixture is what its name says: the program headers of every link style, the end of every crash."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

BUILD = Path(__file__).parents[2] / "fixtures/build"

READ, WRITE, EXECUTE = 4, 2, 1


class Shape:
    """What a linker decides about an executable."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            elf = ELFFile(file)
            segments: list[Any] = [segment.header for segment in elf.iter_segments()]
            self.type = elf.header.e_type
            self.sections = {section.name for section in elf.iter_sections()}
        self.loads = [header for header in segments if header.p_type == "PT_LOAD"]
        self.flags = {header.p_type: header.p_flags for header in segments}

    @property
    def load_flags(self) -> list[int]:
        return [header.p_flags for header in self.loads]


def built(name: str) -> Path:
    path = BUILD / name
    if not path.exists():
        pytest.skip(f"{name} is not built: `make fixtures` builds what this machine's compiler can")
    return path


STYLES: dict[str, Callable[[Shape], bool]] = {
    "hello": lambda s: s.type == "ET_EXEC" and "PT_INTERP" not in s.flags and s.flags["PT_GNU_STACK"] == 6,
    "hello_noseparate_code": lambda s: s.load_flags == [READ | EXECUTE, READ | WRITE],
    "hello_norelro": lambda s: "PT_GNU_RELRO" not in s.flags,
    "hello_execstack": lambda s: s.flags["PT_GNU_STACK"] == READ | WRITE | EXECUTE,
    "hello_no_gnu_stack": lambda s: "PT_GNU_STACK" not in s.flags,
    "hello_text_segment": lambda s: s.loads[0].p_vaddr == 0x10000000,
    "hello_align_64k": lambda s: (
        {load.p_align for load in s.loads} == {0x10000}
        and len({load.p_vaddr >> 16 for load in s.loads}) == len(s.loads)
        and all((load.p_vaddr - load.p_offset) % 0x10000 == 0 for load in s.loads)
    ),
    "hello_static_pie": lambda s: s.type == "ET_DYN" and "PT_INTERP" not in s.flags,
    "hello_dynamic": lambda s: s.type == "ET_EXEC" and "PT_INTERP" in s.flags,
    "hello_pie": lambda s: s.type == "ET_DYN" and "PT_INTERP" in s.flags,
    "hello_nostdlib": lambda s: s.type == "ET_EXEC" and "PT_TLS" not in s.flags,
    "hello_nmagic": lambda s: s.load_flags == [7] and s.loads[0].p_offset % 0x1000 != 0,
    "hello_omagic": lambda s: s.load_flags == [7] and s.loads[0].p_filesz < 0x1000,
    "hello_stripped": lambda s: ".symtab" not in s.sections,
    "hello_no_build_id": lambda s: ".note.gnu.build-id" not in s.sections,
}


@pytest.mark.parametrize("name", STYLES)
def test_a_style_has_the_shape_it_is_named_for(name: str) -> None:
    assert STYLES[name](Shape(built(name)))


@pytest.mark.parametrize("name", sorted({*STYLES} - {"hello_stripped", "hello_no_build_id"}))
def test_the_other_styles_keep_symbols_and_build_id(name: str) -> None:
    assert Shape(built(name)).sections >= {".symtab", ".note.gnu.build-id"}


CRASHES = {"null_read", "write_text", "execute_data", "touch_kernel", "stack_overflow"}


@pytest.mark.live
@pytest.mark.parametrize("name", sorted(path.stem for path in BUILD.parent.glob("*.c")))
def test_a_fixture_ends_by_itself_and_in_the_way_it_is_named_for(name: str) -> None:
    try:
        result = subprocess.run([built(name)], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        pytest.skip(f"this kernel runs no i386 programs: {error}")
    assert result.returncode == (-signal.SIGSEGV if name in CRASHES else 0)
    assert result.stdout
    assert not result.stderr


@pytest.mark.live
def test_every_link_style_of_hello_says_the_same() -> None:
    for name in STYLES:
        if not (BUILD / name).exists():
            continue
        try:
            output = subprocess.run([BUILD / name], capture_output=True, check=True).stdout
        except OSError as error:
            pytest.skip(f"this kernel runs no i386 programs: {error}")
        assert output in {b"hello, world\n", b"hello, bare world\n"}
