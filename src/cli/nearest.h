/*
 * Nearest: of many names the one that a mistyped word most likely meant.
 */
#ifndef STET_CLI_NEAREST_H
#define STET_CLI_NEAREST_H

#include <stddef.h>

typedef struct nearest {
    const char *word;
    size_t word_len;
    const char *best; /* NULL: no name is near enough */
    size_t best_edits;
} nearest;

nearest nearest_to(const char *word, size_t word_len);

/*
 * Offer a name. It is near enough when `word` begins it, or when at most a third
 * of the word's letters, and one in any case, were added, dropped, changed or
 * swapped with their neighbour.
 */
void nearest_offer(nearest *n, const char *name);

#endif
