#include "lib/logbook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "core/record.h"

enum { SEEKS = 40, FLIGHTS_MAX = 4 };

static void talk(void *ctx, stet_log_level level, const char *text)
{
    (void)ctx;
    (void)level;
    (void)text;
}

void logbook_init(logbook *b, uint64_t seed)
{
    *b = (logbook){
        .random = {seed},
        .machine_count = 8,
        .body_max = 300,
        .next = 1,
        .acked = 1,
        .synced = 1,
        .recorded = 1000,
    };
    b->opts.struct_size = sizeof b->opts;
    b->opts.level = STET_LEVEL_DISK;
    b->opts.segment_bytes = 64 * 1024;
    b->opts.memory_bytes_max = 64 * 1024 * 1024;
}

void logbook_deinit(logbook *b)
{
    for (uint64_t p = 1; p < b->next; p++) {
        free(b->events[p - 1].bytes);
    }
    free(b->events);
}

static logbook_event *event_at(const logbook *b, uint64_t position)
{
    assert_in_range(position, 1, b->next - 1);
    return &b->events[position - 1];
}

stet_status logbook_open(logbook *b, const stet_driver *driver,
                         const char *path, stet_os *os, stet_error *err)
{
    b->config = (stet_log_config){
        .os = os,
        .alloc = &b->opts.allocator,
        .opts = &b->opts,
        .talk = talk,
    };
    stet_status st = driver->open(path, &b->config, &b->log, &b->start, err);
    if (st != STET_OK || b->opts.mode == STET_OPEN_READONLY) {
        return st;
    }
    uint64_t next = b->start.next_position;
    assert_in_range(next, b->acked, b->next);
    if (next > 1) {
        assert_int_equal(event_at(b, next - 1)->frame_end, next);
        assert_int_equal(b->start.last_recorded,
                         event_at(b, next - 1)->recorded);
    }
    for (; b->next > next; b->next--) {
        free(event_at(b, b->next - 1)->bytes);
    }
    b->acked = next;
    b->synced = next;
    b->is_lost = false;
    return STET_OK;
}

stet_status logbook_close(logbook *b, bool is_clean, stet_error *err)
{
    stet_status st = b->log->ops->close(b->log, is_clean, err);
    b->log = NULL;
    return st;
}

/* Writing. */

static uint64_t newest_of(const logbook *b, uint8_t ns, const char *id,
                          uint64_t below)
{
    for (uint64_t p = below - 1; p > 0; p--) {
        const logbook_event *e = event_at(b, p);
        if (e->ns == ns && strcmp(e->id, id) == 0) {
            return p;
        }
    }
    return 0;
}

static logbook_event *add_event(logbook *b)
{
    if (b->next > b->cap) {
        b->cap = 2 * b->cap + 64;
        b->events = realloc(b->events, b->cap * sizeof *b->events);
        assert_non_null(b->events);
    }
    logbook_event *e = &b->events[b->next - 1];
    *e = (logbook_event){.recorded = b->recorded};
    b->next++;
    return e;
}

/* What an event's record is put together from. */
typedef struct draft {
    const char *id;
    uint8_t ns;
    size_t body_bytes;
    uint64_t parent; /* position forked at; 0: none */
} draft;

static void fill_record(logbook *b, const draft *d, logbook_event *e,
                        stet_record *r, uint8_t *body)
{
    uint64_t position = b->next - 1;
    uint64_t before = newest_of(b, d->ns, d->id, position);
    before = before == 0 ? d->parent : before;
    const logbook_event *parent = before == 0 ? NULL : event_at(b, before);
    (void)snprintf(e->id, sizeof e->id, "%s", d->id);
    e->ns = d->ns;
    e->before = before;
    e->seq = parent == NULL ? 1 : parent->seq + 1;
    e->kind = d->parent != 0 ? STET_EVENT_FORKED : STET_EVENT_SAVED;
    int64_t occurred = b->recorded - (int64_t)rng_below(&b->random, 50);
    e->occurred_max = parent != NULL && parent->occurred_max > occurred
                          ? parent->occurred_max
                          : occurred;
    if (parent != NULL) {
        memcpy(e->name, parent->name, sizeof e->name);
    }
    *r = (stet_record){
        .kind = e->kind,
        .form = STET_BODY_WHOLE,
        .ns = d->ns,
        .id = stet_str(e->id),
        .seq = e->seq,
        .back = before == 0 ? 0 : position - before,
        .occurred_delta = occurred - b->recorded,
        .occurred_max_over = (uint64_t)(e->occurred_max - occurred),
        .body = stet_slice_of(body, d->body_bytes),
    };
    if (parent == NULL) {
        r->flags |= STET_RECORD_BASE;
    }
    if (e->occurred_max != occurred) {
        r->flags |= STET_RECORD_HAS_OCCURRED_MAX;
    }
    rng_fill(&b->random, body, d->body_bytes);
}

static void fill_tags(logbook *b, const draft *d, logbook_event *e,
                      stet_record *r)
{
    if (rng_below(&b->random, 3) == 0) {
        (void)snprintf(e->name, sizeof e->name, "s%u",
                       (unsigned)rng_below(&b->random, 10));
        r->to = stet_str(e->name);
        r->tags |= 1U << STET_TAG_TO;
    }
    if (d->parent != 0) {
        const logbook_event *parent = event_at(b, d->parent);
        r->parent_id = stet_str(parent->id);
        r->parent_ns = parent->ns;
        r->parent_seq = parent->seq;
        r->tags |= 1U << STET_TAG_PARENT;
    }
    if (rng_below(&b->random, 4) == 0) {
        rng_fill(&b->random, e->key, sizeof e->key);
        memcpy(r->key, e->key, sizeof r->key);
        r->tags |= 1U << STET_TAG_KEY;
        e->has_key = true;
    }
}

/* Append an event to the book and its record to `out`. */
static void draft_event(logbook *b, const draft *d, stet_buf *out)
{
    uint8_t *body = malloc(d->body_bytes + 1);
    assert_non_null(body);
    logbook_event *e = add_event(b);
    stet_record r;
    fill_record(b, d, e, &r, body);
    fill_tags(b, d, e, &r);
    stet_buf tail;
    stet__buf_init(&tail, &stet__heap);
    uint8_t *at = stet__buf_extend(&tail, stet__record_tail_bytes_max(&r));
    assert_non_null(at);
    tail.len = stet__record_put_tail(&r, at);
    e->bytes = malloc(STET_RECORD_HEAD_BYTES_MAX + tail.len);
    assert_non_null(e->bytes);
    size_t head = stet__record_put_head(
        &r, tail.len, stet__crc32c(0, tail.ptr, tail.len), e->bytes);
    memcpy(e->bytes + head, tail.ptr, tail.len);
    e->len = head + tail.len;
    stet__buf_put(out, e->bytes, e->len);
    stet__buf_deinit(&tail);
    free(body);
}

static void forget_from(logbook *b, uint64_t first)
{
    for (; b->next > first; b->next--) {
        free(event_at(b, b->next - 1)->bytes);
    }
}

/* A frame that was sealed and not yet published. */
typedef struct flight {
    stet_frame frame;
    uint64_t end; /* one past its last position */
    bool is_written;
} flight;

typedef struct fleet {
    flight flights[FLIGHTS_MAX];
    size_t count;
} fleet;

static void publish(logbook *b, fleet *f)
{
    size_t done = 0;
    while (done < f->count && f->flights[done].is_written) {
        b->acked = f->flights[done++].end;
    }
    f->count -= done;
    memmove(f->flights, f->flights + done, f->count * sizeof f->flights[0]);
    b->synced = b->start.level == STET_LEVEL_DISK ? b->acked : b->synced;
    b->log->ops->published(b->log, b->acked, b->synced);
}

/* Write what is in flight, in any order. */
static stet_status land(logbook *b, fleet *f, stet_error *err)
{
    while (f->count > 0) {
        size_t i = rng_below(&b->random, f->count);
        while (f->flights[i].is_written) {
            i = (i + 1) % f->count;
        }
        stet_status st =
            b->log->ops->frame_write(b->log, &f->flights[i].frame, err);
        if (st != STET_OK) {
            b->is_lost = true;
            return st;
        }
        f->flights[i].is_written = true;
        publish(b, f);
    }
    return STET_OK;
}

/* Open a frame; what is in flight may have to land before there is room. */
static stet_status open_frame(logbook *b, fleet *f, size_t need, uint64_t first,
                              stet_frame *out, stet_error *err)
{
    const stet_log_ops *ops = b->log->ops;
    stet_status st = STET_OK;
    while ((st = ops->frame_open(b->log, need, first, out, err)) ==
           STET_E_BUSY) {
        st = land(b, f, err);
        stet_settle_answer answer = {.is_more = true};
        while (st == STET_OK && answer.is_more && ops->is_pressed != NULL &&
               ops->is_pressed(b->log, need)) {
            st = logbook_settle(b, 0, 0, &answer, err);
        }
        if (st == STET_OK) {
            st = ops->make_room(b->log, need, err);
        }
        if (st != STET_OK) {
            return st;
        }
    }
    return st;
}

/* Put the records of the events from `first` on into the air as one frame. */
static stet_status launch(logbook *b, fleet *f, uint64_t first,
                          const stet_buf *records, stet_error *err)
{
    const stet_log_ops *ops = b->log->ops;
    stet_frame frame = {0};
    stet_status st = open_frame(b, f, records->len, first, &frame, err);
    if (st == STET_OK && frame.is_turn) {
        st = land(b, f, err);
    }
    if (st != STET_OK) {
        forget_from(b, first); /* nothing happened */
        return st;
    }
    assert_true(frame.cap >= records->len);
    memcpy(frame.records, records->ptr, records->len);
    frame.recorded = b->recorded;
    for (uint64_t p = first; p < b->next; p++) {
        event_at(b, p)->frame_end = b->next;
    }
    ops->frame_close(b->log, &frame, records->len, (uint32_t)(b->next - first));
    st = ops->frame_seal(b->log, &frame, b->synced, err);
    if (st == STET_OK) {
        f->flights[f->count++] = (flight){.frame = frame, .end = b->next};
    } else {
        b->is_lost = true;
    }
    return st;
}

static void draft_frame(logbook *b, unsigned count, stet_buf *records)
{
    b->recorded += 1 + (int64_t)rng_below(&b->random, 20);
    for (unsigned i = 0; i < count; i++) {
        char id[32];
        draft d = {.id = id, .body_bytes = rng_below(&b->random, b->body_max)};
        unsigned number = (unsigned)rng_below(&b->random, b->machine_count);
        (void)snprintf(id, sizeof id, "machine:%u", number);
        d.ns = number % 4 == 3;
        if (b->next > 4 && rng_below(&b->random, 16) == 0) {
            (void)snprintf(id, sizeof id, "fork:%llu",
                           (unsigned long long)b->next);
            d.ns = 0;
            d.parent = 1 + rng_below(&b->random, b->next - 1);
        }
        draft_event(b, &d, records);
    }
}

static stet_status write_frames(logbook *b, unsigned frames, unsigned events,
                                stet_error *err)
{
    fleet f = {.count = 0};
    stet_status st = STET_OK;
    assert_false(b->is_lost);
    for (unsigned i = 0; i < frames && st == STET_OK; i++) {
        stet_buf records;
        stet__buf_init(&records, &stet__heap);
        uint64_t first = b->next;
        draft_frame(
            b, events == 0 ? 1 + (unsigned)rng_below(&b->random, 6) : events,
            &records);
        st = launch(b, &f, first, &records, err);
        stet__buf_deinit(&records);
        if (st == STET_OK && f.count == FLIGHTS_MAX) {
            st = land(b, &f, err);
        }
    }
    stet_status landed = b->is_lost ? STET_OK : land(b, &f, err);
    return st == STET_OK ? landed : st;
}

stet_status logbook_write(logbook *b, unsigned count, stet_error *err)
{
    return write_frames(b, 1, count, err);
}

stet_status logbook_write_many(logbook *b, unsigned frames, stet_error *err)
{
    return write_frames(b, frames, 0, err);
}

/* Write one event in a frame of its own. */
static stet_status write_draft(logbook *b, const draft *d, stet_error *err)
{
    fleet f = {.count = 0};
    stet_buf records;
    stet__buf_init(&records, &stet__heap);
    uint64_t first = b->next;
    b->recorded++;
    draft_event(b, d, &records);
    stet_status st = launch(b, &f, first, &records, err);
    stet__buf_deinit(&records);
    return st == STET_OK ? land(b, &f, err) : st;
}

stet_status logbook_write_one(logbook *b, const char *id, size_t bytes,
                              stet_error *err)
{
    draft d = {.id = id, .body_bytes = bytes};
    return write_draft(b, &d, err);
}

stet_status logbook_fork(logbook *b, const char *id, uint64_t position,
                         stet_error *err)
{
    draft d = {.id = id, .body_bytes = 10, .parent = position};
    return write_draft(b, &d, err);
}

void logbook_power_cut(logbook *b)
{
    b->acked = b->synced;
}

stet_status logbook_sync(logbook *b, stet_error *err)
{
    stet_status st = b->log->ops->sync(b->log, err);
    if (st == STET_OK) {
        b->synced = b->acked;
        b->log->ops->published(b->log, b->acked, b->synced);
    } else {
        b->is_lost = true;
    }
    return st;
}

static void claim_ok(const char *what, stet_status st, const stet_error *err)
{
    if (st != STET_OK) {
        print_error("%s: %s\n", what, err->text);
    }
    assert_int_equal(st, STET_OK);
}

void logbook_open_ok(logbook *b, const stet_driver *driver, const char *path,
                     stet_os *os)
{
    stet_error err = {0};
    claim_ok("open", logbook_open(b, driver, path, os, &err), &err);
}

void logbook_close_ok(logbook *b)
{
    stet_error err = {0};
    claim_ok("close", logbook_close(b, true, &err), &err);
}

void logbook_write_ok(logbook *b, unsigned count)
{
    stet_error err = {0};
    claim_ok("write", logbook_write(b, count, &err), &err);
}

void logbook_seek_first(logbook *b, const char *id)
{
    stet_machine_key key = {.id = stet_str(id)};
    stet_bound bound = {STET_BY_SEQ, 1, 0};
    stet_point p = {0};
    stet_error err = {0};
    claim_ok("seek", b->log->ops->seek(b->log, key, bound, b->next, &p, &err),
             &err);
    assert_int_equal(p.seq, 1);
}

stet_status logbook_settle(logbook *b, unsigned flags, uint64_t below,
                           stet_settle_answer *out, stet_error *err)
{
    const stet_log_ops *ops = b->log->ops;
    *out = (stet_settle_answer){0};
    if (ops->settle == NULL) {
        return STET_OK;
    }
    stet_status st = ops->settle(b->log, flags, below, out, err);
    return st == STET_OK && out->needs_turn
               ? ops->settle(b->log, flags | STET_SETTLE_TURN, below, out, err)
               : st;
}

stet_status logbook_step(logbook *b, bool *out_more, int64_t *out_due,
                         stet_error *err)
{
    stet_settle_answer answer = {0};
    int64_t due = 0;
    stet_status st = b->log->ops->step(b->log, out_more, &due, err);
    if (st == STET_OK && !*out_more) {
        st = logbook_settle(b, 0, 0, &answer, err);
        *out_more = answer.is_more;
        bool is_first = answer.due != 0 && (due == 0 || answer.due < due);
        due = is_first ? answer.due : due;
    }
    if (out_due != NULL) {
        *out_due = due;
    }
    return st;
}

stet_status logbook_steps(logbook *b, stet_error *err)
{
    bool has_more = true;
    stet_status st = STET_OK;
    while (has_more && st == STET_OK) {
        st = logbook_step(b, &has_more, NULL, err);
    }
    return st;
}

/* Checking. */

bool logbook_names_damage(const stet_error *err)
{
    const char *at = strstr(err->text, " at offset ");
    return at != NULL && (strstr(err->text, ".seg at offset ") != NULL ||
                          strstr(err->text, ".set at offset ") != NULL ||
                          strstr(err->text, "super at offset ") != NULL);
}

/* Is this answer excused by damage? Other failures are not. */
static bool is_refused(logbook *b, stet_status st, const stet_error *err)
{
    if (st != STET_E_CORRUPT) {
        return false;
    }
    if (!b->is_damaged || !logbook_names_damage(err)) {
        print_error("unexpected: %s\n", err->text);
    }
    assert_true(b->is_damaged);
    assert_true(logbook_names_damage(err));
    b->refusals++;
    return true;
}

static bool is_above(const logbook_event *e, uint64_t position,
                     stet_bound bound)
{
    stet_point p = {e->seq, position, e->occurred_max};
    switch (bound.dimension) {
    case STET_BY_SEQ:
        return p.seq > bound.value;
    case STET_BY_POSITION:
        return p.position > bound.value;
    case STET_BY_OCCURRED:
        return p.occurred_max > bound.occurred;
    }
    return true;
}

/* Seek, and walk back one by one: both must come to the same event. */
static void check_seek(logbook *b, uint64_t newest, stet_bound bound,
                       uint64_t below)
{
    const logbook_event *head = event_at(b, newest);
    stet_machine_key key = {.id = stet_str(head->id), .ns = head->ns};
    uint64_t expected = newest;
    while (expected != 0 && is_above(event_at(b, expected), expected, bound)) {
        expected = event_at(b, expected)->before;
    }
    stet_error err = {0};
    stet_point got = {0};
    stet_status st = b->log->ops->seek(b->log, key, bound, below, &got, &err);
    if (is_refused(b, st, &err)) {
        return;
    }
    if (expected == 0) {
        assert_int_equal(st, STET_E_NOT_FOUND);
        return;
    }
    assert_int_equal(st, STET_OK);
    const logbook_event *e = event_at(b, expected);
    assert_int_equal(got.position, expected);
    assert_int_equal(got.seq, e->seq);
    assert_int_equal(got.occurred_max, e->occurred_max);
}

static void check_seeks(logbook *b, uint64_t below)
{
    for (unsigned i = 0; i < SEEKS && below > 1; i++) {
        const logbook_event *e =
            event_at(b, 1 + rng_below(&b->random, below - 1));
        uint64_t newest = newest_of(b, e->ns, e->id, below);
        const logbook_event *head = event_at(b, newest);
        stet_bound by_seq = {STET_BY_SEQ, rng_below(&b->random, head->seq + 1),
                             0};
        stet_bound by_position = {STET_BY_POSITION,
                                  rng_below(&b->random, below), 0};
        stet_bound by_time = {
            STET_BY_OCCURRED, 0,
            1000 + (int64_t)rng_below(&b->random,
                                      (size_t)(b->recorded - 1000 + 10))};
        check_seek(b, newest, (stet_bound){STET_BY_SEQ, UINT64_MAX, 0}, below);
        check_seek(b, newest, by_seq, below);
        check_seek(b, newest, by_time, below);
        check_seek(b, newest, by_position, below);
    }
}

static void check_key(logbook *b, uint64_t position, uint64_t below)
{
    const logbook_event *e = event_at(b, position);
    uint64_t got = 0;
    if (!e->has_key) {
        return;
    }
    stet_error err = {0};
    stet_status st = b->log->ops->find_key(b->log, e->key, below, &got, &err);
    if (is_refused(b, st, &err)) {
        return;
    }
    if (position < below) {
        assert_int_equal(st, STET_OK);
        assert_int_equal(got, position);
    } else {
        assert_int_equal(st, STET_E_NOT_FOUND);
    }
}

static void check_times(logbook *b, uint64_t below)
{
    for (unsigned i = 0; i < SEEKS; i++) {
        int64_t time =
            990 + (int64_t)rng_below(&b->random, (size_t)(b->recorded - 980));
        uint64_t expected = below - 1;
        while (expected > 0 && event_at(b, expected)->recorded > time) {
            expected--;
        }
        uint64_t got = 0;
        stet_error err = {0};
        stet_status st =
            b->log->ops->at_recorded(b->log, time, below, &got, &err);
        if (is_refused(b, st, &err)) {
            continue;
        }
        assert_int_equal(st, STET_OK);
        assert_int_equal(got, expected);
    }
}

static int compare_keys(const logbook_event *a, const logbook_event *b)
{
    return a->ns != b->ns ? a->ns - b->ns : strcmp(a->id, b->id);
}

static bool is_listed(const stet_heads_range *range, const logbook_event *e)
{
    if (e->ns != range->ns) {
        return e->ns > range->ns && e->ns <= range->ns_last;
    }
    return strncmp(e->id, range->prefix.ptr, range->prefix.len) == 0 &&
           strcmp(e->id, range->after.ptr) > 0;
}

/* The newest event of the machine that is listed after another one's. */
static uint64_t next_head(const logbook *b, const stet_heads_range *range,
                          const logbook_event *after)
{
    const logbook_event *best = NULL;
    for (uint64_t p = 1; p < range->below; p++) {
        const logbook_event *e = event_at(b, p);
        if (is_listed(range, e) &&
            (after == NULL || compare_keys(e, after) > 0) &&
            (best == NULL || compare_keys(e, best) < 0)) {
            best = e;
        }
    }
    return best == NULL ? 0 : newest_of(b, best->ns, best->id, range->below);
}

static void check_head(const logbook *b, uint64_t expected, bool is_nameless,
                       const stet_head_entry *got)
{
    const logbook_event *e = event_at(b, expected);
    assert_int_equal(got->key.id.len, strlen(e->id));
    assert_memory_equal(got->key.id.ptr, e->id, strlen(e->id));
    assert_int_equal(got->key.ns, e->ns);
    assert_int_equal(got->seq, e->seq);
    assert_int_equal(got->position, expected);
    assert_false(got->is_deleted);
    if (is_nameless) {
        return;
    }
    assert_int_equal(got->state_name.len, strlen(e->name));
    assert_true(got->state_name.len == 0 ||
                memcmp(got->state_name.ptr, e->name, strlen(e->name)) == 0);
}

static void check_heads(logbook *b, const stet_heads_range *range)
{
    const stet_log_ops *ops = b->log->ops;
    stet_log_cursor *cursor = NULL;
    stet_head_entry got;
    stet_error err = {0};
    stet_status st = ops->heads_open(b->log, range, &cursor, &err);
    if (is_refused(b, st, &err)) {
        return;
    }
    assert_int_equal(st, STET_OK);
    uint64_t expected = 0;
    const logbook_event *last = NULL;
    while ((expected = next_head(b, range, last)) != 0) {
        st = ops->heads_next(cursor, &got, &err);
        if (is_refused(b, st, &err)) {
            ops->heads_close(cursor);
            return;
        }
        assert_int_equal(st, STET_OK);
        check_head(b, expected, range->is_nameless, &got);
        last = event_at(b, expected);
    }
    st = ops->heads_next(cursor, &got, &err);
    assert_true(is_refused(b, st, &err) || st == STET_DONE);
    ops->heads_close(cursor);
}

static void check_record(const logbook *b, const stet_logged *got)
{
    const logbook_event *e = event_at(b, got->position);
    assert_int_equal(got->bytes.len, e->len);
    assert_memory_equal(got->bytes.ptr, e->bytes, e->len);
    assert_int_equal(got->recorded, e->recorded);
}

/* Claim that a record is not given twice, nor before an older one. */
static void check_order(const logbook *b, bool *given, uint64_t position)
{
    const logbook_event *e = event_at(b, position);
    assert_false(given[position]);
    given[position] = true;
    uint64_t older = newest_of(b, e->ns, e->id, position);
    assert_true(older == 0 || given[older]);
}

void logbook_check_walk(logbook *b, stet_log_cursor *walk, uint64_t below)
{
    const stet_log_ops *ops = b->log->ops;
    bool *given = calloc(below, sizeof *given);
    assert_non_null(given);
    stet_error err = {0};
    stet_logged got;
    stet_status st = STET_OK;
    uint64_t count = 0;
    while ((st = ops->walk_next(walk, &got, &err)) == STET_OK) {
        assert_in_range(got.position, 1, below - 1);
        check_record(b, &got);
        check_order(b, given, got.position);
        count++;
    }
    free(given);
    ops->walk_close(walk);
    if (!is_refused(b, st, &err)) {
        assert_int_equal(st, STET_DONE);
        assert_int_equal(count, below - 1);
    }
}

static void check_walk(logbook *b, uint64_t below)
{
    stet_log_cursor *walk = NULL;
    stet_error err = {0};
    assert_int_equal(b->log->ops->walk_open(b->log, below, &walk, &err),
                     STET_OK);
    logbook_check_walk(b, walk, below);
}

void logbook_check_records(logbook *b, uint64_t below)
{
    stet_log_reader *reader = b->log->ops->reader_create(b->log);
    assert_non_null(reader);
    for (uint64_t p = 1; p < below; p++) {
        stet_error err = {0};
        stet_logged got;
        stet_status st = b->log->ops->reader_read(reader, p, &got, &err);
        if (is_refused(b, st, &err)) {
            continue;
        }
        assert_int_equal(st, STET_OK);
        assert_int_equal(got.position, p);
        check_record(b, &got);
    }
    b->log->ops->reader_destroy(reader);
    for (unsigned i = 0; i < b->machine_count; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "machine:%u", i);
        uint64_t newest = newest_of(b, i % 4 == 3, id, below);
        if (newest != 0) {
            check_seek(b, newest, (stet_bound){STET_BY_SEQ, UINT64_MAX, 0},
                       below);
        }
    }
}

static void check_listings(logbook *b, uint64_t below)
{
    static const struct {
        uint8_t ns;
        uint8_t ns_last;
        const char *prefix;
        const char *after;
    } all[] = {
        {0, 0, "", ""}, {1, 0, "", ""},   {0, 0, "machine:", "machine:1"},
        {2, 0, "", ""}, {0, 255, "", ""}, {0, 0, "fork:", ""},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        check_heads(b, &(stet_heads_range){
                           .ns = all[i].ns,
                           .ns_last = all[i].ns_last,
                           .prefix = stet_str(all[i].prefix),
                           .after = stet_str(all[i].after),
                           .below = below,
                           .is_nameless = below % 2 == 0,
                       });
    }
}

void logbook_check(logbook *b, uint64_t below)
{
    logbook_check_records(b, below);
    check_walk(b, below);
    check_seeks(b, below);
    check_times(b, below);
    for (uint64_t p = 1; p < b->next; p++) {
        check_key(b, p, below);
    }
    check_listings(b, below);
}
