/*
 * Fault: the nth allocation, or the nth call of a kind, of a logbook's log
 * fails once.
 */
#ifndef STET_TESTS_FAULT_H
#define STET_TESTS_FAULT_H

#include "lib/failalloc.h"
#include "lib/logbook.h"
#include "lib/memdisk.h"

typedef struct fault {
    failalloc memory;
    memdisk *disk;
    memdisk *first; /* what it is a copy of */
    bool is_memory;
    memdisk_call call;
    int os_errno;
    stet_status status; /* that is due */
} fault;

/* Open the log of the fault's disk with its allocator; nothing fails yet. */
void fault_open(logbook *b, fault *f);
/* The nth thing from here on fails. */
void fault_arm(fault *f, size_t nth);
/* Nothing fails any more; was the nth one reached? */
bool fault_disarm(fault *f);

#endif
