#include "core/proof_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/failalloc.h"
#include "lib/records.h"
#include "lib/rng.h"

static const uint8_t seed[STET_CHAIN_BYTES] =
    "a seed that nobody can guess ...";

/* A proof being written. */
typedef struct draft {
    stet_buf text;
    stet_chain chain;
    stet_machine_key key;
    uint64_t seq;
    uint64_t position;
} draft;

static void draft_begin(draft *d)
{
    *d = (draft){0};
    stet__buf_init(&d->text, &stet__heap);
    assert_int_equal(stet__chain_init(&d->chain, &stet__heap, NULL), STET_OK);
    stet__proof_put_begin(&d->text);
}

static void draft_machine(draft *d, const char *id)
{
    d->key = (stet_machine_key){.id = stet_str(id), .ns = 3};
    stet__chain_begin(&d->chain, seed, d->key);
    stet__proof_put_machine(&d->text, d->key);
}

/* The machine's next event, erased or not. */
static void draft_record(draft *d, stet_record r, bool is_erased)
{
    stet_buf bytes;
    stet_leaf leaf;
    r.id = d->key.id;
    r.ns = d->key.ns;
    r.seq = ++d->seq;
    stet__buf_init(&bytes, &stet__heap);
    records_put(&r, &bytes);
    stet_set_record record = {
        .bytes = stet__buf_slice(&bytes),
        .position = d->position += 2,
        .recorded = (int64_t)d->position / 3,
    };
    assert_int_equal(stet__chain_add_leaf(&d->chain, &record, &leaf, NULL),
                     STET_OK);
    stet_proof_event event = {
        .seq = r.seq,
        .header = leaf.header,
        .salt = is_erased ? NULL : leaf.salt,
        .body = leaf.body,
        .commitment = leaf.commitment,
        .value = d->chain.value,
    };
    stet__proof_put_event(&d->text, &event);
    stet__buf_deinit(&bytes);
}

static void draft_event(draft *d)
{
    draft_record(
        d,
        (stet_record){
            .kind = STET_EVENT_TRANSITIONED,
            .form = STET_BODY_MERGE,
            .flags = STET_RECORD_HAS_FROM | STET_RECORD_HAS_OCCURRED_MAX,
            .occurred_max_over = 7,
            .from = stet_str("open"),
            .tags = 1U << STET_TAG_TO | 1U << STET_TAG_ACTION,
            .to = stet_str("paid"),
            .body = stet_str("{\"a\":1}"),
        },
        false);
}

static void draft_fork(draft *d, const char *id, const char *parent,
                       uint64_t seq)
{
    draft_machine(d, id);
    draft_record(d,
                 (stet_record){
                     .kind = STET_EVENT_FORKED,
                     .form = STET_BODY_NONE,
                     .tags = 1U << STET_TAG_PARENT,
                     .parent_id = stet_str(parent),
                     .parent_ns = 3,
                     .parent_seq = seq,
                 },
                 false);
}

static void draft_head(draft *d)
{
    stet__proof_put_head(&d->text, d->seq, d->chain.value);
}

static void draft_deinit(draft *d)
{
    stet__buf_deinit(&d->text);
    stet__chain_deinit(&d->chain);
}

/* A fork's, with a stretch cut and a body erased. */
static void draft_all(draft *d)
{
    draft_begin(d);
    draft_machine(d, "parent");
    d->seq = 4;
    memset(d->chain.value, 0x5a, sizeof d->chain.value);
    stet__proof_put_cut(&d->text, d->seq, d->chain.value);
    draft_event(d);
    draft_record(
        d,
        (stet_record){.kind = STET_EVENT_SAVED,
                      .form = STET_BODY_WHOLE,
                      .flags = STET_RECORD_BASE,
                      .tags = 1U << STET_TAG_CHECK | 1U << STET_TAG_CREATED_AT,
                      .body = stet_str("secret")},
        true);
    draft_head(d);
    draft_fork(d, "fork", "parent", 6);
    draft_event(d);
    draft_head(d);
    stet__proof_put_end(&d->text, 2);
}

/* What a check heard. */
typedef struct heard {
    stet_proof_part parts[4];
    char ids[4][16];
    size_t count;
} heard;

static void hear(void *ctx, const stet_proof_part *part)
{
    heard *h = ctx;
    assert_true(h->count < 4);
    h->parts[h->count] = *part;
    memcpy(h->ids[h->count], part->id.ptr, part->id.len);
    h->count++;
}

/* Check a text that is fed in pieces of up to `piece` bytes. */
static stet_status check_in(stet_slice text, size_t piece, const uint8_t *head,
                            heard *h, stet_error *err)
{
    stet_proof_check_opts opts = {.part = hear, .ctx = h, .head = head};
    *h = (heard){0};
    stet_proof_check *c = stet__proof_check_create(&stet__heap, &opts);
    assert_non_null(c);
    stet_status st = STET_OK;
    for (size_t at = 0; at < text.len && st == STET_OK; at += piece) {
        size_t len = text.len - at < piece ? text.len - at : piece;
        st = stet__proof_check_feed(
            c, stet_slice_of((const uint8_t *)text.ptr + at, len), err);
    }
    if (st == STET_OK) {
        st = stet__proof_check_finish(c, err);
    }
    stet__proof_check_destroy(c);
    return st;
}

static stet_status check(const draft *d, heard *h, stet_error *err)
{
    return check_in(stet__buf_slice(&d->text), SIZE_MAX, NULL, h, err);
}

/* What is proven must be told as it is: somebody relies on it. */
static void test_a_proof_tells_what_it_proves(void **state)
{
    (void)state;
    draft d;
    heard h;
    draft_all(&d);
    for (size_t piece = 1; piece < 300; piece += 7) {
        assert_int_equal(
            check_in(stet__buf_slice(&d.text), piece, NULL, &h, NULL), STET_OK);
        assert_int_equal(h.count, 2);
        stet_proof_part *p = h.parts;
        assert_string_equal(h.ids[0], "parent");
        assert_int_equal(p[0].ns, 3);
        assert_int_equal(p[0].parent_id.len, 0);
        assert_int_equal(p[0].events, 2);
        assert_int_equal(p[0].erased, 1);
        assert_int_equal(p[0].cut_seq, 4);
        assert_int_equal(p[0].first_seq, 5);
        assert_int_equal(p[0].last_seq, 6);
        assert_int_equal(p[0].first_position, 2);
        assert_int_equal(p[0].last_position, 4);
        assert_int_equal(p[0].last_recorded, 1);
        assert_string_equal(h.ids[1], "fork");
        assert_int_equal(p[1].parent_seq, 6);
        assert_int_equal(p[1].parent_ns, 3);
        assert_int_equal(p[1].first_seq, 7);
        assert_int_equal(p[1].last_seq, 8);
        assert_memory_equal(p[1].head, d.chain.value, sizeof p[1].head);
    }
    draft_deinit(&d);
}

/* Of what passes the check no byte may be another than it was. */
static void test_every_changed_byte_is_refused_and_its_line_named(void **state)
{
    (void)state;
    draft d;
    heard h;
    rng random = {7};
    draft_all(&d);
    size_t line = 1;
    for (size_t i = 0; i < d.text.len; i++) {
        uint8_t was = d.text.ptr[i];
        for (int bit = 0; bit < 9; bit++) {
            uint8_t now = bit < 8 ? (uint8_t)(was ^ 1 << bit)
                                  : (uint8_t)rng_below(&random, 256);
            d.text.ptr[i] = now;
            stet_error err = {0};
            stet_status st = check(&d, &h, &err);
            if (now == was) {
                assert_int_equal(st, STET_OK);
                continue;
            }
            assert_true(st == STET_E_CORRUPT || st == STET_E_FORMAT);
            unsigned long told = 0;
            assert_int_equal(sscanf(err.text, "line %lu: ", &told), 1);
            /* An id is compared with the first event's, behind a cut. */
            assert_true(told >= line && told <= line + 2);
        }
        d.text.ptr[i] = was;
        line += was == '\n';
    }
    draft_deinit(&d);
}

/* Neither may any be missing, or be there twice. */
static void test_every_cut_and_every_doubled_line_is_refused(void **state)
{
    (void)state;
    draft d;
    heard h;
    draft_all(&d);
    for (size_t len = 0; len < d.text.len; len++) {
        stet_error err = {0};
        assert_int_equal(
            check_in(stet_slice_of(d.text.ptr, len), SIZE_MAX, NULL, &h, &err),
            STET_E_CORRUPT);
    }
    size_t begin = 0;
    while (begin < d.text.len) {
        const uint8_t *at = d.text.ptr + begin;
        size_t end =
            begin + 1 +
            (size_t)((const uint8_t *)memchr(at, '\n', d.text.len - begin) -
                     at);
        stet_buf other;
        stet__buf_init(&other, &stet__heap);
        stet__buf_put(&other, d.text.ptr, end);
        stet__buf_put(&other, at, d.text.len - begin); /* the line twice */
        assert_int_equal(
            check_in(stet__buf_slice(&other), SIZE_MAX, NULL, &h, NULL),
            STET_E_CORRUPT);
        stet__buf_reset(&other);
        stet__buf_put(&other, d.text.ptr, begin);
        stet__buf_put(&other, d.text.ptr + end, d.text.len - end); /* never */
        assert_int_equal(
            check_in(stet__buf_slice(&other), SIZE_MAX, NULL, &h, NULL),
            STET_E_CORRUPT);
        stet__buf_deinit(&other);
        begin = end;
    }
    draft_deinit(&d);
}

/* Only a head that was published before tells that nothing was replaced. */
static void test_a_head_of_any_time_is_met(void **state)
{
    (void)state;
    draft d;
    heard h;
    uint8_t then[STET_CHAIN_BYTES];
    draft_begin(&d);
    draft_machine(&d, "m");
    for (int i = 0; i < 5; i++) {
        draft_event(&d);
        if (i == 2) {
            memcpy(then, d.chain.value, sizeof then);
        }
    }
    draft_head(&d);
    stet__proof_put_end(&d.text, 1);
    stet_slice text = stet__buf_slice(&d.text);
    assert_int_equal(check_in(text, 100, then, &h, NULL), STET_OK);
    assert_int_equal(h.parts[0].met_seq, 3);
    assert_int_equal(check_in(text, 100, d.chain.value, &h, NULL), STET_OK);
    assert_int_equal(h.parts[0].met_seq, 5);
    then[31] ^= 1;
    assert_int_equal(check_in(text, 100, then, &h, NULL), STET_OK);
    assert_int_equal(h.parts[0].met_seq, 0);
    draft_deinit(&d);
}

static void refused(draft *d, const char *text)
{
    heard h;
    stet_error err = {0};
    draft_head(d);
    stet__proof_put_end(&d->text, 2);
    assert_int_equal(check(d, &h, &err), STET_E_CORRUPT);
    if (strstr(err.text, text) == NULL) {
        print_error("%s\n", err.text);
        fail();
    }
    draft_deinit(d);
}

/* A chain may be right and yet not be a history: each event has its place. */
static void test_what_is_no_history_is_refused(void **state)
{
    (void)state;
    draft d;
    draft_begin(&d);
    draft_machine(&d, "m");
    d.seq = 1;
    draft_event(&d);
    refused(&d, "line 3: no history begins with this event");

    draft_begin(&d);
    draft_machine(&d, "m");
    draft_event(&d);
    d.seq = 2;
    draft_event(&d);
    refused(&d, "line 4: event 3 where 2 is due");

    draft_begin(&d);
    draft_machine(&d, "m");
    draft_event(&d);
    d.position = 1;
    draft_event(&d);
    draft_event(&d);
    d.position -= 2;
    draft_event(&d);
    refused(&d, "line 6: the event was stored before its predecessor");

    draft_begin(&d);
    draft_machine(&d, "m");
    d.key.id = stet_str("n");
    draft_event(&d);
    refused(&d, "line 3: the event is another machine's");

    draft_begin(&d);
    draft_machine(&d, "m");
    draft_event(&d);
    d.seq = 5;
    stet__proof_put_cut(&d.text, 5, d.chain.value);
    refused(&d, "line 4: nothing was dropped here");

    draft_begin(&d);
    draft_machine(&d, "m");
    refused(&d, "line 3: the head is not that of the events");
}

/* Whose history a fork goes on from must be told, and whether it is there. */
static void test_a_fork_tells_what_it_goes_on_from(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 4; wrong++) {
        draft d;
        heard h;
        draft_begin(&d);
        if (wrong != 3) {
            draft_machine(&d, "m");
            draft_event(&d);
            draft_event(&d);
            draft_head(&d);
        }
        d.seq = wrong == 1 ? 1 : 2;
        draft_fork(&d, "f", wrong == 0 ? "n" : "m", d.seq);
        draft_head(&d);
        stet__proof_put_end(&d.text, wrong == 3 ? 1 : 2);
        assert_int_equal(check(&d, &h, NULL), STET_OK);
        const stet_proof_part *fork = &h.parts[h.count - 1];
        assert_int_equal(fork->parent_seq, wrong == 1 ? 1 : 2);
        assert_int_equal(fork->first_seq, fork->parent_seq + 1);
        assert_int_equal(fork->is_joined, wrong == 2);
        draft_deinit(&d);
    }
}

/* Two histories, one behind the other, prove nothing that each does not. */
static void test_only_what_belongs_together_is_one_proof(void **state)
{
    (void)state;
    draft d;
    draft_begin(&d);
    draft_machine(&d, "m");
    draft_event(&d);
    draft_head(&d);
    d.seq = 0;
    draft_machine(&d, "other");
    draft_event(&d);
    refused(&d, "no history begins with this event");

    draft_begin(&d);
    draft_machine(&d, "m");
    draft_event(&d);
    draft_head(&d);
    draft_machine(&d, "other");
    d.seq = 4;
    stet__proof_put_cut(&d.text, 4, d.chain.value);
    draft_event(&d);
    refused(&d, "nothing was dropped here");
}

/* Behind each cut a chain is to be compared anew. */
static void test_a_machine_has_a_part_for_each_stretch(void **state)
{
    (void)state;
    draft d;
    heard h;
    draft_begin(&d);
    draft_machine(&d, "m");
    draft_event(&d);
    draft_head(&d);
    draft_machine(&d, "m");
    d.seq = 3;
    stet__proof_put_cut(&d.text, 3, d.chain.value);
    draft_event(&d);
    draft_head(&d);
    stet__proof_put_end(&d.text, 2);
    assert_int_equal(check(&d, &h, NULL), STET_OK);
    assert_int_equal(h.parts[0].last_seq, 1);
    assert_int_equal(h.parts[1].cut_seq, 3);
    assert_int_equal(h.parts[1].first_seq, 4);
    draft_deinit(&d);
}

/* A newer proof is none that is wrong. */
static void test_a_newer_format_is_told_as_that(void **state)
{
    (void)state;
    heard h;
    stet_error err = {0};
    assert_int_equal(check_in(stet_str("{\"stet_proof\":2}\n{\"new\":1}\n"),
                              SIZE_MAX, NULL, &h, &err),
                     STET_E_FORMAT);
    assert_string_equal(err.text,
                        "line 1: a proof of format 2, 1 is the newest known");
}

/* Whoever sends a proof must not be able to take all memory. */
static void test_a_line_without_end_is_refused(void **state)
{
    (void)state;
    static const char digits[1 << 20] = {0};
    stet_error err = {0};
    stet_proof_check_opts opts = {0};
    stet_proof_check *c = stet__proof_check_create(&stet__heap, &opts);
    stet_status st = stet__proof_check_feed(c, stet_str("{\"seq\":1"), &err);
    size_t fed = 0;
    while (st == STET_OK && fed < 100) {
        st = stet__proof_check_feed(c, stet_slice_of(digits, sizeof digits),
                                    &err);
        fed++;
    }
    assert_int_equal(st, STET_E_CORRUPT);
    assert_true(fed <= STET_PROOF_LINE_BYTES_MAX / sizeof digits + 1);
    assert_int_equal(stet__proof_check_feed(c, stet_str("\n"), &err),
                     STET_E_INVALID);
    assert_int_equal(stet__proof_check_finish(c, &err), STET_E_CORRUPT);
    stet__proof_check_destroy(c);
}

/* Without memory there is no verdict, and nothing is lost. */
static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    draft d;
    draft_all(&d);
    for (size_t nth = 1;; nth++) {
        failalloc f;
        heard h = {0};
        failalloc_init(&f, nth);
        stet_allocator a = failalloc_allocator(&f);
        stet_proof_check_opts opts = {.part = hear, .ctx = &h};
        stet_proof_check *c = stet__proof_check_create(&a, &opts);
        stet_status st = c == NULL ? STET_E_NOMEM : STET_OK;
        for (size_t at = 0; at < d.text.len && st == STET_OK; at += 64) {
            size_t len = d.text.len - at < 64 ? d.text.len - at : 64;
            st = stet__proof_check_feed(c, stet_slice_of(d.text.ptr + at, len),
                                        NULL);
        }
        assert_int_equal(st, f.is_hit ? STET_E_NOMEM : STET_OK);
        stet__proof_check_destroy(c);
        failalloc_assert_clean(&f);
        if (!f.is_hit) {
            break;
        }
    }
    draft_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_proof_tells_what_it_proves),
        cmocka_unit_test(test_every_changed_byte_is_refused_and_its_line_named),
        cmocka_unit_test(test_every_cut_and_every_doubled_line_is_refused),
        cmocka_unit_test(test_a_head_of_any_time_is_met),
        cmocka_unit_test(test_what_is_no_history_is_refused),
        cmocka_unit_test(test_a_fork_tells_what_it_goes_on_from),
        cmocka_unit_test(test_only_what_belongs_together_is_one_proof),
        cmocka_unit_test(test_a_machine_has_a_part_for_each_stretch),
        cmocka_unit_test(test_a_newer_format_is_told_as_that),
        cmocka_unit_test(test_a_line_without_end_is_refused),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
