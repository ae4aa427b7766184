/*
 * Temporary directory: a place for a test's files that goes away with it.
 */
#ifndef STET_TESTS_TMPDIR_H
#define STET_TESTS_TMPDIR_H

typedef struct tmpdir {
    char path[512];
} tmpdir;

/* Make an empty one, in $TMPDIR or else /tmp; aborts when that fails. */
void tmpdir_create(tmpdir *t);

/* Remove it with all that is in it; accepts a zeroed one. */
void tmpdir_remove(tmpdir *t);

#endif
