#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "formats/base64.h"
#include "lib/rng.h"

/* The test vectors of RFC 4648, section 10. */
static void test_the_vectors_of_the_rfc_hold(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {{"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        stet_buf out;
        stet__buf_init(&out, &stet__heap);
        stet__base64_put(&out, stet_str(vectors[i][0]));
        stet__buf_put_u8(&out, '\0');
        assert_string_equal((const char *)out.ptr, vectors[i][1]);
        stet__buf_deinit(&out);
    }
}

static void test_any_bytes_come_back(void **state)
{
    (void)state;
    rng r = {11};
    stet_arena arena;
    stet__arena_init(&arena, &stet__heap);
    for (size_t len = 0; len < 200; len++) {
        uint8_t bytes[200];
        rng_fill(&r, bytes, len);
        stet_buf text;
        stet_slice back;
        stet__buf_init(&text, &stet__heap);
        stet__base64_put(&text, stet_slice_of(bytes, len));
        assert_true(stet__base64_decode(stet__buf_slice(&text), &arena, &back));
        assert_int_equal(back.len, len);
        assert_memory_equal(back.ptr, bytes, len);
        stet__buf_deinit(&text);
    }
    stet__arena_deinit(&arena);
}

/* A value has one encoding, so that a changed character never passes. */
static void test_every_other_text_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"A",    "AA",       "AAA",   "AAAAA",
                                        "A===", "====",     "AA=A",  "AB==",
                                        "AAB=", "AA-A",     "AA A",  "AAAA====",
                                        "=AAA", "AA==AAAA", "AAA\n", "A\x80=="};
    stet_arena arena;
    stet__arena_init(&arena, &stet__heap);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        stet_slice out;
        if (stet__base64_decode(stet_str(texts[i]), &arena, &out)) {
            fail_msg("%s was decoded", texts[i]);
        }
    }
    stet__arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_vectors_of_the_rfc_hold),
        cmocka_unit_test(test_any_bytes_come_back),
        cmocka_unit_test(test_every_other_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
