/*
 * Sandbox: what a command can still do once it has said what it needs.
 *
 * A command works on bytes that others made: stores, logs to import, proofs.
 * Before it opens the first of them it gives up the rest of the machine. From
 * then on it reaches the files it has named and no others (landlock(7)), and
 * calls the system for files, memory, time and threads only: no program is
 * started, no socket made, no memory made executable (seccomp(2)). Nothing gets
 * the rights back.
 *
 * What this kernel does not have is left out; `stet doctor` tells. The
 * environment variable STET_SANDBOX=off leaves out all of it, for tools that
 * run inside the process: sanitizers, coverage, debuggers' preloads.
 *
 * Thread: the first one, before there are others.
 */
#ifndef STET_CLI_SANDBOX_H
#define STET_CLI_SANDBOX_H

#include <stdbool.h>

typedef enum sandbox_access {
    SANDBOX_LIST = 1,  /* the names in a directory and below */
    SANDBOX_READ = 2,  /* a file, or all below a directory */
    SANDBOX_WRITE = 3, /* the same, and to make, rename and remove files */
} sandbox_access;

/* Zeroed at first. From the first path until it is entered it has a file. */
typedef struct sandbox {
    int rules; /* landlock's rule set; -1: none */
    bool is_begun;
    bool is_entered;
    bool holds_files; /* landlock is active */
    bool holds_calls; /* seccomp is active */
} sandbox;

/*
 * Leave the path within reach. What does not exist, or is on no file system
 * that could be ruled out, is left to the call that opens it.
 */
void sandbox_allow(sandbox *s, const char *path, sandbox_access access);

/* Give up everything else; a second time does nothing. */
void sandbox_enter(sandbox *s);

/* "files and calls", or what is missing of it and why. Static text. */
const char *sandbox_text(const sandbox *s);

#endif
