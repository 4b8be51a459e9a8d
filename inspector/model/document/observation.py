"""`inspector.observation/1`: a recording of what Linux did."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from inspector.model.address import VirtAddr
from inspector.model.document.codec import DocumentKind
from inspector.model.document.ending import EndingJson, ending_json, ending_of
from inspector.model.document.evidence import EvidenceJson, evidence_json, evidences_of
from inspector.model.document.fault import Faults, faults_json, faults_of
from inspector.model.document.program import (
    BasesJson,
    FileJson,
    ProgramJson,
    VerdictJson,
    bases_json,
    bases_of,
    file_json,
    file_of,
    program_json,
    program_of,
    verdict_json,
    verdict_of,
)
from inspector.model.document.scalars import Count, PageHex, from_hex, to_hex
from inspector.model.document.snapshot import (
    SnapshotJson,
    StackJson,
    snapshot_json,
    snapshots_of,
    stack_json,
)
from inspector.model.observation import Host, Observation, Perturbation


class HostJson(Struct, frozen=True):
    """The machine the observation was made on; `kernel` is `uname -r`, `gdb` its version or null."""

    kernel: str
    machine: str
    gdb: str | None
    uid: Count
    sees_pfn: bool


class PerturbationJson(Struct, frozen=True):
    """What an action of the observer changed in the process."""

    checkpoint: str
    action: str
    pages_added: tuple[PageHex, ...]
    pages_changed: tuple[PageHex, ...]
    minor_faults: Count
    major_faults: Count


class CachedFileJson(Struct, frozen=True):
    """How the page cache held a file that the program mapped."""

    path: str
    pages: Annotated[str, Meta(description="first and last of each large folio: `0-15, 16-23`, or `none`")]


class ObservationJson(Struct, frozen=True):
    """What Linux did with `program`."""

    schema: Literal["inspector.observation/1"]
    program: ProgramJson
    verdict: Annotated[VerdictJson | None, Meta(description="null: the process already ran when first seen")]
    snapshots: tuple[SnapshotJson, ...]
    faults: Annotated[Faults, Meta(description="null: the sequence was not recorded, only counted")]
    stack: Annotated[StackJson | None, Meta(description="at exec; null: not seen")]
    ending: Annotated[EndingJson | None, Meta(description="null: not followed to its end")]
    host: HostJson
    files: tuple[FileJson, ...]
    bases: Annotated[BasesJson | None, Meta(description="null: without ASLR")]
    perturbations: tuple[PerturbationJson, ...]
    output: Annotated[bytes, Meta(description="what the program wrote to its terminal")]
    raw: tuple[EvidenceJson, ...]
    notes: tuple[str, ...]
    fault_source: Annotated[
        str | None,
        Meta(
            description="tracepoints, software event, or software event, user mode only; null: not recorded"
        ),
    ] = None
    faults_lost: Annotated[Count, Meta(description="events that were counted, and are not in `faults`")] = 0
    faults_complete: Annotated[bool, Meta(description="whether `faults` go on to the last process's end")] = (
        True
    )
    cut_short: Annotated[
        str | None, Meta(description="why it was not followed to where it was to end; null: it was")
    ] = None
    large_folios: Annotated[
        tuple[CachedFileJson, ...], Meta(description="of the mapped files of which it could be seen")
    ] = ()
    unreached: Annotated[
        tuple[str, ...], Meta(description="the stops that were asked for, and that it never came to")
    ] = ()
    children: Annotated[
        tuple[EndingJson | None, ...],
        Meta(description="how process 1 and those after it ended; null: not seen"),
    ] = ()
    reclaim_at_faults: Annotated[
        str | None,
        Meta(
            description="what was seen at work that locks pages while `faults` were recorded: "
            "damon:damos_before_apply, or CPU time of kdamond.0; null: nothing"
        ),
    ] = None
    reclaim_at_stops: Annotated[
        str | None, Meta(description="the same of the run in which `snapshots` were taken")
    ] = None
    input: Annotated[
        FileJson | None, Meta(description="the file it was given to read from; null: none, or not known")
    ] = None


KIND = DocumentKind("observation", 1, ObservationJson, "`inspector observe -o FILE`")


def observation_json(observation: Observation) -> ObservationJson:
    """Return the JSON type of `observation`."""
    host = observation.host
    return ObservationJson(
        schema="inspector.observation/1",
        program=program_json(observation.program),
        verdict=verdict_json(observation.verdict),
        snapshots=tuple(map(snapshot_json, observation.snapshots)),
        faults=faults_json(observation.faults),
        stack=stack_json(observation.snapshots),
        ending=None if observation.ending is None else ending_json(observation.ending),
        host=HostJson(host.kernel, host.machine, host.gdb, host.uid, host.sees_pfn),
        files=tuple(map(file_json, observation.files)),
        bases=bases_json(observation.bases),
        perturbations=tuple(map(_perturbation_json, observation.perturbations)),
        output=observation.output,
        raw=tuple(map(evidence_json, observation.raw)),
        notes=observation.notes,
        fault_source=observation.fault_source,
        cut_short=observation.cut_short,
        faults_lost=observation.faults_lost,
        faults_complete=observation.faults_complete,
        reclaim_at_faults=observation.reclaim_at_faults,
        reclaim_at_stops=observation.reclaim_at_stops,
        large_folios=tuple(CachedFileJson(path, pages) for path, pages in observation.large_folios),
        unreached=observation.unreached,
        children=tuple(None if each is None else ending_json(each) for each in observation.children),
        input=None if observation.input is None else file_json(observation.input),
    )


def observation_of(json: ObservationJson) -> Observation:
    """Undo `observation_json`. Raises ValueError for what no observation can be."""
    host = json.host
    return Observation(
        program=program_of(json.program),
        host=Host(host.kernel, host.machine, host.gdb, host.uid, host.sees_pfn),
        verdict=verdict_of(json.verdict),
        files=tuple(map(file_of, json.files)),
        snapshots=snapshots_of(json.snapshots, json.stack),
        perturbations=tuple(map(_perturbation_of, json.perturbations)),
        ending=None if json.ending is None else ending_of(json.ending),
        output=json.output,
        bases=bases_of(json.bases),
        raw=evidences_of(json.raw),
        notes=json.notes,
        faults=faults_of(json.faults),
        fault_source=json.fault_source,
        cut_short=json.cut_short,
        faults_lost=json.faults_lost,
        faults_complete=json.faults_complete,
        reclaim_at_faults=json.reclaim_at_faults,
        reclaim_at_stops=json.reclaim_at_stops,
        large_folios=tuple((file.path, file.pages) for file in json.large_folios),
        unreached=json.unreached,
        children=tuple(None if each is None else ending_of(each) for each in json.children),
        input=None if json.input is None else file_of(json.input),
    )


def _perturbation_json(perturbation: Perturbation) -> PerturbationJson:
    return PerturbationJson(
        checkpoint=perturbation.checkpoint,
        action=perturbation.action,
        pages_added=tuple(map(to_hex, perturbation.pages_added)),
        pages_changed=tuple(map(to_hex, perturbation.pages_changed)),
        minor_faults=perturbation.minor_faults,
        major_faults=perturbation.major_faults,
    )


def _perturbation_of(json: PerturbationJson) -> Perturbation:
    return Perturbation(
        checkpoint=json.checkpoint,
        action=json.action,
        pages_added=tuple(VirtAddr(from_hex(page)) for page in json.pages_added),
        pages_changed=tuple(VirtAddr(from_hex(page)) for page in json.pages_changed),
        minor_faults=json.minor_faults,
        major_faults=json.major_faults,
    )
