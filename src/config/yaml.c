#include "config/yaml.h"

#include <string.h>

#include <libfyaml.h>

#include "base/error.h"
#include "base/outside.h"
#include "base/utf8.h"

struct stet_yaml {
    const stet_allocator *alloc; /* borrowed */
    struct fy_diag *diag;
    struct fy_parser *parser;
    struct fy_event *event; /* the last one, which lends its text */
    stet_slice text;
    const char *name;
    size_t depth;
    uint32_t line; /* of the last part that had a place */
    uint32_t column;
    uint32_t documents;
    bool is_ended;
};

/* ---- what the library is given ---- */

typedef struct place {
    uint32_t line;
    uint32_t column;
} place;

/* Line and column, in bytes, of an offset. */
static place place_of(stet_slice text, size_t offset)
{
    const char *p = text.ptr;
    place at = {1, 1};
    for (size_t i = 0; i < offset; i++) {
        at.column = p[i] == '\n' ? 1 : at.column + 1;
        at.line += p[i] == '\n';
    }
    return at;
}

static bool is_allowed_control(char c)
{
    return c == '\n' || c == '\r' || c == '\t';
}

/* The length of the first run that is text, as long as the whole if all is. */
static size_t text_bytes(stet_slice text)
{
    const char *p = text.ptr;
    size_t from = 0;
    while (from < text.len) {
        size_t to = from;
        while (to < text.len && !is_allowed_control(p[to])) {
            to++;
        }
        if (!stet__utf8_is_printable(stet_slice_of(p + from, to - from))) {
            return from;
        }
        from = to + (to < text.len);
    }
    return text.len;
}

/* The offset of a line that begins with a directive's mark, or the end. */
static size_t directive_at(stet_slice text)
{
    const char *p = text.ptr;
    for (size_t i = 0; i < text.len; i++) {
        if (p[i] == '%' && (i == 0 || p[i - 1] == '\n' || p[i - 1] == '\r')) {
            return i;
        }
    }
    return text.len;
}

/*
 * The offset of a run of quotes ('' is one, written in a quoted text) that the
 * library would lose memory over, or the end.
 */
static size_t quotes_at(stet_slice text)
{
    enum { RUN_MAX = 8 };
    const char *p = text.ptr;
    size_t run = 0;
    for (size_t i = 0; i < text.len; i++) {
        run = p[i] == '\'' ? run + 1 : 0;
        if (run > RUN_MAX) {
            return i;
        }
    }
    return text.len;
}

static stet_status check_text(stet_slice text, const char *name,
                              stet_error *err)
{
    if (text.len > STET_CONFIG_BYTES_MAX) {
        return stet__fail(err, STET_E_TOO_LARGE, 0,
                          "%s: a configuration has at most %d bytes", name,
                          STET_CONFIG_BYTES_MAX);
    }
    const struct {
        size_t at;
        const char *why;
    } wrongs[] = {
        {text_bytes(text), "the line has control characters, or is not UTF-8"},
        {directive_at(text), "no directive (%) is taken"},
        {quotes_at(text), "more than 8 quotes in a row"},
    };
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        if (wrongs[i].at < text.len) {
            place at = place_of(text, wrongs[i].at);
            return stet__fail(err, STET_E_INVALID, 0, "%s:%u:%u: %s", name,
                              at.line, at.column, wrongs[i].why);
        }
    }
    return STET_OK;
}

/* ---- what it gives ---- */

/* Its talk is taken from the list of errors instead. */
static void hear_nothing(struct fy_diag *diag, void *user, const char *buf,
                         size_t len)
{
    (void)diag;
    (void)user;
    (void)buf;
    (void)len;
}

static struct fy_diag *make_diag(void)
{
    struct fy_diag_cfg cfg;
    fy_diag_cfg_default(&cfg);
    cfg.fp = NULL;
    cfg.output_fn = hear_nothing;
    cfg.level = FYET_ERROR;
    struct fy_diag *diag = fy_diag_create(&cfg);
    if (diag != NULL) {
        fy_diag_set_collect_errors(diag, true);
    }
    return diag;
}

stet_status stet__yaml_open(stet_slice text, const char *name,
                            const stet_allocator *alloc, stet_yaml **out,
                            stet_error *err)
{
    stet_status st = check_text(text, name, err);
    if (st != STET_OK) {
        return st;
    }
    stet_yaml *y = stet__alloc_zeroed(alloc, 1, sizeof *y);
    if (y == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "configuration");
    }
    y->alloc = alloc;
    y->name = name;
    y->text = text.len == 0 ? stet_str("\n") : text;
    y->line = y->column = 1;
    stet__outside_enter();
    y->diag = make_diag();
    const struct fy_parse_cfg cfg = {
        .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE |
                 FYPCF_DISABLE_MMAP_OPT,
        .diag = y->diag,
    };
    y->parser = y->diag == NULL ? NULL : fy_parser_create(&cfg);
    bool is_ready =
        y->parser != NULL &&
        fy_parser_set_string(y->parser, y->text.ptr, y->text.len) == 0;
    stet__outside_leave();
    if (!is_ready) {
        stet__yaml_close(y);
        return stet__fail(err, STET_E_NOMEM, 0, "configuration");
    }
    *out = y;
    return STET_OK;
}

static void drop_event(stet_yaml *y)
{
    if (y->event != NULL) {
        fy_parser_event_free(y->parser, y->event);
        y->event = NULL;
    }
}

void stet__yaml_close(stet_yaml *y)
{
    if (y == NULL) {
        return;
    }
    drop_event(y);
    if (y->parser != NULL) {
        fy_parser_destroy(y->parser);
    }
    if (y->diag != NULL) {
        fy_diag_destroy(y->diag);
    }
    stet__free(y->alloc, y, sizeof *y);
}

static stet_status fail_at(const stet_yaml *y, stet_error *err,
                           const char *text)
{
    return stet__fail(err, STET_E_INVALID, 0, "%s:%u:%u: %s", y->name, y->line,
                      y->column, text);
}

/* The parser gave up: say why, in its words. */
static stet_status fail_parse(const stet_yaml *y, stet_error *err)
{
    void *cursor = NULL;
    const struct fy_diag_error *e = fy_diag_errors_iterate(y->diag, &cursor);
    stet__outside_sets(e, sizeof *e);
    if (e == NULL || e->msg == NULL) {
        return fail_at(y, err, "this is not YAML");
    }
    stet__outside_sets(e->msg, strlen(e->msg) + 1);
    /* Lines count from 1 here, columns from 0 or from nowhere. */
    unsigned column = e->column < 0 ? 1 : (unsigned)e->column;
    return stet__fail(err, STET_E_INVALID, 0, "%s:%u:%u: %s", y->name,
                      e->line < 1 ? y->line : (unsigned)e->line,
                      column < 1 ? 1 : column, e->msg);
}

static void take_place(stet_yaml *y, stet_yaml_part *out)
{
    const struct fy_mark *mark = fy_event_start_mark(y->event);
    if (mark != NULL) {
        stet__outside_sets(mark, sizeof *mark);
        y->line = (uint32_t)mark->line + 1;
        y->column = (uint32_t)mark->column + 1;
    }
    out->line = y->line;
    out->column = y->column;
}

static bool is_null_word(stet_slice text)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (text.len == strlen(words[i]) &&
            memcmp(text.ptr, words[i], text.len) == 0) {
            return true;
        }
    }
    return false;
}

static stet_status take_scalar(stet_yaml *y, stet_yaml_part *out,
                               stet_error *err)
{
    struct fy_token *value = y->event->scalar.value;
    size_t len = 0;
    const char *text = value == NULL ? "" : fy_token_get_text(value, &len);
    if (text == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "configuration");
    }
    if (len > 0) {
        stet__outside_sets(text, len);
    }
    out->kind = STET_YAML_SCALAR;
    out->text = stet_slice_of(text, len);
    out->is_null =
        (value == NULL || fy_token_scalar_style(value) == FYSS_PLAIN) &&
        is_null_word(stet_slice_of(len == 0 ? "" : text, len));
    return STET_OK;
}

/* Nothing of ours has a name or a type beside what it is. */
static const char *unwanted(struct fy_event *e)
{
    if (e->type == FYET_ALIAS) {
        return "no alias (*) is taken; write the value itself";
    }
    if (e->type == FYET_SCALAR || e->type == FYET_MAPPING_START ||
        e->type == FYET_SEQUENCE_START) {
        return fy_event_get_anchor_token(e) != NULL ? "no anchor (&) is taken"
               : fy_event_get_tag_token(e) != NULL  ? "no tag (!) is taken"
                                                    : NULL;
    }
    return NULL;
}

static stet_status enter(stet_yaml *y, stet_yaml_kind kind, stet_yaml_part *out,
                         stet_error *err)
{
    if (y->depth == STET_CONFIG_DEPTH_MAX) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "%s:%u:%u: more than %d mappings and lists in each "
                          "other",
                          y->name, y->line, y->column, STET_CONFIG_DEPTH_MAX);
    }
    y->depth++;
    out->kind = kind;
    return STET_OK;
}

/* Turn an event into a part; `*out_is_part`: it is one. */
static stet_status take_event(stet_yaml *y, stet_yaml_part *out,
                              bool *out_is_part, stet_error *err)
{
    *out_is_part = true;
    switch (y->event->type) {
    case FYET_MAPPING_START:
        return enter(y, STET_YAML_MAP, out, err);
    case FYET_SEQUENCE_START:
        return enter(y, STET_YAML_LIST, out, err);
    case FYET_MAPPING_END:
        out->kind = STET_YAML_MAP_END;
        y->depth--;
        return STET_OK;
    case FYET_SEQUENCE_END:
        out->kind = STET_YAML_LIST_END;
        y->depth--;
        return STET_OK;
    case FYET_SCALAR:
        return take_scalar(y, out, err);
    case FYET_DOCUMENT_START:
        y->documents++;
        *out_is_part = false;
        return y->documents > 1
                   ? fail_at(y, err, "one document is taken, not a second")
                   : STET_OK;
    case FYET_STREAM_END:
        y->is_ended = true;
        return STET_OK;
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_DOCUMENT_END:
    case FYET_ALIAS:
        *out_is_part = false;
        return STET_OK;
    }
    return fail_at(y, err, "this is not YAML");
}

stet_status stet__yaml_next(stet_yaml *y, stet_yaml_part *out, stet_error *err)
{
    stet_yaml_part part = {.kind = STET_YAML_END};
    bool is_part = false;
    while (!is_part && !y->is_ended) {
        drop_event(y);
        stet__outside_enter();
        y->event = fy_parser_parse(y->parser);
        stet__outside_leave();
        if (y->event == NULL || fy_parser_get_stream_error(y->parser)) {
            return fail_parse(y, err);
        }
        stet__outside_sets(y->event, sizeof *y->event);
        take_place(y, &part);
        const char *not_taken = unwanted(y->event);
        if (not_taken != NULL) {
            return fail_at(y, err, not_taken);
        }
        stet_status st = take_event(y, &part, &is_part, err);
        if (st != STET_OK) {
            return st;
        }
    }
    *out = part;
    return STET_OK;
}
