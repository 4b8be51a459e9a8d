"""Random instructions on the machine's own processor and on the simulated one: every register must agree.

Not compared are what the architecture leaves undefined, the flag of denormal operands (DE) once there was
one, and C1 of x87 where no program looks; where one does, eax or memory shows it.
"""

from __future__ import annotations

import os
import random
import re
import secrets
import shutil
import signal
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.errors import NotModelled
from inspector.predict.machine.cpu import HardwareException, Special, SpecialMet
from tests.live.hardware import EXECUTE, GENERAL, READ, WRITE, Hardware, Stop
from tests.live.instructions import FAMILIES
from tests.live.processor_states import CODE, DATA, DATA_SIZE, holds_denormal, memory, state
from tests.live.simulated import Simulated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.predict.machine.cpu import Event
    from tests.live.hardware import State

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("as") is None, reason="no assembler"),
]
_ASKED = os.environ.get("CPU_SEED", "1")
SEED = secrets.randbelow(1 << 32) if _ASKED == "fresh" else int(_ASKED)
"""The same each time, so that a change fails for what it does, unless CPU_SEED asks for another."""
ROUNDS = int(os.environ.get("CPU_ROUNDS", "6"))
SLOT = 128
BREAKPOINT = 3
DENORMAL, C1 = 2, 0x200
STATUS, STACK_FAULT = 2, 0x40
"""Where fxsave puts the status word, and the flag SF, which the simulation never has."""
HIDES_OVERFLOW = re.compile(r"fninit|fldenv|fstp? st")
"""What clears SF, or needs a register in use for the simulation's sake only."""
ARITHMETIC_FLAGS = 0x8D5


@pytest.fixture(scope="module")
def hardware() -> Iterator[Hardware]:
    with tempfile.TemporaryDirectory() as directory, Hardware(Path(directory)) as subject:
        subject.map(CODE, 0x40000, READ | EXECUTE)
        subject.map(DATA, DATA_SIZE, READ | WRITE)
        yield subject


def assemble(programs: list[str]) -> bytes:
    """Return the programs in slots of SLOT bytes, each ended by int3."""
    source = ".intel_syntax noprefix\n" + "".join(f"{text}\n.balign {SLOT}, 0xcc\n" for text in programs)
    with tempfile.TemporaryDirectory() as directory:
        binary, linked = Path(directory, "code"), Path(directory, "code.o")
        subprocess.run(["as", "--32", "-o", linked, "-"], input=source, text=True, check=True)
        subprocess.run(["objcopy", "-O", "binary", "-j", ".text", linked, binary], check=True)
        return binary.read_bytes()


def sequences(source: random.Random, family: list[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Yield programs of several instructions; a comparison defines what flags one leaves undefined."""
    for _ in range(10 * ROUNDS):
        chosen = [source.choice(family) for _ in range(source.randint(2, 6))]
        yield "\n".join(text + ("\ncmp ecx, edx" if undefined else "") for text, undefined in chosen), 0


class Simulation:
    """Simulated processors: one that knows of no special operands, and others for where there are any."""

    def __init__(self, code: bytes) -> None:
        self._code = code
        self._subjects: dict[frozenset[Special], Simulated] = {}

    def run(self, start: State, contents: bytes) -> tuple[Event, State, bytes, bool]:
        """Return what ended the run, the state and memory then, and whether there was a denormal number."""
        met = frozenset({Special.DENORMAL} if holds_denormal(start) else ())
        while True:
            subject = self._subject(met)
            subject.write(DATA, contents)
            try:
                return *subject.run(start), subject.read(DATA, DATA_SIZE), Special.DENORMAL in met
            except SpecialMet as special:
                if special.kind in met:
                    raise
                met |= {special.kind}

    def _subject(self, met: frozenset[Special]) -> Simulated:
        if met not in self._subjects:
            subject = self._subjects[met] = Simulated(dict.fromkeys(met, 0))
            subject.map(CODE, len(self._code), READ | EXECUTE)
            subject.map(DATA, DATA_SIZE, READ | WRITE)
            subject.write(CODE, self._code)
        return self._subjects[met]


def differences(
    real: Stop, event: Event, simulated: State, undefined: int, *, denormal: bool
) -> Iterator[str]:
    if real.signal != signal.SIGTRAP or not (
        isinstance(event, HardwareException) and event.vector == BREAKPOINT
    ):
        vector = real.trap.vector if real.trap is not None else BREAKPOINT
        if not (isinstance(event, HardwareException) and event.vector == vector):
            yield f"hardware {real.signal} {real.trap}, simulated {event}"
        return
    for name in GENERAL:
        ignored = undefined | ~ARITHMETIC_FLAGS if name == "eflags" else 0
        one, other = real.state.general[name] & ~ignored, simulated.general[name] & ~ignored
        if one != other:
            yield f"{name}: hardware {one:#x}, simulated {other:#x}"
    fields = {
        "x87 control": (0, 2, 0),
        "x87 status": (2, 4, C1 | (DENORMAL if denormal else 0)),
        "x87 tags": (4, 5, 0),
        "mxcsr": (24, 28, DENORMAL if denormal else 0),
    }
    fields |= {f"st({index})": (32 + 16 * index, 42 + 16 * index, 0) for index in range(8)}
    fields |= {f"xmm{index}": (160 + 16 * index, 176 + 16 * index, 0) for index in range(8)}
    for name, (start, end, ignored) in fields.items():
        one, other = (
            int.from_bytes(fx[start:end], "little") & ~ignored for fx in (real.state.fx, simulated.fx)
        )
        if one != other:
            yield f"{name}: hardware {one:#x}, simulated {other:#x}"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_simulated_processor_computes_as_the_real_one(hardware: Hardware, family: str) -> None:
    print(f"CPU_SEED={SEED} CPU_ROUNDS={ROUNDS}")  # noqa: T201 - to repeat what fails
    source = random.Random(f"{SEED} {family}")  # noqa: S311
    single = [entry for entry in FAMILIES[family] for _ in range(ROUNDS)]
    programs = [*single, *sequences(source, FAMILIES[family])]
    code = assemble([text for text, _ in programs])
    simulation = Simulation(code + b"\xcc" * SLOT)
    hardware.write(CODE, code + b"\xcc")
    wrong, compared = [], 0
    for number, (text, undefined) in enumerate(programs):
        contents = memory(source)
        start = state(source, CODE + SLOT * number)
        hardware.write(DATA, contents)
        real = hardware.run(start)
        try:
            event, after, left, denormal = simulation.run(start, contents)
        except NotModelled as limit:
            overflowed = bool(real.state.fx[STATUS] & STACK_FAULT)
            if limit.what.startswith("x87 registers") and not (overflowed or HIDES_OVERFLOW.search(text)):
                wrong.append(f"{text!r}: {limit.what}")
            compared += overflowed
            continue
        compared += 1
        found = list(differences(real, event, after, undefined, denormal=denormal))
        if hardware.read(DATA, DATA_SIZE) != left:
            found.append("memory")
        if found:
            top = struct.unpack_from("<HH", start.fx)
            wrong.append(f"{text!r} from {start.general} {top}: {'; '.join(found)}")
    assert not wrong, f"{len(wrong)} of {compared}:\n" + "\n".join(wrong[:10])
    assert compared > len(programs) * 3 // 4
