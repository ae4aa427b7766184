/*
 * Projections as events: a machine "p" NAME of namespace 255 whose state is
 * what the fold made, and whose metadata say of what:
 *
 *   {"version", "position", "kinds", "ns", "ns_last", "pattern"}
 *
 * While one is rebuilt a machine "r" NAME is the same of the new one. The batch
 * that saves that as "p" deletes "r", so there is at all times one of the two
 * that is whole.
 *
 *      none --create--> current --rebuild--> current and new
 *                          ^                       |
 *                          +------- caught up -----+
 */
#ifndef STET_ENGINE_PROJECTION_H
#define STET_ENGINE_PROJECTION_H

#include <stdatomic.h>

#include <stet/projection.h>

#include "base/buf.h"
#include "os/turn.h"

/* Of what a state was made; the pattern is lent. */
typedef struct stet_projected {
    stet_slice pattern;
    uint64_t position;
    uint32_t version;
    uint32_t kinds;
    uint8_t ns;
    uint8_t ns_last;
} stet_projected;

/* In a handle. */
typedef struct stet_projectors {
    stet_turn turn;         /* of who folds, or opens or closes one */
    stet_projection *first; /* under turn: those that are open */
    _Atomic uint32_t inline_count;
    _Atomic uint32_t background_count;
    uint64_t thread; /* of the background; under turn until it is joined */
    bool has_thread;
    _Atomic uint32_t is_stopping;
    _Atomic uint32_t is_woken; /* the thread has more to do than is published */
} stet_projectors;

/* Append a machine's id; `letter` is 'p' or 'r'. */
void stet__projection_put_id(stet_buf *out, char letter, stet_slice name);

/*
 * Visit the state of one of them, and of what it was made. STET_E_NOT_FOUND:
 * there is none.
 */
typedef stet_status (*stet_projected_fn)(void *ctx, const stet_projected *made,
                                         const stet_state *state,
                                         stet_error *err);
stet_status stet__projected_visit(stet *s, stet_slice id, stet_projected_fn fn,
                                  void *ctx, stet_error *err);

/* How one that is open is folded, for the list that holds it. */
typedef struct stet_projection_mode {
    stet_projection *next;
    bool is_inline;
    bool is_background;
} stet_projection_mode;
stet_projection_mode *stet__projection_mode(stet_projection *p);

/* stet_projection_run by who has the turn. */
stet_status stet__projection_run(stet_projection *p, bool *out_more,
                                 stet_error *err);

/* Fold what is published by those that are inline; failures wait for a run. */
void stet__projectors_follow(stet *s);
/* One piece of background work; false: there is none. */
bool stet__projectors_step(stet *s);
/* Add one that was opened, and start the thread that it wants. STET_E_NOMEM. */
stet_status stet__projectors_add(stet *s, stet_projection *p, stet_error *err);
/* Accepts one that was not added. */
void stet__projectors_remove(stet *s, stet_projection *p);
/* Before the log is closed; accepts that no thread started. */
void stet__projectors_stop(stet *s);

#endif
