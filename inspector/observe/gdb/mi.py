r"""GDB/MI: what gdb writes, one record a line.

    12^done,value="3"            ResultRecord   the answer to the command that carried token 12
    *stopped,reason="exited"     ExecRecord     the program runs or stopped
    =thread-created,id="1"       NotifyRecord   anything else that changed
    ~"text\n"                     StreamRecord   console `~`, target `@` or log `&` text
    (gdb)                        PromptRecord   gdb reads the next command
    anything else                StrayRecord    not gdb's words: another program's, or a line cut short

Values are strings, lists and dictionaries of values. The grammar of values is pygdbmi's work; what its
parser cannot take (it loops without end on a list that is never closed) is kept from it here, so that
no line whatsoever raises or hangs.

Source: the gdb manual, "GDB/MI Output Syntax".
"""

from __future__ import annotations

import enum
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from pygdbmi.gdbmiparser import logger, parse_response

if TYPE_CHECKING:
    from collections.abc import Mapping

# The parser asks logging about every line. logging's lock is the whole process's, and a signal that ends
# another thread's work inside it would leave it held for ever.
logger.disabled = True

Value: TypeAlias = "str | list[Value] | dict[str, Value]"
Results: TypeAlias = "Mapping[str, Value]"


class Channel(enum.Enum):
    """Where a stream record's text would have been shown."""

    CONSOLE = "console"
    TARGET = "target"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """The answer to one command."""

    token: int | None
    kind: str
    """`done`, `running`, `connected`, `error` or `exit`."""
    results: Results = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExecRecord:
    """The program's state changed; `name` is `running` or `stopped`."""

    name: str
    results: Results = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NotifyRecord:
    """Something else happened: `name` is `breakpoint-created`, `thread-group-exited`, ..."""

    name: str
    results: Results = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """Text for a human reader."""

    channel: Channel
    text: str


@dataclass(frozen=True, slots=True)
class PromptRecord:
    """gdb is ready for the next command."""


@dataclass(frozen=True, slots=True)
class StrayRecord:
    """A line that is no MI record."""

    text: str


Record: TypeAlias = ResultRecord | ExecRecord | NotifyRecord | StreamRecord | PromptRecord | StrayRecord

_RESULT_KINDS = frozenset({"done", "running", "connected", "error", "exit"})
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_CLOSING = {"}": "{", "]": "["}
_ASYNC = re.compile(r"\d*([*=])")


def parse_line(line: str) -> Record:
    """Return the record that `line`, without its newline, stands for. Never raises."""
    record = None
    if _is_balanced(line):
        # pygdbmi has no error of its own: it raises whatever it trips over.
        with suppress(Exception):
            record = _typed(parse_response(line), line)
    return StrayRecord(line) if record is None else record


def _typed(parsed: dict[str, Any], line: str) -> Record | None:
    """Return pygdbmi's finding as one of our types; None if gdb writes no such record."""
    payload = parsed["payload"]
    match parsed["type"]:
        case "result" if parsed["message"] in _RESULT_KINDS:
            return ResultRecord(parsed["token"], parsed["message"], payload or {})
        case "notify" if kind := _ASYNC.match(line):
            return (ExecRecord if kind[1] == "*" else NotifyRecord)(parsed["message"], payload or {})
        case "console" | "target" | "log" as channel:
            return StreamRecord(Channel(channel), payload)
        case "done":
            return PromptRecord()
    return None


def _is_balanced(line: str) -> bool:
    """Whether every string, list and tuple that opens in `line` is closed again."""
    skeleton = _STRING.sub("", line)
    if '"' in skeleton:
        return False
    open_brackets = []
    for character in skeleton:
        if character in "{[":
            open_brackets.append(character)
        elif character in "}]" and (not open_brackets or open_brackets.pop() != _CLOSING[character]):
            return False
    return not open_brackets


class RecordReader:
    """Cuts gdb's output, which arrives in pieces of any size, into records."""

    def __init__(self) -> None:
        """Start at the beginning of a line."""
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> list[Record]:
        """Return the records that `data` completes, in order."""
        *lines, rest = data.split(b"\n")
        records = []
        for line in lines:
            self._pieces.append(line)
            records.append(self._take())
        if rest:
            self._pieces.append(rest)
        return records

    def finish(self) -> list[Record]:
        """Return what the end of the output leaves: nothing, or one stray record for a line cut short."""
        if not self._pieces:
            return []
        return [StrayRecord(self._text())]

    def _take(self) -> Record:
        return parse_line(self._text())

    def _text(self) -> str:
        line = b"".join(self._pieces)
        self._pieces.clear()
        # Bytes that are no UTF-8 stay recognisable, as file names do elsewhere (os.fsdecode).
        return line.decode("utf-8", "surrogateescape").removesuffix("\r")


def text_of(results: Results, name: str, default: str = "") -> str:
    """Return the string called `name`, or `default` if there is none or it is no string."""
    value = results.get(name, default)
    return value if isinstance(value, str) else default


def tuple_of(results: Results, name: str) -> Results:
    """Return the tuple called `name`, or an empty one."""
    value = results.get(name)
    return value if isinstance(value, dict) else {}


def list_of(results: Results, name: str) -> list[Value]:
    """Return the list called `name`, or an empty one."""
    value = results.get(name)
    return value if isinstance(value, list) else []
