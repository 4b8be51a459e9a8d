"""Staging: programs run from a tmpfs, so that neither disk nor page cache has a say in what is seen.

A file on a disk may be read ahead, cached in large folios, or on a noexec mount; a fresh copy on a
tmpfs is none of that and behaves the same on every run. The copy's path is made from the contents, so
that the strings on the stack, and with them every address below, are the same each time:

    /dev/shm/inspector-UID/HASH/NAME        HASH-MODE where the mode is not 755

The copy exists as long as someone uses it: users hold a shared lock on its directory, and the last to
leave removes it. The empty directory of the user stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.elf.file import ExecutableFile, is_elf
from inspector.errors import UsageError
from inspector.model.program import BASE_ENVIRONMENT, Layout, Limits, Program
from inspector.observe.credentials import current_credentials
from inspector.observe.limits import permitted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LARGEST_COPY_BYTES = 256 << 20
_HASH_DIGITS = 16
_ORDINARY_MODE = 0o755
_OWNERS_MODE = 0o500
_COPIED_MODE = 0o777
"""Set-user-ID bits are not copied: whoever stages the program is who runs it."""


@dataclass(frozen=True, slots=True)
class Staged:
    """Where a program is run from."""

    path: str
    note: str | None = None
    """Why it is run where it stands, if staging was asked for and not possible."""


@contextmanager
def prepare(
    requested: str,
    *,
    arguments: Sequence[str] = (),
    environment: Sequence[str] = (),
    stdin: str = "/dev/null",
    layout: Layout = Layout.DEFAULT,
    randomize: bool = False,
    in_place: bool = False,
    limits: Limits | None = None,
) -> Iterator[Program]:
    """Yield the program the user named as it will be run, staged for as long as the context lasts.

    `environment` is added to the base environment as `NAME=VALUE`; a name given again replaces it. What
    exceeds what this session may set is lowered in `limits`.
    """
    try:
        cwd = os.getcwd()  # noqa: PTH109 - the kernel wants text
    except FileNotFoundError as error:
        raise UsageError("the working directory is gone", help="cd to one that exists") from error
    with stage(requested, in_place=in_place) as staged:
        yield Program(
            path=staged.path,
            argv=(staged.path, *arguments),
            envp=merged_environment(environment),
            requested=requested,
            credentials=current_credentials(),
            cwd=cwd,
            stdin=stdin,
            limits=permitted(limits or Limits()),
            layout=layout,
            randomize=randomize,
            not_staged=staged.note,
        )


def merged_environment(additions: Sequence[str]) -> tuple[str, ...]:
    """Return the base environment with `additions`; a later value of a name takes the earlier one's place."""
    merged = {entry.partition("=")[0]: entry for entry in BASE_ENVIRONMENT}
    merged.update((entry.partition("=")[0], entry) for entry in additions)
    return tuple(merged.values())


@contextmanager
def stage(requested: str, *, in_place: bool = False) -> Iterator[Staged]:
    """Yield the path to run `requested` from.

    Whatever execve would refuse for its path, its mode or its first bytes is run where it stands, so
    that the refusal is the kernel's own.
    """
    with ExitStack() as stack:
        staged = Staged(requested)
        if not in_place and _is_executable_elf(requested):
            try:
                staged = _staged(requested, stack)
            except OSError as error:
                staged = Staged(requested, f"it could not be copied ({error.strerror})")
        yield staged


def _staged(requested: str, stack: ExitStack) -> Staged:
    """Copy `requested` to a tmpfs until `stack` is left. Raises OSError where there is no room for it."""
    file = stack.enter_context(ExecutableFile(requested))
    if file.size > _LARGEST_COPY_BYTES:
        return Staged(requested, f"{file.size >> 20} MiB are too much to copy")
    if file.is_open_for_writing:
        # A copy would run where this one may not, and might not be whole.
        return Staged(requested, "someone has it open for writing")
    room = _tmpfs_directory()
    if room is None:
        return Staged(requested, "no tmpfs allows writing and execution")
    _sweep(room)
    # We may read and execute it, by whatever right; the copy is ours, so the owner's bits must say so.
    mode = file.stat.st_mode & _COPIED_MODE | _OWNERS_MODE
    variant = "" if mode == _ORDINARY_MODE else f"-{mode:o}"
    directory = room / f"{file.sha256[:_HASH_DIGITS]}{variant}"
    lock = stack.enter_context(_locked_directory(directory))
    stack.callback(_remove_unless_shared, directory, lock)
    name = Path(requested).name
    _copy(file, mode, name, lock)
    file.require_unchanged()  # the directory is named for what was hashed, before
    return Staged(str(directory / name))


def _is_executable_elf(path: str) -> bool:
    try:
        return os.access(path, os.X_OK) and is_elf(path)
    except ValueError:
        return False


def _tmpfs_directory() -> Path | None:
    """Return a private directory on a tmpfs that allows execution, or None."""
    for room in (Path("/dev/shm"), Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent")):  # noqa: S108
        own = room / f"inspector-{os.getuid()}"
        try:
            if _file_system(room) != "tmpfs" or os.statvfs(room).f_flag & os.ST_NOEXEC:
                continue
            with contextlib.suppress(FileExistsError):
                own.mkdir()
                own.chmod(0o700)  # whatever the umask says
            found = own.lstat()
        except OSError:
            continue
        # Someone else could have made it first, to hand us a program of theirs.
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
            return own
    return None


def _file_system(directory: Path) -> str | None:
    """Return the type of the file system mounted at `directory`, or None."""
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
        _, place, kind, *_ = line.split(" ")
        if place == str(directory):
            return kind
    return None


@contextmanager
def _locked_directory(directory: Path) -> Iterator[int]:
    """Make `directory` and hold a shared lock on it."""
    while True:
        try:
            directory.mkdir()
        except FileExistsError:
            pass
        else:
            with contextlib.suppress(FileNotFoundError):  # swept already: no one held its lock
                directory.chmod(0o700)  # whatever the umask says
        try:
            lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_SH)
        # Its last user may have removed it between our opening and our lock.
        if os.fstat(lock).st_nlink:
            break
        os.close(lock)
    try:
        yield lock
    finally:
        os.close(lock)


def _copy(file: ExecutableFile, mode: int, name: str, directory: int) -> None:
    """Copy `file` into `directory`, a descriptor, unless it is there already; others may be doing the same.

    A copy appears whole and is never replaced: someone may be running it, and its inode is in their maps.
    """
    if os.access(name, os.F_OK, dir_fd=directory):
        return
    nameless = os.open(f"/proc/self/fd/{directory}", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, _OWNERS_MODE)
    try:
        with file.stream() as source, os.fdopen(os.dup(nameless), "wb") as target:
            source.seek(0)
            shutil.copyfileobj(source, target)
        os.fchmod(nameless, mode)  # whatever the umask says
        readable = os.open(f"/proc/self/fd/{nameless}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(nameless)  # before it has a name: what is open for writing cannot be executed (ETXTBSY)
    try:
        with contextlib.suppress(FileExistsError):
            # With a dir_fd it is linkat(2), told to follow the link; without, link(2), which does not.
            os.link(f"/proc/self/fd/{readable}", name, dst_dir_fd=directory)
    finally:
        os.close(readable)


def _sweep(room: Path) -> None:
    """Remove copies whose users were killed before they could: no one holds their lock."""
    for directory in room.iterdir():
        with contextlib.suppress(OSError):
            lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                _remove_unless_shared(directory, lock)
            finally:
                os.close(lock)


def _remove_unless_shared(directory: Path, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    with contextlib.suppress(OSError):
        for entry in directory.iterdir():
            entry.unlink()
        directory.rmdir()
