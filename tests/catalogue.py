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
from inspector.examples import EXAMPLES
from inspector.lab.exercise import load_exercise, ready_names
from inspector.lab.grading import Mark as RowMark
from inspector.language import read_catalogue
from inspector.model.fault import FaultKind
from inspector.model.frame import FrameOwner
from inspector.model.page import PageKind
from inspector.model.prediction import Outcome
from inspector.model.profile import UnclearableTail
from inspector.report.html.environment import NOUN_IN_SCRIPT, TEXT_IN_SCRIPT
from inspector.rules import RULES
from inspector.story.faults import WORDS_OF_KINDS
from inspector.view.areas import AreaKind
from inspector.view.pages import Cell

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1] / "inspector"
CATALOGUES = sorted((ROOT / "locale").glob("*/LC_MESSAGES/inspector.po"))
SHOWN = ("Fact", "Column", "Section", "Paragraph")
"""Their first argument is translated where a document is shown."""
LABS = tuple(ROOT / each for each in ("lab", "lab/kinds", "cli/lab"))
TOLD = (ROOT / "story", ROOT / "explain")
STEPS = {"Step": (0, 1), "Told": (0,), "Value": (0,), "Note": (0, 1), "exec_value": (1,)}
"""Their arguments at these places are translated where a step is shown."""
REPORTS = (*(ROOT / "report" / each for each in ("", "html", "svg", "lab")), *TOLD)
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
        *_exercises(),
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
    place = "inspector/report/html/static"
    for path in sorted((ROOT.parent / place).glob("*.js")):
        script = path.read_text(encoding="utf-8")
        yield from ((place, text) for text in TEXT_IN_SCRIPT.findall(script))
        yield from ((place, f"counted{CONTEXT}{noun}") for noun in NOUN_IN_SCRIPT.findall(script))


def _values() -> Iterator[tuple[str, str]]:
    """Yield what is translated as it is shown, but stands elsewhere: it is in JSON, too."""
    for kind in (FaultKind, FrameOwner, PageKind, Outcome, UnclearableTail, AreaKind, Cell):
        yield from ((f"{kind.__module__.replace('.', '/')}.py", member.value) for member in kind)
    yield from (("inspector/reconcile", aspect) for aspect in ASPECTS)
    yield from (("inspector/lab/grading.py", f"mark{CONTEXT}{mark.value}") for mark in RowMark)
    yield from (("inspector/story/faults.py", words) for words in WORDS_OF_KINDS.values())


def _catalogue_of_rules() -> Iterator[tuple[str, str]]:
    for rule in RULES.values():
        yield from ((f"rule {rule.id}", text) for text in (rule.statement, rule.reason))
    for example in EXAMPLES.values():
        for text in (example.look_for, *example.questions):
            yield f"example of rule {example.rule}", text


def _exercises() -> Iterator[tuple[str, str]]:
    for name in ready_names():
        exercise = load_exercise(name)
        texts = [exercise.title, exercise.follows, exercise.text, exercise.teacher]
        for each in exercise.questions:
            texts += [each.ask, each.why, *(hint.text for hint in each.hints)]
        yield from ((f"exercise {name}", " ".join(text.split())) for text in texts if text)


def _in_labs(node: ast.AST) -> Iterator[str]:
    """Yield what results of exercises hold in English: remarks, and the names of rows."""
    if isinstance(node, ast.Return | ast.Yield) and node.value is not None:
        yield from (f"error{CONTEXT}{text}" for text in _patterns(node.value) if " " in text.strip())
    elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("problem", "note", "detail"):
        yield from (f"error{CONTEXT}{text}" for text in _patterns(node.value))
    elif isinstance(node, ast.Call):
        name = ast.unparse(node.func).rpartition(".")[2]
        values = [*node.args, *(each.value for each in node.keywords if each.arg == "help")]
        texts = [list(_patterns(each)) for each in values]
        if name in ("NotTold", "BadAnswer", "BadSheet", "BadSubmission", "CannotRun", "Nothing"):
            yield from (f"error{CONTEXT}{text}" for each in texts for text in each)
        elif name in ("Unread", "RowVerdict", "QuestionVerdict", "Ran"):
            yield from (f"error{CONTEXT}{text}" for each in texts[2:] for text in each)
        if name in ("Row", "Unread"):
            yield from (f"row{CONTEXT}{text}" for each in texts[:1] for text in each)


def _in_code(tree: ast.Module, path: Path) -> Iterator[str]:
    yield from (f"error{CONTEXT}{text}" for text in _in_assignments(tree))
    is_report = path.parent in REPORTS
    for node in ast.walk(tree):
        if path.parent in LABS:
            yield from _in_labs(node)
        if not isinstance(node, ast.Call):
            continue
        yield from (f"error{CONTEXT}{text}" for text in _in_error(node))
        if path.parent in TOLD:
            yield from _told(node)
        yield from _in_names(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        texts = [each.value if isinstance(each, ast.Constant) else None for each in node.args]
        match name, texts:
            case ("tr" | "N_", [str(text)]):
                yield text
            case ("tr_in" | "N_in", [str(context), str(text)]):
                yield context + CONTEXT + text
            case ("counted", [_, str(noun)]) if is_report or path.parent in LABS:
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


def _in_error(call: ast.Call) -> Iterator[str]:
    """Yield what an error is raised with, message and help: constants, and patterns as `{0} ended`."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    if name not in _ERRORS:
        return
    # The name of what is not modelled is none of its texts: JSON holds it.
    message = call.args[:1] if name != "NotModelled" else []
    for value in (*message, *(each.value for each in call.keywords if each.arg == "help")):
        yield from _patterns(value)


_ERRORS = {name for name, each in vars(errors).items() if isinstance(each, type)}


def _in_names(call: ast.Call) -> Iterator[str]:
    """Yield what JSON holds in English and people are shown translated: of a prediction, and of a run."""
    func = ast.unparse(call.func)
    texts = [text for value in call.args for text in _patterns(value)]
    if func in ("NotModelled", "NotModelledAt", "Turns", "_hidden"):
        yield from (f"not modelled{CONTEXT}{text}" for text in texts)
    elif func.rpartition(".")[2] in ("assume", "_assume", "Assumption"):
        yield from (f"assumption{CONTEXT}{text}" for text in texts)
    elif func.endswith("notes.append"):
        yield from (f"error{CONTEXT}{text}" for text in texts)
    elif func in ("FaultTrace", "replace"):
        for keyword in call.keywords:
            if keyword.arg == "notes" and isinstance(keyword.value, ast.Tuple):
                for value in keyword.value.elts:
                    yield from (f"error{CONTEXT}{text}" for text in _patterns(value))


def _in_assignments(tree: ast.Module) -> Iterator[str]:
    """Yield what is first kept in a variable: an error's message or help, and what an observation lacks."""
    for scope in (tree, *ast.walk(tree)):
        if not isinstance(scope, ast.Module | ast.FunctionDef):
            continue
        calls = [each for each in ast.walk(scope) if isinstance(each, ast.Call)]
        raised = {
            value.id
            for call in calls
            if isinstance(call.func, ast.Name) and call.func.id in _ERRORS
            for value in (*call.args[:1], *(each.value for each in call.keywords if each.arg == "help"))
            if isinstance(value, ast.Name)
        }
        body = scope.body if isinstance(scope, ast.Module) else ast.walk(scope)
        for node in body:
            if isinstance(node, ast.Assign):
                name = ast.unparse(node.targets[0])
                if name in raised or name.rpartition(".")[2] in ("cut_short", "note"):
                    yield from _patterns(node.value)


def _patterns(value: ast.expr) -> Iterator[str]:
    """Yield a constant, or a pattern with `{0}` for what is filled in, if it has words of its own."""
    if isinstance(value, ast.BoolOp):
        yield from (text for each in value.values for text in _patterns(each))
        return
    if isinstance(value, ast.Constant) and not isinstance(value.value, str):
        return
    if isinstance(value, ast.IfExp):
        yield from (*_patterns(value.body), *_patterns(value.orelse))
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
