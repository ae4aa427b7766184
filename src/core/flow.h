/*
 * Flow: what the events of many machines add up to (stet/flow.h).
 *
 * A miner is given events, those of one machine in the order of its history;
 * machines may come mixed. A transition into a named state counts for that
 * node, and for the edge from the state of the machine's previous such
 * transition. One that names no state counts as a transition and moves nothing.
 * Memory grows with machines and with different names.
 *
 * Thread: one at a time per miner; a flow is immutable.
 */
#ifndef STET_CORE_FLOW_H
#define STET_CORE_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include <stet/flow.h>

#include "base/alloc.h"

typedef struct stet_flow_event {
    stet_slice id; /* of the machine, in `ns` */
    stet_slice to_state;
    stet_slice action;
    stet_slice actor;
    int64_t timestamp;
    uint8_t ns;
    bool is_transition; /* if not, it counts for machines and errors only */
    bool has_error;
} stet_flow_event;

typedef struct stet_flow_miner stet_flow_miner;

/* NULL when there is no memory. */
stet_flow_miner *stet__flow_miner_create(const stet_allocator *a);
/* Accepts NULL. */
void stet__flow_miner_destroy(stet_flow_miner *m);

/* Take in one event. After STET_E_NOMEM the miner can only be destroyed. */
STET_NODISCARD stet_status stet__flow_mine(stet_flow_miner *m,
                                           const stet_flow_event *event,
                                           stet_error *err);

/*
 * Tell what the events so far add up to. The flow is the caller's, to be freed
 * with stet__flow_free, and outlives the miner. STET_E_NOMEM.
 */
STET_NODISCARD stet_status stet__flow_finish(stet_flow_miner *m,
                                             const stet_flow **out,
                                             stet_error *err);

/* Accepts NULL. */
void stet__flow_free(const stet_flow *flow);

#endif
