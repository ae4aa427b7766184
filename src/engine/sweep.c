#include "engine/sweep.h"

#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/mark.h"
#include "core/image.h"
#include "engine/replay.h"

/* What a record may say that changes more of a state than its bytes. */
#define TAGS_OF_STATE                                                          \
    ((1u << STET_TAG_CHECK) | (1u << STET_TAG_TO) |                            \
     (1u << STET_TAG_STATE_TYPE) | (1u << STET_TAG_VERSION) |                  \
     (1u << STET_TAG_MACHINE_METADATA))

/* A machine on the way. */
typedef struct swept {
    stet_machine_key key; /* its id lies behind this */
    uint64_t seq;         /* of the record folded last; 0: none yet */
    uint64_t position;    /* the same one's */
    uint64_t folded;
    stet_box *box; /* the state after it; NULL: deleted */
    bool is_left;  /* it is passed over from here on */
} swept;

/* A record as the walk gives it. */
typedef struct passing {
    stet_record record;
    uint64_t position;
    uint64_t before; /* position of its lineage's record before it */
    int64_t occurred;
} passing;

/* ---- what is kept ---- */

static bool is_same(const void *item, const void *key)
{
    return stet__machine_key_eq(((const swept *)item)->key,
                                *(const stet_machine_key *)key);
}

static swept *find(const stet_sweep *w, stet_machine_key key)
{
    return stet__map_find(&w->machines, stet__machine_hash(key), &key, is_same);
}

static size_t weight_of(const stet_box *box)
{
    return box == NULL ? 0 : stet__box_weight(box);
}

/* Keep `box` (a reference that is taken over; NULL: none) as the state. */
static void keep(stet_sweep *w, swept *m, stet_box *box)
{
    w->bytes = w->bytes - weight_of(m->box) + weight_of(box);
    stet__box_unref(m->box);
    m->box = box;
}

static void leave(stet_sweep *w, swept *m)
{
    STET_MARK("sweep.left_out");
    keep(w, m, NULL);
    m->is_left = true;
}

static size_t bytes_of(const swept *m)
{
    return sizeof(*m) + m->key.id.len;
}

/* Make room for a machine whose first record passes; NULL in `*out`: none. */
static stet_status admit(stet_sweep *w, stet_machine_key key, swept **out,
                         stet_error *err)
{
    size_t bytes = sizeof(swept) + key.id.len;
    *out = NULL;
    if (w->bytes + bytes > w->s->opts.cache_bytes) {
        return STET_OK;
    }
    swept *m = stet__alloc(&w->s->alloc, bytes);
    if (m == NULL || !stet__map_reserve(&w->machines)) {
        stet__free(&w->s->alloc, m, bytes);
        return stet__fail(err, STET_E_NOMEM, 0, "states of all machines");
    }
    memcpy(m + 1, key.id.ptr, key.id.len);
    *m = (swept){.key = {stet_slice_of(m + 1, key.id.len), key.ns}};
    stet__map_put(&w->machines, stet__machine_hash(m->key), m);
    w->bytes += bytes;
    *out = m;
    return STET_OK;
}

/* ---- folding ---- */

static bool has(const stet_record *r, stet_record_tag tag)
{
    return (r->tags & (1u << tag)) != 0;
}

/* Get (one reference) the state that a fork begins with. */
static stet_status state_of_parent(stet_sweep *w, const passing *p,
                                   stet_box **out, stet_error *err)
{
    const stet_record *r = &p->record;
    stet_machine_key key = {r->parent_id, r->parent_ns};
    const swept *parent = find(w, key);
    if (parent != NULL && !parent->is_left && parent->seq == r->parent_seq &&
        parent->position == p->before && parent->box != NULL) {
        *out = stet__box_ref(parent->box);
        return STET_OK;
    }
    stet_bench *bench = stet__bench_take(&w->s->benches);
    if (bench == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "state of a parent");
    }
    stet_replay_of of = {.key = key,
                         .point = {r->parent_seq, p->before, 0},
                         .is_as_stored = true};
    stet_replayed replayed = {0};
    stet_status st = stet__replay(w->s, bench, &of, &replayed, err);
    stet__bench_give(&w->s->benches, bench);
    *out = replayed.box;
    return st;
}

/* Does the record leave the state's bytes as they are? */
static bool leaves_bytes(const stet_record *r)
{
    return r->form == STET_BODY_NONE && (r->flags & STET_RECORD_BASE) == 0;
}

/* Fold a record onto a state (NULL: nothing) that is borrowed. */
static stet_status fold_onto(stet_sweep *w, const passing *p, stet_box *before,
                             stet_box **out, stet_error *err)
{
    const stet_record *r = &p->record;
    bool is_lent = before != NULL && leaves_bytes(r);
    if (is_lent && (r->tags & TAGS_OF_STATE) == 0) {
        *out = stet__box_ref(before);
        return STET_OK;
    }
    stet_folding f;
    stet_machine_key key = {r->id, r->ns};
    stet__folding_init(&f, w->s, w->bench, key, before);
    stet_status st = stet__folding_step(&f, r, p->occurred, err);
    if (st != STET_OK) {
        return st;
    }
    f.parts.lender = is_lent ? before : NULL;
    return stet__folding_box(&f, out, err);
}

/* Does it follow what was folded last of its machine? */
static bool follows(const swept *m, const passing *p)
{
    const stet_record *r = &p->record;
    if (m->seq == 0) {
        return has(r, STET_TAG_PARENT) ? r->seq == r->parent_seq + 1
                                       : r->seq == 1;
    }
    return r->seq == m->seq + 1 && p->before == m->position &&
           !has(r, STET_TAG_PARENT);
}

static stet_status fold(stet_sweep *w, swept *m, const passing *p,
                        stet_error *err)
{
    stet_box *parents = NULL;
    stet_box *box = NULL;
    stet_status st = STET_OK;
    if (!follows(m, p)) {
        return STET_E_CORRUPT;
    }
    bool is_whole = stet__record_is_whole(&p->record);
    if (m->seq == 0 && is_whole && has(&p->record, STET_TAG_PARENT) &&
        (p->record.flags & STET_RECORD_BASE) == 0) {
        st = state_of_parent(w, p, &parents, err);
    }
    if (st == STET_OK && is_whole) {
        st = fold_onto(w, p, m->seq == 0 ? parents : m->box, &box, err);
    }
    stet__box_unref(parents);
    if (st != STET_OK) {
        return st;
    }
    keep(w, m, box);
    m->seq = p->record.seq;
    m->position = p->position;
    m->folded++;
    return STET_OK;
}

/* ---- the walk ---- */

stet_status stet__sweep_init(stet_sweep *w, stet *s, uint64_t below,
                             stet_error *err)
{
    *w = (stet_sweep){.s = s, .bench = stet__bench_take(&s->benches)};
    stet__map_init(&w->machines, &s->alloc);
    if (w->bench == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "states of all machines");
    }
    return s->log->ops->walk_open(s->log, below, &w->walk, err);
}

void stet__sweep_deinit(stet_sweep *w)
{
    size_t cursor = 0;
    swept *m = NULL;
    while ((m = stet__map_next(&w->machines, &cursor)) != NULL) {
        stet__box_unref(m->box);
        stet__free(&w->s->alloc, m, bytes_of(m));
    }
    stet__map_deinit(&w->machines);
    w->s->log->ops->walk_close(w->walk);
    stet__bench_give(&w->s->benches, w->bench);
}

/*
 * Read the next record. One that cannot be taken apart is passed over: its
 * machine's next one, or its head, does not follow what was folded.
 */
static stet_status read_next(stet_sweep *w, passing *out, stet_error *err)
{
    for (;;) {
        stet_logged l = {0};
        size_t bytes = 0;
        stet_status st = w->s->log->ops->walk_next(w->walk, &l, err);
        if (st != STET_OK) {
            return st;
        }
        st = stet__record_parse(l.bytes, &out->record, &bytes, err);
        if (st == STET_OK) {
            out->position = l.position;
            out->before = l.position - out->record.back;
            out->occurred = stet__record_occurred(&out->record, l.recorded);
            return STET_OK;
        }
        stet__error_reset(err);
    }
}

stet_status stet__sweep_next(stet_sweep *w, bool *out_folded, stet_error *err)
{
    *out_folded = false;
    passing p;
    stet_status st = read_next(w, &p, err);
    if (st != STET_OK) {
        return st;
    }
    const stet_record *r = &p.record;
    stet_machine_key key = {r->id, r->ns};
    swept *m = find(w, key);
    if (m == NULL && (r->seq == 1 || has(r, STET_TAG_PARENT))) {
        st = admit(w, key, &m, err);
    }
    if (st != STET_OK || m == NULL || m->is_left) {
        return st;
    }
    st = fold(w, m, &p, err);
    *out_folded = st == STET_OK;
    if (st == STET_E_NOMEM) {
        return st;
    }
    if (st != STET_OK || w->bytes > w->s->opts.cache_bytes) {
        stet__error_reset(err);
        leave(w, m);
    }
    return STET_OK;
}

stet_swept stet__sweep_of(const stet_sweep *w, const stet_head_entry *head)
{
    const swept *m = find(w, head->key);
    if (m == NULL) {
        return (stet_swept){0};
    }
    STET_ASSERT(m->is_left || m->seq > 0);
    return (stet_swept){
        .folded = m->folded,
        .is_sound =
            !m->is_left && m->seq == head->seq && m->position == head->position,
    };
}
