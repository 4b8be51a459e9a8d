"""Templates, and the styles and scripts that stand in every page."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from inspector.language import N_, tag, tr, tr_in
from inspector.report.document import Facts, Mark, Paragraph, Table
from inspector.report.text import counted, printable, short_size, size
from inspector.rules import RULES

_HERE = files("inspector.report.html")
_SCRIPTS = (
    "base.js",
    "columns.js",
    "grid.js",
    "stops.js",
    "links.js",
    "faults.js",
    "detail.js",
    "table.js",
    "timeline.js",
    "main.js",
)
"""In the order in which they stand in a page, where they are one script."""
_SIGNS = {
    Mark.GOOD: "✓",
    Mark.BAD: "✗",
    Mark.INSTEAD: "≠",
    Mark.EXPLAINED: "≈",
    Mark.UNKNOWN: "?",
    Mark.UNJUDGED: "·",
}
MEANINGS = {
    Mark.GOOD: N_("agrees"),
    Mark.BAD: N_("differs"),
    Mark.INSTEAD: N_("observed instead"),
    Mark.EXPLAINED: N_("differs, and a rule explains it"),
    Mark.UNKNOWN: N_("not observed"),
    Mark.UNJUDGED: N_("not predicted"),
}
"""Each mark in words: a sign alone says nothing to who cannot see it."""


def _text(value: object) -> object:
    """Return what an expression puts into a page: of text only what can be shown, whatever was in it."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _source(folder: str, name: str) -> str:
    return (_HERE / folder / name).read_text(encoding="utf-8")


TEXT_IN_SCRIPT = re.compile(r"\b(?:tr|parts)\(\s*\"([^\"]*)\"")
NOUN_IN_SCRIPT = re.compile(r"\bcounted\([^\"]*, \"([^\"]*)\"\)")
"""How scripts mark what they say, in words that stand in their code as they do in ours."""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(lambda name: _source("templates", name)),
        autoescape=True,
        finalize=_text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        sign=_SIGNS.__getitem__,
        meaning=lambda mark: tr(MEANINGS[mark]),
        rule=RULES.get,
        Mark=Mark,
        tr=tr,
        language=tag,
    )
    environment.filters.update(size=size, short_size=short_size, counted=counted)
    environment.tests.update(
        table=lambda block: isinstance(block, Table),
        facts=lambda block: isinstance(block, Facts),
        paragraph=lambda block: isinstance(block, Paragraph),
    )
    return environment


@cache
def _style() -> str:
    return _source("static", "page.css")


@cache
def _script() -> str:
    parts = "\n".join(_source("static", name) for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();\n'


def texts_of_scripts() -> dict[str, str]:
    """Return the translations of what scripts say: none in English, which stands in them."""
    texts = {text: tr(text) for text in TEXT_IN_SCRIPT.findall(_script())}
    return {text: said for text, said in texts.items() if said != text}


def nouns_of_scripts() -> dict[str, str]:
    """Return the translations of what scripts count."""
    nouns = {noun: tr_in("counted", noun) for noun in NOUN_IN_SCRIPT.findall(_script())}
    return {noun: said for noun, said in nouns.items() if said != noun}


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def _policy(*, scripts: bool) -> str:
    """Return the Content-Security-Policy: nothing is fetched, and nothing runs that we did not write."""
    script = _hash(_script()) if scripts else "'none'"
    return (
        f"default-src 'none'; script-src {script}; style-src {_hash(_style())}; "
        "base-uri 'none'; form-action 'none'"
    )


def render(template: str, *, scripts: bool = True, **values: Any) -> bytes:  # noqa: ANN401 - the templates' own
    """Return the page that a template makes, in UTF-8."""
    text = (
        _environment()
        .get_template(template)
        .render(
            policy=Markup(_policy(scripts=scripts)),  # noqa: S704 - made here, of hashes
            style=Markup(_style()),  # noqa: S704 - a file of ours
            script=Markup(_script()) if scripts else "",  # noqa: S704 - files of ours
            **values,
        )
    )
    return text.encode("utf-8", "backslashreplace")
