/*
 * Assertions that stay on in release: a stopped process beats a wrong log.
 */
#ifndef STET_BASE_ASSERT_H
#define STET_BASE_ASSERT_H

/* Print the broken claim on stderr and abort. */
_Noreturn void stet__assert_failed(const char *claim, const char *file,
                                   int line);

/*
 * No test takes the other side of a true claim: builds that count branches
 * leave claims out.
 */
#ifdef STET_COVERAGE
#define STET_ASSERT(claim) ((void)sizeof((claim) ? 1 : 0))
#else
#define STET_ASSERT(claim)                                                     \
    ((claim) ? (void)0 : stet__assert_failed(#claim, __FILE__, __LINE__))
#endif

/* For claims that cost: on in test builds only. */
#ifdef STET_DEBUG
#define STET_DEBUG_ASSERT(claim) STET_ASSERT(claim)
#else
#define STET_DEBUG_ASSERT(claim) ((void)sizeof((claim) ? 1 : 0))
#endif

#endif
