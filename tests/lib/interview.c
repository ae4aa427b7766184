#include "lib/interview.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "engine/handle.h"

enum { BRIEF_STEP = 16 }; /* of the points one in so many is asked for */

typedef enum question_kind {
    ASK_KEYS = 1,
    ASK_SCAN = 2,
    ASK_CHECKPOINTS = 3,
    ASK_HISTORY = 4,
    ASK_LOAD = 5,
} question_kind;

typedef struct question {
    question_kind kind;
    uint8_t ns;
    char id[64];
    char name[64]; /* of a checkpoint */
    uint32_t flags;
    stet_at at;
    size_t answer; /* offset in `answers`, to the next one's */
} question;

struct interview {
    stet_os *os;
    stet_allocator heap;
    question *questions;
    size_t count;
    size_t cap;
    stet_buf answers;
    stet_buf heard; /* of a repeated question */
    size_t repeats;
};

/* ---- answers as bytes ---- */

static void put_field(stet_buf *b, const char *name, stet_slice bytes)
{
    stet__buf_printf(b, " %s %zu:", name, bytes.len);
    stet__buf_put_slice(b, bytes);
}

static void put_state(stet_buf *b, const stet_state *s)
{
    stet__buf_printf(
        b, "state %u %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 " %" PRId64,
        s->ns, s->seq, s->position, s->created_at, s->updated_at,
        s->recorded_at);
    put_field(b, "id", s->state_machine_id);
    put_field(b, "type", s->state_type);
    put_field(b, "name", s->current_state);
    put_field(b, "version", s->version);
    put_field(b, "metadata", s->metadata);
    put_field(b, "data", s->state_data);
    stet__buf_put_str(b, "\n");
}

static void put_event(stet_buf *b, const stet_event *e)
{
    stet__buf_printf(b,
                     "event %u %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64
                     " %" PRId64 " %d %d %d %u",
                     e->ns, e->seq, e->position, e->timestamp, e->recorded_at,
                     e->duration_ns, (int)e->kind, (int)e->type,
                     (int)e->reducer, e->flags);
    put_field(b, "id", e->state_machine_id);
    put_field(b, "from", e->from_state);
    put_field(b, "to", e->to_state);
    put_field(b, "action", e->action);
    put_field(b, "actor", e->actor_id);
    put_field(b, "correlation", e->correlation_id);
    put_field(b, "causation", e->causation_id);
    put_field(b, "error", e->error);
    put_field(b, "metadata", e->metadata);
    put_field(b, "event", e->event_id);
    put_field(b, "version", e->version);
    put_field(b, "type", e->state_type);
    put_field(b, "payload", e->payload);
    stet__buf_put_str(b, "\n");
    if (e->state != NULL) {
        put_state(b, e->state);
    }
}

/* ---- asking ---- */

static stet_status ask_keys(stet *s, const question *q, stet_buf *out,
                            stet_error *err)
{
    stet_keys_opts opts = {
        .struct_size = sizeof opts, .ns = q->ns, .with_deleted = true};
    stet_keys *keys = NULL;
    stet_status st = stet_keys_open(s, &opts, &keys, err);
    const stet_key *key = NULL;
    while (st == STET_OK && (st = stet_keys_next(keys, &key, err)) == STET_OK) {
        stet__buf_printf(out, "key %" PRIu64 " %" PRIu64 " %d", key->seq,
                         key->position, key->is_deleted);
        put_field(out, "id", key->id);
        put_field(out, "name", key->current_state);
        stet__buf_put_str(out, "\n");
    }
    stet_keys_close(keys);
    return st;
}

static stet_status ask_events(stet *s, const question *q, stet_buf *out,
                              stet_error *err)
{
    stet_history_opts of_one = {
        .struct_size = sizeof of_one, .ns = q->ns, .flags = q->flags};
    stet_scan_opts of_all = {.struct_size = sizeof of_all, .ns = q->ns};
    stet_history *walk = NULL;
    stet_status st =
        q->kind == ASK_SCAN
            ? stet_scan_open(s, &of_all, &walk, err)
            : stet_history_open(s, stet_str(q->id), &of_one, &walk, err);
    const stet_event *event = NULL;
    while (st == STET_OK &&
           (st = stet_history_next(walk, &event, err)) == STET_OK) {
        put_event(out, event);
    }
    stet_history_close(walk);
    return st;
}

static stet_status ask_checkpoints(stet *s, const question *q, stet_buf *out,
                                   stet_error *err)
{
    stet_checkpoints *list = NULL;
    stet_status st =
        stet_checkpoints_open(s, stet_str(q->id), q->ns, &list, err);
    const stet_checkpoint *c = NULL;
    while (st == STET_OK &&
           (st = stet_checkpoints_next(list, &c, err)) == STET_OK) {
        stet__buf_printf(
            out, "checkpoint %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64,
            c->turn_number, c->history_size, c->position, c->created_at);
        put_field(out, "name", c->name);
        put_field(out, "metadata", c->metadata);
        stet__buf_put_str(out, "\n");
    }
    stet_checkpoints_close(list);
    return st;
}

static stet_status ask_load(stet *s, const question *q, stet_buf *out,
                            stet_error *err)
{
    stet_read_opts opts = {
        .struct_size = sizeof opts, .ns = q->ns, .at = q->at};
    opts.at.name = stet_str(q->name);
    const stet_state *state = NULL;
    stet_status st = stet_load(s, stet_str(q->id), &opts, &state, err);
    if (st == STET_OK) {
        put_state(out, state);
        stet_state_release(state);
    }
    return st;
}

/* The answer, and behind it how it ended. */
static stet_status ask(stet *s, const question *q, stet_buf *out,
                       stet_error *err)
{
    stet_status st = STET_OK;
    switch (q->kind) {
    case ASK_KEYS:
        st = ask_keys(s, q, out, err);
        break;
    case ASK_SCAN:
    case ASK_HISTORY:
        st = ask_events(s, q, out, err);
        break;
    case ASK_CHECKPOINTS:
        st = ask_checkpoints(s, q, out, err);
        break;
    case ASK_LOAD:
        st = ask_load(s, q, out, err);
        break;
    }
    if (stet_status_kind(st) != STET_KIND_DATA) {
        stet__buf_put_str(out, stet_status_name(st));
    }
    return st;
}

/* ---- choosing the questions ---- */

static void die(const char *what, const stet_error *err)
{
    fprintf(stderr, "interview: %s: %s\n", what, err->text);
    abort();
}

static void add(interview *v, question q)
{
    if (v->count == v->cap) {
        v->cap = v->cap == 0 ? 64 : 2 * v->cap;
        v->questions = realloc(v->questions, v->cap * sizeof *v->questions);
        if (v->questions == NULL) {
            abort();
        }
    }
    v->questions[v->count++] = q;
}

static question question_of(question_kind kind, uint8_t ns, stet_slice id)
{
    question q = {.kind = kind, .ns = ns};
    (void)snprintf(q.id, sizeof q.id, "%.*s", (int)id.len,
                   (const char *)id.ptr); /* ids of tests are short */
    return q;
}

static void add_load(interview *v, question q, stet_at at)
{
    q.kind = ASK_LOAD;
    q.at = at;
    add(v, q);
}

/* The points of one machine by seq, and some by time; histories with states
 * show the rest. */
static void add_points(interview *v, stet *s, question q)
{
    stet_error err = {0};
    stet_history_opts opts = {.struct_size = sizeof opts, .ns = q.ns};
    stet_history *walk = NULL;
    const stet_event *e = NULL;
    uint64_t next = 1;
    stet_status st = stet_history_open(s, stet_str(q.id), &opts, &walk, &err);
    while (st == STET_OK &&
           (st = stet_history_next(walk, &e, &err)) == STET_OK) {
        next = e->seq + 1;
        add_load(v, q, (stet_at){.kind = STET_AT_SEQ, .seq = e->seq});
        if (e->seq % 6 == 1) {
            add_load(v, q,
                     (stet_at){.kind = STET_AT_TIME, .time = e->timestamp});
        }
        if (e->seq % 6 == 4) {
            add_load(
                v, q,
                (stet_at){.kind = STET_AT_RECORDED, .time = e->recorded_at});
        }
    }
    if (st != STET_DONE) {
        die(q.id, &err);
    }
    stet_history_close(walk);
    add_load(v, q, (stet_at){.kind = STET_AT_SEQ, .seq = next});
    add_load(v, q, (stet_at){.kind = STET_AT_TIME, .time = 1});
}

/* The names of `q`, and what `loaded` was there. */
static void add_checkpoints(interview *v, stet *s, question q,
                            const char *loaded)
{
    stet_error err = {0};
    stet_checkpoints *list = NULL;
    const stet_checkpoint *c = NULL;
    q.kind = ASK_CHECKPOINTS;
    add(v, q);
    stet_status st =
        stet_checkpoints_open(s, stet_str(q.id), q.ns, &list, &err);
    while (st == STET_OK &&
           (st = stet_checkpoints_next(list, &c, &err)) == STET_OK) {
        question load = question_of(ASK_LOAD, q.ns, stet_str(loaded));
        (void)snprintf(load.name, sizeof load.name, "%.*s", (int)c->name.len,
                       (const char *)c->name.ptr);
        add_load(v, load, (stet_at){.kind = STET_AT_CHECKPOINT});
    }
    if (st != STET_DONE) {
        die(q.id, &err);
    }
    stet_checkpoints_close(list);
}

static void add_machine(interview *v, stet *s, uint8_t ns, stet_slice id)
{
    question q = question_of(ASK_HISTORY, ns, id);
    q.flags = STET_HISTORY_STATES;
    add(v, q);
    q.flags = STET_HISTORY_NEWEST_FIRST;
    add(v, q);
    add_load(v, q, (stet_at){.kind = STET_AT_NEWEST});
    add_points(v, s, q);
    add_checkpoints(v, s, q, q.id);
}

/* What was never written, which filters and directories must not hide. */
static void add_strangers(interview *v, uint8_t ns)
{
    static const char *const strangers[] = {"a", "game:0", "game:11", "zz"};
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        question q = question_of(ASK_LOAD, ns, stet_str(strangers[i]));
        add(v, q);
        q.kind = ASK_HISTORY;
        add(v, q);
    }
}

static void add_namespace(interview *v, stet *s, uint8_t ns)
{
    stet_error err = {0};
    stet_keys_opts opts = {
        .struct_size = sizeof opts, .ns = ns, .with_deleted = true};
    stet_keys *keys = NULL;
    const stet_key *key = NULL;
    add(v, question_of(ASK_KEYS, ns, stet_str("")));
    add(v, question_of(ASK_SCAN, ns, stet_str("")));
    stet_status st = stet_keys_open(s, &opts, &keys, &err);
    while (st == STET_OK &&
           (st = stet_keys_next(keys, &key, &err)) == STET_OK) {
        add_machine(v, s, ns, key->id);
    }
    if (st != STET_DONE) {
        die("keys", &err);
    }
    stet_keys_close(keys);
    add_strangers(v, ns);
}

/* ---- the interview ---- */

static stet_status open_store(const interview *v, const char *store, stet **out,
                              stet_error *err)
{
    stet_opts opts = {.struct_size = sizeof opts,
                      .mode = STET_OPEN_READONLY,
                      .flags = STET_NO_THREADS};
    return stet__open_on(v->os, store, &opts, out, err);
}

interview *interview_create(stet_os *os, const char *store)
{
    stet_error err = {0};
    stet *s = NULL;
    interview *v = calloc(1, sizeof *v);
    if (v == NULL) {
        abort();
    }
    v->os = os;
    if (open_store(v, store, &s, &err) != STET_OK) {
        die(store, &err);
    }
    v->heap = stet__heap;
    stet__buf_init(&v->answers, &v->heap);
    stet__buf_init(&v->heard, &v->heap);
    for (uint8_t ns = 0; ns < INTERVIEW_NAMESPACES; ns++) {
        add_namespace(v, s, ns);
    }
    add_checkpoints(v, s, question_of(ASK_CHECKPOINTS, 0, stet_str("")),
                    "late");
    for (size_t i = 0; i < v->count; i++) {
        question *q = &v->questions[i];
        q->answer = v->answers.len;
        stet_status st = ask(s, q, &v->answers, &err);
        if (st != STET_OK && stet_status_kind(st) != STET_KIND_NO) {
            die(q->id, &err);
        }
    }
    (void)stet_close(s, &err); /* was only read */
    return v;
}

void interview_destroy(interview *v)
{
    stet__buf_deinit(&v->answers);
    stet__buf_deinit(&v->heard);
    free(v->questions);
    free(v);
}

static bool is_telling(const stet_error *err)
{
    return strstr(err->text, " at offset ") != NULL &&
           (strstr(err->text, ".seg") != NULL ||
            strstr(err->text, ".set") != NULL ||
            strstr(err->text, "super") != NULL);
}

/* Show both from shortly before where they part. */
static void complain(interview *v, const question *q, size_t len,
                     const stet_error *err, interview_verdict *out)
{
    static const char *const kinds[] = {
        [ASK_KEYS] = "keys",
        [ASK_SCAN] = "scan",
        [ASK_CHECKPOINTS] = "checkpoints",
        [ASK_HISTORY] = "history",
        [ASK_LOAD] = "load",
    };
    const char *due = (const char *)v->answers.ptr + q->answer;
    const char *got = (const char *)v->heard.ptr;
    size_t same = 0;
    while (same < len && same < v->heard.len && due[same] == got[same]) {
        same++;
    }
    size_t from = same < 100 ? 0 : same - 100;
    size_t due_bytes = len - from < 400 ? len - from : 400;
    size_t got_bytes = v->heard.len - from < 400 ? v->heard.len - from : 400;
    (void)snprintf(out->wrong, sizeof out->wrong,
                   "%s of %u/%s at %d %" PRIu64 " %" PRId64
                   ": %s %.300s; due: %.*s; got: %.*s",
                   kinds[q->kind], q->ns, q->id, (int)q->at.kind, q->at.seq,
                   q->at.time, stet_status_name(err->status), err->text,
                   (int)due_bytes, due + from, (int)got_bytes,
                   got + from); /* cut */
}

/* Hold one answer to the one before. */
static void judge(interview *v, const question *q, stet_status st,
                  const stet_error *err, interview_verdict *out)
{
    size_t end = q + 1 < v->questions + v->count ? q[1].answer : v->answers.len;
    size_t len = end - q->answer;
    const stet_buf *heard = &v->heard;
    bool is_damage = stet_status_kind(st) == STET_KIND_DATA;
    bool is_prefix =
        heard->len <= len &&
        (heard->len == 0 ||
         memcmp(heard->ptr, v->answers.ptr + q->answer, heard->len) == 0);
    bool is_same = is_prefix && (is_damage || heard->len == len);
    if (!is_same || (is_damage && !is_telling(err))) {
        complain(v, q, len, err, out);
    }
    out->told += is_damage;
    out->exact += !is_damage;
}

static bool is_asked(const interview *v, size_t idx, interview_scope scope)
{
    const question *q = &v->questions[idx];
    bool is_point = (q->kind == ASK_LOAD && q->at.kind != STET_AT_NEWEST) ||
                    (q->flags & STET_HISTORY_NEWEST_FIRST) != 0;
    return scope == INTERVIEW_WHOLE || !is_point ||
           (idx + v->repeats) % BRIEF_STEP == 0;
}

void interview_repeat(interview *v, const char *store, interview_scope scope,
                      interview_verdict *out)
{
    stet_error err = {0};
    stet *s = NULL;
    *out = (interview_verdict){0};
    stet_status st = open_store(v, store, &s, &err);
    if (st != STET_OK) {
        out->told = 1;
        if (stet_status_kind(st) != STET_KIND_DATA || !is_telling(&err)) {
            (void)snprintf(out->wrong, sizeof out->wrong, "open: %s: %s",
                           stet_status_name(st), err.text);
        }
        return;
    }
    v->repeats++;
    for (size_t i = 0; i < v->count && out->wrong[0] == '\0'; i++) {
        if (!is_asked(v, i, scope)) {
            continue;
        }
        stet__buf_reset(&v->heard);
        err = (stet_error){0};
        st = ask(s, &v->questions[i], &v->heard, &err);
        judge(v, &v->questions[i], st, &err, out);
    }
    stet_verify_report report;
    st = stet_verify(s, NULL, NULL, &report, &err);
    out->is_sound = st == STET_OK && report.index_damaged == 0;
    if (out->wrong[0] == '\0' && st != STET_OK &&
        (stet_status_kind(st) != STET_KIND_DATA || !is_telling(&err))) {
        (void)snprintf(out->wrong, sizeof out->wrong, "verify: %s: %s",
                       stet_status_name(st), err.text);
    }
    (void)stet_close(s, &err); /* was only read */
}
