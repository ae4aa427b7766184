#include "stores/embedded/salvage.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/checksum.h"
#include "base/error.h"
#include "core/rewrite.h"
#include "stores/embedded/embedded.h"
#include "stores/embedded/names.h"
#include "stores/embedded/salvage_plan.h"
#include "stores/embedded/wreck_walk.h"

enum {
    /* A frame is what one stamp has in common; of stubs no more than that. */
    FRAME_BYTES_MAX = 16 * 1024 * 1024,
    /* Namespace 255: an id that no other salvage has had. */
    UNKNOWN_ID_BYTES = 1 + 16,
};

/* What a stretch has got so far. */
typedef struct given {
    uint64_t count;
    uint64_t position; /* of the last one */
} given;

/* A store being written. */
typedef struct scribe {
    stet_salvage_plan *plan;
    stet_log *log;
    stet_buf records; /* of the frame at hand */
    uint64_t first;   /* its first position */
    uint32_t events;
    int64_t recorded;  /* its stamp */
    uint64_t position; /* of the next record */
    size_t next_lost;
    given *given; /* of each stretch */
    uint8_t unknown_id[UNKNOWN_ID_BYTES];
    uint64_t unknown_seq; /* of the machine with events of unknown ones */
    uint64_t unknown_position;
} scribe;

/* Behind a stub the hash chain begins anew. */
static const uint8_t no_chain[STET_COMMITMENT_BYTES];

/* Frames. */

static stet_status open_frame(scribe *s, stet_frame *out, stet_error *err)
{
    const stet_log_ops *ops = s->log->ops;
    stet_status st = STET_E_BUSY;
    while (st == STET_E_BUSY) {
        st = ops->frame_open(s->log, s->records.len, s->first, out, err);
        if (st == STET_E_BUSY) {
            st = ops->make_room(s->log, s->records.len, err);
            st = st == STET_OK ? STET_E_BUSY : st;
        }
    }
    return st;
}

/* Write the frame at hand; one is in flight at a time, so all is durable. */
static stet_status write_frame(scribe *s, stet_error *err)
{
    const stet_log_ops *ops = s->log->ops;
    stet_frame frame = {0};
    if (s->events == 0) {
        return STET_OK;
    }
    stet_status st = open_frame(s, &frame, err);
    if (st != STET_OK) {
        return st;
    }
    memcpy(frame.records, s->records.ptr, s->records.len);
    frame.recorded = s->recorded;
    ops->frame_close(s->log, &frame, s->records.len, s->events);
    st = ops->frame_seal(s->log, &frame, s->first, err);
    if (st == STET_OK) {
        st = ops->frame_write(s->log, &frame, err);
    }
    bool has_more = true;
    if (st == STET_OK) {
        ops->published(s->log, s->position, s->position);
    }
    while (st == STET_OK && has_more) {
        st = ops->step(s->log, &has_more, NULL, err);
    }
    stet__buf_reset(&s->records);
    s->events = 0;
    return st;
}

/* Have a frame of this stamp to append to. */
static stet_status begin_record(scribe *s, int64_t recorded, stet_error *err)
{
    stet_status st = STET_OK;
    if (s->recorded != recorded || s->records.len > FRAME_BYTES_MAX) {
        st = write_frame(s, err);
    }
    if (s->events == 0) {
        s->first = s->position;
        s->recorded = recorded;
    }
    return st;
}

static stet_status end_record(scribe *s, stet_error *err)
{
    s->events++;
    s->position++;
    return s->records.is_failed
               ? stet__fail(err, STET_E_NOMEM, 0, "no memory to salvage")
               : STET_OK;
}

/* Stubs. */

static void put_stub(scribe *s, const stet_record *r)
{
    size_t tail_max = stet__record_tail_bytes_max(r);
    size_t begin = s->records.len;
    uint8_t *room =
        stet__buf_extend(&s->records, STET_RECORD_HEAD_BYTES_MAX + tail_max);
    if (room == NULL) {
        return;
    }
    uint8_t *tail = room + STET_RECORD_HEAD_BYTES_MAX;
    size_t tail_bytes = stet__record_put_tail(r, tail);
    uint32_t crc = stet__crc32c(0, tail, tail_bytes);
    size_t head_bytes = stet__record_put_head(r, tail_bytes, crc, room);
    memmove(room + head_bytes, tail, tail_bytes);
    s->records.len = begin + head_bytes + tail_bytes;
}

/* The event that was lost here, of which machine and seq nobody can tell. */
static void put_unknown(scribe *s, stet_record *r)
{
    r->ns = STET_STORE_NAMESPACE;
    r->id = stet_slice_of(s->unknown_id, sizeof s->unknown_id);
    r->seq = ++s->unknown_seq;
    r->back = s->unknown_position == 0 ? 0 : s->position - s->unknown_position;
    s->unknown_position = s->position;
}

/* The one that is known to have been here, or near. */
static void put_known(scribe *s, uint32_t idx, stet_record *r)
{
    const stet_stretch *stretch = &stet__salvage_stretches(s->plan)[idx];
    given *g = &s->given[idx];
    uint64_t before = g->count == 0 ? stretch->above : g->position;
    r->ns = stretch->key.ns;
    r->id = stretch->key.id;
    r->seq = stretch->first_seq + g->count++;
    r->back = before == 0 ? 0 : s->position - before;
    if (r->seq == stretch->parent_seq + 1 && stretch->parent_seq > 0) {
        r->kind = STET_EVENT_FORKED;
        r->tags |= 1U << STET_TAG_PARENT;
        r->parent_seq = stretch->parent_seq;
        r->parent_ns = stretch->parent.ns;
        r->parent_id = stretch->parent.id;
    }
    r->depth = stretch->last_seq - r->seq;
    r->chain_after.len = r->depth == 0 ? r->chain_after.len : 0;
    r->occurred_delta =
        (int64_t)((uint64_t)stretch->occurred_max - (uint64_t)s->recorded);
    g->position = s->position;
}

/* What is there on one look may not be on the next, where a disk dies. */
static stet_status check_lost(const scribe *s, stet_error *err)
{
    return s->plan->fates[s->position] == STET_SALVAGE_LOST
               ? STET_OK
               : stet__fail(err, STET_E_IO, 0,
                            "position %" PRIu64 " cannot be read any more",
                            s->position);
}

static stet_status write_lost(scribe *s, int64_t recorded, stet_error *err)
{
    stet_status st = check_lost(s, err);
    if (st == STET_OK) {
        st = begin_record(s, recorded, err);
    }
    if (st != STET_OK) {
        return st;
    }
    stet_record r = {
        .kind = STET_EVENT_APPENDED,
        .flags = STET_RECORD_BATCH_FIRST | STET_RECORD_BATCH_LAST,
        .form = STET_BODY_NONE,
        .tags = 1U << STET_TAG_DROPPED,
        .chain_after = stet_slice_of(no_chain, sizeof no_chain),
    };
    uint32_t idx = s->plan->places[s->next_lost++];
    if (idx == STET_MISSING_NONE) {
        put_unknown(s, &r);
    } else {
        put_known(s, idx, &r);
    }
    put_stub(s, &r);
    return end_record(s, err);
}

/*
 * Write stubs up to `position`, whose stamp is `next`. Stamps rise from frame
 * to frame: what was lost gets one between those of its neighbours.
 */
static stet_status write_gap(scribe *s, uint64_t position, int64_t next,
                             stet_error *err)
{
    bool is_first = s->position == 1;
    int64_t stamp = is_first ? next - 1 : s->recorded + 1;
    if (!is_first && stamp >= next) {
        stamp = s->recorded;
    }
    stet_status st = STET_OK;
    while (st == STET_OK && s->position < position) {
        bool is_full = s->records.len > FRAME_BYTES_MAX;
        stamp += is_full && stamp + 1 < next;
        st = write_lost(s, stamp, err);
    }
    return st;
}

/* Records that are there. */

static stet_status write_record(scribe *s, const stet_logged *l,
                                stet_error *err)
{
    if (s->plan->fates[l->position] == STET_SALVAGE_LOST) {
        return STET_OK; /* it was left: a stub takes its place */
    }
    stet_status st = write_gap(s, l->position, l->recorded, err);
    if (st == STET_OK) {
        st = begin_record(s, l->recorded, err);
    }
    if (st != STET_OK) {
        return st;
    }
    if (s->plan->fates[l->position] != STET_SALVAGE_UNREADABLE) {
        stet__buf_put_slice(&s->records, l->bytes);
    } else {
        st = stet__rewrite_dropped(l->bytes, 0, no_chain, &s->records, err);
    }
    return st == STET_OK ? end_record(s, err) : st;
}

static stet_status write_all(scribe *s, stet_error *err)
{
    stet_wreck_walk k;
    stet_logged l;
    stet__wreck_walk_init(&k, s->plan->w, false);
    stet_status st = stet__wreck_walk_next(&k, &l, err);
    while (st == STET_OK) {
        st = write_record(s, &l, err);
        if (st == STET_OK) {
            st = stet__wreck_walk_next(&k, &l, err);
        }
    }
    stet__wreck_walk_deinit(&k);
    st = st == STET_DONE ? STET_OK : st;
    if (st == STET_OK) {
        int64_t next = s->position == 1 ? 1 : INT64_MAX;
        st = write_gap(s, s->plan->w->end, next, err);
    }
    return st == STET_OK ? write_frame(s, err) : st;
}

/* The new store. */

typedef struct look {
    char name[STET_OS_NAME_MAX];
} look;

static bool take_name(void *ctx, const char *name)
{
    look *l = ctx;
    size_t len = strlen(name);
    len = len < sizeof l->name ? len : sizeof l->name - 1;
    memcpy(l->name, name, len);
    return false; /* one is enough */
}

/* Nothing may be there that could be mistaken for what was salvaged. */
static stet_status check_target(stet_os *os, const char *to, stet_error *err)
{
    look l = {{0}};
    int dir = os->dir_open(os, to, false);
    if (dir == -ENOENT) {
        return STET_OK;
    }
    if (dir == -ENOTDIR) {
        return stet__fail(err, STET_E_EXISTS, 0, "%s is no folder", to);
    }
    int rc = dir < 0 ? dir : os->list(os, dir, take_name, &l);
    if (dir >= 0) {
        (void)os->close(os, dir);
    }
    if (rc < 0) {
        return stet__os_fail(err, rc, "list %s", to);
    }
    return l.name[0] == '\0'
               ? STET_OK
               : stet__fail(err, STET_E_EXISTS, 0,
                            "%s is not empty (it holds %s)", to, l.name);
}

static stet_status write_store(scribe *s, const char *to,
                               const stet_log_config *config, stet_error *err)
{
    const stet_allocator *alloc = config->alloc;
    size_t room = s->plan->stretches.len / sizeof(stet_stretch) + 1;
    stet_log_start start;
    s->given = stet__alloc_zeroed(alloc, room, sizeof *s->given);
    stet_status st =
        s->given == NULL
            ? stet__fail(err, STET_E_NOMEM, 0, "no memory to salvage")
            : stet__embedded_driver.open(to, config, &s->log, &start, err);
    if (st == STET_OK) {
        st = write_all(s, err);
        stet_status closed = s->log->ops->close(s->log, st == STET_OK,
                                                st == STET_OK ? err : NULL);
        st = st == STET_OK ? closed : st;
    }
    stet__free(alloc, s->given, room * sizeof *s->given);
    return st == STET_OK ? st : stet__wrap(err, st, "write %s", to);
}

static stet_status draw_id(scribe *s, stet_os *os, stet_error *err)
{
    s->unknown_id[0] = STET_NOBODYS_ID;
    int rc = os->random(os, s->unknown_id + 1, sizeof s->unknown_id - 1);
    return rc < 0 ? stet__os_fail(err, rc, "draw an id") : STET_OK;
}

stet_status stet__embedded_salvage(const char *from, const char *to,
                                   const stet_log_config *config,
                                   const stet_salvage_opts *opts,
                                   stet_salvage_report *report, stet_error *err)
{
    stet_wreck w = {.os = config->os,
                    .alloc = config->alloc,
                    .opts = opts,
                    .report = report};
    stet_salvage_plan plan;
    scribe s = {.plan = &plan, .position = 1};
    stet_status st = check_target(config->os, to, err);
    if (st != STET_OK) {
        return st;
    }
    stet__buf_init(&s.records, config->alloc);
    st = stet__wreck_open(&w, from, err);
    if (st == STET_OK) {
        st = stet__salvage_plan(&plan, &w, err);
        if (st == STET_OK) {
            st = draw_id(&s, config->os, err);
        }
        if (st == STET_OK) {
            st = write_store(&s, to, config, err);
        }
        stet__salvage_plan_deinit(&plan);
    }
    stet__wreck_close(&w);
    stet__buf_deinit(&s.records);
    return st;
}
