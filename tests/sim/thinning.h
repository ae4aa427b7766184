/*
 * Thinning: lives in which rules drop events and users erase them, held to a
 * list of what each state was.
 *
 * What lives before wrote is known. Gardeners read it, write on, fork, name,
 * hold, erase and compact at once, in a store with a rule, and the process dies
 * or power fails. Whatever is read is the very state, or said to be gone where
 * a rule may have let it go, or to be erased where somebody asked for that; and
 * never what is named, forked from, or held, since that was acknowledged. What
 * was once gone or erased stays so. In the end, after a calm compaction, all is
 * gone that nothing wants.
 */
#ifndef STET_TESTS_SIM_THINNING_H
#define STET_TESTS_SIM_THINNING_H

#include "sim/oracle.h"

typedef struct thinning thinning;

/* The store holds what the oracle's model says, and is closed. */
thinning *thinning_create(const oracle *o);
void thinning_destroy(thinning *t);

/* The options that a life opens the store with. */
stet_opts thinning_opts(const thinning *t);

/* Compare what an open store has with what is known; nothing runs beside. */
void thinning_check(thinning *t, stet *s);
/* Gardeners at work, until they are done. */
void thinning_work(thinning *t, stet *s);
/* Compact, then claim that nothing is left that may go. */
void thinning_end(thinning *t, stet *s);
/* Power was cut: what was acknowledged at a lower level may be gone. */
void thinning_power_cut(thinning *t);

#endif
