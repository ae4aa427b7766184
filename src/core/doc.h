/*
 * Doc: JSON values in memory that can be changed.
 *
 * A *value* is null, false, true, a number, a string, an array of *elements* or
 * an object of *members*, which are values with a name. Members keep their
 * order. A number keeps its text. Values point to each other and into texts,
 * and all of them live in the doc's arena: nothing is freed before the doc is.
 *
 * Invariants:
 *   (1) a value is in at most one container;
 *   (2) names in an object differ;
 *   (3) containers nest at most STET_JSON_DEPTH_MAX deep: who puts one value
 *       into another sees to that, so that walks have stacks of fixed size.
 *
 * Thread: one at a time.
 */
#ifndef STET_CORE_DOC_H
#define STET_CORE_DOC_H

#include <stdbool.h>
#include <stdint.h>

#include <stet/status.h>
#include <stet/types.h>

#include "base/arena.h"
#include "base/map.h"

typedef enum stet_value_kind {
    STET_VALUE_NULL = 1,
    STET_VALUE_FALSE = 2,
    STET_VALUE_TRUE = 3,
    STET_VALUE_NUMBER = 4,
    STET_VALUE_STRING = 5,
    STET_VALUE_ARRAY = 6,
    STET_VALUE_OBJECT = 7
} stet_value_kind;

typedef struct stet_value stet_value;

struct stet_value {
    stet_slice name; /* of a member; decoded */
    union {
        stet_slice text; /* a number as written; a string decoded */
        struct {
            stet_value **items; /* NULL where a member was removed */
            stet_map *by_name;  /* in objects of many members, else NULL */
        };
    };
    uint32_t used; /* items in use, removed ones included */
    uint32_t room; /* items there is memory for */
    uint32_t live; /* elements or members */
    uint32_t slot; /* of a member: its place in `items` */
    stet_value_kind kind;
};

/* Does not move while values live in it: `in_arena` points to `arena`. */
typedef struct stet_doc {
    stet_arena arena;
    stet_allocator in_arena; /* frees nothing */
} stet_doc;

void stet__doc_init(stet_doc *d, const stet_allocator *alloc);
void stet__doc_deinit(stet_doc *d);
/* Forget all values; keeps some memory. */
void stet__doc_reset(stet_doc *d);

/* Make an empty container, or null, false or true; NULL: no memory. */
stet_value *stet__value_new(stet_doc *d, stet_value_kind kind);

/*
 * Building a container of known size: make room for the items, place each of
 * them, and finish an object. `*out_twin` then gets the later of two members of
 * one name, or NULL: the caller keeps (2). false: no memory.
 */
bool stet__value_make_room(stet_doc *d, stet_value *container, uint32_t count);
void stet__value_place(stet_value *container, stet_value *item);
bool stet__value_finish(stet_doc *d, stet_value *object, stet_value **out_twin);

static inline bool stet__value_is_container(const stet_value *v)
{
    return v->kind == STET_VALUE_ARRAY || v->kind == STET_VALUE_OBJECT;
}

/* Walk a container's values: start with *at 0; NULL at the end. */
static inline stet_value *stet__value_next(const stet_value *in, uint32_t *at)
{
    while (*at < in->used) {
        stet_value *v = in->items[(*at)++];
        if (v != NULL) {
            return v;
        }
    }
    return NULL;
}

/* Find the member with this name; NULL: none, or not an object. */
stet_value *stet__value_member(const stet_value *object, stet_slice name);
/* Find what a decoded token of a JSON pointer names in a value, or NULL. */
stet_value *stet__value_step(const stet_value *in, stet_slice token);

/*
 * Put a named value into an object: in the place of the member of that name,
 * else behind the last. false: no memory, nothing changed.
 */
bool stet__value_put(stet_doc *d, stet_value *object, stet_value *member);
void stet__value_remove_member(stet_value *object, stet_value *member);

/* Put an element before the one at `index` <= live; false: no memory. */
bool stet__value_insert(stet_doc *d, stet_value *array, uint32_t index,
                        stet_value *element);
void stet__value_remove_element(stet_value *array, uint32_t index);

/*
 * Are two values equal? Numbers by value (1.0 is 1), strings by characters,
 * members in any order.
 */
bool stet__value_eq(const stet_value *a, const stet_value *b);

/* How deep containers nest: 0 for a scalar, 1 for [] and [1]. */
uint32_t stet__value_height(const stet_value *v);

/* What copies may still take: a copy shares text, but writing repeats it. */
typedef struct stet_copy_budget {
    size_t values;
    size_t text_bytes;
} stet_copy_budget;

/*
 * Copy a value and all in it; `*out` is in no container. STET_E_TOO_LARGE when
 * the budget, from which the copy is taken, does not reach.
 */
stet_status stet__value_copy(stet_doc *d, const stet_value *v,
                             stet_copy_budget *budget, stet_value **out);

#endif
