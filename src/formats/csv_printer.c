#include "base/utf8.h"
#include "formats/base64.h"
#include "formats/printer_impl.h"

/* The fields that have a column "stet:FIELD", beside the usual four. */
static const stet_field own[] = {
    STET_FIELD_KIND,         STET_FIELD_FROM,
    STET_FIELD_TO,           STET_FIELD_ACTION,
    STET_FIELD_TYPE,         STET_FIELD_REDUCER,
    STET_FIELD_ERROR,        STET_FIELD_CORRELATION,
    STET_FIELD_CAUSATION,    STET_FIELD_DURATION_MS,
    STET_FIELD_PHASE_CHANGE, STET_FIELD_EVENT_ID,
    STET_FIELD_VERSION,      STET_FIELD_STATE_TYPE,
    STET_FIELD_METADATA,     STET_FIELD_MACHINE_METADATA,
};
enum { OWN_COUNT = sizeof own / sizeof own[0] };

static void begin(stet_printer *p)
{
    stet__buf_put_str(&p->out, "case_id,activity,timestamp,resource");
    for (size_t i = 0; i < OWN_COUNT; i++) {
        stet__buf_printf(&p->out, ",stet:%s", stet__field_name(own[i]));
    }
    stet__buf_put_str(&p->out, ",stet:payload,stet:payload_base64\r\n");
}

static bool needs_quotes(stet_slice text)
{
    return text.len > 0 && (memchr(text.ptr, ',', text.len) != NULL ||
                            memchr(text.ptr, '"', text.len) != NULL ||
                            memchr(text.ptr, '\n', text.len) != NULL ||
                            memchr(text.ptr, '\r', text.len) != NULL);
}

static void put_cell(stet_buf *out, stet_slice text)
{
    if (!needs_quotes(text)) {
        stet__buf_put_slice(out, text);
        return;
    }
    const char *at = text.ptr;
    const char *end = at + text.len;
    stet__buf_put_u8(out, '"');
    while (at < end) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        const char *stop = quote == NULL ? end : quote + 1;
        stet__buf_put(out, at, (size_t)(stop - at));
        if (quote != NULL) {
            stet__buf_put_u8(out, '"');
        }
        at = stop;
    }
    stet__buf_put_u8(out, '"');
}

static void put_field(stet_printer *p, const stet_item *item, stet_field field)
{
    put_cell(&p->out, stet__printer_value(p, item, field));
}

/* What a miner of processes takes as the event's name. */
static stet_slice activity_of(const stet_item *item)
{
    if (item->change.action.len > 0) {
        return item->change.action;
    }
    return item->change.to_state.len > 0
               ? item->change.to_state
               : stet_str(stet_event_kind_name(item->kind));
}

static void put(stet_printer *p, const stet_item *item)
{
    stet_slice payload = item->change.payload;
    put_cell(&p->out, stet__buf_slice(&p->id));
    stet__buf_put_u8(&p->out, ',');
    put_cell(&p->out, activity_of(item));
    stet__buf_put_u8(&p->out, ',');
    put_field(p, item, STET_FIELD_TS);
    stet__buf_put_u8(&p->out, ',');
    put_field(p, item, STET_FIELD_ACTOR);
    for (size_t i = 0; i < OWN_COUNT; i++) {
        stet__buf_put_u8(&p->out, ',');
        put_field(p, item, own[i]);
    }
    stet__buf_put_u8(&p->out, ',');
    if (stet__utf8_is_valid(payload)) {
        put_cell(&p->out, payload);
        stet__buf_put_u8(&p->out, ',');
    } else {
        stet__buf_put_u8(&p->out, ',');
        stet__base64_put(&p->out, payload);
    }
    stet__buf_put_str(&p->out, "\r\n");
}

const stet_printer_ops stet__csv_printer_ops = {.begin = begin, .put = put};
