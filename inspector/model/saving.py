"""Files of documents, read and written whole: after an error, or a crash, the old contents still stand.

A regular file is replaced by a new one, written beside it, in a single rename:

    symbolic link          what it points to is replaced; the link stays
    existing file          mode and, where allowed, owner are kept; one that may not be written is left alone
    FIFO, device, socket   written to; there is nothing to replace
    our own stdout, stderr appended to, when FILE is the very file they are redirected to

Another hard link to the old file keeps the old contents.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from typing import TYPE_CHECKING

from inspector.errors import BadDocument, CannotSave
from inspector.language import N_in

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST_DOCUMENT_BYTES = 256 << 20
_CHUNK_BYTES = 1 << 20
_PERMISSION_BITS = 0o777
_STANDARD_STREAMS = (1, 2)
_OPEN_DESCRIPTOR = re.compile(r"/dev/stdin|(?:/dev|/proc/self)/fd/(?P<number>[0-9]{1,9})")
_NOT_REGULAR = "give a file that inspector wrote, or - for stdin"

_HELP = {
    errno.EACCES: N_in("error", "give a file and a directory that you may write to"),
    errno.EPERM: N_in("error", "give a file and a directory that you may write to"),
    errno.EROFS: N_in("error", "give a directory on a file system that is not read-only"),
    errno.ENOSPC: N_in("error", "make room on the disk, or save elsewhere"),
    errno.EDQUOT: N_in("error", "make room in your quota, or save elsewhere"),
    errno.EFBIG: N_in("error", "raise the limit on file sizes: ulimit -f unlimited"),
    errno.ENOENT: N_in("error", "create the directory first"),
    errno.ENOTDIR: N_in("error", "give a path whose directories exist"),
    errno.EISDIR: N_in("error", "give the name of a file"),
    errno.EBUSY: N_in("error", "it is a mount point: save beside it and copy"),
    errno.EPIPE: N_in("error", "the reader of the pipe ended before all was written"),
}
_ELSEWHERE = N_in("error", "save elsewhere")


def save_atomically(path: str, data: bytes, *, durable: bool = True) -> None:
    """Make `data` the whole contents of the file `path`, or leave it as it was and raise CannotSave.

    With `durable` the data is on the disk when this returns; without, a power failure may leave an empty
    file. Opening a FIFO waits for its reader.
    """
    with _explained(path):
        _save(path, data, durable=durable)


def require_savable(path: str) -> None:
    """Raise CannotSave where it can be told beforehand that `path` cannot be saved; nothing is written.

    For use before the work whose results are to be saved. What only writing tells, a full disk, is not seen.
    """
    with _explained(path):
        existing = _existing(path)
        if existing is None or stat.S_ISREG(existing.st_mode):
            real = os.path.realpath(path)
            # Asked of the directory as a path that leads on: it says what is not there, or is none.
            os.stat(os.path.join(os.path.dirname(real), "."))  # noqa: PTH116, PTH118, PTH120
            places = [os.path.dirname(real), *([] if existing is None else [real])]  # noqa: PTH120
            if _standard_stream(existing) is None and not all(os.access(place, os.W_OK) for place in places):
                raise OSError(errno.EACCES, os.strerror(errno.EACCES))


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turn what the system says of a file that cannot be saved into CannotSave."""
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        reason = os.strerror(number) if number else str(error)
        raise CannotSave(f"{path}: {reason}", help=_HELP.get(number, _ELSEWHERE)) from error
    except ValueError as error:  # a zero byte, or a surrogate that stands for no byte
        raise CannotSave(f"{path!a}: not a file name", help="give the name of a file") from error


def read_document(path: str) -> bytes:
    """Return the contents of the file `path`, up to 256 MiB. Raises BadDocument if they cannot be had.

    It is a regular file, or what is open already: stdin, or a pipe the shell made (`<(...)`). A FIFO would
    wait for its writer, and a device may never end.
    """
    try:
        return _read_all(path)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise BadDocument(f"{path}: {reason}", help="give a file that inspector wrote") from error
    except ValueError as error:
        raise BadDocument(f"{path!a}: not a file name", help="give the name of a file") from error


def _read_all(path: str) -> bytes:
    """Return the contents of a file. Raises OSError, ValueError or BadDocument."""
    chunks: list[bytes] = []
    descriptor = _opened(path)
    try:
        size = os.fstat(descriptor).st_size
        # Of a pipe, or a file of /proc, only reading tells how much there is.
        read = 0
        while max(size, read) <= _LARGEST_DOCUMENT_BYTES:
            chunk = os.read(descriptor, _CHUNK_BYTES)
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
            read += len(chunk)
    finally:
        os.close(descriptor)
    raise BadDocument(f"{path}: larger than any document", help="give a file that inspector wrote")


def _opened(path: str) -> int:
    """Return a descriptor to read `path` by; one that is open already is not opened again."""
    inherited = _OPEN_DESCRIPTOR.fullmatch(path)
    if inherited is not None:
        return os.dup(int(inherited["number"] or 0))
    # Before it is opened, which alone would let a FIFO's writer go on; and after, for it may be another.
    _require_document(path, os.stat(path))  # noqa: PTH116 - a Path would tidy the text
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        _require_document(path, os.fstat(descriptor))
    except (OSError, BadDocument):
        os.close(descriptor)
        raise
    return descriptor


def _require_document(path: str, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode):
        raise BadDocument(f"{path}: not a regular file", help=_NOT_REGULAR)


def _existing(path: str) -> os.stat_result | None:
    """Return what is at `path` already, which is no directory; None if nothing is. Raises OSError."""
    if not os.path.basename(path):  # noqa: PTH119 - `directory/` must not lose its slash
        number = errno.EISDIR if path else errno.ENOENT
        raise OSError(number, os.strerror(number))
    try:
        # Follows /dev/stdout to the open file itself, where reading the link would only give a name.
        existing = os.stat(path)  # noqa: PTH116 - a Path would tidy the text
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(existing.st_mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    return existing


def _save(path: str, data: bytes, *, durable: bool) -> None:
    existing = _existing(path)
    if existing is None:
        _replace(os.path.realpath(path), data, None, durable=durable)
    elif (stream := _standard_stream(existing)) is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        _write_all(stream, data)
    elif stat.S_ISREG(existing.st_mode):
        _replace(os.path.realpath(path), data, existing, durable=durable)
    else:
        _write_into(path, data)


def _standard_stream(existing: os.stat_result | None) -> int | None:
    """Return the descriptor of ours that is open for writing on this very file."""
    for descriptor in _STANDARD_STREAMS:
        with contextlib.suppress(OSError):
            if existing is not None and os.path.samestat(os.fstat(descriptor), existing):
                return descriptor
    return None


def _replace(path: str, data: bytes, existing: os.stat_result | None, *, durable: bool) -> None:
    if existing is not None and not os.access(path, os.W_OK):
        # The rename would succeed where the directory is writable, and override the file's protection.
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    directory = os.path.dirname(path)  # noqa: PTH120
    temporary = os.path.join(directory, f".inspector-{os.urandom(8).hex()}.tmp")  # noqa: PTH118
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try:
            if existing is not None:
                with contextlib.suppress(OSError):  # only root may give files away
                    os.fchown(descriptor, existing.st_uid, existing.st_gid)
                os.fchmod(descriptor, existing.st_mode & _PERMISSION_BITS)
            _write_all(descriptor, data)
            if durable:
                _sync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
        raise
    if durable:
        _sync_directory(directory)


def _write_into(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        _write_all(descriptor, data)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that cannot
            raise


def _sync_directory(directory: str) -> None:
    """Make the rename itself durable; the data is safe already, so a failure is not one of saving."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
