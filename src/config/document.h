/*
 * Document: the settings of a file's text.
 */
#ifndef STET_CONFIG_DOCUMENT_H
#define STET_CONFIG_DOCUMENT_H

#include "config/settings.h"

/*
 * Put what a text says. `name` is the file's, for errors, and outlives the
 * settings. Statuses as with stet_config_load.
 */
STET_NODISCARD stet_status stet__config_take_text(stet_settings *s,
                                                  const char *name,
                                                  stet_slice text,
                                                  stet_error *err);

#endif
