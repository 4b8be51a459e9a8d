"""Every text that is marked for translation; `python -m tests.catalogue` brings the catalogues up to date.

Marked are: tr("..."), N_("..."), tr_in and N_in("context", "...") and a report's counted(n, "..."); the
labels, titles and paragraphs of reports, which are translated as they are shown; the messages and help of
errors, which are translated as they are printed; rules, their examples and questions; and the help of every
command.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inspector import errors
from inspector.cli.group import inspector
from inspector.cli.help import ENGLISH_AS_YET
from inspector.examples import EXAMPLES
from inspector.language import read_catalogue
from inspector.model.fault import FaultKind
from inspector.model.frame import FrameOwner
from inspector.model.page import PageKind
from inspector.model.prediction import Outcome
from inspector.model.profile import UnclearableTail
from inspector.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1] / "inspector"
CATALOGUES = sorted((ROOT / "locale").glob("*/LC_MESSAGES/inspector.po"))
SHOWN = ("Fact", "Column", "Section", "Paragraph")
"""Their first argument is translated where a document is shown."""
TOLD = (ROOT / "story", ROOT / "explain")
STEPS = {"Step": (0, 1), "Told": (0,), "Value": (0,), "Note": (0, 1), "exec_value": (1,)}
"""Their arguments at these places are translated where a step is shown."""
UNTRANSLATED = frozenset({"mutants", "overlay", "pagetable", "picture", "replacement"})
"""Reports that are in English as yet, but for what they share with others."""
ASPECTS = (
    *("VMAs", "VMA flags", "registers", "stack bytes", "auxv", "pages", "frames", "minor faults"),
    *("major faults", "page tables", "brk", "faults", "kernel faults", "ending", "verdict", "snapshot"),
    *("stop", "program"),
)
"""What findings are about: `Finding.aspect`, which JSON holds as well."""
CONTEXT = "\x04"


def marked() -> dict[str, str]:
    """Return every marked text, a context in front where it has one, and where it is first used."""
    texts: dict[str, str] = {}
    for place, text in (
        *_code(),
        *_templates(),
        *_values(),
        *_catalogue_of_rules(),
        *_help(inspector, "inspector"),
    ):
        texts.setdefault(text, place)
    return texts


def _code() -> Iterator[tuple[str, str]]:
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT.parent).as_posix()
        yield from ((place, text) for text in _in_code(ast.parse(path.read_text(encoding="utf-8")), path))


def _templates() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "report/html/templates").iterdir()):
        template = path.read_text(encoding="utf-8")
        place = path.relative_to(ROOT.parent).as_posix()
        yield from ((place, text) for text in re.findall(r"""\btr\("([^"]*)"\)""", template))
        nouns = re.findall(r"""\bcounted\("([^"]*)"\)""", template)
        yield from ((place, f"counted{CONTEXT}{noun}") for noun in nouns)


def _values() -> Iterator[tuple[str, str]]:
    """Yield what is translated as it is shown, but stands elsewhere: it is in JSON, too."""
    for kind in (FaultKind, FrameOwner, PageKind, Outcome, UnclearableTail):
        yield from ((f"{kind.__module__.replace('.', '/')}.py", member.value) for member in kind)
    yield from (("inspector/reconcile", aspect) for aspect in ASPECTS)


def _catalogue_of_rules() -> Iterator[tuple[str, str]]:
    for rule in RULES.values():
        yield from ((f"rule {rule.id}", text) for text in (rule.statement, rule.reason))
    for example in EXAMPLES.values():
        for text in (example.look_for, *example.questions):
            yield f"example of rule {example.rule}", text


def _in_code(tree: ast.Module, path: Path) -> Iterator[str]:
    is_report = (
        path.parent in (ROOT / "report", ROOT / "report/html", *TOLD) and path.stem not in UNTRANSLATED
    )
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if _is_printed_in_other_languages(path):
            yield from (f"error{CONTEXT}{text}" for text in _in_error(node))
        if path.parent in TOLD:
            yield from _told(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        texts = [each.value if isinstance(each, ast.Constant) else None for each in node.args]
        match name, texts:
            case ("tr" | "N_", [str(text)]):
                yield text
            case ("tr_in" | "N_in", [str(context), str(text)]):
                yield context + CONTEXT + text
            case ("counted", [_, str(noun)]) if is_report:
                yield f"counted{CONTEXT}{noun}"
            case (constructor, [str(text), *_]) if is_report and constructor in SHOWN and text:
                yield text


def _told(call: ast.Call) -> Iterator[str]:
    """Yield the constants of a step that are translated where it is shown: titles, labels, sentences."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    for place in STEPS.get(name, ()):
        for text in call.args[place : place + 1]:
            if isinstance(text, ast.Constant) and isinstance(text.value, str) and text.value:
                yield text.value


def _is_printed_in_other_languages(path: Path) -> bool:
    """Whether the errors raised here end a command that answers in other languages than English."""
    parts = [each.removesuffix(".py") for each in path.relative_to(ROOT).parts]
    return not {*ENGLISH_AS_YET, "simulators"} & set(parts[:2])


def _in_error(call: ast.Call) -> Iterator[str]:
    """Yield what an error is raised with, message and help: constants, and patterns as `{0} ended`."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    if name not in _ERRORS:
        return
    for value in (*call.args[:1], *(each.value for each in call.keywords if each.arg == "help")):
        parts = value.values if isinstance(value, ast.JoinedStr) else [value]
        text, filled = "", 0
        for part in parts:
            if isinstance(part, ast.Constant):
                text += str(part.value)
            else:
                text += f"{{{filled}}}"
                filled += 1
        # What is all filled in, such as a path and the system's own words, needs no translation.
        if re.search("[A-Za-z]{3}", re.sub(r"\{\d\}", "", text)):
            yield text


_ERRORS = {name for name, each in vars(errors).items() if isinstance(each, type)} - {"NotModelled"}
"""NotModelled is a name, which JSON holds."""


def _help(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    place = f"{name} --help"
    options = [each.help for each in command.params if isinstance(each, click.Option)]
    for text in (command.help, command.short_help, command.epilog, *options):
        if text:
            yield place, inspect.cleandoc(text)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            assert below is not None
            yield place, below.get_short_help_str(1000)
            yield from _help(below, f"{name} {each}")


def placeholders(text: str) -> list[str]:
    """Return what str.format() fills in, in any order."""
    return sorted(re.findall(r"\{[^{}]*\}", text))


def written(texts: dict[str, str], known: dict[str, str], header: str) -> str:
    """Return a catalogue of `texts` with the translations that are known."""
    lines = [header.rstrip("\n"), ""]
    for key, place in texts.items():
        context, _, text = key.rpartition(CONTEXT)
        lines += [f"#: {place}"]
        lines += [f"msgctxt {_quoted(context)}"] if context else []
        lines += [f"msgid {_quoted(text)}", f"msgstr {_quoted(known.get(key, ''))}", ""]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\b", "\\b")
    return f'"{plain}"'


def main() -> None:
    """Add what is marked to each catalogue, and drop what no longer is; name what has no translation."""
    texts = marked()
    for path in CATALOGUES:
        known = dict(read_catalogue(path))
        header = path.read_text(encoding="utf-8").partition("\n\n")[0]
        path.write_text(written(texts, known, header), encoding="utf-8")
        missing = [text for text in texts if text not in known]
        sys.stdout.write(f"{path}: {len(texts)} texts, {len(missing)} without a translation\n")


if __name__ == "__main__":
    main()
