/*
 * Client: a thread that writes and reads at random, and tells the oracle.
 */
#ifndef STET_TESTS_SIM_CLIENT_H
#define STET_TESTS_SIM_CLIENT_H

#include "lib/workload.h"
#include "sim/oracle.h"

typedef struct client {
    world *w;
    oracle *o;
    stet *s;
    workload work;
    unsigned ops;
    bool is_polling; /* takes callbacks; one of all clients */
    uint64_t thread;
} client;

/* `number` tells clients of one life apart, `life` those of one run. */
void client_init(client *c, oracle *o, stet *s, unsigned number, unsigned life);

/* Settle all that may be settled. */
void client_compact(oracle *o, stet *s);

/* Do all that this client does in its life; a stet_os_thread_fn. */
void client_run(void *ctx);

#endif
