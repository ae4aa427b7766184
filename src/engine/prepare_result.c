/*
 * Results: what an event leaves, in its record and in memory: the check of a
 * state, its packed bytes, the head, and the state itself where it is known.
 */
#include "base/checksum.h"
#include "base/error.h"
#include "engine/prepare.h"

void stet__prep_set_tag(stet_record *r, stet_record_tag tag)
{
    r->tags |= 1u << tag;
}

stet_status stet__prep_nomem(const stet_prep *p, stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "event of %zu bytes",
                      p->change->payload.len);
}

void stet__prep_set_check(stet_record *r, stet_slice state)
{
    r->check = stet__hash64(state.ptr, state.len);
    stet__prep_set_tag(r, STET_TAG_CHECK);
}

stet_status stet__prep_pack(stet_prep *p, stet_slice raw, bool *out_packed,
                            stet_slice *out, stet_error *err)
{
    *out_packed = false;
    *out = raw;
    if (raw.len < STET_PACK_BYTES_MIN) {
        return STET_OK;
    }
    stet__buf_reset(&p->packed);
    stet_status st = stet__zstd_pack(p->bench->z, (stet_slice){NULL, 0}, raw,
                                     &p->packed, err);
    if (st == STET_OK && p->packed.len < raw.len) {
        *out_packed = true;
        *out = stet__buf_slice(&p->packed);
    }
    return st;
}

stet_status stet__prep_check_size(const stet_prep *p, stet_slice state,
                                  stet_error *err)
{
    if (state.len <= p->s->opts.state_bytes_max) {
        return STET_OK;
    }
    return stet__fail(err, STET_E_TOO_LARGE, 0,
                      "the state of %s folds to %zu bytes; the limit "
                      "state_bytes_max is %u",
                      stet__id_text(p->change->id).text, state.len,
                      p->s->opts.state_bytes_max);
}

static stet_slice chosen(stet_slice given, const stet_prep *p, size_t member)
{
    if (given.len > 0 || p->prior == NULL ||
        p->change->verb == STET_VERB_RESTORE) {
        return given;
    }
    return *(const stet_slice *)((const char *)&p->prior->view + member);
}

stet_status stet__prep_keep_result(stet_prep *p, stet_slice data,
                                   stet_shape shape, stet_error *err)
{
    if (!p->is_prior_known && !stet__prep_must_be_base(p)) {
        return STET_OK;
    }
    const stet_change *c = p->change;
    bool is_lent = p->prior != NULL && data.len > 0 &&
                   data.ptr == p->prior->view.state_data.ptr;
    stet_box_parts parts = {
        .lender = is_lent ? p->prior : NULL,
        .ns = c->ns,
        .id = c->id,
        .data = data,
        .name = p->name,
        .type = chosen(c->state_type, p, offsetof(stet_state, state_type)),
        .version =
            chosen(p->plan->record.version, p, offsetof(stet_state, version)),
        .metadata =
            chosen(c->machine_metadata, p, offsetof(stet_state, metadata)),
        .created_at = p->prior == NULL ? stet__change_time(c, STET_TIME_UNSET)
                                       : p->prior->view.created_at,
    };
    stet_box *box = stet__box_create(&p->s->alloc, &parts);
    if (box == NULL) {
        return stet__prep_nomem(p, err);
    }
    atomic_store_explicit(&box->shape, (uint32_t)shape, memory_order_relaxed);
    p->plan->head->box = box;
    return STET_OK;
}

stet_status stet__prep_make_head(stet_prep *p, stet_shape shape,
                                 stet_error *err)
{
    p->plan->head = stet__heads_take(&p->bench->heads, &p->s->alloc, p->name);
    if (p->plan->head == NULL) {
        return stet__prep_nomem(p, err);
    }
    p->plan->head->shape = shape;
    return STET_OK;
}
