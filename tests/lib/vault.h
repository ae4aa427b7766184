/*
 * Vault: a trial's store with a backup folder beside it, on one disk.
 *
 * The store's folder is "store", backups are in "backup", and what is restored
 * comes to be in "restored"; "other" is empty. The oracle is the store itself:
 * what is restored has the same records, byte for byte, up to where it was to
 * end, not one more, and verifies.
 */
#ifndef STET_TESTS_VAULT_H
#define STET_TESTS_VAULT_H

#include "engine/backup.h"
#include "engine/handle.h"
#include "lib/trial.h"

enum { VAULT_NAMES_MAX = 300, VAULT_BACKUPS_MAX = 16 };

/* Begin a trial with a store that is open, of small segments. */
void vault_begin(trial *t, uint64_t seed);
/*
 * The same, with one backup and events after it, then closed: it is the same
 * whenever it is looked at.
 */
stet_backup vault_begin_at_rest(trial *t, uint64_t seed);
stet_os *vault_os(const trial *t);

void vault_write(trial *t, unsigned steps);
/* Write until it has sets, segments, and one that is written to. */
void vault_write_all_kinds(trial *t);
/* One past the newest position. */
uint64_t vault_end_of(const trial *t);

/* The calls under test, with this vault's folders. */
stet_status vault_create(stet *s, uint32_t flags, stet_backup *out,
                         stet_error *err);
stet_backup vault_create_ok(const trial *t);
stet_status vault_verify(stet_os *os, uint32_t number, const stet_opts *store,
                         stet_error *err);
stet_status vault_restore(stet_os *os, const stet_restore_opts *opts,
                          stet_restored *out, stet_error *err);
stet_status vault_prune(stet_os *os, uint32_t keep, stet_pruned *out,
                        stet_error *err);
size_t vault_list(const trial *t, stet_backup out[VAULT_BACKUPS_MAX]);

/* Open a store that must be there, with the trial's options. */
stet *vault_open(stet_os *os, const char *url, const trial *t,
                 stet_open_mode mode);
stet *vault_open_restored(stet_os *os, const trial *t);
/* Claim that a store ends at `end` and is what the other one was there. */
void vault_claim_same(stet *got, stet *whole, uint64_t end);
/* Restore, compare with the store, which is open, and clear away. */
stet_restored vault_restore_and_compare(const trial *t,
                                        const stet_restore_opts *opts,
                                        uint64_t end);

/* Bytes of all copies in the backup folder, manifests apart. */
uint64_t vault_copied_bytes(memdisk *disk);

/* Names that begin so, taken down before the disk changes; no LOCK. */
typedef struct vault_name_list {
    char text[VAULT_NAMES_MAX][64];
    size_t count;
} vault_name_list;
vault_name_list vault_names(const memdisk *disk, const char *begin);

#endif
