/*
 * Configuration: a text that loads says the same again when its values are the
 * program's, and makes options that a store takes; one that does not is told
 * why, with its place.
 */
#include "fuzz.h"

#include <string.h>

#include <stet/config.h>

#include "config/row.h"
#include "config/yaml.h"
#include "engine/handle.h"

enum { SETTINGS_MAX = 256 };

/* Load what `c` says of single keys once more, as settings of a program. */
static void check_again(fuzz *f, const stet_config *c)
{
    stet_config_setting settings[SETTINGS_MAX];
    stet_config_load_opts o = {.struct_size = sizeof o, .allocator = f->alloc};
    const stet_config_value *v = NULL;
    for (size_t i = 0; (v = stet_config_get(c, i)) != NULL; i++) {
        if (v->value != NULL && strchr(v->key, '[') == NULL) {
            FUZZ_CHECK(o.setting_count < SETTINGS_MAX);
            settings[o.setting_count++] =
                (stet_config_setting){v->key, v->value};
        }
    }
    o.settings = settings;
    stet_config *again = NULL;
    stet_error err;
    stet_status st = stet_config_load(NULL, NULL, &o, &again, &err);
    FUZZ_CHECK(st == STET_OK);
    for (size_t i = 0; (v = stet_config_get(again, i)) != NULL; i++) {
        const stet_config_value *first = stet_config_get(c, 0);
        if (strchr(v->key, '[') != NULL) {
            continue; /* which a program cannot say */
        }
        for (size_t at = 0; strcmp(first->key, v->key) != 0; at++) {
            first = stet_config_get(c, at + 1);
        }
        FUZZ_CHECK((first->value == NULL) == (v->value == NULL));
        FUZZ_CHECK(v->value == NULL || strcmp(first->value, v->value) == 0);
    }
    stet_config_destroy(again);
}

/* Only what a row cannot know is left for the store to refuse. */
static void check_options(const stet_config *c)
{
    stet_opts o = STET_OPTS_INIT;
    stet_opts settled;
    stet_error err;
    stet_status st = stet_config_opts(c, &o, &err);
    FUZZ_CHECK(st == STET_OK || st == STET_E_UNSUPPORTED);
    if (st == STET_OK) {
        st = stet__open_opts(&o, &settled, &err);
        FUZZ_CHECK(st == STET_OK ||
                   strncmp(err.text, "name_pointers", 13) == 0);
    }
    FUZZ_CHECK(stet_config_url(c, NULL)[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text_nul[1] = "";
    fuzz f;
    fuzz_begin(&f, data, size);
    const stet_config_load_opts o = {
        .struct_size = sizeof o,
        .text = stet_slice_of(size == 0 ? text_nul : (const char *)data, size),
        .allocator = f.alloc,
    };
    stet_config *c = NULL;
    stet_error err;
    stet_status st = stet_config_load("f", NULL, &o, &c, &err);
    if (st == STET_OK) {
        check_again(&f, c);
        check_options(c);
    } else {
        FUZZ_CHECK(st == STET_E_INVALID || st == STET_E_TOO_LARGE);
        FUZZ_CHECK(err.text[0] != '\0');
    }
    stet_config_destroy(c);
    fuzz_end(&f);
    return 0;
}
