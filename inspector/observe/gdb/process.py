"""The gdb process: found, started so that it can never outlive us, drained, and put to an end."""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.errors import GdbDied, GdbMissing, GdbTimeout
from inspector.observe import guard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GDB_VARIABLE = "INSPECTOR_GDB"
"""Environment variable that names the gdb to use."""
_HOW_TO_GET_GDB = (
    "install it (apt install gdb, dnf install gdb, pacman -S gdb, apk add gdb), "
    f"or name one with --gdb or {GDB_VARIABLE}"
)
_READ_BYTES = 1 << 16
_LAST_WORDS_BYTES = 4096
_PR_SET_PDEATHSIG = 1

# PyDLL keeps the interpreter lock during the call: in the child of a fork there is nobody to give it to.
_prctl = ctypes.PyDLL(None).prctl


def find_gdb(gdb: str | None = None) -> str:
    """Return the path of the gdb to use: `gdb`, else $INSPECTOR_GDB, else the one on PATH.

    Where PATH has none, one that is installed as a Python package beside us will do. Raises GdbMissing;
    naming one that does not exist is not mended by taking another.
    """
    named = gdb or os.environ.get(GDB_VARIABLE)
    found = shutil.which(named or "gdb")
    if found is None and named is None:
        import sysconfig

        found = shutil.which("gdb", path=sysconfig.get_path("scripts"))
    if found is None:
        message = f"there is no gdb at {named}" if named else "there is no gdb on PATH"
        raise GdbMissing(message, help=_HOW_TO_GET_GDB)
    return str(Path(found).absolute())


class GdbProcess:
    """A running gdb and its three pipes.

    gdb dies with the *thread* that made this object (PR_SET_PDEATHSIG counts threads, not processes):
    a session belongs to a thread that stays until the session is closed.
    """

    def __init__(self, executable: str, arguments: Sequence[str]) -> None:
        """Start `executable`; GdbMissing if it cannot be executed."""
        self.executable = executable
        self._last_words = b""
        try:
            # preexec_fn, though it is unsafe beside threads in general: between fork and exec it makes two
            # C calls looked up beforehand, and takes no lock and imports nothing. The safe ways are worse:
            # setpriv(1) is not everywhere, and a Python wrapper costs 20 ms a session.
            self._process = subprocess.Popen(  # noqa: S603 - the user's own gdb
                [executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                cwd="/",
                env=_environment(),
                start_new_session=True,  # a terminal's Ctrl-C is ours to handle, not gdb's
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - see above
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise GdbMissing(f"cannot run {executable}: {error}", help=_HOW_TO_GET_GDB) from error
        assert self._process.stdin and self._process.stdout and self._process.stderr  # noqa: S101, PT018
        self._stdin, self._stdout, self._stderr = (
            self._process.stdin,
            self._process.stdout,
            self._process.stderr,
        )
        self.pid = self._process.pid
        guard.protect(self.pid)
        os.set_blocking(self._stdin.fileno(), False)

    def write(self, data: bytes, timeout: float) -> None:
        """Hand `data` to gdb within `timeout` seconds.

        Raises GdbTimeout if gdb does not read it, BrokenPipeError if there is no gdb to read it.
        """
        end = time.monotonic() + timeout
        poll = select.poll()
        poll.register(self._stdin.fileno(), select.POLLOUT)
        while data:
            if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
                raise GdbTimeout(f"gdb reads no commands for {timeout:g} s", help="run it again")
            data = data[os.write(self._stdin.fileno(), data) :]

    def drain(self, on_output: Callable[[bytes], None]) -> None:
        """Read gdb's output to its end, handing over each piece; a full pipe would stop gdb.

        For a thread of its own. The end of what gdb says on stderr is kept for `obituary`.
        """
        poll = select.poll()
        streams = {stream.fileno() for stream in (self._stdout, self._stderr)}
        for stream in streams:
            poll.register(stream, select.POLLIN)
        while self._stdout.fileno() in streams:
            for ready, _ in poll.poll():
                data = os.read(ready, _READ_BYTES)
                if not data:
                    poll.unregister(ready)
                    streams.remove(ready)
                elif ready == self._stdout.fileno():
                    on_output(data)
                else:
                    self._remember(data)
        # What was written before the end of stdout is in the pipe by now; a process that gdb started and
        # that still holds stderr open is not waited for.
        while self._stderr.fileno() in streams and poll.poll(0):
            data = os.read(self._stderr.fileno(), _READ_BYTES)
            if not data:
                break
            self._remember(data)

    def _remember(self, words: bytes) -> None:
        self._last_words = (self._last_words + words)[-_LAST_WORDS_BYTES:]

    def obituary(self) -> GdbDied:
        """Return the error that says how gdb ended; for use once its output has ended."""
        code = self.wait(1.0)
        how = "closed its output" if code is None else f"ended with status {code}"
        if code is not None and code < 0:
            how = f"was killed by {_signal_name(-code)}"
        words = self._last_words.decode("utf-8", "replace").strip().splitlines()
        said = f" ({words[-1]})" if words else ""
        return GdbDied(f"gdb {how}{said}", help="run it again; if it recurs, try another gdb with --gdb")

    def wait(self, timeout: float) -> int | None:
        """Return how gdb ended (as Popen.returncode), or None if it runs on for `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def contains(self, pid: int) -> bool:
        """Whether `pid` is this gdb, or one that it, a wrapper script, has started."""
        try:
            return pid > 0 and os.getsid(pid) == self.pid
        except OSError:
            return False

    def kill(self) -> None:
        """Kill gdb, stopped or not, with whatever a wrapper script around it started, and reap it."""
        if self._process.poll() is None:
            # Its own session: the group holds gdb and its children, never the program under test.
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        guard.release(self.pid)
        self._stdin.close()

    def close(self) -> None:
        """Give the other pipes back. For use when `drain` has returned: it reads from them."""
        self._stdout.close()
        self._stderr.close()


def _environment() -> dict[str, str]:
    """Return an environment in which gdb finds no one's settings, history, caches or symbol servers."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),  # for gdbs that are scripts
        "LC_ALL": "C",
        "TERM": "dumb",
        "XDG_CACHE_HOME": os.devnull,  # without it and HOME, gdb complains on every start
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _die_with(parent: int) -> Callable[[], None]:
    """Return what the child runs before exec: be killed when the thread that made it ends."""

    def arrange() -> None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # Had the parent ended before the call, the signal would never come.
        if os.getppid() != parent:
            os._exit(1)

    return arrange


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
