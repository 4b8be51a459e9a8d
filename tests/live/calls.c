/* Small system calls: what each returns and stores is summed up in the exit status. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static unsigned sum;
static char fresh[16][4096] __attribute__((aligned(4096)));

static void add(long result) { sum = sum * 31 + (unsigned)(result < 0 ? -errno : result); }

static void add_bytes(const void *bytes, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        sum = sum * 31 + ((const unsigned char *)bytes)[i];
}

static void descriptors(const char *path)
{
    int file = open(path, O_RDONLY), again = dup(file);
    add(again);
    add(dup2(file, 20));
    add(dup2(20, 20));
    add(dup2(99, 99));
    add(dup2(file, -1));
    add(syscall(SYS_dup3, 20, 20, 0));
    add(syscall(SYS_dup3, 20, 21, O_CLOEXEC));
    add(syscall(SYS_dup3, 20, 21, 1));
    add(fcntl(file, F_DUPFD, 10));
    add(fcntl(file, F_DUPFD_CLOEXEC, 10));
    add(fcntl(file, F_DUPFD, -1));
    add(fcntl(99, F_DUPFD, 0));
    add(close(99));
    add(pread(again, fresh[0], 100, 5000));
    add(pread(again, fresh[1] + 4000, 200, 17));
    add(pread(again, fresh[0], 100, -1));
    add(pread(99, fresh[0], 100, 0));
    add(read(20, fresh[0] + 100, 10));
    add(read(file, fresh[0] + 110, 10));
    add_bytes(fresh, 2 * 4096);
}

static void paths(void)
{
    add(syscall(SYS_getcwd, fresh[3] + 4095, 100));
    add(syscall(SYS_getcwd, fresh[3], 1));
    add(syscall(SYS_getcwd, 0, 100));
    add_bytes(fresh[3], 2 * 4096);
}

static void machine(void)
{
    struct sysinfo *memory = (struct sysinfo *)(fresh[6] + 4064);
    struct utsname *names = (struct utsname *)(fresh[8] + 4000);
    add(sysinfo(memory));
    add((long)memory->totalram & 0x7FFFFFFF);
    add((long)memory->totalswap & 0x7FFFFFFF);
    add((long)memory->mem_unit);
    add(syscall(SYS_sysinfo, 0));
    add(uname(names));
    add_bytes(names->sysname, sizeof names->sysname);
    add_bytes(names->release, sizeof names->release);
    add_bytes(names->machine, sizeof names->machine);
    add(syscall(SYS_uname, 0));
}

static void sleeping(void)
{
    struct timespec *brief = (struct timespec *)(fresh[11] + 4092);
    int *words = (int *)(fresh[14] + 4088);
    add(syscall(SYS_nanosleep, brief, 0));
    add(syscall(SYS_nanosleep, 0, 0));
    brief->tv_nsec = 1000000000;
    add(syscall(SYS_nanosleep, brief, 0));
    words[3] = -1; /* padding */
    add(syscall(407, CLOCK_MONOTONIC, 0, words, 0));
    words[2] = -1;
    add(syscall(407, CLOCK_REALTIME, 0, words, 0));
    add(syscall(SYS_sched_yield));
}

static void names(void)
{
    char *page = fresh[2];
    add(prctl(PR_GET_NAME, page + 4090));
    add_bytes(page + 4090, 16);
    strcpy(fresh[6] - 5, "a name that is too long");
    add(prctl(PR_SET_NAME, fresh[6] - 5));
    add(prctl(PR_GET_NAME, fresh[8]));
    add_bytes(fresh[8], 17);
    add(prctl(PR_SET_NAME, "short"));
    add(prctl(PR_GET_NAME, fresh[8]));
    add_bytes(fresh[8], 17);
    add(prctl(PR_SET_NAME, 0));
    add(prctl(PR_GET_NAME, 0));
}

int main(int count, char **arguments)
{
    const char *only = count > 2 ? arguments[2] : "";
    if (!strcmp(only, "descriptors")) descriptors(arguments[1]);
    if (!strcmp(only, "paths")) paths();
    if (!strcmp(only, "machine")) machine();
    if (!strcmp(only, "names")) names();
    if (!strcmp(only, "sleeping")) sleeping();
    return (int)(sum % 251);
}
