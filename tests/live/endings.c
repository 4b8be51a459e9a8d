/* Children that end in all ways: with a status, by a fault, by a signal of their own making. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    for (int way = 0; way < 3; way++) {
        if (fork() == 0) {
            if (way == 1) *(volatile int *)0 = 1;
            if (way == 2) kill(getpid(), SIGTERM);
            _exit(77);
        }
        wait(NULL);
    }
    return 5;
}
