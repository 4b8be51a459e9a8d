"""Overlays: modules of one program that take turns in the same memory.

parse_tree(TOML) ──> Tree: each module's address; siblings share memory, a path from the root does not
parse_calls(text) ──> Call, Call, ...
run(tree, calls) ──> Outcome, Outcome, ...    what each call loads and overwrites, or the path it would break

Source: Yu, Shi, Pan, "Chengxuyuan de ziwo xiuyang" (2009), 6.3.1.
"""

from inspector.simulators.overlay.calls import Call, calls_text, parse_calls, random_calls
from inspector.simulators.overlay.manager import Load, Outcome, OverlayRun, Refusal, run
from inspector.simulators.overlay.tree import BOOK, Described, Module, Tree, place, random_tree
from inspector.simulators.overlay.tree_file import parse_tree

__all__ = [
    "BOOK",
    "Call",
    "Described",
    "Load",
    "Module",
    "Outcome",
    "OverlayRun",
    "Refusal",
    "Tree",
    "calls_text",
    "parse_calls",
    "parse_tree",
    "place",
    "random_calls",
    "random_tree",
    "run",
]
