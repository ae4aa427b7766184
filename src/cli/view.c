#include "cli/view.h"

#include <inttypes.h>

#include "base/timetext.h"

static const int64_t ns_per_ms = 1000000;

void view_time(FILE *out, int64_t ns)
{
    char text[STET_TIME_TEXT_MAX];
    stet__time_format(ns, text);
    fputs(text, out);
}

/* What a state is, without where it comes from. */
static void put_state_members(json_out *j, const stet_state *s)
{
    uint8_t hash[32];
    stet_state_hash(s, hash);
    json_str_or_null(j, "state_type", s->state_type);
    json_str_or_null(j, "current_state", s->current_state);
    json_embed(j, "state_data", s->state_data);
    json_str_or_null(j, "version", s->version);
    json_embed_if(j, "metadata", s->metadata);
    json_u64(j, "bytes", s->state_data.len);
    json_hex(j, "hash", stet_slice_of(hash, sizeof hash));
}

void view_hex(FILE *out, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        fprintf(out, "%02x", bytes[i]);
    }
}

void view_state_json(FILE *out, const stet_state *state,
                     const stet_chain_head *head)
{
    json_out j = json_out_to(out);
    json_begin_object(&j, NULL);
    json_str(&j, "state_machine_id", state->state_machine_id);
    json_u64(&j, "namespace", state->ns);
    put_state_members(&j, state);
    json_u64(&j, "seq", state->seq);
    json_position(&j, "position", state->position);
    json_time(&j, "created_at", state->created_at);
    json_time(&j, "updated_at", state->updated_at);
    json_time(&j, "recorded_at", state->recorded_at);
    if (head != NULL) {
        json_hex(&j, "chain_head",
                 stet_slice_of(head->hash, sizeof head->hash));
        json_u64(&j, "chain_seq", head->seq);
    }
    json_end_object(&j);
    json_end_line(&j);
}

static void put_name(FILE *out, const char *name)
{
    fprintf(out, "%-17s ", name);
}

static void put_line(FILE *out, const char *name, stet_slice value)
{
    put_name(out, name);
    cli_put_text(out, value.len > 0 ? value : stet_str("-"));
    fputc('\n', out);
}

static void put_time_line(FILE *out, const char *name, int64_t ns)
{
    put_name(out, name);
    view_time(out, ns);
    fputc('\n', out);
}

/* The state's bytes on one line, where that is possible. */
static void put_state_data(FILE *out, const stet_state *s)
{
    if (!json_put_minified(out, s->state_data)) {
        fprintf(out, "(%zu bytes that are no JSON)", s->state_data.len);
    }
    fputc('\n', out);
}

void view_state_text(FILE *out, const stet_state *s,
                     const stet_chain_head *head)
{
    uint8_t hash[32];
    stet_state_hash(s, hash);
    put_line(out, "state_machine_id", s->state_machine_id);
    put_line(out, "state_type", s->state_type);
    put_line(out, "current_state", s->current_state);
    put_line(out, "version", s->version);
    put_name(out, "seq");
    fprintf(out, "%" PRIu64 "\n", s->seq);
    put_name(out, "position");
    fprintf(out, "%" PRIu64 "\n", s->position);
    put_time_line(out, "created_at", s->created_at);
    put_time_line(out, "updated_at", s->updated_at);
    put_time_line(out, "recorded_at", s->recorded_at);
    put_line(out, "metadata", s->metadata);
    put_name(out, "bytes");
    fprintf(out, "%zu\n", s->state_data.len);
    put_name(out, "hash");
    view_hex(out, hash, sizeof hash);
    fputc('\n', out);
    if (head != NULL) {
        put_name(out, "chain_head");
        view_hex(out, head->hash, sizeof head->hash);
        fprintf(out, " after seq %" PRIu64 "\n", head->seq);
    }
    put_name(out, "state_data");
    put_state_data(out, s);
}

/* Members that only some events have. */
static void put_event_rest(json_out *j, const stet_event *e)
{
    json_embed_if(j, "payload", e->payload);
    json_str_if(j, "type", stet_str(stet_transition_type_name(e->type)));
    json_str(j, "reducer", stet_str(stet_reducer_name(e->reducer)));
    json_str_if(j, "reducer_name", e->reducer_name);
    if (e->reducer_name.len > 0) {
        json_u64(j, "reducer_version", e->reducer_version);
    }
    json_str_if(j, "error", e->error);
    json_str_if(j, "correlation_id", e->correlation_id);
    json_str_if(j, "causation_id", e->causation_id);
    if (e->duration_ns != 0) {
        json_double(j, "duration_ms",
                    (double)e->duration_ns / (double)ns_per_ms);
    }
    json_str_if(j, "event_id", e->event_id);
    json_embed_if(j, "metadata", e->metadata);
    json_str_if(j, "state_type", e->state_type);
    json_str_if(j, "version", e->version);
    if (e->flags & STET_EVENT_PHASE_CHANGE) {
        json_bool(j, "phase_change", true);
    }
    if (e->flags & STET_EVENT_ERASED) {
        json_bool(j, "is_erased", true);
    }
    if (e->flags & STET_EVENT_GONE) {
        json_bool(j, "is_gone", true);
    }
}

void view_event_json(FILE *out, const stet_event *e, bool with_state)
{
    json_out j = json_out_to(out);
    json_begin_object(&j, NULL);
    json_str(&j, "state_machine_id", e->state_machine_id);
    json_u64(&j, "seq", e->seq);
    json_position(&j, "position", e->position);
    json_str(&j, "kind", stet_str(stet_event_kind_name(e->kind)));
    json_time(&j, "timestamp", e->timestamp);
    json_time(&j, "recorded_at", e->recorded_at);
    json_str_or_null(&j, "from_state", e->from_state);
    json_str_or_null(&j, "to_state", e->to_state);
    json_str_or_null(&j, "action", e->action);
    json_str_or_null(&j, "actor_id", e->actor_id);
    put_event_rest(&j, e);
    if (with_state && e->state == NULL) {
        json_null(&j, "state");
    } else if (with_state) {
        json_begin_object(&j, "state");
        put_state_members(&j, e->state);
        json_end_object(&j);
    }
    json_end_object(&j);
    json_end_line(&j);
}

static void put_word(FILE *out, const char *before, stet_slice word)
{
    if (word.len > 0) {
        fputs(before, out);
        cli_put_text(out, word);
    }
}

void view_event_text(FILE *out, const stet_event *e, bool with_state)
{
    cli_put_text(out, e->state_machine_id);
    fprintf(out, " %" PRIu64 "  ", e->seq);
    view_time(out, e->timestamp);
    fprintf(out, "  %s", stet_event_kind_name(e->kind));
    put_word(out, "  ", e->from_state);
    put_word(out, " -> ", e->to_state);
    put_word(out, "  ", e->action);
    put_word(out, "  by ", e->actor_id);
    put_word(out, "  error: ", e->error);
    fputs(e->flags & STET_EVENT_ERASED ? "  (erased)" : "", out);
    fputs(e->flags & STET_EVENT_GONE ? "  (dropped)" : "", out);
    fputc('\n', out);
    if (with_state) {
        fputs("    ", out);
        if (e->state != NULL) {
            put_state_data(out, e->state);
        } else {
            fputs("(none)\n", out);
        }
    }
}

void view_written(cli_ctx *ctx, stet_slice id, const stet_written *w)
{
    if (!ctx->is_json) {
        cli_put_text(ctx->out, id);
        fprintf(ctx->out, " seq %" PRIu64 "%s\n", w->seq,
                w->is_repeat ? " (stored before)" : "");
        return;
    }
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_str(&j, "state_machine_id", id);
    json_u64(&j, "seq", w->seq);
    json_position(&j, "position", w->position);
    json_str(&j, "level", stet_str(stet_level_name(w->level)));
    json_bool(&j, "is_repeat", w->is_repeat);
    json_end_object(&j);
    json_end_line(&j);
}
