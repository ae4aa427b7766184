/*
 * Recovery: find what a mode names, then the newest state up to there that can
 * be read.
 *
 * A replay that fails names the record it failed on; it had no base on the way
 * there, so no state from that record up to the point can be had. The next one
 * to try is right before it: each damaged record costs one replay, however many
 * events lie behind it.
 */
#include <stet/recovery.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "core/json.h"
#include "engine/load.h"
#include "engine/options.h"
#include "engine/own.h"
#include "engine/replay.h"

/* A report, and what adopting it needs. */
typedef struct report {
    stet_recovery view; /* first: a public pointer is a pointer to this */
    stet_allocator alloc;
    stet_box *box;     /* of the state, one reference */
    uint64_t head_seq; /* the machine's newest event as it was looked at */
} report;

/* One recovery. */
typedef struct recovering {
    stet *s;
    stet_machine_key key;
    stet_recovery_opts o;
    uint64_t watermark;
    stet_point head;
    report *r; /* of the mode at hand */
} recovering;

/* ---- the words ---- */

const char *stet_recovery_mode_name(stet_recovery_mode mode)
{
    switch (mode) {
    case STET_RECOVER_LATEST:
        return "latest";
    case STET_RECOVER_SNAPSHOT:
        return "snapshot";
    case STET_RECOVER_POINT_IN_TIME:
        return "point_in_time";
    case STET_RECOVER_BEFORE_ERROR:
        return "before_error";
    case STET_RECOVER_VERSION:
        return "version";
    case STET_RECOVER_CHECKPOINT:
        return "checkpoint";
    }
    return "unknown";
}

const char *stet_recovery_status_name(stet_recovery_status status)
{
    switch (status) {
    case STET_RECOVERY_SUCCESS:
        return "success";
    case STET_RECOVERY_PARTIAL:
        return "partial";
    case STET_RECOVERY_FAILED:
        return "failed";
    case STET_RECOVERY_NOT_FOUND:
        return "not_found";
    }
    return "unknown";
}

const char *stet_recovery_means_name(stet_recovery_means means)
{
    switch (means) {
    case STET_RECOVERED_FROM_SNAPSHOT:
        return "snapshot";
    case STET_RECOVERED_FROM_EVENTS:
        return "event_replay";
    case STET_RECOVERED_FROM_BOTH:
        return "hybrid";
    case STET_RECOVERED_FROM_NOTHING:
        break;
    }
    return "";
}

/* ---- reports ---- */

static stet_status nomem(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "no memory to recover");
}

void stet_recovery_free(stet_recovery *recovery)
{
    report *r = (report *)recovery;
    if (r != NULL) {
        stet_allocator alloc = r->alloc;
        stet__box_unref(r->box);
        stet__free(&alloc, r, sizeof *r);
    }
}

static report *report_create(const recovering *w, stet_recovery_mode mode)
{
    report *r = stet__alloc_zeroed(&w->s->alloc, 1, sizeof *r);
    if (r != NULL) {
        r->alloc = w->s->alloc;
        r->head_seq = w->head.seq;
        r->view.mode = mode;
        r->view.status = STET_RECOVERY_SUCCESS;
    }
    return r;
}

/* End with less than success; the first reason is the one told. */
static void end_with(report *r, stet_recovery_status status, stet_status cause,
                     const char *reason)
{
    if (r->view.status == STET_RECOVERY_SUCCESS) {
        r->view.cause = cause;
        (void)snprintf(r->view.reason, sizeof r->view.reason, "%s", reason);
    }
    r->view.status = status;
}

/* Is it something that older data may make up for? */
static bool is_about_data(stet_status st)
{
    return stet_status_kind(st) == STET_KIND_DATA ||
           st == STET_E_UNSUPPORTED; /* a reducer that is not registered */
}

/* ---- walking back over events ---- */

/* A look at events, newest first, until one is the one looked for. */
typedef struct look {
    bool (*is_it)(void *ctx, const stet_event *e);
    void *ctx;
    uint64_t to; /* one past the next seq to look at */
    bool is_found;
} look;

/* Look at the events from `from` on. */
static stet_status look_back(recovering *w, uint64_t from, look *l,
                             stet_error *err)
{
    stet_history *h = NULL;
    const stet_event *e = NULL;
    stet_history_opts o = {
        .from_seq = from, .to_seq = l->to, .flags = STET_HISTORY_NEWEST_FIRST};
    stet_status st = stet__history_open(w->s, w->key, &o, &h, err);
    while (st == STET_OK && !l->is_found) {
        st = stet_history_next(h, &e, err);
        if (st == STET_OK) {
            l->to = e->seq;
            l->is_found = l->is_it(l->ctx, e);
        }
    }
    stet_history_close(h);
    return st == STET_DONE ? STET_OK : st;
}

/*
 * Look at all events, those passed by that cannot be read. A walk reads several
 * at once, so the one that it stops at is read alone.
 */
static stet_status look_at_all(recovering *w, look *l, stet_error *err)
{
    l->to = w->head.seq + 1;
    stet_status st = look_back(w, 1, l, err);
    for (uint32_t i = 0; is_about_data(st) && l->to > 1 && !l->is_found &&
                         i < STET_RECOVERY_DAMAGES_MAX;
         i++) {
        uint64_t seq = l->to - 1;
        st = look_back(w, seq, l, err);
        l->to = seq;
        if (!l->is_found && seq > 1 && (st == STET_OK || is_about_data(st))) {
            st = look_back(w, 1, l, err);
        }
    }
    return l->is_found || (is_about_data(st) && l->to <= 1) ? STET_OK : st;
}

/* ---- what a mode names ---- */

/* The seq that a point names. */
static stet_status find_at(recovering *w, const stet_at *at, uint64_t *out,
                           stet_error *err)
{
    stet_point point = {0};
    stet_status st =
        stet__find_point(w->s, w->key, at, w->watermark, &point, err);
    *out = st == STET_OK ? point.seq : 0;
    return st;
}

/* Does the metadata of an event say that it is an error? */
static bool says_error(const recovering *w, stet_slice metadata)
{
    stet_doc doc;
    stet_value *v = NULL;
    stet__doc_init(&doc, &w->s->alloc);
    bool is_error = false;
    if (metadata.len > 0 &&
        stet__json_read(&doc, metadata, STET_JSON_VALUES_MAX, &v, NULL) ==
            STET_OK) {
        const stet_value *m = stet__value_member(v, stet_str("is_error"));
        is_error = m != NULL && m->kind == STET_VALUE_TRUE;
    }
    stet__doc_deinit(&doc);
    return is_error;
}

static bool is_error(void *ctx, const stet_event *e)
{
    recovering *w = ctx;
    bool is = e->kind == STET_EVENT_FAILED || e->error.len > 0 ||
              says_error(w, e->metadata);
    w->r->view.error_seq = is ? e->seq : 0;
    return is;
}

/* The newest error's seq less one; the newest where there is none. */
static stet_status find_before_error(recovering *w, uint64_t *out,
                                     stet_error *err)
{
    look l = {.is_it = is_error, .ctx = w};
    stet_status st = look_at_all(w, &l, err);
    *out = w->head.seq;
    if (st == STET_OK && w->r->view.error_seq > 0) {
        *out = w->r->view.error_seq - 1;
    }
    return st == STET_OK && *out == 0
               ? stet__fail(err, STET_E_NOT_FOUND, 0,
                            "the first event of %s is an error",
                            stet__id_text(w->key.id).text)
               : st;
}

/* Looks for the newest seq at which the state has a version. */
typedef struct version_search {
    stet_slice version;
    uint64_t last; /* up to which the version is that of the event at hand */
    uint64_t found;
} version_search;

/* An event that says nothing of a version keeps that of the one before. */
static bool sets_version(void *ctx, const stet_event *e)
{
    version_search *v = ctx;
    bool says = e->version.len > 0 || e->kind == STET_EVENT_RESTORED;
    if (says && stet__slice_eq(e->version, v->version)) {
        v->found = v->last;
        return true;
    }
    v->last = says ? e->seq - 1 : v->last;
    return false;
}

static stet_status find_version(recovering *w, uint64_t *out, stet_error *err)
{
    version_search v = {.version = w->o.version, .last = w->head.seq};
    look l = {.is_it = sets_version, .ctx = &v};
    stet_status st = look_at_all(w, &l, err);
    *out = v.found;
    return st == STET_OK && v.found == 0
               ? stet__fail(err, STET_E_NOT_FOUND, 0, "%s had no version %.*s",
                            stet__id_text(w->key.id).text,
                            (int)(v.version.len < 64 ? v.version.len : 64),
                            (const char *)v.version.ptr)
               : st;
}

static bool is_base(void *ctx, const stet_event *e)
{
    uint64_t *seq = ctx;
    *seq = (e->flags & STET_EVENT_BASE) != 0 ? e->seq : 0;
    return *seq != 0;
}

static stet_status find_snapshot(recovering *w, uint64_t *out, stet_error *err)
{
    uint64_t seq = w->o.snapshot_seq;
    uint64_t base = 0;
    look l = {.is_it = is_base, .ctx = &base, .to = seq + 1};
    stet_status st = STET_OK;
    if (seq == 0) {
        st = look_at_all(w, &l, err);
        seq = base;
    } else if (seq <= w->head.seq) {
        st = look_back(w, seq, &l, err);
    }
    *out = seq;
    return st == STET_OK && !l.is_found
               ? stet__fail(err, STET_E_NOT_FOUND, 0,
                            "%s has no snapshot at seq %" PRIu64,
                            stet__id_text(w->key.id).text, seq)
               : st;
}

static stet_status find_wanted(recovering *w, stet_recovery_mode mode,
                               uint64_t *out, stet_error *err)
{
    stet_at at = {0};
    switch (mode) {
    case STET_RECOVER_LATEST:
        *out = w->head.seq;
        return STET_OK;
    case STET_RECOVER_SNAPSHOT:
        return find_snapshot(w, out, err);
    case STET_RECOVER_POINT_IN_TIME:
        at = (stet_at){.kind = STET_AT_TIME, .time = w->o.time};
        return find_at(w, &at, out, err);
    case STET_RECOVER_BEFORE_ERROR:
        return find_before_error(w, out, err);
    case STET_RECOVER_VERSION:
        return find_version(w, out, err);
    case STET_RECOVER_CHECKPOINT:
        at = (stet_at){.kind = STET_AT_CHECKPOINT, .name = w->o.checkpoint};
        return find_at(w, &at, out, err);
    }
    return STET_E_INVALID;
}

/* ---- states ---- */

static stet_status replay_seq(recovering *w, uint64_t seq, stet_replayed *out,
                              stet_error *err)
{
    stet_bench *bench = stet__bench_take(&w->s->benches);
    if (bench == NULL) {
        return nomem(err);
    }
    stet_at at = {.kind = STET_AT_SEQ, .seq = seq};
    stet_replay_of of = {.key = w->key};
    *out = (stet_replayed){.failed_seq = seq};
    stet_status st =
        stet__find_point(w->s, w->key, &at, w->watermark, &of.point, err);
    if (st == STET_OK) {
        st = stet__replay(w->s, bench, &of, out, err);
    }
    stet__bench_give(&w->s->benches, bench);
    return st;
}

/* The newest state at or before `seq` that can be read. */
static stet_status reach(recovering *w, uint64_t seq, stet_replayed *out,
                         stet_error *err)
{
    stet_error own = {0};
    stet_status st = replay_seq(w, seq, out, &own);
    for (uint32_t i = 0; is_about_data(st) && out->failed_seq > 1 &&
                         i < STET_RECOVERY_DAMAGES_MAX;
         i++) {
        end_with(w->r, STET_RECOVERY_PARTIAL, st, own.text);
        STET_ASSERT(out->failed_seq <= seq);
        seq = out->failed_seq - 1;
        st = replay_seq(w, seq, out, &own);
    }
    if (st != STET_OK && err != NULL) {
        *err = own;
    }
    return st;
}

/* No more events than the limit allows, counted from the base on. */
static stet_status hold_to_limit(recovering *w, stet_replayed *p,
                                 stet_error *err)
{
    uint64_t most = w->o.transitions_max;
    uint64_t behind = p->folded - 1;
    if (behind <= most) {
        return STET_OK;
    }
    char text[128];
    (void)snprintf(text, sizeof text,
                   "%" PRIu64 " events lie behind the snapshot at seq %" PRIu64
                   "; %" PRIu64 " were replayed",
                   behind, p->point.seq - behind, most);
    uint64_t seq = p->point.seq - behind + most;
    stet__box_unref(p->box);
    p->box = NULL;
    stet_status st = replay_seq(w, seq, p, err);
    if (st == STET_OK) {
        end_with(w->r, STET_RECOVERY_PARTIAL, STET_E_PARTIAL, text);
    }
    return st;
}

static void validate(recovering *w)
{
    stet_error why = {0};
    if (w->o.validate == NULL ||
        w->o.validate(w->o.validate_ctx, &w->r->box->view, &why) == STET_OK) {
        return;
    }
    end_with(w->r, STET_RECOVERY_PARTIAL, STET_E_INVALID,
             why.text[0] == '\0' ? "the state is not valid" : why.text);
}

static void describe(report *r, const stet_replayed *p)
{
    stet_recovery *v = &r->view;
    r->box = p->box;
    v->state = &p->box->view;
    v->reached_seq = p->point.seq;
    v->replayed = p->folded - 1;
    v->base_seq = v->reached_seq - v->replayed;
    v->skipped = v->wanted_seq - v->reached_seq;
    v->means = v->replayed == 0   ? STET_RECOVERED_FROM_SNAPSHOT
               : v->base_seq == 1 ? STET_RECOVERED_FROM_EVENTS
                                  : STET_RECOVERED_FROM_BOTH;
}

/* Does a failure end the whole call, or is it something to report? */
static bool is_of_the_call(stet_status st)
{
    return st == STET_E_NOMEM || st == STET_E_IO || st == STET_E_INVALID;
}

/* Try one mode; the report of it is w->r. */
static stet_status attempt(recovering *w, stet_recovery_mode mode,
                           stet_error *err)
{
    report *r = w->r;
    stet_error why = {0};
    stet_replayed p = {0};
    stet_status st = find_wanted(w, mode, &r->view.wanted_seq, &why);
    if (st == STET_OK) {
        st = reach(w, r->view.wanted_seq, &p, &why);
    }
    if (st == STET_OK) {
        st = hold_to_limit(w, &p, &why);
    }
    if (st == STET_OK && p.is_deleted) {
        st = stet__fail(&why, STET_E_NOT_FOUND, 0,
                        "%s was deleted at seq %" PRIu64,
                        stet__id_text(w->key.id).text, p.point.seq);
    }
    if (st == STET_OK) {
        describe(r, &p);
        validate(w);
        return STET_OK;
    }
    if (is_of_the_call(st)) {
        if (err != NULL) {
            *err = why;
        }
        return st;
    }
    bool is_nowhere =
        st == STET_E_NOT_FOUND && r->view.status == STET_RECOVERY_SUCCESS;
    end_with(r, is_nowhere ? STET_RECOVERY_NOT_FOUND : STET_RECOVERY_FAILED, st,
             why.text);
    return STET_OK;
}

/* ---- several modes ---- */

static stet_status check_opts(const stet_recovery_opts *opts, stet_slice id,
                              stet_recovery_opts *out, stet_error *err)
{
    static const stet_recovery_mode latest[] = {STET_RECOVER_LATEST};
    stet_status st = stet__options_copy(opts, sizeof *out, out, err);
    if (st == STET_OK) {
        st = stet__id_check(id, out->ns, err);
    }
    if (st != STET_OK) {
        return st;
    }
    if (out->modes == NULL || out->mode_count == 0) {
        out->modes = latest;
        out->mode_count = 1;
    }
    if (out->mode_count > STET_RECOVERY_MODES_MAX) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "%zu modes; at most %d are tried", out->mode_count,
                          STET_RECOVERY_MODES_MAX);
    }
    for (size_t i = 0; i < out->mode_count; i++) {
        if (out->modes[i] < STET_RECOVER_LATEST ||
            out->modes[i] > STET_RECOVER_CHECKPOINT) {
            return stet__fail(err, STET_E_INVALID, 0, "recovery mode %d",
                              (int)out->modes[i]);
        }
        if (out->modes[i] == STET_RECOVER_VERSION && out->version.len == 0) {
            return stet__fail(err, STET_E_INVALID, 0,
                              "mode version needs a version");
        }
    }
    if (out->transitions_max == 0) {
        out->transitions_max = STET_RECOVERY_TRANSITIONS_MAX;
    }
    return STET_OK;
}

/* The machine's newest event; damage is for the report, not for this. */
static stet_status find_head(recovering *w, stet_error *err)
{
    stet_bound newest = {STET_BY_POSITION, w->watermark - 1, 0};
    return w->s->log->ops->seek(w->s->log, w->key, newest, w->watermark,
                                &w->head, err);
}

/* A state is better than none, damage is worse than nothing to be found. */
static int rank(stet_recovery_status status)
{
    switch (status) {
    case STET_RECOVERY_SUCCESS:
        return 3;
    case STET_RECOVERY_PARTIAL:
        return 2;
    case STET_RECOVERY_FAILED:
        return 1;
    case STET_RECOVERY_NOT_FOUND:
        break;
    }
    return 0;
}

static stet_status try_modes(recovering *w, report **out, stet_error *err)
{
    report *best = NULL;
    stet_status st = STET_OK;
    for (size_t i = 0;
         i < w->o.mode_count && st == STET_OK &&
         (best == NULL || best->view.status != STET_RECOVERY_SUCCESS);
         i++) {
        w->r = report_create(w, w->o.modes[i]);
        st = w->r == NULL ? nomem(err) : attempt(w, w->o.modes[i], err);
        if (st == STET_OK && (best == NULL || rank(w->r->view.status) >
                                                  rank(best->view.status))) {
            report *worse = best;
            best = w->r;
            w->r = worse;
        }
        stet_recovery_free(w->r == NULL ? NULL : &w->r->view);
        w->r = NULL;
    }
    if (st != STET_OK) {
        stet_recovery_free(best == NULL ? NULL : &best->view);
        return st;
    }
    *out = best;
    return STET_OK;
}

stet_status stet_recover(stet *s, stet_slice id, const stet_recovery_opts *opts,
                         stet_recovery **out, stet_error *err)
{
    stet__error_reset(err);
    if ((s->opts.flags & STET_NO_RECOVERY) != 0) {
        return stet__fail(err, STET_E_UNSUPPORTED, 0,
                          "recovering is switched off: STET_NO_RECOVERY, "
                          "recovery.enabled");
    }
    recovering w = {.s = s, .watermark = stet__watermark(&s->pipeline)};
    stet_status st = check_opts(opts, id, &w.o, err);
    if (st != STET_OK) {
        return st;
    }
    w.key = (stet_machine_key){id, w.o.ns};
    stet_error why = {0};
    st = find_head(&w, &why);
    report *r = NULL;
    if (st == STET_OK) {
        st = try_modes(&w, &r, err);
    } else if (is_of_the_call(st)) {
        if (err != NULL) {
            *err = why;
        }
    } else {
        r = report_create(&w, w.o.modes[0]);
        if (r == NULL) {
            return nomem(err);
        }
        end_with(r,
                 st == STET_E_NOT_FOUND ? STET_RECOVERY_NOT_FOUND
                                        : STET_RECOVERY_FAILED,
                 st,
                 st == STET_E_NOT_FOUND ? "it was never written" : why.text);
        st = STET_OK;
    }
    if (st == STET_OK) {
        *out = &r->view;
    }
    return st;
}

/* ---- adopting ---- */

/* The machine as it was looked at: at that seq, or deleted. */
static stet_expect as_it_was(stet *s, const report *r)
{
    stet_machine_key key = {r->box->view.state_machine_id, r->box->view.ns};
    stet_at newest = {0};
    stet_point point = {0};
    stet_status st = stet__find_alive(
        s, key, &newest, stet__watermark(&s->pipeline), &point, NULL);
    return st == STET_E_NOT_FOUND
               ? (stet_expect){STET_EXPECT_NONE, 0}
               : (stet_expect){STET_EXPECT_EXACT, r->head_seq};
}

stet_status stet_recovery_adopt(stet *s, const stet_recovery *recovery,
                                const stet_write_opts *opts, stet_written *out,
                                stet_error *err)
{
    stet__error_reset(err);
    const report *r = (const report *)recovery;
    stet_write_opts o = {0};
    stet_status st = stet__write_opts_check(opts, err);
    if (st == STET_OK && r->box == NULL) {
        st = stet__fail(err, STET_E_INVALID, 0,
                        "a recovery that is %s has no state to adopt",
                        stet_recovery_status_name(r->view.status));
    }
    if (st != STET_OK) {
        return st;
    }
    if (opts != NULL) {
        o = *opts;
    }
    const stet_state *v = &r->box->view;
    char metadata[160];
    (void)snprintf(metadata, sizeof metadata,
                   "{\"recovery\":{\"mode\":\"%s\",\"seq\":%" PRIu64
                   ",\"status\":\"%s\"}}",
                   stet_recovery_mode_name(r->view.mode), v->seq,
                   stet_recovery_status_name(r->view.status));
    stet_change change = o.more;
    change.verb = STET_VERB_RESTORE;
    change.id = v->state_machine_id;
    change.ns = v->ns;
    change.payload = v->state_data;
    change.to_state = v->current_state;
    change.state_type = v->state_type;
    change.version = v->version;
    change.machine_metadata = v->metadata;
    change.metadata = stet_str(metadata);
    if (change.expect.kind == STET_EXPECT_ANY) {
        change.expect = as_it_was(s, r);
    }
    stet_batch batch = {.struct_size = sizeof batch,
                        .changes = &change,
                        .change_count = 1,
                        .key = o.key,
                        .level = o.level};
    return stet__commit_onto_damage(s, &batch, r->box, out, err);
}
