/* Maps a file again and again and reads pages of it: argv[1] names it, the others say what is done.
 *
 *     mAT,PAGE,COUNT   map COUNT pages of the file from PAGE on, AT pages behind a fixed place
 *     rAT              read a byte of the page that is AT pages behind that place
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PLACE ((char *)0x50000000)

int main(int argc, char **argv)
{
    int file = open(argv[1], O_RDONLY);
    int sum = 0;

    for (int n = 2; n < argc; n++) {
        char *rest;
        char *at = PLACE + strtoul(argv[n] + 1, &rest, 10) * 4096;
        if (argv[n][0] == 'r') {
            sum += *(volatile char *)at;
            continue;
        }
        unsigned long page = strtoul(rest + 1, &rest, 10), count = strtoul(rest + 1, &rest, 10);
        if (mmap(at, count * 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, page * 4096) != at)
            return 1;
    }
    printf("%d\n", sum);
    return 0;
}
