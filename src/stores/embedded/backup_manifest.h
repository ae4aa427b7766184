/*
 * Manifest: the file B.backup, which makes a backup of the copies beside it.
 * docs/FORMAT.md, section "Backup".
 *
 * Header (96 bytes), then an entry for each file, oldest first, then the sums
 *    0 u32 magic "STBK"        4 u32 crc over [8, length)
 *    8 u32 format             12 u32 number: B
 *   16 uuid[16] of the store  32 u64 length of the manifest
 *   40 u64 end position       48 i64 recorded of the last frame (0: no files)
 *   56 i64 created            64 u64 new bytes: those this backup copied
 *   72 u32 previous backup (0: none)   76 u32 files
 *   80 u64 end offset of frames or blocks in the last file (0: no files)
 *   88 u32 new files          92 u32 reserved, 0
 *
 * Entry (40 bytes)
 *    0 u32 file number         4 u32 kind: 1 N.seg, 2 N.set
 *    8 u64 salt               16 u64 bytes
 *   24 u64 first position     32 u32 backup that copied it: it lies in
 *                                    B-N.seg or B-N.set of that B
 *   36 u32 reserved, 0
 *
 * Sums: for each file in order, u64 XXH3-64 of each STET_BACKUP_CHUNK_BYTES.
 */
#ifndef STET_STORES_EMBEDDED_BACKUP_MANIFEST_H
#define STET_STORES_EMBEDDED_BACKUP_MANIFEST_H

#include <stet/status.h>

#include "base/buf.h"

enum {
    STET_BACKUP_FORMAT = 1,
    STET_BACKUP_HEADER_BYTES = 96,
    STET_BACKUP_ENTRY_BYTES = 40,
    STET_BACKUP_SUM_BYTES = 8,
    /* What one checksum is of: damage is told as closely as that. */
    STET_BACKUP_CHUNK_BYTES = 1024 * 1024,
    /* 28 TiB of files. */
    STET_BACKUP_MANIFEST_BYTES_MAX = 256 * 1024 * 1024,
};

/* A file of the store, as it was copied. */
typedef struct stet_backup_file {
    uint32_t number;
    bool is_set;
    uint64_t salt;
    uint64_t bytes;
    uint64_t first_position;
    uint32_t copied_by;
    uint64_t first_sum; /* among the manifest's */
} stet_backup_file;

typedef struct stet_manifest {
    const stet_allocator *alloc;
    uint32_t number;
    uint32_t previous;
    uint8_t uuid[16];
    uint64_t end_position; /* one past the last */
    uint64_t end_offset;
    int64_t recorded;
    int64_t created;
    uint64_t new_bytes;
    uint32_t new_files;
    uint32_t file_count;
    stet_backup_file *files; /* oldest first; NULL: none */
    stet_buf sums;           /* u64 each */
} stet_manifest;

/* Chunks of a file of `bytes`. */
static inline uint64_t stet__backup_chunks(uint64_t bytes)
{
    return bytes / STET_BACKUP_CHUNK_BYTES +
           (bytes % STET_BACKUP_CHUNK_BYTES > 0);
}

/* Start empty, with room for `files`; STET_E_NOMEM. Deinit may follow. */
stet_status stet__manifest_init(stet_manifest *m, const stet_allocator *alloc,
                                uint32_t files, stet_error *err);
/* Accepts a zeroed one. */
void stet__manifest_deinit(stet_manifest *m);

/* The sum of a chunk. */
uint64_t stet__manifest_sum(const stet_manifest *m, const stet_backup_file *f,
                            uint64_t chunk);
/* Bytes of all files together. */
uint64_t stet__manifest_bytes(const stet_manifest *m);
/* One past the last position of a file. */
uint64_t stet__manifest_file_end(const stet_manifest *m, uint32_t idx);

/* Append the manifest's bytes to `out`; whether that failed `out` says. */
void stet__manifest_put(const stet_manifest *m, stet_buf *out);
/*
 * Decode all of a file; `*out` needs a deinit only where this says STET_OK.
 * STET_E_CORRUPT: magic, checksum or content; STET_E_FORMAT: of a newer
 * version; STET_E_NOMEM.
 */
stet_status stet__manifest_get(stet_slice bytes, const stet_allocator *alloc,
                               stet_manifest *out, stet_error *err);

#endif
