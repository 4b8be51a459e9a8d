"""What fuzzing found, as JSON: an object for each mutant that differs, and one that counts them all.

    inspector.mutant/1    a mutant, the fields that make it one, and what came out otherwise than predicted
    inspector.fuzz/1      the last object: how many came out how

Offsets are hexadecimal strings, bytes are hexadecimal; `offset` null is the file's size, a number of 8 bytes.
"""

from typing import TYPE_CHECKING, Literal

import msgspec

from inspector.fuzz.mutation import Role
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


class MutantJson(msgspec.Struct):
    """One mutant, with the fewest changed fields that still show the same."""

    program: str
    seed: int
    number: int
    role: Literal["program", "interpreter"]
    """What it was to the kernel: executed itself, or the PT_INTERP of a sound program."""
    standing: Literal["differs", "broke the prediction"]
    changes: list[ChangeJson]
    differences: list[DifferenceJson]
    error: str | None
    """What broke the prediction."""
    schema: Literal["inspector.mutant/1"] = "inspector.mutant/1"


class FuzzJson(msgspec.Struct):
    """All mutants of one command."""

    programs: list[str]
    seed: int
    first: int
    count: int
    agree: int
    differ: int
    broke_the_prediction: int
    not_modelled: dict[str, int]
    """How many, by what is not modelled."""
    not_observed: dict[str, int]
    """How many, by why."""
    schema: Literal["inspector.fuzz/1"] = "inspector.fuzz/1"


def mutant_document(case: "Case") -> bytes:
    """Return one mutant as a line of JSON, without a line end."""
    return encode(
        MutantJson(
            program=case.program,
            seed=case.seed,
            number=case.number,
            role="program" if case.role is Role.PROGRAM else "interpreter",
            standing="broke the prediction" if case.trial.standing is Standing.BROKEN else "differs",
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


def fuzz_document(campaign: "Campaign", tally: "Tally") -> bytes:
    """Return the counts as a line of JSON, without a line end."""
    return encode(
        FuzzJson(
            programs=[subject.name for subject in campaign.subjects],
            seed=campaign.seed,
            first=campaign.first,
            count=tally.total,
            agree=tally.standings[Standing.AGREES],
            differ=tally.standings[Standing.DIFFERS],
            broke_the_prediction=tally.standings[Standing.BROKEN],
            not_modelled=tally.reasons_of(Standing.NOT_MODELLED),
            not_observed=tally.reasons_of(Standing.UNOBSERVED),
        )
    )
