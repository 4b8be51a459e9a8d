"""Every error a user can meet, and the exit code it ends with.

    InspectorError                 exit 3 unless said otherwise
      UsageError                   2  the request makes no sense as asked
        UnknownSymbol
        UnknownRule
        BadDocument                   a profile, prediction or recording that cannot be read
      CannotSave                      a file that cannot be written; the old one is left whole
      NotModelled                     the simulator stops here, by name, rather than guess
      CannotObserve                   the machine or the moment does not allow the observation
        ProcessVanished
        LaunchFailed
        GdbError
          GdbMissing
          GdbTooOld
          GdbTimeout
          GdbDied
          GdbRefused                  gdb answered ^error

An error carries one line saying what happened (`str(error)`) and one saying what to do next (`help`).
"""

from __future__ import annotations


class InspectorError(Exception):
    """Base of all errors meant for the user's eyes."""

    exit_code = 3

    def __init__(self, message: str, *, help: str = "") -> None:  # noqa: A002 - the word users know
        """`message` says what happened, `help` what to do about it; each is one line."""
        super().__init__(message)
        self.help = help

    def __reduce__(self) -> tuple[object, ...]:
        """Keep `help` when the error crosses from a worker process to the command."""
        return _rebuild, (type(self), str(self), self.help, self.__dict__)


def _rebuild(
    kind: type[InspectorError], message: str, help_line: str, state: dict[str, object]
) -> InspectorError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.help = help_line
    error.__dict__.update(state)
    return error


class UsageError(InspectorError):
    """The request cannot be carried out as written."""

    exit_code = 2


class UnknownSymbol(UsageError):
    """A stop names a symbol that the program does not define."""


class UnknownRule(UsageError):
    """A rule is named that the catalogue does not hold."""


class BadDocument(UsageError):
    """A file handed to us as profile, prediction or recording is not one."""


class CannotSave(InspectorError):
    """A result could not be written where it was asked for; what was there before is left whole."""


class NotModelled(InspectorError):
    """The simulation ends here because the next step is not modelled; it never guesses.

    `what` is a short name that stands in the JSON contract; `ip` is the address of the instruction,
    or None where no instruction is involved.
    """

    def __init__(self, what: str, *, ip: int | None = None, help: str = "") -> None:  # noqa: A002
        """`what` completes the sentence "not modelled: ..."."""
        super().__init__(f"not modelled: {what}", help=help)
        self.what = what
        self.ip = ip


class CannotObserve(InspectorError):
    """The machine, its settings or the process's state forbid looking."""


class ProcessVanished(CannotObserve):
    """The process ended while it was being looked at."""


class LaunchFailed(CannotObserve):
    """The program could not be started as asked (before execve gave its own answer)."""


class GdbError(CannotObserve):
    """gdb is absent or misbehaves."""


class GdbMissing(GdbError):
    """No gdb was found."""


class GdbTooOld(GdbError):
    """gdb lacks what the controller needs."""


class GdbTimeout(GdbError):
    """gdb did not answer, or the program did not stop, before its deadline."""


class GdbDied(GdbError):
    """gdb ended while we still needed it."""


class GdbRefused(GdbError):
    """gdb answered a command with ^error."""
