/*
 * The embedded store: a log in the files of one folder.
 *
 * URL "stet:DIR", or the plain path of a folder. Levels os and disk.
 * docs/FORMAT.md specifies the files; log.h beside this one says how they are
 * kept.
 */
#ifndef STET_STORES_EMBEDDED_EMBEDDED_H
#define STET_STORES_EMBEDDED_EMBEDDED_H

#include <stet/sys/store.h>

extern const stet_driver stet__embedded_driver;

#endif
