/*
 * Proof check: a proof's lines are gathered from what is fed, taken apart in
 * the one way in which they are written, and followed.
 *
 *        {"stet_proof":    {"machine":     {"head":    {"end":
 *   BEGIN ---------> PART ---------> EVENTS ----> PART ------> END
 *                                    |    ^
 *                                    +----+ {"seq": or, first, {"cut":
 *
 * Thread: one at a time per check.
 */
#ifndef STET_CORE_PROOF_CHECK_H
#define STET_CORE_PROOF_CHECK_H

#include "core/proof_lines.h"

/* NULL: no memory. `alloc` and what `opts` points at are borrowed. */
stet_proof_check *stet__proof_check_create(const stet_allocator *alloc,
                                           const stet_proof_check_opts *opts);
/* Accepts NULL. */
void stet__proof_check_destroy(stet_proof_check *c);

/* As the public ones. */
stet_status stet__proof_check_feed(stet_proof_check *c, stet_slice bytes,
                                   stet_error *err);
stet_status stet__proof_check_finish(stet_proof_check *c, stet_error *err);

#endif
