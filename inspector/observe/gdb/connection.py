"""Commands and answers: each command carries a token, has a deadline, and gets its own answer.

One thread reads whatever gdb writes, at any time, and sorts it:

    result record       to the command whose token it carries
    console, notify     to the oldest command not yet answered: gdb works on one after the other
    *stopped            to the queue that `next_stop` reads
    a second result     gdb answers a resume with ^running and, if it then fails, with ^error under the
                        same token and no *stopped: to the same queue

Commands may be sent before earlier ones are answered, which makes a dozen of them cost one round trip.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inspector.errors import GdbRefused, GdbTimeout
from inspector.observe.gdb.mi import (
    Channel,
    ExecRecord,
    NotifyRecord,
    Record,
    RecordReader,
    ResultRecord,
    Results,
    StreamRecord,
    text_of,
)

if TYPE_CHECKING:
    from inspector.observe.gdb.process import GdbProcess

_LOG_LINES_KEPT = 20
_OTHER_GDB = "if you did not expect this, try another gdb with --gdb"


@dataclass(slots=True)
class Command:
    """One command on its way, and what has come back for it so far."""

    token: int
    text: str
    result: ResultRecord | None = None
    console: list[str] = field(default_factory=list)
    notices: list[NotifyRecord] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one command brought."""

    results: Results
    console: str
    """What gdb would have shown a human reader."""
    notices: tuple[NotifyRecord, ...]
    """What gdb announced while it worked on the command."""


class Connection:
    """A conversation with one gdb."""

    def __init__(self, process: GdbProcess) -> None:
        """Begin to listen to `process`."""
        self._process = process
        self._reader = RecordReader()
        self._tokens = itertools.count(1)
        self._changed = threading.Condition()
        # All below is shared with the listener, and touched only under _changed.
        self._unanswered: deque[Command] = deque()
        self._stops: deque[ExecRecord | GdbRefused] = deque()
        self._resumed_by: int | None = None
        self._log: deque[str] = deque(maxlen=_LOG_LINES_KEPT)
        self._ended = False
        self._listener = threading.Thread(target=self._listen, name="gdb output", daemon=True)
        self._listener.start()

    def ask(self, *texts: str, timeout: float) -> list[Answer]:
        """Send commands, all at once, and return their answers.

        Raises GdbRefused for the first that gdb refuses, GdbTimeout, GdbDied.
        """
        return self.answers(self.send(*texts, timeout=timeout), timeout=timeout)

    def send(self, *texts: str, timeout: float) -> list[Command]:
        """Send commands without waiting for their answers. Raises GdbTimeout if gdb does not read them."""
        commands = [Command(next(self._tokens), text) for text in texts]
        with self._changed:
            self._unanswered.extend(commands)
            self._log.clear()
        lines = "".join(f"{command.token}{command.text}\n" for command in commands)
        with suppress(BrokenPipeError):  # gdb has ended; `answers` says how
            self._process.write(lines.encode("utf-8", "surrogateescape"), timeout)
        return commands

    def answers(self, commands: list[Command], *, timeout: float) -> list[Answer]:
        """Wait until each of `commands` is answered; `timeout` is for all of them together."""
        end = time.monotonic() + timeout
        with self._changed:
            for command in commands:
                while command.result is None:
                    self._wait(end, f"gdb did not answer `{command.text}` within {round(timeout, 2):g} s")
        return [_answer(command) for command in commands]

    def next_stop(self, timeout: float) -> ExecRecord:
        """Return the next *stopped record, waiting for it `timeout` seconds at most.

        Raises GdbTimeout, GdbDied, and GdbRefused if the program could not be resumed after all.
        """
        end = time.monotonic() + timeout
        with self._changed:
            while not self._stops:
                self._wait(end, f"the program did not stop within {round(timeout, 2):g} s")
            stop = self._stops.popleft()
        if isinstance(stop, GdbRefused):
            raise stop
        return stop

    def has_ended(self, timeout: float) -> bool:
        """Wait for the end of gdb's output, and return whether it has come."""
        self._listener.join(timeout)
        return not self._listener.is_alive()

    def _wait(self, end: float, complaint: str) -> None:
        """Wait for news; called, and returns, with _changed held."""
        if self._ended:
            raise self._process.obituary()
        left = end - time.monotonic()
        if left <= 0:
            raise GdbTimeout(complaint, help="allow it more time with --timeout")
        self._changed.wait(left)

    def _listen(self) -> None:
        try:
            self._process.drain(lambda data: self._sort(self._reader.feed(data)))
            self._sort(self._reader.finish())
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _sort(self, records: list[Record]) -> None:
        with self._changed:
            for record in records:
                self._sort_one(record)
            self._changed.notify_all()

    def _sort_one(self, record: Record) -> None:
        match record:
            case ResultRecord(token=token):
                command = next((waiting for waiting in self._unanswered if waiting.token == token), None)
                if command is not None:
                    command.result = record
                    self._unanswered.remove(command)
                    if record.kind == "running":
                        self._resumed_by = token
                elif record.kind == "error" and token == self._resumed_by:
                    # The message itself is often no more than "Command aborted".
                    said = " ".join((*self._log, _said(record)))
                    self._stops.append(
                        GdbRefused(f"gdb could not resume the program: {said}", help=_OTHER_GDB)
                    )
            case ExecRecord(name="stopped"):
                self._stops.append(record)
            case NotifyRecord() if self._unanswered:
                self._unanswered[0].notices.append(record)
            case StreamRecord(Channel.CONSOLE, text) if self._unanswered:
                self._unanswered[0].console.append(text)
            case StreamRecord(Channel.LOG, text) if text.strip():
                self._log.append(text.strip())


def _answer(command: Command) -> Answer:
    result = command.result or ResultRecord(command.token, "error")
    if result.kind == "error":
        raise GdbRefused(f"gdb refused `{command.text}`: {_said(result)}", help=_OTHER_GDB)
    return Answer(result.results, "".join(command.console), tuple(command.notices))


def _said(record: ResultRecord) -> str:
    return text_of(record.results, "msg", "without a reason").rstrip(".")
