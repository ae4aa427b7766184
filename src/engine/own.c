#include "engine/own.h"

#include "base/error.h"
#include "base/utf8.h"
#include "core/record.h"
#include "engine/load.h"

stet_machine_key stet__own_key(const stet_buf *id)
{
    return (stet_machine_key){stet__buf_slice(id), STET_STORE_NAMESPACE};
}

stet_status stet__own_name_check(const char *what, stet_slice name,
                                 stet_error *err)
{
    if (name.len == 0 || name.len > STET_NAME_BYTES_MAX ||
        !stet__utf8_is_printable(name)) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "a %s's name has 1 to %d bytes of UTF-8 without "
                          "control characters",
                          what, STET_NAME_BYTES_MAX);
    }
    return STET_OK;
}

uint64_t stet__own_number(const stet_value *object, const char *name)
{
    const stet_value *v = stet__value_member(object, stet_str(name));
    uint64_t n = 0;
    if (v == NULL || v->kind != STET_VALUE_NUMBER) {
        return 0;
    }
    const char *digits = v->text.ptr;
    for (size_t i = 0; i < v->text.len && digits[i] >= '0' && digits[i] <= '9';
         i++) {
        n = n * 10 + (uint64_t)(digits[i] - '0');
    }
    return n;
}

stet_slice stet__own_string(const stet_value *object, const char *name)
{
    const stet_value *v = stet__value_member(object, stet_str(name));
    return v == NULL || v->kind != STET_VALUE_STRING ? (stet_slice){NULL, 0}
                                                     : v->text;
}

stet_status stet__own_visit(stet *s, stet_machine_key key, stet_own_fn fn,
                            void *ctx, stet_error *err)
{
    stet_box *box = NULL;
    stet_at newest = {0};
    stet_value *content = NULL;
    stet_doc doc;
    stet_status st = stet__load(s, key, &newest, &box, err);
    if (st != STET_OK) {
        return st;
    }
    stet__doc_init(&doc, &s->alloc);
    st = stet__json_read(&doc, box->view.state_data, STET_JSON_VALUES_MAX,
                         &content, err);
    if (st == STET_OK) {
        stet_own own = {key.id, content, &box->view};
        st = fn(ctx, &own, err);
    }
    stet__doc_deinit(&doc);
    stet__box_unref(box);
    return st;
}

stet_status stet__own_each(stet *s, stet_slice prefix, stet_own_fn fn,
                           void *ctx, stet_error *err)
{
    stet_heads_range range = {
        .ns = STET_STORE_NAMESPACE,
        .prefix = prefix,
        .below = stet__watermark(&s->pipeline),
        .is_nameless = true,
    };
    stet_log_cursor *heads = NULL;
    stet_status st = s->log->ops->heads_open(s->log, &range, &heads, err);
    while (st == STET_OK) {
        stet_head_entry entry = {0};
        st = s->log->ops->heads_next(heads, &entry, err);
        if (st == STET_OK && !entry.is_deleted) {
            st = stet__own_visit(s, entry.key, fn, ctx, err);
        }
        if (st == STET_E_NOT_FOUND) { /* deleted meanwhile */
            stet__error_reset(err);
            st = STET_OK;
        }
    }
    s->log->ops->heads_close(heads);
    return st == STET_DONE ? STET_OK : st;
}
