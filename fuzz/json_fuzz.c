/*
 * JSON: what is read and written reads as the same value and is written to the
 * same bytes; the two readers that stet has agree on what is JSON; and what a
 * skim is certain of holds when all of the text is read.
 */
#include "fuzz.h"

#include <string.h>

#include "base/bytes.h"
#include "core/json.h"
#include "core/skim.h"
#include "formats/jsontext.h"

static void check_writing(fuzz *f, const stet_value *v)
{
    stet_doc doc;
    stet_buf once;
    stet_buf twice;
    stet_value *again = NULL;
    stet__doc_init(&doc, &f->alloc);
    stet__buf_init(&once, &f->alloc);
    stet__buf_init(&twice, &f->alloc);
    stet__json_write(v, &once);
    FUZZ_CHECK(stet__json_read(&doc, stet__buf_slice(&once),
                               STET_JSON_VALUES_MAX, &again, NULL) == STET_OK);
    FUZZ_CHECK(stet__value_eq(v, again));
    FUZZ_CHECK(stet__value_height(v) == stet__value_height(again));
    stet__json_write(again, &twice);
    FUZZ_CHECK(stet__slice_eq(stet__buf_slice(&once), stet__buf_slice(&twice)));
    stet__buf_deinit(&twice);
    stet__buf_deinit(&once);
    stet__doc_deinit(&doc);
}

/* An object's members, as the other reader gives them, are the same object. */
static void check_members(fuzz *f, stet_slice text, const stet_value *v)
{
    stet_arena arena;
    stet_doc doc;
    stet_jsontext_object o;
    stet_jsontext_member m;
    uint32_t count = 0;
    stet__arena_init(&arena, &f->alloc);
    stet__doc_init(&doc, &f->alloc);
    FUZZ_CHECK(stet__jsontext_open(&o, text, &arena, NULL) == STET_OK);
    while (stet__jsontext_next(&o, &m)) {
        stet_value *value = NULL;
        const stet_value *due = stet__value_member(v, m.name);
        FUZZ_CHECK(stet__json_read(&doc, m.raw, STET_JSON_VALUES_MAX, &value,
                                   NULL) == STET_OK);
        FUZZ_CHECK(due != NULL && stet__value_eq(value, due));
        FUZZ_CHECK(m.type != STET_JSONTEXT_STRING ||
                   stet__slice_eq(m.text, due->text));
        count++;
    }
    FUZZ_CHECK(count == v->live);
    stet__doc_deinit(&doc);
    stet__arena_deinit(&arena);
}

static void check_skim(fuzz *f, stet_slice text)
{
    stet_buf found;
    stet_slice pointers = stet_str("/a /b");
    stet_slice known = stet_str("x");
    stet__buf_init(&found, &f->alloc);
    if (stet__skim_says_no_other(text, pointers, known)) {
        stet_status st =
            stet__json_string_at(&f->alloc, text, pointers, &found);
        FUZZ_CHECK(st == STET_E_NOT_FOUND ||
                   stet__slice_eq(stet__buf_slice(&found), known));
    }
    stet__buf_deinit(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz f;
    fuzz_begin(&f, data, size);
    stet_slice text = fuzz_rest(&f);
    stet_doc doc;
    stet_arena arena;
    stet_error err = {0};
    stet_value *v = NULL;
    stet_json_kind kind = STET_JSON_OTHER;
    stet__doc_init(&doc, &f.alloc);
    stet__arena_init(&arena, &f.alloc);
    stet_status st =
        stet__json_read(&doc, text, STET_JSON_VALUES_MAX, &v, &err);
    FUZZ_CHECK(stet__json_check(&f.alloc, text, &kind, NULL) == st);
    bool is_json = stet__jsontext_check(text, &arena, NULL) == STET_OK;
    if (st == STET_OK) {
        FUZZ_CHECK(is_json);
        FUZZ_CHECK((kind == STET_JSON_OBJECT) ==
                   (v->kind == STET_VALUE_OBJECT));
        FUZZ_CHECK((kind == STET_JSON_ARRAY) == (v->kind == STET_VALUE_ARRAY));
        check_writing(&f, v);
        if (kind == STET_JSON_OBJECT) {
            check_members(&f, text, v);
        }
    } else {
        FUZZ_CHECK(is_json == (st == STET_E_TOO_LARGE ||
                               strstr(err.text, "a second member") != NULL));
    }
    check_skim(&f, text);
    stet__arena_deinit(&arena);
    stet__doc_deinit(&doc);
    fuzz_end(&f);
    return 0;
}
