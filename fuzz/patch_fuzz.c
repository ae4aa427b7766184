/*
 * Patch: the difference of two objects is a patch that makes one of the other;
 * a stranger's patch does all or nothing, and the same in each way to apply it.
 */
#include "fuzz.h"

#include <string.h>

#include "base/bytes.h"
#include "core/diff.h"
#include "core/fold.h"
#include "core/json.h"

enum {
    DIFF_HEIGHT_MAX = 62,
    /* Copies may make STET_PATCH_COPY_VALUES_MAX values and as much text. */
    MEMORY_MAX = 512 << 20,
};

/* Patch with a folder, which is given the state and the patch apart. */
static stet_status fold(fuzz *f, stet_slice state, stet_slice patch,
                        stet_buf *out)
{
    stet_folder *folder = NULL;
    FUZZ_CHECK(stet__folder_create(&f->alloc, &folder, NULL) == STET_OK);
    stet_status st = stet__folder_load(folder, state, NULL);
    if (st == STET_OK) {
        st = stet__folder_apply(folder, STET_REDUCER_PATCH, patch, NULL);
    }
    if (st == STET_OK) {
        st = stet__folder_write(folder, out, NULL);
    }
    stet__folder_destroy(folder);
    return st;
}

static void check_both_ways(fuzz *f, stet_slice state, stet_slice patch)
{
    stet_buf one;
    stet_buf other;
    stet__buf_init(&one, &f->alloc);
    stet__buf_init(&other, &f->alloc);
    stet_status st = stet__fold_patch(&f->alloc, state, patch, &one, NULL);
    FUZZ_CHECK(fold(f, state, patch, &other) == st);
    FUZZ_CHECK(st == STET_OK || st == STET_E_INVALID || st == STET_E_TOO_LARGE);
    FUZZ_CHECK(st == STET_OK || one.len == 0);
    FUZZ_CHECK(stet__slice_eq(stet__buf_slice(&one), stet__buf_slice(&other)));
    stet__buf_deinit(&other);
    stet__buf_deinit(&one);
}

/* Read an object that is not too deep for a difference. */
static stet_value *read_object(stet_doc *d, stet_slice text)
{
    stet_value *v = NULL;
    stet_status st = stet__json_read(d, text, STET_JSON_VALUES_MAX, &v, NULL);
    bool is_object = st == STET_OK && v->kind == STET_VALUE_OBJECT &&
                     stet__value_height(v) <= DIFF_HEIGHT_MAX;
    return is_object ? v : NULL;
}

static void check_difference(fuzz *f, stet_slice from, stet_slice to)
{
    stet_doc doc;
    stet_buf patch;
    stet_buf result;
    stet__doc_init(&doc, &f->alloc);
    stet__buf_init(&patch, &f->alloc);
    stet__buf_init(&result, &f->alloc);
    const stet_value *a = read_object(&doc, from);
    const stet_value *b = read_object(&doc, to);
    stet_status st = stet__diff_json(&f->alloc, from, to, &patch, NULL);
    FUZZ_CHECK(st == STET_OK);
    if (a != NULL && b != NULL) {
        stet_value *got = NULL;
        st = stet__fold_patch(&f->alloc, from, stet__buf_slice(&patch), &result,
                              NULL);
        FUZZ_CHECK(st == STET_OK);
        st = stet__json_read(&doc, stet__buf_slice(&result),
                             STET_JSON_VALUES_MAX, &got, NULL);
        FUZZ_CHECK(st == STET_OK && stet__value_eq(got, b));
        FUZZ_CHECK(stet__value_eq(a, b) ==
                   stet__slice_eq(stet__buf_slice(&patch), stet_str("[]")));
    }
    stet__buf_deinit(&result);
    stet__buf_deinit(&patch);
    stet__doc_deinit(&doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz f;
    fuzz_begin(&f, data, size);
    f.memory_max = MEMORY_MAX;
    stet_slice state = fuzz_text(&f);
    stet_slice other = fuzz_rest(&f);
    check_both_ways(&f, state, other);
    check_difference(&f, state, other);
    fuzz_end(&f);
    return 0;
}
