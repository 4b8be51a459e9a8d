"""What a prediction takes of the host's memory for each page the program touches, beside the page itself."""

from __future__ import annotations

import struct
import tracemalloc
from typing import TYPE_CHECKING

from inspector.model.address import PAGE_SIZE
from inspector.predict import predict
from tests.elfwriter import Elf, Phdr, R, W, X, gnu_stack
from tests.machines import PROFILE, write_program

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.model.program import Program

TEXT, DATA = 0x08048000, 0x0804A000
CODE_AT = 0x200
PAGES = 8000
BYTES_A_PAGE = 400


def touching(directory: Path, pages: int) -> Program:
    """Return a program that writes to each of `pages` pages of zeros once."""
    text = Phdr(offset=0, vaddr=TEXT, filesz=0x1000, flags=R | X)
    bss = Phdr(offset=0, vaddr=DATA, filesz=0, memsz=pages * PAGE_SIZE, flags=R | W)
    elf = Elf([text, bss, gnu_stack()], entry=TEXT + CODE_AT)
    # mov edi, DATA; mov ecx, pages; again: inc byte [edi]; add edi, 4096; loop again; then exit(0)
    code = f"bf {struct.pack('<I', DATA).hex()} b9 {struct.pack('<I', pages).hex()} fe07 81c700100000 e2f6"
    elf.contents = {CODE_AT: bytes.fromhex(code + "b8 01000000 31db cd80")}
    return write_program(directory, elf.build())


def peak_bytes(program: Program) -> int:
    tracemalloc.start()
    try:
        prediction = predict(program, PROFILE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert prediction.not_modelled is None
    return peak


def test_a_page_takes_few_bytes_beside_its_own(tmp_path: Path) -> None:
    predict(touching(tmp_path, 1), PROFILE)  # loads what the first prediction of a process loads
    program = touching(tmp_path, PAGES)
    faults = predict(program, PROFILE).faults or ()
    assert sum(fault.mapped is not None for fault in faults) == PAGES + 1
    assert peak_bytes(program) / PAGES < BYTES_A_PAGE
