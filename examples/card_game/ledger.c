#include "ledger.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void ledger_free(ledger *l)
{
    for (size_t i = 0; i < l->room_count; i++) {
        free(l->rooms[i].acks);
    }
    free(l->rooms);
    *l = (ledger){0};
}

/* ---- growing ---- */

/* At least `need` of `bytes` each, doubling; the new ones are zeroed. */
static void *grow(void *items, size_t *capacity, size_t need, size_t bytes)
{
    size_t wanted = *capacity == 0 ? 16 : *capacity;
    while (wanted < need) {
        wanted *= 2;
    }
    char *bigger = reallocarray(items, wanted, bytes);
    if (bigger == NULL) {
        perror("card_game: ledger");
        exit(3);
    }
    memset(bigger + *capacity * bytes, 0, (wanted - *capacity) * bytes);
    *capacity = wanted;
    return bigger;
}

static ledger_room *room_of(ledger *l, unsigned number)
{
    if (number >= l->room_count) {
        l->rooms =
            grow(l->rooms, &l->room_count, number + 1, sizeof(*l->rooms));
    }
    return &l->rooms[number];
}

/* ---- taking in ---- */

static ledger_fact broken(const char *why, unsigned room, uint64_t seq)
{
    fprintf(stderr, "BROKEN  game:%u seq %" PRIu64 ": %s\n", room, seq, why);
    return LEDGER_BROKEN;
}

static ledger_fact take_resume(ledger *l, unsigned number, uint64_t seq,
                               uint64_t digest)
{
    ledger_room *room = room_of(l, number);
    if (seq < room->count || seq < room->shown) {
        return broken("the room goes on here, before its last acknowledged "
                      "move",
                      number, seq);
    }
    if (seq > room->count + 1) {
        return broken("the room goes on here, after moves nobody made", number,
                      seq);
    }
    room->shown = seq;
    if (seq == room->count + 1) {
        return LEDGER_RESUME_LATER;
    }
    return digest == room->acks[seq - 1].digest
               ? LEDGER_RESUME
               : broken("the room goes on from another state than was "
                        "acknowledged",
                        number, seq);
}

static ledger_fact take_move(ledger *l, unsigned number, uint64_t seq,
                             const ledger_ack *ack)
{
    ledger_room *room = room_of(l, number);
    if (seq == 0 || seq > room->count + 1) {
        return broken("acknowledged before the move before it", number, seq);
    }
    if (seq <= room->count) {
        const ledger_ack *first = &room->acks[seq - 1];
        bool is_same = ack->position == first->position &&
                       ack->digest == first->digest &&
                       strcmp(ack->what, first->what) == 0;
        return is_same ? LEDGER_MOVE_AGAIN
                       : broken("acknowledged twice, as different moves",
                                number, seq);
    }
    if (room->count == room->capacity) {
        room->acks = grow(room->acks, &room->capacity, room->count + 1,
                          sizeof(*room->acks));
    }
    room->acks[room->count++] = *ack;
    l->moves++;
    return LEDGER_MOVE;
}

ledger_fact ledger_take(ledger *l, const char *line)
{
    unsigned room;
    uint64_t seq;
    ledger_ack ack = {0};
    char newline;
    if (sscanf(line, "move %u %" SCNu64 " %" SCNu64 " %" SCNx64 " %79[^\n]%c",
               &room, &seq, &ack.position, &ack.digest, ack.what,
               &newline) == 6 &&
        room < LEDGER_ROOMS_MAX) {
        return take_move(l, room, seq, &ack);
    }
    if (sscanf(line, "resume %u %" SCNu64 " %" SCNx64 "%c", &room, &seq,
               &ack.digest, &newline) == 4 &&
        room < LEDGER_ROOMS_MAX && seq > 0) {
        return take_resume(l, room, seq, ack.digest);
    }
    if (strcmp(line, "starting\n") == 0) {
        return LEDGER_STARTING;
    }
    if (sscanf(line, "ready %u%c", &room, &newline) == 2) {
        return LEDGER_READY;
    }
    fprintf(stderr, "BROKEN  not a line of a ledger: %s\n", line);
    return LEDGER_BROKEN;
}

bool ledger_load(ledger *l, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fprintf(stderr, "card_game: open %s: %s\n", path, strerror(errno));
        return false;
    }
    char line[LEDGER_LINE_MAX];
    bool is_good = true;
    while (is_good && fgets(line, sizeof(line), file) != NULL) {
        is_good = ledger_take(l, line) != LEDGER_BROKEN;
    }
    is_good = is_good && !ferror(file);
    (void)fclose(file); /* it was only read */
    return is_good;
}

/* ---- writing ---- */

bool ledger_write(int fd, const char *format, ...)
{
    char line[LEDGER_LINE_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    assert(len >= 0 && (size_t)len < sizeof(line) - 1);
    line[len++] = '\n';
    ssize_t written;
    do {
        written = write(fd, line, (size_t)len);
    } while (written < 0 && errno == EINTR);
    if (written != len) {
        perror("card_game: ledger");
    }
    return written == len;
}
