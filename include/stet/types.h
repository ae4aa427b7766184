/*
 * The words of stet: kinds of event, reducers, levels, times.
 *
 * A machine is one state machine instance, named by its id (1 to 255 bytes of
 * UTF-8 without control characters) inside a namespace (0 to 254). An event is
 * one fact in a machine's history, at seq 1, 2, 3 ... without gaps. A position
 * is an event's place in the order of the whole store, also without gaps. Times
 * are nanoseconds since 1970-01-01T00:00Z.
 *
 * Structs of options begin with struct_size; zero means the default for every
 * field, and NULL all defaults. Those of stet_open and of reads may come from
 * an older or newer caller: what a smaller one lacks is default, what a larger
 * one adds must be zero, else STET_E_UNSUPPORTED. Those of writes, which are
 * nested and come in arrays, must have this library's size. A struct_size of 0
 * is taken as that size, but by stet_open.
 */
#ifndef STET_TYPES_H
#define STET_TYPES_H

#include <stdint.h>

#include <stet/slice.h>

enum {
    STET_ID_BYTES_MAX = 255,
    STET_NAMESPACE_MAX = 254,
    STET_KEY_BYTES_MAX = 1024, /* an idempotency key */
    STET_NAME_BYTES_MAX = 255, /* a state's, action's or checkpoint's name */
    STET_JSON_DEPTH_MAX = 64,  /* nesting where JSON is parsed or folded */
    STET_BATCH_EVENTS_MAX = 65536,
    STET_REDUCERS_MAX = 1024, /* of the application, at one handle */
    STET_RETENTION_RULES_MAX = 1024,
    STET_MACHINE_RULES_MAX = 1024
};

typedef enum stet_event_kind {
    STET_EVENT_CREATED = 1,
    STET_EVENT_SAVED = 2,
    STET_EVENT_TRANSITIONED = 3,
    STET_EVENT_UPDATED = 4,
    STET_EVENT_APPENDED = 5, /* a raw event */
    STET_EVENT_FAILED = 6,   /* an error */
    STET_EVENT_FORKED = 7,
    STET_EVENT_MIGRATED = 8,
    STET_EVENT_RESTORED = 9,
    STET_EVENT_DELETED = 10
} stet_event_kind;

/* Who or what caused a transition. */
typedef enum stet_transition_type {
    STET_TYPE_NONE = 0,
    STET_TYPE_USER_ACTION = 1,
    STET_TYPE_SYSTEM_EVENT = 2,
    STET_TYPE_TIMEOUT = 3,
    STET_TYPE_ERROR_RECOVERY = 4,
    STET_TYPE_ADMIN_OVERRIDE = 5
} stet_transition_type;

/*
 * How an event's payload changes the state. Recorded in each event, so that
 * reading a history never depends on configuration.
 */
typedef enum stet_reducer {
    STET_REDUCER_DEFAULT = 0, /* set for saves, merge for the rest */
    STET_REDUCER_NONE = 1,    /* the state stays */
    STET_REDUCER_SET = 2,     /* the payload is the whole new state */
    STET_REDUCER_MERGE = 3,   /* RFC 7386 merge patch */
    STET_REDUCER_ASSIGN = 4,  /* top-level members replace, null is kept */
    STET_REDUCER_PATCH = 5,   /* RFC 6902 */
    STET_REDUCER_CUSTOM = 6   /* a callback of the application */
} stet_reducer;

/* What an acknowledged write survives. */
typedef enum stet_level {
    STET_LEVEL_DEFAULT = 0, /* disk for a store on disk */
    STET_LEVEL_MEMORY = 1,  /* nothing: gone with the process */
    STET_LEVEL_OS = 2,      /* a killed process */
    STET_LEVEL_DISK = 3     /* power loss, where the device honours flush */
} stet_level;

/* What a write expects of its machine before it. */
typedef enum stet_expect_kind {
    STET_EXPECT_ANY = 0,
    STET_EXPECT_NONE = 1,   /* never written, or deleted */
    STET_EXPECT_EXISTS = 2, /* there, at whatever seq */
    STET_EXPECT_EXACT = 3   /* there, its newest event at `seq` */
} stet_expect_kind;

typedef struct stet_expect {
    stet_expect_kind kind;
    uint64_t seq; /* for EXACT */
} stet_expect;

#endif
