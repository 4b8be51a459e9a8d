"""The processor within a profile document."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from inspector.model.document.scalars import Count, Hex, Hex32, to_hex, to_hex_or_none
from inspector.model.processor import Processor

_MOST_ANSWERS = 1 << 12


class CpuidJson(Struct, frozen=True):
    """CPUID's answer to one leaf and subleaf. `subleaf` null: the leaf does not look at ecx."""

    leaf: Hex32
    subleaf: Hex32 | None
    eax: Hex32
    ebx: Hex32
    ecx: Hex32
    edx: Hex32


class ProcessorJson(Struct, frozen=True):
    """What CPU number `cpu` said in an i386 program; subleaves of leaf 0xd that are not listed are zeros.

    `out_of_range` is what a leaf beyond its range answers; null: neither of the two.
    """

    cpu: Count
    cpuid: Annotated[tuple[CpuidJson, ...], Meta(max_length=_MOST_ANSWERS)]
    out_of_range: Literal["zeros", "highest basic leaf"] | None
    xcr0: Hex
    sets_resume_flag: bool


def processor_json(processor: Processor) -> ProcessorJson:
    """Return the JSON type of `processor`."""
    return ProcessorJson(
        cpu=processor.cpu,
        cpuid=tuple(
            CpuidJson(
                to_hex(answer.leaf),
                to_hex_or_none(answer.subleaf),
                to_hex(answer.eax),
                to_hex(answer.ebx),
                to_hex(answer.ecx),
                to_hex(answer.edx),
            )
            for answer in processor.cpuid
        ),
        out_of_range=None if processor.out_of_range is None else processor.out_of_range.value,
        xcr0=to_hex(processor.xcr0),
        sets_resume_flag=processor.sets_resume_flag,
    )
