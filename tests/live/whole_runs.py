"""A program's whole run, predicted and held against the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.observe import observe
from inspector.observe.folios import folio_layout
from inspector.predict import predict
from inspector.reconcile import reconcile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspector.model.fault import Fault
    from inspector.model.profile import MachineProfile
    from inspector.model.program import Program


def disagreements(program: Program, profile: MachineProfile, stops: Sequence[str] = ()) -> list[str]:
    """Return every difference between prediction and run, a line each: none if they agree to the end.

    Faults are compared here once more, apart from `reconcile`, so that a mistake there cannot hide one.
    """
    prediction = predict(program, profile, stops=stops, folios=folio_layout)
    observation = observe(program, stops=stops)
    if prediction.not_modelled is not None:
        return [f"not modelled: {prediction.not_modelled}"]
    if observation.cut_short is not None:
        return [f"not observed: {observation.cut_short}"]
    reconciliation = reconcile(prediction, observation)
    found = [
        f"{each.checkpoint} {each.aspect} {each.where}: {each.predicted} predicted, {each.observed} seen"
        for each in reconciliation.differences
    ]
    found += [f"not compared: {name}" for name in reconciliation.uncompared]
    if str(prediction.ending) != str(observation.ending):
        found.append(f"ending: {prediction.ending} predicted, {observation.ending} seen")
    if observation.faults is None:
        return [*found, "the faults were not recorded"]
    return found + differing_faults(prediction.faults or (), observation.faults)


def differing_faults(predicted: Sequence[Fault], seen: Sequence[Fault], *, so_far: bool = False) -> list[str]:
    """Return, for each process, the first fault that differs; `so_far`: no more were predicted than these."""
    found = []
    for process in sorted({fault.process for fault in (*predicted, *seen)}):
        mine = [_identity(fault) for fault in predicted if fault.process == process]
        kernels = [_identity(fault) for fault in seen if fault.process == process]
        if so_far:
            kernels = kernels[: len(mine)]
        if mine != kernels:
            pairs = enumerate(zip(mine, kernels, strict=False))
            at = next((n for n, (one, other) in pairs if one != other), min(len(mine), len(kernels)))
            found.append(f"process {process}, fault {at}: {mine[at : at + 1]}, seen {kernels[at : at + 1]}")
    return found


def _identity(fault: Fault) -> tuple[object, ...]:
    ip = None if fault.ip is None else f"{fault.ip:#x}"
    return f"{fault.address:#x}", fault.mode.value, str(fault.access), fault.protection, ip
