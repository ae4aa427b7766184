#include "core/heads.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/error.h"
#include "core/imageread.h"

typedef struct input {
    stet_head_source *source;
    stet_listed head;
    uint32_t age; /* 0: the youngest segment's */
} input;

struct stet_heads {
    const stet_allocator *alloc; /* borrowed */
    stet_log *log;               /* borrowed; NULL: names are not asked for */
    stet_log_reader *reader;     /* made when a name must be looked up */
    size_t source_max;
    uint32_t source_count; /* also of those that have ended */
    size_t heap_count;
    bool is_lent; /* heap[0] is with the caller */
    input heap[];
};

static bool is_before(const input *a, const input *b)
{
    int order = stet__machine_key_cmp(a->head.entry.key, b->head.entry.key);
    return order != 0 ? order < 0 : a->age < b->age;
}

static void swap(input *a, input *b)
{
    input t = *a;
    *a = *b;
    *b = t;
}

static void sift_up(stet_heads *h, size_t i)
{
    while (i > 0 && is_before(&h->heap[i], &h->heap[(i - 1) / 2])) {
        swap(&h->heap[i], &h->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

static void sift_down(stet_heads *h, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++) {
            if (child < h->heap_count &&
                is_before(&h->heap[child], &h->heap[least])) {
                least = child;
            }
        }
        if (least == i) {
            return;
        }
        swap(&h->heap[i], &h->heap[least]);
        i = least;
    }
}

stet_heads *stet__heads_create(const stet_allocator *alloc, stet_log *log,
                               size_t source_max)
{
    size_t bytes = 0;
    if (!stet__mul(source_max, sizeof(input), &bytes) ||
        !stet__add(bytes, sizeof(stet_heads), &bytes)) {
        return NULL;
    }
    stet_heads *h = stet__alloc_zeroed(alloc, 1, bytes);
    if (h != NULL) {
        h->alloc = alloc;
        h->log = log;
        h->reader = NULL;
        h->source_max = source_max;
    }
    return h;
}

void stet__heads_destroy(stet_heads *h)
{
    if (h == NULL) {
        return;
    }
    for (size_t i = 0; i < h->heap_count; i++) {
        h->heap[i].source->destroy(h->heap[i].source);
    }
    if (h->reader != NULL) {
        h->log->ops->reader_destroy(h->reader);
    }
    stet__free(h->alloc, h, sizeof *h + h->source_max * sizeof h->heap[0]);
}

stet_status stet__heads_add(stet_heads *h, stet_head_source *source,
                            stet_error *err)
{
    STET_ASSERT(h->source_count < h->source_max && !h->is_lent);
    input in = {.source = source, .age = h->source_count++};
    stet_status st = source->next(source, &in.head, err);
    if (st != STET_OK) {
        source->destroy(source);
        return st == STET_DONE ? STET_OK : st;
    }
    h->heap[h->heap_count++] = in;
    sift_up(h, h->heap_count - 1);
    return STET_OK;
}

/* Take the next entry of the source at `i`; the heap is in order after it. */
static stet_status advance(stet_heads *h, size_t i, stet_error *err)
{
    input *in = &h->heap[i];
    stet_status st = in->source->next(in->source, &in->head, err);
    if (st == STET_DONE) {
        in->source->destroy(in->source);
        h->heap_count--;
        if (i == h->heap_count) {
            return STET_OK;
        }
        swap(in, &h->heap[h->heap_count]);
        st = STET_OK;
    }
    sift_down(h, i);
    return st;
}

/* The child of the top with the lesser key, or 0 when the top is alone. */
static size_t second(const stet_heads *h)
{
    if (h->heap_count < 3) {
        return h->heap_count - 1;
    }
    return is_before(&h->heap[1], &h->heap[2]) ? 1 : 2;
}

/* Read back along the lineage to a record that says the name. */
static stet_status look_up_name(stet_heads *h, stet_listed *head,
                                stet_error *err)
{
    bool is_found = head->ask == 0 || h->log == NULL;
    if (!is_found && h->reader == NULL) {
        h->reader = h->log->ops->reader_create(h->log);
        if (h->reader == NULL) {
            return stet__fail(err, STET_E_NOMEM, 0, "name of a state");
        }
    }
    while (!is_found) {
        stet_logged logged;
        stet_record r;
        size_t bytes = 0;
        stet_status st =
            h->log->ops->reader_read(h->reader, head->ask, &logged, err);
        if (st == STET_OK) {
            st = stet__record_decode(logged.bytes, &r, &bytes, err);
        }
        if (st != STET_OK) {
            return stet__wrap(err, st, "find the name of a state");
        }
        is_found = stet__record_says_name(&r, &head->entry.state_name) ||
                   r.back == 0 || r.back >= head->ask;
        head->ask = is_found ? 0 : head->ask - r.back;
    }
    return STET_OK;
}

stet_status stet__heads_next(stet_heads *h, stet_head_entry *out,
                             stet_error *err)
{
    stet_status st = STET_OK;
    if (h->is_lent) {
        h->is_lent = false;
        /*
         * The top goes last: the key that the others are compared with lies in
         * its buffers. It stays the top meanwhile, being the youngest.
         */
        size_t i = 0;
        while (st == STET_OK && (i = second(h)) != 0 &&
               stet__machine_key_eq(h->heap[i].head.entry.key,
                                    h->heap[0].head.entry.key)) {
            st = advance(h, i, err);
        }
        if (st == STET_OK) {
            st = advance(h, 0, err);
        }
    }
    if (st != STET_OK) {
        return st;
    }
    if (h->heap_count == 0) {
        return STET_DONE;
    }
    st = look_up_name(h, &h->heap[0].head, err);
    if (st != STET_OK) {
        return st;
    }
    *out = h->heap[0].head.entry;
    h->is_lent = true;
    return STET_OK;
}

static bool begins_with(stet_slice s, stet_slice prefix)
{
    return prefix.len == 0 ||
           (s.len >= prefix.len && memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static uint8_t last_namespace(const stet_heads_range *range)
{
    return range->ns_last > range->ns ? range->ns_last : range->ns;
}

bool stet__heads_range_holds(const stet_heads_range *range,
                             stet_machine_key key)
{
    return key.ns >= range->ns && key.ns <= last_namespace(range) &&
           begins_with(key.id, range->prefix) &&
           (range->after.len == 0 || stet__slice_cmp(key.id, range->after) > 0);
}

bool stet__heads_range_ends(const stet_heads_range *range, stet_machine_key key)
{
    if (key.ns != range->ns) {
        return key.ns > last_namespace(range);
    }
    stet_slice start = key.id;
    start.len = start.len < range->prefix.len ? start.len : range->prefix.len;
    return range->prefix.len > 0 && stet__slice_cmp(start, range->prefix) > 0;
}

stet_machine_key stet__heads_range_start(const stet_heads_range *range)
{
    bool is_after = stet__slice_cmp(range->prefix, range->after) < 0;
    return (stet_machine_key){is_after ? range->after : range->prefix,
                              range->ns};
}

/* Images. */

typedef struct newest {
    stet_machine_key key;
    uint32_t slot;
} newest;

typedef struct image_source {
    stet_head_source source; /* first */
    const stet_allocator *alloc;
    const stet_image *image;
    const stet_heads_range *range; /* while it is filled */
    newest *machines;
    size_t cap;
    size_t count;
    size_t next;
    bool is_failed;
} image_source;

static bool take_machine(void *ctx, uint32_t slot)
{
    image_source *s = ctx;
    stet_record r;
    int64_t recorded = 0;
    stet__image_record(s->image, slot, &r, &recorded);
    stet_machine_key key = {r.id, r.ns};
    if (!stet__heads_range_holds(s->range, key)) {
        return true;
    }
    if (s->count == s->cap) {
        size_t cap = s->cap == 0 ? 64 : 2 * s->cap;
        newest *machines =
            stet__realloc(s->alloc, s->machines, s->cap * sizeof *machines,
                          cap * sizeof *machines);
        if (machines == NULL) {
            s->is_failed = true;
            return false;
        }
        s->machines = machines;
        s->cap = cap;
    }
    s->machines[s->count++] = (newest){.key = key, .slot = slot};
    return true;
}

static int compare_machines(const void *a, const void *b)
{
    return stet__machine_key_cmp(((const newest *)a)->key,
                                 ((const newest *)b)->key);
}

void stet__head_name_in_image(const stet_image *image, uint32_t slot,
                              stet_listed *out)
{
    stet_record r;
    int64_t recorded = 0;
    uint32_t first = slot;
    for (; slot != STET_SLOT_NONE;
         slot = stet__image_slot(image, slot)->previous) {
        stet__image_record(image, slot, &r, &recorded);
        if (stet__record_says_name(&r, &out->entry.state_name)) {
            return;
        }
        first = slot;
    }
    uint64_t position = stet__image_first_position(image) + first;
    out->ask = r.back != 0 && r.back < position ? position - r.back : 0;
}

static stet_status image_next(stet_head_source *source, stet_listed *out,
                              stet_error *err)
{
    (void)err;
    image_source *s = (image_source *)source;
    if (s->next == s->count) {
        return STET_DONE;
    }
    const newest *m = &s->machines[s->next++];
    stet_record r;
    int64_t recorded = 0;
    stet__image_record(s->image, m->slot, &r, &recorded);
    *out = (stet_listed){
        .entry = {
            .key = m->key,
            .seq = r.seq,
            .position = stet__image_first_position(s->image) + m->slot,
            .is_deleted = r.kind == STET_EVENT_DELETED,
        }};
    stet__head_name_in_image(s->image, m->slot, out);
    return STET_OK;
}

static void image_destroy(stet_head_source *source)
{
    image_source *s = (image_source *)source;
    if (s->machines != NULL) {
        stet__free(s->alloc, s->machines, s->cap * sizeof *s->machines);
    }
    stet__free(s->alloc, s, sizeof *s);
}

stet_head_source *stet__heads_of_image(const stet_allocator *alloc,
                                       const stet_image *image,
                                       const stet_heads_range *range)
{
    image_source *s = stet__alloc_zeroed(alloc, 1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->source = (stet_head_source){image_next, image_destroy};
    s->alloc = alloc;
    s->image = image;
    s->range = range;
    stet__image_machines(image, stet__image_slots_below(image, range->below),
                         take_machine, s);
    s->range = NULL;
    if (s->is_failed) {
        image_destroy(&s->source);
        return NULL;
    }
    if (s->count > 0) {
        qsort(s->machines, s->count, sizeof *s->machines, compare_machines);
    }
    return &s->source;
}
