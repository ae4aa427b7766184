#include "engine/lost.h"

#include <inttypes.h>

#include "base/error.h"
#include "engine/erasure.h"

static bool is_erased(stet *s, const stet_record *r)
{
    if (stet__record_is_erased(r)) {
        return true;
    }
    if (r->ns == STET_STORE_NAMESPACE || !stet__erasures_any(s)) {
        return false;
    }
    stet_machine_key owner = {r->id, r->ns};
    return r->seq < stet__erased_end(s, owner);
}

stet_status stet__lost_of(stet *s, const stet_record *r)
{
    if (stet__record_is_dropped(r)) {
        return STET_E_GONE;
    }
    /* That it was deleted there says nothing of what it was. */
    return r->kind != STET_EVENT_DELETED && is_erased(s, r) ? STET_E_ERASED
                                                            : STET_OK;
}

/* The least seq after a lost one that may not be lost, too. */
static uint64_t seq_after(stet *s, const stet_record *r)
{
    stet_machine_key owner = {r->id, r->ns};
    uint64_t end = stet__erased_end(s, owner);
    uint64_t next = r->seq + 1 + (stet__record_is_dropped(r) ? r->depth : 0);
    return next < end ? end : next;
}

/* Find the first seq of a lineage from `seq` on that is there; 0: none is. */
static stet_status find_there(stet *s, stet_bench *bench, stet_machine_key key,
                              uint64_t seq, uint64_t *out, stet_error *err)
{
    stet_log *log = s->log;
    uint64_t below = stet__watermark(&s->pipeline);
    for (;;) {
        stet_bound bound = {STET_BY_SEQ, seq, 0};
        stet_point point = {0};
        stet_logged l = {0};
        stet_record r = {0};
        size_t bytes = 0;
        stet_status st = log->ops->seek(log, key, bound, below, &point, err);
        if (st == STET_OK) {
            st = log->ops->reader_read(bench->reader, point.position, &l, err);
        }
        if (st == STET_OK) {
            st = stet__record_parse(l.bytes, &r, &bytes, err);
        }
        if (st != STET_OK || stet__lost_of(s, &r) == STET_OK) {
            *out = r.seq;
            return st;
        }
        if (r.seq < seq) {
            *out = 0; /* it is the newest */
            return STET_OK;
        }
        seq = seq_after(s, &r);
    }
}

static stet_status tell(stet *s, stet_machine_key key, const stet_record *r,
                        stet_status lost, stet_error *err)
{
    uint64_t there = 0;
    uint64_t seq = r->seq; /* the record may lie in the reader */
    uint64_t next = seq_after(s, r);
    stet_bench *bench = stet__bench_take(&s->benches);
    if (bench == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "look-up");
    }
    stet_status st = find_there(s, bench, key, next, &there, err);
    stet__bench_give(&s->benches, bench);
    if (st != STET_OK) {
        return st;
    }
    const char *what = lost == STET_E_GONE ? "dropped" : "erased";
    stet_id_text id = stet__id_text(key.id);
    return there == 0
               ? stet__fail(err, lost, 0,
                            "seq %" PRIu64 " of %s was %s; nothing is there "
                            "after it",
                            seq, id.text, what)
               : stet__fail(err, lost, 0,
                            "seq %" PRIu64 " of %s was %s; the first that is "
                            "there after it is %" PRIu64,
                            seq, id.text, what, there);
}

stet_status stet__lost_check(stet *s, stet_machine_key key,
                             const stet_record *r, stet_error *err)
{
    stet_status st =
        r->ns == STET_STORE_NAMESPACE ? STET_OK : stet__erasures_load(s, err);
    if (st != STET_OK) {
        return st;
    }
    stet_status lost = stet__lost_of(s, r);
    return lost == STET_OK ? lost : tell(s, key, r, lost, err);
}
