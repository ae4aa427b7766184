#include "items.h"

#include <string.h>

#include "base/bytes.h"
#include "formats/printer.h"
#include "fuzz.h"
#include "lib/itemdump.h"

typedef struct printing {
    stet_printer *printer;
    stet_buf out;
    stet_buf machine; /* the id of the newest item */
    stet_status status;
} printing;

static stet_status take_output(void *ctx, stet_slice bytes, stet_error *err)
{
    (void)err;
    stet__buf_put_slice(&((printing *)ctx)->out, bytes);
    return STET_OK;
}

/* A stet_item_fn. */
static stet_status print(void *ctx, const stet_item *item, stet_error *err)
{
    printing *p = ctx;
    if (!stet__slice_eq(item->change.id, stet__buf_slice(&p->machine))) {
        stet__buf_reset(&p->machine);
        stet__buf_put_slice(&p->machine, item->change.id);
        p->status = stet__printer_machine(p->printer, item->change.id, err);
    }
    if (p->status == STET_OK) {
        p->status = stet__printer_item(p->printer, item, err);
    }
    return p->status;
}

/* What expat has against a text depends on where a piece of it ended. */
static bool is_same_error(const char *a, const char *b)
{
    static const char of_expat[] = "not XML: ";
    const char *found = strstr(a, of_expat);
    return found == NULL
               ? strcmp(a, b) == 0
               : strncmp(a, b, (size_t)(found - a) + strlen(of_expat)) == 0;
}

static void check_pieces(stet_format format, stet_slice input, size_t piece)
{
    itemdump whole;
    itemdump pieces;
    itemdump_init(&whole);
    itemdump_init(&pieces);
    stet_status st = itemdump_parse(&whole, format, input, 0);
    FUZZ_CHECK(itemdump_parse(&pieces, format, input, piece) == st);
    FUZZ_CHECK(is_same_error(whole.err.text, pieces.err.text));
    FUZZ_CHECK((st == STET_OK) == (whole.err.text[0] == '\0'));
    FUZZ_CHECK(stet__slice_eq(stet__buf_slice(&whole.text),
                              stet__buf_slice(&pieces.text)));
    FUZZ_CHECK(whole.ignored.count == pieces.ignored.count);
    itemdump_deinit(&pieces);
    itemdump_deinit(&whole);
}

static void check_printing(stet_format format, stet_slice input)
{
    itemdump first;
    itemdump again;
    printing p = {0};
    itemdump_init(&first);
    itemdump_init(&again);
    stet__buf_init(&p.out, &stet__heap);
    stet__buf_init(&p.machine, &stet__heap);
    FUZZ_CHECK(stet__printer_create(&stet__heap, format, take_output, &p,
                                    &p.printer, NULL) == STET_OK);
    first.has_lines = again.has_lines = false;
    first.has_from = again.has_from = true;
    first.then = print;
    first.then_ctx = &p;
    if (itemdump_parse(&first, format, input, 0) == STET_OK) {
        FUZZ_CHECK(stet__printer_finish(p.printer, NULL) == STET_OK);
        stet_status st =
            itemdump_parse(&again, format, stet__buf_slice(&p.out), 0);
        FUZZ_CHECK(st == STET_OK);
        FUZZ_CHECK(stet__slice_eq(stet__buf_slice(&first.text),
                                  stet__buf_slice(&again.text)));
    }
    stet__printer_destroy(p.printer);
    stet__buf_deinit(&p.machine);
    stet__buf_deinit(&p.out);
    itemdump_deinit(&again);
    itemdump_deinit(&first);
}

void items_check(stet_format format, const uint8_t *data, size_t size)
{
    fuzz f;
    fuzz_begin(&f, data, size);
    size_t piece = (size_t)fuzz_u8(&f) + 1;
    stet_slice input = fuzz_rest(&f);
    check_pieces(format, input, piece);
    check_printing(format, input);
    fuzz_end(&f);
}
