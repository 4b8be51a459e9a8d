"""Trees of modules: what is one, how a file says so, and the examples of the book."""

from __future__ import annotations

import pytest

from inspector.errors import UsageError
from inspector.simulators.overlay import (
    BOOK,
    Described,
    Tree,
    calls_text,
    parse_calls,
    parse_tree,
    place,
    random_calls,
    random_tree,
    run,
)

MAIN = Described("main", 1024, None)


def table(name: str = "main", size: str = "1", more: str = "") -> str:
    return f'[[module]]\nname = "{name}"\nsize = {size}\n{more}\n'


def under(parent: str) -> str:
    return f'parent = "{parent}"'


BAD = {
    "": "the tree is empty",
    table() + table("x"): "'main' and 'x' have no parent",
    table() + table(): "two modules are named 'main'",
    table() + table("A", more=under("B")): "'A' has the parent 'B', which is not there",
    table("A", more=under("B")) + table("B", more=under("A")): "go round in a cycle: A B A",
    table() + table("A", more=under("B")) + table("B", more=under("A")): "go round in a cycle: A B A",
    table(more=under("main")): "go round in a cycle: main main",
    table(size="-5"): "'main' has -5 bytes",
    table(size="0"): "'main' has 0 bytes",
    table(size="4294967297"): "'main' has 4294967297 bytes",
    table(size="9" * 400): "'main' has far too many bytes",
    table(size="9" * 5000): "it is not TOML",
    table(size="1.5"): "'main' has no size in whole bytes",
    table(size="true"): "'main' has no size in whole bytes",
    table(size='"4K"'): "'main' has no size in whole bytes",
    table(name=""): "'' is no name",
    table(name="a b"): "'a b' is no name",
    table(name="a>b"): "'a>b' is no name",
    table(name="a" * 25): "is no name",
    table(name="a\\u0007"): "is no name",
    table(more="parent = 1"): "the parent of module 'main' is no name",
    table(more="colour = 1"): "a module has 'colour'",
    "[[module]]\nsize = 1": "a module has no name",
    "module = 1": "module is not a list",
    "module = [1]": "a module is not a table",
    "[main]\nsize = 1": "'main' is not known there",
    "base = -1\n" + table(): "the base -0x1 is out of range",
    "base = true\n" + table(): "the base is not a number",
    "base = 0xffffffff\n" + table(size="2"): "the path main ends at 0x100000001, beyond 4 GiB",
    "x = " + "[" * 10_000: "nested too deeply",
    "".join(
        table(f"m{number}", more=under("m0") if number else "") for number in range(1001)
    ): "1001 modules",
}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_what_is_no_tree_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_tree(text.encode())
    assert BAD[text] in str(caught.value)
    assert caught.value.help
    assert len(f"{caught.value}".splitlines()) == 1
    assert len(str(caught.value)) < 200


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(UsageError, match="it is not TOML"):
        parse_tree(b"\xff\xfe")


def test_a_long_chain_is_a_tree() -> None:
    chain = [Described(f"m{number}", 2, f"m{number + 1}") for number in range(999)]
    tree = place([*chain, Described("m999", 2, None)])
    assert tree.memory_bytes == 2000
    assert tree.longest.name == "m0"


def test_the_books_figures() -> None:
    small = place([MAIN, Described("A", 512, "main"), Described("B", 256, "main")])
    assert (small.whole_bytes, small.memory_bytes) == (1792, 1536)
    assert [module.address for module in small.modules.values()] == [0, 1024, 1024]


def events(tree: Tree, text: str) -> list[str]:
    """Return each load as "loaded/overwritten", a hit as "=", a refusal as its sentence."""
    found: list[str] = []
    for outcome in run(tree, parse_calls(text, tree)):
        found += [
            f"{load.module.name}/{''.join(gone.name for gone in load.evicted)}" for load in outcome.loads
        ]
        found += ["="] * outcome.is_hit
        found += [str(outcome.refusal)] * (outcome.refusal is not None)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("main A C B", "main/ A/ C/ B/A"),
        ("A C D C", "main/ A/ C/ D/C C/D"),
        ("E, A, B, E", "main/ B/ E/ A/BE B/A E/"),
        # F lies below where A ends and is overwritten; C outlives A, for B is small, and is found again.
        ("C F A C", "main/ A/ C/ B/A F/ A/BF ="),
        ("A A main", "main/ A/ = ="),
        ("A > C > A", "main/ A/ C/ ="),
    ],
)
def test_what_calls_load_and_overwrite(text: str, expected: str) -> None:
    assert events(BOOK, text) == expected.split()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("A>F", "A must not call F: it would break the path main A"),
        ("C>D", "C must not call D: it would break the path main A C"),
        ("A>main>B", "main must not call B: it would break the path main A"),
        ("C>A>D B", "A must not call D: it would break the path main A C"),
    ],
)
def test_a_call_across_the_tree_is_refused_and_ends_the_run(text: str, sentence: str) -> None:
    assert events(BOOK, text)[-1] == sentence


def test_too_many_calls_are_refused() -> None:
    with pytest.raises(UsageError, match="10001 calls"):
        parse_calls("A " * 10_001, BOOK)


def test_a_seed_draws_the_same_tree_and_calls() -> None:
    for seed in range(20):
        tree, again = random_tree(9, seed), random_tree(9, seed)
        assert tree == again
        calls = random_calls(tree, 12, seed)
        assert calls == random_calls(again, 12, seed)
        assert len(calls) == 13
        outcomes = list(run(tree, calls))
        assert len(outcomes) == 13  # only the last may be refused
        assert not any(outcome.refusal for outcome in outcomes[:-1])
    assert len({calls_text(random_calls(BOOK, 12, seed)) for seed in range(20)}) == 20
    assert any(list(run(BOOK, random_calls(BOOK, 5, seed)))[-1].refusal for seed in range(20))
