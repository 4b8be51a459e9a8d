"""The corpus of foreign programs that `fetch_corpus.sh` makes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ForeignProgram:
    """One line of the manifest."""

    name: str
    path: Path
    sha256: str
    recipe: str
    """How it was made: the package and its file, or the command line."""
    packages: str
    """The packages used, with their versions."""


def corpus_directory() -> Path:
    """Return where the corpus is, whether or not it has been fetched."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111 - raises nothing
    return Path(os.environ.get("INSPECTOR_CORPUS") or cache / "inspector" / "corpus")


def programs() -> list[ForeignProgram]:
    """Return the programs of the corpus, by name; none if it has not been fetched."""
    directory = corpus_directory()
    try:
        lines = (directory / "manifest.tsv").read_text().splitlines()
    except FileNotFoundError:
        return []
    rows = (line.split("\t") for line in sorted(lines))
    return [
        ForeignProgram(name, directory / "programs" / name, sha256, recipe, packages)
        for name, sha256, recipe, packages in rows
    ]
