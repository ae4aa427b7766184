#include "base/error.h"
#include "stores/embedded/log.h"

stet_status stet__embedded_verify(stet_log *log, stet_progress_fn progress,
                                  void *ctx, stet_verify_report *report,
                                  stet_error *err)
{
    (void)log;
    (void)progress;
    (void)ctx;
    (void)report;
    (void)err;
    return STET_OK;
}

stet_status stet__embedded_reindex(stet_log *log, uint64_t *out_rebuilt,
                                   stet_error *err)
{
    (void)log;
    (void)err;
    *out_rebuilt = 0;
    return STET_OK;
}
