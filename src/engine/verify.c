/*
 * Proof that a store is what it was: every checksum, every state.
 *
 * States are proved in one sweep over the log. Of a machine that it left out or
 * found wrong, the history is walked alone.
 */
#include <inttypes.h>

#include <stet/stet.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/record.h"
#include "engine/load.h"
#include "engine/options.h"
#include "engine/sweep.h"
#include "engine/visit.h"

/* Looks of `progress` while nothing else would make one. */
enum { EVENTS_PER_LOOK = 4096 };

typedef struct proof {
    stet *s;
    stet_verify_report *report;
    stet_progress_fn progress; /* may be NULL */
    void *ctx;
    uint64_t below;  /* a position: what is written meanwhile is not proved */
    uint64_t folded; /* events so far */
    stet_sweep sweep;
} proof;

static stet_status look(const proof *p)
{
    return p->progress == NULL || p->progress(p->ctx, p->folded, p->below - 1)
               ? STET_OK
               : STET_E_PARTIAL;
}

/* Fold all machines at once, as many as there is room for. */
static stet_status sweep(proof *p, stet_error *err)
{
    stet_status st = STET_OK;
    while (st == STET_OK) {
        bool is_folded = false;
        st = stet__sweep_next(&p->sweep, &is_folded, err);
        p->folded += is_folded;
        if (is_folded && p->folded % EVENTS_PER_LOOK == 0) {
            st = look(p);
        }
    }
    return st == STET_DONE ? STET_OK : st;
}

/*
 * Fold one machine's own events by themselves, which names what is wrong; a
 * fork's inherited ones are its parent's. `known` of them were counted.
 */
static stet_status walk_machine(proof *p, stet_machine_key key, uint64_t known,
                                stet_error *err)
{
    stet_history_opts o = {.flags =
                               STET_HISTORY_STATES | STET_HISTORY_NEWEST_FIRST};
    stet_history *walk = NULL;
    stet_status st = stet__history_open(p->s, key, &o, &walk, err);
    for (uint64_t own = 1; st == STET_OK; own++) {
        const stet_event *e = NULL;
        st = stet_history_next(walk, &e, err);
        if (st == STET_OK && !stet__slice_eq(e->state_machine_id, key.id)) {
            st = STET_DONE;
        }
        p->folded += st == STET_OK && own > known;
    }
    stet_history_close(walk);
    if (st == STET_DONE) {
        p->report->machines++;
    } else if (st == STET_E_UNSUPPORTED) {
        stet__error_reset(err);
        p->report->unfolded++;
    } else {
        return st;
    }
    return STET_OK;
}

static stet_status prove_machine(stet *s, const stet_head_entry *entry,
                                 void *ctx, stet_error *err)
{
    (void)s;
    proof *p = ctx;
    stet_swept swept = stet__sweep_of(&p->sweep, entry);
    stet_status st = STET_OK;
    if (swept.is_sound) {
        p->report->machines++;
    } else {
        st = walk_machine(p, entry->key, swept.folded, err);
    }
    return st == STET_OK ? look(p) : st;
}

static stet_status prove_states(proof *p, stet_error *err)
{
    stet_visit machines = {STET_STORE_NAMESPACE, p->below, prove_machine, p};
    stet_status st = stet__sweep_init(&p->sweep, p->s, p->below, err);
    if (st == STET_OK) {
        st = sweep(p, err);
    }
    if (st == STET_OK) {
        st = stet__visit_machines(p->s, &machines, err);
    }
    stet__sweep_deinit(&p->sweep);
    return st;
}

stet_status stet_verify(stet *s, stet_progress_fn progress, void *ctx,
                        stet_verify_report *report, stet_error *err)
{
    stet__error_reset(err);
    stet_verify_report own = {0};
    proof p = {.s = s,
               .report = &own,
               .progress = progress,
               .ctx = ctx,
               .below = stet__watermark(&s->pipeline)};
    stet_status st = s->log->ops->verify(s->log, progress, ctx, &own, err);
    if (st == STET_OK) {
        st = prove_states(&p, err);
    }
    if (report != NULL) {
        stet__options_give(&own, sizeof own, report);
    }
    if (st == STET_E_PARTIAL) {
        return stet__fail(err, st, 0,
                          "stopped on request after %" PRIu64
                          " records read and %" PRIu64 " machines folded; "
                          "nothing wrong so far",
                          own.records, own.machines);
    }
    return st;
}
