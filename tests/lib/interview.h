/*
 * Interview: everything that a store can be asked to read, and its answers.
 *
 * It is held once with a sound store and repeated with damaged copies. What a
 * damaged store may answer to each question is the very same, or that bytes are
 * wrong, with file and offset; a listing may come to that after a part of the
 * same. Nothing else: not another state, not a not-found, not an end too early.
 */
#ifndef STET_TESTS_INTERVIEW_H
#define STET_TESTS_INTERVIEW_H

#include <stdbool.h>
#include <stddef.h>

#include <stet/stet.h>

#include "os/os.h"

enum { INTERVIEW_NAMESPACES = 4 }; /* 0 to 3 are asked */

typedef struct interview interview;

/* How much of it is repeated. */
typedef enum interview_scope {
    INTERVIEW_WHOLE = 1,
    /* Listings, histories and newest states; of single points some, others each
     * time. */
    INTERVIEW_BRIEF = 2,
} interview_scope;

/* What a store made of a repeated interview. */
typedef struct interview_verdict {
    size_t exact;     /* questions answered as before */
    size_t told;      /* answered with damage; opening counts as one */
    bool is_sound;    /* verifying found nothing */
    char wrong[1600]; /* what must not be answered; empty: promise kept */
} interview_verdict;

/* Hold it with a sound store, opened read-only; aborts on any error. `os` is
 * where it lies, now and when it is repeated. */
interview *interview_create(stet_os *os, const char *store);
void interview_destroy(interview *v);

/* Open read-only and ask again, then verify. */
void interview_repeat(interview *v, const char *store, interview_scope scope,
                      interview_verdict *out);

#endif
