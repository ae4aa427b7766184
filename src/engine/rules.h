/*
 * Rules: what the store's rules (stet/policy.h) say of one machine. Strategies
 * are a table here and nowhere a branch.
 */
#ifndef STET_ENGINE_RULES_H
#define STET_ENGINE_RULES_H

#include "engine/handle.h"

enum { STET_BASE_EVENTS_TOP = 65536 };

/* What a strategy is. */
typedef struct stet_strategy_traits {
    const char *name;
    bool keeps_only_newest; /* what lies behind it may go without a limit */
    bool keeps_all;         /* limits of retention are warned of only */
    bool is_coalesced;      /* a deferred write takes the place of others */
    const char *version;    /* of a machine that is made without one; or NULL */
} stet_strategy_traits;

/* Are the rules of the options right? */
stet_status stet__rules_check(const stet_opts *o, stet_error *err);
stet_status stet__policy_check(const stet_policy *policy, stet_error *err);

/* Can anything go, by a rule or a limit? */
bool stet__rules_drop(const stet_opts *o);

/* The rule that a machine has; one of zeros where none matches. */
const stet_machine_rule *stet__rule_of(const stet_opts *o,
                                       stet_machine_key key);
const stet_strategy_traits *stet__traits_of(const stet_machine_rule *rule);

/* Which events behind a machine's newest may go. */
typedef struct stet_limits {
    bool is_any;          /* some may */
    bool is_refused;      /* a limit says so, but the strategy keeps them */
    uint64_t keep_events; /* these many stay; UINT64_MAX: no limit */
    int64_t keep_ns;      /* older ones go; 0: no limit */
} stet_limits;
stet_limits stet__limits_of(const stet_opts *o, stet_machine_key key);

/* Is a change durable at once by this policy, whatever else the call asks? */
bool stet__policy_is_at_once(const stet_policy *policy, const stet_change *c);
/* When what is deferred at `now` is due; INT64_MAX: never. */
int64_t stet__policy_due(const stet_policy *policy, int64_t now);

#endif
