#include "formats/xes_level.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "formats/jsontext.h"

void stet__xes_open_child(stet_buf *json, stet_xes_level *in)
{
    if (in->children++ > 0) {
        stet__buf_put_u8(json, ',');
        return;
    }
    switch (in->kind) {
    case STET_XES_SCALAR: {
        static const char head[] = "{\"value\":";
        size_t value_bytes = json->len - in->value_offset;
        if (stet__buf_extend(json, sizeof head - 1) != NULL) {
            uint8_t *at = json->ptr + in->value_offset;
            memmove(at + sizeof head - 1, at, value_bytes);
            memcpy(at, head, sizeof head - 1);
        }
        stet__buf_put_str(json, ",\"children\":{");
        break;
    }
    case STET_XES_CONTAINER:
        stet__buf_put_str(json, "{\"children\":{");
        break;
    case STET_XES_LIST:
        stet__buf_put_str(json, "[");
        break;
    case STET_XES_TRACE:
    case STET_XES_EVENT:
        stet__buf_put_str(json, "{");
        break;
    case STET_XES_LOG:
    case STET_XES_VALUES:
    case STET_XES_FIELD:
    case STET_XES_SKIPPED:
        STET_ASSERT(false); /* never written */
    }
}

void stet__xes_close_children(stet_buf *json, const stet_xes_level *of)
{
    switch (of->kind) {
    case STET_XES_SCALAR:
        stet__buf_put_str(json, of->children > 0 ? "}}" : "");
        break;
    case STET_XES_CONTAINER:
        stet__buf_put_str(json, of->children > 0 ? "}}" : "{\"children\":{}}");
        break;
    case STET_XES_LIST:
        stet__buf_put_str(json, of->children > 0 ? "]" : "[]");
        break;
    case STET_XES_TRACE:
    case STET_XES_EVENT:
        stet__buf_put_str(json, of->children > 0 ? "}" : "");
        break;
    case STET_XES_LOG:
    case STET_XES_VALUES:
    case STET_XES_FIELD:
    case STET_XES_SKIPPED:
        STET_ASSERT(false); /* never written */
    }
    if (of->is_in_list) {
        stet__buf_put_str(json, "}");
    }
}

void stet__xes_put_value(stet_buf *json, stet_slice tag, stet_slice value)
{
    bool is_number = stet__slice_eq(tag, stet_str("int")) ||
                     stet__slice_eq(tag, stet_str("float"));
    bool is_boolean = stet__slice_eq(tag, stet_str("boolean"));
    bool is_plain = (is_number && stet__jsontext_is_number(value)) ||
                    (is_boolean && (stet__slice_eq(value, stet_str("true")) ||
                                    stet__slice_eq(value, stet_str("false"))));
    if (is_plain) {
        stet__buf_put_slice(json, value);
    } else {
        stet__jsontext_put_string(json, value);
    }
}

stet_xes_kind stet__xes_attribute_kind(stet_slice tag)
{
    static const char *const scalars[] = {"string", "date",    "int",
                                          "float",  "boolean", "id"};
    for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++) {
        if (stet__slice_eq(tag, stet_str(scalars[i]))) {
            return STET_XES_SCALAR;
        }
    }
    if (stet__slice_eq(tag, stet_str("list"))) {
        return STET_XES_LIST;
    }
    return stet__slice_eq(tag, stet_str("container")) ? STET_XES_CONTAINER
                                                      : STET_XES_SKIPPED;
}
