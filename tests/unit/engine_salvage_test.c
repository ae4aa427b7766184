/*
 * Salvage from stores that were damaged in every way. Of each event of the
 * store as it was, the new store says exactly what it said, or that it is gone;
 * and it may be gone only if damage touched it, or what its state is told by.
 *
 * The sweeps step over most places to be quick; with STET_LONG in the
 * environment they take many more.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stet/retention.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "core/frame.h"
#include "core/set.h"
#include "engine/handle.h"
#include "lib/failalloc.h"
#include "lib/memdisk.h"
#include "lib/rounds.h"
#include "stores/embedded/embedded.h"

enum { EVENTS_MAX = 4000, MACHINES = 7, FORKS = 3, NAMES_MAX = 64 };

/* Where an event's bytes are: damage there, or at their frame, is its loss. */
typedef struct place {
    char name[STET_OS_NAME_MAX];
    uint64_t from;
    uint64_t to;
    bool is_settled;
} place;

/* One event of a machine as the sound store tells it. */
typedef struct told {
    char id[16];
    uint64_t seq;
    uint64_t position;
    bool is_base;
    bool is_own;  /* not inherited */
    bool is_gone; /* the machine is deleted there */
    int64_t recorded_at;
    int64_t updated_at;
    char name[32];
    char *state;
    size_t state_bytes;
} told;

typedef struct reference {
    memdisk *disk;
    told *events; /* of all machines, each by rising seq */
    size_t event_count;
    place *places; /* by position */
    uint64_t end;
    const char *names[NAMES_MAX];
    size_t name_count;
} reference;

/* Damage: bytes of a file, or all from `from` on. */
typedef struct damage {
    const char *name;
    uint64_t from;
    uint64_t to;
} damage;

static stet_opts opts_of(void)
{
    return (stet_opts){.struct_size = sizeof(stet_opts),
                       .flags = STET_NO_THREADS,
                       .segment_bytes = 64 * 1024,
                       .settle_segments = 2};
}

static stet *open_store(memdisk *disk, const char *url)
{
    stet_opts opts = opts_of();
    stet *s = NULL;
    stet_error err = {0};
    if (stet__open_on(memdisk_os(disk), url, &opts, &s, &err) != STET_OK) {
        print_error("open %s: %s\n", url, err.text);
        fail();
    }
    return s;
}

static void must(stet_status st, const stet_error *err)
{
    if (st != STET_OK) {
        print_error("%s\n", err->text);
        fail();
    }
}

/* Making. */

static void write_some(stet *s, rng *r, int count)
{
    char id[16];
    char text[2000];
    stet_error err = {0};
    for (int i = 0; i < count; i++) {
        unsigned m = (unsigned)rng_below(r, MACHINES);
        (void)snprintf(id, sizeof id, "m%u", m);
        int n = (int)rng_below(r, 1000);
        (void)snprintf(text, sizeof text, "{\"n\":%d,\"x\":\"%0*d\"}", n,
                       (int)rng_below(r, 600) + 1, n);
        stet_status st = STET_OK;
        switch (rng_below(r, 8)) {
        case 0:
            st = stet_save(s, stet_str(id), stet_str(text), NULL, NULL, &err);
            break;
        case 1:
            st = stet_append(s, stet_str(id), stet_str(text), NULL, NULL, &err);
            break;
        case 2:
            st = m == 6 ? stet_delete(s, stet_str(id), NULL, NULL, &err)
                        : STET_OK;
            st = st == STET_E_NOT_FOUND ? STET_OK : st;
            break;
        default:
            st = stet_update(s, stet_str(id), stet_str(text), NULL, NULL, &err);
            break;
        }
        must(st, &err);
    }
}

static void step_all(stet *s)
{
    bool has_more = true;
    while (has_more) {
        assert_int_equal(stet_step(s, &has_more, NULL), STET_OK);
    }
}

static void fork_one(stet *s, const char *parent, const char *id, uint64_t seq)
{
    stet_error err = {0};
    stet_fork_opts opts = {.struct_size = sizeof opts,
                           .at = {.kind = STET_AT_SEQ, .seq = seq}};
    must(stet_fork(s, stet_str(parent), stet_str(id), &opts, NULL, &err), &err);
}

/* Sets, sealed segments and a live one; cleanly closed, or not. */
static void write_store(memdisk *disk, bool is_clean)
{
    rng r = {11};
    stet_error err = {0};
    for (int life = 0; life < 3; life++) {
        stet *s = open_store(disk, "d");
        for (int round = 0; round < 5; round++) {
            write_some(s, &r, 40);
            if (round == 2) {
                char id[16];
                char parent[16];
                (void)snprintf(id, sizeof id, "f%d", life);
                (void)snprintf(parent, sizeof parent, life == 2 ? "f0" : "m%d",
                               life);
                fork_one(s, parent, id, 3);
                must(stet_update(s, stet_str(id), stet_str("{\"f\":1}"), NULL,
                                 NULL, &err),
                     &err);
            }
            step_all(s);
            if (life < 2) { /* a pause, in which it settles */
                memdisk_advance(disk, 200000000);
                step_all(s);
            }
        }
        memdisk_advance(disk, 2000000000);
        step_all(s);
        memdisk_advance(disk, 2000000000);
        step_all(s);
        if (is_clean || life < 2) {
            must(stet_close(s, &err), &err);
        } else {
            memdisk *as_it_is = disk;
            memdisk_die_at(as_it_is, 1);
            (void)stet_close(s, NULL); /* dies on the way */
            memdisk_crash(as_it_is, false);
        }
    }
}

/* Telling. */

static void copy_slice(char *out, size_t room, stet_slice s)
{
    assert_true(s.len < room);
    memcpy(out, s.ptr, s.len);
    out[s.len] = '\0';
}

static void tell_machine(reference *ref, stet *s, const char *id)
{
    stet_error err = {0};
    stet_history *h = NULL;
    stet_history_opts opts = {.struct_size = sizeof opts,
                              .flags = STET_HISTORY_STATES};
    must(stet_history_open(s, stet_str(id), &opts, &h, &err), &err);
    const stet_event *e = NULL;
    stet_status st = STET_OK;
    while ((st = stet_history_next(h, &e, &err)) == STET_OK) {
        assert_true(ref->event_count < EVENTS_MAX);
        told *t = &ref->events[ref->event_count++];
        (void)snprintf(t->id, sizeof t->id, "%s", id);
        t->seq = e->seq;
        t->position = e->position;
        t->is_base = (e->flags & STET_EVENT_BASE) != 0;
        t->is_own = stet__slice_eq(e->state_machine_id, stet_str(id));
        t->is_gone = e->state == NULL;
        t->recorded_at = e->recorded_at;
        if (e->state != NULL) {
            t->updated_at = e->state->updated_at;
            copy_slice(t->name, sizeof t->name, e->state->current_state);
            t->state_bytes = e->state->state_data.len;
            t->state = malloc(t->state_bytes + 1);
            assert_non_null(t->state);
            memcpy(t->state, e->state->state_data.ptr, t->state_bytes);
        }
    }
    assert_int_equal(st, STET_DONE);
    stet_history_close(h);
}

/* Find the frame, or the block, that a record lies in. */
static void find_frame(reference *ref, place *p, uint64_t offset)
{
    size_t len = 0;
    const uint8_t *bytes = memdisk_bytes(ref->disk, p->name, &len);
    stet_frame_header h;
    for (uint64_t at = STET_W; at <= offset;) {
        assert_true(stet__frame_is_sound(bytes + at, len - at, &h));
        p->from = at;
        at += h.length;
        p->to = at;
    }
}

static void find_blocks(reference *ref)
{
    for (uint64_t a = 1; a < ref->end; a++) {
        place *p = &ref->places[a];
        if (!p->is_settled) {
            continue;
        }
        size_t len = 0;
        stet_trailer t;
        const uint8_t *bytes = memdisk_bytes(ref->disk, p->name, &len);
        assert_int_equal(stet__trailer_get(bytes + len - STET_W, &t, NULL),
                         STET_OK);
        p->to = t.end_offset;
        for (uint64_t b = 1; b < ref->end; b++) {
            const place *q = &ref->places[b];
            if (strcmp(q->name, p->name) == 0 && q->from > p->from &&
                q->from < p->to) {
                p->to = q->from;
            }
        }
    }
}

static void tell_places(reference *ref, stet *s)
{
    const stet_log_ops *ops = s->log->ops;
    stet_log_reader *reader = ops->reader_create(s->log);
    ref->end = s->start.next_position;
    ref->places = calloc(ref->end, sizeof *ref->places);
    assert_non_null(ref->places);
    for (uint64_t at = 1; at < ref->end; at++) {
        stet_logged l;
        place *p = &ref->places[at];
        assert_int_equal(ops->reader_read(reader, at, &l, NULL), STET_OK);
        (void)snprintf(p->name, sizeof p->name, "%u.%s", l.file,
                       l.is_settled ? "set" : "seg");
        p->is_settled = l.is_settled;
        p->from = l.offset;
        if (!l.is_settled) {
            find_frame(ref, p, l.offset);
        }
    }
    ops->reader_destroy(reader);
    find_blocks(ref);
}

static void make_reference(reference *ref, bool is_clean)
{
    char id[16];
    *ref = (reference){.disk = memdisk_create(3)};
    memdisk_advance(ref->disk, (int64_t)1767225600 * 1000000000);
    memdisk_add_folder(ref->disk, "saved");
    write_store(ref->disk, is_clean);
    stet_opts opts = opts_of();
    opts.mode = STET_OPEN_READONLY;
    stet *s = NULL;
    assert_int_equal(stet__open_on(memdisk_os(ref->disk), "d", &opts, &s, NULL),
                     STET_OK);
    ref->events = calloc(EVENTS_MAX, sizeof *ref->events);
    assert_non_null(ref->events);
    for (int i = 0; i < MACHINES; i++) {
        (void)snprintf(id, sizeof id, "m%d", i);
        tell_machine(ref, s, id);
    }
    for (int i = 0; i < FORKS; i++) {
        (void)snprintf(id, sizeof id, "f%d", i);
        tell_machine(ref, s, id);
    }
    tell_places(ref, s);
    assert_int_equal(stet_close(s, NULL), STET_OK);
    ref->name_count = memdisk_names(ref->disk, ref->names, NAMES_MAX);
}

static void free_reference(reference *ref)
{
    for (size_t i = 0; i < ref->event_count; i++) {
        free(ref->events[i].state);
    }
    free(ref->events);
    free(ref->places);
    memdisk_destroy(ref->disk);
}

/* What may be lost. */

/*
 * May damage have taken the event there? Of a set it takes all when it is in
 * the first block, which has the times, or goes from end to end.
 */
static bool is_touched(const reference *ref, const damage *d, uint64_t position)
{
    const place *p = &ref->places[position];
    if (strcmp(p->name, d->name) != 0) {
        return false;
    }
    if (!p->is_settled) {
        return d->from < p->to && p->from < d->to;
    }
    size_t len = 0;
    memdisk_bytes(ref->disk, d->name, &len);
    uint64_t front = UINT64_MAX;
    for (uint64_t at = 1; at < ref->end; at++) {
        const place *q = &ref->places[at];
        if (strcmp(q->name, d->name) == 0) {
            front = q->to < front ? q->to : front;
        }
    }
    return (d->from < front && d->to > STET_SET_HEAD_BYTES) ||
           (d->from < p->to && p->from < d->to);
}

/* Must the event's state be there: itself and all from its base on? */
static bool is_expected(const reference *ref, const damage *d, size_t i)
{
    const told *t = &ref->events[i];
    for (size_t k = i + 1; k-- > 0;) {
        const told *e = &ref->events[k];
        if (strcmp(e->id, t->id) != 0 || is_touched(ref, d, e->position)) {
            return false;
        }
        if (e->is_base) {
            break;
        }
    }
    if (t->is_own) {
        return true;
    }
    /* The way to what was inherited leads over the fork's first own event. */
    while (i < ref->event_count && !ref->events[i].is_own) {
        i++;
    }
    return !is_touched(ref, d, ref->events[i].position);
}

static bool is_gone(stet_status st)
{
    return st == STET_E_GONE || st == STET_E_NOT_FOUND;
}

static void check_event(const reference *ref, const damage *d, stet *s,
                        size_t i)
{
    const told *t = &ref->events[i];
    stet_error err = {0};
    const stet_state *state = NULL;
    stet_read_opts opts = {.struct_size = sizeof opts,
                           .at = {.kind = STET_AT_SEQ, .seq = t->seq}};
    stet_status st = stet_load(s, stet_str(t->id), &opts, &state, &err);
    if (st == STET_OK) {
        assert_false(t->is_gone);
        assert_int_equal(state->position, t->position);
        assert_int_equal(state->recorded_at, t->recorded_at);
        assert_int_equal(state->updated_at, t->updated_at);
        assert_int_equal(state->state_data.len, t->state_bytes);
        assert_memory_equal(state->state_data.ptr, t->state, t->state_bytes);
        assert_true(stet__slice_eq(state->current_state, stet_str(t->name)));
        stet_state_release(state);
        return;
    }
    bool is_missed = !t->is_gone && is_expected(ref, d, i);
    if (!is_gone(st) || is_missed) {
        print_error("%s from %llu to %llu: %s seq %llu at %llu: %s\n", d->name,
                    (unsigned long long)d->from, (unsigned long long)d->to,
                    t->id, (unsigned long long)t->seq,
                    (unsigned long long)t->position, err.text);
        fail();
    }
}

/*
 * A feed tells every position that had an event, up to the end of what was
 * saved: the event, or that it is gone, also where nobody knows whose it was.
 */
static void check_feed(const reference *ref, stet *s)
{
    stet_error err = {0};
    stet_feed_opts opts = {.flags = STET_FEED_ALL_NAMESPACES};
    stet_feed *feed = NULL;
    const stet_event *e = NULL;
    stet_status st = STET_OK;
    bool *is_told = calloc(ref->end, sizeof *is_told);
    assert_non_null(is_told);
    must(stet_feed_open(s, &opts, &feed, &err), &err);
    while ((st = stet_feed_next(feed, 0, &e, &err)) == STET_OK) {
        assert_in_range(e->position, 1, ref->end - 1);
        assert_false(is_told[e->position]);
        is_told[e->position] = true;
        bool is_nobodys = e->state_machine_id.len == 0;
        assert_true(!is_nobodys || (e->flags & STET_EVENT_GONE) != 0);
    }
    assert_int_equal(st, STET_E_TIMEOUT);
    for (size_t i = 0; i < ref->event_count; i++) {
        const told *t = &ref->events[i];
        assert_true(is_told[t->position] ||
                    t->position >= stet_feed_position(feed));
    }
    stet_feed_close(feed);
    free(is_told);
}

/* Salvage a disk that has `d`, and compare. */
static void check_salvage(const reference *ref, memdisk *disk, const damage *d,
                          stet_salvage_report *report)
{
    stet_error err = {0};
    stet_allocator heap = {0};
    stet_salvage_opts opts = {.struct_size = sizeof opts, .allocator = heap};
    *report = (stet_salvage_report){0};
    stet_status st =
        stet__salvage_on(memdisk_os(disk), "d", "saved", &opts, report, &err);
    if (st != STET_OK) {
        print_error("%s from %llu: %s\n", d->name, (unsigned long long)d->from,
                    err.text);
        fail();
    }
    stet *s = open_store(disk, "saved");
    for (size_t i = 0; i < ref->event_count; i++) {
        check_event(ref, d, s, i);
    }
    check_feed(ref, s);
    must(stet_verify(s, NULL, NULL, NULL, &err), &err);
    must(stet_compact(s, &err), &err);
    must(stet_verify(s, NULL, NULL, NULL, &err), &err);
    must(stet_save(s, stet_str("m0"), stet_str("{}"), NULL, NULL, &err), &err);
    must(stet_close(s, &err), &err);
}

typedef void (*damage_fn)(const reference *ref, memdisk *disk, const damage *d);

static void flip(const reference *ref, memdisk *disk, const damage *d)
{
    (void)ref;
    size_t len = 0;
    uint8_t *bytes = memdisk_bytes(disk, d->name, &len);
    for (uint64_t at = d->from; at < d->to && at < len; at++) {
        bytes[at] ^= 0x41;
    }
}

static void cut(const reference *ref, memdisk *disk, const damage *d)
{
    (void)ref;
    memdisk_cut(disk, d->name, d->from);
}

static void take_away(const reference *ref, memdisk *disk, const damage *d)
{
    (void)ref;
    memdisk_remove(disk, d->name);
}

static void make_unreadable(const reference *ref, memdisk *disk,
                            const damage *d)
{
    (void)ref;
    memdisk_break(disk, d->name, d->from, (size_t)(d->to - d->from));
}

static void try_damage(const reference *ref, damage_fn fn, const damage *d,
                       stet_salvage_report *report)
{
    memdisk *disk = memdisk_copy(ref->disk);
    fn(ref, disk, d);
    check_salvage(ref, disk, d, report);
    memdisk_destroy(disk);
}

static size_t stride(size_t len, size_t places)
{
    places = getenv("STET_LONG") != NULL ? places * 40 : places;
    return len / places + 1;
}

static bool is_of_store(const char *name)
{
    return strcmp(name, "LOCK") != 0 && strchr(name, '/') == NULL;
}

/* Nothing is wrong: all is there, and nothing is told as lost. */
static void test_a_sound_store_is_saved_whole(void **state)
{
    (void)state;
    for (int is_clean = 0; is_clean < 2; is_clean++) {
        reference ref;
        stet_salvage_report r;
        make_reference(&ref, is_clean != 0);
        try_damage(&ref, flip, &(damage){"super", 0, 0}, &r);
        assert_int_equal(r.events, ref.end - 1);
        assert_int_equal(r.lost + r.unreadable + r.damaged_files, 0);
        assert_int_equal(r.incomplete, 0);
        free_reference(&ref);
    }
}

/* Where damage begins in each file, and how much it touches. */
typedef struct sweep {
    uint64_t first;
    size_t places;  /* about so many */
    uint64_t bytes; /* UINT64_MAX: up to the end */
} sweep;

/* Damage every file at places all over it, in a clean store and another. */
static void try_everywhere(damage_fn fn, const sweep *s)
{
    for (int is_clean = 0; is_clean < 2; is_clean++) {
        reference ref;
        stet_salvage_report r;
        make_reference(&ref, is_clean != 0);
        for (size_t i = 0; i < ref.name_count; i++) {
            size_t len = 0;
            memdisk_bytes(ref.disk, ref.names[i], &len);
            size_t step = stride(len, s->places);
            for (uint64_t at = s->first; at < len && is_of_store(ref.names[i]);
                 at += step) {
                uint64_t to =
                    s->bytes == UINT64_MAX ? UINT64_MAX : at + s->bytes;
                try_damage(&ref, fn, &(damage){ref.names[i], at, to}, &r);
            }
        }
        free_reference(&ref);
    }
}

/* A byte costs its frame or block, and what is folded onto that; no more. */
static void test_a_flipped_byte_costs_what_it_touched(void **state)
{
    (void)state;
    try_everywhere(flip, &(sweep){17, 6, 1});
}

/* So does a sector that cannot be read. */
static void test_a_sector_that_cannot_be_read_costs_no_more(void **state)
{
    (void)state;
    reference ref;
    stet_salvage_report r;
    make_reference(&ref, true);
    for (size_t i = 0; i < ref.name_count; i++) {
        size_t len = 0;
        memdisk_bytes(ref.disk, ref.names[i], &len);
        size_t step = stride(len / 512, 3) * 512;
        for (uint64_t at = 0; at < len && is_of_store(ref.names[i]);
             at += step) {
            uint64_t from = at - at % STET_W; /* what is read at once */
            try_damage(&ref, make_unreadable,
                       &(damage){ref.names[i], from, from + STET_W}, &r);
        }
    }
    free_reference(&ref);
}

/* What lies below a cut is there. */
static void test_a_cut_file_is_saved_up_to_there(void **state)
{
    (void)state;
    try_everywhere(cut, &(sweep){0, 3, UINT64_MAX});
}

static uint64_t events_in(const reference *ref, const char *name)
{
    uint64_t count = 0;
    for (uint64_t at = 1; at < ref->end; at++) {
        count += strcmp(ref->places[at].name, name) == 0;
    }
    return count;
}

/* Any file may be missing, also `super`. */
static void test_a_missing_file_costs_what_was_in_it(void **state)
{
    (void)state;
    for (int is_clean = 0; is_clean < 2; is_clean++) {
        reference ref;
        stet_salvage_report r;
        make_reference(&ref, is_clean != 0);
        for (size_t i = 0; i < ref.name_count; i++) {
            if (!is_of_store(ref.names[i])) {
                continue;
            }
            try_damage(&ref, take_away, &(damage){ref.names[i], 0, UINT64_MAX},
                       &r);
            uint64_t there = events_in(&ref, ref.names[i]);
            assert_true(r.lost <= there);
            assert_true(r.events + r.unreadable + there >= ref.end - 1);
        }
        free_reference(&ref);
    }
}

/* Losses are losses in the order of the log. */
static void hear_loss(void *ctx, const stet_loss *loss)
{
    stet__buf_printf(ctx, "%d %d ", loss->kind, loss->ns);
    stet__buf_put_slice(ctx, loss->id);
    stet__buf_printf(ctx, " %s %s %llu %llu\n",
                     loss->file == NULL ? "" : loss->file, loss->why,
                     (unsigned long long)loss->from,
                     (unsigned long long)loss->to);
}

static stet_status salvage(memdisk *disk, const stet_allocator *alloc,
                           stet_buf *losses, stet_error *err)
{
    stet_salvage_opts opts = {
        .allocator = *alloc, .loss = hear_loss, .ctx = losses};
    stet_salvage_report report = {0};
    stet__buf_reset(losses);
    return stet__salvage_on(memdisk_os(disk), "d", "saved", &opts, &report,
                            err);
}

/* A store whose every file is damaged in its midst; what a salvage tells. */
static void begin_damaged(reference *ref, stet_buf *due)
{
    make_reference(ref, false);
    for (size_t i = 0; i < ref->name_count; i++) {
        size_t len = 0;
        (void)memdisk_bytes(ref->disk, ref->names[i], &len);
        damage d = {ref->names[i], len / 2, len / 2 + 40};
        if (strchr(d.name, '.') != NULL) {
            flip(ref, ref->disk, &d);
        }
    }
    stet_error err = {0};
    memdisk *disk = memdisk_copy(ref->disk);
    stet__buf_init(due, &stet__heap);
    must(salvage(disk, &stet__heap, due, &err), &err);
    assert_true(due->len > 0);
    memdisk_destroy(disk);
}

/*
 * Salvage with the nth call failing, or (MEMDISK_CALLS) the nth allocation;
 * tried again into an empty folder it tells what is due.
 */
static bool salvage_with(const reference *ref, const stet_buf *due,
                         memdisk_call call, int os_errno, size_t nth)
{
    memdisk *disk = memdisk_copy(ref->disk);
    bool is_memory = call == MEMDISK_CALLS;
    stet_buf losses;
    stet_error err = {0};
    failalloc f;
    stet__buf_init(&losses, &stet__heap);
    failalloc_init(&f, is_memory ? nth : 0);
    stet_allocator alloc = failalloc_allocator(&f);
    if (!is_memory) {
        memdisk_fail_at(disk, call, (unsigned)nth, os_errno);
    }
    stet_status st = salvage(disk, &alloc, &losses, &err);
    bool has_failed = is_memory ? f.is_hit : memdisk_has_failed(disk);
    failalloc_assert_clean(&f);
    if (st != STET_OK) {
        assert_true(has_failed);
        assert_int_equal(stet_status_kind(st), STET_KIND_ENV);
        memdisk_empty_folder(disk, "saved");
        must(salvage(disk, &stet__heap, &losses, &err), &err);
    }
    assert_int_equal(losses.len, due->len);
    assert_memory_equal(losses.ptr, due->ptr, due->len);
    stet__buf_deinit(&losses);
    memdisk_destroy(disk);
    return has_failed;
}

/* Without memory there is no rescue, and nothing is left behind. */
static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    reference ref;
    stet_buf due;
    begin_damaged(&ref, &due);
    size_t nth = 1;
    while (salvage_with(&ref, &due, MEMDISK_CALLS, 0, nth)) {
        nth += 1 + nth / 16;
    }
    assert_true(nth > 100);
    stet__buf_deinit(&due);
    free_reference(&ref);
}

/* Whatever call fails, it is losses, and the next try is a new one. */
static void test_each_call_may_fail(void **state)
{
    (void)state;
    static const struct {
        memdisk_call call;
        int os_errno;
    } calls[] = {{MEMDISK_OPEN, EMFILE},  {MEMDISK_LIST, EIO},
                 {MEMDISK_WRITE, ENOSPC}, {MEMDISK_SYNC, EIO},
                 {MEMDISK_LINK, EIO},     {MEMDISK_TRUNCATE, EIO},
                 {MEMDISK_LOCK, EIO},     {MEMDISK_FOLDER, EIO},
                 {MEMDISK_SIZE, EIO},     {MEMDISK_RANDOM, EIO}};
    reference ref;
    stet_buf due;
    begin_damaged(&ref, &due);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        size_t nth = 1;
        while (
            salvage_with(&ref, &due, calls[i].call, calls[i].os_errno, nth)) {
            nth += 1 + nth / 4;
        }
    }
    stet__buf_deinit(&due);
    free_reference(&ref);
}

/* The one thing that a rescue must not do is harm. */
static void test_the_damaged_store_is_not_touched(void **state)
{
    (void)state;
    reference ref;
    stet_salvage_report r;
    make_reference(&ref, false);
    for (size_t i = 0; i < ref.name_count; i++) {
        damage d = {ref.names[i], 4096, 4200};
        memdisk *disk = memdisk_copy(ref.disk);
        flip(&ref, disk, &d);
        memdisk *before = memdisk_copy(disk);
        check_salvage(&ref, disk, &d, &r);
        for (size_t k = 0; k < ref.name_count; k++) {
            size_t len = 0;
            size_t len_before = 0;
            const uint8_t *a = memdisk_bytes(disk, ref.names[k], &len);
            const uint8_t *b = memdisk_bytes(before, ref.names[k], &len_before);
            assert_int_equal(len, len_before);
            assert_memory_equal(a, b, len);
        }
        memdisk_destroy(before);
        memdisk_destroy(disk);
    }
    free_reference(&ref);
}

/*
 * Four states of "m0" at the positions 1 to 4, of which first two and then all
 * but the newest were erased, at 5 and 6; each in a frame of W bytes. The frame
 * of one position is damaged before it is salvaged.
 */
static stet *save_erased(memdisk *disk, uint64_t damaged,
                         stet_salvage_report *report)
{
    char text[32];
    stet_error err = {0};
    stet_salvage_opts opts = {.struct_size = sizeof opts};
    memdisk_add_folder(disk, "saved");
    stet *s = open_store(disk, "d");
    for (int i = 1; i <= 4; i++) {
        (void)snprintf(text, sizeof text, "{\"secret\":%d}", i);
        must(stet_save(s, stet_str("m0"), stet_str(text), NULL, NULL, &err),
             &err);
    }
    must(stet_erase(s, stet_str("m0"), 0, 2, &err), &err);
    must(stet_erase(s, stet_str("m0"), 0, 3, &err), &err);
    must(stet_close(s, &err), &err);
    size_t len = 0;
    memdisk_bytes(disk, "1.seg", &len)[damaged * STET_W + 100] ^= 1;
    must(stet__salvage_on(memdisk_os(disk), "d", "saved", &opts, report, &err),
         &err);
    return open_store(disk, "saved");
}

static stet_status load_secret(stet *s, uint64_t seq)
{
    const stet_state *state = NULL;
    stet_read_opts opts = {.struct_size = sizeof opts,
                           .at = {.kind = STET_AT_SEQ, .seq = seq}};
    stet_status st = stet_load(s, stet_str("m0"), &opts, &state, NULL);
    if (st == STET_OK) {
        stet_state_release(state);
    }
    return st;
}

/* A salvage must not undo an erasure whose own record is there. */
static void test_what_was_erased_stays_erased(void **state)
{
    (void)state;
    memdisk *disk = memdisk_create(5);
    stet_salvage_report report = {0};
    stet *s = save_erased(disk, 5, &report);
    assert_int_equal(report.lost + report.unreadable, 1);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        assert_int_equal(load_secret(s, seq), STET_E_ERASED);
    }
    assert_int_equal(load_secret(s, 4), STET_OK);
    stet_error err = {0};
    must(stet_compact(s, &err), &err);
    must(stet_verify(s, NULL, NULL, NULL, &err), &err);
    must(stet_close(s, &err), &err);
    memdisk_destroy(disk);
}

/* Nor one that came before another whose record is lost, which is told. */
static void test_a_lost_erasure_takes_no_other_with_it(void **state)
{
    (void)state;
    memdisk *disk = memdisk_create(5);
    stet_salvage_report report = {0};
    stet *s = save_erased(disk, 6, &report);
    assert_int_equal(report.lost, 1);
    assert_int_equal(load_secret(s, 1), STET_E_ERASED);
    assert_int_equal(load_secret(s, 2), STET_E_ERASED);
    assert_int_equal(load_secret(s, 3), STET_OK);
    assert_int_equal(load_secret(s, 4), STET_OK);
    stet_error err = {0};
    must(stet_erase(s, stet_str("m0"), 0, 3, &err), &err);
    must(stet_compact(s, &err), &err);
    assert_int_equal(load_secret(s, 3), STET_E_ERASED);
    must(stet_verify(s, NULL, NULL, NULL, &err), &err);
    must(stet_close(s, &err), &err);
    memdisk_destroy(disk);
}

/* Without both nobody tells which positions its records have. */
static void test_a_set_without_head_and_trailer_is_lost(void **state)
{
    (void)state;
    reference ref;
    stet_salvage_report r;
    make_reference(&ref, true);
    for (size_t i = 0; i < ref.name_count; i++) {
        damage all = {ref.names[i], 0, UINT64_MAX};
        if (strstr(all.name, ".set") == NULL) {
            continue;
        }
        size_t len = 0;
        memdisk *disk = memdisk_copy(ref.disk);
        uint8_t *bytes = memdisk_bytes(disk, all.name, &len);
        bytes[100] ^= 1;
        bytes[len - STET_W + 100] ^= 1;
        check_salvage(&ref, disk, &all, &r);
        assert_int_equal(r.lost, events_in(&ref, all.name));
        memdisk_destroy(disk);
    }
    free_reference(&ref);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sound_store_is_saved_whole),
        cmocka_unit_test(test_a_flipped_byte_costs_what_it_touched),
        cmocka_unit_test(test_a_sector_that_cannot_be_read_costs_no_more),
        cmocka_unit_test(test_a_cut_file_is_saved_up_to_there),
        cmocka_unit_test(test_a_missing_file_costs_what_was_in_it),
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_each_call_may_fail),
        cmocka_unit_test(test_the_damaged_store_is_not_touched),
        cmocka_unit_test(test_what_was_erased_stays_erased),
        cmocka_unit_test(test_a_lost_erasure_takes_no_other_with_it),
        cmocka_unit_test(test_a_set_without_head_and_trailer_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
