/*
 * Feeds: the events of the whole store in order of position, first those that
 * are there, then each as it becomes durable.
 *
 * Nothing is left out that the options ask for: an event that was dropped is
 * given with STET_EVENT_GONE, one that was erased with STET_EVENT_ERASED, each
 * at its position. Positions that a feed passes over hold events of other
 * machines, kinds or namespaces, or the store's own. A feed reads the log at
 * its own pace and keeps nothing in memory for what it has not read yet, so a
 * slow one costs writers nothing. Where it stands is a position, from which
 * another feed goes on: the application keeps it beside its own work, or has
 * the store keep it (stet/consumer.h).
 */
#ifndef STET_FEED_H
#define STET_FEED_H

#include <stet/handle.h>
#include <stet/state.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A feed of one handle. One thread at a time, but for stet_feed_stop. */
typedef struct stet_feed stet_feed;

typedef enum stet_feed_flags {
    STET_FEED_ALL_NAMESPACES = 1 << 0, /* those of users; `ns` is 0 */
    STET_FEED_FROM_END = 1 << 1        /* only what comes from now on */
} stet_feed_flags;

/* Options of stet_feed_open; zeroed: all of namespace 0, from the first on. */
typedef struct stet_feed_opts {
    size_t struct_size;     /* sizeof(stet_feed_opts) */
    stet_slice pattern;     /* glob over ids, up to 256 bytes; empty: all */
    uint64_t from_position; /* 0: the first */
    uint32_t kinds;         /* bits 1 << stet_event_kind; 0: all */
    uint32_t flags;         /* stet_feed_flags */
    uint8_t ns;
} stet_feed_opts;

/*
 * Open a feed. `*out` is owned by the caller until stet_feed_close, which comes
 * before stet_close. `opts` is nullable.
 *
 *   STET_E_INVALID      pattern, kinds, flags or namespace are wrong; or
 *                       `from_position` is beyond the next event's, as it is
 *                       where a store was restored to an earlier point
 *   STET_E_UNSUPPORTED  options that this version does not know
 *   STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM
 *
 * Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_feed_open(stet *s, const stet_feed_opts *opts, stet_feed **out,
               stet_error *err);

/* As a timeout: for ever. */
#define STET_FEED_FOREVER INT64_MAX

/*
 * Take the next event, lent until the feed's next call; where there is none
 * yet, wait for one `timeout_ns` at most. 0 does not wait.
 *
 * The time is that of waiting: a feed that passes over many events first reads
 * them. With STET_NO_THREADS it waits for what other threads commit or step.
 *
 *   STET_DONE        the handle is read-only and the feed has given all that
 *                    it shows; or stet_feed_stop was called
 *   STET_E_TIMEOUT   nothing came
 *   STET_E_READONLY  all was given, and nothing more comes from this handle: a
 *                    write or sync failed
 *   STET_E_INVALID   a negative timeout
 *   STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM  the feed stands where it stood:
 *                    the next call tries again
 *
 * Blocks. Thread: one at a time per feed. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_feed_next(stet_feed *feed, int64_t timeout_ns, const stet_event **out,
               stet_error *err);

/*
 * Tell where the feed stands: the position that it looks at next.
 *
 * A feed opened there goes on without a gap or a repeat. Thread: one at a time
 * per feed. Since 0.1.
 */
STET_API uint64_t stet_feed_position(const stet_feed *feed);

/*
 * Give a file descriptor that turns readable when there may be an event;
 * stet_feed_next makes it unreadable again when it answers that there is none.
 *
 * Owned by the feed. -1 when the system has none. Take events with a timeout of
 * 0 until STET_E_TIMEOUT, then poll. With STET_NO_THREADS it turns readable by
 * what stet_step and other calls write. Thread: one at a time per feed. Since
 * 0.1.
 */
STET_API int stet_feed_fd(stet_feed *feed);

/*
 * End a feed for whoever waits in it: this stet_feed_next and all later ones
 * answer STET_DONE.
 *
 * Thread-safe, while the feed is open. Since 0.1.
 */
STET_API void stet_feed_stop(stet_feed *feed);

/*
 * Close a feed. Accepts NULL.
 *
 * Thread: no other call on the feed may be running: stop it and let its thread
 * return first. Since 0.1.
 */
STET_API void stet_feed_close(stet_feed *feed);

#ifdef __cplusplus
}
#endif

#endif
