#include "lib/json_random.h"

enum { LEVELS_MAX = 16, NAMES = 48 };

/* One open container. */
typedef struct level {
    uint64_t names_taken; /* of an object, one bit each */
    size_t left;          /* items to come */
    bool is_object;
    bool is_begun;
} level;

static void put_blanks(rng *r, stet_buf *out)
{
    while (rng_below(r, 8) == 0) {
        stet__buf_put_u8(out, (uint8_t) " \t\n\r"[rng_below(r, 4)]);
    }
}

static void put_scalar(rng *r, stet_buf *out)
{
    static const char *const scalars[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1",
        "1.0",
        "1e400",
        "-12.50e3",
        "\"\"",
        "\"a\"",
        "\"\\u00e4\"",
        "\"\\\"\"",
        "\"/~\\/\"",
        "\"\\u0000\\n\"",
        "18446744073709551616",
    };
    stet__buf_put_str(out, scalars[rng_below(r, 16)]);
}

/* By hand: what prints numbers takes longer than all the rest. */
static void put_number_name(size_t name, stet_buf *out)
{
    stet__buf_put_str(out, "\"n");
    if (name >= 10) {
        stet__buf_put_u8(out, (uint8_t)('0' + name / 10));
    }
    stet__buf_put_u8(out, (uint8_t)('0' + name % 10));
    stet__buf_put_u8(out, '"');
}

/* Names up to 7 are common, so that two objects share some. */
static void put_name(rng *r, level *l, stet_buf *out)
{
    size_t name = rng_below(r, 4) == 0 ? rng_below(r, NAMES) : rng_below(r, 8);
    while (l->names_taken & (uint64_t)1 << name) {
        name = (name + 1) % NAMES;
    }
    l->names_taken |= (uint64_t)1 << name;
    if (name == 3) {
        stet__buf_put_str(out, "\"~/\\u0033\"");
    } else {
        put_number_name(name, out);
    }
    put_blanks(r, out);
    stet__buf_put_u8(out, ':');
    put_blanks(r, out);
}

static level open_container(rng *r, bool is_object, stet_buf *out)
{
    stet__buf_put_u8(out, is_object ? '{' : '[');
    put_blanks(r, out);
    level l = {.is_object = is_object, .left = rng_below(r, 6)};
    if (rng_below(r, 16) == 0) {
        l.left = 14 + rng_below(r, 20); /* enough to be indexed */
    }
    return l;
}

static void fill(rng *r, level *stack, uint32_t depth, stet_buf *out)
{
    uint32_t open = 1;
    while (open > 0) {
        level *l = &stack[open - 1];
        if (l->left == 0) {
            stet__buf_put_u8(out, l->is_object ? '}' : ']');
            open--;
            continue;
        }
        if (l->is_begun) {
            stet__buf_put_u8(out, ',');
            put_blanks(r, out);
        }
        l->is_begun = true;
        l->left--;
        if (l->is_object) {
            put_name(r, l, out);
        }
        if (open < depth && rng_below(r, 3) == 0) {
            stack[open++] = open_container(r, rng_below(r, 3) > 0, out);
        } else {
            put_scalar(r, out);
            put_blanks(r, out);
        }
    }
}

void json_random_object(rng *r, uint32_t depth, stet_buf *out)
{
    level stack[LEVELS_MAX] = {open_container(r, true, out)};
    fill(r, stack, depth < LEVELS_MAX ? depth : LEVELS_MAX, out);
}

void json_random_value(rng *r, uint32_t depth, stet_buf *out)
{
    if (depth == 0 || rng_below(r, 3) == 0) {
        put_scalar(r, out);
        return;
    }
    level stack[LEVELS_MAX] = {open_container(r, rng_below(r, 2) == 0, out)};
    fill(r, stack, depth < LEVELS_MAX ? depth : LEVELS_MAX, out);
}
