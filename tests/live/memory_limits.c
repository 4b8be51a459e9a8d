/* Ask for memory in every way there is, up to the limit of all that is mapped or of data and beyond it.
 *
 * Bits of the exit status: what was refused. With an argument it ends as its stack grows into the limit. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
#define MIB (1ul << 20)

static char *map(unsigned long size, int access, int flags)
{
    return mmap(NULL, size, access, MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
}

static int deep(int n)
{
    volatile char frame[PAGE];

    frame[0] = n;
    return n ? deep(n - 1) + frame[0] : 0;
}

int main(int argc, char **argv)
{
    static const int accesses[] = {PROT_READ | PROT_WRITE, PROT_READ};
    char *zeros = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE), *constant = map(PAGE, PROT_READ, MAP_PRIVATE);
    int refused = 0;

    (void)argv;
    /* First what counts as data, then what does not: ever smaller pieces, until 12 MiB of each are there. */
    for (int i = 0; i < 2; i++)
        for (unsigned long size = 8 * MIB, mine = 0; size >= PAGE; size /= 2)
            while (mine < 12 * MIB && map(size, accesses[i], MAP_PRIVATE) != MAP_FAILED)
                mine += size;
    if (argc > 1)
        return deep(1000);
    refused |= (map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED) == MAP_FAILED) << 0;
    refused |= (map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE) == MAP_FAILED) << 1;
    refused |= (mprotect(constant, PAGE, PROT_READ | PROT_WRITE) != 0) << 2;
    refused |= (mmap(zeros, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE | MAP_FIXED, -1, 0) != zeros) << 3;
    refused |= (mremap(zeros, PAGE, 4 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED) << 4;
    refused |= (mremap(zeros + 2 * PAGE, 2 * PAGE, PAGE, 0) == MAP_FAILED) << 5;
    refused |= (sbrk(16 * PAGE) == (void *)-1) << 6;
    return refused;
}
