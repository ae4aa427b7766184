/*
 * explain: the words of stet, and what each interface calls one idea.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/nearest.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/text.h"

typedef struct meaning {
    const char *word;
    const char *text;
} meaning;

static const meaning meanings[] = {
    {"machine", "one state machine instance, named by its id: 1 to 255 bytes "
                "of UTF-8 without control characters, as game:123"},
    {"event", "one fact in a machine's history: created, saved, transitioned, "
              "updated, appended (a raw event), failed (an error), forked, "
              "migrated, restored or deleted"},
    {"seq", "an event's place in its machine's history: 1, 2, 3 and so on "
            "without gaps; it goes on after a delete"},
    {"position", "an event's place in the order of the whole store, without "
                 "gaps and never used again"},
    {"namespace", "0 to 254: machines of different namespaces do not see each "
                  "other"},
    {"transition", "an event with the state before and after, action, payload "
                   "and actor"},
    {"state", "what a machine's events add up to: bytes, the state's name, the "
              "schema version, the seq and a hash"},
    {"reducer", "how an event's payload changes the state: set (it is the "
                "whole state), merge (RFC 7386), assign (top-level members "
                "replace, null is kept), patch (RFC 6902), none, or the "
                "application's own"},
    {"occurred", "when an event happened by the word of who wrote it; times "
                 "mean this unless --recorded is given"},
    {"recorded", "when the store took an event, by its own clock"},
    {"checkpoint", "a name for a point of a machine's history, or for a cut of "
                   "the whole store"},
    {"fork", "a new machine whose history begins with another's up to a point; "
             "nothing is copied"},
    {"store", "where bytes live, chosen by URL: DIR or stet:DIR (embedded), or "
              "memory:"},
    {"level", "what an answer survives: memory nothing, os a killed process, "
              "disk power loss"},
    {"expect", "what a write wants its machine to be before it: any, none, "
               "exists or a seq; else nothing is stored"},
    {"feed", "the events of the whole store in order of position, each as it "
             "becomes durable"},
    {"consumer",
     "a name under which the store keeps how far somebody has dealt "
     "with a feed: each event at least once"},
    {"parked", "put aside by a consumer after its last attempt, with the "
               "reason"},
    {"projection", "what an application's fold makes of many machines' events, "
                   "kept by the store: each event exactly once"},
    {"key", "an idempotency key: a write repeated under it stores nothing and "
            "gets the first answer, however much later"},
};

/* One idea under its names. The words that users bring come first. */
typedef struct naming {
    const char *known_as;
    const char *c;
    const char *cli;
    const char *resp;
    const char *http;
    bool is_here; /* C and CLI have it in this version */
} naming;

static const naming namings[] = {
    {"StatePersistenceManager", "stet *, stet_open", "--store", "connection",
     "/v1", true},
    {"save_state, load_state", "stet_save, stet_load",
     "machine save, machine load", "ST.SAVE, ST.LOAD (SET, GET)",
     "PUT, GET /machines/{id}/state", true},
    {"handle_transition, transition_state", "stet_transition", "machine step",
     "ST.STEP", "POST .../transitions", true},
    {"create_state_machine, initialize_state", "stet_create", "machine create",
     "ST.SAVE EXPECT none", "PUT, If-None-Match: *", true},
    {"update_state", "stet_update", "machine update", "ST.UPDATE",
     "PATCH, merge-patch", true},
    {"add_state, history, turn_number", "stet_save, stet_history, seq",
     "machine history", "ST.HISTORY", ".../events", true},
    {"StateTransition: from_state, to_state, action, payload, actor_id, "
     "timestamp, metadata",
     "stet_change, stet_event: the same names",
     "--from --to --action --payload --actor --at --metadata",
     "FROM TO ACTION PAYLOAD ACTOR AT METADATA", "the same keys", true},
    {"PersistedState: state_machine_id, state_type, current_state, "
     "state_data, version, metadata, created_at, updated_at",
     "stet_state: the same names", "machine show", "ST.LOAD WITHMETA",
     "the same keys", true},
    {"save_checkpoint, load_checkpoint",
     "stet_checkpoint_set, STET_AT_CHECKPOINT",
     "checkpoint set, machine load --at @NAME", "ST.CHECKPOINT",
     ".../checkpoints", true},
    {"RecoveryPoint: recovery_id, timestamp, metadata", "stet_recovery_point",
     "recover points", "ST.RECOVER POINTS", ".../recovery-points", true},
    {"RecoveryMode, RecoveryStatus",
     "STET_RECOVER_LATEST, STET_RECOVERY_SUCCESS", "recover run --mode", "MODE",
     "\"mode\", \"status\"", true},
    {"PersistenceStrategy", "STET_STRATEGY_HYBRID", "strategy: hybrid",
     "CONFIG GET strategy", "/config", true},
    {"AutoPersistencePolicy", "stet_policy", "policy:", "POLICY", "\"policy\"",
     true},
    {"create_snapshot, restore_latest", "stet_snapshot, stet_restore",
     "snapshot create, snapshot restore", "ST.SNAPSHOT", ".../snapshots",
     false},
    {"MigrationRunner, registry, VersionConflict",
     "stet_migrate, stet_conflict", "migration list, path, check, run, undo",
     "ST.MIGRATE", "/migrations", false},
    {"StateCategory HOT, WARM, COLD; get_repositories; keys, fetch, store, "
     "delete",
     "STET_HOT, stet_repositories", "tier keys, get, put, delete", "ST.TIER",
     "/tiers/{t}/keys", false},
    {"get_keys_by_pattern", "stet_keys_open", "machine list PATTERN",
     "SCAN MATCH", "?match=", true},
    {"promote_to_hot, demote_to_cold", "stet_promote, stet_demote",
     "tier promote, tier demote", "ST.TIER PROMOTE", "POST /tiers/{t}", false},
    {"PersistenceMetrics, get_metrics", "stet_metrics", "metrics [ID]",
     "ST.METRICS", "/v1/metrics", true},
};

enum {
    MEANING_COUNT = sizeof meanings / sizeof meanings[0],
    NAMING_COUNT = sizeof namings / sizeof namings[0],
    LABEL_COLUMN = 10,
    MEANING_INDENT = 4,
};

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Is `word` a whole word of `text`, in whatever case? */
static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = text; *p != '\0'; p++) {
        bool is_start = p == text || !is_word_char(p[-1]);
        if (is_start && strncasecmp(p, word, len) == 0 &&
            !is_word_char(p[len])) {
            return true;
        }
    }
    return false;
}

static bool is_about(const naming *n, const char *word)
{
    return has_word(n->known_as, word) || has_word(n->c, word) ||
           has_word(n->cli, word) || has_word(n->resp, word);
}

static void put_line(FILE *out, const char *label, const char *text)
{
    fprintf(out, "%-*s", LABEL_COLUMN, label);
    text_wrap(out, text, LABEL_COLUMN, LABEL_COLUMN);
}

static void put_meaning(cli_ctx *ctx, const meaning *m)
{
    if (!ctx->is_json) {
        fprintf(ctx->out, "%s: ", m->word);
        text_wrap(ctx->out, m->text, MEANING_INDENT, (int)strlen(m->word) + 2);
        return;
    }
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_str(&j, "word", stet_str(m->word));
    json_str(&j, "meaning", stet_str(m->text));
    json_end_object(&j);
    json_end_line(&j);
}

static void put_naming_json(FILE *out, const naming *n)
{
    json_out j = json_out_to(out);
    json_begin_object(&j, NULL);
    json_str(&j, "known_as", stet_str(n->known_as));
    json_str(&j, "c", stet_str(n->c));
    json_str(&j, "cli", stet_str(n->cli));
    json_str(&j, "resp", stet_str(n->resp));
    json_str(&j, "http", stet_str(n->http));
    json_bool(&j, "is_here", n->is_here);
    json_end_object(&j);
    json_end_line(&j);
}

/* No version has a server yet: its names are said to be planned. */
static void put_naming(cli_ctx *ctx, const naming *n)
{
    FILE *out = ctx->out;
    if (ctx->is_json) {
        put_naming_json(out, n);
        return;
    }
    put_line(out, "known as", n->known_as);
    put_line(out, "C", n->c);
    put_line(out, "CLI", n->cli);
    put_line(out, "RESP", n->resp);
    put_line(out, "HTTP", n->http);
    put_line(out, "status",
             n->is_here ? "C and CLI are here, RESP and HTTP "
                          "are planned"
                        : "planned");
}

static stet_status no_such_word(cli_ctx *ctx, const char *word, stet_error *err)
{
    stet_nearest n = stet__nearest_to(stet_str(word));
    for (size_t i = 0; i < MEANING_COUNT; i++) {
        stet__nearest_offer(&n, stet_str(meanings[i].word));
    }
    cli_try(ctx, "stet explain %.*s", (int)n.best_len, n.best);
    return stet__fail(err, STET_E_NOT_FOUND, 0, "explain %s: not found", word);
}

stet_status cli_explain(cli_ctx *ctx, stet_error *err)
{
    const char *word = ctx->arg_count > 0 ? ctx->args[0] : NULL;
    bool is_found = false;
    for (size_t i = 0; i < MEANING_COUNT; i++) {
        if (word == NULL || strcasecmp(meanings[i].word, word) == 0) {
            put_meaning(ctx, &meanings[i]);
            is_found = true;
        }
    }
    for (size_t i = 0; i < NAMING_COUNT && word != NULL; i++) {
        if (is_about(&namings[i], word)) {
            fputs(is_found && !ctx->is_json ? "\n" : "", ctx->out);
            put_naming(ctx, &namings[i]);
            is_found = true;
        }
    }
    return is_found ? STET_OK : no_such_word(ctx, word, err);
}
