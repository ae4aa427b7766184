#include "formats/batch.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/map.h"
#include "formats/parser_impl.h"

/* "import-" and the hash in hexadecimal. */
enum { KEY_BYTES = 7 + 2 * STET_SHA256_BYTES };

struct stet_import_batch {
    stet_allocator alloc;
    stet_import_opts opts;
    stet_arena arena; /* what the changes lend */
    stet_buf encoded; /* scratch: one item under the hash */
    stet_map created; /* ids in the arena that the batch creates */
    uint8_t hash[STET_SHA256_BYTES];
    char key[KEY_BYTES + 1];
    size_t bytes; /* of the items' slices */
    size_t count;
    stet_lines lines;
    stet_batch batch;
    stet_change changes[STET_IMPORT_EVENTS_MAX];
};

static stet_status fail_memory(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "collect items");
}

static void put_slice(stet_buf *out, stet_slice s)
{
    stet__buf_put_varint(out, s.len);
    stet__buf_put_slice(out, s);
}

/* hash = SHA-256(hash, what is encoded) */
static stet_status chain(stet_import_batch *b, stet_error *err)
{
    if (b->encoded.is_failed) {
        return fail_memory(err);
    }
    stet__sha256(b->encoded.ptr, b->encoded.len, b->hash);
    return STET_OK;
}

/* What the hash begins with, before the first item. */
static stet_status begin_chain(stet_import_batch *b, stet_error *err)
{
    stet__buf_put_str(&b->encoded, "stet import 1");
    put_slice(&b->encoded, stet_str(stet__format_name(b->opts.format)));
    put_slice(&b->encoded, b->opts.prefix);
    return chain(b, err);
}

stet_status stet__batch_create(const stet_allocator *alloc,
                               const stet_import_opts *opts,
                               stet_import_batch **out, stet_error *err)
{
    stet_import_batch *b = stet__alloc_zeroed(alloc, 1, sizeof *b);
    if (b == NULL) {
        return fail_memory(err);
    }
    b->alloc = *alloc;
    b->opts = *opts;
    stet__arena_init(&b->arena, &b->alloc);
    stet__buf_init(&b->encoded, &b->alloc);
    stet__map_init(&b->created, &b->alloc);
    stet_status st = begin_chain(b, err);
    if (st != STET_OK) {
        stet__batch_destroy(b);
        return st;
    }
    *out = b;
    return STET_OK;
}

void stet__batch_destroy(stet_import_batch *b)
{
    if (b != NULL) {
        stet__map_deinit(&b->created);
        stet__buf_deinit(&b->encoded);
        stet__arena_deinit(&b->arena);
        stet_allocator alloc = b->alloc;
        stet__free(&alloc, b, sizeof *b);
    }
}

/* The slices of a change that an item can have; in the order of the hash. */
enum { SLICES = 14 };
static void list_slices(stet_change *c, stet_slice *out[SLICES])
{
    stet_slice *slices[SLICES] = {
        &c->id,       &c->payload,         &c->from_state,
        &c->to_state, &c->action,          &c->actor_id,
        &c->error,    &c->correlation_id,  &c->causation_id,
        &c->metadata, &c->event_id,        &c->state_type,
        &c->version,  &c->machine_metadata};
    memcpy(out, slices, sizeof slices);
}

static size_t bytes_of(const stet_item *item)
{
    stet_change c = item->change;
    stet_slice *slices[SLICES];
    size_t bytes = 0;
    list_slices(&c, slices);
    for (size_t i = 0; i < SLICES; i++) {
        bytes += slices[i]->len; /* of memory, so the sum fits */
    }
    return bytes;
}

bool stet__batch_is_full(const stet_import_batch *b)
{
    return b->count == STET_IMPORT_EVENTS_MAX;
}

bool stet__batch_is_full_for(const stet_import_batch *b, const stet_item *item)
{
    bool is_over = b->bytes >= STET_IMPORT_BYTES_MAX ||
                   bytes_of(item) > STET_IMPORT_BYTES_MAX - b->bytes;
    return stet__batch_is_full(b) || (b->count > 0 && is_over);
}

/* Take an item's content into the hash. */
static stet_status hash_item(stet_import_batch *b, const stet_change *change,
                             stet_error *err)
{
    stet_change c = *change;
    stet_slice *slices[SLICES];
    stet_buf *out = &b->encoded;
    stet__buf_reset(out);
    stet__buf_put(out, b->hash, sizeof b->hash);
    stet__buf_put_varint(out, (uint64_t)c.verb);
    stet__buf_put_varint(out, (uint64_t)c.reducer);
    stet__buf_put_varint(out, (uint64_t)c.type);
    stet__buf_put_varint(out, c.flags);
    stet__buf_put_u64le(out, (uint64_t)c.timestamp);
    stet__buf_put_u64le(out, (uint64_t)c.duration_ns);
    list_slices(&c, slices);
    for (size_t i = 0; i < SLICES; i++) {
        put_slice(out, *slices[i]);
    }
    return chain(b, err);
}

/* Make the change's slices the batch's own, with the prefix before the id. */
static bool copy_slices(stet_import_batch *b, stet_change *c)
{
    stet_slice *slices[SLICES];
    list_slices(c, slices);
    for (size_t i = 1; i < SLICES; i++) { /* the id comes last */
        bool is_given = slices[i]->len > 0;
        *slices[i] = is_given ? stet__arena_copy(&b->arena, *slices[i])
                              : stet_slice_of(NULL, 0);
        if (is_given && slices[i]->ptr == NULL) {
            return false;
        }
    }
    size_t prefix = b->opts.prefix.len;
    char *id = stet__arena_alloc(&b->arena, prefix + c->id.len);
    if (id == NULL) {
        return false;
    }
    if (prefix > 0) {
        memcpy(id, b->opts.prefix.ptr, prefix);
    }
    memcpy(id + prefix, c->id.ptr, c->id.len);
    c->id = stet_slice_of(id, prefix + c->id.len);
    return true;
}

static bool is_same_id(const void *item, const void *key)
{
    const stet_change *c = item;
    return stet__slice_eq(c->id, *(const stet_slice *)key);
}

/*
 * The store would refuse the whole batch for a second create of one machine;
 * here it is known which line that is.
 */
static stet_status note_created(stet_import_batch *b, stet_change *c,
                                stet_error *err)
{
    if (c->verb != STET_VERB_CREATE) {
        return STET_OK;
    }
    uint64_t hash = stet__hash64(c->id.ptr, c->id.len);
    if (stet__map_find(&b->created, hash, &c->id, is_same_id) != NULL) {
        return stet__fail(err, STET_E_EXISTS, 0, "%.*s is created twice",
                          (int)c->id.len, (const char *)c->id.ptr);
    }
    if (!stet__map_reserve(&b->created)) {
        return fail_memory(err);
    }
    stet__map_put(&b->created, hash, c);
    return STET_OK;
}

static stet_status add(stet_import_batch *b, const stet_item *item,
                       stet_error *err)
{
    stet_change *c = &b->changes[b->count];
    size_t room = b->opts.prefix.len < STET_ID_BYTES_MAX
                      ? STET_ID_BYTES_MAX - b->opts.prefix.len
                      : 0;
    if (item->change.id.len > room) {
        return stet__fail(err, STET_E_INVALID, 0,
                          "the id has %zu bytes with its prefix, %d at most",
                          b->opts.prefix.len + item->change.id.len,
                          STET_ID_BYTES_MAX);
    }
    *c = item->change;
    c->ns = b->opts.ns;
    if (!copy_slices(b, c)) {
        return fail_memory(err);
    }
    stet_status st = note_created(b, c, err);
    return st == STET_OK ? hash_item(b, c, err) : st;
}

stet_status stet__batch_add(stet_import_batch *b, const stet_item *item,
                            stet_error *err)
{
    STET_ASSERT(b->count < STET_IMPORT_EVENTS_MAX);
    stet_status st = add(b, item, err);
    if (st != STET_OK) {
        return stet__parser_fail_at(item->line, st, err);
    }
    if (b->count == 0) {
        b->lines.first = item->line;
    }
    b->lines.last = item->line;
    b->bytes += bytes_of(item);
    b->count++;
    return STET_OK;
}

static void write_key(stet_import_batch *b)
{
    static const char digits[] = "0123456789abcdef";
    memcpy(b->key, "import-", 7);
    for (size_t i = 0; i < sizeof b->hash; i++) {
        b->key[7 + 2 * i] = digits[b->hash[i] >> 4];
        b->key[8 + 2 * i] = digits[b->hash[i] & 15];
    }
}

const stet_batch *stet__batch_peek(stet_import_batch *b)
{
    if (b->count == 0) {
        return NULL;
    }
    write_key(b);
    b->batch = (stet_batch){
        .struct_size = sizeof b->batch,
        .changes = b->changes,
        .change_count = b->count,
        .key = stet_slice_of(b->key, KEY_BYTES),
    };
    return &b->batch;
}

stet_lines stet__batch_lines(const stet_import_batch *b)
{
    return b->lines;
}

void stet__batch_reset(stet_import_batch *b)
{
    b->count = 0;
    b->bytes = 0;
    stet__arena_reset(&b->arena);
    stet__map_deinit(&b->created);
    stet__map_init(&b->created, &b->alloc);
}
