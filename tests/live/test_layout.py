"""Sections where `inspector layout` says they are: their bytes in the live process, stopped at exec."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.elf.file import ExecutableFile
from inspector.elf.sections import SHT_NOBITS
from inspector.layout.views import Views, read_image, views_of
from inspector.observe.launch import launch as start
from inspector.predict import predict
from tests.live.launches import launch

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile
    from inspector.model.program import Program

BUILD = Path(__file__).parents[2] / "fixtures" / "build"
NAMES = ("hello", "hello_pie", "hello_static_pie", "hello_noseparate_code", "hello_omagic", "large_bss")

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not (BUILD / "hello").exists(), reason="fixtures not built"),
]


def views(program: Program, profile: MachineProfile) -> Views:
    with ExecutableFile(program.path) as file:
        image = read_image(file)
    return views_of(image, predict(program, profile, until="exec").snapshots[0])


@pytest.mark.parametrize("name", NAMES)
def test_a_section_has_its_bytes_where_it_is_said_to_be(name: str, profile: MachineProfile) -> None:
    path = BUILD / name
    if not path.exists():
        pytest.skip("this compiler does not build it")
    program = launch(path)
    seen = views(program, profile)
    compared = 0
    with start(program, seconds=20) as launched, Path(f"/proc/{launched.pid}/mem").open("rb") as memory:
        contents = path.read_bytes()
        for placed in seen.placed:
            header = placed.section.header
            if not placed.vmas or not header.size:
                continue
            memory.seek(header.addr + seen.load_bias)
            size = min(header.size, 1 << 16)
            expected = bytes(size) if header.type == SHT_NOBITS else contents[header.offset :][:size]
            assert memory.read(size) == expected, placed.section.name
            compared += 1
        areas = {
            (line.split("-")[0], line.split()[1])
            for line in Path(f"/proc/{launched.pid}/maps").read_text(encoding="utf-8").splitlines()
        }
    assert compared > 4
    assert {(f"{vma.start:08x}", vma.perms) for vma in seen.own} <= areas
