/*
 * Table: the machines in memory, with their pending and their visible versions.
 *
 * An *entry* is a machine; a *head* is what one of its events made of it, the
 * newest first. Heads at or above the watermark are *pending*: only writers see
 * them. The newest head below it is what readers see. Publishing touches no
 * entry: being visible is the comparison of a position with the watermark. It
 * is read under the stripe: with an older one a reader would look for heads
 * that a writer, with a newer one, has let go.
 *
 *     entry -> pending -> pending -> visible -> [anchor: older, with a box]
 *
 * An event that leaves the state as it was makes a head without a box, which
 * *carries* the state of the head before: that of the anchor, when the heads
 * down to it carry, too.
 *
 * The table is a cache of the log, bounded by bytes, by entries and by the time
 * since an entry was read from there or written: 16 stripes by hash, a clock
 * hand each. An entry that is too old is let go when a load looks for it, or
 * when the hand comes by. What is pinned or pending stays.
 *
 * Invariants
 *  (1) A machine with a pending head is resident, so a reader of the log who
 *      found an eviction count unchanged knows the machine's true head.
 *  (2) An entry's newest head is the machine's last event; newest NULL says
 *      that the machine was never written.
 *  (3) Heads are linked under `seq` and the stripe; read under the stripe.
 *
 * Thread-safe.
 */
#ifndef STET_ENGINE_TABLE_H
#define STET_ENGINE_TABLE_H

#include <stet/sys/store.h>

#include "base/map.h"
#include "engine/box.h"
#include "os/mutex.h"

enum { STET_TABLE_STRIPES = 16 };

typedef struct stet_head {
    struct stet_head *older;
    uint64_t seq;
    uint64_t position;
    int64_t occurred_max;
    int64_t occurred;
    int64_t recorded;
    uint64_t depth;       /* records since the last base */
    uint64_t body_bytes;  /* of those records */
    uint64_t state_bytes; /* of the state, at most */
    uint32_t file;        /* segment of this record */
    uint32_t turns;       /* segment changes since the last base */
    stet_shape shape;     /* of the state, as far as it is known */
    bool is_deleted;
    bool is_carried; /* the state is the older head's, but for name and times */
    bool is_tidy;    /* `older` is the anchor or NULL; under the stripe */
    stet_box *box;   /* the state; NULL: carried, not folded yet, or deleted */
    size_t name_bytes;
    size_t name_room;
    char name[]; /* the state's name */
} stet_head;

/* A machine's newest event, pending ones included, as somebody saw it. */
typedef struct stet_head_view {
    bool is_written; /* has any event */
    bool is_deleted;
    uint64_t seq;
    uint64_t position; /* 0: an earlier plan of the same batch */
    uint64_t depth;
    uint64_t body_bytes;
    uint64_t state_bytes; /* at most */
    uint32_t turns;
    stet_shape shape;
    size_t name_bytes;
    char name[STET_NAME_BYTES_MAX];
} stet_head_view;

/* Heads that wait for work, so that a write costs no allocation. */
typedef struct stet_heads {
    stet_head *idle; /* chained by older */
    uint32_t count;
} stet_heads;

/* What is counted of a machine while it is in memory. */
typedef struct stet_entry_counts {
    uint64_t save_ns; /* all together, of as many as were timed */
    uint64_t load_ns;
    uint32_t saves_timed;
    uint32_t loads_timed;
    uint64_t misses;
    uint64_t loads; /* misses included */
} stet_entry_counts;

typedef struct stet_entry stet_entry;

struct stet_entry {
    stet_entry *next; /* the stripe's ring, for the clock hand */
    stet_entry *prev;
    /* Under the stripe. Its last member lies with what a load looks at. */
    stet_entry_counts counts;
    uint64_t hash;
    stet_head *newest;
    struct stet_backlog *backlog; /* deferred.h; under `seq` */
    size_t bytes;                 /* accounted: entry, heads, boxes */
    int64_t since;         /* monotonic: read or written; where time counts */
    _Atomic uint32_t pins; /* rises under the stripe, falls without */
    bool is_recent;        /* second chance */
    uint8_t ns;
    size_t id_bytes;
    char id[];
};

typedef struct stet_stripe {
    stet_mutex mu;
    stet_map map;
    stet_entry *hand;
    uint64_t evictions;
    uint64_t misses;
    size_t entries_max;
    _Atomic size_t entries; /* changes under mu; a hint without */
    _Atomic size_t bytes;   /* likewise */
    _Atomic uint64_t loads; /* misses included; likewise */
} stet_stripe;

typedef struct stet_table {
    const stet_allocator *alloc;
    stet_os *os;
    const _Atomic uint64_t *watermark; /* the pipeline's */
    size_t stripe_bytes_max;
    int64_t ttl_ns; /* INT64_MAX: none; 0: everything is too old at once */
    stet_stripe stripes[STET_TABLE_STRIPES];
} stet_table;

typedef struct stet_table_limits {
    uint64_t bytes;
    uint64_t entries; /* at least STET_TABLE_STRIPES; 0: none */
    int64_t ttl_ns;   /* 0: none */
    bool is_off;      /* only what is pinned or pending */
} stet_table_limits;

/* `watermark` is borrowed for the table's life. */
void stet__table_init(stet_table *t, const stet_allocator *alloc, stet_os *os,
                      const stet_table_limits *limits,
                      const _Atomic uint64_t *watermark);
void stet__table_deinit(stet_table *t);

stet_head *stet__head_create(const stet_allocator *alloc, stet_slice name);
/* Accepts NULL; drops the box. */
void stet__head_destroy(const stet_allocator *alloc, stet_head *v);
/* View a head (NULL: never written). */
void stet__head_view(const stet_head *h, stet_head_view *out);

/* Create, from those that wait if there are any. NULL: no memory. */
stet_head *stet__heads_take(stet_heads *heads, const stet_allocator *alloc,
                            stet_slice name);
/* Destroy, or have it wait for the next take. Accepts NULL; drops the box. */
void stet__heads_give(stet_heads *heads, const stet_allocator *alloc,
                      stet_head *v);
/* Destroy those that wait. */
void stet__heads_deinit(stet_heads *heads, const stet_allocator *alloc);

stet_machine_key stet__entry_key(const stet_entry *e);

/*
 * Find a resident machine and pin it; NULL when it is not resident, and then
 * `*out_evictions` is what stet__table_insert wants.
 */
stet_entry *stet__table_pin(stet_table *t, stet_machine_key key,
                            uint64_t *out_evictions);

/*
 * A batch's claim on a machine: pinned before it is prepared, given a head when
 * it is sequenced. Claims are kept by stripe, so that a batch takes each lock
 * once, and looks its machines up together: each look alone misses the cache
 * three times in a row.
 */
typedef struct stet_claim {
    struct stet_claim *next; /* of its stripe */
    stet_machine_key key;
    uint64_t hash;
    stet_entry *entry;    /* pinned; NULL: was not resident */
    stet_head_view *view; /* takes its newest head as it is pinned */
    stet_head *head;      /* to be linked */
} stet_claim;

typedef struct stet_claims {
    stet_claim *first[STET_TABLE_STRIPES];
    stet_claim *last[STET_TABLE_STRIPES];
} stet_claims;

/* Add a claim whose key and view are set. */
void stet__claims_add(stet_claims *claims, stet_claim *claim);

/* Pin and view all that are resident. */
void stet__table_pin_all(stet_table *t, const stet_claims *claims);

/*
 * Link each claim's head to its entry, in the order of the claims; the caller
 * holds `seq`. Returns heads that nobody needs any more, chained by `older`, to
 * be destroyed outside the lock.
 */
stet_head *stet__table_link_all(stet_table *t, const stet_claims *claims);

/*
 * Make a machine resident with the head that the log was found to hold, and pin
 * it. `newest` (NULL: never written) moves to the table in any case. NULL in
 * `*out`: something was evicted meanwhile, ask the log again. If somebody else
 * was quicker, `*out` is his entry.
 */
stet_status stet__table_insert(stet_table *t, stet_machine_key key,
                               uint64_t evictions, stet_head *newest,
                               stet_entry **out, stet_error *err);

/* Pin once more what the caller has pinned. */
void stet__table_pin_again(stet_entry *e);

/* Let go; evicts when the stripe is over its share. */
void stet__table_unpin(stet_table *t, stet_entry *e);

/* What a reader finds in memory. */
typedef enum stet_lookup {
    STET_LOOKUP_ABSENT = 1,   /* not resident: ask the log */
    STET_LOOKUP_NONE = 2,     /* never written, as far as readers may see */
    STET_LOOKUP_DELETED = 3,  /* `head` is set */
    STET_LOOKUP_STATE = 4,    /* `box` is referenced, `head` is set */
    STET_LOOKUP_UNFOLDED = 5, /* `head` is set; `box` may be an older state */
    STET_LOOKUP_CARRIED = 6   /* `head` is set; `box` has the state */
} stet_lookup;

typedef struct stet_found {
    stet_lookup lookup;
    stet_point head;
    stet_box *box; /* one reference for the caller, or NULL */
} stet_found;

/* What of a carried head's state is its own. */
typedef struct stet_stamp {
    int64_t occurred;
    int64_t recorded;
    size_t name_bytes;
    char name[STET_NAME_BYTES_MAX];
} stet_stamp;

/* Look a machine up as readers see it now. */
stet_found stet__table_find(stet_table *t, stet_machine_key key);

/*
 * The same for a load of a machine with this hash, which is counted, unless it
 * is one of the store's own. What finds no state ready counts as a miss.
 */
stet_found stet__table_load(stet_table *t, stet_machine_key key, uint64_t hash);
/* Count a load that found a state without looking here. */
void stet__table_count_hit(stet_table *t, stet_machine_key key);
/* Is the next load of a machine with this hash one of those that are timed? */
bool stet__table_is_load_timed(stet_table *t, uint64_t hash);
/* Add to what is counted of a machine, if it is there. */
void stet__table_count(stet_table *t, stet_machine_key key,
                       const stet_entry_counts *more);
/* Give what is counted of a machine; false: it is not there. */
bool stet__table_counts_of(stet_table *t, stet_machine_key key,
                           stet_entry_counts *out);

/* The same for a pinned entry; `stamp` is set when the state is carried. */
stet_found stet__table_peek(stet_table *t, stet_entry *e, stet_stamp *stamp);

/* The same, pending heads included. */
stet_found stet__table_peek_pending(stet_table *t, stet_entry *e,
                                    stet_stamp *stamp);

/* Make the box of a state that was found carried. NULL: no memory. */
stet_box *stet__carry(const stet_table *t, const stet_found *f,
                      const stet_stamp *stamp);

/* View a pinned entry's newest head. */
void stet__table_view(stet_table *t, stet_entry *e, stet_head_view *out);

/* Give the head at `position` the box it folds to, if it still wants one. */
void stet__table_attach(stet_table *t, stet_entry *e, uint64_t position,
                        stet_box *box);

/* What the table has and did. */
typedef struct stet_table_sums {
    uint64_t entries;
    uint64_t bytes; /* that they take */
    uint64_t evictions;
    uint64_t loads;
    uint64_t misses;
} stet_table_sums;

stet_table_sums stet__table_sums(stet_table *t);

#endif
