/*
 * Consumers as events: a machine "n" NAME of namespace 255,
 *
 *   {"pattern", "kinds", "ns", "ns_last", "acked",
 *    "retry": {"position", "attempts", "due", "reason"}}
 *
 * of which "retry" is there while an event is given back; and for each event
 * that one has parked a machine "k" NAME NUL POSITION (16 hex digits),
 *
 *   {"ns", "id", "seq", "attempts", "reason"}
 */
#ifndef STET_ENGINE_CONSUMER_H
#define STET_ENGINE_CONSUMER_H

#include <stet/consumer.h>

#include "base/buf.h"
#include "core/doc.h"

/* An event given back; position 0: none is. */
typedef struct stet_retry {
    uint64_t position;
    int64_t due;
    uint32_t attempts; /* that failed */
} stet_retry;

/* How far a consumer is. */
typedef struct stet_consumer_place {
    uint64_t acked;
    stet_retry retry;
} stet_consumer_place;

/* What its machine says; slices are the JSON's. */
typedef struct stet_consumer_content {
    stet_slice pattern;
    stet_slice reason;
    uint32_t kinds;
    uint8_t ns;
    uint8_t ns_last;
    stet_consumer_place place;
} stet_consumer_content;

stet_consumer_content stet__consumer_content_of(const stet_value *json);

/* The feed of what it has not dealt with. */
stet_feed_opts stet__consumer_feed_of(const stet_consumer_content *c);

/* Append the id of a consumer's machine; of all that it has parked, its start;
 * and of one of these, the rest. */
void stet__consumer_put_id(stet_buf *out, stet_slice name);
void stet__parked_put_prefix(stet_buf *out, stet_slice name);
void stet__parked_put_position(stet_buf *out, uint64_t position);
/* The position that a parked event's id ends with. */
uint64_t stet__parked_position(stet_slice id);

#endif
