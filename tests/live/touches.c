/* Touches pages in every way, prints what each must be and where it is, and stops itself. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
enum { PAGE = 4096, HUGE = 2 << 20 };
static const char rodata[3 * PAGE] __attribute__((aligned(4096))) = "read only";
static char data[2 * PAGE] __attribute__((aligned(4096))) = "data";
static char bss[4 * PAGE] __attribute__((aligned(4096)));
static volatile char sink;
static char *map(size_t size, int flags, int fd) {
    return mmap(0, size, PROT_READ | PROT_WRITE, flags | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
}
static void say(const char *name, const char *page) { printf("%s %lx\n", name, (unsigned long)page); }
int main(int argc, char **argv) {
    char *anon = map(5 * PAGE, MAP_PRIVATE, -1), *shared = map(2 * PAGE, MAP_SHARED, -1);
    char *file = map(2 * PAGE, MAP_PRIVATE, open(argv[0], O_RDONLY));
    char *huge = map(3 * HUGE, MAP_PRIVATE, -1);
    huge = (char *)(((uintptr_t)huge + HUGE - 1) & -(uintptr_t)HUGE);
    madvise(huge, 2 * HUGE, MADV_HUGEPAGE);
    sink = rodata[PAGE], sink = bss[0], sink = anon[0], sink = anon[2 * PAGE], sink = huge[PAGE];
    data[PAGE] = bss[PAGE] = anon[PAGE] = anon[2 * PAGE] = shared[0] = file[PAGE] = huge[HUGE + PAGE] = 1;
    sink = anon[3 * PAGE], mprotect(anon + 3 * PAGE, PAGE, PROT_NONE);
    say("file", rodata + PAGE), say("zero", bss), say("zero", anon), say("zero", anon + 3 * PAGE);
    say("anonymous", data + PAGE), say("anonymous", bss + PAGE), say("anonymous", anon + PAGE);
    say("anonymous", anon + 2 * PAGE), say("file", shared), say("anonymous", file + PAGE);
    say("zero", huge + PAGE), say("anonymous", huge + HUGE + PAGE);
    say("absent", bss + 2 * PAGE), say("absent", anon + 4 * PAGE), say("absent", shared + PAGE);
    fflush(stdout);
    raise(SIGSTOP);
    return 0;
}
