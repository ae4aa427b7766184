/*
 * Event: what readers get of a record, and the look at the whole store by
 * position that histories and feeds share.
 */
#ifndef STET_ENGINE_EVENT_H
#define STET_ENGINE_EVENT_H

#include "core/record.h"
#include "engine/handle.h"

/* Where and when a record lies. */
typedef struct stet_event_place {
    int64_t recorded;
    uint64_t position;
} stet_event_place;

/*
 * Make an event of a record, without a state. `lost` is what stet__lost_of
 * says of it. Slices are the record's.
 */
void stet__event_of(const stet_record *r, stet_status lost,
                    stet_event_place place, stet_event *out);

/* Which events of the store are looked for. */
typedef struct stet_event_filter {
    stet_slice pattern; /* of ids; empty: all */
    uint32_t kinds;     /* bits 1 << stet_event_kind; 0: all */
    uint8_t ns;
    uint8_t ns_last;
    bool with_gone; /* also those of which a stub is left */
} stet_event_filter;

/* A look at events one by one; they are lent until the next look. */
typedef struct stet_event_look {
    stet *s;
    stet_bench *bench; /* borrowed */
    stet_event_filter filter;
    stet_record record; /* that `lent` is of */
    stet_event lent;
} stet_event_look;

/*
 * Look at the record at a position that is published. `*out_is_wanted`: the
 * filter takes it, and it is lent. The list of erasures is loaded.
 * STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM.
 */
stet_status stet__event_look(stet_event_look *look, uint64_t position,
                             bool *out_is_wanted, stet_error *err);

#endif
