/*
 * Model event: an event and the whole state after it, kept the naive way.
 *
 * Merge, assign and patch are core's folds, which have oracles of their own;
 * what is written here once more is which of them runs on what, and what an
 * event says of its machine besides.
 */
#ifndef STET_TESTS_MODEL_EVENT_H
#define STET_TESTS_MODEL_EVENT_H

#include <stet/stet.h>

#include "base/arena.h"

enum { MODEL_REDUCERS = 3 };

typedef struct model_event model_event;

struct model_event {
    stet_event said; /* as a history gives it; without `state` and BASE */
    const model_event *before; /* the state it goes on from; NULL: none */
    bool has_time;             /* the caller said when it occurred */
    bool is_there;             /* false: deleted by this event */
    stet_slice data;           /* the state after it, and so on */
    stet_slice name;
    stet_slice type;
    stet_slice version;
    stet_slice metadata;
    int64_t created_at;
};

/* Reducers that the model knows, for stet_opts. */
extern const stet_reducer_def model_reducers[MODEL_REDUCERS];

/*
 * Make the event of a change that goes on from `before` (NULL: from nothing),
 * in the arena: all but seq, position, times and place in its batch.
 *
 * The status with which the change is refused on account of its content.
 */
stet_status model_event_make(stet_arena *arena, const stet_change *c,
                             const model_event *before, model_event **out);

#endif
