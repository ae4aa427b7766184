#include "config/settings.h"

#include <string.h>

#include "base/error.h"
#include "config/value.h"

void stet__settings_init(stet_settings *s, const stet_allocator *alloc)
{
    stet__arena_init(&s->arena, alloc);
    stet__buf_init(&s->items, alloc);
}

void stet__settings_deinit(stet_settings *s)
{
    stet__buf_deinit(&s->items);
    stet__arena_deinit(&s->arena);
}

size_t stet__settings_count(const stet_settings *s)
{
    return s->items.len / sizeof(stet_setting);
}

const stet_setting *stet__settings_at(const stet_settings *s, size_t i)
{
    return (const stet_setting *)(const void *)s->items.ptr + i;
}

const stet_setting *stet__settings_find(const stet_settings *s,
                                        const stet_config_row *row,
                                        uint32_t item)
{
    /* What was put last is asked for most: an item's own keys. */
    for (size_t i = stet__settings_count(s); i > 0; i--) {
        const stet_setting *at = stet__settings_at(s, i - 1);
        if (at->row == row && at->item == item) {
            return at;
        }
    }
    return NULL;
}

stet_status stet__settings_blame(const stet_config_source *source,
                                 stet_status st, stet_error *err)
{
    return source->line == 0 ? stet__wrap(err, st, "%s", source->name)
                             : stet__wrap(err, st, "%s:%u:%u", source->name,
                                          source->line, source->column);
}

stet_status stet__settings_put(stet_settings *s, const stet_setting *setting,
                               stet_error *err)
{
    const stet_setting *found =
        stet__settings_find(s, setting->row, setting->item);
    if (found == NULL) {
        stet__buf_put(&s->items, setting, sizeof *setting);
        return s->items.is_failed
                   ? stet__fail(err, STET_E_NOMEM, 0, "configuration")
                   : STET_OK;
    }
    if (found->source.origin == setting->source.origin &&
        setting->source.origin == STET_CONFIG_FROM_FILE) {
        (void)stet__fail(err, STET_E_INVALID, 0,
                         "%s is set twice, first in line %u", setting->row->key,
                         found->source.line);
        return stet__settings_blame(&setting->source, STET_E_INVALID, err);
    }
    if (found->source.origin <= setting->source.origin) {
        size_t at = (size_t)(found - stet__settings_at(s, 0));
        memcpy(s->items.ptr + at * sizeof *setting, setting, sizeof *setting);
    }
    return STET_OK;
}

stet_status stet__settings_read(stet_settings *s, const stet_setting *setting,
                                stet_slice text, stet_error *err)
{
    stet_setting own = *setting;
    stet_status st = stet__config_value_read(own.row, text, &own.number, err);
    if (st != STET_OK) {
        return stet__settings_blame(&own.source, st, err);
    }
    if (own.row->kind == STET_CONFIG_TEXT) {
        own.text = stet__arena_copy(&s->arena, text);
        if (own.text.ptr == NULL) {
            return stet__fail(err, STET_E_NOMEM, 0, "configuration");
        }
    }
    return stet__settings_put(s, &own, err);
}
