/* For every linker: no library at all, one variable in each kind of section. */
const char in_rodata[5000] = "rodata";
int in_data[1200] = {1};
int in_bss[3000];
int *pointer = in_bss; /* a relative relocation when position-independent */

void _start(void)
{
    in_bss[2999] = in_data[0] + in_rodata[0] + *pointer;
    __asm__ volatile("int $0x80" : : "a"(1), "b"(0));
    for (;;)
        ;
}
