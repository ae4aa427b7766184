/*
 * Blocks: what must hold of each index that was built, whatever records are in
 * it.
 */
#ifndef STET_FUZZ_BLOCKS_H
#define STET_FUZZ_BLOCKS_H

#include "base/buf.h"
#include "core/index.h"

typedef void (*blocks_run_fn)(void *ctx, const stet_run *run);

/*
 * Claim that every block is sound, that the runs of the directory rise by key
 * and the keys by hash, that the filter knows each machine, and that runs have
 * as many records as there are slots. `visit` gets each run.
 */
void blocks_check(const stet_buf *index, blocks_run_fn visit, void *ctx);

#endif
