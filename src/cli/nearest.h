/*
 * Nearest: of many names the one that a mistyped word most likely meant.
 */
#ifndef STET_CLI_NEAREST_H
#define STET_CLI_NEAREST_H

#include <stet/slice.h>

typedef struct nearest {
    stet_slice word;
    const char *best; /* lent by the caller, without a NUL */
    size_t best_len;  /* 0: no name is near enough */
    size_t best_edits;
} nearest;

nearest nearest_to(stet_slice word);

/*
 * Offer a name. It is near enough when `word` begins it, or when at most a
 * third of the word's letters, or one of two, were added, dropped, changed or
 * swapped with their neighbour.
 */
void nearest_offer(nearest *n, stet_slice name);

#endif
