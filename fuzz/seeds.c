/*
 * Seeds: inputs that nobody types, for targets of binary formats.
 *
 * usage: seeds FOLDER     writes FOLDER/TARGET/seed-N
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "core/delta.h"
#include "core/index.h"
#include "lib/history.h"
#include "lib/records.h"
#include "stores/embedded/backup_manifest.h"

enum { PATH_BYTES_MAX = 512, SEEDS = 24 };

static const char *folder;

static void write_seed(const char *target, unsigned n, const stet_buf *b)
{
    char path[PATH_BYTES_MAX];
    snprintf(path, sizeof path, "%s/%s/seed-%u", folder, target, n);
    FILE *file = fopen(path, "wb");
    STET_ASSERT(file != NULL && !b->is_failed);
    STET_ASSERT(fwrite(b->ptr, 1, b->len, file) == b->len);
    STET_ASSERT(fclose(file) == 0);
}

/* What targets take first: which byte to change, and to what. */
static void begin_change(rng *r, stet_buf *out)
{
    stet__buf_reset(out);
    stet__buf_put_u16le(out, (uint16_t)rng_next(r));
    stet__buf_put_u8(out, (uint8_t)rng_below(r, 3));
}

static void seed_record(rng *r, unsigned n, stet_buf *out)
{
    stet_record record;
    begin_change(r, out);
    records_random(r, &record);
    records_put(&record, out);
    write_seed("record", n, out);
}

static void seed_super(rng *r, unsigned n, stet_buf *out)
{
    uint8_t block[STET_W];
    stet_segment_header h = {.format = STET_FORMAT, .file = n + 1};
    stet_super s = {.format = STET_FORMAT, .generation = n, .live = n};
    stet__buf_reset(out);
    stet__buf_put_u8(out, (uint8_t)n);
    stet__buf_put_u16le(out, (uint16_t)rng_next(r));
    stet__buf_put_u8(out, (uint8_t)rng_below(r, 3));
    if (n % 2 == 0) {
        stet__super_put(&s, block);
    } else {
        stet__segment_header_put(&h, block);
    }
    stet__buf_put(out, block, STET_SEGMENT_HEADER_BYTES);
    write_seed("super", n, out);
}

static void seed_delta(rng *r, unsigned n, stet_buf *out)
{
    uint8_t text[2000];
    stet_zctx *z = stet__zctx_create(&stet__heap);
    stet_buf packed;
    stet__buf_init(&packed, &stet__heap);
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t) "abcdefgh"[rng_below(r, 1 + n % 8)];
    }
    stet_slice prefix = stet_slice_of(text, rng_below(r, 1000));
    stet_slice raw = stet_slice_of(text + 500, rng_below(r, 1500));
    STET_ASSERT(z != NULL &&
                stet__zstd_pack(z, prefix, raw, &packed, NULL) == STET_OK);
    stet__buf_reset(out);
    stet__buf_put_u16le(out, (uint16_t)raw.len);
    stet__buf_put_u8(out, 0);
    stet__buf_put_u16le(out, (uint16_t)prefix.len);
    stet__buf_put_slice(out, prefix);
    stet__buf_put_slice(out, stet__buf_slice(&packed));
    write_seed("delta", n, out);
    stet__buf_deinit(&packed);
    stet__zctx_destroy(z);
}

static void seed_frame(const history *h, rng *r, unsigned n, stet_buf *out)
{
    const uint8_t *frame = stet__image_bytes(h->image) + h->frames[0].offset;
    stet_frame_header header;
    STET_ASSERT(stet__frame_is_sound(frame, h->end, &header));
    size_t used = header.length;
    while (frame[used - 1] == 0) {
        used--;
    }
    begin_change(r, out);
    stet__buf_put(out, frame, used);
    write_seed("frame", n, out);
}

static void seed_index(const history *h, unsigned n, stet_buf *out)
{
    stet__buf_reset(out);
    for (size_t i = 0; i < h->frame_count; i++) {
        size_t from = h->frames[i].first_event;
        size_t to = i + 1 < h->frame_count ? h->frames[i + 1].first_event
                                           : h->event_count;
        stet__buf_put_u8(out, (uint8_t)(to - from));
        for (; from < to; from++) {
            stet__buf_put_slice(
                out, stet__image_record_bytes(h->image, (uint32_t)from));
        }
    }
    write_seed("index", n, out);
}

/* The records of one machine after the other, by key. */
static void seed_set(const history *h, unsigned n, stet_buf *out)
{
    stet_machine_key last = {0};
    bool is_more = true;
    stet__buf_reset(out);
    stet__buf_put_u8(out, (uint8_t)(h->event_count - 1));
    while (is_more) {
        stet_machine_key next = {0};
        is_more = false;
        for (uint32_t slot = 0; slot < h->event_count; slot++) {
            stet_machine_key key = stet__image_key(h->image, slot);
            bool is_behind =
                last.id.len == 0 || stet__machine_key_cmp(last, key) < 0;
            if (is_behind &&
                (!is_more || stet__machine_key_cmp(key, next) < 0)) {
                next = key;
                is_more = true;
            }
        }
        for (uint32_t slot = 0; is_more && slot < h->event_count; slot++) {
            if (stet__machine_key_eq(stet__image_key(h->image, slot), next)) {
                stet__buf_put_u8(out, (uint8_t)(slot + 1));
                stet__buf_put_slice(out,
                                    stet__image_record_bytes(h->image, slot));
            }
        }
        last = next;
    }
    write_seed("set", n, out);
}

static void seed_run(const history *h, rng *r, unsigned n, stet_buf *out)
{
    stet_buf index;
    stet_trailer t;
    stet_index_input in = {.image = h->image, .file = 7, .end_offset = h->end};
    stet__buf_init(&index, &stet__heap);
    STET_ASSERT(stet__index_build(&stet__heap, &in, &index, NULL) == STET_OK);
    const uint8_t *last = index.ptr + index.len - STET_INDEX_BLOCK_BYTES;
    STET_ASSERT(stet__trailer_get(last, &t, NULL) == STET_OK);
    uint32_t directory = t.sections[STET_SECTION_DIRECTORY - 1].first_block;
    begin_change(r, out);
    stet__buf_put_u8(out, 0);
    stet__buf_put(out, last, 216);
    stet__buf_put(out,
                  index.ptr + (size_t)directory * STET_INDEX_BLOCK_BYTES +
                      STET_INDEX_HEADER_BYTES,
                  200);
    write_seed("run", n, out);
    stet__buf_deinit(&index);
}

/* Records of one machine, each with a header that is not changed. */
static void seed_proof(const history *h, rng *r, unsigned n, stet_buf *out)
{
    stet_machine_key key = stet__image_key(h->image, 0);
    stet__buf_reset(out);
    stet__buf_put_u8(out, (uint8_t)rng_next(r));
    stet__buf_put_u16le(out, (uint16_t)rng_next(r));
    stet__buf_put_u8(out, (uint8_t)rng_below(r, 3));
    stet__buf_put_u16le(out, 0);
    for (uint32_t slot = 0; slot < h->event_count; slot++) {
        if (stet__machine_key_eq(stet__image_key(h->image, slot), key)) {
            stet__buf_put_slice(out, stet__image_record_bytes(h->image, slot));
            stet__buf_put_u16le(out, 0);
        }
    }
    write_seed("proof", n, out);
}

static void seed_manifest(rng *r, unsigned n, stet_buf *out)
{
    stet_manifest m;
    uint64_t position = 1;
    STET_ASSERT(stet__manifest_init(&m, &stet__heap, n % 5, NULL) == STET_OK);
    m.number = 1 + n;
    for (uint32_t i = 0; i < m.file_count; i++) {
        m.files[i] = (stet_backup_file){
            .number = i + 1,
            .is_set = rng_below(r, 2) == 0,
            .salt = rng_next(r),
            .bytes = 1 + rng_below(r, 3 << 20),
            .first_position = position,
            .copied_by = 1 + (uint32_t)rng_below(r, m.number),
        };
        position += 1 + rng_below(r, 100);
        for (uint64_t c = stet__backup_chunks(m.files[i].bytes); c > 0; c--) {
            stet__buf_put_u64le(&m.sums, rng_next(r));
        }
    }
    m.end_position = position;
    stet__buf_reset(out);
    stet__manifest_put(&m, out);
    write_seed("manifest", n, out);
    stet__manifest_deinit(&m);
}

static void seed_history(rng *r, unsigned n, stet_buf *out)
{
    history *h = history_create(rng_next(r));
    history_write(h, 1 + rng_below(r, 5), 1 + rng_below(r, 40));
    history_index_all(h);
    seed_frame(h, r, n, out);
    seed_index(h, n, out);
    seed_set(h, n, out);
    seed_run(h, r, n, out);
    seed_proof(h, r, n, out);
    history_destroy(h);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: seeds FOLDER\n");
        return 2;
    }
    folder = argv[1];
    rng r = {1};
    stet_buf out;
    stet__buf_init(&out, &stet__heap);
    for (unsigned n = 0; n < SEEDS; n++) {
        seed_record(&r, n, &out);
        seed_super(&r, n, &out);
        seed_delta(&r, n, &out);
        seed_history(&r, n, &out);
        seed_manifest(&r, n, &out);
    }
    stet__buf_deinit(&out);
    return 0;
}
