/*
 * Survey: what a store whose files were damaged may still say.
 *
 * Of what it has shown to be durable it gives each state exactly, or says that
 * it is damaged and where: never another state, never that there is none, and
 * never fewer events.
 */
#ifndef STET_TESTS_SIM_SURVEY_H
#define STET_TESTS_SIM_SURVEY_H

#include "sim/oracle.h"

/*
 * Damage the disk in one place: bits rot, writes go astray, people delete.
 * No power cut may follow: it would heal it. Damage in several places at once
 * may hide what was acknowledged: a header, say, and the slot that names it.
 */
typedef enum survey_harm {
    SURVEY_CHANGED = 0,
    SURVEY_MISSING,    /* a whole file is */
    SURVEY_UNREADABLE, /* a sector is: answers may be input/output errors */
    SURVEY_STRAY,      /* a write or read went to another place */
    SURVEY_UNSYNCED,   /* the disk lied: events may be gone, and files */
} survey_harm;
survey_harm survey_damage(world *w);

/* Does the error say that something is damaged, and where? */
bool survey_is_told(stet_status st, const stet_error *err, survey_harm harm);

/*
 * The store opened all the same: ask it for everything. That a file is missing
 * must be noticed also if it was begun after the last open.
 */
void survey_ask(oracle *o, stet *s, survey_harm harm);

/*
 * Salvage the store, whatever became of it, and ask what was saved for all
 * states: each is told as it was, or is gone; of a store that nothing happened
 * to (`is_whole`) none is. What was saved verifies. Of a disk that lied it may
 * be refused.
 */
void survey_salvage(oracle *o, const stet_opts *opts, bool is_whole,
                    survey_harm harm);

#endif
