/*
 * View: the settings as others see them, values and notices.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "config/config.h"
#include "config/value.h"

/* Makes texts; one that finds no memory leaves a mark in `is_failed`. */
typedef struct maker {
    stet_config_state *c;
    stet_buf text; /* the one that is being made */
    bool is_failed;
} maker;

/* Take the text that was made into the arena. */
static const char *take_text(maker *m)
{
    stet_slice kept =
        stet__arena_copy(&m->c->settings.arena, stet__buf_slice(&m->text));
    m->is_failed = m->is_failed || m->text.is_failed || kept.ptr == NULL;
    stet__buf_reset(&m->text);
    return kept.ptr;
}

static void put_value(const stet_setting *setting, stet_buf *out)
{
    if (setting->row->kind == STET_CONFIG_TEXT) {
        stet__buf_put_slice(out, setting->text);
    } else {
        stet__buf_put_str(
            out, stet__config_value_text(setting->row, setting->number).text);
    }
}

/* The key, of a setting with the item's number between the brackets. */
static void put_key(const stet_config_row *row, const stet_setting *setting,
                    stet_buf *out)
{
    const char *bracket = strchr(row->key, '[');
    if (bracket == NULL || setting == NULL) {
        stet__buf_put_str(out, row->key);
        return;
    }
    stet__buf_put(out, row->key, (size_t)(bracket - row->key));
    stet__buf_printf(out, "[%u%s", setting->item, bracket + 1);
}

static void put_where(const stet_config_source *source, stet_buf *out)
{
    stet__buf_put_str(out, source->name);
    if (source->line > 0) {
        stet__buf_printf(out, ":%u", source->line);
    }
}

bool stet__config_is_effective(const stet_setting *setting)
{
    const stet_config_row *row = setting->row;
    const char *cursor = row->built_as == NULL ? "" : row->built_as;
    if (row->effect == STET_CONFIG_WORKS) {
        return true;
    }
    while (*cursor != '\0') {
        uint64_t built = 0;
        stet_slice word = stet__config_word(&cursor, '|');
        stet_status st = stet__config_value_read(row, word, &built, NULL);
        STET_ASSERT(st == STET_OK);
        if (setting->number == built) {
            return true;
        }
    }
    return false;
}

static void add_value(maker *m, const stet_config_row *row,
                      const stet_setting *setting)
{
    char variable[STET_CONFIG_VARIABLE_MAX];
    stet_config_value v = {
        .origin = STET_CONFIG_FROM_DEFAULT,
        .where = "default",
        .default_value = row->fallback,
        .other_variable = row->variable == NULL ? "" : row->variable,
        .other_keys = row->aliases == NULL ? "" : row->aliases,
        .help = row->help,
        .is_effective = row->effect == STET_CONFIG_WORKS,
        .built_as = row->effect == STET_CONFIG_WORKS ? NULL
                    : row->built_as == NULL          ? ""
                                                     : row->built_as,
    };
    put_key(row, setting, &m->text);
    v.key = take_text(m);
    stet__buf_put_str(&m->text, stet__config_value_range(row).text);
    v.allowed = take_text(m);
    stet__config_variable(row, variable);
    stet__buf_put_str(&m->text, variable);
    v.variable = take_text(m);
    if (setting != NULL) {
        put_value(setting, &m->text);
        v.value = take_text(m);
        put_where(&setting->source, &m->text);
        v.where = take_text(m);
        v.origin = setting->source.origin;
        v.is_effective = stet__config_is_effective(setting);
    }
    stet__buf_put(&m->c->values, &v, sizeof v);
}

/* The bytes of a list's key, its brackets included; 0: it is no list's. */
static size_t list_bytes(const stet_config_row *row)
{
    const char *bracket = strchr(row->key, '[');
    return bracket == NULL ? 0 : (size_t)(bracket - row->key) + 2;
}

static bool is_same_list(const stet_config_row *a, const stet_config_row *b)
{
    size_t bytes = list_bytes(a);
    return bytes > 0 && strncmp(a->key, b->key, bytes) == 0;
}

/* What a list's items say, in the file's order; without any, its keys. */
static void add_items(maker *m, const stet_config_row *list)
{
    const stet_settings *s = &m->c->settings;
    size_t values = m->c->values.len;
    for (size_t i = 0; i < stet__settings_count(s); i++) {
        const stet_setting *setting = stet__settings_at(s, i);
        if (is_same_list(list, setting->row)) {
            add_value(m, setting->row, setting);
        }
    }
    if (m->c->values.len > values) {
        return;
    }
    for (size_t i = 0; i < stet__config_row_count; i++) {
        if (is_same_list(list, &stet__config_rows[i])) {
            add_value(m, &stet__config_rows[i], NULL);
        }
    }
}

static void add_notice(maker *m, const stet_setting *setting)
{
    const stet_config_row *row = setting->row;
    size_t list = list_bytes(row);
    stet_buf *out = &m->c->notices;
    put_where(&setting->source, out);
    if (list > 0) {
        stet__buf_printf(out, ": %.*s", (int)list - 2, row->key);
    } else {
        stet__buf_printf(out, ": %s is ", row->key);
        put_value(setting, out);
        stet__buf_put_str(out, ", which");
    }
    stet__buf_put_str(out, " has no effect in this build");
    if (row->effect == STET_CONFIG_REFUSES) {
        stet__buf_put_str(out, ": no store is opened with it");
    }
    stet__buf_put_u8(out, 0);
}

/* One notice for each value, or for each list. */
static void add_notices(maker *m)
{
    const stet_settings *s = &m->c->settings;
    const stet_config_row *list = NULL; /* that was told last */
    for (size_t i = 0; i < stet__settings_count(s); i++) {
        const stet_setting *setting = stet__settings_at(s, i);
        if (setting->source.origin == STET_CONFIG_FROM_DEFAULT ||
            stet__config_is_effective(setting) ||
            (list != NULL && is_same_list(list, setting->row))) {
            continue;
        }
        add_notice(m, setting);
        list = list_bytes(setting->row) > 0 ? setting->row : list;
    }
}

stet_status stet__config_make_values(stet_config_state *c, stet_error *err)
{
    maker m = {.c = c};
    stet__buf_init(&m.text, c->values.alloc);
    for (size_t i = 0; i < stet__config_row_count; i++) {
        const stet_config_row *row = &stet__config_rows[i];
        if (list_bytes(row) == 0) {
            add_value(&m, row, stet__settings_find(&c->settings, row, 0));
        } else if (!is_same_list(row, &stet__config_rows[i - 1])) {
            add_items(&m, row);
        }
    }
    add_notices(&m);
    stet__buf_deinit(&m.text);
    return m.is_failed || c->values.is_failed || c->notices.is_failed
               ? stet__fail(err, STET_E_NOMEM, 0, "configuration")
               : STET_OK;
}

/* ---- what is asked ---- */

static size_t value_count(const stet_config_state *c)
{
    return c->values.len / sizeof(stet_config_value);
}

static stet_config_value *value_at(const stet_config_state *c, size_t i)
{
    return (stet_config_value *)(void *)c->values.ptr + i;
}

static bool is_same_value(const stet_config_value *a,
                          const stet_config_value *b)
{
    return a->value == NULL || b->value == NULL
               ? a->value == b->value
               : strcmp(a->value, b->value) == 0;
}

static const stet_config_value *find_value(const stet_config_state *c,
                                           const char *key)
{
    for (size_t i = 0; i < value_count(c); i++) {
        if (strcmp(value_at(c, i)->key, key) == 0) {
            return value_at(c, i);
        }
    }
    return NULL;
}

uint64_t stet__config_mark_changes(const stet_config_state *before,
                                   stet_config_state *now)
{
    uint64_t changed = 0;
    for (size_t i = 0; i < value_count(now); i++) {
        stet_config_value *v = value_at(now, i);
        const stet_config_value *old = find_value(before, v->key);
        v->is_changed = old == NULL || !is_same_value(old, v);
        changed += v->is_changed;
    }
    for (size_t i = 0; i < value_count(before); i++) {
        changed += find_value(now, value_at(before, i)->key) == NULL;
    }
    return changed;
}

const stet_config_value *stet_config_get(const stet_config *config,
                                         size_t index)
{
    return index < value_count(&config->state) ? value_at(&config->state, index)
                                               : NULL;
}

const char *stet_config_notice(const stet_config *config, size_t index)
{
    const stet_buf *notices = &config->state.notices;
    size_t at = 0;
    for (size_t i = 0; i < index && at < notices->len; i++) {
        at += strlen((const char *)notices->ptr + at) + 1;
    }
    return at < notices->len ? (const char *)notices->ptr + at : NULL;
}
