/*
 * Manifest: what is read is written again to the same bytes, and every entry's
 * sums are there.
 */
#include "fuzz.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "stores/embedded/backup_manifest.h"

enum { BYTES_MAX = 4096 };

/* Add up all that it says: what is out of bounds is out of the memory, too. */
static uint64_t read_all(const stet_manifest *m)
{
    uint64_t sum = stet__manifest_bytes(m);
    for (uint32_t i = 0; i < m->file_count; i++) {
        const stet_backup_file *file = &m->files[i];
        FUZZ_CHECK(stet__manifest_file_end(m, i) > file->first_position);
        for (uint64_t c = 0; c < stet__backup_chunks(file->bytes); c++) {
            sum ^= stet__manifest_sum(m, file, c);
        }
    }
    return sum;
}

static void check(fuzz *f, stet_slice bytes)
{
    stet_manifest m;
    stet_buf again;
    stet__buf_init(&again, &f->alloc);
    if (stet__manifest_get(bytes, &f->alloc, &m, NULL) == STET_OK) {
        (void)read_all(&m);
        stet__manifest_put(&m, &again);
        FUZZ_CHECK(again.len == bytes.len &&
                   memcmp(again.ptr, bytes.ptr, bytes.len) == 0);
        stet__manifest_deinit(&m);
    }
    stet__buf_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz f;
    fuzz_begin(&f, data, size);
    stet_slice bytes = fuzz_bytes(&f, BYTES_MAX);
    uint8_t copy[BYTES_MAX];
    memcpy(copy, bytes.ptr, bytes.len);
    check(&f, stet_slice_of(copy, bytes.len));
    if (bytes.len >= STET_BACKUP_HEADER_BYTES) {
        stet__put_u64le(copy + 32, bytes.len);
        stet__put_u32le(copy + 4, stet__crc32c(0, copy + 8, bytes.len - 8));
        check(&f, stet_slice_of(copy, bytes.len));
    }
    fuzz_end(&f);
    return 0;
}
