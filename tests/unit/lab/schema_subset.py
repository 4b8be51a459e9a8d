"""As much of JSON Schema (draft 2020-12) as msgspec writes; another keyword is an error of this file's."""

# ruff: noqa: ANN401, ARG005 - a value of JSON is of any type, and every keyword is asked alike
from __future__ import annotations

import re
from typing import Any

_TYPES: dict[str, Any] = {
    "object": dict,
    "array": (list, tuple),
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
_SAID_ELSEWHERE = {
    "$schema",
    "$id",
    "$defs",
    "title",
    "description",
    "default",
    "discriminator",
    "$ref",
    "anyOf",
}


def complaints(value: object, schema: dict[str, Any], root: dict[str, Any], at: str = "$") -> list[str]:
    """Return what is wrong with `value`."""
    if "$ref" in schema:
        return complaints(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, at)
    if "anyOf" in schema:
        found = [complaints(value, each, root, at) for each in schema["anyOf"]]
        return [] if [] in found else [f"{at}: fits none of {len(found)}", *min(found, key=len)]
    said: list[str] = []
    kind = schema.get("type")
    if kind is not None and (
        not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")
    ):
        return [f"{at}: not {kind}"]
    for word, argument in schema.items():
        if word in _SAID_ELSEWHERE or word == "type":
            continue
        said += _KEYWORDS[word](value, argument, schema, root, at)
    return said


def _properties(value: Any, argument: Any, schema: Any, root: Any, at: str) -> list[str]:
    del schema
    return [
        each
        for name, inner in argument.items()
        if name in value
        for each in complaints(value[name], inner, root, f"{at}.{name}")
    ]


def _additional(value: Any, argument: Any, schema: Any, root: Any, at: str) -> list[str]:
    extra = [name for name in value if name not in schema.get("properties", {})]
    if argument is False:
        return [f"{at}: has {name!r}" for name in extra]
    return [each for name in extra for each in complaints(value[name], argument, root, f"{at}.{name}")]


def _items(value: Any, argument: Any, schema: Any, root: Any, at: str) -> list[str]:
    rest = value[len(schema.get("prefixItems", ())) :]
    if argument is False:
        return [f"{at}: too long"] if rest else []
    return [
        each for index, one in enumerate(rest) for each in complaints(one, argument, root, f"{at}[{index}]")
    ]


def _prefix(value: Any, argument: Any, schema: Any, root: Any, at: str) -> list[str]:
    del schema
    return [
        each for one, inner in zip(value, argument, strict=False) for each in complaints(one, inner, root, at)
    ]


def _when(wrong: Any, what: str) -> Any:
    return lambda value, argument, schema, root, at: [f"{at}: {what}"] if wrong(value, argument) else []


_KEYWORDS: dict[str, Any] = {
    "properties": _properties,
    "additionalProperties": _additional,
    "items": _items,
    "prefixItems": _prefix,
    "required": lambda value, names, schema, root, at: [
        f"{at}: lacks {n!r}" for n in names if n not in value
    ],
    "enum": _when(lambda value, words: value not in words, "not one of the words"),
    "pattern": _when(lambda value, pattern: not re.search(pattern, value), "does not match"),
    "minLength": _when(lambda value, least: len(value) < least, "too short"),
    "maxLength": _when(lambda value, most: len(value) > most, "too long"),
    "minItems": _when(lambda value, least: len(value) < least, "too few"),
    "maxItems": _when(lambda value, most: len(value) > most, "too many"),
    "minimum": _when(lambda value, least: value < least, "too small"),
    "maximum": _when(lambda value, most: value > most, "too large"),
    "exclusiveMinimum": _when(lambda value, least: value <= least, "too small"),
}
