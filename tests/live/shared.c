/* Shared memory: what each call returns, and what is found in memory, is summed up in the exit status. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096

static unsigned sum;
static char buffer[4 * PAGE] __attribute__((aligned(PAGE)));
static sigjmp_buf back;

static void add(long result)
{
    if (result < 0) result = -errno;
    sum = sum * 31 + (unsigned)result;
}

static void stop_here(void) { syscall(SYS_getppid); }

static void on_bus_error(int number) { siglongjmp(back, number); }

static volatile char *map(void *at, int pages, int protection, int flags, int fd, int page)
{
    volatile char *found = mmap(at, pages * PAGE, protection, flags, fd, page * PAGE);
    add(found == MAP_FAILED ? -1 : 0);
    return found;
}

static int file(const char *name, int pages)
{
    int fd = memfd_create(name, 0);
    add(ftruncate(fd, pages * PAGE));
    return fd;
}

static void try(volatile char *byte, int write)
{
    int number = sigsetjmp(back, 1);
    if (number) add(1000 + number);
    else if (write) *byte = 1;
    else add(*byte);
}

/* Reads find a hole and make one page; fault-around finds what is there; a read page may be written at once. */
static void faults(void)
{
    int fd = file("faults", 40);
    volatile char *one = map(0, 40, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    add(one[5 * PAGE]);
    one[5 * PAGE] = 1;
    one[7 * PAGE] = 2;
    one[20 * PAGE] = 3;
    add(one[6 * PAGE]);
    stop_here();
    volatile char *two = map(0, 40, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    add(two[7 * PAGE]);
    two[5 * PAGE] = 4;
    add(one[5 * PAGE]);
    add(two[21 * PAGE]);
    volatile char *copy = map(0, 40, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    add(copy[7 * PAGE]);
    copy[7 * PAGE] = 9;
    copy[30 * PAGE] = 9;
    add(one[7 * PAGE] + one[30 * PAGE]);
    volatile char *readable = map(0, 40, PROT_READ, MAP_SHARED, fd, 0);
    add(readable[5 * PAGE]);
    add(readable[39 * PAGE]);
    add(madvise((void *)one, 40 * PAGE, MADV_DONTNEED));
    add(one[5 * PAGE]);
    one[39 * PAGE] = 1;
    add(madvise((void *)one, 40 * PAGE, 8 /* MADV_FREE */));
    close(fd);
    stop_here();
}

static void anonymous(void)
{
    volatile char *one = map(0, 4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    volatile char *two = map(0, 4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 3);
    volatile char *three = map(0, 4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    add(one[0]);
    one[PAGE] = 1;
    two[0] = 1;
    add(three[0]);
    stop_here();
    add(munmap((void *)(one + PAGE), PAGE));
    add(mprotect((void *)(two + PAGE), PAGE, PROT_READ));
    map((void *)(three + PAGE), 1, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    add(three[PAGE]);
    stop_here();
    volatile char *grown = mremap((void *)two, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE);
    try(grown + 3 * PAGE, 0);
    try(grown + 4 * PAGE, 0);
    try(grown + 5 * PAGE, 1);
    stop_here();
}

static void protection(void)
{
    int fd = file("protection", 8);
    volatile char *one = map(0, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (int i = 0; i < 6; i++) one[i * PAGE] = i;
    add(mprotect((void *)(one + PAGE), 2 * PAGE, PROT_READ));
    add(mprotect((void *)(one + 4 * PAGE), 2 * PAGE, PROT_NONE));
    stop_here();
    add(one[PAGE]);
    add(mprotect((void *)one, 8 * PAGE, PROT_READ | PROT_WRITE));
    for (int i = 0; i < 8; i++) one[i * PAGE] += i;
    stop_here();
    /* frames in any order over one area, as a pager has them */
    volatile char *pages = map(0, 8, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map((void *)(pages + PAGE), 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 3);
    map((void *)(pages + 2 * PAGE), 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 4);
    map((void *)(pages + 5 * PAGE), 1, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 1);
    map((void *)(pages + 6 * PAGE), 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 2);
    add(pages[PAGE] + pages[2 * PAGE] + pages[5 * PAGE]);
    pages[6 * PAGE] = 77;
    add(one[2 * PAGE]);
    stop_here();
    map((void *)(pages + 2 * PAGE), 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    add(munmap((void *)(pages + 5 * PAGE), PAGE));
    stop_here();
}

static void sizes(void)
{
    int fd = file("sizes", 3);
    volatile char *one = map(0, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    volatile char *copy = map(0, 8, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    try(one + 2 * PAGE, 1);
    try(one + 3 * PAGE, 1);
    try(one + 3 * PAGE, 0);
    add(ftruncate(fd, 5 * PAGE + 10));
    try(one + 5 * PAGE, 1);
    try(one + 6 * PAGE, 0);
    try(copy + 4 * PAGE, 1);
    try(copy + 5 * PAGE, 0);
    stop_here();
    /* what is mapped around a touch stays, though the page touched is beyond the end */
    try(map(0, 8, PROT_READ, MAP_SHARED, fd, 0) + 6 * PAGE, 0);
    add(ftruncate(fd, 2 * PAGE + 10));
    stop_here();
    try(copy + 4 * PAGE, 0);
    try(one + 2 * PAGE, 0);
    add(ftruncate(fd, 8 * PAGE));
    for (int i = 0; i < 8; i++) try(one + i * PAGE, 0);
    add(ftruncate(fd, -1));
    add(ftruncate(0, 0));
    add(ftruncate(99, 0));
    stop_here();
}

static void reading(void)
{
    int fd = file("reading", 0);
    memset(buffer, 'x', sizeof buffer);
    add(write(fd, buffer, 3 * PAGE + 5));
    add(lseek(fd, 0, SEEK_CUR));
    add(lseek(fd, 8 * PAGE, SEEK_SET));
    add(write(fd, buffer + 1, PAGE));
    add(lseek(fd, 0, SEEK_END));
    add(pwrite(fd, buffer, 10, 100));
    add(pread(fd, buffer, 2 * PAGE, 3 * PAGE));
    for (int i = 0; i < 2 * PAGE; i++) sum = sum * 31 + buffer[i];
    add(pread(fd, buffer, 10, 100 * PAGE));
    add(read(fd, buffer, 10));
    add(lseek(fd, -5, SEEK_END));
    add(read(fd, buffer, 10));
    add(read(fd, 0, 10));
    volatile char *one = map(0, 9, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    add(one[0]);
    add(one[5 * PAGE]);
    add(pread(fd, (void *)(one + 6 * PAGE), PAGE, 0));
    add(fsync(fd));
    add(fcntl(fd, F_SETFL, O_APPEND));
    add(pwrite(fd, buffer, 7, 0));
    add(write(fd, buffer, PAGE));
    add(lseek(fd, 0, SEEK_CUR));
    add(lseek(fd, PAGE, SEEK_SET));
    long left = 0;
    add(ioctl(fd, FIONREAD, &left));
    add(left);
    stop_here();
}

static void refused(const char *path)
{
    int fd = open(path, O_RDONLY);
    map(0, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    volatile char *one = map(0, 2, PROT_READ, MAP_SHARED, fd, 0);
    add(one[0]);
    add(mprotect((void *)one, PAGE, PROT_READ | PROT_WRITE));
    int last = lseek(fd, 0, SEEK_END) / PAGE;
    volatile char *end = map(0, 4, PROT_READ, MAP_PRIVATE, fd, last);
    try(end + PAGE, 0);
    try(end + 2 * PAGE, 0);
    add(end[0]);
    volatile char *two = map(0, 2, PROT_READ, MAP_PRIVATE, fd, 0);
    add(two[0]);
    map(0, 1, PROT_READ, 0, fd, 0);
    add(memfd_create((char *)1, 0));
    memset(buffer, 'n', 300);
    add(memfd_create(buffer, 0));
    buffer[249] = 0;
    int longest = memfd_create(buffer, MFD_CLOEXEC);
    add(fcntl(longest, F_GETFL));
    add(fcntl(longest, F_GETFD));
    add(ftruncate(longest, PAGE));
    map(0, 1, PROT_READ | PROT_EXEC, MAP_SHARED, longest, 0);
    stop_here();
}

static void relatives(void)
{
    volatile int *shared = (volatile int *)map(0, 40, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ends[2];
    shared[0] = 1;
    shared[10 * PAGE / 4] = 10;
    add(pipe(ends));
    int child = fork();
    if (!child) {
        char byte;
        shared[1] = shared[0] + 1;
        shared[20 * PAGE / 4] = shared[10 * PAGE / 4];
        add(read(ends[0], &byte, 1));
        shared[2] = shared[30 * PAGE / 4];
        _exit(shared[2]);
    }
    shared[30 * PAGE / 4] = 30;
    add(write(ends[1], "x", 1));
    int status;
    wait(&status);
    add(status);
    add(shared[1] + shared[2] + shared[20 * PAGE / 4]);
    stop_here();
}

static char initialised[20 * PAGE] __attribute__((aligned(PAGE))) = {1};

/* Populated at once: private memory as if written, the rest as if read; what cannot be is left alone. */
static void locking(const char *path)
{
    int fd = file("locking", 40), program = open(path, O_RDONLY);
    volatile char *one = map(0, 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    map(0, 8, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    volatile char *two = map(0, 40, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    map(0, 45, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    map(0, 40, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    map(0, 4, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    map(0, 30, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_POPULATE, program, 3);
    map(0, 8, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    map(0, 3, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
    map(0, 3, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_NONBLOCK, -1, 0);
    stop_here();
    one[0] = two[3 * PAGE] = 1;
    add(munlock((void *)(one + PAGE), PAGE));
    volatile char *three = map(0, 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    add(three[PAGE]);
    add(mlock((void *)(three + 5), 3 * PAGE));
    add(mlock((void *)(three + 6 * PAGE), 200 * PAGE));
    add(madvise((void *)three, PAGE, MADV_DONTNEED));
    add(madvise((void *)three, PAGE, 8));
    volatile char *none = map(0, 2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    add(mlock((void *)none, PAGE));
    stop_here();
    add(munlock((void *)(three + PAGE), PAGE));
    add(mlock((void *)-PAGE, PAGE));
    add(mlock(initialised + PAGE, 2 * PAGE));
    add(mlock(initialised + 3 * PAGE, 0));
    stop_here();
    add(mlockall(0));
    add(mlockall(MCL_FUTURE | 8));
    add(mlockall(MCL_FUTURE));
    volatile char *four = map(0, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map((void *)(four + PAGE), 1, PROT_READ, MAP_PRIVATE | MAP_FIXED, program, 0);
    add(sbrk(5 * PAGE) == (void *)-1);
    stop_here();
    add(munmap((void *)four, 2 * PAGE));
    add(mlockall(MCL_CURRENT));
    stop_here();
    map(0, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int child = fork();
    if (!child) {
        buffer[0] = 1;
        _exit(0);
    }
    int status;
    wait(&status);
    add(munlockall());
    stop_here();
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    signal(SIGBUS, on_bus_error);
    char group = argv[2][0];
    if (group == 'f') faults();
    if (group == 'a') anonymous();
    if (group == 'p') protection();
    if (group == 's') sizes();
    if (group == 'r') reading();
    if (group == 'x') refused(argv[1]);
    if (group == 'l') locking(argv[1]);
    if (group == 'o') relatives();
    return (sum ^ sum >> 8 ^ sum >> 16 ^ sum >> 24) & 0xFF;
}
