"""The commands that docs/real-programs.md tells of, and what it says becomes of each."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "real-programs.md"
EXACT = "exact"
_ROW = re.compile(r"^\| `(?P<command>.+?)` +\| (?P<outcome>.+?) *\|$")


@dataclass(frozen=True)
class Command:
    """One line of the page's tables: a command as a shell would take it, `< FILE` included."""

    text: str
    outcome: str
    """`exact`, or the name of the first thing that is not modelled."""

    @property
    def program(self) -> str:
        """The program's name in the corpus."""
        return self._words[0]

    @property
    def arguments(self) -> list[str]:
        """What follows it."""
        words = self._words
        return words[1 : words.index("<")] if "<" in words else words[1:]

    @property
    def stdin(self) -> str:
        """The file it reads."""
        words = self._words
        return words[words.index("<") + 1] if "<" in words else "/dev/null"

    @property
    def _words(self) -> list[str]:
        return shlex.split(self.text)


def commands() -> list[Command]:
    """Return every command of the page, in its order."""
    rows = filter(None, map(_ROW.match, PAGE.read_text().splitlines()))
    return [Command(row["command"].replace(r"\|", "|"), row["outcome"]) for row in rows]
