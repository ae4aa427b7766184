#include "cli/nearest.h"

#include <string.h>

/* Longer words are never near: no name of ours comes close to this length. */
enum { WORD_MAX = 31 };

nearest nearest_to(const char *word, size_t word_len)
{
    nearest n = {.word = word, .word_len = word_len};
    return n;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * Edits that turn `a` into `b`, a swap of neighbours being one (optimal string
 * alignment). Three rows of the table are enough; both are at most WORD_MAX
 * long.
 */
static size_t edits(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][WORD_MAX + 1];
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(change, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], above2[j - 2] + 1);
            }
        }
    }
    return rows[a_len % 3][b_len];
}

void nearest_offer(nearest *n, const char *name)
{
    size_t name_len = strlen(name);
    if (n->word_len == 0 || n->word_len > WORD_MAX || name_len > WORD_MAX) {
        return;
    }
    size_t found = edits(n->word, n->word_len, name, name_len);
    size_t allowed = n->word_len < 3 ? 1 : n->word_len / 3;
    if (strncmp(name, n->word, n->word_len) == 0) {
        found = 1;
    }
    if (found <= allowed && (n->best == NULL || found < n->best_edits)) {
        n->best = name;
        n->best_edits = found;
    }
}
