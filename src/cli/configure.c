#include "cli/configure.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"

static const char file_name[] = "./stet.yaml";

const char *configure_path(const char *given)
{
    const char *named = given != NULL ? given : getenv("STET_CONFIG");
    if (named != NULL && named[0] != '\0') {
        return named;
    }
    return access(file_name, F_OK) == 0 ? file_name : NULL;
}

stet_status configure_load(cli_ctx *ctx, const char *path, stet_error *err)
{
    stet_status st = stet_config_load(path, environ, NULL, &ctx->config, err);
    if (st == STET_E_NOT_FOUND) {
        cli_try(ctx, "--config FILE or STET_CONFIG to name another");
        st = err->status = STET_E_INVALID;
    } else if (st == STET_E_INVALID || st == STET_E_TOO_LARGE) {
        cli_try(ctx, "stet config check, once that is mended");
    } else if (st != STET_OK && path != NULL) {
        cli_try(ctx, "ls -l %s", cli_quote(stet_str(path)).text);
    }
    return st;
}

stet_status configure_run(cli_ctx *ctx, stet_error *err)
{
    if (ctx->command->store == CLI_STORE_NONE) {
        return STET_OK;
    }
    const char *path = configure_path(ctx->options[CLI_OPT_CONFIG].text);
    stet_status st = configure_load(ctx, path, err);
    if (st == STET_OK) {
        ctx->store_url =
            stet_config_url(ctx->config, ctx->options[CLI_OPT_STORE].text);
    }
    return st;
}
