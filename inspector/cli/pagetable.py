"""`inspector pagetable`: an address's way through the tables, and what the tables cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inspector.cli.options import (
    AnyPath,
    ProgramCommand,
    arguments,
    json_option,
    launching_of,
    machine_profile,
    predicting_option,
)
from inspector.errors import UsageError
from inspector.language import N_in, tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.cli.output import Output
    from inspector.model.prediction import Prediction

_DRAWN_ADDRESSES = 3
_NOT_MODELLED = 3


@click.command(cls=ProgramCommand, short_help="Page tables of one to five levels: indices and cost.")
@click.option(
    "--geometry",
    "names",
    multiple=True,
    metavar="NAME",
    help="flat, i386, pae, x86-64 or x86-64-la57; may be repeated. [all of them]",
)
@click.option(
    "--address", "addresses", multiple=True, metavar="ADDRESS", help="Take an address apart; may be repeated."
)
@click.option("--mapped", metavar="PAGES", help='Count the tables for these pages: "0x8048-0x804b 0xbffff".')
@click.option(
    "--program",
    type=AnyPath(),
    metavar="FILE",
    help="Count them for the pages of a predicted run of it [-- ARG...].",
)
@click.option("--processes", type=int, default=1, metavar="N", help="In so many processes alike. [1]")
@click.option("--seed", type=int, metavar="S", help="What addresses are drawn from, where none is given.")
@click.option("--solve", is_flag=True, help="Show the answers.")
@predicting_option
@json_option
def command(
    names: tuple[str, ...],
    addresses: tuple[str, ...],
    mapped: str | None,
    program: str | None,
    processes: int,
    seed: int | None,
    solve: bool,
    seconds: float,
    json: str | None,
) -> int:
    """Take addresses apart as page tables do, or count the tables that some pages need.

    What is asked is shown; --solve answers it. Without an address, pages or a program, addresses are drawn at
    random.

    Example: inspector pagetable --mapped 0x8048 --processes 100 --solve
    """
    from inspector.cli.output import Output
    from inspector.simulators.pagetable import GEOMETRIES, geometry_named

    if sum(bool(each) for each in (addresses, mapped is not None, program is not None)) > 1:
        raise UsageError("--address, --mapped and --program are different questions", help="ask one of them")
    if program is None and arguments():
        raise UsageError("what follows -- is meant for a program", help="name it with --program FILE")
    if processes < 1:
        raise UsageError(f"{processes} processes", help="give --processes a number from 1 on")
    chosen = names or tuple(GEOMETRIES)
    for name in chosen:
        geometry_named(name)
    output = Output(json)
    code = 0
    if program is not None:
        code = _show_program(output, program, names, seconds, solve=solve)
    elif mapped is not None:
        _show_cost(output, mapped, chosen, processes, solve=solve)
    else:
        _show_splits(output, addresses, chosen, seed, solve=solve)
    output.finish()
    return code


def _show_splits(
    output: Output, addresses: Sequence[str], names: Sequence[str], seed: int | None, *, solve: bool
) -> None:
    from inspector.report.pagetable import split_document
    from inspector.simulators.pagetable import GEOMETRIES, address_bits, parse_address, split
    from inspector.simulators.pagetable_document import splits_json

    numbers = [parse_address(address) for address in addresses]
    drawn = not numbers
    if drawn:
        import random
        import secrets

        seed = secrets.randbelow(1 << 32) if seed is None else seed
        narrowest = min(address_bits(GEOMETRIES[name][0]) for name in names)
        numbers = [
            random.Random(f"{seed}:{index}").getrandbits(narrowest)  # noqa: S311 - can be repeated
            for index in range(_DRAWN_ADDRESSES)
        ]
    splits = [
        (name, split(number, GEOMETRIES[name][0]), GEOMETRIES[name][1], GEOMETRIES[name][0].index_bits)
        for number in numbers
        for name in names
    ]
    if output.wants_json:
        output.json(splits_json([(name, address) for name, address, _, _ in splits], solve=solve))
    output.document(split_document(splits, solve=solve))
    if drawn:
        output.lines(["", tr("drawn with --seed {seed}").format(seed=seed)])


def _show_cost(output: Output, mapped: str, names: Sequence[str], processes: int, *, solve: bool) -> None:
    from inspector.report.pagetable import cost_document
    from inspector.simulators.pagetable import GEOMETRIES, cost, parse_pages
    from inspector.simulators.pagetable_document import costs_json

    pages = parse_pages(mapped)
    costs = [(cost(pages, GEOMETRIES[name][0]), GEOMETRIES[name][1]) for name in names]
    count = len(set(pages))
    if output.wants_json:
        output.json(costs_json([each for each, _ in costs], count, processes, solve=solve))
    output.document(cost_document(costs, count, processes, solve=solve))


def _show_program(output: Output, path: str, names: Sequence[str], seconds: float, *, solve: bool) -> int:
    """Show what the tables of a predicted program cost; return the exit code."""
    from inspector.cli.foretell import nothing_to_show, require_file
    from inspector.report.pagetable import stops_document
    from inspector.simulators.pagetable import GEOMETRIES, cost
    from inspector.simulators.pagetable_document import stops_json

    require_file(path)
    prediction = _predicted(path, seconds)
    names = names or _reaching(prediction)
    stops = []
    for snapshot in prediction.snapshots:
        pages = [page.vpn for page in snapshot.pages or ()]
        needed = {name: cost(pages, GEOMETRIES[name][0]).bytes for name in names}
        stops.append((snapshot.checkpoint, needed, snapshot.page_table_bytes or 0))
    limit = None if prediction.not_modelled is None else prediction.not_modelled.what
    if not stops:
        raise nothing_to_show(path, prediction, N_in("error", "there is nothing to count"))
    if output.wants_json:
        output.json(stops_json(path, stops, solve=solve))
    output.document(stops_document(path, prediction.profile.page_tables.name, stops, limit, solve=solve))
    return 0 if limit is None else _NOT_MODELLED


def _reaching(prediction: Prediction) -> tuple[str, ...]:
    """Return the geometries whose tables reach every page of a program: not all do for a 64-bit one."""
    from inspector.simulators.pagetable import GEOMETRIES, PAGE_BITS, address_bits

    highest = max((page.vpn for snapshot in prediction.snapshots for page in snapshot.pages or ()), default=0)
    return tuple(
        name
        for name, (geometry, _) in GEOMETRIES.items()
        if highest << PAGE_BITS < 1 << address_bits(geometry)
    )


def _predicted(path: str, seconds: float) -> Prediction:
    from inspector.cli.foretell import foretell

    with launching_of().prepare(path) as program:
        return foretell(program, machine_profile(None), seconds=seconds)
