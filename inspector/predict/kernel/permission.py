"""Whether a file may be executed, by its mode, its access control list and the caller's capabilities."""

from __future__ import annotations

import errno
import os
import stat
import struct
from typing import TYPE_CHECKING

from inspector.errors import NotModelled
from inspector.model.program import CAP_DAC_OVERRIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.program import Credentials

_ACL = "system.posix_acl_access"
_ACL_VERSION = 2
_ENTRY = struct.Struct("<HHI")
# Tags of include/uapi/linux/posix_acl.h, in the order in which an ACL holds them.
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_EXECUTE = 1
_OVERFLOW_ID = 65534
"""What stat shows for an owner that this user namespace has no number for (sysctl kernel.overflowuid)."""


def may_execute(path: str, found: os.stat_result, credentials: Credentials) -> bool:
    """Whether the caller may execute the file `found` at `path` (rule `exec.no-permission`).

    Raises NotModelled where that cannot be told. Source: fs/namei.c:generic_permission().
    """
    if _mode_allows(path, found, credentials):
        return True
    # Not even this capability makes a file executable on which no one has an x bit.
    return bool(
        credentials.capabilities & CAP_DAC_OVERRIDE and found.st_mode & 0o111 and _owner_is_mapped(found)
    )


def _mode_allows(path: str, found: os.stat_result, credentials: Credentials) -> bool:
    """Source: fs/namei.c:acl_permission_check()."""
    if credentials.euid == found.st_uid:
        return bool(found.st_mode & stat.S_IXUSR)
    # With an ACL the group bits are its mask; where they are all clear, it is not asked.
    if found.st_mode & stat.S_IRWXG:
        entries = list(_acl(path))
        if entries:
            return _acl_allows(entries, found, credentials)
    if _is_in_group(found.st_gid, credentials):
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def _acl_allows(entries: list[tuple[int, int, int]], found: os.stat_result, credentials: Credentials) -> bool:
    """Source: fs/posix_acl.c:posix_acl_permission(); the owner has been dealt with."""
    mask = next((allowed for tag, allowed, _ in entries if tag == _MASK), _EXECUTE)
    in_a_group = False
    for tag, allowed, number in entries:
        if tag == _USER and number == credentials.euid:
            return bool(allowed & mask & _EXECUTE)
        if tag in (_GROUP_OBJ, _GROUP):
            group = found.st_gid if tag == _GROUP_OBJ else number
            if _is_in_group(group, credentials):
                in_a_group = True
                if allowed & _EXECUTE:
                    return bool(mask & _EXECUTE)
        if tag == _OTHER:
            return bool(allowed & _EXECUTE) and not in_a_group
    return False


def _acl(path: str) -> Iterator[tuple[int, int, int]]:
    """Yield (tag, permissions, user or group) of each entry of the ACL; none if the file has none."""
    try:
        data = os.getxattr(path, _ACL)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return
        raise NotModelled(f"access control list that cannot be read ({error.strerror})") from error
    if len(data) < struct.calcsize("<I") or data[:4] != struct.pack("<I", _ACL_VERSION):
        raise NotModelled("access control list of another form")
    yield from _ENTRY.iter_unpack(data[4:])


def _is_in_group(group: int, credentials: Credentials) -> bool:
    return group == credentials.egid or group in credentials.groups


def _owner_is_mapped(found: os.stat_result) -> bool:
    """Whether capabilities in our user namespace count for the file.

    Source: kernel/capability.c:privileged_wrt_inode_uidgid().
    """
    return _is_mapped("uid", found.st_uid) and _is_mapped("gid", found.st_gid)


def _is_mapped(kind: str, number: int) -> bool:
    if number != _OVERFLOW_ID:
        return True
    try:
        with open(f"/proc/self/{kind}_map", encoding="ascii") as lines:  # noqa: PTH123
            ranges = [(int(first), int(count)) for first, _, count in map(str.split, lines)]
    except (OSError, ValueError):
        return True
    if sum(count for _, count in ranges) == (1 << 32) - 1:
        return True
    if any(first <= number < first + count for first, count in ranges):
        raise NotModelled(
            f"owner {number} of a file in a user namespace",
            help="it is either a user's number or stands for all that have none; run outside the namespace",
        )
    return False
