/*
 * Every allocation of every call fails once: the call says so and did nothing,
 * the same call done again does it, and nothing leaks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "engine/backup.h"
#include "engine/handle.h"
#include "lib/failalloc.h"
#include "lib/memdisk.h"
#include "lib/model_event.h"
#include "lib/rounds.h"
#include "lib/store_under_test.h"

/* One life of a store, whose nth allocation fails. */
typedef struct life {
    const char *url;
    memdisk *disk;
    failalloc f;
    stet_opts opts;
    stet *s;
    stet_buf *dump; /* what is read, where all of it is read */
} life;

/* One call, or a few that belong together; nothing is left open. */
typedef stet_status (*step_fn)(life *l, stet_error *err);

/* ---- writes ---- */

static stet_status commit_one(life *l, stet_change c, stet_error *err)
{
    stet_batch b = {.changes = &c, .change_count = 1};
    c.id = c.id.len > 0 ? c.id : stet_str("m");
    return stet_commit(l->s, &b, NULL, err);
}

static stet_status open_it(life *l, stet_error *err)
{
    return stet__open_on(memdisk_os(l->disk), l->url, &l->opts, &l->s, err);
}

static stet_status save_large(life *l, stet_error *err)
{
    static const char begin[] = "{\"current_state\":\"large\",\"x\":\"";
    char text[3000];
    memset(text, 'x', sizeof text);
    memcpy(text, begin, sizeof begin - 1);
    memcpy(text + sizeof text - 2, "\"}", 2);
    return stet_save(l->s, stet_str("m"), stet_slice_of(text, sizeof text),
                     NULL, NULL, err);
}

static stet_status save_small(life *l, stet_error *err)
{
    return stet_save(l->s, stet_str("m"), stet_str("{\"phase\":\"p\"}"), NULL,
                     NULL, err);
}

static stet_status transition(life *l, stet_error *err)
{
    return commit_one(l,
                      (stet_change){.verb = STET_VERB_TRANSITION,
                                    .payload = stet_str("{\"a\":{\"b\":1}}"),
                                    .to_state = stet_str("next"),
                                    .machine_metadata = stet_str("[]"),
                                    .state_type = stet_str("type")},
                      err);
}

static stet_status assign(life *l, stet_error *err)
{
    return commit_one(l,
                      (stet_change){.verb = STET_VERB_UPDATE,
                                    .reducer = STET_REDUCER_ASSIGN,
                                    .payload = stet_str("{\"a\":null}")},
                      err);
}

static stet_status patch(life *l, stet_error *err)
{
    return stet_patch(
        l->s, stet_str("m"),
        stet_str("[{\"op\":\"add\",\"path\":\"/c\",\"value\":[1,2]}]"), NULL,
        NULL, err);
}

static stet_status custom(life *l, stet_error *err)
{
    return commit_one(l,
                      (stet_change){.verb = STET_VERB_APPEND,
                                    .reducer = STET_REDUCER_CUSTOM,
                                    .reducer_name = stet_str("count"),
                                    .reducer_version = 2,
                                    .payload = stet_str("even")},
                      err);
}

static stet_status append(life *l, stet_error *err)
{
    return commit_one(l,
                      (stet_change){.verb = STET_VERB_APPEND,
                                    .payload = stet_str("raw"),
                                    .metadata = stet_str("{\"a\":[{}]}")},
                      err);
}

static stet_status batch(life *l, stet_error *err)
{
    stet_change c[4] = {
        {.verb = STET_VERB_CREATE,
         .id = stet_str("a"),
         .payload = stet_str("{\"n\":1}")},
        {.verb = STET_VERB_UPDATE,
         .id = stet_str("a"),
         .payload = stet_str("{\"n\":2,\"phase\":\"two\"}")},
        {.verb = STET_VERB_PATCH,
         .id = stet_str("a"),
         .payload = stet_str("[{\"op\":\"remove\",\"path\":\"/n\"}]")},
        {.verb = STET_VERB_SAVE, .id = stet_str("b"), .payload = stet_str("b")},
    };
    stet_condition conditions[2] = {
        {.id = stet_str("m"), .expect = {STET_EXPECT_EXISTS, 0}},
        {.id = stet_str("none"), .expect = {STET_EXPECT_NONE, 0}},
    };
    stet_batch b = {.changes = c,
                    .change_count = 4,
                    .conditions = conditions,
                    .condition_count = 2,
                    .key = stet_str("batch")};
    return stet_commit(l->s, &b, NULL, err);
}

static stet_status fork_it(life *l, stet_error *err)
{
    stet_fork_opts o = {.at = at_seq(3)};
    return stet_fork(l->s, stet_str("m"), stet_str("f"), &o, NULL, err);
}

static stet_status set_checkpoint(life *l, stet_error *err)
{
    stet_checkpoint_opts o = {.name = stet_str("name"),
                              .metadata = stet_str("{\"x\":[1]}"),
                              .is_replace = true};
    return stet_checkpoint_set(l->s, stet_str("m"), &o, NULL, err);
}

static stet_status restore(life *l, stet_error *err)
{
    return stet_checkpoint_restore(l->s, stet_str("m"), stet_str("name"), NULL,
                                   NULL, err);
}

static stet_status delete_checkpoint(life *l, stet_error *err)
{
    return stet_checkpoint_delete(l->s, stet_str("m"), 0, stet_str("name"),
                                  err);
}

/* A name that one change of a batch found serves the next one. */
static stet_status load_named(life *l, stet_error *err)
{
    const stet_state *state = NULL;
    stet_status st = stet_load(l->s, stet_str("a"), NULL, &state, err);
    if (st == STET_OK) {
        assert_says(state->current_state, "two");
    }
    stet_state_release(state);
    return st;
}

static stet_status delete_b(life *l, stet_error *err)
{
    return stet_delete(l->s, stet_str("b"), NULL, NULL, err);
}

static void listen(void *ctx, stet_ticket ticket, stet_status st)
{
    (void)ctx;
    (void)ticket;
    (void)st;
}

static stet_status listen_once(life *l, stet_error *err)
{
    stet_status st =
        stet_on_durable(l->s, (stet_ticket){1, 1, 0}, listen, NULL, err);
    (void)stet_poll(l->s);
    return st;
}

static stet_status save_many(life *l, stet_error *err)
{
    /* Each by itself: a repeat by key does not do the first one twice. */
    for (int i = 0; i < 3; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "many%d", i);
        stet_write_opts o = {.key = stet_str(key)};
        stet_status st =
            stet_save(l->s, stet_str("many"), stet_str(key), &o, NULL, err);
        if (st != STET_OK) {
            return st;
        }
    }
    return STET_OK;
}

/* ---- reads ---- */

static void put_state(life *l, const stet_state *state)
{
    if (l->dump != NULL && state != NULL) {
        stet__buf_printf(
            l->dump, "%llu %llu %lld ", (unsigned long long)state->seq,
            (unsigned long long)state->position, (long long)state->created_at);
        stet__buf_put_slice(l->dump, state->state_machine_id);
        stet__buf_put_slice(l->dump, state->current_state);
        stet__buf_put_slice(l->dump, state->metadata);
        stet__buf_put_slice(l->dump, state->state_data);
        stet__buf_put_str(l->dump, "\n");
    }
}

static stet_status load_at(life *l, stet_at at, stet_error *err)
{
    stet_read_opts o = {.at = at};
    const stet_state *state = NULL;
    stet_status st = stet_load(l->s, stet_str("m"), &o, &state, err);
    put_state(l, state);
    stet_state_release(state);
    return st;
}

static stet_status load_points(life *l, stet_error *err)
{
    const stet_at points[] = {{0},
                              at_seq(2),
                              at_position(3),
                              at_recorded(INT64_MAX),
                              at_time(INT64_MAX)};
    stet_status st = STET_OK;
    for (size_t i = 0; st == STET_OK && i < 5; i++) {
        st = load_at(l, points[i], err);
    }
    uint64_t seq = 0;
    return st == STET_OK ? stet_exists(l->s, stet_str("a"), NULL, &seq, err)
                         : st;
}

static stet_status load_many(life *l, stet_error *err)
{
    const stet_slice ids[] = {stet_str("a"), stet_str("none"), stet_str("f")};
    const stet_state *states[3] = {0};
    stet_status st = stet_load_many(l->s, ids, 3, NULL, states, err);
    for (size_t i = 0; i < 3; i++) {
        put_state(l, states[i]);
        stet_state_release(states[i]);
    }
    return st;
}

static stet_status walk(life *l, stet_history *h, stet_error *err)
{
    const stet_event *e = NULL;
    stet_status st = STET_OK;
    while (st == STET_OK) {
        st = stet_history_next(h, &e, err);
        if (st == STET_OK && l->dump != NULL) {
            stet__buf_printf(l->dump, "%d %llu %lld ", (int)e->kind,
                             (unsigned long long)e->position,
                             (long long)e->recorded_at);
            stet__buf_put_slice(l->dump, e->state_machine_id);
            stet__buf_put_slice(l->dump, e->payload);
            put_state(l, e->state);
            stet__buf_put_str(l->dump, "\n");
        }
    }
    stet_history_close(h);
    return st == STET_DONE ? STET_OK : st;
}

static stet_status history(life *l, stet_error *err)
{
    stet_history_opts o = {.flags = STET_HISTORY_STATES};
    stet_history *h = NULL;
    stet_status st = stet_history_open(l->s, stet_str("f"), &o, &h, err);
    return st == STET_OK ? walk(l, h, err) : st;
}

static stet_status scan(life *l, stet_error *err)
{
    stet_scan_opts o = {.pattern = stet_str("*")};
    stet_history *h = NULL;
    stet_status st = stet_scan_open(l->s, &o, &h, err);
    return st == STET_OK ? walk(l, h, err) : st;
}

static stet_status feed(life *l, stet_error *err)
{
    stet_feed_opts o = {.pattern = stet_str("*")};
    stet_feed *f = NULL;
    const stet_event *e = NULL;
    stet_status st = stet_feed_open(l->s, &o, &f, err);
    while (st == STET_OK) {
        st = stet_feed_next(f, 0, &e, err);
    }
    stet_feed_close(f);
    return st == STET_E_TIMEOUT ? STET_OK : st;
}

static stet_status make_consumer(life *l, stet_error *err)
{
    stet_consumer_opts o = {.pattern = stet_str("m")};
    stet_consumer *c = NULL;
    stet_status st =
        stet_consumer_open(l->s, stet_str("consumer"), &o, &c, err);
    (void)stet_consumer_close(c, NULL); /* nothing waits to be written */
    return st;
}

/* Take an event, and acknowledge it, or have it parked. */
static stet_status take_one(life *l, bool is_bad, stet_error *err)
{
    stet_consumer_opts o = {.flags = STET_CONSUMER_EXISTING, .attempts_max = 1};
    stet_consumer *c = NULL;
    stet_delivery d = {0};
    stet_status st =
        stet_consumer_open(l->s, stet_str("consumer"), &o, &c, err);
    if (st == STET_OK) {
        st = stet_consumer_fetch(c, 0, &d, err);
    }
    if (st == STET_OK) {
        st = is_bad ? stet_consumer_nack(c, stet_str("bad"), NULL, err)
                    : stet_consumer_ack(c, d.event->position, NULL, err);
    }
    (void)stet_consumer_close(c, NULL); /* likewise */
    return st;
}

static stet_status park_one(life *l, stet_error *err)
{
    return take_one(l, true, err);
}

static stet_status ack_one(life *l, stet_error *err)
{
    return take_one(l, false, err);
}

static stet_status consumers(life *l, stet_error *err)
{
    stet_consumers *list = NULL;
    const stet_consumer_info *info = NULL;
    uint64_t lag = 0;
    stet_status st = stet_consumers_open(l->s, stet_str(""), &list, err);
    while (st == STET_OK) {
        st = stet_consumers_next(list, &info, err);
    }
    stet_consumers_close(list);
    return st == STET_DONE
               ? stet_consumer_lag(l->s, stet_str("consumer"), 0, &lag, err)
               : st;
}

static stet_status parked(life *l, stet_error *err)
{
    stet_parkeds *list = NULL;
    const stet_parked *p = NULL;
    stet_status st = stet_parkeds_open(l->s, stet_str("consumer"), &list, err);
    while (st == STET_OK) {
        st = stet_parkeds_next(list, &p, err);
    }
    stet_parkeds_close(list);
    return st == STET_DONE ? STET_OK : st;
}

static stet_status delete_consumer(life *l, stet_error *err)
{
    return stet_consumer_delete(l->s, stet_str("consumer"), err);
}

static stet_status count_event(void *ctx, stet_slice state, const stet_event *e,
                               stet_output *out)
{
    (void)ctx;
    (void)e;
    stet_output_put(out, state);
    stet_output_put(out, stet_str("."));
    return STET_OK;
}

static stet_status project(life *l, uint32_t version, stet_error *err)
{
    /* Of one event: of several, those before the failure would be saved. */
    stet_projection_def def = {.name = stet_str("count"),
                               .pattern = stet_str("later"),
                               .fn = count_event,
                               .version = version,
                               .flags = STET_PROJECTION_REBUILD};
    stet_projection *p = NULL;
    stet_status st = stet_projection_open(l->s, &def, &p, err);
    if (st == STET_OK) {
        st = stet_projection_run(p, NULL, err);
    }
    stet_projection_close(p);
    return st;
}

static stet_status project_first(life *l, stet_error *err)
{
    return project(l, 1, err);
}

static stet_status project_again(life *l, stet_error *err)
{
    return project(l, 2, err);
}

static stet_status projections(life *l, stet_error *err)
{
    stet_projections *list = NULL;
    const stet_projection_info *info = NULL;
    const stet_state *made = NULL;
    stet_status st = stet_projections_open(l->s, &list, err);
    while (st == STET_OK) {
        st = stet_projections_next(list, &info, err);
    }
    stet_projections_close(list);
    if (st == STET_DONE) {
        st = stet_projection_load(l->s, stet_str("count"), &made, NULL, err);
    }
    if (st == STET_OK) {
        put_state(l, made);
        stet_state_release(made);
    }
    return st;
}

static stet_status delete_projection(life *l, stet_error *err)
{
    return stet_projection_delete(l->s, stet_str("count"), err);
}

static stet_status keys(life *l, stet_error *err)
{
    stet_keys_opts o = {.pattern = stet_str("[a-z]*"), .with_deleted = true};
    stet_keys *keys = NULL;
    const stet_key *key = NULL;
    stet_status st = stet_keys_open(l->s, &o, &keys, err);
    while (st == STET_OK) {
        st = stet_keys_next(keys, &key, err);
        if (st == STET_OK && l->dump != NULL) {
            stet__buf_put_slice(l->dump, key->id);
            stet__buf_printf(l->dump, " %llu\n", (unsigned long long)key->seq);
        }
    }
    stet_keys_close(keys);
    return st == STET_DONE ? STET_OK : st;
}

static stet_status checkpoints(life *l, stet_error *err)
{
    stet_checkpoints *list = NULL;
    const stet_checkpoint *c = NULL;
    stet_status st = stet_checkpoints_open(l->s, stet_str("m"), 0, &list, err);
    while (st == STET_OK) {
        st = stet_checkpoints_next(list, &c, err);
        if (st == STET_OK && l->dump != NULL) {
            stet__buf_put_slice(l->dump, c->name);
            stet__buf_put_slice(l->dump, c->metadata);
        }
    }
    stet_checkpoints_close(list);
    return st == STET_DONE ? STET_OK : st;
}

static stet_status compare(life *l, stet_error *err)
{
    uint64_t parts_at = 0;
    stet_status st =
        stet_compare(l->s, stet_str("m"), stet_str("f"), 0, &parts_at, err);
    if (st == STET_OK) {
        assert_int_equal(parts_at, 4);
    }
    return st;
}

static stet_status diff(life *l, stet_error *err)
{
    stet_read_opts o = {.at = at_seq(2)};
    const stet_state *a = NULL;
    const stet_state *b = NULL;
    stet_buffer made = {0};
    stet_status st = stet_load(l->s, stet_str("m"), &o, &a, err);
    if (st == STET_OK) {
        st = stet_load(l->s, stet_str("m"), NULL, &b, err);
    }
    if (st == STET_OK) {
        st = stet_diff(a, b, &made, err);
    }
    stet_buffer_free(&made);
    stet_state_release(a);
    stet_state_release(b);
    return st;
}

static stet_status flow(life *l, stet_error *err)
{
    const stet_flow *made = NULL;
    stet_status st = stet_flow_discover(l->s, NULL, &made, err);
    if (st == STET_OK) {
        stet_flow_free(made);
    }
    return st;
}

static stet_status look_around(life *l, stet_error *err)
{
    stet_info info = {0};
    stet_machine_metrics machine = {0};
    stet_buffer text = {0};
    stet_verify_report report = {0};
    stet_status st = stet_get_info(l->s, &info, err);
    if (st == STET_OK) {
        st = stet_get_machine_metrics(l->s, stet_str("m"), 0, &machine, err);
    }
    if (st == STET_OK) {
        st = stet_metrics_prometheus(l->s, &text, err);
        stet_buffer_free(&text);
    }
    return st == STET_OK ? stet_verify(l->s, NULL, NULL, &report, err) : st;
}

static stet_status work(life *l, stet_error *err)
{
    bool is_more = true;
    stet_status st = STET_OK;
    while (st == STET_OK && is_more) {
        st = stet_step(l->s, &is_more, err);
    }
    return st;
}

static stet_status write_async(life *l, stet_error *err)
{
    stet_change c = {.verb = STET_VERB_UPDATE,
                     .id = stet_str("later"),
                     .payload = stet_str("{\"later\":true}")};
    stet_batch b = {.changes = &c, .change_count = 1, .key = stet_str("later")};
    stet_ticket ticket = {0};
    stet_status st = stet_commit_async(l->s, &b, NULL, &ticket, err);
    return st == STET_OK ? stet_wait(l->s, ticket, 0, err) : st;
}

static stet_status sync_all(life *l, stet_error *err)
{
    return stet_sync(l->s, err);
}

/* ---- what only a store with files does ---- */

static stet_status compact(life *l, stet_error *err)
{
    return stet_compact(l->s, err);
}

static stet_status reindex(life *l, stet_error *err)
{
    uint64_t rebuilt = 0;
    return stet_reindex(l->s, &rebuilt, err);
}

static stet_status hold(life *l, stet_error *err)
{
    return stet_hold_set(l->s, stet_str("hold"), stet_str("m"), 0, err);
}

static stet_status list_holds(life *l, stet_error *err)
{
    stet_holds *list = NULL;
    const stet_hold *held = NULL;
    stet_status st = stet_holds_open(l->s, &list, err);
    while (st == STET_OK) {
        st = stet_holds_next(list, &held, err);
    }
    stet_holds_close(list);
    return st == STET_DONE ? STET_OK : st;
}

static stet_status release(life *l, stet_error *err)
{
    return stet_hold_release(l->s, stet_str("hold"), err);
}

static stet_status back_up(life *l, stet_error *err)
{
    return stet_backup_create(l->s, "backup", NULL, NULL, err);
}

static stet_status check_backups(life *l, stet_error *err)
{
    stet_restore_opts opts = {.store = &l->opts};
    stet_os *os = memdisk_os(l->disk);
    stet_backups *list = NULL;
    const stet_backup *b = NULL;
    stet_status st = stet__backup_verify_on(os, "backup", &opts, NULL, err);
    if (st == STET_OK) {
        st =
            stet__backups_open_on(os, "backup", &l->opts.allocator, &list, err);
    }
    while (st == STET_OK) {
        st = stet_backups_next(list, &b, err);
    }
    stet_backups_close(list);
    return st == STET_DONE ? STET_OK : st;
}

static stet_status restore_backup(life *l, stet_error *err)
{
    stet_restore_opts opts = {.store = &l->opts};
    memdisk_empty_folder(l->disk, "restored");
    return stet__backup_restore_on(memdisk_os(l->disk), "backup", "restored",
                                   &opts, NULL, err);
}

static stet_status prune(life *l, stet_error *err)
{
    return stet__backup_prune_on(memdisk_os(l->disk), "backup", 1,
                                 &l->opts.allocator, NULL, err);
}

/* Of a closed store. */
static stet_status salvage(life *l, stet_error *err)
{
    stet_salvage_opts opts = {.struct_size = sizeof opts,
                              .allocator = l->opts.allocator};
    stet_salvage_report report = {.struct_size = sizeof report};
    memdisk_empty_folder(l->disk, "restored");
    return stet__salvage_on(memdisk_os(l->disk), l->url, "restored", &opts,
                            &report, err);
}

/* ---- lives ---- */

static const step_fn steps[] = {
    save_small,     transition,
    save_large,     save_large,
    transition,     assign,
    patch,          custom,
    append,         batch,
    batch,          fork_it,
    transition,     load_points,
    load_named,     set_checkpoint,
    set_checkpoint, checkpoints,
    restore,        delete_checkpoint,
    save_many,      delete_b,
    listen_once,    load_many,
    history,        scan,
    keys,           compare,
    diff,           flow,
    look_around,    work,
    load_points,    write_async,
    sync_all,       feed,
    make_consumer,  park_one,
    ack_one,        consumers,
    parked,         delete_consumer,
    project_first,  project_again,
    projections,    delete_projection,
};

static const step_fn steps_with_files[] = {
    compact, load_points, hold,    list_holds,    save_large,
    back_up, transition,  back_up, check_backups, restore_backup,
    prune,   release,     compact, reindex,       load_points,
};

/* A step, and once more when it found no memory. */
static void take_step(life *l, step_fn step)
{
    stet_error err = {0};
    stet_status st = step(l, &err);
    if (st == STET_E_NOMEM) {
        assert_true(atomic_load(&l->f.is_hit));
        assert_true(err.text[0] != '\0');
        st = step(l, &err);
    }
    assert_status(st, STET_OK, &err);
}

static void read_all(life *l, stet_buf *dump)
{
    l->f.nth = 0;
    l->dump = dump;
    take_step(l, load_points);
    take_step(l, load_many);
    take_step(l, scan);
    take_step(l, history);
    take_step(l, keys);
    take_step(l, checkpoints);
    l->dump = NULL;
}

static void begin(life *l, const char *url, size_t nth)
{
    *l = (life){.url = url, .disk = memdisk_create(1)};
    memdisk_add_folder(l->disk, "backup");
    memdisk_add_folder(l->disk, "restored");
    failalloc_init(&l->f, nth);
    l->opts = (stet_opts)STET_OPTS_INIT;
    l->opts.allocator = failalloc_allocator(&l->f);
    l->opts.flags = STET_NO_THREADS;
    l->opts.segment_bytes = 64 * 1024; /* turned and sealed on the way */
    l->opts.cache_bytes = 4096;
    l->opts.base_events = 3;
    l->opts.reducers = model_reducers;
    l->opts.reducer_count = MODEL_REDUCERS;
    l->opts.callbacks_max = 16;
}

/* Close; a close that finds no memory leaves the store as after a crash. */
static void close_it(life *l)
{
    stet_error err = {0};
    stet_status st = stet_close(l->s, &err);
    assert_true(st == STET_OK ||
                (st == STET_E_NOMEM && atomic_load(&l->f.is_hit)));
    l->s = NULL;
}

/* Live through all steps; `*dump` takes what there is at the end. */
static bool live(const char *url, size_t nth, stet_buf *dump)
{
    life l;
    begin(&l, url, nth);
    take_step(&l, open_it);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        take_step(&l, steps[i]);
    }
    if (strcmp(url, "memory:") != 0) {
        for (size_t i = 0; i < sizeof steps_with_files / sizeof steps[0]; i++) {
            take_step(&l, steps_with_files[i]);
        }
        close_it(&l);
        take_step(&l, open_it);
    }
    bool is_hit = atomic_load(&l.f.is_hit);
    read_all(&l, dump);
    close_it(&l);
    failalloc_assert_clean(&l.f);
    memdisk_destroy(l.disk);
    return is_hit;
}

static void fail_each(const char *url)
{
    stet_buf want;
    stet_buf got;
    stet__buf_init(&want, &stet__heap);
    stet__buf_init(&got, &stet__heap);
    (void)live(url, 0, &want);
    /* All of them, unless there is time for a part only. */
    size_t stride = rounds(6) < 6 ? 6 : 1;
    size_t nth = 1;
    while (live(url, nth, &got)) {
        if (!stet__slice_eq(stet__buf_slice(&want), stet__buf_slice(&got))) {
            print_error("after allocation %zu failed:\n%.*s\nnot\n%.*s\n", nth,
                        (int)got.len, (const char *)got.ptr, (int)want.len,
                        (const char *)want.ptr);
            fail();
        }
        stet__buf_reset(&got);
        nth += stride;
    }
    assert_true(nth > 100);
    stet__buf_deinit(&want);
    stet__buf_deinit(&got);
}

/* A library that has no memory says so, and that is all that happens. */
static void test_no_failed_allocation_changes_a_memory_store(void **state)
{
    (void)state;
    fail_each("memory:");
}

/* The same where files are made, turned, sealed and opened again. */
static void test_no_failed_allocation_changes_an_embedded_store(void **state)
{
    (void)state;
    fail_each("stet:store");
}

/* A salvage that finds no memory says so, and begun anew it is whole. */
static void test_no_failed_allocation_spoils_a_salvage(void **state)
{
    (void)state;
    life l;
    begin(&l, "stet:store", 0);
    take_step(&l, open_it);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        take_step(&l, steps[i]);
    }
    close_it(&l);
    size_t nth = 0;
    do {
        stet_error err = {0};
        nth++;
        failalloc_init(&l.f, nth);
        stet_status st = salvage(&l, &err);
        assert_true(st == STET_OK ||
                    (st == STET_E_NOMEM && atomic_load(&l.f.is_hit)));
        failalloc_assert_clean(&l.f);
    } while (atomic_load(&l.f.is_hit));
    assert_true(nth > 40); /* of more than an open */
    memdisk_destroy(l.disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_failed_allocation_changes_a_memory_store),
        cmocka_unit_test(test_no_failed_allocation_changes_an_embedded_store),
        cmocka_unit_test(test_no_failed_allocation_spoils_a_salvage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
