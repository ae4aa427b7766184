/* Listing ids: the log's heads, narrowed by a glob. */
#include <string.h>

#include <stet/read.h>

#include "base/error.h"
#include "base/glob.h"
#include "engine/handle.h"
#include "engine/options.h"

struct stet_keys {
    stet *s;
    stet_log_cursor *heads;
    stet_buf pattern;
    uint64_t left;
    bool with_deleted;
    stet_key lent;
};

stet_status stet__pattern_check(stet_slice pattern, uint8_t ns, stet_error *err)
{
    if (ns > STET_NAMESPACE_MAX) {
        return stet__fail(err, STET_E_INVALID, 0, "namespace %d; 0 to %d exist",
                          ns, STET_NAMESPACE_MAX);
    }
    if (pattern.len > STET_GLOB_BYTES_MAX || !stet__glob_is_valid(pattern)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "pattern %.*s: at most %d bytes, sets closed by ]",
                          (int)(pattern.len > 64 ? 64 : pattern.len),
                          (const char *)pattern.ptr, STET_GLOB_BYTES_MAX);
    }
    return STET_OK;
}

stet_status stet_keys_open(stet *s, const stet_keys_opts *opts, stet_keys **out,
                           stet_error *err)
{
    stet__error_reset(err);
    stet_keys_opts o;
    stet_status st = stet__options_copy(opts, sizeof(o), &o, err);
    if (st == STET_OK) {
        st = stet__pattern_check(o.pattern, o.ns, err);
    }
    if (st != STET_OK) {
        return st;
    }
    stet_keys *keys = stet__alloc_zeroed(&s->alloc, 1, sizeof(*keys));
    if (keys == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "list of ids");
    }
    stet_heads_range range = {
        .ns = o.ns,
        .prefix = stet__glob_prefix(o.pattern),
        .after = o.after,
        .below = stet__watermark(&s->pipeline),
    };
    keys->s = s;
    keys->left = o.limit == 0 ? UINT64_MAX : o.limit;
    keys->with_deleted = o.with_deleted;
    stet__buf_init(&keys->pattern, &s->alloc);
    stet__buf_put_slice(&keys->pattern, o.pattern);
    st = keys->pattern.is_failed
             ? stet__fail(err, STET_E_NOMEM, 0, "list of ids")
             : s->log->ops->heads_open(s->log, &range, &keys->heads, err);
    if (st != STET_OK) {
        stet_keys_close(keys);
        return st;
    }
    *out = keys;
    return STET_OK;
}

static bool is_wanted(const stet_keys *keys, const stet_head_entry *entry)
{
    return (keys->with_deleted || !entry->is_deleted) &&
           (keys->pattern.len == 0 ||
            stet__glob_match(stet__buf_slice(&keys->pattern), entry->key.id));
}

stet_status stet_keys_next(stet_keys *keys, const stet_key **out,
                           stet_error *err)
{
    stet__error_reset(err);
    if (keys->left == 0) {
        return STET_DONE;
    }
    stet_head_entry entry = {0};
    do {
        stet_status st =
            keys->s->log->ops->heads_next(keys->heads, &entry, err);
        if (st != STET_OK) {
            return st;
        }
    } while (!is_wanted(keys, &entry));
    keys->left--;
    keys->lent = (stet_key){.id = entry.key.id,
                            .current_state = entry.state_name,
                            .seq = entry.seq,
                            .position = entry.position,
                            .is_deleted = entry.is_deleted};
    *out = &keys->lent;
    return STET_OK;
}

void stet_keys_close(stet_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    if (keys->heads != NULL) {
        keys->s->log->ops->heads_close(keys->heads);
    }
    stet__buf_deinit(&keys->pattern);
    stet__free(&keys->s->alloc, keys, sizeof(*keys));
}
