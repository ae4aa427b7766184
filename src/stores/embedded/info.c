#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "core/imageread.h"
#include "stores/embedded/names.h"
#include "stores/embedded/settle.h"

static void add_set(const stet_trailer *t, stet_info *out)
{
    out->sets++;
    out->settled += t->end_position - t->first_position;
    out->log_bytes += t->end_offset;
    out->index_bytes += stet__index_bytes(t);
    out->state_raw_bytes += t->state_bytes;
}

static void add_segment(const stet_segment *s, stet_info *out)
{
    if (stet__segment_is_set(s)) {
        add_set(&s->trailer, out);
        return;
    }
    out->segments++;
    if (s->image == NULL) {
        out->log_bytes += s->trailer.end_offset - STET_W;
        out->index_bytes += STET_W + stet__index_bytes(&s->trailer);
        out->state_raw_bytes += s->trailer.state_bytes;
        return;
    }
    out->unsealed++;
    out->log_bytes += stet__image_end_below(s->image, UINT64_MAX) - STET_W;
    out->index_bytes += STET_W;
    out->state_raw_bytes += stet__image_state_bytes(s->image);
}

typedef struct disk_sum {
    const stet_embedded *e;
    uint64_t bytes;
} disk_sum;

static bool add_file(void *ctx, const char *name)
{
    disk_sum *sum = ctx;
    stet_os *os = sum->e->os;
    uint32_t number = 0;
    if (stet__name_kind(name, &number) == STET_NAME_FOREIGN) {
        return true;
    }
    int fd = os->open(os, sum->e->dir, name, 0);
    int64_t bytes = fd < 0 ? 0 : os->disk_bytes(os, fd);
    sum->bytes += bytes > 0 ? (uint64_t)bytes : 0;
    if (fd >= 0) {
        (void)os->close(os, fd); /* was only asked */
    }
    return true;
}

stet_status stet__embedded_info(stet_log *log, stet_info *out, stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    disk_sum sum = {.e = e};
    int rc = e->os->list(e->os, e->dir, add_file, &sum);
    if (rc < 0) {
        return stet__os_fail(err, rc, "list the store's folder");
    }
    stet_files *table = stet__embedded_lend(e);
    for (uint32_t i = 0; i < stet__files_count(table); i++) {
        add_segment(table->items[i], out);
    }
    for (uint32_t i = 0; i < table->merged_count; i++) {
        out->index_bytes += stet__index_bytes(&table->merged[i]->trailer);
    }
    stet__embedded_unlend(e, table);
    out->segments_max = (uint64_t)STET_SETTLE_SETS_MAX * e->settle_segments;
    out->index_bytes += 2 * (uint64_t)STET_W; /* super */
    out->disk_bytes = sum.bytes;
    out->events = stet__embedded_watermark(e) - 1;
    out->torn_bytes = e->torn_bytes;
    out->level = e->level;
    out->is_direct = e->is_direct;
    out->is_readonly = e->is_readonly;
    out->is_poisoned = stet__embedded_is_poisoned(e);
    out->format = STET_FORMAT;
    stet__name_uuid(e->uuid, out->uuid);
    (void)snprintf(out->driver, sizeof out->driver, "embedded"); /* fits */
    return STET_OK;
}
