/* Signals and what a program does about them. argv[1] is the number of the case. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile int seen, deep;
static char alternate[65536] __attribute__((aligned(4096)));
static double kept;

static void count(int number) { seen += number; }
static void leave(int number) { seen += number; siglongjmp(back, 1); }
static void finish(int number) { _exit(number); }
static void print(int number) { printf("handler %d %.3f\n", number, number / 7.0); seen++; }
static void again(int number) { if (deep++ < 5) raise(number); seen++; }
static void tell(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    printf("%d %d %p trap %d err %d\n", number, info->si_code, info->si_addr, (int)uc->uc_mcontext.gregs[REG_TRAPNO],
           (int)uc->uc_mcontext.gregs[REG_ERR]);
    uc->uc_mcontext.gregs[REG_EAX] = (int)&seen;
}
static void lose(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    (void)number, (void)info;
    uc->uc_mcontext.fpregs = (void *)1;
}
static void reap(int number)
{
    int status;
    while (waitpid(-1, &status, WNOHANG) > 0) seen += number + (status >> 8);
}
static void map_it(int number, siginfo_t *info, void *context)
{
    (void)context;
    mmap((void *)((long)info->si_addr & -4096), 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    seen += number;
}
static void set(int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(number, &action, NULL);
}
static void set_info(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
    sigaction(number, &action, NULL);
}
static void use_alternate(size_t size)
{
    stack_t stack = {.ss_sp = alternate, .ss_size = size};
    sigaltstack(&stack, NULL);
}
static int dive(int depth)
{
    volatile char room[4096];
    room[0] = depth;
    return dive(depth + 1) + room[0];
}
static void touch_much(void)
{
    static volatile char much[4096 * 4096];
    for (size_t at = 0; at < sizeof much; at += 4096) much[at] = 1;
}

int main(int argc, char **argv)
{
    sigset_t some, old;
    int status;

    sigemptyset(&some);
    sigaddset(&some, SIGUSR1);
    sigaddset(&some, SIGUSR2);
    switch (argc > 1 ? atoi(argv[1]) : 0) {
    case 0: set(SIGUSR1, count, 0); raise(SIGUSR1); raise(SIGUSR1); break;
    case 1: set(SIGSEGV, leave, 0); if (!sigsetjmp(back, 1)) *(volatile int *)16 = 1; break;
    case 2: set(SIGSEGV, finish, 0); *(volatile int *)16 = 1; break;
    case 3: set_info(SIGSEGV, tell, 0); __asm__ volatile("xorl %%eax, %%eax; movl (%%eax), %%ecx" ::: "eax", "ecx"); break;
    case 4: set_info(SIGSEGV, map_it, 0); *(volatile int *)0x20000010 = 1; *(volatile int *)0x20001010 = 1; break;
    case 5: set(SIGUSR1, print, 0); kept = 1.0; raise(SIGUSR1); printf("%f %f\n", kept / 3, 22 / 7.0); break;
    case 6: use_alternate(sizeof alternate); set(SIGSEGV, finish, SA_ONSTACK); return dive(0);
    case 7: set(SIGSEGV, finish, 0); return dive(0);
    case 8: abort();
    case 9: raise(SIGTERM); break;
    case 10: raise(SIGCHLD); raise(SIGWINCH); break;
    case 11: set(SIGUSR1, again, SA_NODEFER); raise(SIGUSR1); break;
    case 12: set(SIGUSR1, again, 0); raise(SIGUSR1); break;
    case 13: set(SIGUSR1, count, SA_RESETHAND); raise(SIGUSR1); raise(SIGUSR1); break;
    case 14: set(SIGUSR1, count, 0); set(SIGUSR2, print, 0); sigprocmask(SIG_BLOCK, &some, &old); raise(SIGUSR2); raise(SIGUSR1);
        sigpending(&some); seen += sigismember(&some, SIGUSR1); sigprocmask(SIG_SETMASK, &old, NULL); break;
    case 15: set(SIGUSR1, count, 0); sigprocmask(SIG_BLOCK, &some, &old); raise(SIGUSR1); sigsuspend(&old); break;
    case 16: signal(SIGSEGV, SIG_IGN); *(volatile int *)16 = 1; break;
    case 17: sigaddset(&some, SIGSEGV); set(SIGSEGV, count, 0); sigprocmask(SIG_BLOCK, &some, NULL); *(volatile int *)16 = 1; break;
    case 18: set(SIGFPE, leave, 0); if (!sigsetjmp(back, 1)) { volatile int zero = 0; seen = 1 / zero; } break;
    case 19: set(SIGILL, leave, 0); if (!sigsetjmp(back, 1)) __asm__ volatile("ud2"); break;
    case 20: set(SIGTRAP, count, 0); __asm__ volatile("int3"); break;
    case 21: set(SIGCHLD, count, 0); sigaddset(&some, SIGCHLD); sigprocmask(SIG_BLOCK, &some, &old);
        if (!fork()) _exit(3);
        sigsuspend(&old); wait(&status); seen += status; break;
    case 22: set(SIGUSR1, count, 0); if (!fork()) { raise(SIGUSR1); _exit(seen); } wait(&status); seen = status >> 8; break;
    case 23: use_alternate(sizeof alternate); set_info(SIGUSR1, tell, SA_ONSTACK); raise(SIGUSR1); break;
    case 24: use_alternate(2048); set(SIGUSR1, print, SA_ONSTACK); raise(SIGUSR1); break;
    case 25: if (!fork()) abort(); wait(&status); seen = status; break;
    case 26: set(SIGRTMIN + 1, count, 0); raise(SIGRTMIN + 1); raise(SIGRTMAX); break;
    case 27: set(SIGUSR1, count, 0);
        for (int skip = 0; skip < 4096; skip += 240) { volatile char *room = __builtin_alloca(240); room[0] = 1; raise(SIGUSR1); } break;
    case 28: kill(getpid(), SIGKILL); break;
    case 29: use_alternate(sizeof alternate); for (int move = 0; move < 4096; move += 272) {
            stack_t stack = {.ss_sp = alternate + 8192 + move, .ss_size = 8192};
            madvise(alternate, sizeof alternate, MADV_DONTNEED); sigaltstack(&stack, NULL);
            set(SIGUSR1, count, SA_ONSTACK); raise(SIGUSR1); } break;
    case 30: sigaddset(&some, SIGSEGV); set(SIGUSR1, print, 0); set(SIGUSR2, print, 0); sigprocmask(SIG_BLOCK, &some, &old);
        kill(getpid(), SIGUSR1); raise(SIGUSR2); raise(SIGUSR1); kill(getpid(), SIGUSR2); kill(getpid(), SIGSEGV);
        set(SIGSEGV, print, 0); sigprocmask(SIG_SETMASK, &old, NULL); break;
    case 31: sigemptyset(&some); sigaddset(&some, SIGTSTP); sigaddset(&some, SIGCONT); sigprocmask(SIG_BLOCK, &some, NULL);
        raise(SIGTSTP); raise(SIGCONT); sigpending(&some); seen = sigismember(&some, SIGTSTP) * 2 + sigismember(&some, SIGCONT);
        kill(getpid(), SIGTSTP); sigpending(&some); seen = seen * 4 + sigismember(&some, SIGTSTP) * 2 + sigismember(&some, SIGCONT); break;
    case 32: sigaddset(&some, SIGWINCH); set(SIGUSR1, print, 0); sigprocmask(SIG_BLOCK, &some, &old);
        raise(SIGWINCH); if (!fork()) { raise(SIGUSR1); sigsuspend(&old); _exit(seen); } wait(&status); seen = status >> 8; break;
    case 33: sigaddset(&some, SIGSEGV); sigprocmask(SIG_BLOCK, &some, NULL); raise(SIGSEGV); *(volatile int *)16 = 1; break;
    case 34: set_info(SIGUSR1, lose, 0); set(SIGSEGV, leave, 0); if (!sigsetjmp(back, 1)) raise(SIGUSR1); break;
    case 35: sigaddset(&some, SIGCHLD); set(SIGCHLD, reap, 0); sigprocmask(SIG_BLOCK, &some, &old);
        if (!fork()) _exit(3);
        sigsuspend(&old); seen += waitpid(-1, &status, WNOHANG) < 0; break;
    /* The scheduler decides. */
    case -1: set(SIGCHLD, print, 0); if (!fork()) _exit(3); touch_much(); wait(&status); break;
    case -2: if (!fork()) _exit(3); set(SIGCHLD, print, 0); touch_much(); wait(&status); break;
    case -3: set(SIGCHLD, count, 0); sigaddset(&some, SIGCHLD); sigprocmask(SIG_BLOCK, &some, &old);
        if (!fork() || !fork()) _exit(3);
        sigsuspend(&old); break;
    }
    printf("seen %d\n", seen);
    return seen & 0x7F;
}
