/*
 * History: random machines and their events in an image, and what is known of
 * them. Machines come and go, fork, have records before the image, are written
 * late, carry names, bases and idempotency keys.
 */
#ifndef STET_TESTS_HISTORY_H
#define STET_TESTS_HISTORY_H

#include "core/image.h"
#include "lib/rng.h"

enum {
    HISTORY_MACHINES_MAX = 300,
    HISTORY_EVENTS_MAX = 6000,
    HISTORY_FRAMES_MAX = 600,
    HISTORY_CAPACITY = 4 << 20,
    HISTORY_NONE = -1,
};

typedef struct history_event {
    int machine;
    int before; /* index of the machine's event before, in the image */
    uint64_t back;
    stet_point point;
    int64_t recorded;
    bool is_deleted;
    bool has_name; /* TO or a base: it says `name` */
    char name[16];
    bool has_key;
    uint8_t key[16];
    uint64_t key_check;
    uint64_t state_bytes;
} history_event;

typedef struct history_machine {
    char id[STET_RECORD_ID_BYTES_MAX + 1];
    stet_machine_key key;
    stet_machine_key parent; /* of a fork; id empty: none */
    stet_point point;        /* of its newest event, or before the image */
    int first;
    int newest;
} history_machine;

typedef struct history_frame {
    uint32_t offset;
    uint32_t first_event;
    int64_t recorded;
} history_frame;

typedef struct history {
    rng r;
    stet_image *image;
    uint64_t first_position;
    size_t id_bytes_min; /* set before writing for long ids */
    uint32_t end;        /* offset behind the last frame */
    uint32_t last_crc;
    size_t machine_count;
    size_t event_count;
    size_t frame_count;
    history_machine machines[HISTORY_MACHINES_MAX];
    history_event events[HISTORY_EVENTS_MAX];
    history_frame frames[HISTORY_FRAMES_MAX];
} history;

/* Create one in its own memory, with an empty image. */
history *history_create(uint64_t seed);
void history_destroy(history *h);

/* Write and seal frames until there are `events`, of `machines` or more. */
void history_write(history *h, size_t machines, size_t events);
/* Index frame `idx`. */
void history_index(history *h, size_t idx);
void history_index_all(history *h);

/* The newest event of a machine below `event_end`, or HISTORY_NONE. */
int history_newest(const history *h, size_t machine, size_t event_end);

/* A bound that lies near the point of some event. */
stet_bound history_random_bound(const history *h, rng *r);

#endif
