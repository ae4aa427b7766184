/*
 * Projections: what the application makes of many machines' events, kept by the
 * store.
 *
 * A projection is a fold of the application under a name and a version: it
 * takes the events of a choice one after the other, in order of position, and
 * makes a state of its own of them. State and position are saved as one event,
 * so each event counts exactly once, whatever happens to the process.
 *
 * It is folded when stet_projection_run is called; or by each writer, before
 * his call returns (*inline*); or by a thread of the handle (*background*).
 * A rebuild begins at the first position again, beside the old state, which
 * stays as it is until the new one has caught up and takes its place as one
 * batch.
 *
 * Inline means: a synchronous write folds what is durable, its own events
 * included, before it returns. Its answer is the write's: where the fold
 * refuses, the projection stays behind, and stet_projection_run tells why.
 * Asynchronous and deferred writes are folded by the next one, or by a run.
 * Background work is tried again after a second; with STET_NO_THREADS stet_step
 * does it.
 */
#ifndef STET_PROJECTION_H
#define STET_PROJECTION_H

#include <stet/feed.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Fold an event onto the projection's `state` (empty at first).
 *
 * Write the new state with stet_output_put, at most `state_bytes_max` bytes of
 * it, and return STET_OK; or return STET_DONE to leave it as it is. Anything
 * else stops the projection before this event: the next run tries again. Takes
 * dropped and erased events too, see stet_event_flags. May read the store, for
 * example the state after the event (STET_AT_POSITION), but not write to it,
 * nor call this projection. All is lent until it returns. One call at a time;
 * of an inline or background projection on any thread.
 */
typedef stet_status (*stet_project_fn)(void *ctx, stet_slice state,
                                       const stet_event *event,
                                       stet_output *out);

typedef enum stet_projection_flags {
    STET_PROJECTION_ALL_NAMESPACES = 1 << 0, /* those of users; `ns` is 0 */
    STET_PROJECTION_INLINE = 1 << 1,
    STET_PROJECTION_BACKGROUND = 1 << 2,
    STET_PROJECTION_REBUILD = 1 << 3 /* where another fold made what is there */
} stet_projection_flags;

/* What is projected, and how. Copied, but for `ctx`. */
typedef struct stet_projection_def {
    size_t struct_size; /* sizeof(stet_projection_def); 0 is taken as that */
    stet_slice name;    /* 1 to 255 bytes of UTF-8, no control characters */
    stet_slice pattern; /* of ids, UTF-8; empty: all */
    stet_project_fn fn;
    void *ctx;
    uint32_t version; /* of the fold, from 1 */
    uint32_t kinds;   /* bits 1 << stet_event_kind; 0: all */
    uint32_t flags;   /* stet_projection_flags */
    uint8_t ns;
} stet_projection_def;

/* A projection, open. Thread-safe, but for close. */
typedef struct stet_projection stet_projection;

/*
 * Open a projection, making it when there is none of that name; a rebuild that
 * was under way goes on.
 *
 * `*out` is the caller's until stet_projection_close, which comes before
 * stet_close. What was written before is not folded here, but by the first run,
 * write or work of the thread.
 *
 *   STET_E_CONFLICT  what is there was made by another version, or of other
 *                    events: open it with STET_PROJECTION_REBUILD
 *   STET_E_LOCKED    it is open in this handle
 *   STET_E_READONLY  the handle is
 *   STET_E_INVALID   the definition is wrong
 *   else as stet_feed_open and as any write, see stet/write.h
 *
 * Blocks until durable. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_projection_open(stet *s, const stet_projection_def *def,
                     stet_projection **out, stet_error *err);

/*
 * Fold events that are there, 1,024 at most, and save the state.
 *
 * `*out_more` (nullable): there are more, or a rebuild has not taken its place
 * yet. What was folded before a failure is saved.
 *
 *   the fold's status  it refused an event; the text names its position
 *   STET_E_TOO_LARGE   the state became larger than opts.state_bytes_max
 *   else as stet_feed_next and as any write
 *
 * Blocks until durable. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_projection_run(stet_projection *p, bool *out_more, stet_error *err);

/*
 * Begin a rebuild, anew if one is under way. As any write. Blocks until
 * durable. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status stet_projection_rebuild(stet_projection *p,
                                                            stet_error *err);

/*
 * Close a projection; what is saved stays. Accepts NULL.
 *
 * Waits for a fold under way. Thread: no other call on the projection may be
 * running. Since 0.1.
 */
STET_API void stet_projection_close(stet_projection *p);

/* What the store keeps of a projection. */
typedef struct stet_projection_info {
    stet_slice name;           /* lent as said where it is given */
    uint64_t position;         /* events up to it are in the state */
    uint64_t positions_behind; /* of the whole store, whether it wants them */
    uint64_t rebuild_position; /* likewise of a rebuild under way */
    uint32_t version;
    uint32_t rebuild_version; /* 0: no rebuild is under way */
    int64_t updated_at;
} stet_projection_info;

/*
 * Load a projection's state, also through a read-only handle.
 *
 * `(*out)->state_data` is what the fold made, lent until stet_state_release;
 * its id is the store's own name for it. `info` (nullable) is filled; its name
 * is the caller's.
 *
 *   STET_E_NOT_FOUND  there is none of that name
 *   STET_E_INVALID, STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM
 *
 * Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_projection_load(stet *s, stet_slice name, const stet_state **out,
                     stet_projection_info *info, stet_error *err);

/*
 * Delete a projection with its state.
 *
 * STET_E_NOT_FOUND: there is none; STET_E_LOCKED: it is open in this handle;
 * STET_E_INVALID: no such name; else as any write. Blocks until durable.
 * Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_projection_delete(stet *s, stet_slice name, stet_error *err);

/* Projections in order of their names. One thread at a time. */
typedef struct stet_projections stet_projections;

/*
 * List the projections; ended by stet_projections_close. STET_E_CORRUPT,
 * STET_E_IO, STET_E_NOMEM. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_projections_open(stet *s, stet_projections **out, stet_error *err);
/*
 * Take the next one, lent until the next call; STET_DONE at the end.
 *
 * STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM. Thread: one at a time per listing.
 * Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_projections_next(stet_projections *list, const stet_projection_info **out,
                      stet_error *err);
/*
 * End a listing. Accepts NULL.
 *
 * Thread: one at a time per listing. Since 0.1.
 */
STET_API void stet_projections_close(stet_projections *list);

#ifdef __cplusplus
}
#endif

#endif
