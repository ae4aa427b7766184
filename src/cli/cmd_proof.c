/*
 * export --proof, store verify-proof: histories that a stranger can check.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "cli/view.h"

/* Events that only the next settling takes in. */
static void tell_unsettled(const stet_chain_head *head)
{
    if (head->newest_seq > head->seq) {
        fprintf(stderr,
                "stet: the proof ends at seq %" PRIu64 ": later events, up to "
                "%" PRIu64 ", are not settled yet\n",
                head->seq, head->newest_seq);
    }
}

static stet_status put_lines(cli_ctx *ctx, stet_proof *proof, stet_error *err)
{
    stet_slice line = {0};
    stet_status st = stet_proof_next(proof, &line, err);
    while (st == STET_OK) {
        errno = 0;
        if (fwrite(line.ptr, 1, line.len, ctx->out) != line.len) {
            return stet__fail(err, STET_E_IO, errno, "write the output");
        }
        st = stet_proof_next(proof, &line, err);
    }
    return st == STET_DONE ? STET_OK : st;
}

static stet_status check_options(cli_ctx *ctx, stet_error *err)
{
    if (ctx->arg_count == 0) {
        cli_try_command(ctx, "export", " ID --proof");
        return stet__fail(err, STET_E_INVALID, 0,
                          "a proof is of one machine, which is not named");
    }
    if (cli_is_given(ctx, CLI_OPT_LOG_FORMAT)) {
        cli_try(ctx, "one of the two: a proof has a format of its own");
        return stet__fail(err, STET_E_INVALID, 0, "--proof and --format");
    }
    return STET_OK;
}

stet_status cli_export_proof(cli_ctx *ctx, stet_error *err)
{
    stet_proof *proof = NULL;
    stet_chain_head head = {0};
    stet_status st = check_options(ctx, err);
    if (st == STET_OK) {
        st = cli_open(ctx, err);
    }
    if (st != STET_OK) {
        return st;
    }
    st = stet_proof_open(ctx->store, cli_arg(ctx, 0), ctx->ns, &proof, &head,
                         err);
    if (st == STET_E_NOT_FOUND) {
        cli_try_command(ctx, "store",
                        " compact, which settles what is written; "
                        "then again");
    }
    if (st == STET_OK) {
        cli_progress progress;
        cli_progress_begin_beside(&progress, "export", ctx->out);
        st = put_lines(ctx, proof, err);
        cli_progress_end(&progress);
    }
    if (st == STET_OK) {
        tell_unsettled(&head);
    }
    stet_proof_close(proof);
    return st;
}

/* Checking. */

enum { READ_BYTES = 64 * 1024 };

typedef struct verify_run {
    cli_ctx *ctx;
    FILE *told;  /* what goes out once all was right */
    bool is_met; /* some part had --head */
} verify_run;

static void put_part_json(FILE *out, const stet_proof_part *p)
{
    json_out j = json_out_to(out);
    json_begin_object(&j, NULL);
    json_str(&j, "state_machine_id", p->id);
    json_u64(&j, "namespace", p->ns);
    if (p->parent_id.len > 0) {
        json_str(&j, "parent_id", p->parent_id);
        json_u64(&j, "parent_namespace", p->parent_ns);
        json_u64(&j, "parent_seq", p->parent_seq);
        json_bool(&j, "is_joined", p->is_joined);
    }
    json_u64(&j, "events", p->events);
    json_u64(&j, "erased", p->erased);
    json_u64(&j, "cut_seq", p->cut_seq);
    json_u64(&j, "first_seq", p->first_seq);
    json_u64(&j, "last_seq", p->last_seq);
    json_position(&j, "first_position", p->first_position);
    json_position(&j, "last_position", p->last_position);
    json_time(&j, "first_recorded_at", p->first_recorded);
    json_time(&j, "last_recorded_at", p->last_recorded);
    json_hex(&j, "chain_head", stet_slice_of(p->head, sizeof p->head));
    if (p->met_seq > 0) {
        json_u64(&j, "head_met_at_seq", p->met_seq);
    }
    json_end_object(&j);
    json_end_line(&j);
}

static void put_part_text(FILE *out, const stet_proof_part *p)
{
    fputs("machine          ", out);
    cli_put_text(out, p->id);
    if (p->parent_id.len > 0) {
        fputs("\nforked from      ", out);
        cli_put_text(out, p->parent_id);
        fprintf(out, " at seq %" PRIu64 "%s", p->parent_seq,
                p->is_joined ? ", which is above" : ", which is not here");
    }
    if (p->cut_seq > 0) {
        fprintf(out, "\ndropped          up to seq %" PRIu64, p->cut_seq);
    }
    fprintf(out,
            "\nevents           %" PRIu64 ", seq %" PRIu64 " to %" PRIu64
            "\nerased           %" PRIu64 "\n",
            p->events, p->first_seq, p->last_seq, p->erased);
    fputs("recorded         ", out);
    view_time(out, p->first_recorded);
    fputs(" to ", out);
    view_time(out, p->last_recorded);
    fputs("\nchain_head       ", out);
    view_hex(out, p->head, sizeof p->head);
    fprintf(out, " after seq %" PRIu64 "\n", p->last_seq);
    if (p->met_seq > 0) {
        fprintf(out, "--head           met after seq %" PRIu64 "\n",
                p->met_seq);
    }
}

static void take_part(void *ctx, const stet_proof_part *part)
{
    verify_run *run = ctx;
    run->is_met = run->is_met || part->met_seq > 0;
    if (run->ctx->is_json) {
        put_part_json(run->told, part);
    } else {
        put_part_text(run->told, part);
    }
}

static stet_status read_proof(FILE *in, const char *name,
                              stet_proof_check *check, stet_error *err)
{
    static uint8_t bytes[READ_BYTES];
    size_t len = 0;
    stet_status st = STET_OK;
    do {
        errno = 0;
        len = fread(bytes, 1, sizeof bytes, in);
        st = ferror(in)
                 ? stet__fail(err, STET_E_IO, errno, "read")
                 : stet_proof_check_feed(check, stet_slice_of(bytes, len), err);
    } while (st == STET_OK && len > 0);
    if (st == STET_OK) {
        st = stet_proof_check_finish(check, err);
    }
    return st == STET_OK ? st : stet__wrap(err, st, "%s", name);
}

/* Check a proof; what it proves goes to run->told. */
static stet_status verify(verify_run *run, FILE *in, const char *name,
                          stet_error *err)
{
    const cli_value *head = &run->ctx->options[CLI_OPT_HEAD];
    stet_proof_check *check = NULL;
    stet_proof_check_opts opts = {
        .struct_size = sizeof opts,
        .part = take_part,
        .ctx = run,
        .head = head->text == NULL ? NULL : head->hash,
    };
    stet_status st = stet_proof_check_open(NULL, &opts, &check, err);
    if (st == STET_OK) {
        cli_progress progress;
        cli_progress_begin(&progress, "verify-proof");
        st = read_proof(in, name, check, err);
        cli_progress_end(&progress);
    }
    stet_proof_check_close(check);
    if (st == STET_E_CORRUPT) {
        cli_try(run->ctx, "not to believe it; ask for another one, made by: "
                          "stet export ID --proof");
    } else if (st == STET_OK && opts.head != NULL && !run->is_met) {
        cli_try(run->ctx, "a proof that was made later, or doubt one of the "
                          "two");
        return stet__fail(err, STET_E_NOT_FOUND, 0,
                          "%s: the history never had this head", name);
    }
    return st;
}

stet_status cli_store_verify_proof(cli_ctx *ctx, stet_error *err)
{
    const char *path = ctx->args[0];
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *in = is_stdin ? stdin : fopen(path, "rb");
    if (in == NULL) {
        cli_try(ctx, "a file that can be read, or - for stdin");
        return stet__fail(err, STET_E_IO, errno, "open %s", path);
    }
    sandbox_enter(&ctx->sandbox);
    char *text = NULL;
    size_t len = 0;
    verify_run run = {.ctx = ctx, .told = open_memstream(&text, &len)};
    stet_status st = run.told == NULL
                         ? stet__fail(err, STET_E_NOMEM, errno, "no memory")
                         : verify(&run, in, is_stdin ? "stdin" : path, err);
    if (run.told != NULL && fclose(run.told) == 0 && st == STET_OK) {
        fwrite(text, 1, len, ctx->out);
    }
    free(text);
    if (!is_stdin) {
        fclose(in); /* it was only read */
    }
    return st;
}
