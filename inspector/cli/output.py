"""Where results go: tables and JSON to stdout or a file, progress to stderr."""

from __future__ import annotations

import enum
import os
import shutil
import sys
import time
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

from inspector.errors import CannotSave, UsageError
from inspector.language import tr
from inspector.report.detail import Detail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from inspector.cli.pages import PageDirectory
    from inspector.model.observation import Observation
    from inspector.model.prediction import Prediction
    from inspector.reconcile import Reconciliation
    from inspector.report.document import Document
    from inspector.report.style import Style
    from inspector.report.summary import Line

_LEAST_WIDTH = 72
"""Narrower than this, the widest address range would leave no room for its name."""
STDOUT = "-"


class Colour(enum.Enum):
    """The values of --color."""

    AUTO = "auto"
    """On a terminal that has some, and never against NO_COLOR (no-color.org)."""
    ALWAYS = "always"
    NEVER = "never"


COLOUR = "inspector.colour"
"""Where the context of a command line keeps its --color."""


def style_of(stream: TextIO, colour: Colour = Colour.AUTO) -> Style:
    """Return what `stream` can show."""
    from inspector.report.style import Style

    encoding = (stream.encoding or "ascii").lower().replace("-", "")
    able = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Style(
        width=max(shutil.get_terminal_size((80, 24)).columns, _LEAST_WIDTH) if stream.isatty() else 80,
        colour=colour is Colour.ALWAYS or (able and colour is Colour.AUTO),
        unicode=encoding.startswith("utf"),
    )


class Output:
    """What a command prints on stdout; with `--json -`, that is JSON and nothing else."""

    def __init__(
        self, json: str | None = None, *, svg: str | None = None, detail: Detail | None = None
    ) -> None:
        """`json` is the file asked for, `-` for stdout, or None; `svg` a file, too.

        Raises CannotSave for one that cannot be written.
        """
        if json == svg == STDOUT:
            raise UsageError("--json - and --svg - do not go together", help="write one of them to a file")
        for path in (json, svg):
            if path is not None and path != STDOUT:
                require_savable(path)
        self.detail = detail or Detail()
        self.pages: PageDirectory | None = None
        """Where the pages of several programs go, if anywhere."""
        self._json = json
        self._svg = svg
        self._lines: list[bytes] = []

    @cached_property
    def style(self) -> Style:
        """What stdout can show."""
        import click

        context = click.get_current_context(silent=True)
        return style_of(sys.stdout, Colour.AUTO if context is None else context.meta.get(COLOUR, Colour.AUTO))

    @property
    def wants_json(self) -> bool:
        """Whether JSON goes anywhere at all."""
        return self._json is not None

    @property
    def wants_text(self) -> bool:
        """Whether stdout is for people."""
        return STDOUT not in (self._json, self._svg)

    def document(self, document: Document) -> None:
        """Print a report."""
        from inspector.report.terminal import render

        self.lines(render(document, self.style))

    def lines(self, lines: Iterable[str]) -> None:
        """Print lines at once."""
        if self.wants_text:
            _write(b"".join(line.encode(sys.stdout.encoding or "ascii", "replace") + b"\n" for line in lines))

    def json(self, document: bytes) -> None:
        """Write one JSON object: at once to stdout; to a file when `finish` is called."""
        if self._json == STDOUT:
            _write(document + b"\n")
        elif self._json is not None:
            self._lines.append(document + b"\n")

    def picture(self, result: Prediction | Observation | Reconciliation) -> None:
        """Save the picture of a result, if one is asked for: whole or not at all."""
        if self._svg is not None:
            from inspector.report.picture import picture_of

            data = picture_of(result).encode()
            if self._svg == STDOUT:
                _write(data)
            else:
                save(self._svg, data)

    @property
    def wants_picture(self) -> bool:
        """Whether a picture is asked for."""
        return self._svg is not None

    def page(self, line: Line, page: bytes | None) -> None:
        """Save the page of one of several programs, where pages are wanted."""
        if self.pages is not None:
            self.pages.add(line, page)

    def finish(self) -> None:
        """Save the file of JSON, whole or not at all, and the index of the pages."""
        if self.pages is not None:
            self.pages.finish()
        if self._json is not None and self._json != STDOUT:
            save(self._json, b"".join(self._lines))


def _write(data: bytes) -> None:
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # Python flushes stdout once more when it ends: that must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise CannotSave(f"stdout: {error.strerror}", help="the results are lost; run it again") from error


def save(path: str, data: bytes) -> None:
    """Write a file that holds either what it held before or all of `data`."""
    from inspector.model.saving import save_atomically

    save_atomically(path, data)


def require_savable(path: str) -> None:
    """Raise CannotSave, before any work is done, for a file that cannot be saved."""
    from inspector.model.saving import require_savable

    require_savable(path)


def load(path: str) -> bytes:
    """Return the contents of a file the user named, `-` being stdin."""
    from inspector.model.saving import read_document

    return read_document("/dev/stdin" if path == STDOUT else path)


class Progress:
    """A line on stderr that says how far long work is, and how long the rest may take; on a terminal only."""

    def __init__(self, total: int, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`what` names the things counted: "programs"; `clock` tells seconds."""
        self._total, self._what, self._clock = total, what, clock
        self._shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._begun = clock()

    def show(self, done: int) -> None:
        """Say how many of them are done."""
        if self._shown:
            sys.stderr.write(f"\r\x1b[K{self.text(done)}")
            sys.stderr.flush()

    def text(self, done: int) -> str:
        """Return the line: `[#####...............] 5 of 20 programs, about 30 s left`."""
        filled = _BAR_WIDTH * done // max(self._total, 1)
        bar = "#" * filled + "." * (_BAR_WIDTH - filled)
        counts = {"bar": bar, "done": done, "total": self._total, "what": tr(self._what)}
        elapsed = self._clock() - self._begun
        if not 0 < done < self._total or elapsed < _LEAST_SECONDS:
            return tr("[{bar}] {done} of {total} {what}").format(**counts)
        left = _rough(elapsed * (self._total - done) / done)
        return tr("[{bar}] {done} of {total} {what}, about {left} left").format(**counts, left=left)

    def clear(self) -> None:
        """Take the line away, so that others can be written."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


_BAR_WIDTH = 20
_LEAST_SECONDS = 2.0
"""Before, an estimate would be a guess."""
_MINUTE, _HOUR = 60, 3600


def _rough(seconds: float) -> str:
    """Return a time for people: `8 s`, `3 min`, `2 h`."""
    if seconds < _MINUTE:
        return f"{max(round(seconds), 1)} s"
    return f"{round(seconds / _MINUTE)} min" if seconds < _HOUR else f"{round(seconds / _HOUR)} h"
