/*
 * Source: the layers of settings that are not a file's text, and the reading of
 * the file.
 */
#ifndef STET_CONFIG_SOURCE_H
#define STET_CONFIG_SOURCE_H

#include "config/settings.h"

/* Read a whole file. STET_E_NOT_FOUND, STET_E_TOO_LARGE, STET_E_IO, _NOMEM. */
STET_NODISCARD stet_status stet__config_read_file(const char *path,
                                                  stet_buf *out,
                                                  stet_error *err);

/*
 * Put what variables say; `*notices` gets a line, with its NUL, for each that
 * begins with STET_ and is near to one of ours.
 */
STET_NODISCARD stet_status stet__config_take_variables(stet_settings *s,
                                                       char *const *variables,
                                                       stet_buf *notices,
                                                       stet_error *err);

/* Put what the program says. */
STET_NODISCARD stet_status
stet__config_take_program(stet_settings *s, const stet_config_setting *settings,
                          size_t count, stet_error *err);

/* Put what a profile says (its place among them), and the defaults. */
STET_NODISCARD stet_status stet__config_take_profile(stet_settings *s,
                                                     unsigned profile,
                                                     stet_error *err);
STET_NODISCARD stet_status stet__config_take_defaults(stet_settings *s,
                                                      stet_error *err);

#endif
