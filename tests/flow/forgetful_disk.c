/* Remembers of each file below $FORGETFUL_FOLDER what was in it when it was last synced, as a disk does that loses
   power: a copy in $FORGETFUL_MEMORY, with % for each / of its path. To be preloaded. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void remember(int fd) {
    const char *folder = getenv("FORGETFUL_FOLDER"), *memory = getenv("FORGETFUL_MEMORY");
    char link[64], path[PATH_MAX], kept[PATH_MAX], fresh[PATH_MAX + 8], block[65536];
    if (folder == NULL || memory == NULL) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    if (strncmp(path, folder, strlen(folder)) != 0) return;
    size_t begin = (size_t)snprintf(kept, sizeof kept, "%s/", memory);
    if (begin + (size_t)length >= sizeof kept) return;
    strcpy(kept + begin, path);
    for (char *each = kept + begin; *each; each++)
        if (*each == '/') *each = '%';
    snprintf(fresh, sizeof fresh, "%s.fresh", kept);
    int from = open(link, O_RDONLY | O_CLOEXEC), to = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t count = -1;
    if (from >= 0 && to >= 0)
        while ((count = read(from, block, sizeof block)) > 0)
            if (write(to, block, (size_t)count) != count) abort();
    if (from >= 0) close(from);
    if (to >= 0) close(to);
    if (count == 0) rename(fresh, kept);
    else unlink(fresh); /* a folder cannot be read */
}

int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    int result = real(fd);
    if (result == 0) remember(fd);
    return result;
}

int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    int result = real(fd);
    if (result == 0) remember(fd);
    return result;
}
