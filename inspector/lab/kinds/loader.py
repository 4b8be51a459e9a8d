"""A student's own loader: a command that predicts the areas of ELF files it is given.

It is run once for each file, `command... FILE`, and prints on stdout either

    lines of /proc/PID/maps          the process at exec, as in the VMA list; or, of a file that does not run,
    refused: ENOEXEC                 execve's answer
    killed: SIGSEGV

or JSON, {"vmas": [{"start", "end", "perms", "offset", "name"}]} or {"verdict": "ENOEXEC"}; what
`inspector predict --until exec --json -` prints is such JSON, too.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from inspector.lab.evidence import snapshot_at
from inspector.lab.grading import Mark, by_place
from inspector.lab.kinds.areas import AREA_COLUMNS, area_name, area_rows, read_area, read_perms
from inspector.lab.kinds.base import MOST_ROWS, Question
from inspector.lab.kinds.files import read_verdict, verdict_word
from inspector.lab.needs import Needs, NotTold
from inspector.lab.table import Answer, BadAnswer, Row, Truth, Unread, quoted, read_address
from inspector.model.prediction import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from inspector.lab.evidence import Evidence
    from inspector.lab.grading import Match, RowVerdict
    from inspector.lab.table import Column, Value
    from inspector.lab.variant import Variant

_NO_CELLS = (None,) * (len(AREA_COLUMNS) - 1)


def by_file(truth: Sequence[Row], answer: Sequence[Row]) -> Iterator[Match]:
    """Match the rows of each file by their place."""
    written: dict[str, list[Row]] = defaultdict(list)
    for row in answer:
        written[_file_of(row)].append(row)
    for name in dict.fromkeys(map(_file_of, truth)):
        yield from by_place([row for row in truth if _file_of(row) == name], written.pop(name, []))
    yield from ((None, row) for rows in written.values() for row in rows)


def _file_of(row: Row) -> str:
    return row.key.partition(": ")[0]


class Loader(Question, frozen=True, kw_only=True, tag="loader"):
    """A program of the student's: its predictions for given and hidden files are held against the kernel."""

    seconds: Annotated[float, Meta(gt=0, le=600)] = 5.0
    """For each file, on an ordinary machine; a slower one is given more."""
    memory_mib: Annotated[int, Meta(ge=16, le=65536)] = 512
    without: tuple[str, ...] = ("[vdso]", "[vvar]", "[vvar_vclock]")
    """Names of areas that are not asked for."""

    matching = staticmethod(by_file)

    @property
    def evidence(self) -> Needs:
        """Each file is executed, up to its first instruction."""
        return Needs.EXEC

    def columns(self) -> tuple[Column, ...]:
        """Return those of an area; of a file that does not run, the first has the verdict."""
        return AREA_COLUMNS

    def form(self) -> str:
        """Return how the command is given."""
        return 'a command as a list of words: ["python3", "loader.py"]; it is run in the submission\'s folder'

    def truth(self, variant: Variant, evidence: Evidence) -> Truth:
        """Return the areas of all files, or what execve said of them. Raises NotTold."""
        rows: list[Row] = []
        sources: dict[str, None] = {}
        for name, contents in (*variant.files.items(), *variant.hidden.items()):
            observation, source = evidence.observe(contents, (), self.evidence)
            sources[source] = None
            if observation.verdict is None:
                raise NotTold(f"execve's answer to {name} was not seen")
            if observation.verdict.outcome is not Outcome.RUNS:
                word = verdict_word(observation.verdict)
                rows.append(Row(f"{name}: verdict", (word, *_NO_CELLS), self.why))
                continue
            areas = snapshot_at(observation, "exec").vmas or ()
            rows += area_rows(areas, self.without, self.why, f"{name}: ")
        return Truth(tuple(rows), ", ".join(sources))

    def read_output(self, name: str, output: str) -> Answer:
        """Return what a loader printed of the file `name` as rows."""
        try:
            lines = _of_json(output) if output.lstrip().startswith("{") else _of_text(output)
            read = [(label, text, cells) for label, text, cells in lines][:MOST_ROWS]
        except BadAnswer as error:
            return Answer(unread=(Unread(f"{name}: output", "", str(error)),))
        rows = [
            Row(f"{name}: {label}", cells)
            for label, _, cells in read
            if cells and cells[-1] not in self.without
        ]
        bad = [
            Unread(f"{name}: {label}", text, "not a line of maps") for label, text, cells in read if not cells
        ]
        return Answer(tuple(rows), tuple(bad))

    def told(self, rows: Iterable[RowVerdict], variant: Variant) -> tuple[RowVerdict, ...]:
        """Return what is told of the rows: of hidden files nothing that the loader printed.

        It was given the file and can print it, and a grader that takes many tries would pass it on.
        """
        return tuple(
            replace(row, answered=None, detail="" if row.mark is Mark.UNREAD else row.detail)
            if row.key.partition(": ")[0] in variant.hidden
            else row
            for row in rows
        )


Cells = tuple["Value | None", ...]


def _of_text(output: str) -> Iterator[tuple[str, str, Cells]]:
    """Yield each line's number, text and cells; none: it could not be read."""
    for number, line in enumerate(output.splitlines()[:MOST_ROWS], 1):
        if not line.strip():
            continue
        for read in (read_area, _verdict_cells):
            try:
                yield f"line {number}", line, read(line)
                break
            except BadAnswer:
                continue
        else:
            yield f"line {number}", line, ()


def _verdict_cells(text: str) -> Cells:
    return (read_verdict(text), *_NO_CELLS)


def _of_json(output: str) -> Iterator[tuple[str, str, Cells]]:
    """Yield each area of a JSON object with its number and cells. Raises BadAnswer."""
    try:
        document = msgspec.json.decode(output.encode())
    except (ValueError, RecursionError) as error:
        raise BadAnswer(
            "what it printed is not JSON", help="print one JSON object and nothing else"
        ) from error
    verdict = document.get("verdict")
    if isinstance(verdict, dict):
        verdict = verdict.get("errno") or verdict.get("signal")
    if isinstance(verdict, str) and verdict.lower() != "runs":
        yield "verdict", verdict, _verdict_cells(verdict)
        return
    for number, area in enumerate(_areas(document), 1):
        yield f"vmas[{number - 1}]", "", _area_of(area)


def _areas(document: dict[str, Any]) -> list[Any]:
    snapshots = document.get("snapshots")
    if isinstance(snapshots, list) and snapshots and isinstance(snapshots[0], dict):
        document = snapshots[0]
    areas = document.get("vmas")
    if not isinstance(areas, list):
        raise BadAnswer('there is no list "vmas" in what it printed', help='print {"vmas": [...]}')
    return areas[:MOST_ROWS]


def _area_of(area: object) -> Cells:
    if not isinstance(area, dict):
        raise BadAnswer(
            f"{quoted(str(area))} is not an area", help='print {"vmas": [{"start": "0x8048000", ...}]}'
        )

    def address(key: str) -> int:
        value = area.get(key, 0 if key == "offset" else None)
        return value if isinstance(value, int) else read_address(str(value))

    name = area.get("name")
    return (
        address("start"),
        address("end"),
        read_perms(str(area.get("perms"))),
        address("offset"),
        area_name(str(name or "")),
    )
