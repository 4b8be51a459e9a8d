"""Instructions that touch memory near the edges of pages that are absent or read-only: the same faults.

At each fault the page is opened, on both sides alike, and the instruction goes on. Its faults must agree in
address (CR2), access, instruction and every register at that moment; memory must agree in the end.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inspector.errors import NotModelled
from inspector.model.vma import Access
from inspector.predict.machine.cpu import HardwareException, PageFault, SpecialMet
from tests.live.hardware import EXECUTE, GENERAL, READ, WRITE, Hardware, State
from tests.live.processor_states import CODE, DATA, state, word
from tests.live.simulated import Simulated
from tests.live.test_cpu_against_hardware import BREAKPOINT, SLOT, assemble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.predict.machine.cpu import Event
    from tests.live.hardware import Stop

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("as") is None, reason="no assembler"),
]
CODE_BYTES = 0x40000
_ASKED = os.environ.get("CPU_SEED", "1")
SEED = secrets.randbelow(1 << 32) if _ASKED == "fresh" else int(_ASKED)
"""The same each time, so that a change fails for what it does, unless CPU_SEED asks for another."""
ROUNDS = int(os.environ.get("CPU_ROUNDS", "6"))
PAGE, PAGES = 4096, 8
RESUME_FLAG = 1 << 16
PAGE_FAULT = 14
NEAR = (0, 1, 2, 3, 4, 7, 8, 12, 16, 32, -1, -2, -3, -4, -5, -7, -8, -9, -12, -15, -16, -17, -31, -32, 2048)

FAMILIES = {
    "reads and writes": "mov eax, [esi]|mov [esi], eax|mov dword ptr [esi], 7|cmp [esi], eax|test [esi], eax|"
    "movzx eax, word ptr [esi]|cmovz eax, [esi]|setz [esi]|mov word ptr [esi], ds|imul eax, [esi]|"
    "mul dword ptr [esi]|div dword ptr [esi]|bsf eax, [esi]|popcnt eax, [esi]|crc32 eax, dword ptr [esi]|"
    "movbe eax, [esi]|movbe [esi], eax|bound eax, [esi]|xlatb|lea eax, [esi]|prefetcht0 [esi]|"
    "nop dword ptr [esi]|mov eax, [esi+edi-0x20002000]|movnti [esi], eax",
    "read-modify-write": "add [esi], eax|sbb [esi], ax|adc byte ptr [esi], 3|and dword ptr [esi], 0|"
    "xor dword ptr [esi], 0|inc dword ptr [esi]|not byte ptr [esi]|neg dword ptr [esi]|xchg [esi], eax|"
    "xadd [esi], eax|lock xadd [esi], eax|cmpxchg [esi], ecx|lock cmpxchg [esi], ecx|cmpxchg8b [esi]|"
    "lock cmpxchg8b [esi]|lock inc dword ptr [esi]|shl dword ptr [esi], 3|shl dword ptr [esi], cl|"
    "rol word ptr [esi], cl|shld [esi], eax, 3|bts dword ptr [esi], 5",
    "bit strings": "bt [esi], eax|bts [esi], eax|btc [esi], ax|lock btr [esi], eax",
    "addresses of sixteen bits": "mov bx, 0x10;.byte 0x67;xlatb|.byte 0x67;mov al, [bx+si]|"
    "mov bx, 0xfff0;mov si, 0x20;.byte 0x67;mov [bx+si], al|"
    "mov bp, 0xfffe;mov di, 4;.byte 0x67;add [bp+di], eax|"
    "mov eax, 33;mov bx, 0xfffe;.byte 0x67;bts [bx], eax|.byte 0x67;lodsd|.byte 0x67;movsd",
    "strings": "movsb|movsw|movsd|lodsd|stosd|stosb|cmpsb|cmpsd|scasd|rep movsb|rep movsd|rep stosd|"
    "rep stosb|repe cmpsb|repne scasb|rep lodsd|std;movsd;cld|std;rep movsd;cld|std;rep stosb;cld",
    "stack": "push eax|push dword ptr [esi]|push dword ptr [esp+8]|pop dword ptr [esi]|pop dword ptr [esp+8]|"
    "pop eax|push ax|pop ax|push esp|pop esp|pusha|popa|pushaw|popaw|pushf|call .+5|"
    "enter 16, 0|enter 8000, 0|leave",
    "floating point": "fld dword ptr [esi]|fld qword ptr [esi]|fld tbyte ptr [esi]|fst dword ptr [esi]|"
    "fst qword ptr [esi]|fstp tbyte ptr [esi]|fild qword ptr [esi]|fistp qword ptr [esi]|"
    "fistp word ptr [esi]|"
    "fisttp qword ptr [esi]|fnstcw [esi]|fld1;fnstsw [esi]|movups xmm0, [esi]|"
    "movups [esi], xmm0|movdqu [esi], xmm0|movq [esi], xmm0|movq xmm0, [esi]|movsd xmm0, [esi]|"
    "movsd [esi], xmm0|movss [esi], xmm0|movhps [esi], xmm0|movlps xmm0, [esi]|addsd xmm0, [esi]|"
    "cvtsi2sd xmm0, [esi]|stmxcsr [esi]|pcmpistri xmm0, [esi], 2|lddqu xmm0, [esi]",
}
"""Instructions separated by bars; a semicolon separates those of one program."""


@pytest.fixture(scope="module")
def hardware() -> Iterator[Hardware]:
    with tempfile.TemporaryDirectory() as directory, Hardware(Path(directory)) as subject:
        subject.map(CODE, CODE_BYTES, READ | EXECUTE)
        yield subject


def start(source: random.Random, program: str, ip: int) -> State:
    """Return registers that point to the edges of pages."""
    found = state(source, ip)
    for name in ("esi", "edi", "esp", "ebp", "ebx"):
        found.general[name] = DATA + PAGE * source.randint(2, PAGES - 3) + source.choice(NEAR)
    found.general["ecx"] = source.choice(
        (0, 1, 2, 5, 100, 1024, 3000) if "rep" in program else (0, 1, 2, 32, 77)
    )
    bits = 8 * PAGE
    found.general["eax"] = source.choice(
        (source.randint(0, 200), source.randint(-bits, bits) & 0xFFFFFFFF, word(source))
    )
    return found


def described(real: Stop) -> tuple[object, ...]:
    if real.trap is None:
        return ("the end",)
    if real.trap.vector != PAGE_FAULT:
        return ("exception", real.trap.vector)
    access = {0: Access.READ, 2: Access.WRITE, 16: Access.EXECUTE}[real.trap.error & 18]
    return "page fault", hex(real.trap.cr2), access, hex(real.state.general["eip"])


def described_too(event: Event) -> tuple[object, ...]:
    if isinstance(event, PageFault):
        return "page fault", hex(event.address), event.access, hex(event.ip)
    if isinstance(event, HardwareException) and event.vector != BREAKPOINT:
        return "exception", event.vector
    return ("the end",)


def difference(hardware: Hardware, simulated: Simulated, begin: State) -> str:
    """Run both to the end, opening pages as they are asked for; return where they part, if they do."""
    real, event = hardware.run(begin), simulated.run(begin)[0]
    while True:
        after = simulated.state()
        if described(real) != described_too(event):
            return f"hardware {described(real)}, simulated {described_too(event)}"
        if real.trap is None or real.trap.vector != PAGE_FAULT:
            break
        for name in GENERAL:
            one, other = real.state.general[name], after.general[name]
            if name == "eflags":
                one &= ~RESUME_FLAG
            if one != other:
                return f"{name} at {described(real)}: hardware {one:#x}, simulated {other:#x}"
        page = real.trap.cr2 & -PAGE
        if not DATA <= page < DATA + PAGES * PAGE:
            return ""
        for subject in (hardware, simulated):
            subject.protect(page, PAGE, READ | WRITE if real.trap.error & 2 else READ)
        real, event = hardware.run(real.state), simulated.cpu.run()
    hardware.protect(DATA, PAGES * PAGE, READ)
    simulated.protect(DATA, PAGES * PAGE, READ)
    same = hardware.read(DATA, PAGES * PAGE) == simulated.read(DATA, PAGES * PAGE)
    return "" if same else "memory"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_simulated_processor_faults_as_the_real_one(hardware: Hardware, family: str) -> None:
    print(f"CPU_SEED={SEED} CPU_ROUNDS={ROUNDS}")  # noqa: T201 - to repeat what fails
    source = random.Random(f"{SEED} {family}")  # noqa: S311
    programs = [text.replace(";", "\n") for text in FAMILIES[family].split("|")]
    code = assemble(programs)
    simulated = Simulated()
    simulated.map(CODE, CODE_BYTES, READ | EXECUTE)
    for subject in (hardware, simulated):
        subject.write(CODE, code.ljust(CODE_BYTES, b"\xcc"))  # a bit string may lie there, too
    wrong, compared = [], 0
    not_modelled: Counter[str] = Counter()
    for number, program in enumerate(programs * (3 * ROUNDS)):
        contents = source.randbytes(PAGES * PAGE)
        protections = [source.choice((0, 0, 0, READ, READ | WRITE)) for _ in range(PAGES)]
        for subject in (hardware, simulated):
            subject.map(DATA, PAGES * PAGE, READ | WRITE)
            subject.write(DATA, contents)
            for page, protection in enumerate(protections):
                subject.protect(DATA + page * PAGE, PAGE, protection)
        begin = start(source, program, CODE + SLOT * (number % len(programs)))
        try:
            found = difference(hardware, simulated, begin)
        except SpecialMet:
            continue
        except NotModelled as limit:
            not_modelled[limit.what] += 1
            continue
        compared += 1
        if found:
            wrong.append(f"{program!r} from {begin.general}, pages {protections}: {found}")
    assert not wrong, f"{len(wrong)} of {compared}:\n" + "\n".join(wrong[:10])
    assert compared > len(programs) * 2 * ROUNDS, not_modelled.most_common(3)
