#include "engine/own.h"

#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "core/record.h"
#include "engine/load.h"

stet_machine_key stet__own_key(const stet_buf *id)
{
    return (stet_machine_key){stet__buf_slice(id), STET_STORE_NAMESPACE};
}

bool stet__own_is_pin(stet_slice id)
{
    static const char written_all_the_time[] = {'n', 'k', 'p', 'r'};
    return id.len == 0 || memchr(written_all_the_time, *(const char *)id.ptr,
                                 sizeof written_all_the_time) == NULL;
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

stet_status stet__own_list_open(stet *s, stet_slice prefix, stet_own_list *out,
                                stet_error *err)
{
    stet_own_list list = {.s = s};
    stet__buf_init(&list.prefix, &s->alloc);
    stet__buf_put_slice(&list.prefix, prefix);
    stet_heads_range range = {
        .ns = STET_STORE_NAMESPACE,
        .prefix = stet__buf_slice(&list.prefix),
        .below = stet__watermark(&s->pipeline),
        .is_nameless = true,
    };
    stet_status st =
        list.prefix.is_failed
            ? stet__fail(err, STET_E_NOMEM, 0, "list")
            : s->log->ops->heads_open(s->log, &range, &list.heads, err);
    if (st != STET_OK) {
        stet__buf_deinit(&list.prefix);
        return st;
    }
    *out = list;
    return STET_OK;
}

stet_status stet__own_list_skip(stet_own_list *list, stet_slice *out_id,
                                stet_error *err)
{
    stet_head_entry entry = {.is_deleted = true};
    stet_status st = STET_OK;
    while (st == STET_OK && entry.is_deleted) {
        st = list->s->log->ops->heads_next(list->heads, &entry, err);
    }
    *out_id = entry.key.id;
    return st;
}

stet_status stet__own_list_next(stet_own_list *list, stet_own_fn fn, void *ctx,
                                stet_error *err)
{
    stet_slice id = {NULL, 0};
    stet_status st = STET_E_NOT_FOUND;
    while (st == STET_E_NOT_FOUND) { /* deleted meanwhile */
        stet__error_reset(err);
        st = stet__own_list_skip(list, &id, err);
        if (st == STET_OK) {
            stet_machine_key key = {id, STET_STORE_NAMESPACE};
            st = stet__own_visit(list->s, key, fn, ctx, err);
        }
    }
    return st;
}

void stet__own_list_close(stet_own_list *list)
{
    if (list->heads != NULL) {
        list->s->log->ops->heads_close(list->heads);
        stet__buf_deinit(&list->prefix);
    }
}

stet_status stet__own_each(stet *s, stet_slice prefix, stet_own_fn fn,
                           void *ctx, stet_error *err)
{
    stet_own_list list = {0};
    stet_status st = stet__own_list_open(s, prefix, &list, err);
    while (st == STET_OK) {
        st = stet__own_list_next(&list, fn, ctx, err);
    }
    stet__own_list_close(&list);
    return st == STET_DONE ? STET_OK : st;
}
