/*
 * Names: how the files of a store are called, and how their faults are told.
 */
#ifndef STET_STORES_EMBEDDED_NAMES_H
#define STET_STORES_EMBEDDED_NAMES_H

#include <stdbool.h>

#include <stet/status.h>

#include "os/os.h"

typedef enum stet_name_kind {
    STET_NAME_SEGMENT = 1,   /* N.seg */
    STET_NAME_TEMPORARY = 2, /* tmp-N */
    STET_NAME_SUPER = 3,
    STET_NAME_LOCK = 4,
    STET_NAME_FOREIGN = 5,
    STET_NAME_SET = 6,       /* N.set */
    STET_NAME_RESTORING = 7, /* a restore into the folder is under way */
    STET_NAME_INDEX = 8,     /* N.idx */
} stet_name_kind;

/* Tell what a name is; `*out_number` is set where there is an N. */
stet_name_kind stet__name_kind(const char *name, uint32_t *out_number);

/* How names of the kind end: ".seg", of a set ".set", of an index ".idx". */
const char *stet__name_suffix(stet_name_kind kind);
/* Of a segment, set or index. */
void stet__name_file(stet_name_kind kind, uint32_t number,
                     char out[STET_OS_NAME_MAX]);
void stet__name_segment(uint32_t number, char out[STET_OS_NAME_MAX]);
void stet__name_set(uint32_t number, char out[STET_OS_NAME_MAX]);
void stet__name_temporary(uint32_t number, char out[STET_OS_NAME_MAX]);

/* Read a file's number, without leading zeros, from all of [text, end). */
bool stet__name_number(const char *text, const char *end, uint32_t *out);

enum { STET_NAME_UUID_MAX = 40 };
/* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" */
void stet__name_uuid(const uint8_t uuid[16], char out[STET_NAME_UUID_MAX]);

/*
 * Start an error from what an os method answered: NOSPACE, READONLY, NOMEM or
 * IO, whichever `rc`, a negative errno, stands for.
 */
stet_status stet__os_fail(stet_error *err, int rc, const char *format, ...)
    STET_PRINTF(3, 4);

/* Start an error STET_E_CORRUPT "7.seg at offset 8192: ...". */
stet_status stet__damage(stet_error *err, uint32_t file, uint64_t offset,
                         const char *format, ...) STET_PRINTF(4, 5);
/* The same of N.set. */
stet_status stet__damage_of_set(stet_error *err, uint32_t file, uint64_t offset,
                                const char *format, ...) STET_PRINTF(4, 5);
/* The same in front of what a lower layer said; `st` stays. */
stet_status stet__damage_wrap(stet_error *err, stet_status st, uint32_t file,
                              uint64_t offset);

#endif
