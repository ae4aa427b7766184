/*
 * Every byte of a small store is changed, and its files are cut at any length:
 * what fault_rot_test tries in places of larger ones. The store lies on a disk
 * in memory; it has a set, sealed segments, one that is not, spares. Processes
 * share the work, each with the disk to itself.
 *
 * STET_LONG=1 tries every bit of each byte, a byte for another, every length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/frame.h"
#include "core/index.h"
#include "lib/interview.h"
#include "lib/rng.h"
#include "lib/store_under_test.h"

enum {
    FILES_MAX = 16,
    SEGMENT_BYTES = 16 * 1024,
    SETTLE_SEGMENTS = 2,
    SEALED_ENOUGH = 1, /* beside the set */
    BITS = 8,
    MOSTLY_BRIEF = 8,
    WORKERS_MAX = 16,
    SLOWNESS = 61,        /* of a sanitizer: so many times fewer cases */
    LENGTHS = 7,          /* one in so many is tried */
    PAUSE_NS = 200000000, /* after which a store settles */
};

static const char store_name[] = "store";

typedef struct kept_file {
    const char *name;
    uint8_t *bytes; /* as they were */
    size_t len;
    stet_trailer trailer; /* of a sealed segment, or of a set */
    bool is_sealed;
    bool is_spared; /* what it holds is elsewhere, too */
} kept_file;

/* Of all processes: what they tried, and what came of it. */
typedef struct tally {
    _Atomic size_t cases;
    _Atomic size_t told;
} tally;

typedef struct rig {
    store_under_test store;
    kept_file files[FILES_MAX];
    size_t file_count;
    interview *truth;
    tally *all;
    size_t cases; /* of this process */
} rig;

/* ---- the reference store ---- */

static void do_steps(rig *g)
{
    stet_error err = {0};
    bool has_more = true;
    while (has_more) {
        assert_status(stet_step(g->store.s, &has_more, &err), STET_OK, &err);
    }
}

static void write_batch(rig *g, size_t nth)
{
    static const char *const ids[] = {"game:1", "game:2", "late"};
    char texts[3][64];
    char key[32];
    stet_change changes[3];
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(texts[i], sizeof texts[i],
                       "{\"turn\":%zu,\"hand%zu\":\"%zx\"}", nth, i,
                       nth * 48271); /* fits */
        changes[i] = (stet_change){
            .struct_size = sizeof changes[i],
            .verb = i == 1 ? STET_VERB_TRANSITION : STET_VERB_SAVE,
            .id = stet_str(ids[i]),
            .payload = stet_str(texts[i]),
            .to_state = stet_str(i == 1 ? "deal" : ""),
            .action = stet_str("act"),
        };
    }
    (void)snprintf(key, sizeof key, "key %zu", nth); /* fits */
    stet_batch batch = {.struct_size = sizeof batch,
                        .changes = changes,
                        .change_count = 3,
                        .key = stet_str(key)};
    stet_error err = {0};
    assert_status(stet_commit(g->store.s, &batch, NULL, &err), STET_OK, &err);
}

/* A fork, a delete and a name, of which each store has one. */
static void write_rarities(rig *g)
{
    stet_error err = {0};
    stet_fork_opts at = {.struct_size = sizeof at,
                         .at = {.kind = STET_AT_SEQ, .seq = 2}};
    stet_checkpoint_opts named = {.struct_size = sizeof named,
                                  .name = stet_str("point")};
    stet *s = g->store.s;
    assert_status(
        stet_fork(s, stet_str("late"), stet_str("fork"), &at, NULL, &err),
        STET_OK, &err);
    assert_status(stet_delete(s, stet_str("game:2"), NULL, NULL, &err), STET_OK,
                  &err);
    assert_status(stet_checkpoint_set(s, stet_str("late"), &named, NULL, &err),
                  STET_OK, &err);
}

/* How many files there are whose name ends so. */
static size_t count_files(const rig *g, const char *ending)
{
    const char *names[FILES_MAX];
    size_t count = memdisk_names(g->store.disk, names, FILES_MAX);
    size_t found = 0;
    assert_in_range(count, 1, FILES_MAX);
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(names[i]);
        found += len > 4 && strcmp(names[i] + len - 4, ending) == 0;
    }
    return found;
}

/* A set, which takes a pause; sealed segments behind it, and a live one. */
static void write_reference(rig *g)
{
    stet_error err = {0};
    stet_info info = {0};
    bool is_settled = false;
    for (size_t nth = 1; !is_settled || info.segments < SEALED_ENOUGH + 1;
         nth++) {
        write_batch(g, nth);
        if (nth == 2) {
            write_rarities(g);
        }
        do_steps(g);
        store_advance(&g->store, is_settled ? 1000 : PAUSE_NS);
        do_steps(g);
        is_settled = count_files(g, ".set") > 0;
        assert_status(stet_get_info(g->store.s, &info, &err), STET_OK, &err);
    }
}

/* ---- the rig ---- */

static void keep_file(rig *g, const char *name)
{
    kept_file *f = &g->files[g->file_count++];
    stet_error err = {0};
    const uint8_t *bytes = memdisk_bytes(g->store.disk, name, &f->len);
    f->name = name;
    f->bytes = malloc(f->len + 1);
    assert_non_null(f->bytes);
    memcpy(f->bytes, bytes, f->len);
    f->is_sealed = strstr(name, ".se") != NULL && f->len >= 3 * STET_W &&
                   stet__trailer_get(f->bytes + f->len - STET_W, &f->trailer,
                                     &err) == STET_OK;
}

static bool is_set(const kept_file *f)
{
    return f->is_sealed && stet__trailer_is_of_set(&f->trailer);
}

/*
 * A set and the two segments that it stands for are there twice, while these
 * wait to be removed or to become spares: then neither of them is missed.
 */
static void find_spared(rig *g)
{
    for (size_t i = 0; i < g->file_count; i++) {
        kept_file *set = &g->files[i];
        size_t found = 0;
        for (size_t j = 0; j < g->file_count && is_set(set); j++) {
            kept_file *f = &g->files[j];
            bool is_within = f->is_sealed && !is_set(f) &&
                             f->trailer.file >= set->trailer.set.first_file &&
                             f->trailer.file <= set->trailer.set.last_file;
            f->is_spared = f->is_spared || is_within;
            found += is_within;
        }
        set->is_spared = found == SETTLE_SEGMENTS;
    }
}

static rig *rig_create(void)
{
    rig *g = calloc(1, sizeof *g);
    assert_non_null(g);
    store_init_simulated(&g->store);
    g->store.opts.segment_bytes = SEGMENT_BYTES;
    g->store.opts.settle_segments = SETTLE_SEGMENTS;
    g->store.opts.index_sets = 1;
    g->all = mmap(NULL, sizeof *g->all, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(g->all, MAP_FAILED);
    store_open(&g->store);
    write_reference(g);
    return g;
}

static void learn(rig *g)
{
    const char *names[FILES_MAX];
    size_t count = memdisk_names(g->store.disk, names, FILES_MAX);
    for (size_t i = 0; i < count; i++) {
        keep_file(g, names[i]);
    }
    find_spared(g);
    g->truth = interview_create(memdisk_os(g->store.disk), store_name);
}

static int setup_clean(void **state)
{
    rig *g = rig_create();
    store_close(&g->store);
    learn(g);
    *state = g;
    return 0;
}

/* Idle until the mark is written, then killed in the middle of a close. */
static int setup_killed(void **state)
{
    rig *g = rig_create();
    store_advance(&g->store, 2000000000);
    do_steps(g);
    memdisk_die_at(g->store.disk, 1);
    store_abandon(&g->store);
    memdisk_crash(g->store.disk, false);
    learn(g);
    *state = g;
    return 0;
}

static int teardown(void **state)
{
    rig *g = *state;
    print_message("%zu cases, damage told in %zu\n",
                  atomic_load(&g->all->cases), atomic_load(&g->all->told));
    interview_destroy(g->truth);
    for (size_t i = 0; i < g->file_count; i++) {
        free(g->files[i].bytes);
    }
    (void)munmap(g->all, sizeof *g->all);
    store_deinit(&g->store);
    free(g);
    return 0;
}

/* ---- one case ---- */

static void claim_kept(rig *g, const char *what, const kept_file *f, size_t at,
                       bool is_to_be_found)
{
    interview_verdict v;
    interview_repeat(
        g->truth, store_name,
        g->cases++ % MOSTLY_BRIEF == 0 ? INTERVIEW_WHOLE : INTERVIEW_BRIEF, &v);
    atomic_fetch_add(&g->all->cases, 1);
    atomic_fetch_add(&g->all->told, v.told > 0 ? 1 : 0);
    if (v.wrong[0] != '\0' || (is_to_be_found && v.is_sound)) {
        fprintf(stderr, "%s, %s at %zu: %s\n", what, f->name, at,
                v.wrong[0] != '\0' ? v.wrong : "verify finds nothing");
        _exit(1);
    }
}

static void change_byte(rig *g, const kept_file *f, size_t at, unsigned to)
{
    size_t len = 0;
    uint8_t *bytes = memdisk_bytes(g->store.disk, f->name, &len);
    bytes[at] = (uint8_t)to;
    /*
     * A trailer that is not sound is none: the frames are read instead. With it
     * a set is read, whatever else there is.
     */
    bool is_read = f->is_sealed && (is_set(f) || !f->is_spared);
    claim_kept(g, "byte", f, at, is_read && at < f->len - STET_W);
    bytes[at] = f->bytes[at];
}

static bool is_long(void)
{
    return getenv("STET_LONG") != NULL;
}

static void change_byte_each_way(rig *g, const kept_file *f, size_t at, rng *r)
{
    unsigned old = f->bytes[at];
    if (!is_long()) {
        change_byte(g, f, at, old ^ (1u << rng_below(r, BITS)));
        return;
    }
    for (unsigned bit = 0; bit < BITS; bit++) {
        change_byte(g, f, at, old ^ (1u << bit));
    }
    change_byte(g, f, at, old + 1 + (unsigned)rng_below(r, 255));
}

static void cut_file(rig *g, const kept_file *f, size_t len, rng *r)
{
    (void)r;
    memdisk *d = g->store.disk;
    size_t now = 0;
    memdisk_cut(d, f->name, len);
    claim_kept(g, "length", f, len,
               f->is_sealed && !f->is_spared && len < f->trailer.end_offset);
    memdisk_cut(d, f->name, f->len);
    memcpy(memdisk_bytes(d, f->name, &now) + len, f->bytes + len, f->len - len);
}

/* ---- all cases, shared ---- */

typedef void (*case_fn)(rig *g, const kept_file *f, size_t at, rng *r);

/* Every place of which this worker has one in `step`. */
static void work(rig *g, case_fn fn, size_t from, size_t step)
{
    rng r = {from};
    for (size_t i = 0; i < g->file_count; i++) {
        for (size_t at = from; at < g->files[i].len; at += step) {
            fn(g, &g->files[i], at, &r);
        }
    }
}

/* Is this a build in which a case takes ten times as long? */
static bool is_slow(void)
{
    const char *preset = getenv("STET_PRESET");
    return preset != NULL &&
           (strcmp(preset, "asan") == 0 || strcmp(preset, "tsan") == 0 ||
            strcmp(preset, "cov") == 0);
}

/* Have all processors try one place in `step`. */
static void share(rig *g, case_fn fn, size_t step)
{
    step *= is_slow() ? SLOWNESS : 1;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = processors < 1             ? 1
                   : processors > WORKERS_MAX ? WORKERS_MAX
                                              : (size_t)processors;
    pid_t workers[WORKERS_MAX];
    fflush(NULL);
    for (size_t i = 0; i < count; i++) {
        workers[i] = fork();
        assert_return_code(workers[i], 0);
        if (workers[i] == 0) {
            work(g, fn, i * step, count * step);
            _exit(0);
        }
    }
    for (size_t i = 0; i < count; i++) {
        int status = 0;
        assert_int_equal(waitpid(workers[i], &status, 0), workers[i]);
        assert_int_equal(status, 0); /* it has said what was wrong */
    }
}

/* ---- tests ---- */

/* A changed byte is found by its checksum, wherever it lies. */
static void test_each_changed_byte_is_told_or_does_not_matter(void **state)
{
    share(*state, change_byte_each_way, 1);
}

/* The same for a store whose process was killed: the mark says what is owed. */
static void test_each_changed_byte_after_a_kill_is_told(void **state)
{
    share(*state, change_byte_each_way, 1);
}

/* A file that ends too early is no shorter history. */
static void test_lengths_of_each_file_are_told(void **state)
{
    share(*state, cut_file, is_long() ? 1 : LENGTHS);
}

static void test_lengths_after_a_kill_are_told(void **state)
{
    share(*state, cut_file, is_long() ? 1 : LENGTHS);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_each_changed_byte_is_told_or_does_not_matter, setup_clean,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_each_changed_byte_after_a_kill_is_told, setup_killed,
            teardown),
        cmocka_unit_test_setup_teardown(test_lengths_of_each_file_are_told,
                                        setup_clean, teardown),
        cmocka_unit_test_setup_teardown(test_lengths_after_a_kill_are_told,
                                        setup_killed, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
