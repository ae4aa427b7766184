#include "sample.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

/* Numbers begin at 100000000, so that their texts stay equally long. */
static const char state_head[] =
    "{\"current_state\":\"turn\",\"turn\":%09u,\"players\":[";
static const char player_format[] =
    "{\"id\":%09u,\"name\":\"player-%06x\",\"score\":%09u,"
    "\"hand\":[\"%c%c\",\"%c%c\",\"%c%c\"],\"is_bot\":true},";

enum {
    NUMBER_MIN = 100000000,
    HEAD_BYTES = 52,
    PLAYER_BYTES = 96,
    TAIL_BYTES = 16, /* around the noise that fills a state up */
};

static unsigned pick(uint64_t *random, unsigned bound)
{
    return (unsigned)random_below(random, bound);
}

static void put_noise(char *at, size_t bytes, uint64_t *random)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    for (size_t i = 0; i < bytes; i++) {
        at[i] = letters[pick(random, sizeof(letters) - 1)];
    }
}

samples *samples_create(void)
{
    samples *s = run_alloc(1, sizeof(*s));
    uint64_t random = 1;
    for (size_t i = 0; i < SAMPLE_PAYLOADS; i++) {
        char *text = s->payloads[i];
        int used =
            snprintf(text, SAMPLE_PAYLOAD_BYTES,
                     "{\"turn\":%u,\"phase\":\"playing\","
                     "\"player\":\"bot-%u\",\"card\":\"queen of hearts\","
                     "\"trick\":%u,\"note\":\"",
                     pick(&random, 10000), pick(&random, 4), pick(&random, 13));
        size_t noise = SAMPLE_PAYLOAD_BYTES - 2 - (size_t)used;
        put_noise(text + used, noise, &random);
        memcpy(text + SAMPLE_PAYLOAD_BYTES - 2, "\"}", 2);
    }
    return s;
}

void samples_destroy(samples *s)
{
    free(s);
}

stet_slice samples_payload(const samples *s, uint64_t number)
{
    return stet_slice_of(s->payloads[number % SAMPLE_PAYLOADS],
                         SAMPLE_PAYLOAD_BYTES);
}

/* Write without the NUL that snprintf ends with. */
static void put_player(char *at, uint32_t id, uint64_t *random)
{
    static const char suits[] = "SHDC";
    static const char ranks[] = "23456789TJQKA";
    char text[PLAYER_BYTES + 1];
    int used = snprintf(text, sizeof(text), player_format, NUMBER_MIN + id,
                        id * 2654435761u >> 8, NUMBER_MIN + pick(random, 1000),
                        ranks[pick(random, 13)], suits[pick(random, 4)],
                        ranks[pick(random, 13)], suits[pick(random, 4)],
                        ranks[pick(random, 13)], suits[pick(random, 4)]);
    assert(used == PLAYER_BYTES);
    memcpy(at, text, (size_t)used);
}

static void put_turn(sample_state *s)
{
    char text[HEAD_BYTES + 1];
    int used = snprintf(text, sizeof(text), state_head, NUMBER_MIN + s->turn);
    assert(used == HEAD_BYTES);
    memcpy(s->text, text, (size_t)used);
}

void sample_state_init(sample_state *s, size_t bytes, uint64_t seed)
{
    *s = (sample_state){.text = run_alloc(1, bytes),
                        .bytes = bytes,
                        .random = seed,
                        .players = (bytes - HEAD_BYTES - TAIL_BYTES) /
                                   (PLAYER_BYTES + 5)};
    put_turn(s);
    char *at = s->text + HEAD_BYTES;
    for (uint32_t i = 0; i < s->players; i++) {
        put_player(at, i, &s->random);
        at += PLAYER_BYTES;
    }
    at[-1] = ']'; /* where the last player's comma was */
    memcpy(at, ",\"log\":\"", 8);
    size_t noise = (size_t)(s->text + bytes - 2 - (at + 8));
    put_noise(at + 8, noise, &s->random);
    memcpy(s->text + bytes - 2, "\"}", 2);
}

void sample_state_deinit(sample_state *s)
{
    free(s->text);
}

stet_slice sample_state_slice(const sample_state *s)
{
    return stet_slice_of(s->text, s->bytes);
}

void sample_state_step(sample_state *s)
{
    s->turn++;
    put_turn(s);
    uint32_t player = pick(&s->random, (unsigned)s->players);
    char *at = s->text + HEAD_BYTES + player * PLAYER_BYTES;
    bool is_last = player + 1 == s->players;
    put_player(at, player, &s->random);
    at[PLAYER_BYTES - 1] = is_last ? ']' : ',';
}
