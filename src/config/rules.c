/*
 * Rules: those of machines and of retention, from the values of their items and
 * from what is said for all machines.
 */
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/glob.h"
#include "config/config.h"

#define DAY_NS (INT64_C(86400) * 1000000000)

/* ---- items ---- */

static const stet_setting *find_item(const stet_settings *s, const char *key,
                                     uint32_t item)
{
    const stet_config_row *row = NULL;
    stet_config_place place = stet__config_find(stet_str(key), &row);
    STET_ASSERT(place == STET_CONFIG_LEAF);
    return stet__settings_find(s, row, item);
}

static uint64_t item_number(const stet_settings *s, const char *key,
                            uint32_t item)
{
    const stet_setting *found = find_item(s, key, item);
    return found == NULL ? 0 : found->number;
}

/* Items of a list, by any of their keys. */
static uint32_t count_items(const stet_settings *s, const char *list)
{
    uint32_t count = 0;
    size_t bytes = strlen(list);
    for (size_t i = 0; i < stet__settings_count(s); i++) {
        const stet_setting *at = stet__settings_at(s, i);
        if (strncmp(at->row->key, list, bytes) == 0 &&
            at->row->key[bytes] == '[' && at->item >= count) {
            count = at->item + 1;
        }
    }
    return count;
}

/* The pattern of an item, NULL for none; `*out` is set even so. */
static stet_status take_pattern(const stet_settings *s, const char *key,
                                uint32_t item, const char **out,
                                stet_error *err)
{
    const stet_setting *pattern = find_item(s, key, item);
    *out = pattern == NULL ? NULL : pattern->text.ptr;
    if (pattern != NULL && (pattern->text.len > STET_GLOB_BYTES_MAX ||
                            !stet__glob_is_valid(pattern->text))) {
        (void)stet__fail(err, STET_E_INVALID, 0,
                         "%s of item %u is no glob of at most %d bytes", key,
                         item, STET_GLOB_BYTES_MAX);
        return stet__settings_blame(&pattern->source, STET_E_INVALID, err);
    }
    return STET_OK;
}

/* ---- retention ---- */

static stet_status add_retention(stet_config_state *c, uint32_t item,
                                 stet_error *err)
{
    const stet_settings *s = &c->settings;
    stet_retention_rule rule = {
        .keep_events = item_number(s, "retention[].keep_events", item),
        .keep_ns = (int64_t)item_number(s, "retention[].keep_age", item),
        .ns = (uint8_t)item_number(s, "retention[].namespace", item),
    };
    stet_status st =
        take_pattern(s, "retention[].pattern", item, &rule.pattern, err);
    stet__buf_put(&c->retention, &rule, sizeof rule);
    return st;
}

/* What holds for all machines goes behind the rules for some. */
static void add_general_retention(stet_config_state *c)
{
    const stet_settings *s = &c->settings;
    stet_retention_rule rule = {
        .keep_events = stet__config_number(s, "event_sourcing.max_events"),
        .keep_ns =
            (int64_t)stet__config_number(s, "event_sourcing.retention_days") *
            DAY_NS,
    };
    if (rule.keep_events == 0 && rule.keep_ns == 0) {
        return;
    }
    for (unsigned ns = 0; ns <= STET_NAMESPACE_MAX; ns++) {
        rule.ns = (uint8_t)ns;
        stet__buf_put(&c->retention, &rule, sizeof rule);
    }
}

/* ---- strategy and policy ---- */

/* What a rule says, and who says it for all machines. */
typedef struct knob {
    const char *item_key;
    const char *key;
} knob;

enum {
    KNOB_STRATEGY,
    KNOB_TRANSITION,
    KNOB_UPDATE,
    KNOB_ERROR,
    KNOB_PHASE,
    KNOB_INTERVAL,
    KNOB_COUNT
};

static const knob knobs[KNOB_COUNT] = {
    [KNOB_STRATEGY] = {"rules[].strategy", "strategy"},
    [KNOB_TRANSITION] = {"rules[].persist_on_transition",
                         "policy.persist_on_transition"},
    [KNOB_UPDATE] = {"rules[].persist_on_update", "policy.persist_on_update"},
    [KNOB_ERROR] = {"rules[].persist_on_error", "policy.persist_on_error"},
    [KNOB_PHASE] = {"rules[].persist_on_phase_change",
                    "policy.persist_on_phase_change"},
    [KNOB_INTERVAL] = {"rules[].persist_interval", "policy.persist_interval"},
};

/* The rule that all machines have; every knob has a default. */
static void take_general(const stet_settings *s, uint64_t values[KNOB_COUNT])
{
    for (size_t i = 0; i < KNOB_COUNT; i++) {
        values[i] = stet__config_number(s, knobs[i].key);
    }
}

static stet_switch switch_of(uint64_t value)
{
    return value != 0 ? STET_SWITCH_ON : STET_SWITCH_OFF;
}

/* A strategy's place among the choices is its number. */
static stet_machine_rule rule_of(const uint64_t values[KNOB_COUNT])
{
    uint64_t interval = values[KNOB_INTERVAL];
    return (stet_machine_rule){
        .strategy = (stet_strategy)values[KNOB_STRATEGY],
        .policy =
            {
                .persist_on_transition = switch_of(values[KNOB_TRANSITION]),
                .persist_on_update = switch_of(values[KNOB_UPDATE]),
                .persist_on_error = switch_of(values[KNOB_ERROR]),
                .persist_on_phase_change = switch_of(values[KNOB_PHASE]),
                .persist_interval_ns =
                    interval == 0 ? STET_NEVER : (int64_t)interval,
            },
    };
}

static stet_status add_rule(stet_config_state *c, uint32_t item,
                            stet_error *err)
{
    const stet_settings *s = &c->settings;
    uint64_t values[KNOB_COUNT];
    take_general(s, values);
    for (size_t i = 0; i < KNOB_COUNT; i++) {
        const stet_setting *own = find_item(s, knobs[i].item_key, item);
        values[i] = own == NULL ? values[i] : own->number;
    }
    stet_machine_rule rule = rule_of(values);
    rule.ns = (uint8_t)item_number(s, "rules[].namespace", item);
    rule.base_events =
        (uint32_t)item_number(s, "rules[].snapshot_events", item);
    stet_status st =
        take_pattern(s, "rules[].pattern", item, &rule.pattern, err);
    stet__buf_put(&c->rules, &rule, sizeof rule);
    return st;
}

/* Only where somebody asks: without any rule a write looks for none. */
static void add_general_rules(stet_config_state *c)
{
    uint64_t values[KNOB_COUNT];
    bool is_asked = false;
    for (size_t i = 0; i < KNOB_COUNT; i++) {
        const stet_setting *at = find_item(&c->settings, knobs[i].key, 0);
        is_asked = is_asked || at->source.origin != STET_CONFIG_FROM_DEFAULT;
    }
    if (!is_asked) {
        return;
    }
    take_general(&c->settings, values);
    stet_machine_rule rule = rule_of(values);
    for (unsigned ns = 0; ns <= STET_NAMESPACE_MAX; ns++) {
        rule.ns = (uint8_t)ns;
        stet__buf_put(&c->rules, &rule, sizeof rule);
    }
}

/* ---- stores ---- */

/* A store that is a folder has to say which. */
static stet_status check_stores(const stet_settings *s, const char *list,
                                const char *type_key, const char *path_key,
                                stet_error *err)
{
    enum { FILESYSTEM = 2 }; /* among the choices of the type */
    for (uint32_t item = 0; item < count_items(s, list); item++) {
        const stet_setting *type = find_item(s, type_key, item);
        const stet_setting *path = find_item(s, path_key, item);
        if (type == NULL) {
            return stet__fail(err, STET_E_INVALID, 0, "%s[%u] has no type",
                              list, item);
        }
        bool is_folder = type->number == FILESYSTEM;
        if (is_folder != (path != NULL)) {
            (void)stet__fail(err, STET_E_INVALID, 0, "%s[%u]: %s", list, item,
                             is_folder ? "filesystem needs a path"
                                       : "only filesystem has a path");
            return stet__settings_blame(&type->source, STET_E_INVALID, err);
        }
    }
    return STET_OK;
}

stet_status stet__config_make_rules(stet_config_state *c, stet_error *err)
{
    const stet_settings *s = &c->settings;
    stet_status st =
        check_stores(s, "snapshot.stores", "snapshot.stores[].type",
                     "snapshot.stores[].path", err);
    if (st == STET_OK) {
        st = check_stores(s, "event_sourcing.stores",
                          "event_sourcing.stores[].type",
                          "event_sourcing.stores[].path", err);
    }
    uint32_t count = count_items(s, "retention");
    for (uint32_t item = 0; st == STET_OK && item < count; item++) {
        st = add_retention(c, item, err);
    }
    count = count_items(s, "rules");
    for (uint32_t item = 0; st == STET_OK && item < count; item++) {
        st = add_rule(c, item, err);
    }
    if (st != STET_OK) {
        return st;
    }
    add_general_retention(c);
    add_general_rules(c);
    return c->rules.is_failed || c->retention.is_failed
               ? stet__fail(err, STET_E_NOMEM, 0, "configuration")
               : STET_OK;
}
