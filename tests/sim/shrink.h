/*
 * Shrink: find the smallest run of a seed that still fails.
 */
#ifndef STET_TESTS_SIM_SHRINK_H
#define STET_TESTS_SIM_SHRINK_H

#include "sim/fleet.h"

/* Tells the changes that remain; the exit status: 1, or 0: it does not fail. */
int shrink_seed(const fleet_opts *o);

#endif
