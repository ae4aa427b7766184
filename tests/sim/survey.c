#include "sim/survey.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/frame.h"
#include "engine/handle.h"
#include "stores/embedded/salvage.h"

enum { SECTOR_BYTES = 512, NAMES_MAX = 256 };

/* ---- damage ---- */

/* The last of the segments, where the most is at stake. */
static const char *newest_segment(const char *const *names, size_t count)
{
    const char *newest = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strchr(names[i], '/') == NULL && strstr(names[i], ".seg") != NULL &&
            (newest == NULL ||
             strtoul(names[i], NULL, 10) > strtoul(newest, NULL, 10))) {
            newest = names[i];
        }
    }
    return newest;
}

/*
 * Some file of the store's, not of another folder; the lock says nothing,
 * `super` a lot.
 */
static const char *choose_file(world *w)
{
    const char *names[NAMES_MAX];
    size_t count = memdisk_names(w->disk, names, NAMES_MAX);
    const char *newest = newest_segment(names, count);
    size_t dice = rng_below(&w->faults, 4);
    const char *name = dice == 0                     ? "super"
                       : dice == 1 && newest != NULL ? newest
                                                     : "LOCK";
    while (strcmp(name, "LOCK") == 0 || strchr(name, '/') != NULL) {
        name = names[rng_below(&w->faults, count)];
    }
    return name;
}

/* A write that was meant for somewhere else: a sector, or all of a block. */
static void misdirect(world *w, uint8_t *bytes, size_t len, size_t at)
{
    rng *r = &w->faults;
    size_t unit = rng_below(r, 2) == 0 ? SECTOR_BYTES : STET_W;
    const uint8_t *from = bytes;
    size_t from_len = len;
    if (rng_below(r, 2) == 0) {
        from = memdisk_bytes(w->disk, choose_file(w), &from_len);
    }
    if (from_len >= unit && len - at / unit * unit >= unit) {
        memmove(bytes + at / unit * unit,
                from + rng_below(r, from_len / unit) * unit, unit);
    }
}

static void overwrite(world *w, uint8_t *bytes, size_t len)
{
    rng *r = &w->faults;
    size_t at = rng_below(r, len);
    size_t dice = rng_below(r, 8);
    if (dice < 3) {
        at -= at % STET_W; /* where frames begin */
    } else if (dice == 3) {
        at %= SECTOR_BYTES; /* where a file's header is */
    }
    size_t sector = at - at % SECTOR_BYTES;
    size_t left = len - sector < SECTOR_BYTES ? len - sector : SECTOR_BYTES;
    switch (rng_below(r, 5)) {
    case 0:
        bytes[at] ^= (uint8_t)(1U << rng_below(r, 8));
        break;
    case 1:
        bytes[at] = (uint8_t)rng_next(r);
        break;
    case 2:
        memset(bytes + sector, 0, left);
        break;
    case 3:
        rng_fill(r, bytes + sector, left);
        break;
    default:
        misdirect(w, bytes, len, at);
        break;
    }
    world_tell(w, "damage at %zu of %zu", at, len);
}

survey_harm survey_damage(world *w)
{
    const char *name = choose_file(w);
    size_t len = 0;
    uint8_t *bytes = memdisk_bytes(w->disk, name, &len);
    size_t dice = rng_below(&w->faults, 12);
    world_tell(w, "damage to %s", name);
    if (dice == 0) {
        memdisk_cut(w->disk, name, rng_below(&w->faults, len + 1));
    } else if (dice == 1) {
        memdisk_remove(w->disk, name);
        return SURVEY_MISSING;
    } else if (dice == 2) {
        memdisk_break(w->disk, name, rng_below(&w->faults, len + 1),
                      SECTOR_BYTES);
        return SURVEY_UNREADABLE;
    } else if (len > 0) {
        overwrite(w, bytes, len);
    }
    return SURVEY_CHANGED;
}

/* ---- answers ---- */

bool survey_is_told(stet_status st, const stet_error *err, survey_harm harm)
{
    return (st == STET_E_CORRUPT && strstr(err->text, "offset") != NULL) ||
           st == STET_E_FORMAT ||
           (st == STET_E_IO && harm == SURVEY_UNREADABLE);
}

/* Who asks a store that was harmed so. */
typedef struct asker {
    oracle *o;
    stet *s;
    survey_harm harm;
    uint64_t end;  /* of what it shows */
    uint64_t step; /* between the states of a machine that are asked for */
} asker;

/* Of some stores all states are asked for, of others a half or a third. */
static uint64_t draw_step(world *w)
{
    enum { STEP_MAX = 3 };
    return 1 + rng_below(&w->faults, STEP_MAX);
}

static void check_told(const asker *a, const char *what, stet_status st,
                       const stet_error *err)
{
    const oracle *o = a->o;
    if (!survey_is_told(st, err, a->harm)) {
        world_fail(o->w, "%s of a damaged store: %s, %s", what,
                   stet_status_name(st), err->text);
    }
}

/* Where a machine begins; a fork has its parent's events before that. */
static uint64_t first_own_position(const model_machine *mm)
{
    size_t i = 0;
    while (!stet__slice_eq(mm->events[i]->said.state_machine_id, mm->id)) {
        i++;
    }
    return mm->events[i]->said.position;
}

/* Is it beyond the end, where things may be gone? */
static bool is_gone(const asker *a, const model_machine *mm, uint64_t seq)
{
    return mm->events[seq - 1]->said.position >= a->end ||
           first_own_position(mm) >= a->end;
}

/* An answer is right, or tells of the damage. */
static void ask(const asker *a, const question *q)
{
    answer told = {0};
    stet_error err = {0};
    stet_status st = question_ask(q, a->s, &told, &err);
    if (st != STET_OK) {
        check_told(a, question_name(q), st, &err);
    } else if (told.digest != question_answer(q, &a->o->m)) {
        world_fail(a->o->w, "the %s of %.*s is told as it never was",
                   question_name(q), (int)q->id.len, (const char *)q->id.ptr);
    }
}

static void ask_state(const asker *a, const model_machine *mm, uint64_t seq)
{
    const stet_at at = {.kind = STET_AT_SEQ, .seq = seq};
    const question q = question_of_state(mm->ns, mm->id, at);
    if (!is_gone(a, mm, seq)) {
        ask(a, &q);
    }
}

static void ask_history(const asker *a, const model_machine *mm)
{
    stet_history_opts opts = {.to_seq = mm->count + 1, .ns = mm->ns};
    stet_history *h = NULL;
    const stet_event *e = NULL;
    stet_error err = {0};
    if (is_gone(a, mm, 1)) {
        return;
    }
    stet_status st = stet_history_open(a->s, mm->id, &opts, &h, &err);
    for (uint64_t seq = 1;
         st == STET_OK && seq <= mm->count && !is_gone(a, mm, seq); seq++) {
        st = stet_history_next(h, &e, &err);
        if (st == STET_OK &&
            (e->seq != seq ||
             e->position != mm->events[seq - 1]->said.position)) {
            world_fail(a->o->w,
                       "the history of %.*s has another event at %" PRIu64,
                       (int)mm->id.len, (const char *)mm->id.ptr, seq);
        }
    }
    stet_history_close(h);
    if (st != STET_OK) {
        check_told(a, "a history", st, &err);
    }
}

/*
 * The highest position that was known durable by the time an acknowledged write
 * began: that one's frame says so.
 */
static uint64_t proven_position(const oracle *o)
{
    uint64_t proven = o->m.log_count;
    for (size_t i = 0; i < o->call_count; i++) {
        const call *c = &o->calls[i];
        bool is_proof = c->outcome == CALL_DONE && !c->out[0].is_repeat;
        proven = is_proof && c->floor > proven ? c->floor : proven;
    }
    return proven;
}

/* The least that it may show: one position less than this. */
static uint64_t least_end(const oracle *o, survey_harm harm)
{
    bool is_all_durable = o->w->s.opts.level == STET_LEVEL_DISK;
    switch (harm) {
    case SURVEY_UNSYNCED:
        return 1;
    case SURVEY_MISSING:
        return is_all_durable ? o->floor + 1 : o->m.log_count + 1;
    case SURVEY_CHANGED:
    case SURVEY_UNREADABLE:
        return is_all_durable ? proven_position(o) + 1 : o->m.log_count + 1;
    case SURVEY_STRAY:
        break; /* what the last life wrote was damaged while it went on */
    }
    return o->m.log_count + 1;
}

void survey_ask(oracle *o, stet *s, survey_harm harm)
{
    asker a = {o, s, harm, stet__watermark(&s->pipeline), draw_step(o->w)};
    if (a.end < least_end(o, harm)) {
        world_fail(o->w,
                   "damage hides events: %" PRIu64 " are there of %" PRIu64,
                   a.end - 1, least_end(o, harm) - 1);
    }
    for (size_t i = 0; i < o->m.machine_count; i++) {
        const model_machine *mm = &o->m.machines[i];
        for (uint64_t back = 0; back < mm->count; back += a.step) {
            ask_state(&a, mm, mm->count - back);
        }
        ask_history(&a, mm);
    }
}

/* ---- salvaging ---- */

static const char salvaged[] = "salvaged";

static void check_saved(const asker *a, const question *q, bool must_be)
{
    answer told = {0};
    stet_error err = {0};
    stet_status st = question_ask(q, a->s, &told, &err);
    bool is_same = st == STET_OK && told.digest == question_answer(q, &a->o->m);
    /* That there is none is an answer, too: of what is lost and not missed. */
    bool is_lost = st == STET_E_GONE || err.status == STET_E_NOT_FOUND;
    if (!is_same && (must_be || !is_lost)) {
        world_fail(a->o->w, "the %s of %.*s was not saved as it was: %s, %s",
                   question_name(q), (int)q->id.len, (const char *)q->id.ptr,
                   stet_status_name(st), err.text);
    }
}

static void ask_saved(const asker *a, bool is_whole)
{
    const oracle *o = a->o;
    for (size_t i = 0; i < o->m.machine_count; i++) {
        const model_machine *mm = &o->m.machines[i];
        for (uint64_t back = 0; back < mm->count; back += a->step) {
            uint64_t seq = mm->count - back;
            const stet_at at = {.kind = STET_AT_SEQ, .seq = seq};
            const question q = question_of_state(mm->ns, mm->id, at);
            bool is_durable = mm->events[seq - 1]->said.position <= o->floor &&
                              first_own_position(mm) <= o->floor;
            check_saved(a, &q, is_whole && is_durable);
        }
    }
}

static void hear(void *ctx, stet_log_level level, const char *text)
{
    (void)ctx;
    (void)level;
    (void)text;
}

/* As stet_salvage does, but into segments as small as all others here. */
static stet_status salvage(const oracle *o, const stet_opts *opts,
                           stet_error *err)
{
    stet_opts settled;
    stet_salvage_opts how = {.allocator = opts->allocator};
    stet_salvage_report report = {0};
    stet_log_config config = {
        .os = &o->w->os,
        .alloc = &opts->allocator,
        .opts = &settled,
        .talk = hear,
    };
    stet_status st = stet__open_opts(opts, &settled, err);
    if (st == STET_OK) {
        st = stet__embedded_salvage("store", salvaged, &config, &how, &report,
                                    err);
    }
    world_tell(o->w, "salvage: %s, %" PRIu64 " lost", stet_status_name(st),
               report.lost);
    return st;
}

/*
 * A disk that lied may leave records of several histories, which claim the same
 * positions; where no order is found it is refused, and told.
 */
static bool is_refused(stet_status st, survey_harm harm, const stet_error *err)
{
    return st == STET_E_CORRUPT && harm == SURVEY_UNSYNCED &&
           strstr(err->text, "no room for") != NULL;
}

void survey_salvage(oracle *o, const stet_opts *opts, bool is_whole,
                    survey_harm harm)
{
    stet_error err = {0};
    stet_opts fresh = *opts;
    stet *s = NULL;
    fresh.mode = STET_OPEN_EXISTING;
    stet_status st = salvage(o, opts, &err);
    if (st == STET_OK) {
        st = stet__open_on(&o->w->os, "stet:salvaged", &fresh, &s, &err);
    }
    if (st == STET_OK) {
        asker a = {.o = o, .s = s, .step = draw_step(o->w)};
        ask_saved(&a, is_whole);
        st = stet_verify(s, NULL, NULL, NULL, &err);
        (void)stet_close(s, NULL); /* is thrown away */
    }
    if (st != STET_OK && !is_refused(st, harm, &err)) {
        world_fail(o->w, "salvage: %s", err.text);
    }
    memdisk_empty_folder(o->w->disk, salvaged);
}
