#include "engine/box.h"

#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "core/json.h"

static stet_slice place(uint8_t **cursor, stet_slice s)
{
    uint8_t *at = *cursor;
    if (s.len > 0) {
        memcpy(at, s.ptr, s.len);
    }
    *cursor = at + s.len;
    return stet_slice_of(at, s.len);
}

stet_box *stet__box_create(const stet_allocator *alloc,
                           const stet_box_parts *parts)
{
    stet_slice own = parts->lender == NULL ? parts->data : (stet_slice){0};
    const stet_slice *all[] = {&parts->id,      &own,
                               &parts->type,    &parts->name,
                               &parts->version, &parts->metadata};
    size_t bytes = sizeof(stet_box);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (!stet__add(bytes, all[i]->len, &bytes)) {
            return NULL;
        }
    }
    stet_box *box = stet__alloc(alloc, bytes);
    if (box == NULL) {
        return NULL;
    }
    memset(box, 0, sizeof(*box));
    box->alloc = *alloc;
    box->bytes = bytes;
    atomic_init(&box->refs, 1);
    atomic_init(&box->shape, STET_SHAPE_UNKNOWN);
    uint8_t *cursor = (uint8_t *)(box + 1);
    box->view.ns = parts->ns;
    box->view.state_machine_id = place(&cursor, parts->id);
    box->view.state_type = place(&cursor, parts->type);
    box->view.current_state = place(&cursor, parts->name);
    box->view.version = place(&cursor, parts->version);
    box->view.metadata = place(&cursor, parts->metadata);
    box->view.state_data = place(&cursor, own);
    box->view.created_at = parts->created_at;
    STET_ASSERT(cursor == (uint8_t *)box + bytes);
    if (parts->lender != NULL) {
        stet_box *lender = parts->lender;
        box->lender =
            stet__box_ref(lender->lender == NULL ? lender : lender->lender);
        box->view.state_data = parts->data;
    }
    return box;
}

stet_box *stet__box_ref(stet_box *box)
{
    /* Relaxed: whoever refs holds a reference already. */
    atomic_fetch_add_explicit(&box->refs, 1, memory_order_relaxed);
    return box;
}

void stet__box_unref(stet_box *box)
{
    /* Release what this thread did with it; acquire what the others did. */
    while (box != NULL && atomic_fetch_sub_explicit(
                              &box->refs, 1, memory_order_acq_rel) == 1) {
        stet_allocator alloc = box->alloc;
        stet_box *lender = box->lender;
        stet__free(&alloc, box, box->bytes);
        box = lender;
    }
}

size_t stet__box_weight(const stet_box *box)
{
    return box->bytes + (box->lender == NULL ? 0 : box->view.state_data.len);
}

stet_box_parts stet__box_parts_of(const stet_box *box)
{
    const stet_state *v = &box->view;
    return (stet_box_parts){
        .ns = v->ns,
        .id = v->state_machine_id,
        .data = v->state_data,
        .type = v->state_type,
        .name = v->current_state,
        .version = v->version,
        .metadata = v->metadata,
        .created_at = v->created_at,
    };
}

stet_shape stet__box_shape(stet_box *box)
{
    /* Relaxed: the answer is a function of immutable bytes. */
    uint32_t known = atomic_load_explicit(&box->shape, memory_order_relaxed);
    if (known != STET_SHAPE_UNKNOWN) {
        return (stet_shape)known;
    }
    stet_shape shape = STET_SHAPE_OBJECT;
    if (box->view.state_data.len > 0) {
        stet_json_kind kind = STET_JSON_OTHER;
        stet_status st =
            stet__json_check(&box->alloc, box->view.state_data, &kind, NULL);
        if (st == STET_E_NOMEM) {
            return STET_SHAPE_UNKNOWN;
        }
        if (st != STET_OK || kind != STET_JSON_OBJECT) {
            shape = STET_SHAPE_OTHER;
        }
    }
    atomic_store_explicit(&box->shape, (uint32_t)shape, memory_order_relaxed);
    return shape;
}

const stet_state *stet_state_ref(const stet_state *state)
{
    /* The view is the box's first member, and every box is writable memory. */
    return &stet__box_ref((stet_box *)(uintptr_t)state)->view;
}

void stet_state_release(const stet_state *state)
{
    stet__box_unref((stet_box *)(uintptr_t)state);
}

void stet_state_hash(const stet_state *state, uint8_t out[32])
{
    stet__sha256(state->state_data.ptr, state->state_data.len, out);
}
