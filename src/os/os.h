/*
 * Os: the one seam between stet and the system.
 *
 * Files, directories, clocks, randomness, threads and futexes are reached
 * through a table of functions, so that a simulator can stand in for all of
 * them. Nothing above this folder includes a system header, and every call a
 * program makes on the outside world is one of these methods.
 *
 * Methods answer 0 or a count on success and a negative errno on failure; they
 * retry EINTR themselves. No method keeps hidden state about files: a file is
 * the small integer that `open` gave.
 *
 * Thread: a stet_os is thread-safe; so is each method.
 */
#ifndef STET_OS_OS_H
#define STET_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct stet_os stet_os;

enum {
    STET_OS_NAME_MAX = 64,   /* a file name inside a store, with its NUL */
    STET_OS_PATH_MAX = 4096, /* a directory path, with its NUL */
};

typedef enum stet_open_flags {
    STET_OPEN_WRITE = 1 << 0,     /* read and write; else read only */
    STET_OPEN_CREATE = 1 << 1,    /* create if absent, mode 0600 */
    STET_OPEN_EXCLUSIVE = 1 << 2, /* with CREATE: fail with EEXIST */
    STET_OPEN_DIRECT = 1 << 3,    /* O_DIRECT|O_DSYNC; EINVAL where not known */
    STET_OPEN_UNNAMED = 1 << 4,  /* O_TMPFILE in the directory; link names it */
    STET_OPEN_UNCACHED = 1 << 5, /* O_DIRECT, likewise, but durable by sync */
} stet_open_flags;

typedef enum stet_lock_kind {
    STET_LOCK_SHARED = 1,
    STET_LOCK_EXCLUSIVE = 2,
    STET_LOCK_NONE = 3, /* release */
} stet_lock_kind;

/* One name of a directory listing. */
typedef bool (*stet_os_name_fn)(void *ctx, const char *name);
typedef void (*stet_os_thread_fn)(void *ctx);

struct stet_os {
    void *ctx;

    /* Files. `dir` is a directory handle from dir_open; names have no slash. */
    /* `is_create`: made if absent, mode 0700, and durable in its parent. */
    int (*dir_open)(stet_os *os, const char *path, bool is_create);
    /* `name` may be NULL for UNNAMED, which is EOPNOTSUPP where not known. */
    int (*open)(stet_os *os, int dir, const char *name, unsigned flags);
    int (*close)(stet_os *os, int fd);
    /* Bytes read, fewer only at the end of the file. */
    int64_t (*pread)(stet_os *os, int fd, void *ptr, size_t len, uint64_t off);
    /* 0 when all was written: short writes are continued. */
    int (*pwrite)(stet_os *os, int fd, const void *ptr, size_t len,
                  uint64_t off);
    int (*datasync)(stet_os *os, int fd); /* data and size */
    int (*sync)(stet_os *os, int fd);     /* a file or a directory */
    int (*truncate)(stet_os *os, int fd, uint64_t size);
    int64_t (*size)(stet_os *os, int fd);
    /* Bytes the file takes on disk, which holes make fewer than its size. */
    int64_t (*disk_bytes)(stet_os *os, int fd);
    int (*link)(stet_os *os, int dir, int fd, const char *name); /* UNNAMED */
    int (*rename)(stet_os *os, int dir, const char *from, const char *to);
    int (*unlink)(stet_os *os, int dir, const char *name);
    /* Calls `visit` for each name but . and ..; stops when it says false. */
    int (*list)(stet_os *os, int dir, stet_os_name_fn visit, void *ctx);
    /* Never blocks: -EWOULDBLOCK when another process holds it (flock). */
    int (*lock)(stet_os *os, int fd, stet_lock_kind kind);

    /* Clocks in nanoseconds: since 1970 (may jump), and monotonic. */
    int64_t (*now)(stet_os *os);
    int64_t (*monotonic)(stet_os *os);
    int (*random)(stet_os *os, void *ptr, size_t len);
    int (*pid)(stet_os *os);

    /* Threads. */
    int (*thread_start)(stet_os *os, stet_os_thread_fn fn, void *ctx,
                        uint64_t *out_thread);
    void (*thread_join)(stet_os *os, uint64_t thread);
    /*
     * Sleep while *word == expected, until woken, or until monotonic() reaches
     * `deadline_ns` (0: no deadline). May wake without cause.
     */
    void (*futex_wait)(stet_os *os, _Atomic uint32_t *word, uint32_t expected,
                       int64_t deadline_ns);
    void (*futex_wake)(stet_os *os, _Atomic uint32_t *word, int count);
    void (*yield)(stet_os *os);

    /* A file descriptor for event loops: readable after `event_signal`. */
    int (*event_create)(stet_os *os);
    void (*event_signal)(stet_os *os, int fd);
    void (*event_clear)(stet_os *os, int fd);
};

/* The real system. Static storage; thread-safe. */
stet_os *stet__os_posix(void);

#endif
