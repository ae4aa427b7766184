#include <inttypes.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/utf8.h"
#include "formats/jsontext.h"
#include "formats/parser_impl.h"

enum { CSV_COLUMNS_MAX = 1024 };

/* Where in a record the next byte stands. */
typedef enum csv_phase {
    CSV_CELL_START = 0,
    CSV_PLAIN = 1,  /* in a cell without quotes */
    CSV_QUOTED = 2, /* in a cell with quotes */
    CSV_QUOTE = 3,  /* behind a quote in it: its end, or half of a quote */
    CSV_RETURN = 4  /* behind a carriage return: a line feed must follow */
} csv_phase;

typedef enum csv_role {
    CSV_PAYLOAD = 0,
    CSV_ACTIVITY = 1,
    CSV_FIELD = 2 /* a field of the item */
} csv_role;

typedef struct csv_column {
    csv_role role;
    stet_field_name field;
    stet_slice name; /* in `header` */
} csv_column;

typedef struct csv_parser {
    stet_parser base;
    csv_phase phase;
    uint64_t line;        /* of the next byte */
    uint64_t record_line; /* where the record begins */
    uint64_t quote_line;  /* where its newest quote opened */
    stet_buf record;      /* its cells, one behind the other */
    size_t ends[CSV_COLUMNS_MAX];
    size_t cells; /* whole ones */

    bool has_header;
    stet_buf header; /* the names of the columns */
    csv_column columns[CSV_COLUMNS_MAX];
    size_t column_count;
    uint32_t fields;  /* 1 << stet_field of columns that are fields */
    stet_buf payload; /* of the record, as JSON */
} csv_parser;

/* The names that logs use, the likeliest first; the rest are payload. */
typedef struct usual_names {
    const char *what;
    const char *names[6];
} usual_names;

static const usual_names usual_case = {
    "case", {"case_id", "case:concept:name", "case", "caseid"}};
static const usual_names usual_activity = {
    "activity", {"activity", "concept:name", "activity_name"}};
static const usual_names usual_timestamp = {
    "timestamp",
    {"timestamp", "time:timestamp", "complete_timestamp", "end_timestamp",
     "start_timestamp", "time"}};
static const usual_names usual_resource = {
    "resource", {"resource", "org:resource", "user", "actor"}};

static stet_status init(stet_parser *base, stet_error *err)
{
    (void)err;
    csv_parser *p = (csv_parser *)base;
    p->line = 1;
    p->record_line = 1;
    stet__buf_init(&p->record, &base->alloc);
    stet__buf_init(&p->header, &base->alloc);
    stet__buf_init(&p->payload, &base->alloc);
    return STET_OK;
}

static void deinit(stet_parser *base)
{
    csv_parser *p = (csv_parser *)base;
    stet__buf_deinit(&p->record);
    stet__buf_deinit(&p->header);
    stet__buf_deinit(&p->payload);
}

static stet_slice cell_at(const csv_parser *p, const stet_buf *cells, size_t i)
{
    size_t from = i == 0 ? 0 : p->ends[i - 1];
    /* Where all cells are empty there may be no bytes to point at. */
    const void *bytes = cells->len == 0 ? "" : (const void *)cells->ptr;
    return stet_slice_of((const char *)bytes + from, p->ends[i] - from);
}

/* A letter in lower case; what people write between words is one character. */
static char plain_letter(char c)
{
    if (c == ' ' || c == '-') {
        return '_';
    }
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_named(stet_slice column, const char *usual)
{
    const char *p = column.ptr;
    if (usual == NULL || column.len != strlen(usual)) {
        return false;
    }
    for (size_t i = 0; i < column.len; i++) {
        if (plain_letter(p[i]) != usual[i]) {
            return false;
        }
    }
    return true;
}

/* Find a column by its name; column_count when there is none. */
static size_t find_exactly(const csv_parser *p, stet_slice name)
{
    size_t i = 0;
    while (i < p->column_count &&
           (p->columns[i].name.len != name.len ||
            memcmp(p->columns[i].name.ptr, name.ptr, name.len) != 0)) {
        i++;
    }
    return i;
}

static size_t find_usual(const csv_parser *p, const usual_names *usual)
{
    size_t names = sizeof usual->names / sizeof usual->names[0];
    for (size_t n = 0; n < names; n++) {
        for (size_t i = 0; i < p->column_count; i++) {
            if (is_named(p->columns[i].name, usual->names[n])) {
                return i;
            }
        }
    }
    return p->column_count;
}

static stet_status fail_missing(const csv_parser *p, stet_slice wanted,
                                const usual_names *usual, stet_error *err)
{
    stet_buf names;
    stet__buf_init(&names, p->base.arena.alloc);
    for (size_t i = 0; i < p->column_count; i++) {
        stet__buf_put_str(&names, i == 0 ? "" : ", ");
        stet__buf_put_slice(&names, p->columns[i].name);
    }
    bool is_named_so = wanted.len > 0;
    stet_status st = stet__fail(
        err, STET_E_INVALID, 0, "no %s column%s%.*s%s among %.*s", usual->what,
        is_named_so ? " \"" : "", (int)wanted.len, (const char *)wanted.ptr,
        is_named_so ? "\"" : "", (int)names.len, (const char *)names.ptr);
    stet__buf_deinit(&names);
    return st;
}

/* Find the column that was asked for, else one of a usual name. */
static stet_status find_column(const csv_parser *p, stet_slice wanted,
                               const usual_names *usual, size_t *out,
                               stet_error *err)
{
    size_t i = wanted.len > 0 ? find_exactly(p, wanted) : find_usual(p, usual);
    bool may_lack = usual == &usual_resource && wanted.len == 0;
    if (i == p->column_count && !may_lack) {
        return fail_missing(p, wanted, usual, err);
    }
    *out = i;
    return STET_OK;
}

/* Give a column its meaning; STET_E_INVALID when it has one. */
static stet_status assign(csv_column *column, csv_role role, stet_field field,
                          stet_error *err)
{
    if (column->role != CSV_PAYLOAD) {
        return stet__fail(
            err, STET_E_INVALID, 0, "the column \"%.*s\" has two meanings",
            (int)column->name.len, (const char *)column->name.ptr);
    }
    column->role = role;
    column->field = (stet_field_name){field, false};
    return STET_OK;
}

static stet_status assign_roles(csv_parser *p, stet_error *err)
{
    const stet_parser_opts *o = p->base.opts;
    const struct {
        const usual_names *usual;
        stet_slice wanted;
        csv_role role;
        stet_field field;
    } roles[] = {
        {&usual_case, o->case_column, CSV_FIELD, STET_FIELD_ID},
        {&usual_activity, o->activity_column, CSV_ACTIVITY, STET_FIELD_ACTION},
        {&usual_timestamp, o->timestamp_column, CSV_FIELD, STET_FIELD_TS},
        {&usual_resource, o->resource_column, CSV_FIELD, STET_FIELD_ACTOR},
    };
    for (size_t r = 0; r < sizeof roles / sizeof roles[0]; r++) {
        size_t i = 0;
        stet_status st =
            find_column(p, roles[r].wanted, roles[r].usual, &i, err);
        if (st == STET_OK && i < p->column_count) {
            st = assign(&p->columns[i], roles[r].role, roles[r].field, err);
        }
        if (st != STET_OK) {
            return st;
        }
    }
    return STET_OK;
}

/* Is it "stet:FIELD"? */
static bool is_own(stet_slice name, stet_field_name *out)
{
    static const char prefix[] = "stet:";
    size_t len = sizeof prefix - 1;
    return name.len > len && memcmp(name.ptr, prefix, len) == 0 &&
           stet__field_find(
               stet_slice_of((const char *)name.ptr + len, name.len - len),
               out);
}

static stet_status name_columns(csv_parser *p, stet_error *err)
{
    for (size_t i = 0; i < p->cells; i++) {
        csv_column *column = &p->columns[i];
        stet_slice name = cell_at(p, &p->header, i);
        if (find_exactly(p, name) < p->column_count) {
            return stet__fail(err, STET_E_INVALID, 0,
                              "two columns are called \"%.*s\"", (int)name.len,
                              (const char *)name.ptr);
        }
        if (!stet__utf8_is_valid(name)) {
            return stet__fail(err, STET_E_INVALID, 0,
                              "the name of column %zu is not UTF-8", i + 1);
        }
        column->name = name;
        if (is_own(name, &column->field)) {
            column->role = CSV_FIELD;
            p->fields |= 1U << column->field.field;
        }
        p->column_count++;
    }
    return STET_OK;
}

static stet_status take_header(csv_parser *p, stet_error *err)
{
    p->has_header = true;
    stet__buf_put_slice(&p->header, stet__buf_slice(&p->record));
    stet_status st = stet__parser_check(&p->header, err);
    if (st == STET_OK) {
        st = name_columns(p, err);
    }
    return st == STET_OK ? assign_roles(p, err) : st;
}

static bool has_column(const csv_parser *p, stet_field field)
{
    return (p->fields >> field & 1U) != 0;
}

static void put_payload(csv_parser *p, stet_slice name, stet_slice cell)
{
    stet__buf_put_u8(&p->payload, p->payload.len == 0 ? '{' : ',');
    stet__jsontext_put_string(&p->payload, name);
    stet__buf_put_u8(&p->payload, ':');
    stet__jsontext_put_string(&p->payload, cell);
}

static stet_status take_cell(csv_parser *p, const csv_column *column,
                             stet_slice cell, stet_error *err)
{
    stet_parser *base = &p->base;
    stet_status st = STET_OK;
    if (!stet__utf8_is_valid(cell)) {
        return stet__fail(
            err, STET_E_INVALID, 0, "the column \"%.*s\" is not UTF-8",
            (int)column->name.len, (const char *)column->name.ptr);
    }
    switch (column->role) {
    case CSV_PAYLOAD:
        put_payload(p, column->name, cell);
        break;
    case CSV_ACTIVITY:
        if (!has_column(p, STET_FIELD_ACTION)) {
            base->item.change.action = cell;
        }
        if (!has_column(p, STET_FIELD_TO)) {
            base->item.change.to_state = cell;
        }
        break;
    case CSV_FIELD:
        st =
            stet__item_set(&base->item, column->field, cell, &base->arena, err);
        break;
    }
    return st;
}

/* The payload is a cell of that name, else what the other cells say. */
static stet_status take_payload(csv_parser *p, stet_error *err)
{
    stet_item *item = &p->base.item;
    if (stet__item_has(item, STET_FIELD_PAYLOAD)) {
        return STET_OK;
    }
    if (p->payload.len > 0) {
        stet__buf_put_u8(&p->payload, '}');
        item->change.payload = stet__buf_slice(&p->payload);
        item->given |= 1U << STET_FIELD_PAYLOAD;
    } else if (has_column(p, STET_FIELD_PAYLOAD)) {
        item->given |= 1U << STET_FIELD_PAYLOAD; /* an empty one */
    }
    return stet__parser_check(&p->payload, err);
}

static stet_status take_row(csv_parser *p, stet_error *err)
{
    stet_parser *base = &p->base;
    stet_status st = STET_OK;
    if (p->cells != p->column_count) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "%zu columns, but the header has %zu", p->cells,
                          p->column_count);
    }
    stet__parser_begin_item(base, p->record_line);
    stet__buf_reset(&p->payload);
    for (size_t i = 0; st == STET_OK && i < p->cells; i++) {
        stet_slice cell = cell_at(p, &p->record, i);
        if (cell.len > 0) {
            st = take_cell(p, &p->columns[i], cell, err);
        }
    }
    return st == STET_OK ? take_payload(p, err) : st;
}

static stet_status end_cell(csv_parser *p, stet_error *err)
{
    if (p->cells == CSV_COLUMNS_MAX) {
        return stet__fail(err, STET_E_TOO_LARGE, 0, "more than %d columns",
                          CSV_COLUMNS_MAX);
    }
    p->ends[p->cells++] = p->record.len;
    p->phase = CSV_CELL_START;
    return stet__parser_check(&p->record, err);
}

/* End a record: its last cell ends with it. Empty lines are none. */
static stet_status end_record(csv_parser *p, stet_error *err)
{
    bool is_empty =
        p->cells == 0 && p->record.len == 0 && p->quote_line < p->record_line;
    stet_status st = STET_OK;
    bool is_row = p->has_header;
    p->phase = CSV_CELL_START;
    if (!is_empty) {
        st = end_cell(p, err);
        if (st == STET_OK) {
            st = is_row ? take_row(p, err) : take_header(p, err);
        }
        if (st != STET_OK) {
            return stet__parser_fail_at(p->record_line, st, err);
        }
    }
    if (!is_empty && is_row) {
        st = stet__parser_give(&p->base, &p->base.item, STET_EVENT_TRANSITIONED,
                               err);
    }
    stet__buf_reset(&p->record);
    p->cells = 0;
    p->record_line = p->line;
    return st;
}

static stet_status fail_here(const csv_parser *p, const char *what,
                             stet_error *err)
{
    return stet__parser_fail_at(
        p->line, stet__fail(err, STET_E_INVALID, 0, "%s", what), err);
}

/* A byte behind a cell or its start, which is no part of its text. */
static stet_status take_separator(csv_parser *p, char c, stet_error *err)
{
    if (p->phase == CSV_RETURN && c != '\n') {
        return fail_here(p, "a carriage return without a line feed", err);
    }
    switch (c) {
    case ',':
        return end_cell(p, err);
    case '\r':
        p->phase = CSV_RETURN;
        return STET_OK;
    case '\n':
        p->line++;
        return end_record(p, err);
    default:
        return fail_here(p, "text behind a closing quote", err);
    }
}

static bool is_separator(char c)
{
    return c == ',' || c == '\r' || c == '\n';
}

/* Take one byte that is not just text. */
static stet_status take_special(csv_parser *p, char c, stet_error *err)
{
    if (p->phase == CSV_QUOTED) {
        STET_ASSERT(c == '"');
        p->phase = CSV_QUOTE;
        return STET_OK;
    }
    if (c == '"' && p->phase == CSV_QUOTE) {
        p->phase = CSV_QUOTED;
        stet__buf_put_u8(&p->record, '"');
        return STET_OK;
    }
    if (c == '"' && p->phase == CSV_CELL_START) {
        p->phase = CSV_QUOTED;
        p->quote_line = p->line;
        return STET_OK;
    }
    if (c == '"' && p->phase == CSV_PLAIN) {
        return fail_here(p, "a quote inside a cell without quotes", err);
    }
    return take_separator(p, c, err);
}

/* Is the byte plain text where it stands? */
static bool is_plain(const csv_parser *p, char c)
{
    switch (p->phase) {
    case CSV_CELL_START:
    case CSV_PLAIN:
        return c != '"' && !is_separator(c);
    case CSV_QUOTED:
        return c != '"';
    case CSV_QUOTE:
    case CSV_RETURN:
        break;
    }
    return false;
}

/* Take the text up to the next byte that is special. */
static stet_status take_text(csv_parser *p, const char **at, const char *end,
                             stet_error *err)
{
    const char *start = *at;
    if (p->phase == CSV_CELL_START) {
        p->phase = CSV_PLAIN;
    }
    while (*at < end && is_plain(p, **at)) {
        p->line += **at == '\n';
        (*at)++;
    }
    size_t len = (size_t)(*at - start);
    if (len > STET_ITEM_BYTES_MAX - p->record.len) {
        return stet__parser_fail_at(p->record_line,
                                    stet__fail(err, STET_E_TOO_LARGE, 0,
                                               "a row of more than %d bytes",
                                               STET_ITEM_BYTES_MAX),
                                    err);
    }
    stet__buf_put(&p->record, start, len);
    return stet__parser_check(&p->record, err);
}

static stet_status feed(stet_parser *base, stet_slice bytes, stet_error *err)
{
    csv_parser *p = (csv_parser *)base;
    const char *at = bytes.ptr;
    const char *end = at + bytes.len;
    stet_status st = STET_OK;
    while (st == STET_OK && at < end) {
        st = is_plain(p, *at) ? take_text(p, &at, end, err)
                              : take_special(p, *at++, err);
    }
    return st;
}

/* The last record may lack its line feed. */
static stet_status finish(stet_parser *base, stet_error *err)
{
    csv_parser *p = (csv_parser *)base;
    if (p->phase == CSV_QUOTED) {
        return stet__parser_fail_at(
            p->quote_line,
            stet__fail(err, STET_E_INVALID, 0, "a quote that is not closed"),
            err);
    }
    stet_status st = end_record(p, err);
    if (st == STET_OK && !p->has_header) {
        st = stet__fail(err, STET_E_INVALID, 0, "line 1: no header");
    }
    return st;
}

const stet_parser_ops stet__csv_parser_ops = {
    .struct_bytes = sizeof(csv_parser),
    .init = init,
    .deinit = deinit,
    .feed = feed,
    .finish = finish,
};
