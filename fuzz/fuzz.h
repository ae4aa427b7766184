/*
 * Fuzz: what the targets share. A target is a file NAME_fuzz.c: it gives any
 * bytes to one parser and asserts what must hold of every input, so that an
 * input which breaks the claim is a crash. libFuzzer looks for such inputs
 * (`make fuzz`); replay.c gives a target its corpus, fuzz/corpus/NAME, with any
 * compiler.
 *
 * Checksums keep strangers' bytes out, so targets make them right: what matters
 * is what lies behind.
 */
#ifndef STET_FUZZ_FUZZ_H
#define STET_FUZZ_FUZZ_H

#include <stdint.h>

#include <stet/slice.h>

#include "base/assert.h"
#include "core/record.h"
#include "lib/failalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(claim) STET_ASSERT(claim)

/* One input, taken off the front, and memory that is watched. */
typedef struct fuzz {
    const uint8_t *ptr;
    size_t len;        /* left */
    size_t memory_max; /* 64 MiB, unless a target says otherwise */
    failalloc memory;
    stet_allocator alloc;
} fuzz;

void fuzz_begin(fuzz *f, const uint8_t *data, size_t size);
/* Claim that all memory was freed, and that there never was too much. */
void fuzz_end(const fuzz *f);

/* Take a number; 0 where nothing is left. */
uint8_t fuzz_u8(fuzz *f);
uint16_t fuzz_u16(fuzz *f);
/* Take `len` bytes, or what is left. */
stet_slice fuzz_bytes(fuzz *f, size_t len);
/* Take what stands before the next byte 0, which is taken too, or all. */
stet_slice fuzz_text(fuzz *f);
stet_slice fuzz_rest(fuzz *f);

/*
 * Take a record, and make its checksum right in a copy: of `f`'s memory, as
 * long as the record. `ptr` NULL: no record begins here.
 */
stet_slice fuzz_record(fuzz *f);
void fuzz_free(fuzz *f, stet_slice bytes);
/* Where the tail begins of a record of `len` bytes that parses. */
size_t fuzz_tail_at(const stet_record *r, size_t len);

#endif
