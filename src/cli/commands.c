#include "cli/cli.h"

#include <string.h>

#include "base/assert.h"

#define TRACE_OPTIONS                                                          \
    CLI_OPT_AT_TIME, CLI_OPT_CORRELATION, CLI_OPT_CAUSATION, CLI_OPT_METADATA, \
        CLI_OPT_EVENT_ID, CLI_OPT_KEY, CLI_OPT_LEVEL

/* What every write may carry. */
#define EVENT_OPTIONS CLI_OPT_ACTION, CLI_OPT_ACTOR, TRACE_OPTIONS

/* What every write of a state may carry. */
#define STATE_OPTIONS                                                          \
    CLI_OPT_TO, CLI_OPT_FROM, CLI_OPT_ACTION, CLI_OPT_ACTOR, CLI_OPT_PAYLOAD,  \
        CLI_OPT_TYPE, CLI_OPT_ERROR, CLI_OPT_PHASE_CHANGE,                     \
        CLI_OPT_DURATION_MS, CLI_OPT_STATE_TYPE, CLI_OPT_VERSION,              \
        CLI_OPT_MACHINE_METADATA, TRACE_OPTIONS

const cli_command cli_commands[] = {
    {
        .noun = "machine",
        .verb = "list",
        .args = "[PATTERN]",
        .args_max = 1,
        .store = CLI_STORE_READ,
        .names_machine = true,
        .options = {CLI_OPT_LIMIT, CLI_OPT_AFTER, CLI_OPT_DELETED},
        .summary = "list machines, in order of their ids",
        .help =
            "PATTERN is a glob: * any bytes, ? one byte, [a-z] one of a set, "
            "\\x x itself. A line has the id, the state's name and the seq, "
            "parted by tabs. The last id of one listing is the --after of the "
            "next.",
        .example = "machine list 'game:*' --limit 10",
        .run = cli_machine_list,
    },
    {
        .noun = "machine",
        .verb = "show",
        .args = "ID",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_READ,
        .names_machine = true,
        .options = {CLI_OPT_AT_POINT, CLI_OPT_RECORDED},
        .summary = "show all that is known of a machine",
        .help = "The hash is the SHA-256 of the state's bytes. In JSON a state "
                "that is no JSON is given in base64 as state_data_base64. "
                "chain_head is what the settled history comes to, up to "
                "chain_seq: see store verify-proof.",
        .example = "machine show game:1 --json",
        .run = cli_machine_show,
    },
    {
        .noun = "machine",
        .verb = "load",
        .args = "ID",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_READ,
        .names_machine = true,
        .options = {CLI_OPT_AT_POINT, CLI_OPT_RECORDED},
        .summary = "write a state's bytes to stdout",
        .help = "Exactly the bytes, and nothing else. A seq answers that very "
                "seq; a time answers the longest beginning of the history in "
                "which nothing happened after it; a checkpoint of the machine "
                "comes before one of the whole store. With --json it prints "
                "what machine show prints.",
        .example = "machine load game:1 --at 3\n"
                   "machine load game:1 --at 2026-11-20T05:24:08Z\n"
                   "machine load game:1 --at @before-the-deal",
        .run = cli_machine_load,
    },
    {
        .noun = "machine",
        .verb = "create",
        .args = "ID [FILE|-]",
        .args_min = 1,
        .args_max = 2,
        .store = CLI_STORE_CREATE,
        .names_machine = true,
        .options = {STATE_OPTIONS},
        .summary = "create a machine; refused when it is there",
        .help = "The first state is read from FILE, from stdin for -, or from "
                "--payload, and is {} without any of them.",
        .example = "machine create game:1 --to lobby --state-type card_game",
        .run = cli_machine_create,
    },
    {
        .noun = "machine",
        .verb = "save",
        .args = "ID [FILE|-]",
        .args_min = 1,
        .args_max = 2,
        .store = CLI_STORE_CREATE,
        .names_machine = true,
        .options = {STATE_OPTIONS, CLI_OPT_EXPECT},
        .summary = "save a whole state, byte for byte",
        .help =
            "The state is read from FILE, from stdin for - or when nothing is "
            "named, or is the value of --payload. Any bytes are a state. The "
            "answer comes when it is durable.",
        .example = "machine save game:1 state.json --expect 4\n"
                   "machine save game:1 --payload '{\"turn\":1}'",
        .run = cli_machine_save,
    },
    {
        .noun = "machine",
        .verb = "step",
        .args = "ID",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_CREATE,
        .names_machine = true,
        .options = {STATE_OPTIONS, CLI_OPT_EXPECT, CLI_OPT_REDUCER},
        .summary = "move a machine to another state",
        .help = "The payload is merged into the state (RFC 7386) unless "
                "--reducer says otherwise. Without --to the state's name comes "
                "from the member current_state, else phase; without --from it "
                "is the name before, and given it is recorded as it is. A "
                "machine that is not there begins with the state {}.",
        .example = "machine step game:1 --to deal --action start --actor alice "
                   "--payload '{\"turn\":1}'",
        .run = cli_machine_step,
    },
    {
        .noun = "machine",
        .verb = "update",
        .args = "ID [JSON|@FILE|-]",
        .args_min = 1,
        .args_max = 2,
        .store = CLI_STORE_CREATE,
        .names_machine = true,
        .options = {STATE_OPTIONS, CLI_OPT_EXPECT, CLI_OPT_REDUCER},
        .summary = "change a JSON state by a merge patch",
        .help =
            "The payload is an RFC 7386 merge patch: null takes a member away. "
            "With --reducer assign each top-level member replaces the one "
            "that is there, and null is kept as a value.",
        .example = "machine update game:1 '{\"turn\":2,\"hint\":null}'",
        .run = cli_machine_update,
    },
    {
        .noun = "machine",
        .verb = "patch",
        .args = "ID [JSON|@FILE|-]",
        .args_min = 1,
        .args_max = 2,
        .store = CLI_STORE_CREATE,
        .names_machine = true,
        .options = {STATE_OPTIONS, CLI_OPT_EXPECT},
        .summary = "change a JSON state by an RFC 6902 patch",
        .help = "A patch that does not apply stores nothing.",
        .example = "machine patch game:1 "
                   "'[{\"op\":\"replace\",\"path\":\"/turn\",\"value\":3}]'",
        .run = cli_machine_patch,
    },
    {
        .noun = "machine",
        .verb = "append",
        .args = "ID [JSON|@FILE|-]",
        .args_min = 1,
        .args_max = 2,
        .store = CLI_STORE_CREATE,
        .names_machine = true,
        .options = {STATE_OPTIONS, CLI_OPT_EXPECT, CLI_OPT_REDUCER},
        .summary = "append a raw event; the state stays",
        .help = "With --reducer the payload goes through that reducer.",
        .example = "machine append game:1 --action chat --payload '\"hello\"'",
        .run = cli_machine_append,
    },
    {
        .noun = "machine",
        .verb = "history",
        .args = "ID",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_READ,
        .names_machine = true,
        .options = {CLI_OPT_FROM_SEQ, CLI_OPT_TO_SEQ, CLI_OPT_LIMIT,
                    CLI_OPT_NEWEST_FIRST},
        .summary = "print a machine's events",
        .help = "A fork's history begins with its parent's. Deleted machines "
                "have a history too.",
        .example = "machine history game:1 --newest-first --limit 5",
        .run = cli_machine_history,
    },
    {
        .noun = "machine",
        .verb = "replay",
        .args = "ID",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_READ,
        .names_machine = true,
        .options = {CLI_OPT_FROM_SEQ, CLI_OPT_TO_SEQ, CLI_OPT_LIMIT,
                    CLI_OPT_NEWEST_FIRST},
        .summary = "print each event and the state after it",
        .example = "machine replay game:1 --from-seq 3",
        .run = cli_machine_replay,
    },
    {
        .noun = "machine",
        .verb = "diff",
        .args = "ID AT AT | ID ID | ID AT ID AT",
        .args_min = 2,
        .args_max = 4,
        .store = CLI_STORE_READ,
        .names_machine = true,
        .options = {CLI_OPT_RECORDED},
        .summary = "tell how to get from one state to another",
        .help =
            "Three arguments are one machine at two points, two arguments are "
            "two machines at their newest, four are two machines at a point "
            "each. AT is a seq, an RFC 3339 time, @NAME of a checkpoint, or "
            "newest.\n\n"
            "Two JSON states give an RFC 6902 patch, [] where they are equal; "
            "other bytes give an object that says where they differ.",
        .example = "machine diff game:1 3 newest\n"
                   "machine diff game:1 game:2\n"
                   "machine diff game:1 @deal game:2 7",
        .run = cli_machine_diff,
    },
    {
        .noun = "machine",
        .verb = "compare",
        .args = "ID ID",
        .args_min = 2,
        .args_max = 2,
        .store = CLI_STORE_READ,
        .names_machine = true,
        .summary = "name the first seq where histories part",
        .help = "Prints that seq, or 0 when the two histories are the same.",
        .example = "machine compare game:1 game:1-fork",
        .run = cli_machine_compare,
    },
    {
        .noun = "machine",
        .verb = "fork",
        .args = "PARENT ID",
        .args_min = 2,
        .args_max = 2,
        .store = CLI_STORE_EXISTING,
        .names_machine = true,
        .options = {CLI_OPT_AT_POINT, CLI_OPT_RECORDED, CLI_OPT_ACTION,
                    CLI_OPT_ACTOR, CLI_OPT_CORRELATION, CLI_OPT_CAUSATION,
                    CLI_OPT_METADATA, CLI_OPT_EVENT_ID, CLI_OPT_KEY,
                    CLI_OPT_LEVEL},
        .summary = "begin a machine as another one is or was",
        .help = "The new machine's history begins with the parent's up to "
                "there, by default up to now; nothing is copied.",
        .example = "machine fork game:1 game:1-what-if --at 5",
        .run = cli_machine_fork,
    },
    {
        .noun = "machine",
        .verb = "delete",
        .args = "ID",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_EXISTING,
        .names_machine = true,
        .options = {EVENT_OPTIONS, CLI_OPT_EXPECT},
        .summary = "delete a machine; its history stays",
        .help =
            "The newest load then says not found. Loads as of an earlier point "
            "still answer, and a later save goes on with the seq; so this asks "
            "for no --yes.",
        .example = "machine delete game:1 --expect 12",
        .run = cli_machine_delete,
    },
    {
        .noun = "machine",
        .verb = "erase",
        .args = "ID",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_EXISTING,
        .names_machine = true,
        .options = {CLI_OPT_UP_TO, CLI_OPT_YES, CLI_OPT_LEVEL},
        .summary = "erase the content of a machine's events",
        .help =
            "Payloads and states of its own events up to --up-to cannot be "
            "read any more once this is done, which it does only with --yes. "
            "They go from the disk when the store is settled next: store "
            "compact does that at once. That the events were there stays, with "
            "names, times, actors and metadata, and so does every proof.\n\n"
            "The newest state stays: delete the machine first to erase all of "
            "it. A state saved later may still contain what was erased; forks "
            "and backups keep what they have.",
        .example = "machine erase user:7 --up-to 12 --yes",
        .run = cli_machine_erase,
    },
    {
        .noun = "hold",
        .verb = "set",
        .args = "NAME [ID]",
        .args_min = 1,
        .args_max = 2,
        .store = CLI_STORE_EXISTING,
        .names_machine = true,
        .options = {CLI_OPT_LEVEL},
        .summary = "keep all of a machine, or of the store",
        .help = "Until the hold is released nothing of its history is dropped "
                "or erased, whoever asks.",
        .example = "hold set case-7 game:1",
        .run = cli_hold_set,
    },
    {
        .noun = "hold",
        .verb = "list",
        .args = "",
        .store = CLI_STORE_READ,
        .summary = "list what is held",
        .help = "A line has the hold's name, the machine, or nothing for the "
                "whole store, and since when, parted by tabs.",
        .example = "hold list",
        .run = cli_hold_list,
    },
    {
        .noun = "hold",
        .verb = "release",
        .args = "NAME",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_EXISTING,
        .options = {CLI_OPT_LEVEL, CLI_OPT_YES},
        .summary = "end a hold",
        .help = "Prints what it is about to do, and does it only with --yes: "
                "from then on rules may drop what was held.",
        .example = "hold release case-7 --yes",
        .run = cli_hold_release,
    },
    {
        .noun = "checkpoint",
        .verb = "set",
        .args = "[NAME [ID]]",
        .args_max = 2,
        .store = CLI_STORE_EXISTING,
        .names_machine = true,
        .options = {CLI_OPT_AT_POINT, CLI_OPT_RECORDED, CLI_OPT_METADATA,
                    CLI_OPT_REPLACE, CLI_OPT_LEVEL},
        .summary = "name a point of a machine or of the store",
        .help = "Without ID it names a cut of the whole store: every machine "
                "as it is now. An empty or absent NAME becomes checkpoint_ and "
                "the time. A name in use is refused unless --replace is given. "
                "Names of one machine do not meet those of another.",
        .example = "checkpoint set before-the-deal game:1\n"
                   "checkpoint set nightly",
        .run = cli_checkpoint_set,
    },
    {
        .noun = "checkpoint",
        .verb = "list",
        .args = "[ID]",
        .args_max = 1,
        .store = CLI_STORE_READ,
        .names_machine = true,
        .summary = "list a machine's or the store's checkpoints",
        .help = "With ID those of that machine, without it those of the whole "
                "store.",
        .example = "checkpoint list game:1",
        .run = cli_checkpoint_list,
    },
    {
        .noun = "checkpoint",
        .verb = "show",
        .args = "NAME [ID]",
        .args_min = 1,
        .args_max = 2,
        .store = CLI_STORE_READ,
        .names_machine = true,
        .summary = "show what a checkpoint names",
        .example = "checkpoint show before-the-deal game:1",
        .run = cli_checkpoint_show,
    },
    {
        .noun = "checkpoint",
        .verb = "restore",
        .args = "NAME ID",
        .args_min = 2,
        .args_max = 2,
        .store = CLI_STORE_EXISTING,
        .names_machine = true,
        .options = {EVENT_OPTIONS, CLI_OPT_EXPECT},
        .summary = "make a state what it was at a checkpoint",
        .help = "One restored event; what happened since stays in the history. "
                "NAME is the machine's, or, where it has none, the whole "
                "store's.",
        .example = "checkpoint restore before-the-deal game:1",
        .run = cli_checkpoint_restore,
    },
    {
        .noun = "checkpoint",
        .verb = "delete",
        .args = "NAME [ID]",
        .args_min = 1,
        .args_max = 2,
        .store = CLI_STORE_EXISTING,
        .names_machine = true,
        .options = {CLI_OPT_YES, CLI_OPT_LEVEL},
        .summary = "take a checkpoint's name away",
        .help = "Prints what it is about to do, and does it only with --yes. "
                "The history stays, and the plan tells the seq or position to "
                "set the name again.",
        .example = "checkpoint delete before-the-deal game:1 --yes",
        .run = cli_checkpoint_delete,
    },
    {
        .noun = "recover",
        .verb = "run",
        .args = "ID|PATTERN",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_READ,
        .names_machine = true,
        .options = {CLI_OPT_MODES, CLI_OPT_SNAPSHOT, CLI_OPT_TIME,
                    CLI_OPT_OF_VERSION, CLI_OPT_CHECKPOINT,
                    CLI_OPT_TRANSITIONS_MAX, CLI_OPT_TO_MACHINE, CLI_OPT_ADOPT,
                    CLI_OPT_ACTOR, CLI_OPT_KEY, CLI_OPT_LEVEL},
        .summary = "find the best state that can be had",
        .help =
            "Goes to the point that a mode names, and past what is damaged "
            "there to the newest state before it. Tells what was used, what is "
            "missing and why; changes nothing without --to or --adopt. An "
            "argument that is no machine's id is a pattern, and each machine "
            "that matches is recovered. Exit code 0: reached; 1: nothing is "
            "there, or the limit came first; 4: something is damaged.",
        .example = "recover run game:1\n"
                   "recover run game:1 --mode before_error,latest --adopt\n"
                   "recover run 'game:*' --json",
        .run = cli_recover_run,
    },
    {
        .noun = "recover",
        .verb = "points",
        .args = "ID",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_READ,
        .names_machine = true,
        .summary = "list the points that recovery can go to",
        .help = "A line has the recovery id (a seq, or @ and a checkpoint's "
                "name), the seq, the time and how many transitions led there.",
        .example = "recover points game:1",
        .run = cli_recover_points,
    },
    {
        .noun = "recover",
        .verb = "history",
        .args = "[PATTERN]",
        .args_max = 1,
        .store = CLI_STORE_READ,
        .names_machine = true,
        .summary = "list the recoveries that were adopted",
        .example = "recover history 'game:*'",
        .run = cli_recover_history,
    },
    {
        .noun = "feed",
        .args = "",
        .store = CLI_STORE_READ,
        .names_machine = true,
        .options = {CLI_OPT_FROM_POINT, CLI_OPT_MATCH, CLI_OPT_KIND,
                    CLI_OPT_LIMIT, CLI_OPT_FOLLOW},
        .summary = "print all events in order of position, and what comes",
        .help =
            "Nothing is left out: what was dropped or erased is printed as "
            "such. The position after the last one is the --from to go on "
            "from.\n\n"
            "With --follow it does not end, but looks every 0.1 to 1 s for "
            "what a writer added. It shows what is known to be durable, which "
            "is up to a second behind a writer who pauses.",
        .example = "feed --from 1 --match 'game:*' --json --follow",
        .run = cli_feed,
    },
    {
        .noun = "consumer",
        .verb = "list",
        .args = "",
        .store = CLI_STORE_READ,
        .summary = "list the consumers, and how far each one is",
        .help = "A line has the name, the pattern, the position acknowledged, "
                "how many positions that is behind, and how many events are "
                "parked, parted by tabs.",
        .example = "consumer list",
        .run = cli_consumer_list,
    },
    {
        .noun = "consumer",
        .verb = "show",
        .args = "NAME",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_READ,
        .summary = "show all that is known of a consumer",
        .help = "events_behind is counted by reading them.",
        .example = "consumer show mail --json",
        .run = cli_consumer_show,
    },
    {
        .noun = "consumer",
        .verb = "fetch",
        .args = "NAME",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_EXISTING,
        .names_machine = true,
        .options = {CLI_OPT_MATCH, CLI_OPT_FROM_POINT, CLI_OPT_LIMIT,
                    CLI_OPT_ACK, CLI_OPT_LEVEL},
        .summary = "print the events that were not acknowledged",
        .help = "Makes the consumer when there is none of that name: --match "
                "and --from say of what and from where. What is not "
                "acknowledged, by --ack or by consumer ack, is printed again "
                "the next time. What is given back and not yet due ends the "
                "output.",
        .example = "consumer fetch mail --match 'game:*' --limit 100 --ack",
        .run = cli_consumer_fetch,
    },
    {
        .noun = "consumer",
        .verb = "ack",
        .args = "NAME",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_EXISTING,
        .options = {CLI_OPT_POSITION, CLI_OPT_LEVEL},
        .summary = "acknowledge events up to a position",
        .help = "Prints the position up to which all is acknowledged.",
        .example = "consumer ack mail --position 1207",
        .run = cli_consumer_ack,
    },
    {
        .noun = "consumer",
        .verb = "reset",
        .args = "NAME",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_EXISTING,
        .options = {CLI_OPT_FROM_POINT, CLI_OPT_LEVEL},
        .summary = "have a consumer begin again, or elsewhere",
        .help = "Without --from all of it is handed out again. What is parked "
                "stays so.",
        .example = "consumer reset mail --from 1200",
        .run = cli_consumer_reset,
    },
    {
        .noun = "consumer",
        .verb = "parked",
        .args = "NAME",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_READ,
        .summary = "list the events that a consumer could not deal with",
        .help = "A line has the position, the machine, the seq and the reason, "
                "parted by tabs.",
        .example = "consumer parked mail",
        .run = cli_consumer_parked,
    },
    {
        .noun = "consumer",
        .verb = "release",
        .args = "NAME",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_EXISTING,
        .options = {CLI_OPT_POSITION, CLI_OPT_LEVEL},
        .summary = "take a parked event off the list",
        .help = "It was dealt with, or never will be; it is not handed out "
                "again.",
        .example = "consumer release mail --position 1203",
        .run = cli_consumer_release,
    },
    {
        .noun = "consumer",
        .verb = "delete",
        .args = "NAME",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_EXISTING,
        .options = {CLI_OPT_LEVEL, CLI_OPT_YES},
        .summary = "delete a consumer with what it has parked",
        .help = "Prints what it is about to do, and does it only with --yes. "
                "No event is lost, but that somebody dealt with it is.",
        .example = "consumer delete mail --yes",
        .run = cli_consumer_delete,
    },
    {
        .noun = "log",
        .verb = "query",
        .args = "[PATTERN]",
        .args_max = 1,
        .store = CLI_STORE_READ,
        .names_machine = true,
        .options = {CLI_OPT_KIND, CLI_OPT_SINCE, CLI_OPT_UNTIL, CLI_OPT_FROM,
                    CLI_OPT_TO, CLI_OPT_ACTION, CLI_OPT_ACTOR, CLI_OPT_TYPE,
                    CLI_OPT_CORRELATION, CLI_OPT_ERRORS, CLI_OPT_FROM_POSITION,
                    CLI_OPT_TO_POSITION, CLI_OPT_LIMIT, CLI_OPT_NEWEST_FIRST},
        .summary = "print the events of many machines",
        .help = "An event is printed when it meets every option given. The "
                "position after the last one is the --from-position to go on "
                "from.",
        .example = "log query 'game:*' --action deal --since "
                   "2026-11-20T00:00:00Z",
        .run = cli_log_query,
    },
    {
        .noun = "log",
        .verb = "stats",
        .args = "[PATTERN]",
        .args_max = 1,
        .store = CLI_STORE_READ,
        .names_machine = true,
        .options = {CLI_OPT_FROM_POSITION, CLI_OPT_TO_POSITION},
        .summary = "count the transitions of many machines",
        .example = "log stats 'game:*' --json",
        .run = cli_log_stats,
    },
    {
        .noun = "log",
        .verb = "flow",
        .args = "[PATTERN]",
        .args_max = 1,
        .store = CLI_STORE_READ,
        .names_machine = true,
        .options = {CLI_OPT_FLOW_FORMAT, CLI_OPT_FROM_POSITION,
                    CLI_OPT_TO_POSITION},
        .summary = "print which state follows which",
        .help = "An edge joins two transitions of one machine that follow each "
                "other; from is null for a machine's first one. mean_seconds "
                "is the time between the two. The svg format is drawn by the "
                "program dot of the package graphviz.",
        .example = "log flow --format svg > flow.svg",
        .run = cli_log_flow,
    },
    {
        .noun = "store",
        .verb = "info",
        .args = "",
        .store = CLI_STORE_READ,
        .summary = "print the numbers of a store",
        .example = "store info --json",
        .run = cli_store_info,
    },
    {
        .noun = "store",
        .verb = "verify",
        .args = "",
        .store = CLI_STORE_READ,
        .summary = "read everything and check it",
        .help = "Damage ends it with exit code 4 and names the file and the "
                "offset. Nothing is changed. Histories are those of machines, "
                "deleted ones too, and of the store's own names; one whose "
                "reducer is an application's stays unfolded.",
        .example = "store verify",
        .run = cli_store_verify,
    },
    {
        .noun = "store",
        .verb = "reindex",
        .args = "",
        .store = CLI_STORE_EXISTING,
        .summary = "rebuild the indexes from the records",
        .help = "Removes nothing: an index is a function of its own file's "
                "records.",
        .example = "store reindex",
        .run = cli_store_reindex,
    },
    {
        .noun = "store",
        .verb = "compact",
        .args = "",
        .store = CLI_STORE_EXISTING,
        .names_machine = true,
        .options = {CLI_OPT_KEEP_EVENTS, CLI_OPT_KEEP_AGE, CLI_OPT_MATCH,
                    CLI_OPT_YES},
        .summary = "settle all records: packed, by machine",
        .help =
            "Files that are finished are packed into one, and what was erased "
            "goes from the disk. A store in use does so by itself from time to "
            "time. No event is dropped, unless --keep-events or --keep-age "
            "asks for it.\n\n"
            "With one of those it prints what it is about to do, and does it "
            "only with --yes: of each machine that --match matches (else of "
            "all) it drops the events that either does not keep. The newest "
            "state stays, and so do states that have a checkpoint, points "
            "where forks left, what forks keep of their past, and everything "
            "that is held. The store is told nothing: the next compact keeps "
            "what is there, unless it is asked again.",
        .example = "store compact\n"
                   "store compact --keep-events 1000 --match 'bot:*' --yes\n"
                   "store compact --keep-age 90d --yes",
        .run = cli_store_compact,
    },
    {
        .noun = "store",
        .verb = "salvage",
        .args = "",
        .store = CLI_STORE_READ,
        .options = {CLI_OPT_OUT},
        .summary = "save what is left of a damaged store",
        .help =
            "Writes all events that can be told for certain into a new store, "
            "with their seqs and positions, and prints what is lost: of each "
            "file from which byte on, of each machine from which seq on. In "
            "place of a lost event, and of one whose state only a lost one "
            "told, the new store answers that it was dropped. The damaged "
            "store is only read. The exit code is 0 when nothing was lost, "
            "and 4 when something was.",
        .example = "store salvage --out ./saved",
        .run = cli_store_salvage,
    },
    {
        .noun = "store",
        .verb = "verify-proof",
        .args = "FILE|-",
        .args_min = 1,
        .args_max = 1,
        .options = {CLI_OPT_HEAD},
        .summary = "check a proof; needs no store",
        .help =
            "Computes the hash chain of a history that export --proof wrote, "
            "and prints what is proven. That it is the right history only a "
            "head tells that you have from elsewhere: a chain_head of machine "
            "show, perhaps of long ago. With --head it is looked for.",
        .example = "store verify-proof game-1.proof",
        .run = cli_store_verify_proof,
    },
    {
        .noun = "backup",
        .verb = "create",
        .args = "DIR",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_READ,
        .options = {CLI_OPT_FULL},
        .summary = "add a backup of the store to a folder",
        .help = "The store may be in use: the backup is the store at a "
                "position, and nobody waits for it. Files that an earlier "
                "backup in DIR has are not copied again. After an interrupted "
                "one the next goes on with what was copied.\n\n"
                "Any read verb reads a backup in its place: "
                "--store backup:DIR, or backup:DIR#N.",
        .example = "backup create /mnt/backup/games",
        .run = cli_backup_create,
    },
    {
        .noun = "backup",
        .verb = "list",
        .args = "DIR",
        .args_min = 1,
        .args_max = 1,
        .summary = "list the backups in a folder",
        .help = "Of each its number, the store's newest position in it, when "
                "it was taken, the bytes of its files, and of those it was the "
                "first to need.",
        .example = "backup list /mnt/backup/games",
        .run = cli_backup_list,
    },
    {
        .noun = "backup",
        .verb = "verify",
        .args = "DIR",
        .args_min = 1,
        .args_max = 1,
        .options = {CLI_OPT_BACKUP},
        .summary = "read a backup and check all of it",
        .help = "Every file against its checksums, then everything that store "
                "verify looks at, as if it were restored. Takes no space.",
        .example = "backup verify /mnt/backup/games",
        .run = cli_backup_verify,
    },
    {
        .noun = "backup",
        .verb = "restore",
        .args = "DIR",
        .args_min = 1,
        .args_max = 1,
        .store = CLI_STORE_EXISTING,
        .names_machine = true,
        .options = {CLI_OPT_OUT, CLI_OPT_TO_POINT, CLI_OPT_BACKUP,
                    CLI_OPT_MACHINE, CLI_OPT_AS, CLI_OPT_LEVEL},
        .summary = "make a store, or one machine, from a backup",
        .help = "With --out DIR it makes a store there, with a uuid of its "
                "own. --to is a position, or a time of the store's clock: the "
                "store ends with the last event until then whose batch ends by "
                "then, too.\n\n"
                "With --machine ID and --as NEWID it gives one machine to "
                "--store: as a fork where that store still has the history, "
                "else by writing its events again.",
        .example = "backup restore /mnt/backup/games --out ./games-again\n"
                   "backup restore /mnt/backup/games --out ./games-then --to "
                   "2026-11-19T18:00:00Z\n"
                   "backup restore /mnt/backup/games --machine game:1 --as "
                   "game:1-saved",
        .run = cli_backup_restore,
    },
    {
        .noun = "backup",
        .verb = "prune",
        .args = "DIR",
        .args_min = 1,
        .args_max = 1,
        .options = {CLI_OPT_KEEP, CLI_OPT_YES},
        .summary = "remove old backups",
        .help = "All but the newest --keep, and the files that no backup left "
                "needs.",
        .example = "backup prune /mnt/backup/games --keep 7 --yes",
        .run = cli_backup_prune,
    },
    {
        .noun = "import",
        .args = "FILE...",
        .args_min = 1,
        .args_max = -1,
        .store = CLI_STORE_CREATE,
        .names_machine = true,
        .options = {CLI_OPT_LOG_FORMAT, CLI_OPT_PREFIX, CLI_OPT_CASE_COLUMN,
                    CLI_OPT_ACTIVITY_COLUMN, CLI_OPT_TIMESTAMP_COLUMN,
                    CLI_OPT_RESOURCE_COLUMN, CLI_OPT_KEEP_UNKNOWN,
                    CLI_OPT_LEVEL},
        .summary = "store the events of XES, CSV, JSON Lines",
        .help =
            "FILE may end in .gz, or be - for stdin. A trace of XES or a case "
            "of CSV is a machine and its events are transitions; a line of "
            "JSON Lines is a save or a transition. A second import of the "
            "same file stores nothing twice, also after it was killed.",
        .example = "import receipt.xes.gz --prefix permit:",
        .run = cli_import,
    },
    {
        .noun = "export",
        .args = "[PATTERN] | ID --proof",
        .args_max = 1,
        .store = CLI_STORE_READ,
        .names_machine = true,
        .options = {CLI_OPT_LOG_FORMAT, CLI_OPT_DELETED, CLI_OPT_PROOF},
        .summary = "print histories as XES, CSV, JSON Lines",
        .help = "In order of ids, each machine from its first event on. What "
                "is printed imports again as the same histories.\n\n"
                "With --proof it prints the settled events of one machine, "
                "those that it inherited included, as links of its hash chain: "
                "store verify-proof checks them, without this store.",
        .example = "export 'permit:*' --format xes > permits.xes\n"
                   "export game:1 --proof > game-1.proof",
        .run = cli_export,
    },
    {
        .noun = "config",
        .verb = "check",
        .args = "[FILE]",
        .args_max = 1,
        .options = {CLI_OPT_CONFIG},
        .summary = "check a configuration",
        .help = "Without FILE that of every command: STET_CONFIG, else "
                "./stet.yaml, and the environment. Prints what was set and has "
                "no effect in this version. Ends with 2 where no store would "
                "be opened.",
        .example = "config check stet.yaml",
        .run = cli_config_check,
    },
    {
        .noun = "config",
        .verb = "show",
        .args = "[FILE]",
        .args_max = 1,
        .options = {CLI_OPT_CONFIG},
        .summary = "print the effective values and who said them",
        .help = "Of several who say one the program goes before the "
                "environment, that before the file, that before a profile, "
                "that before the default. docs/CONFIG.md tells of each key.",
        .example = "config show --json",
        .run = cli_config_show,
    },
    {
        .noun = "metrics",
        .args = "[ID]",
        .args_max = 1,
        .store = CLI_STORE_READ,
        .names_machine = true,
        .options = {CLI_OPT_PROMETHEUS},
        .summary = "print numbers of the store, or of one machine",
        .help = "What the store knows for good: machines, events, bytes; of a "
                "machine what its whole history tells. Loads, hits, times and "
                "queues are counted by each process for itself, from when it "
                "opens the store, and stored nowhere: of a program that runs "
                "this tells nothing, and of this command itself next to "
                "nothing. A program asks for its own with stet_get_metrics and "
                "stet_metrics_prometheus.",
        .example = "metrics --json\n"
                   "metrics game:1\n"
                   "metrics --prometheus > /var/lib/node_exporter/stet.prom",
        .run = cli_metrics,
    },
    {
        .noun = "doctor",
        .args = "",
        .store = CLI_STORE_READ,
        .summary = "look at the store and where it is",
        .help = "Opens the store read-only and changes nothing. Ends with the "
                "exit code of what it found.",
        .example = "doctor --store /var/lib/stet",
        .run = cli_doctor,
    },
    {
        .noun = "explain",
        .args = "[WORD]",
        .args_max = 1,
        .summary = "tell what a word means and is called",
        .help = "Without WORD it lists the words.",
        .example = "explain reducer",
        .run = cli_explain,
    },
    {
        .noun = "help",
        .args = "[NOUN [VERB]]",
        .args_max = 2,
        .options = {CLI_OPT_MAN, CLI_OPT_COMPLETION},
        .summary = "tell how to use stet",
        .example = "help machine step\n"
                   "help --man > stet.1\n"
                   "help --completion bash > /etc/bash_completion.d/stet",
        .run = cli_help,
    },
    {
        .noun = "version",
        .args = "",
        .summary = "print the version",
        .run = cli_version,
    },
};

const size_t cli_command_count = sizeof cli_commands / sizeof cli_commands[0];

size_t cli_command_options(const cli_command *command,
                           cli_option_id out[CLI_OPT_COUNT])
{
    size_t count = 0;
    bool has_store = true;
    bool has_namespace = true;
    if (command != NULL) {
        while (command->options[count] != CLI_OPT_END) {
            out[count] = command->options[count];
            count++;
        }
        has_store = command->store != CLI_STORE_NONE;
        has_namespace = command->names_machine;
    }
    if (has_namespace) {
        out[count++] = CLI_OPT_NAMESPACE;
    }
    if (has_store) {
        out[count++] = CLI_OPT_STORE;
        out[count++] = CLI_OPT_CONFIG;
    }
    out[count++] = CLI_OPT_JSON;
    out[count++] = CLI_OPT_HELP;
    return count;
}

const cli_command *cli_noun_find(const char *noun)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        if (strcmp(cli_commands[i].noun, noun) == 0) {
            return &cli_commands[i];
        }
    }
    return NULL;
}

const cli_command *cli_command_find(const char *noun, const char *verb)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        const cli_command *c = &cli_commands[i];
        bool is_verb = (verb == NULL || c->verb == NULL)
                           ? verb == c->verb
                           : strcmp(verb, c->verb) == 0;
        if (is_verb && strcmp(c->noun, noun) == 0) {
            return c;
        }
    }
    return NULL;
}

void cli_command_name(const cli_command *command, char out[CLI_NAME_MAX])
{
    bool has_verb = command->verb != NULL;
    int len = snprintf(out, CLI_NAME_MAX, "%s%s%s", command->noun,
                       has_verb ? " " : "", has_verb ? command->verb : "");
    STET_ASSERT(len > 0 && len < CLI_NAME_MAX);
}
