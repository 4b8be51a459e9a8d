"""Overlays as JSON. Answers are members of their own, which a question leaves null."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inspector.simulators.overlay.calls import calls_text

if TYPE_CHECKING:
    from inspector.simulators.overlay.manager import OverlayRun


class ModuleJson(msgspec.Struct):
    """A module; its address, in hexadecimal, is an answer."""

    name: str
    parent: str | None
    size: int
    address: str | None


class LoadJson(msgspec.Struct):
    """A module that comes into memory, and those it overwrites."""

    module: str
    evicted: list[str]


class CallJson(msgspec.Struct):
    """A call: who makes it (null: the root is started), what is loaded for it, the path it would break."""

    caller: str | None
    callee: str
    loads: list[LoadJson]
    hit: bool
    breaks: list[str] | None
    """null, unless the call is refused."""


class OverlayJson(msgspec.Struct):
    """A tree, its calls and what comes of them: inspector.overlay/1."""

    base: str
    modules: list[ModuleJson]
    calls: str
    """As they are written: "main A C B>F"."""
    memory_bytes: int | None = None
    memory_without_overlays_bytes: int | None = None
    longest_path: list[str] | None = None
    loads: int | None = None
    evictions: int | None = None
    hits: int | None = None
    bytes_read: int | None = None
    refused: bool | None = None
    """Whether the last call of `events` is."""
    events: list[CallJson] | None = None
    schema: str = "inspector.overlay/1"


def overlay_json(overlay_run: OverlayRun, *, solve: bool) -> bytes:
    """Return a run as one line of JSON, its answers left out of a question."""
    tree = overlay_run.tree
    modules = [
        ModuleJson(each.name, each.parent, each.size, f"{each.address:#x}" if solve else None)
        for each in tree.modules.values()
    ]
    base, calls = f"{tree.root.address:#x}", calls_text(overlay_run.calls)
    if not solve:
        return msgspec.json.encode(OverlayJson(base, modules, calls))
    events = [
        CallJson(
            each.caller,
            each.callee,
            [LoadJson(load.module.name, [gone.name for gone in load.evicted]) for load in each.loads],
            each.is_hit,
            list(each.refusal.path) if each.refusal else None,
        )
        for each in overlay_run.outcomes
    ]
    return msgspec.json.encode(
        OverlayJson(
            base,
            modules,
            calls,
            memory_bytes=tree.memory_bytes,
            memory_without_overlays_bytes=tree.whole_bytes,
            longest_path=list(tree.longest.path),
            loads=len(overlay_run.loads),
            evictions=overlay_run.evictions,
            hits=overlay_run.hits,
            bytes_read=overlay_run.bytes_read,
            refused=overlay_run.refusal is not None,
            events=events,
        )
    )
