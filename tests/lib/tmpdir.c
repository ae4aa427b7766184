#include "lib/tmpdir.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DESCRIPTORS_MAX = 16 };

static void die(const char *verb, const char *path)
{
    perror(path);
    fprintf(stderr, "tmpdir: cannot %s %s\n", verb, path);
    abort();
}

void tmpdir_create(tmpdir *t)
{
    const char *base = getenv("TMPDIR");
    base = base == NULL || base[0] == '\0' ? "/tmp" : base;
    int len = snprintf(t->path, sizeof t->path, "%s/stet-test-XXXXXX", base);
    if (len < 0 || (size_t)len >= sizeof t->path || mkdtemp(t->path) == NULL) {
        die("make", t->path);
    }
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

void tmpdir_remove(tmpdir *t)
{
    if (t->path[0] == '\0') {
        return;
    }
    if (nftw(t->path, remove_one, DESCRIPTORS_MAX, FTW_DEPTH | FTW_PHYS) != 0) {
        die("remove", t->path);
    }
    t->path[0] = '\0';
}
