"""What is done at an erratum: carry the instruction out, raise what Unicorn would not, or refuse."""

from __future__ import annotations

import enum
import struct
from typing import TYPE_CHECKING, NoReturn

from inspector.errors import NotModelled
from inspector.model.address import VirtAddr, page_down
from inspector.model.vma import Access
from inspector.predict.machine import x87
from inspector.predict.machine.coprocessor import ENVIRONMENT_SIZE
from inspector.predict.machine.errata import C1, Treatment
from inspector.predict.machine.event import GENERAL_PROTECTION, HardwareException, PageFault
from inspector.predict.machine.instruction import (
    LONGEST_INSTRUCTION,
    OPERAND_SIZE,
    prefixes,
    without_prefixes,
)
from inspector.predict.machine.liveness import are_flags_looked_at, is_looked_at
from inspector.predict.machine.nan import Nans
from inspector.predict.machine.rerun import Special
from inspector.predict.machine.segment import USER_DATA

if TYPE_CHECKING:
    from collections.abc import Callable

    from inspector.predict.machine.cpu import Cpu
    from inspector.predict.machine.errata import Erratum

_TRAP_FLAG, _NESTED_TASK, _ALIGNMENT_FLAG = 1 << 8, 1 << 14, 1 << 18
_ZERO_FLAG, _EIGHT = 1 << 6, 8
_CLEARED = 1 << 11 | 1 << 7 | 1 << 4
"""OF, SF and AF."""
_SSE_WIDTH = 16
_EXTENDED = struct.Struct("<QH")
_SIZES = {"word": 2, "dword": 4, "qword": 8}
_SEVERAL = 16
_BOUNDED = frozenset(
    {
        Treatment.ALIGNED,
        Treatment.CONTROL,
        Treatment.THREAD,
        Treatment.MINIMUM,
        Treatment.WIDE,
        Treatment.PROPAGATE,
    }
)
"""Checked the first `_SEVERAL` times: what is wrong there is wrong at once, and loops are to be fast."""


class Then(enum.Enum):
    """How the processor goes on."""

    AFTER = enum.auto()
    """With the next instruction: this one has been carried out."""
    THERE = enum.auto()
    """With this instruction, which Unicorn may now carry out."""


class Treatments:
    """Treats errata on one processor."""

    def __init__(self, cpu: Cpu) -> None:
        """Serve `cpu`."""
        self._cpu = cpu
        self._checks: dict[int, int] = {}
        self._shows_flags: dict[tuple[int, bytes], bool] = {}
        self._store_has_faulted = False
        self._nans = Nans(cpu)
        self._concerns: dict[Treatment, Callable[[Erratum], bool]] = {
            Treatment.ALIGNED: lambda _: False,
            Treatment.CONTROL: self._unmasks,
            Treatment.CONSTANT: lambda _: not cpu.coprocessor.rounds_to_nearest,
            Treatment.FLAGS: self._traps,
            Treatment.ENTER: self._overflows,
            Treatment.EMPTY: lambda _: cpu.coprocessor.stack()[0] != 0,
            Treatment.COMPARE: lambda erratum: (
                cpu.read("eflags") & _CLEARED != 0 and not self.is_settled(erratum)
            ),
            Treatment.MINIMUM: lambda _: cpu.coprocessor.flushes,
            Treatment.WIDE: self._is_denormal,
            Treatment.PROPAGATE: self._nans.are_met,
            Treatment.QUIETEN: self._nans.is_signalling,
            Treatment.CLASSIFY: lambda _: cpu.coprocessor.holds_unsupported,
            Treatment.ROUND: lambda _: cpu.coprocessor.doubt_inexact(),
            Treatment.THREAD: lambda _: False,
        }
        self._treatments: dict[Treatment, Callable[[Erratum], HardwareException | PageFault | Then]] = {
            Treatment.PROTECT: self._protect,
            Treatment.ENTER: self._fault_below,
            Treatment.PROPAGATE: self._propagate,
            Treatment.QUIETEN: self._quieten,
            Treatment.CLASSIFY: self._classify,
            Treatment.STATUS: self._status,
            Treatment.COMPARE: self._clear_flags,
            Treatment.EXCHANGE: self._exchange,
            Treatment.WIDE: self._meet_denormal,
            Treatment.ENVIRONMENT: self._environment,
            Treatment.CLEAR: self._clear,
            Treatment.COMPUTE: self._compute,
            Treatment.STORE_MXCSR: self._store_mxcsr,
            Treatment.LOAD_MXCSR: self._load_mxcsr,
            Treatment.SEGMENT: self._segment,
        }

    def concerns(self, erratum: Erratum) -> bool:
        """Whether it matters this time. May be asked while the engine runs."""
        concerned = self._concerns.get(erratum.treatment)
        return concerned is None or self._is_forbidden(erratum) or concerned(erratum)

    def is_settled(self, erratum: Erratum) -> bool:
        """Whether it has been asked about often enough, to no avail."""
        if erratum.treatment is Treatment.ROUND:
            return True
        if erratum.treatment is Treatment.COMPARE:
            return not self._are_flags_looked_at(erratum)
        if erratum.treatment not in _BOUNDED or (
            erratum.treatment is Treatment.PROPAGATE and self._cpu.coprocessor.heeds_nans
        ):
            return False
        count = self._checks[erratum.address] = self._checks.get(erratum.address, 0) + 1
        if count >= _SEVERAL and erratum.treatment is Treatment.WIDE:
            self._cpu.coprocessor.doubt_denormal()
        return count >= _SEVERAL

    def treat(self, erratum: Erratum) -> HardwareException | PageFault | Then:
        """Do what the instruction does. Raises NotModelled where that is not known."""
        if erratum.treatment is not Treatment.REFUSE and self._is_forbidden(erratum):
            return self._protect(erratum)
        treatment = self._treatments.get(erratum.treatment)
        if treatment is None:
            raise NotModelled(f"instruction {erratum.text}", ip=erratum.address)
        return treatment(erratum)

    # --- what concerns --------------------------------------------------------------------------

    def _operand(self, erratum: Erratum) -> VirtAddr:
        return self._cpu.operand_address(erratum.code, erratum.address)

    def _is_forbidden(self, erratum: Erratum) -> bool:
        """Whether it raises #GP for where its operand lies."""
        operands = erratum.operands
        return "[" in operands and (
            any(f"{name}:" in operands for name in self._cpu.null_segments)
            or (erratum.is_aligned and self._operand(erratum) % _SSE_WIDTH != 0)
        )

    def _unmasks(self, erratum: Erratum) -> bool:
        contents = self._cpu.view.peek(self._operand(erratum), 2)
        if len(contents) == 2:  # noqa: PLR2004 - else it faults
            self._cpu.coprocessor.check_control(int.from_bytes(contents, "little"))
        return False

    def _is_denormal(self, erratum: Erratum) -> bool:
        contents = self._cpu.view.peek(self._operand(erratum), _EXTENDED.size)
        if len(contents) < _EXTENDED.size:
            return False
        return self._cpu.coprocessor.watches and x87.is_denormal(x87.Extended(*_EXTENDED.unpack(contents)))

    def _traps(self, erratum: Erratum) -> bool:
        size = 2 if erratum.mnemonic in ("popf", "iret") else 4
        returns = erratum.mnemonic.startswith("iret")
        place = self._cpu.read("esp") + (2 * size if returns else 0)  # eip and cs come first
        flags = int.from_bytes(self._cpu.view.peek(place, size), "little")
        nested = returns and self._cpu.read("eflags") & _NESTED_TASK
        return bool(flags & (_TRAP_FLAG | _ALIGNMENT_FLAG) or nested)

    def _overflows(self, erratum: Erratum) -> bool:
        # The push that comes first faults first.
        stack = self._cpu.read("esp")
        places = (stack - 4, stack - 1, self._below(erratum))
        return [self._cpu.view.allows(place, Access.WRITE) for place in places] == [True, True, False]

    def _below(self, erratum: Erratum) -> VirtAddr:
        """Where esp points after an enter, which is tried for writing: Intel SDM, ENTER, exceptions."""
        return VirtAddr(
            self._cpu.read("esp") - 4 - int.from_bytes(erratum.code[-3:-1], "little") & 0xFFFF_FFFF
        )

    # --- treatments -----------------------------------------------------------------------------

    def _protect(self, erratum: Erratum) -> HardwareException:
        return HardwareException(GENERAL_PROTECTION, VirtAddr(erratum.address))

    def _fault_below(self, erratum: Erratum) -> PageFault:
        return PageFault(self._below(erratum), Access.WRITE, VirtAddr(erratum.address))

    def _status(self, erratum: Erratum) -> Then:
        if erratum.c1 is C1.UNKNOWN and self._shows(erratum, x87.C1):
            self._know_c1(erratum)
        if not self._cpu.coprocessor.knows_denormal() and self._shows(erratum, x87.DE):
            self._know_denormal()
        self._cpu.coprocessor.gather(clear_c1=erratum.c1 is C1.CLEAR)
        return Then.THERE

    def _shows(self, erratum: Erratum, flag: int) -> bool:
        """Whether the program may look at a flag of the status word that it stores."""
        if erratum.operands != "ax":
            return True
        after = erratum.address + len(erratum.code)
        return is_looked_at(self._cpu.view.peek, after, "eax", flag.bit_length() - 1)

    def _are_flags_looked_at(self, erratum: Erratum) -> bool:
        key = erratum.address, erratum.code
        if key not in self._shows_flags:
            after = erratum.address + len(erratum.code)
            self._shows_flags[key] = are_flags_looked_at(self._cpu.view.peek, after)
        return self._shows_flags[key]

    def _clear_flags(self, _erratum: Erratum) -> Then:
        self._cpu.write("eflags", self._cpu.read("eflags") & ~_CLEARED)
        return Then.THERE

    def _exchange(self, erratum: Erratum) -> Then:
        """Cmpxchg8b, which writes in any case: Intel SDM, CMPXCHG8B."""
        cpu, place = self._cpu, self._operand(erratum)
        found = cpu.view.peek(place, _EIGHT)
        expected, wanted = (
            b"".join(cpu.read(name).to_bytes(4, "little") for name in pair)
            for pair in (("eax", "edx"), ("ebx", "ecx"))
        )
        if len(found) < _EIGHT or not self._store(place, wanted if found == expected else found):
            return Then.THERE
        if found == expected:
            cpu.write("eflags", cpu.read("eflags") | _ZERO_FLAG)
        else:
            cpu.write("eflags", cpu.read("eflags") & ~_ZERO_FLAG)
            cpu.write("eax", int.from_bytes(found[:4], "little"))
            cpu.write("edx", int.from_bytes(found[4:], "little"))
        return Then.AFTER

    def _meet_denormal(self, _erratum: Erratum) -> NoReturn:
        self._cpu.meet(Special.DENORMAL)

    def _propagate(self, erratum: Erratum) -> Then:
        self._nans.propagate(erratum)
        return Then.AFTER

    def _quieten(self, erratum: Erratum) -> Then:
        """Carry out an fld, fst or fstp of a signalling NaN."""
        coprocessor, place = self._cpu.coprocessor, self._operand(erratum)
        if erratum.name == "fld":
            coprocessor.load(self._nans.loaded(erratum), x87.IE)
        elif self._store(place, self._nans.stored(erratum)):
            coprocessor.stored(erratum.name, x87.IE)
        else:
            return Then.THERE
        coprocessor.point(erratum.address, place)
        return Then.AFTER

    def _environment(self, erratum: Erratum) -> Then:
        self._know_c1(erratum)
        self._check_width(erratum)
        coprocessor = self._cpu.coprocessor
        self._know_denormal()
        coprocessor.gather(clear_c1=erratum.c1 is C1.CLEAR)
        place = self._operand(erratum)
        if self._store(place, coprocessor.environment(self._opcode_at)):
            return Then.AFTER
        return self._fault_within(erratum, place)

    def _clear(self, erratum: Erratum) -> Then:
        coprocessor = self._cpu.coprocessor
        if erratum.mnemonic == "fnclex":
            coprocessor.forget()
        elif erratum.mnemonic == "fninit":
            coprocessor.initialise()
        else:
            self._check_width(erratum)
            place = self._operand(erratum)
            contents = self._cpu.view.peek(place, ENVIRONMENT_SIZE)
            if len(contents) < ENVIRONMENT_SIZE:
                return self._fault_within(erratum, place)
            coprocessor.load_environment(contents)
        return Then.AFTER

    def _compute(self, erratum: Erratum) -> Then:
        coprocessor = self._cpu.coprocessor
        if "[" not in erratum.operands:
            coprocessor.compute(erratum.mnemonic)
            coprocessor.point(erratum.address, None)
            return Then.AFTER
        size = _SIZES[erratum.operands.split(" ", 1)[0]]
        contents, status = coprocessor.integer(erratum.mnemonic, size)
        place = self._operand(erratum)
        if not self._store(place, contents):
            return Then.THERE
        coprocessor.stored(erratum.mnemonic, status)
        coprocessor.point(erratum.address, place)
        return Then.AFTER

    def _classify(self, erratum: Erratum) -> Then:
        """Fxam of what is not supported, the class without a flag: Intel SDM, FXAM."""
        self._cpu.coprocessor.classify_unsupported()
        self._cpu.coprocessor.point(erratum.address, None)
        return Then.AFTER

    def _store(self, place: VirtAddr, contents: bytes) -> bool:
        """Store all or nothing; False: let Unicorn fault there first.

        A fault may have put another frame there, which Unicorn does not see: it is not it that tries again.
        """
        if not self._cpu.view.poke(place, contents):
            self._store_has_faulted = True
            return False
        if self._store_has_faulted:
            self._store_has_faulted = False
            self._cpu.flush_tlb()
        return True

    def _store_mxcsr(self, _erratum: Erratum) -> Then:
        self._know_denormal()
        self._cpu.coprocessor.gather_sse()
        return Then.THERE

    def _load_mxcsr(self, erratum: Erratum) -> HardwareException | Then:
        coprocessor = self._cpu.coprocessor
        contents = self._cpu.view.peek(self._operand(erratum), 4)
        if len(contents) == 4:  # noqa: PLR2004 - else it faults
            value = int.from_bytes(contents, "little")
            if not coprocessor.is_valid_sse(value):
                return self._protect(erratum)
            before = coprocessor.flushes
            coprocessor.load_sse(value)
            if coprocessor.flushes and not before:
                self._cpu.look_again()
            return Then.AFTER
        return Then.THERE

    def _segment(self, erratum: Erratum) -> Then:
        cpu = self._cpu
        register, _, source = erratum.operands.partition(", ")
        if not source:
            contents = cpu.view.peek(cpu.read("esp"), 2)
        elif "[" in source:
            contents = cpu.view.peek(self._operand(erratum), 2)
        else:
            contents = cpu.read(source).to_bytes(4, "little")[:2]
        if len(contents) < 2:  # noqa: PLR2004 - it faults
            return Then.THERE
        selector = int.from_bytes(contents, "little")
        if register not in ("fs", "gs") and selector != USER_DATA:
            raise NotModelled(f"instruction {erratum.text} with selector {selector:#x}", ip=erratum.address)
        if register != "ss":
            was_null = register in cpu.null_segments
            cpu.write(register, selector)
            if not was_null and register in cpu.null_segments:
                cpu.look_again()
        if not source:
            cpu.write("esp", cpu.read("esp") + (2 if OPERAND_SIZE in prefixes(erratum.code) else 4))
        return Then.AFTER

    def _fault_within(self, erratum: Erratum, place: VirtAddr) -> Then:
        """Let Unicorn fault on an environment, unless which byte the hardware names is its own affair."""
        if page_down(place) != page_down(place + ENVIRONMENT_SIZE - 1):
            raise NotModelled(f"a page fault within {erratum.text}", ip=erratum.address)
        return Then.THERE

    def _know_denormal(self) -> None:
        coprocessor = self._cpu.coprocessor
        if not coprocessor.knows_denormal():
            if coprocessor.watches:
                self._cpu.meet(Special.DENORMAL)
            raise NotModelled("the flag of denormal operands")

    def _know_c1(self, erratum: Erratum) -> None:
        if erratum.c1 is C1.UNKNOWN:
            raise NotModelled(
                f"instruction {erratum.text}, which shows how x87 rounded last", ip=erratum.address
            )

    def _check_width(self, erratum: Erratum) -> None:
        if OPERAND_SIZE in prefixes(erratum.code):
            raise NotModelled(f"instruction {erratum.text}, sixteen bits wide", ip=erratum.address)

    def _opcode_at(self, address: int) -> int:
        """Return the opcode of an x87 instruction as fnstenv stores it: 11 bits."""
        code = without_prefixes(self._cpu.view.peek(address, LONGEST_INSTRUCTION))
        return (code[0] & 7) << 8 | code[1] if len(code) > 1 else 0
