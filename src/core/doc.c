#include "core/doc.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "core/decimal.h"
#include "core/pointer.h"

enum {
    /* Up to so many members, comparing names beats hashing them. */
    MEMBERS_UNINDEXED_MAX = 16,
    ITEMS_MIN = 4,
};

/* For the map: the arena frees all at once. */
static void *alloc_in_arena(void *ctx, void *ptr, size_t old_bytes,
                            size_t new_bytes)
{
    (void)old_bytes;
    if (new_bytes == 0) {
        return NULL;
    }
    STET_ASSERT(ptr == NULL); /* a map never resizes */
    return stet__arena_alloc(ctx, new_bytes);
}

void stet__doc_init(stet_doc *d, const stet_allocator *alloc)
{
    stet__arena_init(&d->arena, alloc);
    d->in_arena = (stet_allocator){.fn = alloc_in_arena, .ctx = &d->arena};
}

void stet__doc_deinit(stet_doc *d)
{
    stet__arena_deinit(&d->arena);
}

void stet__doc_reset(stet_doc *d)
{
    stet__arena_reset(&d->arena);
}

stet_value *stet__value_new(stet_doc *d, stet_value_kind kind)
{
    stet_value *v = stet__arena_alloc(&d->arena, sizeof *v);
    if (v != NULL) {
        *v = (stet_value){.kind = kind};
    }
    return v;
}

bool stet__value_make_room(stet_doc *d, stet_value *container, uint32_t count)
{
    STET_ASSERT(stet__value_is_container(container));
    STET_ASSERT(container->used == 0);
    size_t bytes = 0;
    if (count == 0) {
        return true;
    }
    if (!stet__mul(count, sizeof *container->items, &bytes)) {
        return false;
    }
    container->items = stet__arena_alloc(&d->arena, bytes);
    if (container->items == NULL) {
        return false;
    }
    container->room = count;
    return true;
}

void stet__value_place(stet_value *container, stet_value *item)
{
    STET_ASSERT(container->used < container->room);
    item->slot = container->used;
    container->items[container->used++] = item;
    container->live++;
}

/* Members by name. */

static bool has_name(const void *item, const void *name)
{
    return stet__slice_eq(((const stet_value *)item)->name,
                          *(const stet_slice *)name);
}

/*
 * Seeded with the map's address, which changes with every run: names that all
 * hash alike cannot be prepared. No result depends on the hash.
 */
static uint64_t hash_name(const stet_map *map, stet_slice name)
{
    return stet__hash64_seed(name.ptr, name.len, (uint64_t)(uintptr_t)map);
}

static stet_value *find_unindexed(const stet_value *object, stet_slice name)
{
    uint32_t at = 0;
    stet_value *v = stet__value_next(object, &at);
    while (v != NULL && !stet__slice_eq(v->name, name)) {
        v = stet__value_next(object, &at);
    }
    return v;
}

stet_value *stet__value_member(const stet_value *object, stet_slice name)
{
    if (object->kind != STET_VALUE_OBJECT) {
        return NULL;
    }
    if (object->by_name == NULL) {
        return find_unindexed(object, name);
    }
    return stet__map_find(object->by_name, hash_name(object->by_name, name),
                          &name, has_name);
}

stet_value *stet__value_step(const stet_value *in, stet_slice token)
{
    uint32_t index = 0;
    if (in->kind != STET_VALUE_ARRAY) {
        return stet__value_member(in, token);
    }
    if (!stet__pointer_index(token, &index) || index >= in->live) {
        return NULL;
    }
    return in->items[index];
}

static stet_map *new_map(stet_doc *d)
{
    stet_map *map = stet__arena_alloc(&d->arena, sizeof *map);
    if (map != NULL) {
        stet__map_init(map, &d->in_arena);
    }
    return map;
}

/* Index all members, up to the first twin. */
static bool index_by_name(stet_doc *d, stet_value *object,
                          stet_value **out_twin)
{
    stet_map *map = new_map(d);
    if (map == NULL) {
        return false;
    }
    uint32_t at = 0;
    stet_value *v = NULL;
    while ((v = stet__value_next(object, &at)) != NULL) {
        uint64_t hash = hash_name(map, v->name);
        if (stet__map_find(map, hash, &v->name, has_name) != NULL) {
            *out_twin = v;
            return true;
        }
        if (!stet__map_reserve(map)) {
            return false;
        }
        stet__map_put(map, hash, v);
    }
    object->by_name = map;
    return true;
}

bool stet__value_finish(stet_doc *d, stet_value *object, stet_value **out_twin)
{
    STET_ASSERT(object->kind == STET_VALUE_OBJECT);
    STET_ASSERT(object->used == object->live && object->by_name == NULL);
    *out_twin = NULL;
    if (object->live > MEMBERS_UNINDEXED_MAX) {
        return index_by_name(d, object, out_twin);
    }
    for (uint32_t i = 1; i < object->used; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (stet__slice_eq(object->items[k]->name,
                               object->items[i]->name)) {
                *out_twin = object->items[i];
                return true;
            }
        }
    }
    return true;
}

/* Changing containers. */

/* Close the gaps that removed members left. */
static void close_gaps(stet_value *object)
{
    uint32_t to = 0;
    for (uint32_t from = 0; from < object->used; from++) {
        stet_value *v = object->items[from];
        if (v != NULL) {
            object->items[to] = v;
            v->slot = to++;
        }
    }
    STET_ASSERT(to == object->live);
    object->used = to;
}

static bool grow(stet_doc *d, stet_value *container)
{
    if (container->used < container->room) {
        return true;
    }
    if (container->live <= container->used / 2 && container->used > 0) {
        close_gaps(container);
        return true;
    }
    size_t room =
        container->room == 0 ? ITEMS_MIN : (size_t)container->room * 2;
    size_t bytes = 0;
    if (room > UINT32_MAX || !stet__mul(room, sizeof(stet_value *), &bytes)) {
        return false;
    }
    stet_value **items = stet__arena_alloc(&d->arena, bytes);
    if (items == NULL) {
        return false;
    }
    if (container->used > 0) {
        memcpy(items, container->items, container->used * sizeof *items);
    }
    container->items = items;
    container->room = (uint32_t)room;
    return true;
}

static bool append_member(stet_doc *d, stet_value *object, stet_value *member)
{
    stet_value *twin = NULL;
    if (object->by_name == NULL && object->live >= MEMBERS_UNINDEXED_MAX &&
        !index_by_name(d, object, &twin)) {
        return false;
    }
    STET_ASSERT(twin == NULL);
    if (!grow(d, object)) {
        return false;
    }
    if (object->by_name != NULL) {
        if (!stet__map_reserve(object->by_name)) {
            return false;
        }
        stet__map_put(object->by_name, hash_name(object->by_name, member->name),
                      member);
    }
    stet__value_place(object, member);
    return true;
}

bool stet__value_put(stet_doc *d, stet_value *object, stet_value *member)
{
    STET_ASSERT(object->kind == STET_VALUE_OBJECT);
    stet_value *old = stet__value_member(object, member->name);
    if (old == NULL) {
        return append_member(d, object, member);
    }
    if (object->by_name != NULL) {
        uint64_t hash = hash_name(object->by_name, member->name);
        bool was_there = stet__map_remove(object->by_name, hash, old);
        STET_ASSERT(was_there);
        stet__map_put(object->by_name, hash, member);
    }
    STET_ASSERT(object->items[old->slot] == old);
    member->slot = old->slot;
    object->items[member->slot] = member;
    return true;
}

void stet__value_remove_member(stet_value *object, stet_value *member)
{
    STET_ASSERT(object->kind == STET_VALUE_OBJECT);
    STET_ASSERT(object->items[member->slot] == member);
    if (object->by_name != NULL) {
        uint64_t hash = hash_name(object->by_name, member->name);
        bool was_there = stet__map_remove(object->by_name, hash, member);
        STET_ASSERT(was_there);
    }
    object->items[member->slot] = NULL;
    object->live--;
}

bool stet__value_insert(stet_doc *d, stet_value *array, uint32_t index,
                        stet_value *element)
{
    STET_ASSERT(array->kind == STET_VALUE_ARRAY);
    STET_ASSERT(index <= array->live && array->live == array->used);
    if (!grow(d, array)) {
        return false;
    }
    stet_value **at = array->items + index;
    memmove(at + 1, at, (array->used - index) * sizeof *at);
    *at = element;
    array->used++;
    array->live++;
    return true;
}

void stet__value_remove_element(stet_value *array, uint32_t index)
{
    STET_ASSERT(array->kind == STET_VALUE_ARRAY);
    STET_ASSERT(index < array->live && array->live == array->used);
    stet_value **at = array->items + index;
    memmove(at, at + 1, (array->used - index - 1) * sizeof *at);
    array->used--;
    array->live--;
}

/* Walks over whole values. */

/* Equal, as far as it shows without looking at what containers contain. */
static bool is_alike(const stet_value *a, const stet_value *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case STET_VALUE_NUMBER:
        return stet__decimal_eq(a->text, b->text);
    case STET_VALUE_STRING:
        return stet__slice_eq(a->text, b->text);
    case STET_VALUE_ARRAY:
    case STET_VALUE_OBJECT:
        return a->live == b->live;
    case STET_VALUE_NULL:
    case STET_VALUE_FALSE:
    case STET_VALUE_TRUE:
        break;
    }
    return true;
}

bool stet__value_eq(const stet_value *a, const stet_value *b)
{
    struct {
        const stet_value *a;
        const stet_value *b;
        uint32_t at; /* in a */
    } stack[STET_JSON_DEPTH_MAX] = {{.a = a, .b = b}};
    if (!is_alike(a, b)) {
        return false;
    }
    uint32_t depth = stet__value_is_container(a) ? 1 : 0;
    while (depth > 0) {
        a = stack[depth - 1].a;
        b = stack[depth - 1].b;
        const stet_value *in_a = stet__value_next(a, &stack[depth - 1].at);
        if (in_a == NULL) {
            depth--;
            continue;
        }
        const stet_value *in_b = a->kind == STET_VALUE_OBJECT
                                     ? stet__value_member(b, in_a->name)
                                     : b->items[stack[depth - 1].at - 1];
        if (in_b == NULL || !is_alike(in_a, in_b)) {
            return false;
        }
        if (stet__value_is_container(in_a)) {
            STET_ASSERT(depth < STET_JSON_DEPTH_MAX); /* by (3) */
            stack[depth].a = in_a;
            stack[depth].b = in_b;
            stack[depth++].at = 0;
        }
    }
    return true;
}

uint32_t stet__value_height(const stet_value *v)
{
    struct {
        const stet_value *in;
        uint32_t at;
    } stack[STET_JSON_DEPTH_MAX] = {{.in = v}};
    uint32_t depth = stet__value_is_container(v) ? 1 : 0;
    uint32_t height = depth;
    while (depth > 0) {
        const stet_value *child =
            stet__value_next(stack[depth - 1].in, &stack[depth - 1].at);
        if (child == NULL) {
            depth--;
        } else if (stet__value_is_container(child)) {
            STET_ASSERT(depth < STET_JSON_DEPTH_MAX); /* by (3) */
            stack[depth].in = child;
            stack[depth++].at = 0;
            height = depth > height ? depth : height;
        }
    }
    return height;
}

/* Copy one value without what it contains, for which there is room then. */
static stet_status copy_one(stet_doc *d, const stet_value *v,
                            stet_copy_budget *budget, stet_value **out)
{
    size_t text_bytes = v->name.len;
    text_bytes += stet__value_is_container(v) ? 0 : v->text.len;
    if (budget->values == 0 || text_bytes > budget->text_bytes) {
        return STET_E_TOO_LARGE;
    }
    budget->values--;
    budget->text_bytes -= text_bytes;
    stet_value *copy = stet__value_new(d, v->kind);
    if (copy == NULL) {
        return STET_E_NOMEM;
    }
    copy->name = v->name;
    if (!stet__value_is_container(v)) {
        copy->text = v->text;
    } else if (!stet__value_make_room(d, copy, v->live)) {
        return STET_E_NOMEM;
    }
    *out = copy;
    return STET_OK;
}

static bool finish_copy(stet_doc *d, stet_value *copy)
{
    stet_value *twin = NULL;
    if (copy->live > MEMBERS_UNINDEXED_MAX && copy->kind == STET_VALUE_OBJECT &&
        !index_by_name(d, copy, &twin)) {
        return false;
    }
    STET_ASSERT(twin == NULL); /* by (2) */
    return true;
}

stet_status stet__value_copy(stet_doc *d, const stet_value *v,
                             stet_copy_budget *budget, stet_value **out)
{
    struct {
        const stet_value *from;
        stet_value *to;
        uint32_t at; /* in from */
    } stack[STET_JSON_DEPTH_MAX];
    stet_value *root = NULL;
    stet_status st = copy_one(d, v, budget, &root);
    uint32_t depth = 0;
    if (st == STET_OK && stet__value_is_container(v)) {
        stack[depth].from = v;
        stack[depth].to = root;
        stack[depth++].at = 0;
    }
    while (st == STET_OK && depth > 0) {
        stet_value *to = stack[depth - 1].to;
        v = stet__value_next(stack[depth - 1].from, &stack[depth - 1].at);
        if (v == NULL) {
            depth--;
            st = finish_copy(d, to) ? STET_OK : STET_E_NOMEM;
            continue;
        }
        stet_value *copy = NULL;
        st = copy_one(d, v, budget, &copy);
        if (st != STET_OK) {
            break;
        }
        stet__value_place(to, copy);
        if (stet__value_is_container(v)) {
            STET_ASSERT(depth < STET_JSON_DEPTH_MAX); /* by (3) */
            stack[depth].from = v;
            stack[depth].to = copy;
            stack[depth++].at = 0;
        }
    }
    if (st == STET_OK) {
        *out = root;
    }
    return st;
}
