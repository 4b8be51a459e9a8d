/* What `make bench` measures with: the first argument says what is done, the second how often. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
enum { PAGE = 4096, WORDS = 1 << 20 };
static unsigned words[WORDS];
static volatile unsigned result;

/* Registers alone: seven instructions a turn. */
static unsigned arithmetic(unsigned long turns) {
    unsigned x = turns, y = 1;
    for (; turns; turns--) {
        x = x * 1664525u + 1013904223u;
        y ^= x >> 7;
    }
    return y;
}

/* Every word of 4 MiB read and written, each turn. */
static unsigned memory(unsigned long turns) {
    unsigned sum = 0;
    for (; turns; turns--)
        for (unsigned i = 0; i < WORDS; i++) {
            words[i] += i ^ turns;
            sum += words[i];
        }
    return sum;
}

/* One page fault a turn. */
static unsigned faults(unsigned long turns) {
    char *pages = mmap(0, turns * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        abort();
    for (unsigned long i = 0; i < turns; i++)
        pages[i * PAGE] = 1;
    return pages[0];
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    unsigned long turns = strtoul(argv[2], 0, 10);
    result = !strcmp(argv[1], "arithmetic") ? arithmetic(turns)
             : !strcmp(argv[1], "memory")   ? memory(turns)
                                            : faults(turns);
    return 0;
}
