#include "sim/packers.h"

#include <stdlib.h>

#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_customMem */
#include <zstd.h>

/* What the linker has libstet call, and what that would have been. */
ZSTD_CCtx *__wrap_ZSTD_createCCtx_advanced(ZSTD_customMem mem);
ZSTD_DCtx *__wrap_ZSTD_createDCtx_advanced(ZSTD_customMem mem);
size_t __wrap_ZSTD_freeCCtx(ZSTD_CCtx *packer);
size_t __wrap_ZSTD_freeDCtx(ZSTD_DCtx *unpacker);
size_t __wrap_ZSTD_CCtx_setParameter(ZSTD_CCtx *packer, ZSTD_cParameter option,
                                     int value);
ZSTD_CCtx *__real_ZSTD_createCCtx_advanced(ZSTD_customMem mem);
ZSTD_DCtx *__real_ZSTD_createDCtx_advanced(ZSTD_customMem mem);
size_t __real_ZSTD_freeCCtx(ZSTD_CCtx *packer);
size_t __real_ZSTD_freeDCtx(ZSTD_DCtx *unpacker);
size_t __real_ZSTD_CCtx_setParameter(ZSTD_CCtx *packer, ZSTD_cParameter option,
                                     int value);

enum {
    TOKEN_BYTES = 64,
    QUICK_LEVEL = -8, /* finds matches, leaves bytes between them as they are */
};

/* A context that is ours, of either kind. */
typedef struct kept {
    ZSTD_CCtx *packer;
    ZSTD_DCtx *unpacker;
    ZSTD_customMem mem; /* of the store that has it */
    void *token;        /* its block there; NULL: nobody has it */
    struct kept *next;
} kept;

static kept *all;
static bool is_keeping;

void packers_keep(bool is_kept)
{
    is_keeping = is_kept;
}

void packers_reset(void)
{
    for (kept *k = all; k != NULL; k = k->next) {
        k->token = NULL;
    }
}

static kept *make(bool is_packer)
{
    kept *k = calloc(1, sizeof *k);
    if (k == NULL) {
        abort();
    }
    if (is_packer) {
        k->packer = __real_ZSTD_createCCtx_advanced(ZSTD_defaultCMem);
    } else {
        k->unpacker = __real_ZSTD_createDCtx_advanced(ZSTD_defaultCMem);
    }
    k->next = all;
    all = k;
    return k;
}

/* Lend one that is as new; NULL: the store has no memory for it. */
static kept *lend(bool is_packer, ZSTD_customMem mem)
{
    void *token = mem.customAlloc(mem.opaque, TOKEN_BYTES);
    if (token == NULL) {
        return NULL;
    }
    kept *k = all;
    while (k != NULL &&
           (k->token != NULL || (k->packer != NULL) != is_packer)) {
        k = k->next;
    }
    k = k != NULL ? k : make(is_packer);
    k->mem = mem;
    k->token = token;
    if (is_packer) {
        (void)ZSTD_CCtx_reset(k->packer, ZSTD_reset_session_and_parameters);
    } else {
        (void)ZSTD_DCtx_reset(k->unpacker, ZSTD_reset_session_and_parameters);
    }
    return k;
}

/* Is it one of ours? Then it is taken back. */
static bool take_back(const void *context)
{
    kept *k = all;
    while (k != NULL && k->packer != context && k->unpacker != context) {
        k = k->next;
    }
    if (k == NULL) {
        return false;
    }
    k->mem.customFree(k->mem.opaque, k->token);
    k->token = NULL;
    return true;
}

ZSTD_CCtx *__wrap_ZSTD_createCCtx_advanced(ZSTD_customMem mem)
{
    if (!is_keeping) {
        return __real_ZSTD_createCCtx_advanced(mem);
    }
    const kept *k = lend(true, mem);
    return k == NULL ? NULL : k->packer;
}

ZSTD_DCtx *__wrap_ZSTD_createDCtx_advanced(ZSTD_customMem mem)
{
    if (!is_keeping) {
        return __real_ZSTD_createDCtx_advanced(mem);
    }
    const kept *k = lend(false, mem);
    return k == NULL ? NULL : k->unpacker;
}

size_t __wrap_ZSTD_freeCCtx(ZSTD_CCtx *packer)
{
    return packer == NULL || take_back(packer) ? 0
                                               : __real_ZSTD_freeCCtx(packer);
}

size_t __wrap_ZSTD_freeDCtx(ZSTD_DCtx *unpacker)
{
    return unpacker == NULL || take_back(unpacker)
               ? 0
               : __real_ZSTD_freeDCtx(unpacker);
}

size_t __wrap_ZSTD_CCtx_setParameter(ZSTD_CCtx *packer, ZSTD_cParameter option,
                                     int value)
{
    bool is_hurried = is_keeping && option == ZSTD_c_compressionLevel;
    return __real_ZSTD_CCtx_setParameter(packer, option,
                                         is_hurried ? QUICK_LEVEL : value);
}
