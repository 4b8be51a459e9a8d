"""MI records: whatever the bytes, and however they are cut into pieces."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from inspector.observe.gdb.mi import (
    Channel,
    ExecRecord,
    NotifyRecord,
    Record,
    RecordReader,
    ResultRecord,
    StrayRecord,
    StreamRecord,
    Value,
    parse_line,
)

TRANSCRIPTS = [path.read_bytes() for path in sorted(Path(__file__).parent.parent.glob("golden/mi/*/*.mi"))]

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\033": "\\e"}
_names = st.from_regex(r"[a-z][a-z-]{0,12}", fullmatch=True)
_text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
_values: st.SearchStrategy[Value] = st.recursive(
    _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=8,
)
_results = st.dictionaries(_names, _values, max_size=4)


def quoted(text: str) -> str:
    """Return `text` as gdb prints a string: control characters and bytes outside ASCII in octal."""
    characters = (
        _ESCAPES.get(each)
        or (each if " " <= each <= "~" else "".join(f"\\{byte:03o}" for byte in each.encode()))
        for each in text
    )
    return f'"{"".join(characters)}"'


def written(value: Value) -> str:
    match value:
        case str():
            return quoted(value)
        case list():
            return f"[{','.join(map(written, value))}]"
        case dict():
            return f"{{{assignments(value)}}}"


def assignments(results: dict[str, Value]) -> str:
    return ",".join(f"{name}={written(value)}" for name, value in results.items())


def all_records(pieces: list[bytes]) -> list[Record]:
    reader = RecordReader()
    return [record for piece in pieces for record in reader.feed(piece)] + reader.finish()


@given(st.integers(0, 10**9), st.sampled_from(["done", "running", "error", "exit"]), _results)
def test_results_come_back_as_they_were_written(token: int, kind: str, results: dict[str, Value]) -> None:
    line = f"{token}^{kind}" + (f",{assignments(results)}" if results else "")
    assert parse_line(line) == ResultRecord(token, kind, results)


@given(st.sampled_from("*="), _names, _results)
def test_announcements_come_back_as_they_were_written(
    kind: str, name: str, results: dict[str, Value]
) -> None:
    line = f"{kind}{name}" + (f",{assignments(results)}" if results else "")
    assert parse_line(line) == (ExecRecord if kind == "*" else NotifyRecord)(name, results)


@given(st.sampled_from([("~", Channel.CONSOLE), ("@", Channel.TARGET), ("&", Channel.LOG)]), _text)
def test_text_comes_back_as_it_was_written(kind: tuple[str, Channel], text: str) -> None:
    assert parse_line(f"{kind[0]}{quoted(text)}") == StreamRecord(kind[1], text)


@given(st.sampled_from(TRANSCRIPTS), st.data())
def test_any_split_gives_the_same_records(transcript: bytes, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(transcript)), max_size=20).map(sorted))
    pieces = [transcript[start:end] for start, end in zip([0, *places], [*places, None], strict=True)]
    assert all_records(pieces) == all_records([transcript])


@given(st.sampled_from(TRANSCRIPTS))
def test_byte_by_byte(transcript: bytes) -> None:
    whole = all_records([transcript])
    assert all_records([bytes([byte]) for byte in transcript]) == whole
    assert not [record for record in whole if isinstance(record, StrayRecord)]


@given(st.binary(max_size=80) | st.text('^*=~@&()[]{}",\\ndoe1=', max_size=40).map(str.encode))
@example(b"1^done,a=[")
@example(b'1^done,a=["x"')
@example(b'1^done,a={b="c"')
@example(b'1^done,a="\\')
@example(b"1^done," + b"a=[" * 5000 + b"]" * 5000)
@example(b"9" * 5000 + b"^done")
@example(b"\xff\xfe*stopped")
def test_no_bytes_whatever_raise_or_hang(noise: bytes) -> None:
    records = all_records([noise, b"\n(gdb) \n"])
    assert len(records) == noise.count(b"\n") + 2


@given(st.binary(max_size=60).filter(lambda data: b"\n" not in data and not data.endswith(b"\r")))
def test_a_stray_line_keeps_its_bytes(line: bytes) -> None:
    (record,) = all_records([line + b"\n"])
    if isinstance(record, StrayRecord):
        assert os.fsencode(record.text) == line


@given(st.sampled_from(TRANSCRIPTS), st.integers(1, 40))
def test_what_is_cut_short_is_stray(transcript: bytes, cut: int) -> None:
    records = all_records([transcript[:-cut]])
    rest = transcript[:-cut].rpartition(b"\n")[2]
    assert isinstance(records[-1], StrayRecord) == bool(rest)
