#include "stores/embedded/backup_manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "lib/failalloc.h"

/* A manifest of two files, one of two chunks. */
static void put_some(stet_buf *out)
{
    stet_manifest m;
    assert_int_equal(stet__manifest_init(&m, &stet__heap, 2, NULL), STET_OK);
    m.number = 5;
    m.end_position = 31;
    m.files[0] = (stet_backup_file){
        .number = 2, .is_set = true, .bytes = 8192, .first_position = 1};
    m.files[0].copied_by = 4;
    m.files[1] = (stet_backup_file){.number = 3,
                                    .bytes = STET_BACKUP_CHUNK_BYTES + 4096,
                                    .first_position = 11,
                                    .copied_by = 5,
                                    .first_sum = 1};
    for (uint64_t sum = 100; sum < 103; sum++) {
        stet__buf_put_u64le(&m.sums, sum);
    }
    stet__manifest_put(&m, out);
    stet__manifest_deinit(&m);
}

static void reseal(stet_buf *b)
{
    stet__put_u32le(b->ptr + 4, stet__crc32c(0, b->ptr + 8, b->len - 8));
}

static stet_status get(const stet_buf *b, const stet_allocator *a)
{
    stet_manifest m;
    stet_status st = stet__manifest_get(stet__buf_slice(b), a, &m, NULL);
    if (st == STET_OK) {
        stet__manifest_deinit(&m);
    }
    return st;
}

/* What was copied, and by which backup, decides what is restored. */
static void test_a_manifest_comes_back_as_it_was_put(void **state)
{
    (void)state;
    stet_buf bytes;
    stet_manifest m;
    stet__buf_init(&bytes, &stet__heap);
    put_some(&bytes);
    assert_int_equal(
        stet__manifest_get(stet__buf_slice(&bytes), &stet__heap, &m, NULL),
        STET_OK);
    assert_int_equal(m.number, 5);
    assert_int_equal(m.file_count, 2);
    assert_int_equal(m.end_position, 31);
    assert_true(m.files[0].is_set);
    assert_int_equal(m.files[0].copied_by, 4);
    assert_int_equal(m.files[1].number, 3);
    assert_int_equal(stet__manifest_sum(&m, &m.files[1], 1), 102);
    assert_int_equal(stet__manifest_bytes(&m),
                     8192 + STET_BACKUP_CHUNK_BYTES + 4096);
    stet__manifest_deinit(&m);
    stet__buf_deinit(&bytes);
}

/* Whoever reads a format that is not there reads something made up. */
static void test_another_format_is_told_as_that(void **state)
{
    (void)state;
    static const uint32_t formats[] = {2, UINT32_MAX};
    stet_buf bytes;
    stet__buf_init(&bytes, &stet__heap);
    put_some(&bytes);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        stet__put_u32le(bytes.ptr + 8, formats[i]);
        reseal(&bytes);
        assert_int_equal(get(&bytes, &stet__heap), STET_E_FORMAT);
    }
    stet__put_u32le(bytes.ptr + 8, 0); /* never was one */
    reseal(&bytes);
    assert_int_equal(get(&bytes, &stet__heap), STET_E_CORRUPT);
    stet__buf_deinit(&bytes);
}

/* A manifest that lost its end, or a byte, names files that are not there. */
static void test_any_changed_or_missing_byte_is_told(void **state)
{
    (void)state;
    stet_buf bytes;
    stet__buf_init(&bytes, &stet__heap);
    put_some(&bytes);
    for (size_t at = 0; at < bytes.len; at++) {
        bytes.ptr[at] ^= 0x11;
        assert_int_equal(get(&bytes, &stet__heap), STET_E_CORRUPT);
        bytes.ptr[at] ^= 0x11;
    }
    size_t whole = bytes.len;
    for (bytes.len = 8; bytes.len < whole; bytes.len++) {
        reseal(&bytes);
        assert_int_equal(get(&bytes, &stet__heap), STET_E_CORRUPT);
    }
    stet__buf_deinit(&bytes);
}

/* Each of them would have a restore read what nobody copied. */
static void
test_what_makes_no_sense_is_refused_under_a_right_checksum(void **state)
{
    (void)state;
    enum { ENTRY = 96, NEXT_ENTRY = ENTRY + STET_BACKUP_ENTRY_BYTES };
    static const struct {
        size_t at;
        size_t bytes; /* of the field */
        uint64_t value;
    } forged[] = {
        {12, 4, 0},                         /* backup 0 */
        {32, 8, 96},                        /* another length */
        {40, 8, 11},                        /* ends where a file begins */
        {76, 4, 1},                         /* sums of no file */
        {76, 4, 1000},                      /* more files than entries */
        {92, 4, 1},                         /* reserved */
        {ENTRY, 4, 0},                      /* file 0 */
        {ENTRY + 4, 4, 7},                  /* neither segment nor set */
        {ENTRY + 16, 8, 0},                 /* an empty file */
        {ENTRY + 16, 8, UINT64_MAX},        /* no size */
        {ENTRY + 16, 8, (uint64_t)1 << 50}, /* more sums than there may be */
        {ENTRY + 24, 8, 0},                 /* before the first position */
        {ENTRY + 32, 4, 0},                 /* copied by nobody */
        {ENTRY + 32, 4, 6},                 /* copied by a later backup */
        {ENTRY + 36, 4, 1},                 /* reserved */
        {NEXT_ENTRY + 24, 8, 1},            /* where the file before begins */
    };
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        stet_buf bytes;
        stet__buf_init(&bytes, &stet__heap);
        put_some(&bytes);
        for (size_t n = 0; n < forged[i].bytes; n++) {
            bytes.ptr[forged[i].at + n] = (uint8_t)(forged[i].value >> 8 * n);
        }
        reseal(&bytes);
        assert_int_equal(get(&bytes, &stet__heap), STET_E_CORRUPT);
        stet__buf_deinit(&bytes);
    }
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    stet_buf bytes;
    stet__buf_init(&bytes, &stet__heap);
    put_some(&bytes);
    bool is_hit = true;
    for (size_t nth = 1; is_hit; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        stet_allocator a = failalloc_allocator(&f);
        stet_status st = get(&bytes, &a);
        is_hit = f.is_hit;
        assert_int_equal(st, is_hit ? STET_E_NOMEM : STET_OK);
        failalloc_assert_clean(&f);
    }
    stet__buf_deinit(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_manifest_comes_back_as_it_was_put),
        cmocka_unit_test(test_another_format_is_told_as_that),
        cmocka_unit_test(test_any_changed_or_missing_byte_is_told),
        cmocka_unit_test(
            test_what_makes_no_sense_is_refused_under_a_right_checksum),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
