/*
 * log query, stats, flow: events of many machines.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "base/error.h"
#include "cli/progress.h"
#include "cli/value.h"
#include "cli/view.h"

static stet_scan_opts scan_opts(const cli_ctx *ctx)
{
    stet_scan_opts opts = {
        .struct_size = sizeof opts,
        .pattern = cli_arg(ctx, 0),
        .from_position = cli_number(ctx, CLI_OPT_FROM_POSITION, 0),
        .to_position = cli_number(ctx, CLI_OPT_TO_POSITION, 0),
        .ns = ctx->ns,
    };
    if (cli_is_given(ctx, CLI_OPT_NEWEST_FIRST)) {
        opts.flags |= STET_HISTORY_NEWEST_FIRST;
    }
    return opts;
}

static bool is_text(const cli_ctx *ctx, cli_option_id id, stet_slice text)
{
    return !cli_is_given(ctx, id) || stet__slice_eq(cli_text(ctx, id), text);
}

/* An enum's values start at 1, the choices at 0, in the same order. */
static bool is_choice(const cli_ctx *ctx, cli_option_id id, unsigned value)
{
    return !cli_is_given(ctx, id) || cli_number(ctx, id, 0) + 1 == value;
}

static bool is_in_time(const cli_ctx *ctx, int64_t timestamp)
{
    const cli_value *since = &ctx->options[CLI_OPT_SINCE];
    const cli_value *until = &ctx->options[CLI_OPT_UNTIL];
    return (since->text == NULL || timestamp >= since->time) &&
           (until->text == NULL || timestamp < until->time);
}

static bool is_wanted(const cli_ctx *ctx, const stet_event *e)
{
    bool is_error = e->kind == STET_EVENT_FAILED || e->error.len > 0;
    return is_choice(ctx, CLI_OPT_KIND, (unsigned)e->kind) &&
           is_choice(ctx, CLI_OPT_TYPE, (unsigned)e->type) &&
           is_text(ctx, CLI_OPT_FROM, e->from_state) &&
           is_text(ctx, CLI_OPT_TO, e->to_state) &&
           is_text(ctx, CLI_OPT_ACTION, e->action) &&
           is_text(ctx, CLI_OPT_ACTOR, e->actor_id) &&
           is_text(ctx, CLI_OPT_CORRELATION, e->correlation_id) &&
           is_in_time(ctx, e->timestamp) &&
           (is_error || !cli_is_given(ctx, CLI_OPT_ERRORS));
}

stet_status cli_log_query(cli_ctx *ctx, stet_error *err)
{
    stet_status st = cli_open(ctx, err);
    if (st != STET_OK) {
        return st;
    }
    stet_scan_opts opts = scan_opts(ctx);
    uint64_t limit = cli_number(ctx, CLI_OPT_LIMIT, 0);
    uint64_t left = limit == 0 ? UINT64_MAX : limit;
    stet_history *scan = NULL;
    cli_progress progress;
    cli_progress_begin_beside(&progress, "query", ctx->out);
    st = stet_scan_open(ctx->store, &opts, &scan, err);
    while (st == STET_OK && left > 0 && !ferror(ctx->out)) {
        const stet_event *event = NULL;
        st = stet_history_next(scan, &event, err);
        if (st != STET_OK || !is_wanted(ctx, event)) {
            continue;
        }
        left--;
        if (ctx->is_json) {
            view_event_json(ctx->out, event, false);
        } else {
            view_event_text(ctx->out, event, false);
        }
    }
    stet_history_close(scan);
    cli_progress_end(&progress);
    return st == STET_DONE ? STET_OK : st;
}

static stet_status discover(cli_ctx *ctx, const stet_flow **out,
                            stet_error *err)
{
    stet_scan_opts opts = scan_opts(ctx);
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        cli_progress progress;
        cli_progress_begin(&progress, "discover");
        st = stet_flow_discover(ctx->store, &opts, out, err);
        cli_progress_end(&progress);
    }
    return st;
}

static void put_stats_json(FILE *out, const stet_flow *f)
{
    json_out j = json_out_to(out);
    json_begin_object(&j, NULL);
    json_u64(&j, "machines", f->machines);
    json_u64(&j, "transitions", f->transitions);
    json_u64(&j, "states", f->node_count);
    json_u64(&j, "actions", f->actions);
    json_u64(&j, "actors", f->actors);
    json_u64(&j, "errors", f->errors);
    if (f->transitions > 0) {
        json_time(&j, "first_timestamp", f->first_timestamp);
        json_time(&j, "last_timestamp", f->last_timestamp);
    }
    json_end_object(&j);
    json_end_line(&j);
}

static void put_stats_text(FILE *out, const stet_flow *f)
{
    fprintf(out, "machines     %" PRIu64 "\n", f->machines);
    fprintf(out, "transitions  %" PRIu64 "\n", f->transitions);
    fprintf(out, "states       %zu\n", f->node_count);
    fprintf(out, "actions      %" PRIu64 "\n", f->actions);
    fprintf(out, "actors       %" PRIu64 "\n", f->actors);
    fprintf(out, "errors       %" PRIu64 "\n", f->errors);
    if (f->transitions > 0) {
        fputs("from         ", out);
        view_time(out, f->first_timestamp);
        fputs("\nto           ", out);
        view_time(out, f->last_timestamp);
        fputc('\n', out);
    }
}

stet_status cli_log_stats(cli_ctx *ctx, stet_error *err)
{
    const stet_flow *flow = NULL;
    stet_status st = discover(ctx, &flow, err);
    if (st == STET_OK && ctx->is_json) {
        put_stats_json(ctx->out, flow);
    } else if (st == STET_OK) {
        put_stats_text(ctx->out, flow);
    }
    stet_flow_free(flow);
    return st;
}

static void put_flow_json(FILE *out, const stet_flow *f)
{
    json_out j = json_out_to(out);
    json_begin_object(&j, NULL);
    json_begin_list(&j, "nodes");
    for (size_t i = 0; i < f->node_count; i++) {
        json_begin_object(&j, NULL);
        json_str(&j, "state", f->nodes[i].state);
        json_u64(&j, "count", f->nodes[i].count);
        json_end_object(&j);
    }
    json_end_list(&j);
    json_begin_list(&j, "edges");
    for (size_t i = 0; i < f->edge_count; i++) {
        const stet_flow_edge *e = &f->edges[i];
        json_begin_object(&j, NULL);
        json_str_or_null(&j, "from", e->from);
        json_str(&j, "to", e->to);
        json_u64(&j, "count", e->count);
        json_double(&j, "mean_seconds", e->mean_seconds);
        json_end_object(&j);
    }
    json_end_list(&j);
    json_end_object(&j);
    json_end_line(&j);
}

/* A quoted string of the dot language; its labels give backslash a meaning. */
static void put_dot_text(FILE *out, stet_slice text)
{
    const char *p = text.ptr;
    for (size_t i = 0; i < text.len; i++) {
        if (p[i] == '"' || p[i] == '\\') {
            fputc('\\', out);
        }
        fputc((unsigned char)p[i] < 0x20 ? ' ' : p[i], out);
    }
}

static void put_duration(FILE *out, double seconds)
{
    static const struct {
        double seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t i = 0;
    while (i < 3 && seconds < units[i].seconds) {
        i++;
    }
    fprintf(out, "%.3g %s", seconds / units[i].seconds, units[i].unit);
}

/* The node "" is where machines begin: no state has an empty name. */
static void put_flow_dot(FILE *out, const stet_flow *f)
{
    fputs("digraph flow {\n"
          "    node [shape=box, style=rounded];\n"
          "    \"\" [shape=circle, label=\"\", width=0.2];\n",
          out);
    for (size_t i = 0; i < f->node_count; i++) {
        fputs("    \"", out);
        put_dot_text(out, f->nodes[i].state);
        fputs("\" [label=\"", out);
        put_dot_text(out, f->nodes[i].state);
        fprintf(out, "\\n%" PRIu64 "\"];\n", f->nodes[i].count);
    }
    for (size_t i = 0; i < f->edge_count; i++) {
        const stet_flow_edge *e = &f->edges[i];
        fputs("    \"", out);
        put_dot_text(out, e->from);
        fputs("\" -> \"", out);
        put_dot_text(out, e->to);
        fprintf(out, "\" [label=\"%" PRIu64, e->count);
        if (e->from.len > 0) {
            fputs("\\n", out);
            put_duration(out, e->mean_seconds);
        }
        fputs("\"];\n", out);
    }
    fputs("}\n", out);
}

/*
 * Have graphviz draw; its output goes where ours does. It is started before
 * the store is open, for afterwards no program can be.
 */
static stet_status start_drawing(cli_ctx *ctx, FILE **out_dot, stet_error *err)
{
    stet_status st = cli_flush(ctx->out, err);
    if (st != STET_OK) {
        return st;
    }
    *out_dot =
        popen("command -v dot >/dev/null || exit 127; exec dot -Tsvg", "w");
    if (*out_dot == NULL) {
        return stet__fail(err, STET_E_IO, errno, "run dot");
    }
    /* Without a dot the shell is gone before it reads; its status tells. */
    signal(SIGPIPE, SIG_IGN);
    return STET_OK;
}

/* Of no input it draws nothing. */
static stet_status end_drawing(cli_ctx *ctx, FILE *dot, stet_error *err)
{
    enum { SHELL_FOUND_NONE = 127 };
    int status = pclose(dot);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SHELL_FOUND_NONE) {
        cli_try(ctx, "apt-get install graphviz, or --format dot");
        return stet__fail(err, STET_E_IO, 0, "dot: program not found");
    }
    if (status != 0) {
        cli_try(ctx, "--format dot");
        return stet__fail(err, STET_E_IO, 0, "dot: ended with status %d",
                          status);
    }
    return STET_OK;
}

stet_status cli_log_flow(cli_ctx *ctx, stet_error *err)
{
    enum { FORMAT_JSON = 0, FORMAT_DOT = 1, FORMAT_SVG = 2 };
    const stet_flow *flow = NULL;
    FILE *dot = NULL;
    uint64_t format = FORMAT_JSON;
    stet_status st =
        value_format(ctx, CLI_OPT_FLOW_FORMAT, FORMAT_JSON, &format, err);
    if (st == STET_OK && format == FORMAT_SVG) {
        st = start_drawing(ctx, &dot, err);
    }
    if (st == STET_OK) {
        st = discover(ctx, &flow, err);
    }
    if (st == STET_OK && format == FORMAT_JSON) {
        put_flow_json(ctx->out, flow);
    } else if (st == STET_OK) {
        put_flow_dot(dot != NULL ? dot : ctx->out, flow);
    }
    if (dot != NULL) {
        stet_error dot_err = {0};
        stet_status drawn = end_drawing(ctx, dot, &dot_err);
        if (st == STET_OK && drawn != STET_OK) {
            *err = dot_err;
            st = drawn;
        }
    }
    stet_flow_free(flow);
    return st;
}
