/*
 * Proofs: a machine's history as a text that stands by itself, and the check of
 * such a text, for which no store is needed.
 *
 * Settled events are links of a hash chain, a chain for each machine. Its value
 * after the last of them is the *head*: two parties that have the same head
 * have the same events, in every byte and in their order. A proof has what the
 * links are made of, so that anybody can compute the head again; whether it is
 * the right one is for the reader to compare with a head from elsewhere. The
 * text is described in docs/FORMAT.md, section "Proof".
 */
#ifndef STET_PROOF_H
#define STET_PROOF_H

#include <stdbool.h>

#include <stet/alloc.h>
#include <stet/handle.h>
#include <stet/slice.h>
#include <stet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a head, a SHA-256. */
enum { STET_CHAIN_HEAD_BYTES = 32 };

/* Where a machine's hash chain ends. */
typedef struct stet_chain_head {
    uint64_t seq; /* of the newest event that is settled */
    uint64_t position;
    uint64_t newest_seq; /* above `seq`: of events that are not settled yet */
    uint8_t hash[STET_CHAIN_HEAD_BYTES];
} stet_chain_head;

/*
 * Tell where the hash chain of machine `id` of namespace `ns` ends.
 *
 *   STET_E_NOT_FOUND    never written, or none of its own events is settled
 *   STET_E_UNSUPPORTED  this kind of store settles nothing
 *   STET_E_INVALID      id or namespace is wrong
 *   STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM
 *
 * `*out` is untouched on failure. Blocks on storage. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_get_chain_head(stet *s, stet_slice id, uint8_t ns, stet_chain_head *out,
                    stet_error *err);

/* A proof being written. One thread at a time. */
typedef struct stet_proof stet_proof;

/*
 * Begin the proof of a machine's settled events, those that a fork inherited
 * included. Deleted machines have one, too.
 *
 * `*out` is owned by the caller until stet_proof_close; later writes do not
 * show. `out_head` (nullable) takes what stet_get_chain_head gives; the
 * statuses are those of that, too. Blocks on storage. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_proof_open(stet *s, stet_slice id, uint8_t ns, stet_proof **out,
                stet_chain_head *out_head, stet_error *err);

/*
 * Take the proof's next lines, some whole ones; STET_DONE behind the last.
 *
 * `*out` is lent until the next call. After a failure a proof can only be
 * closed. STET_E_CORRUPT: damage, or the store's own chain does not fit its
 * events; STET_E_IO, STET_E_NOMEM. Thread: one at a time per proof. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_proof_next(stet_proof *proof, stet_slice *out, stet_error *err);

/*
 * End a proof. Accepts NULL.
 *
 * Thread: one at a time per proof. Since 0.1.
 */
STET_API void stet_proof_close(stet_proof *proof);

/*
 * What one part of a proof says: some events of a machine that follow each
 * other. Slices are lent for the callback.
 */
typedef struct stet_proof_part {
    stet_slice id;
    stet_slice parent_id; /* the first event forked that machine's ... */
    uint8_t ns;
    uint8_t parent_ns;
    uint64_t parent_seq; /* ... event of this seq; 0: it did not fork */
    bool is_joined;      /* the part before ends with that event */
    uint64_t first_seq;  /* of the machine's own events; 0: none is there */
    uint64_t last_seq;
    uint64_t events;
    uint64_t erased;  /* of them: without their bodies */
    uint64_t cut_seq; /* events up to here were dropped; 0: none */
    uint64_t first_position;
    uint64_t last_position;
    int64_t first_recorded; /* nanoseconds since 1970 */
    int64_t last_recorded;
    uint64_t met_seq; /* after this event the head was opts.head; 0: never */
    uint8_t head[STET_CHAIN_HEAD_BYTES];
} stet_proof_part;

/* Hears of each part, when its events and head are right. */
typedef void (*stet_proof_part_fn)(void *ctx, const stet_proof_part *part);

typedef struct stet_proof_check_opts {
    size_t struct_size;
    stet_proof_part_fn part; /* nullable */
    void *ctx;               /* of `part` */
    const uint8_t *head;     /* STET_CHAIN_HEAD_BYTES, borrowed; NULL: none */
} stet_proof_check_opts;

/* A proof being checked. One thread at a time. */
typedef struct stet_proof_check stet_proof_check;

/*
 * Begin to check a proof; `alloc` (nullable) is borrowed.
 *
 * The check holds one line at a time, which is refused above 66 MiB. `*out` is
 * owned by the caller until stet_proof_check_close. STET_E_UNSUPPORTED: options
 * of a newer library; STET_E_NOMEM. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_proof_check_open(const stet_allocator *alloc,
                      const stet_proof_check_opts *opts, stet_proof_check **out,
                      stet_error *err);

/*
 * Take the proof's next bytes, any number of them.
 *
 * After a failure a check can only be closed.
 *
 *   STET_E_CORRUPT  this is no proof, or not of the events it was made of; the
 *                   text names the line
 *   STET_E_FORMAT   it is of a newer version
 *   STET_E_NOMEM
 *
 * Thread: one at a time per check. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_proof_check_feed(stet_proof_check *check, stet_slice bytes,
                      stet_error *err);

/*
 * End a proof: was that all of it? STET_E_CORRUPT: something is missing.
 *
 * Thread: one at a time per check. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_proof_check_finish(stet_proof_check *check, stet_error *err);

/*
 * Free a check. Accepts NULL.
 *
 * Thread: one at a time per check. Since 0.1.
 */
STET_API void stet_proof_check_close(stet_proof_check *check);

#ifdef __cplusplus
}
#endif

#endif
