#include "cli/cli.h"

const cli_option cli_options[CLI_OPT_COUNT] = {
    [CLI_OPT_HELP] =
        {
            .name = "help",
            .kind = CLI_SWITCH,
            .help = "tell how to use it",
        },
    [CLI_OPT_JSON] =
        {
            .name = "json",
            .kind = CLI_SWITCH,
            .help = "print JSON: one object, or one a line",
        },
    [CLI_OPT_STORE] =
        {
            .name = "store",
            .kind = CLI_TEXT,
            .metavar = "URL",
            .help = "the store: DIR, stet:DIR, memory: or backup:DIR[#N]",
        },
    [CLI_OPT_CONFIG] =
        {
            .name = "config",
            .kind = CLI_WORD,
            .metavar = "FILE",
            .help = "the configuration; default: STET_CONFIG, ./stet.yaml",
        },
    [CLI_OPT_NAMESPACE] =
        {
            .name = "namespace",
            .kind = CLI_NUMBER,
            .metavar = "N",
            .help = "the machines' namespace, 0 (default) to 254",
            .max = STET_NAMESPACE_MAX,
        },

    [CLI_OPT_TO] =
        {
            .name = "to",
            .kind = CLI_TEXT,
            .metavar = "STATE",
            .help = "name of the state after it",
        },
    [CLI_OPT_FROM] =
        {
            .name = "from",
            .kind = CLI_TEXT,
            .metavar = "STATE",
            .help = "name of the state before it",
        },
    [CLI_OPT_ACTION] =
        {
            .name = "action",
            .kind = CLI_TEXT,
            .metavar = "ACTION",
            .help = "what was done",
        },
    [CLI_OPT_ACTOR] =
        {
            .name = "actor",
            .kind = CLI_TEXT,
            .metavar = "ACTOR",
            .help = "who did it (actor_id)",
        },
    [CLI_OPT_PAYLOAD] =
        {
            .name = "payload",
            .kind = CLI_TEXT,
            .metavar = "JSON|@FILE|-",
            .help = "the payload itself, a file, or - for stdin",
        },
    [CLI_OPT_TYPE] =
        {
            .name = "type",
            .kind = CLI_CHOICE,
            .metavar = "TYPE",
            .help = "who or what caused the transition",
            .choices = "user_action|system_event|timeout|error_recovery|admin_"
                       "override",
        },
    [CLI_OPT_ERROR] =
        {
            .name = "error",
            .kind = CLI_TEXT,
            .metavar = "TEXT",
            .help = "text of an error",
        },
    [CLI_OPT_PHASE_CHANGE] =
        {
            .name = "phase-change",
            .kind = CLI_SWITCH,
            .help = "mark it as a change of phase",
        },
    [CLI_OPT_AT_TIME] =
        {
            .name = "at",
            .kind = CLI_TIME,
            .metavar = "TIME",
            .help = "when it occurred, RFC 3339 or Unix seconds; default: now",
        },
    [CLI_OPT_CORRELATION] =
        {
            .name = "correlation",
            .kind = CLI_TEXT,
            .metavar = "ID",
            .help = "what it belongs to (correlation_id)",
        },
    [CLI_OPT_CAUSATION] =
        {
            .name = "causation",
            .kind = CLI_TEXT,
            .metavar = "ID",
            .help = "what caused it (causation_id)",
        },
    [CLI_OPT_METADATA] =
        {
            .name = "metadata",
            .kind = CLI_TEXT,
            .metavar = "JSON",
            .help = "metadata of the event or checkpoint",
        },
    [CLI_OPT_MACHINE_METADATA] =
        {
            .name = "machine-metadata",
            .kind = CLI_TEXT,
            .metavar = "JSON",
            .help = "replace the machine's own metadata",
        },
    [CLI_OPT_EXPECT] =
        {
            .name = "expect",
            .kind = CLI_EXPECT,
            .metavar = "any|none|exists|SEQ",
            .help =
                "refuse unless the machine is like this before; default: any",
        },
    [CLI_OPT_KEY] =
        {
            .name = "key",
            .kind = CLI_WORD,
            .metavar = "KEY",
            .help = "idempotency key: a repeat stores nothing and gives the "
                    "first answer",
        },
    [CLI_OPT_REDUCER] =
        {
            .name = "reducer",
            .kind = CLI_CHOICE,
            .help = "how the payload changes the state",
            .choices = "none|set|merge|assign|patch",
        },
    [CLI_OPT_EVENT_ID] =
        {
            .name = "event-id",
            .kind = CLI_TEXT,
            .metavar = "ID",
            .help = "your id of the event",
        },
    [CLI_OPT_DURATION_MS] =
        {
            .name = "duration-ms",
            .kind = CLI_NUMBER,
            .metavar = "N",
            .help = "how long it took, in milliseconds",
            .max = INT64_MAX / 1000000,
        },
    [CLI_OPT_STATE_TYPE] =
        {
            .name = "state-type",
            .kind = CLI_TEXT,
            .metavar = "TYPE",
            .help = "set the machine's type",
        },
    [CLI_OPT_VERSION] =
        {
            .name = "version",
            .kind = CLI_TEXT,
            .metavar = "VERSION",
            .help = "set the state's schema version",
        },
    [CLI_OPT_LEVEL] =
        {
            .name = "level",
            .kind = CLI_CHOICE,
            .help = "what an answer promises to survive: a killed process, or "
                    "power loss (default)",
            .choices = "os|disk",
        },

    [CLI_OPT_AT_POINT] =
        {
            .name = "at",
            .kind = CLI_POINT,
            .metavar = "SEQ|TIME|@NAME",
            .help =
                "a seq, an RFC 3339 time or a checkpoint; default: the newest",
        },
    [CLI_OPT_RECORDED] =
        {
            .name = "recorded",
            .kind = CLI_SWITCH,
            .help = "times mean the store's clock, not when it occurred",
        },
    [CLI_OPT_LIMIT] =
        {
            .name = "limit",
            .kind = CLI_NUMBER,
            .metavar = "N",
            .help = "print at most N; 0 means all",
        },
    [CLI_OPT_AFTER] =
        {
            .name = "after",
            .kind = CLI_TEXT,
            .metavar = "ID",
            .help = "only ids above this one",
        },
    [CLI_OPT_DELETED] =
        {
            .name = "deleted",
            .kind = CLI_SWITCH,
            .help = "deleted machines as well",
        },
    [CLI_OPT_FROM_SEQ] =
        {
            .name = "from-seq",
            .kind = CLI_NUMBER,
            .metavar = "SEQ",
            .help = "start at this seq",
        },
    [CLI_OPT_TO_SEQ] =
        {
            .name = "to-seq",
            .kind = CLI_NUMBER,
            .metavar = "SEQ",
            .help = "end before this seq",
        },
    [CLI_OPT_NEWEST_FIRST] =
        {
            .name = "newest-first",
            .kind = CLI_SWITCH,
            .help = "from the newest to the oldest",
        },

    [CLI_OPT_KIND] =
        {
            .name = "kind",
            .kind = CLI_CHOICE,
            .metavar = "KIND",
            .help = "only events of this kind",
            .choices = "created|saved|transitioned|updated|appended|failed|"
                       "forked|migrated|restored|deleted",
        },
    [CLI_OPT_SINCE] =
        {
            .name = "since",
            .kind = CLI_TIME,
            .metavar = "TIME",
            .help = "only what occurred at this time or later",
        },
    [CLI_OPT_UNTIL] =
        {
            .name = "until",
            .kind = CLI_TIME,
            .metavar = "TIME",
            .help = "only what occurred before this time",
        },
    [CLI_OPT_ERRORS] =
        {
            .name = "errors",
            .kind = CLI_SWITCH,
            .help = "only events that tell an error",
        },
    [CLI_OPT_FROM_POSITION] =
        {
            .name = "from-position",
            .kind = CLI_NUMBER,
            .metavar = "N",
            .help = "start at this position of the store",
        },
    [CLI_OPT_TO_POSITION] =
        {
            .name = "to-position",
            .kind = CLI_NUMBER,
            .metavar = "N",
            .help = "end before this position",
        },
    [CLI_OPT_FLOW_FORMAT] =
        {
            .name = "format",
            .kind = CLI_CHOICE,
            .help = "default: json; svg needs graphviz",
            .choices = "json|dot|svg",
        },

    [CLI_OPT_REPLACE] =
        {
            .name = "replace",
            .kind = CLI_SWITCH,
            .help = "take the name although it is in use",
        },
    [CLI_OPT_YES] =
        {
            .name = "yes",
            .kind = CLI_SWITCH,
            .help = "do what the plan says",
        },

    [CLI_OPT_KEEP_EVENTS] =
        {
            .name = "keep-events",
            .kind = CLI_NUMBER,
            .metavar = "N",
            .help = "drop all but so many events behind the newest",
            .min = 1,
        },
    [CLI_OPT_KEEP_AGE] =
        {
            .name = "keep-age",
            .kind = CLI_DURATION,
            .metavar = "N[s|m|h|d]",
            .help = "drop events that were stored longer ago, e.g. 90d",
        },
    [CLI_OPT_MATCH] =
        {
            .name = "match",
            .kind = CLI_WORD,
            .metavar = "GLOB",
            .help = "of machines with such ids only",
        },
    [CLI_OPT_UP_TO] =
        {
            .name = "up-to",
            .kind = CLI_NUMBER,
            .metavar = "SEQ",
            .help = "the last event that is erased",
            .min = 1,
        },

    [CLI_OPT_FROM_POINT] =
        {
            .name = "from",
            .kind = CLI_NUMBER,
            .metavar = "POSITION",
            .help = "begin at this position; the first is 1",
        },
    [CLI_OPT_FOLLOW] =
        {
            .name = "follow",
            .kind = CLI_SWITCH,
            .help = "go on with what is written from now on",
        },
    [CLI_OPT_ACK] =
        {
            .name = "ack",
            .kind = CLI_SWITCH,
            .help = "acknowledge what was printed",
        },
    [CLI_OPT_POSITION] =
        {
            .name = "position",
            .kind = CLI_NUMBER,
            .metavar = "N",
            .help = "the event's position",
            .min = 1,
        },

    [CLI_OPT_LOG_FORMAT] =
        {
            .name = "format",
            .kind = CLI_CHOICE,
            .help = "of the file; default: by its name for import, jsonl for "
                    "export",
            .choices = "xes|csv|jsonl",
        },
    [CLI_OPT_PREFIX] =
        {
            .name = "prefix",
            .kind = CLI_TEXT,
            .metavar = "TEXT",
            .help = "put this in front of every id",
        },
    [CLI_OPT_CASE_COLUMN] =
        {
            .name = "case",
            .kind = CLI_WORD,
            .metavar = "COLUMN",
            .help = "CSV column of the machine's id",
        },
    [CLI_OPT_ACTIVITY_COLUMN] =
        {
            .name = "activity",
            .kind = CLI_WORD,
            .metavar = "COLUMN",
            .help = "CSV column of the action",
        },
    [CLI_OPT_TIMESTAMP_COLUMN] =
        {
            .name = "timestamp",
            .kind = CLI_WORD,
            .metavar = "COLUMN",
            .help = "CSV column of the time",
        },
    [CLI_OPT_RESOURCE_COLUMN] =
        {
            .name = "resource",
            .kind = CLI_WORD,
            .metavar = "COLUMN",
            .help = "CSV column of the actor",
        },
    [CLI_OPT_KEEP_UNKNOWN] =
        {
            .name = "keep-unknown",
            .kind = CLI_SWITCH,
            .help = "put JSON members without a meaning into the metadata",
        },

    [CLI_OPT_PROOF] =
        {
            .name = "proof",
            .kind = CLI_SWITCH,
            .help = "one machine's history, for verify-proof",
        },
    [CLI_OPT_HEAD] =
        {
            .name = "head",
            .kind = CLI_HASH,
            .metavar = "HASH",
            .help = "a head that the history must have had",
        },

    [CLI_OPT_FULL] =
        {
            .name = "full",
            .kind = CLI_SWITCH,
            .help = "copy every file, also those that are there",
        },
    [CLI_OPT_BACKUP] =
        {
            .name = "backup",
            .kind = CLI_NUMBER,
            .metavar = "N",
            .help = "this one, as list numbers them; default: the newest, with "
                    "--to the oldest that reaches it",
            .min = 1,
            .max = UINT32_MAX,
        },
    [CLI_OPT_OUT] =
        {
            .name = "out",
            .kind = CLI_WORD,
            .metavar = "DIR",
            .help = "where the store is made; empty, or not there yet",
        },
    [CLI_OPT_TO_POINT] =
        {
            .name = "to",
            .kind = CLI_POINT,
            .metavar = "POSITION|TIME",
            .help = "as it was then; also @NAME of a store's checkpoint",
        },
    [CLI_OPT_MACHINE] =
        {
            .name = "machine",
            .kind = CLI_WORD,
            .metavar = "ID",
            .help = "only this machine, into --store",
        },
    [CLI_OPT_AS] =
        {
            .name = "as",
            .kind = CLI_WORD,
            .metavar = "NEWID",
            .help = "what it is called there",
        },
    [CLI_OPT_KEEP] =
        {
            .name = "keep",
            .kind = CLI_NUMBER,
            .metavar = "N",
            .help = "backups that stay, the newest",
            .min = 1,
            .max = UINT32_MAX,
        },

    [CLI_OPT_MODES] =
        {
            .name = "mode",
            .kind = CLI_WORD,
            .metavar = "A,B,C",
            .help = "tried in order: latest (default), snapshot, "
                    "point_in_time, before_error, version, checkpoint",
        },
    [CLI_OPT_SNAPSHOT] =
        {
            .name = "snapshot",
            .kind = CLI_NUMBER,
            .metavar = "SEQ",
            .help = "the snapshot of mode snapshot; default: the newest sound",
        },
    [CLI_OPT_TIME] =
        {
            .name = "time",
            .kind = CLI_TIME,
            .metavar = "TIME",
            .help = "of mode point_in_time, inclusive",
        },
    [CLI_OPT_OF_VERSION] =
        {
            .name = "version",
            .kind = CLI_WORD,
            .metavar = "VERSION",
            .help = "of mode version: the schema version that a state has",
        },
    [CLI_OPT_CHECKPOINT] =
        {
            .name = "checkpoint",
            .kind = CLI_WORD,
            .metavar = "NAME",
            .help = "of mode checkpoint",
        },
    [CLI_OPT_TRANSITIONS_MAX] =
        {
            .name = "max-transitions",
            .kind = CLI_NUMBER,
            .metavar = "N",
            .help = "replay at most N events; default: 1000",
            .min = 1,
            .max = UINT32_MAX,
        },
    [CLI_OPT_TO_MACHINE] =
        {
            .name = "to",
            .kind = CLI_WORD,
            .metavar = "NEWID",
            .help = "begin a new machine there, as a fork",
        },
    [CLI_OPT_ADOPT] =
        {
            .name = "adopt",
            .kind = CLI_SWITCH,
            .help = "make it the machine's state: one restored event",
        },
    [CLI_OPT_PROMETHEUS] =
        {
            .name = "prometheus",
            .kind = CLI_SWITCH,
            .help = "in the text format of Prometheus, version 0.0.4",
        },
    [CLI_OPT_MAN] =
        {
            .name = "man",
            .kind = CLI_SWITCH,
            .help = "print the man page, stet.1",
        },
    [CLI_OPT_COMPLETION] =
        {
            .name = "completion",
            .kind = CLI_CHOICE,
            .help = "print completion for a shell",
            .choices = "bash",
        },
};

const char *cli_option_metavar(const cli_option *option)
{
    return option->metavar != NULL ? option->metavar : option->choices;
}
