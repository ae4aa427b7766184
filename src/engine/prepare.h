/*
 * Preparation: one attempt at a plan, and the calls between its parts.
 *
 *     plan.c             the way of an attempt, and whether it is stale
 *     prepare_reducer.c  a way for each reducer
 *     prepare_fork.c     forks and deletions
 *     prepare_name.c     the state's name after the event
 *     prepare_base.c     the state before, and bases, which restate it
 *     prepare_result.c   what the event leaves: in the record and in memory
 *
 * Only the parts of a plan include this. STET_E_BUSY from any of them: the
 * state before cannot be had until its head is durable.
 */
#ifndef STET_ENGINE_PREPARE_H
#define STET_ENGINE_PREPARE_H

#include "engine/plan.h"

enum {
    /* Below this a state is stored as it is: packing saves too little. */
    STET_PACK_BYTES_MIN = 64,
};

/* What belongs to this attempt only; the plan keeps what it gives. */
typedef struct stet_prep {
    stet *s;
    stet_bench *bench;
    stet_plan *plan;
    const stet_change *change; /* the plan's */
    stet_plan_mode mode;
    stet_box *prior;     /* the state before, once it was asked for */
    bool is_prior_known; /* asked for and got, or known to be none */
    stet_slice name;     /* the state's name after the event */
    stet_buf named;      /* holds a name found in JSON */
    stet_buf packed;     /* holds a packed body */
    stet_buf folded;     /* holds a result */
} stet_prep;

/* ---- ways: one for each reducer, and for what has none ---- */

stet_status stet__prep_set(stet_prep *p, stet_error *err);
/* A merge or an assignment. */
stet_status stet__prep_fold(stet_prep *p, stet_reducer reducer,
                            stet_error *err);
/* A patch or a reducer of the application. */
stet_status stet__prep_computed(stet_prep *p, stet_reducer reducer,
                                stet_error *err);
stet_status stet__prep_none(stet_prep *p, stet_error *err);
stet_status stet__prep_delete(stet_prep *p, stet_error *err);
stet_status stet__prep_fork(stet_prep *p, stet_error *err);

/* ---- names ---- */

/* What the bytes are in which a name is looked for. */
typedef enum stet_name_source {
    STET_NAME_IN_PAYLOAD = 1,
    STET_NAME_IN_RESULT = 2, /* most of which may be older than the event */
} stet_name_source;

/*
 * Settle the name after the event: the call's, else one that the event puts
 * into `json`, else the one before. A restored event has the call's or none.
 */
stet_status stet__prep_settle_name(stet_prep *p, stet_slice json,
                                   stet_name_source source, stet_error *err);

/* ---- the state before, and bases ---- */

/* Have the state before; it is in `prior` then, NULL where there is none. */
stet_status stet__prep_want_prior(stet_prep *p, stet_error *err);
/* Its bytes; empty while it is unknown, too. */
stet_slice stet__prep_prior_data(const stet_prep *p);

/* Does the event begin a machine's life? */
bool stet__prep_must_be_base(const stet_prep *p);
/* Can the record restate what came before, as a base does? */
bool stet__prep_can_restate(const stet_prep *p);
/* Can it, and is a base due? */
bool stet__prep_wants_base(const stet_prep *p);
/*
 * Decide whether the event carries a base, and have the state before at hand if
 * so. A base that is due waits while the state is not at hand, up to a limit.
 */
stet_status stet__prep_decide_base(stet_prep *p, bool *out, stet_error *err);
/* Make the record restate what a fold needs from before. */
void stet__prep_restate(stet_prep *p);
/* Restate, with the resulting state in the base's tag. */
stet_status stet__prep_put_base_state(stet_prep *p, stet_slice state,
                                      stet_error *err);

/* ---- results ---- */

/* Begin the head that the event leaves; its name is settled. */
stet_status stet__prep_make_head(stet_prep *p, stet_shape shape,
                                 stet_error *err);
/* Keep the resulting state in that head, where all of it is known. */
stet_status stet__prep_keep_result(stet_prep *p, stet_slice data,
                                   stet_shape shape, stet_error *err);
/* Is a resulting state within its limit? */
stet_status stet__prep_check_size(const stet_prep *p, stet_slice state,
                                  stet_error *err);

void stet__prep_set_tag(stet_record *r, stet_record_tag tag);
/* Tell the record how to prove this state. */
void stet__prep_set_check(stet_record *r, stet_slice state);
/* Pack without a prefix where that saves bytes; else `*out` is `raw`. */
stet_status stet__prep_pack(stet_prep *p, stet_slice raw, bool *out_packed,
                            stet_slice *out, stet_error *err);
/* The answer where memory lacks. */
stet_status stet__prep_nomem(const stet_prep *p, stet_error *err);

#endif
