/*
 * Nearest: of many names the one that a mistyped word most likely meant.
 */
#ifndef STET_BASE_NEAREST_H
#define STET_BASE_NEAREST_H

#include <stet/slice.h>

typedef struct stet_nearest {
    stet_slice word;
    const char *best; /* lent by the caller, without a NUL */
    size_t best_len;  /* 0: no name is near enough */
    size_t best_edits;
} stet_nearest;

stet_nearest stet__nearest_to(stet_slice word);

/*
 * Offer a name. It is near enough when `word` begins it, or when at most a
 * third of the word's letters, or one of two, were added, dropped, changed or
 * swapped with their neighbour.
 */
void stet__nearest_offer(stet_nearest *n, stet_slice name);

#endif
