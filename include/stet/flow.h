/*
 * The discovered flow: which state follows which, how often and how fast (a
 * directly-follows graph), and counts over the transition log.
 */
#ifndef STET_FLOW_H
#define STET_FLOW_H

#include <stet/read.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stet_flow_node {
    stet_slice state;
    uint64_t count; /* transitions into it */
} stet_flow_node;

typedef struct stet_flow_edge {
    stet_slice from; /* empty: a machine's first transition */
    stet_slice to;
    uint64_t count;
    double mean_seconds; /* between the two transitions; 0 for a first one */
} stet_flow_edge;

/* What the transitions of a scan add up to. Immutable. */
typedef struct stet_flow {
    const stet_flow_node *nodes; /* by name */
    size_t node_count;
    const stet_flow_edge *edges; /* by from, then to */
    size_t edge_count;
    uint64_t machines;
    uint64_t transitions;
    uint64_t actions; /* different ones */
    uint64_t actors;  /* different ones */
    uint64_t errors;  /* events with an error text or of kind failed */
    int64_t first_timestamp;
    int64_t last_timestamp;
} stet_flow;

/*
 * Discover the flow of the machines that a scan selects.
 *
 * An edge joins two consecutive transitions of one machine; `limit` and
 * NEWEST_FIRST are ignored. Memory grows with machines and states. `*out` is
 * owned by the caller, who frees it with stet_flow_free; it may outlive the
 * handle. STET_E_INVALID: pattern or namespace is wrong; STET_E_CORRUPT,
 * STET_E_IO, STET_E_NOMEM. Thread-safe. Since 0.1.
 */
STET_API STET_NODISCARD stet_status
stet_flow_discover(stet *s, const stet_scan_opts *opts, const stet_flow **out,
                   stet_error *err);

/*
 * Free a flow. Accepts NULL. Thread-safe. Since 0.1.
 */
STET_API void stet_flow_free(const stet_flow *flow);

#ifdef __cplusplus
}
#endif

#endif
