#include "formats/printer.h"

#include "base/assert.h"
#include "base/error.h"
#include "formats/printer_impl.h"

enum { HAND_ON_BYTES = 64 * 1024 };

static const stet_printer_ops *ops_of(stet_format format)
{
    switch (format) {
    case STET_FORMAT_XES:
        return &stet__xes_printer_ops;
    case STET_FORMAT_CSV:
        return &stet__csv_printer_ops;
    case STET_FORMAT_JSONL:
        return &stet__jsonl_printer_ops;
    }
    STET_ASSERT(false); /* the enum is closed */
    return NULL;
}

stet_status stet__printer_create(const stet_allocator *alloc,
                                 stet_format format, stet_bytes_fn next,
                                 void *ctx, stet_printer **out, stet_error *err)
{
    stet_printer *p = stet__alloc_zeroed(alloc, 1, sizeof *p);
    if (p == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "open a printer");
    }
    p->ops = ops_of(format);
    p->alloc = *alloc;
    p->next = next;
    p->ctx = ctx;
    stet__arena_init(&p->arena, &p->alloc);
    stet_buf *bufs[] = {&p->out, &p->scratch,    &p->keys,
                        &p->id,  &p->state_name, &p->metadata};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) {
        stet__buf_init(bufs[i], &p->alloc);
    }
    *out = p;
    return STET_OK;
}

void stet__printer_destroy(stet_printer *p)
{
    if (p == NULL) {
        return;
    }
    stet_buf *bufs[] = {&p->out, &p->scratch,    &p->keys,
                        &p->id,  &p->state_name, &p->metadata};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) {
        stet__buf_deinit(bufs[i]);
    }
    stet__arena_deinit(&p->arena);
    stet_allocator alloc = p->alloc;
    stet__free(&alloc, p, sizeof *p);
}

/* Call what the format has for this place. */
static void call(stet_printer *p, void (*fn)(stet_printer *))
{
    if (fn != NULL) {
        fn(p);
    }
}

/* Print what the file begins with, before anything else is printed. */
static void begin_once(stet_printer *p)
{
    if (!p->is_begun) {
        p->is_begun = true;
        call(p, p->ops->begin);
    }
}

/* Hand on what was printed, when it is worth a call. */
static stet_status hand_on(stet_printer *p, size_t from_bytes, stet_error *err)
{
    if (p->out.is_failed) {
        return stet__fail(err, STET_E_NOMEM, 0, "print an event");
    }
    if (p->out.len == 0 || p->out.len < from_bytes) {
        return STET_OK;
    }
    stet_status st = p->next(p->ctx, stet__buf_slice(&p->out), err);
    stet__buf_reset(&p->out);
    return st;
}

static void copy(stet_printer *p, stet_buf *to, stet_slice from)
{
    stet__buf_reset(to);
    stet__buf_put_slice(to, from);
    p->out.is_failed |= to->is_failed;
}

stet_slice stet__printer_value(stet_printer *p, const stet_item *item,
                               stet_field field)
{
    stet__buf_reset(&p->scratch);
    stet__item_put(item, field, &p->scratch);
    p->out.is_failed |= p->scratch.is_failed;
    return stet__buf_slice(&p->scratch);
}

stet_status stet__printer_machine(stet_printer *p, stet_slice id,
                                  stet_error *err)
{
    begin_once(p);
    if (p->has_machine) {
        call(p, p->ops->end_machine);
    }
    p->has_machine = true;
    p->items = 0;
    p->last_seq = 0;
    copy(p, &p->id, id);
    stet__buf_reset(&p->state_name);
    stet__buf_reset(&p->metadata);
    call(p, p->ops->begin_machine);
    return hand_on(p, HAND_ON_BYTES, err);
}

stet_status stet__printer_item(stet_printer *p, const stet_item *item,
                               stet_error *err)
{
    STET_ASSERT(p->has_machine);
    stet__arena_reset(&p->arena);
    p->ops->put(p, item);
    p->items++;
    if (item->change.to_state.len > 0) {
        copy(p, &p->state_name, item->change.to_state);
    }
    return hand_on(p, HAND_ON_BYTES, err);
}

stet_status stet__printer_event(stet_printer *p, const stet_event *event,
                                stet_error *err)
{
    stet_item item;
    stet_event whole = *event;
    bool is_erased = (event->flags & STET_EVENT_ERASED) != 0;
    if (event->seq > 1 && event->seq != p->last_seq + 1 &&
        event->state != NULL) {
        /* Nobody can tell what it changed: what came of it is told. */
        whole.kind = STET_EVENT_SAVED;
        whole.reducer = STET_REDUCER_SET;
    }
    p->last_seq = is_erased ? 0 : event->seq;
    stet__item_of_event(&item, &whole, stet__buf_slice(&p->metadata));
    stet_status st = stet__printer_item(p, &item, err);
    if (event->state != NULL) {
        copy(p, &p->state_name, event->state->current_state);
        copy(p, &p->metadata, event->state->metadata);
    }
    return st;
}

stet_status stet__printer_finish(stet_printer *p, stet_error *err)
{
    begin_once(p);
    if (p->has_machine) {
        call(p, p->ops->end_machine);
        p->has_machine = false;
    }
    call(p, p->ops->end);
    return hand_on(p, 0, err);
}
