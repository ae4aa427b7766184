/*
 * Proofs of a store's machines: what is written passes the check, says what the
 * store says, and fails cleanly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "lib/failalloc.h"
#include "lib/store_under_test.h"

/* Append a machine's proof to `out`. */
static stet_status prove(stet *s, const char *id, stet_chain_head *head,
                         stet_buf *out, stet_error *err)
{
    stet_proof *proof = NULL;
    stet_slice line = {0};
    stet_status st = stet_proof_open(s, stet_str(id), 0, &proof, head, err);
    while (st == STET_OK) {
        st = stet_proof_next(proof, &line, err);
        if (st == STET_OK) {
            stet__buf_put_slice(out, line);
        }
    }
    stet_proof_close(proof);
    return st == STET_DONE ? STET_OK : st;
}

/* The last machine that a check heard of. */
typedef struct heard {
    stet_proof_part part;
    stet_proof_part first;
    char id[64];
    size_t count;
} heard;

static void hear(void *ctx, const stet_proof_part *part)
{
    heard *h = ctx;
    h->first = h->count == 0 ? *part : h->first;
    h->part = *part;
    memset(h->id, 0, sizeof h->id);
    memcpy(h->id, part->id.ptr, part->id.len);
    h->count++;
}

static stet_status check(stet_slice text, heard *h, stet_error *err)
{
    stet_proof_check *c = NULL;
    stet_proof_check_opts opts = {
        .struct_size = sizeof opts, .part = hear, .ctx = h};
    *h = (heard){0};
    stet_status st = stet_proof_check_open(NULL, &opts, &c, err);
    if (st == STET_OK) {
        st = stet_proof_check_feed(c, text, err);
    }
    if (st == STET_OK) {
        st = stet_proof_check_finish(c, err);
    }
    stet_proof_check_close(c);
    return st;
}

/* Claim that a machine's proof is right and ends where the store says. */
static void claim_proof(store_under_test *t, const char *id, size_t machines,
                        uint64_t last_seq)
{
    stet_error err = {0};
    stet_chain_head head = {0};
    stet_chain_head again = {0};
    heard h;
    stet_buf text;
    stet__buf_init(&text, &stet__heap);
    assert_status(prove(t->s, id, &head, &text, &err), STET_OK, &err);
    assert_status(check(stet__buf_slice(&text), &h, &err), STET_OK, &err);
    assert_int_equal(h.count, machines);
    assert_string_equal(h.id, id);
    assert_int_equal(h.part.last_seq, last_seq);
    assert_int_equal(head.seq, last_seq);
    assert_memory_equal(h.part.head, head.hash, sizeof head.hash);
    assert_status(stet_get_chain_head(t->s, stet_str(id), 0, &again, &err),
                  STET_OK, &err);
    assert_memory_equal(&again, &head, sizeof head);
    stet__buf_deinit(&text);
}

static void settle(store_under_test *t)
{
    stet_error err = {0};
    store_reopen(t); /* at rest the last segment may be settled, too */
    assert_status(stet_compact(t->s, &err), STET_OK, &err);
}

/* A machine's events, over as many sets as they were settled into. */
static void test_what_is_settled_is_proven(void **state)
{
    store_under_test *t = *state;
    char id[32];
    char text[64];
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 60; i++) {
            snprintf(id, sizeof id, "m%d", i % 3);
            snprintf(text, sizeof text, "{\"round\":%d,\"i\":%d}", round, i);
            store_save(t, id, text);
        }
        settle(t);
        claim_proof(t, "m0", 1, (uint64_t)round * 20);
        claim_proof(t, "m2", 1, (uint64_t)round * 20);
    }
}

/* Settling goes on, a head stays one: else nobody could compare. */
static void test_a_head_of_long_ago_is_in_every_later_proof(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_chain_head old;
    heard h = {0};
    stet_buf text;
    stet_proof_check *c = NULL;
    store_save(t, "m", "1");
    store_save(t, "m", "2");
    settle(t);
    assert_status(stet_get_chain_head(t->s, stet_str("m"), 0, &old, &err),
                  STET_OK, &err);
    store_save(t, "m", "3");
    settle(t);
    stet__buf_init(&text, &stet__heap);
    assert_status(prove(t->s, "m", NULL, &text, &err), STET_OK, &err);
    stet_proof_check_opts opts = {.part = hear, .ctx = &h, .head = old.hash};
    assert_status(stet_proof_check_open(NULL, &opts, &c, &err), STET_OK, &err);
    assert_status(stet_proof_check_feed(c, stet__buf_slice(&text), &err),
                  STET_OK, &err);
    assert_status(stet_proof_check_finish(c, &err), STET_OK, &err);
    stet_proof_check_close(c);
    assert_int_equal(h.part.met_seq, 2);
    assert_int_equal(h.part.last_seq, 3);
    stet__buf_deinit(&text);
}

/* What was inherited is the parent's to prove, and no more of it. */
static void test_a_forks_proof_begins_with_its_ancestors(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    store_save(t, "m", "1");
    store_save(t, "m", "2");
    assert_status(
        stet_fork(t->s, stet_str("m"), stet_str("f"), NULL, NULL, &err),
        STET_OK, &err);
    store_save(t, "m", "3");
    store_save(t, "f", "4");
    settle(t);
    assert_status(
        stet_fork(t->s, stet_str("f"), stet_str("g"), NULL, NULL, &err),
        STET_OK, &err);
    store_save(t, "f", "5");
    settle(t);
    claim_proof(t, "m", 1, 3);
    claim_proof(t, "f", 2, 5);
    claim_proof(t, "g", 3, 5);
}

/* Deleted is no reason to doubt what was. */
static void test_a_deleted_machine_has_a_proof(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    store_save(t, "m", "1");
    assert_status(stet_delete(t->s, stet_str("m"), NULL, NULL, &err), STET_OK,
                  &err);
    settle(t);
    claim_proof(t, "m", 1, 2);
}

/* Whoever proves less than there is must say so. */
static void test_what_is_not_settled_is_told(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_chain_head head = {0};
    stet_proof *proof = NULL;
    assert_status(stet_get_chain_head(t->s, stet_str("m"), 0, &head, &err),
                  STET_E_NOT_FOUND, &err);
    store_save(t, "m", "1");
    assert_status(stet_proof_open(t->s, stet_str("m"), 0, &proof, &head, &err),
                  STET_E_NOT_FOUND, &err);
    assert_names(&err, "m: no event is settled yet");
    settle(t);
    store_save(t, "m", "2");
    assert_status(stet_get_chain_head(t->s, stet_str("m"), 0, &head, &err),
                  STET_OK, &err);
    assert_int_equal(head.seq, 1);
    assert_int_equal(head.position, 1);
    assert_int_equal(head.newest_seq, 2);
    claim_proof(t, "m", 1, 1);
}

/* Prove a machine that retention or erasure took something of. */
static heard prove_rest(store_under_test *t, const char *id, const char *secret)
{
    stet_error err = {0};
    heard h;
    stet_buf text;
    stet__buf_init(&text, &stet__heap);
    assert_status(prove(t->s, id, NULL, &text, &err), STET_OK, &err);
    assert_status(check(stet__buf_slice(&text), &h, &err), STET_OK, &err);
    stet__buf_put_u8(&text, 0);
    assert_null(strstr((const char *)text.ptr, secret));
    stet__buf_deinit(&text);
    return h;
}

/* Heads outlive what retention drops: the rest goes on from where it was. */
static void test_what_retention_left_is_proven(void **state)
{
    static const stet_retention_rule few = {.keep_events = 3};
    store_under_test *t = *state;
    stet_error err = {0};
    stet_chain_head before;
    char text[64];
    for (int i = 1; i <= 9; i++) {
        (void)snprintf(text, sizeof text, "{\"i\":%d}", i);
        store_save(t, "m", text);
    }
    settle(t);
    stet_checkpoint_opts pin = {.name = stet_str("pin"), .at = at_seq(3)};
    assert_status(stet_checkpoint_set(t->s, stet_str("m"), &pin, NULL, &err),
                  STET_OK, &err);
    assert_status(stet_get_chain_head(t->s, stet_str("m"), 0, &before, &err),
                  STET_OK, &err);
    t->opts.retention = &few;
    t->opts.retention_count = 1;
    settle(t);
    heard h = prove_rest(t, "m", "7b2269223a317d"); /* {"i":1} */
    assert_int_equal(h.count, 2); /* the pinned one, and the newest */
    assert_int_equal(h.first.cut_seq, 2);
    assert_int_equal(h.first.last_seq, 3);
    assert_true(h.part.cut_seq >= 5);
    assert_int_equal(h.part.last_seq, 9);
    assert_memory_equal(h.part.head, before.hash, sizeof before.hash);
}

/* So they do when bodies are erased: commitments stand for them. */
static void test_what_was_erased_is_proven_to_have_been(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_chain_head before;
    store_save(t, "m", "{\"secret\":1}");
    store_save(t, "m", "{\"open\":1}");
    store_save(t, "m", "{\"open\":2}");
    settle(t);
    assert_status(stet_get_chain_head(t->s, stet_str("m"), 0, &before, &err),
                  STET_OK, &err);
    assert_status(stet_erase(t->s, stet_str("m"), 0, 1, &err), STET_OK, &err);
    for (int i = 0; i < 2; i++) { /* before it is taken from the files, too */
        heard h = prove_rest(t, "m", "736563726574"); /* secret */
        assert_int_equal(h.count, 1);
        assert_int_equal(h.part.events, 3);
        assert_int_equal(h.part.erased, 1);
        assert_memory_equal(h.part.head, before.hash, sizeof before.hash);
        settle(t);
    }
}

/* There is nothing to be had where nothing is settled. */
static void test_a_memory_store_has_no_proofs(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    stet_proof *proof = NULL;
    store_save(t, "m", "1");
    assert_status(stet_proof_open(t->s, stet_str("m"), 0, &proof, NULL, &err),
                  STET_E_UNSUPPORTED, &err);
    assert_status(stet_proof_open(t->s, stet_str(""), 0, &proof, NULL, &err),
                  STET_E_INVALID, &err);
}

/* Each allocation fails once: told as that, and nothing is left behind. */
static void test_each_allocation_may_fail(void **state)
{
    store_under_test *t = *state;
    stet_error err = {0};
    store_save(t, "m", "1");
    assert_status(
        stet_fork(t->s, stet_str("m"), stet_str("f"), NULL, NULL, &err),
        STET_OK, &err);
    settle(t);
    store_close(t);
    size_t refusals = 0;
    for (size_t nth = 1;; nth++) {
        failalloc f;
        failalloc_init(&f, 0);
        stet_allocator a = failalloc_allocator(&f);
        stet_opts opts = {.struct_size = sizeof opts,
                          .mode = STET_OPEN_READONLY,
                          .flags = STET_NO_THREADS,
                          .allocator = a};
        stet *s = NULL;
        stet_buf text;
        assert_status(stet_open(t->url, &opts, &s, &err), STET_OK, &err);
        f.nth = f.calls + nth;
        stet__buf_init(&text, &stet__heap);
        stet_status st = prove(s, "f", NULL, &text, &err);
        /* An unpacked block need not be kept for the next reader. */
        assert_true(st == STET_OK || (f.is_hit && st == STET_E_NOMEM));
        refusals += st == STET_E_NOMEM;
        stet__buf_deinit(&text);
        assert_status(stet_close(s, &err), STET_OK, &err);
        failalloc_assert_clean(&f);
        if (!f.is_hit) {
            break;
        }
    }
    assert_true(refusals > 10);
    store_open(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EMBEDDED_STORE(test_what_is_settled_is_proven),
        ON_EMBEDDED_STORE(test_a_head_of_long_ago_is_in_every_later_proof),
        ON_EMBEDDED_STORE(test_a_forks_proof_begins_with_its_ancestors),
        ON_EMBEDDED_STORE(test_a_deleted_machine_has_a_proof),
        ON_EMBEDDED_STORE(test_what_is_not_settled_is_told),
        ON_EMBEDDED_STORE(test_what_retention_left_is_proven),
        ON_EMBEDDED_STORE(test_what_was_erased_is_proven_to_have_been),
        {"test_a_memory_store_has_no_proofs", test_a_memory_store_has_no_proofs,
         store_setup_memory, store_teardown, NULL},
        ON_EMBEDDED_STORE(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
