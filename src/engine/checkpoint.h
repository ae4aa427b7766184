/*
 * Checkpoints as events: each name is a machine of namespace 255 whose state is
 * a JSON object {"seq", "position", "history_size", "metadata"}. Its id is
 *
 *   "c" NS ID NUL NAME    of machine ID in namespace NS (two hex digits)
 *   "s" NAME              of the whole store
 *
 * An id has no control characters, so NUL ends it.
 */
#ifndef STET_ENGINE_CHECKPOINT_H
#define STET_ENGINE_CHECKPOINT_H

#include "engine/handle.h"

/*
 * Turn a checkpoint's name into a seq of the machine, or a position when only
 * the whole store has it. STET_E_NOT_FOUND names it.
 */
stet_status stet__checkpoint_resolve(stet *s, stet_machine_key key,
                                     stet_slice name, stet_at *out,
                                     stet_error *err);

#endif
