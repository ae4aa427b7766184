#include "stores/embedded/backup_manifest.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "base/error.h"

enum { KIND_SEGMENT = 1, KIND_SET = 2 };

static const uint32_t magic = 0x4b425453; /* "STBK" */

stet_status stet__manifest_init(stet_manifest *m, const stet_allocator *alloc,
                                uint32_t files, stet_error *err)
{
    *m = (stet_manifest){.alloc = alloc, .file_count = files};
    stet__buf_init(&m->sums, alloc);
    if (files > 0) {
        m->files = stet__alloc_zeroed(alloc, files, sizeof *m->files);
    }
    return files == 0 || m->files != NULL
               ? STET_OK
               : stet__fail(err, STET_E_NOMEM, 0, "no memory for a manifest");
}

void stet__manifest_deinit(stet_manifest *m)
{
    stet__buf_deinit(&m->sums);
    if (m->files != NULL) {
        stet__free(m->alloc, m->files, m->file_count * sizeof *m->files);
        m->files = NULL;
    }
}

uint64_t stet__manifest_sum(const stet_manifest *m, const stet_backup_file *f,
                            uint64_t chunk)
{
    STET_ASSERT(chunk < stet__backup_chunks(f->bytes));
    return stet__get_u64le(m->sums.ptr +
                           (f->first_sum + chunk) * STET_BACKUP_SUM_BYTES);
}

uint64_t stet__manifest_bytes(const stet_manifest *m)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < m->file_count; i++) {
        bytes += m->files[i].bytes;
    }
    return bytes;
}

uint64_t stet__manifest_file_end(const stet_manifest *m, uint32_t idx)
{
    return idx + 1 < m->file_count ? m->files[idx + 1].first_position
                                   : m->end_position;
}

static void put_entry(const stet_backup_file *f, stet_buf *out)
{
    stet__buf_put_u32le(out, f->number);
    stet__buf_put_u32le(out, f->is_set ? KIND_SET : KIND_SEGMENT);
    stet__buf_put_u64le(out, f->salt);
    stet__buf_put_u64le(out, f->bytes);
    stet__buf_put_u64le(out, f->first_position);
    stet__buf_put_u32le(out, f->copied_by);
    stet__buf_put_u32le(out, 0);
}

void stet__manifest_put(const stet_manifest *m, stet_buf *out)
{
    size_t start = out->len;
    stet__buf_put_u32le(out, magic);
    stet__buf_put_u32le(out, 0); /* the crc, below */
    stet__buf_put_u32le(out, STET_BACKUP_FORMAT);
    stet__buf_put_u32le(out, m->number);
    stet__buf_put(out, m->uuid, sizeof m->uuid);
    stet__buf_put_u64le(out,
                        STET_BACKUP_HEADER_BYTES +
                            (uint64_t)m->file_count * STET_BACKUP_ENTRY_BYTES +
                            m->sums.len);
    stet__buf_put_u64le(out, m->end_position);
    stet__buf_put_u64le(out, (uint64_t)m->recorded);
    stet__buf_put_u64le(out, (uint64_t)m->created);
    stet__buf_put_u64le(out, m->new_bytes);
    stet__buf_put_u32le(out, m->previous);
    stet__buf_put_u32le(out, m->file_count);
    stet__buf_put_u64le(out, m->end_offset);
    stet__buf_put_u32le(out, m->new_files);
    stet__buf_put_u32le(out, 0);
    for (uint32_t i = 0; i < m->file_count; i++) {
        put_entry(&m->files[i], out);
    }
    stet__buf_put_slice(out, stet__buf_slice(&m->sums));
    if (!out->is_failed) {
        uint8_t *p = out->ptr + start;
        stet__put_u32le(p + 4, stet__crc32c(0, p + 8, out->len - start - 8));
    }
}

/* What the header says before the checksum was compared: which format, how
 * long. */
static stet_status check_envelope(stet_slice bytes, stet_error *err)
{
    const uint8_t *p = bytes.ptr;
    if (bytes.len < STET_BACKUP_HEADER_BYTES || stet__get_u32le(p) != magic) {
        return stet__fail(err, STET_E_CORRUPT, 0, "this is no manifest");
    }
    if (stet__crc32c(0, p + 8, bytes.len - 8) != stet__get_u32le(p + 4)) {
        return stet__fail(err, STET_E_CORRUPT, 0, "checksum of the manifest");
    }
    uint32_t format = stet__get_u32le(p + 8);
    if (format == 0) {
        return stet__fail(err, STET_E_CORRUPT, 0, "content of the manifest");
    }
    if (format > STET_BACKUP_FORMAT) {
        return stet__fail(err, STET_E_FORMAT, 0,
                          "the manifest has format %" PRIu32
                          ", this version reads up to %d",
                          format, STET_BACKUP_FORMAT);
    }
    return STET_OK;
}

static bool get_entry(stet_reader *r, stet_backup_file *f)
{
    f->number = stet__read_u32le(r);
    uint32_t kind = stet__read_u32le(r);
    f->is_set = kind == KIND_SET;
    f->salt = stet__read_u64le(r);
    f->bytes = stet__read_u64le(r);
    f->first_position = stet__read_u64le(r);
    f->copied_by = stet__read_u32le(r);
    uint32_t reserved = stet__read_u32le(r);
    return (kind == KIND_SET || kind == KIND_SEGMENT) && f->number > 0 &&
           f->copied_by > 0 && f->bytes > 0 && f->bytes <= INT64_MAX &&
           reserved == 0;
}

/* Entries by rising position, and a sum for each chunk of theirs. */
static bool get_files(stet_reader *r, stet_manifest *m)
{
    uint64_t sums = 0;
    uint64_t position = 0;
    for (uint32_t i = 0; i < m->file_count; i++) {
        stet_backup_file *f = &m->files[i];
        if (!get_entry(r, f) || f->first_position <= position ||
            f->copied_by > m->number) {
            return false;
        }
        position = f->first_position;
        f->first_sum = sums;
        sums += stet__backup_chunks(f->bytes);
        if (sums > STET_BACKUP_MANIFEST_BYTES_MAX) {
            return false;
        }
    }
    return position < m->end_position &&
           stet__read_left(r) == sums * STET_BACKUP_SUM_BYTES;
}

static void get_header(stet_reader *r, stet_manifest *m)
{
    m->number = stet__read_u32le(r);
    stet_slice uuid = stet__read_bytes(r, sizeof m->uuid);
    memcpy(m->uuid, uuid.ptr, sizeof m->uuid);
    (void)stet__read_u64le(r); /* the length, which the caller compared */
    m->end_position = stet__read_u64le(r);
    m->recorded = (int64_t)stet__read_u64le(r);
    m->created = (int64_t)stet__read_u64le(r);
    m->new_bytes = stet__read_u64le(r);
    m->previous = stet__read_u32le(r);
    m->file_count = stet__read_u32le(r);
    m->end_offset = stet__read_u64le(r);
    m->new_files = stet__read_u32le(r);
    if (stet__read_u32le(r) != 0) {
        r->is_bad = true;
    }
}

stet_status stet__manifest_get(stet_slice bytes, const stet_allocator *alloc,
                               stet_manifest *out, stet_error *err)
{
    stet_status st = check_envelope(bytes, err);
    if (st != STET_OK) {
        return st;
    }
    const uint8_t *p = bytes.ptr;
    stet_reader r = stet__reader_of(stet_slice_of(p + 12, bytes.len - 12));
    stet_manifest header = {0};
    get_header(&r, &header);
    uint64_t room = stet__read_left(&r) / STET_BACKUP_ENTRY_BYTES;
    if (r.is_bad || stet__get_u64le(p + 32) != bytes.len ||
        header.number == 0 || header.file_count > room) {
        return stet__fail(err, STET_E_CORRUPT, 0, "content of the manifest");
    }
    st = stet__manifest_init(out, alloc, header.file_count, err);
    if (st != STET_OK) {
        return st;
    }
    header.alloc = alloc;
    header.files = out->files;
    header.sums = out->sums;
    *out = header;
    bool is_sound = get_files(&r, out);
    if (is_sound) {
        stet__buf_put(&out->sums, r.ptr, stet__read_left(&r));
    }
    if (!is_sound || out->sums.is_failed) {
        st =
            is_sound
                ? stet__fail(err, STET_E_NOMEM, 0, "no memory for a manifest")
                : stet__fail(err, STET_E_CORRUPT, 0, "content of the manifest");
        stet__manifest_deinit(out);
    }
    return st;
}
