/*
 * View: states and events as people and programs read them.
 *
 * JSON keys are long field names (state_machine_id, to_state); seqs are
 * numbers, positions are strings, times RFC 3339 in UTC.
 */
#ifndef STET_CLI_VIEW_H
#define STET_CLI_VIEW_H

#include "cli/cli.h"
#include "cli/json_out.h"

/*
 * Write all there is to know of a state, as one line, and where its machine's
 * hash chain ends (NULL: nothing of that).
 */
void view_state_json(FILE *out, const stet_state *state,
                     const stet_chain_head *head);
/* The same for people: a name and a value a line. */
void view_state_text(FILE *out, const stet_state *state,
                     const stet_chain_head *head);

/*
 * Write an event as one line; with its state after it as the member "state"
 * (null when the machine is deleted there) where `with_state`.
 */
void view_event_json(FILE *out, const stet_event *event, bool with_state);
/* The same for people; the state, where asked for, on a line of its own. */
void view_event_text(FILE *out, const stet_event *event, bool with_state);

/* Write what a write got. */
void view_written(cli_ctx *ctx, stet_slice id, const stet_written *written);

/* Write bytes as lower-case digits. */
void view_hex(FILE *out, const uint8_t *bytes, size_t len);

/* Write one time for people. */
void view_time(FILE *out, int64_t ns);

#endif
