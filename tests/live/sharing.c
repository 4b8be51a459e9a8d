/* Processes that share memory in every way there is, held by pipes while their parent is at looked_at():
 * two children, the first with a child of its own, each with something written after its fork. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile char page[6][4096] __attribute__((aligned(4096)));
static volatile char unwritten[4096] __attribute__((aligned(4096)));
static volatile char *common;
static int told[3][2], go[3][2];

static void tell(int out) { if (write(out, "", 1) != 1) _exit(1); }
static void hear(int in) { char word; if (read(in, &word, 1) != 1) _exit(1); }
__attribute__((noinline)) void looked_at(void) { asm volatile(""); }

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {                    /* a child that never rests */
        if (fork() == 0)
            for (;;) ;
        looked_at();
        return 0;                      /* and is left behind */
    }
    common = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int n = 0; n < 3; n++) pipe(told[n]), pipe(go[n]);
    for (int n = 0; n < 6; n++) page[n][0] = 1;
    common[0] = 1;
    if (fork() == 0) {
        page[0][0] = 2;
        if (fork() == 0) {
            page[1][0] = 3;
            common[4096] = unwritten[0];
            tell(told[0][1]), hear(go[0][0]);
            _exit(0);
        }
        hear(told[0][0]);
        page[2][0] = common[0];
        tell(told[1][1]), hear(go[1][0]);
        wait(NULL);
        _exit(0);
    }
    hear(told[1][0]);
    if (fork() == 0) {
        page[3][0] = 4;
        tell(told[2][1]), hear(go[2][0]);
        _exit(0);
    }
    hear(told[2][0]);
    page[4][0] = 5;
    looked_at();
    for (int n = 0; n < 3; n++) tell(go[n][1]);
    while (wait(NULL) > 0) ;
    return 0;
}
