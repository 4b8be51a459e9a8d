from __future__ import annotations

import pytest

from inspector.observe.gdb.mi import (
    Channel,
    ExecRecord,
    NotifyRecord,
    PromptRecord,
    Record,
    RecordReader,
    ResultRecord,
    Results,
    StrayRecord,
    StreamRecord,
    list_of,
    parse_line,
    text_of,
    tuple_of,
)

LINES: dict[str, Record] = {
    "(gdb) ": PromptRecord(),
    "^done": ResultRecord(None, "done"),
    "12^done": ResultRecord(12, "done"),
    '12^done,value="3"': ResultRecord(12, "done", {"value": "3"}),
    "7^running": ResultRecord(7, "running"),
    '7^error,msg="No registers."': ResultRecord(7, "error", {"msg": "No registers."}),
    '*running,thread-id="all"': ExecRecord("running", {"thread-id": "all"}),
    '*stopped,frame={addr="0x1",args=[]},core="0"': ExecRecord(
        "stopped", {"frame": {"addr": "0x1", "args": []}, "core": "0"}
    ),
    '=thread-created,id="1",group-id="i1"': NotifyRecord("thread-created", {"id": "1", "group-id": "i1"}),
    '~"a \\"word\\"\\n"': StreamRecord(Channel.CONSOLE, 'a "word"\n'),
    '&"caf\\303\\251"': StreamRecord(Channel.LOG, "café"),
    '@"out"': StreamRecord(Channel.TARGET, "out"),
    "hello": StrayRecord("hello"),
    "": StrayRecord(""),
    "^finished": StrayRecord("^finished"),
    "12^": StrayRecord("12^"),
    '1^done,a="b': StrayRecord('1^done,a="b'),
    '1^done,a=["b"': StrayRecord('1^done,a=["b"'),
    '1^done,a={b="c"]': StrayRecord('1^done,a={b="c"]'),
    '~"no end': StrayRecord('~"no end'),
    '1^done,bkpt="[{"': ResultRecord(1, "done", {"bkpt": "[{"}),
}


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_one_record(line: str) -> None:
    assert parse_line(line) == LINES[line]


def test_lines_may_come_in_pieces_and_with_carriage_returns() -> None:
    reader = RecordReader()
    assert reader.feed(b"1^done,va") == []
    assert reader.feed(b'lue="2"\r\n(gdb) \n2^') == [ResultRecord(1, "done", {"value": "2"}), PromptRecord()]
    assert reader.finish() == [StrayRecord("2^")]
    assert reader.finish() == []


def test_values_are_taken_by_their_shape() -> None:
    results: Results = {"text": "t", "list": ["a"], "tuple": {"b": "c"}}
    assert (text_of(results, "text"), text_of(results, "list"), text_of(results, "no", "d")) == ("t", "", "d")
    assert (list_of(results, "list"), list_of(results, "text"), list_of(results, "no")) == (["a"], [], [])
    assert (tuple_of(results, "tuple"), tuple_of(results, "list"), tuple_of(results, "no")) == (
        {"b": "c"}, {}, {},
    )  # fmt: skip
