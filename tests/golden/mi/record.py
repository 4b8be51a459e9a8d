"""Record what the gdb at hand writes in each situation: `python -m tests.golden.mi.record [GDB]`.

One file a situation, in a directory named for gdb's major version; `tests/unit/observe/gdb` reads them.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from inspector.errors import GdbRefused
from inspector.model.address import VirtAddr
from inspector.observe.gdb.requirements import parse_version
from inspector.observe.gdb.session import GdbSession
from inspector.observe.gdb.stops import Exited, KilledBy
from inspector.observe.launch import launch
from tests.live import launches
from tests.live.gdb_programs import build, symbol

HERE = Path(__file__).parent
SECONDS = 20.0


def tap(session: GdbSession) -> list[bytes]:
    """Return a list that will hold all that gdb writes from now on."""
    heard: list[bytes] = []
    feed = session._connection._reader.feed

    def listen(data: bytes) -> list[object]:
        heard.append(data)
        return feed(data)  # type: ignore[return-value]

    session._connection._reader.feed = listen  # type: ignore[method-assign, assignment]
    return heard


def prepare(session: GdbSession, situation: str, program: Path) -> None:
    """Set the stops of one situation."""
    match situation:
        case "hello":
            session.insert_hardware_breakpoint(VirtAddr(symbol(program, "main")), temporary=True)
            session.catch_syscalls(("exit_group",))
        case "forks":
            session.catch_forks()
        case "late_error":
            for offset in range(5):
                session._run.ask(f"-break-insert -h *{symbol(program, 'main') + offset:#x}")


def record(gdb: str | None, directory: Path, situation: str, *arguments: str) -> None:
    """Write the transcript of one situation."""
    program = build(directory, "hello" if situation == "late_error" else situation)
    with launch(launches.launch(program, (str(program), *arguments))) as launched, GdbSession(gdb) as session:
        major = (parse_version(f"GNU gdb {session.version}") or (0, 0))[0]
        heard = tap(session)
        launched.hand_over()
        session.attach(launched.pid)
        prepare(session, situation, program)
        with suppress(GdbRefused):
            while not isinstance(session.resume(SECONDS), Exited | KilledBy):
                pass
    output = HERE / f"gdb{major}" / f"{situation}.mi"
    output.parent.mkdir(exist_ok=True)
    output.write_bytes(b"".join(heard).replace(str(directory).encode(), b"/stage"))


def main() -> None:
    """Record every situation."""
    gdb = sys.argv[1] if len(sys.argv) > 1 else None
    with TemporaryDirectory() as name:
        directory = Path(name)
        record(gdb, directory, "execs", str(build(directory, "hello")))
        for situation in ("hello", "segv", "forks", "stops_itself", "int3", "late_error"):
            record(gdb, directory, situation)


if __name__ == "__main__":
    main()
