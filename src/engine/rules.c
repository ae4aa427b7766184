#include "engine/rules.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/glob.h"

static const int64_t interval_default_ns = (int64_t)30 * 1000000000;

static const stet_strategy_traits strategies[] = {
    [STET_STRATEGY_DEFAULT] = {.name = "hybrid"},
    [STET_STRATEGY_SNAPSHOT_ONLY] = {.name = "snapshot_only",
                                     .keeps_only_newest = true,
                                     .is_coalesced = true},
    [STET_STRATEGY_EVENT_SOURCED] = {.name = "event_sourced",
                                     .keeps_all = true},
    [STET_STRATEGY_HYBRID] = {.name = "hybrid"},
    [STET_STRATEGY_VERSIONED] = {.name = "versioned", .version = "1.0.0"},
};

static const stet_machine_rule no_rule = {.pattern = ""};

/* ---- checking ---- */

static bool is_switch(stet_switch value)
{
    return value >= STET_SWITCH_DEFAULT && value <= STET_SWITCH_OFF;
}

stet_status stet__policy_check(const stet_policy *p, stet_error *err)
{
    if (!is_switch(p->persist_on_transition) ||
        !is_switch(p->persist_on_update) || !is_switch(p->persist_on_error) ||
        !is_switch(p->persist_on_phase_change)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "a policy's switch is neither default, on nor off");
    }
    if (p->persist_interval_ns < 0 && p->persist_interval_ns != STET_NEVER) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "persist_interval_ns is %" PRId64
                          "; it is positive, or STET_NEVER",
                          p->persist_interval_ns);
    }
    return STET_OK;
}

static stet_status check_rule(const stet_machine_rule *r, stet_error *err)
{
    const char *pattern = r->pattern == NULL ? "" : r->pattern;
    if (r->strategy < STET_STRATEGY_DEFAULT ||
        r->strategy > STET_STRATEGY_VERSIONED) {
        return stet__fail(err, STET_E_INVALID, 0, "strategy %d",
                          (int)r->strategy);
    }
    if (r->base_events > STET_BASE_EVENTS_TOP) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "base_events is %" PRIu32 "; at most %d are allowed",
                          r->base_events, STET_BASE_EVENTS_TOP);
    }
    stet_status st = stet__policy_check(&r->policy, err);
    return st == STET_OK ? stet__pattern_check(stet_str(pattern), r->ns, err)
                         : st;
}

stet_status stet__rules_check(const stet_opts *o, stet_error *err)
{
    if (o->rule_count > STET_MACHINE_RULES_MAX ||
        (o->rule_count > 0 && o->rules == NULL)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "rule_count is %zu; at most %d rules are allowed",
                          o->rule_count,
                          o->rules == NULL ? 0 : STET_MACHINE_RULES_MAX);
    }
    for (size_t i = 0; i < o->rule_count; i++) {
        stet_status st = check_rule(&o->rules[i], err);
        if (st != STET_OK) {
            return stet__wrap(err, st, "rule %zu", i);
        }
    }
    return STET_OK;
}

/* ---- what a machine has ---- */

static bool is_for(const char *pattern, uint8_t ns, stet_machine_key key)
{
    return ns == key.ns && (pattern == NULL || pattern[0] == '\0' ||
                            stet__glob_match(stet_str(pattern), key.id));
}

const stet_machine_rule *stet__rule_of(const stet_opts *o, stet_machine_key key)
{
    for (size_t i = 0; i < o->rule_count; i++) {
        if (is_for(o->rules[i].pattern, o->rules[i].ns, key)) {
            return &o->rules[i];
        }
    }
    return &no_rule;
}

const stet_strategy_traits *stet__traits_of(const stet_machine_rule *rule)
{
    return &strategies[rule->strategy];
}

bool stet__rules_drop(const stet_opts *o)
{
    bool is_any = o->retention_count > 0;
    for (size_t i = 0; i < o->rule_count; i++) {
        is_any = is_any || stet__traits_of(&o->rules[i])->keeps_only_newest;
    }
    return is_any;
}

static const stet_retention_rule *limit_of(const stet_opts *o,
                                           stet_machine_key key)
{
    for (size_t i = 0; i < o->retention_count; i++) {
        if (is_for(o->retention[i].pattern, o->retention[i].ns, key)) {
            return &o->retention[i];
        }
    }
    return NULL;
}

stet_limits stet__limits_of(const stet_opts *o, stet_machine_key key)
{
    const stet_strategy_traits *traits = stet__traits_of(stet__rule_of(o, key));
    const stet_retention_rule *limit = limit_of(o, key);
    if (limit != NULL && limit->keep_events == 0 && limit->keep_ns == 0) {
        limit = NULL;
    }
    stet_limits l = {.keep_events = UINT64_MAX};
    if (traits->keeps_only_newest) {
        l.is_any = true;
        l.keep_events = 0;
    } else if (limit != NULL) {
        l.is_any = !traits->keeps_all;
        l.is_refused = traits->keeps_all;
        l.keep_events =
            limit->keep_events == 0 ? UINT64_MAX : limit->keep_events;
        l.keep_ns = limit->keep_ns;
    }
    return l;
}

/* ---- policies ---- */

static bool is_on(stet_switch value)
{
    return value != STET_SWITCH_OFF;
}

bool stet__policy_is_at_once(const stet_policy *p, const stet_change *c)
{
    if ((c->flags & STET_CHANGE_PHASE) != 0 &&
        is_on(p->persist_on_phase_change)) {
        return true;
    }
    if (c->error.len > 0 && is_on(p->persist_on_error)) {
        return true;
    }
    switch (c->verb) {
    case STET_VERB_TRANSITION:
        return is_on(p->persist_on_transition);
    case STET_VERB_SAVE:
    case STET_VERB_UPDATE:
    case STET_VERB_PATCH:
    case STET_VERB_APPEND:
        return is_on(p->persist_on_update);
    case STET_VERB_FAIL:
        return is_on(p->persist_on_error);
    case STET_VERB_CREATE:
    case STET_VERB_DELETE:
    case STET_VERB_RESTORE:
    case STET_VERB_FORK:
        break;
    }
    return true;
}

int64_t stet__policy_due(const stet_policy *p, int64_t now)
{
    if (p->persist_interval_ns == STET_NEVER) {
        return INT64_MAX;
    }
    int64_t interval = p->persist_interval_ns == 0 ? interval_default_ns
                                                   : p->persist_interval_ns;
    return now < INT64_MAX - interval ? now + interval : INT64_MAX;
}
