/* Opening and closing: options, stores by URL, the handle's parts. */
#include <inttypes.h>
#include <string.h>

#include <stet/handle.h>

#include "base/assert.h"
#include "base/error.h"
#include "core/frame.h"
#include "core/json.h"
#include "engine/deferred.h"
#include "engine/erasure.h"
#include "engine/handle.h"
#include "engine/options.h"
#include "engine/retention.h"
#include "engine/rules.h"
#include "stores/embedded/backup_view.h"
#include "stores/embedded/embedded.h"
#include "stores/memory/memory.h"

enum {
    STET_STATE_BYTES_TOP = 16 * 1024 * 1024,
    STET_BATCH_BYTES_TOP = 32 * 1024 * 1024,
    STET_SEGMENT_BYTES_MIN = 16 * 1024,
    STET_SEGMENT_BYTES_TOP = 1024 * 1024 * 1024,
    STET_SETTLE_SEGMENTS_TOP = 16,
    STET_INDEX_SETS_TOP = 16,
    STET_IN_FLIGHT_TOP = 16,
};

static const stet_driver *const drivers[] = {
    &stet__embedded_driver,
    &stet__memory_driver,
    &stet__backup_driver,
};

/* ---- options ---- */

static stet_status copy_opts(const stet_opts *opts, stet_opts *out,
                             stet_error *err)
{
    /* The one struct that has an initialiser: no excuse for leaving it out. */
    if (opts != NULL && opts->struct_size == 0) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "options without struct_size; begin with "
                          "STET_OPTS_INIT");
    }
    return stet__options_copy(opts, sizeof(*out), out, err);
}

/* Set a default, and refuse what lies outside [least, most]. */
static stet_status settle(const char *name, uint64_t least, uint64_t most,
                          uint64_t fallback, uint64_t *value, stet_error *err)
{
    if (*value == 0) {
        *value = fallback;
    }
    if (*value < least || *value > most) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "%s is %llu; %llu to %llu are allowed", name,
                          (unsigned long long)*value, (unsigned long long)least,
                          (unsigned long long)most);
    }
    return STET_OK;
}

static stet_status settle32(const char *name, uint64_t least, uint64_t most,
                            uint64_t fallback, uint32_t *value, stet_error *err)
{
    uint64_t wide = *value;
    stet_status st = settle(name, least, most, fallback, &wide, err);
    *value = (uint32_t)wide;
    return st;
}

static stet_status settle_numbers(stet_opts *o, stet_error *err)
{
    const uint64_t mib = 1024 * 1024;
    const struct {
        const char *name;
        uint64_t least;
        uint64_t most;
        uint64_t fallback;
        uint32_t *value;
    } narrow[] = {
        {"state_bytes_max", 1, STET_STATE_BYTES_TOP, STET_STATE_BYTES_TOP,
         &o->state_bytes_max},
        {"batch_events_max", 1, STET_BATCH_EVENTS_MAX, STET_BATCH_EVENTS_MAX,
         &o->batch_events_max},
        {"batch_bytes_max", 4096, STET_BATCH_BYTES_TOP, STET_BATCH_BYTES_TOP,
         &o->batch_bytes_max},
        {"callbacks_max", 1, mib, 65536, &o->callbacks_max},
        {"segment_bytes", STET_SEGMENT_BYTES_MIN, STET_SEGMENT_BYTES_TOP,
         16 * mib, &o->segment_bytes},
        {"settle_segments", 1, STET_SETTLE_SEGMENTS_TOP,
         STET_SETTLE_SEGMENTS_TOP, &o->settle_segments},
        {"index_sets", 1, STET_INDEX_SETS_TOP, STET_INDEX_SETS_TOP,
         &o->index_sets},
        {"base_events", 1, STET_BASE_EVENTS_TOP, 64, &o->base_events},
        {"base_bytes", 1, UINT32_MAX, mib, &o->base_bytes},
        {"frames_in_flight", 1, STET_IN_FLIGHT_TOP, 4, &o->frames_in_flight},
    };
    for (size_t i = 0; i < sizeof(narrow) / sizeof(narrow[0]); i++) {
        stet_status st =
            settle32(narrow[i].name, narrow[i].least, narrow[i].most,
                     narrow[i].fallback, narrow[i].value, err);
        if (st != STET_OK) {
            return st;
        }
    }
    if (o->segment_bytes % STET_W != 0) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "segment_bytes is %u; a multiple of %d is needed",
                          o->segment_bytes, STET_W);
    }
    const uint64_t most = (uint64_t)1 << 40;
    stet_status st =
        settle("cache_bytes", 4096, most, 64 * mib, &o->cache_bytes, err);
    if (st == STET_OK) {
        st = settle("queue_bytes", 4096, most, 16 * mib, &o->queue_bytes, err);
    }
    if (st == STET_OK) {
        st = settle("deferred_bytes", 4096, most, 16 * mib, &o->deferred_bytes,
                    err);
    }
    if (st == STET_OK && o->cache_entries != 0) {
        st = settle("cache_entries", STET_TABLE_STRIPES, most, 0,
                    &o->cache_entries, err);
    }
    if (st == STET_OK && o->cache_ttl_ns < 0) {
        st = stet__fail(err, STET_E_INVALID, 0, "cache_ttl_ns is %" PRId64,
                        o->cache_ttl_ns);
    }
    return st == STET_OK ? settle("memory_bytes_max", mib, most, 1024 * mib,
                                  &o->memory_bytes_max, err)
                         : st;
}

static bool is_listed_before(const stet_opts *o, size_t idx)
{
    for (size_t i = 0; i < idx; i++) {
        if (o->reducers[i].version == o->reducers[idx].version &&
            strcmp(o->reducers[i].name, o->reducers[idx].name) == 0) {
            return true;
        }
    }
    return false;
}

static stet_status check_reducers(const stet_opts *o, stet_error *err)
{
    if (o->reducer_count > STET_REDUCERS_MAX ||
        (o->reducer_count > 0 && o->reducers == NULL)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "reducer_count is %zu; at most %d reducers are "
                          "allowed",
                          o->reducer_count,
                          o->reducers == NULL ? 0 : STET_REDUCERS_MAX);
    }
    for (size_t i = 0; i < o->reducer_count; i++) {
        const stet_reducer_def *r = &o->reducers[i];
        size_t bytes = r->name == NULL ? 0 : strlen(r->name);
        if (bytes == 0 || bytes > STET_NAME_BYTES_MAX || r->version == 0 ||
            r->fn == NULL) {
            return stet__fail(err, STET_E_INVALID, 0,
                              "reducer %zu needs a name of 1 to %d bytes, a "
                              "version from 1 and a function",
                              i, STET_NAME_BYTES_MAX);
        }
        if (is_listed_before(o, i)) {
            return stet__fail(err, STET_E_INVALID, 0,
                              "reducer %zu, %s version %" PRIu32
                              ", is listed before",
                              i, r->name, r->version);
        }
    }
    return STET_OK;
}

static stet_status check_retention(const stet_opts *o, stet_error *err)
{
    if (o->retention_count > STET_RETENTION_RULES_MAX ||
        (o->retention_count > 0 && o->retention == NULL)) {
        return stet__fail(
            err, STET_E_INVALID, 0,
            "retention_count is %zu; at most %d rules are allowed",
            o->retention_count,
            o->retention == NULL ? 0 : STET_RETENTION_RULES_MAX);
    }
    for (size_t i = 0; i < o->retention_count; i++) {
        const stet_retention_rule *r = &o->retention[i];
        const char *pattern = r->pattern == NULL ? "" : r->pattern;
        stet_status st = stet__pattern_check(stet_str(pattern), r->ns, err);
        if (st != STET_OK) {
            return st;
        }
        if (r->keep_ns < 0) {
            return stet__fail(err, STET_E_INVALID, 0,
                              "rule %zu of retention keeps %" PRId64 " ns", i,
                              r->keep_ns);
        }
    }
    return STET_OK;
}

static stet_status settle_opts(stet_opts *o, stet_error *err)
{
    const uint32_t open_flags =
        STET_NO_THREADS | STET_NO_RECOVERY | STET_NO_CACHE;
    if (o->mode < STET_OPEN_DEFAULT || o->mode > STET_OPEN_READONLY ||
        o->level < STET_LEVEL_DEFAULT || o->level > STET_LEVEL_DISK ||
        (o->flags & ~open_flags) != 0 || o->queue_full < STET_QUEUE_BLOCK ||
        o->queue_full > STET_QUEUE_SHED) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "options mode, level, flags or queue_full");
    }
    if (o->name_pointers == NULL) {
        o->name_pointers = "/current_state /phase";
    }
    if (!stet__json_pointers_are_valid(stet_str(o->name_pointers))) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "name_pointers \"%s\" are not JSON pointers",
                          o->name_pointers);
    }
    if (o->allocator.fn == NULL) {
        o->allocator = stet__heap;
    }
    stet_status st = check_reducers(o, err);
    if (st == STET_OK) {
        st = check_retention(o, err);
    }
    if (st == STET_OK) {
        st = stet__rules_check(o, err);
    }
    return st == STET_OK ? settle_numbers(o, err) : st;
}

stet_status stet__open_opts(const stet_opts *opts, stet_opts *out,
                            stet_error *err)
{
    stet_status st = copy_opts(opts, out, err);
    return st == STET_OK ? settle_opts(out, err) : st;
}

/* ---- stores by URL ---- */

static stet_status find_driver(const char *url, const stet_driver **out,
                               const char **out_path, stet_error *err)
{
    if (url == NULL || url[0] == '\0') {
        return stet__fail(err, STET_E_INVALID, 0,
                          "no store named; give a directory or a URL");
    }
    size_t scheme = strcspn(url, ":/.");
    if (url[scheme] != ':') {
        *out = &stet__embedded_driver;
        *out_path = url;
        return STET_OK;
    }
    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
        if (strlen(drivers[i]->scheme) == scheme &&
            memcmp(drivers[i]->scheme, url, scheme) == 0) {
            *out = drivers[i];
            *out_path = url + scheme + 1;
            return STET_OK;
        }
    }
    return stet__fail(err, STET_E_UNSUPPORTED, 0,
                      "no store for %.*s: in this build; there are stet:, "
                      "memory: and backup:",
                      (int)(scheme > 32 ? 32 : scheme), url);
}

/* ---- the handle ---- */

static void talk_to_nobody(void *ctx, stet_log_level level, const char *text)
{
    (void)ctx;
    (void)level;
    (void)text;
}

static void on_publish(void *ctx, bool has_work)
{
    stet *s = ctx;
    stet__callbacks_notify(&s->callbacks, stet__watermark(&s->pipeline),
                           stet__pipeline_is_poisoned(&s->pipeline));
    stet__feeds_notify(s);
    stet__committer_poke(s);
    if (has_work) {
        stet__keeper_poke(s);
    }
}

/* Copy a text with its NUL; returns the place behind it. */
static char *put_text(char *at, const char *text)
{
    size_t bytes = strlen(text) + 1;
    memcpy(at, text, bytes);
    return at + bytes;
}

static const char *or_all(const char *pattern)
{
    return pattern == NULL ? "" : pattern;
}

/* Bytes of the texts that opts points at. */
static size_t text_bytes(const stet_opts *o)
{
    size_t bytes = strlen(o->name_pointers) + 1;
    for (size_t i = 0; i < o->reducer_count; i++) {
        bytes += strlen(o->reducers[i].name) + 1;
    }
    for (size_t i = 0; i < o->retention_count; i++) {
        bytes += strlen(or_all(o->retention[i].pattern)) + 1;
    }
    for (size_t i = 0; i < o->rule_count; i++) {
        bytes += strlen(or_all(o->rules[i].pattern)) + 1;
    }
    return bytes;
}

/*
 * Keep what opts points at in one block: the reducers, the rules of retention
 * and of machines, then their texts and the name pointers.
 */
static stet_status copy_pointed(stet *s, const stet_opts *o, stet_error *err)
{
    size_t reducer_bytes = o->reducer_count * sizeof(*s->reducers);
    size_t limit_bytes = o->retention_count * sizeof(*o->retention);
    size_t rule_bytes = o->rule_count * sizeof(*o->rules);
    size_t fixed_bytes = reducer_bytes + limit_bytes + rule_bytes;
    s->pointed_bytes = fixed_bytes + text_bytes(o);
    s->pointed = stet__alloc(&s->alloc, s->pointed_bytes);
    if (s->pointed == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "options");
    }
    char *text = (char *)s->pointed + fixed_bytes;
    s->reducers = s->pointed;
    for (size_t i = 0; i < o->reducer_count; i++) {
        s->reducers[i] = o->reducers[i];
        s->reducers[i].name = text;
        text = put_text(text, o->reducers[i].name);
    }
    stet_retention_rule *limits = (void *)((char *)s->pointed + reducer_bytes);
    for (size_t i = 0; i < o->retention_count; i++) {
        limits[i] = o->retention[i];
        limits[i].pattern = text;
        text = put_text(text, or_all(o->retention[i].pattern));
    }
    stet_machine_rule *rules = (void *)((char *)limits + limit_bytes);
    for (size_t i = 0; i < o->rule_count; i++) {
        rules[i] = o->rules[i];
        rules[i].pattern = text;
        text = put_text(text, or_all(o->rules[i].pattern));
    }
    s->opts.reducers = s->reducers;
    s->opts.retention = limits;
    s->opts.rules = rules;
    s->opts.name_pointers = text;
    (void)put_text(text, o->name_pointers);
    return STET_OK;
}

/* Make the parts that need no I/O; each can be taken down at once. */
static void init_parts(stet *s)
{
    stet_table_limits limits = {
        .bytes = s->opts.cache_bytes,
        .entries = s->opts.cache_entries,
        .ttl_ns = s->opts.cache_ttl_ns,
        .is_off = (s->opts.flags & STET_NO_CACHE) != 0,
    };
    stet__table_init(&s->table, &s->alloc, s->os, &limits,
                     &s->pipeline.watermark);
    stet__benches_init(&s->benches, &s->alloc, s->os);
    stet__callbacks_init(&s->callbacks, &s->alloc, s->os,
                         s->opts.callbacks_max);
    stet__erasures_init(&s->erasures, &s->alloc);
    stet__mutex_init(&s->leases.mu, STET_RANK_LEAF);
    s->pins.cuts = 1; /* 0 is whatever was cut */
    s->counters.opened = s->os->monotonic(s->os);
}

static void destroy(stet *s)
{
    stet__deferred_deinit(s);
    stet__keyring_deinit(&s->keys);
    stet__erasures_deinit(&s->erasures);
    stet__callbacks_deinit(&s->callbacks);
    stet__table_deinit(&s->table);
    stet__free(&s->alloc, s->pointed, s->pointed_bytes);
    stet_allocator alloc = s->alloc;
    stet__free(&alloc, s, sizeof(*s));
}

static stet_status open_log(stet *s, const stet_driver *driver,
                            const char *path, stet_error *err)
{
    stet_log_config config = {
        .os = s->os,
        .alloc = &s->alloc,
        .opts = &s->opts,
        .talk = s->opts.log == NULL ? talk_to_nobody : s->opts.log,
        .talk_ctx = s->opts.log_ctx,
    };
    stet_status st = driver->open(path, &config, &s->log, &s->start, err);
    if (st != STET_OK) {
        return st;
    }
    if (s->opts.level > s->start.level) {
        (void)s->log->ops->close(s->log, true, NULL); /* nothing was done */
        return stet__fail(err, STET_E_INVALID, 0,
                          "level %s is asked for; this store reaches %s",
                          stet_level_name(s->opts.level),
                          stet_level_name(s->start.level));
    }
    s->benches.log = s->log;
    stet_pipeline_opts pipeline = {s->opts.frames_in_flight,
                                   s->opts.queue_bytes};
    stet__pipeline_init(&s->pipeline, s->os, s->log, &s->start, &pipeline);
    s->pipeline.on_publish = on_publish;
    s->pipeline.ctx = s;
    stet__keyring_init(&s->keys, &s->alloc, s->start.next_position);
    st = stet__retainer_create(s, err);
    if (st == STET_OK && (s->opts.flags & STET_NO_THREADS) == 0 &&
        !s->start.is_readonly) {
        st = stet__keeper_start(s, err);
    }
    if (st != STET_OK) {
        stet__keeper_stop(s);
        stet__retainer_destroy(s);
        stet__benches_deinit(&s->benches);
        (void)s->log->ops->close(s->log, true, NULL); /* the cause is told */
    }
    return st;
}

stet_status stet__salvage_on(stet_os *os, const char *from_url,
                             const char *to_url, const stet_salvage_opts *opts,
                             stet_salvage_report *report, stet_error *err)
{
    const stet_driver *from = NULL;
    const stet_driver *to = NULL;
    const char *from_path = NULL;
    const char *to_path = NULL;
    stet_opts o;
    stet_status st = copy_opts(NULL, &o, err);
    if (st == STET_OK) {
        o.allocator = opts->allocator;
        st = settle_opts(&o, err);
    }
    if (st == STET_OK) {
        st = find_driver(from_url, &from, &from_path, err);
    }
    if (st == STET_OK) {
        st = find_driver(to_url, &to, &to_path, err);
    }
    if (st != STET_OK) {
        return st;
    }
    if (from != to || from->salvage == NULL) {
        return stet__fail(err, STET_E_UNSUPPORTED, 0,
                          "only what is in folders is salvaged, from one into "
                          "another");
    }
    stet_log_config config = {
        .os = os, .alloc = &o.allocator, .opts = &o, .talk = talk_to_nobody};
    return from->salvage(from_path, to_path, &config, opts, report, err);
}

stet_status stet_salvage(const char *from_url, const char *to_url,
                         const stet_salvage_opts *opts,
                         stet_salvage_report *report, stet_error *err)
{
    stet__error_reset(err);
    stet_salvage_opts o;
    stet_salvage_report r = {0};
    stet_status st = stet__options_copy(opts, sizeof o, &o, err);
    if (st == STET_OK) {
        st = stet__salvage_on(stet__os_posix(), from_url, to_url, &o, &r, err);
    }
    if (st == STET_OK && report != NULL) {
        stet__options_give(&r, sizeof r, report);
    }
    return st;
}

stet_status stet_open(const char *url, const stet_opts *opts, stet **out,
                      stet_error *err)
{
    return stet__open_on(stet__os_posix(), url, opts, out, err);
}

stet_status stet__open_on(stet_os *os, const char *url, const stet_opts *opts,
                          stet **out, stet_error *err)
{
    stet__error_reset(err);
    stet_opts o;
    const stet_driver *driver = NULL;
    const char *path = NULL;
    stet_status st = stet__open_opts(opts, &o, err);
    if (st == STET_OK) {
        st = find_driver(url, &driver, &path, err);
    }
    if (st != STET_OK) {
        return stet__wrap(err, st, "open");
    }
    stet *s = stet__alloc_zeroed(&o.allocator, 1, sizeof(*s));
    if (s == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "open %s", url);
    }
    s->os = os;
    s->alloc = o.allocator;
    s->opts = o;
    init_parts(s);
    st = copy_pointed(s, &o, err);
    if (st == STET_OK) {
        st = stet__deferred_init(s, err);
    }
    if (st == STET_OK) {
        st = open_log(s, driver, path, err);
    }
    if (st != STET_OK) {
        destroy(s);
        return stet__wrap(err, st, "open %s", url);
    }
    *out = s;
    return STET_OK;
}

stet_status stet_close(stet *s, stet_error *err)
{
    stet__error_reset(err);
    if (s == NULL) {
        return STET_OK;
    }
    stet__projectors_stop(s);
    stet__keeper_stop(s);
    stet_status st = STET_OK;
    stet_status flushed = STET_OK; /* a failure drops what was deferred */
    bool is_clean = !s->start.is_readonly;
    if (is_clean && stet__pipeline_is_poisoned(&s->pipeline)) {
        st = stet__fail(err, STET_E_IO, 0,
                        "a write or sync failed; the store was left as after "
                        "a crash");
    } else if (is_clean) {
        flushed = stet__deferred_flush(s, err);
        st = stet__pipeline_sync(&s->pipeline, flushed == STET_OK ? err : NULL);
    }
    is_clean = is_clean && st == STET_OK;
    stet__retainer_destroy(s); /* who closes settles without asking */
    stet__benches_deinit(&s->benches);
    bool is_told = st != STET_OK || flushed != STET_OK;
    stet_status closed =
        s->log->ops->close(s->log, is_clean, is_told ? NULL : err);
    destroy(s);
    st = st == STET_OK ? closed : st;
    return st == STET_OK ? flushed : st;
}
