/* The discovered flow: a scan, poured into the miner. */
#include <stet/flow.h>

#include "base/error.h"
#include "core/flow.h"
#include "engine/handle.h"
#include "engine/options.h"

static stet_status mine(stet_history *walk, stet_flow_miner *miner,
                        stet_error *err)
{
    for (;;) {
        const stet_event *e = NULL;
        stet_status st = stet_history_next(walk, &e, err);
        if (st != STET_OK) {
            return st == STET_DONE ? STET_OK : st;
        }
        stet_flow_event event = {
            .id = e->state_machine_id,
            .ns = e->ns,
            .to_state = e->to_state,
            .action = e->action,
            .actor = e->actor_id,
            .timestamp = e->timestamp,
            .is_transition = e->kind == STET_EVENT_TRANSITIONED,
            .has_error = e->error.len > 0 || e->kind == STET_EVENT_FAILED,
        };
        st = stet__flow_mine(miner, &event, err);
        if (st != STET_OK) {
            return st;
        }
    }
}

stet_status stet_flow_discover(stet *s, const stet_scan_opts *opts,
                               const stet_flow **out, stet_error *err)
{
    stet__error_reset(err);
    stet_scan_opts o;
    stet_status st = stet__options_copy(opts, sizeof(o), &o, err);
    if (st != STET_OK) {
        return st;
    }
    o.limit = 0;
    o.flags = 0;
    stet_flow_miner *miner = stet__flow_miner_create(&s->alloc);
    if (miner == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "flow");
    }
    stet_history *walk = NULL;
    st = stet_scan_open(s, &o, &walk, err);
    if (st == STET_OK) {
        st = mine(walk, miner, err);
    }
    if (st == STET_OK) {
        st = stet__flow_finish(miner, out, err);
    }
    stet_history_close(walk);
    stet__flow_miner_destroy(miner);
    return st;
}

void stet_flow_free(const stet_flow *flow)
{
    stet__flow_free(flow);
}
