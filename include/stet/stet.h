/*
 * stet keeps the state of every state machine you run.
 *
 *     stet *s;
 *     stet_error err;
 *     if (stet_open("./games", NULL, &s, &err) != STET_OK) { ... err.text ... }
 *     stet_save(s, stet_str("game:1"), stet_str("{\"turn\":1}"), NULL, NULL,
 *               &err);
 *     stet_load(s, stet_str("game:1"), NULL, &state, &err);
 *
 * A save is durable before the call returns; every past state is one load away.
 * This header is all an application needs. Headers under stet/sys/ are for
 * authors of stores.
 */
#ifndef STET_STET_H
#define STET_STET_H

#include <stet/backup.h>
#include <stet/checkpoint.h>
#include <stet/consumer.h>
#include <stet/feed.h>
#include <stet/flow.h>
#include <stet/handle.h>
#include <stet/metrics.h>
#include <stet/policy.h>
#include <stet/projection.h>
#include <stet/proof.h>
#include <stet/read.h>
#include <stet/recovery.h>
#include <stet/retention.h>
#include <stet/salvage.h>
#include <stet/state.h>
#include <stet/status.h>
#include <stet/types.h>
#include <stet/write.h>

#define STET_VERSION_MAJOR 0
#define STET_VERSION_MINOR 1
#define STET_VERSION_PATCH 0

#endif
