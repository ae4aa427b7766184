/*
 * Replay: what libFuzzer found once, given to a target again by a program that
 * any compiler makes. Without arguments it is the corpus of the target that the
 * program is named after, below the current folder; else files.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { PATH_BYTES_MAX = 512 };

static int fail(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n", path, what);
    return 1;
}

/* Read a file into a block of its length, so that ASan sees where it ends. */
static uint8_t *read_whole(FILE *file, size_t *out_len)
{
    long len = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (len < 0) {
        return NULL;
    }
    rewind(file);
    uint8_t *bytes = malloc(len > 0 ? (size_t)len : 1);
    *out_len = bytes == NULL ? 0 : fread(bytes, 1, (size_t)len, file);
    return bytes;
}

static int run_file(const char *path)
{
    size_t len = 0;
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = file == NULL ? NULL : read_whole(file, &len);
    if (file != NULL) {
        (void)fclose(file); /* it was only read */
    }
    if (bytes == NULL) {
        return fail(path, "not to be read");
    }
    printf("%s\n", path); /* the last line is the input of a crash */
    (void)LLVMFuzzerTestOneInput(bytes, len); /* 0 is all it says */
    free(bytes);
    return 0;
}

static int run_corpus(const char *program)
{
    char folder[PATH_BYTES_MAX];
    char path[2 * PATH_BYTES_MAX];
    const char *name = strrchr(program, '/');
    name = name == NULL ? program : name + 1;
    snprintf(folder, sizeof folder, "fuzz/corpus/%.*s", (int)strcspn(name, "_"),
             name);
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return fail(folder, "no such corpus");
    }
    int failed = 0;
    unsigned count = 0;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (e->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
            failed |= run_file(path);
            count++;
        }
    }
    closedir(dir);
    return count == 0 ? fail(folder, "is empty") : failed;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2) {
        return run_corpus(argv[0]);
    }
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        failed |= run_file(argv[i]);
    }
    return failed;
}
