#include "sim/thinning.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/handle.h"

enum {
    RULES = 4,
    GARDENERS_MAX = 3,
    GARDENER_OPS = 30,
    LATE_FORKS_MAX = 24,
    NAMES_MAX = 64,
    SEQS_MAX = 1024, /* of a plot */
    TEXT_MAX = 64,
};

/* What is known of a state that was. */
typedef struct seen {
    uint64_t read_at; /* instant of the last answer that gave it; 0: none */
    bool is_gone;     /* or erased: an answer said so */
} seen;

/*
 * A machine. Up to `known` its states are the model's, or its parent's; after
 * that what gardeners save, whose text follows from plot and seq.
 */
typedef struct plot {
    const model_machine *mm; /* NULL: forked by a gardener */
    struct plot *parent;     /* of a fork */
    uint64_t known;
    uint64_t first_own;
    uint8_t ns;
    char id_text[TEXT_MAX];
    stet_slice id;
    bool is_there;       /* of a gardener's fork: acknowledged, or found */
    bool is_tried;       /* somebody began to fork it */
    uint64_t count;      /* events acknowledged */
    uint64_t tried;      /* events that may be there */
    uint64_t erased;     /* one past what was acknowledged so */
    uint64_t erasing;    /* one past what may be */
    uint64_t held_at;    /* instant; 0: no hold was acknowledged */
    bool is_held;        /* one may be there */
    bool is_busy;        /* a gardener writes to it */
    uint64_t forked_at;  /* instant; of a gardener's fork */
    seen seqs[SEQS_MAX]; /* of its own */
} plot;

/* A checkpoint that a gardener set. */
typedef struct label {
    plot *of;
    uint64_t seq;
    char name[TEXT_MAX];
    bool is_set;    /* acknowledged */
    bool is_ending; /* its deletion was begun */
} label;

typedef struct gardener {
    thinning *t;
    stet *s;
    rng random;
    uint64_t thread;
    bool has_thread;
} gardener;

struct thinning {
    const oracle *o;
    world *w;
    rng random;
    plot *plots;
    size_t plot_count;
    size_t model_plots;
    label labels[NAMES_MAX];
    size_t label_count;
    stet_retention_rule rules[RULES]; /* of the first namespaces */
    uint64_t releases;                /* of holds, that were tried */
    gardener gardeners[GARDENERS_MAX];
};

static plot *find_plot(const thinning *t, uint8_t ns, stet_slice id)
{
    for (size_t i = 0; i < t->plot_count; i++) {
        plot *p = &t->plots[i];
        if (p->ns == ns && stet__slice_eq(p->id, id)) {
            return p;
        }
    }
    return NULL;
}

thinning *thinning_create(const oracle *o)
{
    const model *m = &o->m;
    thinning *t = calloc(1, sizeof *t);
    t->plots = calloc(m->machine_count + LATE_FORKS_MAX, sizeof *t->plots);
    t->o = o;
    t->w = o->w;
    t->random = (rng){o->w->s.seed ^ 0x7468696e};
    uint64_t keep = 1 + rng_below(&t->random, 6);
    for (size_t i = 0; i < RULES; i++) {
        t->rules[i] = (stet_retention_rule){
            .ns = (uint8_t)i,
            .pattern = rng_below(&t->random, 3) == 0 ? "m*" : NULL,
            .keep_events = keep,
        };
    }
    for (size_t i = 0; i < m->machine_count; i++) {
        const model_machine *mm = &m->machines[i];
        if (mm->count + GARDENER_OPS * 16 >= SEQS_MAX) {
            continue;
        }
        plot *p = &t->plots[t->plot_count++];
        *p = (plot){.mm = mm, .ns = mm->ns, .id = mm->id, .is_there = true};
        p->known = p->count = p->tried = mm->count;
        p->first_own = 1;
        while (!stet__slice_eq(
            mm->events[p->first_own - 1]->said.state_machine_id, mm->id)) {
            p->first_own++;
        }
    }
    t->model_plots = t->plot_count;
    return t;
}

void thinning_destroy(thinning *t)
{
    free(t->plots);
    free(t);
}

stet_opts thinning_opts(const thinning *t)
{
    stet_opts o = t->w->s.opts;
    o.retention = t->rules;
    o.retention_count = RULES;
    return o;
}

/* ---- what is known ---- */

/* The machine whose own event it is. */
static plot *owner_of(const thinning *t, plot *p, uint64_t seq)
{
    while (p->mm == NULL && seq < p->first_own) {
        p = p->parent;
    }
    if (p->mm == NULL || seq > p->known) {
        return p;
    }
    return find_plot(t, p->ns, p->mm->events[seq - 1]->said.state_machine_id);
}

/* The state after it; false: there is none. */
static bool state_of(const plot *p, uint64_t seq, stet_slice *out,
                     char text[TEXT_MAX])
{
    while (p->mm == NULL && seq <= p->first_own) {
        seq = seq == p->first_own ? seq - 1 : seq; /* the fork changes none */
        p = p->parent;
    }
    if (p->mm != NULL && seq <= p->known) {
        const model_event *e = p->mm->events[seq - 1];
        *out = e->data;
        return e->is_there;
    }
    (void)snprintf(text, TEXT_MAX, "{\"plot\":\"%.*s\",\"seq\":%" PRIu64 "}",
                   (int)p->id.len, (const char *)p->id.ptr, seq);
    *out = stet_str(text);
    return true;
}

/* Is the record a part of the plot's lineage? */
static bool is_in(const thinning *t, plot *p, const plot *owner, uint64_t seq)
{
    return p->is_there && seq <= p->tried && owner_of(t, p, seq) == owner;
}

static const stet_retention_rule *rule_of(const thinning *t, const plot *p)
{
    for (size_t i = 0; i < RULES; i++) {
        const stet_retention_rule *r = &t->rules[i];
        if (r->ns == p->ns &&
            (r->pattern == NULL || *(const char *)p->id.ptr == *r->pattern)) {
            return r;
        }
    }
    return NULL;
}

/* Does its rule let go of one of its events, now or if more are there? */
static bool is_let_go(const thinning *t, const plot *p, uint64_t seq,
                      uint64_t head)
{
    const stet_retention_rule *r = rule_of(t, p);
    return r != NULL && seq + r->keep_events < head;
}

/* Does something that was acknowledged keep the record? */
static bool is_pinned(const thinning *t, const plot *owner, uint64_t seq)
{
    for (size_t i = 0; i < t->label_count; i++) {
        const label *l = &t->labels[i];
        if (l->is_set && !l->is_ending && l->seq == seq &&
            owner_of(t, l->of, seq) == owner) {
            return true;
        }
    }
    for (size_t i = 0; i < t->o->m.checkpoint_count; i++) {
        const model_checkpoint *c = &t->o->m.checkpoints[i];
        const plot *p = c->id.len == 0 ? NULL : find_plot(t, c->ns, c->id);
        if (c->is_there && p != NULL && c->turn_number == seq &&
            owner_of(t, (plot *)p, seq) == owner) {
            return true;
        }
    }
    for (size_t i = 0; i < t->plot_count; i++) {
        plot *p = &t->plots[i];
        if (p->is_there && seq + 1 == p->first_own && seq > 0 &&
            owner_of(t, p, seq) == owner) {
            return true;
        }
    }
    return false;
}

/* A cut of the whole store keeps what was the newest then. */
static bool is_cut_at(const thinning *t, const plot *owner, uint64_t seq)
{
    const model_machine *mm = owner->mm;
    if (mm == NULL || seq > owner->known) {
        return false;
    }
    for (size_t i = 0; i < t->o->m.checkpoint_count; i++) {
        const model_checkpoint *c = &t->o->m.checkpoints[i];
        bool is_newest = mm->events[seq - 1]->said.position <= c->position &&
                         (seq == owner->known ||
                          mm->events[seq]->said.position > c->position);
        if (c->is_there && c->id.len == 0 && is_newest) {
            return true;
        }
    }
    return false;
}

/*
 * Does a rule, or something that was acknowledged, want the record? What a fork
 * did not find any more it does not keep: whether it did is known of what was
 * read after it was forked, and else is as `is_found_else` says.
 */
static bool is_wanted(const thinning *t, const plot *owner, uint64_t seq,
                      bool is_found_else)
{
    if (is_pinned(t, owner, seq) || is_cut_at(t, owner, seq) ||
        seq >= owner->tried) {
        return true;
    }
    for (size_t i = 0; i < t->plot_count; i++) {
        plot *p = &t->plots[i];
        bool is_found =
            is_found_else || p->forked_at <= owner->seqs[seq].read_at;
        if (is_found && is_in(t, p, owner, seq) &&
            !is_let_go(t, p, seq, p->tried)) {
            return true;
        }
    }
    return false;
}

/* May a rule have let it go, for all that is known? */
static bool may_be_gone(const thinning *t, const plot *owner, uint64_t seq)
{
    return !is_wanted(t, owner, seq, false);
}

/* Was it read while it was held, and is held still? */
static bool is_kept_by_hold(const thinning *t, plot *owner, uint64_t seq)
{
    for (size_t i = 0; i < t->plot_count; i++) {
        plot *p = &t->plots[i];
        if (p->held_at != 0 && is_in(t, p, owner, seq) &&
            owner->seqs[seq].read_at > p->held_at) {
            return true;
        }
    }
    return false;
}

/* ---- asking ---- */

static void fail(const thinning *t, const plot *p, uint64_t seq,
                 const char *what)
{
    world_fail(t->w, "seq %" PRIu64 " of %.*s %s", seq, (int)p->id.len,
               (const char *)p->id.ptr, what);
}

/* May a call that is no answer end so, as things are? */
static bool is_excused(const thinning *t, const stet *s, stet_status st)
{
    switch (st) {
    case STET_E_BUSY:
        return true;
    case STET_E_NOSPACE:
        return t->w->is_scarce;
    case STET_E_READONLY:
        return t->w->has_failed || s->start.is_readonly;
    case STET_E_NOMEM:
    case STET_E_IO:
    case STET_E_UNKNOWN:
        return t->w->has_failed;
    default:
        return false;
    }
}

static void check_state(const thinning *t, const plot *p, uint64_t seq,
                        stet_status st, const stet_state *state)
{
    char text[TEXT_MAX];
    stet_slice data = {0};
    bool is_there = state_of(p, seq, &data, text);
    if (st == STET_E_NOT_FOUND ? is_there
                               : !is_there || state->seq != seq ||
                                     !stet__slice_eq(state->state_data, data)) {
        fail(t, p, seq, "is not what it was");
    }
}

/* Ask for a state, and hold the answer to what is known. */
static stet_status look_at(thinning *t, stet *s, plot *p, uint64_t seq)
{
    plot *owner = owner_of(t, p, seq);
    seen *of = &owner->seqs[seq];
    uint64_t began = ++t->w->instant;
    bool was_gone = of->is_gone;
    bool was_erased = seq < owner->erased;
    bool may_go = may_be_gone(t, owner, seq);
    bool is_held = is_kept_by_hold(t, owner, seq);
    stet_read_opts opts = {.ns = p->ns,
                           .at = {.kind = STET_AT_SEQ, .seq = seq}};
    const stet_state *state = NULL;
    stet_error err = {0};
    stet_status st = stet_load(s, p->id, &opts, &state, &err);
    world_tell(t->w, "%.*s at %" PRIu64 ": %s", (int)p->id.len,
               (const char *)p->id.ptr, seq, stet_status_name(st));
    world_note(t->w, (uint64_t)st);
    if (st == STET_OK || st == STET_E_NOT_FOUND) {
        check_state(t, p, seq, st, state);
        bool is_deletion = st == STET_E_NOT_FOUND;
        if (was_gone || (was_erased && !is_deletion)) {
            fail(t, p, seq, "was gone, and is there again");
        }
        of->read_at = began;
    } else if (st == STET_E_GONE) {
        /* What wants it now may have come after it went, before this. */
        if ((!may_go && !may_be_gone(t, owner, seq)) ||
            (is_held && is_kept_by_hold(t, owner, seq))) {
            fail(t, p, seq, "is gone, though something keeps it");
        }
        of->is_gone = true;
    } else if (st == STET_E_ERASED) {
        if (seq >= owner->erasing) {
            fail(t, p, seq, "is erased, though nobody asked for that");
        }
    } else if (!is_excused(t, s, st)) {
        world_fail(t->w, "%s", err.text);
    }
    stet_state_release(state);
    return st;
}

/* ---- what gardeners do ---- */

static size_t below(gardener *g, size_t end)
{
    return rng_below(&g->random, end);
}

static plot *some_plot(gardener *g)
{
    plot *p = &g->t->plots[below(g, g->t->plot_count)];
    return p->is_there && p->count > 0 ? p : NULL;
}

/* Any event, or one that goes just now. */
static uint64_t some_seq(gardener *g, const plot *p)
{
    const stet_retention_rule *r = rule_of(g->t, p);
    uint64_t behind = r == NULL ? 0 : r->keep_events + 1 + below(g, 3);
    return behind > 0 && behind < p->count && below(g, 3) > 0
               ? p->count - behind
               : 1 + below(g, p->count);
}

static void note(const gardener *g, const char *what, const plot *p,
                 stet_status st, const stet_error *err)
{
    world_tell(g->t->w, "%s %.*s: %s %s", what, p == NULL ? 0 : (int)p->id.len,
               p == NULL ? "" : (const char *)p->id.ptr, stet_status_name(st),
               st == STET_OK ? "" : err->text);
    world_note(g->t->w, (uint64_t)st);
    bool is_no = stet_status_kind(st) == STET_KIND_NO;
    if (st != STET_OK && !is_no && !is_excused(g->t, g->s, st)) {
        world_fail(g->t->w, "%s: %s", what, err->text);
    }
}

static void read_some(gardener *g)
{
    plot *p = some_plot(g);
    if (p != NULL) {
        (void)look_at(g->t, g->s, p, 1 + below(g, p->count));
    }
}

/* Save what follows from plot and seq: so nobody need know whether it is. */
static void write_on(gardener *g)
{
    plot *p = some_plot(g);
    if (p == NULL || p->is_busy || p->tried > p->count) {
        return;
    }
    char text[TEXT_MAX];
    stet_slice data = {0};
    stet_written written = {0};
    stet_error err = {0};
    uint64_t seq = p->count + 1;
    (void)state_of(p, seq, &data, text);
    stet_write_opts opts = {.more = {.ns = p->ns}};
    p->is_busy = true;
    p->tried = seq;
    stet_status st = stet_save(g->s, p->id, data, &opts, &written, &err);
    p->is_busy = false;
    note(g, "save", p, st, &err);
    if (st == STET_OK) {
        p->count = seq;
    } else if (stet_status_kind(st) != STET_KIND_MAYBE) {
        p->tried = p->count;
    }
    if (st == STET_OK && written.seq != seq) {
        fail(g->t, p, seq, "was not the next one");
    }
}

/* Was a refusal right, by what is known of the state that it is about? */
static void check_refusal(gardener *g, plot *p, uint64_t seq, stet_status st)
{
    plot *owner = owner_of(g->t, p, seq);
    char text[TEXT_MAX];
    stet_slice data = {0};
    if (st == STET_E_GONE && !may_be_gone(g->t, owner, seq)) {
        fail(g->t, p, seq, "is said to be gone");
    }
    if (st == STET_E_ERASED && seq >= owner->erasing) {
        fail(g->t, p, seq, "is said to be erased");
    }
    if (st == STET_E_NOT_FOUND && state_of(p, seq, &data, text)) {
        fail(g->t, p, seq, "is said never to have been");
    }
    if (st == STET_OK && seq < owner->erased) {
        fail(g->t, p, seq, "was erased and is named");
    }
}

static void fork_late(gardener *g)
{
    thinning *t = g->t;
    plot *parent = some_plot(g);
    if (parent == NULL || t->plot_count == t->model_plots + LATE_FORKS_MAX) {
        return;
    }
    uint64_t k = some_seq(g, parent);
    plot *p = &t->plots[t->plot_count];
    *p = (plot){.parent = parent, .ns = parent->ns, .is_tried = true};
    (void)snprintf(p->id_text, sizeof p->id_text, "%s%zu",
                   below(g, 2) == 0 ? "m-late-" : "late-", t->plot_count);
    t->plot_count++;
    p->id = stet_str(p->id_text);
    p->known = k;
    p->first_own = k + 1;
    stet_fork_opts opts = {.at = {.kind = STET_AT_SEQ, .seq = k},
                           .write = {.more = {.ns = p->ns}}};
    stet_error err = {0};
    uint64_t erased = owner_of(t, parent, k)->erased;
    stet_status st = stet_fork(g->s, parent->id, p->id, &opts, NULL, &err);
    note(g, "fork", p, st, &err);
    if (st == STET_OK && k < erased) {
        fail(t, parent, k, "was erased, and is forked from");
    }
    if (st != STET_OK) {
        check_refusal(g, parent, k, st);
    }
    if (st == STET_OK) {
        p->is_there = true;
        p->forked_at = ++t->w->instant;
        p->count = p->tried = k + 1;
    }
}

static void name_some(gardener *g)
{
    thinning *t = g->t;
    plot *p = some_plot(g);
    if (p == NULL || t->label_count == NAMES_MAX) {
        return;
    }
    label *l = &t->labels[t->label_count++];
    *l = (label){.of = p, .seq = some_seq(g, p)};
    (void)snprintf(l->name, sizeof l->name, "late #%zu", t->label_count);
    stet_checkpoint_opts opts = {
        .name = stet_str(l->name),
        .ns = p->ns,
        .at = {.kind = STET_AT_SEQ, .seq = l->seq},
    };
    stet_error err = {0};
    uint64_t erased = owner_of(t, p, l->seq)->erased;
    stet_status st = stet_checkpoint_set(g->s, p->id, &opts, NULL, &err);
    note(g, "name", p, st, &err);
    l->is_set = st == STET_OK;
    if (st == STET_OK && l->seq < erased) {
        fail(t, p, l->seq, "was erased, and is named");
    }
    if (st != STET_OK) {
        check_refusal(g, p, l->seq, st);
    }
}

static void unname_some(gardener *g)
{
    thinning *t = g->t;
    label *l = &t->labels[below(g, t->label_count + 1) % NAMES_MAX];
    if (!l->is_set || l->is_ending) {
        return;
    }
    l->is_ending = true;
    stet_error err = {0};
    stet_status st = stet_checkpoint_delete(g->s, l->of->id, l->of->ns,
                                            stet_str(l->name), &err);
    note(g, "unname", l->of, st, &err);
}

/* One hold for each plot, under the plot's number. */
static void hold_some(gardener *g)
{
    plot *p = some_plot(g);
    char name[TEXT_MAX];
    stet_error err = {0};
    if (p == NULL || p->is_busy) {
        return;
    }
    (void)snprintf(name, sizeof name, "hold #%zu", (size_t)(p - g->t->plots));
    p->is_busy = true;
    if (p->held_at == 0) {
        p->is_held = true;
        stet_status st =
            stet_hold_set(g->s, stet_str(name), p->id, p->ns, &err);
        note(g, "hold", p, st, &err);
        p->held_at =
            st == STET_OK || st == STET_E_EXISTS ? ++g->t->w->instant : 0;
    } else {
        p->held_at = 0;
        stet_status st = stet_hold_release(g->s, stet_str(name), &err);
        note(g, "release", p, st, &err);
        p->is_held = st != STET_OK && st != STET_E_NOT_FOUND;
        g->t->releases++;
    }
    p->is_busy = false;
}

/* Is there a hold, perhaps, on it or on a fork that shares its events? */
static bool may_be_held(const thinning *t, const plot *p)
{
    for (size_t i = 0; i < t->plot_count; i++) {
        plot *q = &t->plots[i];
        if (q->is_held && (q == p || is_in(t, q, p, p->first_own))) {
            return true;
        }
    }
    return false;
}

static void erase_some(gardener *g)
{
    plot *p = some_plot(g);
    if (p == NULL || p->is_busy || p->count <= p->first_own) {
        return;
    }
    uint64_t up_to = p->first_own + below(g, p->count - p->first_own);
    stet_error err = {0};
    p->is_busy = true;
    uint64_t before = p->erasing;
    uint64_t releases = g->t->releases;
    p->erasing = up_to + 1 > p->erasing ? up_to + 1 : p->erasing;
    stet_status st = stet_erase(g->s, p->id, p->ns, up_to, &err);
    p->is_busy = false;
    note(g, "erase", p, st, &err);
    if (st == STET_OK) {
        p->erased = up_to + 1 > p->erased ? up_to + 1 : p->erased;
    } else if (stet_status_kind(st) != STET_KIND_MAYBE) {
        p->erasing = before;
    }
    if (st == STET_E_HELD && releases == g->t->releases &&
        !may_be_held(g->t, p)) {
        fail(g->t, p, up_to, "is not erased for a hold that nobody set");
    }
}

static void compact(gardener *g)
{
    stet_error err = {0};
    stet_status st = stet_compact(g->s, &err);
    note(g, "compact", NULL, st, &err);
}

static void act(gardener *g)
{
    static void (*const acts[])(gardener * g) = {
        read_some, read_some,   read_some, read_some,  write_on,  write_on,
        write_on,  write_on,    fork_late, name_some,  name_some, compact,
        compact,   unname_some, hold_some, erase_some,
    };
    acts[below(g, sizeof acts / sizeof *acts)](g);
}

static void garden(void *ctx)
{
    gardener *g = ctx;
    for (int i = 0; i < GARDENER_OPS && g->t->plot_count > 0; i++) {
        act(g);
    }
}

void thinning_work(thinning *t, stet *s)
{
    world *w = t->w;
    for (unsigned i = 0; i < GARDENERS_MAX; i++) {
        gardener *g = &t->gardeners[i];
        *g = (gardener){.t = t, .s = s, .random = {rng_next(&t->random) + i}};
        if (w->s.is_sequential) {
            garden(g);
            return;
        }
        g->has_thread = w->os.thread_start(&w->os, garden, g, &g->thread) == 0;
    }
    for (unsigned i = 0; i < GARDENERS_MAX; i++) {
        if (t->gardeners[i].has_thread) {
            w->os.thread_join(&w->os, t->gardeners[i].thread);
        }
    }
}

/* ---- looking back ---- */

/* What nobody knew: how many events are there, and which forks. */
static void learn(thinning *t, stet *s, plot *p)
{
    stet_error err = {0};
    stet_history_opts walk = {
        .ns = p->ns, .flags = STET_HISTORY_NEWEST_FIRST, .limit = 1};
    stet_history *h = NULL;
    const stet_event *e = NULL;
    stet_status st = stet_history_open(s, p->id, &walk, &h, &err);
    st = st == STET_OK ? stet_history_next(h, &e, &err) : st;
    uint64_t head = st == STET_OK ? e->seq : 0;
    stet_history_close(h);
    if (st != STET_OK && st != STET_E_NOT_FOUND) {
        world_fail(t->w, "%s", err.text);
    }
    if (head < p->count || (head > p->tried && !p->is_tried)) {
        fail(t, p, head, "is the newest, though another one was told");
    }
    p->forked_at =
        p->mm == NULL && !p->is_there ? ++t->w->instant : p->forked_at;
    p->is_there = head > 0;
    p->count = p->tried = head;
    p->is_busy = false;
}

void thinning_check(thinning *t, stet *s)
{
    stet_error err = {0};
    stet_verify_report report;
    for (size_t i = 0; i < t->plot_count; i++) {
        learn(t, s, &t->plots[i]);
    }
    for (size_t i = 0; i < t->plot_count; i++) {
        plot *p = &t->plots[i];
        uint64_t step = 1 + rng_below(&t->random, 3);
        for (uint64_t seq = 1; seq <= p->count; seq += step) {
            (void)look_at(t, s, p, seq);
        }
    }
    stet_status st = stet_verify(s, NULL, NULL, &report, &err);
    if (st != STET_OK) {
        world_fail(t->w, "verify: %s", err.text);
    }
}

/* Holds and names whose outcome nobody knows keep more than is claimed. */
static bool is_doubtful(const thinning *t)
{
    bool is = false;
    for (size_t i = 0; i < t->label_count; i++) {
        const label *l = &t->labels[i];
        is = is || !l->is_set || l->is_ending;
    }
    for (size_t i = 0; i < t->plot_count; i++) {
        is = is || t->plots[i].is_held;
    }
    return is;
}

void thinning_end(thinning *t, stet *s)
{
    stet_error err = {0};
    stet_status st = stet_compact(s, &err);
    if (st != STET_OK) {
        world_fail(t->w, "compact: %s", err.text);
    }
    thinning_check(t, s);
    for (size_t i = 0; i < t->plot_count && !is_doubtful(t); i++) {
        plot *p = &t->plots[i];
        for (uint64_t seq = 1; seq <= p->count; seq++) {
            if (!is_wanted(t, owner_of(t, p, seq), seq, true) &&
                look_at(t, s, p, seq) != STET_E_GONE) {
                fail(t, p, seq, "is there, though nothing wants it");
            }
        }
    }
}

void thinning_power_cut(thinning *t)
{
    if (t->w->s.opts.level == STET_LEVEL_DISK) {
        return;
    }
    for (size_t i = 0; i < t->plot_count; i++) {
        plot *p = &t->plots[i];
        p->count = p->mm != NULL ? p->known : 0;
        p->is_there = p->mm != NULL;
        p->is_tried = true;
        p->erased = 0;
        p->held_at = 0;
        p->is_held = true; /* perhaps: a release may be gone as well */
    }
    for (size_t i = 0; i < t->label_count; i++) {
        t->labels[i].is_set = false;
    }
}
