"""How a program comes into memory, as JSON: inspector.loading/1."""

from typing import TYPE_CHECKING

import msgspec

from inspector.model.document.codec import encode

if TYPE_CHECKING:
    from inspector.loading import Loading, Ways


class MomentJson(msgspec.Struct):
    """One stop. Sizes are in pages where they say so; null: it could not be seen."""

    checkpoint: str
    resident_pages: int | None
    file_pages: int | None
    copied_pages: int | None
    own_pages: int | None
    minor_faults: int | None
    major_faults: int | None
    page_table_bytes: int | None
    read_bytes: int | None


class RunJson(msgspec.Struct):
    """One run; `traps` counts the page faults that were exceptions."""

    moments: list[MomentJson]
    peak_pages: int | None
    traps: int | None


class LoadingJson(msgspec.Struct):
    """A program's run, predicted and observed."""

    program: str
    arguments: list[str]
    predicted: RunJson
    observed: RunJson | None
    not_modelled: str | None
    unobserved: str | None
    exit_code: int
    schema: str = "inspector.loading/1"


def loading_json(ways: "Ways", exit_code: int) -> bytes:
    """Return one program's two runs as one line of JSON."""
    return encode(
        LoadingJson(
            ways.program,
            list(ways.arguments),
            _run_json(ways.predicted),
            None if ways.observed is None else _run_json(ways.observed),
            ways.not_modelled,
            ways.unobserved,
            exit_code,
        )
    )


def _run_json(run: "Loading") -> RunJson:
    return RunJson(
        [
            MomentJson(
                moment.checkpoint,
                moment.resident_pages,
                moment.file_pages,
                moment.copied_pages,
                moment.own_pages,
                moment.minor_faults,
                moment.major_faults,
                moment.page_table_bytes,
                moment.read_bytes,
            )
            for moment in run.moments
        ],
        run.peak_pages,
        run.traps,
    )
