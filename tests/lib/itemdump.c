#include "lib/itemdump.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/error.h"
#include "formats/gunzip.h"

void itemdump_init(itemdump *d)
{
    *d = (itemdump){.has_lines = true};
    stet__buf_init(&d->text, &stet__heap);
    stet__buf_init(&d->id, &stet__heap);
    stet__buf_init(&d->state_name, &stet__heap);
}

void itemdump_deinit(itemdump *d)
{
    stet__buf_deinit(&d->text);
    stet__buf_deinit(&d->id);
    stet__buf_deinit(&d->state_name);
}

const char *itemdump_text(itemdump *d)
{
    stet__buf_put_u8(&d->text, '\0');
    d->text.len--;
    return (const char *)d->text.ptr;
}

static void put_field(itemdump *d, const stet_item *item, stet_field field,
                      const char *name)
{
    stet_buf value;
    stet__buf_init(&value, &stet__heap);
    stet__item_put(item, field, &value);
    if (value.len > 0) {
        stet__buf_printf(&d->text, " %s=", name);
        stet__buf_put_slice(&d->text, stet__buf_slice(&value));
    }
    stet__buf_deinit(&value);
}

/* Name the state before where the item leaves that to the store. */
static void fill_from(itemdump *d, stet_item *item)
{
    stet_change *c = &item->change;
    if (!stet__slice_eq(c->id, stet__buf_slice(&d->id))) {
        stet__buf_reset(&d->id);
        stet__buf_put_slice(&d->id, c->id);
        stet__buf_reset(&d->state_name);
    }
    if (c->from_state.len == 0) {
        c->from_state = stet__buf_slice(&d->state_name);
    }
}

static void note_state(itemdump *d, const stet_item *item)
{
    if (item->change.to_state.len > 0) {
        stet__buf_reset(&d->state_name);
        stet__buf_put_slice(&d->state_name, item->change.to_state);
    }
}

stet_status itemdump_take(void *ctx, const stet_item *item, stet_error *err)
{
    itemdump *d = ctx;
    d->items++;
    if (d->items == d->fail_at) {
        return stet__fail(err, STET_E_NOSPACE, 0, "refused");
    }
    if (d->has_lines) {
        stet__buf_printf(&d->text, "%" PRIu64 " ", item->line);
    }
    stet_item own = *item;
    if (d->has_from) {
        fill_from(d, &own);
    }
    stet__buf_put_str(&d->text, stet_event_kind_name(item->kind));
    for (int f = 0; f < STET_FIELD_PAYLOAD; f++) {
        if (f != STET_FIELD_KIND) {
            put_field(d, &own, (stet_field)f, stet__field_name((stet_field)f));
        }
    }
    put_field(d, item, STET_FIELD_PAYLOAD,
              stet__kind_holds_state(item->kind) ? "state" : "payload");
    stet__buf_put_u8(&d->text, '\n');
    note_state(d, item);
    return d->then == NULL ? STET_OK : d->then(d->then_ctx, item, err);
}

typedef struct parse {
    itemdump *dump;
    stet_parser *parser;
    stet_parser_opts opts;
} parse;

static stet_status begin(parse *p, itemdump *d, stet_format format,
                         const stet_parser_opts *opts)
{
    *p = (parse){.dump = d, .opts = *opts};
    p->opts.next = itemdump_take;
    p->opts.ctx = d;
    stet__error_reset(&d->err);
    return stet__parser_create(&stet__heap, format, &p->opts, &p->parser,
                               &d->err);
}

/* A stet_bytes_fn: to the parser. */
static stet_status feed(void *ctx, stet_slice bytes, stet_error *err)
{
    parse *p = ctx;
    return stet__parser_feed(p->parser, bytes, err);
}

static stet_status end(parse *p, stet_status st)
{
    if (st == STET_OK) {
        st = stet__parser_finish(p->parser, &p->dump->err);
    }
    p->dump->ignored = *stet__parser_ignored(p->parser);
    stet__parser_destroy(p->parser);
    return st;
}

stet_status itemdump_parse_opts(itemdump *d, stet_format format,
                                const stet_parser_opts *opts, stet_slice input,
                                size_t piece)
{
    parse p;
    const char *at = input.ptr;
    size_t step = piece == 0 ? input.len + 1 : piece;
    stet_status st = begin(&p, d, format, opts);
    if (st != STET_OK) {
        return st;
    }
    for (size_t i = 0; st == STET_OK && i < input.len; i += step) {
        size_t left = input.len - i;
        st =
            feed(&p, stet_slice_of(at + i, left < step ? left : step), &d->err);
    }
    return end(&p, st);
}

stet_status itemdump_parse(itemdump *d, stet_format format, stet_slice input,
                           size_t piece)
{
    stet_parser_opts none = {0};
    return itemdump_parse_opts(d, format, &none, input, piece);
}

static FILE *open_real(const char *name)
{
    char path[512];
    const char *folder = getenv("STET_TEST_DATA");
    snprintf(path, sizeof path, "%s/%s",
             folder == NULL ? "../shared/data" : folder, name);
    return fopen(path, "rb");
}

bool itemdump_parse_real(itemdump *d, stet_format format, const char *name,
                         size_t piece, stet_status *out)
{
    static uint8_t bytes[64 * 1024];
    FILE *file = open_real(name);
    if (file == NULL) {
        return false;
    }
    stet_parser_opts none = {0};
    parse p;
    stet_gunzip *gunzip = NULL;
    stet_status st = begin(&p, d, format, &none);
    if (st == STET_OK) {
        st = stet__gunzip_create(&stet__heap, feed, &p, &gunzip, &d->err);
    }
    size_t len = 0;
    size_t most = piece < sizeof bytes ? piece : sizeof bytes;
    while (st == STET_OK && (len = fread(bytes, 1, most, file)) > 0) {
        st = stet__gunzip_feed(gunzip, stet_slice_of(bytes, len), &d->err);
    }
    if (st == STET_OK) {
        st = stet__gunzip_finish(gunzip, &d->err);
    }
    fclose(file);
    stet__gunzip_destroy(gunzip);
    *out = end(&p, st);
    return true;
}
