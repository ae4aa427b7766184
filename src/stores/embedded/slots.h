/*
 * Slots: the file `super`, which says what is known durable.
 *
 * It has two slots of W bytes; the newer sound one counts. A write goes to one
 * slot only, and only while the other is known durable: so one is always whole.
 * Known durable is what this open wrote itself, or what a newer slot stands on;
 * of what it reads, the newer slot may be in the page cache only. The first
 * write therefore replaces an unsound slot if there is one, else the newer.
 *
 * Thread: one at a time.
 */
#ifndef STET_STORES_EMBEDDED_SLOTS_H
#define STET_STORES_EMBEDDED_SLOTS_H

#include "core/frame.h"
#include "os/os.h"

typedef struct stet_slots {
    stet_os *os; /* borrowed */
    int fd;      /* -1: not open */
    stet_super slots[2];
    bool is_sound[2];
    unsigned newer; /* the slot that counts */
    unsigned next;  /* the slot that is written next */
} stet_slots;

/*
 * Open and read `super`. STET_E_NOT_FOUND: there is none; STET_E_CORRUPT: no
 * slot is sound; STET_E_FORMAT.
 */
stet_status stet__slots_open(stet_slots *s, stet_os *os, int dir,
                             bool is_readonly, stet_error *err);
/* Accepts one that never was open, if fd is -1. */
void stet__slots_close(stet_slots *s);

/* Read both slots again, for a reader beside a writer. */
stet_status stet__slots_read(stet_slots *s, stet_error *err);

/* Make `super` for a new store: it appears whole or not at all. */
stet_status stet__slots_create(stet_os *os, int dir, const stet_super *first,
                               stet_error *err);

/* Write a slot, synced; sets `super->generation`. */
stet_status stet__slots_write(stet_slots *s, stet_super *super,
                              stet_error *err);

const stet_super *stet__slots_newest(const stet_slots *s);
/* The mark that is still known when either slot is lost. */
uint64_t stet__slots_mark(const stet_slots *s);
/* Does either slot name the file, in any role? */
bool stet__slots_name(const stet_slots *s, uint32_t file);

#endif
