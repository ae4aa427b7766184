#include "stores/embedded/settle.h"

#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"
#include "stores/embedded/indexing.h"
#include "stores/embedded/settling.h"

/* A close settles this long, and a failure is thought over. */
static const int64_t close_ns = 100000000;
static const int64_t retry_ns = (int64_t)30 * 1000000000;
/* A file that cannot be read is tried again after this. */
static const int64_t unreadable_ns = (int64_t)600 * 1000000000;

/* Beginning and ending. */

static size_t bytes_with(uint32_t inputs)
{
    return sizeof(stet_settling) + inputs * sizeof(stet_settle_input);
}

static stet_status create(stet_embedded *e, const stet_files *table,
                          stet_settle_zeal zeal, stet_error *err)
{
    bool is_trial = false;
    stet_settle_order order = stet__settle_choose(e, table, zeal);
    bool is_of_pass = order.count == 0 && e->retain_below > 0;
    if (is_of_pass) {
        order = stet__settle_retain_choose(e, table, &is_trial);
    }
    if (order.count == 0) {
        return stet__indexing_begin(e, table, zeal.below, err);
    }
    stet_settling *w = stet__alloc_zeroed(e->alloc, 1, bytes_with(order.count));
    if (w == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory to settle");
    }
    w->e = e;
    w->file.fd = -1;
    w->stage = STET_SETTLING_OPENS;
    w->count = order.count;
    w->retain.is_of_pass = is_of_pass;
    w->retain.is_trial = is_trial;
    for (uint32_t i = 0; i < order.count; i++) {
        w->segments[i] = stet__segment_ref(table->items[order.first + i]);
    }
    w->is_asked_for = zeal.is_any;
    w->is_final = order.first + order.count == stet__files_count(table);
    stet__buf_init(&w->seeds, e->alloc);
    stet__buf_init(&w->index, e->alloc);
    e->settling = w;
    return is_trial ? STET_OK : stet__making_begin(&w->file, e, err);
}

void stet__settle_drop(stet_embedded *e)
{
    stet_settling *w = e->settling;
    stet__indexing_drop(e);
    if (w == NULL) {
        return;
    }
    stet__settle_file_drop(w);
    for (uint32_t i = 0; i < w->count; i++) {
        stet__settle_input_deinit(&w->inputs[i]);
        stet__segment_unref(w->segments[i]);
    }
    stet__set_draft_deinit(&w->draft);
    stet__settle_retain_deinit(w);
    stet__buf_deinit(&w->seeds);
    stet__buf_deinit(&w->index);
    stet__free(e->alloc, w, bytes_with(w->count));
    e->settling = NULL;
}

/* Stages. */

/* All inputs are open: begin the set's file, if there is to be one. */
static stet_status begin(stet_settling *w, stet_error *err)
{
    stet_status st = stet__settle_retain_begin(w, err);
    if (st == STET_OK && !w->retain.is_trial) {
        st = stet__settle_file_create(w, err);
    }
    if (st == STET_OK && !w->retain.is_trial) {
        st = stet__settle_merge_begin(w, err);
    }
    if (st == STET_OK && !w->retain.is_trial) {
        st = stet__settle_file_begin(w, err);
    }
    w->stage = STET_SETTLING_MERGES;
    return st;
}

/* Open the next input, or read of it. */
static stet_status open_some(stet_settling *w, stet_error *err)
{
    stet_segment *s = w->segments[w->opened];
    stet_settle_input *in = &w->inputs[w->opened];
    bool is_done = false;
    w->reading = s->header.file;
    if (in->s == NULL) {
        return stet__settle_input_open(in, s, err);
    }
    stet_status st = stet__settle_input_prime(in, &w->index, &is_done, err);
    w->opened += is_done;
    if (st != STET_OK || w->opened < w->count) {
        return st;
    }
    stet__buf_reset(&w->index);
    return begin(w, err);
}

static stet_status merge_some(stet_settling *w, stet_error *err)
{
    uint64_t before = w->taken;
    stet_status st = STET_OK;
    while (st == STET_OK && w->taken - before < STET_SETTLE_STEP_BYTES) {
        st = stet__settle_merge_next(w, err);
        if (st == STET_OK) {
            st = stet__settle_file_write(w, err);
        }
    }
    if (st == STET_DONE) {
        w->stage =
            w->retain.is_trial ? STET_SETTLING_ENDS : STET_SETTLING_INDEXES;
        st = STET_OK;
    }
    return st;
}

static stet_status go_on_with_jumps(stet_settling *w, stet_error *err)
{
    switch (w->stage) {
    case STET_SETTLING_OPENS:
        return open_some(w, err);
    case STET_SETTLING_MERGES:
        return merge_some(w, err);
    case STET_SETTLING_INDEXES:
        w->stage = STET_SETTLING_WRITES;
        return stet__settle_file_index(w, err);
    case STET_SETTLING_WRITES:
        return stet__settle_file_write_index(w, err);
    case STET_SETTLING_CHECKS:
        return stet__settle_file_check(w, err);
    case STET_SETTLING_ENDS:
        break;
    }
    STET_ASSERT(false); /* the worker's turn */
    return STET_OK;
}

/* One step that needs nobody's turn, with the table as it is now. */
static stet_status go_on(stet_embedded *e, stet_error *err)
{
    stet_settling *w = e->settling;
    if (w == NULL) {
        return stet__indexing_go_on(e, err);
    }
    stet__jumps_init(&w->jumps, e);
    stet_status st = go_on_with_jumps(w, err);
    stet__jumps_deinit(&w->jumps);
    return st;
}

/* Does the step at hand need the worker's turn: to begin, or to name? */
static bool is_turn_due(const stet_embedded *e)
{
    return e->settling != NULL
               ? e->settling->stage == STET_SETTLING_ENDS
               : e->indexing == NULL || stet__indexing_is_whole(e);
}

/* Name what was made, or begin; `*out_did`: there was something to do. */
static stet_status work_in_turn(stet_embedded *e, stet_settle_zeal zeal,
                                bool *out_did, stet_error *err)
{
    stet_status st = STET_OK;
    *out_did = true;
    if (e->indexing != NULL) {
        st = stet__indexing_install(e, err);
        stet__settle_drop(e);
        return st;
    }
    if (e->settling != NULL) {
        st = e->settling->retain.is_trial
                 ? STET_OK
                 : stet__settle_install(e->settling, err);
        if (st == STET_OK) {
            stet__settle_retain_note(e->settling);
        }
        stet__settle_drop(e);
        return st;
    }
    /* What the last set stands for goes before the next one is made. */
    st = stet__embedded_remove_doomed(e, err);
    stet_files *table = stet__embedded_lend(e);
    st = st == STET_OK ? create(e, table, zeal, err) : st;
    stet__embedded_unlend(e, table);
    *out_did = e->settling != NULL || e->indexing != NULL;
    return st;
}

/* Note the file that cannot be read, if that is why settling failed. */
static void note_blame(stet_embedded *e, stet_status st)
{
    bool is_read =
        st == STET_E_CORRUPT || st == STET_E_FORMAT || st == STET_E_IO;
    if (is_read && e->settling != NULL) {
        e->unreadable = e->settling->reading;
        e->unreadable_due = e->os->monotonic(e->os) + unreadable_ns;
    }
}

/*
 * A state cannot be folded here, for want of a reducer of the application: so
 * nothing goes while the store is open.
 */
static stet_status stop_dropping(stet_embedded *e, const stet_error *why)
{
    e->is_retention_off = true;
    stet__embedded_talk(e, STET_LOG_WARNING, "%s; nothing is dropped",
                        why->text);
    return STET_OK;
}

/*
 * Whoever wants all to be settled and finds a set being made for its own sake
 * has the next one, however eager the settler is.
 */
static bool gives_way(stet_embedded *e, stet_settle_zeal zeal)
{
    const stet_settling *w = e->settling;
    bool was_awaited = e->is_settling_awaited;
    if (zeal.is_any) {
        e->is_settling_awaited = w != NULL && !w->is_asked_for;
    } else if (w == NULL) {
        e->is_settling_awaited = false;
    }
    return !zeal.is_any && w == NULL && was_awaited;
}

stet_status stet__settle_step(stet_embedded *e, stet_settle_zeal zeal,
                              bool has_turn, stet_settle_answer *out,
                              stet_error *err)
{
    stet_status st = STET_OK;
    stet_error why = {0};
    bool needs_turn = is_turn_due(e);
    *out = (stet_settle_answer){.is_more = e->settle_segments > 0};
    if (!out->is_more) {
        return STET_OK;
    }
    if (gives_way(e, zeal)) {
        out->is_more = false;
        return STET_OK;
    }
    if (needs_turn && !has_turn) {
        out->needs_turn = true;
        return STET_OK;
    }
    st = needs_turn ? work_in_turn(e, zeal, &out->is_more, &why)
                    : go_on(e, &why);
    if (st == STET_E_UNSUPPORTED) {
        stet__settle_drop(e);
        st = stop_dropping(e, &why);
    }
    atomic_store_explicit(&e->is_settling_stuck, st != STET_OK || !out->is_more,
                          memory_order_relaxed);
    if (st != STET_OK) {
        note_blame(e, st);
        stet__settle_drop(e);
        e->is_settling_awaited = false; /* by who is refused now */
        out->is_more = false;
    }
    if (st != STET_OK && err != NULL) {
        *err = why;
    }
    return st;
}

/* When and how eagerly. */

/* Settle what is worth it; after a failure wait. */
static stet_status settle_quietly(stet_embedded *e, bool has_turn,
                                  stet_settle_answer *out, stet_error *err)
{
    stet_error why = {0};
    stet_status st =
        stet__settle_step(e, stet__settle_whole(), has_turn, out, &why);
    if (st == STET_OK) {
        return st;
    }
    e->settle_due = e->os->monotonic(e->os) + retry_ns;
    out->due = e->settle_due;
    if (st != STET_E_NOSPACE && st != STET_E_NOMEM &&
        !stet__embedded_is_poisoned(e)) {
        STET_MARK("settle.unreadable");
        stet__embedded_talk(e, STET_LOG_WARNING, "%s; it is not settled",
                            why.text);
        return STET_OK;
    }
    if (err != NULL) {
        *err = why;
    }
    return st;
}

stet_status stet__embedded_settle(stet_log *log, unsigned flags, uint64_t below,
                                  stet_settle_answer *out, stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    bool has_turn = (flags & STET_SETTLE_TURN) != 0;
    *out = (stet_settle_answer){0};
    stet_status st = stet__embedded_refuse(e, err);
    if (st != STET_OK) {
        return st;
    }
    if ((flags & STET_SETTLE_ALL) != 0) {
        stet_settle_zeal zeal = {.is_any = true, .below = below};
        return stet__settle_step(e, zeal, has_turn, out, err);
    }
    return stet__settle_is_time(e, &out->due)
               ? settle_quietly(e, has_turn, out, err)
               : STET_OK;
}

stet_status stet__settle_at_close(stet_embedded *e, stet_error *err)
{
    int64_t end = e->os->monotonic(e->os) + close_ns;
    stet_settle_answer answer = {.is_more = e->settle_due <= end - close_ns};
    stet_status st = STET_OK;
    while (st == STET_OK && answer.is_more && e->os->monotonic(e->os) < end) {
        st = settle_quietly(e, true, &answer, err);
    }
    stet__settle_drop(e);
    return st == STET_E_NOSPACE || st == STET_E_NOMEM ? STET_OK : st;
}
