#include "lib/history.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "lib/records.h"

static const char *const names[] = {"", "open", "paid", "sent", "closed"};

history *history_create(uint64_t seed)
{
    history *h = calloc(1, sizeof *h);
    STET_ASSERT(h != NULL);
    h->r = (rng){seed};
    h->first_position = 1 + rng_below(&h->r, 1000000);
    h->end = STET_W;
    h->image =
        stet__image_create(&stet__heap, HISTORY_CAPACITY, h->first_position);
    STET_ASSERT(h->image != NULL);
    return h;
}

void history_destroy(history *h)
{
    stet__image_destroy(h->image);
    free(h);
}

/* Ids that share beginnings and lengths, in a few namespaces. */
static history_machine *add_machine(history *h)
{
    STET_ASSERT(h->machine_count < HISTORY_MACHINES_MAX);
    size_t n = h->machine_count++;
    history_machine *m = &h->machines[n];
    *m = (history_machine){.first = HISTORY_NONE, .newest = HISTORY_NONE};
    static const char *const starts[] = {"m", "game:", "", "game"};
    (void)snprintf(m->id, sizeof m->id, "%s%zu", starts[n % 4], n);
    for (size_t len = strlen(m->id); len < h->id_bytes_min; len++) {
        m->id[len] = 'x';
    }
    m->key.id = stet_str(m->id);
    m->key.ns = (uint8_t)rng_below(&h->r, 3);
    /* Many have a past that this image does not hold. */
    if (rng_below(&h->r, 2) == 0 && h->first_position > 1) {
        m->point.seq = 1 + rng_below(&h->r, 1000);
        m->point.position = 1 + rng_below(&h->r, h->first_position - 1);
        m->point.occurred_max = (int64_t)rng_below(&h->r, 1000000);
    }
    return m;
}

/* Make the machine's next record the first of a fork of another one. */
static void fork_machine(history *h, history_machine *m, stet_record *r)
{
    size_t from = rng_below(&h->r, h->machine_count);
    const history_machine *parent = &h->machines[from];
    if (parent == m || parent->point.seq == 0) {
        return;
    }
    m->parent = parent->key;
    m->point = parent->point;
    r->kind = STET_EVENT_FORKED;
    r->tags |= 1U << STET_TAG_PARENT;
    r->parent_seq = parent->point.seq;
    r->parent_ns = parent->key.ns;
    r->parent_id = parent->key.id;
}

static void name_state(history *h, stet_record *r, history_event *e)
{
    const char *name = names[rng_below(&h->r, 5)];
    switch (rng_below(&h->r, 4)) {
    case 0:
        r->tags |= 1U << STET_TAG_TO;
        r->to = stet_str(name);
        break;
    case 1:
        r->flags |= STET_RECORD_BASE;
        r->tags |= 1U << STET_TAG_BASE_NAME;
        r->base_name = stet_str(name);
        break;
    case 2:
        r->flags |= STET_RECORD_BASE | STET_RECORD_HAS_FROM;
        r->from = stet_str("lost");
        name = "";
        break;
    default:
        r->flags |= STET_RECORD_HAS_FROM;
        r->from = stet_str("misleading");
        return;
    }
    e->has_name = true;
    (void)snprintf(e->name, sizeof e->name, "%s", name);
}

static void fill_body(history *h, stet_record *r)
{
    static const char body[200];
    r->form = (stet_body_form)(1 + rng_below(&h->r, STET_BODY_CUSTOM));
    r->body = stet_slice_of(body, rng_below(&h->r, sizeof body));
    if (r->form == STET_BODY_DELTA ||
        (r->form == STET_BODY_WHOLE && rng_below(&h->r, 3) == 0)) {
        r->is_packed = true;
        r->tags |= 1U << STET_TAG_RAW_BYTES;
        r->raw_bytes = rng_below(&h->r, 1000);
    }
    r->depth = (r->flags & STET_RECORD_BASE) != 0 ? 0 : 1;
}

/* Place the record on the machine's three scales. */
static void place(history *h, history_machine *m, stet_record *r,
                  history_event *e)
{
    uint64_t position = h->first_position + h->event_count;
    int64_t occurred = e->recorded;
    if (rng_below(&h->r, 2) == 0) {
        occurred -= (int64_t)rng_below(&h->r, 5000); /* late */
    }
    bool has_past = m->point.seq > 0;
    int64_t max = has_past && m->point.occurred_max > occurred
                      ? m->point.occurred_max
                      : occurred;
    r->seq = m->point.seq + 1;
    r->back = has_past ? position - m->point.position : 0;
    r->occurred_delta = occurred - e->recorded;
    r->occurred_max_over = (uint64_t)(max - occurred);
    r->flags |= max > occurred ? STET_RECORD_HAS_OCCURRED_MAX : 0;
    e->back = r->back;
    e->point =
        (stet_point){.seq = r->seq, .position = position, .occurred_max = max};
    e->before = m->newest;
    m->point = e->point;
    m->newest = (int)h->event_count;
    m->first = m->first == HISTORY_NONE ? m->newest : m->first;
}

static void add_event(history *h, size_t machines, int64_t recorded,
                      stet_buf *out)
{
    STET_ASSERT(h->event_count < HISTORY_EVENTS_MAX);
    history_event *e = &h->events[h->event_count];
    *e = (history_event){.recorded = recorded};
    bool is_new = h->machine_count < machines;
    /* Some machines are hot, so that runs grow long. */
    size_t idx = rng_below(&h->r, 1 + rng_below(&h->r, h->machine_count + 1));
    idx = idx == h->machine_count ? 0 : idx;
    is_new = is_new && (h->machine_count == 0 || rng_below(&h->r, 8) == 0);
    history_machine *m = is_new ? add_machine(h) : &h->machines[idx];
    e->machine = (int)(m - h->machines);
    stet_record r = {
        .kind = STET_EVENT_SAVED, .ns = m->key.ns, .id = m->key.id};
    if (m->point.seq == 0 && rng_below(&h->r, 2) == 0) {
        fork_machine(h, m, &r);
    } else if (rng_below(&h->r, 10) == 0) {
        r.kind = STET_EVENT_DELETED;
        e->is_deleted = true;
    }
    if (rng_below(&h->r, 3) == 0) {
        name_state(h, &r, e);
    }
    fill_body(h, &r);
    if (rng_below(&h->r, 4) == 0) {
        e->has_key = true;
        rng_fill(&h->r, e->key, sizeof e->key);
        e->key_check = rng_next(&h->r);
        memcpy(r.key, e->key, sizeof r.key);
        r.key_check = e->key_check;
        r.tags |= 1U << STET_TAG_KEY;
    }
    e->state_bytes = stet__record_state_bytes(&r);
    place(h, m, &r, e);
    h->event_count++;
    records_put(&r, out);
}

static void write_frame(history *h, size_t machines, size_t events)
{
    STET_ASSERT(h->frame_count < HISTORY_FRAMES_MAX);
    history_frame *f = &h->frames[h->frame_count];
    int64_t last = h->frame_count == 0 ? (int64_t)rng_below(&h->r, 1000000)
                                       : f[-1].recorded;
    *f = (history_frame){
        .offset = h->end,
        .first_event = (uint32_t)h->event_count,
        .recorded = last + 1 + (int64_t)rng_below(&h->r, 3000),
    };
    stet_buf b;
    stet__buf_init(&b, &stet__heap);
    for (size_t i = 0; i < events; i++) {
        add_event(h, machines, f->recorded, &b);
    }
    uint8_t *bytes = stet__image_bytes(h->image) + h->end;
    size_t used = STET_FRAME_HEADER_BYTES + b.len;
    stet_frame_header header = {
        .length = (uint32_t)stet__round_up_w(used),
        .events = (uint32_t)events,
        .previous_crc = h->last_crc,
        .first_position = h->first_position + f->first_event,
        .recorded = f->recorded,
        .segment_first = h->first_position,
    };
    STET_ASSERT(header.length <= HISTORY_CAPACITY - h->end);
    memcpy(bytes + STET_FRAME_HEADER_BYTES, b.ptr, b.len);
    stet__frame_seal(bytes, used, &header);
    stet__buf_deinit(&b);
    h->last_crc = header.crc;
    h->end += header.length;
    h->frame_count++;
}

void history_write(history *h, size_t machines, size_t events)
{
    while (h->event_count < events) {
        size_t left = events - h->event_count;
        size_t most = rng_below(&h->r, 4) == 0 ? 60 : 8;
        size_t n = 1 + rng_below(&h->r, left < most ? left : most);
        write_frame(h, machines, n);
    }
}

void history_index(history *h, size_t idx)
{
    stet_error err;
    stet_status st = stet__image_index(h->image, h->frames[idx].offset, &err);
    if (st != STET_OK) {
        fprintf(stderr, "index: %s\n", err.text);
    }
    STET_ASSERT(st == STET_OK);
}

void history_index_all(history *h)
{
    for (size_t i = stet__image_frame_count(h->image); i < h->frame_count;
         i++) {
        history_index(h, i);
    }
}

int history_newest(const history *h, size_t machine, size_t event_end)
{
    int at = h->machines[machine].newest;
    while (at != HISTORY_NONE && (size_t)at >= event_end) {
        at = h->events[at].before;
    }
    return at;
}

stet_bound history_random_bound(const history *h, rng *r)
{
    const history_event *e = &h->events[rng_below(r, h->event_count)];
    uint64_t off = rng_below(r, 3);
    stet_bound bound = {.dimension = (stet_dimension)(1 + rng_below(r, 3))};
    bound.value =
        bound.dimension == STET_BY_SEQ ? e->point.seq : e->point.position;
    bound.value += bound.value > 0 ? off - 1 : off;
    bound.occurred = e->point.occurred_max + (int64_t)off - 1;
    return bound;
}
