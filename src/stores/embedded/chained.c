/*
 * A machine's hash chain, link by link: its run in each set, oldest first.
 *
 * The cursor lends the table for its life.
 */
#include "base/error.h"
#include "stores/embedded/log.h"
#include "stores/embedded/settled.h"

typedef struct chained_cursor {
    stet_embedded *e;
    stet_files *table;
    uint32_t next_file; /* in the table */
    stet_run_search q;  /* the run at hand; q.s NULL: the next one's turn */
    uint32_t ordinal;   /* in it */
    stet_sealed_reader reader;
    stet_machine_key key;
    uint8_t id[STET_RECORD_ID_BYTES_MAX];
} chained_cursor;

/* Find the machine's run in a file. STET_E_NOT_FOUND: none, or no set. */
static stet_status find_run(chained_cursor *c, const stet_segment *s,
                            stet_error *err)
{
    c->q = (stet_run_search){.s = s, .r = &c->reader};
    return stet__segment_is_set(s)
               ? stet__index_find(s, c->key, &c->reader.directory, &c->q.run,
                                  err)
               : STET_E_NOT_FOUND;
}

/* Where the newest run ends. */
static stet_status find_end(chained_cursor *c, stet_chain_end *out,
                            stet_error *err)
{
    stet_status st = STET_E_NOT_FOUND;
    for (uint32_t i = stet__files_count(c->table);
         i > 0 && st == STET_E_NOT_FOUND; i--) {
        st = find_run(c, c->table->items[i - 1], err);
    }
    if (st == STET_OK) {
        out->point = c->q.run.last;
        memcpy(out->value, c->q.run.chain, sizeof out->value);
    }
    c->q.s = NULL;
    return st == STET_E_NOT_FOUND
               ? stet__fail(err, st, 0, "no event is settled yet")
               : st;
}

stet_status stet__chained_open(stet_log *log, stet_machine_key key,
                               stet_chain_end *out_end, stet_log_cursor **out,
                               stet_error *err)
{
    stet_embedded *e = stet__embedded_of(log);
    chained_cursor *c = stet__alloc_zeroed(e->alloc, 1, sizeof *c);
    if (c == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory for a chain");
    }
    c->e = e;
    c->table = stet__embedded_lend(e);
    memcpy(c->id, key.id.ptr, key.id.len);
    c->key.id = stet_slice_of(c->id, key.id.len);
    c->key.ns = key.ns;
    stet__sealed_reader_init(&c->reader, e->alloc);
    stet_status st = find_end(c, out_end, err);
    if (st != STET_OK) {
        stet__chained_close((stet_log_cursor *)c);
        return st;
    }
    *out = (stet_log_cursor *)c;
    return STET_OK;
}

/* Go to the machine's next run; STET_DONE behind the last. */
static stet_status next_run(chained_cursor *c, stet_error *err)
{
    stet_status st = STET_E_NOT_FOUND;
    while (st == STET_E_NOT_FOUND &&
           c->next_file < stet__files_count(c->table)) {
        st = find_run(c, c->table->items[c->next_file++], err);
    }
    c->ordinal = 0;
    return st == STET_E_NOT_FOUND ? STET_DONE : st;
}

/* The record of the run at hand that is next. */
static stet_status read_link(chained_cursor *c, stet_chained *out,
                             stet_error *err)
{
    const stet_segment *s = c->q.s;
    const stet_sealed_tables *t = NULL;
    uint64_t position = 0;
    stet_status st = stet__index_tables(s, &t, err);
    if (st == STET_OK) {
        st = stet__run_position(&c->q, c->ordinal++, &position, err);
    }
    if (st == STET_OK) {
        st = stet__sealed_logged(s, position, &c->reader, &out->logged, err);
    }
    if (st != STET_OK) {
        return st;
    }
    stet_set_seeds seeds = stet__settled_seeds(s, t);
    uint32_t slot = (uint32_t)(position - s->trailer.first_position);
    memcpy(out->seed, stet__set_seed_at(&seeds, slot), sizeof out->seed);
    out->has_value = c->ordinal == c->q.run.count;
    memcpy(out->value, c->q.run.chain, sizeof out->value);
    return STET_OK;
}

stet_status stet__chained_next(stet_log_cursor *chain, stet_chained *out,
                               stet_error *err)
{
    chained_cursor *c = (chained_cursor *)chain;
    stet_status st = STET_OK;
    if (c->q.s == NULL || c->ordinal == c->q.run.count) {
        st = next_run(c, err);
    }
    return st == STET_OK ? read_link(c, out, err) : st;
}

void stet__chained_close(stet_log_cursor *chain)
{
    chained_cursor *c = (chained_cursor *)chain;
    if (c == NULL) {
        return;
    }
    stet_embedded *e = c->e;
    stet__sealed_reader_deinit(&c->reader);
    stet__embedded_unlend(e, c->table);
    stet__free(e->alloc, c, sizeof *c);
}
