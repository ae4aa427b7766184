/*
 * scribe: writes what it is told into a store and says what was acknowledged,
 * so that a test can kill it anywhere and hold the store to its word.
 *
 * Commands on stdin, one a line; the end of stdin ends the process as a kill
 * would, nothing is closed:
 *
 *   open DIR [existing] [readonly] [os] [nothreads] [segment=BYTES]
 *   mixed RUN THREADS COUNT   each thread commits COUNT batches
 *   fill RUN                  commit until one is refused
 *   tell [POSITION]           every event from there on
 *   steps                     background work until there is no more
 *   compact                   settle what may be
 *   sync, verify, close
 *
 * Answers on stdout: "ok COMMAND" or "no COMMAND STATUS TEXT", and before it
 *
 *   ack ID SEQ POSITION HASH TOKEN         one for each event of a batch,
 *                                          all in one write
 *   nak TOKEN STATUS TEXT                  a batch that was not acknowledged
 *   has ID SEQ POSITION HASH TOKEN FLAGS   an event that is there
 *
 * A batch is a function of (run, thread, count): writing it again writes the
 * same under the same key. Its token RUN.THREAD.NTH/EVENTS is the action of all
 * its events and the idempotency key. HASH is of the bytes given: the state
 * after a save, the payload of a transition or a raw event.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stet/stet.h>

#include "base/checksum.h"
#include "lib/rng.h"

enum {
    WORDS_MAX = 8,
    LINE_MAX_BYTES = 4096,
    THREADS_MAX = 64,
    BATCH_MAX = 4,
    PAD_MAX = 700,
    CONTENT_MAX = PAD_MAX + 128,
    OWN_MACHINES = 5,    /* of each thread */
    SHARED_MACHINES = 3, /* of all threads */
};

typedef struct batch {
    char token[48];
    size_t count;
    stet_change changes[BATCH_MAX];
    char ids[BATCH_MAX][32];
    char contents[BATCH_MAX][CONTENT_MAX];
} batch;

/* ---- what is written ---- */

/* A JSON object that names its batch and sets one of eight members. */
static size_t make_content(rng *r, const char *token, size_t idx, char *out)
{
    char pad[PAD_MAX + 1];
    size_t len = rng_below(r, PAD_MAX);
    for (size_t i = 0; i < len; i++) {
        pad[i] = (char)('a' + rng_below(r, 26));
    }
    pad[len] = '\0';
    int n =
        snprintf(out, CONTENT_MAX, "{\"t\":\"%s\",\"i\":%zu,\"k%zu\":\"%s\"}",
                 token, idx, rng_below(r, 8), pad);
    return (size_t)n;
}

static stet_verb pick_verb(rng *r)
{
    static const stet_verb verbs[] = {STET_VERB_SAVE, STET_VERB_TRANSITION,
                                      STET_VERB_TRANSITION, STET_VERB_APPEND};
    return verbs[rng_below(r, sizeof verbs / sizeof verbs[0])];
}

static void make_batch(batch *b, unsigned run, unsigned thread, unsigned nth)
{
    rng r = {((uint64_t)run << 40) ^ ((uint64_t)thread << 32) ^ nth};
    b->count = nth % 3 == 2 ? 2 + rng_below(&r, BATCH_MAX - 1) : 1;
    (void)snprintf(b->token, sizeof b->token, "%u.%u.%u/%zu", run, thread, nth,
                   b->count); /* fits */
    for (size_t i = 0; i < b->count; i++) {
        if (rng_below(&r, 3) == 0) {
            (void)snprintf(b->ids[i], sizeof b->ids[i], "all/%zu",
                           rng_below(&r, SHARED_MACHINES));
        } else {
            (void)snprintf(b->ids[i], sizeof b->ids[i], "t%u/%zu", thread,
                           rng_below(&r, OWN_MACHINES));
        }
        size_t len = make_content(&r, b->token, i, b->contents[i]);
        b->changes[i] = (stet_change){
            .struct_size = sizeof(stet_change),
            .verb = pick_verb(&r),
            .id = stet_str(b->ids[i]),
            .payload = stet_slice_of(b->contents[i], len),
            .action = stet_str(b->token),
        };
    }
}

/* ---- what is said ---- */

/* One write, so that lines of several threads do not mix. */
static void say(const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, text, len);
        if (n <= 0) {
            _exit(3); /* who listened is gone */
        }
        text += n;
        len -= (size_t)n;
    }
}

static stet_status answer(const char *command, stet_status st,
                          const stet_error *err)
{
    char line[LINE_MAX_BYTES];
    int n = st == STET_OK ? snprintf(line, sizeof line, "ok %s\n", command)
                          : snprintf(line, sizeof line, "no %s %s %s\n",
                                     command, stet_status_name(st), err->text);
    say(line, (size_t)n);
    return st;
}

static void say_acks(const batch *b, const stet_written *got)
{
    char lines[LINE_MAX_BYTES];
    size_t used = 0;
    for (size_t i = 0; i < b->count; i++) {
        stet_slice content = b->changes[i].payload;
        int n = snprintf(lines + used, sizeof lines - used,
                         "ack %s %" PRIu64 " %" PRIu64 " %016" PRIx64 " %s\n",
                         b->ids[i], got[i].seq, got[i].position,
                         stet__hash64(content.ptr, content.len), b->token);
        used += (size_t)n;
    }
    say(lines, used);
}

static stet_status commit(stet *s, const batch *b)
{
    stet_written got[BATCH_MAX];
    stet_error err = {0};
    stet_batch what = {
        .struct_size = sizeof what,
        .changes = b->changes,
        .change_count = b->count,
        .key = stet_str(b->token),
    };
    stet_status st = stet_commit(s, &what, got, &err);
    if (st == STET_OK) {
        say_acks(b, got);
        return st;
    }
    char line[LINE_MAX_BYTES];
    int n = snprintf(line, sizeof line, "nak %s %s %s\n", b->token,
                     stet_status_name(st), err.text);
    say(line, (size_t)n);
    return st;
}

/* ---- commands ---- */

typedef struct scribe {
    stet *s;
    char *words[WORDS_MAX];
    size_t word_count;
} scribe;

static unsigned number_at(const scribe *w, size_t idx)
{
    return idx < w->word_count ? (unsigned)strtoul(w->words[idx], NULL, 10) : 0;
}

static stet_status run_open(scribe *w, stet_error *err)
{
    stet_opts o = {.struct_size = sizeof o};
    for (size_t i = 2; i < w->word_count; i++) {
        const char *word = w->words[i];
        if (strcmp(word, "existing") == 0) {
            o.mode = STET_OPEN_EXISTING;
        } else if (strcmp(word, "readonly") == 0) {
            o.mode = STET_OPEN_READONLY;
        } else if (strcmp(word, "os") == 0) {
            o.level = STET_LEVEL_OS;
        } else if (strcmp(word, "nothreads") == 0) {
            o.flags |= STET_NO_THREADS;
        } else if (strncmp(word, "segment=", 8) == 0) {
            o.segment_bytes = (uint32_t)strtoul(word + 8, NULL, 10);
        }
    }
    return stet_open(w->words[1], &o, &w->s, err);
}

typedef struct shift {
    stet *s;
    unsigned run;
    unsigned thread;
    unsigned count;
} shift;

static void *work(void *ctx)
{
    shift *mine = ctx;
    batch b;
    for (unsigned nth = 0; nth < mine->count; nth++) {
        make_batch(&b, mine->run, mine->thread, nth);
        (void)commit(mine->s, &b); /* has been told */
    }
    return NULL;
}

/* Thread 0 is this one, so that one thread is one thread. */
static stet_status run_mixed(scribe *w, stet_error *err)
{
    (void)err;
    pthread_t threads[THREADS_MAX];
    shift shifts[THREADS_MAX];
    unsigned count = number_at(w, 2);
    count = count < 1 ? 1 : count > THREADS_MAX ? THREADS_MAX : count;
    for (unsigned i = 0; i < count; i++) {
        shifts[i] = (shift){w->s, number_at(w, 1), i, number_at(w, 3)};
        if (i > 0 && pthread_create(&threads[i], NULL, work, &shifts[i]) != 0) {
            abort();
        }
    }
    (void)work(&shifts[0]);
    for (unsigned i = 1; i < count; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    return STET_OK;
}

static stet_status run_fill(scribe *w, stet_error *err)
{
    (void)err;
    batch b;
    unsigned nth = 0;
    do {
        make_batch(&b, number_at(w, 1), 0, nth);
        nth++;
    } while (commit(w->s, &b) == STET_OK);
    return STET_OK;
}

static stet_status tell_event(stet *s, const stet_event *e, stet_error *err)
{
    const stet_state *state = NULL;
    stet_slice content = e->payload;
    if (e->reducer == STET_REDUCER_SET) {
        stet_read_opts at = {.struct_size = sizeof at,
                             .at = {.kind = STET_AT_SEQ, .seq = e->seq}};
        stet_status st = stet_load(s, e->state_machine_id, &at, &state, err);
        if (st != STET_OK) {
            return st;
        }
        content = state->state_data;
    }
    printf("has %.*s %" PRIu64 " %" PRIu64 " %016" PRIx64 " %.*s %" PRIu32 "\n",
           (int)e->state_machine_id.len, (const char *)e->state_machine_id.ptr,
           e->seq, e->position, stet__hash64(content.ptr, content.len),
           (int)e->action.len, (const char *)e->action.ptr, e->flags);
    stet_state_release(state);
    return STET_OK;
}

static stet_status run_tell(scribe *w, stet_error *err)
{
    stet_scan_opts opts = {.struct_size = sizeof opts,
                           .from_position = number_at(w, 1)};
    stet_history *walk = NULL;
    stet_status st = stet_scan_open(w->s, &opts, &walk, err);
    while (st == STET_OK) {
        const stet_event *event = NULL;
        st = stet_history_next(walk, &event, err);
        if (st == STET_OK) {
            st = tell_event(w->s, event, err);
        }
    }
    stet_history_close(walk);
    fflush(stdout);
    return st == STET_DONE ? STET_OK : st;
}

static stet_status run_steps(scribe *w, stet_error *err)
{
    bool has_more = true;
    stet_status st = STET_OK;
    while (st == STET_OK && has_more) {
        st = stet_step(w->s, &has_more, err);
    }
    return st;
}

static stet_status run_compact(scribe *w, stet_error *err)
{
    return stet_compact(w->s, err);
}

static stet_status run_sync(scribe *w, stet_error *err)
{
    return stet_sync(w->s, err);
}

static stet_status run_verify(scribe *w, stet_error *err)
{
    stet_verify_report report = {0};
    return stet_verify(w->s, NULL, NULL, &report, err);
}

static stet_status run_close(scribe *w, stet_error *err)
{
    stet *s = w->s;
    w->s = NULL;
    return stet_close(s, err);
}

typedef struct command {
    const char *name;
    stet_status (*run)(scribe *w, stet_error *err);
} command;

static const command commands[] = {
    {"open", run_open},     {"mixed", run_mixed}, {"fill", run_fill},
    {"tell", run_tell},     {"steps", run_steps}, {"sync", run_sync},
    {"verify", run_verify}, {"close", run_close}, {"compact", run_compact},
};

static void split(scribe *w, char *line)
{
    char *rest = line;
    w->word_count = 0;
    rest[strcspn(rest, "\n")] = '\0';
    while (*rest != '\0' && w->word_count < WORDS_MAX) {
        size_t len = strcspn(rest, " ");
        w->words[w->word_count++] = rest;
        rest += len;
        if (*rest == ' ') {
            *rest++ = '\0';
        }
    }
}

static void run(scribe *w)
{
    stet_error err = {0};
    const char *name = w->words[0];
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            bool is_ready = w->s != NULL || strcmp(name, "open") == 0;
            stet_status st = is_ready ? commands[i].run(w, &err)
                                      : STET_E_INVALID; /* did not open */
            (void)answer(name, st, &err);
            return;
        }
    }
    fprintf(stderr, "scribe: %s: no such command\n", name);
    _exit(2);
}

int main(void)
{
    char line[LINE_MAX_BYTES];
    scribe w = {0};
    while (fgets(line, sizeof line, stdin) != NULL) {
        split(&w, line);
        if (w.word_count > 0) {
            run(&w);
        }
    }
    if (w.s != NULL) {
        _exit(0); /* as a kill would */
    }
    return 0;
}
