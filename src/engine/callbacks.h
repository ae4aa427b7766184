/*
 * Callbacks: who wants to be told when a position is durable.
 *
 * A bounded queue in order of position. stet_poll calls what is due, on the
 * application's thread; a file descriptor turns readable when something is due.
 * Thread-safe, but for running.
 */
#ifndef STET_ENGINE_CALLBACKS_H
#define STET_ENGINE_CALLBACKS_H

#include <stet/write.h>

#include "base/alloc.h"
#include "os/mutex.h"

typedef struct stet_callback {
    stet_ticket ticket;
    stet_durable_fn fn;
    void *ctx;
} stet_callback;

typedef struct stet_callbacks {
    const stet_allocator *alloc;
    stet_os *os;
    stet_mutex mu;
    stet_callback *ring; /* allocated with the first callback */
    uint32_t cap;
    uint32_t first;
    uint32_t count;
    bool is_signalled;
    int fd; /* -1: none */
} stet_callbacks;

void stet__callbacks_init(stet_callbacks *c, const stet_allocator *alloc,
                          stet_os *os, uint32_t cap);
void stet__callbacks_deinit(stet_callbacks *c);

/* Queue one; STET_E_BUSY when full. */
stet_status stet__callbacks_add(stet_callbacks *c, const stet_callback *item,
                                stet_error *err);

/* Make the descriptor readable if the first callback is due. */
void stet__callbacks_notify(stet_callbacks *c, uint64_t watermark,
                            bool is_poisoned);

/* Make the descriptor unreadable; then take until nothing is due. */
void stet__callbacks_begin(stet_callbacks *c);

/* Take the next due callback; false: none. */
bool stet__callbacks_take(stet_callbacks *c, uint64_t watermark,
                          bool is_poisoned, stet_callback *out);

/* The descriptor, made on first use; -1 when the system has none. */
int stet__callbacks_fd(stet_callbacks *c);

#endif
