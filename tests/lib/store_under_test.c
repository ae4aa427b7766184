#include "lib/store_under_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "engine/handle.h"

/* ---- opening ---- */

static int64_t now(stet_os *os)
{
    store_under_test *t = (store_under_test *)os;
    return atomic_fetch_add(&t->clock, atomic_load(&t->tick));
}

static void init(store_under_test *t)
{
    memset(t, 0, sizeof *t);
    t->os = *stet__os_posix();
    t->os.now = now;
    atomic_init(&t->clock, STORE_CLOCK);
    atomic_init(&t->tick, 1000);
    t->opts = (stet_opts)STET_OPTS_INIT;
}

void store_init_memory(store_under_test *t)
{
    init(t);
    (void)snprintf(t->url, sizeof t->url, "memory:");
}

void store_init_embedded(store_under_test *t)
{
    init(t);
    tmpdir_create(&t->dir);
    t->is_kept = true;
    t->opts.level = STET_LEVEL_OS;
    (void)snprintf(t->url, sizeof t->url, "stet:%s/store", t->dir.path);
}

void store_init_simulated(store_under_test *t)
{
    init(t);
    t->disk = memdisk_create(1);
    memdisk_advance(t->disk, STORE_CLOCK);
    t->is_kept = true;
    t->opts.flags = STET_NO_THREADS;
    (void)snprintf(t->url, sizeof t->url, "stet:store");
}

void store_deinit(store_under_test *t)
{
    if (t->s != NULL) {
        store_close(t);
    }
    if (t->disk != NULL) {
        memdisk_destroy(t->disk);
    }
    tmpdir_remove(&t->dir);
}

static stet_os *system_of(store_under_test *t)
{
    return t->disk != NULL ? memdisk_os(t->disk) : &t->os;
}

int64_t store_now(store_under_test *t)
{
    return system_of(t)->now(system_of(t));
}

void store_advance(store_under_test *t, int64_t ns)
{
    if (t->disk != NULL) {
        memdisk_advance(t->disk, ns);
    } else {
        atomic_fetch_add(&t->clock, ns);
    }
}

void store_open(store_under_test *t)
{
    stet_error err = {0};
    assert_null(t->s);
    assert_status(stet__open_on(system_of(t), t->url, &t->opts, &t->s, &err),
                  STET_OK, &err);
}

void store_close(store_under_test *t)
{
    stet_error err = {0};
    stet *s = t->s;
    t->s = NULL;
    assert_status(stet_close(s, &err), STET_OK, &err);
}

void store_reopen(store_under_test *t)
{
    assert_true(t->is_kept);
    store_close(t);
    store_open(t);
}

bool store_try_open(store_under_test *t)
{
    return stet__open_on(system_of(t), t->url, &t->opts, &t->s, NULL) ==
           STET_OK;
}

void store_abandon(store_under_test *t)
{
    (void)stet_close(t->s, NULL); /* on a dead disk: frees the memory */
    t->s = NULL;
}

static int setup(void **state, void (*init_kind)(store_under_test *))
{
    store_under_test *t = malloc(sizeof *t);
    if (t == NULL) {
        return -1;
    }
    init_kind(t);
    *state = t;
    store_open(t);
    return 0;
}

int store_setup_memory(void **state)
{
    return setup(state, store_init_memory);
}

int store_setup_embedded(void **state)
{
    return setup(state, store_init_embedded);
}

int store_teardown(void **state)
{
    store_deinit(*state);
    free(*state);
    return 0;
}

/* ---- claims ---- */

void store_claim_status(stet_status got, stet_status want,
                        const stet_error *err, const char *what,
                        const char *file, int line)
{
    if (got != want) {
        print_error("%s answers %s, not %s: %s\n", what, stet_status_name(got),
                    stet_status_name(want), err == NULL ? "" : err->text);
        _fail(file, line);
    }
}

void store_claim_names(const stet_error *err, const char *part,
                       const char *file, int line)
{
    if (strstr(err->text, part) == NULL) {
        print_error("\"%s\" does not name %s\n", err->text, part);
        _fail(file, line);
    }
}

void store_claim_says(stet_slice slice, const char *text, const char *file,
                      int line)
{
    if (!stet__slice_eq(slice, stet_str(text))) {
        print_error("\"%.*s\" is not \"%s\"\n", (int)slice.len,
                    (const char *)slice.ptr, text);
        _fail(file, line);
    }
}

/* ---- short ways ---- */

uint64_t store_save(store_under_test *t, const char *id, const char *text)
{
    stet_error err = {0};
    stet_written w = {0};
    assert_status(stet_save(t->s, stet_str(id), stet_str(text), NULL, &w, &err),
                  STET_OK, &err);
    return w.seq;
}

uint64_t store_write(store_under_test *t, const stet_change *change)
{
    stet_error err = {0};
    stet_written w = {0};
    stet_batch batch = {.changes = change, .change_count = 1};
    assert_status(stet_commit(t->s, &batch, &w, &err), STET_OK, &err);
    return w.seq;
}

const stet_state *store_load(store_under_test *t, const char *id)
{
    return store_load_at(t, id, (stet_at){0});
}

const stet_state *store_load_at(store_under_test *t, const char *id, stet_at at)
{
    stet_error err = {0};
    stet_read_opts o = {.at = at};
    const stet_state *state = NULL;
    assert_status(stet_load(t->s, stet_str(id), &o, &state, &err), STET_OK,
                  &err);
    return state;
}

void store_claim_state(store_under_test *t, const char *id, const char *text)
{
    store_claim_state_at(t, id, (stet_at){0}, text);
}

void store_claim_state_at(store_under_test *t, const char *id, stet_at at,
                          const char *text)
{
    const stet_state *state = store_load_at(t, id, at);
    assert_says(state->state_data, text);
    stet_state_release(state);
}

void store_claim_missing(store_under_test *t, const char *id)
{
    store_claim_missing_at(t, id, (stet_at){0});
}

void store_claim_missing_at(store_under_test *t, const char *id, stet_at at)
{
    stet_error err = {0};
    stet_read_opts o = {.at = at};
    const stet_state *state = NULL;
    assert_status(stet_load(t->s, stet_str(id), &o, &state, &err),
                  STET_E_NOT_FOUND, &err);
    assert_status(stet_exists(t->s, stet_str(id), &o, NULL, &err),
                  STET_E_NOT_FOUND, &err);
}

stet_at at_seq(uint64_t seq)
{
    return (stet_at){.kind = STET_AT_SEQ, .seq = seq};
}

stet_at at_time(int64_t time)
{
    return (stet_at){.kind = STET_AT_TIME, .time = time};
}

stet_at at_recorded(int64_t time)
{
    return (stet_at){.kind = STET_AT_RECORDED, .time = time};
}

stet_at at_position(uint64_t position)
{
    return (stet_at){.kind = STET_AT_POSITION, .seq = position};
}

stet_at at_name(const char *name)
{
    return (stet_at){.kind = STET_AT_CHECKPOINT, .name = stet_str(name)};
}
