#include "base/checksum.h"

#include <string.h>

#include <openssl/evp.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/outside.h"

/*
 * CRC32C in software, eight bytes a step ("slicing-by-8"): table[k][b] is the
 * CRC of byte b with k zero bytes behind it. A CRC is linear, so an entry is
 * the XOR of the entries of its byte's single bits. Those eight a table stand
 * here and the compiler makes the rest; all arguments are constants, so that
 * naming one more than once costs nothing.
 */
#define BIT(n, b, crc) ((((n) >> (b)) & 1) != 0 ? (crc) : 0U)
#define SUM(n, c0, c1, c2, c3, c4, c5, c6, c7)                                 \
    (BIT(n, 0, c0) ^ BIT(n, 1, c1) ^ BIT(n, 2, c2) ^ BIT(n, 3, c3) ^           \
     BIT(n, 4, c4) ^ BIT(n, 5, c5) ^ BIT(n, 6, c6) ^ BIT(n, 7, c7))
#define ROW0(n)                                                                \
    SUM(n, 0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f,         \
        0x20bd8ede, 0x417b1dbc, 0x82f63b78)
#define ROW1(n)                                                                \
    SUM(n, 0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181,         \
        0x7f8be302, 0xff17c604, 0xfbc3faf9)
#define ROW2(n)                                                                \
    SUM(n, 0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a,         \
        0xe144fb14, 0xc76580d9, 0x8b277743)
#define ROW3(n)                                                                \
    SUM(n, 0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d,         \
        0xd725148b, 0xaba65fe7, 0x52a0c93f)
#define ROW4(n)                                                                \
    SUM(n, 0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3,         \
        0x1ba8b557, 0x37516aae, 0x6ea2d55c)
#define ROW5(n)                                                                \
    SUM(n, 0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e,         \
        0x85f4168d, 0x0e045beb, 0x1c08b7d6)
#define ROW6(n)                                                                \
    SUM(n, 0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6,         \
        0x3d5b83bd, 0x7ab7077a, 0xf56e0ef4)
#define ROW7(n)                                                                \
    SUM(n, 0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4,         \
        0x0d006599, 0x1a00cb32, 0x34019664)
#define OF_4(row, n) row(n), row((n) + 1), row((n) + 2), row((n) + 3)
#define OF_16(row, n)                                                          \
    OF_4(row, n), OF_4(row, (n) + 4), OF_4(row, (n) + 8), OF_4(row, (n) + 12)
#define OF_64(row, n)                                                          \
    OF_16(row, n), OF_16(row, (n) + 16), OF_16(row, (n) + 32),                 \
        OF_16(row, (n) + 48)
#define OF_256(row)                                                            \
    OF_64(row, 0), OF_64(row, 64), OF_64(row, 128), OF_64(row, 192)

static const uint32_t table[8][256] = {
    {OF_256(ROW0)}, {OF_256(ROW1)}, {OF_256(ROW2)}, {OF_256(ROW3)},
    {OF_256(ROW4)}, {OF_256(ROW5)}, {OF_256(ROW6)}, {OF_256(ROW7)},
};

uint32_t stet__crc32c_soft(uint32_t crc, const void *ptr, size_t len)
{
    const uint8_t *p = ptr;
    crc = ~crc;
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t v = stet__get_u64le(p) ^ crc;
        crc = 0;
        for (int k = 7; k >= 0; k--, v >>= 8) {
            crc ^= table[k][v & 0xff];
        }
    }
    for (; len > 0; p++, len--) {
        crc = (crc >> 8) ^ table[0][(crc ^ *p) & 0xff];
    }
    return ~crc;
}

#if defined(__x86_64__)

#include <immintrin.h>

#define WITH_CRC __attribute__((target("sse4.2,pclmul")))

static bool has_crc(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t v = 0;
    memcpy(&v, p, sizeof v);
    return v;
}

/*
 * The instruction takes three cycles but starts one each cycle, so three CRCs
 * run side by side over neighbouring strides. Going over n zero bytes is a
 * product with x^(8n) mod P. Of the factors here 33 powers are left out: the
 * carry-less product of two reflected words adds one and the instruction, which
 * reduces the product, adds 32.
 */
typedef struct stride {
    size_t bytes;
    uint32_t over_one; /* x^(8 * bytes - 33) */
    uint32_t over_two; /* x^(8 * 2 * bytes - 33) */
} stride;
static const stride long_stride = {256, 0xb9e02b86, 0xdd7e3b0c};
/* Half of a log's records are too short for the other one. */
static const stride short_stride = {64, 0x9e4addf8, 0x0d3b6092};

WITH_CRC static inline __m128i product(uint64_t crc, uint32_t factor)
{
    return _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc),
                                _mm_cvtsi64_si128((int64_t)factor), 0);
}

/* Go on from `crc` over three strides. */
WITH_CRC static inline uint64_t crc_strides(uint64_t crc, const uint8_t *p,
                                            stride s)
{
    uint64_t first = crc;
    uint64_t second = 0;
    uint64_t third = 0;
    for (const uint8_t *end = p + s.bytes; p < end; p += 8) {
        first = _mm_crc32_u64(first, load64(p));
        second = _mm_crc32_u64(second, load64(p + s.bytes));
        third = _mm_crc32_u64(third, load64(p + 2 * s.bytes));
    }
    __m128i moved =
        _mm_xor_si128(product(first, s.over_two), product(second, s.over_one));
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(moved)) ^ third;
}

/* Fewer than eight bytes. */
WITH_CRC static inline uint32_t crc_rest(uint32_t crc, const uint8_t *p,
                                         size_t len)
{
    if ((len & 4) != 0) {
        uint32_t v = 0;
        memcpy(&v, p, sizeof v);
        crc = _mm_crc32_u32(crc, v);
        p += sizeof v;
    }
    for (len &= 3; len > 0; p++, len--) {
        crc = _mm_crc32_u8(crc, *p);
    }
    return crc;
}

WITH_CRC static uint32_t crc_hard(uint32_t start, const uint8_t *p, size_t len)
{
    uint64_t crc = ~start;
    for (; len >= 3 * long_stride.bytes; len -= 3 * long_stride.bytes) {
        crc = crc_strides(crc, p, long_stride);
        p += 3 * long_stride.bytes;
    }
    for (; len >= 3 * short_stride.bytes; len -= 3 * short_stride.bytes) {
        crc = crc_strides(crc, p, short_stride);
        p += 3 * short_stride.bytes;
    }
    for (; len >= 8; p += 8, len -= 8) {
        crc = _mm_crc32_u64(crc, load64(p));
    }
    return ~crc_rest((uint32_t)crc, p, len);
}

uint32_t stet__crc32c(uint32_t crc, const void *ptr, size_t len)
{
    return has_crc() ? crc_hard(crc, ptr, len)
                     : stet__crc32c_soft(crc, ptr, len);
}

#else

uint32_t stet__crc32c(uint32_t crc, const void *ptr, size_t len)
{
    return stet__crc32c_soft(crc, ptr, len);
}

#endif

uint64_t stet__hash64(const void *ptr, size_t len)
{
    return XXH3_64bits(ptr, len);
}

uint64_t stet__hash64_seed(const void *ptr, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(ptr, len, seed);
}

void stet__hash128(const void *ptr, size_t len, uint64_t seed, uint8_t out[16])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(ptr, len, seed));
    memcpy(out, canonical.digest, sizeof canonical.digest);
    stet__outside_sets(out, sizeof canonical.digest);
}

/* A hasher is a context of libcrypto's, ready to begin. */
static EVP_MD_CTX *context_of(stet_hasher *h)
{
    return (EVP_MD_CTX *)(void *)h;
}

stet_hasher *stet__hasher_create(void)
{
    stet__outside_enter();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        ctx = NULL;
    }
    stet__outside_leave();
    return (stet_hasher *)(void *)ctx;
}

void stet__hasher_destroy(stet_hasher *h)
{
    EVP_MD_CTX_free(context_of(h));
}

void stet__hasher_sha256(stet_hasher *h, const void *ptr, size_t len,
                         uint8_t out[STET_SHA256_BYTES])
{
    EVP_MD_CTX *ctx = context_of(h);
    /* They fail only where libcrypto is broken: no digest is then right. */
    int is_done = EVP_DigestUpdate(ctx, ptr, len) == 1 &&
                  EVP_DigestFinal_ex(ctx, out, NULL) == 1 &&
                  EVP_DigestInit_ex(ctx, NULL, NULL) == 1;
    STET_ASSERT(is_done);
    stet__outside_sets(out, STET_SHA256_BYTES);
}

void stet__sha256(const void *ptr, size_t len, uint8_t out[STET_SHA256_BYTES])
{
    /* It fails only where libcrypto is broken: no digest is then right. */
    stet__outside_enter();
    int is_done = EVP_Digest(ptr, len, out, NULL, EVP_sha256(), NULL);
    stet__outside_leave();
    STET_ASSERT(is_done == 1);
    stet__outside_sets(out, STET_SHA256_BYTES);
}
