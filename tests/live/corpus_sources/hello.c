/* For every C library: read-only data, data, thread-local data, a small and a large bss, a constructor. */
#include <stdio.h>

static const char greeting[] = "hello from a program no fixture resembles";
static int counter = 1;
static char small[100];
static char large[300000];
#ifndef NO_TLS
static __thread int per_thread = 7;
static __thread char per_thread_bss[5000];
#else
static int per_thread = 7;
static char per_thread_bss[5000];
#endif

__attribute__((constructor)) static void count(void)
{
    counter++;
}

int main(int argc, char **argv)
{
    small[0] = large[sizeof large - 1] = per_thread_bss[4999] = (char)argc;
    printf("%s %d %d %s\n", greeting, counter, per_thread, argv[0]);
    return 0;
}
