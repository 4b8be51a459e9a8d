"""How pages name areas, counts and sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.language import tr
from inspector.model.vma import FileBacking
from inspector.report.text import counted, printable, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inspector.model.address import AddressRange
    from inspector.model.vma import Vma

_LONGEST_NAME = 28
_KIB = 1 << 10
_THREE_DIGITS = 100


def area_name(vma: Vma, longest: int = _LONGEST_NAME) -> str:
    """Return the kernel's name for an area, of a file the last part of its path; `anonymous` without one."""
    name = vma.name.rpartition("/")[2] if isinstance(vma.backing, FileBacking) else vma.name
    return shortened(printable(name), longest) or tr("anonymous")


def area_label(vma: Vma, where: AddressRange | None = None) -> str:
    """Return `08048000-08049000 r--p hello`; `where`: only a part of it."""
    place = where or vma.range
    return f"{place.start:08x}-{place.end:08x} {vma.perms} {area_name(vma)}"


def count_words(counts: Iterable[tuple[str, int]], total: int) -> str:
    """Return `17 file, 1 anonymous of 110 pages`."""
    words = tr(", ").join(f"{number:,} {tr(name)}" for name, number in counts)
    return tr("{counts} of {pages}").format(counts=words or tr("none"), pages=counted(total, "page"))


def rough_size(size_bytes: int) -> str:
    """Return a size to three digits, for what need not be exact: `3.87 GiB`."""
    value, units = float(size_bytes), ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    while value >= _KIB and len(units) > 1:
        value /= _KIB
        units.pop(0)
    return f"{value:.0f} {units[0]}" if value >= _THREE_DIGITS else f"{value:.3g} {units[0]}"
