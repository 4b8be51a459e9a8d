"""What was run, how and where: the facts that open a report, and those that close it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from inspector.language import N_, N_in, tr, tr_error, tr_filled, tr_not_modelled
from inspector.model.prediction import Outcome
from inspector.model.program import BASE_ENVIRONMENT, RLIMIT_AS, RLIMIT_DATA, UNLIMITED, Layout
from inspector.report.document import Block, Fact, Facts, Mark, Paragraph, Section
from inspector.report.text import counted, shortened, size
from inspector.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inspector.model.ending import Ending
    from inspector.model.observation import Observation, Perturbation
    from inspector.model.prediction import ExecVerdict, Prediction, ScriptChain
    from inspector.model.profile import MachineProfile
    from inspector.model.program import Program
    from inspector.reconcile import Reconciliation

_LONGEST_WORDS = 180
"""Columns given to all arguments, or all variables, together."""
_LONGEST_NAME = 44
_FOLIOS = (N_in("assumption", "large folios"), N_in("assumption", "large folios of {0}"))
"""Names of what model/folio.py tells of."""
_OUTPUT_SHOWN = 200


def short_name(program: Program) -> str:
    """Return the name the user gave, short enough for a title."""
    return shortened(program.requested or "''", _LONGEST_NAME)


def program_facts(program: Program, *, started: bool = True) -> Iterator[Fact]:
    """Yield what the program was started with; `started` by us, not found running."""
    yield Fact("program", program.requested or tr("'' (an empty path)"))
    if program.path != program.requested:
        yield Fact("staged as", program.path)
    elif started:
        reason = tr(": ") + tr_error(program.not_staged) if program.not_staged else ""
        yield Fact("staged", tr("no, run where it stands") + reason)
    if len(program.argv) > 1:
        count = f"{len(program.argv) - 1}: " if len(program.argv) > 2 else ""  # noqa: PLR2004 - more than one
        yield Fact("arguments", count + _words(program.argv[1:]))
    added = [entry for entry in program.envp if entry not in BASE_ENVIRONMENT]
    if added:
        yield Fact("environment", _words(added))
    if program.stdin != "/dev/null":
        yield Fact("stdin", program.stdin)
    yield Fact("layout", _layout(program))


def _words(words: tuple[str, ...] | list[str]) -> str:
    return shortened(" ".join(map(shlex.quote, words)), _LONGEST_WORDS)


def _layout(program: Program) -> str:
    name = tr("the kernel's own") if program.layout is Layout.DEFAULT else program.layout.value
    stack = program.limits.stack
    limits = [
        tr("stack unlimited") if stack >= UNLIMITED else tr("stack at most {size}").format(size=size(stack))
    ]
    for what, which in (
        (N_("memory at most {size}"), RLIMIT_AS),
        (N_("data at most {size}"), RLIMIT_DATA),
    ):
        known = program.limits.of(which)
        if known is not None and known[0] < UNLIMITED:
            limits.append(tr(what).format(size=size(known[0])))
    return tr(", ").join((name, tr("ASLR on") if program.randomize else tr("ASLR off"), *limits))


def run_text(verdict: ExecVerdict) -> str:
    """Return `runs`, or `does not run (refused: ENOENT)`: no one is to take a refusal for a run."""
    text = verdict_text(verdict)
    return text if verdict.outcome is Outcome.RUNS else tr("does not run ({verdict})").format(verdict=text)


def verdict_text(verdict: ExecVerdict) -> str:
    """Return `runs`, `refused: ENOEXEC` or `killed: SIGSEGV`."""
    detail, outcome = verdict.errno or verdict.signal, tr(verdict.outcome.value)
    return f"{outcome}{tr(': ')}{detail}" if detail else outcome


def verdict_facts(
    label: str, verdict: ExecVerdict, words: str = "", mark: Mark | None = None
) -> Iterator[Fact]:
    """Yield execve's answer, and the rule that made it where that is more than success."""
    yield Fact(label, f"{verdict_text(verdict)}{words}", mark)
    rule = RULES.get(verdict.rule or "")
    if rule is not None and verdict.outcome is not Outcome.RUNS:
        yield Fact("because", f"{rule.id}{tr(': ')}{tr(rule.statement)}")


def script_facts(script: ScriptChain | None) -> Iterator[Fact]:
    """Yield which interpreters a script leads to, and the arguments that the last of them is given."""
    if script is not None:
        yield Fact("interpreter", tr(", then ").join(script.interpreters))
        yield Fact("its argv", _words(script.argv))


def native_facts(prediction: Prediction) -> Iterator[Fact]:
    """Say what is not predicted of a 64-bit program that runs: its snapshot lacks it."""
    at_exec = next((each for each in prediction.snapshots if each.checkpoint == "exec"), None)
    if at_exec is not None and at_exec.registers is None:
        what = tr("a 64-bit program's registers, stack and auxiliary vector")
        yield Fact("not predicted", what, Mark.UNJUDGED)


def not_modelled_text(prediction: Prediction) -> str:
    """Say what the simulation would have needed to go on."""
    limit = prediction.not_modelled
    if limit is None:
        return ""
    text = tr("not modelled: {what}").format(what=tr_not_modelled(limit.what))
    if limit.ip is not None:
        text = tr("{what}, at {address:#x}").format(what=text, address=limit.ip)
    return f"{text} ({tr_error(limit.help)})" if limit.help else text


def uncompared_text(reconciliation: Reconciliation) -> str:
    """Say why there is no verdict, or none beyond some moment."""
    if reconciliation.observation.cut_short is not None:
        return tr_error(reconciliation.observation.cut_short)
    limit = not_modelled_text(reconciliation.prediction)
    if limit and reconciliation.prediction.verdict is not None:
        return tr("they agree as far as predicted, then {limit}").format(limit=limit)
    unreached = unreached_text(reconciliation.observation)
    if unreached and set(reconciliation.uncompared) <= set(reconciliation.observation.unreached):
        return tr("they agree, but {unreached}").format(unreached=unreached)
    return limit or tr("nothing could be compared at {checkpoints}").format(
        checkpoints=", ".join(reconciliation.uncompared)
    )


def unreached_text(observation: Observation) -> str:
    """Say which stops were asked for in vain: `syscall:brk#9 was never reached`; empty if there are none."""
    names = observation.unreached
    if not names:
        return ""
    if observation.ending is None or observation.cut_short is not None:
        words = tr("{names} was not reached") if len(names) == 1 else tr("{names} were not reached")
    else:
        words = tr("{names} was never reached") if len(names) == 1 else tr("{names} were never reached")
    return words.format(names=", ".join(names))


def machine_facts(observation: Observation) -> Iterator[Fact]:
    """Yield where the program was observed, and by what."""
    host = observation.host
    frames = tr("page frames visible") if host.sees_pfn else tr("page frames hidden")
    yield Fact("observed on", f"Linux {host.kernel} {host.machine}")
    yield Fact(
        "observed by",
        f"gdb {host.gdb}{tr(', ')}{frames}" if host.gdb else tr("no gdb, {frames}").format(frames=frames),
    )


def profile_fact(profile: MachineProfile) -> Fact:
    """Return the machine that was predicted for."""
    return Fact(
        "predicted for",
        tr("Linux {kernel} {machine} (profile of boot {boot})").format(
            kernel=profile.kernel, machine=profile.machine, boot=profile.boot_id[:8]
        ),
    )


def inputs_section(prediction: Prediction) -> Section | None:
    """Return the section of what the prediction was told rather than derived, but for the profile."""
    if not prediction.assumptions:
        return None
    facts = tuple(
        Fact(tr_filled("assumption", item.name), tr_filled("assumption", item.value))
        for item in prediction.assumptions
    )
    return Section("Told to the prediction, not derived", (Facts(facts),))


def perturbation_section(observation: Observation) -> Section | None:
    """Return the section of what the observer itself changed."""
    if not observation.perturbations:
        return None
    facts = tuple(
        Fact(f"{item.checkpoint}: {item.action}", _change(item)) for item in observation.perturbations
    )
    return Section("Changed by the observer, measured around each action", (Facts(facts),))


def _change(change: Perturbation) -> str:
    parts = [
        tr("made resident {count}: {pages}").format(
            count=counted(len(change.pages_added), "page"), pages=_pages(change.pages_added)
        )
        if change.pages_added
        else "",
        tr("changed {count}: {pages}").format(
            count=counted(len(change.pages_changed), "page"), pages=_pages(change.pages_changed)
        )
        if change.pages_changed
        else "",
        counted(change.minor_faults, "minor fault") if change.minor_faults else "",
        counted(change.major_faults, "major fault") if change.major_faults else "",
    ]
    return tr("; ").join(filter(None, parts)) or tr("nothing")


def _pages(addresses: tuple[int, ...], most: int = 8) -> str:
    shown = " ".join(f"{address:#x}" for address in addresses[:most])
    return shown if len(addresses) <= most else f"{shown} ..."


def ending_section(
    ending: Ending | None,
    output: bytes,
    mark: Mark | None,
    *,
    instead_of: Ending | None = None,
    children: tuple[Fact, ...] = (),
) -> Section | None:
    """Return the section of how the program ended and what it wrote; `instead_of`: how it should have.

    `children` are the endings of what it forked.
    """
    facts = []
    if instead_of is not None:
        facts.append(Fact("predicted", instead_of.in_full, mark))
    if ending is not None:
        label, sign = (N_("ending"), mark) if instead_of is None else (N_("observed"), Mark.INSTEAD)
        facts.append(Fact(label, ending.in_full, sign))
    facts += children
    if output:
        text = output[:_OUTPUT_SHOWN].decode("utf-8", "surrogateescape")
        more = " ..." if len(output) > _OUTPUT_SHOWN else ""
        facts.append(Fact("output", f"{counted(len(output), 'byte')}{tr(': ')}{text}{more}"))
    return Section("The end", (Facts(tuple(facts)),)) if facts else None


def notes_section(observation: Observation) -> Section | None:
    """Return the section of what could not be seen."""
    unreached = unreached_text(observation)
    words = [tr_error(note) for note in observation.notes]
    if unreached:
        words.insert(0, unreached)
    if observation.cut_short is not None:
        words.insert(0, tr("it ends here: {reason}").format(reason=tr_error(observation.cut_short)))
    notes: tuple[Block, ...] = tuple(Paragraph(note, Mark.UNKNOWN) for note in words)
    return Section("Not seen", notes) if notes else None
