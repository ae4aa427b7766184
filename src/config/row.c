#include "config/row.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <stet/handle.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/nearest.h"

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)
/* A hundred years, in nanoseconds: more than any rule or interval needs. */
#define AGES ((uint64_t)36500 * 86400 * 1000000000)

#define MEMBER(name)                                                           \
    .member = offsetof(stet_opts, name),                                       \
    .member_bytes = sizeof(((stet_opts *)NULL)->name)

#define PROFILES "development|staging|production"
#define STRATEGIES "snapshot_only|event_sourced|hybrid|versioned"

const stet_config_row stet__config_rows[] = {
    {
        .key = "profile",
        .kind = STET_CONFIG_CHOICE,
        .choices = PROFILES,
        .effect = STET_CONFIG_WORKS,
        .help = "the set of defaults below this file",
    },
    {
        .key = "store",
        .kind = STET_CONFIG_TEXT,
        .fallback = "./stet-data",
        .effect = STET_CONFIG_WORKS,
        .help = "where the store is: DIR, stet:DIR or memory:",
    },
    {
        .key = "level",
        .kind = STET_CONFIG_CHOICE,
        .choices = "memory|os|disk",
        .fallback = "disk",
        .profiles = {"os"},
        .effect = STET_CONFIG_WORKS,
        MEMBER(level),
        .first = STET_LEVEL_MEMORY,
        .help = "what an answer promises to survive",
    },
    {
        .key = "name_pointers",
        .kind = STET_CONFIG_TEXT,
        .fallback = "/current_state /phase",
        .effect = STET_CONFIG_WORKS,
        MEMBER(name_pointers),
        .help = "JSON pointers at which a state's name is looked for",
    },

    {
        .key = "persistence.enabled",
        .aliases = "persistence_enabled",
        .kind = STET_CONFIG_SWITCH,
        .fallback = "true",
        .effect = STET_CONFIG_WORKS,
        .help = "false: all is in memory, and nothing is stored",
    },
    {
        .key = "persistence.type",
        .kind = STET_CONFIG_CHOICE,
        .choices = "embedded|sqlite|postgresql|redis|s3|dynamodb|nats",
        .fallback = "embedded",
        .effect = STET_CONFIG_REFUSES,
        .built_as = "embedded",
        .help = "the kind of store",
    },
    {
        .key = "persistence.connection.host",
        .kind = STET_CONFIG_TEXT,
        .effect = STET_CONFIG_WARNS,
        .help = "of a remote store",
    },
    {
        .key = "persistence.connection.port",
        .kind = STET_CONFIG_NUMBER,
        .least = 1,
        .most = 65535,
        .effect = STET_CONFIG_WARNS,
        .help = "of a remote store",
    },
    {
        .key = "persistence.connection.database",
        .kind = STET_CONFIG_TEXT,
        .effect = STET_CONFIG_WARNS,
        .help = "of a remote store",
    },
    {
        .key = "persistence.connection.username",
        .kind = STET_CONFIG_TEXT,
        .effect = STET_CONFIG_WARNS,
        .help = "of a remote store",
    },
    {
        .key = "persistence.options.pool_size",
        .kind = STET_CONFIG_NUMBER,
        .least = 1,
        .most = 1024,
        .effect = STET_CONFIG_WARNS,
        .help = "connections to a remote store",
    },
    {
        .key = "persistence.options.checkpoint_interval",
        .kind = STET_CONFIG_NUMBER,
        .most = UINT32_MAX,
        .effect = STET_CONFIG_WARNS,
        .built_as = "0",
        .help = "events between checkpoints set by themselves; 0: none",
    },

    {
        .key = "strategy",
        .aliases = "persistence_strategy persistence.strategy",
        .variable = "PERSISTENCE_STRATEGY",
        .kind = STET_CONFIG_CHOICE,
        .choices = STRATEGIES,
        .fallback = "hybrid",
        .effect = STET_CONFIG_WORKS,
        .help = "what is kept of a machine",
    },
    {
        .key = "policy.persist_on_transition",
        .aliases = "persist_on_transition",
        .kind = STET_CONFIG_SWITCH,
        .fallback = "true",
        .effect = STET_CONFIG_WORKS,
        .help = "a transition is durable at once",
    },
    {
        .key = "policy.persist_on_update",
        .aliases = "persist_on_update",
        .kind = STET_CONFIG_SWITCH,
        .fallback = "true",
        .effect = STET_CONFIG_WORKS,
        .help = "an update is durable at once",
    },
    {
        .key = "policy.persist_on_error",
        .aliases = "persist_on_error",
        .kind = STET_CONFIG_SWITCH,
        .fallback = "true",
        .effect = STET_CONFIG_WORKS,
        .help = "an error is durable at once",
    },
    {
        .key = "policy.persist_on_phase_change",
        .aliases = "persist_on_phase_change",
        .kind = STET_CONFIG_SWITCH,
        .fallback = "true",
        .effect = STET_CONFIG_WORKS,
        .help = "a change of phase is durable at once",
    },
    {
        .key = "policy.persist_interval",
        .aliases = "persist_interval",
        .kind = STET_CONFIG_DURATION,
        .most = AGES,
        .fallback = "30s",
        .effect = STET_CONFIG_WORKS,
        .help = "how long a write that is not may wait; 0: for ever",
    },
    {
        .key = "rules[].pattern",
        .kind = STET_CONFIG_TEXT,
        .effect = STET_CONFIG_WORKS,
        .help = "a glob over ids; the first rule that matches is the machine's",
    },
    {
        .key = "rules[].namespace",
        .kind = STET_CONFIG_NUMBER,
        .most = STET_NAMESPACE_MAX,
        .effect = STET_CONFIG_WORKS,
        .help = "of the machines; without it 0",
    },
    {
        .key = "rules[].strategy",
        .kind = STET_CONFIG_CHOICE,
        .choices = STRATEGIES,
        .effect = STET_CONFIG_WORKS,
        .help = "in place of strategy",
    },
    {
        .key = "rules[].persist_on_transition",
        .kind = STET_CONFIG_SWITCH,
        .effect = STET_CONFIG_WORKS,
        .help = "in place of that of policy",
    },
    {
        .key = "rules[].persist_on_update",
        .kind = STET_CONFIG_SWITCH,
        .effect = STET_CONFIG_WORKS,
        .help = "in place of that of policy",
    },
    {
        .key = "rules[].persist_on_error",
        .kind = STET_CONFIG_SWITCH,
        .effect = STET_CONFIG_WORKS,
        .help = "in place of that of policy",
    },
    {
        .key = "rules[].persist_on_phase_change",
        .kind = STET_CONFIG_SWITCH,
        .effect = STET_CONFIG_WORKS,
        .help = "in place of that of policy",
    },
    {
        .key = "rules[].persist_interval",
        .kind = STET_CONFIG_DURATION,
        .most = AGES,
        .effect = STET_CONFIG_WORKS,
        .help = "in place of that of policy",
    },
    {
        .key = "rules[].snapshot_events",
        .kind = STET_CONFIG_NUMBER,
        .least = 1,
        .most = 65536,
        .effect = STET_CONFIG_WORKS,
        .help = "in place of snapshot.events",
    },

    {
        .key = "snapshot.enabled",
        .aliases = "snapshot_enabled",
        .kind = STET_CONFIG_SWITCH,
        .fallback = "true",
        .effect = STET_CONFIG_WARNS,
        .built_as = "true",
        .help = "make snapshots by themselves",
    },
    {
        .key = "snapshot.events",
        .aliases = "log.base_events snapshot_events",
        .kind = STET_CONFIG_NUMBER,
        .least = 1,
        .most = 65536,
        .fallback = "64",
        .effect = STET_CONFIG_WORKS,
        MEMBER(base_events),
        .help = "events of a machine from one snapshot to the next",
    },
    {
        .key = "snapshot.bytes",
        .aliases = "log.base_bytes snapshot_bytes",
        .kind = STET_CONFIG_BYTES,
        .least = 1,
        .most = UINT32_MAX,
        .fallback = "1MiB",
        .effect = STET_CONFIG_WORKS,
        MEMBER(base_bytes),
        .help = "bytes of a machine's events from one to the next",
    },
    {
        .key = "snapshot.interval",
        .aliases = "snapshot_interval snapshot_interval_seconds",
        .variable = "SNAPSHOT_INTERVAL_SECONDS",
        .kind = STET_CONFIG_DURATION,
        .most = AGES,
        .fallback = "5m",
        .effect = STET_CONFIG_WARNS,
        .help = "time from one to the next; 0: however long",
    },
    {
        .key = "snapshot.max_per_state",
        .aliases = "max_snapshots_per_state snapshot.max_snapshots_per_state",
        .variable = "MAX_SNAPSHOTS_PER_STATE",
        .kind = STET_CONFIG_NUMBER,
        .most = UINT32_MAX,
        .fallback = "0",
        .profiles = {NULL, "10", "10"},
        .effect = STET_CONFIG_WARNS,
        .built_as = "0",
        .help = "snapshots of a machine that stay; 0: all",
    },
    {
        .key = "snapshot.max_age",
        .aliases = "snapshot_max_age",
        .kind = STET_CONFIG_DURATION,
        .most = AGES,
        .fallback = "0s",
        .profiles = {NULL, "7d", "7d"},
        .effect = STET_CONFIG_WARNS,
        .built_as = "0s",
        .help = "how long snapshots stay; 0: for ever",
    },
    {
        .key = "snapshot.compression",
        .aliases = "snapshot_compression persistence.options.compress_states",
        .variable = "SNAPSHOT_COMPRESSION",
        .kind = STET_CONFIG_SWITCH,
        .fallback = "true",
        .effect = STET_CONFIG_WARNS,
        .built_as = "true",
        .help = "compress states on the disk",
    },
    {
        .key = "snapshot.stores[].type",
        .kind = STET_CONFIG_CHOICE,
        .choices = "memory|filesystem",
        .effect = STET_CONFIG_WARNS,
        .help = "where a further copy of each snapshot goes",
    },
    {
        .key = "snapshot.stores[].path",
        .kind = STET_CONFIG_TEXT,
        .effect = STET_CONFIG_WARNS,
        .help = "the folder, for filesystem",
    },
    {
        .key = "snapshot.stores[].max_size",
        .kind = STET_CONFIG_NUMBER,
        .least = 1,
        .most = UINT32_MAX,
        .effect = STET_CONFIG_WARNS,
        .help = "how many are kept, for memory",
    },

    {
        .key = "event_sourcing.enabled",
        .aliases = "event_sourcing_enabled",
        .kind = STET_CONFIG_SWITCH,
        .fallback = "true",
        .effect = STET_CONFIG_WARNS,
        .built_as = "true",
        .help = "keep events",
    },
    {
        .key = "event_sourcing.max_events",
        .aliases = "max_events_per_state event_sourcing.max_events_per_state",
        .variable = "MAX_EVENTS_PER_STATE",
        .kind = STET_CONFIG_NUMBER,
        .most = UINT32_MAX,
        .fallback = "0",
        .effect = STET_CONFIG_WORKS,
        .help = "events behind a machine's newest that stay; 0: all",
    },
    {
        .key = "event_sourcing.compact_after",
        .aliases = "event_compact_threshold compact_threshold",
        .variable = "EVENT_COMPACT_THRESHOLD",
        .kind = STET_CONFIG_NUMBER,
        .most = UINT32_MAX,
        .fallback = "0",
        .effect = STET_CONFIG_WARNS,
        .built_as = "0",
        .help = "events behind a snapshot that compacting waits for; 0: none",
    },
    {
        .key = "event_sourcing.retention_days",
        .aliases = "event_retention_days persistence.options.retention_days",
        .kind = STET_CONFIG_NUMBER,
        .most = 36500,
        .fallback = "0",
        .effect = STET_CONFIG_WORKS,
        .help = "days that events stay; 0: for ever",
    },
    {
        .key = "event_sourcing.stores[].type",
        .kind = STET_CONFIG_CHOICE,
        .choices = "memory|filesystem",
        .effect = STET_CONFIG_WARNS,
        .help = "where a further copy of each event goes",
    },
    {
        .key = "event_sourcing.stores[].path",
        .kind = STET_CONFIG_TEXT,
        .effect = STET_CONFIG_WARNS,
        .help = "the folder, for filesystem",
    },
    {
        .key = "event_sourcing.stores[].max_size",
        .kind = STET_CONFIG_NUMBER,
        .least = 1,
        .most = UINT32_MAX,
        .effect = STET_CONFIG_WARNS,
        .help = "how many are kept, for memory",
    },

    {
        .key = "retention[].pattern",
        .kind = STET_CONFIG_TEXT,
        .effect = STET_CONFIG_WORKS,
        .help = "a glob over ids; the first rule that matches decides",
    },
    {
        .key = "retention[].namespace",
        .kind = STET_CONFIG_NUMBER,
        .most = STET_NAMESPACE_MAX,
        .effect = STET_CONFIG_WORKS,
        .help = "of the machines; without it 0",
    },
    {
        .key = "retention[].keep_events",
        .kind = STET_CONFIG_NUMBER,
        .most = UINT64_MAX,
        .effect = STET_CONFIG_WORKS,
        .help = "events behind the newest that stay; 0: all",
    },
    {
        .key = "retention[].keep_age",
        .kind = STET_CONFIG_DURATION,
        .most = AGES,
        .effect = STET_CONFIG_WORKS,
        .help = "how long events stay; 0: for ever",
    },

    {
        .key = "recovery.enabled",
        .aliases = "recovery_enabled",
        .variable = "RECOVERY_ENABLED",
        .kind = STET_CONFIG_SWITCH,
        .fallback = "true",
        .effect = STET_CONFIG_WORKS,
        .flag_if_off = STET_NO_RECOVERY,
        .help = "allow recovering",
    },
    {
        .key = "recovery.strategies",
        .kind = STET_CONFIG_CHOICES,
        .choices = "snapshot|event_sourced|hybrid",
        .fallback = "snapshot,event_sourced,hybrid",
        .effect = STET_CONFIG_WARNS,
        .built_as = "snapshot,event_sourced,hybrid",
        .help = "ways to recover, tried in this order",
    },
    {
        .key = "recovery.auto_recover",
        .aliases = "auto_recovery recovery.auto_recovery",
        .variable = "AUTO_RECOVERY",
        .kind = STET_CONFIG_SWITCH,
        .fallback = "true",
        .effect = STET_CONFIG_WARNS,
        .built_as = "false",
        .help = "recover what is damaged when the store is opened",
    },

    {
        .key = "cache.enabled",
        .aliases = "cache_enabled",
        .variable = "CACHE_ENABLED",
        .kind = STET_CONFIG_SWITCH,
        .fallback = "true",
        .effect = STET_CONFIG_WORKS,
        .flag_if_off = STET_NO_CACHE,
        .help = "keep states in memory",
    },
    {
        .key = "cache.bytes",
        .aliases = "cache_bytes",
        .kind = STET_CONFIG_BYTES,
        .least = 4 * KIB,
        .most = TIB,
        .fallback = "64MiB",
        .profiles = {"16MiB"},
        .effect = STET_CONFIG_WORKS,
        MEMBER(cache_bytes),
        .help = "bytes of states and heads in memory",
    },
    {
        .key = "cache.size",
        .aliases = "cache_size",
        .variable = "CACHE_SIZE",
        .kind = STET_CONFIG_NUMBER,
        .least = 16,
        .most = UINT32_MAX,
        .has_none = true,
        .fallback = "0",
        .effect = STET_CONFIG_WORKS,
        MEMBER(cache_entries),
        .help = "states in memory; 0: as many as cache.bytes has room for",
    },
    {
        .key = "cache.ttl",
        .aliases = "cache_ttl cache_ttl_seconds",
        .variable = "CACHE_TTL_SECONDS",
        .kind = STET_CONFIG_DURATION,
        .most = AGES,
        .fallback = "0s",
        .effect = STET_CONFIG_WORKS,
        MEMBER(cache_ttl_ns),
        .help = "how long a state stays in memory; 0: while there is room",
    },

    {
        .key = "batch.operations",
        .aliases = "batch_operations",
        .kind = STET_CONFIG_SWITCH,
        .fallback = "true",
        .effect = STET_CONFIG_WARNS,
        .built_as = "true",
        .help = "write what comes at the same time with one sync",
    },
    {
        .key = "batch.size",
        .aliases = "batch_size",
        .kind = STET_CONFIG_NUMBER,
        .least = 1,
        .most = STET_BATCH_EVENTS_MAX,
        .effect = STET_CONFIG_WARNS,
        .help = "events that one sync is for",
    },
    {
        .key = "queue.bytes",
        .aliases = "queue_bytes",
        .kind = STET_CONFIG_BYTES,
        .least = 4 * KIB,
        .most = TIB,
        .fallback = "16MiB",
        .effect = STET_CONFIG_WORKS,
        MEMBER(queue_bytes),
        .help = "bytes of writes that are not yet durable",
    },
    {
        .key = "queue.when_full",
        .aliases = "queue_full",
        .kind = STET_CONFIG_CHOICE,
        .choices = "block|refuse|shed",
        .fallback = "block",
        .effect = STET_CONFIG_WORKS,
        MEMBER(queue_full),
        .first = STET_QUEUE_BLOCK,
        .help = "what a write does that finds the queue full",
    },
    {
        .key = "queue.deferred_bytes",
        .aliases = "deferred_bytes",
        .kind = STET_CONFIG_BYTES,
        .least = 4 * KIB,
        .most = TIB,
        .fallback = "16MiB",
        .effect = STET_CONFIG_WORKS,
        MEMBER(deferred_bytes),
        .help = "bytes of writes that policy lets wait",
    },

    {
        .key = "limits.state_bytes",
        .aliases = "state_bytes_max",
        .kind = STET_CONFIG_BYTES,
        .least = 1,
        .most = 16 * MIB,
        .fallback = "16MiB",
        .effect = STET_CONFIG_WORKS,
        MEMBER(state_bytes_max),
        .help = "bytes of a state",
    },
    {
        .key = "limits.batch_events",
        .aliases = "batch_events_max",
        .kind = STET_CONFIG_NUMBER,
        .least = 1,
        .most = STET_BATCH_EVENTS_MAX,
        .fallback = "65536",
        .effect = STET_CONFIG_WORKS,
        MEMBER(batch_events_max),
        .help = "events of a batch",
    },
    {
        .key = "limits.batch_bytes",
        .aliases = "batch_bytes_max",
        .kind = STET_CONFIG_BYTES,
        .least = 4 * KIB,
        .most = 32 * MIB,
        .fallback = "32MiB",
        .effect = STET_CONFIG_WORKS,
        MEMBER(batch_bytes_max),
        .help = "bytes of a batch",
    },
    {
        .key = "limits.callbacks",
        .aliases = "callbacks_max",
        .kind = STET_CONFIG_NUMBER,
        .least = 1,
        .most = MIB,
        .fallback = "65536",
        .effect = STET_CONFIG_WORKS,
        MEMBER(callbacks_max),
        .help = "callbacks that wait",
    },
    {
        .key = "limits.memory_bytes",
        .aliases = "memory_bytes_max",
        .kind = STET_CONFIG_BYTES,
        .least = MIB,
        .most = TIB,
        .fallback = "1GiB",
        .effect = STET_CONFIG_WORKS,
        MEMBER(memory_bytes_max),
        .help = "bytes of a store in memory",
    },

    {
        .key = "log.segment_bytes",
        .aliases = "segment_bytes",
        .kind = STET_CONFIG_BYTES,
        .least = 16 * KIB,
        .most = GIB,
        .step = 4 * KIB,
        .fallback = "16MiB",
        .profiles = {"4MiB"},
        .effect = STET_CONFIG_WORKS,
        MEMBER(segment_bytes),
        .help = "bytes of a file that is written to",
    },
    {
        .key = "log.settle_segments",
        .aliases = "settle_segments",
        .kind = STET_CONFIG_NUMBER,
        .least = 1,
        .most = 16,
        .fallback = "16",
        .effect = STET_CONFIG_WORKS,
        MEMBER(settle_segments),
        .help = "segments that are settled into one set",
    },
    {
        .key = "log.index_sets",
        .aliases = "index_sets",
        .kind = STET_CONFIG_NUMBER,
        .least = 1,
        .most = 16,
        .fallback = "16",
        .effect = STET_CONFIG_WORKS,
        MEMBER(index_sets),
        .help = "sets of one merged index",
    },
    {
        .key = "log.frames_in_flight",
        .aliases = "frames_in_flight",
        .kind = STET_CONFIG_NUMBER,
        .least = 1,
        .most = 16,
        .fallback = "4",
        .effect = STET_CONFIG_WORKS,
        MEMBER(frames_in_flight),
        .help = "frames that are being written at the same time",
    },
};

const size_t stet__config_row_count =
    sizeof stet__config_rows / sizeof stet__config_rows[0];

/* Sections under another name, the founding documents' first. */
static const struct {
    const char *given;
    const char *meant;
} sections[] = {
    {"simulation.state_management.persistence", "persistence"},
    {"state_management.persistence", "persistence"},
};

stet_slice stet__config_word(const char **cursor, char between)
{
    const char *begin = *cursor;
    const char *end = strchr(begin, between);
    size_t len = end == NULL ? strlen(begin) : (size_t)(end - begin);
    *cursor = begin + len + (end == NULL ? 0 : 1);
    return stet_slice_of(begin, len);
}

/* Walks over the names of all rows: each key, then its aliases. */
typedef struct names {
    size_t row;
    const char *aliases; /* those left of this row; NULL: its key is next */
} names;

static bool next_name(names *n, stet_slice *out, const stet_config_row **row)
{
    if (n->row == stet__config_row_count) {
        return false;
    }
    *row = &stet__config_rows[n->row];
    if (n->aliases == NULL) {
        *out = stet_str((*row)->key);
        n->aliases = (*row)->aliases == NULL ? "" : (*row)->aliases;
    } else {
        *out = stet__config_word(&n->aliases, ' ');
    }
    if (n->aliases[0] == '\0') {
        n->aliases = NULL;
        n->row++;
    }
    return true;
}

/* What follows `above` and a dot in a key; empty: the key is not below it. */
static stet_slice below(stet_slice above, stet_slice key)
{
    const char *p = key.ptr;
    if (above.len == 0) {
        return key;
    }
    if (key.len <= above.len + 1 || memcmp(p, above.ptr, above.len) != 0 ||
        p[above.len] != '.') {
        return stet_slice_of(NULL, 0);
    }
    return stet_slice_of(p + above.len + 1, key.len - above.len - 1);
}

/* A key's first name, without the brackets of a list. */
static stet_slice first_name(stet_slice key)
{
    const char *p = key.ptr;
    size_t len = 0;
    while (len < key.len && p[len] != '.' && p[len] != '[') {
        len++;
    }
    return stet_slice_of(p, len);
}

/* A key's last name. */
static stet_slice last_name(stet_slice key)
{
    const char *p = key.ptr;
    size_t from = key.len;
    while (from > 0 && p[from - 1] != '.') {
        from--;
    }
    return stet_slice_of(p + from, key.len - from);
}

stet_config_place stet__config_find(stet_slice key, const stet_config_row **out)
{
    stet_config_place place = STET_CONFIG_UNKNOWN;
    const stet_config_row *row = NULL;
    stet_slice name;
    names n = {0};
    while (next_name(&n, &name, &row)) {
        const char *p = name.ptr;
        if (stet__slice_eq(name, key)) {
            *out = row;
            return STET_CONFIG_LEAF;
        }
        if (name.len > key.len && memcmp(p, key.ptr, key.len) == 0 &&
            (p[key.len] == '.' || p[key.len] == '[')) {
            place = p[key.len] == '.' ? STET_CONFIG_SECTION : STET_CONFIG_LIST;
        }
    }
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (below(key, stet_str(sections[i].given)).len > 0) {
            place = STET_CONFIG_SECTION;
        }
    }
    return place;
}

stet_slice stet__config_section(stet_slice key)
{
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (stet__slice_eq(key, stet_str(sections[i].given))) {
            return stet_str(sections[i].meant);
        }
    }
    return key;
}

stet_slice stet__config_nearest(stet_slice above, stet_slice name)
{
    stet_nearest here = stet__nearest_to(name);
    stet_slice elsewhere = {NULL, 0};
    const stet_config_row *row = NULL;
    stet_slice key;
    names n = {0};
    while (next_name(&n, &key, &row)) {
        stet__nearest_offer(&here, first_name(below(above, key)));
        if (elsewhere.len == 0 && stet__slice_eq(last_name(key), name)) {
            elsewhere = stet_str(row->key);
        }
    }
    return here.best_len > 0 ? stet_slice_of(here.best, here.best_len)
                             : elsewhere;
}

void stet__config_variable(const stet_config_row *row,
                           char out[STET_CONFIG_VARIABLE_MAX])
{
    out[0] = '\0';
    if (strchr(row->key, '[') != NULL) {
        return;
    }
    int len = snprintf(out, STET_CONFIG_VARIABLE_MAX, "STET_%s", row->key);
    STET_ASSERT(len > 0 && len < STET_CONFIG_VARIABLE_MAX);
    for (char *p = out; *p != '\0'; p++) {
        if (*p == '.') {
            *p = '_';
        } else if (*p >= 'a' && *p <= 'z') {
            *p = (char)(*p - 'a' + 'A');
        }
    }
}
