"""Where each rule can be seen: a command that shows it on a fixture, what to look for, and who asks.

The questions are those that learners bring along; the examples are run by a test, which looks for itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from inspector.rules import find_rule


@dataclass(frozen=True, slots=True)
class Example:
    """A command that shows a rule at work."""

    rule: str
    command: str
    """As it is typed, but for `inspector` in front."""
    look_for: str
    """One sentence."""
    questions: tuple[str, ...] = ()
    """Which the rule answers."""


_HELLO = "fixtures/build/hello"
_AT_EXEC = "predict --until exec"

_EXAMPLES = (
    Example(
        "exec.no-permission",
        "predict /etc/passwd",
        "The verdict is EACCES, though the file can be read.",
    ),
    Example("exec.path", "predict /nowhere", "The verdict is ENOENT, and the rule stands beside it."),
    Example("exec.not-regular", "predict /tmp", "The verdict is EACCES: a directory is not executed."),
    Example(
        "elf.separate-code",
        f"layout {_HELLO}_noseparate_code",
        "Headers, code and constants are one area that may be executed; of hello they are three.",
        ("Why are there four PT_LOADs, where the book has two segments?",),
    ),
    Example(
        "vma.more-than-segments",
        f"{_AT_EXEC} {_HELLO}",
        "Four PT_LOADs (readelf -l) are five areas: the last one's zeros have no file behind them.",
        ("Why are there five areas, where four segments were expected?",),
    ),
    Example(
        "vma.segment-file",
        f"{_AT_EXEC} {_HELLO}_noseparate_code",
        "The data begin at the file offset of the page in which the code ends: both areas map that page.",
        ("Why is one page of the file in two areas?",),
    ),
    Example(
        "vma.segment-bss",
        f"{_AT_EXEC} fixtures/build/bss_tail",
        ".bss begins in the last page of the data, which is the file's, and goes on in an anonymous area.",
        ("Why are there two areas for .bss?",),
    ),
    Example(
        "elf.padzero",
        f"{_AT_EXEC} fixtures/build/bss_tail",
        "Before the first instruction the last page of the data is resident, and anonymous: a copy.",
        ("Why is a page of the data resident before the program has run?",),
    ),
    Example(
        "vma.relro",
        f"predict --until main {_HELLO}",
        "At exec the data are one area, at main two: the first is r--p. hello_norelro keeps one.",
        ("Why is there a third mapping of the data, without a PT_LOAD?",),
    ),
    Example(
        "vma.read-implies-exec",
        f"{_AT_EXEC} {_HELLO}_no_gnu_stack",
        "Data, .bss and stack are rwxp, and the constants are in one area with the code.",
        ("Why is everything executable? What is READ_IMPLIES_EXEC?",),
    ),
    Example(
        "vma.vdso",
        f"{_AT_EXEC} {_HELLO}",
        "[vvar], [vvar_vclock] and [vdso] lie at the top of the mmap area, and no file is behind them.",
        ("What are [vvar] and [vdso], and who mapped them?",),
    ),
    Example(
        "vma.stack",
        f"{_AT_EXEC} fixtures/build/many_arguments -- $(seq 3000)",
        "The stack has the pages of the strings and 32 more (128 KiB); hello's, with one page of them, 33.",
        ("Where does the size of the stack at exec come from?",),
    ),
    Example(
        "vma.heap",
        f"predict --until main {_HELLO}",
        "There is no [heap] at exec; at main there is one, where brk was.",
        ("Where is the heap?",),
    ),
    Example(
        "layout.default-base",
        f"{_AT_EXEC} {_HELLO}_text_segment",
        "It was linked with -Ttext-segment=0x10000000, and lies there; hello lies at 0x08048000.",
        ("Why does the program begin at 0x08048000?",),
    ),
    Example(
        "layout.brk",
        f"{_AT_EXEC} {_HELLO}_static_pie",
        "The program lies below the mmap base, and brk is 0x56555000, far away from its .bss.",
        ("Why does the heap not begin behind .bss?",),
    ),
    Example(
        "layout.aslr",
        f"check --aslr --until exec {_HELLO}_pie",
        "Run it twice: bases differ, and what was predicted from them agrees.",
        ("Why do the addresses differ from run to run?",),
    ),
    Example(
        "layout.static-pie",
        f"{_AT_EXEC} {_HELLO}_static_pie",
        "The program lies where a dynamic loader would, at the top of the mmap area.",
    ),
    Example(
        "layout.et-dyn",
        f"{_AT_EXEC} {_HELLO}_pie",
        "It begins at 0x56555000.",
        ("Why does a position-independent program begin at 0x56555000?",),
    ),
    Example(
        "layout.task-size",
        f"{_AT_EXEC} --layout 3gb {_HELLO}",
        "The stack ends at 0xc0000000, as in the book; without the option at 0xffffe000.",
        ("Why does the stack not end at 0xc0000000?",),
    ),
    Example(
        "layout.null-page",
        "predict fixtures/build/null_read",
        "The last fault is refused: there is no area at 0. The program ends by SIGSEGV, SEGV_MAPERR.",
        ("Why does a null pointer crash?",),
    ),
    Example(
        "layout.kernel-space",
        "predict fixtures/build/touch_kernel",
        "The last fault is refused, at an address that no program has.",
        ("What happens when a program touches the kernel's addresses?",),
    ),
    Example(
        "fault.around",
        f"predict {_HELLO}",
        "One fault on the code maps up to sixteen pages: far more pages are resident than faults were taken.",
        ("Why are there fewer faults than resident pages?",),
    ),
    Example(
        "fault.zero-page",
        "predict --verbose fixtures/build/touch_pages",
        "A page that is read first faults as `zero page`; written later, once more as `copy on write`.",
        ("Why does one page fault twice?",),
    ),
    Example(
        "fault.copy-on-write",
        "predict --verbose fixtures/build/cow_after_fork",
        "After fork, writing to a page that both processes have copies it.",
        ("Who copies a page after fork, and when?",),
    ),
    Example(
        "fault.file-copy",
        f"predict {_HELLO}",
        "The first write to a page of the data maps one page, not sixteen.",
    ),
    Example(
        "fault.stack-growth",
        "predict --verbose fixtures/build/deep_recursion",
        "Faults below the stack extend its area down to them.",
        ("How does the stack grow?",),
    ),
    Example(
        "fault.refused",
        "predict fixtures/build/write_text",
        "The last fault has a `!`: the page was there, and its area forbids to write.",
        ("Why is a page that is there not enough to write to it?",),
    ),
    Example(
        "fault.minor-major",
        f"predict {_HELLO}",
        "All faults are minor: the file is in memory when the program starts.",
        ("What is the difference between a minor and a major fault?",),
    ),
    Example(
        "fault.populate",
        "predict fixtures/build/whole_load -- whole",
        "More pages are resident, and fewer faults are taken, than with `-- demand`.",
    ),
    Example(
        "observe.gdb-start",
        f"{_AT_EXEC} --env LINES=24 --env COLUMNS=80 {_HELLO}",
        "With what gdb adds to the environment esp is lower, and every string lies elsewhere.",
        ("What does gdb change in the program it runs?",),
    ),
    Example(
        "observe.pfn-hidden",
        f"observe --until exec {_HELLO}",
        "As root it says `page frames visible`, without privileges `hidden`: pagemap then says 0 for each.",
        ("Why is the PFN 0?",),
    ),
)

EXAMPLES: dict[str, Example] = {find_rule(each.rule).id: each for each in _EXAMPLES}
"""Each rule that a fixture shows, by its id."""

QUESTIONS: dict[str, str] = {question: each.rule for each in _EXAMPLES for question in each.questions}
"""What people ask, and the id of the rule that answers."""
