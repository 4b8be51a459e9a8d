/* What happens is the scheduler's to say. argv[1] is the number of the case; argv[2] is a file to read. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[4096];
static int ends[2], more[2];

static void write_in_child(const char *byte)
{
    if (fork()) return;
    write(ends[1], byte, 1);
    _exit(0);
}

int main(int argc, char **argv)
{
    int child, status = 0, file = open(argv[2], O_RDONLY);
    sigset_t some;
    volatile char *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    sigemptyset(&some);
    sigaddset(&some, SIGCHLD);
    pipe(ends);
    switch (atoi(argv[1])) {
    case 0: /* a look at whether a child has ended */
        if (!(child = fork())) _exit(0);
        close(ends[1]);
        read(ends[0], buffer, 1); /* the end of file comes before the end of the child */
        return waitpid(child, &status, WNOHANG) == child;
    case 1: /* which of several writers to a pipe comes first */
        write_in_child("a"), write_in_child("b");
        close(ends[1]);
        read(ends[0], buffer, 1);
        status = buffer[0];
        break;
    case 2: /* whether a pipe is still read when it is written to */
        if (!fork()) _exit(0);
        close(ends[0]);
        signal(SIGPIPE, SIG_IGN);
        status = (int)write(ends[1], "x", 1);
        break;
    case 3: /* a look at whether SIGCHLD waits */
        sigprocmask(SIG_BLOCK, &some, NULL);
        if (!fork()) _exit(0);
        sigpending(&some);
        status = sigismember(&some, SIGCHLD);
        break;
    case 4: /* which of several processes reads a file first */
        if (!fork()) _exit((int)read(file, buffer, 5));
        read(file, buffer, 10);
        status = buffer[0];
        break;
    case 5: /* which of several processes reads a file first */
        if (!fork()) _exit((int)lseek(file, 5, SEEK_SET));
        status = (int)lseek(file, 0, SEEK_CUR);
        break;
    case 6: /* which of several readers of a pipe comes first */
        write(ends[1], "ab", 2);
        if (!fork()) _exit((int)read(ends[0], buffer, 1));
        read(ends[0], buffer, 1);
        status = buffer[0];
        break;
    case 7: /* how much a pipe or a socket holds */
        write(ends[1], "ab", 2);
        return ioctl(ends[0], FIONREAD, &status);
    case 8: /* the parent of a process whose parent has ended */
        pipe(more);
        if (!fork()) {
            if (fork()) _exit(0);
            read(ends[0], buffer, 1);
            _exit(getppid() & 1);
        }
        wait(&status);
        close(more[1]);
        write(ends[1], "x", 1);
        read(more[0], buffer, 1);
        break;
    case 9: /* whether a child ends before or after SIGCHLD is ignored */
        signal(SIGCHLD, SIG_IGN);
        if (!fork()) _exit(0);
        signal(SIGCHLD, SIG_DFL);
        break;
    case 10: /* what processes find in memory they share */
        shared[0] = 1;
        if (!fork()) _exit(shared[0] = 2);
        status = shared[0];
        break;
    case 11: /* which of several processes comes first to a page they share */
        if (!fork()) _exit(shared[0] = 1);
        status = shared[4096];
        break;
    case 12: /* the size of memory that processes share */
        child = memfd_create("file", 0);
        ftruncate(child, 4096);
        shared = mmap(NULL, 8192, PROT_READ, MAP_SHARED, child, 0);
        if (!fork()) _exit(ftruncate(child, 8192));
        status = shared[0];
        break;
    case 13: /* what processes find in memory they share */
        child = memfd_create("file", 0);
        ftruncate(child, 4096);
        shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, child, 0);
        shared[0] = 1;
        if (!fork()) _exit(shared[0] = 2);
        shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, child, 0);
        shared[1] = 1;
        break;
    }
    while (wait(NULL) > 0) ;
    return status;
}
