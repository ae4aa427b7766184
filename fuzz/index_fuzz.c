/*
 * Index: any records that an image takes make an index in which each machine
 * is found, with the records that it has there.
 */
#include "fuzz.h"

#include "blocks.h"
#include "core/tail.h"

enum { CAPACITY = 16 * STET_W, FIRST_POSITION = 1000 };

/* Read a frame's records into the tail: a number of them, then those. */
static bool take_frame(fuzz *f, stet_tail *tail, int64_t recorded)
{
    size_t cap = stet__tail_room(tail, 1);
    stet_frame frame = {.first_position = FIRST_POSITION + tail->events,
                        .recorded = recorded};
    uint32_t events = 0;
    size_t used = 0;
    stet__tail_lend(tail, cap, &frame);
    for (uint8_t left = fuzz_u8(f); left > 0 && events < STET_BATCH_EVENTS_MAX;
         left--) {
        stet_slice record = fuzz_record(f);
        if (record.ptr == NULL || record.len > cap - used) {
            fuzz_free(f, record);
            break;
        }
        memcpy(frame.records + used, record.ptr, record.len);
        used += record.len;
        events++;
        fuzz_free(f, record);
    }
    stet__tail_take(tail, &frame, used, events);
    return events > 0 &&
           stet__tail_seal(tail, &frame, FIRST_POSITION, NULL) == STET_OK;
}

static void check_run(void *ctx, const stet_run *run)
{
    const stet_image *image = ctx;
    uint32_t slots = stet__image_slot_count(image);
    uint32_t slot = stet__image_find(image, run->key, slots);
    FUZZ_CHECK(slot == run->last.position - FIRST_POSITION);
    FUZZ_CHECK(stet__image_slot(image, slot)->ordinal == run->count - 1);
    stet_bound bound = {.dimension = STET_BY_SEQ, .value = run->first.seq};
    uint32_t first = 0;
    slot = stet__image_seek(image, slot, bound, &first);
    FUZZ_CHECK(slot == run->first.position - FIRST_POSITION);
}

static void check_index(fuzz *f, const stet_image *image, const stet_tail *tail)
{
    stet_buf out;
    stet_index_input in = {.image = image,
                           .file = tail->file,
                           .salt = tail->salt,
                           .end_offset = tail->end,
                           .last_frame_crc = tail->last_crc};
    stet__buf_init(&out, &f->alloc);
    FUZZ_CHECK(stet__index_build(&f->alloc, &in, &out, NULL) == STET_OK);
    blocks_check(&out, check_run, (void *)(uintptr_t)image);
    stet__buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz f;
    fuzz_begin(&f, data, size);
    stet_image *image = stet__image_create(&f.alloc, CAPACITY, FIRST_POSITION);
    stet_tail tail;
    int64_t recorded = 1000;
    bool is_whole = true;
    FUZZ_CHECK(image != NULL);
    stet__tail_init(&tail, image, 7, 0x5a17);
    while (f.len > 0 && is_whole && stet__tail_room(&tail, 1) > 0) {
        is_whole = take_frame(&f, &tail, recorded++);
    }
    if (is_whole && tail.events > 0) {
        check_index(&f, image, &tail);
    }
    stet__image_destroy(image);
    fuzz_end(&f);
    return 0;
}
