"""`inspector overlay`: modules that take turns in the same memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inspector.cli.options import AnyPath, json_option
from inspector.errors import UsageError
from inspector.language import tr

if TYPE_CHECKING:
    from inspector.simulators.overlay import Tree


@click.command(short_help="Overlays: modules that take turns in the same memory.")
@click.argument("file", metavar="[FILE.toml]", required=False, type=AnyPath())
@click.option("--calls", metavar="MODULES", help='Who is called: "main A C B"; in "A>F", A itself calls F.')
@click.option("--modules", type=int, default=7, metavar="N", help="Of a drawn tree: how many modules. [7]")
@click.option("--length", type=int, default=8, metavar="N", help="Without --calls: how many. [8]")
@click.option(
    "--seed", type=int, metavar="S", help="What a tree and calls that are not given are drawn from."
)
@click.option("--solve", is_flag=True, help="Show the answers.")
@json_option
def command(
    file: str | None,
    calls: str | None,
    modules: int,
    length: int,
    seed: int | None,
    solve: bool,
    json: str | None,
) -> int:
    """Give the modules of a tree their addresses, and play a sequence of calls.

    What is asked is shown; --solve answers it. FILE holds the tree, a table for each module:

    \b
        [[module]]
        name = "A"
        size = 512
        parent = "main"

    The root has no parent; base = 0x8048000 before the first table is where it begins. Calls without a file
    are made in the book's tree: main, with A (C, D) and B (E, F) under it. Without either, both are drawn at
    random, and the seed shown.

    Example: inspector overlay --calls "main A C B A>F" --solve
    """  # noqa: D301 - a backspace tells click to leave the lines as they are
    from inspector.cli.output import Output
    from inspector.report.overlay import overlay_document
    from inspector.simulators.overlay import BOOK, OverlayRun, parse_calls, random_calls, random_tree, run
    from inspector.simulators.overlay.document import overlay_json

    output = Output(json)
    drawn = calls is None
    if seed is None:
        import secrets

        seed = secrets.randbelow(1 << 32)
    given = BOOK if calls is not None else None
    tree = (_tree_of(file) if file is not None else given) or random_tree(modules, seed)
    sequence = random_calls(tree, length, seed) if calls is None else parse_calls(calls, tree)
    overlay_run = OverlayRun(tree, sequence, tuple(run(tree, sequence)))
    if output.wants_json:
        output.json(overlay_json(overlay_run, solve=solve))
    output.document(overlay_document(overlay_run, solve=solve))
    if drawn:
        output.lines(["", tr("drawn with --seed {seed}").format(seed=seed)])
    output.finish()
    return 0


def _tree_of(path: str) -> Tree:
    from inspector.cli.output import load
    from inspector.errors import BadDocument
    from inspector.simulators.overlay import parse_tree

    try:
        return parse_tree(load(path))
    except BadDocument as error:
        raise UsageError(str(error), help="give a file that describes a tree; --help shows one") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error}", help=error.help) from error
