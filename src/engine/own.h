/*
 * Own: the machines that the store keeps for itself, in namespace 255. What
 * kind one is of, its id begins with:
 *
 *   c, s  checkpoints of a machine, of the store (checkpoint.h)
 *   e     how far a machine is erased (erasure.h)
 *   h     a hold (hold.h)
 *   n, k  a consumer, an event that one has parked (consumer.h)
 *   p, r  a projection, the new one of a rebuild (projection.h)
 *
 * The state of each is a JSON object, but for those of projections.
 */
#ifndef STET_ENGINE_OWN_H
#define STET_ENGINE_OWN_H

#include "core/json.h"
#include "engine/handle.h"

/* The key of one of them, whose id is borrowed. */
stet_machine_key stet__own_key(const stet_buf *id);

/*
 * May a write to one of them stand against what retention drops? Not what is
 * written all the time: dropping would wait for it for ever.
 */
bool stet__own_is_pin(stet_slice id);

/* Is it a name that users give: of a hold, a checkpoint? The text says what. */
stet_status stet__own_name_check(const char *what, stet_slice name,
                                 stet_error *err);

/* A member that is a number; 0 if there is none. */
uint64_t stet__own_number(const stet_value *object, const char *name);
/* A member that is a string; empty if there is none. */
stet_slice stet__own_string(const stet_value *object, const char *name);

/* One of them; lent for the call. */
typedef struct stet_own {
    stet_slice id;
    const stet_value *content;
    const stet_state *state;
} stet_own;

typedef stet_status (*stet_own_fn)(void *ctx, const stet_own *own,
                                   stet_error *err);

/* Visit one. STET_E_NOT_FOUND, without a text of use: there is none. */
stet_status stet__own_visit(stet *s, stet_machine_key key, stet_own_fn fn,
                            void *ctx, stet_error *err);

/*
 * Visit all whose ids begin with `prefix`, in order of ids, but those deleted.
 * Stops at the first that fails, with its status.
 */
stet_status stet__own_each(stet *s, stet_slice prefix, stet_own_fn fn,
                           void *ctx, stet_error *err);

/* The same one by one. Zeroed: nothing to close. */
typedef struct stet_own_list {
    stet *s;
    stet_log_cursor *heads;
    stet_buf prefix;
} stet_own_list;

stet_status stet__own_list_open(stet *s, stet_slice prefix, stet_own_list *out,
                                stet_error *err);
/* Visit the next; STET_DONE at the end, else what `fn` answers. */
stet_status stet__own_list_next(stet_own_list *list, stet_own_fn fn, void *ctx,
                                stet_error *err);
/* Only its id, lent until the next call. */
stet_status stet__own_list_skip(stet_own_list *list, stet_slice *out_id,
                                stet_error *err);
void stet__own_list_close(stet_own_list *list);

#endif
