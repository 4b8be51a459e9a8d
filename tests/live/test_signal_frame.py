"""A frame put together from the profile's samples, held against one that another program got."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from inspector.model.profile import MachineProfile
    from inspector.model.signal_frame import FrameImage

SA_SIGINFO = 4
SIGCONTEXT = {0: 8, SA_SIGINFO: 164}
EDI, ESP, EIP, EFLAGS, ESP_AT_SIGNAL, FPSTATE = 16, 28, 56, 64, 68, 76
REGISTERS = (0xD1D1D1D1, 0x51515151, 0xBBBBBBBB, None, 0xB0B0B0B0, 0xD0D0D0D0, 0xC0C0C0C0, 0)
"""edi, esi, ebp, esp, ebx, edx, ecx, eax: as in struct sigcontext_32, and as the program sets them."""
FLAGS_AT_FAULT = 0x10246
"""RF, which every fault sets, and what `xorl %eax, %eax` leaves: IF, ZF, PF."""
PATTERN = b"\x33"


@pytest.mark.parametrize("flags", SIGCONTEXT)
@pytest.mark.parametrize("offset", [16384 - 4, 16384 - 64, 10004])
def test_a_frame_is_where_and_what_the_profile_says(
    profile: MachineProfile, tmp_path: Path, flags: int, offset: int
) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("the program that gets the signal is written in assembler, and there is no gcc")
    frame = profile.signal_frame
    assert frame is not None
    program = tmp_path / "program"
    source = Path(__file__).with_name("signal_frame.S")
    options = [f"-DFLAGS={flags}", f"-DSP={offset}", "-m32", "-static", "-nostdlib", "-no-pie"]
    subprocess.run(["gcc", *options, "-o", program, source], check=True)
    seen = subprocess.run([program], capture_output=True, check=True).stdout

    structure = frame.rt if flags else frame.plain
    begin = SIGCONTEXT[flags]
    esp = struct.unpack_from("<I", seen, begin + ESP)[0]
    fx = esp - (len(frame.fpstate.contents) - frame.fxsave_offset) & -64
    fpstate = fx - frame.fxsave_offset
    bottom = fpstate - len(structure.contents)
    assert len(seen) == esp - bottom

    expected = bytearray(filled(structure) + filled(frame.fpstate))
    expected += PATTERN * (len(seen) - len(expected))
    registers = [esp if value is None else value for value in REGISTERS]
    struct.pack_into("<8I", expected, begin + EDI, *registers)
    struct.pack_into("<I", expected, begin + EFLAGS, FLAGS_AT_FAULT)
    struct.pack_into("<I", expected, begin + ESP_AT_SIGNAL, esp)
    struct.pack_into("<I", expected, begin + FPSTATE, fpstate)
    if flags:
        struct.pack_into("<II", expected, 8, bottom + 16, bottom + 144)  # pinfo, puc
    # What the program does not know of itself: where the vdso is, and its own code.
    returns = frame.rt_sigreturn_offset if flags else frame.sigreturn_offset
    assert returns is not None
    assert (struct.unpack_from("<I", seen)[0] - returns) % 4096 == 0
    for unknown in (0, begin + EIP):
        expected[unknown : unknown + 4] = seen[unknown : unknown + 4]
    different = [at for at, (mine, its) in enumerate(zip(expected, seen, strict=True)) if mine != its]
    assert different == []


def filled(image: FrameImage) -> bytes:
    """Return the image as it is on a stack full of PATTERN."""
    contents = bytearray(image.contents)
    for start, length in image.untouched:
        contents[start : start + length] = PATTERN * length
    return bytes(contents)
