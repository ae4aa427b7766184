/*
 * Model check: holds what a store answers to what the model says.
 *
 * Claims abort through cmocka and tell seed and step.
 */
#ifndef STET_TESTS_MODEL_CHECK_H
#define STET_TESTS_MODEL_CHECK_H

#include "lib/model.h"
#include "lib/rng.h"

/* The state after the first `prefix` events; 0 or a deletion: none. */
void model_check_load(const model *m, stet *s, const model_machine *mm,
                      stet_at at);
/* A history with any bounds, limit and flags. */
void model_check_history(const model *m, stet *s, const model_machine *mm,
                         const stet_history_opts *opts);
/* The same in pieces of at most `piece` events, by cursor. */
void model_check_history_in_pieces(const model *m, stet *s,
                                   const model_machine *mm, size_t piece,
                                   uint32_t flags);
void model_check_scan(const model *m, stet *s, const stet_scan_opts *opts);
void model_check_keys(const model *m, stet *s, const stet_keys_opts *opts);
/* Checkpoints of a machine, or of the whole store when `id` is empty. */
void model_check_checkpoints(const model *m, stet *s, uint8_t ns,
                             stet_slice id);
void model_check_compare(const model *m, stet *s, const model_machine *a,
                         const model_machine *b);

/* What lists must tell, in order; the caller frees the list. */
const model_machine **model_list_keys(const model *m, const stet_keys_opts *o,
                                      size_t *out_count);
const model_checkpoint **model_list_checkpoints(const model *m, uint8_t ns,
                                                stet_slice id,
                                                size_t *out_count);

/* A few questions chosen at random. */
void model_check_some(const model *m, stet *s, rng *r);
/* Every question about every machine, but for points: some of these. */
void model_check_all(const model *m, stet *s, rng *r);

/* A point near which something happened to the machine. */
stet_at model_some_point(const model *m, const model_machine *mm, rng *r);

#endif
