/*
 * Archive: backups of the store in its life, and what is restored from them.
 *
 * They lie on the store's own disk, which loses, fails and fills up under them,
 * too. What counts: a backup that was acknowledged is there after any crash,
 * and restores to what the store has.
 */
#ifndef STET_TESTS_SIM_ARCHIVE_H
#define STET_TESTS_SIM_ARCHIVE_H

#include "sim/oracle.h"

/* Add a backup of the store, at times a full one. */
stet_status archive_back_up(oracle *o, stet *s, rng *r, stet_error *err);

/* Restore some backup to some point, until something fails, or to the end. */
stet_status archive_restore(const oracle *o, rng *r, stet_error *err);

/*
 * In a calm moment: what was acknowledged is there, verifies, and restores to
 * what the store, which was compared before, has up to there. Old ones go.
 */
void archive_check(oracle *o, stet *s, rng *r);

#endif
