#include "lib/memdisk.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mediafile.h"

enum {
    SECTOR = MEDIAFILE_SECTOR_BYTES,
    NAMES_MAX = 800,  /* salvaged into small segments, a store has many */
    FILES_MAX = 1024, /* at one time, removed ones that are open too */
    FILES_KEPT = 32,  /* before the places of unreachable ones are used again */
    HANDLES_MAX = 512,
    DIR_OPS_MAX = 8192,
    DIR_HANDLE = 1000000, /* of the first directory; the others follow */
    FOLDERS_MAX = 8,
    FOLDER_BYTES_MAX = 16,
    PATH_BYTES_MAX = FOLDER_BYTES_MAX + STET_OS_NAME_MAX,
};

#define CHECK(claim) ((claim) ? (void)0 : fail_check(#claim, __LINE__))

static _Noreturn void fail_check(const char *claim, int line)
{
    (void)fprintf(stderr, "memdisk.c:%d: %s\n", line, claim);
    abort();
}

/* A name set to a file, or to none; a rename is two of them in one. */
typedef struct dir_op {
    char name[PATH_BYTES_MAX];
    int file;
    char gone[PATH_BYTES_MAX];
} dir_op;

/* A name in the first directory, or "FOLDER/NAME". */
typedef struct dir_entry {
    char name[PATH_BYTES_MAX];
    int file;
} dir_entry;

typedef struct directory {
    size_t count;
    dir_entry entries[NAMES_MAX];
} directory;

typedef struct handle {
    bool is_open;
    bool is_direct;
    bool is_uncached;
    bool is_writable;
    int file;
    stet_lock_kind lock;
} handle;

struct memdisk {
    stet_os os; /* first */
    rng random;
    int file_count;
    int handle_count; /* one past the highest that was open */
    char folders[FOLDERS_MAX][FOLDER_BYTES_MAX]; /* the first has no name */
    int folder_count;
    size_t op_count;
    unsigned changes;
    unsigned reads;
    unsigned die_at;
    bool is_dead;
    unsigned fail_at[MEMDISK_CALLS];
    int fail_errno[MEMDISK_CALLS];
    bool has_failed;
    memdisk_fault_fn fault;
    void *fault_ctx;
    uint64_t space;
    bool has_direct;
    bool has_unnamed;
    bool is_lying;
    int64_t now;
    /* Much, of which little is used: cleared as it is taken. */
    directory seen;
    directory media;
    dir_op ops[DIR_OPS_MAX];
    handle handles[HANDLES_MAX];
    mediafile files[FILES_MAX];
};

static memdisk *disk_of(stet_os *os)
{
    return (memdisk *)os;
}

/* Directory. */

/* How a file is called on the disk. */
typedef struct disk_path {
    char text[PATH_BYTES_MAX];
} disk_path;

static disk_path path_in(const memdisk *d, int dir, const char *name)
{
    CHECK(dir >= DIR_HANDLE && dir < DIR_HANDLE + d->folder_count);
    const char *folder = d->folders[dir - DIR_HANDLE];
    size_t folder_len = strlen(folder);
    disk_path path;
    memcpy(path.text, folder, folder_len);
    if (folder_len > 0) {
        path.text[folder_len++] = '/';
    }
    size_t name_len = strlen(name);
    CHECK(name_len < sizeof path.text - folder_len);
    memcpy(path.text + folder_len, name, name_len + 1);
    return path;
}

/* The part of a path that is a name in this directory, or NULL. */
static const char *name_in(const memdisk *d, int dir, const char *path)
{
    const char *folder = d->folders[dir - DIR_HANDLE];
    const char *slash = strchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    if (len != strlen(folder) || memcmp(path, folder, len) != 0) {
        return NULL;
    }
    return slash == NULL ? path : slash + 1;
}

static dir_entry *find_entry(directory *dir, const char *name)
{
    for (size_t i = 0; i < dir->count; i++) {
        if (strcmp(dir->entries[i].name, name) == 0) {
            return &dir->entries[i];
        }
    }
    return NULL;
}

static void set_name(char to[PATH_BYTES_MAX], const char *name)
{
    size_t len = strlen(name);
    CHECK(len < PATH_BYTES_MAX);
    memcpy(to, name, len + 1);
}

static void set_entry(directory *dir, const char *name, int number)
{
    dir_entry *e = find_entry(dir, name);
    if (e == NULL && number < 0) {
        return;
    }
    if (e == NULL) {
        CHECK(dir->count < NAMES_MAX);
        e = &dir->entries[dir->count++];
        set_name(e->name, name);
    }
    e->file = number;
    if (number < 0) {
        *e = dir->entries[--dir->count];
    }
}

static void copy_directory(directory *to, const directory *from)
{
    to->count = from->count;
    memcpy(to->entries, from->entries, from->count * sizeof *from->entries);
}

static void apply_op(directory *dir, const dir_op *op)
{
    if (op->gone[0] != '\0') {
        set_entry(dir, op->gone, -1);
    }
    set_entry(dir, op->name, op->file);
}

static void add_op(memdisk *d, const char *name, int number, const char *gone)
{
    dir_op op = {.file = number};
    set_name(op.name, name);
    set_name(op.gone, gone);
    CHECK(d->op_count < DIR_OPS_MAX);
    d->ops[d->op_count++] = op;
    apply_op(&d->seen, &op);
}

/* Faults. */

static int may_fail(memdisk *d, memdisk_call call)
{
    if (d->is_dead) {
        return -EIO;
    }
    if (d->fail_at[call] > 0 && --d->fail_at[call] == 0) {
        d->has_failed = true;
        return -d->fail_errno[call];
    }
    return d->fault == NULL ? 0 : d->fault(d->fault_ctx, call);
}

/* Count a call that changes the disk. Is it the one at which it dies? */
static bool dies_now(memdisk *d)
{
    d->changes++;
    d->is_dead = d->die_at > 0 && --d->die_at == 0;
    return d->is_dead;
}

uint64_t memdisk_used(const memdisk *d)
{
    uint64_t used = 0;
    for (size_t i = 0; i < d->seen.count; i++) {
        used += d->files[d->seen.entries[i].file].seen.len;
    }
    return used;
}

/* The methods. */

static handle *handle_of(memdisk *d, int fd)
{
    CHECK(fd >= 0 && fd < d->handle_count && d->handles[fd].is_open);
    return &d->handles[fd];
}

static mediafile *file_of(memdisk *d, int fd)
{
    return &d->files[handle_of(d, fd)->file];
}

static int md_dir_open(stet_os *os, const char *path, bool is_create)
{
    (void)is_create;
    memdisk *d = disk_of(os);
    int rc = may_fail(d, MEMDISK_FOLDER);
    int folder = 0;
    for (int i = 1; i < d->folder_count; i++) {
        folder = strcmp(d->folders[i], path) == 0 ? i : folder;
    }
    return rc < 0 ? rc : DIR_HANDLE + folder;
}

static int new_handle(memdisk *d, int number, unsigned flags)
{
    int fd = 0;
    while (fd < d->handle_count && d->handles[fd].is_open) {
        fd++;
    }
    if (fd == HANDLES_MAX) {
        return -EMFILE;
    }
    d->handle_count += fd == d->handle_count;
    d->handles[fd] = (handle){
        .is_open = true,
        .is_direct = (flags & STET_OPEN_DIRECT) != 0,
        .is_uncached = (flags & STET_OPEN_UNCACHED) != 0,
        .is_writable = (flags & (STET_OPEN_WRITE | STET_OPEN_UNNAMED)) != 0,
        .file = number,
        .lock = STET_LOCK_NONE,
    };
    return fd;
}

static bool is_in(const directory *dir, int number)
{
    for (size_t i = 0; i < dir->count; i++) {
        if (dir->entries[i].file == number) {
            return true;
        }
    }
    return false;
}

/* Can nobody reach the file any more, whatever a power cut makes of names? */
static bool is_gone(const memdisk *d, int number)
{
    for (size_t i = 0; i < d->op_count; i++) {
        if (d->ops[i].file == number) {
            return false;
        }
    }
    for (int i = 0; i < d->handle_count; i++) {
        if (d->handles[i].is_open && d->handles[i].file == number) {
            return false;
        }
    }
    return !is_in(&d->seen, number) && !is_in(&d->media, number);
}

static int new_file(memdisk *d)
{
    for (int i = 0; i < d->file_count && d->file_count >= FILES_KEPT; i++) {
        if (is_gone(d, i)) {
            mediafile_reset(&d->files[i]);
            return i;
        }
    }
    CHECK(d->file_count < FILES_MAX);
    d->files[d->file_count] = (mediafile){.is_split = false};
    return d->file_count++;
}

static int md_open(stet_os *os, int dir, const char *name, unsigned flags)
{
    memdisk *d = disk_of(os);
    int rc = may_fail(d, MEMDISK_OPEN);
    if (rc < 0) {
        return rc;
    }
    if ((flags & (STET_OPEN_DIRECT | STET_OPEN_UNCACHED)) != 0 &&
        !d->has_direct) {
        return -EINVAL;
    }
    if ((flags & STET_OPEN_UNNAMED) != 0) {
        return d->has_unnamed ? new_handle(d, new_file(d), flags) : -EOPNOTSUPP;
    }
    disk_path path = path_in(d, dir, name);
    const dir_entry *e = find_entry(&d->seen, path.text);
    if (e == NULL && (flags & STET_OPEN_CREATE) == 0) {
        return -ENOENT;
    }
    if (e != NULL && (flags & STET_OPEN_EXCLUSIVE) != 0) {
        return -EEXIST;
    }
    if (e != NULL) {
        return new_handle(d, e->file, flags);
    }
    bool is_last = dies_now(d);
    int number = new_file(d);
    add_op(d, path.text, number, "");
    return is_last ? -EIO : new_handle(d, number, flags);
}

static int md_close(stet_os *os, int fd)
{
    memdisk *d = disk_of(os);
    if (fd >= DIR_HANDLE) {
        return 0;
    }
    handle_of(d, fd)->is_open = false;
    return d->is_dead ? -EIO : 0;
}

static int64_t md_pread(stet_os *os, int fd, void *ptr, size_t len,
                        uint64_t off)
{
    memdisk *d = disk_of(os);
    int rc = may_fail(d, MEMDISK_READ);
    d->reads++;
    if (rc < 0) {
        return rc;
    }
    return mediafile_read(file_of(d, fd), ptr, len, off,
                          handle_of(d, fd)->is_direct);
}

static int md_pwrite(stet_os *os, int fd, const void *ptr, size_t len,
                     uint64_t off)
{
    memdisk *d = disk_of(os);
    const handle *h = handle_of(d, fd);
    mediafile *f = file_of(d, fd);
    CHECK(h->is_writable);
    CHECK((!h->is_direct && !h->is_uncached) ||
          (off % SECTOR == 0 && len % SECTOR == 0 &&
           (uintptr_t)ptr % SECTOR == 0));
    mediafile_change w = {
        .at = (size_t)off, .len = len, .bytes = (uint8_t *)ptr};
    int rc = may_fail(d, MEMDISK_WRITE);
    if (rc < 0) {
        if (!d->is_dead && rc != -ENOSPC && rc != -EROFS) {
            mediafile_write_through(f, &w, &d->random);
        }
        return rc;
    }
    uint64_t more = off + len > f->seen.len ? off + len - f->seen.len : 0;
    if (more > 0 && memdisk_used(d) + more > d->space) {
        return -ENOSPC;
    }
    if (dies_now(d)) {
        mediafile_change_cached(f, &w);
        return -EIO;
    }
    if (h->is_direct && !d->is_lying) {
        mediafile_write_through(f, &w, NULL);
    } else {
        mediafile_change_cached(f, &w);
    }
    return 0;
}

static int sync_dir(memdisk *d, int dir, bool is_bad)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->op_count && !is_bad; i++) {
        if (name_in(d, dir, d->ops[i].name) != NULL) {
            apply_op(&d->media, &d->ops[i]);
        } else {
            d->ops[kept++] = d->ops[i];
        }
    }
    d->op_count = is_bad ? d->op_count : kept;
    return is_bad ? -EIO : 0;
}

static int md_sync(stet_os *os, int fd)
{
    memdisk *d = disk_of(os);
    if (d->is_dead) {
        return -EIO;
    }
    int rc = may_fail(d, MEMDISK_SYNC);
    if (dies_now(d)) {
        return -EIO;
    }
    if (d->is_lying) {
        return rc;
    }
    if (fd >= DIR_HANDLE) {
        return sync_dir(d, fd, rc < 0);
    }
    mediafile_sync(file_of(d, fd), rc < 0 ? &d->random : NULL);
    return rc;
}

static int md_truncate(stet_os *os, int fd, uint64_t size)
{
    memdisk *d = disk_of(os);
    int rc = may_fail(d, MEMDISK_TRUNCATE);
    if (rc < 0) {
        return rc;
    }
    mediafile_change w = {.is_cut = true, .at = (size_t)size};
    mediafile_change_cached(file_of(d, fd), &w);
    return dies_now(d) ? -EIO : 0;
}

static int64_t md_size(stet_os *os, int fd)
{
    memdisk *d = disk_of(os);
    int rc = may_fail(d, MEMDISK_SIZE);
    return rc < 0 ? rc : (int64_t)file_of(d, fd)->seen.len;
}

static int md_link(stet_os *os, int dir, int fd, const char *name)
{
    memdisk *d = disk_of(os);
    disk_path path = path_in(d, dir, name);
    int rc = may_fail(d, MEMDISK_LINK);
    if (rc < 0) {
        return rc;
    }
    if (find_entry(&d->seen, path.text) != NULL) {
        return -EEXIST;
    }
    add_op(d, path.text, handle_of(d, fd)->file, "");
    return dies_now(d) ? -EIO : 0;
}

static int md_rename(stet_os *os, int dir, const char *from, const char *to)
{
    memdisk *d = disk_of(os);
    disk_path old = path_in(d, dir, from);
    disk_path new = path_in(d, dir, to);
    int rc = may_fail(d, MEMDISK_LINK);
    if (rc < 0) {
        return rc;
    }
    const dir_entry *e = find_entry(&d->seen, old.text);
    if (e == NULL) {
        return -ENOENT;
    }
    add_op(d, new.text, e->file, old.text);
    return dies_now(d) ? -EIO : 0;
}

static int md_unlink(stet_os *os, int dir, const char *name)
{
    memdisk *d = disk_of(os);
    disk_path path = path_in(d, dir, name);
    int rc = may_fail(d, MEMDISK_UNLINK);
    if (rc < 0) {
        return rc;
    }
    if (find_entry(&d->seen, path.text) == NULL) {
        return -ENOENT;
    }
    add_op(d, path.text, -1, "");
    return dies_now(d) ? -EIO : 0;
}

static int md_list(stet_os *os, int dir, stet_os_name_fn visit, void *ctx)
{
    memdisk *d = disk_of(os);
    int rc = may_fail(d, MEMDISK_LIST);
    for (size_t i = 0; i < d->seen.count && rc == 0; i++) {
        const char *name = name_in(d, dir, d->seen.entries[i].name);
        if (name != NULL && !visit(ctx, name)) {
            break;
        }
    }
    return rc;
}

static int md_lock(stet_os *os, int fd, stet_lock_kind kind)
{
    memdisk *d = disk_of(os);
    int rc = may_fail(d, MEMDISK_LOCK);
    if (rc < 0) {
        return rc;
    }
    handle *mine = handle_of(d, fd);
    for (int i = 0; i < d->handle_count && kind != STET_LOCK_NONE; i++) {
        const handle *h = &d->handles[i];
        if (h->is_open && h != mine && h->file == mine->file &&
            (h->lock == STET_LOCK_EXCLUSIVE ||
             (h->lock == STET_LOCK_SHARED && kind == STET_LOCK_EXCLUSIVE))) {
            return -EWOULDBLOCK;
        }
    }
    mine->lock = kind;
    return 0;
}

static int64_t md_now(stet_os *os)
{
    return disk_of(os)->now;
}

static int md_random(stet_os *os, void *ptr, size_t len)
{
    memdisk *d = disk_of(os);
    int rc = may_fail(d, MEMDISK_RANDOM);
    if (rc == 0) {
        rng_fill(&d->random, ptr, len);
    }
    return rc;
}

static int md_pid(stet_os *os)
{
    (void)os;
    return 4711;
}

static void md_futex_wait(stet_os *os, _Atomic uint32_t *word,
                          uint32_t expected, int64_t deadline_ns)
{
    (void)os;
    (void)word;
    (void)expected;
    (void)deadline_ns;
    fail_check("nobody waits where there is one thread", __LINE__);
}

static void md_futex_wake(stet_os *os, _Atomic uint32_t *word, int count)
{
    (void)os;
    (void)word;
    (void)count;
}

static void md_yield(stet_os *os)
{
    (void)os;
}

/* The disk. */

static void set_methods(memdisk *d)
{
    d->os = (stet_os){
        .dir_open = md_dir_open,
        .open = md_open,
        .close = md_close,
        .pread = md_pread,
        .pwrite = md_pwrite,
        .datasync = md_sync,
        .sync = md_sync,
        .truncate = md_truncate,
        .size = md_size,
        .disk_bytes = md_size,
        .link = md_link,
        .rename = md_rename,
        .unlink = md_unlink,
        .list = md_list,
        .lock = md_lock,
        .now = md_now,
        .monotonic = md_now,
        .random = md_random,
        .pid = md_pid,
        .futex_wait = md_futex_wait,
        .futex_wake = md_futex_wake,
        .yield = md_yield,
    };
}

memdisk *memdisk_create(uint64_t seed)
{
    memdisk *d = malloc(sizeof *d);
    CHECK(d != NULL);
    memset(d, 0, offsetof(memdisk, seen));
    d->seen.count = 0;
    d->media.count = 0;
    set_methods(d);
    d->random.state = seed;
    d->space = UINT64_MAX;
    d->has_direct = true;
    d->has_unnamed = true;
    d->now = 1000000000;
    d->folder_count = 1;
    return d;
}

void memdisk_add_folder(memdisk *d, const char *folder)
{
    CHECK(d->folder_count < FOLDERS_MAX && strlen(folder) < FOLDER_BYTES_MAX);
    (void)snprintf(d->folders[d->folder_count++], FOLDER_BYTES_MAX, "%s",
                   folder);
}

void memdisk_destroy(memdisk *d)
{
    for (int i = 0; i < d->file_count; i++) {
        mediafile_deinit(&d->files[i]);
    }
    free(d);
}

stet_os *memdisk_os(memdisk *d)
{
    return &d->os;
}

void memdisk_die_at(memdisk *d, unsigned nth)
{
    d->die_at = nth;
}

bool memdisk_is_dead(const memdisk *d)
{
    return d->is_dead;
}

static void lose_directory(memdisk *d)
{
    size_t kind = rng_below(&d->random, 3);
    size_t prefix = rng_below(&d->random, d->op_count + 1);
    for (size_t i = 0; i < d->op_count; i++) {
        if ((kind == 1 && i < prefix) ||
            (kind == 2 && rng_below(&d->random, 2) == 0)) {
            apply_op(&d->media, &d->ops[i]);
        }
    }
    d->op_count = 0;
    copy_directory(&d->seen, &d->media);
}

void memdisk_crash(memdisk *d, bool is_power)
{
    d->handle_count = 0;
    d->is_dead = false;
    d->die_at = 0;
    memset(d->fail_at, 0, sizeof d->fail_at);
    if (is_power) {
        for (int i = 0; i < d->file_count; i++) {
            mediafile_cut_power(&d->files[i], &d->random);
        }
        lose_directory(d);
    }
}

void memdisk_fail_at(memdisk *d, memdisk_call call, unsigned nth, int os_errno)
{
    d->fail_at[call] = nth;
    d->fail_errno[call] = os_errno;
    d->has_failed = false;
}

void memdisk_set_faults(memdisk *d, memdisk_fault_fn fn, void *ctx)
{
    d->fault = fn;
    d->fault_ctx = ctx;
}

void memdisk_interrupt_write(memdisk *d, int fd, const void *ptr, size_t len,
                             uint64_t off)
{
    const mediafile_change w = {
        .at = (size_t)off, .len = len, .bytes = (uint8_t *)ptr};
    bool is_done = rng_below(&d->random, 3) == 0;
    for (size_t at = 0; at < len; at += SECTOR) {
        if (is_done || rng_below(&d->random, 2) == 0) {
            size_t left = len - at;
            mediafile_change part = {.at = w.at + at,
                                     .len = left < SECTOR ? left : SECTOR,
                                     .bytes = w.bytes + at};
            mediafile_change_cached(file_of(d, fd), &part);
        }
    }
}

bool memdisk_has_failed(const memdisk *d)
{
    return d->has_failed;
}

void memdisk_set_space(memdisk *d, uint64_t bytes)
{
    d->space = bytes;
}

void memdisk_set_features(memdisk *d, bool has_direct, bool has_unnamed)
{
    d->has_direct = has_direct;
    d->has_unnamed = has_unnamed;
}

void memdisk_set_lying(memdisk *d, bool is_lying)
{
    d->is_lying = is_lying;
}

void memdisk_advance(memdisk *d, int64_t ns)
{
    d->now += ns;
}

unsigned memdisk_changes(const memdisk *d)
{
    return d->changes;
}

unsigned memdisk_reads(const memdisk *d)
{
    return d->reads;
}

size_t memdisk_names(const memdisk *d, const char **out, size_t max)
{
    CHECK(d->seen.count <= max);
    for (size_t i = 0; i < d->seen.count; i++) {
        out[i] = d->seen.entries[i].name;
    }
    return d->seen.count;
}

static mediafile *named_file(memdisk *d, const char *name)
{
    const dir_entry *e = find_entry(&d->seen, name);
    CHECK(e != NULL);
    return &d->files[e->file];
}

uint8_t *memdisk_bytes(memdisk *d, const char *name, size_t *out_len)
{
    mediafile *f = named_file(d, name);
    *out_len = f->seen.len;
    return f->seen.bytes;
}

void memdisk_cut(memdisk *d, const char *name, size_t len)
{
    mediafile_cut(named_file(d, name), len);
}

void memdisk_remove(memdisk *d, const char *name)
{
    set_entry(&d->seen, name, -1);
    set_entry(&d->media, name, -1);
}

/* After a sync of everything, so that nothing of it comes back. */
void memdisk_empty_folder(memdisk *d, const char *folder)
{
    int dir = d->os.dir_open(&d->os, folder, false);
    (void)sync_dir(d, dir, false);
    for (size_t i = d->seen.count; i > 0; i--) {
        disk_path path = path_in(d, DIR_HANDLE, d->seen.entries[i - 1].name);
        if (name_in(d, dir, path.text) != NULL) {
            memdisk_remove(d, path.text);
        }
    }
}

void memdisk_break(memdisk *d, const char *name, size_t at, size_t len)
{
    named_file(d, name)->broken_at = at;
    named_file(d, name)->broken_len = len;
}

memdisk *memdisk_copy(const memdisk *d)
{
    memdisk *copy = memdisk_create(d->random.state);
    memcpy(copy->folders, d->folders, sizeof copy->folders);
    copy->folder_count = d->folder_count;
    copy_directory(&copy->seen, &d->seen);
    copy_directory(&copy->media, &d->seen);
    copy->now = d->now;
    copy->has_direct = d->has_direct;
    copy->has_unnamed = d->has_unnamed;
    copy->file_count = d->file_count;
    memset(copy->files, 0, (size_t)d->file_count * sizeof *copy->files);
    for (size_t i = 0; i < d->seen.count; i++) {
        int number = d->seen.entries[i].file;
        mediafile_copy(&copy->files[number], &d->files[number]);
    }
    return copy;
}
