/*
 * Holds: names under which a machine, or everything, is kept whole. As events:
 * a machine "h" NAME of namespace 255, {"ns", "id"}; an empty id is everything.
 */
#ifndef STET_ENGINE_HOLD_H
#define STET_ENGINE_HOLD_H

#include "engine/handle.h"

/* Visit what is held; an empty id is everything. Lent for the call. */
typedef stet_status (*stet_hold_fn)(void *ctx, const stet_hold *hold,
                                    stet_error *err);
stet_status stet__holds_each(stet *s, stet_hold_fn fn, void *ctx,
                             stet_error *err);

#endif
