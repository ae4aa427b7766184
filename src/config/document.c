/*
 * Document: walks over the parts of a file with the key of where it is.
 *
 * Each open mapping or list is a level. A level of a mapping waits for a key,
 * then for that key's value, and so on; a value that is itself a mapping or a
 * list is the next level.
 */
#include "config/document.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "config/value.h"
#include "config/yaml.h"

typedef enum level_kind {
    LEVEL_MAP = 1,
    LEVEL_LIST = 2, /* of mappings */
    LEVEL_WORDS = 3 /* a list of choices */
} level_kind;

typedef struct level {
    level_kind kind;
    char key[STET_CONFIG_KEY_MAX]; /* "" at the top, "retention[]" in an item */
    bool has_key;                  /* a map's, of which the value comes next */
    uint32_t items;                /* of a list, so far */
    size_t said;                   /* settings before a mapping began */
    stet_setting words;            /* of LEVEL_WORDS, so far */
} level;

typedef struct document {
    stet_settings *settings;
    const char *name;
    level levels[STET_CONFIG_DEPTH_MAX];
    size_t depth;
    char key[STET_CONFIG_KEY_MAX]; /* of the value that comes next */
    const stet_config_row *row;    /* of the key, if it is a LEAF */
    stet_config_place place;
    uint32_t item;  /* of the list that this is in */
    stet_buf begun; /* keys of sections and lists so far, each with its NUL */
    stet_yaml_part part;
} document;

static stet_config_source source_of(const document *d)
{
    return (stet_config_source){STET_CONFIG_FROM_FILE, d->name, d->part.line,
                                d->part.column};
}

static stet_status refuse(const document *d, stet_error *err,
                          const char *subject, const char *text)
{
    stet_config_source source = source_of(d);
    (void)stet__fail(err, STET_E_INVALID, 0, "%s%s", subject, text);
    return stet__settings_blame(&source, STET_E_INVALID, err);
}

static level *top(document *d)
{
    STET_ASSERT(d->depth > 0);
    return &d->levels[d->depth - 1];
}

static level *push(document *d, level_kind kind, const char *key)
{
    STET_ASSERT(d->depth < STET_CONFIG_DEPTH_MAX);
    level *l = &d->levels[d->depth++];
    l->kind = kind;
    l->has_key = false;
    l->items = 0;
    l->said = stet__settings_count(d->settings);
    (void)snprintf(l->key, sizeof l->key, "%s", key);
    return l;
}

static stet_status no_such_key(const document *d, const char *above,
                               stet_error *err)
{
    stet_slice name = d->part.text;
    stet_slice near = stet__config_nearest(stet_str(above), name);
    stet_config_source source = source_of(d);
    (void)stet__fail(err, STET_E_INVALID, 0, "%s%s%.*s: no such key%s%.*s",
                     above, above[0] == '\0' ? "" : ".",
                     (int)(name.len > 64 ? 64 : name.len),
                     name.len == 0 ? "" : (const char *)name.ptr,
                     near.len == 0 ? "" : "; the nearest is ", (int)near.len,
                     near.len == 0 ? "" : (const char *)near.ptr);
    return stet__settings_blame(&source, STET_E_INVALID, err);
}

/* A section or a list begins: once in a file. */
static stet_status begin_key(document *d, stet_error *err)
{
    size_t at = 0;
    while (at < d->begun.len) {
        const char *key = (const char *)d->begun.ptr + at;
        if (strcmp(key, d->key) == 0) {
            return refuse(d, err, d->key, " is begun twice");
        }
        at += strlen(key) + 1;
    }
    stet__buf_put(&d->begun, d->key, strlen(d->key) + 1);
    return d->begun.is_failed
               ? stet__fail(err, STET_E_NOMEM, 0, "configuration")
               : STET_OK;
}

/* A mapping's key: find out what it is for. */
static stet_status take_key(document *d, stet_error *err)
{
    level *l = top(d);
    stet_slice name = d->part.text;
    char key[2 * STET_CONFIG_KEY_MAX];
    bool is_name = name.len > 0 && name.len < STET_CONFIG_KEY_MAX &&
                   memchr(name.ptr, '[', name.len) == NULL &&
                   memchr(name.ptr, '\0', name.len) == NULL;
    d->place = STET_CONFIG_UNKNOWN;
    if (is_name) {
        int len = snprintf(key, sizeof key, "%s%s%.*s", l->key,
                           l->key[0] == '\0' ? "" : ".", (int)name.len,
                           (const char *)name.ptr);
        stet_slice meant =
            stet__config_section(stet_slice_of(key, (size_t)len));
        d->place = meant.len < STET_CONFIG_KEY_MAX
                       ? stet__config_find(meant, &d->row)
                       : STET_CONFIG_UNKNOWN;
        if (d->place != STET_CONFIG_UNKNOWN) {
            memcpy(d->key, meant.ptr, meant.len);
            d->key[meant.len] = '\0';
            l->has_key = true;
        }
    }
    switch (d->place) {
    case STET_CONFIG_UNKNOWN:
        return no_such_key(d, l->key, err);
    case STET_CONFIG_LEAF:
        return STET_OK; /* settings know it if it comes again */
    case STET_CONFIG_SECTION:
    case STET_CONFIG_LIST:
        return begin_key(d, err);
    }
    return STET_OK;
}

/* Is 0 a value of this row, so that null can be told for it? */
static bool takes_none(const stet_config_row *row)
{
    return (row->least == 0 || row->has_none) &&
           (row->kind == STET_CONFIG_NUMBER || row->kind == STET_CONFIG_BYTES ||
            row->kind == STET_CONFIG_DURATION);
}

static stet_status take_value(document *d, stet_error *err)
{
    top(d)->has_key = false;
    if (d->place != STET_CONFIG_LEAF) {
        if (d->part.is_null) {
            return STET_OK; /* a section or list with nothing in it */
        }
        return refuse(d, err, d->key,
                      d->place == STET_CONFIG_LIST ? " takes a list"
                                                   : " takes keys below it");
    }
    stet_setting setting = {
        .row = d->row, .item = d->item, .source = source_of(d)};
    stet_slice text = d->part.text;
    if (d->part.is_null) {
        text = stet_str(takes_none(d->row) ? "0" : "");
    }
    return stet__settings_read(d->settings, &setting, text, err);
}

static stet_status take_word(document *d, stet_error *err)
{
    stet_setting *words = &top(d)->words;
    stet_config_source source = source_of(d);
    stet_status st =
        stet__config_value_add(words->row, d->part.text, &words->number, err);
    return st == STET_OK ? STET_OK : stet__settings_blame(&source, st, err);
}

static stet_status take_scalar(document *d, stet_error *err)
{
    if (d->depth == 0) {
        return d->part.is_null
                   ? STET_OK
                   : refuse(d, err, "", "a configuration is a mapping of keys");
    }
    switch (top(d)->kind) {
    case LEVEL_MAP:
        return top(d)->has_key ? take_value(d, err) : take_key(d, err);
    case LEVEL_LIST:
        return refuse(d, err, top(d)->key, ": each item is a mapping of keys");
    case LEVEL_WORDS:
        return take_word(d, err);
    }
    return STET_OK;
}

static stet_status begin_item(document *d, stet_error *err)
{
    level *list = top(d);
    char key[STET_CONFIG_KEY_MAX];
    if (list->items == STET_CONFIG_ITEMS_MAX) {
        return refuse(d, err, list->key, ": more than 512 items");
    }
    d->item = list->items++;
    /* Rows of items have such keys, so it fits. */
    int len =
        snprintf(key, sizeof key, "%.*s[]", (int)sizeof key - 3, list->key);
    STET_ASSERT(len > 0 && (size_t)len < sizeof key);
    (void)push(d, LEVEL_MAP, key);
    return STET_OK;
}

static stet_status begin_map(document *d, stet_error *err)
{
    if (d->depth == 0) {
        (void)push(d, LEVEL_MAP, "");
        return STET_OK;
    }
    level *l = top(d);
    if (l->kind == LEVEL_LIST) {
        return begin_item(d, err);
    }
    if (l->kind == LEVEL_WORDS) {
        return refuse(d, err, l->key, " takes words, not mappings");
    }
    if (!l->has_key) {
        return refuse(d, err, "", "a key is a word, not a mapping");
    }
    if (d->place != STET_CONFIG_SECTION) {
        return refuse(d, err, d->key,
                      d->place == STET_CONFIG_LIST
                          ? " takes a list, not a mapping"
                          : " takes a value, not a mapping");
    }
    l->has_key = false;
    (void)push(d, LEVEL_MAP, d->key);
    return STET_OK;
}

static stet_status begin_list(document *d, stet_error *err)
{
    if (d->depth == 0) {
        return refuse(d, err, "", "a configuration is a mapping of keys");
    }
    level *l = top(d);
    if (l->kind != LEVEL_MAP || !l->has_key) {
        return refuse(d, err, l->key, ": a list has no place here");
    }
    l->has_key = false;
    if (d->place == STET_CONFIG_LIST) {
        (void)push(d, LEVEL_LIST, d->key);
        return STET_OK;
    }
    if (d->place == STET_CONFIG_LEAF && d->row->kind == STET_CONFIG_CHOICES) {
        push(d, LEVEL_WORDS, d->key)->words =
            (stet_setting){.row = d->row, .source = source_of(d)};
        return STET_OK;
    }
    return refuse(d, err, d->key, " takes no list");
}

static stet_status end_level(document *d, stet_error *err)
{
    level *l = top(d);
    d->depth--;
    if (l->kind == LEVEL_WORDS) {
        return l->words.number == 0
                   ? refuse(d, err, l->key, " has no value")
                   : stet__settings_put(d->settings, &l->words, err);
    }
    if (d->depth == 0 || top(d)->kind != LEVEL_LIST) {
        return STET_OK;
    }
    d->item = 0;
    /* It would count in the middle of a list, and not at its end. */
    return l->said == stet__settings_count(d->settings)
               ? refuse(d, err, top(d)->key, ": an item says nothing")
               : STET_OK;
}

static stet_status take_part(document *d, stet_error *err)
{
    switch (d->part.kind) {
    case STET_YAML_MAP:
        return begin_map(d, err);
    case STET_YAML_LIST:
        return begin_list(d, err);
    case STET_YAML_MAP_END:
    case STET_YAML_LIST_END:
        return end_level(d, err);
    case STET_YAML_SCALAR:
        return take_scalar(d, err);
    case STET_YAML_END:
        break;
    }
    return STET_OK;
}

stet_status stet__config_take_text(stet_settings *s, const char *name,
                                   stet_slice text, stet_error *err)
{
    document d = {.settings = s, .name = name};
    stet_yaml *yaml = NULL;
    stet_status st = stet__yaml_open(text, name, s->items.alloc, &yaml, err);
    if (st != STET_OK) {
        return st;
    }
    stet__buf_init(&d.begun, s->items.alloc);
    do {
        st = stet__yaml_next(yaml, &d.part, err);
        if (st == STET_OK) {
            st = take_part(&d, err);
        }
    } while (st == STET_OK && d.part.kind != STET_YAML_END);
    stet__buf_deinit(&d.begun);
    stet__yaml_close(yaml);
    return st;
}
