#include "engine/box.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "lib/failalloc.h"
#include "os/os.h"

static bool says(stet_slice slice, const char *text)
{
    return stet__slice_eq(slice, stet_str(text));
}

static stet_box_parts some_parts(void)
{
    return (stet_box_parts){
        .ns = 3,
        .id = stet_str("id"),
        .data = stet_str("data"),
        .type = stet_str("type"),
        .name = stet_str("name"),
        .version = stet_str("1.0.0"),
        .metadata = stet_str("{}"),
        .created_at = 77,
    };
}

/* A box outlives all that it was made from, its handle's allocator too. */
static void test_a_box_has_its_own_copy_of_everything(void **state)
{
    (void)state;
    failalloc f;
    failalloc_init(&f, 0);
    stet_allocator *alloc = &(stet_allocator){0};
    *alloc = failalloc_allocator(&f);
    char data[] = "data";
    stet_box_parts parts = some_parts();
    parts.data = stet_slice_of(data, 4);
    stet_box *box = stet__box_create(alloc, &parts);
    assert_non_null(box);
    memset(data, 'x', 4);
    *alloc = (stet_allocator){0};
    const stet_state *v = &box->view;
    assert_true(says(v->state_machine_id, "id"));
    assert_true(says(v->state_data, "data"));
    assert_true(says(v->state_type, "type"));
    assert_true(says(v->current_state, "name"));
    assert_true(says(v->version, "1.0.0"));
    assert_true(says(v->metadata, "{}"));
    assert_int_equal(v->created_at, 77);
    assert_int_equal(v->ns, 3);
    assert_int_equal(box->bytes, atomic_load(&f.bytes));

    stet_allocator again = failalloc_allocator(&f);
    stet_box_parts copied = stet__box_parts_of(box);
    stet_box *twin = stet__box_create(&again, &copied);
    assert_non_null(twin);
    stet__box_unref(box);
    assert_true(says(twin->view.state_data, "data"));
    assert_true(says(twin->view.metadata, "{}"));
    stet_state_release(&twin->view);
    failalloc_assert_clean(&f);
}

/* A state without bytes is a state. */
static void test_a_box_may_be_empty(void **state)
{
    (void)state;
    stet_box_parts none = {0};
    stet_box *box = stet__box_create(&stet__heap, &none);
    assert_non_null(box);
    assert_int_equal(box->view.state_data.len, 0);
    assert_int_equal(stet__box_shape(box),
                     STET_SHAPE_OBJECT); /* takes a fold */
    stet__box_unref(box);
    stet__box_unref(NULL);
}

static stet_shape shape_of(const char *text, failalloc *f)
{
    stet_allocator alloc = failalloc_allocator(f);
    stet_box_parts parts = {.data = stet_str(text)};
    stet_box *box = stet__box_create(&alloc, &parts);
    assert_non_null(box);
    stet_shape shape = stet__box_shape(box);
    assert_int_equal(stet__box_shape(box), shape);
    stet__box_unref(box);
    return shape;
}

/* The shape decides whether a merge is taken: only what will fold is. */
static void test_the_shape_of_a_state_is_what_folds_would_find(void **state)
{
    (void)state;
    failalloc f;
    failalloc_init(&f, 0);
    assert_int_equal(shape_of("{\"a\":[1]}", &f), STET_SHAPE_OBJECT);
    assert_int_equal(shape_of(" {} ", &f), STET_SHAPE_OBJECT);
    assert_int_equal(shape_of("[]", &f), STET_SHAPE_OTHER);
    assert_int_equal(shape_of("7", &f), STET_SHAPE_OTHER);
    assert_int_equal(shape_of("{", &f), STET_SHAPE_OTHER);
    assert_int_equal(shape_of("{\"a\":1,\"a\":2}", &f), STET_SHAPE_OTHER);
    assert_int_equal(shape_of("bytes", &f), STET_SHAPE_OTHER);
    failalloc_assert_clean(&f);
}

/* Not to know for want of memory is not the same as not to be an object. */
static void test_a_shape_not_learned_is_unknown_and_asked_again(void **state)
{
    (void)state;
    failalloc f;
    failalloc_init(&f, 2); /* the box is the first */
    stet_allocator alloc = failalloc_allocator(&f);
    stet_box_parts parts = {.data = stet_str("{\"a\":{\"b\":[1,2,3]}}")};
    stet_box *box = stet__box_create(&alloc, &parts);
    assert_non_null(box);
    stet_shape first = stet__box_shape(box);
    assert_int_equal(first, atomic_load(&f.is_hit) ? STET_SHAPE_UNKNOWN
                                                   : STET_SHAPE_OBJECT);
    assert_int_equal(stet__box_shape(box), STET_SHAPE_OBJECT);
    stet__box_unref(box);
    failalloc_assert_clean(&f);
}

enum { ROUNDS = 20000 };

static void ref_and_release(void *ctx)
{
    stet_box *box = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        const stet_state *state = stet_state_ref(&box->view);
        (void)stet__box_shape(box);
        stet_state_release(state);
    }
    stet__box_unref(box);
}

/* Readers on many threads share one box; the last one frees it, once. */
static void test_threads_share_a_box_and_the_last_one_frees_it(void **state)
{
    (void)state;
    failalloc f;
    failalloc_init(&f, 0);
    stet_allocator alloc = failalloc_allocator(&f);
    stet_os *os = stet__os_posix();
    stet_box_parts parts = some_parts();
    stet_box *box = stet__box_create(&alloc, &parts);
    assert_non_null(box);
    uint64_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(os->thread_start(os, ref_and_release,
                                          stet__box_ref(box), &threads[i]),
                         0);
    }
    stet__box_unref(box);
    for (size_t i = 0; i < 4; i++) {
        os->thread_join(os, threads[i]);
    }
    failalloc_assert_clean(&f);
}

/* No memory is an answer; sizes that overflow are never asked for. */
static void test_a_box_that_cannot_be_made_is_none(void **state)
{
    (void)state;
    failalloc f;
    failalloc_init(&f, 1);
    stet_allocator alloc = failalloc_allocator(&f);
    stet_box_parts parts = some_parts();
    assert_null(stet__box_create(&alloc, &parts));
    parts.data.len = SIZE_MAX - 10;
    assert_null(stet__box_create(&alloc, &parts));
    assert_int_equal(atomic_load(&f.calls), 1);
    failalloc_assert_clean(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_box_has_its_own_copy_of_everything),
        cmocka_unit_test(test_a_box_may_be_empty),
        cmocka_unit_test(test_the_shape_of_a_state_is_what_folds_would_find),
        cmocka_unit_test(test_a_shape_not_learned_is_unknown_and_asked_again),
        cmocka_unit_test(test_threads_share_a_box_and_the_last_one_frees_it),
        cmocka_unit_test(test_a_box_that_cannot_be_made_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
