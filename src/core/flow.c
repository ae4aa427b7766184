#include "core/flow.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/map.h"

/* What the maps hold begins with the name it is found by. */
typedef struct named {
    stet_slice name;
} named;

typedef struct state {
    named named;
    uint64_t count;
    stet_slice copy; /* of the name, in the flow being made */
} state;

typedef struct machine {
    named named;     /* the namespace's byte, then the id */
    const state *at; /* where its last transition led; NULL: none so far */
    int64_t since;   /* when */
} machine;

typedef struct edge_key {
    const state *from; /* NULL: a machine's first transition */
    const state *to;
} edge_key;

typedef struct edge {
    edge_key key;
    uint64_t count;
    /* The time between transitions, in two sums that cannot overflow. */
    int64_t seconds;
    int64_t nanoseconds;
} edge;

struct stet_flow_miner {
    const stet_allocator *alloc;
    stet_arena arena; /* items and names */
    stet_map states;
    stet_map edges;
    stet_map machines;
    stet_map actions;
    stet_map actors;
    size_t name_bytes; /* of all states */
    uint64_t transitions;
    uint64_t errors;
    int64_t first_timestamp;
    int64_t last_timestamp;
};

/* A flow and what it points to are one block. */
typedef struct block {
    stet_flow flow;
    stet_allocator alloc; /* a copy: a flow may outlive the store */
    size_t bytes;
} block;

static stet_status fail_nomem(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "no memory to discover the flow");
}

stet_flow_miner *stet__flow_miner_create(const stet_allocator *a)
{
    stet_flow_miner *m = stet__alloc_zeroed(a, 1, sizeof *m);
    if (m != NULL) {
        m->alloc = a;
        stet__arena_init(&m->arena, a);
        stet__map_init(&m->states, a);
        stet__map_init(&m->edges, a);
        stet__map_init(&m->machines, a);
        stet__map_init(&m->actions, a);
        stet__map_init(&m->actors, a);
    }
    return m;
}

void stet__flow_miner_destroy(stet_flow_miner *m)
{
    if (m != NULL) {
        stet__map_deinit(&m->states);
        stet__map_deinit(&m->edges);
        stet__map_deinit(&m->machines);
        stet__map_deinit(&m->actions);
        stet__map_deinit(&m->actors);
        stet__arena_deinit(&m->arena);
        stet__free(m->alloc, m, sizeof *m);
    }
}

/* Items. */

/* Seeded with an address: names that all hash alike cannot be prepared. */
static uint64_t hash(const stet_map *map, const void *ptr, size_t len)
{
    return stet__hash64_seed(ptr, len, (uint64_t)(uintptr_t)map);
}

static bool has_name(const void *item, const void *key)
{
    return stet__slice_eq(((const named *)item)->name,
                          *(const stet_slice *)key);
}

/* Add a zeroed item of `bytes` to a map; NULL: no memory. */
static void *add_item(stet_flow_miner *m, stet_map *map, uint64_t at,
                      size_t bytes)
{
    void *item = stet__arena_alloc(&m->arena, bytes);
    if (item == NULL || !stet__map_reserve(map)) {
        return NULL;
    }
    memset(item, 0, bytes);
    stet__map_put(map, at, item);
    return item;
}

/* Find or add what begins with this name; NULL: no memory. */
static void *item_named(stet_flow_miner *m, stet_map *map, stet_slice name,
                        size_t bytes)
{
    uint64_t at = hash(map, name.ptr, name.len);
    named *item = stet__map_find(map, at, &name, has_name);
    if (item != NULL) {
        return item;
    }
    stet_slice copy = stet__arena_copy(&m->arena, name);
    if (copy.ptr == NULL) {
        return NULL;
    }
    item = add_item(m, map, at, bytes);
    if (item != NULL) {
        item->name = copy;
    }
    return item;
}

static machine *find_machine(stet_flow_miner *m, const stet_flow_event *event)
{
    uint8_t key[1 + STET_ID_BYTES_MAX];
    STET_ASSERT(event->id.len > 0 && event->id.len <= STET_ID_BYTES_MAX);
    key[0] = event->ns;
    memcpy(key + 1, event->id.ptr, event->id.len);
    return item_named(m, &m->machines, stet_slice_of(key, 1 + event->id.len),
                      sizeof(machine));
}

static state *find_state(stet_flow_miner *m, stet_slice name)
{
    state *s = item_named(m, &m->states, name, sizeof *s);
    if (s != NULL && s->count == 0) {
        m->name_bytes += name.len;
    }
    return s;
}

static bool has_ends(const void *item, const void *key)
{
    const edge_key *a = &((const edge *)item)->key;
    const edge_key *b = key;
    return a->from == b->from && a->to == b->to;
}

static edge *find_edge(stet_flow_miner *m, edge_key key)
{
    uint64_t at = hash(&m->edges, &key, sizeof key);
    edge *e = stet__map_find(&m->edges, at, &key, has_ends);
    if (e == NULL) {
        e = add_item(m, &m->edges, at, sizeof *e);
    }
    if (e != NULL) {
        e->key = key;
    }
    return e;
}

/* Mining. */

/* Whole seconds, rounded down. */
static int64_t seconds_of(int64_t timestamp)
{
    const int64_t second = 1000000000;
    return timestamp / second - (timestamp % second < 0 ? 1 : 0);
}

static int64_t nanoseconds_of(int64_t timestamp)
{
    const int64_t second = 1000000000;
    int64_t rest = timestamp % second;
    return rest < 0 ? rest + second : rest;
}

/* Move a machine along an edge. */
static bool move(stet_flow_miner *m, machine *who, stet_slice to,
                 int64_t timestamp)
{
    state *s = find_state(m, to);
    if (s == NULL) {
        return false;
    }
    edge *e = find_edge(m, (edge_key){.from = who->at, .to = s});
    if (e == NULL) {
        return false;
    }
    s->count++;
    e->count++;
    if (who->at != NULL) {
        e->seconds += seconds_of(timestamp) - seconds_of(who->since);
        e->nanoseconds +=
            nanoseconds_of(timestamp) - nanoseconds_of(who->since);
    }
    who->at = s;
    who->since = timestamp;
    return true;
}

static void widen_span(stet_flow_miner *m, int64_t timestamp)
{
    if (m->transitions == 0 || timestamp < m->first_timestamp) {
        m->first_timestamp = timestamp;
    }
    if (m->transitions == 0 || timestamp > m->last_timestamp) {
        m->last_timestamp = timestamp;
    }
}

/* Keep a name that is not empty; false: no memory. */
static bool note(stet_flow_miner *m, stet_map *map, stet_slice name)
{
    return name.len == 0 || item_named(m, map, name, sizeof(named)) != NULL;
}

stet_status stet__flow_mine(stet_flow_miner *m, const stet_flow_event *event,
                            stet_error *err)
{
    machine *who = find_machine(m, event);
    if (who == NULL) {
        return fail_nomem(err);
    }
    m->errors += event->has_error ? 1 : 0;
    if (!event->is_transition) {
        return STET_OK;
    }
    widen_span(m, event->timestamp);
    m->transitions++;
    bool is_done = note(m, &m->actions, event->action) &&
                   note(m, &m->actors, event->actor) &&
                   (event->to_state.len == 0 ||
                    move(m, who, event->to_state, event->timestamp));
    return is_done ? STET_OK : fail_nomem(err);
}

/* The flow. */

static int by_name(const void *a, const void *b)
{
    return stet__slice_cmp(((const stet_flow_node *)a)->state,
                           ((const stet_flow_node *)b)->state);
}

static int by_ends(const void *a, const void *b)
{
    const stet_flow_edge *x = a;
    const stet_flow_edge *y = b;
    int order = stet__slice_cmp(x->from, y->from);
    return order != 0 ? order : stet__slice_cmp(x->to, y->to);
}

static void fill_nodes(const stet_flow_miner *m, stet_flow_node *nodes,
                       char *names)
{
    size_t cursor = 0;
    size_t count = 0;
    state *s = NULL;
    while ((s = stet__map_next(&m->states, &cursor)) != NULL) {
        stet_slice name = s->named.name;
        memcpy(names, name.ptr, name.len);
        s->copy = stet_slice_of(names, name.len);
        names += name.len;
        nodes[count++] = (stet_flow_node){.state = s->copy, .count = s->count};
    }
    STET_ASSERT(count == m->states.count);
    qsort(nodes, count, sizeof *nodes, by_name);
}

static void fill_edges(const stet_flow_miner *m, stet_flow_edge *edges)
{
    size_t cursor = 0;
    size_t count = 0;
    const edge *e = NULL;
    while ((e = stet__map_next(&m->edges, &cursor)) != NULL) {
        double seconds = (double)e->seconds + (double)e->nanoseconds / 1e9;
        edges[count++] = (stet_flow_edge){
            .from = e->key.from == NULL ? stet_slice_of(NULL, 0)
                                        : e->key.from->copy,
            .to = e->key.to->copy,
            .count = e->count,
            .mean_seconds = seconds / (double)e->count,
        };
    }
    STET_ASSERT(count == m->edges.count);
    qsort(edges, count, sizeof *edges, by_ends);
}

/* The block's bytes: itself, nodes, edges, names; 0 on overflow. */
static size_t block_bytes(const stet_flow_miner *m)
{
    size_t nodes = 0;
    size_t edges = 0;
    size_t bytes = sizeof(block);
    bool is_small =
        stet__mul(m->states.count, sizeof(stet_flow_node), &nodes) &&
        stet__mul(m->edges.count, sizeof(stet_flow_edge), &edges) &&
        stet__add(bytes, nodes, &bytes) && stet__add(bytes, edges, &bytes) &&
        stet__add(bytes, m->name_bytes, &bytes);
    return is_small ? bytes : 0;
}

stet_status stet__flow_finish(stet_flow_miner *m, const stet_flow **out,
                              stet_error *err)
{
    size_t bytes = block_bytes(m);
    block *b = bytes == 0 ? NULL : stet__alloc(m->alloc, bytes);
    if (b == NULL) {
        return fail_nomem(err);
    }
    stet_flow_node *nodes = (stet_flow_node *)(b + 1);
    stet_flow_edge *edges = (stet_flow_edge *)(nodes + m->states.count);
    char *names = (char *)(edges + m->edges.count);
    fill_nodes(m, nodes, names);
    fill_edges(m, edges);
    *b = (block){
        .alloc = *m->alloc,
        .bytes = bytes,
        .flow = {.nodes = nodes,
                 .node_count = m->states.count,
                 .edges = edges,
                 .edge_count = m->edges.count,
                 .machines = m->machines.count,
                 .transitions = m->transitions,
                 .actions = m->actions.count,
                 .actors = m->actors.count,
                 .errors = m->errors,
                 .first_timestamp = m->first_timestamp,
                 .last_timestamp = m->last_timestamp},
    };
    *out = &b->flow;
    return STET_OK;
}

void stet__flow_free(const stet_flow *flow)
{
    if (flow != NULL) {
        /* The flow is the block's first member, and the block is ours. */
        block *b = (block *)(uintptr_t)flow;
        stet_allocator alloc = b->alloc;
        stet__free(&alloc, b, b->bytes);
    }
}
