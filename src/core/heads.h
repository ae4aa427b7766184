/*
 * Heads: a listing of machines, merged from what each segment knows.
 *
 * A *head source* gives the machines of one segment in the order of their keys,
 * each with its newest record there. The merge keeps one entry of each source
 * in a heap by (key, age of the segment): of equal keys the youngest segment's
 * comes out and the others are passed over. A state's name that no record of
 * the machine says there is looked up in older records.
 *
 * Thread: one at a time per merge.
 */
#ifndef STET_CORE_HEADS_H
#define STET_CORE_HEADS_H

#include "core/image.h"

/* A machine as one segment knows it. */
typedef struct stet_listed {
    stet_head_entry entry;
    uint64_t ask; /* not 0: from this position down a record says the name */
} stet_listed;

typedef struct stet_head_source stet_head_source;
struct stet_head_source {
    /*
     * Give the next machine; slices are lent until the next call. STET_DONE.
     */
    stet_status (*next)(stet_head_source *source, stet_listed *out,
                        stet_error *err);
    void (*destroy)(stet_head_source *source);
};

typedef struct stet_heads stet_heads;

/*
 * Create a merge with room for `source_max` sources; NULL: no memory. Names
 * that a segment does not know are read from `log`, which is borrowed; NULL:
 * they stay empty.
 */
stet_heads *stet__heads_create(const stet_allocator *alloc, stet_log *log,
                               size_t source_max);
/* Destroys the sources too; accepts NULL. */
void stet__heads_destroy(stet_heads *heads);

/* Add a source, the youngest segment's first; the merge owns it. */
stet_status stet__heads_add(stet_heads *heads, stet_head_source *source,
                            stet_error *err);

/* STET_DONE at the end; slices of `out` are lent until the next call. */
stet_status stet__heads_next(stet_heads *heads, stet_head_entry *out,
                             stet_error *err);

/* Does the key lie in the range, by namespace, prefix and after? */
bool stet__heads_range_holds(const stet_heads_range *range,
                             stet_machine_key key);
/* Is it behind all that the range may hold? */
bool stet__heads_range_ends(const stet_heads_range *range,
                            stet_machine_key key);

/* Where the range begins: at the greater of prefix and after. */
stet_machine_key stet__heads_range_start(const stet_heads_range *range);

/*
 * Find the newest record of a run, from `slot` back, that says the state's
 * name, or where the lineage goes on below the run.
 */
void stet__head_name_in_image(const stet_image *image, uint32_t slot,
                              stet_listed *out);

/* A source over an image, sorted when it is created; NULL: no memory. */
stet_head_source *stet__heads_of_image(const stet_allocator *alloc,
                                       const stet_image *image,
                                       const stet_heads_range *range);

#endif
