#include "engine/replay.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/error.h"
#include "core/fold.h"
#include "core/record.h"
#include "engine/lost.h"

enum {
    /* What a packed body or base may unpack to: the most a state can have. */
    STET_UNPACKED_BYTES_MAX = 16 * 1024 * 1024,
};

void stet_output_put(stet_output *out, stet_slice bytes)
{
    stet__buf_put_slice(out->buf, bytes);
}

static const stet_reducer_def *find_reducer(const stet *s, const stet_record *r)
{
    for (size_t i = 0; i < s->opts.reducer_count; i++) {
        const stet_reducer_def *def = &s->reducers[i];
        if (stet__slice_eq(stet_str(def->name), r->reducer_name) &&
            def->version == r->reducer_version) {
            return def;
        }
    }
    return NULL;
}

stet_status stet__callback_answer(stet_status said)
{
    if (said == STET_OK || said == STET_E_NOMEM) {
        return said;
    }
    stet_kind kind = stet_status_kind(said);
    bool is_refusal =
        kind == STET_KIND_CALLER || (kind == STET_KIND_NO && said != STET_DONE);
    return is_refusal ? said : STET_E_INVALID;
}

stet_status stet__reduce(stet *s, const stet_record *r, stet_slice state,
                         stet_buf *out, stet_error *err)
{
    const stet_reducer_def *def = find_reducer(s, r);
    if (def == NULL) {
        return stet__fail(
            err, STET_E_UNSUPPORTED, 0,
            "reducer %.*s version %" PRIu32 " is not registered at open",
            (int)r->reducer_name.len, (const char *)r->reducer_name.ptr,
            r->reducer_version);
    }
    stet_output output = {out};
    stet_status st =
        stet__callback_answer(def->fn(def->ctx, state, r->body, &output));
    if (st == STET_OK && out->is_failed) {
        st = STET_E_NOMEM;
    }
    if (st == STET_OK && out->len > STET_UNPACKED_BYTES_MAX) {
        st = STET_E_TOO_LARGE;
    }
    if (st != STET_OK) {
        return stet__fail(err, st, 0, "reducer %s: %s", def->name,
                          stet_status_text(st));
    }
    return STET_OK;
}

/* ---- folding forwards ---- */

void stet__folding_init(stet_folding *f, stet *s, stet_bench *bench,
                        stet_machine_key key, const stet_box *from)
{
    *f = (stet_folding){.s = s, .bench = bench};
    if (from != NULL) {
        f->parts = stet__box_parts_of(from);
    } else {
        f->is_deleted = true;
    }
    f->parts.id = key.id;
    f->parts.ns = key.ns;
}

/* Take the new state's bytes out of the spare buffer. */
static void adopt_spare(stet_folding *f)
{
    stet_buf full = f->bench->spare;
    f->bench->spare = f->bench->state;
    f->bench->state = full;
    stet__buf_reset(&f->bench->spare);
    f->parts.data = stet__buf_slice(&f->bench->state);
}

/* Make parts.data say what the parsed document says. */
static stet_status flatten(stet_folding *f, stet_error *err)
{
    if (!f->is_parsed) {
        return STET_OK;
    }
    f->is_parsed = false;
    stet__buf_reset(&f->bench->spare);
    stet_status st =
        stet__folder_write(f->bench->folder, &f->bench->spare, err);
    if (st == STET_OK) {
        adopt_spare(f);
    }
    return st;
}

static stet_status unpack(stet_folding *f, stet_slice prefix, stet_slice packed,
                          uint64_t raw_bytes, stet_error *err)
{
    if (raw_bytes > STET_UNPACKED_BYTES_MAX) {
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "a state of %" PRIu64 " bytes; the most is %d",
                          raw_bytes, STET_UNPACKED_BYTES_MAX);
    }
    stet__buf_reset(&f->bench->spare);
    stet_status st = stet__zstd_unpack(f->bench->z, prefix, packed, raw_bytes,
                                       &f->bench->spare, err);
    if (st == STET_OK) {
        adopt_spare(f);
    }
    return st;
}

static stet_status set_state(stet_folding *f, bool is_packed,
                             uint64_t raw_bytes, stet_slice bytes,
                             stet_error *err)
{
    f->is_parsed = false;
    if (!is_packed) {
        f->parts.data = bytes;
        return STET_OK;
    }
    return unpack(f, (stet_slice){NULL, 0}, bytes, raw_bytes, err);
}

static stet_status step_delta(stet_folding *f, const stet_record *r,
                              stet_error *err)
{
    stet_status st = flatten(f, err);
    return st == STET_OK ? unpack(f, f->parts.data, r->body, r->raw_bytes, err)
                         : st;
}

static stet_status step_fold(stet_folding *f, stet_reducer reducer,
                             const stet_record *r, stet_error *err)
{
    if (!f->is_parsed) {
        stet_status st =
            stet__folder_load(f->bench->folder, f->parts.data, err);
        if (st != STET_OK) {
            return st;
        }
        f->is_parsed = true;
    }
    return stet__folder_apply(f->bench->folder, reducer, r->body, err);
}

static stet_status step_custom(stet_folding *f, const stet_record *r,
                               stet_error *err)
{
    stet_status st = flatten(f, err);
    if (st != STET_OK) {
        return st;
    }
    stet__buf_reset(&f->bench->spare);
    st = stet__reduce(f->s, r, f->parts.data, &f->bench->spare, err);
    if (st == STET_OK) {
        adopt_spare(f);
    } else if (st != STET_E_NOMEM && st != STET_E_UNSUPPORTED) {
        /* It took this once. What refuses now is not that reducer. */
        st = stet__wrap(err, STET_E_UNSUPPORTED,
                        "seq %" PRIu64 " cannot be folded again", r->seq);
    }
    return st;
}

static stet_status step_body(stet_folding *f, const stet_record *r,
                             stet_error *err)
{
    if ((r->tags & (1u << STET_TAG_BASE_STATE)) != 0) {
        return set_state(f, r->is_base_packed, r->base_raw_bytes, r->base_state,
                         err);
    }
    if ((r->flags & STET_RECORD_BASE) != 0 && r->form != STET_BODY_WHOLE) {
        return set_state(f, false, 0, (stet_slice){NULL, 0}, err);
    }
    switch (r->form) {
    case STET_BODY_NONE:
        return STET_OK;
    case STET_BODY_WHOLE:
        return set_state(f, r->is_packed, r->raw_bytes, r->body, err);
    case STET_BODY_DELTA:
        return step_delta(f, r, err);
    case STET_BODY_MERGE:
        return step_fold(f, STET_REDUCER_MERGE, r, err);
    case STET_BODY_ASSIGN:
        return step_fold(f, STET_REDUCER_ASSIGN, r, err);
    case STET_BODY_PATCH:
        return step_fold(f, STET_REDUCER_PATCH, r, err);
    case STET_BODY_CUSTOM:
        return step_custom(f, r, err);
    }
    return stet__fail(err, STET_E_CORRUPT, 0, "body form %d", (int)r->form);
}

/* What a record says of the machine besides its state's bytes. */
static void step_names(stet_folding *f, const stet_record *r, int64_t occurred)
{
    stet_box_parts *p = &f->parts;
    if ((r->flags & STET_RECORD_BASE) != 0) {
        p->name = r->base_name;
        p->type = r->base_type;
        p->version = r->base_version;
        p->metadata = r->base_metadata;
        p->created_at = (r->tags & (1u << STET_TAG_CREATED_AT)) != 0
                            ? r->created_at
                            : occurred;
    }
    if ((r->tags & (1u << STET_TAG_TO)) != 0) {
        p->name = r->to;
    }
    if ((r->tags & (1u << STET_TAG_STATE_TYPE)) != 0) {
        p->type = r->state_type;
    }
    if ((r->tags & (1u << STET_TAG_VERSION)) != 0) {
        p->version = r->version;
    }
    if ((r->tags & (1u << STET_TAG_MACHINE_METADATA)) != 0) {
        p->metadata = r->machine_metadata;
    }
}

stet_status stet__folding_step(stet_folding *f, const stet_record *r,
                               int64_t occurred, stet_error *err)
{
    if (f->is_deleted && (r->flags & STET_RECORD_BASE) == 0) {
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "seq %" PRIu64 " has nothing to fold onto", r->seq);
    }
    f->is_deleted = r->kind == STET_EVENT_DELETED;
    stet_status st = step_body(f, r, err);
    if (st != STET_OK) {
        return st;
    }
    step_names(f, r, occurred);
    if ((r->tags & (1u << STET_TAG_CHECK)) == 0) {
        return STET_OK;
    }
    st = flatten(f, err);
    if (st == STET_OK &&
        stet__hash64(f->parts.data.ptr, f->parts.data.len) != r->check) {
        st = stet__fail(err, STET_E_CORRUPT, 0,
                        "the state at seq %" PRIu64
                        " folds to other bytes than were saved",
                        r->seq);
    }
    return st;
}

stet_status stet__folding_box(stet_folding *f, stet_box **out, stet_error *err)
{
    if (f->is_deleted) {
        *out = NULL;
        return STET_OK;
    }
    bool was_folded = f->is_parsed;
    stet_status st = flatten(f, err);
    if (st != STET_OK) {
        return st;
    }
    stet_box *box = stet__box_create(&f->s->alloc, &f->parts);
    if (box == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "state of %zu bytes",
                          f->parts.data.len);
    }
    if (was_folded) {
        /* A fold only ever makes objects. */
        atomic_store_explicit(&box->shape, STET_SHAPE_OBJECT,
                              memory_order_relaxed);
    }
    *out = box;
    return STET_OK;
}

/* ---- reading backwards ---- */

typedef struct link {
    struct link *newer;
    stet_record record;
    int64_t recorded;
    uint64_t position;
    uint32_t file;
    bool is_settled;
    uint64_t offset;
} link;

/* How the name of a record's file ends. */
static const char *suffix_of(bool is_settled)
{
    return is_settled ? "set" : "seg";
}

typedef struct chain {
    stet *s;
    stet_bench *bench;
    stet_machine_key key; /* whose record comes next */
    uint64_t seq;
    uint64_t position;
    link *oldest;
    uint64_t records;
    uint64_t body_bytes;
    uint32_t newest_file;
    uint32_t turns;
} chain;

static chain chain_of(stet *s, stet_bench *bench, const stet_replay_of *of)
{
    return (chain){.s = s,
                   .bench = bench,
                   .seq = of->point.seq,
                   .position = of->point.position};
}

static stet_status mismatch(const chain *c, const stet_logged *l,
                            stet_error *err)
{
    return stet__fail(err, STET_E_CORRUPT, 0,
                      "%" PRIu32 ".%s at offset %" PRIu64 ": not seq %" PRIu64
                      " of %s",
                      l->file, suffix_of(l->is_settled), l->offset, c->seq,
                      stet__id_text(c->key.id).text);
}

/* Read the record at c->position and put it in front of the chain. */
static stet_status read_link(chain *c, stet_error *err)
{
    stet_logged l = {0};
    stet_status st =
        c->s->log->ops->reader_read(c->bench->reader, c->position, &l, err);
    if (st != STET_OK) {
        return st;
    }
    link *k = stet__arena_alloc(&c->bench->arena, sizeof(*k));
    stet_slice bytes = stet__arena_copy(&c->bench->arena, l.bytes);
    if (k == NULL || bytes.ptr == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "read a history");
    }
    size_t record_bytes = 0;
    st = stet__record_parse(bytes, &k->record, &record_bytes, err);
    if (st != STET_OK) {
        return st;
    }
    const stet_record *r = &k->record;
    if (c->oldest == NULL) {
        /* In a fork's inherited part the record is an ancestor's. */
        c->key = (stet_machine_key){r->id, r->ns};
    }
    if (r->ns != c->key.ns || r->seq != c->seq ||
        !stet__slice_eq(r->id, c->key.id)) {
        return mismatch(c, &l, err);
    }
    if (c->oldest == NULL) {
        c->newest_file = l.file;
    } else if (c->oldest->file != l.file) {
        c->turns++;
    }
    k->recorded = l.recorded;
    k->position = c->position;
    k->file = l.file;
    k->is_settled = l.is_settled;
    k->offset = l.offset;
    k->newer = c->oldest;
    c->oldest = k;
    c->records++;
    c->body_bytes += r->body.len;
    return STET_OK;
}

/* Aim the chain at the record before the one it just read. */
static stet_status step_back(chain *c, stet_error *err)
{
    const link *k = c->oldest;
    const stet_record *r = &k->record;
    bool is_fork = (r->tags & (1u << STET_TAG_PARENT)) != 0;
    if (r->back == 0 || r->back >= k->position || r->seq <= 1 ||
        (is_fork && r->parent_seq != r->seq - 1)) {
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "%" PRIu32 ".%s at offset %" PRIu64 ": seq %" PRIu64
                          " has no base before it",
                          k->file, suffix_of(k->is_settled), k->offset, r->seq);
    }
    c->position -= r->back;
    c->seq--;
    if (is_fork) {
        c->key = (stet_machine_key){r->parent_id, r->parent_ns};
    }
    return STET_OK;
}

/* Is the record there that was just read? Behind the point it must be. */
static stet_status check_there(const chain *c, const stet_replay_of *of,
                               stet_error *err)
{
    const link *k = c->oldest;
    if (k->newer == NULL) {
        return of->is_as_stored && stet__record_is_whole(&k->record)
                   ? STET_OK
                   : stet__lost_check(c->s, of->key, &k->record, err);
    }
    return stet__record_is_whole(&k->record) ? STET_OK : STET_E_BUSY;
}

/*
 * A fold needs what was taken. A settle that took it since the newer records
 * were read left a base among them: read them again. Else it is damage.
 */
static bool may_read_again(chain *c, uint32_t *tries, stet_status st,
                           const stet_replay_of *of)
{
    if (st != STET_E_BUSY || ++*tries >= STET_REPLAY_TRIES) {
        return false;
    }
    c->s->log->ops->reader_rest(c->bench->reader);
    *c = chain_of(c->s, c->bench, of);
    return true;
}

static stet_status needs_more(const chain *c, stet_error *err)
{
    const link *k = c->oldest;
    return stet__fail(err, STET_E_CORRUPT, 0,
                      "%" PRIu32 ".%s at offset %" PRIu64 ": seq %" PRIu64
                      " is needed and was taken",
                      k->file, suffix_of(k->is_settled), k->offset,
                      k->record.seq);
}

/* Read back to a base, or to the record above the anchor. */
static stet_status read_chain(chain *c, const stet_replay_of *of,
                              stet_error *err)
{
    const stet_box *anchor = of->anchor;
    for (;;) {
        stet_status st = read_link(c, err);
        if (st == STET_OK) {
            st = check_there(c, of, err);
        }
        if (st != STET_OK) {
            return st;
        }
        if ((c->oldest->record.flags & STET_RECORD_BASE) != 0) {
            return STET_OK;
        }
        st = step_back(c, err);
        if (st != STET_OK ||
            (anchor != NULL && anchor->view.position == c->position)) {
            return st;
        }
    }
}

static stet_status fold_chain(chain *c, stet_folding *f, stet_error *err)
{
    for (const link *k = c->oldest; k != NULL; k = k->newer) {
        int64_t occurred = k->recorded + k->record.occurred_delta;
        stet_status st = stet__folding_step(f, &k->record, occurred, err);
        if (st != STET_OK) {
            c->seq = k->record.seq;
            return stet__wrap(err, st, "%" PRIu32 ".%s at offset %" PRIu64,
                              k->file, suffix_of(k->is_settled), k->offset);
        }
    }
    return STET_OK;
}

static const link *newest_of(const chain *c)
{
    const link *k = c->oldest;
    while (k->newer != NULL) {
        k = k->newer;
    }
    return k;
}

static void describe(const chain *c, stet_point point, stet_box *box,
                     stet_replayed *out)
{
    const link *k = newest_of(c);
    *out = (stet_replayed){
        .point = point,
        .owner = k->record.id,
        .is_deleted = k->record.kind == STET_EVENT_DELETED,
        .box = box,
        .depth = k->record.depth,
        .folded = c->records,
        .body_bytes = c->body_bytes,
        .file = c->newest_file,
        .turns = c->turns,
    };
    int64_t occurred = k->recorded + k->record.occurred_delta;
    out->point.occurred_max = occurred + (int64_t)k->record.occurred_max_over;
    if (box != NULL) {
        box->view.seq = point.seq;
        box->view.position = point.position;
        box->view.updated_at = occurred;
        box->view.recorded_at = k->recorded;
    }
}

static stet_status wrap(const stet_replay_of *of, stet_status st,
                        stet_error *err)
{
    if (st == STET_E_GONE || st == STET_E_ERASED) {
        return st; /* names the machine, and is no fault of its history */
    }
    return stet__wrap(err, st, "history of %s", stet__id_text(of->key.id).text);
}

static stet_status read_to_name(chain *c, const stet_replay_of *of,
                                stet_slice *out_name, stet_error *err)
{
    stet_status st = read_link(c, err);
    if (st == STET_OK) {
        st = check_there(c, of, err);
    }
    while (st == STET_OK &&
           !stet__record_says_name(&c->oldest->record, out_name)) {
        st = step_back(c, err);
        st = st == STET_OK ? read_link(c, err) : st;
        st = st == STET_OK ? check_there(c, of, err) : st;
    }
    return st;
}

stet_status stet__replay_head(stet *s, stet_bench *bench,
                              const stet_replay_of *of, stet_replayed *out,
                              stet_slice *out_name, stet_error *err)
{
    chain c = chain_of(s, bench, of);
    stet_slice name = {NULL, 0};
    uint32_t tries = 0;
    stet_status st = STET_OK;
    do {
        st = read_to_name(&c, of, &name, err);
    } while (may_read_again(&c, &tries, st, of));
    if (st != STET_OK) {
        return wrap(of, st == STET_E_BUSY ? needs_more(&c, err) : st, err);
    }
    describe(&c, of->point, NULL, out);
    *out_name = name;
    return STET_OK;
}

stet_status stet__replay(stet *s, stet_bench *bench, const stet_replay_of *of,
                         stet_replayed *out, stet_error *err)
{
    chain c = chain_of(s, bench, of);
    uint32_t tries = 0;
    stet_status st = STET_OK;
    do {
        st = read_chain(&c, of, err);
    } while (may_read_again(&c, &tries, st, of));
    if (st != STET_OK) {
        out->failed_seq = c.seq;
        return wrap(of, st == STET_E_BUSY ? needs_more(&c, err) : st, err);
    }
    bool is_from_base = (c.oldest->record.flags & STET_RECORD_BASE) != 0;
    stet_folding f;
    stet__folding_init(&f, s, bench, of->key, is_from_base ? NULL : of->anchor);
    stet_box *box = NULL;
    st = fold_chain(&c, &f, err);
    if (st == STET_OK) {
        st = stet__folding_box(&f, &box, err);
    }
    if (st != STET_OK) {
        out->failed_seq = c.seq;
        return wrap(of, st, err);
    }
    describe(&c, of->point, box, out);
    STET_ASSERT(out->is_deleted == (box == NULL));
    return STET_OK;
}
