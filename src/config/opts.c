/*
 * Opts: the effective values as options of a store.
 */
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/glob.h"
#include "config/config.h"
#include "config/value.h"

#define DAY_NS (INT64_C(86400) * 1000000000)

/* ---- rules ---- */

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

static stet_status add_rule(stet_config_state *c, uint32_t item,
                            stet_error *err)
{
    const stet_settings *s = &c->settings;
    const stet_setting *pattern = find_item(s, "retention[].pattern", item);
    if (pattern != NULL && (pattern->text.len > STET_GLOB_BYTES_MAX ||
                            !stet__glob_is_valid(pattern->text))) {
        (void)stet__fail(err, STET_E_INVALID, 0,
                         "retention[%u].pattern is no glob of at most %d bytes",
                         item, STET_GLOB_BYTES_MAX);
        return stet__settings_blame(&pattern->source, STET_E_INVALID, err);
    }
    stet_retention_rule rule = {
        .pattern = pattern == NULL ? NULL : pattern->text.ptr,
        .keep_events = item_number(s, "retention[].keep_events", item),
        .keep_ns = (int64_t)item_number(s, "retention[].keep_age", item),
        .ns = (uint8_t)item_number(s, "retention[].namespace", item),
    };
    stet__buf_put(&c->rules, &rule, sizeof rule);
    return STET_OK;
}

/* What holds for all machines goes behind the rules for some. */
static void add_general_rules(stet_config_state *c)
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
        stet__buf_put(&c->rules, &rule, sizeof rule);
    }
}

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
        st = add_rule(c, item, err);
    }
    if (st == STET_OK) {
        add_general_rules(c);
        if (c->rules.is_failed) {
            st = stet__fail(err, STET_E_NOMEM, 0, "configuration");
        }
    }
    return st;
}

/* ---- options ---- */

static bool is_enabled(const stet_config *config)
{
    return stet__config_number(&config->state.settings,
                               "persistence.enabled") != 0;
}

static void put_member(const stet_setting *setting, stet_opts *opts)
{
    const stet_config_row *row = setting->row;
    uint8_t *member = (uint8_t *)opts + row->member;
    uint32_t narrow = (uint32_t)setting->number;
    const char *text = setting->text.ptr;
    STET_ASSERT(row->member_bytes == sizeof narrow ||
                row->member_bytes == sizeof setting->number);
    if (row->kind == STET_CONFIG_TEXT) {
        memcpy(member, &text, sizeof text);
    } else if (row->member_bytes == sizeof narrow) {
        STET_ASSERT(narrow == setting->number);
        memcpy(member, &narrow, sizeof narrow);
    } else {
        memcpy(member, &setting->number, sizeof setting->number);
    }
}

/* What would be promised and not kept is not opened. */
static stet_status check_promise(const stet_config *config, stet_error *err)
{
    const stet_settings *s = &config->state.settings;
    for (size_t i = 0; i < stet__settings_count(s); i++) {
        const stet_setting *at = stet__settings_at(s, i);
        if (at->row->effect == STET_CONFIG_REFUSES &&
            !stet__config_is_effective(at)) {
            (void)stet__fail(
                err, STET_E_UNSUPPORTED, 0,
                "%s is %s, which this build does not have; it has %s",
                at->row->key, stet__config_value_text(at->row, at->number).text,
                at->row->built_as);
            return stet__settings_blame(&at->source, STET_E_UNSUPPORTED, err);
        }
    }
    return STET_OK;
}

static void tell(const stet_config *config, const stet_opts *opts)
{
    if (opts->log == NULL) {
        return;
    }
    if (!is_enabled(config)) {
        opts->log(opts->log_ctx, STET_LOG_WARNING,
                  "persistence.enabled is false: nothing is stored");
    }
    size_t i = 0;
    const char *notice = stet_config_notice(config, i);
    while (notice != NULL) {
        opts->log(opts->log_ctx, STET_LOG_WARNING, notice);
        notice = stet_config_notice(config, ++i);
    }
}

stet_status stet_config_opts(const stet_config *config, stet_opts *opts,
                             stet_error *err)
{
    const stet_config_state *c = &config->state;
    stet__error_reset(err);
    if (opts->struct_size < sizeof *opts) {
        return stet__fail(err, STET_E_UNSUPPORTED, 0,
                          "options of %zu bytes, begin with STET_OPTS_INIT of "
                          "this version",
                          opts->struct_size);
    }
    stet_status st = is_enabled(config) ? check_promise(config, err) : STET_OK;
    if (st != STET_OK) {
        return st;
    }
    for (size_t i = 0; i < stet__settings_count(&c->settings); i++) {
        const stet_setting *at = stet__settings_at(&c->settings, i);
        if (at->row->member != 0 &&
            at->source.origin != STET_CONFIG_FROM_DEFAULT) {
            put_member(at, opts);
        }
    }
    if (!is_enabled(config)) {
        opts->level = STET_LEVEL_DEFAULT; /* memory reaches no other */
    }
    if (c->rules.len > 0) {
        opts->retention = (const void *)c->rules.ptr;
        opts->retention_count = c->rules.len / sizeof *opts->retention;
    }
    tell(config, opts);
    return STET_OK;
}

const char *stet_config_url(const stet_config *config, const char *given)
{
    const stet_config_row *row = NULL;
    stet_config_place place = stet__config_find(stet_str("store"), &row);
    STET_ASSERT(place == STET_CONFIG_LEAF);
    if (!is_enabled(config)) {
        return "memory:";
    }
    return given != NULL
               ? given
               : stet__settings_find(&config->state.settings, row, 0)->text.ptr;
}
