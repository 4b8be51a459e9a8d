"""Variants: the same bytes from the same secret and student, others from others."""

from __future__ import annotations

from collections import Counter

from inspector.elf.header import ELF_MAGIC, ElfHeader, ProgramHeader, parse_program_headers
from inspector.lab.draw import Draw, variant_key
from inspector.lab.exercise import ORDER, load_exercise
from inspector.lab.variant import file_sha256
from tests.lab_sheets import variant_of


def test_draws_are_the_same_everywhere() -> None:
    """Written down once: another Python, or another machine, draws the same."""
    draw = Draw(variant_key(b"secret", "address-space", "alice"))
    assert [draw.below(1000) for _ in range(6)] == [849, 501, 0, 948, 380, 446]
    assert draw.branch("x").below(1 << 32) == Draw(variant_key(b"secret", "address-space", "alice")).branch(
        "x"
    ).below(1 << 32)


def test_keys_differ_where_anything_does() -> None:
    keys = {
        variant_key(*words)
        for words in (
            (b"s", "ab", "c"),
            (b"s", "a", "bc"),
            (b"t", "ab", "c"),
            (b"s", "ab", "d"),
            (b"", "ab", "c"),
        )
    }
    assert len(keys) == 5


def test_draws_are_even() -> None:
    draw = Draw(b"k" * 32)
    counts = Counter(draw.below(6) for _ in range(6000))
    assert set(counts) == set(range(6))
    assert max(counts.values()) - min(counts.values()) < 250


def test_the_same_student_gets_the_same_and_another_something_else() -> None:
    for name in ORDER:
        exercise = load_exercise(name)
        mine, again, other = (variant_of(exercise, who) for who in ("alice", "alice", "bob"))
        assert mine == again, name
        assert mine.sha256 == again.sha256
        assert mine.sha256 != other.sha256, name
        assert variant_of(exercise, "alice", b"another secret").sha256 != mine.sha256, name


def test_no_student_is_left_without_a_variant() -> None:
    """Layouts that few draw, such as data and .bss on one page, are among so many."""
    for name in ORDER:
        exercise = load_exercise(name)
        for number in range(300):
            variant = variant_of(exercise, f"student-{number}")
            assert all(question.keys(variant) is not None for question in exercise.questions)


def test_no_two_of_fifty_students_have_one_program() -> None:
    exercise = load_exercise("address-space")
    files = [variant_of(exercise, f"student-{n}").files["prog"] for n in range(50)]
    assert len({file_sha256(file) for file in files}) == 50
    layouts = {tuple((h.vaddr, h.memsz) for h in _loads(file)) for file in files}
    assert len(layouts) == 50


def _loads(file: bytes) -> list[ProgramHeader]:
    header = ElfHeader.parse(file)
    assert file.startswith(ELF_MAGIC)
    return [
        each for each in parse_program_headers(file[header.phoff :][: header.phnum * 32]) if each.type == 1
    ]


def test_both_pages_that_are_asked_about_are_touched() -> None:
    exercise = load_exercise("first-page-fault")
    for number in range(20):
        variant = variant_of(exercise, f"s{number}")
        assert variant.marks["page-a"] != variant.marks["page-b"]
