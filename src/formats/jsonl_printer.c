#include "base/bytes.h"
#include "base/utf8.h"
#include "formats/base64.h"
#include "formats/jsontext.h"
#include "formats/printer_impl.h"

static void begin_member(stet_buf *out, const char *name, const char *suffix)
{
    char before = out->len > 0 ? (char)out->ptr[out->len - 1] : '\0';
    stet__buf_printf(out, "%s\"%s%s\":", before == '{' ? "" : ",", name,
                     suffix);
}

static void put_base64(stet_buf *out, const char *name, stet_slice bytes)
{
    begin_member(out, name, "_base64");
    stet__buf_put_u8(out, '"');
    stet__base64_put(out, bytes);
    stet__buf_put_u8(out, '"');
}

static void put_text(stet_buf *out, const char *name, stet_slice text)
{
    if (!stet__utf8_is_valid(text)) {
        put_base64(out, name, text);
        return;
    }
    begin_member(out, name, "");
    stet__jsontext_put_string(out, text);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Would these bytes, put in a line as they are, be read back as they are? */
static bool is_kept(stet_printer *p, stet_slice json)
{
    const uint8_t *b = json.ptr;
    if (json.len == 0 || is_space(b[0]) || is_space(b[json.len - 1]) ||
        memchr(b, '\n', json.len) != NULL ||
        memchr(b, '\r', json.len) != NULL) {
        return false;
    }
    stet_status st = stet__jsontext_check(json, &p->arena, NULL);
    p->out.is_failed |= st == STET_E_NOMEM;
    return st == STET_OK;
}

static void put_json(stet_printer *p, stet_field field, stet_slice json)
{
    const char *name = stet__field_name(field);
    /* As a value, null would say that there is none. */
    bool is_absence =
        field != STET_FIELD_STATE && stet__slice_eq(json, stet_str("null"));
    bool is_misfit = stet__field_form(field) == STET_FORM_OBJECT &&
                     json.len > 0 && *(const char *)json.ptr != '{';
    if (is_absence || is_misfit || !is_kept(p, json)) {
        put_base64(&p->out, name, json);
        return;
    }
    begin_member(&p->out, name, "");
    stet__buf_put_slice(&p->out, json);
}

static void put_field(stet_printer *p, const stet_item *item, stet_field field)
{
    const char *name = stet__field_name(field);
    stet_slice value = stet__printer_value(p, item, field);
    /* An empty type is not the same as none: that would be derived. */
    bool is_said = value.len > 0 || (field == STET_FIELD_TYPE &&
                                     item->kind == STET_EVENT_TRANSITIONED);
    if (!is_said) {
        return;
    }
    switch (stet__field_form(field)) {
    case STET_FORM_TEXT:
    case STET_FORM_TIME:
        put_text(&p->out, name, value);
        break;
    case STET_FORM_NUMBER:
    case STET_FORM_BOOL:
        begin_member(&p->out, name, "");
        stet__buf_put_slice(&p->out, value);
        break;
    case STET_FORM_OBJECT:
    case STET_FORM_JSON:
        put_json(p, field, value);
        break;
    }
}

static void put(stet_printer *p, const stet_item *item)
{
    stet__buf_put_u8(&p->out, '{');
    put_text(&p->out, stet__field_name(STET_FIELD_ID), stet__buf_slice(&p->id));
    for (int f = STET_FIELD_ID + 1; f < STET_FIELD_PAYLOAD; f++) {
        put_field(p, item, (stet_field)f);
    }
    if (stet__kind_holds_state(item->kind)) {
        put_json(p, STET_FIELD_STATE, item->change.payload);
    } else {
        put_field(p, item, STET_FIELD_PAYLOAD);
    }
    stet__buf_put_str(&p->out, "}\n");
}

const stet_printer_ops stet__jsonl_printer_ops = {.put = put};
