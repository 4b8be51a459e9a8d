from __future__ import annotations

import pytest

from inspector.errors import GdbTooOld
from inspector.observe.gdb.connection import Answer
from inspector.observe.gdb.requirements import check, parse_version

FIRST_LINES = {
    "GNU gdb (GDB) 7.12.1": (7, 12),
    "GNU gdb (GDB) 18.1": (18, 1),
    "GNU gdb (Debian 13.1-3) 13.1": (13, 1),
    "GNU gdb (Ubuntu 12.1-0ubuntu1~22.04) 12.1": (12, 1),
    "GNU gdb (Fedora Linux) 14.1-1.fc39": (14, 1),
    "GNU gdb (GDB) Red Hat Enterprise Linux 8.2-20.el8": (8, 2),
    "GNU gdb (GDB) Red Hat Enterprise Linux 8.2-20.1.el8": (8, 2),
    "GNU gdb (GDB; openSUSE Leap 15.5) 13.2": (13, 2),
    "GNU gdb (GDB) 15.0.50.20240403-git": (15, 0),
    "GNU gdb (GDB) Fedora (7.2-16.fc13)": (7, 2),
    "not gdb at all": None,
    "": None,
}
FEATURES = Answer({"features": ["breakpoint-notifications", "data-read-memory-bytes", "python"]}, "", ())


@pytest.mark.parametrize("line", FIRST_LINES)
def test_versions_are_found_whatever_the_distribution(line: str) -> None:
    assert parse_version(f"{line}\nCopyright (C) 2023 and 99.9 other things") == FIRST_LINES[line]


def version(line: str) -> Answer:
    return Answer({}, f"{line}\nCopyright\n", ())


def test_a_gdb_that_serves_is_named() -> None:
    assert check(version("GNU gdb (Debian 13.1-3) 13.1"), FEATURES) == "(Debian 13.1-3) 13.1"


def test_a_gdb_without_a_number_is_judged_by_its_features() -> None:
    assert check(version("GNU gdb (home-made)"), FEATURES) == "(home-made)"


def test_a_gdb_that_does_not_serve_is_refused() -> None:
    with pytest.raises(GdbTooOld, match=r"too old: GNU gdb \(GDB\) 11\.2"):
        check(version("GNU gdb (GDB) 11.2"), FEATURES)
    with pytest.raises(GdbTooOld, match="has no breakpoint-notifications"):
        check(version("GNU gdb 13.1"), Answer({"features": ["data-read-memory-bytes"]}, "", ()))
