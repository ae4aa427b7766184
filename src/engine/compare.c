/* Differences: between two states, and between two histories. */
#include <string.h>

#include <stet/read.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/diff.h"
#include "engine/box.h"
#include "engine/load.h"

void stet_buffer_free(stet_buffer *buffer)
{
    if (buffer == NULL) {
        return;
    }
    if (buffer->ptr != NULL) {
        stet__free(&buffer->allocator, buffer->ptr, buffer->cap);
    }
    memset(buffer, 0, sizeof(*buffer));
}

stet_status stet_diff(const stet_state *a, const stet_state *b,
                      stet_buffer *out, stet_error *err)
{
    stet__error_reset(err);
    const stet_box *box = (const stet_box *)a;
    stet_buf text;
    stet__buf_init(&text, &box->alloc);
    stet_status st =
        stet__diff_json(&box->alloc, a->state_data, b->state_data, &text, err);
    if (st != STET_OK) {
        stet__buf_deinit(&text);
        return st;
    }
    stet_buffer made = {.allocator = box->alloc};
    made.ptr = stet__buf_take(&text, &made.len, &made.cap);
    *out = made;
    return STET_OK;
}

static bool is_same_state(const stet_state *a, const stet_state *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    return stet__slice_eq(a->state_data, b->state_data) &&
           stet__slice_eq(a->current_state, b->current_state) &&
           stet__slice_eq(a->state_type, b->state_type) &&
           stet__slice_eq(a->version, b->version) &&
           stet__slice_eq(a->metadata, b->metadata);
}

/* Do two events say the same? Where bases lie is no part of a history. */
static bool is_same_event(const stet_event *a, const stet_event *b)
{
    const stet_slice pairs[][2] = {
        {a->from_state, b->from_state},
        {a->to_state, b->to_state},
        {a->action, b->action},
        {a->payload, b->payload},
        {a->actor_id, b->actor_id},
        {a->correlation_id, b->correlation_id},
        {a->causation_id, b->causation_id},
        {a->error, b->error},
        {a->metadata, b->metadata},
        {a->event_id, b->event_id},
        {a->reducer_name, b->reducer_name},
        {a->state_type, b->state_type},
        {a->version, b->version},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (!stet__slice_eq(pairs[i][0], pairs[i][1])) {
            return false;
        }
    }
    return a->kind == b->kind && a->type == b->type &&
           a->reducer == b->reducer &&
           a->reducer_version == b->reducer_version &&
           a->timestamp == b->timestamp && a->duration_ns == b->duration_ns &&
           ((a->flags ^ b->flags) & STET_EVENT_PHASE_CHANGE) == 0;
}

/* The first seq at which two walks, both at their start, part; 0: nowhere. */
static stet_status part(stet_history *a, stet_history *b, uint64_t *out,
                        stet_error *err)
{
    for (;;) {
        const stet_event *x = NULL;
        const stet_event *y = NULL;
        stet_status sx = stet_history_next(a, &x, err);
        if (sx != STET_OK && sx != STET_DONE) {
            return sx;
        }
        stet_status sy = stet_history_next(b, &y, err);
        if (sy != STET_OK && sy != STET_DONE) {
            return sy;
        }
        if (sx == STET_DONE && sy == STET_DONE) {
            *out = 0;
            return STET_OK;
        }
        if (sx != sy || !is_same_event(x, y) ||
            !is_same_state(x->state, y->state)) {
            *out = sx == STET_OK ? x->seq : y->seq;
            return STET_OK;
        }
    }
}

stet_status stet_compare(stet *s, stet_slice a, stet_slice b, uint8_t ns,
                         uint64_t *out_parts_at, stet_error *err)
{
    stet__error_reset(err);
    stet_history_opts o = {.flags = STET_HISTORY_STATES, .ns = ns};
    stet_history *ha = NULL;
    stet_history *hb = NULL;
    stet_status st = stet_history_open(s, a, &o, &ha, err);
    if (st == STET_OK) {
        st = stet_history_open(s, b, &o, &hb, err);
    }
    if (st == STET_OK) {
        st = part(ha, hb, out_parts_at, err);
    }
    stet_history_close(ha);
    stet_history_close(hb);
    return st;
}
