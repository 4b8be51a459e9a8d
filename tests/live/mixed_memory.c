/* Calls and touches drawn by a seed, on 64 pages: mappings of all kinds over each other. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define PAGES 64
#define PLACE ((volatile char *)0x20000000)

static unsigned state, sum;
static sigjmp_buf back;
static int files[3];
static char buffer[2 * PAGE] __attribute__((aligned(PAGE)));

static unsigned draw(unsigned below)
{
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
}

static void add(long result)
{
    if (result == -1) result = -errno;
    sum = sum * 31 + (unsigned)result;
}

static void on_fault(int number) { siglongjmp(back, number); }

static void touch(void)
{
    volatile char *byte = PLACE + draw(PAGES) * PAGE + draw(PAGE);
    int write = draw(2), number = sigsetjmp(back, 1);
    if (number) add(1000 + number);
    else if (write) *byte = (char)draw(100);
    else add(*byte);
}

static void map(void)
{
    static const int protections[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE};
    static const int extras[] = {0, 0, 0, 0, 0, MAP_POPULATE, MAP_NORESERVE, MAP_LOCKED};
    unsigned start = draw(PAGES), count = 1 + draw(12), file = draw(5);
    int sharing = draw(3) ? MAP_SHARED : MAP_PRIVATE, fd = file < 3 ? files[file] : -1;
    int flags = MAP_FIXED | sharing | extras[draw(8)] | (fd < 0 ? MAP_ANONYMOUS : 0);
    if (start + count > PAGES) count = PAGES - start;
    void *at = (void *)(PLACE + start * PAGE);
    int protection = protections[draw(4)], offset = fd < 0 ? 0 : (int)draw(24) * PAGE;
    add(mmap(at, count * PAGE, protection, flags, fd, offset) == MAP_FAILED ? -1 : 0);
}

static void range(int what)
{
    unsigned start = draw(PAGES), count = 1 + draw(10);
    static const int protections[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE};
    void *at = (void *)(PLACE + start * PAGE);
    if (start + count > PAGES) count = PAGES - start;
    switch (what) {
    case 0: add(munmap(at, count * PAGE)); break;
    case 1: add(mprotect(at, count * PAGE, protections[draw(4)])); break;
    case 2: add(madvise(at, count * PAGE, draw(2) ? MADV_DONTNEED : 8)); break;
    case 3: add(mlock(at, count * PAGE)); break;
    case 4: add(munlock(at, count * PAGE)); break;
    }
}

/* A child touches what it has inherited while its parent waits. */
static void relate(void)
{
    int status, child = fork();
    if (!child) {
        for (int i = 0; i < 6; i++) touch();
        _exit(sum & 0xFF);
    }
    wait(&status);
    add(status);
    for (int i = 0; i < 6; i++) touch();
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2; /* the seed, and a file to map */
    buffer[0] = buffer[PAGE] = 1;
    state = atoi(argv[1]);
    signal(SIGBUS, on_fault);
    signal(SIGSEGV, on_fault);
    files[0] = memfd_create("one", 0);
    files[1] = memfd_create("two", 0);
    files[2] = open(argv[2], O_RDONLY);
    ftruncate(files[0], 20 * PAGE);
    ftruncate(files[1], 30 * PAGE);
    for (int step = 0; step < 200; step++) {
        unsigned what = step % 60 == 30 ? 21 : draw(24);
        if (what < 10) touch();
        else if (what < 16) map();
        else if (what < 21) range(what - 16);
        else if (step % 60 == 30) relate();
        else if (what < 22) add(ftruncate(files[draw(2)], draw(40) * PAGE));
        else if (what < 23) add(pwrite(files[draw(2)], buffer, PAGE, draw(30) * PAGE));
        else add(pread(files[draw(2)], buffer, draw(sizeof buffer), draw(40 * PAGE)));
        if (step % 50 == 49) syscall(SYS_getppid);
    }
    return (sum ^ sum >> 8 ^ sum >> 16 ^ sum >> 24) & 0xFF;
}
