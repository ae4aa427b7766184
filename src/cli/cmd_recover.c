/*
 * recover run, points, history.
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/glob.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/view.h"

/* ---- what is asked for ---- */

/* The modes of "latest,snapshot"; `*out_count` of them. */
static stet_status read_modes(const char *text,
                              stet_recovery_mode out[STET_RECOVERY_MODES_MAX],
                              size_t *out_count, stet_error *err)
{
    *out_count = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        stet_recovery_mode mode = STET_RECOVER_LATEST;
        while (mode <= STET_RECOVER_CHECKPOINT &&
               !stet__slice_eq(stet_slice_of(text, len),
                               stet_str(stet_recovery_mode_name(mode)))) {
            mode++;
        }
        if (mode > STET_RECOVER_CHECKPOINT ||
            *out_count == STET_RECOVERY_MODES_MAX) {
            return stet__fail(err, STET_E_INVALID, 0,
                              "--mode %.*s: up to %d of latest, snapshot, "
                              "point_in_time, before_error, version and "
                              "checkpoint, parted by commas",
                              (int)(len < 40 ? len : 40), text,
                              STET_RECOVERY_MODES_MAX);
        }
        out[(*out_count)++] = mode;
        text += len + (text[len] == ',');
    }
    return STET_OK;
}

/* A mode without the point that it goes to. */
static stet_status check_points(const cli_ctx *ctx, const stet_recovery_opts *o,
                                stet_error *err)
{
    static const struct {
        stet_recovery_mode mode;
        cli_option_id option;
    } needed[] = {
        {STET_RECOVER_POINT_IN_TIME, CLI_OPT_TIME},
        {STET_RECOVER_VERSION, CLI_OPT_OF_VERSION},
        {STET_RECOVER_CHECKPOINT, CLI_OPT_CHECKPOINT},
    };
    for (size_t i = 0; i < o->mode_count; i++) {
        for (size_t k = 0; k < sizeof needed / sizeof *needed; k++) {
            if (o->modes[i] == needed[k].mode &&
                !cli_is_given(ctx, needed[k].option)) {
                return stet__fail(err, STET_E_INVALID, 0, "mode %s needs --%s",
                                  stet_recovery_mode_name(o->modes[i]),
                                  cli_options[needed[k].option].name);
            }
        }
    }
    return STET_OK;
}

static stet_status read_opts(const cli_ctx *ctx,
                             stet_recovery_mode modes[STET_RECOVERY_MODES_MAX],
                             stet_recovery_opts *out, stet_error *err)
{
    *out = (stet_recovery_opts){
        .struct_size = sizeof *out,
        .modes = modes,
        .snapshot_seq = cli_number(ctx, CLI_OPT_SNAPSHOT, 0),
        .time = ctx->options[CLI_OPT_TIME].time,
        .version = cli_text(ctx, CLI_OPT_OF_VERSION),
        .checkpoint = cli_text(ctx, CLI_OPT_CHECKPOINT),
        .transitions_max = cli_number(ctx, CLI_OPT_TRANSITIONS_MAX, 0),
        .ns = ctx->ns,
    };
    const char *text = ctx->options[CLI_OPT_MODES].text;
    stet_status st = read_modes(text == NULL ? "latest" : text, modes,
                                &out->mode_count, err);
    return st == STET_OK ? check_points(ctx, out, err) : st;
}

/* ---- what came of it ---- */

static void put_json(FILE *out, stet_slice id, const stet_recovery *r,
                     const stet_written *written)
{
    json_out j = json_out_to(out);
    json_begin_object(&j, NULL);
    json_str(&j, "state_machine_id", id);
    json_str(&j, "status", stet_str(stet_recovery_status_name(r->status)));
    json_str(&j, "mode", stet_str(stet_recovery_mode_name(r->mode)));
    json_str_or_null(&j, "used", stet_str(stet_recovery_means_name(r->means)));
    json_u64(&j, "wanted_seq", r->wanted_seq);
    json_u64(&j, "reached_seq", r->reached_seq);
    json_u64(&j, "base_seq", r->base_seq);
    json_u64(&j, "replayed", r->replayed);
    json_u64(&j, "skipped", r->skipped);
    if (r->error_seq > 0) {
        json_u64(&j, "error_seq", r->error_seq);
    } else {
        json_null(&j, "error_seq");
    }
    json_str_or_null(&j, "reason", stet_str(r->reason));
    if (r->state != NULL) {
        json_str_or_null(&j, "current_state", r->state->current_state);
        json_embed(&j, "state_data", r->state->state_data);
    }
    if (written->seq > 0) {
        json_u64(&j, "written_seq", written->seq);
    }
    json_end_object(&j);
    json_end_line(&j);
}

static void put_text(FILE *out, stet_slice id, const stet_recovery *r,
                     const stet_written *written)
{
    cli_put_text(out, id);
    fprintf(out, "\t%s\t%s", stet_recovery_status_name(r->status),
            stet_recovery_mode_name(r->mode));
    if (r->reached_seq > 0) {
        fprintf(out, "\tseq %" PRIu64 " of %" PRIu64 ", from %s %" PRIu64,
                r->reached_seq, r->wanted_seq,
                r->replayed == 0 ? "snapshot" : "base", r->base_seq);
    }
    if (r->reason[0] != '\0') {
        fputc('\t', out);
        cli_put_text(out, stet_str(r->reason));
    }
    if (written->seq > 0) {
        fprintf(out, "\twritten as seq %" PRIu64, written->seq);
    }
    fputc('\n', out);
}

/* Damage decides the exit code, then a no. */
static stet_status status_of(const stet_recovery *r)
{
    switch (r->status) {
    case STET_RECOVERY_SUCCESS:
        return STET_OK;
    case STET_RECOVERY_PARTIAL:
        return stet_status_kind(r->cause) == STET_KIND_DATA ? STET_E_CORRUPT
                                                            : STET_E_PARTIAL;
    case STET_RECOVERY_FAILED:
        return r->cause;
    case STET_RECOVERY_NOT_FOUND:
        return STET_E_NOT_FOUND;
    }
    return STET_E_CORRUPT;
}

/* Go on with it where that is asked for. */
static stet_status go_on(cli_ctx *ctx, stet_slice id, const stet_recovery *r,
                         stet_written *out, stet_error *err)
{
    stet_write_opts write = {
        .struct_size = sizeof write,
        .more = {.actor_id = cli_text(ctx, CLI_OPT_ACTOR), .ns = ctx->ns},
        .key = cli_text(ctx, CLI_OPT_KEY),
    };
    if (r->state == NULL) {
        return STET_OK;
    }
    if (cli_is_given(ctx, CLI_OPT_ADOPT)) {
        return stet_recovery_adopt(ctx->store, r, &write, out, err);
    }
    if (!cli_is_given(ctx, CLI_OPT_TO_MACHINE)) {
        return STET_OK;
    }
    stet_fork_opts fork = {
        .struct_size = sizeof fork,
        .at = {.kind = STET_AT_SEQ, .seq = r->reached_seq},
        .write = write,
    };
    return stet_fork(ctx->store, id, cli_text(ctx, CLI_OPT_TO_MACHINE), &fork,
                     out, err);
}

static stet_status recover_one(cli_ctx *ctx, stet_slice id,
                               const stet_recovery_opts *opts,
                               stet_status *out_answer, stet_error *err)
{
    stet_recovery *r = NULL;
    stet_written written = {0};
    stet_status st = stet_recover(ctx->store, id, opts, &r, err);
    if (st != STET_OK) {
        return st;
    }
    st = go_on(ctx, id, r, &written, err);
    if (ctx->is_json) {
        put_json(ctx->out, id, r, &written);
    } else {
        put_text(ctx->out, id, r, &written);
    }
    *out_answer = status_of(r);
    if (st == STET_OK && *out_answer != STET_OK) {
        (void)stet__fail(err, *out_answer, 0, "%.*s: %s: %s",
                         (int)(id.len < 64 ? id.len : 64), (const char *)id.ptr,
                         stet_recovery_status_name(r->status), r->reason);
    }
    stet_recovery_free(r);
    return st;
}

/* The worse of two answers: damage, then anything but OK. */
static stet_status worse(stet_status a, stet_status b)
{
    return cli_exit_code(b) > cli_exit_code(a) ? b : a;
}

static stet_status recover_matching(cli_ctx *ctx,
                                    const stet_recovery_opts *opts,
                                    stet_status *out_answer, stet_error *err)
{
    stet_keys_opts which = {
        .struct_size = sizeof which, .pattern = cli_arg(ctx, 0), .ns = ctx->ns};
    stet_keys *keys = NULL;
    const stet_key *key = NULL;
    stet_error worst = {0};
    uint64_t count = 0;
    *out_answer = STET_OK;
    stet_status st = stet_keys_open(ctx->store, &which, &keys, err);
    while (st == STET_OK && !ferror(ctx->out) &&
           (st = stet_keys_next(keys, &key, err)) == STET_OK) {
        stet_status answer = STET_OK;
        st = recover_one(ctx, key->id, opts, &answer, err);
        if (st == STET_OK && worse(*out_answer, answer) != *out_answer) {
            *out_answer = answer;
            worst = *err;
        }
        count++;
    }
    stet_keys_close(keys);
    if (st != STET_DONE) {
        return st;
    }
    if (count == 0) {
        *out_answer =
            stet__fail(&worst, STET_E_NOT_FOUND, 0,
                       "%s: no machine has this id or matches", ctx->args[0]);
    }
    *err = worst;
    return STET_OK;
}

stet_status cli_recover_run(cli_ctx *ctx, stet_error *err)
{
    stet_recovery_mode modes[STET_RECOVERY_MODES_MAX];
    stet_recovery_opts opts;
    bool is_forked = cli_is_given(ctx, CLI_OPT_TO_MACHINE);
    bool is_adopted = cli_is_given(ctx, CLI_OPT_ADOPT);
    stet_status st = read_opts(ctx, modes, &opts, err);
    if (st == STET_OK && is_forked && is_adopted) {
        st = stet__fail(err, STET_E_INVALID, 0,
                        "--to and --adopt: one of them, not both");
    }
    if (st != STET_OK) {
        return st;
    }
    ctx->store_use =
        is_forked || is_adopted ? CLI_STORE_EXISTING : CLI_STORE_READ;
    st = cli_open(ctx, err);
    if (st != STET_OK) {
        return st;
    }
    stet_slice id = cli_arg(ctx, 0);
    stet_history *there = NULL;
    stet_history_opts of = {.struct_size = sizeof of, .ns = ctx->ns};
    stet_status answer = STET_OK;
    bool is_pattern = stet_history_open(ctx->store, id, &of, &there, NULL) ==
                      STET_E_NOT_FOUND;
    stet_history_close(there);
    if (is_pattern && is_forked) {
        return stet__fail(err, STET_E_NOT_FOUND, 0,
                          "%s: no machine has this id; --to takes one",
                          ctx->args[0]);
    }
    st = is_pattern ? recover_matching(ctx, &opts, &answer, err)
                    : recover_one(ctx, id, &opts, &answer, err);
    return st == STET_OK ? answer : st;
}

/* ---- points ---- */

static void put_point(const cli_ctx *ctx, const stet_recovery_point *p)
{
    if (!ctx->is_json) {
        cli_put_text(ctx->out, stet_str(p->recovery_id));
        fprintf(ctx->out, "\tseq %" PRIu64 "\t", p->seq);
        view_time(ctx->out, p->timestamp);
        fprintf(ctx->out, "\t%" PRIu64 " transitions\n", p->transition_count);
        return;
    }
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_str(&j, "recovery_id", stet_str(p->recovery_id));
    json_u64(&j, "seq", p->seq);
    json_time(&j, "timestamp", p->timestamp);
    json_u64(&j, "transition_count", p->transition_count);
    json_bool(&j, "is_snapshot", p->is_snapshot);
    json_embed_if(&j, "metadata", p->metadata);
    json_end_object(&j);
    json_end_line(&j);
}

stet_status cli_recover_points(cli_ctx *ctx, stet_error *err)
{
    stet_recovery_points *list = NULL;
    const stet_recovery_point *p = NULL;
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        st = stet_recovery_points_open(ctx->store, cli_arg(ctx, 0), ctx->ns,
                                       &list, err);
    }
    while (st == STET_OK && !ferror(ctx->out)) {
        st = stet_recovery_points_next(list, &p, err);
        if (st == STET_OK) {
            put_point(ctx, p);
        }
    }
    stet_recovery_points_close(list);
    return st == STET_DONE ? STET_OK : st;
}

/* ---- history ---- */

/* An adopted recovery says so in its event's metadata. */
static bool is_adopted(const stet_event *e)
{
    static const char begin[] = "{\"recovery\":";
    return e->kind == STET_EVENT_RESTORED &&
           e->metadata.len >= sizeof begin - 1 &&
           memcmp(e->metadata.ptr, begin, sizeof begin - 1) == 0;
}

/* List those of the positions [*at, to); `*at` is where it came to. */
static stet_status list_adopted(const cli_ctx *ctx, uint64_t *at, uint64_t to,
                                stet_error *err)
{
    stet_scan_opts which = {.struct_size = sizeof which,
                            .from_position = *at,
                            .to_position = to,
                            .ns = ctx->ns};
    stet_slice pattern = cli_arg(ctx, 0);
    stet_history *events = NULL;
    const stet_event *e = NULL;
    stet_status st = stet_scan_open(ctx->store, &which, &events, err);
    while (st == STET_OK && !ferror(ctx->out) &&
           (st = stet_history_next(events, &e, err)) == STET_OK) {
        *at = e->position + 1;
        if (!is_adopted(e) ||
            (pattern.len > 0 &&
             !stet__glob_match(pattern, e->state_machine_id))) {
            continue;
        }
        if (ctx->is_json) {
            view_event_json(ctx->out, e, false);
        } else {
            view_event_text(ctx->out, e, false);
        }
    }
    stet_history_close(events);
    return st == STET_DONE ? STET_OK : st;
}

/*
 * What cannot be read is passed by: who recovers has such. A walk reads ahead,
 * so the event that it stops at is read alone.
 */
stet_status cli_recover_history(cli_ctx *ctx, stet_error *err)
{
    stet_info info = {.struct_size = sizeof info};
    uint64_t at = 1;
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        st = stet_get_info(ctx->store, &info, err);
    }
    uint64_t end = info.events + 1;
    while (st == STET_OK && at < end) {
        st = list_adopted(ctx, &at, end, err);
        if (stet_status_kind(st) == STET_KIND_DATA) {
            uint64_t alone = at + 1;
            st = list_adopted(ctx, &at, alone, err);
            at = alone;
            st = stet_status_kind(st) == STET_KIND_DATA ? STET_OK : st;
        } else {
            at = end;
        }
    }
    return st;
}
