"""Which answer belongs to which command, with a gdb that says what the test tells it to."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

import pytest

from inspector.errors import GdbDied, GdbRefused, GdbTimeout
from inspector.observe.gdb.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOON = 0.05
SECONDS = 10.0


class Gdb:
    """A process that says only what it is told to say."""

    def __init__(self) -> None:
        self.read = b""
        self.words: queue.Queue[bytes] = queue.Queue()
        self.on_write: Callable[[bytes], None] = lambda _: None

    def write(self, data: bytes, timeout: float) -> None:
        assert timeout > 0
        self.read += data
        self.on_write(data)

    def drain(self, on_output: Callable[[bytes], None]) -> None:
        while words := self.words.get():
            on_output(words)

    def obituary(self) -> GdbDied:
        return GdbDied("gdb was killed")

    def say(self, *lines: str) -> None:
        self.words.put("".join(f"{line}\n" for line in lines).encode())

    def end(self) -> None:
        self.words.put(b"")


@pytest.fixture
def gdb() -> Iterator[Gdb]:
    gdb = Gdb()
    yield gdb
    gdb.end()


@pytest.fixture
def connection(gdb: Gdb) -> Connection:
    return Connection(gdb)  # type: ignore[arg-type]


def test_answers_go_by_token(gdb: Gdb, connection: Connection) -> None:
    gdb.say('2^done,value="second"', '1^done,value="first"', "(gdb) ")
    first, second = connection.ask("-one", "-two", timeout=SECONDS)
    assert (first.results, second.results) == ({"value": "first"}, {"value": "second"})
    assert gdb.read == b"1-one\n2-two\n"


def test_what_gdb_says_meanwhile_goes_to_the_command_it_works_on(gdb: Gdb, connection: Connection) -> None:
    gdb.on_write = lambda _: gdb.say(
        '~"one"', '=breakpoint-created,bkpt={number="1"}', "1^done", '~"two"', '~" more"', "2^done"
    )
    first, second = connection.ask("catch exec", "info x", timeout=SECONDS)
    assert first.console == "one"
    assert [notice.name for notice in first.notices] == ["breakpoint-created"]
    assert (second.console, second.notices) == ("two more", ())


def test_a_refusal_names_the_command(gdb: Gdb, connection: Connection) -> None:
    gdb.say("1^done", '2^error,msg="No symbol table."', "3^done")
    with pytest.raises(GdbRefused, match=r"gdb refused `-two`: No symbol table$"):
        connection.ask("-one", "-two", "-three", timeout=SECONDS)
    gdb.say('4^done,value="fine"')
    assert connection.ask("-four", timeout=SECONDS)[0].results == {"value": "fine"}


def test_stops_wait_their_turn(gdb: Gdb, connection: Connection) -> None:
    gdb.say("1^running", '*running,thread-id="all"', '*stopped,reason="a"', '*stopped,reason="b"')
    connection.ask("-exec-continue", timeout=SECONDS)
    assert [connection.next_stop(SECONDS).results["reason"] for _ in range(2)] == ["a", "b"]


def test_an_error_after_running_ends_the_wait_for_a_stop(gdb: Gdb, connection: Connection) -> None:
    gdb.on_write = lambda _: gdb.say(
        "1^running", '&"Cannot insert hardware breakpoint 5.\\n"', '&"\\n"', '1^error,msg="Command aborted."'
    )
    connection.ask("-exec-continue", timeout=SECONDS)
    with pytest.raises(GdbRefused, match=r"Cannot insert hardware breakpoint 5\. Command aborted$"):
        connection.next_stop(SECONDS)


def test_silence_ends_with_the_deadline(gdb: Gdb, connection: Connection) -> None:
    with pytest.raises(GdbTimeout, match=r"did not answer `-one` within 0\.05 s"):
        connection.ask("-one", timeout=SOON)
    with pytest.raises(GdbTimeout, match=r"did not stop within 0\.05 s"):
        connection.next_stop(SOON)
    # The late answer is not the next command's.
    gdb.say('1^done,value="late"', '2^done,value="in time"')
    assert connection.ask("-two", timeout=SECONDS)[0].results == {"value": "in time"}


def test_death_ends_every_wait(gdb: Gdb, connection: Connection) -> None:
    gdb.on_write = lambda _: gdb.end()
    with pytest.raises(GdbDied):
        connection.ask("-one", timeout=SECONDS)
    with pytest.raises(GdbDied):
        connection.next_stop(SECONDS)
    assert connection.has_ended(SECONDS)


def test_what_came_before_death_counts(gdb: Gdb, connection: Connection) -> None:
    def last_words(_: bytes) -> None:
        gdb.say("1^running", '*stopped,reason="exited-normally"')
        gdb.end()

    gdb.on_write = last_words
    connection.ask("-exec-continue", timeout=SECONDS)
    assert connection.next_stop(SECONDS).results == {"reason": "exited-normally"}


def test_a_pipe_nobody_reads(gdb: Gdb, connection: Connection) -> None:
    def broken(_: bytes) -> None:
        gdb.end()
        raise BrokenPipeError

    gdb.on_write = broken
    with pytest.raises(GdbDied):
        connection.ask("-one", timeout=SECONDS)


def test_lines_that_are_not_gdbs_are_passed_over(gdb: Gdb, connection: Connection) -> None:
    gdb.say("hello", '999^error,msg="forged"', "1^done,a=[", '1^done,value="real"')
    assert connection.ask("-one", timeout=SECONDS)[0].results == {"value": "real"}
    with pytest.raises(GdbTimeout):
        connection.next_stop(SOON)
