/*
 * Fold: how merge, assign and patch change a JSON state. This is "fold 1", a
 * part of the format on disk: whoever folds the same events gets the same
 * bytes, in every version of stet and in every other reader.
 *
 * State and payload are JSON texts as core/json.h reads them; an empty state is
 * {}. A state is an object before and after.
 *
 *   merge   RFC 7386. The payload is an object. For each of its members, in
 *           order: null removes the state's member of that name; an object is
 *           merged into the state's member where that is an object, else into
 *           {}; anything else replaces the member. The same inside objects.
 *   assign  The payload is an object. Each of its members replaces the state's
 *           member of that name, null like any other value.
 *   patch   RFC 6902, as core/patch.h says.
 *
 * Where a member is replaced, the new value stands in the place of the old one;
 * a member whose name is new comes last. The result is written as core/json.h
 * writes: without blanks, numbers as they were written in state or payload,
 * strings with the shortest escapes. That holds for the whole result, also
 * where nothing changed, and with a payload of {}.
 *
 * A payload has at most STET_JSON_VALUES_MAX values; a state may have any
 * number, so that merges which are fine one by one can never make a history
 * unreadable. Merge and assign fail on no valid pair of inputs; patch may.
 */
#ifndef STET_CORE_FOLD_H
#define STET_CORE_FOLD_H

#include <stet/export.h>
#include <stet/status.h>
#include <stet/types.h>

#include "base/buf.h"

/*
 * Append to `out` the state after one event. `out` is untouched on failure.
 *
 *   STET_E_INVALID    state or payload is not what it must be, or the patch
 *                     does not apply
 *   STET_E_TOO_LARGE  over a limit of JSON or of a patch
 *   STET_E_NOMEM
 */
STET_NODISCARD stet_status stet__fold_merge(const stet_allocator *a,
                                            stet_slice state,
                                            stet_slice payload, stet_buf *out,
                                            stet_error *err);
STET_NODISCARD stet_status stet__fold_assign(const stet_allocator *a,
                                             stet_slice state,
                                             stet_slice payload, stet_buf *out,
                                             stet_error *err);
STET_NODISCARD stet_status stet__fold_patch(const stet_allocator *a,
                                            stet_slice state,
                                            stet_slice payload, stet_buf *out,
                                            stet_error *err);

/*
 * Folder: many events on one state, which is read and written once. Applying
 * events one after the other gives the bytes that folding one by one gives.
 *
 * Its memory grows with the payloads applied until the next load. Thread: one
 * at a time.
 */
typedef struct stet_folder stet_folder;

/* Make a folder without a state; destroy accepts NULL. */
STET_NODISCARD stet_status stet__folder_create(const stet_allocator *a,
                                               stet_folder **out,
                                               stet_error *err);
void stet__folder_destroy(stet_folder *f);

/* Take up a state, forgetting what was; the bytes are not needed after. */
STET_NODISCARD stet_status stet__folder_load(stet_folder *f, stet_slice state,
                                             stet_error *err);
/*
 * Change the state by an event whose reducer is merge, assign or patch. After a
 * failed load or apply the folder has no state until the next load.
 */
STET_NODISCARD stet_status stet__folder_apply(stet_folder *f,
                                              stet_reducer reducer,
                                              stet_slice payload,
                                              stet_error *err);
/* Append the state to `out`, which is untouched on failure. */
STET_NODISCARD stet_status stet__folder_write(const stet_folder *f,
                                              stet_buf *out, stet_error *err);

#endif
