"""The handler of scripts: a `#!` line makes execve go on with the interpreter it names.

    execve("./script", ["./script", "a"])       #!/bin/interpreter -x y
        becomes  argv = ["/bin/interpreter", "-x y", "./script", "a"]

The old argv[0] makes room for the new strings on the stack; the path that AT_EXECFN points to, and
the name ps shows, stay the script's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.elf.path import interpreter_path
from inspector.elf.script import NoLine, parse_interpreter_line
from inspector.predict.kernel.errno import Errno, KernelError

if TYPE_CHECKING:
    from inspector.elf.file import ExecutableFile
    from inspector.predict.kernel.bprm import LinuxBinprm

_REFUSALS = {
    NoLine.NOT_A_SCRIPT: None,
    NoLine.NO_NAME: "script.no-interpreter",
    NoLine.TRUNCATED: "script.truncated",
}


def load_script(bprm: LinuxBinprm, buffer: bytes) -> ExecutableFile:
    """Rewrite the arguments and return the interpreter, opened for execution (rule `script.arguments`).

    Raises KernelError: ENOEXEC where `buffer`, the file's beginning, has no `#!` line to follow.
    Source: fs/binfmt_script.c:load_script().
    """
    line = parse_interpreter_line(buffer)
    if isinstance(line, NoLine):
        raise KernelError(Errno.ENOEXEC, _REFUSALS[line])
    arguments = bprm.arguments
    arguments.remove_arg_zero()
    arguments.push(bprm.interp)
    if line.argument is not None:
        arguments.push(line.argument)
    arguments.push(line.name)
    bprm.interp = line.name
    bprm.interpreters.append(line.name)
    try:
        return bprm.open_exec(interpreter_path(line.name))
    except KernelError as error:
        raise KernelError(error.errno, "script.interpreter-unusable") from error
