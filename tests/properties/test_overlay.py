"""Laws of overlays that hold for every tree and every sequence of calls."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from inspector.simulators.overlay import Call, Described, Tree, parse_calls, place, run
from inspector.simulators.overlay.calls import calls_text


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    count = draw(st.integers(1, 10))
    described = [
        Described(
            f"m{number}",
            draw(st.integers(1, 5)),
            f"m{draw(st.integers(0, number - 1))}" if number else None,
        )
        for number in range(count)
    ]
    return place(draw(st.permutations(described)), draw(st.integers(0, 1000)))


@st.composite
def played(draw: st.DrawFn) -> tuple[Tree, tuple[Call, ...]]:
    tree = draw(trees())
    names = st.sampled_from(sorted(tree.modules))
    calls = draw(st.lists(st.builds(Call, names, st.booleans()), max_size=30))
    return tree, (Call(tree.root.name), *calls)


@given(trees())
def test_modules_of_one_path_never_overlap_and_follow_each_other(tree: Tree) -> None:
    for module in tree.modules.values():
        path = [tree.modules[name] for name in module.path]
        assert not any(one.overlaps(other) for one, other in combinations(path, 2))
        assert path[0] is tree.root
        assert module.end - tree.root.address == sum(each.size for each in path)


@given(trees())
def test_siblings_share_memory(tree: Tree) -> None:
    for one, other in combinations(tree.modules.values(), 2):
        if one.parent is not None and one.parent == other.parent:
            assert one.address == other.address
            assert one.overlaps(other)


@given(trees())
def test_the_memory_needed_is_the_largest_paths(tree: Tree) -> None:
    sizes = [sum(tree.modules[name].size for name in module.path) for module in tree.modules.values()]
    assert (
        tree.memory_bytes == max(sizes) == max(each.end for each in tree.modules.values()) - tree.root.address
    )
    assert tree.memory_bytes <= tree.whole_bytes


@given(played())
def test_memory_holds_what_was_loaded_last(example: tuple[Tree, tuple[Call, ...]]) -> None:
    """Byte by byte, without a thought of modules: who is whole there, is there."""
    tree, calls = example
    memory: dict[int, str] = {}
    for outcome in run(tree, calls):
        for module, evicted in outcome.loads:
            before = whole(tree, memory)
            assert module.name not in before
            memory.update(dict.fromkeys(range(module.address, module.end), module.name))
            assert {each.name for each in evicted} == before - whole(tree, memory)
            assert all(each.overlaps(module) for each in evicted)
        if outcome.refusal is None:
            assert whole(tree, memory) >= set(tree.modules[outcome.callee].path)
            assert outcome.is_hit is not bool(outcome.loads)


def whole(tree: Tree, memory: dict[int, str]) -> set[str]:
    return {
        module.name
        for module in tree.modules.values()
        if all(memory.get(byte) == module.name for byte in range(module.address, module.end))
    }


@given(played())
def test_whoever_runs_or_waits_is_in_memory(example: tuple[Tree, tuple[Call, ...]]) -> None:
    """The rule itself, over the whole stack of calls; and a call is refused only if it would break it."""
    tree, calls = example
    resident: set[str] = set()
    stack: list[str] = []
    for call, outcome in zip(calls, run(tree, calls), strict=False):
        if not call.directly:
            while stack and not all(tree.modules[name].is_above(tree.modules[call.callee]) for name in stack):
                stack.pop()
        assert outcome.caller == (stack[-1] if stack else None)
        callee = tree.modules[call.callee]
        lost = {
            name
            for name in stack
            for part in tree.modules[name].path
            if any(tree.modules[part].overlaps(tree.modules[each]) and part != each for each in callee.path)
        }
        assert (outcome.refusal is not None) is bool(lost)
        if outcome.refusal is not None:
            assert lost & set(outcome.refusal.path)
            assert set(stack) <= set(outcome.refusal.path)
            return
        for module, evicted in outcome.loads:
            resident -= {each.name for each in evicted}
            resident.add(module.name)
        stack.append(call.callee)
        assert resident >= {part for name in stack for part in tree.modules[name].path}


@given(played())
def test_calls_are_read_as_they_are_written(example: tuple[Tree, tuple[Call, ...]]) -> None:
    tree, calls = example
    assert parse_calls(calls_text(calls), tree) == calls


@given(played())
def test_a_call_from_as_deep_as_can_be_is_never_refused(example: tuple[Tree, tuple[Call, ...]]) -> None:
    tree, calls = example
    outcomes = list(run(tree, [call._replace(directly=False) for call in calls]))
    assert len(outcomes) == len(calls)
    assert all(outcome.refusal is None for outcome in outcomes)
