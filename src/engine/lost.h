/*
 * Lost: what to say of an event that is no longer there, or not to be shown.
 */
#ifndef STET_ENGINE_LOST_H
#define STET_ENGINE_LOST_H

#include "core/record.h"
#include "engine/handle.h"

/*
 * Was the content of a record taken, or is it to be erased? Whoever shows a
 * past state or event asks. `key` is the machine whose lineage is read.
 *
 * STET_E_GONE, STET_E_ERASED: the text names the first seq after it that is
 * there. STET_E_CORRUPT, STET_E_IO, STET_E_NOMEM: who knows.
 */
stet_status stet__lost_check(stet *s, stet_machine_key key,
                             const stet_record *r, stet_error *err);

/* The same without a text, of a list of erasures that is loaded. */
stet_status stet__lost_of(stet *s, const stet_record *r);

#endif
