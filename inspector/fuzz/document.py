"""What fuzzing found, as JSON: an object for each mutant that is shown, and one that counts them all.

    inspector.mutant/1    a mutant, the fields that make it one, and what came out
    inspector.fuzz/1      the last object: how many came out how

Offsets are hexadecimal strings, bytes are hexadecimal; `offset` null is the file's size, a number of 8 bytes.
"""

from typing import TYPE_CHECKING, Literal

import msgspec

from inspector.fuzz.surroundings import Role
from inspector.fuzz.trial import Standing
from inspector.model.document.codec import encode

if TYPE_CHECKING:
    from inspector.fuzz.campaign import Campaign, Case, Tally


class ChangeJson(msgspec.Struct):
    """A field of the mutant that is not as it is in the program."""

    field: str
    offset: str | None
    old: str
    new: str


class DifferenceJson(msgspec.Struct):
    """Something that was predicted one way and seen another."""

    aspect: str
    where: str
    predicted: str
    observed: str
    rule: str | None


class SurroundingsJson(msgspec.Struct):
    """What execve was given beside the file; null: as every program gets it."""

    stack_limit: int
    bottom_up: bool
    argv_lengths: list[int] | None
    envp_lengths: list[int] | None


class ComparedJson(msgspec.Struct):
    """How many mutants agree in exactly these aspects."""

    aspects: list[str]
    mutants: int


class MutantJson(msgspec.Struct):
    """One mutant; one that differs has the fewest changed fields that still show the same."""

    program: str
    seed: int
    number: int
    role: Literal["program", "interpreter"]
    """What it was to the kernel: executed itself, or the PT_INTERP of a sound program."""
    surroundings: SurroundingsJson
    standing: Literal["agrees", "differs", "not modelled", "not observed", "broke the prediction"]
    compared: list[str]
    """The aspects that agree."""
    changes: list[ChangeJson]
    differences: list[DifferenceJson]
    error: str | None
    """What broke the prediction, is not modelled, or could not be observed."""
    schema: Literal["inspector.mutant/1"] = "inspector.mutant/1"


class FuzzJson(msgspec.Struct):
    """All mutants of one command."""

    programs: list[str]
    seed: int
    first: int
    count: int
    agree: int
    compared: list[ComparedJson]
    """Of those that agree: in what."""
    differ: int
    broke_the_prediction: int
    not_modelled: dict[str, int]
    """How many, by what is not modelled."""
    not_observed: dict[str, int]
    """How many, by why."""
    schema: Literal["inspector.fuzz/1"] = "inspector.fuzz/1"


_STANDINGS: dict[
    Standing, Literal["agrees", "differs", "not modelled", "not observed", "broke the prediction"]
] = {
    Standing.AGREES: "agrees",
    Standing.DIFFERS: "differs",
    Standing.NOT_MODELLED: "not modelled",
    Standing.UNOBSERVED: "not observed",
    Standing.BROKEN: "broke the prediction",
}


def mutant_document(case: "Case") -> bytes:
    """Return one mutant as a line of JSON, without a line end."""
    return encode(
        MutantJson(
            program=case.program,
            seed=case.seed,
            number=case.number,
            role="program" if case.role is Role.PROGRAM else "interpreter",
            surroundings=SurroundingsJson(
                case.surroundings.stack_limit,
                case.surroundings.bottom_up,
                _list_or_none(case.surroundings.argv_lengths),
                _list_or_none(case.surroundings.envp_lengths),
            ),
            standing=_STANDINGS[case.trial.standing],
            compared=list(case.trial.compared),
            changes=[
                ChangeJson(
                    change.name,
                    None if change.offset is None else f"{change.offset:#x}",
                    change.old.hex(),
                    change.new.hex(),
                )
                for change in case.changes
            ],
            differences=[
                DifferenceJson(each.aspect, each.where, each.predicted, each.observed, each.rule)
                for each in case.trial.differences
            ],
            error=case.trial.reason or None,
        )
    )


def _list_or_none(lengths: tuple[int, ...] | None) -> list[int] | None:
    return None if lengths is None else list(lengths)


def fuzz_document(campaign: "Campaign", tally: "Tally") -> bytes:
    """Return the counts as a line of JSON, without a line end."""
    return encode(
        FuzzJson(
            programs=[subject.name for subject in campaign.subjects],
            seed=campaign.seed,
            first=campaign.first,
            count=tally.total,
            agree=tally.standings[Standing.AGREES],
            compared=[
                ComparedJson(aspects.split(", "), count)
                for aspects, count in tally.reasons_of(Standing.AGREES).items()
            ],
            differ=tally.standings[Standing.DIFFERS],
            broke_the_prediction=tally.standings[Standing.BROKEN],
            not_modelled=tally.reasons_of(Standing.NOT_MODELLED),
            not_observed=tally.reasons_of(Standing.UNOBSERVED),
        )
    )
