"""A student's loader, as a good one might be: areas at exec from an ELF file's headers alone.

It is run in the sandbox, by the system's own Python, and imports nothing of ours.
"""

import struct
import sys

PAGE, TOP, STACK = 4096, 0xFFFFE000, 33
PT_LOAD, PT_GNU_STACK, X, W, R = 1, 0x6474E551, 1, 2, 4


def down(address: int) -> int:
    return address & -PAGE


def up(address: int) -> int:
    return -(-address // PAGE) * PAGE


def perms(flags: int) -> str:
    return "".join(letter if flags & bit else "-" for letter, bit in zip("rwx", (R, W, X), strict=True)) + "p"


def main(path: str) -> str:
    with open(path, "rb") as file:  # noqa: PTH123 - no more than it needs
        data = file.read()
    if data[:4] != b"\x7fELF":
        return "refused: ENOEXEC"
    kind, machine = struct.unpack_from("<HH", data, 16)
    (phoff,) = struct.unpack_from("<I", data, 28)
    size, number = struct.unpack_from("<HH", data, 42)
    if kind not in (2, 3) or machine not in (3, 6) or size != 32 or not number:
        return "refused: ENOEXEC"
    headers = [struct.unpack_from("<8I", data, phoff + 32 * each) for each in range(number)]
    loads = [header for header in headers if header[0] == PT_LOAD]
    stacks = [header[6] for header in headers if header[0] == PT_GNU_STACK]
    implied = X if not stacks else 0  # READ_IMPLIES_EXEC
    lines = []
    for _, offset, vaddr, _, filesz, memsz, flags, _ in loads:
        if filesz > memsz or (offset - vaddr) % PAGE:
            return "killed: SIGSEGV"
        access = flags | (implied if flags & R else 0)
        end = up(vaddr + filesz)
        lines.append((down(vaddr), end, perms(access), down(offset), "/prog"))
        if up(vaddr + memsz) > end:
            lines.append((end, up(vaddr + memsz), perms(R | W | (flags & X) | implied), 0, ""))
    executable = not stacks or stacks[0] & X
    lines.append((TOP - STACK * PAGE, TOP, perms(R | W | (X if executable else 0)), 0, "[stack]"))
    merged = [lines[0]]
    for line in lines[1:]:
        start, end, access, offset, name = line
        last = merged[-1]
        follows = last[1] == start and last[2] == access and last[4] == name
        if follows and (name == "" or last[3] + last[1] - last[0] == offset):
            merged[-1] = (last[0], end, access, last[3], name)
        else:
            merged.append(line)
    return "\n".join(f"{s:08x}-{e:08x} {p} {o:08x} 00:00 0 {n}" for s, e, p, o, n in merged)


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1]) + "\n")
