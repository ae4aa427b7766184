/*
 * The memory store: the same segments as the embedded one, without files.
 *
 * URL "memory:". Level memory: gone with the handle.
 */
#ifndef STET_STORES_MEMORY_MEMORY_H
#define STET_STORES_MEMORY_MEMORY_H

#include <stet/sys/store.h>

extern const stet_driver stet__memory_driver;

#endif
