/* What the statements of random C programs are made of. Each works whatever was done before it. */
#define _GNU_SOURCE
#include <alloca.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u
#define SLOTS 6
#define PLACE(slot) ((char *)0x50000000 + (slot) * 0x1000000u)

static char *block[SLOTS];
static unsigned size[SLOTS];
static unsigned sum;
static unsigned state = 12345;

__attribute__((used)) static char zeros[ZEROS];
static char data[DATA] = {1, 2, 3};
static const char constants[CONSTANTS] = "constants";

static unsigned next(void) { return state = state * 1103515245 + 12345, state >> 8; }

/* --- the heap --- */

static void release(int slot)
{
    free(block[slot]);
    block[slot] = NULL;
    size[slot] = 0;
}

static void allocate(int slot, unsigned bytes)
{
    release(slot);
    block[slot] = malloc(bytes);
    size[slot] = block[slot] ? bytes : 0;
}

static void allocate_cleared(int slot, unsigned bytes)
{
    release(slot);
    block[slot] = calloc(1, bytes);
    size[slot] = block[slot] ? bytes : 0;
}

static void reallocate(int slot, unsigned bytes)
{
    char *now = realloc(block[slot], bytes);
    if (now || !bytes) {
        block[slot] = now;
        size[slot] = bytes;
    }
}

static void fill(int slot, int byte) { if (size[slot]) memset(block[slot], byte, size[slot]); }

static void copy(int from, int to)
{
    unsigned bytes = size[from] < size[to] ? size[from] : size[to];
    if (bytes)
        memmove(block[to], block[from], bytes);
}

static void measure(int slot)
{
    if (!size[slot])
        return;
    memset(block[slot], 'x', size[slot] - 1);
    block[slot][size[slot] - 1] = 0;
    sum += strlen(block[slot]);
    sum += (unsigned)(strchr(block[slot], 0) - block[slot]);
}

static void step_through(int slot, unsigned step)
{
    for (unsigned at = 0; at < size[slot]; at += step)
        block[slot][at]++;
}

static int ascending(const void *one, const void *other)
{
    unsigned a = *(const unsigned *)one, b = *(const unsigned *)other;
    return (a > b) - (a < b);
}

static void sort(unsigned count)
{
    unsigned *numbers = malloc(count * sizeof *numbers);
    for (unsigned i = 0; i < count; i++)
        numbers[i] = next();
    qsort(numbers, count, sizeof *numbers, ascending);
    sum += numbers[count / 2];
    free(numbers);
}

static void move_break(int bytes) { sbrk(bytes); }

/* --- the program's own memory --- */

static void read_through(const volatile char *start, unsigned bytes, unsigned step)
{
    for (unsigned at = 0; at < bytes; at += step)
        sum += (unsigned char)start[at];
}

static void write_through(volatile char *start, unsigned bytes, unsigned step)
{
    for (unsigned at = 0; at < bytes; at += step)
        start[at] = (char)at;
}

static void change_through(volatile char *start, unsigned bytes, unsigned step)
{
    for (unsigned at = 0; at < bytes; at += step)
        start[at] += 1;
}

static unsigned __attribute__((noinline)) recurse(unsigned depth, unsigned bytes)
{
    volatile char *frame = alloca(bytes + 1);
    frame[bytes] = (char)depth;
    frame[0] = 1;
    return depth ? recurse(depth - 1, bytes) + (unsigned char)frame[bytes] : 0;
}

/* --- mappings --- */

static void map(int slot, unsigned first, unsigned pages, int protection)
{
    mmap(PLACE(slot) + first * PAGE, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void map_file(int slot, unsigned first, unsigned pages, int protection, const char *path, unsigned from)
{
    int file = open(path, O_RDONLY);
    mmap(PLACE(slot) + first * PAGE, pages * PAGE, protection, MAP_PRIVATE | MAP_FIXED, file, from * PAGE);
    close(file);
}

static void map_anywhere(unsigned pages)
{
    char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    at[0] = at[pages * PAGE - 1] = 1;
}

static void unmap(int slot, unsigned first, unsigned pages) { munmap(PLACE(slot) + first * PAGE, pages * PAGE); }

static void protect(int slot, unsigned first, unsigned pages, int protection)
{
    sum += (unsigned)mprotect(PLACE(slot) + first * PAGE, pages * PAGE, protection);
}

static void remap(int slot, unsigned first, unsigned pages, unsigned now, int flags, int to, unsigned at)
{
    char *moved = mremap(PLACE(slot) + first * PAGE, pages * PAGE, now * PAGE, flags, PLACE(to) + at * PAGE);
    sum += (unsigned)moved >> 12;
}

static void forget(int slot, unsigned first, unsigned pages)
{
    sum += (unsigned)madvise(PLACE(slot) + first * PAGE, pages * PAGE, MADV_DONTNEED);
}

/* --- files and text --- */

static void read_file(const char *path, unsigned offset, unsigned bytes)
{
    FILE *file = fopen(path, "r");
    char *buffer = malloc(bytes);
    if (!file)
        return;
    fseek(file, (long)offset, SEEK_SET);
    sum += fread(buffer, 1, bytes, file);
    fclose(file);
    free(buffer);
}

static void read_lines(const char *path, int lines)
{
    FILE *file = path ? fopen(path, "r") : stdin;
    char line[200];
    while (file && lines-- && fgets(line, sizeof line, file))
        sum += strlen(line);
    if (path && file)
        fclose(file);
}

static void read_descriptor(int descriptor, int slot) { sum += (unsigned)read(descriptor, block[slot], size[slot]); }

static void look_around(int count, char **arguments)
{
    for (int i = 0; i < count; i++)
        sum += strlen(arguments[i]);
    sum += getenv("HOME") != NULL;
    sum += getenv("NOT_THERE") != NULL;
}

static void say_numbers(int number, double real)
{
    printf("%d %08x %u %c %10s|%-6d|\n", number, (unsigned)number, (unsigned)number, 'a' + (number & 7), "text", number);
    printf("%.3f %g %e\n", real, real * 1e9, real / 7);
}

static void format(int slot, double real)
{
    if (size[slot])
        snprintf(block[slot], size[slot], "%s %.17g %5.1f %lld", constants, real, real, (long long)sum << 20);
}

static void say_much(int lines)
{
    for (int i = 0; i < lines; i++)
        printf("line %d of %d, sum %u\n", i, lines, sum);
}

/* --- signals --- */

static sigjmp_buf out;

static void note(int number) { sum += number; data[number % DATA]++; }
static void leave(int number) { sum += number; siglongjmp(out, 1); }
static void explain(int number, siginfo_t *info, void *context)
{
    sum += number + info->si_code + (context != NULL);
    printf("signal %d, code %d\n", number, info->si_code);
}

/* `how`: 0 default, 1 ignore, 2 note, 3 explain. */
static void handle(int number, int how, int flags)
{
    struct sigaction action = {.sa_flags = flags};
    if (how == 3) {
        action.sa_sigaction = explain;
        action.sa_flags |= SA_SIGINFO;
    } else {
        action.sa_handler = how == 2 ? note : how == 1 ? SIG_IGN : SIG_DFL;
    }
    sigaction(number, &action, NULL);
}

static void mask(int how, int number)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number);
    sigprocmask(how, &one, NULL);
}

static void alternate_stack(unsigned bytes)
{
    stack_t stack = {.ss_sp = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), .ss_size = bytes};
    sigaltstack(&stack, NULL);
}

/* Reads what may not be read, and goes on behind it. */
static void survive(const volatile char *at, int flags)
{
    struct sigaction action = {.sa_handler = leave, .sa_flags = flags}, old, old_bus;
    sigaction(SIGSEGV, &action, &old);
    sigaction(SIGBUS, &action, &old_bus);
    if (!sigsetjmp(out, 1))
        sum += *at;
    sigaction(SIGSEGV, &old, NULL);
    sigaction(SIGBUS, &old_bus, NULL);
}

/* A signal at every depth of the stack. */
static void signal_deeply(int number, int depth)
{
    volatile char room[160];
    room[0] = depth;
    handle(number, 2, 0);
    raise(number);
    if (depth)
        signal_deeply(number, depth - 1);
}
