"""A tree of modules as a file of TOML.

base = 0x8048000          # the root's address; 0 unless given

[[module]]
name = "main"
size = 1024               # bytes

[[module]]
name = "A"
size = 512
parent = "main"
"""

from __future__ import annotations

import tomllib

from inspector.errors import UsageError
from inspector.simulators.overlay.tree import Described, Tree, place

_FORM = 'write each module as [[module]], name = "A", size = 512, parent = "main"'


def parse_tree(data: bytes) -> Tree:
    """Return the tree that a file describes. Raises UsageError."""
    try:
        document = tomllib.loads(data.decode())
    except RecursionError as error:
        raise UsageError("it is nested too deeply", help=_FORM) from error
    except ValueError as error:  # not UTF-8, not TOML, or a number of thousands of digits
        raise UsageError(f"it is not TOML: {error}", help=_FORM) from error
    base, modules = document.pop("base", 0), document.pop("module", [])
    if document:
        raise UsageError(f"{_shown(next(iter(document)))} is not known there", help=_FORM)
    if not _is_number(base):
        raise UsageError("the base is not a number", help="write it as base = 0x8048000, or leave it out")
    if not isinstance(modules, list):
        raise UsageError("module is not a list", help=_FORM)
    return place([_described(each) for each in modules], base)


def _described(table: object) -> Described:
    if not isinstance(table, dict):
        raise UsageError("a module is not a table", help=_FORM)
    if unknown := table.keys() - {"name", "size", "parent"}:
        raise UsageError(f"a module has {_shown(min(unknown))}, which is not known there", help=_FORM)
    name, size, parent = table.get("name"), table.get("size"), table.get("parent")
    if not isinstance(name, str):
        raise UsageError("a module has no name, or one that is no text", help=_FORM)
    if not isinstance(size, int) or not _is_number(size):
        raise UsageError(f"module {_shown(name)} has no size in whole bytes", help=_FORM)
    if parent is not None and not isinstance(parent, str):
        raise UsageError(f"the parent of module {_shown(name)} is no name", help=_FORM)
    return Described(name, size, parent)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(name: str, most: int = 24) -> str:
    return repr(name if len(name) <= most else f"{name[:most]}...")
