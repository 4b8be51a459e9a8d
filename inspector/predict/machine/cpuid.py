"""The instruction CPUID, answered from what the machine's own processor was heard to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.processor import OutOfRange

if TYPE_CHECKING:
    from inspector.model.processor import CpuidAnswer, Processor

_RANGE_MASK = 0xFFFF_FF00
_EXTENDED_STATE = 0xD
_STATE_COMPONENTS = range(2, 64)
"""The subleaves of leaf 0xd that tell of one component each; zeros for one the processor lacks."""
_ZEROS = (0, 0, 0, 0)


class Cpuid:
    """Answers as `processor` does: `cpuid(leaf, subleaf)` are eax, ebx, ecx, edx."""

    def __init__(self, processor: Processor) -> None:
        """Take over the answers of `processor`."""
        self._out_of_range = processor.out_of_range
        self._answers = {(answer.leaf, answer.subleaf): _registers(answer) for answer in processor.cpuid}
        self._leaves = {answer.leaf for answer in processor.cpuid}
        # The first leaf of a range tells its last one.
        self._ranges = {
            answer.leaf: answer.eax
            for answer in processor.cpuid
            if answer.leaf & ~_RANGE_MASK == 0 and answer.subleaf is None
        }

    def __call__(self, leaf: int, subleaf: int) -> tuple[int, int, int, int]:
        """Answer eax `leaf` and ecx `subleaf`. Raises NotModelled for what the processor was not asked."""
        for key in ((leaf, None), (leaf, subleaf)):
            if key in self._answers:
                return self._answers[key]
        if leaf in self._leaves:
            if leaf == _EXTENDED_STATE and subleaf in _STATE_COMPONENTS:
                return _ZEROS
        elif not any(first <= leaf <= last for first, last in self._ranges.items()):
            if self._out_of_range is OutOfRange.ZEROS:
                return _ZEROS
            if self._out_of_range is OutOfRange.HIGHEST_BASIC_LEAF and self._ranges.get(0) in self._leaves:
                return self(self._ranges[0], subleaf)
        raise NotModelled(f"cpuid leaf {leaf:#x}, subleaf {subleaf:#x}")


def _registers(answer: CpuidAnswer) -> tuple[int, int, int, int]:
    return answer.eax, answer.ebx, answer.ecx, answer.edx
