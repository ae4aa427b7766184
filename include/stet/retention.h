/*
 * Retention: what of a history may go, what must not, and what has to.
 *
 * A store keeps every event unless it is opened with rules (stet_opts,
 * `retention`). An event that a rule lets go is *dropped* when its file is
 * settled: its bytes are given back, its place in the history stays known, and
 * a load there is refused with STET_E_GONE. The newest state never goes; nor
 * do checkpoints and the points at which forks left, with the state they name;
 * nor what a fork's own rule keeps of the history it shares.
 *
 * Rules are not written to the store: whoever opens it without any drops
 * nothing.
 *
 * A *hold* keeps the whole history of a machine, whatever rules say. *Erasing*
 * takes the content of a machine's events away for good: at once for all
 * reads, which answer STET_E_ERASED, and from the disk when the files are
 * settled next. That an event was there, when and of what kind stays, and so
 * does the proof of it.
 */
#ifndef STET_RETENTION_H
#define STET_RETENTION_H

#include <stet/handle.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Erase the content of a machine's own events up to a seq, that one included:
 * payloads and states, from reads at once, from the disk when settled (of a
 * store at rest stet_compact settles everything).
 *
 * Names, metadata, actors and times of the events stay. So do the state after
 * `up_to_seq` and all later ones, also those that still contain what an erased
 * event wrote: save a state without it first. Forks that left before keep what
 * they have. What a fork inherited is its parent's: erase it there. Erasing
 * again, or less, changes nothing. A hold set meanwhile keeps the content on
 * the disk until it is released, not for reads.
 *
 *   STET_E_NOT_FOUND    the machine was never written
 *   STET_E_HELD         a hold is on it, or on a fork that shares its events
 *   STET_E_INVALID      `up_to_seq` is 0, the newest or above it (delete the
 *                       machine, or save once more), or inherited; or id or
 *                       namespace is wrong
 *   STET_E_UNSUPPORTED  this kind of store cannot erase
 *   else as any write, see stet/write.h
 *
 * Blocks until durable. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status stet_erase(stet *s, stet_slice id,
                                               uint8_t ns, uint64_t up_to_seq,
                                               stet_error *err);

/* One hold; slices are lent until the next call of the listing. */
typedef struct stet_hold {
    stet_slice name;
    stet_slice state_machine_id; /* empty: every machine is held */
    int64_t created_at;
    uint8_t ns; /* of the machine */
} stet_hold;

/*
 * Hold a machine, or the whole store if `id` is empty, under a name: from now
 * on nothing of its history, inherited events included, is dropped or erased
 * until every hold on it was released.
 *
 * What was dropped before stays gone.
 *
 *   STET_E_EXISTS     the name is taken
 *   STET_E_NOT_FOUND  the machine was never written
 *   STET_E_INVALID    name (1 to 255 bytes of UTF-8 without control
 *                     characters), id or namespace is wrong
 *   STET_E_UNSUPPORTED  this kind of store drops nothing
 *   else as any write, see stet/write.h
 *
 * Blocks until durable. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status stet_hold_set(stet *s, stet_slice name,
                                                  stet_slice id, uint8_t ns,
                                                  stet_error *err);

/*
 * Release a hold. STET_E_NOT_FOUND: there is none of that name;
 * STET_E_INVALID: no name at all; else as any write. Blocks until durable.
 * Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status stet_hold_release(stet *s, stet_slice name,
                                                      stet_error *err);

/* A listing of holds, by name. */
typedef struct stet_holds stet_holds;

/*
 * Begin a listing of all holds; ended by stet_holds_close. STET_E_CORRUPT,
 * STET_E_IO, STET_E_NOMEM. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status stet_holds_open(stet *s, stet_holds **out,
                                                    stet_error *err);

/*
 * Take the next hold, lent until the next call; STET_DONE at the end.
 *
 * STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM. Thread: one at a time per listing.
 * Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_holds_next(stet_holds *list, const stet_hold **out, stet_error *err);

/*
 * End a listing. Accepts NULL.
 *
 * Thread: one at a time per listing. Since 0.1.
 */
STET_API void stet_holds_close(stet_holds *list);

#ifdef __cplusplus
}
#endif

#endif
