"""NaNs that Unicorn does not pass on as the processor does.

63  62       52 51 50           0
s   all ones    q  payload           q: quiet, else signalling; a float alike, with 8 and 22 bits

Where both operands of SSE arithmetic are NaNs, the processor gives the first, made quiet; Unicorn goes by
x87's rule, for which the greater payload counts. And where x87 loads or stores a signalling NaN as a float or
a double, the processor makes it quiet; Unicorn sets IE and leaves it as it is.

To look at every operand would make loops many times slower. So nothing is looked at until there is a NaN:

  - What makes a NaN of numbers sets IE, and so does the use of a signalling one. Unicorn accrues that.
  - A quiet NaN that the program brings along sets nothing. The operands of SSE arithmetic are looked at the
    first times that an instruction runs.

Then the run is made again (`SpecialMet`), and every operand looked at from there on. What is left out is a
quiet NaN that no arithmetic has made and that comes late to every instruction it comes to.

Sources: Intel SDM volume 1, 4.8.3.5 and table 4-7; qemu/fpu/softfloat-specialize.inc.c:pickNaN(),
float64ToCommonNaN() as Unicorn has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from inspector.errors import NotModelled
from inspector.predict.machine import x87
from inspector.predict.machine.rerun import Special

if TYPE_CHECKING:
    from inspector.predict.machine.cpu import Cpu
    from inspector.predict.machine.errata import Erratum


@dataclass(frozen=True, slots=True)
class Format:
    """A format of numbers in memory."""

    size: int
    """Bytes."""
    fraction: int
    """Bits."""
    sign: int
    infinity: int
    """The exponent of NaNs, which with no fraction is infinity."""
    quiet: int
    """The bit that makes a NaN quiet."""

    def is_nan(self, number: int) -> bool:
        """Whether it is a NaN of either kind."""
        return number & self.sign - 1 > self.infinity

    def is_signalling(self, number: int) -> bool:
        """Whether it is a NaN that sets IE where it is used."""
        return self.is_nan(number) and not number & self.quiet

    def lanes(self, vector: int, count: int) -> list[int]:
        """Return the numbers of a vector, the lowest first."""
        width = 8 * self.size
        return [vector >> width * lane & (1 << width) - 1 for lane in range(count)]


SINGLE, DOUBLE = (
    Format(
        size=size,
        fraction=fraction,
        sign=1 << 8 * size - 1,
        infinity=(1 << 8 * size - 1) - (1 << fraction),
        quiet=1 << fraction - 1,
    )
    for size, fraction in ((4, 23), (8, 52))
)
_VECTOR_SIZE = 16


class _Operation(NamedTuple):
    """SSE arithmetic on two operands."""

    form: Format
    lanes: int
    """How many numbers of each operand take part."""
    is_horizontal: bool
    """Neighbours in one operand are taken together."""
    first: str
    second: str | None
    """Registers; None: memory."""


class Nans:
    """Looks after the NaNs of one processor."""

    def __init__(self, cpu: Cpu) -> None:
        """Serve `cpu`."""
        self._cpu = cpu

    # --- where two of them meet: SSE ------------------------------------------------------------

    def are_met(self, erratum: Erratum) -> bool:
        """Whether two meet that are not the same; where NaNs are not heeded yet, whether there is any."""
        operation, coprocessor = _operation(erratum.mnemonic, erratum.operands), self._cpu.coprocessor
        form = operation.form
        if not coprocessor.heeds_nans:
            return any(map(form.is_nan, chain(*self._pairs(operation, erratum))))
        if operation.lanes == 1 and not form.is_nan(coprocessor.vector(operation.first)):
            return False  # by far the most of them, and fast
        return any(
            form.is_nan(first) and form.is_nan(second) and first | form.quiet != second | form.quiet
            for first, second in self._pairs(operation, erratum)
        )

    def propagate(self, erratum: Erratum) -> None:
        """Carry out an operation that meets such NaNs. Raises NotModelled for one on more than one pair."""
        coprocessor = self._cpu.coprocessor
        if not coprocessor.heeds_nans:
            self._cpu.meet(Special.NAN, since_start=True)
        operation = _operation(erratum.mnemonic, erratum.operands)
        pairs = self._pairs(operation, erratum)
        if len(pairs) > 1:
            raise NotModelled(f"instruction {erratum.text}, where two NaNs meet", ip=erratum.address)
        form = operation.form
        signals = any(map(form.is_signalling, pairs[0]))
        vector = coprocessor.vector(operation.first)
        coprocessor.set_vector(operation.first, vector | form.quiet, x87.IE if signals else 0)

    def _pairs(self, operation: _Operation, erratum: Erratum) -> list[tuple[int, int]]:
        """Return the operands of each single operation; none if they cannot be read."""
        form, count, is_horizontal, first, second = operation
        vector = self._cpu.coprocessor.vector(first)
        if second is not None:
            other = self._cpu.coprocessor.vector(second)
        else:
            size = form.size * count
            place = self._cpu.operand_address(erratum.code, erratum.address)
            contents = self._cpu.view.peek(place, size)
            if len(contents) < size:
                return []
            other = int.from_bytes(contents, "little")
        lanes, others = form.lanes(vector, count), form.lanes(other, count)
        if is_horizontal:
            numbers = lanes + others
            lanes, others = numbers[::2], numbers[1::2]
        return list(zip(lanes, others, strict=True))

    # --- between registers and memory: x87 ------------------------------------------------------

    def is_signalling(self, erratum: Erratum) -> bool:
        """Whether what an fld, fst or fstp moves is a signalling NaN."""
        if erratum.name != "fld":
            return x87.is_signalling(self._cpu.coprocessor.uppermost)
        number = self._in_memory(erratum)
        return number is not None and _format_in_memory(erratum).is_signalling(number)

    def loaded(self, erratum: Erratum) -> x87.Extended:
        """Return what fld makes of the NaN that is its operand."""
        number, form = self._in_memory(erratum), _format_in_memory(erratum)
        assert number is not None  # noqa: S101 - `is_signalling` has seen it
        return x87.nan(number & form.sign != 0, number << x87.FRACTION - form.fraction)

    def stored(self, erratum: Erratum) -> bytes:
        """Return what fst or fstp makes of the NaN that is the top of the stack."""
        number, form = self._cpu.coprocessor.uppermost, _format_in_memory(erratum)
        fraction = number.significand >> x87.FRACTION - form.fraction & (1 << form.fraction) - 1
        sign = form.sign if x87.is_negative(number) else 0
        return (sign | form.infinity | form.quiet | fraction).to_bytes(form.size, "little")

    def _in_memory(self, erratum: Erratum) -> int | None:
        size = _format_in_memory(erratum).size
        contents = self._cpu.view.peek(self._cpu.operand_address(erratum.code, erratum.address), size)
        return int.from_bytes(contents, "little") if len(contents) == size else None


@lru_cache(maxsize=1 << 10)
def _operation(mnemonic: str, operands: str) -> _Operation:
    name = mnemonic.rpartition(" ")[2]
    form = SINGLE if name[-1] == "s" else DOUBLE
    first, _, second = operands.partition(", ")
    return _Operation(
        form=form,
        lanes=1 if name[-2] == "s" else _VECTOR_SIZE // form.size,
        is_horizontal=name[0] == "h",
        first=first,
        second=None if "[" in second else second,
    )


def _format_in_memory(erratum: Erratum) -> Format:
    return SINGLE if erratum.operands.startswith("dword") else DOUBLE
