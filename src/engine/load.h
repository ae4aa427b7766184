/*
 * Load: from a point of a history to its state.
 */
#ifndef STET_ENGINE_LOAD_H
#define STET_ENGINE_LOAD_H

#include "engine/handle.h"

/* Check and copy read options; NULL gives the newest of namespace 0. */
stet_status stet__read_opts(const stet_read_opts *opts, stet_read_opts *out,
                            stet_error *err);

/*
 * Find the record that a point of a machine's history names, as readers below
 * `watermark` see it. STET_E_NOT_FOUND: nothing that early, or no such seq.
 */
stet_status stet__find_point(stet *s, stet_machine_key key, const stet_at *at,
                             uint64_t watermark, stet_point *out,
                             stet_error *err);

/*
 * The same, where the machine has a state: STET_E_NOT_FOUND also where it is
 * deleted. Folds nothing.
 */
stet_status stet__find_alive(stet *s, stet_machine_key key, const stet_at *at,
                             uint64_t watermark, stet_point *out,
                             stet_error *err);

/* Load a state; namespace 255 included. `*out` is one reference. */
stet_status stet__load(stet *s, stet_machine_key key, const stet_at *at,
                       stet_box **out, stet_error *err);

/* stet_history_open for any machine, namespace 255 included. */
stet_status stet__history_open(stet *s, stet_machine_key key,
                               const stet_history_opts *opts,
                               stet_history **out, stet_error *err);

/* "game:1 is not there", told as STET_E_NOT_FOUND. */
stet_status stet__not_there(stet_machine_key key, stet_error *err);

#endif
