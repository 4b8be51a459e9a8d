"""The answer sheet: blank as it is handed out, forgiving to read, and never more than data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inspector.lab.evidence import Evidence
from inspector.lab.exercise import ORDER, load_exercise
from inspector.lab.sheet import BadSheet, answer_words, csv_sheet, read_sheet, toml_sheet
from tests.lab_sheets import as_toml, truth_sheet, variant_of

if TYPE_CHECKING:
    from inspector.lab.exercise import Exercise
    from inspector.lab.sheet import Written
    from inspector.lab.table import Answer
    from inspector.lab.variant import Variant

OVERLAY = load_exercise("overlay")
VARIANT = variant_of(OVERLAY, "alice")


def answers(exercise: Exercise, variant: Variant, written: Written) -> dict[str, Answer]:
    found = {}
    for question in exercise.questions:
        words = answer_words(question, written.answers.get(question.id, {}), variant)
        found[question.id] = (
            question.read_lines(words) if isinstance(words, str) else question.read_keyed(words)
        )
    return found


@pytest.mark.parametrize("name", ORDER)
def test_a_sheet_as_it_is_handed_out_answers_nothing(name: str) -> None:
    exercise = load_exercise(name)
    variant = variant_of(exercise, "alice")
    sheets = {
        "answers.toml": toml_sheet(exercise, "alice", variant),
        "answers.csv": csv_sheet(exercise, variant),
    }
    for sheet, text in sheets.items():
        written = read_sheet(sheet, text.encode(), exercise)
        assert written.notes == ()
        assert written.command == ()
        assert all(answer.is_blank for answer in answers(exercise, variant, written).values())
        assert {question.id for question in exercise.questions} <= {*written.answers, "loader"}


def test_both_forms_of_the_sheet_say_the_same() -> None:
    filled = truth_sheet(OVERLAY, VARIANT, Evidence(()))
    rows = "".join(f'{q},{key},"{text}"\n' for q, table in filled.items() for key, text in table.items())
    from_csv = read_sheet("answers.csv", f"question,row,answer\n{rows}".encode(), OVERLAY)
    from_toml = read_sheet("answers.toml", as_toml(filled).encode(), OVERLAY)
    assert answers(OVERLAY, VARIANT, from_csv) == answers(OVERLAY, VARIANT, from_toml)
    assert not answers(OVERLAY, VARIANT, from_csv)["addresses"].is_blank


def test_lines_of_csv_are_lines_of_one_answer() -> None:
    exercise = load_exercise("resident-pages")
    text = "question,row,answer\nat-exec,,0x8049000\nat-exec,,0x804a000\n"
    written = read_sheet("answers.csv", text.encode(), exercise)
    rows = answers(exercise, variant_of(exercise, "alice"), written)["at-exec"].rows
    assert [row.cells for row in rows] == [(0x8049000,), (0x804A000,)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_may_be_as_spreadsheets_save_it(separator: str, end: str) -> None:
    rows = [
        ("question", "row", "answer"),
        ("addresses", "A", "0x280"),
        ("loads", "call 1 A", '"A, C"'),
        ("", "", ""),
    ]
    text = end.join(separator.join(row) for row in rows) + end
    written = read_sheet("answers.csv", b"\xef\xbb\xbf" + text.encode(), OVERLAY)
    assert written.notes == ()
    assert written.answers == {"addresses": {"A": "0x280"}, "loads": {"call 1 A": "A, C"}}


def test_of_rows_that_stand_twice_a_blank_one_does_not_count() -> None:
    text = "question,row,answer\naddresses,A,1\naddresses,A,2\naddresses,A,\naddresses,B,\naddresses,B,3\n"
    written = read_sheet("answers.csv", text.encode(), OVERLAY)
    assert written.answers == {"addresses": {"A": "2", "B": "3"}}
    assert written.notes == ("row 3 answers 'A' again: the last one counts",)


@pytest.mark.parametrize("value", ["0x280", "640", '"0x280"', '"640"', '" 0x0280 "'])
def test_numbers_of_toml_are_numbers(value: str) -> None:
    written = read_sheet("answers.toml", f"[addresses]\nA = {value}\n".encode(), OVERLAY)
    assert answers(OVERLAY, VARIANT, written)["addresses"].rows[0].cells == (0x280,)


@pytest.mark.parametrize("value", ["1.5", "true", "-3", "1979-05-27", "{ x = 1 }", "[1, 2]"])
def test_what_is_no_answer_is_one_row_that_cannot_be_read(value: str) -> None:
    written = read_sheet("answers.toml", f'[addresses]\nA = {value}\nB = "0x280"\n'.encode(), OVERLAY)
    answer = answers(OVERLAY, VARIANT, written)["addresses"]
    assert ([each.key for each in answer.unread], [row.key for row in answer.rows]) == (["A"], ["B"])


def test_what_names_no_question_is_noted() -> None:
    written = read_sheet("answers.toml", b'addresses = 3\n[riddles]\nA = "1"\n', OVERLAY)
    assert written.notes == ("'riddles' is no question", "addresses is not a table of answers")


@pytest.mark.parametrize(
    "command", ['"rm -rf /"', "[1, 2]", '["a\\u0000b"]', "[" + '"x",' * 65 + "]", "{ a = 1 }"]
)
def test_a_command_is_a_list_of_words_or_nothing(command: str) -> None:
    exercise = load_exercise("loader")
    written = read_sheet("answers.toml", f"[loader]\ncommand = {command}\n".encode(), exercise)
    assert (written.command, written.notes) == ((), ("the command is not a list of words",))
    fine = read_sheet("answers.toml", b'[loader]\ncommand = ["python3", "my loader.py"]\n', exercise)
    assert fine.command == ("python3", "my loader.py")


HOSTILE = {
    "nested arrays": ("a = " + "[" * 100_000, "nested too deeply"),
    "nested tables": ("a = " + "{a=" * 60_000, "nested too deeply"),
    # tomllib takes a number of steps for a key that is quadratic in its parts: minutes for these.
    "a key of parts": ("a" + ".a" * 100_000 + " = 1", "too many dots"),
    "a header of parts": ("[a" + ".a" * 100_000 + "]", "too many dots"),
    "quoted parts": ('"x"' + '."x"' * 60_000 + " = 1", "too many dots"),
    "single quoted parts": ("'x'" + ".'x'" * 60_000 + " = 1", "too many dots"),
    "escaped quotes": (r'"\"".a' + ".a" * 100_000 + r'."\"" = 1', "too many dots"),
    "parts with line ends in quotes": ("a" + ".'\u2028'.a" * 20_000 + " = 1", "too many dots"),
    "a long number": ("a = " + "9" * 250_000, "not TOML"),
    "not UTF-8": ("\udcff", "not UTF-8"),
    "a zero byte": ("a = \0", "not TOML"),
    "cut short": ('[addresses]\nA = "0x28', "not TOML"),
    "twice the same": ("[addresses]\n[addresses]\n", "not TOML"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_sheet_is_refused_in_a_line(name: str) -> None:
    text, said = HOSTILE[name]
    with pytest.raises(BadSheet, match=said) as caught:
        read_sheet("answers.toml", text.encode("utf-8", "surrogateescape"), OVERLAY)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert caught.value.help


def test_dots_in_an_answer_are_no_keys() -> None:
    text = f'# {"." * 100}\n[addresses]\nA = "0x280"  # {"." * 90}\n'
    written = read_sheet("answers.toml", text.encode(), OVERLAY)
    assert answers(OVERLAY, VARIANT, written)["addresses"].rows[0].cells == (0x280,)


def test_many_small_keys_of_parts_answer_nothing() -> None:
    text = "\n".join(f"a{n}{'.a' * 60} = 1" for n in range(1800))
    written = read_sheet("answers.toml", text.encode(), OVERLAY)
    assert all(answer.is_blank for answer in answers(OVERLAY, VARIANT, written).values())
    assert len(written.notes) == 20


def test_an_endless_list_of_rows_is_read_up_to_an_end() -> None:
    exercise = load_exercise("resident-pages")
    text = '[at-exec]\nanswer = """\n' + "0x1000-0x3e0000\n" * 10_000 + '"""\n'
    written = read_sheet("answers.toml", text.encode(), exercise)
    assert len(answers(exercise, variant_of(exercise, "a"), written)["at-exec"].rows) <= 2000
