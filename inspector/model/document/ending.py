"""How the process ended: the same in predictions and recordings."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from inspector.model.address import VirtAddr
from inspector.model.document.scalars import Hex, from_hex, to_hex_or_none
from inspector.model.ending import Ending

Int32 = Annotated[int, Meta(ge=-(1 << 31), lt=1 << 31)]


class EndingJson(Struct, frozen=True):
    """How the process ended: `status` alone, or `signal` with si_code and address, null where not seen."""

    status: Int32 | UnsetType = UNSET
    signal: str | UnsetType = UNSET
    code: Int32 | UnsetType | None = UNSET
    address: Hex | UnsetType | None = UNSET


def ending_json(ending: Ending) -> EndingJson:
    """Return the JSON type of `ending`."""
    if ending.signal is None:
        return EndingJson(status=0 if ending.status is None else ending.status)
    return EndingJson(signal=ending.signal, code=ending.code, address=to_hex_or_none(ending.address))


def ending_of(json: EndingJson) -> Ending:
    """Undo `ending_json`. Raises ValueError for what is neither a status nor a signal."""
    match json:
        case EndingJson(signal=str(signal), status=UnsetType()):
            address = from_hex(json.address) if isinstance(json.address, str) else None
            return Ending(
                signal=signal,
                code=json.code if isinstance(json.code, int) else None,
                address=None if address is None else VirtAddr(address),
            )
        case EndingJson(status=int(status), signal=UnsetType()):
            return Ending(status=status)
        case _:
            raise ValueError("the ending is neither a status nor a signal")
