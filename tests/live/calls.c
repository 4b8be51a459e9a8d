/* Small system calls: what each returns and stores is summed up in the exit status. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static unsigned sum;
static char fresh[16][4096] __attribute__((aligned(4096)));

static int verbose;

static void add(long result)
{
    if (result < 0) result = -errno;
    sum = sum * 31 + (unsigned)result;
    if (verbose) dprintf(1, "%ld\n", result);
}

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

/* The program's own file, by the link that every process has. */
static void itself(void)
{
    struct stat64 about;
    add(pread(open("/proc/self/exe", O_RDONLY), fresh[0] + 4000, 5000, 4096));
    add_bytes(fresh[0], 3 * 4096);
    add(open("/proc/self/exe", O_RDONLY | O_NOFOLLOW));
    add(open("/proc/self/exe", O_RDONLY | O_DIRECTORY));
    add(syscall(SYS_stat64, "/proc/self/exe", &about));
    add((long)about.st_size);
    add((long)about.st_mode);
    add(access("/proc/self/exe", X_OK));
    add(chdir("/proc/self/exe"));
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

/* Copying to user memory: its pages in order, and as much as can be had. */
static void moving(const char *path)
{
    struct { unsigned base, size; } *vectors = (void *)(fresh[0] + 4084);
    char *end = mmap((void *)0x30000000, 8192, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    int file = open(path, O_RDONLY), null = open("/dev/null", O_RDWR);
    munmap(end + 4096, 4096);
    add(read(file, end + 4000, 200));
    add(read(file, end + 4096, 200));
    add(read(file, (void *)0xffffff00, 200));
    add(read(file, (void *)0xffffdff0, 0x3000));
    add(read(file, end, -1));
    add(lseek(file, 0, SEEK_CUR));
    add(write(1, end + 4090, 100));
    add(write(1, end + 2000, 5000));
    add(write(1, 0, 5));
    add(write(null, 0, 5));
    add(write(file, end, 5));
    vectors[0].base = (unsigned)fresh[3] + 4000, vectors[0].size = 200;
    vectors[1].base = (unsigned)end + 4000, vectors[1].size = 200;
    vectors[2].base = (unsigned)fresh[6], vectors[2].size = 200;
    add(syscall(SYS_readv, file, vectors, 3));
    add(syscall(SYS_writev, 1, vectors, 3));
    add(syscall(SYS_writev, 1, vectors + 1, 2));
    add(syscall(SYS_writev, 1, vectors, 0));
    add(syscall(SYS_writev, 1, vectors, 1025));
    add(syscall(SYS_writev, 1, end + 4092, 1));
    add(syscall(SYS_writev, 1, end + 4088, 1));
    vectors[1].size = -1;
    add(syscall(SYS_readv, file, vectors, 3));
    add_bytes(fresh, sizeof fresh);
    add(sendfile(1, file, 0, 100));
    *(long long *)fresh[8] = 10;
    add(syscall(SYS_sendfile64, 1, file, fresh[8], 1000000));
    add(syscall(SYS_sendfile64, 1, file, fresh[9], -1));
    add(syscall(SYS_sendfile64, file, file, 0, 10));
    add(syscall(SYS_sendfile64, null, file, 0, 10));
    add_bytes(fresh[8], 8);
    add(lseek(file, 0, SEEK_CUR));
    add(lseek(file, -1, SEEK_SET));
    add(lseek(file, 3, 9));
    add(lseek(null, 3, SEEK_SET));
    add(lseek(1, 3, SEEK_SET));
    add(pread(1, fresh, 1, 0));
    add(pwrite(1, fresh, 1, 0));
    add(pwrite(file, fresh, 1, 0));
    add(fcntl(file, F_GETFL));
    add(fcntl(null, F_GETFL));
    add(fcntl(1, F_GETFL));
    add(fcntl(0, F_GETFL));
    add(fcntl(file, F_GETFD));
    add(fcntl(file, F_SETFD, 1));
    add(fcntl(file, F_GETFD));
    add(ioctl(file, FIONCLEX));
    add(fcntl(file, F_GETFD));
    add(fcntl(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), F_GETFL));
    add(fcntl(open(path, O_RDONLY | O_CLOEXEC), F_GETFD));
    add(fcntl(file, F_SETFL, O_NONBLOCK | O_APPEND));
    add(fcntl(file, F_GETFL));
    add(ioctl(file, TCGETS, fresh));
    add(ioctl(1, TIOCGPGRP, fresh));
    add(ioctl(file, FIONREAD, fresh[11] + 4094));
    add_bytes(fresh[11] + 4094, 4);
}

static void directories(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY), file;
    add(fd);
    add(syscall(SYS_getdents64, fd, fresh[0] + 4090, 20));
    add(syscall(SYS_getdents64, fd, fresh[0] + 4090, 100));
    add(syscall(SYS_getdents64, fd, fresh[2] + 4077, 1000));
    add(syscall(SYS_getdents64, fd, fresh[2], 1000));
    add(lseek(fd, 0, SEEK_SET));
    add(syscall(SYS_getdents, fd, fresh[4] + 4090, 60));
    add(syscall(SYS_getdents, fd, fresh[6] + 4085, 1000));
    add(lseek(fd, 0, SEEK_SET));
    add(syscall(SYS_getdents64, fd, 0, 1000));
    add(syscall(SYS_getdents64, 99, 0, 1000));
    add(syscall(SYS_getdents64, 0, 0, 1000));
    add_bytes(fresh, sizeof fresh);
    add(read(fd, fresh, 10));
    file = openat(fd, "b", O_RDONLY);
    add(file);
    add(openat(file, "b", O_RDONLY));
    add(openat(99, "b", O_RDONLY));
    add(openat(fd, "none", O_RDONLY));
    add(openat(fd, "b/x", O_RDONLY));
    add(openat(fd, "b", O_RDONLY | O_DIRECTORY));
    add(openat(fd, "b", O_RDONLY | O_CREAT | O_EXCL));
    add(openat(fd, "link", O_RDONLY | O_NOFOLLOW));
    add(openat(fd, ".", O_RDWR));
    add(openat(fd, ".", O_RDONLY | O_CREAT));
    add(open("/dev/tty", O_RDWR));
    add(faccessat(fd, "b", R_OK, 0));
    add(access(path, 8));
    add(chdir("none"));
    add(chdir(path));
    add(access("b", F_OK));
    add(fchdir(file));
    add(fchdir(fd));
    add(syscall(SYS_fstatat64, fd, "b", fresh[9] + 4090, 0));
    add(syscall(SYS_fstatat64, fd, "link", fresh[11] + 4090, AT_SYMLINK_NOFOLLOW));
    add(syscall(SYS_fstatat64, fd, "link", fresh[11], 2));
    add(((struct stat64 *)(fresh[9] + 4090))->st_size);
    add(((struct stat64 *)(fresh[11] + 4090))->st_mode);
    add(syscall(SYS_readlinkat, fd, "link", fresh[13] + 4094, 100));
    add_bytes(fresh[13] + 4094, 4);
}

static void identity(void)
{
    int size;
    add(getpgrp() == getpid());
    add(getsid(0) == getpid());
    add(getpgid(getpid()) == getpid());
    add(setpgid(0, 0));
    add(setpgid(0, -1));
    add(setsid());
    add(syscall(SYS_getresuid32, fresh[0] + 4094, fresh[2] + 4094, fresh[4] + 4094));
    add(syscall(SYS_getresgid32, fresh[0] + 4094, fresh[2] + 4094, 0));
    size = getgroups(0, 0);
    add(size);
    add(getgroups(size + 1, (void *)(fresh[6] + 4090)));
    add(getgroups(-1, 0));
    add(umask(022));
    add(umask(07777));
    add(umask(0));
    add(syscall(SYS_sched_getaffinity, 0, 2, fresh[7]));
    add(syscall(SYS_sched_getaffinity, 0, 7, fresh[7]));
    add(syscall(SYS_sched_getaffinity, 0, 128, fresh[8] + 4092));
    add(syscall(SYS_sched_getaffinity, 0, 128, 0));
    add(syscall(SYS_futex, fresh[10], 129, 1));
    add(syscall(SYS_futex, fresh[10] + 1, 129, 1));
    add(syscall(SYS_futex, fresh[10] + 4, 128, 1, 0));
    add(prctl(PR_CAPBSET_READ, 0));
    add(prctl(PR_CAPBSET_READ, 99));
    add_bytes(fresh[6], 8192);
}

static void clocks(void)
{
    add(syscall(SYS_time, fresh[0]) > 0);
    add(syscall(SYS_time, 1));
    add(syscall(SYS_gettimeofday, fresh[1] + 4092, fresh[3] + 4092));
    add(syscall(SYS_gettimeofday, 0, 0));
    add(syscall(SYS_gettimeofday, 1, 0));
    add(syscall(SYS_clock_gettime, CLOCK_REALTIME, fresh[5] + 4092));
    add(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 1));
    add(syscall(SYS_clock_gettime, 99, fresh[7]));
    add(syscall(SYS_clock_gettime64, CLOCK_PROCESS_CPUTIME_ID, fresh[7] + 4092));
    add(syscall(SYS_times, fresh[9] + 4092) > 0);
    add(syscall(SYS_times, 0) > 0);
    add(syscall(SYS_getrusage, 0, fresh[11] + 4092));
    add(syscall(SYS_getrusage, 5, fresh[11] + 4092));
    add(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, 0, fresh[14], 0));
    add(alarm(0));
}

static void waiting(const char *path)
{
    int file = open(path, O_RDONLY);
    struct pollfd *polled = (struct pollfd *)(fresh[0] + 4088);
    fd_set *set = (fd_set *)(fresh[4] + 4092);
    struct timespec *brief = (struct timespec *)(fresh[8] + 4092);
    struct { unsigned mask, size; } *pack = (void *)(fresh[10] + 4092);
    polled[0] = (struct pollfd){file, POLLIN | POLLOUT, 0};
    polled[1] = (struct pollfd){1, POLLIN | POLLOUT, 0};
    polled[2] = (struct pollfd){99, POLLIN, 0};
    polled[3] = (struct pollfd){-1, POLLIN, 0};
    polled[4] = (struct pollfd){0, POLLIN, 0};
    add(poll(polled, 5, -1));
    add(poll(polled + 1, 1, 0));
    add(poll((void *)1, 1, 0));
    polled[1].events = POLLIN;
    add(poll(polled + 1, 1, 10));
    brief->tv_nsec = 1000;
    add(syscall(SYS_ppoll, polled + 1, 1, brief, 0, 0));
    add(syscall(SYS_ppoll, polled + 1, 1, brief, fresh[9], 4));
    add(syscall(SYS_ppoll, polled + 1, 1, brief, fresh[9], 8));
    add_bytes(polled, 5 * sizeof *polled);
    FD_SET(file, set);
    FD_SET(1, set);
    add(syscall(SYS__newselect, 40, set, 0, 0, 0));
    FD_SET(1, set);
    add(syscall(SYS__newselect, 40, set, set, set, 0));
    FD_SET(50, set);
    FD_SET(1, set);
    add(syscall(SYS__newselect, 40, 0, set, 0, 0));
    FD_SET(50, set);
    add(syscall(SYS__newselect, 51, 0, set, 0, 0));
    FD_ZERO(set);
    add(syscall(SYS__newselect, -1, 0, set, 0, 0));
    add(syscall(SYS__newselect, 0, 0, 0, 0, fresh[12] + 4090));
    add(syscall(SYS__newselect, 1024, set, 0, 0, fresh[12] + 4090));
    pack->mask = (unsigned)fresh[14] + 4092, pack->size = 8;
    brief->tv_nsec = 1000;
    add(syscall(SYS_pselect6, 1, set, 0, 0, brief, pack));
    add(syscall(SYS_pselect6_time64, 1, set, 0, 0, 0, (void *)1));
}

static void sockets(const char *path)
{
    unsigned *words = (unsigned *)(fresh[0] + 4092);
    struct sockaddr_un *name = (struct sockaddr_un *)(fresh[2] + 4090);
    int fd;
    words[0] = AF_UNIX, words[1] = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
    fd = (int)syscall(SYS_socketcall, 1, words);
    add(fd);
    add(fcntl(fd, F_GETFL));
    add(fcntl(fd, F_GETFD));
    name->sun_family = AF_UNIX;
    strcpy(name->sun_path, "/nowhere/at/all");
    words[0] = fd, words[1] = (unsigned)name, words[2] = sizeof *name;
    add(syscall(SYS_socketcall, 3, words));
    add(syscall(SYS_connect, fd, name, 2));
    add(syscall(SYS_connect, fd, name, 129));
    add(syscall(SYS_connect, fd, name, -1));
    add(syscall(SYS_connect, fd, 1, 20));
    name->sun_family = 77;
    add(syscall(SYS_connect, fd, name, 20));
    add(syscall(SYS_connect, 0, name, 20));
    add(syscall(SYS_connect, 99, name, 20));
    add(syscall(SYS_getpeername, 0, 0, 0));
    add(syscall(SYS_getsockname, 99, 0, 0));
    add(syscall(SYS_socketcall, 77, 0));
    add(syscall(SYS_socketcall, 1, 1));
    add(lseek(fd, 0, SEEK_SET));
    add(open(path, O_RDONLY));
    add(prctl(PR_GET_DUMPABLE));
}

static void changes(const char *path)
{
    add(mkdir("/nowhere/at/all", 0777));
    add(mkdir(path, 0777));
    add(mkdir("/", 0777));
    add(mkdir("", 0777));
    add(mkdir(".", 0777));
    add(mkdir("..", 0777));
    add(mkdir((char *)1, 0777));
    add(rmdir("/nowhere/at/all"));
    add(unlink("nowhere"));
    add(unlinkat(AT_FDCWD, "nowhere/at", 0));
    add(unlinkat(99, "nowhere", 0));
    add(rename("nowhere", "there"));
    add(link("nowhere", "there"));
    add(chmod("nowhere", 0));
    add(chown("nowhere", 0, 0));
    add(lchown("nowhere", 0, 0));
    add(truncate("nowhere", 0));
    add(creat("/nowhere/at/all", 0));
    add(mknod("/nowhere/at/all", S_IFIFO, 0));
    add(utimensat(AT_FDCWD, "nowhere", 0, 0));
}

/* What is stored as a whole, and what in parts: it shows where it crosses a page. */
static void structures(const char *path)
{
    char *end = mmap((void *)0x30000000, 8192, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    unsigned words[4] = {-1u, 0, 0xfffff, 0x51};
    int file = open(path, O_RDONLY), status;
    munmap(end + 4096, 4096);
    add(syscall(SYS_statx, file, "", AT_EMPTY_PATH, 0x7ff, fresh[0] + 4000));
    add(syscall(SYS_statx, AT_FDCWD, path, 0, 0x7ff, end + 4000));
    add(syscall(SYS_statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, 0x7ff, 0));
    add(syscall(SYS_statx, AT_FDCWD, path, 0x80, 0x7ff, 0));
    add(syscall(SYS_fstat64, file, end + 4040));
    add(syscall(SYS_stat64, path, end + 4020));
    add(syscall(SYS_lstat64, path, 0));
    add(syscall(SYS_uname, end + 4000));
    add(syscall(SYS_getcwd, end + 4095, 100));
    add(syscall(SYS_readlink, "/proc/self/exe", end + 4094, 100));
    add(syscall(SYS_ugetrlimit, 3, end + 4092));
    add(syscall(SYS_ugetrlimit, 3, fresh[2] + 4092));
    add(syscall(SYS_ugetrlimit, 99, 0));
    add(syscall(SYS_prlimit64, 0, 3, 0, end + 4088));
    add(syscall(SYS_prlimit64, 0, 3, 0, fresh[4] + 4088));
    add(syscall(SYS_getrandom, end + 4000, 96, 0));
    add(syscall(SYS_getrandom, end + 4000, 200, 0));
    add(syscall(SYS_getrandom, fresh[6] + 4000, 8000, 0));
    add(syscall(SYS_getrandom, 0, 10, 0));
    add(syscall(SYS_getrandom, 0, 0, 0));
    add(syscall(SYS_set_thread_area, (words[1] = (unsigned)fresh[14], words)));
    __asm__ volatile("movl %0, %%fs" ::"r"(words[0] * 8 + 3));
    fresh[14][0] = 5, fresh[15][0] = 6;
    words[1] = (unsigned)fresh[15];
    add(syscall(SYS_set_thread_area, words));
    __asm__ volatile("movl %%fs:0, %0" : "=r"(status));
    add(status);
    words[0] = -1u, words[1] = 0;
    memcpy(end + 4080, words, sizeof words);
    add(syscall(SYS_set_thread_area, end + 4080));
    add(syscall(SYS_set_thread_area, end + 4088));
    add(syscall(SYS_wait4, -1, &status, 0, 0));
    if (!fork()) _exit(3);
    add(syscall(SYS_wait4, -1, fresh[9] + 4094, 0, fresh[11] + 4090) > 0);
    if (!fork()) _exit(4);
    add(syscall(SYS_wait4, -1, 1, 0, 0));
    add(syscall(SYS_wait4, -1, 0, 0, 0));
    add(syscall(SYS_open, end + 4093, 0));
    add(syscall(SYS_open, end + 4096, 0));
    memset(end, '/', 4096);
    add(syscall(SYS_open, end + 4090, 0));
    add(syscall(SYS_open, end, 0));
    end[4095] = 0;
    add(syscall(SYS_access, end + 4080, 0));
    add(syscall(SYS_access, end + 4094, 0));
    add_bytes(fresh[2], 4096 * 3);
}

static void small(const char *path)
{
    int file = open(path, O_RDONLY), directory = open(".", O_RDONLY), ends[2];
    add(pipe(ends));
    add(syscall(SYS_fadvise64, file, 0, 0, 100, 2));
    add(syscall(SYS_fadvise64, file, 0, 0, 100, 6));
    add(syscall(SYS_fadvise64, 99, 0, 0, 100, 2));
    add(syscall(SYS_fadvise64, ends[0], 0, 0, 100, 2));
    add(syscall(SYS_fadvise64, 1, 0, 0, 100, 2));
    add(syscall(SYS_fadvise64_64, file, 0, 0, 100, 0, 1));
    add(syscall(SYS_fadvise64_64, file, 0, 0, 100, -1, 1));
    add(fsync(file));
    add(fdatasync(directory));
    add(fsync(0));
    add(fsync(1));
    add(fsync(ends[1]));
    add(fsync(99));
    add(syscall(SYS_clock_getres, CLOCK_REALTIME, fresh[0] + 4092));
    add(syscall(SYS_clock_getres, CLOCK_MONOTONIC, 0));
    add(syscall(SYS_clock_getres, CLOCK_PROCESS_CPUTIME_ID, 1));
    add(syscall(SYS_clock_getres, 99, 0));
    add(syscall(SYS_clock_getres_time64, CLOCK_REALTIME, fresh[2] + 4092));
    add(syscall(SYS_sched_getscheduler, 0));
    add(syscall(SYS_sched_getscheduler, -1));
    add(syscall(SYS_sched_getparam, 0, fresh[4] + 4094));
    add(syscall(SYS_sched_getparam, 0, 0));
    add(syscall(SYS_sched_getparam, 0, 1));
    for (int policy = 0; policy < 7; policy++) {
        add(syscall(SYS_sched_get_priority_max, policy));
        add(syscall(SYS_sched_get_priority_min, policy));
    }
    add(syscall(SYS_getpriority, 0, 0));
    add(syscall(SYS_getpriority, 3, 0));
    add_bytes(fresh, 3 * 4096);
}

static void pipes(void)
{
    int *ends = (int *)(fresh[0] + 4092), child, status;
    add(pipe(ends));
    add(ends[0]), add(ends[1]);
    add(pipe((void *)1));
    add(syscall(SYS_pipe2, ends, 1));
    add(syscall(SYS_pipe2, fresh[2] + 4092, O_CLOEXEC | O_NONBLOCK));
    add(fcntl(((int *)(fresh[2] + 4092))[0], F_GETFL));
    add(fcntl(((int *)(fresh[2] + 4092))[1], F_GETFL));
    add(fcntl(((int *)(fresh[2] + 4092))[1], F_GETFD));
    add(read(ends[1], fresh, 1));
    add(write(ends[0], fresh, 1));
    add(lseek(ends[0], 0, SEEK_SET));
    add(write(ends[1], fresh[4] + 4000, 9000));
    add(read(ends[0], fresh[7] + 4000, 8000));
    add(read(ends[0], (void *)1, 500));
    add(read(ends[0], fresh[10] + 4000, 1000));
    add(write(ends[1], (void *)1, 5));
    if (!(child = fork())) {
        close(ends[0]);
        _exit(write(ends[1], "some words", 10) == 10 ? 7 : 8);
    }
    close(ends[1]);
    add(read(ends[0], fresh[12] + 4090, 100));
    add(read(ends[0], fresh[12], 100));
    add(waitpid(child, &status, 0) == child);
    add(status);
    add_bytes(fresh[12], 8192);
}

static char *map_at(unsigned address, unsigned size, int protection, int flags)
{
    return mmap((void *)address, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags, -1, 0);
}

/* The kernel's own areas: not to be split, and vvar not to be written. */
static void special(void)
{
    char *vdso = (char *)getauxval(AT_SYSINFO_EHDR);
    int status;
    add(munmap(vdso, 4096));
    add(mprotect(vdso, 4096, PROT_READ));
    add(mmap(vdso, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
    add(mprotect(vdso - 4096, 4096, PROT_READ | PROT_WRITE));
    add(mprotect(vdso - 8192, 8192, PROT_READ | PROT_EXEC));
    add(madvise(vdso - 4096, 4096, MADV_DONTNEED));
    add(madvise(vdso, 4096, MADV_DONTNEED));
    add(madvise(vdso, 4096, MADV_FREE));
    add(madvise(vdso, 4096, MADV_WILLNEED));
    add(mprotect(vdso, 8192, PROT_READ | PROT_WRITE | PROT_EXEC));
    if (!fork()) {
        vdso[9]++;
        _exit(vdso[9]);
    }
    wait(&status);
    add(status);
}

static void advice(void)
{
    char *some = map_at(0x30000000, 8192, 3, 0);
    some[0] = some[4096] = 1;
    add(madvise(some + 1, 4096, MADV_DONTNEED));
    add(madvise(some, 4096, MADV_FREE));
    add(madvise(some, 0, MADV_DONTNEED));
    add(madvise((void *)0x08048000, 4096, MADV_FREE));
    add(madvise((void *)0xffffe000, 0x3000, MADV_DONTNEED));
    add(madvise(some + 4096, -1, MADV_DONTNEED));
    add_bytes(some, 8192);
    add(mprotect(some, 0xd0000000, PROT_READ));
    add(mprotect((void *)0xfffff000, 0x1000, PROT_READ));
    add(mprotect(some, -1, PROT_NONE));
}

/* What keeps two areas apart that are alike otherwise. */
static void merging(const char *path)
{
    int file = open(path, O_RDONLY);
    map_at(0x30000000, 8192, PROT_READ, MAP_NORESERVE);
    map_at(0x30002000, 8192, PROT_READ, 0);
    add(mprotect((void *)0x30000000, 16384, PROT_READ | PROT_WRITE));
    map_at(0x31000000, 8192, 3, MAP_NORESERVE);
    map_at(0x31002000, 8192, 3, MAP_NORESERVE);
    map_at(0x31004000, 8192, 3, 0);
    map_at(0x32000000, 8192, 3, MAP_STACK);
    map_at(0x32002000, 8192, 3, MAP_STACK);
    add(mmap((void *)0x33000000, 4096, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, file, 0) == (void *)0x33000000);
    add(mmap((void *)0x33001000, 4096, PROT_READ, MAP_PRIVATE, file, 1) == (void *)0x33001000);
}

/* A page that cannot be copied whole goes through a pipe not at all. */
static void parts(void)
{
    struct { unsigned base, size; } *vectors = (void *)fresh[0];
    char *page = map_at(0x30000000, 4096, 3, 0);
    int ends[2], again[2];
    pipe(ends);
    add(write(ends[1], page + 4000, 200));
    add(write(ends[1], page, 4097));
    add(write(ends[1], page, 10));
    add(write(ends[1], page + 4000, 200));
    add(write(ends[1], page, 8192));
    add(read(ends[0], fresh[2], 10));
    pipe(again);
    add(write(again[1], fresh[2], 9000));
    add(read(again[0], page + 4000, 200));
    add(read(again[0], page + 4000, 50));
    add(read(again[0], page, 4096));
    add(read(again[0], page + 10, 4096));
    add(read(again[0], page, 4096));
    vectors[0].base = (unsigned)fresh[3] + 4000, vectors[0].size = 200;
    vectors[1].base = 1, vectors[1].size = 10;
    pipe(ends);
    add(syscall(SYS_writev, ends[1], vectors, 2));
    add(syscall(SYS_writev, ends[1], vectors, 1));
    add(syscall(SYS_readv, ends[0], vectors, 2));
    add(pread(ends[0], page, 10, 0));
    add(pwrite(ends[1], page, 10, 0));
    add(pread(ends[1], page, 10, 0));
    close(ends[0]);
    add(write(ends[1], page, 0));
    signal(SIGPIPE, SIG_IGN);
    add(write(ends[1], (void *)1, 5));
    signal(SIGPIPE, SIG_DFL);
    write(ends[1], page, 5);
}

/* Bad addresses, and what crosses into them: how far the kernel gets, and what it leaves behind. */
static void addresses(const char *path)
{
    char *end = map_at(0x30000000, 4096, 3, 0) + 4096;
    long long position = 0;
    int file = open(path, O_RDONLY);
    add(syscall(SYS_rt_sigaction, 10, 1, 0, 8));
    add(syscall(SYS_rt_sigaction, 10, 0, 1, 8));
    add(syscall(SYS_rt_sigaction, 10, 0, fresh[1] - 8, 8));
    add(syscall(SYS_rt_sigaction, 10, 0, fresh[3] - 12, 8));
    add(syscall(SYS_rt_sigaction, 10, end - 10, 0, 8));
    add(syscall(SYS_sigaction, 10, 1, 0));
    add(syscall(SYS_sigaction, 10, 0, 1));
    add(syscall(SYS_sigaction, 10, 0, fresh[5] - 8));
    add(syscall(SYS_sigaction, 10, end - 10, 0));
    add(open((char *)0xfffff000, O_RDONLY));
    add(open((char *)0xffffdffe, O_RDONLY));
    add(open((char *)0xfffffffe, O_RDONLY));
    add(syscall(SYS_time, end - 2));
    add(syscall(SYS_stat64, path, end - 90));
    add_bytes(end - 96, 96);
    add(syscall(SYS_getrandom, end - 100, 0x7fffffff, 0));
    add(syscall(SYS_getrandom, end, 10, 6));
    add(syscall(SYS_getrandom, end, 10, 8));
    add(syscall(SYS_futex, end - 8, 128, 1, end - 4));
    add(syscall(SYS_futex, end - 4096, 128, 1, fresh[7]));
    *(int *)(fresh[7] + 4) = -1;
    add(syscall(SYS_futex, end - 4096, 128, 1, fresh[7]));
    add(syscall(SYS_futex_time64, end - 4096, 128, 1, fresh[9] - 8));
    add(syscall(SYS_futex, end - 4096, 128 | 256, 1, 0));
    add(syscall(SYS_futex, end - 4096, 129 | 256, 1, 0));
    add(syscall(SYS__llseek, file, 0x7fffffff, 0xfffffff0, &position, SEEK_SET));
    add(read(file, fresh, 100));
    add(syscall(SYS__llseek, file, 1, 0, 1, SEEK_SET));
    add(syscall(SYS__llseek, file, 0, 0, &position, SEEK_CUR));
    add(position >> 32);
    add(read(file, fresh, 10));
    add(syscall(SYS_pread64, file, fresh, 10, 0xffffffff, 0x7fffffff));
}

static void children(void)
{
    int first, status;
    if (!(first = fork())) _exit(3);
    waitpid(first, &status, 0);
    add(getpgid(first));
    add(getsid(first));
    add(setpgid(first, 0));
    add(waitpid(first, &status, WNOHANG));
    signal(SIGCHLD, SIG_IGN);
    if (!fork() || !fork()) _exit(2);
    add(wait(&status));
    if (!(first = fork())) _exit(2);
    add(waitpid(first, &status, 0));
    signal(SIGCHLD, SIG_DFL);
}

/* As many descriptors as there may be. */
static void many(const char *path)
{
    int count = 0, ends[2];
    while (dup(1) >= 0) count++;
    add(count);
    add(-errno);
    add(pipe(ends));
    add(open(path, O_RDONLY));
    add(open("/nowhere/at/all", O_RDONLY));
    close(7);
    add(pipe(ends));
    add(fcntl(1, F_DUPFD, 8));
    add(fcntl(1, F_DUPFD, count + 3));
    add(dup2(1, count + 3));
    add(dup(1));
}

static void heap(void)
{
    char *end = sbrk(0x10000);
    end = sbrk(0);
    add(brk(end - 0x4000));
    add(brk(end));
    add(munmap((void *)((unsigned)(end - 0x8000) & -4096), 0x9000));
    add(brk(end - 0x4000));
    add(end - (char *)sbrk(0));
    add(brk(end - 0xa000));
    add(end - (char *)sbrk(0));
}

int main(int count, char **arguments)
{
    verbose = getenv("VERBOSE") != 0;
    const char *only = count > 2 ? arguments[2] : "";
    if (!strcmp(only, "descriptors")) descriptors(arguments[1]);
    if (!strcmp(only, "paths")) paths();
    if (!strcmp(only, "itself")) itself();
    if (!strcmp(only, "machine")) machine();
    if (!strcmp(only, "names")) names();
    if (!strcmp(only, "sleeping")) sleeping();
    if (!strcmp(only, "moving")) moving(arguments[1]);
    if (!strcmp(only, "directories")) directories(arguments[3]);
    if (!strcmp(only, "identity")) identity();
    if (!strcmp(only, "clocks")) clocks();
    if (!strcmp(only, "waiting")) waiting(arguments[1]);
    if (!strcmp(only, "pipes")) pipes();
    if (!strcmp(only, "small")) small(arguments[1]);
    if (!strcmp(only, "structures")) structures(arguments[1]);
    if (!strcmp(only, "changes")) changes(arguments[1]);
    if (!strcmp(only, "sockets")) sockets(arguments[1]);
    if (!strcmp(only, "special")) special();
    if (!strcmp(only, "advice")) advice();
    if (!strcmp(only, "merging")) merging(arguments[1]);
    if (!strcmp(only, "heap")) heap();
    if (!strcmp(only, "parts")) parts();
    if (!strcmp(only, "addresses")) addresses(arguments[1]);
    if (!strcmp(only, "children")) children();
    if (!strcmp(only, "many")) many(arguments[1]);
    return (int)(sum % 251);
}
