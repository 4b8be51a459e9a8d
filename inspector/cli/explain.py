"""`inspector explain`: one address through every view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inspector.cli.check import Request, verify_stops
from inspector.cli.foretell import require_file
from inspector.cli.gather import exit_code, gather, why_unobserved
from inspector.cli.options import (
    AnyPath,
    Launching,
    ProgramCommand,
    json_option,
    launching_options,
    machine_profile,
    predict_only_option,
    profile_option,
    refuse_aslr_alone,
    stop_options,
)
from inspector.errors import InspectorError
from inspector.language import speaking

if TYPE_CHECKING:
    from inspector.model.address import VirtAddr
    from inspector.model.prediction import Prediction
    from inspector.story.evidence import Evidence


@click.command(cls=ProgramCommand, short_help="One address through every view: why it is, or is not, there.")
@click.argument("program", metavar="PROGRAM", type=AnyPath())
@click.argument("subject", metavar="ADDRESS|SYMBOL")
@launching_options
@stop_options
@predict_only_option
@profile_option
@json_option
def command(
    program: str,
    subject: str,
    how: Launching,
    stops: tuple[str, ...],
    until: str | None,
    seconds: float,
    gdb: str | None,
    predict_only: bool,
    profile: str | None,
    json: str | None,
) -> int:
    """Follow one address of PROGRAM: section, segment, area, page, fault, frame, page tables, permissions.

    ADDRESS is hexadecimal where it begins with 0 or has eight digits, as maps prints it: 0x80ed2b8, 080ed2b8;
    else decimal. SYMBOL may have an offset: table+0x2000. Of an address in no area it is told why, and what a
    touch does. What follows -- are arguments for the program.

    Example: inspector explain fixtures/build/hello 0x80ed2b8
    """
    from inspector.cli.listing import Listed
    from inspector.cli.output import Output
    from inspector.explain.document import explanation_json
    from inspector.explain.find import bias_of, explain
    from inspector.explain.subject import address_asked_for
    from inspector.explain.tell import tell
    from inspector.model.finding import Verdict
    from inspector.report.explain import explanation_document

    refuse_aslr_alone(how, predict_only=predict_only)
    output = Output(json)
    require_file(program)
    _require_i386(how, program)
    address = address_asked_for(subject)
    in_file = None if address is not None else _address_in_file(how, program, subject)
    verify_stops(Listed(program, how, stops), until)
    request = Request(program, how, machine_profile(profile), stops, until, seconds, gdb)
    # The copy that it runs from must stay until its symbols have been read.
    with how.prepare(program):
        evidence, checked = gather(request, predict_only=predict_only)
        _require_process(evidence)
        if address is None:
            address = _added(in_file or 0, bias_of(evidence))
        found = explain(evidence, subject, address, why_unobserved(checked, predict_only=predict_only))
    steps = tell(found)
    if output.wants_json:
        with speaking("en"):
            output.json(explanation_json(found, tell(found)))
    output.document(explanation_document(found, steps))
    output.finish()
    differs = any(value.verdict is Verdict.DIFFERS for step in steps for value in step.values)
    return exit_code(evidence, checked, differs=differs)


def _added(address: int, bias: int) -> VirtAddr:
    from inspector.model.address import VirtAddr

    return VirtAddr((address + bias) % (1 << 32))


def _require_i386(how: Launching, requested: str) -> None:
    """Raise InspectorError for a 64-bit program: its instructions, and so its faults, are not followed."""
    from inspector.elf.glance import Kind, glance
    from inspector.elf.script import executable_behind

    with how.prepare(requested) as program:
        seen = glance(executable_behind(program.path, program.cwd))
    if seen.kind is Kind.PROGRAM_64:
        raise InspectorError(
            f"{requested}: a 64-bit program, and only addresses of i386 programs are explained",
            help="compile it with gcc -m32; `inspector predict PROGRAM` shows what areas it has at exec",
        )


def _address_in_file(how: Launching, requested: str, symbol: str) -> int:
    """Return the address of a symbol in the file whose code runs: before anything is predicted."""
    from inspector.elf.script import executable_behind
    from inspector.explain.subject import file_address

    with how.prepare(requested) as program:
        path = executable_behind(program.path, program.cwd)
        return file_address(path, symbol, requested if path == program.path else path)


def _require_process(evidence: Evidence) -> None:
    """Raise InspectorError where execve does not come to an address space."""
    prediction = evidence.prediction
    if not prediction.snapshots:
        raise InspectorError(
            f"{prediction.program.requested}: there is no process whose addresses could be explained: "
            f"{_why(prediction)}",
            help="`inspector predict PROGRAM` tells more",
        )


def _why(prediction: Prediction) -> str:
    if prediction.verdict is not None:
        return f"execve is {prediction.verdict}"
    limit = prediction.not_modelled
    return "nothing is predicted" if limit is None else f"not modelled: {limit.what}"
