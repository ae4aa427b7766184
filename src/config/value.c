#include "config/value.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <stet/export.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/nearest.h"
#include "base/utf8.h"

enum { PLACE_BITS = 4, PLACES_MAX = 16 };

/* A unit of a number, by how many of the kind's own it is. */
typedef struct unit {
    const char *name;
    uint64_t size;
} unit;

#define SECOND UINT64_C(1000000000)

/* The largest first, as they are written. Those behind are only read. */
static const unit byte_units[] = {
    {"TiB", UINT64_C(1) << 40},
    {"GiB", UINT64_C(1) << 30},
    {"MiB", UINT64_C(1) << 20},
    {"KiB", UINT64_C(1) << 10},
    {"", 1},
    {"B", 1},
    {"TB", UINT64_C(1000000000000)},
    {"GB", UINT64_C(1000000000)},
    {"MB", UINT64_C(1000000)},
    {"kB", UINT64_C(1000)},
    {"KB", UINT64_C(1000)},
    {NULL, 0},
};

static const unit time_units[] = {
    {"d", 86400 * SECOND},
    {"h", 3600 * SECOND},
    {"m", 60 * SECOND},
    {"s", SECOND},
    {"ms", 1000000},
    {"us", 1000},
    {"ns", 1},
    {"", SECOND},
    {"w", 7 * 86400 * SECOND},
    {NULL, 0},
};

/* ISO 8601, behind the P and behind the T. */
static const unit date_units[] = {
    {"W", 7 * 86400 * SECOND},
    {"D", 86400 * SECOND},
    {NULL, 0},
};
static const unit clock_units[] = {
    {"H", 3600 * SECOND},
    {"M", 60 * SECOND},
    {"S", SECOND},
    {NULL, 0},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Take a decimal number off the front; false: there is none, or too large. */
static bool take_number(stet_slice *text, uint64_t *out)
{
    const char *p = text->ptr;
    size_t i = 0;
    uint64_t n = 0;
    while (i < text->len && is_digit(p[i])) {
        if (__builtin_mul_overflow(n, (uint64_t)10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(p[i] - '0'), &n)) {
            return false;
        }
        i++;
    }
    *text = stet_slice_of(p + i, text->len - i);
    *out = n;
    return i > 0;
}

/* Take a unit's name, all letters up to the next digit or T. */
static const unit *take_unit(stet_slice *text, const unit *units)
{
    const char *p = text->ptr;
    size_t len = 0;
    while (len < text->len && !is_digit(p[len]) && p[len] != 'T') {
        len++;
    }
    /* Of bytes the T is a unit's first letter. */
    if (units == byte_units) {
        len = text->len;
    }
    for (const unit *u = units; u->name != NULL; u++) {
        if (stet__slice_eq(stet_slice_of(p, len), stet_str(u->name))) {
            *text = stet_slice_of(p + len, text->len - len);
            return u;
        }
    }
    return NULL;
}

/* Read a sum of numbers with units; nothing at all is none. */
static bool read_sum(stet_slice *text, const unit *units, bool is_one,
                     uint64_t *sum)
{
    const char *p = text->ptr;
    size_t parts = 0;
    while (text->len > 0 && *p != 'T' && !(is_one && parts == 1)) {
        uint64_t n = 0;
        const unit *u = NULL;
        if (take_number(text, &n)) {
            u = take_unit(text, units);
        }
        /* A number without a unit is no part of a sum. */
        bool is_bare = u != NULL && u->name[0] == '\0';
        if (u == NULL || (is_bare && (parts > 0 || text->len > 0)) ||
            __builtin_mul_overflow(n, u->size, &n) ||
            __builtin_add_overflow(*sum, n, sum)) {
            return false;
        }
        parts++;
        p = text->ptr;
    }
    return parts > 0;
}

static bool read_bytes(stet_slice text, uint64_t *out)
{
    return read_sum(&text, byte_units, true, out) && text.len == 0;
}

/* P1DT2H and the like. */
static bool read_iso_duration(stet_slice text, uint64_t *out)
{
    const char *p = text.ptr;
    stet_slice rest = stet_slice_of(p + 1, text.len - 1);
    p = rest.ptr;
    bool has_date = rest.len > 0 && *p != 'T';
    if (has_date && !read_sum(&rest, date_units, false, out)) {
        return false;
    }
    p = rest.ptr;
    if (rest.len == 0) {
        return has_date;
    }
    rest = stet_slice_of(p + 1, rest.len - 1);
    return read_sum(&rest, clock_units, false, out) && rest.len == 0;
}

static bool read_duration(stet_slice text, uint64_t *out)
{
    const char *p = text.ptr;
    return *p == 'P' ? read_iso_duration(text, out)
                     : read_sum(&text, time_units, false, out) && text.len == 0;
}

static bool read_switch(stet_slice text, uint64_t *out)
{
    static const char *const words[] = {"no", "yes", "off", "on",    "0",
                                        "1",  "n",   "y",   "false", "true"};
    char lower[8] = "";
    const char *p = text.ptr;
    if (text.len >= sizeof lower) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        lower[i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] - 'A' + 'a' : p[i]);
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(lower, words[i]) == 0) {
            *out = i % 2;
            return true;
        }
    }
    return false;
}

/* The place of a word among choices from 1, or 0. */
static uint64_t place_of(const char *choices, stet_slice word)
{
    uint64_t place = 1;
    while (*choices != '\0') {
        if (stet__slice_eq(stet__config_word(&choices, '|'), word)) {
            return place;
        }
        place++;
    }
    return 0;
}

static stet_slice word_at(const char *choices, uint64_t place)
{
    stet_slice word = {NULL, 0};
    for (uint64_t i = 0; i < place; i++) {
        word = stet__config_word(&choices, '|');
    }
    return word;
}

/* Say what a row would take, and the nearest of its words. */
static stet_status refuse(const stet_config_row *row, stet_slice text,
                          stet_error *err)
{
    stet_nearest n = stet__nearest_to(text);
    const char *cursor = row->choices == NULL ? "" : row->choices;
    while (*cursor != '\0') {
        stet__nearest_offer(&n, stet__config_word(&cursor, '|'));
    }
    bool is_near = n.best_len > 0;
    return stet__fail(
        err, STET_E_INVALID, 0, "%s is \"%.*s\"; it takes %s%s%.*s", row->key,
        (int)(text.len > 64 ? 64 : text.len),
        text.len == 0 ? "" : (const char *)text.ptr,
        stet__config_value_range(row).text, is_near ? "; the nearest is " : "",
        (int)(is_near ? n.best_len : 0), is_near ? n.best : "");
}

stet_status stet__config_value_add(const stet_config_row *row, stet_slice word,
                                   uint64_t *number, stet_error *err)
{
    uint64_t place = place_of(row->choices, word);
    if (place == 0) {
        return refuse(row, word, err);
    }
    unsigned shift = 0;
    for (uint64_t left = *number; left != 0; left >>= PLACE_BITS) {
        if (left % PLACES_MAX == place) {
            return stet__fail(err, STET_E_INVALID, 0, "%s has %.*s twice",
                              row->key, (int)word.len, (const char *)word.ptr);
        }
        shift += PLACE_BITS;
    }
    STET_ASSERT(shift < sizeof place * CHAR_BIT); /* 15 words, each once */
    *number |= place << shift;
    return STET_OK;
}

static stet_status read_choices(const stet_config_row *row, stet_slice text,
                                uint64_t *out, stet_error *err)
{
    const char *p = text.ptr;
    size_t at = 0;
    uint64_t number = 0;
    stet_status st = STET_OK;
    while (st == STET_OK && at < text.len) {
        size_t len = 0;
        while (at + len < text.len && p[at + len] != ',') {
            len++;
        }
        st = stet__config_value_add(row, stet_slice_of(p + at, len), &number,
                                    err);
        at += len + 1;
    }
    if (st == STET_OK) {
        *out = number;
    }
    return st;
}

static bool is_number_of(const stet_config_row *row, stet_slice text,
                         uint64_t *n)
{
    switch (row->kind) {
    case STET_CONFIG_SWITCH:
        return read_switch(text, n);
    case STET_CONFIG_NUMBER:
        return take_number(&text, n) && text.len == 0;
    case STET_CONFIG_BYTES:
        return read_bytes(text, n);
    case STET_CONFIG_DURATION:
        return read_duration(text, n);
    case STET_CONFIG_CHOICE:
        *n = place_of(row->choices, text);
        return *n != 0;
    case STET_CONFIG_CHOICES:
    case STET_CONFIG_TEXT:
        return true;
    }
    return false;
}

stet_status stet__config_value_read(const stet_config_row *row, stet_slice text,
                                    uint64_t *out, stet_error *err)
{
    if (text.len == 0) {
        return stet__fail(err, STET_E_INVALID, 0, "%s has no value", row->key);
    }
    if (text.len > STET_CONFIG_TEXT_MAX) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "%s has %zu bytes; at most %d are taken", row->key,
                          text.len, STET_CONFIG_TEXT_MAX);
    }
    if (!stet__utf8_is_printable(text)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "%s has control characters, or is not UTF-8",
                          row->key);
    }
    if (row->kind == STET_CONFIG_CHOICES) {
        return read_choices(row, text, out, err);
    }
    uint64_t n = 0;
    if (!is_number_of(row, text, &n)) {
        return refuse(row, text, err);
    }
    bool has_range = row->kind == STET_CONFIG_NUMBER ||
                     row->kind == STET_CONFIG_BYTES ||
                     row->kind == STET_CONFIG_DURATION;
    if (has_range && !(n == 0 && row->has_none) &&
        (n < row->least || n > row->most ||
         (row->step != 0 && n % row->step != 0))) {
        return refuse(row, text, err);
    }
    *out = n;
    return STET_OK;
}

/* Append to a line; the table's longest fits, which a test claims. */
static STET_PRINTF(2, 3) void put(stet_config_line *line, const char *format,
                                  ...)
{
    size_t used = strlen(line->text);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line->text + used, sizeof line->text - used, format, args);
    va_end(args);
}

static void put_word(stet_config_line *line, stet_slice word)
{
    put(line, "%.*s", (int)word.len, (const char *)word.ptr);
}

/* A number with the largest unit that leaves no rest, of those in front. */
static void put_units(const unit *units, size_t count, uint64_t n,
                      stet_config_line *line)
{
    size_t i = 0;
    while (i + 1 < count && (n < units[i].size || n % units[i].size != 0)) {
        i++;
    }
    put(line, "%" PRIu64 "%s", n / units[i].size, units[i].name);
}

static void put_number(const stet_config_row *row, uint64_t number,
                       stet_config_line *line)
{
    enum { BYTE_UNITS = 5, TIME_UNITS = 7 }; /* that are written */
    switch (row->kind) {
    case STET_CONFIG_SWITCH:
        put(line, "%s", number != 0 ? "true" : "false");
        break;
    case STET_CONFIG_NUMBER:
        put(line, "%" PRIu64, number);
        break;
    case STET_CONFIG_BYTES:
        put_units(byte_units, BYTE_UNITS, number, line);
        break;
    case STET_CONFIG_DURATION:
        if (number == 0) {
            put(line, "0s"); /* of all units it has no largest */
        } else {
            put_units(time_units, TIME_UNITS, number, line);
        }
        break;
    case STET_CONFIG_CHOICE:
        put_word(line, word_at(row->choices, number));
        break;
    case STET_CONFIG_CHOICES:
        for (uint64_t left = number; left != 0; left >>= PLACE_BITS) {
            put(line, "%s", left == number ? "" : ",");
            put_word(line, word_at(row->choices, left % PLACES_MAX));
        }
        break;
    case STET_CONFIG_TEXT:
        break;
    }
}

stet_config_line stet__config_value_text(const stet_config_row *row,
                                         uint64_t number)
{
    stet_config_line line = {""};
    put_number(row, number, &line);
    return line;
}

static void put_bounds(const stet_config_row *row, const char *what,
                       stet_config_line *line)
{
    put(line, "%s, %s", what, row->most == UINT64_MAX ? "from " : "");
    put_number(row, row->least, line);
    if (row->most < UINT64_MAX) {
        put(line, " to ");
        put_number(row, row->most, line);
    }
    if (row->step != 0) {
        put(line, " by ");
        put_number(row, row->step, line);
    }
    if (row->has_none) {
        put(line, ", or 0");
    }
}

static void put_choices(const stet_config_row *row, stet_config_line *line)
{
    const char *cursor = row->choices;
    while (*cursor != '\0') {
        put_word(line, stet__config_word(&cursor, '|'));
        bool is_last_next = strchr(cursor, '|') == NULL;
        put(line, "%s", *cursor == '\0' ? "" : is_last_next ? " or " : ", ");
    }
}

stet_config_line stet__config_value_range(const stet_config_row *row)
{
    stet_config_line line = {""};
    switch (row->kind) {
    case STET_CONFIG_SWITCH:
        put(&line, "true or false");
        break;
    case STET_CONFIG_NUMBER:
        put_bounds(row, "a number", &line);
        break;
    case STET_CONFIG_BYTES:
        put_bounds(row, "bytes", &line);
        break;
    case STET_CONFIG_DURATION:
        put_bounds(row, "a time", &line);
        break;
    case STET_CONFIG_CHOICE:
        put_choices(row, &line);
        break;
    case STET_CONFIG_CHOICES:
        put(&line, "a list of ");
        put_choices(row, &line);
        break;
    case STET_CONFIG_TEXT:
        put(&line, "a text");
        break;
    }
    return line;
}
