; Assembled and linked by nasm's rules: `nasm -f elf32`, then ld.
global _start
section .text
_start: mov eax, 1
        xor ebx, ebx
        int 0x80
section .rodata
text:   db "rodata"
section .data
value:  dd 42
section .bss
room:   resb 70000
