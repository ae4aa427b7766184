/*
 * Rules: how much of a machine's history is kept, and when a write to it is
 * durable, by its id.
 *
 * Of a store's rules (stet_opts, `rules`) the first whose pattern matches a
 * machine's id is the machine's. Rules are options of an open store and are not
 * written to it.
 *
 * A *strategy* is two numbers and no more: how often a record carries a base,
 * and what settling may drop.
 *
 *   strategy       kept                       a limit of retention
 *   snapshot_only  the newest state           is not needed: older events go
 *   event_sourced  every event, for ever      is not followed, but warned of
 *   hybrid         every event, and bases     drops what lies behind it
 *   versioned      the same; every state has  drops what lies behind it
 *                  a schema version
 *
 * Whatever the strategy: checkpoints, points where forks left and holds keep
 * what they name, a dropped seq answers STET_E_GONE, and the newest state is
 * never dropped.
 *
 * A *policy* says which writes are durable before they are answered. A write
 * belongs to the class of its verb (transition; update, also save, patch and
 * append) and, besides, to that of errors or of phase changes. It is durable at
 * once if one of its classes is on, if the call asks for a level, a key, an
 * expected version or conditions, or if it creates, deletes, forks or restores.
 * Else it is *deferred*: it waits in memory, in order, and becomes durable at
 * the interval, with stet_flush, stet_sync or stet_close, or together with the
 * machine's next durable write, in one batch with it. Until then only loads
 * that ask see it (stet_read_opts, `with_deferred`), its answer has the level
 * STET_LEVEL_MEMORY, and neither seq nor position (0). A process that is killed
 * loses it. Each deferred write becomes an event of its own, but under
 * snapshot_only, where one takes the place of those before it.
 */
#ifndef STET_POLICY_H
#define STET_POLICY_H

#include <stdint.h>

#include <stet/types.h>

/* How much is kept; the table above. */
typedef enum stet_strategy {
    STET_STRATEGY_DEFAULT = 0, /* hybrid */
    STET_STRATEGY_SNAPSHOT_ONLY = 1,
    STET_STRATEGY_EVENT_SOURCED = 2,
    STET_STRATEGY_HYBRID = 3,
    STET_STRATEGY_VERSIONED = 4
} stet_strategy;

/* What a yes or no may be that has a default: here always on. */
typedef enum stet_switch {
    STET_SWITCH_DEFAULT = 0,
    STET_SWITCH_ON = 1,
    STET_SWITCH_OFF = 2
} stet_switch;

/* An interval that never comes. */
#define STET_NEVER ((int64_t)-1)

/* Which writes are durable at once. Zeroed: all of them. */
typedef struct stet_policy {
    stet_switch persist_on_transition;
    stet_switch persist_on_update;
    stet_switch persist_on_error;
    stet_switch persist_on_phase_change;
    /* The most that a deferred write waits; default 30 s; or STET_NEVER. */
    int64_t persist_interval_ns;
} stet_policy;

/* A rule for the machines whose ids match. */
typedef struct stet_machine_rule {
    const char *pattern; /* glob over ids; NULL or empty: all */
    uint8_t ns;
    stet_strategy strategy;
    stet_policy policy;
    uint32_t base_events; /* records between bases; 0: stet_opts.base_events */
} stet_machine_rule;

#endif
