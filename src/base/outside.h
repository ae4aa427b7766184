/*
 * Outside: what libraries write, for the memory sanitizer.
 *
 * It holds each byte for unset that no code built with it has written, and the
 * libraries are not. What they hand over is vouched for where they do; memory
 * that they ask for is when they get it.
 */
#ifndef STET_BASE_OUTSIDE_H
#define STET_BASE_OUTSIDE_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define STET_HAS_MSAN 1
#endif
#endif

/* A library has set these bytes, or will. Accepts NULL, and then none. */
static inline void stet__outside_sets(const void *ptr, size_t bytes)
{
#ifdef STET_HAS_MSAN
    if (ptr != NULL) {
        __msan_unpoison(ptr, bytes);
    }
#else
    (void)ptr;
    (void)bytes;
#endif
}

/* Between these two it does not look at what a library hands to libc. */
static inline void stet__outside_enter(void)
{
#ifdef STET_HAS_MSAN
    __msan_scoped_disable_interceptor_checks();
#endif
}

static inline void stet__outside_leave(void)
{
#ifdef STET_HAS_MSAN
    __msan_scoped_enable_interceptor_checks();
#endif
}

#endif
