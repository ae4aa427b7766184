/*
 * Logbook: writes random histories into a log driver and remembers all of them,
 * so that every answer of the driver can be compared with a plain search.
 *
 * Machines are few and forked now and then; times arrive out of order; some
 * events carry an idempotency key, some name the state. A frame is one batch.
 * Claims abort through cmocka. One thread.
 */
#ifndef STET_TESTS_LOGBOOK_H
#define STET_TESTS_LOGBOOK_H

#include <stet/sys/store.h>

#include "base/buf.h"
#include "lib/rng.h"
#include "os/os.h"

typedef struct logbook_event {
    char id[32];
    uint8_t ns;
    stet_event_kind kind;
    uint64_t seq;
    uint64_t before; /* position of the lineage's event before; 0: none */
    int64_t occurred_max;
    int64_t recorded;
    char name[8]; /* the state's, after it */
    uint8_t key[16];
    bool has_key;
    uint64_t frame_end; /* one past the last position of its frame */
    uint8_t *bytes;
    size_t len;
} logbook_event;

typedef struct logbook {
    rng random;
    unsigned machine_count; /* ids that are written at random */
    size_t body_max;
    logbook_event *events; /* [position - 1] */
    size_t cap;
    uint64_t next;   /* position that the next event gets */
    uint64_t acked;  /* below it everything was acknowledged */
    uint64_t synced; /* below it at level disk */
    int64_t recorded;
    bool is_lost; /* a write failed: events from acked on may or may not be */
    /*
     * The store was damaged: an answer may be STET_E_CORRUPT instead, if it
     * names file and offset.
     */
    bool is_damaged;
    uint64_t refusals; /* answers that were */
    stet_log *log;     /* while open */
    stet_log_start start;
    stet_opts opts;
    stet_log_config config;
} logbook;

/* Defaults: 8 machines, bodies up to 300 bytes, segments of 64 KiB. */
void logbook_init(logbook *b, uint64_t seed);
void logbook_deinit(logbook *b);

/*
 * Open the log; claims that nothing acknowledged is missing and forgets what
 * was sequenced but did not survive. Whole frames survive, or nothing of them.
 */
stet_status logbook_open(logbook *b, const stet_driver *driver,
                         const char *path, stet_os *os, stet_error *err);
/* Close; afterwards the log may be opened again. */
stet_status logbook_close(logbook *b, bool is_clean, stet_error *err);

/* Write one frame of `count` random events and publish it. */
stet_status logbook_write(logbook *b, unsigned count, stet_error *err);
/*
 * Write `frames` random frames, several in flight: they are written in random
 * order and published in theirs. Stops at the first failure.
 */
stet_status logbook_write_many(logbook *b, unsigned frames, stet_error *err);
/* Write one event of `bytes` of body to machine `id`. */
stet_status logbook_write_one(logbook *b, const char *id, size_t bytes,
                              stet_error *err);
/* Fork: write the first event of `id`, whose history begins with `position`. */
stet_status logbook_fork(logbook *b, const char *id, uint64_t position,
                         stet_error *err);
/* Power was cut: what was not synced may be gone, or may not. */
void logbook_power_cut(logbook *b);
/* Make everything durable at level disk. */
stet_status logbook_sync(logbook *b, stet_error *err);

/* The same calls, where nothing may go wrong. */
void logbook_open_ok(logbook *b, const stet_driver *driver, const char *path,
                     stet_os *os);
void logbook_close_ok(logbook *b);
void logbook_write_ok(logbook *b, unsigned count);
/* Go back to a machine's first event; it must be found. */
void logbook_seek_first(logbook *b, const char *id);
/* Do a piece of background work, as stet_step does; `out_due` may be NULL. */
stet_status logbook_step(logbook *b, bool *out_more, int64_t *out_due,
                         stet_error *err);
/* Do one piece of settling, with the worker's turn if it takes that. */
stet_status logbook_settle(logbook *b, unsigned flags, uint64_t below,
                           stet_settle_answer *out, stet_error *err);
/* Do background work until there is none; answers how that ended. */
stet_status logbook_steps(logbook *b, stet_error *err);

/* Does the error name a file of the store and an offset in it? */
bool logbook_names_damage(const stet_error *err);

/* Compare every answer that the log gives below the position `below`. */
void logbook_check(logbook *b, uint64_t below);
/* Compare what is left of a walk that was just opened, and close it. */
void logbook_check_walk(logbook *b, stet_log_cursor *walk, uint64_t below);
/* Compare some answers: every record, and the newest of each machine. */
void logbook_check_records(logbook *b, uint64_t below);

#endif
