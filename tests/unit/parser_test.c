#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "formats/parser.h"
#include "lib/failalloc.h"
#include "lib/itemdump.h"
#include "lib/rng.h"

/* One input for each format, with what makes a parser take memory. */
static const struct {
    stet_format format;
    const char *input;
} inputs[] = {
    {STET_FORMAT_XES,
     "<log><trace><string key='concept:name' value='a'/>"
     "<int key='n' value='1'><string key='s' value='x'/></int>"
     "<event><string key='concept:name' value='go'/>"
     "<string key='org:resource' value='me'/>"
     "<string key='stet:metadata_base64' value='e30='/>"
     "<list key='l'><values><int key='i' value='2'/></values></list>"
     "</event></trace><trace/></log>"},
    {STET_FORMAT_CSV, "case,activity,time,x,stet:metadata_base64\n"
                      "a,go,1,\"long enough, \"\"to\"\" grow\",e30=\n"
                      "b,go,2,,\n"},
    {STET_FORMAT_JSONL, "{\"id\":\"a\",\"to\":\"go\",\"other\":[1,2,3],"
                        "\"metadata\":{\"is_timeout\":true},"
                        "\"payload\":{\"a\":{}}}\n"
                        "{\"id\":\"a\",\"state_base64\":\"e30=\"}\n"},
};

static stet_status count_item(void *ctx, const stet_item *item, stet_error *err)
{
    (void)item;
    (void)err;
    size_t *count = ctx;
    (*count)++;
    return STET_OK;
}

static stet_status parse(const stet_allocator *a, size_t i, size_t *out_items)
{
    stet_parser_opts opts = {
        .next = count_item, .ctx = out_items, .keep_unknown = true};
    stet_parser *p = NULL;
    const char *input = inputs[i].input;
    stet_status st = stet__parser_create(a, inputs[i].format, &opts, &p, NULL);
    for (size_t at = 0; st == STET_OK && at < strlen(input); at += 10) {
        size_t left = strlen(input) - at;
        st = stet__parser_feed(
            p, stet_slice_of(input + at, left < 10 ? left : 10), NULL);
    }
    if (st == STET_OK) {
        st = stet__parser_finish(p, NULL);
    }
    stet__parser_destroy(p);
    return st;
}

/* Without memory no half an item is given, and nothing leaks. */
static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        size_t all = 0;
        assert_int_equal(parse(&stet__heap, i, &all), STET_OK);
        for (size_t nth = 1;; nth++) {
            size_t items = 0;
            failalloc f;
            failalloc_init(&f, nth);
            stet_allocator a = failalloc_allocator(&f);
            stet_status st = parse(&a, i, &items);
            assert_int_equal(st, f.is_hit ? STET_E_NOMEM : STET_OK);
            assert_true(f.is_hit ? items < all : items == all);
            failalloc_assert_clean(&f);
            if (!f.is_hit) {
                break;
            }
        }
    }
}

/* Change, add or remove a few bytes; some of them such as formats heed. */
static void mutate(rng *r, stet_buf *b)
{
    static const char heeded[] = "<>/='\"&;,{}[]:\\\r\n \t\xff\xc3";
    for (size_t n = 1 + rng_below(r, 3); n > 0; n--) {
        size_t at = rng_below(r, b->len);
        uint8_t byte = (uint8_t)heeded[rng_below(r, sizeof heeded)];
        size_t what = rng_below(r, 3);
        if (what == 0) {
            b->ptr[at] = byte;
        } else if (what == 1) {
            memmove(b->ptr + at, b->ptr + at + 1, b->len - at - 1);
            b->len--;
        } else {
            stet__buf_put_u8(b, 0);
            memmove(b->ptr + at + 1, b->ptr + at, b->len - at - 1);
            b->ptr[at] = byte;
        }
    }
}

/* Parse into a dump that ends with the error, if there is one. */
static void dump(itemdump *d, size_t i, stet_slice input, size_t piece)
{
    itemdump_init(d);
    stet_status st = itemdump_parse(d, inputs[i].format, input, piece);
    stet__buf_printf(&d->text, "%d %s", (int)st, d->err.text);
}

/* Broken input gives the same items and the same error in whatever pieces. */
static void test_broken_input_is_told_the_same_in_any_pieces(void **state)
{
    (void)state;
    rng r = {5};
    for (int round = 0; round < 6000; round++) {
        size_t i = (size_t)round % 3;
        stet_buf input;
        stet__buf_init(&input, &stet__heap);
        stet__buf_put_str(&input, inputs[i].input);
        mutate(&r, &input);
        itemdump whole;
        itemdump pieces;
        dump(&whole, i, stet__buf_slice(&input), 0);
        dump(&pieces, i, stet__buf_slice(&input), 1 + rng_below(&r, 20));
        assert_int_equal(whole.text.len, pieces.text.len);
        assert_memory_equal(whole.text.ptr, pieces.text.ptr, whole.text.len);
        itemdump_deinit(&whole);
        itemdump_deinit(&pieces);
        stet__buf_deinit(&input);
    }
}

/* Files of any size are parsed in the memory of their largest item. */
static void test_memory_does_not_grow_with_the_input(void **state)
{
    (void)state;
    static const char *const parts[][3] = {
        {"<log>",
         "<trace><string key='concept:name' value='a'/><event>"
         "<string key='concept:name' value='go'/></event></trace>",
         "</log>"},
        {"case,activity,time,x\n", "a,go,1,\"text\"\n", ""},
        {"", "{\"id\":\"a\",\"rev\":1,\"state\":{\"x\":\"text\"}}\n", ""},
    };
    static const stet_format formats[] = {STET_FORMAT_XES, STET_FORMAT_CSV,
                                          STET_FORMAT_JSONL};
    for (size_t i = 0; i < 3; i++) {
        size_t items = 0;
        failalloc f;
        failalloc_init(&f, 0);
        stet_allocator a = failalloc_allocator(&f);
        stet_parser_opts opts = {.next = count_item, .ctx = &items};
        stet_parser *p = NULL;
        assert_int_equal(stet__parser_create(&a, formats[i], &opts, &p, NULL),
                         STET_OK);
        assert_int_equal(stet__parser_feed(p, stet_str(parts[i][0]), NULL),
                         STET_OK);
        size_t early = 0;
        for (int n = 0; n < 20000; n++) {
            assert_int_equal(stet__parser_feed(p, stet_str(parts[i][1]), NULL),
                             STET_OK);
            early = n == 10 ? f.bytes_max : early;
        }
        assert_int_equal(stet__parser_feed(p, stet_str(parts[i][2]), NULL),
                         STET_OK);
        assert_int_equal(stet__parser_finish(p, NULL), STET_OK);
        assert_true(items >= 20000);
        assert_int_equal(f.bytes_max, early);
        stet__parser_destroy(p);
        failalloc_assert_clean(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_broken_input_is_told_the_same_in_any_pieces),
        cmocka_unit_test(test_memory_does_not_grow_with_the_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
