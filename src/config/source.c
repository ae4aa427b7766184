#include "config/source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/nearest.h"
#include "config/yaml.h"

static const char prefix[] = "STET_";

/* ---- the file ---- */

/* Read until the end, or one byte above the limit. */
static stet_status read_all(FILE *f, stet_buf *out)
{
    enum { STEP_BYTES = 16 * 1024 };
    size_t got = 0;
    do {
        uint8_t *room = stet__buf_extend(out, STEP_BYTES);
        if (room == NULL) {
            return STET_E_NOMEM;
        }
        got = fread(room, 1, STEP_BYTES, f);
        out->len -= STEP_BYTES - got;
        if (out->len > STET_CONFIG_BYTES_MAX) {
            return STET_E_TOO_LARGE;
        }
    } while (got > 0);
    return ferror(f) ? STET_E_IO : STET_OK;
}

stet_status stet__config_read_file(const char *path, stet_buf *out,
                                   stet_error *err)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        stet_status st = errno == ENOENT ? STET_E_NOT_FOUND : STET_E_IO;
        return stet__fail(err, st, errno, "open %s", path);
    }
    errno = 0;
    stet_status st = read_all(f, out);
    int os_errno = st == STET_E_IO ? errno : 0;
    (void)fclose(f); /* it was only read */
    if (st == STET_E_TOO_LARGE) {
        return stet__fail(err, st, 0,
                          "%s: a configuration has at most %d bytes", path,
                          STET_CONFIG_BYTES_MAX);
    }
    return st == STET_OK ? st : stet__fail(err, st, os_errno, "read %s", path);
}

/* ---- the environment ---- */

/* What stands behind NAME= in an environment; empty: nothing does. */
static stet_slice value_of(char *const *variables, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; variables[i] != NULL; i++) {
        if (strncmp(variables[i], name, len) == 0 && variables[i][len] == '=') {
            return stet_str(variables[i] + len + 1);
        }
    }
    return stet_slice_of(NULL, 0);
}

static stet_status take_variable(stet_settings *s, char *const *variables,
                                 const stet_config_row *row, const char *name,
                                 stet_error *err)
{
    stet_slice value = value_of(variables, name);
    if (value.len == 0) {
        return STET_OK;
    }
    stet_slice kept = stet__arena_copy(&s->arena, stet_str(name));
    if (kept.ptr == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "configuration");
    }
    stet_setting setting = {
        .row = row, .source = {STET_CONFIG_FROM_ENVIRONMENT, kept.ptr, 0, 0}};
    return stet__settings_read(s, &setting, value, err);
}

/* A variable that is none of ours: does it look like one? */
static void tell_mistyped(stet_slice name, stet_buf *notices)
{
    char variable[STET_CONFIG_VARIABLE_MAX];
    char best[STET_CONFIG_VARIABLE_MAX] = "";
    size_t best_edits = SIZE_MAX;
    stet_slice word = stet_slice_of((const char *)name.ptr + sizeof prefix - 1,
                                    name.len - (sizeof prefix - 1));
    for (size_t i = 0; i < stet__config_row_count; i++) {
        stet__config_variable(&stet__config_rows[i], variable);
        if (stet__slice_eq(stet_str(variable), name)) {
            return;
        }
        if (variable[0] == '\0') {
            continue;
        }
        stet_nearest n = stet__nearest_to(word);
        stet__nearest_offer(&n, stet_str(variable + sizeof prefix - 1));
        if (n.best_len > 0 && n.best_edits < best_edits) {
            best_edits = n.best_edits;
            (void)snprintf(best, sizeof best, "%s", variable);
        }
    }
    if (best[0] != '\0') {
        stet__buf_printf(notices,
                         "%.*s is no variable of ours and has no effect; the "
                         "nearest is %s",
                         (int)name.len, (const char *)name.ptr, best);
        stet__buf_put_u8(notices, 0);
    }
}

stet_status stet__config_take_variables(stet_settings *s,
                                        char *const *variables,
                                        stet_buf *notices, stet_error *err)
{
    stet_status st = STET_OK;
    for (size_t i = 0; st == STET_OK && i < stet__config_row_count; i++) {
        const stet_config_row *row = &stet__config_rows[i];
        char own[STET_CONFIG_VARIABLE_MAX];
        stet__config_variable(row, own);
        if (row->variable != NULL) {
            st = take_variable(s, variables, row, row->variable, err);
        }
        /* Ours, of the same layer, goes before the general name. */
        if (st == STET_OK && own[0] != '\0') {
            st = take_variable(s, variables, row, own, err);
        }
    }
    for (size_t i = 0; st == STET_OK && variables[i] != NULL; i++) {
        size_t len = strcspn(variables[i], "=");
        if (strncmp(variables[i], prefix, sizeof prefix - 1) == 0) {
            tell_mistyped(stet_slice_of(variables[i], len), notices);
        }
    }
    return st;
}

/* ---- the program, profiles, defaults ---- */

stet_status stet__config_take_program(stet_settings *s,
                                      const stet_config_setting *settings,
                                      size_t count, stet_error *err)
{
    for (size_t i = 0; i < count; i++) {
        stet_slice key = stet_str(settings[i].key);
        stet_setting setting = {
            .source = {STET_CONFIG_FROM_PROGRAM, "the program", 0, 0}};
        if (key.len == 0 || strchr(settings[i].key, '[') != NULL ||
            stet__config_find(key, &setting.row) != STET_CONFIG_LEAF) {
            stet_slice near = stet__config_nearest(stet_str(NULL), key);
            (void)stet__fail(err, STET_E_INVALID, 0, "%.64s: no such key%s%.*s",
                             key.len == 0 ? "" : settings[i].key,
                             near.len == 0 ? "" : "; the nearest is ",
                             (int)near.len,
                             near.len == 0 ? "" : (const char *)near.ptr);
            return stet__settings_blame(&setting.source, STET_E_INVALID, err);
        }
        stet_status st =
            stet__settings_read(s, &setting, stet_str(settings[i].value), err);
        if (st != STET_OK) {
            return st;
        }
    }
    return STET_OK;
}

stet_status stet__config_take_profile(stet_settings *s, unsigned profile,
                                      stet_error *err)
{
    static const char *const names[STET_CONFIG_PROFILES] = {
        "profile development", "profile staging", "profile production"};
    stet_status st = STET_OK;
    for (size_t i = 0; st == STET_OK && i < stet__config_row_count; i++) {
        const stet_config_row *row = &stet__config_rows[i];
        stet_setting setting = {
            .row = row,
            .source = {STET_CONFIG_FROM_PROFILE, names[profile], 0, 0}};
        if (row->profiles[profile] != NULL) {
            st = stet__settings_read(s, &setting,
                                     stet_str(row->profiles[profile]), err);
        }
    }
    return st;
}

stet_status stet__config_take_defaults(stet_settings *s, stet_error *err)
{
    stet_status st = STET_OK;
    for (size_t i = 0; st == STET_OK && i < stet__config_row_count; i++) {
        const stet_config_row *row = &stet__config_rows[i];
        stet_setting setting = {
            .row = row, .source = {STET_CONFIG_FROM_DEFAULT, "default", 0, 0}};
        if (row->fallback != NULL) {
            st = stet__settings_read(s, &setting, stet_str(row->fallback), err);
        }
    }
    return st;
}
