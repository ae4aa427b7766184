/*
 * Asan: what the address sanitizer is told, where there is one.
 */
#ifndef STET_TESTS_SIM_ASAN_H
#define STET_TESTS_SIM_ASAN_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif

#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

/* These bytes may be touched from now on. */
static inline void asan_lend(const void *ptr, size_t len)
{
#ifdef HAS_ASAN
    __asan_unpoison_memory_region(ptr, len);
#else
    (void)ptr;
    (void)len;
#endif
}

/* And these may not. */
static inline void asan_take_back(const void *ptr, size_t len)
{
#ifdef HAS_ASAN
    __asan_poison_memory_region(ptr, len);
#else
    (void)ptr;
    (void)len;
#endif
}

#endif
