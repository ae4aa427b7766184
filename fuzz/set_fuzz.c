/*
 * Set: a stranger's items, as far as they are taken, are packed and unpacked to
 * the same bytes; and records that make a set's index are found in it.
 */
#include "fuzz.h"

#include <string.h>

#include "blocks.h"
#include "core/set.h"
#include "core/set_draft.h"

enum { SLOTS_MAX = 64, SEEDS_MAX = 4, SALT = 0x5e7 };

static const uint8_t seed[STET_CHAIN_BYTES] = "of the salts";

static stet_status chain_before(void *ctx, const stet_run *run,
                                uint8_t out[STET_CHAIN_BYTES], stet_error *err)
{
    (void)ctx;
    (void)err;
    FUZZ_CHECK(run->previous.position > 0);
    memset(out, 0xcb, STET_CHAIN_BYTES);
    return STET_OK;
}

/* What a set is made of, from any bytes. */
typedef struct settling {
    stet_set_packer packer;
    stet_set_draft draft;
    stet_buf content; /* the items that were taken, as they were given */
    stet_set_seed seeds[SEEDS_MAX];
    stet_set_seeds all_seeds;
    uint32_t records;
    bool is_whole; /* the draft took all of them */
} settling;

/* Take the notes that stand in front, as far as their slots rise. */
static void take_seeds(fuzz *f, settling *s)
{
    stet_set_seeds *all = &s->all_seeds;
    *all = (stet_set_seeds){.first = seed, .items = s->seeds};
    stet_reader in = stet__reader_of(stet_slice_of(f->ptr, f->len));
    const uint8_t *from = in.ptr;
    stet_set_seed *next = s->seeds;
    while (all->count < SEEDS_MAX &&
           stet__set_read_seed(&in, next, NULL) == STET_OK &&
           (next == s->seeds || next[-1].first_slot < next->first_slot)) {
        FUZZ_CHECK(stet__set_put_seed(&s->packer, next, NULL) == STET_OK);
        all->count++;
        next++;
        stet__buf_put_slice(&s->content,
                            fuzz_bytes(f, (size_t)(in.ptr - from)));
        from = in.ptr;
    }
}

static void begin(fuzz *f, settling *s)
{
    uint32_t slots = 1 + fuzz_u8(f) % SLOTS_MAX;
    stet_trailer t = {
        .kind = STET_INDEX_OF_SET,
        .format = STET_FORMAT,
        .file = 9,
        .salt = SALT,
        .first_position = 1000,
        .end_position = 1000 + slots,
        .end_offset = STET_W,
        .frames = 1,
        .set = {.first_file = 7,
                .last_file = 7,
                .last_end = 2 * STET_W,
                .raw_bytes = 1000,
                .times_bytes = 10},
    };
    stet_set_links links = {.chain_before = chain_before};
    *s = (settling){.is_whole = true};
    stet__buf_init(&s->content, &f->alloc);
    FUZZ_CHECK(stet__set_packer_init(&s->packer, &f->alloc, SALT, NULL) ==
               STET_OK);
    take_seeds(f, s);
    FUZZ_CHECK(stet__set_draft_init(&s->draft, &f->alloc, &t, &s->all_seeds,
                                    &links, NULL) == STET_OK);
}

static void take_record(settling *s, uint32_t slot, stet_slice bytes)
{
    stet_set_record r = {
        .bytes = bytes, .position = 1000 + (uint64_t)slot, .recorded = 5};
    FUZZ_CHECK(stet__set_put_record(&s->packer, slot, bytes, &r.raw_offset,
                                    NULL) == STET_OK);
    r.raw_offset += 10; /* the times come first */
    s->is_whole =
        s->is_whole && stet__set_draft_add(&s->draft, &r, NULL) == STET_OK;
    s->records++;
}

/* An item is varint slot + 1, then a record. */
static void take_items(fuzz *f, settling *s)
{
    stet_buf item;
    stet__buf_init(&item, &f->alloc);
    bool is_item = true;
    while (f->len > 0 && is_item) {
        uint32_t slot = 0;
        stet_slice record;
        stet__buf_reset(&item);
        stet__buf_put_varint(&item, fuzz_u8(f));
        stet_slice sealed = fuzz_record(f);
        stet__buf_put_slice(&item, sealed);
        fuzz_free(f, sealed);
        stet_reader in = stet__reader_of(stet__buf_slice(&item));
        is_item = stet__set_read_item(&in, &slot, &record, NULL) == STET_OK;
        if (is_item) {
            FUZZ_CHECK(stet__read_left(&in) == 0);
            stet__buf_put_slice(&s->content, stet__buf_slice(&item));
            take_record(s, slot, record);
        }
    }
    stet__buf_deinit(&item);
}

static void check_blocks(fuzz *f, const settling *s)
{
    stet_buf content;
    stet_zctx *z = stet__zctx_create(&f->alloc);
    stet__buf_init(&content, &f->alloc);
    size_t blocks = s->packer.pieces.len / STET_PIECE_BYTES - 1;
    for (size_t i = 0; i < blocks; i++) {
        const uint8_t *entry = s->packer.pieces.ptr + i * STET_PIECE_BYTES;
        stet_piece piece = stet__piece_get(entry);
        stet_piece next = stet__piece_get(entry + STET_PIECE_BYTES);
        stet_set_block block = {
            .raw_offset = piece.raw_offset,
            .bytes = next.offset - piece.offset - STET_SET_BLOCK_HEADER_BYTES,
            .raw_bytes = next.raw_offset - piece.raw_offset,
        };
        stet_slice bytes = stet_slice_of(s->packer.packed.ptr + piece.offset -
                                             STET_SET_HEAD_BYTES,
                                         next.offset - piece.offset);
        FUZZ_CHECK(stet__set_block_unpack(z, SALT, &block, bytes, &content,
                                          NULL) == STET_OK);
    }
    FUZZ_CHECK(stet__slice_eq(stet__buf_slice(&content),
                              stet__buf_slice(&s->content)));
    stet__buf_deinit(&content);
    stet__zctx_destroy(z);
}

static void check_run(void *ctx, const stet_run *run)
{
    (void)ctx;
    FUZZ_CHECK(run->has_chain && run->jump.position == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz f;
    settling s;
    fuzz_begin(&f, data, size);
    begin(&f, &s);
    take_items(&f, &s);
    FUZZ_CHECK(stet__set_packer_end(&s.packer, NULL) == STET_OK);
    check_blocks(&f, &s);
    stet_buf index;
    stet__buf_init(&index, &f.alloc);
    if (s.is_whole && stet__set_draft_end(&s.draft, NULL) == STET_OK) {
        stet__buf_put_slice(&s.draft.index.pieces,
                            stet__buf_slice(&s.packer.pieces));
        FUZZ_CHECK(stet__index_draft_put(&s.draft.index, &index, NULL) ==
                   STET_OK);
        blocks_check(&index, check_run, NULL);
    }
    stet__buf_deinit(&index);
    stet__buf_deinit(&s.content);
    stet__set_packer_deinit(&s.packer);
    stet__set_draft_deinit(&s.draft);
    fuzz_end(&f);
    return 0;
}
