#include "base/nearest.h"

#include <stdbool.h>
#include <string.h>

/* Longer words are never near: no name of ours comes close to this length. */
enum { WORD_MAX = 31 };

stet_nearest stet__nearest_to(stet_slice word)
{
    stet_nearest n = {.word = word, .best = ""};
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
static size_t edits(stet_slice from, stet_slice to)
{
    const char *a = from.ptr;
    const char *b = to.ptr;
    size_t rows[3][WORD_MAX + 1];
    for (size_t j = 0; j <= to.len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= from.len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= to.len; j++) {
            size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(change, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], above2[j - 2] + 1);
            }
        }
    }
    return rows[from.len % 3][to.len];
}

void stet__nearest_offer(stet_nearest *n, stet_slice name)
{
    stet_slice word = n->word;
    if (word.len == 0 || word.len > WORD_MAX || name.len > WORD_MAX) {
        return;
    }
    size_t allowed = word.len < 3 ? 1 : word.len / 3;
    bool begins =
        name.len >= word.len && memcmp(name.ptr, word.ptr, word.len) == 0;
    size_t found = begins ? 0 : edits(word, name);
    if (found <= allowed && (n->best_len == 0 || found < n->best_edits)) {
        n->best = name.ptr;
        n->best_len = name.len;
        n->best_edits = found;
    }
}
