/* What a program does to pages of a file in the page cache, and which of its faults wait for the disk.
 *
 *     page_cache GROUP FILE     a file of 64 pages and ten bytes, that no one else uses
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define PAGES 65

static int file, sink;
static volatile char *map;

static void stop(void) { getppid(); }
static void touch(int page) { sink += map[page * PAGE]; }
static void touch_all(void) { for (int page = 0; page < PAGES; page++) touch(page); }
static void forget(void) { madvise((void *)map, PAGES * PAGE, MADV_DONTNEED); }
static void drop(off_t offset, off_t size) { posix_fadvise(file, offset, size, POSIX_FADV_DONTNEED); }

static void map_it(int protection, int advice)
{
    map = mmap(NULL, PAGES * PAGE, protection, MAP_PRIVATE, file, 0);
    if (map == MAP_FAILED || (advice && madvise((void *)map, PAGES * PAGE, advice))) exit(1);
}

/* Parts of pages at either end stay, but the end of the file goes. */
static void parts(void)
{
    map_it(PROT_READ, MADV_RANDOM);
    drop(0, 0); touch_all(); forget(); stop();
    drop(1, PAGE);                 touch(0); touch(1); forget(); stop();
    drop(PAGE - 1, PAGE + 1);      touch(0); touch(1); touch(2); forget(); stop();
    drop(2 * PAGE, 3 * PAGE - 1);  touch(1); touch(4); touch(3); forget(); stop();
    drop(60 * PAGE, 1 << 30);      touch(59); touch(60); touch(63); forget(); stop();
    drop(PAGES * PAGE, 0);         touch(63); stop();
    drop(10 * PAGE, 0);            touch(63); touch(9); touch(20); forget(); stop();
    drop(64 * PAGE, 9);            touch(64); forget(); stop();
    drop(64 * PAGE, 10);           touch(64); forget(); stop();
    drop(64 * PAGE, 11);           touch(64); forget(); stop();
    drop(63 * PAGE, 2 * PAGE);     touch(63); touch(64); forget(); stop();
    drop(63 * PAGE + 1, 0);        touch(63); touch(64); stop();
}

/* What is mapped stays; mapped again, it is still there. */
static void mapped(void)
{
    map_it(PROT_READ, MADV_RANDOM);
    drop(0, 0); touch(3); touch(5); touch(40); drop(0, 0); touch(4); stop();
    munmap((void *)map, PAGES * PAGE);
    map_it(PROT_READ, MADV_RANDOM);
    touch(5); stop();
}

/* A first touch that writes waits for the disk, too; the copy is the process's own and outlives what is dropped. */
static void writing(void)
{
    map_it(PROT_READ | PROT_WRITE, MADV_RANDOM);
    drop(0, 0); map[7 * PAGE] = 1; stop();
    drop(0, 0); touch(7); map[8 * PAGE] = 1; touch(9); map[9 * PAGE] = 1; stop();
    drop(0, 0); read(file, (void *)(map + 20 * PAGE), 0); touch(10); stop();
}

/* The kernel's own accesses, and what it makes resident itself. */
static void kernels(void)
{
    map_it(PROT_READ, MADV_RANDOM);
    drop(0, 0);
    open((char *)map + 11 * PAGE, O_RDONLY); stop();
    mlock((void *)(map + 20 * PAGE), 3 * PAGE); stop();
    madvise((void *)(map + 20 * PAGE), PAGE, MADV_PAGEOUT); /* EINVAL */
    munlock((void *)(map + 20 * PAGE), 3 * PAGE); stop();
}

/* Advice is a property of an area: it splits and merges. */
static void areas(void)
{
    map_it(PROT_READ, 0);
    madvise((void *)(map + 4 * PAGE), 4 * PAGE, MADV_RANDOM); stop();
    madvise((void *)(map + 6 * PAGE), 4 * PAGE, MADV_SEQUENTIAL); stop();
    madvise((void *)(map + 2 * PAGE), PAGES * PAGE, MADV_NORMAL); stop();  /* ENOMEM, perhaps */
    madvise((void *)map, PAGES * PAGE, MADV_RANDOM); stop();
    char *own = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(own + PAGE, PAGE, MADV_RANDOM); own[0] = own[PAGE] = own[2 * PAGE] = 1; stop();
    madvise(own, 8 * PAGE, MADV_NORMAL); stop();
}

/* Reclaimed: what is mapped once goes; what is mapped twice stays. */
static void reclaimed(void)
{
    map_it(PROT_READ, MADV_RANDOM);
    drop(0, 0); touch_all(); drop(0, 0);
    madvise((void *)(map + 8 * PAGE), 8 * PAGE, MADV_PAGEOUT); stop();
    touch(7); touch(8); touch(12); stop();
    volatile char *twice = mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE, file, 30 * PAGE);
    madvise((void *)twice, 4 * PAGE, MADV_RANDOM);
    sink += twice[0]; drop(0, 0);
    madvise((void *)(map + 28 * PAGE), 8 * PAGE, MADV_PAGEOUT); stop();
    touch(28); touch(30); touch(31); sink += twice[PAGE]; stop();
}

/* Without swap the process's own pages stay. */
static void own(void)
{
    map_it(PROT_READ | PROT_WRITE, MADV_RANDOM);
    drop(0, 0); touch(0); map[PAGE] = 1; drop(0, 0);
    char *more = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    more[0] = more[PAGE]; 
    madvise(more, 4 * PAGE, MADV_PAGEOUT);
    madvise((void *)map, 4 * PAGE, MADV_PAGEOUT); stop();
    sink += more[0]; touch(0); touch(1); stop();
}

/* Beyond what is predicted: what read-ahead brings in. */
static void ahead(void) { map_it(PROT_READ, 0); drop(0, 0); touch(5); stop(); }
static void others(void) { map_it(PROT_READ, MADV_RANDOM); if (fork()) drop(0, 0); touch(5); }
static void reading(void)
{
    char byte;

    map_it(PROT_READ, MADV_RANDOM); drop(0, 0); touch(5);
    read(file, &byte, 1); touch(5); stop(); touch(6); stop();
}

/* What the arguments say: a letter and two numbers each. */
static void steps(char **step)
{
    map_it(PROT_READ | PROT_WRITE, MADV_RANDOM);
    drop(0, 0);
    for (; *step; step++) {
        char *end;
        long first = strtol(*step + 1, &end, 10), second = strtol(end + 1, NULL, 10);
        void *pages = (void *)(map + first * PAGE);

        switch (**step) {
        case 't': touch(first); break;
        case 'w': map[first * PAGE] = 1; break;
        case 'd': drop(first, second); break;
        case 'f': madvise(pages, second * PAGE, MADV_DONTNEED); break;
        case 'p': drop(0, 0); madvise(pages, second * PAGE, MADV_PAGEOUT); break;
        case 'l': mlock(pages, second * PAGE); munlock(pages, second * PAGE); break;
        case 'm': munmap(pages, second * PAGE); mmap(pages, second * PAGE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_FIXED, file, first * PAGE); madvise(pages, second * PAGE, MADV_RANDOM);
        }
        stop();
    }
}

int main(int argc, char **argv)
{
    static const struct { const char *name; void (*run)(void); } groups[] = {
        {"parts", parts}, {"mapped", mapped}, {"writing", writing}, {"kernels", kernels}, {"areas", areas},
        {"reclaimed", reclaimed}, {"own", own}, {"ahead", ahead}, {"reading", reading},
        {"others", others},
    };

    if (argc < 3 || (file = open(argv[2], O_RDONLY)) < 0 || fsync(file)) return 2;
    if (!strcmp("steps", argv[1])) steps(argv + 3);
    for (unsigned i = 0; i < sizeof groups / sizeof *groups; i++)
        if (!strcmp(groups[i].name, argv[1])) groups[i].run();
    return 0;
}
