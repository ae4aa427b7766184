#include "stores/embedded/settle.h"

#include "base/error.h"
#include "base/mark.h"
#include "stores/embedded/settling.h"

/* A close settles this long, and a failure is thought over. */
static const int64_t close_ns = 100000000;
static const int64_t retry_ns = (int64_t)30 * 1000000000;
/* A file that cannot be read is tried again after this. */
static const int64_t unreadable_ns = (int64_t)600 * 1000000000;

static stet_status begin(stet_settling *w, stet_error *err)
{
    stet_status st = stet__settle_file_create(w, err);
    for (uint32_t i = 0; i < w->count && st == STET_OK; i++) {
        w->reading = w->segments[i]->header.file;
        st = stet__settle_input_open(&w->inputs[i], w->segments[i], err);
    }
    return st == STET_OK ? stet__settle_merge_begin(w, err) : st;
}

static stet_status create(stet_embedded *e, const stet_files *table,
                          stet_settle_zeal zeal, stet_error *err)
{
    stet_settle_order order = stet__settle_choose(e, table, zeal);
    if (order.count == 0) {
        return STET_OK;
    }
    stet_settling *w = stet__alloc_zeroed(e->alloc, 1, sizeof *w);
    if (w == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory to settle");
    }
    w->e = e;
    w->fd = -1;
    w->count = order.count;
    for (uint32_t i = 0; i < order.count; i++) {
        w->segments[i] = table->items[order.first + i];
    }
    w->is_final = order.first + order.count == stet__files_count(table);
    stet__buf_init(&w->seeds, e->alloc);
    e->settling = w;
    stet_status st = stet__embedded_take_number(e, &w->number, err);
    return st == STET_OK ? begin(w, err) : st;
}

void stet__settle_drop(stet_embedded *e)
{
    stet_settling *w = e->settling;
    if (w == NULL) {
        return;
    }
    stet__settle_file_drop(w);
    for (uint32_t i = 0; i < w->count; i++) {
        stet__settle_input_deinit(&w->inputs[i]);
    }
    stet__set_draft_deinit(&w->draft);
    stet__buf_deinit(&w->seeds);
    stet__free(e->alloc, w, sizeof *w);
    e->settling = NULL;
}

static stet_status merge_some(stet_settling *w, bool *out_is_done,
                              stet_error *err)
{
    uint32_t begin_bytes = stet__set_packer_bytes(&w->packer);
    stet_status st = STET_OK;
    while (st == STET_OK && stet__set_packer_bytes(&w->packer) - begin_bytes <
                                STET_SETTLE_STEP_BYTES) {
        st = stet__settle_merge_next(w, err);
        if (st == STET_OK) {
            st = stet__settle_file_write(w, err);
        }
    }
    *out_is_done = st == STET_DONE;
    return st == STET_DONE ? STET_OK : st;
}

static stet_status go_on(stet_settling *w, stet_error *err)
{
    bool is_done = false;
    stet__jumps_init(&w->jumps, w->e);
    stet_status st = merge_some(w, &is_done, err);
    if (st == STET_OK && is_done) {
        st = stet__settle_file_end(w, err);
    }
    if (st == STET_OK && is_done) {
        st = stet__settle_install(w, err);
    }
    stet__jumps_deinit(&w->jumps);
    if (is_done) {
        stet__settle_drop(w->e);
    }
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

stet_status stet__settle_step(stet_embedded *e, stet_settle_zeal zeal,
                              bool *out_did, stet_error *err)
{
    stet_status st = STET_OK;
    *out_did = false;
    if (e->settling != NULL) {
        *out_did = true;
        st = go_on(e->settling, err);
    } else if (e->settle_segments > 0) {
        /* What the last set stands for goes before the next one is made. */
        st = stet__embedded_remove_doomed(e, err);
        stet_files *table = stet__embedded_lend(e);
        st = st == STET_OK ? create(e, table, zeal, err) : st;
        stet__embedded_unlend(e, table);
        *out_did = e->settling != NULL;
    }
    if (st != STET_OK) {
        note_blame(e, st);
        stet__settle_drop(e);
    }
    return st;
}

stet_status stet__settle_quietly(stet_embedded *e, bool *out_did,
                                 stet_error *err)
{
    *out_did = false;
    int64_t now = e->os->monotonic(e->os);
    if (e->settle_due != 0 && now < e->settle_due) {
        return STET_OK;
    }
    stet_error why = {0};
    stet_status st = stet__settle_step(e, STET_SETTLE_WHOLE, out_did, &why);
    if (st == STET_OK) {
        return st;
    }
    e->settle_due = now + retry_ns;
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

stet_status stet__embedded_settle(stet_log *log, bool *out_more,
                                  stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    *out_more = false;
    stet_status st = stet__embedded_refuse(e, err);
    if (st == STET_OK) {
        st = stet__settle_step(e, STET_SETTLE_ANY, out_more, err);
    }
    return st;
}

stet_status stet__settle_down(stet_embedded *e, stet_error *err)
{
    bool did = true;
    stet_status st = STET_OK;
    while (did && st == STET_OK &&
           stet__settle_waiting(e) > STET_UNSETTLED_MAX) {
        st = stet__settle_quietly(e, &did, err);
    }
    /* Without space or memory to settle there may still be some to write. */
    return st == STET_E_NOSPACE || st == STET_E_NOMEM ? STET_OK : st;
}

stet_status stet__settle_at_close(stet_embedded *e, stet_error *err)
{
    int64_t end = e->os->monotonic(e->os) + close_ns;
    bool did = true;
    stet_status st = STET_OK;
    while (did && st == STET_OK && e->os->monotonic(e->os) < end) {
        st = stet__settle_quietly(e, &did, err);
    }
    stet__settle_drop(e);
    return st == STET_E_NOSPACE || st == STET_E_NOMEM ? STET_OK : st;
}
