/* Stop a program at the return of execve and print, as JSON, all that can be seen of it without touching it.
 *
 * A second witness for the tests: bare ptrace and /proc, in C, sharing nothing with the tool it judges.
 *
 *     stop_at_exec [--personality HEX] [--stack-limit BYTES|unlimited] [--user UID] [--cwd DIR]
 *                  [--as-limit BYTES] [--data-limit BYTES] [--env NAME=VALUE]... -- PATH [ARGV0 [ARG]...]
 *
 * --user gives user and group the same number, and no other groups. Fault counts start at the entry of execve, so
 * they are execve's own. Text that may hold any byte (maps, smaps, auxv, the stack) is printed in hex. Exit status: 0 there is an answer, 2 usage, 3 could not look. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ull
#define NOT_EXECUTED 113 /* exit status of the child after a refused execve */

static pid_t child;

static void die(const char *what, ...)
{
    va_list arguments;
    int error = errno;

    va_start(arguments, what);
    fputs("stop_at_exec: ", stderr);
    vfprintf(stderr, what, arguments);
    fprintf(stderr, error ? ": %s\n" : "\n", strerror(error));
    if (child > 0)
        kill(child, SIGKILL);
    exit(3);
}

/* The child: launch conditions, then execve. */

struct launch {
    unsigned long personality;
    rlim_t stack_limit, as_limit, data_limit;
    long user; /* -1: stay who we are */
    const char *cwd;
    char **envp;
    char *path;
    char **argv;
};

/* Read every byte execve will read, so that reading them inside execve faults nothing in. */
static void touch(char *const *strings)
{
    volatile char sink;

    for (; *strings; strings++)
        for (const char *p = *strings; (sink = *p); p++)
            ;
}

static void limit(int which, rlim_t soft)
{
    struct rlimit limits;

    if (getrlimit(which, &limits))
        die("getrlimit");
    limits.rlim_cur = soft;
    if (setrlimit(which, &limits))
        die("setrlimit");
}

static void become(const struct launch *launch)
{
    struct rlimit core = {0, 0};
    int null = open("/dev/null", O_RDWR);

    limit(RLIMIT_STACK, launch->stack_limit);
    if (setrlimit(RLIMIT_CORE, &core))
        die("setrlimit");
    if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
        die("prctl(PR_SET_THP_DISABLE)");
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
        die("/dev/null");
    if (null > 2)
        close(null);
    if (launch->cwd && chdir(launch->cwd))
        die("%s", launch->cwd);
    if (personality(launch->personality) < 0)
        die("personality");
    if (launch->user >= 0
        && (setgroups(0, NULL) || setresgid(launch->user, launch->user, launch->user)
            || setresuid(launch->user, launch->user, launch->user)))
        die("become user %ld", launch->user);
    if (ptrace(PTRACE_TRACEME, 0, 0, 0))
        die("PTRACE_TRACEME");
    touch((char *[]){launch->path, NULL});
    touch(launch->argv);
    touch(launch->envp);
    limit(RLIMIT_AS, launch->as_limit);
    limit(RLIMIT_DATA, launch->data_limit);
    raise(SIGSTOP);
    syscall(SYS_execve, launch->path, launch->argv, launch->envp);
    _exit(NOT_EXECUTED);
}

/* The parent: /proc of the child. */

static char *read_proc(const char *name, size_t *length)
{
    char path[64], *text = NULL;
    size_t room = 0;
    ssize_t got;
    int file;

    snprintf(path, sizeof path, "/proc/%d/%s", child, name);
    if ((file = open(path, O_RDONLY)) < 0)
        die("%s", path);
    *length = 0;
    do {
        if (room - *length < 2 * PAGE && !(text = realloc(text, room += 64 * PAGE)))
            die("out of memory");
        if ((got = read(file, text + *length, room - *length - 1)) < 0)
            die("%s", path);
        *length += got;
    } while (got);
    close(file);
    text[*length] = 0;
    return text;
}

struct fault_counts {
    unsigned long minor, major;
};

static struct fault_counts fault_counts(void)
{
    struct fault_counts counts;
    size_t length;
    char *text = read_proc("stat", &length), *after_name = strrchr(text, ')');

    if (!after_name
        || sscanf(after_name, ") %*c %*d %*d %*d %*d %*d %*u %lu %*u %lu", &counts.minor, &counts.major) != 2)
        die("/proc/%d/stat is not as expected", child);
    free(text);
    return counts;
}

static unsigned long start_brk(void)
{
    size_t length;
    char *text = read_proc("stat", &length), *field = strrchr(text, ')');
    unsigned long value;

    for (int number = 2; field && number < 47; number++)
        field = strchr(field + 1, ' ');
    if (!field)
        die("/proc/%d/stat is not as expected", child);
    value = strtoul(field, NULL, 10);
    free(text);
    return value;
}

static long status_kilobytes(const char *label)
{
    size_t length;
    char *text = read_proc("status", &length), *line = strstr(text, label);
    long value = line ? strtol(line + strlen(label), NULL, 10) : -1;

    free(text);
    return value;
}

struct page {
    uint64_t address, entry; /* pagemap: bit 63 present, 61 file or special, 56 exclusive, 0-54 frame */
};

struct pages {
    struct page *list;
    size_t count;
};

static void add_area(struct pages *pages, int pagemap, uint64_t start, uint64_t end)
{
    static uint64_t entries[1 << 16];

    while (start < end) {
        size_t want = (end - start) / PAGE, most = sizeof entries / sizeof *entries;
        ssize_t got;

        if (want > most)
            want = most;
        got = pread(pagemap, entries, want * sizeof *entries, start / PAGE * sizeof *entries);
        if (got <= 0)
            return; /* beyond what pagemap covers: [vsyscall] */
        got /= sizeof *entries;
        for (ssize_t i = 0; i < got; i++) {
            if (!(entries[i] >> 63))
                continue;
            if (!(pages->count & 1023)
                && !(pages->list = realloc(pages->list, (pages->count + 1024) * sizeof *pages->list)))
                die("out of memory");
            pages->list[pages->count++] = (struct page){start + i * PAGE, entries[i]};
        }
        start += got * PAGE;
    }
}

/* Every resident page of every area in `maps`. */
static struct pages resident_pages(const char *maps)
{
    struct pages pages = {NULL, 0};
    char path[64];
    int pagemap;

    snprintf(path, sizeof path, "/proc/%d/pagemap", child);
    if ((pagemap = open(path, O_RDONLY)) < 0)
        die("%s", path);
    for (const char *line = maps; *line; line += strcspn(line, "\n") + 1) {
        uint64_t start, end;

        if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) != 2)
            die("a line of maps is not as expected");
        add_area(&pages, pagemap, start, end);
    }
    close(pagemap);
    return pages;
}

/* The stack's bytes from the stack pointer up; only when all its pages are resident, so that reading adds none. */
static unsigned char *stack_bytes(const struct pages *pages, uint64_t from, uint64_t to)
{
    unsigned char *bytes = malloc(to - from + 1);
    size_t present = 0;
    char path[64];
    int memory;

    for (size_t i = 0; i < pages->count; i++)
        present += pages->list[i].address >= (from & -PAGE) && pages->list[i].address < to;
    if (!bytes || present != (to - (from & -PAGE)) / PAGE)
        die("a page of the initial stack is not resident");
    snprintf(path, sizeof path, "/proc/%d/mem", child);
    if ((memory = open(path, O_RDONLY)) < 0)
        die("%s", path);
    for (size_t done = 0; done < to - from;) {
        ssize_t got = pread(memory, bytes + done, to - from - done, from + done);

        if (got <= 0)
            die("%s at %#" PRIx64, path, from + done);
        done += got;
    }
    close(memory);
    return bytes;
}

static uint64_t end_of_area(const char *maps, uint64_t address)
{
    for (const char *line = maps; *line; line += strcspn(line, "\n") + 1) {
        uint64_t start, end;

        if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2 && start <= address && address < end)
            return end;
    }
    die("the stack pointer is in no area");
    return 0;
}

/* JSON. */

static void print_hex(const char *key, const void *bytes, size_t length)
{
    printf(",\n \"%s\": \"", key);
    for (size_t i = 0; i < length; i++)
        printf("%02x", ((const unsigned char *)bytes)[i]);
    putchar('"');
}

static void print_registers(void)
{
    struct user_regs_struct r;

    if (ptrace(PTRACE_GETREGS, child, 0, &r))
        die("PTRACE_GETREGS");
    printf(",\n \"registers\": {\"eax\": %llu, \"ebx\": %llu, \"ecx\": %llu, \"edx\": %llu, \"esi\": %llu,"
           " \"edi\": %llu, \"ebp\": %llu, \"esp\": %llu, \"eip\": %llu, \"eflags\": %llu, \"cs\": %llu,"
           " \"ss\": %llu, \"ds\": %llu, \"es\": %llu, \"fs\": %llu, \"gs\": %llu}",
           r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.rsp, r.rip, r.eflags, r.cs, r.ss, r.ds, r.es, r.fs,
           r.gs);
}

static void print_process(struct fault_counts before)
{
    size_t maps_length, smaps_length, auxv_length;
    char *maps = read_proc("maps", &maps_length), *smaps = read_proc("smaps", &smaps_length), *auxv;
    struct pages pages = resident_pages(maps), again;
    struct fault_counts after = fault_counts();
    struct user_regs_struct registers;
    unsigned char *stack;
    uint64_t stack_end;

    print_registers();
    print_hex("maps", maps, maps_length);
    print_hex("smaps", smaps, smaps_length);
    printf(",\n \"start_brk\": %lu", start_brk());
    printf(",\n \"pages\": [");
    for (size_t i = 0; i < pages.count; i++)
        printf("%s[%" PRIu64 ", %" PRIu64 "]", i ? ", " : "", pages.list[i].address, pages.list[i].entry);
    printf("],\n \"minor_faults\": %lu,\n \"major_faults\": %lu,\n \"page_table_kilobytes\": %ld",
           after.minor - before.minor, after.major - before.major, status_kilobytes("VmPTE:"));
    auxv = read_proc("auxv", &auxv_length);
    print_hex("auxv", auxv, auxv_length);

    if (ptrace(PTRACE_GETREGS, child, 0, &registers))
        die("PTRACE_GETREGS");
    stack_end = end_of_area(maps, registers.rsp);
    stack = stack_bytes(&pages, registers.rsp, stack_end);
    print_hex("stack", stack, stack_end - registers.rsp);

    again = resident_pages(maps);
    after.minor -= fault_counts().minor;
    if (after.minor || again.count != pages.count
        || memcmp(again.list, pages.list, pages.count * sizeof *pages.list))
        die("looking at the process changed it");
}

/* Follow the child. */

static int wait_for_child(void)
{
    int status;

    if (waitpid(child, &status, 0) != child)
        die("waitpid");
    return status;
}

/* Let the child run to its next entry into or return from a system call; false when it ended. */
static int to_next_call(int *status, int signal)
{
    for (;;) {
        if (ptrace(PTRACE_SYSCALL, child, 0, signal))
            die("PTRACE_SYSCALL");
        *status = wait_for_child();
        if (!WIFSTOPPED(*status))
            return 0;
        if (WSTOPSIG(*status) == (SIGTRAP | 0x80))
            return 1;
        signal = *status >> 16 ? 0 : WSTOPSIG(*status); /* an event such as PTRACE_EVENT_EXEC is no signal */
    }
}

static long long result_register(void)
{
    struct user_regs_struct registers;

    if (ptrace(PTRACE_GETREGS, child, 0, &registers))
        die("PTRACE_GETREGS");
    return registers.rax;
}

static void watch(void)
{
    int status = wait_for_child();
    struct fault_counts before;
    struct user_regs_struct registers;
    long long result = 0;

    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP)
        die("the child did not get as far as execve");
    if (ptrace(PTRACE_SETOPTIONS, child, 0,
               PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL))
        die("PTRACE_SETOPTIONS");
    do {
        if (!to_next_call(&status, 0))
            die("the child ended before execve");
        if (ptrace(PTRACE_GETREGS, child, 0, &registers))
            die("PTRACE_GETREGS");
    } while (registers.orig_rax != SYS_execve);
    before = fault_counts();

    if (to_next_call(&status, 0) && !(result = result_register())) {
        printf("{\"outcome\": \"runs\"");
        print_process(before);
    } else {
        /* A failure past the point of no return also returns an errno, to no one: a signal is on its way. */
        while (WIFSTOPPED(status))
            to_next_call(&status, 0);
        if (WIFSIGNALED(status))
            printf("{\"outcome\": \"killed\", \"signal\": %d", WTERMSIG(status));
        else if (WEXITSTATUS(status) == NOT_EXECUTED)
            printf("{\"outcome\": \"refused\", \"errno\": %lld", -result);
        else
            die("the child exited with status %d", WEXITSTATUS(status));
        child = 0;
    }
    printf("}\n");
}

int main(int argc, char **argv)
{
    struct launch launch = {.personality = ADDR_NO_RANDOMIZE, .stack_limit = 8 << 20, .user = -1,
                            .as_limit = RLIM_INFINITY, .data_limit = RLIM_INFINITY};
    size_t variables = 0;
    int i;

    if (!(launch.envp = calloc(argc + 1, sizeof *launch.envp)))
        die("out of memory");
    for (i = 1; i + 1 < argc && strcmp(argv[i], "--"); i += 2) {
        char *value = argv[i + 1];

        if (!strcmp(argv[i], "--personality"))
            launch.personality = strtoul(value, NULL, 16);
        else if (!strcmp(argv[i], "--stack-limit"))
            launch.stack_limit = strcmp(value, "unlimited") ? strtoull(value, NULL, 10) : RLIM_INFINITY;
        else if (!strcmp(argv[i], "--as-limit"))
            launch.as_limit = strtoull(value, NULL, 10);
        else if (!strcmp(argv[i], "--data-limit"))
            launch.data_limit = strtoull(value, NULL, 10);
        else if (!strcmp(argv[i], "--user"))
            launch.user = strtol(value, NULL, 10);
        else if (!strcmp(argv[i], "--cwd"))
            launch.cwd = value;
        else if (!strcmp(argv[i], "--env"))
            launch.envp[variables++] = value;
        else
            break;
    }
    if (i + 1 >= argc || strcmp(argv[i], "--")) {
        fputs("usage: stop_at_exec [--personality HEX] [--stack-limit BYTES|unlimited] [--user UID] [--cwd DIR]"
              " [--as-limit BYTES] [--data-limit BYTES] [--env NAME=VALUE]... -- PATH [ARGV0 [ARG]...]\n", stderr);
        return 2;
    }
    launch.path = argv[i + 1];
    launch.argv = argv + i + 2;

    fflush(NULL);
    if ((child = fork()) < 0)
        die("fork");
    if (!child)
        become(&launch);
    watch();
    if (child)
        kill(child, SIGKILL);
    return fflush(stdout) ? 3 : 0;
}
