/* What is still granted with about as many areas as vm.max_map_count allows; each answer is one page touched. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096
#define FILLER(n) ((char *)0x20000000 + (n) * 2 * PAGE)
#define MOST_FILLERS 70000
#define AREA ((char *)0x50000000)
#define ELSEWHERE ((char *)0x51000000)
#define ANSWERS ((char *)0x60000000)

static int fillers;

static void *map(char *at, int pages, int protection)
{
    return mmap(at, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static int fill(void)
{
    int before = fillers;
    while (fillers < MOST_FILLERS && map(FILLER(fillers), 1, PROT_READ) != MAP_FAILED)
        fillers++;
    return fillers - before;
}

static void drop(int count)
{
    while (count--)
        munmap(FILLER(--fillers), PAGE);
}

/* Does one thing to an area of 16 pages, the highest of which nobody may use. */
static int ask(int question)
{
    char *middle = AREA + 4 * PAGE, *heap = (char *)syscall(SYS_brk, 0);
    switch (question) {
    case 0: return map(ELSEWHERE, 1, PROT_READ) == MAP_FAILED;
    case 1: return map(middle, 1, PROT_NONE) == MAP_FAILED;
    case 2: return munmap(middle, PAGE);
    case 3: return munmap(AREA, PAGE);
    case 4: return mprotect(middle, PAGE, PROT_READ);
    case 5: return mprotect(AREA, PAGE, PROT_READ);
    case 6: return mprotect(AREA + 14 * PAGE, PAGE, PROT_NONE); /* it joins its neighbour */
    case 7: return madvise(middle, PAGE, MADV_SEQUENTIAL);
    case 8: return mlock(middle, PAGE);
    case 9: return (char *)syscall(SYS_brk, heap + 64 * PAGE) == heap;
    case 10: return mremap(middle, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED;
    default: return mremap(middle, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, ELSEWHERE) == MAP_FAILED;
    }
}

int main(void)
{
    char *answers = map(ANSWERS, 1 << 15, PROT_READ | PROT_WRITE), *heap = (char *)syscall(SYS_brk, 0);
    fill();
    for (int question = 0; question < 12; question++)
        for (int spare = -1; spare < 8; spare++) {
            if (question == 11 && (spare == 4 || spare == 5))
                continue; /* kernels differ */
            drop(16);
            syscall(SYS_brk, heap);
            munmap(ELSEWHERE, PAGE);
            map(AREA, 15, PROT_READ | PROT_WRITE);
            map(AREA + 15 * PAGE, 1, PROT_NONE);
            fill();
            drop(spare + 1);
            errno = 0;
            int error = ask(question) ? errno : 0;
            unsigned answer = error % 16 * 16 + fill() % 16;
            answers[((question * 9 + spare + 1) * 256 + answer) * PAGE] = 1;
        }
    munmap(FILLER(0), 2 * PAGE * MOST_FILLERS);
    return 0;
}
