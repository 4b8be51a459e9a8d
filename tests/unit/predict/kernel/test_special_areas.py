"""The kernel's own areas, as kernels map them that are not the one at hand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inspector.model.address import PAGE_SIZE, VirtAddr, vpn_of
from inspector.model.page import PageKind, PageState
from inspector.observe.tiny_elf import Assembler, link
from inspector.predict import predict
from tests.machines import PROFILE, SPECIAL_AREAS, write_program

if TYPE_CHECKING:
    from pathlib import Path

VVAR = VirtAddr(0xF7FF6000)


@pytest.mark.parametrize("mixedmap", [False, True])
def test_pagemap_shows_a_page_of_vvar_only_where_it_is_a_mixed_map(tmp_path: Path, *, mixedmap: bool) -> None:
    vvar, *others = SPECIAL_AREAS
    pages = sum(area.pages for area in SPECIAL_AREAS if area.name != "[vdso]")
    profile = replace(
        PROFILE,
        special_areas=(replace(vvar, mixedmap=mixedmap), *others),
        vvar=bytes(pages * PAGE_SIZE),
        vvar_pages=(0, 4),
    )
    assembler = Assembler(0x08048000)
    assembler.read_byte(VVAR)
    assembler.read_byte(VVAR + 4 * PAGE_SIZE)
    assembler.exit(0)
    prediction = predict(write_program(tmp_path, link(assembler, entry=assembler.start)), profile)
    last = prediction.snapshots[-1]
    names = {vma.start: vma.name for vma in last.vmas or ()}
    assert (names[VVAR], names[VirtAddr(VVAR + 4 * PAGE_SIZE)]) == ("[vvar]", "[vvar_vclock]")
    shown = [page for page in last.pages or () if VVAR <= page.vpn * PAGE_SIZE < VVAR + pages * PAGE_SIZE]
    assert shown == ([PageState(vpn_of(VVAR), PageKind.SPECIAL)] if mixedmap else [])
