/* Thread-local data is all the writable data there is. */
__thread int first = 3;
__thread char second[9000];

void _start(void)
{
    __asm__ volatile("int $0x80" : : "a"(1), "b"(0));
    for (;;)
        ;
}
