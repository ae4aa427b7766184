/*
 * Text: words for people on a terminal or in a file.
 */
#ifndef STET_CLI_TEXT_H
#define STET_CLI_TEXT_H

#include <stddef.h>
#include <stdio.h>

#include <stet/slice.h>

enum { TEXT_COLUMNS = 80 };

/* Bytes of the UTF-8 character that `text` begins with; 0: it is none. */
size_t text_char_bytes(stet_slice text);

/*
 * Write words from column `at` on and end the line. Lines break at spaces and
 * behind bars before column TEXT_COLUMNS, and go on at `indent`. A newline in
 * `words` breaks as well.
 */
void text_wrap(FILE *out, const char *words, int indent, int at);

/* Write `count` spaces. */
void text_indent(FILE *out, int count);

#endif
