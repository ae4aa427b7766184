/*
 * feed: the events of the whole store, and those that come.
 *
 * A read-only handle shows the store as it was when it was opened. So whoever
 * follows opens it again, more and more rarely while nothing comes.
 */
#include <poll.h>

#include "base/error.h"
#include "cli/view.h"

enum {
    LOOK_AGAIN_MIN_MS = 100,
    LOOK_AGAIN_MAX_MS = 1000,
};

/* Where a feed is that lives longer than a handle. */
typedef struct following {
    uint64_t next; /* position to look at; 0: not told, the first */
    uint64_t left; /* of the limit */
} following;

static stet_feed_opts feed_opts(const cli_ctx *ctx, uint64_t from)
{
    /* An enum's values start at 1, the choices at 0, in the same order. */
    uint64_t kind = cli_number(ctx, CLI_OPT_KIND, 0) + 1;
    return (stet_feed_opts){
        .struct_size = sizeof(stet_feed_opts),
        .pattern = cli_text(ctx, CLI_OPT_MATCH),
        .from_position = from,
        .kinds = cli_is_given(ctx, CLI_OPT_KIND) ? 1u << kind : 0,
        .ns = ctx->ns,
    };
}

/* Print what the handle shows. STET_DONE: the limit was reached. */
static stet_status print_shown(cli_ctx *ctx, following *f, stet_error *err)
{
    stet_feed_opts opts = feed_opts(ctx, f->next);
    stet_feed *feed = NULL;
    stet_status st = stet_feed_open(ctx->store, &opts, &feed, err);
    if (st != STET_OK) {
        return st;
    }
    while (st == STET_OK && f->left > 0 && !ferror(ctx->out)) {
        const stet_event *event = NULL;
        st = stet_feed_next(feed, 0, &event, err);
        if (st == STET_OK) {
            f->left--;
            (ctx->is_json ? view_event_json : view_event_text)(ctx->out, event,
                                                               false);
        }
    }
    f->next = stet_feed_position(feed);
    stet_feed_close(feed);
    bool is_over = f->left == 0 || ferror(ctx->out);
    return st == STET_OK || st == STET_DONE ? (is_over ? STET_DONE : STET_OK)
                                            : st;
}

/* Open the store as it is now. What it has to say was said the first time. */
static stet_status look_again(cli_ctx *ctx, stet_error *err)
{
    stet_opts opts = STET_OPTS_INIT;
    opts.mode = STET_OPEN_READONLY;
    stet *before = ctx->store;
    ctx->store = NULL;
    stet_status st = stet_close(before, err);
    return st == STET_OK ? stet_open(ctx->store_url, &opts, &ctx->store, err)
                         : st;
}

/* Wait a while; false: whoever read the output has gone. */
static bool wait_ms(FILE *out, int ms)
{
    struct pollfd reader = {.fd = fileno(out)};
    return poll(&reader, 1, ms) <= 0 || (reader.revents & POLLERR) == 0;
}

static stet_status follow(cli_ctx *ctx, following *f, stet_error *err)
{
    int pause = LOOK_AGAIN_MIN_MS;
    stet_status st = STET_OK;
    while (st == STET_OK) {
        uint64_t before = f->next;
        st = cli_flush(ctx->out, err);
        if (st == STET_OK) {
            st = wait_ms(ctx->out, pause) ? look_again(ctx, err) : STET_DONE;
        }
        if (st == STET_OK) {
            st = print_shown(ctx, f, err);
        }
        pause = f->next != before ? LOOK_AGAIN_MIN_MS : pause * 2;
        pause = pause < LOOK_AGAIN_MAX_MS ? pause : LOOK_AGAIN_MAX_MS;
    }
    return st;
}

stet_status cli_feed(cli_ctx *ctx, stet_error *err)
{
    uint64_t limit = cli_number(ctx, CLI_OPT_LIMIT, 0);
    following f = {
        .next = cli_number(ctx, CLI_OPT_FROM_POINT, 0),
        .left = limit == 0 ? UINT64_MAX : limit,
    };
    stet_status st = cli_open(ctx, err);
    if (st == STET_OK) {
        st = print_shown(ctx, &f, err);
    }
    if (st == STET_OK && cli_is_given(ctx, CLI_OPT_FOLLOW)) {
        st = follow(ctx, &f, err);
    }
    if (st == STET_E_INVALID && f.next > 0) {
        cli_try(ctx, "--from a position that is there; store info counts the "
                     "events");
    }
    return st == STET_DONE ? STET_OK : st;
}
