/*
 * Memdisk: an environment in memory whose disk behaves as badly as one may.
 *
 * Each file has what programs see (the page cache) and what the media hold, and
 * between them the writes that no sync has carried over yet; so has each
 * directory. There is one, whatever path it is opened by, and those that were
 * added; the names of files in these begin with "FOLDER/" where a test asks. A
 * power cut picks, for every file, none, all or some of them, some with sectors
 * dropped, torn or turned to junk; and for the directories none, a prefix or
 * any subset. A killed process loses nothing of it.
 *
 * The disk dies at a chosen call: that call happens in part, and every later
 * one answers EIO, so that the code under test unwinds by itself. Then
 * memdisk_crash brings the machine up again. A failed sync loses some of what
 * it was to carry over and forgets the rest, as Linux does: from then on the
 * page cache shows what the media do not hold.
 *
 * Time stands still unless it is moved. One thread; tests/sim gives it time,
 * threads and faults at random.
 */
#ifndef STET_TESTS_MEMDISK_H
#define STET_TESTS_MEMDISK_H

#include <stdbool.h>

#include "lib/rng.h"
#include "os/os.h"

typedef struct memdisk memdisk;

/* Calls that can be made to fail, counted apart. */
typedef enum memdisk_call {
    MEMDISK_OPEN = 0,
    MEMDISK_READ,
    MEMDISK_WRITE,
    MEMDISK_SYNC, /* of files and of the directory */
    MEMDISK_TRUNCATE,
    MEMDISK_LINK, /* link and rename */
    MEMDISK_UNLINK,
    MEMDISK_LIST,
    MEMDISK_LOCK,
    MEMDISK_FOLDER, /* opening one */
    MEMDISK_SIZE,   /* of a file, and on disk */
    MEMDISK_RANDOM,
    MEMDISK_CALLS
} memdisk_call;

memdisk *memdisk_create(uint64_t seed);
/* From now on the path `folder`, without a slash, is a directory of its own. */
void memdisk_add_folder(memdisk *d, const char *folder);
void memdisk_destroy(memdisk *d);
stet_os *memdisk_os(memdisk *d);

/* Die at the nth call from now that changes the disk; 0: never. */
void memdisk_die_at(memdisk *d, unsigned nth);
bool memdisk_is_dead(const memdisk *d);
/* Bring the machine up after a power cut or a kill; locks and handles go. */
void memdisk_crash(memdisk *d, bool is_power);

/* Fail the nth call of a kind from now with `os_errno`, once; 0: none. */
void memdisk_fail_at(memdisk *d, memdisk_call call, unsigned nth, int os_errno);
/* Was the call reached that was to fail? */
bool memdisk_has_failed(const memdisk *d);

/* Ask before each call that can be made to fail: 0, or the negative errno. */
typedef int (*memdisk_fault_fn)(void *ctx, memdisk_call call);
void memdisk_set_faults(memdisk *d, memdisk_fault_fn fn, void *ctx);

/*
 * A write was under way when the process was killed, or power was cut: some of
 * it is done. Before memdisk_crash.
 */
void memdisk_interrupt_write(memdisk *d, int fd, const void *ptr, size_t len,
                             uint64_t off);

/* Writes that take more space than this fail with ENOSPC. */
void memdisk_set_space(memdisk *d, uint64_t bytes);
/* O_DIRECT and unnamed files, as some file systems have none. */
void memdisk_set_features(memdisk *d, bool has_direct, bool has_unnamed);
void memdisk_advance(memdisk *d, int64_t ns);
/* From now on what is synced, or written past the cache, is not: a lie. */
void memdisk_set_lying(memdisk *d, bool is_lying);
/* Bytes of all that has a name. */
uint64_t memdisk_used(const memdisk *d);

/* Calls so far that change the disk. */
unsigned memdisk_changes(const memdisk *d);
/* Calls so far that read a file. */
unsigned memdisk_reads(const memdisk *d);

/* What is on it, as programs see it. */
size_t memdisk_names(const memdisk *d, const char **out, size_t max);
uint8_t *memdisk_bytes(memdisk *d, const char *name, size_t *out_len);
void memdisk_cut(memdisk *d, const char *name, size_t len);
void memdisk_remove(memdisk *d, const char *name);
/* Remove all that a directory that was added has. */
void memdisk_empty_folder(memdisk *d, const char *folder);
/* Reads that touch [at, at + len) fail with EIO: a latent sector error. */
void memdisk_break(memdisk *d, const char *name, size_t at, size_t len);
/* An independent copy of the disk after a clean stop. */
memdisk *memdisk_copy(const memdisk *d);

#endif
