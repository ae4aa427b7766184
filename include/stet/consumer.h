/*
 * Named consumers: feeds whose place the store keeps.
 *
 * A consumer is a name, a choice of events, and the position up to which they
 * were dealt with. It hands events out in order of position. What was
 * acknowledged is never handed out again; what was not is, by whoever opens the
 * consumer next: each event at least once, also after a crash.
 *
 * Who cannot deal with an event gives it back: it and all behind it wait, and
 * come again after a delay. After so many attempts it is *parked*: put on a
 * list with the reason, and the others go on. So a machine's events come in
 * their order, but for those that are parked; an event behind a parked one of
 * its machine is handed out with that one's position, and whether it may be
 * dealt with first is the application's to say.
 *
 * Each of the calls that change a consumer is one event of the store's own. At
 * any time one caller of one handle has a consumer open; a store has one
 * writer, so that is all there is.
 */
#ifndef STET_CONSUMER_H
#define STET_CONSUMER_H

#include <stet/feed.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    STET_CONSUMER_ATTEMPTS_MAX = 1000,
    STET_CONSUMER_ACKS_MAX = 65536, /* that are written as one */
    STET_CONSUMER_PARKED_MAX = 1024,
    STET_CONSUMER_REASON_BYTES_MAX = 1024
};

/* A consumer, open. One thread at a time, but for stet_consumer_stop. */
typedef struct stet_consumer stet_consumer;

typedef enum stet_consumer_flags {
    STET_CONSUMER_EXISTING = 1 << 0,       /* not made when it is not there */
    STET_CONSUMER_ALL_NAMESPACES = 1 << 1, /* those of users; `ns` is 0 */
    STET_CONSUMER_FROM_END = 1 << 2        /* a new one: what comes from now */
} stet_consumer_flags;

/* Options of stet_consumer_open. */
typedef struct stet_consumer_opts {
    size_t struct_size; /* sizeof(stet_consumer_opts) */

    /*
     * Which events, as of a feed: kept with a new consumer. For one that is
     * there each is what it has, or zero.
     */
    stet_slice pattern; /* UTF-8 */
    uint32_t kinds;
    uint8_t ns;
    uint64_t from_position; /* of a new one; else ignored */

    /* How this handle goes about it. */
    uint32_t flags;        /* stet_consumer_flags */
    uint32_t attempts_max; /* before an event is parked; default 5 */
    uint32_t acks_a_write; /* acknowledgements written as one; default 1 */
    int64_t retry_ns;      /* until an event comes again, by the store's clock;
                         default 1 s */
} stet_consumer_opts;

/*
 * Open a consumer, making it when there is none of that name.
 *
 * `name` has 1 to 255 bytes of UTF-8 without control characters. `*out` is the
 * caller's until stet_consumer_close, which comes before stet_close.
 *
 *   STET_E_NOT_FOUND  there is none, and STET_CONSUMER_EXISTING is given
 *   STET_E_LOCKED     it is open in this handle
 *   STET_E_READONLY   the handle is
 *   STET_E_INVALID    a name or an option is wrong, or not what it has
 *   else as stet_feed_open and as any write, see stet/write.h
 *
 * Blocks until durable. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_consumer_open(stet *s, stet_slice name, const stet_consumer_opts *opts,
                   stet_consumer **out, stet_error *err);

/* An event handed out, lent until the consumer's next call. */
typedef struct stet_delivery {
    const stet_event *event;
    uint64_t parked_position; /* of its machine's first parked event, or 0 */
    uint32_t attempt;         /* from 1 */
} stet_delivery;

/*
 * Take the next event; where there is none, or it is not due again, wait for
 * it `timeout_ns` at most. 0 does not wait.
 *
 * Several may be taken before the first is acknowledged. Statuses are those of
 * stet_feed_next. Blocks. Thread: one at a time per consumer. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_consumer_fetch(stet_consumer *consumer, int64_t timeout_ns,
                    stet_delivery *out, stet_error *err);

/*
 * Acknowledge every event handed out up to a position, that one included.
 *
 * `out_level` (nullable) says what the acknowledgement survives: the store's
 * level where it was written, STET_LEVEL_MEMORY where `acks_a_write` lets it
 * wait for others. A position acknowledged before changes nothing.
 *
 *   STET_E_INVALID  nothing so far was handed out
 *   else as any write, see stet/write.h; then nothing is acknowledged
 *
 * Blocks until durable. Thread: one at a time per consumer. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_consumer_ack(stet_consumer *consumer, uint64_t position,
                  stet_level *out_level, stet_error *err);

/*
 * Give back the first event that was handed out and not acknowledged.
 *
 * It comes again after the delay, and behind it what was handed out with it;
 * or, after the last attempt, it is parked, `*out_is_parked` (nullable) says
 * so, and what is behind it comes at once. `reason` is UTF-8 of at most
 * STET_CONSUMER_REASON_BYTES_MAX bytes, or empty.
 *
 *   STET_E_INVALID    nothing is handed out, or the reason is no such text
 *   STET_E_TOO_LARGE  it was to be parked, and so many are; release some
 *   else as any write, see stet/write.h
 *
 * Blocks until durable. Thread: one at a time per consumer. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_consumer_nack(stet_consumer *consumer, stet_slice reason,
                   bool *out_is_parked, stet_error *err);

/*
 * Write acknowledgements that wait for others. As any write. Blocks until
 * durable. Thread: one at a time per consumer. Since 0.1.
 */
STET_API STET_NODISCARD stet_status stet_consumer_flush(stet_consumer *consumer,
                                                        stet_error *err);

/*
 * Have everything behind a position (0: all) handed out again, or skip what is
 * up to it. What is parked stays so.
 *
 * STET_E_INVALID: beyond the newest event; else as any write. Blocks until
 * durable. Thread: one at a time per consumer. Since 0.1.
 */
STET_API STET_NODISCARD stet_status stet_consumer_reset(stet_consumer *consumer,
                                                        uint64_t position,
                                                        stet_error *err);

/*
 * Take an event off the list of those parked: it was dealt with, or never will
 * be.
 *
 * STET_E_NOT_FOUND: none is parked at that position; else as any write. Blocks
 * until durable. Thread: one at a time per consumer. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_consumer_release(stet_consumer *consumer, uint64_t position,
                      stet_error *err);

/*
 * Have whoever waits in stet_consumer_fetch return, and all later fetches
 * answer, STET_DONE.
 *
 * Thread-safe, while the consumer is open. Since 0.1.
 */
STET_API void stet_consumer_stop(stet_consumer *consumer);

/*
 * Write acknowledgements that wait, and close a consumer. Accepts NULL.
 *
 * Frees it whatever it answers, as any write: unless that is STET_OK, what
 * waited may be handed out again. Blocks until durable. Thread: no other call
 * on the consumer may be running. Since 0.1.
 */
STET_API stet_status stet_consumer_close(stet_consumer *consumer,
                                         stet_error *err);

/*
 * Delete a consumer with what it has parked.
 *
 * STET_E_NOT_FOUND: there is none; STET_E_LOCKED: it is open in this handle;
 * STET_E_INVALID: no such name; else as any write. Blocks until durable.
 * Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_consumer_delete(stet *s, stet_slice name, stet_error *err);

/* What the store keeps of a consumer; lent until the listing's next call. */
typedef struct stet_consumer_info {
    stet_slice name;
    stet_slice pattern;
    stet_slice retry_reason;   /* of the event given back; empty: none is */
    uint64_t acked_position;   /* everything up to it was dealt with */
    uint64_t positions_behind; /* of the whole store, whether it wants them */
    uint64_t retry_position;   /* 0: none is given back */
    uint64_t parked_count;
    int64_t retry_due;
    int64_t created_at;
    uint32_t retry_attempts; /* that failed */
    uint32_t kinds;
    uint8_t ns;
    bool is_all_namespaces;
} stet_consumer_info;

/* Consumers in order of their names. One thread at a time. */
typedef struct stet_consumers stet_consumers;

/*
 * List the consumers, or the one of a name; ended by stet_consumers_close.
 *
 * STET_E_INVALID: no such name; STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM.
 * Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_consumers_open(stet *s, stet_slice name, stet_consumers **out,
                    stet_error *err);
/*
 * Take the next one; STET_DONE at the end.
 *
 * STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM. Thread: one at a time per listing.
 * Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_consumers_next(stet_consumers *list, const stet_consumer_info **out,
                    stet_error *err);
/*
 * End a listing. Accepts NULL.
 *
 * Thread: one at a time per listing. Since 0.1.
 */
STET_API void stet_consumers_close(stet_consumers *list);

/*
 * Count the events that a consumer has before it: those it wants and that were
 * not acknowledged durably, `limit` at most (0: all).
 *
 * Reads what it counts: a microsecond or two an event. STET_E_NOT_FOUND,
 * STET_E_INVALID, STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM. Blocks on storage.
 * Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_consumer_lag(stet *s, stet_slice name, uint64_t limit,
                  uint64_t *out_events, stet_error *err);

/* A parked event; lent until the listing's next call. */
typedef struct stet_parked {
    stet_slice state_machine_id;
    stet_slice reason;
    uint64_t position;
    uint64_t seq;
    int64_t parked_at;
    uint32_t attempts;
    uint8_t ns;
} stet_parked;

/* What a consumer has parked, in order of position. One thread at a time. */
typedef struct stet_parkeds stet_parkeds;

/*
 * List what a consumer has parked; ended by stet_parkeds_close.
 *
 * A consumer that is not there has nothing. STET_E_INVALID: no such name;
 * STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status stet_parkeds_open(stet *s, stet_slice name,
                                                      stet_parkeds **out,
                                                      stet_error *err);
/*
 * Take the next one; STET_DONE at the end.
 *
 * STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM. Thread: one at a time per listing.
 * Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_parkeds_next(stet_parkeds *list, const stet_parked **out, stet_error *err);
/*
 * End a listing. Accepts NULL.
 *
 * Thread: one at a time per listing. Since 0.1.
 */
STET_API void stet_parkeds_close(stet_parkeds *list);

#ifdef __cplusplus
}
#endif

#endif
