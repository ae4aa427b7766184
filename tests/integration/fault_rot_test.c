/*
 * Rot: bytes of a store at rest change, files are cut, lost, swapped or come
 * from another store. Everything that can be read is then the very same or is
 * told to be damaged; nothing is guessed and nothing is short.
 *
 * The stores are small, in memory if the system has a file system there, and
 * put back after each case. STET_LONG=1 does every byte; else some that lie
 * evenly, more of them where there is something else than zeros.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/frame.h"
#include "core/index.h"
#include "lib/interview.h"
#include "lib/rng.h"
#include "lib/tmpdir.h"

enum {
    FILES_MAX = 24,
    PATH_BYTES = 700,
    SEGMENT_BYTES = 64 * 1024,
    SEGMENTS_ENOUGH = 4, /* three that are sealed and one that is not full */
    RARITY = 6,
    KEYED_ENOUGH = 3, /* rarities that every reference store has */
    LINE_BYTES = 64,
    MOSTLY_BRIEF = 8,
    CONTENT_MAX = 2500,
    LONG_TIMES = 5,
};

typedef struct kept_file {
    char name[64];
    uint8_t *bytes;
    size_t len;
    size_t content; /* where a sealed segment's frames or a set's blocks end */
} kept_file;

typedef struct rig {
    tmpdir dir;
    char store[PATH_BYTES];
    kept_file files[FILES_MAX];
    size_t file_count;
    interview *truth;
    size_t whole_step; /* one case in so many asks everything */
    size_t cases;
    size_t told;
} rig;

/* ---- the reference store ---- */

static void must(stet_status st, const stet_error *err)
{
    if (st != STET_OK) {
        fprintf(stderr, "%s: %s\n", stet_status_name(st), err->text);
        abort();
    }
}

static stet *open_writer(const char *store, uint32_t settle_segments)
{
    stet_error err = {0};
    stet *s = NULL;
    stet_opts opts = {
        .struct_size = sizeof opts,
        .flags = STET_NO_THREADS,
        .segment_bytes = SEGMENT_BYTES,
        .settle_segments = settle_segments,
        .index_sets = 1,
        .base_events = 6,
    };
    must(stet_open(store, &opts, &s, &err), &err);
    return s;
}

static void do_steps(stet *s)
{
    stet_error err = {0};
    bool has_more = true;
    while (has_more) {
        must(stet_step(s, &has_more, &err), &err);
    }
}

/* An object with a member that changes; or, for raw saves, random bytes. */
static stet_slice content_of(rng *r, bool is_raw, char *out)
{
    size_t len = 20 + rng_below(r, is_raw ? CONTENT_MAX - 20 : 400);
    if (is_raw) {
        rng_fill(r, out, len);
        return stet_slice_of(out, len);
    }
    int used = snprintf(out, CONTENT_MAX, "{\"turn\":%zu,\"hand%zu\":\"",
                        rng_below(r, 1000), rng_below(r, 5));
    for (size_t i = 0; i < len; i++) {
        out[(size_t)used + i] = (char)('a' + rng_below(r, 26));
    }
    memcpy(out + (size_t)used + len, "\"}", 3);
    return stet_slice_of(out, (size_t)used + len + 2);
}

static stet_change change_of(rng *r, const char *id, char *content)
{
    static const stet_verb verbs[] = {STET_VERB_SAVE, STET_VERB_TRANSITION,
                                      STET_VERB_TRANSITION, STET_VERB_UPDATE,
                                      STET_VERB_APPEND};
    bool is_raw = strncmp(id, "raw", 3) == 0;
    stet_verb verb = is_raw ? STET_VERB_SAVE : verbs[rng_below(r, 5)];
    bool is_step = verb == STET_VERB_TRANSITION;
    return (stet_change){
        .struct_size = sizeof(stet_change),
        .verb = verb,
        .reducer = is_step && rng_below(r, 2) == 0 ? STET_REDUCER_ASSIGN
                                                   : STET_REDUCER_DEFAULT,
        .id = stet_str(id),
        .payload = content_of(r, is_raw, content),
        .to_state = stet_str(is_step ? "deal" : ""),
        .action = stet_str("act"),
        .actor_id = stet_str("alice"),
        .metadata = stet_str("{\"by\":\"test\"}"),
        .timestamp = (int64_t)(1000000 + rng_below(r, 1000000)) * 1000000000,
    };
}

/* One batch of up to four machines, under a key every other time. */
static void write_batch(stet *s, rng *r, size_t nth)
{
    static const char *const ids[] = {"game:1", "game:2", "raw:1", "late"};
    static char contents[4][CONTENT_MAX + 64];
    stet_change changes[4];
    char key[32];
    size_t count = 1 + rng_below(r, 4);
    for (size_t i = 0; i < count; i++) {
        changes[i] = change_of(r, ids[rng_below(r, 4)], contents[i]);
    }
    (void)snprintf(key, sizeof key, "key %zu", nth); /* fits */
    stet_batch batch = {
        .struct_size = sizeof batch,
        .changes = changes,
        .change_count = count,
        .key = stet_str(nth % 2 == 0 ? key : ""),
    };
    stet_error err = {0};
    must(stet_commit(s, &batch, NULL, &err), &err);
}

/* The nth event of a machine whose every event has a key. */
static stet_status save_keyed(stet *s, size_t nth, stet_written *out,
                              stet_error *err)
{
    char text[32];
    (void)snprintf(text, sizeof text, "{\"key\":%zu}", nth); /* fits */
    stet_write_opts opts = {.struct_size = sizeof opts, .key = stet_str(text)};
    return stet_save(s, stet_str("keyed"), stet_str(text), &opts, out, err);
}

/* What happens seldom: forks of forks, deletes, names, another namespace. */
static void write_rarities(stet *s, size_t nth)
{
    stet_error err = {0};
    char id[32];
    stet_fork_opts at = {.struct_size = sizeof at,
                         .at = {.kind = STET_AT_SEQ, .seq = 1 + nth % 3}};
    stet_write_opts in_three = {.struct_size = sizeof in_three};
    in_three.more.ns = 3;
    stet_checkpoint_opts named = {.struct_size = sizeof named};
    (void)snprintf(id, sizeof id, "fork:%zu", nth);
    must(stet_fork(s, stet_str(nth < 12 ? "late" : "fork:6"), stet_str(id), &at,
                   NULL, &err),
         &err);
    must(stet_update(s, stet_str(id), stet_str("{\"forked\":true}"), NULL, NULL,
                     &err),
         &err);
    (void)snprintf(id, sizeof id, "gone:%zu", nth % 2);
    must(stet_save(s, stet_str(id), stet_str("{}"), NULL, NULL, &err), &err);
    must(stet_delete(s, stet_str(id), NULL, NULL, &err), &err);
    must(stet_save(s, stet_str("game:1"), stet_str("{\"ns\":3}"), &in_three,
                   NULL, &err),
         &err);
    must(save_keyed(s, nth / RARITY, NULL, &err), &err);
    (void)snprintf(id, sizeof id, "point %zu", nth);
    named.name = stet_str(id);
    must(stet_checkpoint_set(s, stet_str("late"), &named, NULL, &err), &err);
    must(stet_checkpoint_set(s, stet_str(""), &named, NULL, &err), &err);
}

/* Histories over several segments; gives the number of events. */
static uint64_t write_reference(stet *s, uint64_t seed)
{
    stet_error err = {0};
    stet_info info = {0};
    rng r = {seed};
    stet_change first = {.struct_size = sizeof first,
                         .verb = STET_VERB_SAVE,
                         .id = stet_str("late"),
                         .payload = stet_str("{\"phase\":\"lobby\"}")};
    for (int i = 0; i < 3; i++) {
        must(stet_save_many(s, &first, 1, NULL, NULL, &err), &err);
    }
    for (size_t nth = 1; info.segments < SEGMENTS_ENOUGH || nth % 8 != 0;
         nth++) {
        write_batch(s, &r, nth);
        if (nth % RARITY == 0) {
            write_rarities(s, nth);
        }
        do_steps(s);
        must(stet_get_info(s, &info, &err), &err);
    }
    return info.events;
}

/* Does `super` say that everything below `position` is durable? */
static bool has_mark(const char *store, uint64_t position)
{
    char path[PATH_BYTES + 8];
    uint8_t slots[2 * STET_W];
    stet_error err = {0};
    (void)snprintf(path, sizeof path, "%s/super", store);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : pread(fd, slots, sizeof slots, 0);
    (void)close(fd);
    for (size_t i = 0; n == (ssize_t)sizeof slots && i < 2; i++) {
        stet_super super = {0};
        if (stet__super_get(slots + i * STET_W, &super, &err) == STET_OK &&
            super.mark >= position) {
            return true;
        }
    }
    return false;
}

/* Idle until the mark is written, then end as a killed process does. */
static _Noreturn void write_and_die(const char *store, uint64_t *out_events)
{
    stet *s = open_writer(store, 0);
    *out_events = write_reference(s, 2);
    while (!has_mark(store, *out_events + 1)) {
        do_steps(s);
    }
    _exit(0);
}

static uint64_t build_unclean(const char *store)
{
    uint64_t *events = mmap(NULL, sizeof *events, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(events, MAP_FAILED);
    pid_t child = fork();
    if (child == 0) {
        write_and_die(store, events);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    uint64_t got = *events;
    (void)munmap(events, sizeof *events);
    return got;
}

static uint64_t build_clean(const char *store, uint64_t seed,
                            uint32_t settle_segments)
{
    stet_error err = {0};
    stet *s = open_writer(store, settle_segments);
    uint64_t events = write_reference(s, seed);
    must(stet_close(s, &err), &err);
    return events;
}

/* ---- files ---- */

static void path_of(const rig *g, const kept_file *f, char *out)
{
    int n = snprintf(out, PATH_BYTES, "%s/%s", g->store, f->name);
    assert_in_range(n, 1, PATH_BYTES - 1);
}

static void put_bytes(const rig *g, const kept_file *f, size_t offset,
                      const uint8_t *bytes, size_t len)
{
    char path[PATH_BYTES];
    path_of(g, f, path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_return_code(fd, 0);
    assert_int_equal(pwrite(fd, bytes, len, (off_t)offset), (ssize_t)len);
    (void)close(fd);
}

static void put_back(const rig *g, const kept_file *f)
{
    char path[PATH_BYTES];
    path_of(g, f, path);
    put_bytes(g, f, 0, f->bytes, f->len);
    assert_int_equal(truncate(path, (off_t)f->len), 0);
}

static void cut(const rig *g, const kept_file *f, size_t len)
{
    char path[PATH_BYTES];
    path_of(g, f, path);
    assert_int_equal(truncate(path, (off_t)len), 0);
}

static void drop(const rig *g, const kept_file *f)
{
    char path[PATH_BYTES];
    path_of(g, f, path);
    assert_int_equal(unlink(path), 0);
}

static size_t content_of_sealed(const kept_file *f)
{
    stet_trailer t;
    stet_error err = {0};
    bool is_sealed =
        strstr(f->name, ".se") != NULL && f->len >= 3 * STET_W &&
        stet__trailer_get(f->bytes + f->len - STET_W, &t, &err) == STET_OK;
    return is_sealed ? (size_t)t.end_offset : 0;
}

static void keep_file(rig *g, const char *name)
{
    kept_file *f = &g->files[g->file_count++];
    char path[PATH_BYTES];
    struct stat st;
    (void)snprintf(f->name, sizeof f->name, "%s", name);
    path_of(g, f, path);
    int fd = open(path, O_RDONLY);
    assert_return_code(fd, 0);
    assert_int_equal(fstat(fd, &st), 0);
    f->len = (size_t)st.st_size;
    f->bytes = malloc(f->len + 1);
    assert_non_null(f->bytes);
    assert_int_equal(pread(fd, f->bytes, f->len, 0), (ssize_t)f->len);
    (void)close(fd);
    f->content = content_of_sealed(f);
}

static void keep_files(rig *g)
{
    DIR *dir = opendir(g->store);
    assert_non_null(dir);
    const struct dirent *entry = NULL;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            assert_in_range(g->file_count, 0, FILES_MAX - 1);
            keep_file(g, entry->d_name);
        }
    }
    (void)closedir(dir);
}

static void drop_files(rig *g)
{
    for (size_t i = 0; i < g->file_count; i++) {
        free(g->files[i].bytes);
    }
}

/* ---- the rig ---- */

static rig *rig_create(void)
{
    rig *g = calloc(1, sizeof *g);
    assert_non_null(g);
    tmpdir_create(&g->dir);
    (void)snprintf(g->store, sizeof g->store, "%s/store", g->dir.path);
    return g;
}

/* What is known durable now is what every damaged copy owes. */
static void learn(rig *g)
{
    keep_files(g);
    g->truth = interview_create(stet__os_posix(), g->store);
    g->whole_step = 1;
}

static int setup_clean(void **state)
{
    rig *g = rig_create();
    (void)build_clean(g->store, 1, 0);
    learn(g);
    *state = g;
    return 0;
}

/* Sets, and segments behind them. */
static int setup_settled(void **state)
{
    rig *g = rig_create();
    size_t sets = 0;
    (void)build_clean(g->store, 1, 2);
    learn(g);
    for (size_t i = 0; i < g->file_count; i++) {
        sets += strstr(g->files[i].name, ".set") != NULL;
    }
    assert_true(sets >= 1);
    *state = g;
    return 0;
}

static int setup_unclean(void **state)
{
    rig *g = rig_create();
    (void)build_unclean(g->store);
    learn(g);
    *state = g;
    return 0;
}

static int teardown(void **state)
{
    rig *g = *state;
    print_message("%zu cases, damage told in %zu\n", g->cases, g->told);
    interview_destroy(g->truth);
    drop_files(g);
    tmpdir_remove(&g->dir);
    free(g);
    return 0;
}

static void claim_kept(rig *g, const char *what, const kept_file *f,
                       size_t offset, bool is_to_be_found)
{
    interview_verdict v;
    interview_scope scope =
        g->cases % g->whole_step == 0 ? INTERVIEW_WHOLE : INTERVIEW_BRIEF;
    interview_repeat(g->truth, g->store, scope, &v);
    g->cases++;
    g->told += v.told > 0;
    if (v.wrong[0] != '\0') {
        fail_msg("%s, %s at %zu: %s", what, f->name, offset, v.wrong);
    }
    if (is_to_be_found && v.is_sound) {
        fail_msg("%s, %s at %zu: verify finds nothing", what, f->name, offset);
    }
}

static bool is_long(void)
{
    return getenv("STET_LONG") != NULL;
}

/* Every so many a case: more in a long run, few under a sanitizer. */
static size_t stride(size_t usual)
{
    const char *preset = getenv("STET_PRESET");
    bool is_slow = preset != NULL &&
                   (strcmp(preset, "asan") == 0 ||
                    strcmp(preset, "tsan") == 0 || strcmp(preset, "cov") == 0);
    return is_slow     ? 60 * usual
           : is_long() ? (usual + LONG_TIMES - 1) / LONG_TIMES
                       : usual;
}

static bool is_dull(const kept_file *f, size_t offset)
{
    size_t from = offset - offset % LINE_BYTES;
    size_t len = f->len - from < LINE_BYTES ? f->len - from : LINE_BYTES;
    return stet__is_zeros(f->bytes + from, len);
}

/* ---- tests ---- */

static void change_byte(rig *g, const kept_file *f, size_t offset, uint8_t to)
{
    put_bytes(g, f, offset, &to, 1);
    /* A trailer that is not sound is none: the frames are read instead. */
    claim_kept(g, "byte", f, offset,
               f->content > 0 && offset < f->len - STET_W);
    put_bytes(g, f, offset, f->bytes + offset, 1);
}

static void change_bytes(rig *g)
{
    rng r = {3};
    size_t step = stride(10);
    size_t dull_step = step * LINE_BYTES / 2 + 1;
    g->whole_step = MOSTLY_BRIEF;
    for (size_t i = 0; i < g->file_count; i++) {
        const kept_file *f = &g->files[i];
        for (size_t at = rng_below(&r, step); at < f->len;) {
            uint8_t old = f->bytes[at];
            change_byte(g, f, at, (uint8_t)(old ^ (1u << rng_below(&r, 8))));
            change_byte(g, f, at, (uint8_t)(old + 1 + rng_below(&r, 255)));
            at += is_dull(f, at) ? dull_step : step;
        }
    }
}

/* A changed byte is found by its checksum, wherever it lies. */
static void test_a_changed_byte_is_told_or_does_not_matter(void **state)
{
    change_bytes(*state);
}

/* The same for a store whose process was killed: the mark says what is owed. */
static void test_a_changed_byte_after_a_kill_is_told(void **state)
{
    change_bytes(*state);
}

static void cut_files(rig *g)
{
    rng r = {4};
    g->whole_step = MOSTLY_BRIEF;
    for (size_t i = 0; i < g->file_count; i++) {
        const kept_file *f = &g->files[i];
        size_t step = stride(61);
        for (size_t len = rng_below(&r, step); len < f->len; len += step) {
            cut(g, f, len);
            claim_kept(g, "length", f, len, len < f->content);
            put_bytes(g, f, len, f->bytes + len, f->len - len);
        }
    }
}

/* A file that ends too early is no shorter history. */
static void test_a_changed_byte_of_a_settled_store_is_told(void **state)
{
    change_bytes(*state);
}

static void test_a_cut_file_of_a_settled_store_is_told(void **state)
{
    cut_files(*state);
}

static void test_a_cut_file_is_told_or_does_not_matter(void **state)
{
    cut_files(*state);
}

static void test_a_cut_file_after_a_kill_is_told(void **state)
{
    cut_files(*state);
}

/* Files as they were, and no others. */
static void restore(const rig *g)
{
    DIR *dir = opendir(g->store);
    assert_non_null(dir);
    const struct dirent *entry = NULL;
    while ((entry = readdir(dir)) != NULL) {
        kept_file any = {.len = 0};
        (void)snprintf(any.name, sizeof any.name, "%.60s", entry->d_name);
        if (entry->d_name[0] != '.') {
            drop(g, &any);
        }
    }
    (void)closedir(dir);
    for (size_t i = 0; i < g->file_count; i++) {
        put_back(g, &g->files[i]);
    }
}

/* Ask a writer for what is there under a key: the first answer, or damage. */
static void repeat_keys(stet *s, const kept_file *f, size_t offset)
{
    for (size_t nth = 1; nth <= KEYED_ENOUGH; nth++) {
        stet_error err = {0};
        stet_written got = {0};
        stet_status st = save_keyed(s, nth, &got, &err);
        bool is_kept = st == STET_OK ? got.is_repeat && got.seq == nth
                                     : stet_status_kind(st) == STET_KIND_DATA;
        if (!is_kept) {
            fail_msg("key %zu, %s at %zu: %s %s, repeat %d, seq %" PRIu64, nth,
                     f->name, offset, stet_status_name(st), err.text,
                     got.is_repeat, got.seq);
        }
    }
}

/* A writer that is refused has changed nothing; one that is not repairs what
 * it can and leaves the rest to be told. */
static void open_for_writing(rig *g, const kept_file *f, size_t offset)
{
    stet_error err = {0};
    stet *s = NULL;
    stet_opts opts = {.struct_size = sizeof opts,
                      .flags = STET_NO_THREADS,
                      .segment_bytes = SEGMENT_BYTES};
    uint8_t to = (uint8_t)(f->bytes[offset] ^ 0x10);
    put_bytes(g, f, offset, &to, 1);
    stet_status st = stet_open(g->store, &opts, &s, &err);
    if (st == STET_OK) {
        repeat_keys(s, f, offset);
        (void)stet_close(s, &err); /* may have found damage, too */
        claim_kept(g, "byte, after a writer", f, offset, false);
    } else {
        assert_int_equal(stet_status_kind(st), STET_KIND_DATA);
        put_bytes(g, f, offset, f->bytes + offset, 1);
        size_t told = g->told;
        claim_kept(g, "byte put back after a writer", f, offset, false);
        assert_int_equal(g->told, told);
    }
    restore(g);
}

static void write_to_damaged(rig *g)
{
    rng r = {6};
    for (size_t i = 0; i < g->file_count; i++) {
        const kept_file *f = &g->files[i];
        size_t step = stride(401);
        for (size_t at = rng_below(&r, step); at < f->len; at += step) {
            open_for_writing(g, f, at);
        }
    }
}

static void test_a_writer_makes_a_damaged_store_no_worse(void **state)
{
    write_to_damaged(*state);
}

static void test_a_writer_after_a_kill_makes_damage_no_worse(void **state)
{
    write_to_damaged(*state);
}

static void drop_pairs(rig *g)
{
    for (size_t i = 0; i < g->file_count; i++) {
        for (size_t j = i; j < g->file_count; j++) {
            const kept_file *a = &g->files[i];
            const kept_file *b = &g->files[j];
            drop(g, a);
            if (j > i) {
                drop(g, b);
            }
            claim_kept(g, a->name, b, 0, a->content + b->content > 0);
            put_back(g, a);
            put_back(g, b);
        }
    }
}

/* A missing file is no empty one, and two are not either. */
static void test_missing_files_of_a_settled_store_are_told(void **state)
{
    drop_pairs(*state);
}

static void test_missing_files_are_told_or_do_not_matter(void **state)
{
    drop_pairs(*state);
}

static void test_missing_files_after_a_kill_are_told(void **state)
{
    drop_pairs(*state);
}

/* A file under another's name, as a slip with cp makes it. */
static void test_swapped_files_are_told(void **state)
{
    rig *g = *state;
    for (size_t i = 0; i < g->file_count; i++) {
        for (size_t j = 0; j < g->file_count; j++) {
            kept_file wrong = g->files[i];
            if (i == j || strstr(wrong.name, ".seg") == NULL) {
                continue;
            }
            wrong.bytes = g->files[j].bytes;
            wrong.len = g->files[j].len;
            put_back(g, &wrong);
            claim_kept(g, g->files[j].name, &wrong, 0, g->files[i].content > 0);
            put_back(g, &g->files[i]);
        }
    }
}

/* A file of the same name from another store: uuid and salt tell. */
static void test_a_foreign_file_is_told(void **state)
{
    rig *g = *state;
    rig *other = rig_create();
    (void)build_clean(other->store, 9, 0);
    learn(other);
    for (size_t i = 0; i < g->file_count; i++) {
        for (size_t j = 0; j < other->file_count; j++) {
            kept_file foreign = other->files[j];
            if (strcmp(g->files[i].name, foreign.name) == 0) {
                put_back(g, &foreign);
                claim_kept(g, "foreign", &foreign, 0, g->files[i].content > 0);
                put_back(g, &g->files[i]);
            }
        }
    }
    void *done = other;
    (void)teardown(&done);
}

/* A sector that landed elsewhere, in the same file or in another. */
static void test_a_misdirected_sector_is_told(void **state)
{
    rig *g = *state;
    rng r = {5};
    g->whole_step = MOSTLY_BRIEF;
    size_t count = (is_long() ? 4000 * LONG_TIMES : 4000) / stride(1);
    for (size_t n = 0; n < count; n++) {
        const kept_file *from = &g->files[rng_below(&r, g->file_count)];
        const kept_file *to = &g->files[rng_below(&r, g->file_count)];
        size_t sector = n % 2 == 0 ? 512 : STET_W;
        if (from->len < sector || to->len < sector) {
            continue;
        }
        size_t source = rng_below(&r, from->len / sector) * sector;
        size_t target = rng_below(&r, to->len / sector) * sector;
        bool is_other =
            memcmp(from->bytes + source, to->bytes + target, sector) != 0;
        put_bytes(g, to, target, from->bytes + source, sector);
        claim_kept(g, from->name, to, target, is_other && target < to->content);
        put_bytes(g, to, target, to->bytes + target, sector);
    }
}

/* After the mark of an idle store all that was written is known: a reader that
 * finds the process dead shows it all. */
static void test_an_idle_store_owes_all_after_a_kill(void **state)
{
    (void)state;
    rig *g = rig_create();
    uint64_t events = build_unclean(g->store);
    stet_opts opts = {.struct_size = sizeof opts, .mode = STET_OPEN_READONLY};
    stet_error err = {0};
    stet_info info = {0};
    stet *s = NULL;
    assert_int_equal(stet_open(g->store, &opts, &s, &err), STET_OK);
    assert_int_equal(stet_get_info(s, &info, &err), STET_OK);
    assert_int_equal(info.events, events);
    assert_int_equal(stet_close(s, &err), STET_OK);
    tmpdir_remove(&g->dir);
    free(g);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_a_changed_byte_is_told_or_does_not_matter, setup_clean,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_a_changed_byte_after_a_kill_is_told, setup_unclean, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_cut_file_is_told_or_does_not_matter, setup_clean, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_changed_byte_of_a_settled_store_is_told, setup_settled,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_a_cut_file_of_a_settled_store_is_told, setup_settled,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_missing_files_of_a_settled_store_are_told, setup_settled,
            teardown),
        cmocka_unit_test_setup_teardown(test_a_cut_file_after_a_kill_is_told,
                                        setup_unclean, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_writer_makes_a_damaged_store_no_worse, setup_clean,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_a_writer_after_a_kill_makes_damage_no_worse, setup_unclean,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_missing_files_are_told_or_do_not_matter, setup_clean,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_missing_files_after_a_kill_are_told, setup_unclean, teardown),
        cmocka_unit_test_setup_teardown(test_swapped_files_are_told,
                                        setup_clean, teardown),
        cmocka_unit_test_setup_teardown(test_a_foreign_file_is_told,
                                        setup_clean, teardown),
        cmocka_unit_test_setup_teardown(test_a_misdirected_sector_is_told,
                                        setup_clean, teardown),
        cmocka_unit_test(test_an_idle_store_owes_all_after_a_kill),
    };
    if (access("/dev/shm", W_OK | X_OK) == 0) {
        (void)setenv("TMPDIR", "/dev/shm", 1); /* thousands of small files */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
