# Assembled by gas without a .note.GNU-stack: the process may execute whatever it may read.
    .globl _start
    .text
_start:
    movl $1, %eax
    xorl %ebx, %ebx
    int $0x80
    .data
    .long 1, 2, 3
    .bss
    .space 20000
