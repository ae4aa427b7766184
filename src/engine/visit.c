#include "engine/visit.h"

stet_status stet__visit_machines(stet *s, const stet_visit *visit,
                                 stet_error *err)
{
    stet_heads_range range = {
        .ns_last = visit->ns_last,
        .below = visit->below,
        .is_nameless = true,
    };
    stet_log_cursor *cursor = NULL;
    stet_status st = s->log->ops->heads_open(s->log, &range, &cursor, err);
    while (st == STET_OK) {
        stet_head_entry entry = {0};
        st = s->log->ops->heads_next(cursor, &entry, err);
        if (st == STET_OK) {
            st = visit->fn(s, &entry, visit->ctx, err);
        }
    }
    s->log->ops->heads_close(cursor);
    return st == STET_DONE ? STET_OK : st;
}
