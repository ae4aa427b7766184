#include "engine/projection.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/utf8.h"
#include "core/json.h"
#include "core/record.h"
#include "engine/feed.h"
#include "engine/lease.h"
#include "engine/options.h"
#include "engine/own.h"
#include "engine/replay.h"

enum {
    STET_RUN_EVENTS = 1024,
    /* Positions looked at in vain before that is worth an event. */
    STET_PROJECTION_STRIDE = 65536,
};

struct stet_projection {
    stet *s;
    stet_lease lease;
    stet_projection_mode mode;
    stet_project_fn fn;
    void *ctx;
    stet_buf id; /* "p" and the name */
    stet_buf pattern;
    stet_projected
        made;        /* of what the fold is; its position is the saved one */
    stet_feed *feed; /* stands behind what is folded */
    stet_buf state;  /* folded so far */
    stet_buf spare;
    bool is_dirty; /* folded further than it is saved */
    bool is_rebuilding;
};

static stet_slice name_of(const stet_projection *p)
{
    return stet_slice_of(p->id.ptr + 1, p->id.len - 1);
}

stet_projection_mode *stet__projection_mode(stet_projection *p)
{
    return &p->mode;
}

/* ---- saving ---- */

/* What is saved, and where. */
typedef struct saving {
    stet_slice state;
    uint64_t position;
    bool is_new;     /* as the new one of a rebuild, */
    bool is_the_end; /* or in the old one's place, of which there is no more */
} saving;

static void put_made(const stet_projected *made, uint64_t position,
                     stet_buf *out)
{
    stet__buf_printf(out,
                     "{\"version\":%u,\"position\":%" PRIu64
                     ",\"kinds\":%u,\"ns\":%u,\"ns_last\":%u,\"pattern\":",
                     made->version, position, made->kinds, made->ns,
                     made->ns_last);
    stet__json_write_string(made->pattern, out);
    stet__buf_put_str(out, "}");
}

static stet_status save(stet_projection *p, const saving *what, stet_error *err)
{
    stet_buf made;
    stet_buf new_id;
    stet__buf_init(&made, &p->s->alloc);
    stet__buf_init(&new_id, &p->s->alloc);
    put_made(&p->made, what->position, &made);
    stet__projection_put_id(&new_id, 'r', name_of(p));
    stet_change changes[2] = {
        {.verb = STET_VERB_SAVE,
         .ns = STET_STORE_NAMESPACE,
         .id = stet__buf_slice(what->is_new ? &new_id : &p->id),
         .payload = what->state,
         .machine_metadata = stet__buf_slice(&made)},
        {.verb = STET_VERB_DELETE,
         .ns = STET_STORE_NAMESPACE,
         .id = stet__buf_slice(&new_id)},
    };
    stet_batch batch = {.changes = changes,
                        .change_count = what->is_the_end ? 2 : 1};
    stet_status st = made.is_failed || new_id.is_failed
                         ? stet__fail(err, STET_E_NOMEM, 0, "projection")
                         : stet__commit(p->s, &batch, NULL, NULL, err);
    stet__buf_deinit(&made);
    stet__buf_deinit(&new_id);
    if (st == STET_OK) {
        p->made.position = what->position;
        p->is_dirty = false;
    }
    return st;
}

/* Save what is folded, if that is worth an event. */
static stet_status save_progress(stet_projection *p, bool is_at_end,
                                 stet_error *err)
{
    saving what = {
        .state = stet__buf_slice(&p->state),
        .position = stet_feed_position(p->feed) - 1,
        .is_new = p->is_rebuilding && !is_at_end,
        .is_the_end = p->is_rebuilding && is_at_end,
    };
    bool is_far = what.position - p->made.position >= STET_PROJECTION_STRIDE;
    if (!p->is_dirty && !what.is_the_end && !is_far) {
        return STET_OK;
    }
    stet_status st = save(p, &what, err);
    if (st == STET_OK && what.is_the_end) {
        p->is_rebuilding = false;
    }
    return st;
}

/* ---- folding ---- */

static stet_status refused(const stet_projection *p, const stet_event *e,
                           stet_status st, stet_error *err)
{
    return stet__fail(err, st, 0, "projection %s at position %" PRIu64 ": %s",
                      stet__id_text(name_of(p)).text, e->position,
                      stet_status_text(st));
}

static stet_status fold(stet_projection *p, const stet_event *e,
                        stet_error *err)
{
    stet__buf_reset(&p->spare);
    stet_output out = {&p->spare};
    stet_status st = p->fn(p->ctx, stet__buf_slice(&p->state), e, &out);
    if (st == STET_DONE) {
        p->is_dirty = true;
        return STET_OK;
    }
    st = stet__callback_answer(st);
    if (st == STET_OK && p->spare.is_failed) {
        st = STET_E_NOMEM;
    }
    if (st == STET_OK && p->spare.len > p->s->opts.state_bytes_max) {
        st = STET_E_TOO_LARGE;
    }
    if (st != STET_OK) {
        return refused(p, e, st, err);
    }
    stet_buf made = p->spare;
    p->spare = p->state;
    p->state = made;
    p->is_dirty = true;
    return STET_OK;
}

/* Fold what is there; `*out_at_end`: that was all. */
static stet_status fold_some(stet_projection *p, bool *out_at_end,
                             stet_error *err)
{
    for (int i = 0; i < STET_RUN_EVENTS; i++) {
        const stet_event *e = NULL;
        stet_status st = stet_feed_next(p->feed, 0, &e, err);
        if (st == STET_E_TIMEOUT) {
            stet__error_reset(err);
            *out_at_end = true;
            return STET_OK;
        }
        if (st == STET_OK) {
            st = fold(p, e, err);
            if (st != STET_OK) {
                stet__feed_seek(p->feed, e->position);
            }
        }
        if (st != STET_OK) {
            return st;
        }
    }
    return STET_OK;
}

stet_status stet__projection_run(stet_projection *p, bool *out_more,
                                 stet_error *err)
{
    bool is_at_end = false;
    stet_error cause = {0};
    stet_status st = fold_some(p, &is_at_end, err);
    stet_status saved = save_progress(p, is_at_end, &cause);
    if (st == STET_OK && saved != STET_OK) {
        st = saved;
        if (err != NULL) {
            *err = cause;
        }
    }
    if (out_more != NULL) {
        *out_more = st == STET_OK && !is_at_end;
    }
    return st;
}

stet_status stet_projection_run(stet_projection *p, bool *out_more,
                                stet_error *err)
{
    stet__error_reset(err);
    bool is_more = false;
    stet__turn_take(p->s->os, &p->s->projectors.turn);
    stet_status st = stet__projection_run(p, &is_more, err);
    stet__turn_give(p->s->os, &p->s->projectors.turn);
    if (st == STET_OK && out_more != NULL) {
        *out_more = is_more;
    }
    return st;
}

/* ---- rebuilding ---- */

static stet_status begin_rebuild(stet_projection *p, stet_error *err)
{
    saving nothing = {.is_new = true};
    stet_status st = save(p, &nothing, err);
    if (st == STET_OK) {
        p->is_rebuilding = true;
        stet__buf_reset(&p->state);
        stet__feed_seek(p->feed, 1);
    }
    return st;
}

stet_status stet_projection_rebuild(stet_projection *p, stet_error *err)
{
    stet__error_reset(err);
    stet__turn_take(p->s->os, &p->s->projectors.turn);
    stet_status st = begin_rebuild(p, err);
    stet__turn_give(p->s->os, &p->s->projectors.turn);
    return st;
}

/* ---- opening ---- */

static stet_status settle_def(const stet_projection_def *def,
                              stet_projection_def *d, stet_error *err)
{
    const uint32_t flags = STET_PROJECTION_ALL_NAMESPACES |
                           STET_PROJECTION_INLINE | STET_PROJECTION_BACKGROUND |
                           STET_PROJECTION_REBUILD;
    const uint32_t both = STET_PROJECTION_INLINE | STET_PROJECTION_BACKGROUND;
    stet_status st = stet__options_copy(def, sizeof *d, d, err);
    if (st == STET_OK) {
        st = stet__own_name_check("projection", d->name, err);
    }
    if (st != STET_OK) {
        return st;
    }
    if (d->fn == NULL || d->version == 0 || (d->flags & ~flags) != 0 ||
        (d->flags & both) == both || !stet__utf8_is_valid(d->pattern)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "projection %s: a fold, its version from 1, a "
                          "pattern in UTF-8, flags 0x%x",
                          stet__id_text(d->name).text, d->flags);
    }
    return STET_OK;
}

/* What the store has under one of a projection's two ids. */
typedef struct found {
    stet_projection *p;
    bool is_there;
    bool is_same; /* made by this fold of these events: it was taken over */
} found;

static stet_status take_found(void *ctx, const stet_projected *made,
                              const stet_state *state, stet_error *err)
{
    found *f = ctx;
    stet_projected *own = &f->p->made;
    f->is_there = true;
    f->is_same = made->version == own->version && made->kinds == own->kinds &&
                 made->ns == own->ns && made->ns_last == own->ns_last &&
                 stet__slice_eq(made->pattern, own->pattern);
    if (!f->is_same) {
        return STET_OK;
    }
    own->position = made->position;
    stet__buf_reset(&f->p->state);
    stet__buf_put_slice(&f->p->state, state->state_data);
    return f->p->state.is_failed
               ? stet__fail(err, STET_E_NOMEM, 0, "projection")
               : STET_OK;
}

static stet_status find(stet_projection *p, char letter, found *out,
                        stet_error *err)
{
    *out = (found){.p = p};
    stet_buf id;
    stet__buf_init(&id, &p->s->alloc);
    stet__projection_put_id(&id, letter, name_of(p));
    stet_status st = id.is_failed
                         ? stet__fail(err, STET_E_NOMEM, 0, "projection")
                         : stet__projected_visit(p->s, stet__buf_slice(&id),
                                                 take_found, out, err);
    stet__buf_deinit(&id);
    if (st == STET_E_NOT_FOUND) {
        stet__error_reset(err);
        st = STET_OK;
    }
    return st;
}

static stet_status open_feed(stet_projection *p, stet_error *err)
{
    bool is_all = p->made.ns != p->made.ns_last;
    stet_feed_opts opts = {
        .pattern = p->made.pattern,
        .from_position = p->made.position + 1,
        .kinds = p->made.kinds,
        .flags = is_all ? (uint32_t)STET_FEED_ALL_NAMESPACES : 0,
        .ns = p->made.ns,
    };
    return stet_feed_open(p->s, &opts, &p->feed, err);
}

/* Go on with what the store has of it, or begin. */
static stet_status take_up(stet_projection *p, bool may_rebuild,
                           stet_error *err)
{
    found current;
    found next;
    saving nothing = {.position = 0};
    stet_status st = find(p, 'p', &current, err);
    if (st == STET_OK) {
        st = find(p, 'r', &next, err); /* the later one counts */
    }
    if (st == STET_OK && current.is_there && !current.is_same &&
        !next.is_same && !may_rebuild) {
        st = stet__fail(err, STET_E_CONFLICT, 0,
                        "projection %s was made by another version of its "
                        "fold, or of other events; rebuild it",
                        stet__id_text(name_of(p)).text);
    }
    if (st == STET_OK) {
        st = open_feed(p, err);
    }
    if (st != STET_OK) {
        return st;
    }
    p->is_rebuilding = next.is_same;
    if (!current.is_there) {
        return save(p, &nothing, err);
    }
    /* A rebuild by a fold that is no more, where there is none to do, ends. */
    bool is_left_over = next.is_there && !next.is_same;
    if (current.is_same && is_left_over) {
        saving again = {.state = stet__buf_slice(&p->state),
                        .position = p->made.position,
                        .is_the_end = true};
        return save(p, &again, err);
    }
    return current.is_same || next.is_same ? STET_OK : begin_rebuild(p, err);
}

static void destroy(stet_projection *p)
{
    stet *s = p->s;
    stet_feed_close(p->feed);
    stet__lease_give(s, &p->lease);
    stet__buf_deinit(&p->id);
    stet__buf_deinit(&p->pattern);
    stet__buf_deinit(&p->state);
    stet__buf_deinit(&p->spare);
    stet__free(&s->alloc, p, sizeof *p);
}

static stet_status set_up(stet_projection *p, const stet_projection_def *d,
                          stet_error *err)
{
    const stet_allocator *alloc = &p->s->alloc;
    bool is_all = (d->flags & STET_PROJECTION_ALL_NAMESPACES) != 0;
    stet__buf_init(&p->state, alloc);
    stet__buf_init(&p->spare, alloc);
    stet__buf_init(&p->id, alloc);
    stet__buf_init(&p->pattern, alloc);
    stet__projection_put_id(&p->id, 'p', d->name);
    stet__buf_put_slice(&p->pattern, d->pattern);
    if (p->id.is_failed || p->pattern.is_failed) {
        return stet__fail(err, STET_E_NOMEM, 0, "projection");
    }
    p->fn = d->fn;
    p->ctx = d->ctx;
    p->mode.is_inline = (d->flags & STET_PROJECTION_INLINE) != 0;
    p->mode.is_background = (d->flags & STET_PROJECTION_BACKGROUND) != 0;
    p->made = (stet_projected){
        .pattern = stet__buf_slice(&p->pattern),
        .version = d->version,
        .kinds = d->kinds,
        .ns = d->ns,
        .ns_last = is_all ? STET_NAMESPACE_MAX : d->ns,
    };
    stet_status st = stet__lease_take(p->s, &p->lease, stet__buf_slice(&p->id),
                                      "projection", err);
    if (st == STET_OK) {
        st = take_up(p, (d->flags & STET_PROJECTION_REBUILD) != 0, err);
    }
    return st == STET_OK ? stet__projectors_add(p->s, p, err) : st;
}

stet_status stet_projection_open(stet *s, const stet_projection_def *def,
                                 stet_projection **out, stet_error *err)
{
    stet__error_reset(err);
    stet_projection_def d;
    stet_status st = settle_def(def, &d, err);
    if (st == STET_OK && s->start.is_readonly) {
        st = stet__fail(err, STET_E_READONLY, 0,
                        "a projection writes what it makes");
    }
    if (st != STET_OK) {
        return st;
    }
    stet_projection *p = stet__alloc_zeroed(&s->alloc, 1, sizeof *p);
    if (p == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "projection");
    }
    p->s = s;
    st = set_up(p, &d, err);
    if (st != STET_OK) {
        stet_projection_close(p);
        return st;
    }
    *out = p;
    return STET_OK;
}

void stet_projection_close(stet_projection *p)
{
    if (p != NULL) {
        stet__projectors_remove(p->s, p);
        destroy(p);
    }
}
