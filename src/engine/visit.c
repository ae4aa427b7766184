#include "engine/visit.h"

static stet_status visit_namespace(stet *s, uint8_t ns, const stet_visit *visit,
                                   stet_error *err)
{
    stet_heads_range range = {
        .ns = ns, .below = visit->below, .is_nameless = true};
    stet_log_cursor *cursor = NULL;
    stet_status st = s->log->ops->heads_open(s->log, &range, &cursor, err);
    while (st == STET_OK) {
        stet_head_entry entry = {0};
        st = s->log->ops->heads_next(cursor, &entry, err);
        if (st == STET_OK) {
            st = visit->fn(s, &entry, visit->ctx, err);
        }
    }
    if (cursor != NULL) {
        s->log->ops->heads_close(cursor);
    }
    return st == STET_DONE ? STET_OK : st;
}

stet_status stet__visit_machines(stet *s, const stet_visit *visit,
                                 stet_error *err)
{
    stet_status st = STET_OK;
    for (int ns = 0; st == STET_OK && ns < visit->namespaces; ns++) {
        st = visit_namespace(s, (uint8_t)ns, visit, err);
    }
    return st;
}
