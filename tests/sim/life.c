#include "sim/life.h"

#include "engine/handle.h"
#include "lib/model_check.h"
#include "sim/archive.h"
#include "sim/client.h"
#include "sim/survey.h"
#include "sim/thinning.h"

enum {
    CLIENTS_MAX = 8,
    HARMS = 4,
    THINNED_LIVES = 3,
    OPEN_TRIES_MAX = 4,
    OPEN_CALLS_MAX = 60,
    CLOSE_CALLS_MAX = 80
};

typedef struct life {
    world *w;
    oracle o;
    client clients[CLIENTS_MAX];
    unsigned number;
    bool is_last;
    bool is_doomed;
    bool is_made; /* the store was opened before */
    thinning *thin;
    survey_harm harm;
    bool is_whole; /* there is none */
} life;

static stet_opts options(const life *l)
{
    stet_opts o = l->thin != NULL ? thinning_opts(l->thin) : l->w->s.opts;
    o.allocator = world_allocator(l->w);
    return o;
}

/* May opening fail so, as things are? */
static bool is_excused(const world *w, stet_status st)
{
    switch (st) {
    case STET_E_NOMEM:
    case STET_E_IO:
        return w->has_failed;
    case STET_E_NOSPACE:
        return w->is_scarce;
    default:
        return false;
    }
}

static stet *open_store(life *l)
{
    world *w = l->w;
    stet_opts opts = options(l);
    stet *s = NULL;
    stet_error err = {0};
    for (int i = 0; s == NULL; i++) {
        stet_status st = stet__open_on(&w->os, "stet:store", &opts, &s, &err);
        world_tell(w, "open: %s %s", stet_status_name(st), err.text);
        if (st != STET_OK && !is_excused(w, st)) {
            world_fail(w, "%s", err.text);
        }
        /* Once it is made it opens on a full disk, and shows everything. */
        if (l->is_made &&
            (st == STET_E_NOSPACE || (st == STET_OK && s->start.is_readonly))) {
            world_fail(w, "it takes space to open: %s", err.text);
        }
        if (i == OPEN_TRIES_MAX) { /* it is helped */
            w->is_calm = true;
            w->is_scarce = false;
            memdisk_set_space(w->disk, UINT64_MAX);
        }
    }
    l->is_made = true;
    return s;
}

/* What is there, compared; nobody crashes or fails meanwhile. */
static void compare(life *l, stet *s)
{
    bool was_calm = l->w->is_calm;
    l->w->is_calm = true;
    oracle_settle(&l->o, s);
    model_check_some(&l->o.m, s, &l->w->faults);
    archive_check(&l->o, s, &l->w->faults);
    l->w->is_calm = was_calm;
}

static void run_clients(life *l, stet *s)
{
    world *w = l->w;
    l->o.compactions = 0;
    for (unsigned i = 0; i < w->s.clients; i++) {
        client *c = &l->clients[i];
        client_init(c, &l->o, s, i, l->number);
        if (w->s.is_sequential) {
            client_run(c);
        } else if (w->os.thread_start(&w->os, client_run, c, &c->thread) != 0) {
            c->ops = 0; /* was not started */
        }
    }
    for (unsigned i = 0; i < w->s.clients && !w->s.is_sequential; i++) {
        if (l->clients[i].ops > 0) {
            w->os.thread_join(&w->os, l->clients[i].thread);
        }
    }
}

static void close_store(life *l, stet *s)
{
    world *w = l->w;
    stet_error err = {0};
    if (l->is_doomed && rng_below(&w->faults, 3) == 0) {
        world_doom(w, CLOSE_CALLS_MAX);
    }
    stet_status st = stet_close(s, &err);
    world_tell(w, "close: %s %s", stet_status_name(st), err.text);
    if (st != STET_OK && !w->has_failed && !is_excused(w, st)) {
        world_fail(w, "close: %s", err.text);
    }
    if (w->memory->lent > 0) {
        world_fail(w, "the store left memory behind");
    }
    if (st == STET_OK) {
        oracle_closed(&l->o);
    }
}

static bool may_crash(const world *w)
{
    return swarm_has(&w->s, FAULT_KILL) || swarm_has(&w->s, FAULT_POWER);
}

/* What was there is settled: from here on nothing is held to the oracle. */
static void begin_to_stray(life *l)
{
    l->w->may_stray = true;
    if (may_crash(l->w)) {
        world_doom(l->w, l->w->s.calls_max);
    }
}

static void live(void *ctx)
{
    life *l = ctx;
    if (l->is_doomed) {
        bool is_early = rng_below(&l->w->faults, 2) == 0;
        world_doom(l->w, is_early ? OPEN_CALLS_MAX : l->w->s.calls_max);
    }
    l->w->is_calm = l->w->is_calm || !swarm_has(&l->w->s, FAULT_OPENING);
    stet *s = open_store(l);
    compare(l, s);
    l->w->is_calm = l->is_last;
    if (rng_below(&l->w->faults, 8) == 0) { /* nothing is live yet */
        client_compact(&l->o, s);
    }
    if (l->harm == SURVEY_STRAY) {
        begin_to_stray(l);
    }
    run_clients(l, s);
    l->w->may_stray = false;
    close_store(l, s);
}

static void verify(const life *l, stet *s)
{
    stet_verify_report report;
    stet_error err = {0};
    stet_status st = stet_verify(s, NULL, NULL, &report, &err);
    if (st != STET_OK) {
        world_fail(l->w, "verify: %s", err.text);
    }
}

/* At the end everything is compared, and still there after a clean stop. */
static void look_back(void *ctx)
{
    life *l = ctx;
    stet *s = open_store(l);
    compare(l, s);
    if (rng_below(&l->w->faults, 8) == 0) { /* it takes as long as the rest */
        verify(l, s);
    }
    if (rng_below(&l->w->faults, 32) == 0) {
        model_check_all(&l->o.m, s, &l->w->faults);
    }
    close_store(l, s);
}

/* Up again after a crash; power may be cut after a clean stop, too. */
static void end_life(life *l, bool has_ended)
{
    world *w = l->w;
    bool is_power =
        swarm_has(&w->s, FAULT_POWER) &&
        (!swarm_has(&w->s, FAULT_KILL) || rng_below(&w->faults, 3) > 0);
    if (has_ended && !is_power) {
        return;
    }
    world_crash(w, is_power);
    if (is_power) {
        oracle_power_cut(&l->o);
    }
}

/* Open what was damaged: it says so, or it says what is true. */
static void look_at_damage(void *ctx)
{
    life *l = ctx;
    world *w = l->w;
    stet_opts opts = options(l);
    stet *s = NULL;
    stet_error err = {0};
    stet_status st = stet__open_on(&w->os, "stet:store", &opts, &s, &err);
    world_tell(w, "open: %s %s", stet_status_name(st), err.text);
    if (st == STET_OK) {
        survey_ask(&l->o, s, l->harm);
        (void)stet_close(s, NULL); /* what is damaged may end it, too */
    } else if (!survey_is_told(st, &err, l->harm)) {
        world_fail(w, "%s", err.text);
    }
}

/* What is left of the store, whatever was done to it, is saved. */
static void save_what_is_left(void *ctx)
{
    life *l = ctx;
    stet_opts opts = options(l);
    survey_salvage(&l->o, &opts, l->is_whole, l->harm);
}

/* Was it led astray, or lied to? To save it takes as long as all else. */
static void look_and_save(life *l)
{
    l->is_whole = false;
    (void)world_live(l->w, look_at_damage, l);
    if (rng_below(&l->w->faults, 2) == 0) {
        (void)world_live(l->w, save_what_is_left, l);
    }
}

/* A life of gardeners: checked when it begins, cut off when it ends. */
static void live_thinned(void *ctx)
{
    life *l = ctx;
    world *w = l->w;
    if (l->is_doomed) {
        world_doom(w, w->s.calls_max);
    }
    w->is_calm = true;
    stet *s = open_store(l);
    thinning_check(l->thin, s);
    w->is_calm = l->is_last;
    if (l->is_last) {
        /* At rest all of it can be settled: the last frames lie in a segment
         * that is not finished before a close. */
        close_store(l, s);
        s = open_store(l);
        thinning_end(l->thin, s);
    } else {
        thinning_work(l->thin, s);
    }
    close_store(l, s);
}

/* Lives in which a rule drops events, then one in which nothing happens. */
static void be_thinned(life *l)
{
    world *w = l->w;
    memdisk *whole = world_copy_disk(w);
    w->is_scarce = false;
    memdisk_set_space(w->disk, UINT64_MAX);
    l->thin = thinning_create(&l->o);
    for (int i = 0; i <= THINNED_LIVES; i++) {
        l->number++;
        l->is_last = i == THINNED_LIVES;
        l->is_doomed = !l->is_last && may_crash(w);
        bool has_ended = world_live(w, live_thinned, l);
        bool is_power = swarm_has(&w->s, FAULT_POWER);
        if (!has_ended || (is_power && !l->is_last)) {
            world_crash(w, is_power);
            if (is_power) {
                thinning_power_cut(l->thin);
            }
        }
    }
    thinning_destroy(l->thin);
    l->thin = NULL;
    w->is_calm = true;
    world_take_disk(w, whole);
}

/* One life more, perhaps; then damages, each to the disk as it is then. */
static void come_to_harm(life *l)
{
    world *w = l->w;
    l->number++;
    l->is_last = false;
    l->is_doomed = may_crash(w);
    w->is_calm = false;
    (void)world_live(w, live, l);
    world_crash(w, true); /* cache and media are the same from here */
    oracle_power_cut(&l->o);
    w->is_calm = true;
    for (int i = 0; i < HARMS; i++) {
        memdisk *sound = world_copy_disk(w);
        l->is_whole = i == 0 && rng_below(&w->faults, 2) == 0;
        if (!l->is_whole) {
            l->harm = survey_damage(w);
            (void)world_live(w, look_at_damage, l);
        }
        if (i == 0) {
            (void)world_live(w, save_what_is_left, l);
        }
        world_take_disk(w, sound);
    }
}

/* A life in which one block is written, or read, at another's place. */
static void be_led_astray(life *l)
{
    world *w = l->w;
    memdisk *sound = world_copy_disk(w);
    deposit before =
        l->o.deposit; /* what is backed up now goes with the disk */
    l->number++;
    l->is_last = false;
    l->is_doomed = false; /* before it begins */
    l->harm = SURVEY_STRAY;
    w->is_calm = true;
    (void)world_live(w, live, l);
    world_crash(w, true);
    w->is_calm = true;
    w->may_stray = false;
    look_and_save(l);
    world_take_disk(w, sound);
    l->o.deposit = before;
    oracle_forget(&l->o);
}

/* A life on a disk that lies, then a power cut: much may be gone. */
static void be_lied_to(life *l)
{
    world *w = l->w;
    l->number++;
    l->is_last = false;
    l->is_doomed = true;
    l->harm = SURVEY_UNSYNCED;
    memdisk_set_lying(w->disk, true);
    w->is_calm = false;
    (void)world_live(w, live, l);
    memdisk_set_lying(w->disk, false);
    world_crash(w, true);
    w->is_calm = true;
    look_and_save(l);
}

/* The disk is a little larger than what it holds, or large enough. */
static void give_space(life *l)
{
    world *w = l->w;
    uint64_t more = rng_below(&w->faults, 12 * w->s.opts.segment_bytes);
    w->is_scarce = swarm_has(&w->s, FAULT_SPACE) && !l->is_last;
    memdisk_set_space(w->disk,
                      w->is_scarce ? memdisk_used(w->disk) + more : UINT64_MAX);
}

life_report life_run(const swarm *s, bool is_traced)
{
    life_report report = {0};
    life l = {.w = world_create(s)};
    world *w = l.w;
    w->is_traced = is_traced;
    oracle_init(&l.o, w);
    for (l.number = 0; l.number < s->lives; l.number++) {
        l.is_last = l.number + 1 == s->lives;
        w->is_calm = l.is_last;
        l.is_doomed = rng_below(&w->faults, 8) > 0 && may_crash(w);
        give_space(&l);
        world_tell(w, "life %u", l.number);
        bool has_ended = world_live(w, live, &l);
        report.crashes += !has_ended;
        report.calls += w->calls;
        end_life(&l, has_ended);
    }
    w->is_calm = true;
    (void)world_live(w, look_back, &l);
    report.calls += w->calls;
    if (swarm_has(s, FAULT_THIN)) {
        be_thinned(&l);
        report.calls += w->calls;
    }
    if (swarm_has(s, FAULT_ROT)) {
        come_to_harm(&l);
        report.calls += w->calls;
    }
    if (swarm_has(s, FAULT_STRAY)) {
        be_led_astray(&l);
        report.calls += w->calls;
    }
    if (swarm_has(s, FAULT_LIES)) {
        be_lied_to(&l);
        report.calls += w->calls;
    }
    report.digest = w->digest;
    report.acknowledged = l.o.acknowledged;
    oracle_deinit(&l.o);
    world_destroy(w);
    return report;
}
