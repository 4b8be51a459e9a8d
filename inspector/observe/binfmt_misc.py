"""The handlers registered with binfmt_misc; every command looks, for they can change any time.

What stands in a handler's file:

    enabled
    interpreter /usr/bin/qemu-arm-static
    flags: OCF
    offset 0                                        or: extension .com
    magic 7f454c4601010100000000000000000002002800
    mask ffffffffffffff000000000000000000feffffff
"""

from __future__ import annotations

import os

from inspector.model.profile import BinfmtMisc

_DIRECTORY = "/proc/sys/fs/binfmt_misc"


def registered(directory: str = _DIRECTORY) -> tuple[BinfmtMisc, ...]:
    """Return the handlers that are enabled, by name; none where binfmt_misc is not mounted.

    Source: fs/binfmt_misc.c:entry_status().
    """
    try:
        names = sorted(set(os.listdir(directory)) - {"register", "status"})  # noqa: PTH208
    except OSError:
        return ()
    if not names or not _read(directory, "status").startswith("enabled"):
        return ()
    found = (_parsed(name, _read(directory, name)) for name in names)
    return tuple(handler for handler in found if handler is not None)


def _parsed(name: str, text: str) -> BinfmtMisc | None:
    lines = text.splitlines()
    if not lines or lines[0] != "enabled":
        return None
    fields = dict(line.split(" ", 1) for line in lines if " " in line)
    magic = bytes.fromhex(fields.get("magic", ""))
    mask = bytes.fromhex(fields["mask"]) if "mask" in fields else b"\xff" * len(magic)
    extension = fields.get("extension", "").removeprefix(".")
    return BinfmtMisc(name, int(fields.get("offset", "0")), magic, mask, extension)


def _read(directory: str, name: str) -> str:
    try:
        with open(f"{directory}/{name}", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return ""
