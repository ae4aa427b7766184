/*
 * The acknowledgement ledger: what the server told the world, kept outside of
 * the store and of the server's process, so that neither can gloss over a loss.
 *
 * The server writes one line for each fact to its stdout, a pipe, in one write
 * each; what is in a pipe outlives the process that wrote it. The supervisor
 * keeps the lines in a file and in a `ledger`:
 *
 *   starting                      before the store is opened
 *   resume ROOM SEQ DIGEST        the newest state of a room that was there
 *   ready ROOMS                   every room is loaded, moves begin
 *   move ROOM SEQ POSITION DIGEST ACTION ACTOR FROM TO
 *                                 STET_OK was answered, this is now a promise
 *
 * SEQ and POSITION are the store's answer, DIGEST is of the game as the server
 * had it in memory after the move, in hexadecimal; the last four words are the
 * event's, "-" for an empty one.
 *
 * A ledger holds the promises of one store. A room makes one move at a time, so
 * its promises have no gaps: number i of a room is about seq i + 1.
 */
#ifndef STET_CARD_GAME_LEDGER_H
#define STET_CARD_GAME_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LEDGER_LINE_MAX = 256, /* below PIPE_BUF: lines never mix */
    LEDGER_WHAT_MAX = 80,
    LEDGER_ROOMS_MAX = 1000000
};

typedef struct ledger_ack {
    uint64_t position;
    uint64_t digest;
    char what[LEDGER_WHAT_MAX]; /* ACTION ACTOR FROM TO */
} ledger_ack;

typedef struct ledger_room {
    ledger_ack *acks;
    size_t count;
    size_t capacity;
    uint64_t shown; /* the newest seq that a load has shown */
} ledger_room;

/* Zeroed: an empty ledger. */
typedef struct ledger {
    ledger_room *rooms; /* by number */
    size_t room_count;
    uint64_t moves; /* acknowledged, in all rooms */
} ledger;

/* What a line says. */
typedef enum ledger_fact {
    LEDGER_BROKEN, /* not a line, or it breaks an earlier promise */
    LEDGER_STARTING,
    LEDGER_RESUME,       /* at the last acknowledged move */
    LEDGER_RESUME_LATER, /* one move later, which nobody heard of yet */
    LEDGER_READY,
    LEDGER_MOVE,       /* a new promise */
    LEDGER_MOVE_AGAIN, /* an old one, repeated to the letter */
    LEDGER_FACTS       /* how many there are */
} ledger_fact;

void ledger_free(ledger *l);

/*
 * Take in one line, with its newline. LEDGER_BROKEN says on stderr what is
 * wrong, and names the room and the seq.
 */
ledger_fact ledger_take(ledger *l, const char *line);

/* Take in a file of lines; false when it cannot be read or is broken. */
bool ledger_load(ledger *l, const char *path);

/*
 * Write one line to `fd` in one piece; a newline is added. False when nobody
 * takes it any more, which is told on stderr.
 */
bool ledger_write(int fd, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
