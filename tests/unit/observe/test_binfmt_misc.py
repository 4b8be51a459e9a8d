"""What /proc/sys/fs/binfmt_misc says of the handlers registered there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inspector.model.profile import BinfmtMisc
from inspector.observe.binfmt_misc import registered

if TYPE_CHECKING:
    from pathlib import Path

ARM = "enabled\ninterpreter /usr/bin/qemu-arm\nflags: OCF\noffset 16\nmagic 02002800\nmask feffffff\n"
UNMASKED = "enabled\ninterpreter /usr/bin/wine\nflags: \noffset 0\nmagic 4d5a\n"
BY_NAME = "enabled\ninterpreter /usr/bin/dosbox\nflags: \nextension .com\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, text in {
        "status": "enabled\n",
        "qemu-arm": ARM,
        "wine": UNMASKED,
        "dosbox": BY_NAME,
        "off": ARM.replace("enabled", "disabled"),
        "register": "",
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_handlers_by_magic_and_by_extension(directory: Path) -> None:
    assert registered(str(directory)) == (
        BinfmtMisc("dosbox", 0, b"", b"", "com"),
        BinfmtMisc("qemu-arm", 16, b"\x02\x00\x28\x00", b"\xfe\xff\xff\xff"),
        BinfmtMisc("wine", 0, b"MZ", b"\xff\xff"),
    )


def test_all_of_them_can_be_switched_off(directory: Path) -> None:
    (directory / "status").write_text("disabled\n")
    assert registered(str(directory)) == ()


def test_where_nothing_is_mounted_there_are_none(tmp_path: Path) -> None:
    assert registered(str(tmp_path)) == registered(str(tmp_path / "absent")) == ()
