/*
 * Questions: each thing that a log answers, asked of a whole store, with the
 * answer as text. Claims abort through cmocka.
 */
#ifndef STET_TESTS_QUESTIONS_H
#define STET_TESTS_QUESTIONS_H

#include "base/buf.h"
#include "lib/logbook.h"
#include "lib/memdisk.h"

/* Ask something and append the whole answer to `out`. */
typedef stet_status (*questions_fn)(logbook *b, stet_buf *out, stet_error *err);

enum { QUESTIONS = 10 };
extern const questions_fn questions[QUESTIONS];

/*
 * A store with a set, segments that are sealed, and a live one; forks and keys
 * in all. It is closed, or killed.
 */
void questions_begin(logbook *b, memdisk **disk, bool is_closed);

/* Ask where nothing may go wrong; `out` takes the answer alone. */
void questions_ask_ok(logbook *b, questions_fn ask, stet_buf *out);
void questions_assert_same(const stet_buf *got, const stet_buf *due);

#endif
