"""Areas: the columns of maps, what lies behind each, and the flags smaps shows."""

from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta, Struct

from inspector.model.address import AddressRange, FileOffset, VirtAddr
from inspector.model.document.scalars import (
    Device,
    Hex,
    Inode,
    PageHex,
    from_device,
    from_hex,
    from_inode,
    to_device,
    to_hex,
)
from inspector.model.vma import Access, Anonymous, Backing, FileBacking, Sharing, Special, Vma, VmFlag

Flag = Literal["gd", "ac", "nr", "lo", "sr", "rr"]

ACCESS = {str(access): access for access in map(Access, range(8))}
FLAGS: dict[VmFlag, Flag] = {
    VmFlag.GROWSDOWN: "gd",
    VmFlag.ACCOUNT: "ac",
    VmFlag.NORESERVE: "nr",
    VmFlag.LOCKED: "lo",
    VmFlag.SEQUENTIAL: "sr",
    VmFlag.RANDOM: "rr",
}
"""Each flag as smaps prints it."""


class VmaJson(Struct, frozen=True):
    """One area, as a line of maps.

    `flags` are those of smaps that decide merging and growth, null if not seen.
    """

    start: PageHex
    end: PageHex
    perms: Annotated[str, Meta(pattern="^[r-][w-][x-][ps]$", max_length=4)]
    offset: Hex
    device: Device
    inode: Inode
    name: str
    backing: Literal["file", "anonymous", "special"]
    flags: tuple[Flag, ...] | None


def vma_json(vma: Vma) -> VmaJson:
    """Return the JSON type of `vma`."""
    return VmaJson(
        start=to_hex(vma.start),
        end=to_hex(vma.end),
        perms=vma.perms,
        offset=to_hex(vma.offset),
        device=to_device(vma.device),
        inode=vma.inode,
        name=vma.name,
        backing=_backing_word(vma.backing),
        flags=None if vma.flags is None else tuple(word for flag, word in FLAGS.items() if flag in vma.flags),
    )


def vma_of(json: VmaJson) -> Vma:
    """Undo `vma_json`. Raises ValueError for what no area can be."""
    return Vma(
        range=AddressRange(VirtAddr(from_hex(json.start)), VirtAddr(from_hex(json.end))),
        access=ACCESS[json.perms[:3]],
        sharing=Sharing(json.perms[3]),
        backing=_backing_of(json),
        flags=None if json.flags is None else _flags_of(json.flags),
    )


def vmas_of(jsons: Iterable[VmaJson]) -> tuple[Vma, ...]:
    """Undo `vma_json` for a whole list. Raises ValueError unless they ascend without overlapping."""
    vmas = tuple(map(vma_of, jsons))
    end = 0
    for vma in vmas:
        if vma.start < end:
            raise ValueError(f"the area {vma.range} overlaps its predecessor or is out of order")
        end = vma.end
    return vmas


def _backing_word(backing: Backing) -> Literal["file", "anonymous", "special"]:
    match backing:
        case FileBacking():
            return "file"
        case Anonymous():
            return "anonymous"
        case Special():
            return "special"


def _backing_of(json: VmaJson) -> Backing:
    offset, device = from_hex(json.offset), from_device(json.device)
    if json.backing == "file":
        return FileBacking(json.name, device, from_inode(json.inode), FileOffset(offset))
    if offset or any(device) or json.inode:
        raise ValueError(f"the area at {json.start} has no file, but an offset, device or inode")
    return Anonymous(json.name) if json.backing == "anonymous" else Special(json.name)


def _flags_of(words: Iterable[str]) -> VmFlag:
    flags = VmFlag.NONE
    for flag, word in FLAGS.items():
        if word in words:
            flags |= flag
    return flags
