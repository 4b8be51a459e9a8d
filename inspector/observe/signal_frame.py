"""Looking at the frame of a signal handler, from the handler's first instruction.

A tiny program fills a stack of its own with a pattern, faults, and is stopped in its handler. Two patterns
tell what the kernel wrote from what it left alone. That a frame lies where SignalFrame says is tried for
every alignment that a stack of words can have.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from signal import SIGSEGV

from inspector.model.address import AddressRange, VirtAddr
from inspector.model.auxv import AuxType
from inspector.model.signal_frame import FrameImage, SignalFrame
from inspector.observe.procfs.auxv import parse_auxv
from inspector.observe.procfs.files import ProcessFiles
from inspector.observe.tiny_elf import Assembler, Segment, link
from inspector.observe.tiny_process import TinyProcess, tiny_process

_BASE, _STACK = 0x08048000, 0x60000000
_STACK_BYTES = 64 << 10
"""Far more than a frame takes: 3 KiB with AVX-512, and AMX is in no frame before a program asks for it."""
_PATTERNS = 0xA5A5A5A5, 0x5A5A5A5A
_SYS_SIGRETURN, _SYS_RT_SIGACTION = 119, 174
_SA_SIGINFO, _SA_NODEFER = 4, 0x40000000

# struct sigcontext_32, and struct _fpx_sw_bytes in what an FXSAVE image leaves to software.
_SC_SP, _SC_IP, _SC_FPSTATE = 28, 56, 76
_FXSAVE_OFFSET, _FXSAVE_ALIGNMENT = 112, 64
_SW_BYTES, _MAGIC1 = 464, 0x46505853


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the two structures a frame begins with."""

    flags: int
    sigcontext: int
    """Its offset in the structure."""


_PLAIN = _Kind(0, 8)
_RT = _Kind(_SA_SIGINFO, 164)


@dataclass(frozen=True, slots=True)
class _Frame:
    """The stack from the handler's esp up to the interrupted one."""

    esp: int
    contents: bytes

    def word(self, offset: int) -> int:
        (value,) = struct.unpack_from("<I", self.contents, offset)
        return int(value)


def probe_signal_frame() -> SignalFrame | None:
    """Look at this machine's signal frames; None if they are not as SignalFrame describes them.

    Raises LaunchFailed or CannotObserve.
    """
    program = _Program()
    with tiny_process(program.image) as process, ProcessFiles(process.pid) as files:
        auxv = {entry.type: entry.value for entry in parse_auxv(files.auxv(), 4)}
        plain = program.look(process, files, _PLAIN)
        rt = program.look(process, files, _RT)
        if plain is None or rt is None or plain.fpstate != rt.fpstate:
            return None
        keeps_null_selectors = program.keeps_null_selectors(process, files)
    vdso = auxv.get(AuxType.AT_SYSINFO_EHDR)
    return SignalFrame(
        plain=plain.structure,
        rt=rt.structure,
        fpstate=plain.fpstate,
        fxsave_offset=_FXSAVE_OFFSET,
        sigreturn_offset=None if vdso is None else plain.return_address - vdso,
        rt_sigreturn_offset=None if vdso is None else rt.return_address - vdso,
        keeps_null_selectors=keeps_null_selectors,
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen of one kind."""

    structure: FrameImage
    fpstate: FrameImage
    return_address: int


class _Program:
    """Fills its stack, faults, and stops in its handler; a piece of code for each."""

    def __init__(self) -> None:
        asm = Assembler(_BASE)
        handler = asm.data(b"\xcc")
        actions = {
            kind: asm.data(struct.pack("<IIIQ", handler, kind.flags | _SA_NODEFER, 0, 0))
            for kind in (_PLAIN, _RT)
        }
        # mov edi, stack; mov ecx, words; rep stosd; int3
        self._fill = asm.data(struct.pack("<BIBI3s", 0xBF, _STACK, 0xB9, _STACK_BYTES // 4, b"\xf3\xab\xcc"))
        self._return = asm.here
        asm.syscall(_SYS_SIGRETURN)
        self._fault = asm.here
        asm.read_byte(0)
        self._install: dict[_Kind, int] = {}
        for kind, action in actions.items():
            self._install[kind] = asm.here
            asm.syscall(_SYS_RT_SIGACTION, SIGSEGV, action, 0, 8)
            asm.breakpoint()
        start = asm.here
        asm.breakpoint()
        self.image = link(asm, start, segments=(Segment(_STACK, memsz=_STACK_BYTES, filesz=64),))

    def look(self, process: TinyProcess, files: ProcessFiles, kind: _Kind) -> _Look | None:
        """Look at frames of `kind`; None if one of them is not where SignalFrame says."""
        process.call(self._install[kind])
        top = _STACK + _STACK_BYTES - _FXSAVE_ALIGNMENT
        frames = []
        for pattern in _PATTERNS:
            process.call(self._fill, eax=pattern)
            frames.append(self._frame(process, files, top))
        first = frames[0]
        begin = first.word(kind.sigcontext + _SC_FPSTATE) - first.esp
        software = begin + _FXSAVE_OFFSET + _SW_BYTES
        if not 0 < begin < software < len(first.contents) - 8 or first.word(software) != _MAGIC1:
            return None
        end = begin + first.word(software + 4)
        for sp in range(top - _FXSAVE_ALIGNMENT, top, 4):
            fx = sp - (end - begin - _FXSAVE_OFFSET) & -_FXSAVE_ALIGNMENT
            frame = self._frame(process, files, sp)
            there = (fx - _FXSAVE_OFFSET - begin, fx - _FXSAVE_OFFSET, sp, self._fault)
            words = (kind.sigcontext + offset for offset in (_SC_FPSTATE, _SC_SP, _SC_IP))
            if (frame.esp, *map(frame.word, words)) != there:
                return None
        one, other = (frame.contents for frame in frames)
        return _Look(
            _image(one[:begin], other[:begin]), _image(one[begin:end], other[begin:end]), first.word(0)
        )

    def keeps_null_selectors(self, process: TinyProcess, files: ProcessFiles) -> bool:
        """Whether fs, in which a program starts with 0, is that after a handler's return, too."""
        process.call(self._install[_PLAIN])
        frame = self._frame(process, files, _STACK + _STACK_BYTES)
        # A handler's return takes one word from the frame, and __kernel_sigreturn another.
        return process.call_into_signal(self._return, SIGSEGV, esp=frame.esp + 8).fs == 0

    def _frame(self, process: TinyProcess, files: ProcessFiles, sp: int) -> _Frame:
        esp = process.call_into_handler(self._fault, SIGSEGV, esp=sp, eax=0, ecx=0, edx=0).esp
        return _Frame(esp, files.memory(AddressRange(VirtAddr(esp), VirtAddr(sp))))


def _image(one: bytes, other: bytes) -> FrameImage:
    """Return what two patterns left of the same bytes: the kernel wrote those that do not differ."""
    same = bytes(mine == its for mine, its in zip(one, other, strict=True))
    untouched = tuple((run.start(), len(run[0])) for run in re.finditer(b"\0+", same))
    return FrameImage(bytes(mine * kept for mine, kept in zip(one, same, strict=True)), untouched)
