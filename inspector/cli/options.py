"""The options that commands share, and how PROGRAM... [-- ARG...] is taken apart."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from inspector.errors import UsageError
from inspector.model.program import Layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from click.shell_completion import CompletionItem

    from inspector.cli.output import Output
    from inspector.model.profile import MachineProfile
    from inspector.model.program import Program

    Function = TypeVar("Function", bound=Callable[..., Any])

_ARGUMENTS = "inspector.arguments"
_DEFAULT_SECONDS = 60.0
_MOST_SECONDS = 1_000_000


class ProgramCommand(click.Command):
    """A command for programs: what follows the first `--` are the programs' own arguments."""

    allow_extra_args = True
    """What is too much is refused here, in words that tell where it may have belonged."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set the programs' arguments aside, whatever they look like. Raises UsageError."""
        given = args
        if "--" in args:
            cut = args.index("--")
            ctx.meta[_ARGUMENTS] = tuple(args[cut + 1 :])
            args = args[:cut]
        see = f"see `{ctx.command_path} --help`"
        follows = f"what is meant for the program follows --; {see}"
        try:
            extra = super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name == "--lang":
                raise
            raise UsageError(error.format_message(), help=follows) from error
        except click.MissingParameter as error:
            if "--" not in given or error.param is None:
                raise
            missing = error.param.make_metavar(ctx)
            raise UsageError(
                f"{missing} is missing in front of --", help=f"what follows -- is for the program; {see}"
            ) from error
        if extra:
            raise UsageError(f"too many arguments: {' '.join(extra)}", help=follows)
        return extra

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Name the arguments in the usage line."""
        return [*super().collect_usage_pieces(ctx), "[-- ARG...]"]


class AnyPath(click.ParamType[str]):
    """A path that need not lead anywhere: the kernel will say."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401
        """Take it as it is."""
        del param, ctx
        return os.fsdecode(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Let the shell complete file names."""
        from click.shell_completion import CompletionItem

        del ctx, param
        return [CompletionItem(incomplete, type="file")]


class Seconds(click.ParamType[float]):
    """A time for people to wait: positive, and no more than a few days."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """Refuse what is no such number, nan and inf among them."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= _MOST_SECONDS:
            self.fail(f"{value} is no time in seconds: give a number, at most {_MOST_SECONDS}.", param, ctx)
        return seconds


@dataclass(frozen=True, slots=True)
class Launching:
    """How the programs are to be started, the same for each of them."""

    arguments: tuple[str, ...]
    environment: tuple[str, ...]
    stdin: str
    layout: Layout
    randomize: bool
    in_place: bool

    def prepare(self, requested: str) -> AbstractContextManager[Program]:
        """Return the context in which `requested` can be run."""
        from inspector.observe.staging import prepare

        return prepare(
            requested,
            arguments=self.arguments,
            environment=self.environment,
            stdin=self.stdin,
            layout=self.layout,
            randomize=self.randomize,
            in_place=self.in_place,
        )


def launching_of(
    env: tuple[str, ...] = (),
    stdin: str = "/dev/null",
    layout: str = Layout.DEFAULT.value,
    aslr: bool = False,
    in_place: bool = False,
) -> Launching:
    """Return how programs are launched, with the arguments of the current command line. Raises UsageError."""
    for entry in env:
        if not entry.partition("=")[0] or "=" not in entry:
            msg = f"--env {entry!r} is not NAME=VALUE"
            raise UsageError(msg, help="for example --env LANG=C")
    if not os.access(stdin, os.R_OK) or os.path.isdir(stdin):  # noqa: PTH112 - any bytes
        msg = f"--stdin {stdin}: cannot be read"
        raise UsageError(msg, help="give --stdin a readable file")
    return Launching(arguments(), env, stdin, Layout(layout), aslr, in_place)


def arguments() -> tuple[str, ...]:
    """Return what follows -- on the current command line."""
    return tuple(click.get_current_context().meta.get(_ARGUMENTS, ()))


def machine_profile(path: str | None) -> MachineProfile:
    """Return the profile the user named, or this machine's."""
    from inspector.observe.profile_store import current_profile, load_profile

    return current_profile() if path is None else load_profile(path)


def _together(*decorators: Callable[[Any], Any]) -> Callable[[Function], Function]:
    def decorate(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def refuse_aslr_alone(how: Launching, *, predict_only: bool) -> None:
    """Raise UsageError where random bases would have to be known without running the program."""
    if how.randomize and predict_only:
        raise UsageError(
            "--predict-only cannot know what ASLR chooses", help="leave out one of --aslr and --predict-only"
        )


def refuse_picture_of_many(shown: Output) -> None:
    """Raise UsageError where more than one program would have to go into one picture."""
    if shown.wants_picture:
        raise UsageError("--svg draws one program", help="name one PROGRAM; run the command once for each")


programs_argument = click.argument("programs", metavar="PROGRAM...", nargs=-1, required=True, type=AnyPath())

layout_option = click.option(
    "--layout",
    type=click.Choice([layout.value for layout in Layout]),
    default=Layout.DEFAULT.value,
    help="3gb: the stack ends at 0xc0000000.",
)
_launching_options = _together(
    click.option(
        "--env", multiple=True, metavar="NAME=VALUE", help="Add to the environment; may be repeated."
    ),
    click.option("--stdin", default="/dev/null", metavar="FILE", help="What the program reads. [/dev/null]"),
    layout_option,
    click.option("--aslr", is_flag=True, help="Leave address space randomisation on."),
    click.option("--in-place", is_flag=True, help="Run the file where it stands, not a copy on a tmpfs."),
)


def _timeout_option(help_text: str) -> Callable[[Function], Function]:
    return click.option(
        "--timeout", "seconds", type=Seconds(), default=_DEFAULT_SECONDS, metavar="SECONDS", help=help_text
    )


predicting_option = _timeout_option("Give the prediction of each program this long. [60]")
profile_option = click.option(
    "--profile", type=AnyPath(), metavar="FILE", help="Predict for the machine of this profile."
)
list_option = click.option(
    "--list",
    "listed",
    type=AnyPath(),
    metavar="FILE",
    help="Take what FILE lists, too: on a line [--stop WHERE]... [NAME=VALUE]... PROGRAM [ARG]...",
)
predict_only_option = click.option("--predict-only", is_flag=True, help="Run nothing.")

running_options = _together(
    _timeout_option(
        "Give each program this long: its run, the second one for page faults, and a prediction, for half of "
        "it at most. [60]"
    ),
    click.option("--gdb", type=AnyPath(), metavar="FILE", help="The gdb to use. [$INSPECTOR_GDB, or gdb]"),
)
stop_options = _together(
    click.option(
        "--stop",
        "stops",
        multiple=True,
        metavar="WHERE",
        help="Stop at a symbol, an address (0x8049000, 08049000), a system call (syscall:NAME; "
        "syscall:NAME#3 is its third entry) or the Nth system call of all (syscall#N); may be repeated.",
    ),
    click.option(
        "--until", metavar="CHECKPOINT", help="The last stop: exec, main, exit or one of --stop. [exit]"
    ),
    running_options,
)

html_option = click.option(
    "--html",
    type=AnyPath(),
    metavar="FILE",
    help="Write a page for a browser: one self-contained file. Of several programs FILE is a directory, with "
    "a page for each and index.html, so that each can be handed out by itself.",
)
json_option = click.option(
    "--json", type=AnyPath(), metavar="FILE", help="Write JSON as well; - is stdout, instead."
)
_verbose_option = click.option("--verbose", "-v", is_flag=True, help="Show everything.")
_picture_options = _together(
    click.option("--svg", type=AnyPath(), metavar="FILE", help="Draw map and pages, of one program."),
    click.option("--gaps", is_flag=True, help="Show the addresses between the areas, too."),
    click.option("--pages", is_flag=True, help="Show every page of every area, a letter each."),
)


def launching_options(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options of how programs are launched, as one argument `how`: a Launching."""

    @wraps(function)
    def command(
        *arguments: Any,  # noqa: ANN401 - the command's own
        env: tuple[str, ...],
        stdin: str,
        layout: str,
        aslr: bool,
        in_place: bool,
        **options: Any,  # noqa: ANN401 - the command's own
    ) -> int:
        return function(*arguments, how=launching_of(env, stdin, layout, aslr, in_place), **options)

    return _launching_options(command)


def output_options(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command --json and --verbose, as one argument `shown`: an Output."""
    return _together(json_option, _verbose_option)(_with_output(function))


def picture_options(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command all options of how a process is shown, as one argument `shown`: an Output."""
    return _together(json_option, _picture_options, _verbose_option)(_with_output(function))


def _with_output(function: Callable[..., int]) -> Callable[..., int]:
    @wraps(function)
    def command(
        *arguments: Any,  # noqa: ANN401 - the command's own
        json: str | None,
        verbose: bool,
        svg: str | None = None,
        gaps: bool = False,
        pages: bool = False,
        **options: Any,  # noqa: ANN401 - the command's own
    ) -> int:
        from inspector.cli.output import Output
        from inspector.report.detail import Detail

        detail = Detail(verbose=verbose, gaps=gaps, pages=pages)
        return function(*arguments, shown=Output(json, svg=svg, detail=detail), **options)

    return command
