/*
 * Fake log: a log whose frames the test holds back, lets go or fails, one by
 * one.
 *
 * Alone it takes frames and forgets them: enough for the pipeline. Put in front
 * of an open log it passes everything on, as that log's writes happen to be
 * slow, or broken.
 *
 * Frames are counted from 0 in the order in which they are sealed. It claims
 * what stet/sys/store.h promises a log: seals one at a time and in order, a
 * frame that turns written when nothing else is, `published` only rising and
 * only over what was written, no sync beside a write. What did not hold is
 * counted in `broken`. Thread-safe.
 */
#ifndef STET_TESTS_FAKELOG_H
#define STET_TESTS_FAKELOG_H

#include <stdatomic.h>

#include <stet/sys/store.h>

#include "os/os.h"

enum { FAKELOG_FRAMES_MAX = 64 };

typedef struct fakelog {
    stet_log_ops ops; /* first: found through log->ops */
    stet_log log;     /* for a pipeline, when it stands alone */
    const stet_log_ops *real;
    stet_os *os;

    /* What the test decides. */
    size_t cap;             /* room of a frame; 0: there is none (BUSY) */
    bool turns;             /* the next frame opened is a turn */
    _Atomic uint64_t held;  /* bit n: the write of frame n waits */
    _Atomic uint64_t fails; /* bit n: the write of frame n fails */
    _Atomic uint64_t bad;   /* bit n: the seal of frame n fails */
    _Atomic uint32_t sync_fails;
    _Atomic uint32_t room_status; /* what make_room answers */
    _Atomic uint32_t busy; /* so many frames are not opened at first: BUSY */
    void (*on_room)(void *ctx); /* called at the end of make_room, if set */
    void *ctx;

    /* What happened. */
    _Atomic uint32_t word;    /* futex: rises when the test lets go */
    _Atomic uint32_t sealed;  /* frames */
    _Atomic uint32_t writing; /* frames being written now */
    _Atomic uint32_t written; /* frames */
    _Atomic uint32_t syncs;
    _Atomic uint32_t rooms;
    _Atomic uint64_t watermark;
    _Atomic uint64_t synced;
    _Atomic uint32_t broken;
    uint64_t first_positions[FAKELOG_FRAMES_MAX]; /* of each frame */
    uint32_t events[FAKELOG_FRAMES_MAX];
    uint64_t end; /* one past the last position sealed */
    uint8_t *buffers[FAKELOG_FRAMES_MAX];
    uint32_t buffer_count;
} fakelog;

/* Alone; frames have room for `cap` bytes. */
void fakelog_init(fakelog *f, stet_os *os, size_t cap);
void fakelog_deinit(fakelog *f);
/* In front of a log that is open, until that one is closed. */
void fakelog_wrap(fakelog *f, stet_os *os, stet_log *log);

/* Let the frames of these bits be written. */
void fakelog_let_go(fakelog *f, uint64_t frames);
/* Wait until that many frames are in their writes at the same time. */
void fakelog_await_writing(fakelog *f, uint32_t count);

#endif
