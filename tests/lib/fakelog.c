#include "lib/fakelog.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static fakelog *of(stet_log *log)
{
    return (fakelog *)(uintptr_t)log->ops;
}

static void claim(fakelog *f, bool is_true)
{
    if (!is_true) {
        atomic_fetch_add(&f->broken, 1);
    }
}

static bool has(uint64_t set, uint32_t frame)
{
    return frame < 64 && (set >> frame & 1) != 0;
}

/* ---- frames ---- */

/* Is this one of the frames that are to be asked for twice? */
static bool is_busy(fakelog *f)
{
    uint32_t busy = atomic_load(&f->busy);
    return busy > 0 && atomic_fetch_sub(&f->busy, 1) > 0;
}

static stet_status frame_open(stet_log *log, size_t need,
                              uint64_t first_position, stet_frame *out,
                              stet_error *err)
{
    fakelog *f = of(log);
    if (is_busy(f)) {
        return STET_E_BUSY;
    }
    stet_frame frame = {.first_position = first_position};
    if (f->real != NULL) {
        return f->real->frame_open(log, need, first_position, out, err);
    }
    if (f->cap < need) {
        return STET_E_BUSY;
    }
    frame.cap = f->cap;
    frame.records = malloc(f->cap);
    frame.is_turn = f->turns;
    f->turns = false;
    claim(f, f->buffer_count < FAKELOG_FRAMES_MAX && frame.records != NULL);
    f->buffers[f->buffer_count++] = frame.records;
    *out = frame;
    return STET_OK;
}

static void frame_close(stet_log *log, stet_frame *frame, size_t used,
                        uint32_t events)
{
    fakelog *f = of(log);
    if (f->real != NULL) {
        f->real->frame_close(log, frame, used, events);
        return;
    }
    frame->used = used;
    frame->events = events;
    frame->has_work = frame->is_turn;
}

static stet_status frame_seal(stet_log *log, stet_frame *frame,
                              uint64_t durable, stet_error *err)
{
    fakelog *f = of(log);
    uint32_t n = atomic_load(&f->sealed);
    claim(f, frame->first_position == f->end);
    claim(f, durable <= frame->first_position);
    f->end += frame->events;
    if (n < FAKELOG_FRAMES_MAX) {
        f->first_positions[n] = frame->first_position;
        f->events[n] = frame->events;
    }
    atomic_store(&f->sealed, n + 1);
    if (has(atomic_load(&f->bad), n)) {
        return stet__fail(err, STET_E_NOMEM, 0, "the test fails this seal");
    }
    return f->real == NULL ? STET_OK
                           : f->real->frame_seal(log, frame, durable, err);
}

static uint32_t number_of(const fakelog *f, const stet_frame *frame)
{
    uint32_t n = 0;
    while (n < FAKELOG_FRAMES_MAX &&
           f->first_positions[n] != frame->first_position) {
        n++;
    }
    return n;
}

static void await_release(fakelog *f, uint32_t n)
{
    for (;;) {
        uint32_t word = atomic_load(&f->word);
        if (!has(atomic_load(&f->held), n)) {
            return;
        }
        f->os->futex_wait(f->os, &f->word, word, 0);
    }
}

static stet_status frame_write(stet_log *log, stet_frame *frame,
                               stet_error *err)
{
    fakelog *f = of(log);
    uint32_t n = number_of(f, frame);
    uint32_t others = atomic_fetch_add(&f->writing, 1);
    claim(f, !frame->is_turn || others == 0);
    await_release(f, n);
    stet_status st = STET_OK;
    if (has(atomic_load(&f->fails), n)) {
        st = stet__fail(err, STET_E_IO, 5, "the test fails this write");
    } else if (f->real != NULL) {
        st = f->real->frame_write(log, frame, err);
    }
    atomic_fetch_add(&f->written, 1);
    atomic_fetch_sub(&f->writing, 1);
    return st;
}

static void published(stet_log *log, uint64_t watermark, uint64_t synced)
{
    fakelog *f = of(log);
    claim(f, watermark <= f->end && synced <= watermark);
    /* Told without a lock: a later one may overtake an earlier one. */
    uint64_t known = atomic_load(&f->watermark);
    while (known < watermark &&
           !atomic_compare_exchange_weak(&f->watermark, &known, watermark)) {
    }
    known = atomic_load(&f->synced);
    while (known < synced &&
           !atomic_compare_exchange_weak(&f->synced, &known, synced)) {
    }
    if (f->real != NULL) {
        f->real->published(log, watermark, synced);
    }
}

/* ---- beside frames ---- */

static stet_status make_room(stet_log *log, size_t need, stet_error *err)
{
    fakelog *f = of(log);
    atomic_fetch_add(&f->rooms, 1);
    stet_status st = (stet_status)atomic_load(&f->room_status);
    if (st != STET_OK) {
        return stet__fail(err, st, 0, "the test has no room");
    }
    if (f->real != NULL) {
        st = f->real->make_room(log, need, err);
    } else {
        f->cap = f->cap < need ? need : f->cap;
    }
    if (f->on_room != NULL) {
        f->on_room(f->ctx);
    }
    return st;
}

static stet_status sync_all(stet_log *log, stet_error *err)
{
    fakelog *f = of(log);
    claim(f, atomic_load(&f->writing) == 0);
    atomic_fetch_add(&f->syncs, 1);
    if (atomic_load(&f->sync_fails) != 0) {
        return stet__fail(err, STET_E_IO, 5, "the test fails this sync");
    }
    return f->real == NULL ? STET_OK : f->real->sync(log, err);
}

static stet_status step(stet_log *log, bool *out_more, int64_t *out_due,
                        stet_error *err)
{
    fakelog *f = of(log);
    if (f->real != NULL) {
        return f->real->step(log, out_more, out_due, err);
    }
    *out_more = false;
    return STET_OK;
}

/* ---- making ---- */

static void override(fakelog *f)
{
    f->ops.frame_open = frame_open;
    f->ops.frame_close = frame_close;
    f->ops.frame_seal = frame_seal;
    f->ops.frame_write = frame_write;
    f->ops.published = published;
    f->ops.make_room = make_room;
    f->ops.sync = sync_all;
    f->ops.step = step;
}

void fakelog_init(fakelog *f, stet_os *os, size_t cap)
{
    memset(f, 0, sizeof *f);
    f->os = os;
    f->cap = cap;
    f->end = 1;
    f->ops.struct_size = sizeof f->ops;
    f->ops.name = "fake";
    override(f);
    f->log.ops = &f->ops;
}

void fakelog_deinit(fakelog *f)
{
    for (uint32_t i = 0; i < f->buffer_count; i++) {
        free(f->buffers[i]);
    }
}

void fakelog_wrap(fakelog *f, stet_os *os, stet_log *log)
{
    memset(f, 0, sizeof *f);
    f->os = os;
    f->real = log->ops;
    f->ops = *log->ops;
    override(f);
    stet_info info = {0};
    (void)f->real->info(log, &info, NULL); /* of a log that is open */
    f->end = info.events + 1;
    log->ops = &f->ops;
}

/* ---- the test's hand ---- */

void fakelog_let_go(fakelog *f, uint64_t frames)
{
    atomic_fetch_and(&f->held, ~frames);
    atomic_fetch_add(&f->word, 1);
    f->os->futex_wake(f->os, &f->word, INT32_MAX);
}

void fakelog_await_writing(fakelog *f, uint32_t count)
{
    while (atomic_load(&f->writing) < count) {
        f->os->yield(f->os);
    }
}
