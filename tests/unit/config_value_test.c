#include "config/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/handle.h"

/* ---- the table ---- */

static uint64_t member_of(const stet_opts *o, const stet_config_row *row)
{
    uint64_t wide = 0;
    uint32_t narrow = 0;
    const uint8_t *at = (const uint8_t *)o + row->member;
    if (row->member_bytes == sizeof wide) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    memcpy(&narrow, at, sizeof narrow);
    return narrow;
}

/* What `config show` calls the default is what the engine takes. */
static void test_defaults_are_those_of_the_engine(void **state)
{
    (void)state;
    stet_opts o = STET_OPTS_INIT;
    stet_opts settled;
    assert_int_equal(stet__open_opts(&o, &settled, NULL), STET_OK);
    settled.level = STET_LEVEL_DISK; /* which the store decides */
    size_t seen = 0;
    for (size_t i = 0; i < stet__config_row_count; i++) {
        const stet_config_row *row = &stet__config_rows[i];
        if (row->member == 0) {
            continue;
        }
        seen++;
        if (row->kind == STET_CONFIG_TEXT) {
            assert_string_equal(row->fallback, settled.name_pointers);
            continue;
        }
        uint64_t n = 0;
        assert_int_equal(
            stet__config_value_read(row, stet_str(row->fallback), &n, NULL),
            STET_OK);
        if (row->kind == STET_CONFIG_CHOICE) {
            n = n - 1 + row->first;
        }
        if (n != member_of(&settled, row)) {
            fail_msg("%s", row->key);
        }
    }
    assert_true(seen >= 15);
}

static stet_status open_with(const stet_config_row *row, uint64_t n)
{
    stet_opts o = STET_OPTS_INIT;
    stet_opts settled;
    uint32_t narrow = (uint32_t)n;
    uint8_t *at = (uint8_t *)&o + row->member;
    memcpy(at, row->member_bytes == sizeof n ? (void *)&n : (void *)&narrow,
           row->member_bytes);
    return stet__open_opts(&o, &settled, NULL);
}

static stet_status read_number(const stet_config_row *row, uint64_t n)
{
    uint64_t read = 0;
    stet_config_line text = stet__config_value_text(row, n);
    return stet__config_value_read(row, stet_str(text.text), &read, NULL);
}

/* A range that differs from the engine's fails at open, without a line. */
static void test_ranges_are_those_of_the_engine(void **state)
{
    (void)state;
    for (size_t i = 0; i < stet__config_row_count; i++) {
        const stet_config_row *row = &stet__config_rows[i];
        if (row->member == 0 || row->choices != NULL ||
            row->kind == STET_CONFIG_TEXT) {
            continue;
        }
        uint64_t step = row->step == 0 ? 1 : row->step;
        assert_int_equal(read_number(row, row->least), STET_OK);
        assert_int_equal(open_with(row, row->least), STET_OK);
        assert_int_equal(read_number(row, row->most), STET_OK);
        assert_int_equal(open_with(row, row->most), STET_OK);
        assert_int_equal(read_number(row, row->least - 1), STET_E_INVALID);
        assert_int_equal(read_number(row, row->most + 1), STET_E_INVALID);
        if (row->least > step) { /* 0 is the engine's default */
            assert_int_equal(open_with(row, row->least - step), STET_E_INVALID);
        }
        if (row->most < UINT32_MAX) {
            assert_int_equal(open_with(row, row->most + step), STET_E_INVALID);
        }
        if (row->step != 0) {
            assert_int_equal(read_number(row, row->least + 1), STET_E_INVALID);
            assert_int_equal(open_with(row, row->least + 1), STET_E_INVALID);
        }
    }
}

/* Two rows of one name would make one of them unreachable. */
static void test_no_name_means_two_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < stet__config_row_count; i++) {
        const stet_config_row *row = &stet__config_rows[i];
        const stet_config_row *found = NULL;
        const char *cursor = row->aliases == NULL ? "" : row->aliases;
        stet_slice name = stet_str(row->key);
        while (name.len > 0) {
            assert_int_equal(stet__config_find(name, &found), STET_CONFIG_LEAF);
            assert_ptr_equal(found, row);
            name = stet__config_word(&cursor, ' ');
        }
        assert_true(strlen(stet__config_value_range(row).text) + 1 <
                    sizeof(stet_config_line));
    }
}

/* ---- values ---- */

static const stet_config_row *row_of(const char *key)
{
    const stet_config_row *row = NULL;
    assert_int_equal(stet__config_find(stet_str(key), &row), STET_CONFIG_LEAF);
    return row;
}

/* Each way to write a value, and what `config show` makes of it. */
static void test_values_read_as_they_are_written(void **state)
{
    (void)state;
    const struct {
        const char *key;
        const char *given;
        const char *shown;
    } values[] = {
        {"cache.enabled", "true", "true"},
        {"cache.enabled", "Yes", "true"},
        {"cache.enabled", "ON", "true"},
        {"cache.enabled", "1", "true"},
        {"cache.enabled", "no", "false"},
        {"cache.enabled", "off", "false"},
        {"cache.enabled", "0", "false"},
        {"cache.size", "1000", "1000"},
        {"cache.size", "4294967295", "4294967295"},
        {"cache.bytes", "4096", "4KiB"},
        {"cache.bytes", "4097", "4097"},
        {"cache.bytes", "4097B", "4097"},
        {"cache.bytes", "64MiB", "64MiB"},
        {"cache.bytes", "1024KiB", "1MiB"},
        {"cache.bytes", "1MB", "1000000"},
        {"cache.bytes", "1024GiB", "1TiB"},
        {"snapshot.interval", "300", "5m"},
        {"snapshot.interval", "5m", "5m"},
        {"snapshot.interval", "PT5M", "5m"},
        {"snapshot.interval", "PT1H30M", "90m"},
        {"snapshot.interval", "1h30m", "90m"},
        {"snapshot.interval", "P1DT1S", "86401s"},
        {"snapshot.interval", "P2W", "14d"},
        {"snapshot.interval", "7d", "7d"},
        {"snapshot.interval", "1500ms", "1500ms"},
        {"snapshot.interval", "1ns", "1ns"},
        {"snapshot.interval", "0", "0s"},
        {"strategy", "versioned", "versioned"},
        {"recovery.strategies", "hybrid,snapshot", "hybrid,snapshot"},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const stet_config_row *row = row_of(values[i].key);
        uint64_t n = 0;
        uint64_t again = 1;
        if (stet__config_value_read(row, stet_str(values[i].given), &n, NULL) !=
            STET_OK) {
            fail_msg("%s", values[i].given);
        }
        stet_config_line shown = stet__config_value_text(row, n);
        assert_string_equal(shown.text, values[i].shown);
        assert_int_equal(
            stet__config_value_read(row, stet_str(shown.text), &again, NULL),
            STET_OK);
        assert_true(again == n);
    }
}

/* A value that is read as something near it would change what is kept. */
static void test_values_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    const struct {
        const char *key;
        const char *given;
    } values[] = {
        {"cache.enabled", "ja"},
        {"cache.enabled", "truetrue"},
        {"cache.size", "-1"},
        {"cache.size", "1e3"},
        {"cache.size", "4294967296"},
        {"cache.size", "18446744073709551616"},
        {"cache.size", "1 000"},
        {"cache.bytes", "64M"},
        {"cache.bytes", "MiB"},
        {"cache.bytes", "1MiB1KiB"},
        {"cache.bytes", "18446744073709551615KiB"},
        {"snapshot.interval", "5 m"},
        {"snapshot.interval", "m5"},
        {"snapshot.interval", "1h30"},
        {"snapshot.interval", "5T"},
        {"snapshot.interval", "P"},
        {"snapshot.interval", "PT"},
        {"snapshot.interval", "P1"},
        {"snapshot.interval", "P5M"},
        {"snapshot.interval", "PT5"},
        {"snapshot.interval", "PT5MT5M"},
        {"snapshot.interval", "36501d"},
        {"snapshot.interval", "99999999999999999999d"},
        {"strategy", "snap"},
        {"recovery.strategies", "hybrid,"
                                "hybrid"},
        {"recovery.strategies", "hybrid,,snapshot"},
        {"name_pointers", ""},
        {"name_pointers", "/a\tb"},
        {"name_pointers", "\xff"},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        uint64_t n = 7;
        if (stet__config_value_read(row_of(values[i].key),
                                    stet_str(values[i].given), &n,
                                    NULL) != STET_E_INVALID ||
            n != 7) {
            fail_msg("%s", values[i].given);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_those_of_the_engine),
        cmocka_unit_test(test_ranges_are_those_of_the_engine),
        cmocka_unit_test(test_no_name_means_two_rows),
        cmocka_unit_test(test_values_read_as_they_are_written),
        cmocka_unit_test(test_values_that_mean_nothing_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
