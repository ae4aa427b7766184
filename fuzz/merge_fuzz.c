/*
 * Merge and assign: the second time they change nothing; a member that the
 * payload names is then what the payload says, every other one is what it was.
 */
#include "fuzz.h"

#include "base/bytes.h"
#include "core/fold.h"
#include "core/json.h"

typedef stet_status (*fold_fn)(const stet_allocator *a, stet_slice state,
                               stet_slice payload, stet_buf *out,
                               stet_error *err);

/* What one member must be after the fold; an object merges by itself. */
static void check_member(const stet_value *before, const stet_value *payload,
                         const stet_value *after, bool is_merge)
{
    if (payload == NULL) {
        FUZZ_CHECK(stet__value_eq(before, after));
    } else if (is_merge && payload->kind == STET_VALUE_NULL) {
        FUZZ_CHECK(after == NULL);
    } else if (is_merge && payload->kind == STET_VALUE_OBJECT) {
        FUZZ_CHECK(after != NULL && after->kind == STET_VALUE_OBJECT);
    } else {
        FUZZ_CHECK(after != NULL && stet__value_eq(payload, after));
    }
}

static void check_members(const stet_value *before, const stet_value *payload,
                          const stet_value *after, bool is_merge)
{
    uint32_t at = 0;
    for (const stet_value *m = stet__value_next(before, &at); m != NULL;
         m = stet__value_next(before, &at)) {
        check_member(m, stet__value_member(payload, m->name),
                     stet__value_member(after, m->name), is_merge);
    }
    at = 0;
    for (const stet_value *m = stet__value_next(payload, &at); m != NULL;
         m = stet__value_next(payload, &at)) {
        check_member(NULL, m, stet__value_member(after, m->name), is_merge);
    }
}

static stet_value *read(stet_doc *d, stet_slice text)
{
    stet_value *v = NULL;
    stet_slice json = text.len == 0 ? stet_str("{}") : text;
    stet_status st = stet__json_read(d, json, SIZE_MAX, &v, NULL);
    FUZZ_CHECK(st == STET_OK);
    return v;
}

static void check(fuzz *f, stet_slice state, stet_slice payload, fold_fn fold)
{
    stet_buf once;
    stet_buf twice;
    stet__buf_init(&once, &f->alloc);
    stet__buf_init(&twice, &f->alloc);
    if (fold(&f->alloc, state, payload, &once, NULL) == STET_OK) {
        stet_status st =
            fold(&f->alloc, stet__buf_slice(&once), payload, &twice, NULL);
        FUZZ_CHECK(st == STET_OK);
        FUZZ_CHECK(
            stet__slice_eq(stet__buf_slice(&once), stet__buf_slice(&twice)));
        stet_doc doc;
        stet__doc_init(&doc, &f->alloc);
        check_members(read(&doc, state), read(&doc, payload),
                      read(&doc, stet__buf_slice(&once)),
                      fold == stet__fold_merge);
        stet__doc_deinit(&doc);
    }
    stet__buf_deinit(&twice);
    stet__buf_deinit(&once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz f;
    fuzz_begin(&f, data, size);
    stet_slice state = fuzz_text(&f);
    stet_slice payload = fuzz_rest(&f);
    check(&f, state, payload, stet__fold_merge);
    check(&f, state, payload, stet__fold_assign);
    fuzz_end(&f);
    return 0;
}
