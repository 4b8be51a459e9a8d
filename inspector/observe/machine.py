"""This machine, as `doctor` looks at it: files, programs and attempts, none of which raises."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.errors import InspectorError
from inspector.model.address import AddressRange, Pfn, VirtAddr
from inspector.model.program import Program
from inspector.observe.anonymous import anonymous_executable
from inspector.observe.credentials import current_credentials
from inspector.observe.launch import launch
from inspector.observe.tiny_elf import Assembler, link

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BASE = 0x08048000
_AT_PLATFORM = 15
_QUERY_PERSONALITY = 0xFFFFFFFF


class Machine:
    """What can be found out; a test overrides what it wants to be different."""

    environment: Mapping[str, str] = os.environ

    def uname(self) -> tuple[str, str, str]:
        """Return (system, release, machine)."""
        system = os.uname()
        return system.sysname, system.release, system.machine

    def read(self, path: str) -> str | None:
        """Return a file's text, or None if it cannot be read."""
        try:
            return Path(path).read_text(encoding="utf-8", errors="replace")
        except (OSError, ValueError):
            return None

    def exists(self, path: str) -> bool:
        """Whether there is something at `path`."""
        return os.path.lexists(path)

    def process_names(self) -> list[str]:
        """Return what each process calls itself, the kernel's own threads among them."""
        folders = (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return [name.strip() for folder in folders if (name := self.read(f"{folder}/comm"))]

    def which(self, program: str) -> str | None:
        """Return where `program` is on PATH."""
        return shutil.which(program)

    def run(self, command: Sequence[str], stdin: str = "") -> tuple[int, str]:
        """Return a program's exit status and what it printed; status 127 if it could not be run."""
        try:
            done = subprocess.run(  # noqa: S603 - gdb and compilers of the user's own
                command,
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=20,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return 127, str(error)
        return done.returncode, done.stdout + done.stderr

    def links_i386(self, compiler: Sequence[str]) -> tuple[bool, str]:
        """Return whether `compiler` can link a static i386 program, and what it said."""
        with tempfile.TemporaryDirectory(prefix="inspector-") as directory:
            command = [*compiler, "-static", "-x", "c", "-", "-o", f"{directory}/program"]
            status, text = self.run(command, '#include <stdio.h>\nint main(void) { return puts("") < 0; }\n')
        return status == 0, text

    def run_i386(self) -> OSError | None:
        """Run a tiny i386 program of our own; return what the kernel said against it."""
        descriptor = anonymous_executable(_tiny_program())
        try:
            subprocess.run([_path_of(descriptor)], env={}, timeout=20, check=False)  # noqa: S603 - our own
        except OSError as error:
            return error
        finally:
            os.close(descriptor)
        return None

    def stop_at_exec(self) -> InspectorError | None:
        """Lead that program to its first instruction by ptrace; return what stood in the way."""
        descriptor = anonymous_executable(_tiny_program())
        try:
            launch(_request(_path_of(descriptor))).close()
        except InspectorError as error:
            return error
        finally:
            os.close(descriptor)
        return None

    def attach_gdb(self) -> InspectorError | None:
        """Observe that program under gdb; return what stood in the way."""
        from inspector.observe import observe

        descriptor = anonymous_executable(_tiny_program())
        try:
            observe(_request(_path_of(descriptor)), until="exec")
        except InspectorError as error:
            return error
        finally:
            os.close(descriptor)
        return None

    def own_pagemap_entry(self) -> int | None:
        """Return the pagemap entry of a page that we have; None if it cannot be read."""
        buffer = ctypes.create_string_buffer(b"present", 4096)
        address = ctypes.addressof(buffer)
        try:
            with open("/proc/self/pagemap", "rb", buffering=0) as pagemap:  # noqa: PTH123
                pagemap.seek((address >> 12) * 8)
                return int.from_bytes(pagemap.read(8), "little")
        except OSError:
            return None

    def scans_pagemap(self) -> bool:
        """Whether the kernel answers PAGEMAP_SCAN."""
        from inspector.observe.procfs.resident import scan

        try:
            descriptor = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return scan(descriptor, AddressRange(VirtAddr(0), VirtAddr(1 << 20))) is not None
        except OSError:
            return False
        finally:
            os.close(descriptor)

    def sets_personality(self, bits: int) -> bool:
        """Whether personality(2) may set `bits`; ours is put back."""
        libc = ctypes.CDLL(None, use_errno=True)
        before = libc.personality(ctypes.c_ulong(_QUERY_PERSONALITY))
        if before < 0:
            return False
        allowed = libc.personality(ctypes.c_ulong(bits)) >= 0
        libc.personality(ctypes.c_ulong(before))
        return bool(allowed)

    def perf_error(self) -> int | None:
        """Open a counter of our own page faults; return the errno, 0 if it opens, None if unknown here."""
        from inspector.observe.perf.event import ANY_CPU, PAGE_FAULTS, SOFTWARE, Attr, Flag, open_event

        flags = Flag.DISABLED | Flag.EXCLUDE_KERNEL | Flag.EXCLUDE_HV
        try:
            os.close(open_event(Attr(SOFTWARE, PAGE_FAULTS, flags), 0, ANY_CPU))
        except OSError as error:
            return error.errno
        except InspectorError:
            return None
        return 0

    def tracefs_refusal(self) -> str | None:
        """Look up a tracepoint of page faults; return what stood in the way."""
        from inspector.observe.perf.sources import USER_FAULTS
        from inspector.observe.perf.tracefs import read_tracepoint

        try:
            read_tracepoint(USER_FAULTS)
        except OSError as error:
            return error.strerror
        except ValueError as error:
            return str(error)
        return None

    def platform(self) -> str:
        """Return the string of AT_PLATFORM: the processor as the kernel, or who plays it, calls it."""
        libc = ctypes.CDLL(None)
        libc.getauxval.restype = ctypes.c_char_p
        libc.getauxval.argtypes = [ctypes.c_ulong]
        return (libc.getauxval(_AT_PLATFORM) or b"").decode("ascii", "replace")

    def memory_refusal(self) -> InspectorError | None:
        """Return what keeps programs from all the memory that an i386 address space can hold."""
        from inspector.observe.limits import require_memory

        try:
            require_memory()
        except InspectorError as error:
            return error
        return None

    def terminal_note(self) -> str | None:
        """Open a terminal for a program to write to; return what is not as it should be about it."""
        from inspector.observe.terminal import Terminal

        terminal = Terminal()
        terminal.close()
        return terminal.note

    def sees_page_flags(self) -> bool:
        """Whether /proc/kpageflags may be read."""
        from inspector.observe.procfs.files import frame_flags

        return frame_flags([Pfn(0)]) is not None

    def staging(self) -> tuple[str, str | None]:
        """Stage a program; return where it went, and the reason if that is not a tmpfs."""
        from inspector.observe.staging import stage

        descriptor = anonymous_executable(_tiny_program())
        try:
            with stage(_path_of(descriptor)) as staged:
                return str(Path(staged.path).parent.parent), staged.note
        finally:
            os.close(descriptor)


def _tiny_program() -> bytes:
    assembler = Assembler(_BASE)
    assembler.exit(0)
    return link(assembler, entry=assembler.start)


def _path_of(descriptor: int) -> str:
    return f"/proc/{os.getpid()}/fd/{descriptor}"


def _request(path: str) -> Program:
    return Program(
        path=path, argv=(path,), envp=(), requested=path, credentials=current_credentials(), cwd="/"
    )
