/*
 * The audit: is every acknowledged move in the store, at its seq and its
 * position, with its content, in the history and as of every seq?
 */
#ifndef STET_CARD_GAME_AUDIT_H
#define STET_CARD_GAME_AUDIT_H

#include <stdint.h>

#include "ledger.h"

typedef struct audit_report {
    uint64_t moves; /* acknowledged ones that were looked for */
    uint64_t rooms;
    uint64_t unanswered; /* moves in the store whose answer was never heard */
    uint64_t wrong;      /* each is told on stderr, with room and seq */
} audit_report;

/*
 * Compare a store with the ledger of its server.
 *
 * Opens the store as any program would, which also mends what a killed writer
 * left; beside a running server it opens it read-only. False when the store
 * cannot be opened; what is wrong otherwise is counted in `out`.
 */
bool audit_store(const char *store, const ledger *l, audit_report *out);

#endif
