/*
 * Packers: zstd's contexts, used again from run to run.
 *
 * Each one that is made asks the processor what it can do, which a virtual
 * machine answers slowly: it was a tenth of all time. So stet-sim is linked
 * such that libstet makes and frees its contexts here; the store's allocator
 * sees a block for each that it has. They pack at zstd's quickest, too:
 * codes for bytes that no match has were another tenth, and no question is
 * about them.
 */
#ifndef STET_TESTS_SIM_PACKERS_H
#define STET_TESTS_SIM_PACKERS_H

#include <stdbool.h>

/*
 * Keep contexts from now on, or have each made anew from the store's memory,
 * with the level that the store asks for.
 */
void packers_keep(bool is_kept);
/* The process that had the contexts was killed: all are free again. */
void packers_reset(void);

#endif
