#include <stet/config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/row.h"
#include "config/settings.h"
#include "config/yaml.h"
#include "engine/handle.h"
#include "lib/failalloc.h"
#include "lib/tmpdir.h"

/* ---- tools ---- */

/* A variable: an environment's are not const. */
#define V(text) ((char[]){text})

static stet_status try_load(const char *text, char *const *variables,
                            stet_config **out, stet_error *err)
{
    const stet_config_load_opts o = {.struct_size = sizeof o,
                                     .text = stet_str(text)};
    return stet_config_load("stet.yaml", variables, &o, out, err);
}

static stet_config *load(const char *text)
{
    stet_config *c = NULL;
    stet_error err = {0};
    if (try_load(text, NULL, &c, &err) != STET_OK) {
        fail_msg("%s", err.text);
    }
    return c;
}

static const stet_config_value *find(const stet_config *c, const char *key)
{
    const stet_config_value *v = NULL;
    for (size_t i = 0; (v = stet_config_get(c, i)) != NULL; i++) {
        if (strcmp(v->key, key) == 0) {
            return v;
        }
    }
    return NULL;
}

static void assert_value(const stet_config *c, const char *key,
                         const char *value, const char *where)
{
    const stet_config_value *v = find(c, key);
    if (v == NULL || v->value == NULL) {
        fail_msg("%s has no value", key);
        return;
    }
    if (strcmp(v->value, value) != 0 || strcmp(v->where, where) != 0) {
        fail_msg("%s is %s from %s", key, v->value, v->where);
    }
}

static void assert_refused(const char *text, const char *why)
{
    stet_config *c = NULL;
    stet_error err = {0};
    stet_status st = try_load(text, NULL, &c, &err);
    if (st != STET_E_INVALID || strcmp(err.text, why) != 0 || c != NULL) {
        fail_msg("%s\nis answered: %s", text, err.text);
    }
}

static bool has_notice(const stet_config *c, const char *text)
{
    const char *notice = NULL;
    for (size_t i = 0; (notice = stet_config_notice(c, i)) != NULL; i++) {
        if (strcmp(notice, text) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- files ---- */

/* Most files set nothing at first. */
static void test_a_file_with_nothing_in_it_sets_nothing(void **state)
{
    (void)state;
    const char *const texts[] = {
        "",           "\n",   "# only this\n", "---\n",
        "~\n",        "{}\n", "cache:\n",      "cache: {}\nretention: []\n",
        "recovery:\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        stet_config *c = load(texts[i]);
        const stet_config_value *v = NULL;
        for (size_t at = 0; (v = stet_config_get(c, at)) != NULL; at++) {
            assert_int_equal(v->origin, STET_CONFIG_FROM_DEFAULT);
        }
        assert_null(stet_config_notice(c, 0));
        stet_config_destroy(c);
    }
}

/* As the founding documents have it, byte for byte. */
static void test_the_founding_configuration_loads(void **state)
{
    (void)state;
    stet_config *c = load(
        "simulation:\n"
        "  state_management:\n"
        "    persistence:\n"
        "      enabled: true            # false: the application runs the "
        "same, nothing is stored, and says so\n"
        "      type: postgresql         # or sqlite\n"
        "      connection: {host: localhost, port: 5432, database: llm_sim, "
        "username: sim_user}\n"
        "      options: {pool_size: 10, checkpoint_interval: 5, "
        "compress_states: true, retention_days: 90}\n");
    assert_value(c, "persistence.enabled", "true", "stet.yaml:4");
    assert_value(c, "persistence.type", "postgresql", "stet.yaml:5");
    assert_value(c, "persistence.connection.host", "localhost", "stet.yaml:6");
    assert_value(c, "persistence.connection.port", "5432", "stet.yaml:6");
    assert_value(c, "persistence.connection.database", "llm_sim",
                 "stet.yaml:6");
    assert_value(c, "persistence.connection.username", "sim_user",
                 "stet.yaml:6");
    assert_value(c, "persistence.options.pool_size", "10", "stet.yaml:7");
    assert_value(c, "persistence.options.checkpoint_interval", "5",
                 "stet.yaml:7");
    assert_value(c, "snapshot.compression", "true", "stet.yaml:7");
    assert_value(c, "event_sourcing.retention_days", "90", "stet.yaml:7");
    stet_config_destroy(c);
}

/* The other one, written as a mapping of Python. */
static void test_the_founding_strategy_loads(void **state)
{
    (void)state;
    stet_config *c =
        load("{'strategy': 'hybrid', 'snapshot': {'interval': '5m', "
             "'max_per_state': 10, 'compression': true, 'stores': [{'type': "
             "'memory', 'max_size': 1000}, {'type': 'filesystem', 'path': "
             "'/data/snapshots'}]}, 'event_sourcing': {'enabled': true, "
             "'max_events': 10000, 'compact_after': 1000, 'stores': [{'type': "
             "'memory'}, {'type': 'filesystem', 'path': '/data/events'}]}, "
             "'recovery': {'enabled': true, 'strategies': ['snapshot', "
             "'event_sourced', 'hybrid'], 'auto_recover': true}, 'cache': "
             "{'enabled': true, 'size': 1000, 'ttl': 3600}}");
    const struct {
        const char *key;
        const char *value;
    } values[] = {
        {"strategy", "hybrid"},
        {"snapshot.interval", "5m"},
        {"snapshot.max_per_state", "10"},
        {"snapshot.compression", "true"},
        {"snapshot.stores[0].type", "memory"},
        {"snapshot.stores[0].max_size", "1000"},
        {"snapshot.stores[1].type", "filesystem"},
        {"snapshot.stores[1].path", "/data/snapshots"},
        {"event_sourcing.enabled", "true"},
        {"event_sourcing.max_events", "10000"},
        {"event_sourcing.compact_after", "1000"},
        {"event_sourcing.stores[0].type", "memory"},
        {"event_sourcing.stores[1].type", "filesystem"},
        {"event_sourcing.stores[1].path", "/data/events"},
        {"recovery.enabled", "true"},
        {"recovery.strategies", "snapshot,event_sourced,hybrid"},
        {"recovery.auto_recover", "true"},
        {"cache.enabled", "true"},
        {"cache.size", "1000"},
        {"cache.ttl", "1h"},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_value(c, values[i].key, values[i].value, "stet.yaml:1");
    }
    stet_config_destroy(c);
}

/* The flat names stand at the top of a file. */
static void test_flat_names_are_the_same_keys(void **state)
{
    (void)state;
    stet_config *c = load("persistence_strategy: versioned\n"
                          "snapshot_enabled: false\n"
                          "snapshot_interval_seconds: 60\n"
                          "max_snapshots_per_state: 3\n"
                          "snapshot_compression: off\n"
                          "event_sourcing_enabled: false\n"
                          "max_events_per_state: 7\n"
                          "event_compact_threshold: 8\n"
                          "event_retention_days: 9\n"
                          "recovery_enabled: false\n"
                          "auto_recovery: false\n"
                          "cache_enabled: false\n"
                          "cache_size: 21\n"
                          "cache_ttl_seconds: 12\n"
                          "batch_operations: false\n"
                          "batch_size: 13\n"
                          "persist_on_transition: false\n"
                          "persist_on_update: false\n"
                          "persist_on_error: false\n"
                          "persist_on_phase_change: false\n"
                          "persist_interval: null\n");
    assert_value(c, "strategy", "versioned", "stet.yaml:1");
    assert_value(c, "snapshot.enabled", "false", "stet.yaml:2");
    assert_value(c, "snapshot.interval", "1m", "stet.yaml:3");
    assert_value(c, "snapshot.max_per_state", "3", "stet.yaml:4");
    assert_value(c, "snapshot.compression", "false", "stet.yaml:5");
    assert_value(c, "event_sourcing.enabled", "false", "stet.yaml:6");
    assert_value(c, "event_sourcing.max_events", "7", "stet.yaml:7");
    assert_value(c, "event_sourcing.compact_after", "8", "stet.yaml:8");
    assert_value(c, "event_sourcing.retention_days", "9", "stet.yaml:9");
    assert_value(c, "recovery.enabled", "false", "stet.yaml:10");
    assert_value(c, "recovery.auto_recover", "false", "stet.yaml:11");
    assert_value(c, "cache.enabled", "false", "stet.yaml:12");
    assert_value(c, "cache.size", "21", "stet.yaml:13");
    assert_value(c, "cache.ttl", "12s", "stet.yaml:14");
    assert_value(c, "batch.operations", "false", "stet.yaml:15");
    assert_value(c, "batch.size", "13", "stet.yaml:16");
    assert_value(c, "policy.persist_on_transition", "false", "stet.yaml:17");
    assert_value(c, "policy.persist_on_update", "false", "stet.yaml:18");
    assert_value(c, "policy.persist_on_error", "false", "stet.yaml:19");
    assert_value(c, "policy.persist_on_phase_change", "false", "stet.yaml:20");
    assert_value(c, "policy.persist_interval", "0s", "stet.yaml:21");
    stet_config_destroy(c);
}

/* Whoever mistypes a key has to be told where, and what was meant. */
static void test_errors_tell_the_place_and_the_nearest_name(void **state)
{
    (void)state;
    assert_refused("cahce:\n  bytes: 1MiB\n",
                   "stet.yaml:1:1: cahce: no such key; the nearest is cache");
    assert_refused("cache:\n  byets: 1MiB\n",
                   "stet.yaml:2:3: cache.byets: no such key; the nearest is "
                   "bytes");
    assert_refused("max_per_state: 4\n",
                   "stet.yaml:1:1: max_per_state: no such key; the nearest is "
                   "snapshot.max_per_state");
    assert_refused("retention: [{pattern: a, keep_evnts: 1}]\n",
                   "stet.yaml:1:26: retention[].keep_evnts: no such key; the "
                   "nearest is keep_events");
    assert_refused("xyzzy: 1\n", "stet.yaml:1:1: xyzzy: no such key");
    assert_refused("retention[].pattern: x\n",
                   "stet.yaml:1:1: retention[].pattern: no such key");
    assert_refused("cache:\n  bytes: 1\n",
                   "stet.yaml:2:10: cache.bytes is \"1\"; it takes bytes, 4KiB "
                   "to 1TiB");
    assert_refused("strategy: hibrid\n",
                   "stet.yaml:1:11: strategy is \"hibrid\"; it takes "
                   "snapshot_only, event_sourced, hybrid or versioned; the "
                   "nearest is hybrid");
    assert_refused("level:\n", "stet.yaml:1:1: level has no value");
}

/* A shape that is not understood must not be read as another. */
static void test_shapes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    assert_refused("hello\n",
                   "stet.yaml:1:1: a configuration is a mapping of keys");
    assert_refused("- a\n",
                   "stet.yaml:1:1: a configuration is a mapping of keys");
    assert_refused("cache: 5\n", "stet.yaml:1:8: cache takes keys below it");
    assert_refused("retention: 5\n", "stet.yaml:1:12: retention takes a list");
    assert_refused("retention: {pattern: a}\n",
                   "stet.yaml:1:12: retention takes a list, not a mapping");
    assert_refused("retention: [{}]\n",
                   "stet.yaml:1:14: retention: an item says nothing");
    assert_refused("retention: [a]\n",
                   "stet.yaml:1:13: retention: each item is a mapping of keys");
    assert_refused("retention: [[]]\n",
                   "stet.yaml:1:13: retention: a list has no place here");
    assert_refused("level: {a: b}\n",
                   "stet.yaml:1:8: level takes a value, not a mapping");
    assert_refused("level: [os]\n", "stet.yaml:1:8: level takes no list");
    assert_refused("recovery: {strategies: [{a: b}]}\n",
                   "stet.yaml:1:25: recovery.strategies takes words, not "
                   "mappings");
    assert_refused("recovery: {strategies: []}\n",
                   "stet.yaml:1:25: recovery.strategies has no value");
    assert_refused("? {a: b}\n: c\n",
                   "stet.yaml:1:3: a key is a word, not a mapping");
    assert_refused("snapshot: {stores: [{max_size: 1}]}\n",
                   "snapshot.stores[0] has no type");
    assert_refused("snapshot: {stores: [{type: filesystem}]}\n",
                   "stet.yaml:1:28: snapshot.stores[0]: filesystem needs a "
                   "path");
    assert_refused("event_sourcing: {stores: [{type: memory, path: x}]}\n",
                   "stet.yaml:1:34: event_sourcing.stores[0]: only filesystem "
                   "has a path");
    assert_refused(
        "retention: [{pattern: '[a'}]\n",
        "stet.yaml:1:24: retention[].pattern of item 0 is no glob of at "
        "most 256 bytes");
}

/* The second of two would win in silence, or the first. */
static void test_a_key_is_set_once(void **state)
{
    (void)state;
    assert_refused("level: os\nlevel: disk\n",
                   "stet.yaml:2:8: level is set twice, first in line 1");
    assert_refused("cache: {size: 31}\ncache_size: 32\n",
                   "stet.yaml:2:13: cache.size is set twice, first in line 1");
    assert_refused("cache: {size: 31}\ncache: {ttl: 2}\n",
                   "stet.yaml:2:1: cache is begun twice");
    assert_refused("retention: [{pattern: a, pattern: b}]\n",
                   "stet.yaml:1:35: retention[].pattern is set twice, first "
                   "in line 1");
    assert_refused("recovery: {strategies: [hybrid, hybrid]}\n",
                   "stet.yaml:1:33: recovery.strategies has hybrid twice");
}

/* What YAML can do beyond values only hides what a file says. */
static void test_what_yaml_can_do_beyond_values_is_refused(void **state)
{
    (void)state;
    assert_refused("cache: &a {bytes: 1MiB}\n",
                   "stet.yaml:1:11: no anchor (&) is taken");
    assert_refused("level: *a\n", "stet.yaml:1:9: no alias (*) is taken; "
                                  "write the value itself");
    assert_refused("level: !!str os\n", "stet.yaml:1:14: no tag (!) is taken");
    assert_refused("%YAML 1.1\n---\n",
                   "stet.yaml:1:1: no directive (%) is taken");
    assert_refused("level: os\n---\nlevel: disk\n",
                   "stet.yaml:2:1: one document is taken, not a second");
    assert_refused("cache: {bytes: 64MiB\n",
                   "stet.yaml:2:1: missing comma in flow mapping");
    assert_refused("level: \"os\n",
                   "stet.yaml:1:9: double-quoted scalar without closing "
                   "quote");
    assert_refused("store: 'a''''''''''b'\n",
                   "stet.yaml:1:18: more than 8 quotes in a row");
    assert_refused("level: o\xffs\n",
                   "stet.yaml:1:1: the line has control characters, or is "
                   "not UTF-8");
    assert_refused("\nlevel: o\x01s\n",
                   "stet.yaml:2:1: the line has control characters, or is "
                   "not UTF-8");
}

/* The limits are named, and what is as large as one still loads. */
static void test_limits_hold_at_their_edge(void **state)
{
    (void)state;
    static char text[STET_CONFIG_BYTES_MAX + 2];
    stet_config *c = NULL;
    stet_error err = {0};
    memset(text, '#', STET_CONFIG_BYTES_MAX + 1);
    assert_int_equal(try_load(text, NULL, &c, &err), STET_E_TOO_LARGE);
    assert_string_equal(err.text,
                        "stet.yaml: a configuration has at most 262144 bytes");
    text[STET_CONFIG_BYTES_MAX] = '\0';
    stet_config_destroy(load(text));

    size_t len = (size_t)snprintf(text, sizeof text, "retention:\n");
    for (int i = 0; i < STET_CONFIG_ITEMS_MAX; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "  - keep_events: %d\n", i);
    }
    c = load(text);
    assert_value(c, "retention[511].keep_events", "511", "stet.yaml:513");
    stet_config_destroy(c);
    (void)snprintf(text + len, sizeof text - len, "  - keep_events: 1\n");
    assert_refused(text, "stet.yaml:514:5: retention: more than 512 items");
}

/* ---- layers ---- */

static char *const every_layer[] = {
    V("STET_CACHE_BYTES=8MiB"), V("CACHE_SIZE=20"), V("STET_CACHE_SIZE=30"),
    V("STET_LEVEL="),           V("EMPTY"),         NULL};

/* Program, environment, file, profile, default: the first that speaks. */
static void test_the_nearest_layer_wins(void **state)
{
    (void)state;
    const stet_config_setting settings[] = {{"cache.bytes", "32MiB"}};
    stet_config_load_opts o = {
        .struct_size = sizeof o,
        .text =
            stet_str("profile: development\ncache: {bytes: 4MiB, size: 16}\n"
                     "limits: {callbacks: 9}\n"),
        .settings = settings,
        .setting_count = 1,
    };
    stet_config *c = NULL;
    assert_int_equal(stet_config_load("a.yaml", every_layer, &o, &c, NULL),
                     STET_OK);
    assert_value(c, "cache.bytes", "32MiB", "the program");
    assert_value(c, "cache.size", "30", "STET_CACHE_SIZE");
    assert_value(c, "limits.callbacks", "9", "a.yaml:3");
    assert_value(c, "level", "os", "profile development");
    assert_value(c, "queue.bytes", "16MiB", "default");
    stet_config_destroy(c);
    o.setting_count = 0;
    assert_int_equal(stet_config_load("a.yaml", every_layer, &o, &c, NULL),
                     STET_OK);
    assert_value(c, "cache.bytes", "8MiB", "STET_CACHE_BYTES");
    stet_config_destroy(c);
    assert_int_equal(stet_config_load("a.yaml", NULL, &o, &c, NULL), STET_OK);
    assert_value(c, "cache.bytes", "4MiB", "a.yaml:2");
    stet_config_destroy(c);
}

/* The names that the founding documents give to the environment. */
static void test_founding_variables_are_heard(void **state)
{
    (void)state;
    char *const variables[] = {V("PERSISTENCE_STRATEGY=event_sourced"),
                               V("SNAPSHOT_INTERVAL_SECONDS=60"),
                               V("MAX_SNAPSHOTS_PER_STATE=4"),
                               V("SNAPSHOT_COMPRESSION=false"),
                               V("MAX_EVENTS_PER_STATE=5"),
                               V("EVENT_COMPACT_THRESHOLD=6"),
                               V("CACHE_ENABLED=false"),
                               V("CACHE_SIZE=27"),
                               V("CACHE_TTL_SECONDS=8"),
                               V("RECOVERY_ENABLED=false"),
                               V("AUTO_RECOVERY=false"),
                               NULL};
    stet_config *c = NULL;
    assert_int_equal(try_load("", variables, &c, NULL), STET_OK);
    assert_value(c, "strategy", "event_sourced", "PERSISTENCE_STRATEGY");
    assert_value(c, "snapshot.interval", "1m", "SNAPSHOT_INTERVAL_SECONDS");
    assert_value(c, "snapshot.max_per_state", "4", "MAX_SNAPSHOTS_PER_STATE");
    assert_value(c, "snapshot.compression", "false", "SNAPSHOT_COMPRESSION");
    assert_value(c, "event_sourcing.max_events", "5", "MAX_EVENTS_PER_STATE");
    assert_value(c, "event_sourcing.compact_after", "6",
                 "EVENT_COMPACT_THRESHOLD");
    assert_value(c, "cache.enabled", "false", "CACHE_ENABLED");
    assert_value(c, "cache.size", "27", "CACHE_SIZE");
    assert_value(c, "cache.ttl", "8s", "CACHE_TTL_SECONDS");
    assert_value(c, "recovery.enabled", "false", "RECOVERY_ENABLED");
    assert_value(c, "recovery.auto_recover", "false", "AUTO_RECOVERY");
    stet_config_destroy(c);
}

/* Each row that is not an item's has a variable, and it is heard. */
static void test_every_key_has_a_variable(void **state)
{
    (void)state;
    for (size_t i = 0; i < stet__config_row_count; i++) {
        const stet_config_row *row = &stet__config_rows[i];
        char name[STET_CONFIG_VARIABLE_MAX];
        char line[STET_CONFIG_VARIABLE_MAX + 8];
        stet__config_variable(row, name);
        if (name[0] == '\0') {
            assert_non_null(strchr(row->key, '['));
            continue;
        }
        (void)snprintf(line, sizeof line, "%s=\x01", name);
        char *const variables[] = {line, NULL};
        stet_config *c = NULL;
        stet_error err = {0};
        assert_int_equal(try_load("", variables, &c, &err), STET_E_INVALID);
        assert_int_equal(strncmp(err.text, name, strlen(name)), 0);
    }
}

/* A variable is not refused, for it may be another program's. */
static void test_a_mistyped_variable_is_told(void **state)
{
    (void)state;
    char *const variables[] = {V("STET_CACHE_BITES=1"), V("STET_XYZZY=1"),
                               V("CACHE_SIZES=1"), NULL};
    stet_config *c = NULL;
    assert_int_equal(try_load("", variables, &c, NULL), STET_OK);
    assert_string_equal(stet_config_notice(c, 0),
                        "STET_CACHE_BITES is no variable of ours and has no "
                        "effect; the nearest is STET_CACHE_BYTES");
    assert_null(stet_config_notice(c, 1));
    stet_config_destroy(c);
}

/* A program's slip is told like a file's. */
static void test_what_the_program_says_is_checked(void **state)
{
    (void)state;
    const stet_config_setting settings[] = {{"cache.bites", "1"},
                                            {"cache.bytes", "1"},
                                            {"retention[].pattern", "a"},
                                            {"cache", "a"},
                                            {NULL, NULL}};
    const char *const answers[] = {
        "the program: cache.bites: no such key; the nearest is cache_bytes",
        "the program: cache.bytes is \"1\"; it takes bytes, 4KiB to 1TiB",
        "the program: retention[].pattern: no such key",
        "the program: cache: no such key; the nearest is cache",
        "the program: : no such key",
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const stet_config_load_opts o = {.struct_size = sizeof o,
                                         .settings = &settings[i],
                                         .setting_count = 1};
        stet_config *c = NULL;
        stet_error err = {0};
        assert_int_equal(stet_config_load(NULL, NULL, &o, &c, &err),
                         STET_E_INVALID);
        assert_string_equal(err.text, answers[i]);
    }
    const stet_config_load_opts larger = {.struct_size = sizeof larger + 8};
    stet_config *c = NULL;
    assert_int_equal(stet_config_load(NULL, NULL, &larger, &c, NULL),
                     STET_E_UNSUPPORTED);
}

/* A profile is named by the program, the environment or the file. */
static void test_profiles_lie_below_the_file(void **state)
{
    (void)state;
    char *const variables[] = {V("STET_PROFILE=staging"), NULL};
    stet_config *c = load("profile: production\nsnapshot: {max_age: 1d}\n");
    assert_value(c, "snapshot.max_per_state", "10", "profile production");
    assert_value(c, "snapshot.max_age", "1d", "stet.yaml:2");
    assert_value(c, "level", "disk", "default");
    stet_config_destroy(c);
    assert_int_equal(try_load("profile: production\n", variables, &c, NULL),
                     STET_OK);
    assert_value(c, "snapshot.max_age", "7d", "profile staging");
    stet_config_destroy(c);
    const stet_config_load_opts o = {.struct_size = sizeof o,
                                     .profile = "development"};
    assert_int_equal(stet_config_load(NULL, variables, &o, &c, NULL), STET_OK);
    assert_value(c, "profile", "development", "the program");
    assert_value(c, "cache.bytes", "16MiB", "profile development");
    stet_config_destroy(c);
    assert_refused("profile: prodction\n",
                   "stet.yaml:1:10: profile is \"prodction\"; it takes "
                   "development, staging or production; the nearest is "
                   "production");
}

/* ---- options ---- */

/* Only what somebody said is written: the engine has the defaults. */
static void test_options_are_what_was_said(void **state)
{
    (void)state;
    stet_config *c = load("level: os\n"
                          "name_pointers: /at\n"
                          "cache.bytes: 1MiB\n"
                          "log: {segment_bytes: 64KiB, frames_in_flight: 2}\n"
                          "snapshot: {events: 7}\n"
                          "recovery_enabled: false\n"
                          "cache_enabled: false\n"
                          "cache_size: 1000\n"
                          "cache_ttl: 3600\n"
                          "queue: {when_full: shed}\n"
                          "store: /srv/games\n");
    stet_opts o = STET_OPTS_INIT;
    o.queue_bytes = 5;
    assert_int_equal(stet_config_opts(c, &o, NULL), STET_OK);
    assert_int_equal(o.level, STET_LEVEL_OS);
    assert_string_equal(o.name_pointers, "/at");
    assert_true(o.cache_bytes == 1024 * 1024);
    assert_int_equal(o.segment_bytes, 64 * 1024);
    assert_int_equal(o.frames_in_flight, 2);
    assert_int_equal(o.base_events, 7);
    assert_true(o.queue_bytes == 5);
    assert_int_equal(o.batch_events_max, 0);
    assert_int_equal(o.retention_count, 0);
    assert_int_equal(o.rule_count, 0);
    assert_int_equal(o.flags, STET_NO_RECOVERY | STET_NO_CACHE);
    assert_true(o.cache_entries == 1000);
    assert_true(o.cache_ttl_ns == INT64_C(3600000000000));
    assert_int_equal(o.queue_full, STET_QUEUE_SHED);
    assert_string_equal(stet_config_url(c, NULL), "/srv/games");
    assert_string_equal(stet_config_url(c, "./here"), "./here");
    stet_opts old = {.struct_size = 8};
    assert_int_equal(stet_config_opts(c, &old, NULL), STET_E_UNSUPPORTED);
    stet_config_destroy(c);
}

/* An item says what is other than for all, which every namespace has. */
static void test_rules_say_what_is_other_than_for_all(void **state)
{
    (void)state;
    stet_config *c = load("strategy: versioned\n"
                          "policy: {persist_on_update: false, "
                          "persist_interval: null}\n"
                          "rules:\n"
                          "  - {pattern: 'log:*', strategy: snapshot_only,\n"
                          "     persist_on_update: true, snapshot_events: 9,\n"
                          "     persist_on_transition: false,\n"
                          "     persist_on_error: false,\n"
                          "     persist_on_phase_change: false,\n"
                          "     persist_interval: 5s}\n"
                          "  - {namespace: 3, strategy: event_sourced}\n");
    stet_opts o = STET_OPTS_INIT;
    assert_int_equal(stet_config_opts(c, &o, NULL), STET_OK);
    assert_int_equal(o.rule_count, 2 + 255);
    const stet_machine_rule *r = &o.rules[0];
    assert_string_equal(r->pattern, "log:*");
    assert_int_equal(r->ns, 0);
    assert_int_equal(r->strategy, STET_STRATEGY_SNAPSHOT_ONLY);
    assert_int_equal(r->base_events, 9);
    assert_int_equal(r->policy.persist_on_transition, STET_SWITCH_OFF);
    assert_int_equal(r->policy.persist_on_update, STET_SWITCH_ON);
    assert_int_equal(r->policy.persist_on_error, STET_SWITCH_OFF);
    assert_int_equal(r->policy.persist_on_phase_change, STET_SWITCH_OFF);
    assert_true(r->policy.persist_interval_ns == INT64_C(5000000000));
    r = &o.rules[1];
    assert_null(r->pattern);
    assert_int_equal(r->ns, 3);
    assert_int_equal(r->strategy, STET_STRATEGY_EVENT_SOURCED);
    assert_int_equal(r->policy.persist_on_update, STET_SWITCH_OFF);
    for (size_t ns = 0; ns <= 254; ns++) {
        r = &o.rules[2 + ns];
        assert_null(r->pattern);
        assert_int_equal(r->ns, ns);
        assert_int_equal(r->strategy, STET_STRATEGY_VERSIONED);
        assert_int_equal(r->base_events, 0);
        assert_int_equal(r->policy.persist_on_transition, STET_SWITCH_ON);
        assert_int_equal(r->policy.persist_on_update, STET_SWITCH_OFF);
        assert_int_equal(r->policy.persist_on_error, STET_SWITCH_ON);
        assert_int_equal(r->policy.persist_on_phase_change, STET_SWITCH_ON);
        assert_true(r->policy.persist_interval_ns == STET_NEVER);
    }
    stet_opts settled;
    assert_int_equal(stet__open_opts(&o, &settled, NULL), STET_OK);
    stet_config_destroy(c);
}

/* The words of the file are the strategies of the engine. */
static void test_strategies_go_by_their_names(void **state)
{
    (void)state;
    const struct {
        const char *text;
        stet_strategy strategy;
    } words[] = {
        {"strategy: snapshot_only\n", STET_STRATEGY_SNAPSHOT_ONLY},
        {"strategy: event_sourced\n", STET_STRATEGY_EVENT_SOURCED},
        {"strategy: hybrid\n", STET_STRATEGY_HYBRID},
        {"strategy: versioned\n", STET_STRATEGY_VERSIONED},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        stet_config *c = load(words[i].text);
        stet_opts o = STET_OPTS_INIT;
        assert_int_equal(stet_config_opts(c, &o, NULL), STET_OK);
        assert_int_equal(o.rule_count, 255);
        assert_int_equal(o.rules[0].strategy, words[i].strategy);
        assert_true(o.rules[0].policy.persist_interval_ns ==
                    INT64_C(30000000000));
        stet_config_destroy(c);
    }
}

/* Rules for some stand before the rule for all, in every namespace. */
static void test_retention_keeps_its_order(void **state)
{
    (void)state;
    stet_config *c =
        load("retention:\n"
             "  - {pattern: 'log:*', keep_events: 10, keep_age: 7d}\n"
             "  - {namespace: 3, keep_events: 20}\n"
             "event_sourcing: {max_events: 100, retention_days: 2}\n");
    stet_opts o = STET_OPTS_INIT;
    assert_int_equal(stet_config_opts(c, &o, NULL), STET_OK);
    const int64_t day = INT64_C(86400000000000);
    assert_int_equal(o.retention_count, 2 + 255);
    assert_string_equal(o.retention[0].pattern, "log:*");
    assert_int_equal(o.retention[0].keep_events, 10);
    assert_true(o.retention[0].keep_ns == 7 * day);
    assert_int_equal(o.retention[0].ns, 0);
    assert_null(o.retention[1].pattern);
    assert_int_equal(o.retention[1].ns, 3);
    assert_int_equal(o.retention[1].keep_events, 20);
    for (size_t ns = 0; ns <= 254; ns++) {
        assert_null(o.retention[2 + ns].pattern);
        assert_int_equal(o.retention[2 + ns].ns, ns);
        assert_int_equal(o.retention[2 + ns].keep_events, 100);
        assert_true(o.retention[2 + ns].keep_ns == 2 * day);
    }
    stet_opts settled;
    assert_int_equal(stet__open_opts(&o, &settled, NULL), STET_OK);
    stet_config_destroy(c);
}

static void hear(void *ctx, stet_log_level level, const char *text)
{
    stet_buf *heard = ctx;
    assert_int_equal(level, STET_LOG_WARNING);
    stet__buf_printf(heard, "%s\n", text);
}

/* What does nothing says so, to whoever looks and to whoever opens. */
static void test_what_has_no_effect_is_told(void **state)
{
    (void)state;
    stet_buf heard;
    stet__buf_init(&heard, &stet__heap);
    stet_config *c = load("persistence: {connection: {port: 1}}\n"
                          "snapshot:\n"
                          "  enabled: true\n"
                          "  stores: [{type: memory}, {type: memory}]\n");
    assert_false(find(c, "persistence.connection.port")->is_effective);
    assert_true(find(c, "snapshot.enabled")->is_effective);
    stet_opts o = STET_OPTS_INIT;
    o.log = hear;
    o.log_ctx = &heard;
    assert_int_equal(stet_config_opts(c, &o, NULL), STET_OK);
    stet__buf_put_u8(&heard, 0);
    assert_string_equal(heard.ptr,
                        "stet.yaml:1: persistence.connection.port is 1, which "
                        "has no effect in this build\n"
                        "stet.yaml:4: snapshot.stores has no effect in this "
                        "build\n");
    assert_null(stet_config_notice(c, 2));
    stet_config_destroy(c);
    stet__buf_deinit(&heard);
}

/* To store elsewhere than was asked for would be a lie. */
static void test_a_store_that_is_not_there_is_refused(void **state)
{
    (void)state;
    stet_config *c = load("persistence: {type: postgresql}\n");
    stet_opts o = STET_OPTS_INIT;
    stet_error err = {0};
    assert_true(has_notice(c, "stet.yaml:1: persistence.type is postgresql, "
                              "which has no effect in this build: no store is "
                              "opened with it"));
    assert_int_equal(stet_config_opts(c, &o, &err), STET_E_UNSUPPORTED);
    assert_string_equal(err.text, "stet.yaml:1:21: persistence.type is "
                                  "postgresql, which this build does not "
                                  "have; it has embedded");
    stet_config_destroy(c);
}

/* The application runs the same, nothing is stored, and that is said. */
static void test_nothing_is_stored_where_persistence_is_off(void **state)
{
    (void)state;
    stet_buf heard;
    stet__buf_init(&heard, &stet__heap);
    stet_config *c = load("persistence: {enabled: false, type: sqlite}\n"
                          "level: disk\nstore: /srv/games\n");
    stet_opts o = STET_OPTS_INIT;
    o.log = hear;
    o.log_ctx = &heard;
    assert_int_equal(stet_config_opts(c, &o, NULL), STET_OK);
    const char first[] = "persistence.enabled is false: nothing is stored\n";
    assert_memory_equal(heard.ptr, first, sizeof first - 1);
    const char *url = stet_config_url(c, "/srv/other");
    assert_string_equal(url, "memory:");
    stet *s = NULL;
    stet_error err = {0};
    if (stet_open(url, &o, &s, &err) != STET_OK) {
        fail_msg("%s", err.text);
    }
    const stet_state *saved = NULL;
    assert_int_equal(
        stet_save(s, stet_str("a"), stet_str("{}"), NULL, NULL, NULL), STET_OK);
    assert_int_equal(stet_load(s, stet_str("a"), NULL, &saved, NULL), STET_OK);
    stet_state_release(saved);
    assert_int_equal(stet_close(s, NULL), STET_OK);
    stet_config_destroy(c);
    stet__buf_deinit(&heard);
}

/* ---- again ---- */

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

/* Who changes a file sees what changed; who breaks it loses nothing. */
static void test_loading_again_tells_what_changed(void **state)
{
    (void)state;
    tmpdir dir;
    char path[sizeof dir.path + 16];
    tmpdir_create(&dir);
    (void)snprintf(path, sizeof path, "%s/stet.yaml", dir.path);
    write_file(path, "cache: {bytes: 1MiB, size: 16}\n"
                     "retention: [{keep_events: 1}, {keep_events: 2}]\n");
    stet_config *c = NULL;
    uint64_t changed = 7;
    assert_int_equal(stet_config_load(path, NULL, NULL, &c, NULL), STET_OK);
    assert_int_equal(stet_config_reload(c, NULL, &changed, NULL), STET_OK);
    assert_int_equal(changed, 0);
    write_file(path, "cache: {bytes: 2MiB, size: 16}\n"
                     "retention: [{keep_events: 1}]\n");
    assert_int_equal(stet_config_reload(c, NULL, &changed, NULL), STET_OK);
    assert_int_equal(changed, 2);
    assert_true(find(c, "cache.bytes")->is_changed);
    assert_string_equal(find(c, "cache.bytes")->value, "2MiB");
    assert_false(find(c, "cache.size")->is_changed);
    assert_null(find(c, "retention[1].keep_events"));
    write_file(path, "cache: {bytes: 3MiB\n");
    assert_int_equal(stet_config_reload(c, NULL, &changed, NULL),
                     STET_E_INVALID);
    assert_string_equal(find(c, "cache.bytes")->value, "2MiB");
    assert_int_equal(remove(path), 0);
    assert_int_equal(stet_config_reload(c, NULL, &changed, NULL),
                     STET_E_NOT_FOUND);
    assert_int_equal(stet_config_reload(c, every_layer, &changed, NULL),
                     STET_E_NOT_FOUND);
    assert_int_equal(changed, 2);
    stet_config_destroy(c);
    tmpdir_remove(&dir);
}

/* A folder, or a file that is too long, is no configuration. */
static void test_files_that_cannot_be_read_are_named(void **state)
{
    (void)state;
    tmpdir dir;
    char path[sizeof dir.path + 16];
    tmpdir_create(&dir);
    stet_config *c = NULL;
    stet_error err = {0};
    assert_int_equal(stet_config_load(dir.path, NULL, NULL, &c, &err),
                     STET_E_IO);
    assert_non_null(strstr(err.text, dir.path));
    (void)snprintf(path, sizeof path, "%s/long.yaml", dir.path);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    for (int i = 0; i <= STET_CONFIG_BYTES_MAX; i++) {
        assert_int_equal(fputc('\n', f), '\n');
    }
    assert_int_equal(fclose(f), 0);
    assert_int_equal(stet_config_load(path, NULL, NULL, &c, &err),
                     STET_E_TOO_LARGE);
    tmpdir_remove(&dir);
}

/* Memory that runs out anywhere is told, and given back. */
static void test_every_lack_of_memory_is_told(void **state)
{
    (void)state;
    const stet_config_setting settings[] = {{"cache.bytes", "32MiB"}};
    bool is_done = false;
    for (size_t nth = 1; !is_done; nth++) {
        failalloc f;
        failalloc_init(&f, nth);
        const stet_config_load_opts o = {
            .struct_size = sizeof o,
            .profile = "production",
            .settings = settings,
            .setting_count = 1,
            .text = stet_str("cache: {size: 50}\nname_pointers: /a\n"
                             "retention: [{pattern: a}, {keep_events: 1}]\n"
                             "rules: [{pattern: b, strategy: hybrid}]\n"
                             "recovery: {strategies: [hybrid]}\n"),
            .allocator = failalloc_allocator(&f),
        };
        stet_config *c = NULL;
        stet_error err = {0};
        stet_status st =
            stet_config_load("stet.yaml", every_layer, &o, &c, &err);
        if (st == STET_OK) {
            st = stet_config_reload(c, every_layer, NULL, &err);
            assert_value(c, "cache.bytes", "32MiB", "the program");
        }
        assert_int_equal(st, f.is_hit ? STET_E_NOMEM : STET_OK);
        stet_config_destroy(c);
        failalloc_assert_clean(&f);
        is_done = !f.is_hit;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_with_nothing_in_it_sets_nothing),
        cmocka_unit_test(test_the_founding_configuration_loads),
        cmocka_unit_test(test_the_founding_strategy_loads),
        cmocka_unit_test(test_flat_names_are_the_same_keys),
        cmocka_unit_test(test_errors_tell_the_place_and_the_nearest_name),
        cmocka_unit_test(test_shapes_that_do_not_fit_are_refused),
        cmocka_unit_test(test_a_key_is_set_once),
        cmocka_unit_test(test_what_yaml_can_do_beyond_values_is_refused),
        cmocka_unit_test(test_limits_hold_at_their_edge),
        cmocka_unit_test(test_the_nearest_layer_wins),
        cmocka_unit_test(test_founding_variables_are_heard),
        cmocka_unit_test(test_every_key_has_a_variable),
        cmocka_unit_test(test_a_mistyped_variable_is_told),
        cmocka_unit_test(test_what_the_program_says_is_checked),
        cmocka_unit_test(test_profiles_lie_below_the_file),
        cmocka_unit_test(test_options_are_what_was_said),
        cmocka_unit_test(test_rules_say_what_is_other_than_for_all),
        cmocka_unit_test(test_strategies_go_by_their_names),
        cmocka_unit_test(test_retention_keeps_its_order),
        cmocka_unit_test(test_what_has_no_effect_is_told),
        cmocka_unit_test(test_a_store_that_is_not_there_is_refused),
        cmocka_unit_test(test_nothing_is_stored_where_persistence_is_off),
        cmocka_unit_test(test_loading_again_tells_what_changed),
        cmocka_unit_test(test_files_that_cannot_be_read_are_named),
        cmocka_unit_test(test_every_lack_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
