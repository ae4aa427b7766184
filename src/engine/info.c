/* What a store says of itself, and what may be done to it: names, numbers,
 * repair. */
#include <inttypes.h>
#include <string.h>

#include <stet/stet.h>

#include "base/bytes.h"
#include "base/error.h"
#include "engine/options.h"
#include "engine/retention.h"
#include "engine/visit.h"

#define STET_TEXT_OF(x) #x
#define STET_TEXT(x) STET_TEXT_OF(x)

const char *stet_version(void)
{
    return STET_TEXT(STET_VERSION_MAJOR) "." STET_TEXT(
        STET_VERSION_MINOR) "." STET_TEXT(STET_VERSION_PATCH);
}

const char *stet_event_kind_name(stet_event_kind kind)
{
    switch (kind) {
    case STET_EVENT_CREATED:
        return "created";
    case STET_EVENT_SAVED:
        return "saved";
    case STET_EVENT_TRANSITIONED:
        return "transitioned";
    case STET_EVENT_UPDATED:
        return "updated";
    case STET_EVENT_APPENDED:
        return "appended";
    case STET_EVENT_FAILED:
        return "failed";
    case STET_EVENT_FORKED:
        return "forked";
    case STET_EVENT_MIGRATED:
        return "migrated";
    case STET_EVENT_RESTORED:
        return "restored";
    case STET_EVENT_DELETED:
        return "deleted";
    }
    return "unknown";
}

const char *stet_transition_type_name(stet_transition_type type)
{
    switch (type) {
    case STET_TYPE_NONE:
        return "";
    case STET_TYPE_USER_ACTION:
        return "user_action";
    case STET_TYPE_SYSTEM_EVENT:
        return "system_event";
    case STET_TYPE_TIMEOUT:
        return "timeout";
    case STET_TYPE_ERROR_RECOVERY:
        return "error_recovery";
    case STET_TYPE_ADMIN_OVERRIDE:
        return "admin_override";
    }
    return "unknown";
}

const char *stet_reducer_name(stet_reducer reducer)
{
    switch (reducer) {
    case STET_REDUCER_DEFAULT:
        return "default";
    case STET_REDUCER_NONE:
        return "none";
    case STET_REDUCER_SET:
        return "set";
    case STET_REDUCER_MERGE:
        return "merge";
    case STET_REDUCER_ASSIGN:
        return "assign";
    case STET_REDUCER_PATCH:
        return "patch";
    case STET_REDUCER_CUSTOM:
        return "custom";
    }
    return "unknown";
}

const char *stet_level_name(stet_level level)
{
    switch (level) {
    case STET_LEVEL_DEFAULT:
        return "default";
    case STET_LEVEL_MEMORY:
        return "memory";
    case STET_LEVEL_OS:
        return "os";
    case STET_LEVEL_DISK:
        return "disk";
    }
    return "unknown";
}

/* ---- numbers ---- */

static stet_status count_machine(stet *s, const stet_head_entry *entry,
                                 void *ctx, stet_error *err)
{
    (void)s;
    (void)err;
    *(uint64_t *)ctx += entry->is_deleted ? 0 : 1;
    return STET_OK;
}

stet_status stet_get_info(stet *s, stet_info *out, stet_error *err)
{
    stet__error_reset(err);
    stet_info info = {0};
    stet_status st = s->log->ops->info(s->log, &info, err);
    if (st == STET_OK) {
        stet_visit visit = {STET_NAMESPACE_MAX, stet__watermark(&s->pipeline),
                            count_machine, &info.machines};
        st = stet__visit_machines(s, &visit, err);
    }
    if (st != STET_OK) {
        return st;
    }
    info.events = stet__watermark(&s->pipeline) - 1;
    info.torn_bytes = s->start.torn_bytes;
    info.level = s->start.level;
    info.is_readonly = s->start.is_readonly;
    info.is_poisoned = stet__pipeline_is_poisoned(&s->pipeline);
    info.cache_used_bytes = stet__table_sums(&s->table).bytes;
    info.throttled = atomic_load_explicit(&s->throttled, memory_order_relaxed);
    info.deferred =
        atomic_load_explicit(&s->deferred.count, memory_order_relaxed);
    info.throttled_ns =
        atomic_load_explicit(&s->throttled_ns, memory_order_relaxed);
    stet__options_give(&info, sizeof(info), out);
    return STET_OK;
}

/* ---- repair ---- */

/* Is there nothing that may be written to the files of the log? */
static stet_status refuse_work(const stet *s, stet_error *err)
{
    if (s->start.is_readonly) {
        return stet__fail(err, STET_E_READONLY, 0,
                          "the store was opened read-only");
    }
    if (stet__pipeline_is_poisoned(&s->pipeline)) {
        return stet__fail(err, STET_E_READONLY, 0,
                          "an earlier write or sync failed; reopen the store");
    }
    return STET_OK;
}

stet_status stet_reindex(stet *s, uint64_t *out_rebuilt, stet_error *err)
{
    stet__error_reset(err);
    uint64_t rebuilt = 0;
    stet_status st = refuse_work(s, err);
    if (st != STET_OK) {
        return st;
    }
    stet__pipeline_work_begin(&s->pipeline);
    st = s->log->ops->reindex(s->log, &rebuilt, err);
    stet__pipeline_work_end(&s->pipeline);
    if (st == STET_OK && out_rebuilt != NULL) {
        *out_rebuilt = rebuilt;
    }
    return st;
}

bool stet__is_log_poisoned(stet *s)
{
    stet_info info = {0};
    return s->log->ops->info(s->log, &info, NULL) != STET_OK ||
           info.is_poisoned;
}

stet_status stet_compact(stet *s, stet_error *err)
{
    stet__error_reset(err);
    stet_settle_answer answer = {.is_more = true};
    /* What is written meanwhile is left: or this would never end. */
    uint64_t below = stet__watermark(&s->pipeline);
    stet_status st = refuse_work(s, err);
    if (st == STET_OK) {
        st = stet__retain_all(s, below, err);
    }
    while (st == STET_OK && answer.is_more) {
        st = stet__settle_once(s, STET_SETTLE_ALL, below, &answer, err);
    }
    return st;
}
