"""The simulated CPU: an i386 in user mode, which runs until something happens and says what.

It is Unicorn with its own address translation replaced: every miss of its TLB asks `translate`, which
walks the simulated page tables. A miss without a translation ends the run with a `PageFault` at a
precise instruction, the access named as the hardware would name it. The CPU knows no kernel: what to do
about an event, and where to go on, is the caller's affair.

Habits of the translator inside Unicorn that are undone here, so that they are never seen:

  - It reads the operand of a read-modify-write first and would report a read; the hardware reports one
    write.
  - It translates ahead into the next page, whether or not the program gets there. Such a fault is no
    event: the code before it runs first.
  - It looks at a breakpoint after fetching its instruction; the hardware (#DB) before.
  - It cannot load ring-3 segments in ring 0. One IRET, from a page of our own above every task, does it.
"""

from __future__ import annotations

import enum
import re
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import unicorn
from unicorn import unicorn_const as uc_const
from unicorn import x86_const as x86

from inspector.errors import NotModelled
from inspector.model.address import PAGE_SHIFT, PAGE_SIZE, VirtAddr, page_down, vpn_of
from inspector.model.registers import REGISTER_NAMES, Registers
from inspector.model.vma import Access
from inspector.predict.machine.instruction import LONGEST_INSTRUCTION, Decoder, Instruction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inspector.model.address import Pfn, Vpn
    from inspector.predict.machine.memory import PhysicalMemory

    Cpuid = Callable[[int, int], tuple[int, int, int, int]]
    """(leaf, subleaf) -> eax, ebx, ecx, edx."""


class Translation(Protocol):
    """What the page tables say of one page: its frame, and what ring 3 may do there now."""

    @property
    def frame(self) -> Pfn:
        """Where it lies in physical memory."""
        ...

    @property
    def access(self) -> Access:
        """Access.NONE: not present."""
        ...


@dataclass(frozen=True, slots=True)
class PageFault:
    """#PF: `access` at `address` by the instruction at `ip`; `access` is exactly one of the three."""

    address: VirtAddr
    access: Access
    ip: VirtAddr


class CallGate(enum.Enum):
    """An instruction that asks the operating system for something."""

    INTERRUPT = "int 0x80"
    SYSENTER = "sysenter"
    SYSCALL = "syscall"


@dataclass(frozen=True, slots=True)
class SystemCall:
    """The registers are those of the caller, but `eip`, which already stands behind the instruction."""

    gate: CallGate


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """An address the caller asked to stop at; its instruction has been neither run nor fetched."""

    address: VirtAddr


@dataclass(frozen=True, slots=True)
class HardwareException:
    """An exception other than #PF, by its vector: 0 #DE, 3 #BP, 4 #OF, 6 #UD, 13 #GP."""

    vector: int
    ip: VirtAddr


@dataclass(frozen=True, slots=True)
class TimerInterrupt:
    """Time has passed; the program notices nothing."""


Event = PageFault | SystemCall | Breakpoint | HardwareException | TimerInterrupt

_UNICORN_REGISTERS = tuple(getattr(x86, f"UC_X86_REG_{name.upper()}") for name in REGISTER_NAMES)
_GENERAL = tuple(name for name in REGISTER_NAMES if name not in {"cs", "ss"})

# A page of the CPU's own, above any task size: the GDT, the IRET that enters ring 3, and its frame.
_OWN_PAGE = 0xFFFFF000
_IRET_AT, _IRET_FRAME = 0x800, 0x900
_NEVER = _OWN_PAGE + 0xFFF
"""An address no program executes; Unicorn wants one to stop at."""

_DESCRIPTOR_BYTES = 8
_KERNEL_CODE, _KERNEL_DATA, _USER_CODE, _USER_DATA = 1, 2, 4, 5
_CR0_EM, _CR0_TS, _CR0_MP = 4, 8, 2
_CR4_TSD, _CR4_OSFXSR, _CR4_OSXMMEXCPT, _CR4_OSXSAVE = 1 << 2, 1 << 9, 1 << 10, 1 << 18
_X87_CONTROL, _SSE_CONTROL = 0x37F, 0x1F80
"""What Linux gives a new program: arch/x86/kernel/fpu/core.c:fpstate_init_user()."""

_VECTOR_DIVIDE, _VECTOR_UNDEFINED, _VECTOR_DOUBLE, _VECTOR_PROTECTION, _VECTOR_SYSCALL = 0, 6, 8, 13, 0x80
_XGETBV, _RDTSC, _RDTSCP = b"\x0f\x01\xd0", b"\x0f\x31", b"\x0f\x01\xf9"
_INEXACT = re.compile(
    rb"(?=([\x26\x2e\x36\x3e\x64-\x67\xf2\xf3]{0,3}"
    rb"(?:\xd9[\xf0-\xf3\xf9\xfb\xfe\xff]"  # f2xm1 fyl2x fptan fpatan fyl2xp1 fsincos fsin fcos
    rb"|\x0f[\x52\x53]"  # rsqrt rcp
    rb"|\xc4[\xc1-\xc3\xe1-\xe3]|\xc5[\xc0-\xff]"  # VEX, which are lds and les with a register
    rb"|\x62[\xd1-\xd3\xe1-\xe3\xf1-\xf3])))",  # EVEX, likewise bound
    re.DOTALL,
)
"""First bytes of what Unicorn does not compute as the hardware does, any prefix included: x87's
transcendental functions, rsqrt and rcp; AVX, which it takes for something else."""
_ACCESS = {
    uc_const.UC_MEM_READ: Access.READ,
    uc_const.UC_MEM_WRITE: Access.WRITE,
    uc_const.UC_MEM_FETCH: Access.EXECUTE,
}


def descriptor(base: int, limit: int, *, code: bool = False, user: bool = True, pages: bool = True) -> bytes:
    """Return a segment descriptor: present, 32-bit, writable data or readable code.

    63    56 55  52 51  48 47         40 39      16 15       0
    base 31-24  G D 0 0  limit 19-16  P DPL S type  base 23-0  limit 15-0
    """
    kind = 0x91 | (0x60 if user else 0) | (0x0A if code else 0x02)
    flags = 4 | (8 if pages else 0)
    return struct.pack(
        "<HHBBBB",
        limit & 0xFFFF,
        base & 0xFFFF,
        base >> 16 & 0xFF,
        kind,
        limit >> 16 & 0xF | flags << 4,
        base >> 24 & 0xFF,
    )


class Cpu:
    """One i386 processor, running one program at a time."""

    def __init__(
        self,
        memory: PhysicalMemory,
        translate: Callable[[Vpn], Translation | None],
        cpuid: Cpuid,
        xcr0: int | None = None,
        read_tsc: Callable[[], int] | None = None,
    ) -> None:
        """Create a processor in ring 3 with every register 0.

        `translate` says what ring 3 may do with a page right now; after it has become stricter about a
        page it once allowed, `flush_tlb` must be called. `cpuid` answers the instruction of
        that name, `xcr0` is what xgetbv finds (None: it raises #UD), `read_tsc` the time-stamp counter
        (None: rdtsc is not modelled).
        """
        self._memory = memory
        self._translate = translate
        self._cpuid = cpuid
        self._xcr0 = xcr0
        self._read_tsc = read_tsc
        self._watched: set[tuple[Vpn, Pfn]] = set()
        self._inexact: int | None = None
        self._timer_has_rung = False
        self._decoder = Decoder()
        self._own_frame = memory.allocate()
        self._missing: tuple[int, Access] | None = None
        self._interrupt: int | None = None
        self._hit: int | None = None
        self._passed: int | None = None
        self._breakpoints: dict[int, int] = {}
        self._uc = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_32)
        self._uc.ctl_set_cpu_model(x86.UC_CPU_X86_SKYLAKE_CLIENT)
        self._uc.ctl_set_tlb_mode(unicorn.UC_TLB_VIRTUAL)
        self._uc.mem_map_ptr(0, memory.size_bytes, unicorn.UC_PROT_ALL, memory.host_address)
        self._install_hooks()
        self._enter_user_mode()

    # --- state ----------------------------------------------------------------------------------

    @property
    def registers(self) -> Registers:
        """The user registers."""
        return Registers(*self._uc.reg_read_batch(_UNICORN_REGISTERS))

    @registers.setter
    def registers(self, values: Registers) -> None:
        """Set every register but cs and ss, which ring 3 cannot change."""
        for name in _GENERAL:
            self._uc.reg_write(getattr(x86, f"UC_X86_REG_{name.upper()}"), getattr(values, name))

    def read(self, name: str) -> int:
        """Return one register."""
        value: int = self._uc.reg_read(getattr(x86, f"UC_X86_REG_{name.upper()}"))
        return value

    def write(self, name: str, value: int) -> None:
        """Set one register."""
        self._uc.reg_write(getattr(x86, f"UC_X86_REG_{name.upper()}"), value & 0xFFFF_FFFF)

    def save(self) -> Any:  # noqa: ANN401 - Unicorn's own opaque context
        """Return the whole register state, floating point included."""
        return self._uc.context_save()

    def restore(self, state: Any) -> None:  # noqa: ANN401
        """Go back to what `save` returned."""
        self._uc.context_restore(state)

    def set_descriptor(self, entry: int, contents: bytes) -> None:
        """Set one entry of the GDT; loaded segment registers keep what they hold."""
        self._memory.write(self._own_frame, entry * 8, contents)

    def flush_tlb(self) -> None:
        """Forget every translation."""
        self._uc.ctl(uc_const.UC_CTL_TLB_FLUSH, uc_const.UC_CTL_IO_WRITE)

    def add_breakpoint(self, address: VirtAddr) -> None:
        """Stop before the instruction at `address`, as a debug register would."""
        if address not in self._breakpoints:
            self._breakpoints[address] = self._uc.hook_add(
                unicorn.UC_HOOK_CODE, self._on_code, begin=address, end=address
            )
            self._uc.ctl_remove_cache(address, address + 1)

    def remove_breakpoint(self, address: VirtAddr) -> None:
        """Stop there no longer."""
        self._uc.hook_del(self._breakpoints.pop(address))

    @contextmanager
    def timer(self, seconds: float) -> Iterator[None]:
        """Interrupt the program every `seconds`, so that whoever runs it can look up."""
        over = threading.Event()

        def ring() -> None:
            while not over.wait(seconds):
                self._timer_has_rung = True
                self._uc.emu_stop()

        thread = threading.Thread(target=ring, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    # --- running --------------------------------------------------------------------------------

    def run(self) -> Event:
        """Run from eip until something happens. Afterwards eip stands where the program goes on."""
        until = _NEVER
        while True:
            event = self._run_to(until)
            if not isinstance(event, int):
                return event
            until = event

    def _run_to(self, until: int) -> Event | int:
        """Run until something happens, and return it; or where to run to next, if it is no event."""
        self._missing = self._interrupt = self._hit = self._inexact = None
        finished = True
        try:
            self._uc.emu_start(self.read("eip"), until)
        except unicorn.UcError:
            finished = False
        ip = VirtAddr(self.read("eip"))
        if self._hit is not None:
            return Breakpoint(ip)
        if self._inexact is not None:
            raise NotModelled(f"instruction {self._text(ip)}", ip=ip)
        if self._interrupt is not None:
            return self._interrupted(self._interrupt, ip) or until
        if self._missing is not None:
            return self._missed(ip, *self._missing)
        if self._timer_has_rung:
            self._timer_has_rung = False
            return TimerInterrupt()
        if finished and ip == until:
            # What the translator was not to look beyond; from here it may.
            self._uc.ctl_flush_tb()
            return _NEVER
        return until if self._does_here(ip) else self._cannot_go_on(ip)

    def _missed(self, ip: VirtAddr, address: int, access: Access) -> Event | int:
        """Tell a fault of the program's from one of the translator's."""
        ahead = self._translated_ahead(ip, address, access)
        if ahead is None:
            return self._page_fault(ip, address, access)
        self._uc.ctl_flush_tb()
        return ahead

    def _does_here(self, ip: VirtAddr) -> bool:
        """Carry out an instruction that Unicorn is made to leave to us; whether it was one."""
        code = self.peek(ip, len(_XGETBV))
        if code == _RDTSCP or code[: len(_RDTSC)] == _RDTSC:
            if self._read_tsc is None:
                raise NotModelled(f"instruction {self._text(ip)}", ip=ip)
            value, size = self._read_tsc(), len(_RDTSC)
            if code == _RDTSCP:
                size = len(_RDTSCP)
                self.write("ecx", 0)  # which processor ran it, if anyone asks
        elif code == _XGETBV and self._xcr0 is not None and not self.read("ecx"):
            value, size = self._xcr0, len(_XGETBV)
        else:
            return False
        self.write("eax", value)
        self.write("edx", value >> 32)
        self.write("eip", ip + size)
        return True

    def _cannot_go_on(self, ip: VirtAddr) -> Event:
        """Tell an instruction that is meant to raise #UD from one that Unicorn does not know."""
        code = self.peek(ip, LONGEST_INSTRUCTION)
        found = self._decoder.decode(code, ip)
        if found is not None and found.is_undefined:
            return HardwareException(_VECTOR_UNDEFINED, ip)
        raise NotModelled(f"instruction {found.text if found is not None else code.hex(' ')}", ip=ip)

    def _interrupted(self, vector: int, ip: VirtAddr) -> Event | None:
        """Return what an interrupt means; None: nothing, go on."""
        gate = _GATES.get(vector)
        if gate is not None:
            return SystemCall(gate)
        if vector in (_VECTOR_UNDEFINED, _VECTOR_PROTECTION, _VECTOR_DOUBLE) and self._does_here(ip):
            return None
        if vector == _VECTOR_DOUBLE:
            # Unicorn delivers no exception, so it takes the next one for a fault within the last.
            found = self._decoder.decode(self.peek(ip, LONGEST_INSTRUCTION), ip)
            divides = found is not None and found.divides
            vector = _VECTOR_DIVIDE if divides else _VECTOR_PROTECTION
        return HardwareException(vector, ip)

    def _page_fault(self, ip: VirtAddr, address: int, access: Access) -> PageFault | Breakpoint:
        if access is Access.EXECUTE and ip in self._breakpoints and self._passed != ip:
            self._passed = ip
            return Breakpoint(ip)
        if access is Access.EXECUTE:
            # The translator asks for the page; the hardware names the first byte it could not fetch.
            same = page_down(ip) == page_down(address)
            return PageFault(VirtAddr(ip if same else page_down(address)), access, ip)
        found = self._decoder.decode(self.peek(ip, LONGEST_INSTRUCTION), ip)
        if found is not None:
            if found.modifies_memory:
                access = Access.WRITE
            address = self._first_byte(found, page_down(address))
        return PageFault(VirtAddr(address), access, ip)

    def _first_byte(self, instruction: Instruction, page: int) -> int:
        """Return the first byte that `instruction` touches of a page (CR2); Unicorn names the page alone."""
        for operand in instruction.memory:
            start = operand.displacement + (self.read(operand.base) if operand.base else 0)
            if operand.index:
                start += self.read(operand.index) * operand.scale
            if operand.segment:
                start += self._segment_base(operand.segment)
            start &= 0xFFFF_FFFF
            if start < page + PAGE_SIZE and start + operand.size > page:
                return max(start, page)
        return page

    def _segment_base(self, segment: str) -> int:
        """Return what a segment register adds to an address, by the GDT entry it selects."""
        contents = self._memory.read(self._own_frame, self.read(segment) >> 3 << 3, _DESCRIPTOR_BYTES)
        low, middle, high = struct.unpack("<2xHB2xB", contents)
        return int(low | middle << 16 | high << 24)

    def _translated_ahead(self, ip: VirtAddr, address: int, access: Access) -> int | None:
        """Return where to stop first, if the fetch that failed is not yet the program's own."""
        page = page_down(address)
        if access is not Access.EXECUTE or page_down(ip) == page:
            return None
        stop = self._decoder.last_before(self.peek(ip, page - ip), ip, page)
        return stop if stop != ip else None

    def peek(self, address: int, size: int) -> bytes:
        """Return up to `size` bytes of memory, ending before the first page that is not mapped."""
        contents = b""
        while len(contents) < size:
            position = address + len(contents)
            found = self._translate(vpn_of(position))
            if found is None:
                break
            offset = position % PAGE_SIZE
            contents += self._memory.read(found.frame, offset, min(size - len(contents), PAGE_SIZE - offset))
        return contents

    # --- hooks ----------------------------------------------------------------------------------

    def _install_hooks(self) -> None:
        self._uc.hook_add(uc_const.UC_HOOK_TLB_FILL, self._on_tlb_miss)
        self._uc.hook_add(unicorn.UC_HOOK_INTR, self._on_interrupt)
        self._uc.hook_add(unicorn.UC_HOOK_INSN, self._on_cpuid, aux1=x86.UC_X86_INS_CPUID)
        self._uc.hook_add(unicorn.UC_HOOK_INSN, self._on_sysenter, aux1=x86.UC_X86_INS_SYSENTER)
        self._uc.hook_add(unicorn.UC_HOOK_INSN, self._on_syscall, aux1=x86.UC_X86_INS_SYSCALL)

    def _on_tlb_miss(self, _uc: object, address: int, kind: int, entry: Any, _data: object) -> bool:  # noqa: ANN401
        address &= 0xFFFF_FFFF
        if address & -PAGE_SIZE == _OWN_PAGE:
            entry.paddr = self._own_frame << PAGE_SHIFT
            entry.perms = unicorn.UC_PROT_ALL
            return True
        access = _ACCESS[kind]
        found = self._translate(vpn_of(address))
        if found is None or access not in found.access:
            self._missing = address, access
            return False
        if access is Access.EXECUTE:
            self._watch(vpn_of(address), found.frame)
        entry.paddr = found.frame << PAGE_SHIFT
        entry.perms = _PERMISSIONS[found.access]
        return True

    def _watch(self, vpn: Vpn, frame: Pfn) -> None:
        """Stop before each instruction on a page of code whose result would not be the hardware's.

        A place that only looks like one, inside another instruction, is never come by. The last byte of the
        page before is looked at too.
        """
        if (vpn, frame) in self._watched:
            return
        self._watched.add((vpn, frame))
        start = vpn << PAGE_SHIFT
        before = self.peek(start - 1, 1) if start else b""
        contents = before + self._memory.read(frame)
        for match in _INEXACT.finditer(contents):
            place = start - len(before) + match.start()
            self._uc.hook_add(unicorn.UC_HOOK_CODE, self._on_inexact, begin=place, end=place)

    def _on_inexact(self, uc: unicorn.Uc, address: int, _size: int, _data: object) -> None:
        if _INEXACT.match(self.peek(address, LONGEST_INSTRUCTION)):
            self._inexact = address
            uc.emu_stop()

    def _text(self, address: int) -> str:
        found = self._decoder.decode(self.peek(address, LONGEST_INSTRUCTION), address)
        return found.text if found is not None else self.peek(address, LONGEST_INSTRUCTION).hex(" ")

    def _on_interrupt(self, uc: unicorn.Uc, vector: int, _data: object) -> None:
        self._interrupt = vector
        uc.emu_stop()

    def _on_sysenter(self, uc: unicorn.Uc, _data: object) -> None:
        self._interrupt = _SYSENTER
        uc.emu_stop()

    def _on_syscall(self, uc: unicorn.Uc, _data: object) -> None:
        self._interrupt = _SYSCALL
        uc.emu_stop()

    def _on_cpuid(self, uc: unicorn.Uc, _data: object) -> int:
        answer = self._cpuid(uc.reg_read(x86.UC_X86_REG_EAX), uc.reg_read(x86.UC_X86_REG_ECX))
        for register, value in zip(_CPUID_REGISTERS, answer, strict=True):
            uc.reg_write(register, value)
        return 1

    def _on_code(self, uc: unicorn.Uc, address: int, _size: int, _data: object) -> None:
        if self._passed == address:
            self._passed = None
            return
        self._passed = self._hit = address
        uc.emu_stop()

    # --- start ----------------------------------------------------------------------------------

    def _enter_user_mode(self) -> None:
        flat = 0xFFFFF
        self.set_descriptor(_KERNEL_CODE, descriptor(0, flat, code=True, user=False))
        self.set_descriptor(_KERNEL_DATA, descriptor(0, flat, user=False))
        self.set_descriptor(_USER_CODE, descriptor(0, flat, code=True))
        self.set_descriptor(_USER_DATA, descriptor(0, flat))
        write = self._uc.reg_write
        write(x86.UC_X86_REG_GDTR, (0, _OWN_PAGE, 0xFF, 0))
        write(x86.UC_X86_REG_CR0, self._uc.reg_read(x86.UC_X86_REG_CR0) & ~(_CR0_EM | _CR0_TS) | _CR0_MP)
        # Without OSXSAVE xgetbv raises #UD, with TSD rdtsc raises #GP: both are answered here.
        cr4 = self._uc.reg_read(x86.UC_X86_REG_CR4) & ~_CR4_OSXSAVE
        write(x86.UC_X86_REG_CR4, cr4 | _CR4_OSFXSR | _CR4_OSXMMEXCPT | _CR4_TSD)
        write(x86.UC_X86_REG_FPCW, _X87_CONTROL)
        write(x86.UC_X86_REG_MXCSR, _SSE_CONTROL)
        user_code, user_data = _USER_CODE << 3 | 3, _USER_DATA << 3 | 3
        # IRET pops eip, cs, eflags, esp, ss; the target is never fetched, for it is where the run ends.
        self._memory.write(self._own_frame, _IRET_AT, b"\xcf")
        frame = struct.pack("<5I", _NEVER, user_code, 0x202, 0, user_data)
        self._memory.write(self._own_frame, _IRET_FRAME, frame)
        write(x86.UC_X86_REG_CS, _KERNEL_CODE << 3)
        write(x86.UC_X86_REG_SS, _KERNEL_DATA << 3)
        write(x86.UC_X86_REG_ESP, _OWN_PAGE + _IRET_FRAME)
        self._uc.emu_start(_OWN_PAGE + _IRET_AT, _NEVER)
        write(x86.UC_X86_REG_DS, user_data)
        write(x86.UC_X86_REG_ES, user_data)
        self._uc.ctl_flush_tb()
        self.flush_tlb()


_SYSENTER, _SYSCALL = 0x100, 0x101
"""Stand for these instructions where an interrupt's vector is expected."""
_GATES = {
    _VECTOR_SYSCALL: CallGate.INTERRUPT,
    _SYSENTER: CallGate.SYSENTER,
    _SYSCALL: CallGate.SYSCALL,
}
_CPUID_REGISTERS = (x86.UC_X86_REG_EAX, x86.UC_X86_REG_EBX, x86.UC_X86_REG_ECX, x86.UC_X86_REG_EDX)
_PERMISSIONS = {
    access: (unicorn.UC_PROT_READ if Access.READ in access else 0)
    | (unicorn.UC_PROT_WRITE if Access.WRITE in access else 0)
    | (unicorn.UC_PROT_EXEC if Access.EXECUTE in access else 0)
    for access in (Access(number) for number in range(8))
}
