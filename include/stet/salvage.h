/*
 * Salvage: what a damaged store still tells for certain, as a new store.
 *
 * Events keep their seqs and positions, byte for byte. In the place of one that
 * is lost, or whose state only a lost one told, the new store has a stub, as of
 * an event that retention dropped: it answers STET_E_GONE. The damaged store is
 * only read.
 */
#ifndef STET_SALVAGE_H
#define STET_SALVAGE_H

#include <stet/alloc.h>
#include <stet/slice.h>
#include <stet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum stet_loss_kind {
    STET_LOSS_FILE = 1,      /* bytes of a file */
    STET_LOSS_POSITIONS = 2, /* positions whose events are nowhere */
    STET_LOSS_EVENTS = 3     /* events of a machine */
} stet_loss_kind;

/* One thing that is lost; lent for the callback. */
typedef struct stet_loss {
    stet_loss_kind kind;
    uint8_t ns;       /* of a machine's events */
    stet_slice id;    /* likewise */
    const char *file; /* "7.seg" */
    const char *why;
    uint64_t from; /* offset, position or seq: [from, to) */
    uint64_t to;   /* UINT64_MAX: nobody knows how far */
} stet_loss;

/* Hears of one loss. */
typedef void (*stet_loss_fn)(void *ctx, const stet_loss *loss);

typedef struct stet_salvage_opts {
    size_t struct_size;
    stet_allocator allocator; /* default: the heap */
    stet_loss_fn loss;        /* nullable; hears of each loss */
    void *ctx;                /* of `loss` */
} stet_salvage_opts;

/* What came of it; plain data, which grows at its end. */
typedef struct stet_salvage_report {
    size_t struct_size;     /* sizeof(stet_salvage_report); 0: as that */
    uint64_t files;         /* read */
    uint64_t damaged_files; /* of them, and those that are missing */
    uint64_t events;        /* kept */
    uint64_t lost;          /* positions whose events are nowhere */
    uint64_t unreadable;    /* events there, whose state a lost one told */
    uint64_t machines;      /* with events that were kept */
    uint64_t incomplete;    /* machines that are known to lack events */
} stet_salvage_report;

/*
 * Write what can be told for certain of the store at `from_url` into a new one
 * at `to_url`, where nothing or an empty directory is.
 *
 * STET_OK says that the new store is whole and durable, not that nothing was
 * lost: that is in `report` (nullable). Of a machine none of whose later events
 * is there nobody can tell whether some are lost; nor, where the newest file is
 * damaged, how much was behind it. Takes memory for the largest file, unpacked,
 * for all machines, and a byte for each event. After a failure `to_url` may
 * hold a part.
 *
 *   STET_E_NOT_FOUND    there is nothing of a store at `from_url`
 *   STET_E_EXISTS       `to_url` holds something
 *   STET_E_LOCKED       another process writes the store at `from_url`
 *   STET_E_UNSUPPORTED  one of the two is no embedded store
 *   STET_E_FORMAT       written by a newer version
 *   STET_E_CORRUPT      what is left contradicts itself
 *   STET_E_IO, STET_E_NOSPACE, STET_E_NOMEM, STET_E_INVALID
 *
 * Blocks on storage. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_salvage(const char *from_url, const char *to_url,
             const stet_salvage_opts *opts, stet_salvage_report *report,
             stet_error *err);

#ifdef __cplusplus
}
#endif

#endif
