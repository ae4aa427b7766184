/*
 * States and events as a reader gets them.
 */
#ifndef STET_STATE_H
#define STET_STATE_H

#include <stdbool.h>

#include <stet/export.h>
#include <stet/status.h>
#include <stet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A machine's state at one seq: lent by a load, counted, immutable until it is
 * released with stet_state_release. Slices live as long as the state.
 *
 * The struct is made by the library only and grows at its end.
 */
typedef struct stet_state {
    stet_slice state_machine_id;
    stet_slice state_data;    /* exactly the bytes saved, or the fold's */
    stet_slice state_type;    /* the machine's type, or empty */
    stet_slice current_state; /* the state's name, or empty */
    stet_slice version;       /* schema version (semver), or empty */
    stet_slice metadata;      /* the machine's metadata: JSON, or empty */
    int64_t created_at;       /* when the machine's first event occurred */
    int64_t updated_at;       /* when its newest event occurred */
    int64_t recorded_at;      /* when the store took that event */
    uint64_t seq;
    uint64_t position;
    uint8_t ns;
} stet_state;

/*
 * Give a state back. Accepts NULL.
 *
 * Thread-safe. Since 0.1.
 */
STET_API void stet_state_release(const stet_state *state);

/*
 * Take one more reference, to be given back with stet_state_release.
 *
 * `state` is not NULL. Returns it. Thread-safe. Since 0.1.
 */
STET_API const stet_state *stet_state_ref(const stet_state *state);

/*
 * Compute the SHA-256 of the state's bytes, the hash that users see.
 *
 * `state` is not NULL. Thread-safe. Since 0.1.
 */
STET_API void stet_state_hash(const stet_state *state, uint8_t out[32]);

typedef enum stet_event_flags {
    STET_EVENT_PHASE_CHANGE = 1 << 0, /* a major transition */
    STET_EVENT_BASE = 1 << 1,         /* its record carries the whole state */
    STET_EVENT_BATCH_FIRST = 1 << 2,  /* first event of an atomic batch */
    STET_EVENT_BATCH_LAST = 1 << 3, /* last event of one; a lone one has both */
    STET_EVENT_ERASED = 1 << 4,     /* its content was: no payload, no state */
    /*
     * It was dropped: no more is known than machine, seq, position, kind and
     * times. Where a salvaged store lost an event of which not even that is
     * known, the id is empty and the namespace 255. Only feeds tell of these.
     */
    STET_EVENT_GONE = 1 << 5
} stet_event_flags;

/*
 * One event of a history, lent until the iterator moves on or is closed.
 *
 * `payload` is what the caller gave for merge, assign, patch, custom and raw
 * events. An event whose reducer is set keeps only how the state changed: its
 * payload is the state, and is given where states are asked for.
 */
typedef struct stet_event {
    stet_slice state_machine_id; /* of an inherited event, the ancestor's */
    stet_slice from_state;
    stet_slice to_state;
    stet_slice action;
    stet_slice payload;
    stet_slice actor_id;
    stet_slice correlation_id;
    stet_slice causation_id;
    stet_slice error;        /* text of an error, or empty */
    stet_slice metadata;     /* the event's: JSON, or empty */
    stet_slice event_id;     /* what the caller gave, or empty */
    stet_slice version;      /* schema version, where the event sets it */
    stet_slice state_type;   /* machine type, where the event sets it */
    stet_slice reducer_name; /* for STET_REDUCER_CUSTOM */
    uint32_t reducer_version;
    uint32_t flags;      /* stet_event_flags */
    int64_t timestamp;   /* when it occurred */
    int64_t recorded_at; /* when the store took it */
    int64_t duration_ns; /* how long the transition took; 0 when not given */
    uint64_t seq;
    uint64_t position;
    stet_event_kind kind;
    stet_transition_type type;
    stet_reducer reducer;
    uint8_t ns;
    const stet_state *state; /* after the event; NULL unless asked for */
} stet_event;

/*
 * Give the name of an event kind, for example "transitioned".
 *
 * Static storage; "unknown" for other values. Thread-safe. Since 0.1.
 */
STET_API const char *stet_event_kind_name(stet_event_kind kind);

/*
 * Give the name of a transition type, for example "user_action"; "" for none.
 *
 * Static storage. Thread-safe. Since 0.1.
 */
STET_API const char *stet_transition_type_name(stet_transition_type type);

/*
 * Give the name of a reducer, for example "merge".
 *
 * Static storage. Thread-safe. Since 0.1.
 */
STET_API const char *stet_reducer_name(stet_reducer reducer);

/*
 * Give the name of a level, for example "disk".
 *
 * Static storage. Thread-safe. Since 0.1.
 */
STET_API const char *stet_level_name(stet_level level);

#ifdef __cplusplus
}
#endif

#endif
