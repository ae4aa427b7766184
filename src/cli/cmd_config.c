/*
 * config check, show.
 */
#include "cli/cli.h"
#include "cli/configure.h"
#include "cli/json_out.h"

/* Load the file that is named, else that of any run, within the sandbox. */
static stet_status load(cli_ctx *ctx, const char **out_path, stet_error *err)
{
    *out_path = configure_path(
        ctx->arg_count > 0 ? ctx->args[0] : ctx->options[CLI_OPT_CONFIG].text);
    if (*out_path != NULL) {
        sandbox_allow(&ctx->sandbox, *out_path, SANDBOX_READ);
    }
    sandbox_enter(&ctx->sandbox);
    return configure_load(ctx, *out_path, err);
}

static void put_check(cli_ctx *ctx, const char *path)
{
    const char *notice = NULL;
    json_out j = json_out_to(ctx->out);
    if (!ctx->is_json) {
        for (size_t i = 0;
             (notice = stet_config_notice(ctx->config, i)) != NULL; i++) {
            cli_put_text(ctx->out, stet_str(notice));
            fputc('\n', ctx->out);
        }
        return;
    }
    json_begin_object(&j, NULL);
    json_str_or_null(&j, "file", stet_str(path));
    json_begin_list(&j, "notices");
    for (size_t i = 0; (notice = stet_config_notice(ctx->config, i)) != NULL;
         i++) {
        json_str(&j, NULL, stet_str(notice));
    }
    json_end_list(&j);
    json_end_object(&j);
    json_end_line(&j);
}

stet_status cli_config_check(cli_ctx *ctx, stet_error *err)
{
    const char *path = NULL;
    stet_opts opts = STET_OPTS_INIT;
    stet_status st = load(ctx, &path, err);
    if (st != STET_OK) {
        return st;
    }
    put_check(ctx, path);
    st = stet_config_opts(ctx->config, &opts, err);
    if (st != STET_OK) {
        cli_try(ctx, "stet config show %s",
                path == NULL ? "" : cli_quote(stet_str(path)).text);
    }
    return st;
}

static void put_value(cli_ctx *ctx, const stet_config_value *v)
{
    fprintf(ctx->out, "%-36s ", v->key);
    cli_put_text(ctx->out, stet_str(v->value == NULL ? "-" : v->value));
    fputs("  (", ctx->out);
    cli_put_text(ctx->out, stet_str(v->where));
    bool is_said = v->origin != STET_CONFIG_FROM_DEFAULT;
    fputs(is_said && !v->is_effective ? "; no effect)\n" : ")\n", ctx->out);
}

static const char *origin_name(stet_config_origin origin)
{
    switch (origin) {
    case STET_CONFIG_FROM_DEFAULT:
        return "default";
    case STET_CONFIG_FROM_PROFILE:
        return "profile";
    case STET_CONFIG_FROM_FILE:
        return "file";
    case STET_CONFIG_FROM_ENVIRONMENT:
        return "environment";
    case STET_CONFIG_FROM_PROGRAM:
        return "program";
    }
    return "default";
}

static void put_value_json(cli_ctx *ctx, const stet_config_value *v)
{
    json_out j = json_out_to(ctx->out);
    json_begin_object(&j, NULL);
    json_str(&j, "key", stet_str(v->key));
    json_str_or_null(&j, "value", stet_str(v->value));
    json_str(&j, "origin", stet_str(origin_name(v->origin)));
    json_str(&j, "where", stet_str(v->where));
    json_bool(&j, "is_effective", v->is_effective);
    json_str_or_null(&j, "default", stet_str(v->default_value));
    json_str(&j, "allowed", stet_str(v->allowed));
    json_str_or_null(&j, "variable", stet_str(v->variable));
    json_str_or_null(&j, "other_variable", stet_str(v->other_variable));
    json_str_or_null(&j, "other_keys", stet_str(v->other_keys));
    if (v->built_as == NULL) {
        json_null(&j, "built_as");
    } else {
        json_str(&j, "built_as", stet_str(v->built_as));
    }
    json_str(&j, "help", stet_str(v->help));
    json_end_object(&j);
    json_end_line(&j);
}

stet_status cli_config_show(cli_ctx *ctx, stet_error *err)
{
    const char *path = NULL;
    stet_status st = load(ctx, &path, err);
    if (st != STET_OK) {
        return st;
    }
    const stet_config_value *v = NULL;
    for (size_t i = 0; (v = stet_config_get(ctx->config, i)) != NULL; i++) {
        if (ctx->is_json) {
            put_value_json(ctx, v);
        } else {
            put_value(ctx, v);
        }
    }
    return STET_OK;
}
