/*
 * Checksums: CRC32C (RFC 3720, Castagnoli, reflected 0x82f63b78) guards bytes
 * on disk; XXH3 (xxHash 0.8) names states and hash-table keys. Neither is
 * tamper evidence. SHA-256 (FIPS 180-4, from libcrypto) is the hash that users
 * see.
 */
#ifndef STET_BASE_CHECKSUM_H
#define STET_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

enum { STET_SHA256_BYTES = 32 };

/* Go on from `crc` (0 to start) over `len` bytes; hardware where there is. */
uint32_t stet__crc32c(uint32_t crc, const void *ptr, size_t len);
/* The same without the processor's instruction: the reference for tests. */
uint32_t stet__crc32c_soft(uint32_t crc, const void *ptr, size_t len);

uint64_t stet__hash64(const void *ptr, size_t len);
uint64_t stet__hash64_seed(const void *ptr, size_t len, uint64_t seed);

/* 128-bit hash in canonical (big-endian) byte order. */
void stet__hash128(const void *ptr, size_t len, uint64_t seed, uint8_t out[16]);

void stet__sha256(const void *ptr, size_t len, uint8_t out[STET_SHA256_BYTES]);

/*
 * SHA-256 many times over: keeps what libcrypto looks up for each, which takes
 * longer than to hash a short text (320 ns against 112 for 64 bytes).
 *
 * Thread: one at a time per hasher.
 */
typedef struct stet_hasher stet_hasher;

/* NULL when there is no memory. */
stet_hasher *stet__hasher_create(void);
/* Accepts NULL. */
void stet__hasher_destroy(stet_hasher *h);
void stet__hasher_sha256(stet_hasher *h, const void *ptr, size_t len,
                         uint8_t out[STET_SHA256_BYTES]);

#endif
