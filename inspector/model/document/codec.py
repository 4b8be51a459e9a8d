"""Between bytes and the JSON types of the sections; every way bytes can be wrong ends in BadDocument."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from inspector.errors import BadDocument
from inspector.model.document.text import MARK, escape, map_strings, unescape

if TYPE_CHECKING:
    from collections.abc import Callable

J = TypeVar("J", bound=msgspec.Struct)
T = TypeVar("T")

_MARK_BYTES = MARK.encode()
_MARK_IN_ASCII = re.compile(rb"\\u[Ff]{3}[Dd]")
_MISSING = re.compile(r"Object missing required field (?P<field>`[^`]*`)(?: - at (?P<place>`[^`]*`))?")
_LONGEST_DETAIL = 200


@dataclass(frozen=True, slots=True)
class DocumentKind(Generic[J]):
    """One kind of document."""

    name: str
    """`prediction`: what its schema is named by, and what messages call it."""
    version: int
    layout: type[J]
    made_by: str
    """The command that writes it."""

    @property
    def schema(self) -> str:
        """The value of its `schema` member."""
        return f"inspector.{self.name}/{self.version}"

    @property
    def one(self) -> str:
        """One such document, in words: `an observation`."""
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.name}"


class _Header(msgspec.Struct):
    """As much of any document as tells what it is."""

    schema: str = ""


def encode(document: msgspec.Struct) -> bytes:
    """Return `document` as one line of UTF-8 JSON."""
    try:
        data = msgspec.json.encode(document)
    except UnicodeEncodeError:
        pass
    else:
        if _MARK_BYTES not in data:
            return data
    # Some string holds what text.py escapes; it is so rare that only then all of them are looked at.
    return msgspec.json.encode(map_strings(msgspec.to_builtins(document), escape))


def parse(data: bytes, kind: DocumentKind[J], convert: Callable[[J], T], source: str) -> T:
    """Return what `convert` makes of the document in `data`.

    `convert` raises ValueError for an invariant that the JSON types cannot express. Raises BadDocument.
    """
    try:
        return convert(_decode(data, kind.layout))
    except (ValueError, RecursionError) as error:  # msgspec's own errors are ValueErrors
        message, help_line = _diagnosis(data, kind, error)
        raise BadDocument(f"{_printable(source)}: {message}", help=help_line) from error


def json_schema(kind: DocumentKind[Any]) -> dict[str, Any]:
    """Return the JSON Schema of `kind`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": kind.schema,
        **_on_one_line(msgspec.json.schema(kind.layout)),
    }


def _on_one_line(tree: Any) -> Any:  # noqa: ANN401 - it is JSON
    """Return a schema whose descriptions, which are docstrings, have no line breaks."""
    return map_strings(tree, lambda text: re.sub(r"\s*\n\s*", " ", text))


def _decode(data: bytes, layout: type[J]) -> J:
    if _MARK_BYTES in data or _MARK_IN_ASCII.search(data):
        return msgspec.convert(map_strings(msgspec.json.decode(data), unescape), layout)
    document: J = _decoder(layout).decode(data)
    return document


@cache
def _decoder(layout: type[J]) -> msgspec.json.Decoder[J]:
    return msgspec.json.Decoder(layout)


def _diagnosis(data: bytes, kind: DocumentKind[Any], error: Exception) -> tuple[str, str]:
    """Return what is wrong with `data` and what to do about it, each in one line."""
    wanted = f"give {kind.one}, as {kind.made_by} writes it"
    if not data.strip():
        return "the file is empty", wanted
    if isinstance(error, RecursionError):
        return f"nested too deeply for {kind.one}", wanted
    try:
        found = _decoder(_Header).decode(data).schema
    except msgspec.ValidationError:
        return f"not {kind.one}", wanted
    except (ValueError, RecursionError) as reason:
        return _not_one_json_object(reason, wanted)
    if found == kind.schema:
        return _of_this_kind(error, kind), f"make it again: {kind.made_by}"
    return _another_kind(found, kind, wanted)


def _not_one_json_object(reason: Exception, wanted: str) -> tuple[str, str]:
    if "truncated" in str(reason):
        return "the file is cut short", "it was not written to its end: make it again"
    if "trailing characters" in str(reason):
        return "more than one document", "give a file with one of them: --json writes one a line"
    return "not a JSON document", wanted


def _of_this_kind(error: Exception, kind: DocumentKind[Any]) -> str:
    """Say what is wrong with a document of this kind and version.

    No damage takes away one member and leaves JSON: such a document was written before that member was there.
    """
    missing = _MISSING.fullmatch(str(error))
    if missing is None:
        return f"damaged {kind.name}: {_printable(error)}"
    field = _printable(missing["field"] + (f" at {missing['place']}" if missing["place"] else ""))
    return f"{kind.name} without the field {field}: probably written by another version of inspector"


def _another_kind(found: str, kind: DocumentKind[Any], wanted: str) -> tuple[str, str]:
    program, _, rest = found.partition(".")
    name = rest.partition("/")[0]
    if program != "inspector" or not name.isalpha():
        return f"not {kind.one}", wanted
    if name != kind.name:
        return f"not {kind.one} but a document of kind {_printable(name)!r}", wanted
    version = rest.partition("/")[2]
    older = version.isdecimal() and int(version[:9]) < kind.version
    whom = "an older inspector" if older else "another version of inspector"
    return f"made by {whom} ({_printable(found)})", f"make it again: {kind.made_by}"


def _printable(words: object) -> str:
    """Return `words` on one line: an error can quote the document, which can hold anything."""
    text = "".join(letter if letter.isprintable() else f"{letter!a}"[1:-1] for letter in str(words))
    return text if len(text) <= _LONGEST_DETAIL else f"{text[:_LONGEST_DETAIL]}..."
