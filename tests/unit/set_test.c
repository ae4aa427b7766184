#include "core/set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/failalloc.h"
#include "lib/records.h"
#include "lib/rng.h"

enum { RECORDS = 400 };

static const uint64_t salt = 0x5e7;

/* Items as they were put, and what they were packed into. */
typedef struct packed {
    stet_buf records; /* joined */
    uint32_t slots[RECORDS];
    uint32_t raw_offsets[RECORDS];
    size_t begins[RECORDS + 1]; /* in records */
    stet_set_packer packer;
} packed;

static stet_slice record_at(const packed *p, size_t i)
{
    return stet_slice_of(p->records.ptr + p->begins[i],
                         p->begins[i + 1] - p->begins[i]);
}

/* A few records that look alike, as one machine's do, now and then a long. */
static void draw_record(rng *r, size_t i, stet_buf *out)
{
    static uint8_t body[100000];
    size_t len = i % 97 == 5 ? sizeof body : rng_below(r, 300);
    memset(body, 'a' + (int)(i % 7), len);
    if (i % 5 == 0) {
        rng_fill(r, body, len);
    }
    stet_record record = {
        .kind = STET_EVENT_SAVED,
        .form = STET_BODY_WHOLE,
        .id = stet_str("machine"),
        .seq = i + 1,
        .back = i == 0 ? 0 : 1,
        .body = stet_slice_of(body, len),
    };
    records_put(&record, out);
}

static stet_status put_all(packed *p)
{
    stet_status st = STET_OK;
    for (uint32_t i = 0; i < 50 && st == STET_OK; i++) {
        st = stet__set_put_time(&p->packer, 1 + i, 1000000 * i, NULL);
    }
    for (size_t i = 0; i < RECORDS && st == STET_OK; i++) {
        st = stet__set_put_record(&p->packer, p->slots[i], record_at(p, i),
                                  &p->raw_offsets[i], NULL);
    }
    return st == STET_OK ? stet__set_packer_end(&p->packer, NULL) : st;
}

static void draw(packed *p, uint64_t seed)
{
    rng r = {seed};
    stet__buf_init(&p->records, &stet__heap);
    for (size_t i = 0; i < RECORDS; i++) {
        p->begins[i] = p->records.len;
        p->slots[i] = (uint32_t)rng_below(&r, i % 3 == 0 ? 100 : UINT32_MAX);
        draw_record(&r, i, &p->records);
    }
    p->begins[RECORDS] = p->records.len;
}

static void pack(packed *p, uint64_t seed)
{
    draw(p, seed);
    assert_int_equal(stet__set_packer_init(&p->packer, &stet__heap, salt, NULL),
                     STET_OK);
    assert_int_equal(put_all(p), STET_OK);
}

static void unpack_end(packed *p)
{
    stet__set_packer_deinit(&p->packer);
    stet__buf_deinit(&p->records);
}

static size_t block_count(const packed *p)
{
    return p->packer.pieces.len / STET_PIECE_BYTES - 1;
}

static stet_piece piece_at(const packed *p, size_t i)
{
    return stet__piece_get(p->packer.pieces.ptr + i * STET_PIECE_BYTES);
}

static stet_slice block_at(const packed *p, size_t i, stet_set_block *out)
{
    stet_piece piece = piece_at(p, i);
    stet_piece next = piece_at(p, i + 1);
    *out = (stet_set_block){
        .raw_offset = piece.raw_offset,
        .bytes = next.offset - piece.offset - STET_SET_BLOCK_HEADER_BYTES,
        .raw_bytes = next.raw_offset - piece.raw_offset,
    };
    return stet_slice_of(p->packer.packed.ptr + piece.offset -
                             STET_SET_HEAD_BYTES,
                         next.offset - piece.offset);
}

static void unpack_all(const packed *p, stet_buf *out)
{
    stet_zctx *z = stet__zctx_create(&stet__heap);
    for (size_t i = 0; i < block_count(p); i++) {
        stet_set_block block;
        stet_slice bytes = block_at(p, i, &block);
        assert_int_equal(out->len, piece_at(p, i).raw_offset);
        assert_int_equal(
            stet__set_block_unpack(z, salt, &block, bytes, out, NULL), STET_OK);
    }
    stet__zctx_destroy(z);
}

/* What goes into a set is what comes out, to the byte and at its offset. */
static void test_content_comes_back_as_it_was_put(void **state)
{
    (void)state;
    packed p;
    pack(&p, 1);
    stet_buf content;
    stet__buf_init(&content, &stet__heap);
    unpack_all(&p, &content);
    assert_int_equal(content.len, stet__set_packer_bytes(&p.packer));
    stet_reader in = stet__reader_of(stet__buf_slice(&content));
    for (uint32_t i = 0; i < 50; i++) {
        uint32_t records = 0;
        uint64_t since = 0;
        stet__set_read_time(&in, &records, &since);
        assert_int_equal(records, 1 + i);
        assert_int_equal(since, 1000000 * (uint64_t)i);
    }
    for (size_t i = 0; i < RECORDS; i++) {
        uint32_t slot = 0;
        stet_slice record;
        stet_slice due = record_at(&p, i);
        assert_int_equal(stet__set_read_item(&in, &slot, &record, NULL),
                         STET_OK);
        assert_int_equal(slot, p.slots[i]);
        assert_ptr_equal(record.ptr, content.ptr + p.raw_offsets[i]);
        assert_int_equal(record.len, due.len);
        assert_memory_equal(record.ptr, due.ptr, due.len);
    }
    assert_int_equal(stet__read_left(&in), 0);
    stet__buf_deinit(&content);
    unpack_end(&p);
}

/* One block is read for one record: so blocks are bounded, records whole. */
static void test_a_block_holds_whole_items_up_to_its_size(void **state)
{
    (void)state;
    packed p;
    pack(&p, 2);
    size_t block = 0;
    bool has_long = false;
    for (size_t i = 0; i < RECORDS; i++) {
        uint64_t end = p.raw_offsets[i] + record_at(&p, i).len;
        while (piece_at(&p, block + 1).raw_offset <= p.raw_offsets[i]) {
            block++;
        }
        uint32_t begin = piece_at(&p, block).raw_offset;
        uint32_t next = piece_at(&p, block + 1).raw_offset;
        assert_true(end <= next);
        if (next - begin > STET_SET_BLOCK_BYTES) {
            assert_in_range(p.raw_offsets[i] - begin, 1,
                            STET_SET_SLOT_BYTES_MAX); /* it is alone */
            assert_int_equal(end, next);
            has_long = true;
        }
    }
    assert_true(has_long);
    unpack_end(&p);
}

/* Records that look alike take less than half; noise not more than itself. */
static void test_packing_never_makes_a_block_longer(void **state)
{
    (void)state;
    packed p;
    pack(&p, 3);
    bool has_shorter = false;
    bool has_same = false;
    for (size_t i = 0; i < block_count(&p); i++) {
        stet_set_block block;
        stet_slice bytes = block_at(&p, i, &block);
        assert_int_equal(bytes.len, STET_SET_BLOCK_HEADER_BYTES + block.bytes);
        assert_true(block.bytes <= block.raw_bytes);
        has_shorter = has_shorter || block.bytes < block.raw_bytes / 2;
        has_same = has_same || block.bytes == block.raw_bytes;
    }
    assert_true(has_shorter);
    assert_true(has_same);
    unpack_end(&p);
}

/* Any changed byte, a block in another's place or of another set is told. */
static void test_a_block_that_is_not_its_own_is_corrupt(void **state)
{
    (void)state;
    packed p;
    pack(&p, 4);
    stet_zctx *z = stet__zctx_create(&stet__heap);
    stet_buf out;
    stet__buf_init(&out, &stet__heap);
    for (size_t i = 0; i < block_count(&p); i++) {
        stet_set_block block;
        stet_slice bytes = block_at(&p, i, &block);
        uint8_t *at = (uint8_t *)(uintptr_t)bytes.ptr;
        for (size_t n = 0; n<bytes.len; n += bytes.len> 5000 ? 997 : 1) {
            at[n] ^= 0x10;
            assert_int_equal(
                stet__set_block_unpack(z, salt, &block, bytes, &out, NULL),
                STET_E_CORRUPT);
            at[n] ^= 0x10;
        }
        stet_set_block wrong[] = {block, block, block};
        wrong[0].raw_offset++;
        wrong[1].bytes--;
        wrong[2].raw_bytes++;
        for (size_t n = 0; n < 3; n++) {
            assert_int_equal(
                stet__set_block_unpack(z, salt, &wrong[n], bytes, &out, NULL),
                STET_E_CORRUPT);
        }
        assert_int_equal(
            stet__set_block_unpack(z, salt + 1, &block, bytes, &out, NULL),
            STET_E_CORRUPT);
        assert_int_equal(out.len, 0);
    }
    stet__buf_deinit(&out);
    stet__zctx_destroy(z);
    unpack_end(&p);
}

static stet_trailer head_of(void)
{
    return (stet_trailer){
        .kind = STET_INDEX_OF_SET,
        .format = STET_FORMAT,
        .file = 9,
        .uuid = "of this store",
        .salt = salt,
        .first_position = 1000,
        .end_position = 1700,
        .first_recorded = -5,
        .last_recorded = INT64_MAX,
        .frames = 50,
        .set = {.times_bytes = 200,
                .first_file = 3,
                .last_file = 7,
                .last_end = 2 * STET_W,
                .predecessor = 2,
                .predecessor_end = 3 * STET_W},
    };
}

/* It is read when nothing else tells whose records these are. */
static void test_a_head_is_what_was_put_or_corrupt(void **state)
{
    (void)state;
    uint8_t head[STET_SET_HEAD_BYTES];
    stet_trailer due = head_of();
    stet_trailer got = {0};
    stet__set_head_put(&due, head);
    assert_int_equal(stet__set_head_get(head, &got, NULL), STET_OK);
    assert_memory_equal(&got, &due, sizeof due);
    for (size_t i = 0; i < sizeof head; i++) {
        head[i] ^= 0x10;
        assert_int_equal(stet__set_head_get(head, &got, NULL), STET_E_CORRUPT);
        head[i] ^= 0x10;
    }
    due.format++;
    stet__set_head_put(&due, head);
    assert_int_equal(stet__set_head_get(head, &got, NULL), STET_E_FORMAT);
}

/* What it says must be possible, or it would be believed of other files. */
static void test_a_head_that_makes_no_sense_is_corrupt(void **state)
{
    (void)state;
    stet_trailer wrong[] = {head_of(), head_of(), head_of(), head_of(),
                            head_of(), head_of(), head_of(), head_of()};
    wrong[0].first_position = 0;
    wrong[1].end_position = wrong[1].first_position;
    wrong[2].end_position += (uint64_t)1 << 32;
    wrong[3].frames = 0;
    wrong[4].set.first_file = 0;
    wrong[5].set.last_file = 2;
    wrong[6].set.last_file = 9;
    wrong[7].set.predecessor = 3;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t head[STET_SET_HEAD_BYTES];
        stet_trailer got = {0};
        stet__set_head_put(&wrong[i], head);
        assert_int_equal(stet__set_head_get(head, &got, NULL), STET_E_CORRUPT);
    }
}

/* Items that a later version will write must not be taken for damage. */
static void test_an_item_of_another_kind_is_of_a_newer_format(void **state)
{
    (void)state;
    static const uint8_t other[] = {0, 1, 2, 3};
    static const uint8_t cut[] = {5, 1, 2, 3, 4, 0x20};
    uint32_t slot = 0;
    stet_slice record;
    stet_reader in = stet__reader_of(stet_slice_of(other, sizeof other));
    assert_int_equal(stet__set_read_item(&in, &slot, &record, NULL),
                     STET_E_FORMAT);
    for (size_t len = 0; len <= sizeof cut; len++) {
        in = stet__reader_of(stet_slice_of(cut, len));
        assert_int_equal(stet__set_read_item(&in, &slot, &record, NULL),
                         STET_E_CORRUPT);
    }
}

/* Seeds come back in order, and end where the records begin. */
static void test_seeds_come_back_as_they_were_put(void **state)
{
    (void)state;
    static const stet_set_seed seeds[] = {
        {1, "first"}, {300, "second"}, {UINT32_MAX, "last"}};
    packed p;
    draw(&p, 6);
    assert_int_equal(stet__set_packer_init(&p.packer, &stet__heap, salt, NULL),
                     STET_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stet__set_put_seed(&p.packer, &seeds[i], NULL),
                         STET_OK);
    }
    assert_int_equal(stet__set_put_record(&p.packer, 7, record_at(&p, 0),
                                          &p.raw_offsets[0], NULL),
                     STET_OK);
    stet_slice content = stet__buf_slice(&p.packer.raw);
    stet_reader in = stet__reader_of(content);
    stet_set_seed seed;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stet__set_read_seed(&in, &seed, NULL), STET_OK);
        assert_memory_equal(&seed, &seeds[i], sizeof seed);
    }
    size_t left = stet__read_left(&in);
    assert_int_equal(stet__set_read_seed(&in, &seed, NULL), STET_DONE);
    assert_int_equal(stet__read_left(&in), left);
    uint32_t slot = 0;
    stet_slice record;
    assert_int_equal(stet__set_read_item(&in, &slot, &record, NULL), STET_OK);
    assert_int_equal(slot, 7);
    for (size_t len = 2; len < 35; len++) { /* cut */
        in = stet__reader_of(stet_slice_of(content.ptr, len));
        assert_int_equal(stet__set_read_seed(&in, &seed, NULL), STET_E_CORRUPT);
    }
    unpack_end(&p);
}

/* A slot has the seed that begins last at or below it. */
static void test_a_slot_has_the_seed_of_its_stretch(void **state)
{
    (void)state;
    static const uint8_t first[STET_CHAIN_BYTES] = "trailer's";
    static const stet_set_seed items[] = {{5, "a"}, {6, "b"}, {40, "c"}};
    stet_set_seeds seeds = {first, items, 3};
    for (uint32_t slot = 0; slot < 50; slot++) {
        const uint8_t *due = slot < 5    ? first
                             : slot < 6  ? items[0].bytes
                             : slot < 40 ? items[1].bytes
                                         : items[2].bytes;
        assert_ptr_equal(stet__set_seed_at(&seeds, slot), due);
    }
    seeds.count = 0;
    assert_ptr_equal(stet__set_seed_at(&seeds, 9), first);
}

/* Without memory nothing is packed, and nothing leaks. */
static void test_packing_survives_every_allocation_failure(void **state)
{
    (void)state;
    packed p;
    draw(&p, 5);
    bool is_hit = true;
    for (size_t nth = 1; is_hit; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        stet_allocator a = failalloc_allocator(&f);
        stet_status st = stet__set_packer_init(&p.packer, &a, salt, NULL);
        if (st == STET_OK) {
            st = put_all(&p);
        }
        stet__set_packer_deinit(&p.packer);
        is_hit = f.is_hit;
        assert_int_equal(st, is_hit ? STET_E_NOMEM : STET_OK);
        failalloc_assert_clean(&f);
    }
    stet__buf_deinit(&p.records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_comes_back_as_it_was_put),
        cmocka_unit_test(test_a_block_holds_whole_items_up_to_its_size),
        cmocka_unit_test(test_packing_never_makes_a_block_longer),
        cmocka_unit_test(test_a_block_that_is_not_its_own_is_corrupt),
        cmocka_unit_test(test_a_head_is_what_was_put_or_corrupt),
        cmocka_unit_test(test_a_head_that_makes_no_sense_is_corrupt),
        cmocka_unit_test(test_an_item_of_another_kind_is_of_a_newer_format),
        cmocka_unit_test(test_seeds_come_back_as_they_were_put),
        cmocka_unit_test(test_a_slot_has_the_seed_of_its_stretch),
        cmocka_unit_test(test_packing_survives_every_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
