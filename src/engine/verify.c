/* Proof that a store is what it was: every checksum, every state. */
#include <inttypes.h>

#include <stet/stet.h>

#include "base/bytes.h"
#include "base/error.h"
#include "engine/load.h"
#include "engine/visit.h"

typedef struct proof {
    stet_verify_report *report;
    stet_progress_fn progress; /* may be NULL */
    void *ctx;
    uint64_t folded; /* events so far */
    uint64_t events; /* of all machines */
} proof;

/* Fold one machine's own events; a fork's inherited ones are its parent's. */
static stet_status verify_machine(stet *s, const stet_head_entry *entry,
                                  void *ctx, stet_error *err)
{
    proof *p = ctx;
    stet_history_opts o = {.flags =
                               STET_HISTORY_STATES | STET_HISTORY_NEWEST_FIRST};
    stet_history *walk = NULL;
    stet_status st = stet__history_open(s, entry->key, &o, &walk, err);
    bool is_own = true;
    while (st == STET_OK && is_own) {
        const stet_event *e = NULL;
        st = stet_history_next(walk, &e, err);
        is_own =
            st == STET_OK && stet__slice_eq(e->state_machine_id, entry->key.id);
        p->folded += is_own ? 1 : 0;
    }
    stet_history_close(walk);
    if (st == STET_E_UNSUPPORTED) {
        stet__error_reset(err);
        p->report->unfolded++;
    } else if (st == STET_OK || st == STET_DONE) {
        p->report->machines++;
    } else {
        return st;
    }
    return p->progress == NULL || p->progress(p->ctx, p->folded, p->events)
               ? STET_OK
               : STET_E_PARTIAL;
}

stet_status stet_verify(stet *s, stet_progress_fn progress, void *ctx,
                        stet_verify_report *report, stet_error *err)
{
    stet__error_reset(err);
    stet_verify_report own = {0};
    proof p = {.report = report == NULL ? &own : report,
               .progress = progress,
               .ctx = ctx,
               .events = stet__watermark(&s->pipeline) - 1};
    *p.report = own;
    stet_status st = s->log->ops->verify(s->log, progress, ctx, p.report, err);
    if (st == STET_OK) {
        stet_visit visit = {STET_NAMESPACE_MAX + 2,
                            stet__watermark(&s->pipeline), verify_machine, &p};
        st = stet__visit_machines(s, &visit, err);
    }
    if (st == STET_E_PARTIAL) {
        return stet__fail(err, st, 0,
                          "stopped on request after %" PRIu64
                          " records read and %" PRIu64 " machines folded; "
                          "nothing wrong so far",
                          p.report->records, p.report->machines);
    }
    return st;
}
