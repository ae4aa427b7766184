#include "lib/workload.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "lib/json_random.h"
#include "lib/store_under_test.h"

static size_t below(workload *w, size_t end)
{
    return rng_below(&w->random, end);
}

static bool one_in(workload *w, size_t count)
{
    return below(w, count) == 0;
}

static stet_slice keep(workload *w, stet_buf *b)
{
    stet_slice kept = stet__arena_copy(&w->m->arena, stet__buf_slice(b));
    stet__buf_deinit(b);
    return kept;
}

stet_slice workload_text(workload *w, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return stet__arena_copy(&w->m->arena, stet_slice_of(text, (size_t)len));
}

/* ---- ids ---- */

static uint8_t some_ns(workload *w)
{
    static const uint8_t namespaces[] = {0, 0, 0, 0, 0, 0, 7, 7, 254, 0};
    return namespaces[below(w, sizeof namespaces)];
}

static stet_slice some_id(workload *w)
{
    if (one_in(w, 30)) {
        return stet_str("spiel/\xc3\xa4 \xe2\x82\xac");
    }
    if (one_in(w, 40)) {
        return workload_text(w, "m%0254d", 1); /* as long as an id may be */
    }
    return workload_text(w, "m%zu", below(w, 8));
}

/* A machine that was written, if there is one, forks included. */
static void choose_machine(workload *w, stet_change *c)
{
    const model *m = w->m;
    if (m->machine_count > 0 && one_in(w, 3)) {
        const model_machine *mm = &m->machines[below(w, m->machine_count)];
        c->id = mm->id;
        c->ns = mm->ns;
        return;
    }
    c->id = some_id(w);
    c->ns = some_ns(w);
}

static const model_event *newest_of(const workload *w, const stet_change *c)
{
    const model_machine *mm = model_find(w->m, c->ns, c->id);
    return mm == NULL ? NULL : mm->events[mm->count - 1];
}

/* ---- payloads ---- */

/* An object, mostly with a name for the state. */
static stet_slice some_object(workload *w)
{
    static const char *const names[] = {
        "\"current_state\":\"s0\"",
        "\"current_state\":\"s1\"",
        "\"phase\":\"p0\"",
        "\"phase\":\"p1\",\"current_state\":\"s2\"",
        "\"current_state\":7,\"phase\":\"p2\"",
        "\"current_state\":null",
        "\"current_state\":\"\"",
    };
    stet_buf object;
    stet_buf text;
    stet__buf_init(&object, &stet__heap);
    stet__buf_init(&text, &stet__heap);
    json_random_object(&w->random, 2, &object);
    if (one_in(w, 2)) {
        stet__buf_put_slice(&text, stet__buf_slice(&object));
    } else {
        const uint8_t *rest = object.ptr + 1;
        bool is_empty = memchr(object.ptr, ':', object.len) == NULL;
        stet__buf_printf(&text, "{%s%s", names[below(w, 7)],
                         is_empty ? "" : ",");
        stet__buf_put(&text, rest, object.len - 1);
    }
    stet__buf_deinit(&object);
    return keep(w, &text);
}

/* The machine's state with a few bytes changed. */
static stet_slice some_edit(workload *w, const model_event *newest)
{
    stet_buf text;
    stet__buf_init(&text, &stet__heap);
    stet__buf_put_slice(&text, newest->data);
    for (size_t i = 0; i < 3 && text.len > 0; i++) {
        text.ptr[below(w, text.len)] = (uint8_t)('0' + below(w, 10));
    }
    return keep(w, &text);
}

static stet_slice some_bytes(workload *w, size_t len)
{
    stet_buf text;
    stet__buf_init(&text, &stet__heap);
    rng_fill(&w->random, stet__buf_extend(&text, len), len);
    return keep(w, &text);
}

/* An object of some kilobytes that packs well. */
static stet_slice some_large(workload *w)
{
    stet_buf text;
    stet__buf_init(&text, &stet__heap);
    stet__buf_put_str(&text, "{\"current_state\":\"large\",\"log\":[0");
    size_t count = 40 + below(w, 1 + below(w, 660)); /* 1 to 20 KB */
    for (size_t i = 0; i < count; i++) {
        /* Digits in their places: printf took longer than all else here. */
        char turn[] = ",{\"turn\":1000,\"by\":\"player0\"}";
        turn[sizeof ",{\"turn\":1" - 1] += (char)(i / 100);
        turn[sizeof ",{\"turn\":10" - 1] += (char)(i / 10 % 10);
        turn[sizeof ",{\"turn\":100" - 1] += (char)(i % 10);
        turn[sizeof turn - sizeof "0\"}"] += (char)below(w, 4);
        stet__buf_put_str(&text, turn);
    }
    stet__buf_put_str(&text, "]}");
    return keep(w, &text);
}

static stet_slice some_state(workload *w, const stet_change *c)
{
    const model_event *newest = newest_of(w, c);
    if (newest != NULL && newest->data.len > 0 && one_in(w, 3)) {
        return some_edit(w, newest);
    }
    switch (below(w, 16)) {
    case 0:
        return some_bytes(w, 1 + below(w, 400));
    case 1:
        return some_large(w);
    case 2:
        return stet_str("");
    case 3:
        return stet_str("[1,2]");
    default:
        return some_object(w);
    }
}

static stet_slice some_patch(workload *w)
{
    stet_buf text;
    stet__buf_init(&text, &stet__heap);
    size_t count = 1 + below(w, 3);
    for (size_t i = 0; i < count; i++) {
        stet__buf_put_str(&text, i == 0 ? "[" : ",");
        size_t name = below(w, 8);
        switch (below(w, 8)) {
        case 0:
            stet__buf_printf(&text, "{\"op\":\"remove\",\"path\":\"/n%zu\"}",
                             name);
            break;
        case 1:
            stet__buf_printf(
                &text, "{\"op\":\"copy\",\"from\":\"/n%zu\",\"path\":\"/n9\"}",
                name);
            break;
        case 2:
            stet__buf_printf(&text,
                             "{\"op\":\"add\",\"path\":\"/phase\",\"value\":"
                             "\"patched%zu\"}",
                             name);
            break;
        default:
            stet__buf_printf(
                &text, "{\"op\":\"add\",\"path\":\"/n%zu\",\"value\":", name);
            json_random_value(&w->random, 2, &text);
            stet__buf_put_str(&text, "}");
            break;
        }
    }
    stet__buf_put_str(&text, "]");
    return keep(w, &text);
}

static void choose_custom(workload *w, stet_change *c)
{
    const stet_reducer_def *def = &model_reducers[below(w, MODEL_REDUCERS)];
    c->reducer = STET_REDUCER_CUSTOM;
    c->reducer_name = stet_str(def->name);
    c->reducer_version = def->version;
    if (one_in(w, 15)) {
        c->reducer_version = 77; /* which is not registered */
    }
    c->payload = some_bytes(w, 1 + below(w, 30));
}

/* A payload for a verb that takes any reducer; `fallback` is the verb's own. */
static void choose_payload(workload *w, stet_change *c, stet_reducer fallback)
{
    static const stet_reducer all[] = {
        STET_REDUCER_DEFAULT, STET_REDUCER_DEFAULT, STET_REDUCER_DEFAULT,
        STET_REDUCER_DEFAULT, STET_REDUCER_NONE,    STET_REDUCER_SET,
        STET_REDUCER_MERGE,   STET_REDUCER_ASSIGN,  STET_REDUCER_PATCH,
        STET_REDUCER_CUSTOM,
    };
    c->reducer = all[below(w, sizeof all / sizeof all[0])];
    stet_reducer used =
        c->reducer == STET_REDUCER_DEFAULT ? fallback : c->reducer;
    switch (used) {
    case STET_REDUCER_DEFAULT:
    case STET_REDUCER_NONE:
        c->payload = some_bytes(w, below(w, 60));
        break;
    case STET_REDUCER_SET:
        c->payload = some_state(w, c);
        break;
    case STET_REDUCER_MERGE:
    case STET_REDUCER_ASSIGN:
        c->payload =
            one_in(w, 20) ? stet_str("[\"no object\"]") : some_object(w);
        break;
    case STET_REDUCER_PATCH:
        c->payload = some_patch(w);
        break;
    case STET_REDUCER_CUSTOM:
        choose_custom(w, c);
        break;
    }
}

/* ---- changes ---- */

static stet_expect some_expect(workload *w, uint8_t ns, stet_slice id)
{
    const model_machine *mm = model_find(w->m, ns, id);
    uint64_t seq = mm == NULL ? 0 : mm->count;
    if (!one_in(w, 4)) {
        return (stet_expect){0};
    }
    switch (below(w, 5)) {
    case 0:
        return (stet_expect){.kind = STET_EXPECT_NONE};
    case 1:
        return (stet_expect){.kind = STET_EXPECT_EXISTS};
    case 2:
        return (stet_expect){STET_EXPECT_EXACT, below(w, seq + 3)};
    default:
        return (stet_expect){STET_EXPECT_EXACT, seq};
    }
}

void workload_decorate(workload *w, stet_change *c)
{
    const struct {
        stet_slice *field;
        const char *text;
    } texts[] = {
        {&c->action, "move"},
        {&c->actor_id, "player:1"},
        {&c->correlation_id, "game"},
        {&c->causation_id, "event 7"},
        {&c->error, "it broke"},
        {&c->metadata, "{\"of\": \"the event\"}"},
        {&c->event_id, "0198-77"},
        {&c->state_type, "cards"},
        {&c->version, "1.2.0"},
        {&c->machine_metadata, "{\"of\":[\"the machine\"]}"},
        {&c->from_state, "nowhere"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (one_in(w, 8)) {
            *texts[i].field = stet_str(texts[i].text);
        }
    }
    if (one_in(w, 3)) {
        c->timestamp = STORE_CLOCK + (int64_t)below(w, 40) * 1000000;
    } else if (one_in(w, 60)) {
        c->flags |= STET_CHANGE_EPOCH;
    }
    if (one_in(w, 8)) {
        c->type = (stet_transition_type)below(w, 6);
        c->duration_ns = (int64_t)below(w, 1000000);
        c->flags |= STET_CHANGE_PHASE;
    }
}

static void choose_fork(workload *w, stet_change *c)
{
    const model *m = w->m;
    const model_machine *parent = &m->machines[below(w, m->machine_count)];
    c->verb = STET_VERB_FORK;
    c->ns = parent->ns;
    c->parent = parent->id;
    c->parent_seq =
        one_in(w, 12) ? parent->count + 1 : 1 + below(w, parent->count);
    if (!one_in(w, 12)) {
        c->id = workload_text(w, "f%llu", (unsigned long long)++w->forks);
    }
}

static void choose_verb(workload *w, stet_change *c)
{
    size_t dice = below(w, 100);
    if (dice < 35) {
        c->verb = STET_VERB_TRANSITION;
        choose_payload(w, c, STET_REDUCER_MERGE);
        if (one_in(w, 2)) {
            c->to_state = workload_text(w, "t%zu", below(w, 5));
        }
    } else if (dice < 55) {
        c->verb = one_in(w, 5) ? STET_VERB_CREATE : STET_VERB_SAVE;
        c->payload = some_state(w, c);
    } else if (dice < 68) {
        c->verb = STET_VERB_UPDATE;
        choose_payload(w, c, STET_REDUCER_MERGE);
    } else if (dice < 76) {
        c->verb = STET_VERB_PATCH;
        c->payload = some_patch(w);
    } else if (dice < 86) {
        c->verb = STET_VERB_APPEND;
        choose_payload(w, c, STET_REDUCER_NONE);
    } else if (dice < 89) {
        c->verb = STET_VERB_FAIL;
    } else if (dice < 94) {
        c->verb = STET_VERB_DELETE;
    } else if (dice < 96) {
        c->verb = STET_VERB_RESTORE;
        c->payload = some_state(w, c);
    } else if (w->has_forks && w->m->machine_count > 0) {
        choose_fork(w, c);
    } else {
        c->verb = STET_VERB_SAVE;
        c->payload = some_state(w, c);
    }
}

stet_change workload_change(workload *w)
{
    stet_change c = {0};
    choose_machine(w, &c);
    choose_verb(w, &c);
    workload_decorate(w, &c);
    c.expect = some_expect(w, c.ns, c.id);
    return c;
}

/* ---- batches ---- */

static const stet_condition *some_conditions(workload *w, size_t count)
{
    stet_condition *all =
        stet__arena_alloc(&w->m->arena, (count + 1) * sizeof *all);
    for (size_t i = 0; i < count; i++) {
        stet_change c = {0};
        choose_machine(w, &c);
        all[i] = (stet_condition){c.id, some_expect(w, c.ns, c.id), c.ns};
    }
    return all;
}

const stet_batch *workload_batch(workload *w)
{
    stet_batch *b = stet__arena_alloc(&w->m->arena, sizeof *b);
    size_t count = one_in(w, 4) ? 1 + below(w, MODEL_BATCH_MAX) : 1;
    stet_change *changes =
        stet__arena_alloc(&w->m->arena, count * sizeof *changes);
    for (size_t i = 0; i < count; i++) {
        changes[i] = workload_change(w);
        if (i > 0 && one_in(w, 3) && changes[i].verb != STET_VERB_FORK) {
            changes[i].id = changes[i - 1].id;
            changes[i].ns = changes[i - 1].ns;
        }
    }
    size_t condition_count = one_in(w, 8) ? 1 + below(w, 3) : 0;
    *b = (stet_batch){
        .changes = changes,
        .change_count = count,
        .conditions = some_conditions(w, condition_count),
        .condition_count = condition_count,
    };
    if (one_in(w, 6)) {
        b->key = workload_text(w, "key %llu", (unsigned long long)w->m->step);
    }
    return b;
}

const stet_batch *workload_repeat(workload *w)
{
    if (w->m->key_count == 0) {
        return NULL;
    }
    const stet_batch *first = w->m->keys[below(w, w->m->key_count)].batch;
    if (!one_in(w, 4)) {
        return first;
    }
    stet_batch *b = stet__arena_alloc(&w->m->arena, sizeof *b);
    stet_change *changes =
        stet__arena_alloc(&w->m->arena, first->change_count * sizeof *changes);
    memcpy(changes, first->changes, first->change_count * sizeof *changes);
    stet_change *odd = &changes[below(w, first->change_count)];
    odd->action = stet_str("another");
    *b = *first;
    b->changes = changes;
    if (b->change_count > 1 && one_in(w, 2)) {
        b->change_count--;
    }
    return b;
}
