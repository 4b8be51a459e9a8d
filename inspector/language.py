"""The language that people are spoken to in: English, as it stands in the code, or a gettext catalogue's.

A text is marked where it stands: `tr("absent")` translates at once, `N_("absent")` is for a constant, which
is translated where it is shown. Ids, field names, JSON and whatever the kernel or the user calls things are
not translated: they are the same for all.

Catalogues are gettext's, `locale/LANGUAGE/LC_MESSAGES/inspector.po`, and read as they are: what a translator
edits is what is shown, and nothing binary has to be built, kept or installed. English reads none of them.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LANGUAGES = ("en", "zh")
_LOCALES = {"zh": "zh_CN"}
"""The folder of each catalogue."""
_SIMPLIFIED = ("zh", "zh_CN", "zh_SG", "zh_MY")
"""Locales whose readers are given Simplified Chinese, also as `zh_CN.UTF-8` and `zh_CN@pinyin`."""
_TAGS = {"en": "en", "zh": "zh-Hans"}
_CONTEXT = "\x04"
"""What gettext puts between a message's context and its text."""

NOT_MODELLED = "not modelled: "
"""What the error begins with that names something not modelled."""

_chosen: dict[str, str] = {}


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark a text that is translated where it is shown."""
    return text


def N_in(context: str, text: str) -> str:  # noqa: N802 - as N_
    """Mark a text of a context that is translated where it is shown."""
    del context
    return text


def tr(text: str) -> str:
    """Return `text` in the language that was chosen; as it is, where the catalogue does not know it."""
    return _chosen.get(text, text)


def tr_in(context: str, text: str) -> str:
    """Return `text` as it reads in a context: a word that English has once, and another language twice."""
    return _chosen.get(f"{context}{_CONTEXT}{text}", text)


def tr_error(text: str) -> str:
    """Return what an error or a note says, translated as it is shown: JSON and logs hold it in English."""
    name = text.removeprefix(NOT_MODELLED)
    if name != text and _chosen:
        return tr("not modelled: {what}").format(what=tr_not_modelled(name))
    said = tr_filled("error", text)
    # What is said of a file often begins with its path.
    path, _, rest = text.partition(": ")
    if said == text and rest and tr_error(rest) != rest:
        return f"{path}{tr(': ')}{tr_error(rest)}"
    return said


def tr_not_modelled(what: str) -> str:
    """Return the name of what is not modelled, which JSON holds; what may help can follow in parentheses."""
    said = tr_filled("not modelled", what)
    at = what.find(" (")
    while said == what and at > 0 and what.endswith(")"):
        name, advice = what[:at], what[at + 2 : -1]
        if tr_not_modelled(name) != name:
            said = f"{tr_not_modelled(name)}{tr(' ({help})').format(help=tr_error(advice))}"
        at = what.find(" (", at + 1)
    return tr_filled("error", what) if said == what else said


def tr_filled(context: str, text: str) -> str:
    """Return a text that is put together where it is made, translated where it is shown.

    The catalogue holds it as it stands in the code, with `{0}`, `{1}` for what is filled in there, which may
    be a text of the same context again.
    """
    whole = _chosen.get(f"{context}{_CONTEXT}{text}")
    if whole is not None or not _chosen:
        return whole or text
    import re

    # Of several patterns the one that leaves the least open is meant.
    most, best = 0, text
    groups: tuple[str, ...] = ()
    for key, said in _chosen.items():
        its, _, pattern = key.rpartition(_CONTEXT)
        if its != context or "{0}" not in pattern:
            continue
        literals = re.split(r"\{\d\}", pattern)
        match = re.fullmatch("(.*)".join(map(re.escape, literals)), text, re.DOTALL)
        if match and sum(map(len, literals)) > most:
            most, best, groups = sum(map(len, literals)), said, match.groups()
    return best.format(*(tr_filled(context, each) for each in groups)) if most else text


def chosen() -> str:
    """Return the language that is spoken."""
    return "zh" if _chosen else "en"


def tag() -> str:
    """Return the language that is spoken as documents name it (BCP 47): viewers choose letters by it."""
    return _TAGS[chosen()]


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak another language for a while."""
    before = dict(_chosen)
    choose(language)
    try:
        yield
    finally:
        _chosen.clear()
        _chosen.update(before)


def choose(language: str) -> None:
    """Speak a language of LANGUAGES from now on."""
    _chosen.clear()
    if language in _LOCALES:
        _chosen.update(catalogue(language))


def preferred(environment: Mapping[str, str]) -> str:
    """Return the language that the environment asks for: LC_ALL, else LC_MESSAGES, else LANG decides."""
    names = (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next(filter(None, names), "")
    return "zh" if locale.partition(".")[0].partition("@")[0] in _SIMPLIFIED else "en"


def spoken(language: str, encoding: str) -> str:
    """Return `language`, or English where an output of that encoding has no letters for it."""
    try:
        _SAMPLES.get(language, "").encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return "en"
    return language


_SAMPLES = {"zh": "中文"}


def catalogue(language: str) -> dict[str, str]:
    """Return every text of a catalogue and its translation."""
    from pathlib import Path

    return dict(read_catalogue(Path(__file__).parent / "locale" / _LOCALES[language] / _FILE))


_FILE = "LC_MESSAGES/inspector.po"
_QUOTED = {"\\": "\\", '"': '"', "n": "\n", "t": "\t", "b": "\b"}


def read_catalogue(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the messages of a .po file: what has a context with it in front, as in gettext's own .mo files.

    Fuzzy and empty translations are left out, as msgfmt leaves them out; plurals are not used here. Raises
    ValueError for a line that is none.
    """
    entry: dict[str, str] = {}
    field, is_fuzzy = "", False
    for line in (*path.read_text(encoding="utf-8").splitlines(), ""):
        keyword, _, rest = line.partition(" ")
        if keyword.startswith("#"):
            is_fuzzy |= keyword == "#," and "fuzzy" in rest
        elif keyword in ("msgctxt", "msgid", "msgstr"):
            field = keyword
            entry[field] = _unquoted(rest)
        elif line.startswith('"'):
            entry[field] += _unquoted(line)
        elif line:
            msg = f"{path}: not a line of a catalogue: {line}"
            raise ValueError(msg)
        else:
            if entry.get("msgid") and entry["msgstr"] and not is_fuzzy:
                context = f"{entry['msgctxt']}{_CONTEXT}" if "msgctxt" in entry else ""
                yield context + entry["msgid"], entry["msgstr"]
            entry, is_fuzzy = {}, False


def _unquoted(text: str) -> str:
    """Return a string of a .po file without its quotes."""
    pieces = text[1:-1].split("\\")
    plain, rest = pieces[0], iter(pieces[1:])
    for piece in rest:
        # Two backslashes in a row leave an empty piece between them.
        plain += _QUOTED[piece[0]] + piece[1:] if piece else "\\" + next(rest, "")
    return plain


def choose_for(requested: str | None, encoding: str | None) -> None:
    """Speak what `--lang` asks for, or else the environment, if an output of that encoding can."""
    choose(spoken(requested or preferred(os.environ), encoding or "ascii"))
