/* Every way mremap grows, shrinks, moves, merges and fails; each result is printed, each page then touched. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define AT(page) ((char *)0x50000000 + (page) * PAGE)
#define MOVE MREMAP_MAYMOVE
#define MOVE_TO (MREMAP_MAYMOVE | MREMAP_FIXED)

static unsigned results;

static void map(char *at, int pages, int protection)
{
    if (mmap(at, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
        _exit(99);
}

static void touch(char *at, int pages)
{
    for (int i = 0; i < pages; i++)
        at[i * PAGE] = i;
}

static char *remap(char *at, unsigned pages, unsigned new_pages, int flags, char *to)
{
    errno = 0;
    char *now = mremap(at, pages * PAGE, new_pages * PAGE, flags, to);
    results = results * 31 + (now == MAP_FAILED ? (unsigned)errno : (unsigned)now >> 12);
    return now;
}

/* Only what is one area can be grown. */
static void is_one(char *at, int pages) { remap(at, pages, pages + 1, 0, 0); }

static void in_place_and_away(void)
{
    map(AT(0), 8, 3);
    touch(AT(0), 8);
    touch(remap(AT(0), 8, 5, 0, 0), 5);
    touch(remap(AT(0), 5, 7, 0, 0), 7);
    map(AT(7), 1, 1);
    remap(AT(0), 7, 9, 0, 0);
    char *away = remap(AT(0), 7, 600, MOVE, 0);
    touch(away, 600);
    touch(remap(away + 3 * PAGE, 2, 2, MOVE_TO, AT(100)), 2);
    touch(remap(away + 5 * PAGE, 1, 4, MOVE_TO, AT(102)), 4);
    touch(remap(away + 9 * PAGE, 5, 2, MOVE_TO, AT(110)), 2);
    touch(remap(AT(100), 1, 1, MOVE_TO, AT(111)), 1);
}

static void merging(void)
{
    /* Never written, it takes the offsets of its new place. */
    map(AT(0x100), 4, 3);
    map(AT(0x110), 4, 3);
    touch(remap(AT(0x100), 4, 4, MOVE_TO, AT(0x114)), 4);
    is_one(AT(0x110), 8);
    /* Written, it fits only where it was made. */
    remap(AT(0x112), 4, 4, MOVE_TO, AT(0x120));
    map(AT(0x124), 4, 3);
    is_one(AT(0x120), 8);
    map(AT(0x116), 1, 3);
    remap(AT(0x120), 4, 4, MOVE_TO, AT(0x112));
    is_one(AT(0x110), 9);
    /* Growing, it meets the area above. */
    map(AT(0x130), 2, 3);
    map(AT(0x134), 2, 3);
    touch(AT(0x130), 1);
    remap(AT(0x130), 2, 4, 0, 0);
    is_one(AT(0x130), 6);
}

static void page_tables(void)
{
    map(AT(0x200), 1024, 3);
    touch(AT(0x201), 700);
    touch(remap(AT(0x200), 1024, 1024, MOVE_TO, AT(0x1000)), 1024);
    touch(remap(AT(0x1001), 1000, 1003, MOVE_TO, AT(0x204D)), 1003);
}

static void errors(void)
{
    map(AT(0x3000), 4, 3);
    remap(AT(0x3000) + 1, 1, 1, 0, 0);
    remap(AT(0x4000), 1, 1, 0, 0);
    remap(AT(0x3000), 1, 0, 0, 0);
    remap(AT(0x3000), 1, 2, 8, 0);
    remap(AT(0x3000), 4, 4, MREMAP_FIXED, AT(0x3100));
    remap(AT(0x3000), 4, 4, MOVE_TO, AT(0x3001));
    remap(AT(0x3000), 4, 4, MOVE_TO, AT(0x3100) + 1);
    remap(AT(0x3000), 4, 4, MOVE_TO, (char *)0xFFFFF000);
    remap(AT(0x3000), 4, 4, MOVE_TO, (char *)0x1000);
    remap(AT(0x3000), 0, 4, MOVE, 0);
    remap(AT(0x3000), 2, 3, 0, 0);
    remap(AT(0x3000), 9, 10, MOVE, 0);
    remap(AT(0x3000), 9, 8, 0, 0);
    remap(AT(0x3000), 0xD0000, 1, 0, 0);
    remap(AT(0x3000), 1, 0xFFFFF, MOVE, 0);
}

static void reallocation(void)
{
    char *block = NULL;
    for (unsigned size = 300000; size < 10000000; size *= 3)
        memset(block = realloc(block, size), 1, size);
    free(realloc(block, 200000));
}

/* A child's inherited memory joins what is above when it grows, but not when it is moved there. */
static void inherited(void)
{
    map(AT(0x5000), 4, 3);
    map(AT(0x5080), 4, 3);
    touch(AT(0x5000), 4);
    touch(AT(0x5080), 4);
    for (int i = 0; i < 2; i++) {
        int child = i == 0 ? fork() : 0;
        if (child) {
            int status;
            wait(&status);
            results = results * 31 + (unsigned)status;
            continue;
        }
        map(AT(0x5006), 2, 3);
        remap(AT(0x5000), 4, 6, 0, 0);
        is_one(AT(0x5000), 8);
        map(AT(0x5084), 2, 3);
        remap(AT(0x5080), 4, 4, MOVE_TO, AT(0x6000));
        remap(AT(0x6000), 4, 4, MOVE_TO, AT(0x5080));
        is_one(AT(0x5080), 6);
        touch(AT(0x5000), 8);
        touch(AT(0x5080), 6);
        if (i == 0)
            _exit(results % 251);
    }
}

int main(void)
{
    in_place_and_away();
    merging();
    page_tables();
    errors();
    reallocation();
    inherited();
    printf("%x\n", results);
    return (int)(results % 251);
}
