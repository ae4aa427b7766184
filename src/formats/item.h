/*
 * Item: one event on its way between a file and a store.
 *
 * A file names the fields of an event; an item is the stet_change that they
 * make. The names are the same in all formats: JSON Lines uses them as they
 * are, XES and CSV with the prefix "stet:" for what those formats have no own
 * word for. A reader sets fields as it meets them and ends with
 * stet__item_finish; a writer takes an item and writes its fields out again, so
 * that what was written reads back as the same item.
 *
 *   name              also                value
 *   id                state_machine_id    text
 *   ts                timestamp           Unix seconds, or RFC 3339: in UTC
 *                                         where it names no offset, midnight
 *                                         where it is a bare date
 *   kind                                  name of a stet_event_kind
 *   from, to          from_state, ...     text
 *   action                                text
 *   actor             actor_id            text
 *   type                                  name of a stet_transition_type
 *   reducer                               name of a stet_reducer
 *   error                                 text
 *   correlation       correlation_id      text
 *   causation         causation_id        text
 *   duration_ms                           decimal, up to 6 places are kept
 *   phase_change                          true or false
 *   event_id, version, state_type         text
 *   metadata, machine_metadata            JSON object
 *   payload                               JSON, its bytes are kept
 *   state             state_data          JSON, its bytes are kept
 *
 * Any name with "_base64" behind it holds the same value in base64, for bytes
 * that the format cannot hold or would not keep.
 */
#ifndef STET_FORMATS_ITEM_H
#define STET_FORMATS_ITEM_H

#include <stet/state.h>
#include <stet/write.h>

#include "base/arena.h"
#include "base/buf.h"

/* What one item may take in a file; a state in base64 fits. */
enum { STET_ITEM_BYTES_MAX = 32 * 1024 * 1024 };

typedef enum stet_field {
    STET_FIELD_ID = 0,
    STET_FIELD_TS,
    STET_FIELD_KIND,
    STET_FIELD_FROM,
    STET_FIELD_TO,
    STET_FIELD_ACTION,
    STET_FIELD_ACTOR,
    STET_FIELD_TYPE,
    STET_FIELD_REDUCER,
    STET_FIELD_ERROR,
    STET_FIELD_CORRELATION,
    STET_FIELD_CAUSATION,
    STET_FIELD_DURATION_MS,
    STET_FIELD_PHASE_CHANGE,
    STET_FIELD_EVENT_ID,
    STET_FIELD_VERSION,
    STET_FIELD_STATE_TYPE,
    STET_FIELD_METADATA,
    STET_FIELD_MACHINE_METADATA,
    STET_FIELD_PAYLOAD,
    STET_FIELD_STATE,
    STET_FIELD_COUNT
} stet_field;

/* What a field's value looks like where a format has types. */
typedef enum stet_field_form {
    STET_FORM_TEXT = 1,
    STET_FORM_TIME = 2, /* text or number */
    STET_FORM_NUMBER = 3,
    STET_FORM_BOOL = 4,
    STET_FORM_OBJECT = 5, /* a JSON object */
    STET_FORM_JSON = 6    /* any JSON */
} stet_field_form;

/* A field as a file named it. */
typedef struct stet_field_name {
    stet_field field;
    bool is_base64;
} stet_field_name;

typedef struct stet_item {
    stet_change change; /* slices are lent; the id has no prefix yet */
    stet_event_kind kind;
    uint32_t given; /* 1 << stet_field of what was set */
    uint64_t line;  /* where it begins in the file */
} stet_item;

/* Look a name up; false when it names no field. */
bool stet__field_find(stet_slice name, stet_field_name *out);
/* The name that writers use; static storage. */
const char *stet__field_name(stet_field field);
stet_field_form stet__field_form(stet_field field);

/* Does an event of this kind hold a whole state, instead of a payload? */
bool stet__kind_holds_state(stet_event_kind kind);

/* Start an item with nothing set. */
void stet__item_reset(stet_item *item, uint64_t line);
bool stet__item_has(const stet_item *item, stet_field field);

/*
 * Set a field from the text of its value, which is lent to the item; the arena
 * takes what is decoded.
 *
 * STET_E_INVALID: the value is not what the field takes, or it is set twice.
 */
STET_NODISCARD stet_status stet__item_set(stet_item *item, stet_field_name name,
                                          stet_slice text, stet_arena *arena,
                                          stet_error *err);

/*
 * Make the change whole, once all fields are set: the verb from the kind
 * (`otherwise` where none was given), and that the fields fit each other.
 */
STET_NODISCARD stet_status stet__item_finish(stet_item *item,
                                             stet_event_kind otherwise,
                                             stet_error *err);

/*
 * Make the item that would write an event again; its slices are the event's.
 *
 * The event comes from a history with STET_HISTORY_STATES. A fork is written
 * out in full, so its forked event becomes a raw one; so does an erased event,
 * which changes nothing any more. `metadata_before` is the
 * machine's metadata before the event; the item names it only where it changed.
 */
void stet__item_of_event(stet_item *item, const stet_event *event,
                         stet_slice metadata_before);

/* Lend the value of a field whose form is text, object or JSON, but for a kind,
 * type or reducer. */
stet_slice stet__item_slice(const stet_item *item, stet_field field);

/*
 * Append a field's value as text, and nothing where the item has none: what
 * stet__item_set would take. Times and durations are exact.
 */
void stet__item_put(const stet_item *item, stet_field field, stet_buf *out);

#endif
