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
    uint64_t wrong; /* each is told on stderr, with room and seq */
} audit_report;

typedef enum audit_when {
    AUDIT_STOPPED, /* no server runs; the audit recovers the store if need be */
    AUDIT_RUNNING  /* a server is ready and plays on: only look */
} audit_when;

/*
 * Compare a store with the ledger of its server.
 *
 * False when the store cannot be opened; what is wrong otherwise is counted in
 * `out`.
 */
bool audit_store(const char *store, const ledger *l, audit_when when,
                 audit_report *out);

#endif
