/*
 * consumer list, show, fetch, ack, reset, release, delete, parked.
 */
#include <inttypes.h>

#include "base/error.h"
#include "cli/view.h"

/* ---- looking ---- */

static void put_json(cli_ctx *ctx, const stet_consumer_info *c,
                     const uint64_t *events_behind)
{
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_str(&j, "name", c->name);
    json_str_or_null(&j, "pattern", c->pattern);
    json_u64(&j, "namespace", c->ns);
    json_bool(&j, "is_all_namespaces", c->is_all_namespaces);
    json_position(&j, "acked_position", c->acked_position);
    json_u64(&j, "positions_behind", c->positions_behind);
    if (events_behind != NULL) {
        json_u64(&j, "events_behind", *events_behind);
    }
    json_u64(&j, "parked", c->parked_count);
    if (c->retry_position != 0) {
        json_position(&j, "retry_position", c->retry_position);
        json_u64(&j, "retry_attempts", c->retry_attempts);
        json_time(&j, "retry_due", c->retry_due);
        json_str(&j, "retry_reason", c->retry_reason);
    }
    json_time(&j, "created_at", c->created_at);
    json_end_object(&j);
    json_end_line(&j);
}

static void put_line(cli_ctx *ctx, const stet_consumer_info *c)
{
    cli_put_text(ctx->out, c->name);
    fputc('\t', ctx->out);
    cli_put_text(ctx->out, c->pattern);
    fprintf(ctx->out, "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n",
            c->acked_position, c->positions_behind, c->parked_count);
}

stet_status cli_consumer_list(cli_ctx *ctx, stet_error *err)
{
    stet_consumers *list = NULL;
    const stet_consumer_info *c = NULL;
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        st = stet_consumers_open(ctx->store, stet_str(""), &list, err);
    }
    while (st == STET_OK && !ferror(ctx->out)) {
        st = stet_consumers_next(list, &c, err);
        if (st == STET_OK && ctx->is_json) {
            put_json(ctx, c, NULL);
        } else if (st == STET_OK) {
            put_line(ctx, c);
        }
    }
    stet_consumers_close(list);
    return st == STET_DONE ? STET_OK : st;
}

static void put_text(cli_ctx *ctx, const stet_consumer_info *c,
                     uint64_t events_behind)
{
    FILE *out = ctx->out;
    fputs("name              ", out);
    cli_put_text(out, c->name);
    fputs("\npattern           ", out);
    cli_put_text(out, c->pattern);
    fprintf(out, "\nacked_position    %" PRIu64, c->acked_position);
    fprintf(out, "\nevents_behind     %" PRIu64, events_behind);
    fprintf(out, "\nparked            %" PRIu64, c->parked_count);
    if (c->retry_position != 0) {
        fprintf(out, "\nretry_position    %" PRIu64, c->retry_position);
        fprintf(out, "\nretry_attempts    %u", c->retry_attempts);
        fputs("\nretry_due         ", out);
        view_time(out, c->retry_due);
        fputs("\nretry_reason      ", out);
        cli_put_text(out, c->retry_reason);
    }
    fputs("\ncreated_at        ", out);
    view_time(out, c->created_at);
    fputc('\n', out);
}

stet_status cli_consumer_show(cli_ctx *ctx, stet_error *err)
{
    stet_consumers *list = NULL;
    const stet_consumer_info *c = NULL;
    uint64_t behind = 0;
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        st = stet_consumer_lag(ctx->store, cli_arg(ctx, 0), 0, &behind, err);
    }
    if (st == STET_OK) {
        st = stet_consumers_open(ctx->store, cli_arg(ctx, 0), &list, err);
    }
    if (st == STET_OK) {
        st = stet_consumers_next(list, &c, err);
    }
    if (st == STET_OK && ctx->is_json) {
        put_json(ctx, c, &behind);
    } else if (st == STET_OK) {
        put_text(ctx, c, behind);
    }
    stet_consumers_close(list);
    return st;
}

static void put_parked(cli_ctx *ctx, const stet_parked *p)
{
    if (!ctx->is_json) {
        fprintf(ctx->out, "%" PRIu64 "\t", p->position);
        cli_put_text(ctx->out, p->state_machine_id);
        fprintf(ctx->out, "\t%" PRIu64 "\t", p->seq);
        cli_put_text(ctx->out, p->reason);
        fputc('\n', ctx->out);
        return;
    }
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_position(&j, "position", p->position);
    json_str(&j, "state_machine_id", p->state_machine_id);
    json_u64(&j, "namespace", p->ns);
    json_u64(&j, "seq", p->seq);
    json_u64(&j, "attempts", p->attempts);
    json_str(&j, "reason", p->reason);
    json_time(&j, "parked_at", p->parked_at);
    json_end_object(&j);
    json_end_line(&j);
}

stet_status cli_consumer_parked(cli_ctx *ctx, stet_error *err)
{
    stet_parkeds *list = NULL;
    const stet_parked *p = NULL;
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        st = stet_parkeds_open(ctx->store, cli_arg(ctx, 0), &list, err);
    }
    while (st == STET_OK && !ferror(ctx->out)) {
        st = stet_parkeds_next(list, &p, err);
        if (st == STET_OK) {
            put_parked(ctx, p);
        }
    }
    stet_parkeds_close(list);
    return st == STET_DONE ? STET_OK : st;
}

/* ---- working ---- */

static stet_status open_consumer(cli_ctx *ctx, const stet_consumer_opts *opts,
                                 stet_consumer **out, stet_error *err)
{
    stet_status st = cli_open(ctx, err);
    return st == STET_OK
               ? stet_consumer_open(ctx->store, cli_arg(ctx, 0), opts, out, err)
               : st;
}

static stet_status open_existing(cli_ctx *ctx, stet_consumer **out,
                                 stet_error *err)
{
    stet_consumer_opts opts = {.struct_size = sizeof opts,
                               .flags = STET_CONSUMER_EXISTING};
    return open_consumer(ctx, &opts, out, err);
}

/* Close it, whose own error goes behind that of the work. */
static stet_status end(stet_consumer *c, stet_status st, stet_error *err)
{
    stet_error cause = {0};
    stet_status closed = stet_consumer_close(c, &cause);
    if (st == STET_OK && closed != STET_OK) {
        *err = cause;
        st = closed;
    }
    return st;
}

/* Say how far it is by now. */
static void put_place(cli_ctx *ctx, uint64_t acked)
{
    if (!ctx->is_json) {
        fprintf(ctx->out, "%" PRIu64 "\n", acked);
        return;
    }
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_str(&j, "name", cli_arg(ctx, 0));
    json_position(&j, "acked_position", acked);
    json_end_object(&j);
    json_end_line(&j);
}

/* Print events; `*out_last` is the position of the last, 0: there was none. */
static stet_status print_events(cli_ctx *ctx, stet_consumer *c,
                                uint64_t *out_last, stet_error *err)
{
    uint64_t limit = cli_number(ctx, CLI_OPT_LIMIT, 0);
    uint64_t left = limit == 0 ? UINT64_MAX : limit;
    stet_status st = STET_OK;
    while (st == STET_OK && left > 0 && !ferror(ctx->out)) {
        stet_delivery d = {0};
        st = stet_consumer_fetch(c, 0, &d, err);
        if (st == STET_OK) {
            left--;
            *out_last = d.event->position;
            (ctx->is_json ? view_event_json : view_event_text)(ctx->out,
                                                               d.event, false);
        }
    }
    if (st == STET_E_TIMEOUT) { /* that was all for now */
        stet__error_reset(err);
        st = STET_OK;
    }
    return st;
}

stet_status cli_consumer_fetch(cli_ctx *ctx, stet_error *err)
{
    stet_consumer_opts opts = {
        .struct_size = sizeof opts,
        .pattern = cli_text(ctx, CLI_OPT_MATCH),
        .from_position = cli_number(ctx, CLI_OPT_FROM_POINT, 0),
        .ns = ctx->ns,
    };
    stet_consumer *c = NULL;
    uint64_t last = 0;
    stet_status st = open_consumer(ctx, &opts, &c, err);
    if (st == STET_OK) {
        st = print_events(ctx, c, &last, err);
    }
    if (st == STET_OK && last > 0 && cli_is_given(ctx, CLI_OPT_ACK)) {
        /* First what they are acknowledged for. */
        st = cli_flush(ctx->out, err);
        st = st == STET_OK ? stet_consumer_ack(c, last, NULL, err) : st;
    }
    return end(c, st, err);
}

static stet_status want_position(cli_ctx *ctx, uint64_t *out, stet_error *err)
{
    *out = cli_number(ctx, CLI_OPT_POSITION, 0);
    if (*out != 0) {
        return STET_OK;
    }
    cli_try(ctx, "--position N; consumer fetch and parked tell them");
    return stet__fail(err, STET_E_INVALID, 0, "%s: which event is not said",
                      ctx->args[0]);
}

/* Take events up to a position, of which one was handed out before. */
static stet_status take_up_to(stet_consumer *c, uint64_t position,
                              uint64_t *out_last, stet_error *err)
{
    stet_status st = STET_OK;
    while (st == STET_OK && *out_last < position) {
        stet_delivery d = {0};
        st = stet_consumer_fetch(c, 0, &d, err);
        if (st == STET_OK) {
            *out_last = d.event->position;
        }
    }
    if (st == STET_E_TIMEOUT) {
        st =
            stet__fail(err, STET_E_INVALID, 0,
                       "it has no event at position %" PRIu64 " yet", position);
    }
    return st;
}

static stet_status acked_of(cli_ctx *ctx, uint64_t *out, stet_error *err)
{
    stet_consumers *list = NULL;
    const stet_consumer_info *info = NULL;
    stet_status st =
        stet_consumers_open(ctx->store, cli_arg(ctx, 0), &list, err);
    if (st == STET_OK) {
        st = stet_consumers_next(list, &info, err);
    }
    if (st == STET_OK) {
        *out = info->acked_position;
    }
    stet_consumers_close(list);
    return st;
}

stet_status cli_consumer_ack(cli_ctx *ctx, stet_error *err)
{
    stet_consumer *c = NULL;
    uint64_t position = 0;
    uint64_t acked = 0;
    stet_status st = want_position(ctx, &position, err);
    if (st == STET_OK) {
        st = open_existing(ctx, &c, err);
    }
    if (st == STET_OK) {
        st = acked_of(ctx, &acked, err);
    }
    if (st == STET_OK && acked < position) {
        uint64_t last = acked;
        st = take_up_to(c, position, &last, err);
        acked = position;
    }
    if (st == STET_OK) {
        st = stet_consumer_ack(c, position, NULL, err);
    }
    st = end(c, st, err);
    if (st == STET_OK) {
        put_place(ctx, acked);
    }
    return st;
}

stet_status cli_consumer_reset(cli_ctx *ctx, stet_error *err)
{
    stet_consumer *c = NULL;
    uint64_t from = cli_number(ctx, CLI_OPT_FROM_POINT, 1);
    uint64_t acked = from == 0 ? 0 : from - 1;
    stet_status st = open_existing(ctx, &c, err);
    if (st == STET_OK) {
        st = stet_consumer_reset(c, acked, err);
    }
    st = end(c, st, err);
    if (st == STET_OK) {
        put_place(ctx, acked);
    }
    return st;
}

static void put_did(cli_ctx *ctx, const char *did)
{
    if (!ctx->is_json) {
        return;
    }
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_str(&j, "name", cli_arg(ctx, 0));
    json_bool(&j, did, true);
    json_end_object(&j);
    json_end_line(&j);
}

stet_status cli_consumer_release(cli_ctx *ctx, stet_error *err)
{
    stet_consumer *c = NULL;
    uint64_t position = 0;
    stet_status st = want_position(ctx, &position, err);
    if (st == STET_OK) {
        st = open_existing(ctx, &c, err);
    }
    if (st == STET_OK) {
        st = stet_consumer_release(c, position, err);
    }
    st = end(c, st, err);
    if (st == STET_OK) {
        put_did(ctx, "is_released");
    }
    return st;
}

stet_status cli_consumer_delete(cli_ctx *ctx, stet_error *err)
{
    uint64_t acked = 0;
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        st = acked_of(ctx, &acked, err);
    }
    if (st == STET_DONE) {
        st = stet__fail(err, STET_E_NOT_FOUND, 0, "no consumer %s",
                        ctx->args[0]);
    }
    if (st != STET_OK) {
        return st;
    }
    fputs("stet: deletes consumer ", stderr);
    cli_put_text(stderr, cli_arg(ctx, 0));
    fprintf(stderr, ", which is at position %" PRIu64 "\n", acked);
    if (!cli_is_given(ctx, CLI_OPT_YES)) {
        cli_try(ctx, "the same with --yes");
        return stet__fail(err, STET_E_INVALID, 0,
                          "%s: not deleted without --yes", ctx->args[0]);
    }
    st = stet_consumer_delete(ctx->store, cli_arg(ctx, 0), err);
    if (st == STET_OK) {
        put_did(ctx, "is_deleted");
    }
    return st;
}
