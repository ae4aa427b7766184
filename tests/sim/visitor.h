/*
 * Visitor: another process that opens the store for reading while it is
 * written, settled and recovered, and tells the oracle what it was shown.
 *
 * It may be behind, but what it was shown must stay.
 */
#ifndef STET_TESTS_SIM_VISITOR_H
#define STET_TESTS_SIM_VISITOR_H

#include "sim/oracle.h"

/*
 * Open, look at some states and records, close. `r` chooses. Answers how the
 * first thing that went wrong was told.
 */
stet_status visitor_call(oracle *o, rng *r, stet_error *err);

/* One that wants to write, which nobody may beside the store's writer. */
stet_status visitor_intrude(oracle *o, stet_error *err);

#endif
