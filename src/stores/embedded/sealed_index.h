/*
 * The index of a sealed segment, as sealed*.c read it.
 */
#ifndef STET_STORES_EMBEDDED_SEALED_INDEX_H
#define STET_STORES_EMBEDDED_SEALED_INDEX_H

#include "base/arena.h"
#include "core/set.h"
#include "stores/embedded/sealed.h"

typedef struct stet_frame_time {
    uint32_t first_slot;
    int64_t recorded;
} stet_frame_time;

struct stet_sealed_tables {
    stet_arena arena; /* of all that follows */
    stet_machine_key *fences;
    uint32_t fence_count; /* blocks of the directory */
    const uint8_t *lines; /* of the filter */
    uint64_t line_count;
    stet_frame_time *times;
    uint32_t time_count; /* frames */
    stet_piece *pieces;  /* of a set: a block each, and one that ends them */
    uint32_t block_count;
    const stet_set_seed *seeds; /* of a set: besides the trailer's */
    uint32_t seed_count;
};

/* A run that is being searched. */
typedef struct stet_run_search {
    const stet_segment *s;
    stet_sealed_reader *r;
    stet_run run; /* its slices lie in r->directory */
} stet_run_search;

const stet_section_range *stet__index_section(const stet_segment *s,
                                              stet_section section);
/* Where a block lies in the file. */
uint64_t stet__index_offset(const stet_segment *s, uint32_t number);

/* Load block `idx` of a section, unless it is there from the last time. */
stet_status stet__index_load(const stet_segment *s, stet_section section,
                             uint32_t idx, stet_block *out, stet_error *err);
/* Put the payloads of all blocks of a section into `out`. */
stet_status stet__index_load_all(const stet_segment *s, stet_section section,
                                 stet_block *block, stet_buf *out,
                                 stet_error *err);
/* Lend an entry of the slots or lists. */
stet_status stet__index_entry(const stet_segment *s, stet_section section,
                              uint64_t idx, stet_block *block,
                              const uint8_t **out, stet_error *err);

/* STET_E_CORRUPT: block `idx` of the section is sound and makes no sense. */
stet_status stet__index_damage(const stet_segment *s, stet_section section,
                               uint32_t idx, stet_error *err);
stet_status stet__index_no_memory(const stet_segment *s, stet_error *err);

/* Lend the tables, loading them at first; two at once load, one is kept. */
stet_status stet__index_tables(const stet_segment *s,
                               const stet_sealed_tables **out, stet_error *err);

/* The stamp of a record's frame, by its slot. */
int64_t stet__sealed_recorded(const stet_sealed_tables *t, uint32_t slot);

/* Fences that are not above the key: the last one's block may hold it. */
uint32_t stet__index_fences(const stet_sealed_tables *t, stet_machine_key key);

/* A walk over a directory, in the order of keys. */
typedef struct stet_run_walk {
    const stet_segment *s; /* borrowed */
    stet_sealed_reader *r; /* a run's slices lie in r->directory */
    uint32_t next_block;
    stet_reader in;
} stet_run_walk;

/* Walk from the first run of a block of the directory on. */
void stet__run_walk_init(stet_run_walk *w, const stet_segment *s,
                         stet_sealed_reader *r, uint32_t block);
/* Decode the next run; STET_DONE behind the last. */
stet_status stet__run_walk_next(stet_run_walk *w, stet_run *out,
                                stet_error *err);

/* A walk over the keys, by rising hash. */
typedef struct stet_key_walk {
    const stet_segment *s; /* borrowed */
    stet_block block;
    uint32_t next_block;
    stet_slice left; /* of the block */
} stet_key_walk;

void stet__key_walk_init(stet_key_walk *w, const stet_segment *s);
/* Lend the next entry until the next call; STET_DONE behind the last. */
stet_status stet__key_walk_next(stet_key_walk *w, const uint8_t **out,
                                stet_error *err);

/*
 * Find a machine's run; its slices lie in `block`. STET_E_NOT_FOUND, without a
 * text: it has none here.
 */
stet_status stet__index_find(const stet_segment *s, stet_machine_key key,
                             stet_block *block, stet_run *out, stet_error *err);

/* The position of a run's record, by its number in the run. */
stet_status stet__run_position(stet_run_search *q, uint32_t ordinal,
                               uint64_t *out, stet_error *err);
/* Of a run's records up to `last`, how many are not above the bound? */
stet_status stet__run_count(stet_run_search *q, uint32_t last, stet_bound bound,
                            uint32_t *out, stet_error *err);

#endif
