/*
 * Opts: the effective values as options of a store.
 */
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "config/config.h"
#include "config/value.h"

static bool is_enabled(const stet_config *config)
{
    return stet__config_number(&config->state.settings,
                               "persistence.enabled") != 0;
}

static void put_member(const stet_setting *setting, stet_opts *opts)
{
    const stet_config_row *row = setting->row;
    uint8_t *member = (uint8_t *)opts + row->member;
    const char *text = setting->text.ptr;
    uint64_t number = setting->number;
    if (row->kind == STET_CONFIG_CHOICE) {
        number = number - 1 + row->first;
    }
    uint32_t narrow = (uint32_t)number;
    STET_ASSERT(row->member_bytes == sizeof narrow ||
                row->member_bytes == sizeof number);
    if (row->kind == STET_CONFIG_TEXT) {
        memcpy(member, &text, sizeof text);
    } else if (row->member_bytes == sizeof narrow) {
        STET_ASSERT(narrow == number);
        memcpy(member, &narrow, sizeof narrow);
    } else {
        memcpy(member, &number, sizeof number);
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
        opts->flags |= at->number == 0 ? at->row->flag_if_off : 0;
    }
    if (!is_enabled(config)) {
        opts->level = STET_LEVEL_DEFAULT; /* memory reaches no other */
    }
    if (c->rules.len > 0) {
        opts->rules = (const void *)c->rules.ptr;
        opts->rule_count = c->rules.len / sizeof *opts->rules;
    }
    if (c->retention.len > 0) {
        opts->retention = (const void *)c->retention.ptr;
        opts->retention_count = c->retention.len / sizeof *opts->retention;
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
