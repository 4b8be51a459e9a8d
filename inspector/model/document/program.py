"""What prediction and observation both say of the program: how it is run, its files, execve's answer."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from inspector.model.address import VirtAddr
from inspector.model.document.rule import known_rule
from inspector.model.document.scalars import (
    Count,
    Device,
    Hex,
    Inode,
    from_device,
    from_hex,
    from_inode,
    to_device,
    to_hex,
)
from inspector.model.prediction import ExecVerdict, FileIdentity, Outcome
from inspector.model.profile import RandomBases
from inspector.model.program import UNLIMITED, Credentials, Layout, Limits, Program

Id = Annotated[int, Meta(ge=0, le=0xFFFF_FFFF)]
Limit = Count | Literal["unlimited"]


class CredentialsJson(Struct, frozen=True):
    """Who runs the program; `capabilities` is the effective set, as a mask."""

    uid: Id
    euid: Id
    gid: Id
    egid: Id
    groups: tuple[Id, ...]
    capabilities: Hex


class LimitsJson(Struct, frozen=True):
    """Soft resource limits, in bytes; `inherited` are all of them, soft and hard, by their numbers."""

    stack: Limit
    core: Limit
    inherited: Annotated[tuple[tuple[Limit, Limit], ...], Meta(max_length=32)] = ()


class ProgramJson(Struct, frozen=True):
    """A program as it is asked to run. `path` is what execve is given, `requested` what the user named."""

    path: str
    argv: tuple[str, ...]
    envp: tuple[str, ...]
    requested: str
    cwd: str
    stdin: str
    credentials: CredentialsJson
    limits: LimitsJson
    layout: Layout
    randomize: bool
    not_staged: Annotated[
        str | None, Meta(description="why it was run where it stands, though it should have been copied")
    ] = None


class FileJson(Struct, frozen=True):
    """A file the process was made from: the program itself, its interpreter."""

    path: str
    device: Device
    inode: Inode
    size: Count
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)] | None


class VerdictJson(Struct, frozen=True):
    """execve's answer. `rule` is what decided it, null where it was only observed."""

    outcome: Outcome
    errno: str | None
    signal: str | None
    rule: str | None


class BasesJson(Struct, frozen=True):
    """What ASLR chose for one run."""

    stack_top: Hex
    mmap_base: Hex
    brk: Hex
    load_bias: Hex
    stack_padding: Count


def program_json(program: Program) -> ProgramJson:
    """Return the JSON type of `program`."""
    who = program.credentials
    return ProgramJson(
        path=program.path,
        argv=program.argv,
        envp=program.envp,
        requested=program.requested,
        cwd=program.cwd,
        stdin=program.stdin,
        credentials=CredentialsJson(
            who.uid, who.euid, who.gid, who.egid, who.groups, to_hex(who.capabilities)
        ),
        limits=_limits_json(program.limits),
        layout=program.layout,
        randomize=program.randomize,
        not_staged=program.not_staged,
    )


def program_of(json: ProgramJson) -> Program:
    """Undo `program_json`."""
    who = json.credentials
    return Program(
        path=json.path,
        argv=json.argv,
        envp=json.envp,
        requested=json.requested,
        cwd=json.cwd,
        stdin=json.stdin,
        credentials=Credentials(who.uid, who.euid, who.gid, who.egid, who.groups, from_hex(who.capabilities)),
        limits=_limits_of(json.limits),
        layout=json.layout,
        randomize=json.randomize,
        not_staged=json.not_staged,
    )


def file_json(file: FileIdentity) -> FileJson:
    """Return the JSON type of `file`."""
    return FileJson(file.path, to_device(file.device), file.inode, file.size, file.sha256)


def file_of(json: FileJson) -> FileIdentity:
    """Undo `file_json`."""
    return FileIdentity(json.path, from_device(json.device), from_inode(json.inode), json.size, json.sha256)


def verdict_json(verdict: ExecVerdict | None) -> VerdictJson | None:
    """Return the JSON type of `verdict`; None is null."""
    if verdict is None:
        return None
    return VerdictJson(verdict.outcome, verdict.errno, verdict.signal, verdict.rule)


def verdict_of(json: VerdictJson | None) -> ExecVerdict | None:
    """Undo `verdict_json`. Raises ValueError for an errno or a signal that the outcome cannot have."""
    if json is None:
        return None
    if json.errno is not None and json.outcome is not Outcome.REFUSED:
        raise ValueError(f"the verdict {json.outcome.value!r} has an errno")
    if json.signal is not None and json.outcome is not Outcome.KILLED:
        raise ValueError(f"the verdict {json.outcome.value!r} has a signal")
    return ExecVerdict(json.outcome, json.errno, json.signal, known_rule(json.rule))


def bases_json(bases: RandomBases | None) -> BasesJson | None:
    """Return the JSON type of `bases`; None is null."""
    if bases is None:
        return None
    return BasesJson(
        stack_top=to_hex(bases.stack_top),
        mmap_base=to_hex(bases.mmap_base),
        brk=to_hex(bases.brk),
        load_bias=to_hex(bases.load_bias),
        stack_padding=bases.stack_padding,
    )


def bases_of(json: BasesJson | None) -> RandomBases | None:
    """Undo `bases_json`."""
    if json is None:
        return None
    return RandomBases(
        stack_top=VirtAddr(from_hex(json.stack_top)),
        mmap_base=VirtAddr(from_hex(json.mmap_base)),
        brk=VirtAddr(from_hex(json.brk)),
        load_bias=VirtAddr(from_hex(json.load_bias)),
        stack_padding=json.stack_padding,
    )


def _limits_json(limits: Limits) -> LimitsJson:
    return LimitsJson(
        _to_limit(limits.stack),
        _to_limit(limits.core),
        tuple((_to_limit(soft), _to_limit(hard)) for soft, hard in limits.inherited),
    )


def _limits_of(json: LimitsJson) -> Limits:
    return Limits(
        _from_limit(json.stack),
        _from_limit(json.core),
        tuple((_from_limit(soft), _from_limit(hard)) for soft, hard in json.inherited),
    )


def _to_limit(size_bytes: int) -> int | Literal["unlimited"]:
    return "unlimited" if size_bytes == UNLIMITED else size_bytes


def _from_limit(limit: int | Literal["unlimited"]) -> int:
    return UNLIMITED if limit == "unlimited" else limit
