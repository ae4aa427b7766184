/*
 * Settler: lives of a logbook on a memdisk in which segments are settled.
 * Claims abort through cmocka.
 */
#ifndef STET_TESTS_SETTLER_H
#define STET_TESTS_SETTLER_H

#include "lib/logbook.h"
#include "lib/memdisk.h"

/* Open the log of the folder "d". */
void settler_open_ok(logbook *b, memdisk *disk);
/* A new disk and log; three segments make a set. */
void settler_begin(logbook *b, memdisk **disk, uint64_t seed);
/* Close the log; book and disk are gone. */
void settler_end(logbook *b, memdisk *disk);

stet_info settler_info_of(logbook *b);
/* Write until there are so many segments that wait; nothing is settled yet. */
void settler_write_segments(logbook *b, uint64_t segments);
/* Have the keeper see that nobody writes just now. */
void settler_make_a_pause(logbook *b, memdisk *disk);
/* Settle what there is, as stet_compact does. */
stet_status settler_settle_all(logbook *b, stet_error *err);
void settler_verify_ok(logbook *b);
/* Files whose names have this in them. */
size_t settler_count_names(const memdisk *disk, const char *part);
/* A life up to something that may go wrong at any place, and that. */
typedef struct settler_life {
    void (*begin)(logbook *b, memdisk **disk, uint64_t seed);
    stet_status (*work)(logbook *b, uint64_t seed);
} settler_life;

/* Killed or cut off at each nth write, sync, naming or removal of the work. */
void settler_crash_anywhere(const settler_life *life, uint64_t seed,
                            unsigned stride);

/* How many calls of the work to skip between those that fail. */
typedef struct settler_strides {
    unsigned usual;
    unsigned reads; /* and opens, which are many */
} settler_strides;

/*
 * Calls of every kind fail once in it, in lives of the two seeds in turn. It
 * ends, or the writer does; what was there stays.
 */
void settler_fail_anywhere(const settler_life *life, uint64_t first_seed,
                           settler_strides strides);

/*
 * After whatever happened to a log that is closed: all is there, and the store
 * goes on. As settler_end in the end.
 */
void settler_go_on(logbook *b, memdisk *disk);

#endif
