/*
 * Before: the head and the state that a change finds.
 */
#ifndef STET_ENGINE_BEFORE_H
#define STET_ENGINE_BEFORE_H

#include "engine/handle.h"

typedef struct stet_plan stet_plan;

/* Make the machine of `key` resident and pin it. */
stet_status stet__resident(stet *s, stet_bench *bench, stet_machine_key key,
                           stet_entry **out, stet_error *err);

/*
 * The same where the newest event may be damaged: its head is then one that
 * reading does not get past, behind which a base is due.
 */
stet_status stet__resident_unread(stet *s, stet_bench *bench,
                                  stet_machine_key key, stet_entry **out,
                                  stet_error *err);

/* Fill plan->view: the plan before it, or the entry's newest head. */
void stet__view_take(stet *s, stet_plan *plan);

/* Written and not deleted. */
bool stet__is_there(const stet_head_view *view);

/*
 * Get the state before a plan, whose view was taken: `*out` (one reference) is
 * NULL when there is none. STET_E_BUSY: the head moved, or is pending and not
 * folded, so that its state cannot be had before it is durable.
 */
stet_status stet__state_before(stet *s, stet_bench *bench,
                               const stet_plan *plan, stet_box **out,
                               stet_error *err);

/* The state after a plan that was prepared, likewise. */
stet_status stet__state_after(stet *s, stet_bench *bench, const stet_plan *plan,
                              stet_box **out, stet_error *err);

/*
 * The same, if it can be had from memory as it is (one reference); NULL: it
 * would have to be folded, or there is none.
 */
stet_box *stet__state_at_hand(stet *s, const stet_plan *plan);

#endif
