/*
 * Store under test: a handle on each kind of store in turn, under a clock that
 * the test holds.
 *
 * What the public API promises it promises on every store, so a test of it is
 * listed once for each of them:
 *
 *   ON_BOTH_STORES(test_a_save_is_there),
 *   ON_EMBEDDED_STORE(test_a_save_is_there_after_a_reopen),
 *
 * Such a test finds a store, open and empty, in `*state`. The embedded one lies
 * in a temporary directory at level os, which saves the disk's flushes.
 */
#ifndef STET_TESTS_STORE_UNDER_TEST_H
#define STET_TESTS_STORE_UNDER_TEST_H

#include <stdatomic.h>

#include <stet/stet.h>

#include "lib/memdisk.h"
#include "lib/tmpdir.h"
#include "os/os.h"

typedef struct store_under_test {
    stet_os os; /* the real one, but for the clock */
    _Atomic int64_t clock;
    _Atomic int64_t tick; /* what each look at the clock adds to it */
    memdisk *disk;        /* of a simulated store; else NULL */
    tmpdir dir;
    char url[600];
    bool is_kept; /* survives a close */
    stet_opts opts;
    stet *s;
} store_under_test;

/* The clock at first: 2026-01-01T00:00:00Z. It ticks by a microsecond. */
#define STORE_CLOCK ((int64_t)1767225600 * 1000000000)

void store_init_memory(store_under_test *t);
void store_init_embedded(store_under_test *t);
/* The embedded one on a disk in memory; without threads, as that is. */
void store_init_simulated(store_under_test *t);
void store_deinit(store_under_test *t); /* closes, if open */

/* Open with t->opts; claims that it works. */
void store_open(store_under_test *t);
void store_close(store_under_test *t);
/* Close and open again; only for a store that is kept. */
void store_reopen(store_under_test *t);
/* Open or close a store whose disk may die on the way. */
bool store_try_open(store_under_test *t);
void store_abandon(store_under_test *t);

int64_t store_now(store_under_test *t);
void store_advance(store_under_test *t, int64_t ns);

/* For cmocka: `*state` is a store_under_test, open. */
int store_setup_memory(void **state);
int store_setup_embedded(void **state);
int store_teardown(void **state);

/* The list's last comma is the caller's. */
#define ON_EMBEDDED_STORE(test)                                                \
    {                                                                          \
#test "_on_embedded", test, store_setup_embedded, store_teardown, NULL \
    }
#define ON_BOTH_STORES(test)                                                   \
    {#test "_on_memory", test, store_setup_memory, store_teardown, NULL},      \
        ON_EMBEDDED_STORE(test)

/* Claim a status; on another one the error's text is shown. */
#define assert_status(got, want, err)                                          \
    store_claim_status((got), (want), (err), #got, __FILE__, __LINE__)
void store_claim_status(stet_status got, stet_status want,
                        const stet_error *err, const char *what,
                        const char *file, int line);

/* Claim that a text names something. */
#define assert_names(err, part)                                                \
    store_claim_names((err), (part), __FILE__, __LINE__)
void store_claim_names(const stet_error *err, const char *part,
                       const char *file, int line);

/* Claim that a slice says this. */
#define assert_says(slice, text)                                               \
    store_claim_says((slice), (text), __FILE__, __LINE__)
void store_claim_says(stet_slice slice, const char *text, const char *file,
                      int line);

/*
 * Short ways of calls that must work. Ids and texts are NUL-terminated; a save
 * gives its seq.
 */
uint64_t store_save(store_under_test *t, const char *id, const char *text);
uint64_t store_write(store_under_test *t, const stet_change *change);
const stet_state *store_load(store_under_test *t, const char *id);
const stet_state *store_load_at(store_under_test *t, const char *id,
                                stet_at at);
/* Claim what the newest state of a machine, or the one at a point, says. */
void store_claim_state(store_under_test *t, const char *id, const char *text);
void store_claim_state_at(store_under_test *t, const char *id, stet_at at,
                          const char *text);
/* Claim that there is none. */
void store_claim_missing(store_under_test *t, const char *id);
void store_claim_missing_at(store_under_test *t, const char *id, stet_at at);

stet_at at_seq(uint64_t seq);
stet_at at_time(int64_t time);
stet_at at_recorded(int64_t time);
stet_at at_position(uint64_t position);
stet_at at_name(const char *name);

#endif
