/*
 * Settling, as its rooms share it: a set being made, and what each of them does
 * to it. In the order of the work:
 *
 *   settle_choose.c   which files are next
 *   settle_input.c    reading one of them, run by run
 *   settle_merge.c    putting the runs of a machine together
 *   settle_retain.c   what of them may go
 *   settle_write.c    the set's file
 *   settle_install.c  its name, its place in the table, the end of the inputs
 *   settle.c          all of it, a step at a time
 *
 * The set's file is a file in the making (making.h). Once all is settled,
 * indexing.h makes indexes of the sets.
 *
 * Thread: the worker's.
 */
#ifndef STET_STORES_EMBEDDED_SETTLING_H
#define STET_STORES_EMBEDDED_SETTLING_H

#include "core/set.h"
#include "core/set_draft.h"
#include "stores/embedded/jump.h"
#include "stores/embedded/making.h"
#include "stores/embedded/scan.h"
#include "stores/embedded/sealed_index.h"
#include "stores/embedded/settle.h"
#include "stores/embedded/settle_retain.h"
#include "stores/embedded/settled.h"

/*
 * A file being read, by machine. In a segment that is here and there, so that
 * each record is read by itself; its slots are kept, which also tell how far it
 * may reach. A set is read as it lies.
 */
typedef struct stet_settle_input {
    stet_segment *s;                  /* one reference; NULL: not open */
    const stet_sealed_tables *tables; /* its own */
    stet_buf slots;
    stet_buf record; /* the one being copied */
    stet_settled_scan scan;
    stet_scan primed; /* of a segment's frames, see prime below */
    stet_sealed_reader reader;
    stet_run_walk walk;
    stet_run_search q; /* its run is the next one */
    bool has_run;
    uint32_t ordinal;     /* of the run's next record */
    uint64_t read_offset; /* of the record read last, for who finds fault */
    bool is_in;           /* its run is of the machine being merged */
} stet_settle_input;

/* What the next step does. The last one is the worker's, too. */
typedef enum stet_settling_stage {
    STET_SETTLING_OPENS = 1,
    STET_SETTLING_MERGES = 2,
    STET_SETTLING_INDEXES = 3,
    STET_SETTLING_WRITES = 4, /* the index */
    STET_SETTLING_CHECKS = 5,
    STET_SETTLING_ENDS = 6,
} stet_settling_stage;

typedef struct stet_settling {
    stet_embedded *e;
    stet_settling_stage stage;
    uint32_t count;
    uint32_t opened;                                  /* of the inputs */
    stet_segment *segments[STET_SETTLE_SEGMENTS_MAX]; /* a reference each */
    bool is_asked_for; /* by who wants all to be settled */
    bool is_final;     /* the last segment is among them */
    bool is_installed;
    uint32_t active;  /* the input being merged, while some is in */
    uint64_t taken;   /* bytes of records so far */
    uint32_t reading; /* file: it is to blame for what cannot be read */
    stet_jumps jumps;
    stet_buf seeds; /* of sets that are merged: stet_set_seed each */
    stet_set_draft draft;
    stet_settle_retain retain;

    /* The file. */
    stet_making file;
    stet_buf index;  /* as it is to be behind the content; at first scratch */
    size_t index_at; /* so much of it was written, then read back */
    stet_trailer trailer;
    stet_set_packer packer;
    stet_settle_input inputs[]; /* `count`, 13 KB each */
} stet_settling;

/* settle_choose.c */

/* Neighbours in the table. */
typedef struct stet_settle_order {
    uint32_t first;
    uint32_t count; /* 0: there is nothing to do */
} stet_settle_order;

/*
 * Segments that make a set, else small sets that are to be merged. Whole sets
 * are made without what cannot be read.
 */
stet_settle_order stet__settle_choose(stet_embedded *e, const stet_files *table,
                                      stet_settle_zeal zeal);
stet_settle_order stet__settle_choose_merge(const stet_embedded *e,
                                            const stet_files *table,
                                            stet_settle_zeal zeal);
/* Segments of the table that are not settled begin at this index. */
uint32_t stet__settle_first(const stet_files *table);
/* Sets of the table that begin below a position. */
uint32_t stet__settle_sets_below(const stet_files *table, uint64_t below);

/* settle_input.c */

/* Begin with the first run; deinit may follow in any case. */
stet_status stet__settle_input_open(stet_settle_input *in, stet_segment *s,
                                    stet_error *err);
/*
 * Read the next frames of a segment, which writers wrote past the page cache:
 * what is read here and there afterwards is found in it. Each must be the one
 * that is due, recorded when the index says.
 */
stet_status stet__settle_input_prime(stet_settle_input *in, stet_buf *scratch,
                                     bool *out_is_done, stet_error *err);
/* Accepts one that was never opened. */
void stet__settle_input_deinit(stet_settle_input *in);
/*
 * Read the run's next record, whose bytes are lent until the next call.
 * STET_DONE: that was all of the run; the next one, if any, is at hand.
 */
stet_status stet__settle_input_next(stet_settle_input *in, stet_set_record *out,
                                    stet_error *err);

/* settle_merge.c */

/* Begin with the times of all inputs, and the seeds that they had. */
stet_status stet__settle_merge_begin(stet_settling *w, stet_error *err);
/* Merge the next record; STET_DONE when there is none. */
stet_status stet__settle_merge_next(stet_settling *w, stet_error *err);

/* settle_retain.c */

/*
 * What is next of a pass over all sets, the newest first: a set to be tried or,
 * if it was, to be settled again.
 */
stet_settle_order stet__settle_retain_choose(stet_embedded *e,
                                             const stet_files *table,
                                             bool *out_is_trial);
/* Note how that went. */
void stet__settle_retain_note(const stet_settling *w);
/* Has a trial found what it looks for? */
bool stet__settle_retain_is_tried(const stet_settling *w);

/* Ask what may go; the inputs are open. Deinit may follow in any case. */
stet_status stet__settle_retain_begin(stet_settling *w, stet_error *err);
void stet__settle_retain_deinit(stet_settling *w);
/*
 * Note the seeds that the records have, and leave those that the set is to
 * have: none, in the trailer either, if salts take their place.
 */
void stet__settle_retain_seeds(stet_settling *w, stet_set_seeds *seeds);
/*
 * Put in place of a record what is to be left of it, lent until the next call.
 * STET_E_UNSUPPORTED: a state cannot be folded here, so nothing may go.
 */
stet_status stet__settle_retain_record(stet_settling *w, stet_set_record *r,
                                       stet_error *err);

/* settle_write.c */

/* Draw salts, fill the trailer in as far as it is known, create the file. */
stet_status stet__settle_file_create(stet_settling *w, stet_error *err);
/* Write the head, when all is known that it says. */
stet_status stet__settle_file_begin(stet_settling *w, stet_error *err);
/* Write what was packed, once it is worth it. */
stet_status stet__settle_file_write(stet_settling *w, stet_error *err);
/* Write all that is left of the content, and put the index together. */
stet_status stet__settle_file_index(stet_settling *w, stet_error *err);
/* Write a piece of the index; behind the last all is durable. */
stet_status stet__settle_file_write_index(stet_settling *w, stet_error *err);
/* Read a piece of the index back. Keeps (S1). */
stet_status stet__settle_file_check(stet_settling *w, stet_error *err);
/* Close and remove what has no name yet; accepts that there is no file. */
void stet__settle_file_drop(stet_settling *w);

/* settle_install.c */

/*
 * Name the set, show it in the table in place of its inputs and doom these. If
 * they left the table meanwhile nothing is done.
 */
stet_status stet__settle_install(stet_settling *w, stet_error *err);

#endif
