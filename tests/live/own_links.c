/* What each process finds of its own in procfs: its descriptors, its directory, its program. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned sum;

static void add(long result)
{
    sum = sum * 31 + (unsigned)(result < 0 ? -errno : result);
}

static void add_file(const char *path)
{
    struct stat about;
    char text[64] = "";
    int file = open(path, O_RDONLY);
    add(file);
    add(read(file, text, 20));
    add(lseek(file, 0, SEEK_CUR));
    add(stat(path, &about));
    if (S_ISREG(about.st_mode)) add(about.st_size);
    add(about.st_mode);
    add(access(path, R_OK));
    for (const char *c = text; *c; c++) sum = sum * 31 + (unsigned char)*c;
}

int main(int count, char **arguments)
{
    char link[64] = "", name[32];
    int directory = open("/", O_RDONLY | O_DIRECTORY), text;
    (void)count;
    add_file("/dev/stdin");
    add_file("/dev/fd/0");
    add_file("/proc/self/fd/0");
    add_file("/proc/thread-self/fd/0");
    add_file(arguments[1]); /* a link to /dev/stdin */
    add(openat(directory, "proc/self/fd/0", O_RDONLY));
    add(text = open(arguments[2], O_RDONLY));
    add(lseek(text, 5, SEEK_SET));
    sprintf(name, "/dev/fd/%d", text);
    add_file(name);
    add(open(name, O_RDONLY | O_DIRECTORY));
    strcat(name, "/below");
    add(open(name, O_RDONLY));
    add(open("/dev/stdin", O_RDONLY | O_NOFOLLOW));
    add(readlink("/dev/stdin", link, sizeof link));
    add(strlen(link));
    add(open("/dev/fd/99", O_RDONLY));
    add(open("/dev/fd/00", O_RDONLY));
    add(access("/proc/self/fd/77", F_OK));
    add(open(".", O_RDONLY | O_DIRECTORY));
    add_file("/proc/self/cwd/text-of-links");
    add_file("/proc/self/root/etc/passwd");
    add_file("/proc/thread-self/exe");
    add(chdir("/dev/fd/3"));
    add(chdir("/proc/self/cwd"));
    return sum & 0x7F;
}
