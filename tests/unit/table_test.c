#include "engine/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/image.h"
#include "lib/failalloc.h"
#include "lib/rng.h"

enum { BIG = 1 << 20 };

/* A table under a watermark that the test moves. */
typedef struct fixture {
    failalloc f;
    stet_allocator alloc;
    _Atomic uint64_t watermark;
    stet_table table;
} fixture;

static void begin(fixture *x, uint64_t bytes_max)
{
    failalloc_init(&x->f, 0);
    x->alloc = failalloc_allocator(&x->f);
    atomic_init(&x->watermark, 1);
    stet_table_limits limits = {.bytes = bytes_max};
    stet__table_init(&x->table, &x->alloc, stet__os_posix(), &limits,
                     &x->watermark);
}

static void end(fixture *x)
{
    stet__table_deinit(&x->table);
    failalloc_assert_clean(&x->f);
}

static stet_machine_key key_of(const char *id)
{
    return (stet_machine_key){stet_str(id), 0};
}

static stet_box *box_of(fixture *x, const char *text)
{
    stet_box_parts parts = {.id = stet_str("m"), .data = stet_str(text)};
    stet_box *box = stet__box_create(&x->alloc, &parts);
    assert_non_null(box);
    return box;
}

/* A head whose state is `text`; NULL: not folded. */
static stet_head *head_of(fixture *x, uint64_t seq, uint64_t position,
                          const char *text)
{
    stet_head *h = stet__head_create(&x->alloc, stet_str("name"));
    assert_non_null(h);
    h->seq = seq;
    h->position = position;
    h->box = text == NULL ? NULL : box_of(x, text);
    return h;
}

static void destroy_chain(fixture *x, stet_head *h)
{
    while (h != NULL) {
        stet_head *older = h->older;
        stet__head_destroy(&x->alloc, h);
        h = older;
    }
}

static stet_entry *insert(fixture *x, const char *id, stet_head *newest)
{
    uint64_t evictions = 0;
    stet_entry *e = NULL;
    stet_error err = {0};
    assert_null(stet__table_pin(&x->table, key_of(id), &evictions));
    assert_int_equal(
        stet__table_insert(&x->table, key_of(id), evictions, newest, &e, &err),
        STET_OK);
    assert_non_null(e);
    return e;
}

/* Link as a batch of one change does. */
static stet_head *link_head(fixture *x, stet_entry *e, stet_head *h)
{
    stet_claims all = {0};
    stet_claim one = {.key = stet__entry_key(e)};
    stet__claims_add(&all, &one);
    one.entry = e;
    one.head = h;
    return stet__table_link_all(&x->table, &all);
}

static void claim(stet_found found, stet_lookup lookup, uint64_t seq,
                  const char *text)
{
    assert_int_equal(found.lookup, lookup);
    assert_int_equal(found.head.seq, seq);
    assert_int_equal(found.box != NULL, text != NULL);
    if (text != NULL) {
        stet_slice data = found.box->view.state_data;
        assert_int_equal(data.len, strlen(text));
        assert_memory_equal(data.ptr, text, data.len);
    }
    stet__box_unref(found.box);
}

/* What is accounted is what is there. */
static void claim_accounts(fixture *x)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < STET_TABLE_STRIPES; i++) {
        size_t cursor = 0;
        const stet_entry *e = NULL;
        while ((e = stet__map_next(&x->table.stripes[i].map, &cursor)) !=
               NULL) {
            size_t bytes = sizeof *e + e->id_bytes;
            for (const stet_head *h = e->newest; h != NULL; h = h->older) {
                bytes += sizeof *h + h->name_room;
                bytes += h->box == NULL ? 0 : stet__box_weight(h->box);
            }
            assert_int_equal(e->bytes, bytes);
            sum += bytes;
        }
    }
    assert_int_equal(stet__table_sums(&x->table).bytes, sum);
}

/* ---- what is seen ---- */

/* What a batch sees and writes is what it would one machine after the other. */
static void test_machines_are_pinned_and_linked_together(void **state)
{
    (void)state;
    enum { MACHINES = 100, CLAIMS = 2 * MACHINES, ABSENT = 7 };
    static char ids[MACHINES][8];
    static stet_head_view views[CLAIMS];
    static stet_claim claims[CLAIMS];
    stet_claims all = {0};
    fixture x;
    begin(&x, BIG);
    for (int i = 0; i < MACHINES; i++) {
        snprintf(ids[i], sizeof ids[i], "m%d", i);
        stet_head *h = i % 2 == 0 ? NULL : head_of(&x, 40, 1, "a");
        if (i == ABSENT) {
            stet__head_destroy(&x.alloc, h);
        } else {
            stet__table_unpin(&x.table, insert(&x, ids[i], h));
        }
    }
    for (int i = 0; i < CLAIMS; i++) {
        claims[i] =
            (stet_claim){.key = key_of(ids[i % MACHINES]), .view = &views[i]};
        stet__claims_add(&all, &claims[i]);
    }
    stet__table_pin_all(&x.table, &all);
    for (int i = 0; i < CLAIMS; i++) {
        uint64_t first = i % 2 == 0 ? 1 : 41;
        if (i % MACHINES == ABSENT) {
            assert_null(claims[i].entry);
            uint64_t evictions = 0;
            claims[i].entry =
                i == ABSENT
                    ? insert(&x, ids[ABSENT], head_of(&x, 40, 1, "a"))
                    : stet__table_pin(&x.table, claims[i].key, &evictions);
        } else {
            assert_int_equal(views[i].is_written, i % 2 != 0);
            assert_int_equal(views[i].seq, first - 1);
        }
        claims[i].head = head_of(&x, first + (uint64_t)(i / MACHINES),
                                 2 + (uint64_t)i, i < MACHINES ? "b" : "c");
    }
    atomic_store(&x.watermark, 2);
    destroy_chain(&x, stet__table_link_all(&x.table, &all));
    atomic_store(&x.watermark, 2 + CLAIMS);
    for (int i = 0; i < MACHINES; i++) {
        claim(stet__table_find(&x.table, key_of(ids[i])), STET_LOOKUP_STATE,
              i % 2 == 0 ? 2 : 42, "c");
        stet__table_unpin(&x.table, claims[i].entry);
        stet__table_unpin(&x.table, claims[i].entry);
    }
    claim_accounts(&x);
    end(&x);
}

/* Being visible is nothing but a comparison: publishing touches no entry. */
static void test_readers_see_the_newest_head_below_the_watermark(void **state)
{
    (void)state;
    fixture x;
    begin(&x, BIG);
    claim(stet__table_find(&x.table, key_of("m")), STET_LOOKUP_ABSENT, 0, NULL);
    stet_entry *e = insert(&x, "m", NULL);
    claim(stet__table_find(&x.table, key_of("m")), STET_LOOKUP_NONE, 0, NULL);
    assert_null(link_head(&x, e, head_of(&x, 1, 5, "one")));
    assert_null(link_head(&x, e, head_of(&x, 2, 7, "two")));
    stet_head *deleted = head_of(&x, 3, 9, NULL);
    deleted->is_deleted = true;
    assert_null(link_head(&x, e, deleted));
    const struct {
        uint64_t watermark;
        stet_lookup lookup;
        uint64_t seq;
        const char *text;
    } cases[] = {
        {5, STET_LOOKUP_NONE, 0, NULL},   {6, STET_LOOKUP_STATE, 1, "one"},
        {7, STET_LOOKUP_STATE, 1, "one"}, {8, STET_LOOKUP_STATE, 2, "two"},
        {9, STET_LOOKUP_STATE, 2, "two"}, {10, STET_LOOKUP_DELETED, 3, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        atomic_store(&x.watermark, cases[i].watermark);
        claim(stet__table_find(&x.table, key_of("m")), cases[i].lookup,
              cases[i].seq, cases[i].text);
        claim(stet__table_peek(&x.table, e, NULL), cases[i].lookup,
              cases[i].seq, cases[i].text);
        claim(stet__table_peek_pending(&x.table, e, NULL), STET_LOOKUP_DELETED,
              3, NULL);
    }
    stet__table_unpin(&x.table, e);
    end(&x);
}

/* A state that is not folded yet is found with the last one that is. */
static void test_an_unfolded_head_comes_with_the_state_under_it(void **state)
{
    (void)state;
    fixture x;
    begin(&x, BIG);
    stet_entry *e = insert(&x, "m", head_of(&x, 4, 4, "four"));
    assert_null(link_head(&x, e, head_of(&x, 5, 5, NULL)));
    assert_null(link_head(&x, e, head_of(&x, 6, 6, NULL)));
    atomic_store(&x.watermark, 7);
    claim(stet__table_find(&x.table, key_of("m")), STET_LOOKUP_UNFOLDED, 6,
          "four");
    /* What lies between the two is let go; the state under it stays. */
    destroy_chain(&x, link_head(&x, e, head_of(&x, 7, 7, NULL)));
    claim(stet__table_find(&x.table, key_of("m")), STET_LOOKUP_UNFOLDED, 6,
          "four");
    claim(stet__table_peek_pending(&x.table, e, NULL), STET_LOOKUP_UNFOLDED, 7,
          "four");
    stet_box *six = box_of(&x, "six");
    stet__table_attach(&x.table, e, 6, six);
    stet__table_attach(&x.table, e, 99, six); /* nobody is there */
    stet__box_unref(six);
    claim(stet__table_find(&x.table, key_of("m")), STET_LOOKUP_STATE, 6, "six");
    stet_box *other = box_of(&x, "other");
    stet__table_attach(&x.table, e, 6, other); /* it has one */
    stet__box_unref(other);
    claim(stet__table_find(&x.table, key_of("m")), STET_LOOKUP_STATE, 6, "six");
    claim_accounts(&x);
    stet__table_unpin(&x.table, e);
    end(&x);
}

static stet_head *carrying(fixture *x, uint64_t seq)
{
    stet_head *h = head_of(x, seq, seq, NULL);
    h->is_carried = true;
    h->occurred = (int64_t)seq * 10;
    return h;
}

/*
 * An event that leaves the state alone needs no reading of the log: the state
 * of the head below is found, also once the heads between were let go.
 */
static void test_a_state_is_carried_over_events_that_leave_it(void **state)
{
    (void)state;
    fixture x;
    begin(&x, BIG);
    stet_entry *e = insert(&x, "m", head_of(&x, 4, 4, "four"));
    assert_null(link_head(&x, e, carrying(&x, 5)));
    assert_null(link_head(&x, e, carrying(&x, 6)));
    atomic_store(&x.watermark, 7);
    destroy_chain(&x, link_head(&x, e, carrying(&x, 7)));
    claim(stet__table_find(&x.table, key_of("m")), STET_LOOKUP_CARRIED, 6,
          "four");
    stet_stamp stamp = {0};
    stet_found f = stet__table_peek_pending(&x.table, e, &stamp);
    stet_box *box = stet__carry(&x.table, &f, &stamp);
    assert_non_null(box);
    assert_ptr_equal(box->view.state_data.ptr, f.box->view.state_data.ptr);
    assert_int_equal(box->view.seq, 7);
    assert_int_equal(box->view.position, 7);
    assert_int_equal(box->view.updated_at, 70);
    claim(f, STET_LOOKUP_CARRIED, 7, "four");
    stet__table_attach(&x.table, e, 7, box);
    claim_accounts(&x);
    stet__box_unref(box);
    atomic_store(&x.watermark, 8);
    claim(stet__table_find(&x.table, key_of("m")), STET_LOOKUP_STATE, 7,
          "four");
    stet__table_unpin(&x.table, e);
    end(&x);
}

/* One event between that changed the state, and it is not carried. */
static void test_no_state_is_carried_over_an_event_that_changed_it(void **state)
{
    (void)state;
    for (uint64_t changed = 5; changed <= 7; changed++) {
        fixture x;
        begin(&x, BIG);
        stet_entry *e = insert(&x, "m", head_of(&x, 4, 4, "four"));
        for (uint64_t seq = 5; seq <= 8; seq++) {
            stet_head *h = carrying(&x, seq);
            h->is_carried = seq != changed;
            destroy_chain(&x, link_head(&x, e, h));
            claim(stet__table_peek_pending(&x.table, e, NULL),
                  seq < changed ? STET_LOOKUP_CARRIED : STET_LOOKUP_UNFOLDED,
                  seq, "four");
            atomic_store(&x.watermark, seq + 1); /* what is below goes */
        }
        stet__table_unpin(&x.table, e);
        end(&x);
    }
}

/* A deletion ends what came before: no state shines through it. */
static void test_no_state_is_found_under_a_deletion(void **state)
{
    (void)state;
    fixture x;
    begin(&x, BIG);
    stet_head *deleted = head_of(&x, 2, 2, NULL);
    deleted->is_deleted = true;
    stet_entry *e = insert(&x, "m", head_of(&x, 1, 1, "one"));
    assert_null(link_head(&x, e, deleted));
    assert_null(link_head(&x, e, head_of(&x, 3, 3, NULL)));
    atomic_store(&x.watermark, 4);
    claim(stet__table_find(&x.table, key_of("m")), STET_LOOKUP_UNFOLDED, 3,
          NULL);
    stet__table_unpin(&x.table, e);
    end(&x);
}

/* Namespaces are part of the key. */
static void test_machines_of_two_namespaces_are_two(void **state)
{
    (void)state;
    fixture x;
    begin(&x, BIG);
    atomic_store(&x.watermark, 9);
    stet_entry *e = insert(&x, "m", head_of(&x, 1, 1, "one"));
    stet_machine_key other = {stet_str("m"), 1};
    claim(stet__table_find(&x.table, other), STET_LOOKUP_ABSENT, 0, NULL);
    stet__table_unpin(&x.table, e);
    end(&x);
}

/* ---- coming and going ---- */

/* Two who read the same machine from the log end up with one entry. */
static void test_the_second_to_insert_gets_the_firsts_entry(void **state)
{
    (void)state;
    fixture x;
    begin(&x, BIG);
    uint64_t evictions = 0;
    assert_null(stet__table_pin(&x.table, key_of("m"), &evictions));
    stet_entry *first = insert(&x, "m", head_of(&x, 1, 1, "one"));
    stet_entry *second = NULL;
    assert_int_equal(stet__table_insert(&x.table, key_of("m"), evictions,
                                        head_of(&x, 1, 1, "one"), &second,
                                        NULL),
                     STET_OK);
    assert_ptr_equal(first, second);
    assert_ptr_equal(stet__table_pin(&x.table, key_of("m"), &evictions), first);
    assert_int_equal(first->pins, 3);
    for (int i = 0; i < 3; i++) {
        stet__table_unpin(&x.table, first);
    }
    end(&x);
}

/* Ids of one stripe, found by trying. */
typedef struct ids {
    char text[8][16];
} ids;

static ids ids_of_one_stripe(void)
{
    ids out;
    uint64_t stripe = stet__machine_hash(key_of("0")) >> 60;
    int count = 0;
    for (int i = 0; count < 8; i++) {
        (void)snprintf(out.text[count], sizeof out.text[0], "%d", i);
        if (stet__machine_hash(key_of(out.text[count])) >> 60 == stripe) {
            count++;
        }
    }
    return out;
}

/* While nothing may be evicted, an entry's share does not matter. */
static void test_what_is_pinned_or_pending_stays(void **state)
{
    (void)state;
    fixture x;
    ids id = ids_of_one_stripe();
    begin(&x, 0);
    atomic_store(&x.watermark, 5);
    stet_entry *pinned = insert(&x, id.text[0], head_of(&x, 1, 1, "one"));
    stet_entry *pending = insert(&x, id.text[1], head_of(&x, 1, 2, "two"));
    stet_entry *plain = insert(&x, id.text[2], head_of(&x, 1, 3, "three"));
    assert_null(link_head(&x, pending, head_of(&x, 2, 5, "x")));
    stet__table_unpin(&x.table, pending);
    stet__table_unpin(&x.table, plain);
    claim(stet__table_find(&x.table, key_of(id.text[0])), STET_LOOKUP_STATE, 1,
          "one");
    claim(stet__table_find(&x.table, key_of(id.text[1])), STET_LOOKUP_STATE, 1,
          "two");
    claim(stet__table_find(&x.table, key_of(id.text[2])), STET_LOOKUP_ABSENT, 0,
          NULL);
    atomic_store(&x.watermark, 6);
    stet__table_unpin(&x.table, pinned); /* which looks at all of them */
    for (int i = 0; i < 2; i++) {
        claim(stet__table_find(&x.table, key_of(id.text[i])),
              STET_LOOKUP_ABSENT, 0, NULL);
    }
    assert_int_equal(stet__table_sums(&x.table).bytes, 0);
    end(&x);
}

/*
 * Between asking the log and inserting, the machine may have come, been written
 * and gone again: what the log said then is old.
 */
static void test_an_eviction_meanwhile_makes_the_log_be_asked_again(void **s)
{
    (void)s;
    fixture x;
    ids id = ids_of_one_stripe();
    begin(&x, 0);
    atomic_store(&x.watermark, 9);
    uint64_t evictions = 0;
    assert_null(stet__table_pin(&x.table, key_of(id.text[0]), &evictions));
    stet_entry *other = insert(&x, id.text[1], head_of(&x, 1, 1, "one"));
    stet__table_unpin(&x.table, other); /* and it is gone */
    stet_entry *e = other;
    assert_int_equal(stet__table_insert(&x.table, key_of(id.text[0]), evictions,
                                        head_of(&x, 1, 2, "old"), &e, NULL),
                     STET_OK);
    assert_null(e);
    claim(stet__table_find(&x.table, key_of(id.text[0])), STET_LOOKUP_ABSENT, 0,
          NULL);
    end(&x);
}

/* Who was used since the hand came by is passed over once. */
static void test_the_hand_gives_a_second_chance(void **state)
{
    (void)state;
    fixture x;
    ids id = ids_of_one_stripe();
    begin(&x, 0);
    atomic_store(&x.watermark, 9);
    stet_entry *e[4];
    for (int i = 0; i < 4; i++) {
        e[i] = insert(&x, id.text[i], head_of(&x, 1, 1, "state"));
    }
    /* Room for three of four. */
    x.table.stripe_bytes_max = (size_t)stet__table_sums(&x.table).bytes - 1;
    for (int i = 0; i < 4; i++) {
        e[i]->is_recent = i != 2;
        e[i]->pins = 0;
    }
    e[3]->pins = 1;
    stet__table_unpin(&x.table, e[3]);
    for (int i = 0; i < 4; i++) {
        stet_found f = stet__table_find(&x.table, key_of(id.text[i]));
        assert_int_equal(f.lookup,
                         i == 2 ? STET_LOOKUP_ABSENT : STET_LOOKUP_STATE);
        stet__box_unref(f.box);
    }
    end(&x);
}

/* No memory for an entry: the head that came along is not lost, nor kept. */
static void test_an_insert_without_memory_leaves_no_trace(void **state)
{
    (void)state;
    for (size_t nth = 1;; nth++) {
        fixture x;
        begin(&x, BIG);
        stet_head *newest = head_of(&x, 1, 1, "one");
        x.f.nth = atomic_load(&x.f.calls) + nth;
        stet_entry *e = NULL;
        stet_status st =
            stet__table_insert(&x.table, key_of("m"), 0, newest, &e, NULL);
        bool is_hit = atomic_load(&x.f.is_hit);
        assert_int_equal(st, is_hit ? STET_E_NOMEM : STET_OK);
        if (is_hit) {
            assert_null(e);
            assert_int_equal(stet__table_sums(&x.table).bytes, 0);
            e = insert(&x, "m", NULL);
        }
        stet__table_unpin(&x.table, e);
        end(&x);
        if (!is_hit) {
            break;
        }
    }
}

/* ---- all of it ---- */

enum { MACHINES = 40, HISTORY = 64 };

/* One machine as a list: its heads, newest last. */
typedef struct plain {
    char id[8];
    uint64_t positions[HISTORY];
    bool has_state[HISTORY];
    bool is_deleted[HISTORY];
    size_t count;
    stet_entry *pinned;
} plain;

/* A machine that is found is found as the list says; it may be absent. */
static void claim_machine(fixture *x, const plain *m)
{
    uint64_t watermark = atomic_load(&x->watermark);
    size_t i = m->count;
    while (i > 0 && m->positions[i - 1] >= watermark) {
        i--;
    }
    stet_found f = stet__table_find(&x->table, key_of(m->id));
    if (f.lookup == STET_LOOKUP_ABSENT) {
        assert_null(m->pinned);
        assert_int_equal(i, m->count); /* nothing pending */
        return;
    }
    assert_int_equal(f.head.seq, i);
    if (i == 0) {
        assert_int_equal(f.lookup, STET_LOOKUP_NONE);
    } else if (m->is_deleted[i - 1]) {
        assert_int_equal(f.lookup, STET_LOOKUP_DELETED);
    } else if (m->has_state[i - 1]) {
        assert_int_equal(f.lookup, STET_LOOKUP_STATE);
    } else {
        assert_true(f.lookup == STET_LOOKUP_UNFOLDED ||
                    f.lookup == STET_LOOKUP_STATE);
    }
    stet__box_unref(f.box);
}

/* Pin it, from the list if it is not there. */
static void pin(fixture *x, plain *m)
{
    uint64_t evictions = 0;
    m->pinned = stet__table_pin(&x->table, key_of(m->id), &evictions);
    if (m->pinned == NULL) {
        size_t i = m->count;
        stet_head *h = NULL;
        if (i > 0) {
            h = head_of(x, i, m->positions[i - 1],
                        m->is_deleted[i - 1] ? NULL : "state");
            h->is_deleted = m->is_deleted[i - 1];
        }
        assert_int_equal(stet__table_insert(&x->table, key_of(m->id), evictions,
                                            h, &m->pinned, NULL),
                         STET_OK);
        assert_non_null(m->pinned);
    }
}

static void write(fixture *x, plain *m, uint64_t position, rng *r)
{
    if (m->count == HISTORY) {
        return;
    }
    size_t i = m->count++;
    m->positions[i] = position;
    m->is_deleted[i] = i > 0 && rng_below(r, 8) == 0;
    m->has_state[i] = !m->is_deleted[i] && rng_below(r, 2) == 0;
    stet_head *h =
        head_of(x, m->count, position, m->has_state[i] ? "state" : NULL);
    h->is_deleted = m->is_deleted[i];
    destroy_chain(x, link_head(x, m->pinned, h));
}

/* Whatever happens, in whatever order: it stays a cache of the lists. */
static void test_the_table_is_a_cache_of_plain_lists(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        fixture x;
        begin(&x, 16 * 600);
        rng r = {seed};
        static plain all[MACHINES];
        memset(all, 0, sizeof all);
        uint64_t next = 1;
        for (size_t i = 0; i < MACHINES; i++) {
            (void)snprintf(all[i].id, sizeof all[i].id, "m%zu", i);
        }
        for (int i = 0; i < 3000; i++) {
            plain *m = &all[rng_below(&r, MACHINES)];
            if (m->pinned == NULL) {
                pin(&x, m);
            } else if (rng_below(&r, 3) == 0) {
                stet__table_unpin(&x.table, m->pinned);
                m->pinned = NULL;
            } else {
                write(&x, m, next++, &r);
            }
            uint64_t done = atomic_load(&x.watermark);
            atomic_store(&x.watermark, done + rng_below(&r, next - done + 1));
            claim_machine(&x, &all[rng_below(&r, MACHINES)]);
            claim_accounts(&x);
        }
        atomic_store(&x.watermark, next);
        for (size_t i = 0; i < MACHINES; i++) {
            claim_machine(&x, &all[i]);
            if (all[i].pinned != NULL) {
                stet__table_unpin(&x.table, all[i].pinned);
            }
        }
        assert_true(stet__table_sums(&x.table).bytes <= 16 * 600);
        end(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machines_are_pinned_and_linked_together),
        cmocka_unit_test(test_readers_see_the_newest_head_below_the_watermark),
        cmocka_unit_test(test_an_unfolded_head_comes_with_the_state_under_it),
        cmocka_unit_test(test_a_state_is_carried_over_events_that_leave_it),
        cmocka_unit_test(
            test_no_state_is_carried_over_an_event_that_changed_it),
        cmocka_unit_test(test_no_state_is_found_under_a_deletion),
        cmocka_unit_test(test_machines_of_two_namespaces_are_two),
        cmocka_unit_test(test_the_second_to_insert_gets_the_firsts_entry),
        cmocka_unit_test(test_what_is_pinned_or_pending_stays),
        cmocka_unit_test(
            test_an_eviction_meanwhile_makes_the_log_be_asked_again),
        cmocka_unit_test(test_the_hand_gives_a_second_chance),
        cmocka_unit_test(test_an_insert_without_memory_leaves_no_trace),
        cmocka_unit_test(test_the_table_is_a_cache_of_plain_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
