/*
 * The command line: `stet NOUN VERB`, and what its commands share.
 *
 * One table of commands (commands.c) over one table of options (options.c) is
 * the only place where a name, an argument or a help text is written down.
 * Parser, help, man page, completion and error texts are made from the two.
 *
 * A run is: parse (nothing outside is touched) -> configure (the file, the
 * environment) -> the command's handler, which reads its inputs, then calls
 * cli_open, which enters the sandbox, works and prints -> close -> one error
 * text and one next step on stderr -> the exit code of the status's kind. A
 * handler prints data on ctx->out and talk on stderr, returns its status and
 * never exits.
 */
#ifndef STET_CLI_CLI_H
#define STET_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <stet/config.h>
#include <stet/stet.h>

#include "cli/sandbox.h"

enum {
    CLI_OPTIONS_MAX = 32, /* options of one command, the closing 0 included */
    CLI_NAME_MAX = 40,    /* a command's name, with its NUL */
    CLI_HINT_BYTES_MAX = 4096,  /* a next step, with its NUL */
    CLI_QUOTED_BYTES_MAX = 1100 /* of a word for the shell, with its NUL */
};

/* What a command does to the store it opens. */
typedef enum cli_store {
    CLI_STORE_NONE = 0,
    CLI_STORE_READ = 1,     /* read-only; must be there */
    CLI_STORE_EXISTING = 2, /* writes; must be there */
    CLI_STORE_CREATE = 3,   /* writes; made when nothing is there */
} cli_store;

/* What an option's value must look like; checked before any command runs. */
typedef enum cli_kind {
    CLI_SWITCH = 1, /* takes no value */
    CLI_TEXT = 2,
    CLI_NUMBER = 3,   /* decimal, 0 to the option's `max` */
    CLI_CHOICE = 4,   /* one word of the option's choices */
    CLI_TIME = 5,     /* RFC 3339 or Unix seconds */
    CLI_POINT = 6,    /* SEQ, RFC 3339, @NAME or "newest" */
    CLI_EXPECT = 7,   /* any, none, exists or SEQ */
    CLI_WORD = 8,     /* text that means nothing when it is empty */
    CLI_HASH = 9,     /* 64 hexadecimal digits */
    CLI_DURATION = 10 /* a number and s, m, h or d */
} cli_kind;

/* Two options of one name are two meanings; a command has only one of them. */
typedef enum cli_option_id {
    CLI_OPT_END = 0, /* closes a command's list */

    /* Of every command. */
    CLI_OPT_HELP,
    CLI_OPT_JSON,
    CLI_OPT_STORE,     /* where there is a store */
    CLI_OPT_CONFIG,    /* likewise */
    CLI_OPT_NAMESPACE, /* where a machine is named */

    /* Of a write. */
    CLI_OPT_TO,
    CLI_OPT_FROM,
    CLI_OPT_ACTION,
    CLI_OPT_ACTOR,
    CLI_OPT_PAYLOAD,
    CLI_OPT_TYPE,
    CLI_OPT_ERROR,
    CLI_OPT_PHASE_CHANGE,
    CLI_OPT_AT_TIME, /* --at: when it occurred */
    CLI_OPT_CORRELATION,
    CLI_OPT_CAUSATION,
    CLI_OPT_METADATA,
    CLI_OPT_MACHINE_METADATA,
    CLI_OPT_EXPECT,
    CLI_OPT_KEY,
    CLI_OPT_REDUCER,
    CLI_OPT_EVENT_ID,
    CLI_OPT_DURATION_MS,
    CLI_OPT_STATE_TYPE,
    CLI_OPT_VERSION,
    CLI_OPT_LEVEL,

    /* Of a read. */
    CLI_OPT_AT_POINT, /* --at: a point of a history */
    CLI_OPT_RECORDED,
    CLI_OPT_LIMIT,
    CLI_OPT_AFTER,
    CLI_OPT_DELETED,
    CLI_OPT_FROM_SEQ,
    CLI_OPT_TO_SEQ,
    CLI_OPT_NEWEST_FIRST,

    /* Of the log. */
    CLI_OPT_KIND,
    CLI_OPT_SINCE,
    CLI_OPT_UNTIL,
    CLI_OPT_ERRORS,
    CLI_OPT_FROM_POSITION,
    CLI_OPT_TO_POSITION,
    CLI_OPT_FLOW_FORMAT, /* --format json|dot|svg */

    /* Of checkpoints. */
    CLI_OPT_REPLACE,
    CLI_OPT_YES,

    /* Of what may go. */
    CLI_OPT_KEEP_EVENTS,
    CLI_OPT_KEEP_AGE,
    CLI_OPT_MATCH,
    CLI_OPT_UP_TO,

    /* Of feeds and consumers. */
    CLI_OPT_FROM_POINT, /* --from: a position */
    CLI_OPT_FOLLOW,
    CLI_OPT_ACK,
    CLI_OPT_POSITION,

    /* Of import and export. */
    CLI_OPT_LOG_FORMAT, /* --format xes|csv|jsonl */
    CLI_OPT_PREFIX,
    CLI_OPT_CASE_COLUMN,
    CLI_OPT_ACTIVITY_COLUMN,
    CLI_OPT_TIMESTAMP_COLUMN,
    CLI_OPT_RESOURCE_COLUMN,
    CLI_OPT_KEEP_UNKNOWN,

    /* Of proofs. */
    CLI_OPT_PROOF,
    CLI_OPT_HEAD,

    /* Of backups. */
    CLI_OPT_FULL,
    CLI_OPT_BACKUP,
    CLI_OPT_OUT,
    CLI_OPT_TO_POINT, /* --to: a point of a store */
    CLI_OPT_MACHINE,
    CLI_OPT_AS,
    CLI_OPT_KEEP,

    /* Of recovery. */
    CLI_OPT_MODES,
    CLI_OPT_SNAPSHOT,
    CLI_OPT_TIME,
    CLI_OPT_OF_VERSION, /* --version: that a state has */
    CLI_OPT_CHECKPOINT,
    CLI_OPT_TRANSITIONS_MAX,
    CLI_OPT_TO_MACHINE, /* --to: a new one */
    CLI_OPT_ADOPT,

    /* Of metrics. */
    CLI_OPT_PROMETHEUS,

    /* Of help. */
    CLI_OPT_MAN,
    CLI_OPT_COMPLETION,

    CLI_OPT_COUNT
} cli_option_id;

typedef struct cli_option {
    const char *name; /* without the dashes */
    cli_kind kind;
    const char *metavar; /* NULL for a switch, and where choices are short */
    const char *help;    /* one line, lower case */
    const char *choices; /* "a|b|c" */
    uint64_t min;        /* of a number */
    uint64_t max;        /* of a number; 0: no bound */
} cli_option;

/* The value of one option, parsed by its kind. */
typedef struct cli_value {
    const char *text; /* as given; NULL: the option was not given */
    uint64_t number;  /* NUMBER; for a CHOICE the index of its word */
    int64_t time;     /* TIME; of a DURATION nanoseconds */
    stet_at at;       /* POINT; its time means occurred */
    stet_expect expect;
    uint8_t hash[32]; /* HASH */
} cli_value;

typedef struct cli_ctx cli_ctx;
typedef stet_status (*cli_run_fn)(cli_ctx *ctx, stet_error *err);

typedef struct cli_command {
    const char *noun;
    const char *verb; /* NULL: the noun alone is the command */
    const char *args; /* positional arguments as help shows them, or "" */
    int args_min;
    int args_max; /* -1: no bound */
    cli_store store;
    bool names_machine;                     /* takes --namespace */
    cli_option_id options[CLI_OPTIONS_MAX]; /* besides those of every command */
    const char *summary;                    /* one line, lower case */
    const char *help;    /* paragraphs, parted by empty lines; or NULL */
    const char *example; /* command lines after "stet ", one a line; or NULL */
    cli_run_fn run;
} cli_command;

/* One run of one command. */
struct cli_ctx {
    const cli_command *command;
    cli_store store_use; /* the command's; a handler may ask for more */
    cli_value options[CLI_OPT_COUNT];
    const char **args; /* positional arguments */
    int arg_count;
    const char *store_url; /* as given, or ""; once configured never empty */
    stet_config *config;   /* of a command with a store, or NULL */
    bool is_json;
    uint8_t ns;
    FILE *out;   /* data */
    stet *store; /* after cli_open; closed by the caller of the handler */
    stet_retention_rule rule; /* for cli_open, if `has_rule` */
    bool has_rule;
    sandbox sandbox;
    char hint[CLI_HINT_BYTES_MAX]; /* the next step after an error, or "" */
};

/* The tables. */
extern const cli_option cli_options[CLI_OPT_COUNT];
extern const cli_command cli_commands[];
extern const size_t cli_command_count;

/* Run the program; returns its exit code. */
int cli_main(int argc, char **argv);

/* The exit code for a status. */
int cli_exit_code(stet_status status);

/*
 * Open ctx->store_url as the command's row says, into ctx->store. From here on
 * the command is in its sandbox: it reaches the store, what it has allowed in
 * ctx->sandbox, and nothing else.
 */
STET_NODISCARD stet_status cli_open(cli_ctx *ctx, stet_error *err);

/*
 * Say the next step after the error that the handler is about to return; it
 * replaces the one that would be derived from the status.
 */
void cli_try(cli_ctx *ctx, const char *format, ...) STET_PRINTF(2, 3);

/*
 * The same for a step that is a command of `noun`, of which `format` is the
 * rest; --store and --namespace of this run go in front, so that it can be
 * copied as it stands.
 */
void cli_try_command(cli_ctx *ctx, const char *noun, const char *format, ...)
    STET_PRINTF(3, 4);

/* A word as a shell takes it: in quotes where it needs them. Cut when long. */
typedef struct cli_quoted {
    char text[CLI_QUOTED_BYTES_MAX];
} cli_quoted;
cli_quoted cli_quote(stet_slice word);

/* "stet NOUN" with the --store and --namespace that this run was given. */
void cli_command_line(const cli_ctx *ctx, const char *noun,
                      char out[CLI_HINT_BYTES_MAX]);

/* The folder that an embedded store's URL names, or NULL. */
const char *cli_store_path(const char *url);
/* The same of a backup's, which "#NUMBER" may follow. */
const char *cli_backup_path(const char *url);

/*
 * Leave a folder within the sandbox's reach. With `is_made` it is created here,
 * for a path that does not exist cannot be allowed; opening makes its name
 * durable, for which it looks at the directory above.
 */
void cli_allow_folder(cli_ctx *ctx, const char *path, sandbox_access access,
                      bool is_made);

/*
 * Options of a command, those of every command last; returns how many. They
 * are what help shows and the parser takes. For NULL: those of every command.
 */
size_t cli_command_options(const cli_command *command,
                           cli_option_id out[CLI_OPT_COUNT]);
/* The first command of a noun, or NULL. */
const cli_command *cli_noun_find(const char *noun);
/* The command of a noun and verb (NULL: the noun alone), or NULL. */
const cli_command *cli_command_find(const char *noun, const char *verb);
/* "NOUN VERB", or "NOUN". */
void cli_command_name(const cli_command *command, char out[CLI_NAME_MAX]);

/* What help shows after an option's name; NULL for a switch. */
const char *cli_option_metavar(const cli_option *option);

/* Options. */
bool cli_is_given(const cli_ctx *ctx, cli_option_id id);
/* The text given, or an empty slice. */
stet_slice cli_text(const cli_ctx *ctx, cli_option_id id);
/* The number, or the index of the choice; `otherwise` when not given. */
uint64_t cli_number(const cli_ctx *ctx, cli_option_id id, uint64_t otherwise);
/* Positional argument `i`, or an empty slice. */
stet_slice cli_arg(const cli_ctx *ctx, int i);

/*
 * Read all of a file, or of stdin for "-", into an initialised `out`.
 *
 * STET_E_TOO_LARGE above `bytes_max`; nothing more is read then.
 */
struct stet_buf;
STET_NODISCARD stet_status cli_read_file(const char *path, size_t bytes_max,
                                         struct stet_buf *out, stet_error *err);

/* Write text for people: control characters and bad UTF-8 as \xNN. */
void cli_put_text(FILE *out, stet_slice text);

/* Flush `out` and tell whether all of it went out. */
STET_NODISCARD stet_status cli_flush(FILE *out, stet_error *err);

/* Handlers, each in the file of its noun. */
stet_status cli_machine_list(cli_ctx *ctx, stet_error *err);
stet_status cli_machine_show(cli_ctx *ctx, stet_error *err);
stet_status cli_machine_load(cli_ctx *ctx, stet_error *err);
stet_status cli_machine_create(cli_ctx *ctx, stet_error *err);
stet_status cli_machine_save(cli_ctx *ctx, stet_error *err);
stet_status cli_machine_step(cli_ctx *ctx, stet_error *err);
stet_status cli_machine_update(cli_ctx *ctx, stet_error *err);
stet_status cli_machine_patch(cli_ctx *ctx, stet_error *err);
stet_status cli_machine_append(cli_ctx *ctx, stet_error *err);
stet_status cli_machine_delete(cli_ctx *ctx, stet_error *err);
stet_status cli_machine_fork(cli_ctx *ctx, stet_error *err);
stet_status cli_machine_erase(cli_ctx *ctx, stet_error *err);
stet_status cli_machine_history(cli_ctx *ctx, stet_error *err);
stet_status cli_machine_replay(cli_ctx *ctx, stet_error *err);
stet_status cli_machine_diff(cli_ctx *ctx, stet_error *err);
stet_status cli_machine_compare(cli_ctx *ctx, stet_error *err);
stet_status cli_checkpoint_set(cli_ctx *ctx, stet_error *err);
stet_status cli_checkpoint_list(cli_ctx *ctx, stet_error *err);
stet_status cli_checkpoint_show(cli_ctx *ctx, stet_error *err);
stet_status cli_checkpoint_restore(cli_ctx *ctx, stet_error *err);
stet_status cli_checkpoint_delete(cli_ctx *ctx, stet_error *err);
stet_status cli_recover_run(cli_ctx *ctx, stet_error *err);
stet_status cli_recover_points(cli_ctx *ctx, stet_error *err);
stet_status cli_recover_history(cli_ctx *ctx, stet_error *err);
stet_status cli_hold_set(cli_ctx *ctx, stet_error *err);
stet_status cli_hold_list(cli_ctx *ctx, stet_error *err);
stet_status cli_hold_release(cli_ctx *ctx, stet_error *err);
stet_status cli_feed(cli_ctx *ctx, stet_error *err);
stet_status cli_consumer_list(cli_ctx *ctx, stet_error *err);
stet_status cli_consumer_show(cli_ctx *ctx, stet_error *err);
stet_status cli_consumer_fetch(cli_ctx *ctx, stet_error *err);
stet_status cli_consumer_ack(cli_ctx *ctx, stet_error *err);
stet_status cli_consumer_reset(cli_ctx *ctx, stet_error *err);
stet_status cli_consumer_parked(cli_ctx *ctx, stet_error *err);
stet_status cli_consumer_release(cli_ctx *ctx, stet_error *err);
stet_status cli_consumer_delete(cli_ctx *ctx, stet_error *err);
stet_status cli_log_query(cli_ctx *ctx, stet_error *err);
stet_status cli_log_stats(cli_ctx *ctx, stet_error *err);
stet_status cli_log_flow(cli_ctx *ctx, stet_error *err);
stet_status cli_store_info(cli_ctx *ctx, stet_error *err);
stet_status cli_store_verify(cli_ctx *ctx, stet_error *err);
stet_status cli_store_reindex(cli_ctx *ctx, stet_error *err);
stet_status cli_store_compact(cli_ctx *ctx, stet_error *err);
stet_status cli_store_salvage(cli_ctx *ctx, stet_error *err);
stet_status cli_store_verify_proof(cli_ctx *ctx, stet_error *err);
stet_status cli_backup_create(cli_ctx *ctx, stet_error *err);
stet_status cli_backup_list(cli_ctx *ctx, stet_error *err);
stet_status cli_backup_verify(cli_ctx *ctx, stet_error *err);
stet_status cli_backup_restore(cli_ctx *ctx, stet_error *err);
stet_status cli_backup_prune(cli_ctx *ctx, stet_error *err);
stet_status cli_import(cli_ctx *ctx, stet_error *err);
stet_status cli_export(cli_ctx *ctx, stet_error *err);
stet_status cli_export_proof(cli_ctx *ctx, stet_error *err);
stet_status cli_config_check(cli_ctx *ctx, stet_error *err);
stet_status cli_config_show(cli_ctx *ctx, stet_error *err);
stet_status cli_metrics(cli_ctx *ctx, stet_error *err);
stet_status cli_doctor(cli_ctx *ctx, stet_error *err);
stet_status cli_explain(cli_ctx *ctx, stet_error *err);
stet_status cli_help(cli_ctx *ctx, stet_error *err);
stet_status cli_version(cli_ctx *ctx, stet_error *err);

#endif
