/*
 * Config: loading, once and again.
 */
#include "config/config.h"

#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "config/document.h"
#include "config/source.h"

enum { PROGRAM_SETTINGS_MAX = 1024 };

static stet_status no_memory(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "configuration");
}

static void init_state(stet_config_state *c, const stet_allocator *alloc)
{
    stet__settings_init(&c->settings, alloc);
    stet__buf_init(&c->values, alloc);
    stet__buf_init(&c->notices, alloc);
    stet__buf_init(&c->rules, alloc);
    stet__buf_init(&c->retention, alloc);
}

static void deinit_state(stet_config_state *c)
{
    stet__buf_deinit(&c->retention);
    stet__buf_deinit(&c->rules);
    stet__buf_deinit(&c->notices);
    stet__buf_deinit(&c->values);
    stet__settings_deinit(&c->settings);
}

/* ---- what is asked for ---- */

/* Copy a text; `*out` stays NULL for NULL. False: no memory. */
static bool copy_text(stet_arena *arena, const char *text, const char **out)
{
    if (text != NULL) {
        *out = stet__arena_copy(arena, stet_str(text)).ptr;
    }
    return text == NULL || *out != NULL;
}

static bool copy_settings(stet_config *c, const stet_config_load_opts *o)
{
    stet_config_request *r = &c->request;
    if (o->setting_count == 0) {
        return true;
    }
    r->settings =
        stet__arena_alloc(&c->arena, o->setting_count * sizeof *r->settings);
    bool is_copied = r->settings != NULL;
    for (size_t i = 0; is_copied && i < o->setting_count; i++) {
        r->settings[i] = (stet_config_setting){NULL, NULL};
        is_copied =
            copy_text(&c->arena, o->settings[i].key, &r->settings[i].key) &&
            copy_text(&c->arena, o->settings[i].value, &r->settings[i].value);
    }
    r->setting_count = is_copied ? o->setting_count : 0;
    return is_copied;
}

static bool copy_request(stet_config *c, const char *path,
                         const stet_config_load_opts *o)
{
    stet_config_request *r = &c->request;
    if (o->text.ptr != NULL) {
        r->text = stet__arena_copy(&c->arena, o->text);
        if (r->text.ptr == NULL) {
            return false;
        }
    }
    return copy_text(&c->arena, path, &r->path) &&
           copy_text(&c->arena, o->profile, &r->profile) && copy_settings(c, o);
}

static stet_status check_opts(const stet_config_load_opts *opts,
                              stet_error *err)
{
    if (opts->struct_size != 0 && opts->struct_size != sizeof *opts) {
        return stet__fail(err, STET_E_UNSUPPORTED, 0,
                          "options of a configuration have %zu bytes, not %zu",
                          opts->struct_size, sizeof *opts);
    }
    if (opts->setting_count > PROGRAM_SETTINGS_MAX ||
        (opts->setting_count > 0 && opts->settings == NULL)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "setting_count is %zu; at most %d are allowed",
                          opts->setting_count,
                          opts->settings == NULL ? 0 : PROGRAM_SETTINGS_MAX);
    }
    return STET_OK;
}

/* ---- what is said ---- */

static stet_status take_file(const stet_config_request *r, stet_settings *s,
                             stet_error *err)
{
    const char *name = r->path == NULL ? "configuration" : r->path;
    if (r->text.ptr != NULL) {
        return stet__config_take_text(s, name, r->text, err);
    }
    if (r->path == NULL) {
        return STET_OK;
    }
    stet_buf text;
    stet__buf_init(&text, s->items.alloc);
    stet_status st = stet__config_read_file(r->path, &text, err);
    if (st == STET_OK) {
        st = stet__config_take_text(s, name, stet__buf_slice(&text), err);
    }
    stet__buf_deinit(&text);
    return st;
}

/* The profile asked for, else the one that the layers above it name. */
static stet_status take_profile(const stet_config_request *r, stet_settings *s,
                                stet_error *err)
{
    if (r->profile != NULL) {
        const stet_config_setting setting = {"profile", r->profile};
        stet_status st = stet__config_take_program(s, &setting, 1, err);
        if (st != STET_OK) {
            return st;
        }
    }
    uint64_t place = stet__config_number(s, "profile");
    return place == 0 ? STET_OK
                      : stet__config_take_profile(s, (unsigned)place - 1, err);
}

static stet_status fill_state(const stet_config_request *r,
                              char *const *variables, stet_config_state *c,
                              stet_error *err)
{
    stet_status st = take_file(r, &c->settings, err);
    if (st == STET_OK && variables != NULL) {
        st = stet__config_take_variables(&c->settings, variables, &c->notices,
                                         err);
    }
    if (st == STET_OK) {
        st = stet__config_take_program(&c->settings, r->settings,
                                       r->setting_count, err);
    }
    if (st == STET_OK) {
        st = take_profile(r, &c->settings, err);
    }
    if (st == STET_OK) {
        st = stet__config_take_defaults(&c->settings, err);
    }
    if (st == STET_OK) {
        st = stet__config_make_rules(c, err);
    }
    return st == STET_OK ? stet__config_make_values(c, err) : st;
}

/* ---- calls ---- */

stet_status stet_config_load(const char *path, char *const *variables,
                             const stet_config_load_opts *opts,
                             stet_config **out, stet_error *err)
{
    static const stet_config_load_opts none = {0};
    const stet_config_load_opts *o = opts == NULL ? &none : opts;
    stet__error_reset(err);
    stet_status st = check_opts(o, err);
    if (st != STET_OK) {
        return st;
    }
    stet_config *c = stet__alloc_zeroed(&o->allocator, 1, sizeof *c);
    if (c == NULL) {
        return no_memory(err);
    }
    c->alloc = o->allocator;
    stet__arena_init(&c->arena, &c->alloc);
    init_state(&c->state, &c->alloc);
    st = copy_request(c, path, o) ? STET_OK : no_memory(err);
    if (st == STET_OK) {
        st = fill_state(&c->request, variables, &c->state, err);
    }
    if (st != STET_OK) {
        stet_config_destroy(c);
        return st;
    }
    *out = c;
    return STET_OK;
}

stet_status stet_config_reload(stet_config *config, char *const *variables,
                               uint64_t *out_changed, stet_error *err)
{
    stet_config_state now;
    stet__error_reset(err);
    init_state(&now, &config->alloc);
    stet_status st = fill_state(&config->request, variables, &now, err);
    if (st != STET_OK) {
        deinit_state(&now);
        return st;
    }
    uint64_t changed = stet__config_mark_changes(&config->state, &now);
    deinit_state(&config->state);
    config->state = now;
    if (out_changed != NULL) {
        *out_changed = changed;
    }
    return STET_OK;
}

void stet_config_destroy(stet_config *config)
{
    if (config == NULL) {
        return;
    }
    deinit_state(&config->state);
    stet__arena_deinit(&config->arena);
    stet_allocator alloc = config->alloc;
    stet__free(&alloc, config, sizeof *config);
}

uint64_t stet__config_number(const stet_settings *s, const char *key)
{
    const stet_config_row *row = NULL;
    stet_config_place place = stet__config_find(stet_str(key), &row);
    STET_ASSERT(place == STET_CONFIG_LEAF);
    const stet_setting *found = stet__settings_find(s, row, 0);
    return found == NULL ? 0 : found->number;
}
