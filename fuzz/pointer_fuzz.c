/*
 * Pointer: one that is valid is made of its tokens again, and what it names in
 * a document is what the streaming look-up finds there.
 */
#include "fuzz.h"

#include "base/bytes.h"
#include "core/json.h"
#include "core/pointer.h"

/* Write the tokens out again; walk down the document on the way. */
static const stet_value *follow(fuzz *f, stet_slice pointer,
                                const stet_value *v)
{
    stet_arena arena;
    stet_buf again;
    stet_slice rest = pointer;
    stet_slice token;
    stet__arena_init(&arena, &f->alloc);
    stet__buf_init(&again, &f->alloc);
    while (stet__pointer_next(&rest, &token)) {
        FUZZ_CHECK(stet__pointer_is_valid(rest));
        FUZZ_CHECK(stet__pointer_is_inside(pointer, stet__buf_slice(&again)));
        stet_slice name = stet__pointer_decode(token, &arena);
        FUZZ_CHECK(name.ptr != NULL);
        stet__pointer_put_name(&again, name);
        v = v == NULL ? NULL : stet__value_step(v, name);
    }
    FUZZ_CHECK(stet__slice_eq(stet__buf_slice(&again), pointer));
    FUZZ_CHECK(!stet__pointer_is_inside(pointer, stet__buf_slice(&again)));
    stet__buf_deinit(&again);
    stet__arena_deinit(&arena);
    return v;
}

static bool has_space(stet_slice s)
{
    const char *p = s.ptr;
    for (size_t i = 0; i < s.len; i++) {
        if (p[i] == ' ') {
            return true;
        }
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz f;
    fuzz_begin(&f, data, size);
    stet_slice pointer = fuzz_text(&f);
    stet_slice text = fuzz_rest(&f);
    stet_doc doc;
    stet_buf found;
    stet_value *root = NULL;
    stet__doc_init(&doc, &f.alloc);
    stet__buf_init(&found, &f.alloc);
    stet_status st =
        stet__json_read(&doc, text, STET_JSON_VALUES_MAX, &root, NULL);
    if (stet__pointer_is_valid(pointer)) {
        const stet_value *v = follow(&f, pointer, st == STET_OK ? root : NULL);
        bool is_string = v != NULL && v->kind == STET_VALUE_STRING;
        /* Pointers of a list are parted by spaces, and none is empty. */
        if (pointer.len > 0 && !has_space(pointer) && st == STET_OK) {
            FUZZ_CHECK(stet__json_pointers_are_valid(pointer));
            stet_status at =
                stet__json_string_at(&f.alloc, text, pointer, &found);
            FUZZ_CHECK(at == (is_string ? STET_OK : STET_E_NOT_FOUND));
            FUZZ_CHECK(!is_string ||
                       stet__slice_eq(stet__buf_slice(&found), v->text));
        }
    }
    stet__buf_deinit(&found);
    stet__doc_deinit(&doc);
    fuzz_end(&f);
    return 0;
}
