/*
 * Retain: what becomes of a machine's records when the file they lie in is
 * settled. Pure: a function of the records' places and of what wants them.
 *
 * Who wants a record:
 *
 *   claims   each lineage that runs through the machine (its own; those of its
 *            forks, up to where they left) wants the newest of its events, as
 *            far as its rule of retention says; a hold wants all
 *   pins     positions of records whose state has a name: checkpoints, and the
 *            points at which forks left
 *   cuts     positions of the whole store that have a name: of each machine the
 *            newest record at that time
 *   head     the newest record, which holds the seqs' counter
 *
 * The rule that nothing on disk ever becomes unreadable by: a record is dropped
 * or erased only if the record behind it, in each lineage, is *free*: it needs
 * nothing from before, since it is a base, becomes one in this settle, or is
 * dropped or erased itself. A wanted record behind an unwanted or erased one
 * becomes a base whether or not that one goes already: so files are settled
 * newest first, and what an older one waits for is there then.
 */
#ifndef STET_CORE_RETAIN_H
#define STET_CORE_RETAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One lineage's claim on a machine's own records. */
typedef struct stet_lineage_claim {
    uint64_t end_seq;   /* it runs through the records below that, */
    uint64_t floor_seq; /* and wants those from both floors on */
    uint64_t floor_position;
} stet_lineage_claim;

/* What wants a machine's records; all borrowed. */
typedef struct stet_wants {
    const stet_lineage_claim *claims;
    size_t claim_count;
    const uint64_t *pins; /* rising, of all machines; so are cuts */
    size_t pin_count;
    const uint64_t *cuts;
    size_t cut_count;
    uint64_t head_seq;
    uint64_t erase_end; /* own records of seqs below it are to be erased */
} stet_wants;

/* Where a record lies in its machine's own records. */
typedef struct stet_place {
    uint64_t seq;
    uint64_t position;
    uint64_t next_position; /* of the one behind it; 0: it is the head */
} stet_place;

/* What is to be known of a record. */
typedef struct stet_retained {
    stet_place at;
    uint64_t previous_position; /* of its lineage's record before; 0: none */
    bool is_first_own;          /* that one, if any, is another machine's */
    bool is_base;
    bool is_dropped; /* by an earlier settle; likewise erased */
    bool is_erased;
    bool is_previous_erased; /* or to be; if `is_first_own` */
    bool is_next_free;       /* so are the first ones of forks that leave here;
                                or there is none */
} stet_retained;

typedef enum stet_fate {
    STET_FATE_KEEP = 1,
    STET_FATE_BASE = 2, /* keep, as a base */
    STET_FATE_DROP = 3,
    STET_FATE_ERASE = 4,
} stet_fate;

/* Does anything want the record? */
bool stet__retain_wants(const stet_wants *w, stet_place at);

stet_fate stet__retain_fate(const stet_wants *w, const stet_retained *r);

#endif
