#include "engine/load.h"

#include <inttypes.h>

#include "base/error.h"
#include "base/mark.h"
#include "core/image.h"
#include "engine/before.h"
#include "engine/checkpoint.h"
#include "engine/deferred.h"
#include "engine/lost.h"
#include "engine/options.h"
#include "engine/replay.h"

stet_status stet__read_opts(const stet_read_opts *opts, stet_read_opts *out,
                            stet_error *err)
{
    stet_status st = stet__options_copy(opts, sizeof(*out), out, err);
    if (st != STET_OK) {
        return st;
    }
    if (out->at.kind < STET_AT_NEWEST || out->at.kind > STET_AT_CHECKPOINT) {
        return stet__fail(err, STET_E_INVALID, 0, "point of kind %d",
                          (int)out->at.kind);
    }
    if (out->with_deferred && out->at.kind != STET_AT_NEWEST) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "deferred writes show with the newest state only");
    }
    return STET_OK;
}

stet_status stet__not_there(stet_machine_key key, stet_error *err)
{
    return stet__fail(err, STET_E_NOT_FOUND, 0, "%s is not there",
                      stet__id_text(key.id).text);
}

/* ---- points ---- */

/* Turn a point into a bound on one scale; checkpoints were resolved before. */
static stet_status bound_of(stet *s, const stet_at *at, uint64_t watermark,
                            stet_bound *out, stet_error *err)
{
    *out = (stet_bound){STET_BY_POSITION, watermark - 1, 0};
    switch (at->kind) {
    case STET_AT_NEWEST:
    case STET_AT_CHECKPOINT:
        return STET_OK;
    case STET_AT_SEQ:
        *out = (stet_bound){STET_BY_SEQ, at->seq, 0};
        return STET_OK;
    case STET_AT_TIME:
        *out = (stet_bound){STET_BY_OCCURRED, 0, at->time};
        return STET_OK;
    case STET_AT_RECORDED:
        return s->log->ops->at_recorded(s->log, at->time, watermark,
                                        &out->value, err);
    case STET_AT_POSITION:
        out->value = at->seq < watermark ? at->seq : watermark - 1;
        return STET_OK;
    }
    return STET_E_INVALID;
}

static stet_status nothing_there(stet_machine_key key, const stet_at *at,
                                 stet_error *err)
{
    stet_id_text id = stet__id_text(key.id);
    switch (at->kind) {
    case STET_AT_NEWEST:
        return stet__not_there(key, err);
    case STET_AT_SEQ:
        return stet__fail(err, STET_E_NOT_FOUND, 0, "%s has no seq %llu",
                          id.text, (unsigned long long)at->seq);
    case STET_AT_TIME:
    case STET_AT_RECORDED:
    case STET_AT_POSITION:
    case STET_AT_CHECKPOINT:
        return stet__fail(err, STET_E_NOT_FOUND, 0,
                          "%s was not there at that point", id.text);
    }
    return STET_E_NOT_FOUND;
}

stet_status stet__find_point(stet *s, stet_machine_key key, const stet_at *at,
                             uint64_t watermark, stet_point *out,
                             stet_error *err)
{
    stet_at plain = *at;
    if (at->kind == STET_AT_CHECKPOINT) {
        stet_status st =
            stet__checkpoint_resolve(s, key, at->name, &plain, err);
        if (st != STET_OK) {
            return st;
        }
    }
    stet_bound bound;
    stet_status st = bound_of(s, &plain, watermark, &bound, err);
    if (st != STET_OK) {
        return st;
    }
    if (bound.dimension != STET_BY_OCCURRED && bound.value == 0) {
        return nothing_there(key, at, err);
    }
    st = s->log->ops->seek(s->log, key, bound, watermark, out, err);
    if (st == STET_E_NOT_FOUND ||
        (st == STET_OK && plain.kind == STET_AT_SEQ && out->seq != plain.seq)) {
        return nothing_there(key, at, err);
    }
    return st;
}

/* ---- states ---- */

static stet_status replay(stet *s, const stet_replay_of *of, stet_replayed *out,
                          stet_error *err)
{
    stet_bench *bench = stet__bench_take(&s->benches);
    if (bench == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "load of %s",
                          stet__id_text(of->key.id).text);
    }
    stet_status st = stet__replay(s, bench, of, out, err);
    stet__bench_give(&s->benches, bench);
    return st;
}

/* A state that is in memory but not folded: fold it and keep it. */
static stet_status fold_resident(stet *s, stet_entry *e, stet_found f,
                                 stet_box **out, stet_error *err)
{
    stet_replayed r = {0};
    stet_replay_of of = {.key = stet__entry_key(e),
                         .point = f.head,
                         .anchor = f.box,
                         .is_as_stored = true};
    stet_status st = replay(s, &of, &r, err);
    if (st == STET_OK) {
        stet__table_attach(&s->table, e, f.head.position, r.box);
        *out = r.box;
    }
    return st;
}

/* A state that an older head has: make it this head's own and keep it. */
static stet_status carry_resident(stet *s, stet_entry *e, const stet_found *f,
                                  const stet_stamp *stamp, stet_box **out,
                                  stet_error *err)
{
    stet_box *box = stet__carry(&s->table, f, stamp);
    if (box == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "load of %s",
                          stet__id_text(stet__entry_key(e).id).text);
    }
    stet__table_attach(&s->table, e, f->head.position, box);
    *out = box;
    return STET_OK;
}

/* The machine has no state: it was deleted, or its newest event is lost. */
static stet_status not_alive(stet *s, stet_machine_key key, stet_point head,
                             stet_error *err)
{
    stet_logged l = {0};
    stet_record r = {0};
    size_t bytes = 0;
    stet_bench *bench = stet__bench_take(&s->benches);
    stet_status st =
        bench == NULL
            ? STET_E_NOMEM
            : s->log->ops->reader_read(bench->reader, head.position, &l, NULL);
    if (st == STET_OK) {
        st = stet__record_parse(l.bytes, &r, &bytes, NULL);
    }
    bool is_lost = st == STET_OK && stet__record_is_dropped(&r);
    stet__bench_give(&s->benches, bench);
    return is_lost
               ? stet__fail(err, STET_E_GONE, 0,
                            "seq %" PRIu64 " of %s, its newest, was dropped",
                            head.seq, stet__id_text(key.id).text)
               : stet__not_there(key, err);
}

static stet_status lend_once(stet *s, stet_entry *e, stet_box **out,
                             stet_error *err)
{
    stet_stamp stamp;
    stet_found f = stet__table_peek(&s->table, e, &stamp);
    stet_status st = STET_OK;
    switch (f.lookup) {
    case STET_LOOKUP_STATE:
        *out = stet__box_ref(f.box);
        break;
    case STET_LOOKUP_CARRIED:
        st = carry_resident(s, e, &f, &stamp, out, err);
        break;
    case STET_LOOKUP_UNFOLDED:
        st = fold_resident(s, e, f, out, err);
        break;
    case STET_LOOKUP_DELETED:
        st = not_alive(s, stet__entry_key(e), f.head, err);
        break;
    case STET_LOOKUP_ABSENT:
    case STET_LOOKUP_NONE:
        st = stet__not_there(stet__entry_key(e), err);
        break;
    }
    stet__box_unref(f.box);
    return st;
}

/* Lend the newest durable state of a resident machine. */
static stet_status lend(stet *s, stet_entry *e, stet_box **out, stet_error *err)
{
    stet_status st = STET_E_GONE;
    /* It was the newest when it was looked for. */
    for (int tries = 0; st == STET_E_GONE && tries < STET_REPLAY_TRIES;
         tries++) {
        st = lend_once(s, e, out, err);
    }
    return st;
}

/* Make a machine resident and lend its newest durable state from there. */
static stet_status load_resident(stet *s, stet_machine_key key, stet_box **out,
                                 stet_error *err)
{
    stet_bench *bench = stet__bench_take(&s->benches);
    if (bench == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "load of %s",
                          stet__id_text(key.id).text);
    }
    stet_entry *e = NULL;
    stet_status st = stet__resident(s, bench, key, &e, err);
    stet__bench_give(&s->benches, bench);
    if (st != STET_OK) {
        return st;
    }
    st = lend(s, e, out, err);
    stet__table_unpin(&s->table, e);
    return st;
}

/* Replay what a point names, as readers below `watermark` see it. */
static stet_status load_past(stet *s, stet_machine_key key, const stet_at *at,
                             uint64_t watermark, stet_box **out,
                             stet_error *err)
{
    stet_point point = {0};
    stet_status st = stet__find_point(s, key, at, watermark, &point, err);
    if (st != STET_OK) {
        return st;
    }
    stet_replayed r = {0};
    stet_replay_of of = {.key = key, .point = point};
    st = replay(s, &of, &r, err);
    if (st != STET_OK) {
        return st;
    }
    if (r.is_deleted) {
        return nothing_there(key, at, err);
    }
    *out = r.box;
    return STET_OK;
}

/*
 * The newest state of one of the store's own machines, beside the table:
 * whoever reads a history by the names of checkpoints evicts nothing.
 */
static stet_status load_own(stet *s, stet_machine_key key, stet_box **out,
                            stet_error *err)
{
    uint64_t watermark = stet__watermark(&s->pipeline);
    stet_at newest = {.kind = STET_AT_POSITION, .seq = watermark - 1};
    return load_past(s, key, &newest, watermark, out, err);
}

static stet_status load_counted(stet *s, stet_machine_key key, uint64_t hash,
                                stet_box **out, stet_error *err)
{
    stet_found f = stet__table_load(&s->table, key, hash);
    switch (f.lookup) {
    case STET_LOOKUP_STATE:
        *out = f.box;
        return STET_OK;
    case STET_LOOKUP_NONE:
        return stet__not_there(key, err);
    case STET_LOOKUP_DELETED:
        return not_alive(s, key, f.head, err);
    case STET_LOOKUP_UNFOLDED:
    case STET_LOOKUP_CARRIED:
    case STET_LOOKUP_ABSENT:
        break;
    }
    stet__box_unref(f.box);
    if (f.lookup == STET_LOOKUP_ABSENT && key.ns == STET_STORE_NAMESPACE) {
        return load_own(s, key, out, err);
    }
    stet_status st = load_resident(s, key, out, err);
    if (f.lookup == STET_LOOKUP_ABSENT) {
        stet_entry_counts more = {.loads = 1, .misses = 1};
        stet__table_count(&s->table, key, &more);
    }
    return st;
}

static stet_status load_newest(stet *s, stet_machine_key key, stet_box **out,
                               stet_error *err)
{
    uint64_t hash = stet__machine_hash(key);
    bool is_timed = key.ns != STET_STORE_NAMESPACE &&
                    stet__table_is_load_timed(&s->table, hash);
    int64_t begun = is_timed ? s->os->monotonic(s->os) : 0;
    stet_status st = load_counted(s, key, hash, out, err);
    if (is_timed) {
        stet__metrics_loaded(s, key, hash, begun);
    }
    return st;
}

stet_status stet__load(stet *s, stet_machine_key key, const stet_at *at,
                       stet_box **out, stet_error *err)
{
    return at->kind == STET_AT_NEWEST
               ? load_newest(s, key, out, err)
               : load_past(s, key, at, stet__watermark(&s->pipeline), out, err);
}

/*
 * Load the newest state below a watermark that may have moved on: from memory,
 * where the machine has not changed since.
 */
static stet_status load_newest_below(stet *s, stet_machine_key key,
                                     uint64_t watermark, stet_box **out,
                                     stet_error *err)
{
    stet_box *box = NULL;
    stet_status st = load_newest(s, key, &box, err);
    if (st == STET_OK && box->view.position < watermark) {
        *out = box;
        return STET_OK;
    }
    if (st != STET_OK && (st != STET_E_NOT_FOUND ||
                          stet__watermark(&s->pipeline) == watermark)) {
        return st;
    }
    STET_MARK("load.moved_on");
    stet__box_unref(box);
    stet__error_reset(err);
    stet_at then = {.kind = STET_AT_POSITION, .seq = watermark - 1};
    return load_past(s, key, &then, watermark, out, err);
}

/* ---- public ---- */

static void count_history_load(stet *s, const stet_at *at)
{
    if (at->kind != STET_AT_NEWEST) {
        /* Relaxed: a number to look at. */
        atomic_fetch_add_explicit(&s->counters.history_loads, 1,
                                  memory_order_relaxed);
    }
}

/* A state that waits to be written, which counts as a hit; or NULL. */
static stet_box *take_deferred(stet *s, stet_machine_key key)
{
    stet_box *box = stet__deferred_state(s, key);
    if (box != NULL) {
        stet__table_count_hit(&s->table, key);
    }
    return box;
}

stet_status stet_load(stet *s, stet_slice id, const stet_read_opts *opts,
                      const stet_state **out, stet_error *err)
{
    stet__error_reset(err);
    stet_read_opts o;
    stet_status st = stet__read_opts(opts, &o, err);
    if (st == STET_OK) {
        st = stet__id_check(id, o.ns, err);
    }
    if (st != STET_OK) {
        return st;
    }
    stet_machine_key key = {id, o.ns};
    stet_box *box = o.with_deferred ? take_deferred(s, key) : NULL;
    if (box == NULL) {
        count_history_load(s, &o.at);
        st = stet__load(s, key, &o.at, &box, err);
    }
    if (st == STET_OK) {
        *out = &box->view;
    }
    return stet__metrics_note(s, st);
}

/* Take back the states lent so far. */
static void lend_nothing(const stet_state **out, size_t lent, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i < lent) {
            stet_state_release(out[i]);
        }
        out[i] = NULL;
    }
}

/* Load one of many; `*out` is NULL where it is not found. */
static stet_status load_one(stet *s, stet_machine_key key,
                            const stet_read_opts *o, uint64_t watermark,
                            const stet_state **out, stet_error *err)
{
    *out = NULL;
    stet_box *box = NULL;
    stet_status st = stet__id_check(key.id, key.ns, err);
    if (st == STET_OK && o->with_deferred) {
        box = take_deferred(s, key);
    }
    if (st == STET_OK && box == NULL) {
        count_history_load(s, &o->at);
        st = o->at.kind == STET_AT_NEWEST
                 ? load_newest_below(s, key, watermark, &box, err)
                 : load_past(s, key, &o->at, watermark, &box, err);
    }
    if (st == STET_OK) {
        *out = &box->view;
    }
    return st == STET_E_NOT_FOUND ? STET_OK : st;
}

stet_status stet_load_many(stet *s, const stet_slice *ids, size_t count,
                           const stet_read_opts *opts, const stet_state **out,
                           stet_error *err)
{
    stet__error_reset(err);
    stet_read_opts o;
    uint64_t watermark = stet__watermark(&s->pipeline);
    stet_status st = stet__read_opts(opts, &o, err);
    size_t lent = 0;
    while (st == STET_OK && lent < count) {
        stet_machine_key key = {ids[lent], o.ns};
        st = load_one(s, key, &o, watermark, &out[lent], err);
        lent += st == STET_OK;
    }
    if (st != STET_OK) {
        lend_nothing(out, lent, count);
        return stet__metrics_note(s, st);
    }
    stet__error_reset(err); /* of what was not found */
    return STET_OK;
}

/* Was the record at a point a deletion? */
static stet_status check_alive(stet *s, stet_machine_key key, stet_point point,
                               const stet_at *at, stet_error *err)
{
    stet_bench *bench = stet__bench_take(&s->benches);
    if (bench == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "look-up");
    }
    stet_logged l = {0};
    stet_record r = {0};
    size_t bytes = 0;
    stet_status st =
        s->log->ops->reader_read(bench->reader, point.position, &l, err);
    if (st == STET_OK) {
        st = stet__record_parse(l.bytes, &r, &bytes, err);
    }
    bool is_deleted = st == STET_OK && r.kind == STET_EVENT_DELETED;
    if (st == STET_OK) {
        st = stet__lost_check(s, key, &r, err);
    }
    stet__bench_give(&s->benches, bench);
    return is_deleted ? nothing_there(key, at, err) : st;
}

stet_status stet__find_alive(stet *s, stet_machine_key key, const stet_at *at,
                             uint64_t watermark, stet_point *out,
                             stet_error *err)
{
    stet_point point = {0};
    stet_status st = stet__find_point(s, key, at, watermark, &point, err);
    if (st == STET_OK) {
        st = check_alive(s, key, point, at, err);
    }
    if (st == STET_OK) {
        *out = point;
    }
    return st;
}

stet_status stet_exists(stet *s, stet_slice id, const stet_read_opts *opts,
                        uint64_t *out_seq, stet_error *err)
{
    stet__error_reset(err);
    stet_read_opts o;
    stet_status st = stet__read_opts(opts, &o, err);
    if (st == STET_OK) {
        st = stet__id_check(id, o.ns, err);
    }
    if (st != STET_OK) {
        return st;
    }
    stet_machine_key key = {id, o.ns};
    uint64_t watermark = stet__watermark(&s->pipeline);
    stet_point point = {0};
    stet_found f = {.lookup = STET_LOOKUP_ABSENT};
    stet_box *waits = o.with_deferred ? stet__deferred_state(s, key) : NULL;
    if (waits != NULL) {
        f.lookup = STET_LOOKUP_STATE;
        point.seq = waits->view.seq;
        stet__box_unref(waits);
    } else if (o.at.kind == STET_AT_NEWEST) {
        f = stet__table_find(&s->table, key);
        stet__box_unref(f.box);
        point = f.head;
    }
    if (f.lookup == STET_LOOKUP_NONE || f.lookup == STET_LOOKUP_DELETED) {
        return stet__not_there(key, err);
    }
    if (f.lookup == STET_LOOKUP_ABSENT) {
        st = stet__find_alive(s, key, &o.at, watermark, &point, err);
    }
    if (st == STET_OK && out_seq != NULL) {
        *out_seq = point.seq;
    }
    return st;
}
