/*
 * Many keys at once: ids by glob, and their states with them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "row.h"
#include "sample.h"

/* Ids are "g042:0007"; one group is what a pattern selects. */
enum { GROUP_KEYS = 1000, ID_BYTES = 24 };

typedef struct keyer {
    const run *run;
    const bench_row *row;
    stet *store;
    samples *texts;
    uint32_t groups;
    uint64_t random;
    char (*ids)[ID_BYTES];
    stet_slice *slices;
    const stet_state **states;
} keyer;

static stet_status create_group(keyer *k, uint32_t group, stet_error *err)
{
    stet_change *changes = run_alloc(GROUP_KEYS, sizeof(*changes));
    for (uint32_t i = 0; i < GROUP_KEYS; i++) {
        snprintf(k->ids[i], ID_BYTES, "g%03" PRIu32 ":%04" PRIu32, group, i);
        changes[i].verb = STET_VERB_CREATE;
        changes[i].id = stet_str(k->ids[i]);
        changes[i].payload = samples_payload(k->texts, group + i);
    }
    stet_batch batch = {.struct_size = sizeof(batch),
                        .changes = changes,
                        .change_count = GROUP_KEYS};
    stet_status st = stet_commit(k->store, &batch, NULL, err);
    free(changes);
    return st;
}

static stet_status keys_begin(const run *r, const bench_row *row, void **out,
                              stet_error *err)
{
    keyer *k = run_alloc(1, sizeof(*k));
    *out = k;
    k->run = r;
    k->row = row;
    k->random = 13;
    k->texts = samples_create();
    k->ids = run_alloc(GROUP_KEYS, ID_BYTES);
    k->slices = run_alloc(GROUP_KEYS, sizeof(*k->slices));
    k->states = run_alloc(GROUP_KEYS, sizeof(const stet_state *));
    k->groups = row_sizes_in(r, row).machines / GROUP_KEYS;
    stet_status st = run_open(r, row->name, &k->store, err);
    for (uint32_t group = 0; group < k->groups && st == STET_OK; group++) {
        st = create_group(k, group, err);
    }
    return st == STET_OK ? run_reopen(r, row->name, &k->store, err) : st;
}

static void keys_end(void *ctx)
{
    keyer *k = ctx;
    if (k == NULL) {
        return;
    }
    (void)stet_close(k->store, NULL); /* it is removed next */
    free(k->ids);
    free(k->slices);
    free(k->states);
    samples_destroy(k->texts);
    run_remove(k->run, k->row->name);
    free(k);
}

/* Keep the ids that a listing lends, as far as there is room for them. */
static void keep_id(keyer *k, uint64_t number, const stet_key *key)
{
    if (number < GROUP_KEYS && key->id.len < ID_BYTES) {
        memcpy(k->ids[number], key->id.ptr, key->id.len);
        k->slices[number] = stet_slice_of(k->ids[number], key->id.len);
    }
}

static stet_status list_keys(keyer *k, const char *pattern, uint64_t expected,
                             stet_error *err)
{
    stet_keys_opts opts = {.struct_size = sizeof(opts),
                           .pattern = stet_str(pattern)};
    stet_keys *keys = NULL;
    stet_status st = stet_keys_open(k->store, &opts, &keys, err);
    if (st != STET_OK) {
        return st;
    }
    uint64_t seen = 0;
    const stet_key *key = NULL;
    while ((st = stet_keys_next(keys, &key, err)) == STET_OK) {
        keep_id(k, seen++, key);
    }
    stet_keys_close(keys);
    if (st != STET_DONE) {
        return st;
    }
    return seen == expected ? STET_OK
                            : run_fail(err, 0, "%" PRIu64 " keys, not %" PRIu64,
                                       seen, expected);
}

static stet_status list_group(void *ctx, stet_error *err)
{
    keyer *k = ctx;
    char pattern[ID_BYTES];
    snprintf(pattern, sizeof(pattern), "g%03" PRIu64 ":*",
             random_below(&k->random, k->groups));
    return list_keys(k, pattern, GROUP_KEYS, err);
}

static stet_status list_all(void *ctx, stet_error *err)
{
    keyer *k = ctx;
    return list_keys(k, "*", (uint64_t)k->groups * GROUP_KEYS, err);
}

static stet_status load_group(void *ctx, stet_error *err)
{
    keyer *k = ctx;
    stet_status st = list_group(k, err);
    if (st == STET_OK) {
        st = stet_load_many(k->store, k->slices, GROUP_KEYS, NULL, k->states,
                            err);
    }
    if (st != STET_OK) {
        return st;
    }
    size_t found = 0;
    for (size_t i = 0; i < GROUP_KEYS; i++) {
        found += k->states[i] != NULL &&
                 k->states[i]->state_data.len == SAMPLE_PAYLOAD_BYTES;
        stet_state_release(k->states[i]);
    }
    return found == GROUP_KEYS
               ? STET_OK
               : run_fail(err, 0, "%zu states of %d", found, GROUP_KEYS);
}

static stet_status list_take(void *ctx, figures *out, stet_error *err)
{
    keyer *k = ctx;
    return run_measure(k->run, &(call){list_group, k, GROUP_KEYS}, out, err);
}

static stet_status list_all_take(void *ctx, figures *out, stet_error *err)
{
    keyer *k = ctx;
    uint64_t keys = (uint64_t)k->groups * GROUP_KEYS;
    return run_measure(k->run, &(call){list_all, k, keys}, out, err);
}

static stet_status load_take(void *ctx, figures *out, stet_error *err)
{
    keyer *k = ctx;
    return run_measure(k->run, &(call){load_group, k, GROUP_KEYS}, out, err);
}

static const row_kind list = {keys_begin, list_take, keys_end};
static const row_kind whole = {keys_begin, list_all_take, keys_end};
static const row_kind bulk = {keys_begin, load_take, keys_end};

const bench_row key_rows[] = {
    {
        .name = "keys_1k",
        .text = "1,000 ids by glob among 100,000",
        .unit = "key",
        .kind = &list,
        .sizes = {.threads = 1, .machines = 100000},
        .is_large = true,
        .marks = {{METRIC_P50_US, NULL, false, 100, 20}},
    },
    {
        .name = "keys_100k",
        .text = "100,000 ids by glob",
        .unit = "key",
        .kind = &whole,
        .sizes = {.threads = 1, .machines = 100000},
        .is_large = true,
        .marks = {{METRIC_P50_US, NULL, false, 20000, 8000}},
    },
    {
        .name = "bulk_1k",
        .text = "1,000 ids by glob and their 200 B states",
        .unit = "load",
        .kind = &bulk,
        .sizes = {.threads = 1,
                  .state_bytes = SAMPLE_PAYLOAD_BYTES,
                  .machines = 100000},
        .is_large = true,
    },
    {0},
};
